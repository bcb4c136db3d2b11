"""Bidirectional GANs (lecture 10): a discriminator of pairs of example and latent, and an encoder that becomes the inverse.

Pairs of the encoder are (x, E(x)) with x from the data, those of the generator (G(z), z) with z from the prior. A table of pairs
has a row for each x and a column for each z.
"""

import math

import jax.numpy as jnp
from jax.nn import softplus
from jax.scipy.special import logsumexp

from theory_jax.adversarial.gan import exact_value, optimal_discriminator_logit
from theory_jax.arguments import require_log_probs, require_rank, require_same_shape


def bigan_discriminator_loss(logits_encoder, logits_generator):
    r"""-log sigma(l_E) - log sigma(-l_G), in nats: the encoder's pairs are called real, the generator's fake.

    Raises ValueError if the shapes differ.  Source: Donahue, Kraehenbuehl & Darrell 2017, eq. 2.
    [B], [B] -> [B]
    """
    _require_logits(logits_encoder, logits_generator)
    return softplus(-logits_encoder) + softplus(logits_generator)


def bigan_generator_encoder_loss(logits_encoder, logits_generator):
    r"""-log sigma(-l_E) - log sigma(l_G), in nats: the discriminator's loss with the labels exchanged, for both of its opponents.

    Raises ValueError if the shapes differ.  Source: Donahue, Kraehenbuehl & Darrell 2017, section 3.4.
    [B], [B] -> [B]
    """
    _require_logits(logits_encoder, logits_generator)
    return softplus(logits_encoder) + softplus(-logits_generator)


def optimal_joint_logit(log_density_x, log_encoder, log_prior, log_generator):
    r"""log p(x) q(z|x) - log p(z) p(x|z) of pairs (x, z); 0 where both are zero and every discriminator is as good.

    Raises ValueError if the shapes differ.  Source: Donahue, Kraehenbuehl & Darrell 2017, proposition 1.
    [B], [B], [B], [B] -> [B]
    """
    require_rank(1, log_density_x=log_density_x)
    require_same_shape(log_density_x=log_density_x, log_encoder=log_encoder, log_prior=log_prior, log_generator=log_generator)
    return optimal_discriminator_logit(log_density_x + log_encoder, log_prior + log_generator)


def joint_exact_value(log_joint_encoder, log_joint_generator, logits):
    r"""sum_xz P(x, z) log sigma(l(x, z)) + Q(x, z) log sigma(-l(x, z)): the value of the game over tables of pairs, in nats.

    Raises ValueError if the shapes differ, or log_joint_encoder or log_joint_generator does not sum to one as a whole.
    Source: Donahue, Kraehenbuehl & Darrell 2017, eq. 2.
    [X, Z], [X, Z], [X, Z] -> []
    """
    _require_joint(log_joint_encoder=log_joint_encoder)
    require_same_shape(log_joint_encoder=log_joint_encoder, log_joint_generator=log_joint_generator, logits=logits)
    _require_joint(log_joint_generator=log_joint_generator)
    return exact_value(*(jnp.reshape(table, (1, -1)) for table in (log_joint_encoder, log_joint_generator, logits)))[0]


def conditional_entropy(log_joint):
    r"""H(x|z) = -sum_xz P(x, z) log P(x|z), in nats: how much of x a latent leaves open; 0 if each z belongs to one x.

    Raises ValueError if log_joint does not have two axes, or does not sum to one as a whole.
    Source: Cover & Thomas 2006, eq. 2.10; Li et al. 2017, section 3.
    [X, Z] -> []
    """
    _require_joint(log_joint=log_joint)
    nowhere = log_joint == -math.inf
    # a latent of probability 0 adds nothing, and must not make the gradient of its logarithm NaN
    table = jnp.where(jnp.all(nowhere, axis=0), 0.0, log_joint)
    surprise = logsumexp(table, axis=0) - jnp.where(nowhere, 0.0, table)
    return jnp.sum(jnp.exp(log_joint) * jnp.where(nowhere, 0.0, surprise))


def _require_logits(logits_encoder, logits_generator):
    require_rank(1, logits_encoder=logits_encoder)
    require_same_shape(logits_encoder=logits_encoder, logits_generator=logits_generator)


def _require_joint(**tables):
    require_rank(2, **tables)
    require_log_probs(**{name: jnp.ravel(table) for name, table in tables.items()})
