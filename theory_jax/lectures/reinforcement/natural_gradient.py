"""The natural gradient: the steepest step where distance is divergence.

The lecture on the functions of theory_jax/reinforcement/natural_gradient.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Inner, Slope, SquaredNorm, Total, Variance, plus, times
from theory_jax.lectures.reinforcement.markov_decision import PAID, STAY_OR_MOVE
from theory_jax.reinforcement.markov_decision import state_occupancy
from theory_jax.reinforcement.natural_gradient import (
    backtracking_line_search,
    conjugate_gradient,
    linear_fisher_vector_product,
    natural_step,
    softmax_fisher,
)
from theory_jax.reinforcement.policy_gradient import policy_gradient

derivation = Derivation(
    module=__name__,
    title="The natural gradient: the steepest step where distance is divergence",
    lectures=(53,),
    sources=(
        "Amari 1998, Natural gradient works efficiently in learning",
        "Kakade 2001, A natural policy gradient",
        "Hestenes & Stiefel 1952, Methods of conjugate gradients for solving linear systems",
        "Schulman, Levine, Abbeel, Jordan & Moritz 2015, Trust region policy optimization, appendix C",
        "Martens 2020, New insights and perspectives on the natural gradient method",
    ),
    question="A gradient is the steepest direction if steps are measured in the parameters. But what a policy does is its "
    "probabilities, and the same change of them may be a large step in one set of parameters and a small one in another. Which "
    "step is the steepest if it is measured by what it does to the probabilities, and how is it found without a matrix?",
    setting=(
        r"A policy gives finitely many actions positive probabilities, smooth in the parameters $\theta$. The score of an action "
        "is the gradient of its log-probability. Steps are measured by the divergence of the new policy from the old one.",
        "The Fisher matrix $F$ is the mean of the outer product of the score with itself. For the step it must be positive "
        "definite. That of a softmax is not, since a constant in the logits changes nothing: one logit is fixed, or a multiple "
        "of the identity, the damping, is added.",
    ),
    answer=r"To second order the divergence is $\frac12 s^\top F s$. Of all steps $s$ within a bound $\delta$ on it, $\sqrt{2 "
    r"\delta / g^\top F^{-1} g} \, F^{-1} g$ gains most. It moves the policy in the same way whatever its parameters are, and "
    "$F^{-1} g$ takes a few products of $F$ with vectors.",
    limits=(
        "Fisher matrices that are estimated from samples, and products through networks that are not linear.",
        "How far the second-order divergence is from the true one: the line search measures the latter.",
        "Conjugacy in conjugate gradients is derived for the first two iterations; their rate is compared, not derived.",
    ),
    trained="`reinforcement/trust_region` trains with these directions.",
)

a = derivation.index("a", "an action")
b = derivation.index("b", "an action whose logit is changed")
c = derivation.index("c", "another one, or the same")
logit = derivation.numbers("x", a, "the logits", "logits")
Z = derivation.define("Z", Total(a, exp(logit)), "what normalizes the policy", positive=True)
pi = derivation.define(r"\pi", exp(logit) / Z, "the policy in one state, a softmax", "softmax(logits)", over=a, law=True)
same = KroneckerDelta(b, c)
fisher_of_softmax = plus(times(same, pi.at(b)), -pi.at(b) * pi.at(c))
derivation.chain(
    "The Fisher matrix of a softmax",
    Expectation(pi, times(Slope(log(pi), logit.at(b)), Slope(log(pi), logit.at(c)))),
    equals(
        fisher_of_softmax,
        r"the score is $\mathbf{1}[a = b] - \pi_b$; three of the products have the mean $\pi_b \pi_c$, two with a minus",
    ),
    equals(
        -Expectation(pi, Slope(Slope(log(pi), logit.at(b)), logit.at(c))),
        r"$\partial \pi_b / \partial x_c$ is $\pi_b (1 - \pi_b)$ for $b = c$ and $-\pi_b \pi_c$ otherwise, for every action",
        wrong={"the sign": Expectation(pi, Slope(Slope(log(pi), logit.at(b)), logit.at(c)))},
    ),
    states=2,
    role="lemma",
    so=r"$F = \mathrm{diag}(\pi) - \pi \pi^\top$ is also the mean curvature of the log-probability, with a minus.",
)
t = derivation.number("t", "how far the policy has gone")
derivation.say(
    "How does the divergence grow along a direction in the logits? Any policy $p$ is the softmax of its logarithms; raising them "
    "by $t v$ is to multiply the probabilities by $e^{t v}$, and to normalize them."
)
p = derivation.law("p", a, "the policy in one state, of whatever form")
v = derivation.numbers("v", a, "a direction in the logits")
moved = derivation.define(
    "p^t", p * exp(t * v) / Total(b, p.at(b) * exp(t * v.at(b))), r"the policy with the logits $\log p + t v$", over=a, law=True
)
K = derivation.define("K", Divergence(p, moved), "the divergence of the policy there from the old one")
derivation.chain(
    "The divergence begins flat, and its curvature is the length of the direction by the Fisher matrix",
    Slope(K, t, 2),
    equals(
        Slope(plus(Expectation(moved, v), -Expectation(p, v)), t),
        r"$\log p_a - \log p^t_a = \log \mathbb{E}_p[e^{t v}] - t v_a$, and $\partial \log \mathbb{E}[e^{tv}] / \partial t = "
        r"\mathbb{E}[v e^{tv}] / \mathbb{E}[e^{tv}]$: the slope is the difference of two means, zero at $t = 0$",
    ),
    equals(
        Variance(moved, v),
        r"$\partial p^t_a / \partial t = p^t_a (v_a - \mathbb{E}_{p^t}[v])$",
        wrong={"the square not centered": Expectation(moved, v**2)},
    ),
    equals(
        Total(b, Total(c, times(v.at(b), plus(times(same, moved.at(b)), -moved.at(b) * moved.at(c)), v.at(c)))),
        r"$\mathbb{E}[v^2] - \mathbb{E}[v]^2$, with the square of the mean as a double sum: the direction's length by $F$",
    ),
    states=2,
    so=r"So $\mathrm{KL}(p \,\|\, p^t) = \frac12 t^2 v^\top F v$ and terms of third order.",
)
derivation.say(
    "Now any parameters. The policy depends on several of them, and the gradient $g$ of what is to be gained is given. The "
    "natural gradient is the vector $n$ with $F n = g$."
)
j = derivation.index("j", "a parameter", states=2)
k = derivation.index("k", "another one, or the same", states=2)
psi = derivation.numbers(r"\psi", (a, j), "the score: the slope of the logarithm of a probability in a parameter")
F = derivation.define("F", Expectation(p, psi * psi.at(a, k)), "the Fisher matrix", "fisher", over=(j, k))
n = derivation.numbers("n", j, "the natural gradient", "conjugate_gradient")
g = derivation.define("g", Total(k, F * n.at(k)), "the gradient", "gradient", over=j)
s = derivation.numbers("s", j, "a step")
along_n = derivation.define("N", Total(j, n * psi), "the score along the natural gradient", over=a)
along_s = derivation.define("S", Total(j, s * psi), "the score along the step", over=a)
squared = derivation.define("q", Expectation(p, along_n**2), r"$n^\top F n = g^\top F^{-1} g$", positive=True)
crossed = times(Rational(1, 2), Expectation(p, Expectation(p.at(b), (along_n * along_s.at(b) - along_n.at(b) * along_s) ** 2)))
derivation.chain(
    "No step gains more than the natural gradient",
    Inner(j, g, s) ** 2,
    equals(
        plus(times(Expectation(p, along_n**2), Expectation(p, along_s**2)), -crossed),
        r"$g = F n$, and $F$ is a mean of products of scores, so this is $(\mathbb{E}_p[N S])^2$; Lagrange's identity",
    ),
    at_most(
        times(Expectation(p, along_n**2), Expectation(p, along_s**2)),
        "leave out the squares; they are zero only if one score is a multiple of the other, as it is for a step along $n$",
        adding=crossed,
    ),
    equals(
        times(squared, Total(j, Total(k, times(s, F, s.at(k))))),
        r"a mean of squares of the score along a step is the square of the step's length by $F$",
        wrong={"the plain length": times(squared, SquaredNorm(j, s))},
    ),
    central=True,
    so=r"If $\frac12 s^\top F s \le \delta$, the gain $g^\top s$ is at most $\sqrt{2 \delta g^\top F^{-1} g}$, and a multiple of "
    "$n = F^{-1} g$ reaches it.",
)
delta = derivation.number(r"\delta", "the divergence that is allowed", "maximum_kl", positive=True)
length = derivation.define("h", sqrt(2 * delta / squared), "the multiple of the natural gradient", positive=True)
derivation.chain(
    "How long the step is",
    times(Rational(1, 2), Total(j, Total(k, times(length * n, F, length * n.at(k))))),
    equals(times(Rational(1, 2), length**2, squared), r"$n^\top F n$ is the mean of the squares of the score along $n$"),
    equals(delta, r"$h = \sqrt{2 \delta / q}$", wrong={"the half forgotten": 2 * delta}),
    sizes={a: 2},
)
zeta = derivation.number(r"\zeta", "the damping", "damping", positive=True)
l = derivation.index("l", "a parameter of another description", states=2)  # noqa: E741 (the lecture's letter)
i = derivation.index("i", "another one, or the same", states=2)
M = derivation.numbers("M", (j, l), r"how the parameters depend on the others: $\theta = M \omega$")
derivation.symbol(r"\omega", "the other parameters")
m = derivation.numbers("m", l, "the natural gradient in the other parameters")
psi_other = derivation.define(r"\chi", Total(j, psi * M), "the score in the other parameters (chain rule)", over=(a, l))
u = derivation.define("u", Total(l, M * m), "the same step in the first parameters", over=j)
derivation.chain(
    "The natural gradient is the same step in other parameters",
    Expectation(p, times(psi_other, Total(i, psi_other.at(a, i) * m.at(i)))),
    equals(
        Total(j, times(M, Total(k, F * u.at(k)))),
        "sum over the other parameters first, and take the change of the parameters out of the mean",
        wrong={"transposed": Total(j, times(M.at(l, j), Total(k, F * u.at(k))))},
    ),
    sizes={a: 2},
    so=r"The first line is the Fisher matrix of $\omega$ times $m$, so it is the gradient there, $M^\top g$. Hence $F u = g$ if "
    r"$M$ has an inverse: the step is $n$. The plain gradient, $M^\top g$, makes the step $M M^\top g$ in place of $g$.",
)
derivation.say("Where each state has its own softmax, no equation has to be solved.")
r = derivation.numbers("r", a, "what an action is worth")
C = derivation.number("C", "any constant")
derivation.chain(
    "The natural gradient of a softmax is what its actions are worth",
    Total(c, times(fisher_of_softmax, plus(r.at(c), C))),
    equals(
        times(pi.at(b), plus(r.at(b), -Expectation(pi, r))),
        r"$\sum_c \pi_c = 1$: the constant cancels, and the second product is the mean",
        wrong={"the constant is left": times(pi.at(b), plus(r.at(b), C))},
    ),
    equals(Slope(Expectation(pi, r), logit.at(b)), "the policy gradient of one decision"),
    states=2,
    so="So $n = r + C$ solves $F n = g$: probabilities cancel, and a rare action is raised as much as any other. In a process "
    r"the gradient in one state is $\frac{1}{1 - \gamma} d \pi A$ and its Fisher matrix $d (\mathrm{diag}(\pi) - \pi \pi^\top)$: "
    r"the occupancy $d$ cancels, too, where it is not zero, and $n = \frac{1}{1 - \gamma} A$, the advantages.",
)
derivation.symbol("A", "the advantages of the actions", "action_value - value")
derivation.symbol("d", "the share of discounted time in a state", "state_occupancy")
derivation.symbol(r"\gamma", "the discount", "discount")
derivation.say("Where states share parameters, $F$ is large. Let the logits be linear in features.")
z = derivation.index("z", "a state")
states = derivation.count(z, "B", "the number of states")
policy = derivation.law(r"\pi({}|{})", (a, z), "the policy in a state", "softmax(logits)")
phi = derivation.numbers(r"\phi", (z, l), "the features of a state", "features")
V = derivation.numbers("V", (a, l), "a direction in the parameters", "vector")
change = derivation.define("w", Total(l, phi * V), "how it changes the logits", over=(a, z))
product = Total(z, times(policy.at(b, z), plus(change.at(b, z), -Expectation(policy, change)), phi)) / states
derivation.chain(
    "The Fisher matrix times a vector, without the matrix",
    Slope(Total(z, Variance(policy, change)) / (2 * states), V.at(b, l)),
    equals(
        product,
        r"$\partial w_{a,z} / \partial V_{b,l}$ is $\phi_{z,l}$ for $a = b$ and zero else; the slope of the mean drops out, "
        "being multiplied by a mean of deviations",
    ),
    sizes={a: 2, b: 2, z: 2},
    so=r"The first line is $F V$: the slope of $\frac12 V^\top F V$, the mean divergence to second order. Two products give it.",
)
derivation.say(
    "It remains to solve $A x = y$ for a symmetric positive definite $A$ by such products alone. Conjugate gradients use nothing "
    "but products with $A$ and inner products, so coordinates may be chosen: along the eigenvectors $A$ is diagonal."
)
f = derivation.index("f", "an eigenvalue")
lam = derivation.numbers(r"\lambda", f, "the eigenvalues", positive=True)
y = derivation.numbers("y", f, "the target, along the eigenvectors", "target")
step_0 = derivation.define("h_0", Total(f, y**2) / Total(f, lam * y**2), "how far the first step goes")
rest = derivation.define("r_1", (1 - step_0 * lam) * y, r"the residual $y - A x$ after it", over=f)
turn = derivation.define(r"\beta_1", Total(f, rest**2) / Total(f, y**2), "how much of the last direction is kept")
onward = derivation.define("p_1", rest + turn * y, "the second direction", over=f)
step_1 = derivation.define("h_1", Total(f, rest**2) / Total(f, lam * onward**2), "how far the second step goes")
derivation.chain(
    "The next direction is conjugate to the last",
    Total(f, times(lam, y, onward)),
    equals(
        plus(-Total(f, rest**2) / step_0, times(turn, Total(f, y**2)) / step_0),
        r"$p_1 = r_1 + \beta_1 y$ and $h_0 A y = y - r_1$, where $r_1^\top y = 0$ by the choice of $h_0$",
    ),
    equals(
        0,
        r"by the choice of $\beta_1$",
        wrong={"old and new exchanged in it": plus(-Total(f, rest**2), Total(f, y**2) ** 2 / Total(f, rest**2)) / step_0},
    ),
    so="Every later iteration repeats this with the residual and the direction that it finds.",
)
c_0 = derivation.number("c_0", "how far the solution is along the first direction")
c_1 = derivation.number("c_1", "how far it is along the second")
derivation.chain(
    "In conjugate directions squared distances add up",
    Total(f, lam * (c_0 * y + c_1 * onward) ** 2),
    equals(
        plus(times(c_0**2, Total(f, lam * y**2)), times(c_1**2, Total(f, lam * onward**2))),
        r"multiply out; the product of both directions with $A$ between them is zero",
    ),
    so="So every step takes one of these terms away, and no later step brings it back. Conjugate directions are linearly "
    "independent: $N$ of them are a basis for $N$ equations, and after $N$ steps nothing is left.",
)
derivation.chain(
    "Two steps solve any two equations",
    plus(times(step_0, y), times(step_1, onward)),
    equals(
        y / lam,
        "two conjugate directions span the plane, and each coordinate in them is right for good",
        wrong={"steepest descent": plus(times(step_0, y), times(Total(f, rest**2) / Total(f, lam * rest**2), rest))},
    ),
    states=2,
)
derivation.symbol("x_k", "the vector after $k$ iterations", "conjugate_gradient")
derivation.symbol("x", "the solution")
derivation.symbol(r"\lambda_-, \lambda_+", "the least and the largest eigenvalue")


def _shortfalls(eigenvalues, target, counts):
    """|x_k - x|_A / |x|_A of conjugate gradients after so many iterations, each."""
    solution = target / eigenvalues
    found = [conjugate_gradient(target, lambda v: eigenvalues * v, iterations=int(count)) - solution for count in counts]
    lengths = [jnp.sqrt(jnp.sum(eigenvalues * v**2)) for v in (*found, solution)]
    return jnp.stack(lengths[:-1]) / lengths[-1]


@derivation.bound(
    r"\frac{\|x_k - x\|_A}{\|x\|_A} \le \frac{2 w^k}{1 + w^{2k}} \le 2 w^k, \quad w = \frac{\sqrt{\lambda_+} - "
    r"\sqrt{\lambda_-}}{\sqrt{\lambda_+} + \sqrt{\lambda_-}}",
    because="$2 w^k / (1 + w^{2k})$ is the least that a polynomial reaches between the eigenvalues (Chebyshev). Twelve of them, "
    "four targets; tight for one iteration, two eigenvalues and a target that is as long along both.",
)
def conjugate_gradients_converge_with_the_root_of_the_quotient():
    rng = np.random.default_rng(0)
    eigenvalues, counts = jnp.sort(jnp.array([2.0, *rng.uniform(2, 100, 10), 100.0])), np.arange(1, 6, 2)
    reached = jnp.stack([_shortfalls(eigenvalues, target, counts) for target in jnp.array(rng.normal(size=(4, 12)))])
    two = jnp.array([2.0, 8.0])

    def sides(reached, eigenvalues, counts):
        root = jnp.sqrt(eigenvalues[-1] / eigenvalues[0])
        w = ((root - 1) / (root + 1)) ** counts
        return reached, jnp.broadcast_to(2 * w / (1 + w**2), reached.shape)

    points, tight = (reached, eigenvalues, counts), (_shortfalls(two, jnp.ones(2), counts[:1])[None], two, counts[:1])
    return BoundSides(sides=sides, points=points, tight=tight, wrong={"twice as fast": lambda r, f, k: sides(r, f, 2 * k)})


derivation.bridge("The code computes the Fisher matrix of a softmax", fisher_of_softmax, softmax_fisher, logits=[logit])
derivation.bridge(
    "... its product with a vector, over states, damped",
    plus(product, times(zeta, V.at(b, l))),
    linear_fisher_vector_product,
    vector=V,
    features=[phi.at(state, l) for state in range(3)],
    logits=[log(policy.at(a, state)) for state in range(3)],
    damping=zeta,
    states=3,
)


def solved(target, eigenvalues):
    """conjugate_gradient for the diagonal matrix of these eigenvalues."""
    return conjugate_gradient(target, lambda v: eigenvalues * v, iterations=4)


derivation.bridge(
    "... the solution by conjugate gradients", y / lam, solved, target=y, eigenvalues=lam, calls=(conjugate_gradient,)
)
derivation.bridge(
    "... and the step",
    times(length, n),
    natural_step,
    gradient=g,
    fisher=F,
    maximum_kl=delta,
    wrong={"along the plain gradient": times(length, g)},
    states=4,
)


@derivation.exact(
    r"\max \{ 2^{-k} : \mathrm{KL}(p \,\|\, p^t) \le \delta \text{ and the objective is better at } t = 2^{-k} \}",
    because="The line search halves the step until the true divergence is within the bound and the objective better, at most "
    "four times. Two actions with probabilities 0.9 and 0.1, the logit of the second raised by 2; four bounds; an objective that "
    "is the probability of the second action, or of the first, or is best where the second has 0.2.",
    outcomes=12,
    role="remark",
)
def the_line_search_measures_the_true_divergence():
    old = jnp.log(jnp.array([0.9, 0.1]))

    def divergence(logits):
        return jnp.sum(jnp.exp(old) * (old - jax.nn.log_softmax(logits)))

    def second(logits):
        return jax.nn.softmax(logits)[1]

    def searched(objective, bound):
        return backtracking_line_search(old, jnp.array([0.0, 2.0]), objective, divergence, maximum_kl=bound, attempts=4)[1]

    goals = second, lambda logits: -second(logits), lambda logits: -((second(logits) - 0.2) ** 2)
    found = np.array([[searched(goal, bound) for bound in (0.5, 0.18, 0.05, 0.001)] for goal in goals])
    right = np.array([[1.0, 0.5, 0.25, 0.0], [0.0] * 4, [0.5, 0.5, 0.25, 0.0]])
    wrong = {"by the divergence alone": np.array([[1.0, 0.5, 0.25, 0.0]] * 3)}
    return Sides(left=found, right=right, wrong=wrong)


FROM_0 = jnp.array([1.0, 0.0])


def _steps(logits, bound):
    """The gradient in the logits of moving (those of staying are fixed), its Fisher matrix, and the natural step."""
    gradient = policy_gradient(FROM_0, STAY_OR_MOVE, PAID, logits, discount=0.5)[:, 1]
    shares = state_occupancy(FROM_0, STAY_OR_MOVE, jax.nn.log_softmax(logits), discount=0.5)
    fisher = jnp.diag(shares * softmax_fisher(logits)[:, 1, 1])
    return gradient, fisher, natural_step(gradient, fisher, maximum_kl=bound)


@derivation.example(
    "One decision among three actions with probabilities 0.5, 0.3, 0.2, worth 1, 0 and 2. Then a process: stay, or move to the "
    r"other state; staying in state 1 pays 1, $\gamma = \frac12$, both actions are as likely; its parameters are the logits of "
    "moving. Then two equations by hand: $3 x + z = 1$ and $x + 2 z = 1$."
)
def by_hand():
    chances, worth = jnp.array([0.5, 0.3, 0.2]), jnp.array([1.0, 0.0, 2.0])
    matrix = softmax_fisher(jnp.log(chances)[None])[0]
    yield r"\text{the first row of } F", matrix[0], "(0.25, -0.15, -0.1)"
    yield r"g = F r", matrix @ worth, "(0.05, -0.27, 0.22)"
    yield r"\text{the shortest solution of } F n = g", np.linalg.pinv(matrix) @ (matrix @ worth), "(0, -1, 1)"
    gradient, fisher, step = _steps(jnp.zeros((2, 2)), 0.01)
    yield r"\text{the process: } g", gradient, "(3/32, -5/32)"
    yield r"\text{the diagonal of } F = d \cdot \tfrac12 \cdot \tfrac12", jnp.diag(fisher), "(3/16, 1/16)"
    yield r"n", gradient / jnp.diag(fisher), "(1/2, -5/2)"
    yield r"\text{the step for } \delta = 0.01: \sqrt{0.02 \cdot 16/7} \, n", step, "(0.1069, -0.5345)"
    hard = jnp.array([[3.0, 1.0], [1.0, 2.0]])
    for count, text in ((1, "(2/7, 2/7)"), (2, "(1/5, 2/5)")):
        yield rf"x_{count}", conjugate_gradient(jnp.ones(2), lambda v: hard @ v, iterations=count), text


@derivation.figure(
    "Left: the return of the example's process over all policies (lines of equal return), and steps of the same divergence along "
    "the plain gradient (gray) and the natural gradient (black). Right: the true divergence (solid) and its second-order form "
    "(dashed) against the logit of an action with probability 0.1.",
    panels=2,
)
def arrows_and_divergence(left, right):
    move, stay = np.meshgrid(*[np.linspace(0, 1, 21)] * 2)
    left.contour(move, stay, move * stay / (1 - (stay - move) / 2), levels=9, colors="gray", linewidths=0.8)
    at = np.array([(0.5, 0.5), *itertools.product((0.2, 0.8), repeat=2)])
    logits = jnp.log(jnp.stack([1 - at[:, 0], at[:, 0], at[:, 1], 1 - at[:, 1]], axis=1)).reshape(-1, 2, 2)
    gradients, fishers, naturals = jax.vmap(lambda logits: _steps(logits, 0.02))(logits)
    plains = gradients * jnp.sqrt(0.04 / jnp.einsum("bj,bjk,bk->b", gradients, fishers, gradients))[:, None]
    slopes = at * (1 - at) * np.array([1, -1])  # of the probabilities in the logits of moving
    for steps, color in ((plains, "gray"), (naturals, "black")):
        for begin, end in zip(at, at + slopes * np.asarray(steps), strict=True):
            left.annotate("", end, begin, arrowprops={"arrowstyle": "->", "color": color})
    left.set(xlabel="probability of moving in state 0", ylabel="probability of staying in state 1")
    raised = np.linspace(-3, 3, 41)
    right.plot(raised, np.log(0.9 + 0.1 * np.exp(raised)) - 0.1 * raised)
    curvature = softmax_fisher(jnp.log(jnp.array([[0.9, 0.1]])))[0, 1, 1]
    right.plot(raised, curvature * raised**2 / 2, "--")
    right.set(xlabel="what is added to the logit", ylabel="divergence from the old policy")


@derivation.exercise(
    "In the example's process, how long is the step in state 0 relative to that in state 1, along the plain gradient and along "
    "the natural one?",
    r"Plain: $\frac{3}{32} : \frac{5}{32}$, a ratio of 0.6. Natural: $\frac12 : \frac52$, a ratio of 0.2. State 1 is visited a "
    "third as often as state 0; the plain gradient counts that, the natural one undoes it.",
)
def ratios_of_steps():
    gradient, _, step = _steps(jnp.zeros((2, 2)), 0.01)
    yield -gradient[0] / gradient[1], "0.6"
    yield -step[0] / step[1], "0.2"


@derivation.exercise(
    r"The step for $\delta = 0.01$ there is made. What is the true mean divergence, over the states with their shares?",
    r"The logits of moving become 0.1069 and -0.5345, so the divergences are 0.001428 and 0.03530, and $\frac34 \cdot 0.001428 + "
    r"\frac14 \cdot 0.03530 = 0.0099$: a little less than 0.01.",
)
def the_true_divergence():
    step = _steps(jnp.zeros((2, 2)), 0.01)[2]
    each = jnp.logaddexp(0.0, step) - jnp.log(2.0) - step / 2
    yield each, "0.001428 and 0.03530"
    yield jnp.array([0.75, 0.25]) @ each, "0.0099"


@derivation.exercise(
    "An action has probability 0.1, and its logit is raised, or lowered, by 1. Is the divergence above its second-order form?",
    r"The second-order form is 0.045 for both. Raised: $\log(0.9 + 0.1 e) - 0.1 = 0.0586$, larger. Lowered: $\log(0.9 + 0.1 / e) "
    r"+ 0.1 = 0.0347$, smaller. An action that becomes likelier becomes more variable first.",
)
def a_rare_action():
    yield softmax_fisher(jnp.log(jnp.array([[0.9, 0.1]])))[0, 1, 1] / 2, "0.045"
    for raised, text in ((1.0, "0.0586"), (-1.0, "0.0347")):
        yield jnp.log(0.9 + 0.1 * jnp.exp(raised)) - 0.1 * raised, text
