"""Ancestral sampling: the reverse process, walked.

The lecture on the functions of theory_jax/diffusion/ancestral_sampling.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Max, Min, Rational, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion._gaussian_data import best_noise, noised_variance
from theory_jax.diffusion.ancestral_sampling import (
    ddpm_sample,
    ddpm_step,
    dynamic_threshold,
    gaussian_sampling_variance,
    respaced_alpha_bar,
)
from theory_jax.diffusion.reverse_process import reverse_log_variance
from theory_jax.lectures.diffusion._sampling import TIMES, draw_errors, limits_of_many_steps, many_steps_and_few, weighted_errors
from theory_jax.lectures.diffusion._schedules import introduce_step, schedule
from theory_jax.lectures.diffusion.elbo import average_bound
from theory_jax.lectures.diffusion.forward_process import marginal_law
from theory_jax.lectures.diffusion.reverse_process import gaussian_step, in_the_noise
from theory_jax.lectures.lemmas.best_guess import best_guess
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence
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
    question="Samples of a trained diffusion model can be pale, grainy or off-color although its loss is low: some errors are "
    "not the network's but the walk's. Samples are drawn by walking the learned chain backward from pure noise. Which "
    "distribution do they have, and where do their errors come from?",
    setting=(
        "The sampler starts at $x_T$, which is standard normal, and takes steps from $x_t$ to $x_{t-1}$ for $t$ from $T$ to 1: "
        r"a mean $\mu_t(x_t)$ plus $\sigma_t z_t$. The noises $z_t$ are standard normal and independent. In the last step no "
        r"noise is added; before it the variance $\sigma_t^2$ is $\beta_t$ (the large variance) or $\tilde\beta_t$ (the small "
        "one).",
        r"The mean is that of the step back, $\kappa_t \hat{x}_0 + \rho_t x_t$, with a predicted $\hat{x}_0$ in place of the "
        r"data: the data that the predicted noise $\hat\epsilon$ implies, $(x_t - \sqrt{1 - \bar\alpha_t}\, \hat\epsilon) / "
        r"\sqrt{\bar\alpha_t}$, which may be clipped to the range of the data. Some signal is left at the end: $\bar\alpha_T$ "
        "is positive.",
        "One coordinate is written, $q$ is the forward process, and $p$ is the distribution of the sampler. From the section on "
        r"Gaussian data on, the data are $\mathcal{N}(0, c)$ and the prediction is the best one, so that the errors that remain "
        "are those of the sampler.",
    ),
    limits=(
        "The bound on the divergence is not shown to be near the truth, and it needs noise at the last step, too.",
        "The sum of the errors is derived for Gaussian data and the best prediction. Rates for other data and for learned "
        "networks are not shown.",
        "The limits of many steps are argued by Riemann sums and checked for a constant rate.",
    ),
    trained="A sampler needs a trained model and no training of its own. `python -m practice_torch sample RUN --sampler "
    "ancestral` uses it on a run of `diffusion/training`.",
)

_step = introduce_step(derivation)
alpha, before, beta, a_t = _step.alpha, _step.before, _step.beta, _step.a_t
tilde, kappa, rho = _step.tilde, _step.kappa, _step.rho
x_0 = derivation.number("x_0", "the data")
x_t = derivation.number("x_t", "the value at level $t$", "x_t")
epsilon = derivation.number(r"\epsilon", r"the noise in $x_t$; $\hat\epsilon$ is what a network says", "noise_pred")
z = derivation.number("z", "the fresh noise of a step, standard normal", "noise")
_fresh = Normal(z, 0, 1)

derivation.say(
    r"Suppose first that the network is never wrong. The step from $\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, "
    r"\epsilon$ then uses the true $x_0$, and with the small variance it gives $(\kappa_t + \rho_t \sqrt{\bar\alpha_t})\, x_0 + "
    r"\rho_t \sqrt{1 - \bar\alpha_t}\, \epsilon + \sqrt{\tilde\beta_t}\, z$. With independent normal noises it is Gaussian, so "
    "its mean and its variance say which distribution it has."
)
exact = derivation.chain(
    "With the data known, every step is exact",
    Matrix([times(plus(kappa, times(rho, sqrt(a_t))), x_0), plus(times(rho**2, 1 - a_t), tilde)]),
    equals(
        Matrix([times(sqrt(before), x_0), 1 - before]),
        prose("over the common denominator, with {level}", level=holds(a_t, "=", times(before, alpha))),
        wrong={"the distribution at level t": Matrix([times(sqrt(a_t), x_0), 1 - a_t])},
    ),
    uses=(marginal_law,),
    so="This is the distribution of $x_{t-1}$ given $x_0$. With the small variance the walk passes through the very "
    r"distributions that the forward process made. Everything that goes wrong comes from a wrong $\hat{x}_0$, from the other "
    "variance, and from the start.",
)

derivation.say(
    "How do the errors of the steps add up? The bound, averaged over the data, is the entropy of the data plus "
    r"$\mathrm{KL}(q(x_T) \,\|\, \mathcal{N}(0, 1))$ plus the average divergences of the true steps back from the sampler's "
    r"(the lecture on the bound). It is no smaller than the average of $-\log p(x_0)$. So $\mathrm{KL}(q(x_0) \,\|\, p(x_0))$ "
    "is at most the divergence of the start plus those of the steps. The last step must have a positive variance here."
)
mu = derivation.number(r"\mu", "the mean of the sampler's step")
m = derivation.number("m", "the mean of the true step back")
v = derivation.number("v", "its variance", positive=True)
s = derivation.number(r"\sigma^2", "the variance of the sampler's step", positive=True)
derivation.chain(
    "What a step costs next to its shape: its variance and its mean",
    Divergence(Normal(x_t, m, v), Normal(x_t, mu, s)),
    equals(
        plus(times(Rational(1, 2), tangent.at(v / s)), (m - mu) ** 2 / (2 * s)),
        r"the divergence of two Gaussians; what is left of the variances is half of the gap $\tau - 1 - \log \tau$ at $v / "
        r"\sigma^2$",
        wrong={"the mean in units of the true variance": plus(tangent.at(v / s) / 2, (m - mu) ** 2 / (2 * v))},
    ),
    role="lemma",
    uses=(average_bound, best_guess, gaussian_divergence),
    so="A Gaussian log-density is quadratic, and a quadratic function sees the mean $m$ and the variance $v$ of the true step "
    r"alone. So the divergence of the step is that of its distribution from $\mathcal{N}(m, v)$ plus this. A step has three "
    "errors: its shape, which is small for small steps (the reverse process); its variance, which is chosen; and its mean, "
    "which training lowers.",
)

derivation.say(
    "For Gaussian data the whole sampler can be solved. Let $V_t$ be the variance of the forward process at level $t$, and let "
    r"the prediction be the best one, $\mathbb{E}[\epsilon|x_t]$, which is $\frac{\sqrt{1 - \bar\alpha_t}}{V_t} x_t$."
)
c = derivation.number("c", "the variance of Gaussian data", "variance_data", positive=True)
V = derivation.define("V_t", plus(1 - a_t, a_t * c), "the variance of $x_t$ in the forward process", positive=True)
V_prev = derivation.define("V_{t-1}", plus(1 - before, before * c), "the same at level $t - 1$", positive=True)
v_t = derivation.number("v_t", "the variance of the sample at level $t$; 1 at the start", positive=True)
sigma = derivation.number(r"\sigma_t^2", "the variance of the noise of step $t$", positive=True)
derivation.chain(
    "The best step is linear",
    times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), sqrt(1 - a_t) / V, x_t))),
    equals(times(1 / sqrt(alpha), 1 - beta / V, x_t), r"the mean of the step back in terms of the noise, at the best prediction"),
    equals(
        times(sqrt(alpha), V_prev / V, x_t),
        prose("{it}: a step shrinks the variance and adds noise", it=holds(V, "=", plus(times(alpha, V_prev), beta))),
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
        wrong={"the slope not squared": plus(times(sqrt(alpha), V_prev / V, v_t), sigma)},
    ),
    role="lemma",
    so=r"The mean stays 0, so this is $v_{t-1}$, the variance of the sample at level $t - 1$.",
)
weight = derivation.define(
    r"\lambda_t", a_t * c / V, "the share of the data in the variance of level $t$; 1 at level 0", positive=True
)
weight_prev = derivation.define(r"\lambda_{t-1}", before * c / V_prev, "the same at level $t - 1$", positive=True)
_ADDED, _ERROR = plus(sigma / V_prev, -beta / V), times(weight_prev, plus(_NEXT / V_prev, -1))
derivation.chain(
    "What a step adds to the error of the sample's variance",
    _ERROR,
    equals(
        plus(times(weight_prev, alpha * V_prev / V, plus(v_t / V, -1)), times(weight_prev, _ADDED)),
        prose(
            "write $v_t / V_t$ as 1 plus its distance from 1; of the constants {left} is left",
            left=holds(plus(alpha * V_prev / V, -1), "=", -beta / V),
        ),
    ),
    equals(
        plus(times(weight, plus(v_t / V, -1)), times(weight_prev, _ADDED)),
        prose("{weight}", weight=holds(times(weight_prev, alpha * V_prev / V), "=", weight)),
        wrong={"the weight unchanged": plus(times(weight_prev, plus(v_t / V, -1)), times(weight_prev, _ADDED))},
    ),
    central=True,
    so="The weighted error at $t - 1$ is the weighted error at $t$ plus what the step adds. At level 0 it is $v_0 / c - 1$; at "
    r"the start it is $\lambda_T (1/V_T - 1)$. The sum over all steps (below) has three parts: the start, the wrong "
    "variances, and the last noise, which is not added.",
)
derivation.answer = prose(
    r"If $\hat{x}_0$ were the data, every step with the small variance would be exact. With noise in the last step, too, the "
    "divergence of the data from the samples would be at most that of the start plus those of the steps, and each step errs in "
    "mean, variance and shape. For Gaussian data and the best prediction the error of the samples' variance, relative to $c$, "
    "is a sum over the start, which shrinks with the signal that is left at its end; the wrong variances of the steps, {added} "
    "each; and the noise that the last step omits. With more steps of a constant rate the last two fall like $1/T$ for the "
    r"large variance, and like $\log T / T$ for the small one.",
    added=holds(_ERROR - times(weight, v_t / V - 1), "=", times(weight_prev, _ADDED), named=True, wrong={"no weight": _ADDED}),
)
derivation.chain(
    "The large variance adds too much, for data of variance below 1, and the small one too little",
    Matrix([plus(beta / V_prev, -beta / V), plus(tilde / V_prev, -beta / V)]),
    equals(
        Matrix([times(beta**2 * before, 1 - c) / (V * V_prev), -(beta**2) * before * c / ((1 - a_t) * V * V_prev)]),
        prose(
            "over the common denominator: {first} in the first, and {second} in the second",
            first=holds(plus(V, -V_prev), "=", times(before * beta, 1 - c)),
            second=holds(plus(times(1 - before, V), -times(1 - a_t, V_prev)), "=", -c * before * beta),
        ),
    ),
    uses=(gaussian_step,),
    so=prose(
        r"The first is zero for data of variance 1. Then only the last noise is missing, and $v_0$ is $1 - \beta_1$ exactly, "
        "for every schedule. Nothing is added by the variance of the true step back, {true}: {nothing}. It is between the two "
        "for data of variance below 1, {below}. It depends on the data, so it is not one of the fixed choices; a learned "
        "variance looks for it.",
        true=beta * V_prev / V,
        nothing=holds(_ADDED, "=", 0, when={sigma: beta * V_prev / V}),
        below=holds(plus(beta, -beta * V_prev / V), "=", before * beta**2 * (1 - c) / V),
    ),
)
_FIRST = plus(times(sqrt(alpha), V_prev / V, x_t), times(sqrt(beta), z))


def _sampled(c, x_T, noises, alpha_bar):
    return ddpm_sample(x_T, noises, best_noise(c, alpha_bar), alpha_bar)


derivation.bridge(
    "The code walks the two steps from level 2",
    times(sqrt(before), c / V_prev, _FIRST),
    _sampled,
    c=c,
    x_T=[x_t],
    noises=[[z + 1], [z]],
    alpha_bar=[1, before, before * alpha],
    calls=(ddpm_sample,),
    wrong={"noise at the last step": plus(times(sqrt(before), c / V_prev, _FIRST), times(sqrt(1 - before), z + 1))},
)


derivation.symbol("v_0", "the variance of the samples", "gaussian_sampling_variance")
derivation.symbol("T", "the number of steps")


@derivation.numeric(
    r"\frac{v_0}{c} - 1 = \lambda_T \left(\frac{1}{V_T} - 1\right) + \sum_{t=2}^{T} \lambda_{t-1} "
    r"\left(\frac{\sigma_t^2}{V_{t-1}} - \frac{\beta_t}{V_t}\right) - \frac{\beta_1}{V_1}",
    because="The sum, computed term by term on the cosine schedule of 12 steps, against the recursion of the code: three "
    r"variances of the data, both choices of $\sigma_t^2$.",
    role="remark",
)
def the_errors_add_up():
    levels, found, terms = schedule(), [], []
    for variance in ("large", "small"):
        for c in (0.1, 0.5, 3.0):
            found.append(gaussian_sampling_variance(jnp.array([c]), levels, variance=variance)[0] / c - 1)
            terms.append(weighted_errors(np.asarray(levels), c, variance))
    terms = np.array(terms)
    wrong = {"without the start": terms[:, 1:].sum(axis=1), "with the last noise": terms[:, :2].sum(axis=1)}
    return Sides(left=jnp.stack(found), right=terms.sum(axis=1), wrong=wrong)


a = derivation.number("a", "a level, as a variable of integration", between=(0, 1))
spread = derivation.define("V", plus(1 - a, a * c), "the variance of the forward process there", positive=True)
derivation.say(
    r"What do more steps bring? Let the schedule be one curve, cut into $T$ steps with $b / T$ for $\beta_t$, where $b$ is "
    r"constant. As $T$ grows, $\bar\alpha_T$ goes to $e^{-b}$. With the large variance each step adds a multiple of "
    r"$\beta_t^2$, and the sum of $T$ such terms is $b/T$ times a Riemann sum, over the levels $a$ from $e^{-b}$ to 1: that of "
    r"$c^2 (1 - c)\, a / V^3$."
)
derivation.chain(
    "The errors of the wrong variances have an antiderivative",
    Slope(times(Rational(1, 2), a**2 / spread**2), a),
    equals(
        plus(a / spread**2, times(a**2, 1 - c) / spread**3),
        prose("the quotient rule, with {slope}", slope=holds(Slope(spread, a), "=", c - 1)),
    ),
    equals(a / spread**3, prose("{one}", one=holds(plus(spread, times(a, 1 - c)), "=", 1)), wrong={"the square": a / spread**2}),
    role="lemma",
    so=r"The integral from $e^{-b}$ to 1 is $\frac{1}{2 c^2} - \frac{e^{-2b}}{2 V_T^2}$. The last noise takes $b$ from $f$. The "
    r"small variance has another factor $\frac{1}{1 - \bar\alpha_t}$, about $\frac{T}{b t}$ near the data, so its terms fall "
    r"off like $-\frac{b}{T t}$ only, and their sum grows like $-\frac{b}{T} \log T$.",
)
derivation.symbol("b", "the constant rate, $T \\beta_t$")
derivation.symbol("f(T)", r"$T (v_0 - c - s)$, where $s$ is the start's share of the error, $c \lambda_T (1/V_T - 1)$")


@derivation.numeric(
    r"\lim_{T \to \infty} f(T) = \frac{b (1 - c)}{2} \left(1 - \frac{c^2 e^{-2b}}{V_T^2}\right) - b, \qquad \lim_{T \to \infty} "
    r"\left(f(2T) - f(T)\right) = -b \log 2",
    tolerance=1e-5,
    since="the limits are extrapolated from T = 10,000 to 80,000, which leaves terms of order log(T)/T^2",
    because="The first holds for the large variance, the second for the small one, for a rate of 2 and data of variance "
    r"$\frac14$. So the large variance converges like $1/T$, the small one only like $\log T / T$. The start's share $\frac{c^2 "
    r"(1 - c)\, \bar\alpha_T^2}{V_T^2}$ does not fall with $T$ at all: it is zero only if no signal is left at the end or the "
    "data have variance 1.",
)
def many_steps():
    rate, c = 2.0, 0.25
    left, end = limits_of_many_steps(rate, c), np.exp(-rate)
    limit = rate * (1 - c) / 2 * (1 - (c * end / noised_variance(c, end)) ** 2) - rate
    right = np.array([limit, -rate * np.log(2)])
    wrong = {
        "the last noise forgotten": right + np.array([rate, 0]),
        "the small variance converges like 1/T": right * np.array([1, 0]),
    }
    return Sides(left=left, right=right, wrong=wrong)


kept = derivation.number("r", r"what a skipped step keeps, $\alpha_{t-1}$", between=(0, 1))


def _jump_variance(alpha_bar):
    return jnp.exp(reverse_log_variance(np.array([2]), respaced_alpha_bar(alpha_bar, np.array([1, 3]))))


derivation.bridge(
    "Fewer steps: the code respaces the schedule, and a step of the short chain has the variance of the jump",
    1 - times(kept, alpha),
    _jump_variance,
    alpha_bar=[1, before, before * kept, before * kept * alpha],
    calls=(respaced_alpha_bar, reverse_log_variance),
    wrong={"the level in place of the ratio": 1 - before * kept * alpha},
    uses=(marginal_law,),
)
derivation.say(
    "Two jumps are one (the forward process), so a chain that visits only some of the levels is a forward process, too, with "
    r"the same distributions at these levels and the larger variances $1 - \bar\alpha_t / \bar\alpha_s$ of its jumps. All that "
    "was derived holds for it, with the same network."
)

w_out = derivation.number("h", "how far a prediction is beyond 1", positive=True)
x_in = derivation.number("d", "the data, between $-1$ and 1", between=(-1, 1))
clipped = derivation.chain(
    "To clip a prediction never hurts data inside the box",
    (plus(1, w_out) - x_in) ** 2,
    equals(plus((1 - x_in) ** 2, times(2, w_out, 1 - x_in), w_out**2), r"expand around 1"),
    at_least((1 - x_in) ** 2, r"leave out two nonnegative terms", dropping=plus(times(2, w_out, 1 - x_in), w_out**2)),
    role="remark",
    so="The first line is the squared error of the prediction $1 + h$, the last that of 1, to which it is "
    r"clipped. Below $-1$ the same holds by symmetry. So clipping, where it acts, lowers the squared error of $\hat{x}_0$, for "
    "every data point in the box, and with it the error of the mean.",
)
predicted = derivation.define(
    r"\hat{x}_0", plus(x_t, -times(sqrt(1 - a_t), epsilon)) / sqrt(a_t), "the data that the noise implies", "x0_from_noise"
)
_inputs = {"x_t": [x_t], "noise_pred": [epsilon], "noise": [z], "t": np.array([2]), "alpha_bar": [1, before, before * alpha]}
derivation.bridge(
    "The code's step without clipping",
    plus(times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), epsilon))), times(sqrt(beta), z)),
    ddpm_step,
    **_inputs,
    uses=(in_the_noise,),
)
_HALF = Rational(1, 2)
derivation.bridge(
    "... with the predicted data clipped to one half, and the small variance",
    plus(times(kappa, Max(-_HALF, Min(_HALF, predicted))), times(rho, x_t), times(sqrt(tilde), z)),
    ddpm_step,
    **_inputs,
    variance="small",
    clip=0.5,
    wrong={"the variance as the deviation": plus(kappa * Max(-_HALF, Min(_HALF, predicted)), rho * x_t, tilde * z)},
)
u_1 = derivation.number("u_1", "an entry of a prediction", "x0_pred", positive=True)
u_2 = derivation.number("u_2", "by how much another one is larger", positive=True)
derivation.symbol("S", "the dynamic threshold: a quantile of the sizes of the entries, or 1 if it is larger")
_LARGER, _S = plus(u_1, u_2), Max(1, plus(u_1, u_1, u_2) / 2)
derivation.bridge(
    "The code's dynamic threshold at the median of two entries, of which the larger is negative",
    [u_1 / _S, -Min(_S, _LARGER) / _S],
    dynamic_threshold,
    x0_pred=[[u_1, -_LARGER]],
    quantile=0.5,
    wrong={"plain clipping": [Min(1, u_1), -Min(1, _LARGER)]},
)
derivation.say(
    "The dynamic threshold cuts at $S$, which is at least 1, and divides by it. The result is in the box as well, and a "
    "prediction inside the box does not change, since then $S$ is 1. The differences between large entries, which clipping "
    "flattens, are kept, but correct entries move, too: the error is not lower for all data (the fourth exercise)."
)

_LEVELS = jnp.array([1.0, 0.81, 0.5184])


@derivation.algorithm(
    "Ancestral sampling",
    do(r"draw $x_T \sim \mathcal{N}(0, 1)$"),
    do(r"for $t = T, \dots, 1$:", ddpm_sample),
    do(
        r"$\hat{x}_0 \leftarrow (x_t - \sqrt{1 - \bar\alpha_t}\, \hat\epsilon) / \sqrt{\bar\alpha_t}$, clipped to $[-1, 1]$",
        by=clipped,
        indent=1,
    ),
    do(r"$z \sim \mathcal{N}(0, 1)$ if $t > 1$, otherwise $z \leftarrow 0$", indent=1),
    do(r"$x_{t-1} \leftarrow \kappa_t \hat{x}_0 + \rho_t x_t + \sigma_t z$", ddpm_step, by=exact, indent=1),
)
def a_walk():
    x, denoise, half = jnp.ones(1), best_noise(0.25, _LEVELS), jnp.full(1, 0.5)
    for t, stated in ((2, "0.8137"), (1, "0.4665")):
        x = ddpm_step(x, denoise(x, np.array([t])), half, np.array([t]), _LEVELS, clip=1.0)
        yield rf"x_{t - 1} \text{{, from 1 with }} z = \tfrac12, c = \tfrac14", x[0], stated
    yield r"x_0 \text{ in one call}", ddpm_sample(jnp.ones(1), jnp.full((2, 1), 0.5), denoise, _LEVELS, clip=1.0)[0], stated


@derivation.example(
    r"Two steps, with the shares 0.81 and 0.5184 of the signal, and data of variance $\frac14$: then the values vary in the "
    "forward process by 0.3925 and 0.6112. Both choices give samples that vary too little; the last noise is missed."
)
def two_steps():
    for name, printed in (("large", "(0.2050, 0.8100, 1.6670)"), ("small", "(0.1334, 0.6334, 1.4268)")):
        found = gaussian_sampling_variance(jnp.array([0.25, 1.0, 4.0]), _LEVELS, variance=name)
        yield rf"v_0\ \text{{for}}\ c = \tfrac14, 1, 4,\ \text{{{name} variance}}", found, printed
    start, steps, last = weighted_errors(np.asarray(_LEVELS), 0.25, "large")
    yield r"\text{start, wrong variance and last noise in}\ v_0 / c - 1", (start, steps, last), "(0.1349, 0.1693, -0.4841)"
    given = {before: 0.81, alpha: 0.64, c: 0.25}
    kl = [value(tangent.at(times(beta, V_prev / V) / sigma) / 2, given | {sigma: x}) for x in (0.36, value(tilde, given))]
    yield r"\text{divergence of step 2, large and small variance}", kl, "(0.0425, 0.0703)"


derivation.figure(
    "2000 walks from noise to data with two humps, over the density of the forward process at the same level (gray). The "
    "prediction is the best one, so what is wrong is the walk's. Left: 60 steps follow the density. Right: four long steps, by "
    "Gaussians where the true step back can have two humps; samples come to lie between the humps of the data.",
    panels=2,
    frames=[f"$t = {time}$" for time in TIMES],
)(many_steps_and_few)


@derivation.figure(
    r"Gaussian data of variance $\frac14$: the error of the samples' variance times the number of steps, without the start's "
    "share, for betas from $0.1/T$ to $20/T$. With the large variance it settles, so the error is of order $1/T$; with the "
    r"small one it keeps falling with $\log T$."
)
def many_and_few(axes):
    draw_errors(axes)
