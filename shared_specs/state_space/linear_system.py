"""Contracts of linear systems in continuous time (lecture 56)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Complex, Law, Rejects, given, normal, scalar, uniform, zeros

TIMES = uniform(5, low=0.1, high=2.0)
# All systems have three states and are seen at five times, since a size costs more than a row. This one is stable and not
# symmetric: the example's triangle and a third state that all of them feel.
A = [[-1.0, 1.0, 0.25], [0.5, -2.0, 0.0], [-0.5, 0.75, -0.6]]
SYSTEM = dict(a=A, b=normal(3), c=normal(3))
TURN = [[0.0, -60.0, 0.0], [60.0, 0.0, 0.0], [0.0, 0.0, -1.0]]  # ||At|| is 120 at t = 2
NILPOTENT = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
STIFF = [[-12.0, 4.0, 0.0], [0.0, -0.5, 0.0], [1.0, 0.0, -1.0]]
ENDS = dict(b=[1.0, 0.5, -0.75], c=[0.25, 2.0, 1.5])
# The lecture's example: h(t) = e^-t - e^-2t, H(s) = 1 / (s + 1) (s + 2).
CHAIN = dict(a=[[-1.0, 1.0], [0.0, -2.0]], b=[0.0, 1.0], c=[1.0, 0.0])
RESPONSES = ("state_transition", "impulse_response", "step_response")
SYSTEMS = {  # and the functions that are compared on each
    "regular": (TIMES, SYSTEM, RESPONSES),
    "time 0 and after": ([0.0, 0.01, 1.5, 0.0, 0.25], SYSTEM, RESPONSES),
    "nilpotent": (TIMES, dict(a=NILPOTENT, **ENDS), RESPONSES[::2]),
    "a rotation by up to 120": ([0.5, 1.0, 2.0, 0.0, 1.5], dict(a=TURN, **ENDS), RESPONSES[:2]),
    "fast and slow": ([0.0, 0.25, 1.0, 0.5, 0.01], dict(a=STIFF, **ENDS), RESPONSES[::2]),
    "growing": (TIMES, dict(a=[[1.5, 2.0, 0.0], [0.5, 0.25, 0.0], [0.0, 1.0, -0.5]], **ENDS), RESPONSES[:1]),
    "no dynamics at all": (TIMES, dict(a=zeros(3, 3), **ENDS), RESPONSES[::2]),
}


def _agrees():
    more = dict(impulse_response={}, step_response=dict(d=scalar(0.5), initial=normal(3)))
    for case, (times, system, functions) in SYSTEMS.items():
        for function in functions:
            arguments = system | more[function] if function in more else dict(a=system["a"])
            yield Agree(function, case, given(times=times, **arguments))


def complex_of(parts):
    """The complex numbers that a result's two parts are."""
    return parts[0] + 1j * parts[1]


def parts_of(numbers):
    """The two parts of complex numbers, as one real array."""
    return np.stack([numbers.real, numbers.imag])


