"""Solving an ordinary differential equation: order, error and stability of a step.

The lecture on the functions of theory_jax/flows/ode_solvers.py.
"""

import math
from itertools import combinations_with_replacement

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol
from sympy import Symbol as Letter

from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import plus, times
from theory_jax.flows.ode_solvers import (
    METHODS,
    TABLEAUS,
    dormand_prince_step,
    error_ratio,
    euler_step,
    midpoint_step,
    next_step_size,
    runge_kutta_4_step,
    solve_adaptive,
    solve_fixed,
)

derivation = Derivation(
    module=__name__,
    title="Solving an ordinary differential equation: order, error and stability of a step",
    sources=(
        "Dormand & Prince 1980, A family of embedded Runge-Kutta formulae",
        "Hairer, Norsett & Wanner 1993, Solving Ordinary Differential Equations I, sections II.1 to II.4",
        "Chen et al. 2018, Neural ordinary differential equations",
    ),
    question="A flow in continuous time is given by its velocity alone. How is it followed in steps, how fast does the error "
    "fall with their size, how is the error known without the solution, and when do the steps explode?",
    setting=(
        r"$x' = v(x, t)$ with a velocity that is as often differentiable as an order needs, and Lipschitz continuous in $x$.",
        r"An explicit Runge-Kutta step has stages $k_i = v(x + h \sum_{j < i} a_{ij} k_j,\; t + c_i h)$ with $c_i = \sum_j "
        r"a_{ij}$, and ends at $x + h \sum_i b_i k_i$.",
        r"The local error is what a single step from a point of the solution misses. A method has order $p$ if the local error "
        r"is $O(h^{p+1})$ for every such velocity.",
    ),
    answer="The order is decided by finitely many equations between the coefficients, one for each rooted tree. Many steps lose "
    "one power of the size. Two methods of neighboring orders from the same stages estimate the error of the lower one, and the "
    "size of the next step follows. On a linear equation a step multiplies by a polynomial; where that exceeds 1 in size, the "
    "steps explode although the solution decays.",
    limits=(
        "That the conditions on trees suffice for systems of equations: Butcher's theorem, which is stated.",
        "Implicit methods, which stay stable for stiff equations.",
        "That the error's coefficient is the same in the next step. It is not, hence the caution of 0.9.",
    ),
    trained="A solver has no parameters. `flows/continuous_flow` trains through one, `flows/flow_matching` draws with one.",
)

h = derivation.number("h", "the size of a step", "step_size", positive=True)
v = derivation.number("v", "the velocity at the start of the step", "velocity_fn(x, time)")
by_x = derivation.number("v_x", "its slope in the place")
by_t = derivation.number("v_t", "its slope in the time")
a = derivation.number("a", "where the second stage is, as a share of the step")
b1, b2 = (derivation.number(f"b_{n}", f"the weight of stage {n}") for n in (1, 2))
derivation.chain(
    "Two stages: what a step misses, up to the second power of its size",
    plus(h * (b1 * v + b2 * (v + by_x * a * h * v + by_t * a * h)), -(h * v + h**2 / 2 * (by_t + by_x * v))),
    equals(
        plus(times(h, b1 + b2 - 1, v), times(h**2, a * b2 - Rational(1, 2), by_t + by_x * v)),
        r"the solution has $x'' = v_t + v_x v$ by the chain rule, the second stage is $v + a h (v_t + v_x v)$ but for terms in "
        r"$h^2$; collect powers of $h$",
        wrong={"without the half": plus(times(h, b1 + b2 - 1, v), times(h**2, a * b2 - 1, by_t + by_x * v))},
    ),
    central=True,
    so=r"Order two for every velocity means $b_1 + b_2 = 1$ and $b_2 a = \frac12$: one method for each $a$, and the midpoint's "
    r"for $a = \frac12$. Euler's has $b_2 = 0$, misses $\frac{h^2}{2} x''$, and has order one.",
)
derivation.say(
    "Higher orders bring one equation for each way of nesting derivatives, which is a rooted tree: a node is the "
    r"velocity, its branches for derivatives in $x$. For a tree $\tau$ with branches $\tau_1, \tau_2, \ldots$ let "
    r"$\Phi_i(\tau) = \prod_k \sum_j a_{ij} \Phi_j(\tau_k)$, and $\gamma(\tau) = |\tau| \prod_k \gamma(\tau_k)$ with the number "
    r"of nodes $|\tau|$. Butcher's theorem: order $p$ holds exactly if $\sum_i b_i \Phi_i(\tau) = 1/\gamma(\tau)$ for all trees "
    r"of at most $p$ nodes."
)
for letter, words in (
    (r"\tau", "a rooted tree"),
    (r"\Phi", "what a tree makes of the coefficients"),
    (r"\gamma", "the density of a tree"),
    ("b_i", "a weight of the method"),
    ("i", "a stage"),
):
    derivation.symbol(letter, words)


