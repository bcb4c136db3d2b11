"""Parallel scan: a recurrence in a logarithmic number of rounds.

The lecture on the functions of theory_jax/state_space/parallel_scan.py.
"""

import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.derivation.unspecified import function
from theory_jax.lectures.state_space._parallel_scan import EXAMPLE, networks, two_rounds, windows_by_round
from theory_jax.state_space.parallel_scan import combine, recurrence_backward, recurrence_parallel, recurrence_sequential

derivation = Derivation(
    module=__name__,
    title="Parallel scan: a recurrence in a logarithmic number of rounds",
    lectures=(56,),
    sources=(
        "Blelloch 1990, Prefix sums and their applications",
        "Martin & Cundy 2018, Parallelizing linear recurrent neural nets over sequence length",
        "Smith, Warrington & Linderman 2023, Simplified state space layers for sequence modeling",
    ),
    question="If the decay of a recurrence changes from step to step there is no kernel, and no Fourier transform helps. "
    "Each state seems to wait for the one before it, and a parallel machine waits with it. Why can all states be computed in "
    "a logarithmic number of rounds, and their gradients, too?",
    setting=(
        "The state $x_t$ is $a_t x_{t-1} + b_t$ for $t$ from 1 to $T$, where $x_0$ is given. All are single numbers; vectors "
        "are treated entry by entry. $a_t$ and $b_t$ are any real numbers, and $a_t$ may be zero.",
        r"A step is the affine map $f_t$ of $x$ to $a_t x + b_t$, written as the pair $(a_t, b_t)$.",
        r"$\mathcal L$ is a loss of all states. $\bar y_t$ is its partial derivative by $x_t$ where the other states are held, "
        r"and $g_t$ its total derivative, which counts what $x_t$ does to the later states, too.",
    ),
    limits=(
        "Which form is faster on a machine is measured and not derived: doubling does more work, and a loop waits longer.",
        "Rounding, beyond the products that vanish in the appendix.",
        "Recurrences that are not affine in the state: the composition of their steps needs more and more numbers.",
    ),
    trained="A way to compute a recurrence. `state_space/selective` trains with a scan.",
)

