"""Classifier guidance: the slope of a classifier of noised data, added to the score, draws samples toward a class."""

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import (
    require,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.autoregressive.normalization import layer_norm
from theory_jax.diffusion.score_prediction import diffused_mixture
from theory_jax.mathematics.levels import level_at, per_example
from theory_jax.mathematics.mixture import log_joint
from theory_jax.networks.time_embedding import sinusoidal_time_embedding


def class_log_probs(x_t, t, means, log_vars, log_weights, alpha_bar):
    r"""log q(k | x_t) = log-softmax_k of log w_k N(x_t; sqrt(a_t) m_k, (a_t e^l_k + 1 - a_t) I): a mixture's exact classifier.

    Its classes are the components; at pure noise it returns their weights.
    Raises ValueError if the shapes do not fit, the weights of log_weights do not sum to one, t is not an integer in 1..T, or
    alpha_bar is no schedule.  Source: Bayes' rule; Dhariwal & Nichol 2021, section 4.
    [B, D], [B], [K, D], [K], [K], [T+1] -> [B, K]
    """
    require_rank(2, x_t=x_t)
    require_timesteps(alpha_bar, x_t, t=t)
    joint, _ = log_joint(x_t, *diffused_mixture(means, log_vars, t, alpha_bar), log_weights)
    return jax.nn.log_softmax(joint, axis=1)


def classifier_gradient(x_t, labels, log_probs_fn):
    r"""grad_x log p(y | x) at x_t, y the label of each example; log_probs_fn(x) -> log-probabilities of the K classes, [B, K].

    Each row of log_probs_fn must depend on its own example only, and be normalized: a logit has another slope.

    Raises ValueError if labels are not integers in 0..K-1, one for each example, or log_probs_fn does not return [B, K].
    Source: Dhariwal & Nichol 2021, algorithm 1; Sohl-Dickstein et al. 2015, section 2.5.
    [B, ...], [B] -> [B, ...]
    """
    require_integers(labels=labels)
    require_one_each(x_t, labels=labels)
    batch = list(jnp.shape(x_t)[:1])
    log_probs, pull = jax.vjp(log_probs_fn, x_t)
    found = list(jnp.shape(log_probs))
    require(len(found) == 2 and found[:1] == batch, f"log_probs_fn returned shape {found}; it must return {[*batch, 'K']}")
    require_values("labels", labels, lambda y: (y >= 0) & (y < found[1]), f"a class in 0..{found[1] - 1}")
    (gradient,) = pull(jax.nn.one_hot(widened(labels), found[1], dtype=log_probs.dtype))
    return gradient


def guided_mean(mean, log_var, gradient, *, scale):
    r"""mean + scale e^log_var gradient: the mean of a reverse step, moved uphill in log p(y | x) in units of its variance.

    Raises ValueError if gradient has another shape than mean, or log_var neither that shape nor one entry for each example.
    Source: Dhariwal & Nichol 2021, algorithm 1.
    [B, ...], [B], [B, ...] -> [B, ...]
    """
    require_same_shape(mean=mean, gradient=gradient)
    given, allowed = list(jnp.shape(log_var)), [list(jnp.shape(mean)[:1]), list(jnp.shape(mean))]
    require(given in allowed, f"log_var has shape {given}; it must have shape {allowed[0]} or {allowed[1]}")
    variance = jnp.exp(log_var)
    return mean + scale * (per_example(variance, mean) if jnp.ndim(log_var) == 1 else variance) * gradient


def guided_noise(noise_pred, gradient, t, alpha_bar, *, scale):
    r"""noise_pred - scale sqrt(1 - a_t) gradient: the noise of the score of the model plus scale times the classifier's gradient.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Dhariwal & Nichol 2021, eq. 14 and algorithm 2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(noise_pred=noise_pred, gradient=gradient)
    require_timesteps(alpha_bar, noise_pred, t=t)
    return noise_pred - scale * per_example(jnp.sqrt(1 - level_at(t, alpha_bar)), noise_pred) * gradient


# ---------------------------------------------------------------------------------------------------- the network


class LevelClassifier(nnx.Module):
    """Logits [B, K] of noisy examples [B, ...] at the levels t [B]: h + W silu((1 + scale_t) LN(h) + shift_t), layer by layer."""

    def __init__(self, size, classes, *, width, layers, rngs: nnx.Rngs):
        def linear(inputs, outputs):
            return nnx.Linear(inputs, outputs, param_dtype=jnp.result_type(float), rngs=rngs)

        self.input, self.output = linear(size, width), linear(width, classes)
        self.hidden = nnx.List(linear(width, width) for _ in range(layers))
        self.time = nnx.List([linear(width, width), jax.nn.silu, linear(width, 2 * layers * width)])

    def __call__(self, x, t):
        h, layers = self.input(x.reshape(len(x), -1)), len(self.hidden)
        width = h.shape[1]
        first, bend, second = self.time
        time = second(bend(first(sinusoidal_time_embedding(t, dim=width)))).reshape(len(x), 2, layers, width)
        for number, layer in enumerate(self.hidden):
            plain = layer_norm(h, jnp.ones(width, h.dtype), jnp.zeros(width, h.dtype), epsilon=1e-5)
            h += layer(jax.nn.silu((1 + time[:, 0, number]) * plain + time[:, 1, number]))
        return self.output(jax.nn.silu(h))
