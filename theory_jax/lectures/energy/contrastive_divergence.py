"""Contrastive divergence: the price of a short chain.

The lecture on the functions of theory_jax/energy/contrastive_divergence.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import BoundSides, SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, Variance, plus, times
from theory_jax.energy._machine import states
from theory_jax.energy.contrastive_divergence import chain, gibbs_matrix, gradient, sufficient_statistics
from theory_jax.energy.restricted_boltzmann_machine import log_likelihood
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Contrastive divergence: the price of a short chain",
    lectures=(),
    sources=(
        "Hinton 2002, Training products of experts by minimizing contrastive divergence",
        "Tieleman 2008, Training restricted Boltzmann machines using approximations to the likelihood gradient",
        "Carreira-Perpinan & Hinton 2005, On contrastive divergence learning",
        "Sutskever & Tieleman 2010, On the convergence properties of contrastive divergence",
        "Fischer & Igel 2012, An introduction to restricted Boltzmann machines",
    ),
    question="The gradient of a likelihood compares the data with samples of the model, and samples take a long chain. What is "
    "computed if the chain starts at the data and stops after a few steps?",
    setting=(
        r"A model gives the visible state $x$ the probability $p(x) \propto e^{-F(x)}$ and depends on a parameter $\theta$; "
        r"$s(x) = -\frac{\partial F}{\partial\theta}(x)$ is its statistic. The data have the law $d$. The gradient of their "
        r"mean log-likelihood is $g = \mathbb{E}_d[s] - \mathbb{E}_p[s]$.",
        "A step of the chain goes from $x$ to $y$ with probability $P(y|x)$ and leaves $p$ as it is, as a block Gibbs step of "
        "a restricted Boltzmann machine does. $k$ steps from the data lead to the law $d_k$. Contrastive divergence, CD-$k$, "
        r"follows $g_k = \mathbb{E}_d[s] - \mathbb{E}_{d_k}[s]$. Persistent CD (PCD) begins each chain where that of the last "
        "update ended.",
    ),
    answer=r"The error $g_k - g$ shrinks at least as fast as the $k$-th power of the second eigenvalue of the chain. With one "
    r"hidden unit its bias is updated by exactly the share $1 - \lambda^k$ of the gradient. Every step brings the law of the "
    "chain closer to the model, so the contrastive divergence is never negative; but the update is not its gradient, nor that "
    "of any other function.",
    limits=(
        "Whether training with CD or PCD converges. PCD is a stochastic approximation: its learning rate must fall slowly "
        "enough for the chain to follow the model.",
        "How long chains take on machines with large weights, where the second eigenvalue is close to 1.",
    ),
)

x = derivation.index("x", "a visible state")
y = derivation.index("y", "the visible state one step later")
d = derivation.law("d({})", x, "the law of the data")
p = derivation.law("p({})", x, "the law of the model", "exp(log_likelihood)")
P = derivation.law("P({}|{})", (y, x), "the probability of a step from $x$ to $y$", "gibbs_matrix")
s = derivation.numbers("s({})", x, "a statistic", "sufficient_statistics")
d1 = derivation.define("d_1({})", Total(x, d * P), "the law of the data after a step", "chain", over=y, law=True)
p1 = derivation.define("p_1({})", Total(x, p * P), "the law of the model after a step: $p$ itself", over=y, law=True)

error = derivation.chain(
    "What is left of the difference between data and model after a step",
    Expectation(d1, s.at(y)) - Expectation(p1, s.at(y)),
    equals(
        Total(x, times(d - p, Total(y, times(P, s.at(y))))),
        "the definitions of both laws; $d - p$ does not depend on $y$",
        wrong={"the statistic of the start": Total(x, times(d - p, s))},
    ),
    states=2,
    so=r"With $p_1 = p$ the left side is $g - g_1$: the error of CD-1 is the excess of the data over the model, averaged with "
    "the statistic one step ahead. It is zero if $d = p$: a correct model is a fixed point. After $k$ steps $P$ is "
    "replaced by its $k$-th power, whose rows all tend to $p$.",
)

u = derivation.index("u", "the state of a hidden unit", states=2)
up = derivation.law("p({}|{})", (u, x), "the probability of the hidden unit's state given the visible layer", "hidden_logits")
down = derivation.law("p({}|{})", (y, u), "that of the visible layer given the hidden unit", "visible_logits")
t = derivation.define(
    "t({})", Total(y, down * up.at(1, y)), "the probability that the unit is on after a step, if it was in state $u$", over=u
)
on = up.at(1, x)
derivation.chain(
    "One hidden unit: a step keeps a fixed share of the difference",
    Total(x, times(d - p, Total(y, times(Total(u, up * down), up.at(1, y))))),
    equals(
        Total(x, times(d - p, Total(u, up * t))),
        "the definition of $t$; the step goes up to $u$ and down to $y$, and $s(y) = p(1|y)$ is the statistic of the hidden bias",
        wrong={"the unit stays": Total(x, times(d - p, on))},
    ),
    equals(Total(x, times(d - p, plus(t.at(0), times(on, t.at(1) - t.at(0))))), "$p(0|x) = 1 - p(1|x)$"),
    equals(
        times(t.at(1) - t.at(0), Expectation(d, on) - Expectation(p, on)),
        "$d - p$ sums to zero, so the constant drops out",
        wrong={"the constant kept": t.at(0) + times(t.at(1) - t.at(0), Expectation(d, on) - Expectation(p, on))},
    ),
    states=2,
    central=True,
    uses=(error,),
    so=r"The share is $\lambda = t(1) - t(0)$, the second eigenvalue of the hidden unit's own chain. It is the same in every "
    r"step, so $g - g_k = \lambda^k g$ and $g_k = (1 - \lambda^k)\, g$: the sign is right, and the size comes to that of the "
    "gradient.",
)

derivation.symbol(r"\lambda_2", "the second largest eigenvalue of $P$; all of them lie between 0 and 1")
derivation.symbol("g", r"the gradient of the mean log-likelihood, $\mathbb{E}_d[s] - \mathbb{E}_p[s]$")
derivation.symbol("g_k", r"the expected update of CD-$k$, $\mathbb{E}_d[s] - \mathbb{E}_{d_k}[s]$", "gradient")
derivation.symbol(r"\chi^2", r"the chi-square divergence $\chi^2(d, p) = \sum_x (d(x) - p(x))^2 / p(x)$")
derivation.symbol("k", "the number of steps")


def _enumerated(weight, visible_bias, hidden_bias):
    """A machine's law [S], its matrix [S, S], and the probabilities of its hidden units [S, H], for all S states."""
    layer = states(len(weight))
    law = jnp.exp(log_likelihood(layer, weight, visible_bias, hidden_bias))
    return law, gibbs_matrix(weight, visible_bias, hidden_bias), sufficient_statistics(layer, weight, hidden_bias)[2]


