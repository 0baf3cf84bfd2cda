"""LiteLLM's Prometheus counters, by key and model; whoever has a key reads everybody's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gateproof.stack.gateway.manner import Reply
from gateproof.stack.gateway.metrics import Metrics

KIND = b"text/plain; version=1.0.0; charset=utf-8"
_TOKENS = {"input": "litellm_input_tokens_metric_total", "output": "litellm_output_tokens_metric_total"}
_TOTAL = "litellm_total_tokens_metric_total"
_REQUESTS = "litellm_proxy_total_requests_metric_total"
_FAILED = "litellm_proxy_failed_requests_metric_total"


def metrics(counters: Metrics, _tenant: str | None) -> Reply:
    values: Counter[tuple[str, str, str]] = Counter()
    for labels, amount in counters.rows("gateproof_tokens_total"):
        for name in (_TOKENS[labels["type"]], _TOTAL):
            values[name, labels["tenant"], labels["model"]] += amount
    for labels, amount in counters.rows("gateproof_requests_total"):
        failed = int(labels["code"]) >= 400
        for name in (_REQUESTS, *([_FAILED] if failed else [])):
            values[name, labels["tenant"], labels["model"]] += amount
    return Reply(200, [(b"content-type", KIND)], "\n".join([*written(sorted(values.items())), ""]).encode())


def written(values: Iterable[tuple[tuple[str, str, str], int]]) -> Iterable[str]:
    before = ""
    for (name, tenant, model), value in values:
        if name != before:
            yield f"# TYPE {name} counter"
        before = name
        yield f'{name}{{api_key_alias="{escaped(tenant)}",requested_model="{escaped(model)}"}} {float(value)}'


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
