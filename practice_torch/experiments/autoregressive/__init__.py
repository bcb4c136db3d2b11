"""Experiments, autoregressive models: recipes, and what is trained with them."""
