"""ushape: architecture search and ablation for diffusion U-Nets."""
