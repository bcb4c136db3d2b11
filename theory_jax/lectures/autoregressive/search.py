"""Search: the most likely sequence, when it can be found, and why not to want it.

The lecture on the functions of theory_jax/autoregressive/search.py.
"""

import itertools
import math

import jax.numpy as jnp
from sympy import Min, Rational, log, oo

from theory_jax.autoregressive.search import beam_expansion, beam_search, greedy_search, length_normalized_score, viterbi
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Largest, Limit, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._trees import (
    FIRST,
    SEQUENCES,
    START,
    a_tree_and_a_mode,
    every_score,
    largest_dropped,
    scores_of_flips,
    step_of_example,
    step_of_trees,
)

derivation = Derivation(
    module=__name__,
    title="Search: the most likely sequence, when it can be found, and why not to want it",
    lectures=(48,),
    sources=(
        "Graves 2012, Sequence Transduction with Recurrent Neural Networks",
        "Wu et al. 2016, Google's Neural Machine Translation System",
        "Stahlberg & Byrne 2019, On NMT Search Errors and Model Errors: Cat Got Your Tongue?",
        "Holtzman et al. 2020, The Curious Case of Neural Text Degeneration",
        "Viterbi 1967, Error Bounds for Convolutional Codes and an Asymptotically Optimum Decoding Algorithm",
    ),
    question="Greedy search commits to a first token and cannot take it back. A wider beam sometimes finds a worse text than a "
    "narrow one, and the text that is most likely of all is often empty, or repeats itself. How does one find the most likely "
    "sequence of an autoregressive model, when is that affordable, and does one want it?",
    setting=(
        r"A sequence of $L$ tokens from a vocabulary of $V$ has the score $\log p(x)$, the sum of the log-probabilities of its "
        "tokens, each given those before it. There are $V^L$ sequences.",
        r"Greedy search takes the most likely token at every step. A beam of width $W$ keeps, of all extensions of the "
        r"prefixes that it holds by one token, the $W$ with the best scores. A finished prefix has one extension, the end "
        r"token, which costs nothing.",
        "In a first-order chain the probability of a token depends on the token before it alone.",
        r"The normalized score of $n$ tokens is $\log p \,/\, ((5 + n)/6)^\alpha$ with an exponent $\alpha$ that is not "
        "negative.",
    ),
    limits=(
        "That the quality of text falls with its likelihood beyond a point is an empirical matter (Holtzman et al. 2020).",
        "Stochastic and diverse beams, and heuristics that estimate the rest of a sequence (A*).",
    ),
    trained="Search needs a trained model and no training of its own. The study of `autoregressive/transformer` compares "
    "widths of the beam.",
)

first = derivation.index("x", "a token", states=2)
u = derivation.index("u", "the token after it", states=2)
v = derivation.index("v", "the token after that", states=2)
start = derivation.numbers("d_1", first, r"$\log p$ of the first token", "initial_log_probs")
step = derivation.numbers("a", (first, u), r"$\log p(u | x)$, a transition", "transition_log_probs")
after = derivation.numbers("a", (u, v), r"$\log p(v | u)$, the same table", "transition_log_probs")

derivation.say(
    "First a case in which the maximum is affordable. A number that all candidates share may leave a maximum, as a factor may "
    "leave a sum."
)
best = derivation.define("d_2", Largest(first, plus(start, step)), "the largest score of the beginnings that end in $u$", over=u)
central = derivation.chain(
    "Dynamic programming: of all beginnings that end in one token only the best counts",
    Largest(u, Largest(first, plus(start, step, after))),
    equals(
        Largest(u, plus(Largest(first, plus(start, step)), after)),
        prose(
            "the chain is of first order, so that the last term does not depend on $x$, and leaves the inner maximum: {out}",
            out=holds(Largest(first, plus(start, step, after)), "=", plus(Largest(first, plus(start, step)), after)),
        ),
        wrong={"both maxima by themselves": plus(Largest(u, Largest(first, plus(start, step))), Largest(u, after))},
    ),
    equals(
        Largest(u, plus(best, after)),
        prose("the inner maximum is {best}", best=holds(Largest(first, plus(start, step)), "=", best, named=True)),
    ),
    central=True,
    so="This is $d_3(v)$, the largest score of all sequences that end in $v$, and so on to $d_L$. Each step costs $V^2$ "
    "additions. With sums of probabilities in place of maxima of scores the same lines are the forward algorithm. If the last "
    "term depended on $x$, it could not leave the maximum, and the state would be the whole prefix.",
)
here, there = derivation.index("i", "a token", states=2), derivation.index("j", "the next token", states=2)
cost = derivation.numbers("c", here, r"$-\log p$ of the first token", positive=True)
edge = derivation.numbers("c", (here, there), r"$-\log p$ of a transition", positive=True)
paths = list(itertools.product(range(2), repeat=3))
derivation.bridge(
    "The code finds the maximum over all eight sequences",
    (None, -Min(*[cost.at(x) + edge.at(x, y) + edge.at(y, z) for x, y, z in paths])),
    viterbi,
    initial_log_probs=[-cost],
    transition_log_probs=-edge,
    length=3,
    wrong={"the transition turned over": (None, -Min(*[cost.at(x) + edge.at(y, x) + edge.at(z, y) for x, y, z in paths]))},
)

