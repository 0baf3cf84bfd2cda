"""``python -m gateproof.load.calibrate SECONDS STREAMS,... RATES,...``: one line of JSON per step.

In a process of its own, as a worker is, gevent's patches included.
"""

from __future__ import annotations

import sys


def main() -> None:
    from gevent import monkey  # noqa: PLC0415 - before all that it patches

    monkey.patch_all()

    from gateproof.load.calibrate.measure import measure  # noqa: PLC0415 - behind the patches

    seconds, streams, rates = sys.argv[1:]
    measure(float(seconds), [int(word) for word in streams.split(",")], [float(word) for word in rates.split(",")])


if __name__ == "__main__":
    main()
