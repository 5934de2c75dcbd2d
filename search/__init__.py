"""What may vary, what is feasible, which point to try next. Optuna stays behind one bridge; no torch."""