derivation.say("Greedy search chooses the first token by its own probability, regardless of its continuations.")
gamma = derivation.number(r"\gamma", "the probability of the likely first token", between=(Rational(1, 2), 1))
beta_1 = derivation.number(r"\beta_1", "that of its best continuation", between=(0, 1))
beta_2 = derivation.number(r"\beta_2", "that of the best continuation of the other first token", between=(0, 1))
threshold = beta_1 * gamma / (1 - gamma)
derivation.chain(
    "When greedy search loses",
    plus(times(1 - gamma, beta_2), -times(gamma, beta_1)),
    equals(
        times(1 - gamma, beta_1, plus(beta_2 / beta_1, -gamma / (1 - gamma))),
        "the first line is the probability of the other sequence minus that of the greedy one; take out positive factors",
    ),
    so=prose(
        "It loses if and only if the ratio of the continuations exceeds the odds of the first tokens. At {equal} both are "
        r"equally likely, {both}. It keeps the first token however small $\beta_1$ is.",
        equal=where(beta_2, threshold),
        both=holds(times(1 - gamma, beta_2), "=", times(gamma, beta_1)),
    ),
)
pruned = derivation.number(r"\pi", "the largest score that the beam dropped")
below = derivation.number(r"\eta", "how far below it another dropped prefix is", positive=True)
rest = derivation.number("h", r"$-\log p$ of the tokens after that prefix", positive=True)
certificate = derivation.chain(
    "A continuation never raises the score",
    plus(pruned, -below, -rest),
    at_most(
        plus(pruned, -below),
        r"probabilities are at most 1, so the score of a sequence is at most that of each of its prefixes",
        adding=rest,
        wrong={"a continuation that gains": plus(pruned, rest)},
    ),
    at_most(pruned, r"no dropped prefix is better than the best of them", adding=below),
    so=r"A sequence that the beam did not rank at the end has a dropped prefix, so its score is at most $\pi$. If the returned "
    r"score is at least $\pi$, it is the maximum. With a width of $V^{L-1}$ or more nothing is dropped before the last step: the "
    "search is exhaustive. With a width of one all candidates share one prefix: the search is greedy.",
)
derivation.symbol(r"\hat s", "the score that a beam search returns", "beam_search")
derivation.symbol("W", "the width of the beam", "width")
derivation.symbol("L", "the length", "length")
derivation.symbol("V", "the number of tokens")


@derivation.exact(
    r"\hat s \ge \pi \;\Rightarrow\; \hat s = \max_x \log p(x)",
    because="Random models with three tokens and four steps, in which every prefix has its own distribution, and the widths 1, "
    "2, 4 and 27. Where the returned score is certified it is the largest of the 81. Some of the others are not.",
    outcomes=40 * 4 * 81,
    uses=(certificate,),
    role="lemma",
)
def certified_results_are_optimal():
    largest = every_score().max(axis=1)
    returned, certified = [], []
    for width in (1, 2, 4, 27):
        _, scores = beam_search(START, step_of_trees, width=width, length=4)
        returned.append(scores[:, 0])
        certified.append(scores[:, 0] >= largest_dropped(width))
    returned, certified = jnp.stack(returned), jnp.stack(certified)
    optimal = jnp.broadcast_to(largest, returned.shape)
    # where nothing is certified nothing is claimed
    return Sides(
        left=jnp.where(certified, returned, -1.0),
        right=jnp.where(certified, optimal, -1.0),
        wrong={"every returned score certified": jnp.where(returned == optimal, returned, optimal - returned)},
    )


