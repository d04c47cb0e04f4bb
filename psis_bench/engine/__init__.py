"""Training and prediction: the only part of the package that drives MMEngine's Runner."""
