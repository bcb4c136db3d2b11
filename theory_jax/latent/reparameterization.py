"""Gradients through randomness (lecture 19): the pathwise estimator, the score-function estimator, and relaxed choices.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_log_probs, require_positive, require_rank, require_same_shape, require_values
from theory_jax.derivation import Derivation


def reparameterize(noise, mean, log_var):
    r"""z = mean + e^(log_var / 2) noise: a draw from N(mean, e^log_var) if noise is a draw from N(0, I).

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, section 2.4.
    [B, L], [B, L], [B, L] -> [B, L]
    """
    require_rank(2, noise=noise)
    require_same_shape(noise=noise, mean=mean, log_var=log_var)
    return mean + jnp.exp(log_var / 2) * noise


def gaussian_score(z, mean, log_var):
    r"""The gradients of log N(z; mean, e^log_var) with respect to mean and to log_var.

    (z - mean) e^-log_var  and  1/2 ((z - mean)^2 e^-log_var - 1)

    Raises ValueError if the shapes differ.  Source: Williams 1992.
    [B, L], [B, L], [B, L] -> [B, L], [B, L]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, mean=mean, log_var=log_var)
    precision_root = jnp.exp(-log_var / 2)
    standardized = (z - mean) * precision_root
    # (u - 1)(u + 1) keeps the digits of u^2 - 1 one standard deviation from the mean.
    return standardized * precision_root, (standardized - 1) * (standardized + 1) / 2


def leave_one_out_advantage(values):
    r"""f_s - mean of f_r over r != s: each sample against the average of the others, so that the baseline is independent of it.

    Raises ValueError if S < 2.  Source: Kool et al. 2019.
    [B, S] -> [B, S]
    """
    require_rank(2, values=values)
    size = values.shape[1]
    require(size >= 2, f"values has {size} samples a row; a leave-one-out baseline needs at least 2")
    return (values - jnp.mean(values, axis=-1, keepdims=True)) * (size / (size - 1))


def gumbel_from_uniform(uniforms):
    r"""g = -log(-log u): a standard Gumbel draw if u is a uniform draw.

    Raises ValueError if a uniform is outside (0, 1).  Source: Gumbel 1954; Maddison et al. 2017.
    [B, K] -> [B, K]
    """
    require_rank(2, uniforms=uniforms)
    require_values("uniforms", uniforms, lambda u: (u > 0) & (u < 1), "inside (0, 1), both ends excluded")
    return -jnp.log(-jnp.log(uniforms))


def gumbel_softmax(uniforms, logits, *, temperature):
    r"""softmax((logits + g) / temperature) with the Gumbel noise g of the uniforms: a relaxed draw from softmax(logits).

    Raises ValueError if the shapes differ, a uniform is outside (0, 1) or temperature <= 0.
    Source: Jang et al. 2017, eq. 2; Maddison et al. 2017.
    [B, K], [B, K] -> [B, K]
    """
    require_same_shape(uniforms=uniforms, logits=logits)
    require_positive(temperature=temperature)
    return jax.nn.softmax((logits + gumbel_from_uniform(uniforms)) / temperature, axis=-1)


def concrete_log_density(log_y, logits, *, temperature):
    r"""The log-density of a Gumbel-softmax draw y on the simplex (with respect to y_1 ... y_{K-1}), in nats.

    log Gamma(K) + (K-1) log tau + sum_k (l_k - (tau+1) log y_k) - K logsumexp_k(l_k - tau log y_k)

    Raises ValueError if the shapes differ, temperature <= 0, a row of log_y does not sum to one or lies on the simplex's edge.
    Source: Maddison et al. 2017, definition 1.
    [B, K], [B, K] -> [B]
    """
    require_rank(2, log_y=log_y)
    require_same_shape(log_y=log_y, logits=logits)
    require_positive(temperature=temperature)
    require_values("log_y", log_y, jnp.isfinite, "finite: at y = 0 the density is 0 or infinite")
    require_log_probs(log_y=log_y)
    categories = log_y.shape[-1]
    # The log-normalizer is taken from each of the K terms, not K times from their sum: a shift of all logits costs no digits.
    tilted = logits - temperature * log_y
    log_normalizer = logsumexp(tilted, axis=-1, keepdims=True)
    constant = math.lgamma(categories) + (categories - 1) * math.log(temperature)
    return constant + jnp.sum(tilted - log_normalizer - log_y, axis=-1)


