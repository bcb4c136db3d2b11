"""Images of one size in memory, as batches."""

from dataclasses import dataclass, replace

import torch

from practice_torch.data.indices import on_device_of


@dataclass(frozen=True, eq=False)
class Images:
    """A set of images of one size: pixels [N, C, H, W] where the value `white` means 1, and labels [N] or None.

    factors: the values [N, F] of the factors that the images were made of, if they were made.
    """

    pixels: torch.Tensor
    labels: torch.Tensor | None
    white: int
    description: dict
    factors: torch.Tensor | None = None

    def __len__(self):
        return self.pixels.shape[0]

    def batch(self, indices=None):
        """{"image": float32 [B, C, H, W] in 0..1, "label": int64 [B]}; all of them, without a copy, where indices is None.

        There is no "label" where the data has none, and "factors" where their values are known.
        """
        known = {"image": self.pixels, "label": self.labels, "factors": self.factors}
        found = {name: value for name, value in known.items() if value is not None}
        if indices is not None:
            indices = on_device_of(self.pixels, indices)
            found = {name: value.index_select(0, indices) for name, value in found.items()}
        pixels = found["image"]
        return found | {"image": pixels if pixels.dtype == torch.float32 else pixels.float().div_(self.white)}

    def to(self, device):
        """The same set with its tensors on the device, so that batches are gathered there."""
        labels, factors = (None if value is None else value.to(device) for value in (self.labels, self.factors))
        return replace(self, pixels=self.pixels.to(device), labels=labels, factors=factors)
