"""Tables to cite: the study's records and its conclusions as CSV, Parquet, Markdown and LaTeX."""

from __future__ import annotations

from reports.tables.results import write_results_csv
from reports.tables.write import write_tables

__all__ = ["write_results_csv", "write_tables"]
