"""Jensen's inequality (lecture 5): the mean of a convex function is at least the function of the mean, and by how much.

Every bound of this course is this inequality at work: Gibbs, the evidence lower bound, the bounds on f-divergences.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape
from theory_jax.derivation import Derivation
from theory_jax.foundations.maximum_likelihood import kl_divergence


def jensen_gap(x, log_weights, convex_fn):
    r"""E f(X) - f(E X) = sum_k w_k f(x_k) - f(sum_k w_k x_k), with w = e^log_weights.

    convex_fn acts on each element. Points of weight zero do not count, wherever they lie.

    Raises ValueError if the shapes differ, a row of x is empty, or a row of log_weights does not sum to one.
    Source: Jensen 1906.
    [B, K], [B, K] -> [B]
    """
    x, weights, mean = _weighted_mean(x, log_weights)
    return jnp.sum(weights * convex_fn(x), axis=-1) - convex_fn(mean)


def log_mean_exp(x):
    r"""log of (1/K) sum_k e^x_k, without overflow; -inf if every entry is.

    Raises ValueError if a row of x is empty.  Source: Burda, Grosse & Salakhutdinov 2016 (there of importance weights).
    [B, K] -> [B]
    """
    require_rank(2, x=x)
    require(x.shape[1] > 0, "x has rows of length 0; a mean needs at least one term")
    return _logsumexp(x) - math.log(x.shape[1])


def log_jensen_gap(log_x, log_weights):
    r"""log E X - E log X = log(sum_k w_k x_k) - sum_k w_k log x_k >= 0, in nats, for x >= 0 given by its logarithm.

    The constant +inf where some points of positive weight, but not all, are 0; and 0, as for any constant, where all are.

    Raises ValueError if the shapes differ, a row of log_x is empty, or a row of log_weights does not sum to one.
    Source: Boyd & Vandenberghe, Convex Optimization, 3.1.
    [B, K], [B, K] -> [B]
    """
    _require_weighted(log_x=log_x, log_weights=log_weights)
    counts, zero = log_weights > -jnp.inf, jnp.isneginf(log_x)
    some, every = jnp.any(counts & zero, axis=-1), jnp.all(zero | ~counts, axis=-1)
    log_x = jnp.where(counts & ~zero, log_x, 0.0)
    gap = _logsumexp(log_x + log_weights) - jnp.sum(jnp.exp(log_weights) * log_x, axis=-1)
    return jnp.where(every, 0.0, jnp.where(some, jnp.inf, gap))


def bregman_divergence(x, y, potential_fn):
    r"""phi(x) - phi(y) - <grad phi(y), x - y>: how far phi lies above its tangent at y, seen at x.

    potential_fn is phi, [B, D] -> [B]; its slope at y is taken by automatic differentiation.

    Raises ValueError if the shapes differ.  Source: Banerjee et al. 2005, definition 1.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x, y=y)
    require_same_shape(x=x, y=y)
    at_y, slope_toward_x = jax.jvp(potential_fn, (y,), (x - y,))
    return potential_fn(x) - at_y - slope_toward_x


def jensen_gap_bounds(x, log_weights, *, curvature_lower, curvature_upper):
    r"""(m/2) Var_w(x) <= jensen_gap <= (M/2) Var_w(x) for every f with m <= f'' <= M between the points.

    m = curvature_lower, M = curvature_upper, Var_w(x) = sum_k w_k (x_k - sum_j w_j x_j)^2. Returns (lower, upper).

    Raises ValueError if the shapes differ, a row of x is empty, a row of log_weights does not sum to one, or curvature_lower <=
    curvature_upper does not hold (for NaN, say).  Source: Liao & Berg 2019, Sharpening Jensen's inequality.
    [B, K], [B, K] -> [B], [B]
    """
    require(
        curvature_lower <= curvature_upper,
        f"curvature_lower is {curvature_lower}; it must be at most curvature_upper, {curvature_upper}",
    )
    x, weights, mean = _weighted_mean(x, log_weights)
    variance = jnp.sum(weights * (x - mean[:, None]) ** 2, axis=-1)
    return curvature_lower / 2 * variance, curvature_upper / 2 * variance


