"""Training a DDPM: which levels are drawn, what their losses weigh, and how weights are averaged."""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_timesteps,
    require_values,
    values_are_free,
)
from practice_torch.foundations.training_practice import ema_update
from practice_torch.mathematics.levels import level_at

KINDS = ("noise", "x0", "velocity")


def timesteps_from_uniforms(u, *, num_steps):
    r"""min(1 + floor(u T), T): a level in 1..T for every uniform u in [0, 1), each equally likely.

    The minimum acts only where T is beyond the whole numbers of u's dtype (2^24 in float32) and u T is rounded to T.
    Raises ValueError unless u is [B], in [0, 1), and num_steps >= 1.  Source: Ho et al. 2020, algorithm 1.
    [B] -> [B]
    """
    require_rank(1, u=u)
    require_at_least(1, num_steps=num_steps)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    return (u * num_steps).long().clamp(max=num_steps - 1) + 1


def exponential_moving_average(average, value, *, decay):
    r"""decay average + (1 - decay) value: what the samples' weights are, after one more step of training.

    Raises ValueError if the shapes differ or decay is outside [0, 1].  Source: Ho et al. 2020, appendix B.
    [...], [...] -> [...]
    """
    require_same_shape(average=average, value=value)
    return ema_update(average.reshape(-1), value.reshape(-1), decay=decay).reshape(average.shape)


def warmup_decay(step, *, decay):
    r"""min(decay, (1 + step)/(10 + step)): a moving average that forgets its first values soon, counted from step 0.

    Raises ValueError if a step is negative or decay is outside [0, 1].
    [...] -> [...]
    """
    require_share(decay=decay)
    require_values("step", step, lambda step: step >= 0, "at least 0")
    step = as_int64(step)
    return ((1 + step) / (10 + step)).clamp(max=decay)


def min_snr_weight(t, alpha_bar, *, gamma=5.0, prediction="noise"):
    r"""min(SNR, gamma) over SNR ("noise"), 1 ("x0") or SNR + 1 ("velocity"), SNR = a_t/(1 - a_t); 1 for noise where a_t = 0.

    Multiplied with the squared error of what the network predicts, it weighs every error of the data with min(SNR, gamma).
    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, gamma is not positive, or prediction is another
    word.  Source: Hang et al. 2023, section 3.4.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    require_positive(gamma=gamma)
    require(prediction in KINDS, f"prediction is {prediction!r}; it must be one of {', '.join(KINDS)}")
    signal = level_at(t, alpha_bar)
    limited = gamma * (1 - signal)  # what SNR (1 - a) = a is limited to
    match prediction:
        case "velocity":
            return torch.minimum(signal, limited)
        case "x0":
            return torch.minimum(signal, limited) / (1 - signal)
        case "noise":
            above = signal > limited
            return (limited / signal.where(above, 1.0)).where(above, 1.0)


def loss_aware_probabilities(loss_history, *, uniform_probability=0.001):
    r"""(1 - u) w_t/sum_s w_s + u/T, w_t = sqrt(mean_m L_tm^2): a level is drawn as often as its recent losses are large.

    Raises ValueError unless loss_history is [T, M], finite and not all zero, and uniform_probability is in [0, 1].
    Source: Nichol & Dhariwal 2021, eq. 18.
    [T, M] -> [T]
    """
    require_rank(2, loss_history=loss_history)
    require(loss_history.numel() > 0, f"loss_history has shape {list(loss_history.shape)}; it must hold at least one loss")
    u = uniform_probability
    require_share(uniform_probability=u)
    # in units of the largest loss, which cancels: no square overflows, and the unit needs no gradient
    peak = loss_history.detach().abs().amax()
    require_values("loss_history", peak, lambda peak: (peak > 0) & peak.isfinite(), "finite, and not 0 everywhere (the largest)")
    weights = torch.linalg.vector_norm(loss_history / peak, dim=1)  # vector_norm's gradient is 0 where a level has no loss
    return (1 - u) * weights / weights.sum() + u / len(loss_history)


def importance_weighted_loss(losses, t, probabilities):
    r"""L/(T p_t): losses at levels drawn with probabilities p count, on average, as if all levels were equally likely.

    Raises ValueError if t is not an integer in 1..T for each loss, or probabilities is not [T], of sum 1 and positive where
    they are needed.  Source: Nichol & Dhariwal 2021, eq. 18.
    [B], [B], [T] -> [B]
    """
    require_rank(1, losses=losses, probabilities=probabilities)
    count = len(probabilities)
    require_integers(t=t)
    require(t.shape == losses.shape, f"t has shape {list(t.shape)}; it must be {list(losses.shape)}, a level for every loss")
    require_values("t", t, lambda t: (t >= 1) & (t <= count), f"in 1..{count}")
    require_values("probabilities", probabilities.sum(), lambda total: (total - 1).abs() <= 1e-5, "1 in sum (shown)")
    drawn = probabilities[as_int64(t) - 1]
    if values_are_free(drawn):
        require_values("probabilities[t]", drawn, lambda p: p > 0, "positive for every sampled t")
    return losses / (count * drawn).to(losses.dtype)
