"""Autoregressive models: tokens, n-grams, attention, transformers, decoding, WaveNet."""
