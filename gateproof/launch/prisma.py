"""LiteLLM's database client without the downloads of its vendor: our stand-in serves as its engine.

PyPI's `prisma` starts a native program that is offered only as a download. `query-engine.cjs` takes its
place, made of npm packages: the WebAssembly build of the same engine, its PostgreSQL adapter, and pg.
Variables of the same names in the environment win, for those who have the native one.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from gateproof.launch.environments import DATA, Environment, node_modules, run_installer, site_packages

_FILES = DATA / "litellm" / "engine"
_ENGINE = "query-engine.cjs"
_GENERATED = ".generated"
_PLACES = {"PRISMA_BINARY_CACHE_DIR", "PRISMA_QUERY_ENGINE_BINARY", "PRISMA_SCHEMA_ENGINE_BINARY"}


def environment(kind_dir: Path) -> dict[str, str]:
    """The variables that `prisma generate` and LiteLLM both need."""
    folder = kind_dir / "engine"
    engine = str(folder / _ENGINE)
    ours = {
        "PRISMA_BINARY_CACHE_DIR": str(folder),  # its node_modules/prisma is the command line to run
        "PRISMA_QUERY_ENGINE_BINARY": engine,  # asked for its version, later started with -p PORT
        "PRISMA_SCHEMA_ENGINE_BINARY": engine,  # never run, but must exist, else it would be downloaded
        "CHECKPOINT_DISABLE": "1",  # no look for a newer version
    }
    return {name: os.environ.get(name, value) for name, value in ours.items()}


def install(kind_dir: Path, python: Path) -> None:
    """Put the stand-in in place and generate the client into the virtual environment."""
    folder = kind_dir / "engine"
    if not os.environ.keys() >= _PLACES:
        node_modules(Environment(folder, _FILES, "LiteLLM's database engine", 10))
        _copy_program(_FILES / _ENGINE, folder / _ENGINE)
    site = site_packages(python)
    if not (site / "prisma" / _GENERATED).exists():
        _generate(kind_dir, python, site)


def _copy_program(source: Path, to: Path) -> None:
    if not to.exists() or to.read_bytes() != source.read_bytes():
        to.unlink(missing_ok=True)
        shutil.copyfile(source, to)
    if not os.access(to, os.X_OK):
        to.chmod(0o755)


def _generate(kind_dir: Path, python: Path, site: Path) -> None:
    folder = kind_dir / "engine"
    folder.mkdir(parents=True, exist_ok=True)
    schema = folder / "schema.prisma"
    text = (site / "litellm" / "proxy" / "schema.prisma").read_text()
    schema.write_text(re.sub(r"binaryTargets.*", 'binaryTargets = ["native"]', text))
    path = f"{python.parent}:{os.environ.get('PATH', '')}"
    run_installer(
        [python.with_name("prisma"), "generate", "--schema", schema],
        folder / "generate.log",
        failed="LiteLLM's database client cannot be generated",
        env=environment(kind_dir) | {"PATH": path},
    )
    (site / "prisma" / _GENERATED).touch()
