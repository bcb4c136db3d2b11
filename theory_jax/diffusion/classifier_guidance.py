"""Classifier guidance: the slope of a classifier of noised data, added to the score, draws samples toward a class.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
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
from theory_jax.derivation import Derivation
from theory_jax.diffusion._mixture import log_joint
from theory_jax.diffusion._schedules import schedule
from theory_jax.diffusion._three_classes import LABELS, LOG_VARS, LOG_WEIGHTS, MEANS, SCALE, TIMES, noised_mixture, points
from theory_jax.diffusion.score_prediction import diffused_mixture, mixture_log_prob, mixture_score, score_from_noise
from theory_jax.levels import level_at, per_example
from theory_jax.networks.time_embedding import sinusoidal_time_embedding


def class_log_probs(x_t, t, means, log_vars, log_weights, alpha_bar):
    r"""log q(k | x_t) = log-softmax_k of log w_k N(x_t; sqrt(a_t) m_k, (a_t e^l_k + 1 - a_t) I): a mixture's exact classifier.

    Its classes are the components; where nothing of the data is left it knows their weights and no more.
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
    r"""noise_pred - scale sqrt(1 - a_t) gradient: the noise whose score is the model's plus scale times the classifier's slope.

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


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Classifier guidance: Bayes' rule for scores",
    lectures=(35, 41),
    sources=(
        "Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis, section 4",
        "Sohl-Dickstein, Weiss, Maheswaranathan & Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
    ),
)


def _classifier(x):
    return class_log_probs(x, TIMES, MEANS, LOG_VARS, LOG_WEIGHTS, schedule())


def _class_score(x):
    """grad log q_t(x | y): that of one Gaussian."""
    means, log_vars, _ = noised_mixture()
    rows = np.arange(len(TIMES))
    return (means[rows, LABELS] - x) / jnp.exp(log_vars[rows, LABELS])[:, None]


@derivation.autodiff(
    r"\nabla_x \log q_t(x \mid y) = \nabla_x \log q_t(x) + \nabla_x \log q_t(y \mid x)",
    because="In Bayes' rule q_t(x | y) = q_t(x) q_t(y | x)/q(y) the denominator does not depend on x, so it has no slope. An "
    "unconditional model and a classifier of noised data together are a conditional model, and the classifier may come later: "
    "the diffusion model need not be trained again. The left side is that of a single component.",
)
def bayes_rule_for_scores():
    x = points()
    return mixture_score(x, *noised_mixture()) + classifier_gradient(x, LABELS, _classifier), _class_score(x)


@derivation.autodiff(
    r"\nabla_x \log \frac{q_t(x)\, q_t(y \mid x)^w}{Z} = \nabla_x \log q_t(x) + w\, \nabla_x \log q_t(y \mid x)",
    because="A power of the classifier multiplies its slope. Its odds are raised to the power w, so for w > 1 the product keeps "
    "to where the classifier is sure: samples more typical of their class, and less varied. The right side takes the slope of "
    "the classifier as the difference of two scores known in closed form.",
)
def a_scale_is_a_power():
    x = points(1)
    rows = np.arange(len(TIMES))

    def log_product(x):
        return jnp.sum(mixture_log_prob(x, *noised_mixture()) + SCALE * _classifier(x)[rows, LABELS])

    score = mixture_score(x, *noised_mixture())
    return jax.grad(log_product)(x), score + SCALE * (_class_score(x) - score)


@derivation.numeric(
    r"\hat\epsilon = -\sqrt{1 - \bar\alpha_t}\, \nabla \log q_t(x): \quad \hat\epsilon - w \sqrt{1 - \bar\alpha_t}\,"
    r" \nabla_x \log q_t(y \mid x) \;\longleftrightarrow\; \nabla \log q_t(x) + w\, \nabla_x \log q_t(y \mid x)",
    because="The noise is minus the deviation times the score, so what is added to the score is subtracted from the noise, in "
    "the same unit. With the noise so changed every sampler that takes a noise prediction is guided, also one without "
    "randomness, such as DDIM.",
)
def in_units_of_noise():
    x, alpha_bar = points(2), schedule()
    score = mixture_score(x, *noised_mixture())
    noise = -jnp.sqrt(1 - alpha_bar[TIMES])[:, None] * score
    gradient = classifier_gradient(x, LABELS, _classifier)
    guided = guided_noise(noise, gradient, TIMES, alpha_bar, scale=SCALE)
    return score_from_noise(guided, TIMES, alpha_bar), score + SCALE * (_class_score(x) - score)


_GRID = np.linspace(-15.0, 15.0, 3001)


def _on_the_grid(log_density):
    """Probabilities of the grid's points, [..., grid], from a log-density up to a constant."""
    return jax.nn.softmax(log_density, axis=-1)


