"""Contracts of discretization rules (lecture 56)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Complex, Law, Rejects, given, normal, scalar, zeros

RULES = ("forward_euler", "backward_euler", "bilinear", "zero_order_hold")
# Three states, stable, not symmetric, with complex eigenvalues; two inputs.
A = [[-1.0, 1.0, 0.25], [-1.5, -2.0, 0.0], [-0.5, 0.75, -0.6]]
SYSTEM = dict(a=A, b=normal(3, 2))
SYSTEMS = {  # and the rules that are compared on each
    "regular": (SYSTEM, 0.3, RULES),
    "a step of 3, too long for forward Euler": (SYSTEM, 3.0, RULES),
    "nilpotent": (dict(a=[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]], b=normal(3, 2)), 0.7, RULES[2:]),
    "a step of 0.0001": (dict(a=normal(3, 3), b=normal(3, 2)), 1e-4, RULES[3:]),
    "fast and slow": (dict(a=[[-20.0, 8.0], [0.0, -0.5]], b=[[1.0], [0.5]]), 0.2, RULES[1:]),
    "a rotation by 10": (dict(a=[[0.0, -20.0], [20.0, 0.0]], b=[[1.0], [0.5]]), 0.5, RULES[3:]),
    "one state, one input": (dict(a=[[-0.7]], b=[[1.5]]), 0.5, RULES[2:]),
    "no dynamics, and no input": (dict(a=zeros(2, 2), b=zeros(2, 0)), 0.25, RULES[2:]),
}
# The lecture's example: z = -1.
DECAY = dict(a=[[-2.0]], b=[[1.0]])
# Position and velocity; the input pushes.
PUSH = dict(a=[[0.0, 1.0], [0.0, 0.0]], b=[[0.0], [1.0]])
E = 0.36787944117144233  # e^-1


def _diagonal(case, real, imaginary, b, step_size):
    return Agree("zero_order_hold_diagonal", case, given(eigenvalues=Complex(real, imaginary), b=b, step_size=scalar(step_size)))


SPEC = (
    *(Agree(rule, case, given(**system, step_size=scalar(step)))
      for case, (system, step, rules) in SYSTEMS.items() for rule in rules),
    _diagonal("regular", [-1.0, -0.5, -2.0, -0.1, 0.3], [0.5, 3.0, -1.0, 20.0, 1.0], normal(5), 0.4),
    _diagonal("eigenvalue 0, and close to it", [0.0, -1e-9, 1e-7, 0.0, -1e-5], [0.0, 0.0, 1e-9, -1e-7, 1e-5], normal(5), 0.5),
    _diagonal("z = -1 + 10i", [-0.1], [1.0], [2.0], 10.0),
    _diagonal("across the end of the series", [-0.49, -0.51, 0.0, 0.0, -0.99, -1.01], [0.0, 0.0, 0.49, 0.51, 0.1, -0.1],
              normal(6), 1.0),
    _diagonal("no state", zeros(0), zeros(0), zeros(0), 1.0),
    Anchor(
        "forward_euler", "the example", given(**DECAY, step_size=scalar(0.5)), gives=([[0.0]], [[0.5]]), source="1 - 1, 1/2",
        near_misses={"backward": ([[0.5]], [[0.25]]), "bilinear": ([[1 / 3]], [[1 / 3]]), "the hold": ([[E]], [[(1 - E) / 2]]),
                     "step forgotten in B": ([[0.0]], [[1.0]]), "the identity forgotten": ([[-1.0]], [[0.5]])},
    ),
    Anchor(
        "forward_euler", "a pushed mass, step 2", given(**PUSH, step_size=scalar(2.0)),
        gives=([[1.0, 2.0], [0.0, 1.0]], [[0.0], [2.0]]), source="by hand",
        near_misses={"the hold": ([[1.0, 2.0], [0.0, 1.0]], [[2.0], [2.0]]),
                     "transposed": ([[1.0, 0.0], [2.0, 1.0]], [[0.0], [2.0]]),
                     "ones for the identity": ([[1.0, 3.0], [1.0, 1.0]], [[0.0], [2.0]])},
    ),
    Anchor(
        "backward_euler", "the example", given(**DECAY, step_size=scalar(0.5)), gives=([[0.5]], [[0.25]]),
        source="1 / (1 + 1), 1/4",
        near_misses={"B not solved for": ([[0.5]], [[0.5]]), "step forgotten in B": ([[0.5]], [[0.5]]),
                     "sign": ([[1 / 3]], [[1 / 6]]), "forward": ([[0.0]], [[0.5]])},
    ),
    Anchor(
        "backward_euler", "a pushed mass, step 2", given(**PUSH, step_size=scalar(2.0)),
        gives=([[1.0, 2.0], [0.0, 1.0]], [[4.0], [2.0]]), source="by hand",
        near_misses={"the hold": ([[1.0, 2.0], [0.0, 1.0]], [[2.0], [2.0]]),
                     "forward": ([[1.0, 2.0], [0.0, 1.0]], [[0.0], [2.0]]),
                     "transposed": ([[1.0, 0.0], [2.0, 1.0]], [[0.0], [2.0]])},
    ),
    Anchor(
        "bilinear", "the example", given(**DECAY, step_size=scalar(0.5)), gives=([[1 / 3]], [[1 / 3]]),
        source="(1 - 1/2) / (1 + 1/2), (1/2) / (3/2)",
        near_misses={"half of the step in B": ([[1 / 3]], [[1 / 6]]), "without the halves": ([[0.0]], [[0.25]]),
                     "turned over": ([[3.0]], [[1.0]]), "B not solved for": ([[1 / 3]], [[0.5]])},
    ),
    Anchor(
        "bilinear", "a pushed mass, step 2", given(**PUSH, step_size=scalar(2.0)),
        gives=([[1.0, 2.0], [0.0, 1.0]], [[2.0], [2.0]]),
        source="by hand",
        near_misses={"half of the step in B": ([[1.0, 2.0], [0.0, 1.0]], [[1.0], [1.0]]),
                     "without the halves": ([[1.0, 4.0], [0.0, 1.0]], [[4.0], [2.0]])},
    ),
    Anchor(
        "zero_order_hold", "the example", given(**DECAY, step_size=scalar(0.5)),
        gives=([[E]], [[(1 - E) / 2]]), source="e^-1, (1 - e^-1)/2",
        near_misses={"the step in place of the integral": ([[E]], [[0.5]]), "without the step": ([[E]], [[1 - E]]),
                     "bilinear": ([[1 / 3]], [[1 / 3]]), "sign": ([[E]], [[(E - 1) / 2]])},
    ),
    Anchor(
        "zero_order_hold", "a pushed mass, step 3", given(**PUSH, step_size=scalar(3.0)),
        gives=([[1.0, 3.0], [0.0, 1.0]], [[4.5], [3.0]]), source="t^2/2 and t at t = 3",
        near_misses={"elementwise": ([[1.0, 20.0855369], [1.0, 1.0]], [[4.5], [3.0]]),
                     "forward": ([[1.0, 3.0], [0.0, 1.0]], [[0.0], [3.0]]),
                     "backward": ([[1.0, 3.0], [0.0, 1.0]], [[9.0], [3.0]])},
    ),
    Anchor(
        "zero_order_hold_diagonal", "a halving, a counter, half a turn: step 2",
        given(eigenvalues=Complex([-LOG_2 / 2, 0.0, 0.0], [0.0, 0.0, np.pi / 2]), b=[1.0, 3.0, 1.0], step_size=scalar(2.0)),
        gives=([0.5, 1.0, -1.0], [0.0, 0.0, 0.0], [1 / LOG_2, 6.0, 0.0], [0.0, 0.0, 4 / np.pi]),
        source="2 (1 - 1/2) / log 2, 2 x 3, -2 x 2 / (pi i)",
        near_misses={"divided by z": ([0.5, 1.0, -1.0], [0.0] * 3, [0.5 / LOG_2, 3.0, 0.0], [0.0, 0.0, 2 / np.pi]),
                     "the step in place of the integral": ([0.5, 1.0, -1.0], [0.0] * 3, [2.0, 6.0, 2.0], [0.0] * 3),
                     "conjugate": ([0.5, 1.0, -1.0], [0.0] * 3, [1 / LOG_2, 6.0, 0.0], [0.0, 0.0, -4 / np.pi]),
                     "0 in place of the limit": ([0.5, 1.0, -1.0], [0.0] * 3, [1 / LOG_2, 0.0, 0.0], [0.0, 0.0, 4 / np.pi])},
    ),
    *(
        Law.equal(
            f"{rule} keeps the steady state of a constant input", given(**SYSTEM, step_size=scalar(0.3)),
            left=lambda f, a, b, step_size, rule=rule: _steady(*getattr(f, rule)(a, b, step_size=step_size)),
            right=lambda f, a, b, step_size: -np.linalg.solve(a, b),
        )
        for rule in RULES
    ),
    Law.equal(
        "two held steps are one of twice the length", given(**SYSTEM, step_size=scalar(0.3)),
        left=lambda f, a, b, step_size: np.hstack(_twice(*f.zero_order_hold(a, b, step_size=step_size))),
        right=lambda f, a, b, step_size: np.hstack(f.zero_order_hold(a, b, step_size=2 * step_size)),
    ),
    Law.equal(
        "bilinear is half a step forward, then half a step backward", given(**SYSTEM, step_size=scalar(0.3)),
        left=lambda f, a, b, step_size: f.bilinear(a, b, step_size=step_size)[0],
        right=lambda f, a, b, step_size: (
            f.backward_euler(a, b, step_size=step_size / 2)[0] @ f.forward_euler(a, b, step_size=step_size / 2)[0]),
    ),
    Law.equal(
        "backward Euler undoes forward Euler in reversed time", given(**SYSTEM, step_size=scalar(0.3)),
        left=lambda f, a, b, step_size: (
            f.backward_euler(a, b, step_size=step_size)[0] @ f.forward_euler(-a, b, step_size=step_size)[0]), right=np.eye(3),
    ),
    Law.equal(
        "bilinear makes rotations of rotations", given(a=normal(4, 4), step_size=scalar(0.8)),
        left=lambda f, a, step_size: _gram(f.bilinear(a - a.T, np.zeros((4, 1)), step_size=step_size)[0]), right=np.eye(4),
    ),
    Law.equal(
        "every rule acts on the eigenvalues alone", given(rates=normal(4), step_size=scalar(0.3)),
        left=lambda f, rates, step_size: np.stack(
            [np.diag(getattr(f, rule)(np.diag(rates), np.ones((4, 1)), step_size=step_size)[0]) for rule in RULES]),
        right=lambda f, rates, step_size: _maps(step_size * rates),
    ),
    Law.equal(
        "a complex mode is a rotation of the plane", given(real=scalar(-0.4), imaginary=scalar(1.5), step_size=scalar(0.8)),
        left=lambda f, x, y, step_size: np.concatenate(
            [np.ravel(part) for part in _parts(f.zero_order_hold_diagonal(_one(x, y), np.ones(1), step_size=step_size))]),
        right=lambda f, x, y, step_size: np.concatenate(
            [block[:, 0] for block in f.zero_order_hold(np.array([[x, -y], [y, x]]), np.array([[1.0], [0.0]]),
                    step_size=step_size)]),
    ),
    Law.limit(
        "forward Euler's error in one step", given(**SYSTEM), at=(0.02, 0.01, 0.005), order=1.0,
        value=lambda f, h, a, b: (f.zero_order_hold(a, b, step_size=h)[0] - f.forward_euler(a, b, step_size=h)[0]) / h**2,
        limit=lambda f, a, b: a @ a / 2,
    ),
    Law.limit(
        "backward Euler's error in one step", given(**SYSTEM), at=(0.02, 0.01, 0.005), order=1.0,
        value=lambda f, h, a, b: (f.backward_euler(a, b, step_size=h)[0] - f.zero_order_hold(a, b, step_size=h)[0]) / h**2,
        limit=lambda f, a, b: a @ a / 2,
    ),
    Law.limit(
        "the bilinear rule's error in one step", given(**SYSTEM), at=(0.04, 0.02, 0.01), order=1.0,
        value=lambda f, h, a, b: (f.bilinear(a, b, step_size=h)[0] - f.zero_order_hold(a, b, step_size=h)[0]) / h**3,
        limit=lambda f, a, b: a @ a @ a / 12,
    ),
    *(Rejects(rule, f"step {step}", given(**DECAY, step_size=scalar(step)), blames="step_size")
      for rule in RULES for step in (0.0, -0.5)),
    *(Rejects(rule, "not square", given(a=zeros(2, 3), b=zeros(2, 1), step_size=scalar(1.0)), blames="a") for rule in RULES),
    *(Rejects(rule, "b a vector", given(a=zeros(2, 2), b=zeros(2), step_size=scalar(1.0)), blames="b") for rule in RULES),
    Rejects("bilinear", "no state", given(a=zeros(0, 0), b=zeros(0, 1), step_size=scalar(1.0)), blames="a"),
    Rejects("zero_order_hold", "b of another system", given(a=zeros(2, 2), b=zeros(3, 1), step_size=scalar(1.0)), blames="b"),
    Rejects("forward_euler", "a step for every state", given(a=zeros(2, 2), b=zeros(2, 1), step_size=zeros(2)),
            blames="step_size"),
    Rejects("backward_euler", "an eigenvalue of 1 / step",
            given(a=[[2.0, 1.0], [0.0, -1.0]], b=[[1.0], [1.0]], step_size=scalar(0.5)), blames="step_size"),
    Rejects("bilinear", "an eigenvalue of 2 / step", given(a=[[4.0, 1.0], [0.0, -1.0]], b=[[1.0], [1.0]], step_size=scalar(0.5)),
            blames="step_size"),
    Rejects("zero_order_hold_diagonal", "step 0", given(eigenvalues=Complex([1.0], [0.0]), b=[1.0],
            step_size=scalar(0.0)), blames="step_size"),
    Rejects("zero_order_hold_diagonal", "b of another length",
            given(eigenvalues=Complex([1.0, 2.0], [0.0, 0.0]), b=zeros(3), step_size=scalar(1.0)), blames="b"),
    Rejects("zero_order_hold_diagonal", "a matrix of eigenvalues",
            given(eigenvalues=Complex(zeros(2, 2), zeros(2, 2)), b=zeros(2, 2), step_size=scalar(1.0)), blames="eigenvalues"),
)  # fmt: skip


def _steady(moving, driving):
    """The state that a constant input leaves unchanged, for each input."""
    return np.linalg.solve(np.eye(len(moving)) - moving, driving)


def _twice(moving, driving):
    return moving @ moving, moving @ driving + driving


def _gram(matrix):
    return matrix.T @ matrix


def _maps(z):
    """The discretized eigenvalue, by rule."""
    return np.stack([1 + z, 1 / (1 - z), (1 + z / 2) / (1 - z / 2), np.exp(z)])


def _one(real, imaginary):
    return Complex(np.array([real]), np.array([imaginary]))


def _parts(pair):
    return [part for number in pair for part in number]
