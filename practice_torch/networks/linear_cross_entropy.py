"""Cross-entropy over a large vocabulary without the table of all logits, which is most of such a model's memory."""

import torch
from torch.autograd.function import once_differentiable

ROWS = 128  # logits of so many tokens at a time: 26 MB of float32 at 50 000 tokens, and still a full-sized matrix product


def linear_cross_entropy(hidden, weight, targets):
    r"""Mean of -log softmax(W h)_y over tokens, nats: hidden [N, E], weight [V, E], targets [N] -> [].

    What cross_entropy(hidden @ weight.T, targets) gives. The gradient p - e_y is at hand while the logits are, so both products
    with it are taken then, block by block; no logits are kept for, or computed again in, the backward pass. Once
    differentiable, and only in reverse.
    """
    return _LinearCrossEntropy.apply(hidden, weight, targets)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, targets):
        wanted = any(ctx.needs_input_grad)
        total = hidden.new_zeros((), dtype=torch.float32 if hidden.dtype != torch.float64 else torch.float64)
        grad_hidden, grad_weight = (torch.empty_like(hidden), torch.zeros_like(weight)) if wanted else (None, None)
        for begin in range(0, len(hidden), ROWS):
            h, y = hidden[begin : begin + ROWS], targets[begin : begin + ROWS, None]
            logits = (h @ weight.T).to(total.dtype)
            normalizer = logits.logsumexp(-1, keepdim=True)
            total += (normalizer - logits.gather(-1, y)).sum()
            if wanted:
                residual = logits.sub_(normalizer).exp_()
                residual.scatter_add_(-1, y, residual.new_full(y.shape, -1.0))
                residual = residual.to(weight.dtype)
                grad_hidden[begin : begin + ROWS] = residual @ weight
                grad_weight.addmm_(residual.T, h.to(weight.dtype))
        if wanted:
            ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.count = len(hidden)
        return total / len(hidden)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = upstream / ctx.count
        return grad_hidden * scale, grad_weight * scale, None
