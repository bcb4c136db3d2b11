"""Sounds of one length in memory, as batches."""

from dataclasses import dataclass, replace

import torch

from practice_torch.data.indices import on_device_of


@dataclass(frozen=True, eq=False)
class Sounds:
    """A set of sounds [N, T], float32 in -1..1, all at description["sample_rate"], and labels [N] or None."""

    sounds: torch.Tensor
    labels: torch.Tensor | None
    description: dict

    def __len__(self):
        return self.sounds.shape[0]

    def batch(self, indices=None):
        """{"audio": float32 [B, 1, T] in -1..1, "label": int64 [B]}; all of them, without a copy, where indices is None.

        There is no "label" where the data has none.
        """
        sounds, labels = self.sounds, self.labels
        if indices is not None:
            indices = on_device_of(sounds, indices)
            sounds = sounds.index_select(0, indices)
            labels = None if labels is None else labels.index_select(0, indices)
        return {"audio": sounds[:, None]} if labels is None else {"audio": sounds[:, None], "label": labels}

    def to(self, device):
        """The same set with its tensors on the device, so that batches are gathered there."""
        labels = None if self.labels is None else self.labels.to(device)
        return replace(self, sounds=self.sounds.to(device), labels=labels)
