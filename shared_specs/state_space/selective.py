"""Contracts of selective state spaces (lecture 56)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_by_inputs,
    begins_normal,
    full,
    given,
    normal,
    uniform,
    zeros,
)
from shared_specs.state_space._cases import step_by_step

LOG_4 = 2 * LOG_2
# Two sequences of 17 tokens, three channels of four states.
TOKENS = dict(inputs=normal(2, 17, 3), step_size=uniform(2, 17, 3, low=0.05, high=1.5), b=normal(2, 17, 4))
SYSTEM = dict(a=-(1.0 + np.arange(4.0)) * np.array([[0.3], [1.0], [0.6]]), skip=normal(3))
SCAN = TOKENS | dict(c=normal(2, 17, 4), initial=normal(2, 3, 4)) | SYSTEM
ONE = dict(
    inputs=normal(2, 3), step_size=uniform(2, 3, low=0.05, high=1.5), b=normal(2, 4), c=normal(2, 4), state=normal(2, 3, 4)
)
LEADING = {"discretize_selective": (2, 17), "selective_step": (2,), "selective_scan": (2, 17)}
# The clock hardly moves, and runs out: e^-200 is nothing next to what is added.
EXTREME = TOKENS | dict(step_size=np.where(np.arange(102).reshape(2, 17, 3) % 4 == 1, 200.0, 1e-12))
# The lecture's example: steps log 4 and log 4/3.
EXAMPLE = dict(
    inputs=[[[4.0], [8.0]]],
    step_size=[[[LOG_4], [LOG_4 - LOG_3]]],
    b=[[[1.0], [1.0]]],
    c=[[[1.0], [1.0]]],
    initial=[[[0.0]]],
    a=[[-1.0]],
    skip=[0.0],
)
AT_ONCE = dict(
    inputs=[[3.0]], step_size=[[LOG_2]], b=[[2.0, -1.0]], c=[[1.0, 0.5]], state=[[[8.0, 4.0]]], a=[[-1.0, -2.0]], skip=[5.0]
)
MIXER = dict(
    input_weight=normal(8, 3),
    convolution_weight=normal(4, 3),
    convolution_bias=normal(4),
    projection_weight=normal(6, 4),
    step_weight=normal(4, 2),
    step_bias=normal(4),
    log_negative_a=normal(4, 2),
    skip=normal(4),
    output_weight=normal(3, 4),
)
SMALL = dict(
    input_weight=[[0.5], [2.0]],
    convolution_weight=[[0.5, 1.0]],
    convolution_bias=[0.1],
    projection_weight=[[1.0], [0.5], [2.0]],
    step_weight=[[1.5]],
    step_bias=[-0.5],
    log_negative_a=[[LOG_2]],
    skip=[0.7],
    output_weight=[[3.0]],
)


def without(parameters, name):
    """The parameters but one."""
    return {key: value for key, value in parameters.items() if key != name}


def flat(parts):
    return np.concatenate([np.ravel(part) for part in parts])


def pair(first, second):
    """The outputs of the example, and its last state."""
    return [[[first], [second]]], [[[second]]]


def begins(channels, states):
    """Initialization of the parameters of a block: steps from 0.001 to 0.1, decays -1, -2, ..."""
    steps = np.geomspace(1e-3, 1e-1, channels)
    return {
        "*norm.weight": begins_at(1),
        "*skip": begins_at(1),
        "*step.bias": begins_at(np.log(np.expm1(steps))),
        "*log_negative_a": begins_at(np.tile(np.log(1 + np.arange(states)), (channels, 1))),
        "*": begins_by_inputs(),
    }


def _advanced(network, x):
    """The outputs of one step after the other, and those of all steps at once."""
    memory, outputs = network.start(len(x)), []
    for t in range(x.shape[1]):
        now, *memory = network.advance(x[:, t], *memory)
        outputs.append(now)
    return outputs, network(x).unbind(1)


SPEC = (
    # Where a step begins.
    Agree("inverse_softplus", "regular", given(x=uniform(5, 3, low=0.01, high=5.0))),
    Agree("inverse_softplus", "small and large", given(x=[1e-2, 0.1, 19.0, 21.0, 40.0, 800.0])),
    Law.equal("the slope of the smallest steps", given(x=[1e-8, 1e-3]),
              left=lambda f, x: f.gradient("inverse_softplus", x), right=lambda f, x: -1 / np.expm1(-x)),
    Anchor(
        "inverse_softplus", "log 2, log 4, 0.001, 0.1 and 1e-8", given(x=[LOG_2, LOG_4, 0.001, 0.1, 1e-8]),
        gives=[0.0, LOG_3, -6.907255237315471, -2.2521684610440903, -18.420680738952364],
        source="log(2 - 1), log(4 - 1); mpmath",
        near_misses={"the softplus": [LOG_3, 1.609437, 0.693647, 0.744396, 0.693147],
                     "the logarithm": [-0.366512, 0.326634, -6.907755, -2.302585, -18.420680],
                     "of 1 + e^-x": [LOG_3, 1.609437, 0.694647, 0.844396, 0.693147]},
    ),
    Law.inverse("of the softplus", given(y=normal(7, scale=8.0)),
                round_trip=lambda f, y: np.logaddexp(f.inverse_softplus(np.logaddexp(y, 0.0)), 0.0),
                start=lambda f, y: np.logaddexp(y, 0.0)),
    Rejects("inverse_softplus", "zero", given(x=[0.5, 0.0]), blames="x"),
    Rejects("inverse_softplus", "negative", given(x=[-0.5]), blames="x"),
    # Each token's own discretization.
    Agree("discretize_selective", "regular", given(**TOKENS, a=SYSTEM["a"])),
    Anchor(
        "discretize_selective", "steps log 2 and 2 log 2",
        given(inputs=[[[3.0], [5.0]]], step_size=[[[LOG_2], [LOG_4]]], b=[[[1.0, 2.0], [-1.0, 0.5]]], a=[[-1.0, -2.0]]),
        gives=([[[[0.5, 0.25]], [[0.25, 0.0625]]]],
               [[[[3 * LOG_2, 6 * LOG_2]], [[-5 * LOG_4, 2.5 * LOG_4]]]]),
        source="powers of 1/2, by hand",
        near_misses={
            "the exact hold": ([[[[0.5, 0.25]], [[0.25, 0.0625]]]], [[[[1.5, 2.25]], [[-3.75, 1.171875]]]]),
            "a positive": ([[[[2.0, 4.0]], [[4.0, 16.0]]]], [[[[3 * LOG_2, 6 * LOG_2]], [[-5 * LOG_4, 2.5 * LOG_4]]]]),
            "step missing in B": ([[[[0.5, 0.25]], [[0.25, 0.0625]]]], [[[[3.0, 6.0]], [[-5.0, 2.5]]]]),
            "the first decay for all": ([[[[0.5, 0.25]], [[0.5, 0.25]]]],
                                        [[[[3 * LOG_2, 6 * LOG_2]], [[-5 * LOG_4, 2.5 * LOG_4]]]]),
        },
    ),
    Law.equal("two steps of time in one", given(**TOKENS, a=SYSTEM["a"]),
              left=lambda f, u, step_size, b, a: f.discretize_selective(u, 3 * step_size, b, a)[0],
              right=lambda f, u, step_size, b, a: (f.discretize_selective(u, step_size, b, a)[0]
                                              * f.discretize_selective(u, 2 * step_size, b, a)[0])),
    # One token.
    Agree("selective_step", "regular", given(**ONE, **SYSTEM)),
    Anchor(
        "selective_step", "a step of log 2", given(**AT_ONCE),
        gives=([[19.5 + 4.5 * LOG_2]], [[[4 + 6 * LOG_2, 1 - 3 * LOG_2]]]),
        source="8/2 and 4/4, 6 log 2 and -3 log 2, 15 of the skip",
        near_misses={
            "B and C swapped": ([[15 + 2 * (4 + 3 * LOG_2) - (1 + 1.5 * LOG_2)]], [[[4 + 3 * LOG_2, 1 + 1.5 * LOG_2]]]),
            "skip forgotten": ([[4.5 + 4.5 * LOG_2]], [[[4 + 6 * LOG_2, 1 - 3 * LOG_2]]]),
            "the state before the token": ([[25.0]], [[[4 + 6 * LOG_2, 1 - 3 * LOG_2]]]),
            "step missing in B": ([[19.5 + 4.5]], [[[10.0, -2.0]]]),
            "the exact hold": ([[19.5 + 3 - 0.5625]], [[[7.0, -0.125]]]),
        },
    ),
    # All tokens.
    Agree("selective_scan", "regular", given(**SCAN)),
    Agree("selective_scan", "steps of 1e-12 and 200", given(**(SCAN | EXTREME))),
    Agree("selective_scan", "one token, one channel, one state",
          given(inputs=normal(3, 1, 1), step_size=uniform(3, 1, 1), b=normal(3, 1, 1), c=normal(3, 1, 1), initial=normal(3, 1, 1),
                a=[[-0.7]], skip=[1.5])),
    Anchor(
        "selective_scan", "the example", given(**EXAMPLE), gives=pair(4 * LOG_4, 3 * LOG_4 + 8 * (LOG_4 - LOG_3)),
        source="a quarter and three quarters kept, by hand",
        near_misses={"the exact hold": pair(3.0, 4.25), "a positive": pair(4 * LOG_4, 16 / 3 * LOG_4 + 8 * (LOG_4 - LOG_3)),
                     "step missing in B": pair(4.0, 11.0),
                     "the first decay for all": pair(4 * LOG_4, LOG_4 + 8 * (LOG_4 - LOG_3)),
                     "nothing kept": pair(4 * LOG_4, 8 * (LOG_4 - LOG_3))},
    ),
    Law.equal("token by token", given(**SCAN), left=lambda f, *given: flat(_stepped(f, *given)),
              right=lambda f, *given: flat(f.selective_scan(*given))),
    Law.equal("in two chunks", given(**SCAN), left=lambda f, *given: flat(_in_chunks(f, *given)),
              right=lambda f, *given: flat(f.selective_scan(*given))),
    Law.equal("a step of zero ignores the token", given(**SCAN),
              left=lambda f, u, step_size, *rest: f.selective_scan(u, step_size * (np.arange(17) != 6)[:, None], *rest)[1],
              right=lambda f, *given: f.selective_scan(*(np.delete(part, 6, axis=1) for part in given[:4]), *given[4:])[1]),
    # The mixer.
    Agree("mamba_mixer", "regular", given(x=normal(2, 5, 3), parameters=MIXER)),
    Anchor(
        "mamba_mixer", "sizes of one, two taps, two tokens", given(x=[[[1.0], [2.0]]], parameters=SMALL),
        gives=[[[1.658780267681618], [29.16219529159143]]], source="mpmath, 25 digits",
        near_misses={
            "a convolution that sees the next token": [[[13.039735150195686], [5.38145377941447]]],
            "softplus omitted": [[[1.4580190315791863], [24.950297129304815]]],
            "the gate before the skip": [[[1.0392029000139031], [22.57009635824562]]],
            "content and gate swapped": [[[15.905304819373264], [2037.3149972852868]]],
            "taps reversed": [[[0.7870592881651801], [14.309823895855668]]],
            "no silu after the convolution": [[[3.2618274282404633], [61.2268853210425]]],
            "a positive": [[[1.658780267681618], [51.678328029039626]]],
            "the exact hold": [[[1.5513708181214636], [15.70122189301849]]],
            "step missing in B": [[[1.7403494792681318], [23.48053344344607]]],
            "no skip": [[[0.22567595416940078], [20.318738862301306]]],
        },
    ),
    Law.equal("no token depends on a later one, and one may be fewer than taps", given(x=normal(2, 5, 3), parameters=MIXER),
              left=lambda f, x, p: f.mamba_mixer(x, p)[:, :1], right=lambda f, x, p: f.mamba_mixer(x[:, :1], p)),
    # What is refused.
    *(
        Rejects(function, case, given(**(arrays | wrong)), blames=blames)
        for function, arrays in {
            "discretize_selective": TOKENS | dict(a=SYSTEM["a"]), "selective_step": ONE | SYSTEM, "selective_scan": SCAN,
        }.items()
        for case, wrong, blames in (
            ("a step for all channels", dict(step_size=zeros(2, 17)), "step_size"),
            ("a negative step", dict(step_size=full(*LEADING[function], 3, value=-0.1)), "step_size"),
            ("rows of a for other channels", dict(a=zeros(4, 4)), "a"),
            ("one a for all channels", dict(a=zeros(4)), "a"),
            ("b for another number of states", dict(b=zeros(*LEADING[function], 5)), "b"),
        )
    ),
    Rejects("selective_step", "an axis of time", given(**(ONE | SYSTEM | dict(inputs=zeros(2, 1, 3)))), blames="inputs"),
    Rejects("selective_step", "no state", given(**(ONE | SYSTEM | dict(state=zeros(2, 3)))), blames="state"),
    Rejects("selective_step", "one skip for all", given(**(ONE | SYSTEM | dict(skip=zeros(1)))), blames="skip"),
    Rejects("selective_scan", "no token", given(**(SCAN | dict(inputs=zeros(2, 0, 3)))), blames="inputs"),
    Rejects("selective_scan", "c for one token alone", given(**(SCAN | dict(c=zeros(2, 4)))), blames="c"),
    Rejects("selective_scan", "one initial state for all", given(**(SCAN | dict(initial=zeros(3, 4)))), blames="initial"),
    Rejects("selective_scan", "a skip for every state", given(**(SCAN | dict(skip=zeros(3, 4)))), blames="skip"),
    Rejects("discretize_selective", "one token", given(inputs=zeros(2, 3), step_size=zeros(2, 3), b=zeros(2, 4), a=zeros(3, 4)),
            blames="inputs"),
    Rejects("mamba_mixer", "no token", given(x=zeros(2, 0, 1), parameters=SMALL), blames="x"),
    Rejects("mamba_mixer", "a single sequence", given(x=zeros(2, 1), parameters=SMALL), blames="x"),
    Rejects("mamba_mixer", "a missing parameter", given(x=zeros(1, 2, 1), parameters=without(SMALL, "input_weight")),
            blames="input_weight"),
    Rejects("mamba_mixer", "another width", given(x=zeros(1, 2, 2), parameters=SMALL), blames="input_weight"),
    # The networks.
    Model("MambaBlock", "two channels for one, the default rank", given(x=normal(2, 5, 17)), sees={"x": 0}, steps=5,
          sizes=dict(width=17, states=3, taps=3), initial=begins(34, 3),
          relations={"one step after the other": _advanced}),
    Model("MambaDecoder", "three channels for one", given(tokens=np.array([[0, 255, 3, 255, 9], [7, 7, 100, 0, 254]])), steps=0,
          sees={"tokens": 0}, sizes=dict(vocabulary_size=256, width=3, layers=1, expand=3, states=2, taps=2),
          initial={"embedding.weight": begins_normal(1.0)} | begins(9, 2),
          relations={"one token after the other": step_by_step, "the same under a condition": lambda network, tokens: (
              step_by_step(network, tokens, condition=tokens[:, 1]))}),
)  # fmt: skip


def _stepped(f, inputs, step_size, b, c, state, a, skip):
    """The outputs of selective_step, one after the other, and the last state."""
    outputs = []
    for t in range(inputs.shape[1]):
        now, state = f.selective_step(inputs[:, t], step_size[:, t], b[:, t], c[:, t], state, a, skip)
        outputs.append(now)
    return np.stack(outputs, axis=1), state


def _in_chunks(f, *given):
    sequences, initial, rest = given[:4], given[4], given[5:]
    first, state = f.selective_scan(*(part[:, :7] for part in sequences), initial, *rest)
    second, state = f.selective_scan(*(part[:, 7:] for part in sequences), state, *rest)
    return np.concatenate([first, second], axis=1), state
