"""Recurrence as convolution: train on whole sequences, sample step by step.

The lecture on the functions of theory_jax/state_space/convolution.py.
"""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import KroneckerDelta

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.state_space.convolution import (
    causal_convolution_direct,
    causal_convolution_fft,
    convolution_kernel,
    recurrent_response,
    truncated_generating_function,
)

derivation = Derivation(
    module=__name__,
    title="Recurrence as convolution: train on whole sequences, sample step by step",
    lectures=(56,),
    sources=(
        "Cooley & Tukey 1965, An algorithm for the machine calculation of complex Fourier series",
        "Gu et al. 2021, Combining recurrent, convolutional, and continuous-time models with linear state-space layers",
        "Gu, Goel & Re 2022, Efficiently modeling long sequences with structured state spaces",
    ),
    question="A recurrence is computed one step after the other, which wastes a parallel machine, although in training all "
    "inputs are known. A convolution is not, but its kernel seems to need all powers of a matrix, one after the other. Why can a "
    "linear recurrence be trained as a single convolution, and when is its kernel found without the powers?",
    setting=(
        prose(
            r"$x_t = A x_{t-1} + B u_t$ and $y_t = C x_t + D u_t$ for the times $t$ from 0 to $T - 1$, with one input and one "
            r"output; $x_{-1}$ is given. $A, B, C, D$ are the same at all steps, and nothing nonlinear happens between them.",
            said=(r"x_t = A x_{t-1} + B u_t", r"y_t = C x_t + D u_t"),
        ),
        prose(
            r"The kernel is $K_l = C A^l B$, of $L$ entries. The causal convolution is $(K*u)_t = \sum_{j \le t} K_{t-j} u_j$ "
            r"without the lags from $L$ on; that changes no output if $L \ge T$.",
            said=(r"K_l = C A^l B", r"(K*u)_t = \sum_{j \le t} K_{t-j} u_j", r"L \ge T"),
        ),
        "If $A$ has $N$ independent eigenvectors, then in their coordinates the state is $N$ modes, each with its own number "
        r"$a_i$, and an entry of the kernel is $\sum_i c_i a_i^l b_i$. The chains are about these numbers; statements about "
        "matrices are derived for two states, for all matrices.",
    ),
    limits=(
        "Speed, which depends on the machine, and the choice between the forms, which depends on the lengths.",
        "Matrices that change from step to step: then there is no kernel, and a scan takes the place of the convolution.",
        "The claims about chains are derived for three modes and three inputs or kernel entries; the moves are the same for any "
        "number.",
    ),
    trained="Two ways to compute the same sequence. `state_space/diagonal` trains by convolution and samples by recurrence.",
)

UNROLLED = r"x_t = A^{t+1} x_{-1} + \sum_{j \le t} A^{t-j} B u_j"

