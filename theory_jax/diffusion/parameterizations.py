"""Parameterizations: five things a network may predict at x_t, each of which tells the other four."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_same_shape, require_timesteps, require_values, widened
from theory_jax.mathematics.levels import beta_at, level_at, per_example

PREDICTIONS = ("noise", "x0", "velocity", "score", "mean")


def x0_from_noise(x_t, noise, t, alpha_bar):
    r"""x_0 = (x_t - sqrt(1 - a_t) noise) / sqrt(a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, or a_t = 0: pure noise does not
    tell the data.  Source: Ho et al. 2020, section 3.2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise=noise)
    require_timesteps(alpha_bar, x_t, t=t)
    _require_signal(t, alpha_bar)
    signal, noisy = _roots(t, alpha_bar, x_t)
    return (x_t - noisy * noise) / signal


def noise_from_x0(x_t, x0, t, alpha_bar):
    r"""noise = (x_t - sqrt(a_t) x_0) / sqrt(1 - a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, section 3.2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, x0=x0)
    require_timesteps(alpha_bar, x_t, t=t)
    signal, noisy = _roots(t, alpha_bar, x_t)
    return (x_t - signal * x0) / noisy


def velocity(x0, noise, t, alpha_bar):
    r"""v = sqrt(a_t) noise - sqrt(1 - a_t) x_0: how x_t moves as its angle phi grows, cos(phi) = sqrt(a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_timesteps(alpha_bar, x0, t=t)
    signal, noisy = _roots(t, alpha_bar, x0)
    return signal * noise - noisy * x0


def x0_from_velocity(x_t, velocity, t, alpha_bar):
    r"""x_0 = sqrt(a_t) x_t - sqrt(1 - a_t) v: the rotation undone; also where a_t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, velocity=velocity)
    require_timesteps(alpha_bar, x_t, t=t)
    signal, noisy = _roots(t, alpha_bar, x_t)
    return signal * x_t - noisy * velocity


def noise_from_velocity(x_t, velocity, t, alpha_bar):
    r"""noise = sqrt(1 - a_t) x_t + sqrt(a_t) v: the rotation undone; also where a_t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, velocity=velocity)
    require_timesteps(alpha_bar, x_t, t=t)
    signal, noisy = _roots(t, alpha_bar, x_t)
    return noisy * x_t + signal * velocity


def convert_prediction(prediction, x_t, t, alpha_bar, *, source, target):
    r"""The target that the same network predicts with a prediction of the source at x_t.

    Both are among "noise"; "x0"; "velocity"; "score" = -noise/sqrt(1 - a_t), the gradient of log q(x_t | x_0); and "mean" =
    sqrt(a_(t-1)) beta_t/(1 - a_t) x_0 + sqrt(1 - beta_t) (1 - a_(t-1))/(1 - a_t) x_t, that of q(x_(t-1) | x_t, x_0), which is
    (x_t - beta_t/sqrt(1 - a_t) noise)/sqrt(1 - beta_t).  A prediction that already is the target comes back as it is.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, source or target is another
    word, or a_t = 0 (so that beta_t = 1) in a conversion from noise or score, or to or from a mean.
    Source: Ho et al. 2020, section 3.2; Salimans & Ho 2022, appendix D; Luo 2022.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, prediction=prediction)
    require_timesteps(alpha_bar, x_t, t=t)
    for name, given in (("source", source), ("target", target)):
        require(given in PREDICTIONS, f"{name} is {given!r}; it must be one of {', '.join(PREDICTIONS)}")
    if source == target:
        return prediction
    of_noise = {"noise", "score"}
    if "mean" in (source, target) or (source in of_noise and target not in of_noise):
        _require_signal(t, alpha_bar)
    x0, noise = _data_and_noise(prediction, x_t, t, alpha_bar, source)
    signal, noisy = _roots(t, alpha_bar, x_t)
    if target == "x0":
        return x0
    if target == "noise":
        return noise
    if target == "velocity":
        return signal * noise - noisy * x0
    if target == "score":
        return -noise / noisy
    of_x0, of_x_t = _posterior(t, alpha_bar, x_t)
    return of_x0 * x0 + of_x_t * x_t


def loss_ratio(t, alpha_bar, *, target):
    r"""||error of the target||^2 / ||error of the noise||^2 of one and the same network at x_t.

    noise: 1;  x0: (1 - a)/a;  velocity: 1/a;  score: 1/(1 - a);  mean: beta^2/((1 - a)(1 - beta)).  Where a_t = 0, errors of x0
    and of velocity outweigh those of the noise infinitely.

    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, target is another word, or beta_t = 1 for a mean.
    Source: Salimans & Ho 2022, section 4 and appendix D; Ho et al. 2020, eq. 12.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    require(target in PREDICTIONS, f"target is {target!r}; it must be one of {', '.join(PREDICTIONS)}")
    t = widened(t)
    a = level_at(t, alpha_bar)
    if target == "mean":
        _require_signal(t, alpha_bar)
        return beta_at(t, alpha_bar) ** 2 * level_at(t - 1, alpha_bar) / ((1 - a) * a)
    if target == "x0":
        return (1 - a) / a
    if target == "velocity":
        return 1 / a
    return 1 / (1 - a) if target == "score" else jnp.ones_like(a)


def _roots(t, alpha_bar, x):
    """sqrt(a_t) and sqrt(1 - a_t), the cosine and the sine of the angle at x_t, each ready to meet the batch of x."""
    a = level_at(t, alpha_bar)
    return per_example(jnp.sqrt(a), x), per_example(jnp.sqrt(1 - a), x)


def _posterior(t, alpha_bar, x):
    """The coefficients of x_0 and of x_t in the mean of q(x_(t-1) | x_t, x_0)."""
    t = widened(t)
    before, now = level_at(t - 1, alpha_bar), level_at(t, alpha_bar)
    of_x0 = jnp.sqrt(before) * beta_at(t, alpha_bar) / (1 - now)
    return per_example(of_x0, x), per_example(jnp.sqrt(now / before) * (1 - before) / (1 - now), x)


def _data_and_noise(prediction, x_t, t, alpha_bar, source):
    """Data and noise of a prediction. From the velocity both follow without division, otherwise by solving
    x_t = sqrt(a) x_0 + sqrt(1 - a) noise for the missing one; unless it is used, its division by a_t = 0 has no effect."""
    signal, noisy = _roots(t, alpha_bar, x_t)
    if source == "velocity":
        return signal * x_t - noisy * prediction, noisy * x_t + signal * prediction
    if source in ("noise", "score"):
        noise = prediction if source == "noise" else -noisy * prediction
        return (x_t - noisy * noise) / signal, noise
    if source == "mean":
        of_x0, of_x_t = _posterior(t, alpha_bar, x_t)
        x0 = (prediction - of_x_t * x_t) / of_x0
    else:
        x0 = prediction
    return x0, (x_t - signal * x0) / noisy


def _require_signal(t, alpha_bar):
    allowed = "a step that leaves some of the data: alpha_bar is 0 there, and noise alone does not tell them"
    if not isinstance(alpha_bar, jax.core.Tracer):
        require_values("t", t, lambda t: np.asarray(alpha_bar)[t] > 0, allowed)
