"""Contracts of AdamW, of accumulated gradients and of the inverse-square-root schedule (lecture 48)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, normal, scalar, uniform, zeros

STATE = {
    "gradient": [0.3, -2.0, 0.0001, 0.0],
    "parameter": [1.0, -0.5, 2.0, 4.0],
    "first_moment": [0.1, 0.5, -0.2, 0.0],
    "second_moment": [0.04, 1.0, 0.01, 0.09],
}
MOVED = [0.98395998888655972, -0.49751997577753756, 1.9980899577069548, 3.96]
MOMENTS = [0.12, 0.25, -0.17999, 0.0], [0.04005, 1.003, 0.00999000001, 0.08991]
NARROW = "g / (|g| + epsilon) turns within 1e-8: a finite difference steps over it"
# Steps before and after 9, and at it, where the line meets the root.
STEPS, SCHEDULE = [1.0, 4.0, 6.0, 12.0, 16.0, 36.0], {"width": 16, "warmup_steps": 9}


def _adamw(step, **settings):
    """A row's arguments: five parameters in the middle of training."""
    arrays = {
        "gradient": normal(5),
        "parameter": normal(5),
        "first_moment": normal(5),
        "second_moment": uniform(5, low=0.1, high=2.0),
    }
    return given(**arrays, step=step, learning_rate=0.05, **settings)


def _start(gradient, **settings):
    """The same, with moments of zero."""
    return given(
        gradient=gradient, parameter=normal(5), first_moment=zeros(5), second_moment=zeros(5), learning_rate=0.05, **settings
    )


def _moved(f, gradients, parameter, **settings):
    """The parameter after a sequence of gradients [N, P], from zero moments."""
    moments = np.zeros((2, len(parameter)))
    for step, gradient in enumerate(gradients, start=1):
        parameter, *moments = f.adamw_step(gradient, parameter, *moments, step=step, learning_rate=0.05, **settings)
    return parameter


