"""Experiments, preference optimization: recipes and their models."""
