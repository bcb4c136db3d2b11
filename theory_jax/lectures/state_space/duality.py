"""State-space duality: a recurrence is attention with a mask that decays.

The lecture on the functions of theory_jax/state_space/duality.py.
"""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.state_space._duality import every_chunk_size, lanes_of_a_scan, matrix_and_cost, two_chunks
from theory_jax.state_space.duality import dual_chunked, dual_quadratic, dual_recurrent, linear_attention, segment_sum

derivation = Derivation(
    module=__name__,
    title="State-space duality: a recurrence is attention with a mask that decays",
    lectures=(56,),
    sources=(
        "Katharopoulos et al. 2020, Transformers are RNNs: fast autoregressive transformers with linear attention",
        "Sun et al. 2023, Retentive network: a successor to transformer for large language models",
        "Dao & Gu 2024, Transformers are SSMs: generalized models and efficient algorithms through structured state space "
        "duality",
    ),
    question="A selective recurrence takes one step after the other and leaves a machine for matrix products idle; attention "
    "keeps it busy, but compares all pairs of steps. In what sense are they the same map, and how does that give an "
    "algorithm that is linear in the length and made of matrix products?",
    setting=(
        r"One head. The state $h_t$ is the matrix $e^{\ell_t} h_{t-1} + x_t B_t^\top$ of $P \times N$ numbers, and the "
        r"output $y_t$ is $h_t C_t$: one decay $e^{\ell_t}$ for the whole state, which depends on the step, as $B_t$ and "
        "$C_t$ do. $x_t$ has $P$ entries and is already multiplied by the length of its step. The first state is 0 unless "
        "stated otherwise.",
        r"$\mathrm{seg}(t,s)$ is the sum of $\ell_k$ over the steps $k$ after $s$, up to $t$; it is 0 from a step to itself, "
        r"and $-\infty$ where $s$ is later. The mask $L$ has the entries $e^{\mathrm{seg}(t,s)}$, and the matrix $M$ of the "
        r"map the entries $L_{ts}\, C_t^\top B_s$.",
        "The $P$ entries of $x_t$ do not mix, so the chains treat one of them. They have three earlier steps and three "
        "states; the moves are the same for any number. A chunk has $Q$ steps, $r$ is the last step before it, and $Q$ "
        "divides the number $T$ of steps.",
    ),
    limits=(
        "Softmax attention: it has no recurrence of a fixed size.",
        "Groups and heads, which are bookkeeping, and speed on a machine, which decides for longer chunks than the count does.",
        "Decays that differ between the entries of a state: then the mask is not one matrix for all of them.",
    ),
    trained="Two ways to compute the same sequence. `state_space/selective` trains the recurrent form.",
)

j = derivation.index("j", "an earlier step")
n = derivation.index("n", "an entry of the state")
for written, meaning in (
    ("t", "a step"),
    ("s", "a step"),
    ("h_t", "the state"),
    ("y_t", "the output"),
    ("M_{ts}", "the matrix of the map"),
    ("L_{ts}", "the mask"),
    ("k", "a step between two others"),
    ("r", "the last step before a chunk"),
    (r"\ell_k", "the logarithm of the decay of a step"),
):
    derivation.symbol(written, meaning)
S = derivation.numbers(r"\mathrm{{seg}}(t-1,{})", j, "the sum of the decays after a step, up to the step before this one")
ell = derivation.number(r"\ell_t", "the logarithm of the decay of this step", "log_decay")
x = derivation.numbers("x_{}", j, "the earlier inputs", "x")
B = derivation.numbers("B_{{{},{}}}", (j, n), "what they write", "b")
x_now = derivation.number("x_t", "the input of this step", "x")
B_now = derivation.numbers("B_{{t,{}}}", n, "what it writes", "b")
C = derivation.numbers("C_{{t,{}}}", n, "what the output reads", "c")
before = derivation.define("h_{{t-1,{}}}", Total(j, exp(S) * x * B), "the state before this step, as claimed", over=n)
sums = derivation.define(r"\mathrm{{seg}}(t,{})", S + ell, "... up to this step", "segment_sum", over=j)
attention = plus(Total(j, times(exp(sums), Total(n, C * B), x)), times(Total(n, C * B_now), x_now))

