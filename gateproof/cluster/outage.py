"""Backends that are gone for a while, and always come back: after a failure, a Ctrl-C, or the death of this process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

import httpx

from gateproof.cluster.access import CONNECT, READ, package, told

ANSWER_WITHIN = 5.0  # s; a control port on the loopback interface, or on the way to a cluster


class OutageFailed(Exception):
    """What was to be taken away is still there, or did not come back."""


class Outage(Protocol):
    """Takes backends away, by the names that the target's routes give them."""

    def names(self) -> list[str]:
        """All that can be taken away."""

    def of(self, names: Sequence[str], *, most: float) -> contextlib.AbstractContextManager[None]:
        """Inside, these are gone, for ``most`` seconds at most."""


class Doors:
    """Our own engines: each shuts its port when told, cuts what is open, and opens again by itself in time."""

    def __init__(self, controls: Sequence[str]) -> None:
        self._controls = {str(self._ask(url)["engine"]): url for url in controls}

    def names(self) -> list[str]:
        return sorted(self._controls)

    @contextlib.contextmanager
    def of(self, names: Sequence[str], *, most: float) -> Iterator[None]:
        urls = [self._controls[name] for name in names]
        try:
            for url in urls:
                if self._ask(url, shut=most)["open"]:
                    raise OutageFailed(f"the engine at {url} did not shut its door")
            yield
        finally:
            for url in urls:
                self._ask(url, shut=0)

    def _ask(self, url: str, **order: float) -> dict[str, Any]:
        """Tell it, or only ask."""
        place = f"{url.rstrip('/')}/door"
        try:
            with httpx.Client(trust_env=False, timeout=ANSWER_WITHIN) as client:
                answer = client.put(place, json=order) if order else client.get(place)
            state: dict[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise OutageFailed(f"the engine at {url} cannot be told: {error}") from None
        return state


# What a Deployment is to have again is written on it, so that a later run can mend what a killed one left.
REPLICAS = "gateproof/replicas"
GONE_WITHIN = 120.0  # s; twice the usual grace period of a pod, and its image is there when it comes back
POLL = 0.5  # s between two looks at a Deployment


def apps(client: Any) -> Any:
    """The API of Deployments of a ``kubernetes.client.ApiClient``."""
    return package().client.AppsV1Api(client)


class Deployments:
    """Kubernetes: the Deployments of one selector, each called by its name, scaled to 0 and back."""

    def __init__(self, apps: Any, namespace: str, selector: str) -> None:
        """``apps`` is a ``kubernetes.client.AppsV1Api``."""
        self._apps, self._namespace, self._selector = apps, namespace, selector
        self._mend()

    def names(self) -> list[str]:
        return sorted(each.metadata.name for each in self._listed())

    @contextlib.contextmanager
    def of(self, names: Sequence[str], *, most: float) -> Iterator[None]:  # noqa: ARG002 - the next run mends it
        had = {each.metadata.name: each.spec.replicas for each in self._listed() if each.metadata.name in names}
        try:
            for name, replicas in had.items():
                self._scale(name, 0, annotation=str(replicas))
            self._wait(had, ready=lambda _: 0)
            yield
        finally:
            for name, replicas in had.items():
                self._scale(name, replicas, annotation=None)
            self._wait(had, ready=had.__getitem__)

    def _listed(self) -> list[Any]:
        with told(f"listing the Deployments {self._selector}"):
            found: list[Any] = self._apps.list_namespaced_deployment(
                self._namespace, label_selector=self._selector, _request_timeout=(CONNECT, READ)
            ).items
        return found

    def _scale(self, name: str, replicas: int, annotation: str | None) -> None:
        body = {"metadata": {"annotations": {REPLICAS: annotation}}, "spec": {"replicas": replicas}}
        with told(f"scaling {name} to {replicas}"):
            self._apps.patch_namespaced_deployment(name, self._namespace, body, _request_timeout=(CONNECT, READ))

    def _mend(self) -> None:
        for each in self._listed():
            if had := (each.metadata.annotations or {}).get(REPLICAS):
                self._scale(each.metadata.name, int(had), annotation=None)

    def _wait(self, names: Collection[str], ready: Callable[[str], int]) -> None:
        deadline = time.monotonic() + GONE_WITHIN
        while wrong := [
            each.metadata.name
            for each in self._listed()
            if each.metadata.name in names and (each.status.ready_replicas or 0) != ready(each.metadata.name)
        ]:
            if time.monotonic() > deadline:
                raise OutageFailed(f"after {GONE_WITHIN:g} s not as told: {', '.join(wrong)}")
            time.sleep(POLL)
