"""Parameterizations: five things a network may predict at x_t, each of which tells the other four.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from theory_jax.arguments import require, require_same_shape, require_timesteps, require_values, widened
from theory_jax.derivation import Derivation
from theory_jax.diffusion._schedules import schedule
from theory_jax.diffusion.forward_process import forward_log_prob, forward_sample
from theory_jax.diffusion.noise_schedules import log_snr
from theory_jax.levels import beta_at, level_at, per_example

_PREDICTIONS = ("noise", "x0", "velocity", "score", "mean")


def x0_from_noise(x_t, noise, t, alpha_bar):
    r"""x_0 = (x_t - sqrt(1 - a_t) noise) / sqrt(a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, or a_t = 0: pure noise does not
    tell the data.  Source: Ho et al. 2020, section 3.2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise=noise)
    require_timesteps(alpha_bar, x_t, t=t)
    _require_signal(t, alpha_bar)
    signal, noisy = _roots(t, alpha_bar, x_t)
    return (x_t - noisy * noise) / signal


def noise_from_x0(x_t, x0, t, alpha_bar):
    r"""noise = (x_t - sqrt(a_t) x_0) / sqrt(1 - a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, section 3.2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, x0=x0)
    require_timesteps(alpha_bar, x_t, t=t)
    signal, noisy = _roots(t, alpha_bar, x_t)
    return (x_t - signal * x0) / noisy


def velocity(x0, noise, t, alpha_bar):
    r"""v = sqrt(a_t) noise - sqrt(1 - a_t) x_0: how x_t moves as its angle phi grows, cos(phi) = sqrt(a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_timesteps(alpha_bar, x0, t=t)
    signal, noisy = _roots(t, alpha_bar, x0)
    return signal * noise - noisy * x0


def x0_from_velocity(x_t, velocity, t, alpha_bar):
    r"""x_0 = sqrt(a_t) x_t - sqrt(1 - a_t) v: the rotation undone; also where a_t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, velocity=velocity)
    require_timesteps(alpha_bar, x_t, t=t)
    signal, noisy = _roots(t, alpha_bar, x_t)
    return signal * x_t - noisy * velocity


def noise_from_velocity(x_t, velocity, t, alpha_bar):
    r"""noise = sqrt(1 - a_t) x_t + sqrt(a_t) v: the rotation undone; also where a_t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, velocity=velocity)
    require_timesteps(alpha_bar, x_t, t=t)
    signal, noisy = _roots(t, alpha_bar, x_t)
    return noisy * x_t + signal * velocity


def convert_prediction(prediction, x_t, t, alpha_bar, *, source, target):
    r"""The target that the same network predicts with a prediction of the source at x_t.

    Both are among "noise"; "x0"; "velocity"; "score" = -noise/sqrt(1 - a_t), the gradient of log q(x_t | x_0); and "mean" =
    sqrt(a_(t-1)) beta_t/(1 - a_t) x_0 + sqrt(1 - beta_t) (1 - a_(t-1))/(1 - a_t) x_t, that of q(x_(t-1) | x_t, x_0), which is
    (x_t - beta_t/sqrt(1 - a_t) noise)/sqrt(1 - beta_t).  A prediction that already is the target comes back as it is.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, source or target is another
    word, or a_t = 0 (so that beta_t = 1) where noise or score are to tell the rest, or a mean is told or tells.
    Source: Ho et al. 2020, section 3.2; Salimans & Ho 2022, appendix D; Luo 2022.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, prediction=prediction)
    require_timesteps(alpha_bar, x_t, t=t)
    for name, given in (("source", source), ("target", target)):
        require(given in _PREDICTIONS, f"{name} is {given!r}; it must be one of {', '.join(_PREDICTIONS)}")
    if source == target:
        return prediction
    of_noise = {"noise", "score"}
    if "mean" in (source, target) or (source in of_noise and target not in of_noise):
        _require_signal(t, alpha_bar)
    x0, noise = _data_and_noise(prediction, x_t, t, alpha_bar, source)
    signal, noisy = _roots(t, alpha_bar, x_t)
    if target == "x0":
        return x0
    if target == "noise":
        return noise
    if target == "velocity":
        return signal * noise - noisy * x0
    if target == "score":
        return -noise / noisy
    of_x0, of_x_t = _posterior(t, alpha_bar, x_t)
    return of_x0 * x0 + of_x_t * x_t


def loss_ratio(t, alpha_bar, *, target):
    r"""||error of the target||^2 / ||error of the noise||^2 of one and the same network at x_t.

    noise: 1;  x0: (1 - a)/a;  velocity: 1/a;  score: 1/(1 - a);  mean: beta^2/((1 - a)(1 - beta)).  Where a_t = 0, errors of x0
    and of velocity outweigh those of the noise infinitely.

    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, target is another word, or beta_t = 1 for a mean.
    Source: Salimans & Ho 2022, section 4 and appendix D; Ho et al. 2020, eq. 12.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    require(target in _PREDICTIONS, f"target is {target!r}; it must be one of {', '.join(_PREDICTIONS)}")
    t = widened(t)
    a = level_at(t, alpha_bar)
    if target == "mean":
        _require_signal(t, alpha_bar)
        return beta_at(t, alpha_bar) ** 2 * level_at(t - 1, alpha_bar) / ((1 - a) * a)
    if target == "x0":
        return (1 - a) / a
    if target == "velocity":
        return 1 / a
    return 1 / (1 - a) if target == "score" else jnp.ones_like(a)


