"""Sparse autoencoders: penalties of codes, thresholds, the iteration that finds sparse codes, and a network that guesses them."""

import torch
from torch import nn

from practice_torch.arguments import require, require_at_least, require_positive, require_rank, require_shape, require_values


def bernoulli_sparsity_penalty(activations, *, target):
    r"""KL(target || rate_h) = target log(target / rate_h) + (1 - target) log((1 - target) / (1 - rate_h)) of each unit, in nats.

    rate_h is the mean of the activations of unit h over the batch.

    Raises ValueError if activations has not 2 axes or no rows, target is not in (0, 1), or the mean of a unit is not in (0, 1).
    Source: Ng 2011, Sparse autoencoder, CS294A lecture notes.
    [B, H] -> [H]
    """
    require_rank(2, activations=activations)
    require(len(activations) > 0, f"activations has shape {list(activations.shape)}; it must have a row, to have a mean")
    require(0 < target < 1, f"target is {target}; it must be in (0, 1)")
    rate = activations.mean(0)
    require_values("activations", rate, lambda rate: (rate > 0) & (rate < 1), "in (0, 1) on average over the batch (shown)")
    return target * (target / rate).log() + (1 - target) * ((1 - target) / (1 - rate)).log()


def l1_penalty(code):
    r"""sum_h |code_h| of each example.

    Raises ValueError if code has not 2 axes.  Source: Tibshirani 1996.
    [B, H] -> [B]
    """
    require_rank(2, code=code)
    return code.abs().sum(1)


def soft_threshold(x, *, threshold):
    r"""sign(x) max(|x| - threshold, 0): the h with the least (h - x)^2/2 + threshold |h|.

    Raises ValueError if x has not 2 axes, or threshold is negative.  Source: Daubechies et al. 2004.
    [B, H] -> [B, H]
    """
    require_rank(2, x=x)
    require_at_least(0, threshold=threshold)
    return x - x.clamp(-threshold, threshold)


def top_k_activation(x, *, k):
    r"""x where it is among the k largest of its row, with signs, and else 0; of equal ones those of the lowest index are kept.

    Raises ValueError if x has not 2 axes, or k is not in 0..H.  Source: Makhzani & Frey 2014.
    [B, H] -> [B, H]
    """
    require_rank(2, x=x)
    units = x.shape[1]
    require(0 <= k <= units, f"k is {k}; it must be in 0..{units}, at most the number of units")
    kept = x.sort(dim=1, descending=True, stable=True).indices[:, :k]  # torch.topk takes any of equal ones
    return torch.zeros_like(x).scatter(1, kept, x.gather(1, kept))


def iterative_shrinkage_step(x, code, dictionary, *, penalty, step_size):
    r"""A step of ISTA on |x - D c|^2/2 + penalty |c|_1: soft_threshold(c - step_size D^T (D c - x), step_size penalty).

    It never raises the objective if step_size is at most 1 over the largest eigenvalue of D^T D.

    Raises ValueError if x or code has not 2 axes, code has not a row for each of x, dictionary is not [D, H], penalty is
    negative, or step_size is not positive.  Source: Daubechies et al. 2004.
    [B, D], [B, H], [D, H] -> [B, H]
    """
    require_rank(2, x=x, code=code)
    given, rows = list(code.shape), len(x)
    require(given[0] == rows, f"code has shape {given}; it must have a row for each of {rows} rows of x")
    require_shape((x.shape[1], given[1]), dictionary=dictionary)
    require_at_least(0, penalty=penalty)
    require_positive(step_size=step_size)
    missing = x - code @ dictionary.mT
    return soft_threshold(torch.addmm(code, missing, dictionary, alpha=step_size), threshold=step_size * penalty)


def contractive_penalty(x, weight, bias):
    r"""sum_hd (d s_h / d x_d)^2 = sum_h (s_h (1 - s_h))^2 |w_h|^2, with s = sigmoid(W x + b): how much the code follows x.

    Raises ValueError if x or weight has not 2 axes, or the shapes of weight and bias do not fit.  Source: Rifai et al. 2011.
    [B, D], [H, D], [H] -> [B]
    """
    require_rank(2, x=x, weight=weight)
    given, size = list(weight.shape), x.shape[1]
    require(given[1] == size, f"weight has shape {given}; it must have a column for each of {size} columns of x")
    require_shape((given[0],), bias=bias)
    logits = torch.nn.functional.linear(x, weight, bias)
    slopes = logits.sigmoid() * logits.neg().sigmoid()  # 1 - s would round to 0 where s is near 1
    return slopes.square() @ weight.square().sum(1)


class SparseAutoencoder(nn.Module):
    """A linear layer to many units, of which the k largest positive ones stay active, and a linear layer back.

    The encoder subtracts the decoder's bias. The decoder's columns begin as directions drawn at random, and the encoder as their
    transpose: otherwise most units are never among the k largest, and learn nothing.
    """

    def __init__(self, *, dim: int, units: int, k: int):
        super().__init__()
        require(1 <= k <= units, f"k is {k}; it must be in 1..{units}, at most the number of units")
        self.k, self.encoder, self.decoder = k, nn.Linear(dim, units), nn.Linear(units, dim)
        with torch.no_grad():
            directions = nn.init.normal_(self.decoder.weight)
            directions /= directions.norm(dim=0)
            self.encoder.weight.copy_(directions.mT)
            for layer in (self.encoder, self.decoder):
                layer.bias.zero_()

    def encode(self, x):
        """The code: [B, D] -> [B, H]."""
        return top_k_activation(self.encoder(x - self.decoder.bias).relu(), k=self.k)

    def forward(self, x):
        """The reconstruction, and the code: [B, D] -> [B, D], [B, H]."""
        code = self.encode(x)
        return self.decoder(code), code
