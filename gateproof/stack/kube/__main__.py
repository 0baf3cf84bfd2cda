"""The process: `python -m gateproof.stack.kube --api-port N --authz-port M`, its settings on standard input.

One line of JSON: {"namespace", "token", "groups": [...], "tenants": [{"name", "key", "groups"}]}.
At the end of standard input the process ends.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from gateproof.stack import process
from gateproof.stack.kube.api import SecretsApi
from gateproof.stack.kube.authorino import Authorino, secret
from gateproof.stack.kube.ext_authz import ExtAuthz
from gateproof.stack.kube.store import SecretStore
from gateproof.stack.kube.wire import Receive, Scope, Send


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api-port", type=int, required=True)
    parser.add_argument("--authz-port", type=int, required=True)
    arguments = parser.parse_args()
    settings: dict[str, Any] = json.loads(process.first_line())
    process.end_with_parent()

    store = SecretStore()
    for tenant in settings["tenants"]:
        made = secret(tenant["name"], tenant["key"], user=tenant["name"], groups=tenant["groups"])
        store.create(settings["namespace"], made)
    api = SecretsApi(store, namespace=settings["namespace"], token=settings["token"])
    ext_authz = ExtAuthz(Authorino(store, settings["groups"]))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (api if scope["server"][1] == arguments.api_port else ext_authz)(scope, receive, send)

    process.serve(app, [arguments.api_port, arguments.authz_port])


if __name__ == "__main__":
    main()
