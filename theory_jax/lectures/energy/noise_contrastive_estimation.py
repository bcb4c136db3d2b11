"""Noise-contrastive estimation: a model is fitted, and normalized, by telling data from noise.

The lecture on the functions of theory_jax/energy/noise_contrastive_estimation.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, exp, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.energy.noise_contrastive_estimation import data_loss, information_loss, log_odds, loss, noise_loss
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Noise-contrastive estimation: a model is fitted, and normalized, by telling data from noise",
    lectures=(),
    sources=(
        "Gutmann & Hyvärinen 2010, Noise-contrastive estimation: a new estimation principle for unnormalized statistical models",
        "Gutmann & Hyvärinen 2012, Noise-contrastive estimation of unnormalized statistical models, with applications to natural "
        "image statistics",
        "Gao et al. 2020, Flow contrastive estimation of energy-based models",
        "van den Oord, Li & Vinyals 2018, Representation learning with contrastive predictive coding",
    ),
    question="Maximum likelihood cannot learn a normalizer: the larger the model's mass, the larger the likelihood. Can an "
    "unnormalized model be fitted, its constant included, by a classifier that tells data from noise?",
    setting=(
        r"There are finitely many states. Data have the law $d$, positive on all of them. The noise has a law $n$, positive too, "
        r"which is known and normalized, and from which one can draw. On a continuous space integrals take the place of sums.",
        r"For every datum $\nu > 0$ draws of noise are made. A classifier is to say which is which.",
        r"The model $m$ is positive on all states and need not sum to one.",
    ),
    answer=r"A classifier whose log-odds are $\log m - \log n - \log \nu$ is best if and only if $m = d$: the loss itself "
    r"normalizes the model. With much noise its gradient tends to that of the likelihood. With a partner to be found among $K$ "
    r"candidates in place of a datum among noise, $\log K$ less the loss is a lower bound on mutual information.",
    limits=(
        "How much the fit varies from one sample to another; it is the worse, the less noise and data overlap.",
        "What a model that cannot equal the data's law is fitted to: that depends on the noise.",
    ),
)

k = derivation.index("k", "a state")
t = derivation.index("t", "a label: 0 for data, 1 for noise", states=2)
nu = derivation.number(r"\nu", "how many draws of noise there are for each datum", "noise_ratio", positive=True)
d = derivation.law("d", k, "the law of the data")
n = derivation.law("n", k, "the law of the noise", "exp(noise_log_prob)")
m = derivation.numbers("m", k, "the model", "exp(model_log_prob)", positive=True)
G = derivation.define("G", plus(log(m), -log(n), -log(nu)), "the log-odds of the model", "log_odds", over=k)
u = derivation.define("u", plus(d, times(nu, n)), "data and noise together", over=k, positive=True)


def _labels(of_data, total):
    """The law of the label where data have this weight, and noise nu n."""
    return plus(times(KroneckerDelta(t, 0), of_data), times(KroneckerDelta(t, 1), nu, n)) / total


truth = derivation.define("P", _labels(d, u), "the law of the label of a state, among data and noise", over=(t, k), law=True)
belief = derivation.define("Q", _labels(m, plus(m, times(nu, n))), "what the model takes it for", over=(t, k), law=True)
bayes = derivation.chain(
    "The odds of data against noise are a ratio of densities",
    belief.at(0, k),
    equals(1 / plus(1, times(nu, n) / m), "divide by the model"),
    equals(
        1 / plus(1, exp(-G)),
        r"$G_k = \log m_k - \log(\nu n_k)$: the logistic function of the log-odds",
        wrong={"the sign of $\\log \\nu$": 1 / plus(1, exp(-plus(log(m), -log(n), log(nu)))), "the sign": 1 / plus(1, exp(G))},
    ),
    role="lemma",
    so=r"With $m = d$ it is Bayes' rule, $P_{0,k}$, since a datum is drawn with the chance $\frac{1}{1 + \nu}$.",
)
loss_of_the_model = derivation.define(
    r"\mathcal{L}",
    plus(Expectation(d, log(plus(1, exp(-G)))), times(nu, Expectation(n, log(plus(1, exp(G)))))),
    "the mean loss of a datum and its noise",
    "loss",
)
least = derivation.define(
    r"\mathcal{L}^*", -Total(k, times(u, Expectation(truth, log(truth)))), "the mean loss of the best classifier"
)
central = derivation.chain(
    "The loss is least for the data's own law, normalizer included",
    loss_of_the_model,
    equals(
        -Total(k, times(u, Expectation(truth, log(belief)))),
        r"$\log(1 + e^{-G_k}) = -\log Q_{0,k}$ and $\log(1 + e^{G_k}) = -\log Q_{1,k}$; a state is a datum with the weight $d_k "
        r"= u_k P_{0,k}$, and noise with $\nu n_k = u_k P_{1,k}$",
        wrong={
            "labels exchanged": -Total(k, times(u, Expectation(belief, log(truth)))),
            "the data's weight alone": -Total(k, times(d, Expectation(truth, log(belief)))),
        },
    ),
    equals(
        plus(least, Total(k, times(u, Divergence(truth, belief)))),
        "a cross-entropy is an entropy and a divergence, state by state",
    ),
    at_least(
        least,
        r"leave out the divergences (Gibbs); equality if and only if $Q = P$ at every state, that is $m = d$",
        dropping=Total(k, times(u, gibbs.at(truth, belief))),
    ),
    uses=(bayes,),
    central=True,
    so=r"The model was not required to sum to one, and the best one does. So in $m = e^{c - E}$ the constant $c$ is a parameter "
    r"like the others, and after the fit $-c$ is $\log Z$. The normalized noise is what mass is measured with.",
)
mixture = derivation.define(r"\mu", u / plus(1, nu), "the law of a point of either kind", over=k, law=True)
derivation.chain(
    "How well the best classifier does",
    least,
    equals(
        plus(-Expectation(d, log(d / u)), -times(nu, Expectation(n, log(times(nu, n) / u)))),
        r"$u_k P_{0,k} = d_k$ and $u_k P_{1,k} = \nu n_k$",
    ),
    equals(
        plus(
            times(plus(1, nu), log(plus(1, nu))), -times(nu, log(nu)), -Divergence(d, mixture), -times(nu, Divergence(n, mixture))
        ),
        r"$u_k = (1 + \nu) \mu_k$",
        wrong={
            "turned over": plus(
                times(plus(1, nu), log(plus(1, nu))),
                -times(nu, log(nu)),
                -Divergence(mixture, d),
                -times(nu, Divergence(mixture, n)),
            )
        },
    ),
    so=r"For $\nu = 1$ this is $2 \log 2$ less twice the Jensen-Shannon divergence of $d$ and $n$: what a GAN's discriminator "
    r"reaches. Here the generator is fixed, and the classifier is the model.",
)

theta = derivation.number(r"\theta", "a parameter of the model")
base = derivation.numbers("a", k, r"$\log m$ at $\theta = 0$")
g = derivation.numbers("g", k, r"the slopes of $\log m$ in $\theta$")
moved = derivation.define(
    r"m^\theta", exp(plus(base, times(theta, g))), "the model as a function of $\\theta$", over=k, positive=True
)
of_theta = derivation.define(
    r"\mathcal{L}_\theta",
    plus(Expectation(d, log(plus(1, times(nu, n) / moved))), times(nu, Expectation(n, log(plus(1, moved / times(nu, n)))))),
    "its loss",
)
derivation.say(
    r"The gradient sees $\log m$ and its slopes at one $\theta$, so nothing is lost by letting $\log m$ be linear in $\theta$."
)
weight = times(nu, n) / plus(moved, times(nu, n))
gradient = derivation.chain(
    "The gradient compares the data with the model, not with the noise",
    Slope(of_theta, theta),
    equals(
        Total(
            k,
            times(plus(-times(d, times(nu, n) / plus(moved, times(nu, n))), times(nu, n, moved / plus(moved, times(nu, n)))), g),
        ),
        r"the slope of $\log(1 + e^{-G})$ is $-(1 - Q_0)$, and that of $\log(1 + e^G)$ is $Q_0$, both times $\partial G = g$",
    ),
    equals(
        -Total(k, times(weight, plus(d, -moved), g)),
        "one factor is common to both terms",
        wrong={"the noise for the model": -Total(k, times(weight, plus(d, -n), g))},
    ),
    equals(
        plus(-Total(k, times(plus(d, -moved), g)), Total(k, times(moved / plus(moved, times(nu, n)), plus(d, -moved), g))),
        r"$\frac{\nu n}{m + \nu n} = 1 - \frac{m}{m + \nu n}$",
    ),
    so=r"The sum with the factor $\frac{m}{m + \nu n}$ is at most $\frac{1}{\nu} \sum_k \frac{m_k}{n_k} |d_k - m_k| |g_k|$, so "
    r"with much noise it vanishes. What is left, $-\sum_k (d_k - m_k) g_k$, is the gradient of the mean negative log-likelihood "
    r"if $m$ is normalized for every $\theta$, since $\sum_k m_k g_k$ is then the slope of a constant. For a constant $c$ in "
    r"$\log m$, where $g = 1$, it is $\sum_k m_k - 1$: the excess of mass.",
)
at_truth = derivation.define("h", times(nu, n, d) / u, "how much a state tells", over=k, positive=True)
derivation.chain(
    "Noise that is far from the data tells nothing",
    Slope(of_theta, theta, 2),
    equals(
        Total(k, times(plus(d, times(nu, n)), times(nu, n, moved) / plus(moved, times(nu, n)) ** 2, g**2)),
        r"$\log m$ is linear in $\theta$, so only the slope of $Q_0$ is left: $Q_0 (1 - Q_0)\, g$",
        wrong={"one power": Total(k, times(plus(d, times(nu, n)), times(nu, n, moved) / plus(moved, times(nu, n)), g**2))},
    ),
    uses=(gradient,),
    so=r"At $m = d$ it is $\sum_k h_k g_k^2$ with $h_k = \nu n_k d_k / u_k$, which is below both $d_k$ and $\nu n_k$. Where only "
    r"one of both laws has mass, a wrong model costs nothing, and the optimum is flat. Good noise resembles the data.",
)

y = derivation.index("y", "a candidate")
y_1 = derivation.index("y_1", "the first candidate, the partner")
y_2 = derivation.index("y_2", "the second candidate")
label = derivation.index("i", "which candidate is the partner: 0 the first, 1 the second", states=2)
p = derivation.law("p({}|x)", y, "the law of the partner, given an example $x$")
q = derivation.law("q", y, "the law of a candidate that is drawn apart from $x$")
r = derivation.define("r", p / q, "the ratio of both", over=y, positive=True)
s = derivation.numbers("s", y, "the score of a candidate", "scores")
mean_ratio = derivation.define(r"\bar r", (r.at(y_1) + r.at(y_2)) / 2, "the mean ratio", over=(y_1, y_2), positive=True)
first, second = KroneckerDelta(label, 0), KroneckerDelta(label, 1)
partner = derivation.define(
    r"R",
    plus(times(first, r.at(y_1)), times(second, r.at(y_2))) / plus(r.at(y_1), r.at(y_2)),
    "which candidate is the partner, by Bayes' rule, if its place is drawn too",
    over=(label, y_1, y_2),
    law=True,
)
guess = derivation.define(
    "S",
    plus(times(first, exp(s.at(y_1))), times(second, exp(s.at(y_2)))) / plus(exp(s.at(y_1)), exp(s.at(y_2))),
    "what the scores say",
    over=(label, y_1, y_2),
    law=True,
)
derivation.say(
    r"The same idea without any density, for pairs. An example $x$ comes with a partner, and among candidates that were drawn "
    r"apart from it the partner is to be found. Take one $x$ and two candidates, the partner first."
)


def _over_pairs(body):
    """The mean of r-bar times the body, over two candidates that are both drawn apart."""
    return Expectation(q.at(y_1), Expectation(q.at(y_2), times(mean_ratio, body)))


derivation.chain(
    "InfoNCE is a bound on information",
    Expectation(p.at(y_1), Expectation(q.at(y_2), log(times(2, exp(s.at(y_1)) / plus(exp(s.at(y_1)), exp(s.at(y_2))))))),
    equals(
        Expectation(
            p.at(y_1),
            Expectation(q.at(y_2), plus(log(r.at(y_1) / mean_ratio), -log(partner.at(0, y_1, y_2) / guess.at(0, y_1, y_2)))),
        ),
        r"insert the law of the partner's place, $R_0 = r_{y_1} / (2 \bar r)$",
        wrong={
            "the sum for the mean": Expectation(
                p.at(y_1),
                Expectation(
                    q.at(y_2), plus(log(r.at(y_1) / (2 * mean_ratio)), -log(partner.at(0, y_1, y_2) / guess.at(0, y_1, y_2)))
                ),
            )
        },
    ),
    equals(
        plus(Divergence(p, q), -_over_pairs(log(mean_ratio)), -_over_pairs(Divergence(partner, guess))),
        r"$\mathbb{E}_p[\log r]$ is a divergence. In the rest $p(y_1|x)\, q_{y_2} = q_{y_1} q_{y_2} r_{y_1}$ with $r_{y_1} = 2 "
        r"\bar r R_0$; it is averaged over both orders of the candidates, which exchange $R_0$ and $R_1$",
    ),
    at_most(
        Divergence(p, q),
        r"leave out both: $\bar r \log \bar r - \bar r + 1 \ge 0$, where $\bar r$ has mean 1, and a divergence (Gibbs)",
        adding=plus(_over_pairs(tangent.at(1 / mean_ratio)), _over_pairs(gibbs.at(partner, guess))),
    ),
    states=2,
    so=r"Average over $x$: $\log 2$ less the mean loss is at most $\mathbb{E}[\mathrm{KL}(p(y|x) \,\|\, q)]$, which is the "
    r"mutual information $I$ if $q$ is the law of all partners. With $K$ candidates the argument is the same, with $\log K$. The "
    r"loss is not negative, so the bound never exceeds $\log K$, however much information there is. It is as high as it can be "
    r"where the scores are $\log r$ up to a function of $x$; with more candidates $\bar r$ varies less, and the gap closes.",
)

derivation.bridge(
    "The code's log-odds",
    G,
    log_odds,
    model_log_prob=[log(m)],
    noise_log_prob=[log(n)],
    noise_ratio=nu,
    wrong={"the sign of $\\log \\nu$": plus(log(m), -log(n), log(nu)), "turned over": -G},
)
z = derivation.number("z", "log-odds", "log_odds")
derivation.bridge(
    "... the cost of a datum",
    log(plus(1, exp(-z))),
    data_loss,
    log_odds=[z],
    wrong={"that of noise": log(plus(1, exp(z))), "the probability": 1 / plus(1, exp(-z))},
)
noise_odds = derivation.numbers("b", k, "log-odds of draws of noise", "noise_log_odds")
derivation.bridge(
    "... of a datum with its noise",
    plus(log(plus(1, exp(-z))), Total(k, log(plus(1, exp(noise_odds))))),
    loss,
    data_log_odds=[z],
    noise_log_odds=[noise_odds],
    wrong={"averaged": plus(log(plus(1, exp(-z))), Total(k, log(plus(1, exp(noise_odds)))) / 4)},
)
derivation.bridge(
    "... and of finding the partner",
    plus(log(Total(y, exp(s))), -s.at(0)),
    information_loss,
    scores=[s],
    wrong={
        "the last column": plus(log(Total(y, exp(s))), -s.at(3)),
        "all columns": plus(log(Total(y, exp(s))), -Total(y, s) / 4),
    },
)

_LINE = np.linspace(-12.0, 20.0, 641)


def _gaussian(mean):
    return np.exp(-((_LINE - mean) ** 2) / 2) / math.sqrt(2 * math.pi)


def _mean_loss(mass, data, noise, ratio=1.0):
    """The mean loss of mass times the data's law, on the grid."""
    width = _LINE[1] - _LINE[0]
    odds = log_odds(jnp.log(data) + mass, jnp.log(noise), noise_ratio=ratio)
    return width * (jnp.dot(data, data_loss(odds)) + ratio * jnp.dot(noise, noise_loss(odds)))


