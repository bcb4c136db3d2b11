"""f-GAN (lecture 4): a generative model trained by minimizing a variational bound on an f-divergence.

Local names: v is the critic network's raw output on the real line, T = g_f(v) the critic's value in the domain of f*,
u = p/q the density ratio of data to model, theta the generator's parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax.nn import softplus

from theory_jax.arguments import require, require_rank, require_same_shape
from theory_jax.derivation import Derivation
from theory_jax.elementary import expm1
from theory_jax.foundations._generators import ALL, row_of
from theory_jax.foundations.f_divergence import f_divergence, f_generator_derivative
from theory_jax.foundations.fenchel_conjugate import fenchel_conjugate, fenchel_conjugate_derivative, output_activation
from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence


def f_gan_critic_loss(v_real, v_fake, *, divergence, alpha=None):
    r"""f*(g_f(v_fake)) - g_f(v_real): what the critic minimizes; minus its mean is a lower bound on D_f(data || model).

    Raises ValueError if the shapes differ, or for an unknown divergence or an alpha it does not take.
    Source: Nowozin, Cseke & Tomioka 2016, eq. 6.
    [B], [B] -> [B]
    """
    require_rank(1, v_real=v_real)
    require_same_shape(v_real=v_real, v_fake=v_fake)
    value_real = output_activation(v_real, divergence=divergence, alpha=alpha)
    return row_of(_COMPOSED, divergence, alpha).conjugate(v_fake) - value_real


def f_gan_generator_loss(v_fake, *, divergence, alpha=None):
    r"""-f*(g_f(v_fake)): the generator's side of the same game, which saturates where the critic is sure of a fake.

    Raises ValueError for an unknown divergence or an alpha it does not take.  Source: Nowozin et al. 2016, eq. 6.
    [B] -> [B]
    """
    require_rank(1, v_fake=v_fake)
    return -row_of(_COMPOSED, divergence, alpha).conjugate(v_fake)


def f_gan_alternative_generator_loss(v_fake, *, divergence, alpha=None):
    r"""-g_f(v_fake): make the critic's value of a fake large, as if it were data. Not the game's own loss, but it moves.

    Raises ValueError for an unknown divergence or an alpha it does not take.  Source: Nowozin et al. 2016, section 3.2.
    [B] -> [B]
    """
    require_rank(1, v_fake=v_fake)
    return -output_activation(v_fake, divergence=divergence, alpha=alpha)


def location_scale_generator(z, location, log_scale):
    r"""G(z) = location + e^log_scale z: from standard normal noise, exactly the Gaussians.

    Raises ValueError if location or log_scale is not a scalar.  Source: Nowozin et al. 2016, section 2.
    [B], [], [] -> [B]
    """
    require_rank(1, z=z)
    require_rank(0, location=location, log_scale=log_scale)
    return location + jnp.exp(log_scale) * z


def quadratic_critic(x, coefficients):
    r"""V(x) = c_0 + c_1 x + c_2 x^2: rich enough to hold the log-ratio of any two Gaussians.

    Raises ValueError unless there are three coefficients.  Source: Nowozin et al. 2016, section 2.
    [B], [3] -> [B]
    """
    require_rank(1, x=x, coefficients=coefficients)
    require(coefficients.shape[0] == 3, f"coefficients has {coefficients.shape[0]} entries; it must have 3: c_0, c_1, c_2")
    return jnp.vander(x, 3, increasing=True) @ coefficients


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Composed:
    """f* after g_f, composed on paper: in floating point, f* would be asked to restore the digits that g_f has rounded off."""

    conjugate: Callable  # f*(g_f(v))


def _log_softplus(x):
    """log log(1 + e^x), also where e^x underflows: below -18, log(1 + e^x) = e^x (1 - e^x/2 + ...) to the last bit."""
    tail = x < -18
    far, near = jnp.where(tail, x, -18.0), jnp.where(tail, 0.0, x)
    return jnp.where(tail, far - jnp.exp(far) / 2, jnp.log(softplus(near)))


def _log_half_one_plus_exp(v):
    """log((1 + e^v) / 2), to full relative accuracy at v = 0, where it vanishes, and on the left, where its slope does."""
    left = v < 0
    return jnp.where(left, 0.0, v) + jnp.log1p(expm1(jnp.where(left, v, -v)) / 2)


def _alpha_composed(alpha):
    if alpha > 1:
        return _Composed(partial(fenchel_conjugate, divergence="alpha", alpha=alpha))
    # (s^(alpha/(alpha-1)) - 1)/alpha, where s = 1 + (alpha-1) g_f(v) comes down to (1-alpha) softplus(-v)
    power = alpha / (alpha - 1)
    return _Composed(lambda v: expm1(power * (math.log(1 - alpha) + _log_softplus(-v))) / alpha)


_COMPOSED = {
    "total_variation": _Composed(partial(output_activation, divergence="total_variation")),  # f*(t) = t where t >= -1/2
    "kl": _Composed(partial(fenchel_conjugate, divergence="kl")),  # here and below, g_f is the identity
    "reverse_kl": _Composed(lambda v: v - 1),
    "pearson_chi_squared": _Composed(partial(fenchel_conjugate, divergence="pearson_chi_squared")),
    "neyman_chi_squared": _Composed(lambda v: -2 * expm1(-v / 2)),
    "squared_hellinger": _Composed(expm1),
    "jeffreys": _Composed(partial(fenchel_conjugate, divergence="jeffreys")),
    "jensen_shannon": _Composed(lambda v: _log_half_one_plus_exp(v) / 2),
    "gan": _Composed(softplus),
    "alpha": _alpha_composed,
}


derivation = Derivation(
    title="f-GAN: generation by minimizing a variational divergence",
    lectures=(4,),
    sources=(
        "Nowozin, Cseke & Tomioka 2016, eqs. 6-7, tables 2 and 6, section 3.2",
        "Goodfellow et al. 2014, Generative Adversarial Nets, eq. 1",
    ),
)

_random = np.random.default_rng(4)
_log_p, _log_q = (jax.nn.log_softmax(jnp.array(_random.normal(size=5))) for _ in range(2))
_nodes, _weights = np.polynomial.hermite_e.hermegauss(40)  # integrates polynomials of degree 79 against the standard normal
_z, _z_weights = jnp.array(_nodes), jnp.array(_weights / _weights.sum())


def _game_value(log_p, log_q, v, divergence, alpha=None):
    """F = E_p g_f(v) - E_q f*(g_f(v)) over a finite space, from the critic's loss on every pair (data point, model point)."""
    real, fake = (a.ravel() for a in jnp.meshgrid(v, v, indexing="ij"))
    losses = f_gan_critic_loss(real, fake, divergence=divergence, alpha=alpha).reshape(v.size, v.size)
    return -jnp.exp(log_p) @ losses @ jnp.exp(log_q)


