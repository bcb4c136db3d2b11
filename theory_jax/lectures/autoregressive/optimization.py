"""AdamW: how far a step can go, what its corrections correct, and decay next to the step.

The lecture on the functions of theory_jax/autoregressive/optimization.py.
"""

import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, sqrt

from theory_jax.autoregressive.optimization import accumulate_gradients, adamw_step, warmup_inverse_square_root
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._steps import (
    gradients_of_micro_batches,
    lengths_and_schedules,
    lengths_of_steps,
    two_steps,
)

derivation = Derivation(
    module=__name__,
    title="AdamW: how far a step can go, what its corrections correct, and decay next to the step",
    lectures=(48,),
    sources=(
        "Kingma & Ba 2015, Adam, algorithm 1 and section 2.1",
        "Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization",
        "Vaswani et al. 2017, Attention Is All You Need, section 5.3",
    ),
    question="Gradient descent with one rate for all is too slow for a word that is seen once in ten thousand steps, and too "
    "fast for the steep directions; and the first steps of a run can ruin it. How far can one step of Adam move a parameter? "
    "What do its corrections correct, and why is weight decay next to the step not the same as a penalty in the loss?",
    setting=(
        r"At each step a parameter receives a gradient. Adam keeps two averages, $m \leftarrow \beta_1 m + (1 - \beta_1) g$ "
        r"and $v \leftarrow \beta_2 v + (1 - \beta_2) g^2$, both from 0, and divides the one by the root of the other. After "
        r"$t$ steps the gradient of $i$ steps ago is called $g_i$, so $g_0$ is the newest and $g_{t-1}$ the first.",
        r"Both factors lie between 0 and 1, and $\beta_1^2$ is below $\beta_2$, as for all values in use; they are written $\xi "
        r"\kappa$ and $\kappa^2$ with two numbers between 0 and 1. The usual values are 0.9 and 0.999.",
        r"AdamW then moves $\theta \leftarrow \theta - \eta \left(\hat m / (\sqrt{\hat v} + \varepsilon) + \lambda "
        r"\theta\right)$ with the corrected averages $\hat m$ and $\hat v$, which are $m$ over $1 - \beta_1^t$ and $v$ over $1 - "
        r"\beta_2^t$.",
    ),
    limits=(
        "Convergence, and what the noise of small batches does, are not treated.",
        r"The bound of 7.27 is without $\varepsilon$; a positive $\varepsilon$ makes steps smaller. That $\hat m$ and $\hat v$ "
        r"keep to it, too, needs the condition on the factors under which a lone spike is shown to.",
        "Why a warm-up helps is not derived: only that first steps are as long as the rate allows, however small the gradient.",
    ),
    trained="These are parts of a training step. `autoregressive/transformer` trains with AdamW and such a schedule.",
)

half = Rational(1, 2)
i = derivation.index("i", "how many steps ago")
t = derivation.count(i, "t", "the number of steps so far", "step")
xi = derivation.number(r"\xi", r"$\beta_1 / \sqrt{\beta_2}$", between=(0, 1))
kappa = derivation.number(r"\kappa", r"$\sqrt{\beta_2}$", between=(0, 1))
b1 = derivation.define(r"\beta_1", xi * kappa, "how much of the average of gradients is kept", "beta1", positive=True)
b2 = derivation.define(r"\beta_2", kappa**2, "how much of the average of squares is kept", "beta2", positive=True)
g = derivation.numbers("g", i, "the gradient of $i$ steps ago", "gradient")
m = derivation.define("m", times(1 - b1, Total(i, b1**i * g)), "the average of the gradients", "first_moment")
v = derivation.define("v", times(1 - b2, Total(i, b2**i * g**2)), "the average of their squares", "second_moment")
m_hat = derivation.define(r"\hat m", m / (1 - b1**t), "the corrected average")
v_hat = derivation.define(r"\hat v", v / (1 - b2**t), "the corrected average of squares")

