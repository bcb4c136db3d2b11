"""Contracts of energy-based models."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, log_of, log_simplex, normal, zeros

# Three states, E = (0, log 2, log 2): p = (1/2, 1/4, 1/4) at temperature 1, (2/3, 1/6, 1/6) at 1/2.
THREE = [[0.0, LOG_2, LOG_2]]
E = normal(4, 3, scale=2.0)
X, MIXTURE = normal(5, 2), {"means": normal(3, 2), "log_vars": normal(3, scale=0.5), "log_weights": log_simplex(3)}
TWO = {"means": [[0.0, 0.0], [2.0, 0.0]], "log_vars": [0.0, LOG_2], "log_weights": log_of([0.5, 0.5])}
OF_ENERGIES = ("boltzmann_log_probs", "log_partition", "helmholtz_free_energy")


def quartic(x):
    """A double well along each axis."""
    return ((x * x - 1) ** 2).sum(1)


def parabola(x):
    """The energy of a standard normal variable, without its constant."""
    return (x * x).sum(1) / 2


def _plane(reach, steps):
    """Midpoints of the cells of a square, and the area of a cell."""
    width = 2 * reach / steps
    axis = -reach + width * (np.arange(steps) + 0.5)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2), width**2


def _rows_of_energies():
    """The same cases for all three functions of energies, and what all three refuse."""
    for function in OF_ENERGIES:
        log_of_zero = "a logarithm of 0 has no slope" if function == "boltzmann_log_probs" else ""
        yield Agree(function, "regular", given(energies=E, temperature=0.7))
        yield Agree(
            function,
            "energies near 10000, temperature 0.01",
            given(energies=normal(4, 3, mean=1e4, scale=0.05), temperature=0.01),
        )
        yield Agree(function, "energies of both signs, far apart", given(energies=[[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]]))
        yield Agree(
            function,
            "a forbidden state",
            given(energies=[[0.5, np.inf, -0.25], [np.inf, np.inf, 3.0]], temperature=2.0),
            no_gradient=log_of_zero,
        )
        yield Rejects(function, "temperature 0", given(energies=zeros(4, 3), temperature=0.0), blames="temperature")
        yield Rejects(function, "one row", given(energies=zeros(3)), blames="energies")
        yield Rejects(function, "no states", given(energies=zeros(4, 0)), blames="energies")
        for case, row in (
            ("every state forbidden", [np.inf, np.inf]),
            ("an energy of -inf", [0.0, -np.inf]),
            ("an energy that is NaN", [np.nan, 0.0]),
        ):
            yield Rejects(function, case, given(energies=np.array([[0.0, 1.0], row])), blames="energies")


SPEC = (
    *_rows_of_energies(),
    Anchor("boltzmann_log_probs", "three states, T = 1", given(energies=THREE), gives=log_of([[0.5, 0.25, 0.25]]),
           source="by hand", near_misses={"the sign": log_of([[0.2, 0.4, 0.4]]), "not normalized": log_of([[1.0, 0.5, 0.5]])}),
    Anchor("boltzmann_log_probs", "three states, T = 1/2", given(energies=THREE, temperature=0.5),
           gives=log_of([[2 / 3, 1 / 6, 1 / 6]]), source="by hand",
           near_misses={"temperature multiplied": log_of([[0.41421356237309503, 0.29289321881345254, 0.29289321881345254]]),
                        "temperature forgotten": log_of([[0.5, 0.25, 0.25]])}),
    Anchor("log_partition", "three states, T = 1/2", given(energies=THREE, temperature=0.5), gives=[LOG_3 - LOG_2],
           source="log 3/2", near_misses={"times the temperature": [(LOG_3 - LOG_2) / 2], "the sign of the energy": [2 * LOG_3],
                        "mean for sum": [-LOG_2], "Z": [1.5], "temperature forgotten": [LOG_2]}),
    Anchor("helmholtz_free_energy", "three states, T = 1/2", given(energies=THREE, temperature=0.5), gives=[(LOG_2 - LOG_3) / 2],
           source="-1/2 log 3/2", near_misses={"log Z": [LOG_3 - LOG_2], "without temperature": [LOG_2 - LOG_3],
                                               "over temperature": [2 * (LOG_2 - LOG_3)], "the lowest energy": [0.0]}),
    Law.normalized("probabilities sum to one", given(energies=E),
                   total=lambda f, energies: np.exp(f.boltzmann_log_probs(energies, temperature=0.3)).sum(1)),
    Law.equal("a constant changes no probability, and moves the free energy", given(energies=E, constant=normal(4)),
              left=lambda f, energies, constant: np.column_stack([
                  f.boltzmann_log_probs(energies + constant[:, None], temperature=0.7),
                  f.helmholtz_free_energy(energies + constant[:, None], temperature=0.7)]),
              right=lambda f, energies, constant: np.column_stack([
                  f.boltzmann_log_probs(energies, temperature=0.7),
                  f.helmholtz_free_energy(energies, temperature=0.7) + constant])),
    Law.equal("the slope of the free energy is the law", given(energies=E),
              left=lambda f, energies: f.gradient("helmholtz_free_energy", energies, temperature=0.7),
              right=lambda f, energies: np.exp(f.boltzmann_log_probs(energies, temperature=0.7))),
    Law.at_least("no law has less energy minus temperature times entropy", given(energies=E, log_q=log_simplex(4, 3)),
                 left=lambda f, energies, log_q: (np.exp(log_q) * (energies + 0.7 * log_q)).sum(1),
                 right=lambda f, energies, log_q: f.helmholtz_free_energy(energies, temperature=0.7)),
    # On a grid.
    Agree("quadrature_log_partition", "regular", given(grid=normal(7, 2), cell_volume=0.3, energy_fn=quartic), smallest_batch=1),
    Anchor("quadrature_log_partition", "two points, of weight 1 and 1/2",
           given(grid=[[0.0], [(2 * LOG_2) ** 0.5]], cell_volume=4.0, energy_fn=parabola), gives=np.log(6.0),
           source="4 (1 + 1/2)",
           near_misses={"the mean": np.log(3.0), "no volume": np.log(1.5), "the sign of the energy": np.log(12.0),
                        "the volume not in the logarithm": np.log(1.5) + 4.0, "the volume divided": np.log(0.375)}),
    Law.equal("a normal density has half the logarithm of two pi for each dimension", given(),
              left=lambda f: f.quadrature_log_partition(*_plane(8.0, 24), parabola), right=np.log(2 * np.pi)),
    Rejects("quadrature_log_partition", "no points", given(grid=zeros(0, 2), cell_volume=0.3, energy_fn=quartic), blames="grid"),
    Rejects("quadrature_log_partition", "numbers", given(grid=zeros(4), cell_volume=0.3, energy_fn=parabola), blames="grid"),
    Rejects("quadrature_log_partition", "no volume", given(grid=zeros(4, 2), cell_volume=0.0, energy_fn=quartic),
            blames="cell_volume"),
    Rejects("quadrature_log_partition", "an energy for each coordinate",
            given(grid=zeros(4, 2), cell_volume=0.3, energy_fn=lambda x: x * x), blames="energy_fn"),
    Rejects("quadrature_log_partition", "an energy of -inf",
            given(grid=zeros(4, 2), cell_volume=0.3, energy_fn=lambda x: x[:, 0] - np.inf), blames="energy_fn"),
    # The surrogate of the likelihood.
    Agree("contrastive_loss", "regular", given(data_energy=normal(5), sample_energy=normal(5))),
    Agree("contrastive_loss", "several chains", given(data_energy=normal(4, 3), sample_energy=normal(4, 3))),
    Anchor("contrastive_loss", "both orders", given(data_energy=[1.0, 3.0], sample_energy=[2.5, -1.0]), gives=[-1.5, 4.0],
           source="by hand", near_misses={"turned over": [1.5, -4.0], "the sum": [3.5, 2.0], "a hinge": [0.0, 4.0],
                                          "the mean": [1.25, 1.25]}),
    Law.equal("a linear energy learns the difference of the features",
              given(features=normal(5, 3), sampled=normal(5, 3), theta=normal(3)),
              left=lambda f, features, sampled, theta: (
                  f.gradient("contrastive_loss", features @ theta, sampled @ theta, wrt=0) @ features
                  + f.gradient("contrastive_loss", features @ theta, sampled @ theta, wrt=1) @ sampled),
              right=lambda f, features, sampled, theta: (features - sampled).sum(0)),
    Rejects("contrastive_loss", "shapes differ", given(data_energy=zeros(4), sample_energy=zeros(3)), blames="sample_energy"),
    Rejects("contrastive_loss", "one sample for all", given(data_energy=zeros(4), sample_energy=zeros(1)),
            blames="sample_energy"),
    # Mixtures.
    Agree("gaussian_mixture_energy", "regular", given(x=X, **MIXTURE)),
    Agree("gaussian_mixture_energy", "far from everything", given(x=normal(5, 2, mean=60.0), **MIXTURE)),
    Agree("gaussian_mixture_energy", "a component without weight",
          given(x=X, **MIXTURE | {"log_weights": log_of([0.5, 0.0, 0.5])})),
    Agree("gaussian_mixture_energy", "wide and narrow", given(x=X, **MIXTURE | {"log_vars": [-12.0, 0.0, 12.0]})),
    Anchor("gaussian_mixture_energy", "two components, at the first mean", given(x=[[0.0, 0.0]], **TWO),
           gives=[-np.log((1 + np.exp(-1.0) / 2) / (4 * np.pi))], source="(1 + e^-1 / 2) / (4 pi)",
           near_misses={"the sign": [np.log((1 + np.exp(-1.0) / 2) / (4 * np.pi))],
                        "deviations for variances": [-np.log((1 + np.exp(-0.5) / 4) / (4 * np.pi))],
                        "one constant for both dimensions": [-np.log((1 + np.exp(-1.0) / 2**0.5) / (2 * (2 * np.pi) ** 0.5))],
                        "no weights": [-np.log((1 + np.exp(-1.0) / 2) / (2 * np.pi))],
                        "the nearest component alone": [np.log(4 * np.pi)]}),
    Law.normalized("the mixture's normalizer is one", given(**TWO), total=lambda f, *mixture: (
        np.exp(-f.gaussian_mixture_energy(_plane(14.0, 48)[0], *mixture)).sum() * _plane(14.0, 48)[1])),
    Law.equal("moved with its means", given(x=X, shift=normal(2), **MIXTURE),
              left=lambda f, x, shift, means, *rest: f.gaussian_mixture_energy(x + shift, means + shift, *rest),
              right=lambda f, x, shift, *mixture: f.gaussian_mixture_energy(x, *mixture)),
    Rejects("gaussian_mixture_energy", "means of another dimension", given(x=X, **MIXTURE | {"means": zeros(3, 3)}),
            blames="means"),
    Rejects("gaussian_mixture_energy", "a variance for each dimension", given(x=X, **MIXTURE | {"log_vars": zeros(3, 2)}),
            blames="log_vars"),
    Rejects("gaussian_mixture_energy", "too few weights", given(x=X, **MIXTURE | {"log_weights": log_simplex(2)}),
            blames="log_weights"),
    Rejects("gaussian_mixture_energy", "weights that do not sum to one", given(x=X, **MIXTURE | {"log_weights": zeros(3)}),
            blames="log_weights"),
    Rejects("gaussian_mixture_energy", "numbers", given(x=zeros(5), **MIXTURE), blames="x"),
)  # fmt: skip
