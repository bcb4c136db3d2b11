"""Bidirectional GANs: the losses of the game on pairs of example and latent, and the exact game on tables of pairs."""

from torch.nn.functional import logsigmoid

from practice_torch.adversarial.gan import exact_value, optimal_discriminator_logit
from practice_torch.arguments import require_log_probs, require_rank, require_same_shape


def bigan_discriminator_loss(logits_encoder, logits_generator):
    r"""-log sigma(l_E) - log sigma(-l_G), in nats: the encoder's pairs are called real, the generator's fake.

    Raises ValueError if the shapes differ.  Source: Donahue, Kraehenbuehl & Darrell 2017, eq. 2.
    [B], [B] -> [B]
    """
    _require_logits(logits_encoder, logits_generator)
    return -logsigmoid(logits_encoder) - logsigmoid(-logits_generator)


def bigan_generator_encoder_loss(logits_encoder, logits_generator):
    r"""-log sigma(-l_E) - log sigma(l_G), in nats: the discriminator's loss with the labels exchanged, for both of its opponents.

    Raises ValueError if the shapes differ.  Source: Donahue, Kraehenbuehl & Darrell 2017, section 3.4.
    [B], [B] -> [B]
    """
    _require_logits(logits_encoder, logits_generator)
    return bigan_discriminator_loss(-logits_encoder, -logits_generator)


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
    return exact_value(log_joint_encoder.reshape(1, -1), log_joint_generator.reshape(1, -1), logits.reshape(1, -1))[0]


def conditional_entropy(log_joint):
    r"""H(x|z) = -sum_xz P(x, z) log P(x|z), in nats: how much of x a latent leaves open; 0 if each z belongs to one x.

    Raises ValueError if log_joint does not have two axes, or does not sum to one as a whole.
    Source: Cover & Thomas 2006, eq. 2.10; Li et al. 2017, section 3.
    [X, Z] -> []
    """
    _require_joint(log_joint=log_joint)
    nowhere = log_joint.isneginf()
    # a column of zeros would have NaN for its conditional law, and for its gradient
    log_conditional = log_joint.masked_fill(nowhere.all(0), 0.0).log_softmax(0)
    return -(log_joint.exp() * log_conditional.masked_fill(nowhere, 0.0)).sum()


def _require_logits(logits_encoder, logits_generator):
    require_rank(1, logits_encoder=logits_encoder)
    require_same_shape(logits_encoder=logits_encoder, logits_generator=logits_generator)


def _require_joint(**tables):
    require_rank(2, **tables)
    require_log_probs(**{name: table.reshape(-1) for name, table in tables.items()})
