"""Classifier-free guidance: the classifier inside a conditional model.

The lecture on the functions of theory_jax/diffusion/classifier_free_guidance.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.diffusion.classifier_free_guidance import drop_condition, guide, interval_scale
from theory_jax.lectures.diffusion._guided import (
    draw_guided_samples,
    draw_scales,
    drawn_variances,
    random_steps,
    rescaling,
    scaled_gaussians,
    several_conditions,
    two_points,
)
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
    question="A conditional diffusion model draws samples that fit their condition only loosely, and guidance by a classifier "
    "needs a second network that is trained on noisy data. One network that predicts noise both with its condition and without "
    "it does instead. What is the difference of its two answers, and which distribution does a sampler draw from that "
    "overstates it?",
    setting=(
        r"Data $x_0$ have a condition $y$ (a class, say) of positive probability. The noise in $x_t = \sqrt{\bar\alpha_t}\, "
        r"x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$ is independent of both, so given $x_0$, $x_t$ and $y$ are independent.",
        r"In training the condition is replaced by a null condition $\varnothing$ with probability $p$ between 0 and 1. This is "
        r"decided once for each example, independently of $x_0$, $y$, $t$ and $\epsilon$. The loss is squared error.",
        r"At a noisy value, $c$ is the prediction with the condition, $u$ that without, and the guided prediction is $u + "
        r"w (c - u)$: conditional at scale 1, unconditional at scale 0. Ho and Salimans call $w - 1$ the scale.",
        r"One coordinate is written, except where a plane is needed. In several dimensions slopes are gradients.",
    ),
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
q = derivation.law("q({}|x)", k, "the distribution of the condition, given the noisy value $x$")
noise_law = derivation.law("q({}|x,{})", (of_noise, k), "that of the noise, given $x$ and the condition")
epsilon = derivation.numbers(r"\epsilon", of_noise, "the values of the noise")
best = derivation.define(
    "c^*", Expectation(noise_law, epsilon), "the best prediction with the condition, the mean of the noise", over=k
)
derivation.say(
    r"What do the two branches learn? In least squares the best prediction is the mean. With the condition that is $c^*_y$, the "
    r"mean of the noise, given $x$ and $y$; the null branch sees the examples with a dropped condition."
)
null_branch = derivation.chain(
    "The null branch learns the average over the conditions",
    Total(k, Total(of_noise, p * q * noise_law * epsilon)) / Total(k, Total(of_noise, p * q * noise_law)),
    equals(
        Total(k, q * Expectation(noise_law, epsilon)),
        prose(
            "$p$ does not depend on the condition and cancels; {one} and {all}",
            one=holds(Total(of_noise, noise_law), "=", 1),
            all=holds(Total(k, q), "=", 1),
        ),
        wrong={"the share of dropped examples kept": p * Total(k, q * Expectation(noise_law, epsilon))},
    ),
    equals(Expectation(q, best), r"the definition of $c^*$", wrong={"not averaged": Total(k, best)}),
    states=2,
    so=prose(
        "The first line is the mean of the noise over the dropped examples at $x$. The result is the mean of the noise whatever "
        "the condition, {mean}: not nothing, but the average over the conditions that $x$ may have. If $p$ depended on $y$, "
        "the average would belong to other frequencies of the conditions; if it were 0 at some level, the null branch would not "
        "be trained there.",
        mean=holds(
            Total(of_noise, times(epsilon, Total(k, q * noise_law))),
            "=",
            Expectation(q, best),
            wrong={"not averaged": Total(k, best)},
        ),
    ),
)

x = derivation.number("x", "a noisy value", "x_t")
a = derivation.number(r"\bar\alpha_t", "the share of the variance that is signal", "alpha_bar[t]", between=(0, 1))
w = derivation.number("w", "the scale of the guidance", "scale", positive=True)
ell = derivation.function(r"\ell", r"the log-density of the noisy data of a condition, $\log q_t(x|y)$", arguments=2)
prior = derivation.law("q({})", k, "how frequent a condition is")
density = derivation.define("q_t(x)", Expectation(prior, exp(ell(k, x))), "the density of all noisy data", positive=True)
classifier = derivation.define("q_t({}|x)", prior * exp(ell(k, x)) / density, "that of the condition, by Bayes", over=k, law=True)
with_it = derivation.define(
    "c^*", -times(sqrt(1 - a), Slope(ell(k, x), x)), "the same best prediction, as a multiple of a score", over=k
)
without = derivation.define("u^*", -times(sqrt(1 - a), Slope(log(density), x)), "the best prediction without it")
central = derivation.chain(
    "The two best predictions contain a classifier",
    plus(without, times(w, plus(with_it, -without))),
    equals(
        plus(without, -times(w, sqrt(1 - a), plus(Slope(ell(k, x), x), -Slope(log(density), x)))),
        prose("each is {factor} times a score", factor=-sqrt(1 - a)),
    ),
    equals(
        plus(without, -times(w, sqrt(1 - a), Slope(log(classifier), x))),
        prose(
            "Bayes' rule for scores: {bayes}, and $q(y)$ has no slope",
            bayes=holds(log(classifier), "=", plus(log(prior), ell(k, x), -log(density))),
        ),
        wrong={"the other convention": plus(without, -times(1 + w, sqrt(1 - a), Slope(log(classifier), x)))},
    ),
    states=2,
    central=True,
    uses=(score_of_the_marginal, bayes_for_scores),
    so=prose(
        "The last line is classifier guidance with the slope {slope}. No classifier was trained; this one knows all levels of "
        "noise, and it belongs to the very model that draws the samples. All this holds for the minimizers of the loss.",
        slope=holds(
            Slope(log(classifier), x),
            "=",
            times(-1, plus(with_it, -without)) / sqrt(1 - a),
            wrong={"the sign": plus(with_it, -without) / sqrt(1 - a)},
        ),
    ),
)
conditional = derivation.number("c", "a prediction with the condition", "conditional")
unconditional = derivation.number("u", "a prediction without it", "unconditional")
guided = plus(unconditional, times(w, plus(conditional, -unconditional)))
guided_code = derivation.bridge(
    "The code's guided prediction",
    guided,
    guide,
    conditional=[conditional],
    unconditional=[unconditional],
    scale=[w],
    wrong={"the other convention": conditional + w * (conditional - unconditional)},
)
derivation.figure(
    prose(
        "Samples of one of three classes in the plane (orange ring: two deviations), drawn with exact predictions. At scale 1 "
        "they have the distribution of the class. A larger scale $w$ of {guided} moves them away from the other classes (gray) "
        "and draws them together: they are easier to recognize, and less varied than the class.",
        guided=holds(guided, "=", plus(conditional, times(w - 1, plus(conditional, -unconditional))), named=True),
    ),
    panels=3,
)(draw_guided_samples)

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
    so="The first line is the integral of the field of matrix $M$ along the unit square, counter-clockwise from the origin. "
    "Of a gradient such an integral is 0: one ends at the height where one began. So the field is no gradient unless $M$ is "
    "symmetric, and neither is a field with a Jacobian that is not. Nothing in the training makes a network's Jacobian "
    "symmetric. Where that of $c - u$ is not, no classifier has this slope. The antisymmetric part of the Jacobian of $u + w "
    "(c - u)$ changes with $w$ along a line, so unless it is zero for both $u$ and $c$, the guided prediction is a gradient "
    "for at most one $w$. The sampler runs all the same.",
    role="remark",
)
error_c = derivation.number(r"\delta_c", "the error of the conditional prediction")
error_u = derivation.number(r"\delta_u", "the error of the unconditional one")
derivation.chain(
    "What survives is a bound on the error of guidance, which grows with the scale",
    plus(plus(unconditional, error_u, times(w, plus(conditional, error_c, -unconditional, -error_u))), times(-1, guided)),
    equals(plus(times(w, error_c), -times(w - 1, error_u)), "what is predicted cancels"),
    role="remark",
    so=prose(
        "By the triangle inequality the root mean square error is at most $w$ times that of $c$ plus $|w - 1|$ times that of "
        "$u$. If the two errors are equal, they do not grow: at {same} the line is {one}.",
        same=where(error_u, error_c),
        one=holds(plus(times(w, error_c), -times(w - 1, error_u)), "=", error_c, named=True),
    ),
)
factor = derivation.number("b", "what another parameterization multiplies the noise by")
shift = derivation.number("h", "what it adds, which may depend on $x_t$")
derivation.say(
    prose(
        "One may guide whatever the network predicts: {line}. At a given $x_t$ the data, the velocity, the score and the mean "
        "of a step are the noise times a number $b$ plus another, $h$, and the weights $w$ and $1 - w$ sum to one, so what is "
        "added is kept once. A clipped prediction is not of this form: clip after guiding.",
        line=holds(
            plus(times(factor, guided), shift),
            "=",
            plus(times(w, plus(times(factor, conditional), shift)), times(1 - w, plus(times(factor, unconditional), shift))),
            wrong={"added twice": plus(w * factor * conditional, (1 - w) * factor * unconditional, 2 * shift)},
        ),
    )
)

m, s, precision = scaled_gaussians(derivation, x, w)
r = derivation.number("r", "by how much the variance of the condition's data is below 1", between=(0, 1))
level = derivation.number(r"\varsigma", r"the noise level $\sqrt{(1 - \bar\alpha_t) / \bar\alpha_t}$", positive=True)
z = derivation.number("z", r"a value in units in which the data are not shrunk, $x / \sqrt{\bar\alpha_t}$")
derivation.say(
    r"Which distribution is drawn? Take data $\mathcal{N}(0, 1)$, a condition with the data $\mathcal{N}(m, 1 - r)$, exact "
    r"scores, and the sampler without randomness, in which $z$ changes by $-\varsigma\, d\varsigma$ times the guided score at "
    r"the level $\varsigma$."
)
_SPREAD = times(plus(1, -r, level**2) ** (w / 2), plus(1, level**2) ** ((1 - w) / 2))
derivation.chain(
    "Along the guided flow the distance of two samples grows with both precisions, weighted by the scale",
    -times(
        level,
        plus(
            times(w, Slope(LogDensity(z, m, plus(1, -r, level**2)), z, 2)),
            times(1 - w, Slope(LogDensity(z, 0, plus(1, level**2)), z, 2)),
        ),
    ),
    equals(
        times(level, plus(w / (plus(1, -r, level**2)), (1 - w) / (plus(1, level**2)))),
        "the precisions of the two noised distributions",
        wrong={"the scale on both": times(level, plus(w / (plus(1, -r, level**2)), w / (plus(1, level**2))))},
    ),
    equals(
        Slope(plus(times(half, w, log(plus(1, -r, level**2))), times(half, 1 - w, log(plus(1, level**2)))), level),
        prose(
            "the chain rule: {derivative}, and the same with $r$",
            derivative=holds(Slope(log(plus(1, level**2)), level), "=", 2 * level / plus(1, level**2)),
        ),
    ),
    uses=(euler_step,),
    so=prose(
        "The field is linear in $z$, so the first line is the rate at which the logarithm of the distance of two samples "
        "changes. The distance is therefore proportional to {distance}, since {slope}; the variance is proportional to its "
        "square. At a high level this is nearly $\\varsigma^2$, the variance of the noise ({ratio} goes to 1), and at {end} "
        "it is {variance}. So a flow that starts from pure noise at a high level draws from a Gaussian of this variance.",
        distance=_SPREAD,
        slope=holds(
            Slope(log(_SPREAD), level), "=", times(level, plus(w / (plus(1, -r, level**2)), (1 - w) / (plus(1, level**2))))
        ),
        ratio=holds(_SPREAD**2 / level**2, "=", times(plus(1, (1 - r) / level**2) ** w, plus(1, 1 / level**2) ** (1 - w))),
        end=means("\\varsigma", 0),
        variance=holds(_SPREAD**2, "=", (1 - r) ** w, when={level: 0}, named=True, wrong={"not squared": (1 - r) ** (w / 2)}),
    ),
    role="lemma",
)
excess = derivation.number(r"\omega", "the scale minus one", positive=True)
bernoulli = derivation.valley(
    "A power is below a fraction",
    -excess * log(1 - r) - log(1 + excess * r),
    r,
    0,
    "The slope is a positive multiple of $r$: it rises from 0 on.",
)
derivation.chain(
    "The flow draws from a distribution narrower than the sharpened one",
    plus(log((1 - r) / (1 + excess * r)), -log((1 - r) ** (1 + excess))),
    equals(
        plus(-times(excess, log(1 - r)), -log(1 + excess * r)),
        "the logarithm of a ratio and of a power; one $\\log(1 - r)$ cancels",
    ),
    at_least(0, prose("the lemma; equality only at {zero}, which is excluded", zero=where(r, 0)), dropping=bernoulli.at(r)),
    uses=(tilted_spread,),
    so=prose(
        "At {scale} the first line compares the logarithms of the variance of $q_0(x)\\, q_0(y|x)^w$, which is {meant} by the "
        "topic on classifier guidance, and of the variance drawn, {drawn}. Guidance at $w$ above 1 is sharper than the "
        "posterior that it is meant to sample; at scale 1 both variances are {own}, that of the condition.",
        scale=where(w, 1 + excess),
        meant=holds((1 - r) / (1 + (w - 1) * r), "=", (1 - r) / (1 + excess * r), named=True),
        drawn=holds((1 - r) ** (1 + excess), "<", (1 - r) / (1 + excess * r)),
        own=1 - r,
    ),
)

random, double, v = random_steps(derivation, r, w)
derivation.answer = prose(
    "The minimizers of the loss are two scores, and their difference is the slope of a classifier that no one trained: "
    "{difference}. This holds for the minimizers; the difference of a network's answers need not be a gradient. At scales above "
    "1 the guided flow draws from a distribution narrower than $q_0(x)\\, q_0(y|x)^w$: for data of variance 1, to which the "
    "condition leaves the variance $1 - r$, at the scale {scale} its variance is {drawn}.",
    difference=holds(plus(with_it, -without), "=", -times(sqrt(1 - a), Slope(log(classifier), x))),
    scale=where(w, 1 + excess),
    drawn=holds((1 - r) ** w, "<", (1 - r) / (1 + excess * r)),
)

several_conditions(derivation, unconditional)
rescaling(derivation)


@derivation.example(
    r"Data that are $-1$ or $1$, each with probability one half, and $y$ says that the sign is positive; $\bar\alpha_t = "
    r"0.5184$, $x_t = 0.5$, $w = 3$. Then Gaussian data, $r = \frac12$ and $w = 3$."
)
def two_signs():
    with_sign, blind = two_points(jnp.array([0.5]), 0.5184)
    yield r"c^*, u^*", (with_sign[0], blind[0]), "(-0.31701, 0.06306)"
    strong = guide(with_sign, blind, scale=3.0)[0]
    yield r"u^* + 3 (c^* - u^*)", strong, "-1.07717"
    yield r"\text{the data that this implies}", (0.5 - math.sqrt(0.4816) * strong) / 0.72, "1.73268"
    yield r"0.63366 + 3 (1 - 0.63366)", guide(jnp.ones(1), jnp.full(1, math.tanh(0.36 / 0.4816)), scale=3.0)[0], "1.73268"
    drawn = *drawn_variances(3, 0.5)[:2], value(random, {double: 5, r: 0.5, v: 0})
    yield r"\text{variance meant, of the flow, of random steps}", drawn, "(0.25, 0.125, 0.19375)"


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


derivation.symbol("s", "the level after a step")


@derivation.algorithm(
    "Training, and sampling without new noise, with guidance in an interval of levels",
    do(
        r"training: take $x_0$, $y$, $t$ and noise $\epsilon$; with probability $p$ put $\varnothing$ for $y$",
        drop_condition,
        by=a_share_p_is_dropped,
    ),
    do(
        r"a gradient step on the squared error of the prediction from $(x_t, y, t)$: its minimizers are $c^*$ and $u^*$",
        by=null_branch,
    ),
    do(r"sampling: begin with $x_t$ from $\mathcal{N}(0, 1)$; for the levels from noisy to clean:"),
    do(r"$c, u \leftarrow$ the network's predictions from $(x_t, y, t)$ and from $(x_t, \varnothing, t)$", by=central, indent=1),
    do(r"$w \leftarrow$ the scale inside the interval, else 1", interval_scale, by=guidance_in_an_interval, indent=1),
    do(r"$g \leftarrow u + w (c - u)$", guide, by=guided_code, indent=1),
    do(
        r"$x_s \leftarrow \sqrt{\bar\alpha_s}\, (x_t - \sqrt{1 - \bar\alpha_t}\, g) / \sqrt{\bar\alpha_t} + \sqrt{1 - "
        r"\bar\alpha_s}\, g$",
        indent=1,
    ),
)
def two_guided_steps():
    label, null = jnp.array([[1.0]]), jnp.array([0.0])
    kept = [drop_condition(label, null, jnp.array([u]), probability=0.1)[0, 0] for u in (0.7, 0.05)]
    yield (
        r"\text{the label 1 or, with } p = 0.1, \text{ the null condition 0: uniform numbers } 0.7 \text{ and } 0.05",
        kept,
        "(1, 0)",
    )
    value_, levels = 0.5, (0.36, 0.5184, 0.81)
    numbers = (("3", "-0.96922", "0.85784"), ("1", "0.19862", "0.98658"))
    for at, (scale, noise, moved) in enumerate(numbers):
        here, next_ = levels[at : at + 2]
        w_ = float(interval_scale(jnp.array([3 - at]), scale=3.0, low=2, high=3)[0])
        predicted = guide(*two_points(jnp.array([value_]), here), scale=w_)[0]
        value_ = (
            math.sqrt(next_) * (value_ - math.sqrt(1 - here) * predicted) / math.sqrt(here) + math.sqrt(1 - next_) * predicted
        )
        yield rf"\bar\alpha_t = {here}, \bar\alpha_s = {next_}: \quad w", w_, scale
        yield "g", predicted, noise
        yield "x_s", value_, moved


@derivation.figure(
    prose(
        "Left: the variance of $q_0(x)\\, q_0(y|x)^w$ and of what two guided samplers draw: at scale 1 all are {half}, and then "
        "they part. Right: the data that a guided prediction implies, for data that are $-1$ or $1$ and the condition that they "
        "are positive, $\\bar\\alpha_t$ being 0.52: where the value is uncertain, guidance overshoots the data.",
        half=holds((1 - r) ** w, "=", half, when={w: 1, r: half}),
    ),
    panels=2,
)
def what_the_scale_does(left, right):
    draw_scales(left, right)
