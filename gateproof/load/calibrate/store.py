"""Where a machine's calibration is kept: one file per machine in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gateproof
from gateproof.errors import ConfigError
from gateproof.load.calibrate.result import SCHEMA_VERSION

MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
CPU_INFO = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """What a calibration depends on."""
    return {
        "kernel": platform.release(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "suite": gateproof.__version__,
    }


def _processor() -> str:
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def place() -> Path:
    """The file of this machine; its name tells nothing about it (machine-id(5) asks for that)."""
    identity = next((file.read_text(encoding="ascii") for file in MACHINE_IDS if file.is_file()), platform.node())
    name = hashlib.blake2b(b"gateproof calibration " + identity.strip().encode(), digest_size=8).hexdigest()
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "gateproof" / "calibration" / f"{name}.json"


def keep(plain: Mapping[str, Any]) -> Path:
    """Whole or not at all. ConfigError where nothing can be written."""
    file = place()
    part = file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=file, key="XDG_CACHE_HOME") from None
    return file


def kept() -> dict[str, Any] | None:
    """This machine's calibration; None where there is none that this version can read."""
    try:
        plain = json.loads(place().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(plain, dict) or plain.get("schema_version") != SCHEMA_VERSION:
        return None
    return plain