i = derivation.index("i", "a mode")
j = derivation.index("j", "a step of the input")
t = derivation.count(j, "t", "how many inputs came before")
mode = derivation.numbers("a_{}", i, "what is left of a mode in a step", "a")
gain = derivation.numbers("b_{}", i, "what the input does to it", "b")
read = derivation.numbers("c_{}", i, "what the output sees of it", "c")
start = derivation.numbers("x_{{{},-1}}", i, "the mode before the first input", "initial")
u = derivation.numbers("u_{}", j, "the inputs", "inputs")
now = derivation.number("u_t", "the input now, after $t$ others")
direct = derivation.number("D", "what the output sees of the input directly", "d")
state = derivation.define(
    "x_{{{},t-1}}", mode**t * start + Total(j, mode ** (t - 1 - j) * gain * u), "the mode after $t$ inputs, as claimed", over=i
)
unrolled = derivation.chain(
    "A mode is a sum of all inputs so far, each with a power of what is left of it in a step",
    plus(times(mode, state), times(gain, now)),
    equals(
        plus(times(mode ** (t + 1), start), Total(j, times(mode ** (t - j), gain, u)), times(gain, now)),
        r"multiply the claim for the step before by $a_i$: every power grows by one",
        wrong={
            "the powers stay": mode**t * start + Total(j, mode ** (t - 1 - j) * gain * u) + gain * now,
            "the input decays at once": mode ** (t + 1) * start + Total(j, mode ** (t - j) * gain * u) + mode * gain * now,
        },
    ),
    so=prose(
        "This is the claim for one input more, whose last term has the power 0; without any input both sides are the state "
        r"before the first. So the claim holds at every step. In matrices: $" + UNROLLED + "$.",
        said=(UNROLLED,),
    ),
    role="lemma",
)
K = derivation.define("K_t", Total(i, read * mode**t * gain), "the kernel at the lag $t$", "convolution_kernel")
lagged = derivation.define("K_{{t-{}}}", Total(i, read * mode ** (t - j) * gain), "... and at the lags of the inputs", over=j)
zero = derivation.define("K_0", Total(i, read * gain), "... and of the input now")
output = plus(Total(i, times(read, plus(times(mode, state), times(gain, now)))), times(direct, now))
convolved = plus(Total(j, times(lagged, u)), times(zero, now), times(direct, now))
as_convolution = derivation.chain(
    "The output is a convolution of the inputs with one kernel, plus what is left of the start",
    output,
    equals(
        plus(
            Total(i, times(read, mode ** (t + 1), start)),
            Total(j, times(Total(i, times(read, mode ** (t - j), gain)), u)),
            times(Total(i, times(read, gain)), now),
            times(direct, now),
        ),
        "insert the unrolled state, and sum over the modes first",
    ),
    equals(
        plus(Total(i, times(read, mode ** (t + 1), start)), Total(j, times(lagged, u)), times(zero, now), times(direct, now)),
        "the brackets depend on the lag alone: they are entries of the kernel",
        wrong={
            "the kernel turned around": plus(
                Total(i, read * mode ** (t + 1) * start), Total(j, Total(i, read * mode**j * gain) * u), zero * now, direct * now
            ),
            "a step late": Total(i, read * mode ** (t + 1) * start)
            + Total(j, Total(i, read * mode ** (t - 1 - j) * gain) * u)
            + zero * now
            + direct * now,
        },
    ),
    uses=(unrolled,),
    central=True,
    so=prose(
        "From rest, {rest}, the output is {convolved}: the kernel is what a single input of 1 leaves in the outputs after it. "
        "All outputs of a sequence are one convolution; no state is ever written down. And because the sum began at a state that "
        "was arbitrary, it may begin anywhere: a chunk that starts from the last state of the one before is exact. Train as a "
        "convolution, sample as a recurrence.",
        rest=where(start, 0),
        convolved=holds(output, "=", convolved, named=True),
    ),
)

