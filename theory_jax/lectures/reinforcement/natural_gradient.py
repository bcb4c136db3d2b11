"""The natural gradient: the steepest step where distance is divergence.

The lecture on the functions of theory_jax/reinforcement/natural_gradient.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Inner, Slope, SquaredNorm, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.reinforcement._natural_steps import (
    draw_divergence,
    draw_steps,
    from_here,
    shortfalls,
    steps_of,
    with_staying,
)
from theory_jax.reinforcement.natural_gradient import (
    backtracking_line_search,
    conjugate_gradient,
    linear_fisher_vector_product,
    natural_step,
    softmax_fisher,
)

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
    question="A step along the gradient may change a policy hardly at all in one place, and beyond recognition in another: it is "
    "measured in the parameters, and what a policy does is its probabilities. Which step is the steepest if it is measured by "
    "what it does to the probabilities, and how is it found without a matrix?",
    setting=(
        r"A policy gives finitely many actions positive probabilities, smooth in the parameters $\theta$. The score of an action "
        "is the gradient of its log-probability. Steps are measured by the divergence of the new policy from the old one.",
        "The Fisher matrix $F$ is the mean of the outer product of the score with itself. For the step it must be positive "
        "definite. That of a softmax is not, since a constant in the logits changes nothing: one logit is fixed, or a multiple "
        "of the identity, the damping, is added.",
    ),
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
    "The Fisher matrix of a softmax is the covariance of its actions",
    Expectation(pi, times(Slope(log(pi), logit.at(b)), Slope(log(pi), logit.at(c)))),
    equals(
        fisher_of_softmax,
        prose(
            r"{score}; three of the products have the mean $\pi_b \pi_c$, two with a minus",
            score=holds(Slope(log(pi), logit.at(b)), "=", plus(KroneckerDelta(a, b), -pi.at(b))),
        ),
    ),
    equals(
        -Expectation(pi, Slope(Slope(log(pi), logit.at(b)), logit.at(c))),
        prose(
            "the slope of the score: for every action {slope}", slope=holds(Slope(pi.at(b), logit.at(c)), "=", fisher_of_softmax)
        ),
        wrong={"the sign": Expectation(pi, Slope(Slope(log(pi), logit.at(b)), logit.at(c)))},
    ),
    states=2,
    role="lemma",
    so=r"This matrix, $\mathrm{diag}(\pi) - \pi \pi^\top$, is also the mean curvature of the log-probability, with a minus.",
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
        prose(
            "{ratio}, and {mean}: the slope is the difference of two means, which is {zero} at the beginning",
            ratio=holds(log(p / moved), "=", plus(log(Expectation(p, exp(t * v))), -t * v)),
            mean=holds(Slope(log(Expectation(p, exp(t * v))), t), "=", Expectation(moved, v)),
            zero=holds(plus(Expectation(moved, v), -Expectation(p, v)), "=", 0, when={t: 0}, named=True),
        ),
    ),
    equals(
        Variance(moved, v),
        prose("{slope}", slope=holds(Slope(moved, t), "=", times(moved, plus(v, -Expectation(moved, v))))),
        wrong={"the square not centered": Expectation(moved, v**2)},
    ),
    equals(
        Total(b, Total(c, times(v.at(b), plus(times(same, moved.at(b)), -moved.at(b) * moved.at(c)), v.at(c)))),
        r"$\mathbb{E}[v^2] - \mathbb{E}[v]^2$, with the square of the mean as a double sum: the direction's length by $F$",
    ),
    states=2,
    so=prose(
        r"At the beginning the curvature is {start}, so the divergence is $\frac12 t^2 v^\top F v$ and terms of third order.",
        start=holds(Slope(K, t, 2), "=", Variance(p, v), when={t: 0}, named=True),
    ),
)
derivation.say(
    "Now any parameters. The policy depends on several of them, and the gradient $g$ of what is to be gained is given. The "
    "natural gradient is the vector $n$ that $F$ takes to $g$."
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
squared = derivation.define("q", Expectation(p, along_n**2), r"$n^\top F n$, which is $g^\top F^{-1} g$", positive=True)
delta = derivation.number(r"\delta", "the divergence that is allowed", "maximum_kl", positive=True)
length = derivation.define("h", sqrt(2 * delta / squared), "the multiple of the natural gradient", positive=True)
derivation.answer = prose(
    r"To second order the divergence is $\frac12 s^\top F s$. Of all steps $s$ with at most $\delta$ of it, {step} gains most, "
    "where $n$ is $F^{-1} g$ and {length}. To first order it moves the policy in the same way whatever its parameters are, and "
    "products of $F$ with vectors are enough to find $n$.",
    step=length * n,
    length=holds(length, "=", sqrt(2 * delta / Inner(j, g, n)), wrong={"the half forgotten": sqrt(delta / Inner(j, g, n))}),
)
crossed = times(Rational(1, 2), Expectation(p, Expectation(p.at(b), (along_n * along_s.at(b) - along_n.at(b) * along_s) ** 2)))
derivation.chain(
    "No step gains more than the natural gradient",
    Inner(j, g, s) ** 2,
    equals(
        plus(times(Expectation(p, along_n**2), Expectation(p, along_s**2)), -crossed),
        prose(
            "$g$ is $F n$, and $F$ a mean of products of scores, so that {gain}; Lagrange's identity",
            gain=holds(Inner(j, g, s), "=", Expectation(p, times(along_n, along_s))),
        ),
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
    so=prose(
        r"If half of the squared length is at most $\delta$, the gain $g^\top s$ is at most {most}, and {step} reaches this.",
        most=holds(Inner(j, g, s), "=", sqrt(2 * delta * squared), named=True),
        step=where(s, times(length, n)),
    ),
)
scaled = derivation.chain(
    "At this multiple the divergence of the step, to second order, is what is allowed",
    times(Rational(1, 2), Total(j, Total(k, times(length * n, F, length * n.at(k))))),
    equals(times(Rational(1, 2), length**2, squared), r"$n^\top F n$ is the mean of the squares of the score along $n$"),
    equals(delta, "the choice of the multiple", wrong={"the half forgotten": 2 * delta}),
    sizes={a: 2},
    role="lemma",
)
zeta = derivation.number(r"\zeta", "the damping", "damping", positive=True)
l = derivation.index("l", "a parameter of another description", states=2)  # noqa: E741 (the lecture's letter)
i = derivation.index("i", "another one, or the same", states=2)
M = derivation.numbers("M", (j, l), r"how the parameters depend on the others: they are $M \omega$")
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
    so=r"The first line is the Fisher matrix of $\omega$ times $m$, so it is the gradient there, $M^\top g$. Hence $F$ takes $u$ "
    r"to $g$ if $M$ has an inverse: the step is $n$. The plain gradient, $M^\top g$, makes the step $M M^\top g$, not $g$.",
)
derivation.say("Where each state has its own softmax, no equation has to be solved.")
r = derivation.numbers("r", a, "what an action is worth")
C = derivation.number("C", "any constant")
derivation.chain(
    "The natural gradient of a softmax is what its actions are worth",
    Total(c, times(fisher_of_softmax, plus(r.at(c), C))),
    equals(
        times(pi.at(b), plus(r.at(b), -Expectation(pi, r))),
        prose("{one}: the constant cancels, and the second product is the mean", one=holds(Total(c, pi.at(c)), "=", 1)),
        wrong={"the constant is left": times(pi.at(b), plus(r.at(b), C))},
    ),
    equals(Slope(Expectation(pi, r), logit.at(b)), "the policy gradient of one decision"),
    states=2,
    so="So $F$ takes $r + C$ to the gradient: probabilities cancel, and a rare action is raised as much as a frequent one of "
    r"the same worth. In a process the gradient in one state is $\frac{1}{1 - \gamma} d \pi A$ and its Fisher matrix $d "
    r"(\mathrm{diag}(\pi) - \pi \pi^\top)$: the occupancy $d$ cancels, too, where it is not zero, and $n$ is $\frac{1}{1 - "
    r"\gamma} A$, the advantages.",
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
    "The Fisher matrix times a vector takes two products, and no matrix",
    Slope(Total(z, Variance(policy, change)) / (2 * states), V.at(b, l)),
    equals(
        product,
        prose(
            "{slope}; the slope of the mean drops out, being multiplied by a mean of deviations",
            slope=holds(Slope(change, V.at(b, l)), "=", times(KroneckerDelta(a, b), phi)),
        ),
    ),
    sizes={a: 2, b: 2, z: 2},
    so=r"The first line is $F V$: the slope of $\frac12 V^\top F V$, the mean divergence to second order. Two products give it.",
    role="lemma",
)
derivation.say(
    "It remains to solve equations with a symmetric positive definite matrix $A$ and the right side $y$ by such products alone. "
    "Conjugate gradients use nothing but products with $A$ and inner products, so coordinates may be chosen: along the "
    "eigenvectors $A$ is diagonal."
)
f = derivation.index("f", "an eigenvalue")
lam = derivation.numbers(r"\lambda", f, "the eigenvalues", positive=True)
y = derivation.numbers("y", f, "the target, along the eigenvectors", "target")
step_0 = derivation.define("h_0", Total(f, y**2) / Total(f, lam * y**2), "how far the first step goes")
rest = derivation.define("r_1", (1 - step_0 * lam) * y, r"the residual $y - A x$ after it", over=f)
turn = derivation.define(r"\beta_1", Total(f, rest**2) / Total(f, y**2), "how much of the last direction is kept")
onward = derivation.define("p_1", rest + turn * y, "the second direction", over=f)
step_1 = derivation.define("h_1", Total(f, rest**2) / Total(f, lam * onward**2), "how far the second step goes")
conjugate = derivation.chain(
    "The next direction is conjugate to the last",
    Total(f, times(lam, y, onward)),
    equals(
        plus(-Total(f, rest**2) / step_0, times(turn, Total(f, y**2)) / step_0),
        prose(
            r"$p_1$ is $r_1 + \beta_1 y$, and {first}, where {right_angle} by the choice of $h_0$",
            first=holds(times(step_0, lam, y), "=", plus(y, -rest)),
            right_angle=holds(Total(f, times(rest, y)), "=", 0),
        ),
    ),
    equals(
        0,
        r"by the choice of $\beta_1$",
        wrong={"old and new exchanged in it": plus(-Total(f, rest**2), Total(f, y**2) ** 2 / Total(f, rest**2)) / step_0},
    ),
    so="Every later iteration repeats this with the residual and the direction that it finds.",
    role="lemma",
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
    role="lemma",
)
derivation.chain(
    "Two steps solve any two equations",
    plus(times(step_0, y), times(step_1, onward)),
    equals(
        y / lam,
        "two conjugate directions span the plane, and each coordinate in them is right for good (if one step has not been "
        "enough)",
        wrong={"steepest descent": plus(times(step_0, y), times(Total(f, rest**2) / Total(f, lam * rest**2), rest))},
    ),
    states=2,
    role="remark",
)
derivation.symbol("x_k", "the vector after $k$ iterations", "conjugate_gradient")
derivation.symbol("x", "the solution")
derivation.symbol(r"\lambda_-, \lambda_+", "the least and the largest eigenvalue")


@derivation.bound(
    r"\frac{\|x_k - x\|_A}{\|x\|_A} \le \frac{2 w^k}{1 + w^{2k}} \le 2 w^k, \quad w = \frac{\sqrt{\lambda_+} - "
    r"\sqrt{\lambda_-}}{\sqrt{\lambda_+} + \sqrt{\lambda_-}}",
    because="$2 w^k / (1 + w^{2k})$ is the least that a polynomial reaches between the eigenvalues (Chebyshev). Twelve of them, "
    "four targets; tight for one iteration, two eigenvalues and a target that is as long along both.",
    role="remark",
)
def conjugate_gradients_converge_with_the_root_of_the_quotient():
    rng = np.random.default_rng(0)
    eigenvalues, counts = jnp.sort(jnp.array([2.0, *rng.uniform(2, 100, 10), 100.0])), np.arange(1, 6, 2)
    reached = jnp.stack([shortfalls(eigenvalues, target, counts) for target in jnp.array(rng.normal(size=(4, 12)))])
    two = jnp.array([2.0, 8.0])

    def sides(reached, eigenvalues, counts):
        root = jnp.sqrt(eigenvalues[-1] / eigenvalues[0])
        w = ((root - 1) / (root + 1)) ** counts
        return reached, jnp.broadcast_to(2 * w / (1 + w**2), reached.shape)

    points, tight = (reached, eigenvalues, counts), (shortfalls(two, jnp.ones(2), counts[:1])[None], two, counts[:1])
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


@derivation.algorithm(
    "A natural policy gradient step",
    do("from the policy's runs: the gradient $g$ of the return"),
    do("$n$: $F n$ equated with $g$, by conjugate gradients from products of $F$", conjugate_gradient, by=conjugate),
    do(r"$s \leftarrow \sqrt{2 \delta / n^\top F n}\; n$", natural_step, by=scaled),
    do(r"halve $s$ until the true divergence is at most $\delta$ and the objective rises", backtracking_line_search),
    do(r"$\theta \leftarrow \theta + s$, and run the new policy"),
)
def two_steps():
    text, moving = r"\text{stay or move; staying in state 1 pays; the logits of moving, from } 0: \quad ", jnp.zeros(2)
    for said in (
        ("(3/32, -5/32)", "(1/2, -5/2)", "(0.1069, -0.5345)"),
        ("(0.1197, -0.1725)", "(0.6651, -2.6651)", "(0.1281, -0.5133)"),
    ):
        gradient, fisher, _ = steps_of(with_staying(moving), 0.01)
        yield rf"{text}g", gradient, said[0]
        yield "n", conjugate_gradient(gradient, lambda v, fisher=fisher: fisher @ v, iterations=2), said[1]
        step, text = natural_step(gradient, fisher, maximum_kl=0.01), ""
        objective, divergence = from_here(moving)
        found, _ = backtracking_line_search(moving, step, objective, divergence, maximum_kl=0.01)
        yield r"s, \; \delta = 0.01", found - moving, said[2]
        moving = found


@derivation.example(
    "One decision among three actions with probabilities 0.5, 0.3, 0.2, worth 1, 0 and 2. Then two equations by hand, with the "
    "rows (3, 1) and (1, 2) of the matrix, and 1 on the right."
)
def by_hand():
    chances, worth = jnp.array([0.5, 0.3, 0.2]), jnp.array([1.0, 0.0, 2.0])
    matrix = softmax_fisher(jnp.log(chances)[None])[0]
    yield r"\text{the first row of } F", matrix[0], "(0.25, -0.15, -0.1)"
    yield r"g = F r", matrix @ worth, "(0.05, -0.27, 0.22)"
    yield r"\text{the shortest solution of } F n = g", np.linalg.pinv(matrix) @ (matrix @ worth), "(0, -1, 1)"
    hard = jnp.array([[3.0, 1.0], [1.0, 2.0]])
    for count, text in ((1, "(2/7, 2/7)"), (2, "(1/5, 2/5)")):
        yield rf"x_{count}", conjugate_gradient(jnp.ones(2), lambda v: hard @ v, iterations=count), text


@derivation.figure(
    "Left: the return of the algorithm's process over all policies (lines of equal return), and steps of the same divergence "
    "along the plain gradient (gray) and the natural gradient (black). Right: the true divergence (solid) and its second-order "
    "form (dashed) against the logit of an action with probability 0.1.",
    panels=2,
)
def arrows_and_divergence(left, right):
    draw_steps(left)
    draw_divergence(right)
