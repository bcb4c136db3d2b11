"""Restricted Boltzmann machines: what a hidden layer adds, and what stays hard.

The lecture on the functions of theory_jax/energy/restricted_boltzmann_machine.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid
from sympy import Rational, exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.energy._machine import states
from theory_jax.energy.restricted_boltzmann_machine import (
    energy,
    exact_log_partition,
    free_energy,
    gibbs_step,
    hidden_logits,
    log_likelihood,
    visible_logits,
)

derivation = Derivation(
    module=__name__,
    title="Restricted Boltzmann machines: what a hidden layer adds, and what stays hard",
    lectures=(),
    sources=(
        "Smolensky 1986, Information processing in dynamical systems: foundations of harmony theory",
        "Hinton 2002, Training products of experts by minimizing contrastive divergence",
        "Hinton 2012, A practical guide to training restricted Boltzmann machines",
        "Fischer & Igel 2012, An introduction to restricted Boltzmann machines",
        "Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks",
    ),
    question="A distribution over many bits needs a number for each of exponentially many states; independent bits need few "
    "numbers, but know no pattern. How do hidden units make a rich distribution while each layer, given the other, stays a "
    "product of coins, and what remains out of reach?",
    setting=(
        r"Visible units $v_i$ and hidden units $h_j$ are bits. The energy is linear in each of them, "
        r"$-b^\top v - c^\top h - v^\top W h$, with no links inside a layer, and a state of the machine has the probability "
        r"$e^{-E(v,h)}/Z$.",
        "The chains write out two visible and two hidden units, with all weights and biases free. Each move treats one unit at a "
        "time, so it is the same for any number of them.",
    ),
    limits=(
        "That enough hidden units approximate every distribution over the visible ones.",
        "How slowly Gibbs steps mix where weights are large.",
    ),
    trained="`energy/contrastive_divergence` trains this machine, on digits that are enumerated and on MNIST.",
)

v1 = derivation.index("v_1", "the first visible unit", states=2)
v2 = derivation.index("v_2", "the second", states=2)
h1 = derivation.index("h_1", "the first hidden unit", states=2)
h2 = derivation.index("h_2", "the second", states=2)
b1, b2 = (derivation.number(f"b_{i}", f"the bias of $v_{i}$", "visible_bias") for i in (1, 2))
c1, c2 = (derivation.number(f"c_{j}", f"the bias of $h_{j}$", "hidden_bias") for j in (1, 2))
W11, W12, W21, W22 = (
    derivation.number(f"W_{{{i}{j}}}", f"the weight between $v_{i}$ and $h_{j}$", "weight") for i in (1, 2) for j in (1, 2)
)
MACHINE = (b1, b2, c1, c2, W11, W12, W21, W22)
E = derivation.define(
    "E({},{},{},{})",
    -(b1 * v1 + b2 * v2) - (c1 * h1 + c2 * h2) - (v1 * W11 * h1 + v1 * W12 * h2 + v2 * W21 * h1 + v2 * W22 * h2),
    "the energy",
    "energy",
    over=(v1, v2, h1, h2),
)
F = derivation.define(
    "F({},{})", -log(Total(h1, Total(h2, exp(-E)))), "the free energy of a visible state", "free_energy", over=(v1, v2)
)
a1 = derivation.define("a_1({},{})", c1 + v1 * W11 + v2 * W21, "the input of $h_1$", "hidden_logits", over=(v1, v2))
a2 = derivation.define("a_2({},{})", c2 + v1 * W12 + v2 * W22, "the input of $h_2$", "hidden_logits", over=(v1, v2))
biases = exp(b1 * v1 + b2 * v2)
derivation.answer = prose(
    "With the hidden units summed out, the energy is the free energy: for two of them, {free}, where $a_j$ is the input of "
    "$h_j$. Given one layer, the units of the other are independent, so a block Gibbs step draws a layer at once, and it "
    r"leaves the distribution of the machine as it is. With one layer summed out, $Z$ is a sum over the $2^{\min(V, H)}$ "
    "states of the smaller one: exact for small machines, out of reach for large ones.",
    free=holds(
        F,
        "=",
        plus(-(b1 * v1 + b2 * v2), -log(1 + exp(a1)), -log(1 + exp(a2))),
        wrong={"the likelier state alone": plus(-(b1 * v1 + b2 * v2), -a1, -a2)},
    ),
)

summed = derivation.chain(
    "The hidden layer is summed out, one unit at a time",
    exp(-F),
    equals(
        times(biases, Total(h1, Total(h2, exp(h1 * a1) * exp(h2 * a2)))),
        "the energy is linear in the hidden units for fixed visible ones",
        wrong={"no hidden biases": times(biases, Total(h1, Total(h2, exp(h1 * (a1 - c1)) * exp(h2 * (a2 - c2)))))},
    ),
    equals(
        times(biases, Total(h1, exp(h1 * a1)), Total(h2, exp(h2 * a2))),
        "a sum of products over independent indices is a product of sums",
        wrong={"a sum of sums": times(biases, plus(Total(h1, exp(h1 * a1)), Total(h2, exp(h2 * a2))))},
    ),
    equals(
        times(biases, 1 + exp(a1), 1 + exp(a2)),
        "a unit is 0 or 1",
        wrong={
            "units of -1 and 1": times(biases, exp(-a1) + exp(a1), exp(-a2) + exp(a2)),
            "the likelier state alone": times(biases, exp(a1), exp(a2)),
        },
    ),
    central=True,
    so=prose(
        "So {free}: a sum over $2^H$ states at the price of $H$ terms. Each hidden unit multiplies the weight of a visible "
        "state, before it is normalized, by a factor of its own, so a machine is a product of experts.",
        free=holds(-F, "=", plus(b1 * v1 + b2 * v2, log(1 + exp(a1)), log(1 + exp(a2)))),
    ),
)
Z = derivation.define("Z", Total(v1, Total(v2, exp(-F))), "the normalizer", "exp(exact_log_partition)", positive=True)
on1, on2 = 1 / (1 + exp(-a1)), 1 / (1 + exp(-a2))
coins = derivation.chain(
    "Given the visible layer, the hidden units are independent coins",
    exp(-E) / exp(-F),
    equals(
        times(exp(h1 * a1) / (1 + exp(a1)), exp(h2 * a2) / (1 + exp(a2))),
        r"the last result in the denominator; $e^{b^\top v}$ cancels",
        wrong={
            "not normalized": times(exp(h1 * a1), exp(h2 * a2)),
            "one normalizer": exp(h1 * a1 + h2 * a2) / (1 + exp(a1 + a2)),
        },
    ),
    equals(
        times(plus(1 - h1, times(2 * h1 - 1, on1)), plus(1 - h2, times(2 * h2 - 1, on2))),
        prose("{on} for a unit that is on, and 1 minus that for a unit that is off", on=holds(exp(a1) / (1 + exp(a1)), "=", on1)),
        wrong={"on and off exchanged": times(plus(h1, times(1 - 2 * h1, on1)), plus(h2, times(1 - 2 * h2, on2)))},
    ),
    uses=(summed,),
    so=r"The energy treats both layers alike, with $W$ transposed, so given $h$ the visible units are independent, too, with the "
    r"inputs $b + W h$.",
)
derivation.chain(
    "The normalizer is a sum over either layer",
    Z,
    equals(
        Total(h1, Total(h2, Total(v1, Total(v2, exp(-E))))),
        "the definition of $F$; finite sums may be exchanged",
        wrong={"at rest alone": Total(v1, Total(v2, exp(-E.at(v1, v2, 0, 0))))},
    ),
    equals(
        Total(h1, Total(h2, times(exp(c1 * h1 + c2 * h2), 1 + exp(b1 + W11 * h1 + W12 * h2), 1 + exp(b2 + W21 * h1 + W22 * h2)))),
        "the visible layer is summed out as the hidden one was",
        wrong={
            "the visible factor forgotten": Total(h1, Total(h2, exp(c1 * h1 + c2 * h2))),
            "weights transposed": Total(
                h1, Total(h2, times(exp(c1 * h1 + c2 * h2), 1 + exp(b1 + W11 * h1 + W21 * h2), 1 + exp(b2 + W12 * h1 + W22 * h2)))
            ),
        },
    ),
    so=r"The code sums over the smaller layer: $2^{\min(V, H)}$ terms.",
)
w1 = derivation.index("w_1", "the first visible unit of another state", states=2)
w2 = derivation.index("w_2", "the second", states=2)
p = derivation.define(
    "p({},{})", exp(-F) / Z, "the distribution of the visible units", "exp(log_likelihood)", over=(v1, v2), positive=True
)
active = derivation.define("s_1({},{})", on1, "the probability that $h_1$ is on", over=(v1, v2), positive=True)
derivation.chain(
    "The slope of a log-probability compares two correlations",
    Slope(log(p), W11),
    equals(plus(-Slope(F, W11), -Slope(log(Z), W11)), prose("{log}", log=holds(log(p), "=", plus(-F, -log(Z))))),
    equals(
        plus(v1 * active, -Total(w1, Total(w2, times(p.at(w1, w2), w1, active.at(w1, w2))))),
        prose(
            r"{slope}, and the slope of $\log Z$ is the mean of the same under the model",
            slope=holds(-Slope(F, W11), "=", times(v1, active)),
        ),
    ),
    so="For every weight it is $v_i$ times the probability that $h_j$ is on, at the data, less the mean of this product under "
    "the model. For a bias the other factor is left out. The first term is cheap. The second needs samples of the model.",
)

derivation.say(
    "Samples come from Gibbs steps: draw the hidden layer given the visible one, then the visible layer given the hidden one. "
    "What follows holds for every distribution of two variables, so it is written for one: $x$ and $y$ are states of the "
    "visible layer, $u$ is one of the hidden layer."
)
x = derivation.index("x", "a visible state")
y = derivation.index("y", "another")
u = derivation.index("u", "a hidden state")
r = derivation.numbers("r({},{})", (x, u), "the joint probability, perhaps not normalized", positive=True)
rx = derivation.define("r({})", Total(u, r), "that of the visible state", over=x, positive=True)
ru = derivation.define(r"\bar r({})", Total(x, r), "that of the hidden state", over=u, positive=True)
P = derivation.define(
    r"P({} \to {})",
    Total(u, times(r / rx, r.at(y, u) / ru)),
    "the probability of a Gibbs step from $x$ to $y$",
    "gibbs_step",
    over=(x, y),
    positive=True,
)
flow = derivation.chain(
    "A Gibbs step is reversible",
    rx * P,
    equals(
        Total(u, r * r.at(y, u) / ru), "the definitions; $r(x)$ cancels", wrong={"the joint of one state": Total(u, r**2 / ru)}
    ),
    equals(rx.at(y) * P.at(y, x), "the last line is symmetric in $x$ and $y$", wrong={"not turned": rx.at(y) * P}),
    states=2,
    role="lemma",
)
kept = derivation.chain(
    "A Gibbs step leaves the distribution as it is",
    Total(x, rx * P),
    equals(
        Total(x, rx.at(y) * P.at(y, x)), "reversed in every term", wrong={"turned in the step alone": Total(x, rx * P.at(y, x))}
    ),
    equals(rx.at(y), "the probabilities of the steps from $y$ sum to one"),
    states=2,
    uses=(flow,),
    role="lemma",
)
f = derivation.numbers("f", x, "any function of the visible state")
derivation.chain(
    "No eigenvalue of a Gibbs step is negative",
    Total(x, Total(y, times(f, rx * P, f.at(y)))),
    equals(
        Total(u, Total(x, r * f) ** 2 / ru),
        "the symmetric form of the flow; the sum over $x$ and that over $y$ are the same number",
        wrong={"not squared": Total(u, Total(x, r * f) / ru), "the square inside": Total(u, Total(x, r * f**2) / ru)},
    ),
    at_least(0, "squares over positive numbers", dropping=Total(u, Total(x, r * f) ** 2 / ru)),
    states=2,
    uses=(flow,),
    so=r"A chain of Gibbs steps forgets its start without swinging about it. All entries of $P$ are positive where all of $r$ "
    r"are, so the eigenvalue 1 is simple and every chain comes to the one distribution.",
    role="lemma",
)

first = 1 + exp(c1)
both = 1 + exp(c1 + W11 + W21)
derivation.chain(
    "A hidden unit ties those visible units together that it has weights to",
    plus(times(first, both) / times(1 + exp(c1 + W11), 1 + exp(c1 + W21)), -1),
    equals(
        times(exp(c1), exp(W11) - 1, exp(W21) - 1) / times(1 + exp(c1 + W11), 1 + exp(c1 + W21)),
        "the numerators' difference, multiplied out",
        wrong={"independent": 0},
    ),
    so=prose(
        "With one hidden unit the left side is {odds}: the visible biases cancel. Weights of one sign make two units agree "
        "more often than independent ones that are on as often, weights of different signs make them differ more often, and a "
        "weight of 0 leaves them independent.",
        odds=holds(
            times(first, both) / times(1 + exp(c1 + W11), 1 + exp(c1 + W21)) - 1,
            "=",
            times(p.at(0, 0), p.at(1, 1)) / times(p.at(0, 1), p.at(1, 0)) - 1,
            when={W12: 0, W22: 0},
            named=True,
            wrong={"without the difference": times(p.at(0, 0), p.at(1, 1)) / times(p.at(0, 1), p.at(1, 0))},
        ),
    ),
    role="remark",
)

_STATES = states(2)
_EVERY = list(itertools.product((0, 1), repeat=2))
_MACHINE = {"weight": [[W11, W12], [W21, W22]], "visible_bias": [b1, b2], "hidden_bias": [c1, c2]}

_HIDDEN, _VISIBLE = np.repeat(_STATES, 4, axis=0), np.tile(_STATES, (4, 1))
derivation.bridge(
    "The code's energy",
    E,
    energy,
    visible=_VISIBLE,
    hidden=_HIDDEN,
    **_MACHINE,
    wrong={"the sign": -E, "layers exchanged": E.at(h1, h2, v1, v2)},
)
derivation.bridge(
    "... its free energy",
    F,
    free_energy,
    visible=_STATES,
    **_MACHINE,
    wrong={"no hidden biases": F.subs({c1: 0, c2: 0}) - log(2), "the units off": E.at(v1, v2, 0, 0)},
)
derivation.bridge(
    "... the inputs of its hidden units",
    [[c1 + W11 * v[0] + W21 * v[1], c2 + W12 * v[0] + W22 * v[1]] for v in _EVERY],
    hidden_logits,
    visible=_STATES,
    weight=_MACHINE["weight"],
    hidden_bias=_MACHINE["hidden_bias"],
    wrong={"weights transposed": [[c1 + W11 * v[0] + W12 * v[1], c2 + W21 * v[0] + W22 * v[1]] for v in _EVERY]},
)
derivation.bridge(
    "... and of its visible units",
    [[b1 + W11 * h[0] + W12 * h[1], b2 + W21 * h[0] + W22 * h[1]] for h in _EVERY],
    visible_logits,
    hidden=_STATES,
    weight=_MACHINE["weight"],
    visible_bias=_MACHINE["visible_bias"],
)
derivation.bridge("... its normalizer", log(Z), exact_log_partition, **_MACHINE, wrong={"Z": Z})
derivation.bridge(
    "... and its likelihood",
    log(p),
    log_likelihood,
    visible=_STATES,
    **_MACHINE,
    wrong={"not normalized": -F, "the sign": -log(p)},
)

_LOG_2 = math.log(2)
_ONE_UNIT = {b1: 0, b2: 0, c1: 0, W11: log(2), W21: log(2)}
_SMALL = (np.full((2, 1), _LOG_2), np.zeros(2), np.zeros(1))  # two visible units, one hidden, both weights log 2


def _matrix():
    """The steps' probabilities of the small machine, [4, 4], by the formula."""
    on = sigmoid(hidden_logits(_STATES, _SMALL[0], _SMALL[2]))
    up = jnp.concatenate([1 - on, on], axis=1)
    coins = sigmoid(visible_logits(np.array([[0.0], [1.0]]), _SMALL[0], _SMALL[1]))
    down = jnp.prod(jnp.where(_STATES[None] == 1, coins[:, None], 1 - coins[:, None]), axis=2)
    return up @ down


