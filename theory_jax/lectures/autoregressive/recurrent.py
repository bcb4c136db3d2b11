"""Recurrent networks: why a plain cell forgets, and what gates change.

The lecture on the functions of theory_jax/autoregressive/recurrent.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, tanh

from theory_jax.autoregressive.recurrent import gru_cell, lstm_cell, lstm_sequence, rnn_cell
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.draws import draw
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._cells import flat, memory, plain_cell, probabilities_of_texts, two_tokens

derivation = Derivation(
    module=__name__,
    title="Recurrent networks: why a plain cell forgets, and what gates change",
    lectures=(42,),
    sources=(
        "Hochreiter & Schmidhuber 1997, Long short-term memory",
        "Gers, Schmidhuber & Cummins 2000, Learning to forget: continual prediction with LSTM",
        "Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks",
        "Cho et al. 2014, Learning phrase representations using RNN encoder-decoder (the GRU)",
        "Jozefowicz, Zaremba & Sutskever 2015, An empirical exploration of recurrent network architectures (the forget bias)",
    ),
    question="A plain recurrent network hardly learns anything from what it read twenty characters ago: on its way back the "
    "gradient has vanished, or exploded. Why does it, although the state is handed on at every step, and what do gates change?",
    setting=(
        r"The plain cell applies tanh to $W x_t + U h_{t-1} + b$; $\|\cdot\|$ is the spectral norm, and $D_t$ the diagonal "
        r"matrix with the entries $1 - h_{t,i}^2$.",
        "The LSTM has gates $i$, $f$ and $o$, logistic functions of $W x_t + U h_{t-1} + b$, and a content $g$, a tanh of it. "
        r"The cell is $f_t c_{t-1} + i_t g_t$, and the state $o_t \tanh c_t$. The GRU has gates $r$ and $z$, the content "
        r"$\tanh(n_x + r\, n_h)$ and the state $(1 - z)$ times the content $+\, z h_{t-1}$. Products of gates are entry by "
        "entry.",
        r"The language model gives the token after $x_1, \dots, x_t$ the distribution $\mathrm{softmax}(W_o h_t + b_o)$, where "
        r"$h_t$ comes from a state of zero and the embeddings of these tokens.",
        "The chains write out two units and two steps of the plain cell, and one unit of the gated ones; the code is compared "
        "with more.",
    ),
    limits=(
        "That gates learn to stay open, and what the loss surface looks like.",
        r"With recurrent weights in its gates the LSTM's derivative has further terms, and its products may vanish or grow, too.",
        "Time: every step waits for the one before. That is what transformers and scans are for.",
    ),
)

i = derivation.index("i", "a unit of the state, after the step", states=2)
j = derivation.index("j", "a unit, in between", states=2)
k = derivation.index("k", "a unit of the state before", states=2)
h = derivation.numbers("h", j, "the state before two steps", "h")
U = derivation.numbers("U", (i, j), "the recurrent weights", "weight_hidden")
a = derivation.numbers("a", i, "what drives the first step: $W x_t + b$")
b = derivation.numbers("b", i, "what drives the second one")
first = derivation.define("h'", tanh(plus(a, Total(j, times(U, h)))), "the state after one step", "rnn_cell", over=i)
second = derivation.define("h''", tanh(plus(b, Total(j, times(U, first.at(j))))), "the state after two", "rnn_cell", over=i)
q = derivation.number("q", "what a unit applies tanh to")
tanh_slope, sigmoid = holds(Slope(tanh(q), q), "=", 1 - tanh(q) ** 2), 1 / (1 + exp(-q))
one_step = derivation.chain(
    "The derivative of one step is a recurrent weight, times the slope of tanh",
    Slope(first, h.at(k)),
    equals(
        times(1 - first**2, U.at(i, k)),
        prose(
            "the chain rule; {tanh}, and {inside}",
            tanh=tanh_slope,
            inside=holds(Slope(plus(a, Total(j, times(U, h))), h.at(k)), "=", U.at(i, k)),
        ),
        wrong={"the recurrent weights transposed": (1 - first**2) * U.at(k, i)},
    ),
    role="lemma",
    so=r"As a matrix this is $D_t U$.",
)
derivation.chain(
    "The derivative of two steps is a product, the later factor on the left",
    Slope(second, h.at(k)),
    equals(
        times(1 - second**2, Total(j, times(U, Slope(first.at(j), h.at(k))))),
        "the chain rule: $h''_i$ depends on $h_k$ through every $h'_j$",
    ),
    equals(
        Total(j, times(1 - second**2, U, 1 - first.at(j) ** 2, U.at(j, k))),
        r"the lemma, for the earlier step",
        wrong={"the earlier factor on the left": Total(j, (1 - first**2) * U * (1 - second.at(j) ** 2) * U.at(j, k))},
    ),
    uses=(one_step,),
    central=True,
    so=r"These are the entries of $D'' U D' U$. By the same move for every further step, the derivative of $h_T$ by $h_0$ is "
    r"$D_T U D_{T-1} U \cdots D_1 U$: the same matrix as often as there are steps.",
)
slope_of_tanh = derivation.chain(
    "The slope of tanh is at most one",
    1 - tanh(q) ** 2,
    at_most(1, prose("add the square; equality only at {zero}", zero=where(q, 0)), adding=tanh(q) ** 2),
    role="lemma",
)
for written, meaning, code in (
    ("t", "a step", ""),
    ("T", "the last step", ""),
    ("h_t", "the state after step $t$", "h"),
    ("x_t", "the token of step $t$", ""),
    ("D_t", "the diagonal matrix of $1 - h_{t,i}^2$", ""),
    ("h_{t,i}", "a unit of it", ""),
    ("s", "a step", ""),
    ("m", "a number of steps", ""),
    ("w_t", "the copy of a weight that step $t$ uses", "weight_hidden"),
    ("c_t", "the cell after step $t$", "c"),
    ("f_t", "its forget gate", ""),
    ("p", "the distribution of the model", ""),
):
    derivation.symbol(written, meaning, code)


@derivation.bound(
    r"\Big\|\frac{\partial h_T}{\partial h_0}\Big\| \le \prod_{t \le T} \|D_t\|\, \|U\|",
    because=r"The norm of a product is at most the product of the norms, and that of a diagonal matrix is its largest entry. No "
    r"entry exceeds one (the lemma), so the right side is at most $\|U\|^T$. Automatic differentiation of three steps of three "
    "units, at random; equality where all units are alike and each sees itself alone.",
    uses=(slope_of_tanh,),
)
def vanishing():
    def sides(weights, driven, factor=1.0):
        def states(start, u, inputs):
            found = [start]
            for now in inputs:
                found.append(plain_cell(now, found[-1], u))
            return jnp.stack(found[1:])

        start = jnp.zeros((len(driven), 3))
        largest = jnp.max(1 - jax.vmap(states)(start, weights, driven) ** 2, axis=2)
        last = jax.vmap(jax.jacobian(lambda *given: states(*given)[-1]))(start, weights, driven)
        norms = np.linalg.norm(weights, ord=2, axis=(1, 2))
        return np.linalg.norm(last, ord=2, axis=(1, 2)), factor * np.prod(largest * norms[:, None], axis=1)

    tight = 0.9 * jnp.eye(3)[None], jnp.broadcast_to(jnp.array([0.3, -0.2, 0.5])[:, None], (1, 3, 3))
    wrong = {"a tenth less": lambda weights, driven: sides(weights, driven, factor=0.9)}
    return BoundSides(sides=sides, points=(draw(3, 3, 3, scale=0.7), draw(3, 3, 3, seed=1)), tight=tight, wrong=wrong)


derivation.say(
    "So a norm of $U$ below one is enough for the derivative to vanish, exponentially in the number of steps. A norm above one "
    "is necessary for it to explode, but not enough: the slopes of tanh may make up for it. What does this do to a gradient? "
    "Give every step its own copy of the weight. One unit, two steps."
)
w = derivation.number("w", "a recurrent weight that both steps use", "weight_hidden")
h0 = derivation.number("h_0", "the state before them", "h")
d1 = derivation.number("d_1", "what drives the first step")
d2 = derivation.number("d_2", "what drives the second one")
h1 = derivation.define("h_1", tanh(plus(times(w, h0), d1)), "the state after the first step")
h2 = derivation.define("h_2", tanh(plus(times(w, h1), d2)), "the state after the second one")
over_time = derivation.chain(
    "A weight's gradient is a sum over the steps that used it",
    Slope(h2, w),
    equals(
        times(1 - h2**2, plus(h1, times(w, Slope(h1, w)))),
        "the chain and the product rule: the second step uses $w$ itself, and through $h_1$",
    ),
    equals(
        plus(times(1 - h2**2, h1), times(1 - h2**2, w, 1 - h1**2, h0)),
        r"the same for the first step; multiply out",
        wrong={"the first step's term not carried": plus((1 - h2**2) * h1, (1 - h1**2) * h0)},
    ),
    so=r"The first term is the second step's own. The other is the first step's, carried by the derivative of the second step, "
    "so the contribution of a step $m$ steps back has a product of $m$ such derivatives in it and vanishes with them. Truncated "
    "back-propagation cuts the sum: it keeps the last terms as they are and leaves out the old ones.",
)


@derivation.autodiff(
    r"\frac{d}{dw} \bar h_T = \sum_{s < t \le T} \frac{\partial h_T}{\partial w_t}",
    because="The left side is the code's gradient with the state after step $s$ held constant, of all weights of a cell with two "
    "units. On the right five steps have copies of their own, and the last two are counted.",
    uses=(over_time,),
    role="remark",
)
def truncated():
    inputs, weights = draw(5, 2, scale=0.7), draw(2, 2, seed=1)

    def unrolled(copies, cut=0):
        state = jnp.array([0.3, -0.6])
        for t, (now, u) in enumerate(zip(inputs, copies, strict=True)):
            state = jax.lax.stop_gradient(state) if t == cut else state
            state = plain_cell(now, state, u)
        return state @ jnp.array([1.0, 2.0])

    copies = jnp.stack([weights] * 5)
    each = jax.grad(unrolled)(copies)
    cut = jax.grad(lambda u: unrolled(jnp.stack([u] * 5), cut=3))(weights)
    return Sides(left=cut, right=each[3:].sum(0))


derivation.symbol(r"\bar h_T", r"a combination of the last state's units; the state after step $s$ is held constant")

derivation.say(
    r"Now the LSTM, one unit. Its gates see the state $o \tanh c$ of the step before. What moves them, apart from that, is left "
    "open."
)
c = derivation.number("c", "the cell before the step", "c")
o = derivation.number("o", "the output gate of the step before", between=(0, 1))
read = derivation.define(r"\rho", times(o, tanh(c)), "the state before the step", "h")
drives = [derivation.number(f"d_{gate}", f"what drives ${gate}$, apart from the state") for gate in "ifg"]
weights = [derivation.number(f"U_{gate}", f"the recurrent weight of ${gate}$", "weight_hidden") for gate in "ifg"]
i_gate, f_gate = (
    derivation.define(
        f"{gate}'", 1 / (1 + exp(-plus(drives[n], times(weights[n], read)))), meaning, "jax.nn.sigmoid", positive=True
    )
    for n, (gate, meaning) in enumerate((("i", "the input gate"), ("f", "the forget gate")))
)
content = derivation.define("g'", tanh(plus(drives[2], times(weights[2], read))), "the content")
cell = derivation.define("c'", plus(times(f_gate, c), times(i_gate, content)), "the cell after the step", "lstm_cell")
(U_i, U_f, U_g), reading = weights, times(o, 1 - tanh(c) ** 2)
through_gates = plus(
    times(U_f, f_gate, 1 - f_gate, c), times(U_i, i_gate, 1 - i_gate, content), times(U_g, i_gate, 1 - content**2)
)
derivation.chain(
    "A cell moves the next one directly, and through the gates",
    Slope(cell, c),
    equals(
        plus(f_gate, times(c, Slope(f_gate, c)), times(content, Slope(i_gate, c)), times(i_gate, Slope(content, c))),
        "the product rule",
    ),
    equals(
        plus(f_gate, times(reading, through_gates)),
        prose(
            r"the chain rule, with {sigma} for gates and {tanh}; all three see $c$ through $o \tanh c$",
            sigma=holds(Slope(sigmoid, q), "=", times(sigmoid, 1 - sigmoid)),
            tanh=tanh_slope,
        ),
        points=40,
    ),
    so=prose(
        "If the recurrent weights are cut, {f}, {i} and {g}, the bracket is gone: {left}.",
        f=where(U_f, 0),
        i=where(U_i, 0),
        g=where(U_g, 0),
        left=holds(Slope(cell, c), "=", f_gate),
    ),
    role="lemma",
)
f1, f2, f3 = (derivation.number(f"f_{t}", f"the forget gate of step {t}", between=(0, 1)) for t in (1, 2, 3))
v1, v2, v3 = (derivation.number(f"v_{t}", f"what step {t} adds to the cell: $i g$") for t in (1, 2, 3))
kept = plus(times(f3, plus(times(f2, plus(times(f1, c), v1)), v2)), v3)
carousel = derivation.chain(
    "With the recurrent weights cut, a cell is kept by the product of its gates",
    Slope(kept, c),
    equals(times(f3, f2, f1), "three steps, one in the other; what they add does not depend on $c$"),
    so=r"Over $T$ steps it is $\prod_t f_t$: a product of numbers that the network sets, in place of the power of a matrix that "
    "is given once and for all.",
)
gate_value = derivation.number("f", "a forget gate that does not change", between=(0, 1))
half_life = derivation.define(r"\tau", log(Rational(1, 2)) / log(gate_value), "after so many steps a half is left")
derivation.chain(
    r"A gate that does not change keeps a half for $-\frac{\log 2}{\log f}$ steps",
    exp(times(half_life, log(gate_value))),
    equals(
        Rational(1, 2),
        prose(
            "this is {power}, and the logarithms cancel",
            power=holds(exp(times(half_life, log(gate_value))), "=", gate_value**half_life, named=True),
        ),
    ),
    uses=(carousel,),
    so=r"A gate with a bias $b_f$ alone is $\sigma(b_f)$: its half-life is 1 step at 0, 2.21 at 1, 103 at 5. That is why forget "
    "gates begin with a bias of 1 or more: a network that forgets at once hardly learns that it should not.",
    role="remark",
)
derivation.say(r"The GRU has no separate cell. Its state is an average of what it was and of a content within $(-1, 1)$.")
z = derivation.number("z", "the update gate: the share of the old state", between=(0, 1))
bound = derivation.number("M", "a bound of the content and of the state: the larger of 1 and $|h|$", positive=True)
room = derivation.number("s_n", "how far the content is below it", positive=True)
rest = derivation.number("s_h", "how far the state is below it", positive=True)
derivation.chain(
    "The GRU's state never exceeds the larger of 1 and the state before",
    plus(bound, times(-1, plus(times(1 - z, bound - room), times(z, bound - rest)))),
    equals(
        plus(times(1 - z, room), times(z, rest)),
        "the shares sum to one, so the bound itself cancels",
        wrong={"the shares of old and new exchanged": plus(times(z, room), times(1 - z, rest))},
    ),
    at_least(0, "both terms are positive", dropping=plus(times(1 - z, room), times(z, rest))),
    so="The same with the other sign: no state exceeds the larger of 1 and the state before, in size. A cell of the LSTM has "
    "no such bound; it may grow by one a step, and is read through a tanh.",
    role="remark",
)

derivation.bridge(
    "A plain cell",
    first,
    rnn_cell,
    x=[a],
    h=[h],
    weight_input=jnp.eye(2),
    weight_hidden=U,
    bias=jnp.zeros(2),
    wrong={"the recurrent weights transposed": tanh(plus(a, Total(j, times(U.at(j, i), h))))},
)
out = derivation.number("o'", "the output gate of the step", between=(0, 1))
derivation.bridge(
    "... a cell of the LSTM: its state, and the cell itself",
    (times(out, tanh(cell)), cell),
    lstm_cell,
    x=jnp.zeros((1, 1)),
    h=[[read]],
    c=[[c]],
    weight_input=jnp.zeros((4, 1)),
    weight_hidden=[[U_i], [U_f], [U_g], [0]],
    bias=[*drives, log(out / (1 - out))],
    wrong={
        "i and f exchanged": (out * tanh(i_gate * c + f_gate * content), i_gate * c + f_gate * content),
        "the cell itself is read": (out * cell, cell),
    },
)
old = derivation.number("h", "the state before the step", "h")
reset = derivation.number("r", "the reset gate", between=(0, 1))
n_x = derivation.number("n_x", "what drives the content", "bias_input")
n_h = derivation.number("n_h", "what the state adds to it", "bias_hidden")
new = derivation.define("n", tanh(plus(n_x, times(reset, n_h))), "the content")
derivation.bridge(
    "... and of the GRU",
    plus(times(1 - z, new), times(z, old)),
    gru_cell,
    x=jnp.zeros((1, 1)),
    h=[[old]],
    weight_input=jnp.zeros((3, 1)),
    weight_hidden=jnp.zeros((3, 1)),
    bias_input=[log(reset / (1 - reset)), log(z / (1 - z)), n_x],
    bias_hidden=[0, 0, n_h],
    wrong={"the shares of old and new exchanged": plus(times(z, new), times(1 - z, old))},
)


@derivation.exact(
    r"\sum_{x_{2:T}} p(x_{2:T} | x_1) = 1",
    because="Every text of three further tokens from an alphabet of two, for both first tokens: the logits after a token score "
    "the one that follows it, so this is the chain rule, with the state in place of the whole past. Logits that score their own "
    "token would let it see itself.",
    outcomes=16,
    role="remark",
)
def a_law_of_texts():
    following, itself = probabilities_of_texts()
    return Sides(left=following.sum(1), right=np.ones(2), wrong={"scored by its own logits": itself.sum(1)})


@derivation.numeric(
    r"h_T(x_{1:T}, h_0, c_0) = h_T(x_{s+1:T}, h_s, c_s)",
    because="A state is all that the past leaves: two parts of a text with the state handed over are one pass, in outputs and "
    "last state. A masked step hands over what it was given, so masking the last steps gives the state before them.",
    role="remark",
)
def a_state_is_all_that_is_left():
    text, weights = draw(2, 5, 3), (draw(8, 3, seed=1), draw(8, 2, seed=2), draw(8, seed=3))
    state = draw(2, 2, seed=4), draw(2, 2, seed=5)
    whole = lstm_sequence(text, *state, *weights, None)
    first, *handed = lstm_sequence(text[:, :2], *state, *weights, None)
    outputs, *last = lstm_sequence(text[:, 2:], *handed, *weights, None)
    masked = lstm_sequence(text, *state, *weights, jnp.arange(5) < jnp.full((2, 1), 2))[1:]
    wanted = [*whole[1:], whole[0], *handed]
    parts = [*last, jnp.concatenate([first, outputs], 1), *masked]
    return Sides(left=flat(parts), right=flat(wanted))


derivation.symbol("h_s", "the state after the first part")
derivation.symbol("c_s", "the cell after the first part")
derivation.symbol("c_0", "the cell before the text")


derivation.answer = prose(
    "The derivative of a state by one $m$ steps before is a product of $m$ matrices $D_t U$, each with the entries {step}. If "
    r"the norm of $U$ is below one it vanishes at least as fast as $\|U\|^m$; if it is above one it may grow. A cell of the "
    "LSTM is carried from step to step by multiplication with its forget gate, so with the recurrent weights cut the "
    "derivative is a product of gates, {gates}: numbers between 0 and 1 that the network sets itself, close to one if it wants "
    "to remember.",
    step=holds(Slope(first, h.at(k)), "=", times(1 - first**2, U.at(i, k)), named=True),
    gates=holds(Slope(kept, c), "=", times(f3, f2, f1), wrong={"their sum": f1 + f2 + f3}),
)


derivation.algorithm(
    "An LSTM over a long text: truncated back-propagation",
    do("start from a state and a cell of zero"),
    do("for every piece of the text in turn:"),
    do("take the state and the cell as constants, no gradient flows into the piece before", by=truncated, indent=1),
    do(r"for every token: $c \leftarrow f c + i g$ and $h \leftarrow o \tanh c$", lstm_cell, by=carousel, indent=1),
    do("add up the losses of the next tokens; each weight's gradient is a sum over the steps", by=over_time, indent=1),
    do("take a step of the optimizer; hand the state and the cell over", lstm_sequence, by=a_state_is_all_that_is_left, indent=1),
)(two_tokens)


@derivation.example(
    r"One unit. LSTM: the arguments of $i$, $f$, $g$ and $o$ are 0, $\ln 3$, $\ln 2$ and 0, and the cell is 1; so $i$ is "
    r"$\frac12$, $f$ is $\frac34$, the content is $\frac35$, and the new cell $\frac34 + \frac12 \cdot \frac35$. GRU: $r$, $z$, "
    r"$n_x$, $n_h$ and $h$ are $\frac12$, $\frac34$, 0, $2 \ln 2$ and 1, so the content is $\tanh(\ln 2)$."
)
def one_unit():
    zero, one = jnp.zeros((1, 1)), jnp.ones((1, 1))
    arguments = jnp.array([0.0, np.log(3), np.log(2), 0.0])
    yield "c'", lstm_cell(zero, zero, one, jnp.zeros((4, 1)), jnp.zeros((4, 1)), arguments)[1][0, 0], "1.05"
    biases = jnp.array([0.0, np.log(3), 0.0]), jnp.array([0.0, 0.0, 2 * np.log(2)])
    yield r"h'\ \text{of the GRU}", gru_cell(zero, one, jnp.zeros((3, 1)), jnp.zeros((3, 1)), *biases)[0, 0], "0.9"
    swapped = lstm_cell(zero, zero, one, jnp.zeros((4, 1)), jnp.zeros((4, 1)), arguments[jnp.array([0, 1, 3, 2])])
    yield r"c'\ \text{with}\ g\ \text{and}\ o\ \text{exchanged}", swapped[1][0, 0], "0.75"


derivation.figure(
    "Left: the norm of the derivative of a plain cell's state by one $m$ steps before, for $U$ a multiple of an orthogonal "
    r"matrix with the norms 0.5, 0.9 and 1.1, and random inputs; dashed, the bound $\|U\|^m$. Right: what is left of an LSTM's "
    r"cell after $m$ steps, $\sigma(b_f)^m$.",
    panels=2,
)(memory)
