"""What the lecture on hierarchical VAEs integrates by quadrature, and its figure."""

import numpy as np

from theory_jax.latent.hierarchical_vae import hierarchical_kl


def top_down(nodes, weights):
    """Mean of both columns of hierarchical_kl over z_2, for q(z_1|z_2) = N(z_2/2 + 1, 1/4) and p(z_1|z_2) = N(z_2, 2)."""
    one = np.ones((len(nodes), 1))
    columns = hierarchical_kl(
        (nodes[:, None] / 2 + 1, 0.7 * one),
        (np.log(0.25) * one, np.log(0.5) * one),
        (nodes[:, None], 0 * one),
        (np.log(2) * one, 0 * one),
    )
    return (weights / weights.sum()) @ columns


def gain(strengths):
    """Gain of the prior of strength theta for codes with two humps at +-0.9, variance 0.19 each, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    at = np.concatenate([0.9 + np.sqrt(0.19) * nodes, -0.9 + np.sqrt(0.19) * nodes])
    strengths = np.asarray(strengths)[:, None]
    left = 1 - strengths**2
    log_cosh = np.logaddexp(strengths * at / left, -strengths * at / left) - np.log(2)
    of_each = -np.log(left) / 2 + at**2 / 2 - (at**2 + strengths**2) / (2 * left) + log_cosh
    return of_each @ np.tile(weights / weights.sum() / 2, 2)


def draw_priors_and_gains(left, right):
    """Priors of four strengths over codes with two humps, and what they gain."""
    at = np.linspace(-3, 3, 181)

    def density(theta):
        variance = 1 - theta**2
        humps = [np.exp(-((at - sign * theta) ** 2) / (2 * variance)) for sign in (1, -1)]
        return sum(humps) / 2 / np.sqrt(2 * np.pi * variance)

    left.plot(at, density(0.9), color="gray", linewidth=4)
    for theta in (0.0, 0.3, 0.6, 0.9):
        left.plot(at, density(theta), label=rf"$\theta = {theta:g}$")
    left.set(xlabel="$z_1$", ylabel="density")
    left.legend()
    strengths = np.linspace(0, 0.9, 91)
    right.plot(strengths, gain(strengths), label="gain")
    right.plot(strengths, 2 * 0.9**4 / 12 * strengths**4, linestyle="--", label=r"$-\frac{\kappa_4}{12} \theta^4$")
    right.set(xlabel=r"$\theta$", ylabel="nats")
    right.legend()
