"""Experiments, foundations: recipes, and what is trained with them."""