derivation = Derivation(
    title="Gradients through randomness",
    lectures=(19,),
    sources=(
        "Kingma & Welling 2014, Auto-encoding variational Bayes, section 2.4",
        "Williams 1992, Simple statistical gradient-following algorithms",
        "Jang, Gu & Poole 2017, Categorical reparameterization with Gumbel-softmax",
        "Maddison, Mnih & Teh 2017, The Concrete distribution",
        "Kool, van Hoof & Welling 2019, Buy 4 REINFORCE samples, get a baseline for free",
        "Mohamed, Rosca, Figurnov & Mnih 2020, Monte Carlo gradient estimation in machine learning",
    ),
)

# Expectations over noise ~ N(0, 1) are sums over 80 Gauss-Hermite nodes: exact to the last digits for what follows.
_nodes, _weights = np.polynomial.hermite_e.hermegauss(80)
_weights = _weights / _weights.sum()
_m, _v = 0.7, -0.4  # the mean and the log-variance of z


def _at_nodes(m=_m, v=_v):
    """z at every node, and m and v beside it: three arrays [80, 1]."""
    noise = _nodes[:, None]
    mean, log_var = jnp.full_like(noise, m), jnp.full_like(noise, v)
    return reparameterize(noise, mean, log_var), mean, log_var


@derivation.numeric(
    r"z = m + e^{v/2}\varepsilon,\ \varepsilon \sim \mathcal{N}(0,1):\quad \mathbb{E}z = m,\ \mathrm{Var}\,z = e^v,"
    r"\ \mathbb{E}e^{iuz} = e^{ium - u^2e^v/2}",
    because="Scaling and shifting a Gaussian gives a Gaussian, and a characteristic function determines its distribution. The "
    "randomness now enters from outside: m and v are ordinary inputs of a deterministic function. At u = 1 the imaginary part "
    "is E sin z = e^(-e^v/2) sin m, which the next steps differentiate.",
)
def the_draw_has_the_right_law():
    z = _at_nodes()[0][:, 0]
    mean = _weights @ z
    u = jnp.array([0.5, 1.0, 2.0])
    characteristic = _weights @ jnp.exp(1j * u * z[:, None])
    expected = jnp.exp(1j * u * _m - u**2 * math.exp(_v) / 2)
    moments = jnp.array([mean, _weights @ (z - mean) ** 2])
    return jnp.concatenate([moments, characteristic]), jnp.concatenate([jnp.array([_m, math.exp(_v)]), expected])


@derivation.autodiff(
    r"\nabla_{m,v}\,\mathbb{E}f(z) = \mathbb{E}\big[f'(z)\,\nabla_{m,v}\,z\big] ="
    r" \big(e^{-e^v/2}\cos m,\ -\tfrac12 e^{v} e^{-e^v/2}\sin m\big), \qquad f = \sin",
    because="The distribution of the noise does not depend on m and v, so the derivative moves inside the expectation and the "
    "chain rule goes through the draw: the pathwise gradient. It needs a differentiable f and a differentiable path. The right "
    "side differentiates E sin z in closed form.",
)
def the_pathwise_gradient():
    def at_node(parameters, noise):
        m, v = parameters
        return jnp.sin(reparameterize(noise.reshape(1, 1), m.reshape(1, 1), v.reshape(1, 1)))[0, 0]

    each = jax.vmap(jax.grad(at_node), in_axes=(None, 0))(jnp.array([_m, _v]), _nodes)
    return _weights @ each, _gradient_of_expected_sine()


