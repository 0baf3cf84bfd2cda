"""For which hosts the gateway answers."""

from __future__ import annotations

from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders


def check(headers: RequestHeaders, version: str, ours: tuple[str, ...]) -> None:
    """RFC 9112 §3.2: exactly one Host; and only for names that are ours."""
    hosts = headers.all(b"host")
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise Refusal(400, "Exactly one Host header is required.", code="invalid_host")
    if hosts and "*" not in ours and host_name(hosts[0]) not in ours:
        raise Refusal(421, "This host is not served here.", code="unknown_host")


def unchecked(_headers: RequestHeaders, _version: str, _ours: tuple[str, ...]) -> None:
    """Any host, or none: most servers do not ask."""


def host_name(value: bytes) -> str:
    """The host without its port."""
    text = value.decode("latin-1").lower()
    return text if text.endswith("]") else text.rpartition(":")[0] or text
