"""Images of a study: read without torch (`sources`), split and held as tensors (`dataset`)."""