derivation.say("What the corrections correct. First the averages themselves, written as sums.")
recursion = derivation.chain(
    "The recursion is a weighted sum of the gradients, here of three",
    plus(times(b1, plus(times(b1, 1 - b1, g.at(2)), times(1 - b1, g.at(1)))), times(1 - b1, g.at(0))),
    equals(times(1 - b1, Total(i, times(b1**i, g))), "every further step multiplies what was there by the factor"),
    sizes={i: 3},
    role="lemma",
    so=r"The same for $v$ with the squares.",
)
geometric = derivation.chain(
    "The weights sum to less than one",
    times(1 - b1, Total(i, b1**i)),
    equals(plus(1, -(b1**t)), prose("a geometric sum, {sum}", sum=holds(Total(i, b1**i), "=", (1 - b1**t) / (1 - b1)))),
    sizes={i: 4},
    role="lemma",
    so=r"So $m$ is too small by the factor $1 - \beta_1^t$, which its correction divides by: it is a weighted mean of the "
    "gradients from the first step on.",
)
gamma = derivation.number(r"\gamma", "a gradient that is the same at every step")
derivation.chain(
    "A constant gradient is returned as it is",
    times(1 - b1, Total(i, times(b1**i, gamma))) / (1 - b1**t),
    equals(gamma, "the geometric sum cancels", wrong={"not corrected": gamma * (1 - b1**t)}),
    sizes={i: 4},
    role="lemma",
    uses=(geometric,),
    so=prose(
        "Likewise for the squares, {square}: all steps are alike.",
        square=holds(times(1 - b2, Total(i, times(b2**i, gamma**2))) / (1 - b2**t), "=", gamma**2),
    ),
)
derivation.chain(
    "The first step is a sign",
    m_hat / sqrt(v_hat),
    equals(
        g.at(0) / sympy.Abs(g.at(0)),
        prose("with one gradient {m} and {v}", m=holds(m_hat, "=", g.at(0)), v=holds(v_hat, "=", g.at(0) ** 2)),
        wrong={"not corrected": (1 - b1) / sqrt(1 - b2) * g.at(0) / sympy.Abs(g.at(0))},
    ),
    sizes={i: 1},
    so=r"Without $\varepsilon$ every parameter moves by the whole learning rate, however small its gradient, if it is not 0. "
    r"All gradients times a positive $c$ give $c\, \hat m$ and $c^2 \hat v$, and no step changes: without $\varepsilon$ Adam "
    "does not know the scale of the loss.",
)

