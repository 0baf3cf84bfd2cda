"""Server metrics in the bins of a page, and how it says numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gateproof.load.metrics.exposition import Buckets
from gateproof.load.metrics.samples import Sample
from gateproof.load.page import charts, distributions, servers, words
from gateproof.load.page.charts import Band, Line
from gateproof.load.page.series import Bins, curve

BINS = Bins(10.0, 3, 30.0)
SECOND = 1_000_000_000  # ns
NONE = pytest.approx(math.nan, nan_ok=True)


def sample(
    at: float, value: float, *, kind: str = "gauge", word: str = "w", labels: str = "", **more: object
) -> Sample:
    found = {"source": "s", "name": "n", **more}
    return Sample(at=int(at * SECOND), word=word, labels=labels, kind=kind, value=value, **found)  # type: ignore[arg-type]


def summed(at: float, count: float, total: float, name: str = "n") -> Sample:
    return sample(at, count, kind="histogram", name=name, buckets=Buckets((1.0, math.inf), (count, count), total))


def test_gauges_of_one_scrape_are_added_up_and_scrapes_of_one_bin_averaged() -> None:
    found = servers.gauges(
        [sample(1, 2, labels="a"), sample(1, 3, labels="b"), sample(2, 7, labels="a"), sample(25, 1)], BINS, ["w"]
    )

    assert [each.values.tolist() for each in found] == [[6.0, NONE, 1.0]]


def test_shares_of_one_scrape_are_averaged() -> None:
    found = servers.gauges([sample(1, 0.2, labels="a"), sample(1, 0.4, labels="b")], BINS, ["w"], mean=True)

    assert found[0].values[0] == pytest.approx(0.3)


def test_what_came_before_the_run_is_not_in_its_first_bin() -> None:
    found = servers.gauges([sample(-1, 99), sample(1, 2)], BINS, ["w"])

    assert found[0].values[0] == 2


def test_a_counter_grows_per_second_and_starts_anew_when_it_falls() -> None:
    counts = [sample(at, value, kind="counter") for at, value in ((0, 100), (5, 110), (10, 130), (15, 10))]

    found = servers.rates(counts, BINS, ["w"])

    assert found[0].values.tolist() == [3.0, 2.0, NONE]


def test_counters_of_two_labels_grow_together() -> None:
    counts = [sample(at, at * 2, kind="counter", labels=label) for at in (0, 10) for label in "ab"]

    assert servers.rates(counts, BINS, ["w"])[0].values[0] == pytest.approx(4.0)


def test_a_mean_is_the_sum_over_the_count_of_what_was_added() -> None:
    told = [summed(0, 10, 100.0), summed(5, 20, 101.0), summed(9, 30, 104.0)]

    assert servers.means(told, BINS, "w")[0].values.tolist() == [pytest.approx(0.2), NONE, NONE]


def test_a_histogram_in_milliseconds_is_told_in_seconds() -> None:
    told = [summed(0, 0, 0.0, "ttft_ms"), summed(5, 10, 500.0, "ttft_ms")]

    assert servers.means(told, BINS, "w")[0].values[0] == pytest.approx(0.05)


def test_a_share_of_hits_needs_queries() -> None:
    told = [sample(at, value, kind="counter", word=word) for at, word, value in
            ((0, "hits", 0), (5, "hits", 3), (0, "queries", 0), (5, "queries", 4), (15, "queries", 4))]  # fmt: skip

    assert servers.ratio(told, BINS, "hits", "queries")[0].values.tolist() == [0.75, NONE, NONE]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (12.0, "12"), (0.01234, "0.0123"), (1.239, "1.24"), (123.4, "123"), (12345.6, "12,346"),
     (1.5e-7, "1.50e-07"), (None, "–"), (math.nan, "–"), (-2.5, "-2.50"), (0.9999, "1.00")],
)  # fmt: skip
def test_a_number_has_three_figures(value: float | None, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 ms"), (2.5e-6, "2.50 µs"), (0.0123, "12.3 ms"), (9.5, "9,500 ms"), (12.34, "12.3 s")]
)
def test_a_time_has_the_unit_that_it_is_read_in(value: float, text: str) -> None:
    assert words.seconds(value) == text


@pytest.mark.parametrize(("at", "text"), [(0, "0:00"), (5.5, "0:05.5"), (61, "1:01"), (3661, "1:01:01")])
def test_a_moment_of_a_run_reads_as_a_clock(at: float, text: str) -> None:
    assert words.clock(at) == text


@pytest.mark.parametrize(
    ("values", "marked"),
    [([1.0, 2.0, 3.0] * 30, False), ([1.0, math.nan, 3.0, 4.0] * 30, True)],
    ids=["whole", "alone"],
)
def test_a_value_without_neighbours_is_marked_or_nobody_would_see_it(values: list[float], marked: bool) -> None:
    option = charts.over_time(np.arange(len(values), dtype=float), [Line("l", np.array(values))], "ms", end=120.0)

    assert option["series"][0]["showSymbol"] is marked


def test_an_axis_is_logarithmic_where_that_shows_more() -> None:
    def kind(*values: float) -> str:
        made = charts.over_time(np.arange(2.0), [Line("l", np.array(values))], "ms", end=2.0, wide=True)
        return str(made["yAxis"]["type"])

    assert (kind(10.0, 50.0), kind(10.0, 5000.0)) == ("value", "log")


def test_phases_and_interruptions_stand_behind_a_plot() -> None:
    bands = [Band("warm-up", 0, 5, counted=False), Band("steady", 5, 30)]
    option = charts.over_time(np.arange(2.0), [Line("l", np.ones(2))], "ms", end=30.0, bands=bands, stops=[12.5])

    series = option["series"][0]
    assert [(band[0]["name"], band[0]["aside"], band[1]["xAxis"]) for band in series["markArea"]["data"]] == [
        ("warm-up", " (not counted)", 5),
        ("steady", "", 30),
    ]
    assert series["markLine"]["data"] == [{"xAxis": 12.5}]


def test_each_nine_of_a_percentile_axis_is_as_wide_as_the_one_before() -> None:
    found = {"m": curve(np.arange(1.0, 100_001.0))}

    axis = distributions.quantile_curves(found, charts.MILLISECONDS, ["--series-1"])["xAxis"]

    assert axis["axisTick"]["customValues"] == pytest.approx([0, math.log10(2), 1, 2, 3, 4])
