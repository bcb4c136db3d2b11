"""Contracts of adversarial games with labels (lecture 8)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_normal,
    given,
    integers,
    normal,
    scalar,
    uniform,
    zeros,
)

LABELS = [2, 0, 1, 2, 0]
SOME, CLASSES = normal(5), normal(5, 3)
FAR = [40.0, -40.0, 0.0, 400.0, -400.0]
FAR_CLASSES = [[40.0, 0.0, -40.0], [0.0, 400.0, 1.0], [-40.0, 0.0, 40.0], [0.0, 0.0, 0.0], [400.0, -400.0, 0.0]]
LAST = [255, 0, 17]  # of 256 classes
PROJECTION = dict(features=normal(5, 4), labels=LABELS, class_embedding=normal(3, 4), weight=normal(4), bias=scalar(0.7))
AUXILIARY = dict(
    logits_real=SOME,
    logits_fake=SOME,
    class_logits_real=CLASSES,
    class_logits_fake=CLASSES,
    labels_real=LABELS,
    labels_fake=[1, 1, 0, 2, 0],
)
# Two examples, one channel of two pixels: mean 3, variance 3.5, with epsilon 1/2 the deviation is 2.
TWO, GAINS, SHIFTS = [[[[1.0, 2.0]]], [[[3.0, 6.0]]]], [[2.0], [4.0], [-6.0]], [[1.0], [-1.0], [0.5]]
NEAR_ONE = begins_normal(0.02, mean=1.0)


def projected(f, features, labels, embedding, weight, bias=0.0):
    return f.projection_logit(features, labels, embedding, weight, np.array(bias))


def changed(given_arguments, **others):
    return given(**given_arguments | others)


SPEC = (
    # The projection.
    Agree("projection_logit", "regular", given(**PROJECTION)),
    Agree("projection_logit", "one class", changed(PROJECTION, labels=[0] * 5, class_embedding=normal(1, 4))),
    Agree("projection_logit", "256 classes", given(features=normal(3, 4), labels=LAST, class_embedding=normal(256, 4),
                                                   weight=normal(4), bias=scalar(0.0))),
    Anchor("projection_logit", "by hand", given(features=[[1.0, 2.0], [3.0, -1.0]], labels=[1, 0], class_embedding=[[1.0, 0.5],
                                                [-2.0, 4.0]], weight=[10.0, 20.0], bias=np.array(100.0)),
           gives=[156.0, 112.5], source="-2 + 8 + 10 + 40 + 100; 3 - 0.5 + 30 - 20 + 100",
           near_misses={"the shared part forgotten": [106.0, 102.5], "the projection forgotten": [150.0, 110.0],
                        "every class": [158.0, 101.5], "the next class": [152.0, 100.0], "no bias": [56.0, 12.5]}),
    Law.equal("Gaussians of unit variance", given(x=normal(5), mu=normal(3), nu=normal(3), labels=np.array(LABELS)),
              left=lambda f, x, mu, nu, labels: projected(f, np.stack([x, np.ones(5)], 1), labels, np.stack(
                  [mu - nu, -(mu**2 - nu**2) / 2], 1), np.zeros(2)),
              right=lambda f, x, mu, nu, labels: ((x - nu[labels]) ** 2 - (x - mu[labels]) ** 2) / 2),
    Law.equal("what all classes share may be moved", given(**PROJECTION),
              left=lambda f, h, y, e, w, b: projected(f, h, y, e + w, np.zeros(4), b),
              right=lambda f, h, y, e, w, b: projected(f, h, y, e, w, b)),
    Law.equal("classes have no order", given(**PROJECTION, order=np.array([1, 2, 0])),
              left=lambda f, h, y, e, w, b, order: projected(f, h, np.argsort(order)[y], e[order], w, b),
              right=lambda f, h, y, e, w, b, order: projected(f, h, y, e, w, b)),
    Rejects("projection_logit", "label K", changed(PROJECTION, labels=[0, 1, 2, 3, 0]), blames="labels"),
    Rejects("projection_logit", "a negative label", changed(PROJECTION, labels=[0, 1, 2, -1, 0]), blames="labels"),
    Rejects("projection_logit", "labels of floats", changed(PROJECTION, labels=zeros(5)), blames="labels"),
    Rejects("projection_logit", "a label too few", changed(PROJECTION, labels=[0, 1, 2, 0]), blames="labels"),
    Rejects("projection_logit", "longer class vectors", changed(PROJECTION, class_embedding=zeros(3, 5)),
              blames="class_embedding"),
    Rejects("projection_logit", "a shorter weight", changed(PROJECTION, weight=zeros(3)), blames="weight"),
    # The auxiliary classifier.
    Agree("auxiliary_classifier_discriminator_loss", "regular", given(**AUXILIARY)),
    Agree("auxiliary_classifier_discriminator_loss", "far out", changed(
        AUXILIARY, logits_real=FAR, logits_fake=FAR, class_logits_real=FAR_CLASSES, class_logits_fake=FAR_CLASSES),
        no_gradient="slopes of e^-40 are not compared digit by digit"),
    Agree("auxiliary_classifier_discriminator_loss", "256 classes", given(
        logits_real=normal(3), logits_fake=normal(3), class_logits_real=normal(3, 256), class_logits_fake=normal(3, 256),
        labels_real=LAST, labels_fake=LAST[::-1])),
    Anchor("auxiliary_classifier_discriminator_loss", "indifferent to the game and to three classes", given(
        logits_real=zeros(2), logits_fake=zeros(2), class_logits_real=[[1.0, 1.0, 1.0], [0.0, LOG_2, 0.0]],
        class_logits_fake=[[0.0, 0.0, LOG_2], [2.0, 2.0, 2.0]], labels_real=[0, 1], labels_fake=[2, 1]),
        gives=[3 * LOG_2 + LOG_3, 3 * LOG_2 + LOG_3], source="log 4, log 3 and log 2 each",
        near_misses={"classes of real examples alone": [2 * LOG_2 + LOG_3, 3 * LOG_2],
                     "classes of fakes alone": [3 * LOG_2, 2 * LOG_2 + LOG_3],
                     "the mean of both": [(5 * LOG_2 + LOG_3) / 2] * 2,
                     "labels of the real for both": [4 * LOG_2 + LOG_3, 3 * LOG_2 + LOG_3],
                     "the game alone": [2 * LOG_2] * 2}),
    Law.equal("one generator's loss of the real pairs, and one of the fakes with the other sign", given(**AUXILIARY),
              left=lambda f, r, g, cr, cg, yr, yg: f.auxiliary_classifier_discriminator_loss(r, g, cr, cg, yr, yg),
              right=lambda f, r, g, cr, cg, yr, yg: f.auxiliary_classifier_generator_loss(r, cr, yr)
              + f.auxiliary_classifier_generator_loss(-g, cg, yg)),
    Rejects("auxiliary_classifier_discriminator_loss", "a label K", changed(AUXILIARY, labels_real=[0, 1, 3, 0, 0]),
            blames="labels_real"),
    Rejects("auxiliary_classifier_discriminator_loss", "a negative label of a fake",
              changed(AUXILIARY, labels_fake=[0, 1, -1, 0, 0]),
            blames="labels_fake"),
    Rejects("auxiliary_classifier_discriminator_loss", "fakes of other classes",
              changed(AUXILIARY, class_logits_fake=zeros(5, 4)),
            blames="class_logits_fake"),
    Rejects("auxiliary_classifier_discriminator_loss", "class logits of another batch", changed(
        AUXILIARY, class_logits_real=zeros(4, 3), class_logits_fake=zeros(4, 3)), blames="class_logits_real"),
    Rejects("auxiliary_classifier_discriminator_loss", "fewer fakes", changed(AUXILIARY, logits_fake=zeros(4)),
              blames="logits_fake"),
    Agree("auxiliary_classifier_generator_loss", "regular", given(logits_fake=SOME, class_logits_fake=CLASSES,
              labels_fake=LABELS)),
    Agree("auxiliary_classifier_generator_loss", "far out", given(logits_fake=FAR, class_logits_fake=FAR_CLASSES,
              labels_fake=LABELS),
          no_gradient="slopes of e^-40 are not compared digit by digit"),
    Agree("auxiliary_classifier_generator_loss", "256 classes", given(
        logits_fake=normal(3), class_logits_fake=normal(3, 256), labels_fake=LAST)),
    Anchor("auxiliary_classifier_generator_loss", "by hand", given(
        logits_fake=[0.0, -LOG_2], class_logits_fake=[[0.0, LOG_2, 0.0], [3.0, 3.0, 3.0]], labels_fake=[1, 2]),
        gives=[2 * LOG_2, 2 * LOG_3], source="log 2 and log 2; log 3 and log 3",
        near_misses={"the saturating loss": [0.0, LOG_2], "the class alone": [LOG_2, LOG_3],
                     "the next class": [3 * LOG_2, 2 * LOG_3], "the class subtracted": [0.0, 0.0]}),
    Rejects("auxiliary_classifier_generator_loss", "a label K", given(
        logits_fake=zeros(5), class_logits_fake=zeros(5, 3), labels_fake=[0, 1, 2, 3, 0]), blames="labels_fake"),
    Rejects("auxiliary_classifier_generator_loss", "class logits of another batch", given(
        logits_fake=zeros(5), class_logits_fake=zeros(4, 3), labels_fake=[0, 1, 2, 0, 0]), blames="class_logits_fake"),
    Rejects("auxiliary_classifier_generator_loss", "labels of floats", given(
        logits_fake=zeros(5), class_logits_fake=zeros(5, 3), labels_fake=zeros(5)), blames="labels_fake"),
    # Wrong labels.
    Agree("matching_aware_discriminator_loss", "regular", given(logits_real=SOME, logits_fake=SOME, logits_mismatched=SOME)),
    Agree("matching_aware_discriminator_loss", "far out", given(
        logits_real=[0.0, 25.0, -40.0, -80.0, -400.0], logits_fake=FAR, logits_mismatched=[3.0, 40.0, 40.0, 400.0, -4.0]),
        no_gradient="slopes of e^-40 are not compared digit by digit"),
    Anchor("matching_aware_discriminator_loss", "by hand", given(
        logits_real=[0.0, -LOG_2], logits_fake=[LOG_2, 0.0], logits_mismatched=[0.0, 7 * LOG_2]),
        gives=[1.5 * LOG_2 + LOG_3 / 2, LOG_3 + LOG_2 / 2 + np.log(129) / 2], source="s(0) = log 2, s(log 2) = log 3, s(log 128)",
        near_misses={"mismatches in full": [2 * LOG_2 + LOG_3, LOG_3 + LOG_2 + np.log(129)],
                     "no mismatches": [LOG_2 + LOG_3, LOG_3 + LOG_2],
                     "the mean of three": [(2 * LOG_2 + LOG_3) / 3, (LOG_3 + LOG_2 + np.log(129)) / 3],
                     "mismatches called real": [1.5 * LOG_2 + LOG_3 / 2, LOG_3 + LOG_2 / 2 + np.log(129 / 128) / 2]}),
    Law.equal("with mismatches as fakes, the game's loss of logits of both signs", given(real=SOME, fake=SOME),
              left=lambda f, r, g: f.matching_aware_discriminator_loss(r, g, g) - f.matching_aware_discriminator_loss(-r, -g, -g),
              right=lambda f, r, g: g - r),
    Law.equal("fakes and mismatches count alike", given(real=SOME, fake=SOME, wrong=SOME),
              left=lambda f, r, g, w: f.matching_aware_discriminator_loss(r, g, w),
              right=lambda f, r, g, w: f.matching_aware_discriminator_loss(r, w, g)),
    Rejects("matching_aware_discriminator_loss", "fewer fakes", given(
        logits_real=zeros(3), logits_fake=zeros(2), logits_mismatched=zeros(3)), blames="logits_fake"),
    Rejects("matching_aware_discriminator_loss", "fewer mismatches", given(
        logits_real=zeros(3), logits_fake=zeros(3), logits_mismatched=zeros(2)), blames="logits_mismatched"),
    # Batch normalization by class.
    Agree("conditional_batch_normalize", "regular", given(x=normal(5, 3, 2, 2), labels=LABELS, scale=normal(3, 3),
              shift=normal(3, 3)),
          smallest_batch=1),
    Agree("conditional_batch_normalize", "another epsilon", given(
        x=normal(5, 3, 2, 2), labels=LABELS, scale=normal(3, 3), shift=normal(3, 3), epsilon=0.3)),
    Agree("conditional_batch_normalize", "256 classes", given(
        x=normal(3, 2, 2, 2), labels=LAST, scale=normal(256, 2), shift=normal(256, 2))),
    Anchor("conditional_batch_normalize", "a deviation of 2", given(x=TWO, labels=[2, 1], scale=GAINS, shift=SHIFTS, epsilon=0.5),
           gives=[[[[6.5, 3.5]]], [[[-1.0, 5.0]]]], source="-6 (-1, -1/2) + 1/2 and 4 (0, 3/2) - 1",
           near_misses={"the first class": [[[[-1.0, 0.0]]], [[[1.0, 4.0]]]],
             "labels exchanged": [[[[-5.0, -3.0]]], [[[0.5, -8.5]]]],
                        "the gain alone": [[[[6.0, 3.0]]], [[[0.0, 6.0]]]]}),
    Law.equal("the statistics are those of the whole batch", given(x=normal(4, 3, 2, 2), scale=normal(2, 3), shift=normal(2, 3)),
              left=lambda f, x, scale, shift: f.conditional_batch_normalize(x, np.array([0, 1, 1, 0]), scale, shift)[[0, 3]],
              right=lambda f, x, scale, shift: f.conditional_batch_normalize(x, np.array([0, 0, 0, 0]), scale, shift)[[0, 3]]),
    Law.equal("mean 0 and mean square 1 under a gain of one", given(x=normal(5, 3, 2, 2), labels=np.array(LABELS)),
              left=lambda f, x, labels: [
                  1 + f.conditional_batch_normalize(x, labels, np.ones((3, 3)), np.zeros((3, 3)), epsilon=1e-30).mean((0, 2, 3)),
                  (f.conditional_batch_normalize(x, labels, np.ones((3, 3)), np.zeros((3, 3)), epsilon=1e-30) ** 2).mean((0, 2,
                    3))],
              right=1.0),
    Rejects("conditional_batch_normalize", "label K", given(x=zeros(2, 3, 2, 2), labels=[0, 3], scale=zeros(3, 3),
              shift=zeros(3, 3)),
            blames="labels"),
    Rejects("conditional_batch_normalize", "gains of other channels", given(
        x=zeros(2, 3, 2, 2), labels=[0, 1], scale=zeros(3, 4), shift=zeros(3, 4)), blames="scale"),
    Rejects("conditional_batch_normalize", "shifts of fewer classes", given(
        x=zeros(2, 3, 2, 2), labels=[0, 1], scale=zeros(3, 3), shift=zeros(2, 3)), blames="shift"),
    Rejects("conditional_batch_normalize", "one value per channel", given(
        x=zeros(1, 3, 1, 1), labels=[0], scale=zeros(3, 3), shift=zeros(3, 3)), blames="x"),
    Rejects("conditional_batch_normalize", "no example", given(
        x=zeros(0, 3, 2, 2), labels=integers(0, high=3), scale=zeros(3, 3), shift=zeros(3, 3)), blames="x"),
    # The network.
    Model("ProjectionDiscriminator", "one halving", given(images=uniform(5, 3, 8, 8, low=-1.0), labels=[2, 0, 1, 2, 0]),
          sizes=dict(shape=(3, 8, 8), width=3, classes=3), steps=0, apart=False,
          initial={"layers.3.weight": NEAR_ONE, "class_embedding": begins_normal(0.02), "*.bias": begins_at(0),
                   "*.weight": begins_normal(0.02)}),
)  # fmt: skip
