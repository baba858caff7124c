# Every command does its own set-up: a virtual environment in .venv from the hashed locks in requirements/, then the project itself.
# Nothing else is needed than Python 3.11 or newer, make, and a package registry.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
PYTEST = $(BIN)/python -m pytest
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL_LOCK = $(PIP) install --require-hashes -r
# The build tools come from a lock too, so pip must not fetch others.
INSTALL_PROJECT = $(PIP) install --no-deps --no-build-isolation -e .
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet

.PHONY: help demo test test-browser faults bench lint format frontend lock sbom audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/run.stamp ## Collect from the built-in simulator and serve at http://127.0.0.1:8000 (ARGS=--once to leave at the end)
	@$(BIN)/penstock demo $(ARGS)

# Tests wait for processes and for each other as long as they compute, so two cores have work for four.
test: lint chromium ## Everything CI runs: lint, types, import contracts, tests on SQLite, PostgreSQL and in a browser
	@$(PYTEST) --numprocesses 4 --dist worksteal $(ARGS)

test-browser: $(VENV)/dev.stamp chromium ## The dashboard in a real Chromium; screenshots are left in build/screenshots
	@$(PYTEST) --numprocesses 4 --dist worksteal tests/browser $(ARGS)

# Two at a time: what is killed at random moments needs moments that are not all taken by others.
faults: $(VENV)/dev.stamp ## What is slow by nature in full: kill -9, cuts, ticks; prints n and seeds (PENSTOCK_TEST_SEED=n repeats one)
	@PENSTOCK_TEST_SEED=$${PENSTOCK_TEST_SEED:-$$(date +%s)} $(PYTEST) --full -m faults -o faulthandler_timeout=3600 --numprocesses 2 --dist worksteal $(ARGS)

bench: $(VENV)/bench.stamp ## Speed and memory, as a table and as JSON
	@$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/dev.stamp ## Format, lint, types, import contracts, size limits
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(PYTEST) --quiet tests/house/test_size.py

format: $(VENV)/dev.stamp ## Format, and repair what can be repaired
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

frontend: $(VENV)/dev.stamp frontend/node_modules/made.stamp ## Check the dashboard's source and build it into the package
	@$(BIN)/python -m tests.house.openapi build/openapi.json
	@cd frontend && npm run --silent types && npm run --silent format && npm run --silent check && npm run --silent build

lock: $(VENV)/dev.stamp ## Resolve the dependencies anew and write the locks (UPGRADE=1 takes the newest ones)
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --group dev pyproject.toml requirements/build.in -o requirements/dev.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.txt --group bench pyproject.toml requirements/build.in -o requirements/bench.txt
	@$(COMPILE) --constraint requirements/dev.txt pyproject.toml requirements/build.in -o requirements/run.txt
	@$(COMPILE) --constraint requirements/dev.txt --extra push pyproject.toml requirements/build.in -o requirements/deploy.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.txt --group audit -o requirements/audit.txt
	@$(MAKE) --no-print-directory sbom

sbom: $(VENV)/audit.stamp ## List what a deployment and the dashboard are made of, with licences: requirements/sbom.cdx.json, docs/licences.md
	@$(BIN)/uv venv --quiet --clear build/sbom
	@$(BIN)/uv pip install --quiet --python build/sbom --require-hashes -r requirements/deploy.txt
	@$(BIN)/cyclonedx-py environment build/sbom --pyproject pyproject.toml --output-reproducible -o requirements/sbom.cdx.json
	@$(BIN)/python -m tests.house.licences

audit: $(VENV)/audit.stamp ## Compare the locks with the published advisories (needs the internet)
	@$(BIN)/pip-audit --progress-spinner off --disable-pip --require-hashes $(foreach lock,deploy dev bench audit,-r requirements/$(lock).txt) $(ARGS)

clean: ## Remove the virtual environment and everything that tools leave
	rm -rf $(VENV) frontend/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# ── Set-up ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

# Written last, so that a half-made environment is made again.
$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Penstock needs Python 3.11 or newer, and '$(PYTHON)' is not; name another one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements/run.txt pyproject.toml $(VENV)/made.stamp
	@echo "Installing what Penstock needs to run"
	@$(INSTALL_LOCK) requirements/run.txt
	@$(INSTALL_PROJECT)
	@touch $@

# It adds to what is there: no version differs from those of the other locks.
$(VENV)/bench.stamp: requirements/bench.txt pyproject.toml $(VENV)/made.stamp
	@echo "Installing what Penstock is measured with"
	@$(INSTALL_LOCK) requirements/bench.txt
	@$(INSTALL_PROJECT)
	@touch $@ $(VENV)/run.stamp

$(VENV)/audit.stamp: requirements/audit.txt $(VENV)/dev.stamp
	@echo "Installing what looks at the dependencies"
	@$(INSTALL_LOCK) requirements/audit.txt
	@touch $@

# The development lock holds the same versions and more, so it does for both.
$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml $(VENV)/made.stamp
	@echo "Installing what Penstock needs to be developed"
	@$(INSTALL_LOCK) requirements/dev.txt
	@$(INSTALL_PROJECT)
	@touch $@ $(VENV)/run.stamp

frontend/node_modules/made.stamp: frontend/package-lock.json
	@echo "Installing what the dashboard is built with"
	@cd frontend && npm ci --silent
	@touch $@

# Without the right to install one, the tests that need it say so.
.PHONY: chromium
chromium:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do ! command -v $$name >/dev/null || exit 0; done; \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0; \
	echo "Installing Chromium"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null