l = derivation.index("l", "a lag")  # noqa: E741 (the lecture's letter)
w = derivation.number("w", "the variable of the transforms", "nodes")
entry = derivation.define("K_{}", Total(i, read * mode**l * gain), "the kernel at any lag", over=l)
step = derivation.index("s", "a step of the output")
causal = derivation.define(
    "(K*u)_{}",
    Total(j, Total(l, KroneckerDelta(step, j + l) * entry * u)),
    "the convolution: the products of a step and a lag that sum to $s$",
    over=step,
)
derivation.say(
    "A convolution is fast by its transform: the transform of a sequence is the polynomial in $w$ that has its numbers as "
    "coefficients, and Fourier's takes this polynomial at roots of unity."
)
multiplied = derivation.chain(
    "The product of the transforms is the transform of the convolution",
    times(Total(j, u * w**j), Total(l, entry * w**l)),
    equals(Total(j, Total(l, times(entry, u, w ** (j + l)))), "multiply out: a step and a lag add up in the power"),
    equals(
        Total(step, causal * w**step),
        "collect equal powers: at $s$ all products are left whose lag is $s - j$",
        wrong={"a correlation": Total(step, Total(j, Total(l, KroneckerDelta(step, j + 2 - l) * entry * u)) * w**step)},
    ),
    sizes={i: 2, step: 5},
    so="Two transforms, a product of numbers at each node, and one inverse transform take the place of a product for each pair "
    r"of a step and a lag: $O((T + L) \log (T + L))$ operations in place of $O(T L)$, provided that the inverse returns what "
    "is wanted.",
)
below = derivation.index("r", "a step below $n$")
n = derivation.count(below, "n", "the number of nodes")
first, later = (
    derivation.numbers("v_{}", below, "a sequence"),
    derivation.numbers("v_{{n+{}}}", below, "... and what of it lies beyond $n$ steps"),
)
derivation.chain(
    "At the roots of unity what lies beyond the last node comes back at the beginning",
    plus(Total(below, first * w**below), Total(below, later * w ** (n + below))),
    equals(
        plus(Total(below, times(first + later, w**below)), times(w**n - 1, Total(below, later * w**below))),
        prose("{powers}", powers=holds(w ** (n + below), "=", plus(w**below, times(w**n - 1, w**below)))),
        wrong={
            "nothing comes back": plus(Total(below, first * w**below), times(w**n - 1, Total(below, later * w**below))),
            "turned around": plus(Total(below, times(first - later, w**below)), times(w**n - 1, Total(below, later * w**below))),
        },
    ),
    so="At the $n$-th roots of unity the $n$-th power of $w$ is 1, so the last term is zero. A sequence of $n$ numbers is "
    "determined by its values there. So the inverse transform returns the sum $v_r + v_{n+r}$, not $v_r$. The convolution has "
    "$T + L - 1$ steps: with so many nodes, or more, nothing lies beyond. That is why both sequences are padded with zeros.",
)

derivation.say(
    r"The kernel itself has the powers $A^l$ in it. Its transform has not: a geometric sum replaces them by one inverse for each "
    r"node."
)
length = derivation.count(l, "L", "the length of the kernel", "length")
geometric = derivation.chain(
    "A geometric sum is a fraction: all terms but the first and the last cancel",
    times(1 - mode * w, Total(l, mode**l * w**l)),
    equals(plus(Total(l, mode**l * w**l), -Total(l, mode ** (l + 1) * w ** (l + 1))), "multiply out"),
    equals(
        plus(1, -(mode**length) * w**length),
        "all terms but the first and the last appear twice",
        wrong={"one power less": 1 - mode ** (length - 1) * w ** (length - 1)},
    ),
    role="lemma",
)
closed = Total(i, times(read, gain, (1 - mode**length * w**length) / (1 - mode * w)))
of_kernel = derivation.chain(
    "At a node that is no inverse of an eigenvalue, the transform of the kernel has no powers but one",
    Total(l, entry * w**l),
    equals(Total(i, times(read, gain, Total(l, mode**l * w**l))), "insert the kernel, and sum over the lags first"),
    equals(
        closed,
        prose(
            "divide the geometric sum by {factor}, which is {none} only at {pole}, where the sum itself is {sum}",
            factor=1 - mode * w,
            pole=where(mode, 1 / w),
            none=holds(1 - mode * w, "=", 0, named=True),
            sum=holds(Total(l, mode**l * w**l), "=", length, named=True),
        ),
        wrong={
            "w inverted": Total(i, read * gain * (1 - (mode / w) ** length) / (1 - mode / w)),
            "the numerator left out": Total(i, read * gain / (1 - mode * w)),
        },
    ),
    sizes={i: 2},
    uses=(geometric,),
    so="For matrices this is $C (I - A^L w^L)(I - Aw)^{-1} B$, see below. At the $L$-th roots of unity, where the power of $w$ "
    "is 1, the numerator is the same for all of them, and the values are the discrete Fourier transform of $K$: its inverse "
    "returns the kernel. So one power of $A$ is left, and one linear system for each node. For a general $A$ that gains nothing, "
    "since solving a system costs more than the product of a matrix and a vector that yields the next power. It gains where "
    "$A$ has structure: if it is diagonal, a system is a division; the lecture on structured state spaces adds low rank.",
)
derivation.answer = prose(
    "Unrolled from rest, {rest}, a linear recurrence is a convolution of the inputs with one kernel: {convolved} is its "
    "output. In matrices the kernel is $C A^l B$, what a single input of 1 leaves behind. A product of Fourier transforms "
    "computes all outputs at once, if both sequences are padded with zeros. The transform of the kernel needs no powers but "
    "one: {transform} at every node $w$ that is not the inverse of an eigenvalue. That gains something where $A$ has structure, "
    "such as the diagonal one of these modes; else the powers are cheaper. To sample, run the recurrence: the last state is all "
    "that the future needs of the past.",
    rest=where(start, 0),
    convolved=holds(output, "=", convolved, named=True),
    transform=holds(Total(l, entry * w**l), "=", closed, named=True),
)

