"""The forward process: noise added step by step, in one jump from the data, or in one jump from anywhere to anywhere.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp
from scipy import stats
from scipy.integrate import simpson

from theory_jax.arguments import require_same_shape, require_timesteps, require_values, widened
from theory_jax.derivation import Derivation
from theory_jax.diffusion._schedules import STEPS, schedule
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.levels import beta_at, level_at, log_rest, per_example, sum_each


def forward_step(x_prev, t, noise, alpha_bar):
    r"""x_t = sqrt(1 - beta_t) x_(t-1) + sqrt(beta_t) noise, with beta_t = 1 - a_t/a_(t-1).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 2.
    [B, ...], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x_prev=x_prev, noise=noise)
    require_timesteps(alpha_bar, x_prev, t=t)
    t = widened(t)
    kept = level_at(t, alpha_bar) / level_at(t - 1, alpha_bar)
    return per_example(jnp.sqrt(kept), x_prev) * x_prev + per_example(jnp.sqrt(beta_at(t, alpha_bar)), noise) * noise


def forward_sample(x0, t, noise, alpha_bar):
    r"""x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise: t steps at once; x_0 itself at t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 0..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4.
    [B, ...], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_timesteps(alpha_bar, x0, lowest=0, t=t)
    a = level_at(t, alpha_bar)
    return per_example(jnp.sqrt(a), x0) * x0 + per_example(jnp.sqrt(1 - a), noise) * noise


def forward_from(x_s, s, t, noise, alpha_bar):
    r"""x_t = sqrt(r) x_s + sqrt(1 - r) noise, r = a_t/a_s: the steps s+1..t at once; x_s itself where s = t.

    Raises ValueError if the shapes differ, s or t is not an integer in 0..T, s > t, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4, started at s; Kingma et al. 2021, appendix A.
    [B, ...], [B], [B], [B, ...], [T+1] -> [B, ...]
    """
    require_same_shape(x_s=x_s, noise=noise)
    require_timesteps(alpha_bar, x_s, lowest=0, s=s, t=t)
    require_values("s", s, lambda s: s <= t, "at most t: noise is not taken away")
    r, rest = _ratio(s, t, alpha_bar)
    return per_example(jnp.sqrt(r), x_s) * x_s + per_example(jnp.sqrt(rest), noise) * noise


def forward_marginal(x0, t, alpha_bar):
    r"""Mean sqrt(a_t) x_0 and log-variance log(1 - a_t) of q(x_t | x_0); the log-variance is -inf at t = 0.

    Raises ValueError if t is not an integer in 0..T for each example, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 4.
    [B, ...], [B], [T+1] -> [B, ...], [B]
    """
    require_timesteps(alpha_bar, x0, lowest=0, t=t)
    a = level_at(t, alpha_bar)
    return per_example(jnp.sqrt(a), x0) * x0, log_rest(a).astype(x0.dtype)


def forward_log_prob(x_t, x_s, s, t, alpha_bar):
    r"""log q(x_t | x_s) = log N(x_t; sqrt(r) x_s, (1 - r) I), r = a_t/a_s, summed over all axes but the first; nats.

    Raises ValueError if the shapes differ, s or t is not an integer in 0..T, s >= t (at s = t there is no density), or alpha_bar
    is no schedule.  Source: Ho et al. 2020, eq. 2 and 4.
    [B, ...], [B, ...], [B], [B], [T+1] -> [B]
    """
    require_same_shape(x_t=x_t, x_s=x_s)
    require_timesteps(alpha_bar, x_t, lowest=0, s=s, t=t)
    require_values("s", s, lambda s: s < t, "below t: without a step there is no density")
    r, rest = _ratio(s, t, alpha_bar)
    z = (x_t - per_example(jnp.sqrt(r), x_s) * x_s) / per_example(jnp.sqrt(rest), x_t)
    log_scale = per_example(jnp.log(rest), x_t) / 2
    return sum_each(-(z**2) / 2 - log_scale - math.log(2 * math.pi) / 2)


def _ratio(s, t, alpha_bar):
    """r = a_t/a_s and 1 - r; the constants 1 and 0 where s = t, also at the end of a schedule with a_T = 0."""
    s, t = widened(s), widened(t)
    still = s == t
    a_s = jnp.where(still, 1.0, level_at(s, alpha_bar))
    a_t = jnp.where(still, 1.0, level_at(t, alpha_bar))
    return a_t / a_s, (a_s - a_t) / a_s


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="The forward process: a Gaussian chain that can be entered anywhere",
    lectures=(24, 25),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, eq. 2 and 4",
        "Sohl-Dickstein, Weiss, Maheswaranathan & Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
        "Kingma, Salimans, Poole & Ho 2021, Variational Diffusion Models, appendix A",
    ),
)


def _squared_coefficients(function, *times):
    """What a jump keeps and adds of variance: the squares of its images of x = 1 without noise, and of noise 1 without x."""
    one, zero = jnp.ones(len(times[0])), jnp.zeros(len(times[0]))
    alpha_bar = schedule()
    return function(one, *times, zero, alpha_bar) ** 2, function(zero, *times, one, alpha_bar) ** 2


@derivation.symbolic(
    r"\mathrm{Var}(x_{t-1}) = 1 \;\Rightarrow\; \mathrm{Var}(x_t) = (1 - \beta_t) \cdot 1 + \beta_t = 1",
    because="The noise is independent of what it is added to, so variances add; the root of 1 - beta shrinks the past by exactly "
    "what the noise brings. Data of unit variance keep it, and the network sees inputs of one scale at every step.",
)
def a_step_keeps_unit_variance():
    beta, x, noise = sp.symbols("beta x epsilon", positive=True)
    square = sp.expand((sp.sqrt(1 - beta) * x + sp.sqrt(beta) * noise) ** 2)
    # the expectation, term by term: E x^2 = E epsilon^2 = 1, E x epsilon = 0
    moments = {(2, 0): 1, (0, 2): 1, (1, 1): 0}
    return sum(c * moments[powers] for powers, c in sp.Poly(square, x, noise).terms()), sp.Integer(1)


@derivation.numeric(
    r"\mu_t = \sqrt{1 - \beta_t}\, \mu_{t-1}, \; v_t = (1 - \beta_t) v_{t-1} + \beta_t \;\Rightarrow\;"
    r" \mu_t = \sqrt{\bar{\alpha}_t}\, x_0, \; v_t = 1 - \bar{\alpha}_t",
    because="A Gaussian stays Gaussian under a linear map with Gaussian noise, so mean and variance say everything. Followed "
    "step by step they arrive at the closed form: x_t can be drawn from x_0 in one jump, and training may pick any t at random.",
)
def twelve_steps_are_one_jump():
    alpha_bar, start = schedule(), jnp.array([[0.7, -2.0, 1.3]])
    mean, variance, path = start, 0.0, []
    for t in np.arange(1, STEPS + 1)[:, None]:
        mean = forward_step(mean, t, jnp.zeros_like(mean), alpha_bar)
        kept, added = _squared_coefficients(forward_step, t)
        variance = kept * variance + added
        path.append(jnp.append(mean, variance))
    means, log_vars = forward_marginal(jnp.repeat(start, STEPS, axis=0), np.arange(1, STEPS + 1), alpha_bar)
    return jnp.stack(path), jnp.concatenate([means, jnp.exp(log_vars)[:, None]], axis=1)


@derivation.numeric(
    r"q(x_t \mid x_0) = \int q(x_t \mid x_s)\, q(x_s \mid x_0)\, dx_s \qquad\text{(Chapman--Kolmogorov)}",
    tolerance=1e-9,
    because="Going from 0 to t passes through some x_s, so all its values are summed over. That the closed form for every pair "
    "of times agrees with this is what makes the jumps one process and not a family of unrelated Gaussians.",
)
def chapman_kolmogorov():
    alpha_bar, grid = schedule(), jnp.linspace(-12.0, 12.0, 2401)
    targets, start, (s, t) = jnp.array([-1.5, 0.2, 0.9]), 0.8, (3, 8)

    def density(x_t, x_s, s, t):
        x_t, x_s = jnp.broadcast_arrays(x_t, x_s)
        times = (np.full(x_t.size, time) for time in (s, t))
        return jnp.exp(forward_log_prob(x_t.ravel(), x_s.ravel(), *times, alpha_bar)).reshape(x_t.shape)

    through = density(targets[:, None], grid, s, t) * density(grid, start, 0, s)
    return simpson(np.asarray(through), x=np.asarray(grid)), density(targets, start, 0, t)


@derivation.numeric(
    r"q(x_t \mid x_s) = \mathcal{N}\big(\sqrt{r}\, x_s, (1 - r) I\big), \quad r = \bar{\alpha}_t / \bar{\alpha}_s",
    because="The steps before s are in x_s already and divide out. Two schedules, or two stretches of one, that lose the same "
    "share between s and t noise in the same way.",
)
def only_the_ratio_matters():
    x_t, x_s = jax.random.normal(jax.random.key(0), (2, 5, 3), dtype=float)
    other = jnp.array([1.0, 0.8, 0.6, 0.3])
    stretched = jnp.array([1.0, 0.7, 0.5, 0.7 * 0.375, 0.01])  # a_3/a_1 is 0.3/0.8, too
    ones, threes = np.full(5, 1), np.full(5, 3)
    scipys = stats.norm.logpdf(x_t, loc=math.sqrt(0.375) * x_s, scale=math.sqrt(0.625)).sum(axis=1)
    left = jnp.stack([forward_log_prob(x_t, x_s, ones, threes, schedule) for schedule in (other, stretched)])
    return left, jnp.stack([jnp.asarray(scipys)] * 2)


@derivation.numeric(
    r"\mathrm{Cov}(x_0) = S \;\Rightarrow\; \mathrm{Cov}(x_t) = \bar{\alpha}_t S + (1 - \bar{\alpha}_t) I",
    because="Covariances add as variances do. In the eigenbasis of S every eigenvalue moves toward 1, its distance from 1 "
    "multiplied by alpha bar. Against the same noise the directions of small variance drown first.",
)
def eigenvalues_move_to_one():
    factor = jax.random.normal(jax.random.key(1), (4, 4), dtype=float)  # its rows are four equally heavy data directions
    times = np.array([1, 4, 9, 12])
    alpha_bar, covariance = schedule(), factor.T @ factor

    def spectrum(t):
        # the second moment of a linear map is the sum over a basis of its source: the data's directions, and the noise's
        data = forward_sample(factor, np.full(4, t), jnp.zeros((4, 4)), alpha_bar)
        noise = forward_sample(jnp.zeros((4, 4)), np.full(4, t), jnp.eye(4), alpha_bar)
        return jnp.linalg.eigvalsh(data.T @ data + noise.T @ noise)

    eigenvalues = jnp.linalg.eigvalsh(covariance)
    return jnp.stack([spectrum(t) for t in times]), 1 + alpha_bar[times][:, None] * (eigenvalues - 1)


@derivation.bound(
    r"\mathrm{KL}\big(q(x_{t+1}) \,\|\, \mathcal{N}(0, I)\big) \;\le\; \mathrm{KL}\big(q(x_t) \,\|\, \mathcal{N}(0, I)\big)",
    because="A step maps the standard normal to itself and can only bring other distributions nearer to it: processing never "
    "makes two distributions easier to tell apart. So every step destroys information and none brings any back; only the "
    "standard normal itself has nothing to lose. Here the data are Gaussian, of variances 0.1, 0.5, 1 and 4 and mean 0 or 2.",
)
def information_falls_at_every_step():
    alpha_bar = linear_alpha_bar(num_steps=30, beta_start=0.01, beta_end=0.4)
    times = np.arange(31)

    def divergence(mean, variance):
        """From N(0, 1) of the data at every time, [T+1]."""
        means, log_vars = forward_marginal(jnp.full(31, mean), times, alpha_bar)
        spreads, _ = forward_marginal(jnp.full(31, math.sqrt(variance)), times, alpha_bar)
        total = spreads**2 + jnp.exp(log_vars)
        return (means**2 + total - 1 - jnp.log(total)) / 2

    falling = jnp.stack([divergence(mean, variance) for mean in (0.0, 2.0) for variance in (0.1, 0.5, 1.0, 4.0)])
    normal = divergence(0.0, 1.0)
    return falling[:, 1:], falling[:, :-1], (normal[1:], normal[:-1])


if __name__ == "__main__":
    derivation.main()
