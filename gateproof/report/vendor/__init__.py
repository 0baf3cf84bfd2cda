"""Code of others that our pages carry inside; see README.md beside."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def echarts() -> str:
    """The source of Apache ECharts, with its licence at the top."""
    return resources.files(__package__).joinpath("echarts.min.js").read_text(encoding="utf-8")
