"""All that a page is made of, read and binned once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gateproof.load.metrics.samples import Samples, read_samples
from gateproof.load.page.charts import Band
from gateproof.load.page.columns import Floats, Log, read
from gateproof.load.page.series import Bins

REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Context:
    """``told`` is the report of the page; of a search, ``shown`` is that of the run whose log is drawn."""

    told: Mapping[str, Any]
    shown: Mapping[str, Any]
    log: Log
    samples: Samples
    bins: Bins
    bands: Sequence[Band]
    trials: Sequence[Mapping[str, Any]] = ()
    """Reports of the runs of a search, in their order; empty where one is not there any more."""

    @property
    def stops(self) -> list[float]:
        """Seconds of the run's clock at which it was interrupted, and stood still until it was resumed."""
        return [float(each["at_s"]) for each in self.shown.get("interruptions") or ()]

    @property
    def due(self) -> Floats:
        return self.log.instants["scheduled"]


def context(folder: Path, told: Mapping[str, Any]) -> Context:
    """From the folder of a run; the folder of a search has no log, those beside it have."""
    shown, place = told, folder
    search = told.get("saturation")
    if search:
        place = folder.parent / _best(search)
        shown = _report(place) or told
    bands = bands_of(shown)
    log = read(place, [number for number, band in enumerate(bands) if band.counted], _parts(shown))
    length = max([*(band.end for band in bands), _last(log)], default=0.0)
    trials = [_report(folder.parent / each["folder"]) for each in search["runs"]] if search else []
    return Context(told, shown, log, read_samples(place), Bins.of(length or 1.0, len(log)), bands, trials)


def bands_of(told: Mapping[str, Any]) -> list[Band]:
    """The phases of a profile, one after the other."""
    bands: list[Band] = []
    for phase in told["profile"].get("phases") or ():
        start = bands[-1].end if bands else 0.0
        bands.append(Band(phase["name"], start, start + phase["duration"], phase.get("counted", True)))
    return bands


def _parts(told: Mapping[str, Any]) -> int | None:
    """In a run against the backend itself: the number of parts of the mix, beyond which they are the direct way's."""
    profile = told["profile"]
    return len(profile["workload"]["mix"]) if profile.get("against") else None


def _best(search: Mapping[str, Any]) -> str:
    """The run that a search reports the numbers of: the highest that met the objectives, else the first."""
    met = [run for run in search["runs"] if run["rate"] == search["met"] and run["judgement"] == "met"]
    return str((met or search["runs"])[0]["folder"])


def _report(folder: Path) -> Mapping[str, Any]:
    try:
        told = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _last(log: Log) -> float:
    ended = log.instants["ended"]
    return float(np.nanmax(ended)) if len(ended) and not np.isnan(ended).all() else 0.0
