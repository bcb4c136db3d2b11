"""Experiments, state-space models: recipes, and what is trained with them."""
