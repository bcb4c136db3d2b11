"""Training a DDPM: which levels are drawn, what their losses weigh, and how weights are averaged."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.foundations.training_practice import ema_update
from theory_jax.mathematics.levels import level_at


def timesteps_from_uniforms(u, *, num_steps):
    r"""min(1 + floor(u T), T): a level in 1..T for every uniform u in [0, 1), each equally likely.

    The minimum acts only where T is beyond the whole numbers of u's dtype (2^24 in float32) and u T is rounded to T.
    Raises ValueError unless u is [B], in [0, 1), and num_steps >= 1.  Source: Ho et al. 2020, algorithm 1.
    [B] -> [B]
    """
    require_rank(1, u=u)
    require_at_least(1, num_steps=num_steps)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    return jnp.minimum(1 + jnp.floor(u * num_steps).astype(int), num_steps)


def exponential_moving_average(average, value, *, decay):
    r"""decay average + (1 - decay) value: what the samples' weights are, after one more step of training.

    Raises ValueError if the shapes differ or decay is outside [0, 1].  Source: Ho et al. 2020, appendix B.
    [...], [...] -> [...]
    """
    require_same_shape(average=average, value=value)
    return jnp.reshape(ema_update(jnp.ravel(average), jnp.ravel(value), decay=decay), jnp.shape(average))


def warmup_decay(step, *, decay):
    r"""min(decay, (1 + step)/(10 + step)): a moving average that forgets its first values soon, counted from step 0.

    Raises ValueError if a step is negative or decay is outside [0, 1].
    [...] -> [...]
    """
    require_share(decay=decay)
    require_values("step", step, lambda step: step >= 0, "at least 0")
    step = widened(step)
    return jnp.minimum((1 + step) / (10 + step), decay)


def min_snr_weight(t, alpha_bar, *, gamma=5.0, prediction="noise"):
    r"""min(SNR, gamma) over SNR ("noise"), 1 ("x0") or SNR + 1 ("velocity"), SNR = a_t/(1 - a_t); 1 for noise where a_t = 0.

    Multiplied with the squared error of what the network predicts, it weighs every error of the data with min(SNR, gamma).
    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, gamma is not positive, or prediction is another
    word.  Source: Hang et al. 2023, section 3.4.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    require_positive(gamma=gamma)
    allowed = ("noise", "x0", "velocity")
    require(prediction in allowed, f"prediction is {prediction!r}; it must be one of {', '.join(allowed)}")
    a = level_at(t, alpha_bar)
    snr = a / (1 - a)
    if prediction == "noise":
        limited = snr > gamma
        return jnp.where(limited, gamma / jnp.where(limited, snr, 1.0), 1.0)  # no quotient of zeros where nothing is left
    clipped = jnp.minimum(snr, gamma)
    return clipped if prediction == "x0" else clipped / (snr + 1)


def loss_aware_probabilities(loss_history, *, uniform_probability=0.001):
    r"""(1 - u) w_t/sum_s w_s + u/T, w_t = sqrt(mean_m L_tm^2): a level is drawn as often as its recent losses are large.

    Raises ValueError unless loss_history is [T, M], finite and not all zero, and uniform_probability is in [0, 1].
    Source: Nichol & Dhariwal 2021, eq. 18.
    [T, M] -> [T]
    """
    require_rank(2, loss_history=loss_history)
    levels, memory = jnp.shape(loss_history)
    require(levels * memory > 0, f"loss_history has shape {[levels, memory]}; it must hold at least one loss")
    require_share(uniform_probability=uniform_probability)
    largest = jnp.max(jnp.abs(jax.lax.stop_gradient(loss_history)))
    require_values("loss_history", largest, lambda x: (x > 0) & np.isfinite(x), "finite, and not 0 everywhere (the largest)")
    squares = jnp.mean((loss_history / largest) ** 2, axis=1)  # relative to the largest loss, or losses of 1e200 overflow
    lost = squares > 0
    weights = jnp.where(lost, jnp.sqrt(jnp.where(lost, squares, 1.0)), 0.0)
    return (1 - uniform_probability) * weights / jnp.sum(weights) + uniform_probability / levels


def importance_weighted_loss(losses, t, probabilities):
    r"""L/(T p_t): losses at levels drawn with probabilities p count, on average, as if all levels were equally likely.

    Raises ValueError if t is not an integer in 1..T for each loss, or probabilities is not [T], of sum 1 and positive where
    they are needed.  Source: Nichol & Dhariwal 2021, eq. 18.
    [B], [B], [T] -> [B]
    """
    require_rank(1, losses=losses, probabilities=probabilities)
    require_integers(t=t)
    count = jnp.shape(probabilities)[0]
    given, wanted = list(jnp.shape(t)), list(jnp.shape(losses))
    require(given == wanted, f"t has shape {given}; it must be {wanted}, a level for every loss")
    require_values("t", t, lambda t: (t >= 1) & (t <= count), f"in 1..{count}")
    require_values("probabilities", jnp.sum(probabilities), lambda total: abs(total - 1) <= 1e-5, "1 in sum (shown)")
    drawn = jnp.take(probabilities, widened(t) - 1, mode="clip")  # the check of t refuses what would have to be clipped
    require_values("probabilities[t]", drawn, lambda p: p > 0, "positive for every sampled t")
    return losses / (count * drawn).astype(losses.dtype)
