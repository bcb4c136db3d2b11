"""Experiments, energy: recipes, and what is trained with them."""
