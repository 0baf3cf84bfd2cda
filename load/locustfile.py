"""Locust's door: `locust -f load/locustfile.py --target NAME --profile P`, with all that Locust itself offers."""

from gateproof.load.face import Gate, OnePerWorker, register

__all__ = ["Gate", "OnePerWorker"]

register()
