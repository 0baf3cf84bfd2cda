"""Known failures: they excuse one way of breaking until one day, and nothing else."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from gateproof.errors import ConfigError
from gateproof.verdict.catalogue import Catalogue, load_catalogue
from gateproof.verdict.expectations import Expectations, Judgement, load_expectations
from gateproof.verdict.outcomes import Verdict

ROOT = Path(__file__).parents[2] / "conformance"
DAY = dt.date(2027, 3, 1)

ENTRY = """\
expectations:
  - requirement: AUTH-002
    reason: "keys are optional there"
    link: https://example.com/issues/1
    expires: 2027-03-01
    seen: "got 200"
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(ROOT / "catalogue")


def load(folder: Path, catalogue: Catalogue, text: str = ENTRY, name: str = "one") -> Expectations:
    (folder / f"{name}.yaml").write_text(text)
    return load_expectations(folder, [name, "absent"], catalogue)


@pytest.mark.parametrize(
    ("verdict", "message", "today", "judgement"),
    [
        (Verdict.FAIL, "got 200 for no key", DAY, Judgement.EXPECTED),
        (Verdict.FAIL, "got 200 for no key", DAY + dt.timedelta(days=1), Judgement.EXPIRED),
        (Verdict.FAIL, "got 500 for no key", DAY, Judgement.MISMATCH),
        (Verdict.UNTESTABLE, "got 200", DAY, Judgement.MISMATCH),
        (Verdict.INCONCLUSIVE, "got 200", DAY, Judgement.MISMATCH),
        (Verdict.ERROR, "got 200", DAY, Judgement.MISMATCH),
        (Verdict.PASS, "", DAY, Judgement.STALE),
        (Verdict.PASS, "", DAY + dt.timedelta(days=1), Judgement.STALE),
        (Verdict.WARN, "got 200", DAY, Judgement.STALE),
        (Verdict.NOT_DECLARED, "", DAY, Judgement.NONE),
        (Verdict.DISABLED, "", DAY, Judgement.NONE),
    ],
)
def test_judgement(
    tmp_path: Path, catalogue: Catalogue, verdict: Verdict, message: str, today: dt.date, judgement: Judgement
) -> None:
    assert load(tmp_path, catalogue).judge("AUTH-002", verdict, message, today) is judgement


def test_no_entry_judges_nothing(tmp_path: Path, catalogue: Catalogue) -> None:
    assert load(tmp_path, catalogue).judge("AUTH-003", Verdict.FAIL, "", DAY) is Judgement.NONE


def test_the_default_verdict_follows_the_level(tmp_path: Path, catalogue: Catalogue) -> None:
    should = ENTRY.replace("AUTH-002", "AUTH-005")
    expectations = load(tmp_path, catalogue, should)
    assert expectations.judge("AUTH-005", Verdict.WARN, "got 200", DAY) is Judgement.EXPECTED
    assert expectations.judge("AUTH-005", Verdict.UNTESTABLE, "got 200", DAY) is Judgement.MISMATCH


def test_a_given_verdict_excuses_that_one_alone(tmp_path: Path, catalogue: Catalogue) -> None:
    expectations = load(tmp_path, catalogue, ENTRY + "    verdict: UNTESTABLE\n")
    assert expectations.judge("AUTH-002", Verdict.UNTESTABLE, "got 200", DAY) is Judgement.EXPECTED
    assert expectations.judge("AUTH-002", Verdict.FAIL, "got 200", DAY) is Judgement.MISMATCH


def test_a_later_file_replaces_an_earlier_entry(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "dialect.yaml").write_text(ENTRY)
    (tmp_path / "target.yaml").write_text(ENTRY.replace("optional there", "optional here"))
    entry = load_expectations(tmp_path, ["dialect", "target"], catalogue).get("AUTH-002")
    assert entry is not None
    assert (entry.reason, entry.line) == ("keys are optional here", 2)


def test_a_missing_folder_expects_nothing(tmp_path: Path, catalogue: Catalogue) -> None:
    assert load_expectations(tmp_path / "none", ["one"], catalogue).entries == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "AUTH-002",
            "AUHT-002",
            "one.yaml:2: expectations.0.requirement: unknown requirement `AUHT-002`; did you mean `AUTH-002`?",
        ),
        ("2027-03-01", "soon", "one.yaml:5: expectations.0.expires: `soon` is not a day"),
        ("2027-03-01", "2027-03-01 12:00:00", "is not a day"),
        ("2027-03-01", "2027-02-30", "one.yaml:"),
        ("https://example.com/issues/1", "javascript:alert(1)", "is not an http or https address"),
        ("    reason:", "    reasons:", "unknown key; did you mean `reason`?"),
        ("    expires: 2027-03-01\n", "", "`expires` is missing"),
        ('seen: "got 200"', "verdict: PASS", "`PASS` is not known"),
        ('seen: "got 200"', "verdict: WARN", "accepted here: FAIL, UNTESTABLE, INCONCLUSIVE"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, catalogue: Catalogue, old: str, new: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, catalogue, ENTRY.replace(old, new, 1))
    assert message in str(caught.value)


def test_one_requirement_is_expected_once(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(ConfigError, match="expected twice"):
        load(tmp_path, catalogue, ENTRY + ENTRY.removeprefix("expectations:\n"))


def test_a_name_cannot_leave_the_folder(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        load_expectations(tmp_path, ["../secret"], catalogue)


def test_shipped_expectations_load(catalogue: Catalogue) -> None:
    folder = ROOT / "expectations"
    load_expectations(folder, [path.stem for path in folder.glob("*.yaml")], catalogue)
