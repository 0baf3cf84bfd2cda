"""Runs against runs: two of them number by number, many of them over time. Reads what runs left, sends nothing."""
