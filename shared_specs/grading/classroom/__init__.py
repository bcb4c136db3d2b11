"""Marks the submissions of a class."""
