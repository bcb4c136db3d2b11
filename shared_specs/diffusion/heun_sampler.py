"""Contracts of Heun's sampler (Karras et al. 2022, algorithms 1 and 2)."""

import numpy as np

from shared_specs.diffusion._cases import IMAGES, X, at, column
from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, given, normal, uniform, zeros

SIGMA, AFTER = uniform(5, low=0.5, high=3.0), uniform(5, low=0.05, high=3.0)
SOME_END = [0.7, 0.0, 2.5, 0.0, 1.0]  # two of five steps end at the data, one goes to more noise
PATH, NOISES = [3.0, 1.0, 0.4, 0.0], normal(3, 5, 3)
LONG = [80.0, 24.408346, 5.8389092, 0.9653873, 0.085064, 0.002, 0.0]
POWER = Cancels(13.0, "roots are differences of numbers of size 1.87; the power of 7 makes their rounding up to 7 times larger")


def bent(x, sigma):
    """An estimate of the data that is no straight line."""
    return 0.8 * x / (1 + x * x / 8) / (1 + at(x, sigma)) + at(x, sigma) / 10


def normal_data(x, sigma):
    """The best estimate of data N(0, 1)."""
    return x / (1 + at(x, sigma) * at(x, sigma))


def fourth(x, sigma):
    """A quarter of x and the level."""
    return x / 4 + at(x, sigma)


def at_home(x, sigma):
    """Data that are all 3."""
    return x * 0 + 3.0


def cut(x, sigma):
    """An estimate that loses an entry."""
    return x[:, 1:]


def _end(f, x, levels, step="heun_step"):
    for now, after in zip(levels[:-1], levels[1:], strict=True):
        x = getattr(f, step)(x, np.full(len(x), now), np.full(len(x), after), normal_data)
    return x


def _order(step, order):
    return Law.limit(
        f"{step}: order {order:g} on normal data",
        given(x=[[1.0, -2.0]]),
        at=(1 / 8, 1 / 16, 1 / 32),
        order=order,
        value=lambda f, h, x: _end(f, x, np.linspace(2.0, 0.5, round(1.5 / h) + 1), step),
        limit=lambda f, x: x * (1.25 / 5) ** 0.5,
    )


