"""Exercises of the lecture: A bound with a label: where the label's information goes."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import Entropy
from theory_jax.derivation.parts import value
from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.latent.vae import kl_to_standard_normal
from theory_jax.lectures.latent.conditional_vae import derivation, p_y


@derivation.exercise(
    "How far is $\\mathcal{N}(1, 1)$ from $\\mathcal{N}(1, 4)$, and the other way round?",
    "0.3181 nats, and 0.8069 the other way.",
)
def two_rates():
    one, zero, wide = jnp.ones((1, 1)), jnp.zeros((1, 1)), jnp.log(4.0) * jnp.ones((1, 1))
    yield gaussian_kl_divergence(one, zero, one, wide)[0], "0.3181"
    yield gaussian_kl_divergence(one, wide, one, zero)[0], "0.8069"


@derivation.exercise(
    "A class has the prior and the posterior $\\mathcal{N}(1, 1)$. What does the bound charge, and what would it charge with a "
    "standard normal prior?",
    "Nothing, and 0.5 nats: half of the squared mean.",
)
def the_wrong_prior():
    one, zero = jnp.ones((1, 1)), jnp.zeros((1, 1))
    yield kl_to_standard_normal(one, zero)[0], "0.5"


@derivation.exercise(
    "How much can ten labels of equal frequency gain at most, and two that occur with probability 0.9 and 0.1?",
    "2.3026 nats, and 0.3251.",
)
def gains():
    yield np.log(10), "2.3026"
    yield value(Entropy(p_y), {p_y: (Rational(9, 10), Rational(1, 10))}), "0.3251"
