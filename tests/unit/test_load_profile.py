"""Profiles: the shipped ones hold, settings are laid over them, and every mistake is told in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateproof.errors import ConfigError
from gateproof.load.profile import Profile, load_profile

SHIPPED = Path(__file__).parents[2] / "load" / "profiles"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(
        "arrivals: {kind: poisson, rate: 2}\n"
        "phases:\n"
        "  - {name: steady, duration: 10s}\n"
        "workload:\n"
        "  mix: [{share: 1, api: chat}, {share: 2, api: embeddings}]\n"
    )
    return tmp_path


@pytest.mark.parametrize("name", sorted(file.stem for file in SHIPPED.glob("*.yaml")))
def test_a_shipped_profile_is_sound(name: str) -> None:
    profile = load_profile(name, SHIPPED)
    assert (profile.name, profile.description != "", profile.duration > 0) == (name, True, True)


@pytest.mark.parametrize(
    ("setting", "seen"),
    [
        ("arrivals.rate=20", lambda profile: profile.arrivals.rate == 20),
        ("workload.output_tokens=200", lambda profile: profile.workload.output_tokens.mean == 200),
        ("workload.mix.1.api=rerank", lambda profile: profile.workload.mix[1].api == "rerank"),
        ("phases.0.duration=1m", lambda profile: profile.phases[0].duration == 60),
        ("phases=[{name: a, duration: 5}]", lambda profile: profile.phases[0].name == "a"),
        ("requests=2400", lambda profile: profile.requests == 2400),
        ("trust.slip_p99=50ms", lambda profile: profile.trust.slip_p99 == 0.05),
    ],
)
def test_a_setting_is_laid_over_the_file(folder: Path, setting: str, seen: object) -> None:
    profile = load_profile("mine", folder, [setting])
    assert callable(seen)
    assert seen(profile), profile


def test_a_closed_loop_needs_only_settings(folder: Path) -> None:
    profile = load_profile("mine", folder, ["arrivals.kind=closed", "arrivals.streams=200", "requests=2400"])
    assert (profile.arrivals.kind, profile.arrivals.streams) == ("closed", 200)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["arrivals.rat=20"], "mine.arrivals.rat: unknown key; did you mean `rate`?"),
        (["arrivals.kind=poison"], "unknown word 'poison'; did you mean `poisson`?"),
        (["arrivals.kind=closed"], "a closed loop needs a number of streams"),
        (["arrivals.kind=trace"], "a trace needs a file"),
        (["arrivals.smoothness=0", "arrivals.kind=gamma"], "more than 0 is needed"),
        (["arrivals.rate=null"], "mine.phases.0.rate: no rate, here or in `arrivals`"),
        (["phases=[]"], "at least one phase is needed"),
        (["phases.5.name=x"], "`5` is none of 1 items, counted from 0"),
        (["arrivals.rate.high=1"], "there is nothing to set below 2"),
        (["arrivals"], "`arrivals` is no setting"),
        (["workload.mix=[]"], "at least one part with a share is needed"),
        (["workload.input_tokens=-1"], "mine.workload.input_tokens.mean"),
    ],
)
def test_a_mistake_is_told(folder: Path, settings: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_profile("mine", folder, settings)
    assert told in str(error.value)


def test_a_mistake_in_the_file_has_its_line(folder: Path) -> None:
    (folder / "mine.yaml").write_text("arrivals: {rate: 2}\nphases:\n  - {name: a, duration: soon}\n")
    with pytest.raises(ConfigError, match=r"mine.yaml:3: .*not a duration: 'soon'"):
        load_profile("mine", folder)


def test_an_unknown_profile_is_told_with_the_near_one(folder: Path) -> None:
    with pytest.raises(ConfigError, match="unknown profile `mind`; did you mean `mine`"):
        load_profile("mind", folder)


def test_a_length_may_be_a_number_or_a_distribution() -> None:
    plain = {"name": "x", "arrivals": {"rate": 1}, "phases": [{"name": "a", "duration": 1}]}
    lengths = {"input_tokens": 7, "output_tokens": {"kind": "normal", "mean": 100, "deviation": 10}}
    workload = Profile.model_validate({**plain, "workload": lengths}).workload
    assert (workload.input_tokens.most, workload.output_tokens.most) == (7, 140)
