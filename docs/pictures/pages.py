"""Pictures of report pages for the README: `python docs/pictures/pages.py NAME REPORT.html [HEIGHT]` writes
NAME-light.png and NAME-dark.png beside this file. Needs the extra `dev` and the system's Chromium.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1200, 860  # px: verdict, facts and the matrix


def shoot(name: str, page: Path, height: int = HEIGHT) -> None:
    folder = Path(__file__).parent
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for scheme in ("light", "dark"):
            sheet = browser.new_page(color_scheme=scheme, viewport={"width": WIDTH, "height": height})
            sheet.goto(page.resolve().as_uri())
            sheet.screenshot(path=folder / f"{name}-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    shoot(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
