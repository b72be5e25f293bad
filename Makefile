# Everything here sets itself up: a machine with Python and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test chaos lint bench lock clean
help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

$(VENV)/ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/ready ## the whole round on generated data, against a local sandbox of the API
	@$(BIN)/connector demo

test: lint ## lint, types, and every test
	@$(BIN)/python -m pytest -q -n auto -m "not chaos"

chaos: $(VENV)/ready ## the long fault suite: hundreds of kills, days of faults, many more random walks
	@$(BIN)/python -m pytest -q -m chaos tests

lint: $(VENV)/ready ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/ready ## speed as ratios against named baselines
	@$(BIN)/python -m benchmarks

lock: ## renew requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev --all-extras --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	  --no-header --quiet --output-file requirements.lock

clean: ## remove the virtual environments and caches
	rm -rf $(VENV) .peers .mypy_cache .ruff_cache .pytest_cache .hypothesis
