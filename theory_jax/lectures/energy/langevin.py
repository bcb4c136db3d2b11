"""Langevin sampling: a random walk that has a given distribution, and the price of its steps.

The lecture on the functions of theory_jax/energy/langevin.py.
"""

from itertools import combinations

import jax.numpy as jnp
import numpy as np
from sympy import Max, Min, exp, log, sqrt

from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.langevin import (
    clipped_langevin_step,
    gaussian_stationary_variance,
    langevin_sample,
    langevin_step,
    stochastic_gradient_step,
)
from theory_jax.lectures.energy._langevin_chains import MOMENTS, bias_and_two_wells, particles_find_the_density, two_steps

derivation = Derivation(
    module=__name__,
    title="Langevin sampling: a random walk that has a given distribution, and the price of its steps",
    sources=(
        "Roberts & Tweedie 1996, Exponential convergence of Langevin distributions and their discrete approximations",
        "Welling & Teh 2011, Bayesian learning via stochastic gradient Langevin dynamics",
        "Wibisono 2018, Sampling as optimization in the space of measures",
        "Du & Mordatch 2019, Implicit generation and modeling with energy-based models",
    ),
    question="Gradient descent on an energy ends at the bottom of a well, and every sample is the same. What is needed are "
    "samples of the whole distribution, of which only the slope of the energy is known, and not the normalizer. Which random "
    "walk has this distribution in the long run, and what does its step of finite length cost?",
    setting=(
        "$E$ has two continuous derivatives, $T$ is positive, and $e^{-E/T}$ has a finite integral $Z$.",
        "Most of it is written in one dimension. In several, products of slopes are inner products, second derivatives are "
        "Laplace operators, and every coordinate has its own noise.",
        "Test functions are smooth and vanish outside of a bounded interval.",
    ),
    limits=(
        "Whether the chain with finite $h$ has a stationary distribution for energies that are no parabolas, and how far it is "
        "off. For energies that grow faster than a parabola it need not have one: far out every step overshoots.",
        "How long a chain takes from one mode to another: exponentially long in the height of the barrier, divided by $T$.",
        "The limit of the chain as a process in continuous time, and what clipping the state does.",
    ),
    trained="A sampler has no parameters. `energy/regularized_training` draws with it in each step of training.",
)

x = derivation.number("x", "the state", "x")
h = derivation.number("h", "the length of a step", "step_size", positive=True)
T = derivation.number("T", "the temperature", "temperature", positive=True)
xi = derivation.number(r"\xi", "standard normal noise, independent of the past", "noise")
E = derivation.function("E", "the energy", "energy_fn")
phi = derivation.function(r"\varphi", "a test function")
sigma = derivation.define(r"\sigma", sqrt(2 * h * T), "the deviation of the noise of a step", positive=True)
_SHAKE = Normal(xi, 0, 1)
_ONE = holds(Expectation(_SHAKE, xi**2), "=", 1)
_MOVE = plus(-h * Slope(E(x), x), sigma * xi)
_RATE = plus(-times(Slope(E(x), x), Slope(phi(x), x)), T * Slope(phi(x), x, 2))

