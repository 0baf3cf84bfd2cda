"""Envoy's question "may this request pass?" over HTTP (envoy.filters.http.ext_authz, `http_service`)."""

from __future__ import annotations

from gateproof.stack.kube.authorino import Authorino, Decision
from gateproof.stack.kube.wire import Receive, Scope, Send, answer, body_of, header

# What Envoy keeps of a 200, as metadata of the request: never a header, which a client could send, too.
USER_HEADER = "x-user"
GROUPS_HEADER = "x-groups"


class ExtAuthz:
    """An ASGI application: any path, any method; the headers of the request are what counts."""

    def __init__(self, authorino: Authorino) -> None:
        self._authorino = authorino

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        decision = self._authorino.decide(header(scope, "authorization"))
        await answer(send, decision.status, b"", told(decision))


def told(decision: Decision) -> dict[str, str]:
    found = {USER_HEADER: decision.user, GROUPS_HEADER: ",".join(decision.groups)}
    return {**decision.headers, **{name: value for name, value in found.items() if value}}
