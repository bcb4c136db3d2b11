"""Parts of the lecture on inpainting: data that are not normal, and chains of replacement and of RePaint on normal data."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log, sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import Slope, Total, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.forward_process import forward_from
from theory_jax.diffusion.inpainting import replacement_step


def other_data(derivation, a, u, k):
    """Adds to the lecture the slope of the prediction for finitely many data points."""
    derivation.say(r"For other data the predictions are no straight lines. The data are now one of finitely many points.")
    i = derivation.index("i", "a data point")
    p = derivation.law("p", i, "its probability")
    us, ks = derivation.numbers("u", i, "its unknown entry"), derivation.numbers("k", i, "its known entry")
    likely = derivation.define(
        r"\ell",
        p * exp((sqrt(a) * (us * u + ks * k) - a * (us**2 + ks**2) / 2) / (1 - a)),
        "the point's probability given $u$ and $k$, up to a factor",
        over=i,
    )

    def mean(values):
        return Total(i, likely * values) / Total(i, likely)

    derivation.chain(
        "The slope of the prediction is a covariance",
        Slope(mean(ks), u),
        equals(
            times(sqrt(a) / (1 - a), mean(us * ks) - mean(us) * mean(ks)),
            prose("the quotient rule; {slope}", slope=holds(Slope(log(likely), u), "=", times(sqrt(a) / (1 - a), us))),
            wrong={"not centered": times(sqrt(a) / (1 - a), mean(us * ks)), "the factor": mean(us * ks) - mean(us) * mean(ks)},
        ),
        states=2,
        so=r"So guidance with the variance $V$ of $k_0$ given $(u, k)$ adds $\frac{\sqrt a}{1 - a}\, \frac{\mathrm{Cov}(u_0, "
        r"k_0)}{V} (y - \hat k)$. Exact is $\frac{\sqrt a}{1 - a}\, (\mathbb{E}[u_0 | u, k, y] - \mathbb{E}[u_0 | u, k])$, by "
        r"Tweedie's formula with and without $y$. Guidance replaces the regression of $u_0$ on $k_0$ by its best straight line "
        r"(exercise 5). With several known entries $\frac1V$ is the inverse of a matrix.",
    )


LEVELS = np.exp(-10 * np.linspace(0, 1, 401) ** 2)  # 400 steps, short ones near the data


def best_noise(x, kept, rho=0.8):
    """The best prediction of the noise, (x - sqrt(a) E(x_0 | x))/sqrt(1 - a), of normal data."""
    det = 1 - (kept * rho) ** 2
    other = jnp.flip(x, axis=1)
    return jnp.sqrt(1 - kept) * (x - kept * rho * other) / det


def path(x, known, times_, noises):
    """The unknown entry at every level below 400, and at the data; every step is made times_ times."""
    levels, mask = jnp.asarray(LEVELS), np.array([[False, True]]) & np.ones(x.shape, bool)
    known = jnp.stack([known, known], axis=1)

    def step(x, given):
        t, noise = jnp.full(len(x), given[0]), given[1]
        for number in range(times_):
            if number:
                x = forward_from(x, t - 1, t, noise[3 * number - 1], levels)
            draws = noise[3 * number], known, noise[3 * number + 1]
            x = replacement_step(x, best_noise(x, levels[given[0]]), *draws, mask, t, levels)
        return x, x[:, 0]

    return jax.lax.scan(step, x, (jnp.arange(400, 0, -1), noises))[1]


def replaced_means(times_):
    """The mean of the unknown entry at the levels, for y = 1: a chain without noise, as all steps are linear."""
    return path(jnp.zeros((1, 2)), jnp.ones(1), times_, jnp.zeros((400, 3 * times_, 1, 2)))[:, 0]


def draw_ways_and_samples(ways, samples):
    """The mean on its way to the data; and samples for many known values."""
    for times_ in (1, 2, 5):
        ways.plot(LEVELS[399::-1], replaced_means(times_) / np.sqrt(LEVELS[399::-1]), label=f"$U = {times_}$")
    ways.axhline(0.8, color="gray", linestyle="--")
    ways.set(xlabel="level $a$", ylabel="$g$")
    ways.legend()
    rng = np.random.default_rng(2)
    known = rng.normal(size=200)
    ends = path(jnp.asarray(rng.normal(size=(200, 2))), jnp.asarray(known), 1, jnp.asarray(rng.normal(size=(400, 3, 200, 2))))[-1]
    samples.plot(known, ends, ".", color=BLUE, alpha=0.5)
    line = np.array([-2.5, 2.5])
    samples.plot(line, 0.5 * line, color=BLUE, label="replacement")
    samples.plot(line, 0.8 * line, "--", color="gray", label="wanted")
    samples.set(xlabel="$y$", ylabel="$u_0$")
    samples.legend()