SPEC = (
    # The levels.
    Agree("karras_sigmas", "18 steps", given(num_steps=18), cancels=POWER),
    Agree("karras_sigmas", "other ends, steps that are equal", given(num_steps=5, sigma_min=0.5, sigma_max=2.5, rho=1.0)),
    Agree("karras_sigmas", "one step", given(num_steps=1)),
    Anchor("karras_sigmas", "squares", given(num_steps=3, sigma_min=1.0, sigma_max=9.0, rho=2.0), gives=[9.0, 4.0, 1.0, 0.0],
           source="3, 2 and 1 squared", near_misses={"roots": [9.0, 5.0, 1.0, 0.0], "rising": [1.0, 4.0, 9.0, 0.0],
                                                     "in the logarithm": [9.0, 3.0, 1.0, 0.0], "no 0": [9.0, 4.0, 1.0, 1.0]}),
    Rejects("karras_sigmas", "no step", given(num_steps=0), blames="num_steps"),
    Rejects("karras_sigmas", "a least level of 0", given(num_steps=3, sigma_min=0.0), blames="sigma_min"),
    Rejects("karras_sigmas", "ends exchanged", given(num_steps=3, sigma_min=2.0, sigma_max=1.0), blames="sigma_max"),
    Rejects("karras_sigmas", "an exponent of 0", given(num_steps=3, rho=0.0), blames="rho"),
    # A step.
    *(
        row
        for step in ("denoising_euler_step", "heun_step")
        for row in (
            Agree(step, "regular", given(x=X, sigma=SIGMA, sigma_next=AFTER, denoise_fn=bent)),
            Agree(step, "some end at the data", given(x=X, sigma=SIGMA, sigma_next=SOME_END, denoise_fn=bent),
                  differentiate=("x", "sigma")),
            Agree(step, "images, from far", given(x=IMAGES, sigma=[80.0, 1e-3], sigma_next=[58.0, 0.0], denoise_fn=bent),
                  differentiate=("x",)),
            Law.equal(f"{step}: the estimate itself where there is no noise left", given(x=X, sigma=SIGMA),
                      left=lambda f, x, sigma, step=step: getattr(f, step)(x, sigma, 0 * sigma, bent),
                      right=lambda f, x, sigma: bent(x, sigma)),
            Law.equal(f"{step}: a straight line to a point", given(x=X, sigma=SIGMA, after=AFTER),
                      left=lambda f, x, sigma, after, step=step: getattr(f, step)(x, sigma, after, at_home),
                      right=lambda f, x, sigma, after: 3 + column(after / sigma) * (x - 3)),
            Rejects(step, "level 0", given(x=zeros(2, 3), sigma=[1.0, 0.0], sigma_next=[0.5, 0.0], denoise_fn=bent),
                    blames="sigma"),
            Rejects(step, "below the data", given(x=zeros(2, 3), sigma=[1.0, 2.0], sigma_next=[0.5, -0.1], denoise_fn=bent),
                    blames="sigma_next"),
            Rejects(step, "one level for all", given(x=zeros(2, 3), sigma=[1.0], sigma_next=[0.5, 0.5], denoise_fn=bent),
                    blames="sigma"),
            Rejects(step, "an estimate that loses an entry", given(
                x=zeros(2, 3), sigma=[1.0, 2.0], sigma_next=[0.5, 0.5], denoise_fn=cut), blames="denoise_fn"),
        )
    ),
    Anchor("denoising_euler_step", "from 2 to 1", given(x=[[8.0]], sigma=[2.0], sigma_next=[1.0], denoise_fn=fourth),
           gives=[[6.0]], source="D = 4, so 8 - (8 - 4)/2",
           near_misses={"not divided": [[4.0]], "the sign": [[10.0]], "by the end's level": [[4.0]], "the estimate": [[4.0]]}),
    Anchor("heun_step", "from 2 to 1", given(x=[[8.0]], sigma=[2.0], sigma_next=[1.0], denoise_fn=fourth), gives=[[5.25]],
           source="slopes 2 and (6 - 2.5)/1",
           near_misses={"Euler": [[6.0]], "the second slope by the first level": [[6.125]], "the second slope alone": [[4.5]],
                        "the first level as argument": [[5.75]], "summed": [[2.5]]}),
    _order("denoising_euler_step", 1.0),
    _order("heun_step", 2.0),
    # Fresh noise.
    Agree("churn", "regular", given(x=X, noise=normal(5, 3), sigma=SIGMA, gamma=0.3)),
    Agree("churn", "images, nothing added", given(x=IMAGES, noise=normal(2, 3, 4, 5), sigma=[0.0, 2.0], gamma=0.0)),
    Anchor("churn", "to five thirds of the level", given(x=[[1.0]], noise=[[2.0]], sigma=[3.0], gamma=2 / 3, noise_scale=1.5),
           gives=([[13.0]], [5.0]), source="1 + 4 * 1.5 * 2 and 3 * 5/3",
           near_misses={"the share of the level": ([[7.0]], [5.0]), "no scale": ([[9.0]], [5.0]), "the sum of squares": (
               [[1 + 3 * 34**0.5]], [5.0]), "the level of the start": ([[13.0]], [3.0]), "the variance": ([[49.0]], [5.0])}),
    Law.unbiased("with scale 1 it adds the difference of the variances", given(sigma=[0.5, 2.0]),
                 samples=lambda f, rng, draws, sigma: np.stack([f.churn(
                     np.zeros((draws, 1)), rng.standard_normal((draws, 1)), np.full(draws, one), gamma=0.25, noise_scale=1.0)[0][
                         :, 0] ** 2 / one**2 for one in sigma], axis=1), expected=0.5625, draws=4000, detects=0.12),
    Rejects("churn", "noise of another shape", given(x=zeros(2, 3), noise=zeros(2, 2), sigma=[1.0, 1.0], gamma=0.1),
            blames="noise"),
    Rejects("churn", "a negative share", given(x=zeros(2, 3), noise=zeros(2, 3), sigma=[1.0, 1.0], gamma=-0.1), blames="gamma"),
    Rejects("churn", "a negative level", given(x=zeros(2, 3), noise=zeros(2, 3), sigma=[1.0, -1.0], gamma=0.1), blames="sigma"),
    Rejects("churn", "a negative scale", given(
        x=zeros(2, 3), noise=zeros(2, 3), sigma=[1.0, 1.0], gamma=0.1, noise_scale=-1.0), blames="noise_scale"),
    # The whole way.
    Agree("heun_sample", "regular", given(x=X, noises=NOISES, sigmas=PATH, denoise_fn=bent), differentiate=("x",)),
    Agree("heun_sample", "noise at some levels", given(
        x=X, noises=NOISES, sigmas=PATH, denoise_fn=bent, churn=0.9, churn_min=0.3, churn_max=2.0, noise_scale=1.5),
          differentiate=("x", "noises")),
    Agree("heun_sample", "one step, as much noise as there may be", given(
        x=X, noises=normal(1, 5, 3), sigmas=[2.0, 0.0], denoise_fn=bent, churn=5.0), differentiate=("x", "noises")),
    Agree("heun_sample", "images, from level 80", given(
        x=IMAGES, noises=normal(6, 2, 3, 4, 5), sigmas=LONG, denoise_fn=normal_data), differentiate=("x",)),
    Anchor("heun_sample", "two steps", given(x=[[8.0]], noises=zeros(2, 1, 1), sigmas=[2.0, 1.0, 0.0], denoise_fn=fourth),
           gives=[[5.25 / 4 + 1]], source="Heun from 2 to 1, then the estimate at 5.25",
           near_misses={"Euler": [[2.5]], "not to the end": [[5.25]], "the last level twice": [[5.25 / 4]]}),
    Anchor("heun_sample", "noise of at most the level's own variance", given(
        x=[[0.0]], noises=[[[1.0]]], sigmas=[2.0, 0.0], denoise_fn=fourth, churn=5.0, noise_scale=1.0),
           gives=[[0.5 + 2 * 2**0.5]], source="x = 2 at the level 2 root 2, D = x/4 + level",
           near_misses={"not bounded": [[35**0.5 / 2 + 12.0]], "the starting level as argument": [[2.5]], "no noise": [[2.0]]}),
    Law.equal("without churn the noises have no part", given(x=X, noises=NOISES),
              left=lambda f, x, noises: f.heun_sample(x, noises, np.array(PATH), bent),
              right=lambda f, x, noises: f.heun_sample(x, np.full_like(noises, np.nan), np.array(PATH), bent)),
    Law.equal("it is its steps, one after the other", given(x=X, noises=NOISES),
              left=lambda f, x, noises: f.heun_sample(x, noises, np.array(PATH), normal_data),
              right=lambda f, x, noises: _end(f, x, PATH)),
    Rejects("heun_sample", "a noise too few", given(x=zeros(2, 3), noises=zeros(2, 2, 3), sigmas=PATH, denoise_fn=bent),
            blames="noises"),
    Rejects("heun_sample", "levels that rise", given(x=zeros(2, 3), noises=zeros(3, 2, 3), sigmas=[1.0, 2.0, 0.5, 0.0],
              denoise_fn=bent), blames="sigmas"),
    Rejects("heun_sample", "no 0 at the end", given(
        x=zeros(2, 3), noises=zeros(2, 2, 3), sigmas=[2.0, 1.0, 0.5], denoise_fn=bent), blames="sigmas"),
    Rejects("heun_sample", "one level", given(x=zeros(2, 3), noises=zeros(0, 2, 3), sigmas=[0.0], denoise_fn=bent),
            blames="sigmas"),
    Rejects("heun_sample", "a negative churn", given(x=zeros(2, 3), noises=zeros(3, 2, 3), sigmas=PATH, denoise_fn=bent,
              churn=-1.0), blames="churn"),
    Rejects("heun_sample", "a negative scale", given(x=zeros(2, 3), noises=zeros(3, 2, 3), sigmas=PATH, denoise_fn=bent,
              noise_scale=-1.0), blames="noise_scale"),
    Rejects("heun_sample", "an estimate that loses an entry", given(
        x=zeros(2, 3), noises=zeros(3, 2, 3), sigmas=PATH, denoise_fn=cut), blames="denoise_fn"),
)  # fmt: skip
