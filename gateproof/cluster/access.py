"""The way into a cluster, and one kind of error for whatever goes wrong there. Imports nothing else of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateproof.errors import ConfigError

CONNECT, READ = 5.0, 20.0
"""s; for one call. The API server of a healthy cluster answers such small calls in well under a second."""

EXTRA = "pip install 'gateproof[cluster]'"


class ClusterError(Exception):
    """The cluster refused, or did not answer."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """Of the refusal; None when there was no answer."""


def api_client(
    *, context: str | None = None, kubeconfig: str | None = None, server: str | None = None, token: str | None = None
) -> Any:
    """A ``kubernetes.client.ApiClient``: for ``server`` with a bearer token, else as the kubeconfig says."""
    kubernetes = package()
    if server is None:
        try:
            api = kubernetes.config.new_client_from_config(config_file=kubeconfig, context=context)
        except kubernetes.config.ConfigException as error:
            raise ClusterError(str(error)) from None
        if token is not None:
            api.configuration.api_key, api.configuration.api_key_prefix = _bearer(token)
    else:
        settings = kubernetes.client.Configuration()
        settings.host = server
        if token is not None:
            settings.api_key, settings.api_key_prefix = _bearer(token)
        settings.retries = False  # urllib3 would try again behind our back
        api = kubernetes.client.ApiClient(settings)
    return api


def _bearer(token: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"authorization": token}, {"authorization": "Bearer"}


def package() -> Any:
    """The package `kubernetes`, which is an optional extra and slow to import."""
    try:
        import kubernetes  # noqa: PLC0415 - as the docstring says
        import kubernetes.client  # noqa: PLC0415
        import kubernetes.config  # noqa: PLC0415
    except ImportError:
        raise ConfigError(f"this needs the package `kubernetes`: {EXTRA}") from None
    return kubernetes


@contextmanager
def told(what: str) -> Iterator[None]:
    """Whatever a call raises becomes a ``ClusterError`` that says what was tried."""
    kubernetes = package()
    try:
        yield
    except kubernetes.client.ApiException as error:
        raise ClusterError(f"{what}: {error.status} {_message(error)}", status=error.status) from None
    except ClusterError:
        raise
    except Exception as error:  # noqa: BLE001 - urllib3, ssl, the package's own checks: there was no answer
        raise ClusterError(f"{what}: {type(error).__name__}: {error}") from None


def _message(error: Any) -> str:
    """Of the Status object in the body (apimachinery, `meta/v1.Status`), else the reason phrase."""
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = None
    return str(message or error.reason)
