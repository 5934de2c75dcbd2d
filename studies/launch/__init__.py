"""Where trials run: one launcher a way of starting them."""
