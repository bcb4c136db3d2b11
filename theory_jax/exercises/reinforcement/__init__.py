"""Exercises, reinforcement learning: decision processes, policy gradients, and language models as policies."""
