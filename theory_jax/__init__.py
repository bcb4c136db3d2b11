"""The theory wing: pure functions in JAX, in float64, and derivations that execute them step by step."""
