"""An f-divergence is what the best critic earns.

The lecture on the functions of theory_jax/foundations/variational_divergence.py.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Matrix, exp, log, solve, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
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
    question="An f-divergence is defined by a density ratio. How can it be estimated when both distributions are known by "
    "samples only, and how far can such an estimate be trusted?",
    setting=(
        r"$p$ and $q$ are distributions on finitely many points, positive in the chains below; samples of both can be drawn, "
        r"but neither probability is known. $f$ is a generator, $B_f(u, a) \ge 0$ its height above the tangent at $a$, and "
        r"$f^*(t) = \sup_{u \ge 0} (u t - f(u))$ its conjugate, finite on the domain of $f^*$.",
        r"A critic gives every point a value $T_k$ in that domain. A value between $f'(0)$ and $f'(\infty)$ is the slope of "
        r"$f$ at one ratio $w_k$, $T_k = f'(w_k)$: the critic claims that $p_k/q_k = w_k$. Then $f^*(T_k) = w_k T_k - f(w_k)$ "
        r"(the lecture on conjugates). Smaller values, on the flat part of $f^*$, are never better than $f'(0)$.",
        r"Where $q_k = 0 < p_k$ the bound below holds if the divergence counts such points by $f'(\infty)$.",
    ),
    answer=r"$D_f(p \,\|\, q) \ge \mathbb{E}_p[T] - \mathbb{E}_q[f^*(T)]$ for every critic. Both terms are means, so samples "
    r"are enough. What is missing is the mean height of the generator above its tangents at the claimed ratios; it is zero for "
    r"the critic $T = f'(p/q)$, so the best critic is an estimate of the density ratio.",
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
        Expectation(q, plus(times(p / q, T), -price, convex.at(p / q, w))), r"$T_k = f'(w_k)$ and $f^*(T_k) = w_k T_k - f(w_k)$"
    ),
    equals(
        plus(Expectation(p, T), -Expectation(q, price), Expectation(q, convex.at(p / q, w))),
        r"$q_k\, p_k/q_k = p_k$: the first mean is one over the data",
        wrong={
            "the distributions exchanged": plus(Expectation(q, T), -Expectation(p, price), Expectation(q, convex.at(p / q, w))),
            "the gap under the data": plus(Expectation(p, T), -Expectation(q, price), Expectation(p, convex.at(p / q, w))),
        },
    ),
    at_least(bound, "leave out the mean height, which is never negative", dropping=Expectation(q, convex.at(p / q, w))),
    central=True,
    so=r"Equality holds if and only if $w_k = p_k/q_k$ at every point, that is for $T_k = f'(p_k/q_k)$. Only means over $p$ "
    r"and over $q$ are left, and means can be estimated from samples.",
)
u = derivation.number("u", "a density ratio", positive=True)
v = derivation.number("v", "a claimed ratio", positive=True)
derivation.chain(
    "The gap is a Bregman divergence of the conjugate",
    plus(v * slope(v) - f(v), -(u * slope(u) - f(u)), -times(u, slope(v) - slope(u))),
    equals(plus(f(u), -f(v), -times(slope(v), u - v)), r"the terms with $f'(u)$ cancel"),
    equals(convex.at(u, v), r"the definition of $B_f$", wrong={"the arguments exchanged": convex.at(v, u)}),
    role="lemma",
    so=r"The first line is $f^*(T) - f^*(T^\circ) - (f^*)'(T^\circ)(T - T^\circ)$ with $T = f'(v)$ and the best value $T^\circ "
    r"= f'(u)$, where the slope of the conjugate is $u$: how far $f^*$ is above its tangent at the best value.",
)
derivation.symbol(r"T^\circ", "the best critic")
derivation.chain(
    "The gradient of the bound at a point is data minus claimed data",
    Slope(bound, w.at(j)) / bend(w.at(j)),
    equals(
        plus(p.at(j), -times(q.at(j), w.at(j))),
        r"$\partial T_j$ is $f''(w_j)\, \partial w_j$, and the slope of $f^*$ at $T_j$ is $w_j$",
        wrong={"the conjugate itself": plus(p.at(j), -times(q.at(j), price.at(j)))},
    ),
    so=r"It is zero where $w_j = p_j/q_j$: a critic that is trained on the bound learns the density ratio. A change of $T_j$ "
    r"changes $w_j$ by $1/f''(w_j)$ times as much, so near the best critic the gap is $\frac12 \sum_j q_j (T_j - T_j^\circ)^2 "
    r"/ f''(p_j/q_j)$: quadratic in the critic's error.",
)
a = derivation.number("a", "a ratio that is claimed everywhere", positive=True)
derivation.chain(
    "A critic that is constant reaches f(1) and no more",
    plus(slope(a), -(a * slope(a) - f(a))),
    equals(
        plus(f(1), -convex.at(1, a)),
        r"the definition of $B_f(1, a)$",
        wrong={"the arguments exchanged": plus(f(1), -convex.at(a, 1))},
    ),
    at_most(f(1), r"add the height, which is zero at $a = 1$", adding=convex.at(1, a)),
    role="remark",
    so=r"A class of critics that cannot tell any two points apart sees no difference between $p$ and $q$: the price of a "
    r"restricted class is a weaker bound, never a false one.",
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
    r"For Kullback-Leibler $f(u) = u \log u$ and $f^*(t) = e^{t-1}$, and every real number is admissible. The bound is named "
    r"after Nguyen, Wainwright and Jordan. Adding a constant to the critic changes it; the best constant gives an older bound."
)
c = derivation.number("c", "a constant that is added to the critic")
ratio = exp(c - 1) * Z
donsker_varadhan = derivation.chain(
    "The best shift turns it into Donsker and Varadhan's bound",
    plus(Expectation(p, t + c), -Expectation(q, exp(t + c - 1))),
    equals(plus(Expectation(p, t), c, -times(exp(c - 1), Z)), r"a constant is its own mean, and a factor can be taken out"),
    equals(
        plus(dv, -tangent.at(ratio)),
        r"with $r = e^{c-1} Z$, $c = 1 + \log r - \log Z$, so $c - r = -\log Z - (r - 1 - \log r)$",
        wrong={"the mean of the logarithm": plus(Expectation(p, t), -Expectation(q, t), -tangent.at(ratio))},
    ),
    at_most(dv, r"add the gap of the logarithm, which is zero for $r = 1$, that is $c = 1 - \log Z$", adding=tangent.at(ratio)),
    states=2,
)
derivation.symbol("r", "$e^{c-1} Z$")
derivation.chain(
    "What Donsker and Varadhan's bound leaves out is a divergence",
    Divergence(p, q),
    equals(Expectation(p, plus(log(p / tilted), log(tilted / q))), r"multiply and divide by $q^t_k$"),
    equals(plus(Divergence(p, tilted), dv), r"$\log(q^t_k/q_k) = t_k - \log Z$"),
    at_least(dv, "Gibbs' inequality; equality if and only if the tilted distribution is $p$", dropping=gibbs.at(p, tilted)),
    states=2,
    uses=(donsker_varadhan,),
    so=r"So $\mathrm{NWJ} \le \mathrm{DV} \le \mathrm{KL}(p \,\|\, q)$ for every critic.",
)

derivation.say(
    r"From samples both expectations are replaced by means. A mean is unbiased. The logarithm of a mean is not, by Jensen's "
    r"inequality, and a normalizer has a variance that grows exponentially with the divergence."
)
derivation.chain(
    "At the best critic the normalizer's variance is Pearson's divergence",
    Variance(q, p / q),
    equals(plus(Expectation(q, (p / q) ** 2), -1), r"$\mathbb{E}_q[p_k/q_k] = 1$"),
    equals(Total(k, (p - q) ** 2 / q), r"expand the square", wrong={"divided by the data": Total(k, (p - q) ** 2 / p)}),
    states=2,
    so=r"The lecture on f-divergences showed that this is at least $e^{\mathrm{KL}} - 1$: for a fixed relative error the "
    r"sample must grow at least like $e^{\mathrm{KL}}$.",
)
x = derivation.number("x", "a number on the line")
mu = derivation.number(r"\mu", "the distance of two Gaussians")
derivation.chain(
    "For two Gaussians it grows even faster",
    plus(Expectation(Normal(x, 0, 1), exp(2 * (mu * x - mu**2 / 2))), -1),
    equals(
        exp(mu**2) - 1,
        r"the ratio of the densities is $e^{\mu x - \mu^2/2}$, and $\mathbb{E}\, e^{2\mu x} = e^{2\mu^2}$ under a standard "
        r"Gaussian",
        wrong={"the square forgotten": exp(mu**2 / 2) - 1},
    ),
    role="remark",
    uses=(gaussian_divergence,),
    so=r"The divergence is $\mathrm{KL} = \mu^2/2$, so the variance is $e^{2 \mathrm{KL}} - 1$.",
)
k1 = derivation.index("k_1", "a first draw from $q$")
k2 = derivation.index("k_2", "a second draw")
mean = derivation.define(
    "m({},{})", (exp(t.at(k1)) + exp(t.at(k2))) / 2, "the normalizer of two draws", over=(k1, k2), positive=True
)
derivation.chain(
    "Donsker and Varadhan's estimate is too large on average",
    plus(log(Z), -Expectation(q.at(k1), Expectation(q.at(k2), log(mean)))),
    equals(Expectation(q.at(k1), Expectation(q.at(k2), plus(mean / Z - 1, -log(mean / Z)))), r"$m/Z$ has mean 1"),
    at_least(
        0,
        r"the logarithm is below its tangent; equality if and only if the critic is constant",
        dropping=Expectation(q.at(k1), Expectation(q.at(k2), tangent.at(mean / Z))),
    ),
    states=2,
    so=r"For two draws, and by the same line for any number of them: the estimate subtracts too little. It may exceed the "
    r"divergence that it is meant to bound, and at the best critic its mean always does unless $p = q$.",
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
    because=r"Every minibatch of one, two and four draws from $q = (0.5, 0.5)$ and one from $p = (0.75, 0.25)$, with the best "
    r"critic. The first estimate has the mean 0.1308 at every size, which is the divergence. The second has the means 0.2747, "
    r"0.2027 and 0.1649. For one draw it is the mean of the logarithm.",
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

_random = np.random.default_rng(3)
_log_p, _log_q = (jax.nn.log_softmax(jnp.array(_random.normal(size=(8, 5)))) for _ in range(2))
_raw = jnp.array(_random.normal(size=(8, 5)))  # what a network puts out; the output map makes it an admissible critic


@derivation.bound(
    r"\mathbb{E}_p[T] - \mathbb{E}_q[f^*(T)] \le D_f(p \,\|\, q)",
    because=r"Five rows of the table, total variation among them, with eight pairs of distributions and critics of random "
    r"values in the domain. It is tight at the best critic $T = f'(p/q)$.",
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


@derivation.example(
    r"$p = (0.75, 0.25)$ and $q = (0.5, 0.5)$. The critic $t = (1, 0)$ says no more than which point the data prefer."
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
    r"0. Right: estimates of $\mathrm{KL} = 2$ (dashed) between two Gaussians at distance 2, with the best critic and $M$ "
    r"samples of the model: mean and standard deviation of 30 estimates.",
    panels=2,
)
def gaps_and_estimates(left, right):
    moves = np.linspace(-0.3, 0.3, 61)
    log_p, log_q = (jnp.log(jnp.tile(law, (61, 1))) for law in _pair)
    for name in ("kl", "gan", "squared_hellinger"):
        best = f_generator_derivative(jnp.asarray(_best), divergence=name)
        critic = best + moves[:, None] * np.array([1.0, -2.0])
        gap = jnp.where(moves < 0.24, variational_gap(log_p, log_q, critic, divergence=name), jnp.nan)
        left.plot(moves, gap, label=name.replace("_", " "))
    left.set(xlabel=r"$\varepsilon$", ylabel="gap")
    left.legend()
    random, sizes = np.random.default_rng(7), np.array([10, 100, 1000])
    estimates = {"NWJ": [], "DV": []}
    for size in sizes:
        x_p, x_q = 2 + random.standard_normal((30, size)), random.standard_normal((30, size))
        log_p_over_q = [(2 * a - 2, 2 * b - 2) for a, b in zip(x_p, x_q, strict=True)]
        estimates["NWJ"].append([_nwj_estimate(1 + jnp.asarray(a), 1 + jnp.asarray(b)) for a, b in log_p_over_q])
        estimates["DV"].append([donsker_varadhan_bound(jnp.asarray(a), jnp.asarray(b)) for a, b in log_p_over_q])
    for shift, (name, drawn) in zip((0.95, 1.05), estimates.items(), strict=True):
        drawn = np.asarray(drawn)
        right.errorbar(sizes * shift, drawn.mean(1), drawn.std(1), fmt="o", capsize=3, label=name)
    right.axhline(2, linestyle="--", color="gray")
    right.set(xscale="log", xlabel="$M$", ylabel="nats")
    right.legend()


@derivation.exercise(
    "Which constant critic is best for Kullback-Leibler, and what is its bound?",
    "$c - e^{c-1}$ has the slope $1 - e^{c-1}$, so $c = 1$, and the bound is 0, which is $f(1)$.",
)
def the_best_constant():
    yield value(nwj, _given | {t: (1, 1)}), "0"
    yield solve((c - exp(c - 1)).diff(c), c)[0], "1"


@derivation.exercise(
    "By which constant should the critic $t = (1, 0)$ of the example be shifted, and what does it gain?",
    r"By $c = 1 - \log Z = 0.3799$, with $Z = (e + 1)/2$. The bound rises from 0.0661 to 0.1299, Donsker and Varadhan's.",
)
def the_best_shift():
    shift = 1 - math.log((math.e + 1) / 2)
    yield shift, "0.3799"
    yield value(nwj, _given | {t: (1, 0)}), "0.0661"
    yield value(nwj, _given | {t: (1 + shift, shift)}), "0.1299"


@derivation.exercise(
    r"How many samples of the model does a relative error of one tenth in the normalizer need, for Gaussians at distance 2 (2 "
    r"nats)?",
    r"The relative variance of one sample is $e^4 - 1$, so $M = 100\,(e^4 - 1)$, about 5360.",
)
def how_many():
    yield round(100 * (math.exp(4) - 1), -1), "5360"


@derivation.numeric(
    r"\mathrm{DV}_M(t + c) = \mathrm{DV}_M(t)",
    because=r"The estimate does not change when a constant is added to the critic, also at $c = 1000$ and $-1000$: the largest "
    r"value is subtracted before the exponentials are taken.",
    role="appendix",
    tolerance=1e-11,
)
def large_critics():
    critic_p, critic_q = jnp.array([0.3, 1.2]), jnp.array([-0.5, 0.1, 2.0])
    shifted = jnp.stack([donsker_varadhan_bound(critic_p + shift, critic_q + shift) for shift in (1000.0, -1000.0)])
    plain = jnp.mean(critic_p) - jnp.log(jnp.mean(jnp.exp(critic_q)))
    wrong = {"the mean of the logarithm": jnp.full(2, jnp.mean(critic_p) - jnp.mean(critic_q))}
    return Sides(left=shifted, right=jnp.full(2, plain), wrong=wrong)
