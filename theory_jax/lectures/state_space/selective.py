"""Selective state spaces: a recurrence that chooses what to keep.

The lecture on the functions of theory_jax/state_space/selective.py.
"""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, Rational, exp, log, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.state_space._selective import (
    constants_give_a_convolution,
    gates_and_weights,
    marked_tokens,
    random_mixer,
    states_of_gates,
    the_gate_multiplies_the_skip,
    two_tokens_step_by_step,
)
from theory_jax.state_space.selective import discretize_selective, inverse_softplus, mamba_mixer, selective_scan, selective_step

derivation = Derivation(
    module=__name__,
    title="Selective state spaces: a recurrence that chooses what to keep",
    lectures=(56,),
    sources=(
        "Gu & Dao 2023, Mamba: linear-time sequence modeling with selective state spaces",
        "Gu et al. 2022, On the parameterization and initialization of diagonal state space models",
    ),
    question="A fixed kernel treats every token alike: asked to store a marked token and to skip the others, it stores a "
    "mixture. How does a linear recurrence choose by content what to keep, and what is lost for it?",
    setting=(
        r"A token has an input $u_t$, and chooses a positive step $\Delta_t$, which is $\log(1 + e^{z_t})$, and the numbers "
        r"$B_t$ and $C_t$ for every state. The state $h_t$ is $e^{\Delta_t A} h_{t-1} + \Delta_t B_t u_t$, and the output is "
        "$C_t h_t$, summed over the states of a channel, plus $D u_t$. $A$ is a negative number for each state and does not "
        "depend on tokens. The chains are about one state.",
        r"If the input is held for the time $\Delta_t$, its exact weight $\bar B_t$ is $\frac{e^{\Delta_t A} - 1}{A} B_t$ "
        r"(discretization). The code takes $\Delta_t B_t$ in its place, as Mamba does; the chains say which of the two "
        "they are about.",
        "A system is linear if it maps sums to sums and multiples to multiples, and time-invariant if it maps delayed inputs "
        "to delayed outputs, from a state of zero.",
    ),
    limits=(
        "That training finds such gates is an experiment.",
        r"A token is ignored exactly only by a step of 0, which $\log(1 + e^z)$ reaches in the limit alone.",
        "Speed, and how the scan is computed without writing all states to memory.",
    ),
)

derivation.figure(
    "Left: a stream of 24 tokens (bars), of which two are marked (dots), the clock, and the state with the rate $-1$ and $B$ "
    "such that a marked token has the weight 1: it takes the marked tokens and holds them, since the clock is stopped in "
    r"between. Middle: how much of each token (across) is left at each time (down), $e^{A(\tau_t - \tau_s)} \Delta_s$. "
    "Right: the same with one step for all tokens: every diagonal has one value.",
    panels=3,
)(marked_tokens)


z = derivation.number("z", "the token's input to its step")
h = derivation.number("h", "the state before the token", "state")
u = derivation.number("u", "the input", "inputs")
delta = derivation.define(r"\Delta", log(1 + exp(z)), "the step: a softplus", "step_size", positive=True)
gate = derivation.define(r"\sigma", 1 / (1 + exp(-z)), "the logistic function of $z$", positive=True)
held = plus(times(exp(-delta), h), times(1 - exp(-delta), u))
derivation.answer = prose(
    "A step that depends on the token is a gate: with the exact hold, the rate $-1$ and a $B$ of 1 the next state is "
    r"{gated}, where $\sigma$ is the logistic function of $z$. In other words, each channel has its own clock, which tokens "
    "stop or advance; between clock times the system is the old one. The system stays time-invariant, but is no longer "
    "linear, so there is no kernel and no Fourier transform; what is left is the scan.",
    gated=holds(held, "=", plus(times(1 - gate, h), times(gate, u)), named=True, wrong={"turned": gate * h + (1 - gate) * u}),
)
gating = derivation.chain(
    "Selection is gating",
    held,
    equals(
        plus(times(1 / (1 + exp(z)), h), times(1 - 1 / (1 + exp(z)), u)),
        prose("{kept}", kept=holds(exp(-delta), "=", 1 / (1 + exp(z)))),
        wrong={
            "the step for its exponential": plus(times(1 - delta, h), times(delta, u)),
            "the weight of Mamba": plus(times(1 / (1 + exp(z)), h), times(delta, u)),
        },
    ),
    equals(
        plus(times(1 - gate, h), times(gate, u)),
        prose("{rest}", rest=holds(1 / (1 + exp(z)), "=", 1 - gate)),
        wrong={"both gated": plus(times(gate, h), times(gate, u))},
    ),
    central=True,
    so="The first line is the exact hold for the rate $-1$ and a $B$ of 1. So the gate of a recurrent network is a system in "
    "continuous time with the step chosen by the token.",
)
for written, meaning in (
    ("t", "a token"), ("k", "a token"), (r"\sigma_s", "the gate of token $s$"), ("v_i", "the value of token $i$"),
    ("m_i", "its mark: 1 for one of the tokens, 0 for the others"), ("i", "a token"), ("f", "an affine function of both"),
    ("y_t", "an output"), ("u_t", "the input of token $t$"), ("x_t", "the input of the mixer"), ("C", "a constant $C_t$"),
    ("B", "a constant $B_t$"), (r"\mathcal E", "the mean over all outcomes"),
):  # fmt: skip
    derivation.symbol(written, meaning)
