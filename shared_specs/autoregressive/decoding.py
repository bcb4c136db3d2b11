"""Contracts of decoding: filters of logits, and draws from uniform numbers (lecture 48)."""

import numpy as np

from shared_specs.autoregressive._cases import softmax
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, log_of, normal, uniform, zeros

INF, AFTER = np.inf, 1 - 1e-16  # the last float64 before 1; in float32 it is 1
ROUNDED_AWAY = "probabilities that float32 rounds to 0"
LOGITS = normal(4, 6, scale=2.0)
REMOVED = np.array(
    [
        [-INF, 1.5, 0.3, -INF, -0.2, 2.0],
        [0.1, -INF, -INF, -INF, -INF, -INF],
        [0.0, 0.5, -1.0, 3.0, -INF, -INF],
        [-INF, -INF, 0.7, 0.6, 0.5, 0.4],
    ]
)
# Far apart; further apart, and all of them unlikely; all equal; ties.
EDGES = np.array(
    [
        [800.0, 0.0, -800.0, 799.0, -INF, 3.0],
        [-800.0, -801.0, -830.0, -1600.0, -799.0, -900.0],
        [0.0] * 6,
        [3.0, 1.0, 3.0, 3.0, 0.0, 1.0],
    ]
)
GONE, JUMPS = "removed entries are -inf; the gradient has a law", "a draw is a step function of the uniforms"
LAW = [0.15, 0.5, 0.3, 0.05]
ORDER = np.array([4, 0, 5, 2, 1, 3])
FIRST, SECOND = [2.0, -1.0, 3.0, 0.5], [-2.0, 4.0, -INF, 1.0]


def kept(logits):
    """1.0 where a token is left."""
    return np.isfinite(logits) * 1.0


def hot(tokens, size):
    """A row of the identity for each token."""
    return (tokens[:, None] == np.arange(size)) * 1.0


FILTERS = (
    ("top_k_filter", dict(k=3)),
    ("nucleus_filter", dict(mass=0.8)),
    ("typical_filter", dict(mass=0.6)),
    ("minimum_probability_filter", dict(fraction=0.15)),
)

