"""Training a VAE: what the linear case knows about collapse.

The lecture on the functions of theory_jax/latent/vae_training.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Max, Min, Mod, Rational, log, oo, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.latent.vae_training import (
    cyclical_kl_weight,
    free_bits_kl,
    kl_per_dimension,
    latent_activity,
    linear_kl_weight,
    linear_vae_negative_elbo,
)
from theory_jax.lectures.latent.vae import exact_case
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Training a VAE: what the linear case knows about collapse",
    lectures=(20,),
    sources=(
        "Lucas, Tucker, Grosse & Norouzi 2019, Don't blame the ELBO! A linear VAE perspective on posterior collapse",
        "Tipping & Bishop 1999, Probabilistic principal component analysis",
        "Bowman et al. 2016, Generating sentences from a continuous space: the warm-up of the KL",
        "Fu et al. 2019, Cyclical annealing schedule",
        "Kingma et al. 2016, Improved variational inference with inverse autoregressive flow: free bits",
        "Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders: active units",
    ),
    question="A VAE is trained, and some of its latents end exactly on the prior: they say nothing about the image. When is "
    "the loss to blame, when the way that it is descended, and what do warm-up and free bits change?",
    setting=(
        r"The linear VAE: $p(x|z) = \mathcal{N}(Wz + \mu, sI)$ and $q(z|x) = \mathcal{N}(V(x - \mu), \mathrm{diag}\, t)$, "
        r"where $\mu$ is the mean of the data. It is the one VAE whose loss, likelihood and posterior are all known.",
        r"In the chains $x$ and $z$ have one dimension: the numbers $w$ and $V$ are the weights of decoder and encoder, $t$ is "
        r"the variance of the encoder, and the data have mean 0 and variance $\lambda$. That is what happens along one "
        r"principal direction of data in many dimensions; the steps about many dimensions say so.",
        r"Collapse is $w = V = 0$, $t = 1$: the encoder is the prior, and the decoder does not listen.",
    ),
    answer=r"The linear VAE's loss has collapse as a stationary point for every noise variance $s$. It is a saddle while $s < "
    r"\lambda$, and the global minimum from $s = \lambda$ on: a decoder that may explain the data as noise needs no latent. A "
    r"weight below 1 on the rate acts like less noise, and a floor under the rate removes the pull to the prior.",
    limits=(
        "Decoders that are not linear, and which of several minima training finds.",
        "That a diagonal encoder is no restriction: in many dimensions it is one unless the columns of W are orthogonal.",
    ),
)

# ---------------------------------------------------------------------------------------------------- the linear VAE

x = derivation.number("x", "an observation", "x")
lam = derivation.number(r"\lambda", "the variance of the data", positive=True)
s = derivation.number("s", "the variance of the decoder", "e^decoder_log_var", positive=True)
w = derivation.number("w", "the decoder's weight", "weight")
V = derivation.number("V", "the encoder's weight", "encoder_weight")
t = derivation.number("t", "the encoder's variance", "e^posterior_log_var", positive=True)
c = derivation.define("c", plus(w**2, s), "the variance of the model's data", positive=True)
half = Rational(1, 2)
fit = plus(log(2 * pi * s), plus(lam * (1 - w * V) ** 2, w**2 * t) / s)
rate = plus(lam * V**2, t, -1, -log(t))
loss = derivation.define(r"\mathcal{L}", times(half, plus(fit, rate)), "the average loss", "linear_vae_negative_elbo")
derivation.chain(
    "The average loss of a linear VAE",
    Expectation(
        Normal(x, 0, lam),
        plus(-LogDensity(x, times(w, V, x), s), w**2 * t / (2 * s), times(half, plus((V * x) ** 2, t, -1, -log(t)))),
    ),
    equals(
        loss,
        r"the loss of one $x$ is that of the exact case with mean $Vx$; averaged, $x^2$ becomes $\lambda$. No other moment "
        r"enters, so this holds for all data with mean 0 and variance $\lambda$",
        wrong={"the spread of z forgotten": loss - w**2 * t / (2 * s)},
    ),
    role="lemma",
    uses=(exact_case,),
)
derivation.bridge(
    "The code's loss",
    loss,
    linear_vae_negative_elbo,
    x=[[sqrt(lam)]],
    weight=[[w]],
    decoder_mean=jnp.zeros(1),
    decoder_log_var=log(s),
    encoder_weight=[[V]],
    posterior_log_var=[log(t)],
    wrong={"the logarithm of the variance not halved": loss + log(s) / 2},
)


def _scalar_loss(lam, w, V, t, s):
    """The loss of one observation of one dimension whose square is the variance of the data: [1]."""
    one = jnp.ones((1, 1))
    return linear_vae_negative_elbo(jnp.sqrt(lam) * one, w * one, jnp.zeros(1), jnp.log(s), V * one, jnp.log(t) * one[0])


central = derivation.chain(
    "The loss is the surprise of the data, plus two gaps: of the encoder, and of the decoder",
    loss,
    equals(
        plus(
            times(half, plus(log(2 * pi * c), lam / c)), times(half, tangent.at(t * c / s)), lam * c / (2 * s) * (V - w / c) ** 2
        ),
        r"the first term is $-\mathbb{E} \log \mathcal{N}(x; 0, c)$; the others are the divergence from the posterior "
        r"$\mathcal{N}(wx/c, s/c)$, which the lecture on the VAE has as a gap of the logarithm and a square",
    ),
    at_least(
        times(half, plus(log(2 * pi * c), lam / c)),
        r"leave out the encoder's gap; zero at the exact posterior, $V = w/c$ and $t = s/c$",
        dropping=plus(tangent.at(t * c / s) / 2, lam * c / (2 * s) * (V - w / c) ** 2),
    ),
    equals(
        plus(times(half, plus(log(2 * pi * lam), 1)), times(half, tangent.at(lam / c))),
        r"$\log c = \log \lambda - \log \frac{\lambda}{c}$",
    ),
    at_least(
        times(half, plus(log(2 * pi * lam), 1)),
        r"leave out the decoder's gap; zero if and only if $c = \lambda$, that is $w^2 = \lambda - s$, which needs $s \le "
        r"\lambda$",
        dropping=tangent.at(lam / c) / 2,
    ),
    uses=(exact_case,),
    central=True,
    so=r"While $s \le \lambda$ the best linear VAE is the data's own Gaussian, with the exact posterior: the bound is tight "
    r"where the likelihood is best, so the bound alone makes no latent collapse.",
)

# ---------------------------------------------------------------------------------------------------- collapse

for words, parameter, slope, reason in (
    ("the decoder's weight", w, plus(w * (lam * V**2 + t), -lam * V) / s, "every term contains $w$ or $V$: zero at $w = V = 0$"),
    (
        "the encoder's weight",
        V,
        plus(lam * V, -lam * w * (1 - w * V) / s),
        "every term contains $w$ or $V$: a decoder that does not listen leaves the encoder nothing to gain",
    ),
    ("the encoder's variance", t, times(half, plus(1, w**2 / s, -1 / t)), "zero at $w = 0$, $t = 1$, whatever $s$ is"),
):
    derivation.chain(f"Collapse is stationary: the slope in {words}", Slope(loss, parameter), equals(slope, reason), role="lemma")
at_unit = times(half, plus(log(2 * pi * s), plus(lam * (1 - w * V) ** 2, w**2) / s, lam * V**2))
collapsed = times(half, plus(log(2 * pi * s), lam / s))
derivation.chain(
    "Around collapse the loss is a quadratic form, whose sign is that of the noise against the data",
    plus(at_unit, -collapsed),
    equals(
        plus(w**2 / (2 * s), -lam * w * V / s, lam * V**2 / 2, lam * w**2 * V**2 / (2 * s)),
        r"at $t = 1$: what the noise of $z$ costs, what the reconstruction gains, what the rate costs, and a term of fourth "
        r"order",
    ),
    equals(
        plus(lam / 2 * (V - w / s) ** 2, (s - lam) * w**2 / (2 * s**2), lam * w**2 * V**2 / (2 * s)), "complete the square in $V$"
    ),
    so=r"For $s < \lambda$ the loss falls along $V = w/s$: a saddle, which gradient descent from a random start leaves. The "
    r"quadratic form has determinant $\frac{\lambda}{s}\left(1 - \frac{\lambda}{s}\right)$.",
)
excess = derivation.number(r"\delta", r"by how much the noise exceeds the variance of the data", nonnegative=True)
noisy = plus(lam, excess)
wide = plus(w**2, lam, excess)
derivation.chain(
    "From the variance of the data on, collapse is the best that the model can do",
    plus(times(half, plus(log(2 * pi * wide), lam / wide)), -times(half, plus(log(2 * pi * noisy), lam / noisy))),
    equals(
        plus(times(half, tangent.at(noisy / wide)), w**2 * excess / (2 * wide * noisy)),
        r"$\log \frac{c}{s} = 1 - \frac{s}{c} + \left(\frac{s}{c} - 1 - \log \frac{s}{c}\right)$ with $s = \lambda + \delta$ "
        r"and $c = w^2 + s$; the rest is $\frac{w^2}{2c}\left(1 - \frac{\lambda}{s}\right)$",
    ),
    at_least(
        0,
        r"leave out both; zero only at $w = 0$",
        dropping=plus(times(half, tangent.at(noisy / wide)), w**2 * excess / (2 * wide * noisy)),
    ),
    uses=(central,),
    so=r"The first line is the surprise with $w$ minus that without, and no loss is below its surprise. In many dimensions the "
    r"same holds for every eigenvalue of $WW^\top + sI$, with the largest eigenvalue of the data's covariance in the place of "
    r"$\lambda$. So learn the noise, or start it small.",
)

_random = np.random.default_rng(20)
_DATA, _PIXELS, _LATENTS = 40, 5, 2
_x = jnp.array(_random.normal(size=(_DATA, _PIXELS)) * np.array([2.0, 1.5, 0.8, 0.6, 0.5]) @ _random.normal(size=(5, 5)) + 0.7)
_mu = _x.mean(axis=0)
_eigenvalues, _eigenvectors = np.linalg.eigh(np.cov(_x.T, bias=True))  # ascending
_s = _eigenvalues[:-_LATENTS].mean()
_COLLAPSED_SIZE = 2 * _PIXELS * _LATENTS + _LATENTS
derivation.symbol("p(z|x), q(z|x)", "the posterior of the latents, and the encoder's distribution")
derivation.symbol("W", "the decoder's weights, in many dimensions", "weight")
derivation.symbol(r"\mu", "the mean of the data", "decoder_mean")
derivation.symbol("I", "the unit matrix")
derivation.symbol(r"\lambda_d", "the eigenvalues of the data's covariance (with $1/N$), in falling order")
derivation.symbol("U_L, L", "the eigenvectors of the $L$ largest; $L$ is the number of latents")
derivation.symbol("x_n, N", "the data")


@derivation.numeric(
    r"-\mathrm{ELBO}(x) = -\log\mathcal{N}(x; \mu, W W^\top + s I) + \mathrm{KL}(q(z|x)\,\|\,p(z|x))",
    because="Five dimensions and two latents. On the right are the full covariance of the model and that of the posterior, $s "
    "(W^\\top W + sI)^{-1}$, which is not diagonal; on the left the code, in closed form and without a sample.",
    uses=(central,),
)
def the_loss_is_surprise_plus_gap():
    weight, encoder_weight = (jnp.array(_random.normal(size=shape)) for shape in ((_PIXELS, _LATENTS), (_LATENTS, _PIXELS)))
    mu, log_s, v = jnp.array(_random.normal(size=_PIXELS)), jnp.array(-0.4), jnp.array([-0.8, 0.3])
    m = weight.T @ weight + jnp.exp(log_s) * jnp.eye(_LATENTS)
    precision = m / jnp.exp(log_s)
    offset = (_x - mu) @ (encoder_weight - jnp.linalg.solve(m, weight.T)).T
    quadratic = jnp.einsum("bi,ij,bj->b", offset, precision, offset)
    spread = jnp.exp(v) @ jnp.diag(precision)
    gap = 0.5 * (spread + quadratic - _LATENTS - jnp.linalg.slogdet(precision)[1] - v.sum())
    surprise = -_log_marginal(weight, mu, log_s)
    wrong = {"the gap forgotten": surprise, "the variances forgotten": surprise + gap - 0.5 * spread}
    return Sides(left=linear_vae_negative_elbo(_x, weight, mu, log_s, encoder_weight, v), right=surprise + gap, wrong=wrong)


@derivation.autodiff(
    r"\nabla_{W, \mu, \log s, V, \log t}\ \frac{1}{N}\sum_n -\mathrm{ELBO}(x_n) = 0 \quad\text{at}\quad W = U_L\, "
    r"\mathrm{diag}\left(\sqrt{\lambda_d - s}\right),\ s = \frac{1}{5 - L} \sum_{d > L} \lambda_d",
    because="This is the maximum of the likelihood of probabilistic PCA. Its columns are orthogonal, so the posterior is "
    "diagonal and the bound is tight; where a bound touches, the gradients agree.",
    scale=1.0,
    tolerance=1e-12,
)
def principal_components_are_stationary():
    def gradient_at(s):
        largest = slice(-_LATENTS, None)
        weight = jnp.array(_eigenvectors[:, largest] * np.sqrt(_eigenvalues[largest] - s))
        m = jnp.sum(weight**2, axis=0) + s
        parts = jax.grad(_average_loss, argnums=(0, 1, 2, 3, 4))(weight, _mu, jnp.log(s), weight.T / m[:, None], jnp.log(s / m))
        return jnp.concatenate([jnp.ravel(part) for part in parts])

    gradient = gradient_at(_s)
    return Sides(
        left=gradient,
        right=jnp.zeros_like(gradient),
        wrong={"the smallest eigenvalue in place of the mean": gradient_at(_eigenvalues[0])},
    )


@derivation.autodiff(
    r"\mathrm{eigenvalues}\left(\nabla^2\ \frac{1}{N}\sum_n -\mathrm{ELBO}(x_n)\right)_{W=V=0,\, t=1} = \mathrm{eigenvalues} "
    r"\begin{pmatrix} 1/s & -\lambda_d/s \\ -\lambda_d/s & \lambda_d \end{pmatrix},\ \tfrac12",
    because="In many dimensions the quadratic form of one direction appears once for every eigenvalue of the covariance and "
    "every latent; the log-variances are apart, with curvature $\\frac12$. The eigenvalues of the code's Hessian are compared, "
    "at $s = 0.9 \\lambda_1$: each latent has at least one negative eigenvalue, since $\\lambda_1 > s$. So collapse is a local "
    "minimum only if $s \\ge \\lambda_1$.",
    scale=1.0,
)
def the_curvature_at_collapse():
    s = 0.9 * _eigenvalues[-1]
    measured = jnp.linalg.eigvalsh(jax.hessian(_collapsed_loss)(jnp.zeros(_COLLAPSED_SIZE), jnp.log(s)))

    def expected(gain):
        blocks = jnp.array([[[1 / s, -gain * value / s], [-gain * value / s, value]] for value in _eigenvalues])
        return jnp.sort(jnp.concatenate([jnp.tile(jnp.linalg.eigvalsh(blocks).ravel(), _LATENTS), jnp.full(_LATENTS, 0.5)]))

    return Sides(left=measured, right=expected(1.0), wrong={"the gain halved": expected(0.5)})


# ---------------------------------------------------------------------------------------------------- warm-up

beta = derivation.number(r"\beta", "the weight of the rate", positive=True)
a = derivation.define("a", plus(1, w**2 / (beta * s)), "what a latent carries against what it is charged", positive=True)
derivation.chain(
    "The best variance of a latent whose rate has a weight",
    plus(beta / 2 * plus(t, -1, -log(t)), w**2 * t / (2 * s)),
    equals(
        plus(beta / 2 * log(a), beta / 2 * tangent.at(a * t)),
        r"both terms in $t$ are $\frac{\beta}{2} a t$, and $\log t = \log at - \log a$",
        wrong={"the weight forgotten": log(a) / 2 + tangent.at(a * t) / 2},
    ),
    at_least(
        beta / 2 * log(a),
        r"leave out the gap of the logarithm; zero if and only if $t = \frac{1}{a}$",
        dropping=beta / 2 * tangent.at(a * t),
    ),
)
ratio = derivation.number("r", r"the ratio $w^2/s$ of a latent that is used", positive=True)
for words, place, limit, reason in (
    (
        "Warm-up starts as a deterministic autoencoder",
        0,
        0,
        r"$\frac{r}{\beta} \to \infty$: without a rate the best encoder has no noise, and every latent is used",
    ),
    (
        "... and a rate that is weighted without limit collapses everything",
        oo,
        1,
        r"$\frac{r}{\beta} \to 0$: with a heavy rate every latent has the variance of the prior",
    ),
):
    derivation.chain(words, Limit(1 / plus(1, ratio / beta), beta, place), equals(limit, reason), role="remark")
weighted = times(half, plus(fit, beta * rate))
swapped = times(half, plus(log(2 * pi * beta * s), plus(lam * (1 - w * V) ** 2, w**2 * t) / (beta * s), rate))
derivation.chain(
    "A weight on the rate is a change of the noise",
    weighted,
    equals(
        plus(times(beta, swapped), times(half, plus(log(2 * pi * s), -beta * log(2 * pi * beta * s)))),
        r"divide by $\beta$: what stands above $s$ now stands above $\beta s$. The last term contains no weight of the networks",
        wrong={
            "noise divided by the weight": plus(
                times(beta, swapped.subs(s, s / beta**2)), times(half, plus(log(2 * pi * s), -beta * log(2 * pi * s / beta)))
            )
        },
    ),
    so=r"So with the weight $\beta$ and a fixed $s$, networks are trained as in a plain VAE with noise $\beta s$: collapse is "
    r"a saddle while $\beta s < \lambda$. So warm-up starts where collapse is a saddle.",
)
n = derivation.number("n", "a step of training", "step", integer=True, nonnegative=True)
derivation.bridge(
    "The code's weight: a warm-up of 6 steps",
    Min(n / 6, 1),
    linear_kl_weight,
    step=[n],
    warmup_steps=6,
    wrong={"counted from 1": Min((n + 1) / 6, 1)},
)
derivation.bridge(
    "... and cycles of 4 steps, half of them rising",
    Min(Mod(n, 4) / 2, 1),
    cyclical_kl_weight,
    step=[n],
    cycle_length=4,
    wrong={"rising over the whole cycle": Mod(n, 4) / 4},
)
derivation.symbol(
    r"C, \rho", "the length of a cycle, and the fraction of it in which the weight rises", "cycle_length, ramp_fraction"
)


@derivation.exact(
    r"\#\left\{n < C : \min\left(\frac{n}{\rho C}, 1\right) = 1\right\} = C - \lceil \rho C \rceil",
    because="The weight is 1 from the first whole step at or after $\\rho C$. This is the fraction $1 - \\rho$ of the cycle "
    "only if $\\rho C$ is whole. Every length up to 12, with four ramps.",
    outcomes=48,
    role="remark",
)
def how_long_a_cycle_is_at_its_top():
    cases = [(length, ramp) for length in range(1, 13) for ramp in (0.25, 0.5, 0.75, 1.0)]
    at_top = [
        jnp.sum(cyclical_kl_weight(jnp.arange(length), cycle_length=length, ramp_fraction=ramp) == 1) for length, ramp in cases
    ]
    wrong = {"the fraction of the cycle": np.array([length * (1 - ramp) for length, ramp in cases])}
    return Sides(
        left=jnp.array(at_top, dtype=float),
        right=np.array([float(length - math.ceil(ramp * length)) for length, ramp in cases]),
        wrong=wrong,
    )


# ---------------------------------------------------------------------------------------------------- free bits and activity

l = derivation.index("l", "a latent")  # noqa: E741 (the lecture's letter)
L = derivation.count(l, "L", "how many there are")
R = derivation.numbers("R", l, "their rates", "kl_per_dimension", positive=True)
kappa = derivation.number(r"\kappa", "the floor under every rate", "minimum", positive=True)
derivation.chain(
    "A floor only ever overstates the rate",
    Total(l, Max(R, kappa)),
    equals(Total(l, plus(R, Max(kappa - R, 0))), r"$\max(R, \kappa) = R + \max(\kappa - R, 0)$", points=40),
    at_least(
        Total(l, R), "leave out what is missing to the floor; zero if no rate is below it", dropping=Total(l, Max(kappa - R, 0))
    ),
    so=r"So reconstruction minus the raised rate is still a bound of $\log p(x)$. In the same way it is at least $L \kappa$.",
)
derivation.bridge(
    "The code's rate with a floor",
    Total(l, Max(R, kappa)),
    free_bits_kl,
    kl_per_dimension=[R],
    minimum=kappa,
    wrong={"the floor applied to the sum": Max(Total(l, R), L * kappa)},
)
derivation.symbol("m_l", "the encoder's mean of a latent", "mean")


@derivation.autodiff(
    r"\frac{\partial}{\partial m_l} \sum_l \max(R_l, \kappa) = m_l\,\mathbf{1}[R_l > \kappa]",
    because="Below the floor the maximum is the constant $\\kappa$. The rate no longer pulls a latent back to the prior; the "
    "reconstruction alone decides whether it is used. Above it the slope is that of $\\frac12 m_l^2$.",
)
def free_latents_feel_no_rate():
    mean, log_var = (jnp.array(scale * np.random.default_rng(4).normal(size=(6, 3))) for scale in (0.9, 0.5))
    gradient = jax.grad(lambda mean: free_bits_kl(kl_per_dimension(mean, log_var), minimum=0.25).sum())(mean)
    above = 0.5 * (mean**2 + jnp.exp(log_var) - 1 - log_var) > 0.25
    return Sides(left=gradient, right=mean * above, wrong={"no floor": mean})


k = derivation.index("k", "an example")
N = derivation.count(k, "K", "how many examples there are")
mean = derivation.numbers("m", k, "the encoder's mean of one latent, for each example", "mean")
variance = derivation.numbers("t", k, "its variance", "e^log_var", positive=True)
average = derivation.define(r"\bar m", Total(k, mean) / N, "the average of the means")
activity = derivation.define("A", Total(k, (mean - average) ** 2) / N, "the activity of the latent", "latent_activity")
derivation.chain(
    "A latent is no more active than its rate allows",
    activity,
    equals(plus(Total(k, mean**2) / N, -(average**2)), "a variance is a mean square minus the square of the mean"),
    at_most(Total(k, mean**2) / N, "add the square of the average", adding=average**2),
    at_most(
        Total(k, plus(mean**2, variance, -1, -log(variance))) / N,
        r"add $t - 1 - \log t$ for each example",
        adding=Total(k, tangent.at(variance)) / N,
    ),
    so=r"The last line is twice the average rate. A rate of zero for every example makes a latent inactive; but one without "
    r"activity may still have a rate, with a mean that is off zero and never moves.",
)
derivation.bridge(
    "The code's activity",
    activity,
    latent_activity,
    mean=[[mean.at(example)] for example in range(4)],
    wrong={"divided by one example less": activity * N / (N - 1)},
)
derivation.bridge(
    "... and its rate of each latent",
    times(half, plus(mean**2, variance, -1, -log(variance))),
    kl_per_dimension,
    mean=[mean],
    log_var=[log(variance)],
)

# ---------------------------------------------------------------------------------------------------- in numbers

_best = {lam: 4, s: 1, w: sqrt(3), V: sqrt(3) / 4, t: Rational(1, 4)}


@derivation.example(
    r"Data of variance 4. With noise 1 the optimum is $w^2 = 3$, $V = \frac{\sqrt 3}{4}$, $t = \frac14$; then collapse, and "
    r"the eigenvalues of the quadratic form there. Then noise 5, at collapse and at $w = 1$ with the exact posterior."
)
def one_direction():
    yield r"\mathcal{L}\text{, optimum}", value(loss, _best), "2.1121"
    yield r"\tfrac12 (\log 2\pi\lambda + 1)", value(times(half, plus(log(2 * pi * lam), 1)), {lam: 4}), "2.1121"
    yield r"\mathcal{L}\text{, collapsed}", value(loss, {lam: 4, s: 1, w: 0, V: 0, t: 1}), "2.9189"
    yield r"\text{curvatures there}", np.linalg.eigvalsh(np.array([[1.0, -4.0], [-4.0, 4.0]])), "(-1.772, 6.772)"
    yield r"\mathcal{L}\text{, noise 5, collapsed}", value(loss, {lam: 4, s: 5, w: 0, V: 0, t: 1}), "2.1237"
    yield (
        r"\mathcal{L}\text{, noise 5, } w = 1",
        value(loss, {lam: 4, s: 5, w: 1, V: Rational(1, 6), t: Rational(5, 6)}),
        "2.1482",
    )


@derivation.figure(
    r"The average loss of data with variance 4 over both weights, at the best $t$. Left: noise 1, collapse (cross) is a saddle "
    r"between two minima (dots). Middle: noise 5, collapse is the minimum. Right: the best $t$ of a latent with $w^2 = 3$ and "
    r"$s = 1$ over the weight of its rate.",
    panels=3,
)
def two_noises(left, middle, right):
    weights, encoders = np.meshgrid(np.linspace(-3, 3, 41), np.linspace(-1, 1, 41))
    for panel, noise, above in (
        (left, 1.0, (0.05, 0.2, 0.5, 0.806, 1.2, 2, 4)),
        (middle, 5.0, (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)),
    ):
        losses = jax.vmap(lambda w, V, noise=noise: _scalar_loss(4.0, w, V, noise / (w**2 + noise), noise)[0])(
            jnp.array(weights.ravel()), jnp.array(encoders.ravel())
        )
        lowest = 2.1121 if noise == 1 else 2.1237
        panel.contour(weights, encoders, np.asarray(losses).reshape(weights.shape), levels=lowest + np.array(above))
        panel.plot([0], [0], "x", color="gray")
        panel.set(xlabel="$w$", ylabel="$V$", title=f"$s = {noise:g}$")
    left.plot([-math.sqrt(3), math.sqrt(3)], [-math.sqrt(3) / 4, math.sqrt(3) / 4], "o")
    betas = np.geomspace(0.01, 100, 60)
    right.semilogx(betas, 1 / (1 + 3 / betas))
    right.set(xlabel=r"$\beta$", ylabel="best $t$")


@derivation.exercise(
    r"What is the best variance of a latent with $w^2 = 3$ and $s = 1$ whose rate has the weight 2?",
    r"$\frac{1}{a} = \frac{1}{1 + 3/2} = 0.4$; with the weight 1 it is 0.25.",
)
def the_best_variance():
    yield value(1 / a, {w: sqrt(3), s: 1, beta: 2}), "0.4"
    yield value(1 / a, {w: sqrt(3), s: 1, beta: 1}), "0.25"


@derivation.exercise(
    r"For how many of 7 steps of a cycle is the weight 1, if half of the cycle is a ramp? And what does a floor of 0.5 make of "
    r"the rates 0.1 and 2?",
    r"At steps 4, 5 and 6: 3 of 7, not half. The raised rate is $0.5 + 2 = 2.5$; a floor under the sum would leave it at 2.1.",
)
def counting():
    yield jnp.sum(cyclical_kl_weight(jnp.arange(7), cycle_length=7) == 1), "3"
    yield free_bits_kl(jnp.array([[0.1, 2.0]]), minimum=0.5), "2.5"
    yield max(0.1 + 2.0, 2 * 0.5), "2.1"


@derivation.exercise(
    r"Let the noise be learned, too, with data of variance 4 in one dimension. Does the latent survive?",
    r"$w = 0$ with $s = 4$ has the loss 2.1121, the same as the optimum with a latent: in one dimension noise can stand for "
    r"signal. In several dimensions one $s$ is shared, and noise that is large enough for the first direction would be too "
    r"large for the others.",
)
def noise_for_signal():
    yield value(loss, {lam: 4, s: 4, w: 0, V: 0, t: 1}), "2.1121"


def _log_marginal(weight, mean, log_var):
    """log N(x; mu, W W^T + s I) of every data point."""
    covariance = weight @ weight.T + jnp.exp(log_var) * jnp.eye(_PIXELS)
    return jax.scipy.stats.multivariate_normal.logpdf(_x, mean, covariance)


def _average_loss(weight, mu, log_s, encoder_weight, v):
    return linear_vae_negative_elbo(_x, weight, mu, log_s, encoder_weight, v).mean()


def _collapsed_loss(parameters, log_s):
    """The average loss as a function of all of W, V and v in one vector; 0 is the collapsed model."""
    weight, encoder_weight, v = jnp.split(parameters, (_PIXELS * _LATENTS, 2 * _PIXELS * _LATENTS))
    return _average_loss(weight.reshape(_PIXELS, _LATENTS), _mu, log_s, encoder_weight.reshape(_LATENTS, _PIXELS), v)
