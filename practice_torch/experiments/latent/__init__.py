"""Experiments, latent-variable models: recipes, and what is trained with them."""