derivation.say("How far can a step go? Split each term, so that one factor is what $v$ averages.")
j = derivation.index("j", "how many steps ago, next to $i$")
cross = plus(times(xi**i, kappa**j, g.at(j)), -times(xi**j, kappa**i, g))
central = derivation.chain(
    "The average of the gradients is bounded by that of their squares",
    m**2,
    equals(
        times((1 - b1) ** 2, Total(i, times(xi**i, kappa**i * g)) ** 2),
        prose("{power}", power=holds(b1**i, "=", times(xi**i, kappa**i))),
    ),
    equals(
        plus(
            times((1 - b1) ** 2, Total(i, xi ** (2 * i)), Total(i, b2**i * g**2)),
            -times(half, (1 - b1) ** 2, Total(i, Total(j, cross**2))),
        ),
        r"Lagrange's identity: the square of $\sum a_i b_i$ is $\sum a_i^2 \sum b_i^2$ less half the sum of all $(a_i b_j - a_j "
        r"b_i)^2$",
    ),
    at_most(
        times((1 - b1) ** 2, Total(i, xi ** (2 * i)), Total(i, b2**i * g**2)),
        prose("leave out squares; all are zero where {growing} for some $\\gamma$", growing=where(g, gamma * (xi / kappa) ** i)),
        adding=times(half, (1 - b1) ** 2, Total(i, Total(j, cross**2))),
    ),
    equals(
        times((1 - b1) ** 2, (1 - xi ** (2 * t)) / (1 - xi**2), v / (1 - b2)),
        prose("{sum}, and the definition of $v$", sum=holds(Total(i, xi ** (2 * i)), "=", (1 - xi ** (2 * t)) / (1 - xi**2))),
    ),
    at_most(
        (1 - b1) ** 2 / ((1 - b2) * (1 - xi**2)) * v,
        r"leave out $\xi^{2t}$: the rest of the series",
        adding=times((1 - b1) ** 2, xi ** (2 * t) / (1 - xi**2), v / (1 - b2)),
    ),
    central=True,
    uses=(geometric,),
    so=prose(
        r"Since {ratio}, the ratio $|m| / \sqrt v$ is at most $\frac{1 - \beta_1}{\sqrt{(1 - \beta_2)(1 - \beta_1^2 / "
        r"\beta_2)}}$: 7.27 for the usual factors. It is no less than that: gradients that grow like $(\beta_2/\beta_1)^t$ lose "
        "nothing in the first inequality, and in the second less and less.",
        ratio=holds(xi**2, "=", b1**2 / b2),
    ),
)
m_lone = derivation.define(
    r"\hat m_\gamma", times(1 - b1, gamma) / (1 - b1**t), r"the corrected average of $t - 1$ zeros and $\gamma$"
)
v_lone = derivation.define(r"\hat v_\gamma", times(1 - b2, gamma**2) / (1 - b2**t), "that of their squares")
spike = derivation.chain(
    "A lone gradient after silence makes a step that does not depend on its size",
    m_lone**2 / v_lone,
    equals(times((1 - b1) ** 2 / (1 - b2), (1 - b2**t) / (1 - b1**t) ** 2), "the size of the gradient cancels"),
    sizes={i: 4},
    role="lemma",
    so=r"The squared step, in learning rates. After a long silence the second factor is 1: a step of $(1 - \beta_1)/\sqrt{1 - "
    r"\beta_2}$, or 3.16, rates. A word that is met once in ten thousand steps moves its embedding by that much.",
)
u = derivation.number("u", r"$1 - \beta_1$", between=(0, 1))
derivation.chain(
    "A lone gradient's step is never longer than after a long silence",
    plus((1 + u) ** 5, (1 - u) ** 5, -2),
    equals(plus(20 * u**2, 10 * u**4), "the odd powers cancel, of the even ones two of each are left"),
    at_least(0, "even powers", dropping=plus(20 * u**2, 10 * u**4)),
    role="lemma",
    uses=(spike,),
    so=prose(
        r"Here for five steps; for every $t$ the same happens, and $(2 - \beta_1)^t + \beta_1^t$ is at least 2. Multiply by "
        r"$\beta_1^t$: if $\beta_2$ is at least $\beta_1 (2 - \beta_1)$, which is 0.99 for the usual $\beta_1$, then "
        r"$\beta_2^t$ is at least $\beta_1^t (2 - \beta_1^t)$, and $1 - \beta_2^t$ at most {square}: the second factor of a "
        "lone gradient is at most 1. By the same inequality the corrections never lengthen a step, so the bound above holds "
        r"for $\hat m / \sqrt{\hat v}$, too.",
        square=holds(1 - times(b1**t, 2 - b1**t), "=", (1 - b1**t) ** 2),
    ),
)
theta = derivation.number(r"\theta", "a parameter", "parameter")
eta = derivation.number(r"\eta", "the learning rate", "learning_rate", positive=True)
lam = derivation.number(r"\lambda", "the weight decay", "weight_decay", positive=True)
eps = derivation.number(r"\varepsilon", "what is added to the root", "epsilon", positive=True)
m0 = derivation.number("m_0", "the average before the step", "first_moment")
v0 = derivation.number("v_0", "the average of squares before the step", "second_moment", positive=True)
step = derivation.number("n", "the number of the step, from 1", "step", positive=True, integer=True)
m1, v1 = plus(times(b1, m0), times(1 - b1, gamma)), plus(times(b2, v0), times(1 - b2, gamma**2))
m_new = derivation.define("m_1", m1, "the average after the step")
v_new = derivation.define("v_1", v1, "the average of squares after the step", positive=True)
m_next = derivation.define(r"\hat m_1", m_new / (1 - b1**step), "the corrected average")
v_next = derivation.define(r"\hat v_1", v_new / (1 - b2**step), "the corrected average of squares")
derivation.bridge(
    "The code's step, and both averages after it",
    (plus(theta, -times(eta, plus(m_next / (sqrt(v_next) + eps), times(lam, theta)))), m_new, v_new),
    adamw_step,
    gradient=[gamma],
    parameter=[theta],
    first_moment=[m0],
    second_moment=[v0],
    step=step,
    learning_rate=eta,
    beta1=b1,
    beta2=b2,
    epsilon=eps,
    weight_decay=lam,
    wrong={
        "epsilon inside the root": (theta - eta * (m_next / sqrt(v_next + eps) + lam * theta), m_new, v_new),
        "no corrections": (theta - eta * (m_new / (sqrt(v_new) + eps) + lam * theta), m_new, v_new),
        "decay divided by the root": (theta - eta * (m_next + lam * theta) / (sqrt(v_next) + eps), m_new, v_new),
    },
)

