"""Online softmax: exact attention while the keys pass by.

The lecture on the functions of theory_jax/autoregressive/online_softmax.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import KroneckerDelta, Rational, exp, log

from theory_jax.autoregressive.attention import causal_mask, scaled_dot_product_attention
from theory_jax.autoregressive.online_softmax import (
    attention_backward,
    blockwise_attention,
    merge_partial_attention,
    online_softmax_update,
    streaming_logsumexp,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.draws import draw
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._blocks_of_keys import (
    along_a_row,
    computed_blocks,
    flat,
    in_blocks_and_at_once,
    one_query,
    query_key_value,
    states_of,
)

derivation = Derivation(
    module=__name__,
    title="Online softmax: exact attention while the keys pass by",
    lectures=(43,),
    sources=(
        "Milakov & Gimelshein 2018, Online Normalizer Calculation for Softmax",
        "Rabe & Staats 2021, Self-attention Does Not Need O(n^2) Memory",
        "Dao et al. 2022, FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
    ),
    question="Attention over 100,000 tokens has ten billion weights a head, more than an accelerator can hold, and the first "
    "weight of a row needs the sum over all of it. How can attention be computed exactly while the keys pass by in blocks, "
    "each seen once, and how can it be differentiated without storing its weights?",
    setting=(
        r"One query, whose scores against the keys seen so far are $s_i$, and against the keys of the next block $t_j$. The "
        r"values are one number a key, $v_i$ and $u_j$, in the chains; vectors are treated entry by entry.",
        r"A state of three numbers is kept: a reference $m$, the normalizer $\sum_i e^{s_i - m}$ and the accumulator $\sum_i "
        "e^{s_i - m} v_i$. A block moves the reference to $m'$, multiplies both sums by $e^{m - m'}$ and adds its own terms. "
        r"At the start nothing has been seen: the reference is $-\infty$, and both sums are 0.",
        r"At the end the output is $o / l$, and the log-normalizer $m + \log l$ is kept next to it.",
    ),
    limits=(
        "Rounding is not analyzed, beyond that no exponential overflows; the result is exact in exact arithmetic.",
        "Speed is a matter of how often memory is read and written, which operations do not count.",
        "Dropout on the weights is left out.",
    ),
    trained="A way to compute attention, equal to the direct one. `autoregressive/attention` and "
    "`autoregressive/transformer` train with attention.",
)

i = derivation.index("i", "a key that was seen")
j = derivation.index("j", "a key of the next block")
k = derivation.index("k", "a key, next to $j$")
s = derivation.numbers("s", i, "the scores of the keys that were seen")
v = derivation.numbers("v", i, "their values")
t = derivation.numbers("t", j, "the scores of the next block", "scores")
u = derivation.numbers("u", j, "their values", "values")
m = derivation.number("m", "the reference", "maximum")
m_new = derivation.number("m'", "the reference after the block")
norm = derivation.define("l", Total(i, exp(s - m)), "the normalizer", "normalizer", positive=True)
acc = derivation.define("o", Total(i, times(exp(s - m), v)), "the accumulator", "accumulator")
norm_new = derivation.define(
    "l'",
    plus(times(exp(m - m_new), norm), Total(j, exp(t - m_new))),
    "the normalizer after the block",
    "online_softmax_update",
    positive=True,
)
acc_new = derivation.define(
    "o'",
    plus(times(exp(m - m_new), acc), Total(j, times(exp(t - m_new), u))),
    "the accumulator after the block",
    "online_softmax_update",
)

derivation.say(
    r"A softmax does not change when the same number is subtracted from all scores, so every reference gives the same weights. "
    r"What is to be shown is that it may even move on the way."
)
invariant = derivation.chain(
    "The normalizer keeps its meaning under the new reference",
    norm_new,
    equals(plus(times(exp(m - m_new), Total(i, exp(s - m))), Total(j, exp(t - m_new))), "the definitions"),
    equals(
        plus(Total(i, exp(s - m_new)), Total(j, exp(t - m_new))),
        prose(
            "{term}: the factor is the same for every old term",
            term=holds(times(exp(m - m_new), exp(s - m)), "=", exp(s - m_new)),
        ),
    ),
    role="lemma",
    so="The new state is to all keys what the old one was to the old keys. By induction this holds after every block.",
)
accumulated = derivation.chain(
    "The accumulator keeps its meaning under the new reference",
    acc_new,
    equals(
        plus(Total(i, times(exp(s - m_new), v)), Total(j, times(exp(t - m_new), u))),
        "the same for each term, which carries its value along",
        wrong={"the accumulator not corrected": plus(acc, Total(j, times(exp(t - m_new), u)))},
    ),
    role="lemma",
)
central = derivation.chain(
    "After the last block the quotient is the softmax average",
    acc_new / norm_new,
    equals(
        plus(Total(i, times(exp(s - m_new), v)), Total(j, times(exp(t - m_new), u)))
        / plus(Total(i, exp(s - m_new)), Total(j, exp(t - m_new))),
        "the two lemmas",
        wrong={
            "divided after each block": plus(times(exp(m - m_new), acc / norm), Total(j, times(exp(t - m_new), u))) / norm_new
        },
    ),
    equals(
        plus(Total(i, times(exp(s), v)), Total(j, times(exp(t), u))) / plus(Total(i, exp(s)), Total(j, exp(t))),
        r"multiply numerator and denominator by $e^{m'}$",
    ),
    central=True,
    uses=(invariant, accumulated),
    states=2,
    so="No reference is left: nothing was approximated, and the order and the size of the blocks do not matter.",
)
log_normalizer = derivation.chain(
    "The reference and the normalizer give the log-normalizer",
    plus(m_new, log(norm_new)),
    equals(log(times(exp(m_new), norm_new)), "a logarithm of a product"),
    equals(log(plus(Total(i, exp(s)), Total(j, exp(t)))), "the first lemma"),
    states=2,
    role="lemma",
    so=r"This is $\log \sum e^{s}$ over all keys, the logarithm of the softmax's denominator.",
)
derivation.symbol("L", "the log-normalizer", "log_normalizer")
l0 = derivation.number("l_0", "a normalizer, of whatever was seen", "normalizer", positive=True)
o0 = derivation.number("o_0", "an accumulator", "accumulator")

top = sympy.Max(m, *(t.at(n) for n in range(3)))
derivation.bridge(
    "The code's block of three keys moves the reference to the largest score",
    (top, plus(times(exp(m - top), l0), Total(j, exp(t - top))), plus(times(exp(m - top), o0), Total(j, times(exp(t - top), u)))),
    online_softmax_update,
    maximum=[[m]],
    normalizer=[[l0]],
    accumulator=[[[o0]]],
    scores=[[t]],
    values=[[[u.at(n)] for n in range(3)]],
    sizes={j: 3},
    wrong={
        "the accumulator not corrected": (
            top,
            plus(times(exp(m - top), l0), Total(j, exp(t - top))),
            plus(o0, Total(j, times(exp(t - top), u))),
        )
    },
)
derivation.bridge(
    "The log-normalizer of a row, in blocks of three", log(Total(j, exp(t))), streaming_logsumexp, x=[t], block_size=3
)

derivation.say("Why the reference is the maximum. Any number would do in exact arithmetic; the maximum keeps the numbers small.")
gap = derivation.numbers("g", i, "how far its score is below the largest", positive=True)
N = derivation.count(i, "N", "how many keys there are next to the one with the largest score")
derivation.chain(
    "Under the maximum the normalizer is at least one",
    plus(exp(0), Total(i, exp(s - m))),
    at_least(
        1,
        prose("{one} for the largest score itself; leave out the other terms", one=holds(exp(s - m), "=", 1, when={s: m})),
        dropping=Total(i, exp(s - m)),
    ),
    role="lemma",
    so=prose(
        "So there is never a division by zero, or a logarithm of zero. At {below} for the other keys no term exceeds 1, "
        "{term}: nothing overflows, and the log-normalizer exceeds $m$ by {most}. When the maximum rises the correction $e^{m "
        "- m'}$ is below 1.",
        below=where(s, m - gap),
        term=holds(exp(s - m), "<", 1),
        most=holds(log(plus(1, Total(i, exp(s - m)))), "<=", log(N + 1)),
    ),
)

derivation.say(
    r"Merging. A part of the keys, computed elsewhere, is known by its output $O$ and its log-normalizer $L$. What do two "
    r"parts give together?"
)
Oa, Ob, Oc = (derivation.number(f"O_{n}", f"the output over the keys of part ${n}$", f"output_{n}") for n in "abc")
La, Lb, Lc = (derivation.number(f"L_{n}", f"the log-normalizer of part ${n}$", f"log_normalizer_{n}") for n in "abc")
Lab = derivation.define("L_{ab}", log(exp(La) + exp(Lb)), "the log-normalizer of both parts", "merge_partial_attention")
Oab = derivation.define("O_{ab}", times(exp(La - Lab), Oa) + times(exp(Lb - Lab), Ob), "their output", "merge_partial_attention")
merged = derivation.chain(
    "A merged part holds the sums over both",
    times(exp(Lab), Oab),
    equals(
        plus(times(exp(La), Oa), times(exp(Lb), Ob)),
        prose("multiply out: {a}, and the same for the other part", a=holds(times(exp(Lab), exp(La - Lab)), "=", exp(La))),
        wrong={"a plain mean": times(exp(Lab), plus(Oa, Ob)) / 2},
    ),
    role="lemma",
    so=r"Here $e^{L_a} O_a$ is $\sum e^{s} v$ and $e^{L_a}$ is $\sum e^{s}$ over the keys of the part, and sums of numbers may "
    "be taken in any order.",
)
derivation.chain(
    "The order of merging does not matter",
    plus(times(exp(Lab), Oab), times(exp(Lc), Oc)) / plus(exp(Lab), exp(Lc)),
    equals(
        plus(times(exp(La), Oa), times(exp(Lb), Ob), times(exp(Lc), Oc)) / plus(exp(La), exp(Lb), exp(Lc)),
        prose("the lemma, and {sum}", sum=holds(exp(Lab), "=", plus(exp(La), exp(Lb)))),
    ),
    uses=(merged,),
    so="The right side treats the three parts alike: merging is associative and commutative. Keys may be split among blocks, "
    "devices or machines and merged in any tree; each part sends its output and one number a query. A part without keys, with "
    r"the log-normalizer $-\infty$, changes nothing.",
)
derivation.bridge(
    "The code computes the merged part",
    (Oab, Lab),
    merge_partial_attention,
    output_a=[Oa],
    log_normalizer_a=La,
    output_b=[Ob],
    log_normalizer_b=Lb,
    wrong={"a plain mean": ((Oa + Ob) / 2, Lab)},
)

derivation.say("Backward. The derivative of the log-normalizer is the key to a backward pass that stores no weights.")
log_sum = derivation.define(r"\Lambda", log(Total(k, exp(t.at(k)))), "the log-normalizer of a row with the scores $t$")
P = derivation.define("P", exp(t - log_sum), "the weights", "attention_weights", over=j)
weights_back = derivation.chain(
    "A weight comes back from its score and one number a row",
    Slope(log_sum, t),
    equals(exp(t) / Total(k, exp(t.at(k))), "the derivative of a logarithm, and of the one term that contains $t_j$"),
    equals(P, prose("{sum}", sum=holds(Total(k, exp(t.at(k))), "=", exp(log_sum)))),
    role="lemma",
    so="So the weight is the derivative of the log-normalizer, and no maximum, sum or division is needed to have it again.",
)
f = derivation.index("f", "an entry of a value")
val = derivation.numbers("V", (j, f), "the values, with all their entries", "value")
G = derivation.numbers("G", f, "the gradient of the loss in the output", "upstream")
out = derivation.define("O", Total(j, times(P, val)), "the output", "output", over=f)
dP = derivation.define("A", Total(f, times(G, val)), "the gradient of the loss in the weights", over=j)
loss = derivation.define(r"\mathcal{L}", Total(f, times(G, out)), "the loss, to first order")
rowsum = derivation.chain(
    "The row's mean comes from the output",
    Total(j, times(P, dP)),
    equals(Total(f, times(G, Total(j, times(P, val)))), r"insert $A$, and exchange the sums"),
    equals(Total(f, times(G, out)), "the inner sum is the output"),
    role="lemma",
    sizes={f: 2},
    so="The left side needs all keys. The right side needs two vectors, and is known before the first block.",
)
in_the_scores = derivation.chain(
    "The gradient in the scores",
    Slope(loss, t),
    equals(
        times(P, plus(dP, -Total(k, times(P.at(k), dP.at(k))))),
        prose(
            "{jacobian}, as in the topic attention",
            jacobian=holds(Slope(P.at(k), t), "=", times(P.at(k), KroneckerDelta(k, j) - P)),
        ),
    ),
    equals(
        times(P, plus(dP, -Total(f, times(G, out)))),
        "the lemma",
        wrong={"the mean of the gradients without weights": times(P, plus(dP, -Total(k, dP.at(k))))},
    ),
    uses=(weights_back, rowsum),
    sizes={f: 2},
    states=2,
    so=r"With $q$, $k$, $v$, $O$ and $L$ everything here can be computed block by block and thrown away again. The scores are "
    r"computed a second time: that is the price of memory that grows like the length and not like its square.",
)


@derivation.numeric(
    r"O = \mathrm{softmax}(t)\, V",
    because="The whole function next to attention with its matrix of weights: with and without the causal mask, in blocks of 1, "
    "3 and 9 keys, of which 7 are there, and with the keys in reverse order.",
    uses=(central,),
    role="remark",
)
def blocks_give_attention():
    left, right = in_blocks_and_at_once()
    return Sides(left=left, right=right, wrong={"never masked": jnp.stack([right[0]] * 4)})


@derivation.autodiff(
    r"\partial_V \mathcal{L} = P\, G",
    because="The gradients in queries, keys and values of the code's backward pass, next to automatic differentiation of "
    "attention, with the causal mask. For queries and keys the gradient in the scores is multiplied by the scale and by the "
    "keys or queries.",
    uses=(rowsum,),
    role="remark",
)
def the_backward_pass_needs_no_stored_weights():
    query, key, value = query_key_value()
    upstream, mask = draw(1, 2, 5, 3, seed=7), causal_mask(query_length=5, key_length=7)
    pulled = jax.vjp(lambda *given: scaled_dot_product_attention(*given, mask), query, key, value)[1](upstream)
    output, logs = blockwise_attention(query, key, value, block_size=3, causal=True)
    by_hand = attention_backward(query, key, value, output, logs, upstream, causal=True)
    wrong = {
        "the row's mean forgotten": attention_backward(query, key, value, 0 * output, logs, upstream, causal=True),
        "the scale forgotten": (2 * by_hand[0], 2 * by_hand[1], by_hand[2]),
        "never masked": attention_backward(query, key, value, output, logs, upstream, causal=False),
    }
    return Sides(left=flat(pulled), right=flat(by_hand), wrong={name: flat(parts) for name, parts in wrong.items()})


derivation.say("What it saves. The state of a query is its reference, its normalizer and one number for each entry of a value.")
n = derivation.number("n", "the number of blocks a side, where queries and keys are equally many", positive=True, integer=True)
row = derivation.number("b", "a row of blocks", positive=True, integer=True)
derivation.chain(
    r"Under the causal mask $\frac12 n (n + 1)$ of $n^2$ blocks are computed",
    sympy.Sum(row, (row, 1, n)),
    equals(
        times(Rational(1, 2), n, plus(n, 1)),
        "row $b$ of blocks sees the columns $1, \\dots, b$; first and last row together have $n + 1$, and so on",
    ),
    so=r"Of $n^2$ blocks. Those above the diagonal hold scores $-\infty$ alone and would leave the state as it is.",
    role="remark",
)


@derivation.exact(
    r"\frac{1}{2} n (n + 1),\ n^2",
    because="The pairs of matrix products are counted in the program that JAX makes of the code, with and without the causal "
    "mask, for one to four blocks a side.",
    outcomes=8,
    role="remark",
)
def causal_blocks_are_half_of_all():
    sizes = np.arange(1.0, 5)
    counted = np.array([[computed_blocks(int(n), causal) for n in sizes] for causal in (True, False)])
    return Sides(left=counted, right=np.stack([sizes * (sizes + 1) / 2, sizes**2]))


derivation.answer = prose(
    "Old sums need only be multiplied by $e^{m - m'}$ when the reference moves, so after the last block the quotient is the "
    "softmax average, {quotient}, exactly and whatever the blocks. Parts that were computed apart can be merged from their "
    "outputs and log-normalizers, {merged}. The log-normalizer gives any weight back from its score, {weight}, so the backward "
    "pass stores none.",
    quotient=holds(
        acc_new / norm_new,
        "=",
        plus(Total(i, times(exp(s), v)), Total(j, times(exp(t), u))) / plus(Total(i, exp(s)), Total(j, exp(t))),
    ),
    merged=holds(times(exp(Lab), Oab), "=", plus(times(exp(La), Oa), times(exp(Lb), Ob))),
    weight=holds(P, "=", exp(t) / Total(k, exp(t.at(k)))),
)


derivation.algorithm(
    "Attention in blocks, forward and backward",
    do(r"for every query: $m \leftarrow -\infty$, $l \leftarrow 0$, $o \leftarrow 0$"),
    do(r"for every block of keys: compute the scores $t_j$; $m' \leftarrow \max(m, \max_j t_j)$", online_softmax_update),
    do(r"$l \leftarrow e^{m - m'} l + \sum_j e^{t_j - m'}$", online_softmax_update, by=invariant, indent=1),
    do(
        r"$o \leftarrow e^{m - m'} o + \sum_j e^{t_j - m'} u_j$, and $m \leftarrow m'$",
        online_softmax_update,
        by=accumulated,
        indent=1,
    ),
    do(r"$O \leftarrow o / l$", blockwise_attention, by=central),
    do(r"keep $L \leftarrow m + \log l$", blockwise_attention, by=log_normalizer),
    do(r"backward, for every block again: $P \leftarrow e^{t - L}$", attention_backward, by=weights_back),
    do(r"$P \odot (A - G \cdot O)$ is the gradient in the scores", attention_backward, by=in_the_scores, indent=1),
)(one_query)


@derivation.example(
    r"Scores $0, \log 2$ in a first block and $\log 4$ in a second, with the values $7, 0$ and $3.5$; then the gradient 1 in "
    r"the output."
)
def two_blocks():
    first, second = states_of(np.log([1.0, 2, 4]), np.array([7.0, 0, 3.5]), 2)
    yield r"e^{m - m'}", np.exp(first[0] - second[0]), "0.5"
    yield r"O = o'/l'", second[2] / second[1], "3"
    yield r"L", second[0] + np.log(second[1]), "1.9459"
    weights = np.exp(np.log([1.0, 2, 4]) - np.log(7))
    yield r"P = e^{t - L}", weights, "(1/7, 2/7, 4/7)"
    yield r"\text{the gradient in the scores}", weights * (np.array([7, 0, 3.5]) - 3), "(4/7, -6/7, 2/7)"
    yield r"\text{accumulator not corrected:}\ O", (3.5 + 3.5) / 1.75, "4"


derivation.figure(
    r"A row of 60 scores whose largest comes late, taken in one by one. Left: reference and log-normalizer. Right: the "
    r"normalizer falls when the reference jumps, while the quotient $o/l$ moves to its final value (dashed).",
    panels=2,
)(along_a_row)


@derivation.numeric(
    r"m' = -\infty,\ l' = 0,\ o' = 0 \quad\text{after a block of scores}\ -\infty",
    because=r"The difference of two infinities would be NaN. Where nothing has been seen yet the code takes any finite "
    r"reference, and all terms are the zeros that are meant.",
    role="appendix",
    scale=1.0,
)
def an_empty_block():
    (maximum, normalizer, accumulator), after = states_of(np.array([-np.inf, -np.inf, 0.5, 1.5]), np.array([1.0, 1, 2, 4]), 2)
    found = [np.exp(maximum), normalizer, accumulator, *after]
    share = np.exp(-1.0)
    wanted = np.array([0.0, 0, 0, 1.5, 1 + share, 4 + 2 * share])
    return Sides(left=np.array(found), right=wanted)
