"""Contracts of noise-contrastive estimation."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, log_simplex, normal, zeros

G, PAIR = normal(4, 3, scale=2.0), {"model_log_prob": normal(4, 3), "noise_log_prob": normal(4, 3)}
FAR = [[900.0, -900.0, 0.0], [-900.0, 0.0, 900.0], [-30.0, 30.0, 1e-3]]
# A softplus that is the identity beyond 20 has a slope that is off by 1e-9 at 21; at 30 only by 1e-13, as much as rounding.
FAR_AND_LESS_FAR = [*FAR, [-21.0, 21.0, -1e-3]]


def _probability(f, log_data, log_noise, ratio):
    """The probability of data under a model equal to their distribution."""
    return np.exp(-f.data_loss(f.log_odds(log_data, log_noise, noise_ratio=ratio)))


def _mean_slope(f, log_data, log_noise, ratio):
    """The slope of the mean loss in every log m(x), at m = d."""
    odds = f.log_odds(log_data, log_noise, noise_ratio=ratio)
    slopes = (f.gradient(name, odds, wrt=0) for name in ("data_loss", "noise_loss"))
    return sum(weight * slope for weight, slope in zip((np.exp(log_data), ratio * np.exp(log_noise)), slopes, strict=True))


def _least_loss(f, log_data, log_noise):
    odds = f.log_odds(log_data, log_noise)
    return (np.exp(log_data) * f.data_loss(odds) + np.exp(log_noise) * f.noise_loss(odds)).sum(1)


def _jensen_shannon(p, q):
    middle = (p + q) / 2
    return (p * np.log(p / middle) + q * np.log(q / middle)).sum(1) / 2


SPEC = (
    # The odds.
    Agree("log_odds", "regular", given(**PAIR, noise_ratio=2.5)),
    Agree("log_odds", "one draw of noise", given(**PAIR)),
    Agree("log_odds", "half a draw, far apart", given(model_log_prob=[[450.0, -450.0]], noise_log_prob=[[-450.0, 450.0]],
                                                      noise_ratio=0.5)),
    Anchor("log_odds", "two draws", given(model_log_prob=[-1.0, 2.0], noise_log_prob=[-3.0, 0.5], noise_ratio=2.0),
           gives=[2 - LOG_2, 1.5 - LOG_2], source="by hand",
           near_misses={"the sign of log nu": [2 + LOG_2, 1.5 + LOG_2], "without nu": [2.0, 1.5], "nu itself": [0.0, -0.5],
                        "turned over": [LOG_2 - 2, LOG_2 - 1.5], "the sum": [-4 - LOG_2, 2.5 - LOG_2]}),
    Law.equal("of the data's own law they are Bayes' rule", given(log_data=log_simplex(4, 3), log_noise=log_simplex(4, 3)),
              left=lambda f, *laws: _probability(f, *laws, 2.5),
              right=lambda f, d, n: np.exp(d) / (np.exp(d) + 2.5 * np.exp(n))),
    Rejects("log_odds", "no noise", given(model_log_prob=zeros(4), noise_log_prob=zeros(4), noise_ratio=0.0),
            blames="noise_ratio"),
    Rejects("log_odds", "one density of noise for all", given(model_log_prob=zeros(4), noise_log_prob=zeros(1)),
            blames="noise_log_prob"),
    # Both costs.
    Agree("data_loss", "regular", given(log_odds=G)),
    Agree("data_loss", "far from 0", given(log_odds=FAR_AND_LESS_FAR)),
    Anchor("data_loss", "odds of three, one and a third", given(log_odds=[LOG_3, 0.0, -LOG_3]),
           gives=[2 * LOG_2 - LOG_3, LOG_2, 2 * LOG_2], source="log(1 + 1/3), log 2, log(1 + 3)",
           near_misses={"the cost of noise": [2 * LOG_2, LOG_2, 2 * LOG_2 - LOG_3], "bits": [2 - LOG_3 / LOG_2, 1.0, 2.0],
                        "negative": [LOG_3 - 2 * LOG_2, -LOG_2, -2 * LOG_2], "the probability": [0.75, 0.5, 0.25],
                        "a hinge": [0.0, 0.0, LOG_3]}),
    Agree("noise_loss", "regular", given(log_odds=G)),
    Agree("noise_loss", "far from 0", given(log_odds=FAR_AND_LESS_FAR)),
    Anchor("noise_loss", "odds of three, one and a third", given(log_odds=[LOG_3, 0.0, -LOG_3]),
           gives=[2 * LOG_2, LOG_2, 2 * LOG_2 - LOG_3], source="log(1 + 3), log 2, log(1 + 1/3)",
           near_misses={"the cost of a datum": [2 * LOG_2 - LOG_3, LOG_2, 2 * LOG_2], "bits": [2.0, 1.0, 2 - LOG_3 / LOG_2],
                        "negative": [-2 * LOG_2, -LOG_2, LOG_3 - 2 * LOG_2], "the probability": [0.25, 0.5, 0.75],
                        "a hinge": [LOG_3, 0.0, 0.0]}),
    Law.normalized("both probabilities sum to one", given(log_odds=G),
                   total=lambda f, odds: np.exp(-f.data_loss(odds)) + np.exp(-f.noise_loss(odds))),
    Law.equal("at the data's own law the mean loss has no slope, also not in the model's mass",
              given(log_data=log_simplex(4, 3), log_noise=log_simplex(4, 3)),
              left=lambda f, *laws: _mean_slope(f, *laws, 2.5), right=0.0),
    Law.equal("the least loss of one draw of noise tells the Jensen-Shannon divergence",
              given(log_data=log_simplex(4, 3), log_noise=log_simplex(4, 3)), left=_least_loss,
              right=lambda f, d, n: 2 * LOG_2 - 2 * _jensen_shannon(np.exp(d), np.exp(n))),
    # Together.
    Agree("loss", "regular", given(data_log_odds=normal(4), noise_log_odds=G)),
    Agree("loss", "far from 0", given(data_log_odds=[900.0, -900.0, 30.0], noise_log_odds=FAR)),
    Anchor("loss", "odds of three; of one and a third", given(data_log_odds=[LOG_3], noise_log_odds=[[0.0, -LOG_3]]),
           gives=[5 * LOG_2 - 2 * LOG_3], source="log(4/3) + log 2 + log(4/3)",
           near_misses={"the noise averaged": [3.5 * LOG_2 - 1.5 * LOG_3], "labels exchanged": [5 * LOG_2],
                        "all of them averaged": [(5 * LOG_2 - 2 * LOG_3) / 3], "no noise": [2 * LOG_2 - LOG_3],
                        "no data": [3 * LOG_2 - LOG_3], "the noise subtracted": [LOG_2 - 2 * LOG_2]}),
    Rejects("loss", "noise of another batch", given(data_log_odds=zeros(4), noise_log_odds=zeros(1, 3)), blames="data_log_odds"),
    Rejects("loss", "one draw without its axis", given(data_log_odds=zeros(4), noise_log_odds=zeros(4)), blames="noise_log_odds"),
    Rejects("loss", "no draw", given(data_log_odds=zeros(4), noise_log_odds=zeros(4, 0)), blames="noise_log_odds"),
    Rejects("loss", "a column of data", given(data_log_odds=zeros(4, 1), noise_log_odds=zeros(4, 3)), blames="data_log_odds"),
    # Partners.
    Agree("information_loss", "regular", given(scores=G)),
    Agree("information_loss", "far from 0", given(scores=FAR)),
    Anchor("information_loss", "three candidates of the odds 3 : 1 : 1", given(scores=[[LOG_3, 0.0, 0.0]]),
           gives=[np.log(5.0) - LOG_3], source="-log(3/5)",
           near_misses={"the last column": [np.log(5.0)], "the mean over candidates": [(3 * np.log(5.0) - LOG_3) / 3],
                        "a cost for each candidate": [4 * LOG_2 - LOG_3], "the bound on information": [2 * LOG_3 - np.log(5.0)],
                        "the probability": [0.6]}),
    Anchor("information_loss", "equal scores tell nothing", given(scores=[[0.5, 0.5, 0.5], [-2.0, -2.0, -2.0]]),
           gives=[LOG_3, LOG_3], source="log K", near_misses={"zero": [0.0, 0.0], "log(K - 1)": [LOG_2, LOG_2]}),
    Law.equal("only differences of scores count", given(scores=G, shift=normal(4, 1)),
              left=lambda f, scores, shift: f.information_loss(scores + shift),
              right=lambda f, scores, _: f.information_loss(scores)),
    Rejects("information_loss", "one row", given(scores=zeros(4)), blames="scores"),
    Rejects("information_loss", "no candidate", given(scores=zeros(4, 0)), blames="scores"),
)  # fmt: skip
