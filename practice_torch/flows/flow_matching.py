"""Flow matching: the loss on pairs of noise and data, velocities that are exact, and the times at which to train."""

import torch

from practice_torch.arguments import (
    require,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_unit_interval,
    require_values,
)
from practice_torch.flows._arguments import velocity_at
from practice_torch.flows.probability_paths import linear_path
from practice_torch.mathematics.levels import as_rows, per_example
from practice_torch.mathematics.mixture import log_joint, mean_of_data, require_components


def conditional_flow_matching_loss(x0, x1, time, velocity_fn):
    r"""||velocity_fn(x_t, t) - (x1 - x0)||^2 at x_t = (1 - t) x0 + t x1, summed over all axes but the first.

    velocity_fn(x, time) -> the velocity, like x, with time: [B]. The least mean over all pairs is not 0: it is the variance of
    x1 - x0 given x_t.

    Raises ValueError if the shapes of x0 and x1 differ, time has not one entry in [0, 1] for each example, or velocity_fn does
    not return the shape of x0.  Source: Lipman et al. 2023, eq. 9 and 23; Liu et al. 2023, eq. 1.
    [B, ...], [B, ...], [B] -> [B]
    """
    x_t, target = linear_path(x0, x1, time)
    return as_rows(velocity_at(x_t, time, velocity_fn) - target).square().sum(1)


def marginal_velocity(x, data, time):
    r"""(E(x1 | x_t = x) - x)/(1 - t) if the N data were all there is: weights softmax_i(-||x - t x_i||^2 / (2 (1 - t)^2)).

    It is the minimizer of the loss over these data, and its flow from noise ends at them.

    Raises ValueError if the shapes do not fit, there are no data, or time has not one entry in [0, 1) for each example.
    Source: Lipman et al. 2023, eq. 8.
    [B, ...], [N, ...], [B] -> [B, ...]
    """
    require_one_each(x, time=time)
    require_values("time", time, lambda t: (t >= 0) & (t < 1), "in [0, 1): at the data themselves the velocity is not defined")
    rest = 1 - time
    return (mean_of_data(x, data, time, rest.square()) - x) / per_example(rest, x)


def mixture_velocity(x, time, means, log_vars, log_weights):
    r"""The velocity at x for data from sum_k w_k N(m_k, s_k I), s_k = e^l_k, exact: sum_k r_k (m_k + c_k (x - t m_k)).

    c_k = (t s_k - (1 - t))/V_k with V_k = (1 - t)^2 + t^2 s_k, and r_k = p(k | x_t = x) from N(x; t m_k, V_k I).

    Raises ValueError if the shapes do not fit, time has not one entry in [0, 1] for each example, an entry of log_vars is not
    finite, or the weights of log_weights do not sum to one.  Source: Lipman et al. 2023, eq. 8; Bishop 2006, section 2.3.3.
    [B, D], [B], [K, D], [K], [K] -> [B, D]
    """
    require_rank(2, x=x, means=means)
    require_one_each(x, time=time)
    require_unit_interval(time=time)
    require_components(means, log_vars)
    require_values("log_vars", log_vars, torch.isfinite, "finite: a point of data has no velocity at time 1")
    fits, wanted = means.shape[1] == x.shape[1], ["K", x.shape[1]]
    require(fits, f"means has shape {list(means.shape)}; it must be {wanted}")
    t, variances = time.to(x.dtype)[:, None], log_vars.exp()
    noised = (1 - t).square() + t.square() * variances  # [B, K]
    joint, scaled, deviations = log_joint(x, t[:, :, None] * means, noised.log(), log_weights)
    slopes = (t * variances - (1 - t)) / deviations
    return torch.einsum("bk,bkd->bd", joint.softmax(1), means - slopes[:, :, None] * scaled)


def logit_normal_times(normals, *, mean=0.0, std=1.0):
    r"""1/(1 + e^-(mean + std n)): times in (0, 1) with logit N(mean, std^2), from standard normal n; most are in the middle.

    Raises ValueError if std is not positive.  Source: Atchison & Shen 1980; Esser et al. 2024, section 3.1.
    [...] -> [...]
    """
    require_positive(std=std)
    return (mean + std * normals).sigmoid()


def data_prediction(x, velocity, time):
    r"""x + (1 - t) velocity: the end of a path that continues straight; for the marginal velocity it is E(x1 | x_t = x).

    Raises ValueError if the shapes of x and velocity differ, or time has not one entry in [0, 1] for each example.
    Source: Lipman et al. 2024, section 4.8.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x=x, velocity=velocity)
    require_one_each(x, time=time)
    require_unit_interval(time=time)
    return torch.addcmul(x, per_example(1 - time, x), velocity)