def _roots(t, alpha_bar, x):
    """sqrt(a_t) and sqrt(1 - a_t), the cosine and the sine of the angle at x_t, each ready to meet the batch of x."""
    a = level_at(t, alpha_bar)
    return per_example(jnp.sqrt(a), x), per_example(jnp.sqrt(1 - a), x)


def _posterior(t, alpha_bar, x):
    """The coefficients of x_0 and of x_t in the mean of q(x_(t-1) | x_t, x_0)."""
    t = widened(t)
    before, now = level_at(t - 1, alpha_bar), level_at(t, alpha_bar)
    of_x0 = jnp.sqrt(before) * beta_at(t, alpha_bar) / (1 - now)
    return per_example(of_x0, x), per_example(jnp.sqrt(now / before) * (1 - before) / (1 - now), x)


def _data_and_noise(prediction, x_t, t, alpha_bar, source):
    """The pair that a prediction stands for. From the velocity both are read without dividing, from the others by solving
    x_t = sqrt(a) x_0 + sqrt(1 - a) noise for the one that is missing; who does not use it never sees what a_t = 0 makes of it."""
    signal, noisy = _roots(t, alpha_bar, x_t)
    if source == "velocity":
        return signal * x_t - noisy * prediction, noisy * x_t + signal * prediction
    if source in ("noise", "score"):
        noise = prediction if source == "noise" else -noisy * prediction
        return (x_t - noisy * noise) / signal, noise
    if source == "mean":
        of_x0, of_x_t = _posterior(t, alpha_bar, x_t)
        x0 = (prediction - of_x_t * x_t) / of_x0
    else:
        x0 = prediction
    return x0, (x_t - signal * x0) / noisy


def _require_signal(t, alpha_bar):
    allowed = "a step that leaves some of the data: alpha_bar is 0 there, and noise alone does not tell them"
    if not isinstance(alpha_bar, jax.core.Tracer):
        require_values("t", t, lambda t: np.asarray(alpha_bar)[t] > 0, allowed)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="What to predict: noise, data, velocity, score or mean",
    lectures=(28, 33),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, section 3.2",
        "Salimans & Ho 2022, Progressive Distillation for Fast Sampling of Diffusion Models, section 4 and appendix D",
        "Kingma, Salimans, Poole & Ho 2021, Variational Diffusion Models",
        "Luo 2022, Understanding Diffusion Models: A Unified Perspective",
    ),
)

_TIMES = np.array([1, 2, 5, 9, 12])


def _noised(seed=0):
    """x_0, noise and the x_t that they make at five times, the first and the last among them."""
    x0, noise = jax.random.normal(jax.random.key(seed), (2, len(_TIMES), 3), dtype=float)
    return x0, noise, forward_sample(x0, _TIMES, noise, schedule())