derivation.say(
    "Decay next to the step. Let every step without decay be at most $c$ rates long, and solve the recursion for the largest."
)
c = derivation.number("c", "the longest step, in learning rates", positive=True)
size = derivation.define(
    "q_n",
    plus(c / lam, times(theta - c / lam, (1 - eta * lam) ** step)),
    r"the bound of the parameter's size, which starts at $\theta$, not negative",
)
decay = derivation.chain(
    "Decay bounds the parameters",
    plus(times(1 - eta * lam, size), times(eta, c)),
    equals(
        plus(c / lam, times(theta - c / lam, (1 - eta * lam) ** plus(step, 1))),
        prose(
            r"{fixed}: at $c/\lambda$ decay and step cancel", fixed=holds(times(1 - eta * lam, c / lam) + eta * c, "=", c / lam)
        ),
    ),
    so=r"So the formula for $q_n$ continues itself from step to step. For $\eta \lambda$ between 0 and 1 it tends to $c / "
    r"\lambda$, wherever it began: with steps of at most one rate and a decay of 0.1 no parameter stays above 10.",
)

derivation.symbol(r"\theta_\lambda", "the parameter after the step with decay $\\lambda$")


@derivation.numeric(
    r"\theta_{\lambda} - \theta_{0} = -\eta \lambda \theta",
    because=r"At the first step without $\varepsilon$. Decay next to the step shrinks every parameter by the same share. As a "
    r"penalty, with $g + \lambda \theta$ in place of $g$, it would be divided by the root like everything else: the step is "
    r"the sign of the sum, so where $|g|$ exceeds $\lambda |\theta|$ the decay leaves no trace.",
    role="remark",
)
def decay_beside_the_step_is_not_a_penalty():
    gradient, parameter = jnp.array([0.3, -2.0, 5.0, -50.0]), jnp.array([1.5, -0.5, 2.0, 4.0])

    def moved(gradient, **decay):
        return adamw_step(gradient, parameter, 0 * gradient, 0 * gradient, step=1, learning_rate=0.1, epsilon=0.0, **decay)[0]

    penalized = moved(gradient + 0.1 * parameter) - moved(gradient)
    found = moved(gradient, weight_decay=0.1) - moved(gradient)
    return Sides(left=found, right=-0.1 * 0.1 * parameter, wrong={"a penalty": penalized})


derivation.symbol(r"r_n", "the step after $n - 1$ steps of silence, in learning rates")


@derivation.bound(
    r"r_n \;\le\; \frac{1 - \beta_1}{\sqrt{1 - \beta_2}}",
    because="The code's step on a lone gradient, with the usual factors, after up to 3000 steps of silence; after 40,000 the "
    "bound is attained to the last digit.",
    uses=(spike,),
    role="remark",
)
def a_lone_spike_moves_little():
    def sides(steps, stretch=1.0):
        one, zero = jnp.array([-2.0]), jnp.zeros(1)
        moves = [adamw_step(one, zero, zero, zero, step=n, learning_rate=1.0, epsilon=0.0)[0][0] for n in steps]
        return np.array(moves), np.full(len(moves), stretch * 0.1 / math.sqrt(0.001))

    wrong = {"a bound that is a tenth less": lambda steps: sides(steps, 0.9)}
    return BoundSides(sides=sides, points=([1, 2, 5, 30, 300, 3000],), tight=([40_000],), wrong=wrong)


