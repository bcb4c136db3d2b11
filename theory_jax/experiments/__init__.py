"""Training loops in JAX (lecture 20): one file for each model, flax for the network, optax for the optimizer."""
