"""Short forms: published families by their parameters, and how they are written out as graphs."""
