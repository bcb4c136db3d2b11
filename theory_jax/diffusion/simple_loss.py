"""The simple loss: the ELBO of a diffusion model is a weighted sum of squared errors of the predicted noise.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require_same_shape, require_timesteps, widened
from theory_jax.derivation import Derivation
from theory_jax.diffusion._arguments import require_signal
from theory_jax.diffusion.elbo import denoising_kl, gaussian_kl
from theory_jax.diffusion.forward_process import forward_log_prob, forward_sample
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar, linear_alpha_bar, log_snr
from theory_jax.diffusion.reverse_process import (
    interpolated_log_variance,
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)
from theory_jax.levels import beta_at, level_at, per_example, sum_each


def squared_error(prediction, target):
    r"""||prediction - target||^2, summed over all axes but the first.

    Raises ValueError if the shapes differ.
    [B, ...], [B, ...] -> [B]
    """
    require_same_shape(target=target, prediction=prediction)
    error = prediction - target
    return sum_each(error**2)


def simple_loss(x0, t, noise, denoise_fn, alpha_bar):
    r"""||noise - denoise_fn(x_t, t)||^2 at x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, summed over all axes but the first.

    denoise_fn(x, t) -> predicted noise, t: [B].  This is the loss of one level; whoever trains draws t and averages.
    Raises ValueError if the shapes differ, also that of the prediction, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 14.
    [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, x0, t=t)
    t = widened(t)
    x_t = forward_sample(x0, t, noise, alpha_bar)
    return squared_error(denoise_fn(x_t, t), noise)


def variational_weight(t, alpha_bar, *, variance="large"):
    r"""beta_t^2 / (2 sigma_t^2 (1 - beta_t) (1 - a_t)): what the ELBO multiplies the simple loss of level t >= 2 with.

    sigma_t^2 is beta_t ("large") or beta~_t = (1 - a_(t-1))/(1 - a_t) beta_t ("small").
    Raises ValueError if t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, where the weight is infinite, or variance
    is another word.  Source: Ho et al. 2020, eq. 12.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, lowest=2, t=t)
    t = widened(t)
    a_t, beta = level_at(t, alpha_bar), beta_at(t, alpha_bar)
    require_signal("alpha_bar[t]", a_t)
    variances = jnp.exp(reverse_log_variance(t, alpha_bar, variance=variance))
    kept = a_t / level_at(t - 1, alpha_bar)  # 1 - beta_t, whose digits a difference would lose where little is kept
    return beta**2 / (2 * variances * kept * (1 - a_t))


def variational_loss(x0, t, noise, denoise_fn, alpha_bar, *, variance="large"):
    r"""variational_weight times simple_loss: what the network can still lower of the ELBO's term L_(t-1), t >= 2; nats.

    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, or variance is another
    word.  Source: Ho et al. 2020, eq. 8 and 12.
    [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    weight = variational_weight(t, alpha_bar, variance=variance)
    loss = simple_loss(x0, t, noise, denoise_fn, alpha_bar)
    return weight.astype(loss.dtype) * loss


def learned_variance_loss(x0, x_t, t, noise_pred, v, alpha_bar):
    r"""KL(q(x_(t-1) | x_t, x_0) || N(mean, e^l)), t >= 2, l the log-variance that v interpolates; nats.

    The mean is that of noise_pred, which gets no gradient here: it learns from the simple loss, only the variance from this one.
    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, or a_t = 0.
    Source: Nichol & Dhariwal 2021, section 3.1.
    [B, ...], [B, ...], [B], [B, ...], [B, ...], [T+1] -> [B]
    """
    require_same_shape(x0=x0, x_t=x_t, noise_pred=noise_pred, v=v)
    require_timesteps(alpha_bar, x0, lowest=2, t=t)
    return gaussian_kl(
        posterior_mean(x0, x_t, t, alpha_bar),
        jnp.broadcast_to(per_example(posterior_log_variance(t, alpha_bar), x_t), x_t.shape),
        reverse_mean_from_noise(x_t, jax.lax.stop_gradient(noise_pred), t, alpha_bar),
        interpolated_log_variance(v, t, alpha_bar),
    )


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="The simple loss: to maximize the ELBO is to predict the noise",
    lectures=(27,),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, section 3.2 to 3.4, eq. 8, 12 and 14",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, section 3.1",
    ),
)

_STEPS = 8
_FROM_TWO = np.arange(2, _STEPS + 1)


