"""A random distribution on four bits, random masked networks, and the figure of the lecture on the chain rule."""

import itertools
import math

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.chain_rule import autoregressive_bernoulli_log_prob, made_logits, made_masks, mask_connectivity

STATES = np.array(list(itertools.product((0.0, 1.0), repeat=4)))
TABLE = np.random.default_rng(0).dirichlet(np.ones(16)).reshape(2, 2, 2, 2)


def conditional_logits(table, order):
    """logit p(x_d = 1 | what comes before d in the order), at every state: marginals of the table, nothing else."""
    logits = np.zeros((len(STATES), 4))
    for place, d in enumerate(order):
        marginal = table.sum(axis=tuple(order[place + 1 :]), keepdims=True) * np.ones_like(table)
        zero, one = (np.take(marginal, [bit], axis=d) for bit in (0, 1))
        logits[:, d] = np.broadcast_to(np.log(one / zero), table.shape).ravel()
    return jnp.array(logits)


def random_network(masks, seed):
    """Weights and biases."""
    random = np.random.default_rng(seed)
    return [jnp.array(random.normal(size=mask.shape)) for mask in masks], [
        jnp.array(random.normal(size=mask.shape[0])) for mask in masks
    ]


def distribution_of(masks, seed):
    """q of the sixteen strings."""
    states = jnp.array(STATES)
    return jnp.exp(autoregressive_bernoulli_log_prob(states, made_logits(states, *random_network(masks, seed), masks)))


def total_of(masks):
    """The sum of the sixteen probabilities, for five networks."""
    return jnp.stack([distribution_of(masks, seed).sum() for seed in range(5)])


def path_counts():
    """The numbers of paths of twelve networks: counted, by the formula, and by the formula of an output mask with >=."""
    counted, formula, mistaken = [], [], []
    for size, layers in itertools.product((2, 3, 4, 5), (1, 2, 3)):
        places = jnp.arange(1, size + 1)
        counted.append(mask_connectivity(made_masks(places, (jnp.arange(1, size),) * layers)).ravel())
        steps = np.arange(size)[:, None] - np.arange(size)[None, :]
        paths = np.vectorize(lambda rise, n=layers: math.comb(rise + n - 1, n) if rise > 0 else 0)
        formula.append(paths(steps).ravel())
        mistaken.append(paths(steps + 1).ravel())  # an output that sees units of the same degree
    return jnp.concatenate(counted), np.concatenate(formula), np.concatenate(mistaken)


def boxes_and_paths(left, middle, right):
    """The unit square cut by sampling two bits in either order, and the paths of a masked network."""
    law = np.array([[0.4, 0.1], [0.2, 0.3]])
    for axes, probabilities, names in ((left, law, "12"), (middle, law.T, "21")):
        first = probabilities.sum(axis=1)
        for value_1, value_2 in itertools.product((0, 1), repeat=2):
            given = probabilities[value_1, 1] / first[value_1]
            x_low, width = (0.0, first[1]) if value_1 else (first[1], first[0])
            y_low, height = (0.0, given) if value_2 else (given, 1 - given)
            axes.bar(x_low + width / 2, height, width, y_low, edgecolor="gray", alpha=0.3 + 0.5 * probabilities[value_1, value_2])
            bits = (value_1, value_2) if names == "12" else (value_2, value_1)
            axes.text(x_low + width / 2, y_low + height / 2, "{}{}".format(*bits), ha="center", va="center")
        axes.set(xlabel=f"$u_{names[0]}$", ylabel=f"$u_{names[1]}$")
    masks = made_masks(jnp.arange(1, 5), (jnp.arange(1, 4),) * 2)
    right.imshow(np.asarray(mask_connectivity(masks)), cmap="Greys")
    right.set(xlabel="input", ylabel="output", xticks=range(4), yticks=range(4))
