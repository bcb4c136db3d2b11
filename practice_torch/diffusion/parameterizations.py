"""Parameterizations: the noise, the data, their velocity, the score or the step's mean as what a network predicts."""

import torch

from practice_torch.arguments import require, require_same_shape, require_timesteps, require_values, values_are_free
from practice_torch.mathematics.levels import beta_at, level_at, per_example

_KINDS = ("noise", "x0", "velocity", "score", "mean")


def x0_from_noise(x_t, noise, t, alpha_bar):
    r"""x_0 = (x_t - sqrt(1 - a_t) noise) / sqrt(a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, or a_t = 0: pure noise does not
    tell the data.  Source: Ho et al. 2020, section 3.2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x_t=x_t, noise=noise)
    _require_data_left(t, alpha_bar)
    return (x_t - sin * noise) / cos


def noise_from_x0(x_t, x0, t, alpha_bar):
    r"""noise = (x_t - sqrt(a_t) x_0) / sqrt(1 - a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, section 3.2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x_t=x_t, x0=x0)
    return (x_t - cos * x0) / sin


def velocity(x0, noise, t, alpha_bar):
    r"""v = sqrt(a_t) noise - sqrt(1 - a_t) x_0: how x_t moves as its angle phi grows, cos(phi) = sqrt(a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x0=x0, noise=noise)
    return cos * noise - sin * x0


def x0_from_velocity(x_t, velocity, t, alpha_bar):
    r"""x_0 = sqrt(a_t) x_t - sqrt(1 - a_t) v: the rotation undone; also where a_t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x_t=x_t, velocity=velocity)
    return cos * x_t - sin * velocity


def noise_from_velocity(x_t, velocity, t, alpha_bar):
    r"""noise = sqrt(1 - a_t) x_t + sqrt(a_t) v: the rotation undone; also where a_t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x_t=x_t, velocity=velocity)
    return sin * x_t + cos * velocity


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
    _, sin = _angle(t, alpha_bar, x_t=x_t, prediction=prediction)
    _require_kind(source=source, target=target)
    if source == target:
        return prediction
    if source == "score":
        source, prediction = "noise", -sin * prediction
    scale = 1.0
    if target == "score":
        target, scale = "noise", -1 / sin
    if source != target:
        if "mean" in (source, target) or source == "noise":
            _require_data_left(t, alpha_bar)
        (p, q), (of_x_t, of_v) = _in_the_plane(source, t, alpha_bar), _in_the_plane(target, t, alpha_bar)
        slope = of_v / q
        prediction = per_example(slope, x_t) * prediction + per_example(of_x_t - slope * p, x_t) * x_t
    return scale * prediction


def loss_ratio(t, alpha_bar, *, target):
    r"""||error of the target||^2 / ||error of the noise||^2 of one and the same network at x_t.

    noise: 1;  x0: (1 - a)/a;  velocity: 1/a;  score: 1/(1 - a);  mean: beta^2/((1 - a)(1 - beta)).  Where a_t = 0, errors of x0
    and of velocity outweigh those of the noise infinitely.

    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, target is another word, or beta_t = 1 for a mean.
    Source: Salimans & Ho 2022, section 4 and appendix D; Ho et al. 2020, eq. 12.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    _require_kind(target=target)
    a = level_at(t, alpha_bar)
    match target:
        case "noise":
            return torch.ones_like(a)
        case "x0":
            return (1 - a) / a
        case "velocity":
            return 1 / a
        case "score":
            return 1 / (1 - a)
        case "mean":
            _require_data_left(t, alpha_bar)
            return beta_at(t, alpha_bar).square() * level_at(t - 1, alpha_bar) / (a * (1 - a))


def _angle(t, alpha_bar, **tensors):
    """cos(phi) = sqrt(a_t) and sin(phi) = sqrt(1 - a_t) of every example, once all that meets at x_t has been checked."""
    require_same_shape(**tensors)
    x = next(iter(tensors.values()))
    require_timesteps(alpha_bar, x, t=t)
    kept = level_at(t, alpha_bar)
    return per_example(kept.sqrt(), x), per_example((1 - kept).sqrt(), x)


def _in_the_plane(kind, t, alpha_bar):
    """The two numbers (p, q), [B] each, with which the kind is p x_t + q v. x_t and v are at right angles: none is ever infinite,
    and at t = 1 the mean has, to the last bit, those of x_0."""
    kept = level_at(t, alpha_bar)
    cos, sin = kept.sqrt(), (1 - kept).sqrt()
    match kind:
        case "noise":
            return sin, cos
        case "x0":
            return cos, -sin
        case "velocity":
            return torch.zeros_like(cos), torch.ones_like(cos)
        case "mean":
            before = level_at(t - 1, alpha_bar)
            return (kept / before).sqrt(), -sin * before.sqrt() * (beta_at(t, alpha_bar) / (1 - kept))


def _require_kind(**kinds):
    for name, kind in kinds.items():
        require(kind in _KINDS, f"{name} is {kind!r}; it must be one of {', '.join(_KINDS)}")


def _require_data_left(t, alpha_bar):
    allowed = "a step that leaves some of the data: alpha_bar is 0 there, and noise alone does not tell them"
    if values_are_free(alpha_bar):
        require_values("t", t, lambda t: alpha_bar[t] > 0, allowed)
