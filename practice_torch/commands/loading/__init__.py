"""Runs and their trained models as Python objects, which print nothing and show themselves in a notebook."""
