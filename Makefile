# Needs make and Python 3.11 or newer, nothing else: everything is installed into .venv, from the lock.
# Another Python: make test PYTHON=/usr/bin/python3.12

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for one in python3 python3.13 python3.12 python3.11; do \
	"$$one" -c '$(RECENT)' 2>/dev/null && echo "$$one" && break; done)

.DEFAULT_GOAL := help
ATHERIS := atheris==3.0.0
SECONDS ?= 60
SEEDS ?= 10000
.PHONY: help demo run test test-clients fuzz prove lint types docs lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(INSTALLED) ## play an incident on a fake upstream and watch it being handled
	@$(BIN)/runbookd demo

run: $(INSTALLED) ## run in front of the proxy on 127.0.0.1:8317: clients use :8318, people :8319
	@$(BIN)/runbookd run

test: lint types ## lint, types, layers, and all tests
	$(BIN)/lint-imports
	$(BIN)/pytest

test-clients: $(INSTALLED) ## install the clients that people use, and drive them through the proxy
	PYTHON="$(PYTHON)" tests/clients/install.sh
	RUNBOOKD_TEST_CLIENTS=required $(BIN)/pytest tests/clients

fuzz: $(INSTALLED) ## feed mutated bytes to whatever reads bytes, each reader for a minute (SECONDS=60)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || if command -v uv >/dev/null; \
		then uv pip install --quiet --python $(BIN)/python $(ATHERIS); \
		else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(ATHERIS); fi
	@for target in $(patsubst tests/fuzz/fuzz_%.py,%,$(wildcard tests/fuzz/fuzz_*.py)); do \
		echo "$$target:"; $(BIN)/python -m tests.fuzz.runner $$target $(SECONDS) || exit 1; done

prove: $(INSTALLED) ## simulate ten thousand days of faults, on all cores, against the laws of an alert's life (SEEDS=10000)
	@$(BIN)/python -m tests.simulation $(SEEDS)

lint: $(INSTALLED) ## ruff: mistakes and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy
	$(BIN)/mypy

docs: $(INSTALLED) ## write anew what is made from the code: rules, probes, mitigations, the runbook's table, messages
	@$(BIN)/python -m daemon.app.rules_page > docs/rules.md.new && mv docs/rules.md.new docs/rules.md
	@$(BIN)/python -m daemon.app.mitigations_page > docs/mitigations.md.new && mv docs/mitigations.md.new docs/mitigations.md
	@$(BIN)/python -m daemon.app.probes_page > docs/probes.md.new && mv docs/probes.md.new docs/probes.md
	@$(BIN)/python -m daemon.app.runbook_page < docs/runbook.md > docs/runbook.md.new && mv docs/runbook.md.new docs/runbook.md
	@$(BIN)/python -m tests.notifications_page > docs/notifications.md.new && mv docs/notifications.md.new docs/notifications.md

lock: ## write requirements.lock anew, with the newest versions that pyproject.toml allows (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --group dev --extra postgres \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --output-file requirements.lock

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) .clients .fuzz build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find daemon migrations tests bench -name __pycache__ -prune -exec rm -rf {} +

# Done again only when what it was made from has changed. Only the lock is fetched: runbookd itself is built on the spot.
$(INSTALLED): pyproject.toml requirements.lock
	@"$(PYTHON)" -c '$(RECENT)' 2>/dev/null || { \
		echo "runbookd needs Python 3.11 or newer; $(or $(PYTHON),python3) is: $$($(or $(PYTHON),python3) --version 2>&1 || echo none)." >&2; \
		echo "Install one, and name it if it is not in PATH: make PYTHON=/path/to/python3.12 …" >&2; exit 1; }
	@echo "Installing into $(VENV): a minute, once …"
	@if command -v uv >/dev/null; then \
		{ $(BIN)/python -c '$(RECENT)' 2>/dev/null || uv venv --quiet --clear --python "$(PYTHON)" $(VENV); } && \
		uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e .; \
	else \
		"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || { \
			echo "This Python cannot make virtual environments: install python3-venv, or uv." >&2; exit 1; }; \
		{ $(BIN)/python -c 'import pip; $(RECENT)' 2>/dev/null || "$(PYTHON)" -m venv --clear $(VENV); } && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .; \
	fi
	@touch $@
