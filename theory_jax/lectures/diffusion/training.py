"""Training a DDPM: levels at random, weights on average.

The lecture on the functions of theory_jax/diffusion/training.py.
"""

import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Min, Rational, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar
from theory_jax.diffusion.training import (
    exponential_moving_average,
    importance_weighted_loss,
    loss_aware_probabilities,
    min_snr_weight,
    timesteps_from_uniforms,
    warmup_decay,
)
from theory_jax.lectures.diffusion.parameterizations import error_of_the_noise, error_of_the_velocity
from theory_jax.lectures.diffusion.simple_loss import pythagoras
from theory_jax.lectures.lemmas.moving_average import moving_average

derivation = Derivation(
    module=__name__,
    title="Training a DDPM: levels at random, weights on average",
    lectures=(29, 32, 39),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, algorithm 1 and appendix B",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, eq. 18",
        "Hang et al. 2023, Efficient Diffusion Training via Min-SNR Weighting Strategy, section 3.4",
    ),
    question="Training draws a picture, a level and a noise, and takes one gradient step. What is minimized on average, why "
    "does the loss never fall to zero, and what changes if the network's weights are averaged, or if levels are weighted or "
    "drawn unevenly?",
    setting=(
        r"One sample is a data point $x_0$, a level $t$ that is uniform on $1, \dots, T$, and standard normal noise "
        r"$\epsilon$, all independent, with $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$. Its loss "
        r"is the squared error of the predicted noise. One coordinate is written; squared errors add over coordinates.",
        r"Networks are represented by a linear guess $\theta x_t$ where a formula needs one. Near a minimum, the iterates of "
        r"training are modeled by $\theta' = r \theta + \xi$, measured from the minimum, with noise $\xi$ that is independent "
        r"of $\theta$: for learning rate $\eta$ and curvature $\lambda$, $r = 1 - \eta \lambda$, and $-1 < r < 1$.",
        r"The samples are drawn from averaged weights, $A' = d A + (1 - d)\, \theta'$, with the decay $d$ between 0 and 1.",
    ),
    answer=r"A step's gradient is, on average, that of the mean loss over all levels. Each level has a floor, the noise that "
    r"$x_t$ does not determine, and gradients stay noisy there. Averaged weights keep the fraction $\frac{(1 - d)(1 + r d)}{(1 + "
    r"d)(1 - r d)}$ of the iterates' variance, and lag behind. A level's weight matters only as one network serves all levels; "
    r"drawing a level in proportion to the size of its losses, and dividing by that, keeps the mean and gives the least "
    r"variance.",
    limits=(
        "Adam, clipped gradients and curvature that changes are not treated: the iterates are modeled by a linear recursion "
        "with noise that does not depend on the state.",
        "Drawing by the losses lowers the variance of the loss. That of the gradient needs the gradients' sizes.",
    ),
)

t = derivation.index("t", "a level", "t")
T = derivation.count(t, "T", "the number of levels", "num_steps")
derivation.symbol("u", "a uniform number in $[0, 1)$", "u")


@derivation.exact(
    r"P\left(\min(1 + \lfloor u T \rfloor, T) = t\right) = \frac1T",
    outcomes=1000,
    because=r"For $T = 10$ and 1000 numbers in the middles of equal pieces of $[0, 1)$. The interval is cut into $T$ equal "
    r"pieces, one for each level from 1 to $T$. Level 0 is the data and is not trained; $T$ is, since every sample starts "
    r"there. The minimum acts only where $u T$ is rounded up to $T$.",
    role="lemma",
)
def every_level_equally_often():
    t = timesteps_from_uniforms((jnp.arange(1000) + 0.5) / 1000, num_steps=10)
    right = jnp.array([0] + [0.1] * 10 + [0])
    return Sides(left=jnp.bincount(t, length=12) / 1000, right=right, wrong={"levels from 0": jnp.roll(right, -1)})


