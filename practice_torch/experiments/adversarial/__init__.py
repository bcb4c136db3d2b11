"""Experiments, adversarial models: recipes, and what is trained with them."""
