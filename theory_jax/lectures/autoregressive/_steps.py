"""Lengths of steps, and the figure of the lecture on AdamW."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.optimization import accumulate_gradients, adamw_step, warmup_inverse_square_root
from theory_jax.autoregressive.training import corpus_cross_entropy, token_cross_entropy
from theory_jax.derivation.draws import draw


def lengths_of_steps(kind, steps):
    """|m_hat| / sqrt(v_hat) at the usual factors, for gradients that are constant, a lone spike, or growing."""
    lengths = []
    for n in steps:
        ago = np.arange(n)
        gradients = {"constant": 1.0 + 0 * ago, "spike": 1.0 * (ago == 0), "growing": (0.9 / 0.999) ** ago}[kind]
        mean, square = 0.1 * 0.9**ago @ gradients / (1 - 0.9**n), 0.001 * 0.999**ago @ gradients**2 / (1 - 0.999**n)
        lengths.append(mean / np.sqrt(square))
    return np.array(lengths)


def lengths_and_schedules(left, right):
    """The lengths of steps against their bounds, and the schedule for two widths."""
    steps = np.unique(np.geomspace(1, 5000, 60).astype(int))
    for kind, label in (("constant", "constant"), ("spike", "lone"), ("growing", "growing")):
        left.semilogx(steps, lengths_of_steps(kind, steps), label=label)
    for bound in (0.1 / math.sqrt(0.001), 0.1 / math.sqrt(0.001 * (1 - 0.81 / 0.999))):
        left.axhline(bound, color="gray", linestyle="--")
    left.set(xlabel="step $t$", ylabel="step length / rate")
    left.legend()
    schedule = jnp.arange(1, 20001, 100)
    for width in (512, 2048):
        right.plot(schedule, warmup_inverse_square_root(schedule, width=width, warmup_steps=4000), label=f"width {width}")
    right.set(xlabel="step", ylabel="learning rate")
    right.legend()


def two_steps():
    """The box: two steps of AdamW on accumulated gradients."""
    theta, mean, square = jnp.ones(1), jnp.zeros(1), jnp.zeros(1)
    batches = ((4.0, 0.0), (1, 3), "(1, 1, 0.9989)"), ((0.0, -4.0), (3, 1), "(-0.0526, 1, 0.998853)")
    for n, (gradients, counts, stated) in enumerate(batches, 1):
        gradient = accumulate_gradients(jnp.array(gradients), jnp.array(counts))[None]
        rates = dict(learning_rate=1e-3, epsilon=0.0, weight_decay=0.1)
        theta, mean, square = adamw_step(gradient, theta, mean, square, step=n, **rates)
        averages = mean[0] / (1 - 0.9**n), square[0] / (1 - 0.999**n)
        yield rf"\text{{gradient }} {gradient[0]:.0f}: \quad \hat m, \hat v, \theta", (*averages, theta[0]), stated
    rates = warmup_inverse_square_root(jnp.array([1, 2]), width=512, warmup_steps=4000)
    yield r"\text{the schedule's first two rates, } E = 512, w = 4000", rates, "(1.75e-7, 3.49e-7)"


def gradients_of_micro_batches():
    """Of three micro-batches of a linear language model, their tokens that count, and the gradient of the whole batch."""
    inputs, weight = draw(3, 2, 4, 5, seed=1), draw(5, 6, seed=2)
    targets = jax.random.randint(jax.random.key(3), (3, 2, 4), 0, 6)
    mask = jnp.arange(4) < jnp.array([[4, 4], [1, 2], [3, 1]])[..., None]

    @jax.grad
    def gradient(weight, inputs, targets, mask):
        return corpus_cross_entropy(token_cross_entropy(targets, inputs @ weight, mask), mask)

    parts = jnp.stack([gradient(weight, *batch) for batch in zip(inputs, targets, mask, strict=True)])
    whole = gradient(weight, *(array.reshape(6, *array.shape[2:]) for array in (inputs, targets, mask)))
    return parts, jnp.sum(mask, axis=(1, 2)), whole
