"""Contracts of the Bradley-Terry model (lecture 54)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, full, given, normal, uniform, zeros

FAR = np.array([500.0, -500.0, 40.0, -40.0, 0.0])  # differences with a sigma that rounds to 0 or 1, and zero
R = {"reward_first": normal(6, scale=2.0), "reward_second": normal(6, scale=2.0)}
# A chain of three players: 2 wins to 1 from each to the next. The best scores are (log 2, 0, -log 2).
CHAIN, BEST = [[0.0, 2.0, 0.0], [1.0, 0.0, 2.0], [0.0, 1.0, 0.0]], [LOG_2, 0.0, -LOG_2]
CYCLE = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
MANY = np.array([[0, 255, 3, 0], [256, 0, 9, 1], [2, 300, 0, 4], [0, 7, 128, 0]])  # counts; 1 and 4 never met
BYTES = np.array([[9, 255, 3, 0], [1, 9, 200, 1], [2, 130, 9, 4], [0, 7, 128, 9]])  # and such that their sums exceed a byte
GAMES, FEW = MANY + MANY.T, np.array([[7, 255, 0, 3], [255, 7, 200, 1], [0, 200, 7, 128], [3, 1, 128, 7]])
SCORES = normal(4, scale=1.5)


def _after(f, wins, scores, steps):
    for _ in range(steps):
        scores = f.minorize_maximize_step(wins, scores)
    return scores


def _expected_wins(wins, scores):
    return ((wins + wins.T) / (1 + np.exp(scores[None, :] - scores[:, None]))).sum(axis=1)


SPEC = (
    Agree("preference_log_prob", "regular", given(reward_chosen=normal(6), reward_rejected=normal(6), margin=0.7)),
    Agree("preference_log_prob", "far apart", given(reward_chosen=FAR, reward_rejected=zeros(5))),
    Agree("preference_log_prob", "a negative margin", given(reward_chosen=normal(6), reward_rejected=normal(6), margin=-1.5)),
    Agree("preference_log_prob", "rewards near 1000", given(reward_chosen=normal(6, mean=1000.0),
                                                            reward_rejected=normal(6, mean=1000.0))),
    Agree("soft_preference_loss", "regular", given(label=uniform(6), **R)),
    Agree("soft_preference_loss", "certain labels", given(label=[0.0, 1.0, 1.0, 0.0, 1.0, 0.5], **R)),
    Agree("soft_preference_loss", "far apart", given(label=[1.0, 1.0, 0.0, 1.0, 0.25], reward_first=FAR, reward_second=zeros(5))),
    Agree("tournament_log_likelihood", "regular", given(wins=uniform(4, 4, high=5.0), scores=SCORES)),
    Agree("tournament_log_likelihood", "counts", given(wins=MANY, scores=SCORES)),
    Agree("tournament_log_likelihood", "counts of a byte", given(wins=BYTES, scores=SCORES)),
    Agree("tournament_log_likelihood", "far apart", given(wins=uniform(5, 5, high=5.0), scores=FAR)),
    Agree("tournament_log_likelihood", "two players", given(wins=[[0.0, 3.0], [1.0, 0.0]], scores=normal(2))),
    Agree("tournament_log_likelihood", "one player", given(wins=[[3.0]], scores=[0.5])),
    Agree("minorize_maximize_step", "regular", given(wins=uniform(4, 4, low=0.5, high=5.0), scores=SCORES),
          differentiate=("scores",)),
    Agree("minorize_maximize_step", "counts, and two that never met", given(wins=MANY, scores=SCORES)),
    Agree("minorize_maximize_step", "counts of a byte", given(wins=BYTES, scores=SCORES)),
    Agree("minorize_maximize_step", "two players", given(wins=[[0.0, 3.0], [1.0, 0.0]], scores=normal(2)),
          no_gradient="one step is exact, from all scores"),
    Agree("minorize_maximize_step", "far apart", given(wins=uniform(3, 3, low=0.5, high=5.0), scores=[500.0, 0.0, -500.0]),
          differentiate=("scores",)),
    Agree("minorize_maximize_step", "a common offset of 1000", given(wins=CHAIN, scores=normal(3, mean=1000.0)),
          differentiate=("scores",)),
    Agree("fisher_information", "regular", given(comparisons=np.array(GAMES, dtype=float), scores=SCORES)),
    Agree("fisher_information", "counts", given(comparisons=GAMES, scores=SCORES)),
    Agree("fisher_information", "counts of a byte", given(comparisons=FEW, scores=SCORES)),
    Agree("fisher_information", "far apart", given(comparisons=full(3, 3, value=2.0), scores=[40.0, 0.0, -40.0])),
    Agree("elo_update", "regular", given(outcome=uniform(5), rating_first=normal(5, mean=1500.0, scale=200.0),
                                         rating_second=normal(5, mean=1500.0, scale=200.0), step_size=24.0)),
    Agree("elo_update", "another scale", given(outcome=[1.0, 0.5, 0.0], rating_first=normal(3, mean=25.0, scale=8.0),
                                               rating_second=normal(3, mean=25.0, scale=8.0), step_size=0.5, scale=10.0)),
    Anchor(
        "preference_log_prob", "odds of two, of four, and of one",
        given(reward_chosen=[LOG_2, 0.0, 2 * LOG_2, 3.0], reward_rejected=[0.0, LOG_2, 0.0, 3.0]),
        gives=np.log([2 / 3, 1 / 3, 4 / 5, 1 / 2]), source="by hand",
        near_misses={"arguments swapped": np.log([1 / 3, 2 / 3, 1 / 5, 1 / 2]), "the probability": [2 / 3, 1 / 3, 4 / 5, 1 / 2],
                     "Gaussian utilities": [-0.2800, -1.4085, -0.0865, -0.6931]},
    ),
    Anchor(
        "preference_log_prob", "ahead by log 4, with a margin of log 2",
        given(reward_chosen=[2 * LOG_2], reward_rejected=[0.0], margin=LOG_2), gives=[np.log(2 / 3)], source="by hand",
        near_misses={"margin added": [np.log(8 / 9)], "margin forgotten": [np.log(4 / 5)]},
    ),
    Anchor(
        "soft_preference_loss", "three votes of four, at equal rewards and at the best difference",
        given(label=[0.75, 0.75, 1.0], reward_first=[0.0, LOG_3, 0.0], reward_second=[0.0, 0.0, LOG_3]),
        gives=[LOG_2, 0.5623351446188083, 2 * LOG_2], source="log 2; the entropy of 3/4; log 4",
        near_misses={"label turned over": [LOG_2, 1.1116412887, 0.2876820725],
                     "label rounded": [LOG_2, 0.2876820725, 2 * LOG_2]},
    ),
    Anchor(
        "tournament_log_likelihood", "a chain of three, at its best scores", given(wins=CHAIN, scores=BEST),
        gives=-3.8190850097688767, source="4 log(2/3) + 2 log(1/3)",
        near_misses={"per game": -0.6365141682948128, "transposed": -5.2053793708887674, "at equal scores": -6 * LOG_2},
    ),
    Anchor(
        "tournament_log_likelihood", "a diagonal is ignored", given(wins=[[5.0, 3.0], [1.0, 2.0]], scores=[LOG_3, 0.0]),
        gives=-2.2493405784752336, source="3 log(3/4) + log(1/4)",
        near_misses={"diagonal counted": -7.101370842394852, "upper half only": -0.8630462173553426},
    ),
    Anchor(
        "minorize_maximize_step", "two players: exact after one step", given(wins=[[0.0, 3.0], [1.0, 0.0]], scores=[0.0, 0.0]),
        gives=[LOG_3 / 2, -LOG_3 / 2], source="odds of 3",
        near_misses={"not centered": [0.4054651081081644, -LOG_2], "turned over": [-LOG_3 / 2, LOG_3 / 2],
                     "first score fixed": [0.0, -LOG_3]},
    ),
    Anchor(
        "minorize_maximize_step", "a chain of three, from equal scores", given(wins=CHAIN, scores=[0.0, 0.0, 0.0]),
        gives=np.log([4 / 3, 1.0, 2 / 3]) - np.log(8 / 9) / 3, source="strengths 4/3, 1, 2/3, centered",
        near_misses={"wins averaged over opponents": [0.5579920575, -0.4228371714, -0.1351548861], "not centered":
                     [0.2876820725, 0.0, -0.4054651081], "half of the games": [0.0, 0.0, 0.0]},
    ),
    Anchor(
        "minorize_maximize_step", "the best scores stay", given(wins=CHAIN, scores=BEST), gives=BEST,
        source="expected wins are wins", near_misses={"wins averaged over opponents": [0.924196, -0.462098, -0.462098]},
    ),
    Anchor(
        "fisher_information", "four games at 3/4", given(comparisons=[[0.0, 4.0], [4.0, 0.0]], scores=[LOG_3, 0.0]),
        gives=[[0.75, -0.75], [-0.75, 0.75]], source="4 (3/4) (1/4)",
        near_misses={"without 1 - p": [[3.0, -3.0], [-3.0, 3.0]], "signless": [[0.75, 0.75], [0.75, 0.75]],
                     "the Hessian": [[-0.75, 0.75], [0.75, -0.75]], "every game twice": [[1.5, -1.5], [-1.5, 1.5]]},
    ),
    Anchor(
        "fisher_information", "a cycle of three, and counts on the diagonal",
        given(comparisons=[[4.0, 1.0, 1.0], [1.0, 4.0, 1.0], [1.0, 1.0, 4.0]], scores=[0.0, 0.0, 0.0]),
        gives=[[0.5, -0.25, -0.25], [-0.25, 0.5, -0.25], [-0.25, -0.25, 0.5]], source="by hand",
        near_misses={"diagonal counted": [[1.5, -0.25, -0.25], [-0.25, 1.5, -0.25], [-0.25, -0.25, 1.5]]},
    ),
    Anchor(
        "elo_update", "a win at equal ratings; a loss and a draw against half the odds of 10",
        given(outcome=[1.0, 0.0, 0.5], rating_first=[1500.0, 1900.0, 1500.0], rating_second=[1500.0, 1500.0, 1900.0],
              step_size=22.0),
        gives=([1511.0, 1880.0, 1509.0], [1489.0, 1520.0, 1891.0]), source="expected outcomes 1/2, 10/11, 1/11",
        near_misses={"natural odds": ([1511.0, 1883.9166915, 1506.0833085], [1489.0, 1516.0833085, 1893.9166915]),
                     "the second unchanged": ([1511.0, 1880.0, 1509.0], [1500.0, 1500.0, 1900.0]),
                     "turned over": ([1489.0, 1920.0, 1491.0], [1511.0, 1480.0, 1909.0])},
    ),
    Law.normalized("one of two wins", given(a=normal(6, scale=3.0), b=normal(6, scale=3.0)), total=lambda f, a, b: (
        np.exp(f.preference_log_prob(a, b)) + np.exp(f.preference_log_prob(b, a)))),
    Law.equal(
        "odds multiply along a chain", given(a=normal(6), b=normal(6), c=normal(6)),
        left=lambda f, a, b, c: (f.preference_log_prob(a, b) - f.preference_log_prob(b, a)
                                 + f.preference_log_prob(b, c) - f.preference_log_prob(c, b)),
        right=lambda f, a, b, c: f.preference_log_prob(a, c) - f.preference_log_prob(c, a),
    ),
    Law.equal(
        "a certain label leaves one log-probability", given(first=normal(6), second=normal(6)),
        left=lambda f, a, b: f.soft_preference_loss(np.ones_like(a), a, b), right=lambda f, a, b: -f.preference_log_prob(a, b),
    ),
    Law.equal(
        "the slope is the probability minus the label", given(label=uniform(6), first=normal(6), second=normal(6)),
        left=lambda f, y, a, b: f.gradient("soft_preference_loss", y, a, b, wrt=1),
        right=lambda f, y, a, b: np.exp(f.preference_log_prob(a, b)) - y,
    ),
    Law.equal(
        "gradients to both rewards are opposite", given(label=uniform(6), first=normal(6), second=normal(6)),
        left=lambda f, y, a, b: f.gradient("soft_preference_loss", y, a, b, wrt=1),
        right=lambda f, y, a, b: -f.gradient("soft_preference_loss", y, a, b, wrt=2),
    ),
    Law.equal(
        "the slope of the likelihood is wins minus expected wins", given(wins=np.array(CYCLE) + CHAIN, scores=normal(3)),
        left=lambda f, wins, scores: f.gradient("tournament_log_likelihood", wins, scores, wrt=1),
        right=lambda f, wins, scores: wins.sum(axis=1) - _expected_wins(wins, scores),
    ),
    Law.at_least(
        "a step never lowers the likelihood", given(wins=MANY.astype(float), scores=SCORES),
        left=lambda f, wins, scores: f.tournament_log_likelihood(wins, f.minorize_maximize_step(wins, scores)),
        right=lambda f, wins, scores: f.tournament_log_likelihood(wins, scores),
    ),
    Law.equal(
        "steps end where expected wins are wins", given(wins=np.array(CYCLE) + CHAIN, scores=normal(3)),
        left=lambda f, wins, scores: _expected_wins(wins, _after(f, wins, scores, 60)),
        right=lambda f, wins, scores: wins.sum(axis=1),
    ),
    Law.equal(
        "a step centers, and forgets a shift", given(wins=MANY.astype(float), scores=SCORES),
        left=lambda f, wins, scores: f.minorize_maximize_step(wins, scores + 3.0),
        right=lambda f, wins, scores: f.minorize_maximize_step(wins, scores - scores.mean()),
    ),
    Law.equal("a shift of all scores carries no information", given(games=GAMES.astype(float), scores=SCORES),
              left=lambda f, games, scores: f.fisher_information(games, scores).sum(axis=1) / 500, right=0.0),
    Law.equal(
        "the information is the slope of expected wins", given(wins=np.array(CYCLE) + CHAIN, scores=normal(3)),
        left=lambda f, wins, scores: f.fisher_information(wins + wins.T, scores),
        right=lambda f, wins, scores: np.stack([
            (_expected_wins(wins, scores + 1e-5 * e) - _expected_wins(wins, scores - 1e-5 * e)) / 2e-5 for e in np.eye(3)
        ], axis=1),
    ),
    Law.equal(
        "the ratings keep their sum", given(outcome=uniform(5), first=normal(5, scale=200.0), second=normal(5, scale=200.0)),
        left=lambda f, y, a, b: sum(f.elo_update(y, a, b, step_size=24.0)), right=lambda f, y, a, b: a + b,
    ),
    *(
        Rejects("soft_preference_loss", f"a label of {label:g}",
                given(label=[0.5, label], reward_first=zeros(2), reward_second=zeros(2)), blames="label")
        for label in (-0.1, 1.5, float("nan"))
    ),
    Rejects("preference_log_prob", "shapes differ", given(reward_chosen=zeros(3), reward_rejected=zeros(2)),
            blames="reward_rejected"),
    Rejects("preference_log_prob", "a column", given(reward_chosen=zeros(3, 1), reward_rejected=zeros(3, 1)),
            blames="reward_chosen"),
    *(
        Rejects(function, case, given(wins=wins, scores=zeros(2)), blames="wins")
        for function in ("tournament_log_likelihood", "minorize_maximize_step")
        for case, wins in (("a negative count", [[0.0, 2.0], [-1.0, 0.0]]), ("not a number", [[0.0, np.nan], [1.0, 0.0]]),
                           ("not square", [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]), ("three players", full(3, 3, value=1.0)))
    ),
    Rejects("minorize_maximize_step", "a player without a win", given(wins=[[0.0, 3.0], [0.0, 0.0]], scores=zeros(2)),
            blames="wins"),
    Rejects("minorize_maximize_step", "a win over itself alone", given(wins=[[0.0, 3.0], [0.0, 2.0]], scores=zeros(2)),
            blames="wins"),
    Rejects("fisher_information", "one direction only", given(comparisons=[[0.0, 3.0], [1.0, 0.0]], scores=zeros(2)),
            blames="comparisons"),
    Rejects("fisher_information", "a negative count", given(comparisons=[[0.0, -1.0], [-1.0, 0.0]], scores=zeros(2)),
            blames="comparisons"),
    Rejects("elo_update", "an outcome of 2", given(outcome=[2.0], rating_first=zeros(1), rating_second=zeros(1), step_size=24.0),
            blames="outcome"),
    Rejects("elo_update", "step 0", given(outcome=[1.0], rating_first=zeros(1), rating_second=zeros(1), step_size=0.0),
            blames="step_size"),
    Rejects("elo_update", "scale 0",
            given(outcome=[1.0], rating_first=zeros(1), rating_second=zeros(1), step_size=24.0, scale=0.0),
            blames="scale"),
)  # fmt: skip