n = derivation.index("j", "one of the points that the data may be")
data = derivation.law("w", n, "any law of the data")
y = derivation.numbers("y", n, "the points")
signal = derivation.numbers("g", t, r"$\sqrt{\bar\alpha_t}$", positive=True)
rest = derivation.numbers("h", t, r"$\sqrt{1 - \bar\alpha_t}$", positive=True)
epsilon = derivation.number(r"\epsilon", "the noise, standard normal")
theta = derivation.number(r"\theta", "the parameter of a linear guess of the noise")
_noise_law = Normal(epsilon, 0, 1)
_error = (epsilon - times(theta, plus(times(signal, y), times(rest, epsilon)))) ** 2
derivation.chain(
    "On average the gradient is that of the mean loss over all levels",
    Total(t, times(1 / T, Expectation(data, Expectation(_noise_law, Slope(_error, theta))))),
    equals(
        Slope(Total(t, times(1 / T, Expectation(data, Expectation(_noise_law, _error)))), theta),
        "expectation and derivative are exchanged",
    ),
    states=2,
    role="lemma",
    so=r"The first line is the expectation of one sample's gradient: each level has probability $\frac1T$. For a network the "
    r"exchange needs gradients with a finite expected supremum near $\theta$. So one level of $T$, drawn anew at every step, "
    r"is enough.",
)

derivation.say(
    r"No guess beats the conditional mean (Pythagoras, in the lecture on the simple loss), so at every level the loss is at "
    r"least $\mathbb{E}[\mathrm{Var}(\epsilon|x_t)]$ for every network. How large is this floor?"
)
a = derivation.number(r"\bar\alpha_t", "the signal's share at one level", "alpha_bar[t]", between=(0, 1))
c = derivation.number("c", "the variance of Gaussian data", positive=True)
x_0 = derivation.number("x_0", "the data")
V = derivation.define("V", plus(1 - a, a * c), "the variance of $x_t$", positive=True)
best = derivation.define(r"\theta^*", sqrt(1 - a) / V, "the best linear guess", positive=True)
_x = plus(times(sqrt(a), x_0), times(sqrt(1 - a), epsilon))
_data = Normal(x_0, 0, c)
floor = derivation.chain(
    "The loss has a floor",
    Expectation(_data, Expectation(_noise_law, (epsilon - times(theta, _x)) ** 2)),
    equals(
        plus(1, -times(2, theta, sqrt(1 - a)), times(theta**2, V)),
        r"$\mathbb{E}[\epsilon x_t] = \sqrt{1 - \bar\alpha_t}$ and $\mathbb{E}[x_t^2] = V$",
    ),
    equals(
        plus(a * c / V, times(V, (theta - best) ** 2)),
        r"complete the square; $1 - \frac{1 - \bar\alpha_t}{V} = \frac{\bar\alpha_t c}{V}$",
        wrong={"the noise's share": plus((1 - a) / V, V * (theta - best) ** 2)},
    ),
    at_least(
        a * c / V, r"leave out the square; equality if and only if $\theta = \theta^*$", dropping=times(V, (theta - best) ** 2)
    ),
    central=True,
    uses=(pythagoras,),
    so=r"For Gaussian data the best guess is linear, so this is the floor of every network: the share of the data in the "
    r"variance of $x_t$. Where little noise is left, it is hard to tell from the data, and the floor is near 1. For other data "
    r"of mean 0 and variance $c$ the linear guess is one of the guesses, so the floor is at most this number; for data that "
    r"are two points (the figure), a little noise is easy to see, and the floor is near 0 at both ends. A loss that stays "
    r"above zero is no sign of failure.",
)


def _mean(expression):
    return Expectation(_data, Expectation(_noise_law, expression))


derivation.chain(
    "At the floor the gradient of a sample is still noisy",
    _mean(times(2, _x, plus(times(best, _x), -epsilon)) ** 2),
    equals(
        times(4, _mean(_x**2), _mean(plus(times(best, _x), -epsilon) ** 2)),
        r"$x_t$ and $\theta^* x_t - \epsilon$ are Gaussian and uncorrelated, so they are independent",
    ),
    equals(4 * a * c, "$V$ times the floor"),
    role="remark",
    so=r"Its mean is 0 there. So with a constant learning rate the iterates keep moving around the minimum.",
)

