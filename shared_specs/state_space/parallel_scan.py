"""Contracts of linear recurrences, as a loop and as a scan (lecture 56)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, concatenate, full, given, normal, uniform, zeros

FORMS = ("recurrence_sequential", "recurrence_parallel")
REGULAR = dict(inputs=normal(2, 13, 3), decay=uniform(2, 13, 3, low=-1.1, high=1.1), initial=normal(2, 3))
# All decays of a lane equal: nothing is kept, the sign alternates, and the product of all is below 1e-50.
LANES = concatenate(*(full(2, 13, 1, value=decay) for decay in (0.0, -1.0, 1e-4)), axis=2)
CASES = {
    "decay 0, -1 and 0.0001": dict(inputs=normal(2, 13, 3), decay=LANES, initial=normal(2, 3)),
    "one step": dict(inputs=normal(3, 1, 2), decay=normal(3, 1, 2), initial=normal(3, 2)),
}
MAPS = dict(a=normal(3, 4), b=normal(3, 4), c=normal(3, 4), d=normal(3, 4))
SEQUENCES = dict(inputs=zeros(2, 5, 3), decay=zeros(2, 5, 3), initial=zeros(2, 3))
SLOPES = dict(upstream=zeros(2, 5, 3), states=zeros(2, 5, 3), decay=zeros(2, 5, 3), initial=zeros(2, 3))


def lane(*numbers):
    """A sequence of one lane."""
    return [[[number] for number in numbers]]


EXAMPLE = dict(inputs=lane(1.0, 2.0, 0.0), decay=lane(0.5, 0.25, 0.5), initial=[[4.0]])  # the lecture's
STATES = 3.0, 2.75, 1.375


def slopes(inputs, decay, initial):
    """The three gradients of one lane."""
    return lane(*inputs), lane(*decay), [[initial]]


def flat(parts):
    return np.concatenate([np.ravel(part) for part in parts])


SPEC = (
    # Two maps in a row.
    Agree("combine", "regular",
          given(decay_first=normal(3, 4), input_first=normal(3, 4), decay_second=normal(3, 4), input_second=normal(3, 4))),
    Agree("combine", "one number, and a first or second map that forgets",
          given(decay_first=[0.0, 0.5, 1e-30], input_first=[2.0, 3.0, 1.0], decay_second=[0.5, 0.0, -1.0],
                input_second=[1.0, -1.0, 0.0])),
    Anchor(
        "combine", "the first two steps of the example",
        given(decay_first=[0.5], input_first=[1.0], decay_second=[0.25], input_second=[2.0]), gives=([0.125], [2.25]),
        source="(x/2 + 1)/4 + 2 by hand",
        near_misses={"the second map first": ([0.125], [2.0]), "decays added": ([0.75], [2.25]),
                     "the first input kept whole": ([0.125], [3.0]), "the second input forgotten": ([0.125], [0.25])},
    ),
    Law.equal("any tree of three maps", given(**MAPS),
              left=lambda f, a, b, c, d: flat(f.combine(*f.combine(a, b, c, d), d, a)),
              right=lambda f, a, b, c, d: flat(f.combine(a, b, *f.combine(c, d, d, a)))),
    Law.equal("the identity on either side", given(**MAPS),
              left=lambda f, a, b, c, d: flat((*f.combine(a, b, a * 0 + 1, a * 0), *f.combine(a * 0 + 1, a * 0, a, b))),
              right=lambda f, a, b, c, d: flat((a, b, a, b))),
    Rejects("combine", "inputs of another length",
            given(decay_first=zeros(3), input_first=zeros(4), decay_second=zeros(3), input_second=zeros(3)),
            blames="input_first"),
    Rejects("combine", "one second map for all",
            given(decay_first=zeros(2, 3), input_first=zeros(2, 3), decay_second=zeros(3), input_second=zeros(3)),
            blames="decay_second"),
    # All states.
    Agree("recurrence_sequential", "13 steps", given(**REGULAR)),
    Agree("recurrence_parallel", "13 steps", given(**REGULAR)),
    *(Agree(form, case, given(**arrays)) for case, arrays in CASES.items() for form in FORMS),
    *(
        Anchor(
            form, "the example", given(**EXAMPLE), gives=lane(*STATES), source="by hand",
            near_misses={"the initial state forgotten": lane(1.0, 2.25, 1.125), "applied twice": lane(5.0, 3.25, 1.625),
                         "the state before the input": lane(4.0, 3.0, 2.75), "the decay of the step after": lane(2.0, 3.0, 1.5),
                         "the initial state as x_1": lane(4.0, 3.0, 1.5), "backwards": lane(2.25, 2.5, 2.0)},
        )
        for form in FORMS
    ),
    *(
        Law.equal(
            f"{form}: in two chunks", given(**REGULAR),
            left=lambda f, b, a, x, form=form: np.concatenate(_in_chunks(getattr(f, form), b, a, x), axis=1),
            right=lambda f, b, a, x, form=form: getattr(f, form)(b, a, x),
        )
        for form in FORMS
    ),
    *(
        Law.equal(
            f"{form}: without decay a cumulative sum", given(inputs=normal(2, 13, 3)),
            left=lambda f, b, form=form: getattr(f, form)(b, np.ones_like(b), b[:, 0]),
            right=lambda f, b: b[:, :1] + np.cumsum(b, axis=1),
        )
        for form in FORMS
    ),
    Law.equal("the scan is the loop", given(**REGULAR), left=lambda f, *given: f.recurrence_parallel(*given),
              right=lambda f, *given: f.recurrence_sequential(*given)),
    *(
        Rejects(form, case, given(**(SEQUENCES | wrong)), blames=blames)
        for form in FORMS
        for case, wrong, blames in (
            ("no step", dict(inputs=zeros(2, 0, 3), decay=zeros(2, 0, 3)), "inputs"),
            ("a single sequence", dict(inputs=zeros(5, 3)), "inputs"),
            ("a decay for all steps", dict(decay=zeros(2, 3)), "decay"),
            ("one initial state for all", dict(initial=zeros(3)), "initial"),
        )
    ),
    # Gradients.
    Agree("recurrence_backward", "13 steps",
          given(upstream=normal(2, 13, 3), states=normal(2, 13, 3), decay=REGULAR["decay"], initial=normal(2, 3))),
    Agree("recurrence_backward", "decay 0, -1 and 0.0001",
          given(upstream=normal(2, 13, 3), states=normal(2, 13, 3), decay=LANES, initial=normal(2, 3))),
    Agree("recurrence_backward", "one step",
          given(upstream=normal(3, 1, 2), states=normal(3, 1, 2), decay=normal(3, 1, 2), initial=normal(3, 2))),
    Anchor(
        "recurrence_backward", "the example",
        given(upstream=lane(1.0, 1.0, 1.0), states=lane(*STATES), decay=EXAMPLE["decay"], initial=EXAMPLE["initial"]),
        gives=slopes((1.375, 1.5, 1.0), (5.5, 4.5, 2.75), 0.6875), source="by hand",
        near_misses={
            "decay not shifted": slopes((1.625, 1.25, 1.0), (6.5, 3.75, 2.75), 0.8125),
            "the state after": slopes((1.375, 1.5, 1.0), (4.125, 4.125, 1.375), 0.6875),
            "the first decay forgotten": slopes((1.375, 1.5, 1.0), (5.5, 4.5, 2.75), 1.375),
            "forwards": slopes((1.0, 1.25, 1.625), (4.0, 3.75, 4.46875), 0.5),
            "each step alone": slopes((1.0, 1.0, 1.0), (4.0, 3.0, 2.75), 0.5),
        },
    ),
    *(
        Law.equal(
            f"{form}: recurrence_backward is its gradient", given(upstream=normal(1, 5, 2), inputs=normal(1, 5, 2),
                                                                  decay=normal(1, 5, 2), initial=normal(1, 2)),
            left=lambda f, g, b, a, x, form=form: flat(f.recurrence_backward(g, getattr(f, form)(b, a, x), a, x)),
            right=lambda f, g, b, a, x, form=form: flat(
                np.tensordot(g, f.jacobian(form, b, a, x, wrt=wrt), axes=3) for wrt in range(3)),
        )
        for form in FORMS
    ),
    *(
        Rejects("recurrence_backward", case, given(**(SLOPES | wrong)), blames=blames)
        for case, wrong, blames in (
            ("no step", dict(upstream=zeros(2, 0, 3), states=zeros(2, 0, 3), decay=zeros(2, 0, 3)), "upstream"),
            ("a single sequence", dict(upstream=zeros(5, 3)), "upstream"),
            ("a state more, the initial one", dict(states=zeros(2, 6, 3)), "states"),
            ("a decay less", dict(decay=zeros(2, 4, 3)), "decay"),
            ("an initial state for every step", dict(initial=zeros(2, 5, 3)), "initial"),
        )
    ),
)  # fmt: skip


def _in_chunks(form, inputs, decay, initial):
    first = form(inputs[:, :6], decay[:, :6], initial)
    return first, form(inputs[:, 6:], decay[:, 6:], first[:, -1])
