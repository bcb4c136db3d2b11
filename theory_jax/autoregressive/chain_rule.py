"""The chain rule (lecture 42): any joint law is a product of conditionals, and a masked network gives all of them in one pass.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import itertools
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from flax import nnx
from jax.scipy.special import logsumexp
from scipy.optimize import minimize

from theory_jax.arguments import (
    require,
    require_rank,
    require_same_shape,
    require_tokens,
    require_unit_interval,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation


def sequence_log_prob(tokens, logits, mask):
    r"""log p(x) = sum_t m_t log softmax(logits_t)_{x_t}, in nats; logits_t scores tokens_t. mask: True = valid; None = all valid.

    What stands at a masked position, token or logits, has no influence.

    Raises ValueError if the shapes do not fit or a valid token is outside 0..V-1.  Source: Bengio et al. 2003, section 2.
    [B, T], [B, T, V], [B, T] -> [B]
    """
    require_rank(2, tokens=tokens)
    require_rank(3, logits=logits)
    require(
        logits.shape[:2] == tokens.shape,
        f"logits has shape {list(logits.shape)}; it must begin with the shape of tokens, {list(tokens.shape)}",
    )
    if mask is None:
        mask = jnp.ones(tokens.shape, bool)
    require_same_shape(tokens=tokens, mask=mask)
    mask = mask.astype(bool)
    vocabulary_size = logits.shape[2]
    tokens = jnp.where(mask, widened(tokens), 0)
    require_tokens(vocabulary_size, tokens=tokens)
    # Silenced before the logarithm: padding may hold infinities, whose gradient would be NaN after it.
    logits = jnp.where(mask[..., None], logits, 0.0)
    chosen = jnp.take_along_axis(logits, tokens[..., None], axis=-1)
    return -jnp.sum(logsumexp(logits - chosen, axis=-1), axis=-1, where=mask)


def autoregressive_bernoulli_log_prob(x, logits):
    r"""log p(x) of binary x whose d-th conditional has success probability sigma(logits_d), in nats.

    sum_d [ x_d l_d - softplus(l_d) ]

    Raises ValueError if the shapes differ or x holds anything but 0 and 1.  Source: Frey 1998, chapter 3.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, logits=logits)
    require_values("x", x, lambda a: (a == 0) | (a == 1), "0 or 1")
    # x l - softplus(l) is -softplus(-l) at x = 1 and -softplus(l) at x = 0: said so, nothing large cancels
    return -jnp.sum(jax.nn.softplus((1 - 2 * x) * logits), axis=-1)


def made_masks(input_order, hidden_degrees):
    r"""The masks of a masked autoencoder, one a layer: True where a weight survives.

    Unit k of a hidden layer has a degree m_k in 1..D-1, input d has its place in the order, m_d in 1..D.
    Hidden layers: M_kj = [m_k >= m_j]. Output layer: M_dk = [m_d > m_k].

    Raises ValueError if input_order is no permutation of 1..D or one of hidden_degrees is outside 1..max(1, D-1).
    Source: Germain et al. 2015, section 3.
    [D], ([...]) -> ([...])
    """
    require_rank(1, input_order=input_order)
    size = input_order.shape[0]
    require(size > 0, "input_order is empty; it must be a permutation of 1..D")
    require_values(
        "input_order", input_order, lambda a: np.sort(a) == np.arange(1, size + 1), f"(all of it) a permutation of 1..{size}"
    )
    highest = max(1, size - 1)
    for i, degrees in enumerate(hidden_degrees):
        require_rank(1, **{f"hidden_degrees[{i}]": degrees})
        require_values(f"hidden_degrees[{i}]", degrees, lambda a: (a >= 1) & (a <= highest), f"a degree in 1..{highest}")
    units = (input_order, *hidden_degrees)
    hidden = tuple(above[:, None] >= below[None, :] for below, above in itertools.pairwise(units))
    return (*hidden, input_order[:, None] > units[-1][None, :])


def made_logits(x, weights, biases, masks):
    r"""The logits of all D conditionals in one pass: a ReLU network whose weights are W * M.

    h_i = relu((W_i * M_i) h_{i-1} + b_i), and no ReLU after the last layer.

    Raises ValueError if there are not as many biases and masks as weights, or x or a layer's shapes do not fit.
    Source: Germain et al. 2015, section 3.
    [B, D], ([...]), ([...]), ([...]) -> [B, D]
    """
    _require_layers(x, weights, biases, masks)
    hidden = x
    for weight, bias, mask in zip(weights[:-1], biases[:-1], masks[:-1], strict=True):
        hidden = jax.nn.relu(jnp.einsum("bi,oi->bo", hidden, weight * mask) + bias)
    return jnp.einsum("bi,oi->bo", hidden, weights[-1] * masks[-1]) + biases[-1]


