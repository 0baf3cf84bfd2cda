"""Secrets in memory, as core/v1 keeps them: names, labels, base64, versions, and merges."""

from __future__ import annotations

import base64
import binascii
import copy
import itertools
import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from gateproof.stack.kube import selector
from gateproof.stack.kube.problem import Problem, bad_request, invalid, not_found

Manifest = dict[str, Any]

# apimachinery, `util/validation`: what names, label values and data keys may look like
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_LENGTH = 253
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LABEL_LENGTH = 63
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_SUFFIX = 5  # characters that `generateName` adds
# What the server fills in, and a client's word about it does not count.
_OWN = ("uid", "creationTimestamp", "namespace")


class SecretStore:
    """Every method gives copies, and raises `Problem` as the API server would refuse."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._versions = itertools.count(1)
        self._kept: dict[tuple[str, str], Manifest] = {}
        self.version = "0"

    def create(self, namespace: str, manifest: Mapping[str, Any]) -> Manifest:
        made = _parsed(manifest)
        name = _name_of(made)
        if (namespace, name) in self._kept:
            raise Problem(409, "AlreadyExists", f'secrets "{name}" already exists', name=name)
        own = {
            "name": name,
            "namespace": namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock())),
        }
        made["metadata"] = {**made["metadata"], **own}
        made.setdefault("type", "Opaque")
        return self._keep(namespace, name, made)

    def get(self, namespace: str, name: str) -> Manifest:
        return copy.deepcopy(self._held(namespace, name))

    def listed(self, namespace: str, label_selector: str = "") -> list[Manifest]:
        """Those of one namespace, by name."""
        wanted = selector.parse(label_selector)
        found = (each for (space, _), each in sorted(self._kept.items()) if space == namespace)
        return [copy.deepcopy(each) for each in found if wanted(labels_of(each))]

    def patch(self, namespace: str, name: str, changes: Mapping[str, Any]) -> Manifest:
        """RFC 7396. A Secret holds no lists that a strategic merge would treat in another way."""
        held = self._held(namespace, name)
        wanted = _mapping(changes, "metadata").get("resourceVersion")
        if wanted is not None and wanted != held["metadata"]["resourceVersion"]:
            problem = "the object has been modified; please apply your changes to the latest version and try again"
            message = f'Operation cannot be fulfilled on secrets "{name}": {problem}'
            raise Problem(409, "Conflict", message, name=name)
        made = _parsed(_merged(held, changes))
        if made["metadata"].get("name") != name:
            raise bad_request("the name of the object does not match the name on the URL")
        made["metadata"] |= {key: held["metadata"][key] for key in _OWN}
        return self._keep(namespace, name, made)

    def delete(self, namespace: str, name: str) -> Manifest:
        gone = self._held(namespace, name)
        del self._kept[namespace, name]
        self.version = str(next(self._versions))
        return gone

    def selected(self, label_selector: str) -> list[Manifest]:
        """Those of all namespaces, the oldest first: what a controller watches."""
        wanted = selector.parse(label_selector)
        return [copy.deepcopy(each) for each in self._kept.values() if wanted(labels_of(each))]

    def _held(self, namespace: str, name: str) -> Manifest:
        held = self._kept.get((namespace, name))
        if held is None:
            raise not_found(name)
        return held

    def _keep(self, namespace: str, name: str, made: Manifest) -> Manifest:
        self.version = str(next(self._versions))
        made["metadata"]["resourceVersion"] = self.version
        self._kept[namespace, name] = made
        return copy.deepcopy(made)


def labels_of(manifest: Manifest) -> dict[str, str]:
    return manifest["metadata"].get("labels") or {}


def annotations_of(manifest: Manifest) -> dict[str, str]:
    return manifest["metadata"].get("annotations") or {}


def value_of(manifest: Manifest, key: str) -> str | None:
    """A value in clear; None when there is none, or when it is no text."""
    held = (manifest.get("data") or {}).get(key)
    try:
        return None if held is None else base64.b64decode(held).decode()
    except UnicodeDecodeError:
        return None


def _parsed(manifest: Mapping[str, Any]) -> Manifest:
    """Checked, with `stringData` turned into `data`."""
    kind = manifest.get("kind", "Secret")
    if kind != "Secret":
        raise bad_request(f'no kind "{kind}" is served here')
    metadata = _mapping(manifest, "metadata")
    name = str(metadata.get("name") or "")
    labels = _texts(metadata, "labels")
    for value in labels.values():
        if len(value) > _LABEL_LENGTH or not _LABEL_VALUE.fullmatch(value):
            why = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'"
            raise invalid(name, "metadata.labels", value, why)
    _texts(metadata, "annotations")
    made: Manifest = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": copy.deepcopy(metadata),
        "data": {**_data(manifest, name), **_encoded(_texts(manifest, "stringData"))},
    }
    for key in made["data"]:
        if not _DATA_KEY.fullmatch(key):
            why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
            raise invalid(name, "data", key, why)
    return made | ({"type": str(manifest["type"])} if manifest.get("type") else {})


def _name_of(made: Manifest) -> str:
    metadata = made["metadata"]
    name = str(metadata.get("name") or "")
    prefix = metadata.pop("generateName", None)
    if not name and prefix:
        name = f"{prefix}{secrets.token_hex(_SUFFIX)[:_SUFFIX]}"
    if not name:
        why = "metadata.name: Required value: name or generateName is required"
        raise Problem(422, "Invalid", f'Secret "" is invalid: {why}')
    if len(name) > _NAME_LENGTH or not _NAME.fullmatch(name):
        why = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
        raise invalid(name, "metadata.name", name, why)
    return name


def _data(manifest: Mapping[str, Any], name: str) -> dict[str, str]:
    data = _texts(manifest, "data")
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            # the value may be somebody's key: it is not told
            raise bad_request(f'Secret "{name}": data.{key} is no base64') from None
    return data


def _encoded(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}


def _texts(holder: Mapping[str, Any], key: str) -> dict[str, str]:
    texts = _mapping(holder, key)
    for name, value in texts.items():
        if not isinstance(value, str):
            kind = type(value).__name__
            raise bad_request(f"json: cannot unmarshal {kind} into Go struct field {key}.{name} of type string")
    return texts


def _mapping(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"json: cannot unmarshal {type(value).__name__} into Go struct field Secret.{key}")
    return value


def _merged(held: Any, changes: Any) -> Any:
    """RFC 7396 §2: null takes away, objects are merged, all else replaces."""
    if not isinstance(changes, Mapping):
        return changes
    made = dict(held) if isinstance(held, Mapping) else {}
    for key, value in changes.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made
