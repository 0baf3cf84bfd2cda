"""May two load runs be compared? Only where nothing differs but what is being compared."""

from __future__ import annotations

from collections.abc import Iterator

from gateproof.errors import ConfigError, near_miss
from gateproof.gate.measure import LoadRun
from gateproof.report import likeness

SHOWN = 5
"""Differences that a message names; the rest are counted."""


def baseline_of(run: LoadRun, baselines: list[LoadRun], *, other_versions: bool) -> LoadRun | None:
    """The baseline that a run is compared with: that of its profile. None where no baseline is given at all."""
    if not baselines:
        return None
    alike = [each for each in baselines if each.profile == run.profile]
    if not alike:
        known = sorted({each.profile for each in baselines})
        problem = f"{run.folder} has profile `{run.profile}`, and no baseline has{near_miss(run.profile, known)}"
        raise ConfigError(
            problem, key="--baseline", accepted=f"a run of profile `{run.profile}`; given: {', '.join(known)}"
        )
    if len(alike) > 1:
        both = " and ".join(str(each.folder) for each in alike[:2])
        raise ConfigError(f"two baselines of profile `{run.profile}`: {both}", key="--baseline", accepted="one of each")
    refuse_unlike(run, alike[0], other_versions=other_versions)
    return alike[0]


def refuse_unlike(run: LoadRun, baseline: LoadRun, *, other_versions: bool) -> None:
    """ConfigError that names what differs."""
    if run.folder.resolve() == baseline.folder.resolve():
        raise ConfigError(f"{baseline.folder} is the run itself", key="--baseline", accepted="an earlier run")
    if found := list(differences(run, baseline)):
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        listed = "; ".join([*found[:SHOWN], *more])
        problem = f"{run.folder} and {baseline.folder} cannot be compared: {listed}"
        accepted = "a baseline of the same target, profile and version of gateproof"
        raise ConfigError(problem, key="--baseline", accepted=accepted)
    if not other_versions and (found := list(version_differences(run, baseline))):
        problem = f"{run.folder} and {baseline.folder} are of different versions: {'; '.join(found)}"
        accepted = "a baseline of the same versions, or --other-versions where their difference is the question"
        raise ConfigError(problem, key="--baseline", accepted=accepted)


def differences(run: LoadRun, baseline: LoadRun) -> Iterator[str]:
    """What differs of the target, the load and the ruler, in words: this run's first."""
    return _told(run, baseline, {"target", "load", "ruler"})


def version_differences(run: LoadRun, baseline: LoadRun) -> Iterator[str]:
    """What differs of the versions that the target told."""
    return _told(run, baseline, {"version"})


def _told(run: LoadRun, baseline: LoadRun, kinds: set[likeness.Kind]) -> Iterator[str]:
    for each in likeness.differences(baseline.report, run.report):
        if each.kind in kinds:
            yield f"{each.what.removeprefix('version ')} {each.candidate}, in the baseline {each.baseline}"


def machine_difference(run: LoadRun, baseline: LoadRun) -> str | None:
    """Told, not refused: the same load from another machine is the same question, asked from elsewhere."""
    if run.report.machine == baseline.report.machine:
        return None
    return f"{run.folder} and {baseline.folder} come from different machines"
