"""Exercises, latent-variable models: evidence lower bound, reparameterization, variational autoencoders."""
