"""From bytes on disk to batches. Nothing here is learned or knows a topic.

A modality (images, text, audio, ...) is a module with three members, found by the name that a recipe gives as its `modality`.
`load(source, *, held_out, seed, ...) -> (train, held-out)`: both are data sets with `len(data)`,
`data.batch(indices) -> dict of tensors`, `data.to(device)` and `data.description`, a dict that can be written as JSON
(its remarks, if it has any, are warnings for the user). Of a folder that `prepare` wrote, the training part stays on the disk:
see streams/streamed.py. `blank(name, facts, ...)`, with the same further keywords: the training part without data, see blank.py.
`FORMS`: what --data takes, for the help.
"""
