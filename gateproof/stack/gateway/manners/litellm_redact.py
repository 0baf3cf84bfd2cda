"""What LiteLLM leaves of an engine's words before a client reads them (litellm_core_utils/secret_redaction.py)."""

from __future__ import annotations

import re

REDACTED = "REDACTED"
TRACEBACK = "Traceback (most recent call last):"

_SECRET = re.compile(r"sk-[A-Za-z0-9\-_]{13,}|Bearer\s+[A-Za-z0-9\-._~+/]{10,}=*", re.IGNORECASE)
_INSIDE = re.compile(
    r"/(?:etc|var|opt|usr|home|root|private|Users|tmp|mnt|srv)/[^\s'\"\)\]}>,]+"
    r"|\b(?:10(?:\.\d{1,3}){3}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|192\.168(?:\.\d{1,3}){2}|127(?:\.\d{1,3}){3})\b"
    r"|\b[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:internal|local|corp|lan|intra|private)\b",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """Without a traceback and all that follows it, keys, paths and private addresses."""
    return _INSIDE.sub(REDACTED, _SECRET.sub(REDACTED, text.partition(TRACEBACK)[0].rstrip()))
