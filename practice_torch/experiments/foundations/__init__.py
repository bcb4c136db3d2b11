"""Experiments, foundations: recipes and their models."""
