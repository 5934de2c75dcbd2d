"""Text in, problems out: reading files, values and their places, rules, corrections."""