derivation.symbol("c", r"the constant of a model $m = e^c d$")


@derivation.autodiff(
    r"\frac{\partial^2}{\partial c^2} \mathcal{L} = \sum_k h_k \quad \text{at } c = 0",
    because=r"The code's loss, for data of the law $\mathcal{N}(0, 1)$ and noise $\mathcal{N}(\mu, 1)$ with $\mu = 0, 2, 4, 8$, "
    r"on a grid, with $\nu = 1$. It is 0.5, 0.225, 0.0343 and 0.000049: what is learned of the normalizer where the noise is "
    r"far.",
    uses=(gradient,),
)
def curvature_in_the_constant():
    pairs = [(_gaussian(0.0), _gaussian(shift)) for shift in (0.0, 2.0, 4.0, 8.0)]
    found = jnp.stack([jax.grad(jax.grad(_mean_loss))(0.0, data, noise) for data, noise in pairs])
    predicted = np.array([0.05 * (data * noise / (data + noise)).sum() for data, noise in pairs])
    return Sides(
        left=found,
        right=predicted,
        wrong={"the product": np.array([0.05 * (data * noise).sum() for data, noise in pairs]), "twice": 2 * predicted},
    )


_JOINT = np.array([[0.4, 0.1], [0.1, 0.4]])


def _information(count, scores):
    """log K less the mean InfoNCE loss of two symbols with the law _JOINT, by enumeration of all candidates."""
    total = 0.0
    for x in range(2):
        table = list(itertools.product(range(2), repeat=count))
        chance = np.array([_JOINT[x, row[0]] * 0.5 ** (count - 1) for row in table])
        total += chance @ information_loss(jnp.asarray(scores[x][np.array(table)]))
    return math.log(count) - total


