"""Exercises of the lecture: The inception score: how much the answers of a classifier say about the images."""

import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from scipy.stats import binom

from theory_jax.evaluation.inception_score import inception_score, log_inception_score, split_inception_scores
from theory_jax.lectures.evaluation.inception_score import derivation


@derivation.exercise(
    r"Two images have the answers $(0.9, 0.1)$ and $(0.1, 0.9)$. What is the score?",
    r"The mean answer is uniform, so the logarithm is $\log 2$ less the entropy 0.325083 of an answer, 0.368064, and the score "
    "1.4449.",
    level="easy",
    hint="What is the mean answer? Then take the entropy of an answer from that of the mean.",
)
def two_answers():
    rows = jnp.log(jnp.array([[0.9, 0.1], [0.1, 0.9]]))
    yield -jnp.sum(jnp.exp(rows[0]) * rows[0]), "0.325083"
    yield log_inception_score(rows), "0.368064"
    yield inception_score(rows), "1.4449"


@derivation.exercise(
    "A generator knows one image of each of five classes, and the classifier is certain of all. It generates each of them nine "
    "times. What is its score, and what does that say of its diversity?",
    r"The largest there is, 5. Diversity within a class is not measured.",
    level="easy",
    hint="Certain answers have no entropy, so only that of the mean answer is left.",
)
def nine_of_each():
    yield inception_score(jnp.log(jnp.repeat(jnp.eye(5), 9, axis=0))), "5"


@derivation.exercise(
    "Answers are certain. Of twenty images the first ten are of one class, the others of ten classes, one each. What are the "
    "scores of the two halves, their mean, and the score of all?",
    "They are 1 and 10, and 5.5 in the mean; all have $e^{1.6769}$, 5.3489, which is less. The mean of the logarithms, 1.1513, "
    "is below 1.6769, as it must be.",
    level="medium",
    hint="With certain answers the score is the exponential of the entropy of how often each class occurs.",
)
def two_halves():
    rows = jnp.log(jnp.concatenate([jnp.repeat(jnp.eye(10)[:1], 10, axis=0), jnp.eye(10)]))
    scores = split_inception_scores(rows, splits=2)
    yield scores[0], "1"
    yield scores[1], "10"
    yield jnp.mean(scores), "5.5"
    yield log_inception_score(rows), "1.6769"
    yield inception_score(rows), "5.3489"
    yield jnp.mean(jnp.log(scores)), "1.1513"


@derivation.exercise(
    "The images of the first exercise are judged by another classifier, whose logits are twice as large. What is the score, and "
    "did the images become better?",
    "The answers become 81/82 and 1/82, and the score 1.8725 in place of 1.4449. The images are the same: a score depends on how "
    "certain the classifier is, so only scores of one classifier can be compared.",
    level="medium",
    hint="Twice the logits square the odds.",
)
def a_more_certain_classifier():
    rows = jnp.log(jnp.array([[0.9, 0.1], [0.1, 0.9]]))
    sharper = log_softmax(2 * rows, axis=-1)
    yield jnp.exp(sharper[0]), "81/82 and 1/82"
    yield inception_score(sharper), "1.8725"
    yield inception_score(rows), "1.4449"


@derivation.exercise(
    "A perfect generator samples 1000 classes with equal probability, and all answers are certain. By how many nats is the "
    "expected logarithm of the score below its limit in a block of 5000 images, and in all 50000 together?",
    "By 0.1046 and by 0.0100 nats: the exponentials of the expected logarithms are 900.7 and 990.0. The same perfect generator "
    "loses a tenth of its score to the size of the blocks.",
    level="hard",
    hint="How often a class occurs is binomial, and all classes contribute the same to the expected entropy.",
)
def size_of_the_blocks():
    for images, missing, score in ((5000, "0.1046", "900.7"), (50000, "0.0100", "990.0")):
        counts = np.arange(1, images + 1)
        shares = counts / images
        expected = -1000 * binom.pmf(counts, images, 1 / 1000) @ (shares * np.log(shares))
        yield np.log(1000) - expected, missing
        yield np.exp(expected), score
