"""The page of a load run: what it says first, what it draws, and that nothing from outside acts or grows in it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateproof.load.log import FOLDER, Rows, read_log
from gateproof.load.page import columns, page, sheets, tables
from gateproof.load.page.context import bands_of, context
from gateproof.load.profile import Profile
from tests.unit.page_rig import HOSTILE, REQUESTS, run_of, search_of, spoilt, valid, with_overhead

LARGEST = 5_000_000  # bytes, issue 5
ALWAYS = {"throughput", "tokens", "ttft", "latency", "curves", "by-input", "gaps", "errors", "in-flight", "slip"}
OF_SERVERS = {"server-ttft", "server-requests", "server-kv-cache", "server-preemptions", "server-prefix", "compared"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("made-up") / "run"
    return folder, run_of(folder)


def plots(html: str) -> dict[str, Any]:
    block = re.search(r'<script type="application/json" id="plots">(.*?)</script>', html, re.DOTALL)
    assert block is not None
    found: dict[str, Any] = json.loads(block[1])
    return found


def figures(html: str) -> list[str]:
    return re.findall(r'<figure class="plot" id="([\w-]+)"', html)


def test_a_run_leaves_its_page_and_sheets_beside_its_report(run: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = run

    assert {"report.json", "report.html", "series.csv", "quantiles.csv"} <= {file.name for file in folder.iterdir()}
    assert (folder / "report.html").stat().st_size < LARGEST


def test_the_same_run_makes_the_same_page_byte_for_byte(run: tuple[Path, dict[str, Any]]) -> None:
    folder, told = run
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}

    page.write(folder, json.loads((folder / "report.json").read_text()))

    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before
    assert page.render(folder, told).encode() == before["report.html"]


def test_every_plot_has_its_options_its_words_and_its_table(run: tuple[Path, dict[str, Any]]) -> None:
    html = page.render(*run)

    named = figures(html)
    assert set(named) == plots(html).keys() == ALWAYS | OF_SERVERS
    for name in named:
        assert f'<table id="table-{name}"' in html
        words = re.search(rf'id="plot-{name}" role="img" aria-label="([^"]+)"', html)
        assert words is not None
        assert any(character.isdigit() for character in words[1]), words[1]


def test_the_verdict_and_its_reasons_come_first(run: tuple[Path, dict[str, Any]]) -> None:
    folder, told = run
    html = page.render(folder, told)

    reason = told["verdict"]["reasons"][0]
    assert html.index("VOID") < html.index(reason) < html.index('id="numbers"') < html.index('id="clients"')
    believed = page.render(folder, valid(told))
    assert "the numbers may be believed" in believed
    assert reason not in believed


def test_numbers_are_those_of_the_report(run: tuple[Path, dict[str, Any]]) -> None:
    _, told = run

    rows = {row[0]: row for row in tables.key_numbers(told).rows}

    metric = told["metrics"]["ttft"]
    shown = rows["time to first token"]
    assert shown[1:5] == [
        "when due",
        f"{metric['count']:,}",
        f"{metric['missing']:,}",
        f"{metric['quantiles']['p50'] * 1e3:.0f} ms",
    ]


def test_percentile_curves_pass_through_the_quantiles_of_the_report(run: tuple[Path, dict[str, Any]]) -> None:
    folder, told = run
    read = csv.DictReader((folder / "quantiles.csv").read_text().splitlines())
    curve = {(row["metric"], row["share"]): float(row["value_s"]) for row in read}

    for metric in ("ttft", "tpot", "gap", "latency"):
        for name, share in {"p50": "0.5", "p95": "0.95"}.items():
            assert curve[metric, share] == pytest.approx(told["metrics"][metric]["quantiles"][name], rel=1e-5)


def test_the_sheet_counts_every_request_once(run: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = run
    rows = list(csv.DictReader((folder / "series.csv").read_text().splitlines()))

    assert sum(float(row["due"]) for row in rows) == REQUESTS
    ends = [name for name in rows[0] if name.startswith("ended_")]
    assert set(ends) == {"ended_well", "ended_cut", "ended_server_error"}
    assert sum(float(row[name]) for row in rows for name in ends) == REQUESTS


def test_throughput_and_tokens_add_up_over_the_bins(run: tuple[Path, dict[str, Any]]) -> None:
    folder, told = run
    made = context(folder, told)
    drawn = {
        each["name"]: each["data"] for plot in plots(page.render(folder, told)).values() for each in plot["series"]
    }

    for name, expected in {"ended well": made.log.good.sum(), "tokens": 8 * made.log.good.sum()}.items():
        total = sum(value * width for (_, value), width in zip(drawn[name], made.bins.widths, strict=True))
        assert total == pytest.approx(expected, rel=1e-3)  # drawn with four figures


def test_a_part_of_the_log_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    told = run_of(tmp_path / "run", servers=False)
    whole = len(columns.read(tmp_path / "run", [1]))
    spoilt(tmp_path / "run")

    rest = len(columns.read(tmp_path / "run", [1]))

    assert 0 < rest < whole == REQUESTS
    assert "throughput" in figures(page.render(tmp_path / "run", told))


def test_a_request_that_stands_twice_is_drawn_once(tmp_path: Path) -> None:
    run_of(tmp_path / "run", servers=False)
    first = min((tmp_path / "run" / FOLDER).glob("worker-*.parquet"))
    (first.parent / "worker-9-000000.parquet").write_bytes(first.read_bytes())

    read = columns.read(tmp_path / "run", [1])

    assert sorted(read.index.tolist()) == list(range(REQUESTS))
    rows: Rows = read_log(tmp_path / "run")
    counted = rows.table.filter(rows.table["phase"].to_numpy() == 1)["gaps"].to_pylist()
    words = rows.table.filter(rows.table["phase"].to_numpy() == 1)["outcome"].to_pylist()
    good = [len(gaps) for gaps, word in zip(counted, words, strict=True) if word == "ok"]
    assert int(read.gaps.distinct()[1].sum()) == sum(good)


def test_what_went_past_the_gateway_is_not_drawn(tmp_path: Path) -> None:
    told = run_of(tmp_path / "run", servers=False)
    against = {**told, "profile": {**told["profile"], "against": {"block": 5.0}}}

    assert len(context(tmp_path / "run", against).log) == REQUESTS
    more = {**against["profile"], "workload": {**told["profile"]["workload"], "mix": []}}
    assert len(context(tmp_path / "run", {**against, "profile": more}).log) == 0


def test_a_run_without_a_log_still_has_its_page(tmp_path: Path) -> None:
    told = run_of(tmp_path / "run")

    html = page.render(tmp_path, valid(told))

    assert "there is nothing to draw" in html
    assert figures(html) == ["compared"]
    assert sheets.quantiles(context(tmp_path, told)) == "metric,count,share,value_s\r\n"


def test_overhead_is_drawn_by_stage_with_what_is_not_known_left_out(run: tuple[Path, dict[str, Any]]) -> None:
    folder, told = run
    html = page.render(folder, with_overhead(told))

    assert figures(html)[0] == "overhead"
    names = plots(html)["overhead"]["yAxis"]["data"]
    assert names == [
        "time to first token, median",
        "time to first token, mean",
        "time to first token, p95",
        "connect, median",
        "connect, mean",
    ]
    assert "2 ms (1 ms to 3 ms)" in html
    assert "0.500 ms" in html  # a difference without an interval


def test_a_search_shows_its_knee_and_the_log_of_its_best_run(tmp_path: Path) -> None:
    folder, told = search_of(tmp_path)

    html = page.render(folder, told)

    drawn = plots(html)["search"]
    assert {mark["xAxis"] for mark in drawn["series"][0]["markLine"]["data"]} == {8.0, 16.0}
    assert [point["value"][0] for point in drawn["series"][0]["data"]] == [8.0, 16.0]  # the third is not there any more
    assert "the highest rate that met the objectives, 8 requests/s" in html
    assert "throughput" in figures(html)


def test_error_texts_are_bounded_and_say_what_is_left_out(tmp_path: Path) -> None:
    told = run_of(tmp_path / "run", failed=1.0, servers=False)

    read = columns.read(tmp_path / "run", [1])
    shown = tables.error_texts(read)

    assert read.texts.total == told["due"]  # each with a text of its own
    assert len(shown.rows) <= tables.MOST_TEXTS + 1
    assert shown.rows[-1][1:] == ["other texts", f"at most {told['due']:,}"]


def test_a_million_different_texts_make_no_larger_page(tmp_path: Path) -> None:
    """The size of the page depends on its bins and rows, which are bounded, not on what was said."""
    small, large = (run_of(tmp_path / str(n), requests=n, failed=1.0, servers=False) for n in (4_000, 40_000))

    sizes = [len(page.render(tmp_path / str(n), told)) for n, told in ((4_000, small), (40_000, large))]

    assert sizes[1] < sizes[0] + 100_000


def test_nothing_from_outside_leaves_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    told = run_of(folder)
    told = with_overhead(told, HOSTILE)
    told["target"] = {**told["target"], "name": HOSTILE, "description": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    told["verdict"] = {"verdict": "VOID", "reasons": [HOSTILE], "notes": [HOSTILE]}

    html = page.render(folder, told)

    assert html.count("<script") == page.render(folder, run_of(folder)).count("<script")
    for payload in ("<img src=x", "<svg/onload", "</script><script>window", "<style>body"):
        assert payload not in html
    assert "\u202e" not in html
    assert "\x1b" not in html


def test_a_page_that_cannot_be_made_costs_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("a defect")

    monkeypatch.setattr(page, "_page", broken)
    told = run_of(tmp_path / "run")

    assert json.loads((tmp_path / "run" / "report.json").read_text())["kind"] == told["kind"] == "load"
    assert "report.html cannot be made" in caplog.text
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_page_that_has_no_room_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = run_of(tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()
    (tmp_path / "run" / "report.html").mkdir()

    page.draw(tmp_path / "run", told)

    assert "report.html cannot be written: Is a directory" in caplog.text


def test_bands_are_the_phases_of_the_profile() -> None:
    phases = [{"name": "a", "duration": 2.0, "counted": False}, {"name": "b", "duration": 3.0}]
    profile = Profile.model_validate({"name": "p", "arrivals": {"kind": "constant", "rate": 1}, "phases": phases})

    found = bands_of({"profile": profile.model_dump(mode="json")})

    assert [(band.name, band.start, band.end, band.counted) for band in found] == [
        ("a", 0, 2, False),
        ("b", 2, 5, True),
    ]
