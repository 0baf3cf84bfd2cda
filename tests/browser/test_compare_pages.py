"""The pages of comparisons and histories in a browser: every plot is drawn, both schemes, both widths, nothing acts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateproof.compare import history_page, page
from gateproof.compare.history import history
from gateproof.compare.pairs import compare
from gateproof.report.saved import read_run
from tests.browser.conftest import BrowserPage
from tests.browser.looks import SCHEMES, WIDTHS, colour_of, scrolls_sideways, sticking_out
from tests.unit import load_runs
from tests.unit.load_runs import lognormal, made

PAYLOAD = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>'\"{{ 7*7 }}${window.hacked=1}\u202e"
)
SHORT = {"phases": [{"name": "steady", "duration": 15}]}

Render = Callable[[list[Path]], str]


def of_comparison(runs: list[Path]) -> str:
    return page.render(compare([read_run(run) for run in runs], force=True))


def of_history(runs: list[Path]) -> str:
    return history_page.render(history(runs))


PAGES: dict[str, Render] = {"compare": of_comparison, "history": of_history}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four runs whose names are payloads, one slower, one void, one at another rate."""
    root = tmp_path_factory.mktemp("reports")
    rate = {"kind": "poisson", "rate": 20}
    hows = [
        {},
        {"versions": {PAYLOAD: "2"}},
        {"lost_worker": True},
        {"of": load_runs.profile(**SHORT, name=PAYLOAD, arrivals=rate)},
    ]
    usual = {"of": load_runs.profile(**SHORT, name=PAYLOAD), "versions": {PAYLOAD: PAYLOAD}}
    runs = [made(root, lognormal(200 + 40 * n), noise=n, **{**usual, **how}) for n, how in enumerate(hows)]
    found = {name: root / f"{name}.html" for name in PAGES}
    for name, file in found.items():
        file.write_text(PAGES[name](runs), encoding="utf-8")
    return found


def undrawn(shown: Page) -> list[str]:
    """Plots without a path that has a length, which is what a curve or an axis is."""
    drawn = """(element) => [...element.querySelectorAll("svg path")].some((path) => path.getTotalLength() > 20)"""
    return [canvas.get_attribute("id") or "" for canvas in shown.locator(".canvas").all() if not canvas.evaluate(drawn)]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_every_plot_is_drawn_and_nothing_sticks_out(
    files: dict[str, Path], browser_page: BrowserPage, name: str, width: int, scheme: str
) -> None:
    shown: Page = browser_page(files[name], scheme, width)
    expect(shown.locator(".canvas svg").first).to_be_visible()
    assert shown.locator(".canvas").count() >= 5
    assert undrawn(shown) == []
    assert sticking_out(shown) == []
    assert not scrolls_sideways(shown)
    dark = sum(colour_of(shown, "html", "background-color")) < 3 * 128
    assert dark == (scheme == "dark")


@pytest.mark.parametrize("name", PAGES)
def test_text_from_outside_does_nothing(files: dict[str, Path], browser_page: BrowserPage, name: str) -> None:
    shown = browser_page(files[name])
    assert "window.hacked=1" in shown.locator("main").inner_text()
    assert shown.evaluate("window.hacked") is None
    assert shown.locator("main img, main script").count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_every_number_is_there(files: dict[str, Path], browser_page: BrowserPage, name: str) -> None:
    shown = browser_page(files[name], scripts=False)
    expect(shown.get_by_role("rowheader", name="ttft.p50").first).to_be_visible()
    assert shown.locator(".canvas:visible").count() == 0
    shown.locator("summary").first.click()
    expect(shown.locator("details table").first).to_be_visible()


def test_numbers_of_a_plot_open_by_keyboard(files: dict[str, Path], browser_page: BrowserPage) -> None:
    shown = browser_page(files["compare"])
    summary = shown.locator("#curve-ttft summary")
    summary.focus()
    shown.keyboard.press("Enter")
    expect(shown.locator("#table-curve-ttft")).to_be_visible()


def test_a_change_of_the_scheme_draws_the_plots_again(files: dict[str, Path], browser_page: BrowserPage) -> None:
    shown = browser_page(files["history"])
    before = shown.locator(".canvas svg").first.inner_html()
    shown.emulate_media(color_scheme="dark")
    expect(shown.locator(".canvas svg").first).to_be_visible()
    assert shown.locator(".canvas svg").first.inner_html() != before
    assert undrawn(shown) == []


def test_marks_and_void_runs_stand_in_the_plots(files: dict[str, Path], browser_page: BrowserPage) -> None:
    shown = browser_page(files["history"])
    words = shown.locator("#track-1-ttft-p50 svg text").all_text_contents()
    assert {"1", "2 VOID", "3"} <= set(words)