@derivation.numeric(
    r"\mathbb{E}[\nabla\log p(z)] = 0, \qquad \mathbb{E}[f(z)\,\nabla\log p(z)] = \nabla\,\mathbb{E}f(z)",
    because="Differentiate the density and not the path: p' = p (log p)'. The score averages to zero since probabilities keep "
    "summing to one. The score-function estimator asks nothing of f but its values, so f may be a program or a black box, and "
    "z may be discrete.",
)
def the_score_function_gradient():
    z, mean, log_var = _at_nodes()
    score = jnp.concatenate(gaussian_score(z, mean, log_var), axis=1)
    return jnp.stack([_weights @ score, _weights @ (jnp.sin(z) * score)]), jnp.stack([jnp.zeros(2), _gradient_of_expected_sine()])


@derivation.numeric(
    r"f = z^2,\ m = 1,\ v = 0:\quad \mathrm{Var}[\text{pathwise}] = 4,\quad \mathrm{Var}[\text{score}] = 30",
    because="For a smooth f the path knows the slope and the score must find it by comparing values: 2 z has variance 4, while "
    "z^2 (z - 1) is a cubic in the noise with variance 30. This is why an autoencoder with Gaussian latents is trained by "
    "the pathwise gradient.",
)
def for_a_smooth_function_the_path_is_better():
    return jnp.stack(_variances(lambda z: z**2, *_at_nodes(1.0, 0.0), _weights)), jnp.array([4.0, 30.0])


@derivation.numeric(
    r"f = \cos 20z,\ m = 1,\ v = 0:\quad \mathrm{Var}[\text{pathwise}] = 200,\quad \mathrm{Var}[\text{score}] = \tfrac12",
    because="It is no law. The slope -20 sin(20 z) of a function that wiggles has nothing to do with the slope of its average, "
    "which is almost zero; its values are bounded by 1 and the score uses only these. (On a grid: 80 nodes cannot follow the "
    "cosine. The terms left out are of order e^-200.)",
)
def for_a_wiggling_function_the_score_is_better():
    noise = jnp.linspace(-12.0, 12.0, 24001)
    density = jnp.exp(-(noise**2) / 2)
    z, mean, log_var = (a[:, None] for a in (1.0 + noise, jnp.ones_like(noise), jnp.zeros_like(noise)))
    variances = _variances(lambda z: jnp.cos(20 * z), z, mean, log_var, density / density.sum())
    return jnp.stack(variances), jnp.array([200.0, 0.5])


# Three draws b of a coin with logit l, and a function with f(0) = 11.3, f(1) = 8.
_coin = 1 / (1 + math.exp(-0.4))
_draws = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
_probabilities = np.prod(np.where(_draws == 1, _coin, 1 - _coin), axis=1)


def _coin_estimates():
    """The estimate of d E f(b) / d logit from each of the eight triples: plain, and leaving one out. [2, 8]"""
    values, score = np.where(_draws == 1, 8.0, 11.3), _draws - _coin
    return jnp.stack([jnp.mean(values * score, axis=1), jnp.mean(leave_one_out_advantage(values) * score, axis=1)])


@derivation.exact(
    r"\mathbb{E}\Big[\tfrac1S\sum_s \Big(f_s - \tfrac{1}{S-1}\sum_{r\ne s} f_r\Big)\partial_l\log p(b_s)\Big]"
    r" = \mathbb{E}\Big[\tfrac1S\sum_s f_s\,\partial_l\log p(b_s)\Big] = \frac{d}{dl}\,\mathbb{E}f(b)",
    because="A baseline that does not know b_s multiplies a score whose mean is zero, and changes nothing on average. The mean "
    "of the other samples is such a baseline, and it is free. A mean that includes b_s is not: it shrinks the gradient by "
    "(S - 1)/S. All 2^3 samples are summed.",
)
def leaving_one_out_keeps_the_estimate_unbiased():
    gradient = jax.grad(lambda logit: 8.0 * jax.nn.sigmoid(logit) + 11.3 * jax.nn.sigmoid(-logit))(0.4)
    return _coin_estimates() @ _probabilities, jnp.full(2, gradient)