x = derivation.number("x", "a state")
a1 = derivation.number("a_1", "the decay of a map", "decay_first")
b1 = derivation.number("b_1", "its input", "input_first")
a2 = derivation.number("a_2", "the decay of the map after it", "decay_second")
b2 = derivation.number("b_2", "its input", "input_second")
twice = plus(times(a2, plus(times(a1, x), b1)), b2)
derivation.answer = prose(
    "The composition of two affine maps is an affine map, {joined}, so a window of steps is one pair of numbers, whatever its "
    "length. Composition is associative: adjacent windows can be joined in any bracketing, with their order in time kept, and "
    r"with windows that double in every round $\lceil \log_2 T \rceil$ rounds are enough. The gradients obey the same "
    "recurrence from the end, with the decay of the step after.",
    joined=holds(twice, "=", plus(times(a2 * a1, x), plus(times(a2, b1), b2)), wrong={"turned": a2 * a1 * x + a1 * b2 + b1}),
)
composed = derivation.chain(
    "Two steps in a row are one step",
    twice,
    equals(
        plus(times(a2 * a1, x), plus(times(a2, b1), b2)),
        "multiply out, and collect what multiplies the state",
        wrong={
            "the second map first": plus(times(a2 * a1, x), plus(times(a1, b2), b1)),
            "decays added": plus(times(a2 + a1, x), plus(times(a2, b1), b2)),
        },
    ),
    so=prose(
        r"So $(a_1, b_1) \bullet (a_2, b_2)$, the first map and then the second, is the pair $(a_2 a_1,\; a_2 b_1 + b_2)$. "
        "The pair $(1, 0)$ changes nothing: with it as the second map {nothing}.",
        nothing=holds(twice, "=", plus(times(a1, x), b1), when={a2: 1, b2: 0}),
    ),
)
a3 = derivation.number("a_3", "the decay of a third map")
b3 = derivation.number("b_3", "its input")
associative = derivation.chain(
    "It does not matter which two of three are joined first",
    plus(times(a3, plus(times(a2, b1), b2)), b3),
    equals(
        plus(times(a3 * a2, b1), plus(times(a3, b2), b3)),
        r"on the left the input of $(f_1 \bullet f_2) \bullet f_3$, on the right that of $f_1 \bullet (f_2 \bullet f_3)$; "
        "their decays are both $a_3 a_2 a_1$",
        wrong={"in another order": plus(times(a1 * a2, b3), plus(times(a1, b2), b1))},
    ),
    role="lemma",
    so="This is the associative law. It had to hold, since the operation is a composition of functions.",
)
exchanged = plus(plus(times(a2, b1), b2), times(-1, plus(times(a1, b2), b1)))
derivation.chain(
    "The order of two steps in time does matter",
    exchanged,
    equals(
        plus(times(1 - a1, b2), -times(1 - a2, b1)),
        r"collect $b_1$ and $b_2$",
        wrong={"commutative": 0, "the sign": plus(times(1 - a2, b1), -times(1 - a1, b2))},
    ),
    role="lemma",
    so=prose(
        "It is zero only where both maps have the same fixed point $b / (1 - a)$, {fixed}, or one of them is the identity, "
        "or both are shifts, {shifts}.",
        fixed=holds(exchanged, "=", 0, when={b1: (1 - a1) * b2 / (1 - a2)}),
        shifts=holds(exchanged, "=", 0, when={a1: 1, a2: 1}),
    ),
)
A = derivation.number("A_{t-1}", "the product of the decays before $t$")
B = derivation.number("B_{t-1}", r"what the inputs before $t$ have left: the state if $x_0$ were zero")
x0 = derivation.number("x_0", "the initial state", "initial")
at = derivation.number("a_t", "the decay of step $t$", "decay")
bt = derivation.number("b_t", "the input of step $t$", "inputs")
prefix = derivation.chain(
    "The states are the maps so far, applied to the initial state",
    plus(times(at, plus(times(A, x0), B)), bt),
    equals(
        plus(times(at * A, x0), plus(times(at, B), bt)),
        r"the two-step lemma, with $(A_{t-1}, B_{t-1})$ for the first map and $(a_t, b_t)$ for the second",
        wrong={"the initial state at every step": plus(times(at * A, x0), plus(times(at, B), bt), x0)},
    ),
    uses=(composed,),
    central=True,
    so="If $x_{t-1}$ is $A_{t-1} x_0 + B_{t-1}$, then $x_t$ is $A_t x_0 + B_t$, where $(A_t, B_t)$ is the pair before it, "
    r"joined with $(a_t, b_t)$; before the first step the pair is $(1, 0)$. So $(A_t, B_t)$ is $f_1 \bullet \dots \bullet "
    "f_t$: a state is a prefix of a product that may be bracketed at will. Written out, $A_t$ is the product of all decays "
    "up to $t$, and $B_t$ the sum of the inputs, each times the decays after it.",
)

for symbol in (
    ("T", "the number of steps"),
    ("t", "a step"),
    ("s", "a step"),
    ("r", "a round"),
    ("f_t", "the map of step $t$"),
    (r"F^{r}_t", "after $r$ rounds, the maps of a window that ends at $t$, joined"),
    ("x_t", "the state after step $t$"),
    (r"\mathcal L", "the loss"),
    (r"\bar y_t", "its partial derivative by a state", "upstream"),
    ("g_t", "its total derivative by a state"),
    ("P_t", "the product of the decays so far"),
    ("k", "a step"),
    ("N", "a size"),
    (r"\bullet", "the first map and then the second", "combine"),
    ("n", "a number of rounds"),
):
    derivation.symbol(*symbol)
STEPS = 5
DECAYS, INPUTS = sympy.symbols(f"a_1:{STEPS + 1}"), sympy.symbols(f"b_1:{STEPS + 1}")
FIRST = sympy.Symbol("x_0")


