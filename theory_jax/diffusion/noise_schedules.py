"""Noise schedules: how much of the data is left after t steps, as alpha_bar: [T+1] with alpha_bar[0] = 1.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_schedule,
    require_share,
    require_values,
)
from theory_jax.derivation import Derivation
from theory_jax.levels import log_rest


def alpha_bar_from_betas(betas):
    r"""a_t = prod_(i<=t) (1 - beta_i), a_0 = 1: the share of the signal's variance left after t steps of noise beta_i.

    Raises ValueError unless betas is [T], T >= 1, in [0, 1].  Source: Ho et al. 2020, section 2.
    [T] -> [T+1]
    """
    require_rank(1, betas=betas)
    require(jnp.shape(betas)[0] >= 1, "betas is empty; it must have one entry for each step")
    require_values("betas", betas, lambda beta: (beta >= 0) & (beta <= 1), "in [0, 1]")
    return jnp.cumprod(jnp.concatenate([jnp.ones_like(betas[:1]), 1 - betas]))


def linear_alpha_bar(*, num_steps, beta_start=1e-4, beta_end=0.02):
    r"""alpha_bar of betas that rise linearly from beta_start to beta_end, both included.

    The defaults are meant for T = 1000; other T keep a_T only if the betas scale with 1000/T.
    Raises ValueError unless num_steps >= 1 and beta_start and beta_end are in [0, 1].  Source: Ho et al. 2020, section 4.
    -> [T+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_share(beta_start=beta_start, beta_end=beta_end)
    return alpha_bar_from_betas(jnp.linspace(beta_start, beta_end, num_steps))


def scaled_linear_alpha_bar(*, num_steps, beta_start=0.00085, beta_end=0.012):
    r"""alpha_bar of betas whose square roots rise linearly from root(beta_start) to root(beta_end), both included.

    Raises ValueError unless num_steps >= 1 and beta_start and beta_end are in [0, 1].  Source: Rombach et al. 2022.
    -> [T+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_share(beta_start=beta_start, beta_end=beta_end)
    return alpha_bar_from_betas(jnp.linspace(math.sqrt(beta_start), math.sqrt(beta_end), num_steps) ** 2)


def cosine_alpha_bar(*, num_steps, offset=0.008, max_beta=0.999):
    r"""alpha_bar of beta_t = min(1 - f(t)/f(t-1), max_beta) with f(t) = cos^2((t/T + s)/(1 + s) pi/2), s the offset.

    As long as no beta is clipped, a_t = f(t)/f(0).
    Raises ValueError unless num_steps >= 1, offset >= 0 and max_beta is in (0, 1].  Source: Nichol & Dhariwal 2021, eq. 17.
    -> [T+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_at_least(0, offset=offset)
    require(0 < max_beta <= 1, f"max_beta is {max_beta}; it must be in (0, 1]")
    # cos(u) = sin(pi/2 - u), and pi/2 - u is an exact product: the cosine itself loses all its digits where u comes near pi/2
    to_go = jnp.arange(num_steps, -1, -1) / num_steps
    f = jnp.sin(math.pi / 2 * to_go / (1 + offset)) ** 2
    kept = jnp.maximum(f[1:] / f[:-1], 1 - max_beta)
    return jnp.cumprod(jnp.concatenate([jnp.ones(1), kept]))


def rescale_zero_terminal_snr(alpha_bar):
    r"""sqrt a'_t = (sqrt a_t - sqrt a_T) sqrt a_1 / (sqrt a_1 - sqrt a_T) for t >= 1, a'_0 = 1: keeps a_1, sends a_T to 0.

    Raises ValueError unless alpha_bar is a schedule of at least two steps.  Source: Lin et al. 2023, algorithm 1.
    [T+1] -> [T+1]
    """
    require_schedule(alpha_bar)
    steps = jnp.shape(alpha_bar)[0] - 1
    require(steps >= 2, "alpha_bar has one step; it must have two: with one, a_1 cannot both stay and become 0")
    root = jnp.sqrt(alpha_bar)
    first, last = root[1], root[-1]
    return (((root - last) * first / (first - last)) ** 2).at[0].set(1.0)


def log_linear_sigmas(*, num_steps, sigma_min, sigma_max):
    r"""sigma_0 = 0 and, for t = 1..T, log sigma_t on a line from log sigma_min to log sigma_max, both included.

    Raises ValueError unless num_steps >= 1 and 0 < sigma_min <= sigma_max.  Source: Song & Ermon 2019.
    -> [T+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_positive(sigma_min=sigma_min)
    require(sigma_max >= sigma_min, f"sigma_max is {sigma_max}; it must not be below sigma_min, {sigma_min}")
    return jnp.append(0.0, jnp.exp(jnp.linspace(math.log(sigma_min), math.log(sigma_max), num_steps)))


def alpha_bar_from_sigmas(sigmas):
    r"""a = 1/(1 + sigma^2): x_t = x_0 + sigma noise, divided by root(1 + sigma^2), keeps unit variance.

    Raises ValueError for a negative sigma.  Source: Song, Meng & Ermon 2021, section 4.3.
    [...] -> [...]
    """
    require_values("sigmas", sigmas, lambda sigma: sigma >= 0, "at least 0")
    return 1 / (1 + sigmas**2)


def log_snr(alpha_bar):
    r"""lambda = log a - log(1 - a), the logarithm of the ratio of signal to noise: +inf at a = 1, -inf at a = 0.

    Raises ValueError for an alpha_bar outside [0, 1].  Source: Kingma et al. 2021, section 3.1.
    [...] -> [...]
    """
    _require_shares(alpha_bar)
    return jnp.log(alpha_bar) - log_rest(alpha_bar)


def alpha_bar_from_log_snr(log_snr):
    r"""a = 1/(1 + e^-lambda), the inverse of log_snr.

    Source: Kingma et al. 2021, section 3.1.
    [...] -> [...]
    """
    # through the logarithm, whose slope keeps its digits where the sigmoid itself has rounded to 1
    return jnp.exp(jax.nn.log_sigmoid(log_snr))


def shift_log_snr(alpha_bar, *, base_resolution, resolution):
    r"""The schedule with lambda' = lambda + 2 log(r0/r): at resolution r as noisy as alpha_bar at the base resolution r0.

    Written for the odds, which e^(lambda' - lambda) = (r0/r)^2 multiplies: a' = a k/(1 - a + a k), finite at both ends.

    Raises ValueError for an alpha_bar outside [0, 1] or a resolution or base_resolution that is not positive.
    Source: Hoogeboom, Heek & Salimans 2023.
    [...] -> [...]
    """
    _require_shares(alpha_bar)
    require_positive(base_resolution=base_resolution, resolution=resolution)
    # both numerator and denominator divided by k: the same odds, seen from the noise
    noise = (1 - alpha_bar) * (resolution / base_resolution) ** 2
    return alpha_bar / (alpha_bar + noise)


def _require_shares(alpha_bar):
    require_values("alpha_bar", alpha_bar, lambda a: (a >= 0) & (a <= 1), "in [0, 1]")


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Noise schedules: one decreasing function of time",
    lectures=(24, 25),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, section 4",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, eq. 17",
        "Kingma, Salimans, Poole & Ho 2021, Variational Diffusion Models, section 3",
        "Lin, Liu, Li & Yang 2023, Common Diffusion Noise Schedules and Sample Steps Are Flawed, algorithm 1",
        "Hoogeboom, Heek & Salimans 2023, simple diffusion",
    ),
)

_OFFSET, _STEPS = 0.008, 1000


def _betas(alpha_bar):
    return 1 - alpha_bar[1:] / alpha_bar[:-1]


@derivation.symbolic(
    r"x_t = \sqrt{1 - \beta_t}\, x_{t-1} + \sqrt{\beta_t}\, \epsilon_t \;\Rightarrow\;"
    r" \mathrm{Var}(x_3 \mid x_0) = 1 - \prod_{i \le 3} (1 - \beta_i), \quad"
    r" \mathrm{E}(x_3 \mid x_0)^2 = \prod_{i \le 3} (1 - \beta_i)\, x_0^2",
    because="Each step shrinks what is there and adds fresh noise of variance beta. Unrolled, x_3 is a sum of x_0 and three "
    "independent noises; the squares of their coefficients add up to 1, and that of x_0 is the product. So the product is all "
    "that t steps leave behind: it gets a name, alpha bar.",
)
def three_steps_unrolled():
    betas = sp.symbols("beta_1:4", positive=True)
    x0, *noises = sp.symbols("x_0 epsilon_1:4")
    x = x0
    for beta, noise in zip(betas, noises, strict=True):
        x = sp.sqrt(1 - beta) * x + sp.sqrt(beta) * noise
    x = sp.expand(x)
    left_of_signal = sp.prod([1 - beta for beta in betas])
    return [sum(x.coeff(noise) ** 2 for noise in noises), x.coeff(x0) ** 2], [1 - left_of_signal, left_of_signal]


@derivation.numeric(
    r"v_t = (1 - \beta_t)\, v_{t-1} + \beta_t, \; v_0 = 0 \;\Rightarrow\; v_t = 1 - \bar{\alpha}_t",
    because="The same for any number of steps, by the recursion of the variance: what is not signal is noise.",
)
def variance_by_recursion():
    betas = np.linspace(0.05, 0.6, 9)
    variances = [0.0]
    for beta in betas:
        variances.append((1 - beta) * variances[-1] + beta)
    return jnp.array(variances), 1 - alpha_bar_from_betas(jnp.asarray(betas))


@derivation.symbolic(
    r"\lambda = \log \frac{\bar{\alpha}}{1 - \bar{\alpha}} \;\Leftrightarrow\; \bar{\alpha} = \frac{1}{1 + e^{-\lambda}},"
    r" \qquad \frac{d \lambda}{d \bar{\alpha}} = \frac{1}{\bar{\alpha} (1 - \bar{\alpha})} > 0",
    because="The log-ratio of signal to noise and alpha bar determine each other, and rise together: betas, alpha bars and "
    "log-SNRs are three ways to write one decreasing function of time.",
)
def log_snr_is_invertible():
    a, log_ratio = sp.symbols("a lambda", positive=True)
    (inverse,) = sp.solve(sp.Eq(sp.exp(log_ratio), a / (1 - a)), a)
    return [inverse, sp.diff(sp.log(a) - sp.log(1 - a), a)], [1 / (1 + sp.exp(-log_ratio)), 1 / (a * (1 - a))]


@derivation.numeric(
    r"\sigma(\lambda(\bar{\alpha}_t)) = \bar{\alpha}_t",
    because="The code's two directions undo each other, from one part of noise in 10,000 to the end of the schedule.",
)
def there_and_back():
    alpha_bar = linear_alpha_bar(num_steps=_STEPS)
    return alpha_bar_from_log_snr(log_snr(alpha_bar)), alpha_bar


@derivation.bound(
    r"-\sum_t \beta_t - \sum_t \frac{\beta_t^2}{2 (1 - \beta_t)} \;\le\; \log \bar{\alpha}_T \;\le\;"
    r" -\sum_t \beta_t - \sum_t \frac{\beta_t^2}{2}",
    because="The series log(1 - b) = -b - b^2/2 - b^3/3 ... is cut after two terms on the right; on the left every later term "
    "b^k/k is replaced by the larger b^k/2, a geometric series. So to first order the sum of the betas alone decides what is "
    "left at the end: 10.05 for Ho's schedule. Both bounds are tight for small betas.",
)
def log_alpha_bar_between_sums_of_betas():
    def bounds(betas):
        return -jnp.sum(betas + betas**2 / (2 * (1 - betas))), -jnp.sum(betas + betas**2 / 2)

    ends, sides = [], []
    for steps, largest in ((_STEPS, 0.02), (100, 0.02), (7, 0.7)):
        end = jnp.log(linear_alpha_bar(num_steps=steps, beta_end=largest)[-1])
        lower, upper = bounds(jnp.linspace(1e-4, largest, steps))
        sides += [lower, end]
        ends += [end, upper]
    small = jnp.full(_STEPS, 1e-5)
    tight = jnp.log(alpha_bar_from_betas(small)[-1])
    return jnp.array(sides), jnp.array(ends), (jnp.stack([tight, tight]), jnp.array(bounds(small)))


@derivation.numeric(
    r"T = 1000: \quad \bar{\alpha}_T = 4.0358 \cdot 10^{-5}, \qquad T = 100: \quad \bar{\alpha}_T = 0.3636",
    because="Ho's schedule leaves 4 parts in 100,000 of the variance, nearly nothing but not nothing. A tenth of the steps from "
    "the same first to the same last beta leaves a third: a model that starts from pure noise would then start from something "
    "it has never seen. For another T the betas scale with 1000/T: then 2 parts in 100,000 are left.",
)
def what_hos_schedule_leaves():
    def end(steps, factor=1.0):
        return jnp.log(linear_alpha_bar(num_steps=steps, beta_start=1e-4 * factor, beta_end=0.02 * factor)[-1])

    def summed(steps, factor=1.0):
        betas = (factor * (1e-4 + (0.02 - 1e-4) * i / (steps - 1)) for i in range(steps))
        return math.fsum(math.log1p(-beta) for beta in betas)

    literal = math.log(4.0358297653756825e-5)
    left = jnp.stack([end(1000), end(1000), end(100), end(100, 10)])
    return left, jnp.array([literal, summed(1000), summed(100), summed(100, 10)])


@derivation.symbolic(
    r"f(\tau) = \cos^2\!\Big(\frac{\tau + s}{1 + s} \frac{\pi}{2}\Big) \;\Rightarrow\;"
    r" -\frac{d}{d \tau} \log f = \frac{\pi}{1 + s} \tan\!\Big(\frac{\tau + s}{1 + s} \frac{\pi}{2}\Big)",
    because="In continuous time the rate at which signal is lost is minus the slope of log f. For the cosine it is a tangent: "
    "nearly nothing at first, where linear betas already hurt small images, and infinite at the end.",
)
def the_cosines_hazard():
    tau, s = sp.symbols("tau s", positive=True)
    angle = (tau + s) / (1 + s) * sp.pi / 2
    return sp.diff(-sp.log(sp.cos(angle) ** 2), tau), sp.pi / (1 + s) * sp.tan(angle)


@derivation.numeric(
    r"-T \log(1 - \beta_t) = \frac{\pi}{1 + s} \tan\!\Big(\frac{(t - 1/2)/T + s}{1 + s} \frac{\pi}{2}\Big) + O(T^{-2}), \qquad"
    r" -\log(1 - \beta_t) = \beta_t + O(\beta_t^2)",
    tolerance=1e-5,
    since="over a step of 1/T the rate h is its middle value up to h''/(24 T^2), 1.4e-6 of it at t = 3T/4",
    because="A step of length 1/T loses what the rate adds up to along it: T beta_t is the rate, but for half its own square. So "
    "the schedule is a curve that any number of steps can follow.",
)
def betas_are_the_hazard_times_the_step():
    steps = np.arange(_STEPS // 4, 3 * _STEPS // 4)
    angles = ((steps - 0.5) / _STEPS + _OFFSET) / (1 + _OFFSET) * math.pi / 2
    beta = _betas(cosine_alpha_bar(num_steps=_STEPS))[steps - 1]
    return -_STEPS * jnp.log1p(-beta), math.pi / (1 + _OFFSET) * np.tan(angles)


@derivation.numeric(
    r"\#\{t : \beta_t = 0.999\} = 1, \qquad \bar{\alpha}_T = 0.001\, \frac{f(T-1)}{f(0)} > 0",
    because="The last ratio f(T)/f(T-1) is zero: the last beta would be 1 and leave nothing. Clipped to 0.999 it is the only one "
    "that is; all before are untouched (the next is 0.75), so the product up to T - 1 telescopes.",
)
def one_beta_is_clipped():
    alpha_bar = cosine_alpha_bar(num_steps=_STEPS)
    angles = (np.array([_STEPS - 1, 0]) / _STEPS + _OFFSET) / (1 + _OFFSET) * math.pi / 2
    telescoped = 2 * math.log(math.cos(angles[0]) / math.cos(angles[1])) + math.log(1 - 0.999)
    clipped = jnp.sum(jnp.abs(_betas(alpha_bar) - 0.999) < 1e-9)
    return jnp.array([clipped, jnp.log(alpha_bar[-1])]), jnp.array([1.0, telescoped])


@derivation.numeric(
    r"\sqrt{\bar{\alpha}'_t} = c_0 + c_1 \sqrt{\bar{\alpha}_t} \;(t \ge 1), \qquad"
    r" \bar{\alpha}'_1 = \bar{\alpha}_1, \quad \bar{\alpha}'_T = 0, \quad \bar{\alpha}'_t < \bar{\alpha}'_{t-1}",
    because="Two conditions fix an affine map of the signal's amplitude: the first step keeps its noise, and the last is noise "
    "alone. An affine map with positive slope keeps the order.",
)
def zero_terminal_snr_is_affine_in_the_root():
    alpha_bar = scaled_linear_alpha_bar(num_steps=50)
    moved = rescale_zero_terminal_snr(alpha_bar)
    root, target = jnp.sqrt(alpha_bar[1:]), jnp.sqrt(moved[1:])
    design = jnp.stack([jnp.ones(50), root], axis=1)
    coefficients = jnp.linalg.lstsq(design, target)[0]
    rises = jnp.sum(jnp.diff(moved) >= 0)
    left = jnp.concatenate([design @ coefficients, jnp.array([moved[1], moved[-1], rises])])
    return left, jnp.concatenate([target, jnp.array([alpha_bar[1], 0.0, 0.0])])


@derivation.numeric(
    r"\frac{\sigma_{t+1}}{\sigma_t} = \Big(\frac{\sigma_T}{\sigma_1}\Big)^{1/(T-1)}, \qquad"
    r" \bar{\alpha} = \frac{1}{1 + \sigma^2} \;\Rightarrow\; \lambda = -2 \log \sigma",
    because="A straight line in log sigma is a geometric sequence: every step multiplies the noise by the same factor. Since "
    "a/(1 - a) = 1/sigma^2, the log-SNR is then a straight line, too.",
)
def log_linear_is_geometric():
    sigmas = log_linear_sigmas(num_steps=20, sigma_min=0.02, sigma_max=80.0)
    ratios = sigmas[2:] / sigmas[1:-1]
    line = -2 * (math.log(0.02) + np.arange(20) / 19 * (math.log(80.0) - math.log(0.02)))
    left = jnp.concatenate([ratios, log_snr(alpha_bar_from_sigmas(sigmas[1:]))])
    return left, jnp.concatenate([jnp.full(19, (80.0 / 0.02) ** (1 / 19)), jnp.asarray(line)])


@derivation.monte_carlo(
    r"\mathrm{Var}\Big(\frac{1}{d^2} \sum_{i, j \le d} \epsilon_{ij}\Big) = \frac{1}{d^2}",
    because="The mean of d^2 independent unit noises has variance 1/d^2, while a signal that is constant on the block is its own "
    "mean. Seen at the lower resolution, a large image is d^2 times less noisy than its schedule says. Here d = 2, 3, 4.",
)
def block_means_of_white_noise():
    noise = jax.random.normal(jax.random.key(0), (5000, 12, 12), dtype=float)
    means = [noise.reshape(-1, 12 // d, d, 12 // d, d).mean((2, 4)) for d in (2, 3, 4)]
    return jnp.stack([jnp.mean(m**2, axis=(1, 2)) for m in means], axis=1), jnp.array([1 / 4, 1 / 9, 1 / 16])


@derivation.numeric(
    r"\lambda'_t = \lambda_t - 2 \log \frac{r}{r_0} \;\Leftrightarrow\;"
    r" \frac{\bar{\alpha}'}{(1 - \bar{\alpha}') / d^2} = \frac{\bar{\alpha}}{1 - \bar{\alpha}}, \quad d = \frac{r}{r_0}",
    because="To destroy as much at resolution r as the schedule does at r_0, the noise must be d^2 times stronger relative to "
    "the signal, d the ratio of the resolutions: the odds are divided by d^2.",
)
def resolution_shifts_the_log_snr():
    alpha_bar = cosine_alpha_bar(num_steps=20)[1:]
    shifted = shift_log_snr(alpha_bar, base_resolution=64, resolution=256)
    left = jnp.stack([log_snr(shifted), jnp.log(shifted / ((1 - shifted) / 16))])
    return left, jnp.stack([log_snr(alpha_bar) - 2 * math.log(4), log_snr(alpha_bar)])


if __name__ == "__main__":
    derivation.main()