def _draws(count, seed, width=3):
    return jax.random.normal(jax.random.key(seed), (count, _FROM_TWO.size, width), dtype=float)


@derivation.numeric(
    r"\frac{1}{2 \sigma_t^2} \|\tilde{\mu}_t(x_0, x_t) - \mu_\theta(x_t)\|^2 ="
    r" \frac{\beta_t^2}{2 \sigma_t^2 (1 - \beta_t)(1 - \bar{\alpha}_t)} \|\epsilon - \epsilon_\theta(x_t, t)\|^2",
    because="Both means are (x_t - beta/sqrt(1 - a) noise)/sqrt(1 - beta), one with the noise that was drawn and one with the "
    "noise that was predicted. x_t cancels, and the coefficient, squared, comes out: to match the mean is to guess the noise.",
)
def means_differ_as_noises_do():
    alpha_bar = cosine_alpha_bar(num_steps=_STEPS)
    x0, noise, noise_pred = _draws(3, 0)
    x_t = forward_sample(x0, _FROM_TWO, noise, alpha_bar)
    wanted = posterior_mean(x0, x_t, _FROM_TWO, alpha_bar)
    given = reverse_mean_from_noise(x_t, noise_pred, _FROM_TWO, alpha_bar)
    left, right = [], []
    for variance in ("large", "small"):
        precision = jnp.exp(-reverse_log_variance(_FROM_TWO, alpha_bar, variance=variance))
        left.append(precision / 2 * squared_error(given, wanted))
        right.append(variational_loss(x0, _FROM_TWO, noise, lambda x, t: noise_pred, alpha_bar, variance=variance))
    return jnp.stack(left), jnp.stack(right)


@derivation.numeric(
    r"L_{t-1} - w_t \|\epsilon - \epsilon_\theta\|^2 ="
    r" \frac{D}{2} \Big( \log \frac{\beta_t}{\tilde{\beta}_t} + \frac{\tilde{\beta}_t}{\beta_t} - 1 \Big)"
    r" \text{ for } \sigma_t^2 = \beta_t, \qquad 0 \text{ for } \sigma_t^2 = \tilde{\beta}_t",
    because="The divergence of two Gaussians has a part in their means and a part in their variances. The variances are fixed: "
    "the second part does not contain the network, and it is zero where the model takes the posterior's own variance.",
)
def the_rest_has_no_network():
    alpha_bar = linear_alpha_bar(num_steps=_STEPS, beta_start=0.05, beta_end=0.5)
    x0, noise, noise_pred = _draws(3, 1)
    x_t = forward_sample(x0, _FROM_TWO, noise, alpha_bar)
    rest = []
    for variance in ("large", "small"):
        divergence = denoising_kl(x0, x_t, _FROM_TWO, noise_pred, alpha_bar, variance=variance)
        rest.append(divergence - variational_loss(x0, _FROM_TWO, noise, lambda x, t: noise_pred, alpha_bar, variance=variance))
    a, before = alpha_bar[_FROM_TWO], alpha_bar[_FROM_TWO - 1]
    ratio = (1 - before) / (1 - a)
    dimensions = x0.shape[-1]
    return jnp.stack(rest), jnp.stack([dimensions / 2 * (ratio - 1 - jnp.log(ratio)), jnp.zeros(ratio.size)])


# Three points of data, and x_t by the trapezoid rule over the noise, whose error falls exponentially for such integrands.
_POINTS, _SHARES = np.array([-1.5, 0.2, 1.0]), np.array([0.3, 0.5, 0.2])
_NODES = np.linspace(-13, 13, 521)
_WEIGHTS = np.exp(-(_NODES**2) / 2) / math.sqrt(2 * math.pi) * (_NODES[1] - _NODES[0])
_SCHEDULE = (1.0, 0.9, 0.6, 0.2, 0.05)
_TIMES = (1, 2, 3, 4)


def _draws_at(t):
    """Every point with every noise: x0 [N], t [N], noise [N], and the probability of each."""
    x0, noise = (jnp.asarray(a.ravel()) for a in np.meshgrid(_POINTS, _NODES, indexing="ij"))
    return x0, np.full(x0.size, t), noise, jnp.asarray(np.outer(_SHARES, _WEIGHTS).ravel())


