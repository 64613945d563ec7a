# Needs Python 3.11 or newer and make; everything else comes into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup quickstart test lint types bench lock clean

setup: .venv/.done

.venv/.done: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

quickstart: setup
	$(BIN)/fastetl quickstart

test: setup lint types
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m pytest benches --benchmark-enable --benchmark-only

# Needs uv; writes no registry host.
lock:
	uv pip compile --universal --generate-hashes --group dev --python-version 3.11 --quiet pyproject.toml -o requirements.lock

clean:
	rm -rf .venv quickstart .mypy_cache .ruff_cache .pytest_cache
