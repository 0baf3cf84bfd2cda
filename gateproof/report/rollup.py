"""From the records of the tests to the report on a target. Pure: the clock and the calendar are arguments."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from gateproof.report.model import (
    BLOCKING,
    Capability,
    EvidenceRef,
    Known,
    NotTested,
    Part,
    Report,
    RequirementResult,
    Spent,
    Suite,
    Summary,
    TargetInfo,
)
from gateproof.report.records import Record
from gateproof.report.text import clean
from gateproof.verdict.catalogue import Catalogue, Requirement
from gateproof.verdict.expectations import Expectation, Expectations, Judgement
from gateproof.verdict.outcomes import Level, Verdict, worst

NO_EVIDENCE = frozenset({Verdict.PASS, Verdict.NOT_DECLARED, Verdict.DISABLED})
JUDGED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.INFO})

EXCERPT_LIMIT = 1500  # characters; head and first lines of a body, the rest is in the evidence file
EVIDENCE_LISTED = 12  # exchanges per requirement in the report; the evidence file holds them all


def roll_up(
    records: Iterable[Record],
    *,
    target: TargetInfo,
    suite: Suite,
    catalogue: Catalogue,
    expectations: Expectations,
    started: dt.datetime,
    ended: dt.datetime | None,
    complete: bool,
    today: dt.date,
    interrupted: str | None = None,
    selected: str | None = None,
    awaited: Mapping[str, str] | None = None,
    capabilities: Iterable[Capability] = (),
    spent: Spent | None = None,
) -> Report:
    """The report on one target; records of other targets are passed over.

    `awaited` maps the id of every collected test of this target to its requirement. In a run that calls itself
    complete, one of them without a record is an ERROR: a lost result must not read as nothing to report.
    """
    own = [record for record in records if record.target == target.name]
    lost = _lost(own, awaited or {}, target.name)
    results = _results([*own, *(lost if complete else [])], catalogue, expectations, today)
    not_run = [requirement for requirement in catalogue.requirements if any(r.requirement == requirement for r in lost)]
    wall = (ended - started).total_seconds() if ended else 0.0
    return Report(
        target=target,
        suite=suite,
        started=started.astimezone(dt.UTC),
        ended=ended.astimezone(dt.UTC) if ended else None,
        complete=complete,
        interrupted=interrupted,
        capabilities=list(capabilities),
        requirements=results,
        planned=_not_tested(catalogue, lambda requirement: requirement.planned),
        excluded=_not_tested(catalogue, lambda requirement: requirement.excluded),
        areas={area.name: area.title for area in catalogue.areas.values()},
        summary=_summary(results, complete, not_run, selected or None, spent or _spent(own), max(wall, 0.0)),
    )


def evidence_files(records: Iterable[Record], target: str) -> dict[str, str]:
    """The text of `ID.http` by requirement id, for every requirement of the target that did not simply pass."""
    texts: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.target != target or record.verdict in NO_EVIDENCE:
            continue
        for number, item in enumerate(record.evidence, 1):
            repeat = "\n".join(f"# {line}" for line in item.curl.splitlines())
            head = (
                f"### {record.name}: {record.verdict.value}, exchange {number} of {len(record.evidence)}: {item.line}"
            )
            texts[record.requirement].append(f"{head}\n{repeat}\n\n{item.text.rstrip()}\n")
    return {requirement: "\n".join(parts) for requirement, parts in texts.items()}


def _lost(records: list[Record], awaited: Mapping[str, str], target: str) -> list[Record]:
    known = {record.nodeid for record in records}
    message = "collected, but no result arrived: the process that ran it died, or an earlier hook failed"
    return [
        Record(requirement, target, "", nodeid, Verdict.ERROR, message)
        for nodeid, requirement in awaited.items()
        if nodeid not in known
    ]


def _results(
    records: list[Record], catalogue: Catalogue, expectations: Expectations, today: dt.date
) -> list[RequirementResult]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[catalogue[record.requirement].id].append(record)
    return [
        _result(requirement, groups[requirement.id], expectations.get(requirement.id), today)
        for requirement in catalogue.requirements.values()
        if requirement.id in groups
    ]


def _result(
    requirement: Requirement, records: list[Record], entry: Expectation | None, today: dt.date
) -> RequirementResult:
    judged = [(_judge(record, entry, today), record) for record in records]
    # The part that nothing excuses speaks for the whole, even when an excused one is as bad.
    judged.sort(key=lambda pair: (pair[0] is not Judgement.MISMATCH, pair[1].verdict.rank))
    speaks = judged[0][1]
    return RequirementResult(
        id=requirement.id,
        area=requirement.area,
        level=requirement.level,
        basis=requirement.basis,
        claim=requirement.claim,
        source=requirement.source,
        verdict=worst([record.verdict for record in records]),
        message=speaks.message,
        expected=speaks.expected,
        seen=speaks.seen,
        evidence=_evidence([record for _, record in judged]),
        expectation=_known(entry, [judgement for judgement, _ in judged]),
        parts=[Part(name=r.name, verdict=r.verdict, message=r.message, duration=max(r.duration, 0.0)) for r in records],
        duration=sum(max(record.duration, 0.0) for record in records),
        requests=sum(record.requests for record in records),
        tokens=sum(record.tokens for record in records),
    )


def _judge(record: Record, entry: Expectation | None, today: dt.date) -> Judgement:
    """Each part by itself: a known failure of one must not cover another failure of its neighbour."""
    if entry is None:
        return Judgement.NONE
    return entry.judge(record.verdict, clean("\n".join(filter(None, (record.message, record.seen)))), today)


def _known(entry: Expectation | None, judgements: list[Judgement]) -> Known | None:
    if entry is None:
        return None
    order = (Judgement.MISMATCH, Judgement.EXPIRED, Judgement.EXPECTED, Judgement.STALE, Judgement.NONE)
    state = min(judgements, key=order.index)
    return Known(reason=entry.reason, link=entry.link, expires=entry.expires, state=state.value)


def _evidence(records: list[Record]) -> list[EvidenceRef]:
    """Newest first within a part: an assertion mostly speaks of what came last."""
    items = [
        EvidenceRef(
            request=item.line,
            file=f"{record.requirement}.http",
            curl=item.curl,
            excerpt=clean(item.text, EXCERPT_LIMIT),
        )
        for record in records
        if record.verdict not in NO_EVIDENCE
        for item in reversed(record.evidence)
    ]
    return items[:EVIDENCE_LISTED]


def _not_tested(catalogue: Catalogue, reason: Callable[[Requirement], str | None]) -> list[NotTested]:
    return [
        NotTested(id=requirement.id, reason=why)
        for requirement in catalogue.requirements.values()
        if (why := reason(requirement))
    ]


def _spent(records: list[Record]) -> Spent:
    return Spent(requests=sum(record.requests for record in records), tokens=sum(record.tokens for record in records))


def _summary(
    results: list[RequirementResult],
    complete: bool,
    not_run: list[str],
    selected: str | None,
    spent: Spent,
    wall: float,
) -> Summary:
    def in_state(state: Judgement) -> list[str]:
        return [result.id for result in results if result.state is state]

    counts = Counter(result.verdict for result in results)
    return Summary(
        verdict=_verdict(results, complete),
        counts={verdict: counts[verdict] for verdict in Verdict},
        must_broken=[r.id for r in results if r.level is Level.MUST and r.verdict in BLOCKING and not r.excused],
        errors=[result.id for result in results if result.verdict is Verdict.ERROR],
        expected=in_state(Judgement.EXPECTED),
        stale=in_state(Judgement.STALE),
        expired=in_state(Judgement.EXPIRED),
        mismatched=in_state(Judgement.MISMATCH),
        not_run=not_run,
        selected=selected,
        spent=spent,
        wall_s=wall,
    )


def _verdict(results: list[RequirementResult], complete: bool) -> Literal["CONFORMANT", "NOT CONFORMANT", "INCOMPLETE"]:
    """What is broken stays broken in an incomplete run; a run in which nothing could be judged proves nothing."""
    if any(result.red for result in results):
        return "NOT CONFORMANT"
    judged = any(result.verdict in JUDGED or result.excused for result in results)
    return "CONFORMANT" if complete and judged else "INCOMPLETE"
