"""What an architecture costs before it is built: `profile` predicts FLOPs and peak memory on the meta device."""

from builder.profile.options import ProfileOptions
from builder.profile.predict import NOT_VALIDATED, Cost, Prediction, Profile, predict, profile
from builder.profile.timeline import Peak, Resident

__all__ = ["NOT_VALIDATED", "Cost", "Peak", "Prediction", "Profile", "ProfileOptions", "Resident", "predict", "profile"]
