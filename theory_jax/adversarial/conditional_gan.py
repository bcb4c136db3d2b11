"""Conditional GANs (lecture 8): the game with labels, and what projection, an auxiliary classifier and wrong labels make of it.

Local names: r, f and m are logits of real pairs (x, y), of generated ones, and of real x with a wrong label y.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn import softplus

from theory_jax.adversarial.dcgan import Discriminator, batch_normalize
from theory_jax.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from theory_jax.arguments import (
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
    widened,
)
from theory_jax.foundations.maximum_likelihood import categorical_negative_log_likelihood


def projection_logit(features, labels, class_embedding, weight, bias):
    r"""<e_y, h> + <w, h> + b: e_y is the row of class_embedding of the label y, h the features.

    Raises ValueError if labels does not have one integer in 0..K-1 for each row of features, or the rows of class_embedding, or
    weight, are not as long as features.
    Source: Miyato & Koyama 2018, eq. 4.
    [B, D], [B], [K, D], [D], [] -> [B]
    """
    require_rank(2, features=features, class_embedding=class_embedding)
    require_rank(0, bias=bias)
    length = features.shape[1]
    require_shape((class_embedding.shape[0], length), class_embedding=class_embedding)
    require_shape((length,), weight=weight)
    _require_labels(features, labels, class_embedding.shape[0])
    return jnp.sum(features * class_embedding[widened(labels)], axis=1) + features @ weight + bias


def auxiliary_classifier_discriminator_loss(
    logits_real, logits_fake, class_logits_real, class_logits_fake, labels_real, labels_fake
):
    r"""s(-r) + s(f) - log c(y_real | real) - log c(y_fake | fake), s the softplus, c the softmax of the class logits; in nats.

    Raises ValueError if logits_real and logits_fake differ in shape, class_logits_real and class_logits_fake differ in shape or
    have another batch, or labels_real or labels_fake does not have one integer in 0..K-1 for each example.
    Source: Odena, Olah & Shlens 2017, section 4.
    [B], [B], [B, K], [B, K], [B], [B] -> [B]
    """
    require_same_shape(class_logits_real=class_logits_real, class_logits_fake=class_logits_fake)
    game = discriminator_loss(logits_real, logits_fake)
    of_real = _class_term(logits_real, class_logits_real=class_logits_real, labels_real=labels_real)
    return game + of_real + _class_term(logits_fake, class_logits_fake=class_logits_fake, labels_fake=labels_fake)


def auxiliary_classifier_generator_loss(logits_fake, class_logits_fake, labels_fake):
    r"""s(-f) - log c(y_fake | fake), s the softplus, c the softmax of the class logits; in nats.

    Raises ValueError if logits_fake and class_logits_fake differ in the batch, or labels_fake does not have one integer in 0..K-1
    for each example.
    Source: Odena, Olah & Shlens 2017, section 4.
    [B], [B, K], [B] -> [B]
    """
    game = non_saturating_generator_loss(logits_fake)
    return game + _class_term(logits_fake, class_logits_fake=class_logits_fake, labels_fake=labels_fake)


def matching_aware_discriminator_loss(logits_real, logits_fake, logits_mismatched):
    r"""s(-r) + (s(f) + s(m)) / 2, s the softplus: generated pairs and real examples with a wrong label, half each.

    Raises ValueError if the shapes differ.  Source: Reed et al. 2016, algorithm 1.
    [B], [B], [B] -> [B]
    """
    require_rank(1, logits_real=logits_real)
    require_same_shape(logits_real=logits_real, logits_fake=logits_fake, logits_mismatched=logits_mismatched)
    return softplus(-logits_real) + (softplus(logits_fake) + softplus(logits_mismatched)) / 2


def conditional_batch_normalize(x, labels, scale, shift, *, epsilon=1e-5):
    r"""scale_y (x - mean) / sqrt(var + epsilon) + shift_y: mean and variance of the whole batch, gain and shift of its label.

    Raises ValueError if x does not have four axes or a channel has one value, scale and shift differ in shape or do not have the
    channels of x, or labels does not have one integer in 0..K-1 for each example.
    Source: de Vries et al. 2017, eq. 3; Ioffe & Szegedy 2015, algorithm 1.
    [B, C, H, W], [B], [K, C], [K, C] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require_rank(2, scale=scale)
    require_shape((scale.shape[0], x.shape[1]), scale=scale)
    require_same_shape(scale=scale, shift=shift)
    _require_labels(x, labels, scale.shape[0])
    ones = jnp.ones(x.shape[1], x.dtype)
    normed = batch_normalize(x, ones, jnp.zeros_like(ones), epsilon=epsilon)
    gain, offset = (rows[widened(labels)][:, :, None, None] for rows in (scale, shift))
    return gain * normed + offset


def _class_term(logits, **named):
    """-log c(y | x); the arguments are called by the names that an error must blame."""
    (class_name, class_logits), (label_name, labels) = named.items()
    require_rank(2, **{class_name: class_logits})
    require_shape((logits.shape[0], class_logits.shape[1]), **{class_name: class_logits})
    _require_labels(class_logits, labels, class_logits.shape[1], name=label_name)
    return categorical_negative_log_likelihood(labels, class_logits)


def _require_labels(x, labels, count, name="labels"):
    require_integers(**{name: labels})
    require_one_each(x, **{name: labels})
    require_values(name, labels, lambda y: (y >= 0) & (y < count), f"in 0..{count - 1}")


# ---------------------------------------------------------------------------------------------------- the network


class ProjectionDiscriminator(Discriminator):
    """Images [B, C, H, W] and labels [B] -> logits [B] of being real pairs: DCGAN's features, and projection_logit of them."""

    def __init__(self, *, shape, width, classes, rngs: nnx.Rngs):
        super().__init__(shape=shape, width=width, rngs=rngs)
        length = self.layers[-1].kernel[...].shape[0]
        self.class_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (classes, length), dtype=float))

    def __call__(self, images, labels):
        last = self.layers[-1]
        weight, bias = last.kernel[...][:, 0], last.bias[...][0]
        return projection_logit(self.features(images), labels, self.class_embedding[...], weight, bias)
