"""Other losses for the same game: what each measures, and what a frozen discriminator lets the generator descend.

The lecture on the functions of theory_jax/adversarial/loss_variants.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, Max, Min, Rational, Subs, exp, log, oo, sign

from theory_jax.adversarial.loss_variants import (
    hinge_discriminator_loss,
    hinge_generator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    relativistic_discriminator_loss,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.derivation.unspecified import function
from theory_jax.lectures.adversarial._frozen import draw_costs, flow, mean_over_pairs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Other losses for the same game: what each measures, and what a frozen discriminator lets the generator descend",
    sources=(
        "Mao et al. 2017, Least Squares Generative Adversarial Networks, theorem 1",
        "Lim & Ye 2017, Geometric GAN; Miyato et al. 2018, Spectral Normalization for GANs, section 4",
        "Jolicoeur-Martineau 2019, The relativistic discriminator: a key element missing from standard GAN",
    ),
    question="A generator whose samples are surely fakes learns nothing from the first GAN's loss. Least squares, hinge and "
    "relativistic losses were proposed instead, and all have the right solution on paper; yet with the labels of one theorem a "
    "mode of the data is lost. What does each loss measure, and what does the generator's gradient, taken with the discriminator "
    "frozen, descend? Is it the same thing?",
    setting=(
        "The data have the distribution $p$, the generator's samples $q$, both positive on finitely many points. The share $t$ "
        "of samples at a point is $q/(p + q)$. The discriminator gives every point a score $s$, any real number.",
        "Least squares has the labels $a$ of samples and $b$, larger, of data, and the generator's target $c$: the discriminator "
        r"minimizes $\frac12 \mathbb{E}_p (s - b)^2 + \frac12 \mathbb{E}_q (s - a)^2$, and a sample costs $\frac12 (s - c)^2$. "
        r"Hinge: $\mathbb{E}_p \max(0, 1 - s) + \mathbb{E}_q \max(0, 1 + s)$, and a sample costs $-s$. Relativistic: $\mathbb{E} "
        r"\log(1 + e^{s_j - s_k})$ over independent pairs of a data point $k$ and a sample $j$.",
        "The frozen gradient: with the scores of the best discriminator held fixed, a change $h$ of $q$, with the sum 0, changes "
        r"the generator's loss by $\sum_k h_k \varphi_k$, where $\varphi_k$ is the cost of a sample at $k$.",
    ),
    limits=(
        r"Generators that move points instead of masses: a sample then follows $-(s - c) \nabla s$ to where its score is $c$.",
        "Discriminators that are not the best ones, and relativistic averages over a batch.",
    ),
)

k, j = derivation.index("k", "a point"), derivation.index("j", "a point, next to $k$")
p = derivation.law("p", k, "the data", "exp(log_probs_p)")
q = derivation.law("q", k, "the generator's samples", "exp(log_probs_q)")
s = derivation.numbers("s", k, "the discriminator's scores", "scores")
a, b = derivation.number("a", "the label of samples", "fake_target"), derivation.number("b", "the label of data", "real_target")
c = derivation.number("c", "the generator's target", "target")
t = derivation.define("t", q / (p + q), "the share of samples at a point", over=k, positive=True)
m = derivation.define("m", (p + q) / 2, "half data, half samples", over=k, law=True)
triangle = derivation.define(r"\Delta", Total(k, (p - q) ** 2 / (p + q)) / 2, "the triangular discrimination, between 0 and 1")
variation = derivation.define(r"\mathrm{TV}", Total(k, Abs(p - q)) / 2, "the total variation, between 0 and 1")
best = derivation.define("s^*", (b * p + a * q) / (p + q), "the best score for least squares", over=k)

excess = Total(k, (p + q) * (s - best) ** 2) / 2
squares = derivation.chain(
    "The best least-squares score is the mean label at a point",
    plus(Expectation(p, (s - b) ** 2) / 2, Expectation(q, (s - a) ** 2) / 2),
    equals(plus(excess, (b - a) ** 2 / 2 * Total(k, p * q / (p + q))), "complete the square at every point"),
    equals(
        plus(excess, times((b - a) ** 2 / 4, 1 - triangle)),
        prose(
            "{parts}, and both distributions sum to one",
            parts=holds(p * q / (p + q), "=", plus((p + q) / 4, -((p - q) ** 2) / (4 * (p + q)))),
        ),
        wrong={"no half": plus(excess, times((b - a) ** 2 / 2, 1 - triangle))},
    ),
    at_least(
        times((b - a) ** 2 / 4, 1 - triangle),
        prose("leave out squares, all zero for {best} only", best=where(s, best)),
        dropping=excess,
    ),
    so=prose(
        "The best score is {best}: it falls with the share of samples, and takes no value outside $[a, b]$. The discriminator's "
        r"least loss measures $\Delta$, which is {zero} where $q$ is $p$ and positive otherwise.",
        best=holds(best, "=", plus(b, -(b - a) * t)),
        zero=holds(triangle, "=", 0, when={q: p}, named=True),
    ),
)
derivation.chain(
    "With both terms of the loss the generator would minimize one divergence for all labels",
    Total(k, (p + q) * (best - c) ** 2),
    equals(
        Total(k, ((b - c) * (p + q) - (b - a) * q) ** 2 / (p + q)),
        prose("insert $s^*$, with {sum}", sum=holds(plus(b * p, a * q), "=", plus(b * (p + q), -(b - a) * q))),
    ),
    equals(
        plus(2 * ((a + b) / 2 - c) ** 2, (b - a) ** 2 / 2 * triangle),
        prose("expand the square; {half}", half=holds(Total(k, q**2 / (p + q)), "=", plus(Rational(1, 2), triangle / 2))),
        wrong={"the offset forgotten": (b - a) ** 2 / 2 * triangle},
    ),
    so=r"This is twice Mao's criterion. For every choice of labels it is the same divergence $\Delta$, stretched and shifted.",
    role="lemma",
)
derivation.chain(
    "At the labels of Mao's theorem the criterion with both terms is a chi-squared divergence",
    Total(k, plus(2 * q, times(-1, p + q)) ** 2 / (p + q)),
    equals(
        2 * triangle,
        prose("{gap}", gap=holds(plus(2 * q, -(p + q)), "=", plus(q, -p))),
        wrong={"the other distribution in the denominator": Total(k, (2 * q - (p + q)) ** 2 / (2 * q)), "no factor 2": triangle},
    ),
    role="remark",
    so=r"If $b - c$ is 1 and $b - a$ is 2, the first line is the square above: Pearson's $\chi^2$ of $2q$ against $p + q$. The "
    "theorem is about a generator that descends both terms, with the best discriminator following it at every point of its path. "
    "A gradient step is not that: the discriminator is frozen, and the term of the data does not depend on the generator at all.",
)

derivation.say(
    "So the question is what a step against a frozen discriminator descends. For every loss of single examples the cost of a "
    r"sample under the best discriminator depends on the share $t$ alone. Write $\varphi(t)$ as a derivative, $f'(t/(1 - t))$."
)
derivation.symbol(r"\varphi", "the cost of a sample under the best discriminator, as a function of $t$")
u = derivation.number("u", "the ratio $q/p$ at a point, $t/(1 - t)$", positive=True)
f = derivation.function("f", "an antiderivative of the cost, as a function of the ratio")
epsilon = derivation.number(r"\varepsilon", "the size of a change of $q$")
free = derivation.numbers("z", k, "arbitrary numbers, of which changes with the sum 0 are made")
change = derivation.define("h", plus(free, -q * Total(j, free.at(j))), "a change of the probabilities that sums to zero", over=k)
moved = derivation.define(r"q_\varepsilon", q + epsilon * change, "the samples after the change", over=k)
middle = derivation.define(r"m_\varepsilon", (p + moved) / 2, "half data, half of those", over=k)
triangle_moved = Total(k, (p - moved) ** 2 / (p + moved)) / 2


def _at_zero(expression):
    return Subs(Slope(expression, epsilon), epsilon, 0)


central = derivation.chain(
    "A frozen discriminator lets the generator descend an f-divergence, if there is one",
    Total(k, change * function("f", 1)(t / (1 - t))),
    equals(Total(k, change * function("f", 1)(q / p)), prose("{ratio}", ratio=holds(t / (1 - t), "=", q / p))),
    equals(
        _at_zero(Total(k, p * f(moved / p))),
        r"the chain rule: $p \cdot f'(q/p) \cdot h/p$",
        wrong={"the weights of the samples": _at_zero(Total(k, q * f(moved / p)))},
    ),
    states=2,
    central=True,
    so=r"$\sum_k p_k f(q_k/p_k)$ is a divergence of $p$ and $q$ if $f$ is convex, that is if $\varphi$ rises with $t$: a sample "
    r"must cost more where there are more samples already. In the first lecture's game the cost is $\log t$, and $-\log(1 - t)$ "
    r"for the non-saturating loss. Hinge: $\operatorname{sign}(2t - 1)$. Least squares: $\frac12 (b - c - (b - a) t)^2$, a "
    "parabola in $t$, which need not rise.",
)
derivation.chain(
    "For least squares the curvature can have the wrong sign",
    Slope((b - c - (b - a) * u / (1 + u)) ** 2 / 2, u),
    equals(
        (b - a) * plus((c - a) * u, c - b) / (1 + u) ** 3,
        prose("differentiate, with {share}", share=holds(Slope(u / (1 + u), u), "=", 1 / (1 + u) ** 2)),
        wrong={"labels exchanged": (a - b) * plus((c - b) * u, c - a) / (1 + u) ** 3},
    ),
    so=prose(
        "The first line is $f''(u)$. It is positive for every positive $u$ if and only if $c$ is at least $b$; at the ratio 1, "
        "the solution, it is {near}: with $c$ at the midpoint of the labels the curvature is 0 there.",
        near=holds(
            (b - a) * plus((c - a) * u, c - b) / (1 + u) ** 3, "=", (b - a) / 4 * (c - (a + b) / 2), when={u: 1}, named=True
        ),
    ),
    role="lemma",
)
descended = plus(times(b - a, c - a, Total(k, p * log(p / m))), -((b - a) ** 2) / 4 * triangle)
derivation.chain(
    "Least squares descends the divergence of the data from the mixture, less a part of the triangular discrimination",
    Total(k, change * (best - c) ** 2 / 2),
    equals(
        _at_zero(plus(times(b - a, c - a, Total(k, p * log(p / middle))), -((b - a) ** 2) / 4 * triangle_moved)),
        r"integrate: $-p \log(p + q)$ has the derivative $-(1 - t)$ in $q$, and $\frac{(p - q)^2}{p + q}$ has $1 - 4 (1 - t)^2$; "
        "constants do not count, since the changes sum to zero",
        wrong={"the divergence of both terms": _at_zero((b - a) ** 2 / 4 * triangle_moved)},
    ),
    states=2,
    so=prose(
        "With the labels 0 and 1 and the target 1 the generator descends {classic}, a divergence. With those of the theorem, "
        "$-1$, 1 and 0, it descends {mao}, whose $f$ is concave where the data have more: a mode with too few samples costs as "
        "much as one with too many, and descent can empty it.",
        classic=holds(descended, "=", plus(Divergence(p, m), -triangle / 4), when={a: 0, b: 1, c: 1}, named=True),
        mao=holds(descended, "=", plus(2 * Divergence(p, m), -triangle), when={a: -1, b: 1, c: 0}, named=True),
    ),
    role="lemma",
)
real, fake = derivation.number("r", "the score of a real example"), derivation.number("y", "the score of a sample")
_squares = ((real - b) ** 2 + (fake - a) ** 2) / 2
derivation.bridge(
    "The code's loss of the discriminator",
    _squares,
    least_squares_discriminator_loss,
    scores_real=[real],
    scores_fake=[fake],
    real_target=b,
    fake_target=a,
    wrong={"the halves forgotten": 2 * _squares, "labels exchanged": ((real - a) ** 2 + (fake - b) ** 2) / 2},
)
derivation.bridge(
    "... and the generator's, at the best score: the cost of a sample",
    (b - c - (b - a) * t) ** 2 / 2,
    least_squares_generator_loss,
    scores_fake=best,
    target=c,
    wrong={"the target of the data": (b - a) ** 2 * t**2 / 2},
)

derivation.say(
    "The hinge, at one point with more data than samples: probabilities $w + v$ and $w$, score $x$. With less data than samples "
    "it is the same with $-x$."
)
w = derivation.number("w", "the samples' probability of a point", positive=True)
v = derivation.number("v", "by how much the data's probability is larger", positive=True)
x = derivation.number("x", "the score of the point")
lost = times(v, Max(0, 1 - x)), times(w, Max(0, x - 1)), times(w, Max(0, -1 - x))
hinge = derivation.chain(
    "Where there is more data, the best hinge score is 1",
    plus((w + v) * Max(0, 1 - x), w * Max(0, 1 + x)),
    equals(
        plus(2 * w, *lost),
        prose(
            "{both}, with the weight $w$", both=holds(Max(0, 1 - x) + Max(0, 1 + x), "=", plus(2, Max(0, x - 1), Max(0, -1 - x)))
        ),
        wrong={"nothing beyond the margins": plus(2 * w, lost[0])},
    ),
    at_least(
        2 * w,
        prose("leave out three terms that are never negative, all zero at {margin} only", margin=where(x, 1)),
        dropping=plus(*lost),
    ),
    so=r"So the best score is $\operatorname{sign}(p - q)$, and a point costs $2 \min(p, q)$.",
    role="lemma",
)
derivation.chain(
    "The least hinge loss measures the total variation",
    Total(k, plus(p, q, -Abs(p - q))),
    equals(plus(2, -2 * variation), "both distributions sum to one", wrong={"the sign": plus(2, 2 * variation)}),
    so=prose(
        "Each term of the first line is {cost}, the cost of a point.",
        cost=holds(plus(p, q, -Abs(p - q)), "=", 2 * Min(p, q), named=True),
    ),
)
derivation.chain(
    "With the hinge the generator descends twice the total variation",
    -Total(k, change * sign(p - q)),
    equals(
        _at_zero(Total(k, Abs(moved - p))),
        "the slope of an absolute value is a sign, where it is not zero",
        wrong={"half of it": _at_zero(Total(k, Abs(moved - p)) / 2)},
    ),
    so=prose(
        "What is differentiated is {twice}. The slope does not shrink near the solution, and where $q$ is $p$ there is no best "
        "score: any number between the margins is as good.",
        twice=holds(Total(k, Abs(moved - p)), "=", 2 * variation, when={epsilon: 0}, named=True),
    ),
    role="lemma",
)
_hinges = Max(0, 1 - real) + Max(0, 1 + fake)
derivation.bridge(
    "The code's loss of the discriminator",
    _hinges,
    hinge_discriminator_loss,
    scores_real=[real],
    scores_fake=[fake],
    wrong={"the signs exchanged": Max(0, 1 + real) + Max(0, 1 - fake), "no hinge": 2 - real + fake},
)
derivation.bridge(
    "... and the generator's", -fake, hinge_generator_loss, scores_fake=[fake], wrong={"a hinge here, too": Max(0, 1 - fake)}
)

pair = derivation.define("P", p * q.at(j), "a data point at $k$ and a sample at $j$", over=(k, j), positive=True)
turned = derivation.define("Q", q * p.at(j), "... the other way round", over=(k, j), positive=True)
apart = s - s.at(j)
right, other = 1 / (1 + exp(-apart)), 1 / (1 + exp(apart))


def _over_pairs(body):
    return Total(k, Total(j, body))


pairs_divergence = derivation.define(
    r"\mathrm{JSD}",
    plus(_over_pairs(pair * log(2 * pair / (pair + turned))), _over_pairs(turned * log(2 * turned / (pair + turned)))) / 2,
    "the Jensen-Shannon divergence of $P$ and $Q$",
    "jensen_shannon_divergence",
)
gaps = plus(
    _over_pairs(pair * tangent.at(right * (pair + turned) / pair)) / 2,
    _over_pairs(turned * tangent.at(other * (pair + turned) / turned)) / 2,
)
derivation.answer = prose(
    "The least loss of the best discriminator is {squares} for least squares, with the triangular discrimination of $p$ and $q$; "
    "{hinge} for the hinge, with their total variation; and {pairs} for the relativistic loss, with the Jensen-Shannon "
    r"divergence of the pairs $p \otimes q$ from $q \otimes p$. A frozen discriminator lets the generator descend an "
    "$f$-divergence if a sample costs more where the share of samples is higher, and only then. Least squares does so everywhere "
    "if $c$ is at least $b$; with the labels of Mao's theorem, $c$ halfway between $a$ and $b$, it does not.",
    squares=holds(
        plus(Expectation(p, (s - b) ** 2) / 2, Expectation(q, (s - a) ** 2) / 2),
        "=",
        times((b - a) ** 2 / 4, 1 - triangle),
        when={s: best},
        named=True,
    ),
    hinge=holds(2 * Total(k, Min(p, q)), "=", plus(2, -2 * variation), named=True),
    pairs=plus(log(2), -pairs_divergence),
)
relativistic = derivation.chain(
    "The relativistic loss plays the first lecture's game with pairs",
    _over_pairs(pair * log(1 + exp(-apart))),
    equals(
        plus(_over_pairs(pair * log(1 + exp(-apart))), _over_pairs(turned * log(1 + exp(apart)))) / 2,
        r"exchange the names $k$ and $j$ in half of it: $P$ becomes $Q$, and $s_k - s_j$ changes its sign",
        wrong={"the sign kept": plus(_over_pairs(pair * log(1 + exp(-apart))), _over_pairs(turned * log(1 + exp(-apart)))) / 2},
    ),
    equals(
        plus(log(2), -pairs_divergence, gaps),
        r"with the share $\varpi$ of $P$ in both, $-\log \sigma$ is $-\log \varpi$ less $\log (\sigma/\varpi)$; then $-\log z$ "
        "is $1 - z$ and the distance from the tangent, and the tangents add up to zero",
        wrong={"a factor 2": plus(2 * log(2), -2 * pairs_divergence, gaps)},
    ),
    at_least(
        plus(log(2), -pairs_divergence),
        prose(
            "leave out the distances of the logarithm from its tangent, zero if and only if the sigmoid of every $s_k - s_j$ is "
            "the share: for {best}, up to a constant",
            best=where(s, log(p / q)),
        ),
        dropping=gaps,
    ),
    states=2,
    uses=(tangent,),
    so=prose(
        "With {score} the difference is that of the pairs' logarithms, {pairs}; any constant may be added, and nothing else. "
        "This is the Bradley-Terry model of comparisons.",
        score=where(s, log(p / q)),
        pairs=holds(plus(s, -s.at(j)), "=", log(pair / turned)),
    ),
)
derivation.symbol(r"\varpi", "the share of $P$ in both")
derivation.symbol(r"\sigma", "the sigmoid")
derivation.bridge(
    "The code's loss, averaged over all pairs",
    _over_pairs(pair * log(1 + exp(-apart))),
    mean_over_pairs,
    p=p,
    q=q,
    scores=s,
    calls=(relativistic_discriminator_loss,),
    wrong={
        "sigmoid for softplus": _over_pairs(pair * other),
        "each score by itself": plus(Expectation(p, log(1 + exp(-s))), Expectation(q, log(1 + exp(s)))),
    },
)
derivation.chain(
    "The relativistic loss keeps its slope in the score of a sure fake",
    Limit(Slope(log(1 + exp(real - fake)), fake), fake, -oo),
    equals(
        Limit(-1 / (1 + exp(fake - real)), fake, -oo),
        r"the chain rule: $-\sigma(r - y)$, for the generator, which exchanges the two",
    ),
    equals(-1, "the exponential tends to 0"),
    so=prose(
        "For a sure fake the slope of the minimax loss tends to {minimax}, those of the non-saturating and the relativistic one "
        "to {other}; the hinge's is $-1$ everywhere, and that of least squares, {squares}, grows without bound.",
        minimax=holds(Limit(Slope(-log(1 + exp(fake)), fake), fake, -oo), "=", 0, named=True),
        other=holds(Limit(Slope(log(1 + exp(-fake)), fake), fake, -oo), "=", -1, named=True),
        squares=holds(Slope((fake - c) ** 2 / 2, fake), "=", plus(fake, -c), named=True),
    ),
    role="remark",
)

_given = {p: (0.5, 0.25, 0.25), q: (0.25, 0.25, 0.5)}
_classic, _mao = {a: 0, b: 1, c: 1}, {a: -1, b: 1, c: 0}


@derivation.algorithm(
    "A training step with another loss, with the scores $r$ of data and $y$ of samples",
    do("take data and samples; step the discriminator down its loss:"),
    do(r"$\frac12 (r - b)^2 + \frac12 (y - a)^2$, or", least_squares_discriminator_loss, by=squares, indent=1),
    do(r"$\max(0, 1 - r) + \max(0, 1 + y)$, or", hinge_discriminator_loss, by=hinge, indent=1),
    do(r"$\log(1 + e^{y - r})$, of pairs", relativistic_discriminator_loss, by=relativistic, indent=1),
    do("freeze it; step the generator down the cost of its samples:", by=central),
    do(r"$\frac12 (y - c)^2$, or $-y$, or", least_squares_generator_loss, hinge_generator_loss, indent=1),
    do(r"$\log(1 + e^{r - y})$, of pairs", relativistic_discriminator_loss, indent=1),
)
def two_steps_of_each():
    games = {
        "least squares": (least_squares_discriminator_loss, lambda r, y: least_squares_generator_loss(y)),
        "hinge": (hinge_discriminator_loss, lambda r, y: hinge_generator_loss(y)),
        "relativistic": (relativistic_discriminator_loss, lambda r, y: relativistic_discriminator_loss(y, r)),
    }
    start = r"\text{data at 1, a sample } g \text{ from 0, scores } w x \text{ from } w = 0, \text{ steps of } \tfrac12\text{; }"
    numbers = ("0.7344, 0.5498", "0.875, 0.6875", "0.4555, 0.2079")
    for (name, (critic, generator)), stated in zip(games.items(), numbers, strict=True):
        weight, sample = jnp.zeros(1), jnp.zeros(1)
        for _ in range(2):
            weight -= jax.grad(lambda w, g=sample, loss=critic: loss(w, w * g)[0])(weight) / 2
            sample -= jax.grad(lambda g, w=weight, loss=generator: loss(w, w * g)[0])(sample) / 2
        yield start + rf"\text{{{name}, after two steps:}} \quad w, g", jnp.concatenate([weight, sample]), stated
        start = ""


@derivation.example(
    r"Three points, with the probabilities $(\frac12, \frac14, \frac14)$ of data and $(\frac14, \frac14, \frac12)$ of samples. "
    "Last, the slope of the generator's least-squares loss at a very bad fake, without and with a sigmoid before the square."
)
def three_points():
    yield t, value(t, _given), "(1/3, 1/2, 2/3)"
    yield triangle, value(triangle, _given), "1/12"
    yield r"\text{least loss at the labels } 0, 1", value((b - a) ** 2 / 4 * (1 - triangle), _given | _classic), "11/48"
    yield variation, value(variation, _given), "1/4"
    yield r"\text{least hinge loss}", value(2 - 2 * variation, _given), "3/2"
    yield log(2) - pairs_divergence, value(log(2) - pairs_divergence, _given), "0.611677"
    cost = (best - c) ** 2 / 2
    yield r"\text{costs of samples, } (a, b, c) = (0, 1, 1)", value(cost, _given | _classic), "(1/18, 1/8, 2/9)"
    yield r"\text{... and } (-1, 1, 0)", value(cost, _given | _mao), "(1/18, 0, 1/18)"
    plain = lambda score: least_squares_generator_loss(score)[0]  # noqa: E731
    slopes = [jax.grad(loss)(jnp.full(1, -10.0)) for loss in (plain, lambda score: plain(jax.nn.sigmoid(score)))]
    yield r"\text{slopes at the score } -10", slopes, "-11, -0.0000454"


@derivation.exact(
    r"q \to (\tfrac12, \tfrac14, \tfrac14) \text{ for } (0, 1, 1),\qquad q \to (0, \tfrac12, \tfrac12) \text{ for } (-1, 1, 0)",
    because=r"400 steps that multiply $q$ by $e^{-\varphi}$ and divide by the sum, from $(0.3, 0.3, 0.4)$, with the data of the "
    "example. With the labels of the theorem the first point, which has too few samples, loses them all.",
    outcomes=6,
    scale=1.0,
    role="remark",
)
def two_flows():
    found = np.stack([flow(0.0, 1.0, 1.0)[-1], flow(-1.0, 1.0, 0.0)[-1]])
    wanted = np.array([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    return Sides(left=found, right=wanted, wrong={"both end at the data": wanted[[0, 0]]})


@derivation.figure(
    "Left: the cost of a sample under the best discriminator against the share of samples, up to a constant that makes it 0 at "
    r"$\frac12$; the cost of $(-1, 1, 0)$ is the only one that falls, left of $\frac12$. Right: the probability of the first "
    "point under descent of frozen costs; that of the data is dashed.",
    panels=2,
)
def costs_and_flows(left, right):
    draw_costs(left, right)
