"""Where trials run: one launcher a way of starting them; see `studies.driver.loop.Launcher` and `start`."""