@derivation.exact(
    r"P = P_1",
    because=r"$P_1$ counts the results of the code, for every state of two visible units with weights $\log 2$ to one hidden "
    r"unit. All probabilities are multiples of a thirtieth or a sixth; so the middles of 30 cells for the hidden unit's uniform "
    r"number and of 6 cells for each visible unit's stand for all numbers of a cell.",
    outcomes=4 * 30 * 36,
    role="remark",
)
def steps_of_the_code():
    middles = [(np.arange(n) + 0.5) / n for n in (30, 6, 6)]
    uniforms = np.stack(np.meshgrid(*middles, indexing="ij"), -1).reshape(-1, 3)
    every = np.tile(uniforms, (4, 1))
    found, _ = gibbs_step(np.repeat(_STATES, len(uniforms), axis=0), every[:, :1], every[:, 1:], *_SMALL)
    counts = np.asarray(2 * found[:, 0] + found[:, 1]).reshape(4, -1)[:, :, None] == np.arange(4)
    passed_on = sigmoid(_SMALL[1] + sigmoid(_STATES @ _SMALL[0]) @ _SMALL[0].T)  # a probability in place of a sample
    mean_field = jnp.prod(jnp.where(_STATES[None] == 1, passed_on[:, None], 1 - passed_on[:, None]), axis=2)
    return Sides(
        left=counts.mean(axis=1), right=_matrix(), wrong={"probabilities passed on": mean_field, "transposed": _matrix().T}
    )


