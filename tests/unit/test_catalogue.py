"""The catalogue: what is shipped loads fast and whole; what is wrong is told with file and line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateproof.errors import ConfigError
from gateproof.verdict.catalogue import load_catalogue
from gateproof.verdict.outcomes import Level

SHIPPED = Path(__file__).parents[2] / "conformance" / "catalogue"
LOAD_BOUND = 0.120  # seconds; what a user may notice before the first test

GOOD = """\
area: AUTH
title: authentication
requirements:
  - id: AUTH-001
    level: MUST
    basis: S
    claim: "A valid key is served"
    source: "OAS"
    check: "one call"
    gate: [auth.bearer]
  - id: AUTH-002
    level: SHOULD
    basis: P
    claim: "Something later"
    source: "project policy"
    check: "none yet"
    gate: []
    planned: "later"
"""


def write(folder: Path, text: str, name: str = "auth.yaml") -> Path:
    (folder / name).write_text(text)
    return folder


def test_shipped_catalogue_loads_whole_and_fast() -> None:
    started = time.process_time()
    catalogue = load_catalogue(SHIPPED)
    assert time.process_time() - started < LOAD_BOUND
    assert len(catalogue.areas) == len(list(SHIPPED.glob("*.yaml")))
    assert all(requirement.id.startswith(f"{requirement.area}-") for requirement in catalogue.requirements.values())


def test_requirement_carries_its_fields(tmp_path: Path) -> None:
    catalogue = load_catalogue(write(tmp_path, GOOD))
    first, second = catalogue.requirements.values()
    assert (first.level, first.gate, first.planned, first.needs_test) == (Level.MUST, ("auth.bearer",), None, True)
    assert (second.gate, second.planned, second.needs_test) == ((), "later", False)
    assert catalogue.areas["AUTH"].title == "authentication"


def test_hash_is_of_the_data_alone(tmp_path: Path) -> None:
    before = load_catalogue(write(tmp_path, GOOD)).hash
    assert load_catalogue(write(tmp_path, "# a comment\n" + GOOD.replace('"OAS"', "OAS"))).hash == before
    assert load_catalogue(write(tmp_path, GOOD.replace("OAS", "RFC 9110"))).hash != before
    assert len(before) == 12


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    claim:", "    clam:", "auth.yaml:7: requirements.0.clam: unknown key; did you mean `claim`?"),
        (
            "    level: MUST",
            "    level: MUSST",
            "auth.yaml:5: requirements.0.level: `MUSST` is not known; did you mean `MUST`?",
        ),
        ("    basis: S\n", "", "auth.yaml:4: requirements.0: `basis` is missing"),
        ("AUTH-002", "AUTH-001", "auth.yaml:11: requirements.1.id: `AUTH-001` is defined twice"),
        ("AUTH-001", "AUT-001", "auth.yaml:4: requirements.0.id: `AUT-001` is not AUTH- and three digits"),
        ("[auth.bearer]", "auth.bearer", "auth.yaml:10: requirements.0.gate: expected a list, found a text"),
        ("[auth.bearer]", "[Auth Bearer]", "is not the name of a capability"),
        ("[auth.bearer]", "[tls, tls]", "`tls` is named twice"),
        ('"OAS"', '""', "auth.yaml:8: requirements.0.source: expected a text, found nothing"),
        ('"OAS"', "12", "expected a text, found a number"),
        ('"later"', '"later"\n    excluded: "no"', "planned or excluded, not both"),
        ("title:", "area: X\ntitle:", "auth.yaml:2: area: given twice"),
        ("area: AUTH", "area: auth", "is not a name of capitals"),
        ("[auth.bearer]", "[auth.bearer", "auth.yaml:11: not valid YAML"),
        ("title: authentication", "title: !!python/name:os.system x", "auth.yaml:2: not valid YAML"),
        ("requirements:\n", "requirements:\n  - text\n", "expected a mapping, found a text"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_catalogue(write(tmp_path, GOOD.replace(old, new, 1)))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a list", "just words", "&a [*a]", "a: \x00"])
def test_no_mapping_is_a_config_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"auth\.yaml"):
        load_catalogue(write(tmp_path, text))


def test_bytes_that_are_no_text_are_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "auth.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_catalogue(tmp_path)


def test_one_area_has_one_file(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "other.yaml")
    with pytest.raises(ConfigError, match="has a file already"):
        load_catalogue(write(tmp_path, GOOD))


def test_an_empty_folder_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no catalogue files"):
        load_catalogue(tmp_path)


def test_an_unknown_id_gets_the_nearest(tmp_path: Path) -> None:
    catalogue = load_catalogue(write(tmp_path, GOOD))
    with pytest.raises(ConfigError, match="did you mean `AUTH-001`"):
        catalogue["AUT-001"]