@derivation.exact(
    r"W = 1 \text{ is greedy search}, \qquad W = V^{L-1} \text{ ranks all sequences}",
    because="The same models: the tokens and scores of the narrowest beam against greedy search, those of the widest against "
    "the 27 best of all 81 sequences.",
    outcomes=40 * 81,
    role="remark",
)
def the_narrowest_and_the_widest_beam():
    narrow, wide = (beam_search(START, step_of_trees, width=width, length=4) for width in (1, 27))
    greedy = greedy_search(START, step_of_trees, length=4)
    every = every_score()
    order = jnp.argsort(-every, axis=1)[:, :27]
    ranked = jnp.take_along_axis(every, order, axis=1)
    found = [narrow[0].ravel(), narrow[1].ravel(), wide[0].ravel(), wide[1].ravel()]
    wanted = [greedy[0].ravel(), greedy[1].ravel(), SEQUENCES[order].ravel(), ranked.ravel()]
    return Sides(left=jnp.concatenate(found), right=jnp.concatenate(wanted))


derivation.say(
    "Between these widths a wider beam need not find a better sequence: it fills up with prefixes that look good now, and "
    "drops what a narrower one would have kept. The example below has such a tree."
)
end_0 = derivation.number("e_0", "the probability that a sequence ends at once", between=(0, 1))
end_1 = derivation.number("e_1", "the probability that it ends at the second step", between=(0, 1))
finished = derivation.chain(
    "Finished sequences keep the probabilities adding to one",
    plus(times(end_0, 1), times(1 - end_0, end_1), times(1 - end_0, 1 - end_1)),
    equals(
        plus(end_0, 1 - end_0),
        "a finished sequence has one continuation, of probability 1; the others end or go on",
        wrong={"a finished sequence that pays": plus(times(end_0, end_1), 1 - end_0)},
    ),
    equals(1, "add"),
    role="lemma",
)


@derivation.exact(
    r"\sum_{x} p(x) = 1 \text{ over the beams of all lengths up to } L",
    because="A beam that drops nothing, with one token as the end: the probabilities of its sequences sum to one at every "
    "length, and no sequence goes on after its end.",
    outcomes=3 + 9 + 27,
    role="remark",
)
def finished_beams_keep_their_score():
    totals, broken = [], []
    for length in (1, 2, 3):
        tokens, scores = beam_search(START[:1], step_of_trees, width=27, length=length, end_token=1)
        ended = jnp.any((tokens[..., :-1] == 1) & (tokens[..., 1:] != 1), axis=2) & (scores > -jnp.inf)
        totals.append(jnp.exp(scores).sum())
        broken.append(ended.sum())
    return Sides(left=jnp.stack(totals + broken), right=jnp.append(jnp.ones(3), jnp.zeros(3)))


derivation.say(
    r"Length. A longer sequence is never more likely than its beginning (shown above), so the search without a correction "
    r"prefers early ends. Compare an end at once, of probability $e^{-q}$, with $n$ words of probability $e^{-w}$ each; the "
    r"divisor is 1 at one token."
)
n = derivation.number("n", "a number of tokens", "lengths", positive=True)
w = derivation.number("w", r"$-\log p$ of each word", positive=True)
q = derivation.number("q", r"$-\log p$ of the end at once", positive=True)
alpha = derivation.number(r"\alpha", "the exponent", "exponent", positive=True)
more = derivation.number("k", "how many of the words follow the first one", positive=True)
turning = derivation.define(r"\alpha^*", log((1 + more) * w / q) / log(1 + more / 6), "where the order of two scores turns")
lengths = derivation.chain(
    "At one exponent an end at once and many words have the same score",
    -times(w, 1 + more) / (1 + more / 6) ** turning,
    equals(
        -q,
        prose(
            "for $1 + k$ words; {power}, so that both scores are equal",
            power=holds((1 + more / 6) ** turning, "=", (1 + more) * w / q),
        ),
        wrong={"the log-probability of the end forgotten": -1},
    ),
    so=prose(
        r"Without normalization, at {none}, the end wins if the words cost more, {words} being above $q$; then $\alpha^*$ is "
        r"positive. Above $\alpha^*$ the words win.",
        none=where(alpha, 0),
        words=holds(times(w, 1 + more) / (1 + more / 6) ** alpha, "=", times(w, 1 + more), named=True),
    ),
    role="lemma",
)
derivation.bridge(
    "The code normalizes like this",
    -w / ((5 + n) / 6) ** alpha,
    length_normalized_score,
    log_prob=[-w],
    lengths=[n],
    exponent=alpha,
    wrong={"(6 + n)/6 in the divisor": -w / ((6 + n) / 6) ** alpha, "the mean score of a token": -w / n},
)

