"""Contracts of latent variable models (lecture 15)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, given, log_of, log_simplex, normal, scalar, zeros

# By hand: p(x) = 0.55 and 0.5; the posterior of the first is (8, 2, 1) / 11.
PRIOR, LIKELIHOOD = log_of([0.5, 0.25, 0.25]), np.log([[0.8, 0.4, 0.2], [0.5, 0.9, 0.1]])
FINITE = {"log_likelihood": normal(5, 3, mean=-4.0, scale=2.0), "log_prior": log_simplex(3)}
ZEROS = {"log_likelihood": [[-np.inf, -1.0, -2.0], [-3.0, -np.inf, -0.5]], "log_prior": log_of([0.5, 0.0, 0.5])}
FAR = {"log_likelihood": normal(4, 3, mean=-5000.0, scale=3.0), "log_prior": log_simplex(3)}
LINEAR = {"x": normal(4, 3), "weight": normal(3, 2), "mean": normal(3), "log_var": scalar(-0.5)}
HAND = {"x": [[3.0, 4.0]], "weight": [[2.0], [1.0]], "mean": zeros(2), "log_var": scalar(np.log(5.0))}
CANCELLING = {
    ("linear_gaussian_posterior", "no weight"): Cancels(
        2.0, "the covariance's slope in the noise is a difference of two terms of one size"
    ),
    ("linear_gaussian_log_marginal", "little noise"): Cancels(
        5000.0, "differences of squares over the noise, e^-5; slopes are differences of terms over its square, e^10"
    ),
}
# Mean 0, and the variances 6, 2 and 1, divided by N = 4.
AXES = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]) * np.sqrt([6.0, 2.0, 1.0])


def _turn(angle=0.7):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _gaussian(away, covariance):
    squares = np.einsum("bi,ij,bj->b", away, np.linalg.inv(covariance), away)
    return -(squares + np.linalg.slogdet(covariance)[1] + len(covariance) * np.log(2 * np.pi)) / 2


def _by_the_joint(x, weight, mean, log_var, z, mean_z, covariance_z):
    likelihood = _gaussian(x - mean - z @ weight.T, np.exp(log_var) * np.eye(3))
    return likelihood + _gaussian(z, np.eye(2)) - _gaussian(z - mean_z, covariance_z)


def _conditioned(x, weight, mean, log_var):
    """The posterior's mean above its covariance, by conditioning the joint Gaussian of z and x."""
    inverse = np.linalg.inv(weight @ weight.T + np.exp(log_var) * np.eye(3))
    return np.vstack([(x - mean) @ inverse @ weight, np.eye(2) - weight.T @ inverse @ weight])


def _with(function, **changed):
    """The arguments of `function` in HAND's or PRIOR's place, with some changed."""
    linear = {"x": zeros(4, 3), "weight": zeros(3, 2), "mean": zeros(3), "log_var": scalar(0.0)}
    finite = {"log_likelihood": zeros(4, 3), "log_prior": log_simplex(3)}
    return given(**((linear if function.startswith("linear") else finite) | changed))


def _finite():
    """The same cases for likelihood and posterior."""
    for function in ("discrete_log_marginal", "discrete_log_posterior"):
        yield Agree(function, "regular", given(**FINITE))
        yield Agree(function, "impossible states", given(**ZEROS))
        yield Agree(function, "log-likelihoods near -5000", given(**FAR))
        yield Agree(function, "one state", given(log_likelihood=normal(4, 1), log_prior=log_of([1.0])))
        for case, changed, blames in (
            ("a prior off the simplex", {"log_prior": log_of([0.5, 0.5, 0.5])}, "log_prior"),
            ("a prior of other length", {"log_prior": log_simplex(4)}, "log_prior"),
            ("a prior for each row", {"log_prior": log_simplex(4, 3)}, "log_prior"),
            ("no states", {"log_likelihood": zeros(4, 0), "log_prior": zeros(0)}, "log_likelihood"),
            ("one axis", {"log_likelihood": zeros(3)}, "log_likelihood"),
        ):
            yield Rejects(function, case, _with(function, **changed), blames=blames)


def _linear():
    for function in ("linear_gaussian_log_marginal", "linear_gaussian_posterior"):
        for case, changed in (
            ("regular", {}),
            ("one latent dimension, far away", {"x": normal(4, 3, mean=30.0), "weight": normal(3, 1)}),
            ("no latent dimension", {"weight": zeros(3, 0)}),
            ("more latent dimensions than observed", {"weight": normal(3, 4)}),
            ("no weight", {"weight": zeros(3, 2)}),
            ("little noise", {"log_var": scalar(-5.0)}),
        ):
            cancels = CANCELLING.get((function, case))
            yield Agree(function, case, given(**LINEAR | changed), cancels=cancels)
        for case, changed, blames in (
            ("one axis of x", {"x": zeros(3)}, "x"),
            ("weight transposed", {"weight": zeros(2, 3)}, "weight"),
            ("a mean of other length", {"mean": zeros(2)}, "mean"),
            ("a log-variance for each dimension", {"log_var": zeros(3)}, "log_var"),
        ):
            yield Rejects(function, case, _with(function, **changed), blames=blames)


