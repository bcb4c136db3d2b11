"""Ancestral sampling: the reverse process, walked.

The lecture on the functions of theory_jax/diffusion/ancestral_sampling.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Max, Min, Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.diffusion._gaussian_data import best_noise, noised_variance
from theory_jax.diffusion.ancestral_sampling import (
    ddpm_sample,
    ddpm_step,
    dynamic_threshold,
    gaussian_sampling_variance,
    respaced_alpha_bar,
)
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.diffusion.reverse_process import reverse_log_variance
from theory_jax.lectures.diffusion._schedules import STEPS, noised, schedule
from theory_jax.lectures.diffusion.forward_process import marginal_law
from theory_jax.lectures.diffusion.reverse_process import gaussian_step, in_the_noise
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Ancestral sampling: the reverse process, walked",
    lectures=(31, 32),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, algorithm 2 and eq. 11",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, section 4",
        "Bao, Li, Zhu & Zhang 2022, Analytic-DPM",
        "Saharia et al. 2022, Photorealistic Text-to-Image Diffusion Models (Imagen), section 2.3",
    ),
    question="A network predicts the noise at every level. Samples are drawn by walking the learned chain backward from pure "
    "noise. Which distribution do they have, and where do its errors come from?",
    setting=(
        r"The sampler starts at $x_T \sim \mathcal{N}(0, 1)$ and takes the steps $x_{t-1} = \mu_t(x_t) + \sigma_t z_t$ for $t "
        r"= T, \dots, 1$. The noises $z_t$ are standard normal and independent. At $t = 1$ no noise is added; for $t \ge 2$ "
        r"the variance $\sigma_t^2$ is $\beta_t$ (the large variance) or $\tilde\beta_t$ (the small one).",
        r"The mean is that of the step back, $\kappa_t \hat{x}_0 + \rho_t x_t$, with a predicted $\hat{x}_0$ in place of the "
        r"data. The predicted noise $\hat\epsilon$ implies $\hat{x}_0 = (x_t - \sqrt{1 - \bar\alpha_t}\, \hat\epsilon) / "
        r"\sqrt{\bar\alpha_t}$, which may be clipped to the range of the data. Some signal is left at the end: $\bar\alpha_T > "
        r"0$.",
        r"One coordinate is written, $q$ is the forward process, and $p$ is the law of the sampler. From the section on "
        r"Gaussian data on, the data are $\mathcal{N}(0, c)$ and the prediction is the best one, so that the errors that "
        r"remain are those of the sampler.",
    ),
    answer=r"If $\hat{x}_0$ were the data, every step would be exact. The divergence of the samples from the data is at most "
    r"that of the start plus that of the steps, and each step errs in mean, variance and shape. For Gaussian data the error of "
    r"the samples' variance is the sum of three terms: the start, which only $\bar\alpha_T \to 0$ removes; the wrong variances "
    r"of the steps; and the noise that the last step omits. With more steps the last two fall like $1/T$ for the large "
    r"variance, and like $\log T / T$ for the small one.",
    limits=(
        "The bound on the divergence is not shown to be near the truth, and it needs noise at the last step, too.",
        "The sum of the errors is derived for Gaussian data and the best prediction. Rates for other data and for learned "
        "networks are not shown.",
        "The limits of many steps are argued by Riemann sums and checked for a constant rate.",
    ),
)

alpha = derivation.number(r"\alpha_t", "the share of the variance that step $t$ keeps", between=(0, 1))
before = derivation.number(r"\bar\alpha_{t-1}", "the signal's share at level $t - 1$", "alpha_bar[t - 1]", between=(0, 1))
beta = derivation.define(r"\beta_t", 1 - alpha, "the large variance", 'variance="large"', positive=True)
a_t = derivation.define(r"\bar\alpha_t", before * alpha, "the signal's share at level $t$", "alpha_bar[t]", positive=True)
tilde = derivation.define(
    r"\tilde\beta_t", (1 - before) / (1 - a_t) * beta, "the small variance", 'variance="small"', positive=True
)
kappa = derivation.define(r"\kappa_t", sqrt(before) * beta / (1 - a_t), "the weight of the data in the mean", positive=True)
rho = derivation.define(r"\rho_t", sqrt(alpha) * (1 - before) / (1 - a_t), "the weight of $x_t$ in the mean", positive=True)
x_0 = derivation.number("x_0", "the data")
x_t = derivation.number("x_t", "the value at level $t$", "x_t")
epsilon = derivation.number(
    r"\epsilon", "the noise in $x_t$, standard normal; $\\hat\\epsilon$ is what a network says", "noise_pred"
)
z = derivation.number("z", "the fresh noise of a step, standard normal", "noise")
u = derivation.number("u", r"the argument of a moment generating function")
_noisy = noised(a_t, x_0, epsilon)
_fresh = Normal(z, 0, 1)
_old = Normal(epsilon, 0, 1)
_SIGNAL = plus(kappa, times(rho, sqrt(a_t)))
_NOISE = plus(times(rho**2, 1 - a_t), tilde)

derivation.say(
    r"Suppose first that the network is never wrong. The step from $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - "
    r"\bar\alpha_t}\, \epsilon$ then uses the true $x_0$. A Gaussian is known by its moment generating function "
    r"$\mathbb{E}[e^{u x}] = e^{u m + u^2 v / 2}$, so the law after the step is found by computing it."
)
exact_walk = derivation.chain(
    "With the data known, every step is exact",
    Expectation(_fresh, Expectation(_old, exp(u * plus(times(kappa, x_0), times(rho, _noisy), times(sqrt(tilde), z))))),
    equals(
        exp(plus(times(u, _SIGNAL, x_0), times(_NOISE, u**2) / 2)),
        r"both noises are independent and standard normal: $\mathbb{E}[e^{b z}] = e^{b^2 / 2}$",
        wrong={"the weight not squared": exp(plus(times(u, _SIGNAL, x_0), times(plus(rho * (1 - a_t), tilde), u**2) / 2))},
    ),
    equals(
        exp(plus(times(u, sqrt(before), x_0), times(1 - before, u**2) / 2)),
        r"$\kappa_t + \rho_t \sqrt{\bar\alpha_t} = \sqrt{\bar\alpha_{t-1}}$, and what is kept of the old noise and added of "
        r"new is $\rho_t^2 (1 - \bar\alpha_t) + \tilde\beta_t = 1 - \bar\alpha_{t-1}$",
        wrong={"the level not left": exp(plus(times(u, sqrt(a_t), x_0), times(1 - a_t, u**2) / 2))},
    ),
    uses=(marginal_law,),
    so=r"This is the law of $x_{t-1}$ given $x_0$. With the small variance the walk passes through the very laws that the "
    r"forward process made. Everything that goes wrong comes from $\hat{x}_0 \ne x_0$, and from the start.",
)

i = derivation.index("x", "a value of $x_{t-1}$, in the next lemma")
j = derivation.index("y", "a value of $x_t$")
q_late = derivation.law("q({})", j, "the law of $x_t$ in the forward process")
p_late = derivation.law("p({})", j, "the law of $x_t$ in the sampler")
q_back = derivation.law("q({}|{})", (i, j), "the true step back")
p_back = derivation.law("p({}|{})", (i, j), "the sampler's step")
q_early = derivation.define("q'({})", Total(j, q_late * q_back), "the law of $x_{t-1}$ in the forward process", over=i, law=True)
p_early = derivation.define("p'({})", Total(j, p_late * p_back), "the law of $x_{t-1}$ in the sampler", over=i, law=True)
q_fore = derivation.define("q({}|{})", q_late * q_back / q_early, "the step forward, by Bayes' rule", over=(j, i), law=True)
p_fore = derivation.define("p({}|{})", p_late * p_back / p_early, "the same in the sampler", over=(j, i), law=True)
derivation.chain(
    "A step adds its own divergence, at most",
    plus(Divergence(q_late, p_late), Expectation(q_late, Divergence(q_back, p_back)), -Divergence(q_early, p_early)),
    equals(
        plus(Total(j, Total(i, q_late * q_back * log((q_late * q_back) / (p_late * p_back)))), -Divergence(q_early, p_early)),
        r"the logarithm of a product: the two divergences make that of the pair $(x_{t-1}, x_t)$",
        wrong={
            "one of the two ratios turned over": plus(
                Total(j, Total(i, q_late * q_back * log((q_late * p_back) / (p_late * q_back)))), -Divergence(q_early, p_early)
            )
        },
    ),
    equals(
        Expectation(q_early, Divergence(q_fore, p_fore)),
        r"the pair in the other order, by Bayes' rule; the divergence of $x_{t-1}$ is subtracted",
        wrong={"averaged under the sampler": Expectation(p_early, Divergence(q_fore, p_fore))},
    ),
    at_least(
        0,
        r"leave out divergences (Gibbs); equality if and only if both processes step forward alike",
        dropping=Expectation(q_early, gibbs.at(q_fore, p_fore)),
    ),
    states=2,
    role="lemma",
    so=r"So the divergence at $t - 1$ is at most that at $t$ plus the average divergence of the step. Added up over all steps, "
    r"$\mathrm{KL}(q(x_0) \,\|\, p(x_0))$ is at most $\mathrm{KL}(q(x_T) \,\|\, \mathcal{N}(0, 1))$ plus the divergences of "
    r"the steps. For densities the sums are integrals; the last step must have a positive variance here.",
)

n = derivation.index("n", "a value that $x_{t-1}$ may have, given $x_t$")
w = derivation.law("w", n, "any law of the step back, given $x_t$")
y = derivation.numbers("g", n, "its values, not all the same")
mu = derivation.number(r"\mu", "the mean of the sampler's step")
derivation.chain(
    "A quadratic function sees two moments of a law",
    Expectation(w, (y - mu) ** 2),
    equals(
        plus(Variance(w, y), (Expectation(w, y) - mu) ** 2),
        "expand around the mean; the cross term vanishes",
        wrong={"the distance not squared": plus(Variance(w, y), Expectation(w, y) - mu)},
    ),
    role="lemma",
    so=r"A Gaussian log-density is quadratic. So $\mathrm{KL}(w \,\|\, \mathcal{N}(\mu, \sigma^2))$ is $\mathrm{KL}(w \,\|\, "
    r"\mathcal{N}(m, v))$, with the mean $m$ and the variance $v$ of the step back, plus what is computed next: the "
    r"expectation of the difference of two Gaussian log-densities, which may be taken under $\mathcal{N}(m, v)$ in place of "
    r"$w$.",
)
m = derivation.number("m", "the mean of the true step back")
v = derivation.number("v", "its variance", positive=True)
s = derivation.number(r"\sigma^2", "the variance of the sampler's step", positive=True)
_MEAN_COST = (m - mu) ** 2 / (2 * s)
derivation.chain(
    "What a step costs next to its shape: its variance and its mean",
    Divergence(Normal(x_t, m, v), Normal(x_t, mu, s)),
    equals(
        plus(times(Rational(1, 2), log(s / v)), plus(v, (m - mu) ** 2) / (2 * s), -Rational(1, 2)),
        r"two Gaussian log-densities, and the expectation of each square",
    ),
    equals(
        plus(times(Rational(1, 2), tangent.at(v / s)), _MEAN_COST),
        r"what is left of the variances is $\frac12 (t - 1 - \log t)$ at $t = v / \sigma^2$",
        wrong={
            "the ratio turned over": plus(times(Rational(1, 2), tangent.at(s / v)), _MEAN_COST),
            "the mean in units of the wrong variance": plus(times(Rational(1, 2), tangent.at(v / s)), (m - mu) ** 2 / (2 * v)),
        },
    ),
    at_least(
        0,
        r"leave out the two gaps; equality if and only if $\sigma^2 = v$ and $\mu = m$",
        dropping=plus(times(Rational(1, 2), tangent.at(v / s)), _MEAN_COST),
    ),
    role="lemma",
    so=r"So a step has three errors: its shape, which is small for small steps (the reverse process); its variance, which is "
    r"chosen; and its mean, which training lowers.",
)

derivation.say(
    r"How do such errors add up? For Gaussian data the whole sampler can be solved. Let $V_t$ be the variance of the forward "
    r"process at level $t$, and let the prediction be the best one, $\hat\epsilon = \mathbb{E}[\epsilon|x_t] = \frac{\sqrt{1 - "
    r"\bar\alpha_t}}{V_t} x_t$."
)
c = derivation.number("c", "the variance of Gaussian data", "variance_data", positive=True)
V = derivation.define("V_t", plus(1 - a_t, a_t * c), "the variance of $x_t$ in the forward process", positive=True)
V_prev = derivation.define("V_{t-1}", plus(1 - before, before * c), "the same at level $t - 1$", positive=True)
v_t = derivation.number("v_t", "the variance of the sample at level $t$; $v_T = 1$", positive=True)
sigma = derivation.number(r"\sigma_t^2", "the variance of the noise of step $t$", positive=True)
derivation.chain(
    "The best step is linear",
    times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), sqrt(1 - a_t) / V, x_t))),
    equals(times(1 / sqrt(alpha), 1 - beta / V, x_t), r"the mean of the step back in terms of the noise, at the best prediction"),
    equals(
        times(sqrt(alpha), V_prev / V, x_t),
        r"$V_t = \alpha_t V_{t-1} + \beta_t$: a step shrinks the variance and adds noise",
        wrong={"the share without its root": alpha * V_prev / V * x_t},
    ),
    role="lemma",
    uses=(in_the_noise,),
)
_NEXT = plus(times(alpha, V_prev**2 / V**2, v_t), sigma)
derivation.chain(
    "So the variance of the sample obeys a recursion",
    Expectation(_fresh, Expectation(Normal(x_t, 0, v_t), plus(times(sqrt(alpha), V_prev / V, x_t), times(sqrt(sigma), z)) ** 2)),
    equals(
        _NEXT,
        "the variances of independent terms add, each with its factor squared",
        wrong={
            "the standard deviation of the noise": plus(times(alpha, V_prev**2 / V**2, v_t), sqrt(sigma)),
            "the slope not squared": plus(times(sqrt(alpha), V_prev / V, v_t), sigma),
        },
    ),
    role="lemma",
    so=r"The mean stays 0, so this is $v_{t-1}$, the variance of the sample at level $t - 1$.",
)
weight = derivation.define(
    r"\lambda_t", a_t * c / V, "the share of the data in the variance of level $t$; $\\lambda_0 = 1$", positive=True
)
weight_prev = derivation.define(r"\lambda_{t-1}", before * c / V_prev, "the same at level $t - 1$", positive=True)
_ADDED = plus(sigma / V_prev, -beta / V)
derivation.chain(
    "What a step adds to the error of the sample's variance",
    times(weight_prev, plus(_NEXT / V_prev, -1)),
    equals(
        plus(times(weight_prev, alpha * V_prev / V, plus(v_t / V, -1)), times(weight_prev, _ADDED)),
        r"write $v_t / V_t$ as 1 plus its distance from 1; of the constants $\alpha_t V_{t-1} / V_t - 1 = -\beta_t / V_t$ is "
        r"left",
    ),
    equals(
        plus(times(weight, plus(v_t / V, -1)), times(weight_prev, _ADDED)),
        r"$\lambda_{t-1} \alpha_t V_{t-1} / V_t = \bar\alpha_{t-1} \alpha_t c / V_t = \lambda_t$",
        wrong={"the weight unchanged": plus(times(weight_prev, plus(v_t / V, -1)), times(weight_prev, _ADDED))},
    ),
    central=True,
    so=r"The weighted error at $t - 1$ is the weighted error at $t$ plus what the step adds. At level 0 it is $v_0 / c - 1$; "
    r"at the start it is $\lambda_T (1/V_T - 1)$. Summed over all steps, with $\sigma_1 = 0$: $\frac{v_0}{c} - 1 = \lambda_T "
    r"\left(\frac{1}{V_T} - 1\right) + \sum_{t=2}^{T} \lambda_{t-1} \left(\frac{\sigma_t^2}{V_{t-1}} - "
    r"\frac{\beta_t}{V_t}\right) - \frac{\beta_1}{V_1}$: the start, the wrong variances, and the last noise, which is not "
    r"added.",
)
derivation.chain(
    "The large variance adds too much, for data of variance below 1",
    plus(beta / V_prev, -beta / V),
    equals(beta * (V - V_prev) / (V * V_prev), "the common denominator", wrong={"the sign": beta * (V_prev - V) / (V * V_prev)}),
    equals(
        times(beta**2 * before, 1 - c) / (V * V_prev),
        r"$V_t - V_{t-1} = (\bar\alpha_{t-1} - \bar\alpha_t)(1 - c) = \bar\alpha_{t-1} \beta_t (1 - c)$",
        wrong={"beta not squared": times(beta * before, 1 - c) / (V * V_prev)},
    ),
    so=r"It is zero for $c = 1$. Then only the last noise is missing, and $v_0 = 1 - \beta_1$ exactly, for every schedule.",
)
derivation.chain(
    "The small variance adds too little, for all data that vary",
    plus(tilde / V_prev, -beta / V),
    equals(
        times(beta / (1 - a_t), plus(times(1 - before, V), -times(1 - a_t, V_prev))) / (V * V_prev),
        "the common denominator",
        wrong={"the levels exchanged": times(beta / (1 - a_t), plus((1 - a_t) * V, -(1 - before) * V_prev)) / (V * V_prev)},
    ),
    equals(
        -(beta**2) * before * c / ((1 - a_t) * V * V_prev),
        r"the bracket is $c \left(\bar\alpha_t (1 - \bar\alpha_{t-1}) - \bar\alpha_{t-1} (1 - \bar\alpha_t)\right) = -c\, "
        r"\bar\alpha_{t-1} \beta_t$",
        wrong={"beta not squared": -beta * before * c / ((1 - a_t) * V * V_prev)},
    ),
    uses=(gaussian_step,),
    so=r"Nothing is added by the variance of the true step back, $\beta_t V_{t-1} / V_t$, which is between the two if $c < "
    r"1$. It depends on the data, so it is not one of the fixed choices; a learned variance looks for it.",
)
a_1 = derivation.number(r"\bar\alpha_1", "the signal's share at level 1, in a chain of two steps", "alpha_bar[1]", between=(0, 1))
x_2 = derivation.number("x_2", "the start of a chain of two steps", "x_T")
V_1 = derivation.define("V_1", plus(1 - a_1, a_1 * c), "the variance at level 1", positive=True)
V_2 = derivation.define(
    "V_2",
    plus(1 - a_1 * alpha, a_1 * alpha * c),
    r"the variance at level 2, with $\bar\alpha_2 = \bar\alpha_1 \alpha_t$",
    positive=True,
)
_FIRST = plus(times(sqrt(alpha), V_1 / V_2, x_2), times(sqrt(beta), z))


def _sampled(c, x_T, noises, alpha_bar):
    return ddpm_sample(x_T, noises, best_noise(c, alpha_bar), alpha_bar)


derivation.bridge(
    "The code walks two steps",
    times(sqrt(a_1), c / V_1, _FIRST),
    _sampled,
    c=c,
    x_T=[x_2],
    noises=[[z + 1], [z]],
    alpha_bar=[1, a_1, a_1 * alpha],
    calls=(ddpm_sample,),
    wrong={
        "noise at the last step": plus(times(sqrt(a_1), c / V_1, _FIRST), times(sqrt(1 - a_1), z + 1)),
        "the variance as the standard deviation": times(sqrt(a_1), c / V_1, sqrt(alpha) * V_1 / V_2 * x_2 + beta * z),
    },
)


def _weighted_errors(levels, c, variance):
    """The terms of v_0/c - 1: the start, the wrong variances, and the last noise, which is not added."""
    v = noised_variance(c, levels)
    betas = 1 - levels[1:] / levels[:-1]
    shares = levels * c / v
    added = betas if variance == "large" else betas * (1 - levels[:-1]) / (1 - levels[1:])
    wrong = shares[1:-1] * (added[1:] / v[1:-1] - betas[1:] / v[2:])
    return shares[-1] * (1 / v[-1] - 1), wrong.sum(), -betas[0] / v[1]


derivation.symbol("v_0", "the variance of the samples", "gaussian_sampling_variance")
derivation.symbol("T", "the number of steps")


@derivation.numeric(
    r"\frac{v_0}{c} - 1 = \lambda_T \left(\frac{1}{V_T} - 1\right) + \sum_{t=2}^{T} \lambda_{t-1} "
    r"\left(\frac{\sigma_t^2}{V_{t-1}} - \frac{\beta_t}{V_t}\right) - \frac{\beta_1}{V_1}",
    because=r"The sum, computed term by term on the cosine schedule of 12 steps, against the recursion of the code: three "
    r"variances of the data, both choices of $\sigma_t^2$.",
)
def the_errors_add_up():
    levels, found, terms = schedule(), [], []
    for variance in ("large", "small"):
        for c in (0.1, 0.5, 3.0):
            found.append(gaussian_sampling_variance(jnp.array([c]), levels, variance=variance)[0] / c - 1)
            terms.append(_weighted_errors(np.asarray(levels), c, variance))
    terms = np.array(terms)
    return Sides(
        left=jnp.stack(found),
        right=terms.sum(axis=1),
        wrong={
            "without the start": terms[:, 1:].sum(axis=1),
            "with the last noise": terms[:, :2].sum(axis=1),
            "ten percent too much at the steps": terms @ np.array([1, 1.1, 1]),
        },
    )


derivation.say(
    r"What do more steps bring? Let the schedule be one curve, cut into $T$ steps: $\beta_t = b / T$ with a constant $b$, so "
    r"that $\bar\alpha_T \to e^{-b}$. With the large variance each step adds a multiple of $\beta_t^2$, and the sum of $T$ "
    r"such terms is $b/T$ times a Riemann sum. In terms of $a = \bar\alpha$, where $da = -b\, a\, d\tau$, it is $\frac{b}{T}\, "
    r"c^2 (1 - c) \int \frac{a}{V^3}\, da$ with $V = 1 - a + a c$."
)
a = derivation.number("a", "a level, as a variable of integration", between=(0, 1))
spread = derivation.define("V", plus(1 - a, a * c), "the variance of the forward process there", positive=True)
derivation.chain(
    "The integral of the wrong variances",
    Slope(times(Rational(1, 2), a**2 / spread**2), a),
    equals(plus(a / spread**2, times(a**2, 1 - c) / spread**3), r"the quotient rule, with $dV/da = c - 1$"),
    equals(a / spread**3, r"$V + a (1 - c) = 1$", wrong={"the square": a / spread**2}),
    role="lemma",
    so=r"The integral from $e^{-b}$ to 1 is $\frac{1}{2 c^2} - \frac{e^{-2b}}{2 V_T^2}$. With the last noise, $-\beta_1$ to "
    r"leading order, the large variance gives $T (v_0 - c - s) \to \frac{b (1 - c)}{2} \left(1 - \frac{c^2 "
    r"e^{-2b}}{V_T^2}\right) - b$, where $s = c \lambda_T (1/V_T - 1)$ is the start's share. The small variance has another "
    r"factor $\frac{1}{1 - \bar\alpha_t} \approx \frac{T}{b t}$ near the data, so its terms fall off like $-\frac{b}{T t}$ "
    r"only, and their sum grows like $-\frac{b}{T} \log T$.",
)
derivation.symbol("b", "the constant rate, $T \\beta_t$")
derivation.symbol("f(T)", r"$T (v_0 - c - s)$, with $s$ the start's share in $v_0$")


@derivation.numeric(
    r"\lim_{T \to \infty} f(T) = \frac{b (1 - c)}{2} \left(1 - \frac{c^2 e^{-2b}}{V_T^2}\right) - b, \qquad \lim_{T \to "
    r"\infty} \left(f(2T) - f(T)\right) = -b \log 2",
    tolerance=1e-5,
    since="the limits are extrapolated from T = 10,000 to 80,000, which leaves terms of order log(T)/T^2",
    because=r"The first holds for the large variance, the second for the small one; $b = 2$ and $c = \frac14$. So the large "
    r"variance converges like $1/T$, the small one only like $\log T / T$. The start's share $\frac{c^2 (1 - c)\, "
    r"\bar\alpha_T^2}{V_T^2}$ does not fall with $T$ at all: it is zero only for $\bar\alpha_T = 0$ or $c = 1$.",
)
def many_steps():
    rate, c, found = 2.0, 0.25, {"large": [], "small": []}
    for steps in (10_000, 20_000, 40_000, 80_000):
        levels = (1 - rate / steps) ** np.arange(steps + 1)
        for variance, values in found.items():
            _, *later = _weighted_errors(levels, c, variance)
            values.append(steps * c * sum(later))
    large, risen = np.array(found["large"]), np.diff(found["small"])
    once = 2 * risen[1:] - risen[:-1]
    end = np.exp(-rate)
    limit = rate * (1 - c) / 2 * (1 - (c * end / noised_variance(c, end)) ** 2) - rate
    right = np.array([limit, -rate * np.log(2)])
    left = np.array([2 * large[-1] - large[-2], 2 * once[1] - once[0]])
    return Sides(
        left=left,
        right=right,
        wrong={
            "the last noise forgotten": right + np.array([rate, 0]),
            "the small variance converges like 1/T": right * np.array([1, 0]),
        },
    )


kept = derivation.number("r", r"what a skipped step keeps, $\alpha_{t-1}$", between=(0, 1))


def _jump_variance(alpha_bar):
    return jnp.exp(reverse_log_variance(np.array([2]), respaced_alpha_bar(alpha_bar, np.array([1, 3]))))


derivation.bridge(
    "Fewer steps: the code respaces the schedule, and a step of the short chain has the variance of the jump",
    1 - times(kept, alpha),
    _jump_variance,
    alpha_bar=[1, a_1, a_1 * kept, a_1 * kept * alpha],
    calls=(respaced_alpha_bar, reverse_log_variance),
    wrong={"the level in place of the ratio": 1 - a_1 * kept * alpha},
    uses=(marginal_law,),
)
derivation.say(
    r"Two jumps are one (the forward process), so a chain that visits only some of the levels is a forward process of its own, "
    r"with the same laws at these levels and the larger variances $1 - \bar\alpha_t / \bar\alpha_s$ of its jumps. All that was "
    r"derived holds for it, with the same network."
)

w_out = derivation.number("h", "how far a prediction lies beyond 1", positive=True)
x_in = derivation.number("d", "the data, between $-1$ and 1", between=(-1, 1))
derivation.chain(
    "To clip a prediction never hurts data that lie inside",
    (plus(1, w_out) - x_in) ** 2,
    equals(plus((1 - x_in) ** 2, times(2, w_out, 1 - x_in), w_out**2), r"expand around 1"),
    at_least((1 - x_in) ** 2, r"leave out two nonnegative terms", dropping=plus(times(2, w_out, 1 - x_in), w_out**2)),
    so=r"The first line is the squared error of the prediction $1 + h$, the last that of 1, to which it is clipped. Below $-1$ "
    r"the same holds by symmetry. So clipping lowers the squared error of $\hat{x}_0$, for every data point in the box, and "
    r"with it the error of the mean.",
)
predicted = derivation.define(
    r"\hat{x}_0", plus(x_t, -times(sqrt(1 - a_t), epsilon)) / sqrt(a_t), "the data that the noise implies", "x0_from_noise"
)
derivation.bridge(
    "The code's step without clipping",
    plus(times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), epsilon))), times(sqrt(beta), z)),
    ddpm_step,
    x_t=[x_t],
    noise_pred=[epsilon],
    noise=[z],
    t=np.array([2]),
    alpha_bar=[1, before, before * alpha],
    wrong={
        "the variance as the standard deviation": plus(
            times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), epsilon))), times(beta, z)
        )
    },
    uses=(in_the_noise,),
)
_HALF = Rational(1, 2)
derivation.bridge(
    "... with the predicted data clipped to one half, and the small variance",
    plus(times(kappa, Max(-_HALF, Min(_HALF, predicted))), times(rho, x_t), times(sqrt(tilde), z)),
    ddpm_step,
    x_t=[x_t],
    noise_pred=[epsilon],
    noise=[z],
    t=np.array([2]),
    alpha_bar=[1, before, before * alpha],
    variance="small",
    clip=0.5,
    wrong={
        "not clipped": plus(kappa * predicted, rho * x_t, sqrt(tilde) * z),
        "the large variance": plus(kappa * Max(-_HALF, Min(_HALF, predicted)), rho * x_t, sqrt(beta) * z),
    },
)
u_1 = derivation.number("u_1", "an entry of a prediction", "x0_pred", positive=True)
u_2 = derivation.number("u_2", "another one", positive=True)
derivation.symbol("S", "the dynamic threshold: a quantile of the sizes of the entries, or 1 if it is larger")
_S = Max(1, (u_1 + u_2) / 2)
derivation.bridge(
    "The code's dynamic threshold at the median of two entries, of which one is positive and one negative",
    [Min(_S, u_1) / _S, -Min(_S, u_2) / _S],
    dynamic_threshold,
    x0_pred=[[u_1, -u_2]],
    quantile=0.5,
    wrong={"plain clipping": [Min(1, u_1), -Min(1, u_2)]},
)
derivation.say(
    r"The dynamic threshold cuts at $S \ge 1$ and divides by $S$. It lands in the box as well, and leaves a prediction alone "
    r"that is inside, since then $S = 1$. It keeps the differences between large entries, which clipping flattens, but it "
    r"moves correct entries, too: it does not lower the error for all data (the third exercise)."
)

_LEVELS = jnp.array([1.0, 0.81, 0.5184])


@derivation.example(
    r"Two steps, $\bar\alpha_1 = 0.81$ and $\bar\alpha_2 = 0.5184$, and data of variance $c = \frac14$: $V_1 = 0.3925$ and "
    r"$V_2 = 0.6112$. Both choices give samples that vary too little; the last noise is missed."
)
def two_steps():
    for name in ("large", "small"):
        found = gaussian_sampling_variance(jnp.array([0.25, 1.0, 4.0]), _LEVELS, variance=name)
        said = {"large": "(0.2050, 0.8100, 1.6670)", "small": "(0.1334, 0.6334, 1.4268)"}[name]
        yield rf"v_0\ \text{{for}}\ c = \tfrac14, 1, 4,\ \text{{{name} variance}}", found, said
    start, steps, last = _weighted_errors(np.asarray(_LEVELS), 0.25, "large")
    yield r"\text{start, wrong variance and last noise in}\ v_0 / c - 1", (start, steps, last), "(0.1349, 0.1693, -0.4841)"
    given = {before: 0.81, alpha: 0.64, c: 0.25}
    kl = [value(tangent.at(times(beta, V_prev / V) / sigma) / 2, given | {sigma: x}) for x in (0.36, value(tilde, given))]
    yield r"\text{divergence of step 2, large and small variance}", kl, "(0.0425, 0.0703)"


@derivation.figure(
    r"Gaussian data of variance $\frac14$. Left: the error times the number of steps, for betas from $0.1/T$ to $20/T$. With "
    r"the large variance it settles, so the error is of order $1/T$; with the small one it keeps falling with $\log T$. Right: "
    r"the variance of the sample over that of the forward process, level by level, for 50 steps.",
    panels=2,
)
def many_and_few(left, right):
    counts = np.logspace(1.7, 5, 10).astype(int)
    curves = {"large": [], "small": []}
    for steps in counts:
        levels = _linear_levels(steps)
        for name, errors in curves.items():
            errors.append(0.25 * steps * sum(_weighted_errors(levels, 0.25, name)))
    levels = _linear_levels(50)
    true, betas = noised_variance(0.25, levels), 1 - levels[1:] / levels[:-1]
    for name, errors in curves.items():
        left.semilogx(counts, errors, marker=".", label=name)
        added = np.exp(reverse_log_variance(np.arange(1, 51), jnp.asarray(levels), variance=name))
        v = [1.0]
        for t in range(50, 0, -1):
            v.append((1 - betas[t - 1]) * (true[t - 1] / true[t]) ** 2 * v[-1] + (added[t - 1] if t > 1 else 0))
        right.plot(np.array(v[::-1]) / true, label=name)
    right.axhline(1, color="gray", linestyle=":")
    left.set(xlabel="steps $T$", ylabel="$T (v_0 - c)$")
    right.set(xlabel="level $t$", ylabel="$v_t / V_t$")
    left.legend()
    right.legend()


def _linear_levels(steps):
    """Ho's betas, stretched over any number of steps: 0.1/T .. 20/T, so that always about the same share of the data is left."""
    return np.asarray(linear_alpha_bar(num_steps=int(steps), beta_start=0.1 / steps, beta_end=20 / steps))


