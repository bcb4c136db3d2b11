"""Exercises, evaluation of generative models: scores, distances and likelihoods, what they measure and how they err."""
