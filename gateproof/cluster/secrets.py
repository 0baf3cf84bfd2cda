"""The Secrets of one namespace, as plain mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateproof.cluster.access import CONNECT, READ, ClusterError, package, told

PAGE = 500  # Secrets that a list brings at once: etcd's answers stay small
NOT_FOUND = 404

Manifest = dict[str, Any]


class Secrets:
    """core/v1; every call raises ``ClusterError`` when the cluster does not comply."""

    def __init__(self, api: Any, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._core = package().client.CoreV1Api(api)

    def create(self, manifest: Mapping[str, Any]) -> Manifest:
        return self._call("create", self._core.create_namespaced_secret, body=dict(manifest))

    def patch(self, name: str, changes: Mapping[str, Any]) -> Manifest:
        """A strategic merge, which for Secrets is a merge: null takes away."""
        return self._call("patch", self._core.patch_namespaced_secret, name, body=dict(changes))

    def delete(self, name: str) -> None:
        """Gone already is fine."""
        try:
            self._call("delete", self._core.delete_namespaced_secret, name)
        except ClusterError as error:
            if error.status != NOT_FOUND:
                raise

    def listed(self, selector: str) -> list[Manifest]:
        found, further = list[Manifest](), ""
        while True:
            page = self._call(
                "list", self._core.list_namespaced_secret, label_selector=selector, limit=PAGE, _continue=further
            )
            found += page.get("items") or []
            further = (page.get("metadata") or {}).get("continue") or ""
            if not further:
                return found

    def _call(self, verb: str, method: Any, *positional: str, **arguments: Any) -> Manifest:
        given = {name: value for name, value in arguments.items() if value != ""}
        what = "/".join(["Secret", self._namespace, *positional])
        with told(f"{verb} {what}"):
            answer = method(*positional, namespace=self._namespace, _request_timeout=(CONNECT, READ), **given)
            made: Manifest = self._api.sanitize_for_serialization(answer)
            return made