@derivation.symbolic(
    r"F^{r+1}_t = F^{r}_{t-2^r} \bullet F^{r}_t, \quad F^{0}_t = f_t",
    because="The window of $2^r$ steps that ends at $t$ is adjacent to that which ends at $t - 2^r$, and the associative "
    "law joins them; a window of one of the first $2^r$ steps has begun at the first step and stays. Five steps, "
    "all decays and inputs: after three rounds every window begins at the first step, and applied to $x_0$ gives the state.",
    uses=(associative, prefix),
)
def doubling():
    states = [FIRST]
    for decay, added in zip(DECAYS, INPUTS, strict=True):
        states.append(decay * states[-1] + added)
    wrong = {
        "a round too few": _doubled(2),
        "the later window first": _doubled(3, swapped=True),
        "windows that overlap": _doubled(3, overlap=1),
    }
    return Sides(left=_doubled(3), right=states[1:], wrong=wrong)


@derivation.exact(
    r"2^{n} \ge T > 2^{n-1} \quad\text{for}\quad n = \lceil \log_2 T \rceil",
    because=r"A window begins at the first step as soon as its length has reached $T$. Rounds are counted for every $T$ from 2 "
    r"to 64, by joining maps $(1, 1)$, whose joined inputs count the steps in a window.",
    outcomes=63,
    role="lemma",
)
def rounds():
    lengths = np.arange(2, 65)
    counted = [len(windows_by_round(steps)) - 1 for steps in lengths]
    return Sides(
        left=counted,
        right=np.ceil(np.log2(lengths)),
        wrong={"rounded down": np.floor(np.log2(lengths)), "one a step": lengths - 1},
    )


derivation.say(
    r"Now backwards. Let $\ell(x_t, x_{t+1})$ be the loss as a function of two states in a row, into which all later states "
    "have been inserted: they depend on $x_t$ through $x_{t+1}$ alone."
)
loss = derivation.function(r"\ell", "the loss by two states in a row, the later ones inserted", arguments=2)
later = derivation.number("a_{t+1}", "the decay of the step after", "decay")
added = derivation.number("b_{t+1}", "the input of the step after", "inputs")
following = plus(times(later, x), added)
direct, onward = function(r"\ell", 1, 0)(x, following), function(r"\ell", 0, 1)(x, following)
adjoint = derivation.chain(
    "A state moves the loss directly, and through the state after it",
    Slope(loss(x, following), x),
    equals(
        plus(direct, times(later, onward)),
        r"the chain rule; the next state is $a_{t+1} x + b_{t+1}$, whose slope is $a_{t+1}$",
        wrong={"the decay of this step": plus(direct, times(at, onward))},
    ),
    so=r"The first term is $\bar y_t$, and $\partial_2 \ell$ is $g_{t+1}$: so $g_t$ is $\bar y_t + a_{t+1} g_{t+1}$, with 0 "
    "for the gradient behind the last step.",
)
derivation.chain(
    "The parameters of a step move the loss through its state",
    sympy.Matrix([Slope(loss(x, following), added), Slope(loss(x, following), later)]),
    equals(
        sympy.Matrix([onward, times(x, onward)]),
        r"the next state has the slope 1 by its input, and $x$, the state before it, by its decay",
        wrong={
            "the state after": sympy.Matrix([onward, times(following, onward)]),
            "slopes swapped": sympy.Matrix([x * onward, onward]),
        },
    ),
    so=r"So the slope of the loss by $b_t$ is $g_t$, by $a_t$ it is $g_t x_{t-1}$, and by $x_0$ it is $a_1 g_1$. With time "
    r"counted from the end, $g$ obeys the recurrence of the states: its inputs are $\bar y_t$, its decays those of the step "
    r"after. The same scan computes it.",
    role="lemma",
)