def _trees(most):
    """Rooted trees by the number of their nodes, 1 to most; a tree is the tuple of its branches."""
    found = {1: [()]}
    for nodes in range(2, most + 1):
        smaller = [(size, tree) for size in range(1, nodes) for tree in found[size]]
        found[nodes] = [
            tuple(tree for _, tree in chosen)
            for count in range(1, nodes)
            for chosen in combinations_with_replacement(smaller, count)
            if sum(size for size, _ in chosen) == nodes - 1
        ]
    return found


def _density(tree):
    """The number of nodes, and gamma."""
    below = [_density(branch) for branch in tree]
    nodes = 1 + sum(size for size, _ in below)
    return nodes, nodes * math.prod(gamma for _, gamma in below)


def _stage_values(tree, rows):
    """Phi_i of every stage."""
    below = [_stage_values(branch, rows) for branch in tree]
    return [math.prod(sum(a * phi for a, phi in zip(row, each, strict=False)) for each in below) for row in rows]


def _conditions(rows, weights, trees):
    """How many of the trees' equations hold, in rational numbers."""
    sums = [sum(b * phi for b, phi in zip(weights, _stage_values(tree, rows), strict=True)) for tree in trees]
    return sum(found * _density(tree)[1] == 1 for found, tree in zip(sums, trees, strict=True))


@derivation.exact(
    r"\sum_i b_i \Phi_i(\tau) = \frac{1}{\gamma(\tau)}",
    because="The number of trees with one to five nodes for which it holds, in rational numbers. There are 1, 1, 2, 4 and 9 of "
    "them. Euler's method satisfies the first, the midpoint's two; the classical one all up to order four, and Dormand and "
    "Prince's weights all up to order five; their other weights all up to order four, and none of the nine after it.",
    outcomes=17 * 5,
)
def orders_by_trees():
    trees = _trees(5).values()
    methods = [(each.coefficients, each.weights) for each in TABLEAUS.values()]
    methods.append((TABLEAUS["dormand_prince"].coefficients, TABLEAUS["dormand_prince"].compared))
    found = np.array([[_conditions(*method, some) for some in trees] for method in methods])
    wanted = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 2, 4, 0], [1, 1, 2, 4, 9], [1, 1, 2, 4, 0]])
    return Sides(
        left=found,
        right=wanted,
        wrong={"the other weights of order five": wanted[[0, 1, 2, 3, 3]], "one tree less": wanted - (wanted == 9)},
    )


derivation.say(
    r"From one step to many. The error $E_n$ after $n$ steps is at most $(1 + h \Lambda) E_{n-1} + C h^{p+1}$, where $\Lambda$ "
    r"is the Lipschitz constant of $\sum_i b_i k_i$: insert the step from the solution's own point, and use the triangle "
    r"inequality."
)
p, N = (
    derivation.number(name, words, positive=True, integer=True)
    for name, words in (("p", "the order of the method"), ("N", "the number of steps"))
)
C = derivation.number("C", r"the constant of the local error", positive=True)
Lip = derivation.number(r"\Lambda", "the Lipschitz constant of a step", positive=True)


def _after(count):
    return C * h ** (p + 1) * ((1 + h * Lip) ** count - 1) / (h * Lip)


derivation.chain(
    "The errors of all steps are a geometric sum",
    plus(times(1 + h * Lip, _after(N)), C * h ** (p + 1)),
    equals(
        _after(N + 1),
        r"one common denominator; without steps the formula gives 0, so it holds for every number of them",
        wrong={"errors only added": (N + 1) * C * h ** (p + 1)},
    ),
    so=r"One power of $h$ cancels: the local error of order $p + 1$ becomes a global one of order $p$.",
)