derivation.say(
    prose(
        r"The distribution of a random state is known by the means of test functions $\varphi$ of it. So watch what one step "
        "does to such a mean, and first for a single state. The step adds {move} to it; by Taylor's formula the test function "
        "changes by the body of the first line, up to higher powers of the move; their mean is of the order $h^2$, since {odd}.",
        move=_MOVE,
        odd=holds(Expectation(_SHAKE, xi**3), "=", 0),
    )
)
derivation.symbol("x'", "the state after a step")
rate = derivation.chain(
    "To first order a step moves the mean of a test function downhill, and toward where it bends upward",
    Expectation(_SHAKE, plus(times(Slope(phi(x), x), _MOVE), times(Slope(phi(x), x, 2), _MOVE**2) / 2)),
    equals(
        plus(
            -times(h, Slope(E(x), x), Slope(phi(x), x)),
            times(plus(sigma**2, h**2 * Slope(E(x), x) ** 2), Slope(phi(x), x, 2)) / 2,
        ),
        prose("{mean} and {square}", mean=holds(Expectation(_SHAKE, xi), "=", 0), square=_ONE),
        wrong={
            "noise of variance hT": plus(
                -times(h, Slope(E(x), x), Slope(phi(x), x)),
                times(plus(sigma**2 / 2, h**2 * Slope(E(x), x) ** 2), Slope(phi(x), x, 2)) / 2,
            )
        },
    ),
    equals(
        plus(times(h, _RATE), times(h**2, Slope(E(x), x) ** 2, Slope(phi(x), x, 2)) / 2),
        prose("{variance}; sort by powers of $h$", variance=holds(sigma**2, "=", 2 * h * T)),
    ),
    role="lemma",
    so=r"For small $h$ the mean moves at the rate $-E' \varphi' + T \varphi''$: downhill, and toward where $\varphi$ bends "
    r"upward.",
)
Z = derivation.number("Z", "the normalizer", positive=True)
p = derivation.define("p(x)", exp(-E(x) / T) / Z, "the density to be sampled")
derivation.say(r"Average this rate over states that have the distribution $p$ already.")
stationary = derivation.chain(
    "The Boltzmann distribution is stationary",
    times(p, _RATE),
    equals(
        plus(times(T, Slope(p, x), Slope(phi(x), x)), times(T, p, Slope(phi(x), x, 2))),
        prose("{slope}, the slope of the exponential", slope=holds(times(T, Slope(p, x)), "=", -times(Slope(E(x), x), p))),
    ),
    equals(
        T * Slope(times(p, Slope(phi(x), x)), x),
        "the product rule, read backward",
        wrong={"the other factor's slope": T * Slope(times(phi(x), Slope(p, x)), x)},
    ),
    central=True,
    uses=(rate,),
    so=r"The integral of a derivative is the difference of its values at the ends, and there $\varphi'$ vanishes: under $p$ no "
    r"mean moves, to first order in $h$; in several dimensions each coordinate gives such a derivative. The normalizer was not "
    r"needed. With noise $\sqrt{h T}\, \xi$ instead of $\sqrt{2hT}\, \xi$ the second line would have $\frac{T}{2}$: the walk "
    r"would sample half the temperature.",
)
derivation.chain(
    "The Boltzmann distribution solves the stationary Fokker-Planck equation",
    plus(Slope(times(Slope(E(x), x), p), x), T * Slope(p, x, 2)),
    equals(Slope(plus(times(Slope(E(x), x), p), T * Slope(p, x)), x), "the derivative of a sum"),
    equals(0, "the slope of the exponential once more"),
    role="remark",
    so=r"The flux $-E' p - T p'$ is zero everywhere: what drifts downhill comes back by the noise.",
)
psi = derivation.function(r"\psi", "another test function")
derivation.chain(
    "In the limit of small steps the walk is reversible",
    times(psi(x), p, _RATE),
    equals(
        plus(T * Slope(times(psi(x), p, Slope(phi(x), x)), x), -times(T, p, Slope(phi(x), x), Slope(psi(x), x))),
        r"the last result, and the product rule for $\psi \cdot p \varphi'$",
    ),
    role="remark",
    so=r"The first term integrates to zero, the second is symmetric in $\varphi$ and $\psi$: forward and backward the walk in "
    "equilibrium looks alike, as the step goes to zero.",
)

