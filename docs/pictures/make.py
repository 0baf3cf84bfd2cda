"""The pictures of docs/limits.md: `python docs/pictures/make.py` writes them beside this file.

Plain SVG, no library. Shapes tell admitted from refused, colours only repeat it, and follow the reader's light or dark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

WIDTH, LEFT, RIGHT = 760, 20, 20  # px
SPAN = 3.0  # windows shown
PER_WINDOW = (WIDTH - LEFT - RIGHT) / SPAN  # px
GRAIN = 0.05  # of a window, as gateproof/limits/terms.py has it
SIZE = 5.5  # px, half a mark

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2933; }
  .small { font-size: 11.5px; fill: #52606d; }
  .axis, .tick { stroke: #7b8794; stroke-width: 1; }
  .window { fill: #7b879422; stroke: #7b8794; }
  .grain { fill: #b4530955; }
  .yes { fill: #2563a8; stroke: #2563a8; }
  .no { fill: none; stroke: #b42318; stroke-width: 2; }
  .level { fill: none; stroke: #2563a8; stroke-width: 2; }
  .limit { stroke: #52606d; stroke-dasharray: 5 4; }
  .bracket { fill: none; stroke: #b42318; stroke-width: 1.5; }
  .bracketed { fill: #b42318; }
  .run { fill: #2563a855; stroke: #2563a8; }
  .maybe { fill: none; stroke: #2563a8; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb; }
    .small { fill: #b8c2cc; }
    .axis, .tick, .limit { stroke: #9aa5b1; }
    .window { fill: #9aa5b122; stroke: #9aa5b1; }
    .grain { fill: #f0b42966; }
    .yes { fill: #7cb5f5; stroke: #7cb5f5; }
    .level, .maybe { stroke: #7cb5f5; }
    .run { fill: #7cb5f555; stroke: #7cb5f5; }
    .no, .bracket { stroke: #ff9b8f; }
    .bracketed { fill: #ff9b8f; }
  }
"""


def x_of(at: float) -> float:
    """Where an instant stands, in windows since the left edge."""
    return round(LEFT + at * PER_WINDOW, 1)


@dataclass
class Picture:
    """What is drawn, top to bottom, in pixels."""

    title: str
    height: int
    parts: list[str] = field(default_factory=list)

    def add(self, tag: str, css: str, text: str | None = None, **attributes: float | str) -> None:
        told = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
        self.parts.append(f'<{tag} class="{css}"{told}' + ("/>" if text is None else f">{escape(text)}</{tag}>"))

    def text(self, x: float, y: float, words: str, css: str = "", anchor: str = "start") -> None:
        self.add("text", css, words, x=x, y=y, text_anchor=anchor)

    def axis(self, y: float, unit: str = "window") -> None:
        self.add("line", "axis", x1=LEFT, y1=y, x2=WIDTH - RIGHT, y2=y)
        for number in range(int(SPAN) + 1):
            self.add("line", "tick", x1=x_of(number), y1=y - 4, x2=x_of(number), y2=y + 4)
        self.text(WIDTH - RIGHT, y + 18, f"time, a tick for each {unit}", "small", "end")

    def window(self, start: float, y: float, words: str, *, end: float | None = None, grains: bool = True) -> None:
        last = start + 1 if end is None else end
        self.add("rect", "window", x=x_of(start), y=y, width=round((last - start) * PER_WINDOW, 1), height=22, rx=3)
        self.text(x_of(start) + 6, y + 15, words, "small")
        if grains:
            wide = min(2 * GRAIN, SPAN - last + GRAIN)
            self.add("rect", "grain", x=x_of(last - GRAIN), y=y, width=round(wide * PER_WINDOW, 1), height=22)

    def admitted(self, y: float, *at: float) -> None:
        for each in at:
            self.add("circle", "yes", cx=x_of(each), cy=y, r=SIZE)

    def refused(self, y: float, *at: float) -> None:
        for each in at:
            x = x_of(each)
            cross = f"M{x - SIZE} {y - SIZE}L{x + SIZE} {y + SIZE}M{x - SIZE} {y + SIZE}L{x + SIZE} {y - SIZE}"
            self.add("path", "no", d=cross)

    def bracket(self, start: float, end: float, y: float, words: str) -> None:
        one, other = x_of(start), x_of(end)
        self.add("path", "bracket", d=f"M{one} {y - 6}V{y}H{other}V{y - 6}")
        self.text(one, y + 15, words, "bracketed")

    def legend(self, y: float, *, grains: bool = True) -> None:
        self.admitted(y - 4, 0.03)
        self.text(x_of(0.03) + 12, y, "admitted", "small")
        self.refused(y - 4, 0.42)
        self.text(x_of(0.42) + 12, y, "refused (429)", "small")
        if grains:
            self.add("rect", "grain", x=x_of(0.95), y=y - 11, width=24, height=13)
            self.text(x_of(0.95) + 30, y, "grain: held against nobody", "small")

    def svg(self) -> str:
        self.text(LEFT, 20, self.title)
        body = "\n  ".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" role="img" '
            f'aria-label="{escape(self.title, quote=True)}">\n  <style>{STYLE}  </style>\n  {body}\n</svg>\n'
        )