@derivation.bound(
    r"\frac{(1 + h \Lambda)^N - 1}{h \Lambda} \le \frac{e^{N h \Lambda} - 1}{h \Lambda}",
    because=r"$1 + y \le e^y$ for every $y$. With $N h = T$ the error at the time $T$ is at most $C h^p (e^{\Lambda T} - 1)/"
    r"\Lambda$: it grows exponentially with the time, and vanishes with the size of the steps.",
)
def growth_of_errors():
    def sides(y, steps):
        return jnp.expm1(steps * jnp.log1p(y)) / y, jnp.expm1(steps * y) / y

    def wrong(y, steps):
        return sides(y, steps)[0], jnp.expm1(steps * y) / y * 0.9

    y, steps = np.array([0.01, 0.1, 1.0, 3.0, 1e-14]), np.array([100.0, 7.0, 3.0, 2.0, 4.0])
    return BoundSides(sides=sides, points=(y, steps), tight=(y[4:], steps[4:]), wrong={"nine tenths": wrong})


kappa = derivation.number(r"\kappa", "the ratio of the error to what is allowed, at $h = 1$", positive=True)
r = derivation.define("r", kappa * h**5, "... at the size of the step", "error_ratio", positive=True)
f = derivation.number("f", "the factor from this size to the next", positive=True)
derivation.say(
    r"The values of order five and four differ by the error of the latter, $\kappa h^5$ but for higher powers. The value of "
    "order five is kept."
)
derivation.chain(
    "The error at the next size",
    kappa * (f * h) ** 5,
    equals(times(f**5, r), r"the definition of $r$", wrong={"in proportion": times(f, r)}),
    so=r"It is what is allowed, 1, at $f = r^{-1/5}$. The code multiplies by 0.9 for caution, and keeps $f$ between 0.2 and 10. "
    r"A tenth of the tolerance costs $10^{1/5} = 1.58$ times the steps.",
)


derivation.bridge(
    "The code's next size",
    Rational(9, 10) * h * r ** Rational(-1, 5),
    next_step_size,
    step_size=h,
    ratio=r,
    wrong={"the fourth root": Rational(9, 10) * h * r ** Rational(-1, 4)},
)
derivation.say(
    r"When do steps explode? On $x' = \lambda x$ every step multiplies by a polynomial $R(z)$ in $z = h \lambda$, and $x_n = "
    r"R(z)^n x_0$ vanishes exactly where $|R(z)| < 1$."
)
z = derivation.number("z", r"the size of a step times the rate, $h \lambda$")
second = 1 + z / 2
third = 1 + z / 2 * second
derivation.chain(
    "The polynomial of the classical method",
    plus(1, z / 6 * (1 + 2 * second + 2 * third + (1 + z * third))),
    equals(
        plus(1, z, z**2 / 2, z**3 / 6, z**4 / 24),
        r"the stages are $1$, $1 + \frac z2$, and so on, times $\lambda x$; multiply out",
        wrong={"twice the last": plus(1, z, z**2 / 2, z**3 / 6, z**4 / 12)},
    ),
    so=r"It is the exponential's series to the fourth power.",
)
derivation.symbol("R_m", "the polynomials of the four methods in turn")


@derivation.symbolic(
    r"R_m(z) = 1 + z,\quad 1 + z + \tfrac{z^2}{2},\quad \textstyle\sum_{k \le 4} \tfrac{z^k}{k!},\quad \sum_{k \le 5} "
    r"\tfrac{z^k}{k!} + \tfrac{z^6}{600}",
    because=r"The stages satisfy $k_i = 1 + z \sum_j a_{ij} k_j$ in units of $\lambda x$, one after the other, with the "
    "coefficients of the code.",
)
def polynomials():
    u, found = Letter("u"), []
    for tableau in TABLEAUS.values():
        stages = []
        for row in tableau.coefficients:
            stages.append(1 + u * sum(Rational(str(a)) * k for a, k in zip(row, stages, strict=True)))
        found.append(1 + u * sum(Rational(str(b)) * k for b, k in zip(tableau.weights, stages, strict=True)))
    series = [sum(u**k / math.factorial(k) for k in range(order + 1)) for order in (1, 2, 4, 5, 6)]
    wanted = [*series[:3], series[3] + u**6 / 600]
    return Sides(
        left=found, right=wanted, wrong={"the exponential's sixth power": [*series[:3], series[4]], "no sixth power": series[:4]}
    )


