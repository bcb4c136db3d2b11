"""Training a DDPM: which levels are drawn, what their losses weigh, and how weights are averaged.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar
from theory_jax.diffusion.parameterizations import loss_ratio
from theory_jax.foundations.training_practice import ema_update
from theory_jax.levels import level_at


def timesteps_from_uniforms(u, *, num_steps):
    r"""min(1 + floor(u T), T): a level in 1..T for every uniform u in [0, 1), each equally likely.

    The minimum acts only where T is beyond the whole numbers of u's dtype (2^24 in float32) and u T is rounded to T.
    Raises ValueError unless u is [B], in [0, 1), and num_steps >= 1.  Source: Ho et al. 2020, algorithm 1.
    [B] -> [B]
    """
    require_rank(1, u=u)
    require_at_least(1, num_steps=num_steps)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    return jnp.minimum(1 + jnp.floor(u * num_steps).astype(int), num_steps)


def exponential_moving_average(average, value, *, decay):
    r"""decay average + (1 - decay) value: what the samples' weights are, after one more step of training.

    Raises ValueError if the shapes differ or decay is outside [0, 1].  Source: Ho et al. 2020, appendix B.
    [...], [...] -> [...]
    """
    require_same_shape(average=average, value=value)
    return jnp.reshape(ema_update(jnp.ravel(average), jnp.ravel(value), decay=decay), jnp.shape(average))


def warmup_decay(step, *, decay):
    r"""min(decay, (1 + step)/(10 + step)): a moving average that forgets its first values soon, counted from step 0.

    Raises ValueError if a step is negative or decay is outside [0, 1].
    [...] -> [...]
    """
    require_share(decay=decay)
    require_values("step", step, lambda step: step >= 0, "at least 0")
    step = widened(step)
    return jnp.minimum((1 + step) / (10 + step), decay)


def min_snr_weight(t, alpha_bar, *, gamma=5.0, prediction="noise"):
    r"""min(SNR, gamma) over SNR ("noise"), 1 ("x0") or SNR + 1 ("velocity"), SNR = a_t/(1 - a_t); 1 for noise where a_t = 0.

    Multiplied with the squared error of what the network predicts, it weighs every error of the data with min(SNR, gamma).
    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, gamma is not positive, or prediction is another
    word.  Source: Hang et al. 2023, section 3.4.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    require_positive(gamma=gamma)
    allowed = ("noise", "x0", "velocity")
    require(prediction in allowed, f"prediction is {prediction!r}; it must be one of {', '.join(allowed)}")
    a = level_at(t, alpha_bar)
    snr = a / (1 - a)
    if prediction == "noise":
        limited = snr > gamma
        return jnp.where(limited, gamma / jnp.where(limited, snr, 1.0), 1.0)  # no quotient of zeros where nothing is left
    clipped = jnp.minimum(snr, gamma)
    return clipped if prediction == "x0" else clipped / (snr + 1)


def loss_aware_probabilities(loss_history, *, uniform_probability=0.001):
    r"""(1 - u) w_t/sum_s w_s + u/T, w_t = sqrt(mean_m L_tm^2): a level is drawn as often as its recent losses are large.

    Raises ValueError unless loss_history is [T, M], finite and not all zero, and uniform_probability is in [0, 1].
    Source: Nichol & Dhariwal 2021, eq. 18.
    [T, M] -> [T]
    """
    require_rank(2, loss_history=loss_history)
    levels, memory = jnp.shape(loss_history)
    require(levels * memory > 0, f"loss_history has shape {[levels, memory]}; it must hold at least one loss")
    require_share(uniform_probability=uniform_probability)
    largest = jnp.max(jnp.abs(jax.lax.stop_gradient(loss_history)))
    require_values("loss_history", largest, lambda x: (x > 0) & np.isfinite(x), "finite, and not 0 everywhere (the largest)")
    squares = jnp.mean((loss_history / largest) ** 2, axis=1)  # relative to the largest loss, or losses of 1e200 overflow
    lost = squares > 0
    weights = jnp.where(lost, jnp.sqrt(jnp.where(lost, squares, 1.0)), 0.0)
    return (1 - uniform_probability) * weights / jnp.sum(weights) + uniform_probability / levels


