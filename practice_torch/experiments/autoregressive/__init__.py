"""Experiments, autoregressive models: recipes and their models."""
