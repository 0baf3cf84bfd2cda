"""A file of gates: what is accepted, and every mistake told with its line and what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateproof.errors import ConfigError
from gateproof.gate.metrics import bound_of, metric_of, names, shown
from gateproof.gate.model import ConformanceGate, Gates, MetricGate, read_gates


def read(tmp_path: Path, text: str) -> Gates:
    file = tmp_path / "gates.yaml"
    file.write_text(text, encoding="utf-8")
    return read_gates(file)


def only(tmp_path: Path, gate: str) -> MetricGate | ConformanceGate:
    (placed,) = read(tmp_path, f"gates: [{gate}]").placed
    return placed.gate


MISTAKES = {
    "{metric: ttft.p5O, max: 2s}": ["gates.0.metric: unknown metric `ttft.p5O`\n", "any other quantile", "ttft.mean"],
    "{metric: tftt.p50, max: 2s}": ["did you mean `ttft.p50`?"],
    "{metric: ttft, max: 2s}": ["unknown metric `ttft`", "any other quantile"],
    "{metric: ttft.p100, max: 2s}": ["unknown metric `ttft.p100`"],
    "{metric: outcomes.truncatd, max: 0}": ["did you mean `outcomes.truncated`?"],
    "{metric: 3, max: 2s}": ["gates.0.metric: expected text, found 3"],
    "{max: 2s}": ["gates.0.metric: missing key"],
    "{metric: ttft.p50, max: 2}": ["gates.0.max: 2 has no unit", '"500ms"'],
    "{metric: ttft.p50, max: 2 min}": ["'2 min' is no bound of `ttft.p50`"],
    "{metric: ttft.p50, max: 5%}": ["'5%' is no bound of `ttft.p50`"],
    "{metric: error_share, max: 2s}": ["'2s' is no bound of `error_share`", '"1%"'],
    "{metric: error_share, max: 5}": ["5 is no bound of `error_share`"],
    "{metric: error_share, max: 0}": ["no number of samples proves", "{metric: errors, max: 0}"],
    "{metric: rates.requests, min: 10}": ["10 has no unit", '"100/s"'],
    "{metric: errors, max: 1.5}": ["1.5 is no bound of `errors`"],
    "{metric: errors, max: true}": ["True is no bound of `errors`"],
    "{metric: ttft.p50}": ["a gate without a bound", "max, min, max_ratio, min_ratio"],
    "{metric: ttft.p50, maxx: 2s}": ["gates.0.maxx: unknown key; did you mean `max`?"],
    "{metric: ttft.p50, max: 2s, frm: 1s}": ["gates.0.frm: unknown key; did you mean `from`?"],
    "{metric: ttft.p50, max: 2s, level: hart}": ["unknown word 'hart'; did you mean `hard`?"],
    "{metric: ttft.p50, max: 2s, from: 9s, to: 3s}": ["gates.0.to: the time frame ends before it begins"],
    "{metric: ttft.p50, max: 1s, min: 2s}": ["nothing can be above `min` and below `max`"],
    "{metric: ttft.p50, max: 2s, confidence: 1}": ["gates.0.confidence", "0.9999"],
    "{metric: ttft.p50, max_ratio: 1.05, catches: 1.01}": ["must lie above the bound", "above 1.05"],
    "{metric: rates.requests, min_ratio: 0.95, catches: 0.99}": ["must lie below the bound"],
    "{metric: overhead.ttft.median, max_ratio: 1.1}": ["has no ratio to a baseline"],
    "{metric: overhead.ttft.median, max: 5ms, phase: a}": ["is of the whole run"],
    "{metric: good_share, min: 95%}": ["`within` and `good_share` belong together"],
    "{metric: good_share, min: 95%, within: {tftt: 1s}}": ["gates.0.within.tftt", "ttft_service"],
    "{metric: ttft.p50, max: 2s, within: {ttft: 1s}}": ["`within` and `good_share` belong together"],
    "{conformance: mst}": ["unknown word 'mst'; did you mean `must`?"],
    "{conformance: must, faild: 1}": ["gates.0.faild: unknown key; did you mean `failed`?"],
    "{conformance: must, failed: -1}": ["gates.0.failed", "-1"],
    "{metric: ttft.p50, max: 2s, why: a, b c}": ["gates.0: `b c` has no value", "needs quotes"],
    "3": ["gates.0: expected a gate, found 3"],
}


@pytest.mark.parametrize("gate", MISTAKES)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, gate: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"# a comment\ngates:\n  - {gate}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'gates.yaml'}:3: ")
    assert [word for word in MISTAKES[gate] if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file is empty"),
        ("gates: []", "expected a list of gates, found none"),
        ("gates: {metric: ttft.p50}", "expected a list of gates, found a mapping"),
        ("gate: []", "no `gates`, found gate"),
        ("- 1", "no `gates`, found a list"),
        ("gates: [{metric: ttft.p50, max: 2s}]\nbaseline: may be", "unknown word 'may be'"),
        ("gates: [{metric: ttft.p50, max: 2s}]\nbase: optional", "unknown key; did you mean `baseline`?"),
        ("gates: [", "not YAML"),
        ("gates: []\ngates: []", "duplicate key"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_gates(tmp_path / "nothing.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"gates: \xff")
    with pytest.raises(ConfigError, match="no UTF-8 at byte 7"):
        read_gates(tmp_path / "bytes.yaml")


def test_gates_know_their_lines(tmp_path: Path) -> None:
    gates = read(tmp_path, "gates:\n  - {metric: ttft.p50, max: 2s}\n  - metric: tpot.p95\n    max: 50ms\n")
    assert [each.line for each in gates.placed] == [2, 3]


def test_the_gate_of_the_issue_is_read(tmp_path: Path) -> None:
    gate = only(tmp_path, "{metric: ttft.p50, max: 2s, level: hard}")
    assert isinstance(gate, MetricGate)
    assert (gate.sides, gate.level, gate.confidence) == ([("max", 2.0)], "hard", 0.99)


def test_a_time_frame_may_begin_at_0(tmp_path: Path) -> None:
    gate = only(tmp_path, "{metric: ttft.p50, max: 2s, from: 0, to: 1m}")
    assert isinstance(gate, MetricGate)
    assert (gate.begin, gate.end) == (0.0, 60.0)


def test_what_must_be_caught_is_twice_as_far_off_as_the_bound(tmp_path: Path) -> None:
    slower, fewer = (
        only(tmp_path, gate)
        for gate in ("{metric: ttft.p50, max_ratio: 1.05}", "{metric: rates.requests, min_ratio: 0.95}")
    )
    assert isinstance(slower, MetricGate)
    assert isinstance(fewer, MetricGate)
    assert (slower.caught(1.05), fewer.caught(0.95)) == (pytest.approx(1.10), pytest.approx(0.90))


@pytest.mark.parametrize(
    ("metric", "text", "value"),
    [
        ("ttft.p99.9", "2s", 2.0),
        ("gap.p99", "200us", 0.0002),
        ("tpot.mean", "1.5ms", 0.0015),
        ("latency.p95", "2m", 120.0),
        ("error_share", "0.5%", 0.005),
        ("error_share", 0.005, 0.005),
        ("rates.output_tokens", "6000/min", 100.0),
        ("prompt_tokens.p50", 128, 128.0),
        ("errors", "3", 3.0),
        ("saturation.knee", "20/s", 20.0),
        ("overhead.latency.tail", "10ms", 0.01),
    ],
)
def test_bounds_are_read_with_the_unit_of_the_metric(metric: str, text: object, value: float) -> None:
    assert bound_of(metric_of(metric), text) == pytest.approx(value)


def test_every_name_is_a_metric() -> None:
    assert [name for name in names() if metric_of(name).text != name] == []


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("s", 0.412, "412 ms"),
        ("s", 2.5, "2.5 s"),
        ("s", 2e-5, "20 µs"),
        ("share", 0.0021, "0.21 %"),
        ("1/s", 38.25, "38.2/s"),
        ("tokens", 1234.0, "1,234 tokens"),
        ("count", 3.0, "3"),
        ("s", None, "–"),
    ],
)
def test_values_are_shown_as_people_read_them(unit: str, value: float | None, text: str) -> None:
    assert shown(unit, value) == text  # type: ignore[arg-type]  # every word above is one of Unit
