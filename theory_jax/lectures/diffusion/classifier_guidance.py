"""Classifier guidance: Bayes' rule for scores.

The lecture on the functions of theory_jax/diffusion/classifier_guidance.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, LogDensity, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.diffusion.classifier_guidance import class_log_probs, classifier_gradient, guided_mean, guided_noise
from theory_jax.diffusion.score_prediction import diffused_mixture, mixture_log_prob, mixture_score
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
    question="A diffusion model that knows no classes and a classifier are given. How do they combine into samples of one "
    "class, and what is sampled when the classifier's share is scaled up?",
    setting=(
        r"Data $x_0$ have a class $y$, and every class has positive probability. The noise in $x_t = \sqrt{\bar\alpha_t}\, x_0 "
        r"+ \sqrt{1 - \bar\alpha_t}\, \epsilon$, $0 < \bar\alpha_t < 1$, is independent of both: given $x_0$, the class and "
        r"$x_t$ are independent. So $y, x_0, x_1, \dots, x_T$ is a Markov chain.",
        r"$q_t(x)$ and $q_t(x|y)$ are the densities of $x_t$, of all data and of one class. The classifier $q_t(y|x)$ is the "
        r"law of the class given $x_t = x$: it sees noisy data, and a level of noise $t$ belongs to it.",
        r"The scale is a number $w > 0$. One coordinate is written; in $D$ dimensions the slopes are gradients.",
    ),
    answer=r"The score of one class is the score of all data plus the slope of $\log q_t(y|x)$. Added $w$ times it is the "
    r"score of $q_t(x)\, q_t(y|x)^w$, up to normalization: samples more typical of the class, and as a rule less varied. For "
    r"$w \ne 1$ these densities at different levels belong to no common diffusion, so guided sampling need not draw from "
    r"$q_0(x)\, q_0(y|x)^w$.",
    limits=(
        "A trained classifier is not exact. Its accuracy is little evidence about its gradient.",
        "That a guided step is Gaussian is exact for a log-linear classifier; otherwise it holds to the order that is given.",
        "Implementations take the slope at another place (the noisy value in place of the mean): a difference that vanishes "
        "with the step. Which law guided sampling draws from is computed in the next topic, for Gaussian data.",
    ),
)

half = Rational(1, 2)
c = derivation.index("y", "a class", "labels")
d = derivation.index("k", "a class, next to $y$")
n = derivation.index("n", "one of the values that the data may take")
p = derivation.law("p", n, "the law of the data")
of_data = derivation.law("r({}|{})", (c, n), "the law of the class, given the data")
kernel = derivation.numbers(
    "g", n, "the density of $x_t$ at one place $x$, given the data $n$; no class occurs in it", positive=True
)
posterior = derivation.define(
    "p({}|x)", p * kernel / Total(n, p * kernel), "by Bayes' rule: the law of the data, given $x$", over=n, law=True
)
derivation.say(
    "What must the classifier know? Noise hides the class. Given a noisy value, the class is as uncertain as the data that it "
    "may have come from."
)
derivation.chain(
    "The noisy classifier is the expected classifier of clean data",
    Total(n, p * of_data * kernel) / Total(n, p * kernel),
    equals(Total(n, of_data * (p * kernel / Total(n, p * kernel))), "the denominator does not depend on the data"),
    equals(Expectation(posterior, of_data), r"Bayes' rule: the bracket is the law of the data given $x$"),
    role="lemma",
    uses=(marginal_law,),
    so=r"The first line is $q_t(y|x)$: the joint density of class and noisy value, over that of the noisy value. It is a "
    r"product of three factors under the sum because class and noise are independent given the data. A classifier trained on "
    r"clean pictures answers another question: which class a clean picture that looks like $x$ would have.",
)
exact = derivation.law("q", c, "the exact classifier at one $x$")
model = derivation.law("m", c, "a model of it", "log_probs_fn")
derivation.chain(
    "Cross entropy on noisy data finds it",
    -Expectation(exact, log(model)),
    equals(plus(Entropy(exact), Divergence(exact, model)), r"$-\log m_y = -\log q_y + \log(q_y / m_y)$"),
    at_least(
        Entropy(exact), r"leave out the divergence (Gibbs); equality if and only if $m = q$", dropping=gibbs.at(exact, model)
    ),
    role="lemma",
)

x = derivation.number("x", "a noisy value", "x_t")
ell = derivation.function(r"\ell", r"$\ell(y, x) = \log q_t(x|y)$: the log-density of the noisy data of a class", arguments=2)
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
        r"Bayes' rule: $q_t(x|y) = q_t(x)\, q_t(y|x) / q(y)$",
        wrong={"the classifier in the denominator": Slope(log(density * prior / classifier), x)},
    ),
    equals(plus(Slope(log(density), x), Slope(log(classifier), x), -Slope(log(prior), x)), "the logarithm of a product is a sum"),
    equals(plus(Slope(log(density), x), Slope(log(classifier), x)), r"how frequent a class is does not depend on $x$"),
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
        r"$\log q_t(y|x) = \log q(y) + \ell(y, x) - \log q_t(x)$; this is the theorem, read the other way",
    ),
    equals(
        plus(Slope(ell(c, x), x), -Expectation(classifier.at(d), Slope(ell(d, x), x))),
        "the score of a mixture is the expected score, here over the classes",
        wrong={"the classes' own frequencies": plus(Slope(ell(c, x), x), -Expectation(prior.at(d), Slope(ell(d, x), x)))},
    ),
    states=2,
    role="lemma",
    uses=(score_of_the_marginal,),
    so=r"For every classifier made of logits the same holds: the slope of a log-probability is that of its logit minus the "
    r"expected one. Weighted by the probabilities these slopes sum to 0: no direction makes all classes more probable.",
)

a = derivation.number(r"\bar\alpha_t", "the share of the variance that is signal", "alpha_bar[t]", between=(0, 1))
k = derivation.index("j", "a component of a mixture of Gaussians, which is a class")
weight = derivation.law("u", k, "the components' weights", "exp(log_weights)")
m = derivation.numbers("m", k, "their means", "means")
b = derivation.numbers("b", k, "their variances", "exp(log_vars)", positive=True)
joint = weight * exp(LogDensity(x, times(sqrt(a), m), plus(a * b, 1 - a)))
share = derivation.define(
    "u({}|x)", joint / Total(k, joint), "the exact classifier of the noised mixture", "class_log_probs", over=k, law=True
)


def _log_probs(x, u, m, b, alpha_bar):
    return class_log_probs(x, np.full(len(x), 1), m[:, None], jnp.log(b), jnp.log(u), alpha_bar)


def _gradients(x, u, m, b, alpha_bar):
    """The slope for every class at one point."""
    repeated = jnp.full((len(m), 1), x)
    return classifier_gradient(repeated, np.arange(len(m)), lambda x: _log_probs(x, u, m, b, alpha_bar)).T


derivation.bridge(
    "The code's exact classifier of a mixture",
    log(share),
    _log_probs,
    x=[[x]],
    u=weight,
    m=m,
    b=b,
    alpha_bar=[1, a],
    calls=(class_log_probs,),
    wrong={"not normalized": log(joint)},
)
derivation.bridge(
    "... and its slope, for every class",
    Slope(log(share), x),
    _gradients,
    x=x,
    u=weight,
    m=m,
    b=b,
    alpha_bar=[1, a],
    calls=(classifier_gradient,),
)

w = derivation.number("w", "the scale of the guidance", "scale", positive=True)
Z = derivation.number("Z", r"the integral of $q_t(x)\, q_t(y|x)^w$, which is finite because $q_t(y|x) \le 1$", positive=True)
derivation.chain(
    "A scale is a power of the classifier",
    Slope(log(density * classifier**w / Z), x),
    equals(
        plus(Slope(log(density), x), w * Slope(log(classifier), x)),
        r"the logarithm of a power is a multiple; $Z$ does not depend on $x$",
        wrong={"the density scaled, too": w * plus(Slope(log(density), x), Slope(log(classifier), x))},
    ),
    states=2,
    so=r"For $w > 1$ the product keeps to where the classifier is sure: samples more typical of the class, and as a rule less "
    r"varied.",
)
score = derivation.number("s", r"a model's score at $x$")
slope = derivation.number("h", r"the slope of the classifier's log-probability there", "gradient")
noise = derivation.define(r"\hat\epsilon", -sqrt(1 - a) * score, "the noise that a model with this score predicts", "noise_pred")
derivation.chain(
    "In units of the noise the slope is subtracted",
    -times(sqrt(1 - a), plus(score, times(w, slope))),
    equals(
        plus(noise, -times(w, sqrt(1 - a), slope)),
        r"multiply out; $\hat\epsilon = -\sqrt{1 - \bar\alpha_t}\, s$",
        wrong={"the variance for the deviation": plus(noise, -times(w, 1 - a, slope))},
    ),
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
early = derivation.law("q({})", i, "the law of $x_{t-1}$")
class_of = derivation.law("q({}|{})", (c, i), "the classifier at $t - 1$")
step = derivation.law("q({}|{})", (z, i), "the step forward")
back = derivation.define(
    "q({}|{})", early * step / Total(i, early * step), "the step back that knows no class", over=(i, z), law=True
)
derivation.say(
    r"A sampler that draws each step back guides the step itself. The question is which law $x_{t-1}$ has, given $x_t$ and the "
    r"class."
)
markov = derivation.chain(
    "The step back of a class, by Bayes' rule",
    early * class_of * step / Total(i, early * class_of * step),
    equals(back * class_of / Total(i, back * class_of), r"divide both by $q(x_t)$: $q(i)\, q(z|i) / q(x_t) = q(i|z)$"),
    states=2,
    role="lemma",
    so=r"The first line uses that the class and $x_t$ are independent given $x_{t-1}$: the step forward contains no class. The "
    r"last is $q(x_{t-1}|x_t, y) \propto q(x_{t-1}|x_t)\, q_{t-1}(y|x_{t-1})$.",
)
mean = derivation.number(r"\mu", "the mean of the step back", "mean")
variance = derivation.number(r"\sigma^2", "its variance", "exp(log_var)", positive=True)
bend = derivation.number("H", r"the second derivative of the classifier's log-probability at $\mu$")
bent = derivation.define("v", variance / (1 - w * variance * bend), r"the variance of the guided step, if $w \sigma^2 H < 1$")
derivation.chain(
    "Guidance moves the mean by the variance times the slope",
    plus(-((x - mean) ** 2) / (2 * variance), times(w, plus(times(slope, x - mean), times(bend / 2, (x - mean) ** 2)))),
    equals(
        plus(-((x - mean) ** 2) / (2 * bent), times(w, slope, x - mean)),
        r"collect the squares: $\frac{1}{v} = \frac{1}{\sigma^2} - w H$",
    ),
    equals(
        plus(-((x - plus(mean, times(bent, w, slope))) ** 2) / (2 * bent), bent * w**2 * slope**2 / 2),
        r"complete the square; what is added to it does not depend on $x$",
    ),
    so=r"The first line is the logarithm of $\mathcal{N}(x; \mu, \sigma^2)\, q_{t-1}(y|x)^w$ up to a constant, with the "
    r"classifier's logarithm expanded at $\mu$. So the guided step is $\mathcal{N}(\mu + v w h, v)$.",
    uses=(markov,),
)
derivation.chain(
    "... up to a term of second order in the variance",
    times(bent, w, slope),
    equals(
        plus(times(w, variance, slope), times(w, variance, slope, w * variance * bend / (1 - w * variance * bend))),
        r"$\frac{1}{1 - u} = 1 + \frac{u}{1 - u}$ with $u = w \sigma^2 H$",
    ),
    so=r"For a classifier that is log-linear over the width of a step, $H = 0$, the mean moves by $w \sigma^2 h$ exactly and "
    r"the variance stays. Steps are short, so this is what is implemented.",
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
    so=r"The first line is by how much the guided noise moves the mean of a step. With $\sigma^2 = \beta_t = 1 - \alpha_t$ the "
    r"other way moves it by $w \beta_t h$: the same to first order in $\beta_t$.",
)

r = derivation.number("r", "by how much the variance of a class is below 1", between=(0, 1))
at = derivation.number("m", "the mean of a class")
derivation.say(
    r"Is the guided sample drawn from $q_0(x)\, q_0(y|x)^w$? That needs the guided densities of all levels to be the noised "
    r"versions of one law. Test it where all is Gaussian: the data are $\mathcal{N}(0, 1)$ and a class is $\mathcal{N}(m, 1 - "
    r"r)$, which is possible if the class is rare enough. Noised, they are $\mathcal{N}(0, 1)$ and "
    r"$\mathcal{N}(\sqrt{\bar\alpha_t}\, m, 1 - \bar\alpha_t r)$."
)
tilted_spread = derivation.chain(
    "The noised data, sharpened",
    -Slope(plus(times(1 - w, LogDensity(x, 0, 1)), times(w, LogDensity(x, times(sqrt(a), at), 1 - a * r))), x, 2),
    equals(plus(1 - w, w / (1 - a * r)), "minus the second derivative of a Gaussian's log-density is its precision"),
    equals(plus(1, times(w - 1, a, r)) / (1 - a * r), "over the common denominator"),
    role="lemma",
    so=r"The first line is the precision of $q_t(x)^{1 - w} q_t(x|y)^w$, which is proportional to $q_t(x)\, q_t(y|x)^w$.",
)
P_t = derivation.define("P_t", plus(1, times(w - 1, a, r)), "a numerator, at level $t$")
P_0 = derivation.define("P_0", plus(1, times(w - 1, r)), r"the same without noise")
derivation.chain(
    "Sharpening and noising do not commute",
    plus((1 - a * r) / P_t, times(-1, plus(times(a, 1 - r) / P_0, 1 - a))),
    equals(
        plus(times(w, a, r) / P_0, -times(w, a, r) / P_t),
        r"$1 - \bar\alpha_t r = P_t - w \bar\alpha_t r$, and $\bar\alpha_t (1 - r) = \bar\alpha_t P_0 - w \bar\alpha_t r$",
        wrong={"the levels exchanged": plus(times(w, a, r) / P_t, -times(w, a, r) / P_0)},
    ),
    equals(
        -w * (w - 1) * a * (1 - a) * r**2 / times(P_0, P_t),
        r"over the common denominator; $P_t - P_0 = -(w - 1)(1 - \bar\alpha_t) r$",
    ),
    uses=(tilted_spread, marginal_law),
    so=r"The first line is the variance of the sharpened noised data minus that of the sharpened data ($\bar\alpha_t = 1$), "
    r"noised. It is zero only for $w = 1$, where both are the noised class. For every other scale the guided scores of "
    r"different levels belong to no single noising process, and there is no guarantee that guided sampling draws from $q_0(x)\, "
    r"q_0(y|x)^w$. The scale is a parameter of an algorithm, not the power of a posterior.",
)

_LEVELS = jnp.array([1.0, 0.5184])
_SIGNS, _EQUAL, _POINTS = jnp.array([[-1.0], [1.0]]), jnp.full(2, -math.log(2)), jnp.full(2, -jnp.inf)


def _of_signs(x):
    """Log-probabilities of the classes -1 and 1, data that are these two points, at level 0.5184."""
    return class_log_probs(x, np.full(len(x), 1), _SIGNS, _POINTS, _EQUAL, _LEVELS)


@derivation.example(
    r"Data that are $-1$ or $1$, each with probability one half, and $y$ is the sign; $\bar\alpha_t = 0.5184$, $x_t = 0.5$. "
    r"Then a step with $\mu = 0.2$, $\sigma^2 = 0.36$, $h = 0.5$, $H = -0.25$ and $w = 2$; last, the two variances at $w = 3$ "
    r"and $r = \bar\alpha_t = \frac12$."
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


@derivation.figure(
    r"Left: two classes at $\bar\alpha_t = 0.7$. Gray: the density of all data; lines: $q_t(x)\, q_t(y|x)^w$, normalized, for "
    r"one class: it moves away from the other class and narrows. Right: the variance of the sharpened noised data and of the "
    r"noised sharpened data, for $w = 3$, $r = \frac34$: the same at both ends of the schedule, apart between.",
    panels=2,
)
def tilted_densities(left, right):
    line = jnp.linspace(-4, 4, 161)
    means, log_vars, log_weights = jnp.array([[1.0], [-1.0]]), jnp.log(jnp.array([0.5, 0.5])), _EQUAL
    alpha_bar, ones = jnp.array([1.0, 0.7]), np.full(161, 1)
    log_density = mixture_log_prob(line[:, None], *diffused_mixture(means, log_vars, ones, alpha_bar), log_weights)
    log_class = class_log_probs(line[:, None], ones, means, log_vars, log_weights, alpha_bar)[:, 0]
    left.fill_between(line, jnp.exp(log_density), color="gray", alpha=0.3)
    for scale in (1, 3, 8):
        tilted = jnp.exp(log_density + scale * log_class)
        left.plot(line, tilted / tilted.sum() / 0.05, label=f"$w = {scale}$")
    left.set(xlabel="$x$", ylabel="density")
    left.legend()
    level = np.linspace(0, 1, 101)
    right.plot(level, (1 - 0.75 * level) / (1 + 1.5 * level), label="sharpened last")
    right.plot(level, level * 0.25 / 2.5 + 1 - level, linestyle="--", label="noised last")
    right.set(xlabel=r"$\bar\alpha_t$", ylabel="variance")
    right.legend()


@derivation.exercise(
    r"At a level where nothing of the data is left, $\bar\alpha_T = 0$, what are the classifier and its slope, for classes of "
    r"weight 0.25 and 0.75?",
    r"$x_T$ is independent of the class, so the classifier gives the weights, 0.25 and 0.75, for every $x$, and its slope is 0.",
)
def pure_noise():
    def log_probs(x):
        return class_log_probs(x, np.array([1]), _SIGNS, jnp.zeros(2), jnp.log(jnp.array([0.25, 0.75])), jnp.array([1.0, 0.0]))

    x = jnp.array([[1.7]])
    yield jnp.exp(log_probs(x))[0], "0.25 and 0.75"
    yield classifier_gradient(x, np.array([0]), log_probs)[0, 0], "0"


@derivation.exercise(
    r"Two Gaussian classes of equal variance have log-odds that are a line with slope $b$. What is the bend $H$ of $\log "
    r"q_t(y|x)$? Evaluate it at $b = 2$ and even odds.",
    r"$\log q_t(y|x)$ is the logarithm of a logistic function of the line, so $h = b (1 - q_t(y|x))$ and $H = -b^2 q_t(y|x) (1 "
    r"- q_t(y|x)) \le 0$: the guided variance $v$ always exists and is at most $\sigma^2$. At even odds and $b = 2$ the bend "
    r"is $-1$.",
)
def two_gaussian_classes():
    # means 1 and -1 at unit variance: log-odds 2x
    def log_prob(x):
        return class_log_probs(
            x[None, None], np.array([1]), jnp.array([[1.0], [-1.0]]) / 0.6, jnp.zeros(2), _EQUAL, jnp.array([1.0, 0.36])
        )[0, 0]

    yield jax.grad(jax.grad(log_prob))(0.0), "-1"


@derivation.exercise(
    r"For $r = \bar\alpha_t = \frac12$, how large is the gap between the two variances at $w = 3$, and which scale makes it "
    r"largest?",
    r"The gap is $\frac{w (w - 1)}{2 (w + 1)(w + 3)}$: 0.125 at $w = 3$. Its derivative has the sign of $5 w^2 + 6 w - 3$, "
    r"which is positive for $w > 1$: the gap grows toward $\frac12$ and has no maximum.",
)
def the_gap():
    gap = w * (w - 1) / (2 * (w + 1) * (w + 3))
    yield float(gap.subs(w, 3)), "0.125"
    yield derivation.ground().expand(-(1 - a * r) / P_t + a * (1 - r) / P_0 + 1 - a).subs({a: half, r: half}), gap
    yield gap.diff(w) * (w + 1) ** 2 * (w + 3) ** 2 * 2, 5 * w**2 + 6 * w - 3
