"""gateproof proves that a deployed LLM gateway keeps its promises, and measures what it costs."""

__version__ = "0.1.0"