derivation.symbol("P_1", "the shares of the results of the code's Gibbs step")


@derivation.algorithm(
    "Block Gibbs sampling",
    do("start at any visible state $v$"),
    do("repeat:"),
    do(
        r"$h_j \leftarrow 1$ with probability $\frac{1}{1 + e^{-a_j}}$, else 0, for all $j$ at once, with $a = c + W^\top v$",
        hidden_logits,
        by=coins,
        indent=1,
    ),
    do(
        r"$v_i \leftarrow 1$ with probability $\frac{1}{1 + e^{-a_i}}$, else 0, for all $i$ at once, with $a = b + W h$",
        visible_logits,
        gibbs_step,
        by=kept,
        indent=1,
    ),
)
def two_gibbs_steps():
    v = np.zeros((1, 2))
    for up, down, printed in ((0.3, (0.5, 0.9), ("0.5", "(1, 1, 0)")), (0.8, (0.6, 0.2), ("0.6667", "(0, 0, 1)"))):
        yield r"\text{the chance that } h_1 \text{ is on}", sigmoid(hidden_logits(v, _SMALL[0], _SMALL[2]))[0, 0], printed[0]
        v, h = gibbs_step(v, np.full((1, 1), up), np.array([down]), *_SMALL)
        yield "h_1, v_1, v_2", jnp.concatenate([h[0], v[0]]), printed[1]
    yield r"\text{the inputs of the visible units}", visible_logits(h, _SMALL[0], _SMALL[1])[0], "(0, 0)"


