"""A run's results as metrics: Prometheus text by Prometheus' own parser, OTLP by its own messages, and the sending."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import typer
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from gateproof.errors import ConfigError, TargetUnreachable
from gateproof.report import export_otlp, export_prometheus, export_push
from gateproof.report.export_command import export
from gateproof.report.export_metrics import Exported, Gauge, Value, exported
from gateproof.report.load_model import Estimate, Overhead, Saturation, Stage
from gateproof.report.saved import Saved, read_run
from gateproof.report.write import write_report
from gateproof.verdict.outcomes import Verdict
from tests.unit import load_runs, report_samples

HOSTILE = 'a\\b"c\nd{}=,'
SECRET = "Bearer hunter2"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    return load_runs.made(folder, load_runs.lognormal(200.0), failed=0.02, versions={"litellm": "1.106.2"})


@pytest.fixture(scope="module")
def told(run: Path) -> Exported:
    return exported(read_run(run))


def conformance(folder: Path) -> Saved:
    records = report_samples.record(), report_samples.record(report_samples.SHOULD, Verdict.FAIL)
    write_report(report_samples.report(*records, report_samples.record("AUTH-003", Verdict.FAIL)), folder)
    return read_run(folder)


def parsed(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    """By the sample's own labels, those that every sample has left out."""
    common = {"target", "profile", "kind"}
    return {
        tuple(value for label, value in sample.labels.items() if label not in common): sample.value
        for sample in family.samples
    }


# --- Prometheus ---


def test_prometheus_reads_a_distribution_as_a_summary_in_base_units(run: Path, told: Exported) -> None:
    ttft = parsed(export_prometheus.text(told))["gateproof_ttft_seconds"]
    report = json.loads((run / "report.json").read_text())["metrics"]["ttft"]
    by_quantile = {sample.labels["quantile"]: sample.value for sample in ttft.samples if "quantile" in sample.labels}
    assert ttft.type == "summary"
    assert by_quantile == {
        "0.5": report["quantiles"]["p50"],
        "0.9": report["quantiles"]["p90"],
        "0.95": report["quantiles"]["p95"],
        "0.99": report["quantiles"]["p99"],
    }
    rest = {sample.name: sample.value for sample in ttft.samples if "quantile" not in sample.labels}
    assert rest["gateproof_ttft_seconds_count"] == report["count"]
    assert rest["gateproof_ttft_seconds_sum"] == pytest.approx(report["mean"] * report["count"])


def test_prometheus_reads_every_line_and_no_name_twice(told: Exported) -> None:
    text = export_prometheus.text(told)
    families = parsed(text)
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert sorted(families) == sorted(set(names)) == sorted(names)
    samples = sum(len(family.samples) for family in families.values())
    assert samples == sum(not line.startswith("#") for line in text.splitlines())
    assert all(sample.labels["target"] == "mine" for family in families.values() for sample in family.samples)


def test_outcomes_rates_and_shares_have_their_units_in_their_names(told: Exported) -> None:
    families = parsed(export_prometheus.text(told))
    requests = values(families["gateproof_run_requests"])
    failed, well = requests["server error",], requests["ok",]
    assert 0 < failed < well
    assert values(families["gateproof_error_ratio"]) == {(): pytest.approx(failed / (failed + well))}
    assert {"gateproof_answers_per_second", "gateproof_output_tokens_per_second"} <= families.keys()
    assert values(families["gateproof_run_window_seconds"]) == {(): 60.0}
    assert families["gateproof_run_info"].samples[0].labels["versions"] == "litellm 1.106.2"


def test_labels_and_help_are_escaped() -> None:
    gauge = Gauge("gateproof.x", "", HOSTILE, [Value(1, {"outcome": HOSTILE})])
    text = export_prometheus.text(Exported({"target": HOSTILE}, 0, 0, "1", (gauge,)))
    [sample] = parsed(text)["gateproof_x"].samples
    assert sample.labels == {"target": HOSTILE, "outcome": HOSTILE}
    assert len(text.splitlines()) == 3


def test_a_void_run_exports_that_and_none_of_its_numbers(tmp_path: Path) -> None:
    folder = load_runs.made(tmp_path, load_runs.lognormal(200.0), lost_worker=True)
    families = parsed(export_prometheus.text(exported(read_run(folder))))
    assert values(families["gateproof_run_valid"]) == {(): 0}
    assert families.keys() == {"gateproof_run_info", "gateproof_run_end_timestamp_seconds", "gateproof_run_valid"}


