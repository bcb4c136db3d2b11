"""Exercises of the lecture: PixelCNN: every conditional of an image in one pass, and what a masked kernel does not see."""

import numpy as np

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive._pixels import paths_through, square_kernels, two_stacks
from theory_jax.lectures.autoregressive.pixelcnn import derivation


def _strict(layers):
    """Paths through layers that are all of type A, on 5 x 5 pixels."""
    return np.linalg.matrix_power(np.asarray(paths_through(square_kernels(3, layers=1), 5)).astype(int), layers)


@derivation.exercise(
    r"How many pixels come before the one in row $i$ and column $j$? How many is that for $(8, 3)$, with nine columns?",
    prose("All columns of $i$ rows, and $j$ pixels in its own: {number}.", number=holds(plus(times(8, 9), 3), "=", 75)),
    level="easy",
    hint="Count the full rows above first, and then the pixels to the left.",
)
def size_of_a_context():
    yield 8 * 9 + 3, "75"
    yield np.count_nonzero(paths_through(two_stacks(2), 9)[75]), "75"


@derivation.exercise(
    r"How many pixels does a kernel of side 7 never see at $(8, 3)$ of a $9 \times 9$ image?",
    r"In the row above it ends at column 6, three to the right, and loses columns 7 and 8; two rows above nothing is lost. So 2.",
    level="easy",
    hint="How far to the right does a path reach in the row above, and two rows above?",
)
def a_wide_kernel():
    yield sum(max(0, 8 - 3 - 3 * rows) for rows in range(1, 9)), "2"
    yield 75 - np.count_nonzero(paths_through(square_kernels(7, layers=4), 9)[75]), "2"


@derivation.exercise(
    r"After how many layers of side 3 does the pixel $(8, 3)$ see all it will ever see?",
    "8: the first row is eight steps up, and every step climbs one row at the most. The farthest columns take no longer.",
    level="medium",
    hint="How many rows can a single step climb, and how many are there?",
)
def layers_for_all():
    seen_after = [np.count_nonzero(paths_through(square_kernels(3, layers=layers), 9)[75]) for layers in (7, 8, 10)]
    yield 8 if seen_after[0] < seen_after[1] == seen_after[2] else -1, "8"


@derivation.exercise(
    r"Which share of the 22 earlier pixels does the pixel $(4, 2)$ of a $5 \times 5$ image never see through kernels of side "
    "3? And at the left edge, in the same row?",
    "In the row above it loses column 4; two rows above nothing: 1 of 22, or 0.0455. At the left edge it loses columns 2, 3 "
    "and 4, then 3 and 4, then 4: 6 of 20, or 0.3. The blind spot is largest where most of the image is to the right.",
    level="medium",
    hint="The line of the wedge climbs one row for so many columns; count what is to the right of it, row by row.",
)
def a_share_of_the_image():
    seen = paths_through(square_kernels(3), 5) > 0
    for place, lost, share in ((22, "1", "0.0455"), (20, "6", "0.3")):
        missing = place - np.count_nonzero(seen[place])
        yield missing, lost
        yield missing / place, share


@derivation.exercise(
    "By mistake the second layer has type A, too, and there are no residual connections. How many of the 12 earlier pixels "
    r"does the middle of a $5 \times 5$ image see through two such layers of side 3? Is the model still a distribution, and "
    "does a third such layer help?",
    "It is a distribution: no pixel sees itself. But each layer moves every path on, so what is one step away is not reached "
    "in two. It sees 9 of 12 pixels, and 11 with type B; the left neighbor, often the most useful one, is lost, with 0 paths. "
    "Through three such layers it sees 6: depth takes near pixels away.",
    level="medium",
    hint="List the pixels that one strict layer reads; which of them can be reached in exactly two such steps?",
)
def two_strict_layers():
    for layers, stated in ((2, "9"), (3, "6")):
        yield np.count_nonzero(_strict(layers)[12]), stated
    yield np.count_nonzero(paths_through(square_kernels(3, layers=2), 5)[12]), "11"
    yield _strict(2)[12, 11], "0"


@derivation.exercise(
    "Images of five columns have random fair bits in every row but the last. There each pixel copies the pixel of the row "
    "above that is two columns to its right, and is 0 where there is none. How many bits does a network of masked kernels of "
    "side 3 lose for the last row, however deep it is? Which side of the kernel is enough?",
    "Each of the first three pixels copies what is two columns to the right in the row above, outside of the wedge, where a "
    "kernel of side 3 reaches one column. What it sees is independent of that bit, so it predicts one half and loses 3 bits. "
    "Side 5 loses 0, and so do two stacks.",
    level="hard",
    hint="Which pixel of the row above has the copied value, and is it inside the wedge?",
)
def a_distant_copy():
    for run, stated in ((square_kernels(3), "3"), (square_kernels(5), "0"), (two_stacks(2), "0")):
        paths = paths_through(run, 5)
        yield sum(paths[20 + column, 15 + column + 2] == 0 for column in range(3)), stated
