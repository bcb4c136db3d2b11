"""Exercises of the lecture: A bound with a label: where the label's information goes."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import Entropy
from theory_jax.derivation.parts import value
from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.latent.vae import kl_to_standard_normal
from theory_jax.lectures.latent.conditional_vae import _information, derivation, p_y


@derivation.exercise(
    "How far is $\\mathcal{N}(1, 1)$ from $\\mathcal{N}(1, 4)$, and the other way round?",
    "0.3181 nats, and 0.8069 the other way.",
    level="easy",
    hint="The means agree: only the two variances are left in the rate.",
)
def two_rates():
    one, zero, wide = jnp.ones((1, 1)), jnp.zeros((1, 1)), jnp.log(4.0) * jnp.ones((1, 1))
    yield gaussian_kl_divergence(one, zero, one, wide)[0], "0.3181"
    yield gaussian_kl_divergence(one, wide, one, zero)[0], "0.8069"


@derivation.exercise(
    "A class has the prior and the posterior $\\mathcal{N}(1, 1)$. What does the bound charge, and what would it charge with a "
    "standard normal prior?",
    "Nothing, and 0.5 nats: half of the squared mean.",
    level="easy",
    hint="Put both Gaussians into the formula of the rate.",
)
def the_wrong_prior():
    one, zero = jnp.ones((1, 1)), jnp.zeros((1, 1))
    yield kl_to_standard_normal(one, zero)[0], "0.5"


@derivation.exercise(
    "Two labels occur with the probabilities 0.9 and 0.1. How much can they gain at most between models that are the data's own "
    "distributions, and how much do they gain if an observation has two values and shows the label rightly with probability 0.8, "
    "whichever it is?",
    "At most 0.3251 nats. The second gain is the information of the observation about the label, 0.0727: most of the entropy "
    "of the label stays after the image is seen, and that part cannot be gained.",
    level="medium",
    hint="Take the entropy of the observation, less its mean entropy given the label: the information is symmetric.",
)
def gains():
    yield value(Entropy(p_y), {p_y: (Rational(9, 10), Rational(1, 10))}), "0.3251"
    shown = 0.9 * 0.8 + 0.1 * 0.2
    entropies = [value(Entropy(p_y), {p_y: (chance, 1 - chance)}) for chance in (shown, 0.8)]
    yield entropies[0] - entropies[1], "0.0727"


@derivation.exercise(
    "Two equally frequent classes have the aggregate codes $\\mathcal{N}(-1, 1)$ and $\\mathcal{N}(1, 1)$. Compare what three "
    "priors charge for the label: the standard normal, the best Gaussian for both classes, and the best distribution for both.",
    "The standard normal charges 0.5 nats. The best Gaussian has the mean 0 and the variance 2 of the aggregate code, and "
    "charges 0.3466. The best distribution of all is the aggregate code, a mixture, and charges the information, 0.3368.",
    level="medium",
    hint="The rate of a Gaussian prior depends on the mean and the variance of the code; minimize it in the prior's variance.",
)
def three_priors():
    means, variance = jnp.array([[-1.0], [1.0]]), jnp.zeros((2, 1))
    for prior_variance, charged in ((1.0, "0.5"), (2.0, "0.3466")):
        wide = jnp.full((2, 1), jnp.log(prior_variance))
        yield gaussian_kl_divergence(means, variance, 0 * means, wide).mean(), charged
    yield _information(1.0), "0.3368"


@derivation.exercise(
    "With a standard normal prior an encoder has learned, for two equally frequent labels, the codes $\\mathcal{N}(2 + x, "
    "\\frac14)$ for the one and $\\mathcal{N}(-2 + x, \\frac14)$ for the other, where $x$ is -1 or 1 with equal probability. "
    "Change the code so that the decoder can reconstruct as well as before, and the bound rises. By how many nats, and why is "
    r"it more than $\log 2$?",
    "Subtract the 2 or -2 of the label; the decoder, which knows the label, adds it again. The rate falls from 2.8181 to 0.8181, "
    "by 2 nats. A label of two values is worth at most 0.6931 nats: the rest was charged because the aggregate code was far from "
    "the standard normal.",
    level="hard",
    hint="Which part of the code's mean does the decoder know without the code?",
)
def a_code_without_the_label():
    rates = [
        kl_to_standard_normal(
            jnp.array([[of_label + x] for of_label in (shift, -shift) for x in (-1.0, 1.0)]), jnp.full((4, 1), -jnp.log(4.0))
        ).mean()
        for shift in (2.0, 0.0)
    ]
    yield rates[0], "2.8181"
    yield rates[1], "0.8181"
    yield rates[0] - rates[1], "2"
    yield np.log(2), "0.6931"