def _laws(data, matrix, steps):
    """The law of the chain after 0, 1, ... steps from the data, [steps + 1, S]."""
    return np.stack([np.asarray(data) @ np.linalg.matrix_power(np.asarray(matrix), k) for k in range(steps + 1)])


@derivation.bound(
    r"|g_k - g| \le \lambda_2^k \sqrt{\chi^2(d, p)\, \mathrm{Var}_p[s]}",
    because=r"Reversibility makes $P$ symmetric in the inner product weighted by $p$, so it has orthonormal eigenfunctions, and "
    "$P^k$ multiplies each by the $k$-th power of its eigenvalue. The constant has eigenvalue 1 and drops out, since $d - p$ "
    r"sums to zero; all others are at most $\lambda_2^k$. Cauchy-Schwarz bounds the sum that is left. Points: four machines of "
    r"5 visible and 3 hidden units, $k = 0, \ldots, 5$. It is tight for one hidden unit where $d/p - 1$ is a multiple of $s - "
    r"\mathbb{E}_p[s]$.",
)
def spectral_bound():
    rng = np.random.default_rng(0)

    def sides(power=0, spread=True):
        def both(machines, data, steps):
            smaller, larger = [], []
            for machine, law in zip(machines, data, strict=True):
                model, matrix, on = map(np.asarray, _enumerated(*machine))
                statistic = on[:, 0]
                second = np.sort(np.linalg.eigvals(matrix).real)[-2]
                variance = model @ statistic**2 - (model @ statistic) ** 2
                scale = np.sqrt(np.sum((law - model) ** 2 / model) * (variance if spread else variance / 2))
                for k, reached in enumerate(_laws(law, matrix, steps)):
                    smaller.append(abs(reached @ statistic - model @ statistic))
                    larger.append(second ** (k + power) * scale)
            return np.array(smaller), np.array(larger)

        return both

    machines = [[rng.normal(size=shape) for shape in ((5, 3), (5,), (3,))] for _ in range(4)]
    one_unit = [rng.normal(size=shape) for shape in ((2, 1), (2,), (1,))]
    model, _, on = map(np.asarray, _enumerated(*one_unit))
    tilted = model * (1 + 0.5 * (on[:, 0] - model @ on[:, 0]))
    points = (machines, rng.dirichlet(np.ones(32), size=4), 5)
    return BoundSides(
        sides=sides(),
        points=points,
        tight=([one_unit], [tilted], 2),
        wrong={"a step too many": sides(1), "half the variance": sides(0, False)},
    )


