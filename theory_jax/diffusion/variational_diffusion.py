"""Variational diffusion: time is continuous, and the logarithm of signal over noise is all that a schedule is.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation
from theory_jax.diffusion.elbo import denoising_kl
from theory_jax.diffusion.forward_process import forward_sample
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar, log_snr
from theory_jax.diffusion.parameterizations import noise_from_x0
from theory_jax.diffusion.reverse_process import posterior_log_variance, posterior_mean
from theory_jax.elementary import expm1
from theory_jax.levels import per_example, sum_each


def linear_log_snr(time, *, log_snr_max, log_snr_min):
    r"""lambda(time) = (1 - time) lambda_max + time lambda_min: from the data at time 0 on a straight line to noise at time 1.

    Raises ValueError for a time outside [0, 1], or unless log_snr_max > log_snr_min.  Source: Kingma et al. 2021, section 3.
    [...] -> [...]
    """
    require_values("time", time, lambda time: (time >= 0) & (time <= 1), "in [0, 1]")
    require_values("log_snr_max", log_snr_max, lambda top: top > log_snr_min, f"above log_snr_min, {log_snr_min}")
    return (1 - time) * log_snr_max + time * log_snr_min


def variance_preserving_sample(x0, noise, log_snr):
    r"""z = alpha x_0 + sigma noise, with alpha^2 = sigmoid(lambda) and sigma^2 = sigmoid(-lambda) = 1 - alpha^2.

    Raises ValueError if the shapes differ or log_snr is not one number for each example.
    Source: Kingma et al. 2021, section 3.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_one_each(x0, log_snr=log_snr)
    return per_example(_signal(log_snr), x0) * x0 + per_example(_signal(-log_snr), x0) * noise


def posterior(z_t, x0, log_snr_t, log_snr_s):
    r"""Mean and log-variance of q(z_s | z_t, x_0), at a level s that is less noisy than t.

    With c = 1 - e^(lambda_t - lambda_s): mean alpha_s ((1 - c) z_t/alpha_t + c x_0), variance sigma_s^2 c. Where the levels are
    equal, z_t itself and a log-variance of -inf.

    Raises ValueError if the shapes differ, a log-SNR is not one number for each example, or log_snr_s < log_snr_t.
    Source: Kingma et al. 2021, appendix A.
    [B, ...], [B, ...], [B], [B] -> [B, ...], [B]
    """
    require_same_shape(z_t=z_t, x0=x0)
    _require_order(z_t, log_snr_s, log_snr_t)
    step = log_snr_t - log_snr_s
    kept = jnp.exp(step + (jax.nn.log_sigmoid(log_snr_s) - jax.nn.log_sigmoid(log_snr_t)) / 2)  # (1 - c) alpha_s/alpha_t
    mean = per_example(kept, z_t) * z_t - per_example(_signal(log_snr_s) * expm1(step), x0) * x0
    return mean, (jax.nn.log_sigmoid(-log_snr_s) + _log_lost(step)).astype(z_t.dtype)


def discrete_diffusion_loss(x0_pred, x0, log_snr_s, log_snr_t):
    r"""1/2 (e^lambda_s - e^lambda_t) ||x_0 - x0_pred||^2: KL(q(z_s | z_t, x_0) || q(z_s | z_t, x0_pred)), s before t; nats.

    Raises ValueError if the shapes differ, a log-SNR is not one number for each example, or log_snr_s < log_snr_t.
    Source: Kingma et al. 2021, section 4.
    [B, ...], [B, ...], [B], [B] -> [B]
    """
    require_same_shape(x0=x0, x0_pred=x0_pred)
    _require_order(x0, log_snr_s, log_snr_t)
    fall = -jnp.exp(log_snr_s) * expm1(log_snr_t - log_snr_s)
    return fall.astype(x0.dtype) * _squared_distance(x0, x0_pred) / 2