@derivation.example(
    r"Two states, $d = (\frac34, \frac14)$, $n = (\frac12, \frac12)$, one draw of noise: $\nu n$ is $\frac12$, so $P_0 = "
    r"(\frac35, \frac13)$. Then the gradient in the log-odds of the first state, of a normalized model $m = (\frac12, \frac12)$: "
    r"$-\frac14 \frac{\nu}{1 + \nu}$. Last, two symbols that agree with their partners with chance $\frac45$: the information is "
    r"0.1927."
)
def two_states():
    given = {d: (0.75, 0.25), n: (0.5, 0.5), m: (0.75, 0.25), nu: 1}
    yield r"P_0", value(truth.at(0, k), given), "(0.6, 0.3333)"
    yield loss_of_the_model, value(loss_of_the_model, given), "1.3187"
    yield r"\mathcal{L} \text{ at } m = 2d", value(loss_of_the_model, given | {m: (1.5, 0.5)}), "1.4288"

    def at(ratio):
        def mean_loss(step):
            odds = log_odds(jax.nn.log_softmax(jnp.array([step, 0.0])), jnp.log(jnp.array([0.5, 0.5])), noise_ratio=ratio)
            return jnp.dot(jnp.array([0.75, 0.25]), data_loss(odds)) + ratio * 0.5 * jnp.sum(noise_loss(odds))

        return jax.grad(mean_loss)(0.0)

    yield r"\nu = 1, 10, 100", jnp.stack([at(float(ratio)) for ratio in (1, 10, 100)]), "(-0.125, -0.2273, -0.2475)"
    best = np.log(_JOINT / 0.25)
    yield r"I", float((_JOINT * best).sum()), "0.1927"
    yield r"K = 2, 4, 8", [_information(count, best) for count in (2, 4, 8)], "(0.0964, 0.1458, 0.1697)"
    yield r"K = 2, \text{ scores doubled}", _information(2, 2 * best), "0.0390"


