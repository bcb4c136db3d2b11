"""Exercises of the lecture: Noise-contrastive estimation: a model is fitted, and normalized, by telling data from noise."""

import math

import jax.numpy as jnp
from sympy import Rational, log

from theory_jax.derivation.notation import Total, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.noise_contrastive_estimation import information_loss, loss
from theory_jax.lectures.energy.noise_contrastive_estimation import d, derivation, k, m, nu


@derivation.exercise(
    "What is the loss of a classifier that knows nothing, with one draw of noise for each datum? And InfoNCE with equal scores?",
    r"Log-odds of 0 cost $\log 2$ for each, 1.3863 together; equal scores cost $\log K$, 1.3863 for four candidates.",
)
def nothing_is_known():
    yield loss(jnp.zeros(1), jnp.zeros((1, 1))), "1.3863"
    yield information_loss(jnp.zeros((1, 4))), "1.3863"


@derivation.exercise(
    prose(
        r"Someone adds $\log \nu$ to the log-odds in place of its negative. To which mass is the model fitted, for "
        "{two}?",
        two=where(nu, 2),
    ),
    prose(
        "The right log-odds are those of $d$, so the fit is {fit}, since then {odds}. Its mass is {mass}, or 0.25.",
        fit=where(m, d / 4),
        odds=holds(plus(log(m), log(nu)), "=", plus(log(d), -log(nu)), wrong={"one sign": plus(log(d), log(nu))}),
        mass=holds(Total(k, m), "=", Rational(1, 4), named=True),
    ),
)
def wrong_sign():
    yield value(Total(k, d / nu**2), {d: (0.75, 0.25), nu: 2}), "0.25"


@derivation.exercise(
    "A representation is trained by InfoNCE with 256 candidates. How much information can it be shown to hold?",
    r"At most $\log 256$, which is 5.545 nats, since the loss is not negative.",
)
def most_information():
    yield math.log(256) - information_loss(jnp.concatenate([jnp.full((1, 1), 900.0), jnp.zeros((1, 255))], axis=1)), "5.545"