def _weighted_mean(x, log_weights):
    """x with its points of weight zero moved to the mean, where they do no harm; the weights; the mean."""
    _require_weighted(x=x, log_weights=log_weights)
    weights = jnp.exp(log_weights)
    counts = weights > 0
    mean = jnp.sum(weights * jnp.where(counts, x, 0.0), axis=-1)
    # else 0 * f(x) would be NaN where f has a pole, and again in the gradient
    return jnp.where(counts, x, mean[:, None]), weights, mean


def _logsumexp(x):
    # a row of -inf has no slope: its derivative is set to 0, where differentiating through would give 0/0
    empty = jnp.all(jnp.isneginf(x), axis=-1)
    return jnp.where(empty, -jnp.inf, logsumexp(jnp.where(empty[:, None], 0.0, x), axis=-1))


def _require_weighted(**arrays):
    require_rank(2, **arrays)
    require_same_shape(**arrays)
    (name, x), (_, log_weights) = arrays.items()
    require(x.shape[1] > 0, f"{name} has rows of length 0; a mean needs at least one point")
    require_log_probs(log_weights=log_weights)


# ---------------------------------------------------------------------------------------------------- derivation

derivation = Derivation(
    title="Jensen's inequality, with its exact gap",
    lectures=(5,),
    sources=(
        "Jensen 1906, Sur les fonctions convexes et les inegalites entre les valeurs moyennes",
        "Boyd & Vandenberghe, Convex Optimization, 3.1",
        "Banerjee, Merugu, Dhillon & Ghosh 2005, Clustering with Bregman divergences",
        "Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders, theorem 1",
    ),
)


def _draw(seed, *, batch, points, scale=1.0):
    """Points and log-weights, each [batch, points]."""
    rng = np.random.default_rng(seed)
    x = scale * rng.standard_normal((batch, points))
    return jnp.asarray(x), jax.nn.log_softmax(jnp.asarray(rng.standard_normal((batch, points))), axis=-1)


def _fourth_power(x):
    return x**4


@derivation.numeric(
    r"\mathrm{gap}_n(w, x) = (1 - w_n)\,\mathrm{gap}_{n-1}\Bigl(\frac{w_{<n}}{1 - w_n}, x_{<n}\Bigr)"
    r" + \mathrm{gap}_2\bigl((1 - w_n, w_n), (\bar x_{<n}, x_n)\bigr)",
    because="Convexity is the case of two points: the chord lies above the graph. Average the first n-1 points first, at their "
    "mean x_bar, and then that mean with the last point. The value f(x_bar) is added in one gap and taken away in the other. If "
    "gaps of two and of n-1 points are not negative, neither is a gap of n: induction carries the chord to any finite mean.",
)
def many_points_from_two():
    x, log_weights = _draw(0, batch=4, points=6)
    rest = jnp.log1p(-jnp.exp(log_weights[:, -1]))
    conditional = log_weights[:, :-1] - rest[:, None]
    mean = jnp.sum(jnp.exp(conditional) * x[:, :-1], axis=1)
    first = jnp.exp(rest) * jensen_gap(x[:, :-1], conditional, _fourth_power)
    second = jensen_gap(jnp.stack([mean, x[:, -1]], 1), jnp.stack([rest, log_weights[:, -1]], 1), _fourth_power)
    return jensen_gap(x, log_weights, _fourth_power), first + second


