"""An f-divergence is what the best critic earns.

The lecture on the functions of theory_jax/foundations/variational_divergence.py.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Matrix, exp, log, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.derivation.unspecified import function
from theory_jax.foundations.f_divergence import f_divergence, f_generator_derivative
from theory_jax.foundations.fenchel_conjugate import output_activation
from theory_jax.foundations.variational_divergence import (
    donsker_varadhan_bound,
    exact_variational_bound,
    log_ratio_from_critic,
    variational_gap,
    variational_lower_bound,
)
from theory_jax.lectures.foundations._critics import ascend, draw_estimates, draw_gaps
from theory_jax.lectures.foundations.f_divergence import convex
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="An f-divergence is what the best critic earns",
    lectures=(3,),
    sources=(
        "Nguyen, Wainwright & Jordan 2010, Estimating divergence functionals and the likelihood ratio by convex risk "
        "minimization",
        "Nowozin, Cseke & Tomioka 2016, eqs. 4-5",
        "Donsker & Varadhan 1983; Belghazi et al. 2018, Mutual Information Neural Estimation; Poole et al. 2019",
    ),
    question="Two piles of samples are given and no densities: the formula of a divergence cannot be evaluated, and a histogram "
    "fails in more than a few dimensions. An f-divergence is defined by a density ratio. How can it be estimated from samples "
    "only, and how far can such an estimate be trusted?",
    setting=(
        "$p$ and $q$ are distributions on finitely many points, positive in the chains below; samples of both can be drawn, but "
        "neither probability is known. $f$ is a generator, $B_f(u, a)$ its height above the tangent at $a$, never negative, and "
        "$f^*(t)$ its conjugate, the supremum of $u t - f(u)$ over all $u$ from 0 on, finite on its domain.",
        r"A critic gives every point a value $T_k$ in that domain. A value between $f'(0)$ and $f'(\infty)$ is the slope of $f$ "
        "at one ratio $w_k$: the critic claims that $p_k/q_k$ is $w_k$. Then $f^*(T_k)$ is $w_k T_k - f(w_k)$ (the lecture on "
        "conjugates). Smaller values, on the flat part of $f^*$, are never better than $f'(0)$.",
        r"Where only the data have mass, the bound below holds if the divergence counts such points by $f'(\infty)$.",
    ),
    limits=(
        "What a network class of a given size reaches: the bound is attained by an arbitrary function.",
        "Overfitting of a critic to its sample: on the sample on which it was trained the estimate is no lower bound.",
        "The variance is computed at the best critic; of other critics only the bias is.",
    ),
)

k = derivation.index("k", "a point")
j = derivation.index("j", "a point, next to $k$")
p = derivation.law("p", k, "the distribution of the data", "exp(log_probs_p)")
q = derivation.law("q", k, "the distribution of the model", "exp(log_probs_q)")
f = derivation.function("f", "a smooth, strictly convex generator", "f_generator")
slope, bend = function("f", 1), function("f", 2)
w = derivation.numbers("w", k, "the ratio that the critic claims", "exp(log_ratio_from_critic)", positive=True)
T = derivation.define("T", slope(w), "the critic", "critic", over=k)
price = derivation.define(
    "f^*(T_{{{}}})", w * slope(w) - f(w), "the conjugate at the critic's value", "fenchel_conjugate", over=k
)
divergence = derivation.define("D_f", Expectation(q, f(p / q)), "the f-divergence of $p$ from $q$", "f_divergence")
bound = derivation.define(
    "F", plus(Expectation(p, T), -Expectation(q, price)), "the bound of a critic", "exact_variational_bound"
)
derivation.symbol("B_f", "the height of $f$ above a tangent")

central = derivation.chain(
    "Every critic gives a lower bound",
    divergence,
    equals(
        Expectation(q, plus(f(w), times(slope(w), p / q - w), convex.at(p / q, w))),
        r"$f(p_k/q_k)$ is the tangent at $w_k$ plus the height above it",
        wrong={"the ratio turned over": Expectation(q, plus(f(w), times(slope(w), q / p - w), convex.at(q / p, w)))},
    ),
    equals(
        Expectation(q, plus(times(p / q, T), -price, convex.at(p / q, w))),
        prose("{value}", value=holds(price, "=", plus(times(w, T), -f(w)), wrong={"the sign": plus(f(w), -times(w, T))})),
    ),
    equals(
        plus(Expectation(p, T), -Expectation(q, price), Expectation(q, convex.at(p / q, w))),
        prose("{first}: the first mean is one over the data", first=holds(times(q, p / q), "=", p)),
        wrong={
            "the distributions exchanged": plus(Expectation(q, T), -Expectation(p, price), Expectation(q, convex.at(p / q, w))),
            "the gap under the data": plus(Expectation(p, T), -Expectation(q, price), Expectation(p, convex.at(p / q, w))),
        },
    ),
    at_least(
        bound,
        prose(
            "leave out the mean height, which is never negative; equality if and only if {claim} for every $k$",
            claim=where(w, p / q),
        ),
        dropping=Expectation(q, convex.at(p / q, w)),
    ),
    central=True,
    so="The best critic is $f'$ of the density ratio. Only means over $p$ and over $q$ are left, and means can be estimated "
    "from samples.",
)
u = derivation.number("u", "a density ratio", positive=True)
v = derivation.number("v", "a claimed ratio", positive=True)
derivation.chain(
    "The gap is a Bregman divergence of the conjugate",
    plus(v * slope(v) - f(v), -(u * slope(u) - f(u)), -times(u, slope(v) - slope(u))),
    equals(plus(f(u), -f(v), -times(slope(v), u - v)), r"the terms with $f'(u)$ cancel"),
    equals(convex.at(u, v), r"the definition of $B_f$", wrong={"the arguments exchanged": convex.at(v, u)}),
    role="lemma",
    so=r"The first line is how far $f^*$ is, at $f'(v)$, above its tangent at the best value $T^\circ$, which is $f'(u)$.",
)
derivation.symbol(r"T^\circ", "the best critic")
_GAP = Expectation(q, convex.at(p / q, w))
derivation.answer = prose(
    "For every critic $T$ with values in the domain of $f^*$ the bound {bound} is at most the divergence. Both terms are means, "
    "so samples are enough. What is missing is the mean height of the generator above its tangents at the claimed ratios, "
    "{gap}; for a strictly convex $f$ it is zero only for the critic $f'(p/q)$, so the best critic is an estimate of the "
    "density ratio. The estimate with a logarithm of a mean, Donsker and Varadhan's, is too large on average.",
    bound=plus(Expectation(p, T), -Expectation(q, price)),
    gap=holds(divergence - bound, "=", _GAP, wrong={"under the data": Expectation(p, convex.at(p / q, w))}),
)
gradient = derivation.chain(
    "The gradient of the bound at a point is data minus claimed data",
    Slope(bound, w.at(j)) / bend(w.at(j)),
    equals(
        plus(p.at(j), -times(q.at(j), w.at(j))),
        r"$\partial T_j$ is $f''(w_j)\, \partial w_j$, and the slope of $f^*$ at $T_j$ is $w_j$",
        wrong={"the conjugate itself": plus(p.at(j), -times(q.at(j), price.at(j)))},
    ),
    so=prose(
        "It is {none} for a critic that claims the true ratio: a critic that is trained on the bound learns the density ratio. "
        "A change of $T_j$ changes $w_j$ by $1/f''(w_j)$ times as much, so near the best critic the gap is to second order "
        r"$\frac12 \sum_j q_j (T_j - T_j^\circ)^2 / f''(p_j/q_j)$: quadratic in the critic's error.",
        none=holds(plus(p, -times(q, w)), "=", 0, when={w: p / q}, named=True),
    ),
)


t = derivation.numbers("t", k, "an unrestricted critic, for Kullback-Leibler", "critic")
Z = derivation.define("Z", Expectation(q, exp(t)), "its normalizer", positive=True)
tilted = derivation.define("q^t", q * exp(t) / Z, "$q$, tilted by the critic", over=k, law=True)
nwj = derivation.define(
    r"\mathrm{NWJ}", plus(Expectation(p, t), -Expectation(q, exp(t - 1))), "the bound $F$ for Kullback-Leibler"
)
dv = derivation.define(
    r"\mathrm{DV}", plus(Expectation(p, t), -log(Z)), "the bound of Donsker and Varadhan", "donsker_varadhan_bound"
)
derivation.say(
    r"For Kullback-Leibler $f(u)$ is $u \log u$ and $f^*(t)$ is $e^{t-1}$, and every real number is admissible. The bound is "
    "named after Nguyen, Wainwright and Jordan. Adding a constant to the critic changes it; the best constant gives an older "
    "bound."
)
c = derivation.number("c", "a constant that is added to the critic")
ratio = exp(c - 1) * Z
donsker_varadhan = derivation.chain(
    "The best shift of a critic turns the bound into Donsker and Varadhan's",
    plus(Expectation(p, t + c), -Expectation(q, exp(t + c - 1))),
    equals(plus(Expectation(p, t), c, -times(exp(c - 1), Z)), r"a constant is its own mean, and a factor can be taken out"),
    equals(
        plus(dv, -tangent.at(ratio)),
        prose(
            "take out the gap of the logarithm at $r$: {shift}",
            shift=holds(plus(c, -ratio), "=", plus(-log(Z), -plus(ratio, -1, -log(ratio)))),
        ),
        wrong={"the mean of the logarithm": plus(Expectation(p, t), -Expectation(q, t), -tangent.at(ratio))},
    ),
    at_most(dv, prose("add this gap; equality if and only if {best}", best=where(c, 1 - log(Z))), adding=tangent.at(ratio)),
    states=2,
    role="lemma",
)
derivation.symbol("r", "$e^{c-1} Z$")
derivation.chain(
    "What Donsker and Varadhan's bound leaves out is a divergence",
    Divergence(p, q),
    equals(Expectation(p, plus(log(p / tilted), log(tilted / q))), r"multiply and divide by $q^t_k$"),
    equals(plus(Divergence(p, tilted), dv), prose("{it}", it=holds(log(tilted / q), "=", plus(t, -log(Z))))),
    at_least(dv, "Gibbs' inequality; equality if and only if the tilted distribution is $p$", dropping=gibbs.at(p, tilted)),
    states=2,
    uses=(donsker_varadhan,),
    so=prose("So {nwj} and {dv} for every critic.", nwj=holds(nwj, "<=", dv), dv=holds(dv, "<=", Divergence(p, q))),
)

derivation.say(
    "From samples both expectations are replaced by means. A mean is unbiased. The logarithm of a mean is not, by Jensen's "
    "inequality, and a normalizer has a variance that grows exponentially with the divergence."
)
derivation.chain(
    "At the best critic the normalizer's variance is Pearson's divergence",
    Variance(q, p / q),
    equals(plus(Expectation(q, (p / q) ** 2), -1), prose("{one}", one=holds(Expectation(q, p / q), "=", 1))),
    equals(Total(k, (p - q) ** 2 / q), r"expand the square", wrong={"divided by the data": Total(k, (p - q) ** 2 / p)}),
    states=2,
    role="remark",
    so=r"The lecture on f-divergences showed that this is at least $e^{\mathrm{KL}} - 1$: for a fixed relative "
    r"error the sample must grow at least like $e^{\mathrm{KL}}$.",
)
x = derivation.number("x", "a number on the line")
mu = derivation.number(r"\mu", "the distance of two Gaussians")
derivation.chain(
    "For two Gaussians the normalizer's variance grows even faster",
    plus(Expectation(Normal(x, 0, 1), exp(2 * (mu * x - mu**2 / 2))), -1),
    equals(
        exp(mu**2) - 1,
        prose(
            r"the ratio of the densities is $e^{\mu x - \mu^2/2}$, and {moment}",
            moment=holds(Expectation(Normal(x, 0, 1), exp(2 * mu * x)), "=", exp(2 * mu**2)),
        ),
        wrong={"the square forgotten": exp(mu**2 / 2) - 1},
    ),
    role="remark",
    uses=(gaussian_divergence,),
    so=prose(
        r"The divergence is {kl}, so the variance is $e^{2 \mathrm{KL}} - 1$.",
        kl=holds(Divergence(Normal(x, mu, 1), Normal(x, 0, 1)), "=", mu**2 / 2, named=True, wrong={"not halved": mu**2}),
    ),
)
k1 = derivation.index("k_1", "a first sample of $q$")
k2 = derivation.index("k_2", "a second sample")
mean = derivation.define(
    "m({},{})", (exp(t.at(k1)) + exp(t.at(k2))) / 2, "the normalizer of two samples", over=(k1, k2), positive=True
)
derivation.chain(
    "Donsker and Varadhan's estimate is too large on average",
    plus(log(Z), -Expectation(q.at(k1), Expectation(q.at(k2), log(mean)))),
    equals(Expectation(q.at(k1), Expectation(q.at(k2), plus(mean / Z - 1, -log(mean / Z)))), "$m/Z$ has mean 1"),
    at_least(
        0,
        prose("the logarithm is below its tangent; equality if and only if the critic is constant, {one}", one=where(t, t.at(0))),
        dropping=Expectation(q.at(k1), Expectation(q.at(k2), tangent.at(mean / Z))),
    ),
    states=2,
    so="For two samples, and by the same line for any number of them: the estimate subtracts too little. It may exceed the "
    "divergence that it is meant to bound, and at the best critic its mean always does unless $p$ and $q$ are equal.",
)
_pair = np.array([0.75, 0.25]), np.array([0.5, 0.5])
_best = np.log(_pair[0] / _pair[1])
_nwj_estimate = functools.partial(variational_lower_bound, divergence="kl")


def _mean_estimate(estimate, critic_p, critic_q, size):
    """The mean of an estimate over every minibatch of one draw from p and `size` draws from q."""
    states = np.array(list(itertools.product(range(2), repeat=1 + size)))
    probabilities = _pair[0][states[:, 0]] * _pair[1][states[:, 1:]].prod(axis=1)
    estimates = jnp.stack([estimate(critic_p[row[:1]], critic_q[row[1:]]) for row in states])
    return probabilities @ estimates


@derivation.exact(
    r"\mathbb{E}\left[\mathrm{NWJ}_M\right] = \mathrm{NWJ},\qquad \mathbb{E}\left[\mathrm{DV}_M\right] > \mathrm{KL} "
    r"\quad\text{at the best critic}",
    because="Every minibatch of one, two and four samples of $q$, which is $(0.5, 0.5)$, and one of $p$, which is $(0.75, "
    "0.25)$, with the best critic. The first estimate has the mean 0.1308 at every size, which is the divergence. The second "
    "has the means 0.2747, 0.2027 and 0.1649. For one sample it is the mean of the logarithm.",
    outcomes=2 * (4 + 8 + 32),
    role="remark",
)
def the_bias_of_minibatches():
    critic = jnp.asarray(_best)
    unbiased = [_mean_estimate(_nwj_estimate, 1 + critic, 1 + critic, size) for size in (1, 2, 4)]
    biased = [_mean_estimate(donsker_varadhan_bound, critic, critic, size) for size in (1, 2, 4)]
    kl = _pair[0] @ _best
    by_count = [  # c of the m draws are the first point, where the ratio is 3/2; at the second it is 1/2
        kl - sum(math.comb(m, c) / 2**m * math.log((c + m / 2) / m) for c in range(m + 1)) for m in (1, 2, 4)
    ]
    return Sides(left=jnp.stack(unbiased + biased), right=np.array([kl] * 3 + by_count), wrong={"no bias": np.full(6, kl)})


derivation.symbol(r"\mathrm{NWJ}_M", "the estimate with means over samples in place of expectations", "variational_lower_bound")
derivation.symbol(r"\mathrm{DV}_M", "the same of Donsker and Varadhan's bound", "donsker_varadhan_bound")

derivation.bridge(
    "The code computes the bound",
    nwj,
    exact_variational_bound,
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    critic=[t],
    divergence="kl",
    wrong={
        "the conjugate without the -1": plus(Expectation(p, t), -Expectation(q, exp(t))),
        "the conjugate on the data": plus(Expectation(q, t), -Expectation(p, exp(t - 1))),
    },
)
hellinger = plus(Expectation(q, (sqrt(p / q) - 1) ** 2), -Expectation(p, 1 - 1 / sqrt(w)), Expectation(q, sqrt(w) - 1))
derivation.bridge(
    "... and the gap, here for Hellinger and a critic that claims the ratios w",
    hellinger,
    variational_gap,
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    critic=[1 - 1 / sqrt(w)],
    divergence="squared_hellinger",
)
i = derivation.index("i", "a sample of the data")
o = derivation.index("o", "a sample of the model")
s = derivation.numbers("s", i, "the critic's values at the data's sample", "critic_p")
g = derivation.numbers("g", o, "the critic's values at the model's sample", "critic_q")
N = derivation.count(i, "N", "how many samples of the data there are")
M = derivation.count(o, "M", "how many samples of the model there are")
derivation.bridge(
    "... and its estimate from samples",
    plus(Total(i, s) / N, -Total(o, exp(g - 1)) / M),
    variational_lower_bound,
    critic_p=s,
    critic_q=g,
    divergence="kl",
    sizes={i: 3, o: 5},
    wrong={"the size of the other sample": plus(Total(i, s) / N, -Total(o, exp(g - 1)) / N)},
)
derivation.bridge(
    "... and Donsker and Varadhan's",
    plus(Total(i, s) / N, -log(Total(o, exp(g)) / M)),
    donsker_varadhan_bound,
    critic_p=s,
    critic_q=g,
    sizes={i: 3, o: 5},
    wrong={"the logarithm inside the mean": plus(Total(i, s) / N, -Total(o, g) / M)},
)
_rows = {"kl": 1 + log(u), "reverse_kl": -1 / u, "pearson_chi_squared": 2 * (u - 1), "gan": log(u / (1 + u))}


def _log_ratios(critics):
    return jnp.stack([log_ratio_from_critic(critic, divergence=name) for name, critic in zip(_rows, critics, strict=True)])


derivation.bridge(
    "... and the ratio that a critic claims, for Kullback-Leibler, its reverse, Pearson and the GAN",
    Matrix([log(u)] * 4),
    _log_ratios,
    critics=[[value] for value in _rows.values()],
    calls=(log_ratio_from_critic,),
    wrong={"the ratio itself": Matrix([u] * 4)},
)

_normals = jnp.array(np.random.default_rng(3).normal(size=(3, 8, 5)))
_log_p, _log_q = jax.nn.log_softmax(_normals[:2])
_raw = _normals[2]  # what a network puts out; the output map makes it an admissible critic


@derivation.bound(
    r"\mathbb{E}_p[T] - \mathbb{E}_q[f^*(T)] \le D_f(p \,\|\, q)",
    because="Five rows of the table, total variation among them, with eight pairs of distributions and critics of random values "
    "in the domain. It is tight at the best critic.",
    role="remark",
    uses=(central,),
)
def rows_of_the_table():
    def sides(shift):
        below, above = [], []
        for name in ("total_variation", "kl", "reverse_kl", "squared_hellinger", "gan"):
            row = {"divergence": name}
            best = f_generator_derivative((_log_p - _log_q).ravel(), **row)
            raw = output_activation(_raw.ravel(), **row)
            critic = (raw if shift else best).reshape(_raw.shape)
            below.append(exact_variational_bound(_log_p, _log_q, critic, **row))
            above.append(f_divergence(_log_p, _log_q, **row))
        return jnp.stack(below), jnp.stack(above)

    wrong = {"nine tenths of the divergence": lambda shift: (sides(shift)[0], sides(shift)[1] - 0.1 * jnp.abs(sides(shift)[1]))}
    return BoundSides(sides=sides, points=(True,), tight=(False,), wrong=wrong)


_given = {p: (0.75, 0.25), q: (0.5, 0.5)}


@derivation.algorithm(
    "Estimate a divergence, and the density ratio",
    do(
        "repeat: draw samples of $p$ and of $q$; the critic's values at them are $T = g_f(v)$, with an output map into the "
        "domain",
        output_activation,
    ),
    do(r"ascend the gradient of $\frac1N \sum_i T_i - \frac1M \sum_o f^*(T_o)$", variational_lower_bound, by=central),
    do(r"claim the ratio $w = (f^*)'(T)$", log_ratio_from_critic, by=gradient),
)
def two_ascents():
    yield from ascend(output_activation, variational_lower_bound, log_ratio_from_critic)


@derivation.example(
    "The data have the probabilities 0.75 and 0.25, the model has twice 0.5. The critic with the values 1 and 0 says no more "
    "than which point the data prefer."
)
def two_points():
    given = _given | {t: (1, 0)}
    yield nwj, value(nwj, given), "0.0661"
    yield dv, value(dv, given), "0.1299"
    yield Divergence(p, q), value(Divergence(p, q), given), "0.1308"
    yield tilted, value(tilted, given), "(0.7311, 0.2689)"
    yield r"1 + \log \frac{p_k}{q_k}", value(1 + log(p / q), given), "(1.4055, 0.3069)"
    yield r"\mathrm{NWJ} \text{ at } t = (1, 1)", value(nwj, _given | {t: (1, 1)}), "0"


@derivation.figure(
    r"Left: the gap of the bound when the best critic is moved by $\varepsilon (1, -2)$, in the example: parabolas that touch "
    "0. Right: estimates of a divergence of 2 nats (dashed) between two Gaussians at distance 2, with the best critic and $M$ "
    "samples of the model: mean and standard deviation of 30 estimates.",
    panels=2,
)
def gaps_and_estimates(left, right):
    draw_gaps(left, variational_gap)
    draw_estimates(right, _nwj_estimate, donsker_varadhan_bound)
