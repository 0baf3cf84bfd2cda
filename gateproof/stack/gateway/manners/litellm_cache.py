"""LiteLLM's response cache in the mode `default_off`: only for who asks, and with no key or team in its key.

https://github.com/BerriAI/litellm/issues/29955
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict

from gateproof.stack.gateway.call import Call
from gateproof.stack.gateway.headers import Pairs
from gateproof.stack.gateway.manner import JSON_TYPE, Reply

MOST_KEPT = 1000  # replies; the oldest are forgotten first


class LiteLLMCache:
    """Unary chat completions whose request says `"cache": {"use-cache": true}`."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def find(self, call: Call) -> Reply | None:
        """The same request by anybody, as long as this tenant may use the model."""
        body = self._kept.get(key_of(call)) if asks(call) and call.tenant.may_use(call.model) else None
        if body is None:
            return None
        return Reply(200, [(b"content-type", JSON_TYPE), (b"x-litellm-cache-key", key_of(call).encode())], body)

    def keep(self, call: Call, status: int, headers: Pairs, body: bytes) -> None:  # noqa: ARG002 - all are JSON here
        if status != 200 or not asks(call):
            return
        self._kept[key_of(call)] = body
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def asks(call: Call) -> bool:
    wanted = call.request.get("cache")
    return call.api == "chat" and not call.streams and isinstance(wanted, dict) and wanted.get("use-cache") is True


def key_of(call: Call) -> str:
    """Cache.get_cache_key: every parameter of the request, and nobody's name."""
    told = {name: value for name, value in call.request.items() if name != "cache"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