def _solve_activation(value, divergence, alpha=None):
    """The v with g_f(v) = value, by bisection: g_f is non-decreasing, whatever it is."""
    low, high = jnp.full_like(value, -700.0), jnp.full_like(value, 700.0)
    for _ in range(80):
        middle = (low + high) / 2
        below = output_activation(middle, divergence=divergence, alpha=alpha) < value
        low, high = jnp.where(below, middle, low), jnp.where(below, high, middle)
    return (low + high) / 2


@derivation.exact(
    r"\sup_{V: \mathcal{X} \to \mathbb{R}}\ E_p\, g_f(V) - E_q\, f^*(g_f(V)) = D_f(p \,\|\, q)",
    because="g_f maps the real line onto the interior of the domain of f*, so the optimal critic T = f'(p/q) is g_f(V) for "
    "some V: a network with an unbounded output and g_f on top can reach it. The output map makes every critic admissible and "
    "loses nothing. (For total variation, T = +-1/2 lies on the border and V runs off towards infinity; the supremum is the "
    "same.)",
)
def the_output_map_loses_nothing():
    values, divergences = [], []
    for divergence, alpha in ALL:
        best = f_generator_derivative(_log_p - _log_q, divergence=divergence, alpha=alpha)
        v = _solve_activation(best, divergence, alpha)
        values.append(_game_value(_log_p, _log_q, v, divergence, alpha))
        divergences.append(f_divergence(_log_p[None], _log_q[None], divergence=divergence, alpha=alpha)[0])
    return jnp.array(values), jnp.array(divergences)


@derivation.symbolic(
    r"g_{\mathrm{gan}}(v) = \log\sigma(v), \qquad -f^*_{\mathrm{gan}}(g_{\mathrm{gan}}(v)) = \log(1 - \sigma(v))",
    because="The conjugate of the gan row is f*(t) = -log(1 - e^t). With t = log sigma(v) it becomes -log(1 - sigma(v)), and "
    "the value of the game is E_p log D + E_q log(1 - D) with D = sigma(V): the original adversarial game is the f-GAN of this "
    "row.",
)
def the_gan_row_is_the_original_game():
    v, t = sympy.symbols("v t", real=True)
    sigma = 1 / (1 + sympy.exp(-v))
    activation, composed = -sympy.log(1 + sympy.exp(-v)), sympy.log(1 + sympy.exp(v))
    conjugate = -sympy.log(1 - sympy.exp(t))
    return [activation, -composed], [sympy.log(sigma), sympy.logcombine(-conjugate.subs(t, sympy.log(sigma)))]


