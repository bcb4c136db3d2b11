"""The chain rule costs nothing; the parametrization of the conditionals does.

The lecture on the functions of theory_jax/autoregressive/chain_rule.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Eq, Integral, Piecewise, Rational, exp, log

from theory_jax.autoregressive.chain_rule import ancestral_bernoulli, autoregressive_bernoulli_log_prob, made_logits, made_masks
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._chain_rule import draw_bits
from theory_jax.lectures.autoregressive._masked_networks import (
    STATES,
    TABLE,
    boxes_and_paths,
    conditional_logits,
    distribution_of,
    path_counts,
    random_network,
    total_of,
)
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
    question="A network that scores whole strings has to be divided by the sum of its scores over all strings, and for a page "
    "of text or an image nobody can compute that sum. How can a network define a distribution over strings whose likelihood is "
    "exact, without a normalizing constant, and where does an assumption enter?",
    setting=(
        r"A string $x$ has the variables $x_1, \dots, x_D$, each from a finite alphabet. The chains below write out two or three "
        r"variables with two values each; nothing in them depends on these numbers but the length of the lines.",
        r"All probabilities are positive. Where a past has probability zero its conditional can be any distribution: the product "
        r"below is zero there anyway.",
        r"A model gives each variable a distribution given the variables before it; for bits, it gives 1 the probability "
        r"$\sigma(l_d)$ with a logit $l_d$ that is computed from the variables before it alone.",
    ),
    limits=(
        "Continuous variables: sums become integrals, and a normalizing flow shows where a Jacobian enters.",
        "That a network can represent given conditionals is not shown, nor which order fits a data set best.",
    ),
)

derivation.figure(
    "Left and middle: the unit square, cut by sampling the two bits of the example in either order. The cuts differ, the areas "
    "of the four boxes do not. Right: the number of paths from each input (column) to each output (row) for four variables and "
    "two hidden layers; nothing on or above the diagonal.",
    panels=3,
)(boxes_and_paths)


x1 = derivation.index("x_1", "the first variable, 0 or 1", states=2)
x2 = derivation.index("x_2", "the second variable, 0 or 1", states=2)
x3 = derivation.index("x_3", "the third variable, 0 or 1", states=2)
table = derivation.numbers("t({},{},{})", (x1, x2, x3), "any positive numbers, one for each string", positive=True)
joint = derivation.define(
    "p({},{},{})",
    table / Total(x1, Total(x2, Total(x3, table))),
    "the distribution of the strings that they are proportional to",
    over=(x1, x2, x3),
    positive=True,
)
marginal_1 = derivation.define("p({})", Total(x2, Total(x3, joint)), "the marginal of the first", over=x1, positive=True)
marginal_2 = derivation.define("p({},{})", Total(x3, joint), "the marginal of the first two", over=(x1, x2), positive=True)
given_1 = derivation.define("p({}|{})", marginal_2 / marginal_1, "a conditional", over=(x2, x1), positive=True)
given_2 = derivation.define("p({}|{},{})", joint / marginal_2, "a conditional", over=(x3, x1, x2), positive=True)

central = derivation.chain(
    "Every distribution is a product of conditionals",
    joint,
    equals(
        times(marginal_1, marginal_2 / marginal_1, joint / marginal_2),
        "multiply and divide by the marginals of the shorter strings: all of them cancel but the last",
    ),
    equals(
        times(marginal_1, given_1, given_2),
        prose("a conditional is a ratio of marginals, {ratio}", ratio=holds(given_1, "=", marginal_2 / marginal_1)),
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
    rebuilt = [autoregressive_bernoulli_log_prob(jnp.array(STATES), conditional_logits(TABLE, order)) for order in orders]
    first_two_swapped = conditional_logits(TABLE, (0, 1, 2, 3))[:, jnp.array([1, 0, 2, 3])]
    mistaken = jnp.exp(autoregressive_bernoulli_log_prob(jnp.array(STATES), first_two_swapped))
    return Sides(
        left=jnp.exp(jnp.stack(rebuilt)),
        right=jnp.tile(TABLE.ravel(), (24, 1)),
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
    "q({})", Piecewise((success, Eq(x1, 1)), (1 - success, True)), "the model's distribution of the first", over=x1, law=True
)
model_2 = derivation.define(
    "q({}|{})",
    Piecewise((success_2, Eq(x2, 1)), (1 - success_2, True)),
    "its distribution of the second",
    over=(x2, x1),
    law=True,
)
conversely = derivation.chain(
    "Conversely, any conditionals make a distribution, whatever the logits are",
    Total(x1, Total(x2, times(model_1, model_2))),
    equals(Total(x1, times(model_1, Total(x2, model_2))), "no factor but the last contains the last variable"),
    equals(
        Total(x1, model_1),
        prose(r"{one}: its two probabilities are $\sigma(b)$ and $1 - \sigma(b)$", one=holds(Total(x2, model_2), "=", 1)),
    ),
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
    "A model in which a variable sees itself is no distribution",
    Total(x1, circular),
    equals(
        plus(Rational(1, 2), 1 / (1 + exp(-w))),
        r"the bit 0 has the logit 0 and the probability $1 - \sigma(0)$; the bit 1 has the logit $w$ and the probability "
        r"$\sigma(w)$",
    ),
    role="remark",
    so=prose(
        "The sum, {one}, is right only at {none}. The likelihoods of such a model mean nothing: this is what one wrong mask "
        "does.",
        one=holds(Total(x1, circular), "=", 1),
        none=where(w, 0),
    ),
)

p = derivation.law("p({})", x1, "a distribution of the first variable")
cond = derivation.law("p({}|{})", (x2, x1), "a distribution of the second for each first")
q = derivation.law("q({})", x1, "a model's distribution of the first", "logits")
cond_q = derivation.law("q({}|{})", (x2, x1), "a model's distribution of the second", "logits")
splits = derivation.chain(
    "The likelihood splits into one term a variable",
    Expectation(p, Expectation(cond, -log(q * cond_q))),
    equals(
        Expectation(p, Expectation(cond, plus(-log(q), -log(cond_q)))),
        prose("{log}", log=holds(log(q * cond_q), "=", plus(log(q), log(cond_q)))),
    ),
    equals(
        plus(Expectation(p, -log(q)), Expectation(p, Expectation(cond, -log(cond_q)))),
        prose("the first term does not contain the second variable, and {one}", one=holds(Total(x2, cond), "=", 1)),
    ),
    equals(
        plus(
            Expectation(p, -log(p)),
            Divergence(p, q),
            Expectation(p, plus(Expectation(cond, -log(cond)), Divergence(cond, cond_q))),
        ),
        prose(
            "a cross entropy is an entropy and a divergence, {first}, for each conditional on its own",
            first=holds(Expectation(p, -log(q)), "=", plus(Expectation(p, -log(p)), Divergence(p, q))),
        ),
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
        prose(
            "leave out the divergences (Gibbs); equality if and only if {first} and {second}",
            first=where(q, p),
            second=where(cond_q, cond),
        ),
        dropping=plus(gibbs.at(p, q), Expectation(p, gibbs.at(cond, cond_q))),
    ),
    so="Maximum likelihood is a divergence for every conditional, averaged over the pasts that occur. With parameters of their "
    "own they could be trained one by one; teacher forcing trains all of them in one pass.",
)
derivation.figure(
    prose(
        "A distribution of three bits. Left: sampling goes down; each conditional cuts the piece above into 0 (gray) and 1 "
        "(blue). Right: what the best models lose whose bits see none, one or all of those before, the sum of the divergences "
        "of the conditionals, for two bits {sum}. The factorization itself costs nothing.",
        sum=holds(
            Expectation(p, Expectation(cond, log(p * cond / (q * cond_q)))),
            "=",
            plus(Divergence(p, q), Expectation(p, Divergence(cond, cond_q))),
            named=True,
            wrong={"under the model's pasts": plus(Divergence(p, q), Expectation(q, Divergence(cond, cond_q)))},
        ),
    ),
    panels=2,
)(draw_bits)
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
derivation.symbol("k", "a position in the order")


@derivation.exact(
    r"(M_{n+1} \cdots M_1)_{dj} = \binom{m_d - m_j + n - 1}{n} \quad\text{if } m_j < m_d, \text{ and } 0 \text{ otherwise}",
    because=r"The product counts paths, and a path is a choice of one unit in each hidden layer, whose degrees never fall from "
    r"$m_j$ on and stay below $m_d$. If $m_j$ is not below $m_d$ there is none. If every hidden layer has each degree from 1 to "
    r"$D-1$ once, these are the weakly rising sequences of length $n$ between $m_j$ and $m_d - 1$. Networks with up to five "
    r"variables and three hidden layers are enumerated.",
    outcomes=sum(size * size for size in (2, 3, 4, 5)) * 3,
    role="lemma",
)
def paths_lead_from_earlier_to_later_variables():
    counted, formula, mistaken = path_counts()
    return Sides(left=counted, right=formula, wrong={">= in the output mask": mistaken})


@derivation.exact(
    r"\sum_{x} q(x) = 1 \quad\text{for the masked network, whatever its weights are}",
    because="There is no path from a variable to its own logit or to that of an earlier one, so the logits are functions of "
    "the past alone, and the chain above applies. Five random networks on four bits, in the order 3, 1, 4, 2.",
    outcomes=5 * 16,
    role="remark",
)
def a_masked_network_is_a_law():
    masks = made_masks(jnp.array([3, 1, 4, 2]), (jnp.array([1, 2, 3, 1, 2, 3]),))
    loose = (*masks[:-1], jnp.ones_like(masks[-1]))
    return Sides(left=total_of(masks), right=jnp.ones(5), wrong={"the output layer unmasked": total_of(loose)})


u = derivation.number("u", "a uniform number", "uniforms", between=(0, 1))
sampling = derivation.chain(
    "Sampling in the order of the factors gives the distribution of the model",
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
    because="Forty thousand uniform points, sampled variable by variable in the network's own order 3, 1, 4, 2, against the "
    "probabilities of the sixteen strings.",
    role="remark",
)
def ancestral_samples_have_the_law():
    masks = made_masks(jnp.array([3, 1, 4, 2]), (jnp.array([1, 2, 3, 1, 2, 3]),))
    network = random_network(masks, 0)
    uniforms = jnp.array(np.random.default_rng(4).uniform(size=(40_000, 4)))
    drawn = ancestral_bernoulli(uniforms, lambda x: made_logits(x, *network, masks), order=jnp.array([3, 1, 4, 2]))
    number = (drawn @ jnp.array([8.0, 4.0, 2.0, 1.0])).astype(int)
    law = distribution_of(masks, 0)
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


pairs = derivation.define(
    r"\kappa({},{},{})", pair.at(0) * x1 * x2 + pair.at(1) * x2 * x3 + pair.at(2) * x1 * x3, "their sum", over=(x1, x2, x3)
)
derivation.chain(
    "A logistic variable that comes last leaves an interaction between three others",
    plus(
        _mixed(
            derivation.define(
                r"\log q({},{},{},0)",
                pairs - summed,
                "the log-probability of strings that end in 0, up to terms of one variable",
                over=(x1, x2, x3),
            )
        )
    ),
    equals(-_mixed(summed), prose("pairs of variables have no third difference, {none}", none=holds(_mixed(pairs), "=", 0))),
    so="It is not zero in general, so an order that ends in another variable, whose logistic conditional forbids that "
    "interaction, cannot express this distribution. Restricted conditionals make the order a decision of the model.",
    role="remark",
)


derivation.answer = prose(
    "Every distribution is a product of conditionals, {product}, in every order, so the factorization assumes nothing. "
    "Conversely, any conditionals, each computed from the variables before it alone, make a distribution: {one}, without a "
    "normalizing constant. The log-likelihood is a sum of one term a variable, {split}. What restricts a model is how its "
    "conditionals are computed; then the order can matter, too.",
    product=holds(joint, "=", times(marginal_1, given_1, given_2)),
    one=holds(Total(x1, Total(x2, times(model_1, model_2))), "=", 1, wrong={"one probability of two": Rational(1, 2)}),
    split=holds(log(times(model_1, model_2)), "=", plus(log(model_1), log(model_2))),
)


@derivation.algorithm(
    "A masked network: likelihood in one pass, samples in one pass a variable",
    do(
        "give each unit a degree, and keep the edges along which it does not fall, or, into outputs, rises",
        made_masks,
        by=paths_lead_from_earlier_to_later_variables,
    ),
    do(r"training: compute all logits $l_1, \dots, l_D$ of a string $x$ in one pass", made_logits, by=a_masked_network_is_a_law),
    do(r"the loss is $-\sum_d \log q(x_d | x_1, \dots, x_{d-1})$", autoregressive_bernoulli_log_prob, by=splits, indent=1),
    do(r"sampling: for $d = 1, \dots, D$:"),
    do(
        r"compute the logits of the string so far; $x_d \leftarrow 1$ if $u_d < \sigma(l_d)$, else 0",
        ancestral_bernoulli,
        by=sampling,
        indent=1,
    ),
)
def a_network_for_two_bits():
    order = jnp.array([1, 2])
    masks = made_masks(order, (jnp.array([1]),))
    weights, biases = (jnp.ones((1, 2)), math.log(6) * jnp.ones((2, 1))), (jnp.zeros(1), jnp.array([0, -math.log(4)]))

    def logits(x):
        return made_logits(x, weights, biases, masks)

    yield (
        r"\text{the example's bits: masks into the hidden unit, and out of it}",
        jnp.concatenate([masks[0][0], masks[1][:, 0]]),
        "(1, 0, 0, 1)",
    )
    strings = jnp.array([[0.0, 0], [1, 1]])
    yield r"l_1, l_2 \text{ for 00, with weights } 1, \log 6 \text{ and biases } 0, -\log 4", logits(strings)[0], "(0, -1.3863)"
    yield r"l_1, l_2 \text{ for 11}", logits(strings)[1], "(0, 0.4055)"
    yield r"\log q(00), \log q(11)", autoregressive_bernoulli_log_prob(strings, logits(strings)), "(-0.9163, -1.2040)"
    for u, stated in (((0.3, 0.5), "(1, 1)"), ((0.7, 0.3), "(0, 0)")):
        yield rf"x \text{{ for }} u = {u}", ancestral_bernoulli(jnp.array([u]), logits, order=order)[0], stated


@derivation.example("Two bits: 00, 01, 10 and 11 have the probabilities 0.4, 0.1, 0.2 and 0.3.")
def two_bits():
    law = np.array([[0.4, 0.1], [0.2, 0.3]])
    first, second = law.sum(axis=1), law.sum(axis=0)
    yield r"p(x_1 = 1)", first[1], "0.5"
    yield r"p(x_2 = 1 | x_1 = 0),\ p(x_2 = 1 | x_1 = 1)", law[:, 1] / first, "(0.2, 0.6)"
    yield r"p(x_2 = 1),\ p(x_1 = 1 | x_2 = 0),\ p(x_1 = 1 | x_2 = 1)", (second[1], *(law[1] / second)), "(0.4, 0.3333, 0.75)"
    logits = jnp.array([[math.log(first[1] / first[0]), math.log(0.6 / 0.4)]])
    yield r"p(11) = 0.5 \cdot 0.6", jnp.exp(autoregressive_bernoulli_log_prob(jnp.ones((1, 2)), logits))[0], "0.3"
    yield r"H(p) = 0.6931 + 0.5867", -(law * np.log(law)).sum(), "1.2799"
    yield r"H(x_1)", value(Expectation(p, -log(p)), {p: (0.5, 0.5)}), "0.6931"