@derivation.symbolic(
    r"f(x) = x^4: \quad B_f(x, a) = f(x) - f(a) - f'(a)(x - a) = (x - a)^2 (x^2 + 2 a x + 3 a^2)",
    because="A differentiable convex function lies above each of its tangents; B_f, its Bregman divergence, is the height above "
    "the tangent at a. Here the height factors into a square and (x + a)^2 + 2 a^2, and neither can be negative.",
)
def height_above_the_tangent():
    x, a = sympy.symbols("x a", real=True)
    f = _fourth_power
    height = f(x) - f(a) - sympy.diff(f(a), a) * (x - a)
    return [height, x**2 + 2 * a * x + 3 * a**2], [(x - a) ** 2 * (x**2 + 2 * a * x + 3 * a**2), (x + a) ** 2 + 2 * a**2]


POTENTIALS = (
    lambda x: jnp.sum(x**4, axis=-1),
    lambda x: logsumexp(x, axis=-1),
    lambda x: jnp.sum(jnp.exp(x), axis=-1) + jnp.sum(x, axis=-1) ** 2,
)


@derivation.bound(
    r"B_\varphi(x, y) = \varphi(x) - \varphi(y) - \langle\nabla\varphi(y), x - y\rangle \ge 0",
    because="The same in any dimension: restrict phi to the line from y to x, where it is again a convex function of one "
    "variable. Shown for a sum of fourth powers, for log-sum-exp, and for a potential that couples the coordinates. At x = y the "
    "tangent touches.",
)
def bregman_divergences_are_not_negative():
    rng = np.random.default_rng(1)
    x, y = jnp.asarray(rng.standard_normal((2, 50, 3)))
    heights = jnp.stack([bregman_divergence(x, y, potential) for potential in POTENTIALS])
    touching = jnp.stack([bregman_divergence(y, y, potential) for potential in POTENTIALS])
    return 0.0, heights, (touching, 0.0)


@derivation.numeric(
    r"\mathbb{E} f(X) - f(\mathbb{E} X) = \mathbb{E}\bigl[B_f(X, \mathbb{E} X)\bigr] \ge 0",
    because="Touch the graph at a = E X and average the height over X. The tangent's slope multiplies E[X - E X] = 0 and is "
    "gone: what is left is Jensen's inequality, and not only its sign but the exact gap, as a mean of heights.",
)
def the_gap_is_a_mean_height():
    x, log_weights = _draw(2, batch=5, points=4)
    weights = jnp.exp(log_weights)
    mean = jnp.sum(weights * x, axis=1, keepdims=True)
    heights = bregman_divergence(x.reshape(-1, 1), jnp.broadcast_to(mean, x.shape).reshape(-1, 1), POTENTIALS[2])
    return jensen_gap(x, log_weights, lambda u: jnp.exp(u) + u**2), jnp.sum(weights * heights.reshape(5, 4), 1)


@derivation.exact(
    r"\mathrm{gap} = 0 \iff f \text{ is affine on the hull of the support, or } X \text{ is constant}",
    because="A mean of heights is zero only if every height is: f runs along its tangent wherever X goes, or X never leaves E X. "
    "Three cases: |x| seen only where x > 0, a constant under x^2, and a fair coin on {0, 2} under x^2, whose gap is Var X = 1. "
    "A strictly convex f therefore gives equality to constants alone.",
)
def equality_cases():
    log_weights = jnp.log(jnp.array([[0.3, 0.7]]))
    fair = jnp.log(jnp.array([[0.5, 0.5]]))
    affine = jensen_gap(jnp.array([[1.5, 4.0]]), log_weights, abs)
    constant = jensen_gap(jnp.array([[2.5, 2.5]]), log_weights, lambda x: x**2)
    strict = jensen_gap(jnp.array([[0.0, 2.0]]), fair, lambda x: x**2)
    return jnp.concatenate([affine, constant, strict]), jnp.array([0.0, 0.0, 1.0])


