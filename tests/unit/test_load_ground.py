"""What runs beside a measurement on one machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateproof.load.ground import leave_a_core

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


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core cannot be shared out")
def test_what_was_launched_leaves_a_core_to_what_measures_it(
    launched: subprocess.Popen[bytes], worker: subprocess.Popen[bytes]
) -> None:
    ours = os.sched_getaffinity(0)
    leave_a_core()
    assert os.sched_getaffinity(launched.pid) == ours - {max(ours)}
    assert os.sched_getaffinity(worker.pid) == ours == os.sched_getaffinity(0)
