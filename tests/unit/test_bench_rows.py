"""The benchmark's table says what was missed, within a terminal's 80 columns."""

from __future__ import annotations

import pytest

from bench.rows import Row, plain, table


@pytest.mark.parametrize(
    ("sense", "measured", "met"),
    [("<=", 2.5, True), ("<=", 2.51, False), (">=", 2.5, True), (">=", 2.49, False)],
)
def test_a_goal_is_a_bound_on_one_side(sense: str, measured: float, met: bool) -> None:
    row = Row("cost", measured, 2.5, sense)

    assert (row.met, row.cells[-1]) == (met, "ok" if met else "MISSED")


def test_the_table_fits_and_keeps_the_details() -> None:
    rows = [Row("CPU per event, 200 streams x 100/s, to C", 1234.5, 2.5, "<=", "x", "12 us, C 4 us, " + "VOID " * 20)]

    lines = table(rows).splitlines()

    assert max(map(len, lines)) <= 80
    assert "MISSED" in lines[2]
    assert lines[3].startswith("    12 us, C 4 us, VOID")
    assert sum(line.count("VOID") for line in lines) == 20


def test_json_has_the_verdict_too() -> None:
    assert plain([Row("slip", 1.0, 2.0, "<=", "ms")]) == [
        {"what": "slip", "measured": 1.0, "goal": 2.0, "sense": "<=", "unit": "ms", "detail": "", "met": True}
    ]
