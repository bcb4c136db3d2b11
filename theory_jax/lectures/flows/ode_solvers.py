"""Solving an ordinary differential equation: order, error and stability of a step.

The lecture on the functions of theory_jax/flows/ode_solvers.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, exp, sqrt
from sympy import Symbol as Letter

from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
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
from theory_jax.lectures.flows._ode_solvers import conditions_that_hold, errors_and_regions, rooted_trees, turning

derivation = Derivation(
    module=__name__,
    title="Solving an ordinary differential equation: order, error and stability of a step",
    sources=(
        "Dormand & Prince 1980, A family of embedded Runge-Kutta formulae",
        "Hairer, Norsett & Wanner 1993, Solving Ordinary Differential Equations I, sections II.1 to II.4",
        "Chen et al. 2018, Neural ordinary differential equations",
    ),
    question="A flow in continuous time is given by its velocity alone. Steps that are too long leave its paths or explode; "
    "steps that are too short waste evaluations of a network. How fast does the error fall with the size of the steps, how "
    "is it known without the solution, and when do the steps explode?",
    setting=(
        r"The point $x$ moves with a velocity $v(x, t)$ that is as often differentiable as an order needs, and Lipschitz "
        "continuous in $x$.",
        r"Stage $k_i$ of an explicit Runge-Kutta step is the velocity at the position $x + h \sum_j a_{ij} k_j$, a sum over "
        r"earlier stages, and the time $t + h \sum_j a_{ij}$. The step ends at $x + h \sum_i b_i k_i$.",
        r"The local error is what a single step from a point of the solution misses. A method has order $p$ if the local error "
        r"is $O(h^{p+1})$ for every such velocity.",
    ),
    limits=(
        "That the conditions on trees suffice for systems of equations: Butcher's theorem, which is stated.",
        "Implicit methods, which stay stable for stiff equations.",
        "That the error's coefficient is the same in the next step. It is not, hence the caution of 0.9.",
    ),
    trained="A solver has no parameters. `flows/continuous_flow` trains through one, `flows/flow_matching` draws with one.",
)

h = derivation.number("h", "the size of a step", "step_size", positive=True)
v = derivation.number("v", "the velocity at the start of the step", "velocity_fn(x, time)")
by_x = derivation.number("v_x", "its slope in the position")
by_t = derivation.number("v_t", "its slope in the time")
a = derivation.number("a", "where the second stage is, as a share of the step")
b1, b2 = (derivation.number(f"b_{n}", f"the weight of stage {n}") for n in (1, 2))
missed = plus(h * (b1 * v + b2 * (v + by_x * a * h * v + by_t * a * h)), -(h * v + h**2 / 2 * (by_t + by_x * v)))
derivation.chain(
    "Two stages: what a step misses, up to the second power of its size",
    missed,
    equals(
        plus(times(h, b1 + b2 - 1, v), times(h**2, a * b2 - Rational(1, 2), by_t + by_x * v)),
        "the velocity of the solution changes at the rate $v_t + v_x v$ by the chain rule, the second stage is $v + a h (v_t "
        "+ v_x v)$ but for terms in $h^2$; collect powers of $h$",
        wrong={"without the half": plus(times(h, b1 + b2 - 1, v), times(h**2, a * b2 - 1, by_t + by_x * v))},
    ),
    central=True,
    so=prose(
        "Order two for every velocity means that both brackets vanish: {second} and {first}, where the first line is "
        r"{nothing}. This is one method for each $a$ but 0, and the midpoint's for $\frac12$. Euler's has the first stage "
        "alone, misses {euler}, and has order one.",
        second=where(b2, 1 / (2 * a)),
        first=where(b1, 1 - 1 / (2 * a)),
        nothing=holds(missed, "=", 0, named=True),
        euler=holds(missed, "=", -(h**2) / 2 * (by_t + by_x * v), when={b1: 1, b2: 0}, named=True),
    ),
)
derivation.say(
    "Higher orders bring one equation for each way of nesting derivatives, which is a rooted tree: a node is the velocity, "
    r"its branches for derivatives in $x$. For a tree $\tau$ with branches $\tau_1, \tau_2, \ldots$ let $\Phi_i(\tau)$ be "
    r"$\prod_k \sum_j a_{ij} \Phi_j(\tau_k)$, and $\gamma(\tau)$ be $|\tau| \prod_k \gamma(\tau_k)$ with the number of nodes "
    r"$|\tau|$. Butcher's theorem: order $p$ holds exactly if $\sum_i b_i \Phi_i(\tau)$ is $1/\gamma(\tau)$ for all trees of "
    "at most $p$ nodes."
)
for letter, words in (
    (r"\tau", "a rooted tree"),
    (r"\Phi", "what a tree makes of the coefficients"),
    (r"\gamma", "the density of a tree"),
    ("b_i", "a weight of the method"),
    ("i", "a stage"),
):
    derivation.symbol(letter, words)


@derivation.exact(
    r"\sum_i b_i \Phi_i(\tau) = \frac{1}{\gamma(\tau)}",
    because="The number of trees with one to five nodes for which it holds, in rational numbers. There are 1, 1, 2, 4 and 9 of "
    "them. Euler's method satisfies the first, the midpoint's two; the classical one all up to order four, and Dormand and "
    "Prince's weights all up to order five; their other weights all up to order four, and none of the nine after it.",
    outcomes=17 * 5,
    role="lemma",
)
def orders_byrooted_trees():
    trees = rooted_trees(5).values()
    methods = [(each.coefficients, each.weights) for each in TABLEAUS.values()]
    methods.append((TABLEAUS["dormand_prince"].coefficients, TABLEAUS["dormand_prince"].compared))
    found = np.array([[conditions_that_hold(*method, some) for some in trees] for method in methods])
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
    because=prose(
        r"{below}. After the time $T$, in $T/h$ steps, the error is at most $C h^p (e^{\Lambda T} - 1)/\Lambda$: this bound "
        "grows exponentially with the time, and vanishes with the size of the steps.",
        below=holds(1 + h * Lip, "<=", exp(h * Lip)),
    ),
    role="lemma",
)
def growth_of_errors():
    def sides(y, steps):
        return jnp.expm1(steps * jnp.log1p(y)) / y, jnp.expm1(steps * y) / y

    def wrong(y, steps):
        return sides(y, steps)[0], jnp.expm1(steps * y) / y * 0.9

    y, steps = np.array([0.01, 0.1, 1.0, 3.0, 1e-14]), np.array([100.0, 7.0, 3.0, 2.0, 4.0])
    return BoundSides(sides=sides, points=(y, steps), tight=(y[4:], steps[4:]), wrong={"nine tenths": wrong})


kappa = derivation.number(r"\kappa", "the ratio of the error to what is allowed, at a step of size 1", positive=True)
r = derivation.define("r", kappa * h**5, "... at the size of the step", "error_ratio", positive=True)
f = derivation.number("f", "the factor from this size to the next", positive=True)
derivation.say(
    r"The values of order five and four differ by the error of the latter, $\kappa h^5$ but for higher powers. The value of "
    "order five is kept."
)
next_error = derivation.chain(
    "The error at the next size goes with the fifth power of the factor",
    kappa * (f * h) ** 5,
    equals(times(f**5, r), r"the definition of $r$", wrong={"in proportion": times(f, r)}),
    so=prose(
        "It is what is allowed, {allowed}, at {factor}. The code multiplies by 0.9 for caution, and keeps $f$ between 0.2 "
        "and 10. A tenth of the tolerance costs $10^{1/5}$ times the steps, or 1.58 times.",
        factor=where(f, r ** Rational(-1, 5)),
        allowed=holds(kappa * (f * h) ** 5, "=", 1),
    ),
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
    r"When do steps explode? If the velocity is $\lambda x$, every step multiplies by a polynomial $R(z)$ of the product $z$ "
    r"of $h$ and $\lambda$, and $n$ steps by $R(z)^n$, which vanishes as $n$ grows exactly where $R(z)$ is smaller than 1 in "
    "size."
)
z = derivation.number("z", r"the size of a step times the rate, $h \lambda$")
second = 1 + z / 2
third = 1 + z / 2 * second
classical = plus(1, z / 6 * (1 + 2 * second + 2 * third + (1 + z * third)))
derivation.answer = prose(
    "The order is decided by finitely many equations between the coefficients, one for each rooted tree: up to the second "
    "power of its size a step of two stages misses {missed}. Many steps lose one power of the size. Two methods of "
    "neighboring orders from the same stages estimate the error of the lower one, and the size of the next step follows. On "
    "a linear equation a step multiplies by a polynomial, in the classical method by {classical}; where that exceeds 1 in "
    "size, the steps explode although the solution decays.",
    missed=holds(missed, "=", plus(times(h, b1 + b2 - 1, v), times(h**2, a * b2 - Rational(1, 2), by_t + by_x * v)), named=True),
    classical=holds(classical, "=", plus(1, z, z**2 / 2, z**3 / 6, z**4 / 24), named=True),
)
derivation.chain(
    "The polynomial of the classical method",
    classical,
    equals(
        plus(1, z, z**2 / 2, z**3 / 6, z**4 / 24),
        r"the stages are $1$, $1 + \frac z2$, and so on, times $\lambda x$; multiply out",
        wrong={"twice the last": plus(1, z, z**2 / 2, z**3 / 6, z**4 / 12)},
    ),
    so=r"It is the exponential's series to the fourth power.",
)
derivation.symbol("R_m", "the polynomials of the four methods in turn")
derivation.symbol("k", "a power of $z$, and its factorial")


@derivation.symbolic(
    r"R_m(z) = 1 + z,\quad 1 + z + \tfrac{z^2}{2},\quad \textstyle\sum_{k \le 4} \tfrac{z^k}{k!},\quad \sum_{k \le 5} "
    r"\tfrac{z^k}{k!} + \tfrac{z^6}{600}",
    because=r"In units of $\lambda x$ stage $i$ is $1 + z \sum_j a_{ij} k_j$, one after the other, with the coefficients of "
    "the code.",
    role="remark",
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
u = derivation.number("u", r"the angle of a step, $h \omega$, of a rotation with the imaginary rate $i \omega$", positive=True)
squared_size = plus((1 - u**2 / 2 + u**4 / 24) ** 2, (u - u**3 / 6) ** 2)
derivation.chain(
    "A rotation: Euler's steps spiral outward, and classical ones that are not too long inward",
    squared_size,
    equals(plus(1, -(u**6) / 72, u**8 / 576), r"the squared real and imaginary parts of $R(iu)$; multiply out"),
    role="remark",
    so=prose(
        r"This is less than 1 for smaller angles than $2 \sqrt2$, where it is {edge}. Euler's step has {euler} and the "
        "midpoint's {midpoint}: above 1 for every size of a step.",
        edge=holds(squared_size, "=", 1, when={u: 2 * sqrt(2)}, named=True),
        euler=holds(1, "<", 1 + u**2, named=True),
        midpoint=holds(plus((1 - u**2 / 2) ** 2, u**2), "=", 1 + u**4 / 4, named=True),
    ),
)
derivation.chain(
    "A step back does not undo a step",
    (1 - through) * (1 + through),
    equals(1 - through**2, "multiply out"),
    role="remark",
    so="It returns up to the local error only: an explicit solver is not an exact inverse of itself.",
)


derivation.symbol("E_n", "the error after $n$ steps")
derivation.symbol("E_{N}", "the error after $N$ steps")
derivation.symbol("E_{2N}", "the error after $2N$ steps")


@derivation.numeric(
    r"\log_2 \frac{|E_{N}|}{|E_{2N}|} \to 1, 2, 4, 5",
    because=r"The errors on the velocity $x \cos t$, from 1 at time 0 to time 2, after 32 and 64 steps of the four methods, "
    r"next to $e^{\sin 2}$.",
    tolerance=0.1,
    since="orders are reached as the steps vanish",
    role="remark",
)
def measured_orders():
    exact = math.exp(math.sin(2.0))
    errors = [
        [float(solve_fixed(jnp.ones(1), jnp.linspace(0.0, 2.0, n + 1), turning, method=method)[0]) - exact for n in (32, 64)]
        for method in METHODS
    ]
    found = np.array([math.log2(abs(one / two)) for one, two in errors])
    wanted = np.array([1.0, 2.0, 4.0, 5.0])
    return Sides(left=found, right=wanted, wrong={"local errors": wanted + 1, "one less": wanted - 1})


@derivation.numeric(
    r"x(2) = e^{\sin 2}",
    because=r"The code's solver with steps that it chooses, on the velocity $x \cos t$ from 1, forward, and back from the end.",
    tolerance=1e-6,
    since="the solver's own tolerance is 1e-7 for each step",
    role="remark",
)
def chosen_steps():
    settings = {"rtol": 1e-7, "atol": 1e-7, "max_steps": 30}
    end = math.exp(math.sin(2.0))
    found = [solve_adaptive(jnp.ones(1), 0.0, 2.0, turning, **settings)[0]]
    found.append(solve_adaptive(jnp.full(1, end), 2.0, 0.0, turning, **settings)[0])
    return Sides(
        left=np.array(found),
        right=np.array([end, 1.0]),
        wrong={"not moved": np.array([1.0, end]), "the wrong way": np.array([1 / end, end**2])},
    )


# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_ONE = np.ones(1)


def _itself(x, time):
    return x


@derivation.algorithm(
    "Steps of a size that the method chooses",
    do(r"start at $x$ and $t$ with some size $h$ and an allowed error; until the end is reached:"),
    do(
        r"all stages $k_i$; $y \leftarrow x + h \sum_i b_i k_i$, and $e \leftarrow y$ minus the value of order four",
        dormand_prince_step,
        by=orders_byrooted_trees,
        indent=1,
    ),
    do(r"$r \leftarrow |e|$ over the allowed error, root mean square over coordinates", error_ratio, indent=1),
    do(r"if $r$ is at most 1: $x \leftarrow y$ and $t \leftarrow t + h$", indent=1),
    do(r"$h \leftarrow 0.9\, h\, r^{-1/5}$, at least $0.2\, h$ and at most $10\, h$", next_step_size, by=next_error, indent=1),
)
def one_refused_and_one_taken():
    x, size = _ONE, jnp.array(1.0)
    for words, y, ratio, following in (
        (r"v = x, \ x = 1, \ h = 1: \quad y", "2.718333", "1.412", "0.840"),
        (r"r > 1, \text{ so again from } x = 1: \quad y", "2.316", "0.712", "0.809"),
    ):
        value, error = dormand_prince_step(x, 0.0, size, _itself)
        found = error_ratio(error, x, value, rtol=1e-4, atol=1e-4)
        yield words, value, y
        yield r"r, \text{ both tolerances } 10^{-4}", found, ratio
        size = next_step_size(size, found)
        yield r"\text{next } h", size, following


@derivation.example(r"The velocity $x$ from 1, one step of size 1. The solution is $e$, or 2.718282.")
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


derivation.figure(
    r"Left: the error on the velocity $x \cos t$ at time 2 against the number of steps; slopes $-1$, $-2$, $-4$ and $-5$. "
    "Right: the products $z$ of step and rate at which a step shrinks, inside the curves. A decaying rotation must lie "
    "inside.",
    panels=2,
)(errors_and_regions)