@derivation.bound(
    r"m \le f'' \le M \;\Rightarrow\; "
    r"\frac{m}{2}\operatorname{Var} X \le \mathbb{E} f(X) - f(\mathbb{E} X) \le \frac{M}{2}\operatorname{Var} X",
    because="f(x) - m x^2/2 and M x^2/2 - f(x) are both convex, and the gap of x^2 is Var X. So the gap is of the size of the "
    "variance: what makes X less noisy makes Jensen's bound tighter. Shown for e^x on [-1, 1], where 1/e <= f'' <= e; quadratics "
    "attain both sides.",
)
def curvature_bounds_the_gap():
    rng = np.random.default_rng(3)
    x = jnp.asarray(rng.uniform(-1, 1, (50, 5)))
    log_weights = jax.nn.log_softmax(jnp.asarray(rng.standard_normal((50, 5))), axis=1)
    gap = jensen_gap(x, log_weights, jnp.exp)
    lower, upper = jensen_gap_bounds(x, log_weights, curvature_lower=math.exp(-1), curvature_upper=math.e)
    tight = jensen_gap_bounds(x, log_weights, curvature_lower=2.0, curvature_upper=2.0)
    quadratic = jensen_gap(x, log_weights, lambda x: x**2)
    return jnp.stack([lower, gap]), jnp.stack([gap, upper]), (jnp.stack(tight), jnp.stack([quadratic, quadratic]))


@derivation.symbolic(
    r"\log\mathbb{E}(1 + \delta Y) - \mathbb{E}\log(1 + \delta Y) = \frac{\delta^2}{2}\operatorname{Var} Y + O(\delta^3)",
    because="Expand both logarithms. The first-order terms are the same; at second order the first gives -(E Y)^2/2 and the "
    "second -E[Y^2]/2. Taking the logarithm of a noisy estimate costs half its relative variance.",
)
def small_noise_in_moments():
    delta, y, first, second = sympy.symbols("delta y m_1 m_2", real=True)
    log_of_mean = sympy.series(sympy.log(1 + delta * first), delta, 0, 3).removeO()
    log_of_draw = sympy.series(sympy.log(1 + delta * y), delta, 0, 3).removeO()
    mean_of_log = sympy.expand(log_of_draw).subs(y**2, second).subs(y, first)
    return log_of_mean - mean_of_log, delta**2 / 2 * (second - first**2)


@derivation.numeric(
    r"\frac{\log\mathbb{E}(1 + \delta Y) - \mathbb{E}\log(1 + \delta Y)}{\frac{\delta^2}{2}\operatorname{Var} Y} \to 1"
    r" \quad (\delta \to 0)",
    because="The function itself, at smaller and smaller noise. Halving delta four times and removing the terms in delta up to "
    "delta^4 (Richardson) leaves the limit.",
    tolerance=1e-8,
    since="Richardson's four steps leave a term in delta^5",
)
def small_noise_ratio():
    y, log_weights = _draw(4, batch=3, points=5)
    _, half_variance = jensen_gap_bounds(y, log_weights, curvature_lower=0.0, curvature_upper=1.0)
    ratios = [
        log_jensen_gap(jnp.log1p(delta * y), log_weights) / (delta**2 * half_variance)
        for delta in (0.04, 0.02, 0.01, 0.005, 0.0025)
    ]
    for order in (1, 2, 3, 4):
        ratios = [(2**order * fine - coarse) / (2**order - 1) for coarse, fine in itertools.pairwise(ratios)]
    return ratios[0], 1.0


@derivation.exact(
    r"\log\sum_k w_k x_k - \sum_k w_k \log x_k = \mathrm{KL}\Bigl(w \,\Big\|\, \frac{w x}{\sum_j w_j x_j}\Bigr) \ge 0",
    because="Let f = -log. Reweighting w by x gives a new distribution v = w x / sum w x, and log w/v = log sum w x - log x: the "
    "gap is a Kullback-Leibler divergence. That it is not negative is the weighted inequality of the arithmetic and the "
    "geometric mean.",
)
def the_gap_of_the_logarithm():
    log_x, log_weights = _draw(5, batch=4, points=5, scale=2.0)
    return log_jensen_gap(log_x, log_weights), kl_divergence(log_weights, jax.nn.log_softmax(log_weights + log_x, axis=1))


