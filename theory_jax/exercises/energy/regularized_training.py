"""Exercises of the lecture: Regularized training of energy networks: a floor for the loss, and the bias it costs."""

import jax.numpy as jnp
import numpy as np
import scipy.stats
from sympy import Integer, Rational, Symbol, log

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.regularized_training import anomaly_auc, energy_loss, spectral_normalization_step
from theory_jax.lectures.energy.regularized_training import _at_rest, a, best, d, derivation, high, low, more, q


@derivation.exercise(
    prose(
        "How far apart are the best energies of data and samples at most with {weight}, and how low is the loss then?",
        weight=where(a, Rational(1, 20)),
    ),
    prose(
        "Each is at most {far} from zero, so they are 20 apart, and the loss is {loss}.",
        far=holds(1 / (2 * a), "=", 10),
        loss=holds(-1 / (2 * a), "=", -10, named=True),
    ),
    level="easy",
    hint="Where do both squares of the pair's loss vanish?",
)
def scale_of_energies():
    yield 2 / (2 * 0.05), "20"
    yield energy_loss(jnp.array(-10.0), jnp.array(10.0), regularization=0.05), "-10"


@derivation.exercise(
    r"By which factor does a power iteration on $\mathrm{diag}(3, 1)$ shrink the share of the wrong direction? What is $u$ after "
    "one, from $(1, 1)$?",
    prose(
        r"By {factor}: $u$ is $(9, 1)$ divided by its length, $(0.9939, 0.1104)$.",
        factor=holds(high**2 / low**2, "=", 9, when={low: 1, more: 2}),
    ),
    level="easy",
    hint="Apply $W$ and its transpose once to each of both components.",
)
def shrinking_share():
    yield spectral_normalization_step(jnp.diag(jnp.array([3.0, 1.0])), jnp.ones(2))[1], "(0.9939, 0.1104)"


@derivation.exercise(
    r"Normal energies are $\mathcal{N}(0, 1)$, anomalous ones $\mathcal{N}(2, 1)$. What is the area?",
    r"The difference is $\mathcal{N}(2, 2)$, so it is positive with probability $\Phi(\sqrt 2)$, 0.921.",
    level="medium",
    hint="What is the distribution of the difference of two independent energies?",
)
def two_gaussians():
    grid = scipy.stats.norm.ppf((np.arange(400) + 0.5) / 400)
    yield anomaly_auc(grid, grid + 2), "0.921"


@derivation.exercise(
    "A classifier sees data and samples equally often, and $P$ is the probability with which it rightly takes a state for a "
    "datum. Express the best energy by $P$. How large is it for a state that is three times as frequent in the data, with "
    "the weight 1/20?",
    prose(
        "{affine}, where $P$ is {bayes}: the best energy is a classifier's probability on another scale. Here $P$ is 3/4 and the "
        "energy -5. The logarithm of the ratio would have no bound; this energy has.",
        affine=holds(best, "=", (1 - 2 * d / (d + q)) / (2 * a), wrong={"data high": (2 * d / (d + q) - 1) / (2 * a)}),
        bayes=d / (d + q),
    ),
    level="medium",
    hint="Write down Bayes' rule for a state that is a datum or a sample with equal chances.",
)
def a_classifier_on_another_scale():
    given = {d: (0.75, 0.25), q: (0.25, 0.75), a: 0.05}
    yield value(d / (d + q), given)[0], "3/4"
    yield value(best, given)[0], "-5"


@derivation.exercise(
    "By how much is the model at rest flatter than the data, to first order in $a$? Compare with the first state of the example "
    "at the weights 0.01 and 0.05.",
    r"At rest $\log(m/d)$ is $\log(1 + 2a\varepsilon) - \log(1 - 2a\varepsilon)$, and that is $4a\varepsilon$ but for terms of "
    r"third order. So $\log d$ is $-(1 + 4a)\, \varepsilon$ and a constant: the model is the data at the temperature $1 + 4a$. "
    "This gives 0.742 and 0.714, as the example has it.",
    level="hard",
    hint="Solve the energy at rest for the ratio of model to data, and expand its logarithm.",
)
def a_temperature():
    E_0 = Symbol("E_0")
    solved = (1 + 2 * a * E_0) / (1 - 2 * a * E_0)
    yield log(solved).diff(a).subs(a, 0), 4 * E_0
    yield log(solved).diff(a, 2).subs(a, 0), Integer(0)
    for weight, printed in ((0.01, "0.742"), (0.05, "0.714")):
        powers = np.array([0.75, 0.25]) ** (1 / (1 + 4 * weight))
        yield powers[0] / powers.sum(), printed
        yield _at_rest(weight)[1][0], printed