# ------------------------------------------------------------------------------------------------ what is minimized

reversed_d = derivation.define("d({}|{})", d * P / d1, "the law of the start given the end, from the data", over=(x, y), law=True)
reversed_p = derivation.define("p({}|{})", p * P / p1, "the same from the model", over=(x, y), law=True)
derivation.chain(
    "Every step brings the law of the chain closer to the model",
    Divergence(d, p),
    equals(
        Total(x, Total(y, times(d, P, log(d / p)))),
        "the probabilities of the steps from $x$ sum to one",
        wrong={"the step in the data's law alone": Total(x, Total(y, times(d, P, log((d * P) / p))))},
    ),
    equals(
        plus(Divergence(d1, p1), Expectation(d1, Divergence(reversed_d, reversed_p))),
        r"$\frac{d(x)}{p(x)} = \frac{d(x)\, P(y|x)}{p(x)\, P(y|x)}$ compares the laws of the pair; split them the other way: "
        "the end first, then the start given the end",
        wrong={"averaged over the model": plus(Divergence(d1, p1), Expectation(p1, Divergence(reversed_d, reversed_p)))},
    ),
    at_least(Divergence(d1, p1), "leave out divergences (Gibbs)", dropping=Expectation(d1, gibbs.at(reversed_d, reversed_p))),
    states=2,
    so=r"With $p_1 = p$: $\mathrm{KL}(d_k \| p)$ never grows with $k$. So the contrastive divergence $\mathrm{CD}_k = "
    r"\mathrm{KL}(d \| p) - \mathrm{KL}(d_k \| p)$, which gave the method its name, is never negative, and zero if $d = p$.",
)

theta = derivation.number(r"\theta", "a parameter of the model")
free = derivation.function("F", "the free energy of a state, which depends on the parameter", "free_energy", arguments=2)
score = derivation.function("L", "the logarithm of the chain's law, up to a constant, which depends on it, too", arguments=2)
model = derivation.define(r"p_\theta({})", exp(-free(x, theta)) / Total(y, exp(-free(y, theta))), "the model", over=x, law=True)
reached = derivation.define(
    r"q_\theta({})",
    exp(score(x, theta)) / Total(y, exp(score(y, theta))),
    "the law of the chain after $k$ steps",
    over=x,
    law=True,
)
statistic = derivation.define(r"s_\theta({})", -Slope(free(x, theta), theta), "the statistic", "sufficient_statistics", over=x)
update = plus(Expectation(d, statistic), -Expectation(reached, statistic))
derivation.chain(
    "The update is not the gradient of the contrastive divergence",
    Slope(plus(Divergence(d, model), -Divergence(reached, model)), theta),
    equals(
        plus(
            -Expectation(d, statistic),
            Expectation(reached, statistic),
            -Total(x, times(Slope(reached, theta), log(reached / model))),
        ),
        r"$\partial \log p_\theta = s_\theta - \mathbb{E}_{p_\theta}[s_\theta]$, whose mean cancels; the derivatives of "
        r"$q_\theta$ sum to zero",
        wrong={"ascent": plus(update, -Total(x, times(Slope(reached, theta), log(reached / model))))},
    ),
    states=2,
    so=r"CD-$k$ goes down the first two terms, $-g_k$, and leaves the last one out: the law at the chain's end moves with the "
    r"parameter, too. That term vanishes where $q_\theta = p_\theta$.",
)