def _posterior(x_t, t, alpha_bar):
    """p(point | x_t), [N, 3]: Bayes' rule with the densities of the code."""
    logs = [
        math.log(share) + forward_log_prob(x_t, jnp.full(x_t.shape, point), 0 * t, t, alpha_bar)
        for point, share in zip(_POINTS, _SHARES, strict=True)
    ]
    return jax.nn.softmax(jnp.stack(logs, axis=-1), axis=-1)


def _expected_noise(x_t, t):
    """E(noise | x_t)."""
    alpha_bar = jnp.asarray(_SCHEDULE)
    a = alpha_bar[t]
    data = _posterior(x_t, t, alpha_bar) @ _POINTS
    return (x_t - jnp.sqrt(a) * data) / jnp.sqrt(1 - a)


def _guess(x, t):
    """Some network."""
    return jnp.tanh(x * 0.7 - 0.1 * t) * 0.5


def _risk(predict, t):
    """E simple_loss at level t."""
    x0, times, noise, weights = _draws_at(t)
    return weights @ simple_loss(x0, times, noise, predict, jnp.asarray(_SCHEDULE))


@derivation.numeric(
    r"\mathrm{E} \|\epsilon - f(x_t)\|^2 = \mathrm{E} \|\epsilon - \mathrm{E}[\epsilon \mid x_t]\|^2 +"
    r" \mathrm{E} \|f(x_t) - \mathrm{E}[\epsilon \mid x_t]\|^2",
    tolerance=1e-10,
    because="Pythagoras: what is left of the noise after its conditional mean is taken away is uncorrelated with every function "
    "of x_t. So the best prediction is the conditional mean, and a network pays exactly its squared distance from it.",
)
def the_best_prediction_is_the_conditional_mean():
    left, right = [], []
    for level in _TIMES:
        x0, t, noise, weights = _draws_at(level)
        x_t = forward_sample(x0, t, noise, jnp.asarray(_SCHEDULE))
        left.append(_risk(_guess, level))
        right.append(_risk(_expected_noise, level) + weights @ squared_error(_guess(x_t, t), _expected_noise(x_t, t)))
    return jnp.stack(left), jnp.stack(right)


@derivation.autodiff(
    r"\frac{\partial}{\partial c_t} \sum_t w_t\, \mathrm{E}"
    r" \big\| \epsilon - \mathrm{E}[\epsilon \mid x_t] - c_t h(x_t) \big\|^2 \Big|_{c = 0} = 0 \quad\text{for every } w_t > 0",
    tolerance=1e-9,
    because="The first variation in any direction vanishes at every level by itself. A network without limits, which may be "
    "right at each level, ends at the same place whatever positive weights the levels have; the weights decide what a real "
    "network spends its capacity and its gradients on.",
)
def every_weighting_has_the_same_optimum():
    alpha_bar, levels = jnp.asarray(_SCHEDULE), np.array(_TIMES[1:])

    def total(steps, weights):
        def moved(step):
            return lambda x, t: _expected_noise(x, t) + step * _guess(x, t)

        return sum(weights[i] * _risk(moved(steps[i]), level) for i, level in enumerate(levels))

    weightings = jnp.stack([jnp.ones(levels.size), variational_weight(levels, alpha_bar), jnp.array([0.1, 7.0, 2.0])])
    return jax.vmap(jax.grad(total), (None, 0))(jnp.zeros(levels.size), weightings), jnp.zeros((3, levels.size))


@derivation.numeric(
    r"T = 1000, \text{ linear}: \quad w_2 = 0.27269, \quad \min_t w_t = w_{349} = 0.0049679, \quad w_{1000} = 0.010204",
    because="The ELBO asks 55 times as much of the second level as of the middle ones. The simple loss weighs all levels alike: "
    "compared with the ELBO it looks away from the least noisy images, in which hardly anything can be seen to be wrong, and "
    "toward those in which the picture is decided. This is a worse bound and makes better images.",
)
def what_the_elbo_weighs():
    steps = np.arange(2, 1001)
    weights = variational_weight(steps, linear_alpha_bar(num_steps=1000))
    lowest = jnp.argmin(weights)
    found = jnp.stack([weights[0], weights[lowest], weights[-1], steps[0] + lowest])
    exact = (0.2726920842780397, 0.00496786051055512, 0.01020449346863787, 349.0)  # by mpmath, with 40 digits
    return found / jnp.array(exact), jnp.ones(4)


