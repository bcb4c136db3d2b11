"""Functions and networks, latent-variable models: evidence lower bound, reparameterization, variational autoencoders."""
