"""From the command line to the state of the run that the other modules of the plugin share."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from gateproof.errors import ConfigError, near_miss
from gateproof.limits.script import BadScript
from gateproof.limits.script import parse as parse_script
from gateproof.targets.loader import load_targets
from gateproof.targets.values import parse_duration
from gateproof.verdict.catalogue import Catalogue, load_catalogue
from gateproof.verdict.outcomes import Level
from gateproof.verdict.run import Run, Selection, Spend

RUN = pytest.StashKey[Run]()
MODEL_TEST = "RATE-035"  # plays scripts against the declared limits


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Under ``-n``, tests that share a tenant's window must share a worker."""
    if config.getoption("numprocesses", None) and config.option.dist in ("no", "load"):
        config.option.dist = "loadgroup"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(claim): the requirement of the catalogue that a test checks")
    config.addinivalue_line(
        "markers", "needs(*capabilities): what this one row of a parametrised check needs beside its gate"
    )
    if not is_active(config):
        return
    try:
        config.stash[RUN] = make_run(config)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


def is_active(config: pytest.Config) -> bool:
    """Whether this run tests a target: ``--target`` was given, or the packs are among what is collected."""
    if config.getoption("--target"):
        return True
    packs = config.rootpath / "conformance"
    paths = [Path(config.invocation_params.dir, argument.split("::")[0]).resolve() for argument in config.args]
    return any(packs == path or packs in path.parents or path in packs.parents for path in paths)


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def make_run(config: pytest.Config) -> Run:
    root = config.rootpath
    if not (root / "conformance" / "catalogue").is_dir():
        raise ConfigError(
            f"the packs are not in {root}, which pytest takes for the root of this run: it does so with a path "
            "that stands after a blank",
            accepted="--targets=FILE, --report-dir=DIR and --replay=FILE, with an equals sign",
        )
    catalogue = load_catalogue(root / "conformance" / "catalogue")
    file = Path(config.invocation_params.dir, config.getoption("--targets") or root / "targets.yaml")
    targets = load_targets(file)
    names = list(dict.fromkeys(config.getoption("--target") or ["local"]))
    return Run(
        catalogue=catalogue,
        targets={name: targets.get(name) for name in names},
        selection=selection(config, catalogue),
        spend=parse_spend(config.getoption("--spend")),
        expectations_folder=root / "conformance" / "expectations",
        max_wait=max_wait(config.getoption("--max-wait")),
        report_root=Path(config.invocation_params.dir, config.getoption("--report-dir") or root / "reports"),
        command=["pytest", *config.invocation_params.args],
    )


def selection(config: pytest.Config, catalogue: Catalogue) -> Selection:
    areas = frozenset(area.upper() for area in words(config.getoption("--area")))
    for area in areas - catalogue.areas.keys():
        raise ConfigError(
            f"unknown area `{area}`{near_miss(area, catalogue.areas)}", key="--area", accepted=sorted(catalogue.areas)
        )
    level = (config.getoption("--level") or "MAY").upper()
    if level not in Level.__members__:
        raise ConfigError(f"unknown level `{level}`", key="--level", accepted=list(Level.__members__))
    return Selection(
        areas=areas,
        requirements=known_ids(config, "--requirement", catalogue) | replayed(config),
        disabled=known_ids(config, "--disable", catalogue),
        level=Level(level),
        smoke=bool(config.getoption("--smoke")),
    )


def replayed(config: pytest.Config) -> frozenset[str]:
    """The one check that plays scripts, when there is one to play again; ConfigError when the file holds none."""
    if (name := config.getoption("--replay")) is None:
        return frozenset()
    file = Path(config.invocation_params.dir, name)
    try:
        parse_script(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, BadScript) as error:
        raise ConfigError(
            str(error), file=str(file), key="--replay", accepted="a script as a failed run prints it"
        ) from None
    return frozenset({MODEL_TEST})


def known_ids(config: pytest.Config, option: str, catalogue: Catalogue) -> frozenset[str]:
    ids = frozenset(word.upper() for word in words(config.getoption(option)))
    for unknown in ids - catalogue.requirements.keys():
        raise ConfigError(f"unknown requirement `{unknown}`{near_miss(unknown, catalogue.requirements)}", key=option)
    return ids


def words(values: list[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def max_wait(text: str) -> float:
    """Seconds; a number alone is seconds, too."""
    try:
        return parse_duration(float(text) if text.replace(".", "", 1).isdigit() else text)
    except PydanticCustomError as error:
        accepted = (error.context or {}).get("accepted")
        raise ConfigError(error.message(), key="--max-wait", accepted=accepted) from None


def parse_spend(text: str | None) -> Spend | None:
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 2 or min(numbers) < 0:
        raise ConfigError(
            f"`{text}` is no bound", key="--spend", accepted="REQUESTS or REQUESTS,TOKENS, such as 500,20000"
        )
    return Spend(numbers[0], numbers[1] if len(numbers) == 2 else None)