one_more = Total(n, times(C, plus(times(exp(ell), before), times(x_now, B_now))))
derivation.answer = prose(
    "What $C_t$ reads of the state after one more step is {attention}, a sum over the earlier steps $j$ and the step itself: "
    "attention with the query $C_t$, the keys $B_j$ and the values $x_j$, no softmax, and a causal mask that decays. All "
    "that crosses a step goes through a state of $N$ numbers for each value. So a sequence may be cut into chunks, with "
    "attention inside them and the recurrence between them; for a fixed length of the chunks the work grows like the length "
    "of the sequence.",
    attention=holds(one_more, "=", attention, named=True, wrong={"no decay": Total(n, C * (before + x_now * B_now))}),
)
same_map = derivation.chain(
    "The recurrence is attention: one more step",
    one_more,
    equals(
        plus(Total(n, times(C, Total(j, times(exp(sums), x, B)))), Total(n, times(C, x_now, B_now))),
        prose("the decay joins those before it, {joined}; the input enters undecayed", joined=holds(sums, "=", plus(S, ell))),
        wrong={
            "the input decays at once": Total(n, C * exp(ell) * (before + x_now * B_now)),
            "the past does not decay": Total(n, C * (before + x_now * B_now)),
            "the decay counted twice": Total(n, C * (exp(2 * ell) * before + x_now * B_now)),
        },
    ),
    equals(
        attention,
        r"sum over the entries of the state first: $B_j^\top C_t$ is one number for each pair of steps",
        wrong={"B and C exchanged": plus(Total(j, times(exp(sums), Total(n, C * B_now), x)), times(Total(n, C * B_now), x_now))},
    ),
    central=True,
    so="The last term is that of the step itself, whose sum of decays is empty. So the outputs are $MX$: the scores $C "
    r"B^\top$ of all pairs, times a mask. It is causal because $e^{-\infty}$ is 0.",
)


def _last_of(code):
    """The output at the last step; a recurrence returns its state, too."""

    def of_chain(**given):
        outputs = code(**given)
        return (outputs[0] if isinstance(outputs, tuple) else outputs)[:, -1]

    return of_chain


_SUMS = [S.at(number) for number in range(4)]
_CHAIN = {  # five steps after an empty one, of one head of width 1: decays whose sums are as given
    "x": [[[[0.0]], *([[x.at(number)]] for number in range(4)), [[x_now]]]],
    "log_decay": [[[part] for part in (0.0, 0.0, *(a - b for a, b in itertools.pairwise(_SUMS)), ell + _SUMS[-1])]],
    "b": [[[[0.0] * 4], *([B.at(number, n)] for number in range(4)), [B_now]]],
    "c": [[[C]] * 6],
}
for words, code in (
    ("as attention", dual_quadratic),
    ("as a recurrence", functools.partial(dual_recurrent, initial=jnp.zeros((1, 1, 1, 4)))),
    ("in chunks of two steps", functools.partial(dual_chunked, chunk=2)),
):
    derivation.bridge(
        f"The code computes it {words}",
        attention,
        _last_of(code),
        **_CHAIN,
        calls=(getattr(code, "func", code),),
        wrong={"the input decays at once": exp(ell) * Total(n, C * (before + x_now * B_now))},
    )
ells = derivation.numbers(r"\ell_{}", j, "the decays of a sequence", "log_decay")


def _whole_sum(log_decay):
    return segment_sum(log_decay)[:, 0, -1, 0]


