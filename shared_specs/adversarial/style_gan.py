"""What must hold of modulated convolutions, adaptive instance normalization, codes of layers, and the path length penalty."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, concatenate, full, given, normal, scalar, zeros

PIXELS, KERNEL, GAINS = normal(2, 3, 5, 7), normal(4, 3, 3, 2), normal(2, 3, mean=1.0, scale=0.5)
MODULATED = dict(x=PIXELS, weight=KERNEL, style=GAINS)
# Two channels of two pixels under two kernels of one pixel, (3, 4) and (0, 5), with the styles (1, 1) and (4, 3).
POINTS = dict(
    x=[[[[1.0, -1.0]], [[2.0, 0.5]]]] * 2, weight=[[[[3.0]], [[4.0]]], [[[0.0]], [[5.0]]]], style=[[1.0, 1.0], [4.0, 3.0]]
)
LINE = dict(x=[[[[1.0, 2.0, 3.0, -1.0]]]], weight=[[[[1.0, 10.0]]]], style=[[2.0]])
FEATURES = dict(x=normal(2, 3, 4, 5), scale=normal(2, 3), shift=normal(2, 3))
MAPS = dict(x=[[[[-1.0, 0.0, 1.0, 0.0]], [[2.0, 2.0, 2.0, 6.0]]]], scale=[[2.0, -1.0]], shift=[[1.0, 0.5]])
CODES = dict(w=normal(4, 3), mean_w=normal(3))
LAYERS = dict(w_a=normal(2, 5, 3), w_b=normal(2, 5, 3))
A, B = [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]], [[[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]]]
PULLED, MEAN_LENGTH = normal(6, 3), scalar(1.5)
ROOT_2, ROOT_3 = 2**0.5, 3**0.5


def rows(first, second):
    """What the two kernels of POINTS give, for both examples."""
    return [[[list(row)] for row in example] for example in (first, second)]


def kernel_squares(weight, style):
    """The squared length of each example's kernels, [B, O]."""
    return ((weight[None] * style[:, None, :, None, None]) ** 2).sum((2, 3, 4))


