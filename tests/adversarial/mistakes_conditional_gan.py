"""Wrong forms of adversarial games with labels that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.adversarial import conditional_gan as right
from practice_torch.adversarial.dcgan import batch_normalize
from practice_torch.adversarial.gan import discriminator_loss, minimax_generator_loss, non_saturating_generator_loss
from tests.support.mistakes import Mistake


def _projection(features, labels, class_embedding, weight, bias, *, rows=None, shared=1.0, own=1.0):
    right.projection_logit(features, labels, class_embedding, weight, bias)  # for its checks
    labels = labels.long()
    rows = class_embedding[labels if rows is None else rows(labels, len(class_embedding))]
    return own * (features * rows).sum(1) + shared * (features @ weight + bias)


def _class(labels, logits):
    return functional.cross_entropy(logits, labels.long(), reduction="none")


def _auxiliary(
    logits_real,
    logits_fake,
    class_logits_real,
    class_logits_fake,
    labels_real,
    labels_fake,
    *,
    real=1.0,
    fake=1.0,
    one_label=False,
    game=True,
):
    right.auxiliary_classifier_discriminator_loss(
        logits_real, logits_fake, class_logits_real, class_logits_fake, labels_real, labels_fake
    )  # for its checks
    classes = real * _class(labels_real, class_logits_real)
    classes = classes + fake * _class(labels_real if one_label else labels_fake, class_logits_fake)
    return game * discriminator_loss(logits_real, logits_fake) + classes


def _discriminator(**how):
    return lambda *given, **named: _auxiliary(*given, **named, **how)


def _generator(logits_fake, class_logits_fake, labels_fake, *, game=non_saturating_generator_loss, sign=1.0):
    right.auxiliary_classifier_generator_loss(logits_fake, class_logits_fake, labels_fake)  # for its checks
    return game(logits_fake) + sign * _class(labels_fake, class_logits_fake)


def _aware(logits_real, logits_fake, logits_mismatched, *, fake=0.5, wrong=0.5, sign=1.0):
    right.matching_aware_discriminator_loss(logits_real, logits_fake, logits_mismatched)  # for its checks
    fakes, mismatches = non_saturating_generator_loss(-logits_fake), non_saturating_generator_loss(-sign * logits_mismatched)
    return non_saturating_generator_loss(logits_real) + fake * fakes + wrong * mismatches


def _by_class(x, labels, scale, shift, *, epsilon=1e-5, own_statistics=False, gains=True, shifts=True):
    right.conditional_batch_normalize(x, labels, scale, shift, epsilon=epsilon)  # for its checks
    labels = labels.long()
    ones = torch.ones_like(scale[0])
    if own_statistics:
        normed = torch.zeros_like(x)
        for label in labels.unique():
            normed[labels == label] = batch_normalize(x[labels == label], ones, 0 * ones, epsilon=epsilon)
    else:
        normed = batch_normalize(x, ones, 0 * ones, epsilon=epsilon)
    gain, offset = (rows[labels][:, :, None, None] for rows in (scale, shift))
    return normed * (gain if gains else 1) + (offset if shifts else 0)


def _by_embedding(x, labels, scale, shift, *, epsilon=1e-5):
    right.conditional_batch_normalize(x, labels, scale, shift, epsilon=epsilon)  # for its checks
    normed = functional.batch_norm(x, None, None, training=True, eps=epsilon)
    gain, offset = (functional.embedding(labels.long(), rows)[:, :, None, None] for rows in (scale, shift))
    return gain * normed + offset


MISTAKES = (
    Mistake("projection_logit", "the shared part forgotten", lambda *given, **named: _projection(*given, **named, shared=0.0)),
    Mistake("projection_logit", "the label ignored", lambda *given, **named: _projection(*given, **named, own=0.0)),
    Mistake("projection_logit", "the next class", lambda *given, **named: _projection(
        *given, **named, rows=lambda labels, classes: (labels + 1) % classes)),
    Mistake("projection_logit", "eight bits as a mask", lambda features, labels, class_embedding, weight, bias: (
        features * class_embedding[labels]).sum(1) + right.projection_logit(features, labels, 0 * class_embedding, weight, bias),
        narrow=True),
    Mistake("projection_logit", "any label passes", lambda features, labels, class_embedding, weight, bias: _projection(
        features, labels.clamp(0, len(class_embedding) - 1).long(), class_embedding, weight, bias), only_checks=True),
    Mistake("auxiliary_classifier_discriminator_loss", "classes of real examples alone", _discriminator(fake=0.0)),
    Mistake("auxiliary_classifier_discriminator_loss", "classes of fakes alone", _discriminator(real=0.0)),
    Mistake("auxiliary_classifier_discriminator_loss", "labels of the real for both", _discriminator(one_label=True)),
    Mistake("auxiliary_classifier_discriminator_loss", "the mean of both", _discriminator(real=0.5, fake=0.5)),
    Mistake("auxiliary_classifier_discriminator_loss", "the game forgotten", _discriminator(game=False)),
    Mistake("auxiliary_classifier_discriminator_loss", "any label passes", lambda logits_real, logits_fake, class_logits_real,
            class_logits_fake, labels_real, labels_fake: _auxiliary(
                logits_real, logits_fake, class_logits_real, class_logits_fake,
                  labels_real.clamp(0, class_logits_real.shape[1] - 1),
                labels_fake.clamp(0, class_logits_real.shape[1] - 1)), only_checks=True),
    Mistake("auxiliary_classifier_generator_loss", "the saturating loss",
            lambda *given, **named: _generator(*given, **named, game=minimax_generator_loss)),
    Mistake("auxiliary_classifier_generator_loss", "the class subtracted", lambda *given, **named: _generator(
        *given, **named, sign=-1.0)),
    Mistake("auxiliary_classifier_generator_loss", "the class forgotten", lambda *given, **named: _generator(
        *given, **named, sign=0.0)),
    Mistake("matching_aware_discriminator_loss", "mismatches in full", lambda *given, **named: _aware(
        *given, **named, fake=1.0, wrong=1.0)),
    Mistake("matching_aware_discriminator_loss", "no mismatches", lambda *given, **named: _aware(
        *given, **named, fake=1.0, wrong=0.0)),
    Mistake("matching_aware_discriminator_loss", "mismatches called real", lambda *given,
              **named: _aware(*given, **named, sign=-1.0)),
    Mistake("conditional_batch_normalize", "statistics of each class", lambda *given, **named: _by_class(
        *given, **named, own_statistics=True)),
    Mistake("conditional_batch_normalize", "the gain alone", lambda *given, **named: _by_class(*given, **named, shifts=False)),
    Mistake("conditional_batch_normalize", "the shift alone", lambda *given, **named: _by_class(*given, **named, gains=False)),
    Mistake("conditional_batch_normalize", "the gain of the first class", lambda x, labels, scale, shift, *, epsilon=1e-5: (
        right.conditional_batch_normalize(x, 0 * labels, scale, shift, epsilon=epsilon) + 0 * _by_class(x, labels, scale,
          shift))),
    Mistake("conditional_batch_normalize", "epsilon fixed at 1e-5", lambda x, labels, scale, shift, *, epsilon=1e-5: (
        right.conditional_batch_normalize(x, labels, scale, shift))),
)  # fmt: skip


def _torchs(logits_fake, class_logits_fake, labels_fake):
    right.auxiliary_classifier_generator_loss(logits_fake, class_logits_fake, labels_fake)  # for its checks
    return functional.binary_cross_entropy_with_logits(logits_fake, torch.ones_like(logits_fake), reduction="none") + _class(
        labels_fake, class_logits_fake
    )


EQUIVALENT = (
    Mistake("projection_logit", "two products", _projection),
    Mistake("auxiliary_classifier_discriminator_loss", "torch's cross-entropies", _auxiliary),
    Mistake("auxiliary_classifier_generator_loss", "torch's cross-entropies", _torchs),
    Mistake("matching_aware_discriminator_loss", "three losses of the generator", _aware),
    Mistake("conditional_batch_normalize", "torch's batch norm and embedding", _by_embedding),
)