@derivation.figure(
    r"Left: what the loss of the model $e^c d$ has above its least value, against its mass $e^c$, for data of the law "
    r"$\mathcal{N}(0, 1)$ and noise $\mathcal{N}(2, 1)$. It is least at the mass 1. Right: $\log K$ less the loss, for a perfect "
    r"code of 64 symbols and the best scores (dots), below the information $\log 64$ and below $\log K$ (lines).",
    panels=2,
)
def mass_and_information(mass, information):
    constants = np.linspace(-2.5, 2.5, 13)
    for ratio in (1.0, 10.0):
        found = np.array([_mean_loss(c, _gaussian(0.0), _gaussian(2.0), ratio) for c in constants])
        mass.semilogx(np.exp(constants), found - found[6], label=rf"$\nu = {ratio:g}$")
    mass.set(xlabel="mass of the model, $e^c$", ylabel="excess of the loss")
    mass.legend()
    counts = 2 ** np.arange(1, 11)
    information.semilogx(counts, np.minimum(np.log(counts), math.log(64)), color="gray")
    information.semilogx(counts, [_of_a_perfect_code(count, 64) for count in counts], "o", markersize=4)
    information.set(xlabel="candidates, $K$", ylabel="nats")


def _of_a_perfect_code(count, symbols):
    """log K less the InfoNCE loss where a partner has the example's symbol, and so has by chance every other candidate."""
    others = np.arange(min(count, 60))  # of K - 1 candidates so many agree by chance; more do not, but with chance 1e-9
    log_chance = (
        np.array([math.lgamma(count) - math.lgamma(count - a) - math.lgamma(a + 1) for a in others])
        - others * math.log(symbols)
        + (count - 1 - others) * math.log1p(-1 / symbols)
    )
    agree = np.arange(60) <= others[:, None]  # the partner, and those that agree
    cost = information_loss(jnp.asarray(np.where(agree, 0.0, -900.0)))
    return math.log(count) - np.exp(log_chance) @ cost


