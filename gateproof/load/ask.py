"""A single question to a target, outside of any measurement: is it there, how does it count?

Plain ``http.client`` on a connection of its own: what it waits for is nobody's latency.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateproof.errors import ConfigError, TargetUnreachable
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_headers

PATIENCE = 30.0  # s without a byte; a model that is being loaded may need some for its first answer
DOWN = frozenset({502, 503, 504})
REFUSED = frozenset({401, 403})
LARGEST = 4 * 1024 * 1024  # bytes of an answer that are read


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


def ask(
    target: Target, method: str, path: str, headers: Mapping[str, str], content: bytes = b"", *, at: str | None = None
) -> Reply:
    """One request and its answer; ``at`` is a URL beside the target's own, such as that of the engine behind it.

    TargetUnreachable when there is no answer.
    """
    parts = urlsplit(at or target.root_url)
    secure = parts.scheme == "https"
    address = (parts.hostname or "", parts.port or (443 if secure else 80))
    if at is None and target.connect_to is not None:
        address = target.connect_to
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    host = (target.host if at is None else None) or parts.netloc.rpartition("@")[2]
    try:
        connection.sock = socket.create_connection(address, PATIENCE)
        if secure:
            context, name = security(target)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=name if at is None else address[0])
        connection.request(method, path, content or None, {**headers, "Host": host})
        answer = connection.getresponse()
        return Reply(answer.status, answer.read(LARGEST))
    except (OSError, http.client.HTTPException) as error:
        raise TargetUnreachable(f"{target.name}: {parts.scheme}://{host} does not answer: {_reason(error)}") from None
    finally:
        connection.close()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came in {PATIENCE:.0f} s"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def security(target: Target) -> tuple[ssl.SSLContext, str]:
    """How the target's certificate is checked, and the name that it must bear."""
    context = ssl.create_default_context(cafile=target.tls.ca)
    if not target.tls.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    hostname = urlsplit(target.root_url).hostname or ""
    return context, target.tls.server_name or (target.host or hostname).partition(":")[0]


def refuse_unless_allowed(target: Target) -> None:
    """ConfigError unless the target's owner has said that it may be loaded."""
    if not target.load.allowed:
        raise ConfigError(
            "this target does not allow load",
            key=f"{target.name}.load.allowed",
            accepted="load: {allowed: true}",
        )


def probe(target: Target, keys: Mapping[str, Secret]) -> None:
    """One request for the models, before anything else is sent: TargetUnreachable when nobody could answer a load."""
    tenant = target.main_tenant
    headers = {**resolve_headers(target, tenant), **target.auth_headers(keys.get(tenant))}
    reply = ask(target, "GET", target.path("models"), headers)
    if reply.status in DOWN:
        raise TargetUnreachable(f"{target.name}: {target.base_url} is down: it answers {reply.status}")
    if reply.status in REFUSED:
        raise TargetUnreachable(f"{target.name}: the key of tenant `{tenant}` is refused: {reply.status}")