derivation.symbol("k", "a power of $z$, and its factorial")
rate = derivation.number(r"\lambda", "the rate of the linear equation")
begin = derivation.number("x", "where the step begins", "x")
through = h * rate


_state, _time = Symbol("y"), Symbol("u")
_linear = function_of(_state, _time, rate * _state)
for words, stepping, polynomial in (
    ("The code's Euler step", euler_step, 1 + through),
    ("... its midpoint step", midpoint_step, 1 + through + through**2 / 2),
    ("... and the classical one", runge_kutta_4_step, sum(through**k / math.factorial(k) for k in range(5))),
):
    derivation.bridge(
        words,
        begin * polynomial,
        stepping,
        x=[[begin]],
        time=0.0,
        step_size=h,
        velocity_fn=_linear,
        wrong={
            "a step less": begin,
            "one term more": begin * (polynomial + through**5 / 120),
            "the sign": begin * polynomial.subs(h, -h),
        },
    )
del words, stepping, polynomial, letter
u = derivation.number("u", r"the angle of a step, $h \omega$, of a rotation with $\lambda = i \omega$", positive=True)
derivation.chain(
    "A rotation: Euler's steps spiral outward, and the classical ones inward",
    plus((1 - u**2 / 2 + u**4 / 24) ** 2, (u - u**3 / 6) ** 2),
    equals(plus(1, -(u**6) / 72, u**8 / 576), r"the squared real and imaginary parts of $R(iu)$; multiply out"),
    so=r"Less than 1 for $0 < u < 2 \sqrt2$. Euler's step has $1 + u^2$ and the midpoint's $1 + \frac{u^4}{4}$: above 1 for "
    r"every size of a step.",
)
derivation.chain(
    "A step back does not undo a step",
    (1 - through) * (1 + through),
    equals(1 - through**2, "multiply out"),
    so="It returns up to the local error only: an explicit solver is not an exact inverse of itself.",
)


def _turning(x, time):
    return x * jnp.cos(time)


@derivation.numeric(
    r"\log_2 \frac{|E_{N}|}{|E_{2N}|} \to 1, 2, 4, 5",
    because=r"The errors of $x' = x \cos t$, $x(0) = 1$, at $t = 2$ after 32 and 64 steps of the four methods, next to $e^{\sin "
    r"2}$.",
    tolerance=0.1,
    since="orders are reached as the steps vanish",
)
def measured_orders():
    exact = math.exp(math.sin(2.0))
    errors = [
        [float(solve_fixed(jnp.ones(1), jnp.linspace(0.0, 2.0, n + 1), _turning, method=method)[0]) - exact for n in (32, 64)]
        for method in METHODS
    ]
    found = np.array([math.log2(abs(one / two)) for one, two in errors])
    wanted = np.array([1.0, 2.0, 4.0, 5.0])
    return Sides(left=found, right=wanted, wrong={"local errors": wanted + 1, "one less": wanted - 1})


derivation.symbol("E_n", "the error after $n$ steps")
derivation.symbol("E_{N}", "the error after $N$ steps")
derivation.symbol("E_{2N}", "the error after $2N$ steps")


@derivation.numeric(
    r"x(2) = e^{\sin 2}",
    because=r"The code's solver with steps that it chooses, $x' = x \cos t$ from $x(0) = 1$, forward, and back from the end.",
    tolerance=1e-6,
    since="the solver's own tolerance is 1e-7 for each step",
)
def chosen_steps():
    settings = {"rtol": 1e-7, "atol": 1e-7, "max_steps": 30}
    end = math.exp(math.sin(2.0))
    found = [solve_adaptive(jnp.ones(1), 0.0, 2.0, _turning, **settings)[0]]
    found.append(solve_adaptive(jnp.full(1, end), 2.0, 0.0, _turning, **settings)[0])
    return Sides(
        left=np.array(found),
        right=np.array([end, 1.0]),
        wrong={"not moved": np.array([1.0, end]), "the wrong way": np.array([1 / end, end**2])},
    )


# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_ONE = np.ones(1)


def _itself(x, time):
    return x


