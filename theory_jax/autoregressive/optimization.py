"""Optimization at scale: AdamW, gradients of batches that do not fit, and the schedule of the first transformers.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_positive, require_rank, require_same_shape, require_values, widened
from theory_jax.autoregressive.training import corpus_cross_entropy, token_cross_entropy
from theory_jax.derivation import Derivation
from theory_jax.draws import draw
from theory_jax.foundations.training_practice import adam_update


def adamw_step(
    gradient, parameter, first_moment, second_moment, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8,
    weight_decay=0.0,
):  # fmt: skip
    r"""The parameter after step 1, 2, ... of Adam with decoupled weight decay, and its two new moments.

    p - learning_rate (m_hat / (sqrt(v_hat) + epsilon) + weight_decay p), m_hat and v_hat as in foundations' adam_update

    Raises ValueError if the parameter has another shape, weight_decay < 0, and as adam_update does.
    Source: Loshchilov & Hutter 2019, algorithm 2, with the learning rate as the schedule's multiplier, as torch has it.
    [P], [P], [P], [P] -> [P], [P], [P]
    """
    require_rank(1, gradient=gradient)
    require_same_shape(gradient=gradient, parameter=parameter)
    require(weight_decay >= 0, f"weight_decay is {weight_decay}; it must not be negative")
    update, first_moment, second_moment = adam_update(
        gradient, first_moment, second_moment, step=step, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon
    )
    return parameter + update - learning_rate * weight_decay * parameter, first_moment, second_moment


def accumulate_gradients(gradients, counts):
    r"""sum_k n_k g_k / sum_k n_k: the gradient of the mean over all examples from the gradients g_k of K means over n_k each.

    A micro-batch of count 0 has no influence: the gradient of its mean, 0/0, may be NaN.

    Raises ValueError if there is no gradient or not one count for each, a count is negative, or none is positive (not seen
    when traced: then the result is NaN).  Source: by linearity of the gradient.
    [K, ...], [K] -> [...]
    """
    require_rank(1, counts=counts)
    require(jnp.ndim(gradients) >= 1, "gradients has no axes; its first must be that of the micro-batches")
    batches, entries = gradients.shape[0], counts.shape[0]
    require(batches > 0, f"gradients has shape {list(gradients.shape)}; it must hold at least one micro-batch")
    require(entries == batches, f"counts has {entries} entries; it must have one for each of the {batches} gradients")
    require_values("counts", counts, lambda n: (n >= 0) & (n.sum() > 0), "at least 0, and one of them positive")
    counts = counts.astype(gradients.dtype)
    filled = jnp.where(counts.reshape(-1, *[1] * (gradients.ndim - 1)) > 0, gradients, 0.0)
    return jnp.einsum("k,k...->...", counts / jnp.sum(counts), filled)


def warmup_inverse_square_root(step, *, width, warmup_steps):
    r"""width^(-1/2) min(s^(-1/2), s w^(-3/2)) at steps s = 1, 2, ..., w = warmup_steps: a line, then a slow fall.

    Raises ValueError if a step is below 1, or width or warmup_steps is not positive.  Source: Vaswani et al. 2017, eq. 3.
    [...] -> [...]
    """
    require_positive(width=width, warmup_steps=warmup_steps)
    require_values("step", step, lambda s: s >= 1, "at least 1: steps are counted from 1")
    step = widened(step)
    return jnp.minimum(step**-0.5, step * float(warmup_steps) ** -1.5) / math.sqrt(width)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="What an optimizer's step is made of, and what must not depend on the hardware",
    lectures=(48,),
    sources=(
        "Kingma & Ba 2015, Adam, algorithm 1 and section 2.1",
        "Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization",
        "Vaswani et al. 2017, Attention Is All You Need, section 5.3",
    ),
)

_RATE, _GRADIENT, _PARAMETER = 0.1, jnp.array([0.3, -2.0, 1e-4, 50.0]), jnp.array([1.5, -0.5, 2.0, 4.0])
_NONE = jnp.zeros(4)


@derivation.numeric(
    r"g = \frac{\sum_k n_k g_k}{\sum_k n_k}, \qquad"
    r" \frac{1}{K} \sum_k g_k - g = -\frac{\mathrm{Cov}_k(n_k, g_k)}{\bar n}",
    because="The gradient is linear, so the gradient of a mean over all tokens is the mean of the micro-batches' gradients, each "
    "weighted by its tokens. The plain mean is another vector as soon as counts and gradients are correlated: with padded text "
    "the result would depend on how the batch happens to be cut, that is, on the memory of the machine.",
)
def micro_batches_add_up_to_the_batch():
    inputs, weight = draw(3, 2, 4, 5, seed=1), draw(5, 6, seed=2)
    targets = jax.random.randint(jax.random.key(3), (3, 2, 4), 0, 6)
    mask = jnp.arange(4) < jnp.array([[4, 4], [1, 2], [3, 1]])[..., None]

    @jax.jit
    @jax.grad
    def gradient(weight, inputs, targets, mask):
        return corpus_cross_entropy(token_cross_entropy(targets, inputs @ weight, mask), mask)

    parts = jnp.stack([gradient(weight, *batch) for batch in zip(inputs, targets, mask, strict=True)])
    whole = gradient(weight, *(array.reshape(6, *array.shape[2:]) for array in (inputs, targets, mask)))
    counts = jnp.sum(mask, axis=(1, 2))
    covariance = jnp.mean((counts - jnp.mean(counts))[:, None, None] * parts, axis=0)
    accumulated = accumulate_gradients(parts, counts)
    return jnp.stack([accumulated, jnp.mean(parts, axis=0) - accumulated]), jnp.stack([whole, -covariance / jnp.mean(counts)])


@derivation.exact(
    r"g_1 = \dots = g_t = g \ \Rightarrow\ \hat m_t = g, \quad \hat v_t = g^2, \quad"
    r" \theta_t = (1 - \eta \lambda)\, \theta_{t-1} - \eta\, \frac{g}{|g| + \epsilon} \qquad (t = 1, \dots, 29)",
    because="The moments start at zero and have, after t steps, collected weights that sum to 1 - beta^t. Dividing by just that "
    "makes them means of what was seen, from the first step on: all steps are alike. Weight decay has no part in the moments.",
)
def bias_correction_is_exact_at_every_step():
    def advance(state, step):
        moved, mean, square = adamw_step(_GRADIENT, *state, step=step, learning_rate=_RATE, epsilon=1e-3, weight_decay=0.3)
        beside_the_decay = moved - (1 - _RATE * 0.3) * state[0]
        return (moved, mean, square), jnp.stack([mean / (1 - 0.9**step), square / (1 - 0.999**step), beside_the_decay])

    _, seen = jax.lax.scan(advance, (_PARAMETER, _NONE, _NONE), jnp.arange(1, 30))
    update = -_RATE * _GRADIENT / (jnp.abs(_GRADIENT) + 1e-3)
    return seen, jnp.tile(jnp.stack([_GRADIENT, _GRADIENT**2, update]), (29, 1, 1))


@derivation.exact(
    r"\epsilon = 0: \quad \theta_1 = \theta_0 - \eta\, \mathrm{sign}(g)",
    because="At the first step the two moments are g and g^2, and their ratio is the sign. Every coordinate moves by the whole "
    "learning rate, however small its gradient: this is why a run starts with a warm-up.",
)
def the_first_step_is_the_sign():
    moved, _, _ = adamw_step(_GRADIENT, _PARAMETER, _NONE, _NONE, step=1, learning_rate=_RATE, epsilon=0.0)
    return moved, _PARAMETER - _RATE * jnp.array([1.0, -1.0, 1.0, 1.0])


@derivation.bound(
    r"g_1 = \dots = g_{t-1} = 0: \quad"
    r" |\theta_t - \theta_{t-1}| \;\le\; \eta\, \frac{1 - \beta_1}{\sqrt{1 - \beta_2}} \approx 3.16\, \eta",
    because="Silence leaves the moments at zero while the step count goes on. The spike then enters the mean with weight "
    "1 - beta1 and the root with weight root(1 - beta2), whatever its size. For the usual constants the corrections only shrink "
    "the ratio, and after a long silence they are gone. A word that is met once in ten thousand steps thus moves its embedding "
    "by three learning rates.",
)
def a_lone_spike_moves_little():
    steps = jnp.array([1, 2, 5, 30, 300, 3000, 40_000])

    def spike(step):
        moved, _, _ = adamw_step(_GRADIENT, _PARAMETER, _NONE, _NONE, step=step, learning_rate=_RATE, epsilon=0.0)
        return jnp.abs(moved - _PARAMETER)

    moves, most = jax.jit(jax.vmap(spike))(steps), _RATE * (1 - 0.9) / math.sqrt(1 - 0.999)
    return moves[:-1], jnp.full((6, 4), most), (moves[-1], jnp.full(4, most))


@derivation.numeric(
    r"\theta_1(\lambda) - \theta_1(0) = -\eta \lambda\, \theta_0, \qquad"
    r" \text{but with } g + \lambda \theta_0 \text{ for } g: \quad \theta_1(\lambda) = \theta_1(0)"
    r" \;\text{ where } |g| > \lambda |\theta_0|",
    because="Decoupled, the decay is a shrinkage beside the step, the same for all parameters. A penalty in the gradient is "
    "divided by the root of the second moment like everything else: where gradients are large it is lost, and at the first step, "
    "which is a sign, it leaves no trace at all unless it turns the sign.",
)
def decay_beside_the_step_is_not_a_penalty():
    gradient = jnp.array([0.3, -2.0, 5.0, -50.0])

    def moved(gradient, **decay):
        return adamw_step(gradient, _PARAMETER, _NONE, _NONE, step=1, learning_rate=_RATE, epsilon=0.0, **decay)[0]

    plain, shrunk, penalized = moved(gradient), moved(gradient, weight_decay=0.1), moved(gradient + 0.1 * _PARAMETER)
    return jnp.stack([shrunk - plain, penalized]), jnp.stack([-_RATE * 0.1 * _PARAMETER, plain])


@derivation.exact(
    r"\max_s \eta_s = \eta_w = (E\, w)^{-1/2}",
    because="The line s w^(-3/2) rises, the root s^(-1/2) falls, and they meet at s = w with the value w^(-1/2). Width and "
    "warm-up set the peak together: four times the width halves every rate.",
)
def the_schedule_peaks_at_the_end_of_the_warm_up():
    rates = warmup_inverse_square_root(jnp.arange(1.0, 201.0), width=64, warmup_steps=50)
    wider = warmup_inverse_square_root(jnp.arange(1.0, 201.0), width=256, warmup_steps=50)
    left = jnp.array([jnp.max(rates), 1 + jnp.argmax(rates), jnp.max(wider)])
    return left, jnp.array([1 / math.sqrt(64 * 50), 50, 0.5 / math.sqrt(64 * 50)])


if __name__ == "__main__":
    derivation.main()