def test_a_conformance_run_exports_its_verdict_and_what_is_broken(tmp_path: Path) -> None:
    families = parsed(export_prometheus.text(exported(conformance(tmp_path))))
    assert values(families["gateproof_conformant"]) == {(): 0}
    assert values(families["gateproof_requirements"])["FAIL", "MUST"] == 1
    assert values(families["gateproof_requirement_broken"]) == {("AUTH-003", "AUTH", "FAIL", "MUST"): 1}


def test_what_a_gateway_adds_and_where_it_saturates_are_exported(run: Path) -> None:
    saved = read_run(run)
    estimate = Estimate(value=0.010, low=0.008, high=None)
    stage = Stage(start="sent", pairs=9, blocks=3, gateway=0.2, direct=0.19, median=estimate, mean=None, tail=estimate)
    more = {
        "overhead": Overhead(unit="s", pairs=9, lost={}, stages={"ttft": stage}),
        "saturation": Saturation(
            unit="requests/s", met=40.0, not_met=None, limited_by_us=False, complete=True, objectives=[], runs=[]
        ),
    }
    told = exported(Saved(run, saved.report.model_copy(update=more)))
    families = parsed(export_prometheus.text(told))
    assert values(families["gateproof_overhead_seconds"]) == {("ttft", "median"): 0.010, ("ttft", "p95"): 0.010}
    bounds = {("ttft", "median", "lower"): 0.008, ("ttft", "p95", "lower"): 0.008}
    assert values(families["gateproof_overhead_bound_seconds"]) == bounds
    assert values(families["gateproof_saturation_per_second"]) == {("met",): 40.0}
    request = json_format.Parse(export_otlp.text(told), ExportMetricsServiceRequest())
    names = {metric.name for metric in request.resource_metrics[0].scope_metrics[0].metrics}
    assert {"gateproof.overhead", "gateproof.overhead.bound", "gateproof.saturation"} <= names


# --- OTLP ---


def test_otlp_reads_the_same_numbers(run: Path, told: Exported) -> None:
    request = json_format.Parse(export_otlp.text(told), ExportMetricsServiceRequest())
    [resource] = request.resource_metrics
    assert {each.key: each.value.string_value for each in resource.resource.attributes} == {
        "service.name": "mine",
        "gateproof.target": "mine",
        "gateproof.kind": "load",
        "gateproof.profile": "p",
    }
    [scope] = resource.scope_metrics
    metrics = {metric.name: metric for metric in scope.metrics}
    report = json.loads((run / "report.json").read_text())
    [point] = metrics["gateproof.ttft"].summary.data_points
    assert metrics["gateproof.ttft"].unit == "s"
    assert point.count == report["metrics"]["ttft"]["count"]
    assert {each.quantile: each.value for each in point.quantile_values}[0.99] == (
        report["metrics"]["ttft"]["quantiles"]["p99"]
    )
    outcomes = {
        p.attributes[0].value.string_value: p.as_int for p in metrics["gateproof.run.requests"].gauge.data_points
    }
    assert outcomes == report["outcomes"]
    assert point.time_unix_nano > point.start_time_unix_nano > 1_600_000_000 * 10**9


def test_otlp_json_writes_64_bit_integers_as_strings(told: Exported) -> None:
    """https://protobuf.dev/programming-guides/json: a number would lose digits in JavaScript."""
    metrics = export_otlp.request(told)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    points = [
        point for each in metrics for kind in ("gauge", "summary") for point in each.get(kind, {}).get("dataPoints", [])
    ]
    assert {type(point["timeUnixNano"]) for point in points} == {str}
    assert {type(point[key]) for point in points for key in ("count", "asInt") if key in point} == {str}


# --- sending ---


@dataclass
class Collector:
    """What arrived, and how it is answered."""

    url: str
    status: int = 200
    body: bytes = b"{}"
    location: str | None = None
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            box.seen.append((self.command, self.path, headers, body))
            self.send_response(box.status)
            if box.location:
                self.send_header("Location", box.location)
            self.send_header("Content-Length", str(len(box.body)))
            self.end_headers()
            self.wfile.write(box.body)

        do_PUT = do_POST = _take  # noqa: N815 - the names that http.server wants

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        box = Collector(f"http://127.0.0.1:{server.server_port}")
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield box
        server.shutdown()
        serving.join()


def send(collector: Collector, told: Exported, wanted: export_push.Format) -> None:
    export_push.push(export_push.delivery(told, wanted, collector.url), {"authorization": SECRET})


def test_otlp_goes_to_v1_metrics(collector: Collector, told: Exported) -> None:
    send(collector, told, "otlp-json")
    [(method, path, headers, body)] = collector.seen
    assert (method, path, headers["content-type"]) == ("POST", "/v1/metrics", "application/json")
    assert headers["authorization"] == SECRET
    assert json_format.Parse(body, ExportMetricsServiceRequest()).resource_metrics


