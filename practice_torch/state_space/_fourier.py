"""Causal convolutions over the last axis by FFT, of one kernel or of one for every channel."""

import torch


def causal_product(inputs, kernel):
    """[..., T] and [..., L], L <= T -> [..., T]: sum_(j <= t) K_(t-j) u_j. The axes before the last broadcast."""
    if inputs.numel() == 0:  # which MKL refuses to transform
        return inputs * kernel.sum(-1, keepdim=True)
    steps = inputs.shape[-1]
    size = 1 << (steps + kernel.shape[-1] - 2).bit_length()  # T + L - 1 is enough; a power of two is fast
    return torch.fft.irfft(torch.fft.rfft(inputs, size) * torch.fft.rfft(kernel, size), size)[..., :steps]
