"""From bytes on disk to batches: images, text, sounds, points, symbols, pairs of texts, galaxies. Nothing here is learned
or knows a topic.

Each module has `load(source, *, held_out, seed, ...) -> (train, held-out)`; both are data sets with `len(data)`,
`data.batch(indices) -> dict of tensors`, `data.to(device)` and `data.description`, a dict that can be written as JSON
(its remarks, if it has any, are warnings for the user). Of a folder that `prepare` wrote, the training part stays on the disk:
see streamed.py.
"""
