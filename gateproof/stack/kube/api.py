"""core/v1 Secrets over HTTP, one namespace of them: as much of the Kubernetes API as making keys takes."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from gateproof.stack.kube.problem import Problem, bad_request
from gateproof.stack.kube.store import SecretStore
from gateproof.stack.kube.wire import Receive, Scope, Send, answer, body_of, header

PATH = re.compile(r"/api/v1/namespaces/([^/]+)/secrets(?:/([^/]+))?")
PATCHES = ("application/strategic-merge-patch+json", "application/merge-patch+json")
HEADERS = {"content-type": "application/json", "cache-control": "no-cache, private"}
Answer = tuple[int, dict[str, Any]]


class SecretsApi:
    """An ASGI application. Whoever holds the token may do everything, in this namespace only."""

    def __init__(self, store: SecretStore, *, namespace: str, token: str) -> None:
        self._store, self._namespace, self._token = store, namespace, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = self.answer(scope, await body_of(receive))
        await answer(send, status, json.dumps(body).encode(), HEADERS)

    def answer(self, scope: Scope, content: bytes) -> Answer:
        """For whoever has the body already; of the scope, method, path, query string and headers are read."""
        try:
            return self._answer(scope, content)
        except Problem as problem:
            return problem.code, problem.status()

    def _answer(self, scope: Scope, content: bytes) -> Answer:
        self._authenticate(header(scope, "authorization") or "")
        path, method = str(scope["path"]), str(scope["method"])
        found = PATH.fullmatch(path)
        if found is None:
            raise Problem(404, "NotFound", "the server could not find the requested resource")
        namespace, name = found.groups()
        self._authorize(method, namespace, name)
        match method, name:
            case "GET", None:
                return 200, self._list(namespace, scope)
            case "POST", None:
                return 201, self._store.create(namespace, parsed(content))
            case "GET", str():
                return 200, self._store.get(namespace, name)
            case "PATCH", str():
                return 200, self._store.patch(namespace, name, changes(scope, content))
            case "DELETE", str():
                return 200, deleted(self._store.delete(namespace, name))
        raise Problem(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _authenticate(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), self._token.encode()):
            raise Problem(401, "Unauthorized", "Unauthorized")

    def _authorize(self, method: str, namespace: str, name: str | None) -> None:
        if namespace != self._namespace:
            which = f'secrets "{name}"' if name else "secrets"
            why = f'cannot {method.lower()} resource "secrets" in API group "" in the namespace "{namespace}"'
            raise Problem(403, "Forbidden", f"{which} is forbidden: {why}", name=name or "")

    def _list(self, namespace: str, scope: Scope) -> dict[str, Any]:
        query = parse_qs(bytes(scope["query_string"]).decode("ascii", "replace"))
        if query.get("watch", ["false"])[0] not in ("false", "0"):
            raise bad_request("watches are not served here")
        items = self._store.listed(namespace, query.get("labelSelector", [""])[0])
        # the members of a list do not repeat what they are
        bare = [{key: value for key, value in each.items() if key not in ("kind", "apiVersion")} for each in items]
        metadata = {"resourceVersion": self._store.version}
        return {"kind": "SecretList", "apiVersion": "v1", "metadata": metadata, "items": bare}


def changes(scope: Scope, content: bytes) -> dict[str, Any]:
    given = (header(scope, "content-type") or "").partition(";")[0].strip()
    if given not in PATCHES:
        known = f"accepted media types include: {', '.join(PATCHES)}"
        raise Problem(415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {known}")
    return parsed(content)


def parsed(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise bad_request("the request body is no JSON") from None
    if not isinstance(body, dict):
        raise bad_request("the request body is no JSON object")
    return body


def deleted(gone: Mapping[str, Any]) -> dict[str, Any]:
    details = {"name": gone["metadata"]["name"], "kind": "secrets", "uid": gone["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
