"""Contracts of waveform diffusion: levels between those of a schedule, centered dilated convolutions, and DiffWave's block."""

import numpy as np

from shared_specs.diffusion._cases import (
    BAD_TIMES,
    HO,
    IMAGES,
    LEVELS,
    NO_STEP,
    ONE,
    PIXELS,
    SCHEDULE,
    TIMES,
    TO_NOISE,
    TOO_FEW,
    X,
    Y,
    column,
    rejects_schedules,
    rejects_times,
)
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

LOUDNESS = uniform(5, low=0.05, high=0.95)
WAVES, WEIGHT, BIAS = normal(2, 3, 7), normal(4, 3, 3), normal(4)
FIVE = [[[1.0, 2.0, 3.0, 4.0, 5.0]]]
BLOCK = dict(
    x=normal(2, 3, 7),
    embedding=normal(2, 3),
    condition=normal(2, 5, 7),
    weight=normal(6, 3, 3),
    bias=normal(6),
    condition_weight=normal(6, 5),
    output_weight=normal(6, 3),
    output_bias=normal(6),
)
SMALL = dict(
    x=zeros(1, 2, 4),
    embedding=zeros(1, 2),
    condition=zeros(1, 3, 4),
    weight=zeros(4, 2, 3),
    bias=zeros(4),
    condition_weight=zeros(4, 3),
    output_weight=zeros(4, 2),
    output_bias=zeros(4),
)
# Sizes of one, and every path with its own weight.
ONE_CHANNEL = dict(
    x=[[[1.0, 2.0, -1.0]]],
    embedding=[[0.5]],
    condition=[[[0.4, -0.2, 1.0]]],
    weight=[[[0.5, 1.0, -1.0]], [[-0.5, 0.25, 2.0]]],
    bias=[0.1, 0.2],
    condition_weight=[[1.0], [-2.0]],
    output_weight=[[0.5], [2.0]],
    output_bias=[0.3, -0.1],
)
NEXT, SKIP = [0.7572228322325905, 1.757578243245581, -0.48147551139197369], [
    -1.0165008036724148, 0.64236395411911719, -0.023636792644203305]  # fmt: skip


def both(following, skip):
    """The two results of a block, for one example of one channel."""
    return [[following]], [[skip]]


def wet(f, *block):
    """What a block adds to x/sqrt(2), and its skip, in one array."""
    residual, skip = f.conditioned_residual_block(*block, dilation=2)
    return np.concatenate([residual - block[0] / 2**0.5, skip], axis=1)


def through_ones(f, dilations):
    """The response to an impulse of convolutions with taps 1, 1, 1."""
    y = np.eye(1, 15, 7)[None]
    for dilation in dilations:
        y = f.dilated_convolution(y, np.ones((1, 1, 3)), np.zeros(1), dilation=dilation)
    return y


