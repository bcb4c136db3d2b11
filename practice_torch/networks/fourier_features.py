"""Fourier features of the input, with which a network distinguishes neighboring values."""

import torch


def fourier_features(x, frequencies):
    """[B, C, ...] -> [B, C (1 + 2 F), ...]: x, then sin and cos of 2^k pi x for every k of the F frequencies.

    A network of smooth functions hardly sees the grid that quantized data lie on; to a wave of the grid's period it is plain.
    """
    angles = [2**k * torch.pi * x for k in frequencies]
    return torch.cat([x, *(wave for angle in angles for wave in (angle.sin(), angle.cos()))], 1)