def continuous_diffusion_loss(noise_pred, noise, log_snr_slope):
    r"""-1/2 lambda'(time) ||noise - noise_pred||^2, nats: its mean over uniform times is the loss of infinitely many steps.

    Raises ValueError if the shapes differ, log_snr_slope is not one number for each example, or positive (noise only grows).
    Source: Kingma et al. 2021, section 4.1.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_same_shape(noise=noise, noise_pred=noise_pred)
    require_one_each(noise, log_snr_slope=log_snr_slope)
    require_values("log_snr_slope", log_snr_slope, lambda slope: slope <= 0, "at most 0: the log-SNR falls with time")
    return -log_snr_slope.astype(noise.dtype) * _squared_distance(noise, noise_pred) / 2


def reconstruction_log_prob(z0, x0_index, values, log_snr_0):
    r"""log p(x_0 | z_0) of x_0 = values[x0_index], summed over all axes but the first; nats.

    In each dimension a choice among the K values by how well each explains z_0, all being equally likely before:
    the softmax over k of -(z_0 - alpha_0 values_k)^2 / (2 sigma_0^2).

    Raises ValueError unless x0_index has the shape of z0 and integers in 0..K-1, values is [K], K >= 2, and log_snr_0 one number
    for each example.  Source: Kingma et al. 2021, section 3.3 and appendix.
    [B, ...], [B, ...], [K], [B] -> [B]
    """
    require_same_shape(z0=z0, x0_index=x0_index)
    require_one_each(z0, log_snr_0=log_snr_0)
    require_rank(1, values=values)
    count = jnp.shape(values)[0]
    require(count >= 2, f"values has {count} entries; it must have at least 2 to choose from")
    require_integers(x0_index=x0_index)
    require_values("x0_index", x0_index, lambda index: (index >= 0) & (index < count), f"in 0..{count - 1}")
    # Of two values v and w the log-odds are e^lambda (w - v) (z/alpha - (v + w)/2): the squares of z cancel on paper, not here.
    x0_index = widened(x0_index)
    chosen = jnp.take(values, x0_index, mode="clip")[..., None]
    center = (z0 / per_example(_signal(log_snr_0), z0))[..., None] - (values + chosen) / 2
    log_odds = per_example(jnp.exp(log_snr_0), z0)[..., None] * (values - chosen) * center
    others = jnp.arange(count) != x0_index[..., None]
    against = jax.nn.logsumexp(jnp.where(others, log_odds, -jnp.inf), axis=-1)
    # log 1/(1 + sum of the others' odds), exact where the right value is all but certain
    return sum_each(jax.nn.log_sigmoid(-against)).astype(z0.dtype)


def low_discrepancy_times(u, *, batch_size):
    r"""(u + i/n) mod 1 for i = 0..n-1, n = batch_size: each uniform on [0, 1) if u is, together one in every n-th of it.

    Raises ValueError unless u is a scalar in [0, 1) and batch_size >= 1.  Source: Kingma et al. 2021, appendix I.1.
    [] -> [batch_size]
    """
    require_rank(0, u=u)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    require_at_least(1, batch_size=batch_size)
    return jnp.mod(u + jnp.arange(batch_size) / batch_size, 1).astype(jnp.result_type(u))


def _signal(log_snr):
    """alpha = sqrt(sigmoid(lambda)); sigma is that of -lambda. Through the logarithm, whose slope survives where sigmoid is 1."""
    return jnp.exp(jax.nn.log_sigmoid(log_snr) / 2)


def _log_lost(step):
    """log c = log(1 - e^step), step <= 0, with all digits at both ends. XLA's log1p on CPU is wrong on (-0.42, -0.3)."""
    near = step > -2
    close = jnp.log(-expm1(jnp.where(near, step, -2.0)))
    return jnp.where(near, close, jnp.log1p(-jnp.exp(jnp.where(near, -2.0, step))))


def _squared_distance(x, y):
    return sum_each((x - y) ** 2)


