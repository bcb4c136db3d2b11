"""Exercises of the lecture: Training a VAE: what the linear case knows about collapse."""

import jax.numpy as jnp
from sympy import Rational, sqrt

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.vae_training import cyclical_kl_weight, free_bits_kl
from theory_jax.lectures.latent.vae_training import V, a, beta, derivation, lam, loss, s, t, w


@derivation.exercise(
    prose(
        "What is the best variance of a latent with {w} and {s} if its rate has the weight 2?", w=where(w, sqrt(3)), s=where(s, 1)
    ),
    prose("{best}, which is 0.4; with the weight 1 it is 0.25.", best=holds(1 / a, "=", Rational(2, 5), when={beta: 2})),
)
def the_best_variance():
    yield value(1 / a, {w: sqrt(3), s: 1, beta: 2}), "0.4"
    yield value(1 / a, {w: sqrt(3), s: 1, beta: 1}), "0.25"


@derivation.exercise(
    r"For how many of 7 steps of a cycle is the weight 1, if half of the cycle is a ramp? And what does a floor of 0.5 make of "
    r"the rates 0.1 and 2?",
    r"At steps 4, 5 and 6: 3 of 7, not half. The raised rate is 2.5; a floor under the sum would not raise it.",
)
def counting():
    yield jnp.sum(cyclical_kl_weight(jnp.arange(7), cycle_length=7) == 1), "3"
    yield free_bits_kl(jnp.array([[0.1, 2.0]]), minimum=0.5), "2.5"


@derivation.exercise(
    r"Let the noise be learned, too, with data of variance 4 in one dimension. Does the latent survive?",
    "It need not: weight 0 with noise variance 4 has the loss 2.1121, the same as the optimum with a latent. In one dimension "
    "noise can replace signal. In several dimensions one noise is shared, and what is large enough for the first direction would "
    "be too large for the others.",
)
def noise_for_signal():
    yield value(loss, {lam: 4, s: 4, w: 0, V: 0, t: 1}), "2.1121"
