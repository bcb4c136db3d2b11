"""Contracts of norms and skip connections (lecture 46)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, given, normal, zeros

X, WEIGHT, BIAS, UPSTREAM = normal(3, 4, 6), normal(6), normal(6), normal(3, 4, 6)
ROW, UNIT, NONE = normal(5, 6), np.ones(6), np.zeros(6)
CONSTANT = np.array([[2.0, 2.0, 2.0], [-1.0, -1.0, -1.0], [0.0, 0.0, 0.0]])
# Mean 3 and variance 3.5, so that with epsilon 1/2 the deviation is 2; mean square 12.5, with epsilon 7/2 the root is 4.
FOUR, GAIN, SHIFT, SLOPE = [[1.0, 2.0, 3.0, 6.0]], [2.0, 1.0, 1.0, 0.5], [0.0, 0.0, 1.0, -1.0], [[1.0, 0.0, 0.0, 2.0]]


def parabola(z):
    """A branch that is neither odd nor even."""
    return z * z / 2 - z


SPEC = (
    # Layer norm.
    Agree("layer_norm", "regular", given(x=X, weight=WEIGHT, bias=BIAS, epsilon=1e-5)),
    Agree("layer_norm", "epsilon 0, one axis", given(x=normal(6), weight=WEIGHT, bias=BIAS, epsilon=0.0)),
    Agree("layer_norm", "entries of 10,000", given(x=normal(5, 6, scale=1e4), weight=WEIGHT, bias=BIAS, epsilon=1e-5)),
    Agree("layer_norm", "a mean far above the deviation",
          given(x=normal(5, 6, mean=100.0), weight=WEIGHT, bias=BIAS, epsilon=1e-5)),
    Agree("layer_norm", "constant rows", given(x=CONSTANT, weight=normal(3), bias=normal(3), epsilon=1e-5)),
    Agree("layer_norm", "width one", given(x=normal(4, 1), weight=normal(1), bias=normal(1), epsilon=0.1),
          cancels=Cancels(4.0, "a single entry is its own mean: of its gradient nothing is left, not even roundings")),
    Anchor(
        "layer_norm", "deviation 2", given(x=FOUR, weight=GAIN, bias=SHIFT, epsilon=0.5), gives=[[-2.0, -0.5, 1.0, -0.25]],
        source="by hand",
        near_misses={
            "unbiased variance": [[-1.7597653802562395, -0.43994134506405987, 1.0, -0.3400879824039102]],
            "epsilon outside the root": [[-1.6871737764762716, -0.42179344411906791, 1.0, -0.36730983382139814]],
            "not centered": [[1.0, 1.0, 2.5, 0.5]], "bias before the gain": [[-2.0, -0.5, 1.0, 0.25]],
        },
    ),
    Law.equal("shift and scale are forgotten", given(x=ROW),
              left=lambda f, x: f.layer_norm(4.0 * x + 2.0, UNIT, NONE, epsilon=0.0),
              right=lambda f, x: f.layer_norm(x, UNIT, NONE, epsilon=0.0)),
    Law.equal("rows of mean 0 and mean square 1", given(x=ROW),
              left=lambda f, x: np.stack([f.layer_norm(x, UNIT, NONE, epsilon=0.0).mean(-1),
                                          (f.layer_norm(x, UNIT, NONE, epsilon=0.0) ** 2).mean(-1)]),
              right=lambda f, x: np.stack([np.zeros(5), np.ones(5)])),
    Law.equal("a constant row gives the bias", given(bias=normal(3)),
              left=lambda f, bias: f.layer_norm(CONSTANT, np.ones(3), bias, epsilon=1e-5), right=lambda f, bias: bias),
    Rejects("layer_norm", "a gain of another width", given(x=zeros(2, 3), weight=zeros(2), bias=zeros(3), epsilon=0.1),
            blames="weight"),
    Rejects("layer_norm", "a bias for every row", given(x=zeros(2, 3), weight=zeros(3), bias=zeros(2, 3), epsilon=0.1),
            blames="bias"),
    Rejects("layer_norm", "no axis", given(x=np.array(1.0), weight=zeros(1), bias=zeros(1), epsilon=0.1), blames="x"),
    # RMS norm.
    Agree("rms_norm", "regular", given(x=X, weight=WEIGHT, epsilon=1e-5)),
    Agree("rms_norm", "epsilon 0, one axis", given(x=normal(6), weight=WEIGHT, epsilon=0.0)),
    Agree("rms_norm", "entries of 10,000", given(x=normal(5, 6, scale=1e4), weight=WEIGHT, epsilon=1e-5)),
    Agree("rms_norm", "constant rows, one of them zero", given(x=CONSTANT, weight=normal(3), epsilon=1e-5)),
    Anchor(
        "rms_norm", "root mean square 4", given(x=FOUR, weight=GAIN, epsilon=3.5), gives=[[0.5, 0.5, 0.75, 0.75]],
        source="by hand",
        near_misses={
            "centered": [[-1.5118578920369089, -0.37796447300922723, 0.0, 0.56694670951384084]],
            "epsilon outside the root": [[0.28427124746190098, 0.28427124746190098, 0.42640687119285146, 0.42640687119285146]],
            "sum for mean": [[2 / 53.5**0.5, 2 / 53.5**0.5, 3 / 53.5**0.5, 3 / 53.5**0.5]],
        },
    ),
    Law.equal("scale is forgotten", given(x=ROW), left=lambda f, x: f.rms_norm(4.0 * x, UNIT, epsilon=0.0),
              right=lambda f, x: f.rms_norm(x, UNIT, epsilon=0.0)),
    Law.equal("on centered rows both norms are one", given(x=ROW),
              left=lambda f, x: f.rms_norm(x - x.mean(-1, keepdims=True), UNIT, epsilon=0.1),
              right=lambda f, x: f.layer_norm(x, UNIT, NONE, epsilon=0.1)),
    Rejects("rms_norm", "a gain of another width", given(x=zeros(2, 3), weight=zeros(4), epsilon=0.1), blames="weight"),
    # Backward.
    Agree("layer_norm_backward", "regular", given(x=X, weight=WEIGHT, upstream=UPSTREAM, epsilon=1e-5)),
    Agree("layer_norm_backward", "one axis", given(x=normal(6), weight=WEIGHT, upstream=normal(6), epsilon=0.1)),
    Anchor(
        "layer_norm_backward", "deviation 2", given(x=FOUR, weight=GAIN, upstream=SLOPE, epsilon=0.5),
        gives=([[0.5625, -0.40625, -0.375, 0.21875]], [-1.0, 0.0, 0.0, 3.0], [1.0, 0.0, 0.0, 2.0]), source="by hand",
        near_misses={
            "without the term along x": ([[0.625, -0.375, -0.375, 0.125]], [-1.0, 0.0, 0.0, 3.0], [1.0, 0.0, 0.0, 2.0]),
            "without the mean": ([[0.9375, -0.03125, 0.0, 0.59375]], [-1.0, 0.0, 0.0, 3.0], [1.0, 0.0, 0.0, 2.0]),
            "the gain's gradient from x": ([[0.5625, -0.40625, -0.375, 0.21875]], [1.0, 0.0, 0.0, 12.0], [1.0, 0.0, 0.0, 2.0]),
        },
    ),
    Law.equal(
        "the hand-written backward pass is the gradient", given(x=ROW, weight=WEIGHT, bias=BIAS),
        left=lambda f, x, w, b: np.concatenate([g.ravel() for g in f.layer_norm_backward(x, w, np.ones((5, 6)), epsilon=0.1)]),
        right=lambda f, x, w, b: np.concatenate(
            [f.gradient("layer_norm", x, w, b, epsilon=0.1, wrt=i).ravel() for i in range(3)]),
    ),
    Law.equal("the gradient is orthogonal to 1 and to x", given(x=ROW, upstream=normal(5, 6)),
              left=lambda f, x, u: np.stack([(f.layer_norm_backward(x, UNIT, u, epsilon=0.0)[0] * other).sum(-1)
                                             for other in (np.ones_like(x), x)]),
              right=0.0),
    Rejects("layer_norm_backward", "a slope of another shape",
            given(x=zeros(2, 3), weight=zeros(3), upstream=zeros(3), epsilon=0.1), blames="upstream"),
    Agree("rms_norm_backward", "regular", given(x=X, weight=WEIGHT, upstream=UPSTREAM, epsilon=1e-5)),
    Anchor(
        "rms_norm_backward", "root mean square 4", given(x=FOUR, weight=GAIN, upstream=SLOPE, epsilon=3.5),
        gives=([[0.46875, -0.0625, -0.09375, 0.0625]], [0.25, 0.0, 0.0, 3.0]), source="by hand",
        near_misses={"without the term along x": ([[0.5, 0.0, 0.0, 0.25]], [0.25, 0.0, 0.0, 3.0])},
    ),
    Law.equal(
        "RMS norm: the hand-written backward pass is the gradient", given(x=ROW, weight=WEIGHT),
        left=lambda f, x, w: np.concatenate([g.ravel() for g in f.rms_norm_backward(x, w, np.ones((5, 6)), epsilon=0.1)]),
        right=lambda f, x, w: np.concatenate([f.gradient("rms_norm", x, w, epsilon=0.1, wrt=i).ravel() for i in range(2)]),
    ),
    Rejects("rms_norm_backward", "a slope of another shape",
            given(x=zeros(2, 3), weight=zeros(3), upstream=zeros(2, 4), epsilon=0.1), blames="upstream"),
    # Skip connections.
    Agree("pre_norm_residual", "regular", given(x=X, weight=WEIGHT, bias=BIAS, branch_fn=parabola, epsilon=1e-5)),
    Anchor(
        "pre_norm_residual", "a parabola of deviation 2",
        given(x=FOUR, weight=[1.0] * 4, bias=[0.0] * 4, branch_fn=parabola, epsilon=0.5),
        gives=[[2.5, 2.625, 3.0, 5.625]], source="z is -1, -1/2, 0, 3/2; z^2/2 - z is 1.5, 0.625, 0, -0.375",
        near_misses={"the skip path is normed": [[0.5, 0.125, 0.0, 1.125]], "the branch is not normed": [[0.5, 2.0, 4.5, 18.0]],
                     "norm after the branch": [[0.65, 2.5, 4.25, 18.5]], "no skip path": [[1.5, 0.625, 0.0, -0.375]]},
    ),
    Law.equal("without a branch the stream is left alone", given(x=X, weight=WEIGHT, bias=BIAS),
              left=lambda f, x, w, b: f.pre_norm_residual(x, w, b, lambda z: z * 0, epsilon=1e-5), right=lambda f, x, w, b: x),
    Rejects("pre_norm_residual", "a gain of another width",
            given(x=zeros(2, 3), weight=zeros(2), bias=zeros(3), branch_fn=parabola, epsilon=0.1), blames="weight"),
    Agree("post_norm_residual", "regular", given(x=X, weight=WEIGHT, bias=BIAS, branch_fn=parabola, epsilon=1e-5)),
    Agree("post_norm_residual", "a stronger skip path",
          given(x=X, weight=WEIGHT, bias=BIAS, branch_fn=parabola, epsilon=1e-5, residual_scale=2.5)),
    Anchor(
        "post_norm_residual", "1 + z^2/2 - z of two numbers",
        given(x=[[2.0, 4.0]], weight=[1.0, 3.0], bias=[0.5, 0.0], branch_fn=parabola, epsilon=0.0, residual_scale=3.0),
        gives=[[-0.5, 3.0]], source="3x + x^2/2 - x is 6 and 16: normed to -1 and 1",
        near_misses={"LN(x) + f(x)": [[-0.5, 7.0]], "norm before the branch": [[7.0, 11.5]]},
    ),
    Law.equal("a post-norm stream has rows of mean square 1", given(x=ROW),
              left=lambda f, x: (f.post_norm_residual(x, UNIT, NONE, parabola, epsilon=0.0, residual_scale=1.5) ** 2).mean(-1),
              right=1.0),
    Law.equal("a large scale silences the branch", given(x=ROW),
              left=lambda f, x: f.post_norm_residual(x, UNIT, NONE, lambda z: z * 0, epsilon=0.0, residual_scale=7.0),
              right=lambda f, x: f.layer_norm(x, UNIT, NONE, epsilon=0.0)),
    Rejects("post_norm_residual", "a bias of another width",
            given(x=zeros(2, 3), weight=zeros(3), bias=zeros(2), branch_fn=parabola, epsilon=0.1), blames="bias"),
)  # fmt: skip
