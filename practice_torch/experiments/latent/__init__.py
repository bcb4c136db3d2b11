"""Experiments, latent-variable models: recipes and their models."""
