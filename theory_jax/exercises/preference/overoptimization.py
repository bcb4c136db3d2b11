"""Exercises of the lecture: The best of n by a proxy: its law, its distance, and when the true reward turns."""

import jax.numpy as jnp

from theory_jax.lectures.preference.overoptimization import derivation
from theory_jax.preference.overoptimization import best_of_n_kl_bound, best_of_n_log_probs, overoptimization_curve


@derivation.exercise(
    r"A fair coin has rewards 0 and 1. What is the distribution of the best of two tosses, and its divergence?",
    "(0.25, 0.75), which is 0.1308 nats from the coin; the bound is 0.1931.",
)
def a_coin():
    coin = jnp.log(jnp.array([[0.5, 0.5]]))
    law = best_of_n_log_probs(jnp.array([[0.0, 1.0]]), coin, samples=2)
    yield jnp.exp(law)[0], "(0.25, 0.75)"
    yield jnp.sum(jnp.exp(law) * (law - coin)), "0.1308"
    yield best_of_n_kl_bound(samples=2), "0.1931"


@derivation.exercise(
    r"The fitted law of best-of-n has the gain 1 and the decay $\frac14$. At which divergence is its peak, and how many draws "
    r"are that, by the bound?",
    "At the distance 2, so at 4 nats, where the gold reward is 1. The bound is 4.0 nats at 147 draws.",
)
def draws_to_the_peak():
    kl = jnp.array([3.9, 4.0, 4.1])
    height = overoptimization_curve(kl, gain=1.0, decay=0.25, method="best_of_n")
    yield height[1], "1"
    yield kl[jnp.argmax(height)], "4.0"
    yield best_of_n_kl_bound(samples=147), "4.0"


@derivation.exercise(
    r"In the flawed proxy, let the flaw add 2 to the gold reward instead of its own number. Where does the gold reward go "
    r"now, and what is it for 64 draws and one flaw in a hundred?",
    r"To 1: among flawed draws the proxy ranks by the gold reward. By enumeration of four kinds of completions it is 0.8000 at "
    r"64.",
)
def a_harmless_flaw():
    kinds = jnp.log(jnp.array([[0.495, 0.495, 0.005, 0.005]]))
    law = best_of_n_log_probs(jnp.array([[0.0, 1.0, 2.0, 3.0]]), kinds, samples=64)
    yield jnp.exp(law)[0] @ jnp.array([0.0, 1.0, 0.0, 1.0]), "0.8000"
    yield jnp.exp(best_of_n_log_probs(jnp.array([[0.0, 1.0, 2.0, 3.0]]), kinds, samples=10**4))[0, 3], "1"
