"""Contrastive divergence: the price of a short chain.

The lecture on the functions of theory_jax/energy/contrastive_divergence.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import BoundSides, SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.energy._machine import states
from theory_jax.energy.contrastive_divergence import chain, gibbs_matrix, gradient, sufficient_statistics
from theory_jax.lectures.energy._short_chains import (
    MACHINE,
    STEPS,
    approach,
    draw_by_steps,
    enumerated,
    errors_and_bounds,
    laws,
    updates,
)
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
    question="The gradient of an energy model's likelihood compares the data with samples of the model, and the chain that "
    "draws them may need thousands of steps at every update. One that starts at the data and stops after a few steps is cheap, "
    "but it has not reached the model, and the gradient is biased. What does such an update follow, and how large is its "
    "error?",
    limits=(
        "Whether training with CD or PCD converges. PCD is a stochastic approximation: its learning rate must fall slowly "
        "enough for the chain to follow the model.",
        "How long chains take on machines with large weights, where the second eigenvalue is close to 1.",
    ),
)

x = derivation.index("x", "a visible state")
y = derivation.index("y", "the visible state one step later")
d = derivation.law("d({})", x, "the distribution of the data")
p = derivation.law("p({})", x, "the distribution of the model", "exp(log_likelihood)")
P = derivation.law("P({}|{})", (y, x), "the probability of a step from $x$ to $y$", "gibbs_matrix")
s = derivation.numbers("s({})", x, "a statistic", "sufficient_statistics")
d1 = derivation.define("d_1({})", Total(x, d * P), "the distribution of the data after a step", "chain", over=y, law=True)
p1 = derivation.define("p_1({})", Total(x, p * P), "the distribution of the model after a step: $p$ itself", over=y, law=True)
g = derivation.number("g", "the gradient of the mean log-likelihood")
lam = derivation.number(r"\lambda", "the share of an error that a step keeps", between=(0, 1))
k = derivation.number("k", "the number of steps", positive=True)
derivation.symbol("g_k", "the expected update after $k$ steps", "gradient")

derivation.setting = (
    prose(
        r"A model gives the visible state $x$ a probability $p(x)$ in proportion to $e^{-F(x)}$, and depends on a parameter "
        r"$\theta$; its statistic $s(x)$ is the derivative of $-F(x)$ by it. The data have the distribution $d$. The gradient of "
        "their mean log-likelihood is {gradient}.",
        gradient=means("g", plus(Expectation(d, s), -Expectation(p, s))),
    ),
    prose(
        "A step of the chain goes from $x$ to $y$ with probability $P(y|x)$ and leaves $p$ as it is, as a block Gibbs step of "
        "a restricted Boltzmann machine does; $k$ steps from the data lead to the distribution $d_k$. Contrastive divergence, "
        "CD-$k$, puts $d_k$ in the place of $p$: with one step it follows {update}. Persistent CD (PCD) begins each chain where "
        "that of the last update ended.",
        update=means("g_1", plus(Expectation(d, s), -Expectation(d1, s.at(y)))),
    ),
)
derivation.answer = prose(
    "For a block Gibbs chain the error of the update falls at least as fast as the $k$-th power of a step's second eigenvalue. "
    r"With one hidden unit this eigenvalue is $\lambda$, and the hidden bias follows exactly {update} instead of its gradient. "
    "No step takes the chain away from the model, so the contrastive divergence is never negative; but the update is not its "
    "gradient, nor, in general, that of any other function.",
    update=holds(plus(g, -times(lam**k, g)), "=", times(1 - lam**k, g), named=True, wrong={"the error": times(lam**k, g)}),
)

error = derivation.chain(
    "The error of one step is the excess of the data over the model, averaged with the next statistic",
    Expectation(d1, s.at(y)) - Expectation(p1, s.at(y)),
    equals(
        Total(x, times(d - p, Total(y, times(P, s.at(y))))),
        "the definitions of both distributions; $d - p$ does not depend on $y$",
        wrong={"the statistic of the start": Total(x, times(d - p, s))},
    ),
    states=2,
    so=prose(
        "A step leaves the model as it is, so the left side is $g - g_1$: the error of CD-1 is the excess of the data over the "
        "model, averaged with the statistic one step ahead. A correct model is a fixed point: at {same}, {zero}. After $k$ steps "
        "$P$ is replaced by its $k$-th power, whose rows all tend to $p$ if every state can be reached, as by Gibbs steps.",
        same=where(d, p),
        zero=holds(Expectation(d1, s.at(y)), "=", Expectation(p1, s.at(y))),
    ),
    role="lemma",
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
        prose(
            "the definition of $t$; the step goes up to $u$ and down to $y$, where the statistic of the hidden bias is {on}",
            on=up.at(1, y),
        ),
        wrong={"the unit stays": Total(x, times(d - p, on))},
    ),
    equals(
        Total(x, times(d - p, plus(t.at(0), times(on, t.at(1) - t.at(0))))), prose("{off}", off=holds(up.at(0, x), "=", 1 - on))
    ),
    equals(
        times(t.at(1) - t.at(0), Expectation(d, on) - Expectation(p, on)),
        prose("{sum}, so the constant drops out", sum=holds(Total(x, d - p), "=", 0)),
        wrong={"the constant kept": t.at(0) + times(t.at(1) - t.at(0), Expectation(d, on) - Expectation(p, on))},
    ),
    states=2,
    central=True,
    uses=(error,),
    so=prose(
        r"The share {share} is the second eigenvalue $\lambda$ of the hidden unit's own chain. Since {step}, every further "
        r"step multiplies the difference by it once more: after $k$ steps the error is $\lambda^k g$, and the update {update}. "
        r"A Gibbs chain has a $\lambda$ between 0 and 1, so {positive}: the sign is right, and the size comes to that of the "
        "gradient.",
        share=t.at(1) - t.at(0),
        step=holds(
            Total(y, times(Total(u, up * down), up.at(1, y))),
            "=",
            plus(t.at(0), times(t.at(1) - t.at(0), on)),
            wrong={"without the constant": times(t.at(1) - t.at(0), on)},
        ),
        update=holds(plus(g, -times(lam**k, g)), "=", times(1 - lam**k, g)),
        positive=holds(1 - lam**k, ">", 0),
    ),
)

derivation.symbol(r"\lambda_2", "the second largest eigenvalue of $P$; all of them lie between 0 and 1")
derivation.symbol(r"\chi^2", r"the chi-square divergence, $\sum_x (d(x) - p(x))^2 / p(x)$")


@derivation.bound(
    r"|g_k - g| \le \lambda_2^k \sqrt{\chi^2(d, p)\, \mathrm{Var}_p[s]}",
    because="A block Gibbs step is reversible, which makes $P$ symmetric in the inner product weighted by $p$, so it has "
    "orthonormal eigenfunctions, and $P^k$ multiplies each by the $k$-th power of its eigenvalue. The constant has eigenvalue "
    r"1 and drops out, since $d - p$ sums to zero; all other factors are at most $\lambda_2^k$. Cauchy-Schwarz bounds the sum "
    "that is left. Points: four machines of 5 visible and 3 hidden units, with up to five steps. It is tight for one hidden "
    r"unit where $d/p - 1$ is a multiple of $s - \mathbb{E}_p[s]$.",
)
def spectral_bound():
    rng = np.random.default_rng(0)
    machines = [[rng.normal(size=shape) for shape in ((5, 3), (5,), (3,))] for _ in range(4)]
    one_unit = [rng.normal(size=shape) for shape in ((2, 1), (2,), (1,))]
    model, _, on = map(np.asarray, enumerated(*one_unit))
    tilted = model * (1 + 0.5 * (on[:, 0] - model @ on[:, 0]))
    points = (machines, rng.dirichlet(np.ones(32), size=4), 5)
    return BoundSides(
        sides=errors_and_bounds(),
        points=points,
        tight=([one_unit], [tilted], 2),
        wrong={"a step too many": errors_and_bounds(1), "half the variance": errors_and_bounds(0, False)},
    )


# ------------------------------------------------------------------------------------------------ what is minimized

reversed_d = derivation.define(
    "d({}|{})", d * P / d1, "the distribution of the start given the end, from the data", over=(x, y), law=True
)
reversed_p = derivation.define("p({}|{})", p * P / p1, "the same from the model", over=(x, y), law=True)
closer = derivation.chain(
    "No step takes the distribution of the chain further from the model",
    Divergence(d, p),
    equals(
        Total(x, Total(y, times(d, P, log(d / p)))),
        "the probabilities of the steps from $x$ sum to one",
        wrong={"the step in the data's distribution alone": Total(x, Total(y, times(d, P, log((d * P) / p))))},
    ),
    equals(
        plus(Divergence(d1, p1), Expectation(d1, Divergence(reversed_d, reversed_p))),
        prose(
            "the same factor above and below makes it a ratio of pairs, which split the other way, too, the end first: {pair}",
            pair=holds(d * P, "=", times(d1, reversed_d), wrong={"the model's start": times(d1, reversed_p)}),
        ),
        wrong={"averaged over the model": plus(Divergence(d1, p1), Expectation(p1, Divergence(reversed_d, reversed_p)))},
    ),
    at_least(Divergence(d1, p1), "leave out divergences (Gibbs)", dropping=Expectation(d1, gibbs.at(reversed_d, reversed_p))),
    states=2,
    so=prose(
        "A step leaves the model as it is, so the divergence from it never grows with $k$. The contrastive divergence, which "
        "gave the method its name, is what $k$ steps take from it, and is never negative: after one, {first}. It is {zero} if "
        "the data have the model's distribution.",
        first=holds(plus(Divergence(d, p), -Divergence(d1, p1)), ">=", 0),
        zero=holds(plus(Divergence(d, p), -Divergence(d1, p1)), "=", 0, when={d: p}, named=True),
    ),
)

theta = derivation.number(r"\theta", "a parameter of the model")
free = derivation.function("F", "the free energy of a state, which depends on the parameter", "free_energy", arguments=2)
score = derivation.function(
    "L", "the logarithm of the chain's distribution, up to a constant, which depends on it, too", arguments=2
)
model = derivation.define(r"p_\theta({})", exp(-free(x, theta)) / Total(y, exp(-free(y, theta))), "the model", over=x, law=True)
reached = derivation.define(
    r"q_\theta({})",
    exp(score(x, theta)) / Total(y, exp(score(y, theta))),
    "the distribution of the chain after $k$ steps",
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
        prose(
            "{score}, whose mean cancels, and {sum}",
            score=holds(Slope(log(model), theta), "=", plus(statistic, -Expectation(model, statistic))),
            sum=holds(Total(x, Slope(reached, theta)), "=", 0),
        ),
        wrong={"ascent": plus(update, -Total(x, times(Slope(reached, theta), log(reached / model))))},
    ),
    states=2,
    so=r"CD-$k$ goes down the first two terms, $-g_k$, and leaves the last one out: the distribution at the chain's end moves "
    "with the parameter, too. That term vanishes where the chain has reached the model, since the logarithm is zero there.",
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


def fall(h):
    """The probability of the visible units (w_1, w_2) given the hidden one."""
    return exp(w1 * (b1 + h * W1)) / (1 + exp(b1 + h * W1)) * exp(w2 * (b2 + h * W2)) / (1 + exp(b2 + h * W2))


rises = plus(times(h, active), times(1 - h, 1 - active))
derivation.bridge(
    "... and its matrix goes up and down again",
    Total(h, times(rises, fall(h))),
    gibbs_matrix,
    weight=[[W1], [W2]],
    visible_bias=[b1, b2],
    hidden_bias=[c],
    wrong={"always on": Total(h, times(h, fall(h)))},
)


@derivation.monte_carlo(
    r"\hat P_2 = P^2",
    because=r"$\hat P_2$ counts where two steps of the code's chain lead from 110. The machine has 3 visible units and 2 hidden "
    "ones, with weights of 2.5 and -2.5, and forgets slowly.",
    role="remark",
)
def sampled_chains():
    rng, draws = np.random.default_rng(1), 12_000
    machine = np.full((3, 2), 2.5) * np.array([1.0, -1.0]), np.zeros(3), np.array([-3.75, 3.75])
    matrix = np.asarray(gibbs_matrix(*machine))
    ends = chain(np.tile([1.0, 1.0, 0.0], (draws, 1)), rng.uniform(size=(2, draws, 2)), rng.uniform(size=(2, draws, 3)), *machine)
    counted = (np.asarray(ends @ np.array([4.0, 2.0, 1.0]))[:, None] == np.arange(8)).astype(float)
    once, twice, thrice = (np.linalg.matrix_power(matrix, k)[6] for k in (1, 2, 3))
    return SampleSides(samples=counted, expected=twice, wrong={"one step": once, "three steps": thrice})


derivation.symbol(r"\hat P_2", "how often two steps of the code's chain end in each state")

_DATA = np.array([0.0, 0.0, 0.0, 1.0])  # always 11, for the machine `MACHINE`


def _expected_update(weight, visible_bias, hidden_bias, steps=1):
    """The expected update of CD with so many steps, for the data _DATA: of W, b and c."""
    matrix = gibbs_matrix(weight, visible_bias, hidden_bias)
    end = _DATA @ jnp.linalg.matrix_power(matrix, steps)
    parts = sufficient_statistics(_STATES, weight, hidden_bias)
    return tuple(jnp.tensordot(_DATA - end, part, 1) for part in parts)


derivation.symbol("J", "the Jacobian of the expected update of CD-1, by rows of what is updated")


@derivation.autodiff(
    r"(J_{b_1 W_1}, J_{W_1 b_1}) = (-\frac{46}{225}, -\frac{277}{1620})",
    because=r"The machine has both weights $\log 2$ and no biases, and the data are 11. The Jacobian of a gradient is a "
    "Hessian, which is symmetric. This one is not, so no function has the expected update of CD-1 as its gradient, and "
    "following it may go round in circles. One counterexample is enough.",
    role="remark",
)
def no_objective():
    of_weight = jax.jacobian(_expected_update, argnums=0)(*MACHINE)
    of_bias = jax.jacobian(_expected_update, argnums=1)(*MACHINE)
    found = jnp.stack([of_weight[1][0, 0, 0], of_bias[0][0, 0, 0]])
    return Sides(
        left=found, right=np.array([-46 / 225, -277 / 1620]), wrong={"symmetric": np.full(2, -46 / 225), "the sign": -found}
    )


f = derivation.numbers("f", x, "the other factor of the statistic: $v_i$ for a weight, 1 for a bias")
fewer = derivation.chain(
    "With the probability of a hidden unit the variance is no larger than with a sample of it",
    plus(Expectation(d, Expectation(up, (f * u) ** 2)), -(Expectation(d, Expectation(up, f * u)) ** 2)),
    equals(
        plus(Expectation(d, f**2 * on), -(Expectation(d, f * on) ** 2)),
        prose("$u$ is 0 or 1, so {mean} and {square}", mean=holds(Expectation(up, u), "=", on), square=holds(u**2, "=", u)),
        wrong={"the square of the probability": plus(Expectation(d, f**2 * on**2), -(Expectation(d, f * on) ** 2))},
    ),
    equals(
        plus(Variance(d, f * on), Expectation(d, times(f**2, on, up.at(0, x)))),
        "add and subtract the mean square of $f(x)\\, p(1|x)$",
    ),
    at_least(Variance(d, f * on), "squares times probabilities", dropping=Expectation(d, times(f**2, on, up.at(0, x)))),
    states=2,
    so=prose(
        "The first line is the variance of the statistic with a sampled hidden unit, the last with its probability; the means "
        "are equal, {means}. The code takes probabilities in both terms. Inside the chain units are sampled: a chain of "
        "probabilities has another distribution.",
        means=holds(Expectation(d, Expectation(up, f * u)), "=", Expectation(d, f * on)),
    ),
    role="remark",
)


_MACHINE = {W1: log(2), W2: log(2), b1: 0, b2: 0, c: 0}


derivation.algorithm(
    "An update of contrastive divergence, CD-k",
    do(r"take a data point $v$, and start the chain there, $v' \leftarrow v$ (PCD: where the last chain ended)"),
    do("$k$ times:"),
    do(r"draw $h$ from its probabilities given $v'$, then $v'$ from its probabilities given $h$", chain, by=closer, indent=1),
    do(
        r"$W \leftarrow W + \eta\, (v\, p(h = 1 | v) - v' p(h = 1 | v'))$, $b \leftarrow b + \eta\, (v - v')$, "
        r"$c \leftarrow c + \eta\, (p(h = 1 | v) - p(h = 1 | v'))$, with probabilities in place of samples of $h$",
        gradient,
        by=fewer,
    ),
)(updates)


@derivation.example(
    prose(
        r"Two visible units, one hidden one, no biases, both weights $\log 2$, and the data 11 alone. From 11 the hidden unit "
        "is on with probability {on}. The second eigenvalue of a step is {second}: one step is within 5% of the gradient, two "
        "within a quarter of a percent.",
        on=holds(active.at(1, 1), "=", Rational(4, 5), when=_MACHINE, named=True),
        second=holds(
            Total(w1, Total(w2, times(fall(1) - fall(0), active.at(w1, w2)))), "=", Rational(53, 1080), when=_MACHINE, named=True
        ),
    )
)
def one_step_and_two():
    model_law, matrix, _ = enumerated(*MACHINE)
    yield "180\\, d_1", 180 * (_DATA @ matrix), "(25, 41, 41, 73)"
    for steps, said in ((60, "(0.3385, 0.3846, 0.1077)"), (1, "(0.3237, 0.3667, 0.1024)"), (2, "(0.3377, 0.3837, 0.1074)")):
        of_weight, of_bias, of_hidden = _expected_update(*MACHINE, steps=steps)
        name = "g" if steps == 60 else f"g_{steps}"
        yield name + r"\text{ of } W_1, b_1, c", jnp.stack([of_weight[0, 0], of_bias[0], of_hidden[0]]), said
    yield r"g_1 / g\text{ of } c", _expected_update(*MACHINE)[2][0] / (7 / 65), "0.9509"
    after = laws(_DATA, matrix, 2)[1:]
    yield r"1000\, \mathrm{KL}(d_k \| p),\ k = 1, 2", 1000 * np.sum(after * np.log(after / model_law), axis=1), "(1.351, 0.0032)"


derivation.figure(
    "Four visible units and one hidden one, and data in which all are on. Blue: how many are on after $k$ steps of the chain "
    "from the data; gray: in the model. Left: with small weights the chain soon has the model's distribution. Right: with large "
    "ones it stays on the side of the data for long. Above: the part of the gradient of the hidden bias that an update sees.",
    panels=2,
    frames=[f"$k = {steps}$" for steps in STEPS],
)(approach)
derivation.figure(
    "Left: the error of the expected update of the hidden bias, relative to the gradient, for data 11 and both weights $w$, "
    r"with biases that keep all units on half of the time; dashed: $\lambda_2^k$. Right: $\mathrm{KL}(d_k \| p)$ falls with "
    "every step, more slowly the larger the weights.",
    panels=2,
)(lambda *panels: draw_by_steps(*panels, _DATA))