SPEC = (
    *_agrees(),
    Agree("state_transition", "back in time", given(times=[-1.0, -0.25, 2.0, 0.5, -2.0], a=A)),
    Agree("step_response", "one state", given(times=TIMES, a=[[-0.7]], b=[1.5], c=[2.0], d=scalar(0.5), initial=[0.5])),
    Agree("transfer_function", "regular", given(frequencies=Complex(normal(5), normal(5, mean=2.0)), **SYSTEM, d=scalar(0.5))),
    Agree(
        "transfer_function",
        "on the imaginary axis, slow and fast",
        given(frequencies=Complex(zeros(5), [0.0, 0.1, -1.0, 1000.0, 3.0]), **SYSTEM, d=scalar(0.5)),
    ),
    Agree(
        "transfer_function",
        "near a resonance",
        given(frequencies=Complex([0.001, 0.0, 0.5, -0.01, 2.0], [60.0, 59.0, 1.0, -60.0, 0.0]), a=TURN, **ENDS, d=scalar(-1.0)),
    ),
    Anchor(
        "state_transition",
        "the example at log 2, and at 0",
        given(times=[LOG_2, 0.0], a=CHAIN["a"]),
        gives=[[[0.5, 0.25], [0.0, 0.25]], [[1.0, 0.0], [0.0, 1.0]]],
        source="e^-t = 1/2, e^-2t = 1/4",
        near_misses={
            "elementwise": [[[0.5, 2.0], [1.0, 0.25]], [[1.0, 1.0], [1.0, 1.0]]],
            "transposed": [[[0.5, 0.0], [0.25, 0.25]], [[1.0, 0.0], [0.0, 1.0]]],
            "the sign of t": [[[2.0, -2.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]],
            "to first order": [[[1 - LOG_2, LOG_2], [0.0, 1 - 2 * LOG_2]], [[1.0, 0.0], [0.0, 1.0]]],
        },
    ),
    Anchor(
        "impulse_response",
        "the example at log 2, and at 0",
        given(times=[LOG_2, 0.0], **CHAIN),
        gives=[0.25, 0.0],
        source="1/2 - 1/4",
        near_misses={"elementwise": [2.0, 1.0], "b and c exchanged": [0.0, 0.0], "its integral": [0.125, 0.0]},
    ),
    Anchor(
        "step_response",
        "the example at log 2, from rest and D = 3",
        given(times=[LOG_2, 0.0], **CHAIN, d=scalar(3.0), initial=[0.0, 0.0]),
        gives=[3.125, 3.0],
        source="1/2 - 1/2 + 1/8",
        near_misses={
            "sign of the integral": [2.875, 3.0],
            "impulse response": [3.25, 3.0],
            "D forgotten": [0.125, 0.0],
            "at the end": [3.5, 3.5],
        },
    ),
    Anchor(
        "step_response",
        "a double integrator",
        given(times=[3.0], a=[[0.0, 1.0], [0.0, 0.0]], b=[0.0, 1.0], c=[1.0, 0.0], d=scalar(0.0), initial=[1.0, 2.0]),
        gives=[11.5],
        source="1 + 2 t + t^2 / 2 at t = 3",
        near_misses={"from rest": [4.5], "the initial state alone": [7.0], "Euler's step": [7.0], "t squared": [16.0]},
    ),
    Anchor(
        "transfer_function",
        "the example at 3, 0 and i",
        given(frequencies=Complex([3.0, 0.0, 0.0], [0.0, 0.0, 1.0]), **CHAIN, d=scalar(0.0)),
        gives=([0.05, 0.5, 0.1], [0.0, 0.0, -0.3]),
        source="1 / (4 x 5), 1/2, 1 / (1 + 3i)",
        near_misses={
            "the sign of s": ([0.5, 0.5, 0.1], [0.0, 0.0, 0.3]),
            "sI + A": ([-0.5, -0.5, -0.1], [0.0, 0.0, 0.3]),
            "conjugate": ([0.05, 0.5, 0.1], [0.0, 0.0, 0.3]),
            "b and c exchanged": ([0.0] * 3, [0.0] * 3),
        },
    ),
    Law.equal(
        "two times one after the other",
        given(times=TIMES, a=A),
        left=lambda f, t, a: f.state_transition(t + 0.75, a),
        right=lambda f, t, a: f.state_transition(t, a) @ f.state_transition(np.full(5, 0.75), a)[0],
    ),
    Law.equal(
        "the way back",
        given(times=TIMES, a=A),
        left=lambda f, t, a: f.state_transition(t, a) @ f.state_transition(-t, a),
        right=np.eye(3),
    ),
    Law.equal(
        "the determinant is the exponential of the trace",
        given(times=TIMES, a=A),
        left=lambda f, t, a: np.linalg.det(f.state_transition(t, a)),
        right=lambda f, t, a: np.exp(t * np.trace(a)),
    ),
    Law.equal(
        "the step response's slope is the impulse response",
        given(times=TIMES, **SYSTEM),
        left=lambda f, t, a, b, c: f.gradient("step_response", t, a, b, c, np.array(2.0), np.zeros(3), wrt=0),
        right=lambda f, t, a, b, c: f.impulse_response(t, a, b, c),
    ),
    Law.equal(
        "from rest, with an invertible A",
        given(times=TIMES, **SYSTEM),
        left=lambda f, t, a, b, c: f.step_response(t, a, b, c, np.array(0.0), np.zeros(3)),
        right=lambda f, t, a, b, c: c @ np.linalg.inv(a) @ ((f.state_transition(t, a) - np.eye(3)) @ b).T,
    ),
    Law.equal(
        "without an input's path the state runs out by itself",
        given(times=TIMES, a=A, c=normal(3), initial=normal(3)),
        left=lambda f, t, a, c, x: f.step_response(t, a, np.zeros(3), c, np.array(0.0), x),
        right=lambda f, t, a, c, x: f.impulse_response(t, a, x, c),
    ),
    Law.equal(
        "the state is a gauge",
        given(times=TIMES, **SYSTEM, change=normal(3, 3)),
        left=lambda f, t, a, b, c, change: f.impulse_response(
            t, change @ a @ np.linalg.inv(change), change @ b, c @ np.linalg.inv(change)
        ),
        right=lambda f, t, a, b, c, change: f.impulse_response(t, a, b, c),
    ),
    Law.equal(
        "a sum of exponentials",
        given(times=TIMES, **SYSTEM),
        left=lambda f, t, a, b, c: f.impulse_response(t, a, b, c),
        right=lambda f, t, a, b, c: _sum_of_exponentials(t, a, b, c),
    ),
    Law.equal(
        "in the end the output is H(0)",
        given(**SYSTEM),
        left=lambda f, a, b, c: f.step_response(np.full(5, 120.0), a, b, c, np.array(0.5), np.ones(3)),
        right=lambda f, a, b, c: f.transfer_function(Complex(np.zeros(5), np.zeros(5)), a, b, c, np.array(0.5))[0],
    ),
    Law.equal(
        "the conjugate frequency has the conjugate gain",
        given(**SYSTEM, re=normal(5, mean=1.0), im=normal(5)),
        left=lambda f, a, b, c, re, im: parts_of(complex_of(f.transfer_function(Complex(re, -im), a, b, c, np.array(0.5)))),
        right=lambda f, a, b, c, re, im: parts_of(
            complex_of(f.transfer_function(Complex(re, im), a, b, c, np.array(0.5))).conj()
        ),
    ),
    Law.equal(
        "systems in series multiply",
        given(**SYSTEM, re=normal(5, mean=1.0), im=normal(5)),
        left=lambda f, a, b, c, re, im: parts_of(
            complex_of(f.transfer_function(Complex(re, im), *_in_series(a, b, c), np.array(0.0)))
        ),
        right=lambda f, a, b, c, re, im: parts_of(
            complex_of(f.transfer_function(Complex(re, im), a, b, c, np.array(0.0))) / (re + 1j * im + 1)
        ),
    ),
    *(
        Rejects(function, "before the input", given(times=[0.5, -0.5], **CHAIN, **more), blames="times")
        for function, more in {"impulse_response": {}, "step_response": dict(d=scalar(0.0), initial=zeros(2))}.items()
    ),
    Rejects("state_transition", "more rows than columns", given(times=zeros(2), a=zeros(3, 2)), blames="a"),
    Rejects("state_transition", "no state", given(times=zeros(2), a=zeros(0, 0)), blames="a"),
    Rejects("state_transition", "times in two axes", given(times=zeros(2, 1), a=zeros(2, 2)), blames="times"),
    Rejects("impulse_response", "b a column", given(times=zeros(3), a=CHAIN["a"], b=zeros(2, 1), c=zeros(2)), blames="b"),
    Rejects("impulse_response", "c of another width", given(times=zeros(3), a=CHAIN["a"], b=zeros(2), c=zeros(1)), blames="c"),
    Rejects("step_response", "d an array", given(times=zeros(3), **CHAIN, d=zeros(1), initial=zeros(2)), blames="d"),
    Rejects(
        "step_response",
        "an initial state of another width",
        given(times=zeros(3), **CHAIN, d=scalar(0.0), initial=zeros(3)),
        blames="initial",
    ),
    Rejects(
        "transfer_function",
        "frequency 0 of an integrator",
        given(frequencies=Complex([1.0, 0.0], [0.0, 0.0]), a=[[0.0, 1.0], [0.0, 0.0]], b=zeros(2), c=zeros(2), d=scalar(0.0)),
        blames="frequencies",
    ),
    Rejects(
        "transfer_function",
        "an eigenvalue",
        given(frequencies=Complex([-2.0], [0.0]), **CHAIN, d=scalar(0.0)),
        blames="frequencies",
    ),
    Rejects(
        "transfer_function",
        "the frequency of a rotation",
        given(frequencies=Complex([0.0], [-60.0]), a=TURN, **ENDS, d=scalar(0.0)),
        blames="frequencies",
    ),
    Rejects("transfer_function", "d an array", given(frequencies=Complex([1.0], [0.0]), **CHAIN, d=zeros(1)), blames="d"),
    Rejects(
        "transfer_function",
        "a single frequency",
        given(frequencies=Complex(scalar(1.0), scalar(0.0)), **CHAIN, d=scalar(0.0)),
        blames="frequencies",
    ),
)


def _sum_of_exponentials(times, a, b, c):
    """sum_i (CV)_i (V^-1 B)_i e^(lambda_i t): the real part, the imaginary ones cancel."""
    rates, vectors = np.linalg.eig(a)
    return (np.exp(times[:, None] * rates) @ ((c @ vectors) * np.linalg.solve(vectors, b))).real


def _in_series(a, b, c):
    """The system with its output as the input of y' = u - y."""
    size = len(b)
    joint = np.zeros((size + 1, size + 1))
    joint[:size, :size], joint[size, :size], joint[size, size] = a, c, -1.0
    return joint, np.append(b, 0.0), np.append(np.zeros(size), 1.0)
