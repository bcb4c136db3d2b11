"""Exercises of the lecture: The adversarial game: what a perfect discriminator measures, and what it tells the generator."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, log

from theory_jax.adversarial.gan import discriminator_loss, jensen_shannon_divergence, non_saturating_generator_loss
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
    "You watch a training run. The discriminator's mean loss is 1.386 and the generator's, non-saturating, is 0.693. What has "
    "happened? Later the first is 0.4. What does this say about the divergence of data and samples?",
    r"The losses 1.386 and 0.693 are $\log 4$ and $\log 2$, of a discriminator that answers $\frac12$ everywhere: the samples "
    "are as good as the data, or this discriminator has learned nothing. Minus its loss is at most the best value, which is "
    "twice the divergence less log 4, so a loss $L$ is evidence of a divergence of at least half of log 4 less $L$: 0.4931 for "
    "0.4, where the largest is 0.6931. A high loss proves nothing; a low one, on examples that the discriminator was not "
    "trained on, proves that samples and data differ.",
    level="medium",
    hint="Every discriminator earns at most what the best one earns.",
)
def losses_of_a_run():
    guess = jnp.zeros(1)
    yield discriminator_loss(guess, guess), "1.386"
    yield non_saturating_generator_loss(guess), "0.693"
    yield (math.log(4) - 0.4) / 2, "0.4931"
    yield math.log(2), "0.6931"


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


@derivation.exercise(
    "The data are $N$ pictures, and the discriminator may be any function. Which generator has the smallest value at the best "
    r"discriminator? A generator draws evenly from $2N$ pictures, the $N$ among them. How large is its divergence, and how large "
    "for $1000 N$ pictures? Why do real discriminators not punish this?",
    "The one that copies the $N$ pictures, each equally often: the theorem's $p$ is then the sample, and every new picture is a "
    "fake that the best discriminator knows by heart. Twice as many pictures have the divergence 0.2158, 1000 times as many "
    r"0.6892, nearly $\log 2$. A real network is smooth and is stopped early: it cannot tell new pictures from the old ones, "
    "and that is what lets a generator draw new ones.",
    level="hard",
    hint="What is the best discriminator at a picture that is not in the data?",
)
def pictures_known_by_heart():
    for times, printed in ((2, "0.2158"), (1000, "0.6892")):
        data = jnp.log(jnp.array([[1.0] + [0.0] * (times - 1)]))
        yield jensen_shannon_divergence(data, jnp.full((1, times), -math.log(times))), printed
