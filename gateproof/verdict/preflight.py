"""Before any check: is somebody there, does it speak this API, does any key open the door?

Tells a mistake in the set-up apart from a gateway that breaks its promises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateproof.errors import TargetUnreachable
from gateproof.targets.probe import probe
from gateproof.verdict.run import TargetRun
from gateproof.wire.exchange import Exchange

REFUSED = frozenset({401, 403})


def preflight(ready: TargetRun) -> None:
    """One tiny call per key until one is served; then see which capabilities the target shows."""
    refusals = []
    for tenant in ready.keys or [""]:
        exchange = knock(ready, tenant)
        see_that_it_is_an_api(ready, exchange)
        if exchange.status not in REFUSED:
            break
        refusals.append(f"{tenant or 'no key'}: {exchange.status}")
    else:
        raise TargetUnreachable(
            f"{ready.target.name}: {ready.target.base_url} refuses every key ({', '.join(refusals)})"
        )
    ready.detected = probe(ready.target, ready.client, ready.keys, ready.headers)


def knock(ready: TargetRun, tenant: str) -> Exchange:
    """One call with the key and the headers of a tenant; without any when there is no key."""
    target, key = ready.target, ready.keys.get(tenant)
    return knock_with(ready, {**target.auth_headers(key), **target.tenant_headers(tenant)} if key else {})


def knock_with(ready: TargetRun, headers: Mapping[str, str]) -> Exchange:
    target = ready.target
    if "chat" in target.models:
        body = {"model": target.models["chat"], "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}
        return ready.client.send("POST", target.path("chat"), json=body, headers=headers)
    return ready.client.send("GET", target.path("models"), headers=headers)


def see_that_it_is_an_api(ready: TargetRun, exchange: Exchange) -> None:
    where = f"{ready.target.name}: {ready.target.base_url}"
    if exchange.failure is not None:
        raise TargetUnreachable(f"{where} could not be reached: {exchange.failure}")
    if 300 <= exchange.status < 400:
        raise TargetUnreachable(
            f"{where} redirects to {exchange.headers.get('location', 'nowhere')} ({exchange.status}); "
            "credentials do not follow: set base_url to where the API really is"
        )
    if "html" in exchange.content_type:
        title = re.search(rb"<title[^>]*>([^<]{0,80})", exchange.body, re.IGNORECASE)
        named = f" titled `{title[1].decode('utf-8', 'replace').strip()}`" if title else ""
        raise TargetUnreachable(f"{where} answers with an HTML page{named} ({exchange.status}): is base_url right?")
