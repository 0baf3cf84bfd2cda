"""The page of a load run in a browser: every plot is drawn, it fits, it follows the scheme, and nothing in it acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no types
import pytest
from playwright.sync_api import Page, expect

from gateproof.load.log import FOLDER, SCHEMA
from gateproof.load.page import page as load_page
from gateproof.load.run import LoadRun
from tests.browser.conftest import BrowserPage
from tests.browser.looks import SCHEMES, WIDTHS, scrolls_sideways, sticking_out
from tests.unit.page_rig import HOSTILE, run_of, scrape, search_of, valid, with_overhead

LEAST_SHAPES = 3  # paths in a plot: axes, and something on them
SHOW_EVERY_TOOLTIP = """() => [...document.querySelectorAll(".canvas")].flatMap((canvas) => {
    const chart = echarts.getInstanceByDom(canvas);
    return chart.getOption().series.map((_, seriesIndex) => {
        chart.dispatchAction({ type: "showTip", seriesIndex, dataIndex: 0 });
        return canvas.textContent;
    });
})"""
Made = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made-up") / "run"
    return folder, with_overhead(run_of(folder))


def written(run: Made) -> Path:
    return load_page.write(*run)[0]


def drawn(page: Page) -> dict[str, int]:
    """Paths with a size, by plot."""
    script = """() => Object.fromEntries([...document.querySelectorAll(".canvas")].map((canvas) => [
        canvas.id,
        [...canvas.querySelectorAll("svg path")].filter((path) => path.getBoundingClientRect().width > 0).length,
    ]))"""
    return page.evaluate(script)  # type: ignore[no-any-return]  # as the script says


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_plot_is_drawn_and_nothing_sticks_out(
    run: Made, browser_page: BrowserPage, scheme: str, width: int
) -> None:
    page = browser_page(written(run), scheme, width)

    shapes = drawn(page)

    assert len(shapes) == page.locator("figure.plot").count() > 10
    assert {name: count for name, count in shapes.items() if count < LEAST_SHAPES} == {}
    assert not scrolls_sideways(page)
    assert sticking_out(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_labels_of_an_axis_do_not_overlap(run: Made, browser_page: BrowserPage, width: int) -> None:
    page = browser_page(written(run), width=width)

    script = """() => [...document.querySelectorAll(".canvas svg")].flatMap((svg) => {
        const texts = [...svg.querySelectorAll("text")].filter((text) => /[0-9]/.test(text.textContent));
        const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]);
        return boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
            .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1)
            .filter(([, b]) => a.top < b.bottom - 2 && b.top < a.bottom - 2)
            .map(([other]) => `${svg.parentElement.parentElement.id}: ${one} on ${other}`));
    })"""
    assert page.evaluate(script) == []


def test_percentile_axis_names_its_quantiles(run: Made, browser_page: BrowserPage) -> None:
    page = browser_page(written(run))

    texts = page.locator("#plot-curves svg text").all_text_contents()

    assert [text for text in texts if text.startswith("p")] == ["p0", "p50", "p90", "p99", "p99.9"]


def test_plots_follow_the_scheme_while_the_page_is_open(run: Made, browser_page: BrowserPage) -> None:
    page = browser_page(written(run), "light")
    stroke = "document.querySelector('#plot-throughput svg').innerHTML"
    light = page.evaluate(stroke)

    page.emulate_media(color_scheme="dark")

    page.wait_for_function(f"(before) => {stroke} !== before", arg=light)
    assert min(drawn(page).values()) >= LEAST_SHAPES


def test_numbers_of_a_plot_open_and_are_copied_by_keyboard(run: Made, browser_page: BrowserPage) -> None:
    page = browser_page(written(run))
    table = page.locator("#table-ttft")
    expect(table).to_be_hidden()

    page.locator("#ttft summary").focus()
    page.keyboard.press("Enter")
    expect(table).to_be_visible()
    page.locator("#ttft button.copy").focus()
    page.keyboard.press("Enter")

    expect(page.locator("#ttft button.copy")).to_have_text("copied")
    first = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert first[0].split("\t") == ["from", "p50 [ms]", "p95 [ms]", "p99 [ms]", "highest [ms]"]
    assert len(first) == table.locator("tr").count()


def test_it_reads_without_scripts(run: Made, browser_page: BrowserPage) -> None:
    page = browser_page(written(run), scripts=False)

    expect(page.locator("#ttft .said")).to_contain_text("p50 of a bin")
    expect(page.locator("#key-numbers")).to_be_visible()
    expect(page.locator("#plot-ttft")).to_be_hidden()


def test_paper_is_light_and_has_every_plot(run: Made, browser_page: BrowserPage) -> None:
    page = browser_page(written(run), "dark")

    page.emulate_media(media="print", color_scheme="dark")

    page.wait_for_function("getComputedStyle(document.body).backgroundColor !== 'rgb(15, 19, 23)'")
    assert min(drawn(page).values()) >= LEAST_SHAPES
    assert page.evaluate("getComputedStyle(document.querySelector('.tools')).display") == "none"


def test_a_tooltip_shows_values_with_their_unit(run: Made, browser_page: BrowserPage) -> None:
    page = browser_page(written(run))

    page.locator("#plot-ttft svg").hover()

    tooltip = page.locator("#plot-ttft > div:not(:has(svg))")
    expect(tooltip).to_contain_text("p50")
    expect(tooltip).to_contain_text(" ms")


def test_nothing_that_comes_from_outside_acts(tmp_path: Path, browser_page: BrowserPage) -> None:
    folder = tmp_path / "run"
    told = hostile(folder)
    page = browser_page(load_page.write(folder, told)[0])
    shown = page.evaluate(SHOW_EVERY_TOOLTIP)

    assert any("<svg/onload=window.hacked=1>" in text for text in shown)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, iframe, [onload], [onerror]").count() == 0
    expect(page.locator("h1")).to_contain_text("</script><script>window.hacked=1</script>")
    expect(page.locator("#texts")).to_contain_text("<svg/onload=window.hacked=1>")
    assert "\u202e" not in page.content()


def hostile(folder: Path) -> dict[str, Any]:
    """A run in which whatever a target, a server or a profile may name is a payload."""
    run_of(folder)
    for file in sorted((folder / FOLDER).glob("worker-*.parquet")):
        rows = pq.read_table(file).to_pylist()
        for row in rows:
            row["detail"] = row["detail"] and HOSTILE
            row["part"] = row["index"] % 2
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), file)
    scrape(folder, HOSTILE)
    told = with_overhead(LoadRun.reopen(folder).finish(), HOSTILE)
    side = {"requests": 1, "asked": 1, "told": 1, "off": 0, "discrepancy": 0.0}
    part = {"api": "chat", "model": HOSTILE, "how": HOSTILE, "exact": True, "input": side, "output": side}
    told["target"] = {**told["target"], "name": HOSTILE, "description": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    phases = [{**phase, "name": HOSTILE} for phase in told["profile"]["phases"]]
    told["profile"] = {**told["profile"], "name": HOSTILE, "phases": phases}
    told["verdict"] = {"verdict": "VOID", "reasons": [HOSTILE], "notes": [HOSTILE]}
    return {**told, "prompts": [part, part]}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_search_shows_where_the_knee_lies(tmp_path: Path, browser_page: BrowserPage, width: int) -> None:
    folder, told = search_of(tmp_path)

    page = browser_page(load_page.write(folder, valid(told))[0], width=width)

    texts = page.locator("#plot-search svg text").all_text_contents()
    assert {"met", "not met", "requests/s"} <= set(texts)
    assert not scrolls_sideways(page)
