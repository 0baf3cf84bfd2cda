"""Which pages are scraped, and which metrics on them answer to which of our words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateproof.targets.dialects.vllm import VLLM
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_headers

PROCESS = {
    "memory": "process_resident_memory_bytes",
    "processor": "process_cpu_seconds_total",
    "files": "process_open_fds",
}
"""What every Prometheus client library offers of its own process.

https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
"""
DCGM = {
    "gpu_use": "DCGM_FI_DEV_GPU_UTIL",
    "gpu_memory": "DCGM_FI_DEV_FB_USED",
    "gpu_power": "DCGM_FI_DEV_POWER_USAGE",
    "gpu_energy": "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "gpu_temperature": "DCGM_FI_DEV_GPU_TEMP",
    "gpu_clock": "DCGM_FI_DEV_SM_CLOCK",
}
"""NVIDIA's dcgm-exporter, of its default counters: percent, MiB, W, mJ since boot, degrees Celsius, MHz.

https://github.com/NVIDIA/dcgm-exporter/blob/main/etc/default-counters.csv
"""

TARGET, UPSTREAM = "target", "upstream"
_ENDINGS = ("_sum", "_count", "_bucket")


@dataclass(frozen=True, slots=True)
class Source:
    """One page. ``words`` gives our word for the name of a metric; ``address`` is where it is, if not in the URL."""

    name: str
    url: str
    words: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    address: tuple[str, int] | None = None
    verify: bool = True
    ca: str | None = None
    server_name: str | None = None


def sources_of(target: Target, keys: Mapping[str, Secret]) -> list[Source]:
    """The target's own pages, those it names beside them, and its upstream's where that is known.

    The target's key goes to the target's own origin and nowhere else.
    """
    words = words_of(target.dialect.metric_names, VLLM.metric_names, PROCESS, DCGM)
    found = [_source(target, url, words, keys) for url in target.metrics_urls]
    if target.upstream is not None and target.upstream.direct is not None:
        root = target.upstream.direct.rstrip("/").removesuffix("/v1")
        found += [
            Source(UPSTREAM, root + path, words) for path in VLLM.metrics if root + path not in target.metrics_urls
        ]
    return _told_apart(found)


def words_of(*names: Mapping[str, str]) -> dict[str, str]:
    """Our word by the name of the family; what stands first wins. Dialects may name a histogram's sum."""
    words: dict[str, str] = {}
    for each in names:
        for word, name in each.items():
            words.setdefault(name, word)
            for ending in _ENDINGS:
                if name.endswith(ending):
                    words.setdefault(name.removesuffix(ending), word)
    return words


def _source(target: Target, url: str, words: Mapping[str, str], keys: Mapping[str, Secret]) -> Source:
    if not _same_origin(url, target.root_url):
        return Source(urlsplit(url).netloc.rpartition("@")[2], url, words)
    tenant = target.main_tenant
    headers = {**resolve_headers(target, tenant), **target.auth_headers(keys.get(tenant))}
    if target.host is not None:
        headers["host"] = target.host
    tls = target.tls
    return Source(TARGET, url, words, headers, target.connect_to, tls.verify, tls.ca, tls.server_name)


def _same_origin(url: str, other: str) -> bool:
    one, two = urlsplit(url), urlsplit(other)
    return (one.scheme, one.netloc) == (two.scheme, two.netloc)


def _told_apart(found: list[Source]) -> list[Source]:
    """Each under a name of its own: the second page of one origin is its second."""
    names: dict[str, int] = {}
    told = []
    for each in found:
        names[each.name] = names.get(each.name, 0) + 1
        number = names[each.name]
        told.append(each if number == 1 else dataclasses.replace(each, name=f"{each.name} {number}"))
    return told
