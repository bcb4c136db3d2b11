"""Search: the most likely sequence, when it can be found, and why not to want it.

The lecture on the functions of theory_jax/autoregressive/search.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Min, Rational, exp, log, oo

from theory_jax.autoregressive.search import beam_expansion, beam_search, greedy_search, length_normalized_score, viterbi
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Total, plus, times
from theory_jax.derivation.parts import value

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
    question="How does one find the most likely sequence of an autoregressive model, when is that affordable, and does one "
    "want it?",
    setting=(
        r"A sequence of $L$ tokens from a vocabulary of $V$ has the score $\log p(x) = \sum_t \log p(x_t | x_{<t})$. There are "
        r"$V^L$ sequences.",
        r"Greedy search takes the most likely token at every step. A beam of width $W$ keeps, of all extensions of the "
        r"prefixes that it holds by one token, the $W$ with the best scores. A finished prefix has one extension, the end "
        r"token, which costs nothing.",
        r"A first-order chain forgets all but the last token: $p(x_t | x_{<t}) = p(x_t | x_{t-1})$.",
        r"The normalized score of $n$ tokens is $\log p \,/\, ((5 + n)/6)^\alpha$ with an exponent $\alpha \ge 0$.",
    ),
    answer=r"For a first-order chain dynamic programming finds the maximum with $(L - 1) V^2$ additions. For a network that "
    r"reads its whole past, greedy search and beams can miss it, and a wider beam can be worse; a returned score that no "
    r"pruned prefix exceeds is certainly the best. The maximum favors short sequences, and is not typical: of many flips of a "
    r"biased coin the most likely sequence hardly ever occurs.",
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
b = derivation.number("b", "an inverse temperature", positive=True)
start = derivation.numbers("d_1", first, r"$\log p$ of the first token", "initial_log_probs")
step = derivation.numbers("a", (first, u), r"$\log p(u | x)$, a transition", "transition_log_probs")
after = derivation.numbers("a", (u, v), r"$\log p(v | u)$, the same table", "transition_log_probs")
g = derivation.numbers("g", first, "how far other scores lie below the largest", positive=True)
m = derivation.number("m", "how many scores are the largest", positive=True, integer=True)

derivation.say(
    r"First a case in which the maximum is affordable. Sums are easier to rearrange than maxima, so write the maximum of "
    r"scores $s_i$ as the limit of $\frac1b \log \sum_i e^{b s_i}$ for large $b$."
)
derivation.symbol("s_i", "scores")
soft_maximum = derivation.chain(
    "The soft maximum goes to the maximum",
    Limit(log(m + Total(first, exp(-b * g))) / b, b, oo),
    equals(
        0,
        r"$\frac1b \log \sum_i e^{b s_i} = \max_i s_i + \frac1b \log(m + \sum_x e^{-b g_x})$, and the logarithm is bounded by "
        r"that of the number of scores",
    ),
    role="lemma",
)
best = derivation.define(
    "d_2", log(Total(first, exp(b * (start + step)))) / b, "the soft maximum over the beginnings that end in $u$", over=u
)
central = derivation.chain(
    "Dynamic programming: of all beginnings that end in one token only the best counts",
    Total(u, Total(first, exp(b * plus(start, step, after)))),
    equals(
        Total(u, times(exp(b * after), Total(first, exp(b * plus(start, step))))),
        "the chain is of first order, so that the last term does not depend on $x$: out of the inner sum",
    ),
    equals(Total(u, exp(b * plus(best, after))), "the inner sum is $e^{b d_2(u)}$ by the definition of the soft maximum"),
    central=True,
    uses=(soft_maximum,),
    so=r"Take $\frac1b \log$ and let $b$ grow: $d_3(v) = \max_u [\, d_2(u) + \log p(v | u) \,]$ is the largest score of all "
    r"sequences that end in $v$, and so on to $d_L$. Each step costs $V^2$ additions. At $b = 1$ the same lines are the "
    r"forward algorithm, which sums probabilities. If the last term depended on $x$, it could not leave the sum, and the state "
    r"would be the whole prefix.",
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
derivation.chain(
    "When greedy search loses",
    plus(times(1 - gamma, beta_2), -times(gamma, beta_1)),
    equals(
        times(1 - gamma, beta_1, plus(beta_2 / beta_1, -gamma / (1 - gamma))),
        "the first line is the probability of the other sequence minus that of the greedy one; take out positive factors",
    ),
    so=r"It loses if and only if the ratio of the continuations exceeds the odds of the first tokens, $\frac{\beta_2}{\beta_1} "
    r"> \frac{\gamma}{1 - \gamma}$. It keeps the first token however small $\beta_1$ is.",
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
    r"score is at least $\pi$, it is the maximum. With $W \ge V^{L-1}$ nothing is dropped before the last step: the search is "
    r"exhaustive. With $W = 1$ all candidates share one prefix: the search is greedy.",
)
derivation.symbol(r"\hat s", "the score that a beam search returns", "beam_search")
derivation.symbol("W", "the width of the beam", "width")
derivation.symbol("L", "the length", "length")
derivation.symbol("V", "the number of tokens")


@derivation.exact(
    r"\hat s \ge \pi \;\Rightarrow\; \hat s = \max_x \log p(x)",
    because="Random models with three tokens and four steps, in which every prefix has its own law, and the widths 1, 2, "
    "4 and 27. Where the returned score is certified it is the largest of the 81. Some of the others are not.",
    outcomes=40 * 4 * 81,
    uses=(certificate,),
)
def certified_results_are_optimal():
    largest = _every_score().max(axis=1)
    returned, certified = [], []
    for width in (1, 2, 4, 27):
        _, scores = beam_search(_START, _step_of_trees, width=width, length=4)
        returned.append(scores[:, 0])
        certified.append(scores[:, 0] >= _largest_dropped(width))
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
    narrow, wide = (beam_search(_START, _step_of_trees, width=width, length=4) for width in (1, 27))
    greedy = greedy_search(_START, _step_of_trees, length=4)
    every = _every_score()
    order = jnp.argsort(-every, axis=1)[:, :27]
    ranked = jnp.take_along_axis(every, order, axis=1)
    found = [narrow[0].ravel(), narrow[1].ravel(), wide[0].ravel(), wide[1].ravel()]
    wanted = [greedy[0].ravel(), greedy[1].ravel(), _SEQUENCES[order].ravel(), ranked.ravel()]
    return Sides(left=jnp.concatenate(found), right=jnp.concatenate(wanted))


derivation.say(
    "Between these widths a wider beam need not find a better sequence: it fills up with prefixes that look good now, and "
    "drops what a narrower one would have kept. The example below has such a tree."
)
end_0 = derivation.number("e_0", "the probability that a sequence ends at once", between=(0, 1))
end_1 = derivation.number("e_1", "the probability that it ends at the second step", between=(0, 1))
derivation.chain(
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
        tokens, scores = beam_search(_START[:1], _step_of_trees, width=27, length=length, end_token=1)
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
derivation.chain(
    "The exponent at which the length no longer matters",
    -times(w, 1 + more) / (1 + more / 6) ** turning,
    equals(
        -q,
        r"for $n = 1 + k$ words; $(1 + \frac k6)^{\alpha^*} = e^{\alpha^* \log(1 + k/6)} = \frac{n w}{q}$: both scores are equal",
        wrong={"the log-probability of the end forgotten": -1},
    ),
    so=r"Without normalization the end wins if $n w > q$, and then $\alpha^* > 0$. Above $\alpha^*$ the words win.",
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

derivation.say(r"Is the maximum wanted? Take $n$ independent flips of a coin that shows heads with probability $p > \frac12$.")
p = derivation.number("p", "the probability of heads", between=(Rational(1, 2), 1))
mean = derivation.define(r"\bar s", p * log(p) + (1 - p) * log(1 - p), r"the mean of $\log p$ of one flip")
spread = derivation.chain(
    "The variance of the score of one flip",
    plus(times(p, log(p) ** 2), times(1 - p, log(1 - p) ** 2), -(mean**2)),
    equals(
        times(p, 1 - p, (log(p) - log(1 - p)) ** 2),
        r"the mean square minus the square of the mean; the squares have the coefficient $p - p^2$, the product $-2 p (1 - p)$",
    ),
    role="lemma",
)
mode_gap = derivation.chain(
    "The mode is above the mean",
    plus(times(n, log(p)), -times(n, mean)),
    equals(
        times(n, 1 - p, log(p) - log(1 - p)),
        r"all heads has the score $n \log p$; the mean of $n$ flips is $n$ times that of one",
    ),
    role="lemma",
)
far = derivation.chain(
    "... by more standard deviations the longer the sequence is",
    times(n, plus(log(p), -mean)) ** 2 / times(n, plus(times(p, log(p) ** 2), times(1 - p, log(1 - p) ** 2), -(mean**2))),
    equals(
        n * (1 - p) / p,
        "the variance of independent flips is $n$ times that of one; divide the square of the gap by it",
        wrong={"the odds turned over": n * p / (1 - p)},
    ),
    uses=(spread, mode_gap),
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
    "translation or a transcript, which has a concentrated law.",
)


@derivation.example(
    r"First tokens of probability 0.6 and 0.4, the best continuations 0.5 and 0.9. Then a tree of three tokens: first "
    r"$\frac12, \frac49, \frac1{18}$; after the second of them $\frac12, \frac25, \frac1{10}$, after the others thirds; the "
    r"third token is certain if the first was the first, and thirds otherwise. Width 2 keeps the prefixes of probability "
    r"$\frac29$ and $\frac8{45}$, both above $\frac16$, and loses. Last, an end of 0.15 against ten words of 0.8, and 100 "
    r"flips with $p = 0.9$."
)
def trees_and_coins():
    chain = jnp.log(jnp.array([[0.5, 0.5], [0.9, 0.1]]))
    small = jnp.log(jnp.array([[0.6, 0.4]]))
    yield r"\text{greedy}", jnp.exp(greedy_search(small, lambda x: chain[x[:, -1]], length=2)[1]), "0.30"
    yield r"\text{the best}", jnp.exp(viterbi(small, chain, length=2)[1]), "0.36"
    found = [beam_search(_FIRST, _step_of_example, width=width, length=3)[1][0, 0] for width in (1, 2, 3)]
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
    scores, chances = _scores_of_flips()
    center = chances @ scores
    yield r"\text{mean of the score}", center, "-32.51"
    yield r"\text{standard deviation}", math.sqrt(chances @ (scores - center) ** 2), "6.59"
    yield r"\sqrt{n (1 - p) / p}", value(n * (1 - p) / p, {n: 100, p: 0.9}) ** 0.5, "3.33"


@derivation.figure(
    "Left: the tree of the example. Each point is a prefix, at the height of its probability; lines join it to its extensions. "
    "The beam of width 2 (squares) drops at the second step what leads to the best sequence, which width 1 (circles) follows. "
    "Right: the score of 100 flips with $p = 0.9$; the most likely sequence (dashed) is where there is hardly any "
    "probability.",
    panels=2,
)
def a_tree_and_a_mode(left, right):
    heights = {(): 1.0}
    for length in (1, 2, 3):
        for prefix in itertools.product(range(3), repeat=length):
            law = _FIRST if length == 1 else _step_of_example(jnp.array([prefix[:-1]]))
            heights[prefix] = heights[prefix[:-1]] * math.exp(law[0, prefix[-1]])
            if length > 1 and heights[prefix] > 0.015:
                left.plot([length - 1, length], [heights[prefix[:-1]], heights[prefix]], color="gray", linewidth=0.6)
    for width, mark, size in ((2, "s", 8), (1, "o", 4)):
        kept = [
            (length, heights[tuple(map(int, row))])
            for length in (1, 2, 3)
            for row in beam_search(_FIRST, _step_of_example, width=width, length=length)[0][0]
        ]
        left.plot(*zip(*kept, strict=True), mark, markersize=size, label=f"width {width}")
    left.set(xlabel="tokens", ylabel="probability of the prefix", xticks=(1, 2, 3))
    left.legend()
    scores, chances = _scores_of_flips()
    right.bar(scores[:30], chances[:30], width=1.6)
    right.axvline(scores[0], linestyle="--", color="gray")
    right.set(xlabel=r"$\log p(x)$", ylabel="probability")


@derivation.exercise(
    r"The first token has $\gamma = 0.6$ and its best continuation 0.5. From which $\beta_2$ on does greedy search lose?",
    r"$\beta_2 > 0.5 \cdot \frac{0.6}{0.4} = 0.75$. At 0.75 both sequences have the probability 0.3.",
)
def where_greedy_loses():
    yield 0.5 * 0.6 / 0.4, "0.75"
    yield value((1 - gamma) * beta_2, {gamma: 0.6, beta_2: 0.75}), "0.3"


@derivation.exercise(
    "How many additions does dynamic programming need for $V = 50$ and $L = 20$, and how many sequences are there?",
    r"$19 \cdot 2500 = 47500$ additions; $50^{20}$ sequences, about $10^{34}$ (the exponent is 33.98).",
)
def additions_and_sequences():
    yield 19 * 50**2, "47500"
    yield 20 * math.log10(50), "33.98"


@derivation.exercise(
    r"A beam returns $\log p = -4.1$, and the best prefix that it dropped had $-3.9$. Is the result the maximum? How likely "
    r"can a missed sequence be at most, relative to it?",
    r"It is not certified: a sequence with that prefix can have up to $e^{0.2} = 1.221$ times the probability.",
)
def not_certified():
    yield math.exp(-3.9 + 4.1), "1.221"


# the tree in which width 2 is worse than width 1
_FIRST = jnp.log(jnp.array([[9, 8, 1]]) / 18)
_SECOND = jnp.log(jnp.array([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 2 / 5, 1 / 10], [1 / 3, 1 / 3, 1 / 3]]))
_THIRD = jnp.log(jnp.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [1 / 3, 1 / 3, 1 / 3]]))


def _step_of_example(prefix):
    return (_SECOND if prefix.shape[1] == 1 else _THIRD)[prefix[:, 0]]


# forty models with its own law for every prefix, and the 81 sequences of length 4
_TREES = jnp.log(jnp.array(np.random.default_rng(1).dirichlet(np.full(3, 0.5), size=(40, 4, 27))))
_START = _TREES[:, 0, 0]
_SEQUENCES = jnp.array(list(itertools.product(range(3), repeat=4)))


def _step_of_trees(prefix):
    """The beams of one model stand in a row."""
    rows, time = prefix.shape
    models = len(_START) if rows % len(_START) == 0 else 1
    return _TREES[jnp.repeat(jnp.arange(models), rows // models), time, prefix @ 3 ** jnp.arange(time)]


def _every_score():
    """log p of all 81 sequences of every model, term by term."""
    return sum(
        _TREES[:, t, _SEQUENCES[:, :t] @ 3 ** jnp.arange(t) if t else jnp.zeros(81, int)][:, jnp.arange(81), _SEQUENCES[:, t]]
        for t in range(4)
    )


def _largest_dropped(width):
    """The best score that a beam of this width drops before the last step, -inf if it drops nothing."""
    dropped = jnp.full(len(_START), -jnp.inf)
    for length in (1, 2, 3):
        candidates, _, _ = _candidates(width, length)
        if candidates.shape[1] > width:
            dropped = jnp.maximum(dropped, candidates[:, width])
    return dropped


def _candidates(width, length):
    """All extensions of the prefixes that a beam of this width holds, best first."""
    if length == 1:
        return beam_expansion(jnp.zeros((len(_START), 1)), _START[:, None], width=3)
    prefixes, scores = beam_search(_START, _step_of_trees, width=width, length=length - 1)
    beams = prefixes.shape[1]
    following = _step_of_trees(prefixes.reshape(-1, length - 1)).reshape(len(_START), beams, 3)
    return beam_expansion(scores, following, width=3 * beams)


def _scores_of_flips():
    """The score of 100 flips with p = 0.9 by the number of tails, and how probable that number is."""
    tails = np.arange(101)
    chances = np.array([math.comb(100, int(k)) * 0.9 ** (100 - int(k)) * 0.1 ** int(k) for k in tails])
    return tails * math.log(0.1) + (100 - tails) * math.log(0.9), chances
