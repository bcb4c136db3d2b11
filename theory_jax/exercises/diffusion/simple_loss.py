"""Exercises of the lecture: The simple loss: to maximize the ELBO is to predict the noise."""

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.notation import Expectation, Normal
from theory_jax.derivation.parts import value
from theory_jax.diffusion.noise_schedules import linear_alpha_bar, log_snr
from theory_jax.diffusion.simple_loss import simple_loss, variational_weight
from theory_jax.lectures.diffusion.simple_loss import _LEVELS, _LINEAR, _given, derivation, epsilon, slope, x_0


@derivation.exercise(
    "For the linear schedule of 1000 steps and the large variance: which weights has the bound in the second step and in the "
    "last, and where is it smallest?",
    r"0.2727 in the second, 0.0102 in the last; smallest in step 349, with 0.00497.",
    level="easy",
    hint="Evaluate the weight at every step with a few lines of code.",
)
def weights_of_the_linear_schedule():
    weights = variational_weight(np.arange(2, 1001), linear_alpha_bar(num_steps=1000))
    yield weights[0], "0.2727"
    yield weights[-1], "0.0102"
    yield np.argmin(weights) + 2, "349"
    yield weights.min(), "0.00497"


@derivation.exercise(
    r"A network outputs 0 everywhere. What is the expectation of its simple loss in 3 dimensions?",
    r"$\mathbb{E}\|\epsilon\|^2$, which is $D$, so 3 at every level: where a training run starts.",
    level="easy",
    hint="What remains of the squared error?",
)
def the_silent_network():
    corners = jnp.array([[sign_a, sign_b, sign_c] for sign_a in (-1.0, 1) for sign_b in (-1.0, 1) for sign_c in (-1.0, 1)])
    losses = simple_loss(jnp.ones((8, 3)), np.full(8, 2), corners, lambda x, t: 0 * x, _LEVELS)
    yield losses.mean(), "3"


@derivation.exercise(
    "A network has one parameter: it predicts the same number $f$ at two levels, whose conditional means are 0 and 1. Which $f$ "
    "is best for the weights 1 and 3, and for equal ones?",
    r"$w_1 f^2 + w_2 (f - 1)^2$ is smallest at $\frac{w_2}{w_1 + w_2}$: 0.75, against 0.5. For a restricted network the weight "
    "matters.",
    level="medium",
    hint="Both levels pull at one number; set the slope of the weighted sum to zero.",
)
def a_restricted_network():
    grid = np.arange(0, 1001) / 1000
    for first, second, said in ((1, 3, "0.75"), (1, 1, "0.5")):
        yield grid[np.argmin(first * grid**2 + second * (grid - 1) ** 2)], said


@derivation.exercise(
    r"Data are $\mathcal{N}(0, 1)$. A network predicts twice the conditional mean of the noise. What is its simple loss at the "
    "share 0.5184 of signal, next to the best one? What does this say for other data?",
    "The loss is 1, the best one 0.5184. By Pythagoras the excess is the mean square of the best prediction, as for the "
    "network that predicts 0, whose loss is 1, too. This holds for all data: a loss of 1 in each coordinate can mean a silent "
    "network, or one that is right up to a factor 2.",
    level="medium",
    hint="How far is twice the best prediction from the best one, and how far is 0?",
)
def twice_the_best():
    loss = Expectation(Normal(x_0, 0, 1), Expectation(Normal(epsilon, 0, 1), _LINEAR))
    for factor, found in ((2, "1"), (1, "0.5184"), (0, "1")):
        yield value(loss, _given | {slope: factor * 0.4816**0.5}), found


@derivation.exercise(
    r"With the small variance, show that the weights of the bound from step 2 to $T$ sum to at least half of the fall of "
    r"$\log S_t$ from step 1 to $T$. How close is the linear schedule of 1000 steps?",
    r"A weight is half of a ratio minus one, and this is at least half of the ratio's logarithm, $\log S_{t-1} - \log S_t$; "
    "the logarithms telescope. The sum is 10.1705, the bound 9.6640. Two fifths of the excess are in step 2, with 0.5997 "
    "against 0.3941. In the limit of small steps only the two ends count, not the schedule between them.",
    level="hard",
    hint="The logarithm is below its tangent at 1; then look at what cancels in the sum.",
)
def weights_sum():
    levels = linear_alpha_bar(num_steps=1000)
    weights = variational_weight(np.arange(2, 1001), levels, variance="small")
    falls = -np.diff(log_snr(levels[1:])) / 2
    yield weights.sum(), "10.1705"
    yield falls.sum(), "9.6640"
    yield weights[0], "0.5997"
    yield falls[0], "0.3941"
