"""The ELBO of a diffusion model: a chain of Gaussian divergences.

The lecture on the functions of theory_jax/diffusion/elbo.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from scipy.special import log_ndtr, ndtr
from sympy import Rational, log, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Normal, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.elbo import denoising_kl, discretized_gaussian_log_prob, elbo_terms, gaussian_kl, prior_kl
from theory_jax.diffusion.forward_process import forward_sample
from theory_jax.lectures.diffusion._bound import draw_bounds, draw_cells_and_code, estimate, expected_terms, nodes
from theory_jax.lectures.diffusion._schedules import introduce_step
from theory_jax.lectures.diffusion.reverse_process import in_the_noise, markov, posterior_law
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="The ELBO of a diffusion model: a chain of Gaussian divergences",
    lectures=(26,),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, eq. 3, 5 and 13",
        "Sohl-Dickstein, Weiss, Maheswaranathan & Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
        "Luo 2022, Understanding Diffusion Models: A Unified Perspective",
    ),
    question="A diffusion model walks from pure noise back to the data. The probability of an image is a sum over all walks "
    "that end in it, too many to add up: the likelihood that one would maximize cannot be computed. Which quantity that can be "
    "computed bounds it, and why is it a sum of one small term for each step?",
    setting=(
        r"The forward process is fixed: $q(x_{1:T}|x_0)$ is the product $q(x_1|x_0)\, q(x_2|x_1) \cdots q(x_T|x_{T-1})$. The "
        r"model is a Markov chain backward: $p(x_{0:T})$ is the product $p(x_T)\, p(x_{T-1}|x_T) \cdots p(x_0|x_1)$, positive "
        r"wherever $q$ is, and starts from $\mathcal{N}(0, I)$.",
        "The bound and its terms are derived for all Markov chains with two states a level and three steps; for densities the "
        "sums are integrals, and a longer chain has more terms of the same kind. Then the Gaussians are put in. One coordinate "
        "is written; for vectors, divergences of independent coordinates add up.",
    ),
    limits=(
        "Whether the best model with Gaussian steps has a small gap is not shown here; the lecture on the reverse process shows "
        "that it has, for small steps.",
        "In the first step there is no divergence to write: given $x_0$ the step back is a point mass. Its term is the decoder.",
    ),
)


@derivation.figure(
    "Data that are $-1$ or $1$, with the best network and a cosine schedule. Left: the terms of the bound for 16 steps and the "
    "small variance; the first bar is $L_0$, the last $L_T$. Right: the whole bound. With the small variance it falls toward "
    r"$\log 2$, the entropy of the data; the large one suits standard normal data, not these data.",
    panels=2,
)
def terms_and_bound(left, right):
    draw_bounds(left, right)


z = derivation.index("x_{1:T}", "a whole walk, from the first noisy value to the last")
q_walk = derivation.law("q({}|x_0)", z, "the forward process, as the distribution of a walk")
joint = derivation.numbers("p(x_0,{})", z, "the model's probability of a walk that ends in $x_0$", positive=True)
evidence = derivation.define("p(x_0)", Total(z, joint), "the probability of the data", positive=True)
p_walk = derivation.define("p({}|x_0)", joint / evidence, "the model's distribution of the walk, given its end", over=z, law=True)
bound = derivation.define("L(x_0)", Expectation(q_walk, log(q_walk / joint)), "the bound", "elbo_terms, summed over a row")

gap = derivation.chain(
    "The bound exceeds minus the log-likelihood by a divergence",
    -log(evidence),
    equals(Expectation(q_walk, -log(evidence)), "the expectation of a constant"),
    equals(
        Expectation(q_walk, log(p_walk / joint)),
        prose("the definition of the conditional distribution, {it} for every walk", it=holds(evidence, "=", joint / p_walk)),
    ),
    equals(Expectation(q_walk, plus(log(q_walk / joint), -log(q_walk / p_walk))), "multiply and divide by the forward process"),
    equals(plus(bound, -Divergence(q_walk, p_walk)), "the expectation of a sum; the second term is a divergence by definition"),
    at_most(
        bound,
        prose("add the divergence (Gibbs); equality if and only if {same} for every walk", same=where(q_walk, p_walk)),
        adding=gibbs.at(q_walk, p_walk),
    ),
    role="lemma",
    so="This is the bound of every model with a latent variable; here the latent variable is the walk, and the encoder is "
    "fixed: unlike in a variational autoencoder there is nothing in it to train.",
)

x1 = derivation.index("x_1", "the value after one step")
x2 = derivation.index("x_2", "the value after two")
x3 = derivation.index("x_3", "the value at the end, after three")
q1 = derivation.law("q({}|x_0)", x1, "the first step forward")
q2 = derivation.law("q({}|{})", (x2, x1), "the second step forward")
q3 = derivation.law("q({}|{})", (x3, x2), "the third step forward")
p3 = derivation.law("p({})", x3, "what the model starts from")
p2 = derivation.law("p({}|{})", (x2, x3), "the model's first step")
p1 = derivation.law("p({}|{})", (x1, x2), "the model's second step")
p0 = derivation.numbers("p(x_0|{})", x1, "the model's last step, the decoder", positive=True)
m2 = derivation.define("q({}|x_0)", Total(x1, q1 * q2), "two steps at once", over=x2, positive=True)
m3 = derivation.define("q({}|x_0)", Total(x2, m2 * q3), "three steps at once", over=x3, positive=True)
back1 = derivation.define("q({}|{},x_0)", q1 * q2 / m2, "the step back to $x_1$, given the data", over=(x1, x2), positive=True)
back2 = derivation.define("q({}|{},x_0)", m2 * q3 / m3, "the step back to $x_2$, given the data", over=(x2, x3), positive=True)


def _walks(body):
    return Expectation(q1, Expectation(q2, Expectation(q3, body)))


_TERMS = (
    Divergence(m3, p3),
    Expectation(m3, Divergence(back2, p2)),
    Expectation(m2, Divergence(back1, p1)),
    Expectation(q1, -log(p0)),
)
terms = derivation.chain(
    "One term for each step",
    _walks(log(q1 * q2 * q3 / (p3 * p2 * p1 * p0))),
    equals(
        _walks(plus(-log(p3), log(q3 / p2), log(q2 / p1), log(q1 / p0))),
        "the logarithm of a product; each step forward is paired with the model's step at the same place",
    ),
    equals(
        _walks(plus(-log(p3), log(back2 / p2), log(m3 / m2), log(back1 / p1), log(m2 / q1), log(q1 / p0))),
        prose(
            "the Markov property and Bayes' rule turn a step around: {second} and {third}",
            second=holds(q2, "=", back1 * m2 / q1, wrong={"the levels exchanged": back1 * q1 / m2}),
            third=holds(q3, "=", back2 * m3 / m2),
        ),
    ),
    equals(
        _walks(plus(log(m3 / p3), log(back2 / p2), log(back1 / p1), -log(p0))),
        r"telescope: of the marginal distributions only $q(x_3|x_0)$ is left",
    ),
    equals(
        plus(*_TERMS),
        "each term contains one or two of the values; the inner expectation over $x_{t-1}$, given $x_t$ and $x_0$, is a "
        "divergence",
        wrong={"averaged, not added": plus(*_TERMS) / 4},
    ),
    states=2,
    central=True,
    uses=(gap, markov),
    so="The last line is $L_T$, the $L_{t-1}$ for $t$ from $T$ down to 2, and $L_0$. None needs a whole walk: training may draw "
    "one $t$ and one $x_t$ in a single jump from $x_0$. Without Bayes' rule one would have to compare $q(x_t|x_{t-1})$ with "
    "$p(x_{t-1}|x_t)$, two distributions of different variables, by sampling.",
)

derivation.answer = prose(
    r"For every model, {negative} is at most the bound $L(x_0)$, a sum $L_T + L_{T-1} + \dots + L_0$. The first term compares "
    "the end of the forward process with the noise from which the model starts, the last is the decoder's expected error, and "
    "each $L_{t-1}$ is the expected divergence between two Gaussians: the step back that knows the data, and the model's step. "
    "The bound is too large by a divergence, that of the walks of $q$ from those of the model, given $x_0$: {gap}.",
    negative=-log(evidence),
    gap=holds(plus(bound, log(evidence)), "=", Divergence(q_walk, p_walk), wrong={"turned over": Divergence(p_walk, q_walk)}),
)
derivation.say(
    "Averaged over the data, the same bound shows what the model should learn: the true steps back, which are not given the "
    "data. Here the data vary, too, and there are two steps."
)
x0 = derivation.index("x_0", "the data, as a variable")
data = derivation.law("q({})", x0, "the distribution of the data")
first = derivation.law("q({}|{})", (x1, x0), "the first step forward, from every value of the data")
decoder = derivation.law("p({}|{})", (x0, x1), "the decoder, for every value of the data")
start2 = derivation.law("p({})", x2, "what a model of two steps starts from")
true1 = derivation.define("q({})", Total(x0, data * first), "the distribution of $x_1$", over=x1, law=True)
true2 = derivation.define("q({})", Total(x1, true1 * q2), "the distribution of $x_2$", over=x2, law=True)
step1 = derivation.define("q({}|{})", true1 * q2 / true2, "the true step back to $x_1$", over=(x1, x2), law=True)
step0 = derivation.define("q({}|{})", data * first / true1, "the true step back to $x_0$", over=(x0, x1), law=True)


def _all_walks(body):
    return Expectation(data, Expectation(first, Expectation(q2, body)))


_EXCESS = Divergence(true2, start2), Expectation(true2, Divergence(step1, p1)), Expectation(true1, Divergence(step0, decoder))
_BOTH_MODELS = start2 * p1 * decoder
average_bound = derivation.chain(
    "On average the bound is an entropy plus what the model misses of the true steps",
    _all_walks(log(first * q2 / _BOTH_MODELS)),
    equals(plus(Entropy(data), _all_walks(log(data * first * q2 / _BOTH_MODELS))), r"multiply and divide by $q(x_0)$"),
    equals(
        plus(Entropy(data), _all_walks(log(true2 * step1 * step0 / _BOTH_MODELS))),
        "a Markov chain is one in both directions: the same joint distribution, written backward",
    ),
    equals(plus(Entropy(data), *_EXCESS), "the logarithm of a product, and the inner expectations"),
    at_least(
        Entropy(data),
        "leave out three divergences (Gibbs); equality if and only if the model starts and steps as the reversed forward "
        "process does",
        dropping=plus(
            gibbs.at(true2, start2), Expectation(true2, gibbs.at(step1, p1)), Expectation(true1, gibbs.at(step0, decoder))
        ),
    ),
    states=2,
)

derivation.say("Now the Gaussians. Every divergence in the bound is one of two Gaussians, and so has a closed form.")
x = derivation.number("x", "a point on the line")
m = derivation.number("m", "the mean of the first Gaussian", "mean_q")
v = derivation.number("v", "its variance", "e^log_var_q", positive=True)
n = derivation.number("n", "the mean of the second Gaussian", "mean_p")
w = derivation.number("w", "its variance", "e^log_var_p", positive=True)
derivation.bridge(
    "The code computes the divergence of two Gaussians",
    times(Rational(1, 2), plus(log(w / v), (v + (m - n) ** 2) / w, -1)),
    gaussian_kl,
    mean_q=[[m]],
    log_var_q=[[log(v)]],
    mean_p=[[n]],
    log_var_p=[[log(w)]],
    wrong={"arguments swapped": Divergence(Normal(x, n, w), Normal(x, m, v))},
)
a_end = derivation.number(r"\bar\alpha_T", "the signal's share at the end", "alpha_bar[-1]", between=(0, 1))
start = derivation.number("x_0", "the data, a number", "x0")
first_term = derivation.chain(
    "The first term has no parameter",
    Divergence(Normal(x, times(sqrt(a_end), start), 1 - a_end), Normal(x, 0, 1)),
    equals(
        times(Rational(1, 2), plus(a_end * start**2, -a_end, -log(1 - a_end))),
        "the divergence of two Gaussians; the second has the mean 0, and the logarithm of its variance is 0",
        wrong={"a variance left out": times(Rational(1, 2), plus(a_end * start**2, -log(1 - a_end)))},
    ),
    so=prose(
        r"The schedule alone decides how much the model's start differs from the end of the forward process. As $\bar\alpha_T$ "
        "goes to 0, so does this term: its limit is {limit}.",
        limit=holds(Limit(times(Rational(1, 2), plus(a_end * start**2, -a_end, -log(1 - a_end))), a_end, 0), "=", 0, named=True),
    ),
    uses=(gaussian_divergence,),
)
derivation.bridge(
    "The code computes it, too",
    times(Rational(1, 2), plus(a_end * start**2, -a_end, -log(1 - a_end))),
    prior_kl,
    x0=[start],
    alpha_bar=[1, a_end],
)
_step = introduce_step(derivation)
alpha, beta, a_t, tilde = _step.alpha, _step.beta, _step.a_t, _step.tilde
x_t = derivation.number("x_t", "the noisy value", "x_t")
x_prev = derivation.number("x_{t-1}", "the value before step $t$")
predicted = derivation.number(r"\hat\epsilon", "the noise that the network predicts", "noise_pred")
mu = derivation.define(
    r"\tilde\mu_t",
    plus(times(_step.kappa, start), times(_step.rho, x_t)),
    "the mean of the step back, given $x_0$",
    "posterior_mean",
)
model_mean = derivation.define(
    r"\mu_\theta",
    times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), predicted))),
    "the mean of the model's step",
    "reverse_mean_from_noise",
)
derivation.say(
    r"A term between the first and the last compares $\mathcal{N}(\tilde\mu_t, \tilde\beta_t)$ with the model's "
    r"$\mathcal{N}(\mu_\theta, \sigma_t^2)$, where $\sigma_t^2$ is one of the two fixed variances, $\beta_t$ or "
    r"$\tilde\beta_t$. With the second only the distance of the means counts."
)
for _variance, _second, _other in (("large", beta, tilde), ("small", tilde, beta)):
    derivation.bridge(
        f"The code computes it with the {_variance} variance",
        (log(_second / tilde) + tilde / _second - 1 + (mu - model_mean) ** 2 / _second) / 2,
        denoising_kl,
        x0=[start],
        x_t=[x_t],
        t=[2],
        noise_pred=[predicted],
        alpha_bar=[1, _step.before, _step.before * alpha],
        variance=_variance,
        wrong={
            "the other variance": plus(log(_other / tilde), tilde / _other, -1, (mu - model_mean) ** 2 / _other) / 2,
            "the half forgotten": plus(log(_second / tilde), tilde / _second, -1, (mu - model_mean) ** 2 / _second),
        },
        uses=(gaussian_divergence, posterior_law, in_the_noise),
    )

_NAMED = [
    derivation.define(rf"\log \mathcal{{N}}({name})", Normal(at, mean, variance).log_density(at), meaning)
    for name, at, mean, variance, meaning in (
        ("x_{t-1}; 0, 1", x_prev, 0, 1, "the data, and so every value"),
        (r"x_t; \sqrt{\alpha_t} x_{t-1}, \beta_t", x_t, times(sqrt(alpha), x_prev), beta, "a step forward"),
        ("x_t; 0, 1", x_t, 0, 1, "the value after it"),
        (r"x_{t-1}; \sqrt{\alpha_t} x_t, \beta_t", x_prev, times(sqrt(alpha), x_t), beta, "a step back"),
    )
]
derivation.say("A case with no gap: standard normal data, for which every $x_t$ is standard normal, too.")
derivation.chain(
    "For standard normal data a step back looks like a step forward",
    plus(*_NAMED[:2]),
    equals(
        plus(-log(4 * pi**2 * beta) / 2, -plus(x_prev**2, -times(2, sqrt(alpha), x_prev, x_t), x_t**2) / (2 * beta)),
        prose("{sum}: the exponent is symmetric in both values", sum=holds(1 + alpha / beta, "=", 1 / beta)),
    ),
    equals(plus(*_NAMED[2:]), "the same with the values exchanged"),
    role="lemma",
    so=r"So $q(x_{t-1}|x_t)$ is $\mathcal{N}(\sqrt{\alpha_t}\, x_t, \beta_t)$.",
)
derivation.chain(
    "With the best prediction the model takes that step back",
    times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), times(sqrt(1 - a_t), x_t)))),
    equals(
        times(1 / sqrt(alpha), 1 - beta, x_t),
        r"the best prediction, $\mathbb{E}[\epsilon|x_t]$, is $\sqrt{1 - \bar\alpha_t}\, x_t$, and the root cancels",
    ),
    equals(times(sqrt(alpha), x_t), prose("{kept}", kept=holds(1 - beta, "=", alpha))),
    role="lemma",
    so=r"With the large variance, and a Gaussian decoder of variance $\beta_1$, the model is then the forward process, walk by "
    "walk, and the gap is zero for every $x_0$. With the small variance it is not, as the example shows.",
)
derivation.symbol(r"\mathbb{E}", "the expectation over the noises")
derivation.symbol(r"\Phi", "the standard normal distribution function")
derivation.symbol("h", "half of a cell, $1/(K - 1)$")
derivation.symbol("K", "the number of gray levels", "num_levels")
derivation.symbol("k", "one of them, from 0")


@derivation.numeric(
    r"\mathbb{E}\left[L_T + \sum_{t=2}^{T} L_{t-1} + L_0\right] = \frac{1}{2} \left(x_0^2 + \log 2\pi\right)",
    tolerance=1e-8,
    since="the decoder is a cell of width 2^-15, and its probability that width times the density up to the square of it",
    because="The code's terms for this model, with four steps, are averaged over the noise by Gauss-Hermite quadrature. Its "
    "decoder gives the probability of a cell, which is divided by the cell's width.",
    role="remark",
)
def the_bound_is_tight_for_normal_data():
    alpha_bar, num_levels = jnp.array([1.0, 0.9, 0.66, 0.37, 0.15]), 2**16 + 1
    slopes = jnp.sqrt(1 - alpha_bar)
    data = jnp.array([-0.75, 0.5])
    rows = jnp.stack([expected_terms(x, lambda x, t: slopes[t] * x, alpha_bar, num_levels=num_levels) for x in data])
    return Sides(
        left=rows.sum(axis=1) + math.log(2 / (num_levels - 1)),
        right=(data**2 + math.log(2 * math.pi)) / 2,
        wrong={"the mean of the terms": rows.mean(axis=1), "no decoder": rows[:, 1:].sum(axis=1)},
    )


@derivation.exact(
    r"\sum_{k=0}^{K - 1} p\left(x_0 = -1 + \frac{2k}{K - 1} \,\middle|\, x_1\right) = 1",
    because="The decoder gives each of the $K$ values the probability of its cell. Neighboring cells share an edge, and the two "
    "outer ones reach to infinity, so the sum telescopes to $1 - 0$ for every distribution function. So $L_0$ is the error of a "
    "distribution over the values, even for a mean outside of $[-1, 1]$, and $L$ is a bound in nats per image. All values are "
    "summed for 17 levels, four means and three variances.",
    outcomes=17 * 12,
    role="lemma",
)
def the_decoder_is_normalized():
    values = np.arange(17) / 8 - 1
    means, log_vars = (jnp.asarray(a.ravel()) for a in np.meshgrid([-1.4, -0.3, 0.001, 1.7], [-5.0, -2.0, 1.0]))
    pairs = [jnp.tile(a, 17) for a in (means, log_vars)]
    log_probs = discretized_gaussian_log_prob(jnp.repeat(jnp.asarray(values), means.size), *pairs, num_levels=17)
    deviation = np.exp(np.asarray(log_vars) / 2)
    edges = (values[:, None] - np.asarray(means)) / deviation
    quarter = 1 / 32 / deviation
    narrow = (ndtr(edges + quarter) - ndtr(edges - quarter)).sum(axis=0)
    return Sides(
        left=jnp.sum(jnp.exp(log_probs).reshape(17, 12), axis=0), right=jnp.ones(12), wrong={"cells of half the width": narrow}
    )


derivation.figure(
    prose(
        "Left: the decoder of eight gray levels. Each has the area of its cell under a Gaussian (a bar has the width of a "
        "cell); the two outer cells reach to infinity. Right: the bound as a code of data that are $-1$ or $1$, in 16 steps: "
        "the first term {prior} is nearly free where {end} is near 0, and each further one lowers the error of the best guess "
        "of the data.",
        prior=holds(
            Divergence(Normal(x, times(sqrt(a_end), start), 1 - a_end), Normal(x, 0, 1)),
            "=",
            times(Rational(1, 2), plus(a_end * start**2, -a_end, -log(1 - a_end))),
            named=True,
        ),
        end=a_end,
    ),
    panels=2,
)(draw_cells_and_code)


_LEVELS = jnp.array([1.0, 0.81, 0.5184])
_NODES, _WEIGHTS = nodes(5)
_ONES, _TWOS = jnp.ones(5), np.full(5, 2)
_X_1, _X_2 = (forward_sample(_ONES, np.full(5, t), _NODES, _LEVELS) for t in (1, 2))  # x_0 is 1


def _two_steps(variance):
    """L_2, L_1 and L_0 at x_0 = 1 of the best network for standard normal data, with a Gaussian decoder of variance beta_1."""
    middle = _WEIGHTS @ denoising_kl(_ONES, _X_2, _TWOS, 0.4816**0.5 * _X_2, _LEVELS, variance=variance)
    decoder = _WEIGHTS @ ((1 - 0.9 * _X_1) ** 2 / (2 * 0.19) + math.log(2 * math.pi * 0.19) / 2)
    return jnp.stack([prior_kl(_ONES[:1], _LEVELS)[0], middle, decoder])


@derivation.algorithm(
    "The bound for one data point, estimated",
    do(r"$L_T \leftarrow \mathrm{KL}(q(x_T|x_0) \,\|\, p(x_T))$", prior_kl, by=first_term),
    do(r"for $t = T, \dots, 1$, with $\epsilon \sim \mathcal{N}(0, 1)$ and the prediction $\hat\epsilon$ at $x_t$:"),
    do(r"$x_t \leftarrow \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$", indent=1),
    do(
        r"$L_{t-1} \leftarrow \mathrm{KL}(q(x_{t-1}|x_t, x_0) \,\|\, p(x_{t-1}|x_t))$ if $t > 1$",
        denoising_kl,
        by=terms,
        indent=1,
    ),
    do(r"$L_0 \leftarrow -\log p(x_0|x_1)$ if $t = 1$", discretized_gaussian_log_prob, by=the_decoder_is_normalized, indent=1),
    do(r"return $L_T + \dots + L_0$: its expectation is the bound", elbo_terms, by=terms),
)
def one_estimate():
    yield from estimate(_LEVELS, prior_kl, denoising_kl, discretized_gaussian_log_prob, elbo_terms)


@derivation.example(
    "Two steps with noise of variance 0.19 and 0.36, for the data point 1. The network is the best one for standard normal "
    r"data, and the decoder is Gaussian with variance $\beta_1$. With the large variance the bound is tight; with the small one "
    r"the model gives $x_0$ the variance 0.82344, and the bound misses $-\log p(1)$ by the gap."
)
def two_steps():
    large, small = _two_steps("large"), _two_steps("small")
    yield r"(L_2, L_1, L_0)", large, "(0.3653, 0.4650, 0.5886)"
    yield r"L_2 + L_1 + L_0", large.sum(), "1.4189"
    yield r"-\log \mathcal{N}(1; 0, 1)", (1 + math.log(2 * math.pi)) / 2, "1.4189"
    yield r"L_1\ \text{with the small variance}", small[1], "0.7674"
    likelihood = (1 / 0.82344 + math.log(2 * math.pi * 0.82344)) / 2
    yield r"-\log p(1)\ \text{then}", likelihood, "1.4290"
    yield r"\text{the gap}", small.sum() - likelihood, "0.2922"


@derivation.numeric(
    r"\log p(x_0 = -1 | x_1) = \log \Phi\left(\frac{-1 + h - m}{\sqrt{v}}\right)",
    because=r"$\Phi$ is the normal distribution function and $h$ half a cell. The probability of a value far from the mean "
    "underflows, so its logarithm is never computed from it. Here $m$ is 1 and the deviation 0.02, almost 100 deviations from "
    "the cell; SciPy's logarithm of the distribution function is on the right.",
    role="appendix",
)
def the_decoders_tail():
    got = discretized_gaussian_log_prob(-jnp.ones((1, 1)), jnp.ones((1, 1)), jnp.full((1, 1), 2 * math.log(0.02)), num_levels=17)
    edge = (-2 + 1 / 16) / 0.02
    return Sides(left=got, right=np.array([log_ndtr(edge)]), wrong={"a clamped probability": np.array([math.log(1e-12)])})
