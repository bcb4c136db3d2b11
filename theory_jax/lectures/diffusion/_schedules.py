"""What the lectures on diffusion share: schedules of few levels or of many, and the symbols of one step."""

from types import SimpleNamespace

from sympy import sqrt

from theory_jax.derivation.notation import plus, times
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar

STEPS = 12


def schedule():
    """The cosine schedule of STEPS steps."""
    return cosine_alpha_bar(num_steps=STEPS)


def noised(level, x, noise):
    """sqrt(level) x + sqrt(1 - level) noise, in this order."""
    return plus(times(sqrt(level), x), times(sqrt(1 - level), noise))


def introduce_step(derivation):
    """The symbols of one step t >= 2 and of its posterior, introduced into a derivation's setting."""
    alpha = derivation.number(r"\alpha_t", "the share of the variance that step $t$ keeps", between=(0, 1))
    before = derivation.number(r"\bar\alpha_{t-1}", "the signal's share before the step", "alpha_bar[t - 1]", between=(0, 1))
    beta = derivation.define(r"\beta_t", 1 - alpha, "the variance of the noise of step $t$", "beta_at", positive=True)
    a_t = derivation.define(r"\bar\alpha_t", before * alpha, "the signal's share after the step", "alpha_bar[t]", positive=True)
    tilde = derivation.define(
        r"\tilde\beta_t",
        (1 - before) / (1 - a_t) * beta,
        "the variance of the step back, given $x_0$",
        "exp(posterior_log_variance)",
        positive=True,
    )
    kappa = derivation.define(r"\kappa_t", sqrt(before) * beta / (1 - a_t), "the weight of $x_0$ in its mean", positive=True)
    rho = derivation.define(r"\rho_t", sqrt(alpha) * (1 - before) / (1 - a_t), "the weight of $x_t$ in its mean", positive=True)
    return SimpleNamespace(alpha=alpha, before=before, beta=beta, a_t=a_t, tilde=tilde, kappa=kappa, rho=rho)
