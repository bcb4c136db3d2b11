"""Drafted by a small model, checked by a large one: why the distribution is the large one's, and when it is faster.

The lecture on the functions of theory_jax/autoregressive/speculative.py.
"""

from itertools import product

import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog
from sympy import Abs, Max, Min, log

from theory_jax.autoregressive.speculative import (
    acceptance_probability,
    expected_block_length,
    residual_log_probs,
    speculative_block,
    speculative_token,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where

derivation = Derivation(
    module=__name__,
    title="Drafted by a small model, checked by a large one: why the distribution is the large one's, and when it is faster",
    lectures=(48,),
    sources=(
        "Leviathan, Kalman & Matias 2023, Fast inference from transformers via speculative decoding",
        "Chen, Borgeaud, Irving, Lespiau, Sifre & Jumper 2023, Accelerating large language model decoding with speculative "
        "sampling",
    ),
    question="A language model writes one token a pass, although a pass over several tokens costs hardly more. A small model "
    "can draft several, and the large one check them all at once. How are drafts accepted so that nothing of the large model's "
    "distribution is lost, and when does it pay?",
    setting=(
        "The draft has the distribution $q$ and the target the distribution $p$, after the same tokens, on finitely many "
        "tokens, positive here. A token to which $q$ gives no probability is never drafted.",
        "A draft $x$ is accepted if a uniform number is less than $p(x)/q(x)$. After a rejection a token is drawn from the "
        r"residual distribution, which is proportional to $\max(p - q, 0)$.",
        "A block has $G$ drafts, made one after the other. They are accepted from the left up to the first rejection, which is "
        "replaced by a draw of the residual there. If none is rejected, the target's pass has one more distribution, of which "
        "a token is drawn.",
    ),
    limits=(
        "Acceptances in a text are neither independent nor equally likely; the third exercise shows that this can help.",
        "Checking a block is taken to cost as much as one token's pass, which holds for batches too small to fill the device.",
        "Trees of drafts, and drafts made by the target's own features.",
    ),
)

x = derivation.index("x", "a token")
p = derivation.law("p", x, "the target's distribution", "exp(target_log_probs)")
q = derivation.law("q", x, "the draft's distribution", "exp(draft_log_probs)")
beta = derivation.define(r"\beta", Total(x, Min(p, q)), "the probability of acceptance", "acceptance_probability", positive=True)
tv = derivation.define(r"\mathrm{TV}", Total(x, Abs(p - q)) / 2, "the total variation distance of both distributions")
excess = derivation.define("e", Max(p - q, 0), "the target's excess over the draft", over=x)
derivation.answer = prose(
    "An accepted token leaves {overlap} and a redrawn one adds what is missing, $e$: together the target's distribution, "
    "{whole}, exactly. Acceptance has the probability {agree}, and no method that emits the target's distribution accepts more "
    "often. If acceptances are independent and equally likely, a block of one draft pays if and only if the probability of "
    "acceptance exceeds the cost of a draft in passes of the target; otherwise no block does.",
    overlap=Min(p, q),
    whole=holds(plus(Min(p, q), excess), "=", p, wrong={"the draft's distribution": q}),
    agree=holds(beta, "=", plus(1, -tv), wrong={"not halved": plus(1, -2 * tv)}),
)
overlap = derivation.chain(
    "A draft is accepted as often as the distributions overlap",
    Expectation(q, Min(1, p / q)),
    equals(
        beta,
        prose("{both}", both=holds(times(q, Min(1, p / q)), "=", Min(p, q))),
        wrong={"the ratio turned over": Total(x, q * Min(1, q / p))},
    ),
    equals(
        plus(1, -Total(x, excess)),
        prose("{less}, and {one}", less=holds(Min(p, q), "=", plus(p, -excess)), one=holds(Total(x, p), "=", 1)),
    ),
    equals(
        plus(1, -tv),
        prose("{zero}, so its positive part is half of the sum of absolute values", zero=holds(Total(x, p - q), "=", 0)),
        wrong={"the total variation not halved": plus(1, -2 * tv)},
    ),
)
derivation.bridge(
    "The code computes the overlap",
    beta,
    acceptance_probability,
    draft_log_probs=[log(q)],
    target_log_probs=[log(p)],
    wrong={"the product of the distributions": Total(x, p * q)},
)
r = derivation.define("r", excess / Total(x, excess), "the residual distribution", "exp(residual_log_probs)", over=x)
y = derivation.index("y", "the token that is emitted", "speculative_token")
emission = derivation.chain(
    "The emitted token has the target's distribution",
    plus(times(q, Min(1, p / q)), times(plus(1, -Expectation(q, Min(1, p / q))), r)),
    equals(plus(Min(p, q), times(1 - beta, r)), "the first result, for this token and for all of them"),
    equals(
        plus(Min(p, q), excess),
        prose(
            "{rejected} is the residual's normalizer",
            rejected=holds(1 - beta, "=", Total(x, excess), wrong={"both excesses": Total(x, Abs(p - q))}),
        ),
        wrong={"redrawn from the target": plus(Min(p, q), times(1 - beta, p))},
    ),
    equals(p, "where the target is above the draft this is $q + (p - q)$, and elsewhere it is $p + 0$"),
    uses=(overlap,),
    central=True,
    so="For every draft: a bad one costs time and not quality. The first term is the probability that this token is drafted "
    "and accepted, the second that some draft was rejected and this token drawn instead. (A draft with the target's "
    "distribution is never rejected and needs no residual.)",
)
J = derivation.numbers("J", (x, y), "the probability of a draft and an emitted token together, by any method", positive=True)
row = derivation.define("a", Total(y, J) - J.at(x, x), "that of the draft, with another token emitted", over=x)
column = derivation.define("b", Total(y, J.at(y, x)) - J.at(x, x), "that of the token, after another draft", over=x)
derivation.chain(
    "No method agrees more often",
    Total(x, Min(Total(y, J), Total(y, J.at(y, x)))),
    equals(
        plus(Total(x, J.at(x, x)), Total(x, Min(row, column))),
        "both sums contain the probability of agreeing on this token",
        wrong={"the larger": plus(Total(x, J.at(x, x)), Total(x, Max(row, column)))},
    ),
    at_least(Total(x, J.at(x, x)), "leave out the smaller rest, a sum of probabilities", dropping=Total(x, Min(row, column))),
    states=2,
    role="lemma",
    so=r"The first line is $\beta$, if drafts have the distribution $q$ and emitted tokens the distribution $p$; the last is "
    "the probability that both are equal.",
)
derivation.bridge(
    "The code computes the logarithm of the residual distribution",
    log(r),
    residual_log_probs,
    draft_log_probs=[log(q)],
    target_log_probs=[log(p)],
    wrong={"not normalized": log(Max(p - q, 0))},
)


@derivation.exact(
    r"\max \Pr(\text{draft} = \text{emitted}) = \beta",
    because="Over all joint distributions of both tokens with the marginals of the example: a linear program of nine variables.",
    role="remark",
    outcomes=9,
    tolerance=1e-9,
)
def no_coupling_agrees_more_often():
    p, q = _EXAMPLE
    rows = np.zeros((6, 9))
    for k in range(3):
        rows[k, 3 * k : 3 * k + 3], rows[3 + k, k::3] = 1, 1
    found = linprog(-np.eye(3).ravel(), A_eq=rows, b_eq=np.concatenate([p, q]), bounds=(0, 1))
    wanted = acceptance_probability(jnp.log(q)[None], jnp.log(p)[None])[0]
    return Sides(left=-found.fun, right=wanted, wrong={"independent tokens": p @ q})


_EXAMPLE = np.array([[0.5, 0.4, 0.1], [0.3, 0.2, 0.5]])


@derivation.exact(
    r"\Pr(y) = p_y",
    because="The code's own tokens at every draft of three, and at uniform numbers on a grid of cells that are entirely accepted "
    "or not: the shares of the cells, weighted with the probability of the draft.",
    outcomes=3 * 100 * 20,
    role="remark",
)
def every_draft_and_every_uniform():
    p, q = _EXAMPLE
    accept, redraw = (np.arange(100) + 0.5) / 100, (np.arange(20) + 0.5) / 20  # p/q = 5/3, 2, 1/5: cells do not straddle
    cells = np.array(list(product(range(3), accept, redraw)))
    count = len(cells)
    tokens, _ = speculative_token(
        cells[:, 0].astype(int), jnp.tile(jnp.log(q), (count, 1)), jnp.tile(jnp.log(p), (count, 1)), cells[:, 1], cells[:, 2]
    )
    weights = q[cells[:, 0].astype(int)] / (100 * 20)
    law = np.bincount(np.asarray(tokens), weights, minlength=3)
    return Sides(left=law, right=p, wrong={"redrawn from the target": np.minimum(p, q) + 0.4 * p})


derivation.say("A block. The drafts are made one after the other, each after the drafts before it, and checked together.")
_LAWS = np.random.default_rng(48).dirichlet(np.ones(2), size=(2, 7))  # draft and target, after each of 7 beginnings


def _after(which, beginning):
    """The distribution of the next of two tokens after a beginning of at most two."""
    return _LAWS[which][(2 ** len(beginning) - 1) + sum(t << k for k, t in enumerate(beginning))]


@derivation.exact(
    r"\Pr(y_1 y_2 y_3) = p(y_1)\, p(y_2 | y_1)\, p(y_3 | y_1 y_2)",
    because="By induction: the first token has the target's distribution. If it was accepted, the rest is a block with one "
    "draft less, after the token after which these drafts were made; if not, the target continues. Two tokens, blocks of two "
    "drafts, arbitrary distributions: every draft, every pattern of acceptance, and what is missing to three tokens drawn from "
    "the target.",
    outcomes=4 * 3 * 2,
)
def blocks_have_the_targets_law():
    law = np.zeros((2, 2, 2))
    for drafts in product(range(2), repeat=2):
        draft_laws, target_laws = (
            np.log([[_after(which, drafts[:k]) for k in range(length)]]) for which, length in ((0, 2), (1, 3))
        )
        drawn = np.prod([_after(0, drafts[:k])[drafts[k]] for k in range(2)])
        ratios = np.minimum(1, np.exp([target_laws[0, k, t] - draft_laws[0, k, t] for k, t in enumerate(drafts)]))
        for accepted in range(3):
            chance = np.prod(ratios[:accepted]) * (1 - ratios[accepted] if accepted < 2 else 1)
            if chance == 0:
                continue
            # a uniform of 0 accepts, one of 1 rejects wherever p < q
            uniforms = np.where(np.arange(2) < accepted, 0.0, 1.0)[None]
            residual = (
                np.exp(residual_log_probs(draft_laws[0], target_laws[0, :2]))[accepted]
                if accepted < 2
                else np.exp(target_laws[0, 2])
            )
            for last in range(2):
                place = (residual[:last].sum() + residual[: last + 1].sum()) / 2
                tokens, count = speculative_block(np.array([drafts]), draft_laws, target_laws, uniforms, np.array([place]))
                written = tuple(int(t) for t in tokens[0] if t >= 0)
                if residual[last] > 0:
                    assert int(count[0]) == accepted and written[-1] == last
                    for rest in product(range(2), repeat=3 - len(written)):
                        whole = written + rest
                        more = np.prod([_after(1, whole[:k])[whole[k]] for k in range(len(written), 3)])
                        law[whole] += drawn * chance * residual[last] * more
    whole = [np.prod([_after(1, text[:k])[text[k]] for k in range(3)]) for text in product(range(2), repeat=3)]
    other = [
        np.prod([_after(0, text[:k])[text[k]] for k in range(2)]) * _after(1, text[:2])[text[2]]
        for text in product(range(2), repeat=3)
    ]
    return Sides(left=law.ravel(), right=np.array(whole), wrong={"the draft's distribution": np.array(other)})


a = derivation.number(r"\alpha", "the probability that a draft is accepted, by itself", "acceptance", between=(0, 1))
cost = derivation.number("c", "what a draft's pass costs, in passes of the target", between=(0, 1))
LENGTH = 4
emitted = sum((k + 1) * a**k * (1 - a) for k in range(LENGTH)) + (LENGTH + 1) * a**LENGTH
powers = plus(*(a**k for k in range(LENGTH + 1)))
derivation.chain(
    "The mean length of a block is a geometric sum",
    emitted,
    equals(powers, "the sum over tails: more than $k$ tokens are emitted if and only if the first $k$ drafts are accepted"),
    equals((1 - a ** (LENGTH + 1)) / (1 - a), "a geometric sum", wrong={"a power less": (1 - a**LENGTH) / (1 - a)}),
    so=r"For $G$ drafts it is $1 + \alpha + \dots + \alpha^G$. A block costs $1 + G c$ passes.",
    role="lemma",
)
derivation.bridge(
    "The code computes the length",
    powers,
    expected_block_length,
    acceptance=[a],
    draft_length=LENGTH,
    wrong={"the length of a block with a draft more": powers + a ** (LENGTH + 1)},
)
derivation.chain(
    "One draft pays if it is accepted more often than it is expensive",
    plus((1 + a) / (1 + cost), -1),
    equals((a - cost) / (1 + cost), "one fraction"),
    so=prose(
        "The left side is the gain in speed of a block of one draft. It has the sign of $\\alpha - c$: at {even} the block takes "
        "as long as it saves, {none}.",
        even=where(cost, a),
        none=holds((1 + a) / (1 + cost), "=", 1, wrong={"a token less": a / (1 + cost)}),
    ),
)
spare = derivation.number("w", r"how much a draft is more expensive than likely to be accepted, $c - \alpha$", positive=True)
k = derivation.number("k", "the number of a draft", positive=True, integer=True)
derivation.chain(
    "If one draft does not pay, longer blocks do not pay either",
    plus(1 + LENGTH * (a + spare), -powers),
    equals(
        plus(LENGTH * spare, *(a * (1 - a**k) for k in range(1, LENGTH))),
        prose(
            "{price}, of every draft; term by term {term}",
            price=where(cost, a + spare),
            term=holds(plus(a, -(a ** (k + 1))), "=", times(a, plus(1, -(a**k))), wrong={"a power more": a * (1 - a ** (k + 1))}),
        ),
    ),
    at_least(
        0,
        "a sum of products of numbers that are not negative",
        dropping=plus(LENGTH * spare, *(a * (1 - a**k) for k in range(1, LENGTH))),
    ),
    so="The left side is what a block costs less what it yields. The same terms, $w$ and $\\alpha (1 - \\alpha^k)$, appear for "
    "any number of drafts.",
    role="lemma",
)


def _speed(acceptance, lengths, cost):
    tokens = [float(expected_block_length(jnp.float64(acceptance), draft_length=int(length))) for length in lengths]
    return np.array(tokens) / (1 + cost * np.asarray(lengths))


@derivation.algorithm(
    "Speculative decoding, one block",
    do("for $i = 1, \\dots, G$: draw $x_i$ from the draft's distribution $q_i$ after all tokens so far"),
    do("in one pass over the drafts, compute the target's distributions $p_1, \\dots, p_{G+1}$"),
    do("for $i = 1, \\dots, G$, with a uniform number $u_i$:"),
    do("if $u_i < p_i(x_i) / q_i(x_i)$: emit $x_i$", speculative_block, by=overlap, indent=1),
    do("else: emit a draw from $r_i \\propto \\max(p_i - q_i, 0)$ and stop", residual_log_probs, by=emission, indent=1),
    do("if all are emitted: emit a draw from $p_{G+1}$", speculative_block, by=blocks_have_the_targets_law),
)
def two_blocks():
    p, q = _EXAMPLE
    drafts, targets = (np.log(np.tile(law, (1, length, 1))) for law, length in ((q, 2), (p, 3)))
    yield r"p = (0.5, 0.4, 0.1),\ q = (0.3, 0.2, 0.5): \quad p/q", p / q, "(5/3, 2, 1/5)"
    yield r"r", np.exp(residual_log_probs(drafts[:, 0], targets[:, 0]))[0], "(0.5, 0.5, 0)"
    first = speculative_block(np.array([[0, 2]]), drafts, targets, np.array([[0.9, 0.4]]), np.array([0.7]))
    yield (
        r"x = (0, 2),\ u = (0.9, 0.4), \text{ then } 0.7 \text{ in } r: \quad \text{emitted, -1 for nothing}",
        first[0],
        "(0, 1, -1)",
    )
    second = speculative_block(np.array([[1, 0]]), drafts, targets, np.array([[0.9, 0.4]]), np.array([0.95]))
    yield r"x = (1, 0),\ u = (0.9, 0.4), \text{ then } 0.95 \text{ in } p: \quad \text{emitted}", second[0], "(1, 0, 2)"


@derivation.example(
    "The target's probabilities are 0.5, 0.4 and 0.1, the draft's 0.3, 0.2 and 0.5: the overlap, the residual distribution, "
    r"and the emitted distribution. Then a block of two drafts, each accepted with probability $\frac12$."
)
def three_tokens():
    p, q = _EXAMPLE
    laws = jnp.log(q)[None], jnp.log(p)[None]
    beta, residual = acceptance_probability(*laws)[0], jnp.exp(residual_log_probs(*laws)[0])
    yield r"\beta", beta, "0.6"
    yield "r", residual, "(0.5, 0.5, 0)"
    yield r"\min(p, q) + (1 - \beta) r", np.minimum(p, q) + (1 - beta) * residual, "(0.5, 0.4, 0.1)"
    yield r"\text{length}", expected_block_length(jnp.array(0.5), draft_length=2), "1.75"


@derivation.figure(
    "Left: the example's distributions. The overlap is accepted; what the draft has more is rejected as often as the target's "
    "excess is drawn: both areas are equal. Right: tokens a target's pass against the length of the block, for three "
    "probabilities of acceptance and the cost of a draft.",
    panels=2,
)
def overlap_and_speed(laws, speeds):
    p, q = _EXAMPLE
    places = np.arange(3)
    laws.bar(places - 0.2, p, 0.38, label="target, p")
    laws.bar(places + 0.2, q, 0.38, label="draft, q")
    laws.bar(places, np.minimum(p, q), 0.78, color="gray", alpha=0.6, label="accepted")
    laws.set(xlabel="token", ylabel="probability", xticks=places, ylim=(0, 0.75))
    laws.legend()
    lengths = np.arange(1, 13)
    for acceptance, cost in ((0.8, 0.05), (0.5, 0.25), (0.2, 0.3)):
        speeds.plot(
            lengths, _speed(acceptance, lengths, cost), "o-", markersize=3, label=rf"$\alpha = {acceptance}$, $c = {cost}$"
        )
    speeds.axhline(1, color="gray", linewidth=1, linestyle=":")
    speeds.set(xlabel="drafts in a block, $G$", ylabel="tokens a target's pass")
    speeds.legend()
