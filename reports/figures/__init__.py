"""Drawing only: what is drawn was computed in `reports.analysis`."""
