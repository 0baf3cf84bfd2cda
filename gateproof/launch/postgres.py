"""A PostgreSQL of our own with LiteLLM's tables, on a unix socket."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from gateproof.launch.environments import DATA
from gateproof.launch.process import Crew, environment

_PROGRAM = DATA / "litellm" / "postgres.py"
_READY_WITHIN = 120.0  # s; 5 s on an idle machine, 3 of them for the 213 migrations


def start(crew: Crew, kind_dir: Path, migrations: Path) -> str:
    """Give the database's address."""
    python = kind_dir / "services" / "bin" / "python"
    command = [python, _PROGRAM, crew.folder / "data", migrations]
    said = json.loads(crew.run("postgres", command, env=environment(), timeout=_READY_WITHIN))
    # By SIGTERM it would wait for its clients to leave.
    crew.adopt("postgres", said["pid"], end_with=signal.SIGINT)
    return str(said["url"])
