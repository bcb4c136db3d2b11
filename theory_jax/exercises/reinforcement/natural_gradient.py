"""Exercises of the lecture: The natural gradient: the steepest step where distance is divergence."""

import jax.numpy as jnp

from theory_jax.lectures.reinforcement._natural_steps import steps_of
from theory_jax.lectures.reinforcement.natural_gradient import derivation
from theory_jax.reinforcement.natural_gradient import conjugate_gradient, natural_step, softmax_fisher


@derivation.exercise(
    "In the algorithm's process, how long is the step in state 0 relative to that in state 1, along the plain gradient and along "
    "the natural one?",
    r"Plain: $\frac{3}{32} : \frac{5}{32}$, a ratio of 0.6. Natural: $\frac12 : \frac52$, a ratio of 0.2. State 1 is visited a "
    "third as often as state 0; the plain gradient counts that, the natural one undoes it.",
    level="easy",
    hint="The algorithm prints the gradient and the natural gradient of the first step.",
)
def ratios_ofsteps_of():
    gradient, _, step = steps_of(jnp.zeros((2, 2)), 0.01)
    yield -gradient[0] / gradient[1], "0.6"
    yield -step[0] / step[1], "0.2"


@derivation.exercise(
    "The first step there is made, with 0.01 allowed. What is the true mean divergence, over the states with their shares?",
    "The logits of moving become 0.1069 and -0.5345, so the divergences are 0.001428 and 0.03530. With three quarters of the "
    "first and one quarter of the second it is 0.0099: a little less than 0.01.",
    level="medium",
    hint="Write the divergence of two actions with one half each from the policy with the new logit.",
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
    level="medium",
    hint="With one logit moved, the divergence is a logarithm of a mean and a linear term.",
)
def a_rare_action():
    yield softmax_fisher(jnp.log(jnp.array([[0.9, 0.1]])))[0, 1, 1] / 2, "0.045"
    for raised, text in ((1.0, "0.0586"), (-1.0, "0.0347")):
        yield jnp.log(0.9 + 0.1 * jnp.exp(raised)) - 0.1 * raised, text


@derivation.exercise(
    r"A policy has one parameter $\theta$, with the Fisher number 0.25 and the gradient 0.1, and the damping 0.25 is added. "
    r"The same policy is described by $\omega$, half of $\theta$, and damped alike. Which steps of $\theta$ do both "
    r"make along $(F + \zeta)^{-1} g$, with and without damping?",
    r"Without damping 0.4 both times. With it 0.2 for $\theta$; for $\omega$ the Fisher number is 1 and the gradient 0.2, so "
    r"the step is 0.16 in $\omega$ and 0.32 in $\theta$. A multiple of the identity measures steps in the parameters again: "
    "what is damped depends on them.",
    level="medium",
    hint="How do the gradient and the Fisher number change with the chain rule?",
)
def damping_depends_on_parameters():
    for damping, in_theta, in_omega in ((0.0, "0.4", "0.4"), (0.25, "0.2", "0.32")):
        for scale, said in ((1.0, in_theta), (2.0, in_omega)):
            curvature, gradient = scale**2 * 0.25 + damping, jnp.array([scale * 0.1])
            found = conjugate_gradient(gradient, lambda v, curvature=curvature: curvature * v, iterations=1)
            yield scale * found[0], said


@derivation.exercise(
    "A program takes the mean outer product of its gradient samples, reward times score, for the Fisher matrix. One decision "
    "has two actions of probability one half, with the rewards 1 and 0, and one logit. Which divergence, to second order, does "
    "its step have where 0.02 is allowed? And after 10 is added to both rewards?",
    "The score is plus or minus one half. The mean of squares is 0.125 in place of the Fisher number 0.25, so the step is too "
    "long, with the divergence 0.04. With the rewards 11 and 10 it is 27.625, and the divergence is 0.00018. A constant in the "
    "reward changes no policy's rank, but here it decides how far the policy goes.",
    level="hard",
    hint="Compute what the program puts in place of the Fisher number, and the true one of the step it then makes.",
)
def squared_gradients_for_fisher():
    fisher = float(softmax_fisher(jnp.zeros((1, 2)))[0, 1, 1])
    scores = jnp.array([-0.5, 0.5])
    for rewards, mean_square, divergence in (((0.0, 1.0), "0.125", "0.04"), ((10.0, 11.0), "27.625", "0.00018")):
        samples = jnp.array(rewards) * scores
        taken = (samples**2).mean()
        yield taken, mean_square
        step = natural_step(samples.mean()[None], taken[None, None], maximum_kl=0.02)
        yield step[0] ** 2 * fisher / 2, divergence
