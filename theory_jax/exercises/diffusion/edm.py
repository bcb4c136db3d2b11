"""Exercises of the lecture: Preconditioning: what a denoiser's network should see, and what is left for it to learn."""

import jax.numpy as jnp

from theory_jax.diffusion.edm import noise_levels, preconditioning
from theory_jax.lectures.diffusion.edm import derivation


@derivation.exercise(
    r"At which level do skip and network share the work, $c_\mathrm{skip} = \frac12$? What are median and mean of the levels?",
    r"At $\sigma = \sigma_d$, here seen at 0.7: 0.5. The median is $e^{-1.2} = 0.301$, the mean $e^{-1.2 + 0.72} = 0.619$.",
)
def in_the_middle():
    yield preconditioning(jnp.array([0.7]), sigma_data=0.7)[0][0], "0.5"
    yield noise_levels(jnp.zeros(1))[0], "0.301"


@derivation.exercise(
    r"How large are the mean squares of $y - x$ and of $y - c_\mathrm{skip}\, x$ at $\sigma = 2 \sigma_d$, in units of "
    r"$\sigma_d^2$?",
    r"4, and $c_\mathrm{out}^2/\sigma_d^2 = \frac45 = 0.8$: the linear denoiser takes away four fifths of the noise.",
)
def linear_denoising():
    yield preconditioning(jnp.array([2.0]), sigma_data=1.0)[1][0] ** 2, "0.8"
    yield 2.0**2, "4"


@derivation.exercise(
    r"The data are $\pm 1$ with equal probability, and $\sigma = 1$. What is the best output of the network where "
    r"$c_\mathrm{in}\, x$ is $\sqrt{\frac12}$, that is $x = 1$?",
    r"$\mathbb{E}[y|x] = \tanh(x/\sigma^2) = 0.7616$, so $F = (0.7616 - \frac12)/\sqrt{\frac12} = 0.370$: two points are no "
    "Gaussian.",
)
def two_points():
    mean = jnp.tanh(1.0)
    skip, out, *_ = preconditioning(jnp.array([1.0]), sigma_data=1.0)
    yield mean, "0.7616"
    yield (mean - skip[0]) / out[0], "0.370"
