"""Fixtures of the live tier of load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.rig import Rig, Served, serving


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    for run in rig.runs:
        run.kill()


@pytest.fixture
def server(rig: Rig) -> Iterator[Served]:
    """One that answers well, and is the rig's target."""
    with serving() as served:
        rig.targets(served.port)
        yield served
