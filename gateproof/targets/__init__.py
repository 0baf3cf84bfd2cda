"""Targets: what is under test, how it speaks, and where its keys are.

Knows nothing of HTTP or of verdicts: data, and the sentences about mistakes in it.
"""
