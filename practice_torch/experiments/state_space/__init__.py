"""Experiments, state-space models: recipes and their models."""