r = derivation.number("r", r"the share of the distance to the minimum that a step leaves, $1 - \eta \lambda$", between=(-1, 1))
d = derivation.number("d", "the decay of the moving average", "decay", between=(0, 1))
q = derivation.number("q", r"the variance of the noise $\xi$ that a step adds", positive=True)
P = derivation.define("P", q / (1 - r**2), "the variance of the iterates", positive=True)
K = derivation.define("K", (1 - d) * P / (1 - d * r), "the covariance of the average with the iterate")
F = derivation.define("F", P * (1 - d) * (1 + r * d) / ((1 + d) * (1 - r * d)), "the variance of the average")
theta_next = derivation.number(r"\theta'", "the newest iterate", "value")
average = derivation.number("A", "the average before it", "average")
derivation.bridge(
    "The code's moving average",
    plus(times(d, average), times(1 - d, theta_next)),
    exponential_moving_average,
    average=average,
    value=theta_next,
    decay=d,
    wrong={"the decay exchanged with its complement": plus(times(1 - d, average), times(d, theta_next))},
)
derivation.say(
    r"How much does averaging help? In the long run the variances no longer change: $P$, $K$ and $F$ are the solutions of "
    r"three equations, one line each."
)
derivation.chain(
    "The iterates keep a variance",
    plus(times(r**2, P), q),
    equals(P, r"$\theta' = r \theta + \xi$, and $P (1 - r^2) = q$", wrong={"the share not squared": q / (1 - r)}),
    role="lemma",
    so=r"With $q = \eta^2 \tau^2$, for gradient noise of variance $\tau^2$, this is about $\frac{\eta \tau^2}{2 \lambda}$ for "
    r"a small learning rate: a smaller rate lowers it, but slows training.",
)
derivation.chain(
    "The average moves along with them",
    plus(times(d, r, K), times(1 - d, P)),
    equals(
        K,
        r"the covariance of $A' = d A + (1 - d)\, \theta'$ with $\theta'$, where $A$ has the covariance $r K$ with $\theta'$",
        wrong={"independent of the past": (1 - d) * P},
    ),
    role="lemma",
)
derivation.chain(
    "... and has a smaller variance",
    plus(times(d**2, F), times(2, d, 1 - d, r, K), times((1 - d) ** 2, P)),
    equals(F, "the square of the recursion; insert $K$ and solve", wrong={"as for independent iterates": P * (1 - d) / (1 + d)}),
    so=r"So averaging leaves the fraction $\frac{F}{P} = \frac{(1 - d)(1 + r d)}{(1 + d)(1 - r d)}$. For iterates that forget "
    r"at once, $r = 0$, it is $\frac{1 - d}{1 + d}$.",
)
derivation.chain(
    "It helps less, the more slowly the iterates forget",
    Slope((1 - d) * (1 + r * d) / ((1 + d) * (1 - r * d)), r),
    equals(2 * d * (1 - d) / ((1 + d) * (1 - r * d) ** 2), "the quotient rule"),
    at_least(0, "a product of positive numbers", dropping=2 * d * (1 - d) / ((1 + d) * (1 - r * d) ** 2)),
    role="remark",
    so=r"It rises to 1 for $r \to 1$. The average must look back over more steps than the iterates remember, $1 - d \ll 1 - r "
    r"= \eta \lambda$.",
)

derivation.say(
    r"What does an average remember? Unrolled it is $A_n = d^n A_0 + (1 - d) \sum_{i=1}^{n} d^{n-i} \theta_i$. The mean age of "
    r"its content follows a recursion: everything in it becomes older by one step, and a share $1 - d$ of age 0 comes in. On a "
    r"straight path, $\theta_i$ proportional to $i$, the average lags behind by the mean age."
)
derivation.symbol("A_n", "the average after $n$ steps")
derivation.symbol(r"\theta_i", "the iterate of step $i$")