s = derivation.index("s", "a token, of those before")


@derivation.symbolic(
    r"\sum_{s \le t} \sigma_s \prod_{s < k \le t} (1 - \sigma_k) + \prod_{k \le t} (1 - \sigma_k) = 1",
    because=r"Unrolled, the state is an average of all inputs and of the first state: each token takes the share $\sigma_s$ of "
    r"what there is, and the shares sum to one. Three tokens, all gates.",
    uses=(gating,),
    role="lemma",
)
def shares():
    gates = sympy.symbols("sigma_1:4")
    kept = [sympy.prod(1 - later for later in gates[place:]) for place in range(4)]
    taken = [gate * rest for gate, rest in zip(gates, kept[1:], strict=True)]
    return Sides(
        left=sum(taken) + kept[0],
        right=sympy.Integer(1),
        wrong={"without the first state": sum(taken), "sums": sum(gates) + kept[0]},
    )


d = derivation.number("d", "a step", "step_size", positive=True)
rate = derivation.number(r"\alpha", "$-A$: how fast the state forgets", "-a", positive=True)
b = derivation.number("b", "$B_t$ of the token", "b")
derivation.chain(
    "A step of zero ignores the token, an endless one forgets the past",
    sympy.Matrix(
        [
            Limit(plus(times(exp(-rate * d), h), times((1 - exp(-rate * d)) / rate, b, u)), d, 0),
            Limit(plus(times(exp(-rate * d), h), times((1 - exp(-rate * d)) / rate, b, u)), d, oo),
        ]
    ),
    equals(
        sympy.Matrix([h, b * u / rate]),
        r"the exponential is 1 at zero, and vanishes far out, since $\alpha$ is positive",
        wrong={"a sum in the end": sympy.Matrix([h, h + b * u / rate])},
    ),
    so=r"This is the exact hold. With $\Delta B$ the first limit is the same, and the past is forgotten, too, but the token is "
    r"amplified without bound.",
)