A = sympy.Matrix(2, 2, sympy.symbols("A_{11} A_{12} A_{21} A_{22}"))
B, C = sympy.Matrix(2, 1, sympy.symbols("B_1 B_2")), sympy.Matrix(1, 2, sympy.symbols("C_1 C_2"))
KERNEL, INPUTS, UPSTREAM = sympy.symbols("K_0:3"), sympy.symbols("u_0:3"), sympy.symbols("g_0:3")
for written, meaning in (
    ("A", "the matrix of the recurrence"),
    ("B", "what the input does to the state"),
    ("C", "what the output sees of it"),
    ("I", "the identity"),
    ("y_t", "the output"),
    ("T", "how many inputs there are"),
    ("J", "any loss"),
):
    derivation.symbol(written, meaning)


@derivation.symbolic(
    r"\sum_{l<L} C A^l B\, w^l = C (I - A^L w^L)(I - A w)^{-1} B",
    because=r"The same for matrices: $I - A^L w^L$ and $(I - Aw)^{-1}$ are functions of $A$, so they commute; $w$ is no inverse "
    "of an eigenvalue. All systems of two states, with kernels of one to three entries.",
    role="remark",
)
def transform_of_matrices():
    node, eye = sympy.Symbol("w"), sympy.eye(2)
    system = eye - A * node
    sums = [sum((C * A**power * B)[0] * node**power for power in range(count)) * system.det() for count in (1, 2, 3)]
    closed = [(C * (eye - A**count * node**count) * system.adjugate() * B)[0] for count in (1, 2, 3)]
    endless = [(C * system.adjugate() * B)[0] for _ in range(3)]
    return Sides(left=sums, right=closed, wrong={"the factor left out": endless})


@derivation.symbolic(
    r"\frac{\partial J}{\partial K_l} = \sum_{t \ge l} \frac{\partial J}{\partial y_t}\, u_{t-l}",
    because=prose(
        r"$K_l$ enters $y_t$ as $K_l u_{t-l}$; likewise, without $D$, $\partial J/\partial u_j = \sum_{t \ge j} K_{t-j}\, "
        r"\partial J/\partial y_t$: the transposed Toeplitz matrix, a correlation. All slopes of the loss, for three inputs and "
        "three entries of the kernel.",
        said=(r"\partial J/\partial u_j = \sum_{t \ge j} K_{t-j}\, \partial J/\partial y_t",),
    ),
    role="remark",
)
def gradients_are_correlations():
    outputs = [sum(KERNEL[step - k] * INPUTS[k] for k in range(step + 1)) for step in range(3)]
    loss = sum(slope * output for slope, output in zip(UPSTREAM, outputs, strict=True))
    of_kernel = [sum(UPSTREAM[step] * INPUTS[step - lag] for step in range(lag, 3)) for lag in range(3)]
    of_inputs = [sum(UPSTREAM[step] * KERNEL[step - k] for step in range(k, 3)) for k in range(3)]
    convolved = [sum(UPSTREAM[lag - k] * INPUTS[k] for k in range(lag + 1)) for lag in range(3)]
    return Sides(
        left=[sympy.diff(loss, symbol) for symbol in (*KERNEL, *INPUTS)],
        right=of_kernel + of_inputs,
        wrong={"a convolution": convolved + of_inputs},
    )


def _last_output(a, **given):
    return recurrent_response(a=jnp.diag(a), **given)[0][0, -1]


