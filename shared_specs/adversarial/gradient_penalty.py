"""Contracts of gradient penalties (lecture 9)."""

import numpy as np

from shared_specs.rows import (
    Agree,
    Anchor,
    Initial,
    Law,
    Model,
    Rejects,
    begins_at,
    channels_last,
    given,
    normal,
    scalar,
    uniform,
    zeros,
)

X = normal(5, 3)
IMAGES = dict(real=normal(5, 2, 4, 3), fake=normal(5, 2, 4, 3))
PENALTIES = {
    "gradient_penalty": {"target": 1.5},
    "one_sided_gradient_penalty": {"target": 1.5},
    "zero_centered_gradient_penalty": {"gamma": 3.0},
}
TWO_POINTS = [[1.0, 0.0], [-2.0, 5.0]]
# He's deviation, for leaky rectifiers of slope 0.2.
HE = {"*.weight": Initial("normal", scale=lambda inputs, outputs: (2 / (inputs * 1.04)) ** 0.5), "*.bias": begins_at(0.0)}


def linear(x):
    """Slope 5 everywhere."""
    return 3 * x[:, 0] + 4 * x[:, 1]


def gentle(x):
    """Slope 1/2 everywhere."""
    return 0.3 * x[:, 0] + 0.4 * x[:, 1] - 7


def quadratic(x):
    """Its gradient is (2 x_0 + x_1, x_0, 3 x_2^2)."""
    return x[:, 0] ** 2 + x[:, 0] * x[:, 1] + x[:, 2] ** 3


def rational(x):
    """Smooth, and nearly flat far out."""
    return x[:, 0] / (1 + x[:, 0] * x[:, 0] + x[:, 1] * x[:, 1]) + x[:, 2]


def _gradients():
    for function, how in PENALTIES.items():
        yield Agree(function, "quadratic critic", given(x=X, critic_fn=quadratic, **how))
        yield Agree(function, "smooth critic", given(x=X, critic_fn=rational, **how))
        yield Agree(
            function,
            "a slope of zero",
            given(x=zeros(5, 3), critic_fn=quadratic, **how),
            no_gradient="the norm of the gradient has a kink there",
        )
        yield Rejects(function, "images", given(x=zeros(3, 2, 4, 4), critic_fn=linear, **how), blames="x")
        yield Rejects(function, "scores with two axes", given(x=zeros(3, 2), critic_fn=lambda x: x, **how), blames="critic_fn")
        yield Rejects(function, "one score for all", given(x=zeros(3, 2), critic_fn=lambda x: x.sum(), **how), blames="critic_fn")
        name = next(iter(how))
        yield Rejects(function, f"negative {name}", given(x=zeros(3, 2), critic_fn=linear, **{name: -1.0}), blames=name)


