"""Functions and networks, autoregressive models: tokens, n-grams, attention, transformers, decoding, WaveNet."""