derivation.bridge(
    "The code unrolls the recurrence",
    Total(i, read * (mode * state + gain * now)) + direct * now,
    _last_output,
    inputs=[[u.at(0), u.at(1), u.at(2), now]],
    initial=[start],
    a=mode,
    b=gain,
    c=read,
    d=direct,
    calls=(recurrent_response,),
    wrong={"a step early": Total(i, read * state) + direct * now},
    states=3,
)


def _last_entry(a, b, c):
    return convolution_kernel(jnp.diag(a), b, c, length=5)[-1]


derivation.bridge(
    "... computes the kernel",
    K,
    _last_entry,
    a=mode,
    b=gain,
    c=read,
    calls=(convolution_kernel,),
    wrong={
        "a power too many": Total(i, read * mode ** (t + 1) * gain),
        "a power too few": Total(i, read * mode ** (t - 1) * gain),
    },
)


def _transform(nodes, a, b, c):
    return truncated_generating_function(nodes + 0j, jnp.diag(a), b, c, length=4).real


derivation.bridge(
    "... and its transform",
    Total(i, read * gain * (1 - mode**length * w**length) / (1 - mode * w)),
    _transform,
    nodes=[w],
    a=mode,
    b=gain,
    c=read,
    calls=(truncated_generating_function,),
)

HALVING = jnp.array([[0.5]]), jnp.array([1.0]), jnp.array([1.0])
SIGNAL = jnp.array([[1.0, 2.0, 0.0]])


@derivation.numeric(
    r"y_t = (K*u)_t + D u_t",
    because="A random system of three states, 20 inputs: by recurrence from rest, and by the padded Fourier transform.",
    role="appendix",
)
def recurrence_and_fft():
    rng = np.random.default_rng(0)
    system = [jnp.array(0.5 * rng.normal(size=shape)) for shape in ((3, 3), (3,), (3,))]
    signal = jnp.array(rng.normal(size=(2, 20)))
    outputs, _ = recurrent_response(signal, jnp.zeros((2, 3)), *system, jnp.array(0.5))
    kernel = convolution_kernel(*system, length=20)
    circular = jnp.fft.irfft(jnp.fft.rfft(signal) * jnp.fft.rfft(kernel), 20)
    return Sides(
        left=outputs,
        right=causal_convolution_fft(signal, kernel) + 0.5 * signal,
        wrong={"without padding": circular + 0.5 * signal},
    )


@derivation.numeric(
    r"\sum_{l<L} K_l w^l = C (I - A^L w^L)(I - A w)^{-1} B",
    because="At the roots of unity the inverse Fourier transform returns the kernel. Rounding is relative to the largest entry.",
    role="appendix",
)
def the_kernel_from_its_transform():
    rng = np.random.default_rng(1)
    system = [jnp.array(0.5 * rng.normal(size=shape)) for shape in ((4, 4), (4,), (4,))]
    roots = jnp.exp(-2j * jnp.pi * jnp.arange(8) / 8)
    found = jnp.fft.ifft(truncated_generating_function(roots, *system, length=8)).real
    folded = jnp.fft.ifft(truncated_generating_function(roots, *system, length=400)).real
    return Sides(left=found, right=convolution_kernel(*system, length=8), wrong={"the factor left out, nearly": folded})


