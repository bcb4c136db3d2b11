"""Experiments, reinforcement learning: recipes and their models."""
