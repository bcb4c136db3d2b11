"""Inference with DDIM: which levels to visit, the way down from noise, the way up to it, and the way between two noises.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln

from theory_jax.arguments import (
    require,
    require_at_least,
    require_one_each,
    require_same_shape,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation
from theory_jax.diffusion._arguments import require_clip, require_noises, require_signal
from theory_jax.diffusion._gaussian_data import best_noise
from theory_jax.diffusion._jumps import require_eta
from theory_jax.diffusion._schedules import quarter_turn
from theory_jax.diffusion.ddim import ddim_step
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.levels import level_at, per_example

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
    back will ask at x_t, which is not known yet; at x_s the noise is nearly the same.  No network is ever asked about level 0.
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
    # The sine is the length of what b has beside a. The angle from both: an arc cosine alone is blunt near its ends.
    unit_a, unit_b = (flat / per_example(length, flat) for flat, length in zip((flat_a, flat_b), lengths, strict=True))
    cosine = jnp.sum(unit_a * unit_b, axis=1)
    beside = jnp.sum((unit_b - cosine[:, None] * unit_a) ** 2, axis=1)
    sine = jnp.sqrt(jnp.where(straight, 1.0, beside))
    angle = jnp.arctan2(sine, jnp.where(straight, 0.0, cosine))
    of_a = jnp.where(straight, 1 - weight, jnp.sin((1 - weight) * angle) / sine)
    of_b = jnp.where(straight, weight, jnp.sin(weight * angle) / sine)
    return per_example(of_a, a) * a + per_example(of_b, b) * b


def _require_path(timesteps, alpha_bar):
    require_timesteps(alpha_bar, timesteps=timesteps)
    require(jnp.shape(timesteps)[0] >= 1, "timesteps is empty; there is at least one step to the data")
    require_values("timesteps", timesteps, lambda t: np.append(True, t[1:] < t[:-1]), "below the one before it")
    require_signal("alpha_bar[timesteps]", level_at(timesteps, alpha_bar))


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Inference with DDIM: few levels, there and back",
    lectures=(38, 40),
    sources=(
        "Song, Meng & Ermon 2021, Denoising Diffusion Implicit Models, sections 4.2 and 4.3, appendix D",
        "Lin, Liu, Li & Yang 2023, Common Diffusion Noise Schedules and Sample Steps Are Flawed",
        "Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis",
    ),
)


def _down(x, levels, denoise_fn, alpha_bar):
    """ddim_sample without noise."""
    return ddim_sample(x, jnp.zeros((len(levels), *x.shape)), levels, denoise_fn, alpha_bar)


@derivation.exact(
    r"t_1 = T \text{ for trailing and linspace}, \qquad t_1 = 1 + (S - 1) \lfloor T/S \rfloor \text{ for leading}: 901"
    r" \text{ of } 1000 \text{ for } S = 10",
    because="Sampling starts from pure noise, and pure noise is what the network saw at the last level only. Spacings that count "
    "strides from 1 upward leave out the last stretch.",
)
def where_spacings_start():
    sizes = ((1, 1000), (7, 1000), (10, 1000), (50, 1000), (3, 7), (7, 7))
    firsts = [
        [sampling_timesteps(num_steps=steps, num_train_steps=top, spacing=spacing)[0] for steps, top in sizes]
        for spacing in ("trailing", "linspace", "leading")
    ]
    tops = [1000, 1000, 1000, 1000, 7, 7]
    return np.array(firsts), np.array([tops, tops, [1, 853, 901, 981, 5, 7]])


@derivation.bound(
    r"\bar\alpha_T \;\le\; \bar\alpha_{t_1}",
    because="Told that a pure noise is an x_901, the network believes that some of it is signal, and reads into it what is not "
    "there. The two agree only where every level is visited.",
)
def leading_starts_with_signal_that_is_not_there():
    alpha_bar = linear_alpha_bar(num_steps=1000)

    def signal(steps, spacing):
        return alpha_bar[sampling_timesteps(num_steps=steps, num_train_steps=1000, spacing=spacing)[0]]

    sizes = (1, 7, 10, 50, 250)
    true = jnp.stack([signal(steps, "trailing") for steps in sizes])
    believed = jnp.stack([signal(steps, "leading") for steps in sizes])
    return true, believed, (signal(1000, "trailing"), signal(1000, "leading"))


@derivation.bound(
    r"\eta = 0: \quad |x_0^{(2S)} - x_0| \;\le\; |x_0^{(S)} - x_0|, \qquad x_0 = x_T \sqrt{c / V_T}",
    tolerance=1e-5,
    since="the limit is extrapolated from S = 400 and 800, which leaves terms of order 1/S^2",
    because="Without noise a sample is a function of x_T. Fewer steps are a coarser solution of the same differential equation: "
    "the same x_T gives the same picture in 10 steps and in 800, up to the error of the steps. So x_T is a latent code, which "
    "it cannot be for a sampler that draws on the way.",
)
def the_same_noise_gives_the_same_sample():
    c, x_T, alpha_bar = jnp.array([0.1, 0.5, 3.0]), jnp.full((1, 3), 1.3), quarter_turn(800)
    found = {
        steps: _down(x_T, sampling_timesteps(num_steps=steps, num_train_steps=800), best_noise(c, alpha_bar), alpha_bar)[0]
        for steps in (10, 100, 400, 800)
    }
    flow = jnp.sqrt(c / ((1 - alpha_bar[-1]) + alpha_bar[-1] * c)) * 1.3
    errors = [jnp.abs(sample - flow) for sample in found.values()]
    return jnp.stack(errors[1:]), jnp.stack(errors[:-1]), (2 * found[800] - found[400], flow)


@derivation.numeric(
    r"\epsilon_\theta(x, t) = \epsilon(t) \;\Rightarrow\; \text{sample}(\text{invert}(x_0)) = x_0",
    tolerance=1e-10,
    because="Downward from t the noise is predicted at x_t, upward to t at x_s, with the same level t: if the prediction does "
    "not depend on x the two steps undo each other exactly, whatever the strides.",
)
def inversion_is_exact_for_noise_that_does_not_depend_on_x():
    alpha_bar = linear_alpha_bar(num_steps=1000)
    levels = sampling_timesteps(num_steps=7, num_train_steps=1000)
    x0 = jax.random.normal(jax.random.key(0), (4, 3), dtype=float)

    def by_level(x, t):
        return 0 * x + per_example(jnp.sin(t / 100.0), x)

    return _down(ddim_invert(x0, levels, by_level, alpha_bar), levels, by_level, alpha_bar), x0


@derivation.numeric(
    r"\frac{\log e(S) - \log e(2S)}{\log 2} \to 1, \qquad e(S) = |\text{sample}(\text{invert}(x_0)) - x_0|",
    tolerance=1e-3,
    since="two orders, at S = 200, 400 and 800, are extrapolated, which leaves terms of order 1/S^2",
    because="In general the prediction changes between x_s and x_t by about as much as x does, one S-th of the way. Over S steps "
    "these errors, each of order 1/S^2, sum up to one of order 1/S: reconstructions from 250 steps are nearly ten times "
    "as true as those from 25. Data that should stay what they are while they are edited need many steps, samples do not.",
)
def the_round_trip_is_of_first_order():
    c, x0, alpha_bar = jnp.array([0.1, 0.5, 3.0]), jnp.full((1, 3), 0.8), quarter_turn(800)
    denoise_fn, errors = best_noise(c, alpha_bar), []
    for steps in (200, 400, 800):
        levels = sampling_timesteps(num_steps=steps, num_train_steps=800)
        errors.append((_down(ddim_invert(x0, levels, denoise_fn, alpha_bar), levels, denoise_fn, alpha_bar) - x0)[0])
    orders = [jnp.log2(coarse / fine) for coarse, fine in zip(errors[:-1], errors[1:], strict=True)]
    return 2 * orders[1] - orders[0], jnp.ones(3)


@derivation.bound(
    r"e(250) \;\le\; e(100) \;\le\; e(50) \;\le\; e(25), \qquad e = 0 \text{ for } x_0 = 0",
    because="The same over Ho's thousand levels. Only the mean of the data, where the predicted noise is zero at every level, "
    "comes back exactly.",
)
def more_steps_bring_it_back_more_truly():
    alpha_bar, x0 = linear_alpha_bar(num_steps=1000), jnp.array([[0.8, -2.0, 0.3, 0.0]])
    denoise_fn, errors = best_noise(jnp.array([0.1, 0.5, 3.0, 1.0]), alpha_bar), []
    for steps in (25, 50, 100, 250):
        levels = sampling_timesteps(num_steps=steps, num_train_steps=1000)
        errors.append(jnp.abs(_down(ddim_invert(x0, levels, denoise_fn, alpha_bar), levels, denoise_fn, alpha_bar) - x0)[0])
    return jnp.stack(errors[1:])[:, :3], jnp.stack(errors[:-1])[:, :3], (errors[0][3:], x0[0, 3:])


@derivation.numeric(
    r"|a| = |b| = 1 \;\Rightarrow\; |\mathrm{slerp}(a, b, w)| = 1, \quad \angle(a, \mathrm{slerp}) = w \theta",
    because="The sines are those of the triangle between a, b and the point on the arc: it stays on the sphere, and moves along "
    "it at an even pace.",
)
def the_arc_stays_on_the_sphere():
    a, b = jax.random.normal(jax.random.key(1), (2, 5, 3), dtype=float)
    a, b = (v / jnp.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    weight = jnp.array([0.0, 0.2, 0.5, 0.9, 1.0])
    between = spherical_interpolation(a, b, weight)
    along = jnp.sum(a * between, axis=1)
    theta = jnp.arccos(jnp.sum(a * b, axis=1))
    return jnp.stack([jnp.linalg.norm(between, axis=1), along]), jnp.stack([jnp.ones(5), jnp.cos(weight * theta)])


@derivation.monte_carlo(
    r"a, b \sim \mathcal{N}(0, I_D): \quad \tfrac{1}{D} \mathrm{E} |\mathrm{slerp}(a, b, \tfrac12)|^2 = 1 + O(D^{-2}), \qquad"
    r" \tfrac{1}{D} \mathrm{E} \big| \tfrac{a + b}{2} \big|^2 = \tfrac12",
    because="Noises of many dimensions all have about the length sqrt(D) and stand at right angles. The middle of the chord "
    "between two of them is too short to be a noise: half the variance, and the network sees a level that it was not told. The "
    "middle of the arc is a noise like any other. Its exact second moment follows from the law of the angle, (1 + cos)/2 ~ "
    "Beta((D-1)/2, (D-1)/2): m^2 + (D - m^2)(D-2)/(D-3) with m the mean length.",
)
def the_arc_keeps_the_variance():
    dimensions = 64
    a, b = jax.random.normal(jax.random.key(2), (2, 4000, dimensions), dtype=float)
    middle = spherical_interpolation(a, b, jnp.full(4000, 0.5))
    lengths = jnp.stack([jnp.sum(middle**2, axis=1), jnp.sum(((a + b) / 2) ** 2, axis=1)], axis=1)
    mean_length = math.sqrt(2) * math.exp(gammaln((dimensions + 1) / 2) - gammaln(dimensions / 2))
    squared = mean_length**2 + (dimensions - mean_length**2) * (dimensions - 2) / (dimensions - 3)
    return lengths / dimensions, jnp.array([squared / dimensions, 0.5])


if __name__ == "__main__":
    derivation.main()
