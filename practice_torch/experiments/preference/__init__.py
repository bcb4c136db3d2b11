"""Experiments, preference optimization: recipes, and what is trained with them."""