def test_a_pushgateway_gets_a_group_of_its_own_for_each_target_and_profile(
    collector: Collector, told: Exported
) -> None:
    send(collector, told, "prometheus")
    [(method, path, headers, body)] = collector.seen
    assert (method, path) == ("PUT", "/metrics/job/gateproof/target/mine/kind/load/profile/p")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "gateproof_ttft_seconds" in parsed(body.decode())


def test_a_slash_in_a_name_is_no_step_of_the_path() -> None:
    """https://github.com/prometheus/pushgateway#url: such values are written in base64."""
    sent = export_push.delivery(Exported({"target": "a/b"}, 0, 0, "1", ()), "prometheus", "http://h:1/base/")
    assert sent.url == "http://h:1/base/metrics/job/gateproof/target@base64/YS9i"


def test_a_full_url_is_taken_as_it_is(told: Exported) -> None:
    full = "http://h:1/otlp/v1/metrics?tenant=1"
    assert export_push.delivery(told, "otlp-json", full).url == full
    group = "http://h:1/metrics/job/mine"
    assert export_push.delivery(told, "prometheus", group).url == group


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"no such\x1b[31m key", r"HTTP 401: no such\\x1b\[31m key"),
        (500, b"", "refused the metrics: HTTP 500$"),
        (
            200,
            b'{"partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "late"}}',
            "3 points were rejected: late",
        ),
    ],
)
def test_a_refusal_is_told_with_its_reason_and_without_secrets(
    collector: Collector, told: Exported, status: int, body: bytes, words: str
) -> None:
    collector.status, collector.body = status, body
    with pytest.raises(TargetUnreachable, match=words) as raised:
        send(collector, told, "otlp-json")
    assert "hunter2" not in str(raised.value)


def test_no_redirect_is_followed_with_the_secret(collector: Collector, told: Exported) -> None:
    collector.status, collector.location = 307, "http://elsewhere.test/v1/metrics?key=hunter2"
    with pytest.raises(TargetUnreachable, match=r"leads to http://elsewhere.test/v1/metrics: name that"):
        send(collector, told, "otlp-json")
    assert len(collector.seen) == 1


def test_nobody_there_is_told_with_the_address(told: Exported) -> None:
    with pytest.raises(TargetUnreachable, match=r"http://127.0.0.1:9/v1/metrics: .*refused"):
        export_push.push(export_push.delivery(told, "otlp-json", "http://127.0.0.1:9"), {})


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://h", "http://", "http://h:99999", "", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_a_mistake(told: Exported, endpoint: str) -> None:
    with pytest.raises(ConfigError, match="--endpoint: not an HTTP URL"):
        export_push.delivery(told, "otlp-json", endpoint)


def test_a_password_in_the_url_is_refused_and_not_repeated(told: Exported) -> None:
    with pytest.raises(ConfigError, match="use --header-env") as raised:
        export_push.delivery(told, "otlp-json", "http://me:hunter2@h")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("Authorization: Bearer hunter2", "not a header"),
        ("Authorization=", "not a header"),
        ("a b=OTLP", "not a header"),
        ("authorization=NOWHERE", "`NOWHERE` is not set"),
        ("authorization=BAD", "`BAD` cannot stand in a header"),
    ],
)
def test_a_header_that_cannot_be_made_is_a_mistake_that_repeats_no_secret(given: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        export_push.headers_of([given], {"BAD": "hunter2\n\x01", "OTLP": "x"})
    assert "hunter2" not in str(raised.value)


# --- the command ---


def invoke(*words: str) -> str:
    app = typer.Typer()
    app.command()(export)
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_prints(run: Path) -> None:
    assert "gateproof_run_valid" in parsed(invoke(str(run), "--format", "prometheus"))
    assert json.loads(invoke(str(run / "report.json"), "--format", "otlp-json"))["resourceMetrics"]


def test_the_command_sends_and_writes(
    run: Path, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTLP_AUTH", SECRET)
    file = tmp_path / "gateproof.prom"
    header = "Authorization=OTLP_AUTH"
    printed = invoke(
        *(str(run), "--format", "prometheus", "--endpoint", collector.url, "--header-env", header),
        *("--output", str(file)),
    )
    assert printed == ""
    [(_, _, headers, body)] = collector.seen
    assert headers["authorization"] == SECRET
    assert body.decode() == file.read_text()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--format", "prometeus"), "unknown format `prometeus`; did you mean `prometheus`?"),
        (("--format", "prometheus", "--header-env", "A=B"), "headers are sent to an endpoint"),
    ],
)
def test_a_mistake_of_the_user_is_told(run: Path, words: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        invoke(str(run), *words)
    assert problem in str(raised.value)
