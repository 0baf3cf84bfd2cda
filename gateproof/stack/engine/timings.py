"""What vLLM tells of its own latencies, as this engine has them: histograms by the names and edges of vLLM 0.2x.

https://docs.vllm.ai/en/latest/usage/metrics.html; instants are taken before an event is written, as a model server
takes them when a token is made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

# s; vLLM's own, v1/metrics/loggers.py
_FIRST = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
_EACH = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
_WHOLE = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0),
    *(30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)


@dataclass(slots=True)
class Histogram:
    """Of seconds; an edge belongs to the bucket below it, as Prometheus has it."""

    name: str
    edges: tuple[float, ...]
    total: float = 0.0
    counts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.edges) + 1)

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.edges, seconds)] += 1
        self.total += seconds

    def lines(self, labels: str) -> Iterator[str]:
        """Prometheus' text, without a line's end; ``labels`` as ``name="value",...``."""
        yield f"# TYPE {self.name} histogram"
        below = 0
        for edge, count in zip((*self.edges, float("inf")), self.counts, strict=True):
            below += count
            le = f"{edge:.1f}" if edge == round(edge, 1) and edge != float("inf") else f"{edge:g}"
            yield f'{self.name}_bucket{{{labels},le="{"+Inf" if edge == float("inf") else le}"}} {below}'
        yield f"{self.name}_sum{{{labels}}} {self.total!r}"
        yield f"{self.name}_count{{{labels}}} {below}"


@dataclass(slots=True)
class Timed:
    """One request that generates: seconds of a monotonic clock. Without a stream all tokens are made at its end."""

    begun: float
    first: float | None = None
    last: float | None = None


class Timings:
    """Of every request that generated something and was answered in full."""

    def __init__(self) -> None:
        self.first = Histogram("vllm:time_to_first_token_seconds", _FIRST)
        self.gap = Histogram("vllm:inter_token_latency_seconds", _EACH)
        self.pace = Histogram("vllm:request_time_per_output_token_seconds", _EACH)
        self.whole = Histogram("vllm:e2e_request_latency_seconds", _WHOLE)

    def token(self, timed: Timed, now: float) -> None:
        """An event with a token is about to be written."""
        if timed.last is None:
            timed.first = now
            self.first.add(now - timed.begun)
        else:
            self.gap.add(now - timed.last)
        timed.last = now

    def ended(self, timed: Timed, tokens: int, now: float) -> None:
        """``tokens`` were generated."""
        if timed.first is None or timed.last is None:
            self.first.add(now - timed.begun)
        elif tokens > 1:
            self.pace.add((timed.last - timed.first) / (tokens - 1))
        self.whole.add(now - timed.begun)

    def lines(self, labels: str) -> Iterator[str]:
        for each in (self.first, self.gap, self.pace, self.whole):
            yield from each.lines(labels)
