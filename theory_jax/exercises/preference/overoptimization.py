"""Exercises of the lecture: The best of n by a proxy: its distribution, its distance, and when the true reward turns."""

import math

import jax.numpy as jnp
from scipy.optimize import brentq

from theory_jax.lectures.preference.overoptimization import derivation
from theory_jax.preference.overoptimization import best_of_n_kl_bound, best_of_n_log_probs, overoptimization_curve


@derivation.exercise(
    r"A fair coin has rewards 0 and 1. What is the distribution of the best of two tosses, and its divergence?",
    "(0.25, 0.75), which is 0.1308 nats from the coin; the bound is 0.1931.",
    level="easy",
    hint="The best of two is 0 only if both tosses are.",
)
def a_coin():
    coin = jnp.log(jnp.array([[0.5, 0.5]]))
    law = best_of_n_log_probs(jnp.array([[0.0, 1.0]]), coin, samples=2)
    yield jnp.exp(law)[0], "(0.25, 0.75)"
    yield jnp.sum(jnp.exp(law) * (law - coin)), "0.1308"
    yield best_of_n_kl_bound(samples=2), "0.1931"


@derivation.exercise(
    r"The fitted law of best-of-n has the gain 1 and the decay $\frac14$. At which divergence is its peak, and how many samples "
    r"are that, by the bound?",
    "At the distance 2, so at 4 nats, where the gold reward is 1. The bound is 4.0 nats at 147 samples.",
    level="easy",
    hint="The law is a parabola in the root of the divergence.",
)
def draws_to_the_peak():
    kl = jnp.array([3.9, 4.0, 4.1])
    height = overoptimization_curve(kl, gain=1.0, decay=0.25, method="best_of_n")
    yield height[1], "1"
    yield kl[jnp.argmax(height)], "4.0"
    yield best_of_n_kl_bound(samples=147), "4.0"


@derivation.exercise(
    r"In the flawed proxy, let the flaw add 2 to the gold reward instead of its own number. Where does the gold reward go "
    r"now, and what is it for 64 samples and one flaw in a hundred?",
    r"To 1: among flawed samples the proxy ranks by the gold reward. By enumeration of four kinds of completions it is 0.8000 at "
    r"64.",
    level="medium",
    hint="Put the four kinds of completions in the proxy's order; which gold reward does the last kind have?",
)
def a_harmless_flaw():
    kinds = jnp.log(jnp.array([[0.495, 0.495, 0.005, 0.005]]))
    law = best_of_n_log_probs(jnp.array([[0.0, 1.0, 2.0, 3.0]]), kinds, samples=64)
    yield jnp.exp(law)[0] @ jnp.array([0.0, 1.0, 0.0, 1.0]), "0.8000"
    yield jnp.exp(best_of_n_log_probs(jnp.array([[0.0, 1.0, 2.0, 3.0]]), kinds, samples=10**4))[0, 3], "1"


@derivation.exercise(
    "A verifier passes one completion of ten, and says nothing more. The best of 100 by the verifier is reported with the "
    r"divergence $\log n - \frac{n - 1}{n}$. What is that, and what is the divergence really? Does it still grow with $n$?",
    "The formula has 3.6152 nats, and the divergence is 2.3022: the rewards are tied, so the formula is only a bound. The "
    r"divergence never passes $\log 10$, 2.3026, since all that can happen is that the completion passes.",
    level="medium",
    hint="There are two levels; compute the probability of the upper one before and after.",
)
def a_verifier():
    verdicts = jnp.log(jnp.array([[0.9, 0.1]]))

    def divergence(samples):
        law = best_of_n_log_probs(jnp.array([[0.0, 1.0]]), verdicts, samples=samples)
        return jnp.sum(jnp.exp(law) * (law - verdicts))

    yield best_of_n_kl_bound(samples=100), "3.6152"
    yield divergence(100), "2.3022"
    yield divergence(300), "2.3026"


@derivation.exercise(
    "How often is the best of $n$ better than one more completion of the reference, by a reward without ties? Nine of ten are "
    "wanted: what does that cost in nats, and how often would the best distribution of this divergence win?",
    r"Of $n + 1$ independent completions each is equally likely to be the largest, so it wins with probability $\frac{n}{n + "
    "1}$. Nine samples win 0.900, for 1.3083 nats. The best distribution tilts the rank $u$, uniform under the reference, by "
    r"$e^{\lambda u}$; it wins 0.9006 for the same price. The best of $n$ leaves next to nothing.",
    level="hard",
    hint="The win rate is the mean rank, and no distribution has more of it than the tilt of the same divergence.",
)
def win_rates():
    count = 1000
    ranks = (jnp.arange(count)[None] + 0.5) / count
    law = best_of_n_log_probs(ranks, jnp.full((1, count), -math.log(count)), samples=9)
    yield jnp.sum(jnp.exp(law) * ranks), "0.900"
    nats = float(best_of_n_kl_bound(samples=9))
    yield nats, "1.3083"

    def mean_rank(tilt):
        return 1 / (1 - math.exp(-tilt)) - 1 / tilt

    def divergence(tilt):
        return tilt * mean_rank(tilt) - math.log(math.expm1(tilt) / tilt)

    yield mean_rank(brentq(lambda tilt: divergence(tilt) - nats, 0.1, 50.0)), "0.9006"
