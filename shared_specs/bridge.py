"""flax state <-> torch state_dict, by dotted name: the few rules by which the two layouts differ.

Names are equal but for the leaf: flax's `kernel` (and a norm's `scale`, an embedding's `embedding`) is torch's `weight`.
A linear kernel is [in, out] in flax and [out, in] in torch; a convolution's is [..., in, out] and [out, in, ...].
"""

from collections.abc import Sequence

import numpy as np

_LEAVES = {"kernel": "weight", "scale": "weight", "embedding": "weight"}


def torch_name(flax_path: Sequence[str | int]) -> str:
    """('encoder', 0, 'kernel') -> 'encoder.0.weight'."""
    *path, leaf = flax_path
    return ".".join(map(str, (*path, _LEAVES.get(leaf, leaf))))


def to_torch_layout(leaf: str, array: np.ndarray) -> np.ndarray:
    """A flax parameter in torch's layout; leaf is flax's name for it."""
    if leaf != "kernel" or array.ndim < 2:
        return array
    return np.ascontiguousarray(np.moveaxis(array, (-1, -2), (0, 1)))


def to_flax_layout(leaf: str, array: np.ndarray) -> np.ndarray:
    """A torch parameter in flax's layout; leaf is flax's name for it."""
    if leaf != "kernel" or array.ndim < 2:
        return array
    return np.ascontiguousarray(np.moveaxis(array, (0, 1), (-1, -2)))
