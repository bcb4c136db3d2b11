"""Indices on the device of the data."""


def on_device_of(tensor, indices):
    """The indices on the tensor's device. They are copied to a GPU from pinned memory, without waiting."""
    if indices.device.type == "cpu" and tensor.device.type == "cuda":
        return indices.pin_memory().to(tensor.device, non_blocking=True)
    return indices.to(tensor.device)