def importance_weighted_loss(losses, t, probabilities):
    r"""L/(T p_t): losses at levels drawn with probabilities p count, on average, as if all levels were equally likely.

    Raises ValueError if t is not an integer in 1..T for each loss, or probabilities is not [T], of sum 1 and positive where
    they are needed.  Source: Nichol & Dhariwal 2021, eq. 18.
    [B], [B], [T] -> [B]
    """
    require_rank(1, losses=losses, probabilities=probabilities)
    require_integers(t=t)
    count = jnp.shape(probabilities)[0]
    given, wanted = list(jnp.shape(t)), list(jnp.shape(losses))
    require(given == wanted, f"t has shape {given}; it must be {wanted}, a level for every loss")
    require_values("t", t, lambda t: (t >= 1) & (t <= count), f"in 1..{count}")
    require_values("probabilities", jnp.sum(probabilities), lambda total: abs(total - 1) <= 1e-5, "1 in sum (shown)")
    drawn = jnp.take(probabilities, widened(t) - 1, mode="clip")  # the check of t refuses what would have to be clipped
    require_values("probabilities[t]", drawn, lambda p: p > 0, "positive: what is never drawn cannot have been")
    return losses / (count * drawn).astype(losses.dtype)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Training a DDPM: levels at random, weights on average",
    lectures=(29, 32, 39),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, algorithm 1 and appendix B",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, eq. 18",
        "Hang et al. 2023, Efficient Diffusion Training via Min-SNR Weighting Strategy, section 3.4",
    ),
)


@derivation.numeric(
    r"w_n = d^n w_0 + (1 - d) \sum_{i=1}^{n} d^{\,n-i} v_i",
    because="Each step shrinks everything before it by d and adds 1 - d of the newest weights. So the average looks back over "
    "about 1/(1 - d) steps; what the optimizer's noise does to single steps averages out, and samples, which a chain of a "
    "thousand calls makes of it, become visibly cleaner.",
)
def a_moving_average_unrolled():
    decay, count = 0.8, 12
    start, *values = jax.random.normal(jax.random.key(0), (count + 1, 3), dtype=float)
    average = start
    for value in values:
        average = exponential_moving_average(average, value, decay=decay)
    shares = (1 - decay) * decay ** np.arange(count - 1, -1, -1)
    return average, decay**count * start + shares @ jnp.stack(values)


@derivation.numeric(
    r"d_0 = \tfrac{1}{10}, \qquad \frac{1 + n}{10 + n} = d \;\Leftrightarrow\; n = \frac{9}{1 - d} - 10",
    because="With a decay of 0.9999 from the start, a run of a thousand steps would still consist of its first, random weights "
    "for nine tenths. A decay that begins at 0.1 and grows forgets them at once; it reaches d after about 9/(1 - d) steps, and "
    "is d from then on.",
)
def the_warm_up_of_the_decay():
    decays = (0.9, 0.995, 0.9999)
    reached = [9 / (1 - decay) - 10 for decay in decays]
    steps = jnp.array([[0.0, n - 1, n, n + 7, 2 * n + 30] for n in reached])
    found = jnp.stack([warmup_decay(row, decay=decay) for row, decay in zip(steps, decays, strict=True)])
    exact = [[0.1, 1 - 9 / (9 / (1 - decay) - 1), decay, decay, decay] for decay in decays]
    return found, jnp.array(exact)


@derivation.exact(
    r"\prod_{k=0}^{n-1} \frac{1 + k}{10 + k} = \binom{n + 9}{9}^{-1}",
    because="This is what is left of the first weights while the decay still grows: after ten steps one part in 92,378. The "
    "average is then of the last tenth of the steps, however many there were.",
)
def the_start_is_forgotten():
    counts = (1, 2, 10, 40)
    left = []
    for count in counts:
        share = jnp.ones(())
        for step in range(count):
            decay = float(warmup_decay(jnp.asarray(float(step)), decay=0.9999))
            share = exponential_moving_average(share, jnp.zeros(()), decay=decay)
        left.append(share)
    exact = jnp.array([1 / math.comb(count + 9, 9) for count in counts])
    return jnp.stack(left) / exact, jnp.ones(len(counts))


