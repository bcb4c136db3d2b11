"""What to predict: noise, data, velocity, score or mean.

The lecture on the functions of theory_jax/diffusion/parameterizations.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Rational, cos, pi, sin, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Normal, Slope, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
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
from theory_jax.lectures.diffusion._targets import draw_circle, draw_errors, draw_weights
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
    question="A network that predicts the noise tells almost nothing about the data where nearly all is noise: there its small "
    "errors are multiplied without bound, and a sampler of few steps fails. It may predict the data, a velocity, a score, or "
    "the mean of the next step back instead. Are these different models, and what changes between their losses?",
    setting=(
        r"A noisy value $x_t$ is given, which is $\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$ with "
        r"$\bar\alpha_t$ between 0 and 1; one coordinate is written. So of $x_0$ and $\epsilon$ one tells the other, and "
        "everything is written with $x_0$ and $x_t$. A hat marks a prediction; every predicted quantity is the one that belongs "
        "to the same predicted data.",
        r"The step back that knows the data has the mean $\tilde\mu_t$ and the variance $\tilde\beta_t$, from the second step "
        "on. The score here is that of $q(x_t|x_0)$.",
    ),
    limits=(
        "An unrestricted network is the same for all targets. A real one is not: what it must output, and which errors its loss "
        "weighs, matter, and that is not shown here.",
        "The score here belongs to one data point. That of the noisy data's own distribution is the subject of a later topic.",
    ),
)


@derivation.figure(
    "Left: for data $(1, 0)$ and noise $(0, 1)$ the noisy value moves on a quarter circle as the level falls; the arrows are "
    "its velocity. Right: what the losses of data, velocity and noise pay for an error of the data, against the logarithm of "
    "the signal-to-noise ratio.",
    panels=2,
)
def circle_and_weights(left, right):
    draw_circle(left, velocity)
    draw_weights(right, loss_ratio)


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
        f"{hat}s", -plus(x_t, -times(sqrt(a_t), data)) / (1 - a_t), rf"the {of}score of $q(x_t|x_0)$", "score"
    )
    name = r"\hat\mu_t" if hat else r"\tilde\mu_t"
    mean = derivation.define(name, plus(times(kappa, data), times(rho, x_t)), f"the {of}mean of the step back", "mean")
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
    "The data are a linear function of the noise",
    x_0,
    equals(
        _OF_NOISE["x0"][1],
        prose("solve {it} for $x_0$", it=holds(plus(times(sqrt(a_t), x_0), times(sqrt(1 - a_t), epsilon)), "=", x_t)),
        wrong={"without the root": plus(x_t, -times(sqrt(1 - a_t), epsilon)) / a_t},
    ),
    role="lemma",
)
derivation.chain(
    "The velocity is a linear function of the noise",
    v,
    equals(
        plus(times(sqrt(a_t), epsilon), -times(sqrt(1 - a_t) / sqrt(a_t), plus(x_t, -times(sqrt(1 - a_t), epsilon)))),
        "the definition, with the data put in",
        wrong={"data and noise exchanged": plus(times(sqrt(a_t), x_0), -times(sqrt(1 - a_t), epsilon))},
    ),
    equals(
        _OF_NOISE["velocity"][1],
        prose("the factor of the noise is {factor}", factor=holds(plus(sqrt(a_t), (1 - a_t) / sqrt(a_t)), "=", 1 / sqrt(a_t))),
    ),
    role="lemma",
)
derivation.chain(
    "The score is a multiple of the noise",
    Slope(Normal(x_t, times(sqrt(a_t), x_0), 1 - a_t).log_density(x_t), x_t),
    equals(s, "the log-density is a parabola; its slope is minus the distance from the mean, over the variance"),
    equals(
        -epsilon / sqrt(1 - a_t),
        prose(
            "the distance from the mean is {it}",
            it=holds(plus(x_t, -times(sqrt(a_t), x_0)), "=", times(sqrt(1 - a_t), epsilon), named=True),
        ),
        wrong={"without the root": -epsilon / (1 - a_t)},
    ),
    role="lemma",
)
derivation.chain(
    "The mean of the step back is a linear function of the noise",
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
_AT = {"t": [2], "alpha_bar": [1, before, before * alpha]}
derivation.bridge(
    "The code turns noise into data",
    times(1 / sqrt(a_t), plus(x_t, -times(sqrt(1 - a_t), e))),
    x0_from_noise,
    x_t=[x_t],
    noise=[e],
    **_AT,
)
derivation.bridge(
    "... and data into noise",
    plus(x_t, -times(sqrt(a_t), x_0)) / sqrt(1 - a_t),
    noise_from_x0,
    x_t=[x_t],
    x0=[x_0],
    **_AT,
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
        **_AT,
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


derivation.symbol(r"(x_T, \bar\alpha_T)", "the noisy value at the last level, and that level, which may be 0")
derivation.symbol(r"\{y, z\}", "two of the five targets")

derivation.say(
    "Second: a difference of two linear functions with one slope is the slope times the difference; $x_t$ cancels. So squared "
    "errors differ by the square of the slope."
)
_ERROR = (epsilon - epsilon_hat) ** 2
_TARGETS = (
    ("x0", x_0, x_hat, -sqrt(1 - a_t) / sqrt(a_t)),
    ("velocity", v, v_hat, 1 / sqrt(a_t)),
    ("score", s, s_hat, -1 / sqrt(1 - a_t)),
    ("mean", mu, mu_hat, -beta / sqrt(alpha * (1 - a_t))),
)
_RATIOS = (1 - a_t) / a_t, 1 / a_t, 1 / (1 - a_t), beta**2 / (alpha * (1 - a_t))


def _ratios(t, alpha_bar):
    return jnp.stack([loss_ratio(t, alpha_bar, target=name) for name, *_ in _TARGETS], axis=-1)


derivation.chain(
    "The errors of data, velocity, score and mean are multiples of that of the noise",
    Matrix([plus(target, -predicted) ** 2 for _, target, predicted, _ in _TARGETS]),
    equals(
        Matrix([times(ratio, _ERROR) for ratio in _RATIOS]),
        prose(
            "the slopes in the noise, from the four results above, are {x0}, {velocity}, {score} and {mean}; a slope comes out "
            "squared",
            **{name: holds((y - z) / (epsilon - epsilon_hat), "=", slope, named=True) for name, y, z, slope in _TARGETS},
        ),
        wrong={"not squared": Matrix([times(sqrt(ratio), _ERROR) for ratio in _RATIOS])},
    ),
    role="lemma",
)
derivation.bridge("The code's factors", [*_RATIOS], _ratios, **_AT, calls=(loss_ratio,))
error_of_the_noise = derivation.chain(
    "The loss of the noise weighs the data's error by the signal-to-noise ratio",
    _ERROR,
    equals(
        times(signal_to_noise, (x_0 - x_hat) ** 2),
        prose("{inverse}, one over the factor of the data", inverse=holds(1 / _RATIOS[0], "=", signal_to_noise)),
        wrong={"the ratio turned over": times(1 / signal_to_noise, (x_0 - x_hat) ** 2)},
    ),
)
error_of_the_velocity = derivation.chain(
    "The loss of the velocity weighs it by one more",
    plus(v, -v_hat) ** 2,
    equals(times(signal_to_noise / a_t, (x_0 - x_hat) ** 2), "the factor of the velocity, then that of the noise"),
    equals(times(signal_to_noise + 1, (x_0 - x_hat) ** 2), prose("{one}", one=holds(1 / (1 - a_t), "=", signal_to_noise + 1))),
    uses=(pythagoras,),
    so="A linear map commutes with the conditional mean given $x_t$, so the best predictions correspond, too: an unrestricted "
    "network has one optimum, in five coordinates. What differs is how much an error at each level costs.",
)

derivation.say(
    r"Third: why a velocity. Write the level as an angle $\varphi$ of cosine $\sqrt{\bar\alpha_t}$. Then $x_t$ moves on an "
    "ellipse from the data to the noise, on a circle if both are orthogonal and have one length."
)
phi = derivation.number(r"\varphi", r"the angle of the level, of which the cosine is $\sqrt{\bar\alpha_t}$", between=(0, pi / 2))
derivation.chain(
    "The velocity is the derivative by the angle",
    Slope(plus(times(cos(phi), x_0), times(sin(phi), e)), phi),
    equals(
        plus(times(cos(phi), e), -times(sin(phi), x_0)),
        r"differentiate; the cosine is $\sqrt{\bar\alpha_t}$ and the sine $\sqrt{1 - \bar\alpha_t}$",
    ),
    role="remark",
)
derivation.chain(
    "The pair of noisy value and velocity is the pair of data and noise, rotated",
    plus(x_t**2, v**2),
    equals(
        plus(x_0**2, epsilon**2),
        r"the matrix with rows $(\cos\varphi, \sin\varphi)$ and $(-\sin\varphi, \cos\varphi)$ keeps lengths",
    ),
    role="remark",
)
derivation.chain(
    "Its inverse is its transpose: the data need no division",
    plus(times(sqrt(a_t), x_t), -times(sqrt(1 - a_t), v)),
    equals(plus(times(a_t, x_0), times(1 - a_t, x_0)), r"put in $x_t$ and $v$; the terms with $\epsilon$ cancel"),
    equals(x_0, "the weights sum to one"),
    so=prose(
        "Nor does the noise: {noise}, by the second row.",
        noise=holds(plus(times(sqrt(1 - a_t), x_t), times(sqrt(a_t), v)), "=", epsilon, wrong={"the first row": x_0}),
    ),
)


@derivation.figure(
    prose(
        "Left: what an error of 1 in a prediction does to the data that it implies. That of the noise is divided by a number "
        "near 0 where the signal is weak; that of the velocity never grows: {never}. Right: the share of a target's variance "
        "that a linear function of $x_t$ explains, for data of variance 1: all of the noise at one end, all of the data at the "
        "other, and nothing of the velocity anywhere.",
        never=holds((x_0 - x_hat) ** 2, "=", times(1 - a_t, plus(v, -v_hat) ** 2), wrong={"of the noise": (1 - a_t) * _ERROR}),
    ),
    panels=2,
)
def what_errors_do(errors, known):
    draw_errors(errors, known, loss_ratio)


derivation.bridge(
    "The code's velocity of data and noise",
    plus(times(sqrt(a_t), e), -times(sqrt(1 - a_t), x_0)),
    velocity,
    x0=[x_0],
    noise=[e],
    **_AT,
    wrong={"data and noise exchanged": plus(times(sqrt(a_t), x_0), -times(sqrt(1 - a_t), e))},
)
derivation.bridge(
    "The code's data of a velocity",
    plus(times(sqrt(a_t), x_t), -times(sqrt(1 - a_t), e)),
    x0_from_velocity,
    x_t=[x_t],
    velocity=[e],
    **_AT,
)
derivation.bridge(
    "The code's noise of a velocity",
    plus(times(sqrt(1 - a_t), x_t), times(sqrt(a_t), e)),
    noise_from_velocity,
    x_t=[x_t],
    velocity=[e],
    **_AT,
    wrong={"the factors exchanged": plus(times(sqrt(a_t), x_t), times(sqrt(1 - a_t), e))},
)
a = derivation.number("a", r"a level $\bar\alpha_t$ that goes to 0", between=(0, 1))
derivation.chain(
    "Near pure noise the data do not follow from the noise",
    Limit(Slope((x_t - sqrt(1 - a) * e) / sqrt(a), e) * sqrt(a), a, 0),
    equals(
        -1,
        prose(
            "the slope is {it}", it=holds(Slope((x_t - sqrt(1 - a) * e) / sqrt(a), e), "=", -sqrt(1 - a) / sqrt(a), named=True)
        ),
    ),
    so=prose(
        r"The slope of the data in the predicted noise grows like $1 / \sqrt{\bar\alpha_t}$: any error of the network is "
        "multiplied by it. The slope in the velocity goes to {limit}. At a last level without signal the noisy value is the "
        "noise, and the velocity is {data}: a network that predicts the velocity still predicts the data.",
        limit=holds(Limit(Slope(sqrt(a) * x_t - sqrt(1 - a) * e, e), a, 0), "=", -1, named=True),
        data=holds(Limit(plus(times(sqrt(a), e), -times(sqrt(1 - a), x_0)), a, 0), "=", -x_0, named=True),
    ),
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
        prose("{means}; $x_t$ cancels", means=holds(plus(mu, -mu_hat), "=", times(kappa, plus(x_0, -x_hat)))),
        wrong={"the weight not squared": times(kappa / (2 * tilde), _GUESS)},
    ),
    equals(
        times(before * beta / times(2, 1 - a_t, 1 - before), _GUESS),
        r"put in $\kappa_t$ and $\tilde\beta_t$; one factor of $\beta_t$ and one of $1 - \bar\alpha_t$ cancel",
        wrong={"the other level": times(a_t * beta / (2 * (1 - a_t) * (1 - before)), _GUESS)},
    ),
    equals(
        times(Rational(1, 2), plus(snr_before, -signal_to_noise), _GUESS),
        prose(
            "over the common denominator: {fall}",
            fall=holds(plus(times(before, 1 - a_t), -times(a_t, 1 - before)), "=", times(before, beta)),
        ),
    ),
    equals(
        times(Rational(1, 2), plus(snr_before / signal_to_noise, -1), _ERROR),
        "the data's error in terms of the noise's",
        wrong={"the ratio turned over": times(Rational(1, 2), plus(1, -signal_to_noise / snr_before), _ERROR)},
    ),
    uses=(gaussian_divergence, posterior_law),
    central=True,
    so=r"The first line is $L_{t-1}$ with the small variance $\tilde\beta_t$ of the model's step. No beta is left: the schedule "
    "enters through $S$ alone. Summed over $t$ the weights of the data's error telescope to half of the total fall of $S$.",
)

derivation.answer = prose(
    "At a given $x_t$ the five targets are linear functions of each other, so one network can be read in five ways. Their "
    "squared errors differ by factors that depend on $t$ only: the loss of the noise is {noise} times that of the data, that of "
    r"the velocity {velocity} times. In terms of the data a term of the bound, with the variance $\tilde\beta_t$ for the "
    "model's step, is {bound}, with the signal-to-noise ratio $S_t$.",
    noise=holds(_ERROR / (x_0 - x_hat) ** 2, "=", signal_to_noise, named=True, wrong={"turned over": 1 / signal_to_noise}),
    velocity=holds((v - v_hat) ** 2 / (x_0 - x_hat) ** 2, "=", signal_to_noise + 1, named=True),
    bound=times(Rational(1, 2), plus(snr_before, -signal_to_noise), _GUESS),
)
_levels = jnp.array([1.0, 0.81, 0.5184])
_given = {before: 0.81, alpha: 0.64, x_0: 1}


@derivation.example(
    "Step 2 of two steps with noise of variance 0.19 and 0.36, so that 0.5184 is the signal's share; the data point is 1, the "
    "noise 0.5."
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