# ------------------------------------------------------------------------------------------------ a machine, and the code

v1, v2 = (derivation.index(f"v_{i}", f"visible unit {i}", states=2) for i in (1, 2))
w1, w2 = (derivation.index(f"w_{i}", f"visible unit {i} of another state", states=2) for i in (1, 2))
h = derivation.index("h", "the hidden unit", states=2)
b1, b2 = (derivation.number(f"b_{i}", f"the bias of $v_{i}$", "visible_bias") for i in (1, 2))
c = derivation.number("c", "the bias of $h$", "hidden_bias")
W1, W2 = (derivation.number(f"W_{i}", f"the weight between $v_{i}$ and $h$", "weight") for i in (1, 2))
F = derivation.define(
    "F({},{})",
    -(b1 * v1 + b2 * v2) - log(1 + exp(c + v1 * W1 + v2 * W2)),
    "the free energy of two visible units with one hidden unit",
    "free_energy",
    over=(v1, v2),
)
active = derivation.define(
    r"\sigma({},{})", 1 / (1 + exp(-(c + v1 * W1 + v2 * W2))), "the probability that $h$ is on", "hidden_logits", over=(v1, v2)
)

_STATES = states(2)
_EVERY = list(itertools.product((0, 1), repeat=2))
derivation.bridge(
    "The statistics of the code are the slopes of the free energy",
    (
        [[-Slope(F.at(*v), weight) for weight in (W1, W2)] for v in _EVERY],
        [[-Slope(F.at(*v), bias) for bias in (b1, b2)] for v in _EVERY],
        [-Slope(F.at(*v), c) for v in _EVERY],
    ),
    sufficient_statistics,
    visible=_STATES,
    weight=[[W1], [W2]],
    hidden_bias=[c],
    wrong={"the hidden unit without the visible one": ([[active.at(*v)] * 2 for v in _EVERY], None, None)},
)


def _of_every_pair(weight, hidden_bias):
    """The first weight's gradient, of every datum and every state of the chain."""
    return jax.vmap(lambda v, end: gradient(v, end, weight, hidden_bias)[0][0, 0])(*_PAIRS)


_PAIRS = np.repeat(_STATES, 4, axis=0)[:, None], np.tile(_STATES, (4, 1))[:, None]
derivation.bridge(
    "... and its gradient subtracts those of the chain: of the first weight, for every pair of states",
    plus(v1 * active, -w1 * active.at(w1, w2)),
    _of_every_pair,
    weight=[[W1], [W2]],
    hidden_bias=[c],
    calls=(gradient,),
    wrong={
        "descent": plus(w1 * active.at(w1, w2), -v1 * active),
        "the data's hidden unit in both terms": plus(v1 * active, -w1 * active),
    },
)
falls = (exp(w1 * (b1 + h * W1)) / (1 + exp(b1 + h * W1)), exp(w2 * (b2 + h * W2)) / (1 + exp(b2 + h * W2)))
rises = plus(times(h, active), times(1 - h, 1 - active))
derivation.bridge(
    "... and its matrix goes up and down again",
    Total(h, times(rises, *falls)),
    gibbs_matrix,
    weight=[[W1], [W2]],
    visible_bias=[b1, b2],
    hidden_bias=[c],
    wrong={"always on": Total(h, times(h, *falls))},
)


