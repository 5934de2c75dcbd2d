# Two commands do all the set-up: `make demo` runs the main job, `make check` passes all checks and tests.
# `make docs` writes the site to docs/_build/index.html.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

MINIMUM ?= .venv-minimum
#: what the lowest versions must pass: text to graph, graph to torch, search, records, a whole study, reports, commands
MINIMUM_TESTS = tests/archspec/test_archspec_zoo.py tests/builder/test_builder_assemble.py \
  tests/builder/test_builder_export.py tests/search/test_search_bridge.py tests/search/test_search_surrogate.py \
  tests/studies/test_studies_store.py tests/studies/test_studies_designs.py tests/studies/test_studies_data.py \
  tests/studies/test_studies_trial.py tests/reports/test_reports_verdicts.py tests/reports/test_reports_dashboard.py \
  tests/reports/test_reports_tables.py tests/ushape/test_ushape_cli.py tests/ushape/test_ushape_weights_export.py

.PHONY: demo check lint test slow docs minimum clean

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

# The lowest versions that pyproject.toml allows, in an environment of their own; torch comes with CUDA: 5 GB.
minimum:
	$(PYTHON) -m venv $(MINIMUM)
	$(MINIMUM)/bin/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(MINIMUM) $(MINIMUM)/bin/uv pip install --resolution lowest-direct --editable ".[onnx,parquet]" \
	  "pytest>=8.3" "pytest-timeout>=2.3" "pytest-xdist>=3.6" "hypothesis>=6.112" "jsonschema>=4.23" \
	  "diffusers>=0.31"
	$(MINIMUM)/bin/python -m pytest -W default $(MINIMUM_TESTS) \
	  --deselect tests/studies/test_studies_trial.py::test_a_trial_prints_nothing  # a CUDA build says that it has no GPU

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

# dev has all that docs has
$(VENV)/.ready-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .[dev]
	touch $@ $(VENV)/.ready $(VENV)/.ready-docs

$(VENV)/.ready-docs: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .[docs]
	touch $@ $(VENV)/.ready

clean:
	rm -rf $(VENV) $(MINIMUM) docs/_build docs/generated build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
