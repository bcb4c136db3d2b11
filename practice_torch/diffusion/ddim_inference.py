"""Inference with DDIM: which levels to visit, the way down from noise, the way up to it, and the way between two noises."""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_one_each,
    require_same_shape,
    require_timesteps,
    require_values,
)
from practice_torch.diffusion._arguments import require_clip, require_noises, require_signal
from practice_torch.diffusion._jumps import require_eta, step
from practice_torch.mathematics.levels import as_rows, level_at, per_example

_PARALLEL = 1 - 1e-6  # cosines beyond this count as parallel: between such vectors there is no arc to speak of, or no one arc


def sampling_timesteps(*, num_steps, num_train_steps, spacing="trailing"):
    r"""S = num_steps of the levels 1..T, T = num_train_steps, from high to low.

    "trailing": round(T - i T/S), i = 0..S-1, from T down.  "leading": 1 + i floor(T/S), down to 1 but not from T.  "linspace":
    1 + round(i (T-1)/(S-1)), from T down to 1; T alone where S = 1.  Halves are rounded to the even neighbor.
    Raises ValueError unless 1 <= num_steps <= num_train_steps and spacing is one of the three.
    Source: Song, Meng & Ermon 2021, appendix D; Lin et al. 2023, section 3.3.
    -> [S]
    """
    require_at_least(1, num_steps=num_steps)
    allowed = f"it must be at most num_train_steps, {num_train_steps}: there are no more levels to visit"
    require(num_steps <= num_train_steps, f"num_steps is {num_steps}; {allowed}")
    down = torch.arange(num_steps - 1, -1, -1)
    match spacing:
        case "trailing":
            return _rounded_ratio((down + 1) * num_train_steps, num_steps)
        case "leading":
            return 1 + down * (num_train_steps // num_steps)
        case "linspace" if num_steps == 1:
            return torch.tensor([num_train_steps])
        case "linspace":
            return 1 + _rounded_ratio(down * (num_train_steps - 1), num_steps - 1)
    raise ValueError(f"spacing is {spacing!r}; it must be 'trailing', 'leading' or 'linspace'")


def ddim_sample(x_T, noises, timesteps, denoise_fn, alpha_bar, *, eta=0.0, clip=None):
    r"""x_0 at the end of the ddim_steps from timesteps[0] to timesteps[1] .. to 0, with noises[i] in the step from timesteps[i].

    denoise_fn(x, t) predicts the noise in x: [B, ...] at the levels t: [B].
    Raises ValueError if timesteps are not falling integers in 1..T, at least one, noises is not one array like x_T for each of
    them, alpha_bar is no schedule or 0 where it is visited, eta is negative or too large, or clip is not positive.
    Source: Song, Meng & Ermon 2021, eq. 12 and section 4.2.
    [B, ...], [S, B, ...], [S], [T+1] -> [B, ...]
    """
    _require_path(timesteps, alpha_bar)
    timesteps = as_int64(timesteps)
    require_noises(x_T, noises, len(timesteps), "timesteps")
    require_clip(clip)
    require_eta(timesteps, _shifted(timesteps), alpha_bar, eta)
    x = x_T
    for level, arrival, noise in zip(timesteps, _shifted(timesteps), noises, strict=True):
        t, s = level.expand(len(x)), arrival.expand(len(x))
        x = step(x, denoise_fn(x, t), noise, t, s, alpha_bar, eta, clip)
    return x


def ddim_invert(x0, timesteps, denoise_fn, alpha_bar):
    r"""x at the level timesteps[0] from which ddim_sample (eta = 0) comes back to about x_0: the same steps, upward.

    From s to t > s: x_t = sqrt(a_t) (x_s - sqrt(1 - a_s) e)/sqrt(a_s) + sqrt(1 - a_t) e with e = denoise_fn(x_s, t).  The way
    back will evaluate it at x_t, which is not known yet; at x_s the noise is nearly the same.  Level 0 is never evaluated.
    Raises ValueError if timesteps are not falling integers in 1..T, at least one, or alpha_bar is no schedule or 0 where it is
    visited.  Source: Song, Meng & Ermon 2021, section 4.3; Dhariwal & Nichol 2021.
    [B, ...], [S], [T+1] -> [B, ...]
    """
    _require_path(timesteps, alpha_bar)
    timesteps = as_int64(timesteps)
    require(x0.ndim >= 1, "x0 has no axes; the first one is the batch")
    x = x0
    for level, departure in zip(timesteps.flip(0), _shifted(timesteps).flip(0), strict=True):
        t, s = level.expand(len(x)), departure.expand(len(x))
        after, before = level_at(t, alpha_bar), level_at(s, alpha_bar)
        kept = (after / before).sqrt()
        grown = (1 - after).sqrt() - kept * (1 - before).sqrt()  # noise of level t, less what x_s brings along
        x = per_example(kept, x) * x + per_example(grown, x) * denoise_fn(x, t)
    return x


def spherical_interpolation(a, b, weight):
    r"""(sin((1 - w) theta) a + sin(w theta) b)/sin(theta), theta the angle between a and b, all their axes but the first as one.

    (1 - w) a + w b where |cos(theta)| > 1 - 1e-6, or where one of them is zero: there is no arc from one to the other, or no one
    arc.  Raises ValueError if the shapes of a and b differ, or weight is not one for each example.
    Source: Song, Meng & Ermon 2021, appendix D.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(a=a, b=b)
    require_one_each(a, weight=weight)
    flat_a, flat_b = as_rows(a), as_rows(b)
    squared_a, squared_b = flat_a.square().sum(1), flat_b.square().sum(1)
    dot = (flat_a * flat_b).sum(1)
    # as a product, so that a zero counts as parallel to everything
    curved = dot.abs() < _PARALLEL * squared_a.sqrt() * squared_b.sqrt()
    length_a, length_b = (squared.where(curved, 1.0).sqrt()[:, None] for squared in (squared_a, squared_b))
    # Kahan's angle: the sum and the difference of vectors of one length are the diagonals of a rhombus.
    across, along = ((flat_a / length_a + sign * flat_b / length_b).square().sum(1) for sign in (-1, 1))
    angle = 2 * torch.atan2(across.where(curved, 1.0).sqrt(), along.where(curved, 1.0).sqrt())
    of_a = (torch.sin((1 - weight) * angle) / torch.sin(angle)).where(curved, 1 - weight)
    of_b = (torch.sin(weight * angle) / torch.sin(angle)).where(curved, weight)
    return per_example(of_a, a) * a + per_example(of_b, b) * b


def _rounded_ratio(numerators, denominator):
    """Integer division rounded half to even; a single division of exact integers, so that halves are exact."""
    return (numerators.double() / denominator).round().long()


def _shifted(timesteps):
    """The target level of each step: the next level, and finally the data."""
    return torch.cat([timesteps[1:], timesteps.new_zeros(1)])


def _require_path(timesteps, alpha_bar):
    require_timesteps(alpha_bar, timesteps=timesteps)
    require(len(timesteps) >= 1, "timesteps is empty; there is at least one step to the data")
    require_values("timesteps", timesteps, lambda t: torch.diff(t, prepend=t[:1] + 1) < 0, "below the one before it")
    require_signal("alpha_bar[timesteps]", level_at(timesteps, alpha_bar))
