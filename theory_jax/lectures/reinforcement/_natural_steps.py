"""Natural steps of the policies of two states, shortfalls of conjugate gradients, and figures."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.reinforcement._stay_or_move import PROCESS
from theory_jax.reinforcement.markov_decision import state_occupancy
from theory_jax.reinforcement.natural_gradient import conjugate_gradient, natural_step, softmax_fisher
from theory_jax.reinforcement.policy_gradient import policy_gradient, policy_objective


def shortfalls(eigenvalues, target, counts):
    """|x_k - x|_A / |x|_A of conjugate gradients after so many iterations, each."""
    solution = target / eigenvalues
    found = [conjugate_gradient(target, lambda v: eigenvalues * v, iterations=int(count)) - solution for count in counts]
    lengths = [jnp.sqrt(jnp.sum(eigenvalues * v**2)) for v in (*found, solution)]
    return jnp.stack(lengths[:-1]) / lengths[-1]


def steps_of(logits, bound):
    """The gradient in the logits of moving (those of staying are fixed), its Fisher matrix, and the natural step."""
    gradient = policy_gradient(*PROCESS, logits, discount=0.5)[:, 1]
    shares = state_occupancy(*PROCESS[:2], jax.nn.log_softmax(logits), discount=0.5)
    fisher = jnp.diag(shares * softmax_fisher(logits)[:, 1, 1])
    return gradient, fisher, natural_step(gradient, fisher, maximum_kl=bound)


def with_staying(moving):
    """The logits of the policy, with those of staying fixed at 0."""
    return jnp.stack([0 * moving, moving], axis=1)


def from_here(moving):
    """Functions of the logits of moving: the return, and the mean divergence from the policy with these logits."""
    old = jax.nn.log_softmax(with_staying(moving))
    shares = state_occupancy(*PROCESS[:2], old, discount=0.5)

    def divergence(new):
        return shares @ jnp.sum(jnp.exp(old) * (old - jax.nn.log_softmax(with_staying(new))), axis=1)

    return lambda new: policy_objective(*PROCESS, with_staying(new), discount=0.5), divergence


def draw_steps(left):
    """Lines of equal return, and steps of one divergence along the plain (gray) and the natural gradient (black)."""
    move, stay = np.meshgrid(*[np.linspace(0, 1, 21)] * 2)
    left.contour(move, stay, move * stay / (1 - (stay - move) / 2), levels=9, colors="gray", linewidths=0.8)
    at = np.array([(0.5, 0.5), *itertools.product((0.2, 0.8), repeat=2)])
    logits = jnp.log(jnp.stack([1 - at[:, 0], at[:, 0], at[:, 1], 1 - at[:, 1]], axis=1)).reshape(-1, 2, 2)
    gradients, fishers, naturals = jax.vmap(lambda logits: steps_of(logits, 0.02))(logits)
    plains = gradients * jnp.sqrt(0.04 / jnp.einsum("bj,bjk,bk->b", gradients, fishers, gradients))[:, None]
    slopes = at * (1 - at) * np.array([1, -1])  # of the probabilities in the logits of moving
    for steps, color in ((plains, "gray"), (naturals, "black")):
        for begin, end in zip(at, at + slopes * np.asarray(steps), strict=True):
            left.annotate("", end, begin, arrowprops={"arrowstyle": "->", "color": color})
    left.set(xlabel="probability of moving in state 0", ylabel="probability of staying in state 1")


def draw_divergence(right):
    """The true divergence (solid) and its second-order form (dashed) against the logit of an action of probability 0.1."""
    raised = np.linspace(-3, 3, 41)
    right.plot(raised, np.log(0.9 + 0.1 * np.exp(raised)) - 0.1 * raised)
    curvature = softmax_fisher(jnp.log(jnp.array([[0.9, 0.1]])))[0, 1, 1]
    right.plot(raised, curvature * raised**2 / 2, "--")
    right.set(xlabel="what is added to the logit", ylabel="divergence from the old policy")
