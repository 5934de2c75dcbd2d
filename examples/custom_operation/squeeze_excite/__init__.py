"""Squeeze-and-excitation as an operation of ushape: `description` for the graph, `lowering` for torch."""
