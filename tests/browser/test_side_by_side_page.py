"""The matrix of several runs in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateproof.report import side_by_side
from gateproof.verdict.outcomes import Verdict
from tests.browser.conftest import BrowserPage
from tests.browser.looks import SCHEMES, WIDTHS, scrolls_sideways, sticking_out
from tests.browser.test_conformance_page import PAYLOADS, sample
from tests.unit.report_samples import record, report


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "compare.html"
    runs = [sample(), sample(PAYLOADS), report(record("AUTH-001"), record("AUTH-002", Verdict.PASS))]
    file.write_text(side_by_side.render(runs), encoding="utf-8")
    return file


def shown(page: Page) -> list[str]:
    return [each.get_attribute("id") or "" for each in page.locator("[data-row]:visible th").all()]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(browser_page: BrowserPage, path: Path, scheme: str, width: int) -> None:
    page = browser_page(path, scheme, width)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert (scrolls_sideways(page), sticking_out(page)) == (False, [])
    assert page.evaluate("window.hacked") is None


def test_filters(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path)
    assert shown(page) == ["AUTH-002", "AUTH-003", "AUTH-005", "CHAT-001", "EMB-001", "AUTH-001"]
    page.locator("#only").check()
    assert shown(page) == ["AUTH-002", "AUTH-003", "AUTH-005", "CHAT-001", "EMB-001"]
    page.locator("#find").fill("keyerror")
    assert shown(page) == ["CHAT-001"]
    page.locator("#find").fill("no such thing")
    expect(page.locator("#nothing")).to_be_visible()


def test_a_difference_opens_by_keyboard_to_what_each_run_saw(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path, scripts=False)
    row = page.locator("[data-row]", has=page.locator("#AUTH-003"))
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(row.locator("dd")).to_have_text(["no second key", "no second key", "not tested in this run"])


def test_the_requirement_stays_in_sight(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path, width=380)
    page.locator(".tall").evaluate("(box) => { box.scrollLeft = 10_000; }")
    box = page.locator("#AUTH-002").bounding_box()
    assert box is not None
    assert 0 <= box["x"] < 40
