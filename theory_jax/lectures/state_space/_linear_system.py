"""The example, the figure and checks of the code of the lecture on linear systems."""

import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

from theory_jax.derivation.kinds import Sides
from theory_jax.state_space.linear_system import impulse_response, state_transition, step_response, transfer_function

TRIANGLE = jnp.array([[-1.0, 1.0], [0.0, -2.0]])
INTO, OUT = jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0])
LOG_2 = jnp.log(jnp.array([2.0]))


def responses(left, right):
    """Draws the responses of the example, and norms of exponentials that grow before they decay."""
    given = jnp.linspace(0.0, 5.0, 50)
    response = impulse_response(given, TRIANGLE, INTO, OUT)
    left.plot(given, response, label="$h(t)$")
    left.plot(given, step_response(given, TRIANGLE, INTO, OUT, jnp.array(0.0), jnp.zeros(2)), label="step response")
    for sign, rate in ((1, 1), (-1, 2)):
        left.plot(given, sign * np.exp(-rate * given), color="gray", linewidth=0.8)
    left.axhline(0.5, color="gray", linestyle="--", linewidth=0.8)
    early = given <= LOG_2[0]
    left.fill_between(given[early], response[early], alpha=0.3)
    left.set(xlabel="$t$", ylabel="response", ylim=(-0.6, 1.0))
    left.legend()
    for coupling in (0.0, 5.0, 20.0):
        lengths = np.linalg.norm(state_transition(given, jnp.array([[-1.0, coupling], [0.0, -1.0]])), 2, axis=(1, 2))
        right.plot(given, lengths, label=f"$k = {coupling:g}$")
    right.set(xlabel="$t$", ylabel=r"$\|e^{At}\|$")
    right.legend()


def the_output_is_a_convolution():
    """The convolution by quadrature, next to the equation solved step by step."""
    start, last, direct = np.array([1.0, -2.0]), 1.0, 3.0
    nodes, weights = np.polynomial.legendre.leggauss(20)
    nodes, weights = (nodes + 1) / 2, weights / 2
    solved = solve_ivp(
        lambda time, x: np.asarray(TRIANGLE) @ x + np.asarray(INTO) * np.sin(2 * time),
        (0.0, last),
        start,
        method="DOP853",
        rtol=1e-11,
        atol=1e-12,
    )
    free = impulse_response(jnp.array([last]), TRIANGLE, jnp.array(start), OUT)[0]
    past, input_then = impulse_response(jnp.array(last - nodes), TRIANGLE, INTO, OUT), np.sin(2 * nodes)
    unturned = impulse_response(jnp.array(nodes), TRIANGLE, INTO, OUT)
    wrong = {
        "the response not turned over": free + jnp.sum(weights * unturned * input_then) + direct * np.sin(2 * last),
        "the initial state forgotten": jnp.sum(weights * past * input_then) + direct * np.sin(2 * last),
        "D forgotten": free + jnp.sum(weights * past * input_then),
    }
    by_formula = free + jnp.sum(weights * past * input_then) + direct * np.sin(2 * last)
    return Sides(left=solved.y[0, -1] + direct * np.sin(2 * last), right=by_formula, wrong=wrong)


def other_coordinates():
    """The impulse response of four states before and after a change of coordinates."""
    rng = np.random.default_rng(2)
    a, change = rng.normal(size=(4, 4)) - np.eye(4), rng.normal(size=(4, 4))
    b, c = jnp.array(rng.normal(size=4)), jnp.array(rng.normal(size=4))
    back, given = np.linalg.inv(change), jnp.array([0.25, 0.5, 1.0])
    moved = jnp.array(change @ a @ back)
    wrong = {
        "C not moved": impulse_response(given, moved, change @ b, c),
        "moved the other way": impulse_response(given, jnp.array(back @ a @ change), change @ b, c @ back),
    }
    return Sides(
        left=impulse_response(given, jnp.array(a), b, c), right=impulse_response(given, moved, change @ b, c @ back), wrong=wrong
    )


def two_intervals():
    """Two intervals with the input 1, from rest."""
    yield r"\text{from rest, } u = 1, t = \log 2: \quad e^{At}", state_transition(LOG_2, TRIANGLE)[0], "(1/2, 1/4; 0, 1/4)"
    x, zero = jnp.zeros(2), jnp.array(0.0)
    for stated in ("(1/8, 3/8)", "(9/32, 15/32)"):
        x = jnp.stack([step_response(LOG_2, TRIANGLE, INTO, seen, zero, x)[0] for seen in jnp.eye(2)])
        yield r"x", x, stated
    yield r"h(\log 2)", impulse_response(LOG_2, TRIANGLE, INTO, OUT)[0], "1/4"
    yield r"H(0)", transfer_function(jnp.array([0j]), TRIANGLE, INTO, OUT, zero).real[0], "1/2"


def two_decays_in_a_chain():
    """The responses of the example at one time, and far away."""
    rest, direct = jnp.zeros(2), jnp.array(0.0)
    yield r"e^{At} \text{ at } t = \log 2", state_transition(LOG_2, TRIANGLE)[0], "(1/2, 1/4; 0, 1/4)"
    yield r"h(\log 2), \text{ its largest value}", impulse_response(LOG_2, TRIANGLE, INTO, OUT)[0], "1/4"
    yield r"y(\log 2)", step_response(LOG_2, TRIANGLE, INTO, OUT, direct, rest)[0], "1/8"
    gains = transfer_function(jnp.array([3.0 + 0j, 0j]), TRIANGLE, INTO, OUT, direct).real
    yield r"H(3), H(0)", gains, "(1/20, 1/2)"
    yield "y(20)", step_response(jnp.array([20.0]), TRIANGLE, INTO, OUT, direct, rest)[0], "0.50000000"
