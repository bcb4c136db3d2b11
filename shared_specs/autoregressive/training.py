"""Contracts of next-token training (lecture 48)."""

import numpy as np

from shared_specs.autoregressive._cases import PADDED, softmax
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, integers, log_of, normal, zeros

LOG_4 = 2 * LOG_2
INDICES = "tokens are moved, nothing is computed"
TARGETS, LOGITS = integers(3, 5, high=4), normal(3, 5, 4, scale=2.0)
# Padding at the end, a full row, padding in front, a hole.
RAGGED = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1], [1, 1, 0, 1, 1, 0]], dtype=bool)
EVERY = np.tile(np.arange(4)[:, None], (1, 3))  # each token of four as the target of three steps
# 3 : 1 : 1 : 1 and the like; the last step of the first row is masked.
ODDS = log_of([[[3, 1, 1, 1], [1, 5, 2, 1], [1, 1, 1, 1]], [[2, 4, 2, 1], [1, 1, 1, 5], [1, 2, 1, 1]]])
ODDS_TARGETS, ODDS_MASK = [[0, 2, 1], [1, 3, 0]], np.array([[True, True, False], [True, True, True]])
LOSSES, LOSSES_MASK = [[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]], np.array([[True, True, False], [True, True, True]])
HIDDEN = [
    [[1.0, 0.0, 2.0, -1.0], [0.0, 1.0, 0.0, 3.0], [2.0, 2.0, -1.0, 0.0]],
    [[0.0, 0.0, 1.0, 1.0], [1.0, -1.0, 0.0, 2.0], [3.0, 0.0, 0.0, 1.0]],
]
EMBEDDING = [[1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [2.0, 0.0, 0.0, 1.0], [0.0, 0.0, 3.0, -1.0], [1.0, 1.0, 1.0, 1.0]]
SCORES = np.array(
    [
        [[1.0, 2.0, 1.0, 7.0, 2.0], [2.0, 1.0, 3.0, -3.0, 4.0], [6.0, 1.0, 4.0, -3.0, 3.0]],
        [[0.0, 1.0, 1.0, 2.0, 2.0], [-1.0, -1.0, 4.0, -2.0, 2.0], [3.0, 0.0, 7.0, -1.0, 4.0]],
    ]
)


def smoothed(targets, share):
    """The target law of four tokens."""
    return (1 - share) * (targets[..., None] == np.arange(4)) + share / 4


SPEC = (
    # Pairs.
    Agree("next_token_pairs", "regular", given(tokens=integers(4, 6, high=9), mask=RAGGED), no_gradient=INDICES),
    Agree("next_token_pairs", "no mask", given(tokens=integers(4, 6, high=9), mask=None), no_gradient=INDICES),
    Agree("next_token_pairs", "two steps", given(tokens=integers(3, 2, high=9), mask=None), no_gradient=INDICES),
    Agree("next_token_pairs", "nothing is valid", given(tokens=integers(4, 6, high=9), mask=np.zeros((4, 6), dtype=bool)),
          no_gradient=INDICES),
    Anchor(
        "next_token_pairs", "padding behind, in front, and a hole",
        given(tokens=[[5, 1, 4, 2], [3, 0, 2, 6], [7, 8, 1, 0]],
              mask=np.array([[True, True, True, False], [False, True, True, True], [True, False, True, True]])),
        gives=([[5, 1, 4], [3, 0, 2], [7, 8, 1]], [[1, 4, 2], [0, 2, 6], [8, 1, 0]], [[1, 1, 0], [0, 1, 1], [0, 0, 1]]),
        source="by hand",
        near_misses={
            "mask of the inputs": ([[5, 1, 4], [3, 0, 2], [7, 8, 1]], [[1, 4, 2], [0, 2, 6], [8, 1, 0]],
                                   [[1, 1, 1], [0, 1, 1], [1, 0, 1]]),
            "mask of the targets": ([[5, 1, 4], [3, 0, 2], [7, 8, 1]], [[1, 4, 2], [0, 2, 6], [8, 1, 0]],
                                    [[1, 1, 0], [1, 1, 1], [0, 1, 1]]),
            "not shifted": ([[5, 1, 4], [3, 0, 2], [7, 8, 1]], [[5, 1, 4], [3, 0, 2], [7, 8, 1]],
                            [[1, 1, 0], [0, 1, 1], [0, 0, 1]]),
            "inputs and targets exchanged": ([[1, 4, 2], [0, 2, 6], [8, 1, 0]], [[5, 1, 4], [3, 0, 2], [7, 8, 1]],
                                             [[1, 1, 0], [0, 1, 1], [0, 0, 1]]),
        },
    ),
    Law.equal("a target is the next input", given(tokens=integers(4, 6, high=9)),
              left=lambda f, tokens: f.next_token_pairs(tokens, None)[0][:, 1:],
              right=lambda f, tokens: f.next_token_pairs(tokens, None)[1][:, :-1]),
    Anchor("next_token_pairs", "256 tokens", given(tokens=[[255, 0, 254]], mask=None),
           gives=([[255, 0]], [[0, 254]], [[1, 1]]), source="by hand"),
    Rejects("next_token_pairs", "one step", given(tokens=[[1], [2]], mask=None), blames="tokens"),
    Rejects("next_token_pairs", "no batch", given(tokens=[1, 2, 3], mask=None), blames="tokens"),
    Rejects("next_token_pairs", "a mask of the pairs", given(tokens=[[1, 2, 3]], mask=np.ones((1, 2), dtype=bool)),
            blames="mask"),
    # Tokens.
    Agree("token_cross_entropy", "regular", given(targets=TARGETS, logits=LOGITS, mask=PADDED, label_smoothing=0.1)),
    Agree("token_cross_entropy", "no mask, no smoothing", given(targets=TARGETS, logits=LOGITS, mask=None)),
    Agree("token_cross_entropy", "nothing but smoothing",
          given(targets=TARGETS, logits=LOGITS, mask=None, label_smoothing=1.0)),
    Agree("token_cross_entropy", "nothing is valid",
          given(targets=TARGETS, logits=LOGITS, mask=np.zeros((3, 5), dtype=bool), label_smoothing=0.1)),
    *(Agree(
        "token_cross_entropy", f"logits of 900, smoothed by {share:g}",
        given(targets=[[0, 2], [2, 0], [1, 1]], mask=None, label_smoothing=share,
              logits=[[[900.0, -900.0, 0.0], [900.0, -900.0, 3.0]], [[-900.0, 900.0, 0.0], [1.0, 2.0, 900.0]],
                      [[0.0, 0.5, 0.0], [900.0, 899.0, 0.0]]]),
    ) for share in (0.0, 0.3)),
    Agree(
        "token_cross_entropy", "padding holds an unknown token and infinite logits",
        given(targets=[[1, -100, 7], [0, 2, -100]], label_smoothing=0.1,
              logits=np.array([[[0.5, 1.0, -2.0], [np.inf] * 3, [-np.inf] * 3],
                               [[0.0, 1.0, 0.3], [0.2, -1.0, 0.1], [np.nan, 0.0, 0.0]]]),
              mask=np.array([[True, False, False], [True, True, False]])),
    ),
    Agree(
        "token_cross_entropy", "a token is ruled out",
        given(targets=[[1, 2, 0], [0, 1, 0]], mask=None,
              logits=np.array([[[-np.inf, 1.0, -2.0], [0.3, -np.inf, 0.4], [0.1, 0.2, 0.3]],
                               [[0.0, 1.0, -np.inf], [0.2, -1.0, -np.inf], [0.0, -np.inf, -np.inf]]])),
    ),
    Agree("token_cross_entropy", "one step, a vocabulary of one",
          given(targets=[[0], [0], [0]], logits=normal(3, 1, 1), mask=None)),
    Anchor(
        "token_cross_entropy", "odds of 3 to 1 and the like, smoothed by 0.3",
        given(targets=ODDS_TARGETS, logits=ODDS, mask=ODDS_MASK, label_smoothing=0.3),
        gives=[[0.94033494551027, 1.5393276689697042, 0.0], [1.0188743703843124, 0.8321271595434081, 1.5574518738921046]],
        source="mpmath: -log 1/2 - 0.225 log 1/3, ...",
        near_misses={
            "smoothed over the V - 1 others": [[1.0227308671603783, 1.5510777597008476, 0.0],
                                               [1.088189088440307, 0.9528350029759657, 1.5401231943781057]],
            "the target keeps its whole": [[1.1482790996782537, 1.9905508880025864, 0.0],
                                           [1.262153435249211, 0.9731282483171289, 2.0402832476223347]],
            "a sum over the vocabulary for its mean": [[2.305730702865195, 2.9987481426486413, 0.0],
                                                       [2.372544027482959, 2.341501016757588, 2.849987879456807]],
            "not smoothed": [[0.6931471805599453, 1.5040773967762742, 0.0],
                             [0.8109302162163288, 0.4700036292457356, 1.6094379124341005]],
            "smoothed by 0.7": [[1.269918632110703, 1.5863280318942778, 0.0],
                                [1.2961332426082905, 1.3149585332736382, 1.4881371558361098]],
            "divergence, not cross-entropy": [[0.1599833398226467, 0.758976063282081, 0.0],
                                              [0.2385227646966891, 0.051775553855784855, 0.7771002682044812]],
            "not masked": [[0.94033494551027, 1.5393276689697042, LOG_4],
                           [1.0188743703843124, 0.8321271595434081, 1.5574518738921046]],
            "bits": [[1.3566165626622602, 2.22078039432576, 0.0],
                     [1.4699250014423124, 1.2005057264622943, 2.2469280948873624]],
            "sign": [[-0.94033494551027, -1.5393276689697042, 0.0],
                     [-1.0188743703843124, -0.8321271595434081, -1.5574518738921046]],
        },
    ),
    Law.equal(
        "the gradient is prediction minus target", given(targets=TARGETS, logits=LOGITS),
        left=lambda f, targets, logits: f.gradient("token_cross_entropy", targets, logits, PADDED, label_smoothing=0.3, wrt=1),
        right=lambda f, targets, logits: PADDED[..., None] * (softmax(logits) - smoothed(targets, 0.3)),
    ),
    Law.equal(
        "a constant added to a step's logits changes nothing",
        given(targets=TARGETS, logits=LOGITS, shift=normal(3, 5, scale=3.0)),
        left=lambda f, targets, logits, shift: f.token_cross_entropy(
            targets, logits + shift[..., None], PADDED, label_smoothing=0.3),
        right=lambda f, targets, logits, shift: f.token_cross_entropy(targets, logits, PADDED, label_smoothing=0.3),
    ),
    Law.normalized(
        "the targets' probabilities sum to one", given(logits=normal(3, 4)),
        total=lambda f, logits: np.exp(-f.token_cross_entropy(EVERY, np.tile(logits, (4, 1, 1)), None)).sum(0),
    ),
    Law.at_least(
        "a smoothed loss is at least the entropy of its target", given(targets=TARGETS, logits=LOGITS),
        left=lambda f, targets, logits: f.token_cross_entropy(targets, logits, None, label_smoothing=0.4),
        right=-(0.7 * np.log(0.7) + 0.3 * np.log(0.1)),
    ),
    Law.equal(
        "which it attains where the prediction is the target", given(targets=TARGETS),
        left=lambda f, targets: f.token_cross_entropy(targets, np.log(smoothed(targets, 0.4)), None, label_smoothing=0.4),
        right=-(0.7 * np.log(0.7) + 0.3 * np.log(0.1)),
    ),
    Anchor("token_cross_entropy", "256 tokens",
           given(targets=[[255, 0]], logits=np.log(np.broadcast_to(np.arange(1.0, 257.0), (1, 2, 256))), mask=None),
           gives=[[np.log(257 / 2), np.log(257 * 128)]], source="1 + 2 + .. + 256 = 257 x 128"),
    Rejects("token_cross_entropy", "a target above V-1", given(targets=[[0, 4]], logits=zeros(1, 2, 4), mask=None),
            blames="targets"),
    Rejects("token_cross_entropy", "a negative target", given(targets=[[0, -1]], logits=zeros(1, 2, 4), mask=None),
            blames="targets"),
    Rejects("token_cross_entropy", "targets that are not shifted", given(targets=[[0, 1, 1]], logits=zeros(1, 2, 4), mask=None),
            blames="logits"),
    Rejects("token_cross_entropy", "a mask of another shape",
            given(targets=[[0, 1], [1, 0]], logits=zeros(2, 2, 4), mask=np.ones((2, 3), dtype=bool)), blames="mask"),
    Rejects("token_cross_entropy", "negative smoothing",
            given(targets=[[0, 1]], logits=zeros(1, 2, 4), mask=None, label_smoothing=-0.1), blames="label_smoothing"),
    Rejects("token_cross_entropy", "smoothing in percent",
            given(targets=[[0, 1]], logits=zeros(1, 2, 4), mask=None, label_smoothing=10.0), blames="label_smoothing"),
    # The corpus.
    Agree("corpus_cross_entropy", "regular", given(losses=normal(3, 5), mask=PADDED), smallest_batch=1),
    Agree("corpus_cross_entropy", "one token",
          given(losses=normal(3, 5), mask=np.arange(15).reshape(3, 5) == 7)),
    Agree("corpus_cross_entropy", "padding is not a number",
          given(losses=np.array([[1.0, np.nan, 2.5], [np.inf, 0.25, -np.inf]]),
                mask=np.array([[True, False, True], [False, True, False]]))),
    Anchor(
        "corpus_cross_entropy", "59 over 5", given(losses=LOSSES, mask=LOSSES_MASK), gives=11.8, source="by hand",
        near_misses={"mean of the rows' means": 10.083333333333334, "mean over the padded length": 9.8333333333333333,
                     "padding counted": 10.5, "sum": 59.0, "sum over the batch size": 29.5, "mask inverted": 4.0},
    ),
    Law.equal(
        "padding is as if it were not there", given(targets=integers(3, 5, high=4), logits=normal(3, 5, 4)),
        left=lambda f, targets, logits: f.corpus_cross_entropy(
            f.token_cross_entropy(targets, logits, np.arange(5) < np.full((3, 1), 4)), np.arange(5) < np.full((3, 1), 4)),
        right=lambda f, targets, logits: f.corpus_cross_entropy(
            f.token_cross_entropy(targets[:, :4], logits[:, :4], None), np.ones((3, 4), dtype=bool)),
    ),
    Law.equal(
        "how tokens are spread over rows does not matter", given(losses=normal(3, 5)),
        left=lambda f, losses: f.corpus_cross_entropy(losses, PADDED),
        right=lambda f, losses: f.corpus_cross_entropy(losses.reshape(5, 3), PADDED.reshape(5, 3)),
    ),
    Law.equal(
        "a uniform model has a loss of ln V", given(targets=TARGETS),
        left=lambda f, targets: f.corpus_cross_entropy(f.token_cross_entropy(targets, np.full((3, 5, 4), 2.0), PADDED), PADDED),
        right=LOG_4,
    ),
    Rejects("corpus_cross_entropy", "no example", given(losses=zeros(0, 3), mask=np.ones((0, 3), dtype=bool)), blames="mask"),
    Rejects("corpus_cross_entropy", "no steps", given(losses=zeros(2, 0), mask=np.ones((2, 0), dtype=bool)), blames="mask"),
    Rejects("corpus_cross_entropy", "an empty mask", given(losses=zeros(2, 3), mask=np.zeros((2, 3), dtype=bool)), blames="mask"),
    Rejects("corpus_cross_entropy", "a mask of lengths", given(losses=zeros(2, 3), mask=[3, 2]), blames="mask"),
    Rejects("corpus_cross_entropy", "no batch", given(losses=zeros(3), mask=np.ones(3, dtype=bool)), blames="losses"),
    # The tied head.
    Agree("tied_logits", "regular", given(hidden=normal(3, 5, 6), embedding=normal(4, 6))),
    Agree("tied_logits", "width one, one step", given(hidden=normal(3, 1, 1), embedding=normal(4, 1))),
    Anchor(
        "tied_logits", "five words of width 4", given(hidden=HIDDEN, embedding=EMBEDDING), gives=SCORES, source="by hand",
        near_misses={"scaled by the root of the width": SCORES / 2, "sign": -SCORES},
    ),
    Law.equal(
        "words scored by words: the matrix is symmetric", given(embedding=normal(4, 6)),
        left=lambda f, embedding: f.tied_logits(embedding[None], embedding),
        right=lambda f, embedding: np.swapaxes(f.tied_logits(embedding[None], embedding), 1, 2),
    ),
    Law.equal(
        "words permuted, scores permuted", given(hidden=normal(3, 5, 6), embedding=normal(4, 6), permutation=[2, 0, 3, 1]),
        left=lambda f, hidden, embedding, permutation: f.tied_logits(hidden, embedding[permutation]),
        right=lambda f, hidden, embedding, permutation: f.tied_logits(hidden, embedding)[..., permutation],
    ),
    Rejects("tied_logits", "a matrix of another width", given(hidden=zeros(2, 3, 4), embedding=zeros(5, 3)), blames="embedding"),
    Rejects("tied_logits", "no batch", given(hidden=zeros(3, 4), embedding=zeros(5, 4)), blames="hidden"),
    Rejects("tied_logits", "one word", given(hidden=zeros(2, 3, 4), embedding=zeros(4)), blames="embedding"),
)  # fmt: skip
