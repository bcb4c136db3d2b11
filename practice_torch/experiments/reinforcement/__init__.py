"""Experiments, reinforcement learning: recipes, and what is trained with them."""