m = derivation.number("m", "the mean of the distribution that the walk has now")
S = derivation.number("S", "its variance", positive=True)
v = derivation.number("v", r"the target's variance, for the energy $x^2 / (2v)$ at the temperature 1", "variance", positive=True)
_NOW, _TARGET = Normal(x, m, S), Normal(x, 0, v)
derivation.say(
    r"So $p$ is stationary; that other distributions move toward it is a second claim. For Gaussians the rates of $x$ and of "
    r"$x^2$ give $-\frac{m}{v}$ for the mean and $2 - \frac{2S}{v}$ for the variance, where a step takes the time $h$."
)
derivation.chain(
    "For Gaussians, and to first order in the step, the divergence from the target falls",
    plus(times(Slope(Divergence(_NOW, _TARGET), m), -m / v), times(Slope(Divergence(_NOW, _TARGET), S), plus(2, -2 * S / v))),
    equals(
        plus(times(m / v, -m / v), times(plus(1 / v, -1 / S) / 2, plus(2, -2 * S / v))),
        prose("{kl}", kl=holds(Divergence(_NOW, _TARGET), "=", plus((S + m**2) / v, -1, -log(S / v)) / 2)),
    ),
    equals(
        plus(-((m / v) ** 2), -S * plus(1 / v, -1 / S) ** 2),
        prose("{rate}", rate=holds(plus(2, -2 * S / v), "=", times(-2 * S, plus(1 / v, -1 / S)))),
    ),
    equals(
        -Expectation(_NOW, plus(x / v, -(x - m) / S) ** 2),
        "the difference of the two scores has this mean square: its mean, squared, and its variance",
    ),
    at_most(0, "add a mean of squares", adding=Expectation(_NOW, plus(x / v, -(x - m) / S) ** 2)),
    so="The rate is minus the mean squared difference of the scores, twice the Fisher divergence; it is zero only if both "
    "distributions are equal.",
)

derivation.answer = prose(
    "The walk that adds {step} to its state, with {variance} and standard normal noise. To first order in $h$ the distribution "
    "$e^{-E/T}/Z$ is stationary. At finite $h$ the chain settles, if at all, on another: on a parabola of variance $v$ on the "
    "variance {settled}, which a step leaves as it is, {fixed}, and on none if $h$ is $2v$ or more. A slope estimated from a "
    "minibatch adds its own noise; its share vanishes with $h$.",
    step=_MOVE,
    variance=holds(sigma**2, "=", 2 * h * T, wrong={"half of it": h * T}),
    settled=where(S, T * v / (1 - h / (2 * v))),
    fixed=holds(plus(times((1 - h / v) ** 2, S), 2 * h * T), "=", S, wrong={"without the bias": T * v}),
)
derivation.say(
    "All of this was to first order in $h$. The price of a finite step is known in closed form where the energy is a parabola; "
    "now at any temperature."
)
_STEP = plus(x, -h * x / v, sigma * xi)
derivation.chain(
    "On a parabola a step shrinks the variance and adds that of the noise",
    Expectation(Normal(x, 0, S), Expectation(_SHAKE, _STEP**2)),
    equals(
        Expectation(Normal(x, 0, S), plus(times((1 - h / v) ** 2, x**2), sigma**2)),
        "the moments of the noise, as above",
        wrong={"noise of variance hT": Expectation(Normal(x, 0, S), plus(times((1 - h / v) ** 2, x**2), sigma**2 / 2))},
    ),
    equals(
        plus(times((1 - h / v) ** 2, S), 2 * h * T),
        prose("{square}, and the variance of the noise", square=holds(Expectation(Normal(x, 0, S), x**2), "=", S)),
    ),
    role="lemma",
)
u = derivation.number("u", "the step as a share of the largest stable one, $2v$", between=(0, 1))
settled = derivation.define(
    "S^*", T * v / (1 - h / (2 * v)), "where the variance settles, for steps shorter than $2v$", "gaussian_stationary_variance"
)
contraction = derivation.chain(
    "On a parabola the variance approaches one value, by the same factor at every step",
    plus(times((1 - h / v) ** 2, S), 2 * h * T, -settled),
    equals(
        times((1 - h / v) ** 2, plus(S, -settled)),
        prose("{fixed}", fixed=holds(settled, "=", plus(times((1 - h / v) ** 2, settled), 2 * h * T))),
        wrong={
            "toward the true variance": times((1 - h / v) ** 2, plus(S, -T * v)),
            "the factor of the mean": times(1 - h / v, plus(S, -settled)),
        },
    ),
    so=r"After $k$ steps the distance from $S^*$ is $(1 - \frac{h}{v})^{2k}$ times what it was. In several dimensions $v$ is "
    r"each eigenvalue of the covariance: the smallest limits the step, and the mean shrinks slowest along the largest.",
)
derivation.symbol("S_k", "the variance after $k$ steps")
derivation.chain(
    "The variance is too large by half a step times the temperature, to first order",
    plus(settled, -T * v),
    equals(
        times(T * h / 2, 1 / (1 - h / (2 * v))),
        prose("{share}, with $u$ for $h$ over $2v$", share=holds(plus(1 / (1 - u), -1), "=", u / (1 - u))),
        wrong={"too narrow": -times(T * h / 2, 1 / (1 - h / (2 * v)))},
    ),
    so=r"The bias goes to $\frac{Th}{2}$ for small steps: it halves with $h$, and is of the first order. A temperature "
    r"multiplies the whole variance.",
)
excess = derivation.number("s", "by how much a step is longer than $2v$", positive=True)
derivation.chain(
    "Steps longer than twice the variance diverge",
    (1 - (2 * v + excess) / v) ** 2,
    equals(
        plus(1, 2 * excess / v, (excess / v) ** 2),
        prose("{factor}", factor=holds(plus(1, -(2 * v + excess) / v), "=", -plus(1, excess / v))),
    ),
    at_least(1, "leave out positive terms", dropping=plus(2 * excess / v, (excess / v) ** 2)),
    uses=(contraction,),
    so=prose(
        "At {limit} the factor of the variance is {one} and every step adds {more}; beyond, it is above 1. So the chain "
        "converges for shorter steps alone.",
        limit=where(h, 2 * v),
        one=holds((1 - h / v) ** 2, "=", 1, named=True),
        more=holds(2 * h * T, "=", 4 * v * T, named=True),
    ),
    role="remark",
)
a = derivation.number("a", "a step of the slope", "step_size", positive=True)
g = derivation.number("g", "the limit of the slope's entries", "gradient_limit", positive=True)
c = derivation.number("c", "a deviation of the noise, chosen apart from the step", "noise_scale", positive=True)
tau = derivation.define(r"\tau", c**2 / (2 * a), "the temperature that such a chain samples", positive=True)
derivation.chain(
    "Step and noise chosen apart set a temperature",
    sqrt(2 * a * tau),
    equals(
        c,
        r"the definition of $\tau$: with it, $x - a E'(x) + c\, \xi$ is a Langevin step of length $a$",
        wrong={"the variance": c**2, "without the two": sqrt(2) * c},
    ),
    role="remark",
    so=r"Recipes for images often take 10 for $a$ and 0.005 for $c$, a temperature of $1.25 \cdot 10^{-6}$. Such a chain is "
    r"gradient descent with a little jitter, and the model is trained for the samples that this gives. In one dimension a slope "
    r"that is clipped to $\pm g$ is the slope of another energy, which grows linearly where it is steeper than $g$; clipped "
    "entry by entry in several dimensions it need not be the slope of any.",
)

