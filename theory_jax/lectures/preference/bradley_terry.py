"""From verdicts to scores: random utilities, their likelihood and its maximum.

The lecture on the functions of theory_jax/preference/bradley_terry.py.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import Integral, KroneckerDelta, Rational, exp, log, oo

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.preference._tournament import CHAIN, draw_lower_functions, draw_scores
from theory_jax.preference.bradley_terry import (
    elo_update,
    fisher_information,
    minorize_maximize_step,
    preference_log_prob,
    soft_preference_loss,
    tournament_log_likelihood,
)

derivation = Derivation(
    module=__name__,
    title="From verdicts to scores: random utilities, their likelihood and its maximum",
    lectures=(54,),
    sources=(
        "Bradley & Terry 1952, Rank analysis of incomplete block designs",
        "Hunter 2004, MM algorithms for generalized Bradley-Terry models",
        "Elo 1978, The rating of chessplayers, past and present",
        "Touvron et al. 2023, Llama 2, section 3.2.2 (the margin)",
    ),
    question="The share of its games that a player has won says little: it may have met weak opponents only, or too few. And "
    "people who judge answers say which of two is better, and no more. How do such verdicts become numbers, which part of the "
    "numbers do they determine, and when is there a best fit at all?",
    setting=(
        r"Item $i$ has a score $s_i$. In a comparison its utility is $s_i$ plus noise, and the item with the larger utility "
        r"wins. The noises are independent and standard Gumbel, with the distribution function $e^{-e^{-g}}$.",
        r"Comparisons are independent, and $i$ has won $w_{i,j}$ of its comparisons with $j$.",
        r"The comparison graph joins $i$ and $j$ if they have met; the win graph has an arrow from $i$ to $j$ if $i$ beat $j$.",
    ),
    limits=(
        "That people's choices have independent Gumbel noise; preferences in a cycle, which no scores express.",
        "How fast the steps converge.",
        "Gradient, curvature and steps are derived for all scores and counts of three players; the sums hold for any number.",
    ),
    trained="`preference/reward_model` trains this model on pairs of texts.",
)

s_1 = derivation.number("s_1", "the score of one item", "reward_chosen")
s_2 = derivation.number("s_2", "the score of another", "reward_rejected")
u = derivation.number("u", "the utility of the first")
x = derivation.number("x", r"$e^{-u}$", positive=True)
derivation.chain(
    "The density of winning with a utility contains the scores in one sum",
    times(exp(-(u - s_1)), exp(-exp(-(u - s_1))), exp(-exp(-(u - s_2)))),
    equals(
        times(exp(s_1), exp(-u), exp(-times(exp(-u), plus(exp(s_1), exp(s_2))))),
        r"the Gumbel density $e^{-g} e^{-e^{-g}}$ at $u - s_1$, times the probability that the other noise is below $u - s_2$; "
        r"collect the powers of $e^{-u}$",
    ),
    role="lemma",
    so=r"With $x$ in place of $e^{-u}$ both double exponentials become ordinary ones.",
)
won = exp(s_1) / plus(exp(s_1), exp(s_2))
derivation.chain(
    "Gumbel noise gives the logistic distribution",
    Integral(times(exp(s_1), exp(-x * (exp(s_1) + exp(s_2)))), (x, 0, oo)),
    equals(
        won, "the integral of an exponential", wrong={"the probability that the second wins": exp(s_2) / plus(exp(s_1), exp(s_2))}
    ),
    equals(1 / plus(1, exp(-(s_1 - s_2))), r"divide by $e^{s_1}$"),
    central=True,
    so=prose(
        r"This is $\sigma(s_1 - s_2)$. Only differences of scores occur. The two directions sum to one, and the odds, {odds}, "
        "multiply along a chain of items.",
        odds=holds(won / (1 - won), "=", exp(s_1 - s_2), named=True),
    ),
)

d = derivation.number("d", "a difference of scores", "reward_chosen - reward_rejected")
m = derivation.number("m", "a margin by which the winner must be ahead", "margin", positive=True)
sigma = derivation.define(r"\sigma", 1 / plus(1, exp(-d)), r"the logistic function at $d$", positive=True)


def _sigma(at):
    return 1 / plus(1, exp(-at))


derivation.chain(
    "The slope of the logarithm is the probability of the other verdict",
    Slope(log(sigma), d),
    equals(
        _sigma(-d),
        prose("{slope}", slope=holds(Slope(sigma, d), "=", times(sigma, _sigma(-d)))),
        wrong={"the probability of the verdict itself": sigma},
    ),
    role="lemma",
)
derivation.chain(
    "The curvature of a pair's loss is a variance, so the loss is convex",
    -Slope(log(sigma), d, 2),
    equals(times(sigma, _sigma(-d)), "once more"),
    at_least(0, "leave out a product of positive numbers", dropping=times(sigma, _sigma(-d))),
    role="lemma",
)

i = derivation.index("i", "a player")
j = derivation.index("j", "another player")
k = derivation.index("k", "a third player, or one of the two")
scores = derivation.numbers("s", i, "the scores", "scores")
record = derivation.numbers("c", (i, j), "a table of counts", positive=True)
wins = derivation.define(
    "w", (1 - KroneckerDelta(i, j)) * record, r"the wins of $i$ over $j$; no one plays against itself", "wins", over=(i, j)
)
n = derivation.define("n", wins + wins.at(j, i), "the games between both", "comparisons", over=(i, j), positive=True)
W = derivation.define("W", Total(j, wins), r"all wins of $i$", over=i, positive=True)
p = derivation.define(
    "p", exp(scores) / (exp(scores) + exp(scores.at(j))), r"the probability that $i$ beats $j$", over=(i, j), positive=True
)
ell = derivation.define(r"\ell", Total(i, Total(j, wins * log(p))), "the log-likelihood", "tournament_log_likelihood")
v = derivation.numbers("v", i, "a direction in the space of scores")

expected = plus(W.at(k), -Total(j, n.at(k, j) * p.at(k, j)))
derivation.answer = prose(
    "An item wins with a probability that depends on the difference of the scores, {logistic}, so verdicts determine "
    "differences, within each connected component of the comparison graph. The log-likelihood is concave; its slope is wins "
    "minus expected wins, {slope}. It has a maximum, unique up to a shift, if and only if the win graph is strongly connected, "
    "and then steps that need no step size climb towards it.",
    logistic=holds(won, "=", 1 / plus(1, exp(-(s_1 - s_2))), wrong={"turned over": 1 / plus(1, exp(s_1 - s_2))}),
    slope=holds(Slope(ell, scores.at(k)), "=", expected, named=True),
)
derivation.chain(
    "The slope is wins minus expected wins",
    Slope(ell, scores.at(k)),
    equals(
        plus(Total(j, wins.at(k, j) * p.at(j, k)), -Total(j, wins.at(j, k) * p.at(k, j))),
        r"the slope of $\log \sigma$, as above: a plus where $k$ has won, a minus where it has lost",
    ),
    equals(
        expected,
        prose("{other}", other=holds(p.at(j, k), "=", plus(1, -p.at(k, j)))),
        wrong={"wins in place of games in the expectation": plus(W.at(k), -Total(j, wins.at(k, j) * p.at(k, j)))},
    ),
)
shared = derivation.define(
    "f", n * p * p.at(j, i), r"what the games of $i$ and $j$ tell of $s_i - s_j$", over=(i, j), positive=True
)
spread = times(Rational(1, 2), Total(i, Total(j, shared * (v - v.at(j)) ** 2)))
derivation.chain(
    "The curvature sees differences within the comparison graph only",
    -Total(k, Total(j, v.at(k) * v.at(j) * Slope(Slope(ell, scores.at(k)), scores.at(j)))),
    equals(
        spread,
        r"each game contributes $p_{i,j}\, p_{j,i}$ times the square of $v_i - v_j$; the sum meets every pair twice",
        wrong={
            "the probability of one side alone as the weight": times(
                Rational(1, 2), Total(i, Total(j, n * p * (v - v.at(j)) ** 2))
            )
        },
    ),
    at_least(
        0, r"leave out squares; zero if and only if $v$ is constant on each component of the comparison graph", dropping=spread
    ),
    so=r"So $\ell$ is concave. One shift for each connected component changes nothing, and everything else is determined.",
)

derivation.say(
    r"How is the maximum found? With strengths $\gamma_i$ for $e^{s_i}$ the tangent of the logarithm gives a function below "
    r"$\ell$ in which no strength shares a term with another."
)
gamma = derivation.numbers(r"\gamma", i, r"strengths, $e^{s_i}$", positive=True)
a = derivation.numbers("a", i, "the current strengths", "exp(scores)", positive=True)


def _minorizer(at):
    """The function below the likelihood, as a function of the strengths `at`; it touches at the current ones."""
    ratio = plus(log(a + a.at(j)), (at + at.at(j)) / (a + a.at(j)), -1)
    return plus(Total(i, W * log(at)), times(-Rational(1, 2), Total(i, Total(j, n * ratio))))


gap = tangent.at((gamma + gamma.at(j)) / (a + a.at(j)))
derivation.chain(
    "The log-likelihood is above a function that touches it at the current strengths",
    Total(i, Total(j, wins * log(gamma / (gamma + gamma.at(j))))),
    equals(
        plus(Total(i, W * log(gamma)), times(-Rational(1, 2), Total(i, Total(j, n * log(gamma + gamma.at(j)))))),
        r"a quotient's logarithm; wins of $i$ over $j$ and of $j$ over $i$ share the denominator",
    ),
    at_least(
        _minorizer(gamma),
        prose(
            "the logarithm is below its tangent, here at {ratio}; equality at {same}",
            ratio=(gamma + gamma.at(j)) / (a + a.at(j)),
            same=where(gamma, a),
        ),
        dropping=times(Rational(1, 2), Total(i, Total(j, n * gap))),
    ),
    role="lemma",
)
Q = derivation.define("Q", _minorizer(gamma), r"the lower function, as a function of $\gamma$")
E = derivation.define(
    "E", Total(j, n / (a + a.at(j))), r"expected wins over strength, at the current strengths", over=i, positive=True
)
derivation.chain(
    "The slope of the lower function in one strength contains no other",
    Slope(Q, gamma.at(k)),
    equals(plus(W.at(k) / gamma.at(k), -E.at(k)), r"$\gamma_k$ occurs in one logarithm, and in the quotients of its games"),
    role="lemma",
    so=prose(
        r"It falls in $\gamma_k$ and is {zero} at {step}: every strength is solved for alone.",
        zero=holds(Slope(Q, gamma.at(k)), "=", 0, named=True),
        step=where(gamma, W / E),
    ),
    states=2,
)
step = derivation.define(r"\gamma^+", W / E, "the strengths after a step", "exp(minorize_maximize_step)", over=i, positive=True)
derivation.chain(
    "The gain of the lower function is a sum over players",
    plus(Q, -_minorizer(a)),
    equals(
        plus(Total(i, W * log(gamma / a)), -Total(i, E * (gamma - a))),
        r"$\log(a_i + a_j)$ and $-1$ cancel; each strength is in the quotients of all its games",
    ),
    role="lemma",
)
climbs = derivation.chain(
    "Every step climbs",
    plus(Total(i, W * log(step / a)), -Total(i, E * (step - a))),
    equals(
        Total(i, W * plus(a / step, -1, -log(a / step))),
        prose("the gain after the step, where {solved}", solved=holds(E, "=", W / step)),
    ),
    at_least(
        0,
        "leave out the gaps to the tangent; equality if and only if the step changes nothing",
        dropping=Total(i, W * tangent.at(a / step)),
    ),
    states=2,
    so=prose(
        r"So $\ell$ at the new strengths is at least $Q$ there, which is at least $Q$ at the old ones, and that is $\ell$ "
        "itself. Where a step changes nothing the wins are {expected}, the expected wins: it is at the maximum. It is assumed "
        r"that every player has won once; else $\gamma^+$ is 0, which is no score.",
        expected=holds(times(a, E), "=", Total(j, n * p), when={scores: log(a)}),
    ),
)

derivation.say(
    r"Is there a maximum? Say that the win graph is not strongly connected. Then some players have never lost to the rest; "
    r"raising all of their scores together lowers no term of $\ell$, so the maximum is missing or not unique. If it is strongly "
    r"connected, a path of at most $N - 1$ wins leads from the lowest score to the highest, $N$ the number of players, and one "
    r"win on it is by a player whose score is lower by $\frac{1}{N - 1}$ of the whole range. Its term falls without bound as the "
    r"range grows, while no term is positive. So $\ell$ has a maximum; by the curvature it is unique up to a shift, and the "
    r"steps, which climb, converge to it."
)
derivation.symbol("S", "a set of players that is neither empty nor everybody")
derivation.symbol("N", "the number of players")


def _reached(graphs):
    """Whether a path of arrows leads from i to j, for each graph."""
    players = graphs.shape[1]
    steps = (graphs | np.eye(players, dtype=bool)).astype(int)
    return np.linalg.matrix_power(steps, players - 1) > 0


@derivation.exact(
    r"\text{no } S \text{ was never beaten from outside} \iff \text{the win graph is strongly connected}",
    because=r"All 64 win graphs of three players and all 4096 of four. The left side looks for a win against each $S$ from "
    r"outside of it; the right side follows paths of wins.",
    outcomes=64 + 4096,
    role="remark",
)
def when_a_maximum_exists():
    left, right, weakly, winners = [], [], [], []
    for players in (3, 4):
        pairs = list(itertools.permutations(range(players), 2))
        graphs = np.zeros((2 ** len(pairs), players, players), dtype=bool)
        for bit, (winner, loser) in enumerate(pairs):
            graphs[:, winner, loser] = np.arange(len(graphs)) >> bit & 1
        sets = np.array(list(itertools.product((False, True), repeat=players))[1:-1])
        beaten = np.einsum("gij,si,sj->gs", graphs.astype(int), ~sets, sets) > 0
        left.append(1.0 * beaten.all(axis=1))
        right.append(1.0 * _reached(graphs).all(axis=(1, 2)))
        winners.append(1.0 * graphs.any(axis=2).all(axis=1))
        weakly.append(1.0 * _reached(graphs | graphs.transpose(0, 2, 1)).all(axis=(1, 2)))
    wrong = {"a connected comparison graph": np.concatenate(weakly), "everybody has won": np.concatenate(winners)}
    return Sides(left=np.concatenate(left), right=np.concatenate(right), wrong=wrong)


derivation.say("A single verdict may be uncertain: three of four people prefer the first answer.")
b = derivation.index("b", "the verdict: 1 if the first is better, else 0", states=2)
label = derivation.law("y", b, "the distribution of the label", "label")
guess = derivation.define("q", exp(b * d) / (1 + exp(d)), r"the model's: $\sigma(d)$ of 1", over=b, law=True)
derivation.chain(
    "Soft labels: the best difference gives the label's own probability",
    Expectation(label, -log(guess)),
    equals(plus(Entropy(label), Divergence(label, guess)), "a cross-entropy is entropy plus divergence"),
    at_least(
        Entropy(label),
        prose("Gibbs; equality if and only if {same} for both verdicts", same=where(label, guess)),
        dropping=gibbs.at(label, guess),
    ),
    so=r"A label that is certain is approached as $d$ grows, and never reached.",
    role="remark",
)
derivation.chain(
    "With a soft label the slope is the probability minus the label",
    Slope(Expectation(label, -log(guess)), d),
    equals(
        guess.at(1) - label.at(1),
        r"the slope of $\log \sigma$ for either verdict, as above",
        wrong={"label minus probability": label.at(1) - guess.at(1)},
    ),
    role="lemma",
)
y = derivation.number("y", "the outcome of one game for the first player", "outcome", between=(0, 1))
K = derivation.number("K", "the step of a rating", "step_size", positive=True)
C = derivation.number("C", "the scale of ratings", "scale", positive=True)
R_1 = derivation.define("R_1", C / log(10) * s_1, "the rating of the first player", "rating_first")
R_2 = derivation.define("R_2", C / log(10) * s_2, "the rating of the second", "rating_second")
one_game = y * log(_sigma(s_1 - s_2)) + (1 - y) * log(_sigma(s_2 - s_1))
derivation.chain(
    "Elo's update is one gradient step on one game",
    plus(R_1, times(K, plus(y, -_sigma(s_1 - s_2)))),
    equals(
        times(C / log(10), plus(s_1, times(K * log(10) / C, Slope(one_game, s_1)))),
        prose("{slope}", slope=holds(Slope(one_game, s_1), "=", plus(y, -_sigma(s_1 - s_2)))),
        wrong={"the step not converted to rating units": times(C / log(10), plus(s_1, times(K, Slope(one_game, s_1))))},
    ),
    so=prose(
        r"In units of the score the step is $K \frac{\log 10}{C}$, and $C$ is 400 for chess. The slope in $s_2$ is the negative, "
        "{other}, so the sum of both ratings does not change.",
        other=holds(Slope(one_game, s_2), "=", -plus(y, -_sigma(s_1 - s_2))),
    ),
    role="remark",
)

derivation.bridge(
    "The code computes the probability that a margin is passed",
    log(_sigma(s_1 - s_2 - m)),
    preference_log_prob,
    reward_chosen=[s_1],
    reward_rejected=[s_2],
    margin=m,
    wrong={"chosen and rejected swapped": log(_sigma(s_2 - s_1 - m))},
)
derivation.bridge(
    "... the cross-entropy of a soft label",
    Expectation(label, -log(guess)),
    soft_preference_loss,
    label=[label.at(1)],
    reward_first=[d],
    reward_second=[0],
    wrong={"label and model exchanged": Expectation(guess, -log(label))},
)
derivation.bridge(
    "... the log-likelihood",
    ell,
    tournament_log_likelihood,
    wins=record,
    scores=scores,
    wrong={
        "wins and losses exchanged": Total(i, Total(j, wins * log(p.at(j, i)))),
        "games of a player against itself counted": Total(i, Total(j, record * log(p))),
    },
)
derivation.bridge(
    "... the step, centered",
    plus(log(step), -Total(k, log(step.at(k))) / derivation.count(k, "N_k", "the number of players")),
    minorize_maximize_step,
    wins=record,
    scores=log(a),
)
derivation.bridge(
    "... the information, a graph's Laplacian",
    plus(KroneckerDelta(i, j) * Total(k, shared.at(i, k)), -shared),
    fisher_information,
    comparisons=plus(record, record.at(j, i)),
    scores=scores,
    wrong={"the Hessian, without the minus": plus(shared, -KroneckerDelta(i, j) * Total(k, shared.at(i, k)))},
)
derivation.bridge(
    "... and both ratings after a game",
    (plus(R_1, times(K, plus(y, -_sigma(s_1 - s_2)))), plus(R_2, -times(K, plus(y, -_sigma(s_1 - s_2))))),
    elo_update,
    outcome=[y],
    rating_first=[R_1],
    rating_second=[R_2],
    step_size=K,
    scale=C,
    wrong={
        "both players rise": (plus(R_1, times(K, plus(y, -_sigma(s_1 - s_2)))), plus(R_2, times(K, plus(y, -_sigma(s_1 - s_2)))))
    },
)


@derivation.algorithm(
    "Minorize and maximize",
    do("count the wins; the win graph must be strongly connected"),
    do(r"start with all strengths $\gamma_i$ at 1"),
    do(
        r"repeat, for all players: $\gamma_i \leftarrow W_i \big/ \sum_j \frac{n_{i,j}}{\gamma_i + \gamma_j}$",
        minorize_maximize_step,
        by=climbs,
    ),
    do("subtract the mean of the scores, which are the logarithms, and stop when they rest"),
)
def two_steps():
    now = jnp.zeros(3)
    yield r"\text{the example's tournament: } \ell \text{ at equal scores}", tournament_log_likelihood(CHAIN, now), "-4.1589"
    for text, said, likelihood in (
        ("one step", "(0.3269, 0.0393, -0.3662)", "-3.9045"),
        ("two steps", "(0.4999, 0.0299, -0.5297)", "-3.8421"),
    ):
        now = minorize_maximize_step(CHAIN, now)
        yield rf"s \text{{ after {text}}}", now, said
        yield r"\ell", tournament_log_likelihood(CHAIN, now), likelihood


@derivation.example(
    r"Three answers with the strengths 4, 2 and 1. Then a tournament: the first beats the second 2 to 1, the second the third 2 "
    r"to 1; its best scores are $\log 2$, 0 and $-\log 2$. And two players at 3 wins to 1: one step from equal scores is exact."
)
def three_players():
    given = {scores: (log(4), log(2), 0)}
    yield p, value(p.at(0, 1), given), "2/3"
    yield r"p_{1,3}", value(p.at(0, 2), given), "4/5"
    yield r"\ell \text{ at the maximum}", tournament_log_likelihood(CHAIN, jnp.log(jnp.array([2.0, 1.0, 0.5]))), "-3.8191"
    two = minorize_maximize_step(jnp.array([[0.0, 3.0], [1.0, 0.0]]), jnp.zeros(2))
    yield r"s_1 - s_2 \text{ of two players}", two[0] - two[1], "1.0986"
    yield r"\text{information on it}", fisher_information(4.0 * (1 - jnp.eye(2)), two)[0, 0], "3/4"


@derivation.figure(
    r"The tournament of the example. Left: the log-likelihood along the first score, the others at 0. The lower function touches "
    r"it at the current score and has its maximum at the next one (dots): three steps. Right: the centered steps of all scores, "
    r"which approach $(\log 2, 0, -\log 2)$ (gray).",
    panels=2,
)
def the_lower_function(left, right):
    draw_lower_functions(left)
    draw_scores(right)
