"""The gateway process: `python -m gateproof.stack.gateway --port N --control-port M`, its config on standard input.

The first line is a JSON object; at the end of standard input the process ends.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import MutableMapping
from typing import Any

from gateproof.stack import config, process
from gateproof.stack.faults import worn
from gateproof.stack.gateway.answer import Send
from gateproof.stack.gateway.app import Gateway
from gateproof.stack.gateway.body import Receive
from gateproof.stack.gateway.control import Control
from gateproof.stack.gateway.protocol import GatewayProtocol

GC_THRESHOLD = 20_000  # objects between collections; the default of 700 costs a tenth of a busy gateway's time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int, required=True)
    arguments = parser.parse_args()
    settings = config.gateway_from(json.loads(process.first_line()))
    worn.set(settings.faults)
    process.end_with_parent()
    gateway = Gateway(settings)
    control = Control(gateway)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await (control if scope["server"][1] == arguments.control_port else gateway)(scope, receive, send)

    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    process.serve(app, [arguments.port, arguments.control_port], GatewayProtocol)


if __name__ == "__main__":
    main()