@derivation.example(r"$x' = x$ from $x = 1$, one step of size 1. The solution is $e = 2.718282$.")
def one_step():
    yield r"\text{Euler}", euler_step(_ONE, 0.0, 1.0, _itself), "2"
    yield r"\text{midpoint}", midpoint_step(_ONE, 0.0, 1.0, _itself), "2.5"
    yield r"\text{classical, } \tfrac{65}{24}", runge_kutta_4_step(_ONE, 0.0, 1.0, _itself), "2.708333"
    value, error = dormand_prince_step(_ONE, 0.0, 1.0, _itself)
    yield r"\text{Dormand and Prince, } \tfrac{1631}{600}", value, "2.718333"
    yield r"\text{its difference from order four}", error, "-0.000525"
    yield r"\text{the error of order four}", math.e - (value - error), "-0.000577"
    ratio = error_ratio(error, _ONE, value, rtol=1e-4, atol=1e-4)
    yield r"\text{ratio, both tolerances } 10^{-4}", ratio, "1.412"
    yield r"\text{next size}", next_step_size(jnp.array(1.0), ratio), "0.840"


@derivation.figure(
    r"Left: the error of $x' = x \cos t$ at $t = 2$ against the number of steps; slopes 1, 2, 4 and 5. Right: the $z = h "
    r"\lambda$ at which a step on $x' = \lambda x$ shrinks, inside the curves. A decaying rotation must lie inside.",
    panels=2,
)
def errors_and_regions(errors, regions):
    counts, exact = (4, 16, 64), math.exp(math.sin(2.0))
    real, imaginary = np.meshgrid(np.linspace(-4, 0.6, 80), np.linspace(-4, 4, 80))
    plane = real + 1j * imaginary
    for place, (method, tableau) in enumerate(TABLEAUS.items()):
        ends = [solve_fixed(jnp.ones(1), jnp.linspace(0.0, 2.0, n + 1), _turning, method=method)[0] for n in counts]
        errors.loglog(counts, np.abs(np.array(ends) - exact), "o-", color=f"C{place}", label=method.replace("_", " "))
        stages = []
        for row in tableau.coefficients:
            stages.append(1 + plane * sum(float(a) * k for a, k in zip(row, stages, strict=True)))
        size = np.abs(1 + plane * sum(float(b) * k for b, k in zip(tableau.weights, stages, strict=True)))
        regions.contour(real, imaginary, size, levels=[1.0], colors=f"C{place}")
    errors.set(xlabel="steps", ylabel="error")
    errors.legend()
    regions.set(xlabel=r"Re $z$", ylabel=r"Im $z$", aspect="equal")


@derivation.exercise(
    r"Where do two Euler steps of size $\frac12$ lead on $x' = x$ from 1? And steps of size 0.19 and 0.21 on $x' = -10 x$?",
    r"$1.5^2 = 2.25$. The factors are $1 - 1.9 = -0.9$ and $1 - 2.1 = -1.1$: the first decays, the second explodes.",
)
def euler_by_hand():
    yield solve_fixed(_ONE, np.array([0.0, 0.5, 1.0]), _itself, method="euler"), "2.25"
    yield euler_step(_ONE, 0.0, 0.19, lambda x, time: -10 * x), "-0.9"
    yield euler_step(_ONE, 0.0, 0.21, lambda x, time: -10 * x), "-1.1"


@derivation.exercise(
    r"What is the largest stable step of the classical method on $x' = -20 x$?",
    r"$1 + \frac z2 + \frac{z^2}{6} + \frac{z^3}{24} = 0$ has the real root $z = -2.785$, so $h = 0.1393$. There $R(z) = 1$.",
)
def the_largest_step():
    root = min(np.roots([1 / 24, 1 / 6, 1 / 2, 1.0]), key=lambda root: abs(root.imag)).real
    yield root, "-2.785"
    yield -root / 20, "0.1393"
    yield runge_kutta_4_step(_ONE, 0.0, -root, lambda x, time: -x), "1"


@derivation.exercise(
    r"The second stage is at $a = \frac23$. Which weights have order two? And which size follows $h = 0.1$ if the ratio is 32?",
    r"$b_2 = \frac{1}{2a} = 0.75$ and $b_1 = 0.25$. The size $0.9 \cdot 0.1 \cdot 32^{-1/5} = 0.045$.",
)
def weights_and_a_size():
    yield 1 / (2 * (2 / 3)), "0.75"
    yield 1 - 0.75, "0.25"
    yield next_step_size(jnp.array(0.1), jnp.array(32.0)), "0.045"