i = derivation.index("i", "a datum of a minibatch")
count = derivation.count(i, "M", "the size of the minibatch")
g_i = derivation.numbers(r"\ell", i, "the slopes of the data's log-likelihoods", "gradient_log_likelihood")
g_0 = derivation.number(r"\ell_0", "the slope of the log-prior", "gradient_log_prior")
unseen = derivation.number("R", "how many data the minibatch leaves out", positive=True)
N = derivation.define("N", count + unseen, "how many data there are", "dataset_size", positive=True)
theta = derivation.number(r"\theta", "a parameter of a Bayesian model", "parameters")
derivation.say(
    r"Where the energy is minus a log-posterior of $N$ data, its slope costs a pass over all of them. A minibatch of $M$, drawn "
    r"without replacement, estimates it: each datum is in it with the probability $\frac{M}{N}$, so $\frac{N}{M}$ times the sum "
    r"of what is seen has the sum over all data as its mean. With $\frac{h}{2}$ for $h$ the step is $\theta + \frac{h}{2} "
    r"(\ell_0 + \frac{N}{M} \sum_i \ell_i) + \sqrt{h}\, \xi$."
)
derivation.bridge(
    "The code's step by a minibatch",
    plus(theta, times(h / 2, plus(g_0, times(N / count, Total(i, g_i)))), sqrt(h) * xi),
    stochastic_gradient_step,
    parameters=[theta],
    noise=[xi],
    gradient_log_prior=[g_0],
    gradient_log_likelihood=[[g_i.at(number)] for number in range(4)],
    step_size=h,
    dataset_size=N,
    wrong={
        "the noise of the whole step": plus(theta, times(h / 2, plus(g_0, times(N / count, Total(i, g_i)))), sqrt(2 * h) * xi)
    },
)
_GRADIENTS = np.array([[1.0], [2.0], [3.0], [6.0], [-4.0], [0.5]])


