"""Prometheus' text format is read as Prometheus reads it: whole or not at all, and never past a mistake."""

from __future__ import annotations

import contextlib
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.load.metrics import exposition
from gateproof.load.metrics.exposition import Buckets, MalformedPage, parse

# The page that the format's own documentation shows, shortened.
PAGE = r"""# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045

# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="0.1"} 33444
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.5"} 4773
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
"""


def test_the_page_of_the_documentation_is_read_whole() -> None:
    page = parse(PAGE)
    assert {name: family.kind for name, family in page.items()} == {
        "http_requests_total": "counter",
        "msdos_file_access_time_seconds": "untyped",
        "metric_without_timestamp_and_labels": "untyped",
        "something_weird": "untyped",
        "http_request_duration_seconds": "histogram",
        "rpc_duration_seconds": "summary",
    }
    assert page["http_requests_total"].values == {
        (("code", "200"), ("method", "post")): 1027.0,
        (("code", "400"), ("method", "post")): 3.0,
    }
    assert page["http_request_duration_seconds"].histograms == {
        (): Buckets((0.05, 0.1, math.inf), (24054.0, 33444.0, 144320.0), 53423.0)
    }
    assert page["something_weird"].values[(("problem", "division by zero"),)] == math.inf


def test_escapes_in_labels_are_undone() -> None:
    (labels,) = parse(PAGE)["msdos_file_access_time_seconds"].values
    assert dict(labels) == {"path": r"C:\DIR\FILE.TXT", "error": 'Cannot find file:\n"FILE.TXT"'}


def test_histograms_are_told_apart_by_their_other_labels() -> None:
    text = "# TYPE h histogram\n" + "".join(
        f'h_bucket{{engine="{engine}",le="{edge}"}} {count}\n'
        for engine in (0, 1)
        for edge, count in (("+Inf", 4 + engine), ("1", 3))
    )
    assert {labels: h.counts for labels, h in parse(text)["h"].histograms.items()} == {
        (("engine", "0"),): (3.0, 4.0),
        (("engine", "1"),): (3.0, 5.0),
    }


def test_only_what_is_wanted_is_kept_and_read() -> None:
    text = "# TYPE a gauge\na 1\n# TYPE b gauge\nb{broken 2\nc 3\n# TYPE h histogram\nh_bucket{le= 1\n"
    assert {name: family.values for name, family in parse(text, {"a"}).items()} == {"a": {(): 1.0}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0bad 1\n", "line 1: no metric name"),
        ("a\n", "line 1: one value is needed"),
        ("a 1 2 3\n", "line 1: one value is needed"),
        ("a 1 1.5\n", "line 1: one value is needed"),
        ("a one\n", "line 1: `one` is no number"),
        ("a 1_000\n", "line 1: `1_000` is no number"),
        ('ok 1\na{b="c} 1\n', "line 2: labels that do not end"),
        ('a{b="\\x"} 1\n', "line 1: labels that do not end, or a wrong escape"),
        ('a{b="c" d="e"} 1\n', "line 1: labels that do not end"),
        ('a{b="c",b="d"} 1\n', "line 1: label b twice"),
        ("a 1\na 1\n", "line 2: a twice with the same labels"),
        ("# TYPE a gauges\n", "line 1: `gauges` is no type"),
        ("# TYPE a gauge\n# TYPE a gauge\n", "line 2: the type of a comes twice"),
        ("a 1\n# TYPE a gauge\n", "line 2: the type of a comes twice or after its samples"),
        ('# TYPE h histogram\nh_bucket{le="1"} 1\n', "h has no bucket without an upper edge"),
        ('# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\n', "the buckets of h do not add up"),
        ('# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_count 2\n', "h counts 2, its buckets 1"),
        ("# TYPE h histogram\nh_bucket 1\n", "line 2: h_bucket is no part of a histogram"),
        ("<html>\n", "line 1: no metric name"),
        ('{"error": 1}\n', "line 1: no metric name"),
    ],
)
def test_a_mistake_refuses_the_page_and_says_where_it_stands(text: str, problem: str) -> None:
    with pytest.raises(MalformedPage) as refused:
        parse(text)
    assert str(refused.value).startswith(problem) or problem in str(refused.value)


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n#another\n#\n", "a{} 1\n", 'a{b="c",} 1', "  a\t1  \n"])
def test_what_the_format_allows_is_no_mistake(text: str) -> None:
    assert set(parse(text)) <= {"a"}


NAME = re.compile(exposition.NAME)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@given(values=st.dictionaries(TEXTS, st.floats(allow_nan=False), max_size=5))
def test_whatever_stands_in_a_label_comes_back(values: dict[str, float]) -> None:
    text = "# TYPE a gauge\n" + "".join(f'a{{x="{escaped(text)}"}} {value!r}\n' for text, value in values.items())
    found = parse(text).get("a")
    assert ({} if found is None else {labels[0][1]: value for labels, value in found.values.items()}) == values


@given(text=st.text(st.sampled_from('abc_{}="\\,le# TYPE\n 01.+Inf-'), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(MalformedPage):
        assert all(NAME.fullmatch(name) for name in parse(text))
