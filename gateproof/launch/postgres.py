"""A PostgreSQL of our own with LiteLLM's tables, on a unix socket."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from gateproof.launch.environments import DATA
from gateproof.launch.process import Crew, environment

_NAME = "postgres"
_PROGRAM = DATA / "litellm" / "postgres.py"
_WITHIN = 120.0  # s for each step; 1 and 3 s on an idle machine


def start(crew: Crew, kind_dir: Path, migrations: Path) -> str:
    """Give the database's address."""
    python, data = kind_dir / "services" / "bin" / "python", crew.folder / "data"
    said = json.loads(crew.run(_NAME, [python, _PROGRAM, "start", data], env=environment(), timeout=_WITHIN))
    # By SIGTERM it would wait for its clients to leave.
    crew.adopt(_NAME, said["pid"], end_with=signal.SIGINT)
    crew.run(_NAME, [python, _PROGRAM, "migrate", data, migrations], env=environment(), timeout=_WITHIN)
    return str(said["url"])
