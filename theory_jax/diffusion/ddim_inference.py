"""Inference with DDIM: which levels to visit, the way down from noise, the way up to it, and the way between two noises."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_one_each,
    require_same_shape,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.diffusion._arguments import require_clip, require_noises, require_signal
from theory_jax.diffusion._jumps import require_eta
from theory_jax.diffusion.ddim import ddim_step
from theory_jax.mathematics.levels import level_at, per_example

_PARALLEL = 1 - 1e-6  # cosines beyond this count as parallel: between such vectors there is no arc to speak of, or no one arc


def sampling_timesteps(*, num_steps, num_train_steps, spacing="trailing"):
    r"""S = num_steps of the levels 1..T, T = num_train_steps, from high to low.

    "trailing": round(T - i T/S), i = 0..S-1, from T down.  "leading": 1 + i floor(T/S), down to 1 but not from T.  "linspace":
    1 + round(i (T-1)/(S-1)), from T down to 1; T alone where S = 1.  Halves are rounded to the even neighbor.
    Raises ValueError unless 1 <= num_steps <= num_train_steps and spacing is one of the three.
    Source: Song, Meng & Ermon 2021, appendix D; Lin et al. 2023, section 3.3.
    -> [S]
    """
    steps, top = num_steps, num_train_steps
    require_at_least(1, num_steps=steps)
    require(steps <= top, f"num_steps is {steps}; it must be at most num_train_steps, {top}: there are no more levels to visit")
    if spacing == "trailing":
        levels = [round(Fraction(top * i, steps)) for i in range(1, steps + 1)]  # in fractions a half is a half
    elif spacing == "leading":
        levels = [1 + i * (top // steps) for i in range(steps)]
    elif spacing == "linspace":
        levels = [1 + round(Fraction((top - 1) * i, steps - 1)) for i in range(steps)] if steps > 1 else [top]
    else:
        raise ValueError(f"spacing is {spacing!r}; it must be 'trailing', 'leading' or 'linspace'")
    return jnp.array(levels[::-1])


def ddim_sample(x_T, noises, timesteps, denoise_fn, alpha_bar, *, eta=0.0, clip=None):
    r"""x_0 at the end of the ddim_steps from timesteps[0] to timesteps[1] .. to 0, with noises[i] in the step from timesteps[i].

    denoise_fn(x, t) predicts the noise in x: [B, ...] at the levels t: [B].
    Raises ValueError if timesteps are not falling integers in 1..T, at least one, noises is not one array like x_T for each of
    them, alpha_bar is no schedule or 0 where it is visited, eta is negative or too large, or clip is not positive.
    Source: Song, Meng & Ermon 2021, eq. 12 and section 4.2.
    [B, ...], [S, B, ...], [S], [T+1] -> [B, ...]
    """
    _require_path(timesteps, alpha_bar)
    require_noises(x_T, noises, jnp.shape(timesteps)[0], "timesteps")
    require_clip(clip)
    timesteps = widened(timesteps)
    arrivals = jnp.append(timesteps[1:], 0)
    require_eta(timesteps, arrivals, alpha_bar, eta)

    def step(x, at):
        noise, *levels = at
        t, s = (jnp.full(x.shape[0], level) for level in levels)
        return ddim_step(x, denoise_fn(x, t), noise, t, s, alpha_bar, eta=eta, clip=clip), None

    return jax.lax.scan(step, x_T, (noises, timesteps, arrivals))[0]


def ddim_invert(x0, timesteps, denoise_fn, alpha_bar):
    r"""x at the level timesteps[0] from which ddim_sample (eta = 0) comes back to about x_0: the same steps, upward.

    From s to t > s: x_t = sqrt(a_t) (x_s - sqrt(1 - a_s) e)/sqrt(a_s) + sqrt(1 - a_t) e with e = denoise_fn(x_s, t).  The way
    back will evaluate it at x_t, which is not known yet; at x_s the noise is nearly the same.  Level 0 is never evaluated.
    Raises ValueError if timesteps are not falling integers in 1..T, at least one, or alpha_bar is no schedule or 0 where it is
    visited.  Source: Song, Meng & Ermon 2021, section 4.3; Dhariwal & Nichol 2021.
    [B, ...], [S], [T+1] -> [B, ...]
    """
    _require_path(timesteps, alpha_bar)
    require(jnp.ndim(x0) >= 1, "x0 has no axes; the first one is the batch")
    upward = widened(timesteps)[::-1]
    departures = jnp.append(0, upward[:-1])

    def step(x_s, levels):
        s, t = (jnp.full(x_s.shape[0], level) for level in levels)
        a_s, a_t = (per_example(level_at(level, alpha_bar), x_s) for level in (s, t))
        noise = denoise_fn(x_s, t)
        x0_pred = (x_s - jnp.sqrt(1 - a_s) * noise) / jnp.sqrt(a_s)
        return jnp.sqrt(a_t) * x0_pred + jnp.sqrt(1 - a_t) * noise, None

    return jax.lax.scan(step, x0, (departures, upward))[0]


def spherical_interpolation(a, b, weight):
    r"""(sin((1 - w) theta) a + sin(w theta) b)/sin(theta), theta the angle between a and b, all their axes but the first as one.

    (1 - w) a + w b where |cos(theta)| > 1 - 1e-6, or where one of them is zero: there is no arc from one to the other, or no one
    arc.  Raises ValueError if the shapes of a and b differ, or weight is not one for each example.
    Source: Song, Meng & Ermon 2021, appendix D.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(a=a, b=b)
    require_one_each(a, weight=weight)
    flat_a, flat_b = (jax.lax.collapse(array, 1) for array in (a, b))
    squares = jnp.stack([jnp.sum(flat**2, axis=1) for flat in (flat_a, flat_b)])
    dot = jnp.sum(flat_a * flat_b, axis=1)
    some = jnp.all(squares > 0, axis=0)
    lengths = jnp.sqrt(jnp.where(some, squares, 1.0))
    straight = ~some | (jnp.abs(dot / lengths[0] / lengths[1]) > _PARALLEL)
    # The sine is the length of what b has next to a. The angle from both: an arc cosine alone is blunt near its ends.
    unit_a, unit_b = (flat / per_example(length, flat) for flat, length in zip((flat_a, flat_b), lengths, strict=True))
    cosine = jnp.sum(unit_a * unit_b, axis=1)
    rest = jnp.sum((unit_b - cosine[:, None] * unit_a) ** 2, axis=1)
    sine = jnp.sqrt(jnp.where(straight, 1.0, rest))
    angle = jnp.arctan2(sine, jnp.where(straight, 0.0, cosine))
    of_a = jnp.where(straight, 1 - weight, jnp.sin((1 - weight) * angle) / sine)
    of_b = jnp.where(straight, weight, jnp.sin(weight * angle) / sine)
    return per_example(of_a, a) * a + per_example(of_b, b) * b


def _require_path(timesteps, alpha_bar):
    require_timesteps(alpha_bar, timesteps=timesteps)
    require(jnp.shape(timesteps)[0] >= 1, "timesteps is empty; there is at least one step to the data")
    require_values("timesteps", timesteps, lambda t: np.append(True, t[1:] < t[:-1]), "below the one before it")
    require_signal("alpha_bar[timesteps]", level_at(timesteps, alpha_bar))
