# Everything installs what it needs: `make demo` and `make test` work on a bare Debian 12 machine with root rights.
# Arguments are passed on with ARGS, as in `make e2e ARGS="-k delete"`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.ready
ARGS ?=
# Processes of `make test`: stacks that wait for one another's deadlines leave room for what computes.
LANES ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test unit integration e2e chaos coverage bench lint format clean

help: ## what there is to do
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(SETUP): pyproject.toml constraints/control-plane.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "installing python3-venv" && apt-get update -qq && apt-get install -y -qq python3 python3-venv; }
	@echo "installing the control plane into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints/control-plane.txt -e '.[dev]'
	@touch $@

setup: $(SETUP) ## the control plane's environment, with the `modelyard` command

demo: $(SETUP) ## the main job from nothing: stack, Workspace, chat, where to look
	@$(BIN)/modelyard demo $(ARGS)

up: $(SETUP) ## start (or repair) the local stack
	@$(BIN)/modelyard local up $(ARGS)

down: $(SETUP) ## stop it and leave nothing behind
	@$(BIN)/modelyard local down $(ARGS)

test: $(SETUP) lint ## everything that must pass, from unit to e2e
	$(BIN)/modelyard local prepare
	$(BIN)/pytest -n $(LANES) --no-loadscope-reorder -m "not chaos" $(ARGS)

unit: $(SETUP) ## seconds: pure parts and workflows
	$(BIN)/pytest tests/unit tests/workflows tests/replay $(ARGS)

integration: $(SETUP) ## real etcd, kube-apiserver, Temporal, registry, ARM stand-in
	$(BIN)/pytest tests/integration $(ARGS)

e2e: $(SETUP) ## the whole local stack with a real model
	$(BIN)/modelyard local prepare
	$(BIN)/pytest tests/e2e tests/runtime $(ARGS)

chaos: $(SETUP) ## faults in every step, counting what is leaked, stuck or doubled
	$(BIN)/modelyard local prepare
	$(BIN)/pytest tests/chaos -v $(ARGS)

coverage: $(SETUP) ## branches that the quick tests go through, by folder; pages in build/coverage/html
	$(BIN)/coverage run -m pytest tests/unit tests/replay tests/workflows $(ARGS)
	$(BIN)/coverage json -q
	$(BIN)/coverage html -q
	$(BIN)/python -m tests.coverage_by_folder build/coverage/report.json

bench: $(SETUP) ## measurements as JSON lines
	$(BIN)/python -m bench $(ARGS)

lint: $(SETUP) ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(SETUP) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environments (caches and local stacks stay)
	rm -rf $(VENV) .venv-runtime
