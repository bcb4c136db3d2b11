"""Exercises of the lecture: From supervised text to preferences: two roads to one policy."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.preference._two_roads import REFERENCE, REWARDS, VERDICTS, tilts, wins
from theory_jax.lectures.preference.pipeline import derivation
from theory_jax.preference.kl_optimum import tilted_log_probs
from theory_jax.preference.pipeline import completion_mask, supervised_loss, win_rate


@derivation.exercise(
    "What is the win rate of the tilt in the example, at the price 1, if ties count as wins?",
    r"$\frac14 \cdot \frac12 + \frac14 \cdot \frac34 + \frac12$, that is 13/16.",
    level="easy",
    hint="A tie is the same completion drawn twice; add it to what each completion beats.",
)
def ties_won():
    yield 0.25 * 0.5 + 0.25 * 0.75 + 0.5, "13/16"
    yield jnp.exp(tilts((1.0,))[0]) @ np.ceil(VERDICTS) @ np.exp(REFERENCE), "13/16"


@derivation.exercise(
    r"A text of 3 tokens has a prompt of 1. Which logits have slopes in the supervised loss, and how large is the loss if every "
    r"token is one of two, equally likely?",
    r"Those at 0 and 1, the first of which is at the prompt; the loss is $\log 2$, 0.6931 nats a token.",
    level="easy",
    hint="The logits at a position predict the next token.",
)
def which_logits():
    tokens, mask = np.zeros((1, 3), int), completion_mask(np.array([1]), np.array([3]), width=3)
    slopes = jax.grad(lambda logits: supervised_loss(tokens, logits, mask)[0])(jnp.zeros((1, 3, 2)))
    yield np.flatnonzero(np.abs(slopes).sum((0, 2))), "0 and 1"
    yield supervised_loss(tokens, jnp.zeros((1, 3, 2)), mask)[0], "0.6931"


@derivation.exercise(
    r"How often can a policy at most win against a reference that gives 8 completions of different rewards the same probability?",
    r"It draws the best alone, which the reference also draws in one case of 8: $1 - \frac{1}{16}$, or 0.9375.",
    level="medium",
    hint="Which policy wins most, and against which completion of the reference does even it not win?",
)
def the_largest_win_rate():
    yield win_rate(jnp.full(8, 7.0), jnp.arange(8.0)), "0.9375"


@derivation.exercise(
    r"One completion has 1 token of probability $\frac14$, another has 9 of $\frac12$ each. What is the mean of both supervised "
    "losses, and what is the loss per token of the batch? How much more does a token of the short one count in the first?",
    "The mean of the losses is 1.0397 nats, and per token of the batch it is 0.7625. In the first a token of the short "
    "completion counts 9 times as much as one of the long one: batches that are averaged by text and by token are trained on "
    "different losses.",
    level="medium",
    hint="Write the weight of each of the ten tokens in both averages.",
)
def by_text_or_by_token():
    tokens, mask = np.zeros((2, 10), int), completion_mask(np.array([1, 1]), np.array([2, 10]), width=10)
    short, long = jnp.log(jnp.array([0.25, 0.75])), jnp.log(jnp.array([0.5, 0.5]))
    logits = jnp.stack([jnp.tile(short, (10, 1)), jnp.tile(long, (10, 1))])
    losses = supervised_loss(tokens, logits, mask)
    yield losses.mean(), "1.0397"
    yield losses @ jnp.array([1.0, 9.0]) / 10, "0.7625"
    slopes = jax.grad(lambda logits: supervised_loss(tokens, logits, mask).mean())(logits)
    yield (slopes[0, 0, 0] / (0.25 - 1)) / (slopes[1, 0, 0] / (0.5 - 1)), "9"


@derivation.exercise(
    "The tilt of the example, at the price 1, becomes the reference, and preferences are optimized once more at the price 1. "
    "Where does that end, and how often does it win against the first reference? Which price would have led there at once?",
    r"The tilts multiply: it is $\pi_0 e^{2 r}$, normalized, (1/11, 2/11, 8/11). That is what the price $\frac12$ gives at "
    r"once, with the win rate 17/22. After $k$ rounds it is the price $\frac1k$: if each round is priced from the last one's "
    "policy, the divergence from the first reference grows towards 1.3863, that of the best completion alone.",
    level="hard",
    hint="Write the second tilt with the first one in place of the reference.",
)
def a_second_round():
    once = tilted_log_probs(REWARDS[None], REFERENCE[None], kl_coefficient=1.0)
    twice = tilted_log_probs(REWARDS[None], once, kl_coefficient=1.0)[0]
    yield jnp.exp(twice), "(1/11, 2/11, 8/11)"
    yield jnp.exp(twice) @ VERDICTS @ np.exp(REFERENCE), "17/22"
    yield wins(tilts((0.5,)))[0], "17/22"
    last = tilts((1 / 40,))[0]
    yield jnp.exp(last) @ (last - REFERENCE), "1.3863"
