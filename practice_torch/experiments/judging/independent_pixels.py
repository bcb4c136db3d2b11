"""Bits of images under independent pixels: the baseline that a model has to beat."""

import torch


def independent_bits(train, held_out, *, levels):
    """Bits per held-out dimension where every pixel has its own distribution: the training images' counts, each plus one."""
    counts = _counts(train, levels)
    log_probs = ((counts + 1) / (counts.sum(1, keepdim=True) + levels)).log2()
    return -(_counts(held_out, levels).cpu() / len(held_out) * log_probs.cpu()).sum(1).mean().item()


def codes_of(image, levels):
    """Pixels in 0..1 as integers, the nearest of 0..levels-1."""
    return (image * (levels - 1)).round().long()


def _counts(data, levels):
    """Counts of every level in every dimension, [D, V]."""
    total = 0
    for indices in torch.arange(len(data)).split(5000):
        codes = codes_of(data.batch(indices)["image"], levels).flatten(1)
        size = codes.shape[1]
        total = total + torch.bincount(
            (codes + levels * torch.arange(size, device=codes.device)).flatten(), minlength=size * levels
        )
    return total.view(size, levels).double()
