"""Ten steps of expectation-maximization of a Gaussian mixture: ours, the theory wing in JAX, and scikit-learn.

    python -m benchmarks.density.gaussian_mixture [--repeats 7]

100 000 points in 8 dimensions, 10 components with full covariances, one thread. Ours and scikit-learn's are in float64, ours in
float32 next to it; the theory wing, compiled, in both. scikit-learn's side is its `fit` with ten iterations from the same start,
without its k-means. Before anything is timed, all sides must reach the same mean log-likelihood. Result:
benchmarks/results/gaussian_mixture.json.

A step of ours is 17 ms of densities and 24 ms of the M-step where no neighbor takes the memory's bandwidth (one core of an AMD
EPYC). One product with the features 1, x and x x^T takes 9 and 8 ms of them before any feature is made, the densities of the
present form 13 and its product of moments 10: little to gain, for the digits of narrow clusters far from the origin.
"""

import argparse
import os
import sys
import time
import warnings
from importlib.metadata import version

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from benchmarks.measuring.turns import CLOCKS, conclude, in_turns, ratio
from practice_torch.latent import gaussian_mixture as practice
from theory_jax.latent import gaussian_mixture as theory

POINTS, SIZE, COMPONENTS, STEPS = 100_000, 8, 10, 10
FLOOR = 1e-6
OURS = "ours, float64"
CLOSE = {"float64": 1e-9, "float32": 1e-4}  # nats, of mean log-likelihoods near -16


def data():
    """Ten clusters with covariances of their own, and a start: equal weights, random points, the covariance of all."""
    drawn = np.random.default_rng(0)
    clusters = [
        2 * drawn.normal(size=SIZE) + 0.4 * drawn.normal(size=(POINTS // COMPONENTS, SIZE)) @ drawn.normal(size=(SIZE, SIZE))
        for _ in range(COMPONENTS)
    ]
    x = drawn.permutation(np.concatenate(clusters))
    means = x[:COMPONENTS].copy()
    factor = np.repeat(np.linalg.cholesky(np.cov(x.T))[None], COMPONENTS, axis=0)
    return x, (np.full(COMPONENTS, -np.log(COMPONENTS)), means, factor)


def in_torch(x, start, dtype):
    x, start = torch.tensor(x, dtype=dtype), [torch.tensor(part, dtype=dtype) for part in start]

    def fit():
        mixture = start
        for _ in range(STEPS):
            mixture = practice.m_step(x, practice.log_responsibilities(x, *mixture), regularization=FLOOR)
        return mixture

    return fit


def in_jax(x, start, dtype):
    x, start = jax.numpy.asarray(x, dtype), [jax.numpy.asarray(part, dtype) for part in start]
    step = jax.jit(lambda x, *mixture: theory.m_step(x, theory.log_responsibilities(x, *mixture), regularization=FLOOR))

    def fit():
        mixture = start
        for _ in range(STEPS):
            mixture = step(x, *mixture)
        return jax.block_until_ready(mixture)

    return fit


def in_scikit_learn(x, start):
    log_weights, means, factor = start
    precisions = np.linalg.inv(factor @ factor.swapaxes(1, 2))
    given = {"weights_init": np.exp(log_weights), "means_init": means, "precisions_init": precisions}

    def fit():
        model = GaussianMixture(COMPONENTS, max_iter=STEPS, tol=0, reg_covar=FLOOR, init_params="random_from_data", **given)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # ten steps are no fit
            model.fit(x)
        return np.log(model.weights_), model.means_, np.linalg.cholesky(model.covariances_)

    return fit


def require_same(sides, x):
    """The mean log-likelihood that every side reaches, in float64, against ours. Returns them."""
    parts = {name: [torch.tensor(np.asarray(part), dtype=torch.float64) for part in fit()] for name, fit in sides.items()}
    reached = {name: float(practice.mixture_log_density(torch.tensor(x), *_exact(*part)).mean()) for name, part in parts.items()}
    for name, found in reached.items():
        close = CLOSE["float32" if "float32" in name else "float64"]
        if not abs(found - reached[OURS]) <= close:
            raise SystemExit(f"{name}: {found} nats after {STEPS} steps; ours has {reached[OURS]}, and {close:.0e} is allowed")
    return reached


def _exact(log_weights, means, factor):
    """Weights of float32 that sum to one in float64."""
    return log_weights.log_softmax(0), means, factor


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    jax.config.update("jax_enable_x64", True)
    began = time.perf_counter()
    x, start = data()
    sides = {
        OURS: in_torch(x, start, torch.float64),
        "ours, float32": in_torch(x, start, torch.float32),
        "theory wing, float64": in_jax(x, start, "float64"),
        "theory wing, float32": in_jax(x, start, "float32"),
        "scikit-learn": in_scikit_learn(x, start),
    }
    reached = require_same(sides, x)
    seconds = in_turns(sides, repeats=arguments.repeats)
    theory_ratios = {
        name: {clock: ratio(seconds, "scikit-learn", name, clock) for clock in CLOCKS} for name in sides if "theory" in name
    }
    code = conclude(
        "gaussian_mixture",
        f"{STEPS} steps of EM on {POINTS} points",
        seconds,
        ours=OURS,
        began=began,
        unit=(STEPS * POINTS, "points"),
        shape={"points": POINTS, "dimensions": SIZE, "components": COMPONENTS},
        scikit_learn=version("scikit-learn"),
        log_likelihoods=reached,
        theory_against_scikit_learn=theory_ratios,
    )
    for name, each in theory_ratios.items():
        print(f"  {name}: scikit-learn takes {each['cpu']['median']:.1f}x as long")
    return code


if __name__ == "__main__":
    sys.exit(main())
