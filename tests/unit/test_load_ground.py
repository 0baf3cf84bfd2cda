"""What runs beside a measurement on one machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateproof.load.ground import GIVES_WAY, give_way

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def launched() -> Iterator[subprocess.Popen[bytes]]:
    yield from _started(own_session=True)


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """Of ours, forked for `--processes`: in our own session."""
    yield from _started(own_session=False)


def _started(*, own_session: bool) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPS, start_new_session=own_session) as child:
        yield child
        child.kill()


def test_what_was_launched_gives_way_to_what_measures_it(
    launched: subprocess.Popen[bytes], worker: subprocess.Popen[bytes]
) -> None:
    give_way()
    assert os.getpriority(os.PRIO_PROCESS, launched.pid) == GIVES_WAY
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == os.getpriority(os.PRIO_PROCESS, 0)
