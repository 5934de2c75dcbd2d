# Two commands do all the set-up: `make demo` runs the main job, `make check` passes all checks and tests.
# `make docs` writes the site to docs/_build/index.html.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo check lint test slow docs clean

demo: $(VENV)/.ready
	$(BIN)/ushape run examples/digits.yaml

check: lint test

lint: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

slow: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile thorough

docs: $(VENV)/.ready-docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html docs docs/_build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .[dev]
	touch $@ $(VENV)/.ready

$(VENV)/.ready-docs: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .[docs]
	touch $@ $(VENV)/.ready

clean:
	rm -rf $(VENV) docs/_build docs/generated build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
