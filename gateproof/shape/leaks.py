"""What an answer must not tell about the inside: traces, paths, hosts, credentials, versions. Pure, over text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
# RFC 1918, RFC 6598, loopback and link-local.
_PRIVATE = (
    rf"(?:10|127)(?:\.{_OCTET}){{3}}|192\.168(?:\.{_OCTET}){{2}}|169\.254(?:\.{_OCTET}){{2}}"
    rf"|172\.(?:1[6-9]|2\d|3[01])(?:\.{_OCTET}){{2}}|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])(?:\.{_OCTET}){{2}}"
)
_KINDS: Mapping[str, re.Pattern[str]] = {
    "stack trace": re.compile(
        r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|goroutine \d+ \[|panicked at "
        r"|^\s*at [\w.$<>]+ ?\([^)\n]*:\d+(?::\d+)?\)",
        re.MULTILINE,
    ),
    "file path": re.compile(
        r"(?<![\w/.:-])/(?:usr|home|root|opt|srv|app|var|etc|tmp|mnt|workspace)/[\w.@-]+(?:/[\w.@-]+)*"
        r"|(?<![\w/.-])(?:[\w.-]+/)+[\w-]+\.(?:py|go|rs|js|ts|java):\d+|\b[A-Za-z]:\\[\w\\.-]+"
    ),
    "internal address": re.compile(
        rf"(?<![\w.])(?:{_PRIVATE})(?::\d+)?(?![\w.]*\d)|\blocalhost:\d+"
        r"|\b[\w-]+(?:\.[\w-]+)*\.(?:svc|svc\.cluster\.local|cluster\.local|internal|intranet)\b(?::\d+)?"
    ),
    "credential": re.compile(
        r"\b(?:sk|pk|rk|gp|hf|xox[abp]|ghp|AKIA)[-_]?[A-Za-z0-9][\w-]{15,}|\b[Bb]earer [\w.~+/-]{16,}"
    ),
}
_VERSION = re.compile(r"(?<![\w.])v?\d+\.\d+\.\d+(?:[-+.]?(?:a|b|rc|dev|post)\d*)?(?![\w.])")


def leaks(text: str, own: Iterable[str] = ()) -> list[str]:
    """Every telling piece with its kind; ``own`` are the addresses that the client used itself."""
    public, found = set(own), []
    for kind, pattern in _KINDS.items():
        found += [f"{kind}: {match[0].strip()}" for match in pattern.finditer(text) if match[0] not in public]
        text = pattern.sub(" ", text)  # a path in a trace is one leak, not two
    return found


def versions(text: str) -> list[str]:
    """Every version number of three parts; of four parts it is an address."""
    return [f"version: {match[0]}" for match in _VERSION.finditer(text)]