derivation.say(
    "A batch that exceeds the memory. Its micro-batches have different numbers of tokens, and each gives the gradient of its own "
    "mean."
)
k = derivation.index("k", "a micro-batch")
K = derivation.count(k, "K", "the number of micro-batches")
tokens = derivation.numbers("N", k, "the tokens of micro-batch $k$", "counts", positive=True)
grad = derivation.numbers("G", k, "the gradient of its mean loss", "gradients")
whole_batch = derivation.chain(
    "The gradient of the whole batch weighs micro-batches by their tokens",
    Total(k, times(tokens, grad)) / Total(k, tokens),
    equals(
        plus(Total(k, grad) / K, Total(k, times(tokens - Total(k, tokens) / K, grad)) / Total(k, tokens)),
        "add and subtract the plain mean, once for each token",
    ),
    so=r"The first line is the gradient of the mean over all tokens, since gradients are linear and $N_k G_k$ is the gradient "
    r"of a sum of losses. The plain mean differs from it by a covariance of counts and gradients: with padded text the result "
    r"would depend on how the batch is cut, that is, on the memory of the machine.",
)
derivation.bridge(
    "The code accumulates so",
    Total(k, times(tokens, grad)) / Total(k, tokens),
    accumulate_gradients,
    gradients=grad,
    counts=tokens,
    wrong={"the plain mean": Total(k, grad) / K},
)


@derivation.numeric(
    r"\frac{\sum_k N_k G_k}{\sum_k N_k} = \text{the gradient of the whole batch}",
    because="Three micro-batches of a linear language model with 8, 3 and 4 tokens that count, cut from one batch.",
    role="remark",
)
def micro_batches_add_up_to_the_batch():
    parts, counts, whole = gradients_of_micro_batches()
    return Sides(left=accumulate_gradients(parts, counts), right=whole, wrong={"the plain mean": jnp.mean(parts, axis=0)})


derivation.say("The schedule of the first transformers is the smaller of a rising line and a falling root.")
s = derivation.number("s", "a step, from 1", "step", positive=True, integer=True)
w = derivation.number("w", "the length of the warm-up", "warmup_steps", positive=True, integer=True)
E = derivation.number("E", "the width of the model", "width", positive=True)
root = derivation.define("A", s ** Rational(-1, 2), "the falling root", positive=True)
line = derivation.define("B", s * w ** Rational(-3, 2), "the rising line", positive=True)
schedule = derivation.chain(
    "The schedule peaks at the end of the warm-up",
    times(root ** Rational(2, 3), line ** Rational(1, 3)),
    equals(w**-half, prose("{root}: the step cancels", root=holds(root ** Rational(2, 3), "=", s ** Rational(-1, 3)))),
    so=prose(
        "The smaller of two positive numbers is at most any weighted geometric mean of both, with equality where they are "
        r"equal, at {end}, {both}. So no rate exceeds $(E w)^{-1/2}$: four times the width halves every rate.",
        end=where(s, w),
        both=holds(root, "=", line),
    ),
    role="remark",
)
derivation.bridge(
    "The code's schedule", sympy.Min(root, line) / sqrt(E), warmup_inverse_square_root, step=s, width=E, warmup_steps=w
)


derivation.answer = prose(
    r"The corrections make both averages true means from the first step on, {constant}, so without $\varepsilon$ the first "
    r"step is the sign of the gradient. As long as $\beta_1^2$ is below $\beta_2$, no step exceeds $\frac{1 - "
    r"\beta_1}{\sqrt{(1 - \beta_2)(1 - \beta_1^2/\beta_2)}}$, or 7.27, learning rates in the uncorrected averages, {bound}; a "
    "lone spike reaches 3.16. Decay next to the step shrinks every parameter by the same share; in the gradient it would be "
    "divided by the root, too.",
    constant=holds(times(1 - b1, Total(i, times(b1**i, gamma))) / (1 - b1**t), "=", gamma),
    bound=holds(m**2, "<=", (1 - b1) ** 2 / ((1 - b2) * (1 - xi**2)) * v),
)


