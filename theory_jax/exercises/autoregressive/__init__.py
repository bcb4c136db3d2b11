"""Exercises, autoregressive models: tokens, n-grams, attention, transformers, decoding, WaveNet."""
