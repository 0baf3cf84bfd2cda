"""A scheduler for xdist; no plugin module, and imported only where xdist distributes.

xdist's own `loadgroup` marks node ids in a field that pytest 9.2 no longer reads.
"""

from __future__ import annotations

from typing import Any

from xdist import scheduler  # type: ignore[import-untyped]

from gateproof.verdict.run import ALONE, Run


class ByWindow(scheduler.LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Sends tests which use up one window to one worker, and holds back those that run alone.

    A worker runs its last test only once it has got another one or was told to end. So all workers but one are told to
    end when only the lonely tests are left, and the one that stays gets these when the others have nothing left to do.
    """

    def __init__(self, config: Any, log: Any, run: Run) -> None:
        super().__init__(config, log)
        self._run = run

    def _split_scope(self, nodeid: str) -> str:
        # the controller learns the plan from a worker, before anything is scheduled
        return self._run.plan.windows.get(nodeid, nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        if not self._only_lonely_left() or self._others_idle(node):
            super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        if not self._only_lonely_left():
            super()._reschedule(node)
            return
        staying, *others = [each for each in self.nodes if not each.shutting_down] or [node]
        for each in others:
            each.shutdown()
        if self._others_idle(staying):
            super()._assign_work_unit(staying)
            staying.shutdown()  # it runs all that it has before

    def _only_lonely_left(self) -> bool:
        if ALONE in self.workqueue:
            self.workqueue.move_to_end(ALONE)  # xdist puts large groups first
        return next(iter(self.workqueue), None) == ALONE

    def _others_idle(self, node: Any) -> bool:
        return not any(self._pending_of(self.assigned_work[each]) for each in self.nodes if each is not node)