derivation.say(
    r"What does $\Delta B$ in place of $\bar B$ change? Let $w$ be $\Delta |A|$, the step in units of the state's memory. The "
    r"quotient of the two weights is $\frac{w}{1 - e^{-w}}$."
)
g = derivation.number("g", r"$e^w - 1$, any positive number", positive=True)
w = derivation.define("w", log(1 + g), r"the step in units of the state's memory: $\Delta |A|$", positive=True)
quotient = derivation.valley(
    "A logarithm is above a quotient",
    log(1 + g) - 2 * g / (2 + g),
    g,
    0,
    prose(
        "the slope is {slope}",
        slope=holds(Slope(log(1 + g) - 2 * g / (2 + g), g), "=", g**2 / ((1 + g) * (2 + g) ** 2), named=True),
    ),
    role="lemma",
)
derivation.chain(
    "With the weight of Mamba the input counts for more, by at least half the step",
    w / (1 - exp(-w)),
    equals(
        plus(1, w / 2, times((2 + g) / (2 * g), quotient.at(g))),
        prose("{share}; collect $w$, and split off what the lemma is about", share=holds(1 - exp(-w), "=", g / (1 + g))),
    ),
    at_least(plus(1, w / 2), "leave out the lemma's gap", dropping=times((2 + g) / (2 * g), quotient.at(g))),
    role="lemma",
)
derivation.chain(
    "With the weight of Mamba the input counts for more by at most the step",
    w / (1 - exp(-w)),
    equals(
        plus(1, w, -times(1 / g, tangent.at(1 + g))),
        prose("{split}", split=holds(w * (1 + g) / g, "=", plus(1, w, -(g - log(1 + g)) / g))),
    ),
    at_most(plus(1, w), "add the gap of the logarithm's tangent", adding=times(1 / g, tangent.at(1 + g))),
    role="lemma",
)
derivation.chain(
    "For short steps the input counts for more by half the step",
    Limit((d / (1 - exp(-d)) - 1) / d, d, 0),
    equals(Rational(1, 2), r"l'Hopital's rule, twice; $d$ is the step in units of the memory"),
    so=prose(
        r"So for steps that are short next to the memory the two agree, and the relative error is about half of $\Delta "
        r"|A|$. The gate's identity holds for the exact hold only: with $\Delta B$ the weight of the input is {weight} in "
        r"place of $\sigma(z)$, which is {half} at 0 in place of $\frac12$.",
        weight=holds(delta, "=", log(1 + exp(z)), named=True),
        half=holds(delta, "=", log(2), when={z: 0}, named=True),
    ),
    role="remark",
)
derivation.figure(
    prose(
        "Left: the step as a gate, for the rate $-1$. A token with a small $z$ is passed over, one with a large $z$ replaces "
        "the state: what is kept is {kept}. Mamba takes {weight} of the input, which has no upper limit. Right: how much more "
        "that is than the exact weight, at least {least} and at most {most}.",
        kept=holds(exp(-delta), "=", plus(1, -gate), wrong={"the gate": gate}),
        weight=delta,
        least=holds(w / (1 - exp(-w)), ">=", plus(1, w / 2), named=True),
        most=holds(w / (1 - exp(-w)), "<=", plus(1, w), named=True),
    ),
    panels=2,
)(gates_and_weights)

derivation.say("Now several tokens. Each channel has its own time, which advances by the step that the token chose.")
A = derivation.number("A", "the rate of a state", "a", negative=True)
tau = derivation.numbers(r"\tau_{}", s, "the clock after a token: the sum of the steps up to it")
steps = derivation.numbers(r"\Delta_{}", s, "the steps of the tokens before", "step_size", positive=True)
B = derivation.numbers("B_{}", s, "what their inputs do to the state", "b")
inputs = derivation.numbers("u_{}", s, "their inputs", "inputs")
clock = derivation.number(r"\tau_{t-1}", "the clock before the token")
step_now = derivation.number(r"\Delta_t", "the step of the token", "step_size", positive=True)
b_now = derivation.number("B_t", "what its input does to the state", "b")
u_now = derivation.number("u_t", "its input", "inputs")
clocks = derivation.chain(
    "A separate clock: one more token",
    plus(times(exp(step_now * A), Total(s, times(exp(A * (clock - tau)), steps, B, inputs))), times(step_now, b_now, u_now)),
    equals(
        plus(Total(s, times(exp(A * (clock + step_now - tau)), steps, B, inputs)), times(step_now, b_now, u_now)),
        r"exponents add, since $A$ is the same for all tokens; the clock moves from $\tau_{t-1}$ by $\Delta_t$, to $\tau_t$",
        wrong={
            "the token decays at once": plus(
                Total(s, exp(A * (clock + step_now - tau)) * steps * B * inputs), exp(A * step_now) * step_now * b_now * u_now
            )
        },
    ),
    states=2,
    so="The last term has 0 in its exponent, and without tokens both sides are zero. So from a state of zero $h_t$ is the "
    r"sum of $e^{A (\tau_t - \tau_s)} \Delta_s B_s u_s$ over the tokens $s$ up to $t$: what is left of a token depends on "
    r"how far the clock has run since. Tokens with a step near 0 hardly age the memory. If $\Delta$, $B$ and $C$ are "
    r"constants, the clock has run by $(t - s) \Delta$, and this is a convolution.",
)
x = derivation.number("x", "a time, or any positive number", "x", positive=True)
mark = derivation.number(r"\tau", "the clock after some token, whose step is taken to be $\\Delta_t$, too")
end = derivation.number(r"\tau_t", "the clock now")
derivation.chain(
    "With the exact hold the state is that of the continuous system, in the time of the clock",
    Integral(exp(A * (end - x)), (x, mark - step_now, mark)),
    equals(
        times(exp(A * (end - mark)), (exp(step_now * A) - 1) / A),
        "integrate the exponential over the time in which the input is held",
        wrong={
            "the step in place of the integral": times(exp(A * (end - mark)), step_now),
            "from the beginning of the step": times(exp(A * (end - mark + step_now)), (exp(step_now * A) - 1) / A),
        },
    ),
    role="lemma",
    so=r"On the right is $\bar B$ for a $B$ of 1, with what is left of it. So $h_t$ is the integral over the clock's time of "
    r"$e^{A (\tau_t - \tau)}$ times what is held at $\tau$.",
)


