"""What an ablation compares: one file a design, each turning its section of the study file into variants."""
