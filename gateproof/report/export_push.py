"""Sending an export: OTLP over HTTP, or a Prometheus Pushgateway. Once, without a retry; what went wrong is told.

https://opentelemetry.io/docs/specs/otlp/#otlphttp, https://github.com/prometheus/pushgateway#api.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from gateproof.errors import ConfigError, TargetUnreachable
from gateproof.report import export_otlp, export_prometheus
from gateproof.report.export_metrics import Exported
from gateproof.report.text import clean

Format = Literal["prometheus", "otlp-json"]
FORMATS: tuple[Format, ...] = ("prometheus", "otlp-json")
TIMEOUT = 10.0  # s: a monitoring system that takes longer is not going to answer
SHOWN_CHARACTERS = 300
"""Of an answer that refuses: enough for its reason."""
OTLP_PATH = "/v1/metrics"
PUSH_PATH = "/metrics/job/"
JOB = "gateproof"

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110, section 5.6.2


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request to be made."""

    method: Literal["POST", "PUT"]
    url: str
    content_type: str
    body: bytes


def delivery(told: Exported, wanted: Format, endpoint: str) -> Delivery:
    """``endpoint`` is the base URL of the system, or the full URL with the path that its API has."""
    base = _checked(endpoint)
    if wanted == "otlp-json":
        url = base if urlsplit(base).path.endswith(OTLP_PATH) else _below(base, OTLP_PATH)
        return Delivery("POST", url, export_otlp.CONTENT_TYPE, export_otlp.text(told).encode())
    url = base if PUSH_PATH in urlsplit(base).path else _below(base, PUSH_PATH + _group(told.common))
    # PUT replaces the whole group, so that nothing of an earlier run is left beside this one
    return Delivery("PUT", url, export_prometheus.CONTENT_TYPE, export_prometheus.text(told).encode())


def push(sent: Delivery, headers: Mapping[str, str]) -> None:
    """TargetUnreachable when nobody answers or the answer is a refusal. No redirect is followed: headers are secret."""
    where = shown(sent.url)
    try:
        answer = httpx.request(
            sent.method,
            sent.url,
            content=sent.body,
            headers={**headers, "content-type": sent.content_type},
            timeout=TIMEOUT,
            follow_redirects=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TargetUnreachable(f"{where}: {str(error) or type(error).__name__}") from None
    if not answer.is_success:
        raise TargetUnreachable(f"{where} refused the metrics: HTTP {answer.status_code}{_reason(answer)}")
    if left_out := _left_out(answer):
        raise TargetUnreachable(f"{where} took only a part of the metrics: {left_out}")


def headers_of(given: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """``NAME=VARIABLE``: the value comes from the environment, since arguments are seen by every process."""
    found = {}
    for each in given:
        name, equals, variable = each.partition("=")
        if not equals or not variable or not _HEADER.fullmatch(name):
            # the text is not repeated: someone may have written the secret itself
            raise ConfigError("not a header", key="--header-env", accepted="NAME=VARIABLE, as Authorization=OTLP_AUTH")
        if not environment.get(variable):
            raise ConfigError(f"the environment variable `{variable}` is not set", key="--header-env")
        found[name] = environment[variable].strip()
        if not (found[name].isascii() and found[name].isprintable()):
            raise ConfigError(f"the value of `{variable}` cannot stand in a header", key="--header-env")
    return found


def shown(url: str) -> str:
    """Without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _checked(endpoint: str) -> str:
    accepted = "a URL, such as http://127.0.0.1:4318"
    try:
        parts = urlsplit(endpoint)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine:
        raise ConfigError("not an HTTP URL", key="--endpoint", accepted=accepted)
    if parts.username or parts.password:
        # every process of the machine may read arguments, so neither is repeated here
        problem = "a URL with user and password is seen by every process: use --header-env"
        raise ConfigError(problem, key="--endpoint", accepted=accepted)
    return endpoint


def _below(base: str, path: str) -> str:
    parts = urlsplit(base)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def _group(labels: Mapping[str, str]) -> str:
    """The path of a group: its labels, in base64 where a slash or nothing would be read as another path."""
    steps = [JOB]
    for label, value in labels.items():
        if not value or "/" in value:
            encoded = base64.urlsafe_b64encode(value.encode()).decode().rstrip("=") or "="
            steps += [f"{label}@base64", encoded]
        else:
            steps += [label, quote(value, safe="")]
    return "/".join(steps)


def _reason(answer: httpx.Response) -> str:
    if answer.is_redirect:
        return f", which leads to {shown(answer.headers.get('location', ''))}: name that as the endpoint"
    told = " ".join(clean(answer.text[:SHOWN_CHARACTERS]).split())
    return f": {told}" if told else ""


def _left_out(answer: httpx.Response) -> str:
    """Of OTLP: what a collector did not take although it says 200."""
    try:
        partial = json.loads(answer.content).get("partialSuccess") or {}
        rejected, message = int(partial.get("rejectedDataPoints", 0)), str(partial.get("errorMessage", ""))
    except (ValueError, AttributeError, TypeError):
        return ""
    return f"{rejected} points were rejected: {clean(message, SHOWN_CHARACTERS)}" if rejected else ""
