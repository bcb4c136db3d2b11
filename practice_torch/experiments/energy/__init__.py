"""Experiments, energy: recipes and their models."""
