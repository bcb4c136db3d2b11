"""Exercises of the lecture: Bidirectional GANs: pairs that cannot be told apart make the encoder the generator's posterior."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.bigan import conditional_entropy, joint_exact_value
from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.lectures.adversarial.bigan import _P, _Q, derivation


@derivation.exercise(
    "What is the value of the game where the pairs match?",
    r"$-\log 4$, -1.3863: the discriminator tosses a coin.",
    level="easy",
    hint="What is the best logit if both distributions of pairs are the same?",
)
def matching_pairs():
    yield joint_exact_value(jnp.log(_P), jnp.log(_P), jnp.zeros((2, 2))), "-1.3863"


@derivation.exercise(
    "Example and latent are independent in the encoder's pairs, with uniform examples on three points. What is $H(x|z)$, and "
    "what is the value of the game if the generator's pairs have the same distribution?",
    r"$\log 3$, 1.0986, and -1.3863: the game is won, and the code is worth nothing.",
    level="easy",
    hint="What does the latent of an independent pair tell about its example?",
)
def a_worthless_code():
    table = jnp.full((3, 2), -math.log(6))
    yield conditional_entropy(table), "1.0986"
    yield joint_exact_value(table, table, jnp.zeros((3, 2))), "-1.3863"


@derivation.exercise(
    r"For $P$ with the rows $(\frac12, \frac14)$ and $(0, \frac14)$: what are $H(x|z)$ and $H(z|x)$, and which of them measures "
    "what a reconstruction can know?",
    r"$H(x|z)$ is $\frac12 \log 2$, 0.3466: the latent 0 belongs to one example, the latent 1 to both. $H(z|x)$, 0.4774, is the "
    "noise of the encoder, which does no harm by itself.",
    level="medium",
    hint="Divide each column by its sum for the one, each row for the other.",
)
def two_entropies():
    with np.errstate(divide="ignore"):
        table = jnp.asarray(np.log([[0.5, 0.25], [0.0, 0.25]]))
    yield conditional_entropy(table), "0.3466"
    yield conditional_entropy(table.T), "0.4774"


@derivation.exercise(
    "Three examples and three latents, both uniform; the generator makes example i from latent i, and the encoder gives examples "
    "1 and 2 the same latent 1, and example 0 the latent 0. How far apart are the pairs in total variation, which share is "
    "reconstructed, and how large is the Jensen-Shannon divergence?",
    "The total variation is 1/3 and the share 2/3: the bound is attained. The divergence is 0.2310, a third of log 2.",
    level="medium",
    hint="Write down the three pairs of each, and strike out those in common.",
)
def two_examples_of_one_latent():
    encoder, generator = np.array([0, 1, 1]), np.array([0, 1, 2])
    pairs_e, pairs_g = np.zeros((3, 3)), np.zeros((3, 3))
    for number in range(3):
        pairs_e[number, encoder[number]] += 1 / 3
        pairs_g[generator[number], number] += 1 / 3
    yield np.abs(pairs_e - pairs_g).sum() / 2, "1/3"
    yield np.mean(generator[encoder] == np.arange(3)), "2/3"
    with np.errstate(divide="ignore"):
        tables = [jnp.asarray(np.log(pairs.reshape(1, 9))) for pairs in (pairs_e, pairs_g)]
    yield jensen_shannon_divergence(*tables), "0.2310"


@derivation.exercise(
    "A discriminator has one network for the example and one for the latent, and adds their outputs to a logit. What is the best "
    "value that it reaches in the example, and what does the best one of all reach? What follows for its design?",
    "It reaches -1.3863, a coin, and the best one -1.3380. A sum depends on the parts of the pairs alone, and here all of "
    "them are the same. So example and latent must meet in one network before the logit.",
    level="hard",
    hint="The value is concave in the logits; what is its slope in each of the two outputs at zero?",
)
def a_sum_of_two_networks():
    def reached(of_x, of_z):
        return joint_exact_value(jnp.log(_P), jnp.log(_Q), of_x[:, None] + of_z[None, :])

    zero = jnp.zeros(2)
    for slope in jax.grad(reached, argnums=(0, 1))(zero, zero):
        yield 1 + jnp.abs(slope).max(), "1"
    yield reached(zero, zero), "-1.3863"
    yield joint_exact_value(jnp.log(_P), jnp.log(_Q), jnp.log(_P) - jnp.log(_Q)), "-1.3380"
