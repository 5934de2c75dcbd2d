"""Zero-cost scores of a network before it is trained, and the search's pre-filter by one of them."""
