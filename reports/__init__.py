"""Reports: the records of a study become numbers, figures and one self-contained page.

Importing this package loads nothing heavy; take what you need from `reports.dashboard` and `reports.tables`.
"""
