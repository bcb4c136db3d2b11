"""Two examples with two labels: the tables of pairs, their game, and the figure of three objectives."""

import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.dcgan import batch_normalize
from theory_jax.adversarial.gan import exact_value, jensen_shannon_divergence

PAIRS = np.array([[0.4, 0.1], [0.1, 0.4]])  # of the data
SHUFFLED = np.full((2, 2), 0.25)


def divergence_of_pairs(p, q):
    """The Jensen-Shannon divergence of two tables."""
    return jensen_shannon_divergence(*(jnp.log(jnp.asarray(table).reshape(1, -1)) for table in (p, q)))[0]


def game_on_pairs(p, q):
    """The value at the best discriminator, of tables of pairs [x, y]."""
    log_p, log_q = jnp.log(p).reshape(1, -1), jnp.log(q).reshape(1, -1)
    return exact_value(log_p, log_q, log_p - log_q)


def normalized(conditional_batch_normalize):
    """Four images of two classes with equal gains: by the conditional function, by the plain one, and every class by itself."""
    draw = np.random.default_rng(0)
    images, labels = draw.standard_normal((4, 3, 2, 2)), np.array([0, 1, 1, 0])
    gain, shift = draw.standard_normal((2, 3))
    by_class = np.zeros(images.shape)
    for label in (0, 1):
        by_class[labels == label] = batch_normalize(images[labels == label], gain, shift)
    found = conditional_batch_normalize(images, labels, np.tile(gain, (2, 1)), np.tile(shift, (2, 1)))
    return found, batch_normalize(images, gain, shift), by_class


def draw_objectives(games, classes):
    """The games, and the class term against a frozen classifier of the data, of a generator of ambiguous pairs."""
    ambiguous = np.linspace(0, 0.5, 101)
    tables = np.stack([[[0.5 - t, t], [t, 0.5 - t]] for t in ambiguous]).reshape(-1, 4)
    p = np.broadcast_to(np.log(PAIRS.ravel()), tables.shape)
    with np.errstate(divide="ignore"):
        plain, aware = jensen_shannon_divergence(p, np.log(tables)), jensen_shannon_divergence(p, np.log(tables / 2 + 1 / 8))
    games.plot(ambiguous, 2 * plain, label="pairs")
    games.plot(ambiguous, 2 * aware, label="matching-aware")
    games.axvline(0.1, linestyle="--", color="gray")
    games.set(xlabel="$t$", ylabel="twice the divergence")
    games.legend()
    classes.plot(ambiguous, -tables @ np.log([0.8, 0.2, 0.2, 0.8]))
    classes.axvline(0.1, linestyle="--", color="gray")
    classes.set(xlabel="$t$", ylabel=r"mean of $-\log c(y|x)$")
