"""Classifier-free guidance: the classifier inside a conditional model.

The lecture on the functions of theory_jax/diffusion/classifier_free_guidance.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Matrix, Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.diffusion.classifier_free_guidance import compose, drop_condition, guide, interval_scale, rescale
from theory_jax.lectures.diffusion._two_points import best_noise
from theory_jax.lectures.diffusion.classifier_guidance import bayes_for_scores, tilted_spread
from theory_jax.lectures.diffusion.ddim import euler_step
from theory_jax.lectures.diffusion.score_prediction import score_of_the_marginal

derivation = Derivation(
    module=__name__,
    title="Classifier-free guidance: the classifier inside a conditional model",
    lectures=(35, 41),
    sources=(
        "Ho & Salimans 2022, Classifier-Free Diffusion Guidance",
        "Lin, Liu, Li & Yang 2023, Common Diffusion Noise Schedules and Sample Steps Are Flawed",
        "Liu, Li, Du, Torralba & Tenenbaum 2022, Compositional Visual Generation with Composable Diffusion Models",
        "Kynkäänniemi et al. 2024, Applying Guidance in a Limited Interval",
    ),
    question="One network predicts noise with its condition and without. What do the two answers estimate, when is their "
    "difference the slope of a classifier, and which law does a sampler draw from that overstates it?",
    setting=(
        r"Data $x_0$ have a condition $y$ (a class, say) of positive probability. The noise in $x_t = \sqrt{\bar\alpha_t}\, "
        r"x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$, $0 < \bar\alpha_t < 1$, is independent of both, so given $x_0$, $x_t$ and "
        r"$y$ are independent.",
        r"In training the condition is replaced by a null condition $\varnothing$ with probability $p$, $0 < p < 1$. This is "
        r"decided once for each example, independently of $x_0$, $y$, $t$ and $\epsilon$. The loss is squared error.",
        r"At a noisy value, $c$ is the prediction with the condition, $u$ that without, and the guided prediction is $g = u + "
        r"w (c - u)$: conditional at $w = 1$, unconditional at $w = 0$. Another convention calls $w - 1$ the scale.",
        r"One coordinate is written, except where a plane is needed. In $D$ dimensions slopes are gradients.",
    ),
    answer=r"The minimizers of the loss are two scores, and their difference is the slope of $\log q_t(y|x)$: a classifier "
    r"no one trained. This holds for the minimizers; the difference of a network's answers need not be a gradient. For $w > 1$, "
    r"Gaussian data and a condition that narrows them, the guided flow draws from a law narrower than $q_0(x)\, q_0(y|x)^w$.",
    limits=(
        "Why overstated guidance looks better to people is not shown.",
        "What is drawn is computed for Gaussian data and exact scores. For learned fields in many dimensions only what cannot "
        "be assumed is shown.",
    ),
    trained="`diffusion/training` drops labels; `python -m practice_torch sample RUN --guidance 2` draws with its models.",
)

half = Rational(1, 2)
k = derivation.index("y", "a condition")
of_noise = derivation.index("k", "a value of the noise")
p = derivation.number("p", "the probability that the condition is dropped", "probability", between=(0, 1))
q = derivation.law("q({}|x)", k, r"the law of the condition, given $x_t = x$")
noise_law = derivation.law("q({}|x,{})", (of_noise, k), r"the law of the noise, given $x_t = x$ and the condition")
epsilon = derivation.numbers(r"\epsilon", of_noise, "the values of the noise")
best = derivation.define(
    "c^*", Expectation(noise_law, epsilon), "the best prediction with the condition, the mean of the noise", over=k
)
derivation.say(
    r"What do the two branches learn? In least squares the best prediction is the mean. With the condition that is $c^*_y = "
    r"\mathbb{E}[\epsilon|x_t, y]$; the null branch sees the examples with a dropped condition."
)
derivation.chain(
    "The null branch learns the average over the conditions",
    Total(k, Total(of_noise, p * q * noise_law * epsilon)) / Total(k, Total(of_noise, p * q * noise_law)),
    equals(
        Total(k, q * Expectation(noise_law, epsilon)),
        r"$p$ does not depend on the condition and cancels; the laws sum to one",
        wrong={"the share of dropped examples kept": p * Total(k, q * Expectation(noise_law, epsilon))},
    ),
    equals(Expectation(q, best), r"the definition of $c^*$", wrong={"not averaged": Total(k, best)}),
    states=2,
    so=r"The first line is the mean of the noise over the dropped examples at $x$. The result is $u^* = "
    r"\mathbb{E}[\epsilon|x_t]$: not nothing, but the average over the conditions that $x$ may have. If $p$ depended on $y$, "
    r"the average would belong to other frequencies of the conditions; if it were 0 at some level, the null branch would not "
    r"be trained there.",
)

x = derivation.number("x", "a noisy value", "x_t")
a = derivation.number(r"\bar\alpha_t", "the share of the variance that is signal", "alpha_bar[t]", between=(0, 1))
w = derivation.number("w", "the scale of the guidance", "scale", positive=True)
ell = derivation.function(r"\ell", r"$\ell(y, x) = \log q_t(x|y)$: the log-density of the noisy data of a condition", arguments=2)
prior = derivation.law("q({})", k, "how frequent a condition is")
density = derivation.define("q_t(x)", Expectation(prior, exp(ell(k, x))), "the density of all noisy data", positive=True)
classifier = derivation.define("q_t({}|x)", prior * exp(ell(k, x)) / density, "the law of the condition", over=k, law=True)
with_it = derivation.define(
    "c^*", -times(sqrt(1 - a), Slope(ell(k, x), x)), "the best prediction with the condition, by the score", over=k
)
without = derivation.define("u^*", -times(sqrt(1 - a), Slope(log(density), x)), "the best prediction without it")
derivation.chain(
    "The two best predictions contain a classifier",
    plus(without, times(w, plus(with_it, -without))),
    equals(
        plus(without, -times(w, sqrt(1 - a), plus(Slope(ell(k, x), x), -Slope(log(density), x)))),
        r"each is $-\sqrt{1 - \bar\alpha_t}$ times a score",
    ),
    equals(
        plus(without, -times(w, sqrt(1 - a), Slope(log(classifier), x))),
        r"Bayes' rule for scores: $q(y)$ has no slope",
        wrong={"the other convention": plus(without, -times(1 + w, sqrt(1 - a), Slope(log(classifier), x)))},
    ),
    states=2,
    central=True,
    uses=(score_of_the_marginal, bayes_for_scores),
    so="The last line is classifier guidance. No classifier was trained; this one knows all levels of noise, and it belongs to "
    "the very model that draws the samples. All this holds for the minimizers of the loss.",
)
conditional = derivation.number("c", "a prediction with the condition", "conditional")
unconditional = derivation.number("u", "a prediction without it", "unconditional")
guided = plus(unconditional, times(w, plus(conditional, -unconditional)))
derivation.bridge(
    "The code's guided prediction",
    guided,
    guide,
    conditional=[conditional],
    unconditional=[unconditional],
    scale=[w],
    wrong={"the other convention": conditional + w * (conditional - unconditional)},
)

derivation.say("A trained network is no minimizer. Is the difference of its answers the slope of something, all the same?")
M = [[derivation.number(f"M_{{{i}{j}}}", f"row {i}, column {j} of a matrix") for j in (1, 2)] for i in (1, 2)]
t = derivation.number(r"\tau", "the way along a side of the unit square")
derivation.chain(
    "A linear field that is no gradient gains height on a closed path",
    plus(
        Integral(M[0][0] * t, (t, 0, 1)),
        Integral(plus(M[1][0], M[1][1] * t), (t, 0, 1)),
        -Integral(plus(M[0][0] * t, M[0][1]), (t, 0, 1)),
        -Integral(M[1][1] * t, (t, 0, 1)),
    ),
    equals(plus(M[1][0], -M[0][1]), "integrate the four sides; what depends on the way along them cancels"),
    so=r"The first line is the integral of the field $M x$ along the unit square, counter-clockwise from the origin. Along a "
    r"gradient such an integral is 0: one ends at the height where one began. So $M x$ is no gradient unless $M$ is symmetric, "
    r"and neither is a field with a Jacobian that is not. Nothing in the training makes a network's Jacobian symmetric. Where "
    r"that of $c - u$ is not, no classifier has this slope. The antisymmetric part of the Jacobian of $u + w (c - u)$ changes "
    r"with $w$ along a line, so unless it is zero for both $u$ and $c$, the guided prediction is a gradient for at most one "
    r"$w$. The sampler runs all the same.",
)
error_c = derivation.number(r"\delta_c", "the error of the conditional prediction")
error_u = derivation.number(r"\delta_u", "the error of the unconditional one")
derivation.chain(
    "What survives is a bound on the error, which grows with the scale",
    plus(plus(unconditional, error_u, times(w, plus(conditional, error_c, -unconditional, -error_u))), times(-1, guided)),
    equals(plus(times(w, error_c), -times(w - 1, error_u)), "what is predicted cancels"),
    role="remark",
    so=r"By the triangle inequality the root mean square error is at most $w$ times that of $c$ plus $|w - 1|$ times that of "
    r"$u$.",
)
factor = derivation.number("b", "what another parameterization multiplies the noise by")
shift = derivation.number("h", "what it adds, which may depend on $x_t$")
derivation.chain(
    "One may guide whatever the network predicts",
    plus(times(factor, guided), shift),
    equals(
        plus(
            plus(times(factor, unconditional), shift),
            times(w, plus(plus(times(factor, conditional), shift), times(-1, plus(times(factor, unconditional), shift)))),
        ),
        r"the weights $w$ and $1 - w$ sum to one, so what is added is kept once",
    ),
    role="remark",
    so=r"At a given $x_t$ the data, the velocity, the score and the mean of a step are the noise times a number plus another. "
    r"A clipped prediction is not: clip after guiding.",
)

m = derivation.number("m", "the mean of the conditional law")
s = derivation.number("S", "its variance", positive=True)
precision = derivation.define(r"\Lambda", plus(w / s, 1, -w), "the precision of the guided law, where it is positive")
derivation.say(
    r"What does the scale do? Let the law without condition be $\mathcal{N}(0, 1)$ and with it $\mathcal{N}(m, S)$, at one level."
)
line = derivation.chain(
    "The guided score of Gaussians is a line",
    plus(times(1 - w, Slope(LogDensity(x, 0, 1), x)), times(w, Slope(LogDensity(x, m, s), x))),
    equals(
        plus(-times(1 - w, x), times(w, m - x) / s),
        "the scores of the two Gaussians",
        wrong={"the deviation for the variance": plus(-times(1 - w, x), times(w, m - x) / sqrt(s))},
    ),
    equals(
        plus(w * m / s, -precision * x),
        r"collect $x$: its factor is $-\Lambda$",
        wrong={"the mean not scaled": times(precision, plus(m, -x))},
    ),
    so=r"It is the score of $\mathcal{N}(\frac{w m}{S \Lambda}, \frac{1}{\Lambda})$ if $\Lambda > 0$, and of no law otherwise.",
)
derivation.chain(
    "It is sharper, if the condition is, and farther out",
    Matrix([plus(precision, -1 / s), plus(w * m / s, -precision * m)]),
    equals(
        Matrix([times(w - 1, plus(1 / s, -1)), times(w - 1, m)]),
        r"the definition of $\Lambda$; $w - 1$ is a common factor of both",
        wrong={"the other convention": Matrix([times(w, plus(1 / s, -1)), times(w, m)])},
    ),
    uses=(line,),
    so=r"The second row is $\Lambda$ times the guided mean less $m$, so the guided mean is $m + \frac{w - 1}{\Lambda} m$ where "
    r"$\Lambda > 0$. For $w > 1$ and $S < 1$ the guided law is strictly narrower than the conditional one, and its mean is "
    r"strictly beyond $m$ if $m \ne 0$. For a condition of the data $q_t(x|y) \le q_t(x) / q(y)$, so $S < 1$, or both laws are "
    r"the same. With a negative prompt in the place of $u$: for $S = 1$ the law is only shifted, to $w m$; for $S > 1$ and $w > "
    r"1$ it is wider, and there is no law at all from $w = \frac{S}{S - 1}$ on.",
)

r = derivation.number("r", "by how much the variance of the condition's data is below 1", between=(0, 1))
level = derivation.number(r"\varsigma", r"the noise level $\sqrt{(1 - \bar\alpha_t) / \bar\alpha_t}$", positive=True)
z = derivation.number("z", r"a value in units in which the data are not shrunk, $x / \sqrt{\bar\alpha_t}$")
derivation.say(
    r"Which law is drawn? Take data $\mathcal{N}(0, 1)$, a condition with the data $\mathcal{N}(m, 1 - r)$, exact scores, and "
    r"the sampler without randomness, which follows $\frac{dz}{d\varsigma} = -\varsigma$ times the guided score at the level "
    r"$\varsigma$."
)
derivation.chain(
    "How the distance of two samples changes along the guided flow",
    -times(
        level,
        plus(
            times(w, Slope(LogDensity(z, m, plus(1, -r, level**2)), z, 2)),
            times(1 - w, Slope(LogDensity(z, 0, plus(1, level**2)), z, 2)),
        ),
    ),
    equals(
        times(level, plus(w / (plus(1, -r, level**2)), (1 - w) / (plus(1, level**2)))),
        "the precisions of the two noised laws",
        wrong={"the scale on both": times(level, plus(w / (plus(1, -r, level**2)), w / (plus(1, level**2))))},
    ),
    equals(
        Slope(plus(times(half, w, log(plus(1, -r, level**2))), times(half, 1 - w, log(plus(1, level**2)))), level),
        r"the derivative of $\log(c + \varsigma^2)$ is $2 \varsigma / (c + \varsigma^2)$",
    ),
    uses=(euler_step,),
    so=r"The field is linear in $z$, so the first line is the rate at which the logarithm of the distance of two samples "
    r"changes. The distance is therefore proportional to $(1 - r + \varsigma^2)^{w/2} (1 + \varsigma^2)^{(1 - w)/2}$, and the "
    r"variance to its square: at a high level this is nearly $\varsigma^2$, the variance of the noise, and at $\varsigma = 0$ it "
    r"is $(1 - r)^w$. So a flow that starts from pure noise draws from a Gaussian of variance $(1 - r)^w$.",
)
excess = derivation.number(r"\omega", "the scale minus one", positive=True)
bernoulli = derivation.valley(
    "A power is below a fraction",
    -excess * log(1 - r) - log(1 + excess * r),
    r,
    0,
    r"The slope is a positive multiple of $r$: it rises from 0 on.",
)
derivation.chain(
    "The flow draws from a law narrower than the sharpened one",
    plus(log((1 - r) / (1 + excess * r)), -log((1 - r) ** (1 + excess))),
    equals(
        plus(-times(excess, log(1 - r)), -log(1 + excess * r)),
        r"the logarithm of a ratio and of a power; one $\log(1 - r)$ cancels",
    ),
    at_least(0, r"the lemma; strict, since $0 < r < 1$ and $\omega > 0$", dropping=bernoulli.at(r)),
    uses=(tilted_spread,),
    so=r"With $w = 1 + \omega$ the first line compares the logarithms of the variance of $q_0(x)\, q_0(y|x)^w$, which is "
    r"$\frac{1 - r}{1 + (w - 1) r}$ by the topic on classifier guidance, and of the variance drawn. Guidance at $w > 1$ is "
    r"sharper than the posterior that it is meant to sample; at $w = 1$ both are the condition's own law.",
)

v = derivation.number("v", r"the squared level, $\varsigma^2$", positive=True)
double = derivation.number("o", r"$2w - 1$, for a scale $w > \frac12$", positive=True)
_POWER = times(plus(1, -r, v) ** (1 + double), plus(1, v) ** (1 - double))
random = derivation.define("V", plus(times(plus(1, -r, v), plus(1, v)), -_POWER) / times(double, r), "a variance")
derivation.chain(
    "A sampler with randomness draws from a third law",
    Slope(random, v),
    equals(
        plus(times(plus((1 + double) / plus(1, -r, v), (1 - double) / plus(1, v)), random), -1),
        r"the product rule; the powers are multiplied by $\frac{1 + o}{1 - r + v} + \frac{1 - o}{1 + v}$, and what is left of "
        r"the first product is $-o r$",
    ),
    role="remark",
    so=r"With small random steps, as $v$ falls by $dv$, $z$ moves by the guided score times $dv$ and receives noise of "
    r"variance $dv$: its variance satisfies this equation, since $1 + o = 2w$ and $1 - o = 2(1 - w)$. At high levels $V / v$ "
    r"goes to 1, as for pure noise. So what is drawn has the variance $V$ at $v = 0$, $\frac{(1 - r) - (1 - r)^{2w}}{(2 w - 1) "
    r"r}$. The scale is a parameter of an algorithm, not the power of a posterior.",
)

first = derivation.function("f_1", r"$\log q_t(y_1|x)$, for one condition")
second = derivation.function("f_2", r"$\log q_t(y_2|x)$, for another")
both = derivation.function("f", r"$\log q_t(y_1, y_2|x)$, for both at once")
derivation.say("Several conditions at once: may their differences simply be added?")
derivation.chain(
    "Two conditions add up, but for a ratio",
    Slope(both(x), x),
    equals(plus(Slope(first(x), x), Slope(second(x), x), Slope(plus(both(x), -first(x), -second(x)), x)), "add and subtract"),
    so=r"The last term is the slope of $\log \frac{q_t(y_1, y_2|x)}{q_t(y_1|x)\, q_t(y_2|x)}$. Adding both differences with "
    r"the scale 1 is exact where this ratio does not depend on $x$, in particular if the conditions are independent given "
    r"$x_t$, not given the data.",
)
n = derivation.index("n", "one of the values that the data may take")
j = derivation.index("j", "another one")
P = derivation.law("P", n, r"the law of the data, given $x_t = x$")
rho = derivation.numbers(r"\rho", n, "the probability of the first condition, given the data")
rho_2 = derivation.numbers(r"\rho'", n, "the probability of the second condition, given the data")
derivation.chain(
    "Independence given the data is not enough",
    plus(Expectation(P, rho * rho_2), -times(Expectation(P, rho), Expectation(P, rho_2))),
    equals(
        half * Total(n, Total(j, P * P.at(j) * (rho - rho.at(j)) * (rho_2 - rho_2.at(j)))), "multiply out; the law sums to one"
    ),
    so=r"If the conditions are independent given $x_0$, the first line is $q_t(y_1, y_2|x) - q_t(y_1|x)\, q_t(y_2|x)$. For two "
    r"points it is $P_1 P_2 (\rho_1 - \rho_2)(\rho'_1 - \rho'_2)$: not zero if both conditions tell the points apart. It is "
    r"zero if $x_0$ consists of independent blocks and each condition sees another block.",
)
i = derivation.index("i", "one of several conditions")
each = derivation.numbers("c", i, "the predictions with these conditions", "conditionals")
scales = derivation.numbers("w", i, "their scales, which may be negative", "scales")
derivation.bridge(
    "The code's composition",
    plus(unconditional, Total(i, times(scales, plus(each, -unconditional)))),
    compose,
    conditionals=[[each.at(condition)] for condition in range(4)],
    unconditional=[unconditional],
    scales=scales,
)
pixel = derivation.index("d", "an entry of an image")
D = derivation.count(pixel, "D", "how many there are")
g = derivation.numbers("g", pixel, "a guided image", "guided")
image = derivation.numbers("a", pixel, "the conditional one", "conditional")
spread = derivation.define(
    "v_g", Total(pixel, (g - Total(pixel, g) / D) ** 2) / D, "the variance over the entries", positive=True
)
wanted = derivation.define(
    "v_a", Total(pixel, (image - Total(pixel, image) / D) ** 2) / D, "the same of the conditional one", positive=True
)
ratio = derivation.define(r"\lambda", sqrt(wanted / spread), "the ratio of the deviations", positive=True)
derivation.chain(
    "Rescaling gives the conditional spread back",
    Total(pixel, (times(ratio, g) - Total(pixel, times(ratio, g)) / D) ** 2) / D,
    equals(
        ratio**2 * spread, "a constant factor leaves the mean and, squared, the variance", wrong={"not squared": ratio * spread}
    ),
    equals(wanted, r"the definition of $\lambda$"),
    role="remark",
    sizes={pixel: 2},
    so="Guidance makes predictions larger, and pictures oversaturate. The code mixes this with the guided image.",
)
derivation.bridge(
    "The code's mixture of both, seven parts to three",
    g * plus(times(Rational(7, 10), ratio), Rational(3, 10)),
    rescale,
    guided=[g],
    conditional=[image],
    mix=0.7,
    wrong={"the ratio of the variances": g * (7 * ratio**2 + 3) / 10},
)


def _two_points(x, level):
    """The best predictions of the noise for data that are -1 or 1, with the condition "positive" and without."""
    return (x - math.sqrt(level)) / math.sqrt(1 - level), best_noise(x, level)


def _drawn(w, r):
    """Variances of what is meant, of what the flow draws, and of what random steps draw."""
    return (1 - r) / (1 + (w - 1) * r), (1 - r) ** w, ((1 - r) - (1 - r) ** (2 * w)) / ((2 * w - 1) * r)


@derivation.example(
    r"Data that are $-1$ or $1$, each with probability one half, and $y$ says that the sign is positive; $\bar\alpha_t = "
    r"0.5184$, $x_t = 0.5$, $w = 3$. Then Gaussian data, $r = \frac12$ and $w = 3$."
)
def two_signs():
    with_sign, blind = _two_points(jnp.array([0.5]), 0.5184)
    yield r"c^*, u^*", (with_sign[0], blind[0]), "(-0.31701, 0.06306)"
    strong = guide(with_sign, blind, scale=3.0)[0]
    yield r"u^* + 3 (c^* - u^*)", strong, "-1.07717"
    yield r"\text{the data that this implies}", (0.5 - math.sqrt(0.4816) * strong) / 0.72, "1.73268"
    yield r"0.63366 + 3 (1 - 0.63366)", guide(jnp.ones(1), jnp.full(1, math.tanh(0.36 / 0.4816)), scale=3.0)[0], "1.73268"
    meant, flow, _ = _drawn(3, 0.5)
    drawn = meant, flow, value(random, {double: 5, r: 0.5, v: 0})
    yield r"\text{variance meant, of the flow, of random steps}", drawn, "(0.25, 0.125, 0.19375)"


@derivation.figure(
    r"Left: the variance of $q_0(x)\, q_0(y|x)^w$ and of what two guided samplers draw, $r = \frac12$: all agree at $w = 1$ "
    r"and part. Right: the data that a guided prediction implies, for data that are $-1$ or $1$ and the condition that they "
    r"are positive, $\bar\alpha_t = 0.52$: where the value is uncertain, guidance overshoots the data.",
    panels=2,
)
def what_the_scale_does(left, right):
    scale = np.linspace(1, 8, 71)
    for variances, style, name in zip(_drawn(scale, 0.5), ("-", "--", ":"), ("meant", "flow", "random steps"), strict=True):
        left.semilogy(scale, variances, linestyle=style, label=name)
    left.set(xlabel="$w$", ylabel="variance")
    left.legend()
    line_ = jnp.linspace(-2, 2, 121)
    for w_ in (0.0, 1.0, 2.0, 4.0):
        noise = guide(*_two_points(line_, 0.52), scale=w_)
        right.plot(line_, (line_ - math.sqrt(0.48) * noise) / math.sqrt(0.52), label=f"$w = {w_:g}$")
    right.set(xlabel="$x_t$", ylabel="implied data")
    right.legend()


@derivation.exercise(
    r"A negative prompt has the law $\mathcal{N}(0, 1)$ and the condition $\mathcal{N}(m, 2)$. For which scales is the guided "
    r"score that of a law?",
    r"For those with $\Lambda = \frac{w}{2} + 1 - w > 0$, that is $w < 2$. At $w = 2$ the precision is 0, and the score is a "
    r"constant.",
)
def a_wide_condition():
    yield value(precision, {w: 2, s: 2}), "0"


@derivation.exercise(
    r"What are the three variances at $w = 2$, $r = \frac12$: the one meant, that of the flow, that of random steps?",
    r"$\frac{1 - r}{1 + r} = \frac13$, $(1 - r)^2$ and $\frac{7}{24}$: (0.3333, 0.25, 0.2917).",
)
def at_scale_two():
    yield _drawn(2, 0.5), "(0.3333, 0.25, 0.2917)"


@derivation.exercise(
    r"The two predictions have independent errors of mean 0 and of the same variance. By what factor is the variance of the "
    r"guided prediction's error larger at $w = 7.5$?",
    r"$w^2 + (w - 1)^2 = 98.5$.",
)
def errors_grow():
    yield jnp.sum(guide(*jnp.eye(2), scale=7.5) ** 2), "98.5"


@derivation.exact(
    r"\frac{1}{20} \# \left\{ n : \tfrac{n + 1/2}{20} < p \right\} = p \qquad \text{for}\ p = 0, \tfrac{1}{20}, \dots, 1",
    because=r"A uniform number is below $p$ with probability $p$; here one is tried from the middle of each twentieth of $[0, "
    r"1]$. One number decides for a whole condition, so that no condition is dropped in part.",
    outcomes=20 * 21,
    role="appendix",
)
def a_share_p_is_dropped():
    uniforms = (jnp.arange(20) + 0.5) / 20
    shares = [jnp.mean(drop_condition(jnp.zeros((20, 2)), jnp.ones(2), uniforms, probability=part / 20)) for part in range(21)]
    wished = jnp.linspace(0.0, 1.0, 21)
    return Sides(left=jnp.stack(shares), right=wished, wrong={"kept, not dropped": 1 - wished})


@derivation.numeric(
    r"w(t) = (1, 1, 4, 4, 1)\quad \text{for}\ t = 1, \dots, 5",
    because=r"A scale that is used at some levels only: here 4 for $2 < t \le 4$, and 1, no guidance, elsewhere.",
    role="appendix",
)
def guidance_in_an_interval():
    found = interval_scale(np.arange(1, 6), scale=4.0, low=2, high=4)
    wrong = {"both ends included": jnp.array([1.0, 4.0, 4.0, 4.0, 1.0])}
    return Sides(left=found, right=jnp.array([1.0, 1.0, 4.0, 4.0, 1.0]), wrong=wrong)
