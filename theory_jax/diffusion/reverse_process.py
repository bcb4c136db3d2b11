"""The reverse process: where x_(t-1) lies, given x_t and the data or a prediction of the noise, and how far it scatters.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from theory_jax.arguments import require, require_same_shape, require_timesteps, widened
from theory_jax.derivation import Derivation
from theory_jax.diffusion._arguments import require_signal, require_variance
from theory_jax.diffusion.forward_process import forward_log_prob, forward_sample, forward_step
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar, linear_alpha_bar
from theory_jax.levels import beta_at, level_at, per_example, share_of_noise


def posterior_mean(x0, x_t, t, alpha_bar):
    r"""Mean of q(x_(t-1) | x_t, x_0): sqrt(a_(t-1)) beta_t/(1 - a_t) x_0 + sqrt(1 - beta_t) (1 - a_(t-1))/(1 - a_t) x_t.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 7.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, x_t=x_t)
    require_timesteps(alpha_bar, x_t, t=t)
    t = widened(t)
    a_t, a_prev = level_at(t, alpha_bar), level_at(t - 1, alpha_bar)
    share = share_of_noise(t, alpha_bar)  # what of x_t's noise was there a step before; beta_t/(1 - a_t) is a step's own share
    own = beta_at(t, alpha_bar) / (1 - a_t)
    return per_example(jnp.sqrt(a_prev) * own, x0) * x0 + per_example(jnp.sqrt(a_t / a_prev) * share, x_t) * x_t


def posterior_log_variance(t, alpha_bar):
    r"""log beta~_t, beta~_t = (1 - a_(t-1))/(1 - a_t) beta_t: of q(x_(t-1) | x_t, x_0), in each dimension; -inf at t = 1.

    Raises ValueError if t is not an integer in 1..T, or alpha_bar is no schedule.  Source: Ho et al. 2020, eq. 7.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    t = widened(t)
    first = t == 1
    share = jnp.where(first, 1.0, share_of_noise(t, alpha_bar))  # no slope of log 0 gets into what stands at t = 1
    return jnp.where(first, -jnp.inf, jnp.log(beta_at(t, alpha_bar)) + jnp.log(share))


def reverse_log_variance(t, alpha_bar, *, variance="large"):
    r"""log sigma_t^2 of the model's step, one of two fixed choices: "large" log beta_t, "small" log beta~_max(t, 2).

    beta~_1 is zero, so "small" takes the next one at t = 1: finite, as the decoder of the data needs it.
    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, variance is neither of the two, or it is "small"
    for a schedule of one step.  Source: Ho et al. 2020, section 3.2.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    require_variance(variance)
    if variance == "large":
        return jnp.log(beta_at(t, alpha_bar))
    _require_two_steps(alpha_bar)
    return posterior_log_variance(jnp.maximum(widened(t), 2), alpha_bar)


def reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar):
    r"""(x_t - beta_t/sqrt(1 - a_t) noise_pred)/sqrt(1 - beta_t): the posterior mean at the data that the predicted noise implies.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, or a_t = 0: where no signal is
    left, the noise does not tell the data.  Source: Ho et al. 2020, eq. 11.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise_pred=noise_pred)
    require_timesteps(alpha_bar, x_t, t=t)
    t = widened(t)
    a_t = level_at(t, alpha_bar)
    require_signal("alpha_bar[t]", a_t)
    root_kept = jnp.sqrt(a_t / level_at(t - 1, alpha_bar))
    removed = per_example(beta_at(t, alpha_bar) / jnp.sqrt(1 - a_t), noise_pred) * noise_pred
    return (x_t - removed) / per_example(root_kept, x_t)


def interpolated_log_variance(v, t, alpha_bar):
    r"""w log beta_t + (1 - w) log beta~_max(t, 2), w = (v + 1)/2: a learned variance between the two fixed ones, and beyond.

    v = -1 is the small one, v = 1 the large one; v is not clipped.
    Raises ValueError if t is not an integer in 1..T for each example, or alpha_bar is no schedule of at least two steps.
    Source: Nichol & Dhariwal 2021, eq. 15.
    [B, ...], [B], [T+1] -> [B, ...]
    """
    require_timesteps(alpha_bar, v, t=t)
    _require_two_steps(alpha_bar)
    w = (v + 1) / 2
    large = reverse_log_variance(t, alpha_bar, variance="large")
    small = reverse_log_variance(t, alpha_bar, variance="small")
    return w * per_example(large, v) + (1 - w) * per_example(small, v)


def _require_two_steps(alpha_bar):
    require(jnp.shape(alpha_bar)[0] >= 3, "alpha_bar has one step; the small variance, beta~_2, needs two")


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="The reverse process: one step back is a Gaussian, almost",
    lectures=(25,),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, eq. 6, 7 and 11",
        "Sohl-Dickstein, Weiss, Maheswaranathan & Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, eq. 15",
    ),
)

# b is a_(t-1); a_t is b (1 - beta)
_B, _BETA = sp.symbols("b beta", positive=True)
_A = _B * (1 - _BETA)
_X0, _XT, _X = sp.symbols("x_0 x_t x", real=True)
_LOG_JOINT = -((_XT - sp.sqrt(1 - _BETA) * _X) ** 2) / (2 * _BETA) - (_X - sp.sqrt(_B) * _X0) ** 2 / (2 * (1 - _B))
_TILDE = (1 - _B) / (1 - _A) * _BETA
_MEAN = sp.sqrt(_B) * _BETA / (1 - _A) * _X0 + sp.sqrt(1 - _BETA) * (1 - _B) / (1 - _A) * _XT


@derivation.symbolic(
    r"\frac{\partial^2}{\partial x_{t-1}^2} \big[ \log q(x_t \mid x_{t-1}) + \log q(x_{t-1} \mid x_0) \big] ="
    r" -\frac{1}{\tilde{\beta}_t}, \qquad \tilde{\beta}_t = \frac{1 - \bar{\alpha}_{t-1}}{1 - \bar{\alpha}_t} \beta_t",
    because="By Bayes' rule the posterior of x_{t-1} is proportional to both densities, each a quadratic in x_{t-1}: so it is "
    "Gaussian, and its precision is the sum of the two, (1 - beta)/beta + 1/(1 - a_{t-1}).",
)
def the_posteriors_precision():
    return sp.diff(_LOG_JOINT, _X, 2), -1 / _TILDE


@derivation.symbolic(
    r"\frac{\partial}{\partial x_{t-1}} \big[ \cdots \big] = 0 \;\Leftrightarrow\; x_{t-1} ="
    r" \frac{\sqrt{\bar{\alpha}_{t-1}}\, \beta_t}{1 - \bar{\alpha}_t} x_0 +"
    r" \frac{\sqrt{1 - \beta_t}\, (1 - \bar{\alpha}_{t-1})}{1 - \bar{\alpha}_t} x_t = \tilde{\mu}_t(x_0, x_t)",
    because="The mean of a Gaussian is where its log-density is stationary. It lies between where the data and where the noisy "
    "value pull, each weighted by its precision.",
)
def the_posteriors_mean():
    (stationary,) = sp.solve(sp.diff(_LOG_JOINT, _X), _X)
    return stationary, _MEAN


@derivation.autodiff(
    r"\nabla_{x_{t-1}} \big[ \cdots \big]_{\tilde{\mu}_t} = 0, \qquad"
    r" \nabla^2_{x_{t-1}} \big[ \cdots \big] = -\tilde{\beta}_t^{-1} \qquad (t = 2 .. T)",
    because="The same of the code: the slope and the curvature of the forward densities, at the mean and variance it returns. At "
    "t = 1 there is nothing left to be uncertain about: a_0 = 1, the variance is zero and the mean is x_0.",
)
def the_codes_posterior():
    alpha_bar, t = cosine_alpha_bar(num_steps=8), np.arange(2, 9)
    x0, x_t = jax.random.normal(jax.random.key(0), (2, 7), dtype=float)

    def log_joint(x):
        return jnp.sum(forward_log_prob(x_t, x, t - 1, t, alpha_bar) + forward_log_prob(x, x0, 0 * t, t - 1, alpha_bar))

    mean = posterior_mean(x0, x_t, t, alpha_bar)
    variance = jnp.exp(posterior_log_variance(t, alpha_bar))
    # scaled to the spread itself: a slope of a thousand over a spread of a thousandth is one of one
    slope = jax.grad(log_joint)(mean) * jnp.sqrt(variance)
    curvature = jnp.diag(jax.hessian(log_joint)(mean)) * variance
    return jnp.concatenate([slope, curvature]), jnp.concatenate([jnp.zeros(7), -jnp.ones(7)])


@derivation.symbolic(
    r"x_0 = \frac{x_t - \sqrt{1 - \bar{\alpha}_t}\, \epsilon}{\sqrt{\bar{\alpha}_t}} \;\Rightarrow\; \tilde{\mu}_t ="
    r" \frac{1}{\sqrt{1 - \beta_t}} \Big( x_t - \frac{\beta_t}{\sqrt{1 - \bar{\alpha}_t}} \epsilon \Big)",
    because="Given x_t, to know the data and to know the noise is the same. Written with the noise, the step takes away a little "
    "of it and scales up what remains: a network that predicts the noise is all that is missing.",
)
def the_mean_from_the_noise():
    noise = sp.symbols("epsilon", real=True)
    data = (_XT - sp.sqrt(1 - _A) * noise) / sp.sqrt(_A)
    return _MEAN.subs(_X0, data), (_XT - _BETA / sp.sqrt(1 - _A) * noise) / sp.sqrt(1 - _BETA)


@derivation.numeric(
    r"\tilde{\mu}_t\big(x_0(x_t, \epsilon), x_t\big) = \mu_t(x_t, \epsilon) \qquad (t = 1 .. T)",
    because="The two functions of the code, at every step of a cosine schedule: one is handed the data and the noisy value made "
    "of it, the other the noisy value and the noise.",
)
def both_means_agree():
    alpha_bar, t = cosine_alpha_bar(num_steps=8), np.arange(1, 9)
    x0, noise = jax.random.normal(jax.random.key(1), (2, 8, 3), dtype=float)
    x_t = forward_sample(x0, t, noise, alpha_bar)
    return posterior_mean(x0, x_t, t, alpha_bar), reverse_mean_from_noise(x_t, noise, t, alpha_bar)


@derivation.symbolic(
    r"\frac{\tilde{\beta}_t}{\beta_t} = \frac{1 - \bar{\alpha}_{t-1}}{1 - \bar{\alpha}_t} ="
    r" 1 - \frac{\bar{\alpha}_{t-1} \beta_t}{1 - \bar{\alpha}_t} \le 1",
    because="Knowing x_0 cannot make x_{t-1} less certain. What it takes off the variance is everything at t = 1, and next to "
    "nothing late in the chain, where x_t says little about x_0 either way.",
)
def the_ratio_of_the_two_variances():
    return _TILDE / _BETA, 1 - _B * _BETA / (1 - _A)


@derivation.bound(
    r"\log \tilde{\beta}_t \;\le\; \log \beta_t \qquad (t = 2 .. T)",
    because="For the linear and for the cosine schedule, from the code. They meet where the level before the step is already "
    "zero: then x_0 says nothing about x_{t-1}.",
)
def the_smaller_and_the_larger():
    t = np.arange(2, 51)
    schedules = (linear_alpha_bar(num_steps=50, beta_start=0.002, beta_end=0.4), cosine_alpha_bar(num_steps=50))
    small = jnp.stack([posterior_log_variance(t, schedule) for schedule in schedules])
    large = jnp.stack([reverse_log_variance(t, schedule) for schedule in schedules])
    drowned, last = jnp.array([1.0, 0.5, 1e-14, 1e-15]), np.array([3])
    return small, large, (posterior_log_variance(last, drowned), reverse_log_variance(last, drowned))


@derivation.symbolic(
    r"x_0 \sim \mathcal{N}(0, c): \quad \mathrm{Var}(x_{t-1} \mid x_t) ="
    r" \frac{V \beta_t}{(1 - \beta_t) V + \beta_t}, \; V = 1 - \bar{\alpha}_{t-1} (1 - c); \quad"
    r" \mathrm{Var} = \tilde{\beta}_t \text{ at } c = 0, \; \beta_t \text{ at } c = 1",
    because="For Gaussian data the true step back is Gaussian, and its variance follows from those of x_{t-1} and of the noise "
    "added to it. Data without variance are a known x_0; data of variance one never change their law, and a step back looks "
    "like a step forward.",
)
def the_two_variances_are_the_extremes():
    c = sp.symbols("c", nonnegative=True)
    total = 1 - _B * (1 - c)
    variance = total * _BETA / ((1 - _BETA) * total + _BETA)
    return [variance.subs(c, 0), variance.subs(c, 1)], [_TILDE, _BETA]


def _variance_back(c, t, alpha_bar):
    """Var(x_(t-1) | x_t) for data of variance c, by conditioning the joint Gaussian of both, [2, 2] for each t."""
    zero, one = jnp.zeros(t.shape), jnp.ones(t.shape)
    # each of the three sources, with the coefficient that the code gives it in x_(t-1) and in x_t
    sources = ((math.sqrt(c) * one, zero, zero), (zero, one, zero), (zero, zero, one))
    covariance = 0.0
    for data, early, late in sources:
        before = forward_sample(data, t - 1, early, alpha_bar)
        pair = jnp.stack([before, forward_step(before, t, late, alpha_bar)])
        covariance = covariance + pair[:, None] * pair[None]
    return covariance[0, 0] - covariance[0, 1] ** 2 / covariance[1, 1]


@derivation.bound(
    r"0 \le c \le c' \le 1: \quad \tilde{\beta}_t \le \mathrm{Var}_c(x_{t-1} \mid x_t) \le \mathrm{Var}_{c'}(x_{t-1} \mid x_t)"
    r" \le \beta_t",
    because="In between the variance grows with that of the data: the more the data vary, the less is known about x_{t-1}. So "
    "the two fixed choices enclose the truth for data of variance between 0 and 1, and a learned variance is looked for between "
    "them.",
)
def between_the_extremes_it_rises():
    alpha_bar, t = cosine_alpha_bar(num_steps=8), np.arange(2, 9)
    small, large = jnp.exp(posterior_log_variance(t, alpha_bar)), jnp.exp(reverse_log_variance(t, alpha_bar))
    rising = jnp.stack([small] + [_variance_back(c, t, alpha_bar) for c in (0.01, 0.2, 0.5, 0.9)] + [large])
    ends = jnp.stack([_variance_back(0.0, t, alpha_bar), _variance_back(1.0, t, alpha_bar)])
    return rising[:-1], rising[1:], (ends, jnp.stack([small, large]))


def _log_mixture(x, level):
    """log q(x) after the data -1 and 1, each with probability 1/2, were taken to the level a: two humps of variance 1 - a."""
    humps = [-((x - sign * math.sqrt(level)) ** 2) / (2 * (1 - level)) for sign in (-1, 1)]
    return jnp.logaddexp(*humps) - math.log(2) - math.log(2 * math.pi * (1 - level)) / 2


def _distance_from_gaussian(beta, x_t, level):
    """KL(true step back || Gaussian of its mean and variance) for that data, by Bayes' rule on a grid; nats."""
    x = x_t / math.sqrt(1 - beta) + jnp.linspace(-14, 14, 8001) * math.sqrt(beta)
    twos = np.full(x.size, 2)
    schedule = jnp.array([1.0, level, level * (1 - beta)])
    log_joint = _log_mixture(x, level) + forward_log_prob(jnp.full(x.size, x_t), x, twos - 1, twos, schedule)
    log_density = log_joint - jax.nn.logsumexp(log_joint)
    density = jnp.exp(log_density)
    mean = density @ x
    log_gaussian = -((x - mean) ** 2) / (2 * (density @ (x - mean) ** 2))
    return density @ (log_density - log_gaussian) + jax.nn.logsumexp(log_gaussian)


