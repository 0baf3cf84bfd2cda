"""An exchange as text: for a line, for a report, for a shell. Bounded, redacted, and safe to print."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateproof.wire.redact import MASK, Redactor

if TYPE_CHECKING:
    from gateproof.wire.exchange import Exchange

# Bytes of a body that evidence shows: the beginning, where the claim is, and the end, where `[DONE]` and usage are.
SHOWN_HEAD, SHOWN_TAIL = 3 * 1024, 1024
# Bytes redacted around what is shown, so that no secret is cut in two before it can be known.
MARGIN = 64 * 1024
# A longer request body goes to a file in the curl line.
CURL_BODY = 2 * 1024
# Headers that curl sets by itself, or that would contradict what it sets.
_CURLS_OWN = frozenset({"content-length", "accept-encoding", "transfer-encoding", "connection"})

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def summary(exchange: Exchange) -> str:
    """``POST /v1/chat/completions → 200 in 31 ms``."""
    request = f"{exchange.method} {exchange.redactor.text(exchange.path)}"
    took = "" if exchange.duration is None else f" in {exchange.duration * 1000:.0f} ms"
    parts = [str(exchange.answer.status)] if exchange.answer else []
    if exchange.failure:
        parts.append(exchange.failure.kind)
    return printable(f"{request} → {', '.join(parts) or 'not finished'}{took}")


def printable(text: str) -> str:
    """The text with control characters written out: hostile bytes must not drive the reader's terminal."""
    return _UNPRINTABLE.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


def transcript(exchange: Exchange) -> str:
    redactor = exchange.redactor
    lines = [f"> {line}" for line in _request(exchange)]
    if exchange.answer is not None:
        answer = exchange.answer
        lines.append(f"< {answer.http_version} {answer.status} {answer.reason}".rstrip())
        lines += [f"< {name}: {value}" for name, value in redactor.headers(answer.headers.multi_items())]
        lines.append("<")
        lines += [f"< {line}" for line in _lines(_readable(exchange), redactor)]
    lines += [f"* {line}" for line in _facts(exchange)]
    return "\n".join(printable(line) for line in lines) + "\n"


def _request(exchange: Exchange) -> Iterator[str]:
    yield f"{exchange.method} {exchange.redactor.text(exchange.path)} HTTP/1.1"
    for name, value in exchange.redactor.headers(exchange.sent_headers.multi_items()):
        yield f"{name}: {value}"
    yield ""
    yield from _lines(exchange.sent_body, exchange.redactor)


def _readable(exchange: Exchange) -> bytes:
    try:
        return exchange.decoded
    except AssertionError:
        return exchange.body


def _facts(exchange: Exchange) -> Iterator[str]:
    if exchange.wall:
        yield "at " + dt.datetime.fromtimestamp(exchange.wall, dt.UTC).isoformat(timespec="milliseconds")
    instants = ("sent", "first_byte", "head", "ended")
    reached = [(name, getattr(exchange, name)) for name in instants if getattr(exchange, name) is not None]
    times = ", ".join(f"{name} +{(at - exchange.started) * 1000:.1f} ms" for name, at in reached)
    size = sum(len(chunk.data) for chunk in exchange.chunks)
    yield f"{times or 'nothing sent'}; {size} bytes of body in {len(exchange.chunks)} pieces"
    if exchange.failure is not None:
        yield exchange.redactor.text(str(exchange.failure))


def _lines(body: bytes, redactor: Redactor) -> list[str]:
    # Not splitlines(): a carriage return is a fact worth seeing.
    return excerpt(body, redactor).removesuffix("\n").split("\n") if body else []


def excerpt(body: bytes, redactor: Redactor) -> str:
    """The beginning and the end of a body as redacted text, and how much is left out between."""
    if b"\x00" in body[:SHOWN_HEAD]:
        return f"[{len(body)} bytes, not text: {body[:16].hex(' ')} ...]"
    if len(body) <= SHOWN_HEAD + SHOWN_TAIL:
        return redactor.text(body.decode("utf-8", "replace"))
    edge = redactor.longest
    head = redactor.text(body[: SHOWN_HEAD + MARGIN].decode("utf-8", "replace"))
    tail = redactor.text(body[-SHOWN_TAIL - MARGIN :].decode("utf-8", "replace"))
    # At the outer edge of a margin a secret may be cut in two and so unknown: that edge is never shown.
    head, tail = head[: max(len(head) - edge, 0)][:SHOWN_HEAD], tail[edge:][-SHOWN_TAIL:]
    return f"{head}\n[... {len(body) - SHOWN_HEAD - SHOWN_TAIL} of {len(body)} bytes left out ...]\n{tail}"


def curl(exchange: Exchange, key_variable: str) -> str:
    redactor, variable = exchange.redactor, "$" + key_variable.lstrip("$")
    parts = ["curl", "-sS", "-i", "-N", *map(shlex.quote, exchange.curl_options)]
    parts += ["-I"] if exchange.method == "HEAD" else ["-X", shlex.quote(exchange.method)]
    parts.append(_quoted(redactor.text(exchange.url), variable))
    for name, value in redactor.headers(exchange.sent_headers.multi_items()):
        if name.lower() not in _CURLS_OWN and not _default(exchange, name, value):
            parts += ["-H", _quoted(f"{name}: {value}", variable)]
    return " ".join(parts + _data(exchange, variable))


def _default(exchange: Exchange, name: str, value: str) -> bool:
    """Whether curl would send this very header unasked."""
    if name.lower() == "host":
        return exchange.url.partition("://")[2].partition("/")[0] == value
    return name.lower() == "accept" and value == "*/*"


def _data(exchange: Exchange, variable: str) -> list[str]:
    body = exchange.sent_body
    if not body:
        return []
    try:
        text = exchange.redactor.text(body.decode("utf-8"))
    except UnicodeDecodeError:
        return ["--data-binary", "@body.bin"]
    if len(body) >= CURL_BODY or printable(text) != text:
        return ["--data-binary", "@body.json"]
    return ["--data-binary", _quoted(text, variable)]


def _quoted(text: str, variable: str) -> str:
    """One shell word; what is masked becomes the variable, the rest is taken literally."""
    pieces = [shlex.quote(piece) if piece else "" for piece in text.split(MASK)]
    return f'"{variable}"'.join(pieces) or "''"