SPEC = (
    # AdamW.
    Agree("adamw_step", "regular", _adamw(3, weight_decay=0.1)),
    Agree("adamw_step", "step 100, no decay", _adamw(100)),
    Agree("adamw_step", "other constants", _adamw(7, beta1=0.5, beta2=0.9, epsilon=0.1, weight_decay=2.0)),
    Agree("adamw_step", "no memory", _adamw(3, beta1=0.0, beta2=0.0, weight_decay=0.1)),
    Agree("adamw_step", "nothing has moved yet", _start(zeros(5), step=1, weight_decay=0.1), no_gradient=NARROW),
    Agree("adamw_step", "nothing has moved yet, a large epsilon", _start(zeros(5), step=1, epsilon=1e3, weight_decay=0.1),
          differentiate=("gradient", "parameter", "first_moment")),
    Agree("adamw_step", "gradients of 1e-9", _start(normal(5, scale=1e-9), step=1, weight_decay=0.1), no_gradient=NARROW),
    Anchor(
        "adamw_step", "the third step", given(**STATE, step=3, learning_rate=0.05, epsilon=0.01, weight_decay=0.2),
        gives=(MOVED, *MOMENTS), source="mpmath, 40 digits",
        near_misses={
            "decay in the gradient": ([0.99296731588857119, -0.5024186827200772, 2.0139589557254413, 3.9973195943036055],
                                      [0.14, 0.24, -0.13999, 0.08], [0.04021, 1.00341, 0.01015008001, 0.09055]),
            "decay divided by the root": ([0.99123191720032252, -0.50224681040325249, 2.0071951779112222, 3.992710340387127],
                                          *MOMENTS),
            "decay without the learning rate": ([0.79395998888655972, -0.40251997577753756, 1.6180899577069548, 3.2], *MOMENTS),
            "decay after the step": ([0.98402038899769412, -0.49749477601976219, 1.9979090581298852, 3.96], *MOMENTS),
            "no decay": ([0.99395998888655972, -0.50251997577753756, 2.0180899577069548, 4.0], *MOMENTS),
            "decay of the wrong sign": ([1.0039599888865597, -0.50751997577753756, 2.0380899577069548, 4.04], *MOMENTS),
            "no bias correction": ([0.96144556280922728, -0.50735789805419711, 2.0618508505643741, 3.96], *MOMENTS),
            "epsilon inside the root": ([0.98394573105433721, -0.49752131560171842, 1.9981618181675938, 3.96], *MOMENTS),
            "epsilon before the correction": ([0.98423170108355852, -0.49749642636901822, 1.9965347392233969, 3.96], *MOMENTS),
            "steps counted from 0": ([0.98296063303793789, -0.49793574616777942, 2.0010935683881686, 3.96], *MOMENTS),
            "ascent": ([0.99604001111344028, -0.49248002422246244, 1.9619100422930452, 3.96], *MOMENTS),
            "the update alone": ([-0.016040011113440282, 0.0024800242224624351, -0.0019100422930452205, -0.04], *MOMENTS),
        },
    ),
    Law.equal(
        "the decay takes learning_rate weight_decay p, whatever the gradient", given(gradients=normal(3, 5), parameter=normal(5)),
        left=lambda f, gradients, parameter: np.stack([
            f.adamw_step(g, parameter, g, g * g, step=2, learning_rate=0.05, weight_decay=0.3)[0]
            - f.adamw_step(g, parameter, g, g * g, step=2, learning_rate=0.05)[0] for g in gradients
        ]),
        right=lambda f, gradients, parameter: np.tile(-0.05 * 0.3 * parameter, (3, 1)),
    ),
    Law.equal(
        "the moments do not know of the decay", given(gradient=normal(5), parameter=normal(5)),
        left=lambda f, g, p: np.stack(f.adamw_step(g, p, g, g * g, step=2, learning_rate=0.05, weight_decay=0.3)[1:]),
        right=lambda f, g, p: np.stack(f.adamw_step(g, -p, g, g * g, step=2, learning_rate=0.05)[1:]),
    ),
    Law.equal(
        "the first step is learning_rate times the sign", given(gradient=[0.3, -2.0, 50.0, 1e-3, -4.0], parameter=normal(5)),
        left=lambda f, gradient, parameter: _moved(f, gradient[None], parameter, epsilon=0.0),
        right=lambda f, gradient, parameter: parameter - 0.05 * np.sign(gradient),
    ),
    Law.equal(
        "three equal gradients move three equal steps", given(gradient=[0.3, -2.0, 50.0, 1e-3, -4.0], parameter=normal(5)),
        left=lambda f, gradient, parameter: _moved(f, np.tile(gradient, (3, 1)), parameter, epsilon=0.1),
        right=lambda f, gradient, parameter: parameter - 3 * 0.05 * gradient / (np.abs(gradient) + 0.1),
    ),
    Law.equal(
        "without gradients a parameter fades", given(parameter=normal(5)),
        left=lambda f, parameter: f.adamw_step(*np.zeros((1, 5)), parameter, *np.zeros((2, 5)), step=2, learning_rate=0.05,
                                               weight_decay=0.3)[0],
        right=lambda f, parameter: (1 - 0.05 * 0.3) * parameter,
    ),
    Law.at_least(
        "a lone spike moves at most (1 - beta1) / root(1 - beta2) learning rates", given(spike=normal(5), parameter=normal(5)),
        left=0.05 * 0.1 / np.sqrt(0.001),
        right=lambda f, spike, parameter: np.stack([
            np.abs(f.adamw_step(spike, parameter, 0 * spike, 0 * spike, step=t, learning_rate=0.05, epsilon=0.0)[0] - parameter)
            for t in (3, 30_000)
        ]),
    ),
    Rejects("adamw_step", "step 0", _adamw(0), blames="step"),
    Rejects("adamw_step", "a decay that lets parameters grow", _adamw(1, weight_decay=-0.1), blames="weight_decay"),
    Rejects("adamw_step", "beta2 of 1", _adamw(1, beta2=1.0), blames="beta2"),
    Rejects("adamw_step", "negative epsilon", _adamw(1, epsilon=-1e-8), blames="epsilon"),
    Rejects("adamw_step", "one parameter for all",
            given(gradient=zeros(5), parameter=zeros(1), first_moment=zeros(5), second_moment=zeros(5), step=1,
                  learning_rate=0.1), blames="parameter"),
    Rejects("adamw_step", "a moment of another shape",
            given(gradient=zeros(5), parameter=zeros(5), first_moment=zeros(4), second_moment=zeros(5), step=1,
                  learning_rate=0.1), blames="first_moment"),
    Rejects("adamw_step", "moments exchanged",
            given(gradient=zeros(2), parameter=zeros(2), first_moment=[0.1, 0.2], second_moment=[0.1, -0.2], step=1,
                  learning_rate=0.1), blames="second_moment"),
    # Accumulation.
    Agree("accumulate_gradients", "regular", given(gradients=normal(4, 3, 5), counts=integers(4, low=1, high=9))),
    Agree("accumulate_gradients", "scalars, weights that are no integers",
          given(gradients=normal(4), counts=uniform(4, low=0.1, high=2.0))),
    Agree("accumulate_gradients", "one micro-batch", given(gradients=normal(1, 3, 5), counts=[7])),
    Agree("accumulate_gradients", "an empty micro-batch, its gradient 0/0",
          given(gradients=np.array([[1.0, -2.0, 0.5], [np.nan] * 3, [0.3, 0.1, -4.0], [np.inf] * 3]), counts=[3, 0, 5, 0])),
    Agree("accumulate_gradients", "a million tokens and one", given(gradients=normal(2, 3), counts=[1_000_000, 1])),
    Anchor(
        "accumulate_gradients", "1 token, 3 tokens and none",
        given(gradients=[[1.0, -2.0], [5.0, 7.0], [1000.0, -1000.0]], counts=[1, 3, 0]), gives=[4.0, 4.75], source="by hand",
        near_misses={
            "mean of unequal micro-batches": [335.33333333333333, -331.66666666666667],
            "mean of those that hold tokens": [3.0, 2.5],
            "sum": [16.0, 19.0], "divided by the number of micro-batches": [5.3333333333333333, 6.3333333333333333],
            "divided twice": [1.0, 1.1875], "one token of each is not counted": [5.0, 7.0],
        },
    ),
    Law.equal(
        "2, 3 and 4 rows make the mean of 9", given(rows=normal(9, 2)),
        left=lambda f, rows: f.accumulate_gradients(
            np.stack([rows[:2].mean(0), rows[2:5].mean(0), rows[5:].mean(0)]), np.array([2, 3, 4])),
        right=lambda f, rows: rows.mean(0),
    ),
    Law.equal(
        "a batch cut once more gives the same", given(gradients=normal(3, 2)),
        left=lambda f, gradients: f.accumulate_gradients(gradients[np.array([0, 1, 1, 2])], np.array([4, 2, 5, 1])),
        right=lambda f, gradients: f.accumulate_gradients(gradients, np.array([4, 7, 1])),
    ),
    Law.equal(
        "the unit of the counts does not matter", given(gradients=normal(3, 2), counts=uniform(3, low=0.1, high=2.0)),
        left=lambda f, gradients, counts: f.accumulate_gradients(gradients, 1000 * counts),
        right=lambda f, gradients, counts: f.accumulate_gradients(gradients, counts),
    ),
    Anchor("accumulate_gradients", "300 tokens, 255 of them in one", given(gradients=[[1.0], [2.0]], counts=[255, 45]),
           gives=[1.15], source="by hand"),
    Rejects("accumulate_gradients", "a count is missing", given(gradients=zeros(3, 2), counts=[1, 2]), blames="counts"),
    Rejects("accumulate_gradients", "a negative count", given(gradients=zeros(3, 2), counts=[1, 2, -1]), blames="counts"),
    Rejects("accumulate_gradients", "nothing but empty micro-batches", given(gradients=zeros(3, 2), counts=[0, 0, 0]),
            blames="counts"),
    Rejects("accumulate_gradients", "no micro-batches", given(gradients=zeros(0, 2), counts=np.zeros(0)), blames="gradients"),
    Rejects("accumulate_gradients", "a count for each entry", given(gradients=zeros(3, 2), counts=zeros(3, 2)), blames="counts"),
    # The schedule.
    Agree("warmup_inverse_square_root", "regular", given(step=STEPS, **SCHEDULE)),
    Agree("warmup_inverse_square_root", "a table of steps", given(step=uniform(2, 3, low=10.0, high=90.0), **SCHEDULE)),
    Agree("warmup_inverse_square_root", "where line and root meet", given(step=[8.0, 9.0, 10.0], **SCHEDULE),
          no_gradient="there is a kink at the peak"),
    Agree("warmup_inverse_square_root", "no axis, a warm-up of one step", given(step=scalar(7.0), width=3, warmup_steps=1)),
    Agree("warmup_inverse_square_root", "the paper's constants, up to ten million steps",
          given(step=[1.0, 100.0, 3999.0, 1e5, 1e7], width=512, warmup_steps=4000)),
    Anchor(
        "warmup_inverse_square_root", "width 16, warm-up 9", given(step=[1.0, 4.0, 9.0, 16.0, 36.0], **SCHEDULE),
        gives=[0.0092592592592592593, 0.037037037037037037, 0.083333333333333333, 0.0625, 0.041666666666666667],
        source="by hand: s / 108, then 1 / (4 root s)",
        near_misses={
            "the width as a factor": [0.5925925925925926, 2.3703703703703702, 5.333333333333333, 4.0, 2.6666666666666667],
            "no width": [0.037037037037037037, 0.14814814814814814, 0.33333333333333333, 0.25, 0.16666666666666667],
            "maximum for minimum": [0.25, 0.125, 0.083333333333333333, 0.14814814814814814, 0.33333333333333333],
            "peak of 1 over the root of the width": [0.027777777777777777, 0.11111111111111111, 0.25, 0.1875, 0.125],
            "linear after the peak": [0.0092592592592592593, 0.037037037037037037, 0.083333333333333333, 0.046875,
                                      0.020833333333333333],
        },
    ),
    Law.equal(
        "twice the step below the peak doubles the rate, four times the step above halves it", given(step=[2.0, 3.0, 4.0]),
        left=lambda f, step: np.stack([f.warmup_inverse_square_root(2 * step, **SCHEDULE),
                                       f.warmup_inverse_square_root(40 * step, **SCHEDULE)]),
        right=lambda f, step: np.stack([2 * f.warmup_inverse_square_root(step, **SCHEDULE),
                                        f.warmup_inverse_square_root(10 * step, **SCHEDULE) / 2]),
    ),
    Law.at_least(
        "no step has a higher rate than the last of the warm-up", given(step=np.arange(1.0, 60.0)), left=1 / np.sqrt(16 * 9),
        right=lambda f, step: f.warmup_inverse_square_root(step, **SCHEDULE),
    ),
    Anchor("warmup_inverse_square_root", "steps that are whole numbers", given(step=[16, 255], width=4, warmup_steps=400),
           gives=[0.001, 255 / 16000], source="by hand"),
    Rejects("warmup_inverse_square_root", "step 0", given(step=[1.0, 0.0], **SCHEDULE), blames="step"),
    Rejects("warmup_inverse_square_root", "no warm-up", given(step=[1.0, 2.0], width=16, warmup_steps=0), blames="warmup_steps"),
    Rejects("warmup_inverse_square_root", "width 0", given(step=[1.0, 2.0], width=0, warmup_steps=9), blames="width"),
)  # fmt: skip
