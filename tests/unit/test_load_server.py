"""What servers say: kept with its gaps, reckoned over counted phases, told as bounds, set beside what clients saw."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateproof.load.metrics.compare import LEAST, Pair, pairs
from gateproof.load.metrics.exposition import Buckets, parse
from gateproof.load.metrics.samples import FOLDER, Gap, Sample, Samples, SampleWriter, added, read_samples, samples_of
from gateproof.load.metrics.sources import TARGET, UPSTREAM, sources_of, words_of
from gateproof.load.metrics.summary import (
    Growth,
    Level,
    Seen,
    Spread,
    in_short,
    quantile_bounds,
    seen,
    summary,
)
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret

SECOND = 1_000_000_000  # ns
EDGES = (0.01, 0.1, 1.0, math.inf)
SPANS = [(10.0, 20.0)]

VLLM_PAGE = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m",pod="a"} 3.0
vllm:num_requests_running{engine="0",model_name="m",pod="b"} 4.0
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_sum{engine="0",model_name="m"} 2.5
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1",model_name="m"} 3.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 4.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="m"} 4.0
# TYPE python_gc_objects_collected_total counter
python_gc_objects_collected_total{generation="0"} 1.0
"""
WORDS = {"vllm:num_requests_running": "running", "vllm:time_to_first_token_seconds": "ttft"}


def of_page(at: int = 0) -> list[Sample]:
    return samples_of("upstream", at, parse(VLLM_PAGE, WORDS).values(), WORDS)


def sample(at: float, value: float, kind: str = "gauge", **more: Any) -> Sample:
    """At so many seconds."""
    whole = {"source": "s", "word": "w", "name": "n", "labels": "", **more}
    return Sample(at=int(at * SECOND), kind=kind, value=value, **whole)


def histogram(at: float, *counts: float, total: float | None = None, **more: Any) -> Sample:
    return sample(at, counts[-1], "histogram", buckets=Buckets(EDGES, counts, total), **more)


# --- kept ---


def test_labels_that_name_pods_and_users_are_added_up_and_left_out() -> None:
    running, ttft = of_page()
    assert (running.labels, running.value) == ("engine=0,model_name=m", 7.0)
    assert (ttft.word, ttft.value, ttft.buckets) == ("ttft", 4.0, Buckets((0.1, math.inf), (3.0, 4.0), 2.5))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    writer = SampleWriter(tmp_path / FOLDER)
    writer.page("upstream", 5, 1, of_page(5))
    writer.flush()
    writer.gap("target", 6, 1, "status 401")
    writer.page("target", 7, 1, [])
    writer.flush()
    found = read_samples(tmp_path)
    assert (list(found.samples), list(found.gaps)) == (of_page(5), [Gap("target", 6, "status 401")])
    assert (found.scrapes, found.unreadable) == ({"upstream": 1, "target": 1}, ())


def test_a_broken_segment_costs_only_itself(tmp_path: Path) -> None:
    writer = SampleWriter(tmp_path / FOLDER)
    for at in (1, 2):
        writer.page("upstream", at, 1, of_page(at))
        writer.flush()
    (tmp_path / FOLDER / "scrape-000000.parquet").write_bytes(b"PAR1")
    found = read_samples(tmp_path)
    assert ({each.at for each in found.samples}, len(found.unreadable)) == ({2}, 1)
    assert found.unreadable[0].startswith("scrape-000000.parquet: ")


def test_a_run_without_scrapes_has_none(tmp_path: Path) -> None:
    assert read_samples(tmp_path) == Samples([], [], {}, ())


def test_histograms_with_other_edges_are_added_over_those_they_share() -> None:
    one, two = Buckets((1.0, 2.0, math.inf), (1, 2, 3), 4.0), Buckets((1.0, math.inf), (10, 20), None)
    assert added(one, two) == Buckets((1.0, math.inf), (11, 23), None)


# --- reckoned ---


def told(*samples: Sample, spans: list[tuple[float, float]] = SPANS) -> Any:
    (found,) = seen(samples, spans)
    return found.told


def test_a_gauge_is_what_it_was_in_the_counted_phases() -> None:
    values = [sample(9, 100), sample(10, 1), sample(15, 5), sample(19, 3), sample(20, 100)]
    assert told(*values) == Level(3, 1, 3.0, 5, 3)