def mask_connectivity(masks):
    r"""The number of paths from input j to output d: M_{n+1} ... M_1, an integer matrix product.

    Raises ValueError if the masks do not fit together.  Source: Germain et al. 2015, section 3.
    ([...]) -> [D, D]
    """
    _require_chain(masks)
    paths = jnp.asarray(masks[0] != 0, int)
    for mask in masks[1:]:
        paths = jnp.asarray(mask != 0, int) @ paths
    return paths


def ancestral_bernoulli(uniforms, logits_fn, *, order):
    r"""A draw x of a binary autoregressive model: for k = 1..D, at the d with order_d = k, x_d = [u_d < sigma(l_d(x))].

    logits_fn: [B, D] -> [B, D], all conditionals at once; what is not drawn yet is 0, and must not matter.

    Raises ValueError if order is no permutation of 1..D or uniforms leaves [0, 1].  Source: Bishop, PRML, 8.1.2.
    [B, D], [D] -> [B, D]
    """
    require_rank(2, uniforms=uniforms)
    require_rank(1, order=order)
    size = uniforms.shape[1]
    entries = order.shape[0]
    require(entries == size, f"order has {entries} entries; it must have one for each of the {size} columns of uniforms")
    require_values("order", order, lambda a: np.sort(a) == np.arange(1, size + 1), f"(all of it) a permutation of 1..{size}")
    require_unit_interval(uniforms=uniforms)
    sequence = jnp.argsort(order)

    def draw(k, x):
        d = sequence[k]
        success = jax.nn.sigmoid(logits_fn(x)[:, d])
        return x.at[:, d].set((uniforms[:, d] < success).astype(x.dtype))

    return jax.lax.fori_loop(0, size, draw, jnp.zeros_like(uniforms))


def _require_chain(masks):
    """Every mask is a matrix whose columns are the rows of the mask before it; the last has as many rows as the first columns."""
    require(len(masks) > 0, "masks is empty; it must hold one mask a layer")
    for i, mask in enumerate(masks):
        require_rank(2, **{f"masks[{i}]": mask})
        below, source = (masks[i - 1].shape[0], "the layer below") if i else (masks[-1].shape[0], "the output")
        require(
            mask.shape[1] == below,
            f"masks[{i}] has {mask.shape[1]} columns; it must have {below}, as many as {source} has rows",
        )


def _require_layers(x, weights, biases, masks):
    require_rank(2, x=x)
    for name, parts in (("weights", weights), ("biases", biases)):
        require(len(parts) == len(masks), f"{name} has {len(parts)} layers; it must have as many as masks, {len(masks)}")
    _require_chain(masks)
    require(
        x.shape[1] == masks[0].shape[1],
        f"x has {x.shape[1]} columns; it must have as many as the first of masks, {masks[0].shape[1]}",
    )
    for i, (weight, bias, mask) in enumerate(zip(weights, biases, masks, strict=True)):
        require_same_shape(**{f"masks[{i}]": mask, f"weights[{i}]": weight})
        rows = mask.shape[0]
        require(bias.shape == (rows,), f"biases[{i}] has shape {list(bias.shape)}; it must have {rows} entries, one a row")


class MaskedAutoencoder(nnx.Module):
    """made_logits with parameters of its own: the variables in their own order, degrees spread evenly over the hidden units."""

    def __init__(self, dimensions, hidden=(500,), *, rngs: nnx.Rngs):
        common, sizes = dict(param_dtype=jnp.result_type(float), rngs=rngs), (dimensions, *hidden, dimensions)
        self.layers = nnx.List(nnx.Linear(*pair, **common) for pair in itertools.pairwise(sizes))

    def __call__(self, x):
        weights, biases = [layer.kernel[...].T for layer in self.layers], [layer.bias[...] for layer in self.layers]
        degrees = tuple(1 + jnp.arange(len(bias)) % max(1, x.shape[1] - 1) for bias in biases[:-1])
        return made_logits(x, weights, biases, made_masks(1 + jnp.arange(x.shape[1]), degrees))


derivation = Derivation(
    title="The chain rule costs nothing; the parametrization of the conditionals does",
    lectures=(42,),
    sources=(
        "Germain, Gregor, Murray & Larochelle 2015, MADE: Masked Autoencoder for Distribution Estimation",
        "Uria, Cote, Gregor, Murray & Larochelle 2016, Neural Autoregressive Distribution Estimation",
        "Frey 1998, Graphical Models for Machine Learning and Digital Communication",
    ),
)

