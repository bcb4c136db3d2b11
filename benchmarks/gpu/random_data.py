"""Random data on the device, for measuring time and memory only."""

from types import SimpleNamespace

import torch


class RandomData:
    """Examples by number, as the engine and the loops by hand ask for them."""

    def __init__(self, tensors, device, **description):
        self.tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
        self.count = len(next(iter(tensors.values())))
        self.description = {"name": "random", "sha256": "", "count": self.count, **description}

    def __len__(self):
        return self.count

    def batch(self, indices):
        return {name: tensor[indices.to(tensor.device)] for name, tensor in self.tensors.items()}

    def to(self, device):
        return self


def random_tokens(count, length, vocabulary, device):
    """Windows of `length` + 1 tokens."""
    windows = torch.randint(vocabulary, (count, length + 1), generator=torch.Generator().manual_seed(0))
    data = RandomData({"tokens": windows}, device, shape=[length + 1], vocabulary=vocabulary)
    data.vocabulary = SimpleNamespace(merges=((0, 0),) * (vocabulary - 256))
    return data


def random_images(count, size, device):
    """Noise in ten classes."""
    generator = torch.Generator().manual_seed(0)
    shape, classes = [3, size, size], list(map(str, range(10)))
    tensors = {"image": torch.rand(count, *shape, generator=generator), "label": torch.randint(10, (count,), generator=generator)}
    return RandomData(tensors, device, shape=shape, classes=classes)
