"""Other losses for the same game: what each measures, and what a frozen discriminator lets the generator descend.

The lecture on the functions of theory_jax/adversarial/loss_variants.py.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, Max, Subs, exp, log, oo, sign

from theory_jax.adversarial.gan import jensen_shannon_divergence, minimax_generator_loss, non_saturating_generator_loss
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
from theory_jax.derivation.notation import Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.unspecified import function
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Other losses for the same game: what each measures, and what a frozen discriminator lets the generator descend",
    sources=(
        "Mao et al. 2017, Least Squares Generative Adversarial Networks, theorem 1",
        "Lim & Ye 2017, Geometric GAN; Miyato et al. 2018, Spectral Normalization for GANs, section 4",
        "Jolicoeur-Martineau 2019, The relativistic discriminator: a key element missing from standard GAN",
    ),
    question="Least squares, hinge and relativistic losses all have the right solution on paper. What does each of them "
    "measure, and what does the generator's gradient, taken with the discriminator frozen, descend? Is it the same thing?",
    setting=(
        "The data have the law $p$, the generator's samples the law $q$, both positive on finitely many points. The share of "
        "samples at a point is $t = q/(p + q)$. The discriminator gives every point a score $s$, any real number.",
        "Least squares has the labels $a < b$ of samples and data, and the generator's target $c$: the discriminator minimizes "
        r"$\frac12 \mathbb{E}_p (s - b)^2 + \frac12 \mathbb{E}_q (s - a)^2$, and a sample costs $\frac12 (s - c)^2$. Hinge: "
        r"$\mathbb{E}_p \max(0, 1 - s) + \mathbb{E}_q \max(0, 1 + s)$, and a sample costs $-s$. Relativistic: $\mathbb{E} \log(1 "
        r"+ e^{s_j - s_k})$ over independent pairs of a data point $k \sim p$ and a sample $j \sim q$.",
        "The frozen gradient: with the scores of the best discriminator held fixed, a change $h$ of $q$, with the sum 0, "
        r"changes the generator's loss by $\sum_k h_k \varphi_k$, where $\varphi_k$ is the cost of a sample at $k$.",
    ),
    answer="Least squares measures the triangular discrimination of $p$ and $q$, the hinge their total variation, the "
    r"relativistic loss the Jensen-Shannon divergence of $p \otimes q$ from $q \otimes p$. A frozen discriminator lets the "
    "generator descend a divergence if and only if a sample costs more where the share of samples is higher. Least squares does "
    r"so everywhere for $c \ge b$; with the labels of Mao's theorem, $c$ halfway between $a$ and $b$, it does not.",
    limits=(
        r"Generators that move points instead of masses: a sample then follows $-(s - c) \nabla s$ to the places where $s = c$.",
        "Discriminators that are not the best ones, and relativistic averages over a batch.",
    ),
)

k, j = derivation.index("k", "a point"), derivation.index("j", "a point, next to $k$")
p = derivation.law("p", k, "the data", "exp(log_probs_p)")
q = derivation.law("q", k, "the generator's samples", "exp(log_probs_q)")
s = derivation.numbers("s", k, "the discriminator's scores", "scores")
a = derivation.number("a", "the label of samples", "fake_target")
b = derivation.number("b", "the label of data", "real_target")
c = derivation.number("c", "the generator's target", "target")
t = derivation.define("t", q / (p + q), "the share of samples at a point", over=k, positive=True)
m = derivation.define("m", (p + q) / 2, "half data, half samples", over=k, law=True)
triangle = derivation.define(r"\Delta", Total(k, (p - q) ** 2 / (p + q)) / 2, "the triangular discrimination, between 0 and 1")
variation = derivation.define(r"\mathrm{TV}", Total(k, Abs(p - q)) / 2, "the total variation, between 0 and 1")
best = derivation.define("s^*", (b * p + a * q) / (p + q), "the best score for least squares", over=k)

# ---------------------------------------------------------------------------------------------------- least squares

excess = Total(k, (p + q) * (s - best) ** 2) / 2
derivation.chain(
    "The best least-squares score is the mean label at a point",
    plus(Expectation(p, (s - b) ** 2) / 2, Expectation(q, (s - a) ** 2) / 2),
    equals(plus(excess, (b - a) ** 2 / 2 * Total(k, p * q / (p + q))), "complete the square at every point"),
    equals(
        plus(excess, times((b - a) ** 2 / 4, 1 - triangle)),
        r"$\frac{pq}{p + q} = \frac{p + q}{4} - \frac{(p - q)^2}{4 (p + q)}$, and both laws sum to one",
        wrong={"no half": plus(excess, times((b - a) ** 2 / 2, 1 - triangle))},
    ),
    at_least(times((b - a) ** 2 / 4, 1 - triangle), "leave out squares, all zero for $s = s^*$ only", dropping=excess),
    so=r"The best score is $s^* = b - (b - a)\, t$: it falls with the share of samples, and takes no value outside $[a, b]$. The "
    r"discriminator's least loss measures $\Delta$, which is 0 if and only if $q = p$.",
)
derivation.chain(
    "What the generator would minimize if it had both terms of the loss",
    Total(k, (p + q) * (best - c) ** 2),
    equals(Total(k, ((b - c) * (p + q) - (b - a) * q) ** 2 / (p + q)), r"insert $s^*$, with $b p + a q = b (p + q) - (b - a) q$"),
    equals(
        plus(2 * ((a + b) / 2 - c) ** 2, (b - a) ** 2 / 2 * triangle),
        r"expand the square; $\sum_k \frac{q^2}{p + q} = \frac12 + \frac12 \Delta$",
        wrong={"the offset forgotten": (b - a) ** 2 / 2 * triangle},
    ),
    so=r"This is twice Mao's criterion. For every choice of labels it is the same divergence $\Delta$, stretched and shifted.",
)
derivation.chain(
    "At the labels of Mao's theorem this is a chi-squared divergence",
    Total(k, plus(2 * q, times(-1, p + q)) ** 2 / (p + q)),
    equals(
        2 * triangle,
        "$2 q - (p + q) = q - p$",
        wrong={"the other law in the denominator": Total(k, (2 * q - (p + q)) ** 2 / (2 * q)), "no factor 2": triangle},
    ),
    role="remark",
    so=r"For $b - c = 1$ and $b - a = 2$ the left side is the line before: Pearson's $\chi^2$ of $2q$ against $p + q$. The "
    "theorem is about a generator that descends both terms, with the best discriminator following it at every point of its "
    "path. A gradient step is not that: the discriminator is frozen, and the term of the data does not depend on the generator "
    "at all.",
)

# ---------------------------------------------------------------------------------------------------- a frozen discriminator

derivation.say(
    "So the question is what a step against a frozen discriminator descends. For every loss of single examples the cost of a "
    r"sample under the best discriminator depends on the share $t$ alone. Write it as a derivative, $\varphi(t) = f'(t/(1 - t))$."
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


derivation.chain(
    "A frozen discriminator lets the generator descend an f-divergence, if there is one",
    Total(k, change * function("f", 1)(t / (1 - t))),
    equals(Total(k, change * function("f", 1)(q / p)), r"$\frac{t}{1 - t} = \frac qp$"),
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
        r"differentiate, with $\frac{d}{du} \frac{u}{1 + u} = \frac{1}{(1 + u)^2}$",
        wrong={"labels exchanged": (a - b) * plus((c - b) * u, c - a) / (1 + u) ** 3},
    ),
    so=r"The left side is $f''(u)$. It is positive for every $u > 0$ if and only if $c \ge b$; at $u = 1$, near the solution, it "
    r"is $\frac{b - a}{4} (c - \frac{a + b}{2})$: with $c$ at the midpoint of the labels the curvature is 0 there.",
)
derivation.chain(
    "What least squares descends",
    Total(k, change * (best - c) ** 2 / 2),
    equals(
        _at_zero(plus(times(b - a, c - a, Total(k, p * log(p / middle))), -((b - a) ** 2) / 4 * triangle_moved)),
        r"integrate: $-p \log(p + q)$ has the derivative $-(1 - t)$ in $q$, and $\frac{(p - q)^2}{p + q}$ has $1 - 4 (1 - t)^2$; "
        "constants do not count, since the changes sum to zero",
        wrong={"the divergence of both terms": _at_zero((b - a) ** 2 / 4 * triangle_moved)},
    ),
    states=2,
    so=r"With $(a, b, c) = (0, 1, 1)$ the generator descends $\mathrm{KL}(p \,\|\, m) - \frac14 \Delta$, a divergence. With the "
    r"labels of the theorem, $(-1, 1, 0)$, it descends $2\,\mathrm{KL}(p \,\|\, m) - \Delta$, whose $f$ is concave for $u < 1$: "
    "a mode with too few samples costs as much as one with too many, and descent can empty it.",
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

# ---------------------------------------------------------------------------------------------------- the hinge

derivation.say(
    "The hinge, at one point with more data than samples: probabilities $w + v$ and $w$, score $x$. With less data than samples "
    "it is the same with $-x$."
)
w = derivation.number("w", "the samples' probability of a point", positive=True)
v = derivation.number("v", "by how much the data's probability is larger", positive=True)
x = derivation.number("x", "the score of the point")
lost = times(v, Max(0, 1 - x)), times(w, Max(0, x - 1)), times(w, Max(0, -1 - x))
derivation.chain(
    "Where there is more data, the best hinge score is 1",
    plus((w + v) * Max(0, 1 - x), w * Max(0, 1 + x)),
    equals(
        plus(2 * w, *lost),
        r"$\max(0, 1 - x) + \max(0, 1 + x) = 2 + \max(0, x - 1) + \max(0, -1 - x)$, with the weight $w$",
        wrong={"nothing beyond the margins": plus(2 * w, lost[0])},
    ),
    at_least(2 * w, r"leave out three terms that are never negative, all zero at $x = 1$ only", dropping=plus(*lost)),
    so=r"So the best score is $\operatorname{sign}(p - q)$, and a point costs $2 \min(p, q)$.",
)
derivation.chain(
    "The least hinge loss measures the total variation",
    Total(k, plus(p, q, -Abs(p - q))),
    equals(plus(2, -2 * variation), "both laws sum to one", wrong={"the sign": plus(2, 2 * variation)}),
    so=r"The left side is $\sum_k 2 \min(p_k, q_k)$.",
)
derivation.chain(
    "With the hinge the generator descends the total variation",
    -Total(k, change * sign(p - q)),
    equals(
        _at_zero(Total(k, Abs(moved - p))),
        r"$\frac{d}{dq} |q - p| = \operatorname{sign}(q - p)$",
        wrong={"half of it": _at_zero(Total(k, Abs(moved - p)) / 2)},
    ),
    so=r"$\sum_k |q_k - p_k| = 2\,\mathrm{TV}$, for $p \ne q$ at every point. The slope does not shrink near the solution, and "
    "at $q = p$ there is no best score: any number between the margins is as good.",
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

# ---------------------------------------------------------------------------------------------------- pairs

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
derivation.chain(
    "The relativistic loss plays the first lecture's game with pairs",
    _over_pairs(pair * log(1 + exp(-apart))),
    equals(
        plus(_over_pairs(pair * log(1 + exp(-apart))), _over_pairs(turned * log(1 + exp(apart)))) / 2,
        r"exchange the names $k$ and $j$ in half of it: $P$ becomes $Q$, and $s_k - s_j$ changes its sign",
        wrong={"the sign kept": plus(_over_pairs(pair * log(1 + exp(-apart))), _over_pairs(turned * log(1 + exp(-apart)))) / 2},
    ),
    equals(
        plus(log(2), -pairs_divergence, gaps),
        r"$-\log \sigma = -\log \varpi - \log (\sigma/\varpi)$ with the share $\varpi = P/(P + Q)$; then $-\log z = 1 - z + (z - "
        r"1 - \log z)$, and the tangents add up to zero",
        wrong={"a factor 2": plus(2 * log(2), -2 * pairs_divergence, gaps)},
    ),
    at_least(
        plus(log(2), -pairs_divergence),
        r"leave out the distances of the logarithm from its tangent, zero if and only if $\sigma(s_k - s_j) = \varpi_{kj}$",
        dropping=gaps,
    ),
    states=2,
    uses=(tangent,),
    so=r"Equality needs $s_k - s_j = \log \frac{P}{Q} = \log \frac{p_k}{q_k} - \log \frac{p_j}{q_j}$, a difference, which a "
    r"score attains: $s = \log \frac pq$ plus any constant, and nothing else. This is the Bradley-Terry model of comparisons.",
)
derivation.symbol(r"\varpi", "the share of $P$ in both")
derivation.symbol(r"\sigma", "the sigmoid")


def _mean_over_pairs(p, q, scores):
    """E over k ~ p and j ~ q, by the code's loss of one pair."""
    losses = relativistic_discriminator_loss(jnp.repeat(scores, len(p)), jnp.tile(scores, len(p)))
    return jnp.sum(jnp.outer(p, q).ravel() * losses)


