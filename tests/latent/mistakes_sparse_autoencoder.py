"""Wrong sparse autoencoders that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch

from practice_torch.latent import sparse_autoencoder as right
from tests.support.mistakes import Mistake


def _penalty(activations, *, target, each=False, turned=False, both=True):
    right.bernoulli_sparsity_penalty(activations, target=target)  # its checks
    rate = activations if each else activations.mean(0)
    wanted = torch.full_like(rate, target)
    p, q = (rate, wanted) if turned else (wanted, rate)
    found = p * (p / q).log() + both * (1 - p) * ((1 - p) / (1 - q)).log()
    return found.mean(0) if each else found


def _step(x, code, dictionary, *, penalty, step_size, sign=1.0, shrink=None, transposed=True):
    right.iterative_shrinkage_step(x, code, dictionary, penalty=penalty, step_size=step_size)
    slope = (code @ dictionary.mT - x) @ (dictionary if transposed else torch.ones_like(dictionary))
    by = step_size * penalty if shrink is None else shrink(step_size, penalty)
    return torch.nn.functional.softshrink(code - sign * step_size * slope, by)


def _top(x, *, k, largest=True, magnitude=False, last=False):
    right.top_k_activation(x, k=k)
    keys = (x.abs() if magnitude else x) * (1 if largest else -1)
    if last:
        return _top(x.flip(1), k=k).flip(1)
    kept = keys.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return torch.zeros_like(x).scatter(1, kept, x.gather(1, kept))


MISTAKES = (
    Mistake("bernoulli_sparsity_penalty", "turned over", partial(_penalty, turned=True)),
    Mistake("bernoulli_sparsity_penalty", "of each example", partial(_penalty, each=True)),
    Mistake("bernoulli_sparsity_penalty", "the silent half forgotten", partial(_penalty, both=False)),
    Mistake("bernoulli_sparsity_penalty", "accepts a dead unit", lambda activations, *, target: right.bernoulli_sparsity_penalty(
        activations.clamp(1e-6, 1 - 1e-6), target=target), only_checks=True),
    Mistake("l1_penalty", "the sum", lambda code: code.sum(1) + 0 * right.l1_penalty(code)),
    Mistake("l1_penalty", "squares", lambda code: code.square().sum(1) + 0 * right.l1_penalty(code)),
    Mistake("l1_penalty", "the mean", lambda code: right.l1_penalty(code) / code.shape[1]),
    Mistake("soft_threshold", "hard", lambda x, *, threshold: (
        x * (x.abs() > threshold) + 0 * right.soft_threshold(x, threshold=threshold))),
    Mistake("soft_threshold", "of positive pulls alone",
            lambda x, *, threshold: right.soft_threshold(x, threshold=threshold).clamp(min=0)),
    Mistake("soft_threshold", "shrinks as squares do",
            lambda x, *, threshold: x / (1 + threshold) + 0 * right.soft_threshold(x, threshold=threshold)),
    Mistake("soft_threshold", "a negative threshold",
            lambda x, *, threshold: right.soft_threshold(x, threshold=abs(threshold)), only_checks=True),
    Mistake("top_k_activation", "by magnitude", partial(_top, magnitude=True)),
    Mistake("top_k_activation", "the smallest", partial(_top, largest=False)),
    Mistake("top_k_activation", "of equal entries the last", partial(_top, last=True)),
    Mistake("top_k_activation", "all that equal the k-th", lambda x, *, k: (
        torch.where(x >= x.topk(k, 1).values[:, -1:], x, 0.0) if k else right.top_k_activation(x, k=k))),
    Mistake("iterative_shrinkage_step", "the threshold without the step", partial(_step, shrink=lambda step, penalty: penalty)),
    Mistake("iterative_shrinkage_step", "no threshold", partial(_step, shrink=lambda step, penalty: 0.0)),
    Mistake("iterative_shrinkage_step", "against the gradient", partial(_step, sign=-1.0)),
    Mistake("iterative_shrinkage_step", "the gradient of a sum of squares that is not halved", partial(_step, sign=2.0)),
    Mistake("iterative_shrinkage_step", "no dictionary in the gradient", partial(_step, transposed=False)),
    Mistake("contractive_penalty", "the slope not squared", lambda x, weight, bias: (
        (lambda s: (s * (1 - s)) @ weight.square().sum(1))(torch.sigmoid(x @ weight.mT + bias))
        + 0 * right.contractive_penalty(x, weight, bias))),
    Mistake("contractive_penalty", "the norm", lambda x, weight, bias: right.contractive_penalty(x, weight, bias).sqrt()),
    Mistake("contractive_penalty", "the weights' sum, squared", lambda x, weight, bias: (
        (lambda s: (s * (1 - s)).square() @ weight.sum(1).square())(torch.sigmoid(x @ weight.mT + bias))
        + 0 * right.contractive_penalty(x, weight, bias))),
    Mistake("contractive_penalty", "1 - s, which rounds to 0", lambda x, weight, bias: (
        (lambda s: (s * (1 - s)).square() @ weight.square().sum(1))(torch.sigmoid(x @ weight.mT + bias))
        + 0 * right.contractive_penalty(x, weight, bias))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("bernoulli_sparsity_penalty", "a divergence of two laws", _penalty),
    Mistake(
        "soft_threshold",
        "torch's own",
        lambda x, *, threshold: right.soft_threshold(x, threshold=threshold) * 0 + torch.nn.functional.softshrink(x, threshold),
    ),
    Mistake("iterative_shrinkage_step", "the gradient written out", _step),
)
