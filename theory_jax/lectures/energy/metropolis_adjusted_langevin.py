"""Metropolis-adjusted Langevin: an exact law at any length of the step.

The lecture on the functions of theory_jax/energy/metropolis_adjusted_langevin.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Max, Min, Rational, log, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Normal, Slope, Total, plus, times
from theory_jax.energy.langevin import gaussian_stationary_variance
from theory_jax.energy.metropolis_adjusted_langevin import acceptance_log_ratio, metropolis_matrix, proposal_log_prob, step

derivation = Derivation(
    module=__name__,
    title="Metropolis-adjusted Langevin: an exact law at any length of the step",
    lectures=(),
    sources=(
        "Metropolis et al. 1953, Equation of state calculations by fast computing machines",
        "Hastings 1970, Monte Carlo sampling methods using Markov chains and their applications",
        "Roberts & Tweedie 1996, Exponential convergence of Langevin distributions and their discrete approximations",
        "Roberts & Rosenthal 1998, Optimal scaling of discrete approximations to Langevin diffusions",
    ),
    question="A Langevin step of finite length leaves a wrong law behind. Can the error be removed, without knowing the "
    "normalizer and for a step of any length?",
    setting=(
        r"The target is $p \propto e^{-E}$, positive everywhere. First there are finitely many states; on a continuous space "
        r"integrals take the place of sums.",
        r"From a state $x$ a move to $y$ is proposed with the density $q(y|x)$. It is accepted where a number $u$, uniform on "
        r"$[0, 1)$, is below $r$; otherwise the next state is $x$ again.",
        r"The Langevin proposal is $\mathcal{N}(y; x - h E'(x), 2h)$. It is written for one dimension; in several, products are "
        r"inner products.",
    ),
    answer=r"With $r = \frac{p(y)\, q(x|y)}{p(x)\, q(y|x)}$ the flow from $x$ to $y$ equals the flow back, so $p$ is stationary "
    r"for every $h$, and $Z$ cancels. For the Langevin proposal $\log r$ is the error of the trapezoid rule for $E$, plus "
    r"$\frac{h}{4} (E'(x)^2 - E'(y)^2)$: small for small $h$, so nearly every step is accepted.",
    limits=(
        "Detailed balance makes the law stationary. That a chain converges to it from every start needs more: every state must "
        "be reachable from every other, and the chain aperiodic.",
        "For energies that grow faster than a parabola the proposals far out are nearly always rejected, and convergence from "
        "there is slow.",
        "That the sum over many dimensions becomes normal is stated for Gaussians, by the central limit theorem, and not "
        "for other laws.",
    ),
    trained="A sampler has no parameters. The experiment of `energy/noise_contrastive_estimation` draws from its trained "
    "energy with it.",
)

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
        r"$r_{ij} = b/a$; a positive factor enters the minimum",
        wrong={"the greater of both": Max(there, back), "always accepted": there},
    ),
    equals(times(back, Min(1, there / back)), r"the minimum is symmetric, and $r_{ji} = a/b$"),
    so=r"Of the two flows that are proposed the smaller is realized in both directions; none, if the way back is never proposed. "
    r"$p$ enters by a ratio alone, so its normalizer does not matter.",
)
derivation.symbol("r", r"the ratio of acceptance, $r_{ij} = \frac{p_j\, q(i|j)}{p_i\, q(j|i)}$", "exp(acceptance_log_ratio)")
flow = derivation.define(
    "F", Min(times(target, q), times(target.at(j), q.at(i, j))), "the flow from $i$ to $j$ that is realized", over=(i, j)
)
P = derivation.define(
    "P",
    plus(
        times(plus(1, -KroneckerDelta(i, j)), flow / target),
        times(KroneckerDelta(i, j), plus(1, -Total(k, times(plus(1, -KroneckerDelta(i, k)), flow.at(i, k) / target)))),
    ),
    "the chance to go from $i$ to $j$: off the diagonal $q(j|i) \\min(1, r_{ij}) = F_{ij}/p_i$, on it what is left to one",
    "metropolis_matrix",
    over=(i, j),
)
derivation.chain(
    "So the target is invariant",
    Total(i, times(target, P)),
    equals(
        Total(i, times(target.at(j), P.at(j, i))),
        "detailed balance, term by term; for $i = j$ there is nothing to show",
        wrong={"transposed alone": Total(i, times(target, P.at(j, i)))},
    ),
    equals(target.at(j), r"$p_j$ is a common factor, and the rows of $P$ sum to one", wrong={"each state alike": Rational(1, 3)}),
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
        r"$\log p = -E - \log Z$; both proposals have the variance $2h$, so their constants cancel",
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
    so=r"The first three terms are what the trapezoid rule misses of $E(x) - E(y) = \int_y^x E'$, so they are of third order in "
    r"$x - y$, which is of order $\sqrt{h}$. So $\log r$ is of order $h^{3/2}$. It changes its sign if $x$ and $y$ are "
    r"exchanged. The last form is that of the code: nothing in it grows as $h$ gets small.",
)
beta = derivation.number(r"\beta", "a factor of $x^2$")
gamma = derivation.number(r"\gamma", "a factor of $x^3$")
_CUBIC = lambda z: plus(beta * z**2, gamma * z**3)  # noqa: E731
derivation.chain(
    "What the trapezoid rule misses",
    plus(
        _CUBIC(x),
        -_CUBIC(y),
        -times(Rational(1, 2), plus(x, -y), plus(plus(2 * beta * x, 3 * gamma * x**2), plus(2 * beta * y, 3 * gamma * y**2))),
    ),
    equals(
        -times(Rational(1, 12), plus(x, -y) ** 3, 6 * gamma),
        r"for $E = \beta x^2 + \gamma x^3$: the parabola cancels, and $E''' = 6 \gamma$",
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
    "On a parabola only the last term is left",
    plus(
        x**2 / (2 * v),
        -(y**2) / (2 * v),
        -times(Rational(1, 2), plus(x, -y), plus(x / v, y / v)),
        times(h / 4, plus((x / v) ** 2, -((y / v) ** 2))),
    ),
    equals(
        times(h / (4 * v**2), plus(x**2, -(y**2))),
        r"$E = x^2/(2v)$: the trapezoid rule is exact for a straight slope",
        wrong={
            "over the variance": times(h / (4 * v), plus(x**2, -(y**2))),
            "turned over": times(h / (4 * v**2), plus(y**2, -(x**2))),
        },
    ),
    uses=(log_r,),
    so=r"Every move toward 0 is accepted. A move outward is accepted with a chance that falls with its length: that takes back "
    r"what is too wide in the law of the unadjusted chain.",
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
    "... and its step where $u = 0$, which accepts everything",
    (plus(x, -h * x**3, times(sqrt(2 * h), xi)), None),
    step,
    x=[[x]],
    noise=[[xi]],
    uniforms=[0.0],
    energy_fn=_of_rows,
    step_size=h,
)

derivation.say(
    r"How long may a step be? Take $\mathcal{N}(0, 1)$ in every coordinate of a space of $D$ dimensions, a chain that has "
    r"reached its law, and the step $y = (1 - h) x + \sqrt{2h}\, \xi$."
)
derivation.symbol("D", "the number of dimensions")
_MOVED = plus(times(plus(1, -h), x), times(sqrt(2 * h), xi))
_RATIO = times(h / 4, plus(x**2, -(_MOVED**2)))


def _mean(body):
    return Expectation(Normal(x, 0, 1), Expectation(Normal(xi, 0, 1), body))


mean_ratio = derivation.chain(
    "The mean log-ratio of a coordinate",
    _mean(_RATIO),
    equals(
        times(h / 4, plus(1, times(-1, plus(plus(1, -h) ** 2, 2 * h)))),
        r"$\mathbb{E}[y^2] = (1 - h)^2 + 2h$: data and noise are independent",
        wrong={"noise of variance h": times(h / 4, plus(1, times(-1, plus(plus(1, -h) ** 2, h))))},
    ),
    equals(-(h**3) / 4, "multiply out", wrong={"second order": -(h**2) / 4}),
    uses=(parabola,),
    role="lemma",
)
derivation.chain(
    "... and its variance",
    _mean(plus(_RATIO, h**3 / 4) ** 2),
    equals(
        plus(h**3 / 2, h**6 / 8),
        "moments of order four of independent standard normal variables",
        wrong={"the mean's order": plus(h**3 / 4, h**6 / 8)},
    ),
    uses=(mean_ratio,),
    so=r"Coordinates are independent, so in $D$ dimensions $\log r$ has the mean $-\frac14 D h^3$ and nearly twice its size as "
    r"variance. With $h = c D^{-1/3}$, for any $c > 0$, both settle, at $-\frac12 s^2$ and $s^2 = \frac12 c^3$, and by the "
    r"central limit theorem $\log r$ becomes normal. A random walk without slopes needs steps of $h \sim \frac{1}{D}$.",
)
s = derivation.number("s", r"the deviation of $\log r$", positive=True)
derivation.symbol(r"\Phi", "the distribution function of a standard normal variable")
derivation.symbol("W", r"a normal variable with the mean $-\frac12 s^2$ and the variance $s^2$")


@derivation.numeric(
    r"\mathbb{E}\left[\min(1, e^W)\right] = 2\, \Phi\!\left(-\frac{s}{2}\right)",
    because=r"$W \ge 0$ has the chance $\Phi(-\frac{s}{2})$; and where $W < 0$, $e^W$ turns the density of $W$ into that with "
    r"the mean $+\frac12 s^2$, whose mass there is the same. Checked by quadrature on both sides of 0, at four $s$.",
    uses=(mean_ratio,),
)
def mean_acceptance():
    nodes, weights = np.polynomial.legendre.leggauss(60)
    found, deviations = [], (0.3, 0.8, 1.1236, 2.0)
    for s in deviations:
        total = 0.0
        for low, high in ((-10 * s - s**2 / 2, 0.0), (0.0, 10 * s)):
            w = low + (high - low) * (nodes + 1) / 2
            density = np.exp(-((w + s**2 / 2) ** 2) / (2 * s**2)) / (s * math.sqrt(2 * math.pi))
            total += (high - low) / 2 * weights @ (density * np.minimum(1, np.exp(w)))
        found.append(total)
    predicted = np.array([_acceptance(s) for s in deviations])
    return Sides(
        left=np.array(found),
        right=predicted,
        wrong={"one side": predicted / 2, "no half": np.array([_acceptance(2 * s) for s in deviations])},
    )


def _acceptance(s):
    """2 Phi(-s/2)."""
    return math.erfc(s / math.sqrt(8))


@derivation.monte_carlo(
    r"\mathbb{E}[x'^2] = 1",
    because=r"8000 chains that have the law $\mathcal{N}(0, 1)$ take one step of the code, with $h = 0.8$: the variance stays. "
    r"Without the adjustment it would be $(1 - h)^2 + 2h = 1.64$ after the step.",
    uses=(balance,),
)
def one_step_in_equilibrium():
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal((2, 8000, 1))
    after, _ = step(jnp.asarray(x), jnp.asarray(noise), jnp.asarray(rng.random(8000)), _parabola, step_size=0.8)
    return SampleSides(samples=after[:, 0] ** 2, expected=1.0, wrong={"not adjusted": 1.64})


derivation.symbol("x'", "the state after a step")


@derivation.numeric(
    r"\lim_{m \to \infty} \left(P^m\right)_{ij} = p_j",
    because=r"Six states with random laws and proposals, all positive, $m = 4096$ by squaring: the chain forgets where it "
    r"started. Detailed balance alone would not do, as an exercise shows.",
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


def _parabola(x):
    return jnp.sum(x**2, axis=1) / 2


_HALF = np.array([0.5, 0.25, 0.25])


@derivation.example(
    r"Three states with $p = (\frac12, \frac14, \frac14)$; one of the other two is proposed, each with $\frac12$. From the first "
    r"state half of the proposals are rejected. Then $\mathcal{N}(0, 1)$ with $h = 0.8$, a move from 0 to 2: $\log r = 0.2 (0 - "
    r"4)$."
)
def three_states():
    others = (1 - np.eye(3)) / 2
    matrix = np.asarray(metropolis_matrix(jnp.log(_HALF), jnp.asarray(others)))
    yield "P", matrix, "(0.5, 0.25, 0.25, 0.5, 0, 0.5, 0.5, 0.5, 0)"
    yield r"\sum_i p_i P_{ij}", _HALF @ matrix, "(0.5, 0.25, 0.25)"
    yield r"\text{eigenvalues}", np.sort(np.linalg.eigvals(matrix).real)[::-1].round(12), "(1, 0, -0.5)"
    ratio = acceptance_log_ratio(jnp.zeros((1, 1)), jnp.full((1, 1), 2.0), _parabola, step_size=0.8)
    yield r"\log r", ratio, "-0.8"
    yield "r", jnp.exp(ratio), "0.449"


def _by_quadrature(lengths):
    """The acceptance in equilibrium, and the variance after a step, on N(0, 1): on a grid of states and noises, [2, lengths]."""
    grid = np.linspace(-6, 6, 97)
    x, e = (part.reshape(-1, 1) for part in np.meshgrid(grid, grid, indexing="ij"))
    chance = np.exp(-(x**2 + e**2) / 2)[:, 0]
    chance /= chance.sum()
    rows = []
    for length in lengths:
        y = (1 - length) * x + math.sqrt(2 * length) * e
        accept = np.minimum(1, np.exp(acceptance_log_ratio(jnp.asarray(x), jnp.asarray(y), _parabola, step_size=float(length))))
        rows.append((chance @ accept, chance @ (accept * y[:, 0] ** 2 + (1 - accept) * x[:, 0] ** 2)))
    return np.array(rows).T


@derivation.figure(
    r"Left: the variance on which the unadjusted chain settles, for $\mathcal{N}(0, 1)$, against the length of the step; the "
    r"variance of the adjusted chain after a step in equilibrium; and how many of its steps are accepted. Right: the speed in "
    r"many dimensions, $h$ times the acceptance, against the acceptance. It is largest at 0.574.",
    panels=2,
)
def bias_and_acceptance(bias, acceptance):
    lengths = np.linspace(0.05, 1.5, 12)
    accepted, variance = _by_quadrature(lengths)
    bias.plot(lengths, [gaussian_stationary_variance(jnp.ones(()), step_size=float(h)) for h in lengths], label="unadjusted")
    bias.plot(lengths, variance, "o", color="gray", markersize=4, label="adjusted")
    bias.plot(lengths, accepted, label="accepted")
    bias.set(xlabel="length of the step, $h$", ylabel="variance; share", ylim=(0, 4))
    bias.legend()
    s = np.linspace(0.02, 4, 80)
    speed = np.array([each ** (2 / 3) * _acceptance(each) for each in s])
    acceptance.plot([_acceptance(each) for each in s], speed / speed.max())
    acceptance.axvline(0.574, color="gray", linewidth=0.8)
    acceptance.set(xlabel="accepted, in many dimensions", ylabel="speed, relative to the best")


@derivation.exercise(
    r"With which chance is a move from 1 to 2 accepted, for $\mathcal{N}(0, 1)$ and $h = \frac12$?",
    r"$\log r = \frac18 (1 - 4) = -0.375$, so with $e^{-0.375} = 0.687$.",
)
def one_to_two():
    ratio = acceptance_log_ratio(jnp.ones((1, 1)), jnp.full((1, 1), 2.0), _parabola, step_size=0.5)
    yield ratio, "-0.375"
    yield jnp.exp(ratio), "0.687"


@derivation.exercise(
    r"A proposal goes around: $0 \to 1 \to 2 \to 0$, always. What does the chain do?",
    "Nothing: no move could be taken back, so all are rejected, and $P$ has the diagonal (1, 1, 1). Detailed balance holds, and "
    "every law is stationary.",
)
def around():
    matrix = metropolis_matrix(jnp.log(_HALF), jnp.asarray(np.roll(np.eye(3), 1, axis=1)))
    yield jnp.diag(matrix), "(1, 1, 1)"


@derivation.exercise(
    r"Which acceptance is best in many dimensions, if the speed is $h$ times the acceptance?",
    r"$h$ is proportional to $s^{2/3}$, so $s^{2/3} \Phi(-\frac{s}{2})$ is to be largest: at $s = 1.124$, where 0.574 of the "
    r"steps are accepted.",
)
def best_acceptance():
    s = np.linspace(1.0, 1.3, 30_001)
    best = s[np.argmax([each ** (2 / 3) * _acceptance(each) for each in s])]
    yield best, "1.124"
    yield _acceptance(best), "0.574"
