"""An architecture as a graph: what it is, its shapes and prices, its fingerprint."""
