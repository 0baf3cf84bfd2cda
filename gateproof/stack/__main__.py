"""`python -m gateproof.stack`: one JSON line in, one JSON line out, runs until standard input ends."""

from __future__ import annotations

import sys

from gateproof.errors import GateproofError
from gateproof.stack.supervisor import run

if __name__ == "__main__":
    try:
        sys.exit(run())
    except GateproofError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