def _targets(x0, noise, x_t):
    """The five, each by its own definition: the mean by the product of the two Gaussians that x_(t-1) lies between."""
    alpha_bar = schedule()
    now, before = (alpha_bar[time][:, None] for time in (_TIMES, _TIMES - 1))
    kept = now / before
    # precision-weighted: x_(t-1) is N(sqrt(before) x_0, 1 - before), and x_t is N(sqrt(kept) x_(t-1), 1 - kept)
    later = kept / (1 - kept)
    data = 1 / (1 - before[1:])
    mean = (data * jnp.sqrt(before[1:]) * x0[1:] + later[1:] * x_t[1:] / jnp.sqrt(kept[1:])) / (data + later[1:])
    mean = jnp.concatenate([x0[:1], mean])  # at t = 1 the data themselves
    score = jax.grad(lambda x: jnp.sum(forward_log_prob(x, x0, 0 * _TIMES, _TIMES, alpha_bar)))(x_t)
    return {
        "noise": noise,
        "x0": x0,
        "velocity": velocity(x0, noise, _TIMES, alpha_bar),
        "score": score,
        "mean": mean,
    }


def _errors_squared(target, x_t, noise, other_noise):
    """||difference||^2 of the target between two predictions of the noise, [B]."""
    both = [
        convert_prediction(prediction, x_t, _TIMES, schedule(), source="noise", target=target)
        for prediction in (noise, other_noise)
    ]
    return jnp.sum((both[0] - both[1]) ** 2, axis=1)


@derivation.numeric(
    r"x_t = \sqrt{\bar\alpha}\, x_0 + \sqrt{1 - \bar\alpha}\, \epsilon, \quad v = \sqrt{\bar\alpha}\, \epsilon -"
    r" \sqrt{1 - \bar\alpha}\, x_0, \quad s = \nabla_{x_t} \log q(x_t \mid x_0), \quad \mu = \mathrm{E}(x_{t-1} \mid x_t, x_0)"
    r"\qquad \text{each gives the other four}",
    because="Given x_t, all five are straight lines in the noise: x_0 solves the equation of x_t, the velocity is linear in "
    "both, the score is the noise over minus its deviation, and the mean of the step back lies between x_0 and x_t. A line with "
    "a slope can be inverted, so whatever the network predicts, it has predicted all five. The 25 conversions are held against "
    "the definitions: the score by differentiating the density, the mean by multiplying two Gaussians.",
)
def all_conversions():
    x0, noise, x_t = _noised()
    targets = _targets(x0, noise, x_t)
    found = [
        convert_prediction(targets[source], x_t, _TIMES, schedule(), source=source, target=target)
        for source in _PREDICTIONS
        for target in _PREDICTIONS
    ]
    return jnp.stack(found), jnp.stack([targets[target] for _ in _PREDICTIONS for target in _PREDICTIONS])


@derivation.numeric(
    r"f_{b \to a}(f_{a \to b}(p)) = p \quad \text{for any } p, \qquad f_{a \to b}\Big(\frac{p + q}{2}\Big) ="
    r" \frac{f_{a \to b}(p) + f_{a \to b}(q)}{2}",
    because="The conversions also hold for a network that is wrong: a prediction that no pair (x_0, noise) had is carried there "
    "and back unchanged, and the middle of two predictions to the middle of the two results.",
)
def there_and_back_and_straight():
    (p, q), (_, _, x_t), alpha_bar = jax.random.normal(jax.random.key(3), (2, 5, 3), dtype=float), _noised(), schedule()
    left, right = [], []
    for a in _PREDICTIONS:
        for b in _PREDICTIONS:

            def there(prediction, a=a, b=b):
                return convert_prediction(prediction, x_t, _TIMES, alpha_bar, source=a, target=b)

            left += [convert_prediction(there(p), x_t, _TIMES, alpha_bar, source=b, target=a), there((p + q) / 2)]
            right += [p, (there(p) + there(q)) / 2]
    return jnp.stack(left), jnp.stack(right)


@derivation.numeric(
    r"\frac{\|\hat{x}_0 - x_0\|^2}{\|\hat\epsilon - \epsilon\|^2} = \frac{1 - \bar\alpha}{\bar\alpha}, \quad"
    r" \frac{\|\hat{v} - v\|^2}{\|\hat\epsilon - \epsilon\|^2} = \frac{1}{\bar\alpha}, \quad"
    r" \frac{\|\hat{s} - s\|^2}{\|\hat\epsilon - \epsilon\|^2} = \frac{1}{1 - \bar\alpha}, \quad"
    r" \frac{\|\hat\mu - \mu\|^2}{\|\hat\epsilon - \epsilon\|^2} = \frac{\beta^2}{(1 - \bar\alpha)(1 - \beta)}",
    because="In the difference of two predictions x_t drops out and the slope of the line remains; squared, it is a factor that "
    "depends on t alone. So the five losses are one loss with five weights over time. The noise is learned at weight 1 "
    "everywhere; the same loss for x_0 would look at the noisiest steps almost alone.",
)
def losses_differ_by_a_factor_of_time():
    _, noise, x_t = _noised()
    other = jax.random.normal(jax.random.key(1), noise.shape, dtype=float)
    errors = jnp.stack([_errors_squared(target, x_t, noise, other) for target in _PREDICTIONS])
    ratios = jnp.stack([loss_ratio(_TIMES, schedule(), target=target) for target in _PREDICTIONS])
    return jnp.log(errors), jnp.log(ratios * jnp.sum((noise - other) ** 2, axis=1))


