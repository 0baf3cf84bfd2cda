"""How to trust the other side. The context is built once, and only when an https URL is spoken to."""

from __future__ import annotations

import functools
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi


@dataclass(frozen=True, slots=True)
class Tls:
    """Whether and against which authority to verify, and the name to ask for (SNI) when it is not the URL's."""

    verify: bool = True
    ca: str | Path | None = None
    server_name: str | None = None

    def context(self) -> ssl.SSLContext:
        return _context(self.verify, None if self.ca is None else str(self.ca))


@functools.lru_cache(maxsize=32)
def _context(verify: bool, ca: str | None) -> ssl.SSLContext:
    if not verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca is not None:
        return ssl.create_default_context(cafile=ca)
    context = ssl.create_default_context(cafile=certifi.where())
    # The system's own authorities too: that is where companies put theirs, and what curl would trust.
    context.load_default_certs()
    return context
