"""Exercises of the lecture: A classifier knows the density ratio, and what to do with it."""

import math

import jax.numpy as jnp

from theory_jax.adversarial.density_ratio import log_ratio_from_classifier
from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.derivation.parts import value
from theory_jax.lectures.adversarial.density_ratio import _LOG_RATIO, _P, _Q, _given, _kept, _smallest_loss, chi, derivation


@derivation.exercise(
    "With as many data as samples, what is the smallest logistic loss in the example? What has it to do "
    "with the Jensen-Shannon divergence?",
    r"It is $\log 2 - \mathrm{JSD}$, 0.6507: the entropy of a fair coin less what the point tells about the label.",
    level="medium",
    hint="Write the divergence with the mixture of both, and compare the two entropies.",
)
def smallest_loss():
    yield _smallest_loss(1), "0.6507"
    yield math.log(2) - jensen_shannon_divergence(jnp.log(jnp.array([_P])), jnp.log(jnp.array([_Q])))[0], "0.6507"


@derivation.exercise(
    r"A classifier returns the logit 0 everywhere, with three data for each sample. Which ratio does it claim? Is that possible?",
    r"$e^{0 - \log 3}$, 0.3333, everywhere. No ratio is below 1 everywhere, because its mean under $q$ is 1.",
    level="easy",
    hint="Take the odds off; then take the mean under q.",
)
def impossible_ratio():
    yield jnp.exp(log_ratio_from_classifier(jnp.zeros(1), log_prior_odds=math.log(3))), "0.3333"


@derivation.exercise(
    "Which distribution do the kept samples have if the bound is below the largest ratio, and what is their rate? Take the "
    "bound 1 in the example.",
    r"A sample is kept with probability $\min(1, r/B)$, so the distribution is $\min(q, p/B)$ divided by its sum, which is the "
    r"rate. Here $\min(q, p)$ is $\frac14$ at every point: the distribution is 0.3333 there, the rate 0.75.",
    level="medium",
    hint="A probability of being kept is cut off at 1.",
)
def bound_too_small():
    kept = _kept(0.0)
    yield (kept / kept.sum())[1], "0.3333"
    yield kept.sum(), "0.75"


@derivation.exercise(
    "800 samples of q are weighted by the ratio in the example. How many samples of p are they worth, if this is their number "
    "divided by the mean square of the weights?",
    "581.8 samples: the mean square is 11/8. Rejection with the smallest valid bound, 2, leaves 400 on average.",
    level="easy",
    hint="The mean square of the ratio is one more than the chi-squared divergence.",
)
def worth_of_the_weights():
    ratio = jnp.exp(_LOG_RATIO)
    yield 800 / (1 + value(chi, _given)), "581.8"
    yield jnp.sum(jnp.array(_Q) * ratio**2), "11/8"
    yield 800 * _kept(math.log(2)).sum(), "400"


@derivation.exercise(
    "A classifier is too sure: its logits are twice the right ones, with as many data as samples. Which mean under q has the "
    "ratio that it claims in the example, and which distribution do samples have that are weighted by it, with the weights "
    "divided by their sum?",
    "The mean is 1.375, not 1, so the mistake can be seen without knowing p. The samples have the distribution 0.7273, 0.1818, "
    "0.0909, not that of the data: where the data are more frequent, the samples are too frequent now.",
    level="hard",
    hint="Doubled logits square the ratio; the square of p divided by q, summed, is on the page.",
)
def too_sure():
    weighted = jnp.array(_Q) * jnp.exp(log_ratio_from_classifier(2 * jnp.asarray(_LOG_RATIO)))
    yield weighted.sum(), "1.375"
    yield 1 + value(chi, _given), "1.375"
    yield weighted / weighted.sum(), "0.7273, 0.1818, 0.0909"
