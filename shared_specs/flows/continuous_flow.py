"""Contracts of continuous normalizing flows."""

import numpy as np

from shared_specs.flows._cases import plane
from shared_specs.rows import Agree, Anchor, Law, Model, Rejects, begins_at, begins_by_inputs, given, normal, scalar, zeros

LOG_2_PI = np.log(2 * np.pi)
X, PROBES, IMAGES, ONE_PROBE = normal(4, 3), normal(2, 4, 3), normal(2, 1, 3, 2), normal(1, 2, 1, 3, 2)
PLANE = normal(5, 2)
RISING, FALLING = [0.0, 0.3, 1.0], [1.0, 0.7, 0.1]
BOTH = ("x", "probes")  # slopes in the times are differences of velocities, which cancel
BACK = 1 - 0.7 + 0.7**2 / 2 - 0.7**3 / 6 + 0.7**4 / 24  # one step of the classical method on x' = 0.7 x, from 1 to 0
FORTH = 1 + 0.7 + 0.7**2 / 2 + 0.7**3 / 6 + 0.7**4 / 24


def mixing(x, time):
    """A velocity of position and time with interacting entries; J_ij = -x_i/8 + [i = j] (time - sum_k x_k / 8)."""
    return x * (time - x.sum(axis=1, keepdims=True) / 8)


def scaled(x, time):
    """0.7 x at every time."""
    return 0.7 * x


def still(x, time):
    """No velocity anywhere."""
    return 0 * x


def driven(x, time):
    """2 everywhere: a straight path at constant speed."""
    return 0 * x + 2.0


def drawn_together(x, time):
    """A x with the matrix A = 1/2 I - 1/4 (all ones): the first power, e^A, is e^(1/2) (I + (e^(-D/4) - 1)/D (all ones))."""
    return x / 2 - x.sum(axis=1, keepdims=True) / 4


def swaying(x, time):
    """A bent velocity that depends on the time and grows no faster than the place."""
    both = x.sum(axis=1, keepdims=True)
    return time * (x / 2 - both / 3) + both / (2 + both * both)


def flat(x, time):
    """Another shape than that of x."""
    return x[:, 0]


def _axes(x):
    """The probes with which the trace is exact."""
    return np.sqrt(x.shape[1]) * np.repeat(np.eye(x.shape[1])[:, None], len(x), axis=1)


def _grid(h, start=1.0, end=0.0):
    """Times h apart."""
    return np.linspace(start, end, round(1 / h) + 1)


def _trace(x, time):
    """The divergence of mixing."""
    return x.shape[1] * time - (x.shape[1] + 1) / 8 * x.sum(1)


def _each_sign(f, x, times):
    """The log-densities from both probes of two signs that are not minus each other, [2, B]."""
    signs = np.array([[1.0, 1.0], [1.0, -1.0]])
    return np.stack([f.log_prob(x, np.broadcast_to(sign, (1, *x.shape)).copy(), times, swaying) for sign in signs])


def _drawn_back(x):
    """e^-A x of drawn_together."""
    size = x.shape[1]
    return np.exp(-0.5) * (x + (np.exp(size / 4) - 1) / size * x.sum(1, keepdims=True))


def _total_mass(f, h):
    """The sum of the density over a grid of the plane."""
    points, cell = plane(7.0, 43)
    return np.sum(np.exp(f.log_prob(points, _axes(points), _grid(h), swaying))) * cell


def _refused(function, **regular):
    """Inputs rejected by every function of a path."""
    bad = {
        "one time": {"times": [0.5]},
        "there and back": {"times": [0.0, 1.0, 0.5]},
        "a time twice": {"times": [1.0, 0.5, 0.5]},
        "times for each": {"times": zeros(4, 3)},
        "a velocity of another shape": {"velocity_fn": flat},
    }
    for case, changed in bad.items():
        yield Rejects(function, case, given(**regular | changed), blames=next(iter(changed)))
    if "probes" in regular:
        yield from _refused_probes(function, **regular)
    alone = {"x": np.array(1.0)} | ({"probes": zeros(2)} if "probes" in regular else {})
    yield Rejects(function, "no batch", given(**regular | alone), blames="x")


