"""Contracts of a classifier of noised data and of what its slope does to a step (lectures 35 and 41)."""

import numpy as np

from shared_specs.diffusion._cases import (
    BAD_TIMES,
    FOUR,
    IMAGES,
    LEVELS,
    NO_STEP,
    ONE,
    OTHER,
    PIXELS,
    SCHEDULE,
    TO_NOISE,
    TOO_FEW,
    X,
    Y,
    column,
    rejects_schedules,
    rejects_times,
)
from shared_specs.rows import (
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_by_inputs,
    full,
    given,
    log_of,
    log_simplex,
    normal,
    uniform,
    zeros,
)

TIMES = np.array([2, 6, 3, 1, 5])
# Four classes in three dimensions.
MIXTURE = {"means": normal(4, 3), "log_vars": normal(4, scale=0.5), "log_weights": log_simplex(4)}
LABELS = np.array([0, 2, 1, 2, 3])


def rejects(function, **arrays):
    """The refusals that both functions of time share: times that are none, schedules that are none."""
    good = arrays | {"t": np.array([1, 2]), "alpha_bar": SCHEDULE}
    yield from rejects_times(function, good, BAD_TIMES | NO_STEP | TOO_FEW)
    yield from rejects_schedules(function, good)


def class_scores(x, means, log_vars, log_weights):
    """p(k | x_t), [5, 4], and the score of every class, [5, 4, 3], from the densities."""
    a = SCHEDULE[TIMES][:, None]
    variances = a * np.exp(log_vars) + 1 - a
    away = np.sqrt(a)[..., None] * means - x[:, None]
    shares = np.exp(log_weights - (away**2).sum(2) / variances / 2) / variances**1.5
    return shares / shares.sum(1, keepdims=True), away / variances[..., None]


def tilted(x, mean, log_var, gradient):
    """log N(x; mean, e^log_var) + 1.5 gradient x, up to a constant."""
    return -((x - mean) ** 2) / np.exp(log_var) / 2 + 1.5 * gradient * x


# With operators only, so not normalized: classifier_gradient only needs the gradient of the right entry.
def four_classes(x):
    """[B, D >= 5] -> [B, 4]."""
    return x[:, :4] * x[:, 1:5] - x[:, :4] * x[:, :4] * x[:, :4] / 3


def of_images(x):
    return four_classes(x.reshape((x.shape[0], -1)))


def lines(x):
    """[B, 2] -> [B, 2]: slopes (1, 0), (0, 1) plus those of the product and of a square."""
    return x + x[:, :1] * x[:, 1:] - x * x / 2


def half_squares(x):
    """[B, D] -> [B, D]: the slope of an entry is the entry itself."""
    return x * x / 2


def one_class(x):
    return -(x * x)[:, :1]


