"""The variances of estimators of a divergence over two samples, and their figure."""

import jax.numpy as jnp
import numpy as np

from theory_jax.reinforcement.kl_estimators import kl_k1, kl_k2, kl_k3


def variance_of(estimator, share, reference=0.5):
    """The estimator's variance over two samples, for each share q of the first."""
    chances = np.stack([share, 1 - share])
    values = np.asarray(
        estimator(jnp.log(chances), jnp.log(np.stack([np.full_like(share, reference), np.full_like(share, 1 - reference)])))
    )
    return share * (1 - share) * (values[0] - values[1]) ** 2


def draw_estimators(left, right):
    """The estimators against the log-ratio of a sample, and two of their variances against the policy's probability."""
    grid = np.linspace(-2.0, 2.0, 81)
    for name, estimator in (("$k_1$", kl_k1), ("$k_2$", kl_k2), ("$k_3$", kl_k3)):
        left.plot(grid, estimator(jnp.asarray(grid), jnp.zeros(81)), label=name)
    left.axhline(0.0, color="gray", linewidth=0.5)
    left.set(xlabel=r"log-ratio $\ell$", ylabel="estimate, nats", ylim=(-2.1, 4.5))
    left.legend()
    shares = np.concatenate([np.logspace(-4, -1, 60), np.linspace(0.11, 0.49, 40)])
    for name, estimator, color in (("$k_1$", kl_k1, 0), ("$k_3$", kl_k3, 2)):
        right.loglog(shares, variance_of(estimator, shares), label=name, color=left.lines[color].get_color())
    right.axvline(0.1018, color="gray", linestyle="--", linewidth=1)
    right.set(xlabel="$q$", ylabel="variance", ylim=(1e-6, 1e4))
    right.legend()
