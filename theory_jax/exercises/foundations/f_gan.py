"""Exercises of the lecture: f-GAN: generation by minimizing a variational divergence."""

import jax.numpy as jnp
import numpy as np

from theory_jax.foundations.f_gan import f_gan_critic_loss
from theory_jax.lectures.foundations._gaussian_game import largest_step
from theory_jax.lectures.foundations.f_gan import derivation


@derivation.exercise(
    r"What is the critic's loss at rest, for any generator and for the GAN's?",
    r"$f^*(f'(1)) - f'(1)$, which is $-f(1)$; for the GAN's, $2 \log 2$, 1.3863.",
)
def the_loss_at_rest():
    yield f_gan_critic_loss(jnp.zeros(1), jnp.zeros(1), divergence="gan"), "1.3863"
    yield f_gan_critic_loss(jnp.ones(1), jnp.ones(1), divergence="kl") + 1, "1"


@derivation.exercise(
    r"If $f^*$ were a straight line, $\kappa$ would be 0. By which factor would the location's deviation grow with every step? "
    "How much is that after 100 steps of size 0.1, with a slope of 1 for $a$?",
    r"By $\sqrt{1 + \eta^2 a^2}$: the eigenvalues are $\pm i a$. After 100 steps by $1.01^{50}$, 1.6446.",
)
def no_damping():
    block = np.array([[0.0, -1.0], [1.0, 0.0]])
    yield np.abs(np.linalg.eigvals(np.linalg.matrix_power(np.eye(2) + 0.1 * block, 100)))[0], "1.6446"


@derivation.exercise(
    "A training run uses steps of 0.05 for Gaussian data with log-scale 0.26. At which of the locations 0.7, 2 and 3 can it "
    "converge for Kullback-Leibler, and at which for the GAN?",
    "Kullback-Leibler at 0.7 only: its bounds are 0.139, 0.0285 and 0.0105. The GAN at 0.7 and 2: 0.279, 0.0571 and 0.021. Data "
    "should be centered and scaled.",
)
def one_step_size():
    yield [largest_step((location, 0.26), "kl") for location in (0.7, 2.0, 3.0)], "0.139, 0.0285 and 0.0105"
    yield [largest_step((location, 0.26), "gan") for location in (0.7, 2.0, 3.0)], "0.279, 0.0571 and 0.021"