derivation.symbol(r"\hat{\ell}, \ell_n", r"the estimate $\frac{N}{M} \sum_i \ell_i$, and the slope of the datum $n$ of all")
derivation.symbol("n", "a datum of all")
derivation.symbol(r"\bar{\ell}", "the mean of all slopes")


@derivation.exact(
    r"\mathbb{E}[\hat{\ell}] = \sum_n \ell_n, \qquad \mathrm{Var}[\hat{\ell}] = \frac{N^2}{M} \left(1 - \frac{M}{N}\right) "
    r"\frac{1}{N - 1} \sum_n \left(\ell_n - \bar{\ell}\right)^2",
    because="The code on all 20 minibatches of 3 of 6 data, each equally likely. A draw without replacement has a smaller "
    "variance than one with replacement: none, if all data are drawn.",
    outcomes=20,
    role="lemma",
)
def mean_and_variance_over_minibatches():
    zero = np.zeros(1)
    step = lambda some: stochastic_gradient_step(zero, zero, zero, _GRADIENTS[list(some)], step_size=2.0, dataset_size=6)  # noqa: E731
    estimates = np.array([step(some)[0] for some in combinations(range(6), 3)])
    total, variance = _GRADIENTS.sum(), 36 / 3 * (1 - 3 / 6) * _GRADIENTS.var(ddof=1)
    wrong = {"not scaled by N/M": [total / 2, variance / 4], "with replacement": [total, variance * 2 * 5 / 6]}
    return Sides(left=[estimates.mean(), estimates.var()], right=[total, variance], wrong=wrong)


noise_of_slope = derivation.number("V", "the variance of the minibatch's estimate of the slope", positive=True)
settled_noisy = derivation.define(
    "S^{**}",
    v * (1 + h * noise_of_slope / 4) / (1 - h / (4 * v)),
    r"where such a chain settles, for a posterior $\mathcal{N}(0, v)$",
)
derivation.chain(
    "The noise of the minibatch loses its share as the step shrinks",
    plus(times((1 - h / (2 * v)) ** 2, settled_noisy), times(h**2 / 4, noise_of_slope), h),
    equals(
        settled_noisy,
        r"a step multiplies the variance by $(1 - \frac{h}{2v})^2$ and adds $\frac{h^2}{4} V$ by the estimate, $h$ by the noise",
        wrong={
            "the estimate without noise": v / (1 - h / (4 * v)),
            "the noise of the slope by h": v * (1 + noise_of_slope) / (1 - h / (4 * v)),
        },
    ),
    so=r"It is $v$ times $1 + \frac{h}{4}(V + \frac1v)$ to first order: both biases go with $h$, provided that $V$ does not "
    r"depend on $\theta$. With many data and small minibatches $V$ is large, and $h$ must be far below $4/V$.",
    role="remark",
)