derivation.chain(
    "The mean age of a constant decay",
    times(d, plus(d / (1 - d), 1)),
    equals(d / (1 - d), r"a step later, $\frac{d}{1 - d}$ is $\frac{d}{1 - d}$ again: $\frac{d}{1 - d} + 1 = \frac{1}{1 - d}$"),
    uses=(moving_average,),
    role="lemma",
)
delta = derivation.number(r"\delta", "$1 - d$, small", positive=True)
speed = derivation.number(r"\nu", "how far the iterates move on average in one step", positive=True)
spread = derivation.number(r"\sigma^2", "the variance of independent noise on top", positive=True)
derivation.chain(
    "How long to average",
    Slope(plus(spread * delta / 2, speed**2 / delta**2), delta),
    equals(plus(spread / 2, -2 * speed**2 / delta**3), "the derivative of a power"),
    role="remark",
    so=r"The mean square error is about $\frac{\sigma^2 \delta}{2}$ from the noise ($r = 0$) and $\nu^2 / \delta^2$ from the "
    r"lag. It is least where the slope changes sign, at $\delta = (4 \nu^2 / \sigma^2)^{1/3}$: average long only if the "
    r"iterates move slowly.",
)
m = derivation.number("n", "how many steps were taken, in what follows", "step", positive=True)
ramp = derivation.define("d_n", (1 + m) / (10 + m), "the decay of the warm-up", "warmup_decay", positive=True)
derivation.chain(
    "With a warm-up the mean age is a tenth of the run",
    times(ramp, plus(m / 10, 1)),
    equals(
        times(Rational(1, 10), m + 1),
        r"$\frac{1 + n}{10 + n} \cdot \frac{n + 10}{10}$: if the age is $\frac{n}{10}$ after $n$ steps, it is $\frac{n + "
        r"1}{10}$ after $n + 1$",
        wrong={"the age of a constant decay": ramp / (1 - ramp)},
    ),
    so=r"It begins at 0, so by induction it is $\frac{n}{10}$ exactly, as long as the ramp is below the decay $d$ that it "
    r"leads to.",
)
derivation.chain(
    "When the ramp ends",
    ramp - d,
    equals(
        times(1 - d, plus(m, 10, -9 / (1 - d))) / (10 + m),
        r"the common denominator: $1 + n - d (10 + n) = (1 - d)\, n + 1 - 10 d$",
    ),
    role="remark",
    so=r"So the ramp reaches $d$ at $n = \frac{9}{1 - d} - 10$ (for $d \ge \frac{1}{10}$), and from then on the decay is $d$.",
)
derivation.bridge(
    "The code's warm-up",
    Min(d, ramp),
    warmup_decay,
    step=m,
    decay=d,
    wrong={"no limit": ramp, "counted from step 1": Min(d, m / (9 + m))},
)


def _start_after(count):
    """The share of the start after so many steps of the ramp: the inverse of a binomial coefficient, written out."""
    return math.factorial(9) / sympy.prod([count + k for k in range(1, 10)])


derivation.chain(
    "... and the start is forgotten",
    times(ramp, _start_after(m)),
    equals(_start_after(m + 1), r"$n + 1$ cancels, and $n + 10$ is a new factor", wrong={"one step less": _start_after(m + 2)}),
    role="remark",
    so=r"The share of the start is 1 after no step, so after $n$ steps it is $\binom{n + 9}{9}^{-1}$: $\frac{1}{92378}$ after "
    r"ten.",
)
snr = derivation.define("R", a / (1 - a), "the signal-to-noise ratio", "SNR", positive=True)
gamma = derivation.number(r"\gamma", "the largest weight", "gamma", positive=True)
error = derivation.number("E", "the squared error of the data that the network implies", positive=True)
derivation.chain(
    "One loss for three predictions",
    times(Min(snr, gamma) / snr, times(snr, error)),
    equals(times(Min(snr, gamma), error), r"the squared error of the noise is $R E$"),
    equals(times(Min(snr, gamma) / (snr + 1), times(snr + 1, error)), r"that of the velocity is $(R + 1) E$"),
    uses=(error_of_the_noise, error_of_the_velocity),
    so=r"So the weights $\frac{\min(R, \gamma)}{R}$ on errors of the noise, $\min(R, \gamma)$ on errors of the data, and "
    r"$\frac{\min(R, \gamma)}{R + 1}$ on errors of the velocity $\sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0$ "
    r"are the same loss. No error of the data counts more than $\gamma$ times, at levels with little noise. For $R \le \gamma$ "
    r"the weight of the noise is exactly 1. A weight does not move the best guess of a level; it matters because one network "
    r"serves all levels.",
)
for _name, _divisor, _mistake in (("noise", snr, "not divided"), ("velocity", snr + 1, "divided as for the noise")):
    derivation.bridge(
        f"The code's weight on errors of the {_name}",
        Min(snr, gamma) / _divisor,
        min_snr_weight,
        t=[1],
        alpha_bar=[1, a],
        gamma=gamma,
        prediction=_name,
        wrong={_mistake: Min(snr, gamma) if _name == "noise" else Min(snr, gamma) / snr, "no limit": snr / _divisor},
    )

