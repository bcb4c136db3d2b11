"""Metropolis-adjusted Langevin: an exact distribution at any length of the step.

The lecture on the functions of theory_jax/energy/metropolis_adjusted_langevin.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, KroneckerDelta, Max, Min, Rational, erf, exp, log, oo, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.energy.metropolis_adjusted_langevin import acceptance_log_ratio, metropolis_matrix, proposal_log_prob, step
from theory_jax.lectures.energy._adjusted_chains import draw_bias, draw_speed, draw_two_wells, energy_of_normal

derivation = Derivation(
    module=__name__,
    title="Metropolis-adjusted Langevin: an exact distribution at any length of the step",
    lectures=(),
    sources=(
        "Metropolis et al. 1953, Equation of state calculations by fast computing machines",
        "Hastings 1970, Monte Carlo sampling methods using Markov chains and their applications",
        "Roberts & Tweedie 1996, Exponential convergence of Langevin distributions and their discrete approximations",
        "Roberts & Rosenthal 1998, Optimal scaling of discrete approximations to Langevin diffusions",
    ),
    question="Langevin steps of finite length sample another distribution than the target, and no number of steps mends that. "
    "Steps that are short enough take too long. Can the error be removed, without knowing the normalizer and for a step of any "
    "length?",
    setting=(
        r"The target $p$ is $e^{-E}$ over its integral $Z$, positive everywhere. First there are finitely many states; on a "
        r"continuous space integrals take the place of sums.",
        r"From a state $x$ a move to $y$ is proposed with the density $q(y|x)$. It is accepted where a number $u$, uniform on "
        r"$[0, 1)$, is below $r$; otherwise the next state is $x$ again.",
        r"The Langevin proposal is $\mathcal{N}(y; x - h E'(x), 2h)$. It is written for one dimension; in several, products are "
        r"inner products.",
    ),
    limits=(
        "Detailed balance makes the target stationary. That a chain converges to it from every start needs more: every state "
        "must be reachable from every other, and the chain aperiodic.",
        "For energies that grow faster than a parabola the proposals far out are nearly always rejected, and convergence from "
        "there is slow.",
        "That the sum over many dimensions becomes normal is stated for Gaussians, by the central limit theorem, and not "
        "for other distributions.",
    ),
    trained="A sampler has no parameters. The experiment of `energy/noise_contrastive_estimation` draws from its trained "
    "energy with it.",
)


@derivation.figure(
    r"Left: the variance on which the unadjusted chain settles, for $\mathcal{N}(0, 1)$, against the length of the step; the "
    r"variance of the adjusted chain after a step in equilibrium; and how many of its steps are accepted. Right: the speed in "
    r"many dimensions, $h$ times the acceptance, against the acceptance. It is largest at 0.574.",
    panels=2,
)
def bias_andmean_share(bias, acceptance):
    draw_bias(bias)
    draw_speed(acceptance)


i = derivation.index("i", "a state")
j = derivation.index("j", "a state, next to $i$")
k = derivation.index("k", "a state, next to $i$")
target = derivation.law("p", i, "the target", "exp(log_probs)")
q = derivation.law("q({}|{})", (j, i), "the chance that a move from $i$ to $j$ is proposed", "proposal")
there = derivation.number("a", r"$p_i\, q(j|i)$: how often the move from $i$ to $j$ is proposed", positive=True)
back = derivation.number("b", r"$p_j\, q(i|j)$: how often the move from $j$ to $i$ is proposed", positive=True)
balance = derivation.chain(
    "Detailed balance: the flow from a state to another is the flow back",
    times(there, Min(1, back / there)),
    equals(
        Min(there, back),
        r"$r_{ij}$ is $b/a$; a positive factor enters the minimum",
        wrong={"the greater of both": Max(there, back), "always accepted": there},
    ),
    equals(times(back, Min(1, there / back)), r"the minimum is symmetric, and $r_{ji}$ is $a/b$"),
    so=r"Of the two flows that are proposed the smaller is realized in both directions; none, if the way back is never proposed. "
    r"$p$ enters by a ratio alone, so its normalizer does not matter.",
)
derivation.symbol("r", r"the ratio of acceptance, $\frac{p_j\, q(i|j)}{p_i\, q(j|i)}$", "exp(acceptance_log_ratio)")
flow = derivation.define(
    "F", Min(times(target, q), times(target.at(j), q.at(i, j))), "the flow from $i$ to $j$ that is realized", over=(i, j)
)
P = derivation.define(
    "P",
    plus(
        times(plus(1, -KroneckerDelta(i, j)), flow / target),
        times(KroneckerDelta(i, j), plus(1, -Total(k, times(plus(1, -KroneckerDelta(i, k)), flow.at(i, k) / target)))),
    ),
    "the chance to go from $i$ to $j$: off the diagonal $q(j|i) \\min(1, r_{ij})$, on it what is left to one",
    "metropolis_matrix",
    over=(i, j),
)
derivation.chain(
    "The target is invariant",
    Total(i, times(target, P)),
    equals(
        Total(i, times(target.at(j), P.at(j, i))),
        "detailed balance, term by term; on the diagonal there is nothing to show",
        wrong={"transposed alone": Total(i, times(target, P.at(j, i)))},
    ),
    equals(
        target.at(j),
        prose("$p_j$ is a common factor, and the rows sum to one: {one}", one=holds(Total(j, P), "=", 1)),
        wrong={"each state alike": Rational(1, 3)},
    ),
    central=True,
    uses=(balance,),
    so=r"Nothing was assumed of the proposal but that it is known. What is rejected must stay and count: without the diagonal "
    r"the rows would not sum to one.",
)
derivation.bridge(
    "The code's matrix",
    P,
    metropolis_matrix,
    log_probs=log(target),
    proposal=q,
    wrong={"transposed": P.at(j, i), "always accepted": q},
)

x = derivation.number("x", "where the chain is", "x")
y = derivation.number("y", "where a move may lead", "y")
h = derivation.number("h", "the length of a step", "step_size", positive=True)
E = derivation.function("E", "the energy", "energy_fn")
_DX, _DY = Slope(E(x), x), Slope(E(y), y)
_TRAPEZOID = plus(E(x), -E(y), -times(Rational(1, 2), plus(x, -y), plus(_DX, _DY)))
log_r = derivation.chain(
    "The ratio of a Langevin step",
    plus(E(x), -E(y), LogDensity(x, plus(y, -h * _DY), 2 * h), -LogDensity(y, plus(x, -h * _DX), 2 * h)),
    equals(
        plus(E(x), -E(y), -times(1 / (4 * h), plus(plus(x, -y, h * _DY) ** 2, -(plus(y, -x, h * _DX) ** 2)))),
        r"$\log p$ is $-E$ but for a constant; both proposals have the variance $2h$, so their constants cancel",
        wrong={
            "a variance of h": plus(
                E(x), -E(y), -times(1 / (2 * h), plus(plus(x, -y, h * _DY) ** 2, -(plus(y, -x, h * _DX) ** 2)))
            ),
            "the slope at x for both": plus(
                E(x), -E(y), -times(1 / (4 * h), plus(plus(x, -y, h * _DX) ** 2, -(plus(y, -x, h * _DX) ** 2)))
            ),
        },
    ),
    equals(
        plus(_TRAPEZOID, times(h / 4, plus(_DX**2, -(_DY**2)))),
        r"multiply out: the squares of $x - y$ cancel, and with them $\frac{1}{h}$",
        wrong={"no half": plus(E(x), -E(y), -times(plus(x, -y), plus(_DX, _DY)), times(h / 4, plus(_DX**2, -(_DY**2))))},
    ),
    so=r"The first three terms are what the trapezoid rule misses of the integral of $E'$ from $y$ to $x$, so they are of third "
    r"order in $x - y$, which is of order $\sqrt{h}$. So $\log r$ is of order $h^{3/2}$. It changes its sign if $x$ and $y$ are "
    r"exchanged. The last form is that of the code: nothing in it grows as $h$ gets small.",
)
derivation.figure(
    prose(
        "2000 chains after 150 long steps in a double well, and the target (orange). Left: every move is accepted; the chains "
        "settle on a distribution that is too wide. Right: with the acceptance the target is kept at the same length of the "
        "step, since the flows between two states are equal, {flows}; the price is the moves that are rejected.",
        flows=holds(times(there, Min(1, back / there)), "=", times(back, Min(1, there / back)), wrong={"always accepted": there}),
    ),
    panels=2,
)(draw_two_wells)
beta = derivation.number(r"\beta", "a factor of $x^2$")
gamma = derivation.number(r"\gamma", "a factor of $x^3$")
_CUBIC = lambda z: plus(beta * z**2, gamma * z**3)  # noqa: E731
derivation.chain(
    "The trapezoid rule misses a twelfth of the third derivative times the cube of the distance",
    plus(
        _CUBIC(x),
        -_CUBIC(y),
        -times(Rational(1, 2), plus(x, -y), plus(plus(2 * beta * x, 3 * gamma * x**2), plus(2 * beta * y, 3 * gamma * y**2))),
    ),
    equals(
        -times(Rational(1, 12), plus(x, -y) ** 3, 6 * gamma),
        prose(
            "for the energy {cubic}: the parabola cancels, and {third}",
            cubic=_CUBIC(x),
            third=holds(Slope(_CUBIC(x), x, 3), "=", 6 * gamma),
        ),
        wrong={
            "second order": -times(Rational(1, 12), plus(x, -y) ** 2, 6 * gamma),
            "a sixth": -times(Rational(1, 6), plus(x, -y) ** 3, 6 * gamma),
        },
    ),
    role="lemma",
    so=r"For any $E$ with three continuous derivatives it is $-\frac{1}{12} (x - y)^3 E'''(z)$ at some $z$ between $x$ and $y$.",
)
derivation.symbol("z", "a point between $x$ and $y$")
v = derivation.number("v", "a variance", positive=True)
parabola = derivation.chain(
    "On a parabola the log-ratio is its last term alone",
    plus(
        x**2 / (2 * v),
        -(y**2) / (2 * v),
        -times(Rational(1, 2), plus(x, -y), plus(x / v, y / v)),
        times(h / 4, plus((x / v) ** 2, -((y / v) ** 2))),
    ),
    equals(
        times(h / (4 * v**2), plus(x**2, -(y**2))),
        r"for the energy $x^2/(2v)$: the trapezoid rule is exact for a straight slope",
        wrong={
            "over the variance": times(h / (4 * v), plus(x**2, -(y**2))),
            "turned over": times(h / (4 * v**2), plus(y**2, -(x**2))),
        },
    ),
    uses=(log_r,),
    so=r"Every move toward 0 is accepted. A move outward is accepted with a chance that falls with its length: that takes back "
    r"what is too wide in the distribution of the unadjusted chain.",
    role="remark",
)


def _of_rows(x):
    return jnp.sum(_QUARTIC(x), axis=1)


slope = derivation.number("g", "the slope of the energy at $x$", "gradient")
derivation.bridge(
    "The code's density of a proposal",
    LogDensity(y, plus(x, -h * slope), 2 * h),
    proposal_log_prob,
    y=[[y]],
    x=[[x]],
    gradient=[[slope]],
    step_size=h,
)
_QUARTIC = lambda z: z**4 / 4  # noqa: E731
derivation.bridge(
    "... its log-ratio, for the energy $x^4/4$",
    plus(_QUARTIC(x), -_QUARTIC(y), -times(Rational(1, 2), plus(x, -y), plus(x**3, y**3)), times(h / 4, plus(x**6, -(y**6)))),
    acceptance_log_ratio,
    x=[[x]],
    y=[[y]],
    energy_fn=_of_rows,
    step_size=h,
    wrong={"the energies alone": plus(_QUARTIC(x), -_QUARTIC(y))},
)
xi = derivation.number(r"\xi", "standard normal noise", "noise")
derivation.bridge(
    "... and its step where $u$ is 0, which accepts everything",
    (plus(x, -h * x**3, times(sqrt(2 * h), xi)), None),
    step,
    x=[[x]],
    noise=[[xi]],
    uniforms=[0.0],
    energy_fn=_of_rows,
    step_size=h,
)

D = derivation.number("D", "the number of dimensions", positive=True)
c = derivation.number("c", "any factor of the step", positive=True)
_LONG = c * D ** (-Rational(1, 3))
_MOVED = plus(times(plus(1, -h), x), times(sqrt(2 * h), xi))
_RATIO = times(h / 4, plus(x**2, -(_MOVED**2)))
derivation.say(
    prose(
        r"How long may a step be? Take $\mathcal{N}(0, 1)$ in every coordinate of a space of $D$ dimensions, a chain that has "
        "reached it, and the step from $x$ to {moved}.",
        moved=_MOVED,
    )
)
derivation.answer = prose(
    "Let a move be accepted with the smaller one of 1 and $r$, the ratio of what is proposed back and there, $b/a$. Then the "
    "flow from $x$ to $y$ equals the flow back, {balance}, so $p$ is stationary for every $h$, and $Z$ cancels. For the Langevin "
    "proposal $\\log r$ is the error of the trapezoid rule for $E$, plus {rest}; on a parabola this alone, {parabola}. It is "
    "small for small $h$, so that nearly every step is accepted.",
    balance=holds(times(there, Min(1, back / there)), "=", times(back, Min(1, there / back)), wrong={"all accepted": there}),
    rest=times(h / 4, plus(_DX**2, -(_DY**2))),
    parabola=holds(
        times(h / 4, plus(Slope(x**2 / (2 * v), x) ** 2, -(Slope(y**2 / (2 * v), y) ** 2))),
        "=",
        times(h / (4 * v**2), plus(x**2, -(y**2))),
        named=True,
    ),
)


def _mean(body):
    return Expectation(Normal(x, 0, 1), Expectation(Normal(xi, 0, 1), body))


mean_ratio = derivation.chain(
    "The mean log-ratio of a coordinate is minus a quarter of the cube of the step",
    _mean(_RATIO),
    equals(
        times(h / 4, plus(1, times(-1, plus(plus(1, -h) ** 2, 2 * h)))),
        prose("{square}: state and noise are independent", square=holds(_mean(_MOVED**2), "=", plus(plus(1, -h) ** 2, 2 * h))),
        wrong={"noise of variance h": times(h / 4, plus(1, times(-1, plus(plus(1, -h) ** 2, h))))},
    ),
    equals(-(h**3) / 4, "multiply out", wrong={"second order": -(h**2) / 4}),
    uses=(parabola,),
    role="lemma",
)
derivation.chain(
    "The variance of the log-ratio of a coordinate is twice its mean in size, for short steps",
    _mean(plus(_RATIO, h**3 / 4) ** 2),
    equals(
        plus(h**3 / 2, h**6 / 8),
        "moments of order four of independent standard normal variables",
        wrong={"the mean's order": plus(h**3 / 4, h**6 / 8)},
    ),
    uses=(mean_ratio,),
    so=prose(
        r"Coordinates are independent, so in $D$ dimensions $\log r$ has the mean $-\frac14 D h^3$ and nearly twice its size as "
        "variance. With steps of {step} both settle: the mean is {mean}, and the variance goes to {variance}, twice its size. By "
        r"the central limit theorem $\log r$ becomes normal. A random walk without slopes needs steps of order $\frac{1}{D}$.",
        step=_LONG,
        mean=holds(-D * h**3 / 4, "=", -(c**3) / 4, when={h: _LONG}, named=True),
        variance=holds(Limit(D * (_LONG**3 / 2 + _LONG**6 / 8), D, oo), "=", c**3 / 2, named=True),
    ),
    role="lemma",
)
w = derivation.number("w", r"a value of $\log r$")
s = derivation.number("s", r"the deviation of $\log r$", positive=True)
tail = derivation.define(
    r"\Phi(-\tfrac{s}{2})", (1 - erf(s / (2 * sqrt(2)))) / 2, "the distribution function of a standard normal variable, at $-s/2$"
)
_DOWN, _UP = (exp(LogDensity(w, mean, s**2)) for mean in (-(s**2) / 2, s**2 / 2))
derivation.chain(
    "The share of steps that is accepted, in many dimensions",
    plus(Integral(_DOWN, (w, 0, oo)), Integral(exp(w) * _DOWN, (w, -oo, 0))),
    equals(
        plus(Integral(_DOWN, (w, 0, oo)), Integral(_UP, (w, -oo, 0))),
        prose(
            "the mean of the smaller one of 1 and $r$: all moves of positive $w$ are accepted, others with the chance $e^w$, "
            "which turns the sign of the mean, {turned}",
            turned=holds(plus(w, LogDensity(w, -(s**2) / 2, s**2)), "=", LogDensity(w, s**2 / 2, s**2)),
        ),
        wrong={"nothing turned": plus(Integral(_DOWN, (w, 0, oo)), Integral(_DOWN, (w, -oo, 0)))},
    ),
    equals(
        times(2, tail),
        r"both are the mass of a normal variable beyond $s/2$ deviations from its mean",
        wrong={"one side": tail, "no half": 1 - erf(s / sqrt(2))},
    ),
    uses=(mean_ratio,),
    so=prose(
        "So the share falls from {all} for the shortest steps to {none} for long ones.",
        all=holds(Limit(2 * tail, s, 0), "=", 1, named=True),
        none=holds(Limit(2 * tail, s, oo), "=", 0, named=True),
    ),
)


@derivation.monte_carlo(
    r"\mathbb{E}[x'^2] = 1",
    because="8000 chains that are standard normal take one step of the code, of length 0.8: the variance stays. Without the "
    "adjustment it would be 1.64 after the step.",
    uses=(balance,),
    role="remark",
)
def one_step_in_equilibrium():
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal((2, 8000, 1))
    after, _ = step(jnp.asarray(x), jnp.asarray(noise), jnp.asarray(rng.random(8000)), energy_of_normal, step_size=0.8)
    return SampleSides(samples=after[:, 0] ** 2, expected=1.0, wrong={"not adjusted": 1.64})


derivation.symbol("x'", "the state after a step")


@derivation.numeric(
    r"\lim_{m \to \infty} \left(P^m\right)_{ij} = p_j",
    because=r"Six states with random targets and proposals, all positive, and 4096 steps by squaring: the chain forgets where it "
    r"started. Detailed balance alone would not do, as an exercise shows.",
    role="remark",
)
def long_run():
    rng = np.random.default_rng(1)
    law, proposal = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6), size=6)
    matrix = np.asarray(metropolis_matrix(jnp.log(law), jnp.asarray(proposal)))
    for _ in range(12):
        matrix = matrix @ matrix
    return Sides(
        left=matrix,
        right=np.tile(law, (6, 1)),
        wrong={"uniform": np.full((6, 6), 1 / 6), "transposed": np.tile(law[:, None], (1, 6))},
    )


derivation.symbol("m", "a number of steps")


_HALF = np.array([0.5, 0.25, 0.25])


@derivation.algorithm(
    "Metropolis-adjusted Langevin",
    do(r"start with any state $x$; repeat: draw $\xi \sim \mathcal{N}(0, 1)$ and $u$ uniform on $[0, 1)$"),
    do(r"$y \leftarrow x - h E'(x) + \sqrt{2h}\, \xi$", indent=1),
    do(r"$\log r$: the trapezoid rule's error, and $\frac{h}{4} (E'(x)^2 - E'(y)^2)$", acceptance_log_ratio, by=log_r, indent=1),
    do(r"if $u$ is below $r$: $x \leftarrow y$; otherwise $x$ stays, and counts once more", step, by=balance, indent=1),
)
def two_steps():
    state, text = jnp.zeros((1, 1)), r"E = x^2/2, h = 0.8, x = 0, \xi = 1.5811, u = 0.6: \quad "
    for noise, uniform, ratio, moved in ((math.sqrt(2.5), 0.6, "-0.8", "0"), (0.5, 0.5, "-0.08", "0.6325")):
        proposed = 0.2 * state + math.sqrt(1.6) * noise
        yield rf"{text}\log r", acceptance_log_ratio(state, proposed, energy_of_normal, step_size=0.8), ratio
        state, _ = step(state, jnp.full((1, 1), noise), jnp.array([uniform]), energy_of_normal, step_size=0.8)
        yield "x", state[0], moved
        text = r"\xi = 0.5, u = 0.5: \quad "


@derivation.example(
    r"Three states, of which the target has $\frac12, \frac14, \frac14$; one of the other two is proposed, each with $\frac12$. "
    r"From the first state half of the proposals are rejected. Then a standard normal target, a step of 0.8, a move from 0 to 2."
)
def three_states():
    others = (1 - np.eye(3)) / 2
    matrix = np.asarray(metropolis_matrix(jnp.log(_HALF), jnp.asarray(others)))
    yield "P", matrix, "(0.5, 0.25, 0.25, 0.5, 0, 0.5, 0.5, 0.5, 0)"
    yield r"\sum_i p_i P_{ij}", _HALF @ matrix, "(0.5, 0.25, 0.25)"
    yield r"\text{eigenvalues}", np.sort(np.linalg.eigvals(matrix).real)[::-1].round(12), "(1, 0, -0.5)"
    ratio = acceptance_log_ratio(jnp.zeros((1, 1)), jnp.full((1, 1), 2.0), energy_of_normal, step_size=0.8)
    yield r"\log r", ratio, "-0.8"
    yield "r", jnp.exp(ratio), "0.449"