@derivation.example(
    prose(
        r"Two visible units, one hidden one, no biases, both weights $\log 2$: the weights $e^{-F}$ of the states are "
        r"{weights}, which is 2, 3, 3, 5, and their sum is 13; from the hidden side, $2 \cdot 2 + 3 \cdot 3$. From 00 the "
        r"hidden unit is on with probability $\frac12$, and then each visible unit with probability {on}.",
        weights=holds(times(biases, 1 + exp(a1)), "=", 1 + 2 ** (v1 + v2), when=_ONE_UNIT, named=True),
        on=holds(1 / (1 + exp(-(b1 + W11))), "=", Rational(2, 3), when=_ONE_UNIT, named=True),
    )
)
def two_and_one():
    yield r"e^{-F}", jnp.exp(-free_energy(_STATES, *_SMALL)), "(2, 3, 3, 5)"
    yield "Z", jnp.exp(exact_log_partition(*_SMALL)), "13"
    yield r"p(h_1 = 1 | v)", sigmoid(hidden_logits(_STATES, _SMALL[0], _SMALL[2]))[:, 0], "(0.5, 0.6667, 0.6667, 0.8)"
    yield r"72\, P(00 \to \cdot)", 72 * _matrix()[0], "(13, 17, 17, 25)"
    slopes = jax.grad(lambda w, b, c: log_likelihood(np.ones((1, 2)), w, b, c)[0], argnums=(0, 1, 2))(*map(jnp.asarray, _SMALL))
    yield r"\partial_{W_{11}} \log p(1, 1)", slopes[0][0, 0], "0.3385"
    yield r"\partial_{c_1} \log p(1, 1)", slopes[2][0], "0.1077"


