"""Contracts of the chain rule and of masked networks (lecture 42)."""

import numpy as np

from shared_specs.autoregressive._cases import PADDED
from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_by_inputs,
    bits,
    given,
    integers,
    normal,
    uniform,
    zeros,
)

SOFTPLUS_1, SOFTPLUS_MINUS_1 = 1.3132616875182228, 0.31326168751822286  # mpmath, 17 digits
STATES = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], dtype=np.float64)
ORDER, DEGREES = np.array([2, 4, 1, 3]), (np.array([1, 3, 2, 2, 3]), np.array([2, 1, 3, 1, 2, 3]))
# The masks of (ORDER, DEGREES), written out: hidden layers >=, output >.
MASKS = (
    np.array([[0, 0, 1, 0], [1, 0, 1, 1], [1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 1, 1]]),
    np.array([[1, 0, 1, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0], [1, 0, 1, 1, 0], [1, 1, 1, 1, 1]]),
    np.array([[0, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 0]]),
)
BOOLEAN = tuple(mask.astype(bool) for mask in MASKS)
WEIGHTS, BIASES = (normal(5, 4), normal(6, 5), normal(4, 6)), (normal(5), normal(6), normal(4))
# A chain that mostly copies: the third variable comes first (and reads itself, which is 0 until it is drawn), the first copies
# the third with probability 1 / (1 + e^-2) = 0.88, and the second copies the first.
CHAIN_ORDER, BEFORE = np.array([2, 3, 1]), np.array([2, 0, 2])
KEEP, FLIP = 0.88079707797788243, 0.11920292202211757
STEP = "a draw is a step function of the uniforms"


def chain(x):
    """Logits of the copying chain."""
    return 4 * x[:, BEFORE] - 2


def biased_coin(x):
    """A logit of 0.3 for every x."""
    return x * 0 + 0.3


def certain(x):
    """The copying chain without doubt."""
    return 1600 * x[:, BEFORE] - 800


