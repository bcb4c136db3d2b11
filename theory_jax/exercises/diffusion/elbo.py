"""Exercises of the lecture: The ELBO of a diffusion model: a chain of Gaussian divergences."""

import jax.numpy as jnp

from theory_jax.derivation.parts import value
from theory_jax.diffusion.elbo import gaussian_kl, prior_kl
from theory_jax.diffusion.reverse_process import posterior_log_variance, posterior_mean, reverse_log_variance
from theory_jax.lectures.diffusion.elbo import _LEVELS, _ONES, _TWOS, _WEIGHTS, _X_2, _step, _two_steps, alpha, derivation, tilde


@derivation.exercise(
    "In the example, what is the first term of the bound for the data point 0?",
    r"$\frac12(-0.5184 - \log 0.4816)$, or 0.1061 nats.",
)
def the_prior_at_zero():
    yield prior_kl(jnp.zeros(1), _LEVELS)[0], "0.1061"


@derivation.exercise(
    r"What would $L_1$ be in the example if the divergence were turned over?",
    r"Half of $\log\frac{\tilde\beta_2}{\beta_2} + \frac{\beta_2 + \mathbb{E}(\tilde\mu_2 - \mu_\theta)^2}{\tilde\beta_2} - 1$, "
    "which is 1.0697, in place of 0.4650. The order is not free: the expectation is under $q$, from which one can draw.",
)
def turned_over():
    given_data = posterior_mean(_ONES, _X_2, _TWOS, _LEVELS), posterior_log_variance(_TWOS, _LEVELS)
    model = 0.8 * _X_2, reverse_log_variance(_TWOS, _LEVELS, variance="large")
    yield _WEIGHTS @ gaussian_kl(*(part[:, None] for part in (*model, *given_data))), "1.0697"
    yield _two_steps("large")[1], "0.4650"


@derivation.exercise(
    "Which part of the bound can training change, if the variances are fixed? How large is it for the network of the example, "
    "at $L_1$ with the small variance?",
    r"Only the means: $L_T$ has no parameter, and with the small variance $L_1$ is $\mathbb{E}(\tilde\mu_2 - \mu_\theta)^2 / (2 "
    r"\tilde\beta_2)$ alone, all of its 0.7674 nats. The best network cannot make it zero, because it does not know $x_0$.",
)
def what_training_changes():
    distance = _WEIGHTS @ (posterior_mean(_ONES, _X_2, _TWOS, _LEVELS) - 0.8 * _X_2) ** 2
    yield distance / (2 * value(tilde, {_step.before: 0.81, alpha: 0.64})), "0.7674"
