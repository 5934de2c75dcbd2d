"""Images drawn from trained networks, and how far they are from the images that were trained on."""
