"""Training a DDPM: levels at random, weights on average.

The lecture on the functions of theory_jax/diffusion/training.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Min, Rational, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.training import (
    exponential_moving_average,
    importance_weighted_loss,
    loss_aware_probabilities,
    min_snr_weight,
    timesteps_from_uniforms,
    warmup_decay,
)
from theory_jax.lectures.diffusion._training import draw_averages, draw_floor, draw_kept, steps_of_training
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
    question="After minutes the loss of a diffusion model stops falling, far above zero, while the samples improve for days; "
    "and samples of the newest weights are worse than those of averaged weights. Is something broken? What does training "
    "minimize, why does the loss never reach zero, and what changes if weights are averaged, or if levels are weighted or drawn "
    "unevenly?",
    setting=(
        "One sample is a data point $x_0$, a level $t$ that is uniform on the $T$ levels, and standard normal noise "
        r"$\epsilon$, all independent. The network sees $\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$, which "
        "is called $x_t$; its loss is the squared error of the predicted noise. One coordinate is written; squared errors add "
        "over coordinates.",
        r"Networks are represented by a linear guess $\theta x_t$ where a formula needs one. Near a minimum, the iterates of "
        r"training are modeled by a recursion: a step takes $\theta$, measured from the minimum, to $r \theta + \xi$, with "
        r"noise $\xi$ of mean 0 that is independent of $\theta$. For learning rate $\eta$ and curvature $\lambda$, $r$ is $1 - "
        r"\eta \lambda$; it is between -1 and 1.",
        r"Samples are drawn with averaged weights: a step takes the average $A$ to $d A + (1 - d)\, \theta'$, where $\theta'$ "
        "is the newest iterate and the decay $d$ is between 0 and 1.",
    ),
    limits=(
        "Adam, clipped gradients and curvature that changes are not treated: the iterates are modeled by a linear recursion "
        "with noise that does not depend on the state.",
        "Drawing by the losses lowers the variance of the loss. That of the gradient needs the gradients' sizes.",
    ),
)


@derivation.figure(
    "Left: squared errors of the best guess for data that are $-1$ or $1$, one sample each, on the cosine schedule, and their "
    "mean, the floor: below it no training can go. Right: the share of the iterates' variance that an average with the decay "
    "$d$ keeps. It falls where the iterates forget faster than the average, to the right of $1 - d$.",
    panels=2,
)
def the_floor_and_averages(left, right):
    draw_floor(left, lambda uniforms: timesteps_from_uniforms(jnp.asarray(uniforms), num_steps=100))
    draw_kept(right)


t = derivation.index("t", "a level", "t")
T = derivation.count(t, "T", "the number of levels", "num_steps")
derivation.symbol("u", "a uniform number between 0 and 1", "u")


@derivation.exact(
    r"P\left(\min(1 + \lfloor u T \rfloor, T) = t\right) = \frac1T",
    outcomes=1000,
    because="For 10 levels and 1000 numbers in the middles of equal pieces of $[0, 1)$. The interval is cut into $T$ equal "
    "pieces, one for each level from 1 to $T$. Level 0 is the data and is not trained; $T$ is, since every sample starts there. "
    "The minimum acts only where $u T$ is rounded up to $T$.",
    role="lemma",
)
def every_level_equally_often():
    t = timesteps_from_uniforms((jnp.arange(1000) + 0.5) / 1000, num_steps=10)
    right = jnp.array([0] + [0.1] * 10 + [0])
    return Sides(left=jnp.bincount(t, length=12) / 1000, right=right, wrong={"levels from 0": jnp.roll(right, -1)})


n = derivation.index("j", "one of the points that the data may be")
data = derivation.law("w", n, "any distribution of the data")
y = derivation.numbers("y", n, "the points")
signal = derivation.numbers("g", t, r"$\sqrt{\bar\alpha_t}$", positive=True)
rest = derivation.numbers("h", t, r"$\sqrt{1 - \bar\alpha_t}$", positive=True)
epsilon = derivation.number(r"\epsilon", "the noise, standard normal")
theta = derivation.number(r"\theta", "the parameter of a linear guess of the noise")
_noise_law = Normal(epsilon, 0, 1)
_error = (epsilon - times(theta, plus(times(signal, y), times(rest, epsilon)))) ** 2
mean_gradient = derivation.chain(
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
    "gives an unbiased gradient.",
)

derivation.say(
    "No guess beats the conditional mean (Pythagoras, in the lecture on the simple loss), so at every level the loss is at "
    r"least $\mathbb{E}[\mathrm{Var}(\epsilon|x_t)]$ for every network. Why is that not zero? Given the data point, the noise "
    "could be computed from $x_t$. The network is not given it: several data points, each with its own noise, lead to the same "
    "$x_t$, and its best answer is the mean of these noises. How large is this floor?"
)
a = derivation.number(r"\bar\alpha_t", "the signal's share at one level", "alpha_bar[t]", between=(0, 1))
c = derivation.number("c", "the variance of Gaussian data", positive=True)
x_0 = derivation.number("x_0", "the data")
V = derivation.define("V", plus(1 - a, a * c), "the variance of $x_t$", positive=True)
best = derivation.define(r"\theta^*", sqrt(1 - a) / V, "the best linear guess", positive=True)
_x = plus(times(sqrt(a), x_0), times(sqrt(1 - a), epsilon))
_data = Normal(x_0, 0, c)


def _mean(expression):
    return Expectation(_data, Expectation(_noise_law, expression))


floor = derivation.chain(
    "The loss has a floor",
    Expectation(_data, Expectation(_noise_law, (epsilon - times(theta, _x)) ** 2)),
    equals(
        plus(1, -times(2, theta, sqrt(1 - a)), times(theta**2, V)),
        prose(
            "multiply out; {cross}, and {square}",
            cross=holds(_mean(epsilon * _x), "=", sqrt(1 - a), wrong={"the signal's factor": sqrt(a)}),
            square=holds(_mean(_x**2), "=", V, wrong={"data of variance 1": 1}),
        ),
    ),
    equals(
        plus(a * c / V, times(V, (theta - best) ** 2)),
        prose("complete the square; {rest}", rest=holds(plus(1, -(1 - a) / V), "=", a * c / V)),
        wrong={"the noise's share": plus((1 - a) / V, V * (theta - best) ** 2)},
    ),
    at_least(
        a * c / V,
        prose("leave out the square; equality if and only if {best}", best=where(theta, best)),
        dropping=times(V, (theta - best) ** 2),
    ),
    central=True,
    uses=(pythagoras,),
    so=prose(
        "For Gaussian data of mean 0 the best guess is linear, so this is the floor of every network: the share of the data in "
        "the variance of $x_t$. It falls from {little}, where little noise is left and is hard to tell from the data, to "
        "{much}, where $x_t$ is noise alone. For other data of mean 0 and variance $c$ the linear guess is one of the guesses, "
        "so the floor is at most this number; for data that are two points (the figure), a little noise is easy to see, and the "
        "floor is near 0 at both ends. A loss that stays above zero is no sign of failure.",
        little=holds(Limit(a * c / V, a, 1, "-"), "=", 1, named=True),
        much=holds(Limit(a * c / V, a, 0), "=", 0, named=True),
    ),
)
derivation.chain(
    "At the floor the gradient of a sample is still noisy",
    _mean(times(2, _x, plus(times(best, _x), -epsilon)) ** 2),
    equals(
        times(4, _mean(_x**2), _mean(plus(times(best, _x), -epsilon) ** 2)),
        r"$x_t$ and $\theta^* x_t - \epsilon$ are Gaussian and uncorrelated, so they are independent",
    ),
    equals(4 * a * c, "four times $V$ times the floor"),
    role="remark",
    so="Its mean is 0 there. So with a constant learning rate the iterates keep moving around the minimum.",
)

theta_next = derivation.number(r"\theta'", "the newest iterate", "value")
average = derivation.number("A", "the average before it", "average")
eta, curvature, tau = (
    derivation.number(name, meaning, positive=True)
    for name, meaning in ((r"\eta", "the learning rate"), (r"\lambda", "the curvature"), (r"\tau", "the gradient's deviation"))
)
r = derivation.number("r", r"the share of the distance to the minimum that a step leaves, $1 - \eta \lambda$", between=(-1, 1))
d = derivation.number("d", "the decay of the moving average", "decay", between=(0, 1))
q = derivation.number("q", r"the variance of the noise $\xi$ that a step adds", positive=True)
P = derivation.define("P", q / (1 - r**2), "the variance of the iterates", positive=True)
K = derivation.define("K", (1 - d) * P / (1 - d * r), "the covariance of the average with the iterate")
kept_share = (1 - d) * (1 + r * d) / ((1 + d) * (1 - r * d))
F = derivation.define("F", P * kept_share, "the variance of the average")
derivation.answer = prose(
    "A step's gradient is, on average, that of the mean loss over all levels. Each level has a floor, the noise that $x_t$ does "
    "not determine, {floor} for Gaussian data of mean 0 and variance $c$, and gradients stay noisy there. In a linear model of "
    "training near its minimum, averaged weights keep in the long run the fraction {kept} of the iterates' variance, and lag "
    "behind. A level's weight does not change what is best at that level; it matters since one network serves all levels. "
    "Drawing a level in proportion to the root mean square of its losses, and dividing by that probability, keeps the mean loss "
    "and gives its estimate the least variance, but not that of the gradient.",
    floor=holds(_mean((epsilon - best * _x) ** 2), "=", a * c / V, wrong={"the noise's share": (1 - a) / V}, named=True),
    kept=holds(F / P, "=", kept_share, wrong={"as for independent iterates": (1 - d) / (1 + d)}, named=True),
)
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
    "How much does averaging help? In the long run the variances no longer change: each of $P$, $K$ and $F$ solves an equation "
    "that says that one more step leaves it as it is."
)
derivation.chain(
    "In the long run the iterates keep a variance",
    plus(times(r**2, P), q),
    equals(
        P,
        prose(r"the variance of $\theta'$ is that of $\theta$; {solved}", solved=holds(times(P, 1 - r**2), "=", q)),
        wrong={"the share not squared": q / (1 - r)},
    ),
    role="lemma",
    so=prose(
        r"For gradient noise of variance $\tau^2$, that is {share} and {noise}, {it}: nearly in proportion to the learning "
        "rate, while this is small. A smaller rate lowers it, but slows training.",
        share=where(r, 1 - eta * curvature),
        noise=where(q, eta**2 * tau**2),
        it=holds(P, "=", eta * tau**2 / (curvature * (2 - eta * curvature)), wrong={"no factor 2": eta * tau**2 / curvature}),
    ),
)
derivation.chain(
    "In the long run the average keeps a covariance with the iterates",
    plus(times(d, r, K), times(1 - d, P)),
    equals(
        K,
        r"the covariance of $d A + (1 - d)\, \theta'$ with $\theta'$, where $A$ has the covariance $r K$ with $\theta'$",
        wrong={"independent of the past": (1 - d) * P},
    ),
    role="lemma",
)
less = derivation.chain(
    "The average has a smaller variance than the iterates",
    plus(times(d**2, F), times(2, d, 1 - d, r, K), times((1 - d) ** 2, P)),
    equals(F, "the square of the recursion; insert $K$ and solve", wrong={"as for independent iterates": P * (1 - d) / (1 + d)}),
    so=prose(
        "So averaging leaves the fraction {kept}, which is {then} for iterates that forget at once. It helps less, the more "
        "slowly they forget: {slope} is positive, and as $r$ rises to 1 the fraction rises to {limit}. The average has to look "
        "back, over about $1/(1 - d)$ steps, much further than the iterates remember, over about {memory} steps.",
        kept=holds(F / P, "=", kept_share),
        then=holds(F / P, "=", (1 - d) / (1 + d), when={r: 0}, named=True, wrong={"the decay's complement": 1 - d}),
        slope=holds(Slope(F / P, r), "=", 2 * d * (1 - d) / ((1 + d) * (1 - r * d) ** 2)),
        limit=holds(Limit(kept_share, r, 1, "-"), "=", 1, named=True),
        memory=holds(1 / (1 - r), "=", 1 / (eta * curvature), when={r: 1 - eta * curvature}),
    ),
)

derivation.say(
    prose(
        "What does an average remember? It is a weighted mean of the start and of all iterates (lemma on moving averages); an "
        "iterate that is older by one step has $d$ times the weight. The mean age of its content follows a recursion: "
        "everything in it becomes older by one step, and a share $1 - d$ of age 0 comes in. The age {age} stays as it is, "
        "{stays}. If the iterates move by the same amount in every step, the average lags behind by the mean age.",
        age=d / (1 - d),
        stays=holds(times(d, plus(d / (1 - d), 1)), "=", d / (1 - d), wrong={"one step more": 1 / (1 - d)}),
    )
)
m = derivation.number("n", "how many steps were taken, in what follows", "step", positive=True)
ramp = derivation.define("d_n", (1 + m) / (10 + m), "the decay of the warm-up", "warmup_decay", positive=True)
warm_up = derivation.chain(
    "With a warm-up the mean age is a tenth of the run",
    times(ramp, plus(m / 10, 1)),
    equals(
        times(Rational(1, 10), m + 1),
        r"if the age is $\frac{n}{10}$ after $n$ steps, it is $\frac{n + 1}{10}$ after $n + 1$",
        wrong={"the age of a constant decay": ramp / (1 - ramp)},
    ),
    uses=(moving_average,),
    so=prose(
        "It begins at 0, so by induction it is one tenth of the number of steps, as long as the ramp is below the decay $d$ "
        "that it leads to. It reaches $d$, if that is at least $1/10$, after {steps} steps: there {reached}.",
        steps=9 / (1 - d) - 10,
        reached=holds(ramp, "=", d, when={m: 9 / (1 - d) - 10}),
    ),
    role="lemma",
)
derivation.bridge(
    "The code's warm-up",
    Min(d, ramp),
    warmup_decay,
    step=m,
    decay=d,
    wrong={"no limit": ramp, "counted from step 1": Min(d, m / (9 + m))},
)
derivation.figure(
    prose(
        "Left: iterates that approach a minimum and go on to move around it. An average with the decay 0.99 lags behind by "
        "{age} steps; with the warm-up it follows at once and ends as smooth. Right: around the minimum averages keep {kept} "
        "of the variance (line, for iterates with $r$ of 0.9); 100 runs of 500 steps (dots) agree.",
        age=holds(d / (1 - d), "=", 99, when={d: Rational(99, 100)}, named=True, wrong={"a step more": 100}),
        kept=holds(F / P, "=", kept_share, named=True, wrong={"of independent iterates": (1 - d) / (1 + d)}),
    ),
    panels=2,
)(draw_averages)
snr = derivation.define("R", a / (1 - a), "the signal-to-noise ratio", "SNR", positive=True)
gamma = derivation.number(r"\gamma", "the largest weight", "gamma", positive=True)
error = derivation.number("E", "the squared error of the data that the network implies", positive=True)
derivation.chain(
    "One loss for three predictions",
    times(Min(snr, gamma) / snr, times(snr, error)),
    equals(times(Min(snr, gamma), error), r"the squared error of the noise is $R E$"),
    equals(times(Min(snr, gamma) / (snr + 1), times(snr + 1, error)), r"that of the velocity is $(R + 1) E$"),
    uses=(error_of_the_noise, error_of_the_velocity),
    so=prose(
        "So the weights {noise} on errors of the noise, {data} on errors of the data, and {velocity} on errors of the velocity "
        r"$\sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0$ are the same loss. An error of the data counts at "
        r"most $\gamma$ times, however little noise a level has. Where $R$ is at most $\gamma$, the weight on errors of the "
        "noise is 1. A weight does not move the best guess of a level; it matters because one network serves all levels.",
        noise=Min(snr, gamma) / snr,
        data=Min(snr, gamma),
        velocity=Min(snr, gamma) / (snr + 1),
    ),
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
_GAP = Total(s, Total(t, times(Rational(1, 2), p.at(s), p, (root.at(s) / p.at(s) - root / p) ** 2)))
derivation.chain(
    "The least variance: draw a level in proportion to the size of its losses",
    times(T**2, Expectation(p, (root / (T * p)) ** 2)),
    equals(
        times(Total(t, root**2 / p), Total(s, p.at(s))),
        prose("the factors $T$ cancel; {one}", one=holds(Total(s, p.at(s)), "=", 1)),
    ),
    equals(
        plus(Total(t, root) ** 2, _GAP),
        prose(
            "multiply out the squares: {square}",
            square=holds(
                times(p.at(s), p, (root.at(s) / p.at(s) - root / p) ** 2),
                "=",
                plus(p.at(s) * root**2 / p, p * root.at(s) ** 2 / p.at(s), -2 * root.at(s) * root),
            ),
        ),
        wrong={"the sum of squares": plus(Total(t, root**2), _GAP)},
    ),
    at_least(
        Total(t, root) ** 2,
        prose("leave out squares; equality if and only if {proportional}", proportional=where(p, root / Total(s, root.at(s)))),
        dropping=_GAP,
    ),
    so=prose(
        "The first line is $T^2$ times the second moment of one weighted loss, $m_t$ the root of the mean square of the "
        "unweighted ones. Weighted by {weight}, losses keep their mean, {mean}, for all $p$, so the variance is least, too. The "
        r"$m_t$ are estimated from recent losses, and mixed with a share $\upsilon$ of the uniform distribution: no $p_t$ is "
        r"below $\upsilon/T$, so no weight exceeds $1/\upsilon$.",
        weight=1 / (T * p),
        mean=holds(Expectation(p, loss / (T * p)), "=", Total(t, loss) / T, wrong={"not divided": Expectation(p, loss)}),
    ),
)
k = derivation.index("k", "one of the recent losses of a level")
M = derivation.count(k, "M", "how many are remembered")
history = derivation.numbers("l", (t, k), "the recent losses", "loss_history", positive=True)
share = derivation.number(r"\upsilon", "the share of the uniform distribution", "uniform_probability", between=(0, 1))
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


@derivation.algorithm(
    "Training a DDPM, with averaged weights",
    do(r"for $n = 0, 1, \dots$:"),
    do(r"draw $x_0$ from the data, $u$ uniform, $\epsilon \sim \mathcal{N}(0, 1)$", indent=1),
    do(r"$t \leftarrow \min(1 + \lfloor u T \rfloor, T)$", timesteps_from_uniforms, by=every_level_equally_often, indent=1),
    do(r"$x_t \leftarrow \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$", indent=1),
    do(r"$\theta \leftarrow \theta - \eta\, \nabla_\theta \left(\epsilon - \theta x_t\right)^2$", by=mean_gradient, indent=1),
    do(r"$d_n \leftarrow \min\left(d, \frac{1 + n}{10 + n}\right)$", warmup_decay, by=warm_up, indent=1),
    do(r"$A \leftarrow d_n A + (1 - d_n)\, \theta$: samples are drawn with $A$", exponential_moving_average, by=less, indent=1),
)
def two_steps():
    yield from steps_of_training(timesteps_from_uniforms, warmup_decay, exponential_moving_average)


@derivation.example(
    "The floor at a signal's share of 0.5184 for data of variance one quarter; what averaging leaves of the variance; and two "
    "levels with the losses 3 and 1."
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