derivation.numeric(
    r"y_t = \sum_{s \le t} C e^{A (t - s) \Delta} \Delta B\, u_s",
    because="Twelve tokens with constants, three states: the scan and a causal convolution. With steps that differ there is no "
    "such kernel.",
    role="remark",
)(constants_give_a_convolution)


derivation.say(
    r"What is gained? Each of two tokens has a value $v_i$ of 0 or 1, and one of them is marked. The value of the marked "
    r"token is to be stored."
)


@derivation.exact(
    r"\min_f\, \mathcal E \Big[\Big(\sum_i m_i v_i - f(v, m)\Big)^2\Big] = \frac18",
    because=r"Among affine functions of $v$ and $m$, a linear system's outputs among them, $\frac{v_1 + v_2}{2}$ is best: the "
    r"mark is correlated with nothing. It is off by $\frac12$ for half of the eight outcomes. A gate that is open at the mark "
    r"and closed elsewhere, the limit of large $z$ of either sign, stores the token without error.",
    outcomes=8,
)
def what_no_linear_system_can_do():
    outcomes = np.array([(v1, v2, mark) for v1 in (0, 1) for v2 in (0, 1) for mark in (0, 1)], dtype=np.float64)
    v, first = outcomes[:, :2], outcomes[:, 2] == 0
    wanted = np.where(first, v[:, 0], v[:, 1])
    features = np.column_stack([v, first, ~first])
    fitted = features @ np.linalg.lstsq(features, wanted, rcond=None)[0]
    return Sides(left=np.mean((wanted - fitted) ** 2), right=1 / 8, wrong={"no error": 0.0, "the variance": np.var(wanted)})


bias = derivation.chain(
    "A bias makes a step exactly as long as wanted",
    log(1 + exp(plus(x, log(1 - exp(-x))))),
    equals(log(plus(1, times(exp(x), 1 - exp(-x)))), "the exponential of a sum"),
    equals(x, "multiply out: only $e^x$ is left"),
    so=r"A bias of $x + \log(1 - e^{-x})$ makes the step exactly $x$, for a token whose own contribution to it is zero.",
    role="remark",
)
c_now = derivation.number("C_t", "what the output sees of the state", "c")
direct = derivation.number("D", "what it sees of the input directly", "skip")
after = plus(times(exp(step_now * A), h), times(step_now, b_now, u_now))
derivation.bridge(
    "The code discretizes each token",
    (exp(step_now * A), step_now * b_now * u_now),
    discretize_selective,
    inputs=[[[u_now]]],
    step_size=[[[step_now]]],
    b=[[[b_now]]],
    a=[[A]],
    wrong={
        "the exact hold": (exp(step_now * A), (exp(step_now * A) - 1) / A * b_now * u_now),
        "a positive": (exp(-step_now * A), step_now * b_now * u_now),
    },
)
derivation.bridge(
    "... takes a step",
    (c_now * after + direct * u_now, after),
    selective_step,
    inputs=[[u_now]],
    step_size=[[step_now]],
    b=[[b_now]],
    c=[[c_now]],
    state=[[[h]]],
    a=[[A]],
    skip=[direct],
    wrong={
        "B and C swapped": (
            b_now * (exp(step_now * A) * h + step_now * c_now * u_now) + direct * u_now,
            exp(step_now * A) * h + step_now * c_now * u_now,
        )
    },
)
first_step = derivation.number(r"\Delta_1", "an earlier step", "step_size", positive=True)
first_input = derivation.number("u_1", "and its input", "inputs")
earlier = exp(first_step * A) * h + first_step * b_now * first_input


def _last_of_two(**given):
    return selective_scan(**given)[0][:, 1]


