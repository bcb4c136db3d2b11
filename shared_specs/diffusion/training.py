"""What must hold of the training of a DDPM (lectures 29, 32 and 39)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, full, given, integers, normal, scalar, uniform, zeros

SQUARES_LOST = "squares that float32 cannot hold"
SCHEDULE = np.array([1.0, 0.95, 0.8, 0.64, 0.4, 0.36, 0.1])  # T = 6; signal to noise 19, 4, 1.78, 0.67, 0.56, 0.11
TO_NOISE = np.array([1.0, 0.9, 0.5, 0.2, 0.0])  # T = 4; 9, 1, 0.25 and 0
ONE = [1.0, 0.3]  # T = 1
ALL = np.arange(1, 7)
P = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
TIMES = np.array([1, 6, 3, 1, 5])
HISTORY = uniform(6, 4, low=0.1, high=2.0)
BELOW_ONE = 1 - 2.0**-24  # the last number before 1 in float32
JUMPS = dict(no_gradient="the result is a whole number", frozen=("u",))
KINDS = ("noise", "x0", "velocity")
BAD_TIMES = {
    "the data are no level": [1, 0],
    "after the last level": [1, 7],
    "levels that are not integers": [1.0, 2.0],
    "a level for every entry": [[1, 2], [3, 4]],
}


def snr(t):
    """Signal to noise."""
    return SCHEDULE[t] / (1 - SCHEDULE[t])


WORTH = np.stack([snr(ALL), 1 + 0 * ALL, snr(ALL) + 1])  # of squared errors of the noise, the data and the velocity

SPEC = (
    # Levels.
    Agree("timesteps_from_uniforms", "regular", given(u=uniform(7), num_steps=10), **JUMPS),
    Agree("timesteps_from_uniforms", "both ends and between levels",
          given(u=[0.0, 0.25, 0.5, 0.75, BELOW_ONE, 0.125, 2.0**-30], num_steps=4), **JUMPS),
    Agree("timesteps_from_uniforms", "next to 1, a thousand levels", given(u=[BELOW_ONE, 0.0, 0.5], num_steps=1000), **JUMPS),
    Agree("timesteps_from_uniforms", "one level", given(u=[BELOW_ONE, 0.0, 0.5], num_steps=1), **JUMPS),
    Anchor("timesteps_from_uniforms", "quarters", given(u=[0.0, 0.2, 0.25, 0.6, 0.75, BELOW_ONE], num_steps=4),
           gives=[1, 1, 2, 3, 4, 4], source="by hand", frozen=("u",),
           near_misses={"from 0 to T - 1": [0, 0, 1, 2, 3, 3], "rounded": [1, 2, 2, 3, 4, 5],
                        "up, not down": [1, 1, 1, 3, 3, 4]}),
    Law.equal("every level equally often", given(u=np.arange(0.5, 60) / 60),
              left=lambda f, u: np.bincount(f.timesteps_from_uniforms(u, num_steps=12).astype(int), minlength=14),
              right=np.array([0] + [5] * 12 + [0]), frozen=("u",)),
    Rejects("timesteps_from_uniforms", "u of one", given(u=[0.5, 1.0], num_steps=10), blames="u"),
    Rejects("timesteps_from_uniforms", "a negative u", given(u=[0.5, -0.1], num_steps=10), blames="u"),
    Rejects("timesteps_from_uniforms", "a table of uniforms", given(u=zeros(2, 3), num_steps=10), blames="u"),
    Rejects("timesteps_from_uniforms", "no levels", given(u=zeros(2), num_steps=0), blames="num_steps"),
    # Averages.
    Agree("exponential_moving_average", "regular", given(average=normal(5, 3), value=normal(5, 3), decay=0.9)),
    Agree("exponential_moving_average", "kernels, a long memory",
          given(average=normal(2, 3, 4, 5), value=normal(2, 3, 4, 5), decay=0.9999)),
    Agree("exponential_moving_average", "numbers", given(average=scalar(0.3), value=scalar(-2.0), decay=0.5)),
    Anchor("exponential_moving_average", "a decay of 0.75", given(average=[1.0, -2.0, 4.0], value=[5.0, 2.0, 4.0], decay=0.75),
           gives=[2.0, -1.0, 4.0], source="by hand",
           near_misses={"the decay is the new one's share": [4.0, 1.0, 4.0], "a sum": [5.75, 0.5, 7.0],
                        "the new value": [5.0, 2.0, 4.0], "the old value": [1.0, -2.0, 4.0]}),
    Law.equal("a decay of 0 takes the new value, of 1 keeps the old, to the last bit", given(old=normal(5, 3), new=normal(5, 3)),
              left=lambda f, old, new: np.stack([f.exponential_moving_average(old, new, decay=0.0) == new,
                                                 f.exponential_moving_average(old, new, decay=1.0) == old]), right=True),
    Law.equal("its shares add up to one", given(old=normal(5, 3), new=normal(5, 3)),
              left=lambda f, old, new: f.exponential_moving_average(old, new, decay=0.8)
              + f.exponential_moving_average(new, old, decay=0.8), right=lambda f, old, new: old + new),
    Rejects("exponential_moving_average", "a decay above 1", given(average=zeros(3), value=zeros(3), decay=1.5), blames="decay"),
    Rejects("exponential_moving_average", "a negative decay", given(average=zeros(3), value=zeros(3), decay=-0.1),
            blames="decay"),
    Rejects("exponential_moving_average", "other shapes", given(average=zeros(2, 3), value=zeros(3), decay=0.5), blames="value"),
    # Decays.
    Agree("warmup_decay", "regular", given(step=uniform(5, high=60.0), decay=0.995)),
    Agree("warmup_decay", "before and after it is reached", given(step=[0.0, 3.5, 7.5, 8.5, 1e6], decay=0.5)),
    Agree("warmup_decay", "whole steps", given(step=integers(2, 3, high=100), decay=0.7), no_gradient="steps are whole numbers"),
    Anchor("warmup_decay", "a tenth first, then more", given(step=[0.0, 2.0, 8.0, 26.0, 1000.0], decay=0.9),
           gives=[0.1, 0.25, 0.5, 0.75, 0.9], source="by hand",
           near_misses={"counted from 1": [2 / 11, 4 / 13, 10 / 19, 28 / 37, 0.9],
                        "the larger": [0.9, 0.9, 0.9, 0.9, 1001 / 1010],
                        "not limited": [0.1, 0.25, 0.5, 0.75, 1001 / 1010], "from 0": [0.0, 1 / 6, 4 / 9, 13 / 18, 0.9]}),
    Law.at_least("it never falls", given(step=np.arange(100.0)),
                 left=lambda f, step: f.warmup_decay(step + 1, decay=0.9), right=lambda f, step: f.warmup_decay(step, decay=0.9)),
    Law.equal("ten steps forget the first value but for 1/92378", given(),
              left=lambda f: np.prod(f.warmup_decay(np.arange(10.0), decay=0.999)), right=1 / 92378),
    Anchor("warmup_decay", "step 255", given(step=[0, 255], decay=0.999), gives=[0.1, 256 / 265], source="by hand"),
    Rejects("warmup_decay", "a step before the first", given(step=[0.0, -1.0], decay=0.9), blames="step"),
    Rejects("warmup_decay", "a decay above 1", given(step=zeros(2), decay=1.1), blames="decay"),
    Rejects("warmup_decay", "a negative decay", given(step=zeros(2), decay=-0.5), blames="decay"),
    # Weights.
    Agree("min_snr_weight", "regular", given(t=TIMES, alpha_bar=SCHEDULE)),
    Agree("min_snr_weight", "data", given(t=TIMES, alpha_bar=SCHEDULE, prediction="x0")),
    Agree("min_snr_weight", "velocity, a low limit", given(t=TIMES, alpha_bar=SCHEDULE, gamma=0.6, prediction="velocity")),
    *(Agree("min_snr_weight", f"{kind}, where nothing is left",
            given(t=[4, 1, 4, 2, 3], alpha_bar=TO_NOISE, gamma=0.7, prediction=kind)) for kind in KINDS),
    Agree("min_snr_weight", "hardly any noise and hardly any data",
          given(t=[1, 3, 2, 3, 1], alpha_bar=[1.0, 1 - 1e-6, 0.5, 1e-12])),
    Agree("min_snr_weight", "one level", given(t=[1], alpha_bar=ONE)),
    Anchor("min_snr_weight", "noise: signal to noise 4, 1, 1/4 and 0, limit 2",
           given(t=[1, 2, 3, 4], alpha_bar=[1.0, 0.8, 0.5, 0.2, 0.0], gamma=2.0, prediction="noise"), gives=[0.5, 1.0, 1.0, 1.0],
           source="by hand", near_misses={"not divided by SNR": [2.0, 1.0, 0.25, 0.0], "the larger": [1.0, 2.0, 8.0, np.inf],
                                          "0/0": [0.5, 1.0, 1.0, np.nan], "of SNR + 1": [0.4, 0.5, 0.2, 0.0],
                                          "of the roots": [1.0, 1.0, 1.0, 1.0]}),
    Anchor("min_snr_weight", "data: signal to noise 4, 1, 1/4 and 0, limit 2",
           given(t=[1, 2, 3, 4], alpha_bar=[1.0, 0.8, 0.5, 0.2, 0.0], gamma=2.0, prediction="x0"), gives=[2.0, 1.0, 0.25, 0.0],
           source="by hand", near_misses={"not limited": [4.0, 1.0, 0.25, 0.0], "as for noise": [0.5, 1.0, 1.0, 1.0],
                                          "the level for the ratio": [0.8, 0.5, 0.2, 0.0]}),
    Anchor("min_snr_weight", "velocity: signal to noise 4, 1, 1/4 and 0, limit 2",
           given(t=[1, 2, 3, 4], alpha_bar=[1.0, 0.8, 0.5, 0.2, 0.0], gamma=2.0, prediction="velocity"),
           gives=[0.4, 0.5, 0.2, 0.0], source="by hand",
           near_misses={"over SNR": [0.5, 1.0, 1.0, 1.0], "times SNR + 1": [10.0, 2.0, 0.3125, 0.0]}),
    Law.equal("times what the errors are worth, they are the limited ratio", given(),
              left=lambda f: WORTH * np.stack([f.min_snr_weight(ALL, SCHEDULE, gamma=3.0, prediction=kind) for kind in KINDS]),
              right=np.minimum(snr(ALL), 3.0) * np.ones((3, 1))),
    *(Rejects("min_snr_weight", case, given(t=np.array(t), alpha_bar=SCHEDULE), blames="t ") for case, t in BAD_TIMES.items()),
    Rejects("min_snr_weight", "T entries: no 1 for the data", given(t=[1, 2], alpha_bar=SCHEDULE[1:]), blames="alpha_bar"),
    Rejects("min_snr_weight", "signal comes back", given(t=[1, 2], alpha_bar=[1.0, 0.5, 0.7]), blames="alpha_bar"),
    Rejects("min_snr_weight", "no limit", given(t=[1, 2], alpha_bar=SCHEDULE, gamma=0.0), blames="gamma"),
    Rejects("min_snr_weight", "a score", given(t=[1, 2], alpha_bar=SCHEDULE, prediction="score"), blames="prediction"),
    # Probabilities.
    Agree("loss_aware_probabilities", "regular", given(loss_history=HISTORY)),
    Agree("loss_aware_probabilities", "half uniform", given(loss_history=HISTORY, uniform_probability=0.5)),
    Agree("loss_aware_probabilities", "a level without loss",
          given(loss_history=[[0.0] * 4, [1.0, 2.0, 0.5, 0.1], [3.0, 0.2, 0.0, 0.4], [0.0, 0.0, 5.0, 0.0], [1.0, 1.0, 1.0, 1.0],
                              [0.0] * 4]), no_gradient="the root of the mean square of nothing has a corner"),
    Agree("loss_aware_probabilities", "huge losses", given(loss_history=uniform(6, 4, low=1e29, high=1e30)),
          edge=SQUARES_LOST),
    Agree("loss_aware_probabilities", "tiny losses", given(loss_history=uniform(6, 4, low=1e-30, high=1e-29)),
          no_gradient="no step of a central difference is as small as slopes of 1e29 want it",
          edge=SQUARES_LOST),
    Agree("loss_aware_probabilities", "one level, one loss", given(loss_history=[[0.3]]),
          no_gradient="a single level is certain, whatever it lost: the slope is zero but for rounding"),
    Anchor("loss_aware_probabilities", "roots of mean squares 5, 1 and 4",
           given(loss_history=[[1.0, 7.0], [1.0, -1.0], [4.0, 4.0]], uniform_probability=0.1),
           gives=[0.48333333333333334, 0.12333333333333334, 0.39333333333333337], source="by hand",
           near_misses={"means": [0.43333333333333335, 0.03333333333333333, 0.5333333333333333],
                        "means of magnitudes": [0.43333333333333335, 0.13333333333333333, 0.43333333333333335],
                        "mean squares": [0.569047619047619, 0.05476190476190476, 0.37619047619047624],
                        "not mixed": [0.5, 0.1, 0.4], "mixed with 1, not 1/T": [0.55, 0.19, 0.46],
                        "mixed the other way": [0.35, 0.31, 0.34]}),
    Law.normalized("levels", given(history=HISTORY), total=lambda f, history: f.loss_aware_probabilities(history).sum()),
    Law.at_least("no level is forgotten", given(history=HISTORY),
                 left=lambda f, history: f.loss_aware_probabilities(history, uniform_probability=0.3), right=0.3 / 6),
    Law.equal("equal losses, equal chances", given(history=full(6, 4, value=0.7)),
              left=lambda f, history: f.loss_aware_probabilities(history), right=1 / 6),
    Law.equal("all losses at one level", given(history=np.eye(6)[:, 2:] * 3.0),
              left=lambda f, history: f.loss_aware_probabilities(history[:, 1:2], uniform_probability=0.06),
              right=np.full(6, 0.01) + 0.94 * np.eye(6)[3]),
    Law.equal("the losses' unit does not matter", given(history=HISTORY),
              left=lambda f, history: f.loss_aware_probabilities(100 * history),
              right=lambda f, history: f.loss_aware_probabilities(history)),
    Law.equal("at a level without loss the slope is zero, not NaN", given(),
              left=lambda f: f.jacobian("loss_aware_probabilities", np.array([[0.0, 0.0], [1.0, 2.0]]), wrt=0)[:, 0],
              right=np.zeros((2, 2))),
    Rejects("loss_aware_probabilities", "nothing lost anywhere", given(loss_history=zeros(6, 4)), blames="loss_history"),
    Rejects("loss_aware_probabilities", "infinite losses", given(loss_history=[[1.0, np.inf], [1.0, 2.0]]),
            blames="loss_history"),
    Rejects("loss_aware_probabilities", "losses that are no numbers", given(loss_history=[[1.0, np.nan], [1.0, 2.0]]),
            blames="loss_history"),
    Rejects("loss_aware_probabilities", "no memory", given(loss_history=zeros(6)), blames="loss_history"),
    Rejects("loss_aware_probabilities", "more than all", given(loss_history=HISTORY, uniform_probability=1.5),
            blames="uniform_probability"),
    Rejects("loss_aware_probabilities", "less than none", given(loss_history=HISTORY, uniform_probability=-0.1),
            blames="uniform_probability"),
    # Weighted losses.
    Agree("importance_weighted_loss", "regular", given(losses=normal(5), t=TIMES, probabilities=P)),
    Agree("importance_weighted_loss", "eight-bit levels, a rare one",
          given(losses=uniform(5), t=np.array([6, 1, 2, 6, 6], np.uint8), probabilities=[0.5, 0.3, 0.1, 0.09, 0.00999, 1e-5])),
    Agree("importance_weighted_loss", "levels that are never drawn",
          given(losses=uniform(5), t=TIMES, probabilities=[0.5, 0.0, 0.3, 0.0, 0.1, 0.1])),
    Anchor("importance_weighted_loss", "four levels",
           given(losses=[3.0, -1.0, 2.0], t=[1, 4, 3], probabilities=[0.5, 0.25, 0.125, 0.125]),
           gives=[1.5, -2.0, 4.0], source="by hand",
           near_misses={"1/p": [6.0, -8.0, 16.0], "p": [1.5, -0.125, 0.25], "T p": [6.0, -0.5, 1.0],
                        "of the level after": [3.0, -2.0, 4.0], "of the level before": [6.0, -2.0, 2.0]}),
    Law.equal("unbiased, by enumeration", given(losses=normal(6)),
              left=lambda f, losses: P @ f.importance_weighted_loss(losses, ALL, P), right=lambda f, losses: losses.mean()),
    Law.equal("even chances change nothing", given(losses=normal(6)),
              left=lambda f, losses: f.importance_weighted_loss(losses, ALL, np.full(6, 1 / 6)), right=lambda f, losses: losses),
    Anchor("importance_weighted_loss", "256 levels", given(losses=[3.0, 1.0], t=[255, 1], probabilities=np.full(256, 1 / 256)),
           gives=[3.0, 1.0], source="even chances change nothing"),
    *(Rejects("importance_weighted_loss", case, given(losses=zeros(2), t=np.array(t), probabilities=P), blames="t ")
      for case, t in BAD_TIMES.items()),
    Rejects("importance_weighted_loss", "a level too few", given(losses=zeros(2), t=[1], probabilities=P), blames="t "),
    Rejects("importance_weighted_loss", "a table of losses", given(losses=zeros(2, 3), t=[1, 2], probabilities=P),
            blames="losses"),
    Rejects("importance_weighted_loss", "weights, not probabilities", given(losses=zeros(2), t=[1, 2], probabilities=2 * P),
            blames="probabilities"),
    Rejects("importance_weighted_loss", "drawn, though it never is",
            given(losses=zeros(2), t=[1, 2], probabilities=[0.5, 0.0, 0.5]), blames="probabilities"),
)  # fmt: skip
