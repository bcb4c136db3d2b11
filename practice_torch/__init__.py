"""The practice wing: the same functions in PyTorch, networks, the training engine, data, and experiments."""