derivation.bridge(
    "... scans two tokens",
    c_now * (exp(step_now * A) * earlier + step_now * b_now * u_now) + direct * u_now,
    _last_of_two,
    inputs=[[[first_input], [u_now]]],
    step_size=[[[first_step], [step_now]]],
    b=[[[b_now], [b_now]]],
    c=[[[c_now], [c_now]]],
    initial=[[[h]]],
    a=[[A]],
    skip=[direct],
    calls=(selective_scan,),
    wrong={"one decay for both": c_now * (exp(first_step * A) * earlier + step_now * b_now * u_now) + direct * u_now},
)
derivation.bridge("... and inverts the softplus", x + log(1 - exp(-x)), inverse_softplus, x=[x], wrong={"the logarithm": log(x)})


@derivation.numeric(
    r"y_t(x_1, \dots, x_t, x_{t+1}, \dots) = y_t(x_1, \dots, x_t)",
    because="Every stage of the mixer reads the past and the present alone: the convolution is filled up with zeros on the "
    "left, the scan runs forward, all else treats tokens one by one. Random parameters: the first four of six tokens, with the "
    "last two and without them.",
    role="remark",
)
def the_mixer_is_causal():
    tokens, parameters = random_mixer()
    outputs = mamba_mixer(tokens, parameters)[:, :4]
    ahead = mamba_mixer(jnp.roll(tokens, -1, axis=1), parameters)[:, :4]
    return Sides(left=outputs, right=mamba_mixer(tokens[:, :4], parameters), wrong={"one token ahead": ahead})


derivation.numeric(
    r"y_t = D u_t \quad\text{if}\quad C_t = 0",
    because="Before the gate the mixer's output is $C_t h_t + D u_t$. If the rows of the projection that make $C$ are zero, "
    "it is a function of each token's own $u_t$, gated and projected; the gate multiplies the skip, too.",
    role="lemma",
)(the_gate_multiplies_the_skip)


derivation.algorithm(
    "A selective layer, token by token and all at once",
    do(r"once: the bias of $z$ is $x + \log(1 - e^{-x})$, for first steps $x$ between 0.001 and 0.1", inverse_softplus, by=bias),
    do(r"for each token: $\Delta_t \leftarrow \log(1 + e^{z_t})$; $B_t$, $C_t$ and $z_t$ are functions of the token", by=gating),
    do(r"the decay $e^{\Delta_t A}$, the new content $\Delta_t B_t u_t$", discretize_selective, by=clocks, indent=1),
    do(
        r"$h \leftarrow e^{\Delta_t A} h + \Delta_t B_t u_t$; $y_t \leftarrow C_t h + D u_t$", selective_step, by=clocks, indent=1
    ),
    do("in training: the same for all tokens by a scan", selective_scan, by=clocks),
    do("in Mamba: project, convolve, scan, multiply by a gate, project"),
)(two_tokens_step_by_step)


@derivation.example(
    prose(
        r"The rate $-1$, $B$ and $C$ of 1, from the state 0; the tokens 4 and 8 with $z$ of $\ln 3$ and $-\ln 3$. The gates "
        r"are {first} and {second}, so with the exact hold the states are $\frac34 \cdot 4$ and $\frac34 \cdot 3 + \frac14 "
        r"\cdot 8$. With $\Delta B$ the steps are {long} and {short}; a quarter and three quarters are kept as before.",
        first=holds(gate, "=", Rational(3, 4), when={z: log(3)}, named=True),
        second=holds(gate, "=", Rational(1, 4), when={z: -log(3)}, named=True),
        long=holds(delta, "=", log(4), when={z: log(3)}, named=True),
        short=holds(delta, "=", log(Rational(4, 3)), when={z: -log(3)}, named=True),
    )
)
def two_tokens():
    sizes = np.array([np.log(3.0), -np.log(3.0)])
    gates = [value(gate, {z: sympy.log(3)}), value(gate, {z: -sympy.log(3)})]
    yield r"\sigma", gates, "(3/4, 1/4)"
    yield "h", (gates[0] * 4, (1 - gates[1]) * gates[0] * 4 + gates[1] * 8), "(3, 17/4)"
    yield r"\Delta", np.log1p(np.exp(sizes)), "(1.3863, 0.2877)"
    yield r"h \text{ with } \Delta B", states_of_gates(sizes, np.array([4.0, 8.0])), "(5.545, 6.460)"
