"""Contracts of a recurrence as a convolution (lecture 56)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Complex, Law, Rejects, given, normal, scalar, uniform, zeros

# Three states, not symmetric, with complex eigenvalues inside the unit disc; b and c without a sign in common.
A = [[0.6, 0.5, 0.1], [-0.4, 0.5, 0.0], [0.25, -0.3, -0.7]]
SYSTEM = dict(a=A, b=normal(3), c=normal(3))
HALVING = dict(a=[[0.5]], b=[1.0], c=[1.0])  # the lecture's example: K = 1, 1/2, 1/4, ...
DELAY = dict(a=[[0.0, 0.0], [1.0, 0.0]], b=[1.0, 0.0], c=[0.0, 1.0])  # K = 0, 1, 0, ...
SHAPES = {"regular": (4, 13, 5), "a kernel longer than the inputs": (2, 5, 9), "one step": (2, 1, 3)}


def _agrees():
    for case, (batch, steps, length) in SHAPES.items():
        arrays = given(inputs=normal(batch, steps), kernel=normal(length))
        yield Agree("causal_convolution_direct", case, arrays)
        yield Agree("causal_convolution_fft", case, arrays)


SPEC = (
    Agree("recurrent_response", "regular", given(inputs=normal(4, 7), initial=normal(4, 3), **SYSTEM, d=scalar(0.5))),
    Agree("recurrent_response", "one step, one state",
          given(inputs=normal(3, 1), initial=normal(3, 1), a=[[0.9]], b=[1.5], c=[2.0], d=scalar(0.0))),
    Agree("convolution_kernel", "regular", given(**SYSTEM, length=11)),
    Agree("convolution_kernel", "a power of two", given(**SYSTEM, length=8)),
    Agree("convolution_kernel", "length 1", given(**SYSTEM, length=1)),
    Agree("convolution_kernel", "nothing is kept", given(a=zeros(2, 2), b=[1.0, 2.0], c=[0.5, 3.0], length=4)),
    *_agrees(),
    Agree("truncated_generating_function", "regular", given(nodes=Complex(normal(5, scale=0.7), normal(5, scale=0.7)), **SYSTEM,
                                                            length=6)),
    Agree("truncated_generating_function", "roots of unity, -1 among them",
          given(nodes=Complex([1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]), **SYSTEM, length=4)),
    Agree("truncated_generating_function", "node 0",
          given(nodes=Complex([0.0, 0.5], [0.0, 0.0]), **SYSTEM, length=3)),
    Agree("truncated_generating_function", "one state, length 1",
          given(nodes=Complex([0.5, 0.25], [0.5, -1.0]), a=[[0.9]], b=[1.5], c=[2.0], length=1)),
    Anchor(
        "recurrent_response", "the example", given(inputs=[[1.0, 2.0, 0.0]], initial=[[0.0]], **HALVING, d=scalar(0.0)),
        gives=([[1.0, 2.5, 1.25]], [[1.25]]), source="by hand",
        near_misses={"the state before the input": ([[0.0, 1.0, 2.5]], [[1.25]]), "the final state one step early":
                     ([[1.0, 2.5, 1.25]], [[2.5]])},
    ),
    Anchor(
        "recurrent_response", "with an initial state and D",
        given(inputs=[[1.0, 2.0, 0.0]], initial=[[4.0]], **HALVING, d=scalar(3.0)),
        gives=([[6.0, 9.5, 1.75]], [[1.75]]), source="states 3, 3.5, 1.75",
        near_misses={"D forgotten": ([[3.0, 3.5, 1.75]], [[1.75]]), "the initial state as x_0": ([[8.0, 10.0, 2.25]], [[2.25]]),
                     "the initial state forgotten": ([[4.0, 8.5, 1.25]], [[1.25]])},
    ),
    Anchor(
        "recurrent_response", "a delay by one step",
        given(inputs=[[1.0, 2.0, 3.0]], initial=[[7.0, 8.0]], **DELAY, d=scalar(0.0)),
        gives=([[7.0, 1.0, 2.0]], [[3.0, 2.0]]), source="the first state is stored, the second put out",
        near_misses={"transposed": ([[0.0, 0.0, 0.0]], [[3.0, 0.0]]), "b and c exchanged": ([[0.0, 0.0, 0.0]], [[0.0, 3.0]])},
    ),
    Anchor(
        "convolution_kernel", "the example", given(**HALVING, length=3), gives=[1.0, 0.5, 0.25], source="powers of 1/2",
        near_misses={"one power too many": [0.5, 0.25, 0.125], "reversed": [0.25, 0.5, 1.0], "shifted": [0.0, 1.0, 0.5]},
    ),
    Anchor(
        "convolution_kernel", "a delay by one step", given(**DELAY, length=3), gives=[0.0, 1.0, 0.0], source="by hand",
        near_misses={"transposed": [0.0, 0.0, 0.0], "elementwise powers": [1.0, 1.0, 1.0]},
    ),
    *(
        Anchor(
            function, "the example", given(inputs=[[1.0, 2.0, 0.0]], kernel=[1.0, 0.5, 0.25]), gives=[[1.0, 2.5, 1.25]],
            source="by hand",
            near_misses={"circular": [[1.5, 2.5, 1.25]], "kernel reversed": [[0.25, 1.0, 2.0]], "a step late": [[0.0, 1.0, 2.5]],
                         "correlation": [[2.0, 2.0, 0.0]], "centered": [[2.5, 1.25, 0.5]]},
        )
        for function in ("causal_convolution_direct", "causal_convolution_fft")
    ),
    Anchor(
        "truncated_generating_function", "the example at length 2",
        given(nodes=Complex([1.0, -1.0, 0.0], [0.0, 0.0, 1.0]), **HALVING, length=2),
        gives=([1.5, 0.5, 1.0], [0.0, 0.0, 0.5]), source="1 + w/2 at 1, -1 and i",
        near_misses={"the factor left out": ([2.0, 2 / 3, 0.8], [0.0, 0.0, 0.4]),
                     "conjugate": ([1.5, 0.5, 1.0], [0.0, 0.0, -0.5]),
                     "1/w for w": ([1.5, 0.5, 1.0], [0.0, 0.0, -0.5]), "A^L alone": ([1.5, 0.5, 0.6], [0.0, 0.0, 0.3])},
    ),
    Law.equal(
        "recurrence from rest is a convolution, and D", given(inputs=normal(3, 11), **SYSTEM),
        left=lambda f, u, a, b, c: f.recurrent_response(u, np.zeros((3, 3)), a, b, c, np.array(0.5))[0],
        right=lambda f, u, a, b, c: f.causal_convolution_direct(u, f.convolution_kernel(a, b, c, length=11)) + 0.5 * u,
    ),
    Law.equal(
        "an initial state adds C A^(t+1) x", given(inputs=normal(2, 6), initial=normal(1, 3), **SYSTEM),
        left=lambda f, u, x, a, b, c: f.recurrent_response(u, np.repeat(x, 2, 0), a, b, c, np.array(0.5))[0],
        right=lambda f, u, x, a, b, c: (f.recurrent_response(u, np.zeros((2, 3)), a, b, c, np.array(0.5))[0]
                                        + f.convolution_kernel(a, a @ x[0], c, length=6)),
    ),
    Law.equal(
        "in two chunks", given(inputs=normal(3, 9), initial=normal(3, 3), **SYSTEM),
        left=lambda f, u, x, a, b, c: np.hstack(_in_chunks(f, u, x, a, b, c)),
        right=lambda f, u, x, a, b, c: np.hstack(f.recurrent_response(u, x, a, b, c, np.array(0.5))),
    ),
    Law.equal(
        "by FFT and directly", given(inputs=normal(3, 17), kernel=normal(6)),
        left=lambda f, u, k: f.causal_convolution_fft(u, k), right=lambda f, u, k: f.causal_convolution_direct(u, k),
    ),
    *(
        Law.equal(
            f"{function}: the Jacobian is a lower-triangular Toeplitz matrix", given(inputs=normal(1, 6), kernel=normal(4)),
            left=lambda f, u, k, function=function: f.jacobian(function, u, k, wrt=0)[0, :, 0],
            right=lambda f, u, k: _toeplitz(k, 6),
        )
        for function in ("causal_convolution_direct", "causal_convolution_fft")
    ),
    Law.equal(
        "the kernel's gradient is a correlation", given(inputs=normal(2, 7), kernel=normal(4)),
        left=lambda f, u, k: f.gradient("causal_convolution_direct", u, k, wrt=1),
        right=lambda f, u, k: np.array([u[:, : 7 - lag].sum() for lag in range(4)]),
    ),
    Law.equal(
        "at the roots of unity it is the Fourier transform of the kernel", given(**SYSTEM),
        left=lambda f, a, b, c: _parts_of(np.fft.fft(f.convolution_kernel(a, b, c, length=6))),
        right=lambda f, a, b, c: np.stack(f.truncated_generating_function(_roots(6), a, b, c, length=6)),
    ),
    Law.equal(
        "it is a polynomial of its node", given(**SYSTEM, w=uniform(5, low=-1.5, high=1.5)),
        left=lambda f, a, b, c, w: f.truncated_generating_function(Complex(w, 0 * w), a, b, c, length=4)[0],
        right=lambda f, a, b, c, w: np.polynomial.polynomial.polyval(w, f.convolution_kernel(a, b, c, length=4)),
    ),
    Rejects("recurrent_response", "no step",
            given(inputs=zeros(2, 0), initial=zeros(2, 1), **HALVING, d=scalar(0.0)), blames="inputs"),
    Rejects("recurrent_response", "one initial state for all",
            given(inputs=zeros(2, 3), initial=zeros(1), **HALVING, d=scalar(0.0)),
            blames="initial"),
    Rejects("recurrent_response", "d an array",
            given(inputs=zeros(2, 3), initial=zeros(2, 1), **HALVING, d=zeros(1)), blames="d"),
    Rejects("recurrent_response", "more rows than columns",
            given(inputs=zeros(2, 3), initial=zeros(2, 2), a=zeros(3, 2), b=zeros(2), c=zeros(2), d=scalar(0.0)), blames="a"),
    Rejects("convolution_kernel", "length 0", given(**HALVING, length=0), blames="length"),
    Rejects("convolution_kernel", "b a column", given(a=zeros(2, 2), b=zeros(2, 1), c=zeros(2), length=3), blames="b"),
    Rejects("convolution_kernel", "c of another width", given(a=zeros(2, 2), b=zeros(2), c=zeros(3), length=3), blames="c"),
    Rejects("convolution_kernel", "no state", given(a=zeros(0, 0), b=zeros(0), c=zeros(0), length=3), blames="a"),
    *(
        Rejects(function, case, given(inputs=inputs, kernel=kernel), blames=blames)
        for function in ("causal_convolution_direct", "causal_convolution_fft")
        for case, inputs, kernel, blames in (
            ("no step", zeros(2, 0), zeros(3), "inputs"), ("a single sequence", zeros(4), zeros(3), "inputs"),
            ("an empty kernel", zeros(2, 4), zeros(0), "kernel"), ("a kernel for each", zeros(2, 4), zeros(2, 4), "kernel"),
        )
    ),
    Rejects("truncated_generating_function", "the inverse of an eigenvalue",
            given(nodes=Complex([1.0, 2.0], [0.0, 0.0]), **HALVING, length=3), blames="nodes"),
    Rejects("truncated_generating_function", "a table of nodes",
            given(nodes=Complex(zeros(2, 2), zeros(2, 2)), **HALVING, length=3), blames="nodes"),
    Rejects("truncated_generating_function", "length 0",
            given(nodes=Complex([1.0], [0.0]), **HALVING, length=0), blames="length"),
)  # fmt: skip


def _in_chunks(f, inputs, initial, a, b, c):
    first, state = f.recurrent_response(inputs[:, :4], initial, a, b, c, np.array(0.5))
    second, state = f.recurrent_response(inputs[:, 4:], state, a, b, c, np.array(0.5))
    return first, second, state


def _toeplitz(kernel, size):
    return sum(k * np.eye(size, k=-lag) for lag, k in enumerate(kernel))


def _roots(count):
    angles = -2 * np.pi * np.arange(count) / count
    return Complex(np.cos(angles), np.sin(angles))


def _parts_of(numbers):
    return np.stack([numbers.real, numbers.imag])
