"""Training a VAE: what the linear case knows about collapse.

The lecture on the functions of theory_jax/latent/vae_training.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Max, Min, Mod, Rational, log, oo, pi, sign, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.vae_training import (
    cyclical_kl_weight,
    free_bits_kl,
    kl_per_dimension,
    latent_activity,
    linear_kl_weight,
    linear_vae_negative_elbo,
)
from theory_jax.lectures.latent._vae_training import (
    EIGENVALUES,
    LATENTS,
    curvatures_at_collapse,
    draw_escape,
    draw_two_noises,
    gradient_at_components,
    loss_surprise_and_gap,
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
        r"The linear VAE: the decoder is Gaussian with mean $Wz + \mu$ and covariance $sI$, the encoder with mean $V(x - \mu)$ "
        r"and variances $t$, where $\mu$ is the mean of the data. Its loss, likelihood and posterior are known.",
        r"In the chains $x$ and $z$ have one dimension: the numbers $w$ and $V$ are the weights of decoder and encoder, $t$ is "
        r"the variance of the encoder, and the data have mean 0 and variance $\lambda$. That is what happens along one "
        r"principal direction of data in many dimensions.",
        "Collapse: both weights are 0 and the encoder's variance is 1, so the encoder is the prior, and the decoder ignores the "
        "latent.",
    ),
    limits=(
        "Decoders that are not linear, and which of several minima training finds.",
        "That a diagonal encoder is no restriction: in many dimensions it is one unless the columns of W are orthogonal.",
    ),
)

derivation.figure(
    "The average loss of data with variance 4 over both weights, at the best variance of the encoder. Left: noise 1, collapse "
    "(cross) is a saddle between two minima (dots). Middle: noise 5, collapse is the minimum. Right: the best variance of a "
    "latent with noise 1 and squared weight 3 over the weight of its rate.",
    panels=3,
)(draw_two_noises)


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
    "The average loss of a linear VAE depends on the variance of the data alone",
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
_decoder = {"weight": [[w]], "decoder_mean": jnp.zeros(1), "decoder_log_var": log(s)}
_encoder = {"encoder_weight": [[V]], "posterior_log_var": [log(t)]}
_wrong = {"the logarithm of the variance not halved": loss + log(s) / 2}
derivation.bridge("The code's loss", loss, linear_vae_negative_elbo, x=[[sqrt(lam)]], **_decoder, **_encoder, wrong=_wrong)
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
        prose("leave out the encoder's gap; zero at the exact posterior, {V} and {t}", V=where(V, w / c), t=where(t, s / c)),
        dropping=plus(tangent.at(t * c / s) / 2, lam * c / (2 * s) * (V - w / c) ** 2),
    ),
    equals(
        plus(times(half, plus(log(2 * pi * lam), 1)), times(half, tangent.at(lam / c))),
        prose("{split}", split=holds(log(c), "=", plus(log(lam), -log(lam / c)))),
    ),
    at_least(
        times(half, plus(log(2 * pi * lam), 1)),
        prose("leave out the decoder's gap; zero if and only if {same}, for which $s$ is at most $\\lambda$", same=where(lam, c)),
        dropping=tangent.at(lam / c) / 2,
    ),
    uses=(exact_case,),
    central=True,
    so=prose(
        "While the noise is at most the variance of the data, the best linear VAE has that variance and the exact posterior, and "
        "its loss is {least}: the bound is tight where the likelihood is best, so the bound alone makes no latent collapse.",
        least=holds(loss, "=", plus(log(2 * pi * lam), 1) / 2, when={lam: c, V: w / c, t: s / c}, named=True),
    ),
)

collapsed = times(half, plus(log(2 * pi * s), lam / s))
_along = times(half, plus(fit, rate)).subs({V: w / s, t: 1})
derivation.answer = prose(
    "The linear VAE's loss has collapse as a stationary point for every noise variance of the decoder. It is a saddle while this "
    "noise is below the largest variance of the data along a direction, and the global minimum from there on: a decoder that may "
    r"explain the data as noise needs no latent. For noise $s$ and data of variance $\lambda$ the least curvature there has the "
    "sign of {sign}. A weight below 1 on the rate acts like less noise; a floor takes the pull to the prior from rates below it.",
    sign=holds(s**2 * Slope(_along, w, 2), "=", s - lam, when={w: 0}, wrong={"the gain halved": s - lam / 2}, named=True),
)
derivation.chain(
    "Collapse is stationary, and the sign of the loss around it is that of the noise against the data",
    plus(loss, -collapsed),
    equals(
        plus(tangent.at(t) / 2, w**2 * t / (2 * s), -lam * w * V / s, lam * V**2 / 2, lam * w**2 * V**2 / (2 * s)),
        r"the gap of $t$, what the noise of $z$ costs, what the reconstruction gains, what the rate costs, and a term of fourth "
        "order: no term is linear at collapse",
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
    so=prose(
        r"For noise below $\lambda$ the loss falls near collapse, along {V} with {t} by {fall}: a saddle, which gradient descent "
        "from almost every start leaves.",
        **{"V": where(V, w / s), "t": where(t, 1)},
        fall=holds(plus(collapsed, -loss), "=", w**2 / (2 * s**2) * plus(lam, -s, -lam * w**2 / s), named=True),
    ),
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
        prose(
            "{split}; what is left is {rest}",
            rest=w**2 * excess / (2 * wide * noisy),
            split=holds(log(wide / noisy), "=", plus(1, -noisy / wide, tangent.at(noisy / wide))),
        ),
    ),
    at_least(0, prose("leave out both; zero only at {none}", none=where(w, 0)), dropping=lost),
    uses=(central,),
    so=r"The first line is the surprise with $w$ minus that without, and no loss is below its surprise. In many dimensions the "
    r"same holds for every eigenvalue of $WW^\top + sI$, with the largest eigenvalue of the data's covariance in the place of "
    r"$\lambda$. So learn the noise, or start it small.",
)
derivation.figure(
    prose(
        "Data with variance 4. Left: the weight of the least loss, {weight} where the noise is below the variance of the data, "
        "and 0 from there on; gradient descent from near collapse (dots) finds it. Right: the first steps. Near the saddle the "
        "loss is flat, and the longer the closer the noise is to 4; a plateau at the start is not yet collapse.",
        weight=holds(w**2, "=", lam - s, when={lam: c}, wrong={"the noise added": lam + s}),
    ),
    panels=2,
)(draw_escape)

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
    role="remark",
)
def the_loss_is_surprise_plus_gap():
    code, surprise, gap = loss_surprise_and_gap()
    return Sides(left=code, right=surprise + gap, wrong={"the gap forgotten": surprise})


@derivation.autodiff(
    r"\nabla_{W, \mu, \log s, V, \log t}\ \frac{1}{N}\sum_n -\mathrm{ELBO}(x_n) = 0 \quad\text{at}\quad W = U_L\, "
    r"\mathrm{diag}\left(\sqrt{\lambda_d - s}\right),\ s = \frac{1}{5 - L} \sum_{d > L} \lambda_d",
    because="This is the maximum of the likelihood of probabilistic PCA. Its columns are orthogonal, so the posterior is "
    "diagonal and the bound is tight; where a bound touches, the gradients agree.",
    scale=1.0,
    tolerance=1e-12,
    role="remark",
)
def principal_components_are_stationary():
    wrong = {"the smallest eigenvalue in place of the mean": gradient_at_components(EIGENVALUES[0])}
    return Sides(left=gradient_at_components(EIGENVALUES[:-LATENTS].mean()), right=jnp.zeros(28), wrong=wrong)


@derivation.autodiff(
    r"\mathrm{eigenvalues}\left(\nabla^2\ \frac{1}{N}\sum_n -\mathrm{ELBO}(x_n)\right)_{W=V=0,\, t=1} = \mathrm{eigenvalues} "
    r"\begin{pmatrix} 1/s & -\lambda_d/s \\ -\lambda_d/s & \lambda_d \end{pmatrix},\ \tfrac12",
    because="In many dimensions there is one such form for every eigenvalue of the covariance and every latent; the "
    "log-variances are apart, with curvature $\\frac12$. At a noise of $0.9 \\lambda_1$ each latent has a negative eigenvalue: "
    "collapse is a local minimum only if the noise is at least $\\lambda_1$.",
    scale=1.0,
    role="remark",
)
def the_curvature_at_collapse():
    s = 0.9 * EIGENVALUES[-1]

    def expected(gain):
        blocks = jnp.array([[[1 / s, -gain * value / s], [-gain * value / s, value]] for value in EIGENVALUES])
        return jnp.sort(jnp.concatenate([jnp.tile(jnp.linalg.eigvalsh(blocks).ravel(), LATENTS), jnp.full(LATENTS, 0.5)]))

    return Sides(left=curvatures_at_collapse(s), right=expected(1.0), wrong={"the gain halved": expected(0.5)})


beta = derivation.number(r"\beta", "the weight of the rate", positive=True)
a = derivation.define("a", plus(1, w**2 / (beta * s)), "what a latent carries against what it is charged", positive=True)
derivation.chain(
    "If the rate has a weight, the best variance of a latent falls with what the latent carries",
    plus(beta / 2 * plus(t, -1, -log(t)), w**2 * t / (2 * s)),
    equals(
        plus(beta / 2 * log(a), beta / 2 * tangent.at(a * t)),
        prose(
            "{both}, and {split}",
            both=holds(plus(beta * t, w**2 * t / s), "=", times(beta, a, t)),
            split=holds(log(t), "=", plus(log(a * t), -log(a))),
        ),
        wrong={"the weight forgotten": log(a) / 2 + tangent.at(a * t) / 2},
    ),
    at_least(
        beta / 2 * log(a),
        prose("leave out the gap of the logarithm; zero if and only if {best}", best=where(t, 1 / a)),
        dropping=beta / 2 * tangent.at(a * t),
    ),
    role="lemma",
)
ratio = derivation.number("r", r"the ratio $w^2/s$ of a latent that is used", positive=True)
derivation.chain(
    "Warm-up starts as a deterministic autoencoder",
    Limit(1 / plus(1, ratio / beta), beta, 0),
    equals(0, "the ratio grows without bound: without a rate the best encoder has no noise, and every latent is used"),
    role="remark",
    so=prose(
        "At the other end, {heavy}: under a heavy rate every latent has the variance of the prior.",
        heavy=holds(Limit(1 / plus(1, ratio / beta), beta, oo), "=", 1),
    ),
)
weighted = times(half, plus(fit, beta * rate))
swapped = times(half, plus(log(2 * pi * beta * s), plus(lam * (1 - w * V) ** 2, w**2 * t) / (beta * s), rate))
reweighted = derivation.chain(
    "A weight on the rate is a change of the noise",
    weighted,
    equals(
        plus(times(beta, swapped), times(half, plus(log(2 * pi * s), -beta * log(2 * pi * beta * s)))),
        r"divide by $\beta$: what is divided by $s$ becomes divided by $\beta s$. The last term has no weight of the networks",
        wrong={"the noise as it was": plus(times(beta, loss), times(half, plus(log(2 * pi * s), -beta * log(2 * pi * s))))},
    ),
    so=r"So with the weight $\beta$ and a fixed $s$, networks are trained as in a plain VAE with noise $\beta s$: collapse is "
    r"a saddle while $\beta s$ is below $\lambda$. So warm-up starts where collapse is a saddle.",
)
n = derivation.number("n", "a step of training", "step", integer=True, nonnegative=True)
_late, _slow = {"counted from 1": Min((n + 1) / 4, 1)}, {"rising over the whole cycle": Mod(n, 4) / 4}
derivation.bridge("A warm-up of 4 steps", Min(n / 4, 1), linear_kl_weight, step=[n], warmup_steps=4, wrong=_late)
derivation.bridge(
    "Cycles of 4 steps, half of them rising", Min(Mod(n, 4) / 2, 1), cyclical_kl_weight, step=[n], cycle_length=4, wrong=_slow
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
floor = derivation.chain(
    "A floor only ever overstates the rate",
    Total(l, Max(R, kappa)),
    equals(Total(l, plus(R, Max(kappa - R, 0))), "the greater one is the rate plus what is missing to the floor", points=40),
    at_least(
        Total(l, R), "leave out what is missing, which is zero where no rate is below", dropping=Total(l, Max(kappa - R, 0))
    ),
    so=r"So reconstruction minus the raised rate is still a lower bound of $\log p(x)$, and the raised rate at least $L \kappa$.",
    role="remark",
)
_inputs, _of_sum = {"kl_per_dimension": [R], "minimum": kappa}, {"the floor applied to the sum": Max(Total(l, R), L * kappa)}
derivation.bridge("The code's rate with a floor", Total(l, Max(R, kappa)), free_bits_kl, **_inputs, wrong=_of_sum)
derivation.bridge(
    "... with the slope 1 above the floor and 0 below it: there only the reconstruction decides whether a latent is used",
    (1 + sign(R - kappa)) / 2,
    free_bits_kl,
    **_inputs,
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
    role="remark",
)
_means, _unbiased = [[mean.at(example)] for example in range(4)], {"divided by one example less": activity * N / (N - 1)}
derivation.bridge("The code's activity", activity, latent_activity, mean=_means, wrong=_unbiased)
derivation.bridge(
    "... and its rate of each latent",
    times(half, plus(mean**2, variance, -1, -log(variance))),
    kl_per_dimension,
    mean=[mean],
    log_var=[log(variance)],
)

_best = {lam: 4, s: 1, w: sqrt(3), V: sqrt(3) / 4, t: Rational(1, 4)}


@derivation.algorithm(
    "Training with warm-up, or with free bits",
    do(r"for step $n = 0, 1, \dots$, with data $x$:"),
    do(r"$\beta \leftarrow \min(n / 4, 1)$ in warm-up, else 1", linear_kl_weight, by=reweighted, indent=1),
    do(r"for each latent $l$: $R_l \leftarrow$ its rate", kl_per_dimension, indent=1),
    do(r"with free bits: $R_l \leftarrow \max(R_l, \kappa)$", free_bits_kl, by=floor, indent=1),
    do(r"a gradient step on $\beta \sum_l R_l - \log p(x|z)$, in all weights", by=reweighted, indent=1),
)
def two_steps_of_warm_up():
    w, V = 0.5, 0.5

    def loss(w, V, beta):
        rate = kl_per_dimension(jnp.full((1, 1), 2 * V), jnp.zeros((1, 1)))
        return ((2 - w * V * 2) ** 2 + w**2) / 2 + beta * rate.sum()

    yield (
        r"x = 2, s = t = 1, w = V = \tfrac12: \quad R, \max(R, 1)",
        [0.5, *free_bits_kl(jnp.array([[0.5]]), minimum=1.0)],
        "0.5, 1",
    )
    for step, weight, moved in ((0, "0", "(0.6250, 0.6875)"), (1, "0.25", "(0.7429, 0.7798)")):
        beta = linear_kl_weight(jnp.array([step]), warmup_steps=4)[0]
        yield rf"\beta \text{{ at }} n = {step}", beta, weight
        slopes = jax.grad(loss, argnums=(0, 1))(w, V, beta)
        w, V = w - slopes[0] / 8, V - slopes[1] / 8
        yield r"(w, V) \text{ after a step of } \tfrac18", [w, V], moved


@derivation.example(
    prose(
        "Data of variance 4. With noise 1 the optimum is {w}, {V}, {t}; then collapse, and the eigenvalues of the quadratic form "
        "there. Then noise 5, at collapse and at weight 1 with the exact posterior.",
        **{"w": where(w, sqrt(3)), "V": where(V, sqrt(3) / 4), "t": where(t, Rational(1, 4))},
    )
)
def one_direction():
    yield r"\mathcal{L}\text{, optimum}", value(loss, _best), "2.1121"
    yield r"\tfrac12 (\log 2\pi\lambda + 1)", value(times(half, plus(log(2 * pi * lam), 1)), {lam: 4}), "2.1121"
    yield r"\mathcal{L}\text{, collapsed}", value(loss, {lam: 4, s: 1, w: 0, V: 0, t: 1}), "2.9189"
    yield r"\text{curvatures there}", np.linalg.eigvalsh(np.array([[1.0, -4.0], [-4.0, 4.0]])), "(-1.772, 6.772)"
    yield r"\mathcal{L}\text{, noise 5, collapsed}", value(loss, {lam: 4, s: 5, w: 0, V: 0, t: 1}), "2.1237"
    away = {lam: 4, s: 5, w: 1, V: Rational(1, 6), t: Rational(5, 6)}
    yield r"\mathcal{L}\text{, noise 5, } w = 1", value(loss, away), "2.1482"
