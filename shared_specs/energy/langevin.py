"""Contracts of Langevin sampling."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

X, NOISE, NOISES = normal(5, 2), normal(5, 2), normal(3, 5, 2)
THREE_OF_FIVE = [[i, j, k] for i in range(5) for j in range(i + 1, 5) for k in range(j + 1, 5)]
IMAGES = {"x": normal(5, 1, 2, 3, scale=0.7), "noise": normal(5, 1, 2, 3)}


def quartic(x):
    """A double well along each axis."""
    return ((x * x - 1) ** 2).sum(1)


def twice_quartic(x):
    """The same at half the temperature."""
    return 2 * quartic(x)


def parabola(x):
    """The energy of a standard normal variable, without its constant."""
    return (x * x).sum(1) / 2


def of_images(x):
    """An energy that couples neighboring rows."""
    return (x**4 + (x * x - 0.5)).sum((1, 2, 3)) + (x[:, 0, 0] * x[:, 0, 1]).sum(1)


def steep(x):
    """Its slope grows so fast that a chain leaves the numbers after a few steps."""
    return (x**8).sum(1)


def _undefined(x):
    return (x * np.nan).sum(1)


def _chain(**changed):
    return given(**{"x": zeros(5, 2), "noise": zeros(5, 2), "energy_fn": parabola, "step_size": 0.1} | changed)


def _chains(**changed):
    return given(**{"x": zeros(5, 2), "noises": zeros(3, 5, 2), "energy_fn": parabola, "step_size": 0.1} | changed)


def _clipped(**changed):
    return given(**{"x": zeros(5, 2), "noise": zeros(5, 2), "energy_fn": parabola, "step_size": 2.0, "noise_scale": 0.5,
                    "gradient_limit": 0.25} | changed)  # fmt: skip


def _minibatch(**changed):
    return given(**{"parameters": zeros(4), "noise": zeros(4), "gradient_log_prior": zeros(4),
                    "gradient_log_likelihood": zeros(3, 4), "step_size": 0.1, "dataset_size": 6} | changed)  # fmt: skip


def _rows_of_refusals():
    """Inputs rejected by both a step and a chain."""
    for function, of, noise in (("langevin_step", _chain, "noise"), ("langevin_sample", _chains, "noises")):
        yield Rejects(function, "another batch of noise", of(**{noise: zeros(*[3][: noise == "noises"], 4, 2)}), blames=noise)
        yield Rejects(function, "step size 0", of(step_size=0.0), blames="step_size")
        yield Rejects(function, "a negative temperature", of(temperature=-0.5), blames="temperature")
        yield Rejects(function, "an energy for each coordinate", of(energy_fn=lambda x: x * x), blames="energy_fn")
        yield Rejects(function, "a state that is NaN", of(x=np.full((5, 2), np.nan)), blames="x is nan")
    yield Rejects(
        "langevin_step", "a step out of all numbers", _chain(x=1e44 * np.ones((5, 2)), energy_fn=steep), blames="step_size is 0.1"
    )
    yield Rejects(
        "langevin_sample",
        "a chain that diverges",
        _chains(x=9 * np.ones((5, 2)), noises=zeros(6, 5, 2), energy_fn=steep),
        blames="step_size is 0.1",
    )


SPEC = (
    Agree("langevin_step", "regular", given(x=X, noise=NOISE, energy_fn=quartic, step_size=0.05, temperature=0.7)),
    Agree("langevin_step", "no temperature: gradient descent",
          given(x=X, noise=NOISE, energy_fn=quartic, step_size=0.05, temperature=0.0)),
    Agree("langevin_step", "images", given(**IMAGES, energy_fn=of_images, step_size=0.01, temperature=2.0)),
    Anchor("langevin_step", "h = 1/2, T = 1/4", given(
               x=[[1.0, -2.0]], noise=[[0.5, 1.0]], energy_fn=parabola, step_size=0.5, temperature=0.25),
           gives=[[0.75, -0.5]], source="x - x/2 + noise/2, by hand",
           near_misses={"the root of h T": [[0.5 + 0.5 * 0.125**0.5, -1 + 0.125**0.5]], "uphill": [[1.75, -2.5]],
                        "variance for deviation": [[0.625, -0.75]], "temperature forgotten": [[1.0, 0.0]],
                        "half of the slope": [[1.0, -1.0]]}),
    Law.equal("heating is dividing the energy", given(x=X, noise=NOISE),
              left=lambda f, x, noise: f.langevin_step(x, noise, twice_quartic, step_size=0.03, temperature=2.0),
              right=lambda f, x, noise: f.langevin_step(x, noise, quartic, step_size=0.06)),
    Agree("langevin_sample", "regular", given(x=X, noises=NOISES, energy_fn=quartic, step_size=0.02, temperature=0.7)),
    Agree("langevin_sample", "no step", given(x=X, noises=zeros(0, 5, 2), energy_fn=quartic, step_size=0.02)),
    Anchor("langevin_sample", "two steps", given(
               x=[[1.0]], noises=[[[0.5]], [[1.0]]], energy_fn=parabola, step_size=0.5, temperature=0.25),
           gives=[[0.875]], source="1/2 + 1/4, then 3/8 + 1/2",
           near_misses={"the last noise first": [[0.75]], "one noise for both": [[0.625]], "one step": [[0.75]],
                        "the slope at the start": [[0.75]], "noise at the end alone": [[0.75]]}),
    Law.equal("a chain is its steps", given(x=X, noises=NOISES),
              left=lambda f, x, noises: f.langevin_sample(x, noises, quartic, step_size=0.02),
              right=lambda f, x, noises: f.langevin_step(
                  f.langevin_sample(x, noises[:2], quartic, step_size=0.02), noises[2], quartic, step_size=0.02)),
    Law.equal("on a parabola the variance goes to the one it settles on", given(x=zeros(2, 2), noises=zeros(4, 2, 2)),
              left=lambda f, x, noises: np.square(
                  f.jacobian("langevin_sample", x, noises, parabola, step_size=0.3, wrt=1)).sum((2, 3, 4)),
              right=lambda f, x, noises: (1 - 0.7**8) * f.gaussian_stationary_variance(np.ones((2, 2)), step_size=0.3)),
    *_rows_of_refusals(),
    # Clipped, as for images.
    Agree("clipped_langevin_step", "regular", given(
        x=X, noise=NOISE, energy_fn=quartic, step_size=0.5, noise_scale=0.1, gradient_limit=0.8)),
    Agree("clipped_langevin_step", "limit 0: noise alone", given(
        x=X, noise=NOISE, energy_fn=quartic, step_size=10.0, noise_scale=0.1, gradient_limit=0.0, low=-9.0, high=9.0),
        no_gradient="both limits meet"),
    Agree("clipped_langevin_step", "images from 0 to 1", given(
        **IMAGES, energy_fn=of_images, step_size=10.0, noise_scale=0.005, gradient_limit=0.03, low=0.0)),
    Anchor("clipped_langevin_step", "three chains", given(
               x=[[0.5], [-0.125], [0.875]], noise=[[1.0], [0.5], [2.0]], energy_fn=parabola, step_size=2.0, noise_scale=0.5,
               gradient_limit=0.25),
           gives=[[0.5], [0.375], [1.0]], source="1/2 - 1/2 + 1/2; -1/8 + 1/4 + 1/4; 7/8 - 1/2 + 1, clipped",
           near_misses={"the state not clipped": [[0.5], [0.375], [1.375]], "the slope not clipped": [[0.0], [0.375], [0.125]],
                        "step times slope clipped": [[0.75], [0.375], [1.0]], "uphill": [[1.0], [-0.125], [1.0]],
                        "noise after the state is clipped": [[0.5], [0.375], [1.375]],
                        "noise of variance 1/2": [[2**-0.5], [0.125 + 8**-0.5], [1.0]],
                        "slope of the noised state": [[0.5], [0.0], [1.0]]}),
    Law.equal("not clipped it is a step at the temperature s^2/2a", given(x=X, noise=NOISE),
              left=lambda f, x, noise: f.clipped_langevin_step(
                  x, noise, quartic, step_size=0.02, noise_scale=0.5, gradient_limit=1e3, low=-99.0, high=99.0),
              right=lambda f, x, noise: f.langevin_step(x, noise, quartic, step_size=0.02, temperature=0.5**2 / 0.04)),
    Rejects("clipped_langevin_step", "another batch of noise", _clipped(noise=zeros(4, 2)), blames="noise"),
    Rejects("clipped_langevin_step", "step size 0", _clipped(step_size=0.0), blames="step_size"),
    Rejects("clipped_langevin_step", "a negative deviation", _clipped(noise_scale=-0.1), blames="noise_scale"),
    Rejects("clipped_langevin_step", "a negative limit", _clipped(gradient_limit=-0.1), blames="gradient_limit"),
    Rejects("clipped_langevin_step", "bounds turned over", _clipped(low=1.0, high=-1.0), blames="low"),
    Rejects("clipped_langevin_step", "an energy for each coordinate", _clipped(energy_fn=lambda x: x * x), blames="energy_fn"),
    Rejects("clipped_langevin_step", "a slope that is NaN", _clipped(energy_fn=_undefined), blames="energy_fn"),
    # By minibatches.
    Agree("stochastic_gradient_step", "regular", given(
        parameters=normal(4), noise=normal(4), gradient_log_prior=normal(4), gradient_log_likelihood=normal(3, 4), step_size=0.05,
        dataset_size=10)),
    Anchor("stochastic_gradient_step", "two of six data", given(
               parameters=[1.0], noise=[2.0], gradient_log_prior=[-1.0], gradient_log_likelihood=[[1.0], [3.0]], step_size=0.25,
               dataset_size=6),
           gives=[3.375], source="1 + (-1 + 3 * 4) / 8 + 2 / 2",
           near_misses={"not scaled to all data": [2.375], "the mean": [2.125], "noise of variance 2h": [2.375 + 2**0.5],
                        "the whole step": [4.75], "downhill": [0.625], "the prior scaled, too": [3.125],
                        "the mean scaled by N/M": [2.625], "noise of deviation h": [2.875], "no prior": [3.5]}),
    Law.equal("averaged over all minibatches it is the step of all data",
              given(parameters=normal(4), noise=normal(4), prior=normal(4), likelihood=normal(5, 4)),
              left=lambda f, theta, noise, prior, likelihood: np.mean([
                  f.stochastic_gradient_step(theta, noise, prior, likelihood[some], step_size=0.1, dataset_size=5)
                  for some in THREE_OF_FIVE], axis=0),
              right=lambda f, theta, noise, prior, likelihood: f.stochastic_gradient_step(
                  theta, noise, prior, likelihood, step_size=0.1, dataset_size=5)),
    Law.equal("of all data it is a Langevin step of half the length, on minus the log-posterior",
              given(parameters=normal(2), noise=normal(2)),
              left=lambda f, theta, noise: f.stochastic_gradient_step(
                  theta, noise, -theta, -np.stack([theta, theta, theta]), step_size=0.1, dataset_size=3),
              right=lambda f, theta, noise: f.langevin_step(
                  theta[None], noise[None], lambda x: 4 * parabola(x), step_size=0.05)[0]),
    *(
        Rejects("stochastic_gradient_step", case, _minibatch(**wrong), blames=blamed)
        for case, wrong, blamed in (
            ("other noise", {"noise": zeros(3)}, "noise"),
            ("another prior", {"gradient_log_prior": zeros(3)}, "gradient_log_prior"),
            ("a matrix", {"parameters": zeros(4, 1)}, "parameters"),
            ("other parameters", {"gradient_log_likelihood": zeros(3, 5)}, "gradient_log_likelihood"),
            ("no data", {"gradient_log_likelihood": zeros(0, 4)}, "gradient_log_likelihood"),
            ("more than all data", {"dataset_size": 2}, "dataset_size"), ("step size 0", {"step_size": 0.0}, "step_size"),
        )
    ),
    # What the step's length costs.
    Agree("gaussian_stationary_variance", "regular", given(variance=uniform(5, low=0.5, high=4.0), step_size=0.3)),
    Agree("gaussian_stationary_variance", "close to where it diverges", given(variance=[1.0, 2.0, 100.0], step_size=1.99)),
    Anchor("gaussian_stationary_variance", "three variances", given(variance=[1.0, 2.0, 0.625], step_size=1.0),
           gives=[2.0, 8 / 3, 3.125], source="1/(1 - 1/2), 2/(1 - 1/4), 0.625/(1 - 0.8)",
           near_misses={"to first order": [1.5, 2.5, 1.125], "the deviation": [2**0.5, (8 / 3) ** 0.5, 3.125**0.5],
                        "noise of variance h": [1.0, 4 / 3, 1.5625], "h/(4 v)": [4 / 3, 16 / 7, 0.625 / 0.6]}),
    Rejects("gaussian_stationary_variance", "a step of twice the variance", given(variance=[1.0, 0.5], step_size=1.0),
            blames="variance"),
    Rejects("gaussian_stationary_variance", "step size 0", given(variance=[1.0], step_size=0.0), blames="step_size"),
)  # fmt: skip