p = derivation.law("p", t, "the probability with which level $t$ is drawn", "probabilities")
loss = derivation.numbers("L", t, "the expected loss of level $t$", "losses")
root = derivation.numbers("m", t, "the root of the mean square of its loss", positive=True)
s = derivation.index("s", "another level")
derivation.chain(
    "Uneven drawing leaves the mean as it is",
    Expectation(p, loss / (T * p)),
    equals(Total(t, loss) / T, "the probability cancels"),
    role="lemma",
)
_GAP = Total(s, Total(t, times(Rational(1, 2), p.at(s), p, (root.at(s) / p.at(s) - root / p) ** 2)))
derivation.chain(
    "The least variance: draw a level in proportion to the size of its losses",
    times(T**2, Expectation(p, (root / (T * p)) ** 2)),
    equals(times(Total(t, root**2 / p), Total(s, p.at(s))), r"the factors $T$ cancel; the second sum is 1"),
    equals(
        plus(Total(t, root) ** 2, _GAP),
        r"multiply out: $\frac12 p_s p_t \left(\frac{m_s}{p_s} - \frac{m_t}{p_t}\right)^2 = \frac12 \frac{p_s m_t^2}{p_t} + "
        r"\frac12 \frac{p_t m_s^2}{p_s} - m_s m_t$",
        wrong={"the sum of squares": plus(Total(t, root**2), _GAP)},
    ),
    at_least(Total(t, root) ** 2, r"leave out squares; equality if and only if $p_t$ is proportional to $m_t$", dropping=_GAP),
    so=r"The first line is $T^2$ times the second moment of one draw's loss, weighted by $\frac{1}{T p_t}$. The mean is the "
    r"same for all $p$, so the variance is least, too. The $m_t$ are estimated from recent losses. Mixed with a share "
    r"$\upsilon$ of the uniform law, $p_t \ge \frac{\upsilon}{T}$, so that no weight exceeds $\frac{1}{\upsilon}$.",
)
k = derivation.index("k", "one of the recent losses of a level")
M = derivation.count(k, "M", "how many are remembered")
history = derivation.numbers("l", (t, k), "the recent losses", "loss_history", positive=True)
share = derivation.number(r"\upsilon", "the share of the uniform law", "uniform_probability", between=(0, 1))
size = derivation.define(r"\hat{m}", sqrt(Total(k, history**2) / M), "the estimate of $m_t$", over=t, positive=True)
derivation.bridge(
    "The code's probabilities",
    plus(times(1 - share, size) / Total(s, size.at(s)), share / T),
    loss_aware_probabilities,
    loss_history=[history.at(s, k) for s in range(4)],
    uniform_probability=share,
    wrong={
        "by the mean squares": plus(times(1 - share, size**2) / Total(s, size.at(s) ** 2), share / T),
        "the shares exchanged": plus(times(share, size) / Total(s, size.at(s)), (1 - share) / T),
    },
)
derivation.bridge(
    "... and its weighted losses", loss / (T * p), importance_weighted_loss, losses=loss, t=np.arange(1, 5), probabilities=p
)


@derivation.example(
    r"The floor at $\bar\alpha_t = 0.5184$ for data of variance $\frac14$; what averaging leaves of the variance; and two "
    r"levels with the losses 3 and 1."
)
def numbers_by_hand():
    given = {a: 0.5184, c: 0.25}
    yield r"\theta^*", value(best, given), "1.1354"
    yield r"\bar\alpha_t c / V", value(a * c / V, given), "0.2120"
    yield r"4 \bar\alpha_t c", value(4 * a * c, given), "0.5184"
    for forgets, decay, printed in ((0.9, 0.99, "0.0872"), (0.999, 0.99, "0.9095"), (0.999, 0.9999, "0.0909")):
        yield rf"\frac{{F}}{{P}}\ \text{{for}}\ r = {forgets},\ d = {decay}", value(F / P, {r: forgets, d: decay, q: 1}), printed
    moments = [sum(x**2 / (4 * y) for x, y in zip((3, 1), law, strict=True)) for law in ((0.5, 0.5), (0.75, 0.25), (0.9, 0.1))]
    yield r"\text{second moment for}\ p_1 = \tfrac12, \tfrac34, \tfrac{9}{10}", moments, "(5, 4, 5)"