@derivation.numeric(
    r"\cos\varphi = \sqrt{\bar\alpha}: \quad \begin{pmatrix} x_t \\ v \end{pmatrix} = \begin{pmatrix} \cos\varphi & \sin\varphi"
    r" \\ -\sin\varphi & \cos\varphi \end{pmatrix} \begin{pmatrix} x_0 \\ \epsilon \end{pmatrix}",
    because="The squares of the coefficients of x_t add up to one, so they are the cosine and the sine of an angle that grows "
    "from 0 at the data to a right angle at pure noise. x_t is the first axis of the turned frame, v the second. A rotation is "
    "undone by its transpose: neither direction divides by anything.",
)
def velocity_is_the_second_axis_of_a_rotation():
    x0, noise, x_t = _noised()
    alpha_bar = schedule()
    v = velocity(x0, noise, _TIMES, alpha_bar)
    angle = jnp.arccos(jnp.sqrt(alpha_bar[_TIMES]))
    turn = jnp.stack([jnp.stack([jnp.cos(angle), jnp.sin(angle)]), jnp.stack([-jnp.sin(angle), jnp.cos(angle)])])
    turned = jnp.einsum("ijb,jbd->ibd", turn, jnp.stack([x0, noise]))
    undone = jnp.stack([x0_from_velocity(x_t, v, _TIMES, alpha_bar), noise_from_velocity(x_t, v, _TIMES, alpha_bar)])
    return jnp.stack([jnp.stack([x_t, v]), undone]), jnp.stack([turned, jnp.stack([x0, noise])])


@derivation.autodiff(
    r"v = \frac{d x_t}{d \varphi}",
    because="Differentiated by the angle the cosine becomes minus the sine and the sine the cosine: hence the name. The path "
    "from data to noise is an arc, the velocity its tangent, and a sampler that knows the tangent turns back along it.",
)
def velocity_is_the_slope_of_the_path():
    x0, noise, _ = _noised()
    alpha_bar, steps = schedule()[np.append(0, _TIMES)], np.arange(1, 1 + len(_TIMES))
    angles = jnp.arccos(jnp.sqrt(alpha_bar[1:]))

    def path(turned):
        return forward_sample(x0, steps, noise, jnp.append(1.0, jnp.cos(angles + turned) ** 2))

    return jax.jacfwd(path)(0.0), velocity(x0, noise, steps, alpha_bar)


@derivation.numeric(
    r"\|\hat\epsilon - \epsilon\|^2 = \mathrm{SNR}(t)\, \|\hat{x}_0 - x_0\|^2, \qquad"
    r" \|\hat{v} - v\|^2 = (\mathrm{SNR}(t) + 1)\, \|\hat{x}_0 - x_0\|^2",
    because="Seen from the data, predicting the noise is predicting the data with a weight that vanishes where the noise wins; "
    "the velocity's weight never falls below one. That is why it learns at the noisy end too, where the noise prediction asks "
    "for next to nothing of the data.",
)
def weights_seen_from_the_data():
    x0, _, x_t = _noised()
    other = jax.random.normal(jax.random.key(2), x0.shape, dtype=float)

    def error(target):
        pair = [convert_prediction(data, x_t, _TIMES, schedule(), source="x0", target=target) for data in (x0, other)]
        return jnp.sum((pair[0] - pair[1]) ** 2, axis=1)

    snr = jnp.exp(log_snr(schedule()[_TIMES]))
    of_data = jnp.sum((x0 - other) ** 2, axis=1)
    return jnp.log(jnp.stack([error("noise"), error("velocity")])), jnp.log(jnp.stack([snr * of_data, (snr + 1) * of_data]))