SPEC = (
    Agree("interpolate", "images", given(**IMAGES, uniforms=uniform(5))),
    Agree("interpolate", "points", given(real=normal(5, 2), fake=normal(5, 2), uniforms=[0.0, 1.0, 0.5, 1e-9, 1 - 1e-9])),
    Agree("interpolate", "channels last in memory", given(
        real=channels_last(normal(5, 2, 4, 3)), fake=normal(5, 2, 4, 3), uniforms=uniform(5))),
    Anchor("interpolate", "a quarter of the way", given(real=[[4.0, 0.0], [1.0, 1.0]], fake=[[0.0, 8.0], [3.0, -1.0]],
                                                        uniforms=[0.25, 1.0]), gives=[[1.0, 6.0], [1.0, 1.0]], source="by hand",
           near_misses={"real and fake exchanged": [[3.0, 2.0], [3.0, -1.0]], "one u for all": [[1.0, 6.0], [2.5, -0.5]],
                        "one u for each coordinate": [[1.0, 0.0], [2.5, 1.0]], "sums for means": [[4.0, 8.0], [4.0, 0.0]]}),
    Law.equal("the ends are the examples themselves", given(**IMAGES),
              left=lambda f, real, fake: np.stack([f.interpolate(real, fake, np.full(5, u)) for u in (1.0, 0.0)]),
              right=lambda f, real, fake: np.stack([real, fake])),
    Rejects("interpolate", "shapes differ", given(real=zeros(3, 2), fake=zeros(3, 4), uniforms=zeros(3)), blames="fake"),
    Rejects("interpolate", "one u for each coordinate", given(real=zeros(3, 2), fake=zeros(3, 2), uniforms=zeros(3, 2)),
            blames="uniforms"),
    Rejects("interpolate", "u above 1", given(real=zeros(3, 2), fake=zeros(3, 2), uniforms=[0.5, 1.5, 0.0]), blames="uniforms"),
    *_gradients(),
    Anchor("gradient_penalty", "slope 5", given(x=TWO_POINTS, critic_fn=linear), gives=[16.0, 16.0], source="(5 - 1)^2",
           near_misses={"the norm squared, less 1": [576.0, 576.0], "over the batch": [36.8578644, 36.8578644],
                        "mean over the dimensions": [6.4289322, 6.4289322], "absolute values": [36.0, 36.0],
                        "not squared": [4.0, 4.0]}),
    Anchor("gradient_penalty", "slope 1/2, target 2", given(x=TWO_POINTS, critic_fn=gentle, target=2.0), gives=[2.25, 2.25],
           source="(1/2 - 2)^2", near_misses={"target 1": [0.25, 0.25], "one-sided": [0.0, 0.0]}),
    Anchor("one_sided_gradient_penalty", "slope 5", given(x=TWO_POINTS, critic_fn=linear), gives=[16.0, 16.0],
           source="(5 - 1)^2", near_misses={"other side": [0.0, 0.0], "not squared": [4.0, 4.0]}),
    Anchor("one_sided_gradient_penalty", "slope 1/2", given(x=TWO_POINTS, critic_fn=gentle), gives=[0.0, 0.0],
           source="no steeper than 1", near_misses={"two-sided": [0.25, 0.25]}),
    Anchor("zero_centered_gradient_penalty", "slope 5, gamma 2", given(x=TWO_POINTS, critic_fn=linear, gamma=2.0),
           gives=[25.0, 25.0], source="1 * 25", near_misses={"gamma without the half": [50.0, 50.0], "the norm": [5.0, 5.0],
                                                             "mean over the dimensions": [12.5, 12.5]}),
    Law.equal("a penalty of target 0 is R1 with gamma 2", given(x=X),
              left=lambda f, x: f.gradient_penalty(x, quadratic, target=0.0),
              right=lambda f, x: f.zero_centered_gradient_penalty(x, quadratic, gamma=2.0)),
    Law.at_least("one side is penalized no more than both", given(x=X),
                 left=lambda f, x: f.gradient_penalty(x, quadratic),
                 right=lambda f, x: f.one_sided_gradient_penalty(x, quadratic)),
    Law.equal("no example knows the others", given(x=X),
              left=lambda f, x: f.gradient_penalty(x, quadratic),
              right=lambda f, x: np.concatenate([f.gradient_penalty(x[n : n + 1], quadratic) for n in range(5)])),
    Agree("clip_weights", "regular", given(weight=normal(4, 3), bound=0.75)),
    Anchor("clip_weights", "all three cases", given(weight=[[-2.0, 0.25, 3.0]], bound=0.5), gives=[[-0.5, 0.25, 0.5]],
           source="by hand", near_misses={"only from above": [[-2.0, 0.25, 0.5]], "scaled": [[-0.5, 0.0625, 0.75]],
                                          "into (0, bound)": [[0.0, 0.25, 0.5]]}),
    Rejects("clip_weights", "bound 0", given(weight=zeros(3, 2), bound=0.0), blames="bound"),
    Rejects("clip_weights", "infinite bound", given(weight=zeros(3, 2), bound=float("inf")), blames="bound"),
    Rejects("clip_weights", "no axis", given(weight=scalar(1.0), bound=1.0), blames="weight"),
    Model("Critic", "one halving", given(images=uniform(5, 3, 8, 8, low=-1.0)), sizes=dict(shape=(3, 8, 8), width=3), steps=0,
          initial=HE),
)  # fmt: skip
