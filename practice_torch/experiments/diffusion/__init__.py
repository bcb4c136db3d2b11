"""Experiments, diffusion models: recipes, and what is trained with them."""
