"""Noise-contrastive estimation: a model is fitted, and normalized, by telling data from noise.

The lecture on the functions of theory_jax/energy/noise_contrastive_estimation.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, exp, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.noise_contrastive_estimation import data_loss, information_loss, log_odds, loss, noise_loss
from theory_jax.lectures.energy._noise_and_partners import JOINT, draw_mass_and_information, gaussian, information_of, mean_loss
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
    question="Maximum likelihood cannot learn a normalizer: it only raises the constant of an unnormalized model, without end. "
    "To compute the constant takes a sum over all states, at every step. Can an unnormalized model be fitted, its constant "
    "included, by a classifier that tells data from noise?",
    setting=(
        r"There are finitely many states. Data have the distribution $d$, positive on all of them. The noise has a distribution "
        r"$n$, positive too, which is known and normalized, and which can be sampled. Integrals replace sums on the line.",
        r"For every datum there are $\nu$ samples of noise. A classifier is to say which is which.",
        r"The model $m$ is positive on all states and need not sum to one.",
    ),
    limits=(
        "How much the fit varies from one data set to another: the more, the less noise and data overlap.",
        "What a model that cannot equal the data's distribution is fitted to: that depends on the noise.",
    ),
)

k = derivation.index("k", "a state")
t = derivation.index("t", "a label: 0 for data, 1 for noise", states=2)
nu = derivation.number(r"\nu", "how many samples of noise there are for each datum", "noise_ratio", positive=True)
d = derivation.law("d", k, "the distribution of the data")
n = derivation.law("n", k, "the distribution of the noise", "exp(noise_log_prob)")
m = derivation.numbers("m", k, "the model", "exp(model_log_prob)", positive=True)
G = derivation.define("G", plus(log(m), -log(n), -log(nu)), "the log-odds of the model", "log_odds", over=k)
u = derivation.define("u", plus(d, times(nu, n)), "data and noise together", over=k, positive=True)


def _labels(of_data, total):
    """The distribution of the label where data have this weight, and noise nu n."""
    return plus(times(KroneckerDelta(t, 0), of_data), times(KroneckerDelta(t, 1), nu, n)) / total


truth = derivation.define(
    "P", _labels(d, u), "the distribution of the label of a state, among data and noise", over=(t, k), law=True
)
belief = derivation.define("Q", _labels(m, plus(m, times(nu, n))), "what the model takes it for", over=(t, k), law=True)
bayes = derivation.chain(
    "The odds of data against noise are a ratio of densities",
    belief.at(0, k),
    equals(1 / plus(1, times(nu, n) / m), "divide by the model"),
    equals(
        1 / plus(1, exp(-G)),
        prose("{odds}: the logistic function of the log-odds", odds=holds(exp(-G), "=", times(nu, n) / m)),
        wrong={"the sign of $\\log \\nu$": 1 / plus(1, exp(-plus(log(m), -log(n), log(nu)))), "the sign": 1 / plus(1, exp(G))},
    ),
    role="lemma",
    so=prose(
        r"At {same} it is Bayes' rule, {bayes}, since a point is a datum with probability $\frac{1}{1 + \nu}$.",
        same=where(m, d),
        bayes=holds(belief.at(0, k), "=", truth.at(0, k)),
    ),
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
derivation.answer = prose(
    "A classifier whose log-odds are {odds} is best if and only if the model is the distribution of the data; its loss is then "
    "the least one, {equal}, so the loss itself normalizes the model. With much noise its gradient tends to that of the "
    r"likelihood of a normalized model. With a partner to be found among $K$ candidates in place of a datum among noise, $\log "
    "K$ less the loss is a lower bound on mutual information.",
    odds=plus(log(m), -log(n), -log(nu)),
    equal=holds(loss_of_the_model, "=", least, when={m: d}, wrong={"the mass left free": 2 * least}),
)
central = derivation.chain(
    "The loss is least for the data's own distribution, normalizer included",
    loss_of_the_model,
    equals(
        -Total(k, times(u, Expectation(truth, log(belief)))),
        prose(
            "{data} and {noise}; a state is a datum with the weight {of_data}, and noise with {of_noise}",
            data=holds(log(plus(1, exp(-G))), "=", -log(belief.at(0, k))),
            noise=holds(log(plus(1, exp(G))), "=", -log(belief.at(1, k))),
            of_data=holds(d, "=", times(u, truth.at(0, k))),
            of_noise=holds(times(nu, n), "=", times(u, truth.at(1, k))),
        ),
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
        prose(
            "leave out the divergences (Gibbs); equality if and only if $Q$ is $P$, that is {same} at every state",
            same=where(m, d),
        ),
        dropping=Total(k, times(u, gibbs.at(truth, belief))),
    ),
    uses=(bayes,),
    central=True,
    so="The model was not required to sum to one, and the best one does. So in a model $e^{c - E}$ the constant $c$ is a "
    r"parameter like the others, and after the fit $-c$ is $\log Z$. The normalized noise is what mass is measured with.",
)
mixture = derivation.define(r"\mu", u / plus(1, nu), "the distribution of a point of either kind", over=k, law=True)
derivation.chain(
    "The least loss is the lower, the further data and noise are from their mixture",
    least,
    equals(
        plus(-Expectation(d, log(d / u)), -times(nu, Expectation(n, log(times(nu, n) / u)))),
        prose(
            "{data} and {noise}",
            data=holds(times(u, truth.at(0, k)), "=", d),
            noise=holds(times(u, truth.at(1, k)), "=", times(nu, n)),
        ),
    ),
    equals(
        plus(
            times(plus(1, nu), log(plus(1, nu))), -times(nu, log(nu)), -Divergence(d, mixture), -times(nu, Divergence(n, mixture))
        ),
        prose("{mixture}", mixture=holds(u, "=", times(plus(1, nu), mixture))),
        wrong={
            "turned over": plus(
                times(plus(1, nu), log(plus(1, nu))),
                -times(nu, log(nu)),
                -Divergence(mixture, d),
                -times(nu, Divergence(mixture, n)),
            )
        },
    ),
    so=prose(
        r"At {one} this is {jensen}, $2 \log 2$ less twice the Jensen-Shannon divergence of $d$ and $n$: what a GAN's "
        "discriminator reaches. Here the generator is fixed, and the classifier is the model.",
        one=where(nu, 1),
        jensen=holds(least, "=", plus(2 * log(2), -Divergence(d, mixture), -Divergence(n, mixture)), named=True),
    ),
    role="remark",
)

theta = derivation.number(r"\theta", "a parameter of the model")
base = derivation.numbers("a", k, r"$\log m$ where $\theta$ is 0")
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
        prose(
            "{data} and {noise}",
            data=holds(Slope(log(plus(1, times(nu, n) / moved)), theta), "=", -times(weight, g)),
            noise=holds(Slope(log(plus(1, moved / times(nu, n))), theta), "=", times(1 - weight, g)),
        ),
    ),
    equals(
        -Total(k, times(weight, plus(d, -moved), g)),
        "one factor is common to both terms",
        wrong={"the noise for the model": -Total(k, times(weight, plus(d, -n), g))},
    ),
    equals(
        plus(-Total(k, times(plus(d, -moved), g)), Total(k, times(moved / plus(moved, times(nu, n)), plus(d, -moved), g))),
        prose("{rest}", rest=holds(weight, "=", 1 - moved / plus(moved, times(nu, n)))),
    ),
    so=prose(
        "In the last sum {factor}, so with much noise it vanishes. What is left is the gradient of the mean negative "
        r"log-likelihood, {likelihood}, if the model is normalized for every $\theta$: then {slope} is the slope of a "
        r"constant. For a constant in $\log m$, whose $g$ is 1, it is the excess of mass: {excess}.",
        factor=holds(moved / plus(moved, times(nu, n)), "<=", moved / times(nu, n)),
        likelihood=holds(Slope(-Expectation(d, log(moved)), theta), "=", -Total(k, times(d, g))),
        slope=holds(Total(k, times(moved, g)), "=", Slope(Total(k, moved), theta)),
        excess=holds(-Total(k, times(plus(d, -moved), g)), "=", Total(k, moved) - 1, when={g: 1}),
    ),
)
at_truth = derivation.define("h", times(nu, n, d) / u, "how much a state tells", over=k, positive=True)
derivation.chain(
    "Noise that is far from the data tells hardly anything",
    Slope(of_theta, theta, 2),
    equals(
        Total(k, times(plus(d, times(nu, n)), times(nu, n, moved) / plus(moved, times(nu, n)) ** 2, g**2)),
        prose(
            r"$\log m$ is linear in $\theta$, so only the slope of the belief is left: {slope}",
            slope=holds(
                Slope(moved / plus(moved, times(nu, n)), theta),
                "=",
                times(weight, 1 - weight, g),
                wrong={"one factor": weight * g},
            ),
        ),
        wrong={"one power": Total(k, times(plus(d, times(nu, n)), times(nu, n, moved) / plus(moved, times(nu, n)), g**2))},
    ),
    uses=(gradient,),
    so=prose(
        "For the distribution of the data itself it is {curvature}, and {data} and {noise}. Where one of both has hardly any "
        "mass, a wrong model costs hardly anything, and the optimum is flat. Good noise resembles the data.",
        curvature=holds(
            Total(k, times(plus(d, times(nu, n)), times(nu, n, m) / plus(m, times(nu, n)) ** 2, g**2)),
            "=",
            Total(k, times(at_truth, g**2)),
            when={m: d},
            named=True,
        ),
        data=holds(at_truth, "<", d),
        noise=holds(at_truth, "<", times(nu, n)),
    ),
)

y = derivation.index("y", "a candidate")
y_1 = derivation.index("y_1", "the first candidate, the partner")
y_2 = derivation.index("y_2", "the second candidate")
label = derivation.index("i", "which candidate is the partner: 0 the first, 1 the second", states=2)
p = derivation.law("p({}|x)", y, "the distribution of the partner, given an example $x$")
q = derivation.law("q", y, "the distribution of a candidate that is drawn apart from $x$")
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
        prose(
            "insert the distribution of the partner's place, {place}",
            place=holds(partner.at(0, y_1, y_2), "=", r.at(y_1) / times(2, mean_ratio)),
        ),
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
        prose(
            "{divergence}. In the rest {pair}; it is averaged over both orders of the candidates, which exchange $R_0$ and $R_1$",
            divergence=holds(Expectation(p, log(r)), "=", Divergence(p, q)),
            pair=holds(times(p.at(y_1), q.at(y_2)), "=", times(q.at(y_1), q.at(y_2), 2, mean_ratio, partner.at(0, y_1, y_2))),
        ),
    ),
    at_most(
        Divergence(p, q),
        prose(
            "leave out both: {gap}, where the mean ratio has mean {one}, and a divergence (Gibbs)",
            gap=holds(plus(times(mean_ratio, log(mean_ratio)), -mean_ratio, 1), ">=", 0),
            one=holds(Expectation(q.at(y_1), Expectation(q.at(y_2), mean_ratio)), "=", 1, named=True),
        ),
        adding=plus(_over_pairs(tangent.at(1 / mean_ratio)), _over_pairs(gibbs.at(partner, guess))),
    ),
    states=2,
    so=prose(
        r"Average over $x$: $\log 2$ less the mean loss is at most the mean of $\mathrm{KL}(p(y|x) \,\|\, q)$, which is the "
        "mutual information $I$ if $q$ is the distribution of all partners. With $K$ candidates the argument is the same, with "
        r"$\log K$. The loss is not negative, so the bound never exceeds $\log K$, however much information there is. It is as "
        r"high as it can be for the scores $\log r$, where {none}, or these up to a function of $x$; with more candidates "
        r"$\bar r$ varies less, and the gap closes.",
        none=holds(Divergence(partner, guess), "=", 0, when={s: log(r)}),
    ),
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
noise_odds = derivation.numbers("b", k, "log-odds of samples of noise", "noise_log_odds")
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

derivation.symbol("c", r"the constant of a model $e^c d$")


@derivation.autodiff(
    r"\frac{\partial^2}{\partial c^2} \mathcal{L} = \sum_k h_k \quad \text{at } c = 0",
    because="The code's loss for standard normal data and noise of variance 1 around 0, 2, 4 and 8, one sample for each datum, "
    "on a grid. It is 0.5, 0.225, 0.0343 and 0.000049: what is learned of the normalizer where the noise is far.",
    uses=(gradient,),
    role="remark",
)
def curvature_in_the_constant():
    pairs = [(gaussian(0.0), gaussian(shift)) for shift in (0.0, 2.0, 4.0, 8.0)]
    found = jnp.stack([jax.grad(jax.grad(mean_loss))(0.0, data, noise) for data, noise in pairs])
    predicted = np.array([0.05 * (data * noise / (data + noise)).sum() for data, noise in pairs])
    return Sides(
        left=found,
        right=predicted,
        wrong={"the product": np.array([0.05 * (data * noise).sum() for data, noise in pairs]), "twice": 2 * predicted},
    )


@derivation.algorithm(
    "A step of noise-contrastive estimation",
    do(r"take data $x$, and for each datum $\nu$ samples of the noise $n$"),
    do(r"$G \leftarrow \log m(x) - \log n(x) - \log \nu$ for the data, and the same for the noise", log_odds, by=bayes),
    do(
        r"$\mathcal{L} \leftarrow \log(1 + e^{-G})$ of each datum plus $\log(1 + e^{G})$ of its noise, "
        "averaged",
        loss,
        by=central,
    ),
    do(r"move all parameters of $\log m$, its constant among them, against the gradient of $\mathcal{L}$", by=gradient),
)
def two_steps():
    data, noise, model = jnp.array([0, 0, 0, 1]), jnp.array([[0], [1], [0], [1]]), jnp.zeros(2)

    def of_batch(model):
        return loss(*(log_odds(model[x], jnp.full(x.shape, -math.log(2))) for x in (data, noise))).mean()

    yield r"\log m = (0, 0): \quad \mathcal{L}", of_batch(model), "1.5041"
    for printed in ("(-0.0833, -0.25)", "(-0.1432, -0.4568)"):
        model = model - jax.grad(of_batch)(model)
        yield r"\log m", model, printed


@derivation.example(
    r"Two states; the data have the probabilities $\frac34$ and $\frac14$, and the noise, one sample for each datum, is fair. "
    r"Then the gradient in the log-odds of the first state, of a fair normalized model: $-\frac14 \frac{\nu}{1 + \nu}$. Last, "
    r"two symbols that agree with their partners with chance $\frac45$: the information is 0.1927."
)
def two_states():
    given = {d: (0.75, 0.25), n: (0.5, 0.5), m: (0.75, 0.25), nu: 1}
    yield r"P_0", value(truth.at(0, k), given), "(0.6, 0.3333)"
    yield loss_of_the_model, value(loss_of_the_model, given), "1.3187"
    yield r"\mathcal{L} \text{ at } m = 2d", value(loss_of_the_model, given | {m: (1.5, 0.5)}), "1.4288"

    def at(ratio):
        def of_step(step):
            odds = log_odds(jax.nn.log_softmax(jnp.array([step, 0.0])), jnp.log(jnp.array([0.5, 0.5])), noise_ratio=ratio)
            return jnp.dot(jnp.array([0.75, 0.25]), data_loss(odds)) + ratio * 0.5 * jnp.sum(noise_loss(odds))

        return jax.grad(of_step)(0.0)

    yield r"\nu = 1, 10, 100", jnp.stack([at(float(ratio)) for ratio in (1, 10, 100)]), "(-0.125, -0.2273, -0.2475)"
    best = np.log(JOINT / 0.25)
    yield r"I", float((JOINT * best).sum()), "0.1927"
    yield r"K = 2, 4, 8", [information_of(count, best) for count in (2, 4, 8)], "(0.0964, 0.1458, 0.1697)"
    yield r"K = 2, \text{ scores doubled}", information_of(2, 2 * best), "0.0390"


@derivation.figure(
    "Left: what the loss of the model $e^c d$ has above its least value, against its mass $e^c$, for data of the distribution "
    r"$\mathcal{N}(0, 1)$ and noise $\mathcal{N}(2, 1)$. It is least at the mass 1. Right: $\log K$ less the loss, for a "
    r"perfect code of 64 symbols and the best scores (dots), below the information $\log 64$ and below $\log K$ (lines).",
    panels=2,
)
def mass_and_information(mass, information):
    draw_mass_and_information(mass, information)
