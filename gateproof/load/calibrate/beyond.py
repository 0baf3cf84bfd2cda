"""A run beside the calibration of its machine: from the run's facts and log alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc  # type: ignore[import-untyped]  # no types

from gateproof.load.calibrate import store
from gateproof.load.calibrate.result import changes, notes
from gateproof.load.log import Rows


def stamp() -> dict[str, Any] | None:
    """For the facts of a run that starts: the calibration kept here, and in what this machine differs since."""
    kept = store.kept()
    return None if kept is None else {**kept, "changed": changes(kept, store.machine())}


def said(facts: Mapping[str, Any], rows: Rows, workers: int) -> list[str]:
    """Notes for the report of a run."""
    return notes(facts.get("calibration"), event_rate(rows) / workers)


def event_rate(rows: Rows) -> float:
    """Events per second, from the first request to the last answer; 0 where there was none."""
    table = rows.table
    events, first, last = (
        each.as_py() for each in (pc.sum(table["events"]), pc.min(table["dispatched"]), pc.max(table["ended"]))
    )
    if not events or first is None or last is None or last <= first:
        return 0.0
    return int(events) / (int(last) - int(first)) * 1e9