@derivation.symbolic(
    r"\sum_t \bar y_t x_t = \sum_t g_t b_t + a_1 g_1 x_0",
    because=r"Both sides are $\mathcal L$, if it is linear in the states: on the left by its slopes at the states, on the "
    "right by its slopes at what the states are made of. Five steps, all numbers. A backward pass can be checked with it.",
    uses=(adjoint,),
    role="lemma",
)
def pairing():
    slopes, total = sympy.symbols(f"y_1:{STEPS + 1}"), sympy.Integer(0)
    state, reached, unshifted = FIRST, [sympy.Integer(0)], [sympy.Integer(0)]
    for slope, decay, entry in zip(slopes, DECAYS, INPUTS, strict=True):
        state = decay * state + entry
        total += slope * state
    for slope, decay, after in zip(slopes[::-1], DECAYS[::-1], [0, *DECAYS[:0:-1]], strict=True):
        reached.append(slope + after * reached[-1])
        unshifted.append(slope + decay * unshifted[-1])

    def paired(found):
        return sum(g * entry for g, entry in zip(found[:0:-1], INPUTS, strict=True)) + DECAYS[0] * found[-1] * FIRST

    return Sides(
        left=total,
        right=paired(reached),
        wrong={"decays not shifted": paired(unshifted), "no initial state": paired(reached).subs(FIRST, 0)},
    )


derivation.bridge(
    "The code joins two maps",
    (a2 * a1, a2 * b1 + b2),
    combine,
    decay_first=[a1],
    input_first=[b1],
    decay_second=[a2],
    input_second=[b2],
    wrong={"the second map first": (a2 * a1, a1 * b2 + b1), "decays added": (a2 + a1, a2 * b1 + b2)},
)
third = a3 * (a2 * (a1 * x0 + b1) + b2) + b3


def _last_of(form):
    return lambda **given: form(**given)[:, -1]


for title, _form in (("... steps through a sequence", recurrence_sequential), ("... or joins its windows", recurrence_parallel)):
    derivation.bridge(
        title,
        third,
        _last_of(_form),
        inputs=[[[b1], [b2], [b3]]],
        decay=[[[a1], [a2], [a3]]],
        initial=[[x0]],
        calls=(_form,),
        wrong={"the initial state forgotten": a3 * (a2 * b1 + b2) + b3, "backwards": a1 * (a2 * (a3 * x0 + b3) + b2) + b1},
    )


def _slopes(inputs, decay, initial):
    """Gradients of the last state alone."""
    last = jnp.zeros_like(inputs).at[:, -1].set(1.0)
    parts = recurrence_backward(last, recurrence_sequential(inputs, decay, initial), decay, initial)
    return jnp.concatenate([part.ravel() for part in parts])


derivation.bridge(
    "... and differentiates it",
    sympy.Matrix([Slope(third, number) for number in (b1, b2, b3, a1, a2, a3, x0)]),
    _slopes,
    inputs=[[[b1], [b2], [b3]]],
    decay=[[[a1], [a2], [a3]]],
    initial=[[x0]],
    calls=(recurrence_backward, recurrence_sequential),
    wrong={
        "the state after the step": sympy.Matrix(
            [Slope(third, number) for number in (b1, b2, b3)]
            + [a2 * a3 * (a1 * x0 + b1), a3 * (a2 * (a1 * x0 + b1) + b2), third]
            + [a1 * a2 * a3]
        )
    },
)


@derivation.symbolic(
    r"x_t = P_t \Big( x_0 + \sum_{s \le t} \frac{b_s}{P_s} \Big), \quad P_t = \prod_{k \le t} a_k",
    because="Divide the recurrence by $P_t$, which is $a_t P_{t-1}$: $x_t / P_t$ grows by $b_t / P_t$. Two cumulative sums "
    "would be enough, if no decay were zero. Five steps, all decays that are not zero.",
    role="appendix",
)
def quotients():
    state, product, total = FIRST, sympy.Integer(1), sympy.Integer(0)
    for decay, entry in zip(DECAYS, INPUTS, strict=True):
        state, product = decay * state + entry, decay * product
        total += entry / product
    return Sides(left=state, right=product * (FIRST + total), wrong={"the initial state decays at once": FIRST + product * total})


