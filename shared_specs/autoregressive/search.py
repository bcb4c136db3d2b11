"""Contracts of greedy search, beams and Viterbi's algorithm (lecture 48)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, full, given, integers, log_of, log_simplex, normal, uniform, zeros

INF = np.inf
JUMPS = "entries of -inf"
TIED = "among equals the lowest index wins: no direction keeps them equal"
BOTH, START = ("scores", "log_probs"), ("initial_log_probs",)
# A chain of three states, and all of its sequences of length 3.
CHAIN = log_of([[0.5, 0.2, 0.3], [0.1, 0.3, 0.6], [0.45, 0.35, 0.2]])
SEQUENCES = np.indices((3, 3, 3)).reshape(3, 27).T
# A coin with three sides that knows no past; its first side ends a sequence.
COIN = log_of([[0.15, 0.8, 0.05]] * 3)
# A tree in which the likely first step (0) disperses and then is certain; the other (1) narrows and then disperses.
SECOND = log_of([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5]])
THIRD = log_of([[0.98, 0.01, 0.01], [0.4, 0.35, 0.25], [0.2, 0.25, 0.55]])
BRANCHES = log_of([[9 / 18, 8 / 18, 1 / 18], [0.2, 0.1, 0.7]])
FOUND, LEFT = log_of([[4 / 45, 7 / 90], [0.1925, 0.1155]]), [[[1, 0, 0], [1, 0, 1]], [[2, 2, 2], [2, 1, 2]]]
BEST, PARENTS, CHOSEN = log_of([[0.32, 0.25, 0.15], [0.5, 0.5, 0.25]]), [[1, 0, 0], [0, 1, 0]], [[2, 1, 2], [0, 1, 1]]
STATES, STEPS = log_of([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]]), log_of([[0.4, 0.35, 0.25], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8]])


def table(log_probs, place=-1):
    """step_fn of a model that reads the token in one place: log_probs[token], by comparisons that every backend has."""
    size = len(log_probs)

    def step(prefix):
        tokens = prefix[:, np.full(size, place)]
        places = [(a, v) for a in range(size) for v in range(size)]
        return sum(float(log_probs[a][v]) * (tokens == np.where(np.arange(size) == v, a, -1)) for a, v in places)

    return step


chain, coin, small = table(CHAIN), table(COIN), table(np.full((2, 2), -1.0))
second, third, states = table(SECOND, 0), table(THIRD, 0), table(STEPS)
even = table(np.full((3, 3), -1.0))


def tree(prefix):
    """The second token by the first, and the third by the first again."""
    return second(prefix) if prefix.shape[1] == 1 else third(prefix)


def both_ends(prefix):
    """A model with a distribution that depends on the first and the last token."""
    return 0.7 * third(prefix) + 0.4 * chain(prefix)


def of_chain(tokens, initial_log_probs):
    """log p of sequences [..., L] under the chain, row b of the start for tokens[b]."""
    rows = np.arange(len(tokens)).reshape(-1, *[1] * (tokens.ndim - 2))
    return initial_log_probs[rows, tokens[..., 0]] + CHAIN[tokens[..., :-1], tokens[..., 1:]].sum(-1)


def of_all(initial_log_probs):
    """log p of all 27 sequences of length 3 under the chain, for each start."""
    return of_chain(np.tile(SEQUENCES, (len(initial_log_probs), 1, 1)), initial_log_probs)


SPEC = (
    # Expansion.
    Agree("beam_expansion", "regular", given(scores=normal(3, 4), log_probs=log_simplex(3, 4, 5), width=6)),
    Agree("beam_expansion", "all candidates", given(scores=normal(3, 4), log_probs=log_simplex(3, 4, 5), width=99)),
    Agree("beam_expansion", "one beam", given(scores=zeros(3, 1), log_probs=log_simplex(3, 1, 5), width=2)),
    Agree("beam_expansion", "ties", given(scores=zeros(3, 4), log_probs=full(3, 4, 5, value=-1.5), width=6), no_gradient=TIED,
          frozen=BOTH),
    Agree("beam_expansion", "fewer finite candidates than the width",
          given(scores=[[-INF, -1.0, -INF, -0.5], [-INF] * 4, [-2000.0, -1000.0, -INF, -3000.0]], width=6,
                log_probs=np.tile([[-INF, -1.0, -INF, -INF, -0.5]], (3, 4, 1))), no_gradient=JUMPS, frozen=BOTH),
    Anchor(
        "beam_expansion", "three of six, and ties",
        given(scores=[list(log_of([0.5, 0.4])), [0.0, 0.0]], width=3,
              log_probs=[list(log_of([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])), list(log_of([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]))]),
        gives=(BEST, PARENTS, CHOSEN), source="by hand", frozen=BOTH,
        near_misses={
            "scores averaged": (BEST / 2, PARENTS, CHOSEN), "parents and tokens swapped": (BEST, CHOSEN, PARENTS),
            "flat indices": (BEST, PARENTS, [[5, 1, 2], [0, 4, 1]]),
            "divided by K, not V": (BEST, [[2, 0, 1], [0, 2, 0]], [[1, 1, 0], [0, 0, 1]]),
            "the score of the prefix forgotten": (log_of([[0.8, 0.5, 0.3], [0.5, 0.5, 0.25]]), PARENTS, CHOSEN),
            "ascending": (BEST[:, ::-1], [[0, 0, 1], [0, 1, 0]], [[2, 1, 2], [1, 1, 0]]),
            "the higher index among equals": (BEST, [[1, 0, 0], [1, 0, 1]], [[2, 1, 2], [1, 0, 2]]),
        },
    ),
    Law.equal("a score is its parent's and its token's", given(scores=normal(3, 4), log_probs=log_simplex(3, 4, 5)),
              left=lambda f, scores, log_probs: f.beam_expansion(scores, log_probs, width=6)[0],
              right=lambda f, scores, log_probs: (lambda parent, token: np.take_along_axis(scores, parent, 1)
                                                  + log_probs[np.arange(3)[:, None], parent, token])(
                  *f.beam_expansion(scores, log_probs, width=6)[1:])),
    Law.equal("the candidates sorted", given(scores=normal(3, 4), log_probs=log_simplex(3, 4, 5)),
              left=lambda f, scores, log_probs: f.beam_expansion(scores, log_probs, width=99)[0],
              right=lambda f, scores, log_probs: -np.sort(-(scores[:, :, None] + log_probs).reshape(3, 20))),
    *(Rejects("beam_expansion", case, given(scores=scores, log_probs=log_probs, width=width), blames=blames)
      for case, scores, log_probs, width, blames in (
          ("no width", zeros(2, 3), full(2, 3, 4, value=-1), 0, "width"),
          ("logits", zeros(2, 3), full(2, 3, 4, value=1), 2, "log_probs"),
          ("NaN among the scores", [[np.nan, 0.0]], full(1, 2, 4, value=-1), 2, "scores"),
          ("a beam too few", zeros(2, 3), full(2, 2, 4, value=-1), 2, "log_probs"),
          ("no axis of beams", zeros(2, 3), full(2, 4, value=-1), 2, "log_probs"),
          ("no beams", zeros(2, 0), zeros(2, 0, 4), 2, "log_probs"),
      )),
    # Beams.
    Agree("beam_search", "regular", given(initial_log_probs=log_simplex(2, 3), step_fn=chain, width=5, length=3)),
    Agree("beam_search", "an end token",
          given(initial_log_probs=log_simplex(2, 3), step_fn=chain, width=5, length=3, end_token=2)),
    Agree("beam_search", "a law that depends on the first token, too",
          given(initial_log_probs=log_simplex(2, 3), step_fn=both_ends, width=5, length=3)),
    Agree("beam_search", "wider than there are sequences",
          given(initial_log_probs=log_simplex(2, 3), step_fn=chain, width=50, length=2)),
    Agree("beam_search", "one token", given(initial_log_probs=log_simplex(2, 3), step_fn=chain, width=2, length=1)),
    Agree("beam_search", "all finished, or ruled out",
          given(initial_log_probs=[[-INF, 0.0, -INF], [-INF, -INF, -INF]], step_fn=chain, width=5, length=3, end_token=1),
          no_gradient=JUMPS),
    Agree("beam_search", "fewer sequences than beams",
          given(initial_log_probs=[[-INF, -0.5, -INF], [-1.0, -INF, -0.3]], step_fn=chain, width=5, length=2), no_gradient=JUMPS),
    Agree("beam_search", "ties", given(initial_log_probs=full(2, 3, value=-1.0), step_fn=even, width=5, length=3),
          no_gradient=TIED, frozen=START),
    Anchor(
        "beam_search", "width 2 drops the branch that would have been best",
        given(initial_log_probs=BRANCHES, step_fn=tree, width=2, length=3),
        gives=(LEFT, FOUND), source="by hand: 8/18 1/2 (0.4, 0.35); 0.7 (0.5 0.55, 0.3 0.55)",
        near_misses={
            "greedy": ([[[0, 0, 0], [1, 0, 0]], [[2, 2, 2], [2, 1, 2]]], log_of([[0.98 / 6, 4 / 45], [0.1925, 0.1155]])),
            "prefixes not reordered": ([[[0, 0, 0], [1, 1, 0]], [[2, 2, 0], [0, 1, 2]]],
                                       log_of([[1.96 / 9, 3.2 / 45], [0.2058, 0.1925]])),
            "mean of the tokens": (LEFT, FOUND / 3), "the last step alone": (LEFT, log_of([[0.4, 0.35], [0.55, 0.55]])),
            "one sequence in all beams": ([[[1, 0, 0]] * 2, [[2, 2, 2]] * 2], FOUND[:, [0, 0]]),
        },
    ),
    Anchor(
        "beam_search", "finished beams wait at no cost",
        given(initial_log_probs=log_of([[0.15, 0.8, 0.05], [0.5, 0.3, 0.2]]), step_fn=coin, width=3, length=3, end_token=0),
        gives=([[[1, 1, 1], [0, 0, 0], [1, 0, 0]], [[0, 0, 0], [1, 1, 1], [2, 1, 1]]],
               log_of([[0.512, 0.15, 0.12], [0.5, 0.192, 0.128]])),
        source="by hand",
        near_misses={
            "they pay for their end tokens": ([[[1, 1, 1], [1, 1, 0], [1, 1, 2]], [[1, 1, 1], [2, 1, 1], [1, 1, 0]]],
                                              log_of([[0.512, 0.096, 0.032], [0.192, 0.128, 0.036]])),
            "other tokens follow the end": ([[[1, 1, 1], [1, 1, 0], [1, 0, 1]], [[0, 1, 1], [1, 1, 1], [2, 1, 1]]],
                                            log_of([[0.512, 0.096, 0.096], [0.32, 0.192, 0.128]])),
        },
    ),
    Law.equal("scores are log-probabilities of the sequences", given(initial_log_probs=log_simplex(2, 3)),
              left=lambda f, start: f.beam_search(start, chain, width=5, length=3)[1],
              right=lambda f, start: of_chain(f.beam_search(start, chain, width=5, length=3)[0], start)),
    Law.at_least("the best first", given(initial_log_probs=log_simplex(2, 3)),
                 left=lambda f, start: f.beam_search(start, chain, width=5, length=3)[1][:, :-1],
                 right=lambda f, start: f.beam_search(start, chain, width=5, length=3)[1][:, 1:]),
    Law.equal("width V^(L-1) is exhaustive", given(initial_log_probs=log_simplex(2, 3)),
              left=lambda f, start: f.beam_search(start, chain, width=9, length=3)[1],
              right=lambda f, start: -np.sort(-of_all(start))[:, :9]),
    Law.equal("width 1 is greedy", given(initial_log_probs=log_simplex(2, 3)),
              left=lambda f, start: f.beam_search(start, chain, width=1, length=3)[0][:, 0],
              right=lambda f, start: f.greedy_search(start, chain, length=3)[0]),
    Law.normalized("nothing is lost when nothing is dropped, finished or not", given(initial_log_probs=log_simplex(2, 3)),
                   total=lambda f, start: np.exp(f.beam_search(start, chain, width=50, length=3, end_token=2)[1]).sum(-1)),
    *(Rejects("beam_search", case, given(initial_log_probs=start, step_fn=step, width=width, length=length, end_token=end),
              blames=blames)
      for case, start, step, width, length, end, blames in (
          ("no width", full(2, 3, value=-1), chain, 0, 2, None, "width"),
          ("no length", full(2, 3, value=-1), chain, 2, 0, None, "length"),
          ("logits", full(2, 3, value=1), chain, 2, 2, None, "initial_log_probs"),
          ("one axis", full(3, value=-1), chain, 2, 2, None, "initial_log_probs"),
          ("no vocabulary", zeros(2, 0), chain, 2, 2, None, "initial_log_probs"),
          ("a model of another vocabulary", full(2, 3, value=-1), small, 2, 2, None, "step_fn"),
          ("a model of logits", full(2, 3, value=-1), lambda prefix: 5.0 - even(prefix), 2, 2, None, "step_fn"),
          ("an end token above V-1", full(2, 3, value=-1), chain, 2, 2, 3, "end_token"),
          ("an end token below 0", full(2, 3, value=-1), chain, 2, 2, -1, "end_token"),
      )),
    # Greedy.
    Agree("greedy_search", "regular", given(initial_log_probs=log_simplex(2, 3), step_fn=chain, length=3)),
    Agree("greedy_search", "one token", given(initial_log_probs=log_simplex(2, 3), step_fn=chain, length=1)),
    Agree("greedy_search", "ruled out tokens", given(initial_log_probs=[[-INF, -0.5, -INF], [-INF, -INF, -INF]], step_fn=chain,
                                                     length=3), no_gradient=JUMPS),
    Agree("greedy_search", "ties", given(initial_log_probs=full(2, 3, value=-1.0), step_fn=even, length=3), no_gradient=TIED,
          frozen=START),
    Anchor(
        "greedy_search", "does not look ahead", given(initial_log_probs=STATES, step_fn=states, length=3),
        gives=([[0, 0, 0], [1, 0, 0]], log_of([0.096, 0.252])), source="by hand: 0.6 0.4 0.4; 0.7 0.9 0.4", frozen=START,
        near_misses={"the most likely sequence": ([[0, 1, 0], [1, 0, 0]], log_of([0.189, 0.252])),
                     "the least likely": ([[2, 0, 2], [2, 0, 2]], log_of([0.0025, 0.0025])),
                     "the model not asked again": ([[0, 0, 0], [1, 1, 1]], log_of([0.216, 0.343])),
                     "the last step alone": ([[0, 0, 0], [1, 0, 0]], log_of([0.4, 0.4]))},
    ),
    Anchor(
        "greedy_search", "the model sees all of the prefix", given(initial_log_probs=BRANCHES, step_fn=tree, length=3),
        gives=([[0, 0, 0], [2, 2, 2]], log_of([0.98 / 6, 0.1925])), source="by hand: 0.5 0.98 / 3; 0.7 0.5 0.55", frozen=START,
        near_misses={"the last token alone": ([[0, 0, 0], [2, 2, 2]], log_of([1 / 18, 0.175])),
                     "the least likely": ([[2, 0, 0], [1, 2, 2]], log_of([0.04 / 18, 0.0025]))},
    ),
    Law.equal("greedy's score is the log-probability of its sequence", given(initial_log_probs=log_simplex(2, 3)),
              left=lambda f, start: f.greedy_search(start, chain, length=3)[1],
              right=lambda f, start: of_chain(f.greedy_search(start, chain, length=3)[0], start)),
    *(Rejects("greedy_search", case, given(initial_log_probs=start, step_fn=step, length=length), blames=blames)
      for case, start, step, length, blames in (
          ("no length", full(2, 3, value=-1), chain, 0, "length"), ("logits", full(2, 3, value=1), chain, 2, "initial_log_probs"),
          ("one axis", full(3, value=-1), chain, 2, "initial_log_probs"),
          ("a model of another vocabulary", full(2, 3, value=-1), small, 2, "step_fn"),
          ("a model of logits", full(2, 3, value=-1), lambda prefix: 5.0 - even(prefix), 2, "step_fn"),
      )),
    # Dynamic programming.
    Agree("viterbi", "regular", given(initial_log_probs=log_simplex(2, 3), transition_log_probs=log_simplex(3, 3), length=3)),
    Agree("viterbi", "one state", given(initial_log_probs=log_simplex(2, 3), transition_log_probs=log_simplex(3, 3), length=1)),
    Agree("viterbi", "steps that cannot be taken",
          given(initial_log_probs=log_of([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]]),
                transition_log_probs=log_of([[0.0, 1.0, 0.0], [0.0, 0.1, 0.9], [0.8, 0.0, 0.2]]), length=3), no_gradient=JUMPS),
    Agree("viterbi", "nowhere to go", given(initial_log_probs=log_of([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]]),
                                            transition_log_probs=full(3, 3, value=-INF), length=3), no_gradient=JUMPS),
    Agree("viterbi", "ties",
          given(initial_log_probs=full(2, 3, value=-1.0), transition_log_probs=full(3, 3, value=-1.0), length=3),
          no_gradient=TIED, frozen=("initial_log_probs", "transition_log_probs")),
    Agree("viterbi", "log-probabilities of -1000",
          given(initial_log_probs=log_simplex(2, 3, scale=500.0), transition_log_probs=log_simplex(3, 3, scale=500.0), length=3)),
    Anchor(
        "viterbi", "three states", given(initial_log_probs=STATES, transition_log_probs=STEPS, length=3),
        gives=([[0, 1, 0], [1, 0, 0]], log_of([0.189, 0.252])), source="by hand: 0.6 0.35 0.9; 0.7 0.9 0.4", frozen=START,
        near_misses={"greedy": ([[0, 0, 0], [1, 0, 0]], log_of([0.096, 0.252])),
                     "transitions transposed": ([[0, 0, 1], [1, 0, 1]], log_of([0.216, 0.2205])),
                     "the path from its end": ([[0, 1, 0], [0, 0, 1]], log_of([0.189, 0.252])),
                     "the best state of every step, without pointers": ([[0, 0, 0], [1, 0, 0]], log_of([0.189, 0.252])),
                     "sums for maxima": ([[0, 1, 0], [1, 0, 0]], log_of([0.444, 0.408])),
                     "the start forgotten": ([[2, 2, 2], [2, 2, 2]], log_of([0.64, 0.64]))},
    ),
    Law.equal("the best of all 27", given(initial_log_probs=log_simplex(2, 3)),
              left=lambda f, start: f.viterbi(start, CHAIN, length=3)[1], right=lambda f, start: of_all(start).max(-1)),
    Law.equal("Viterbi's score is the log-probability of its path", given(initial_log_probs=log_simplex(2, 3)),
              left=lambda f, start: f.viterbi(start, CHAIN, length=3)[1],
              right=lambda f, start: of_chain(f.viterbi(start, CHAIN, length=3)[0], start)),
    Law.at_least("no other search finds more in a chain", given(initial_log_probs=log_simplex(2, 3)),
                 left=lambda f, start: f.viterbi(start, CHAIN, length=3)[1],
                 right=lambda f, start: np.maximum(f.greedy_search(start, chain, length=3)[1],
                                                   f.beam_search(start, chain, width=5, length=3)[1][:, 0])),
    *(Rejects("viterbi", case, given(initial_log_probs=start, transition_log_probs=steps, length=length), blames=blames)
      for case, start, steps, length, blames in (
          ("no length", full(2, 3, value=-1), full(3, 3, value=-1), 0, "length"),
          ("logits", full(2, 3, value=1), full(3, 3, value=-1), 2, "initial_log_probs"),
          ("logits of steps", full(2, 3, value=-1), full(3, 3, value=1), 2, "transition_log_probs"),
          ("a state too few", full(2, 3, value=-1), full(3, 2, value=-1), 2, "transition_log_probs"),
          ("one axis", full(3, value=-1), full(3, 3, value=-1), 2, "initial_log_probs"),
      )),
    # Lengths.
    Agree("length_normalized_score", "regular",
          given(log_prob=uniform(5, low=-40.0, high=-1.0), lengths=integers(5, low=1, high=30), exponent=0.6)),
    Agree("length_normalized_score", "exponent 0",
          given(log_prob=uniform(5, low=-40.0, high=0.0), lengths=integers(5, high=30), exponent=0.0)),
    Agree("length_normalized_score", "nothing said, one token, many",
          given(log_prob=[0.0, -1e-3, -3e4, -2.0, -5.0], lengths=[0, 1, 100_000, 0, 7], exponent=1.0)),
    Agree("length_normalized_score", "no such sequence", given(log_prob=[-INF, -1.0], lengths=[3, 4], exponent=0.6),
          no_gradient=JUMPS),
    Anchor(
        "length_normalized_score", "one token and thirteen", given(log_prob=[-2.0, -6.0], lengths=[1, 13], exponent=0.5),
        gives=[-2.0, -3.4641016151377544], source="6 / sqrt 3",
        near_misses={"n^alpha": [-2.0, -1.6641005886756874], "(5 + n)^alpha": [-0.81649658092772603, -1.4142135623730951],
                     "mean": [-2.0, -0.46153846153846156], "alpha twice": [-2.0, -2.0], "multiplied": [-2.0, -10.392304845413264],
                     "n from 0": [-2.1908902300206643, -3.5652949022222456]},
    ),
    Law.equal("exponents add", given(log_prob=uniform(5, low=-40.0, high=-1.0), lengths=integers(5, low=1, high=30)),
              left=lambda f, log_prob, lengths: f.length_normalized_score(
                  f.length_normalized_score(log_prob, lengths, exponent=0.6), lengths, exponent=0.4),
              right=lambda f, log_prob, lengths: f.length_normalized_score(log_prob, lengths, exponent=1.0)),
    Anchor("length_normalized_score", "255 tokens", given(log_prob=[-130.0], lengths=[255], exponent=1.0), gives=[-3.0],
           source="by hand"),
    *(Rejects("length_normalized_score", case, given(log_prob=log_prob, lengths=lengths, exponent=0.6), blames=blames)
      for case, log_prob, lengths, blames in (
          ("a probability", [-1.0, 0.5], [1, 2], "log_prob"), ("a negative length", [-1.0, -1.0], [1, -2], "lengths"),
          ("a length too few", [-1.0, -1.0], [1], "lengths"), ("two axes", zeros(2, 2), [1, 2], "log_prob"),
      )),
)  # fmt: skip
