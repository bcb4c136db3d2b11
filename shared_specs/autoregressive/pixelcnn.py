"""Contracts of PixelCNN (lecture 42)."""

import numpy as np

from shared_specs.rows import (
    LOG_3,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_by_inputs,
    begins_normal,
    bits,
    given,
    integers,
    normal,
    zeros,
)

X, BIAS = normal(2, 3, 4, 5), normal(4)
NINE = np.arange(1.0, 10.0).reshape(3, 3)
POWERS = 2.0 ** np.arange(9).reshape(3, 3)  # any sum of them identifies its terms
A, B = (np.array([[1, 1, 1], [1, own, 0], [0, 0, 0]], dtype=bool) for own in (0, 1))
ABOVE = np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]], dtype=bool)
RIGHT = np.array([[1, 1, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)
OUT = given(x=zeros(1, 3, 4, 5), weight=zeros(2, 3, 3, 3), bias=zeros(2), mask=np.zeros((2, 3, 3, 3), dtype=bool)).arguments


def read(kernel, middle, bias=0.5):
    """The window of NINE under a kernel, with its entry `middle` at the pixel itself."""
    padded = np.pad(NINE, 3)
    rows, columns = kernel.shape
    top, left = 3 - middle[0], 3 - middle[1]
    windows = [[padded[top + i : top + i + rows, left + j : left + j + columns] for j in range(3)] for i in range(3)]
    return [[(kernel * np.array(windows)).sum((2, 3)) + bias]]


def passed(f, x, mask):
    """[outputs, inputs] of a layer of ones, of one channel."""
    return f.jacobian("masked_convolution", x, np.ones((1, 1, 3, 3)), np.zeros(1), mask[None, None]).reshape(20, 20)


def square(**changes):
    return given(**OUT | changes)


def tall(mask_type="A", **changes):
    return given(**{"x": zeros(1, 3, 4, 5), "weight": zeros(2, 3, 2, 3), "bias": zeros(2)} | changes, mask_type=mask_type)


def wide(mask_type="A", **changes):
    return given(**{"x": zeros(1, 3, 4, 5), "weight": zeros(2, 3, 1, 2), "bias": zeros(2)} | changes, mask_type=mask_type)


def masks(**changes):
    return given(**{"masks": (A, B), "height": 3, "width": 4, "row": 1, "column": 2} | changes)


def kernel(**changes):
    of = {"out_channels": 4, "in_channels": 2, "kernel_size": 3, "mask_type": "A", "colors": 2}
    return given(**of | changes)


def _log_prob(network, codes, label):
    """log p of every code."""
    return network(codes, label).log_softmax(-1).gather(-1, codes.long()[..., None])[..., 0]


def _drawn(network, codes, label):
    """Whether each uniform is between the probabilities of all codes below, and of those and the code that was drawn.

    Codes are drawn in float32, which rounds by less than 1e-6.
    """
    uniforms = (codes.double() + 0.5) / (codes.max() + 1)
    codes = network.generate(uniforms[..., None], label)
    upto = network(codes, label).softmax(-1).cumsum(-1).gather(-1, codes[..., None])[..., 0]
    below = upto - _log_prob(network, codes, label).exp()
    return ((below < uniforms + 1e-6) & (uniforms - 1e-6 < upto)).double(), (codes >= 0).double()


SPEC = (
    # Masks.
    Anchor("pixel_mask", "A, one color", kernel(out_channels=1, in_channels=1, colors=1), gives=[[A]], source="by hand",
           near_misses={"the pixel itself": [[B]], "no pixel to the left": [[ABOVE]], "to the right": [[RIGHT]],
                        "columns for rows": [[A.T]]}),
    Anchor("pixel_mask", "B, one color, five rows", kernel(out_channels=1, in_channels=1, kernel_size=5, mask_type="B", colors=1),
           gives=[[np.arange(25).reshape(5, 5) <= 12]], source="by hand",
           near_misses={"A": [[np.arange(25).reshape(5, 5) < 12]], "the row left out": [[np.arange(25).reshape(5, 5) < 10]]}),
    Anchor("pixel_mask", "A, two colors, one by one", kernel(kernel_size=1),
           gives=np.reshape([0, 0, 0, 0, 1, 0, 1, 0], (4, 2, 1, 1)).astype(bool), source="colors 0, 0, 1, 1 of 0, 1",
           near_misses={"interleaved": np.reshape([0, 0, 1, 0, 0, 0, 1, 0], (4, 2, 1, 1)).astype(bool),
                        "later colors": np.reshape([0, 1, 0, 1, 0, 0, 0, 0], (4, 2, 1, 1)).astype(bool),
                        "B": np.reshape([1, 0, 1, 0, 1, 1, 1, 1], (4, 2, 1, 1)).astype(bool)}),
    Anchor("pixel_mask", "B, three colors", kernel(out_channels=3, in_channels=6, mask_type="B", colors=3),
           gives=[[B if o >= i // 2 else A for i in range(6)] for o in range(3)], source="a color sees itself and earlier ones",
           near_misses={"interleaved": [[B if o >= i % 3 else A for i in range(6)] for o in range(3)],
                        "A": [[B if o > i // 2 else A for i in range(6)] for o in range(3)],
                        "colors everywhere": [[B * (o >= i // 2) for i in range(6)] for o in range(3)]}),
    *(
        Rejects("pixel_mask", case, kernel(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("an even side", {"kernel_size": 4}), ("no side", {"kernel_size": 0}), ("another letter", {"mask_type": "C"}),
            ("a small letter", {"mask_type": "b"}), ("no color", {"colors": 0}),
            ("outputs that cannot be divided", {"out_channels": 3}),
            ("inputs that cannot be divided", {"in_channels": 3}), ("no output", {"out_channels": 0}),
        )
    ),
    # Masked convolutions.
    Agree("masked_convolution", "regular", given(x=X, weight=normal(4, 3, 3, 3), bias=BIAS, mask=bits(4, 3, 3, 3)),
          differentiate=("x", "weight", "bias")),
    Agree("masked_convolution", "an image smaller than the kernel",
          given(x=normal(2, 3, 2, 1), weight=normal(4, 3, 5, 5), bias=BIAS, mask=bits(4, 3, 5, 5)),
          differentiate=("x", "weight", "bias")),
    Anchor("masked_convolution", "A, one channel",
           given(x=[[NINE]], weight=[[POWERS]], bias=[0.5], mask=np.array([[A]])),
           gives=[[[[0.5, 8.5, 16.5], [10.5, 49.5, 48.5], [28.5, 94.5, 81.5]]]], source="by hand",
           near_misses={"no mask": read(POWERS, (1, 1)), "B": read(POWERS * B, (1, 1)), "no bias": read(POWERS * A, (1, 1), 0.0),
                        "the kernel turned": read((POWERS * A)[::-1, ::-1], (1, 1)), "a pixel aside": read(POWERS * A, (1, 2)),
                        "only the rows above": read(POWERS * ABOVE, (1, 1)),
                        "the mask turned": read(POWERS * A[::-1, ::-1], (1, 1))}),
    Law.equal("later pixels have no influence", given(x=X, weight=normal(4, 3, 3, 3), bias=BIAS, other=normal(2, 3, 7)),
              left=lambda f, x, w, b, other: f.masked_convolution(
                  x, w, b, np.broadcast_to(A, w.shape)).reshape(2, 4, 20)[..., :14],
              right=lambda f, x, w, b, other: f.masked_convolution(
                  np.concatenate([x.reshape(2, 3, 20)[..., :13], other], -1).reshape(x.shape), w, b, np.broadcast_to(A, w.shape)
              ).reshape(2, 4, 20)[..., :14]),
    *(
        Rejects("masked_convolution", case, square(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("no batch", {"x": zeros(3, 4, 5)}), ("other channels", {"weight": zeros(2, 4, 3, 3)}),
            ("a row for a kernel", {"weight": zeros(2, 3, 1, 3)}), ("an even side", {"weight": zeros(2, 3, 2, 2)}),
            ("a bias too few", {"bias": zeros(1)}), ("a mask for all inputs", {"mask": np.zeros((2, 1, 3, 3), dtype=bool)}),
            ("half a mask", {"mask": np.full((2, 3, 3, 3), 0.5)}),
        )
    ),
    # Gates.
    Agree("gated_activation", "regular", given(x=normal(2, 6, 4, 5))),
    Agree("gated_activation", "saturated", given(x=np.array([40.0, -40, 800, -800, 0, 3, -2, 800]).reshape(1, 8, 1, 1))),
    Anchor("gated_activation", "tanh log 3 = 4/5 and sigma log 3 = 3/4",
           given(x=[[[[0.0, LOG_3]], [[LOG_3, -LOG_3]], [[LOG_3, 0.0]], [[LOG_3, -LOG_3]]]]),
           gives=[[[[0.0, 0.4]], [[0.6, -0.2]]]], source="by hand",
           near_misses={"gate and content exchanged": [[[[0.4, 0.0]], [[0.6, -0.2]]]],
                        "sigma of both": [[[[0.375, 0.375]], [[0.5625, 0.0625]]]],
                        "every second channel a gate": [[[[0.0, 0.2]], [[0.6, 0.0]]]],
                        "tanh of both": [[[[0.0, 0.0]], [[0.64, 0.64]]]]}),
    Rejects("gated_activation", "three channels", given(x=zeros(2, 3, 4, 5)), blames="x"),
    Rejects("gated_activation", "no batch", given(x=zeros(4, 4, 5)), blames="x"),
    # Two stacks.
    Agree("vertical_convolution", "A", given(x=X, weight=normal(4, 3, 2, 3), bias=BIAS, mask_type="A")),
    Agree("vertical_convolution", "B, one row", given(x=X, weight=normal(4, 3, 1, 3), bias=BIAS, mask_type="B")),
    Agree("vertical_convolution", "A, an image smaller than the kernel",
          given(x=normal(2, 3, 2, 1), weight=normal(4, 3, 3, 5), bias=BIAS, mask_type="A")),
    *(
        Anchor("vertical_convolution", mask_type, given(x=[[NINE]], weight=[[POWERS[:2]]], bias=[0.5], mask_type=mask_type),
               gives=gives, source="by hand",
               near_misses={"the other type": read(POWERS[:2], (2 - other, 1)), "rows below": read(POWERS[:2], (0, 1)),
                            "upside down": read(POWERS[1::-1], (1 + other, 1)),
                            "a column aside": read(POWERS[:2], (1 + other, 0)), "no bias": read(POWERS[:2], (1 + other, 1), 0.0)})
        for mask_type, other, gives in (
            ("A", 1, [[[[0.5, 0.5, 0.5], [80.5, 136.5, 64.5], [234.5, 321.5, 144.5]]]]),
            ("B", 0, [[[[80.5, 136.5, 64.5], [234.5, 321.5, 144.5], [396.5, 510.5, 225.5]]]]),
        )
    ),
    *(
        Rejects("vertical_convolution", case, tall(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("another letter", {"mask_type": "C"}), ("no batch", {"x": zeros(3, 4, 5)}),
            ("other channels", {"weight": zeros(2, 4, 2, 3)}), ("two columns", {"weight": zeros(2, 3, 2, 2)}),
            ("no row", {"weight": zeros(2, 3, 0, 3)}), ("a bias too few", {"bias": zeros(1)}),
        )
    ),
    Agree("horizontal_convolution", "A", given(x=X, weight=normal(4, 3, 1, 2), bias=BIAS, mask_type="A")),
    Agree("horizontal_convolution", "B, one column", given(x=X, weight=normal(4, 3, 1, 1), bias=BIAS, mask_type="B")),
    Agree("horizontal_convolution", "A, an image smaller than the kernel",
          given(x=normal(2, 3, 2, 1), weight=normal(4, 3, 1, 3), bias=BIAS, mask_type="A")),
    *(
        Anchor("horizontal_convolution", mask_type, given(x=[[NINE]], weight=[[[[1.0, 10.0]]]], bias=[0.5], mask_type=mask_type),
               gives=gives, source="by hand",
               near_misses={"the other type": read(TWO, (0, 2 - other)), "turned": read(TWO[:, ::-1], (0, 1 + other)),
                            "pixels ahead": read(TWO, (0, 0)), "down a column": read(TWO.T, (1 + other, 0))}
               | ({} if other else {"no bias": read(TWO, (0, 1), 0.0)}))
        for TWO in (np.array([[1.0, 10.0]]),) for mask_type, other, gives in (
            ("A", 1, [[[[0.5, 10.5, 21.5], [0.5, 40.5, 54.5], [0.5, 70.5, 87.5]]]]),
            ("B", 0, [[[[10.5, 21.5, 32.5], [40.5, 54.5, 65.5], [70.5, 87.5, 98.5]]]]),
        )
    ),
    *(
        Law.equal(f"rows above and pixels before are a mask of type {mask_type}",
                  given(x=X, above=normal(4, 3, 1, 3), before=normal(4, 3, 1, 1 + own), bias=BIAS),
                  left=lambda f, x, above, before, bias, kind=mask_type: f.vertical_convolution(x, above, 0 * bias, mask_type="A")
                  + f.horizontal_convolution(x, before, bias, mask_type=kind),
                  right=lambda f, x, above, before, bias, own=own, mask=mask: f.masked_convolution(x, np.concatenate(
                      [above, np.pad(before, ((0, 0), (0, 0), (0, 0), (0, 2 - own))), np.ones((4, 3, 1, 3))], 2), bias,
                      np.broadcast_to(mask, (4, 3, 3, 3))))
        for mask_type, own, mask in (("A", 0, A), ("B", 1, B))
    ),
    *(
        Rejects("horizontal_convolution", case, wide(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("another letter", {"mask_type": "AB"}), ("no batch", {"x": zeros(3, 4, 5)}),
            ("other channels", {"weight": zeros(2, 4, 1, 2)}), ("two rows", {"weight": zeros(2, 3, 2, 2)}),
            ("no column", {"weight": zeros(2, 3, 1, 0)}), ("a bias too few", {"bias": zeros(1)}),
        )
    ),
    # Paths.
    Agree("dependency_map", "regular", given(masks=(A, B, B), height=4, width=5, row=2, column=1), no_gradient="counts"),
    Anchor("dependency_map", "A, then B", given(masks=(A, B), height=3, width=3, row=1, column=1),
           gives=[[3, 3, 1], [1, 0, 0], [0, 0, 0]], source="by hand",
           near_misses={"B, then B": [[4, 4, 2], [2, 1, 0], [0, 0, 0]], "reached or not": [[1, 1, 1], [1, 0, 0], [0, 0, 0]],
                        "A alone": [[1, 1, 1], [1, 0, 0], [0, 0, 0]], "what the pixel feeds": [[0, 0, 0], [0, 0, 1], [1, 3, 3]]}),
    Anchor("dependency_map", "no layer", given(masks=(), height=2, width=3, row=1, column=0), gives=[[0, 0, 0], [1, 0, 0]],
           source="a pixel is itself", near_misses={"at the first pixel": [[1, 0, 0], [0, 0, 0]]}),
    Anchor("dependency_map", "more paths than 32 bits count", given(masks=(np.ones((3, 3), dtype=bool),) * 30, height=1, width=2,
           row=0, column=0), gives=[[2**29, 2**29]], source="two pixels, each of which reads both",
           near_misses={"one layer less": [[2**28, 2**28]]}),
    Law.equal("as many as a sum of ones passes on", given(x=zeros(1, 1, 4, 5)),
              left=lambda f, x: f.dependency_map((A, ABOVE, B), height=4, width=5, row=3, column=2),
              right=lambda f, x: (passed(f, x, B) @ passed(f, x, ABOVE) @ passed(f, x, A))[17].reshape(4, 5)),
    *(
        Rejects("dependency_map", case, masks(**wrong), blames=blames)
        for case, wrong, blames in (
            ("an even side", {"masks": (A, np.ones((2, 2), dtype=bool))}, "masks"), ("a row", {"masks": (A[:1], B)}, "masks"),
            ("four axes", {"masks": (A[None, None],)}, "masks"), ("weights", {"masks": (A, 2.0 * B)}, "masks"),
            ("no row", {"height": 0, "row": 0}, "height"), ("no column", {"width": 0}, "width"),
            ("below the image", {"row": 3}, "row"),
            ("counted from the end", {"column": -1}, "column"),
        )
    ),
    # The network. A class begins without a say.
    Model("GatedPixelCNN", "one color, classes", given(codes=integers(2, 1, 3, 3, high=5), label=np.array([1, 2])), steps=2,
          sizes=dict(num_levels=5, colors=1, width=3, layers=2, classes=3), training=dict(dropout=0.5),
          initial={"embedding.weight": begins_normal(1.0), "*condition.weight": begins_at(0), "*": begins_by_inputs()},
          relations={
              "an image is as likely as its codes": lambda network, codes, label: (
                  network.log_prob(codes, label), _log_prob(network, codes, label).flatten(1).sum(1)),
              "codes are drawn by the inverse of their distribution function": _drawn,
          }),
    # the second color's row of the embedding is beyond 255
    Model("GatedPixelCNN", "two colors", given(codes=integers(2, 2, 3, 3, high=256)), steps=0,
          sizes=dict(num_levels=256, colors=2, width=2, layers=1, kernel_size=5),
          initial={"embedding.weight": begins_normal(1.0), "earlier.weight": begins_normal(1.0), "*": begins_by_inputs()},
          relations={
              "an image is as likely as its codes": lambda network, codes: (
                  network.log_prob(codes), _log_prob(network, codes, None).flatten(1).sum(1)),
              "codes are drawn by the inverse of their distribution function": lambda network, codes: (
                  _drawn(network, codes, None)),
          }),
)  # fmt: skip