SPEC = (
    # Temperature.
    Agree("apply_temperature", "regular", given(logits=LOGITS, temperature=0.7)),
    Agree("apply_temperature", "cold, with logits of 800", given(logits=EDGES, temperature=1e-3), no_gradient=GONE),
    Agree("apply_temperature", "hot", given(logits=LOGITS, temperature=1e6)),
    Agree("apply_temperature", "removed tokens", given(logits=REMOVED, temperature=2.0), no_gradient=GONE),
    Anchor(
        "apply_temperature", "half the temperature, twice the logits",
        given(logits=[FIRST, SECOND], temperature=0.5), gives=[[4.0, -2.0, 6.0, 1.0], [-4.0, 8.0, -INF, 2.0]], source="by hand",
        near_misses={"multiplied": [[1.0, -0.5, 1.5, 0.25], [-1.0, 2.0, -INF, 0.5]],
                     "squared": [[8.0, -4.0, 12.0, 2.0], [-8.0, 16.0, -INF, 4.0]],
                     "not applied": [FIRST, SECOND]},
    ),
    Law.equal("probabilities to the power 1/T", given(logits=LOGITS),
              left=lambda f, logits: softmax(f.apply_temperature(logits, temperature=0.7)),
              right=lambda f, logits: softmax(logits) ** (1 / 0.7) / (softmax(logits) ** (1 / 0.7)).sum(-1, keepdims=True)),
    Law.equal("temperatures multiply", given(logits=LOGITS),
              left=lambda f, logits: f.apply_temperature(f.apply_temperature(logits, temperature=0.4), temperature=3.0),
              right=lambda f, logits: f.apply_temperature(logits, temperature=1.2)),
    Law.limit("a hot law is uniform", given(logits=normal(4, 6)), at=(0.1, 0.05, 0.025), limit=1 / 6, order=1.0,
              value=lambda f, cold, logits: softmax(f.apply_temperature(logits, temperature=1 / cold))),
    Rejects("apply_temperature", "temperature 0 (greedy is its own function)", given(logits=zeros(2, 3), temperature=0.0),
            blames="temperature"),
    Rejects("apply_temperature", "below 0", given(logits=zeros(2, 3), temperature=-1.0), blames="temperature"),
    Rejects("apply_temperature", "infinite", given(logits=zeros(2, 3), temperature=INF), blames="temperature"),
    Rejects("apply_temperature", "one axis", given(logits=zeros(3), temperature=1.0), blames="logits"),
    # Top-k.
    Agree("top_k_filter", "regular", given(logits=LOGITS, k=3), no_gradient=GONE),
    Agree("top_k_filter", "more than there are", given(logits=LOGITS, k=9)),
    Agree("top_k_filter", "the largest alone, far apart or tied", given(logits=EDGES, k=1), no_gradient=GONE),
    Agree("top_k_filter", "removed tokens, fewer than k left", given(logits=REMOVED, k=3), no_gradient=GONE),
    Anchor(
        "top_k_filter", "two of four, and a tie", given(logits=[[1.0, 4.0, 2.0, 3.0], [0.0, 0.0, 0.0, -1.0]], k=2),
        gives=[[-INF, 4.0, -INF, 3.0], [0.0, 0.0, 0.0, -INF]], source="by hand",
        near_misses={"ties cut": [[-INF, 4.0, -INF, 3.0], [0.0, 0.0, -INF, -INF]],
                     "0 for -inf": [[0.0, 4.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0]],
                     "above the k-th": [[-INF, 4.0, -INF, -INF], [-INF] * 4],
                     "one too many": [[-INF, 4.0, 2.0, 3.0], [0.0, 0.0, 0.0, -INF]],
                     "the smallest": [[1.0, -INF, 2.0, -INF], [0.0, 0.0, 0.0, -1.0]]},
    ),
    Law.equal("k tokens are left where no two are equal", given(logits=LOGITS),
              left=lambda f, logits: kept(f.top_k_filter(logits, k=3)).sum(-1), right=3.0),
    Law.equal("commutes with temperature", given(logits=LOGITS),
              left=lambda f, logits: f.apply_temperature(f.top_k_filter(logits, k=3), temperature=0.7),
              right=lambda f, logits: f.top_k_filter(f.apply_temperature(logits, temperature=0.7), k=3)),
    Rejects("top_k_filter", "none", given(logits=zeros(2, 3), k=0), blames="k is"),
    # The nucleus.
    Agree("nucleus_filter", "regular", given(logits=LOGITS, mass=0.8), no_gradient=GONE),
    Agree("nucleus_filter", "everything", given(logits=LOGITS, mass=1.0)),
    Agree("nucleus_filter", "everything that is left, be it e^-1600", given(logits=EDGES, mass=1.0), no_gradient=GONE,
          edge=ROUNDED_AWAY),
    Agree("nucleus_filter", "the smallest mass keeps one", given(logits=EDGES, mass=1e-30), no_gradient=GONE),
    Agree("nucleus_filter", "far apart, equal, tied: the lower index first", given(logits=EDGES, mass=0.8), no_gradient=GONE),
    Agree("nucleus_filter", "removed tokens", given(logits=REMOVED, mass=0.8), no_gradient=GONE),
    Anchor(
        "nucleus_filter", "the token that crosses the mass is kept",
        given(logits=np.array([1 + log_of(LAW), log_of([0.9, 0.06, 0.03, 0.01])]), mass=0.7),
        gives=[[-INF, 1 + np.log(0.5), 1 + np.log(0.3), -INF], [np.log(0.9), -INF, -INF, -INF]], source="by hand: 0.5 + 0.3, 0.9",
        near_misses={
            "the crossing token dropped": [[-INF, 1 + np.log(0.5), -INF, -INF], [-INF] * 4],
            "sums in the order of the vocabulary": [[1 + np.log(0.15), 1 + np.log(0.5), 1 + np.log(0.3), -INF],
                                                    [np.log(0.9), -INF, -INF, -INF]],
            "the least likely first": [[1 + np.log(0.15), 1 + np.log(0.5), 1 + np.log(0.3), 1 + np.log(0.05)],
                                       list(log_of([0.9, 0.06, 0.03, 0.01]))],
            "log-probabilities, not logits": [[-INF, np.log(0.5), np.log(0.3), -INF], [np.log(0.9), -INF, -INF, -INF]],
            "0 for -inf": [[0.0, 1 + np.log(0.5), 1 + np.log(0.3), 0.0], [np.log(0.9), 0.0, 0.0, 0.0]],
        },
    ),
    Anchor(
        "nucleus_filter", "a mass that is met exactly is enough", given(logits=[[0.0] * 4, [2.0, 2.0, -INF, -INF]], mass=0.5),
        gives=[[0.0, 0.0, -INF, -INF], [2.0, -INF, -INF, -INF]], source="1/4 + 1/4, and 1/2: exact in binary",
        near_misses={"one too many": [[0.0, 0.0, 0.0, -INF], [2.0, 2.0, -INF, -INF]],
                     "the higher index first": [[-INF, -INF, 0.0, 0.0], [-INF, 2.0, -INF, -INF]]},
    ),
    Law.at_least("has the mass", given(logits=LOGITS), right=0.8,
                 left=lambda f, logits: (softmax(logits) * kept(f.nucleus_filter(logits, mass=0.8))).sum(-1)),
    Law.at_least("has less without its least token", given(logits=LOGITS), left=0.8,
                 right=lambda f, logits: (lambda p: p.sum(-1) - np.where(p > 0, p, 2.0).min(-1))(
                     softmax(logits) * kept(f.nucleus_filter(logits, mass=0.8)))),
    # Typical tokens.
    Agree("typical_filter", "regular", given(logits=LOGITS, mass=0.6), no_gradient=GONE),
    Agree("typical_filter", "everything", given(logits=LOGITS, mass=1.0)),
    Agree("typical_filter", "everything that is left, be it e^-1600", given(logits=EDGES, mass=1.0), no_gradient=GONE,
          edge=ROUNDED_AWAY),
    Agree("typical_filter", "the smallest mass keeps one", given(logits=EDGES, mass=1e-30), no_gradient=GONE),
    Agree("typical_filter", "far apart, equal, tied: the lower index first", given(logits=EDGES, mass=0.6), no_gradient=GONE),
    Agree("typical_filter", "removed tokens", given(logits=REMOVED, mass=0.6), no_gradient=GONE),
    Anchor(
        "typical_filter", "the most likely token is too predictable",
        given(logits=1 + log_of([[0.4, 0.12, 0.15, 0.2, 0.13]]), mass=0.45),
        gives=[[-INF, -INF, 1 + np.log(0.15), 1 + np.log(0.2), 1 + np.log(0.13)]],
        source="by hand: distances from H = 1.4926 are 0.576, 0.628, 0.404, 0.117, 0.548",
        near_misses={
            "the nucleus": [[1 + np.log(0.4), -INF, -INF, 1 + np.log(0.2), -INF]],
            "the crossing token dropped": [[-INF, -INF, 1 + np.log(0.15), 1 + np.log(0.2), -INF]],
            "the least typical first": [[1 + np.log(0.4), 1 + np.log(0.12), -INF, -INF, -INF]],
            "entropy in bits": [[-INF, 1 + np.log(0.12), 1 + np.log(0.15), 1 + np.log(0.2), 1 + np.log(0.13)]],
        },
    ),
    Law.at_least("typical tokens have the mass", given(logits=LOGITS), right=0.6,
                 left=lambda f, logits: (softmax(logits) * kept(f.typical_filter(logits, mass=0.6))).sum(-1)),
    # Min-p.
    Agree("minimum_probability_filter", "regular", given(logits=LOGITS, fraction=0.15), no_gradient=GONE),
    Agree("minimum_probability_filter", "fraction 0 keeps all", given(logits=LOGITS, fraction=0.0)),
    Agree("minimum_probability_filter", "fraction 1 keeps the largest", given(logits=EDGES, fraction=1.0), no_gradient=GONE),
    Agree("minimum_probability_filter", "removed tokens", given(logits=REMOVED, fraction=0.3), no_gradient=GONE),
    Agree("minimum_probability_filter", "fraction 0, and e^-1600", given(logits=EDGES, fraction=0.0), no_gradient=GONE),
    Agree("minimum_probability_filter", "far apart", given(logits=EDGES, fraction=1e-300), no_gradient=GONE),
    Anchor(
        "minimum_probability_filter", "a quarter of the largest",
        given(logits=np.array([2 + log_of(LAW), log_of([0.3, 0.26, 0.24, 0.2])]), fraction=0.25),
        gives=[[2 + np.log(0.15), 2 + np.log(0.5), 2 + np.log(0.3), -INF], list(log_of([0.3, 0.26, 0.24, 0.2]))],
        source="by hand: at least 0.125, at least 0.075",
        near_misses={
            "an absolute threshold": [[-INF, 2 + np.log(0.5), 2 + np.log(0.3), -INF], [np.log(0.3), np.log(0.26), -INF, -INF]],
            "a fraction of the largest logit": [[-INF, 2 + np.log(0.5), 2 + np.log(0.3), -INF], [-INF] * 4],
            "what is below is kept": [[-INF, -INF, -INF, 2 + np.log(0.05)], [-INF] * 4],
        },
    ),
    # What all filters have in common.
    *(Law.equal(f"{name}: what is left passes its gradient on, the rest none", given(logits=LOGITS),
                left=lambda f, logits, name=name, named=named: f.gradient(name, logits, **named),
                right=lambda f, logits, name=name, named=named: kept(getattr(f, name)(logits, **named)))
      for name, named in FILTERS),
    *(Law.equal(f"{name}: removed tokens make no gradient NaN", given(logits=REMOVED), right=1.0,
                left=lambda f, logits, name=name, named=named: np.isfinite(f.gradient(name, logits, **named)) * 1.0)
      for name, named in FILTERS),
    *(Law.equal(f"{name}: permuted tokens", given(logits=LOGITS),
                left=lambda f, logits, name=name, named=named: getattr(f, name)(logits[:, ORDER], **named),
                right=lambda f, logits, name=name, named=named: getattr(f, name)(logits, **named)[:, ORDER])
      for name, named in FILTERS),
    *(Law.equal(f"{name}: a constant added to a row keeps the same tokens", given(logits=LOGITS, shift=normal(4, 1)),
                left=lambda f, logits, shift, name=name, named=named: kept(getattr(f, name)(logits + 9 * shift, **named)),
                right=lambda f, logits, shift, name=name, named=named: kept(getattr(f, name)(logits, **named)))
      for name, named in FILTERS),
    *(Law.at_least(f"{name}: more mass, more tokens", given(logits=LOGITS),
                   left=lambda f, logits, name=name: kept(getattr(f, name)(logits, mass=0.8)),
                   right=lambda f, logits, name=name: kept(getattr(f, name)(logits, mass=0.6)))
      for name in ("nucleus_filter", "typical_filter")),
    *(Rejects(name, case, given(logits=np.array(logits), **named), blames="logits") for name, named in FILTERS
      for case, logits in (("no token left", [[0.0, 1.0], [-INF, -INF]]), ("+inf", [[0.0, INF]]), ("NaN", [[np.nan, 0.0]]),
                           ("one axis", [0.0, 1.0]), ("no vocabulary", np.zeros((2, 0))))),
    *(Rejects(name, f"{parameter} {value:g}", given(logits=zeros(2, 3), **{parameter: value}), blames=parameter)
      for name, parameter, values in (("nucleus_filter", "mass", (0.0, 1.5)), ("typical_filter", "mass", (0.0, 1.5)),
                                      ("minimum_probability_filter", "fraction", (-0.1, 1.5))) for value in values),
    # Repetition.
    Agree("repetition_penalty", "regular", given(logits=LOGITS, tokens=integers(4, 3, high=6), penalty=1.3)),
    Agree("repetition_penalty", "a reward", given(logits=LOGITS, tokens=integers(4, 3, high=6), penalty=0.6)),
    Agree("repetition_penalty", "nothing was said yet", given(logits=LOGITS, tokens=np.zeros((4, 0), dtype=int), penalty=1.3)),
    Agree("repetition_penalty", "removed tokens, and 0", given(logits=REMOVED, tokens=integers(4, 5, high=6), penalty=1.3),
          no_gradient="a logit of 0 is a kink, and removed entries are -inf"),
    Anchor(
        "repetition_penalty", "toward less likely on either side of 0",
        given(logits=[FIRST, SECOND], tokens=[[0, 1, 0], [2, 1, 0]], penalty=2.0),
        gives=[[1.0, -2.0, 3.0, 0.5], [-4.0, 2.0, -INF, 1.0]], source="by hand",
        near_misses={"negative logits divided": [[1.0, -0.5, 3.0, 0.5], [-1.0, 2.0, -INF, 1.0]],
                     "once for every occurrence": [[0.5, -2.0, 3.0, 0.5], [-4.0, 2.0, -INF, 1.0]],
                     "the tokens that did not occur": [[2.0, -1.0, 1.5, 0.25], [-2.0, 4.0, -INF, 0.5]],
                     "subtracted": [[0.0, -3.0, 3.0, 0.5], [-4.0, 2.0, -INF, 1.0]],
                     "multiplied": [[4.0, -2.0, 3.0, 0.5], [-4.0, 8.0, -INF, 1.0]]},
    ),
    Law.equal("log-probabilities are raised to the power of the penalty", given(logits=LOGITS, tokens=integers(4, 3, high=6)),
              left=lambda f, logits, tokens: f.repetition_penalty(np.log(softmax(logits)), tokens, penalty=1.4),
              right=lambda f, logits, tokens: np.log(softmax(logits)) * np.where(
                  (tokens[:, :, None] == np.arange(6)).any(1), 1.4, 1.0)),
    Law.equal("how often and in which order does not matter", given(logits=LOGITS, tokens=integers(4, 3, high=6)),
              left=lambda f, logits, tokens: f.repetition_penalty(
                  logits, np.concatenate([tokens[:, ::-1], tokens], axis=1), penalty=1.4),
              right=lambda f, logits, tokens: f.repetition_penalty(logits, tokens, penalty=1.4)),
    Anchor("repetition_penalty", "256 tokens", given(logits=np.full((1, 256), 2.0), tokens=[[255, 0]], penalty=2.0),
           gives=[[1.0] + [2.0] * 254 + [1.0]], source="by hand"),
    *(Rejects("repetition_penalty", f"penalty {penalty:g}", given(logits=zeros(2, 3), tokens=[[0], [1]], penalty=penalty),
              blames="penalty") for penalty in (0.0, -1.0, INF)),
    *(Rejects("repetition_penalty", case, given(logits=zeros(2, 3), tokens=[[0], [token]], penalty=1.2), blames="tokens")
      for case, token in (("a token above V-1", 3), ("a token below 0", -1))),
    Rejects("repetition_penalty", "a row too few", given(logits=zeros(2, 3), tokens=[[0]], penalty=1.2), blames="tokens"),
    Rejects("repetition_penalty", "one axis of tokens", given(logits=zeros(2, 3), tokens=[0, 1], penalty=1.2), blames="tokens"),
    Rejects("repetition_penalty", "no token left", given(logits=[[-INF, -INF]], tokens=[[0]], penalty=1.2), blames="logits"),
    # Draws.
    Agree("categorical_from_uniform", "regular", given(logits=LOGITS, uniform=uniform(4)), no_gradient=JUMPS,
          frozen=("uniform",)),
    Agree("categorical_from_uniform", "removed tokens at both ends", given(logits=REMOVED, uniform=[0.0, AFTER, 1.0, 0.5]),
          no_gradient=JUMPS, frozen=("uniform",)),
    Agree("categorical_from_uniform", "probabilities of e^-800 and less", given(logits=EDGES, uniform=[AFTER] * 4),
          no_gradient=JUMPS, frozen=("uniform",)),
    Anchor(
        "categorical_from_uniform", "four equal tokens among seven",
        given(logits=[[-INF, 0.0, 0.0, -INF, 0.0, 0.0, -INF]] * 7, uniform=[0.0, 0.2, 0.25, 0.5, 0.75, AFTER, 1.0]),
        gives=[1, 1, 2, 4, 5, 5, 5], source="intervals [0, 1/4), [1/4, 1/2), ...: exact in binary", frozen=("uniform",),
        near_misses={"u <= sum": [0, 1, 1, 2, 4, 5, 5], "index V": [1, 1, 2, 4, 5, 7, 7], "the last token": [1, 1, 2, 4, 5, 6, 6],
                     "removed tokens drawn": [0, 1, 1, 3, 5, 6, 6], "from above": [5, 5, 4, 2, 1, 1, 1],
                     "the token after": [2, 2, 4, 5, 5, 5, 5]},
    ),
    Law.equal("as many of 64 cells as the probability has 64ths", given(), right=np.array([0, 20, 1, 0, 33, 10]) / 64,
              left=lambda f: hot(f.categorical_from_uniform(
                  np.tile(log_of(np.array([0, 20, 1, 0, 33, 10]) / 64) + 2.0, (64, 1)), (np.arange(64) + 0.5) / 64), 6).mean(0)),
    Law.unbiased("inverse-CDF draws have the law", given(logits=normal(6)), draws=40_000, detects=0.03,
                 samples=lambda f, rng, draws, logits: hot(
                     f.categorical_from_uniform(np.tile(logits, (draws, 1)), rng.uniform(size=draws)), 6),
                 expected=lambda f, logits: softmax(logits)),
    *(Rejects("categorical_from_uniform", f"uniform {u:g}", given(logits=zeros(2, 3), uniform=[0.5, u]), blames="uniform")
      for u in (-0.1, 1.5, np.nan)),
    Rejects("categorical_from_uniform", "a uniform too few", given(logits=zeros(2, 3), uniform=[0.5]), blames="uniform"),
    Rejects("categorical_from_uniform", "no token left", given(logits=[[-INF, -INF]], uniform=[0.5]), blames="logits"),
    Agree("gumbel_argmax", "regular", given(logits=LOGITS, uniforms=uniform(4, 6)), no_gradient=JUMPS, frozen=("uniforms",)),
    Agree("gumbel_argmax", "removed tokens, uniforms of 0 and 1",
          given(logits=REMOVED, uniforms=[[1.0, 0.0, 0.0, 1.0, 0.5, 0.0], [0.0, 1.0, 1.0, AFTER, 1.0, 1.0],
                                          [0.5, 0.0, AFTER, 0.5, 1.0, 1.0], [1.0, 0.5, 0.0, 0.0, 0.0, 0.0]]),
          no_gradient=JUMPS, frozen=("uniforms",)),
    Anchor(
        "gumbel_argmax", "noise against logits",
        given(logits=[[0.0, 1.0, -0.5], [0.0, 0.0, 0.0], [2.0, 0.0, 1.0], [0.0, 1.0, -0.5]],
              uniforms=[[0.6, 0.3, 0.9], [0.2, 0.5, 0.4], [0.1, 0.9, 0.5], [0.5, 0.45, 0.3]]),
        gives=[2, 1, 1, 1], source="mpmath: (0.67, 0.81, 1.75), (-0.48, 0.37, 0.09), (1.17, 2.25, 1.37), (0.37, 1.23, -0.69)",
        frozen=("uniforms",),
        near_misses={"l + log u": [1, 1, 2, 1], "l - log u": [1, 0, 0, 1], "l + log(-log u)": [1, 0, 0, 1],
                     "no noise": [1, 0, 0, 1], "no logits": [2, 1, 1, 0]},
    ),
    Law.equal("equal logits: the largest uniform", given(uniforms=uniform(7, 5)),
              left=lambda f, uniforms: f.gumbel_argmax(np.full((7, 5), 3.0), uniforms),
              right=lambda f, uniforms: uniforms.argmax(-1)),
    Law.unbiased("Gumbel draws have the law", given(logits=normal(6)), draws=40_000, detects=0.03,
                 samples=lambda f, rng, draws, logits: hot(
                     f.gumbel_argmax(np.tile(logits, (draws, 1)), rng.uniform(size=(draws, 6))), 6),
                 expected=lambda f, logits: softmax(logits)),
    Law.equal("a uniform of 1 counts as the last number before it", given(logits=np.linspace(0, 40, 161)), frozen=("logits",),
              left=lambda f, logits: f.gumbel_argmax(np.stack([0 * logits, logits], 1), np.tile([1.0, 0.5], (161, 1))),
              right=lambda f, logits: logits - np.log(np.log(2.0)) > -np.log(-np.log1p(-float(np.finfo(f.precision).epsneg)))),
    *(Rejects("gumbel_argmax", f"uniform {u:g}", given(logits=zeros(2, 2), uniforms=[[0.5, 0.5], [u, 0.5]]), blames="uniforms")
      for u in (-0.1, 1.5, np.nan)),
    Rejects("gumbel_argmax", "one uniform a row", given(logits=zeros(2, 3), uniforms=zeros(2)), blames="uniforms"),
    Rejects("gumbel_argmax", "no token left", given(logits=[[-INF, -INF]], uniforms=[[0.5, 0.5]]), blames="logits"),
)  # fmt: skip
