from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plugin.toy import Project, Server

pytest_plugins = ["pytester"]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server().running() as running:
        yield running


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester.path)


@pytest.fixture(params=[(), ("-n", "2")], ids=["alone", "two workers"])
def workers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    options: tuple[str, ...] = request.param
    return options