derivation.bridge(
    "... and the sum from the first step to the last",
    Total(j, ells) - ells.at(0),
    _whole_sum,
    log_decay=[[[ells.at(number)] for number in range(4)]],
    calls=(segment_sum,),
    wrong={"that of t left out": Total(j, ells) - ells.at(0) - ells.at(3)},
)
gamma = derivation.number(r"\gamma", "a decay that is the same at all steps", positive=True)
between = derivation.count(j, "(t-s)", "how many steps are between two")
derivation.chain(
    "A constant decay is a power of the distance",
    exp(Total(j, log(gamma))),
    equals(
        gamma**between,
        "the sum has as many equal terms as there are steps between the two",
        wrong={"a power too many": gamma ** (between + 1), "no power": between * gamma},
    ),
    role="remark",
    so=prose(
        r"So $L_{ts}$ is $\gamma^{t-s}$, which is called retention. If $\gamma$ is 1, the mask is {one} for all earlier "
        r"steps, and it is causal linear attention: $C_t$ is the query, $B_s$ the key, $x_s$ the value. With $\Delta_t A$ "
        r"for $\ell_t$ and $\Delta_t u_t$ for $x_t$ it is the selective recurrence with one $A$ for a head.",
        one=holds(exp(Total(j, log(gamma))), "=", 1, when={gamma: 1}, named=True),
    ),
)


def _last_answer(**given):
    return linear_attention(**given)[:, -1]


derivation.bridge(
    "The code's linear attention",
    plus(Total(j, times(Total(n, C * B), x)), times(Total(n, C * B_now), x_now)),
    _last_answer,
    query=[[[C]] * 5],
    key=[[*([B.at(number, n)] for number in range(4)), [B_now]]],
    value=[[*([[x.at(number)]] for number in range(4)), [[x_now]]]],
    calls=(linear_attention,),
)

for written, meaning in (
    (r"\Delta_t", "the length of a step"),
    ("A", "the eigenvalue of a head"),
    ("u_t", "the input before that"),
):
    derivation.symbol(written, meaning)


derivation.numeric(
    r"h_t = e^{\Delta_t A} h_{t-1} + \Delta_t u_t B_t^\top",
    because="The same, entry by entry of the state, by the scan of numbers: three heads, each with its own $A$, 12 steps.",
    role="remark",
)(lanes_of_a_scan)


derivation.say(
    r"What does the past leave behind? Cut the sums at a step $r$ between $s$ and $t$: $\mathrm{seg}(t,s)$ is "
    r"$\mathrm{seg}(t,r) + \mathrm{seg}(r,s)$. The mask is a product, and with it the matrix."
)
i = derivation.index("i", "a step after $r$")
p = derivation.numbers(r"\mathrm{{seg}}({},r)", i, "the decays from $r$ to a later step")
q = derivation.numbers(r"\mathrm{{seg}}(r,{})", j, "the decays from an earlier step to $r$")
D = derivation.numbers("C_{{{},{}}}", (i, n), "what the later steps read", "c")
state = derivation.define("h_{{r,{}}}", Total(j, exp(q) * x * B), "the state at $r$", over=n)
cut = derivation.chain(
    "All that crosses a step goes through its state",
    times(exp(p + q), Total(n, times(D, B))),
    equals(
        Total(n, times(times(exp(p), D), times(exp(q), B))),
        "the decay up to $r$ stays with the earlier step, the rest goes to the later one",
        wrong={"added": Total(n, (exp(p) + exp(q)) * D * B)},
    ),
    so="The block of rows after $r$ and columns up to $r$ is a product of a matrix with $N$ columns and one with $N$ rows: "
    "its rank is at most $N$. Such matrices are called semiseparable.",
)


@derivation.symbolic(
    r"\det M = \prod_t C_t^\top B_t",
    because="$M$ is triangular, and the diagonal of its mask is 1: it has full rank unless a factor is 0, although the "
    "blocks below the diagonal have at most the rank of the state. So minors of size $N + 1$ there are zero: with one state "
    "all of four steps, and with two states that of rows 3 to 5 and columns 1 to 3 of five steps.",
    role="remark",
)
def minors_of_the_matrix():
    one, two = _matrix(4, 1), _matrix(5, 2)
    minors = [
        one[[row, below], [column, column + 1]].det()
        for row in range(1, 4)
        for below in range(row + 1, 4)
        for column in range(row)
    ]
    wide = sympy.expand(two[2:5, 0:3].det())
    diagonal = sympy.prod(one[t, t] for t in range(4))
    found = [sympy.expand(one.det(method="berkowitz")), *(sympy.simplify(minor) for minor in minors), wide]
    zeros = [sympy.Integer(0)] * (len(minors) + 1)
    return Sides(
        left=found,
        right=[diagonal, *zeros],
        wrong={"the mask on the diagonal, too": [diagonal * exp(sympy.Symbol("l_0")), *zeros]},
    )


