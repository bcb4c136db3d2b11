"""Training a VAE: what the linear case knows about collapse.

The lecture on the functions of theory_jax/latent/vae_training.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from sympy import Max, Min, Mod, Rational, log, pi, sign, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Total, plus, times
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
        r"where $\mu$ is the mean of the data. Of this VAE the loss, the likelihood and the posterior are known.",
        r"In the chains $x$ and $z$ have one dimension: the numbers $w$ and $V$ are the weights of decoder and encoder, $t$ is "
        r"the variance of the encoder, and the data have mean 0 and variance $\lambda$. That is what happens along one "
        r"principal direction of data in many dimensions.",
        r"Collapse is $w = V = 0$, $t = 1$: the encoder is the prior, and the decoder ignores the latent.",
    ),
    answer=r"The linear VAE's loss has collapse as a stationary point for every noise variance $s$. It is a saddle while $s < "
    r"\lambda$, and the global minimum from $s = \lambda$ on: a decoder that may explain the data as noise needs no latent. A "
    r"weight below 1 on the rate acts like less noise, and a floor under the rate removes the pull to the prior.",
    limits=(
        "Decoders that are not linear, and which of several minima training finds.",
        "That a diagonal encoder is no restriction: in many dimensions it is one unless the columns of W are orthogonal.",
    ),
)

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

collapsed = times(half, plus(log(2 * pi * s), lam / s))
derivation.chain(
    "Collapse is stationary, and the sign of the loss around it is that of the noise against the data",
    plus(loss, -collapsed),
    equals(
        plus(tangent.at(t) / 2, w**2 * t / (2 * s), -lam * w * V / s, lam * V**2 / 2, lam * w**2 * V**2 / (2 * s)),
        r"the gap of $t$, what the noise of $z$ costs, what the reconstruction gains, what the rate costs, and a term of fourth "
        r"order: no term is linear at $w = V = 0$, $t = 1$",
        wrong={"the noise of z for free": plus(loss, -collapsed, -(w**2) * t / (2 * s))},
    ),
    equals(
        plus(
            tangent.at(t) / 2,
            times(lam / 2, (V - w / s) ** 2),
            (s - lam) * w**2 / (2 * s**2),
            plus(w**2 * (t - 1), lam * w**2 * V**2) / (2 * s),
        ),
        "complete the square in $V$; the last fraction has no term of second order",
    ),
    so=r"For $s < \lambda$ the loss falls along $V = w/s$: a saddle, which gradient descent from a random start leaves. The "
    r"quadratic form has determinant $\frac{\lambda}{s}\left(1 - \frac{\lambda}{s}\right)$.",
)
excess = derivation.number(r"\delta", r"by how much the noise exceeds the variance of the data", nonnegative=True)
noisy = plus(lam, excess)
wide = plus(w**2, lam, excess)
lost = plus(times(half, tangent.at(noisy / wide)), w**2 * excess / (2 * wide * noisy))
derivation.chain(
    "From the variance of the data on, collapse is the best that the model can do",
    plus(times(half, plus(log(2 * pi * wide), lam / wide)), -times(half, plus(log(2 * pi * noisy), lam / noisy))),
    equals(
        lost,
        r"$\log \frac{c}{s} = 1 - \frac{s}{c} + \left(\frac{s}{c} - 1 - \log \frac{s}{c}\right)$ with $s = \lambda + \delta$ "
        r"and $c = w^2 + s$; the rest is $\frac{w^2}{2c}\left(1 - \frac{\lambda}{s}\right)$",
    ),
    at_least(0, r"leave out both; zero only at $w = 0$", dropping=lost),
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
    mu, s, v = jnp.array(_random.normal(size=_PIXELS)), 0.7, jnp.array([-0.8, 0.3])
    precision = weight.T @ weight / s + jnp.eye(_LATENTS)
    offset = (_x - mu) @ (encoder_weight - jnp.linalg.solve(s * precision, weight.T)).T
    spread = jnp.exp(v) @ jnp.diag(precision) - v.sum() - _LATENTS - jnp.linalg.slogdet(precision)[1]
    gap = (spread + jnp.sum(offset @ precision * offset, axis=1)) / 2
    surprise = -jax.scipy.stats.multivariate_normal.logpdf(_x, mu, weight @ weight.T + s * jnp.eye(_PIXELS))
    code = linear_vae_negative_elbo(_x, weight, mu, jnp.log(s), encoder_weight, v)
    return Sides(left=code, right=surprise + gap, wrong={"the gap forgotten": surprise})


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
        parts = jax.grad(_average_loss, argnums=(0, 1, 2, 3, 4))(weight, weight.T / m[:, None], jnp.log(s / m), _mu, jnp.log(s))
        return jnp.concatenate([jnp.ravel(part) for part in parts])

    wrong = {"the smallest eigenvalue in place of the mean": gradient_at(_eigenvalues[0])}
    return Sides(left=gradient_at(_eigenvalues[:-_LATENTS].mean()), right=jnp.zeros(28), wrong=wrong)


@derivation.autodiff(
    r"\mathrm{eigenvalues}\left(\nabla^2\ \frac{1}{N}\sum_n -\mathrm{ELBO}(x_n)\right)_{W=V=0,\, t=1} = \mathrm{eigenvalues} "
    r"\begin{pmatrix} 1/s & -\lambda_d/s \\ -\lambda_d/s & \lambda_d \end{pmatrix},\ \tfrac12",
    because="In many dimensions there is one such form for every eigenvalue of the covariance and every latent; the "
    "log-variances are apart, with curvature $\\frac12$. At $s = 0.9 \\lambda_1$ each latent has a negative eigenvalue: collapse "
    "is a local minimum only if $s \\ge \\lambda_1$.",
    scale=1.0,
)
def the_curvature_at_collapse():
    s = 0.9 * _eigenvalues[-1]
    zero, place = ravel_pytree((jnp.zeros((_PIXELS, _LATENTS)), jnp.zeros((_LATENTS, _PIXELS)), jnp.zeros(_LATENTS)))

    def expected(gain):
        blocks = jnp.array([[[1 / s, -gain * value / s], [-gain * value / s, value]] for value in _eigenvalues])
        return jnp.sort(jnp.concatenate([jnp.tile(jnp.linalg.eigvalsh(blocks).ravel(), _LATENTS), jnp.full(_LATENTS, 0.5)]))

    measured = jnp.linalg.eigvalsh(jax.hessian(lambda parameters: _average_loss(*place(parameters), _mu, jnp.log(s)))(zero))
    return Sides(left=measured, right=expected(1.0), wrong={"the gain halved": expected(0.5)})


beta = derivation.number(r"\beta", "the weight of the rate", positive=True)
a = derivation.define("a", plus(1, w**2 / (beta * s)), "what a latent carries against what it is charged", positive=True)
derivation.chain(
    "The best variance of a latent if its rate has a weight",
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
derivation.chain(
    "Warm-up starts as a deterministic autoencoder",
    Limit(1 / plus(1, ratio / beta), beta, 0),
    equals(0, r"$\frac{r}{\beta} \to \infty$: without a rate the best encoder has no noise, and every latent is used"),
    role="remark",
    so=r"As $\beta \to \infty$ every latent has the variance of the prior, 1: a heavy rate collapses everything.",
)
weighted = times(half, plus(fit, beta * rate))
swapped = times(half, plus(log(2 * pi * beta * s), plus(lam * (1 - w * V) ** 2, w**2 * t) / (beta * s), rate))
derivation.chain(
    "A weight on the rate is a change of the noise",
    weighted,
    equals(
        plus(times(beta, swapped), times(half, plus(log(2 * pi * s), -beta * log(2 * pi * beta * s)))),
        r"divide by $\beta$: what is divided by $s$ becomes divided by $\beta s$. The last term has no weight of the networks",
        wrong={"the noise as it was": plus(times(beta, loss), times(half, plus(log(2 * pi * s), -beta * log(2 * pi * s))))},
    ),
    so=r"So with the weight $\beta$ and a fixed $s$, networks are trained as in a plain VAE with noise $\beta s$: collapse is "
    r"a saddle while $\beta s < \lambda$. So warm-up starts where collapse is a saddle.",
)
n = derivation.number("n", "a step of training", "step", integer=True, nonnegative=True)
derivation.bridge(
    "The code's weight: a warm-up of 4 steps",
    Min(n / 4, 1),
    linear_kl_weight,
    step=[n],
    warmup_steps=4,
    wrong={"counted from 1": Min((n + 1) / 4, 1)},
)
derivation.bridge(
    "... and cycles of 4 steps, half of them rising",
    Min(Mod(n, 4) / 2, 1),
    cyclical_kl_weight,
    step=[n],
    cycle_length=4,
    wrong={"rising over the whole cycle": Mod(n, 4) / 4},
)
derivation.symbol(r"C, \rho", "the length of a cycle, and the fraction of it that rises", "cycle_length, ramp_fraction")


@derivation.exact(
    r"\#\left\{n < C : \min\left(\frac{n}{\rho C}, 1\right) = 1\right\} = C - \lceil \rho C \rceil",
    because="The weight is 1 from the first whole step at or after $\\rho C$. This is the fraction $1 - \\rho$ of the cycle "
    "only if $\\rho C$ is whole. Every length up to 12, with four ramps.",
    outcomes=48,
    role="remark",
)
def how_long_a_cycle_is_at_its_top():
    cases = [(length, ramp) for length in range(1, 13) for ramp in (0.25, 0.5, 0.75, 1.0)]
    weights = [cyclical_kl_weight(jnp.arange(length), cycle_length=length, ramp_fraction=ramp) for length, ramp in cases]
    right = np.array([length - math.ceil(ramp * length) for length, ramp in cases], dtype=float)
    wrong = {"the fraction of the cycle": np.array([length * (1 - ramp) for length, ramp in cases])}
    return Sides(left=np.array([np.sum(weight == 1.0) for weight in weights], dtype=float), right=right, wrong=wrong)


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
derivation.bridge(
    "... with the slope 1 above the floor and 0 below it: there only the reconstruction decides whether a latent is used",
    (1 + sign(R - kappa)) / 2,
    free_bits_kl,
    kl_per_dimension=[R],
    minimum=kappa,
    slope="kl_per_dimension",
    wrong={"no floor": 1},
)

k = derivation.index("k", "an example")
N = derivation.count(k, "K", "how many examples there are")
mean = derivation.numbers("m", k, "the encoder's mean of one latent, for each example", "mean")
variance = derivation.numbers("t", k, "its variance", "e^log_var", positive=True)
average = derivation.define(r"\bar m", Total(k, mean) / N, "the average of the means")
activity = derivation.define("A", Total(k, (mean - average) ** 2) / N, "the activity of the latent", "latent_activity")
derivation.chain(
    "A latent is no more active than its rate allows",
    activity,
    at_most(Total(k, mean**2) / N, "a variance is a mean square minus the square of the mean: leave it out", adding=average**2),
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
    away = {lam: 4, s: 5, w: 1, V: Rational(1, 6), t: Rational(5, 6)}
    yield r"\mathcal{L}\text{, noise 5, } w = 1", value(loss, away), "2.1482"


@derivation.figure(
    r"The average loss of data with variance 4 over both weights, at the best $t$. Left: noise 1, collapse (cross) is a saddle "
    r"between two minima (dots). Middle: noise 5, collapse is the minimum. Right: the best $t$ of a latent with $w^2 = 3$ and "
    r"$s = 1$ over the weight of its rate.",
    panels=3,
)
def two_noises(left, middle, right):
    def loss_at(w, V, s):
        one, best_t = jnp.ones((1, 1)), s / (w**2 + s)
        return linear_vae_negative_elbo(2 * one, w * one, jnp.zeros(1), jnp.log(s), V * one, jnp.log(best_t) * one[0])[0]

    weights, encoders = np.meshgrid(np.linspace(-3, 3, 41), np.linspace(-1, 1, 41))
    for panel, noise, lowest in ((left, 1.0, 2.1121), (middle, 5.0, 2.1237)):
        losses = jax.vmap(loss_at, (0, 0, None))(weights.ravel(), encoders.ravel(), noise)
        levels = lowest + np.array([0.05, 0.1, 0.2, 0.4, 0.806, 1.6, 3.2])
        panel.contour(weights, encoders, np.asarray(losses).reshape(weights.shape), levels=levels)
        panel.plot([0], [0], "x", color="gray")
        panel.set(xlabel="$w$", ylabel="$V$", title=f"$s = {noise:g}$")
    left.plot([-math.sqrt(3), math.sqrt(3)], [-math.sqrt(3) / 4, math.sqrt(3) / 4], "o")
    betas = np.geomspace(0.01, 100, 60)
    right.semilogx(betas, 1 / (1 + 3 / betas))
    right.set(xlabel=r"$\beta$", ylabel="best $t$")


@derivation.exercise(
    r"What is the best variance of a latent with $w^2 = 3$ and $s = 1$ if its rate has the weight 2?",
    r"$\frac{1}{a} = \frac{1}{1 + 3/2} = 0.4$; with the weight 1 it is 0.25.",
)
def the_best_variance():
    yield value(1 / a, {w: sqrt(3), s: 1, beta: 2}), "0.4"
    yield value(1 / a, {w: sqrt(3), s: 1, beta: 1}), "0.25"


@derivation.exercise(
    r"For how many of 7 steps of a cycle is the weight 1, if half of the cycle is a ramp? And what does a floor of 0.5 make of "
    r"the rates 0.1 and 2?",
    r"At steps 4, 5 and 6: 3 of 7, not half. The raised rate is $0.5 + 2 = 2.5$; a floor under the sum would not raise it.",
)
def counting():
    yield jnp.sum(cyclical_kl_weight(jnp.arange(7), cycle_length=7) == 1), "3"
    yield free_bits_kl(jnp.array([[0.1, 2.0]]), minimum=0.5), "2.5"


@derivation.exercise(
    r"Let the noise be learned, too, with data of variance 4 in one dimension. Does the latent survive?",
    r"$w = 0$ with $s = 4$ has the loss 2.1121, the same as the optimum with a latent: in one dimension noise can replace "
    r"signal. In several dimensions one $s$ is shared, and noise that is large enough for the first direction would be too "
    r"large for the others.",
)
def noise_for_signal():
    yield value(loss, {lam: 4, s: 4, w: 0, V: 0, t: 1}), "2.1121"


def _average_loss(weight, encoder_weight, v, mu, log_s):
    return linear_vae_negative_elbo(_x, weight, mu, log_s, encoder_weight, v).mean()
