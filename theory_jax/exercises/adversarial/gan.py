"""Exercises of the lecture: The adversarial game: what a perfect discriminator measures, and what it tells the generator."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, log

from theory_jax.adversarial.gan import discriminator_loss, jensen_shannon_divergence
from theory_jax.lectures.adversarial.gan import derivation


@derivation.exercise(
    "What is the best discriminator's output where data and samples are equally frequent, if the data's label is 0.9?",
    r"$a p/(p + q) = 0.45$: the coin is no longer fair.",
    level="easy",
    hint="Find the formula of the best output for the label a, and put in equal frequencies.",
)
def smoothed_coin():
    grid = np.linspace(0.01, 0.99, 99)
    logits = jnp.asarray(np.log(grid / (1 - grid)))
    yield grid[int(jnp.argmin(discriminator_loss(logits, logits, real_target=0.9)))], "0.45"


@derivation.exercise(
    r"The labels are $a$ for data and $b$ for fakes. What is the best discriminator, and what is its output at $p = q$ for $a = "
    r"0.9$ and $b = 0.1$?",
    r"$\frac{a p + b q}{p + q}$, the mean of the labels at a point; 0.5. Where there are samples but hardly any data it is "
    r"nearly $b$ for any number of samples: the term $b q$ rewards the generator for staying there. So only the data's label is "
    r"smoothed.",
    level="medium",
    hint="Write the loss at one point, and set its slope in the output to zero.",
)
def two_labels():
    grid = np.linspace(0.01, 0.99, 99)
    logits = jnp.asarray(np.log(grid / (1 - grid)))
    both = sum(discriminator_loss(one, jnp.full(99, -800.0), real_target=0.9) for one in (logits, -logits))
    yield grid[int(jnp.argmin(both))], "0.5"


@derivation.exercise(
    r"How large is the Jensen-Shannon divergence of data $(\frac12, \frac12)$ from a generator that has collapsed to one of "
    r"the two points?",
    r"$m = (\frac34, \frac14)$, so it is $\frac12 \log\frac43 + \frac14 \log \frac23 + \frac14 \log 2 = 0.2158$; the largest "
    r"possible value is $\log 2$, 0.6931.",
    level="easy",
    hint="Write down the mixture of both first.",
)
def collapsed():
    half = jnp.log(jnp.array([[0.5, 0.5]]))
    yield jensen_shannon_divergence(half, jnp.log(jnp.array([[1.0, 0.0]]))), "0.2158"
    yield jensen_shannon_divergence(jnp.log(jnp.array([[0.0, 1.0]])), jnp.log(jnp.array([[1.0, 0.0]]))), "0.6931"


@derivation.exercise(
    "By mistake the fakes' term of the discriminator's loss is counted twice. What is its best output where data and samples are "
    "equally frequent, and does the generator's solution move?",
    "The best output is p/(p + 2q), 1/3 there. The solution stays: at q = p the output is the same at every point, so no "
    "sample is better than another, and the generator rests.",
    level="medium",
    hint="Two terms of the value compete at each point; their weights are p and 2q.",
)
def fakes_twice():
    grid = np.arange(1, 30) / 30
    logits = jnp.asarray(np.log(grid / (1 - grid)))
    losses = discriminator_loss(logits, logits) + discriminator_loss(jnp.full(29, 800.0), logits)
    yield grid[int(jnp.argmin(losses))], "1/3"


@derivation.exercise(
    r"The data are $(\frac12, \frac12)$, the samples $(\frac12 + \delta, \frac12 - \delta)$. How do twice the Jensen-Shannon "
    "divergence, and the reverse divergence less this, grow with $\\delta$? What does that say about the two losses of the "
    "generator near the solution?",
    r"Both as $\delta^2$ with the factor 1: near the solution both losses descend the same function to second order. They "
    r"differ in the term with $\delta^4$, whose factors are 7/6 and 1/6. The choice of the loss matters far from the solution.",
    level="hard",
    hint="Expand the reverse divergence to second order; the one to the mixture is the same with half of the change.",
)
def near_the_solution():
    half, delta = Rational(1, 2), Symbol("delta")
    reverse, twice = 0, 0
    for sample in (half + delta, half - delta):
        middle = (half + sample) / 2
        reverse += sample * log(sample / half)
        twice += half * log(half / middle) + sample * log(sample / middle)
    for loss, fourth in ((twice, "7/6"), (reverse - twice, "1/6")):
        yield loss.diff(delta, 2).subs(delta, 0) / 2, Rational(1)
        yield loss.diff(delta, 4).subs(delta, 0) / 24, fourth
