"""Exercises of the lecture: The inception score: how much the answers of a classifier say about the images."""

import jax.numpy as jnp

from theory_jax.evaluation.inception_score import inception_score, log_inception_score, split_inception_scores
from theory_jax.lectures.evaluation.inception_score import derivation


@derivation.exercise(
    r"Two images have the answers $(0.9, 0.1)$ and $(0.1, 0.9)$. What is the score?",
    r"The mean answer is uniform, so the logarithm is $\log 2$ less the entropy 0.325083 of an answer, 0.368064, and the score "
    "1.4449.",
)
def two_answers():
    rows = jnp.log(jnp.array([[0.9, 0.1], [0.1, 0.9]]))
    yield -jnp.sum(jnp.exp(rows[0]) * rows[0]), "0.325083"
    yield log_inception_score(rows), "0.368064"
    yield inception_score(rows), "1.4449"


@derivation.exercise(
    "A generator knows one image of each of five classes, and the classifier is certain of all. It draws 45 images. What "
    "is its score, and what does that say of its diversity?",
    r"The largest there is, 5. Diversity within a class is not measured.",
)
def nine_of_each():
    yield inception_score(jnp.log(jnp.repeat(jnp.eye(5), 9, axis=0))), "5"


@derivation.exercise(
    "Answers are certain. Of twenty images the first ten are of one class, the others of ten classes, one each. What are the "
    "scores of the two halves, their mean, and the score of all?",
    "They are 1 and 10, and 5.5 in the mean; all have $e^{1.6769}$, 5.3489, which is less. The mean of the logarithms, 1.1513, "
    "is below 1.6769, as it must be.",
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
