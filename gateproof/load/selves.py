"""What a worker says of itself, on disk beside its log: with it, the logs alone make the report.

``<run>/log/worker-3.json``, written at the start, every ``SELF_SECONDS`` and at the end; each time whole.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gevent

from gateproof.load.log import short
from gateproof.load.verdict import WorkerSelf

SELF_SECONDS = 10.0  # as old as the last word of a worker that is killed may be


@dataclass(frozen=True, slots=True)
class Left:
    """``missing`` says, in words, what the workers did not leave."""

    selves: dict[int, WorkerSelf]
    missing: tuple[str, ...]


def write_self(folder: Path, own: WorkerSelf, *, ended: bool) -> Path:
    """OSError when the disk is full."""
    file = folder / f"worker-{own.worker}.json"
    part = file.with_suffix(".part")
    part.write_text(json.dumps({**own.to_plain(), "ended": ended, "at": time.time()}) + "\n", encoding="utf-8")
    part.replace(file)
    return file


def keep_self(folder: Path, own: Callable[[], WorkerSelf]) -> None:
    """Kept fresh while the worker runs, until this greenlet is killed."""
    while True:
        keep_now(folder, own(), ended=False)
        gevent.sleep(SELF_SECONDS)


def keep_now(folder: Path, own: WorkerSelf, *, ended: bool) -> None:
    with contextlib.suppress(OSError):  # a full disk is told by the recorder, whose rows wait
        write_self(folder, own, ended=ended)


def read_selves(folder: Path, workers: int) -> Left:
    """The last words of ``workers`` workers, as far as they are there and can be read."""
    selves: dict[int, WorkerSelf] = {}
    missing = list(_read(folder, workers, selves))
    return Left(selves, tuple(missing))


def _read(folder: Path, workers: int, selves: dict[int, WorkerSelf]) -> Iterator[str]:
    for number in range(workers):
        file = folder / f"worker-{number}.json"
        try:
            plain = json.loads(file.read_text(encoding="utf-8"))
            ended = bool(plain.pop("ended"))
            del plain["at"]
            selves[number] = WorkerSelf.from_plain(plain)
        except FileNotFoundError:
            yield f"worker {number} left no word of itself: {file.name} is missing"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            yield f"worker {number}'s word of itself cannot be read: {file.name}: {short(error)}"
        else:
            if not ended:
                yield f"worker {number} did not come to its end: {selves[number].rows} rows when it last said something"
