"""The engine's own latencies on its /metrics: by vLLM's names, and as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateproof.load.metrics.exposition import Buckets, parse
from gateproof.stack.engine.timings import Histogram, Timed, Timings
from tests.unit.engine_rig import Engine, ordered, running_engine

GAP = 0.03  # s; between two edges of vLLM's
FIRST, BETWEEN, PACE, WHOLE = (
    "vllm:time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:request_time_per_output_token_seconds",
    "vllm:e2e_request_latency_seconds",
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with running_engine() as engine:
        yield engine


def told(engine: Engine) -> dict[str, Buckets]:
    """By name, the engine's histograms."""
    families = parse(engine.http.get("/metrics").text)
    return {name: only for name, family in families.items() for only in family.histograms.values()}


def test_a_stream_is_timed_by_its_tokens(engine: Engine) -> None:
    assert engine.chat(ordered(tokens=4, gap=GAP, ttft=GAP), stream=True).status_code == 200
    seen = told(engine)
    assert {name: seen[name].count for name in (FIRST, BETWEEN, PACE, WHOLE)} == {
        FIRST: 1,
        BETWEEN: 3,
        PACE: 1,
        WHOLE: 1,
    }
    assert seen[FIRST].sum is not None
    assert seen[FIRST].sum >= GAP
    assert seen[BETWEEN].sum == pytest.approx(3 * (seen[PACE].sum or 0), rel=1e-6)
    assert seen[WHOLE].sum is not None
    assert seen[WHOLE].sum >= 4 * GAP


def test_an_answer_without_a_stream_has_its_first_token_at_its_end(engine: Engine) -> None:
    engine.chat(ordered(tokens=4, delay=GAP))
    seen = told(engine)
    assert (seen[FIRST].count, seen[BETWEEN].count, seen[PACE].count) == (1, 0, 0)
    assert seen[FIRST].sum == seen[WHOLE].sum


def test_what_generates_nothing_is_not_timed(engine: Engine) -> None:
    engine.post("/v1/embeddings", model="embed-a", input="ping")
    engine.chat(ordered(status=503))
    assert all(each.count == 0 for each in told(engine).values())


def test_an_edge_belongs_to_the_bucket_below_it() -> None:
    histogram = Histogram("h", (0.5, 1.0))
    for value in (0.5, 0.6, 2.0):
        histogram.add(value)
    assert list(histogram.lines('a="b"')) == [
        "# TYPE h histogram",
        'h_bucket{a="b",le="0.5"} 1',
        'h_bucket{a="b",le="1.0"} 2',
        'h_bucket{a="b",le="+Inf"} 3',
        'h_sum{a="b"} 3.1',
        'h_count{a="b"} 3',
    ]


def test_a_single_token_has_no_pace() -> None:
    timings, timed = Timings(), Timed(10.0)
    timings.token(timed, 10.5)
    timings.ended(timed, 1, 11.0)
    assert (timings.first.total, timings.whole.total, sum(timings.pace.counts)) == (0.5, 1.0, 0)
