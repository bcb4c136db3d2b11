"""Prepared data read from disk during training."""
