"""Experiments, adversarial models: recipes and their models."""
