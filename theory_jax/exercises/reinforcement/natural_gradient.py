"""Exercises of the lecture: The natural gradient: the steepest step where distance is divergence."""

import jax.numpy as jnp

from theory_jax.lectures.reinforcement._natural_steps import steps_of
from theory_jax.lectures.reinforcement.natural_gradient import derivation
from theory_jax.reinforcement.natural_gradient import softmax_fisher


@derivation.exercise(
    "In the algorithm's process, how long is the step in state 0 relative to that in state 1, along the plain gradient and along "
    "the natural one?",
    r"Plain: $\frac{3}{32} : \frac{5}{32}$, a ratio of 0.6. Natural: $\frac12 : \frac52$, a ratio of 0.2. State 1 is visited a "
    "third as often as state 0; the plain gradient counts that, the natural one undoes it.",
)
def ratios_ofsteps_of():
    gradient, _, step = steps_of(jnp.zeros((2, 2)), 0.01)
    yield -gradient[0] / gradient[1], "0.6"
    yield -step[0] / step[1], "0.2"


@derivation.exercise(
    "The first step there is made, with 0.01 allowed. What is the true mean divergence, over the states with their shares?",
    "The logits of moving become 0.1069 and -0.5345, so the divergences are 0.001428 and 0.03530. With three quarters of the "
    "first and one quarter of the second it is 0.0099: a little less than 0.01.",
)
def the_true_divergence():
    step = steps_of(jnp.zeros((2, 2)), 0.01)[2]
    each = jnp.logaddexp(0.0, step) - jnp.log(2.0) - step / 2
    yield each, "0.001428 and 0.03530"
    yield jnp.array([0.75, 0.25]) @ each, "0.0099"


@derivation.exercise(
    "An action has probability 0.1, and its logit is raised, or lowered, by 1. Is the divergence above its second-order form?",
    r"The second-order form is 0.045 for both. Raised: $\log(0.9 + 0.1 e) - 0.1$ is 0.0586, larger. Lowered: $\log(0.9 + 0.1 / "
    r"e) + 0.1$ is 0.0347, smaller. An action that becomes likelier becomes more variable first.",
)
def a_rare_action():
    yield softmax_fisher(jnp.log(jnp.array([[0.9, 0.1]])))[0, 1, 1] / 2, "0.045"
    for raised, text in ((1.0, "0.0586"), (-1.0, "0.0347")):
        yield jnp.log(0.9 + 0.1 * jnp.exp(raised)) - 0.1 * raised, text