derivation.bridge(
    "The code's loss, averaged over all pairs",
    _over_pairs(pair * log(1 + exp(-apart))),
    _mean_over_pairs,
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
    "Its slope in the score of a sure fake does not vanish",
    Limit(Slope(log(1 + exp(real - fake)), fake), fake, -oo),
    equals(
        Limit(-1 / (1 + exp(fake - real)), fake, -oo),
        r"the chain rule: $-\sigma(r - y)$, for the generator, which exchanges the two",
    ),
    equals(-1, "the exponential tends to 0"),
    so=r"For $y \to -\infty$ the slope of the minimax loss tends to 0, those of the non-saturating and the relativistic one to "
    "$-1$; the hinge's is $-1$ everywhere, and that of least squares, $y - c$, grows without bound.",
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_given = {p: (0.5, 0.25, 0.25), q: (0.25, 0.25, 0.5)}
_classic, _mao = {a: 0, b: 1, c: 1}, {a: -1, b: 1, c: 0}


@derivation.example(
    r"Three points, $p = (\frac12, \frac14, \frac14)$ and $q = (\frac14, \frac14, \frac12)$. Last, the slope of the generator's "
    "least-squares loss at a very bad fake, without and with a sigmoid before the square."
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


@functools.cache
def _flow(fake_target, real_target, target, steps=400):
    """The samples' law on three points under descent of frozen costs, from (0.3, 0.3, 0.4): [steps + 1, 3]."""
    data = jnp.array([0.5, 0.25, 0.25])

    def advance(samples, _):
        scores = (real_target * data + fake_target * samples) / (data + samples)
        weights = samples * jnp.exp(-least_squares_generator_loss(scores, target=target))
        return weights / weights.sum(), samples

    last, path = jax.lax.scan(advance, jnp.array([0.3, 0.3, 0.4]), length=steps)
    return np.append(np.asarray(path), np.asarray(last)[None], axis=0)


@derivation.exact(
    r"q \to (\tfrac12, \tfrac14, \tfrac14) \text{ for } (0, 1, 1),\qquad q \to (0, \tfrac12, \tfrac12) \text{ for } (-1, 1, 0)",
    because=r"400 steps, $q \propto q e^{-\varphi}$, from $q = (0.3, 0.3, 0.4)$, for $p = (\frac12, \frac14, \frac14)$. With the "
    "labels of the theorem the first point, which has too few samples, loses them all.",
    outcomes=6,
    scale=1.0,
)
def two_flows():
    found = np.stack([_flow(0.0, 1.0, 1.0)[-1], _flow(-1.0, 1.0, 0.0)[-1]])
    wanted = np.array([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    return Sides(left=found, right=wanted, wrong={"both end at the data": wanted[[0, 0]]})


@derivation.figure(
    "Left: the cost of a sample under the best discriminator against the share of samples, up to a constant that makes it 0 at "
    r"$t = \frac12$; the cost of $(-1, 1, 0)$ is the only one that falls, left of $\frac12$. Right: the probability of the first "
    r"point under descent of frozen costs; the data have $p_1 = \frac12$.",
    panels=2,
)
def costs_and_flows(left, right):
    shares = jnp.linspace(0.04, 0.96, 93)
    logits = jnp.log(1 / shares - 1)
    curves = {
        "minimax": minimax_generator_loss(logits),
        "non-saturating": non_saturating_generator_loss(logits),
        "hinge": hinge_generator_loss(jnp.sign(1 - 2 * shares)),
        "squares (0, 1, 1)": least_squares_generator_loss(1 - shares, target=1.0),
        "squares (-1, 1, 0)": least_squares_generator_loss(1 - 2 * shares, target=0.0),
    }
    for label, costs in curves.items():
        left.plot(shares, costs - costs[46], label=label, linewidth=1)
    left.set(xlabel="share of samples $t$", ylabel="cost of a sample", ylim=(-2, 2))
    left.legend(fontsize="x-small")
    for labels in ((0.0, 1.0, 1.0), (-1.0, 1.0, 0.0)):
        right.plot(_flow(*labels)[:, 0], label="({:g}, {:g}, {:g})".format(*labels))
    right.axhline(0.5, linestyle="--", color="gray")
    right.set(xlabel="step", ylabel="$q_1$")
    right.legend()


@derivation.exercise(
    "The labels are $a = 0$ and $b = 1$. For which targets $c$ does the solution $q = p$ attract a generator that descends "
    "frozen costs? What is $f''(1)$ at $c = 1$?",
    r"$f''(1) = \frac14 (c - \frac12)$ must be positive: $c > 1/2$. At $c = 1$ it is 1/8; the divergence is convex everywhere "
    r"for $c \ge 1$.",
)
def attracting_targets():
    def curvature(target):
        cost = lambda ratio: least_squares_generator_loss((1 - ratio / (1 + ratio))[None], target=target)[0]  # noqa: E731
        return jax.grad(cost)(jnp.array(1.0))

    yield 0.5 - curvature(0.5) * 4, "1/2"
    yield curvature(1.0), "1/8"


@derivation.exercise(
    r"Data $p = (\frac12, \frac12)$, and a generator that has collapsed to the first point. What is the Jensen-Shannon "
    "divergence of the points, and what is that of the pairs?",
    r"0.2158 for the points (the first lecture). For the pairs $P$ is $(\frac12, 0, \frac12, 0)$ on $(11, 12, 21, 22)$ and $Q$ "
    r"is $(\frac12, \frac12, 0, 0)$: half of each can be told for sure, and the divergence is $\frac12 \log 2$, 0.3466.",
)
def collapsed():
    data, samples = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])
    yield jensen_shannon_divergence(jnp.log(data)[None], jnp.log(samples)[None]), "0.2158"
    both = jnp.log(jnp.outer(data, samples))
    yield jensen_shannon_divergence(both.reshape(1, 4), both.T.reshape(1, 4)), "0.3466"


@derivation.exercise(
    "A relativistic discriminator gives an image the score 3. Is the image real? What are its losses for the pairs of scores "
    "$(3, 1)$, $(103, 101)$ and $(1, 3)$?",
    "One score alone says nothing, since the loss does not change when a constant is added to all of them: 0.1269 and 0.1269. "
    "Only exchanging the two matters: 2.1269, which is more by the difference of the scores.",
)
def scores_without_a_zero():
    losses = relativistic_discriminator_loss(jnp.array([3.0, 103.0, 1.0]), jnp.array([1.0, 101.0, 3.0]))
    yield losses[:2], "0.1269 and 0.1269"
    yield losses[2], "2.1269"
