"""Experiments, flows: recipes and their models."""