@derivation.exact(
    r"\mathrm{Var}[\text{plain}] = \frac{\sigma^2}{S}\big(f_1(1-p) + f_0\,p\big)^2, \qquad"
    r" \mathrm{Var}[\text{leave-one-out}] = (f_1 - f_0)^2\Big(\frac{\mu_4}{S} - \frac{\sigma^4(S-3)}{S(S-1)}\Big)",
    because="With the baseline the estimate is (f_1 - f_0) times the unbiased sample variance of the coin, and the second "
    "formula is the textbook variance of that (mu_4 is the coin's fourth central moment, sigma^2 = p(1-p) its variance): an "
    "offset of f has dropped out. Without it the offset multiplies the noise: here the variance is 33 times larger.",
)
def leaving_one_out_forgets_the_offset():
    variance = _coin * (1 - _coin)
    fourth = variance * (1 - 3 * variance)
    of_plain = variance / 3 * (8.0 * (1 - _coin) + 11.3 * _coin) ** 2
    of_leave_one_out = 3.3**2 * fourth / 3  # S = 3: the second term is zero
    enumerated = jnp.stack([_variance(estimate, _probabilities) for estimate in _coin_estimates()])
    return enumerated, jnp.array([of_plain, of_leave_one_out])


@derivation.numeric(
    r"P\big(\arg\max_j (l_j + g_j) = k\big) = \mathrm{softmax}(l)_k",
    because="Given its own noise, k wins if every other l_j + g_j stays below: a product of Gumbel distribution functions "
    "exp(-e^-x), which integrates to the softmax. A discrete draw has become a deterministic function of uniform noise. The "
    "integral over the uniform is a trapezoid sum in its logit, which converges to the last digit.",
)
def the_gumbel_maximum_is_a_categorical_draw():
    logits = jnp.array([0.5, -1.0, 0.0, 1.3])
    t = jnp.linspace(-36.0, 36.0, 1441)
    u = jax.nn.sigmoid(t)
    own = logits + gumbel_from_uniform(u[:, None])
    margins = own[:, :, None] - logits
    others_below = jnp.prod(jnp.where(jnp.eye(4, dtype=bool), 1.0, jnp.exp(-jnp.exp(-margins))), axis=-1)
    return jnp.trapezoid(others_below * (u * jax.nn.sigmoid(-t))[:, None], t, axis=0), jax.nn.softmax(logits)


@derivation.numeric(
    r"\lim_{\tau\to0}\,\mathrm{softmax}\Big(\frac{l+g}{\tau}\Big) = \mathrm{onehot}\big(\arg\max(l+g)\big), \qquad"
    r" \lim_{\tau\to\infty} = \tfrac1K",
    because="A small temperature blows the margin of the winner up until the softmax is the maximum; a large one makes all "
    "margins vanish. In between the draw is smooth in the logits, which the maximum is not.",
)
def the_temperature_goes_from_choice_to_indifference():
    generator = np.random.default_rng(7)
    uniforms, logits = jnp.array(generator.uniform(size=(6, 3))), jnp.array(generator.normal(size=(6, 3)))
    winner = jax.nn.one_hot(jnp.argmax(logits + gumbel_from_uniform(uniforms), axis=-1), 3)
    relaxed = jnp.stack([gumbel_softmax(uniforms, logits, temperature=temperature) for temperature in (1e-4, 1e13)])
    return relaxed, jnp.stack([winner, jnp.full((6, 3), 1 / 3)])


@derivation.numeric(
    r"\int_0^1 p_{\tau,l}(y)\,dy_1 = 1 \quad\text{and}\quad \mathbb{E}_{p_{\tau,l}}[y_1^2] = \mathbb{E}_u[y_1(u)^2],"
    r" \qquad K = 2,\ \tau = \tfrac12, 1, 2",
    because="The density is that of the relaxed draw by change of variables. At small temperatures it piles up at the corners, "
    "so both integrals are taken in the logit t of y, where dy = y(1 - y) dt. For K = 2 the difference of two Gumbel "
    "variables is logistic, which gives the second moment once more, from the draw instead of the density.",
)
def the_concrete_density_is_that_of_the_draw():
    t = jnp.linspace(-80.0, 80.0, 16001)
    log_y = jnp.stack([jax.nn.log_sigmoid(t), jax.nn.log_sigmoid(-t)], axis=1)
    logits = jnp.tile(jnp.array([0.8, -0.3]), (t.size, 1))
    found, expected = [], []
    for temperature in (0.5, 1.0, 2.0):
        mass = jnp.exp(concrete_log_density(log_y, logits, temperature=temperature) + log_y.sum(axis=1))
        found += [jnp.trapezoid(mass, t), jnp.trapezoid(mass * jnp.exp(2 * log_y[:, 0]), t)]
        logistic = jax.nn.sigmoid(t) * jax.nn.sigmoid(-t)
        expected += [1.0, jnp.trapezoid(logistic * jax.nn.sigmoid((1.1 + t) / temperature) ** 2, t)]
    return jnp.stack(found), jnp.stack(expected)