@derivation.monte_carlo(
    r"P_1^2 = P^2",
    because="$P_1^2$ counts where two steps of the code's chain lead from 110. The machine has 3 visible units and 2 hidden "
    "ones, with weights of 2.5 and -2.5, and forgets slowly.",
)
def sampled_chains():
    rng, draws = np.random.default_rng(1), 12_000
    machine = np.full((3, 2), 2.5) * np.array([1.0, -1.0]), np.zeros(3), np.array([-3.75, 3.75])
    matrix = np.asarray(gibbs_matrix(*machine))
    ends = chain(np.tile([1.0, 1.0, 0.0], (draws, 1)), rng.uniform(size=(2, draws, 2)), rng.uniform(size=(2, draws, 3)), *machine)
    counted = (np.asarray(ends @ np.array([4.0, 2.0, 1.0]))[:, None] == np.arange(8)).astype(float)
    once, twice, thrice = (np.linalg.matrix_power(matrix, k)[6] for k in (1, 2, 3))
    return SampleSides(samples=counted, expected=twice, wrong={"one step": once, "three steps": thrice})


derivation.symbol("P_1", "the shares of the results of the code's chain")

_LOG_2 = float(np.log(2))
_R = (np.full((2, 1), _LOG_2), np.zeros(2), np.zeros(1))  # two visible units, one hidden, both weights log 2
_DATA = np.array([0.0, 0.0, 0.0, 1.0])  # always 11


def _expected_update(weight, visible_bias, hidden_bias, steps=1):
    """The expected update of CD with so many steps, for the data _DATA: of W, b and c."""
    matrix = gibbs_matrix(weight, visible_bias, hidden_bias)
    end = _DATA
    for _ in range(steps):
        end = end @ matrix
    parts = sufficient_statistics(_STATES, weight, hidden_bias)
    return tuple(jnp.tensordot(_DATA - end, part, 1) for part in parts)


derivation.symbol("J", "the Jacobian of the expected update of CD-1, by rows of what is updated")


@derivation.autodiff(
    r"(J_{b_1 W_1}, J_{W_1 b_1}) = (-\frac{46}{225}, -\frac{277}{1620})",
    because=r"The machine has both weights $\log 2$ and no biases, and the data are 11. The Jacobian of a gradient is a "
    "Hessian, which is symmetric. This one is not, so no function has the expected update of CD-1 as its gradient, and "
    "following it may go round in circles. One counterexample is enough.",
)
def no_objective():
    of_weight = jax.jacobian(_expected_update, argnums=0)(*_R)
    of_bias = jax.jacobian(_expected_update, argnums=1)(*_R)
    found = jnp.stack([of_weight[1][0, 0, 0], of_bias[0][0, 0, 0]])
    return Sides(
        left=found, right=np.array([-46 / 225, -277 / 1620]), wrong={"symmetric": np.full(2, -46 / 225), "the sign": -found}
    )


f = derivation.numbers("f", x, "the other factor of the statistic: $v_i$ for a weight, 1 for a bias")
derivation.chain(
    "Probabilities of the hidden units do better than samples of them",
    plus(Expectation(d, Expectation(up, (f * u) ** 2)), -(Expectation(d, Expectation(up, f * u)) ** 2)),
    equals(
        plus(Expectation(d, f**2 * on), -(Expectation(d, f * on) ** 2)),
        "$u$ is 0 or 1, and its mean given $x$ is $p(1|x)$",
        wrong={"the square of the probability": plus(Expectation(d, f**2 * on**2), -(Expectation(d, f * on) ** 2))},
    ),
    equals(
        plus(Variance(d, f * on), Expectation(d, times(f**2, on, up.at(0, x)))),
        "add and subtract the mean square of $f(x)\\, p(1|x)$",
    ),
    at_least(Variance(d, f * on), "squares times probabilities", dropping=Expectation(d, times(f**2, on, up.at(0, x)))),
    states=2,
    so="The first line is the variance of the statistic with a sampled hidden unit, the last with its probability; the means are "
    "equal. The code takes probabilities in both terms. Inside the chain units are sampled: a chain of probabilities has "
    "another law.",
)


