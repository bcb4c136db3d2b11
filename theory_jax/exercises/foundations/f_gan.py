"""Exercises of the lecture: f-GAN: generation by minimizing a variational divergence."""

import jax.numpy as jnp
import numpy as np
from sympy import log

from theory_jax.derivation.notation import Expectation, Normal, Slope, Total
from theory_jax.derivation.parts import value
from theory_jax.foundations.f_gan import f_gan_critic_loss
from theory_jax.lectures.foundations._gaussian_game import largest_step
from theory_jax.lectures.foundations.f_gan import coefficients, critic, derivation, h, k, moved, p, q, theta, x


@derivation.exercise(
    r"What is the critic's loss at rest, for any $f$ and for the GAN's?",
    r"$f^*(f'(1)) - f'(1)$, which is $-f(1)$; for the GAN's, $2 \log 2$, 1.3863.",
    level="easy",
    hint="At rest the critic claims the ratio 1 everywhere, at real samples and at fakes.",
)
def the_loss_at_rest():
    yield f_gan_critic_loss(jnp.zeros(1), jnp.zeros(1), divergence="gan"), "1.3863"
    yield f_gan_critic_loss(jnp.ones(1), jnp.ones(1), divergence="kl") + 1, "1"


@derivation.exercise(
    r"If $f^*$ were a straight line, $\kappa$ would be 0. By which factor would the location's deviation grow with every step? "
    "How much is that after 100 steps of size 0.1, with a slope of 1 for $a$?",
    r"By $\sqrt{1 + \eta^2 a^2}$: the eigenvalues are $\pm i a$. After 100 steps by $1.01^{50}$, 1.6446.",
    level="medium",
    hint="The location and the critic's slope push each other with opposite signs: write their step as a two by two matrix.",
)
def no_damping():
    block = np.array([[0.0, -1.0], [1.0, 0.0]])
    yield np.abs(np.linalg.eigvals(np.linalg.matrix_power(np.eye(2) + 0.1 * block, 100)))[0], "1.6446"


@derivation.exercise(
    "A training run uses steps of 0.05 for Gaussian data with log-scale 0.26. At which of the locations 0.7, 2 and 3 can it "
    "converge for Kullback-Leibler, and at which for the GAN?",
    "Kullback-Leibler at 0.7 only: its bounds are 0.139, 0.0285 and 0.0105. The GAN at 0.7 and 2: 0.279, 0.0571 and 0.021. Data "
    "should be centered and scaled.",
    level="medium",
    hint="Compute the Jacobian of the steps at the solution; every eigenvalue bounds the step.",
)
def one_step_size():
    yield [largest_step((location, 0.26), "kl") for location in (0.7, 2.0, 3.0)], "0.139, 0.0285 and 0.0105"
    yield [largest_step((location, 0.26), "gan") for location in (0.7, 2.0, 3.0)], "0.279, 0.0571 and 0.021"


@derivation.exercise(
    "The data have two modes: half of them are $\\mathcal{N}(-2, 1)$, the other half $\\mathcal{N}(2, 1)$. Where can the game of "
    "Kullback-Leibler with the quadratic critic and the Gaussian generator rest, and does the critic notice that the model is "
    "wrong?",
    "At the Gaussian with the mean 0 and the variance 5. For Kullback-Leibler the data enter through the mean output of the "
    "critic, and every quadratic has the same mean over both: here the difference is 0. The critic stays at its resting value, "
    "and the value of the game is 0, although the divergence is not: the critic's class decides what is learned.",
    level="medium",
    hint="Which numbers of the data does the mean of a quadratic function depend on?",
)
def two_modes():
    of_data = (Expectation(Normal(x, -2, 1), critic) + Expectation(Normal(x, 2, 1), critic)) / 2
    given = dict(zip(coefficients, (0.3, -0.7, 1.1), strict=True))
    yield value(of_data - Expectation(Normal(x, 0, 5), critic), given), "0"
    yield value((Expectation(Normal(x, -2, 1), x**2) + Expectation(Normal(x, 2, 1), x**2)) / 2, {}), "5"


@derivation.exercise(
    "The critic of the Kullback-Leibler game is perfect, and the generator takes steps down the alternative loss. Does it "
    "descend a divergence, and which one?",
    "Yes: with the critic frozen, the slope is that of the other Kullback-Leibler divergence, of the model from the data; the "
    "difference of the two slopes is 0. So the alternative loss changes the question: it seeks modes where the divergence of "
    "the game would cover them.",
    level="hard",
    hint=r"The best critic is $1 + \log(p/q_\theta)$; write the slope of its mean over the model's samples, with the critic "
    "frozen.",
)
def the_alternative_loss():
    move = Slope(moved, theta)
    frozen = -Total(k, move * (1 + log(p / moved)))
    other = Slope(Expectation(moved, log(moved / p)), theta)
    given = {p: (0.75, 0.25), q: (0.4, 0.6), h: (0.3, -0.5), theta: 0.7}
    yield value(frozen - other, given), "0"