@derivation.numeric(
    r"\bar\alpha_T = 0: \quad x_T = \epsilon, \quad v = -x_0; \qquad \frac{d \hat{x}_0}{d \hat\epsilon} ="
    r" -\mathrm{SNR}^{-1/2} \to -\infty, \quad \frac{d \hat{x}_0}{d \hat{v}} = -\sqrt{1 - \bar\alpha} \to -1",
    because="At a quarter turn x_T is the noise, so a network that names it has said nothing; the way from the noise to the data "
    "divides by zero, and shortly before it multiplies every error by the square root of 1/SNR. The velocity there is minus the "
    "data. A schedule that ends in pure noise needs a network that predicts the velocity, or the data.",
)
def only_the_velocity_survives_pure_noise():
    x0, noise, _ = _noised()
    end, last = jnp.array([1.0, 0.5, 0.0]), np.full(len(x0), 2)
    x_t, v = forward_sample(x0, last, noise, end), velocity(x0, noise, last, end)
    almost = jnp.array([1.0, 1e-2, 1e-4, 1e-6, 1e-8])
    steps, zero = np.arange(1, 5), jnp.zeros(4)
    slopes = [
        jax.jvp(lambda p, f=f: f(zero, p, steps, almost), (zero,), (zero + 1,))[1] for f in (x0_from_noise, x0_from_velocity)
    ]
    found = (x_t, v, x0_from_velocity(x_t, v, last, end), noise_from_velocity(x_t, v, last, end))
    wanted = (noise, -x0, x0, noise)
    return (
        jnp.concatenate([jnp.ravel(jnp.stack(found)), slopes[0] * jnp.sqrt(almost[1:]), slopes[1]]),
        jnp.concatenate([jnp.ravel(jnp.stack(wanted)), -jnp.sqrt(1 - almost[1:]), -jnp.sqrt(1 - almost[1:])]),
    )


@derivation.symbolic(
    r"L_{t-1} = \frac{\|\mu - \hat\mu\|^2}{2 \tilde\beta_t} = \frac12 \big(\mathrm{SNR}(t-1) - \mathrm{SNR}(t)\big)"
    r" \|x_0 - \hat{x}_0\|^2, \qquad \tilde\beta_t = \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t} \beta_t",
    because="With the posterior's own variance the KL divergence of a step is a squared distance of means, and the means differ "
    "only in their x_0. Put together, the coefficients are the fall of the signal-to-noise ratio over the step. So all five "
    "losses are the evidence lower bound up to weights over time, and a step of the bound costs as much as the signal-to-noise "
    "ratio falls over it.",
)
def the_bound_pays_for_the_fall_of_the_snr():
    a, b, error = sp.symbols("alpha_t alpha_s delta", positive=True)  # levels of t and of t - 1
    beta = 1 - a / b
    variance = (1 - b) / (1 - a) * beta
    of_x0 = sp.sqrt(b) * beta / (1 - a)
    return (of_x0 * error) ** 2 / (2 * variance), (b / (1 - b) - a / (1 - a)) * error**2 / 2


@derivation.numeric(
    r"\frac{\|\mu - \hat\mu\|^2}{2 \tilde\beta_t} = \frac12 \big(\mathrm{SNR}(t-1) - \mathrm{SNR}(t)\big)"
    r" \frac{1 - \bar\alpha_t}{\bar\alpha_t} \|\epsilon - \hat\epsilon\|^2, \quad t \ge 2",
    because="The same through the code, for a network that predicts the noise: its means by conversion, its weight by the ratio "
    "of the losses.",
)
def the_bound_of_a_noise_prediction():
    _, noise, x_t = _noised()
    other = jax.random.normal(jax.random.key(4), noise.shape, dtype=float)
    alpha_bar, later = schedule(), _TIMES[1:]
    before, now = alpha_bar[later - 1], alpha_bar[later]
    variance = (1 - before) / (1 - now) * (1 - now / before)
    left = _errors_squared("mean", x_t, noise, other)[1:] / (2 * variance)
    fall = jnp.exp(log_snr(before)) - jnp.exp(log_snr(now))
    of_noise = jnp.sum((noise - other) ** 2, axis=1)[1:]
    return jnp.log(left), jnp.log(fall * loss_ratio(later, alpha_bar, target="x0") * of_noise / 2)


if __name__ == "__main__":
    derivation.main()
