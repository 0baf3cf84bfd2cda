"""What holds for the chunks of one stream, and for the instants at which they came. Pure.

Payloads are the parsed JSON objects of a stream in order; arrivals are seconds on one clock, in order.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateproof.limits.finding import Finding

Payloads = Sequence[Mapping[str, Any]]

CHUNK = "chat.completion.chunk"

# STREAM-017, in its own numbers: the share of the engine's time that must be seen, and when events count as together.
LEAST_SPREAD = 0.8
BURST_WITHIN = 0.010  # s
BURST = 3  # events that come together, or are waited for in one gap, were held back

# Fields of a delta in which a model says something; a role alone is not said by it.
_SAID = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call", "audio")
_THREE_ENDINGS = re.compile(rb"(?>\r\n|\n|\r){3}")
_ENDING = re.compile(rb"\r\n|\n|\r")


def utf8_error(data: bytes) -> str | None:
    """Where and why bytes are not UTF-8; None when they are."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        around = data[max(0, error.start - 8) : error.end + 8]
        return f"byte {error.start}: {error.reason} in {around!r}"
    return None


def choices(payloads: Payloads) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each choice of each chunk with its index."""
    for payload in payloads:
        found = payload.get("choices")
        for choice in found if isinstance(found, list) else []:
            if isinstance(choice, dict):
                yield choice.get("index", 0), choice


def says(choice: Mapping[str, Any]) -> bool:
    """Whether a choice brings something that the model generated."""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return bool(choice.get("text"))
    return any(delta.get(name) for name in _SAID)


def unsteady(payloads: Payloads) -> dict[str, list[Any]]:
    """The fields that must be the same in every chunk and are not, with all their values; ``object`` must be right."""
    found = {name: _distinct(payload.get(name) for payload in payloads) for name in ("id", "created", "model")}
    wrong = {name: values for name, values in found.items() if len(values) != 1 or values[0] in (None, "")}
    kinds = _distinct(payload.get("object") for payload in payloads)
    return wrong if kinds == [CHUNK] else {"object": kinds, **wrong}


def _distinct(values: Iterator[Any]) -> list[Any]:
    seen: list[Any] = []
    for value in values:
        if value not in seen:
            seen.append(value)
    return seen


def ends(payloads: Payloads) -> dict[int, str]:
    """By choice, how it ended: its finish reasons, and a ``+`` for each thing said after the first of them.

    One reason and no plus is right.
    """
    story: dict[int, list[str]] = {}
    for index, choice in choices(payloads):
        parts = story.setdefault(index, [])
        if parts and says(choice):
            parts.append("+")
        if choice.get("finish_reason") is not None:
            parts.append(str(choice["finish_reason"]))
    return {index: " ".join(parts) for index, parts in sorted(story.items())}


def first_roles(payloads: Payloads) -> dict[int, Any]:
    """By choice, the role in its first delta."""
    roles: dict[int, Any] = {}
    for index, choice in choices(payloads):
        delta = choice.get("delta")
        roles.setdefault(index, delta.get("role") if isinstance(delta, dict) else None)
    return dict(sorted(roles.items()))


def usage_comes_last(payloads: Payloads) -> Finding:
    """One usage, in the last chunk, which has no choices (OpenAI ``stream_options.include_usage``)."""
    expected = "one chunk with usage: the last one, with empty choices"
    where = [index for index, payload in enumerate(payloads) if payload.get("usage") is not None]
    if where != [len(payloads) - 1]:
        return Finding.no(expected, f"usage in chunks {where} of {len(payloads)}")
    last = payloads[-1].get("choices")
    seen = f"usage in the last chunk, with choices {last!r}"
    return Finding.yes(expected, seen) if last == [] else Finding.no(expected, seen)


def one_line_ending(data: bytes) -> Finding:
    """One style of line ending in the whole stream, and no blank line twice."""
    expected = "one style of line ending, and one blank line after an event"
    styles = sorted({match.group() for match in _ENDING.finditer(data)})
    if len(styles) != 1:
        return Finding.no(expected, f"line endings {styles}")
    if doubled := _THREE_ENDINGS.search(data):
        around = data[max(0, doubled.start() - 16) : doubled.end()]
        return Finding.no(expected, f"a doubled line ending at byte {doubled.start()}: {around!r}")
    return Finding.yes(expected, f"line ending {styles[0]!r}")


def follows_cadence(
    arrivals: Sequence[float], *, events: int, gap: float, held_up: Sequence[tuple[float, float]] = ()
) -> Finding:
    """Content comes as it is generated, ``gap`` seconds apart: neither in heaps nor all at the end.

    ``held_up`` are the times at which this process itself was not running. What was read right after one may have come
    at any moment of it, so it says nothing; and a machine that holds us up may do so to the stack under test.
    """
    least, most = LEAST_SPREAD * gap * (events - 1), BURST * gap
    expected = (
        f"{events} events every {gap * 1000:g} ms: at least {least:.2f} s from first to last, "
        f"fewer than {BURST} within {BURST_WITHIN * 1000:g} ms, no gap of {most:.2f} s"
    )
    if not arrivals:
        return Finding.no(expected, "no content")
    lost = sum(end - start for start, end in held_up)
    clear = [at for at in arrivals if not any(start <= at <= end + BURST_WITHIN for start, end in held_up)]
    spread, burst = arrivals[-1] - arrivals[0], largest_burst(clear)
    pause = max(
        (
            later - earlier
            for earlier, later in itertools.pairwise(arrivals)
            if not any(start < later and earlier < end for start, end in held_up)
        ),
        default=0.0,
    )
    seen = f"{len(arrivals)} in {spread:.2f} s, {burst} together, longest gap {pause:.2f} s"
    if spread + lost < least:
        return Finding.no(expected, seen)
    followed = spread >= least and burst < BURST and pause < most
    if followed and len(clear) >= events / 2:
        return Finding.yes(expected, seen)
    if followed or lost >= gap:
        return Finding.undecided(expected, f"{seen}; but we ourselves were held up for {lost:.2f} s")
    return Finding.no(expected, seen)


def largest_burst(arrivals: Sequence[float], within: float = BURST_WITHIN) -> int:
    """Most arrivals in any stretch of so many seconds."""
    first, most = 0, 0
    for last, at in enumerate(arrivals):
        while at - arrivals[first] > within:
            first += 1
        most = max(most, last - first + 1)
    return most


def longest_gap(instants: Sequence[float]) -> float:
    """Seconds of the longest silence between two instants that follow each other."""
    return max((later - earlier for earlier, later in itertools.pairwise(instants)), default=0.0)
