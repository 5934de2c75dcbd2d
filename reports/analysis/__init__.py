"""Pure computing on a study's frame: no drawing, no files, no network."""