@derivation.bound(
    r"\beta' < \beta: \quad \mathrm{KL}_{\beta'} < \mathrm{KL}_\beta, \qquad"
    r" \mathrm{KL}_\beta = \mathrm{KL}\big(q(x_{t-1} \mid x_t) \,\|\, \text{Gaussian}\big) \to"
    r" \frac{\beta^3}{12} \Big( \frac{d^3 \log q(x_{t-1})}{d x_{t-1}^3} \Big)^2",
    tolerance=1e-5,
    since="the limit is extrapolated from beta = 4e-4 and 2e-4, which leaves terms of order beta^2",
    because="Without x_0 the step back is q(x_{t-1}) times a Gaussian bump of variance beta. The smaller beta, the less log q "
    "differs from a parabola across the bump. The third derivative is the first to be noticed, as a skewness of beta^(3/2) times "
    "it, and a twelfth of a small skewness squared is the divergence. So a chain of many small steps may be undone by Gaussian "
    "steps, whatever the data; a single large one may not. Here the data are two points.",
)
def small_steps_back_are_gaussian():
    level, x_t = 0.75, 0.3
    distances = jnp.log(jnp.stack([_distance_from_gaussian(beta, x_t, level) for beta in (0.5, 0.1, 0.02, 0.004)]))
    # KL / beta^3 = c + d beta + ...: two of them tell c
    coarse, fine = (_distance_from_gaussian(beta, x_t, level) / beta**3 for beta in (4e-4, 2e-4))
    third = jax.grad(jax.grad(jax.grad(_log_mixture)))(x_t, level)
    return distances[1:], distances[:-1], (2 * fine - coarse, third**2 / 12)


if __name__ == "__main__":
    derivation.main()
