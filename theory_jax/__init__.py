"""The theory wing: pure functions in JAX, and lectures that derive what they compute, with every line executed."""