@derivation.figure(
    r"Left: the share of the iterates' variance that an average keeps. It falls where the iterates forget faster than the "
    r"average, $\eta \lambda > 1 - d$. Right: squared errors of the best guess for data that are $-1$ or $1$, one sample each, "
    r"on the cosine schedule, and their mean, the floor.",
    panels=2,
)
def averages_and_the_floor(left, right):
    forgotten = np.logspace(-5, 0, 61)
    for decay in (0.99, 0.999, 0.9999):
        rest_ = 1 - forgotten
        left.loglog(forgotten, (1 - decay) * (1 + rest_ * decay) / ((1 + decay) * (1 - rest_ * decay)), label=f"$d = {decay}$")
    left.set(xlabel="$\\eta \\lambda = 1 - r$", ylabel="$F / P$")
    left.legend()
    draws = np.random.default_rng(0)
    levels = np.asarray(cosine_alpha_bar(num_steps=100))

    def errors(times_, data_, noise):
        level = levels[times_]
        x = np.sqrt(level) * data_ + np.sqrt(1 - level) * noise
        implied = (x - np.sqrt(level) * np.tanh(np.sqrt(level) * x / (1 - level))) / np.sqrt(1 - level)
        return (noise - implied) ** 2

    drawn = np.asarray(timesteps_from_uniforms(jnp.asarray(draws.random(300)), num_steps=100))
    right.plot(drawn, errors(drawn, draws.choice((-1, 1), 300), draws.normal(size=300)), ".", markersize=3, color="gray")
    grid = np.linspace(-6, 6, 241)
    bell = np.exp(-(grid**2) / 2)
    times_ = np.arange(1, 101)
    right.plot(times_, errors(times_[:, None], 1, grid) @ bell / bell.sum(), label="floor")
    right.set(xlabel="level $t$", ylabel="squared error", ylim=(0, 3))
    right.legend()


@derivation.exercise(
    r"What is the floor of the mean loss for data $\mathcal{N}(0, 1)$ and two levels with $\bar\alpha = 0.81$ and $0.5184$?",
    r"$V = 1$, so each floor is $\bar\alpha_t$, and the mean is 0.6642.",
)
def a_floor():
    yield (value(a * c / V, {a: 0.81, c: 1}) + value(a * c / V, {a: 0.5184, c: 1})) / 2, "0.6642"


@derivation.exercise(
    r"When does the ramp reach $d = 0.995$, and with which mean age? What is the mean age of a constant decay of 0.995?",
    r"At $n = \frac{9}{0.005} - 10 = 1790$, with the mean age 179. That of the constant decay is $\frac{0.995}{0.005} = 199$.",
)
def the_ramp():
    yield 9 / 0.005 - 10, "1790"
    yield (9 / 0.005 - 10) / 10, "179"
    yield 0.995 / (1 - 0.995), "199"


@derivation.exercise(
    r"Which decay brings the variance of the average to a tenth, if the iterates forget at once?",
    r"$\frac{1 - d}{1 + d} = 0.1$, so $d = \frac{9}{11} = 0.8182$.",
)
def a_tenth():
    yield 9 / 11, "0.8182"
    yield value(F / P, {r: 0, d: sympy.Rational(9, 11), q: 1}), "0.1"


@derivation.numeric(
    r"p_t = \frac{m_t}{\sum_{s} m_s}",
    because=r"Losses of $10^{200}$: the code divides by the largest loss before it squares, so that nothing overflows.",
    role="appendix",
)
def huge_losses():
    losses = jnp.array([[3e200], [1e200], [0.0]])
    right = jnp.array([0.75, 0.25, 0.0])
    return Sides(
        left=loss_aware_probabilities(losses, uniform_probability=0.0),
        right=right,
        wrong={"by the squares": jnp.array([0.9, 0.1, 0.0])},
    )