@derivation.numeric(
    r"\mathrm{rank}\left(M_{t > r,\, s \le r}\right) \le N",
    because="24 steps, three states: the singular values from the fourth on of every such block, relative to the largest.",
    scale=1.0,
    role="remark",
)
def ranks_of_blocks():
    rng = np.random.default_rng(1)
    decays, (b, c) = -rng.uniform(0.0, 0.5, (1, 24, 1)), rng.normal(size=(2, 1, 24, 1, 3))
    unit = jnp.eye(24)[None, :, None, :]  # 24 values, each an impulse
    matrix = np.asarray(dual_quadratic(unit, jnp.array(decays), jnp.array(b), jnp.array(c)))[0, :, 0]
    values = [np.linalg.svd(matrix[cut:, :cut], compute_uv=False) for cut in range(4, 21)]
    beyond = np.concatenate([v[3:] / v[0] for v in values])
    own = np.linalg.svd(matrix, compute_uv=False)
    return Sides(left=beyond, right=np.zeros_like(beyond), wrong={"of the whole matrix": np.full_like(beyond, own[3] / own[0])})


w = derivation.numbers("w_{}", i, r"the products of mask and scores of this step with the steps of its chunk, $M_{ti}$")
z = derivation.numbers("x_{}", i, "their inputs", "x")
P_r = derivation.number(r"\mathrm{seg}(t,r)", "the decays since the chunk's beginning")
chunks = derivation.chain(
    "Chunks: attention inside, a state from outside",
    plus(Total(j, times(exp(P_r + q), Total(n, times(C, B)), x)), Total(i, times(w, z))),
    equals(
        plus(times(exp(P_r), Total(n, times(C, Total(j, times(exp(q), x, B))))), Total(i, times(w, z))),
        "the sum over all steps is cut at $r$, and the mask of the earlier ones is a product",
        wrong={"once for each step": plus(Total(j, exp(2 * P_r + q) * Total(n, C * B) * x), Total(i, w * z))},
    ),
    equals(
        plus(times(exp(P_r), Total(n, times(C, state))), Total(i, times(w, z))),
        r"the inner sum is $h_r$: the past is not needed any more",
    ),
    uses=(cut,),
    so=r"And the state after the chunk, $h_{r+Q}$, is $e^{\mathrm{seg}(r+Q,r)} h_r + \sum_i e^{\mathrm{seg}(r+Q,i)} x_i "
    r"B_i^\top$, by the same cut. Every $Q$ gives the same numbers: chunks of one step are the recurrence, one chunk of all "
    "is the attention.",
)


derivation.numeric(
    r"y_t = e^{\mathrm{seg}(t,r)}\, h_r C_t + \sum_{r < s \le t} M_{ts}\, x_s",
    because="Chunks of 1, 2, 4 and 8 steps of a sequence of 8, with four heads in two groups.",
    role="remark",
)(every_chunk_size)