@derivation.algorithm(
    "Train as a convolution, sample as a recurrence",
    do(
        r"in training: if $A$ has structure and no $L$-th root of unity $w$ as an eigenvalue, $\hat K \leftarrow C (I - A^L w^L)"
        r"(I - Aw)^{-1} B$ at all of these, and $K \leftarrow$ its inverse Fourier transform",
        truncated_generating_function,
        by=of_kernel,
    ),
    do(r"else $K_l \leftarrow C A^l B$ for the lags $l$ from 0 to $L - 1$", convolution_kernel, by=as_convolution),
    do(r"$y \leftarrow K * u + D u$ for the whole sequence, padded with zeros", causal_convolution_fft, by=multiplied),
    do(r"in sampling, with the state $x$, from rest or the last of the chunk before: for each input $u_t$:"),
    do(r"$x \leftarrow A x + B u_t$ and $y_t \leftarrow C x + D u_t$", recurrent_response, by=unrolled, indent=1),
)
def both_ways():
    values = truncated_generating_function(jnp.exp(-2j * jnp.pi * jnp.arange(3) / 3), *HALVING, length=3)
    yield r"A = \tfrac12, B = C = 1, D = 0, u = (1, 2, 0): \quad \hat K \text{ at } w = 1", values[0].real, "1.75"
    yield r"K \text{, its inverse transform}", jnp.fft.ifft(values).real, "(1.00, 0.50, 0.25)"
    kernel = convolution_kernel(*HALVING, length=3)
    yield r"K \text{ by powers}", kernel, "(1.00, 0.50, 0.25)"
    yield r"\text{in training, } y", causal_convolution_fft(SIGNAL, kernel), "(1.00, 2.50, 1.25)"
    state = jnp.zeros((1, 1))
    for step, said in enumerate(("1.00", "2.50")):
        found, state = recurrent_response(SIGNAL[:, step : step + 1], state, *HALVING, jnp.array(0.0))
        yield rf"\text{{in sampling, }} y_{step}", found, said


@derivation.example(
    r"One mode of which half is left in a step, whose input and output have the factor 1, without $D$, from rest, and the inputs "
    r"1, 2, 0. By hand: the state is 1, then $\frac12 + 2$, then half of that."
)
def a_halving():
    kernel = convolution_kernel(*HALVING, length=3)
    yield "K", kernel, "(1, 1/2, 1/4)"
    yield r"y \text{ by recurrence}", recurrent_response(SIGNAL, jnp.zeros((1, 1)), *HALVING, jnp.array(0.0))[0], "(1, 5/2, 5/4)"
    yield r"y \text{ by convolution}", causal_convolution_direct(SIGNAL, kernel), "(1, 5/2, 5/4)"
    full = jnp.fft.irfft(jnp.fft.rfft(SIGNAL, 5) * jnp.fft.rfft(kernel, 5), 5)
    yield r"K*u, \text{ all five steps}", full, "(1, 5/2, 5/4, 1/2, 0)"
    yield (
        r"y \text{ without padding: what lies beyond is added at the beginning}",
        jnp.fft.irfft(jnp.fft.rfft(SIGNAL) * jnp.fft.rfft(kernel), 3),
        "(3/2, 5/2, 5/4)",
    )
    yield (
        r"\sum_{l<2} K_l w^l \text{ at } w = 1, -1",
        truncated_generating_function(jnp.array([1.0 + 0j, -1]), *HALVING, length=2).real,
        "(3/2, 1/2)",
    )


@derivation.figure(
    "Left: a kernel that oscillates as the matrix of its causal convolution; each diagonal has one lag. Right: the outputs for a "
    "random input, by recurrence (line), by padded transforms (dots on it), and without padding, where the first outputs contain "
    "the end.",
    panels=2,
)
def matrix_and_outputs(left, right):
    system = jnp.array([[0.8, 0.45], [-0.45, 0.8]]), jnp.array([1.0, 0.0]), jnp.array([1.0, 0.0])
    kernel = convolution_kernel(*system, length=24)
    left.imshow(causal_convolution_direct(jnp.eye(24), kernel).T, cmap="RdBu", vmin=-1, vmax=1)
    left.set(xlabel="input $j$", ylabel="output $t$")
    signal = jnp.array(np.random.default_rng(3).normal(size=(1, 24)))
    right.plot(recurrent_response(signal, jnp.zeros((1, 2)), *system, jnp.array(0.0))[0][0], label="recurrence")
    right.plot(causal_convolution_fft(signal, kernel)[0], "o", label="padded")
    right.plot(jnp.fft.irfft(jnp.fft.rfft(signal) * jnp.fft.rfft(kernel), 24)[0], "--", label="not padded")
    right.set(xlabel="step $t$", ylabel="output")
    right.legend()
