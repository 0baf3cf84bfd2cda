"""Whether requests were as long as they should be: what was asked for beside what the target counted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types

from gateproof.load.log import Rows
from gateproof.load.wire.outcome import Outcome

SIDES = {"input": ("asked_input", "prompt_tokens"), "output": ("asked_output", "completion_tokens")}


def fidelity(rows: Rows, prompts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``prompts`` (one entry per part of the mix) with what became of each, of the answers that tell their usage.

    Per side: ``requests``, tokens ``asked`` and ``told``, ``off`` (requests whose counts differ) and ``discrepancy``,
    the share by which the sum told exceeds the sum asked for; None where nothing was told.
    """
    good = rows.scalars.filter(pc.equal(rows.table["outcome"].cast(pa.string()), Outcome.OK.value))
    return [
        {**each, **{side: _side(good.filter(pc.equal(good["part"], number)), *SIDES[side]) for side in SIDES}}
        for number, each in enumerate(prompts)
    ]


def _side(table: pa.Table, asked_name: str, told_name: str) -> dict[str, Any]:
    known = table.filter(pc.and_(pc.is_valid(table[asked_name]), pc.is_valid(table[told_name])))
    asked, told = int(pc.sum(known[asked_name]).as_py() or 0), int(pc.sum(known[told_name]).as_py() or 0)
    off = pc.sum(pc.not_equal(known[asked_name], known[told_name])).as_py() or 0
    return {
        "requests": known.num_rows,
        "asked": asked,
        "told": told,
        "off": int(off),
        "discrepancy": told / asked - 1 if asked else None,
    }


def in_words(prompts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each part of the mix whose answers tell what they cost."""
    return [_line(each) for each in prompts if any(each[side]["asked"] for side in SIDES)]


def _line(each: Mapping[str, Any]) -> str:
    came = ", ".join(
        f"{side} {each[side]['told']:,} tokens of {each[side]['asked']:,} asked for ({each[side]['discrepancy']:+.2%})"
        for side in SIDES
        if each[side]["asked"]
    )
    return (
        f"{each['api']} {each['model']}, prompts {'exact' if each['exact'] else 'estimated'} ({each['how']}): {came}."
    )