@derivation.numeric(
    r"w^{\epsilon}_t \cdot \mathrm{SNR}(t) = w^{x_0}_t \cdot 1 = w^{v}_t \cdot (\mathrm{SNR}(t) + 1) ="
    r" \min(\mathrm{SNR}(t), \gamma)",
    because="One and the same network, seen as predicting the noise, the data or the velocity, has squared errors in the ratio "
    "1 : 1/SNR : 1 + 1/SNR. Divided by what the error of its own prediction is worth, the three weights ask for the same: no "
    "level's error of the data counts more than gamma times, which keeps the nearly clean levels from drowning the others.",
)
def one_weight_for_three_predictions():
    alpha_bar, t = cosine_alpha_bar(num_steps=9), np.arange(1, 9)
    snr = 1 / loss_ratio(t, alpha_bar, target="x0")
    found = [
        min_snr_weight(t, alpha_bar, gamma=2.0, prediction=kind)
        * loss_ratio(t, alpha_bar, target=kind)
        / loss_ratio(t, alpha_bar, target="x0")
        for kind in ("noise", "x0", "velocity")
    ]
    return jnp.stack(found), jnp.tile(jnp.minimum(snr, 2.0), (3, 1))


def _losses():
    """Losses of six levels, five remembered draws of each."""
    return jnp.abs(jax.random.normal(jax.random.key(1), (6, 5), dtype=float)) * jnp.array(
        [[9.0], [3.0], [1.0], [0.5], [0.2], [0.1]]
    )


@derivation.exact(
    r"\sum_t p_t \frac{L_t}{T p_t} = \frac{1}{T} \sum_t L_t \quad\text{for every } p > 0",
    because="A level that is drawn twice as often counts half each time. Summed over every level that may be drawn, the expected "
    "loss is the uniform mean, whatever the probabilities: to draw unevenly changes the variance and nothing else.",
)
def importance_weights_are_unbiased():
    history, t = _losses(), np.arange(1, 7)
    drawn_with = [loss_aware_probabilities(history, uniform_probability=u) for u in (0.0, 0.001, 0.5, 1.0)]
    expected = [p @ importance_weighted_loss(history[:, 0], t, p) for p in drawn_with]
    return jnp.stack(expected), jnp.full(4, jnp.mean(history[:, 0]))


@derivation.bound(
    r"\mathrm{E}_{t \sim p} \Big( \frac{L_t}{T p_t} \Big)^2 = \frac{1}{T^2} \sum_t \frac{\mathrm{E} L_t^2}{p_t} \;\ge\;"
    r" \Big( \frac{1}{T} \sum_t \sqrt{\mathrm{E} L_t^2} \Big)^2, \quad\text{equal for } p_t \propto \sqrt{\mathrm{E} L_t^2}",
    because="By Cauchy and Schwarz, (sum of sqrt(E L^2))^2 is at most (sum of E L^2/p) times (sum of p), and equal where the two "
    "are proportional. So the least noisy estimate draws each level as often as its losses are large; 200 other ways to draw "
    "are all worse.",
)
def drawing_by_the_losses_is_best():
    history, t = _losses(), np.arange(1, 7)

    def second_moment(p):
        weighted = jax.vmap(lambda losses: importance_weighted_loss(losses, t, p), 1, 1)(history)
        return p @ jnp.mean(weighted**2, axis=1)

    others = jax.random.dirichlet(jax.random.key(2), jnp.ones(6), (200,), dtype=float)
    least = jnp.mean(jnp.sqrt(jnp.mean(history**2, axis=1))) ** 2
    best = second_moment(loss_aware_probabilities(history, uniform_probability=0.0))
    return jnp.full(200, least), jax.vmap(second_moment)(others), (best, least)


@derivation.exact(
    r"\#\Big\{ i : \min\!\Big(1 + \Big\lfloor \frac{i + 1/2}{1000}\, T \Big\rfloor, T\Big) = t \Big\} = 100"
    r" \quad (i = 0 .. 999, \; T = 10)",
    because="The interval from 0 to 1 is cut into T equal pieces, one for each level from 1 to T: 0 is the data itself and no "
    "level to train on, and T must be among them, since every sample starts there.",
)
def every_level_equally_often():
    t = timesteps_from_uniforms((jnp.arange(1000) + 0.5) / 1000, num_steps=10)
    return jnp.bincount(t, length=12), jnp.array([0] + [100] * 10 + [0])


if __name__ == "__main__":
    derivation.main()