@derivation.exercise(
    "What is the loss of a classifier that knows nothing, with one draw of noise for each datum? And InfoNCE with equal scores?",
    r"Log-odds of 0 cost $\log 2$ for each, $2 \log 2 = 1.3863$ together; equal scores cost $\log K$, 1.3863 for four "
    r"candidates.",
)
def nothing_is_known():
    yield loss(jnp.zeros(1), jnp.zeros((1, 1))), "1.3863"
    yield information_loss(jnp.zeros((1, 4))), "1.3863"


@derivation.exercise(
    r"Someone adds $\log \nu$ to the log-odds. To which mass is the model fitted, for $\nu = 2$?",
    r"The right log-odds are those of $d$, so the fit has $\log m + \log \nu = \log d - \log \nu$: $m = d/\nu^2$, of mass 0.25.",
)
def wrong_sign():
    yield value(Total(k, d / nu**2), {d: (0.75, 0.25), nu: 2}), "0.25"


@derivation.exercise(
    "A representation is trained by InfoNCE with 256 candidates. How much information can it be shown to hold?",
    r"At most $\log 256 = 5.545$ nats, since the loss is not negative.",
)
def most_information():
    yield math.log(256) - information_loss(jnp.concatenate([jnp.full((1, 1), 900.0), jnp.zeros((1, 255))], axis=1)), "5.545"
