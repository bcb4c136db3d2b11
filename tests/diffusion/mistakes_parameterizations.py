"""Wrong forms of the parameterizations that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import parameterizations as right
from tests.support.mistakes import Mistake


def _coefficients(t, alpha_bar, x, *, power=0.5, late=0, axis=0):
    """sqrt(a_t) and sqrt(1 - a_t) next to x; power 1 forgets the roots, late reads the level before, axis is what t meets."""
    kept = alpha_bar[(t.long() - late).clamp(0, len(alpha_bar) - 1)]
    shape = (-1, *[1] * (x.ndim - 1)) if axis == 0 else (-1,)
    return (kept**power).to(x.dtype).reshape(shape), ((1 - kept) ** power).to(x.dtype).reshape(shape)


def _last_axis(x, t):
    """Where t happens to fit the last axis."""
    return 1 if x.ndim > 1 and x.shape[-1] == len(t) else 0


def _x0_from_noise(x_t, noise, t, alpha_bar, *, sign=-1, exchanged=False, **how):
    c, s = _coefficients(t, alpha_bar, x_t, **how)
    c, s = (s, c) if exchanged else (c, s)
    return (x_t + sign * s * noise) / c


def _noise_from_x0(x_t, x0, t, alpha_bar, *, sign=-1, divided=True, **how):
    c, s = _coefficients(t, alpha_bar, x_t, **how)
    return (x_t + sign * c * x0) / (s if divided else 1)


def _velocity(x0, noise, t, alpha_bar, *, sign=1, exchanged=False, plus=-1, **how):
    c, s = _coefficients(t, alpha_bar, x0, **how)
    return c * x0 + plus * s * noise if exchanged else sign * (c * noise + plus * s * x0)


def _x0_from_velocity(x_t, velocity, t, alpha_bar, *, sign=-1, exchanged=False, **how):
    c, s = _coefficients(t, alpha_bar, x_t, **how)
    c, s = (s, c) if exchanged else (c, s)
    return c * x_t + sign * s * velocity


def _x0_by_division(x_t, velocity, t, alpha_bar):
    """Through the noise: nothing is left of it where a_t = 0."""
    c, s = _coefficients(t, alpha_bar, x_t)
    return (x_t - s * (s * x_t + c * velocity)) / c


def _noise_from_velocity(x_t, velocity, t, alpha_bar, *, sign=1, exchanged=False, **how):
    c, s = _coefficients(t, alpha_bar, x_t, **how)
    c, s = (s, c) if exchanged else (c, s)
    return s * x_t + sign * c * velocity


def _converted(change, when=lambda source, target: True):
    """convert_prediction with its result (or the prediction, if change has two arguments more) changed for some pairs."""

    def wrong(prediction, x_t, t, alpha_bar, *, source, target):
        result = right.convert_prediction(prediction, x_t, t, alpha_bar, source=source, target=target)
        if source == target or not when(source, target):
            return result
        return change(result, prediction, x_t, *_coefficients(t, alpha_bar, x_t))

    return wrong


def _unfinished_score(prediction, x_t, t, alpha_bar, *, source, target):
    """score = -noise, both ways."""
    _, s = _coefficients(t, alpha_bar, x_t)
    result = right.convert_prediction(
        prediction / s if source == "score" else prediction, x_t, t, alpha_bar, source=source, target=target
    )
    return result * s if target == "score" else result


def _own_mean(of_x0, of_x_t):
    """convert_prediction with another mean of q(x_(t-1) | x_t, x_0), from coefficients (now, before) -> number."""

    def wrong(prediction, x_t, t, alpha_bar, *, source, target):
        if target != "mean" or source == target:
            return right.convert_prediction(prediction, x_t, t, alpha_bar, source=source, target=target)
        x0 = right.convert_prediction(prediction, x_t, t, alpha_bar, source=source, target="x0")
        now, before = (alpha_bar[t.long() - late].reshape(-1, *[1] * (x_t.ndim - 1)).to(x_t.dtype) for late in (0, 1))
        return of_x0(now, before) * x0 + of_x_t(now, before) * x_t

    return wrong


def _through_the_noise(prediction, x_t, t, alpha_bar, *, source, target):
    """By way of the noise: loses the data where there is nothing but noise."""
    if source == target:
        return prediction
    noise = right.convert_prediction(prediction, x_t, t, alpha_bar, source=source, target="noise")
    if target == "noise":
        return noise
    c, s = _coefficients(t, alpha_bar, x_t)
    if target == "score":
        return -noise / s
    x0 = (x_t - s * noise) / c
    return {"x0": lambda: x0, "velocity": lambda: c * noise - s * x0}.get(
        target, lambda: right.convert_prediction(noise, x_t, t, alpha_bar, source="noise", target="mean")
    )()


def _first(prediction, x_t, t, alpha_bar, *, source, target):
    """By way of the data wherever there are two steps."""
    if source == target or "noise" in (source, target) or "score" in (source, target):
        return right.convert_prediction(prediction, x_t, t, alpha_bar, source=source, target=target)
    x0 = right.convert_prediction(prediction, x_t, t, alpha_bar, source=source, target="x0")
    return right.convert_prediction(x0, x_t, t, alpha_bar, source="x0", target=target)


def _complex_velocity(x0, noise, t, alpha_bar):
    """Data and noise as one complex number, turned by minus the angle's complement: its imaginary part."""
    right.velocity(x0, noise, t, alpha_bar)  # for its checks
    c, s = _coefficients(t, alpha_bar, x0)
    return (torch.complex(c, -s) * torch.complex(x0, noise)).imag


