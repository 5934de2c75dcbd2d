"""One trial (train, measure), many trials (plan, run, resume), and their records. Importing it loads no torch."""
