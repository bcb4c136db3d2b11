"""The sparse autoencoder: codes of which few units speak.

The lecture on the functions of theory_jax/latent/sparse_autoencoder.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, exp, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.sparse_autoencoder import (
    bernoulli_sparsity_penalty,
    contractive_penalty,
    iterative_shrinkage_step,
    l1_penalty,
    soft_threshold,
    top_k_activation,
)
from theory_jax.lectures.latent._sparse_autoencoder import (
    DATUM,
    DICTIONARY,
    LARGEST,
    WEIGHT,
    draw_thresholds_and_steps,
    objective,
    shrunk,
    solution,
)
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="The sparse autoencoder: codes of which few units speak",
    sources=(
        "Ng 2011, Sparse autoencoder, CS294A lecture notes",
        "Tibshirani 1996, Regression shrinkage and selection via the lasso",
        "Daubechies, Defrise & De Mol 2004, An iterative thresholding algorithm for linear inverse problems",
        "Rifai, Vincent, Muller, Glorot & Bengio 2011, Contractive auto-encoders",
        "Makhzani & Frey 2014, k-sparse autoencoders",
    ),
    question="A code that is longer than the datum can copy it, and a penalty of squares changes little about that: all units "
    "become smaller, and none is off. A code is forced to choose if only few of its units may be active at once. Why does a "
    "penalty of absolute values switch units off entirely?",
    setting=(
        "A datum $x$ is reconstructed as $D c$ from its code $c$, by a dictionary $D$ with a column for each unit. The loss is "
        r"$\frac12 |x - D c|^2$ and a penalty.",
        "Chains are written for one unit and one coordinate. A number $h$ is written as the difference of its positive and "
        "its negative part, $u - v$, of which one is 0, so that its absolute value is $u + v$.",
    ),
    limits=(
        "How many steps of shrinkage are needed: with nearly parallel columns of the dictionary they are many.",
        "That units of a sparse code mean something to people.",
        "Networks as encoders: they guess the solution in one pass, and the derivation gives their target.",
    ),
)

u = derivation.number("u", r"the positive part of $h$", nonnegative=True)
v = derivation.number("v", r"the negative part of $h$", nonnegative=True)
h = derivation.define("h", plus(u, -v), "the activity of a unit", "code")
lam = derivation.number(r"\lambda", "the weight of the penalty", "threshold", positive=True)
epsilon = derivation.number(r"\epsilon", r"by how much the pull exceeds $\lambda$", nonnegative=True)
derivation.chain(
    "A pull beyond the threshold is shrunk by it",
    plus((h - (lam + epsilon)) ** 2 / 2, times(lam, u + v)),
    equals(
        plus((h - epsilon) ** 2 / 2, lam**2 / 2, times(lam, epsilon), times(2, lam, v)),
        prose("expand the square around $h - \\epsilon$, and {sides}", sides=holds(plus(u, v, -h), "=", 2 * v)),
    ),
    at_least(
        plus(lam**2 / 2, times(lam, epsilon)),
        prose(
            "leave out a square and a product that are not negative; equality at {u} and {v}", u=where(u, epsilon), v=where(v, 0)
        ),
        dropping=plus((h - epsilon) ** 2 / 2, times(2, lam, v)),
    ),
    so=r"Here the pull is $\lambda + \epsilon$, and the best $h$ is the pull less $\lambda$. For negative pulls it is the same "
    "with the signs changed.",
)
part = derivation.number("p", "a pull below the threshold, as a part of it", between=(-1, 1))
x = derivation.define("x", lam * part, "the pull: what the unit would be without a penalty", "x")
penalized = plus((h - x) ** 2 / 2, times(lam, u + v))
kink = plus(times(lam - x, u), times(lam + x, v))
derivation.answer = prose(
    r"The absolute value has a kink at 0. As long as the data pull with less than $\lambda$, the objective rises from 0 to "
    "both sides, with the slopes {right} and {left}, and the unit is exactly 0; beyond that the unit is what is left of the "
    "pull. The same threshold, repeated after steps of gradient descent that are small enough, solves the problem for any "
    "dictionary in the limit, and the objective never rises.",
    right=holds(Slope(penalized, u), "=", plus(lam, -x), when={u: 0, v: 0}, wrong={"of a square": -x}, named=True),
    left=holds(Slope(penalized, v), "=", plus(lam, x), when={u: 0, v: 0}, named=True),
)
central = derivation.chain(
    "A pull below the threshold is ignored",
    penalized,
    equals(
        plus(h**2 / 2, x**2 / 2, kink),
        prose("expand the square, and {kink}", kink=holds(plus(times(lam, u + v), -times(x, h)), "=", kink)),
        wrong={"without a kink": plus(h**2 / 2, x**2 / 2, -times(x, h))},
    ),
    at_least(
        x**2 / 2,
        prose("leave out a square and products; equality at {u} and {v}", u=where(u, 0), v=where(v, 0)),
        dropping=plus(h**2 / 2, kink),
    ),
    central=True,
    so=r"So the best $h$ is the soft threshold of the pull, with its sign and the size $\max(|x| - \lambda, 0)$, and it is 0 for "
    "a whole interval of pulls. A square has no kink:",
)
y = derivation.number("y", "any pull")
t = derivation.number("t", "the activity, now as one number")
left_over = times(lam / (1 + lam), y**2) / 2
derivation.chain(
    "A penalty of squares only shrinks",
    plus((t - y) ** 2 / 2, times(lam, t**2) / 2),
    equals(
        plus(times(1 + lam, (t - y / (1 + lam)) ** 2) / 2, left_over),
        "complete the square",
        wrong={"a threshold, as of the absolute value": plus(times(1 + lam, (t - y + lam) ** 2) / 2, left_over)},
    ),
    at_least(
        left_over,
        prose("leave out the square; equality at {best}, which is 0 without a pull alone", best=where(t, y / (1 + lam))),
        dropping=times(1 + lam, (t - y / (1 + lam)) ** 2) / 2,
    ),
    role="remark",
)
_pulls = np.array([-2.5, -1.0, -0.4, 0.0, 0.3, 1.1, 3.0])
_level = 0.8


@derivation.bound(
    r"\frac12 (s - x)^2 + \lambda |s| + \frac12 (h - s)^2 \le \frac12 (h - x)^2 + \lambda |h|",
    because=r"With $s$ the code's soft threshold of $x$: both chains left out at least $\frac12 (h - s)^2$. At 41 activities for "
    "each of seven pulls. It is tight for activities of the sign of $s$, if $s$ is not 0.",
    role="lemma",
)
def thresholds_of_the_code():
    def sides(pull, activity, factor=1.0):
        best = soft_threshold(pull[:, None], threshold=_level)[:, 0]

        def objective(h):
            return (h - pull) ** 2 / 2 + _level * jnp.abs(h)

        return objective(best) + factor * (activity - best) ** 2 / 2, objective(activity)

    points = np.array(list(itertools.product(_pulls, np.linspace(-4, 4, 41))))
    return BoundSides(
        sides=sides,
        points=tuple(points.T),
        tight=(np.array([-2.5, 3.0]), np.array([-0.5, 1.0])),
        wrong={"the square not halved": lambda pull, activity: sides(pull, activity, 2.0)},
    )


derivation.symbol("s", "the best activity, by the soft threshold", "soft_threshold")
r = derivation.number(r"\sigma", "the deviation of noise on the datum", positive=True)
b = derivation.number("b", "the scale of a Laplace distribution", positive=True)
d = derivation.number("d", "the entry of the dictionary for the unit", "dictionary")
z = derivation.number("z", "a coordinate of a datum", "x")
c = derivation.number("c", "a code", "code")
derivation.chain(
    "The penalty is a prior with a peak",
    -times(r**2, log(times(exp(-((z - d * c) ** 2) / (2 * r**2)), exp(-Abs(c) / b) / (2 * b)))),
    equals(
        plus((z - d * c) ** 2 / 2, times(r**2 / b, Abs(c)), times(r**2, log(2 * b))),
        r"the logarithm of a product; Gaussian noise and a Laplace prior, whose density is $\frac{1}{2b} e^{-|c|/b}$",
        wrong={
            "the scale in place of its inverse": plus((z - d * c) ** 2 / 2, times(r**2 * b, Abs(c)), times(r**2, log(2 * b))),
            "the standard deviation in place of the variance": plus(
                (z - d * c) ** 2 / 2, times(r / b, Abs(c)), times(r**2, log(2 * b))
            ),
        },
    ),
    so=prose(
        "The most probable code is that of the weight {weight}. Samples of a Laplace distribution are not sparse: only the most "
        "probable code is.",
        weight=r**2 / b,
    ),
)

derivation.say(
    "With a dictionary the units share the datum, and no threshold solves that at once. The trick: replace the loss by an upper "
    "bound that treats every unit alone, and is equal at the present code."
)
to = derivation.number("c'", "another code")
slack = derivation.number("a", r"by how much $1/\eta$ exceeds $d^2$", nonnegative=True)
derivation.symbol(r"\eta", r"the step size $1 / (d^2 + a)$", "step_size")
inverse = plus(d**2, slack)
pull = plus(d * c, -z)
middle = plus(c, -d * pull / inverse)
majorized = derivation.chain(
    "A step of gradient descent and a threshold",
    (d * to - z) ** 2 / 2,
    equals(
        plus(pull**2 / 2, times(d * pull, to - c), times(d**2, (to - c) ** 2) / 2), "a parabola, expanded around the present code"
    ),
    at_most(
        plus(pull**2 / 2, times(d * pull, to - c), times(inverse, (to - c) ** 2) / 2),
        prose("$d^2 + a$ in place of $d^2$; equality at the present code, {same}", same=where(to, c)),
        adding=times(slack, (to - c) ** 2) / 2,
    ),
    equals(
        plus(times(inverse, (to - middle) ** 2) / 2, pull**2 / 2, -(d**2) * pull**2 / (2 * inverse)),
        r"complete the square; its center is $c - \eta\, d (d c - z)$, a step of gradient descent",
    ),
    so=r"With the penalty $\lambda |c'|$ added and divided by $\frac1\eta$, the last line is the problem of one unit with the "
    r"pull $c - \eta\, d (d c - z)$ and the weight $\eta \lambda$: its solution is a soft threshold. At the present code the "
    r"bound touches the loss, so the new code is not worse than the old one. With several units the bound needs a $\frac1\eta$ "
    r"of at least the largest eigenvalue of $D^\top D$.",
)
derivation.symbol("F", r"the objective $\frac12 |x - D c|^2 + \lambda |c|_1$")


@derivation.bound(
    "F(c_{k+1}) \\le F(c_k)",
    because="The code's steps on three data with seven units: 40 steps of the largest size that is allowed. Where the solution "
    "is reached it is tight.",
    tolerance=1e-12,
    role="lemma",
)
def shrinkage_never_rises():
    path = jnp.stack([objective(codes) for codes in shrunk(40, 1 / LARGEST)])
    end = jnp.asarray(solution())
    rest = objective(iterative_shrinkage_step(DATUM, end, DICTIONARY, penalty=WEIGHT, step_size=1 / LARGEST))

    def sides(after, before):
        return after, before

    return BoundSides(
        sides=sides,
        points=(path[1:].ravel(), path[:-1].ravel()),
        tight=(rest, objective(end)),
        wrong={"more than one tenth at a time": lambda after, before: (after, 0.9 * before)},
    )


derivation.symbol("k", "a step")


derivation.say("Three other ways to sparse or stiff codes, each with the fact that its code rests on.")
i = derivation.index("i", "active, or not", states=2)
law = derivation.law(r"\rho", i, "the rate that is wanted, and 1 less it", "target")
rate = derivation.law(r"\hat\rho", i, "the mean activity over the batch, and 1 less it", "activations.mean(0)")
derivation.chain(
    "The penalty of a unit's rate is a divergence, zero only on target",
    Expectation(law, log(law / rate)),
    equals(Divergence(law, rate), "by definition"),
    at_least(0, prose("Gibbs; zero if and only if {same} for both", same=where(law, rate)), dropping=gibbs.at(law, rate)),
    role="lemma",
)
rho = derivation.number(r"\varrho", "the target, as one number", "target", between=(0, 1))
hat = derivation.number("w", "the mean activity, as one number", between=(0, 1))
sparsity = plus(times(rho, log(rho / hat)), times(1 - rho, log((1 - rho) / (1 - hat))))
derivation.chain(
    "The slope of the rate's penalty grows without bound at both ends",
    Slope(sparsity, hat),
    equals(
        plus(-rho / hat, (1 - rho) / (1 - hat)),
        "differentiate the logarithms",
        wrong={"the two odds exchanged": plus(log(hat / rho), -log((1 - hat) / (1 - rho)))},
    ),
    equals(
        (hat - rho) / times(hat, 1 - hat),
        "one denominator",
        wrong={"divided by the target's variance": (hat - rho) / times(rho, 1 - rho)},
    ),
    so="A unit that dies would cost without bound, and so would one that is always on. The mean is over the batch: of each "
    "example alone the same penalty would ask for equal, small activities everywhere.",
    role="lemma",
)
derivation.bridge(
    "The code's penalty",
    sparsity,
    bernoulli_sparsity_penalty,
    activations=[[0.5 * hat], [1.5 * hat]],
    target=rho,
    wrong={"the divergence turned over": plus(times(hat, log(hat / rho)), times(1 - hat, log((1 - hat) / (1 - rho))))},
)


@derivation.exact(
    r"\min_S \sum_{i \notin S} x_i^2 = |x - \mathrm{top}_3(x)|^2",
    because="For codes that are not negative, keeping the largest entries is the projection on codes of three units: all sets "
    "$S$ of three among six, and the code's choice.",
    outcomes=20,
    role="remark",
)
def top_k_is_a_projection():
    code = np.array([[0.3, 2.0, 0.7, 1.1, 0.2, 0.9]])
    sets = [np.isin(np.arange(6), kept) for kept in itertools.combinations(range(6), 3)]
    left = np.array([np.sum(np.where(kept, 0.0, code) ** 2) for kept in sets])
    wrong = {"the smallest are kept": left.max(), "two are kept": jnp.sum((code - top_k_activation(code, k=2)) ** 2)}
    return Sides(left=jnp.sum((code - top_k_activation(code, k=3)) ** 2), right=left.min(), wrong=wrong)


derivation.symbol("S", "the units that are kept")
g = derivation.number("g", "a weight", "weight")
o = derivation.number("o", "a bias", "bias")
sigmoid = 1 / plus(1, exp(-plus(g * z, o)))
derivation.chain(
    "The squared slope of a sigmoid unit is large only between off and on",
    Slope(sigmoid, z) ** 2,
    equals(
        times(g**2, sigmoid**2, (1 - sigmoid) ** 2),
        prose("the chain rule: {slope}", slope=holds(Slope(sigmoid, z), "=", times(g, sigmoid, 1 - sigmoid))),
        wrong={"the slope not squared": times(g**2, sigmoid, 1 - sigmoid)},
    ),
    so="Summed over units and coordinates it is the squared norm of the Jacobian. A saturated unit costs next to nothing: the "
    "penalty drives units to 0 or 1, or their weights to 0.",
    role="lemma",
)


@derivation.autodiff(
    r"\sum_{h,j} \left(\frac{\partial s_h}{\partial x_j}\right)^2 = \sum_h s_h^2 (1 - s_h)^2 \sum_j W_{hj}^2",
    because="Three units of four coordinates, two data: the Jacobian by automatic differentiation on the left, the code on the "
    "right.",
    role="lemma",
)
def norm_of_the_jacobian():
    weight, bias = jnp.asarray(DICTIONARY[:, :3].T), jnp.array([0.2, -0.5, 1.0])
    jacobians = jax.vmap(jax.jacobian(lambda x: jax.nn.sigmoid(weight @ x + bias)))(jnp.asarray(DATUM[:2]))
    code = contractive_penalty(jnp.asarray(DATUM[:2]), weight, bias)
    return Sides(left=jnp.sum(jacobians**2, axis=(1, 2)), right=code, wrong={"the norm, not squared": jnp.sqrt(code)})


derivation.symbol("W_{hj} j", "the weights of several units; a coordinate", "weight")


@derivation.algorithm(
    "Iterative shrinkage (ISTA), here with one unit: its entry 2, the datum 3, and the penalty 1",
    do(r"$c \leftarrow 0$, and a step size $\eta$ of at most $1 / \lambda_{\max}(D^\top D)$"),
    do(r"repeat: $c \leftarrow c - \eta D^\top (D c - x)$, gradient descent", by=majorized, indent=1),
    do(r"each entry $c_h \leftarrow$ its soft threshold at $\eta \lambda$", iterative_shrinkage_step, by=central, indent=1),
    do(r"the objective $\frac12 |x - D c|^2 + \lambda |c|_1$ never rises", l1_penalty, by=majorized),
)
def two_steps():
    datum, entry, code = jnp.array([[3.0]]), jnp.array([[2.0]]), jnp.zeros((1, 1))
    for step, reached, cost in ((1, "0.625", "2.1562"), (2, "0.9375", "1.5703")):
        code = iterative_shrinkage_step(datum, code, entry, penalty=1.0, step_size=0.125)
        yield rf"c \text{{ after step {step}, with }} \eta = \tfrac18", code, reached
        yield "F", (3 - 2 * code[0, 0]) ** 2 / 2 + l1_penalty(code)[0], cost


@derivation.example(
    "The pulls 3, -0.5 and 1.2 with the threshold 1. Then the activities 0.5, -2 and 1, of which two are kept. Last a rate of "
    "0.2 where 0.05 is wanted."
)
def by_hand():
    yield r"\text{soft threshold}", soft_threshold(jnp.array([[3.0, -0.5, 1.2]]), threshold=1.0)[0], "(2.0000, 0.0000, 0.2000)"
    yield r"\text{largest two}", top_k_activation(jnp.array([[0.5, -2.0, 1.0]]), k=2)[0], "(0.5000, 0.0000, 1.0000)"
    yield r"|c|_1", l1_penalty(jnp.array([[0.5, -2.0, 1.0]]))[0], "3.5"
    yield r"\text{penalty of the rate}", bernoulli_sparsity_penalty(jnp.array([[0.1], [0.3]]), target=0.05)[0], "0.0939"
    yield r"\text{its slope}", (0.2 - 0.05) / (0.2 * 0.8), "0.9375"


derivation.figure(
    "Left: the best activity for a pull, under a penalty of absolute values and one of squares, both of weight 1. Right: the "
    "objective of three data above its least, by shrinkage with the largest step size that is allowed, with a quarter of it, and "
    "with 2.2 times it, which is too much.",
    panels=2,
)(draw_thresholds_and_steps)
