"""Exercises of the lecture: An f-divergence is what the best critic earns."""

import math

import numpy as np
from sympy import exp, solve

from theory_jax.derivation.prose import holds, prose
from theory_jax.foundations.variational_divergence import exact_variational_bound, variational_lower_bound
from theory_jax.lectures.foundations.variational_divergence import _given, c, derivation, nwj, t, value


@derivation.exercise(
    "Which constant critic is best for Kullback-Leibler, and what is its bound?",
    prose(
        "$c - e^{c-1}$ has the slope $1 - e^{c-1}$, which is 0 for the constant 1, and the bound is {zero}, which is $f(1)$: "
        "critics that cannot tell any two points apart see no difference. A restricted class gives a weaker bound, never a "
        "false one.",
        zero=holds(nwj, "=", 0, when={t: 1}, named=True),
    ),
    level="medium",
    hint="The bound of a constant is a function of one number; set its slope to zero.",
)
def the_best_constant():
    yield value(nwj, _given | {t: (1, 1)}), "0"
    yield solve((c - exp(c - 1)).diff(c), c)[0], "1"


@derivation.exercise(
    "By which constant should the critic of the example be shifted, and what does it gain?",
    r"By $1 - \log Z$, which is 0.3799, since $Z$ is $(e + 1)/2$. The bound rises from 0.0661 to 0.1299, Donsker and Varadhan's.",
    level="easy",
    hint="The best constant to add is known from the chain on shifts; it needs the normalizer alone.",
)
def the_best_shift():
    shift = 1 - math.log((math.e + 1) / 2)
    yield shift, "0.3799"
    yield value(nwj, _given | {t: (1, 0)}), "0.0661"
    yield value(nwj, _given | {t: (1 + shift, shift)}), "0.1299"


@derivation.exercise(
    "How many samples of the model does a relative error of one tenth in the normalizer need, for Gaussians at distance 2 (2 "
    "nats)?",
    r"The relative variance of one sample is $e^4 - 1$, so $100\,(e^4 - 1)$ are needed, about 5360.",
    level="easy",
    hint="A mean of samples has their variance, divided by their number.",
)
def how_many():
    yield round(100 * (math.exp(4) - 1), -1), "5360"


@derivation.exercise(
    "The best critic of the example is trained, and then someone evaluates its bound with the samples of data and model "
    "exchanged. What does the bound give, and what would the best critic of the exchanged problem give?",
    r"-0.3938, while $\mathrm{KL}(q \| p)$ is 0.1438. It is still a true lower bound, and a useless one: a critic is good for "
    "one order of the two distributions. A clearly negative estimate of a divergence is a sign that the two are exchanged, or "
    "that the critic is worse than a constant.",
    level="medium",
    hint="The best critic is 1 plus the logarithm of the ratio; take its mean over the model, and the conjugate over the data.",
)
def exchanged_samples():
    data, model = np.array([0.75, 0.25]), np.array([0.5, 0.5])
    log_data, log_model = np.log(data)[None], np.log(model)[None]
    for ratio, printed in ((data / model, "-0.3938"), (model / data, "0.1438")):
        yield exact_variational_bound(log_model, log_data, 1 + np.log(ratio)[None], divergence="kl"), printed


@derivation.exercise(
    "Data and model are the same continuous distribution, so no two samples are equal, and a large network can give any value "
    "to each of them. Which estimate does it reach on the samples that it is trained on, for Kullback-Leibler and for "
    "Jensen-Shannon?",
    "For Kullback-Leibler any: the values $a$ on the data and $-a$ on the model give nearly $a$, for 10 it is 10.0000. For "
    "Jensen-Shannon the values near both ends of the domain give nearly 0.6931, the largest divergence that there is. Both "
    "divergences are 0. A critic is a lower bound for samples that it has not seen.",
    level="hard",
    hint="The values on the two samples can be chosen apart from each other: which ends of the domain are best?",
)
def memorized_samples():
    ones = np.ones(4)
    yield variational_lower_bound(10 * ones, -10 * ones, divergence="kl"), "10.0000"
    upper = math.log(2) / 2 - 1e-9
    yield variational_lower_bound(upper * ones, -20 * ones, divergence="jensen_shannon"), "0.6931"