def _ratio(t, alpha_bar, *, target, changed, wrong):
    if target not in changed:
        return right.loss_ratio(t, alpha_bar, target=target)
    t = t.long()
    return wrong(alpha_bar[t], 1 - alpha_bar[t] / alpha_bar[t - 1])


def _general(name, target):
    def other(x_t, velocity, t, alpha_bar):
        getattr(right, name)(x_t, velocity, t, alpha_bar)  # for its checks
        return right.convert_prediction(velocity, x_t, t, alpha_bar, source="velocity", target=target)

    return other


def _by_slope(t, alpha_bar, *, target):
    ratio = right.loss_ratio(t, alpha_bar, target=target)  # for its checks, and where the slope is infinite
    if bool((alpha_bar == 0).any()):
        return ratio
    one, zero = torch.ones_like(ratio), torch.zeros_like(ratio)
    return right.convert_prediction(one, zero, t, alpha_bar, source="noise", target=target).square()


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _of(changed, wrong):
    return _wrong(_ratio, changed=changed, wrong=wrong)


MISTAKES = (
    Mistake("x0_from_noise", "the coefficients exchanged", _wrong(_x0_from_noise, exchanged=True)),
    Mistake("x0_from_noise", "the noise added", _wrong(_x0_from_noise, sign=1)),
    Mistake("x0_from_noise", "levels for their roots", _wrong(_x0_from_noise, power=1.0)),
    Mistake("x0_from_noise", "one step late", _wrong(_x0_from_noise, late=1)),
    Mistake("x0_from_noise", "clipped", lambda x_t, noise, t, alpha_bar:
            right.x0_from_noise(x_t, noise, t, alpha_bar).clamp(-1, 1)),
    Mistake("x0_from_noise", "noise alone is divided by a small number", lambda x_t, noise, t, alpha_bar:
            right.x0_from_noise(x_t, noise, t, alpha_bar.clamp(min=1e-8)), only_checks=True),
    Mistake("noise_from_x0", "the data added", _wrong(_noise_from_x0, sign=1)),
    Mistake("noise_from_x0", "not divided", _wrong(_noise_from_x0, divided=False)),
    Mistake("noise_from_x0", "levels for their roots", _wrong(_noise_from_x0, power=1.0)),
    Mistake("noise_from_x0", "of unclipped data", lambda x_t, x0, t, alpha_bar:
            right.noise_from_x0(x_t, x0.clamp(-1, 1), t, alpha_bar)),
    Mistake("noise_from_x0", "no check of t", _noise_from_x0, only_checks=True),
    Mistake("velocity", "the other sign", _wrong(_velocity, sign=-1)),
    Mistake("velocity", "data and noise exchanged", _wrong(_velocity, exchanged=True)),
    Mistake("velocity", "the sum", _wrong(_velocity, plus=1)),
    Mistake("velocity", "levels for their roots", _wrong(_velocity, power=1.0)),
    Mistake("velocity", "t along the last axis", lambda x0, noise, t, alpha_bar:
            _velocity(x0, noise, t, alpha_bar, axis=_last_axis(x0, t))),
    Mistake("velocity", "noise minus data, that of flow matching", lambda x0, noise, t, alpha_bar: noise - x0),
    Mistake("x0_from_velocity", "the other sign", _wrong(_x0_from_velocity, sign=1)),
    Mistake("x0_from_velocity", "the roots exchanged", _wrong(_x0_from_velocity, exchanged=True)),
    Mistake("x0_from_velocity", "levels for their roots", _wrong(_x0_from_velocity, power=1.0)),
    Mistake("x0_from_velocity", "divided by the signal", _x0_by_division),
    Mistake("noise_from_velocity", "the other sign", _wrong(_noise_from_velocity, sign=-1)),
    Mistake("noise_from_velocity", "the roots exchanged", _wrong(_noise_from_velocity, exchanged=True)),
    Mistake("noise_from_velocity", "levels for their roots", _wrong(_noise_from_velocity, power=1.0)),
    Mistake("convert_prediction", "the score is minus the noise", _unfinished_score),
    Mistake("convert_prediction", "the score's other sign", _converted(
        lambda result, *_: -result, lambda source, target: "score" in (source, target))),
    Mistake("convert_prediction", "the velocity's other sign", _converted(
        lambda result, *_: -result, lambda source, target: target == "velocity")),
    Mistake("convert_prediction", "clipped data, and a velocity that was not clipped", _converted(
        lambda result, *_: result.clamp(-1, 1), lambda source, target: target == "x0")),
    Mistake("convert_prediction", "what was requested is there already", lambda prediction, x_t, t, alpha_bar, *, source, target:
            prediction),
    Mistake("convert_prediction", "the mean's coefficients exchanged", _own_mean(
        lambda now, before: (now / before).sqrt() * (1 - before) / (1 - now),
        lambda now, before: before.sqrt() * (1 - now / before) / (1 - now))),
    Mistake("convert_prediction", "the mean with 1 - beta for its root", _own_mean(
        lambda now, before: before.sqrt() * (1 - now / before) / (1 - now),
        lambda now, before: now / before * (1 - before) / (1 - now))),
    Mistake("convert_prediction", "the mean with the later level's root", _own_mean(
        lambda now, before: now.sqrt() * (1 - now / before) / (1 - now),
        lambda now, before: (now / before).sqrt() * (1 - before) / (1 - now))),
    Mistake("convert_prediction", "through the noise, where there is nothing else", _through_the_noise),
    Mistake("convert_prediction", "identity through the velocity", _converted(
        lambda result, prediction, x_t, c, s: result * 1.0000001)),
    Mistake("convert_prediction", "noise tells the data from noise alone", lambda prediction, x_t, t, alpha_bar, **words:
            right.convert_prediction(prediction, x_t, t, torch.where(alpha_bar == 0, 1e-9, alpha_bar)
                                     if words["source"] in ("noise", "score") else alpha_bar, **words), only_checks=True),
    Mistake("loss_ratio", "the noise's weight for the data's", _of(("x0",), lambda a, beta: a / (1 - a))),
    Mistake("loss_ratio", "the ratio of errors, not of their squares", _of(("x0",), lambda a, beta: ((1 - a) / a).sqrt())),
    Mistake("loss_ratio", "seen from the data", _of(("velocity",), lambda a, beta: a / (1 - a) + 1)),
    Mistake("loss_ratio", "the score's with the data's level", _of(("score",), lambda a, beta: 1 / a)),
    Mistake("loss_ratio", "the mean's without 1 - beta", _of(("mean",), lambda a, beta: beta**2 / (1 - a))),
    Mistake("loss_ratio", "the mean's with beta for its square", _of(("mean",), lambda a, beta: beta / ((1 - a) * (1 - beta)))),
    Mistake("loss_ratio", "the bound's weight for the mean's", _of(
        ("mean",), lambda a, beta: beta / (2 * (1 - a) * (1 - beta)))),
    Mistake("loss_ratio", "all alike", _of(("noise", "x0", "velocity", "score", "mean"), lambda a, beta: torch.ones_like(a))),
    Mistake("loss_ratio", "infinity cut off", lambda t, alpha_bar, *, target:
            right.loss_ratio(t, alpha_bar, target=target).clamp(max=1e8)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("velocity", "the imaginary part of a turned complex number", _complex_velocity),
    Mistake("convert_prediction", "by way of the data", _first),
    Mistake("x0_from_velocity", "through convert_prediction", _general("x0_from_velocity", "x0")),
    Mistake("noise_from_velocity", "through convert_prediction", _general("noise_from_velocity", "noise")),
    Mistake("loss_ratio", "the slope of the conversion, squared", _by_slope),
)
