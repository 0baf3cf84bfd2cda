"""Whether the client is still there, and what has to happen when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateproof.stack.faults import worn
from gateproof.stack.gateway.body import Receive


class Presence:
    """Watches for the client's hang-up from the end of its body to the end of our answer."""

    def __init__(self) -> None:
        self.gone = False
        self._action: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, receive: Receive) -> None:
        self._task = asyncio.create_task(self._watch(receive))

    def end(self) -> None:
        self._action = None
        if self._task is not None:
            self._task.cancel()

    def watch_over(self, action: Callable[[], None]) -> None:
        """Do this when the client goes; at once if it has gone already."""
        self._action = action
        if self.gone:
            action()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._action is not None and not worn("hang_up_ignored"):
            self._action()