def _require_order(x, log_snr_s, log_snr_t):
    require_one_each(x, log_snr_s=log_snr_s, log_snr_t=log_snr_t)
    if not isinstance(log_snr_t, jax.core.Tracer):
        allowed = "at least log_snr_t: s is the less noisy of the two"
        require_values("log_snr_s", log_snr_s, lambda s: s >= np.asarray(log_snr_t), allowed)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Variational diffusion: only the two ends of the schedule matter",
    lectures=(28, 33),
    sources=(
        "Kingma, Salimans, Poole & Ho 2021, Variational Diffusion Models",
        "Kingma & Gao 2023, Understanding Diffusion Objectives as the ELBO with Simple Data Augmentation",
        "Guo, Shamai & Verdu 2005, Mutual Information and Minimum Mean-Square Error in Gaussian Channels",
    ),
)

_TOP, _BOTTOM = 6.0, -5.0
_VARIANCE = 0.7  # of the Gaussian data
_NODES, _WEIGHTS = (jnp.asarray(part) for part in np.polynomial.legendre.leggauss(64))


def _line(times):
    return linear_log_snr(times, log_snr_max=_TOP, log_snr_min=_BOTTOM)


def _cubic(times):
    """Another way down between the same ends."""
    return _TOP + (_BOTTOM - _TOP) * (times / 4 + 3 * times**2 / 4 * (3 - 2 * times))


def _error(level, believed=_VARIANCE):
    """E ||x_0 - x0_pred||^2 for data N(0, _VARIANCE) and the linear denoiser that would be best for N(0, believed)."""
    snr = jnp.exp(level)
    slope = believed * snr / (1 + believed * snr)  # of x0_pred in z/alpha, whose noise has variance 1/SNR
    return (1 - slope) ** 2 * _VARIANCE + slope**2 / snr


@partial(jax.jit, static_argnums=(0, 1, 2))
def _stepwise(steps, schedule, error):
    """The sum of the expected losses of so many steps: a difference of the square root of the error stands for each."""
    levels = schedule(jnp.linspace(0.0, 1.0, steps + 1))
    distance = jnp.sqrt(error(levels[1:]))
    return jnp.sum(discrete_diffusion_loss(distance, jnp.zeros(steps), levels[:-1], levels[1:]))


@partial(jax.jit, static_argnums=(0, 1))
def _integral(schedule, error):
    """The expected loss of continuous time, by Gauss-Legendre over eight parts of it."""
    parts = jnp.arange(8)[:, None]
    times = jnp.ravel((parts + (_NODES + 1) / 2) / 8)
    slopes = jax.vmap(jax.grad(schedule))(times)
    levels = schedule(times)
    distance = jnp.sqrt(error(levels) * jnp.exp(levels))  # an error of the data is one of the noise, divided by the root of SNR
    return jnp.sum(jnp.tile(_WEIGHTS, 8) / 16 * continuous_diffusion_loss(distance, jnp.zeros_like(distance), slopes))


@derivation.numeric(
    r"\lambda = \log \frac{\bar\alpha}{1 - \bar\alpha}: \quad q(z_s \mid z_t, x_0) = \mathcal{N}\Big(\alpha_s \big((1 - c)"
    r" \frac{z_t}{\alpha_t} + c\, x_0\big), \sigma_s^2 c\, I\Big), \; c = 1 - e^{\lambda_t - \lambda_s}"
    r"\qquad \text{is } q(x_{t-1} \mid x_t, x_0)",
    because="Divide z by its alpha: what remains is the data plus noise of variance 1/SNR, and going from t to s takes the share "
    "c of that variance away. So the way back is a walk from z_t/alpha_t to x_0 by that share, and the schedule appears only "
    "through its signal-to-noise ratios: betas and steps were one way of writing them. At s = 0 the share is 1.",
)
def the_posterior_is_that_of_the_chain():
    alpha_bar, times = cosine_alpha_bar(num_steps=12), np.arange(1, 13)
    x_t, x0 = jax.random.normal(jax.random.key(0), (2, 12, 3), dtype=float)
    levels = log_snr(alpha_bar)
    mean, log_var = posterior(x_t, x0, levels[times], levels[times - 1])
    left = jnp.column_stack([mean, jnp.exp(log_var)])
    return left, jnp.column_stack([posterior_mean(x0, x_t, times, alpha_bar), jnp.exp(posterior_log_variance(times, alpha_bar))])


