"""Lemmas that many lectures use: one a file, derived there."""
