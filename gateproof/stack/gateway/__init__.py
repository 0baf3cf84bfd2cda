"""The reference gateway: a real reverse proxy for LLM APIs that keeps every promise of the catalogue.

Each promise is one small function, so that a fault can be worn at exactly one place: `if worn("name"): ...`.
It shares no code with the judge: nothing here imports `verdict`, `wire` or `conformance`.
"""
