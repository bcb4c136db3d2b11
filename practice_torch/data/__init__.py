"""Bytes on disk to batches: images, text, sounds, points, symbols. Nothing is learned here, and no topic is known here.

Each module has `load(source, *, held_out, seed, ...) -> (train, held-out)`; both are data sets with `len(data)`,
`data.batch(indices) -> dict of tensors`, `data.to(device)` and `data.description`, a dict that can be written as JSON
(its remarks, if it has any, are lines for the person who gave the data).
"""
