"""Keys: named in ``targets.yaml``, read only when used, masked wherever they could be shown."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

from gateproof.errors import ConfigError, near_miss

if TYPE_CHECKING:
    from gateproof.targets.model import Kubernetes, Target
    from gateproof.targets.values import KeyRef, SecretKeyRef, Value

MASK = "***"
MINT = "mint"
"""In the place of a tenant: the key that makes others."""
CLUSTER = "kubernetes"
"""Likewise: the token for the API server."""


class Secret:
    """A text that neither ``str``, ``repr`` nor a format shows; only ``reveal`` does."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        wrapped = core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True, min_length=1))
        return core_schema.json_or_python_schema(
            json_schema=wrapped,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), wrapped]),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )


def resolve_key(
    ref: KeyRef,
    tenant: str,
    target_name: str,
    *,
    environ: Mapping[str, str] | None = None,
    cluster: Kubernetes | None = None,
) -> Secret:
    """The key behind a reference; a missing one is a ConfigError that names variable, file or secret, and tenant."""
    place = {MINT: "mint.key", CLUSTER: "kubernetes.token"}.get(tenant, f"tenants.{tenant}.key")
    whose = f"{target_name}.{place}"
    if ref.literal is not None:
        return ref.literal
    if ref.env is not None:
        return Secret(_from_environment(ref.env, whose, os.environ if environ is None else environ))
    if ref.file is not None:
        return Secret(_from_file(ref.file, whose))
    assert ref.secret is not None, "KeyRef has exactly one kind"
    token = cluster.token if cluster else None
    opened_by = resolve_key(token, CLUSTER, target_name, environ=environ) if token is not None else None
    return Secret(_from_cluster(ref.secret, whose, cluster, opened_by))


def resolve_value(value: Value, whose: str, *, environ: Mapping[str, str] | None = None) -> str:
    """The text of a header or an option; ``whose`` is the key path that an error names."""
    if value.literal is not None:
        return value.literal
    environ = os.environ if environ is None else environ
    assert value.env is not None, "Value has exactly one kind"
    if value.default is not None and not environ.get(value.env):
        return value.default
    return _from_environment(value.env, whose, environ)


def resolve_headers(
    target: Target, tenant: str | None = None, *, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The headers that every request of a tenant carries, without its key: the target's, then the tenant's."""
    headers = {
        name: resolve_value(value, f"{target.name}.headers.{name}", environ=environ)
        for name, value in target.headers.items()
    }
    return headers | (target.tenant_headers(tenant, environ=environ) if tenant is not None else {})


def _from_environment(name: str, whose: str, environ: Mapping[str, str]) -> str:
    text = environ.get(name, "").strip()
    if text:
        return text
    problem = "is set but empty" if name in environ else "is not set" + near_miss(name, environ)
    raise ConfigError(f"environment variable {name} {problem}", key=whose)


def _from_file(path: str, whose: str) -> str:
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot read the key file {path}: {reason}", key=whose) from None
    if not text:
        raise ConfigError(f"the key file {path} is empty", key=whose)
    return text


def _from_cluster(ref: SecretKeyRef, whose: str, cluster: Kubernetes | None, token: Secret | None) -> str:
    from gateproof.cluster.access import ClusterError, package, told  # noqa: PLC0415 - an optional extra, slow to import

    name = f"Secret {ref.namespace}/{ref.name}"
    try:
        core = package().client.CoreV1Api(api_of(cluster, token))
        with told("read"):
            data = core.read_namespaced_secret(ref.name, ref.namespace).data or {}
    except ClusterError as error:
        raise ConfigError(f"{name} cannot be read: {str(error).removeprefix('read: ')}", key=whose) from None
    except ConfigError as error:
        raise ConfigError(error.problem, key=whose) from None
    if ref.key not in data:
        raise ConfigError(f"{name} has no key {ref.key}{near_miss(ref.key, data)}", key=whose, accepted=sorted(data))
    return base64.b64decode(data[ref.key]).decode().strip()


def api_of(cluster: Kubernetes | None, token: Secret | None = None) -> Any:
    """The client of the cluster that a target names; ``token`` is the one that it resolved before."""
    from gateproof.cluster.access import api_client  # noqa: PLC0415 - as above

    if cluster is None:
        return api_client()
    return api_client(
        context=cluster.context,
        kubeconfig=cluster.kubeconfig,
        server=cluster.server,
        token=token.reveal() if token else None,
    )
