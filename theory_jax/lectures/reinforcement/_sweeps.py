"""Sweeps of Bellman's operators over two states, where action 0 stays and action 1 moves: values, and figures."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.reinforcement._stay_or_move import PROCESS
from theory_jax.reinforcement.markov_decision import bellman_optimality_operator, policy_value, soft_bellman_operator

EVEN = jnp.log(jnp.full((2, 2), 0.5))
BEST = jnp.log(jnp.array([[0.0, 1.0], [1.0, 0.0]]))  # moves, then stays


def solved(policy, discount=0.5):
    """The value of a policy."""
    return policy_value(*PROCESS[1:], policy, discount=discount)


def swept(value, times=1, discount=0.5):
    """The value after so many sweeps with a maximum."""
    for _ in range(times):
        value = bellman_optimality_operator(value, *PROCESS[1:], discount=discount)
    return value


def soft_value(temperature):
    """The fixed point of the soft sweep around the even policy."""
    value = jnp.zeros(2)
    for _ in range(20):
        value = soft_bellman_operator(value, *PROCESS[1:], EVEN, discount=0.5, temperature=temperature)
    return value


def draw_errors(axes):
    """The error of value iteration for three discounts (dots), and the bound (lines)."""
    sweeps = np.arange(1, 18)
    for discount in (0.5, 0.9, 0.99):
        best = solved(BEST, discount)
        value, errors = jnp.zeros(2), []
        for _ in sweeps:
            value = swept(value, 1, discount)
            errors.append(float(jnp.max(jnp.abs(value - best))))
        axes.semilogy(sweeps, discount**sweeps / (1 - discount), label=rf"$\gamma = {discount}$")
        axes.semilogy(sweeps[::4], errors[::4], "o", color=axes.lines[-1].get_color())
    axes.set(xlabel="sweeps $k$", ylabel=r"$\max_s |v_k(s) - v_*(s)|$")
    axes.legend()


def draw_temperatures(axes):
    """The soft value of state 0 against the temperature, from the best value to the even policy's."""
    temperatures = np.logspace(-1.5, 2, 12)
    axes.semilogx(temperatures, jax.vmap(soft_value)(jnp.array(temperatures))[:, 0])
    for level, name in ((1.0, "best"), (0.25, "even policy")):
        axes.axhline(level, linestyle="--", color="gray")
        axes.annotate(name, (temperatures[0], level), xytext=(0, 3 if level < 1 else -11), textcoords="offset points")
    axes.set(xlabel=r"temperature $\tau$", ylabel="value of state 0")