@derivation.numeric(
    r"\ell_{\mathrm{critic}}(v_p, v_q) = -\log\sigma(v_p) - \log(1 - \sigma(v_q))",
    because="Hence the critic's loss is the binary cross entropy of a classifier that calls data 1 and fakes 0, and v is its "
    "logit.",
)
def the_critic_is_a_classifier():
    v_real, v_fake = jnp.linspace(-3.0, 4.0, 9), jnp.linspace(5.0, -6.0, 9)
    cross_entropy = -jnp.log(jax.nn.sigmoid(v_real)) - jnp.log(1 - jax.nn.sigmoid(v_fake))
    return f_gan_critic_loss(v_real, v_fake, divergence="gan"), cross_entropy


@derivation.autodiff(
    r"\nabla_\theta D_f(p \,\|\, q_\theta) = \nabla_\theta F(\theta, T) \big|_{T = f'(p/q_\theta)\ \text{held fixed}}",
    because="D_f(theta) = sup_T F(theta, T). Moving theta moves the maximizer, but F is flat there in T, so to first order "
    "only the direct dependence counts (the envelope theorem). This is what licenses the two-player training loop: with a "
    "perfect critic, the generator's gradient through the frozen critic is the gradient of the divergence itself.",
)
def a_perfect_critic_gives_the_divergence_gradient():
    logits = jnp.array([0.4, -0.7, 1.1, 0.2, -0.3])

    def divergence_of(theta, divergence):
        return f_divergence(_log_p[None], jax.nn.log_softmax(theta)[None], divergence=divergence)[0]

    def value_with_fixed_critic(theta, v, divergence):
        return _game_value(_log_p, jax.nn.log_softmax(theta), v, divergence)

    left, right = [], []
    for divergence in ("kl", "gan", "squared_hellinger"):
        best = f_generator_derivative(_log_p - jax.nn.log_softmax(logits), divergence=divergence)
        v = _solve_activation(best, divergence)
        left.append(jax.grad(divergence_of)(logits, divergence))
        right.append(jax.grad(value_with_fixed_critic)(logits, v, divergence))
    return jnp.stack(left), jnp.stack(right)


def _critic_objective(coefficients, theta, data, divergence):
    """The critic's expected loss in the game of one-dimensional Gaussians, by quadrature; theta and data: location, log-scale."""
    v_real = quadratic_critic(location_scale_generator(_z, *data), coefficients)
    v_fake = quadratic_critic(location_scale_generator(_z, *theta), coefficients)
    return _z_weights @ f_gan_critic_loss(v_real, v_fake, divergence=divergence)


def _generator_objective(theta, coefficients, divergence):
    v_fake = quadratic_critic(location_scale_generator(_z, *theta), coefficients)
    return _z_weights @ f_gan_generator_loss(v_fake, divergence=divergence)


@derivation.numeric(
    r"F(\theta, c^\circ) = \mathrm{KL}(\mathcal{N}(m, s^2) \,\|\, \mathcal{N}(m_\theta, s_\theta^2)),"
    r"\quad c^\circ_0 + c^\circ_1 x + c^\circ_2 x^2 = 1 + \log\tfrac{p}{q_\theta}(x)",
    because="The logarithm of a Gaussian density is a quadratic, and so is the difference of two. The critic class {c_0 + c_1 "
    "x + c_2 x^2} therefore holds the optimal critic 1 + log p/q, and the bound is tight: nothing is lost to the class.",
)
def the_quadratic_critic_is_exact_for_gaussians():
    location, log_scale, fake_location, fake_log_scale = 0.4, -0.2, -0.3, 0.1
    precision, fake_precision = jnp.exp(-2 * log_scale), jnp.exp(-2 * fake_log_scale)
    optimal = jnp.array(
        [
            1 + fake_log_scale - log_scale + (fake_precision * fake_location**2 - precision * location**2) / 2,
            precision * location - fake_precision * fake_location,
            (fake_precision - precision) / 2,
        ]
    )
    value = -_critic_objective(optimal, (fake_location, fake_log_scale), (location, log_scale), "kl")
    moments = (jnp.full((1, 1), a) for a in (location, 2 * log_scale, fake_location, 2 * fake_log_scale))
    return value, gaussian_kl_divergence(*moments)[0]


