"""The rules, the example's system and the figure of the lecture on discretization."""

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.kinds import Sides
from theory_jax.state_space.discretization import (
    backward_euler,
    bilinear,
    forward_euler,
    zero_order_hold,
    zero_order_hold_diagonal,
)

RULES = {"forward Euler": forward_euler, "backward Euler": backward_euler, "bilinear": bilinear, "hold": zero_order_hold}
EXAMPLE = jnp.array([[-2.0]]), jnp.array([[1.0]])


def error_of_a_sine(count, share):
    """|x - exact| at time 2, where the input of a step is the mean of its ends with this share of the beginning."""
    moving, driving = (part[0, 0] for part in bilinear(jnp.array([[-1.0]]), jnp.array([[1.0]]), step_size=2 / count))
    ends = np.sin(np.arange(count + 1) * 2 / count)
    state = 0.0
    for t in range(1, count + 1):
        state = float(moving) * state + float(driving) * (share * ends[t - 1] + (1 - share) * ends[t])
    return abs(state - (np.sin(2) - np.cos(2) + np.exp(-2)) / 2)


def maps_and_errors(left, right):
    """Draws what the rules make of damped modes, and their errors against the number of steps."""
    modes = -0.5 + 1j * np.linspace(-6, 6, 49)
    turn = np.exp(2j * np.pi * np.linspace(0, 1, 100))
    left.plot(turn.real, turn.imag, color="gray")
    for name, rule in RULES.items():
        if name == "hold":
            image = zero_order_hold_diagonal(jnp.array(modes), jnp.ones(len(modes)), step_size=1.0)[0]
        else:
            image = jnp.diagonal(rule(jnp.diag(jnp.array(modes)), jnp.ones((len(modes), 1)) + 0j, step_size=1.0)[0])
        left.plot(np.real(image), np.imag(image), label=name)
    left.set(xlabel=r"$\mathrm{Re}\,\bar a$", ylabel=r"$\mathrm{Im}\,\bar a$", xlim=(-1.2, 3.6), ylim=(-1.6, 1.6), aspect="equal")
    left.legend(loc="right")
    counts = 2 ** np.arange(2, 9)
    for name in ("forward Euler", "backward Euler", "bilinear"):
        ends = [RULES[name](*EXAMPLE, step_size=1 / int(count))[0][0, 0] ** int(count) for count in counts]
        right.loglog(counts, np.abs(np.array(ends) - np.exp(-2)), "o-", label=name)
    right.set(xlabel="steps $n$", ylabel=r"$|\bar a^n - e^{-2}|$")


def two_inputs():
    """The inputs 1, 1 to the example's system, held and by the bilinear rule."""
    pair = zero_order_hold_diagonal(jnp.array([-2.0 + 0j]), jnp.ones(1), step_size=0.5)
    yield r"\lambda = -2, b = 1, \Delta = \tfrac12: \quad e^z, \bar b", jnp.concatenate(pair).real, "(0.36788, 0.31606)"
    for words, rule, states in (("hold", zero_order_hold, "(0.31606, 0.43233)"), ("bilinear", bilinear, "(1/3, 4/9)")):
        moving, driving = (part[0, 0] for part in rule(*EXAMPLE, step_size=0.5))
        yield rf"\text{{{words}, inputs }} 1, 1: \quad x_1, x_2", jnp.array([driving, moving * driving + driving]), states


def near_eigenvalue_zero():
    """Three small eigenvalues, next to NumPy's expm1."""
    rates = np.array([-1e-9, -1e-5, -0.3])
    found = zero_order_hold_diagonal(jnp.array(rates) + 0j, jnp.ones(3), step_size=0.5)[1].real
    return Sides(
        left=found,
        right=np.expm1(0.5 * rates) / rates,
        wrong={"the quotient computed literally": (np.exp(0.5 * rates) - 1) / rates},
    )


def hold_by_the_inverse():
    """A random system of three states, next to the formula with an inverse."""
    rng = np.random.default_rng(0)
    a, gain = jnp.array(rng.normal(size=(3, 3))), jnp.array(rng.normal(size=(3, 1)))
    moving, driving = zero_order_hold(a, gain, step_size=0.7)
    return Sides(
        left=driving,
        right=jnp.linalg.solve(a, (moving - jnp.eye(3)) @ gain),
        wrong={"the step in place of the integral": 0.7 * gain},
    )


def sampled_inputs():
    """The error for an input that is sampled at the end of the step, and for its mean over both ends."""
    for count, printed in ((50, "0.0035"), (100, "0.0018"), (200, "0.0009")):
        yield error_of_a_sine(count, 0.0), printed
    yield np.round(np.log2(error_of_a_sine(100, 0.5) / error_of_a_sine(200, 0.5))), "2"