SPEC = (
    # Modulated convolutions.
    Agree("modulated_convolution", "regular", given(**MODULATED)),
    Agree("modulated_convolution", "no padding", given(**MODULATED, padding=0)),
    Agree("modulated_convolution", "two pixels of padding, a large epsilon", given(**MODULATED, padding=2, epsilon=0.5)),
    Agree("modulated_convolution", "no demodulation", given(**MODULATED, demodulate=False)),
    Agree("modulated_convolution", "kernels of one pixel", given(x=PIXELS, weight=normal(4, 3, 1, 1), style=GAINS, padding=0)),
    Agree("modulated_convolution", "a kernel of the image's size", given(x=PIXELS, weight=normal(4, 3, 5, 7), style=GAINS,
                                                                                padding=0)),
    Agree("modulated_convolution", "styles with zeros", given(x=PIXELS, weight=KERNEL, style=[[0.0, 1.0, -2.0],
                                                                                                 [0.0, 0.0, 0.0]])),
    Agree("modulated_convolution", "large styles", given(x=PIXELS, weight=KERNEL, style=normal(2, 3, scale=1e6))),
    Anchor(
        "modulated_convolution", "two kernels of one pixel", given(**POINTS, padding=0, epsilon=1e-30),
        gives=rows([(2.2, -0.2), (2.0, 0.5)], [(3 / ROOT_2, -0.5 / ROOT_2), (2.0, 0.5)]), source="by hand",
        near_misses={
            "demodulated over the outputs": rows([(2.249390095, -0.687652476), (1.561737619, 0.390434405)],
                                                 [(2.249390095, -0.687652476), (1.561737619, 0.390434405)]),
            "the style after demodulation": rows([(2.2, -0.2), (2.0, 0.5)], [(7.2, -1.2), (6.0, 1.5)]),
            "the first example's kernel for all": rows([(2.2, -0.2), (2.0, 0.5)], [(2.2, -0.2), (2.0, 0.5)]),
            "not demodulated": rows([(11.0, -1.0), (10.0, 2.5)], [(36.0, -6.0), (30.0, 7.5)]),
            "without the root": rows([(0.44, -0.04), (0.4, 0.1)], [(0.125, -0.020833333), (0.133333333, 0.033333333)]),
            "over all outputs together": rows([(1.555634919, -0.141421356), (1.414213562, 0.353553391)],
                                              [(1.589438828, -0.264906471), (1.324532357, 0.331133089)]),
            "by the mean square": rows([(3.111269837, -0.282842712), (2.828427125, 0.707106781)],
                                       [(3.0, -0.5), (2.828427125, 0.707106781)]),
        },
    ),
    Anchor(
        "modulated_convolution", "epsilon is added to the sum of squares", given(**POINTS, padding=0, epsilon=3.0),
        gives=rows([(11 / 28**0.5, -1 / 28**0.5), (10 / 28**0.5, 2.5 / 28**0.5)],
                   [(36 / 291**0.5, -6 / 291**0.5), (30 / 228**0.5, 7.5 / 228**0.5)]), source="by hand",
        near_misses={
            "to the root": rows([(1.375, -0.125), (1.25, 0.3125)], [(1.802653258, -0.30044221), (1.666666667, 0.416666667)]),
            "left out": rows([(2.2, -0.2), (2.0, 0.5)], [(3 / ROOT_2, -0.5 / ROOT_2), (2.0, 0.5)]),
        },
    ),
    Anchor(
        "modulated_convolution", "a line of four pixels", given(**LINE, demodulate=False, padding=0),
        gives=[[[[42.0, 64.0, -14.0]]]], source="by hand: 2 (x_i + 10 x_{i+1})",
        near_misses={"the kernel turned around": [[[[24.0, 46.0, 58.0]]]], "the style forgotten": [[[[21.0, 32.0, -7.0]]]],
                     "the style squared": [[[[84.0, 128.0, -28.0]]]]},
    ),
    Law.equal("a style scales the input's channels", given(**MODULATED),
              left=lambda f, x, weight, style: f.modulated_convolution(x, weight, style, demodulate=False),
              right=lambda f, x, weight, style: f.modulated_convolution(
                  x * style[:, :, None, None], weight, np.ones_like(style), demodulate=False)),
    Law.equal("padding is a frame of zeros", given(**MODULATED),
              left=lambda f, x, weight, style: f.modulated_convolution(x, weight, style, padding=2),
              right=lambda f, x, weight, style: f.modulated_convolution(
                  np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2))), weight, style, padding=0)),
    Law.equal("the size of a style does not matter, up to epsilon", given(**MODULATED),
              left=lambda f, x, weight, style: f.modulated_convolution(x, weight, 4.0 * style, epsilon=0.5),
              right=lambda f, x, weight, style: f.modulated_convolution(x, weight, style, epsilon=0.03125)),
    Law.equal("the size of the weights does not matter, up to epsilon", given(**MODULATED),
              left=lambda f, x, weight, style: f.modulated_convolution(x, 4.0 * weight, style, epsilon=0.5),
              right=lambda f, x, weight, style: f.modulated_convolution(x, weight, style, epsilon=0.03125)),
    Law.equal("a kernel's squared length is S / (S + epsilon)",
              given(x=normal(1, 3, 3, 2), weight=KERNEL, style=normal(1, 3)),
              left=lambda f, x, weight, style: (f.jacobian(
                  "modulated_convolution", x, weight, style, padding=0, epsilon=0.25) ** 2).sum((2, 3, 4, 5, 6, 7)),
              right=lambda f, x, weight, style: 1 / (1 + 0.25 / kernel_squares(weight, style))),
    Law.equal("along the style the slope is epsilon's share", given(x=PIXELS, weight=normal(1, 3, 3, 2), style=GAINS),
              left=lambda f, x, weight, style: (style * f.gradient(
                  "modulated_convolution", x, weight, style, wrt=2, epsilon=0.25)).sum(1),
              right=lambda f, x, weight, style: 0.25 / (kernel_squares(weight, style)[:, 0] + 0.25)
              * f.modulated_convolution(x, weight, style, epsilon=0.25).sum((1, 2, 3))),
    Law.equal("no example depends on another", given(**MODULATED),
              left=lambda f, x, weight, style: f.modulated_convolution(x, weight, style)[1:],
              right=lambda f, x, weight, style: f.modulated_convolution(x[1:], weight, style[1:])),
    Rejects("modulated_convolution", "no batch", given(x=zeros(3, 5, 7), weight=KERNEL, style=GAINS), blames="x"),
    Rejects("modulated_convolution", "a matrix of weights", given(x=PIXELS, weight=zeros(4, 3), style=GAINS), blames="weight"),
    Rejects("modulated_convolution", "weights of other channels", given(x=PIXELS, weight=zeros(4, 1, 3, 2), style=GAINS),
            blames="weight"),
    Rejects("modulated_convolution", "one style for all", given(x=PIXELS, weight=KERNEL, style=zeros(1, 3)), blames="style"),
    Rejects("modulated_convolution", "styles of the outputs", given(x=PIXELS, weight=KERNEL, style=zeros(2, 4)), blames="style"),
    Rejects("modulated_convolution", "a kernel higher than the image", given(x=PIXELS, weight=zeros(4, 3, 6, 2), style=GAINS,
                                                                             padding=0), blames="weight"),
    Rejects("modulated_convolution", "no kernel", given(x=PIXELS, weight=zeros(4, 3, 3, 0), style=GAINS), blames="weight"),
    Rejects("modulated_convolution", "negative padding", given(**MODULATED, padding=-1), blames="padding"),
    Rejects("modulated_convolution", "epsilon 0", given(**MODULATED, epsilon=0.0), blames="epsilon"),
    # Adaptive instance normalization.
    Agree("adaptive_instance_normalization", "regular", given(**FEATURES)),
    Agree("adaptive_instance_normalization", "a large epsilon", given(**FEATURES, epsilon=0.5)),
    Agree("adaptive_instance_normalization", "constant channels among others",
          given(x=concatenate(normal(2, 1, 4, 5), full(2, 2, 4, 5, value=0.5), axis=1), scale=normal(2, 3), shift=normal(2, 3))),
    Agree("adaptive_instance_normalization", "a row of two pixels", given(x=normal(2, 3, 1, 2), scale=normal(2, 3),
                                                                          shift=normal(2, 3))),
    Anchor(
        "adaptive_instance_normalization", "two channels of four pixels", given(**MAPS, epsilon=1e-30),
        gives=[[[[1 - 2 * ROOT_2, 1.0, 1 + 2 * ROOT_2, 1.0]], [[*3 * [0.5 + 1 / ROOT_3], 0.5 - ROOT_3]]]], source="by hand",
        near_misses={
            "unbiased variance": [[[[-1.449489743, 1.0, 3.449489743, 1.0]], [[1.0, 1.0, 1.0, -1.0]]]],
            "over channels, too": [[[[-1.5, -0.5, 0.5, -0.5]], [[0.25, 0.25, 0.25, -1.75]]]],
            "without the root": [[[[-3.0, 1.0, 5.0, 1.0]], [[0.833333333, 0.833333333, 0.833333333, -0.5]]]],
            "the mean kept": [[[[-1.828427125, 1.0, 3.828427125, 1.0]], [[*3 * [-0.654700538], -2.964101615]]]],
            "the shift scaled, too": [[[[-0.828427125, 2.0, 4.828427125, 2.0]], [[*3 * [0.077350269], -2.232050808]]]],
            "scale and shift exchanged": [[[[0.585786438, 2.0, 3.414213562, 2.0]], [[*3 * [-1.288675135], -0.133974596]]]],
            "1 + scale": [[[[-3.242640687, 1.0, 5.242640687, 1.0]], [[0.5, 0.5, 0.5, 0.5]]]],
        },
    ),
    Anchor("adaptive_instance_normalization", "epsilon is added to the variance", given(**MAPS, epsilon=1.5),
           gives=[[[[1 - ROOT_2, 1.0, 1 + ROOT_2, 1.0]], [[*3 * [0.5 + ROOT_2 / 3], 0.5 - ROOT_2]]]],
           source="by hand: variances 1/2 and 3",
           near_misses={"to the root": [[[[0.093836321, 1.0, 1.906163679, 1.0]], [[*3 * [0.809401077], -0.42820323]]]]}),
    Law.equal("the shift is the mean", given(**FEATURES),
              left=lambda f, x, scale, shift: 4 + f.adaptive_instance_normalization(x, scale, shift).mean((2, 3)),
              right=lambda f, x, scale, shift: 4 + shift),
    Law.equal("the squared scale is the variance, up to epsilon", given(**FEATURES),
              left=lambda f, x, scale, shift: f.adaptive_instance_normalization(x, scale, shift, epsilon=0.5).var((2, 3)),
              right=lambda f, x, scale, shift: scale**2 / (1 + 0.5 / x.var((2, 3)))),
    Law.equal("brightness and contrast of the input do not matter", given(**FEATURES),
              left=lambda f, x, scale, shift: f.adaptive_instance_normalization(4.0 * x + 3, scale, shift, epsilon=0.5),
              right=lambda f, x, scale, shift: f.adaptive_instance_normalization(x, scale, shift, epsilon=0.03125)),
    Law.equal("no map depends on another example", given(**FEATURES),
              left=lambda f, x, scale, shift: f.adaptive_instance_normalization(x, scale, shift)[1:],
              right=lambda f, x, scale, shift: f.adaptive_instance_normalization(x[1:], scale[1:], shift[1:])),
    Rejects("adaptive_instance_normalization", "no batch", given(x=zeros(3, 4, 5), scale=zeros(3, 4), shift=zeros(3, 4)),
            blames="x"),
    Rejects("adaptive_instance_normalization", "one pixel", given(x=zeros(2, 3, 1, 1), scale=zeros(2, 3), shift=zeros(2, 3)),
            blames="x"),
    Rejects("adaptive_instance_normalization", "one scale for all examples", given(**FEATURES | dict(scale=zeros(3))),
            blames="scale"),
    Rejects("adaptive_instance_normalization", "a shift of other channels", given(**FEATURES | dict(shift=zeros(2, 4))),
            blames="shift"),
    Rejects("adaptive_instance_normalization", "epsilon 0", given(**FEATURES, epsilon=0.0), blames="epsilon"),
    # Latents and codes.
    Agree("normalize_latent_code", "regular", given(z=normal(4, 3))),
    Agree("normalize_latent_code", "a large epsilon", given(z=normal(4, 3), epsilon=0.5)),
    Agree("normalize_latent_code", "a latent of zeros among others", given(z=concatenate(normal(2, 3), zeros(1, 3)))),
    Anchor("normalize_latent_code", "two latents", given(z=[[3.0, 4.0, 0.0], [1.0, -1.0, 1.0]], epsilon=1e-30),
           gives=[[0.6 * ROOT_3, 0.8 * ROOT_3, 0.0], [1.0, -1.0, 1.0]], source="by hand: lengths 5 and root 3",
           near_misses={"of length 1": [[0.6, 0.8, 0.0], [0.577350269, -0.577350269, 0.577350269]],
                        "over the batch": [[1.341640786, 1.371988681, 0.0], [0.447213595, -0.34299717, 1.414213562]],
                        "the mean subtracted": [[0.39223227, 0.980580676, -1.372812946],
                                                [0.707106781, -1.414213562, 0.707106781]]}),
    Law.equal("the mean square of a latent is m / (m + epsilon)", given(z=normal(4, 3)),
              left=lambda f, z: (f.normalize_latent_code(z, epsilon=0.25) ** 2).mean(1),
              right=lambda f, z: 1 / (1 + 0.25 / (z**2).mean(1))),
    Rejects("normalize_latent_code", "no batch", given(z=zeros(3)), blames="z"),
    Rejects("normalize_latent_code", "no entry", given(z=zeros(4, 0)), blames="z"),
    Rejects("normalize_latent_code", "epsilon 0", given(z=normal(4, 3), epsilon=0.0), blames="epsilon"),
    Agree("truncate_latent", "regular", given(**CODES, psi=0.7)),
    Agree("truncate_latent", "not truncated", given(**CODES, psi=1.0)),
    Agree("truncate_latent", "the mean code", given(**CODES, psi=0.0)),
    Agree("truncate_latent", "beyond the mean", given(**CODES, psi=-0.5)),
    Anchor("truncate_latent", "two codes", given(w=[[2.0, 0.0], [-1.0, 4.0]], mean_w=[1.0, -2.0], psi=0.75),
           gives=[[1.75, -0.5], [-0.5, 2.5]], source="by hand",
           near_misses={"towards zero": [[1.5, 0.0], [-0.75, 3.0]], "1 - psi": [[1.25, -1.5], [0.5, -0.5]],
                        "the mean not added": [[0.75, 1.5], [-1.5, 4.5]], "clipped": [[1.75, -1.25], [0.25, -1.25]],
                        "psi squared": [[1.5625, -0.875], [-0.125, 1.375]]}),
    Law.equal("the mean code stays", given(w=normal(4, 3)),
              left=lambda f, w: f.truncate_latent(w, w.mean(0), psi=0.25).mean(0), right=lambda f, w: w.mean(0)),
    Law.equal("the variance is multiplied by psi squared", given(**CODES),
              left=lambda f, w, mean_w: f.truncate_latent(w, mean_w, psi=0.25).var(0), right=lambda f, w, mean_w: w.var(0) / 16),
    Law.equal("truncated twice", given(**CODES),
              left=lambda f, w, mean_w: f.truncate_latent(f.truncate_latent(w, mean_w, psi=0.5), mean_w, psi=0.25),
              right=lambda f, w, mean_w: f.truncate_latent(w, mean_w, psi=0.125)),
    Rejects("truncate_latent", "no batch", given(w=zeros(3), mean_w=zeros(3), psi=0.5), blames="w"),
    Rejects("truncate_latent", "a mean for each example", given(w=zeros(4, 3), mean_w=zeros(4, 3), psi=0.5), blames="mean_w"),
    Rejects("truncate_latent", "a mean of one number", given(w=zeros(4, 3), mean_w=zeros(1), psi=0.5), blames="mean_w"),
    Rejects("truncate_latent", "an infinite psi", given(**CODES, psi=float("inf")), blames="psi"),
    Agree("mix_styles", "regular", given(**LAYERS, crossover=2)),
    Agree("mix_styles", "all of b", given(**LAYERS, crossover=0)),
    Agree("mix_styles", "all of a", given(**LAYERS, crossover=5)),
    Anchor("mix_styles", "three layers", given(w_a=A, w_b=B, crossover=2), gives=[[[1.0, 2.0], [3.0, 4.0], [-5.0, -6.0]]],
           source="by hand",
           near_misses={"a and b exchanged": [[[-1.0, -2.0], [-3.0, -4.0], [5.0, 6.0]]],
                        "a layer later": [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]],
                        "a layer earlier": [[[1.0, 2.0], [-3.0, -4.0], [-5.0, -6.0]]],
                        "b from its beginning": [[[1.0, 2.0], [3.0, 4.0], [-1.0, -2.0]]],
                        "across the code": [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]],
                        "the last layers of a": [[[-1.0, -2.0], [3.0, 4.0], [5.0, 6.0]]]}),
    Law.equal("what one code loses the other keeps", given(**LAYERS),
              left=lambda f, a, b: f.mix_styles(a, b, crossover=2) + f.mix_styles(b, a, crossover=2),
              right=lambda f, a, b: a + b),
    Rejects("mix_styles", "one code for all layers", given(w_a=zeros(2, 3), w_b=zeros(2, 3), crossover=1), blames="w_a"),
    Rejects("mix_styles", "fewer layers", given(w_a=zeros(2, 5, 3), w_b=zeros(2, 4, 3), crossover=1), blames="w_b"),
    Rejects("mix_styles", "behind the last layer", given(**LAYERS, crossover=6), blames="crossover"),
    Rejects("mix_styles", "before the first layer", given(**LAYERS, crossover=-1), blames="crossover"),
    # Path lengths.
    Agree("path_length_penalty", "regular", given(jacobian_vector=PULLED, running_length=MEAN_LENGTH)),
    Agree("path_length_penalty", "no running length yet", given(jacobian_vector=PULLED, running_length=scalar(0.0))),
    Agree("path_length_penalty", "no slope among others", given(jacobian_vector=concatenate(PULLED, zeros(2, 3)),
                                                               running_length=MEAN_LENGTH)),
    Agree("path_length_penalty", "steep", given(jacobian_vector=normal(6, 3, scale=1e5), running_length=MEAN_LENGTH)),
    Anchor(
        "path_length_penalty", "three lengths",
        given(jacobian_vector=[[3.0, 4.0], [0.0, 1.0], [-1.0, 1.0]], running_length=scalar(2.0)),
        gives=[9.0, 1.0, 6 - 4 * ROOT_2], source="by hand: lengths 5, 1 and root 2",
        near_misses={
            "of the squared length": [529.0, 9.0, 0.0],
            "of the mean square": [2.357864376, 1.671572875, 1.0],
            "not squared": [3.0, -1.0, ROOT_2 - 2],
            "the distance": [3.0, 1.0, 2 - ROOT_2],
            "half of it": [4.5, 0.5, 3 - 2 * ROOT_2],
            "the sum of absolute values": [25.0, 1.0, 0.0],
            "squares subtracted": [21.0, -3.0, -2.0],
            "averaged over the batch": [(16 - 4 * ROOT_2) / 3] * 3,
        },
    ),
    Law.equal("the slope is twice the excess, along the vector", given(jacobian_vector=PULLED, running_length=MEAN_LENGTH),
              left=lambda f, v, a: 4 + (f.gradient("path_length_penalty", v, a) ** 2).sum(1),
              right=lambda f, v, a: 4 + 4 * f.path_length_penalty(v, a)),
    Law.equal("a vector of zeros has no slope", given(running_length=MEAN_LENGTH),
              left=lambda f, a: 1 + f.gradient("path_length_penalty", np.zeros((2, 3), dtype=a.dtype), a), right=1.0),
    Rejects("path_length_penalty", "one vector", given(jacobian_vector=zeros(3), running_length=MEAN_LENGTH),
            blames="jacobian_vector"),
    Rejects("path_length_penalty", "a length for each example", given(jacobian_vector=PULLED, running_length=zeros(6)),
            blames="running_length"),
    Rejects("path_length_penalty", "a negative length", given(jacobian_vector=PULLED, running_length=scalar(-0.5)),
            blames="running_length"),
)  # fmt: skip