# Every state of four binary variables, a random joint law over them, and a masked network in the order 3, 1, 4, 2.
_states = np.array(list(itertools.product((0.0, 1.0), repeat=4)))
_table = np.random.default_rng(0).dirichlet(np.ones(16)).reshape(2, 2, 2, 2)
_order = np.array([3, 1, 4, 2])
_degrees = (np.array([1, 2, 3, 2, 1]), np.array([3, 1, 2, 2, 3, 1]))


def _network(masks, seed=1):
    """Random weights and biases for the masks."""
    rng = np.random.default_rng(seed)
    weights = tuple(jnp.array(rng.normal(size=mask.shape)) for mask in masks)
    return weights, tuple(jnp.array(rng.normal(size=mask.shape[0])) for mask in masks)


def _masks():
    return made_masks(jnp.array(_order), tuple(map(jnp.array, _degrees)))


def _conditional_logits(table, ordering):
    """logit p(x_d = 1 | what comes before d in the ordering), at every state: marginals of the table, nothing else."""
    logits = np.zeros((len(_states), 4))
    for k, d in enumerate(ordering):
        marginal = table.sum(axis=tuple(ordering[k + 1 :]), keepdims=True) * np.ones_like(table)
        zero, one = (np.take(marginal, [value], axis=d) for value in (0, 1))
        logits[:, d] = np.broadcast_to(np.log(one / zero), table.shape).ravel()
    return jnp.array(logits)


@derivation.exact(
    r"p(x) = \prod_k p(x_{\pi_k} \mid x_{\pi_1}, \dots, x_{\pi_{k-1}}) \quad\text{for every ordering } \pi",
    because="A conditional is a ratio of marginals, p(a, b) / p(a), and in the product every marginal but the last cancels. "
    "Nothing was assumed, not even the direction: all 24 orderings of four variables rebuild the same random table.",
)
def every_ordering_rebuilds_the_joint():
    orderings = list(itertools.permutations(range(4)))
    rebuilt = [autoregressive_bernoulli_log_prob(jnp.array(_states), _conditional_logits(_table, o)) for o in orderings]
    return jnp.exp(jnp.stack(rebuilt)), jnp.tile(_table.ravel(), (24, 1))


@derivation.symbolic(
    r"\sum_{d=1}^{D} 2^{d-1} = 2^D - 1, \qquad \sum_{d=1}^{D} d = \frac{D(D+1)}{2}",
    because="A conditional given d - 1 bits is a table of 2^(d-1) numbers, and together the tables are exactly as large as "
    "the joint: factorizing saves nothing. Give each conditional d logistic weights instead and the cost is quadratic. The "
    "restriction lies in the parametrization alone.",
)
def tables_are_as_large_as_the_joint():
    d, size = sympy.symbols("d D", positive=True, integer=True)
    left = [sympy.summation(2 ** (d - 1), (d, 1, size)), sympy.summation(d, (d, 1, size))]
    return left, [2**size - 1, size * (size + 1) / 2]


@derivation.exact(
    r"\mathbb{E}_p[-\log q(x)] = \sum_d \mathbb{E}_p\big[H(p_d, q_d)\big] = H(p) + \mathrm{KL}(p \,\|\, q)",
    because="The logarithm turns the product into a sum, and the expectation of the d-th term over x_d given the past is a "
    "cross entropy of two coins. Maximum likelihood is therefore KL minimization, conditional by conditional; with separate "
    "parameters each could be fitted alone.",
)
def cross_entropy_splits_over_conditionals():
    p = jnp.array(_table.ravel())
    q_logits = made_logits(jnp.array(_states), *_network(_masks()), _masks())
    # as a language model sees it: two tokens, the logit of token 0 is 0
    pairs = jnp.stack([jnp.zeros_like(q_logits), q_logits], axis=-1)
    log_q = sequence_log_prob(jnp.array(_states, int), pairs, None)
    success = jax.nn.sigmoid(_conditional_logits(_table, np.argsort(_order)))
    coins = -(success * jax.nn.log_sigmoid(q_logits) + (1 - success) * jax.nn.log_sigmoid(-q_logits))
    divergence = p @ (jnp.log(p) - log_q)
    entropy = -(p @ jnp.log(p))
    return jnp.full(2, -(p @ log_q)), jnp.stack([jnp.sum(p @ coins), entropy + divergence])


