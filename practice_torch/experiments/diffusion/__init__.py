"""Experiments, diffusion models: recipes and their models."""
