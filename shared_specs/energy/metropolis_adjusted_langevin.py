"""Contracts of Metropolis-adjusted Langevin sampling."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, log_of, log_simplex, normal, uniform, zeros

X, Y = normal(5, 2), normal(5, 2)
IMAGES = normal(5, 1, 2, 3, scale=0.7)
PROPOSAL = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.05, 0.3, 0.4], [0.6, 0.1, 0.2, 0.1], [0.35, 0.15, 0.45, 0.05]])
CYCLE = np.roll(np.eye(4), 1, axis=1)
OTHERS = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
LOPSIDED = np.array([[0.0, 0.75, 0.25], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
HALF, TO_TWO = log_of([0.5, 0.25, 0.25]), 2 / 1.6**0.5  # the noise that leads from 0 to 2 in a step of 0.8


def quartic(x):
    """A double well along each axis."""
    return ((x * x - 1) ** 2).sum(1)


def parabola(x):
    """The energy of a standard normal variable, without its constant."""
    return (x * x).sum(1) / 2


def of_images(x):
    """An energy that couples neighboring rows."""
    return (x**4).sum((1, 2, 3)) + (x[:, 0, 0] * x[:, 0, 1]).sum(1)


def each(x):
    """An energy for every coordinate."""
    return x * x


def cliff(x):
    """An energy with a gradient that overflows at 1e12."""
    return (x**32).sum(1)


def _density(f):
    """The density of a grid of cells of width 0.1 after a step from 2 along the slope 3."""
    y = np.linspace(-8.0, 10.0, 181)[:, None]
    return np.exp(f.proposal_log_prob(y, np.full_like(y, 2.0), np.full_like(y, 3.0), step_size=0.4))


def _stays(f, x, noise, uniforms):
    """Whether rejected states are bitwise unchanged, and accepted states have moved."""
    after, accepted = f.step(x, noise, uniforms, quartic, step_size=0.15)
    return (after == x).all(1) == ~np.asarray(accepted, bool)


def _flow(f, log_probs, proposal):
    return np.exp(log_probs)[:, None] * f.metropolis_matrix(log_probs, proposal)


SPEC = (
    # The proposal.
    Agree("proposal_log_prob", "regular", given(y=Y, x=X, gradient=normal(5, 2), step_size=0.3)),
    Agree("proposal_log_prob", "images", given(y=IMAGES, x=normal(5, 1, 2, 3), gradient=normal(5, 1, 2, 3), step_size=1.5)),
    Agree("proposal_log_prob", "a short step", given(y=Y, x=X, gradient=normal(5, 2), step_size=1e-4)),
    Anchor("proposal_log_prob", "from (0, 0) along the slope (1, 0) to (2, 0)",
           given(y=[[2.0, 0.0]], x=[[0.0, 0.0]], gradient=[[1.0, 0.0]], step_size=0.5), gives=[-3.125 - np.log(2 * np.pi)],
           source="N(2.5; 0, 1) N(0; 0, 1)",
           near_misses={"uphill": [-1.125 - np.log(2 * np.pi)], "a variance of h": [-6.25 - np.log(np.pi)],
                        "a deviation of 2h": [-3.125 - np.log(2 * np.pi) / 2], "no constant": [-3.125],
                        "exchanged, with the slope of x": [-1.125 - np.log(2 * np.pi)]}),
    Law.normalized("it is a density", given(), total=lambda f: 0.1 * _density(f).sum()),
    Rejects("proposal_log_prob", "shapes differ", given(y=zeros(5, 2), x=zeros(5, 3), gradient=zeros(5, 2), step_size=0.3),
            blames="x"),
    Rejects("proposal_log_prob", "one slope", given(y=zeros(5, 2), x=zeros(5, 2), gradient=zeros(1, 2), step_size=0.3),
            blames="gradient"),
    Rejects("proposal_log_prob", "no step", given(y=zeros(5, 2), x=zeros(5, 2), gradient=zeros(5, 2), step_size=0.0),
            blames="step_size"),
    Rejects("proposal_log_prob", "no batch", given(y=np.array(1.0), x=np.array(1.0), gradient=np.array(1.0), step_size=0.3),
            blames="y"),
    # The ratio.
    Agree("acceptance_log_ratio", "regular", given(x=X, y=Y, energy_fn=quartic, step_size=0.3)),
    Agree("acceptance_log_ratio", "images", given(x=IMAGES, y=normal(5, 1, 2, 3), energy_fn=of_images, step_size=0.3)),
    Agree("acceptance_log_ratio", "short steps, and long ways", given(x=X, y=Y, energy_fn=quartic, step_size=1e-4)),
    Agree("acceptance_log_ratio", "long steps", given(x=X, y=Y, energy_fn=quartic, step_size=1.5)),
    Anchor("acceptance_log_ratio", "a parabola, from 0 to 2", given(x=[[0.0]], y=[[2.0]], energy_fn=parabola, step_size=0.8),
           gives=[-0.8], source="h/4 (0 - 4)",
           near_misses={"the proposals exchanged": [-3.2], "no proposals": [-2.0], "a variance of h": [0.4], "turned over": [0.8],
                        "the ratio": [np.exp(-0.8)]}),
    Law.equal("the way back has the inverse ratio", given(x=X, y=Y), right=0.0,
              left=lambda f, x, y: f.acceptance_log_ratio(x, y, quartic, step_size=0.3)
              + f.acceptance_log_ratio(y, x, quartic, step_size=0.3)),
    Law.equal("it is the ratio of both ways, start and proposal", given(x=X, y=Y),
              left=lambda f, x, y: f.acceptance_log_ratio(x, y, parabola, step_size=0.3),
              right=lambda f, x, y: parabola(x) - parabola(y)
              + f.proposal_log_prob(x, y, y, step_size=0.3) - f.proposal_log_prob(y, x, x, step_size=0.3)),
    Rejects("acceptance_log_ratio", "shapes differ", given(x=zeros(5, 2), y=zeros(1, 2), energy_fn=quartic, step_size=0.3),
            blames="y"),
    Rejects("acceptance_log_ratio", "backward", given(x=zeros(5, 2), y=zeros(5, 2), energy_fn=quartic, step_size=-0.1),
            blames="step_size"),
    Rejects("acceptance_log_ratio", "an energy for each coordinate",
            given(x=zeros(5, 2), y=zeros(5, 2), energy_fn=each, step_size=0.3), blames="energy_fn"),
    Rejects("acceptance_log_ratio", "no batch", given(x=np.array(1.0), y=np.array(1.0), energy_fn=each, step_size=0.3),
            blames="x"),
    # The step. Uniform numbers are far from the chances of acceptance.
    *(Agree("step", case, given(x=x, noise=noise, uniforms=uniforms, energy_fn=energy_fn, step_size=step_size),
            no_gradient="a step is accepted or not", frozen=("uniforms",))
      for case, x, noise, uniforms, energy_fn, step_size in (
          ("regular", X, normal(5, 2), uniform(5), quartic, 0.15),
          ("images", IMAGES, normal(5, 1, 2, 3), uniform(5), of_images, 0.05),
          ("all accepted", X, normal(5, 2), zeros(5), quartic, 1e-4),
          ("most rejected", X, normal(5, 2), uniform(5, low=0.9), quartic, 1.5),
      )),
    Anchor("step", "a parabola, from 0 to 2 with the chance 0.449",
           given(x=zeros(3, 1), noise=np.full((3, 1), TO_TWO), uniforms=[0.44, 0.46, 0.0], energy_fn=parabola, step_size=0.8),
           gives=([[2.0], [0.0], [2.0]], [True, False, True]), source="e^-0.8 = 0.449", frozen=("uniforms",),
           near_misses={"compared with the logarithm": ([[0.0], [0.0], [0.0]], [False, False, False]),
                        "always accepted": ([[2.0], [2.0], [2.0]], [True, True, True]),
                        "rejected below": ([[0.0], [2.0], [0.0]], [False, True, False]),
                        "the proposals exchanged": ([[0.0], [0.0], [2.0]], [False, False, True]),
                        "noise of variance h": ([[TO_TWO * 0.8**0.5], [0.0], [TO_TWO * 0.8**0.5]], [True, False, True])}),
    Law.equal("who is rejected stays, to the last bit", given(x=X, noise=normal(5, 2), uniforms=uniform(5)),
              frozen=("uniforms",), left=_stays, right=lambda f, x, noise, uniforms: np.ones(len(x), bool)),
    Law.equal("a proposal beyond all numbers is rejected", given(x=[[1e12], [0.0]], noise=[[0.3], [-0.2]], uniforms=[0.25, 0.5]),
              left=lambda f, x, noise, uniforms: f.step(x, noise, uniforms, cliff, step_size=0.1)[0],
              right=lambda f, x, noise, uniforms: np.where(x > 1, x, x + 0.2**0.5 * noise)),
    Rejects("step", "one noise for all",
            given(x=zeros(5, 2), noise=zeros(1, 2), uniforms=zeros(5), energy_fn=quartic, step_size=0.1), blames="noise"),
    Rejects("step", "a uniform number for each coordinate",
            given(x=zeros(5, 2), noise=zeros(5, 2), uniforms=zeros(5, 2), energy_fn=quartic, step_size=0.1), blames="uniforms"),
    Rejects("step", "normal numbers",
            given(x=zeros(2, 2), noise=zeros(2, 2), uniforms=[0.3, -1.2], energy_fn=quartic, step_size=0.1), blames="uniforms"),
    Rejects("step", "no step", given(x=zeros(5, 2), noise=zeros(5, 2), uniforms=zeros(5), energy_fn=quartic, step_size=0.0),
            blames="step_size"),
    Rejects("step", "an energy for each coordinate",
            given(x=zeros(5, 2), noise=zeros(5, 2), uniforms=zeros(5), energy_fn=each, step_size=0.1), blames="energy_fn"),
    Rejects("step", "no batch", given(x=np.array(1.0), noise=np.array(1.0), uniforms=zeros(1), energy_fn=each, step_size=0.1),
            blames="x"),
    # On finitely many states.
    Agree("metropolis_matrix", "regular", given(log_probs=log_simplex(4), proposal=PROPOSAL)),
    Agree("metropolis_matrix", "a rare state", given(log_probs=log_of([0.9999, 1e-8, 9e-5, 1e-5 - 1e-8]), proposal=PROPOSAL)),
    Agree("metropolis_matrix", "a cycle: no one moves", given(log_probs=log_simplex(4), proposal=CYCLE),
          no_gradient="the least of two zeros"),
    Anchor("metropolis_matrix", "one of the other two states", given(log_probs=HALF, proposal=OTHERS),
           gives=[[0.5, 0.25, 0.25], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]], source="by hand",
           near_misses={"the probabilities turned over": [[0.0, 0.5, 0.5], [0.25, 0.25, 0.5], [0.25, 0.5, 0.25]],
                        "always accepted": OTHERS,
                        "what is rejected is lost": [[0.0, 0.25, 0.25], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]],
                        "transposed": [[0.5, 0.5, 0.5], [0.25, 0.0, 0.5], [0.25, 0.5, 0.0]]}),
    Anchor("metropolis_matrix", "a proposal that is not symmetric", given(log_probs=HALF, proposal=LOPSIDED),
           gives=[[0.5, 0.25, 0.25], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]], source="min(3/4, 1/4), min(1/4, 1/4), min(1/2, 3/2), ...",
           near_misses={"the proposal not corrected": [[0.5, 0.375, 0.125], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]],
                        "the proposals exchanged": [[0.375, 0.5625, 0.0625], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]}),
    Law.equal("detailed balance", given(log_probs=log_simplex(4), proposal=PROPOSAL), left=_flow,
              right=lambda f, *given: _flow(f, *given).T),
    Law.normalized("every row is a law", given(log_probs=log_simplex(4), proposal=PROPOSAL),
                   total=lambda f, *given: f.metropolis_matrix(*given).sum(1)),
    Rejects("metropolis_matrix", "a proposal for fewer states", given(log_probs=HALF, proposal=np.full((2, 2), 0.5)),
            blames="proposal"),
    Rejects("metropolis_matrix", "rows that do not sum to one", given(log_probs=HALF, proposal=2 * OTHERS), blames="proposal"),
    Rejects("metropolis_matrix", "a negative chance",
            given(log_probs=log_of([0.5, 0.5]), proposal=np.array([[1.5, -0.5], [0.5, 0.5]])), blames="proposal"),
    Rejects("metropolis_matrix", "probabilities that do not sum to one",
            given(log_probs=[-LOG_2, -LOG_2, -LOG_2], proposal=OTHERS), blames="log_probs"),
    Rejects("metropolis_matrix", "an impossible state", given(log_probs=log_of([0.5, 0.5, 0.0]), proposal=OTHERS),
            blames="log_probs"),
    Rejects("metropolis_matrix", "several laws", given(log_probs=zeros(1, 3), proposal=OTHERS), blames="log_probs"),
)  # fmt: skip
