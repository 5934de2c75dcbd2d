"""The sections of a study file that hold something fixed: data, training, objective, evaluation."""