derivation.bridge(
    "The code's step, on a quartic energy",
    plus(x, -h * Slope(x**4 / 4 - x, x), sigma * xi),
    langevin_step,
    x=[x],
    noise=[xi],
    energy_fn=lambda x: x**4 / 4 - x,
    step_size=h,
    temperature=T,
    wrong={"noise of variance hT": plus(x, -h * Slope(x**4 / 4 - x, x), sigma * xi / 2)},
)
second = derivation.number(r"\xi_2", "the noise of a second step", "noises")
derivation.bridge(
    r"... two steps on a parabola",
    plus(times(1 - h / v, _STEP), sigma * second),
    langevin_sample,
    x=[x],
    noises=[[xi], [second]],
    energy_fn=function_of(x, x**2 / (2 * v)),
    step_size=h,
    temperature=T,
    wrong={"the noises exchanged": plus(times(1 - h / v, plus(x, -h * x / v, sigma * second)), sigma * xi), "one step": _STEP},
)
derivation.bridge(
    "... the variance on which it settles, at the temperature 1 and for steps of $2vu$",
    v / (1 - u),
    gaussian_stationary_variance,
    variance=v,
    step_size=2 * v * u,
    wrong={"to first order": v * (1 + u), "half of the bias": v / (1 - u / 2), "twice the bias": v / (1 - 2 * u)},
)
derivation.bridge(
    "... and the clipped step, with bounds at $-1$ and 1",
    Max(-1, Min(1, x - a * Max(-g, Min(g, x / v)) + c * xi)),
    clipped_langevin_step,
    x=[x],
    noise=[xi],
    energy_fn=function_of(x, x**2 / (2 * v)),
    step_size=a,
    noise_scale=c,
    gradient_limit=g,
    wrong={
        "the slope not clipped": Max(-1, Min(1, x - a * x / v + c * xi)),
        "the state not clipped": x - a * Max(-g, Min(g, x / v)) + c * xi,
    },
)


@derivation.monte_carlo(
    r"S_k = S^* - (1 - h)^{2k} S^* \quad\text{at } k = 12,\; h = 0.8",
    because=r"4000 chains on the energy $x^2/2$ at the temperature 1, all of which start at zero; they settle on $\frac53$.",
    role="remark",
)
def simulated_variance():
    noises = np.random.default_rng(0).standard_normal((12, 4000))
    ends = langevin_sample(jnp.zeros(4000), noises, lambda x: x**2 / 2, step_size=0.8)
    wanted = 5 / 3 * (1 - 0.2**24)
    return SampleSides(samples=np.asarray(ends) ** 2, expected=wanted, wrong={"no bias": 1.0, "noise of variance h": wanted / 2})


derivation.symbol("k", "how many steps the chain has taken")


derivation.algorithm(
    "Langevin sampling",
    do("start with any state $x$"),
    do(r"repeat: draw $\xi \sim \mathcal{N}(0, 1)$"),
    do(r"$x \leftarrow x - h E'(x) + \sqrt{2 h T}\, \xi$", langevin_step, by=stationary, indent=1),
    do(
        r"on a parabola the variance settles on $T v / (1 - h / 2v)$: take smaller steps where that is too large",
        gaussian_stationary_variance,
        by=contraction,
    ),
)(two_steps)


@derivation.example(
    r"The energy $x^2/2$ at the temperature 1: a standard normal distribution. Half the step has half the bias, but only to "
    r"first order; with the step 1 the state is forgotten every time, and $\sqrt2\, \xi$ comes after it. Last, the temperature "
    "of an image recipe, and a minibatch."
)
def standard_normal():
    for step, said in (("0.1", "1.0526"), ("0.05", "1.0256"), ("0.8", "1.6667"), ("1", "2")):
        yield rf"S^* \text{{ at }} h = {step}", value(settled, {T: 1, v: 1, h: float(step)}), said
    yield tau, value(tau, {a: 10, c: 0.005}), "1.25e-6"
    zero, seen = np.zeros(1), np.array([[1.0], [6.0]])
    moved = stochastic_gradient_step(zero, zero, zero, seen, step_size=0.5, dataset_size=4)[0]
    yield r"\tfrac{h}{2} \hat{\ell} \text{ of the slopes 1 and 6, two of 4 data, at } h = \tfrac12", moved, "3.5"


derivation.figure(
    "100 particles leave one place for a density with three wells, whose weights are 0.6, 0.2 and 0.2 (gray: a half of its "
    "highest value, a quarter, and so on). Left: gradient descent takes all of them to the bottom of one well. Right: the same "
    "steps with their noise. The particles fill this well first, and then the others.",
    panels=2,
    frames=["start", *(f"step {moment}" for moment in MOMENTS[1:])],
)(particles_find_the_density)
derivation.figure(
    r"Left: the variance on which the chain settles, as a multiple of the true one, against the step; dashed, its first order. "
    r"At $2v$ it has a pole. Right: histograms of 4000 chains after 60 steps on an energy with two wells, over its density "
    r"(gray). Long steps flatten the wells.",
    panels=2,
)(bias_and_two_wells)