derivation.algorithm(
    "AdamW",
    do(r"$m \leftarrow 0$, $v \leftarrow 0$, and for $n = 1, 2, \dots$:"),
    do("the gradient $g$ is the mean over the micro-batches, by their tokens", accumulate_gradients, by=whole_batch, indent=1),
    do(
        r"$m \leftarrow \beta_1 m + (1 - \beta_1) g$ and $v \leftarrow \beta_2 v + (1 - \beta_2) g^2$",
        adamw_step,
        by=recursion,
        indent=1,
    ),
    do(
        r"$\hat m \leftarrow m / (1 - \beta_1^n)$ and $\hat v \leftarrow v / (1 - \beta_2^n)$", adamw_step, by=geometric, indent=1
    ),
    do(r"take the rate $\eta$ of the schedule", warmup_inverse_square_root, by=schedule, indent=1),
    do(
        r"$\theta \leftarrow \theta - \eta\, (\hat m / (\sqrt{\hat v} + \varepsilon) + \lambda \theta)$",
        adamw_step,
        by=decay,
        indent=1,
    ),
)(two_steps)


@derivation.example(
    r"One step from the parameter 1 with the gradient 2, the rate 0.001, the decay 0.1 and no $\varepsilon$; growing gradients; "
    r"and a schedule with the width 512 and a warm-up of 4000."
)
def one_step():
    one, zero = jnp.ones(1), jnp.zeros(1)
    moved, mean, square = adamw_step(2 * one, one, zero, zero, step=1, learning_rate=1e-3, epsilon=0.0, weight_decay=0.1)
    yield r"\hat m, \hat v", (mean[0] / 0.1, square[0] / 0.001), "(2, 4)"
    yield r"\theta", moved[0], "0.9989"
    yield r"\theta\ \text{without corrections}", 1 - 1e-3 * (0.2 / np.sqrt(0.004) + 0.1), "0.996738"
    bound = 0.1 / math.sqrt(0.001 * (1 - 0.81 / 0.999))
    yield r"\frac{1 - \beta_1}{\sqrt{(1 - \beta_2)(1 - \beta_1^2 / \beta_2)}}", bound, "7.270"
    yield (
        r"\text{growing gradients at}\ t = 10, 100, 1000, 3000",
        lengths_of_steps("growing", (10, 100, 1000, 3000)),
        "(1.04, 2.24, 5.78, 7.09)",
    )
    yield r"\eta_{4000}", warmup_inverse_square_root(jnp.array(4000), width=512, warmup_steps=4000), "6.99e-4"


derivation.figure(
    r"Left: the length of a step in learning rates, for constant gradients, a lone gradient at step $t$, and gradients that "
    r"grow by $\beta_2/\beta_1$; dashed the two bounds. Right: the schedule for two widths, with a warm-up of 4000 steps.",
    panels=2,
)(lengths_and_schedules)


@derivation.numeric(
    r"\theta - \eta \frac{\hat m}{\sqrt{\hat v} + \varepsilon} \quad\text{at}\ g = 10^{-9},\ \varepsilon = 10^{-8}",
    because=r"The $\varepsilon$ is next to the root: a gradient of a tenth of it moves a parameter by $\frac{1}{11}$ of the "
    r"rate. Inside the root it would be $10^{-5}$. A gradient of zero moves nothing, and gives no NaN.",
    role="appendix",
)
def a_tiny_gradient():
    gradient = jnp.array([1e-9, 0.0])
    moved = -adamw_step(gradient, 0 * gradient, 0 * gradient, 0 * gradient, step=1, learning_rate=1.0, epsilon=1e-8)[0]
    return Sides(left=moved, right=jnp.array([1 / 11, 0.0]))