# --- the pictures --------------------------------------------------------------------------------------------------


def fixed_aligned() -> Picture:
    picture = Picture("Fixed, aligned to the clock: 3 per window, twice as many across a boundary", 190)
    for number in range(3):
        picture.window(number, 40, f"window {number + 1}")
    picture.admitted(85, 0.70, 0.78, 0.86)
    picture.admitted(85, 1.12, 1.20, 1.28)
    picture.refused(85, 1.36, 1.44)
    picture.admitted(85, 2.15)
    picture.bracket(0.70, 1.28, 106, "6 in less than a window: legal across a boundary, a seventh is red")
    picture.axis(146)
    picture.legend(182)
    return picture


def fixed_first_hit() -> Picture:
    picture = Picture("Fixed, from the first hit: 3 per window, and no window while nobody asks", 190)
    picture.window(0.15, 40, "begins with the first hit")
    picture.window(1.75, 40, "begins with the next hit after it")
    picture.admitted(85, 0.15, 0.30, 0.45)
    picture.refused(85, 0.60, 0.95)
    picture.admitted(85, 1.75, 1.85, 1.95)
    picture.refused(85, 2.05)
    picture.bracket(0.15, 1.10, 106, "surely one window: a fourth is red")
    picture.axis(146)
    picture.legend(182)
    return picture


def sliding() -> Picture:
    picture = Picture("Sliding: 3 in any stretch as long as a window", 190)
    picture.window(0.20, 40, "any stretch ...")
    picture.window(1.30, 40, "... wherever it lies")
    picture.admitted(85, 0.20, 0.55, 0.90)
    picture.refused(85, 1.05)
    picture.admitted(85, 1.30, 1.65, 2.00)
    picture.refused(85, 2.15, 2.22)
    picture.bracket(0.55, 1.50, 106, "0.95 of a window: a fourth admitted in here is red")
    picture.axis(146)
    picture.legend(182)
    return picture


def bucket() -> Picture:
    picture = Picture("Bucket: 3 at once, then one for each third of a window", 230)
    base, top = 140, 50
    picture.add("line", "limit", x1=LEFT, y1=top, x2=WIDTH - RIGHT, y2=top)
    picture.text(WIDTH - RIGHT, top - 6, "full", "small", "end")
    level, last, path = 3.0, 0.0, [f"M{x_of(0)} {top}"]
    for at in (0.20, 0.28, 0.36, 0.72, 1.06, 1.40):
        level = min(3.0, level + (at - last) * 3)
        path.append(f"L{x_of(at)} {round(base - level * 30, 1)}")
        level, last = level - 1, at
        path.append(f"V{round(base - level * 30, 1)}")
    path += [f"L{x_of(last + (3 - level) / 3)} {top}", f"H{WIDTH - RIGHT}"]
    picture.add("path", "level", d=" ".join(path))
    picture.add("line", "axis", x1=LEFT, y1=base, x2=WIDTH - RIGHT, y2=base)
    picture.admitted(158, 0.20, 0.28, 0.36, 0.72, 1.06, 1.40)
    picture.refused(158, 0.44, 0.52, 0.86)
    picture.bracket(0.20, 1.06, 176, "3 + 3 · 0.86 = 5.58: a sixth admitted in here is red")
    picture.legend(222, grains=False)
    picture.text(WIDTH - RIGHT, 222, "three windows", "small", "end")
    return picture