SPEC = (
    # The exact classifier.
    Agree("class_log_probs", "regular", given(x_t=X, t=TIMES, **MIXTURE, alpha_bar=SCHEDULE)),
    Agree("class_log_probs", "eight-bit times, as many dimensions as classes",
          given(x_t=normal(3, 4), t=np.array([6, 1, 2], np.uint8), means=normal(4, 4), log_vars=normal(4),
                log_weights=log_simplex(4), alpha_bar=SCHEDULE)),
    Agree("class_log_probs", "a class that never occurs",
          given(x_t=X, t=TIMES, **MIXTURE | {"log_weights": log_of([0.3, 0.0, 0.1, 0.6])}, alpha_bar=SCHEDULE),
          no_gradient="log-probabilities of -inf have no slope"),
    Agree("class_log_probs", "far from every class", given(x_t=normal(5, 3, mean=60.0), t=TIMES, **MIXTURE, alpha_bar=SCHEDULE)),
    Agree("class_log_probs", "hardly any width",
          given(x_t=X, t=TIMES, **MIXTURE | {"log_vars": normal(4, mean=-30.0)}, alpha_bar=SCHEDULE)),
    Agree("class_log_probs", "without signal", given(x_t=X, t=[1, 4, 2, 4, 3], **MIXTURE, alpha_bar=TO_NOISE),
          differentiate=("x_t", "means", "log_vars", "log_weights")),
    Agree("class_log_probs", "one class, one step, one example",
          given(x_t=normal(1, 3), t=[1], means=normal(1, 3), log_vars=normal(1), log_weights=log_simplex(1), alpha_bar=ONE)),
    Anchor(
        "class_log_probs", "three classes in the plane, roots of 0.8, 0.6 and 0",
        given(x_t=[[0.0, 1.0], [1.0, -1.0], [2.0, 0.0], [1.0, 2.0]], t=[1, 2, 3, 2], means=[[1.0, 1.0], [-1.0, 0.0], [0.0, 2.0]],
              log_vars=log_of([0.25, 4.0, 1.0]), log_weights=log_of([0.25, 0.5, 0.25]), alpha_bar=LEVELS),
        gives=[[-0.855434548540414, -1.5147732156293884, -1.0355148621009242],
               [-1.1554882940797318, -0.50217528421180714, -2.5271853402892951],
               [-1.3862943611198906, -0.69314718055994531, -1.3862943611198906],
               [-1.0962767543308979, -1.5750764947264084, -0.77893270465005022]],
        source="mpmath, 30 digits",
        near_misses={
            "logits": [[-3.2240911139687259, -3.8834297810577004, -3.4041714275292361],
                       [-4.7724743813196728, -4.1191613714517482, -6.1441714275292361],
                       [-5.2241714275292361, -4.5310242469692908, -5.2241714275292361],
                       [-4.3615154772100838, -4.8403152176055943, -4.0441714275292361]],
            "a classifier of clean data": [[-1.0437151757185198, -1.3731567173983557, -0.93000953683841038],
                                           [-5.3253018047677728, -0.02974334644760871, -3.7115961658876634],
                                           [-1.242908288877341, -0.44734983055717694, -2.6292026499972316],
                                           [-0.90024569441233811, -1.979687236092174, -0.78654005553222873]],
            "without the weights": [[-0.73898048215967183, -2.0914663298085916, -0.919060795720182],
                                    [-0.79508303177955644, -0.83491720247157707, -2.1667800779891197],
                                    [-1.0986122886681097, -1.0986122886681097, -1.0986122886681097],
                                    [-0.98702438728976386, -2.1589713082452197, -0.66968033760891615]],
            "without the normalizers": [[-1.7066370220977744, -0.6404656054998944, -1.2327908682516205],
                                        [-1.9203861913384068, -0.21999454291755525, -2.9773724927082698],
                                        [-1.3862943611198906, -0.69314718055994531, -1.3862943611198906],
                                        [-1.5361570644752275, -0.96787816631781112, -0.90410226995467951]],
            "levels for their roots": [[-0.83708365733192812, -1.5923548850109974, -1.0117485862770537],
                                       [-1.1431887011545102, -0.63472289887351915, -1.8897021857202378],
                                       [-1.3862943611198906, -0.69314718055994531, -1.3862943611198906],
                                       [-1.403039622196598, -1.0403852003160284, -0.91421064100890097]],
            "one step late": [[-1.0437151757185198, -1.3731567173983557, -0.93000953683841038],
                              [-1.6655105799735322, -0.27005472651456145, -3.0455908935340424],
                              [-0.64852598442764119, -1.0384163465302118, -2.0941956333769305],
                              [-0.96928543358830245, -1.8182974410355487, -0.78013497791804338]],
        },
    ),
    Law.normalized("probabilities sum to one", given(x=normal(5, 3, scale=3.0), **MIXTURE),
                   total=lambda f, x, *mixture: np.exp(f.class_log_probs(x, TIMES, *mixture, SCHEDULE)).sum(1)),
    Law.equal("without signal: the classes' weights", given(x=X, **MIXTURE),
              left=lambda f, x, *mixture: f.class_log_probs(x, np.full(5, 4), *mixture, TO_NOISE),
              right=lambda f, x, means, log_vars, log_weights: np.tile(log_weights, (5, 1))),
    Law.equal("the slopes of the classes, weighted by their probabilities, cancel", given(x=X, **MIXTURE),
              left=lambda f, x, *mixture: np.einsum(
                  "bk,bkbd->bd", np.exp(f.class_log_probs(x, TIMES, *mixture, SCHEDULE)),
                  f.jacobian("class_log_probs", x, TIMES, *mixture, SCHEDULE)),
              right=0.0),
    Law.equal("of two classes alike but for their means: a line", given(x=X, m=normal(3), log_var=normal(1)),
              left=lambda f, x, m, log_var: [log_p[:, 0] - log_p[:, 1] for log_p in [f.class_log_probs(
                  x, TIMES, np.stack([m, -m]), np.tile(log_var, 2), np.log([0.5, 0.5]), SCHEDULE)]][0],
              right=lambda f, x, m, log_var: 2 * np.sqrt(SCHEDULE[TIMES]) * (x @ m)
              / (SCHEDULE[TIMES] * np.exp(log_var) + 1 - SCHEDULE[TIMES])),
    *rejects("class_log_probs", x_t=zeros(2, 3), means=zeros(4, 3), log_vars=zeros(4), log_weights=log_of([0.25] * 4)),
    Rejects("class_log_probs", "other dimensions",
            given(x_t=zeros(2, 3), t=[1, 2], means=zeros(4, 2), log_vars=zeros(4), log_weights=log_of([0.25] * 4),
                  alpha_bar=SCHEDULE), blames="means"),
    Rejects("class_log_probs", "a number for each example",
            given(x_t=zeros(2), t=[1, 2], means=zeros(4, 1), log_vars=zeros(4), log_weights=log_of([0.25] * 4),
                  alpha_bar=SCHEDULE), blames="x_t"),
    Rejects("class_log_probs", "a mixture for each example",
            given(x_t=zeros(2, 3), t=[1, 2], means=zeros(2, 4, 3), log_vars=zeros(2, 4), log_weights=log_of([0.25] * 4),
                  alpha_bar=SCHEDULE), blames="means"),
    Rejects("class_log_probs", "weights that sum to two",
            given(x_t=zeros(2, 3), t=[1, 2], means=zeros(4, 3), log_vars=zeros(4), log_weights=log_of([0.5] * 4),
                  alpha_bar=SCHEDULE), blames="log_weights"),
    # The slope of a classifier.
    Agree("classifier_gradient", "regular", given(x_t=normal(5, 6), labels=LABELS, log_probs_fn=four_classes)),
    Agree("classifier_gradient", "images", given(x_t=IMAGES, labels=np.array([3, 1]), log_probs_fn=of_images)),
    Agree("classifier_gradient", "eight-bit labels",
          given(x_t=normal(5, 6), labels=LABELS.astype(np.uint8), log_probs_fn=four_classes)),
    Agree("classifier_gradient", "one class", given(x_t=normal(3, 2), labels=np.array([0, 0, 0]), log_probs_fn=one_class)),
    Anchor(
        "classifier_gradient", "x + x_1 x_2 - x^2/2",
        given(x_t=[[1.0, -2.0], [3.0, 0.5], [2.0, 1.0]], labels=np.array([0, 1, 1]), log_probs_fn=lines),
        gives=[[-2.0, 1.0], [0.5, 3.5], [1.0, 2.0]], source="by hand: (1 + x_2 - x_1, x_1) and (x_2, 1 + x_1 - x_2)",
        near_misses={
            "the other class": [[-2.0, 4.0], [-1.5, 3.0], [0.0, 2.0]], "all classes": [[-4.0, 5.0], [-1.0, 6.5], [1.0, 4.0]],
            "the batch's mean": [[-2 / 3, 1 / 3], [0.5 / 3, 3.5 / 3], [1 / 3, 2 / 3]],
            "the other sign": [[2.0, -1.0], [-0.5, -3.5], [-1.0, -2.0]],
            "labels from one": [[-2.0, 1.0], [-1.5, 3.0], [0.0, 2.0]],
        },
    ),
    Law.equal("each example by itself", given(x=normal(5, 6)),
              left=lambda f, x: f.classifier_gradient(x, LABELS, four_classes),
              right=lambda f, x: np.concatenate([
                  f.classifier_gradient(np.stack([x[i], x[i] - 1]), np.stack([LABELS[i], 0]), four_classes)[:1]
                  for i in range(5)])),
    Anchor("classifier_gradient", "256 classes",
           given(x_t=[np.arange(256.0), np.arange(256.0)], labels=np.array([255, 3]), log_probs_fn=half_squares),
           gives=np.arange(256.0) * (np.arange(256) == [[255], [3]]), source="by hand"),
    Rejects("classifier_gradient", "a class too many",
            given(x_t=zeros(2, 6), labels=np.array([1, 4]), log_probs_fn=four_classes), blames="labels is 4 at [1]"),
    Rejects("classifier_gradient", "a class before the first",
            given(x_t=zeros(2, 6), labels=np.array([-1, 2]), log_probs_fn=four_classes), blames="labels is -1"),
    Rejects("classifier_gradient", "labels that are not integers",
            given(x_t=zeros(2, 6), labels=[1.0, 2.0], log_probs_fn=four_classes), blames="labels"),
    Rejects("classifier_gradient", "a label too few",
            given(x_t=zeros(2, 6), labels=np.array([1]), log_probs_fn=four_classes), blames="labels"),
    Rejects("classifier_gradient", "one-hot labels",
            given(x_t=zeros(2, 6), labels=np.array([[0, 1, 0, 0], [1, 0, 0, 0]]), log_probs_fn=four_classes), blames="labels"),
    Rejects("classifier_gradient", "a number for each example",
            given(x_t=zeros(2, 6), labels=np.array([0, 0]), log_probs_fn=lambda x: x.sum(1)), blames="log_probs_fn"),
    # The guided mean.
    Agree("guided_mean", "regular", given(mean=X, log_var=normal(5), gradient=Y, scale=2.5)),
    Agree("guided_mean", "a variance for each dimension", given(mean=X, log_var=normal(5, 3), gradient=Y, scale=2.5)),
    Agree("guided_mean", "images", given(mean=IMAGES, log_var=normal(2), gradient=PIXELS, scale=7.5)),
    Agree("guided_mean", "numbers", given(mean=normal(5), log_var=normal(5), gradient=normal(5), scale=-1.0)),
    Agree("guided_mean", "as many dimensions as examples",
          given(mean=normal(5, 5), log_var=normal(5), gradient=normal(5, 5), scale=1.0)),
    Agree("guided_mean", "hardly any variance, and much", given(mean=X, log_var=[-60.0, -30.0, 0.0, 9.0, -1e-3], gradient=Y,
                                                              scale=0.5)),
    Agree("guided_mean", "no variance at all", given(mean=X, log_var=full(5, value=-np.inf), gradient=Y, scale=2.5)),
    Anchor(
        "guided_mean", "variances of 4, 0.25 and 1",
        given(mean=[[1.0, -2.0], [3.0, 0.5], [2.0, 1.0]], log_var=log_of([4.0, 0.25, 1.0]),
              gradient=[[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]], scale=3.0),
        gives=[[7.0, 10.0], [2.25, 2.0], [6.5, -0.5]], source="by hand",
        near_misses={
            "without the variance": [[2.5, 1.0], [0.0, 6.5], [6.5, -0.5]], "the deviation": [[4.0, 4.0], [1.5, 3.5], [6.5, -0.5]],
            "the logarithm": [[1 + 1.5 * np.log(4), -2 + 3 * np.log(4)], [3 + 3 * np.log(4), 0.5 - 6 * np.log(4)], [2.0, 1.0]],
            "without the scale": [[3.0, 2.0], [2.75, 1.0], [3.5, 0.5]],
            "the other sign": [[-5.0, -14.0], [3.75, -1.0], [-2.5, 2.5]],
            "1 + scale": [[9.0, 14.0], [2.0, 2.5], [8.0, -1.0]],
        },
    ),
    Law.equal("at scale 0 nothing happens, to the last bit", given(mean=X, log_var=normal(5), gradient=Y),
              left=lambda f, mean, log_var, gradient: f.guided_mean(mean, log_var, gradient, scale=0.0) == mean, right=True),
    Law.at_least("no point is denser than the mean, under a Gaussian tilted by a line",
                 given(mean=X, log_var=normal(5, 3, scale=0.5), gradient=Y, away=normal(5, 3)),
                 left=lambda f, mean, log_var, g, away: tilted(f.guided_mean(mean, log_var, g, scale=1.5), mean, log_var, g),
                 right=lambda f, mean, log_var, g, away: tilted(
                     f.guided_mean(mean, log_var, g, scale=1.5) + away, mean, log_var, g)),
    Rejects("guided_mean", "gradient has another shape",
            given(mean=zeros(2, 3), log_var=zeros(2), gradient=zeros(2, 4), scale=1.0), blames="gradient"),
    Rejects("guided_mean", "a gradient for each example",
            given(mean=zeros(2, 3), log_var=zeros(2), gradient=zeros(2), scale=1.0), blames="gradient"),
    Rejects("guided_mean", "log_var for each dimension, one for all",
            given(mean=zeros(2, 3), log_var=zeros(3), gradient=zeros(2, 3), scale=1.0), blames="log_var"),
    Rejects("guided_mean", "log_var to be broadcast",
            given(mean=zeros(2, 3), log_var=zeros(2, 1), gradient=zeros(2, 3), scale=1.0), blames="log_var"),
    # The guided noise.
    Agree("guided_noise", "regular", given(noise_pred=X, gradient=Y, t=TIMES, alpha_bar=SCHEDULE, scale=2.5)),
    Agree("guided_noise", "images", given(noise_pred=IMAGES, gradient=PIXELS, t=[3, 2], alpha_bar=SCHEDULE, scale=7.5)),
    Agree("guided_noise", "as many numbers as examples",
          given(noise_pred=normal(5, 5), gradient=normal(5, 5), t=TIMES, alpha_bar=SCHEDULE, scale=-1.0)),
    Agree("guided_noise", "one step, one example, one number",
          given(noise_pred=normal(1), gradient=normal(1), t=[1], alpha_bar=ONE, scale=1.0)),
    Agree("guided_noise", "noise alone", given(noise_pred=X, gradient=Y, t=[1, 4, 2, 4, 3], alpha_bar=TO_NOISE, scale=0.5)),
    Anchor(
        "guided_noise", "roots of 0.6, 0.8 and 1",
        given(noise_pred=FOUR, gradient=OTHER, t=[1, 2, 3, 2], alpha_bar=LEVELS, scale=2.5),
        gives=[[0.25, -3.5], [5.0, -3.5], [-1.75, 2.25], [8.0, -7.0]], source="by hand",
        near_misses={
            "the other sign": [[1.75, -0.5], [1.0, 4.5], [5.75, -0.25], [0.0, 5.0]],
            "without the deviation": [[-0.25, -4.5], [5.5, -4.5], [-1.75, 2.25], [9.0, -8.5]],
            "the variance": [[0.55, -2.9], [4.6, -2.7], [-1.75, 2.25], [7.2, -5.8]],
            "the signal's root": [[0.0, -4.0], [4.5, -2.5], [2.0, 1.0], [7.0, -5.5]],
            "without the scale": [[0.7, -2.6], [3.8, -1.1], [0.5, 1.5], [5.6, -3.4]],
            "divided by the deviation": [[1 - 1.25 / 0.6, -2 - 2.5 / 0.6], [6.125, -5.75], [-1.75, 2.25], [10.25, -10.375]],
        },
    ),
    Law.equal("at scale 0 nothing happens: noise", given(noise=X, gradient=Y),
              left=lambda f, noise, gradient: f.guided_noise(noise, gradient, TIMES, SCHEDULE, scale=0.0),
              right=lambda f, noise, gradient: noise),
    Law.equal("two scales one after the other are their sum", given(noise=X, gradient=Y),
              left=lambda f, noise, gradient: f.guided_noise(
                  f.guided_noise(noise, gradient, TIMES, SCHEDULE, scale=1.5), gradient, TIMES, SCHEDULE, scale=0.75),
              right=lambda f, noise, gradient: f.guided_noise(noise, gradient, TIMES, SCHEDULE, scale=2.25)),
    Law.equal("at scale 1 it makes the class's score of the mixture's", given(x=X, **MIXTURE),
              left=lambda f, x, means, log_vars, log_weights: -f.guided_noise(
                  -np.sqrt(column(1 - SCHEDULE[TIMES])) * np.einsum("bk,bkd->bd", *class_scores(x, means, log_vars, log_weights)),
                  f.jacobian("class_log_probs", x, TIMES, means, log_vars, log_weights, SCHEDULE)[
                      np.arange(5), LABELS, np.arange(5)], TIMES, SCHEDULE, scale=1.0) / np.sqrt(column(1 - SCHEDULE[TIMES])),
              right=lambda f, x, means, log_vars, log_weights: class_scores(
                  x, means, log_vars, log_weights)[1][np.arange(5), LABELS]),
    Rejects("guided_noise", "gradient has another shape",
            given(noise_pred=zeros(2, 3), gradient=zeros(2, 4), t=[1, 2], alpha_bar=SCHEDULE, scale=1.0), blames="gradient"),
    *rejects("guided_noise", noise_pred=zeros(2, 3), gradient=zeros(2, 3), scale=1.0),
    # The network.
    Model("LevelClassifier", "two layers", given(x=normal(4, 2, 3), t=uniform(4, high=20.0)), steps=0,
          sizes=dict(size=6, classes=3, width=8, layers=2), initial={"*": begins_by_inputs()}),
)  # fmt: skip