derivation.say(
    r"Is the maximum wanted? Take $n$ independent flips of a coin that shows heads with a probability $p$ above one half."
)
p = derivation.number("p", "the probability of heads", between=(Rational(1, 2), 1))
mean = derivation.define(r"\bar s", p * log(p) + (1 - p) * log(1 - p), r"the mean of $\log p$ of one flip")
spread = derivation.chain(
    "The variance of the score of one flip is the squared log-odds times both probabilities",
    plus(times(p, log(p) ** 2), times(1 - p, log(1 - p) ** 2), -(mean**2)),
    equals(
        times(p, 1 - p, (log(p) - log(1 - p)) ** 2),
        prose(
            "the mean square minus the square of the mean: all terms have the factor {coefficient}",
            coefficient=holds(p - p**2, "=", times(p, 1 - p)),
        ),
    ),
    role="lemma",
)
mode_gap = derivation.chain(
    "The score of the mode is above the mean score",
    plus(times(n, log(p)), -times(n, mean)),
    equals(
        times(n, 1 - p, log(p) - log(1 - p)),
        prose(
            r"all heads has the score $n \log p$; the mean of $n$ flips is $n$ times that of one, and {gap}",
            gap=holds(plus(log(p), -mean), "=", times(1 - p, log(p) - log(1 - p))),
        ),
    ),
    role="lemma",
)
far = derivation.chain(
    "The mode is above the mean by more standard deviations the longer the sequence is",
    times(n, plus(log(p), -mean)) ** 2 / times(n, plus(times(p, log(p) ** 2), times(1 - p, log(1 - p) ** 2), -(mean**2))),
    equals(
        n * (1 - p) / p,
        "the variance of independent flips is $n$ times that of one; divide the square of the gap by it",
        wrong={"the odds turned over": n * p / (1 - p)},
    ),
    uses=(spread, mode_gap),
    role="lemma",
)
derivation.chain(
    "So the mode is not typical",
    Limit(1 / (n * (1 - p) / p), n, oo),
    equals(
        0,
        "Chebyshev's inequality: the probability of a score as far from the mean as the mode's is at most one over the square "
        "of the number of deviations",
    ),
    uses=(far,),
    so="A sample looks like the data; the most likely sequence does not. Sampling suits open text; search suits a "
    "translation or a transcript, which has a concentrated distribution.",
)


derivation.answer = prose(
    "In a first-order chain dynamic programming finds the maximum, since {recursion}, with $(L - 1) V^2$ additions. For a "
    "network that reads its whole past, greedy search and beams can miss it, and a wider beam can be worse. No continuation "
    "raises a score, {bound}, so a returned score that no dropped prefix exceeds is certainly the largest. Without a "
    "correction the maximum favors short sequences, and it need not be typical: of many flips of a biased coin the most likely "
    "sequence hardly ever occurs.",
    recursion=holds(Largest(u, Largest(first, plus(start, step, after))), "=", Largest(u, plus(best, after))),
    bound=holds(plus(pruned, -below, -rest), "<=", pruned),
)


