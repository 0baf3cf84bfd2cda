"""The frame of every page: one file that needs no network, reads without scripts, and trusts nothing it shows.

A page is made in two steps::

    body = fragment("NAME.html.j2", "YOUR.PACKAGE", report=..., ...)    # from its folder `templates`; all is escaped
    text = page("title", body, scripts=[asset("NAME.js")], head=json_block("data", {...}))

What a page may rely on:

- **Colours** are CSS variables that follow the reader's scheme, and are light on paper: `--bg`, `--raised`, `--text`,
  `--muted`, `--line`, `--accent`, the tones `--good` `--warn` `--bad` `--info` `--odd` `--none`, and `--series-1` to
  `--series-8` for curves. A script reads them with `getComputedStyle(document.documentElement)`, and again when
  `matchMedia("(prefers-color-scheme: dark)")` changes.
- **Classes**: `scroll` (a wide table scrolls in its own box; give it `tabindex="0"` and a name), `num` (a cell of
  figures), `tone-good` and so on, `note`, `js-only` (not there without scripts), `facts` (a `<dl>` of pairs).
- **Copying**: `<button type="button" class="copy js-only" data-copy="ID">` copies the text of that element, a table
  as tab-separated lines.
- **Macros** of `parts.html.j2`: `banner`, `facts`, `table`.
- **Content Security Policy**: scripts run only if they were given to `page`; anything from the network is refused.
  So no `onclick=`, no `<script>` in a body, no `eval`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gateproof.report.text import clean

NOTHING = Markup("")
OURS = "gateproof.report.html"
_UNSAFE_IN_SCRIPT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}
# Either would end or swallow the element, https://html.spec.whatwg.org/multipage/scripting.html section 4.12.1.3;
# and the parser rewrites the other two, so that the hash in the policy would not fit.
_NOT_IN_SCRIPT = ("</script", "<!--", "\r", "\0")


def page(title: str, body: Markup, *, scripts: Sequence[str] = (), head: Markup = NOTHING) -> str:
    """The whole HTML document.

    `scripts` are sources of our own (never text from outside), run in this order at the end of the body. `head` is for
    `json_block`. Raises ValueError for a script that HTML would cut short.
    """
    sources = [asset("frame.js"), *scripts]
    for source in sources:
        _refuse_unfit(source)
    document = (
        environment()
        .get_template("frame.html.j2")
        .render(
            title=title,
            body=body,
            head=head,
            policy=_policy(sources),
            style=asset("style.css"),
            scripts=sources,
        )
    )
    return document if document.endswith("\n") else document + "\n"


@functools.cache
def environment(package: str = OURS) -> Environment:
    """Templates of `package/templates`, then of this package. A missing name is an error.

    Whatever a template prints is escaped, made printable and cut at `text.TEXT_LIMIT` characters, unless it is Markup.
    """
    places = dict.fromkeys((package, OURS))
    return Environment(
        loader=ChoiceLoader([PackageLoader(place) for place in places]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        auto_reload=False,
    )


def json_block(name: str, value: object) -> Markup:
    """Data for the page's script: `JSON.parse(document.getElementById(name).textContent)`.

    Keys keep their order. NaN and infinity are refused with ValueError: JSON has none, say None.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(_UNSAFE_IN_SCRIPT)
    data = Markup(text)  # noqa: S704 - JSON without the characters that mean something to HTML
    return Markup('<script type="application/json" id="{}">{}</script>').format(name, data)


def fragment(template: str, package: str = OURS, /, **values: Any) -> Markup:
    """One template as part of a body."""
    return Markup(environment(package).get_template(template).render(**values))  # noqa: S704 - the template escapes


@functools.cache
def asset(name: str) -> str:
    """A script or a style of this package."""
    return resources.files(OURS).joinpath("assets", name).read_text(encoding="utf-8")


def _policy(sources: Sequence[str]) -> str:
    """Nothing from anywhere. Styles stay open since plots set theirs on their elements; they cannot load a thing."""
    hashes = " ".join(f"'sha256-{_digest(source)}'" for source in sources)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(source: str) -> str:
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _refuse_unfit(source: str) -> None:
    for forbidden in _NOT_IN_SCRIPT:
        if forbidden in source.lower():
            raise ValueError(f"a script holds {forbidden!r}, which HTML does not leave as it is")


def _printable(value: object) -> object:
    """What a template prints: markup of ours as it is, any other text without what cannot be shown or deceives."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
