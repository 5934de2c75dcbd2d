"""A study: its file read, checked and expanded into what has to be trained."""
