"""One trial: train and measure in a process of its own, whatever happens."""
