"""Plans, rates and the figure of the lecture on VAE-GANs."""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog

from theory_jax.latent.vae_gan import feature_reconstruction_error


def least_errors(rng):
    """Least error over encoders with the prior's codes, over plans, and over all encoders."""
    data, of_codes = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4))
    points, images, makes = rng.standard_normal((3, 2)), rng.standard_normal((3, 2)), [0, 1, 2, 2]
    errors = np.stack([feature_reconstruction_error(jnp.tile(point, (3, 1)), jnp.array(images)) for point in points])
    samples = of_codes @ np.eye(3)[makes]
    return least_error(data, errors[:, makes], of_codes), least_error(data, errors, samples), data @ errors.min(1)


def least_error(data, errors, of_states):
    """The least mean error of conditional probabilities of states, given the data, with these marginal ones."""
    rows, columns = np.kron(np.eye(len(data)), np.ones(len(of_states))), np.kron(data, np.eye(len(of_states)))
    sums = np.append(np.ones(len(data)), of_states)
    return linprog((data[:, None] * errors).ravel(), A_eq=np.vstack([rows, columns]), b_eq=sums).fun


def information_and_divergence(encoders):
    """Of two equal data with these codes, and a uniform prior on two codes."""
    encoders = np.array(encoders)
    all_codes = encoders.mean(0)
    terms = encoders * np.log(np.where(encoders > 0, encoders, 1) / all_codes)
    return terms.sum() / 2, (all_codes * np.log(2 * all_codes)).sum()


def twice_jsd_of(all_codes):
    """Twice the Jensen-Shannon divergence of the codes from a uniform prior on two."""
    mixed = (all_codes + 0.5) / 2
    return (0.5 * np.log(0.5 / mixed) + all_codes * np.log(all_codes / mixed)).sum(-1)


def draw_shares_and_charges(left, right):
    """The rate of three encoders by its parts with the adversary's charge, and that charge over the share of a code."""
    for at, encoders in enumerate(([[1, 0], [0, 1]], [[0.9, 0.1], [0.3, 0.7]], [[0.95, 0.05], [0.9, 0.1]])):
        informed, apart = information_and_divergence(encoders)
        charge = apart - twice_jsd_of(np.mean(encoders, 0))
        left.bar(at, informed, color="C0", label="" if at else "information")
        left.bar(at, apart, bottom=informed, color="C1", label="" if at else "divergence of all codes")
        left.plot([at - 0.4, at + 0.4], [charge, charge], color="black", label="" if at else "adversary")
    left.set(xlabel="encoder", ylabel="nats", xticks=range(3), xticklabels=("copies", "mixed", "nearly constant"))
    left.legend()
    shares = np.linspace(0.01, 0.99, 99)
    all_codes = np.stack([shares, 1 - shares], 1)
    apart, twice = (all_codes * np.log(2 * all_codes)).sum(1), twice_jsd_of(all_codes)
    right.plot(shares, np.stack([apart, twice, apart - twice], 1), label=[r"$\mathrm{KL}$", r"$2\, \mathrm{JSD}$", "charge"])
    right.set(xlabel="$u$", ylabel="nats")
    right.legend()
