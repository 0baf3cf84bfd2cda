"""`python -m gateproof.stack.engine --name a --port N --control-port M`: one engine, until standard input ends."""

from __future__ import annotations

import argparse
import logging

from gateproof.stack.engine.app import create
from gateproof.stack.engine.wire import Message, Receive, Send
from gateproof.stack.process import Door, end_with_parent, serve


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--model", action="append", default=[], help="a model that exists; none: all do")
    given = parser.parse_args()
    # An ordered cut is an application that returns early, which uvicorn would report each time.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    door = Door(given.port)
    server, control = create(given.name, given.model, door)

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await (control if scope["server"][1] == given.control_port else server)(scope, receive, send)

    end_with_parent()
    serve(app, [given.port, given.control_port], door=door)


if __name__ == "__main__":
    main()