@derivation.numeric(
    r"\frac12 \big(e^{\lambda_s} - e^{\lambda_t}\big) \|x_0 - \hat{x}_0\|^2 = \mathrm{KL}\big(q(z_s \mid z_t, x_0) \,\|\,"
    r" q(z_s \mid z_t, \hat{x}_0)\big)",
    because="The model steps back with the posterior of its own guess, so both Gaussians have one variance and their divergence "
    "is alpha_s^2 c^2 ||x_0 - x0_pred||^2 / (2 sigma_s^2 c); alpha_s^2/sigma_s^2 is the SNR at s, and the share c turns it into "
    "the fall of the SNR. The evidence lower bound is a sum of such terms.",
)
def the_loss_is_a_divergence():
    alpha_bar, times = cosine_alpha_bar(num_steps=12), np.arange(2, 13)
    x0, noise, guess = jax.random.normal(jax.random.key(1), (3, 11, 3), dtype=float)
    x_t, levels = forward_sample(x0, times, noise, alpha_bar), log_snr(alpha_bar)
    noise_pred = noise_from_x0(x_t, guess, times, alpha_bar)
    divergence = denoising_kl(x0, x_t, times, noise_pred, alpha_bar, variance="small")
    return jnp.log(discrete_diffusion_loss(guess, x0, levels[times - 1], levels[times])), jnp.log(divergence)


@derivation.numeric(
    r"\sum_{i=1}^T \frac12 \big(e^{\lambda_{(i-1)/T}} - e^{\lambda_{i/T}}\big)\, \mathrm{E}\|x_0 - \hat{x}_0\|^2 \;=\;"
    r" -\frac12 \int_0^1 \lambda'(\tau)\, \mathrm{E}\|\epsilon - \hat\epsilon\|^2\, d\tau \;+\; O(1/T)",
    tolerance=1e-9,
    because="Over a short step e^lambda falls by e^lambda times the fall of lambda, and e^lambda turns the error of the data "
    "into that of the noise: the sum is a Riemann sum. Its error is a series in 1/T; five sums, each of twice the steps of the "
    "last, combined so that the first four powers drop out, meet the integral. The denoiser believes in a variance of 0.3 where "
    "the data have 0.7: nothing here needs it to be good.",
)
def the_sum_becomes_an_integral():
    def error(level):
        return _error(level, believed=0.3)

    sums = [_stepwise(250 * 2**i, _line, error) for i in range(5)]
    for order in range(1, 5):
        sums = [(2**order * fine - coarse) / (2**order - 1) for coarse, fine in zip(sums[:-1], sums[1:], strict=True)]
    return sums[0], _integral(_line, error)


@derivation.numeric(
    r"T \Big(\sum_i L_i - L_\infty\Big) \;\to\; \frac{\lambda_{\max} - \lambda_{\min}}{2} \Big(L_\infty - \frac12"
    r" \Big[\mathrm{E}\|\epsilon - \hat\epsilon\|^2\Big]_{\lambda_{\min}}^{\lambda_{\max}}\Big)",
    tolerance=1e-9,
    because="The first term of that series, for the straight line: half a step of lambda times the loss (e^lambda falls faster "
    "than its slope says) less the rise of the integrand (it is read at the noisy end of each step). At 1,000 steps the sum is "
    "off by half a percent.",
)
def the_error_of_finitely_many_steps():
    limit, counts = _integral(_line, _error), [250 * 2**i for i in range(5)]
    scaled = [count * (_stepwise(count, _line, _error) - limit) for count in counts]
    for order in range(1, 5):
        scaled = [(2**order * fine - coarse) / (2**order - 1) for coarse, fine in zip(scaled[:-1], scaled[1:], strict=True)]
    top, bottom = (math.exp(level) * _error(level) for level in (_TOP, _BOTTOM))
    return scaled[0], (_TOP - _BOTTOM) / 2 * (limit - (top - bottom) / 2)


