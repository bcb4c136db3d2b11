"""What to predict: noise, data, velocity, score or mean.

The lecture on the functions of theory_jax/diffusion/parameterizations.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, cos, pi, sin, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Normal, Slope, plus, times
from theory_jax.derivation.parts import value
from theory_jax.diffusion.parameterizations import (
    PREDICTIONS,
    convert_prediction,
    loss_ratio,
    noise_from_velocity,
    noise_from_x0,
    velocity,
    x0_from_noise,
    x0_from_velocity,
)
from theory_jax.lectures.diffusion._schedules import introduce_step
from theory_jax.lectures.diffusion.reverse_process import in_the_noise, posterior_law
from theory_jax.lectures.diffusion.simple_loss import pythagoras
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence

derivation = Derivation(
    module=__name__,
    title="What to predict: noise, data, velocity, score or mean",
    lectures=(28, 33),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, section 3.2",
        "Salimans & Ho 2022, Progressive Distillation for Fast Sampling of Diffusion Models, section 4 and appendix D",
        "Kingma, Salimans, Poole & Ho 2021, Variational Diffusion Models, section 4",
        "Luo 2022, Understanding Diffusion Models: A Unified Perspective",
    ),
    question="A network may predict the noise in a noisy value, the data, a velocity, a score, or the "
    "mean of the next step back. Are these different models, and what changes between their losses?",
    setting=(
        r"A noisy value $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$ is given, with $0 < "
        r"\bar\alpha_t < 1$; one coordinate is written. So of $x_0$ and $\epsilon$ one tells the other, and everything is "
        r"written with $x_0$ and $x_t$. A hat marks a prediction; every predicted quantity is the one that belongs to the same "
        r"predicted data.",
        r"$\tilde\mu_t = \kappa_t x_0 + \rho_t x_t$ and $\tilde\beta_t$ are mean and variance of the step back that knows the "
        r"data, for $t \ge 2$. The score here is that of $q(x_t|x_0)$.",
    ),
    answer=r"At a given $x_t$ the five targets are linear functions of each other, so one network can be read in five ways. "
    r"Their squared errors differ by factors that depend on $t$ only. In terms of the data, the bound is $\frac12 (S_{t-1} - "
    r"S_t) \|x_0 - \hat x_0\|^2$ with the signal-to-noise ratio $S_t$.",
    limits=(
        "An unrestricted network is the same for all targets. A real one is not: what it must output, and which errors its "
        "loss weighs, matter, and that is not shown here.",
        "The score here belongs to one data point. That of the noisy data's own law is the subject of a later topic.",
    ),
)

_step = introduce_step(derivation)
alpha, before, beta, a_t, tilde = _step.alpha, _step.before, _step.beta, _step.a_t, _step.tilde
kappa, rho = _step.kappa, _step.rho
signal_to_noise = derivation.define("S_t", a_t / (1 - a_t), "signal to noise after the step", "exp(log_snr)", positive=True)
snr_before = derivation.define("S_{t-1}", before / (1 - before), "signal to noise before it", positive=True)
x_0 = derivation.number("x_0", "the data", "x0")
x_t = derivation.number("x_t", "the noisy value", "x_t")
e = derivation.number("e", "any noise or velocity, as an input of the code")
x_hat = derivation.number(r"\hat x_0", "the predicted data", "x0_pred")


def _targets(hat, of, data):
    """The other four targets that belong to these data at x_t."""
    noise = derivation.define(rf"{hat}\epsilon", plus(x_t, -times(sqrt(a_t), data)) / sqrt(1 - a_t), f"the {of}noise", "noise")
    velocity = derivation.define(
        f"{hat}v", plus(times(sqrt(a_t), noise), -times(sqrt(1 - a_t), data)), f"the {of}velocity", "velocity"
    )
    score = derivation.define(
        f"{hat}s",
        -plus(x_t, -times(sqrt(a_t), data)) / (1 - a_t),
        rf"the {of}score, the slope of $\log q(x_t|x_0)$ in $x_t$",
        "score",
    )
    mean = derivation.define(
        r"\hat\mu_t" if hat else r"\tilde\mu_t",
        plus(times(kappa, data), times(rho, x_t)),
        f"the {of}mean of the step back",
        "mean",
    )
    return noise, velocity, score, mean


epsilon, v, s, mu = _targets("", "", x_0)
epsilon_hat, v_hat, s_hat, mu_hat = _targets(r"\hat ", "predicted ", x_hat)
_OF_NOISE = {
    "x0": (x_0, times(1 / sqrt(a_t), plus(x_t, -times(sqrt(1 - a_t), epsilon)))),
    "velocity": (v, times(1 / sqrt(a_t), plus(epsilon, -times(sqrt(1 - a_t), x_t)))),
    "score": (s, -epsilon / sqrt(1 - a_t)),
    "mean": (mu, times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), epsilon)))),
}

derivation.say(r"First: each target is a linear function of the noise, at a fixed $x_t$, with a slope that is not zero.")
derivation.chain(
    "The data",
    x_0,
    equals(
        _OF_NOISE["x0"][1],
        r"solve $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$ for $x_0$",
        wrong={"without the root": plus(x_t, -times(sqrt(1 - a_t), epsilon)) / a_t},
    ),
    role="lemma",
)
derivation.chain(
    "The velocity",
    v,
    equals(
        plus(times(sqrt(a_t), epsilon), -times(sqrt(1 - a_t) / sqrt(a_t), plus(x_t, -times(sqrt(1 - a_t), epsilon)))),
        r"the definition $v = \sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0$, with the data put in",
        wrong={"data and noise exchanged": plus(times(sqrt(a_t), x_0), -times(sqrt(1 - a_t), epsilon))},
    ),
    equals(
        _OF_NOISE["velocity"][1],
        r"the noise is multiplied by $\sqrt{\bar\alpha_t} + (1 - \bar\alpha_t) / \sqrt{\bar\alpha_t} = 1 / \sqrt{\bar\alpha_t}$",
    ),
    role="lemma",
)
derivation.chain(
    "The score",
    Slope(Normal(x_t, times(sqrt(a_t), x_0), 1 - a_t).log_density(x_t), x_t),
    equals(s, "the log-density is a parabola; its slope is minus the distance from the mean, over the variance"),
    equals(
        -epsilon / sqrt(1 - a_t),
        r"the distance from the mean is $\sqrt{1 - \bar\alpha_t}\, \epsilon$",
        wrong={"without the root": -epsilon / (1 - a_t)},
    ),
    role="lemma",
)
derivation.chain(
    "The mean",
    mu,
    equals(
        _OF_NOISE["mean"][1],
        "the reverse process, with the data put in",
        wrong={"without the root": times(1 / sqrt(alpha), plus(x_t, -times(beta / (1 - a_t), epsilon)))},
    ),
    role="lemma",
    uses=(in_the_noise,),
)
_at_2 = np.array([2])
_LEVELS = [1, before, before * alpha]
derivation.bridge(
    "The code turns noise into data",
    times(1 / sqrt(a_t), plus(x_t, -times(sqrt(1 - a_t), e))),
    x0_from_noise,
    x_t=[x_t],
    noise=[e],
    t=_at_2,
    alpha_bar=_LEVELS,
)
derivation.bridge(
    "... and data into noise",
    plus(x_t, -times(sqrt(a_t), x_0)) / sqrt(1 - a_t),
    noise_from_x0,
    x_t=[x_t],
    x0=[x_0],
    t=_at_2,
    alpha_bar=_LEVELS,
    wrong={"without the root": plus(x_t, -times(a_t, x_0)) / sqrt(1 - a_t)},
)
for _name, _target, _mistake, _form in (
    ("velocity", v, "data and noise exchanged", plus(times(sqrt(a_t), x_0), -times(sqrt(1 - a_t), epsilon))),
    ("score", s, "divided by the variance", -epsilon / (1 - a_t)),
    ("mean", mu, "the coefficients exchanged", plus(times(rho, x_0), times(kappa, x_t))),
):
    derivation.bridge(
        f"The code turns data into the {_name}",
        _target,
        convert_prediction,
        prediction=[x_0],
        x_t=[x_t],
        t=[2],
        alpha_bar=_LEVELS,
        source="x0",
        target=_name,
        wrong={_mistake: _form},
    )


@derivation.numeric(
    r"\hat y \mapsto \hat z: \quad \hat z = z \ \text{if}\ \hat y = y, \qquad y, z \in \{\epsilon, x_0, v, s, \tilde\mu_t\}",
    because="All 25 conversions of the code, at three noisy values: each target of the data is turned into each other one.",
    role="lemma",
)
def all_conversions():
    alpha_bar, t = jnp.array([1.0, 0.81, 0.5184, 0.2]), np.array([2, 3, 2])
    x0, x = jnp.array([1.0, -0.3, 0.8]), jnp.array([0.5, 1.2, -0.7])
    true = {name: convert_prediction(x0, x, t, alpha_bar, source="x0", target=name) for name in PREDICTIONS}
    pairs = [(source, target) for source in PREDICTIONS for target in PREDICTIONS]
    got = [convert_prediction(true[source], x, t, alpha_bar, source=source, target=target) for source, target in pairs]
    right = jnp.stack([true[target] for _, target in pairs])
    return Sides(left=jnp.stack(got), right=right, wrong={"the velocity's sign": right.at[2].set(-right[2])})


derivation.symbol("x_T", "the noisy value at the last level")
derivation.symbol(r"\bar\alpha_T", "that level, which may be 0")
derivation.symbol(r"\{y, z\}", "two of the five targets")

derivation.say(
    r"Second: a difference of two linear functions with one slope is the slope times the difference; $x_t$ cancels. So squared "
    r"errors differ by the square of the slope."
)
_ERROR = (epsilon - epsilon_hat) ** 2
for _title, _name, _target, _predicted, _ratio, _why in (
    ("The error of the data", "x0", x_0, x_hat, (1 - a_t) / a_t, r"$-\sqrt{1 - \bar\alpha_t} / \sqrt{\bar\alpha_t}$"),
    ("The error of the velocity", "velocity", v, v_hat, 1 / a_t, r"$1 / \sqrt{\bar\alpha_t}$"),
    ("The error of the score", "score", s, s_hat, 1 / (1 - a_t), r"$-1 / \sqrt{1 - \bar\alpha_t}$"),
    (
        "The error of the mean",
        "mean",
        mu,
        mu_hat,
        beta**2 / (alpha * (1 - a_t)),
        r"$-\beta_t / \sqrt{\alpha_t (1 - \bar\alpha_t)}$",
    ),
):
    derivation.chain(_title, plus(_target, -_predicted) ** 2, equals(times(_ratio, _ERROR), f"the slope is {_why}"), role="lemma")
    derivation.bridge(f"... and its factor in the code ({_name})", _ratio, loss_ratio, t=[2], alpha_bar=_LEVELS, target=_name)
error_of_the_noise = derivation.chain(
    "The loss of the noise weighs the data's error by the signal-to-noise ratio",
    _ERROR,
    equals(
        times(signal_to_noise, (x_0 - x_hat) ** 2),
        r"$S_t = \bar\alpha_t / (1 - \bar\alpha_t)$ is the inverse of the factor of the data",
        wrong={"the ratio turned over": times(1 / signal_to_noise, (x_0 - x_hat) ** 2)},
    ),
)
error_of_the_velocity = derivation.chain(
    "... and that of the velocity by one more",
    plus(v, -v_hat) ** 2,
    equals(times(signal_to_noise / a_t, (x_0 - x_hat) ** 2), "the factor of the velocity, then that of the noise"),
    equals(times(signal_to_noise + 1, (x_0 - x_hat) ** 2), r"$\frac{1}{1 - \bar\alpha_t} = S_t + 1$"),
    uses=(pythagoras,),
    so=r"A linear map commutes with the conditional mean given $x_t$, so the best predictions correspond, too: an unrestricted "
    r"network has one optimum, in five coordinates. What differs is how much an error at each level costs.",
)

derivation.say(
    r"Third: why a velocity. Write the level as an angle, $\cos\varphi = \sqrt{\bar\alpha_t}$. Then $x_t$ moves on a circle "
    r"from the data to the noise."
)
phi = derivation.number(r"\varphi", r"the angle of the level, $\cos\varphi = \sqrt{\bar\alpha_t}$", between=(0, pi / 2))
derivation.chain(
    "The velocity is the derivative by the angle",
    Slope(plus(times(cos(phi), x_0), times(sin(phi), e)), phi),
    equals(
        plus(times(cos(phi), e), -times(sin(phi), x_0)),
        r"differentiate; this is $\sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0$",
    ),
)
derivation.chain(
    "The pair of noisy value and velocity is the pair of data and noise, rotated",
    plus(x_t**2, v**2),
    equals(
        plus(x_0**2, epsilon**2),
        r"the matrix with rows $(\cos\varphi, \sin\varphi)$ and $(-\sin\varphi, \cos\varphi)$ keeps lengths",
    ),
)
derivation.chain(
    "Its inverse is its transpose: the data need no division",
    plus(times(sqrt(a_t), x_t), -times(sqrt(1 - a_t), v)),
    equals(plus(times(a_t, x_0), times(1 - a_t, x_0)), r"put in $x_t$ and $v$; the terms with $\epsilon$ cancel"),
    equals(x_0, "the weights sum to one"),
)
derivation.chain(
    "... nor does the noise",
    plus(times(sqrt(1 - a_t), x_t), times(sqrt(a_t), v)),
    equals(epsilon, "the second row of the transpose"),
)
derivation.bridge(
    "The code's velocity of data and noise",
    plus(times(sqrt(a_t), e), -times(sqrt(1 - a_t), x_0)),
    velocity,
    x0=[x_0],
    noise=[e],
    t=[2],
    alpha_bar=_LEVELS,
    wrong={"data and noise exchanged": plus(times(sqrt(a_t), x_0), -times(sqrt(1 - a_t), e))},
)
derivation.bridge(
    "The code's data of a velocity",
    plus(times(sqrt(a_t), x_t), -times(sqrt(1 - a_t), e)),
    x0_from_velocity,
    x_t=[x_t],
    velocity=[e],
    t=[2],
    alpha_bar=_LEVELS,
)
derivation.bridge(
    "The code's noise of a velocity",
    plus(times(sqrt(1 - a_t), x_t), times(sqrt(a_t), e)),
    noise_from_velocity,
    x_t=[x_t],
    velocity=[e],
    t=[2],
    alpha_bar=_LEVELS,
    wrong={"the factors exchanged": plus(times(sqrt(a_t), x_t), times(sqrt(1 - a_t), e))},
)
a = derivation.number("a", r"a level $\bar\alpha_t$ that goes to 0", between=(0, 1))
derivation.chain(
    "Near pure noise the data do not follow from the noise",
    Limit(Slope((x_t - sqrt(1 - a) * e) / sqrt(a), e) * sqrt(a), a, 0),
    equals(-1, r"the slope is $-\sqrt{1 - a} / \sqrt{a}$"),
    so=r"The slope of the data in the predicted noise grows like $1 / \sqrt{\bar\alpha_t}$: any error of the network is "
    r"multiplied by it.",
    role="remark",
)
derivation.chain(
    "... but they follow from the velocity",
    Limit(Slope(sqrt(a) * x_t - sqrt(1 - a) * e, e), a, 0),
    equals(-1, r"the slope is $-\sqrt{1 - a}$"),
    so=r"At $\bar\alpha_T = 0$ the noisy value is the noise, and $v = -x_0$: a network that predicts the velocity still "
    r"predicts the data.",
    role="remark",
)

derivation.say(
    "Last, the bound. With the small variance a term is a squared error of means, and the means differ as the data do."
)
_GUESS = (x_0 - x_hat) ** 2
elbo_in_the_data = derivation.chain(
    "The bound pays for the fall of the signal-to-noise ratio",
    plus(mu, -mu_hat) ** 2 / (2 * tilde),
    equals(
        times(kappa**2 / (2 * tilde), _GUESS),
        r"$\tilde\mu_t = \kappa_t x_0 + \rho_t x_t$, and $x_t$ cancels",
        wrong={"the weight not squared": times(kappa / (2 * tilde), _GUESS)},
    ),
    equals(
        times(before * beta / times(2, 1 - a_t, 1 - before), _GUESS),
        r"put in $\kappa_t$ and $\tilde\beta_t$: $\frac{\bar\alpha_{t-1} \beta_t^2}{(1 - \bar\alpha_t)^2} \cdot \frac{1 - "
        r"\bar\alpha_t}{2 (1 - \bar\alpha_{t-1}) \beta_t}$",
        wrong={"the other level": times(a_t * beta / (2 * (1 - a_t) * (1 - before)), _GUESS)},
    ),
    equals(
        times(Rational(1, 2), plus(snr_before, -signal_to_noise), _GUESS),
        r"over the common denominator $\bar\alpha_{t-1} (1 - \bar\alpha_t) - \bar\alpha_t (1 - \bar\alpha_{t-1}) = "
        r"\bar\alpha_{t-1} \beta_t$",
    ),
    equals(
        times(Rational(1, 2), plus(snr_before / signal_to_noise, -1), _ERROR),
        "the data's error in terms of the noise's",
        wrong={"the ratio turned over": times(Rational(1, 2), plus(1, -signal_to_noise / snr_before), _ERROR)},
    ),
    uses=(gaussian_divergence, posterior_law),
    central=True,
    so=r"The first line is $L_{t-1}$ with $\sigma_t^2 = \tilde\beta_t$. No beta is left: the schedule enters through $S$ "
    r"alone. Summed over $t$ the weights of the data's error telescope to the total fall of $S$.",
)

_levels = jnp.array([1.0, 0.81, 0.5184])
_given = {before: 0.81, alpha: 0.64, x_0: 1}


@derivation.example(
    r"Step 2 of $\beta_1 = 0.19$, $\beta_2 = 0.36$, so $\bar\alpha_2 = 0.5184$, at $x_0 = 1$ and $\epsilon = 0.5$."
)
def one_value_five_targets():
    x = math.sqrt(0.5184) + math.sqrt(0.4816) / 2
    yield "x_2", x, "1.06699"
    for name, symbol, said in (("velocity", "v", "-0.33397"), ("score", "s", "-0.72049"), ("mean", r"\tilde\mu_2", "1.00951")):
        number = convert_prediction(jnp.ones(1), jnp.array([x]), _at_2, _levels, source="x0", target=name)[0]
        yield symbol, number, said
    ratios = [loss_ratio(_at_2, _levels, target=name)[0] for name in ("x0", "velocity", "score", "mean")]
    yield r"\text{errors of}\ x_0, v, s, \mu\ \text{relative to that of}\ \epsilon", ratios, "(0.9290, 1.9290, 2.0764, 0.4205)"
    yield r"\tfrac12 (S_1 - S_2)", value(plus(snr_before, -signal_to_noise) / 2, _given), "1.5934"


@derivation.figure(
    r"Left: for $x_0 = (1, 0)$ and $\epsilon = (0, 1)$ the noisy value moves on a quarter circle as the level falls; the "
    r"arrows are its velocity. Right: what the losses of data, velocity and noise pay for an error of the data, against the "
    r"logarithm of the signal-to-noise ratio.",
    panels=2,
)
def circle_and_weights(left, right):
    levels = jnp.cos(jnp.linspace(0.05, math.pi / 2 - 0.05, 9)) ** 2
    alpha_bar, t = jnp.concatenate([jnp.ones(1), levels]), np.arange(1, 10)
    data, noise = jnp.tile(jnp.array([1.0, 0.0]), (9, 1)), jnp.tile(jnp.array([0.0, 1.0]), (9, 1))
    x = jnp.sqrt(levels)[:, None] * data + jnp.sqrt(1 - levels)[:, None] * noise
    arrows = velocity(data, noise, t, alpha_bar)
    left.plot(x[:, 0], x[:, 1], "o-")
    left.quiver(x[::2, 0], x[::2, 1], arrows[::2, 0], arrows[::2, 1], color="gray", scale=5)
    left.set(xlabel="first coordinate", ylabel="second coordinate", aspect="equal", xlim=(-0.1, 1.3), ylim=(-0.1, 1.3))
    ratio = np.exp(np.linspace(-4, 4, 81))
    schedule, levels = np.concatenate([[1.0], (ratio / (1 + ratio))[::-1]]), np.arange(1, 82)
    of_data = loss_ratio(levels, jnp.asarray(schedule), target="x0")
    for name, label in (("x0", "data"), ("velocity", "velocity"), ("noise", "noise")):
        right.semilogy(np.log(ratio)[::-1], loss_ratio(levels, jnp.asarray(schedule), target=name) / of_data, label=label)
    right.set(xlabel=r"$\log S_t$", ylabel="weight of the data's error")
    right.legend()


@derivation.exercise(
    r"At which level do the losses of noise and data agree?",
    r"Where $S_t = 1$, that is at $\bar\alpha_t = 0.5$; then the factor of the data is 1.",
)
def equal_losses():
    yield loss_ratio(np.array([1]), jnp.array([1.0, 0.5]), target="x0")[0], "1"


@derivation.exercise(
    r"What is the loss of the velocity in units of that of the score, at $\bar\alpha_t = 0.8$?",
    r"$\frac{1}{\bar\alpha_t} : \frac{1}{1 - \bar\alpha_t} = \frac{1 - \bar\alpha_t}{\bar\alpha_t} = 0.25$.",
)
def velocity_and_score():
    level = jnp.array([1.0, 0.8])
    one = np.array([1])
    yield loss_ratio(one, level, target="velocity")[0] / loss_ratio(one, level, target="score")[0], "0.25"


@derivation.exercise(
    r"A network predicts the velocity with a squared error of 0.01 at every level. How large is the squared error of its data "
    r"at $\bar\alpha_t = 0.01$? And if it is the noise that it predicts with that error?",
    r"$(1 - \bar\alpha_t) \cdot 0.01 = 0.0099$ from the velocity, $\frac{1 - \bar\alpha_t}{\bar\alpha_t} \cdot 0.01 = 0.99$ "
    r"from the noise.",
)
def errors_near_pure_noise():
    level, one, off = jnp.array([1.0, 0.01]), np.array([1]), jnp.array([0.1])
    yield (x0_from_velocity(off, off, one, level)[0] - x0_from_velocity(off, 0 * off, one, level)[0]) ** 2, "0.0099"
    yield (x0_from_noise(off, off, one, level)[0] - x0_from_noise(off, 0 * off, one, level)[0]) ** 2, "0.99"


@derivation.numeric(
    r"x_0 = -v, \quad \epsilon = x_T \qquad \text{at}\ \bar\alpha_T = 0",
    because="From the velocity data and noise are read without a division, also at the last level of a schedule that ends in "
    "pure noise. Conversions that would divide by zero are refused.",
    role="appendix",
)
def pure_noise():
    levels, twos = jnp.array([1.0, 0.5, 0.0]), np.array([2, 2])
    x, velocity = jnp.array([0.3, -1.1]), jnp.array([0.7, 0.2])
    got = jnp.stack([x0_from_velocity(x, velocity, twos, levels), noise_from_velocity(x, velocity, twos, levels)])
    return Sides(left=got, right=jnp.stack([-velocity, x]), wrong={"the sign": jnp.stack([velocity, x])})