@derivation.example(
    r"Two visible units, one hidden one, no biases, both weights $\log 2$, and the data 11 alone. From 11 the hidden unit is on "
    r"with probability $\frac45$, so $d_1 = (\frac{5}{36}, \frac{41}{180}, \frac{41}{180}, \frac{73}{180})$. The second "
    r"eigenvalue of a step is $\frac{53}{1080}$: one step is within 5% of the gradient, two within a quarter of a percent."
)
def one_step_and_two():
    model_law, matrix, _ = _enumerated(*_R)
    yield "180\\, d_1", 180 * (_DATA @ matrix), "(25, 41, 41, 73)"
    for steps, said in ((60, "(0.3385, 0.3846, 0.1077)"), (1, "(0.3237, 0.3667, 0.1024)"), (2, "(0.3377, 0.3837, 0.1074)")):
        of_weight, of_bias, of_hidden = _expected_update(*_R, steps=steps)
        name = "g" if steps == 60 else f"g_{steps}"
        yield name + r"\text{ of } W_1, b_1, c", jnp.stack([of_weight[0, 0], of_bias[0], of_hidden[0]]), said
    yield r"g_1 / g\text{ of } c", _expected_update(*_R)[2][0] / (7 / 65), "0.9509"
    after = _laws(_DATA, matrix, 2)[1:]
    yield r"1000\, \mathrm{KL}(d_k \| p),\ k = 1, 2", 1000 * np.sum(after * np.log(after / model_law), axis=1), "(1.351, 0.0032)"


@derivation.figure(
    "Left: the error of the expected update of the hidden bias, relative to the gradient, for data 11 and both weights $w$, "
    r"with biases that keep all units on half of the time; dashed: $\lambda_2^k$. Right: $\mathrm{KL}(d_k \| p)$ falls with "
    "every step, more slowly the larger the weights.",
    panels=2,
)
def errors_by_steps(errors, distances):
    for w in (2.0, 4.0, 6.0):
        law, matrix, on_ = map(np.asarray, _enumerated(np.full((2, 1), w), np.full(2, -w / 2), np.array([-w])))
        after = _laws(_DATA, matrix, 10)
        off = (after - law) @ on_[:, 0] / ((_DATA - law) @ on_[:, 0])
        (line,) = errors.semilogy(off, "o", markersize=4, label=f"$w = {w:.0f}$")
        second = np.sort(np.linalg.eigvals(matrix).real)[-2]
        errors.semilogy(second ** np.arange(11), "--", color=line.get_color(), linewidth=1)
        distances.semilogy([np.sum(one * np.log(np.where(one > 0, one, 1.0) / law)) for one in after], "o-", markersize=3)
    errors.set(xlabel="steps, $k$", ylabel="$(g - g_k) / g$ of the hidden bias", ylim=(1e-6, 2))
    errors.legend()
    distances.set(xlabel="steps, $k$", ylabel=r"$\mathrm{KL}(d_k \| p)$, nats", ylim=(1e-8, 5))


@derivation.exercise(
    "What is the update of CD with no step at all?",
    r"Zero, whatever the data: $d_0 = d$, so $g_0 = 0$. Both terms are means over the same states.",
)
def no_step():
    yield jnp.abs(_expected_update(*_R, steps=0)[0]).sum(), "0"


@derivation.exercise(
    r"How many steps does the example need for the update of $c$ to be right to one part in a million?",
    r"$\left(\frac{53}{1080}\right)^k \le 10^{-6}$ holds from $k = 5$ on, the first integer above $4.58$.",
)
def steps_for_six_digits():
    _, matrix, _ = _enumerated(*_R)
    yield np.log(1e-6) / np.log(np.sort(np.linalg.eigvals(np.asarray(matrix)).real)[-2]), "4.58"


@derivation.exercise(
    r"All weights are zero. How large is the error of CD-1, for $b = (1, -1)$, $c = 2$ and the data 11?",
    "A step forgets its start: all rows of $P$ are $p$, so $g_1 = g$, and the error is 0. The update of $b_1$ is $1 - "
    r"\frac{1}{1 + e^{-1}} = 0.2689$.",
)
def without_weights():
    yield _expected_update(np.zeros((2, 1)), np.array([1.0, -1.0]), np.array([2.0]))[1][0], "0.2689"
