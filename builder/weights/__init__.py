"""Weights of compiled models in the layouts of other libraries, both ways."""
