"""Contracts of diagonal state spaces, S4D (lecture 56)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    Agree,
    Anchor,
    Cancels,
    Complex,
    Initial,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_by_inputs,
    begins_normal,
    full,
    given,
    normal,
    uniform,
    zeros,
)
from shared_specs.state_space._cases import step_by_step

# Three channels of two modes.
MODES = dict(
    output_weights=Complex(normal(3, 2), normal(3, 2)),
    log_step=uniform(3, low=-3.0, high=-0.5),
    log_negative_real=normal(3, 2, scale=0.5),
    imaginary=normal(3, 2, scale=4.0),
)
NO_MODES = dict(
    output_weights=Complex(zeros(2, 3), zeros(2, 3)), log_step=zeros(2), log_negative_real=zeros(2, 3), imaginary=zeros(2, 3)
)


def _one(real, imaginary, log_negative_real, frequency, log_step=0.0):
    """One channel of one mode."""
    return dict(
        output_weights=Complex([[real]], [[imaginary]]),
        log_step=[log_step],
        log_negative_real=[[log_negative_real]],
        imaginary=[[frequency]],
    )


CANCELS = "the published layer subtracts 1 from e^z, which loses the digits of a small z, and more of them in the gradient"
LOG_LOG_2 = float(np.log(LOG_2))
# The lecture's example: e^A = i/2 and C = A, so that K_l = 2 Re[(i/2 - 1) (i/2)^l].
TURN = _one(-LOG_2, np.pi / 2, LOG_LOG_2, np.pi / 2)
HALF_TURN = TURN | dict(log_step=[-LOG_2])  # at half of the step
# Two channels of one mode: one halves and does not turn, the other is that of the example.
PAIR = dict(
    output_weights=Complex([[1.0], [2.0]], [[0.0], [1.0]]),
    log_step=zeros(2),
    log_negative_real=[[LOG_LOG_2], [LOG_LOG_2]],
    imaginary=[[0.0], [np.pi / 2]],
)


def _solver(magnitude):
    return Cancels(magnitude, "a solver's errors are relative to the largest eigenvalue")


# The roots of w^4 - 43/2 w^2 + 105/16.
_SLOW, _FAST = (float(np.sqrt((21.5 + sign * np.sqrt(436.0)) / 2)) for sign in (-1, 1))
FREQUENCIES = {"linear": [0.0, np.pi], "inverse": [12 / np.pi, 4 / (3 * np.pi)], "legs": [_SLOW, _FAST]}
# How a block begins: but for its frequencies, and the matrices as torch has them.
BLOCK = {
    "*norm.weight": begins_at(1),
    "*norm.bias": begins_at(0),
    "*skip": begins_at(1),
    "*log_negative_real": begins_at(-LOG_2),
    "*log_step": Initial("uniform", np.log(1e-2), lambda inputs, outputs: np.log(10) / 3**0.5),
    "*output_*": begins_normal(0.5**0.5),
}

SPEC = (
    *(Agree("initial_eigenvalues", kind, given(order=8, kind=kind), cancels=_solver(20.0) if kind == "legs" else None)
      for kind in FREQUENCIES),
    Agree("diagonal_kernel", "regular", given(**MODES, length=11)),
    Agree("diagonal_kernel", "a square number of entries", given(**MODES, length=9)),
    Agree("diagonal_kernel", "one channel, one mode, length 1", given(**_one(0.5, -2.0, -0.7, 3.0, -1.0), length=1)),
    Agree("diagonal_kernel", "a step of e^-12", given(**MODES | dict(log_step=full(3, value=-12.0)), length=5),
          edge=CANCELS),
    Agree("diagonal_kernel", "modes that do not turn, barely decay, or are gone at once",
          given(output_weights=Complex(normal(2, 3), normal(2, 3)), log_step=[-1.0, 1.0],
                log_negative_real=[[-0.7, -20.0, 5.0], [0.0, -15.0, 3.0]],
                imaginary=[[0.0, 1e-3, 2.0], [6.0, 0.0, 0.0]], length=6), edge=CANCELS),
    Agree("diagonal_kernel", "4096 entries, phases up to 10000",
          given(output_weights=Complex(normal(1, 3), normal(1, 3)), log_step=[-5.0], log_negative_real=full(1, 3, value=-0.7),
                imaginary=[[0.0, 20.0, 350.0]], length=4096)),
    Agree("diagonal_step", "regular", given(inputs=normal(4, 3), state=Complex(normal(4, 3, 2), normal(4, 3, 2)), **MODES)),
    Agree("state_space_layer", "regular", given(inputs=normal(4, 3, 7), **MODES, skip=normal(3))),
    Agree("state_space_layer", "one step", given(inputs=normal(2, 3, 1), **MODES, skip=normal(3))),
    *(
        Anchor("initial_eigenvalues", f"{kind}, order 4", given(order=4, kind=kind), gives=([-0.5, -0.5], frequencies),
               source=source, near_misses=near_misses, cancels=cancels)
        for (kind, frequencies), source, cancels, near_misses in zip(
            FREQUENCIES.items(), ("0, pi", "4/pi (4 - 1), 4/pi (4/3 - 1)", "roots of w^4 - 43/2 w^2 + 105/16"),
            (None, None, _solver(5.0)), (
                {"from one on": ([-0.5, -0.5], [np.pi, 2 * np.pi]), "twice as fast": ([-0.5, -0.5], [0.0, 2 * np.pi]),
                 "unstable": ([0.5, 0.5], [0.0, np.pi])},
                {"M for N": ([-0.5, -0.5], [2 / np.pi, -2 / (3 * np.pi)]),
                 "ascending": ([-0.5, -0.5], [4 / (3 * np.pi), 12 / np.pi]),
                 "without the 1": ([-0.5, -0.5], [16 / np.pi, 16 / (3 * np.pi)])},
                {"descending": ([-0.5, -0.5], [_FAST, _SLOW]), "negative": ([-0.5, -0.5], [-_SLOW, -_FAST]),
                 "twice": ([-0.5, -0.5], [2 * _SLOW, 2 * _FAST])},
            ), strict=True,
        )
    ),
    Anchor(
        "diagonal_kernel", "the example", given(**TURN, length=5), gives=[[-2.0, -0.5, 0.5, 0.125, -0.125]],
        source="2 Re[(i/2 - 1) (i/2)^l]",
        near_misses={"factor 2 missing": [[-1.0, -0.25, 0.25, 0.0625, -0.0625]],
                     "Euler in place of the hold": [[-2 * LOG_2, -np.pi / 2, LOG_2 / 2, np.pi / 8, -LOG_2 / 8]],
                     "C conjugate": [[0.6086, 0.7944, -0.1521, -0.1986, 0.038]], "shifted": [[-0.5, 0.5, 0.125, -0.125, 0.0]],
                     "growing": [[-2.0, -2.0, 8.0, 8.0, -32.0]]},
    ),
    Anchor(
        "diagonal_kernel", "the example at half of the step", given(**HALF_TURN, length=4), gives=[[-1.0, -1.0, -0.5, 0.0]],
        source="neighbors sum to -2 and -1/2",
        near_misses={"the frequency scaled twice": [[-0.6926, -0.7674, -0.4901, -0.1918]],
                     "at the whole step": [[-2.0, -0.5, 0.5, 0.125]], "without the step": [[-2.0, -2.0, -1.0, 0.0]]},
    ),
    Anchor(
        "diagonal_step", "a halving and a quarter of a turn",
        given(inputs=[[2 * LOG_2, 0.0]], state=Complex([[[4.0], [1.0]]], [[[0.0], [2.0]]]), **PAIR),
        gives=([[6.0, -5.0]], [[[3.0], [-1.0]]], [[[0.0], [0.5]]]), source="4/2 + 2 log 2 (1/2)/log 2; i/2 (1 + 2i)",
        near_misses={"the state before the input": ([[8.0, 0.0]], [[[3.0], [-1.0]]], [[[0.0], [0.5]]]),
                     "Euler in place of the hold": ([[4 + 4 * LOG_2, -5.0]], [[[2 + 2 * LOG_2], [-1.0]]], [[[0.0], [0.5]]]),
                     "factor 2 missing": ([[3.0, -2.5]], [[[3.0], [-1.0]]], [[[0.0], [0.5]]]),
                     "C conjugate": ([[6.0, -3.0]], [[[3.0], [-1.0]]], [[[0.0], [0.5]]]),
                     "turned the other way": ([[6.0, 3.0]], [[[3.0], [1.0]]], [[[0.0], [-0.5]]])},
    ),
    Anchor(
        "state_space_layer", "the example and a skip of 3", given(inputs=[[[1.0, 2.0, 0.0]]], **TURN, skip=[3.0]),
        gives=[[[1.0, 1.5, -0.5]]], source="-2, -4 - 1/2, -1 + 1/2; and 3 u",
        near_misses={"without the skip": [[[-2.0, -4.5, -0.5]]], "circular": [[[2.0, 1.5, -0.5]]],
                     "a step late": [[[3.0, 4.0, -4.5]]], "kernel reversed": [[[3.5, 6.5, -3.0]]]},
    ),
    Law.equal(
        "a layer is its steps, one after the other", given(inputs=normal(2, 3, 6), **MODES, skip=normal(3)),
        left=lambda f, *given: f.state_space_layer(*given),
        right=lambda f, *given: _stepped(f, *given),
    ),
    Law.equal(
        "an impulse gives the kernel", given(**MODES),
        left=lambda f, *modes: f.state_space_layer(np.eye(1, 7) * np.ones((1, 3, 1)), *modes, np.zeros(3))[0],
        right=lambda f, *modes: f.diagonal_kernel(*modes, length=7),
    ),
    Law.equal(
        "two entries at half of the step are one", given(**MODES),
        left=lambda f, c, step, *a: f.diagonal_kernel(c, step - LOG_2, *a, length=12).reshape(3, 6, 2).sum(2),
        right=lambda f, *modes: f.diagonal_kernel(*modes, length=6),
    ),
    Law.equal(
        "a mode and its conjugate are a rotation of the plane that shrinks", given(**MODES),
        left=lambda f, *modes: f.diagonal_kernel(*modes, length=6), right=lambda f, *modes: _of_rotations(*modes, length=6),
    ),
    Law.equal(
        "the conjugate of every mode gives the same kernel", given(**MODES),
        left=lambda f, c, step, a, omega: f.diagonal_kernel(Complex(c.real, -c.imaginary), step, a, -omega, length=6),
        right=lambda f, *modes: f.diagonal_kernel(*modes, length=6),
    ),
    Law.equal(
        "a long kernel sums to the gain at frequency zero",
        given(output_weights=MODES["output_weights"], log_step=uniform(3, low=-0.5, high=0.5),
              log_negative_real=uniform(3, 2, low=0.0, high=0.5), imaginary=normal(3, 2)),
        left=lambda f, *modes: f.diagonal_kernel(*modes, length=100).sum(1),
        right=lambda f, c, _, a, omega: 2 * ((c.real + 1j * c.imaginary) / (np.exp(a) - 1j * omega)).real.sum(1),
    ),
    Law.at_least(
        "every mode shrinks, whatever its parameters",
        given(state=Complex(normal(2, 3, 4), normal(2, 3, 4)), output_weights=Complex(zeros(3, 4), zeros(3, 4)),
              log_step=[-4.0, 0.0, 2.0], log_negative_real=normal(3, 4, scale=2.0), imaginary=normal(3, 4, scale=9.0)),
        left=lambda f, state, *modes: state.real**2 + state.imaginary**2,
        right=lambda f, state, *modes: _squared(*f.diagonal_step(np.zeros((2, 3)), state, *modes)[1:]),
    ),
    Law.equal(
        "the layer's Jacobian is causal", given(inputs=normal(1, 3, 5), **MODES, skip=normal(3)),
        left=lambda f, *given: f.jacobian("state_space_layer", *given, wrt=0)[0, 1, :, 0, 1],
        right=lambda f, u, *given: _toeplitz(f, *given),
    ),
    Law.equal(
        "the squares of the LegS frequencies", given(orders=np.array([2, 6, 16])),
        left=lambda f, orders: np.array([(f.initial_eigenvalues(order=int(n), kind="legs")[1] ** 2).sum() for n in orders]),
        right=lambda f, orders: np.array([_half_of_the_squares(order) for order in orders]),
    ),
    *(Rejects("initial_eigenvalues", f"order {n}", given(order=n, kind="linear"), blames="order") for n in (0, 7, -2)),
    Rejects("initial_eigenvalues", "unknown", given(order=4, kind="quadratic"), blames="kind"),
    Rejects("diagonal_kernel", "length 0", given(**NO_MODES, length=0), blames="length"),
    Rejects("diagonal_kernel", "a step for every mode", given(**NO_MODES | dict(log_step=zeros(2, 3)), length=4),
            blames="log_step"),
    Rejects("diagonal_kernel", "frequencies for all channels", given(**NO_MODES | dict(imaginary=zeros(3)), length=4),
            blames="imaginary"),
    Rejects("diagonal_step", "a sequence",
            given(inputs=zeros(4, 2, 5), state=Complex(zeros(4, 2, 3), zeros(4, 2, 3)), **NO_MODES), blames="inputs"),
    Rejects("diagonal_step", "a state for all", given(inputs=zeros(4, 2), state=Complex(zeros(2, 3), zeros(2, 3)), **NO_MODES),
            blames="state"),
    Rejects("state_space_layer", "no step", given(inputs=zeros(4, 2, 0), **NO_MODES, skip=zeros(2)), blames="inputs"),
    Rejects("state_space_layer", "channels last", given(inputs=zeros(4, 5, 2), **NO_MODES, skip=zeros(2)), blames="inputs"),
    Rejects("state_space_layer", "a skip for every mode", given(inputs=zeros(4, 2, 5), **NO_MODES, skip=zeros(2, 3)),
            blames="skip"),
    # The networks. A block has twice its width in channels, with steps from 1/1000 to 1/10. An FFT rounds all steps together:
    # outputs do not depend on the future up to rounding, as tests/state_space/test_diagonal.py holds.
    Model("S4DBlock", "inverse", given(x=normal(2, 5, 3)), steps=4, sizes=dict(width=3, modes=2, kind="inverse"),
          initial=BLOCK | {"imaginary": begins_at(np.tile(FREQUENCIES["inverse"], (6, 1))), "*": begins_by_inputs()},
          relations={"one step after the other": step_by_step}),
    Model("S4DDecoder", "linear", given(tokens=np.array([[0, 255, 3, 255, 9], [7, 7, 100, 0, 254]])), steps=0,
          sizes=dict(vocabulary_size=256, width=3, layers=1, modes=2),
          initial=BLOCK | {"embedding.weight": begins_normal(1.0), "*.imaginary": begins_at(np.tile([0.0, np.pi], (6, 1))),
                           "*": begins_by_inputs()},
          relations={"one token after the other": step_by_step, "the same under a condition": lambda network, tokens: (
              step_by_step(network, tokens, condition=tokens[:, 1]))}),
)  # fmt: skip


def _stepped(f, inputs, output_weights, log_step, log_negative_real, imaginary, skip):
    batch, channels, steps = inputs.shape
    zero = np.zeros((batch, *imaginary.shape))
    state, outputs = Complex(zero, zero), []
    for t in range(steps):
        output, *state = f.diagonal_step(inputs[:, :, t], Complex(*state), output_weights, log_step, log_negative_real, imaginary)
        outputs.append(output + skip * inputs[:, :, t])
    return np.stack(outputs, axis=2)


def _of_rotations(output_weights, log_step, log_negative_real, imaginary, *, length):
    """In real numbers: (x, y) shrinks by e^(-step sigma) and turns by step omega; the hold is A^-1 (A_bar - I) (1, 0)."""
    steps, sigma = np.exp(log_step)[:, None], np.exp(log_negative_real)
    angle, shrunk = steps * imaginary, np.exp(-steps * sigma)
    moved = np.moveaxis(shrunk * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), (0, 1), (-2, -1))
    system = np.moveaxis(np.array([[-sigma, -imaginary], [imaginary, -sigma]]), (0, 1), (-2, -1))
    state = np.linalg.solve(system, (moved - np.eye(2))[..., :1])
    kernel = []
    for _ in range(length):
        kernel.append(2 * (output_weights.real * state[..., 0, 0] - output_weights.imaginary * state[..., 1, 0]).sum(1))
        state = moved @ state
    return np.stack(kernel, axis=1)


def _squared(real, imaginary):
    return real**2 + imaginary**2


def _toeplitz(f, output_weights, log_step, log_negative_real, imaginary, skip):
    """The Toeplitz matrix of the second channel, for five steps."""
    kernel = f.diagonal_kernel(output_weights, log_step, log_negative_real, imaginary, length=5)[1]
    return sum(k * np.eye(5, k=-lag) for lag, k in enumerate(kernel)) + skip[1] * np.eye(5)


def _half_of_the_squares(order):
    """Sum over the entries of the skew part: with the other half, the sum over all eigenvalues, positive and negative."""
    squares = 2 * np.arange(order) + 1.0
    return np.tril(np.outer(squares, squares) / 4, -1).sum()
