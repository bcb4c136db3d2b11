"""The chain rule costs nothing; the parametrization of the conditionals does.

The lecture on the functions of theory_jax/autoregressive/chain_rule.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Eq, Integral, Piecewise, Rational, exp, log

from theory_jax.autoregressive.chain_rule import (
    ancestral_bernoulli,
    autoregressive_bernoulli_log_prob,
    made_logits,
    made_masks,
    mask_connectivity,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="The chain rule costs nothing; the parametrization of the conditionals does",
    lectures=(42,),
    sources=(
        "Germain, Gregor, Murray & Larochelle 2015, MADE: Masked Autoencoder for Distribution Estimation",
        "Uria, Cote, Gregor, Murray & Larochelle 2016, Neural Autoregressive Distribution Estimation",
        "Frey 1998, Graphical Models for Machine Learning and Digital Communication",
    ),
    question="How can a network define a probability law over sequences whose likelihood is exact, without ever computing a "
    "normalizing constant, and where does an assumption enter?",
    setting=(
        r"A string is $x = (x_1, \dots, x_D)$, each $x_d$ from a finite alphabet. The chains below write out two or three "
        r"variables with two values each; nothing in them depends on these numbers but the length of the lines.",
        r"All probabilities are positive. Where a past has probability zero its conditional can be any law: the product below "
        r"is zero there anyway.",
        r"A model gives each variable a law given the variables before it; for bits, $q(x_d = 1 | x_{<d}) = \sigma(l_d)$ with "
        r"a logit $l_d$ that is computed from $x_{<d}$ alone.",
    ),
    answer=r"Every law is a product of conditionals, in every order, so the factorization assumes nothing. Conversely, any "
    r"conditionals make a law that sums to one by itself. The log-likelihood is a sum of one term a variable, each trained on "
    r"its own. What restricts a model is how its conditionals are computed; then the order matters, too.",
    limits=(
        "Continuous variables: sums become integrals, and a normalizing flow shows where a Jacobian enters.",
        "That a network can represent given conditionals is not shown, nor which order fits a data set best.",
    ),
)

x1 = derivation.index("x_1", "the first variable, 0 or 1", states=2)
x2 = derivation.index("x_2", "the second variable, 0 or 1", states=2)
x3 = derivation.index("x_3", "the third variable, 0 or 1", states=2)
table = derivation.numbers("t({},{},{})", (x1, x2, x3), "any positive numbers, one for each string", positive=True)
joint = derivation.define(
    "p({},{},{})",
    table / Total(x1, Total(x2, Total(x3, table))),
    "the law of the strings that they are proportional to",
    over=(x1, x2, x3),
    positive=True,
)
marginal_1 = derivation.define("p({})", Total(x2, Total(x3, joint)), "the marginal of the first", over=x1, positive=True)
marginal_2 = derivation.define("p({},{})", Total(x3, joint), "the marginal of the first two", over=(x1, x2), positive=True)
given_1 = derivation.define("p({}|{})", marginal_2 / marginal_1, "a conditional", over=(x2, x1), positive=True)
given_2 = derivation.define("p({}|{},{})", joint / marginal_2, "a conditional", over=(x3, x1, x2), positive=True)

central = derivation.chain(
    "Every law is a product of conditionals",
    joint,
    equals(
        times(marginal_1, marginal_2 / marginal_1, joint / marginal_2),
        "multiply and divide by the marginals of the shorter strings: all of them cancel but the last",
    ),
    equals(
        times(marginal_1, given_1, given_2),
        "a conditional is a ratio of marginals",
        wrong={"the past of the third forgotten": times(marginal_1, given_1, Total(x1, Total(x2, joint)))},
    ),
    central=True,
    so="Nothing was used of the order: name the variables differently and the same lines hold. A factorization alone is no "
    "model.",
)


@derivation.exact(
    r"p(x) = \prod_{k} p\left(x_{\pi_k} | x_{\pi_1}, \dots, x_{\pi_{k-1}}\right) \quad\text{for every order } \pi",
    because="The code multiplies conditionals that were computed from the marginals of a random table on four bits, in each of "
    "the 24 orders. Every order gives the table back.",
    outcomes=24 * 16,
    role="remark",
)
def every_order_rebuilds_the_joint():
    orders = list(itertools.permutations(range(4)))
    rebuilt = [autoregressive_bernoulli_log_prob(jnp.array(_STATES), _conditional_logits(_TABLE, order)) for order in orders]
    first_two_swapped = _conditional_logits(_TABLE, (0, 1, 2, 3))[:, jnp.array([1, 0, 2, 3])]
    mistaken = jnp.exp(autoregressive_bernoulli_log_prob(jnp.array(_STATES), first_two_swapped))
    return Sides(
        left=jnp.exp(jnp.stack(rebuilt)),
        right=jnp.tile(_TABLE.ravel(), (24, 1)),
        wrong={"the logits of two variables exchanged": jnp.tile(mistaken, (24, 1))},
    )


derivation.symbol(r"\pi", "an order of the variables")
derivation.symbol("x_d", "the $d$-th variable of $D$")
derivation.symbol("D", "the number of variables")
a = derivation.number("a", "the logit of the first variable", "logits")
b = derivation.numbers("b", x1, "the logit of the second, a number for each first", "logits")
success = derivation.define(r"\sigma(a)", 1 / (1 + exp(-a)), "the probability that the first is 1", positive=True)
success_2 = derivation.define(r"\sigma(b_{{{}}})", 1 / (1 + exp(-b)), "the same of the second", over=x1, positive=True)
model_1 = derivation.define(
    "q({})", Piecewise((success, Eq(x1, 1)), (1 - success, True)), "the model's law of the first", over=x1, law=True
)
model_2 = derivation.define(
    "q({}|{})", Piecewise((success_2, Eq(x2, 1)), (1 - success_2, True)), "its law of the second", over=(x2, x1), law=True
)
derivation.chain(
    "Conversely, any conditionals make a law, whatever the logits are",
    Total(x1, Total(x2, times(model_1, model_2))),
    equals(Total(x1, times(model_1, Total(x2, model_2))), "no factor but the last contains the last variable"),
    equals(Total(x1, model_1), r"the two probabilities of the last variable are $\sigma(b)$ and $1 - \sigma(b)$"),
    equals(1, "the same once more"),
    so="No normalizing constant is computed, because there is none.",
)
w = derivation.number("w", "the weight of a variable in its own logit")
circular = derivation.define(
    "r({})",
    Piecewise((1 / (1 + exp(-w * x1)), Eq(x1, 1)), (1 - 1 / (1 + exp(-w * x1)), True)),
    r"the model of one bit whose logit is $w x_1$: it sees the bit that it predicts",
    over=x1,
)
derivation.chain(
    "A variable that sees itself breaks it",
    Total(x1, circular),
    equals(
        plus(Rational(1, 2), 1 / (1 + exp(-w))),
        r"the bit 0 has the logit 0 and the probability $1 - \sigma(0)$; the bit 1 has the logit $w$ and the probability "
        r"$\sigma(w)$",
    ),
    role="remark",
    so="The sum is one only at $w = 0$. The likelihoods of such a model mean nothing: this is what one wrong mask does.",
)

p = derivation.law("p({})", x1, "a law of the first variable")
cond = derivation.law("p({}|{})", (x2, x1), "a law of the second for each first")
q = derivation.law("q({})", x1, "a model's law of the first", "logits")
cond_q = derivation.law("q({}|{})", (x2, x1), "a model's law of the second", "logits")
derivation.chain(
    "The likelihood splits into one term a variable",
    Expectation(p, Expectation(cond, -log(q * cond_q))),
    equals(Expectation(p, Expectation(cond, plus(-log(q), -log(cond_q)))), "the logarithm of a product"),
    equals(
        plus(Expectation(p, -log(q)), Expectation(p, Expectation(cond, -log(cond_q)))),
        "the first term does not contain the second variable",
    ),
    equals(
        plus(
            Expectation(p, -log(p)),
            Divergence(p, q),
            Expectation(p, plus(Expectation(cond, -log(cond)), Divergence(cond, cond_q))),
        ),
        "a cross entropy is an entropy and a divergence, for each conditional on its own",
        wrong={
            "the divergences turned over": Expectation(p, -log(p))
            + Divergence(q, p)
            + Expectation(p, Expectation(cond, -log(cond)) + Divergence(cond_q, cond)),
            "the second averaged under the model": Expectation(p, -log(p))
            + Divergence(p, q)
            + Expectation(q, Expectation(cond, -log(cond)) + Divergence(cond, cond_q)),
        },
    ),
    at_least(
        plus(Expectation(p, -log(p)), Expectation(p, Expectation(cond, -log(cond)))),
        "leave out the divergences (Gibbs)",
        dropping=plus(gibbs.at(p, q), Expectation(p, gibbs.at(cond, cond_q))),
    ),
    so="Maximum likelihood is a divergence for every conditional, averaged over the pasts that occur. With parameters of their "
    "own they could be trained one by one; teacher forcing trains all of them in one pass.",
)
x = derivation.number("x", "a bit", "x")
l = derivation.number("l", "its logit", "logits")  # noqa: E741 (the lecture's letter)
bit = derivation.define(r"\ell", x * l - log(1 + exp(l)), "the log-probability of a bit", "autoregressive_bernoulli_log_prob")
derivation.chain(
    "The error signal is prediction minus datum",
    Slope(-bit, l),
    equals(exp(l) / (1 + exp(l)) - x, "differentiate"),
    equals(1 / (1 + exp(-l)) - x, r"divide above and below by $e^l$: this is $\sigma(l) - x$"),
    so="It is between -1 and 1 however wrong the logit is.",
)
_bits = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
derivation.bridge(
    "The code computes the log-probability of a string of two bits",
    [log(model_1.at(r) * model_2.at(s, r)) for r in range(2) for s in range(2)],
    autoregressive_bernoulli_log_prob,
    x=_bits,
    logits=[[a, b.at(r)] for r in (0, 0, 1, 1)],
    wrong={"0 and 1 exchanged": [log(model_1.at(1 - r) * model_2.at(1 - s, r)) for r in range(2) for s in range(2)]},
)
derivation.bridge(
    "... and this slope, with the other sign",
    [-success, 1 - success_2.at(0)],
    autoregressive_bernoulli_log_prob,
    x=_bits[1:2],
    logits=[[a, b.at(0)]],
    slope="logits",
    wrong={"prediction minus datum": [success, success_2.at(0) - 1]},
)

derivation.say(
    "All conditionals in one pass: a masked network. Each input and each hidden unit has a degree; an edge into a hidden unit "
    "survives if the degree does not fall, an edge into an output if it rises."
)

order = derivation.symbol("m_j", "the degree of a unit: of an input or output its place in the order, 1 to $D$", "input_order")
derivation.symbol("M_1", "the mask of a layer", "made_masks")
derivation.symbol("n", "the number of hidden layers")
derivation.symbol("k", "a hidden unit")


@derivation.exact(
    r"(M_{n+1} \cdots M_1)_{dj} = \binom{m_d - m_j + n - 1}{n} \quad\text{if } m_j < m_d, \text{ and } 0 \text{ otherwise}",
    because=r"The product counts paths, and a path is a choice of one unit in each hidden layer whose degrees satisfy $m_j \le "
    r"m_{k_1} \le \dots \le m_{k_n} < m_d$. If $m_j \ge m_d$ there is none. If every hidden layer has each degree from 1 to "
    r"$D-1$ once, these are the weakly rising sequences of length $n$ between $m_j$ and $m_d - 1$. Networks with up to five "
    r"variables and three hidden layers are enumerated.",
    outcomes=sum(size * size for size in (2, 3, 4, 5)) * 3,
)
def paths_lead_from_earlier_to_later_variables():
    counted, formula, mistaken = [], [], []
    for size, layers in itertools.product((2, 3, 4, 5), (1, 2, 3)):
        places = jnp.arange(1, size + 1)
        counted.append(mask_connectivity(made_masks(places, (jnp.arange(1, size),) * layers)).ravel())
        steps = np.arange(size)[:, None] - np.arange(size)[None, :]
        paths = np.vectorize(lambda rise, n=layers: math.comb(rise + n - 1, n) if rise > 0 else 0)
        formula.append(paths(steps).ravel())
        mistaken.append(paths(steps + 1).ravel())  # an output that sees units of the same degree
    return Sides(
        left=jnp.concatenate(counted), right=np.concatenate(formula), wrong={">= in the output mask": np.concatenate(mistaken)}
    )


@derivation.exact(
    r"\sum_{x} q(x) = 1 \quad\text{for the masked network, whatever its weights are}",
    because="There is no path from a variable to its own logit or to that of an earlier one, so the logits are functions of "
    "the past alone, and the chain above applies. Five random networks on four bits, in the order 3, 1, 4, 2.",
    outcomes=5 * 16,
)
def a_masked_network_is_a_law():
    masks = made_masks(jnp.array([3, 1, 4, 2]), (jnp.array([1, 2, 3, 1, 2, 3]),))
    loose = (*masks[:-1], jnp.ones_like(masks[-1]))
    return Sides(left=_total(masks), right=jnp.ones(5), wrong={"the output layer unmasked": _total(loose)})


u = derivation.number("u", "a uniform number", "uniforms", between=(0, 1))
derivation.chain(
    "Sampling in the order of the factors gives the law of the model",
    times(Integral(1, (u, 0, success)), Integral(1, (u, 0, success_2.at(1)))),
    equals(
        times(success, success_2.at(1)),
        r"given the past, a uniform number below $\sigma(l)$ makes the variable 1: an interval of that length; the uniform "
        r"numbers of two variables are independent, so the string 11 has the area of a rectangle",
    ),
    role="lemma",
    so="The points of the unit cube that are mapped to one string form a box whose sides are the conditionals.",
)


@derivation.monte_carlo(
    r"\Pr[x(u) = x] = q(x)",
    because="Forty thousand uniform points, drawn variable by variable in the network's own order 3, 1, 4, 2, count out the "
    "law of the sixteen strings.",
    role="remark",
)
def ancestral_samples_have_the_law():
    masks = made_masks(jnp.array([3, 1, 4, 2]), (jnp.array([1, 2, 3, 1, 2, 3]),))
    network = _network(masks, 0)
    uniforms = jnp.array(np.random.default_rng(4).uniform(size=(40_000, 4)))
    drawn = ancestral_bernoulli(uniforms, lambda x: made_logits(x, *network, masks), order=jnp.array([3, 1, 4, 2]))
    number = (drawn @ jnp.array([8.0, 4.0, 2.0, 1.0])).astype(int)
    law = _law(masks, 0)
    return SampleSides(
        samples=jax.nn.one_hot(number, 16),
        expected=law,
        wrong={"the first two variables exchanged": law.reshape(2, 2, 2, 2).transpose(1, 0, 2, 3).ravel()},
    )


derivation.say(
    "Where the order enters. Let every conditional be logistic: a logit that is affine in the variables before it. With three "
    "variables such a model is the log-linear model without the interaction of all three, which knows no order. With four, the "
    "last variable leaves an interaction between the first three."
)
d = derivation.index("d", "one of the three variables before the fourth")
c = derivation.numbers("c", d, "the weights of a fourth variable's logit, on the three before it")
pair = derivation.numbers("g", d, "interactions of two of the three")
bias = derivation.number("v", "the bias of that logit")
logit = derivation.define(
    r"l_4({},{},{})", bias + c.at(0) * x1 + c.at(1) * x2 + c.at(2) * x3, "the fourth variable's logit", over=(x1, x2, x3)
)
summed = derivation.define("s({},{},{})", log(1 + exp(logit)), "what normalizes the fourth variable", over=(x1, x2, x3))


def _mixed(of):
    """The third mixed difference of a function of three bits."""
    corners = sorted(itertools.product((1, 0), repeat=3), key=sum, reverse=True)
    return plus(*(of.at(*corner) if sum(corner) % 2 else -of.at(*corner) for corner in corners))


derivation.chain(
    "A logistic variable that comes last leaves an interaction between three others",
    plus(
        _mixed(
            derivation.define(
                r"\log q({},{},{},0)",
                pair.at(0) * x1 * x2 + pair.at(1) * x2 * x3 + pair.at(2) * x1 * x3 - summed,
                "the log-probability of strings that end in 0, up to terms of one variable",
                over=(x1, x2, x3),
            )
        )
    ),
    equals(-_mixed(summed), "pairs of variables have no third difference"),
    so="It is not zero in general, so an order that ends in another variable, whose logistic conditional forbids that "
    "interaction, cannot express this law. Restricted conditionals make the order a decision of the model.",
)


@derivation.example("Two bits with $p(00), p(01), p(10), p(11) = 0.4, 0.1, 0.2, 0.3$.")
def two_bits():
    law = np.array([[0.4, 0.1], [0.2, 0.3]])
    first, second = law.sum(axis=1), law.sum(axis=0)
    yield r"p(x_1 = 1)", first[1], "0.5"
    yield r"p(x_2 = 1 | x_1 = 0),\ p(x_2 = 1 | x_1 = 1)", law[:, 1] / first, "(0.2, 0.6)"
    yield r"p(x_2 = 1),\ p(x_1 = 1 | x_2 = 0),\ p(x_1 = 1 | x_2 = 1)", (second[1], *(law[1] / second)), "(0.4, 0.3333, 0.75)"
    logits = jnp.array([[math.log(first[1] / first[0]), math.log(0.6 / 0.4)]])
    yield r"p(11) = 0.5 \cdot 0.6", jnp.exp(autoregressive_bernoulli_log_prob(jnp.ones((1, 2)), logits))[0], "0.3"
    entropy = value(Expectation(p, -log(p)), {p: (0.5, 0.5)})
    yield r"H(p) = 0.6931 + 0.5867", -(law * np.log(law)).sum(), "1.2799"
    yield r"H(x_1)", entropy, "0.6931"


@derivation.figure(
    "Left and middle: the unit square, cut by sampling the two bits of the example in either order. The cuts differ, the areas "
    "of the four boxes do not. Right: the number of paths from each input (column) to each output (row) for four variables and "
    "two hidden layers; nothing on or above the diagonal.",
    panels=3,
)
def boxes_and_paths(left, middle, right):
    law = np.array([[0.4, 0.1], [0.2, 0.3]])
    for axes, probabilities, names in ((left, law, "12"), (middle, law.T, "21")):
        first = probabilities.sum(axis=1)
        for value_1, value_2 in itertools.product((0, 1), repeat=2):
            given = probabilities[value_1, 1] / first[value_1]
            x_low, width = (0.0, first[1]) if value_1 else (first[1], first[0])
            y_low, height = (0.0, given) if value_2 else (given, 1 - given)
            axes.bar(x_low + width / 2, height, width, y_low, edgecolor="gray", alpha=0.3 + 0.5 * probabilities[value_1, value_2])
            bits = (value_1, value_2) if names == "12" else (value_2, value_1)
            axes.text(x_low + width / 2, y_low + height / 2, "{}{}".format(*bits), ha="center", va="center")
        axes.set(xlabel=f"$u_{names[0]}$", ylabel=f"$u_{names[1]}$")
    masks = made_masks(jnp.arange(1, 5), (jnp.arange(1, 4),) * 2)
    right.imshow(np.asarray(mask_connectivity(masks)), cmap="Greys")
    right.set(xlabel="input", ylabel="output", xticks=range(4), yticks=range(4))


@derivation.exercise(
    "How many numbers do full tables for the conditionals of $D$ bits need, and how many do logistic conditionals need?",
    r"$\sum_d 2^{d-1} = 2^D - 1$, as many as the joint law; logistic ones $\sum_d d = D(D+1)/2$. For $D = 10$: 1023 and 55.",
)
def tables_and_weights():
    yield sum(2 ** (d - 1) for d in range(1, 11)), "1023"
    yield sum(range(1, 11)), "55"


@derivation.exercise(
    "Four variables, two hidden layers with units of degree 1, 2 and 3: how many paths lead from the first variable to the last?",
    r"$\binom{3 + 2 - 1}{2} = 6$.",
)
def six_paths():
    yield mask_connectivity(made_masks(jnp.arange(1, 5), (jnp.arange(1, 4),) * 2))[3, 0], "6"


@derivation.exercise(
    r"The fourth variable has the logit $\log 2\,(x_1 + x_2 + x_3)$. Which interaction of the first three does it leave?",
    r"The third difference of $-\log(1 + 2^{x_1 + x_2 + x_3})$ is $-\log\frac{9 \cdot 3^3}{5^3 \cdot 2} = \log \frac{250}{243} "
    r"= 0.0284$.",
)
def the_interaction_left():
    signs = {bits: (-1) ** (3 - sum(bits)) for bits in itertools.product((0, 1), repeat=3)}
    yield -sum(sign * math.log(1 + 2.0 ** sum(bits)) for bits, sign in signs.items()), "0.0284"


# a random law on four bits, and random masked networks
_STATES = np.array(list(itertools.product((0.0, 1.0), repeat=4)))
_TABLE = np.random.default_rng(0).dirichlet(np.ones(16)).reshape(2, 2, 2, 2)


def _conditional_logits(table, order):
    """logit p(x_d = 1 | what comes before d in the order), at every state: marginals of the table, nothing else."""
    logits = np.zeros((len(_STATES), 4))
    for place, d in enumerate(order):
        marginal = table.sum(axis=tuple(order[place + 1 :]), keepdims=True) * np.ones_like(table)
        zero, one = (np.take(marginal, [bit], axis=d) for bit in (0, 1))
        logits[:, d] = np.broadcast_to(np.log(one / zero), table.shape).ravel()
    return jnp.array(logits)


def _network(masks, seed):
    random = np.random.default_rng(seed)
    return [jnp.array(random.normal(size=mask.shape)) for mask in masks], [
        jnp.array(random.normal(size=mask.shape[0])) for mask in masks
    ]


def _law(masks, seed):
    """q of the sixteen strings."""
    states = jnp.array(_STATES)
    return jnp.exp(autoregressive_bernoulli_log_prob(states, made_logits(states, *_network(masks, seed), masks)))


def _total(masks):
    return jnp.stack([_law(masks, seed).sum() for seed in range(5)])
