"""Energy-based models: probabilities from an energy, and learning without their normalizer.

The lecture on the functions of theory_jax/energy/energy_models.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Integral, exp, log, oo, pi, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Product, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.energy_models import (
    boltzmann_log_probs,
    contrastive_loss,
    gaussian_mixture_energy,
    helmholtz_free_energy,
    log_partition,
    quadrature_log_partition,
)
from theory_jax.lectures.energy._energy_models import heating
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Energy-based models: probabilities from an energy, and learning without their normalizer",
    lectures=(),
    sources=(
        "LeCun, Chopra, Hadsell, Ranzato & Huang 2006, A tutorial on energy-based learning",
        "Hinton 2002, Training products of experts by minimizing contrastive divergence",
        "Song & Kingma 2021, How to train your energy-based models",
        "MacKay 2003, Information theory, inference, and learning algorithms, chapter 33",
    ),
    question="A network can give every state a number, its energy, without any constraint. But the probabilities that it "
    "defines contain a sum over all states, which is too long to compute for images, so neither the likelihood nor its "
    "gradient is directly available. How does an energy become a probability model, and how is the model fitted when its "
    "normalizer cannot be computed?",
    setting=(
        "There are finitely many states, with finite energies. A state of energy $+\\infty$ has probability 0 and drops out of "
        "every sum. On a continuous space integrals take the place of sums, where they are finite.",
        "The energies depend on a parameter $\\theta$. A gradient at one $\\theta$ sees the energies there and their slopes, "
        "nothing else; so nothing is lost by letting the energies be linear in $\\theta$, except in the part about "
        "curvature.",
        "Several parameters are treated one at a time, or along a line.",
    ),
    limits=(
        "How samples of the model are drawn: that is the task of Langevin sampling and of contrastive divergence.",
        r"Whether the likelihood has a maximum. For data on one side of all features it does not, and $\theta$ grows without "
        "bound.",
    ),
    trained="The energies of this page are small enough for sums. `energy/regularized_training` trains an energy network.",
)


@derivation.figure(
    "Left: the probabilities of three states with the energies 0, 1 and 1.5 against the temperature: the lowest alone when cold, "
    "all three alike when hot. Right: one gradient step on a model whose energy (gray) has a correction, a sum of bumps. The "
    "step lowers the energy at the data (dots) and raises it where the model has samples (crosses).",
    panels=2,
)
def temperature_and_a_step(cooling, step):
    temperatures = np.geomspace(0.05, 20, 16)
    levels = jnp.array([[0.0, 1.0, 1.5]])
    probs = np.array([np.exp(boltzmann_log_probs(levels, temperature=float(t))[0]) for t in temperatures])
    for n, level in enumerate(("0", "1", "1.5")):
        cooling.semilogx(temperatures, probs[:, n], label=f"energy {level}")
    cooling.set(xlabel="temperature", ylabel="probability", ylim=(0, 1.02))
    cooling.legend()
    line = np.linspace(-4, 5, 200)[:, None]
    before = gaussian_mixture_energy(jnp.asarray(line), np.array([[0.0]]), np.zeros(1), np.zeros(1))
    rng = np.random.default_rng(0)
    seen, drawn = 2.0 + 0.5 * rng.standard_normal(12), rng.standard_normal(12)
    bumps = lambda at: np.exp(-((line - at) ** 2) / 0.5).mean(axis=1)  # noqa: E731
    after = before - 4 * (bumps(seen) - bumps(drawn))
    step.plot(line[:, 0], before, color="gray", label="before")
    step.plot(line[:, 0], after, label="after")
    step.plot(seen, np.full(12, -1.0), "o", markersize=3, label="data")
    step.plot(drawn, np.full(12, -1.5), "x", markersize=4, label="samples")
    step.set(xlabel="state", ylabel="energy", ylim=(-2.2, 8))
    step.legend()


k = derivation.index("k", "a state")
j = derivation.index("j", "a state, next to $k$")
T = derivation.number("T", "the temperature", "temperature", positive=True)
theta = derivation.number(r"\theta", "a parameter of the energies")
a = derivation.numbers("a", k, r"the energies where $\theta$ is 0")
g = derivation.numbers("g", k, r"the slopes of the energies in $\theta$")
E = derivation.define("E", a + theta * g, "the energies", "energies", over=k)
Z = derivation.define("Z", Total(k, exp(-E / T)), "the normalizer, or partition function", "exp(log_partition)", positive=True)
p = derivation.define("p", exp(-E / T) / Z, "the model, a Boltzmann distribution", "exp(boltzmann_log_probs)", over=k, law=True)
F = derivation.define("F", -T * log(Z), "the free energy", "helmholtz_free_energy")

Delta = derivation.number(r"\Delta", "how much the energy of one state is above that of another", positive=True)
derivation.chain(
    "Only differences of energy count",
    log(p / p.at(j)),
    equals(
        (E.at(j) - E) / T,
        "$Z$ cancels in the quotient",
        wrong={"the sign": (E - E.at(j)) / T, "the temperature multiplied": (E.at(j) - E) * T},
    ),
    role="lemma",
    so=prose(
        "A constant added to all energies changes no probability. When $T$ falls to 0, a state above another vanishes against "
        "it, {cold}: the states of least energy are left, all equally probable. When $T$ grows without bound, every quotient "
        "goes to 1, {hot}, and all states become equally probable.",
        cold=holds(Limit(exp(-Delta / T), T, 0), "=", 0),
        hot=holds(Limit(exp(-Delta / T), T, oo), "=", 1),
    ),
)
slope = derivation.chain(
    "The slope of a log-probability needs no normalizer, but an expectation",
    Slope(log(p), theta),
    equals(
        plus(-g / T, -Slope(log(Z), theta)),
        prose("{split}", split=holds(log(p), "=", plus(-E / T, -log(Z)), wrong={"Z": -E / T - Z})),
    ),
    equals(plus(-g / T, -Total(j, Slope(exp(-E.at(j) / T), theta)) / Z), "the derivative of the logarithm, and of a sum"),
    equals(
        plus(-g / T, Expectation(p.at(j), g.at(j) / T)),
        prose(
            "the chain rule, {slope}, and {share}",
            slope=holds(Slope(exp(-E.at(j) / T), theta), "=", times(-g.at(j) / T, exp(-E.at(j) / T))),
            share=holds(exp(-E.at(j) / T) / Z, "=", p.at(j)),
        ),
        wrong={"the mean over states": plus(-g / T, Total(j, g.at(j) / T) / 3)},
    ),
    equals(
        times(1 / T, plus(Expectation(p.at(j), g.at(j)), -g)),
        r"$\frac1T$ is common to both",
        wrong={"turned over": times(1 / T, plus(g, -Expectation(p.at(j), g.at(j))))},
    ),
    central=True,
    so=r"$Z$ is gone. What is left of it is an expectation under the model, which samples of the model estimate.",
)

data = derivation.law(r"\nu", k, "the distribution of the data")
loss = derivation.define(r"\mathcal{L}", Expectation(data, -log(p)), "the mean negative log-likelihood")
q = derivation.law("q", k, "any distribution")
derivation.answer = prose(
    "Low energies are probable: {model}. The gradient of the negative log-likelihood is the mean slope of the energy under "
    "the data, less that under the model, over the temperature, {gradient}: training lowers the energy of data and raises that "
    "of the model's own samples. The normalizer $Z$ is not needed for it, samples are. The model has least free energy, {least}.",
    model=holds(p, "=", exp(-E / T) / Z, wrong={"the sign": exp(E / T) / Z}),
    gradient=holds(Slope(loss, theta), "=", times(1 / T, plus(Expectation(data, g), -Expectation(p, g)))),
    least=holds(plus(Expectation(p, E), -T * Entropy(p)), "=", F),
)
training = derivation.chain(
    "Training lowers the energy of data and raises that of samples",
    Slope(loss, theta),
    equals(
        times(1 / T, plus(Expectation(data, g), -Expectation(p, g))),
        "the last result, averaged over the data, with the sign turned: the expectation under $p$ is a constant of that average",
        wrong={"the sign": times(1 / T, plus(Expectation(p, g), -Expectation(data, g)))},
    ),
    uses=(slope,),
    so=r"It is zero where the slopes have the same mean under the data and the model. It is also the mean slope, divided by $T$, "
    r"of the surrogate $E(x^+) - E(x^-)$ with $x^+$ from the data and $x^-$ from the model, if the samples $x^-$ are held fixed.",
)
derivation.chain(
    "A gradient through the sampler is not that of the likelihood",
    Slope(plus(Expectation(data, E), -Expectation(p, E)), theta),
    equals(
        plus(
            Expectation(data, g),
            -Expectation(p, g),
            times(1 / T, plus(Expectation(p, E * g), -Expectation(p, E) * Expectation(p, g))),
        ),
        prose(
            "the product rule: {slope}",
            slope=holds(Slope(p, theta), "=", times(p, 1 / T, plus(Expectation(p.at(j), g.at(j)), -g))),
        ),
    ),
    states=2,
    so=r"The covariance of $E$ and $g$ is what a gradient through the sampler adds. It is no part of the likelihood's gradient, "
    r"so code detaches the samples.",
    role="remark",
)
derivation.chain(
    "Along a line of linear energies the loss is convex",
    Slope(loss, theta, 2),
    equals(
        times(1 / T**2, Variance(p, g)),
        r"differentiate the model's part as above; the data's part does not depend on $\theta$ for linear energies",
        wrong={
            "over the temperature": Variance(p, g) / T,
            "the second moment": Expectation(p, g**2) / T**2,
            "under the data": Variance(data, g) / T**2,
        },
    ),
    equals(
        times(1 / (2 * T**2), Total(k, Total(j, times(p, p.at(j), (g - g.at(j)) ** 2)))),
        "a variance is half the mean squared difference of two independent draws",
    ),
    at_least(
        0,
        prose(
            "a sum of squares with positive factors; zero only if all slopes are equal, {equal}, where $\\theta$ does nothing",
            equal=where(g, g.at(0)),
        ),
        dropping=times(1 / (2 * T**2), Total(k, Total(j, times(p, p.at(j), (g - g.at(j)) ** 2)))),
    ),
    states=2,
    so="Energies that are linear in several parameters are linear along every line, so the loss is convex in all of them. "
    "A network's energy is not linear, and its loss need not be convex.",
)

derivation.say("What is $-T \\log Z$ itself good for? It is the least value of a functional in which $Z$ does not occur.")
derivation.chain(
    "Every distribution has at least the free energy of the Boltzmann distribution",
    plus(Expectation(q, E), -T * Entropy(q)),
    equals(Expectation(q, plus(E, T * log(q))), prose("{entropy}", entropy=holds(-Entropy(q), "=", Expectation(q, log(q))))),
    equals(
        Expectation(q, plus(-T * log(Z), -T * log(p), T * log(q))),
        prose("{energy}", energy=holds(E, "=", plus(-T * log(p), -T * log(Z)))),
    ),
    equals(plus(F, T * Divergence(q, p)), r"a constant is its own expectation; the rest is a divergence"),
    at_least(
        F,
        prose("leave out the divergence (Gibbs); equality if and only if {same}", same=where(q, p)),
        dropping=T * gibbs.at(q, p),
    ),
    so=r"Low energy and high entropy are weighed by $T$. With the posterior's energy $-\log p(x, z)$ and the temperature 1 the "
    "first line is minus the evidence lower bound, and $F$ is minus the log-evidence.",
)
derivation.chain(
    "Heating lowers the free energy by the entropy",
    Slope(F, T),
    equals(
        plus(-log(Z), -Expectation(p, E) / T),
        prose("the product rule, and {slope}", slope=holds(Slope(exp(-E / T), T), "=", times(E / T**2, exp(-E / T)))),
    ),
    equals(-Entropy(p), prose("{split}", split=holds(log(p), "=", plus(-E / T, -log(Z)))), wrong={"the sign": Entropy(p)}),
    states=2,
    role="remark",
)
derivation.chain(
    "Heating raises the mean energy",
    Slope(Expectation(p, E), T),
    equals(
        times(1 / T**2, Variance(p, E)),
        prose("{slope}", slope=holds(Slope(p, T), "=", times(p, 1 / T**2, plus(E, -Expectation(p.at(j), E.at(j)))))),
        wrong={"over the temperature": Variance(p, E) / T, "the second moment": Expectation(p, E**2) / T**2},
    ),
    at_least(0, "leave out a variance", dropping=times(1 / T**2, Variance(p, E))),
    states=2,
    role="remark",
)
derivation.figure(
    prose(
        "Left: an energy with two wells, and its distributions: cold, nearly all of the mass is in the lower well; hot, it "
        "spreads. Right: the balance of the states of energy 0, 1 and 1.5. Heating raises the mean energy, but the entropy "
        "gains more: the free energy {free} falls, with the slope {slope}.",
        free=holds(F, "=", plus(Expectation(p, E), -T * Entropy(p)), wrong={"the sign": plus(Expectation(p, E), T * Entropy(p))}),
        slope=holds(Slope(F, T), "=", -Entropy(p), named=True, wrong={"the sign": Entropy(p)}),
    ),
    panels=2,
)(heating)

derivation.bridge(
    "The code's probabilities",
    log(p),
    boltzmann_log_probs,
    energies=[E],
    temperature=T,
    wrong={"the sign": log(exp(E / T) / Total(j, exp(E.at(j) / T))), "not normalized": -E / T},
)
derivation.bridge(
    "... its normalizer", log(Z), log_partition, energies=[E], temperature=T, wrong={"times the temperature": T * log(Z), "Z": Z}
)
derivation.bridge(
    "... its free energy",
    F,
    helmholtz_free_energy,
    energies=[E],
    temperature=T,
    wrong={"log Z": log(Z), "over temperature": -log(Z) / T},
)


def _gradient_of_the_surrogate(energies, temperature, slopes, data):
    model = jnp.exp(boltzmann_log_probs(energies[None], temperature=temperature)[0])  # held fixed

    def surrogate(theta):
        moved = energies + theta * slopes
        return contrastive_loss((data @ moved)[None], (model @ moved)[None])[0]

    return jax.grad(surrogate)(0.0)


derivation.bridge(
    "... and the gradient of its surrogate, which is $T$ times that of the loss",
    plus(Expectation(data, g), -Expectation(p, g)),
    _gradient_of_the_surrogate,
    energies=E,
    temperature=T,
    slopes=g,
    data=data,
    calls=(boltzmann_log_probs, contrastive_loss),
    wrong={
        "turned over": plus(Expectation(p, g), -Expectation(data, g)),
        "through the sampler": Slope(plus(Expectation(data, E), -Expectation(p, E)), theta),
    },
)

derivation.say(
    "Two energies on a continuous space have a known normalizer. They are the yardstick for samplers and for quadrature."
)
x = derivation.number("x", "a point of the line")
v = derivation.number("v", "a variance", positive=True)
derivation.chain(
    "A parabola is the energy of a Gaussian",
    Integral(exp(-(x**2) / (2 * v)), (x, -oo, oo)),
    equals(sqrt(2 * pi * v), "the Gaussian integral", wrong={"the deviation for the variance": sqrt(2 * pi) * v}),
    so=prose(
        r"So $\log Z$ is {half} for the energy {energy} at the temperature 1. The logarithm of a density, with its sign turned, "
        r"is an energy whose $\log Z$ is 0; so is that of a mixture, whose weights sum to 1.",
        half=log(2 * pi * v) / 2,
        energy=x**2 / (2 * v),
    ),
    role="remark",
)
c = derivation.index("c", "a component of a mixture")
d = derivation.index("d", "a dimension")
point = derivation.numbers("y", d, "a point", "x")
mean = derivation.numbers("m", (c, d), "the means", "means")
var = derivation.numbers("s", c, "the variances, equal in all dimensions", "exp(log_vars)", positive=True)
weight = derivation.law("w", c, "the weights", "exp(log_weights)")
density = Product(d, exp(-((point - mean) ** 2) / (2 * var)) / sqrt(2 * pi * var))
derivation.bridge(
    "The code's energy of a mixture",
    -log(Expectation(weight, density)),
    gaussian_mixture_energy,
    x=[point],
    means=mean,
    log_vars=log(var),
    log_weights=log(weight),
    wrong={
        "the sign": log(Expectation(weight, density)),
        "no weights": -log(Total(c, density)),
        "one constant": -log(Expectation(weight, Product(d, exp(-((point - mean) ** 2) / (2 * var))) / sqrt(2 * pi * var))),
    },
)

_MEANS, _VARIANCES, _WEIGHTS = np.array([[-1.0, 0.5], [2.0, 0.0]]), np.array([0.5, 1.0]), np.array([0.25, 0.75])


def _mixture(x):
    return gaussian_mixture_energy(jnp.asarray(x), _MEANS, jnp.log(_VARIANCES), jnp.log(_WEIGHTS))


def _cells(dimensions, reach=9.0, steps=45):
    """Midpoints of the cells of a cube, and the volume of a cell."""
    width = 2 * reach / steps
    axes = [np.arange(steps) * width - reach + width / 2] * dimensions
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, dimensions), width**dimensions


derivation.symbol("b", "a constant that is added to all energies")
derivation.symbol(
    r"\log Z_1, \log Z_2", "the log-normalizers of the energy $x^2/2$ and of a mixture of two Gaussians in the plane"
)


@derivation.numeric(
    r"\log Z_1 = \frac{1}{2} \log 2\pi, \quad \log Z_2 = 0",
    because="The rule of rectangles on 45 cells of an axis. It is far more exact than its width suggests: the error of a "
    "Gaussian falls faster than every power of the width.",
    role="remark",
)
def normalizers_by_quadrature():
    found = [quadrature_log_partition(*_cells(1), lambda x: x[:, 0] ** 2 / 2), quadrature_log_partition(*_cells(2), _mixture)]
    half = math.log(2 * math.pi) / 2
    return Sides(
        left=np.array(found),
        right=np.array([half, 0.0]),
        wrong={"no half": np.array([2 * half, 0.0]), "no constant": np.zeros(2)},
    )


_ENERGIES = jnp.array([[0.0, math.log(2), math.log(2)]])


@derivation.algorithm(
    "Maximum likelihood for an energy",
    do(r"repeat: draw $x^+$ from the data"),
    do(r"draw $x^-$ from the model $p$, and hold it fixed", boltzmann_log_probs, by=slope, indent=1),
    do(r"step $\theta$ down the gradient of $(E(x^+) - E(x^-))/T$", contrastive_loss, by=training, indent=1),
)
def two_steps_of_a_parameter():
    """The example's energies (0, theta, theta), with exact means in place of draws and steps of length 2."""
    energies, data, theta = jnp.array([0.0, 1.0, 1.0]), jnp.array([0.75, 0.125, 0.125]), math.log(2)

    def surrogate(theta, model):
        return contrastive_loss((data @ energies * theta)[None], (model @ energies * theta)[None])[0]

    for step, (gradient, after) in enumerate((("-0.25", "1.1931"), ("-0.1275", "1.4482")), start=1):
        model = jnp.exp(boltzmann_log_probs(theta * energies[None]))[0]
        slope = jax.grad(surrogate)(theta, model)
        theta = theta - 2 * slope
        yield rf"\text{{gradient of step {step}}}", slope, gradient
        yield r"\theta \text{ after a step of length } 2", theta, after
    yield r"p \text{ of the last two states, } \tfrac14 \text{ of the data}", 1 / (1 + jnp.exp(theta) / 2), "0.3197"


