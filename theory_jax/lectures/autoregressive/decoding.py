"""Decoding: what reshaping a distribution costs, and how a token is drawn from it.

The lecture on the functions of theory_jax/autoregressive/decoding.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Piecewise, Rational, exp, log, oo

from theory_jax.autoregressive.decoding import (
    apply_temperature,
    categorical_from_uniform,
    gumbel_argmax,
    nucleus_filter,
    repetition_penalty,
    top_k_filter,
    typical_filter,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._tokens import LOGITS, SUBSETS, a_path_and_a_staircase, heaviest, log_probs_of
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.gumbel_max import gumbel_max

derivation = Derivation(
    module=__name__,
    title="Decoding: what reshaping a distribution costs, and how a token is drawn from it",
    lectures=(48,),
    sources=(
        "Holtzman et al. 2020, The Curious Case of Neural Text Degeneration",
        "Fan, Lewis & Dauphin 2018, Hierarchical Neural Story Generation",
        "Meister et al. 2023, Locally Typical Sampling",
        "Nguyen et al. 2024, Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs",
        "Keskar et al. 2019, CTRL: A Conditional Transformer Language Model for Controllable Generation",
        "Maddison, Tarlow & Minka 2014, A* Sampling",
    ),
    question="The most likely text is often dull and repeats itself, and plain sampling now and then takes a token from the "
    "long tail of unlikely ones, which spoils all that follows. So the distribution of the next token is reshaped. What do "
    "temperature, truncation and penalties do to it, what do they cost, and how is a token sampled with exactly the new "
    "distribution?",
    setting=(
        r"The logits $l_i$ of $V$ tokens give the distribution $\mathrm{softmax}(l)$. A token that is removed has the logit "
        r"$-\infty$ and the probability 0; at least one token is left. The chains write out three tokens, or two that are kept "
        r"and two that are removed; nothing in them depends on these numbers.",
        "At the temperature $T$, which is $1/b$ and positive, the distribution is $p^b$, normalized anew. Truncation to a set "
        "$S$ of positive mass $p(S)$ gives $p / p(S)$ on $S$, and 0 elsewhere.",
        r"Which set: top-$k$ keeps the $k$ most likely tokens. The nucleus of mass $\mu$ keeps, from the most likely token "
        r"downward, each token that has less than $\mu$ before it. Typical sampling does the same in the order of $|-\log p_i "
        r"- H(p)|$. Min-p keeps the tokens with at least the share $f$ of the largest probability.",
        r"Repetition penalty $\theta$: the logit of a token that has occurred is divided by $\theta$ if it is positive and "
        r"multiplied by $\theta$ otherwise.",
    ),
    limits=(
        "Which setting gives better text is not a question of probability, and is not answered here.",
        "Ties: top-$k$ and min-p keep all tokens at the threshold, the other two take the one with the lower index first.",
        "What these choices do to whole sequences; the most likely sequence is the subject of search.",
    ),
    trained="Decoding needs a trained model and no training of its own. `python -m practice_torch sample RUN` takes these "
    "options for a run of `autoregressive/transformer`.",
)

i = derivation.index("i", "a token")
j = derivation.index("j", "a token")
l = derivation.numbers("l", i, "the logits", "logits")  # noqa: E741 (the lecture's letter)
b = derivation.number("b", "the inverse of the temperature", "1 / temperature", positive=True)
Z = derivation.define("Z", Total(i, exp(b * l)), "what normalizes the distribution", positive=True)
p_b = derivation.define("p_b", exp(b * l) / Total(j, exp(b * l.at(j))), "the distribution at this temperature", over=i, law=True)

derivation.say(
    r"Temperature first. Of two tokens the ratio of the probabilities is a function of the difference of the logits: what "
    r"normalizes the distribution cancels."
)
tempered = derivation.chain(
    "Temperature takes the power of every ratio",
    p_b / p_b.at(j),
    equals(
        exp(b * (l - l.at(j))), "both have the same denominator", wrong={"multiplied by the temperature": exp((l - l.at(j)) / b)}
    ),
    role="lemma",
    so=prose(
        "The order of the tokens stays as it is, so that top-$k$ may come before or after temperature. At the temperature 1 "
        "the logits tell shares, {gap}: the tokens with at least the share $f$ of the largest probability are those whose "
        r"logits are at most $-\log f$ below the largest. Min-p is a fixed gap, whatever constant is added to all logits.",
        gap=holds(log(p_b / p_b.at(j)), "=", l - l.at(j), when={b: 1}),
    ),
)
derivation.chain(
    "The entropy at a temperature is the logarithm of the normalizer less a multiple of the mean logit",
    Entropy(p_b),
    equals(-Expectation(p_b, plus(b * l, -log(Z))), prose("{log}", log=holds(log(p_b), "=", plus(b * l, -log(Z))))),
    equals(plus(log(Z), -times(b, Expectation(p_b, l))), "the expectation of a constant"),
    role="lemma",
)
derivation.chain(
    "The entropy falls as the inverse temperature grows",
    Slope(Entropy(p_b), b),
    equals(
        plus(Slope(log(Z), b), -Expectation(p_b, l), -times(b, Slope(Expectation(p_b, l), b))),
        "the chain above, and the product rule",
    ),
    equals(-times(b, Slope(Expectation(p_b, l), b)), prose("{slope}", slope=holds(Slope(log(Z), b), "=", Expectation(p_b, l)))),
    equals(
        -times(b, Variance(p_b, l)),
        prose(
            "the quotient rule: the slope of the mean is {slope}",
            slope=holds(
                Slope(Expectation(p_b, l), b), "=", plus(Expectation(p_b, l**2), -(Expectation(p_b, l) ** 2)), named=True
            ),
        ),
        wrong={"the second moment in place of the variance": -times(b, Expectation(p_b, l**2))},
    ),
    at_most(
        0,
        prose(
            "leave out the variance, which is zero if and only if {equal} for all tokens that are left", equal=where(l, l.at(0))
        ),
        adding=times(b, Variance(p_b, l)),
    ),
)
m = derivation.number("m", "how many tokens share the largest logit", positive=True, integer=True)
g = derivation.numbers("g", j, "how far the other tokens lie below it", positive=True)
V = derivation.count(j, "G", "how many other tokens there are")
derivation.chain(
    "At low temperature the distribution is uniform on the most likely tokens",
    Limit(1 / (m + Total(j, exp(-b * g))), b, oo),
    equals(
        1 / m,
        r"the first line is the probability of a most likely token, divided above and below by $e^{b \max_i l_i}$; the others "
        r"go to zero",
    ),
    role="remark",
    so=prose(
        "The probability of each other token, {other} times this, goes to zero. One token has everything only if no other ties "
        "with it. At high temperature every exponential goes to one, and the distribution is uniform on all tokens, {uniform}.",
        uniform=holds(Limit(1 / (m + Total(j, exp(-b * g))), b, 0), "=", 1 / (m + V)),
        other=exp(-b * g),
    ),
)
derivation.bridge(
    "The logits that the code makes of them",
    b * l,
    apply_temperature,
    logits=[l],
    temperature=1 / b,
    wrong={"multiplied by the temperature": l / b},
)

derivation.say(
    r"Truncation. Tokens outside a set $S$ get nothing. Which distribution on $S$ should replace $p$, and what does it cost?"
)
s = derivation.index("s", "a token of the set $S$", states=2)
r = derivation.index("r", "a token outside it", states=2)
inside = derivation.numbers("w", s, "what the probabilities of tokens in $S$ are proportional to", "exp(logits)", positive=True)
outside = derivation.numbers("w", r, "the same outside $S$", "exp(logits)", positive=True)
p_in = derivation.define(
    "p", inside / (Total(s, inside) + Total(r, outside)), "the probability of a token in $S$", over=s, positive=True
)
p_out = derivation.define(
    "p", outside / (Total(s, inside) + Total(r, outside)), "the probability of a token outside", over=r, positive=True
)
mass = derivation.define("p(S)", Total(s, p_in), "the mass of the set", positive=True)
restricted = derivation.define("p_S", p_in / mass, "the restricted distribution", over=s, law=True)
q = derivation.law("q", s, "any distribution on $S$")
central = derivation.chain(
    "Of all distributions on a set, the restricted one is the closest",
    Expectation(q, plus(log(q), -log(p_in))),
    equals(
        Expectation(q, plus(log(q), -log(restricted), -log(mass))),
        prose(
            r"this is $\mathrm{KL}(q \,\|\, p)$, since $q$ is zero outside $S$; and {share}",
            share=holds(p_in, "=", times(restricted, mass)),
        ),
    ),
    equals(
        plus(Divergence(q, restricted), -log(mass)),
        "the expectation of a constant",
        wrong={"the cost weighted by the mass": plus(Divergence(q, restricted), -mass * log(mass))},
    ),
    at_least(
        -log(mass),
        prose("leave out the divergence (Gibbs); equality if and only if {same} on $S$", same=where(q, restricted)),
        dropping=gibbs.at(q, restricted),
    ),
    central=True,
    so=r"The price of truncation is $-\log p(S)$. It is least for the heaviest set. A set of $k$ tokens grows heavier when one "
    r"of its tokens is exchanged for a more likely one outside, so the heaviest holds the $k$ most likely tokens: top-$k$.",
)
derivation.chain(
    "The total variation is the mass that moves",
    times(Rational(1, 2), plus(Total(s, plus(p_in / mass, -p_in)), Total(r, p_out))),
    equals(
        times(Rational(1, 2), plus(1 - mass, Total(r, p_out))),
        prose(
            r"half the sum of the absolute differences; inside $S$ no probability falls, {inside}, outside all are lost",
            inside=holds(restricted, ">=", p_in),
        ),
    ),
    equals(1 - mass, "what is gained inside is lost outside", wrong={"the total variation not halved": 2 * (1 - mass)}),
)

derivation.symbol("S", "a set of tokens")
derivation.symbol("k", "how many tokens are kept", "k")
derivation.symbol(r"\mu", "the mass of the nucleus", "mass")
derivation.symbol("f", "the share of the largest probability", "fraction")
derivation.symbol("V", "the number of tokens")
derivation.symbol("N", "the nucleus")
derivation.symbol("H(p)", "the entropy of the distribution")
derivation.symbol("p_i", "the probability of a token")


@derivation.exact(
    r"\text{top-}k \text{ gives } p_S \text{ with } S = \arg\max \{\, p(S) : |S| = k \,\}",
    because="All sets of six tokens are compared, for five distributions and every $k$. The distributions are compared, not "
    "only the sets: the kept logits must stay as they are.",
    outcomes=5 * 63,
    role="remark",
)
def top_k_is_the_heaviest_set():
    kept = [jnp.exp(log_probs_of(top_k_filter(LOGITS, k=k))) for k in range(1, 7)]
    return Sides(left=jnp.stack(kept), right=heaviest(LOGITS, range(1, 7)))


@derivation.exact(
    r"|N| = \min \{\, |S| : p(S) \ge \mu \,\}, \quad N \text{ the heaviest set of that size}",
    because=r"Let the nucleus have $n$ tokens. The $n - 1$ most likely ones have less than $\mu$, since the $n$-th was kept; "
    r"no other set of $n - 1$ tokens has more. All $n$ have at least $\mu$, since the next was not kept. Without the token "
    r"that crosses the threshold the mass would be too small. Every set of six tokens is compared, for five distributions and "
    r"five masses.",
    outcomes=5 * 63 * 5,
)
def the_nucleus_is_a_smallest_set():
    masses, thresholds = jnp.exp(log_probs_of(LOGITS)) @ SUBSETS.T, (0.05, 0.4, 0.75, 0.9, 0.99)
    sizes = jnp.stack([jnp.min(jnp.where(masses >= mass, SUBSETS.sum(1), 7), axis=1) for mass in thresholds])
    every = heaviest(LOGITS, range(1, 7))
    smallest, without = every[sizes - 1, jnp.arange(5)], every[jnp.maximum(sizes - 2, 0), jnp.arange(5)]
    laws = jnp.stack([jnp.exp(log_probs_of(nucleus_filter(LOGITS, mass=mass))) for mass in thresholds])
    return Sides(left=laws, right=smallest, wrong={"without the token that crosses": without})


derivation.say(
    r"Penalties. Take a token that has occurred, and a new one. The model's logits are log-probabilities up to a "
    r"constant $c$, which the network does not fix."
)
theta = derivation.number(r"\theta", "the penalty", "penalty", positive=True)
c = derivation.number("c", "a constant, large enough that both logits are positive", positive=True)
seen = derivation.number("p_1", "the probability of a token that has occurred", between=(0, 1))
new = derivation.number("p_2", "that of a new token", between=(0, 1))
penalized = derivation.chain(
    "With log-probabilities the penalty is a power",
    exp(plus(theta * log(seen), -log(new)), evaluate=False),
    equals(
        seen**theta / new,
        r"log-probabilities are never positive, so that each of those that occurred is multiplied by $\theta$",
        wrong={"divided, as a positive logit": seen ** (1 / theta) / new},
    ),
    role="lemma",
)
derivation.chain(
    "With other logits of the same distribution the penalty is another one",
    exp(plus(times(log(seen) + c, 1 / theta), -(log(new) + c)), evaluate=False),
    equals(times(seen ** (1 / theta) / new, exp(-c * (1 - 1 / theta))), r"a positive logit is divided by $\theta$; collect $c$"),
    role="remark",
    so="The ratio depends on the constant, which the distribution does not. To know what is penalized, penalize "
    "log-probabilities.",
)
t = derivation.index("t", "a token", states=4)
law = derivation.law("p", t, "the distribution of four tokens, of which the first two have occurred", "exp(logits)")
derivation.bridge(
    "The code's log-probabilities; a token counts once, however often it occurred",
    log(law) * Piecewise((theta, t < 2), (1, True)),
    repetition_penalty,
    logits=[log(law)],
    tokens=jnp.array([[0, 1, 0]]),
    penalty=theta,
    wrong={"divided, as a positive logit": log(law) * Piecewise((1 / theta, t < 2), (1, True))},
)

derivation.say(
    r"Drawing. A uniform number $u$ gives token $i$ if it is between the sum of the probabilities before $i$ and the sum "
    r"with it."
)
derivation.symbol("u", "a uniform number", "uniform")


@derivation.exact(
    r"|\{ u \in [0, 1) : \textstyle\sum_{j < i} p_j \le u < \sum_{j \le i} p_j \}| = p_i",
    because="It is an interval of that length. For probabilities in 64ths the middles of 64 equal cells count the lengths "
    "exactly; a token of probability 0 has an empty interval and is never drawn.",
    outcomes=64,
    role="lemma",
)
def the_inverse_distribution_function_has_intervals_of_length_p():
    p = jnp.array([0, 20, 1, 0, 33, 10, 0]) / 64
    drawn = categorical_from_uniform(jnp.broadcast_to(jnp.log(p), (64, 7)), (jnp.arange(64) + 0.5) / 64)
    return Sides(left=jnp.bincount(drawn, length=7) / 64, right=p)


@derivation.monte_carlo(
    r"\Pr\left( \arg\max_j\, \left[ l_j - \log(-\log u_j) \right] = i \right) = p_i",
    because="With Gumbel noise the index of the largest sum is a sample of the softmax (the lemma): the code's samples for forty "
    "thousand rows of uniform numbers. With $\\log u$ as the noise, one logarithm short, a likely token would win too often.",
    role="remark",
    uses=(gumbel_max,),
)
def gumbel_draws_have_the_law():
    uniforms = np.random.default_rng(1).uniform(size=(40_000, 6))
    drawn = gumbel_argmax(jnp.broadcast_to(LOGITS[0], (40_000, 6)), jnp.array(uniforms))
    short = np.bincount(np.argmax(np.asarray(LOGITS[0]) + np.log(uniforms), axis=1), minlength=6) / 40_000
    law = jax.nn.softmax(LOGITS[0])
    return SampleSides(samples=jax.nn.one_hot(drawn, 6, dtype=float), expected=law, wrong={"one logarithm short": short})


derivation.answer = prose(
    r"Temperature takes powers of ratios, {ratio}, and the entropy falls as the temperature does, {slope}, unless all logits are "
    r"equal. Of all distributions on a set $S$ the restricted one, {restricted}, is the closest, at the price $-\log p(S)$: "
    r"{price}. Top-$k$ is the cheapest set of its size, the nucleus a smallest set that has its mass. A uniform number, or one "
    "Gumbel variable a token, samples the distribution exactly.",
    ratio=holds(p_b / p_b.at(j), "=", exp(b * (l - l.at(j))), wrong={"multiplied by the temperature": exp((l - l.at(j)) / b)}),
    slope=holds(Slope(Entropy(p_b), b), "=", -times(b, Variance(p_b, l))),
    restricted=holds(restricted, "=", p_in / mass),
    price=holds(Expectation(q, plus(log(q), -log(p_in))), ">=", -log(mass)),
)


@derivation.algorithm(
    "Sampling the next token",
    do(r"multiply the log-probability of every token that has occurred by $\theta$", repetition_penalty, by=penalized),
    do("divide by the temperature, $l \\leftarrow l / T$", apply_temperature, by=tempered),
    do(r"set $l_i \leftarrow -\infty$ outside the nucleus (or top-$k$, typical, min-p)", nucleus_filter, by=central),
    do(
        "draw a uniform $u$; take the first token whose sum of probabilities, with those before it, exceeds $u$",
        categorical_from_uniform,
        by=the_inverse_distribution_function_has_intervals_of_length_p,
    ),
    do(r"or draw a uniform $u_i$ a token; take the largest $l_i - \log(-\log u_i)$", gumbel_argmax, by=gumbel_draws_have_the_law),
)
def two_tokens():
    logits = repetition_penalty(jnp.log(jnp.array([[0.5, 0.25, 0.125, 0.125]])), jnp.array([[0]]), penalty=2.0)
    yield (
        r"p = (\tfrac12, \tfrac14, \tfrac18, \tfrac18), \text{ penalty 2 on the first}",
        jnp.exp(log_probs_of(logits))[0],
        "(1/3, 1/3, 1/6, 1/6)",
    )
    logits = apply_temperature(logits, temperature=0.5)
    yield r"T = \tfrac12", jnp.exp(log_probs_of(logits))[0], "(0.4, 0.4, 0.1, 0.1)"
    logits = nucleus_filter(logits, mass=0.7)
    yield r"\text{nucleus of mass } 0.7", jnp.exp(log_probs_of(logits))[0], "(1/2, 1/2, 0, 0)"
    for u, stated in ((0.3, "1"), (0.6, "2")):
        yield rf"u = {u}: \text{{ token}}", categorical_from_uniform(logits, jnp.array([u]))[0] + 1, stated
    yield r"u_i = 0.5, 0.4, 0.9, 0.9: \text{ token}", gumbel_argmax(logits, jnp.array([[0.5, 0.4, 0.9, 0.9]]))[0] + 1, "1"


@derivation.example(
    "Four tokens with the probabilities $(0.64, 0.16, 0.16, 0.04)$, and the mass 0.7. At the temperature 2 they are "
    "proportional to the square roots $0.8, 0.4, 0.4, 0.2$: the nucleus grows, so temperature before or after the nucleus is "
    "not the same. Then typical sampling: of $(0.4, 0.15, 0.15, 0.15, 0.15)$ it drops the most likely token at the mass 0.5. "
    r"Last, the penalty 2 on the first of $(\frac12, \frac14, \frac14)$, on log-probabilities and on the same with $\ln 4$ "
    "added."
)
def four_tokens():
    p = jnp.array([[0.64, 0.16, 0.16, 0.04]])
    hot = apply_temperature(jnp.log(p), temperature=2.0)
    kept = jnp.exp(log_probs_of(nucleus_filter(jnp.log(p), mass=0.7)))[0]
    yield r"p_S \text{ on the nucleus}", kept, "(0.8, 0.2, 0, 0)"
    yield r"-\log p(S), \text{ and the total variation}", (-jnp.log(0.8), jnp.abs(kept - p[0]).sum() / 2), "(0.2231, 0.2)"
    yield r"p \text{ at } T = 2", jnp.exp(log_probs_of(hot))[0], "(4/9, 2/9, 2/9, 1/9)"
    yield r"\text{its nucleus}", jnp.exp(log_probs_of(nucleus_filter(hot, mass=0.7)))[0], "(1/2, 1/4, 1/4, 0)"
    yield (
        r"\text{nucleus first, then } T = 2",
        jnp.exp(log_probs_of(apply_temperature(nucleus_filter(jnp.log(p), mass=0.7), temperature=2.0)))[0],
        "(2/3, 1/3, 0, 0)",
    )
    yield r"H(p) \text{ at } T = 1", value(Entropy(q), {q: (0.64, 0.16, 0.16, 0.04)}), "1.0008"
    yield (
        r"H(p) \text{ at } T = 2",
        value(Entropy(q), {q: (Rational(4, 9), Rational(2, 9), Rational(2, 9), Rational(1, 9))}),
        "1.2730",
    )
    flat = jnp.log(jnp.array([[0.4, 0.15, 0.15, 0.15, 0.15]]))
    typical = jnp.exp(log_probs_of(typical_filter(flat, mass=0.5)))[0]
    mean = -float(jnp.exp(flat)[0] @ flat[0])
    yield (
        r"H(p), |-\log 0.4 - H|, |-\log 0.15 - H|",
        (mean, mean + math.log(0.4), -math.log(0.15) - mean),
        "(1.5048, 0.5885, 0.3923)",
    )
    yield r"p_S \text{ of typical sampling}", typical, "(0, 1/4, 1/4, 1/4, 1/4)"
    half = jnp.log(jnp.array([[0.5, 0.25, 0.25]]))
    penalized = [
        jnp.exp(log_probs_of(repetition_penalty(half + shift, jnp.array([[0]]), penalty=2.0)))[0] for shift in (0.0, math.log(4))
    ]
    yield r"\text{penalized log-probabilities}", penalized[0], "(1/3, 1/3, 1/3)"
    yield r"\text{penalized after adding } \ln 4", penalized[1], "(0.4142, 0.2929, 0.2929)"


derivation.figure(
    "Left: the triangle of all distributions on three tokens. Temperature moves one (star) along a curve from the uniform one in "
    "the center to a corner; truncation to two tokens or to one jumps to the boundary. Right: the sums of the probabilities of "
    "four tokens. A uniform number on the vertical axis meets the step of token $i$ with probability $p_i$.",
    panels=2,
)(a_path_and_a_staircase)