@derivation.numeric(
    r"x_t = 2 - 2^{1-t}",
    because=r"In floating point these quotients fail where decays are forgotten for good. For the decays $\frac12$, the "
    r"inputs 1, the initial state 0 and 1200 steps, $P_t$ is 0 in float64 from step 1075 on; the scan never divides.",
    role="appendix",
)
def products_that_vanish():
    ones = jnp.ones((1, 1200, 1))
    states = recurrence_parallel(ones, ones / 2, jnp.zeros((1, 1)))[0, :, 0]
    product = np.cumprod(np.full(1200, 0.5))
    with np.errstate(all="ignore"):
        divided = np.nan_to_num(product * np.cumsum(1 / product))
    return Sides(left=states, right=2 - 0.5 ** np.arange(1200.0), wrong={"by quotients, with 0 for 0/0": divided})


derivation.algorithm(
    "All states by doubling",
    do(r"$F_t \leftarrow (a_t, b_t)$ for every step $t$; $w \leftarrow 1$"),
    do(r"while $w < T$:"),
    do(
        r"for all $t > w$ at once: $F_t \leftarrow F_{t-w} \bullet F_t$; then $w \leftarrow 2w$",
        combine,
        by=associative,
        indent=1,
    ),
    do(r"$x_t \leftarrow A_t x_0 + B_t$ with $(A_t, B_t)$ from $F_t$", recurrence_parallel, by=prefix),
    do(r"backward: the same from the end, with the inputs $\bar y_t$ and the decays $a_{t+1}$", recurrence_backward, by=adjoint),
)(two_rounds)


_paired = [sympy.Rational(*pair) for pair in ((11, 8), (3, 2), (11, 16))]


@derivation.example(
    prose(
        r"The decays $\frac12, \frac14, \frac12$, the inputs 1, 2, 0 and the initial state 4. By hand: $\frac42 + 1$, a "
        r"quarter of that and 2, half of that. The loss is the sum of the states, so every $\bar y_t$ is 1; from the end $g$ "
        "is 1, half of that and 1, a quarter of that and 1. Paired with inputs and initial state this is {paired}, the sum "
        "of the states.",
        paired=holds(plus(times(_paired[0], 1), times(_paired[1], 2), times(_paired[2], 4)), "=", sympy.Rational(57, 8)),
    )
)
def three_steps():
    inputs, decay, _ = (part[0, :, 0] if part.ndim == 3 else part for part in EXAMPLE)
    yield r"f_1 \bullet f_2", jnp.stack(combine(decay[0], inputs[0], decay[1], inputs[1])), "(1/8, 9/4)"
    states = recurrence_sequential(*EXAMPLE)
    yield "x", states[0, :, 0], "(3, 11/4, 11/8)"
    of_inputs, of_decay, of_initial = recurrence_backward(jnp.ones_like(states), states, *EXAMPLE[1:])
    yield r"g = \partial \mathcal L / \partial b", of_inputs[0, :, 0], "(11/8, 3/2, 1)"
    yield r"\partial \mathcal L / \partial a", of_decay[0, :, 0], "(11/2, 9/2, 11/4)"
    yield r"\partial \mathcal L / \partial x_0", of_initial[0, 0], "11/16"
    yield r"\sum_t g_t b_t + a_1 g_1 x_0", jnp.sum(of_inputs[0, :, 0] * inputs) + 4 * of_initial[0, 0], "57/8"
    yield r"\sum_t x_t", jnp.sum(states), "57/8"


derivation.figure(
    "Doubling for eight steps. Every dot is a window that ends at its step, with the number of steps in it; a line joins it "
    "with the window before it. Left: forwards, from the maps of single steps (round 0) to the states (round 3). Right: the "
    "same network from the end to the beginning, for the gradients.",
    panels=2,
)(networks)


def _doubled(rounds, *, swapped=False, overlap=0):
    """The states of STEPS steps after so many rounds, over symbols."""
    maps, reach = list(zip(DECAYS, INPUTS, strict=True)), 1
    for _ in range(rounds):
        pairs = [(maps[max(0, t - reach + overlap)], maps[t]) for t in range(reach, STEPS)]
        joined = [(a * c, c * b + d) if not swapped else (a * c, a * d + b) for (a, b), (c, d) in pairs]
        maps, reach = maps[:reach] + joined, 2 * reach
    return [a * FIRST + b for a, b in maps]
