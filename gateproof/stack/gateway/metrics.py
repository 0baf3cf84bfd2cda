"""Counters in the Prometheus text format. No key, no prompt and no unknown model name becomes a label."""

from __future__ import annotations

from collections import Counter

from gateproof.stack.faults import worn
from gateproof.stack.gateway.usage import Ledger

METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]

_HELP = {
    "gateproof_requests_total": ("counter", "Answered requests."),
    "gateproof_tokens_total": ("counter", "Tokens charged."),
    "gen_ai_client_token_usage_sum": ("", ""),
    "gen_ai_client_token_usage_count": ("", ""),
    "gen_ai_client_token_usage_bucket": ("", ""),
}


class Metrics:
    """What this process has counted since it started."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, Labels]] = Counter()

    def request(self, tenant: str, model: str, api: str, status: int) -> None:
        labels = (("tenant", tenant), ("model", model), ("api", api), ("code", str(status)))
        self._values["gateproof_requests_total", labels] += 1

    def rows(self, name: str) -> list[tuple[dict[str, str], int]]:
        """Labels and value of each row of one counter, for manners that name them otherwise."""
        return [(dict(labels), value) for (row, labels), value in sorted(self._values.items()) if row == name]

    def tokens(self, tenant: str, model: str, api: str, ledger: Ledger) -> None:
        for kind, amount in (("input", ledger.prompt), ("output", ledger.completion)):
            if kind == "output" and amount and worn("metrics_leave_out_answers"):
                continue
            if amount:
                labels = (("tenant", tenant), ("model", model), ("type", kind))
                self._values["gateproof_tokens_total", labels] += amount
                self._observe(tenant, model, api, kind, amount)

    def _observe(self, tenant: str, model: str, api: str, kind: str, amount: int) -> None:
        """OpenTelemetry's `gen_ai.client.token.usage`, a histogram with one bucket."""
        labels = (
            ("tenant", tenant),
            ("gen_ai_operation_name", api),
            ("gen_ai_request_model", model),
            ("gen_ai_token_type", kind),
        )
        name = "gen_ai_client_token_usage"
        self._values[f"{name}_bucket", (*labels, ("le", "+Inf"))] += 1
        self._values[f"{name}_count", labels] += 1
        self._values[f"{name}_sum", labels] += amount

    def text(self, tenant: str | None = None) -> bytes:
        """All rows, or those of one tenant."""
        lines = ["# TYPE gen_ai_client_token_usage histogram"]
        described: set[str] = set()
        for (name, labels), value in sorted(self._values.items()):
            if tenant is not None and ("tenant", tenant) not in labels:
                continue
            kind, told = _HELP[name]
            if kind and name not in described:
                described.add(name)
                lines += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
            written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
            lines.append(f"{name}{{{written}}} {value}")
        return ("\n".join(lines) + "\n").encode()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
