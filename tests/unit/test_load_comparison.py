"""A run both ways: where each request goes, and what its log comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateproof.errors import ConfigError
from gateproof.load.comparison import GAP_P99, compared, in_words, through_gateway, told
from gateproof.load.interleave import Interleaved
from gateproof.load.log import FOLDER, Writer, read_log
from gateproof.load.plan import bound_of, interleaved_of, make_plan
from gateproof.load.profile import Profile, load_profile
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret

SHIPPED = Path(__file__).parents[2] / "load" / "profiles"
MS = 1_000_000  # ns
ADDED = 7  # ms that the gateway adds to everything

PLAIN = {
    "name": "both",
    "arrivals": {"rate": 10},
    "phases": [{"name": "warm-up", "duration": 10, "counted": False}, {"name": "steady", "duration": 80}],
    "against": {},
}


def profile(**against: Any) -> Profile:
    return Profile.model_validate({**PLAIN, "against": against})


def target(**more: Any) -> Target:
    plain = {
        "name": "mine",
        "stack": "litellm",
        "base_url": "http://127.0.0.1:4000",
        "headers": {"x-of-the-gateway": "1"},
        "models": {"chat": "public-name"},
        "upstream": {"direct": "http://127.0.0.1:8001/v1"},
        **more,
    }
    return Target.model_validate(plain)


def sent(data: bytes) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Request line, headers, body."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, json.loads(body)


def both(of: Profile) -> Interleaved:
    made = interleaved_of(of)
    assert made is not None
    return made


def test_a_direct_request_goes_past_the_gateway_as_if_there_were_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKEND_KEY", "sk-backend")
    made = profile(model="own-name", key={"env": "BACKEND_KEY"})
    plan = make_plan(made, target(), {"main": Secret("sk-gateway")})
    (gateway,), (direct,) = (side[:1].tolist() for side in both(made).mates)
    first, second = (sent(plan.requests.build(index)) for index in (gateway, direct))
    assert (first[0], second[0]) == ("POST /v1/chat/completions HTTP/1.1",) * 2
    assert (first[1]["host"], second[1]["host"]) == ("127.0.0.1:4000", "127.0.0.1:8001")
    assert (first[1]["authorization"], second[1]["authorization"]) == ("Bearer sk-gateway", "Bearer sk-backend")
    assert ("x-of-the-gateway" in first[1], "x-of-the-gateway" in second[1]) == (True, False)
    assert (first[2]["model"], second[2]["model"]) == ("public-name", "own-name")
    assert first[2]["max_tokens"] == second[2]["max_tokens"]
    assert first[2]["messages"] != second[2]["messages"], "the second would find the first in a prefix cache"
    origins = [plan.requests.door(index).origin for index in (gateway, direct)]
    assert (origins[0], origins[1] and origins[1].address) == (None, ("127.0.0.1", 8001))


def test_a_backend_without_a_key_gets_none() -> None:
    made = profile()
    plan = make_plan(made, target(), {"main": Secret("sk-gateway")})
    assert "authorization" not in sent(plan.requests.build(int(both(made).mates[1][0])))[1]


def test_a_target_that_does_not_say_where_its_backend_is_is_told_so() -> None:
    with pytest.raises(ConfigError, match="mine does not say where its backend is"):
        make_plan(profile(), target(upstream=None), {})


def test_a_run_both_ways_costs_what_its_schedule_says() -> None:
    made = profile()
    assert bound_of(made).requests == len(both(made).schedule)
    assert bound_of(made).tokens == len(both(made).schedule) * (128 + 64)


@pytest.mark.parametrize(
    ("changed", "told_so"),
    [
        ({"phases": [{"name": "odd", "duration": 15}]}, "not a whole number of pairs of blocks of 5 s"),
        ({"workload": {"turns": 2}}, "an open loop of single, synthetic requests"),
        ({"arrivals": {"kind": "closed", "streams": 2}}, "an open loop of single, synthetic requests"),
        ({"search": {"low": 1, "high": 2}, "phases": []}, "a search makes its own phases, rates and numbers"),
    ],
)
def test_a_profile_that_cannot_be_played_both_ways_is_refused(changed: dict[str, Any], told_so: str) -> None:
    with pytest.raises(ValueError, match=told_so):
        Profile.model_validate({**PLAIN, **changed})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Every request takes 20 ms, the gateway's 7 ms more; gaps of 1 ms with one of 5 ms, the gateway's of 9 ms."""
    made = both(profile())
    writer = Writer(tmp_path / FOLDER, 0)
    for index, (time, direct) in enumerate(zip(made.schedule.times, made.direct, strict=True)):
        due, more = int(time * 1e9), 0 if direct else ADDED * MS
        row = {
            "index": index,
            "phase": int(made.schedule.phase[index]),
            "part": int(direct),
            "scheduled": due,
            "dispatched": due,
            "connected": None,
            "sent": due + MS,
            "first_byte": due + 11 * MS + more,
            "first_token": due + 16 * MS + more,
            "ended": due + 21 * MS + more,
            "outcome": "ok",
        }
        writer.add(row, np.array([1000, 5000 if direct else 9000, 1000]))
        if index % 300 == 0:
            writer.flush()
    writer.flush()
    return tmp_path


def test_what_the_gateway_adds_is_told_by_stage(run: Path) -> None:
    made = both(profile())
    plain = told(compared(read_log(run), made))
    stages = plain["stages"]
    assert {name: round(stage["median"]["value"] * 1e3, 6) for name, stage in stages.items()} == {
        "first_byte": ADDED,
        "ttft": ADDED,
        "latency": ADDED,
        GAP_P99: 4,
    }
    assert stages["ttft"]["blocks"] == 8
    assert (stages["ttft"]["gateway"], stages["ttft"]["direct"]) == (pytest.approx(0.022), pytest.approx(0.015))
    words = in_words(json.loads(json.dumps(plain)))
    assert words[0] == f"What the gateway adds, of {plain['pairs']} pairs of requests:"
    assert f"| ttft | sent | {plain['pairs']} | 22 | 15 | 7 (7 to 7) | 7 (7 to 7) | 7 (7 to 7) |" in words


def test_a_request_that_is_in_no_log_did_not_end_well(run: Path) -> None:
    (run / FOLDER / "worker-0-000001.parquet").unlink()
    made = both(profile())
    found = compared(read_log(run), made)
    assert found.lost["gateway"] + found.lost["direct"] > 100
    assert found.stages["ttft"].pairs < found.pairs


def test_the_gateways_own_numbers_are_of_its_requests_alone(run: Path) -> None:
    made = both(profile())
    table = through_gateway(read_log(run), made).table
    assert (table.num_rows, set(table["part"].to_pylist())) == (made.pairs, {0})


def test_the_shipped_profile_has_blocks_enough() -> None:
    made = both(load_profile("overhead", SHIPPED))
    assert len(set(made.block[made.schedule.phase == 1])) == 24
