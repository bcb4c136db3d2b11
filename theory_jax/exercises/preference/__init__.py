"""Exercises, preference optimization: reward models from comparisons, and policies from rewards or from comparisons alone."""
