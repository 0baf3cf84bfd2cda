"""Which xdist worker runs what: all that use up one window go to one, and some tests run after all others, alone."""

from __future__ import annotations

from typing import Any

import pytest

from gateproof.verdict.plugin.options import RUN


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    run = config.stash.get(RUN, None)
    if run is None or config.getoption("dist") != "loadgroup":
        return None
    from gateproof.verdict.plugin.scheduler import ByWindow  # noqa: PLC0415 - only where xdist distributes

    return ByWindow(config, log, run)