def lifetime() -> Picture:
    picture = Picture("Lifetime: 5 and never again", 190)
    picture.window(0.10, 40, "one window without an end", end=SPAN, grains=False)
    picture.admitted(85, 0.10, 0.35, 0.60, 1.20, 1.90)
    picture.refused(85, 2.05, 2.20, 2.85)
    picture.bracket(0.10, 2.85, 106, "all that was ever admitted: a sixth is red, whenever it comes")
    picture.axis(146, "day, say")
    picture.legend(182, grains=False)
    return picture


def parallel() -> Picture:
    picture = Picture("Parallel: 2 under way at once; what is certain, and what only may be", 240)
    runs = [("a", 40, 0.10, 0.20, 1.10, 1.20), ("b", 70, 0.25, 0.35, 1.50, 1.62), ("d", 130, 1.36, 1.46, 2.30, 2.42)]
    for name, y, sent, head, last, freed in runs:
        picture.add("rect", "maybe", x=x_of(sent), y=y, width=round((freed - sent) * PER_WINDOW, 1), height=20, rx=3)
        picture.add("rect", "run", x=x_of(head), y=y, width=round((last - head) * PER_WINDOW, 1), height=20, rx=3)
        picture.text(x_of(head) + 6, y + 14, f"stream {name}", "small")
    picture.refused(110, 0.70)
    picture.text(x_of(0.70) + 12, 114, "c: refused, two are under way", "small")
    picture.text(x_of(2.42) + 8, 144, "d: a's slot is back", "small")
    picture.bracket(0.35, 1.10, 172, "two surely under way: a third answer in here is red")
    picture.add("rect", "run", x=x_of(0.02), y=221, width=24, height=12, rx=2)
    picture.text(x_of(0.02) + 30, 232, "first byte to last byte: certain", "small")
    picture.add("rect", "maybe", x=x_of(1.05), y=221, width=24, height=12, rx=2)
    picture.text(x_of(1.05) + 30, 232, "sent until noticed: possible", "small")
    return picture


def quota(title: str, reserve: bool) -> Picture:
    picture = Picture(title, 230)
    base, scale, limit = 150, 0.9, 100
    picture.add("line", "limit", x1=LEFT, y1=base - limit * scale, x2=WIDTH - RIGHT, y2=base - limit * scale)
    picture.text(LEFT, base - limit * scale - 6, "quota of 100 tokens", "small")
    spent, path = 0, [f"M{x_of(0)} {base}"]
    for at, cost in ((0.25, 40), (0.75, 40), (1.25, 40)):
        if reserve and spent + cost > limit:
            break
        spent += cost
        path.append(f"H{x_of(at)}V{base - spent * scale}")
    path.append(f"H{WIDTH - RIGHT}")
    picture.add("path", "level", d="".join(path))
    picture.add("line", "axis", x1=LEFT, y1=base, x2=WIDTH - RIGHT, y2=base)
    served = (0.25, 0.75) if reserve else (0.25, 0.75, 1.25)
    picture.admitted(168, *served)
    picture.refused(168, *((1.25, 1.75) if reserve else (1.75, 2.25)))
    if reserve:
        picture.bracket(0.25, 1.25, 188, "80 spent, 40 more at most: refused before it could pass 100")
    else:
        picture.bracket(0.75, 1.25, 188, "80 on the ledger: served in full; the next finds 120 and is refused")
    return picture


PICTURES: dict[str, Callable[[], Picture]] = {
    "fixed-aligned": fixed_aligned,
    "fixed-first-hit": fixed_first_hit,
    "sliding": sliding,
    "bucket": bucket,
    "lifetime": lifetime,
    "parallel": parallel,
    "quota-after": lambda: quota("Quota, counted after the answer: whoever finds room is served", reserve=False),
    "quota-reserve": lambda: quota("Quota, reserved before the answer: nothing passes it", reserve=True),
}


def pictures() -> dict[str, str]:
    """Every picture by the name of its file."""
    return {f"{name}.svg": draw().svg() for name, draw in PICTURES.items()}


if __name__ == "__main__":
    for name, drawn in pictures().items():
        Path(__file__).with_name(name).write_text(drawn, encoding="utf-8")
