"""A page of NVIDIA's dcgm-exporter, as version 4 writes it on a machine with two GPUs: read, named, and told."""

from __future__ import annotations

from gateproof.load.metrics.exposition import parse
from gateproof.load.metrics.samples import Sample, samples_of
from gateproof.load.metrics.sources import DCGM, sources_of
from gateproof.load.metrics.summary import Growth, Level, seen
from gateproof.targets.model import Target

SECOND = 1_000_000_000  # ns
URL = "http://gpu-node:9400/metrics"
LABELS = (
    'gpu="{gpu}",UUID="GPU-00000000-0000-0000-0000-00000000000{gpu}",pci_bus_id="00000000:3{gpu}:00.0",'
    'device="nvidia{gpu}",modelName="NVIDIA L4",Hostname="gpu-node",DCGM_FI_DRIVER_VERSION="580.105.08"'
)
PAGE = """# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).
# TYPE DCGM_FI_DEV_SM_CLOCK gauge
DCGM_FI_DEV_SM_CLOCK{%(0)s} 2040
DCGM_FI_DEV_SM_CLOCK{%(1)s} 210
# HELP DCGM_FI_DEV_MEM_CLOCK Memory clock frequency (in MHz).
# TYPE DCGM_FI_DEV_MEM_CLOCK gauge
DCGM_FI_DEV_MEM_CLOCK{%(0)s} 6250
# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).
# TYPE DCGM_FI_DEV_GPU_TEMP gauge
DCGM_FI_DEV_GPU_TEMP{%(0)s} 61
# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{%(0)s} 71.365000
# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION Total energy consumption since boot (in mJ).
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{%(0)s} 4742776
# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %%).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{%(0)s} 97
DCGM_FI_DEV_GPU_UTIL{%(1)s} 0
# HELP DCGM_FI_DEV_FB_USED Framebuffer memory used (in MiB).
# TYPE DCGM_FI_DEV_FB_USED gauge
DCGM_FI_DEV_FB_USED{%(0)s} 21034
""" % {gpu: LABELS.format(gpu=gpu) for gpu in "01"}


def of_page(text: str = PAGE, at: int = 0) -> list[Sample]:
    words = {name: word for word, name in DCGM.items()}
    return samples_of("gpu-node:9400", at, parse(text, words).values(), words)


def test_a_page_of_gpus_is_scraped_where_a_target_names_it() -> None:
    entry = {"name": "t", "stack": "openai", "base_url": "http://127.0.0.1:9", "models": {"chat": "m"}}
    [_, source] = sources_of(Target.model_validate({**entry, "metrics": ["/metrics", URL]}), {})
    assert (source.name, source.url, source.headers) == ("gpu-node:9400", URL, {})
    assert set(DCGM.items()) <= {(word, name) for name, word in source.words.items()}


def test_every_gpu_has_a_series_under_our_word() -> None:
    found = {(each.word, each.value) for each in of_page()}
    assert found == {
        ("gpu_use", 97),
        ("gpu_use", 0),
        ("gpu_memory", 21034),
        ("gpu_power", 71.365),
        ("gpu_energy", 4742776),
        ("gpu_temperature", 61),
        ("gpu_clock", 2040),
        ("gpu_clock", 210),
    }
    assert len({each.labels for each in of_page() if each.word == "gpu_use"}) == 2


def test_what_was_drawn_over_a_run_is_told() -> None:
    """1,000 J more in 10 s are 100 W."""
    later = PAGE.replace(" 4742776", f" {4742776 + 1_000_000}").replace(" 97\n", " 91\n")
    told = {(each.word, each.labels): each.told for each in seen([*of_page(), *of_page(later, 10 * SECOND)], [(0, 11)])}
    [energy] = [each for (word, _), each in told.items() if word == "gpu_energy"]
    assert isinstance(energy, Growth)
    assert energy.rate == 100_000  # mJ/s
    [use] = [each for (word, labels), each in told.items() if word == "gpu_use" and "nvidia0" in labels]
    assert isinstance(use, Level)
    assert (use.low, use.mean, use.high) == (91, 94, 97)
