"""Causal convolutions over the last axis by FFT, of one kernel or of one for every channel."""

import torch
from torch.autograd.function import once_differentiable


def causal_product(inputs, kernel):
    """[..., T] and [..., L], L <= T -> [..., T]: sum_(j <= t) K_(t-j) u_j. The axes before the last broadcast."""
    if inputs.numel() == 0:  # which MKL refuses to transform
        return inputs * kernel.sum(-1, keepdim=True)
    return CausalProduct.apply(inputs, kernel)


class CausalProduct(torch.autograd.Function):
    """Backwards in time, the gradients are causal products too: of the upstream gradient with the kernel, and with the inputs.

    All from the transforms that the product has made already. Autograd would take a complex transform for the gradient of each
    real one, of copies padded with zeros: twice as long in all.
    """

    @staticmethod
    def forward(ctx, inputs, kernel):
        steps, length = ctx.lengths = inputs.shape[-1], kernel.shape[-1]
        ctx.leading = inputs.shape[:-1], kernel.shape[:-1]
        ctx.size = 1 << (steps + length - 2).bit_length()  # T + L - 1 is enough; a power of two is fast
        transforms = torch.fft.rfft(inputs, ctx.size), torch.fft.rfft(kernel, ctx.size)
        ctx.save_for_backward(*transforms)
        return torch.fft.irfft(transforms[0] * transforms[1], ctx.size)[..., :steps]

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        reversed_ = torch.fft.rfft(upstream.flip(-1), ctx.size)
        steps, gradients = ctx.lengths[0], []
        for other, leading, length in zip(ctx.saved_tensors[::-1], ctx.leading, ctx.lengths, strict=True):
            product = (reversed_ * other).sum_to_size(*leading, reversed_.shape[-1])
            gradients.append(torch.fft.irfft(product, ctx.size)[..., steps - length : steps].flip(-1))
        return tuple(gradients)
