"""One worker's share of a run: every request leaves when it is due, whatever the target does.

Nothing waits for anything: a timer of gevent's loop starts what is due and prepares what comes next, the reactor gives
back what has ended, and one greenlet reads and records it. What cannot leave is counted, never put off.
"""

from __future__ import annotations

import gc
import resource
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import gevent
from gevent.event import Event

from gateproof.load.histogram import Histogram
from gateproof.load.log import STOPPED
from gateproof.load.profile import Profile
from gateproof.load.recorder import Recorder
from gateproof.load.requests import Requests
from gateproof.load.schedule import WHOLE, Rest, Schedule
from gateproof.load.wire.answer import Answer
from gateproof.load.wire.call import Call, Origin, Patience
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.reactor import Reactor
from gateproof.load.wire.reading import Reading, read
from gateproof.load.workload import Asked

AHEAD = 8  # requests built before they are due; building one takes tens of microseconds
LOOK = 0.02  # s between two looks at how late our own timers are; so fine that one pause of many seconds is no p99
SLICE = 0.001  # s that recording may take before the loop gets its turn
YIELD = 1e-6  # s; not 0, which is a callback: gevent runs a thousand of them before it looks for what came or is due
HURRY = 3.0  # s that answers under way still have when the run is stopped; then they are abandoned

OK = 200

Told = Callable[[int, Call, Reading], None]
"""Of each request: when it was due (ns of the monotonic clock), and what became of it."""


@dataclass(frozen=True)
class Plan:
    """Everything that all workers agree on."""

    profile: Profile
    schedule: Schedule
    asked: Asked
    requests: Requests
    origin: Origin


