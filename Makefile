.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup run test test-slow lint format docs bench lock clean

help: ## Show the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## Create .venv with dan-g and everything the tests need

run: setup ## Run the orchestrator on the simulated crude unit (embedded defaults, no key)
	$(BIN)/dan-g run

test: setup lint ## Check style, types and imports, then run the tests
	$(BIN)/python -m pytest

test-slow: setup ## Run the long tests too
	$(BIN)/python -m pytest -m "slow or not slow"

lint: setup ## Ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

bench: setup ## Run the benchmarks, figures as ratios against a reference
	$(BIN)/python -m benchmarks

# every extra but ray, for the reason in docs/dependencies.md
LOCKED_EXTRAS := excel forecasting knowledge mcp opcua optimization postgres redis twin

lock: ## Resolve the dependencies anew into requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev $(LOCKED_EXTRAS:%=--extra %) --python-version 3.11 --universal \
		--generate-hashes --no-emit-index-url --upgrade --output-file requirements.lock

clean: ## Remove what setup and the tests made
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
