"""What the runs of a process stand on: the stack that was launched for them, keys, and how the target counts tokens."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import time
from collections.abc import Callable
from typing import Any

import psutil

from gateproof.errors import ConfigError
from gateproof.launch import launch
from gateproof.launch.from_target import running
from gateproof.load.ask import probe
from gateproof.load.counting import Counted, count_tokens
from gateproof.load.keys import Keys, keys_for
from gateproof.load.log import FOLDER
from gateproof.load.plan import make_plan
from gateproof.load.profile import Profile
from gateproof.load.run import LoadRun
from gateproof.load.schedule import Rest
from gateproof.targets.model import Target
from gateproof.targets.secrets import resolve_headers

HEAD_START = 1.0  # s between telling the workers and the first request, in which they build their plans
DEFAULT_PROFILE = "smoke"


class Ground:
    """``target`` is as it was declared until ``start``, and from then on as it runs."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.keys = Keys()
        self.counted: list[Counted] = []
        self.versions: dict[str, str] = {}
        self._stop_stack: Callable[[], None] = lambda: None

    def start(self, profile: Profile, *, distributed: bool) -> None:
        """Launch what is ours to launch, and have keys for whoever asks in the profile."""
        if self.target.launch is not None:
            launched = launch(self.target)
            self._stop_stack, self.versions = launched.stop, launched.versions
            leave_a_core()
            self.target = running(self.target, launched)
        self.keys = keys_for(self.target, profile)
        if self.keys.made and distributed and not self.target.is_loopback:
            raise ConfigError(
                "a key that is made for a run is not sent to workers over the network",
                key=f"{self.target.name}.tenants",
                accepted="a `key` for each tenant of the profile, or one process",
            )

    def ask(self, profile: Profile) -> None:
        """Whether somebody is there, and how they count."""
        probe(self.target, self.keys.held)
        self.counted = count_tokens(profile, self.target, self.keys.held)

    def order(self, profile: Profile, run: LoadRun, rest: Rest, *, distributed: bool) -> dict[str, Any]:
        """What every worker must know of a run. Secrets stay on this machine."""
        here = not distributed or self.target.is_loopback
        scales, salt = [each.scale for each in self.counted], int(run.facts["salt"])
        plan = make_plan(profile, self.target, self.keys.held, scales, salt=salt)
        return {
            "told": time.time(),
            "start": time.time() + HEAD_START - rest.since,
            "rest": dataclasses.asdict(rest),
            "play": len(run.interruptions),
            "workers": run.workers,
            "schedule": plan.schedule.digest,
            "requests": plan.requests.digest,
            "folder": str(run.folder / FOLDER),
            "scales": [dataclasses.asdict(scale) for scale in scales],
            "salt": salt,
            "base_url": self.target.base_url,
            "direct": self.target.upstream.direct if self.target.upstream else None,
            "keys": {name: key.reveal() for name, key in self.keys.held.items()} if here else {},
            "headers": resolve_headers(self.target) if here else {},
        }

    def leave(self) -> None:
        """Neither keys nor processes of ours stay; once is enough."""
        if left := self.keys.give_back():
            print(f"left behind: {', '.join(left)}", flush=True)
        self._stop_stack()
        self._stop_stack = lambda: None


def leave_a_core() -> None:
    """What was launched here keeps off one core, which is left to what measures it: a stack may be slow, a
    measurement not late.

    Niceness does not do: two busy processes on two cores make a third late by 20 ms and more, however nice they are.
    The launched processes are our children, each the leader of a session; workers that Locust forked are in ours.
    """
    if not hasattr(os, "sched_setaffinity") or len(cores := sorted(os.sched_getaffinity(0))) == 1:
        return
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(child.pid) != child.pid:
                continue
            for each in [child, *child.children(recursive=True)]:
                for thread in each.threads():
                    os.sched_setaffinity(thread.id, cores[:-1])


def command_of(options: Any) -> str:
    """That repeats the run; it names keys, and holds none."""
    settings = [word for setting in options.set or () for word in ("--set", setting)]
    words = ["--target", options.target, "--profile", options.profile or DEFAULT_PROFILE, *settings]
    return shlex.join(["gateproof", "load", *words])
