"""The sparse autoencoder: penalties that switch units off, and the thresholds that solve them."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.scipy.special import xlogy

from theory_jax.arguments import require, require_at_least, require_positive, require_rank, require_shape, require_values


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
    rate = jnp.mean(activations, axis=0)
    require_values("activations", rate, lambda rate: (rate > 0) & (rate < 1), "in (0, 1) on average over the batch (shown)")
    own = xlogy(target, target) + xlogy(1 - target, 1 - target)
    return own - target * jnp.log(rate) - (1 - target) * jnp.log(1 - rate)


def l1_penalty(code):
    r"""sum_h |code_h| of each example.

    Raises ValueError if code has not 2 axes.  Source: Tibshirani 1996.
    [B, H] -> [B]
    """
    require_rank(2, code=code)
    return jnp.sum(jnp.abs(code), axis=1)


def soft_threshold(x, *, threshold):
    r"""sign(x) max(|x| - threshold, 0): the h with the least (h - x)^2/2 + threshold |h|.

    Raises ValueError if x has not 2 axes, or threshold is negative.  Source: Daubechies et al. 2004.
    [B, H] -> [B, H]
    """
    require_rank(2, x=x)
    require_at_least(0, threshold=threshold)
    return jnp.maximum(x - threshold, 0.0) - jnp.maximum(-x - threshold, 0.0)


def top_k_activation(x, *, k):
    r"""x where it is among the k largest of its row, with signs, and else 0; of equal ones those of the lowest index are kept.

    Raises ValueError if x has not 2 axes, or k is not in 0..H.  Source: Makhzani & Frey 2014.
    [B, H] -> [B, H]
    """
    require_rank(2, x=x)
    units = jnp.shape(x)[1]
    require(0 <= k <= units, f"k is {k}; it must be in 0..{units}, at most the number of units")
    kept = jnp.argsort(-x, axis=1, stable=True)[:, :k]
    return jnp.where(jnp.any(kept[:, :, None] == jnp.arange(units), axis=1), x, 0.0)


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
    slope = (code @ dictionary.T - x) @ dictionary
    return soft_threshold(code - step_size * slope, threshold=step_size * penalty)


def contractive_penalty(x, weight, bias):
    r"""sum_hd (d s_h / d x_d)^2 = sum_h (s_h (1 - s_h))^2 |w_h|^2, with s = sigmoid(W x + b): how much the code follows x.

    Raises ValueError if x or weight has not 2 axes, or the shapes of weight and bias do not fit.  Source: Rifai et al. 2011.
    [B, D], [H, D], [H] -> [B]
    """
    require_rank(2, x=x, weight=weight)
    given, size = list(weight.shape), x.shape[1]
    require(given[1] == size, f"weight has shape {given}; it must have a column for each of {size} columns of x")
    require_shape((given[0],), bias=bias)
    logits = x @ weight.T + bias
    slopes = jax.nn.sigmoid(logits) * jax.nn.sigmoid(-logits)
    return slopes**2 @ jnp.sum(weight**2, axis=1)


class SparseAutoencoder(nnx.Module):
    """A linear layer to many units, of which the k largest positive ones stay active, and a linear layer back.

    The encoder subtracts the decoder's bias.
    """

    def __init__(self, *, dim: int, units: int, k: int, rngs: nnx.Rngs):
        require(1 <= k <= units, f"k is {k}; it must be in 1..{units}, at most the number of units")
        self.k = k
        self.encoder = nnx.Linear(dim, units, param_dtype=jnp.result_type(float), rngs=rngs)
        self.decoder = nnx.Linear(units, dim, param_dtype=jnp.result_type(float), rngs=rngs)

    def encode(self, x):
        """The code: [B, D] -> [B, H]."""
        return top_k_activation(jax.nn.relu(self.encoder(x - self.decoder.bias)), k=self.k)

    def __call__(self, x):
        """The reconstruction, and the code: [B, D] -> [B, D], [B, H]."""
        code = self.encode(x)
        return self.decoder(code), code
