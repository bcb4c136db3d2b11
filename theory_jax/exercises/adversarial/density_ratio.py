"""Exercises of the lecture: A classifier knows the density ratio, and what to do with it."""

import math

import jax.numpy as jnp

from theory_jax.adversarial.density_ratio import log_ratio_from_classifier
from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.derivation.parts import value
from theory_jax.lectures.adversarial.density_ratio import _P, _Q, _given, _kept, derivation, entropy, odds


@derivation.exercise(
    "With as many data as samples, what is the smallest logistic loss in the example? What has it to do "
    "with the Jensen-Shannon divergence?",
    r"It is $\log 2 - \mathrm{JSD}$, 0.6507: the entropy of a fair coin less what the point tells about the label.",
)
def smallest_loss():
    yield value(entropy, _given | {odds: 1}), "0.6507"
    yield math.log(2) - jensen_shannon_divergence(jnp.log(jnp.array([_P])), jnp.log(jnp.array([_Q])))[0], "0.6507"


@derivation.exercise(
    r"A classifier returns the logit 0 everywhere, with three data for each sample. Which ratio does it claim? Is that possible?",
    r"$e^{0 - \log 3}$, 0.3333, everywhere. No ratio is below 1 everywhere, because its mean under $q$ is 1.",
)
def impossible_ratio():
    yield jnp.exp(log_ratio_from_classifier(jnp.zeros(1), log_prior_odds=math.log(3))), "0.3333"


@derivation.exercise(
    "Which distribution do the kept samples have if the bound is below the largest ratio, and what is their rate? Take the "
    "bound 1 in the example.",
    r"A sample is kept with probability $\min(1, r/B)$, so the distribution is $\min(q, p/B)$ divided by its sum, which is the "
    r"rate. Here $\min(q, p)$ is $\frac14$ at every point: the distribution is 0.3333 there, the rate 0.75.",
)
def bound_too_small():
    kept = _kept(0.0)
    yield (kept / kept.sum())[1], "0.3333"
    yield kept.sum(), "0.75"
