"""Contracts of state-space duality (lecture 56)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, full, given, normal, uniform, zeros

STEPS = 6
LOG_DECAY = uniform(5, STEPS, 4, low=-1.5, high=-0.05)
# Five sequences of six steps, four heads of width 3 in two groups of seven states.
ARRAYS = dict(x=normal(5, STEPS, 4, 3), log_decay=LOG_DECAY, b=normal(5, STEPS, 2, 7), c=normal(5, STEPS, 2, 7))
INITIAL = normal(5, 4, 3, 7)
# A long fall, after which the sums of a few small numbers must keep their digits; what is left of it is far from underflow.
FALL = np.tile(np.array([-20.0, -25.0, -0.01, -0.003, 0.0, -0.02])[None, :, None], (5, 1, 4))
NO_DECAY = dict(ARRAYS, log_decay=zeros(5, STEPS, 4))
EMPTY = dict(x=zeros(2, 6, 4, 3), log_decay=zeros(2, 6, 4), b=zeros(2, 6, 2, 7), c=zeros(2, 6, 2, 7))
FORMS = {"dual_quadratic": {}, "dual_recurrent": {"initial": zeros(5, 4, 3, 7)}, "dual_chunked": {"chunk": 3}}


def _one(values, log_decay, b=None, c=None):
    """One sequence of one head, one group, one state and width 1."""
    ones = [1.0] * len(values)
    return dict(x=_axes(values), log_decay=[[[entry] for entry in log_decay]], b=_axes(b or ones), c=_axes(c or ones))


def _axes(entries):
    return [[[[entry]] for entry in entries]]


# The lecture's example: a = 1/2, 1/2, 1/4.
EXAMPLE = _one([4.0, 2.0, 1.0], [-LOG_2, -LOG_2, -2 * LOG_2])
LONGER = _one([4.0, 2.0, 1.0, 8.0], [-LOG_2, -LOG_2, -2 * LOG_2, 0.0])
# Where b and c differ: y_2 = 1/2 C_2 B_1 x_1 + C_2 B_2 x_2.
READ = _one([4.0, 2.0], [0.0, -LOG_2], b=[1.0, 3.0], c=[5.0, 2.0])
# Four heads, two groups, one step: y_h = C_g B_g x_h, with g = 0, 0, 1, 1.
GROUPS = dict(x=[[[[1.0], [2.0], [3.0], [4.0]]]], log_decay=zeros(1, 1, 4), b=[[[[1.0], [10.0]]]], c=[[[[1.0], [1.0]]]])


def _outputs(*entries):
    return _axes(entries)


def _anchors():
    for function, options in FORMS.items():

        def more(batch_shape, chunk, options=options):
            return options | ({"initial": zeros(*batch_shape)} if "initial" in options else {"chunk": chunk} if options else {})

        def gives(outputs, last, function=function):
            return (outputs, [last]) if function == "dual_recurrent" else outputs

        def wrong(misses, last, gives=gives):
            return {name: gives(outputs, last) for name, outputs in misses.items()}

        yield Anchor(
            function,
            "the example",
            given(**LONGER, **more((1, 1, 1, 1), 2)),
            gives=gives(_outputs(4.0, 4.0, 2.0, 10.0), [[[10.0]]]),
            source="1/2 4 + 2, 1/4 4 + 1, 2 + 8",
            near_misses=wrong(
                {
                    "the decay of s included": _outputs(2.0, 2.0, 0.75, 8.75),
                    "decay a step late": _outputs(4.0, 4.0, 3.0, 8.75),
                    "0 in place of -inf": _outputs(15.0, 13.0, 11.0, 10.0),
                    "a chunk's state undecayed": _outputs(4.0, 4.0, 5.0, 13.0),
                },
                [[[10.0]]],
            ),
        )
        yield Anchor(
            function,
            "b writes, c reads",
            given(**READ, **more((1, 1, 1, 1), 1)),
            gives=gives(_outputs(20.0, 16.0), [[[8.0]]]),
            source="5 x 4; 2 (4/2 + 3 x 2)",
            near_misses=wrong({"b and c exchanged": _outputs(20.0, 42.0), "without c": _outputs(4.0, 8.0)}, [[[8.0]]]),
        )
        yield Anchor(
            function,
            "two groups of two heads",
            given(**GROUPS, **more((1, 4, 1, 1), 1)),
            gives=gives([[[[1.0], [2.0], [30.0], [40.0]]]], [[[1.0]], [[2.0]], [[30.0]], [[40.0]]]),
            source="the groups repeated",
            near_misses=wrong({"the groups tiled": [[[[1.0], [20.0], [3.0], [40.0]]]]}, [[[1.0]], [[2.0]], [[30.0]], [[40.0]]]),
        )


def _rejections():
    for function, options in FORMS.items():
        options = options | ({"initial": zeros(2, 4, 3, 7)} if "initial" in options else {})
        for case, changed, blames in (
            ("three groups for four heads", dict(b=zeros(2, 6, 3, 7), c=zeros(2, 6, 3, 7)), "b"),
            ("no group", dict(b=zeros(2, 6, 0, 7), c=zeros(2, 6, 0, 7)), "b"),
            ("c of another size", dict(c=zeros(2, 6, 2, 5)), "c"),
            ("a decay for all heads", dict(log_decay=zeros(2, 6)), "log_decay"),
            ("no step", dict(x=zeros(2, 0, 4, 3), log_decay=zeros(2, 0, 4), b=zeros(2, 0, 2, 7), c=zeros(2, 0, 2, 7)), "x"),
        ):
            yield Rejects(function, case, given(**EMPTY | changed | options), blames=blames)


SPEC = (
    Agree("segment_sum", "regular", given(log_decay=LOG_DECAY)),
    Agree("segment_sum", "small numbers after a long fall", given(log_decay=FALL)),
    Agree("segment_sum", "one step", given(log_decay=zeros(2, 1, 3))),
    Agree("dual_quadratic", "regular", given(**ARRAYS)),
    Agree("dual_quadratic", "small numbers after a long fall", given(**dict(ARRAYS, log_decay=FALL))),
    Agree(
        "dual_quadratic",
        "one step, a group a head",
        given(x=normal(3, 1, 2, 4), log_decay=full(3, 1, 2, value=-0.5), b=normal(3, 1, 2, 5), c=normal(3, 1, 2, 5)),
    ),
    Agree("dual_recurrent", "regular", given(**ARRAYS, initial=INITIAL)),
    Agree(
        "dual_recurrent",
        "no decay, one group",
        given(**dict(NO_DECAY, b=normal(5, STEPS, 1, 7), c=normal(5, STEPS, 1, 7)), initial=INITIAL),
    ),
    *(Agree("dual_chunked", f"chunks of {chunk}", given(**ARRAYS, chunk=chunk)) for chunk in (3, 1)),
    Agree("dual_chunked", "small numbers after a long fall", given(**dict(ARRAYS, log_decay=FALL), chunk=2)),
    Agree("linear_attention", "regular", given(query=normal(5, 6, 4, 7), key=normal(5, 6, 4, 7), value=normal(5, 6, 4, 3))),
    Anchor(
        "segment_sum",
        "three steps",
        given(log_decay=[[[1.0], [2.0], [4.0]]]),
        gives=[[[[0.0, -np.inf, -np.inf], [2.0, 0.0, -np.inf], [6.0, 4.0, 0.0]]]],
        source="by hand",
        near_misses={
            "the first included": [[[[1.0, -np.inf, -np.inf], [3.0, 2.0, -np.inf], [7.0, 6.0, 4.0]]]],
            "the last left out": [[[[0.0, -np.inf, -np.inf], [1.0, 0.0, -np.inf], [3.0, 2.0, 0.0]]]],
            "0 above the diagonal": [[[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [6.0, 4.0, 0.0]]]],
            "transposed": [[[[0.0, 2.0, 6.0], [-np.inf, 0.0, 4.0], [-np.inf, -np.inf, 0.0]]]],
        },
    ),
    *_anchors(),
    Anchor(
        "dual_recurrent",
        "from a state",
        given(**EXAMPLE, initial=[[[[16.0]]]]),
        gives=(_outputs(12.0, 8.0, 3.0), [[[[3.0]]]]),
        source="16/2 + 4, 12/2 + 2, 8/4 + 1",
        near_misses={
            "the state undecayed": (_outputs(20.0, 12.0, 4.0), [[[[4.0]]]]),
            "the state forgotten": (_outputs(4.0, 4.0, 2.0), [[[[2.0]]]]),
            "the output before the input": (_outputs(8.0, 6.0, 2.0), [[[[3.0]]]]),
        },
    ),
    Anchor(
        "linear_attention",
        "three steps",
        given(query=_axes([1.0, 1.0, 2.0]), key=_axes([1.0, 3.0, 1.0]), value=_axes([4.0, 2.0, 1.0])),
        gives=_outputs(4.0, 10.0, 22.0),
        source="4, 4 + 6, 2 (4 + 6 + 1)",
        near_misses={
            "normalized": _outputs(4.0, 2.5, 2.2),
            "without itself": _outputs(0.0, 4.0, 20.0),
            "not causal": _outputs(11.0, 11.0, 22.0),
            "softmax": _outputs(4.0, 2.2384, 2.0),
            "query and key exchanged": _outputs(4.0, 18.0, 8.0),
        },
    ),
    Law.equal(
        "the recurrence from rest is the attention",
        given(**ARRAYS),
        left=lambda f, *arrays: f.dual_recurrent(*arrays, np.zeros((5, 4, 3, 7)))[0],
        right=lambda f, *arrays: f.dual_quadratic(*arrays),
    ),
    *(
        Law.equal(
            f"chunks of {chunk} change nothing",
            given(**ARRAYS),
            left=lambda f, *arrays, chunk=chunk: f.dual_chunked(*arrays, chunk=chunk),
            right=lambda f, *arrays: f.dual_quadratic(*arrays),
        )
        for chunk in (1, 2, 6)
    ),
    Law.equal(
        "the recurrence goes on from the state that it returned",
        given(**ARRAYS, initial=INITIAL),
        left=lambda f, *given: np.concatenate(_in_two_parts(f, *given), axis=1),
        right=lambda f, *given: f.dual_recurrent(*given)[0],
    ),
    Law.equal(
        "a state that nothing is added to fades with the decay",
        given(**ARRAYS, initial=INITIAL),
        left=lambda f, x, *rest: f.dual_recurrent(0 * x, *rest)[0],
        right=lambda f, x, log_decay, b, c, initial: (
            np.exp(np.cumsum(log_decay, 1))[..., None] * np.einsum("bhpn,bthn->bthp", initial, np.repeat(c, 2, 2))
        ),
    ),
    Law.equal(
        "segments that meet add up",
        given(log_decay=LOG_DECAY),
        left=lambda f, log_decay: f.segment_sum(log_decay)[:, :, 5, 1],
        right=lambda f, log_decay: f.segment_sum(log_decay)[:, :, 5, 3] + f.segment_sum(log_decay)[:, :, 3, 1],
    ),
    Law.equal(
        "without decay it is linear attention",
        given(x=normal(2, 5, 3, 4), b=normal(2, 5, 3, 6), c=normal(2, 5, 3, 6)),
        left=lambda f, x, b, c: f.dual_quadratic(x, np.zeros((2, 5, 3)), b, c),
        right=lambda f, x, b, c: f.linear_attention(c, b, x),
    ),
    Law.equal(
        "a constant decay is retention",
        given(x=normal(2, 5, 3, 4), b=normal(2, 5, 3, 6), c=normal(2, 5, 3, 6)),
        left=lambda f, x, b, c: f.dual_quadratic(x, np.full((2, 5, 3), -0.3), b, c),
        right=lambda f, x, b, c: np.einsum("ts,bthn,bshn,bshp->bthp", _powers(np.exp(-0.3), 5), c, b, x),
    ),
    Law.equal(
        "no output depends on a later input",
        given(x=normal(1, 4, 2, 3), log_decay=uniform(1, 4, 2, low=-1.0), b=normal(1, 4, 1, 5), c=normal(1, 4, 1, 5)),
        left=lambda f, *arrays: np.triu(f.jacobian("dual_chunked", *arrays, wrt=0, chunk=2)[0, :, 0, 0, 0, :, 0, 0], 1) == 0,
        right=True,
    ),
    *_rejections(),
    Rejects("dual_chunked", "4 steps a chunk of 6", given(**EMPTY, chunk=4), blames="chunk"),
    Rejects("dual_chunked", "more than there are", given(**EMPTY, chunk=12), blames="chunk"),
    Rejects("dual_chunked", "chunk 0", given(**EMPTY, chunk=0), blames="chunk"),
    Rejects("dual_recurrent", "one state for all heads", given(**EMPTY, initial=zeros(2, 3, 7)), blames="initial"),
    Rejects("segment_sum", "no heads", given(log_decay=zeros(2, 6)), blames="log_decay"),
    Rejects(
        "linear_attention",
        "no step",
        given(query=zeros(2, 0, 4, 7), key=zeros(2, 0, 4, 7), value=zeros(2, 0, 4, 3)),
        blames="query",
    ),
    Rejects(
        "linear_attention",
        "keys of another size",
        given(query=zeros(2, 6, 4, 7), key=zeros(2, 6, 4, 5), value=zeros(2, 6, 4, 3)),
        blames="key",
    ),
    Rejects(
        "linear_attention",
        "values of other heads",
        given(query=zeros(2, 6, 4, 7), key=zeros(2, 6, 4, 7), value=zeros(2, 6, 2, 3)),
        blames="value",
    ),
)


def _in_two_parts(f, x, log_decay, b, c, initial):
    first, state = f.dual_recurrent(x[:, :2], log_decay[:, :2], b[:, :2], c[:, :2], initial)
    second, _ = f.dual_recurrent(x[:, 2:], log_decay[:, 2:], b[:, 2:], c[:, 2:], state)
    return first, second


def _powers(base, size):
    return np.tril(base ** (np.arange(size)[:, None] - np.arange(size)).clip(0))