@derivation.autodiff(
    r"\nabla_l \big(-\log p(x)\big) = \sigma(l) - x",
    because="d softplus(l) / dl = sigma(l), and x l is linear. The error signal of every conditional is prediction minus "
    "datum, bounded by one however wrong the logit.",
)
def the_gradient_is_prediction_minus_datum():
    logits = jnp.array(np.random.default_rng(2).normal(scale=3.0, size=_states.shape))
    gradient = jax.grad(lambda l: -autoregressive_bernoulli_log_prob(jnp.array(_states), l).sum())(logits)  # noqa: E741
    return gradient, 1 / (1 + jnp.exp(-logits)) - _states


@derivation.exact(
    r"(M_{n+1} \cdots M_1)_{dj} > 0 \iff \mathrm{order}(j) < \mathrm{order}(d)",
    because="Along a path degrees never fall, and the last edge climbs strictly: order(j) <= m_1 <= ... <= m_n < order(d). "
    "Conversely, if every degree 1..D-1 occurs in every layer, the path through units of degree order(j) survives. An integer "
    "product counts the paths.",
)
def paths_exist_exactly_from_earlier_to_later():
    reached = mask_connectivity(_masks()) > 0
    return reached.astype(int), (_order[None, :] < _order[:, None]).astype(int)


@derivation.autodiff(
    r"\frac{\partial l_d}{\partial x_j} = 0 \quad\text{wherever}\quad \mathrm{order}(j) \ge \mathrm{order}(d)",
    because="A derivative is a sum over paths; without a path there is nothing to sum, whatever the weights are. The logit of "
    "a variable never sees the variable itself or its future.",
)
def the_jacobian_is_strictly_triangular_in_the_order():
    weights, biases = _network(_masks())
    x = jnp.array(np.random.default_rng(3).normal(size=(5, 4)))
    jacobian = jax.vmap(jax.jacrev(lambda row: made_logits(row[None], weights, biases, _masks())[0]))(x)
    later = _order[None, :] >= _order[:, None]
    return jacobian[:, later], jnp.zeros((5, int(later.sum())))


@derivation.exact(
    r"\sum_x p(x) = 1 \quad\text{for all weights}",
    because="Sum over the last variable in the order first: its two probabilities add up to one, and no other factor contains "
    "it. Then the one before it, and so on. No normalizing constant is ever computed, because there is none.",
)
def the_model_is_normalized_for_free():
    totals = []
    for seed in range(5):
        log_p = autoregressive_bernoulli_log_prob(
            jnp.array(_states), made_logits(jnp.array(_states), *_network(_masks(), seed), _masks())
        )
        totals.append(jnp.exp(logsumexp(log_p)))
    return jnp.stack(totals), jnp.ones(5)


@derivation.exact(
    r"M_{dd} = 1:\qquad \sum_x p(x) = \tfrac12 + \sigma(w) \ne 1",
    because="Write >= in the output mask and a variable sees itself. The smallest example has one variable and the logit w x: "
    "then p(0) = 1 - sigma(0) = 1/2 and p(1) = sigma(w). The sum is one only at w = 0, and likelihoods of such a model mean "
    "nothing.",
)
def with_the_wrong_mask_the_sum_is_not_one():
    x, w = jnp.array([[0.0], [1.0]]), jnp.linspace(0.5, 4.0, 8)

    def total(weight):
        logits = made_logits(x, (weight.reshape(1, 1),), (jnp.zeros(1),), (jnp.ones((1, 1), bool),))
        return jnp.exp(autoregressive_bernoulli_log_prob(x, logits)).sum()

    return jax.vmap(total)(w), 0.5 + 1 / (1 + jnp.exp(-w))


@derivation.exact(
    r"\mathrm{vol}\{u \in [0, 1]^D : x(u) = x\} = \prod_d p(x_d \mid x_{<d}) = p(x)",
    because="Given what was drawn before, x_d = 1 on an interval of length sigma(l_d) and 0 on the rest: the points of the "
    "cube that are mapped to x form a box with these sides. The middle of each box is seen to be mapped to its state, and the "
    "product of the sides to be the probability.",
)
def sampling_cuts_the_cube_into_boxes():
    network = _network(_masks())
    x = jnp.array(_states)
    success = 1 / (1 + jnp.exp(-made_logits(x, *network, _masks())))
    low, high = jnp.where(x == 1, 0.0, success), jnp.where(x == 1, success, 1.0)
    drawn = ancestral_bernoulli((low + high) / 2, lambda x: made_logits(x, *network, _masks()), order=jnp.array(_order))
    log_p = autoregressive_bernoulli_log_prob(x, made_logits(x, *network, _masks()))
    volumes = jnp.prod(high - low, axis=1)
    return jnp.concatenate([drawn.ravel(), volumes]), jnp.concatenate([x.ravel(), jnp.exp(log_p)])


