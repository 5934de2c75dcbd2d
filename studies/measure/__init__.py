"""Latency and peak memory of a network, and the device they were taken on."""