class Engine:
    """``run`` returns when every request of this worker's share has ended, one way or another."""

    def __init__(
        self, plan: Plan, worker: int, workers: int, recorder: Recorder, told: Told, rest: Rest = WHOLE
    ) -> None:
        self._plan, self._worker, self._recorder, self._told, self._since = plan, worker, recorder, told, rest.since
        self._waiting = deque(rest.of(plan.schedule.shard(worker, workers)).tolist())
        self._built: deque[tuple[int, bytes]] = deque()
        self._ended: deque[tuple[Call, Answer]] = deque()
        self._later: dict[int, Any] = {}  # timers of turns that are thought about
        self._due: dict[int, int] = {}  # ns of the run at which a turn behind another is due
        self._phase_ends = [int(end * 1e9) for end in accumulate(phase.duration for phase in plan.schedule.phases)]
        self._some_ended, self._ending, self._over = Event(), Event(), Event()
        self._closed = plan.profile.arrivals.kind == "closed"
        streams = plan.profile.arrivals.streams or 0
        self._streams = streams // workers + (worker < streams % workers)
        patience = plan.profile.patience
        self._patience = Patience(patience.connect, patience.stall, patience.total)
        self.reactor = Reactor(self._take_back)
        self.lag = Histogram()
        self.in_flight = 0
        self.stopped = False
        self._start = 0

    @property
    def cpu(self) -> float:
        """Seconds of processor time that this process has used."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def run(self, start: int) -> None:
        """``start`` is the run's zero on this process's monotonic clock, in ns; of a resumed run, long ago."""
        self._start = start
        quiet_collector()
        loop = gevent.get_hub().loop
        self._timer = loop.timer(0.0)
        looking = gevent.spawn(self._look)
        recording = gevent.spawn(self._record)
        self._prepare()
        if self._closed:
            gevent.sleep(max(0.0, (start - Clock.now()) / 1e9 + self._since))
            for _ in range(self._streams):
                self._start_next()
                gevent.sleep(YIELD)  # what comes to the first of them shall not wait for the last
        else:
            self._pace()
        self._check_over()
        self._wait_for_the_end()
        self.stop()
        self._timer.stop()
        self._timer.close()
        self.reactor.close()
        looking.kill()
        self._some_ended.set()
        recording.join()
        self._recorder.flush(now=True)

    def _wait_for_the_end(self) -> None:
        """Until all have ended, or their time is up; who stops a run does not wait for long."""
        self._ending.wait(timeout=self._left() + self._plan.profile.patience.drain)
        if self.stopped:
            self._over.wait(timeout=HURRY)

    def stop(self) -> None:
        """Nothing more leaves; what has not left is counted as such."""
        self.stopped = True
        for index in [*(index for index, _ in self._built), *self._waiting]:
            if not self._closed:
                self._miss(index, STOPPED)
        for index in list(self._later):
            self._later.pop(index).close()
            self._skip([index, *self._plan.asked.after(index)], STOPPED)
        self._built.clear()
        self._waiting.clear()
        self._check_over()
        self._ending.set()

    # --- leaving ---

    def _left(self) -> float:
        """Seconds until the last phase ends."""
        return max(0.0, self._start / 1e9 + self._plan.schedule.duration - Clock.now() / 1e9)

    def _prepare(self) -> None:
        while self._waiting and len(self._built) < AHEAD:
            index = self._waiting.popleft()
            self._built.append((index, self._plan.requests.build(index)))

    def _pace(self) -> None:
        """Start what is due, build what comes next, and wake up for it."""
        times = self._plan.schedule.times
        while self._built and (wait := self._start + times[self._built[0][0]] * 1e9 - Clock.now()) <= 0:
            index, data = self._built.popleft()
            self._dispatch(index, data)
            if not self._built:
                self._prepare()
        self._prepare()
        if self._built and not self.stopped:
            self._arm(wait / 1e9)
        self._check_over()

    def _arm(self, seconds: float) -> None:
        self._timer.close()
        self._timer = gevent.get_hub().loop.timer(max(0.0, seconds))
        self._timer.start(self._pace)

    def _start_next(self) -> None:
        """A stream has become free: its next request."""
        self._prepare()
        if self.stopped or not self._built or self._left() <= 0:
            return
        self._dispatch(*self._built.popleft())

    def _dispatch(self, index: int, data: bytes) -> None:
        if self.in_flight >= self._plan.profile.in_flight:
            self._miss(index, f"{self.in_flight} were under way")
            return
        door = self._plan.requests.door(index)
        call = Call(data, door.stream, index=index, patience=self._patience)
        self.in_flight += 1
        self.reactor.start(call, door.origin or self._plan.origin, reuse=self._plan.profile.keepalive)

    def _miss(self, index: int, why: str) -> None:
        """It was due and did not leave; so no turn behind it ever will."""
        self._recorder.missed(self._known(index), Outcome.NOT_DISPATCHED, why)
        self._skip(self._plan.asked.after(index), why)

    # --- turns of a conversation ---

    def _goes_on(self, call: Call, answer: Answer) -> bool:
        """Whether another turn follows; it is due once the answer before it has been thought about."""
        rest = self._plan.asked.after(call.index)
        if not rest:
            return False
        due = call.ended - self._start + int((self._plan.profile.workload.think or 0.0) * 1e9)
        if call.failure is not None or answer.status != OK:
            self._skip(rest, "the turn before it failed")
        elif self.stopped or due >= self._phase_ends[-1]:
            self._skip(rest, "the run ends before")
        else:
            self._due[rest[0]] = due
            self._follow(rest[0], self._plan.requests.build(rest[0]))
            return True
        return False

    def _follow(self, index: int, data: bytes) -> None:
        """Send a turn when it is due; a timer of the loop may be early by what the loop's own clock is late."""
        wait = self._start + self._due[index] - Clock.now()
        if wait <= 0:
            self._dispatch(index, data)
            return
        self._later[index] = gevent.get_hub().loop.timer(wait / 1e9)
        self._later[index].start(self._thought, index, data)

    def _thought(self, index: int, data: bytes) -> None:
        self._later.pop(index).close()
        self._follow(index, data)
        self._check_over()

    def _skip(self, indices: Iterable[int], why: str) -> None:
        for index in indices:
            self._recorder.missed({**self._known(index), "scheduled": None}, Outcome.SKIPPED, why)

    # --- coming back ---

    def _take_back(self, call: Call, answer: Answer) -> None:
        """From within the loop: only what cannot wait."""
        self.in_flight -= 1
        self._ended.append((call, answer))
        self._some_ended.set()
        if not self._goes_on(call, answer) and self._closed:
            self._start_next()

    def _record(self) -> None:
        """Read and record what has ended, in slices that leave the loop its turns."""
        while True:
            self._some_ended.wait()
            self._some_ended.clear()
            until = time.monotonic() + SLICE
            while self._ended:
                call, answer = self._ended.popleft()
                self._settle(call, answer)
                if time.monotonic() > until:
                    self._recorder.flush()  # here too: under a steady load there is always more
                    gevent.sleep(YIELD)
                    until = time.monotonic() + SLICE
            self._recorder.flush()
            self._check_over()
            if self._over.is_set():
                return

    def _settle(self, call: Call, answer: Answer) -> None:
        reading = read(call, answer, self._plan.requests.door(call.index).api, self.reactor.clock)
        known = self._known(call.index)
        if self._closed and call.index < self._plan.asked.conversations:
            known["scheduled"] = call.dispatched - self._start
        self._recorder.done(call, answer, reading, known)
        self._told(self._start + known["scheduled"], call, reading)
        answer.release()

    def _known(self, index: int) -> dict[str, Any]:
        schedule, asked = self._plan.schedule, self._plan.asked
        first, due = index % asked.conversations, self._due.pop(index, None)
        return {
            "index": index,
            "worker": self._worker,
            "phase": int(schedule.phase[first]) if due is None else bisect_right(self._phase_ends, due),
            "part": int(asked.part[index]),
            "scheduled": int(schedule.times[first] * 1e9) if due is None else due,
            "asked_input": asked.prompt_tokens(index),
            "asked_output": int(asked.output_tokens[index]),
        }

    def _check_over(self) -> None:
        nothing_leaves = self.stopped or not (self._built or self._waiting) or (self._closed and self._left() <= 0)
        if nothing_leaves and not self.in_flight and not self._ended and not self._later:
            self._over.set()
            self._ending.set()

    def _look(self) -> None:
        """How late our own timers are: a worker that is late itself must not blame the target.

        On a grid, so that a pause counts for every look that it has swallowed.
        """
        due, step = Clock.now(), int(LOOK * 1e9)
        while True:
            due += step
            gevent.sleep(max(0.0, (due - Clock.now()) / 1e9))
            self.lag.add(max(0, Clock.now() - due))


def quiet_collector() -> None:
    """What is here now stays, and is not looked at again: a full collection takes 100 ms, in which nothing leaves.

    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()