@derivation.example(
    r"Three states with the energies $0, \log 2, \log 2$. At the temperature 1 the weights are $1, \frac12, \frac12$, at "
    r"$\frac12$ they are $1, \frac14, \frac14$. Then the energies of the last two states are $\theta$, which is $\log 2$, and "
    r"the data have the distribution $(\frac34, \frac18, \frac18)$: half of the model is in these states, and a quarter of the "
    "data."
)
def three_states():
    for t, name, law in ((1.0, "1", "(0.5, 0.25, 0.25)"), (0.5, r"\tfrac12", "(0.6667, 0.1667, 0.1667)")):
        yield rf"p \text{{ at }} T = {name}", jnp.exp(boltzmann_log_probs(_ENERGIES, temperature=t))[0], law
    yield r"\log Z \text{ at } T = 1", log_partition(_ENERGIES)[0], "0.6931"
    yield r"F \text{ at } T = \tfrac12", helmholtz_free_energy(_ENERGIES, temperature=0.5)[0], "-0.2027"
    flat = {a: (0.0, math.log(2), math.log(2)), g: (0, 0, 0), theta: 0, q: (1 / 3, 1 / 3, 1 / 3), T: 1}
    free = plus(Expectation(q, E), -T * Entropy(q))
    yield free, value(free, flat), "-0.6365"
    model = jnp.exp(boltzmann_log_probs(_ENERGIES))[0]
    yield r"\partial \mathcal{L}", jnp.dot(jnp.array([0.0, 1.0, 1.0]), jnp.array([0.75, 0.125, 0.125]) - model), "-0.25"


@derivation.numeric(
    r"\log \sum_k e^{-(E_k + b)} = \log \sum_k e^{-E_k} - b",
    because=r"If $b$ is $-1000$, the exponentials overflow. The code first subtracts the lowest energy, then it divides by $T$.",
    role="appendix",
)
def large_energies():
    moved = log_partition(_ENERGIES - 1000.0)
    return Sides(
        left=moved,
        right=jnp.array([math.log(2) + 1000.0]),
        wrong={"not moved": log_partition(_ENERGIES), "the sign": moved - 2000.0},
    )
