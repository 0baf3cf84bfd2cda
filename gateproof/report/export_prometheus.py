"""Prometheus text exposition, version 0.0.4: what the Pushgateway and the node exporter's textfile collector take.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/. Names by OpenTelemetry's rules for Prometheus
(https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/): dots become underscores, the unit
is written out and ends the name. No timestamps: the Pushgateway refuses them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gateproof.report.export_metrics import Exported, Family, Quantiles, Summary

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SUFFIXES = {"": "", "s": "_seconds", "1": "_ratio", "{request}/s": "_per_second", "{token}/s": "_per_second"}
"""By UCUM unit; what is only counted (``{request}``) has none."""

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})
_LABEL_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def text(told: Exported) -> str:
    """The whole exposition, in the order of the families; it ends with a line end."""
    return "".join(f"{line}\n" for family in told.families for line in _family(family, told.common))


def name_of(family: Family) -> str:
    suffix = SUFFIXES.get(family.unit, "")
    name = _legal(family.name)
    return name if name.endswith(suffix) else name + suffix


def _family(family: Family, common: Mapping[str, str]) -> Iterator[str]:
    name = name_of(family)
    yield f"# HELP {name} {family.help.translate(_ESCAPES)}"
    yield f"# TYPE {name} {family.kind}"
    if isinstance(family, Summary):
        for each in family.values:
            yield from _quantiles(name, each, {**common, **each.labels})
    else:
        yield from (_sample(name, {**common, **each.labels}, each.value) for each in family.values)


def _quantiles(name: str, each: Quantiles, labels: Mapping[str, str]) -> Iterator[str]:
    for share, value in each.quantiles.items():
        yield _sample(name, {**labels, "quantile": f"{share:.12g}"}, value)
    yield _sample(f"{name}_sum", labels, each.sum)
    yield _sample(f"{name}_count", labels, each.count)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{_legal(label)}="{text.translate(_LABEL_ESCAPES)}"' for label, text in labels.items())
    return f"{name}{{{inside}}} {value!r}"


def _legal(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", name)