def _refused_probes(function, **regular):
    bad = {"no probe": zeros(0, 4, 3), "one probe for all": zeros(2, 3), "probes of another batch": zeros(2, 1, 3)}
    for case, probes in bad.items():
        yield Rejects(function, case, given(**regular | {"probes": probes}), blames="probes")


ZEROS = {"x": zeros(4, 3), "probes": zeros(2, 4, 3), "times": [1.0, 0.0], "velocity_fn": mixing}
AT_A_TIME = {"x": zeros(4, 3), "time": scalar(0.5), "probes": zeros(2, 4, 3), "velocity_fn": mixing}
ONE = {"x": [[2.0]], "probes": [[[1.0]]], "velocity_fn": scaled}

SPEC = (
    # Rates.
    Agree("augmented_velocity", "regular", given(x=X, time=scalar(0.5), probes=PROBES, velocity_fn=mixing)),
    Agree("augmented_velocity", "images, one probe", given(x=IMAGES, time=scalar(0.25), probes=ONE_PROBE, velocity_fn=mixing)),
    Anchor("augmented_velocity", "J = (0.125, -0.25; 0.125, 0.5), two probes", given(
        x=[[2.0, -1.0]], time=scalar(0.5), probes=[[[1.0, 1.0]], [[2.0, -1.0]]], velocity_fn=mixing),
           gives=([[0.75, -0.375]], [-0.875]), source="-(0.5 + 1.25) / 2",
           near_misses={"the sign": ([[0.75, -0.375]], [0.875]), "the sum": ([[0.75, -0.375]], [-1.75]),
                        "the first probe": ([[0.75, -0.375]], [-0.5]), "the exact trace": ([[0.75, -0.375]], [-0.625]),
                        "at time 0": ([[-0.25, 0.125]], [0.875 / 2 + 0.9375])}),
    Law.equal("the exact rate is minus the trace", given(x=X),
              left=lambda f, x: f.augmented_velocity(x, np.array(0.3), _axes(x), mixing)[1],
              right=lambda f, x: -_trace(x, 0.3)),
    Rejects("augmented_velocity", "a time for each", given(**AT_A_TIME | {"time": zeros(4)}), blames="time"),
    Rejects("augmented_velocity", "a velocity of another shape", given(**AT_A_TIME | {"velocity_fn": flat}),
            blames="velocity_fn"),
    Rejects("augmented_velocity", "no batch", given(**AT_A_TIME | {"x": np.array(1.0), "probes": zeros(2)}), blames="x"),
    *_refused_probes("augmented_velocity", **AT_A_TIME),
    # Paths.
    Agree("integrate", "uneven rising times", given(x=X, probes=PROBES, times=RISING, velocity_fn=mixing), differentiate=BOTH),
    Agree("integrate", "images, falling times", given(x=IMAGES, probes=ONE_PROBE, times=FALLING, velocity_fn=mixing),
          differentiate=BOTH),
    Anchor("integrate", "0.7 x, one step from 1 to 0", given(**ONE, times=[1.0, 0.0]), gives=([[2 * BACK]], [0.7]),
           source="1 - z + z^2/2 - z^3/6 + z^4/24",
           near_misses={"the sign": ([[2 * BACK]], [-0.7]), "forward": ([[2 * FORTH]], [-0.7]),
                        "exact": ([[2 * np.exp(-0.7)]], [0.7]), "Euler": ([[0.6]], [0.7])}),
    Law.limit("minus the log-determinant of the path's own Jacobian", given(x=[[0.5, -1.0]]), at=(1 / 2, 1 / 4, 1 / 8), order=4,
              value=lambda f, h, x: f.integrate(x, _axes(x), _grid(h), swaying)[1] + np.linalg.slogdet(
                  f.jacobian("integrate", x, _axes(x), _grid(h), swaying)[0, :, 0])[1], limit=0.0),
    Law.equal("a linear field has a constant rate", given(x=X),
              left=lambda f, x: f.integrate(x, _axes(x), np.array([0.2, 0.5, 1.2]), drawn_together)[1],
              right=lambda f, x: np.full(len(x), -0.75)),
    Law.equal("nothing moves", given(x=X, probes=PROBES), right=lambda f, x, probes: x,
              left=lambda f, x, probes: f.integrate(x, probes, np.array(RISING), still)[0]
              + f.integrate(x, probes, np.array(RISING), still)[1][:, None]),
    *_refused("integrate", **ZEROS),
    # Log-densities.
    Agree("log_prob", "regular", given(x=X, probes=PROBES, times=FALLING, velocity_fn=mixing), differentiate=BOTH),
    Agree("log_prob", "on a line, one step up", given(x=normal(4, 1), probes=normal(1, 4, 1), times=[0.0, 0.5],
                                                      velocity_fn=mixing), differentiate=BOTH),
    Anchor("log_prob", "0.7 x, one step from 1 to 0", given(**ONE, times=[1.0, 0.0]),
           gives=[-LOG_2_PI / 2 - 2 * BACK**2 - 0.7], source="log N(2 . 0.49784; 0, 1) - 0.7",
           near_misses={"the sign": [-LOG_2_PI / 2 - 2 * BACK**2 + 0.7], "the data's end": [-LOG_2_PI / 2 - 2 - 0.7],
                        "from noise to data": [-LOG_2_PI / 2 - 2 * FORTH**2 + 0.7], "the sign there":
                        [-LOG_2_PI / 2 - 2 * FORTH**2 - 0.7], "no constant": [-2 * BACK**2 - 0.7], "no trace":
                        [-LOG_2_PI / 2 - 2 * BACK**2]}),
    Law.limit("a linear field makes a normal density", given(x=PLANE), at=(1 / 2, 1 / 4, 1 / 8), order=4,
              value=lambda f, h, x: f.log_prob(x, _axes(x), _grid(h), drawn_together),
              limit=lambda f, x: -np.sum(_drawn_back(x) ** 2, 1) / 2 - LOG_2_PI - 0.5),
    Law.limit("the density of the plane sums to one", given(), at=(1 / 2, 1 / 4, 1 / 8), order=4, value=_total_mass, limit=1.0),
    Law.equal("the mean over all signs", given(x=PLANE),
              left=lambda f, x: _each_sign(f, x, np.array(FALLING)).mean(0),
              right=lambda f, x: f.log_prob(x, _axes(x), np.array(FALLING), swaying)),
    *_refused("log_prob", **ZEROS),
    # Kinetic energies.
    Agree("kinetic_energy", "regular", given(x=X, times=RISING, velocity_fn=mixing), differentiate=("x",)),
    Agree("kinetic_energy", "images, falling times", given(x=IMAGES, times=FALLING, velocity_fn=mixing), differentiate=("x",)),
    *(
        Anchor("kinetic_energy", f"speed 2 in each of two entries, {case}", given(
            x=[[1.0, -3.0]], times=times, velocity_fn=driven), gives=[12.0], source="1.5 (4 + 4)",
               near_misses={"negative": [-12.0], "the mean over the entries": [6.0], "half": [6.0],
                            "a length": [1.5 * 8**0.5], "the squared displacement": [18.0], "not over the time": [8.0]})
        for case, times in (("up", [0.0, 0.5, 1.5]), ("down", [1.5, 0.5, 0.0]))
    ),
    Law.at_least("the squared displacement over the time", given(x=X, probes=PROBES),
                 left=lambda f, x, probes: f.kinetic_energy(x, np.array([1.0, 0.6, -0.5]), mixing),
                 right=lambda f, x, probes: np.sum((f.integrate(x, probes, np.array([1.0, 0.6, -0.5]), mixing)[0] - x) ** 2, 1)
                 / 1.5),
    *_refused("kinetic_energy", **{name: value for name, value in ZEROS.items() if name != "probes"}),
    # The network.
    Model("ContinuousFlow", "two steps", given(x=PLANE), sizes=dict(dim=2, hidden=(6, 5), num_steps=2), steps=3,
          initial={"velocity.4.*": begins_at(0), "*": begins_by_inputs()},
          relations={"with the energy of the way, it is the same way": lambda network, x: (
              network.with_energy(x, num_steps=2)[:2], network(x))}),
)  # fmt: skip
