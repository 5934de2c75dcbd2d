"""Figures for a paper: what the dashboard shows, one file each, in the widths of a column and of a page."""

from reports.paper.write import FORMATS, write_figures

__all__ = ["FORMATS", "write_figures"]