def test_a_counter_grows_from_the_last_look_before_the_phase() -> None:
    values = [sample(at, value, "counter") for at, value in ((8, 90), (9.5, 100), (12, 110), (19.5, 160), (25, 999))]
    assert told(*values) == Growth(60, 10.0, 0)


def test_a_counter_that_falls_was_begun_again() -> None:
    values = [sample(at, value, "counter") for at, value in ((10, 100), (12, 130), (14, 5), (16, 20))]
    assert told(*values) == Growth(30 + 5 + 15, 6.0, 1)


def test_counters_do_not_grow_between_phases() -> None:
    values = [sample(at, at * 10, "counter") for at in range(41)]
    assert told(*values, spans=[(10, 20), (30, 40)]) == Growth(200, 20.0, 0)


def test_one_look_says_nothing_of_growth() -> None:
    assert told(sample(15, 5, "counter")) is None


def test_a_histogram_tells_what_was_added_and_between_which_edges_it_lies() -> None:
    found = told(histogram(10, 5, 5, 5, 5, total=1.0), histogram(19, 5, 15, 24, 25, total=11.0))
    assert found == Spread(Buckets(EDGES, (0, 10, 19, 20), 10.0), 9.0, 0)
    assert (found.mean, found.quantile(0.5), found.quantile(0.95)) == (0.5, (0.01, 0.1), (0.1, 1.0))
    assert found.quantile(0.99) == (1.0, math.inf)


def test_a_histogram_begun_again_counts_from_nothing() -> None:
    found = told(histogram(10, 5, 5, 5, 9), histogram(12, 0, 1, 2, 2), histogram(14, 0, 1, 2, 3))
    assert (found.buckets.counts, found.resets) == ((0, 1, 2, 3), 1)


@settings(deadline=None)
@given(values=st.lists(st.floats(0, 5), min_size=1, max_size=50), share=st.floats(0.01, 0.99))
def test_the_true_quantile_lies_between_the_edges_that_are_told(values: list[float], share: float) -> None:
    buckets = Buckets(EDGES, tuple(float(sum(value <= edge for value in values)) for edge in EDGES))
    bounds = quantile_bounds(buckets, share)
    true = sorted(values)[math.ceil(share * len(values)) - 1]
    assert bounds is not None
    assert bounds[0] < true <= bounds[1] or (true == bounds[0] == 0.0)


def test_a_histogram_to_which_nothing_was_added_has_no_quantile() -> None:
    assert told(histogram(10, 1, 1, 1, 1), histogram(12, 1, 1, 1, 1)).quantile(0.5) is None


def test_the_summary_has_gaps_with_their_reasons_and_no_infinity() -> None:
    samples = Samples(
        [histogram(10, 0, 0, 0, 0), histogram(19, 0, 0, 0, 9), sample(15, 2, word="running")],
        [Gap("s", 0, "status 401"), Gap("s", 1, "status 401"), Gap("dead", 1, "Connection refused")],
        {"s": 2},
    )
    found = summary(samples, SPANS)
    assert found["sources"]["s"]["gaps"] == {"status 401": 2}
    assert found["sources"]["dead"] == {
        "scrapes": 0,
        "gaps": {"Connection refused": 1},
        "series": [],
        "series_left_out": 0,
    }
    assert found["sources"]["s"]["series"][1]["quantile_bounds"]["p50"] == [1.0, None]
    assert in_short(found) == [
        "dead: 0 scrapes, 1 gaps (Connection refused).",
        "s: 2 scrapes, 2 gaps (status 401), running 2 (at most 2).",
    ]


def test_prefix_hits_are_a_share_of_what_was_looked_up() -> None:
    counts = {"prefix_hits": 30, "prefix_queries": 40, "preemptions": 2}
    samples = [
        sample(at, at and value, "counter", word=word, name=word) for word, value in counts.items() for at in (0, 19)
    ]
    found = summary(Samples(samples, [], {"s": 2}), SPANS)
    assert in_short(found) == ["s: 2 scrapes, prefix hits 75%, 2 preemptions."]


