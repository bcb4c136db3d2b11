"""Cross-entropy over a large vocabulary without the table of all logits, which is most of such a model's memory."""

from typing import NamedTuple

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


class TokenLaw(NamedTuple):
    """Of each target y by its own softmax(W h)."""

    log_probs: torch.Tensor
    """log softmax(W h)_y, nats."""
    entropy: torch.Tensor
    """Of softmax(W h), nats."""
    likeliest: torch.Tensor
    """bool: no other has a larger logit."""


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


def linear_log_probs(hidden, weight, targets, *, size=None):
    r"""A TokenLaw, of which log_probs and entropy have gradients: [..., E], [V, E], [...] -> [...], [...], [...].

    What log_softmax(hidden @ weight.T) gives, without that table: logits are computed block by block, here and again in the
    backward pass, as the gradient of W needs the upstream of every token. What is kept between is three numbers a token. It can
    be differentiated once, and only in reverse, by as many backward passes as wanted. Under autocast the products are taken in
    its precision; the softmax and the sum that is the gradient of W in float32. A weight that needs no gradient costs none.

    Rows of W from `size` on are padding: their probabilities and gradients are exactly 0.
    """
    shape, size = targets.shape, len(weight) if size is None else size
    rows = hidden.flatten(0, -2), weight, as_int64(targets).flatten(), size
    if size < LARGE:
        logits = functional.linear(rows[0], weight)[:, :size]
        log_probs = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
        chosen, entropy = log_probs.gather(1, rows[2][:, None])[:, 0], -(log_probs.exp() * log_probs).sum(1)
        found = chosen, entropy, chosen.detach() == log_probs.detach().amax(1)
    else:
        found = _LinearLogProbs.apply(*rows)
    return TokenLaw(*(each.view(shape) for each in found))


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, targets, size):
        gradients = (torch.empty_like(hidden), torch.zeros_like(weight)) if any(ctx.needs_input_grad) else None
        device, total = weight.device.type, 0.0
        if (dtype := product_dtype(weight)) != weight.dtype:  # cast once, not once a block
            hidden, weight = hidden.to(dtype), weight.to(dtype)
        with in_own_precision(device):
            for block in _blocks(hidden, weight):
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


class _LinearLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, targets, size):
        ctx.dtype, ctx.size = product_dtype(weight), size
        exact = torch.promote_types(ctx.dtype, torch.float32)
        chosen, normalizer, entropy = torch.empty(3, len(hidden), dtype=exact, device=hidden.device)
        likeliest = torch.empty(len(hidden), dtype=torch.bool, device=hidden.device)
        factor = weight.to(ctx.dtype)
        with in_own_precision(weight.device.type):
            for block in _blocks(hidden, weight):
                logits = _columns(hidden[block].to(ctx.dtype), factor)[:size]
                highest = logits.amax(0)
                chosen[block] = logits.gather(0, targets[None, block])[0]
                likeliest[block] = chosen[block] == highest
                shares = logits.sub_(highest).exp()
                total = shares.sum(0)
                entropy[block] = total.log() - shares.mul_(logits).sum(0) / total
                normalizer[block] = highest + total.log()
        ctx.save_for_backward(hidden, weight, targets, normalizer, entropy)
        ctx.mark_non_differentiable(likeliest)
        return chosen - normalizer, entropy, likeliest

    @staticmethod
    @once_differentiable
    def backward(ctx, of_chosen, of_entropy, _):
        hidden, weight, targets, normalizer, entropy = ctx.saved_tensors
        wanted, factor = ctx.needs_input_grad, weight.to(ctx.dtype)
        gradients = torch.empty_like(hidden) if wanted[0] else None, torch.zeros_like(weight) if wanted[1] else None
        with in_own_precision(weight.device.type):
            for block in _blocks(hidden, weight):
                columns = hidden[block].to(ctx.dtype)
                residual = _columns(columns, factor)
                residual[ctx.size :] = 0.0
                log_probs = residual[: ctx.size].sub_(normalizer[block])
                shares = log_probs.exp()
                # of log p_y: e_y - p; of the entropy H: -p (log p + H)
                log_probs.add_(entropy[block]).mul_(of_entropy[block]).add_(of_chosen[block]).mul_(shares).neg_()
                log_probs.scatter_add_(0, targets[None, block], of_chosen[None, block])
                residual = residual.to(ctx.dtype)
                if wanted[0]:
                    gradients[0][block] = residual.T @ factor
                if wanted[1]:
                    gradients[1].add_(residual @ columns)
        return *gradients, None, None


def _blocks(hidden, weight):
    """Slices of the tokens, of as many as have LOGITS logits together."""
    rows = max(1, LOGITS.get(weight.device.type, LOGITS_ELSEWHERE) // (len(weight) * MULTIPLE)) * MULTIPLE
    return [slice(begin, begin + rows) for begin in range(0, len(hidden), rows)]


def _columns(hidden, weight):
    """The logits of tokens [N, E], a column each, in float32 at the least: [V, N]."""
    logits = weight @ hidden.T
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _block(hidden, weight, targets, size, gradients):
    """The sum of a block's losses; its gradients are written into the first, and added to the second, of `gradients`.

    A token is a column: weight @ hidden.T takes a quarter less time in MKL than hidden @ weight.T.
    """
    logits = _columns(hidden, weight)
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