T = derivation.number("T", "the number of steps", positive=True)
Q = derivation.number("Q", "the length of a chunk", "chunk", positive=True)
N = derivation.number("N", "the size of a state", positive=True)
P = derivation.number("P", "the width of a head", positive=True)
best = derivation.define("Q^*", sqrt(N * P / (N + P)), "the cheapest length of a chunk", positive=True)
derivation.chain(
    "The work of all chunks is linear in the length, and least at one length of a chunk",
    times(T / Q, plus(times(Q**2, N), times(Q**2, P), times(2, Q, N, P), times(N, P))),
    equals(
        plus(times(T, Q, N + P), times(2, T, N, P), times(T / Q, N, P)),
        r"in each of $T/Q$ chunks: the scores, their product with $X$, what is written and what is read of the state, and its "
        r"decay",
        wrong={"of one chunk": Q**2 * (N + P) + 2 * Q * N * P + N * P},
    ),
    equals(
        plus(times(2, T, N, P), times(2, T, N + P, best), times(T, N + P, (Q - best) ** 2 / Q)),
        prose("{product}; complete the square", product=holds(N * P, "=", times(N + P, best**2))),
    ),
    at_least(
        plus(times(2, T, N, P), times(2, T, N + P, best)),
        prose("leave out the square, which is zero at {best}", best=where(Q, best)),
        dropping=times(T, N + P, (Q - best) ** 2 / Q),
    ),
    so="Linear in $T$ for each fixed $Q$, where attention, one chunk of all steps, is quadratic. Machines multiply large "
    "matrices faster than small ones, so that chunks of 64 to 256 steps are common.",
)

EXAMPLE_DECAYS = jnp.log(jnp.array([0.5, 0.5, 0.25]))[None, :, None]
EXAMPLE_X = jnp.array([4.0, 2.0, 1.0])[None, :, None, None]
ONES = jnp.ones((1, 3, 1, 1))


derivation.algorithm(
    "The chunked algorithm",
    do(r"$h \leftarrow 0$; for each chunk of $Q$ steps, after the step $r$:"),
    do(
        r"$L_{ti} \leftarrow e^{\mathrm{seg}(t,i)}$ for all pairs of the chunk, from sums of $\ell$",
        segment_sum,
        by=same_map,
        indent=1,
    ),
    do(
        r"$y_t \leftarrow \sum_i L_{ti} (C_t^\top B_i) x_i + e^{\mathrm{seg}(t,r)} h\, C_t$, all $t$ at once",
        dual_chunked,
        by=chunks,
        indent=1,
    ),
    do(r"$h \leftarrow e^{\mathrm{seg}(r+Q,r)} h + \sum_i e^{\mathrm{seg}(r+Q,i)} x_i B_i^\top$", by=cut, indent=1),
    do("chunks of one step: the recurrence, as in generation; one chunk: attention", dual_recurrent, dual_quadratic, by=same_map),
)(two_chunks)


@derivation.example(r"One state and one value, $B$ and $C$ of 1, the decays $\frac12, \frac12, \frac14$ and the inputs 4, 2, 1.")
def three_steps():
    mask = jnp.exp(segment_sum(EXAMPLE_DECAYS))[0, 0]
    for row, said in enumerate(("(1, 0, 0)", "(1/2, 1, 0)", "(1/8, 1/4, 1)")):
        yield rf"L_{row + 1}", mask[row], said
    yield r"y = L x", dual_quadratic(EXAMPLE_X, EXAMPLE_DECAYS, ONES, ONES)[0, :, 0, 0], "(4, 4, 2)"
    yield "h", dual_recurrent(EXAMPLE_X, EXAMPLE_DECAYS, ONES, ONES, jnp.zeros((1, 1, 1, 1)))[0][0, :, 0, 0], "(4, 4, 2)"
    yield r"y \text{ without decay}", linear_attention(ONES, ONES, EXAMPLE_X)[0, :, 0, 0], "(4, 6, 7)"


derivation.figure(
    "Left: the matrix of a sequence of 16 steps with two states, in chunks of four. The blocks on the diagonal are "
    "attention; each block below has rank 2. Right: multiplications for each step with 64 states and values, and the "
    "cheapest chunk.",
    panels=2,
)(matrix_and_cost)


def _matrix(steps, states):
    """M over symbols."""
    decays = sympy.symbols(f"l_0:{steps}", real=True)
    write, read = (sympy.Matrix(steps, states, sympy.symbols(f"{name}_0:{steps * states}")) for name in "BC")
    return sympy.Matrix(
        steps, steps, lambda t, s: exp(sum(decays[s + 1 : t + 1])) * (read[t, :] * write[s, :].T)[0] if s <= t else 0
    )