SPEC = (
    # A level between two of the schedule.
    Agree("sample_noise_level", "regular", given(u=uniform(5), t=TIMES, alpha_bar=SCHEDULE)),
    Agree("sample_noise_level", "both ends, and the first step", given(
        u=[0.0, 1.0, 0.0, 1.0, 0.5], t=[1, 1, 2, 4, 4], alpha_bar=TO_NOISE), differentiate=("u",)),
    Agree("sample_noise_level", "one step", given(u=uniform(3), t=[1, 1, 1], alpha_bar=ONE), differentiate=("u",)),
    Agree("sample_noise_level", "a thousand steps", given(u=uniform(4), t=[1, 255, 256, 1000], alpha_bar=HO),
          differentiate=("u",)),
    Anchor("sample_noise_level", "levels 1, 0.8, 0.6 and 0", given(u=[0.25, 0.75, 0.5], t=[1, 2, 3], alpha_bar=LEVELS),
           gives=[0.85, 0.75, 0.3], source="by hand: 0.8 + 0.2/4, 0.6 + 0.2 3/4, 0.6/2",
           near_misses={"interpolated in a": [0.73**0.5, 0.57**0.5, 0.18**0.5], "a for its root": [0.73, 0.57, 0.18],
                        "from the other end": [0.95, 0.65, 0.3], "the piece before": [1.0, 0.85, 0.7],
                        "always the level t": [0.8, 0.6, 0.0]}),
    Anchor("sample_noise_level", "step 255 and 256 of 256", given(u=[0.5, 0.5], t=[255, 256], alpha_bar=(
        1 - np.arange(257) / 256) ** 2), gives=[1.5 / 256, 0.5 / 256], source="levels 1 - t/256",
           near_misses={"the step before": [2.5 / 256, 1.5 / 256]}),
    Law.equal("u and 1 - u are as far from the ends", given(u=uniform(5), t=TIMES),
              left=lambda f, u, t: f.sample_noise_level(u, t, SCHEDULE) + f.sample_noise_level(1 - u, t, SCHEDULE),
              right=lambda f, u, t: SCHEDULE[t] ** 0.5 + SCHEDULE[t - 1] ** 0.5),
    Law.equal("the pieces meet", given(t=TIMES),
              left=lambda f, t: f.sample_noise_level(0.0 * t + 1, t, SCHEDULE),
              right=lambda f, t: f.sample_noise_level(0.0 * t, t - 1, SCHEDULE)),
    *rejects_times("sample_noise_level", {"u": zeros(2), "t": np.array([1, 2]), "alpha_bar": SCHEDULE},
                   BAD_TIMES | NO_STEP | TOO_FEW),
    *rejects_schedules("sample_noise_level", {"u": zeros(2), "t": np.array([1, 1]), "alpha_bar": SCHEDULE}),
    Rejects("sample_noise_level", "beyond the piece", given(u=[0.5, 1.5], t=np.array([1, 2]), alpha_bar=SCHEDULE), blames="u"),
    Rejects("sample_noise_level", "a number for every entry", given(u=zeros(2, 3), t=np.array([1, 2]), alpha_bar=SCHEDULE),
            blames="u"),
    # Noise at a level.
    Agree("noise_at_level", "regular", given(x0=X, noise=Y, level=LOUDNESS)),
    Agree("noise_at_level", "images, nearly the data and nearly noise", given(x0=IMAGES, noise=PIXELS, level=[0.999, 0.001])),
    Agree("noise_at_level", "both ends", given(x0=normal(2, 3), noise=normal(2, 3), level=[1.0, 0.0]),
          differentiate=("x0", "noise")),
    Anchor("noise_at_level", "levels 0.8, 0.6, 1 and 0", given(
        x0=[[1.5], [1.0], [2.0], [2.0]], noise=[[-1.0], [2.0], [3.0], [3.0]], level=[0.8, 0.6, 1.0, 0.0]),
           gives=[[0.6], [2.2], [2.0], [3.0]], source="by hand: 1.2 - 0.6, 0.6 + 1.6, the data, the noise",
           near_misses={"sqrt(1 - l) for sqrt(1 - l^2)": [[1.2 - 0.2**0.5], [0.6 + 2 * 0.4**0.5], [2.0], [3.0]],
                        "l for a": [[1.5 * 0.8**0.5 - 0.2**0.5], [0.6**0.5 + 2 * 0.4**0.5], [2.0], [3.0]],
                        "weights exchanged": [[0.1], [2.0], [3.0], [2.0]], "1 - l": [[1.0], [1.4], [2.0], [3.0]],
                        "the variance for the deviation": [[0.84], [1.88], [2.0], [3.0]]}),
    Law.equal("from one level to a lower one", given(x0=X, first=Y, fresh=normal(5, 3), high=uniform(5, low=0.6, high=0.9),
              low=uniform(5, low=0.1, high=0.5)),
              left=lambda f, x0, first, fresh, high, low: f.noise_at_level(
                  f.noise_at_level(x0, first, high), fresh, low / high),
              right=lambda f, x0, first, fresh, high, low: f.noise_at_level(x0, column(1 / (1 - low**2) ** 0.5) * (
                  column(low / high * (1 - high**2) ** 0.5) * first + column((1 - (low / high) ** 2) ** 0.5) * fresh), low)),
    Law.equal("of itself it keeps the sum of both weights, whose squares sum to 1", given(x=X, level=LOUDNESS),
              left=lambda f, x, level: f.noise_at_level(x, 0 * x, level) ** 2 + f.noise_at_level(0 * x, x, level) ** 2,
              right=lambda f, x, level: x * x),
    Rejects("noise_at_level", "another shape", given(x0=zeros(2, 3), noise=zeros(2, 2), level=[0.5, 0.5]), blames="noise"),
    Rejects("noise_at_level", "louder than the data", given(x0=zeros(2, 3), noise=zeros(2, 3), level=[0.5, 1.5]),
            blames="level"),
    Rejects("noise_at_level", "below nothing", given(x0=zeros(2, 3), noise=zeros(2, 3), level=[-0.5, 0.5]), blames="level"),
    Rejects("noise_at_level", "one level for all", given(x0=zeros(2, 3), noise=zeros(2, 3), level=[0.5]), blames="level"),
    # A convolution around every sample.
    Agree("dilated_convolution", "regular", given(x=WAVES, weight=WEIGHT, bias=BIAS, dilation=2)),
    Agree("dilated_convolution", "one tap", given(x=WAVES, weight=normal(4, 3, 1), bias=BIAS, dilation=3)),
    Agree("dilated_convolution", "five taps", given(x=WAVES, weight=normal(4, 3, 5), bias=BIAS, dilation=1)),
    Agree("dilated_convolution", "a dilation longer than the signal", given(x=WAVES, weight=WEIGHT, bias=BIAS, dilation=9)),
    Agree("dilated_convolution", "one sample", given(x=normal(2, 3, 1), weight=WEIGHT, bias=BIAS, dilation=1)),
    Anchor("dilated_convolution", "ten times two before, and a hundred times two after",
           given(x=FIVE, weight=[[[10.0, 1.0, 100.0]]], bias=[0.5], dilation=2),
           gives=[[[301.5, 402.5, 513.5, 24.5, 35.5]]], source="by hand",
           near_misses={"kernel flipped": [[[31.5, 42.5, 153.5, 204.5, 305.5]]],
                        "causal": [[[100.5, 200.5, 301.5, 402.5, 513.5]]], "dilation 1": [[[201.5, 312.5, 423.5, 534.5, 45.5]]],
                        "around the end": [[[341.5, 452.5, 513.5, 124.5, 235.5]]],
                        "no bias": [[[301.0, 402.0, 513.0, 24.0, 35.0]]]}),
    Anchor("dilated_convolution", "two channels to one", given(
        x=[[[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]], weight=[[[100.0, 10.0, 1.0], [0.0, 0.5, 0.25]]], bias=[0.0], dilation=1),
           gives=[[[12.25, 123.5, 230.0]]], source="by hand", near_misses={"kernel flipped": [[[210.0, 321.5, 30.25]]]}),
    Law.equal("an impulse through dilations of 1 and 2 reaches three samples to each side", given(start=zeros(1)),
              left=lambda f, start: through_ones(f, (1, 2))[0, 0],
              right=lambda f, start: np.pad([1.0, 1.0, 2.0, 1.0, 2.0, 1.0, 1.0], 4)),
    Law.equal("dilations of 1, 3 and 9 reach every offset once", given(start=zeros(1)),
              left=lambda f, start: through_ones(f, (1, 3, 9)), right=1.0),
    Law.equal("backward in time", given(x=WAVES, weight=WEIGHT, bias=BIAS),
              left=lambda f, x, weight, bias: f.dilated_convolution(x[:, :, ::-1], weight[:, :, ::-1], bias, dilation=2),
              right=lambda f, x, weight, bias: f.dilated_convolution(x, weight, bias, dilation=2)[:, :, ::-1]),
    Law.equal("every third sample at dilation 3 is dilation 1", given(x=WAVES, weight=WEIGHT, bias=BIAS),
              left=lambda f, x, weight, bias: f.dilated_convolution(x, weight, bias, dilation=3)[:, :, ::3],
              right=lambda f, x, weight, bias: f.dilated_convolution(x[:, :, ::3], weight, bias, dilation=1)),
    Rejects("dilated_convolution", "other channels", given(
        x=zeros(1, 3, 4), weight=zeros(2, 4, 3), bias=zeros(2), dilation=1), blames="weight"),
    Rejects("dilated_convolution", "an even kernel", given(
        x=zeros(1, 3, 4), weight=zeros(2, 3, 2), bias=zeros(2), dilation=1), blames="weight"),
    Rejects("dilated_convolution", "no tap", given(x=zeros(1, 3, 4), weight=zeros(2, 3, 0), bias=zeros(2), dilation=1),
            blames="weight"),
    Rejects("dilated_convolution", "a kernel of two axes", given(
        x=zeros(1, 3, 4), weight=zeros(2, 3), bias=zeros(2), dilation=1), blames="weight"),
    Rejects("dilated_convolution", "a bias too few", given(
        x=zeros(1, 3, 4), weight=zeros(2, 3, 3), bias=zeros(1), dilation=1), blames="bias"),
    Rejects("dilated_convolution", "no batch", given(x=zeros(3, 4), weight=zeros(2, 3, 3), bias=zeros(2), dilation=1),
            blames="x"),
    Rejects("dilated_convolution", "dilation 0", given(
        x=zeros(1, 3, 4), weight=zeros(2, 3, 3), bias=zeros(2), dilation=0), blames="dilation"),
    # Blocks.
    Agree("conditioned_residual_block", "regular", given(**BLOCK, dilation=2)),
    Agree("conditioned_residual_block", "one tap, one sample", given(
        **BLOCK | dict(x=normal(2, 3, 1), condition=normal(2, 5, 1), weight=normal(6, 3, 1)), dilation=4)),
    # A tanh that has rounded to 1 has no slope left: the kernels of both frameworks lose it, and nothing is learned through it.
    Agree("conditioned_residual_block", "saturated gates", given(
        **BLOCK | dict(condition=normal(2, 5, 7, scale=40.0)), dilation=2),
          differentiate=("output_weight", "output_bias")),
    Anchor("conditioned_residual_block", "sizes of one", given(**ONE_CHANNEL, dilation=1), gives=both(NEXT, SKIP),
           source="mpmath, 30 digits",
           near_misses={
               "halves of the gate exchanged": both([1.0527005924354791, 1.4604050157867441, -0.79942435993807296],
                                                    [0.65497381976178629, -1.0387016804667701, -1.8222270876634141]),
               "not divided by sqrt(2)": both([1.0708747990818963, 2.4855909885297793, -0.68090919816105083], SKIP),
               "divided by 2": both([0.53543739954094815, 1.2427954942648896, -0.34045459908052541], SKIP),
               "residual and skip exchanged": both([-0.011667830171792372, 1.8684334703205271, -0.72382051755076399],
                                                   [0.070874799081896307, 0.4855909885297793, 0.31909080183894917]),
               "the embedding forgotten": both([0.7599946630174528, 1.6961285353138433, -0.48217733622269746],
                                               [-1.0008209609181926, 0.29475191267540094, -0.027606913420282302]),
               "the embedding kept in the residual": both(
                   [1.1107762228258643, 2.1111316338388548, -0.12792212079869993], SKIP),
               "the condition forgotten": both([0.66694583752460843, 1.7266427436512964, -0.43732450769691465],
                                               [-1.5271846048176643, 0.46736634177901837, 0.22611900022754525]),
               "no gate": both([0.75585572774191024, 1.9794216317456407, -0.15848173669157647],
                               [-1.0242343145200195, 1.8972996690774686, 1.8034919143293232]),
               "causal": both([0.67237004870675008, 1.344043923710066, -0.4769699597625613],
                              [-1.4965006327418221, -1.696939418656301, 0.0018504562369454969]),
               "dilation 2": both([0.99844128515015236, 1.8951606778620923, -0.47505355457493942],
                                  [0.34803682677027268, 1.4206477340350368, 0.01269128106629359]),
           }),
    Law.equal("a closed gate leaves the biases", given(**BLOCK),
              left=lambda f, x, e, c, w, b, cw, ow, ob: wet(
                  f, x, e, c, 0 * w, np.where(np.arange(6) < 3, b, -800.0), 0 * cw, ow, ob),
              right=lambda f, x, e, c, w, b, cw, ow, ob: np.concatenate(
                  [ob[:3] / 2**0.5, ob[3:]])[:, None] + np.zeros((2, 6, 7))),
    Law.equal("what it adds is odd in the first half of the gates", given(**BLOCK),
              left=lambda f, x, e, c, w, b, cw, ow, ob: wet(f, x, e, c, *(
                  (np.where(np.arange(6) < 3, -1.0, 1.0) * part.T).T for part in (w, b, cw)), ow, 0 * ob),
              right=lambda f, x, e, c, w, b, cw, ow, ob: -wet(f, x, e, c, w, b, cw, ow, 0 * ob)),
    Law.equal("nothing beyond the dilation matters", given(**BLOCK, other=normal(2, 3, 2)),
              left=lambda f, *block: wet(f, *block[:-1])[:, :, :3],
              right=lambda f, x, *block: wet(f, np.concatenate([x[:, :, :5], block[-1]], axis=2), *block[:-1])[:, :, :3]),
    *(Rejects("conditioned_residual_block", case, given(**SMALL | {name: zeros(*shape)}, dilation=1), blames=blamed or name)
      for case, name, shape, blamed in (
          ("no batch", "x", (2, 4), ""), ("an embedding for every sample", "embedding", (1, 2, 4), ""),
          ("an embedding of other channels", "embedding", (1, 3), ""), ("frames for samples", "condition", (1, 3, 2), ""),
          ("a condition of another batch", "condition", (2, 3, 4), ""), ("as many gates as channels", "weight", (2, 2, 3), ""),
          ("an even kernel", "weight", (4, 2, 2), ""), ("a bias too few", "bias", (2,), ""),
          ("bands of another condition", "condition_weight", (4, 2), ""), ("no skip", "output_weight", (2, 2), ""),
          ("an output bias too few", "output_bias", (2,), ""))),
    Rejects("conditioned_residual_block", "dilation 0", given(**SMALL, dilation=0), blames="dilation"),
)  # fmt: skip
