"""Many trials: what to train next, where it runs, and what is written down."""
