"""Contracts of the formulas of a training loop."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

ADAM = {"gradient": [0.3, -2.0, 0.0001, 0.0], "first_moment": [0.1, 0.5, -0.2, 0.0], "second_moment": [0.04, 1.0, 0.01, 0.09]}
STILL = {"gradient": zeros(4), "first_moment": zeros(4), "second_moment": zeros(4)}
UPDATES = [-0.0060400111134402822, -0.0025199757775375649, 0.018089957706954779, 0.0]
MOMENTS = [0.12, 0.25, -0.17999, 0.0], [0.04005, 1.003, 0.00999000001, 0.08991]
STEPS = [0.0, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 15.0, 40.0]
SCHEDULE = {"peak": 0.1, "warmup_steps": 5, "total_steps": 15, "floor": 0.01}
COUNTED = {"frozen": ("step",), "no_gradient": "steps are counted"}


def _adam(step, **settings):
    arrays = {"gradient": normal(5), "first_moment": normal(5), "second_moment": uniform(5, low=0.1, high=2.0)}
    return given(**arrays, step=step, learning_rate=0.05, **settings)


def _adam_after(f, gradients, **settings):
    """The last of the updates on a sequence of gradients [N, D], from zero moments."""
    update, *moments = np.zeros((3, gradients.shape[1]))
    for step, gradient in enumerate(gradients, start=1):
        update, *moments = f.adam_update(gradient, *moments, step=step, learning_rate=0.05, **settings)
    return update


def _repeat(function, value, times):
    for _ in range(times):
        value = function(value)
    return value


def _norm(*gradients):
    return np.sqrt(sum((gradient**2).sum() for gradient in gradients))


SPEC = (
    # Scaling.
    Agree("scale_to_range", "images", given(x=uniform(4, 3, 2, high=255.0), minimum=0.0, maximum=255.0)),
    Agree("scale_to_range", "outside the range", given(x=normal(5, 3, scale=40.0), minimum=-3.0, maximum=7.0, low=0.5, high=2.0)),
    Agree("scale_to_range", "one axis", given(x=normal(6), minimum=-1.0, maximum=3.0, low=0.0, high=1.0)),
    Anchor(
        "scale_to_range",
        "bytes to -1..1",
        given(x=[[0.0, 127.5, 255.0], [51.0, -25.5, 510.0]], minimum=0.0, maximum=255.0),
        gives=[[-1.0, 0.0, 1.0], [-0.6, -1.2, 3.0]],
        source="by hand",
        near_misses={
            "to 0..1": [[0.0, 0.5, 1.0], [0.2, -0.1, 2.0]],
            "clipped": [[-1.0, 0.0, 1.0], [-0.6, -1.0, 1.0]],
            "divided by 127": [
                [-1.0, 0.0039370078740157480, 1.0078740157480315],
                [-0.59842519685039370, -1.2007874015748031, 3.0157480314960630],
            ],
            "low and high exchanged": [[1.0, 0.0, -1.0], [0.6, 1.2, -3.0]],
        },
    ),
    Law.inverse(
        "scaling back undoes scaling",
        given(x=normal(5, 3, scale=50.0)),
        round_trip=lambda f, x: f.scale_to_range(
            f.scale_to_range(x, minimum=-20.0, maximum=90.0, low=0.5, high=2.0), minimum=0.5, maximum=2.0, low=-20.0, high=90.0
        ),
        start=lambda f, x: x,
    ),
    Law.equal(
        "the ends of the range meet the ends",
        given(x=[[-20.0, 90.0]]),
        left=lambda f, x: f.scale_to_range(x, minimum=-20.0, maximum=90.0, low=0.5, high=2.0),
        right=lambda f, x: np.array([[0.5, 2.0]]),
    ),
    Rejects("scale_to_range", "empty range", given(x=zeros(2, 3), minimum=1.0, maximum=1.0), blames="maximum"),
    Rejects("scale_to_range", "range upside down", given(x=zeros(2, 3), minimum=1.0, maximum=0.0), blames="maximum"),
    Rejects("scale_to_range", "empty target", given(x=zeros(2, 3), minimum=0.0, maximum=1.0, low=0.5, high=0.5), blames="high"),
    Rejects("scale_to_range", "bytes, which would wrap around", given(x=[[0, 255]], minimum=0.0, maximum=255.0), blames="x"),
    # Clipping.
    Agree("clip_by_global_norm", "above", given(gradients=(normal(4, 3), normal(5), normal(2, 3, 2)), max_norm=1.5)),
    Agree("clip_by_global_norm", "below", given(gradients=(normal(4, 3), normal(5)), max_norm=100.0)),
    Agree("clip_by_global_norm", "zero", given(gradients=(zeros(4, 3), zeros(5)), max_norm=1.5)),
    Agree("clip_by_global_norm", "one array zero", given(gradients=(zeros(4, 3), normal(5)), max_norm=0.5)),
    Agree(
        "clip_by_global_norm",
        "squares that overflow",
        given(gradients=(normal(4, 3, scale=1e30), normal(5)), max_norm=1.5),
        differentiate=(),
        no_gradient="of size 1e-30: compared above",
        edge="squares of 1e30 overflow float32",
    ),
    Agree(
        "clip_by_global_norm",
        "squares that underflow",
        given(gradients=(normal(4, 3, scale=1e-30), normal(5, scale=1e-30)), max_norm=1.5),
        differentiate=(),
        no_gradient="a finite difference cannot step by less than 1e-30: compared above",
        edge="squares of 1e-30 underflow float32",
    ),
    Anchor(
        "clip_by_global_norm",
        "3, 4 and 12 make 13",
        given(gradients=([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]], [12.0, 0.0]), max_norm=6.5),
        gives=([[1.5, 0.0, 0.0], [0.0, 2.0, 0.0]], [6.0, 0.0], 13.0),
        source="by hand",
        near_misses={
            "each array alone": ([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]], [6.5, 0.0], 13.0),
            "norm after clipping": ([[1.5, 0.0, 0.0], [0.0, 2.0, 0.0]], [6.0, 0.0], 6.5),
            "squared norm": ([[1.5, 0.0, 0.0], [0.0, 2.0, 0.0]], [6.0, 0.0], 169.0),
        },
    ),
    Anchor(
        "clip_by_global_norm",
        "exactly at the norm",
        given(gradients=([[0.003, 0.0, 0.0], [0.0, 0.004, 0.0]], [0.012, 0.0]), max_norm=0.013),
        gives=([[0.003, 0.0, 0.0], [0.0, 0.004, 0.0]], [0.012, 0.0], 0.013),
        source="by hand",
        near_misses={
            "divides by norm + 1e-6": (
                [[0.0029997692485193447, 0.0, 0.0], [0.0, 0.0039996923313591263, 0.0]],
                [0.011999076994077379, 0.0],
                0.013,
            )
        },
    ),
    Law.equal(
        "the clipped norm is the smaller of the two",
        given(matrix=normal(4, 3), vector=normal(5), short=normal(5, scale=0.01)),
        left=lambda f, matrix, vector, short: np.array(
            [_norm(*f.clip_by_global_norm(gradients, max_norm=0.7)[:2]) for gradients in ((matrix, vector), (short, short))]
        ),
        right=lambda f, matrix, vector, short: np.array([0.7, _norm(short, short)]),
    ),
    Law.equal(
        "clipping keeps the direction",
        given(matrix=normal(4, 3), vector=normal(5)),
        left=lambda f, matrix, vector: f.clip_by_global_norm((matrix, vector), max_norm=0.7)[1] / 0.7,
        right=lambda f, matrix, vector: vector / f.clip_by_global_norm((matrix, vector), max_norm=0.7)[2],
    ),
    Rejects("clip_by_global_norm", "no arrays", given(gradients=(), max_norm=1.0), blames="gradients"),
    Rejects("clip_by_global_norm", "max_norm 0", given(gradients=(normal(3),), max_norm=0.0), blames="max_norm"),
    Rejects("clip_by_global_norm", "negative max_norm", given(gradients=(normal(3),), max_norm=-1.0), blames="max_norm"),
    # Adam.
    Agree("adam_update", "step 1", _adam(1)),
    Agree("adam_update", "step 100", _adam(100)),
    Agree("adam_update", "other constants", _adam(7, beta1=0.5, beta2=0.9, epsilon=0.1)),
    Agree("adam_update", "no memory", _adam(3, beta1=0.0, beta2=0.0)),
    Agree(
        "adam_update",
        "nothing has moved yet",
        given(**STILL, step=1, learning_rate=0.05),
        no_gradient="g / (|g| + epsilon) turns within 1e-8: a finite difference steps over it",
    ),
    Agree(
        "adam_update",
        "nothing has moved yet, a large epsilon",
        given(**STILL, step=1, learning_rate=0.05, epsilon=1e3),
        differentiate=("gradient", "first_moment"),
    ),
    Anchor(
        "adam_update",
        "third step",
        given(**ADAM, step=3, learning_rate=0.05, epsilon=0.01),
        gives=(UPDATES, *MOMENTS),
        source="mpmath, 40 digits",
        near_misses={
            "no bias correction": ([-0.028554437190772717, -0.012357898054197112, 0.081850850564374084, 0.0], *MOMENTS),
            "epsilon inside the root": ([-0.0060542689456627892, -0.0025213156017184172, 0.018161818167593812, 0.0], *MOMENTS),
            "epsilon before the correction": (
                [-0.0057682989164414793, -0.0024964263690182166, 0.016534739223396888, 0.0],
                *MOMENTS,
            ),
            "steps counted from 0": ([-0.0070393669620621104, -0.0029357461677794168, 0.021093568388168578, 0.0], *MOMENTS),
            "sign": ([-update for update in UPDATES], *MOMENTS),
            "corrected moments returned": (
                UPDATES,
                [0.44280442804428044, 0.92250922509225092, -0.66416974169741697, 0.0],
                [13.363358904451483, 334.66788966703715, 3.3333322244470389, 29.999989989993330],
            ),
        },
    ),
    Law.equal(
        "the first step is learning_rate times the sign",
        given(gradient=[0.3, -2.0, 50.0, 1e-3]),
        left=lambda f, gradient: _adam_after(f, gradient[None], epsilon=0.0),
        right=lambda f, gradient: -0.05 * np.sign(gradient),
    ),
    Law.equal(
        "a constant gradient gives the same update at every step",
        given(gradient=[0.3, -2.0, 50.0, 1e-3]),
        left=lambda f, gradient: _adam_after(f, np.tile(gradient, (12, 1)), epsilon=0.1),
        right=lambda f, gradient: -0.05 * gradient / (np.abs(gradient) + 0.1),
    ),
    Law.equal(
        "without epsilon the scale of the loss is not seen",
        given(gradients=normal(6, 4)),
        left=lambda f, gradients: _adam_after(f, 37.0 * gradients, epsilon=0.0),
        right=lambda f, gradients: _adam_after(f, gradients, epsilon=0.0),
    ),
    Rejects("adam_update", "step 0", _adam(0), blames="step"),
    Rejects("adam_update", "beta1 of 1", _adam(1, beta1=1.0), blames="beta1"),
    Rejects("adam_update", "negative beta2", _adam(1, beta2=-0.1), blames="beta2"),
    Rejects("adam_update", "negative epsilon", _adam(1, epsilon=-1e-8), blames="epsilon"),
    Rejects(
        "adam_update",
        "shapes differ",
        given(gradient=zeros(5), first_moment=zeros(4), second_moment=zeros(5), step=1, learning_rate=0.1),
        blames="first_moment",
    ),
    Rejects(
        "adam_update",
        "a negative second moment",
        given(gradient=zeros(2), first_moment=zeros(2), second_moment=[0.1, -0.1], step=1, learning_rate=0.1),
        blames="second_moment",
    ),
    # The moving average.
    *(Agree("ema_update", f"decay {d:g}", given(average=normal(5), value=normal(5), decay=d)) for d in (0.0, 0.9, 0.9999, 1.0)),
    Anchor(
        "ema_update",
        "decay 0.9",
        given(average=[1.0, 2.0, -4.0], value=[3.0, -4.0, -4.0], decay=0.9),
        gives=[1.2, 1.4, -4.0],
        source="by hand",
        near_misses={"weights exchanged": [2.8, -3.4, -4.0], "forgets 1 - decay": [3.9, -2.2, -7.6]},
    ),
    Law.equal(
        "an average of itself stays",
        given(value=normal(5)),
        left=lambda f, value: f.ema_update(value, value, decay=0.37),
        right=lambda f, value: value,
    ),
    Law.equal(
        "the start fades like decay^n",
        given(start=normal(4)),
        left=lambda f, start: _repeat(lambda average: f.ema_update(average, np.zeros(4), decay=0.8), start, 9),
        right=lambda f, start: 0.8**9 * start,
    ),
    Rejects("ema_update", "decay above 1", given(average=zeros(3), value=zeros(3), decay=1.01), blames="decay"),
    Rejects("ema_update", "negative decay", given(average=zeros(3), value=zeros(3), decay=-0.01), blames="decay"),
    Rejects("ema_update", "shapes differ", given(average=zeros(3), value=zeros(4), decay=0.5), blames="value"),
    # The schedule.
    Agree("warmup_cosine_learning_rate", "regular", given(step=STEPS, **SCHEDULE), **COUNTED),
    Agree("warmup_cosine_learning_rate", "no warm-up", given(step=STEPS, peak=0.3, warmup_steps=0, total_steps=12), **COUNTED),
    Agree(
        "warmup_cosine_learning_rate",
        "one step of decay",
        given(step=STEPS, peak=0.3, warmup_steps=4, total_steps=5, floor=0.3),
        **COUNTED,
    ),
    Anchor(
        "warmup_cosine_learning_rate",
        "5 up, 10 down",
        given(step=STEPS, **SCHEDULE),
        gives=[0.02, 0.08, 0.1, 0.1, 0.091405764746872632, 0.055, 0.012202456766718089, 0.01, 0.01],
        source="mpmath, 40 digits",
        frozen=("step",),
        near_misses={
            "warm-up starts at 0": [0.0, 0.06, 0.08, 0.1, 0.091405764746872632, 0.055, 0.012202456766718089, 0.01, 0.01],
            "warm-up one step longer": [
                0.016666666666666666,
                0.066666666666666667,
                0.083333333333333333,
                0.1,
                0.091405764746872632,
                0.055,
                0.012202456766718089,
                0.01,
                0.01,
            ],
            "the cosine counts from 0": [0.02, 0.08, 0.1, 0.0775, 0.059703780847044403, 0.0325, 0.010983357966978746, 0.01, 0.01],
            "no floor": [0.02, 0.08, 0.1, 0.1, 0.090450849718747371, 0.05, 0.0024471741852423214, 0.0, 0.0],
            "the floor added on top": [0.02, 0.08, 0.1, 0.11, 0.10045084971874737, 0.06, 0.012447174185242321, 0.01, 0.01],
            "the cosine rises again": [0.02, 0.08, 0.1, 0.1, 0.091405764746872632, 0.055, 0.012202456766718089, 0.01, 0.055],
        },
    ),
    Law.at_least(
        "the rate falls strictly from the warm-up's end to the last step",
        given(step=np.arange(5.0, 16.0)),
        frozen=("step",),
        left=lambda f, step: -np.diff(f.warmup_cosine_learning_rate(step, **SCHEDULE)),
        right=0.09 / 100,
    ),
    Law.equal(
        "the highest rate is the peak, and the last the floor",
        given(step=np.arange(60.0)),
        frozen=("step",),
        left=lambda f, step: f.warmup_cosine_learning_rate(step, **SCHEDULE)[np.array([4, 5, 15, 59])],
        right=lambda f, step: np.array([f.warmup_cosine_learning_rate(step, **SCHEDULE).max(), 0.1, 0.01, 0.01]),
    ),
    Anchor(
        "warmup_cosine_learning_rate",
        "whole steps up to 255",
        given(step=[0, 255], peak=1.0, warmup_steps=512, total_steps=1000),
        gives=[1 / 512, 0.5],
        source="by hand",
    ),
    Rejects(
        "warmup_cosine_learning_rate",
        "total equal to warm-up",
        given(step=STEPS, peak=0.1, warmup_steps=5, total_steps=5),
        blames="total_steps",
    ),
    Rejects(
        "warmup_cosine_learning_rate",
        "negative warm-up",
        given(step=STEPS, peak=0.1, warmup_steps=-1, total_steps=5),
        blames="warmup_steps",
    ),
    Rejects(
        "warmup_cosine_learning_rate",
        "floor above the peak",
        given(step=STEPS, peak=0.1, warmup_steps=2, total_steps=5, floor=0.2),
        blames="floor",
    ),
    Rejects(
        "warmup_cosine_learning_rate",
        "a negative step",
        given(step=[0.0, -1.0], peak=0.1, warmup_steps=2, total_steps=5),
        blames="step",
    ),
)
