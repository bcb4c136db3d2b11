"""Critics of two points, and estimates of a divergence, of the lecture on variational bounds."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.foundations.f_divergence import f_generator_derivative


def ascend(output_map, estimate, log_ratio):
    """Rows of two ascents of length 1/2 for Kullback-Leibler, from four samples and two, by these functions."""
    data, model, v = np.array([0, 0, 0, 1]), np.array([0, 1]), jnp.array([1.0, 1.0])

    def bound(v):
        critic = output_map(v, divergence="kl")
        return estimate(critic[data], critic[model], divergence="kl")

    for stated in ("(1.125, 0.875, 1.1331, 0.8825, 0.0547)", "(1.2167, 0.7794, 1.2420, 0.8020, 0.0854)"):
        v = v + 0.5 * jax.grad(bound)(v)
        ratios = jnp.exp(log_ratio(output_map(v, divergence="kl"), divergence="kl"))
        yield r"(T_0, T_1, w_0, w_1, \text{bound})", [*map(float, v), *map(float, ratios), float(bound(v))], stated


def draw_gaps(axes, gap_of):
    """The gap of the bound when the best critic is moved, from the topic's function."""
    pair = np.array([0.75, 0.25]), np.array([0.5, 0.5])
    moves = np.linspace(-0.3, 0.3, 61)
    log_p, log_q = (jnp.log(jnp.tile(law, (61, 1))) for law in pair)
    for name in ("kl", "gan", "squared_hellinger"):
        best = f_generator_derivative(jnp.asarray(np.log(pair[0] / pair[1])), divergence=name)
        critic = best + moves[:, None] * np.array([1.0, -2.0])
        gap = jnp.where(moves < 0.24, gap_of(log_p, log_q, critic, divergence=name), jnp.nan)
        axes.plot(moves, gap, label=name.replace("_", " "))
    axes.set(xlabel=r"$\varepsilon$", ylabel="gap")
    axes.legend()


def draw_estimates(axes, nwj, dv):
    """Estimates of 2 nats between two Gaussians with the best critic, from the topic's functions."""
    random, sizes = np.random.default_rng(7), np.array([10, 100, 1000])
    estimates = {"NWJ": [], "DV": []}
    for size in sizes:
        x_p, x_q = 2 + random.standard_normal((30, size)), random.standard_normal((30, size))
        log_p_over_q = [(2 * a - 2, 2 * b - 2) for a, b in zip(x_p, x_q, strict=True)]
        estimates["NWJ"].append([nwj(1 + jnp.asarray(a), 1 + jnp.asarray(b)) for a, b in log_p_over_q])
        estimates["DV"].append([dv(jnp.asarray(a), jnp.asarray(b)) for a, b in log_p_over_q])
    for shift, (name, drawn) in zip((0.95, 1.05), estimates.items(), strict=True):
        drawn = np.asarray(drawn)
        axes.errorbar(sizes * shift, drawn.mean(1), drawn.std(1), fmt="o", capsize=3, label=name)
    axes.axhline(2, linestyle="--", color="gray")
    axes.set(xscale="log", xlabel="$M$", ylabel="nats")
    axes.legend()
