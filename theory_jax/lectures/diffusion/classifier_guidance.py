"""Classifier guidance: Bayes' rule for scores.

The lecture on the functions of theory_jax/diffusion/classifier_guidance.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.classifier_guidance import class_log_probs, classifier_gradient, guided_mean, guided_noise
from theory_jax.diffusion.score_prediction import diffused_mixture, mixture_score
from theory_jax.lectures.diffusion._guided import draw_tilted_densities, two_points
from theory_jax.lectures.diffusion._sharpened import classifier_of_a_mixture, sharpening
from theory_jax.lectures.diffusion.forward_process import marginal_law
from theory_jax.lectures.diffusion.reverse_process import in_the_noise
from theory_jax.lectures.diffusion.score_prediction import score_of_the_marginal
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Classifier guidance: Bayes' rule for scores",
    lectures=(35, 41),
    sources=(
        "Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis, section 4",
        "Sohl-Dickstein, Weiss, Maheswaranathan & Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
    ),
    question="A diffusion model draws whatever the data have, and training one for every wish is expensive. A model that "
    "knows no classes and a classifier are given. How do they combine into samples of one class, and what is sampled when the "
    "classifier's share is scaled up?",
    setting=(
        r"Data $x_0$ have a class $y$, and every class has positive probability. The noise in $x_t = \sqrt{\bar\alpha_t}\, x_0 "
        r"+ \sqrt{1 - \bar\alpha_t}\, \epsilon$ is independent of both: given $x_0$, the class and "
        r"$x_t$ are independent. So $y, x_0, x_1, \dots, x_T$ is a Markov chain.",
        r"$q_t(x)$ and $q_t(x|y)$ are the densities of $x_t$, of all data and of one class. The classifier $q_t(y|x)$ is the "
        r"distribution of the class given the noisy value $x$: it sees noisy data, and a level of noise $t$ belongs to it.",
        r"The scale $w$ is positive. One coordinate is written; in several dimensions the slopes are gradients.",
    ),
    limits=(
        "A trained classifier is not exact. Its accuracy is little evidence about its gradient.",
        "That a guided step is Gaussian is exact for a log-linear classifier; otherwise it holds to the order that is given.",
        "Implementations take the slope at another point (the noisy value in place of the mean): a difference that vanishes "
        "with the step. Which distribution guided sampling draws from is computed in the next topic, for Gaussian data.",
    ),
)

half = Rational(1, 2)
c = derivation.index("y", "a class", "labels")
d = derivation.index("k", "a class, next to $y$")
n = derivation.index("n", "one of the values that the data may take")
p = derivation.law("p", n, "the distribution of the data")
of_data = derivation.law("r({}|{})", (c, n), "that of the class, given the data")
kernel = derivation.numbers(
    "g", n, "the density of $x_t$ at one point $x$, given the data $n$; no class occurs in it", positive=True
)
posterior = derivation.define(
    "p({}|x)", p * kernel / Total(n, p * kernel), "by Bayes' rule: the distribution of the data, given $x$", over=n, law=True
)
derivation.say(
    "What must the classifier know? Noise hides the class. Given a noisy value, the class is as uncertain as the data that it "
    "may have come from."
)
derivation.chain(
    "The noisy classifier is the expected classifier of clean data",
    Total(n, p * of_data * kernel) / Total(n, p * kernel),
    equals(Total(n, of_data * (p * kernel / Total(n, p * kernel))), "the denominator does not depend on the data"),
    equals(Expectation(posterior, of_data), prose("Bayes' rule: the bracket is {given}", given=posterior)),
    role="lemma",
    uses=(marginal_law,),
    so=r"The first line is $q_t(y|x)$: the joint density of class and noisy value, over that of the noisy value. It is a "
    r"product of three factors under the sum because class and noise are independent given the data. A classifier trained on "
    r"clean pictures answers another question: which class a clean picture that looks like $x$ would have.",
)
exact = derivation.law("q", c, "the exact classifier at one $x$")
model = derivation.law("m", c, "a model of it", "log_probs_fn")
derivation.chain(
    "Cross entropy on noisy data is least at the noisy classifier",
    -Expectation(exact, log(model)),
    equals(
        plus(Entropy(exact), Divergence(exact, model)),
        prose("{split}", split=holds(-log(model), "=", plus(-log(exact), log(exact / model)))),
    ),
    at_least(
        Entropy(exact),
        prose("leave out the divergence (Gibbs); equality if and only if {same}", same=where(model, exact)),
        dropping=gibbs.at(exact, model),
    ),
    role="lemma",
)

x = derivation.number("x", "a noisy value", "x_t")
ell = derivation.function(r"\ell", r"the log-density of the noisy data of a class, $\log q_t(x|y)$", arguments=2)
prior = derivation.law("q({})", c, "how frequent a class is")
density = derivation.define("q_t(x)", Expectation(prior, exp(ell(c, x))), "the density of all noisy data", positive=True)
classifier = derivation.define(
    "q_t({}|x)", prior * exp(ell(c, x)) / density, "the classifier, by Bayes' rule", "class_log_probs", over=c, law=True
)
bayes_for_scores = derivation.chain(
    "Bayes' rule for scores",
    Slope(ell(c, x), x),
    equals(
        Slope(log(density * classifier / prior), x),
        prose("Bayes' rule: {bayes}", bayes=holds(exp(ell(c, x)), "=", density * classifier / prior)),
        wrong={"the classifier in the denominator": Slope(log(density * prior / classifier), x)},
    ),
    equals(plus(Slope(log(density), x), Slope(log(classifier), x), -Slope(log(prior), x)), "the logarithm of a product is a sum"),
    equals(
        plus(Slope(log(density), x), Slope(log(classifier), x)),
        prose("how frequent a class is does not depend on $x$: {none}", none=holds(Slope(log(prior), x), "=", 0)),
    ),
    states=2,
    central=True,
    so="The left side is the score of the noisy data of one class, which is all that a sampler needs; the right side has a "
    "model that knows no classes, and a classifier that may be trained later.",
)
derivation.chain(
    "The classifier's slope is not that of a logit",
    Slope(log(classifier), x),
    equals(
        plus(Slope(ell(c, x), x), -Slope(log(density), x)),
        prose(
            "{log}; this is the theorem, read the other way",
            log=holds(log(classifier), "=", plus(log(prior), ell(c, x), -log(density))),
        ),
    ),
    equals(
        plus(Slope(ell(c, x), x), -Expectation(classifier.at(d), Slope(ell(d, x), x))),
        "the score of a mixture is the expected score, here over the classes",
        wrong={"the classes' own frequencies": plus(Slope(ell(c, x), x), -Expectation(prior.at(d), Slope(ell(d, x), x)))},
    ),
    states=2,
    role="lemma",
    uses=(score_of_the_marginal,),
    so=prose(
        "For every classifier made of logits the same holds: the slope of a log-probability is that of its logit minus the "
        "expected one. Weighted by the probabilities these slopes sum to {zero}: no direction makes all classes more probable.",
        zero=holds(Expectation(classifier, Slope(log(classifier), x)), "=", 0, named=True),
    ),
)

a = derivation.number(r"\bar\alpha_t", "the share of the variance that is signal", "alpha_bar[t]", between=(0, 1))
classifier_of_a_mixture(derivation, x, a)

w = derivation.number("w", "the scale of the guidance", "scale", positive=True)
Z = derivation.number("Z", r"the integral of $q_t(x)\, q_t(y|x)^w$, finite since probabilities are at most 1", positive=True)
derivation.chain(
    "A scale is a power of the classifier",
    Slope(log(density * classifier**w / Z), x),
    equals(
        plus(Slope(log(density), x), w * Slope(log(classifier), x)),
        r"the logarithm of a power is a multiple; $Z$ does not depend on $x$",
        wrong={"the density scaled, too": w * plus(Slope(log(density), x), Slope(log(classifier), x))},
    ),
    states=2,
    so="At scales above 1 the product keeps to where the classifier is sure: samples more typical of the class, and as a rule "
    "less varied.",
)
score = derivation.number("s", r"a model's score at $x$")
slope = derivation.number("h", r"the slope of the classifier's log-probability there", "gradient")
noise = derivation.define(r"\hat\epsilon", -sqrt(1 - a) * score, "the noise that a model with this score predicts", "noise_pred")
in_units_of_the_noise = derivation.chain(
    "In units of the noise the slope is subtracted",
    -times(sqrt(1 - a), plus(score, times(w, slope))),
    equals(
        plus(noise, -times(w, sqrt(1 - a), slope)),
        prose("multiply out; {noise}", noise=holds(noise, "=", -sqrt(1 - a) * score)),
        wrong={"the variance for the deviation": plus(noise, -times(w, 1 - a, slope))},
    ),
    role="lemma",
    so="Every sampler that takes a noise prediction takes this one, also a sampler without randomness such as DDIM.",
)
predicted = derivation.number(r"\epsilon_0", "any predicted noise", "noise_pred")
derivation.bridge(
    "The code's guided noise",
    plus(predicted, -times(w, sqrt(1 - a), slope)),
    guided_noise,
    noise_pred=[predicted],
    gradient=[slope],
    t=np.array([1]),
    alpha_bar=[1, a],
    scale=[w],
    wrong={"the variance": predicted - w * (1 - a) * slope},
)

i = derivation.index("i", "a value of $x_{t-1}$")
z = derivation.index("z", "a value of $x_t$")
early = derivation.law("q({})", i, "the distribution of $x_{t-1}$")
class_of = derivation.law("q({}|{})", (c, i), "the classifier at $t - 1$")
step = derivation.law("q({}|{})", (z, i), "the step forward")
back = derivation.define(
    "q({}|{})", early * step / Total(i, early * step), "the step back that knows no class", over=(i, z), law=True
)
derivation.say(
    "A sampler that draws each step back guides the step itself. The question is which distribution $x_{t-1}$ has, given "
    "$x_t$ and the class."
)
markov = derivation.chain(
    "The step back of a class is the step back times the classifier, normalized",
    early * class_of * step / Total(i, early * class_of * step),
    equals(
        back * class_of / Total(i, back * class_of),
        prose("divide both by the density of $z$: {back}", back=holds(early * step / Total(i, early * step), "=", back)),
    ),
    states=2,
    role="lemma",
    so="The first line uses that the class and $x_t$ are independent given $x_{t-1}$: the step forward contains no class. So "
    r"the step back of a class is $q(x_{t-1}|x_t)\, q_{t-1}(y|x_{t-1})$, normalized.",
)
mean = derivation.number(r"\mu", "the mean of the step back", "mean")
variance = derivation.number(r"\sigma^2", "its variance", "exp(log_var)", positive=True)
bend = derivation.number("H", r"the second derivative of the classifier's log-probability at $\mu$")
bent = derivation.define("v", variance / (1 - w * variance * bend), "the variance of the guided step, where it is positive")
derivation.chain(
    "Guidance moves the mean by the variance times the slope",
    plus(-((x - mean) ** 2) / (2 * variance), times(w, plus(times(slope, x - mean), times(bend / 2, (x - mean) ** 2)))),
    equals(
        plus(-((x - mean) ** 2) / (2 * bent), times(w, slope, x - mean)),
        prose(
            "collect the squares: {precision}",
            precision=holds(1 / bent, "=", plus(1 / variance, -w * bend), wrong={"added": plus(1 / variance, w * bend)}),
        ),
    ),
    equals(
        plus(-((x - plus(mean, times(bent, w, slope))) ** 2) / (2 * bent), bent * w**2 * slope**2 / 2),
        r"complete the square; what is added to it does not depend on $x$",
    ),
    so=prose(
        "The first line is the logarithm of $\\mathcal{N}(x; \\mu, \\sigma^2)\\, q_{t-1}(y|x)^w$ up to a constant, with the "
        "classifier's logarithm expanded at $\\mu$. So, where $v$ is positive, the guided step is Gaussian with the mean "
        "{mean} and the variance $v$. For a classifier that is log-linear over the width of a step, {straight}, the variance "
        "stays: {same}.",
        mean=plus(mean, times(bent, w, slope)),
        straight=where(bend, 0),
        same=holds(bent, "=", variance),
    ),
    uses=(markov,),
)
first_order = derivation.chain(
    "Up to second order in the variance the mean moves by the variance times the slope at the old mean",
    times(bent, w, slope),
    equals(
        plus(times(w, variance, slope), times(w, variance, slope, w * variance * bend / (1 - w * variance * bend))),
        prose("{series}", series=holds(bent / variance, "=", plus(1, w * variance * bend / (1 - w * variance * bend)))),
    ),
    role="remark",
    so=prose(
        "At {straight} the mean moves by {shift} exactly. Steps are short, so this is what is implemented.",
        straight=where(bend, 0),
        shift=holds(times(bent, w, slope), "=", times(w, variance, slope), named=True),
    ),
)
derivation.bridge(
    "The code's guided mean",
    plus(mean, times(w, variance, slope)),
    guided_mean,
    mean=[mean],
    log_var=[log(variance)],
    gradient=[slope],
    scale=w,
    wrong={"the deviation": mean + w * sqrt(variance) * slope},
)
alpha = derivation.number(r"\alpha_t", "what step $t$ keeps of the variance", between=(0, 1))
derivation.chain(
    "The two ways to guide agree to first order",
    plus(
        times(1 / sqrt(alpha), plus(x, -times((1 - alpha) / sqrt(1 - a), plus(predicted, -times(w, sqrt(1 - a), slope))))),
        -times(1 / sqrt(alpha), plus(x, -times((1 - alpha) / sqrt(1 - a), predicted))),
    ),
    equals(times(w, (1 - alpha) / sqrt(alpha), slope), "only the slope is left, and the deviation of the noise cancels"),
    role="remark",
    uses=(in_the_noise,),
    so=prose(
        "The first line is by how much the guided noise moves the mean of a step. With {variance} the other way moves it by "
        "{other}: the same to first order in it, since the ratio of the two is {ratio}.",
        variance=where(variance, 1 - alpha),
        other=holds(times(w, variance, slope), "=", times(w, 1 - alpha, slope), named=True),
        ratio=holds(times(w, (1 - alpha) / sqrt(alpha), slope) / times(w, variance, slope), "=", 1 / sqrt(alpha), named=True),
    ),
)

r, P_t, P_0, tilted_spread = sharpening(derivation, x, a, w)
derivation.answer = prose(
    "The score of one class is the score of all data plus the slope of the classifier of noisy data: {bayes}. Added $w$ "
    "times, that slope makes it the score of $q_t(x)\\, q_t(y|x)^w$, up to normalization: for $w$ above 1 samples more "
    "typical of the class, and as a rule less varied. At scales other than 1 these densities at different levels belong to no "
    "common diffusion (shown for Gaussian data), so guided sampling need not draw from $q_0(x)\\, q_0(y|x)^w$.",
    bayes=holds(Slope(ell(c, x), x), "=", plus(Slope(log(density), x), Slope(log(classifier), x))),
)

_LEVELS = jnp.array([1.0, 0.5184])
_SIGNS, _EQUAL, _POINTS = jnp.array([[-1.0], [1.0]]), jnp.full(2, -math.log(2)), jnp.full(2, -jnp.inf)


def _of_signs(x):
    """Log-probabilities of the classes -1 and 1, data that are these two points, at level 0.5184."""
    return class_log_probs(x, np.full(len(x), 1), _SIGNS, _POINTS, _EQUAL, _LEVELS)


@derivation.example(
    prose(
        r"Data that are $-1$ or $1$, each with probability one half, and $y$ is the sign; $\bar\alpha_t$ is 0.5184 and $x_t$ "
        "0.5. Then a step with {mean}, {variance}, {slope}, {bend} and {scale}; last, the two variances at scale 3 where $r$ "
        "and the signal's share are one half.",
        mean=where(mean, Rational(1, 5)),
        variance=where(variance, Rational(9, 25)),
        slope=where(slope, half),
        bend=where(bend, -Rational(1, 4)),
        scale=where(w, 2),
    )
)
def two_signs():
    x, one = jnp.array([[0.5]]), np.array([1])
    mixed = mixture_score(x, *diffused_mixture(_SIGNS, _POINTS, one, _LEVELS), _EQUAL)[0, 0]
    gradient = classifier_gradient(x, one, _of_signs)
    yield r"q_t(+|x)", jnp.exp(_of_signs(x))[0, 1], "0.81683"
    yield r"\text{its slope}\ h", gradient[0, 0], "0.54768"
    yield r"\text{score of all data, and}\ s + h", (mixed, mixed + gradient[0, 0]), "(-0.09087, 0.45681)"
    yield r"\frac{0.72 - 0.5}{0.4816}", (0.72 - 0.5) / 0.4816, "0.45681"
    plain = -math.sqrt(0.4816) * mixed[None, None]
    yield (
        r"\hat\epsilon\ \text{and the guided one at}\ w = 1",
        (plain[0, 0], guided_noise(plain, gradient, one, _LEVELS, scale=1.0)[0, 0]),
        "(0.06306, -0.31701)",
    )
    given = {mean: 0.2, variance: 0.36, slope: 0.5, bend: -0.25, w: 2}
    yield (
        r"\mu + w \sigma^2 h,\ \mu + v w h,\ v",
        (value(plus(mean, w * variance * slope), given), value(plus(mean, bent * w * slope), given), value(bent, given)),
        "(0.56, 0.5051, 0.3051)",
    )
    given = {w: 3, r: 0.5, a: 0.5}
    yield r"\text{sharpened, noised}", (value((1 - a * r) / P_t, given), value(a * (1 - r) / P_0 + 1 - a, given)), "(0.5, 0.625)"


@derivation.algorithm(
    "Classifier-guided sampling, with random steps or without",
    do(r"begin with $x_t$ from $\mathcal{N}(0, 1)$; for the levels from noisy to clean:"),
    do(
        r"$h \leftarrow$ the slope of the classifier's $\log q_t(y|x)$ at $x_t$",
        class_log_probs,
        classifier_gradient,
        by=bayes_for_scores,
        indent=1,
    ),
    do(
        r"random steps: $\mu, \sigma^2 \leftarrow$ the model's step back; draw from $\mathcal{N}(\mu + w \sigma^2 h, \sigma^2)$",
        guided_mean,
        by=first_order,
        indent=1,
    ),
    do(
        r"or: $\hat\epsilon \leftarrow \epsilon_0 - w \sqrt{1 - \bar\alpha_t}\, h$ for the model's $\epsilon_0$",
        guided_noise,
        by=in_units_of_the_noise,
        indent=1,
    ),
    do(r"and DDIM's step with $\hat\epsilon$ to the next level", indent=1),
)
def two_guided_steps():
    one, value_ = np.array([1]), 0.5
    moved = guided_mean(jnp.full((1, 1), 0.2), jnp.log(jnp.array([0.36])), jnp.full((1, 1), 0.5), scale=2.0)
    yield r"\text{a random step: } \mu = 0.2, \sigma^2 = 0.36, h = 0.5, w = 2: \quad \mu + w \sigma^2 h", moved, "0.56"
    numbers = (("0.52764", "-0.96922", "0.85784"), ("0.21357", "-0.09781", "1.11451"))
    for (here, after), (slope_, noise_, next_) in zip(((0.36, 0.5184), (0.5184, 0.81)), numbers, strict=True):
        point, levels = jnp.full((1, 1), value_), jnp.array([1.0, here])
        h = classifier_gradient(
            point, one, lambda x, at=levels: class_log_probs(x, np.full(len(x), 1), _SIGNS, _POINTS, _EQUAL, at)
        )
        epsilon = guided_noise(two_points(point, here)[1], h, one, levels, scale=3.0)[0, 0]
        value_ = math.sqrt(after) * (value_ - math.sqrt(1 - here) * epsilon) / math.sqrt(here) + math.sqrt(1 - after) * epsilon
        yield rf"\bar\alpha_t = {here}, w = 3 \text{{, the sign positive: }} h", h, slope_
        yield r"\hat\epsilon", epsilon, noise_
        yield rf"x \text{{ at }} {after}", value_, next_


@derivation.figure(
    r"Left: two classes with 0.7 as $\bar\alpha_t$. Gray: the density of all data; lines: $q_t(x)\, q_t(y|x)^w$, normalized, for "
    r"one class: it moves away from the other class and narrows. Right: the variance of the sharpened noised data and of the "
    r"noised sharpened data, at scale 3 and for three quarters as $r$: the same at both ends of the schedule, apart between.",
    panels=2,
)
def tilted_densities(left, right):
    draw_tilted_densities(left, right)
