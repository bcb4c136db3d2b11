"""What must hold of guidance by two predictions of one network (lectures 35 and 41)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, full, given, integers, normal, uniform, zeros

X, Y = normal(5, 3), normal(5, 3)
IMAGES, PIXELS = normal(2, 3, 4, 5), normal(2, 3, 4, 5)
C, U = [[1.0, -2.0], [3.0, 0.5], [2.0, 1.0]], [[0.5, 1.0], [-1.0, 2.0], [2.0, -1.0]]
PARTS = [[[0.5, 1.0], [-1.0, 2.0]], [[2.0, 0.0], [3.0, 1.5]], [[1.0, -2.0], [0.0, 0.0]]]
GUIDED, CONDITIONAL = [[1.0, 3.0, 5.0, 7.0], [2.0, -2.0, 2.0, -2.0]], [[0.0, 1.0, 2.0, 3.0], [5.0, -1.0, 5.0, -1.0]]
THERE_AND_BACK = Cancels(2.0, "u, of this size, is taken away and added again")
STEPS = np.array([1, 3, 4, 7, 8])


def spread(x):
    return x.reshape(len(x), -1).std(1)


SPEC = (
    # Two predictions.
    Agree("guide", "regular", given(conditional=X, unconditional=Y, scale=2.5)),
    Agree("guide", "images", given(conditional=IMAGES, unconditional=PIXELS, scale=7.5)),
    Agree("guide", "away from the condition", given(conditional=X, unconditional=Y, scale=-1.0)),
    Agree("guide", "between the two", given(conditional=X, unconditional=Y, scale=0.3)),
    Agree("guide", "the condition", given(conditional=X, unconditional=Y, scale=1.0), cancels=THERE_AND_BACK),
    Agree("guide", "one example, one number", given(conditional=normal(1), unconditional=normal(1), scale=7.5)),
    Anchor(
        "guide", "scale 2.5", given(conditional=C, unconditional=U, scale=2.5),
        gives=[[1.75, -6.5], [9.0, -1.75], [2.0, 4.0]], source="by hand",
        near_misses={
            "Ho and Salimans' w": [[2.25, -9.5], [13.0, -3.25], [2.0, 6.0]],
            "exchanged": [[-0.25, 5.5], [-7.0, 4.25], [2.0, -4.0]],
            "the difference alone": [[1.25, -7.5], [10.0, -3.75], [0.0, 5.0]],
            "the other sign": [[-0.75, 8.5], [-11.0, 5.75], [2.0, -6.0]],
            "not less u": [[3.0, -4.0], [6.5, 3.25], [7.0, 1.5]],
        },
    ),
    Law.equal("at scale 0 the unconditional, to the last bit", given(c=X, u=Y),
              left=lambda f, c, u: f.guide(c, u, scale=0.0) == u, right=True),
    Law.equal("at scale 1 the conditional", given(c=X, u=Y), left=lambda f, c, u: f.guide(c, u, scale=1.0),
              right=lambda f, c, u: c),
    Law.equal("where the condition changes nothing, no scale does, to the last bit", given(c=X),
              left=lambda f, c: np.stack([f.guide(c, c, scale=s) == c for s in (-1.0, 0.3, 1.0, 7.5)]), right=True),
    Law.equal("guided twice: the scales' product", given(c=X, u=Y),
              left=lambda f, c, u: f.guide(f.guide(c, u, scale=2.5), u, scale=1.5),
              right=lambda f, c, u: f.guide(c, u, scale=3.75)),
    Law.equal("of two Gaussians' scores: a Gaussian's, sharper and further out", given(x=X),
              left=lambda f, x: f.guide((0.8 - x) / 0.4, -x, scale=2.5),
              right=lambda f, x: 2.5 * 0.8 / 0.4 - (2.5 / 0.4 - 1.5) * x),
    Rejects("guide", "unconditional has another shape", given(conditional=zeros(2, 3), unconditional=zeros(2, 4), scale=2.0),
            blames="unconditional"),
    Rejects("guide", "one unconditional for all", given(conditional=zeros(2, 3), unconditional=zeros(3), scale=2.0),
            blames="unconditional"),
    # Dropped conditions.
    Agree("drop_condition", "regular", given(condition=X, null_condition=normal(3), uniforms=uniform(5), probability=0.4),
          frozen=("uniforms",), differentiate=("condition", "null_condition")),
    Agree("drop_condition", "sequences",
          given(condition=normal(5, 2, 3), null_condition=normal(2, 3), uniforms=[0.1, 0.9, 0.3, 0.7, 0.0], probability=0.5),
          frozen=("uniforms",), differentiate=("condition", "null_condition")),
    Agree("drop_condition", "as many examples as entries",
          given(condition=normal(5, 5), null_condition=normal(5), uniforms=[0.1, 0.9, 0.3, 0.7, 0.0], probability=0.5),
          frozen=("uniforms",), differentiate=("condition", "null_condition")),
    Agree("drop_condition", "labels",
          given(condition=integers(5, high=10), null_condition=np.array(10), uniforms=[0.1, 0.9, 0.3, 0.7, 0.0], probability=0.5),
          frozen=("uniforms",), no_gradient="labels are integers"),
    Anchor(
        "drop_condition", "at the boundary a condition stays",
        given(condition=[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], null_condition=[-1.0, -2.0],
              uniforms=[0.125, 0.25, 0.5, 0.0], probability=0.25),
        gives=[[-1.0, -2.0], [3.0, 4.0], [5.0, 6.0], [-1.0, -2.0]], source="by hand", frozen=("uniforms",),
        near_misses={
            "dropped at the boundary": [[-1.0, -2.0], [-1.0, -2.0], [5.0, 6.0], [-1.0, -2.0]],
            "kept with the probability": [[1.0, 2.0], [-1.0, -2.0], [-1.0, -2.0], [7.0, 8.0]],
            "zeros for the null": [[0.0, 0.0], [3.0, 4.0], [5.0, 6.0], [0.0, 0.0]],
        },
    ),
    Law.equal("probability 0 keeps all, 1 drops all, to the last bit",
              given(c=X, null=normal(3), u=[0.0, 0.25, 0.5, 0.75, 0.9375]),
              left=lambda f, c, null, u: np.stack([f.drop_condition(c, null, u, probability=0.0) == c,
                                                   f.drop_condition(c, null, u, probability=1.0) == null]),
              right=True, frozen=("u",)),
    Law.equal("the share p of the examples", given(),
              left=lambda f: np.array([f.drop_condition(np.zeros(20), np.ones(()), (np.arange(20) + 0.5) / 20, probability=k / 20)
                                       .mean() for k in range(21)]),
              right=lambda f: np.arange(21) / 20),
    *(Rejects("drop_condition", case, given(**{"condition": zeros(2, 3), "null_condition": zeros(3), "uniforms": zeros(2),
                                               "probability": 0.1} | {name: value}), blames=blames)
      for case, name, value, blames in (
          ("a null of another shape", "null_condition", zeros(4), "null_condition"),
          ("a null for each example", "null_condition", zeros(2, 3), "null_condition"),
          ("a uniform for each entry", "uniforms", zeros(2, 3), "uniforms"),
          ("a uniform too few", "uniforms", zeros(1), "uniforms"),
          ("a uniform of 1", "uniforms", [0.5, 1.0], "uniforms is 1"),
          ("a uniform below 0", "uniforms", [-0.5, 0.5], "uniforms is -0.5"),
          ("a probability above 1", "probability", 1.1, "probability"),
          ("a probability below 0", "probability", -0.1, "probability"),
      )),
    # The spread restored.
    Agree("rescale", "regular", given(guided=X, conditional=Y, mix=0.6)),
    Agree("rescale", "images, the usual mix", given(guided=IMAGES, conditional=PIXELS)),
    Agree("rescale", "far from zero", given(guided=normal(5, 3, mean=60.0), conditional=normal(5, 3, mean=-60.0), mix=1.0)),
    Agree("rescale", "large and small", given(guided=normal(5, 3, scale=1e4), conditional=normal(5, 3, scale=1e-4), mix=0.6)),
    Agree("rescale", "not at all", given(guided=X, conditional=Y, mix=0.0)),
    Agree("rescale", "a constant conditional", given(guided=X, conditional=full(5, 3, value=0.5), mix=0.6)),
    Agree("rescale", "one example", given(guided=normal(1, 4), conditional=normal(1, 4), mix=0.6)),
    Anchor(
        "rescale", "half and one and a half of the spread", given(guided=GUIDED, conditional=CONDITIONAL),
        gives=[[0.65, 1.95, 3.25, 4.55], [2.7, -2.7, 2.7, -2.7]],
        source="by hand: variances of 5 and 1.25, of 4 and 9; 0.7 x 0.5 + 0.3 and 0.7 x 1.5 + 0.3",
        near_misses={
            "the mix exchanged": [[0.85, 2.55, 4.25, 5.95], [2.3, -2.3, 2.3, -2.3]],
            "the ratio inverted": [[1.7, 5.1, 8.5, 11.9], [2 * (0.7 / 1.5 + 0.3), -2 * (0.7 / 1.5 + 0.3),
                                                         2 * (0.7 / 1.5 + 0.3), -2 * (0.7 / 1.5 + 0.3)]],
            "variances": [[0.475, 1.425, 2.375, 3.325], [3.75, -3.75, 3.75, -3.75]],
            "around the mean": [[2.05, 3.35, 4.65, 5.95], [2.7, -2.7, 2.7, -2.7]],
            "over the batch": [[3.8, 1.74, 5.0, 7 * (0.7 * 4 / 9 + 0.3)], [7.6, -1.16, 2.0, -2 * (0.7 * 4 / 9 + 0.3)]],
            "mixed with the conditional": [[0.35, 1.35, 2.35, 3.35], [3.6, -2.4, 3.6, -2.4]],
            "lengths for deviations": [[0.7 * 6**-0.5 + 0.3, 3 * (0.7 * 6**-0.5 + 0.3), 5 * (0.7 * 6**-0.5 + 0.3),
                                        7 * (0.7 * 6**-0.5 + 0.3)],
                                       [0.7 * 13**0.5 + 0.6, -0.7 * 13**0.5 - 0.6, 0.7 * 13**0.5 + 0.6, -0.7 * 13**0.5 - 0.6]],
            "all of it": [[0.5, 1.5, 2.5, 3.5], [3.0, -3.0, 3.0, -3.0]],
        },
    ),
    Law.equal("all of it: each example has the conditional one's spread", given(g=normal(2, 3, 4, 5, scale=3.0), c=IMAGES),
              left=lambda f, g, c: spread(f.rescale(g, c, mix=1.0)), right=lambda f, g, c: spread(c)),
    Law.equal("none of it: nothing happens, to the last bit", given(g=X, c=Y),
              left=lambda f, g, c: f.rescale(g, c, mix=0.0) == g, right=True),
    Law.equal("the size of what was guided does not matter to all of it", given(g=X, c=Y),
              left=lambda f, g, c: f.rescale(5 * g, c, mix=1.0), right=lambda f, g, c: f.rescale(g, c, mix=1.0)),
    Rejects("rescale", "conditional has another shape", given(guided=X, conditional=zeros(5, 4)), blames="conditional"),
    Rejects("rescale", "a constant prediction",
            given(guided=[[1.0, 2.0, 3.0], [0.1, 0.1, 0.1]], conditional=[[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]), blames="guided"),
    Rejects("rescale", "one number for each example", given(guided=[1.0, 2.0, 3.0], conditional=[3.0, 1.0, 2.0]),
            blames="guided"),
    Rejects("rescale", "more than all of it", given(guided=X, conditional=Y, mix=1.5), blames="mix"),
    Rejects("rescale", "less than none of it", given(guided=X, conditional=Y, mix=-0.1), blames="mix"),
    # Guidance for a while.
    Agree("interval_scale", "regular", given(t=STEPS, scale=2.5, low=3, high=7)),
    Agree("interval_scale", "eight-bit times, a fraction for a scale",
          given(t=STEPS.astype(np.uint8), scale=0.3, low=3, high=7)),
    Agree("interval_scale", "all the time", given(t=STEPS, scale=7.5, low=0, high=8)),
    Agree("interval_scale", "never", given(t=STEPS, scale=7.5, low=4, high=4)),
    Agree("interval_scale", "between the steps", given(t=STEPS, scale=-1.0, low=3.5, high=6.5)),
    Agree("interval_scale", "one example", given(t=np.array([5]), scale=2, low=3, high=7)),
    Anchor(
        "interval_scale", "above 3, up to 7", given(t=STEPS, scale=2.5, low=3, high=7), gives=[1.0, 1.0, 2.5, 2.5, 1.0],
        source="by hand",
        near_misses={
            "both ends in": [1.0, 2.5, 2.5, 2.5, 1.0], "both ends out": [1.0, 1.0, 2.5, 1.0, 1.0],
            "the other end in": [1.0, 2.5, 2.5, 1.0, 1.0], "unconditional outside": [0.0, 0.0, 2.5, 2.5, 0.0],
            "outside": [2.5, 2.5, 1.0, 1.0, 2.5],
        },
    ),
    Law.equal("intervals that meet share no step and leave none out", given(t=np.arange(1, 9)),
              left=lambda f, t: f.interval_scale(t, scale=2.5, low=0, high=3) + f.interval_scale(t, scale=2.5, low=3, high=8),
              right=3.5),
    Rejects("interval_scale", "times that are not integers", given(t=[1.0, 2.0], scale=2.5, low=3, high=7), blames="t "),
    Rejects("interval_scale", "a time without an axis", given(t=np.array(4), scale=2.5, low=3, high=7), blames="t "),
    Rejects("interval_scale", "at the data themselves", given(t=np.array([0, 2]), scale=2.5, low=3, high=7), blames="t is 0"),
    Rejects("interval_scale", "upside down", given(t=STEPS, scale=2.5, low=7, high=3), blames="low"),
    # Several conditions.
    Agree("compose", "regular", given(conditionals=normal(4, 5, 3), unconditional=X, scales=normal(4))),
    Agree("compose", "images", given(conditionals=normal(6, 2, 3, 4, 5), unconditional=IMAGES, scales=normal(6))),
    Agree("compose", "as many conditions as examples and numbers",
          given(conditionals=normal(5, 5, 5), unconditional=normal(5, 5), scales=normal(5))),
    Agree("compose", "one condition", given(conditionals=normal(1, 5, 3), unconditional=X, scales=[7.5])),
    Agree("compose", "scales of zero", given(conditionals=normal(4, 5, 3), unconditional=X, scales=zeros(4))),
    Agree("compose", "numbers", given(conditionals=normal(4, 5), unconditional=normal(5), scales=normal(4))),
    Anchor(
        "compose", "scales of 2, -1 and a half",
        given(conditionals=PARTS, unconditional=[[1.0, -2.0], [3.0, 0.5]], scales=[2.0, -1.0, 0.5]),
        gives=[[-1.0, 2.0], [-6.5, 2.25]], source="by hand",
        near_misses={
            "the mean over conditions": [[1 / 3, -2 + 4 / 3], [3 - 9.5 / 3, 0.5 + 1.75 / 3]],
            "predictions added": [[-0.5, 1.0], [-5.0, 2.5]],
            "u added for each": [[1.0, -2.0], [-0.5, 3.25]],
            "the differences alone": [[-2.0, 4.0], [-9.5, 1.75]],
            "scales alike": [[1.5, 3.0], [-4.0, 3.0]],
            "predictions added to u": [[0.5, -1.0], [-2.0, 3.0]],
            "scales normalized": [[1 - 2 / 1.5, -2 + 4 / 1.5], [3 - 9.5 / 1.5, 0.5 + 1.75 / 1.5]],
        },
    ),
    Law.equal("of one condition: guide", given(c=X, u=Y),
              left=lambda f, c, u: f.compose(c[None], u, np.array([2.5])), right=lambda f, c, u: f.guide(c, u, scale=2.5)),
    Law.equal("without any scale the unconditional, to the last bit", given(c=normal(4, 5, 3), u=Y),
              left=lambda f, c, u: f.compose(c, u, np.zeros(4)) == u, right=True),
    Law.equal("in any order", given(c=normal(4, 5, 3), u=Y, scales=normal(4)),
              left=lambda f, c, u, scales: f.compose(c[::-1].copy(), u, scales[::-1].copy()),
              right=lambda f, c, u, scales: f.compose(c, u, scales)),
    Rejects("compose", "conditionals of another shape",
            given(conditionals=zeros(4, 2, 5), unconditional=zeros(2, 3), scales=zeros(4)), blames="conditionals"),
    Rejects("compose", "one condition without an axis",
            given(conditionals=zeros(2, 3), unconditional=zeros(2, 3), scales=zeros(2)), blames="conditionals"),
    Rejects("compose", "a scale too few", given(conditionals=zeros(4, 2, 3), unconditional=zeros(2, 3), scales=zeros(3)),
            blames="scales"),
    Rejects("compose", "a scale for each example",
            given(conditionals=zeros(4, 2, 3), unconditional=zeros(2, 3), scales=zeros(4, 2)), blames="scales"),
)  # fmt: skip
