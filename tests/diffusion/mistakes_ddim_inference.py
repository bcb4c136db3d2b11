"""Wrong forms of inference with DDIM that the rows must refuse, and other right forms that they must accept."""

import math
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import torch

from practice_torch.diffusion import ddim_inference as right
from practice_torch.diffusion.ddim import ddim_step
from tests.support.mistakes import Mistake


def _over(coefficient, x):
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _levels(*, num_steps, num_train_steps, spacing="trailing", rounding=ROUND_HALF_EVEN, offset=0, rising=False, always=None,
            one="T", fixed=False):  # fmt: skip
    spacing = spacing if always is None else always
    top = num_train_steps - 1 if fixed else num_train_steps

    def rounded(numerator, denominator):
        return int((Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), rounding=rounding))

    if spacing == "trailing":
        levels = [rounded(top * (num_steps - i), num_steps) for i in range(num_steps)]
    elif spacing == "leading":
        levels = [1 + i * (top // num_steps) for i in reversed(range(num_steps))]
    elif num_steps == 1:
        levels = [top if one == "T" else 1]
    else:
        levels = [1 + rounded((top - 1) * i, num_steps - 1) for i in reversed(range(num_steps))]
    levels = torch.tensor(levels) + offset
    return levels.flip(0) if rising else levels


def _sample(x_T, noises, timesteps, denoise_fn, alpha_bar, *, eta=0.0, clip=None, last=True, single=False, by_level=False,
            same_noise=False, asks="t", eta_to=None, clips=True):  # fmt: skip
    x = x_T
    levels = timesteps.long().tolist()
    arrivals = [*levels[1:], 0]
    eta, clip = eta if eta_to is None else eta_to, clip if clips else None
    for i, (level, arrival) in enumerate(zip(levels, arrivals, strict=True)):
        if arrival == 0 and not last:
            break
        t, s = (torch.full(x.shape[:1], value) for value in (level, level - 1 if single else arrival))
        noise = noises[0 if same_noise else len(noises) - 1 - i if by_level else i]
        x = ddim_step(x, denoise_fn(x, t if asks == "t" else s), noise, t, s, alpha_bar, eta=eta, clip=clip)
    return x


def _invert(x0, timesteps, denoise_fn, alpha_bar, *, asks="t", first=True, last=True, jump=False):
    x, upward = x0, timesteps.long().tolist()[::-1]
    moves = list(zip([0, *upward[:-1]], upward, strict=True))
    if jump:
        moves = [(0, upward[-1])]
    for s, t in moves[0 if first else 1 :][: None if last else -1]:
        noise = denoise_fn(x, torch.full(x.shape[:1], t if asks == "t" else s))
        x0_pred = (x - (1 - alpha_bar[s]).sqrt() * noise) / alpha_bar[s].sqrt()
        x = alpha_bar[t].sqrt() * x0_pred + (1 - alpha_bar[t]).sqrt() * noise
    return x


def _slerp(a, b, weight, *, unit=False, turned=False, rows=False, degrees=False, threshold=1 - 1e-6, clamp=False, signed=False,
           safe=True, batch=False):  # fmt: skip
    flat_a, flat_b = (v.flatten()[None] if batch else v.unsqueeze(-1).flatten(1) for v in (a, b))
    if rows:
        flat_a, flat_b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    w = weight.repeat_interleave(len(flat_a) // len(weight)) if rows else weight
    w = 1 - w if turned else w
    cosine = torch.nn.functional.cosine_similarity(flat_a, flat_b, dim=1, eps=1e-30).expand(len(w))
    straight = (cosine if signed else cosine.abs()) > threshold
    straight = straight | ((flat_a == 0).all(1) | (flat_b == 0).all(1))
    inner = cosine.where(~straight, 0.0) if safe else cosine
    angle = torch.acos(inner.clamp(-1 + 1e-7, 1 - 1e-7) if clamp else inner)
    angle = angle * 180 / math.pi if degrees else angle
    of_a = (torch.sin((1 - w) * angle) / torch.sin(angle)).where(~straight, 1 - w)
    of_b = (torch.sin(w * angle) / torch.sin(angle)).where(~straight, w)
    if unit:
        flat_a, flat_b = (torch.nn.functional.normalize(v, dim=1) for v in (flat_a, flat_b))
    if batch:
        return _over(of_a, a) * a + _over(of_b, b) * b
    return (of_a[:, None] * flat_a + of_b[:, None] * flat_b).reshape(a.shape)


def _lerp(a, b, weight):
    return torch.lerp(a, b, _over(weight, a))


def _by_strides(*, num_steps, num_train_steps, spacing="trailing"):
    """A well-known library's: down from T in strides of T/S, as long as they are above 0."""
    if spacing != "trailing":
        return right.sampling_timesteps(num_steps=num_steps, num_train_steps=num_train_steps, spacing=spacing)
    down = torch.arange(num_train_steps, 0, -num_train_steps / num_steps, dtype=torch.float64)
    return down.round().long()


def _in_decimals(*, num_steps, num_train_steps, spacing="trailing"):
    right.sampling_timesteps(num_steps=num_steps, num_train_steps=num_train_steps, spacing=spacing)
    return _levels(num_steps=num_steps, num_train_steps=num_train_steps, spacing=spacing)


def _by_steps(x_T, noises, timesteps, denoise_fn, alpha_bar, *, eta=0.0, clip=None):
    right.ddim_sample(x_T, noises, timesteps, denoise_fn, alpha_bar, eta=eta, clip=clip)
    return _sample(x_T, noises, timesteps, denoise_fn, alpha_bar, eta=eta, clip=clip)


def _through_the_data(x0, timesteps, denoise_fn, alpha_bar):
    right.ddim_invert(x0, timesteps, denoise_fn, alpha_bar)
    return _invert(x0, timesteps, denoise_fn, alpha_bar)


def _by_arc_cosine(a, b, weight):
    right.spherical_interpolation(a, b, weight)
    return _slerp(a, b, weight)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("sampling_timesteps", "cut off", _wrong(_levels, rounding=ROUND_DOWN)),
    Mistake("sampling_timesteps", "strides added up, one level too many for some numbers of steps", _by_strides),
    Mistake("sampling_timesteps", "halves up", _wrong(_levels, rounding=ROUND_HALF_UP)),
    Mistake("sampling_timesteps", "counted from 0", _wrong(_levels, offset=-1)),
    Mistake("sampling_timesteps", "rising", _wrong(_levels, rising=True)),
    Mistake("sampling_timesteps", "always leading", _wrong(_levels, always="leading")),
    Mistake("sampling_timesteps", "never to T", _wrong(_levels, fixed=True)),
    Mistake("sampling_timesteps", "one step of linspace at 1", _wrong(_levels, one="1")),
    Mistake(
        "sampling_timesteps",
        "more steps than levels",
        lambda *, num_steps, num_train_steps, spacing="trailing": right.sampling_timesteps(
            num_steps=min(num_steps, num_train_steps), num_train_steps=num_train_steps, spacing=spacing
        ),
        only_checks=True,
    ),
    Mistake("ddim_sample", "without the last step, to the data", _wrong(_sample, last=False)),
    Mistake("ddim_sample", "to t - 1", _wrong(_sample, single=True)),
    Mistake("ddim_sample", "noises by level", _wrong(_sample, by_level=True)),
    Mistake("ddim_sample", "one noise for all steps", _wrong(_sample, same_noise=True)),
    Mistake("ddim_sample", "the network asked about where the step goes", _wrong(_sample, asks="s")),
    Mistake("ddim_sample", "eta is forgotten", _wrong(_sample, eta_to=0.0)),
    Mistake("ddim_sample", "never clipped", _wrong(_sample, clips=False)),
    Mistake(
        "ddim_sample",
        "no check of the order",
        lambda x_T, noises, timesteps, denoise_fn, alpha_bar, **named: right.ddim_sample(
            x_T, noises, timesteps.sort(descending=True).values, denoise_fn, alpha_bar, **named
        ),
        only_checks=True,
    ),
    Mistake("ddim_invert", "the network asked about where the step starts", _wrong(_invert, asks="s")),
    Mistake("ddim_invert", "without the first step", _wrong(_invert, first=False)),
    Mistake("ddim_invert", "without the last step", _wrong(_invert, last=False)),
    Mistake("ddim_invert", "one jump", _wrong(_invert, jump=True)),
    Mistake(
        "ddim_invert",
        "the data noised with one prediction",
        lambda x0, timesteps, denoise_fn, alpha_bar: (
            alpha_bar[timesteps[0].long()].sqrt() * x0
            + (1 - alpha_bar[timesteps[0].long()]).sqrt() * denoise_fn(x0, timesteps[:1].expand(len(x0)))
        ),
    ),
    Mistake(
        "ddim_invert",
        "downward",
        lambda x0, timesteps, denoise_fn, alpha_bar: _sample(
            x0, torch.zeros(len(timesteps), *x0.shape, dtype=x0.dtype), timesteps, denoise_fn, alpha_bar
        ),
    ),
    Mistake("ddim_invert", "no check of the path", _invert, only_checks=True),
    Mistake("spherical_interpolation", "along the chord", _lerp),
    Mistake("spherical_interpolation", "of unit vectors", _wrong(_slerp, unit=True)),
    Mistake("spherical_interpolation", "weight turned around", _wrong(_slerp, turned=True)),
    Mistake("spherical_interpolation", "an angle for each row", _wrong(_slerp, rows=True)),
    Mistake("spherical_interpolation", "one angle for the batch", _wrong(_slerp, batch=True)),
    Mistake("spherical_interpolation", "angles in degrees", _wrong(_slerp, degrees=True)),
    Mistake("spherical_interpolation", "straight from cosines of 0.9995", _wrong(_slerp, threshold=0.9995)),
    Mistake("spherical_interpolation", "an arc between opposites", _wrong(_slerp, signed=True, clamp=True)),
    Mistake("spherical_interpolation", "slopes of 0/0 where there is no arc", _wrong(_slerp, safe=False)),
)

EQUIVALENT = (
    Mistake("sampling_timesteps", "in decimals", _in_decimals),
    Mistake("ddim_sample", "by the public step", _by_steps),
    Mistake("ddim_invert", "through the data", _through_the_data),
    Mistake("spherical_interpolation", "by an arc cosine", _by_arc_cosine),
)
