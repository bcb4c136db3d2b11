"""Regularized training of energy networks: a floor for the loss, and the bias it costs.

The lecture on the functions of theory_jax/energy/regularized_training.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.stats
from sympy import exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.energy_models import boltzmann_log_probs
from theory_jax.energy.regularized_training import (
    anomaly_auc,
    classifier_energy,
    energy_loss,
    energy_regularization,
    spectral_normalization_step,
)

derivation = Derivation(
    module=__name__,
    title="Regularized training of energy networks: a floor for the loss, and the bias it costs",
    lectures=(),
    sources=(
        "Du & Mordatch 2019, Implicit generation and modeling with energy-based models",
        "Miyato, Kataoka, Koyama & Yoshida 2018, Spectral normalization for generative adversarial networks",
        "Grathwohl et al. 2020, Your classifier is secretly an energy based model and you should treat it like one",
        "Fawcett 2006, An introduction to ROC analysis",
    ),
    question="The contrastive loss has no floor: a network lowers it without end by spreading its energies. What does a small "
    "penalty on the energies buy, and what does it cost?",
    setting=(
        "There are finitely many states. Data have the distribution $d$, the samples of a training step the distribution $q$; "
        "both are held fixed in the step. The network can give every state any energy.",
        r"The loss of a pair is $E^+ - E^- + a \left((E^+)^2 + (E^-)^2\right)$, with the energies $E^+$ of a datum and $E^-$ of "
        r"a sample, and a positive $a$.",
        "A state counts only where data or samples fall.",
    ),
    limits=(
        "That training comes to rest. With short chains the samples need not have the distribution of the model.",
        "That a low energy means typical: in many dimensions a density is highest where hardly any data are.",
    ),
)

up = derivation.number("E^+", "the energy of a datum", "data_energy")
down = derivation.number("E^-", "the energy of a sample", "sample_energy")
a = derivation.number("a", "the weight of the penalty", "regularization", positive=True)
pair = derivation.define(r"\ell", plus(up, -down, times(a, plus(up**2, down**2))), "the loss of a pair", "energy_loss")
squares = plus(times(a, (up + 1 / (2 * a)) ** 2), times(a, (down - 1 / (2 * a)) ** 2))
derivation.chain(
    "The penalty gives the loss of a pair a floor",
    pair,
    equals(
        plus(squares, -1 / (2 * a)),
        "complete both squares",
        wrong={
            "the penalty of the difference": plus(times(a, (up - down + 1 / (2 * a)) ** 2), -1 / (4 * a)),
            "half of the rest": plus(squares, -1 / (4 * a)),
            "data up": plus(times(a, (up - 1 / (2 * a)) ** 2), times(a, (down + 1 / (2 * a)) ** 2), -1 / (2 * a)),
        },
    ),
    at_least(
        -1 / (2 * a),
        prose(
            "leave out squares; equality if and only if {data} and {sample}",
            data=where(up, -1 / (2 * a)),
            sample=where(down, 1 / (2 * a)),
        ),
        dropping=squares,
    ),
    so=r"Without the penalty the loss falls without end as $E^-$ rises. A penalty on the difference $E^+ - E^-$ alone would have "
    "a floor, too, but on a whole line: the constant that can be added to all energies would go on drifting.",
)
derivation.bridge(
    "The code's loss of a pair",
    pair,
    energy_loss,
    data_energy=[up],
    sample_energy=[down],
    regularization=a,
    wrong={"turned over": plus(down, -up, times(a, plus(up**2, down**2))), "a in the square": plus(up, -down, (a * up) ** 2)},
)
derivation.bridge(
    "... and its penalty",
    plus(up**2, down**2),
    energy_regularization,
    data_energy=[up],
    sample_energy=[down],
    wrong={"of the difference": (up - down) ** 2, "of the sum": (up + down) ** 2},
)

derivation.say(
    "All pairs reach this floor at once only if no state is both data and sample. What does the penalty do to a whole "
    "distribution?"
)
x = derivation.index("x", "a state")
d = derivation.law("d", x, "the distribution of the data")
q = derivation.law("q", x, "the distribution of the samples")
E = derivation.numbers("E", x, "the energies of the network")
loss = derivation.define(
    r"\mathcal{L}", Total(x, plus(times(d - q, E), times(a, d + q, E**2))), "the mean of the loss over pairs"
)
best = derivation.define("E^*", -(d - q) / (2 * a * (d + q)), "the best energies", over=x)
central = derivation.chain(
    "The best energies compare data with samples, state by state",
    loss,
    equals(
        plus(Total(x, times(a, d + q, plus(E, -best) ** 2)), -Total(x, (d - q) ** 2 / (d + q)) / (4 * a)),
        "complete the square in every state",
    ),
    at_least(
        -Total(x, (d - q) ** 2 / (d + q)) / (4 * a),
        prose("leave out squares; equality if and only if {best} in every state", best=where(E, best)),
        dropping=Total(x, times(a, d + q, plus(E, -best) ** 2)),
    ),
    at_least(
        -1 / (2 * a),
        prose(
            "{split}, and both distributions sum to one; the rest is zero only where no state is both data and sample",
            split=holds((d - q) ** 2 / (d + q), "=", plus(d, q, -4 * d * q / (d + q))),
        ),
        dropping=Total(x, d * q / (d + q)) / a,
        wrong={"the total variation": -1 / (4 * a)},
    ),
    central=True,
    states=2,
    so=prose(
        "Since {low} and {high}, the penalty makes the energy a bounded critic between data and samples. It is {none} where "
        "both are equally likely.",
        low=holds(best, ">=", -1 / (2 * a)),
        high=holds(best, "<=", 1 / (2 * a)),
        none=holds(best, "=", 0, when={q: d}, named=True),
    ),
)
derivation.answer = prose(
    "The loss of a pair is at least {floor}. For given samples the energies {best} minimize the mean loss: they lie between "
    r"$\pm \frac{1}{2a}$, and their free constant is fixed. The price is a bias: where training rests, the model is flatter "
    "than the data, in the example the more so the larger $a$ is.",
    floor=holds(pair, ">=", -1 / (2 * a), named=True),
    best=holds(best, "=", times(-1 / (2 * a), (d - q) / (d + q)), wrong={"turned over": times(1 / (2 * a), (d - q) / (d + q))}),
)
m = derivation.law("m", x, r"the distribution of the model, $e^{-E} / Z$")
derivation.symbol("Z", "its normalizer")

derivation.say(
    prose(
        "Now let the samples be the model's own, with the distribution $m$ in place of $q$, and ask where such training rests: "
        "where the energies are the best ones against this very $m$, that is {rest} in every state.",
        rest=holds(plus(d, -m, times(2 * a, d + m, E)), "=", 0, when={E: -(d - m) / (2 * a * (d + m))}),
    )
)
rests = derivation.chain(
    "Where training rests the energies have no free constant",
    Total(x, plus(d, -m, times(2 * a, d + m, E))),
    equals(
        times(2 * a, Total(x, times(d + m, E))),
        "both distributions sum to one",
        wrong={"the sum of both": plus(2, Total(x, 2 * a * (d + m) * E))},
    ),
    so=prose(
        "So at rest the mean energy of data is minus that of samples. For a model that equals the data the left side of the "
        "condition is {rest}, which is 0 only at energies of 0: only a uniform distribution is met exactly.",
        rest=holds(plus(d, -m, times(2 * a, d + m, E)), "=", times(4, a, d, E), when={m: d}, named=True),
    ),
)
t = derivation.number("t", "the ratio $m/d$ of a state", positive=True)
rest = derivation.define(r"\varepsilon", (t - 1) / (2 * a * (t + 1)), "the energy of a state at rest")
derivation.chain(
    "At rest the energy of a state rises with the ratio of model to data",
    Slope(rest, t),
    equals(1 / (a * (t + 1) ** 2), "the rule for quotients", wrong={"the sign": -1 / (a * (t + 1) ** 2)}),
    at_least(0, "a positive fraction", dropping=1 / (a * (t + 1) ** 2)),
    so=prose(
        "If the model prefers one state to another, its energy there is lower, so the ratio $m/d$ is lower, too: the data "
        "prefer it even more. The model is flatter than the data. The ratio is {ratio}, so the bias vanishes as $a$ goes to 0 "
        "at bounded energies.",
        ratio=holds(t, "=", (1 + 2 * a * rest) / (1 - 2 * a * rest)),
    ),
)


def _at_rest(weight, law=(0.75, 0.25)):
    """The energies at which training rests on two states, and the model there."""
    d = np.array(law)

    def unrest(energies):
        m = np.exp(boltzmann_log_probs(jnp.asarray(energies)[None])[0])
        return d - m + 2 * weight * (d + m) * energies

    energies = scipy.optimize.fsolve(unrest, np.zeros(2), xtol=1e-13)
    return energies, np.exp(boltzmann_log_probs(jnp.asarray(energies)[None])[0])


derivation.symbol(r"\nabla", "the slope by the energies of both states, samples held fixed")


@derivation.autodiff(
    r"\nabla \mathcal{L} = d - m + 2 a (d + m) E",
    because=r"The code's loss of a datum and a sample, averaged over both distributions, on two states with $\frac12$ for $a$ "
    "and the energies 0.3 and -0.8. A gradient that went through the distribution of the samples would have another term.",
    role="lemma",
)
def slope_at_fixed_samples():
    d, energies = jnp.array([0.75, 0.25]), jnp.array([0.3, -0.8])
    m = jnp.exp(boltzmann_log_probs(energies[None]))[0]

    def mean_loss(e, m):
        pairs = energy_loss(jnp.repeat(e, 2), jnp.tile(e, 2), regularization=0.5)
        return jnp.sum(jnp.outer(d, m).ravel() * pairs)

    found = jax.grad(mean_loss)(energies, m)
    through = jax.grad(lambda e: mean_loss(e, jnp.exp(boltzmann_log_probs(e[None]))[0]))(energies)
    return Sides(left=found, right=d - m + (d + m) * energies, wrong={"through the samples": through, "no penalty": d - m})


derivation.say(
    "A penalty on energies does not bound their slopes, which the sampler follows. Spectral normalization does: every layer's "
    "weight is divided by an estimate of its largest singular value, kept up to date by one power iteration a step (the topic "
    "spectral normalization of the adversarial family derives it). What one iteration does, on two singular values:"
)
low = derivation.number("s_1", "the smaller singular value", positive=True)
more = derivation.number(r"\delta", "by how much the larger exceeds it", positive=True)
high = derivation.define("s_0", low + more, "the larger singular value", positive=True)
alpha = derivation.number(r"\alpha", "the component of $u$ along its left vector", "u", positive=True)
beta = derivation.number(r"\beta", "the component along the other", "u", positive=True)
found = derivation.define(
    r"\hat{s}^2",
    (high**4 * alpha**2 + low**4 * beta**2) / (high**2 * alpha**2 + low**2 * beta**2),
    r"the square of $|Wv|$, with $v$ the direction of $W^\top u$",
    "the last result of spectral_normalization_step, squared",
)
derivation.symbol("W, u, v", "the weight, the vector that is kept, and the one computed from it")
short = (high**2 - low**2) * low**2 * beta**2 / (high**2 * alpha**2 + low**2 * beta**2)
power = derivation.chain(
    "One power iteration never takes the weight for larger than it is",
    high**2,
    equals(
        plus(found, short),
        "a common denominator",
        wrong={
            "the other component": plus(found, (high**2 - low**2) * high**2 * alpha**2 / (high**2 * alpha**2 + low**2 * beta**2))
        },
    ),
    at_least(
        found,
        prose(
            "leave out {difference} times positive numbers", difference=holds(high**2 - low**2, "=", times(more, 2 * low + more))
        ),
        dropping=more * (2 * low + more) * low**2 * beta**2 / (high**2 * alpha**2 + low**2 * beta**2),
    ),
    so=prose(
        r"So the square of the largest singular value of $W / \hat{s}$ is {largest}. Each iteration multiplies $\beta/\alpha$ by "
        r"{factor}, so with many of them $\hat{s}$ tends to $s_0$, and the layer comes to stretch by 1 at most; after one it may "
        "stretch by more.",
        largest=holds(high**2 / found, ">=", 1),
        factor=holds(low**2 / high**2, "<", 1),
    ),
    role="lemma",
)


def _squared_estimate(high, low, u):
    return spectral_normalization_step(_turned(high, low), u)[2] ** 2


derivation.bridge(
    "The code's estimate, of a diagonal weight that is turned",
    found,
    _squared_estimate,
    high=high,
    low=low,
    u=[alpha, beta],
    calls=(spectral_normalization_step,),
    wrong={"exact": high**2, "by one product": (high**2 * alpha**2 + low**2 * beta**2) / (alpha**2 + beta**2)},
)


def _turned(high, low):
    """Singular values high and low; the left singular vectors are the axes."""
    return jnp.diag(jnp.array([high, low])) @ jnp.array([[0.6, 0.8], [-0.8, 0.6]])


derivation.say("Last, two remarks on what energies are good for. Every classifier has one.")
y = derivation.index("y", "a class")
k = derivation.index("k", "a class, next to $y$")
f = derivation.numbers("f", y, "the logits of an example", "logits")
of_classifier = derivation.define("E_f", -log(Total(k, exp(f.at(k)))), "the energy in the classifier", "classifier_energy")
posterior = derivation.define("p({}|x)", exp(f) / Total(k, exp(f.at(k))), "the classifier's probabilities", over=y, law=True)
derivation.chain(
    "A classifier is an energy and a conditional distribution",
    times(posterior, exp(-of_classifier)),
    equals(
        times(exp(f) / Total(k, exp(f.at(k))), Total(k, exp(f.at(k)))),
        "both definitions",
        wrong={"the energy's sign": times(exp(f) / Total(k, exp(f.at(k))), 1 / Total(k, exp(f.at(k))))},
    ),
    equals(exp(f), "the sum cancels", wrong={"normalized": posterior}),
    so="$e^{f_y(x)}$ is thus a joint distribution of $x$ and $y$, but for its normalizer. Adding a function of $x$ to all "
    "logits leaves $p(y|x)$ as it is and is subtracted from the energy: what the classifier left free is the density of $x$.",
    role="remark",
)
derivation.bridge(
    "The code's energy of a classifier",
    of_classifier,
    classifier_energy,
    logits=[f],
    wrong={"the sign": -of_classifier, "the mean": -Total(k, f.at(k)) / 4},
)
derivation.say(
    "Energies rank examples: those of high energy are taken for anomalies. The ranking is judged by the probability that an "
    "anomaly is above a normal example, with ties counted half. Neither $Z$ nor a constant matters for it. The topic anomaly "
    "detection shows that this is the area under the curve of detections against false alarms."
)
derivation.symbol(r"E_0, E_1", "the energies of a normal and of an anomalous example, drawn at random")


@derivation.exact(
    r"\mathrm{AUC} = \Pr(E_1 > E_0) + \tfrac12 \Pr(E_1 = E_0)",
    because="All 81 ways to give two normal and two anomalous examples one of three energies, each pair counted by hand.",
    outcomes=81,
    role="remark",
)
def pairs_that_are_ordered():
    rows = list(itertools.product((0.0, 1.0, 2.0), repeat=4))
    areas = np.array([float(anomaly_auc(np.array(row[:2]), np.array(row[2:]))) for row in rows])
    normal, anomalous = np.array(rows)[:, None, :2], np.array(rows)[:, 2:, None]
    wins, ties = (anomalous > normal).mean((1, 2)), (anomalous == normal).mean((1, 2))
    return Sides(left=areas, right=wins + ties / 2, wrong={"ties lost": wins, "exchanged": 1 - wins - ties / 2})


@derivation.algorithm(
    "A step of regularized training",
    do("take data $x^+$, and samples $x^-$ of the model by a short chain; hold them fixed"),
    do("divide the weight of every layer by its $\\hat{s}$, from one power iteration", spectral_normalization_step, by=power),
    do(r"$\mathcal{L} \leftarrow$ mean of $E(x^+) - E(x^-) + a \left(E(x^+)^2 + E(x^-)^2\right)$", energy_loss, by=central),
    do(r"move the network's parameters against the gradient of $\mathcal{L}$", by=rests),
)
def two_steps():
    _, _, estimate = spectral_normalization_step(jnp.diag(jnp.array([3.0, 1.0])), jnp.ones(2))
    yield r"\hat{s} \text{ of } \mathrm{diag}(3, 1)", estimate, "2.8636"
    data, samples, energies = np.array([0, 0, 0, 1]), np.array([0, 1, 0, 1]), jnp.zeros(2)
    for printed in ("(-0.25, 0.25)", "(-0.1875, 0.3125)"):
        slope = jax.grad(lambda e: energy_loss(e[data], e[samples], regularization=0.5).mean())(energies)
        energies = energies - slope
        yield "E", energies, printed


@derivation.example(
    r"Two states, of which the data take the first with probability $\frac34$. First against uniform samples with $\frac12$ "
    "for $a$, then at rest, for three weights: the model approaches the data as $a$ goes to 0."
)
def by_hand():
    given = {d: (0.75, 0.25), q: (0.5, 0.5), a: 0.5}
    yield best, value(best, given), "(-0.2, 0.3333)"
    yield loss, value(loss, given | {E: (-1 / 5, 1 / 3)}), "-0.0667"
    for weight, said in ((0.01, "0.742"), (0.05, "0.714"), (0.5, "0.590")):
        yield rf"m_0 \text{{ at rest, }} a = {weight}", _at_rest(weight)[1][0], said


derivation.symbol(r"\mathrm{AUC}", "the area under the curve of detections against false alarms", "anomaly_auc")


@derivation.figure(
    r"Left: the loss of a pair of opposite energies, for three weights of the penalty; without it (dashed) there is no floor. "
    r"Right: the difference of the energies of two states at rest, for data $(\frac34, \frac14)$; the data's own is $\log 3$ "
    r"(dashed).",
    panels=2,
)
def floor_and_bias(floor, bias):
    energies = jnp.linspace(0, 12, 61)
    for weight in (0.05, 0.1, 0.5):
        floor.plot(energies, energy_loss(-energies, energies, regularization=weight), label=f"$a = {weight}$")
    floor.plot(energies, energy_loss(-energies, energies, regularization=0.0), linestyle="--", color="gray")
    floor.set(xlabel="energy of the sample $E^-$", ylabel="loss of the pair", ylim=(-14, 14))
    floor.legend()
    weights = np.geomspace(0.003, 3, 13)
    bias.semilogx(weights, [-np.subtract(*_at_rest(weight)[0]) for weight in weights])
    bias.axhline(math.log(3), linestyle="--", color="gray", linewidth=0.8)
    bias.set(xlabel="weight of the penalty", ylabel="difference of the energies", ylim=(0, 1.2))


derivation.symbol("b", "a constant that is added to all logits")


@derivation.numeric(
    r"\log \sum_y e^{f_y + b} = b + \log \sum_y e^{f_y}",
    because="With 900 added the exponentials overflow; the code subtracts the largest logit first.",
    role="appendix",
)
def large_logits():
    plain = classifier_energy(jnp.array([[1.0, 2.0]]))
    return Sides(
        left=-classifier_energy(jnp.array([[901.0, 902.0]])),
        right=900 - plain,
        wrong={"not moved": -plain, "the sign": 900 + plain},
    )