@derivation.numeric(
    r"-\frac12 \int_0^1 \lambda'(\tau)\, \mathrm{E}\|\epsilon - \hat\epsilon\|^2_{\lambda(\tau)}\, d\tau = \frac12"
    r" \int_{\lambda_{\min}}^{\lambda_{\max}} \mathrm{E}\|\epsilon - \hat\epsilon\|^2_\lambda\, d\lambda",
    tolerance=1e-9,
    because="The error depends on time only through lambda, so lambda can be the variable of integration. What lies between the "
    "two ends of the schedule cannot change the loss, only the variance of its estimate at random times: a straight line and a "
    "cubic give one number. What remains to be learned of a schedule is where it begins and where it ends.",
)
def only_the_ends_matter():
    def error(level):
        return _error(level, believed=0.3)

    levels = (_TOP + _BOTTOM + (_TOP - _BOTTOM) * _NODES) / 2
    direct = (_TOP - _BOTTOM) / 4 * jnp.sum(_WEIGHTS * error(levels) * jnp.exp(levels))
    return jnp.stack([_integral(_line, error), _integral(_cubic, error)]), jnp.stack([direct, direct])


@derivation.bound(
    r"\text{optimal denoiser:} \quad L_T \text{ falls at every refinement of } T = 1, 2, 4, 8, 64, 512",
    because="A step split in two pays for the first half of its fall with the error at its own, less noisy end instead of with "
    "the error at the noisier one; the best error falls with the SNR, so splitting can only help. More steps are a better "
    "model. Tight for a denoiser whose error does not depend on the noise: its terms telescope, however many there are.",
)
def more_steps_are_a_better_model():
    counts = (1, 2, 4, 8, 64, 512)
    losses = jnp.stack([_stepwise(count, _line, _error) for count in counts])
    constant = jnp.stack([_stepwise(count, _line, lambda level: 0 * level + 0.5) for count in counts])
    return losses[1:], losses[:-1], (constant[1:], constant[:-1])


@derivation.numeric(
    r"\text{optimal denoiser:} \quad L_\infty = I(x_0; z_{\lambda_{\max}}) - I(x_0; z_{\lambda_{\min}})",
    tolerance=1e-9,
    because="A little less noise tells about the data half of what one still does not know of them, per unit of SNR: the "
    "derivative of the mutual information is half the minimum mean squared error (I-MMSE). So the best model pays in the "
    "diffusion loss exactly for what z learns about the data on its way. For Gaussian data, where it is 1/2 log(1 + c SNR); and "
    "for data that are 1 or -1, whose best guess is a hyperbolic tangent.",
)
def the_loss_is_mutual_information():
    nodes, weights = (jnp.asarray(part) for part in np.polynomial.hermite_e.hermegauss(120))
    weights = weights / jnp.sum(weights)

    def of_signs(level):
        """E (x_0 - tanh(...))^2 at z/sigma = root(SNR) + noise, for x_0 = 1; the other sign is its mirror image."""
        snr = jnp.exp(level)[:, None]
        return jnp.sum(weights * (1 - jnp.tanh(snr + jnp.sqrt(snr) * nodes)) ** 2, axis=1)

    def information_of_signs(level):
        """I = log 2 - E log(1 + e^(-2 (SNR + root(SNR) noise)))."""
        snr = math.exp(level)
        return math.log(2) - jnp.sum(weights * jnp.logaddexp(0.0, -2 * (snr + math.sqrt(snr) * nodes)))

    def signs_schedule(times):
        return linear_log_snr(times, log_snr_max=1.0, log_snr_min=-6.0)

    gauss = [math.log1p(_VARIANCE * math.exp(level)) / 2 for level in (_TOP, _BOTTOM)]
    signs = [information_of_signs(level) for level in (1.0, -6.0)]
    left = jnp.stack([_integral(_line, _error), _integral(signs_schedule, of_signs)])
    return left, jnp.stack([gauss[0] - gauss[1], signs[0] - signs[1]])


