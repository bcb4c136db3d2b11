"""Exercises of the lecture: PixelCNN: every conditional of an image in one pass, and what a masked kernel does not see."""

import numpy as np

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive._pixels import paths_through, square_kernels, two_stacks
from theory_jax.lectures.autoregressive.pixelcnn import derivation


@derivation.exercise(
    r"How many pixels come before the one in row $i$ and column $j$? How many is that for $(8, 3)$, with nine columns?",
    prose("All columns of $i$ rows, and $j$ pixels in its own: {number}.", number=holds(plus(times(8, 9), 3), "=", 75)),
)
def size_of_a_context():
    yield 8 * 9 + 3, "75"
    yield np.count_nonzero(paths_through(two_stacks(2), 9)[75]), "75"


@derivation.exercise(
    r"How many pixels does a kernel of side 7 never see at $(8, 3)$ of a $9 \times 9$ image?",
    r"In the row above it ends at column 6, three to the right, and loses columns 7 and 8; two rows above nothing is lost. So 2.",
)
def a_wide_kernel():
    yield sum(max(0, 8 - 3 - 3 * rows) for rows in range(1, 9)), "2"
    yield 75 - np.count_nonzero(paths_through(square_kernels(7, layers=4), 9)[75]), "2"


@derivation.exercise(
    r"After how many layers of side 3 does the pixel $(8, 3)$ see all it will ever see?",
    "8: the first row is eight steps up, and every step climbs one row at the most. The farthest columns take no longer.",
)
def layers_for_all():
    seen_after = [np.count_nonzero(paths_through(square_kernels(3, layers=layers), 9)[75]) for layers in (7, 8, 10)]
    yield 8 if seen_after[0] < seen_after[1] == seen_after[2] else -1, "8"
