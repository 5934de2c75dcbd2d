"""Latency predicted per device, learned from what a study's trials measured."""
