"""While windows are waited out nothing would be seen: say what is waited for, and for how long."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from gateproof.verdict.plugin.cmdline import TERMINAL
from gateproof.verdict.plugin.options import RUN, is_worker
from gateproof.verdict.run import Plan

QUIET = 15.0  # s without any result after which somebody at a terminal wonders
SHOWN = 4  # requirements named in one line

PATIENCE = pytest.StashKey["Patience"]()


@dataclass
class Patience:
    """Which tests run now, and since when; fed by the hooks of the controller."""

    plan: Plan
    workers: int = 1
    begun: dict[str, float] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    last: float = 0.0

    def start(self, nodeid: str, now: float) -> None:
        self.begun[nodeid] = self.last = now

    def end(self, nodeid: str, now: float) -> None:
        self.ended.add(nodeid)
        self.last = now

    def line(self, now: float) -> str | None:
        """What to say after a quiet while; None when there is nothing to say yet."""
        running = {nodeid: since for nodeid, since in self.begun.items() if nodeid not in self.ended}
        waiting = [nodeid for nodeid in running if nodeid in self.plan.waits]
        if not waiting or now - self.last < QUIET:
            return None
        self.last = now
        names = list(dict.fromkeys(name for nodeid in waiting if (name := requirement_of(self.plan, nodeid))))
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"waiting for windows: {', '.join(names[:SHOWN])}{more}; about {self.left(running, now):.0f} s to go"

    def left(self, running: Mapping[str, float], now: float) -> float:
        """Seconds until all waits are over, as planned: those under way, then the others shared by the workers."""
        under_way = [self.plan.waits.get(nodeid, 0.0) - (now - since) for nodeid, since in running.items()]
        begun = {self.plan.together.get(nodeid, nodeid) for nodeid in self.begun}
        ahead = [nodeid for nodeid in self.plan.waits if self.plan.together.get(nodeid, nodeid) not in begun]
        return max(1.0, *under_way) + sum(self.plan.waits_of(ahead)) / self.workers


def requirement_of(plan: Plan, nodeid: str) -> str | None:
    return next((tests[nodeid] for tests in plan.awaited.values() if nodeid in tests), None)


@pytest.hookimpl(trylast=True)  # when the run has been made
def pytest_configure(config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is None or is_worker(config) or config.getoption("collectonly"):
        return
    workers = config.getoption("numprocesses", None)
    config.pluginmanager.register(Watcher(config, Patience(run.plan, workers if isinstance(workers, int) else 1)))


class Watcher:
    """The hooks and the thread that speaks when all else is quiet."""

    def __init__(self, config: pytest.Config, patience: Patience) -> None:
        self._config, self._patience = config, patience
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gateproof-waiting", daemon=True)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        # xdist's controller gets its plan only when the first worker has collected
        self._patience.plan = self._config.stash[RUN].plan
        self._patience.start(nodeid, time.monotonic())
        if not self._thread.is_alive() and not self._over.is_set():
            self._thread.start()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._patience.end(nodeid, time.monotonic())

    def pytest_sessionfinish(self) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            if line := self._patience.line(time.monotonic()):
                with contextlib.suppress(OSError):  # nobody is there to read it
                    os.write(TERMINAL, f"\n  {line}\n".encode())