@derivation.monte_carlo(
    r"\Pr[x(U) = x] = p(x), \qquad U \sim \mathcal{U}[0, 1]^D",
    because="A uniform point falls into a box with the probability of its volume. Forty thousand points, drawn variable by "
    "variable in the network's own order, count out the law of the sixteen states.",
)
def ancestral_samples_have_the_law():
    network = _network(_masks())
    uniforms = jnp.array(np.random.default_rng(4).uniform(size=(40_000, 4)))
    drawn = ancestral_bernoulli(uniforms, lambda x: made_logits(x, *network, _masks()), order=jnp.array(_order))
    number = (drawn @ jnp.array([8.0, 4.0, 2.0, 1.0])).astype(int)
    log_p = autoregressive_bernoulli_log_prob(
        jnp.array(_states), made_logits(jnp.array(_states), *network, _masks())
    )
    return jax.nn.one_hot(number, 16), jnp.exp(log_p)


@cache
def _best_logistic(size, target, past):
    """min E_p[-log q(x_target | x_past)] over logistic conditionals, by Newton's method on the convex weighted regression."""
    p = _law_of(size)
    states = np.array(list(itertools.product((0.0, 1.0), repeat=size)))
    features = np.concatenate([np.ones((len(states), 1)), states[:, list(past)]], axis=1)
    weights = np.zeros(features.shape[1])
    for _ in range(50):
        success = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (p * (success - states[:, target]))
        hessian = (features * (p * success * (1 - success))[:, None]).T @ features
        weights -= np.linalg.solve(hessian, gradient)
    log_q = autoregressive_bernoulli_log_prob(jnp.array(states[:, [target]]), jnp.array(features @ weights)[:, None])
    return float(-p @ np.asarray(log_q))


def _best_in_order(size, ordering):
    return sum(_best_logistic(size, d, tuple(sorted(ordering[:k]))) for k, d in enumerate(ordering))


@cache
def _law_of(size):
    """Three variables: a random table. Four: a law whose conditionals in the order 1, 2, 3, 4 are logistic."""
    if size == 3:
        return np.random.default_rng(5).dirichlet(np.ones(8))
    rng = np.random.default_rng(21)
    logits = _states @ np.tril(3 * rng.normal(size=(4, 4)), -1).T + rng.normal(size=4)
    return np.exp(np.asarray(autoregressive_bernoulli_log_prob(jnp.array(_states), jnp.array(logits))))


@derivation.numeric(
    r"D = 3:\quad \min_q \mathbb{E}_p[-\log q] \text{ is the same in all six orders}",
    because="With logistic conditionals, two variables are still unrestricted, and the third adds an odds without an "
    "interaction: that is the log-linear model without its three-way term, which knows no order. The six regressions are "
    "compared with that model, fitted as a joint law by BFGS.",
)
def three_variables_have_no_order():
    p = _law_of(3)
    states = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    pairs = np.stack([states[:, i] * states[:, j] for i, j in ((0, 1), (0, 2), (1, 2))], axis=1)
    features = jnp.array(np.concatenate([states, pairs], axis=1))

    @jax.jit
    @jax.value_and_grad
    def cross_entropy(parameters):
        return -(p @ jax.nn.log_softmax(features @ parameters))

    joint = minimize(cross_entropy, np.zeros(6), jac=True, method="BFGS", options={"gtol": 1e-8})
    return jnp.array([_best_in_order(3, o) for o in itertools.permutations(range(3))]), jnp.full(6, joint.fun)


@derivation.bound(
    r"D = 4:\quad H(p) + 10^{-3} < \min_q \mathbb{E}_p[-\log q] \quad\text{unless variable 4 comes last}",
    because="Let p itself be made of logistic conditionals in the order 1, 2, 3, 4. The six orders that end with variable 4 "
    "can express it and reach its entropy; the other eighteen would need an interaction they do not have, and stay above it. "
    "Restricted conditionals make the order a modeling decision.",
    tolerance=1e-10,
)
def four_variables_do():
    entropy = -float(_law_of(4) @ np.log(_law_of(4)))
    orders = list(itertools.permutations(range(4)))
    inside = jnp.array([_best_in_order(4, o) for o in orders if o[-1] == 3])
    outside = jnp.array([_best_in_order(4, o) for o in orders if o[-1] != 3])
    return jnp.full(18, entropy + 1e-3), outside, (inside, jnp.full(6, entropy))


if __name__ == "__main__":
    derivation.main()
