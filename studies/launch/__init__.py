"""Where trials run: one launcher a way of starting them; see `studies.loop.Launcher` and `studies.launch.start`."""