@derivation.exact(
    r"\log p(x) = \mathbb{E}_q\log\frac{p(x, z)}{q(z)} + \mathrm{KL}\bigl(q(z) \,\|\, p(z \mid x)\bigr)",
    because="Read x_z = p(x, z)/q(z) and w = q: the mean is E_q x_z = p(x), the mean logarithm is the evidence lower bound "
    "(ELBO), and the reweighted distribution w x / p(x) is the posterior. Jensen's gap is the divergence from q to the "
    "posterior. All of variational inference is this line.",
)
def latent_variables():
    log_p, log_q = _draw(6, batch=3, points=5)
    log_joint = log_p - 2.0  # p(x, z) over the five states of z
    log_evidence = logsumexp(log_joint, axis=1)
    divergence = kl_divergence(log_q, log_joint - log_evidence[:, None])
    elbo = jnp.sum(jnp.exp(log_q) * (log_joint - log_q), axis=1)
    return [log_evidence, log_jensen_gap(log_joint - log_q, log_q)], [elbo + divergence, divergence]


SUPPORT, LOG_PROBABILITIES = np.log([0.1, 0.4, 1.0, 1.7, 3.0, 8.0]), np.log([0.25, 0.2, 0.2, 0.15, 0.15, 0.05])


def _every_tuple(count):
    """Every tuple of `count` independent weights, as logarithms [6^count, count], and the probability of each, [6^count]."""
    indices = np.array(list(itertools.product(range(6), repeat=count)))
    return jnp.asarray(SUPPORT[indices]), jnp.exp(LOG_PROBABILITIES[indices].sum(axis=1))


@derivation.exact(
    r"\frac{1}{K+1}\sum_{i=0}^{K} x_i = \frac{1}{K+1}\sum_{j=0}^{K}\Bigl(\frac{1}{K}\sum_{i \ne j} x_i\Bigr)",
    because="Leave each of the K+1 draws out in turn, and average the K+1 means of K: every draw is used K times with weight "
    "1/(K (K+1)). A mean of K+1 is thus itself a mean over means of K, and a mean is where Jensen can be applied. Seen on every "
    "tuple.",
)
def leave_one_out():
    means, averages = [], []
    for count in (1, 2, 3):
        draws, _ = _every_tuple(count + 1)
        left_out = [log_mean_exp(jnp.delete(draws, j, axis=1)) for j in range(count + 1)]
        means.append(log_mean_exp(draws))
        averages.append(log_mean_exp(jnp.stack(left_out, axis=1)))
    return jnp.concatenate(means), jnp.concatenate(averages)


def _expected_log_mean(count):
    """E log of the mean of `count` weights, by enumeration."""
    draws, probabilities = _every_tuple(count)
    return jnp.sum(probabilities * log_mean_exp(draws))


@derivation.bound(
    r"\mathbb{E}\log\frac{1}{K}\sum_{i=1}^{K} x_i \;\le\; \mathbb{E}\log\frac{1}{K+1}\sum_{i=1}^{K+1} x_i"
    r" \;\le\; \log\mathbb{E} x",
    because="Take the logarithm of the line above; Jensen moves it inside the outer mean, and all K+1 subsets have the same "
    "expectation. More samples never loosen the bound. Summed over all 6^K tuples for K = 1..4; tight if the weight is constant, "
    "and the fewest samples are then as good as any.",
)
def more_samples_tighten():
    bounds = jnp.stack([_expected_log_mean(count) for count in (1, 2, 3, 4)])
    log_mean = logsumexp(SUPPORT + LOG_PROBABILITIES)
    constant = jnp.full((1, 1), 0.7)
    return bounds, jnp.append(bounds[1:], log_mean), (log_mean_exp(constant), log_mean_exp(jnp.tile(constant, (1, 4))))


if __name__ == "__main__":
    derivation.main()
