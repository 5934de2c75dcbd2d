"""ushape: architecture search and ablation for diffusion U-Nets.

`run(study)` runs a study file, `load(study)` loads what came of it; both give `Results`.
"""

from ushape.api import Results, load, run

__all__ = ["Results", "load", "run"]
