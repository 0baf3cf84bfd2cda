"""Open files: every request under way holds one, and a process may have only so many."""

from __future__ import annotations

import resource

from gateproof.errors import ConfigError

OWN = 128
"""Of a worker beside its requests: Locust's sockets, the log, and what Python has open, with room to spare."""


def room_for(in_flight: int) -> None:
    """Room for so many requests under way in this process: raises the soft limit as far as the hard one allows.

    ConfigError with the number that is needed when that is not enough.
    """
    needed = in_flight + OWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _enough(soft, needed):
        return
    if not _enough(hard, needed):
        raise ConfigError(
            f"each worker needs {needed} open files for {in_flight} requests under way, {hard} are allowed",
            key="in_flight",
            accepted=f"`ulimit -n {needed}` before, or --set in_flight={max(1, hard - OWN)}",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _enough(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed
