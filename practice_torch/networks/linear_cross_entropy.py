"""Cross-entropy over a large vocabulary without the table of all logits, which is most of such a model's memory."""

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from practice_torch.arguments import as_int64
from practice_torch.networks.linear import in_own_precision, product_dtype

# Logits at a time. Fewer are slower, as the gradient of W is added up once a block; more take more memory.
LOGITS = {"cpu": 26_000_000}  # 104 MB of float32
LOGITS_ELSEWHERE = 200_000_000  # 0.8 GB, a hundredth of a large GPU's memory: its products need blocks of thousands of tokens
MULTIPLE = 64  # tokens: a block is a whole multiple, as MKL's tiles are
LARGE = 4096  # tokens in a vocabulary: from here on a table of all logits is slower than blocks of them


def next_token_loss(hidden, head, targets, *, size):
    """Mean of -log softmax(W h)_y in nats, W the first `size` rows of the head: [B, T, E], [V, E], [B, T] -> [].

    A large vocabulary's goes without a table of all logits.
    """
    hidden, targets = hidden.flatten(0, 1), as_int64(targets).flatten()
    if size >= LARGE:
        return linear_cross_entropy(hidden, head, targets, size=size)
    return functional.cross_entropy(functional.linear(hidden, head)[..., :size], targets)


def linear_cross_entropy(hidden, weight, targets, *, size=None):
    r"""Mean of -log softmax(W h)_y over tokens, nats: hidden [N, E], weight [V, E], targets [N] -> [].

    What cross_entropy(hidden @ weight.T, targets) gives. The gradient p - e_y is at hand while the logits are, so both products
    with it are taken then, block by block; no logits are kept for, or computed again in, the backward pass. It can be
    differentiated once, and only in reverse. Under autocast all three products are taken in its precision; the softmax, and the
    sum over blocks that is the gradient of W, in float32.

    Rows of W from `size` on are padding: their logits are -inf, so their probabilities and gradients are exactly 0.
    """
    return _LinearCrossEntropy.apply(hidden, weight, as_int64(targets), len(weight) if size is None else size)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, targets, size):
        gradients = (torch.empty_like(hidden), torch.zeros_like(weight)) if any(ctx.needs_input_grad) else None
        device, total = weight.device.type, 0.0
        if (dtype := product_dtype(weight)) != weight.dtype:  # cast once, not once a block
            hidden, weight = hidden.to(dtype), weight.to(dtype)
        rows = max(1, LOGITS.get(device, LOGITS_ELSEWHERE) // (len(weight) * MULTIPLE)) * MULTIPLE
        with in_own_precision(device):
            for begin in range(0, len(hidden), rows):
                block = slice(begin, begin + rows)
                own = gradients and (gradients[0][block], gradients[1])
                total = total + _block(hidden[block], weight, targets[None, block], size, own)
        if gradients:
            ctx.save_for_backward(*gradients)
        ctx.count, ctx.handed_out = len(hidden), False
        return total / len(hidden)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        if ctx.handed_out:
            raise RuntimeError("linear_cross_entropy can be differentiated only once: its gradient is scaled in place")
        ctx.handed_out = True
        scale = upstream / ctx.count
        return *(gradient.mul_(scale) for gradient in ctx.saved_tensors), None, None


def _block(hidden, weight, targets, size, gradients):
    """The sum of a block's losses; its gradients are written into the first, and added to the second, of `gradients`.

    A token is a column: weight @ hidden.T takes a quarter less time in MKL than hidden @ weight.T.
    """
    logits = weight @ hidden.T
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    logits[size:] = -torch.inf
    chosen, highest = logits.gather(0, targets), logits.amax(0)
    shares = logits.sub_(highest).exp_()  # in place: this memory is what there is to save
    normalizer = shares.sum(0)
    if gradients:
        residual = shares.div_(normalizer).scatter_add_(0, targets, shares.new_full(targets.shape, -1.0)).to(weight.dtype)
        gradients[0].copy_(residual.T @ weight)
        if gradients[1].dtype == residual.dtype:
            gradients[1].addmm_(residual, hidden)
        else:
            gradients[1].add_(residual @ hidden)
    return (highest + normalizer.log() - chosen).sum()
