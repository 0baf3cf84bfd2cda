"""Reports on the disk: whole files or none, the newest findable, and one clear error when the disk refuses."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateproof.errors import GateproofError
from gateproof.report import badge
from gateproof.report.junit import junit_xml
from gateproof.report.model import Report
from gateproof.report.summary import summary_markdown

KIND = "conformance"
LATEST = "latest"
EVIDENCE_FILE_BYTES = 256 * 1024  # one requirement; a dozen exchanges at the bound that the wire puts on each
EVIDENCE_TOTAL_BYTES = 32 * 1024 * 1024  # one run; a CI system keeps this as an artefact without complaint

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the files of one run are."""

    folder: Path
    report: Path
    junit: Path
    summary: Path
    badge: Path
    page: Path
    evidence: tuple[Path, ...]
    latest: Path


def allocate(root: Path, target: str, now: dt.datetime | None = None) -> Path:
    """A new folder `TARGET/conformance/<start, UTC>`; a second run of the same second gets a number after it."""
    started = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).strftime("%Y-%m-%dT%H-%M-%S")
    parent = root / slug(target) / KIND
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = parent / (started if number == 1 else f"{started}.{number:02}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise GateproofError(f"cannot make a report folder in {parent}: {error.strerror or error}") from error
    raise AssertionError("itertools.count ends never")


def write_report(
    report: Report, folder: Path, evidence: Mapping[str, str] | None = None, *, newest: bool = True
) -> Paths:
    """Write everything, the report itself first; one error, after the rest is out, tells what could not be written.

    `newest` points `latest` here: not for a report that is made again, which may be an old one.
    """
    texts = {f"{slug(name)}.http": text for name, text in bounded(evidence or {}).items()}
    paths = Paths(
        folder=folder,
        report=folder / "report.json",
        junit=folder / "junit.xml",
        summary=folder / "summary.md",
        badge=folder / "badge.svg",
        page=folder / "report.html",
        evidence=tuple(folder / name for name in texts),
        latest=folder.parent / LATEST,
    )
    jobs: dict[Path, Callable[[Path], None]] = {
        paths.report: lambda path: write_whole(path, report.model_dump_json(indent=2) + "\n"),
        **({paths.latest: lambda path: point(path, folder.name)} if newest else {}),
        paths.junit: lambda path: write_whole(path, junit_xml(report)),
        paths.summary: lambda path: write_whole(path, summary_markdown(report)),
        **{folder / name: partial(write_whole, text=text) for name, text in texts.items()},
        paths.badge: lambda path: write_whole(path, badge.svg(report)),
        paths.page: lambda path: write_whole(path, _page(report)),
    }
    troubles: dict[Path, Exception] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GateproofError(f"cannot write the report to {folder}: {error.strerror or error}") from error
    for path, job in jobs.items():
        try:
            job(path)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one file, the others are to be there
            troubles[path] = error
    if troubles:
        raise GateproofError(_trouble(folder, troubles, len(jobs))) from next(iter(troubles.values()))
    return paths


def _page(report: Report) -> str:
    from gateproof.report.html import conformance  # noqa: PLC0415 - templates are for the process that writes

    return conformance.render(report)


def write_whole(path: Path, text: str) -> None:
    """A reader finds the old file or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def point(link: Path, name: str) -> None:
    """Relative, so that the folder of reports can be moved or served."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(name)
        temporary.replace(link)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def bounded(evidence: Mapping[str, str]) -> dict[str, str]:
    """Each text within its bound, and all of them within theirs; what is left out says so."""
    left, kept = EVIDENCE_TOTAL_BYTES, {}
    for name, text in evidence.items():
        kept[name] = _cut(text)
        left -= len(kept[name].encode("utf-8", "backslashreplace"))
        if left < 0:
            kept[name] = "# left out: the evidence of this run is larger than it may be\n"
    return kept


def _cut(text: str) -> str:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= EVIDENCE_FILE_BYTES:
        return text
    return data[:EVIDENCE_FILE_BYTES].decode("utf-8", "ignore") + f"\n# … cut here: {len(data):,} bytes in all\n"


def slug(name: str) -> str:
    """A name as one component of a path, whatever is in it."""
    return _UNSAFE.sub("-", name).lstrip(".") or "unnamed"


def _trouble(folder: Path, troubles: Mapping[Path, Exception], jobs: int) -> str:
    path, error = next(iter(troubles.items()))
    others = f" and {len(troubles) - 1} more" if len(troubles) > 1 else ""
    return (
        f"cannot write {path.name}{others} in {folder}: {_reason(error)}; "
        f"{jobs - len(troubles)} of {jobs} files are there"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"a defect of gateproof: {type(error).__name__}: {error}"
