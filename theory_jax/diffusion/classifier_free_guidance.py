"""Classifier-free guidance: one network, asked with and without its condition, is its own classifier.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_share,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation
from theory_jax.diffusion._schedules import schedule
from theory_jax.diffusion._three_classes import LABELS, LOG_VARS, LOG_WEIGHTS, MEANS, SCALE, TIMES, noised_mixture, points
from theory_jax.diffusion.classifier_guidance import class_log_probs, classifier_gradient, guided_noise
from theory_jax.diffusion.parameterizations import convert_prediction
from theory_jax.diffusion.score_prediction import mixture_log_prob, mixture_score
from theory_jax.levels import per_example


def guide(conditional, unconditional, *, scale):
    r"""u + scale (c - u): at scale 1 the conditional prediction c, at 0 the unconditional u, beyond 1 further from u than c is.

    Ho and Salimans' w is scale - 1. A prediction for what is not wanted may take the place of u (a negative prompt).
    Raises ValueError if the shapes differ.  Source: Ho & Salimans 2022, eq. 6.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(conditional=conditional, unconditional=unconditional)
    return unconditional + scale * (conditional - unconditional)


def drop_condition(condition, null_condition, uniforms, *, probability):
    r"""The null condition where u < probability, the condition elsewhere: one decision for each example.

    A condition may be a label, a vector, or a sequence of them.
    Raises ValueError if null_condition has not the shape of one condition, the other shapes do not fit, a uniform is outside
    [0, 1), or probability outside [0, 1].  Source: Ho & Salimans 2022, algorithm 1.
    [B, ...], [...], [B] -> [B, ...]
    """
    given, wanted = list(jnp.shape(null_condition)), list(jnp.shape(condition)[1:])
    require(given == wanted, f"null_condition has shape {given}; it must be that of one condition, {wanted}")
    require_one_each(condition, uniforms=uniforms)
    require_values("uniforms", uniforms, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    require_share(probability=probability)
    dropped = jnp.expand_dims(uniforms < probability, tuple(range(1, jnp.ndim(condition))))
    return jnp.where(dropped, widened(null_condition), widened(condition))


def rescale(guided, conditional, *, mix=0.7):
    r"""guided (mix std(conditional)/std(guided) + 1 - mix), std of each example over all its entries, biased.

    Guidance makes predictions larger; this gives the conditional one's spread back to it, and mixes both.
    Raises ValueError if the shapes differ, a guided prediction is constant, or mix is outside [0, 1].
    Source: Lin et al. 2023, section 3.4.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(guided=guided, conditional=conditional)
    axes = tuple(range(1, guided.ndim))
    width = jnp.max(guided, axis=axes) - jnp.min(guided, axis=axes)
    require_values("max(guided) - min(guided)", width, lambda w: w > 0, "positive: a constant prediction has no spread to scale")
    require_share(mix=mix)
    ratio = _deviation(conditional) / _deviation(guided)
    return guided * per_example(mix * ratio + (1 - mix), guided)


def interval_scale(t, *, scale, low, high):
    r"""The scale where low < t <= high, and 1, no guidance, elsewhere.

    Raises ValueError if t is not [B] of integers from 1 on, or low > high.  Source: Kynkäänniemi et al. 2024.
    [B] -> [B]
    """
    require_integers(t=t)
    require_rank(1, t=t)
    require_values("t", t, lambda t: t >= 1, "at least 1")
    require(low <= high, f"low is {low}; it must not be above high, {high}")
    t = widened(t)
    return jnp.where((t > low) & (t <= high), float(scale), 1.0)


def compose(conditionals, unconditional, scales):
    r"""u + sum_m scale_m (c_m - u): several conditions at once, each with its own weight, which may be negative.

    Raises ValueError if the shapes of unconditional and conditionals do not fit.  Source: Liu et al. 2022.
    [M, B, ...], [B, ...], [M] -> [B, ...]
    """
    given, wanted = list(jnp.shape(conditionals)), list(jnp.shape(unconditional))
    require(given[1:] == wanted and given, f"conditionals has shape {given}; it must be {['M', *wanted]}")
    found = list(jnp.shape(scales))
    require(found == given[:1], f"scales has shape {found}; it must have one entry for each of the {given[0]} conditionals")
    return unconditional + jnp.tensordot(scales, conditionals - unconditional, axes=1)


def _deviation(x):
    """Biased standard deviation of each example; its slope is 0 where it is 0."""
    variance = jnp.var(jax.lax.collapse(x, 1), axis=1)
    varies = variance > 0
    return jnp.where(varies, jnp.sqrt(jnp.where(varies, variance, 1.0)), 0.0)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Classifier-free guidance: the classifier inside a conditional model",
    lectures=(35, 41),
    sources=(
        "Ho & Salimans 2022, Classifier-Free Diffusion Guidance",
        "Lin, Liu, Li & Yang 2023, Common Diffusion Noise Schedules and Sample Steps Are Flawed",
        "Liu, Li, Du, Torralba & Tenenbaum 2022, Compositional Visual Generation with Composable Diffusion Models",
    ),
)


def _classifier(x):
    return class_log_probs(x, TIMES, MEANS, LOG_VARS, LOG_WEIGHTS, schedule())


def _score_of_class(x, label):
    """grad log q_t(x | y) of one class, or of one for each example."""
    means, log_vars, _ = noised_mixture()
    rows = np.arange(len(TIMES))
    label = np.broadcast_to(label, len(TIMES))
    return mixture_score(x, means[rows, label][:, None], log_vars[rows, label][:, None], jnp.zeros(1))


def _noises(x):
    """The best conditional and unconditional predictions of the noise."""
    deviation = jnp.sqrt(1 - schedule()[TIMES])[:, None]
    return -deviation * _score_of_class(x, LABELS), -deviation * mixture_score(x, *noised_mixture())


@derivation.autodiff(
    r"\nabla_x \log q_t(x \mid y) - \nabla_x \log q_t(x) = \nabla_x \log q_t(y \mid x)",
    because="Bayes' rule, read the other way: whoever knows the density with and without the class knows the class, too. "
    "The difference of the two scores is the slope of a classifier that nobody trained; it has seen all the noise levels, and it "
    "cannot disagree with the model whose samples it judges.",
)
def an_implicit_classifier():
    x = points()
    rows = np.arange(len(TIMES))
    slope = jax.grad(lambda x: jnp.sum(_classifier(x)[rows, LABELS]))(x)
    return slope, _score_of_class(x, LABELS) - mixture_score(x, *noised_mixture())


@derivation.numeric(
    r"\hat\epsilon_\varnothing + w\, (\hat\epsilon_y - \hat\epsilon_\varnothing) = \hat\epsilon_\varnothing -"
    r" w \sqrt{1 - \bar\alpha_t}\, \nabla_x \log q_t(y \mid x)",
    because="So classifier guidance needs no classifier: its slope, in units of the noise, is the difference of two predictions "
    "of one network. The same scale w means the same thing in both; w = 1 is the conditional model itself.",
)
def guidance_without_a_classifier():
    x = points(1)
    conditional, unconditional = _noises(x)
    gradient = classifier_gradient(x, LABELS, _classifier)
    by_classifier = guided_noise(unconditional, gradient, TIMES, schedule(), scale=SCALE)
    return guide(conditional, unconditional, scale=SCALE), by_classifier


@derivation.autodiff(
    r"\nabla_x \log q_t(x) = \sum_y q_t(y \mid x)\, \nabla_x \log q_t(x \mid y)",
    because="The slope of a logarithm of a sum is the average of the slopes, each with its share. That is what the network must "
    "answer when the condition is withheld: not nothing, but the average over the classes that x may belong to. It learns it by "
    "the same least squares, from examples whose condition was dropped, at every t.",
)
def what_the_null_condition_learns():
    x = points(2)
    shares = jnp.exp(_classifier(x))
    average = sum(shares[:, k, None] * _score_of_class(x, k) for k in range(3))
    return jax.grad(lambda x: jnp.sum(mixture_log_prob(x, *noised_mixture())))(x), average


@derivation.numeric(
    r"f(u + w (c - u)) = f(u) + w\, (f(c) - f(u)) \quad \text{for } f \text{ from noise to data, velocity, score or mean}",
    because="At a given x_t the conversions are straight lines, and a point on the line through u and c goes to the same point "
    "between their images. So one may guide whatever the network predicts. A clipped prediction is not on the line: clip after "
    "guiding.",
)
def guidance_commutes_with_the_parameterization():
    x = points(3)
    conditional, unconditional = _noises(x)

    def told(noise, target):
        return convert_prediction(noise, x, TIMES, schedule(), source="noise", target=target)

    targets = ("x0", "velocity", "score", "mean")
    left = [told(guide(conditional, unconditional, scale=SCALE), target) for target in targets]
    right = [guide(told(conditional, target), told(unconditional, target), scale=SCALE) for target in targets]
    return jnp.stack(left), jnp.stack(right)


@derivation.numeric(
    r"q(x \mid y) = \mathcal{N}(m, s^2), \; q(x) = \mathcal{N}(0, 1): \quad \text{guided is }"
    r" \mathcal{N}\!\Big( \frac{w\, m / s^2}{\Lambda},\; \frac{1}{\Lambda} \Big), \quad \Lambda = \frac{w}{s^2} + 1 - w",
    because="Two straight lines mixed are a straight line, and a linear score is a Gaussian's. For s < 1 the precision grows "
    "with w, so samples become alike; the mean moves outward past m, away from everything that is not y. The scale buys "
    "fidelity and pays with variety.",
)
def sharper_and_further_out():
    x, m, variance = jnp.linspace(-3.0, 3.0, 13)[:, None], 0.8, 0.4
    left, right, grown = [], [], []
    for w in (0.0, 0.5, 1.0, 2.5, 7.5):
        precision = w / variance + 1 - w
        conditional = mixture_score(x, jnp.array([[m]]), jnp.log(jnp.array([variance])), jnp.zeros(1))
        unconditional = mixture_score(x, jnp.zeros((1, 1)), jnp.zeros(1), jnp.zeros(1))
        left.append(guide(conditional, unconditional, scale=w))
        center = jnp.array([[w * m / variance / precision]])
        right.append(mixture_score(x, center, -jnp.log(jnp.array([precision])), jnp.zeros(1)))
        grown.append((precision, center.item()))
    (_, _, (one, at_m), *more) = grown
    assert all(precision > one and center > at_m for precision, center in more)
    return jnp.stack(left), jnp.stack(right)


@derivation.exact(
    r"\frac{1}{n} \# \big\{ i : \tfrac{i + 1/2}{n} < p \big\} = p \qquad \text{for } p = 0, \tfrac1n, \dots, 1",
    because="A uniform number is below p with probability p; here one is tried from the middle of each n-th part of [0, 1]. "
    "The decision is one for each example and does not look at t, so the null condition is trained at every noise level.",
)
def a_share_p_is_dropped():
    n = 20
    uniforms = (jnp.arange(n) + 0.5) / n
    shares = [jnp.mean(drop_condition(jnp.zeros(n), jnp.ones(()), uniforms, probability=k / n)) for k in range(n + 1)]
    return jnp.stack(shares), jnp.linspace(0.0, 1.0, n + 1)


@derivation.numeric(
    r"\mathrm{std}\big( \mathrm{rescale}_1(g, c) \big) = \mathrm{std}(c), \qquad \mathrm{rescale}_\varphi(g, c) = \varphi\,"
    r" \mathrm{rescale}_1(g, c) + (1 - \varphi)\, g",
    because="Far from u the guided prediction is too large: its spread over an image grows with the scale, and pictures "
    "oversaturate. Divided by its own and multiplied by the conditional one's standard deviation it has the size that the "
    "sampler expects; a mixture of both keeps some of the punch.",
)
def the_spread_is_restored():
    conditional, unconditional = jax.random.normal(jax.random.key(4), (2, 4, 3, 5), dtype=float)
    guided = guide(conditional, unconditional, scale=7.5)
    whole = rescale(guided, conditional, mix=1.0)
    mixed = rescale(guided, conditional, mix=0.6)
    return (
        jnp.concatenate([jnp.ravel(mixed), jnp.std(whole, axis=(1, 2))]),
        jnp.concatenate([jnp.ravel(0.6 * whole + 0.4 * guided), jnp.std(conditional, axis=(1, 2))]),
    )


@derivation.numeric(
    r"\nabla_x \log \Big( q(x) \prod_m \Big( \frac{q(x \mid y_m)}{q(x)} \Big)^{w_m} \Big) = s_\varnothing(x) + \sum_m w_m\,"
    r" (s_m(x) - s_\varnothing(x)), \qquad M = 1: \text{guide}",
    because="Each condition multiplies the density by its own implicit classifier, raised to its own power; independent "
    "conditions add up, and a negative weight says what is not wanted. With one condition it is the formula above.",
)
def conditions_are_composed():
    x, scales = points(5), jnp.array([1.5, -0.5])
    unconditional = mixture_score(x, *noised_mixture())
    conditionals = jnp.stack([_score_of_class(x, 0), _score_of_class(x, 2)])
    both = compose(conditionals, unconditional, scales)
    slopes = jax.grad(
        lambda x: jnp.sum(mixture_log_prob(x, *noised_mixture()) + _classifier(x)[:, jnp.array([0, 2])] @ scales)
    )(x)  # fmt: skip
    one = compose(conditionals[:1], unconditional, scales[:1])
    return jnp.stack([both, one]), jnp.stack([slopes, guide(conditionals[0], unconditional, scale=1.5)])


if __name__ == "__main__":
    derivation.main()
