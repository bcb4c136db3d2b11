"""Exercises of the lecture: Normalization and skips: what a norm forgets, and why a network can be deep."""

import jax
import jax.numpy as jnp

from theory_jax.autoregressive.normalization import layer_norm
from theory_jax.lectures.autoregressive.normalization import V, derivation, l


@derivation.exercise(
    r"What is the layer norm of $(3, 7)$ without $\varepsilon$, and what is its Jacobian?",
    r"$(-1, 1)$, as for every pair in this order; the Jacobian is 0. A layer norm over two entries keeps one bit.",
)
def a_pair():
    def norm(x):
        return layer_norm(x, jnp.ones(2), jnp.zeros(2), epsilon=0.0)

    yield norm(jnp.array([3.0, 7.0])), "(-1, 1)"
    yield jnp.abs(jax.jacobian(norm)(jnp.array([3.0, 7.0]))).max(), "0"


@derivation.exercise(
    r"Between which bounds lie the singular values of 12 residual blocks whose branches have the bound 0.1, and which bound "
    "is left without skips?",
    r"Between $0.9^{12}$, or 0.282, and $1.1^{12}$, or 3.138; without skips they are at most $10^{-12}$.",
)
def twelve_blocks():
    yield 0.9**12, "0.282"
    yield 1.1**12, "3.138"


@derivation.exercise(
    "How large is the variance of a pre-norm stream after 24 branches of gain 1, and which share of it did the last one bring?",
    r"25, of which the last branch brought $\frac{1}{25}$, or 0.04.",
)
def a_long_stream():
    yield V.at(24).family.definition.subs(l, 24), "25"
    yield 1 / 25, "0.04"
