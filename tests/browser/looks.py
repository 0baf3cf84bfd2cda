"""What can be measured about how a page looks."""

from __future__ import annotations

from playwright.sync_api import Page

SCHEMES = ("light", "dark")
WIDTHS = (380, 1600)  # px: a telephone, a wide screen

_STICKING_OUT = """() => [...document.querySelectorAll("body *")].filter((element) => {
    if (element.closest(".scroll, pre, svg, .skip")) return false;
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
}).map((element) => element.outerHTML.slice(0, 80))"""


def sticking_out(page: Page) -> list[str]:
    """Elements beyond the sides of the window, but for what scrolls in a box of its own."""
    return page.evaluate(_STICKING_OUT)  # type: ignore[no-any-return]  # a list of strings, as the script says


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def colour_of(page: Page, selector: str, style: str = "color") -> tuple[int, ...]:
    """Red, green, blue as the browser computed them."""
    text: str = page.locator(selector).first.evaluate(f"(element) => getComputedStyle(element)['{style}']")
    return tuple(int(float(part)) for part in text[text.index("(") + 1 : -1].split(",")[:3])