SPEC = (
    *_finite(),
    Anchor(
        "discrete_log_marginal", "two rows of three", given(log_likelihood=LIKELIHOOD, log_prior=PRIOR),
        gives=[-0.59783700075562041, -0.69314718055994531], source="log 0.55 and log 0.5, by hand",
        near_misses={"no prior": np.log([1.4, 1.5]), "the mean logarithm": (LIKELIHOOD @ np.exp(PRIOR)).tolist(),
                     "a uniform prior": np.log([1.4 / 3, 0.5 + 1e-3])},
    ),
    Agree("discrete_log_marginal", "an impossible observation",
          given(log_likelihood=[[-np.inf, 0.0, -np.inf], [-1.0, -2.0, -3.0]], log_prior=log_of([0.5, 0.0, 0.5]))),
    Anchor(
        "discrete_log_posterior", "two rows of three", given(log_likelihood=LIKELIHOOD, log_prior=PRIOR),
        gives=np.log([[8 / 11, 2 / 11, 1 / 11], [0.5, 0.45, 0.05]]), source="Bayes' rule by hand",
        near_misses={"no prior": np.log([[4 / 7, 2 / 7, 1 / 7], [1 / 3, 0.6, 1 / 15]]),
                     "not normalized": np.log([[0.4, 0.1, 0.05], [0.25, 0.225, 0.025]]),
                     "normalized over the batch": np.log([[8 / 13, 4 / 13, 2 / 3], [5 / 13, 9 / 13, 1 / 3]])},
    ),
    Law.normalized("posteriors sum to one", given(**FINITE),
                   total=lambda f, *pair: np.exp(f.discrete_log_posterior(*pair)).sum(1)),
    Law.equal(
        "the likelihood at any one state", given(**FINITE),
        left=lambda f, a, p: a + p - f.discrete_log_posterior(a, p),
        right=lambda f, a, p: np.repeat(f.discrete_log_marginal(a, p)[:, None], 3, axis=1),
    ),
    Law.equal(
        "Fisher's identity: the gradient is the posterior", given(**FINITE),
        left=lambda f, *pair: f.gradient("discrete_log_marginal", *pair, wrt=0),
        right=lambda f, *pair: np.exp(f.discrete_log_posterior(*pair)),
    ),
    Rejects("discrete_log_posterior", "an impossible observation",
            given(log_likelihood=[[-np.inf, 0.0], [-1.0, -1.0]], log_prior=log_of([1.0, 0.0])), blames="log_likelihood"),
    # Draws from the prior.
    Agree("monte_carlo_log_marginal", "regular", given(log_likelihood=normal(4, 3, mean=-4.0, scale=2.0))),
    Agree("monte_carlo_log_marginal", "impossible draws",
          given(log_likelihood=[[-np.inf, -1.0, -2.0], [-np.inf, -np.inf, -np.inf], [-700.0, -5000.0, -1.0]])),
    Agree("monte_carlo_log_marginal", "log-likelihoods near -5000", given(log_likelihood=normal(4, 3, mean=-5000.0))),
    Agree("monte_carlo_log_marginal", "one draw", given(log_likelihood=normal(4, 1))),
    Anchor("monte_carlo_log_marginal", "two rows of three", given(log_likelihood=LIKELIHOOD),
           gives=np.log([1.4 / 3, 0.5]).tolist(), source="by hand",
           near_misses={"the sum": np.log([1.4, 1.5]), "the mean logarithm": LIKELIHOOD.mean(1).tolist()}),
    Law.unbiased(
        "draws from the prior give the likelihood in the mean", given(log_likelihood=LIKELIHOOD, log_prior=PRIOR),
        samples=lambda f, rng, draws, a, p: np.exp(
            f.monte_carlo_log_marginal(a[0][rng.choice(3, size=(draws, 4), p=np.exp(p))])),
        expected=lambda f, a, p: np.exp(f.discrete_log_marginal(a, p)[0]), draws=20_000, detects=0.01,
    ),
    Rejects("monte_carlo_log_marginal", "no draws", given(log_likelihood=zeros(4, 0)), blames="log_likelihood"),
    Rejects("monte_carlo_log_marginal", "one axis", given(log_likelihood=zeros(4)), blames="log_likelihood"),
    # The linear-Gaussian model.
    *_linear(),
    Anchor(
        "linear_gaussian_log_marginal", "one latent dimension", given(**HAND),
        gives=[-(np.log(2 * np.pi) + np.log(50) / 2 + 1.5)], source="by hand: C = (9, 2; 2, 6), det C = 50, x' C^-1 x = 3",
        near_misses={"a deviation for the variance": [-5.729776], "no weight": [-(np.log(10 * np.pi) + 2.5)],
                     "no determinant": [-(np.log(2 * np.pi) + 1.5)], "no constant": [-(np.log(50) / 2 + 1.5)]},
    ),
    Anchor(
        "linear_gaussian_posterior", "one latent dimension", given(**HAND), gives=([[1.0]], [[0.5]]), source="by hand: M = 10",
        near_misses={"the inverse of M": ([[1.0]], [[0.1]]), "no noise": ([[2.0]], [[1.0]]), "the prior": ([[0.0]], [[1.0]])},
    ),
    Law.equal(
        "a rotation of the latent axes does not count", given(**LINEAR),
        left=lambda f, x, w, m, v: f.linear_gaussian_log_marginal(x, w @ _turn(), m, v),
        right=lambda f, *g: f.linear_gaussian_log_marginal(*g),
    ),
    Law.equal(
        "the posterior's mean turns with the axes", given(**LINEAR),
        left=lambda f, x, w, m, v: f.linear_gaussian_posterior(x, w @ _turn(), m, v)[0],
        right=lambda f, *g: f.linear_gaussian_posterior(*g)[0] @ _turn(),
    ),
    Law.equal(
        "log p(x) at any z is log p(x|z) + log p(z) - log p(z|x)", given(**LINEAR, z=normal(4, 2)),
        left=lambda f, x, w, m, v, z: _by_the_joint(x, w, m, v, z, *f.linear_gaussian_posterior(x, w, m, v)),
        right=lambda f, x, w, m, v, z: f.linear_gaussian_log_marginal(x, w, m, v),
    ),
    Law.equal(
        "the posterior is that of the joint Gaussian", given(**LINEAR),
        left=lambda f, *g: np.vstack(f.linear_gaussian_posterior(*g)), right=lambda f, *g: _conditioned(*g),
    ),
    # Maximum likelihood.
    Agree("linear_gaussian_maximum_likelihood_covariance", "regular",
          given(x=normal(9, 3), latent_dim=1), smallest_batch=2),
    Agree("linear_gaussian_maximum_likelihood_covariance", "all but one kept, far from the origin",
          given(x=normal(9, 3, mean=50.0), latent_dim=2), smallest_batch=2),
    Agree("linear_gaussian_maximum_likelihood_covariance", "none kept", given(x=normal(9, 3), latent_dim=0), smallest_batch=2,
          cancels=Cancels(1.0, "eigenvectors make the zeros, too")),
    Anchor(
        "linear_gaussian_maximum_likelihood_covariance", "along the axes", given(x=AXES + 1.0, latent_dim=1),
        gives=np.diag([6.0, 1.5, 1.5]), source="by hand: the variances are 6, 2 and 1",
        near_misses={"divided by N - 1": np.diag([8.0, 2.0, 2.0]), "the smallest for the noise": np.diag([6.0, 1.0, 1.0]),
                     "the smallest kept": np.diag([4.0, 4.0, 1.0]), "noise added to what is kept": np.diag([7.5, 1.5, 1.5]),
                     "not centered": np.diag([7.0, 2.5, 2.5])},
    ),
    Law.equal(
        "the total variance is that of the data", given(x=normal(9, 3)),
        left=lambda f, x: np.trace(f.linear_gaussian_maximum_likelihood_covariance(x, latent_dim=1)),
        right=lambda f, x: ((x - x.mean(0)) ** 2).mean(0).sum(),
    ),
    Law.equal(
        "it turns with the data", given(x=normal(9, 2)),
        left=lambda f, x: f.linear_gaussian_maximum_likelihood_covariance(x @ _turn(), latent_dim=1),
        right=lambda f, x: _turn().T @ f.linear_gaussian_maximum_likelihood_covariance(x, latent_dim=1) @ _turn(),
    ),
    *(
        Rejects("linear_gaussian_maximum_likelihood_covariance", case, given(x=x, latent_dim=kept), blames=blames)
        for case, x, kept, blames in (
            ("one row", normal(1, 3), 1, "x"), ("one axis", zeros(4), 0, "x"), ("every dimension", normal(9, 3), 3, "latent_dim"),
            ("a negative dimension", normal(9, 3), -1, "latent_dim"), ("no variance", zeros(4, 3), 1, "x"),
            ("two points in three dimensions", [[0.0, 1.0, 2.0], [2.0, 0.0, 1.0]], 1, "x"),
        )
    ),
)  # fmt: skip