@derivation.exact(
    r"\sum_{k} p(x_0 = v_k \mid z_0) = 1",
    because="The decoder asks for each of the K values how well it explains z_0 and normalizes: all pairs of values of two "
    "pixels have probabilities that sum to one, wherever z_0 is and however little noise there is. So the bound is one on the "
    "probability of the pixels as they are stored, and comparable across models.",
)
def the_decoder_is_normalized():
    values = jnp.linspace(-1.0, 1.0, 5)
    pairs = np.stack(np.meshgrid(np.arange(5), np.arange(5), indexing="ij"), -1).reshape(-1, 2)
    totals = []
    for level in (-5.0, 0.0, 3.0, 13.3):
        for z in ([0.3, -0.9], [2.5, 0.0]):
            z0 = jnp.broadcast_to(jnp.array(z), (25, 2))
            totals.append(jnp.sum(jnp.exp(reconstruction_log_prob(z0, pairs, values, jnp.full(25, level)))))
    return jnp.stack(totals), jnp.ones(8)


@derivation.exact(
    r"\tau_i = (u + i/n) \bmod 1: \quad \text{one in each } [k/n, (k+1)/n), \text{ all at the same place in it}",
    because="The times are the grid i/n, moved together by u and wrapped around. However u falls, no part of the schedule is "
    "left out of a batch and none is visited twice.",
)
def one_time_in_every_part():
    times = jnp.stack([jnp.sort(low_discrepancy_times(jnp.asarray(u), batch_size=7)) for u in (0.0, 0.1, 0.5, 0.93)])
    inside = jnp.floor(7 * times + 1e-12)
    place = 7 * times - inside
    return jnp.stack([inside, place]), jnp.stack([jnp.tile(jnp.arange(7.0), (4, 1)), jnp.tile(place[:, :1], 7)])


@derivation.monte_carlo(
    r"u \sim \mathcal{U}(0, 1): \quad \mathrm{E}\, \frac1n \sum_i f(\tau_i) = \int_0^1 f(\tau)\, d\tau",
    because="Each single time is uniform, so the mean over a batch is unbiased although its times depend on each other.",
)
def the_batch_mean_is_unbiased():
    u = jax.random.uniform(jax.random.key(2), (4000,), dtype=float)
    times = jax.vmap(lambda u: low_discrepancy_times(u, batch_size=8))(u)
    return jnp.mean(jnp.exp(-3 * times), axis=1), (1 - math.exp(-3)) / 3


@derivation.bound(
    r"\mathrm{Var}\Big(\frac1n \sum_i f(\tau_i)\Big) \;\le\; \frac15 \cdot \frac{\mathrm{Var}\, f(\tau)}{n}, \qquad n = 8,"
    r" \; f \text{ smooth}",
    because="Moved by u, the batch mean changes only by how far each time walks within its n-th: over 1/n of the range of f, and "
    "where f comes back to its start by almost nothing. Independent times have the variance Var f/n; these are better by another "
    "factor of about n, an eighth for a batch of eight. A batch of one is one uniform time either way, and there it is tight.",
)
def the_batch_mean_varies_less():
    grid = (jnp.arange(4096) + 0.5) / 4096
    functions = (lambda t: jnp.exp(-3 * t), lambda t: t**2, lambda t: jnp.cos(3 * t), lambda t: 1 / (1 + jnp.exp(_line(t))))

    def variance(function, count):
        times = jax.vmap(lambda u: low_discrepancy_times(u, batch_size=count))(grid)
        return jnp.var(jnp.mean(function(times), axis=1))

    single = jnp.stack([jnp.var(function(grid)) for function in functions])
    together, alone = (jnp.stack([variance(function, count) for function in functions]) for count in (8, 1))
    return together, 0.2 * single / 8, (alone, single)


if __name__ == "__main__":
    derivation.main()
