"""What a worker says of itself, on disk beside its log: with it, the logs alone make the report.

``<run>/log/worker-3.json``, written at the start, every ``SELF_SECONDS`` and at the end; each time whole. After the
run's first interruption ``worker-3-resumed1.json``, for what was said before still counts.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gevent

from gateproof.load.log import short, stem
from gateproof.load.verdict import WorkerSelf

SELF_SECONDS = 10.0  # as old as the last word of a worker that is killed may be


@dataclass(frozen=True, slots=True)
class Left:
    """``missing`` says, in words, what the workers did not leave."""

    selves: tuple[WorkerSelf, ...]
    missing: tuple[str, ...]


def write_self(folder: Path, own: WorkerSelf, *, ended: bool, play: int = 0) -> Path:
    """OSError when the disk is full."""
    file = folder / f"{stem(own.worker, play)}.json"
    part = file.with_suffix(".part")
    part.write_text(json.dumps({**own.to_plain(), "ended": ended, "at": time.time()}) + "\n", encoding="utf-8")
    part.replace(file)
    return file


def keep_self(folder: Path, own: Callable[[], WorkerSelf], play: int = 0) -> None:
    """Kept fresh while the worker runs, until this greenlet is killed."""
    while True:
        keep_now(folder, own(), ended=False, play=play)
        gevent.sleep(SELF_SECONDS)


def keep_now(folder: Path, own: WorkerSelf, *, ended: bool, play: int = 0) -> None:
    with contextlib.suppress(OSError):  # a full disk is told by the recorder, whose rows wait
        write_self(folder, own, ended=ended, play=play)


def read_selves(folder: Path, workers: Sequence[int], said: Mapping[int, WorkerSelf] | None = None) -> Left:
    """The last words of all workers, as far as they are there and can be read.

    ``workers`` is how many there were from the start on and after each interruption. ``said`` is what the last of them
    said at their ends, by worker, where somebody heard it: it counts before what is on disk.
    """
    found: list[WorkerSelf] = []
    missing: list[str] = []
    for play, number in enumerate(workers):
        last = play == len(workers) - 1
        missing += _read(folder, play, number, found, said or {} if last else {}, last=last)
    return Left(tuple(found), tuple(missing))


def _read(
    folder: Path, play: int, workers: int, found: list[WorkerSelf], said: Mapping[int, WorkerSelf], *, last: bool
) -> Iterator[str]:
    for number in range(workers):
        if number in said:
            found.append(said[number])
            continue
        file = folder / f"{stem(number, play)}.json"
        try:
            plain = json.loads(file.read_text(encoding="utf-8"))
            ended = bool(plain.pop("ended"))
            del plain["at"]
            found.append(WorkerSelf.from_plain(plain))
        except FileNotFoundError:
            yield f"worker {number} left no word of itself: {file.name} is missing"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            yield f"worker {number}'s word of itself cannot be read: {file.name}: {short(error)}"
        else:
            if last and not ended:  # the others were interrupted
                yield f"worker {number} did not come to its end: {found[-1].rows} rows when it last said something"