@derivation.numeric(
    r"p = \mathcal{N}(\mu, \sigma^2), \;\; \log p(y \mid x) = g x + c: \qquad \frac{p(x)\, p(y \mid x)^w}{Z} ="
    r" \mathcal{N}(\mu + w \sigma^2 g,\; \sigma^2)",
    tolerance=1e-9,
    because="A straight line added to a parabola moves it and does not bend it: completing the square shifts the mean by the "
    "variance times the slope. A reverse step is Gaussian and short, and over its width the classifier is nearly a line, so it "
    "is guided by moving its mean. Here the product's moments are taken on a grid.",
)
def a_line_moves_a_gaussian():
    mean, log_var, slope = jnp.array([0.3, -1.0, 2.0]), jnp.log(jnp.array([0.5, 1.2, 0.1])), jnp.array([0.7, -1.1, 2.0])
    parabola = -((_GRID - mean[:, None]) ** 2) / (2 * jnp.exp(log_var)[:, None])
    product = _on_the_grid(parabola + SCALE * slope[:, None] * _GRID)
    center = product @ _GRID
    spread = jnp.sum(product * (_GRID - center[:, None]) ** 2, axis=1)
    moved = guided_mean(mean, log_var, slope, scale=SCALE)
    return jnp.concatenate([center, spread]), jnp.concatenate([moved, jnp.exp(log_var)])


def _tilts(scale, label=0):
    """Two classes on a line, at a level in the middle: the sharpened data noised, and the noised data sharpened; densities."""
    means, log_vars = jnp.array([[1.0], [-1.2]]), jnp.log(jnp.array([0.4, 0.9]))
    log_weights, alpha_bar = jnp.log(jnp.array([0.4, 0.6])), jnp.array([1.0, 1 - 1e-9, 0.5])
    x, step = jnp.asarray(_GRID)[:, None], _GRID[1] - _GRID[0]

    def sharpened(t):
        times = np.full(len(_GRID), t)
        mixture = diffused_mixture(means, log_vars, times, alpha_bar)
        classifier = class_log_probs(x, times, means, log_vars, log_weights, alpha_bar)[:, label]
        return _on_the_grid(mixture_log_prob(x, *mixture, log_weights) + scale * classifier) / step

    def noised(density):
        """From nearly no noise, on by the ratio of the levels: an integral over where it came from."""
        ratio = alpha_bar[2] / alpha_bar[1]
        kernel = -((x - jnp.sqrt(ratio) * _GRID) ** 2) / (2 * (1 - ratio))
        return jnp.exp(kernel) @ density * step / jnp.sqrt(2 * math.pi * (1 - ratio))

    return noised(sharpened(1)), sharpened(2)


@derivation.bound(
    r"10^{-3} \le \max_x \Big| \int q_t(x \mid x_0)\, \tilde{q}_0(x_0)\, dx_0 - \tilde{q}_t(x) \Big| \text{ at } w = 3, \quad"
    r" = 0 \text{ at } w = 1, \qquad \tilde{q}_t \propto q_t(x)\, q_t(y \mid x)^w",
    tolerance=1e-9,
    because="At w = 1 the product is q_t(x | y), and noising what belongs to a class gives the noised class. For any other w, "
    "sharpening the noised data is not noising the sharpened data: the guided scores of the different t belong to no single "
    "diffusion, and guided sampling does not draw from p(x) p(y | x)^w exactly. The scale is a knob, not a posterior.",
)
def sharpening_and_noising_do_not_commute():
    noised, sharpened = _tilts(3.0)
    return jnp.array([1e-3]), jnp.max(jnp.abs(noised - sharpened))[None], _tilts(1.0)


if __name__ == "__main__":
    derivation.main()
