"""Shared cases of the specs of flows: the laws of every invertible map, and grids on which a density sums to one."""

import numpy as np

from shared_specs.rows import Law, normal

# ---------------------------------------------------------------------------------------------------- what coupling layers map

X, IMAGES = normal(5, 4), normal(2, 3, 4, 5)
MASK, OTHER = np.array([True, False, True, False]), np.array([False, True, False, True])
FIRST = np.array([True, False])
BOARD = (np.indices((4, 5)).sum(0) % 2 == 0)[None]  # [1, 4, 5]: the same for all channels
FULL = np.repeat(BOARD, 3, axis=0)

# ---------------------------------------------------------------------------------------------------- laws


def layer(case, given, there="forward", back="inverse", *, log_det=None, **hyper):
    """The laws of an invertible map: it is undone, and its log-determinant is that of its Jacobian for each example.

    there, back: names of the two functions, the second perhaps a function back(f, z, ...). The first argument is what they map,
    the others are parameters of both. A function that returns no log-determinant next to its result preserves volume, unless
    log_det(f, x, ...) is given.
    """

    def call(f, which, x, parameters):
        result = which(f, x, *parameters) if callable(which) else getattr(f, which)(x, *parameters, **hyper)
        return result if isinstance(result, tuple) else (result, np.zeros(len(x)))

    def forth(f, x, *parameters):
        z, found = call(f, there, x, parameters)
        return z, found if log_det is None else log_det(f, x, *parameters)

    def jacobians(f, x, *parameters):
        """[B, D, D]: the Jacobian of each example's result."""
        size = x[0].size
        whole = f.jacobian(there, x, *parameters, **hyper).reshape(len(x), size, len(x), size)
        return np.stack([whole[b, :, b] for b in range(len(x))])

    yield Law.inverse(
        f"{case}: there and back",
        given,
        round_trip=lambda f, x, *rest: call(f, back, call(f, there, x, rest)[0], rest)[0],
        start=lambda f, x, *rest: x,
    )
    yield Law.log_determinant(
        f"{case}: the log-determinant is that of the Jacobian",
        given,
        log_determinant=lambda f, *arguments: forth(f, *arguments)[1],
        jacobian=jacobians,
    )
    if log_det is None:
        yield Law.equal(
            f"{case}: the way back has the opposite log-determinant",
            given,
            left=lambda f, x, *rest: call(f, back, call(f, there, x, rest)[0], rest)[1],
            right=lambda f, x, *rest: -call(f, there, x, rest)[1],
        )


# ---------------------------------------------------------------------------------------------------- grids


def plane(reach, steps):
    """The points of a square grid on [-reach, reach]^2, [N, 2], and the area of one cell."""
    axis = np.linspace(-reach, reach, steps)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), (2 * reach / (steps - 1)) ** 2


# ---------------------------------------------------------------------------------------------------- maps, by operators


def bent(x):
    """A map of each example that mixes its entries: its first axis scales all of them."""
    return x * (1 + x[:, :1] * x[:, :1] / 4) - x[:, 1:2] / 8


def turned_over(x):
    """A map that reverses orientation where the number of entries is odd."""
    return x[:, :1] * x[:, 1:2] / 4 - 2 * x


def shift(kept):
    """The shift of a coupling layer: a function of the entries that pass, different for each entry."""
    return kept[:, 2:3] / 2 + (kept[:, :1] + kept[:, 1:2]) ** 2 / 4 + kept / 8 + 0.3


def stretch(kept):
    """The log-scales of a coupling layer: another function of the entries that pass."""
    return (kept[:, :1] + kept[:, 1:2]) / 4 - kept[:, 2:3] / 8 + kept / 16 - 0.2


def undone(network, x):
    """The way to z and back: x again, and log-determinants that add up to 0."""
    z, log_det = network(x)
    back, log_det_back = network.inverse(z)
    return (back, log_det_back), (x, -log_det)
