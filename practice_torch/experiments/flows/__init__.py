"""Experiments, flows: recipes, and what is trained with them."""
