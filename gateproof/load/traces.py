"""Arrivals and lengths that somebody recorded: Mooncake's JSON lines and the Azure LLM inference traces.

Sources: https://github.com/kvcache-ai/Mooncake (``timestamp`` in ms, ``input_length``, ``output_length``, ``hash_ids``
of prefix blocks of 512 tokens) and https://github.com/Azure/AzurePublicDataset (``TIMESTAMP,ContextTokens,
GeneratedTokens``).
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gateproof.errors import ConfigError

BLOCK_TOKENS = 512
"""Tokens behind one hash id of a Mooncake trace."""

AZURE_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
MOONCAKE_KEYS = ("timestamp", "input_length", "output_length")


@dataclass(frozen=True, slots=True)
class Traced:
    """One recorded request; ``at`` is seconds since the first one of the trace."""

    at: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()
    """Ids of its leading blocks of tokens; equal ids are equal text."""


def read_trace(path: Path, *, speed: float = 1.0, most: int | None = None) -> list[Traced]:
    """The requests of a trace in the order of time, the first at 0 s; ``speed`` 2 plays it in half the time.

    A line that cannot be read is a ConfigError with its number: a trace with a hole would offer another load than it
    says.
    """
    read = _mooncake if path.suffix == ".jsonl" else _azure
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(_some(read(file, path), most))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the trace cannot be read: {error}", file=path) from None
    if not rows:
        raise ConfigError("the trace is empty", file=path)
    rows.sort(key=lambda row: row.at)
    first = rows[0].at
    return [Traced((row.at - first) / speed, row.input_tokens, row.output_tokens, row.blocks) for row in rows]


def _some(rows: Iterator[Traced], most: int | None) -> Iterator[Traced]:
    for number, row in enumerate(rows):
        if most is not None and number >= most:
            return
        yield row


def _mooncake(lines: Iterator[str], path: Path) -> Iterator[Traced]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _row(path, number, MOONCAKE_KEYS, partial(json.loads, line), _from_mooncake)


def _from_mooncake(row: Any) -> Traced:
    blocks = tuple(int(block) for block in row.get("hash_ids", ()))
    return Traced(float(row["timestamp"]) / 1000, _tokens(row["input_length"]), _tokens(row["output_length"]), blocks)


def _azure(lines: Iterator[str], path: Path) -> Iterator[Traced]:
    rows = csv.DictReader(lines)
    if missing := [name for name in AZURE_COLUMNS if name not in (rows.fieldnames or ())]:
        raise ConfigError(
            f"the first line lacks {', '.join(missing)}",
            file=path,
            line=1,
            accepted=f"{','.join(AZURE_COLUMNS)}, or a file that ends in .jsonl with {', '.join(MOONCAKE_KEYS)}",
        )
    for row in rows:
        yield _row(path, rows.line_num, AZURE_COLUMNS, partial(dict, row), _from_azure)


def _from_azure(row: Any) -> Traced:
    # some of the published files carry seven digits of a second, of which a datetime takes six
    moment = dt.datetime.fromisoformat(row["TIMESTAMP"].strip()[:26]).replace(tzinfo=dt.UTC)
    return Traced(moment.timestamp(), _tokens(row["ContextTokens"]), _tokens(row["GeneratedTokens"]))


def _row(
    path: Path, number: int, keys: tuple[str, ...], parse: Callable[[], Any], make: Callable[[Any], Traced]
) -> Traced:
    try:
        made = make(dict(parse()))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"not a request: {what}", file=path, line=number, accepted=", ".join(keys)) from None
    if not math.isfinite(made.at):
        raise ConfigError("not an instant", file=path, line=number, accepted=", ".join(keys))
    return made


def _tokens(value: Any) -> int:
    count = int(value)
    if count < 0:
        raise ValueError(f"{count} tokens")
    return count