SPEC = (
    # Sequences.
    Agree("sequence_log_prob", "regular", given(tokens=integers(3, 5, high=4), logits=normal(3, 5, 4, scale=2.0), mask=PADDED)),
    Agree("sequence_log_prob", "no mask", given(tokens=integers(3, 5, high=4), logits=normal(3, 5, 4), mask=None)),
    Agree("sequence_log_prob", "nothing is valid",
          given(tokens=integers(3, 5, high=4), logits=normal(3, 5, 4), mask=np.zeros((3, 5), dtype=bool))),
    Agree(
        "sequence_log_prob", "logits of 800, tokens at both ends",
        given(tokens=[[0, 2], [2, 0], [1, 1]], mask=None,
              logits=[[[800.0, -800.0, 0.0], [800.0, -800.0, 3.0]], [[-800.0, 800.0, 0.0], [1.0, 2.0, 800.0]],
                      [[0.0, 0.5, 0.0], [800.0, 799.0, 0.0]]]),
    ),
    Agree(
        "sequence_log_prob", "padding holds an unknown token and infinite logits",
        given(tokens=[[1, -100, 7], [0, 2, -100]], logits=np.array([[[0.5, 1.0, -2.0], [np.inf] * 3, [-np.inf] * 3],
                                                                   [[0.0, 1.0, 0.3], [0.2, -1.0, 0.1], [np.nan, 0.0, 0.0]]]),
              mask=np.array([[True, False, False], [True, True, False]])),
    ),
    Agree("sequence_log_prob", "one step", given(tokens=[[2], [0]], logits=normal(2, 1, 3), mask=None)),
    Anchor(
        "sequence_log_prob", "odds of 3 to 1, then a fair coin",
        given(tokens=[[0, 1, 1], [1, 0, 0]], logits=np.broadcast_to([[LOG_3, 0.0], [0.0, 0.0], [LOG_3, 0.0]], (2, 3, 2)) + 0.0,
              mask=np.array([[True, True, False], [True, True, True]])),
        gives=[-0.98082925301172624, -2.3671236141316165], source="log 3/8; log 3/32",
        near_misses={"ignores the mask": [-2.3671236141316165, -2.3671236141316165],
                     "mask inverted": [-1.3862943611198906, 0.0], "mean over steps": [-0.49041462650586312, -0.78904120471053895],
                     "sign": [0.98082925301172624, 2.3671236141316165], "bits": [-1.4150374992788438, -3.4150374992788438],
                     "scores the next token": [-2.0794415416798359, -0.98082925301172624]},
    ),
    Law.equal(
        "a constant added to a step's logits changes nothing",
        given(tokens=integers(3, 5, high=4), logits=normal(3, 5, 4), shift=normal(3, 5, scale=3.0)),
        left=lambda f, tokens, logits, shift: f.sequence_log_prob(tokens, logits + shift[..., None], PADDED),
        right=lambda f, tokens, logits, shift: f.sequence_log_prob(tokens, logits, PADDED),
    ),
    Law.normalized(
        "all sequences together have probability one", given(logits=normal(3, 2)),
        total=lambda f, logits: np.exp(f.sequence_log_prob(STATES.astype(int), np.tile(logits, (8, 1, 1)), None)).sum(),
    ),
    Anchor("sequence_log_prob", "256 tokens",
           given(tokens=[[255, 0], [1, 255]], logits=np.log(np.broadcast_to(np.arange(1.0, 257.0), (2, 2, 256))), mask=None),
           gives=[-np.log(257 / 2 * 257 * 128), -np.log(257 * 64 * 257 / 2)], source="1 + 2 + .. + 256 = 257 x 128"),
    Rejects("sequence_log_prob", "a token above V-1", given(tokens=[[0, 4]], logits=zeros(1, 2, 4), mask=None), blames="tokens"),
    Rejects("sequence_log_prob", "a negative token", given(tokens=[[0, -1]], logits=zeros(1, 2, 4), mask=None), blames="tokens"),
    Rejects("sequence_log_prob", "lengths differ", given(tokens=[[0, 1, 1]], logits=zeros(1, 2, 4), mask=None), blames="logits"),
    Rejects("sequence_log_prob", "a mask of another shape",
            given(tokens=[[0, 1], [1, 0]], logits=zeros(2, 2, 4), mask=np.ones((2, 3), dtype=bool)), blames="mask"),
    # Binary variables.
    Agree("autoregressive_bernoulli_log_prob", "regular", given(x=bits(5, 3), logits=normal(5, 3, scale=2.0)),
          differentiate=("logits",)),
    Agree(
        "autoregressive_bernoulli_log_prob", "logits of 800 and zero",
        given(x=[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], logits=[[800.0, 800.0, 0.0], [800.0, -800.0, 0.0]]),
        differentiate=("logits",),
    ),
    Agree(
        "autoregressive_bernoulli_log_prob", "logits near 25",
        given(x=[[1.0, 0.0], [0.0, 1.0]], logits=[[-25.0, 0.3], [24.0, -0.2]]), differentiate=("logits",),
    ),
    Agree("autoregressive_bernoulli_log_prob", "one variable", given(x=[[1.0], [0.0]], logits=normal(2, 1)),
          differentiate=("logits",)),
    Anchor(
        "autoregressive_bernoulli_log_prob", "two coins", given(x=[[1.0, 0.0], [0.0, 0.0]], logits=[[1.0, 0.0], [1.0, LOG_3]]),
        gives=[-1.0064088680781682, -2.6995560486381134], source="-log(1 + 1/e) - log 2; -log(1 + e) - log 4 (mpmath)",
        near_misses={"x flipped": [-SOFTPLUS_1 - LOG_2, -SOFTPLUS_MINUS_1 - 0.28768207245178093],
                     "mean over variables": [-0.5032044340390841, -1.3497780243190567],
                     "only the ones count": [-SOFTPLUS_MINUS_1, 0.0], "bits": [-1.4519410830830482, -3.8946361239720116]},
    ),
    Law.equal(
        "the gradient is datum minus prediction", given(x=bits(5, 3), logits=normal(5, 3, scale=2.0)),
        left=lambda f, x, logits: f.gradient("autoregressive_bernoulli_log_prob", x, logits, wrt=1),
        right=lambda f, x, logits: x - 1 / (1 + np.exp(-logits)),
    ),
    Law.equal(
        "x and logits may change sides together", given(x=bits(5, 3), logits=normal(5, 3)),
        left=lambda f, x, logits: f.autoregressive_bernoulli_log_prob(1 - x, -logits),
        right=lambda f, x, logits: f.autoregressive_bernoulli_log_prob(x, logits),
    ),
    Rejects("autoregressive_bernoulli_log_prob", "a gray pixel", given(x=[[0.5, 1.0]], logits=zeros(1, 2)), blames="x"),
    Rejects("autoregressive_bernoulli_log_prob", "shapes differ", given(x=zeros(5, 3), logits=zeros(5, 2)), blames="logits"),
    # Masks.
    Agree("made_masks", "regular", given(input_order=ORDER, hidden_degrees=DEGREES)),
    Agree("made_masks", "no hidden layer", given(input_order=ORDER, hidden_degrees=())),
    Agree("made_masks", "one variable", given(input_order=[1], hidden_degrees=(np.array([1, 1, 1]),))),
    Anchor(
        "made_masks", "two hidden layers", given(input_order=ORDER, hidden_degrees=DEGREES), gives=MASKS,
        source="by hand, from the degrees",
        near_misses={
            "output mask >=": (*MASKS[:2], np.array([[1, 1, 0, 1, 1, 0], [1] * 6, [0, 1, 0, 1, 0, 0], [1] * 6])),
            "first hidden mask >": (np.array([[0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 0], [1, 0, 1, 0]]), *MASKS[1:]),
        },
    ),
    Law.equal(
        "paths lead exactly from the earlier to the later", given(input_order=ORDER),
        left=lambda f, order: f.mask_connectivity(f.made_masks(order, DEGREES)) > 0,
        right=lambda f, order: order[None, :] < order[:, None],
    ),
    Agree("made_masks", "degrees up to 256 inputs", given(input_order=np.arange(1, 258), hidden_degrees=(np.array([255, 1]),))),
    Rejects("made_masks", "an order from 0", given(input_order=[0, 1, 2], hidden_degrees=()), blames="input_order"),
    Rejects("made_masks", "an order with a repetition", given(input_order=[1, 2, 2], hidden_degrees=()), blames="input_order"),
    Rejects("made_masks", "a degree of D", given(input_order=[1, 2, 3], hidden_degrees=(np.array([1, 3]),)),
            blames="hidden_degrees"),
    Rejects("made_masks", "a degree of 0", given(input_order=[1, 2, 3], hidden_degrees=(np.array([1, 0]),)),
            blames="hidden_degrees"),
    # The network.
    Agree("made_logits", "regular", given(x=bits(3, 4), weights=WEIGHTS, biases=BIASES, masks=BOOLEAN)),
    Agree("made_logits", "real inputs, one layer", given(x=normal(3, 4), weights=(normal(4, 4),), biases=(normal(4),),
                                                         masks=(np.tril(np.ones((4, 4), dtype=bool), -1),))),
    Anchor(
        "made_logits", "one hidden layer",
        given(x=[[1.0, 2.0], [3.0, -1.0]], weights=(np.array([[1.0, 10.0], [-2.0, 5.0], [0.5, 7.0]]), np.array([[4.0, 3.0, 2.0],
              [1.0, -1.0, 6.0]])), biases=(np.array([0.5, 3.0, -2.0]), np.array([0.25, -0.5])),
              masks=(np.array([[True, False]] * 3), np.array([[False] * 3, [True] * 3]))),
        gives=[[0.25, 0.0], [0.25, 3.0]],
        source="by hand: hidden (1.5, 1, 0), (3.5, 0, 0)",
        near_misses={"no masks": [[147.25, 137.5], [0.25, -0.5]], "no ReLU": [[0.25, -9.0], [0.25, 3.0]],
                     "ReLU at the end": [[0.25, 0.0], [0.25, 4.0]]},
    ),
    Law.equal(
        "a logit sees nothing but what is earlier in the order",
        given(x=normal(3, 4), weights=WEIGHTS, biases=BIASES),
        left=lambda f, x, weights, biases: f.jacobian("made_logits", x, weights, biases, BOOLEAN).sum(axis=2)[
            :, ORDER[None, :] >= ORDER[:, None]],
        right=0.0,
    ),
    Law.normalized(
        "the model sums to one", given(weights=(normal(4, 3), normal(3, 4)), biases=(normal(4), normal(3))),
        total=lambda f, weights, biases: np.exp(f.autoregressive_bernoulli_log_prob(
            STATES, f.made_logits(STATES, weights, biases,
                                  f.made_masks(np.array([3, 1, 2]), (np.array([1, 2, 1, 2]),))))).sum(),
    ),
    Law.equal(
        "data and order permuted together permute the logits",
        given(x=bits(3, 4), weights=WEIGHTS, biases=BIASES, permutation=[2, 0, 3, 1]),
        left=lambda f, x, weights, biases, permutation: f.made_logits(
            x[:, permutation], (weights[0][:, permutation], weights[1], weights[2][permutation]),
            (*biases[:2], biases[2][permutation]), f.made_masks(ORDER[permutation], DEGREES)),
        right=lambda f, x, weights, biases, permutation: f.made_logits(
            x, weights, biases, f.made_masks(ORDER, DEGREES))[:, permutation],
    ),
    Rejects("made_logits", "a bias is missing", given(x=zeros(3, 4), weights=WEIGHTS, biases=BIASES[:2], masks=BOOLEAN),
            blames="biases"),
    Rejects("made_logits", "a mask is missing", given(x=zeros(3, 4), weights=WEIGHTS, biases=BIASES, masks=BOOLEAN[:2]),
            blames="masks"),
    Rejects("made_logits", "too many inputs", given(x=zeros(3, 5), weights=WEIGHTS, biases=BIASES, masks=BOOLEAN), blames="x"),
    Rejects("made_logits", "a weight is transposed",
            given(x=zeros(3, 4), weights=(normal(4, 5), *WEIGHTS[1:]), biases=BIASES, masks=BOOLEAN), blames="weights"),
    # Paths.
    Agree("mask_connectivity", "regular", given(masks=BOOLEAN)),
    Agree("mask_connectivity", "one variable", given(masks=(np.ones((3, 1), dtype=bool), np.zeros((1, 3), dtype=bool)))),
    Anchor(
        "mask_connectivity", "two hidden layers", given(masks=BOOLEAN),
        gives=[[0, 0, 2, 0], [12, 0, 18, 4], [0, 0, 0, 0], [4, 0, 8, 0]], source="by hand: M_3 (M_2 M_1)",
        near_misses={"transposed": [[0, 12, 0, 4], [0, 0, 0, 0], [2, 18, 0, 8], [0, 4, 0, 0]],
                     "whether, not how many": [[0, 0, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0]]},
    ),
    Rejects("mask_connectivity", "masks do not fit", given(masks=(BOOLEAN[0], BOOLEAN[2])), blames="masks"),
    Rejects("mask_connectivity", "no mask", given(masks=()), blames="masks"),
    # Sampling.
    Agree("ancestral_bernoulli", "regular", given(uniforms=uniform(5, 3), logits_fn=chain, order=CHAIN_ORDER),
          no_gradient=STEP, frozen=("uniforms",)),
    Agree("ancestral_bernoulli", "one variable", given(uniforms=uniform(4, 1), logits_fn=biased_coin, order=[1]),
          no_gradient=STEP, frozen=("uniforms",)),
    Agree(
        "ancestral_bernoulli", "uniforms of 0 and 1, logits of 800",
        given(uniforms=[[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.5, 0.5, 0.5]], logits_fn=certain, order=CHAIN_ORDER),
        no_gradient=STEP, frozen=("uniforms",),
    ),
    Anchor(
        "ancestral_bernoulli", "a chain that copies, started by the last variable",
        given(uniforms=[[0.5, 0.5, 0.1], [0.5, 0.5, 0.5], [0.95, 0.05, 0.05], [0.1, 0.85, 0.9]], logits_fn=chain,
              order=CHAIN_ORDER),
        gives=[[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]],
        source="by hand, with thresholds 0.12 and 0.88", frozen=("uniforms",),
        near_misses={
            "generated in index order": [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]],
            "order read as the list of variables": [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0]],
            "u > sigma": [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]],
        },
    ),
    Law.unbiased(
        "ancestral samples have the chain's law", given(),
        samples=lambda f, rng, draws: f.ancestral_bernoulli(rng.uniform(size=(draws, 3)), chain, order=CHAIN_ORDER),
        # the first and the second: kept if the one before was 1, flipped if it was 0
        expected=np.array([2 * KEEP * FLIP, 2 * KEEP * FLIP * KEEP + (1 - 2 * KEEP * FLIP) * FLIP, FLIP]),
        draws=40_000, detects=0.02,
    ),
    Anchor("ancestral_bernoulli", "255 variables",
           given(uniforms=zeros(2, 255), logits_fn=biased_coin, order=np.arange(255, 0, -1)),
           gives=np.ones((2, 255)), source="0 is below every probability", frozen=("uniforms",)),
    Rejects("ancestral_bernoulli", "an order from 0", given(uniforms=uniform(4, 3), logits_fn=chain, order=[0, 1, 2]),
            blames="order"),
    Rejects("ancestral_bernoulli", "an order too short", given(uniforms=uniform(4, 3), logits_fn=chain, order=[1, 2]),
            blames="order"),
    Rejects("ancestral_bernoulli", "a uniform of 1.5", given(uniforms=[[0.1, 1.5, 0.2]], logits_fn=chain, order=CHAIN_ORDER),
            blames="uniforms"),
    # The network.
    Model("MaskedAutoencoder", "two hidden layers", given(x=bits(6, 5)), sizes=dict(dim=5, hidden=(16, 13)), steps=0,
          sees={"x": -1}, initial={"*": begins_by_inputs()}),
)  # fmt: skip