# --- compared ---


def server(word: str, *counts: float, source: str = "upstream", name: str = "n_seconds", labels: str = "") -> Seen:
    return Seen(source, word, name, labels, "histogram", Spread(Buckets(EDGES, counts), 10.0, 0))


def compared(milliseconds: float, *servers: Seen) -> list[Pair]:
    values = np.full(100, milliseconds / 1e3)
    return [each for each in pairs({"ttft": values}, servers) if each.quantile == "p50"]


def test_intervals_that_meet_are_no_disagreement() -> None:
    (pair,) = compared(50, server("ttft", 0, 100, 100, 100))
    assert (pair.apart, pair.said) == (0.0, "ttft p50: 50 to 50 ms for clients, 10 to 100 ms for upstream")


def test_clients_that_see_more_than_the_server_says_are_told_by_how_much_at_least() -> None:
    (pair,) = compared(150, server("ttft", 0, 100, 100, 100))
    assert pair.apart == pytest.approx(0.05)
    assert pair.said.endswith("10 to 100 ms for upstream: at least 50 ms more than it says")


def test_clients_that_see_less_than_the_server_says_cannot_be_right() -> None:
    (pair,) = compared(40, server("ttft", 0, 0, 0, 100))
    assert pair.apart == pytest.approx(-0.96)
    assert pair.said.endswith(
        "over 1000 ms for upstream: at least 960 ms less than it says, so the two measure different things"
    )
    assert pair.to_plain()["server_s"] == [1.0, None]


def test_engines_of_one_server_are_compared_as_one() -> None:
    (pair,) = compared(50, *(server("ttft", 0, 10, 40, 40, labels=f"engine={engine}") for engine in (0, 1)))
    assert (pair.server, pair.counts) == ((0.1, 1.0), (100, 80))


def test_milliseconds_are_brought_to_seconds() -> None:
    edges = Buckets((10.0, 100.0, math.inf), (0, 100, 100))
    seen_there = Seen("gateway", "ttft", "ttft_milliseconds", "", "histogram", Spread(edges, 1.0, 0))
    assert [each.server for each in compared(50, seen_there)] == [(0.01, 0.1)]


def test_a_few_requests_are_not_compared() -> None:
    assert compared(50, server("ttft", 0, LEAST - 1, LEAST - 1, LEAST - 1)) == []


def test_clients_that_are_too_few_for_a_quantile_agree_with_any_server_above() -> None:
    values = np.linspace(0.05, 0.09, LEAST)
    (pair,) = (each for each in pairs({"ttft": values}, [server("ttft", 0, 0, 0, 100)]) if each.quantile == "p95")
    assert (pair.client[1], pair.apart) == (math.inf, 0.0)
    assert pair.to_plain()["client_s"][1] is None


# --- from a target ---


def a_target(**more: Any) -> Target:
    plain = {"name": "t", "stack": "litellm", "base_url": "https://gate.example/v1", "models": {"chat": "m"}}
    return Target.model_validate({**plain, **more})


def test_the_key_goes_to_the_targets_own_origin_only() -> None:
    target = a_target(metrics=["/metrics/", "https://gate.example/more", "http://gpu.example:9400/metrics"])
    found = sources_of(target, {"main": Secret("sk-1")})
    assert [(each.name, each.url, "authorization" in each.headers) for each in found] == [
        (TARGET, "https://gate.example/metrics/", True),
        (f"{TARGET} 2", "https://gate.example/more", True),
        ("gpu.example:9400", "http://gpu.example:9400/metrics", False),
    ]
    assert "sk-1" not in repr(found)


def test_the_upstream_is_read_past_the_gateway() -> None:
    target = a_target(upstream={"direct": "http://127.0.0.1:8000/v1"})
    found = sources_of(target, {})
    assert [(each.name, each.url) for each in found][1:] == [(UPSTREAM, "http://127.0.0.1:8000/metrics")]
    assert found[1].words["vllm:num_preemptions_total"] == "preemptions"


def test_a_dialect_may_name_the_sum_of_a_histogram() -> None:
    assert words_of({"tokens": "usage_sum"}, {"other": "usage"}) == {"usage_sum": "tokens", "usage": "tokens"}
