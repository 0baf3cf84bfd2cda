"""Recorded arrivals are read as they stand, and a line that cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateproof.errors import ConfigError
from gateproof.load.traces import Traced, read_trace

MOONCAKE = """\
{"timestamp": 27000, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}
{"timestamp": 24000, "input_length": 100, "output_length": 5, "hash_ids": []}

{"timestamp": 30000, "input_length": 6472, "output_length": 26}
"""
AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.4799600,3180,8
"""


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_mooncake_lines_are_put_in_the_order_of_time(tmp_path: Path) -> None:
    assert read_trace(written(tmp_path, "trace.jsonl", MOONCAKE)) == [
        Traced(0.0, 100, 5),
        Traced(3.0, 6955, 52, (46, 47)),
        Traced(6.0, 6472, 26),
    ]


def test_azure_rows_are_dated_to_the_microsecond(tmp_path: Path) -> None:
    first, second = read_trace(written(tmp_path, "trace.csv", AZURE))
    assert (first, second.at) == (Traced(0.0, 4808, 10), pytest.approx(0.5, abs=1e-6))


def test_a_trace_can_be_played_faster_and_cut(tmp_path: Path) -> None:
    rows = read_trace(written(tmp_path, "trace.jsonl", MOONCAKE), speed=2.0, most=2)
    assert [row.at for row in rows] == [0.0, 1.5]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("t.jsonl", '{"timestamp": 1, "input_length": 5}\n', "t.jsonl:1: not a request: output_length is missing"),
        ("t.jsonl", MOONCAKE + "oops\n", "t.jsonl:5: not a request: Expecting value"),
        ("t.jsonl", "[1, 2]\n", "t.jsonl:1: not a request: "),
        ("t.jsonl", '{"timestamp": 1, "input_length": -5, "output_length": 1}\n', "-5 tokens"),
        ("t.jsonl", '{"timestamp": NaN, "input_length": 5, "output_length": 1}\n', "not an instant"),
        ("t.jsonl", "\n", "the trace is empty"),
        ("t.csv", "A,B\n1,2\n", "t.csv:1: the first line lacks TIMESTAMP, ContextTokens, GeneratedTokens"),
        ("t.csv", AZURE + "yesterday,1,1\n", "t.csv:4: not a request: Invalid isoformat string: 'yesterday'"),
        ("t.csv", AZURE + "2023-11-16 18:17:05,x,1\n", "t.csv:4: not a request: invalid literal"),
    ],
)
def test_what_is_no_trace_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_trace(written(tmp_path, name, text))
    assert told in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_trace(tmp_path / "nowhere.csv")