@derivation.figure(
    "Left: the probability that the two visible units agree, against the common weight $w$ to one hidden unit, without biases "
    "(solid), and with biases that keep both units on half of the time (dashed). Right: how far the distribution after $k$ "
    "Gibbs steps, begun at 00, is from the machine's, for three weights: the larger the weight, the slower.",
    panels=2,
)
def agreement_and_mixing(agreement, mixing):
    weights = np.linspace(-4, 4, 17)
    for balanced, style in ((False, "-"), (True, "--")):
        laws = []
        for w in weights:
            bias = np.full(2, -w / 2 if balanced else 0.0)
            hidden = np.array([-w if balanced else 0.0])
            laws.append(np.exp(log_likelihood(_STATES, np.full((2, 1), w), bias, hidden)))
        agreement.plot(weights, np.array(laws)[:, [0, 3]].sum(axis=1), style)
    agreement.axhline(0.5, color="gray", linewidth=0.5)
    agreement.set(xlabel="weight $w$", ylabel="probability that both agree", ylim=(0.4, 1.02))
    for w in (2.0, 4.0, 6.0):
        up = 1 / (1 + np.exp(-w * (_STATES.sum(axis=1) - 1)))
        coins = np.array([1 / (1 + np.exp(w / 2)), 1 / (1 + np.exp(-w / 2))])
        down = np.prod(np.where(_STATES[None] == 1, coins[:, None, None], 1 - coins[:, None, None]), axis=2)
        step = np.stack([1 - up, up], axis=1) @ down
        wanted = np.exp(log_likelihood(_STATES, np.full((2, 1), w), np.full(2, -w / 2), np.array([-w])))
        law, distances = np.eye(4)[0], []
        for _ in range(13):
            distances.append(abs(law - wanted).sum() / 2)
            law = law @ step
        mixing.semilogy(distances, "o-", markersize=3, label=f"$w = {w:.0f}$")
    mixing.set(xlabel="Gibbs steps, $k$", ylabel="total variation distance")
    mixing.legend()
