# Everything installs what it needs: `make demo` and `make test` work on a bare Debian 12 machine with root rights.
# Arguments are passed on with ARGS, as in `make check ARGS="-k delete"`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.ready
ARGS ?=
DEVICE ?= cpu
REGISTRY ?=
# The environment that `make gpu-check` measures, with the packages for GPUs.
GPU_PYTHON ?= .venv-runtime/bin/python
# Processes of `make test`: stacks that wait for one another's deadlines leave room for what computes.
LANES ?= 3
# Which tests have which mark, and which share a process, stands in tests/tiers.py.
PYTEST := $(BIN)/pytest --no-loadscope-reorder --durations 20

# Tests and stacks start some hundred Python processes: without bytecode on disk each would compile all sources again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo up down images check test test-all chaos coverage bench gpu-check lint format clean

help: ## what there is to do
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(SETUP): pyproject.toml constraints/control-plane.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "installing python3-venv" && apt-get update -qq && apt-get install -y -qq python3 python3-venv; }
	@echo "installing the control plane into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes -r constraints/control-plane.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(SETUP) ## the control plane's environment, with the `modelyard` command

demo: $(SETUP) ## the main job from nothing: stack, Workspace, chat, where to look
	@$(BIN)/modelyard demo $(ARGS)

up: $(SETUP) ## start (or repair) the local stack
	@$(BIN)/modelyard local up $(ARGS)

down: $(SETUP) ## stop it and leave nothing behind
	@$(BIN)/modelyard local down $(ARGS)

images: $(SETUP) ## all images of an installation: DEVICE=cpu|cuda, and REGISTRY=host/path to push them there
	@$(BIN)/modelyard images $(if $(REGISTRY),push --registry $(REGISTRY),build) --device $(DEVICE) $(ARGS)

check: $(SETUP) lint ## before a push: lint, pure parts, workflows, recorded histories; minutes
	$(PYTEST) -n 2 -m "fast" $(ARGS) tests/unit tests/workflows tests/replay tests/chaos

test: $(SETUP) lint ## that, real API servers and registries, and the demo's path end to end; 17 minutes
	$(BIN)/modelyard local prepare
	$(PYTEST) -n $(LANES) -m "fast or standard" $(ARGS)

test-all: $(SETUP) lint ## before a release: that, trainings, vLLM, kubelets, faults that have to wait
	$(BIN)/modelyard local prepare
	$(PYTEST) -n $(LANES) -m "fast or standard or slow" $(ARGS)

chaos: $(SETUP) ## faults in every step, counting what is leaked, stuck or doubled; half an hour
	$(BIN)/modelyard local prepare
	$(BIN)/pytest tests/chaos -m "chaos" -v $(ARGS)

coverage: $(SETUP) ## branches that the quick tests go through, by folder; pages in build/coverage/html
	$(BIN)/coverage run -m pytest tests/unit tests/replay tests/workflows $(ARGS)
	$(BIN)/coverage json -q
	$(BIN)/coverage html -q
	$(BIN)/python -m tests.coverage_by_folder build/coverage/report.json

bench: $(SETUP) ## measurements as JSON lines
	$(BIN)/python -m bench $(ARGS)

gpu-check: ## serve and train on one GPU, beside vLLM and trl alone; JSON and tables, less than eight minutes
	@test -x $(GPU_PYTHON) || { echo "no $(GPU_PYTHON): docs/performance.md, On a GPU, says how to make it"; exit 2; }
	$(GPU_PYTHON) -m bench.gpu $(ARGS)

lint: $(SETUP) ## ruff, mypy, import contracts, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(SETUP) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environments (caches and local stacks stay)
	rm -rf $(VENV) .venv-runtime