@derivation.algorithm(
    "Beam search",
    do("the beam is the $W$ most likely first tokens"),
    do("for every further token, up to $L$:"),
    do(
        "extend each prefix of the beam by every token, and add its log-probability to the score",
        beam_expansion,
        by=certificate,
        indent=1,
    ),
    do("a finished prefix is extended by the end token alone, at no cost", by=finished, indent=1),
    do("keep the $W$ extensions with the best scores", beam_search, by=certified_results_are_optimal, indent=1),
    do(r"return the best sequence by $\log p \,/\, ((5 + n)/6)^\alpha$", length_normalized_score, by=lengths),
)
def a_beam_of_two():
    scores, parents, tokens = beam_expansion(
        FIRST[0, jnp.array([0, 1])][None], jnp.stack([step_of_example(jnp.array([[x]]))[0] for x in (0, 1)])[None], width=2
    )
    yield r"\text{the tree of the example: first tokens}", jnp.exp(FIRST[0]), "(1/2, 4/9, 1/18)"
    yield r"\text{the two best extensions: probabilities}", jnp.exp(scores[0]), "(2/9, 8/45)"
    yield r"\text{... of prefixes, by tokens}", (parents[0] + 1, tokens[0] + 1), "((2, 2), (1, 2))"
    sequences, scores = beam_search(FIRST, step_of_example, width=2, length=3)
    yield r"\text{after the third token: the best}", jnp.exp(scores[0, 0]), "2/27"
    yield (
        r"\text{its normalized score, } \alpha = 1",
        length_normalized_score(scores[0, :1], jnp.array([3]), exponent=1.0),
        "-1.952",
    )


@derivation.example(
    r"First tokens of probability 0.6 and 0.4, the best continuations 0.5 and 0.9. Then a tree of three tokens: first "
    r"$\frac12, \frac49, \frac1{18}$; after the second of them $\frac12, \frac25, \frac1{10}$, after the others thirds; the "
    r"third token is certain if the first was the first, and thirds otherwise. Width 2 keeps the prefixes of probability "
    r"$\frac29$ and $\frac8{45}$, both above $\frac16$, and loses. Last, an end of 0.15 against ten words of 0.8, and 100 "
    r"flips of a coin with 0.9 for heads."
)
def trees_and_coins():
    chain = jnp.log(jnp.array([[0.5, 0.5], [0.9, 0.1]]))
    small = jnp.log(jnp.array([[0.6, 0.4]]))
    yield r"\text{greedy}", jnp.exp(greedy_search(small, lambda x: chain[x[:, -1]], length=2)[1]), "0.30"
    yield r"\text{the best}", jnp.exp(viterbi(small, chain, length=2)[1]), "0.36"
    found = [beam_search(FIRST, step_of_example, width=width, length=3)[1][0, 0] for width in (1, 2, 3)]
    yield r"\text{widths 1, 2, 3}", jnp.exp(jnp.stack(found)), "(1/6, 2/27, 1/6)"
    scores, lengths = jnp.log(jnp.array([0.15, 0.8**10])), jnp.array([1, 10])
    yield r"\alpha = 0", length_normalized_score(scores, lengths, exponent=0.0), "(-1.897, -2.231)"
    yield r"\alpha = 0.6", length_normalized_score(scores, lengths, exponent=0.6), "(-1.897, -1.288)"
    yield r"\alpha^*", value(turning, {more: 9, w: -math.log(0.8), q: -math.log(0.15)}), "0.177"
    coin = jnp.log(jnp.array([0.9, 0.1]))
    tokens, score = viterbi(coin[None], jnp.broadcast_to(coin, (2, 2)), length=100)
    yield (
        r"\text{tails in the mode, its probability and score}",
        (tokens.sum(), jnp.exp(score[0]), score[0]),
        "(0, 2.66e-5, -10.54)",
    )
    scores, chances = scores_of_flips()
    center = chances @ scores
    yield r"\text{mean of the score}", center, "-32.51"
    yield r"\text{standard deviation}", math.sqrt(chances @ (scores - center) ** 2), "6.59"
    yield r"\sqrt{n (1 - p) / p}", value(n * (1 - p) / p, {n: 100, p: 0.9}) ** 0.5, "3.33"


derivation.figure(
    "Left: the tree of the example. Each point is a prefix, at the height of its probability; lines join it to its extensions. "
    "The beam of width 2 (squares) drops at the second step what leads to the best sequence, which width 1 (circles) follows. "
    "Right: the score of 100 flips with 0.9 for heads; the most likely sequence (dashed) is where there is hardly any "
    "probability.",
    panels=2,
)(a_tree_and_a_mode)
