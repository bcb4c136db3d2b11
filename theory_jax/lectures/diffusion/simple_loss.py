"""The simple loss: to maximize the ELBO is to predict the noise.

The lecture on the functions of theory_jax/diffusion/simple_loss.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, exp, log, sqrt

from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, SquaredNorm, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.reverse_process import (
    interpolated_log_variance,
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)
from theory_jax.diffusion.simple_loss import (
    learned_variance_loss,
    simple_loss,
    squared_error,
    variational_loss,
    variational_weight,
)
from theory_jax.lectures.diffusion._best_losses import draw_best_losses, draw_regression, draw_weights, irreducible
from theory_jax.lectures.diffusion._schedules import introduce_step
from theory_jax.lectures.diffusion.elbo import terms
from theory_jax.lectures.diffusion.reverse_process import in_the_noise, step_variance
from theory_jax.lectures.lemmas.best_guess import best_guess
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The simple loss: to maximize the ELBO is to predict the noise",
    lectures=(27,),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, section 3.2 to 3.4, eq. 8, 12 and 14",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, section 3.1",
    ),
    question="Maximizing the likelihood bound of a diffusion model as it stands gives noisy gradients and worse pictures than "
    "minimizing a plain squared error of a predicted noise. But the bound is a sum of divergences between Gaussians. Why is the "
    "squared error the same, up to a weight, and may the weight be left out?",
    setting=(
        r"From the second step on, the term $L_{t-1}$ of the bound is $\mathrm{KL}(\mathcal{N}(\tilde\mu_t, \tilde\beta_t I) "
        r"\,\|\, \mathcal{N}(\mu_\theta, \sigma_t^2 I))$, in $D$ dimensions. The network predicts the noise $\epsilon$ in "
        r"$\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$, which is $x_t$; its prediction $\hat\epsilon$ is "
        r"put where $\tilde\mu_t$ has the noise, which gives $\mu_\theta$. The variance $\sigma_t^2$ is fixed, until the last "
        "part.",
        "A network is unrestricted if its prediction at one $(x_t, t)$ does not constrain that at another one. Distributions "
        "are written for finitely many values of $x_t$ and of the noise; for densities the sums are integrals.",
    ),
    limits=(
        "Why the weight 1 gives better samples is an observation, not a theorem.",
        "A real network is restricted: it shares parameters between levels, and then the weight decides where it is good.",
        "The term of the first step is the decoder's; the simple loss treats it like the others.",
    ),
)


@derivation.figure(
    "Left: the weight that the bound gives to the simple loss, for the linear schedule of 1000 steps, next to the simple loss's "
    r"own weight 1. Right: the loss of the best network. For standard normal data it is $\bar\alpha_t$; for data that are $-1$ "
    "or $1$ it is small again where the noise is low, because the data are then known.",
    panels=2,
)
def weights_and_best_losses(left, right):
    draw_weights(left, variational_weight)
    draw_best_losses(right)


_step = introduce_step(derivation)
alpha, before, beta, a_t, tilde = _step.alpha, _step.before, _step.beta, _step.a_t, _step.tilde
sigma2 = derivation.number(r"\sigma_t^2", "the variance of the model's step", "reverse_log_variance", positive=True)
d = derivation.index("d", "a coordinate")
D = derivation.count(d, "D", "the number of coordinates")
noisy = derivation.numbers("x_{t}", d, "the noisy value", "x_t")
noise = derivation.numbers(r"\epsilon", d, "the noise in it", "noise")
guess = derivation.numbers(r"\hat\epsilon", d, "the network's prediction of the noise", "denoise_fn(x_t, t)")
constant = derivation.define(
    "C_t", plus(log(sigma2 / tilde), tilde / sigma2, -1) / 2, "what the fixed variance costs in a coordinate"
)
weight = derivation.define(
    "w_t", beta**2 / (2 * sigma2 * alpha * (1 - a_t)), "the weight of the squared error", "variational_weight", positive=True
)
_ERROR = SquaredNorm(d, plus(noise, -guess))


def _mean(of_noise):
    return times(1 / sqrt(alpha), plus(noisy, -times(beta / sqrt(1 - a_t), of_noise)))


central = derivation.chain(
    "A term of the bound is a weighted squared error of the noise",
    plus(D * constant, SquaredNorm(d, plus(_mean(noise), -_mean(guess))) / (2 * sigma2)),
    equals(
        plus(D * constant, SquaredNorm(d, times(beta / sqrt(alpha * (1 - a_t)), plus(noise, -guess))) / (2 * sigma2)),
        r"both means are written with a noise, and $x_t$ cancels in their difference",
        wrong={
            "the root forgotten": plus(
                D * constant, SquaredNorm(d, times(beta / (alpha * (1 - a_t)), plus(noise, -guess))) / (2 * sigma2)
            )
        },
    ),
    equals(
        plus(D * constant, times(beta**2 / (2 * sigma2 * alpha * (1 - a_t)), _ERROR)),
        "a factor comes out of a squared norm as its square",
        wrong={"a_t in place of alpha_t": plus(D * constant, times(beta**2 / (2 * sigma2 * a_t * (1 - a_t)), _ERROR))},
    ),
    equals(plus(D * constant, times(weight, _ERROR)), "the fraction gets a name"),
    states=2,
    uses=(gaussian_divergence, terms, in_the_noise),
    central=True,
    so=r"The first line is the divergence of the two Gaussians, coordinates added up. Only the last factor contains the network.",
)
_LARGE = beta / (2 * alpha * (1 - a_t))
derivation.answer = prose(
    "From the second step on, and for a fixed variance, a term of the bound is {term} on average over the data and the noise, "
    r"where $C_t$ and $w_t$ contain no network; with the variance $\beta_t$ the weight is {weight}. At every $t$ the best "
    r"prediction is the conditional mean $\mathbb{E}[\epsilon|x_t]$. So an unrestricted network has the same optimum with every "
    "positive weight, and the simple loss takes the weight 1.",
    term=plus(D * constant, times(weight, _ERROR)),
    weight=holds(weight, "=", _LARGE, when={sigma2: beta}, named=True, wrong={"the level for the step": _LARGE * alpha / a_t}),
)
derivation.chain(
    "The fixed part is what a wrong variance costs",
    constant,
    equals(
        tangent.at(tilde / sigma2) / 2,
        prose("{turned}: the gap of the logarithm", turned=holds(log(sigma2 / tilde), "=", -log(tilde / sigma2))),
    ),
    at_least(
        0,
        prose("leave out a gap; equality if and only if {same}", same=where(sigma2, tilde)),
        dropping=tangent.at(tilde / sigma2) / 2,
    ),
    role="lemma",
)
signal_to_noise = derivation.define("S_t", a_t / (1 - a_t), "signal to noise after the step", "exp(log_snr)", positive=True)
snr_before = derivation.define("S_{t-1}", before / (1 - before), "signal to noise before it", positive=True)
derivation.chain(
    "With the small variance the weight is a ratio of signal-to-noise ratios",
    beta**2 / (2 * tilde * alpha * (1 - a_t)),
    equals(
        beta / (2 * alpha * (1 - before)),
        r"put in $\tilde\beta_t$; $1 - \bar\alpha_t$ cancels",
        wrong={"the large variance": beta / (2 * alpha * (1 - a_t))},
    ),
    equals(
        times(Rational(1, 2), plus(snr_before / signal_to_noise, -1)),
        prose(
            "{ratio}, and {rest}",
            ratio=holds(snr_before / signal_to_noise, "=", (1 - a_t) / times(alpha, 1 - before)),
            rest=holds(plus(1, -a_t, -times(alpha, 1 - before)), "=", beta),
        ),
    ),
    role="lemma",
)
_at_two = {"t": [2], "alpha_bar": [1, before, before * alpha]}
derivation.bridge(
    "The code's weight, with the large variance",
    _LARGE,
    variational_weight,
    **_at_two,
    wrong={"a_t in place of alpha_t": beta / (2 * a_t * (1 - a_t))},
)
derivation.bridge(
    "... and with the small one",
    times(Rational(1, 2), plus(snr_before / signal_to_noise, -1)),
    variational_weight,
    **_at_two,
    variance="small",
    wrong={"the large variance": beta / (2 * alpha * (1 - a_t))},
)
derivation.bridge(
    "The squared error",
    _ERROR,
    squared_error,
    prediction=[guess],
    target=[noise],
    wrong={"the mean over coordinates": _ERROR / D, "the norm": sqrt(_ERROR)},
)
x_0 = derivation.number("x_0", "the data", "x0")
epsilon = derivation.number("z", "the noise, in one coordinate", "noise")
slope = derivation.number("b", "the slope of a linear network")
_LINEAR = plus(epsilon, -times(slope, plus(times(sqrt(a_t), x_0), times(sqrt(1 - a_t), epsilon)))) ** 2
_input, _level = Symbol("u"), Symbol("l")  # a linear network ignores its level
_network = function_of(_input, _level, slope * _input)
for _name, _code, _expression, _mistake in (
    (
        "simple loss",
        simple_loss,
        _LINEAR,
        plus(x_0, -times(slope, plus(times(sqrt(a_t), x_0), times(sqrt(1 - a_t), epsilon)))) ** 2,
    ),
    ("variational loss", variational_loss, times(beta / (2 * alpha * (1 - a_t)), _LINEAR), _LINEAR),
):
    derivation.bridge(
        f"The {_name} of the linear network",
        _expression,
        _code,
        x0=[x_0],
        noise=[epsilon],
        denoise_fn=_network,
        **_at_two,
        wrong={"another target or weight": _mistake},
    )

derivation.say(
    "May the weight be left out? Look at one level. The network sees $x_t$ and is judged by the noise, which $x_t$ does not "
    "tell. Here $x_t$ takes any three values, the target any two values for each of them."
)
i = derivation.index("i", "a value of $x_t$")
j = derivation.index("j", "a value of the target, the noise")
seen = derivation.law("P", i, "the distribution of $x_t$")
hidden = derivation.law("r({}|{})", (j, i), "the distribution of the target given $x_t$")
target = derivation.numbers("y", j, "the target")
f = derivation.numbers("f", i, "the prediction at a value of $x_t$")
m = derivation.define("m", Expectation(hidden, target), "the conditional mean of the target", over=i)
_BEST = Expectation(seen, Variance(hidden, target))
pythagoras = derivation.chain(
    "Pythagoras: the best prediction is the conditional mean",
    Expectation(seen, Expectation(hidden, (target - f) ** 2)),
    equals(
        plus(_BEST, Expectation(seen, (m - f) ** 2)),
        r"given $x_t$ the prediction is one number, a guess of the target (the lemma on squared errors)",
    ),
    at_least(
        _BEST,
        prose("leave out a square; equality if and only if {mean} for every $i$", mean=where(f, m)),
        dropping=Expectation(seen, (m - f) ** 2),
    ),
    sizes={i: 3, j: 2},
    role="lemma",
    uses=(best_guess,),
    so=r"A squared error is a sum of two: what no one can know, and how far the prediction is from the conditional mean.",
)
derivation.figure(
    prose(
        "Left: the noise in 300 noisy values of data that are $-1$ or $1$, at the level 0.6, and two predictions. What the "
        "points scatter around the conditional mean is lost in any case; a line loses more, {sum}. Right: what a fixed "
        "variance of the step costs if the true one is the other, {cost}: little but in the first steps.",
        sum=holds(
            Expectation(seen, Expectation(hidden, (target - f) ** 2)),
            "=",
            plus(Expectation(seen, Variance(hidden, target)), Expectation(seen, (m - f) ** 2)),
            named=True,
            wrong={"the scatter alone": Expectation(seen, Variance(hidden, target))},
        ),
        cost=holds(constant, "=", tangent.at(tilde / sigma2) / 2, named=True, wrong={"not halved": tangent.at(tilde / sigma2)}),
    ),
    panels=2,
)(draw_regression)
t = derivation.index("t", "a level")
importance = derivation.numbers(r"\omega", t, "any positive weights of the levels", positive=True)
seen_t = derivation.law("P_t({}|{})", (i, t), "the distribution of $x_t$ at a level")
hidden_t = derivation.law("r({}|{},{})", (j, i, t), "the distribution of the target at a level, given $x_t$")
f_t = derivation.numbers("f({},{})", (i, t), "the prediction at a value and a level")
m_t = derivation.define("m({},{})", Expectation(hidden_t, target), "the conditional mean at a level", over=(i, t))
derivation.chain(
    "Every positive weighting has the same best network",
    Total(t, times(importance, Expectation(seen_t, Expectation(hidden_t, (target - f_t) ** 2)))),
    equals(
        Total(t, times(importance, plus(Expectation(seen_t, Variance(hidden_t, target)), Expectation(seen_t, (m_t - f_t) ** 2)))),
        "Pythagoras at every level",
    ),
    at_least(
        Total(t, times(importance, Expectation(seen_t, Variance(hidden_t, target)))),
        prose("leave out weighted squares; equality if and only if {mean} for every $i$ and $t$", mean=where(f_t, m_t)),
        dropping=Total(t, times(importance, Expectation(seen_t, (m_t - f_t) ** 2))),
    ),
    states=2,
    uses=(pythagoras,),
    so="If the levels can be fitted independently, the minimizer does not depend on the weights. So the weight may be changed "
    "at will: the simple loss takes 1 at every level, which gives relatively less weight to small $t$ than the bound does.",
)
x_i = derivation.numbers("X", i, "the values of $x_t$")
derivation.chain(
    "What remains is what the noisy value does not tell about the data",
    Variance(hidden, (x_i - sqrt(a_t) * target) / sqrt(1 - a_t)),
    equals(
        signal_to_noise * Variance(hidden, target),
        "the first line is the variance of the noise, as $X_i$ and the data determine it, where the targets $y_j$ are now "
        "values of $x_0$; a shift does not change a variance, a factor comes out squared",
        wrong={"not squared": sqrt(a_t / (1 - a_t)) * Variance(hidden, target)},
    ),
    states=2,
    so=r"So the loss of the best network at level $t$ is $S_t\, \mathbb{E}[\mathrm{Var}(x_0|x_t)]$ in each coordinate.",
)
derivation.chain(
    "The best loss is at most that of a zero network",
    Expectation(seen, Expectation(hidden, target**2)),
    equals(plus(_BEST, Expectation(seen, m**2)), "Pythagoras for the prediction 0"),
    at_least(_BEST, "leave out a square, which is zero if the conditional means are", dropping=Expectation(seen, m**2)),
    sizes={i: 3, j: 2},
    uses=(pythagoras,),
    so=r"The first line is $\mathbb{E}[\epsilon^2]$, which is 1: the best loss is between 0 and 1 in each coordinate, at every "
    "level. An average loss that stays above $D$ indicates a mistake.",
    role="remark",
)

derivation.say("At last the variance. If it is learned, too, which one is best for a fixed mean?")
v = derivation.number("v", "a variance of the model's step", positive=True)
s = derivation.number("s", r"the variance of the step back given the data, $\tilde\beta_t$", positive=True)
delta = derivation.number(r"\delta", r"the distance of the means, $\tilde\mu_t - \mu_\theta$")
best = derivation.define(r"v^*", s + delta**2, "the best variance", positive=True)


def _cost(of):
    return times(Rational(1, 2), plus(log(of / s), (s + delta**2) / of, -1))


derivation.chain(
    "The best variance is larger than that of the posterior",
    plus(_cost(v), -_cost(best)),
    equals(
        times(Rational(1, 2), plus(log(v / best), best / v, -1)),
        prose(r"$\log s$ cancels, and {one}", one=holds((s + delta**2) / best, "=", 1)),
        wrong={"the second term forgotten": times(Rational(1, 2), log(v / best))},
    ),
    equals(tangent.at(best / v) / 2, "the gap of the logarithm at $v^* / v$"),
    at_least(
        0, prose("leave out the gap; equality if and only if {best}", best=where(v, best)), dropping=tangent.at(best / v) / 2
    ),
    so=r"The distance of the means is added to $\tilde\beta_t$: a model that does not know $x_0$ must be wider than the step "
    "back that does.",
)
kappa = _step.kappa
derivation.chain(
    "On average over the data given the noisy value, the best variance is that of the true step back",
    Expectation(hidden, plus(tilde, times(kappa, plus(target, -m)) ** 2)),
    equals(
        plus(tilde, times(kappa**2, Variance(hidden, target))),
        r"with the best mean $\tilde\mu_t - \mu_\theta$ is $\kappa_t (x_0 - \mathbb{E}[x_0|x_t])$, here with $y_j$ for $x_0$",
    ),
    states=2,
    uses=(step_variance,),
    so=r"This is $\mathrm{Var}(x_{t-1}|x_t)$: the best variance is the true one.",
    role="remark",
)
x_t = derivation.number("x", "the noisy value, in one coordinate", "x_t")
hat = derivation.number(r"\hat z", "the predicted noise, in one coordinate", "noise_pred")
share = derivation.number("u", "the network's output for the variance: $-1$ is the small one, 1 the large one", "v")
log_learned = derivation.define(
    r"\ell",
    plus((1 + share) / 2 * log(beta), (1 - share) / 2 * log(tilde)),
    "the learned log-variance",
    "interpolated_log_variance",
)
_DISTANCE = (
    plus(times(kappa, x_0), times(_step.rho, x_t), -times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), hat)))) ** 2
)
derivation.bridge(
    "The code's loss of a learned variance",
    times(Rational(1, 2), plus(log_learned, -log(tilde), (tilde + _DISTANCE) * exp(-log_learned), -1)),
    learned_variance_loss,
    x0=[x_0],
    x_t=[x_t],
    t=np.array([2]),
    noise_pred=[hat],
    v=[share],
    alpha_bar=[1, before, before * alpha],
)
derivation.symbol(r"\mathrm{KL}_u", "the code's loss of a learned variance", "learned_variance_loss")

_LEVELS, _TWO, _given = jnp.array([1.0, 0.81, 0.5184]), np.array([2]), {before: 0.81, alpha: 0.64}


@derivation.autodiff(
    r"\left(\frac{\partial}{\partial \hat z}, \frac{\partial}{\partial u}\right) \mathrm{KL}_u = \left(0, \frac{1}{4} \left(1 - "
    r"\frac{v^*}{e^{\ell}}\right) \log \frac{\beta_t}{\tilde\beta_t}\right)",
    because="The variance's loss must not train the mean, which the simple loss trains. So the prediction of the noise is a "
    "constant here, and its derivative exactly 0; that of $u$ is the chain rule.",
    role="appendix",
)
def the_mean_is_held_constant():
    x0, x, noise, u = (jnp.array([number]) for number in (1.0, 0.7, -0.4, 0.3))

    def loss(noise, u):
        return learned_variance_loss(x0, x, _TWO, noise, u, _LEVELS)[0]

    both = jnp.concatenate(jax.grad(loss, argnums=(0, 1))(noise, u))
    small, large = jnp.exp(posterior_log_variance(_TWO, _LEVELS)), jnp.exp(reverse_log_variance(_TWO, _LEVELS))
    distance = posterior_mean(x0, x, _TWO, _LEVELS) - reverse_mean_from_noise(x, noise, _TWO, _LEVELS)
    ratio = (small + distance**2) / jnp.exp(interpolated_log_variance(u, _TWO, _LEVELS))
    right = jnp.concatenate([jnp.zeros(1), (1 - ratio) * jnp.log(large / small) / 4])
    flowing = jnp.concatenate([distance, right[1:]])
    return Sides(left=both, right=right, wrong={"the mean is trained": flowing, "a half": right * 2})


@derivation.algorithm(
    "The simple loss of a sample, and its share of the bound",
    do(r"draw a data point $x_0$, a level $t \ge 2$ and $\epsilon \sim \mathcal{N}(0, I)$"),
    do(r"$x_t \leftarrow \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$"),
    do(
        r"$\ell \leftarrow \|\epsilon - \hat\epsilon\|^2$ with the prediction $\hat\epsilon$ at $(x_t, t)$",
        simple_loss,
        by=pythagoras,
    ),
    do(r"descend the gradient of $\ell$; for the bound, of $w_t\, \ell$", variational_loss, by=central),
)
def two_samples():
    for noise, stated in ((0.5, "(0.0578, 0.0338)"), (-1.0, "(1.0364, 0.6053)")):
        batch = jnp.ones(1), _TWO, jnp.full(1, noise), lambda x, t: math.sqrt(0.4816) * x, _LEVELS
        both = simple_loss(*batch)[0], variational_loss(*batch)[0]
        yield rf"x_0 = 1,\ \epsilon = {noise:g}: \quad (\ell, w_2 \ell)", both, stated


@derivation.example(
    "Step 2 of two steps with noise of variance 0.19 and 0.36. For standard normal data and the data point 1 the best network "
    r"is $\sqrt{1 - \bar\alpha_2}\, x_2$, with the mean squared error $\bar\alpha_2$; the term $L_1$ is the number of the topic "
    "before."
)
def the_second_step():
    large, small = (variational_weight(_TWO, _LEVELS, variance=name)[0] for name in ("large", "small"))
    cost = value(constant, _given | {sigma2: 0.36})
    yield r"w_2\ \text{for}\ \beta_2, \tilde\beta_2", (large, small), "(0.5840, 1.4803)"
    yield r"C_2\ \text{for}\ \beta_2", cost, "0.1623"
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    losses = simple_loss(jnp.ones(5), np.full(5, 2), jnp.asarray(nodes), lambda x, t: math.sqrt(0.4816) * x, _LEVELS)
    error = (weights / weights.sum()) @ np.asarray(losses)
    yield r"\mathbb{E}(\epsilon - \hat\epsilon)^2", error, "0.5184"
    yield r"L_1 = C_2 + w_2\, \mathbb{E}(\epsilon - \hat\epsilon)^2", cost + large * error, "0.4650"
    best = irreducible(_LEVELS, np.array([1, 2]))
    yield r"\text{the best loss for data}\ \pm 1\ \text{at}\ t = 1, 2", best, "(0.2508, 0.4587)"
