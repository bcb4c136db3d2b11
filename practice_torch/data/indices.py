"""Indices on the device of the data."""


def beside(tensor, indices):
    """The indices on the tensor's device. A GPU copies them from pinned memory, and the host does not wait for it."""
    if indices.device.type == "cpu" and tensor.device.type == "cuda":
        return indices.pin_memory().to(tensor.device, non_blocking=True)
    return indices.to(tensor.device)
