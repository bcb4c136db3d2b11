"""Rounding at random: how an operation's result moves where a tolerance is measured (shared_specs/checking/tolerance.py)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

_SIGNS = np.random.default_rng(0).choice([-1.0, 1.0], size=1 << 18)
_BEYOND_24_BITS = (1 << 29) - 1  # of the 53 bits of a float64


class Rounding:
    """Moves every entry of an array by a share of itself, up or down at random.

    shares: the share at one point, or [points]. What fits into 24 bits is exact and stays: zeros, counts, masks, halves.
    differing: whether only arrays that differ from point to point move.
    """

    def __init__(self, shares: ArrayLike, seed: int = 0, *, differing: bool = False) -> None:
        self._shares = np.asarray(shares, dtype=np.float64)
        self._differing = differing
        self._rng = np.random.default_rng(seed)
        self._next = len(_SIGNS)

    def moved(self, array: np.ndarray, rank: int) -> np.ndarray:
        """The array, which has this rank at one point, moved; at many points it has an axis for them afterwards."""
        array = np.asarray(array)
        if self._differing and array.ndim == rank:
            return array
        if array.dtype == np.complex128:
            return self._moved_in_the_plane(array, rank)
        if array.dtype != np.float64:
            return array
        exact = (array.view(np.int64) & _BEYOND_24_BITS) == 0
        if exact.all():
            return array
        found = np.asarray(array * self._share(rank))
        found *= self._signs(found.size).reshape(found.shape)
        found += array
        np.copyto(found, array, where=exact)
        return found

    def one_by_one(self) -> Iterator["Rounding"]:
        """The rounding at each of the points."""
        seeds = self._rng.integers(1 << 32, size=len(self._shares))
        return (Rounding(share, seed) for share, seed in zip(self._shares, seeds, strict=True))

    def _moved_in_the_plane(self, array, rank):
        """In both parts by a share of the absolute value: a product of complex numbers rounds so."""
        found = np.abs(array) * self._share(rank)
        signs = self._signs(2 * found.size).reshape(2, *found.shape)
        exact = array.astype(np.complex64) == array
        return np.where(exact, array, array + found * (signs[0] + 1j * signs[1]))

    def _share(self, rank):
        return self._shares.reshape(-1, *[1] * rank) if self._shares.ndim else self._shares

    def _signs(self, count):
        """So many of the signs, one behind the other; at their end, from another place."""
        if count > len(_SIGNS):
            return np.resize(_SIGNS, count)
        if self._next + count > len(_SIGNS):
            self._next = int(self._rng.integers(len(_SIGNS) - count + 1))
        found = _SIGNS[self._next : self._next + count]
        self._next += count
        return found
