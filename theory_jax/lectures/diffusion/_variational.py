"""Parts of the lecture on variational diffusion: times with one common random shift, and the decoder."""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import exp, log

from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import Total, plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.variational_diffusion import (
    discrete_diffusion_loss,
    linear_log_snr,
    low_discrepancy_times,
    reconstruction_log_prob,
)


def batch_times(derivation, tau):
    """Adds to the lecture that such times are uniform and that their mean varies less; returns the shift and the first chain."""
    derivation.say(
        "Training draws a random time for each example of a batch. Evenly spread times with one common random shift vary less."
    )
    shift = derivation.number("b", "the common random shift, uniform", "u", between=(0, 1))
    place = derivation.number("a", r"the position of a time in the batch, $\ell / n$", between=(0, 1))
    power = derivation.index("m", "a power of the time", states=4)
    theta = derivation.numbers(r"\theta", power, "the coefficients of the function that is averaged, a cubic")

    def averaged(at):
        return Total(power, theta * at**power)

    every_time = derivation.chain(
        "Every time of a shifted batch is uniform",
        sympy.Integral(averaged(shift + place), (shift, 0, 1 - place))
        + sympy.Integral(averaged(shift + place - 1), (shift, 1 - place, 1)),
        equals(
            sympy.Integral(averaged(tau), (tau, place, 1)) + sympy.Integral(averaged(tau), (tau, 0, place)),
            r"substitute $(b + a) \bmod 1$ for $\tau$, which is $b + a$ below 1 and $b + a - 1$ above",
        ),
        equals(sympy.Integral(averaged(tau), (tau, 0, 1)), "the two pieces make up the interval"),
        role="remark",
        so="So the mean over a batch is unbiased. The function is any cubic here; the substitution does not depend on that.",
    )
    count = derivation.number("n", "the size of the batch", "batch_size", positive=True)
    derivation.chain(
        "The mean of a shifted batch varies less than that of independent times",
        sympy.Integral(count * (tau - 1 / (2 * count)) ** 2, (tau, 0, 1 / count)),
        equals(
            1 / (12 * count**2),
            prose(
                r"for the function $\tau$ the batch mean is $\tau + \frac{n - 1}{2n}$ with $\tau$ uniform below $\frac1n$, and "
                "{mean}",
                mean=holds(sympy.Integral(count * tau, (tau, 0, 1 / count)), "=", 1 / (2 * count)),
            ),
            wrong={"independent times": 1 / (12 * count)},
        ),
        role="remark",
        so=prose(
            "The mean of independent times has the variance {independent}, which is $n$ times that. For other functions the "
            "ratio is another one.",
            independent=holds(sympy.Integral((tau - sympy.Rational(1, 2)) ** 2, (tau, 0, 1)) / count, "=", 1 / (12 * count)),
        ),
    )
    batch = derivation.index(r"\ell", "a position in the batch, from 0")
    derivation.bridge(
        "The code's four times",
        sympy.Mod(shift + batch / 4, 1),
        low_discrepancy_times,
        u=shift,
        batch_size=4,
        wrong={"not taken modulo 1": shift + batch / 4},
    )
    return shift, every_time


def decoder(derivation, alpha_t, s_t):
    """Adds to the lecture the decoder of the least noisy value."""
    kind = derivation.index(r"\nu", "one of the values that the data may have")
    values = derivation.numbers("y", kind, "these values", "values")
    z_0 = derivation.number("z_0", "the least noisy value", "z0")
    score = -((z_0 - alpha_t * values) ** 2) * (1 + s_t) / 2
    log_decoder = derivation.define(
        r"\log p({}|z_0)",
        plus(score, -log(Total(kind, exp(score)))),
        "the decoder: Bayes' rule with equal prior weights",
        "reconstruction_log_prob",
        over=kind,
    )
    derivation.chain(
        "The decoder is a distribution over the values of the data",
        Total(kind, exp(log_decoder)),
        equals(1, "a softmax sums to one", wrong={"not normalized": Total(kind, exp(score))}),
        role="lemma",
        states=2,
    )
    derivation.bridge(
        "The code's decoder",
        log_decoder,
        reconstruction_log_prob,
        z0=[z_0] * 4,
        x0_index=[0, 1, 2, 3],
        values=values,
        log_snr_0=[log(s_t)] * 4,
    )


def two_point_error(log_ratio):
    """Of the best network for data -1 or 1: E[1 - tanh^2(S + sqrt(S) e)]."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    ratio = np.exp(np.asarray(log_ratio))[:, None]
    return jnp.asarray((1 - np.tanh(ratio + np.sqrt(ratio) * nodes) ** 2) @ (weights / weights.sum()))


def total_cost(steps, errors, ends=(3.0, -2.0)):
    """The sum of the discrete losses over a straight schedule; errors: the squared error of the data at log-SNRs."""
    levels = linear_log_snr(jnp.arange(steps + 1) / steps, log_snr_max=ends[0], log_snr_min=ends[1])
    root = jnp.sqrt(errors(levels[1:]))
    return discrete_diffusion_loss(root, 0 * root, levels[:-1], levels[1:]).sum()


def gaussian_error(log_ratio):
    """Of the best network for standard normal data: 1/(1 + S)."""
    return 1 / (1 + jnp.exp(log_ratio))
