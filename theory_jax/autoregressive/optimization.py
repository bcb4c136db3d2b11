"""Optimization at scale: AdamW, gradients of batches that do not fit, and the schedule of the first transformers."""

import math

import jax.numpy as jnp

from theory_jax.arguments import require, require_positive, require_rank, require_same_shape, require_values, widened
from theory_jax.foundations.training_practice import adam_update


def adamw_step(
    gradient,
    parameter,
    first_moment,
    second_moment,
    *,
    step,
    learning_rate,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    weight_decay=0.0,
):
    r"""The parameter after step 1, 2, ... of Adam with decoupled weight decay, and its two new moments.

    p - learning_rate (m_hat / (sqrt(v_hat) + epsilon) + weight_decay p), m_hat and v_hat as in foundations' adam_update

    Raises ValueError if the parameter has another shape, weight_decay < 0, and as adam_update does.
    Source: Loshchilov & Hutter 2019, algorithm 2, with the learning rate as the schedule's multiplier, as torch has it.
    [P], [P], [P], [P] -> [P], [P], [P]
    """
    require_rank(1, gradient=gradient)
    require_same_shape(gradient=gradient, parameter=parameter)
    require(weight_decay >= 0, f"weight_decay is {weight_decay}; it must not be negative")
    update, first_moment, second_moment = adam_update(
        gradient, first_moment, second_moment, step=step, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon
    )
    return parameter + update - learning_rate * weight_decay * parameter, first_moment, second_moment


def accumulate_gradients(gradients, counts):
    r"""sum_k n_k g_k / sum_k n_k: the gradient of the mean over all examples from the gradients g_k of K means over n_k each.

    A micro-batch of count 0 has no influence: the gradient of its mean, 0/0, may be NaN.

    Raises ValueError if there is no gradient or not one count for each, a count is negative, or none is positive (not seen
    when traced: then the result is NaN).  Source: by linearity of the gradient.
    [K, ...], [K] -> [...]
    """
    require_rank(1, counts=counts)
    require(jnp.ndim(gradients) >= 1, "gradients has no axes; its first must be that of the micro-batches")
    batches, entries = gradients.shape[0], counts.shape[0]
    require(batches > 0, f"gradients has shape {list(gradients.shape)}; it must hold at least one micro-batch")
    require(entries == batches, f"counts has {entries} entries; it must have one for each of the {batches} gradients")
    require_values("counts", counts, lambda n: (n >= 0) & (n.sum() > 0), "at least 0, and one of them positive")
    counts = counts.astype(gradients.dtype)
    filled = jnp.where(counts.reshape(-1, *[1] * (gradients.ndim - 1)) > 0, gradients, 0.0)
    return jnp.einsum("k,k...->...", counts / jnp.sum(counts), filled)


def warmup_inverse_square_root(step, *, width, warmup_steps):
    r"""width^(-1/2) min(s^(-1/2), s w^(-3/2)) at steps s = 1, 2, ..., w = warmup_steps: a line, then a slow fall.

    Raises ValueError if a step is below 1, or width or warmup_steps is not positive.  Source: Vaswani et al. 2017, eq. 3.
    [...] -> [...]
    """
    require_positive(width=width, warmup_steps=warmup_steps)
    require_values("step", step, lambda s: s >= 1, "at least 1: steps are counted from 1")
    step = widened(step)
    return jnp.minimum(step**-0.5, step * float(warmup_steps) ** -1.5) / math.sqrt(width)
