"""The conformance page in a browser: it fits, it filters, it opens by keyboard, and nothing in it acts."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from gateproof.report.html import conformance
from gateproof.report.model import Capability, EvidenceItem, Report, TargetInfo
from gateproof.verdict.outcomes import Verdict
from tests.browser.conftest import BrowserPage
from tests.browser.looks import SCHEMES, WIDTHS, colour_of, scrolls_sideways, sticking_out
from tests.unit.report_samples import known, record, report

PAYLOADS = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><svg/onload=window.hacked=1>"
    "'\"><a href=javascript:window.hacked=1>x</a>]]><!-- --><style>body{display:none}</style>"
    "{{ 7*7 }} {% raw %} ${window.hacked=1}\u202etxt.exe\ud800\x00\x1b[31m"
)


def evidence(text: str) -> EvidenceItem:
    return EvidenceItem(text=f"> GET / HTTP/1.1\n< HTTP/1.1 200 OK\n<\n< {text}", curl=f"curl '{text}'", line=text[:80])


def sample(text: str = "got 200") -> Report:
    told = {"message": text, "expected": "401", "seen": text, "evidence": (evidence(text), evidence(text))}
    made = report(
        record("AUTH-001", duration=0.25),
        record("AUTH-002", Verdict.FAIL, "one", **told),
        record("AUTH-002", Verdict.PASS, "two"),
        record("AUTH-003", Verdict.UNTESTABLE, message="no second key"),
        record("AUTH-005", Verdict.WARN, **told),
        record("CHAT-001", Verdict.ERROR, message="KeyError"),
        record("EMB-001", Verdict.NOT_DECLARED, message="not declared: api.embeddings"),
        expectations=known("AUTH-005", Verdict.WARN),
        capabilities=[Capability(name="f.stream", declared="supported", detected=False)],
        selected=text,
        interrupted=text,
        complete=False,
    )
    target = TargetInfo(name=text, url=f"http://{text}", dialect=text, description=text, versions={text: text})
    return made.model_copy(update={"target": target})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path, sample())


def written(folder: Path, made: Report) -> Path:
    file = folder / "report.html"
    file.write_text(conformance.render(made), encoding="utf-8")
    return file


def shown(page: Page) -> list[str]:
    return [each.get_attribute("id") or "" for each in page.locator("details.result:visible").all()]


def verdict_box(page: Page, verdict: str) -> Locator:
    return page.locator(f"input[name=verdict][value={verdict}]")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(browser_page: BrowserPage, path: Path, scheme: str, width: int) -> None:
    page = browser_page(path, scheme, width)
    page.locator("#open-all").click()
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert (scrolls_sideways(page), sticking_out(page)) == (False, [])


def test_the_scheme_of_the_reader_is_followed(browser_page: BrowserPage, path: Path) -> None:
    backgrounds = [colour_of(browser_page(path, scheme), "html", "background-color") for scheme in SCHEMES]
    assert min(backgrounds[0]) > 0xE0
    assert max(backgrounds[1]) < 0x30


def test_paper_is_light_and_shows_what_did_not_pass(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path, "dark")
    page.emulate_media(media="print")
    assert min(colour_of(page, "html", "background-color")) > 0xE0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#AUTH-002 .told")).to_be_visible()
    expect(page.locator("#AUTH-001 .told")).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#AUTH-002 .told")).to_be_hidden()


def test_without_scripts_all_can_be_read(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path, scripts=False)
    expect(page.locator("#filters")).to_be_hidden()
    assert len(shown(page)) == 6
    page.locator("#AUTH-002 > summary").click()
    expect(page.locator("#curl-AUTH-002-1")).to_be_visible()


def test_a_verdict_has_its_word_wherever_it_has_a_colour(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path)
    words = {badge.inner_text().split()[-1] for badge in page.locator("details.result > summary .badge").all()}
    assert words == {"PASS", "FAIL", "UNTESTABLE", "known", "ERROR", "declared"}
    assert all(tile.get_attribute("aria-label") for tile in page.locator(".tile").all())


def test_filters_within_a_group_add_and_across_groups_narrow(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path)
    verdict_box(page, "FAIL").check()
    assert shown(page) == ["AUTH-002"]
    expect(page.locator("#shown")).to_have_text("1 of 6")
    verdict_box(page, "known").check()
    assert shown(page) == ["AUTH-002", "AUTH-005"]
    page.locator("input[name=level][value=SHOULD]").check()
    assert shown(page) == ["AUTH-005"]
    page.locator("input[name=basis][value=N]").check()
    page.locator("input[name=level][value=SHOULD]").uncheck()
    page.locator("#find").fill("no such thing")
    assert shown(page) == []
    expect(page.locator("#nothing")).to_be_visible()
    page.locator("#clear").click()
    assert len(shown(page)) == 6


def test_search_looks_into_what_is_closed(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path)
    page.keyboard.press("/")
    page.keyboard.type("keyerror")
    assert shown(page) == ["CHAT-001"]
    expect(page.locator(".tile[data-of=AUTH-001]")).to_have_class("tile tone-good dim")
    page.keyboard.press("Escape")
    assert len(shown(page)) == 6


def test_a_requirement_opens_by_keyboard(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path)
    page.keyboard.press("Tab")
    expect(page.locator(".skip").first).to_be_focused()
    page.locator("#AUTH-002 > summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#AUTH-002 .told")).to_be_visible()


def test_a_tile_leads_to_its_requirement_even_when_it_is_filtered_out(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path)
    verdict_box(page, "PASS").check()
    tile = page.locator(".tile[data-of=AUTH-002]")
    for _ in range(2):  # the second time the address stays the same
        tile.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#AUTH-002 .told")).to_be_visible()
        expect(page.locator("#AUTH-002 > summary")).to_be_focused()
        page.locator("#AUTH-002 > summary").click()


def test_the_command_is_copied(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path)
    page.locator("#AUTH-002 > summary").click()
    page.locator("[data-copy=curl-AUTH-002-1]").click()
    expect(page.locator("[data-copy=curl-AUTH-002-1]")).to_have_text("copied")
    assert page.evaluate("navigator.clipboard.readText()") == "curl 'got 200'"


def test_a_table_is_copied_with_tabs(browser_page: BrowserPage, path: Path) -> None:
    page = browser_page(path)
    page.locator("[data-copy=broken-table]").click()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0].split("\t")[:3] == ["verdict", "requirement", "level"]
    assert [line.split("\t")[1] for line in lines[1:]] == ["CHAT-001", "AUTH-002", "AUTH-003"]


@pytest.mark.parametrize(
    "text", [PAYLOADS, "x" * 100_000, "\n" * 9000, "&lt;b&gt;&#0;"], ids=["script", "long", "lines", "entity"]
)
def test_what_a_target_says_does_nothing(browser_page: BrowserPage, tmp_path: Path, text: str) -> None:
    page = browser_page(written(tmp_path, sample(text)), width=380)
    page.locator("#open-all").click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("script:not([type])").count() == 2
    assert page.locator("body img, body svg, body style, a[href^=javascript]").count() == 0
    assert (scrolls_sideways(page), len(shown(page))) == (False, 6)
