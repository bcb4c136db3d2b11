"""Attention: a look-up by content that can be differentiated.

The lecture on the functions of theory_jax/autoregressive/attention.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import KroneckerDelta, Rational, exp, log, sqrt

from theory_jax.autoregressive.attention import attention_weights, causal_mask, multi_head_attention, scaled_dot_product_attention
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Inner, Limit, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._attention import (
    first_order_loss,
    look_ups,
    permuted,
    saturation,
    sensitivity,
    two_queries,
)
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Attention: a look-up by content that can be differentiated",
    lectures=(43,),
    sources=(
        "Bahdanau, Cho & Bengio 2015, Neural Machine Translation by Jointly Learning to Align and Translate",
        "Vaswani et al. 2017, Attention Is All You Need",
        "Shazeer 2019, Fast Transformer Decoding: One Write-Head is All You Need",
        "Ainslie et al. 2023, GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints",
    ),
    question="A recurrent network carries everything that it has read in one state of fixed size, and what a token needs from a "
    "thousand tokens before is gone. Let the token fetch it instead, by content, wherever it is and among however many others. "
    "Which map does this and can be trained by gradient descent, and why is it a softmax of scaled inner products?",
    setting=(
        r"Each of the $T_q$ queries $q_i$ and of the $T_k$ keys $k_j$ is a vector with $D$ entries; to key $j$ belongs a value "
        r"$v_j$ with $D_v$ entries. The query is compared with every key, the scores become weights, and the answer is the "
        r"weighted average of the values. With one query, key or value a row of a matrix the answers are $\mathrm{softmax}(Q "
        r"K^\top / \sqrt D)\, V$, where the softmax acts on each row.",
        r"In self-attention queries, keys and values are linear maps of the same tokens; in cross-attention the keys and "
        r"values come from another sequence. A mask removes keys from the sum of a query. At least one key is left for every "
        r"query.",
    ),
    limits=(
        "That trained queries and keys have unit covariance is not shown, and it need not hold; the argument is about the start.",
        "What heads learn to look for, and what the low rank of a head's scores excludes, is not treated.",
        "Attention alone does not know the order of the tokens: positions are the next topic.",
    ),
)

derivation.figure(
    r"Left: the norm of the softmax's Jacobian against the difference of two scores; it falls from $\frac12$ towards 0. "
    r"Right: the weights of the same 12 random keys of 64 entries, sorted, for three scales: without a scale one key takes "
    r"nearly everything, with $1/D$ all are nearly alike.",
    panels=2,
)(saturation)


i = derivation.index("i", "a query")
j = derivation.index("j", "a key")
l = derivation.index("l", "a key, next to $j$")  # noqa: E741 (the lecture's letter)
d = derivation.index("d", "an entry of a query or a key")
c = derivation.index("c", "an entry of a query or a key, next to $d$")
f = derivation.index("f", "an entry of a value")
D = derivation.count(d, "D", "the width of queries and keys")
q = derivation.numbers("q", (i, d), "the queries", "query")
k = derivation.numbers("k", (j, d), "the keys", "key")
v = derivation.numbers("v", (j, f), "the values", "value")
derivation.symbol("V", "the values, one a row", "value")
derivation.symbol("O", "the answers, one a row")
S = derivation.define("S", Inner(d, q, k) / sqrt(D), "the score of query $i$ and key $j$", over=(i, j))
P = derivation.define("P", exp(S) / Total(l, exp(S.at(i, l))), "the weights", "attention_weights", over=(i, j))
out = derivation.define("O", Total(j, P * v), "the answers", "scaled_dot_product_attention", over=(i, f))


arrays = {"query": [[[q.at(n, d) for n in range(2)]]], "key": [[[k.at(n, d) for n in range(3)]]]}
arrays, sizes = arrays | {"value": [[[v.at(n, f) for n in range(3)]]]}, {i: 2, j: 3, d: 4, l: 3, f: 2}
derivation.bridge(
    "Entry by entry, the code computes these answers",
    [out.at(n, f) for n in range(2)],
    scaled_dot_product_attention,
    **arrays,
    mask=None,
    sizes=sizes,
    wrong={"softmax over the queries": [Total(j, exp(S.at(n, j)) / Total(i, exp(S)) * v) for n in range(2)]},
)

derivation.say(
    "Where does the softmax come from? Fix one query. Choosing the key with the highest score is a step function of the "
    "scores, without a gradient. So choose a distribution over the keys instead, and reward entropy, so that it does not sit "
    "on one key too soon."
)
s = derivation.numbers("s", j, "the scores of one query")
p = derivation.law("p", j, "any weights over the keys")
Z = derivation.define("Z", Total(l, exp(s.at(l))), "the normalizer", positive=True)
soft = derivation.define(r"\sigma", exp(s) / Z, "the softmax of the scores", "attention_weights", over=j, law=True)
central = derivation.chain(
    "The softmax maximizes mean score plus entropy",
    plus(Total(j, p * s), Entropy(p)),
    equals(Total(j, times(p, plus(s, -log(p)))), prose("{entropy}", entropy=holds(Entropy(p), "=", -Total(j, p * log(p))))),
    equals(
        plus(log(Z), -Divergence(p, soft)),
        prose(
            "{score}, and {one}; the expected log-ratio is a divergence",
            score=holds(s, "=", plus(log(Z), log(soft))),
            one=holds(Total(j, p), "=", 1),
        ),
    ),
    at_most(
        log(Z),
        prose("leave out the divergence (Gibbs' inequality); equality if and only if {same} for every $j$", same=where(p, soft)),
        adding=gibbs.at(p, soft),
    ),
    central=True,
    so="Every other choice of weights is worse, by exactly its divergence from the softmax. Attention is a soft arg max: the "
    "answers, averages of the values, are never outside of them.",
)
M = derivation.number("M", "an upper bound of the entries of a vector")
m = derivation.number("m", "a lower bound of the entries of a vector")
u = derivation.numbers("u", j, "a number for every key: a direction in the space of scores, or a gradient in the weights")

tau = derivation.number(r"\tau", "a temperature, of an exercise", positive=True)

derivation.say(
    "Retrieval. How large must a score be to be heard among many? Let one key score $\\beta$ and "
    "all others 0: its weight is $1 / (1 + N e^{-\\beta})$."
)
N = derivation.number("N", "the number of the other keys", positive=True)
eps = derivation.number(r"\varepsilon", "the weight that may go to the other keys", between=(0, 1))
need = derivation.define(r"\beta_\varepsilon", log(N * (1 - eps) / eps), "the score that leaves $\\varepsilon$ to the rest")
retrieval = derivation.chain(
    "The score that is needed grows like the logarithm of the number of keys",
    1 / (1 + N * exp(-need)),
    equals(1 / (1 + eps / (1 - eps)), prose("{inverse}", inverse=holds(exp(-need), "=", eps / (N * (1 - eps))))),
    equals(1 - eps, "one fraction"),
    so=prose(
        "For a share of 0.99 the score must be 9.20 with 100 other keys, and 11.51 with a thousand: ten times as many keys cost "
        "{more}, or 2.30, more.",
        more=holds(plus(log(10 * N * (1 - eps) / eps), -need), "=", log(10), named=True),
    ),
    role="lemma",
)
derivation.figure(
    prose(
        "Left: the weights of eight random tokens under a causal mask; a row sums to one, and keys after the query are masked "
        r"(white). Right: the weight of a key with the score $\beta$ among $N$ keys that score 0. The dots are at {need} for "
        "{eps}: ten times as many keys shift the curve by {more}.",
        need=holds(need, "=", log(9 * N)),
        eps=where(eps, Rational(1, 10)),
        more=holds(plus(log(10 * N * (1 - eps) / eps), -need), "=", log(10), named=True, wrong={"ten": 10}),
    ),
    panels=2,
)(look_ups)

derivation.say(
    "The scale. Scores are inner products of $D$ terms, so they grow with $D$. Let queries and keys be drawn independently, "
    "the queries with mean zero; then a score has mean zero, and its variance is its mean square."
)
a = derivation.law("a", i, "how often query $i$ occurs")
b = derivation.law("b", j, "how often key $j$ occurs")
cov_q = derivation.define(r"\Sigma^q", Expectation(a, times(q, q.at(i, c))), "the second moments of the queries", over=(d, c))
cov_k = derivation.define(r"\Sigma^k", Expectation(b, times(k, k.at(j, c))), "the second moments of the keys", over=(d, c))
derivation.chain(
    "The mean square of a score is a trace of second moments",
    Expectation(a, Expectation(b, Inner(d, q, k) ** 2)),
    equals(
        Expectation(a, Expectation(b, Total(d, Total(c, times(q, q.at(i, c), k, k.at(j, c)))))),
        "multiply the square of the sum out",
    ),
    equals(
        Total(d, Total(c, times(cov_q, cov_k))),
        "the expectation of a sum; query and key are independent, so the expectation of the product is the product of the "
        "expectations",
    ),
    states=2,
    so=r"The matrices are symmetric, so this is $\mathrm{tr}(\Sigma^q \Sigma^k)$. With zero means and unit covariances it is "
    r"$D$, and 1 after a division of the scores by $\sqrt D$. Without the division the standard deviation is 8 for 64 entries. "
    r"With $1/D$ it is $1/\sqrt D$, and all weights are nearly alike if $D$ is large. The $\sqrt D$ belongs to the width of "
    "one head, not to that of the model.",
)

derivation.say("Why large scores stop learning. The gradient reaches queries and keys through the softmax.")
jacobian = derivation.chain(
    "The Jacobian of the softmax is the covariance matrix of a one-hot sample",
    Slope(soft, s.at(l)),
    equals(
        times(soft, KroneckerDelta(j, l) - soft.at(l)),
        prose("the quotient rule, with {below}", below=holds(Slope(Z, s.at(l)), "=", exp(s.at(l)))),
    ),
    role="lemma",
    so=r"This is the covariance matrix of a one-hot sample of $\sigma$: symmetric, and with no negative eigenvalue.",
)
within = derivation.assume(
    "All entries lie between m and M",
    (M - u) * (u - m),
    u,
    m,
    M,
    example={u: (0, 1, 2), m: 0, M: 2},
    wrong={"outside": (M - u) * (m - u)},
)
mean_u = derivation.define(r"\bar u", Total(j, p * u), "the mean of $u$ under the weights")
derivation.chain(
    "A variance is at most a quarter of the squared range",
    Total(j, Total(l, times(u, p, KroneckerDelta(j, l) - p.at(l), u.at(l)))),
    equals(
        Variance(p, u), prose("multiply out: {square}", square=holds(Variance(p, u), "=", plus(Total(j, p * u**2), -(mean_u**2))))
    ),
    equals(
        plus(times(M - mean_u, mean_u - m), -Expectation(p, (M - u) * (u - m))),
        prose("multiply both products out; {one}", one=holds(Total(j, p), "=", 1)),
    ),
    at_most(
        times(M - mean_u, mean_u - m),
        prose(
            "leave out an average of numbers that are not negative; it is zero only where every $u_j$ is $m$ or $M$, as at {all}",
            all=where(u, M),
        ),
        adding=Expectation(p, within.at(u, m, M)),
    ),
    equals(plus((M - m) ** 2 / 4, -((mean_u - (M + m) / 2) ** 2)), "complete the square"),
    at_most(
        (M - m) ** 2 / 4,
        prose(r"leave out the square, which is zero where $\bar u$ is halfway, {half}", half=where(M, 2 * mean_u - m)),
        adding=(mean_u - (M + m) / 2) ** 2,
    ),
    so=prose(
        "Let $M$ and $m$ be the largest and the smallest entry. If they differ they are two entries of $u$, say the first two, "
        "and the bound is at most half of the sum of their squares, {square}. For a direction of length one this sum is at "
        r"most 1, {two}, and the bound at most $\frac12$; if the entries do not differ, the variance is 0. Hence the Jacobian "
        r"lengthens no direction by more than $\frac12$, which two equal scores attain along $(1, -1)/\sqrt 2$.",
        square=holds((M - m) ** 2 / 4, "<=", (M**2 + m**2) / 2, wrong={"a quarter": (M**2 + m**2) / 4}),
        two=holds(plus(u.at(0) ** 2, u.at(1) ** 2), "<=", Total(j, u**2)),
    ),
    role="lemma",
)
saturated = derivation.chain(
    "A softmax that is sure of one key has a small Jacobian",
    Total(j, times(p, 1 - p)),
    equals(
        plus(1, -(p.at(l) ** 2), -Total(j, times(1 - KroneckerDelta(j, l), p**2))),
        prose("{one}; the square of one weight $p_l$ is written apart", one=holds(Total(j, p), "=", 1)),
    ),
    at_most(1 - p.at(l) ** 2, "leave out the other squares", adding=Total(j, times(1 - KroneckerDelta(j, l), p**2))),
    equals(plus(times(2, 1 - p.at(l)), -((1 - p.at(l)) ** 2)), "complete the square"),
    at_most(times(2, 1 - p.at(l)), "leave out a square, which is zero where the softmax is sure", adding=(1 - p.at(l)) ** 2),
    so=r"The first line is the trace of the Jacobian, the sum of its eigenvalues, none of which is negative: so it bounds the "
    r"largest. Take for $l$ the key with the largest weight. Scores with a standard deviation of 8 are mostly of this kind, "
    r"and hardly anything is learned through them; that is what $1/\sqrt D$ prevents at the start of training.",
)

derivation.answer = prose(
    "The softmax of the scores is the best compromise between a high mean score and a high entropy, {best}. A key that scores "
    r"{need} more than each of $N$ others leaves them the share $\varepsilon$ of the weight: the logarithm of their number, and "
    "a few nats. For independent queries and keys of mean zero and unit covariance an inner product has the variance {unit}, "
    r"and the factor $1/\sqrt D$ keeps that of the scores at 1. Scores that are too large make one weight nearly 1, and then "
    "the Jacobian of the softmax, whose trace is {trace}, passes on almost no gradient.",
    best=holds(plus(Total(j, p * s), Entropy(p)), "<=", log(Z)),
    need=holds(need, "=", log(N * (1 - eps) / eps), named=True, wrong={"the share itself": log(N / (1 - eps))}),
    unit=holds(Total(d, Total(c, KroneckerDelta(d, c) ** 2)), "=", D, named=True, wrong={"every product counted": D**2}),
    trace=holds(Total(j, times(p, 1 - p)), "<=", times(2, 1 - p.at(l))),
)

derivation.say("Masks. A key is removed by the score $-\\infty$.")
first, second, third = (derivation.number(f"s_{n}", f"a score, of key {n}") for n in (1, 2, 3))
hidden = derivation.chain(
    "A score of minus infinity deletes the key",
    Limit(exp(first) / (exp(first) + exp(second) + exp(third)), third, -sympy.oo),
    equals(
        exp(first) / (exp(first) + exp(second)),
        prose("{gone}, in the normalizer, too", gone=holds(Limit(exp(third), third, -sympy.oo), "=", 0)),
    ),
    so="What is left is the softmax over the other keys. Multiplying the weights by the mask afterwards leaves the normalizer "
    "as it was, and the weights sum to less than one.",
    role="lemma",
)


@derivation.autodiff(
    r"\frac{\partial O_i}{\partial V_j} = 0 \quad\text{if and only if}\quad j > i",
    because="Under the causal mask query $i$ sums over the keys up to its own time, and no weight of a softmax is 0. So the "
    "Jacobian over tokens is lower triangular, and one pass over a sequence computes what every prefix of it would give.",
    role="remark",
)
def causal_attention_does_not_see_the_future():
    return Sides(
        left=jnp.where(sensitivity(length=5) > 0, 1.0, 0.0), right=np.tri(5), wrong={"its own token hidden": np.tri(5, k=-1)}
    )


derivation.bridge(
    "Both sequences end at the same time: two queries of five keys",
    [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]],
    causal_mask,
    query_length=2,
    key_length=5,
    wrong={"aligned at the beginning": [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]]},
)

derivation.say("Backward. With the gradient $G$ of the loss in the answers, the loss changes as $\\sum_{if} G_{if} O_{if}$ does.")
G = derivation.numbers("G", (i, f), "the gradient of the loss in the answers")
A = derivation.define("A", Total(f, G * v), "the gradient in the weights, $G V^\\top$", over=(i, j))
B = derivation.define("B", times(P, plus(A, -Total(l, times(P.at(i, l), A.at(i, l))))), "the gradient in the scores", over=(i, j))
backward = derivation.chain(
    "The gradient in the scores subtracts its own mean",
    Slope(Total(l, soft.at(l) * u.at(l)), s),
    equals(
        Total(l, times(soft.at(l), KroneckerDelta(l, j) - soft, u.at(l))),
        "the Jacobian of the softmax, applied to the gradient $u$ in the weights",
    ),
    equals(
        times(soft, plus(u, -Total(l, soft.at(l) * u.at(l)))),
        "carry the sum out",
        wrong={"the mean without the weights": soft * (u - Total(l, u.at(l)) / 3)},
    ),
    role="lemma",
    uses=(jacobian,),
)
derivation.say(
    r"The answers are linear in the values, and the scores in queries and keys. So the gradient is $P^\top G$ in the values, "
    r"$B K / \sqrt D$ in the queries and $B^\top Q / \sqrt D$ in the keys."
)


for name, what in (
    ("query", [Total(j, B.at(n, j) * k) / sqrt(D) for n in range(2)]),
    ("key", [Total(i, B.at(i, n) * q) / sqrt(D) for n in range(3)]),
    ("value", [Total(i, times(P.at(i, n), G)) for n in range(3)]),
):
    derivation.bridge(
        f"Automatic differentiation of the code gives the gradient in the {name}",
        what,
        first_order_loss,
        **arrays,
        upstream=[[[G.at(n, f) for n in range(2)]]],
        slope=name,
        calls=(scaled_dot_product_attention,),
        sizes=sizes,
    )

derivation.symbol(r"\Pi", "a permutation matrix")
derivation.symbol("S", "the scores, one row a query")


@derivation.symbolic(
    r"\mathrm{softmax}(\Pi S \Pi^\top)\, \Pi V = \Pi\, \mathrm{softmax}(S)\, V",
    because="Each row is normalized by its own sum, whose terms may come in any order, so the softmax commutes with "
    "permutations of rows and columns; and $\\Pi^\\top \\Pi$ is the identity. For three tokens with nine arbitrary scores, and "
    "a swap and a turn, which generate all permutations.",
)
def attention_is_permutation_equivariant():
    of_permuted, permuted_answers = permuted()
    return Sides(left=of_permuted, right=permuted_answers)


derivation.say(
    "So without positions self-attention sees a bag of tokens: permuting them permutes the answers, and nothing else. Heads. "
    "Several attentions with maps of their own run side by side, and their answers are added."
)
h = derivation.index("h", "a head")
g = derivation.index("g", "a group of heads that share keys and values")
n = derivation.index("n", "an entry of a token")
o = derivation.index("o", "an entry of the output")
x = derivation.numbers("x", (i, n), "the tokens", "x, context")
WQ = derivation.numbers("W^Q", (h, d, n), "the map to the queries of head $h$", "query_weight")
WK = derivation.numbers("W^K", (g, d, n), "the map to the keys of group $g$", "key_weight")
WV = derivation.numbers("W^V", (g, f, n), "the map to the values of group $g$", "value_weight")
WO = derivation.numbers("W^O", (o, h, f), "the map from the answers of head $h$ to the output", "output_weight")
group = sympy.floor(h / 2)
qh = derivation.define("q^{{{}}}_{{{},{}}}", Total(n, times(WQ, x)), "the queries of head $h$", over=(h, i, d))
kh = derivation.define("k^{{{}}}_{{{},{}}}", Total(n, times(WK.at(group, d, n), x.at(j, n))), "its keys", over=(h, j, d))
vh = derivation.define("v^{{{}}}_{{{},{}}}", Total(n, times(WV.at(group, f, n), x.at(j, n))), "its values", over=(h, j, f))
eh = derivation.define(
    "E^{{{}}}_{{{},{}}}", exp(Total(d, times(qh, kh)) / sqrt(D)), "the exponentials of its scores", over=(h, i, j)
)
heads_add = Total(h, Total(f, WO * Total(j, eh / Total(l, eh.at(h, i, l)) * vh)))


derivation.bridge(
    "Four heads, two groups: heads add, and head h takes the keys of group floor(h/2)",
    heads_add,
    multi_head_attention,
    x=[[x.at(0, n), x.at(1, n)]],
    context=[[x.at(0, n), x.at(1, n)]],
    query_weight=[WQ.at(r // 2, r % 2, n) for r in range(8)],
    key_weight=[WK.at(r // 2, r % 2, n) for r in range(4)],
    value_weight=[WV.at(0, 0, n), WV.at(1, 0, n)],
    output_weight=[[WO.at(row, head, 0) for head in range(4)] for row in range(2)],
    mask=None,
    heads=4,
    key_value_heads=2,
    sizes={h: 4, g: 2, i: 2, j: 2, l: 2, d: 2, f: 1, n: 2, o: 2},
)
derivation.say(
    "Concatenating the heads and multiplying by one matrix is this sum: each head has its block of columns. Heads never see "
    "each other; they write into the same stream. With one group for all heads this is multi-query attention, with a group for "
    "each it is multi-head attention, and between the two grouped-query attention, for which the code repeats each head's keys "
    "in a row. Every query meets every key, $2 T_q T_k (D + D_v)$ operations: twice the length is four times the operations. In "
    "exchange any two tokens are one step apart, and all queries are computed at once."
)


derivation.algorithm(
    "Attention, forward and backward",
    do(
        r"$S \leftarrow Q K^\top / \sqrt D$, and $S_{ij} \leftarrow -\infty$ where the mask hides key $j$", causal_mask, by=hidden
    ),
    do(r"$P \leftarrow \mathrm{softmax}(S)$, row by row", attention_weights, by=central),
    do(r"$O \leftarrow P V$", scaled_dot_product_attention),
    do(
        r"backward: $A \leftarrow G V^\top$, then $B \leftarrow P \odot (A - \text{the mean of each row of } A \text{ under } "
        "P)$",
        by=backward,
    ),
    do(r"the gradient is $P^\top G$ in $V$, $B K / \sqrt D$ in $Q$, $B^\top Q / \sqrt D$ in $K$"),
)(two_queries)


@derivation.example("The second query of the box without the division by the square root of the width, which is 2.")
def without_the_scale():
    weights = jax.nn.softmax(jnp.array([2 * np.log(3), 0]))
    yield r"P_2", weights, "(0.9, 0.1)"
    yield r"O_2", weights @ jnp.array([4.0, 0.0]), "3.6"


colder = exp(s / tau) / Total(l, exp(s.at(l) / tau))


derivation.say(
    "How the code keeps it. A softmax does not change when a number is added to all scores; the code subtracts the largest, so "
    "that no exponential overflows. Behind the mask it puts finite scores, so that no product $0 \\cdot \\infty$ waits there "
    "for the gradient."
)