@derivation.numeric(
    r"\mathbb{E}\,y_1^2 = \frac{o^2}{(o-1)^2}\Big[1 - \frac{2\log o}{o-1} + \frac1o\Big] \ne \mathrm{softmax}(l)_1,"
    r" \qquad K = 2,\ \tau = 1,\ o = e^{l_1-l_2}",
    because="The relaxed draw lies inside the simplex, where a non-linear f takes other values than at the corners: the gradient "
    "of its average is the exact gradient of the wrong objective. Here f = y^2, whose average over true draws is the "
    "probability itself. The left side averages the draws of 200 000 evenly spaced quantiles.",
    tolerance=1e-11,
)
def the_relaxation_is_biased():
    odds = math.exp(0.9)
    closed = odds**2 / (odds - 1) ** 2 * (1 - 2 * math.log(odds) / (odds - 1) + 1 / odds)
    return _mean_of_relaxed(lambda y: y**2, 0.9, 1.0), jnp.array(closed)


@derivation.bound(
    r"\big|\mathbb{E}f(y_{\tau'}) - \mathbb{E}f(b)\big| \le \big|\mathbb{E}f(y_\tau) - \mathbb{E}f(b)\big|,"
    r" \quad b\ \text{one-hot},\quad \tau' < \tau \in \{1, .3, .03\},\ f = y_1^2",
    because="As the temperature falls the draws move into the corners and the bias goes with them, while the variance of the "
    "gradient grows like 1/tau: hence the annealing. At even odds a linear f has no bias at any temperature, by symmetry.",
)
def the_bias_shrinks_with_the_temperature():
    probability = jax.nn.sigmoid(0.9)
    bias = jnp.stack([jnp.abs(_mean_of_relaxed(lambda y: y**2, 0.9, t) - probability) for t in (1.0, 0.3, 0.03)])
    even = jnp.stack([_mean_of_relaxed(lambda y: y, 0.0, t) for t in (1.0, 0.3, 0.03)])
    return bias[1:], bias[:-1], (even, jnp.full(3, 0.5))


def _gradient_of_expected_sine():
    """The gradient of E sin z = e^(-e^v/2) sin m with respect to m and v."""
    shrink = math.exp(-math.exp(_v) / 2)
    return jnp.array([shrink * math.cos(_m), -0.5 * math.exp(_v) * shrink * math.sin(_m)])


def _variance(values, probabilities):
    return probabilities @ (values - probabilities @ values) ** 2


def _variances(f, z, mean, log_var, probabilities):
    """The variances of the two one-sample estimators of d E f(z) / d mean: pathwise, then score function."""
    slope = jax.vmap(jax.grad(f))(z[:, 0])  # dz / dmean = 1
    score, _ = gaussian_score(z, mean, log_var)
    return _variance(slope, probabilities), _variance(f(z[:, 0]) * score[:, 0], probabilities)


def _mean_of_relaxed(f, logit, temperature):
    """E f(y_1) of a relaxed draw from two categories with logits (logit, 0), over 200 000 quantiles of the noise."""
    quantiles = (jnp.arange(200_000) + 0.5) / 200_000
    # The draw sees only the difference of the two Gumbel variables, which is logistic: half of it goes to either side.
    half = jnp.log(quantiles / (1 - quantiles)) / 2
    uniforms = jnp.exp(-jnp.exp(jnp.stack([-half, half], axis=1)))
    logits = jnp.tile(jnp.array([logit, 0.0]), (quantiles.size, 1))
    return jnp.mean(f(gumbel_softmax(uniforms, logits, temperature=temperature)[:, 0]))


if __name__ == "__main__":
    derivation.main()
