"""Contracts of a language model as a policy (lecture 51)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, full, given, integers, log_of, log_simplex, normal, zeros

# A prompt before and padding behind, one token that counts, the prompt alone in front (left padding), all.
MASK = np.array([[0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1], [1, 1, 1, 1, 1]], dtype=bool)
TOKENS, LOGITS = integers(4, 5, high=3), normal(4, 5, 3, scale=2.0)
NEG = -np.inf
# Texts of two tokens, 00, 01, 10, 11, reward log 4 for 11, an even reference, coefficient 1: Z = 7/4.
REWARDS = np.array([[0.0, 0.0], [0.0, 2 * LOG_2]])
EVEN = (log_of([0.5, 0.5]), log_of([[0.5, 0.5], [0.5, 0.5]]))
TREE = (log_simplex(3), log_simplex(3, 3), log_simplex(3, 3, 3))
SPARSE = (log_of([0.5, 0.5, 0.0]), log_of([[0.25, 0.0, 0.75], [1.0, 0.0, 0.0], [0.5, 0.25, 0.25]]))


def _texts(tables):
    """The log-probability of every text, [V]*T, from its tables."""
    total = np.zeros(())
    for table in tables:
        total = total[..., None] + table
    return total


def _optimum(f, rewards, tables, beta):
    return _texts(f.optimal_token_log_probs(rewards, tables, kl_coefficient=beta))


def _objective(f, log_probs, tables, rewards, beta):
    flat = [np.ravel(a)[None] for a in (log_probs, _texts(tables), rewards)]
    return f.kl_regularized_objective(*flat, kl_coefficient=beta)[0]


def _kl(log_p, log_q):
    return (np.exp(log_p) * (log_p - log_q)).sum()


SPEC = (
    Agree("masked_token_log_probs", "regular", given(tokens=TOKENS, logits=LOGITS, mask=MASK)),
    Agree("masked_token_log_probs", "logits near 1000", given(tokens=TOKENS, logits=normal(4, 5, 3, mean=1000.0), mask=MASK)),
    Agree("masked_token_log_probs", "padding holds an unknown token and infinite logits",
          given(tokens=[[1, 0, 99], [-1, 2, 1]], mask=np.array([[True, True, False], [False, True, True]]),
                logits=[[[0.5, 1.0, -1.0], [0.0, 0.25, NEG], [NEG, NEG, NEG]],
                        [[np.inf, 0.0, 1.0], [0.5, 0.0, 2.0], [1.0, 1.0, 0.0]]]),
          no_gradient="a logit of -inf has no slope"),
    Agree("masked_token_log_probs", "the last of 256 tokens",
          given(tokens=[[255, 0]], logits=normal(1, 2, 256), mask=np.ones((1, 2), bool))),
    Agree("masked_token_log_probs", "one step", given(tokens=[[2], [0]], logits=normal(2, 1, 3), mask=np.ones((2, 1), bool))),
    *(
        Agree("shaped_rewards", case,
              given(score=normal(4), log_probs=normal(4, 5, mean=-2.0), reference_log_probs=normal(4, 5, mean=-2.0), mask=MASK,
                    kl_coefficient=beta))
        for case, beta in (("regular", 0.2), ("no price", 0.0))
    ),
    Agree("shaped_rewards", "padding holds what has no meaning",
          given(score=[2.0, -1.0], log_probs=[[np.nan, -1.0, NEG], [-0.5, NEG, np.inf]],
                reference_log_probs=[[0.5, -2.0, NEG], [-0.25, np.nan, NEG]],
                mask=np.array([[False, True, False], [True, False, False]]), kl_coefficient=0.5)),
    Agree("shaped_rewards", "one step", given(score=normal(3), log_probs=normal(3, 1), reference_log_probs=normal(3, 1),
                                              mask=np.ones((3, 1), bool), kl_coefficient=1.5)),
    *(
        Agree("kl_regularized_objective", case,
              given(log_probs=log_simplex(4, 6), reference_log_probs=log_simplex(4, 6), rewards=normal(4, 6, scale=2.0),
                    kl_coefficient=beta))
        for case, beta in (("regular", 0.7), ("no price", 0.0), ("price 100", 100.0))
    ),
    Agree("kl_regularized_objective", "never where the reference never is",
          given(log_probs=log_of([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]),
                reference_log_probs=log_of([[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]]),
                rewards=normal(2, 3), kl_coefficient=0.5)),
    *(
        Agree("kl_regularized_objective", f"what the reference never does, price {beta}",
              given(log_probs=log_of([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]),
                    reference_log_probs=log_of([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]), rewards=normal(2, 3), kl_coefficient=beta),
              no_gradient="it is infinite with a price")
        for beta in (0.5, 0.0)
    ),
    *(
        Agree(function, case, given(rewards=rewards, reference_log_probs=tables, kl_coefficient=beta),
              no_gradient=silent,
              edge="exponents near 1000 have few digits behind the point" if beta < 0.1 else "")
        for function in ("backward_soft_values", "optimal_token_log_probs")
        for case, rewards, tables, beta, silent in (
            ("regular", normal(3, 3, 3, scale=2.0), TREE, 0.7, ""),
            ("coefficient 0.01, rewards near 10", normal(3, 3, mean=10.0, scale=0.05), TREE[:2], 0.01, ""),
            ("one token", normal(4), (log_simplex(4),), 0.5, ""),
            ("coefficient 100, rewards near 1000", normal(3, 3, mean=1000.0), TREE[:2], 100.0, ""),
            ("what the reference never does", normal(3, 3), SPARSE, 0.5, "a logarithm of 0 has no slope"),
        )
    ),
    Anchor("masked_token_log_probs", "odds of 3 to 1, then a fair coin, then padding",
           given(tokens=[[0, 1, 1]], logits=[[[LOG_3, 0.0], [0.5, 0.5], [9.0, 0.0]]], mask=np.array([[True, True, False]])),
           gives=[[LOG_3 - 2 * LOG_2, -LOG_2, 0.0]], source="by hand",
           near_misses={"shifted by one": [[-2 * LOG_2, -LOG_2, 0.0]],
                        "padding counted": [[LOG_3 - 2 * LOG_2, -LOG_2, -9.0001234]],
                        "logits": [[LOG_3, 0.5, 0.0]]}),
    Anchor("shaped_rewards", "a prompt, two tokens, padding",
           given(score=[3.0], log_probs=[[-5.0, -1.0, -2.0, -7.0]], reference_log_probs=[[-1.0, -1.5, -1.0, -3.0]],
                 mask=np.array([[False, True, True, False]]), kl_coefficient=0.5),
           gives=[[0.0, -0.25, 3.5, 0.0]], source="by hand",
           near_misses={"score at the end of the row": [[0.0, -0.25, 0.5, 3.0]],
                        "sign of the divergence": [[0.0, 0.25, 2.5, 0.0]], "divergence of the prompt": [[2.0, -0.25, 3.5, 2.0]],
                        "reference of the token before": [[0.0, 0.0, 3.25, 0.0]],
                        "divergence averaged": [[0.0, -0.125, 3.25, 0.0]], "score at every token": [[0.0, 2.75, 3.5, 0.0]]}),
    Anchor("kl_regularized_objective", "the reference, and the best policy",
           given(log_probs=log_of([[0.25, 0.25, 0.25, 0.25], [1 / 7, 1 / 7, 1 / 7, 4 / 7]]),
                 reference_log_probs=log_of([[0.25] * 4] * 2), rewards=np.stack([REWARDS.ravel()] * 2), kl_coefficient=1.0),
           gives=[LOG_2 / 2, 0.5596157879354227], source="1/4 log 4, and log 7/4",
           near_misses={"divergence added": [LOG_2 / 2, 1.0247264], "reward alone": [LOG_2 / 2, 0.7921682],
                        "divergence averaged over the tokens": [LOG_2 / 2, 0.6758920]}),
    Anchor("backward_soft_values", "two tokens", given(rewards=REWARDS, reference_log_probs=EVEN, kl_coefficient=1.0),
           gives=(0.5596157879354227, [0.0, 0.9162907318741551]), source="log 7/4, and (0, log 5/2)",
           near_misses={"means": (LOG_2 / 2, [0.0, LOG_2]), "maxima": (2 * LOG_2, [0.0, 2 * LOG_2]),
                        "reference forgotten": (1.9459101, [LOG_2, 1.6094379])}),
    Anchor("optimal_token_log_probs", "two tokens", given(rewards=REWARDS, reference_log_probs=EVEN, kl_coefficient=1.0),
           gives=(log_of([2 / 7, 5 / 7]), log_of([[0.5, 0.5], [0.2, 0.8]])), source="by hand",
           near_misses={"values by plain means": (log_of([1 / 3, 2 / 3]), log_of([[0.5, 0.5], [0.2, 0.8]])),
                        "values of the best text": (log_of([0.2, 0.8]), log_of([[0.5, 0.5], [0.2, 0.8]])),
                        "the last token alone": (log_of([0.5, 0.5]), log_of([[0.5, 0.5], [0.2, 0.8]]))}),
    Law.equal("shaped rewards sum to the score less the price of the log-ratio",
              given(score=normal(4), log_probs=normal(4, 5), reference=normal(4, 5)),
              left=lambda f, *given: f.shaped_rewards(*given, MASK, kl_coefficient=0.3).sum(axis=1),
              right=lambda f, score, p, q: score - 0.3 * ((p - q) * MASK).sum(axis=1)),
    Law.equal("masked entries have no influence", given(score=normal(4), log_probs=normal(4, 5), other=normal(4, 5, scale=9.0)),
              left=lambda f, score, p, other: f.shaped_rewards(score, np.where(MASK, p, other), other, MASK, kl_coefficient=0.3),
              right=lambda f, score, p, other: f.shaped_rewards(score, p, np.where(MASK, other, 0), MASK, kl_coefficient=0.3)),
    Law.normalized("a text is one of all texts", given(rewards=normal(3, 3, 3), tables=TREE),
                   total=lambda f, rewards, tables: np.exp(_optimum(f, rewards, tables, 0.5)).sum()),
    Law.equal("token by token it is the reference tilted by the reward", given(rewards=normal(3, 3, 3), tables=TREE),
              left=lambda f, rewards, tables: _optimum(f, rewards, tables, 0.5),
              right=lambda f, rewards, tables: (
                  _texts(tables) + (rewards - f.backward_soft_values(rewards, tables, kl_coefficient=0.5)[0]) / 0.5)),
    Law.equal("its objective is the value of the empty prefix", given(rewards=normal(3, 3, 3), tables=TREE),
              left=lambda f, rewards, tables: _objective(f, _optimum(f, rewards, tables, 0.5), tables, rewards, 0.5),
              right=lambda f, rewards, tables: f.backward_soft_values(rewards, tables, kl_coefficient=0.5)[0]),
    Law.equal("any policy falls short by the price of its divergence from "
    "it", given(rewards=normal(3, 3), tables=TREE[:2], other=log_simplex(9)),
              left=lambda f, rewards, tables, other: (
                  f.backward_soft_values(rewards, tables, kl_coefficient=0.5)[0] - _objective(f, other, tables, rewards, 0.5)),
              right=lambda f, rewards, tables, other: 0.5 * _kl(other, _optimum(f, rewards, tables, 0.5).ravel())),
    Law.equal("a reward for all texts alike changes no policy", given(rewards=normal(3, 3), tables=TREE[:2]),
              left=lambda f, rewards, tables: _optimum(f, rewards + 4.0, tables, 0.5),
              right=lambda f, rewards, tables: _optimum(f, rewards, tables, 0.5)),
    Rejects("masked_token_log_probs", "a row without a token",
            given(tokens=np.zeros((2, 3), int), logits=zeros(2, 3, 4), mask=np.array([[1, 1, 0], [0, 0, 0]], bool)),
            blames="mask"),
    Rejects("masked_token_log_probs", "a token beyond the vocabulary",
            given(tokens=[[0, 4]], logits=zeros(1, 2, 4), mask=np.ones((1, 2), bool)), blames="tokens"),
    Rejects("masked_token_log_probs", "logits of one step more",
            given(tokens=[[0, 1]], logits=zeros(1, 3, 4), mask=np.ones((1, 2), bool)),
            blames="logits"),
    *(
        Rejects("shaped_rewards", case,
                given(**{"score": [1.0, 2.0], "log_probs": full(2, 3, value=-1.0), "reference_log_probs": full(2, 3, value=-1.5),
                         "mask": np.array([[0, 1, 1], [1, 1, 0]], bool), "kl_coefficient": 0.1} | wrong), blames=name)
        for case, name, wrong in (
            ("a row without a token", "mask", {"mask": np.array([[0, 0, 0], [1, 1, 0]], bool)}),
            ("a mask of one step more", "mask", {"mask": np.ones((2, 4), bool)}),
            ("a score that is NaN", "score", {"score": [np.nan, 1.0]}),
            ("a score for each token", "score", {"score": zeros(2, 3)}),
            ("a token of probability 0", "log_probs", {"log_probs": [[0.0, NEG, -1.0], [-1.0, -1.0, -1.0]]}),
            ("what the reference never "
            "does", "reference_log_probs", {"reference_log_probs": [[0.0, NEG, -1.0], [-1.0, -1.0, -1.0]]}),
            ("a reference of other texts", "reference_log_probs", {"reference_log_probs": zeros(2, 4)}),
            ("a negative price", "kl_coefficient", {"kl_coefficient": -0.1}),
        )
    ),
    *(
        Rejects("kl_regularized_objective", case,
                given(**{"log_probs": log_of([[0.5, 0.5]]), "reference_log_probs": log_of([[0.25, 0.75]]),
                         "rewards": [[0.0, 1.0]], "kl_coefficient": 0.1} | wrong), blames=name)
        for case, name, wrong in (
            ("probabilities", "log_probs", {"log_probs": [[0.5, 0.5]]}),
            ("a reference that does not sum to one", "reference_log_probs", {"reference_log_probs": [[-1.0, -1.0]]}),
            ("rewards of other texts", "rewards", {"rewards": zeros(1, 3)}),
            ("a reward that is NaN", "rewards", {"rewards": [[0.0, np.nan]]}),
            ("a negative price", "kl_coefficient", {"kl_coefficient": -0.1}),
            ("no text", "log_probs", {"log_probs": zeros(2, 0), "reference_log_probs": zeros(2, 0), "rewards": zeros(2, 0)}),
        )
    ),
    *(
        Rejects(function, case,
                given(**{"rewards": REWARDS, "reference_log_probs": EVEN, "kl_coefficient": 1.0} | wrong), blames=name)
        for function in ("backward_soft_values", "optimal_token_log_probs")
        for case, name, wrong in (
            ("no price", "kl_coefficient", {"kl_coefficient": 0.0}),
            ("a table too few", "reference_log_probs", {"reference_log_probs": EVEN[:1]}),
            ("a table of another vocabulary", "reference_log_probs", {"reference_log_probs": (log_of([1 / 3] * 3), EVEN[1])}),
            ("a table that does not sum to one", "reference_log_probs", {"reference_log_probs": (EVEN[0], zeros(2, 2))}),
            ("a reward that is NaN", "rewards", {"rewards": [[0.0, np.nan], [0.0, 0.0]]}),
            ("no token", "rewards", {"rewards": zeros(), "reference_log_probs": ()}),
        )
    ),
)  # fmt: skip
