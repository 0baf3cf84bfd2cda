"""The watch over the pages can fail: each thing that a page must not do is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import find_chromium, listen
from tests.browser.looks import scrolls_sideways, sticking_out


@pytest.mark.parametrize(
    ("body", "noticed"),
    [
        ("<script>console.error('oops')</script>", "console error: oops"),
        ("<script>nothing.there</script>", "script error: nothing is not defined"),
        ("<script>alert('hello')</script>", "dialog: hello"),
        ("<img src=other.png>", "request: GET file://"),
        ("<script>fetch('http://127.0.0.1:9/x').catch(() => 0)</script>", "request: GET http://127.0.0.1:9/x"),
        (
            "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\"><script>1</script>",
            "console error: ",
        ),
    ],
    ids=["log", "exception", "dialog", "file", "network", "policy"],
)
def test_a_restless_page_is_noticed(chromium: Browser, tmp_path: Path, body: str, noticed: str) -> None:
    path, troubles = tmp_path / "page.html", []
    path.write_text(f"<!doctype html><link rel=icon href='data:,'>{body}")
    with chromium.new_context() as context:
        page = context.new_page()
        listen(page, path.as_uri(), troubles)
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")
    assert any(trouble.startswith(noticed) for trouble in troubles), troubles


def test_what_sticks_out_is_noticed(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        "<!doctype html><div style='width:900px'>x</div><div class=scroll style='overflow:auto'><p>y</p></div>"
    )
    with chromium.new_context(viewport={"width": 380, "height": 500}) as context:
        page = context.new_page()
        page.goto(path.as_uri())
        assert scrolls_sideways(page)
        assert [element[:10] for element in sticking_out(page)] == ["<div style"]


def test_without_a_browser_the_tests_fail_and_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(pytest.fail.Exception, match="no Chromium on this system: `apt-get install chromium`"):
        find_chromium()
    monkeypatch.setenv("CHROMIUM", "/nowhere/chrome")
    with pytest.raises(pytest.fail.Exception, match="no /nowhere/chrome on this system"):
        find_chromium()