@derivation.numeric(
    r"w_t \big|_{\sigma_t^2 = \tilde{\beta}_t} = \frac{1}{2} \Big( \frac{\mathrm{SNR}(t-1)}{\mathrm{SNR}(t)} - 1 \Big)",
    because="With the posterior's variance the weight of a squared error of the noise is half the factor by which a step lowers "
    "the ratio of signal to noise, less one. So where the log-SNR falls evenly, the ELBO itself has even weights.",
)
def the_weight_is_a_ratio_of_snrs():
    alpha_bar = cosine_alpha_bar(num_steps=_STEPS)
    ratio = log_snr(alpha_bar[_FROM_TWO - 1]) - log_snr(alpha_bar[_FROM_TWO])
    return variational_weight(_FROM_TWO, alpha_bar, variance="small"), jnp.expm1(ratio) / 2


@derivation.numeric(
    r"\mathrm{E} \|\epsilon - \mathrm{E}[\epsilon \mid x_t]\|^2 = \mathrm{SNR}(t)\, \mathrm{E}\, \mathrm{Var}(x_0 \mid x_t)",
    tolerance=1e-10,
    because="Given x_t, noise and data are one unknown, noise = (x_t - sqrt(a) x_0)/sqrt(1 - a): their variances differ by the "
    "factor a/(1 - a). This much of the loss no network can lower, so a loss that does not go to zero is not a failure.",
)
def the_irreducible_loss():
    alpha_bar = jnp.asarray(_SCHEDULE)
    left, right = [], []
    for level in _TIMES:
        x0, t, noise, weights = _draws_at(level)
        share = _posterior(forward_sample(x0, t, noise, alpha_bar), t, alpha_bar)
        variance = share @ _POINTS**2 - (share @ _POINTS) ** 2
        left.append(_risk(_expected_noise, level))
        right.append(jnp.exp(log_snr(alpha_bar[level])) * (weights @ variance))
    return jnp.stack(left), jnp.stack(right)


@derivation.bound(
    r"0 \;\le\; \mathrm{E} \|\epsilon - \mathrm{E}[\epsilon \mid x_t]\|^2 \;\le\; D",
    tolerance=1e-9,
    because="A constant prediction of zero costs the whole variance of the noise, D, and the conditional mean costs no more. "
    "Nearly that much is left where the noise is slight, hidden behind the unknown image; next to none where x_t is nearly all "
    "noise. A network that has learned nothing is known by a loss of D at every level.",
)
def between_nothing_and_everything():
    losses = jnp.stack([_risk(_expected_noise, level) for level in _TIMES])
    zero = _risk(lambda x, t: jnp.zeros_like(x), 3)
    ends = jnp.zeros(losses.size), jnp.ones(losses.size)
    return jnp.stack([ends[0], losses]), jnp.stack([losses, ends[1]]), (zero, jnp.ones(()))


@derivation.autodiff(
    r"\frac{\partial}{\partial v} \mathrm{KL} = 0 \;\text{ where }\; e^{l(v)} ="
    r" \tilde{\beta}_t + \big( \tilde{\mu}_t - \mu_\theta \big)^2",
    tolerance=1e-10,
    because="With the mean held fixed, the best variance is that of the posterior plus the square of what the mean is wrong by, "
    "in every dimension: so a learned variance is above beta~ wherever the data are uncertain, and above beta, with v beyond 1, "
    "where the mean is far off. That no gradient reaches the mean keeps this term from disturbing what the simple loss teaches.",
)
def the_best_variance():
    alpha_bar = cosine_alpha_bar(num_steps=_STEPS)
    x0, noise, error = _draws(3, 2)
    x_t, noise_pred = forward_sample(x0, _FROM_TWO, noise, alpha_bar), noise + error
    distance = posterior_mean(x0, x_t, _FROM_TWO, alpha_bar) - reverse_mean_from_noise(x_t, noise_pred, _FROM_TWO, alpha_bar)
    small, large = (reverse_log_variance(_FROM_TWO, alpha_bar, variance=name)[:, None] for name in ("small", "large"))
    best = 2 * (jnp.log(jnp.exp(small) + distance**2) - small) / (large - small) - 1

    def loss(v, noise_pred):
        return jnp.sum(learned_variance_loss(x0, x_t, _FROM_TWO, noise_pred, v, alpha_bar))

    slopes = jnp.stack(jax.grad(loss, (0, 1))(best, noise_pred))
    return slopes, jnp.zeros(slopes.shape)


if __name__ == "__main__":
    derivation.main()
