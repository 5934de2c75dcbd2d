"""One network trained and judged: data, noise, steps, held-out loss, samples."""
