"""Edits: which nodes, what changes, and what differs afterwards."""