@derivation.exercise(
    r"In the example, which variance of the second step leaves only the start and the last noise in the error, for $c = "
    r"\frac14$?",
    r"The true one, $\beta_2 V_1 / V_2 = 0.36 \cdot 0.3925 / 0.6112 = 0.2312$. It is between 0.1420 and 0.36.",
)
def the_right_variance():
    yield 0.36 * noised_variance(0.25, 0.81) / noised_variance(0.25, 0.5184), "0.2312"


@derivation.exercise(
    r"All data are at one point, $c = 0$. What is $v_0$?",
    r"The best prediction is exact, so the last step returns the point itself: $v_0 = 0$, whatever the earlier steps did.",
)
def one_point():
    yield gaussian_sampling_variance(jnp.zeros(1), _LEVELS)[0], "0"


@derivation.exercise(
    r"The data are $(1, \dots, 1)$ in 12 dimensions, and the prediction is $(3, 1, \dots, 1)$. What is its squared error, as "
    r"it is, clipped to $[-1, 1]$, and after the dynamic threshold with $S = 3$?",
    r"As it is 4, clipped 0. The threshold turns the prediction into $(1, \frac13, \dots, \frac13)$, with the error $11 \cdot "
    r"\frac49 = 4.8889$.",
)
def the_threshold_moves_correct_entries():
    x = jnp.ones((1, 12)).at[0, 0].set(3.0)
    yield jnp.sum((x - 1) ** 2), "4"
    yield jnp.sum((jnp.clip(x, -1, 1) - 1) ** 2), "0"
    yield jnp.sum((dynamic_threshold(x, quantile=1.0) - 1) ** 2), "4.8889"


derivation.symbol("x_0(z_1)", "the sample, as a function of the last noise")


@derivation.autodiff(
    r"\frac{\partial x_0(z_1)}{\partial z_1} = 0, \qquad \frac{\partial x_0(z_1)}{\partial x_T} = \sqrt{\bar\alpha_T}\, "
    r"\frac{c}{V_T}",
    because=r"The deviation at $t = 1$ is the constant 0, not the root of a variance that is 0 there, so it has no infinite "
    r"slope. The slopes of all steps telescope.",
    role="appendix",
)
def slopes_of_the_sample():
    levels, c, zero = schedule(), 0.25, jnp.zeros((STEPS, 1))

    def sample(x_T, noises):
        return ddpm_sample(x_T, noises, best_noise(c, levels), levels)[0]

    of_start, of_noises = jax.grad(sample, argnums=(0, 1))(jnp.ones(1), zero)
    slope = jnp.sqrt(levels[-1]) * c / noised_variance(c, levels[-1])
    right = jnp.stack([jnp.zeros(()), slope])
    return Sides(
        left=jnp.stack([of_noises[0, 0], of_start[0]]), right=right, wrong={"without the root": right * jnp.sqrt(levels[-1])}
    )
