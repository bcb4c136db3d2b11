"""The inception score (lecture 14): what one number made of a classifier's answers measures, its range, and its bias.

A row of log_probs is log p(y|x_n), the answer to image n; entries may be -inf. Entropies are in nats, and 0 log 0 = 0.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_log_probs, require_rank


def marginal_log_probs(log_probs):
    r"""log mean_n p(y|x_n): the mean answer.

    Raises ValueError if log_probs has no image or no class, or a row of it does not sum to one.
    Source: Salimans et al. 2016, section 4.
    [N, K] -> [K]
    """
    _require_answers(log_probs)
    return _marginal(log_probs)


def log_inception_score(log_probs):
    r"""mean_n KL(p(y|x_n) || mean_m p(y|x_m)) = H(mean answer) - mean H(answer): the information of y about n, in nats.

    Raises ValueError if log_probs has no image or no class, or a row of it does not sum to one.
    Source: Salimans et al. 2016, section 4; Barratt & Sharma 2018, section 3.
    [N, K] -> []
    """
    _require_answers(log_probs)
    return _information(log_probs)


def inception_score(log_probs):
    r"""exp mean_n KL(p(y|x_n) || mean_m p(y|x_m)): from 1, if all answers are equal, to the number of images or of classes.

    Raises ValueError if log_probs has no image or no class, or a row of it does not sum to one.
    Source: Salimans et al. 2016, section 4.
    [N, K] -> []
    """
    return jnp.exp(log_inception_score(log_probs))


def split_inception_scores(log_probs, *, splits):
    r"""The inception score of each of `splits` blocks of N / splits consecutive images, against the mean answer of its block.

    Raises ValueError if splits does not divide the number of images, log_probs has no image or no class, or a row of it does
    not sum to one.  Source: Salimans et al. 2016, section 4; Barratt & Sharma 2018, section 4.2.
    [N, K] -> [S]
    """
    _require_answers(log_probs)
    require_at_least(1, splits=splits)
    images, classes = log_probs.shape
    require(images % splits == 0, f"splits is {splits}; it must divide the number of images, {images}")
    return jnp.exp(jax.vmap(_information)(log_probs.reshape(splits, images // splits, classes)))


def _marginal(log_probs):
    # The mean of probabilities, around the largest of a class: an absent class has no slope, where that of a log-sum-exp is NaN.
    largest = jax.lax.stop_gradient(jnp.max(log_probs, axis=0))
    absent = jnp.isneginf(largest)
    relative = jnp.mean(jnp.exp(log_probs - jnp.where(absent, 0.0, largest)), axis=0)
    return jnp.where(absent, -jnp.inf, jnp.log(jnp.where(absent, 1.0, relative)) + largest)


def _information(log_probs):
    """Both logarithms are replaced where an answer is impossible, before they are subtracted: 0 * inf would be NaN."""
    possible = ~jnp.isneginf(log_probs)
    log_ratio = jnp.where(possible, log_probs, 0.0) - jnp.where(possible, _marginal(log_probs), 0.0)
    return jnp.sum(jnp.mean(jnp.exp(log_probs) * log_ratio, axis=0))


def _require_answers(log_probs):
    require_rank(2, log_probs=log_probs)
    shape = list(log_probs.shape)
    require(min(shape) > 0, f"log_probs has shape {shape}; it must hold at least one image and one class")
    require_log_probs(log_probs=log_probs)