@derivation.autodiff(
    r"\nabla_c F = 0 \quad\text{and}\quad \nabla_\theta F = 0 \quad\text{at}\quad q_\theta = p,\ c = (f'(1), 0, 0)",
    because="With q = p the optimal critic is the constant f'(1): the critic can gain nothing, since data and fakes are the "
    "same; and a constant critic pushes no sample anywhere. Both players rest.",
)
def matching_parameters_are_a_stationary_point():
    matched, constant = jnp.array([0.4, -0.2]), jnp.array([1.0, 0.0, 0.0])
    of_critic = jax.grad(_critic_objective)(constant, matched, matched, "kl")
    of_generator = jax.grad(_generator_objective)(matched, constant, "kl")
    return jnp.concatenate([of_critic, of_generator]), jnp.zeros(5)


@derivation.numeric(
    r"\frac{d}{dv}\bigl[-f^*(g_f(v))\bigr] = \hat u(v)\,\frac{d}{dv}\bigl[-g_f(v)\bigr], \qquad \hat u(v) = (f^*)'(g_f(v))",
    because="The chain rule. Since (f*)' inverts f', u_hat is the critic's estimate of p/q: the consistent loss weighs each "
    "fake by how likely the critic finds it to be data, the alternative loss weighs all of them alike. They agree where u_hat "
    "= 1, that is when the model is right. (Total variation is left out: there f* is a line with u_hat = 1 throughout.)",
    tolerance=1e-9,  # central differences with a step of 1e-5
)
def the_two_generator_losses_differ_by_the_estimated_ratio():
    v, h = jnp.linspace(-2.2, 2.0, 8), 1e-5
    left, right = [], []
    for divergence, alpha in ALL[1:]:
        row = {"divergence": divergence, "alpha": alpha}
        ratio = fenchel_conjugate_derivative(output_activation(v, **row), **row)
        left.append((f_gan_generator_loss(v + h, **row) - f_gan_generator_loss(v - h, **row)) / (2 * h))
        alternative = f_gan_alternative_generator_loss(v + h, **row) - f_gan_alternative_generator_loss(v - h, **row)
        right.append(ratio * alternative / (2 * h))
    return jnp.stack(left), jnp.stack(right)


@derivation.autodiff(
    r"\lim_{v \to -\infty} \frac{d}{dv}\bigl[-f^*(g_{\mathrm{gan}}(v))\bigr] = 0, \qquad"
    r"\lim_{v \to -\infty} \frac{d}{dv}\bigl[-g_{\mathrm{gan}}(v)\bigr] = -1",
    because="The slopes are -sigma(v) and -sigma(-v). Early in training the critic is sure of every fake, v is very negative, "
    "and the consistent loss gives no gradient just where it is needed most; the alternative loss pulls with full strength.",
)
def the_consistent_loss_saturates_and_the_alternative_does_not():
    v = jnp.array([-30.0, -35.0, -50.0])
    saturating = jax.grad(lambda a: f_gan_generator_loss(a, divergence="gan").sum())(v)
    alternative = jax.grad(lambda a: f_gan_alternative_generator_loss(a, divergence="gan").sum())(v)
    return jnp.stack([saturating, alternative]), jnp.array([[0.0] * 3, [-1.0] * 3])


@derivation.numeric(
    r"(c, \theta) \leftarrow (c, \theta) - \eta\,(\nabla_c \ell_{\mathrm{critic}}, \nabla_\theta \ell_{\mathrm{generator}})"
    r" \quad\longrightarrow\quad q_\theta = p",
    because="Two players share no potential, so descent need not settle: with f* a line the steps would spiral outwards. In "
    "the game of Gaussians the curvature of f* damps the rotation, and simultaneous gradient steps spiral into the data's "
    "location and log-scale, for gan and for kl.",
    tolerance=1e-4,
    since="it is an iteration of 60 000 steps; what it must show is where it tends to",
)
def simultaneous_steps_find_the_data():
    data = jnp.array([0.7, 0.26])

    def play(divergence, coefficients):
        def step(_, state):
            c, theta = state
            critic_gradient = jax.grad(_critic_objective)(c, theta, data, divergence)
            return c - 0.05 * critic_gradient, theta - 0.05 * jax.grad(_generator_objective)(theta, c, divergence)

        return jax.lax.fori_loop(0, 60_000, step, (coefficients, jnp.zeros(2)))[1]

    found = [jax.jit(play, static_argnums=0)(name, jnp.array([start, 0.0, 0.0])) for name, start in (("gan", 0.0), ("kl", 1.0))]
    return jnp.stack(found), jnp.stack([data, data])


if __name__ == "__main__":
    derivation.main()
