"""Exercises of the lecture: The ELBO of a diffusion model: a chain of Gaussian divergences."""

import jax.numpy as jnp

from theory_jax.derivation.parts import value
from theory_jax.diffusion.elbo import gaussian_kl, prior_kl
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.diffusion.reverse_process import posterior_log_variance, posterior_mean, reverse_log_variance
from theory_jax.lectures.diffusion.elbo import _LEVELS, _ONES, _TWOS, _WEIGHTS, _X_2, _step, _two_steps, alpha, derivation, tilde


@derivation.exercise(
    "In the example, what is the first term of the bound for the data point 0?",
    r"$\frac12(-0.5184 - \log 0.4816)$, or 0.1061 nats.",
    level="easy",
    hint="Insert the data point 0 and the last level into the first term.",
)
def the_prior_at_zero():
    yield prior_kl(jnp.zeros(1), _LEVELS)[0], "0.1061"


@derivation.exercise(
    r"What would $L_1$ be in the example if the divergence were turned over?",
    r"Half of $\log\frac{\tilde\beta_2}{\beta_2} + \frac{\beta_2 + \mathbb{E}(\tilde\mu_2 - \mu_\theta)^2}{\tilde\beta_2} - 1$, "
    "which is 1.0697, in place of 0.4650. The order is not free: the expectation is under $q$, from which one can draw.",
    level="medium",
    hint="Exchange the two variances in the divergence of two Gaussians; the expected squared distance stays.",
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
    level="medium",
    hint="Which terms contain the network's prediction?",
)
def what_training_changes():
    distance = _WEIGHTS @ (posterior_mean(_ONES, _X_2, _TWOS, _LEVELS) - 0.8 * _X_2) ** 2
    yield distance / (2 * value(tilde, {_step.before: 0.81, alpha: 0.64})), "0.7674"


@derivation.exercise(
    "Images have 3072 coordinates of mean square 1. How many nats is the first term of the bound, if the share 4.036e-05 of "
    "signal is left at the end, as in the linear schedule of 1000 steps, and if 0.01 is left?",
    "It is 0.0620 and 15.4373 nats: only half of minus the logarithm of the noise's share remains in each coordinate. Next to "
    "bounds of thousands of nats both are small, so the bound does not warn of a schedule that ends too early.",
    level="easy",
    hint="With a mean square of 1 the first two terms cancel on average.",
)
def what_is_left_at_the_end():
    yield 3072 * prior_kl(jnp.ones(1), linear_alpha_bar(num_steps=1000))[0], "0.0620"
    yield 3072 * prior_kl(jnp.ones(1), jnp.array([1.0, 0.01]))[0], "15.4373"


@derivation.exercise(
    "Let the data of the example be standard normal. With the small variance, by how much is the bound above the entropy of the "
    "data, on average? Which part of it is the divergence of the data from the model, and which the gap?",
    "By 0.3023 nats: only the true step back from level 2 is missed, which has the same mean as the model's, and the variance "
    "0.36 instead of 0.1420. The model itself is hardly wrong: its divergence is 0.0101. The gap is the rest, 0.2922. A poor "
    "bound is no proof of a poor model.",
    level="hard",
    hint="Use the decomposition of the averaged bound into an entropy and divergences from the true steps back.",
)
def bound_and_model():
    large, small = (reverse_log_variance(_TWOS[:1], _LEVELS, variance=name) for name in ("large", "small"))
    zero = jnp.zeros((1, 1))
    excess = gaussian_kl(zero, large[:, None], zero, small[:, None])[0]
    of_model = 0.81 * (0.64 + jnp.exp(small)) + 0.19  # x_1 is 0.8 x_2 with new noise, and x_0 is 0.9 x_1 with that of the decoder
    wrong = gaussian_kl(zero, zero, zero, jnp.log(of_model)[:, None])[0]
    yield excess, "0.3023"
    yield jnp.exp(large)[0], "0.36"
    yield jnp.exp(small)[0], "0.1420"
    yield wrong, "0.0101"
    yield excess - wrong, "0.2922"
