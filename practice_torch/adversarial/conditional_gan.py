"""Conditional GANs: discriminators and losses that see a label, and batch normalization with a gain for every class."""

import torch
from torch import nn
from torch.nn.functional import embedding, logsigmoid

from practice_torch.adversarial.dcgan import Discriminator, batch_normalize
from practice_torch.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from practice_torch.arguments import as_int64, require_integers, require_rank, require_same_shape, require_shape, require_values
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood


def projection_logit(features, labels, class_embedding, weight, bias):
    r"""<e_y, h> + <w, h> + b: e_y is the row of class_embedding of the label y, h the features.

    Raises ValueError if labels does not have one integer in 0..K-1 for each row of features, or the rows of class_embedding, or
    weight, are not as long as features.
    Source: Miyato & Koyama 2018, eq. 4.
    [B, D], [B], [K, D], [D], [] -> [B]
    """
    require_rank(2, features=features, class_embedding=class_embedding)
    require_rank(0, bias=bias)
    classes, length = class_embedding.shape[0], features.shape[1]
    require_shape((classes, length), class_embedding=class_embedding)
    require_shape((length,), weight=weight)
    _require_labels(len(features), classes, labels=labels)
    # one product instead of two: the label's row and the shared one have the same factor
    return torch.linalg.vecdot(features, embedding(as_int64(labels), class_embedding + weight)) + bias


def auxiliary_classifier_discriminator_loss(
    logits_real, logits_fake, class_logits_real, class_logits_fake, labels_real, labels_fake
):
    r"""s(-r) + s(f) - log c(y_real | real) - log c(y_fake | fake), s the softplus, c the softmax of the class logits; in nats.

    Raises ValueError if logits_real and logits_fake differ in shape, class_logits_real and class_logits_fake differ in shape or
    have another batch, or labels_real or labels_fake does not have one integer in 0..K-1 for each example.
    Source: Odena, Olah & Shlens 2017, section 4.
    [B], [B], [B, K], [B, K], [B], [B] -> [B]
    """
    game = discriminator_loss(logits_real, logits_fake)
    require_rank(2, class_logits_real=class_logits_real)
    require_same_shape(class_logits_real=class_logits_real, class_logits_fake=class_logits_fake)
    batch, classes = len(logits_real), class_logits_real.shape[1]
    require_shape((batch, classes), class_logits_real=class_logits_real)
    _require_labels(batch, classes, labels_real=labels_real, labels_fake=labels_fake)
    of_real = categorical_negative_log_likelihood(labels_real, class_logits_real)
    return game + of_real + categorical_negative_log_likelihood(labels_fake, class_logits_fake)


def auxiliary_classifier_generator_loss(logits_fake, class_logits_fake, labels_fake):
    r"""s(-f) - log c(y_fake | fake), s the softplus, c the softmax of the class logits; in nats.

    Raises ValueError if logits_fake and class_logits_fake differ in the batch, or labels_fake does not have one integer in 0..K-1
    for each example.
    Source: Odena, Olah & Shlens 2017, section 4.
    [B], [B, K], [B] -> [B]
    """
    require_rank(2, class_logits_fake=class_logits_fake)
    game, classes = non_saturating_generator_loss(logits_fake), class_logits_fake.shape[1]
    require_shape((len(logits_fake), classes), class_logits_fake=class_logits_fake)
    _require_labels(len(logits_fake), classes, labels_fake=labels_fake)
    return game + categorical_negative_log_likelihood(labels_fake, class_logits_fake)


def matching_aware_discriminator_loss(logits_real, logits_fake, logits_mismatched):
    r"""s(-r) + (s(f) + s(m)) / 2, s the softplus: generated pairs and real examples with a wrong label, half each.

    Raises ValueError if the shapes differ.  Source: Reed et al. 2016, algorithm 1.
    [B], [B], [B] -> [B]
    """
    require_rank(1, logits_real=logits_real)
    require_same_shape(logits_real=logits_real, logits_fake=logits_fake, logits_mismatched=logits_mismatched)
    return -logsigmoid(logits_real) - (logsigmoid(-logits_fake) + logsigmoid(-logits_mismatched)) / 2


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
    _require_labels(len(x), len(scale), labels=labels)
    ones = x.new_ones(x.shape[1])
    normed = batch_normalize(x, ones, torch.zeros_like(ones), epsilon=epsilon)
    gain, offset = (embedding(as_int64(labels), rows)[:, :, None, None] for rows in (scale, shift))
    return torch.addcmul(offset, gain, normed)


def _require_labels(batch, classes, **named):
    for name, labels in named.items():
        require_integers(**{name: labels})
        require_shape((batch,), **{name: labels})
        require_values(name, labels, lambda y: (y >= 0) & (y < classes), f"in 0..{classes - 1}")


class ProjectionDiscriminator(Discriminator):
    """Images in [-1, 1] and labels to logits of being real pairs: DCGAN's features, and projection_logit of them.

    [B, C, H, W], [B] -> [B]
    """

    def __init__(self, *, shape, width, classes):
        super().__init__(shape=shape, width=width)
        last = self.layers[-1]
        self.class_embedding = nn.Parameter(torch.empty(classes, last.in_features))
        nn.init.normal_(self.class_embedding, 0.0, 0.02)

    def forward(self, images, labels):
        """One logit a pair."""
        last = self.layers[-1]
        return projection_logit(self.features(images), labels, self.class_embedding, last.weight[0], last.bias[0])
