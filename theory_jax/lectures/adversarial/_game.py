"""What the lecture on the adversarial game plays, enumerates and draws: rounds of training, best answers, certainty, losses."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.gan import (
    discriminator_loss,
    jensen_shannon_divergence,
    minimax_generator_loss,
    non_saturating_generator_loss,
    optimal_discriminator_logit,
)
from theory_jax.derivation.draws import disjoint_distributions


def two_rounds():
    """Two rounds with data at 1, a sample that starts at -1, a discriminator with the logit w x, and steps of length 1."""
    weight, place, data = jnp.zeros(()), -jnp.ones(1), jnp.ones(1)
    for start, better, moved in (
        (r"\text{data at 1, a sample at } \theta = -1, \ \ell(x) = w x: \quad ", "1", "-0.2689"),
        ("", "1.3854", "0.5514"),
    ):
        weight = weight - jax.grad(lambda w, place=place: discriminator_loss(w * data, w * place)[0])(weight)
        yield start + "w", weight, better
        place = place - jax.grad(lambda at, w=weight: non_saturating_generator_loss(w * at)[0])(place)
        yield r"\theta", place, moved


def answers_in_turn():
    """The best discriminator against the generator's best answer to the one before, three times, on two modes: [3, 2]."""
    log_p, samples, seen = jnp.log(jnp.array([0.5, 0.5])), jnp.array([1.0, 0.0]), []
    for _ in range(3):
        logits = optimal_discriminator_logit(log_p, jnp.log(samples))
        seen.append(jax.nn.sigmoid(logits))
        losses = non_saturating_generator_loss(jnp.minimum(logits, 50.0))
        samples = jnp.where(jnp.arange(2) == jnp.argmin(losses), 1.0, 0.0)
    return jnp.stack(seen)


def certainty():
    """On three pairs with disjoint supports: the divergences, and the slopes of the game's own loss at the fakes: [6]."""
    log_p, log_q = disjoint_distributions()
    logits = jax.vmap(optimal_discriminator_logit)(log_p, log_q)
    at_fakes = jnp.where(log_q > -jnp.inf, jax.nn.sigmoid(logits), 0.0).sum(axis=1)
    return jnp.concatenate([jensen_shannon_divergence(log_p, log_q), at_fakes])


def one_point_and_two_losses(left, right):
    """Left: the value of one point. Right: both losses of a fake."""
    outputs = np.linspace(0.02, 0.98, 97)
    left.plot(outputs, 0.75 * np.log(outputs) + 0.25 * np.log(1 - outputs))
    highest = float(jax.nn.sigmoid(optimal_discriminator_logit(jnp.log(jnp.array([0.75])), jnp.log(jnp.array([0.25]))))[0])
    left.axvline(highest, linestyle="--", color="gray", label="$p/(p + q)$")
    left.set(xlabel="$d$", ylabel="$p \\log d + q \\log(1 - d)$")
    left.legend()
    logits = np.linspace(-6, 6, 121)
    right.plot(logits, minimax_generator_loss(jnp.asarray(logits)), label="minimax")
    right.plot(logits, non_saturating_generator_loss(jnp.asarray(logits)), label="non-saturating")
    right.set(xlabel="logit of a fake", ylabel="loss")
    right.legend()
