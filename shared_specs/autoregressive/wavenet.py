"""Contracts of WaveNet (lecture 42)."""

import numpy as np

from shared_specs.rows import (
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_by_inputs,
    given,
    integers,
    normal,
    uniform,
    zeros,
)

SLOPE = 255 / 5.545177444479562  # of f at 0, 256 levels
X, WEIGHT, BIAS = normal(2, 3, 7), normal(4, 3, 2), normal(4)
PARAMETERS = dict(
    filter_weight=normal(4, 3, 2),
    filter_bias=normal(4),
    gate_weight=normal(4, 3, 2),
    gate_bias=normal(4),
    residual_weight=normal(3, 4),
    residual_bias=normal(3),
    skip_weight=normal(5, 4),
    skip_bias=normal(5),
)
SMALL = dict(
    x=zeros(1, 3, 4),
    filter_weight=zeros(2, 3, 2),
    filter_bias=zeros(2),
    gate_weight=zeros(2, 3, 2),
    gate_bias=zeros(2),
    residual_weight=zeros(3, 2),
    residual_bias=zeros(3),
    skip_weight=zeros(5, 2),
    skip_bias=zeros(5),
)
# Sizes of one, and every path with its own weight.
ONE = dict(
    x=[[[1.0, 2.0, -1.0, 0.5]]],
    filter_weight=[[[0.5, 1.0]]],
    filter_bias=[0.1],
    gate_weight=[[[-1.0, 0.5]]],
    gate_bias=[0.2],
    residual_weight=[[0.5]],
    residual_bias=[0.3],
    skip_weight=[[2.0], [-1.0]],
    skip_bias=[0.0, 0.1],
    dilation=2,
)
ONE_NEXT = [1.5674418289865157, 2.6729081822410285, -0.74068588797217625, 0.88068575383758718]
ONE_SKIP = [
    [1.069767315946063, 1.4916327289641141, -0.16274355188870499, 0.32274301535034871],
    [-0.43488365797303148, -0.64581636448205704, 0.1813717759443525, -0.061371507675174354],
]


def both(next_x, skip):
    """The two results of a block, for one example of one channel."""
    return [[next_x]], [skip]


def stepped(f, x, weight, bias, dilation):
    """The outputs of convolution_step, one after the other."""
    queue, outputs = np.zeros((*x.shape[:2], (weight.shape[2] - 1) * dilation)), []
    for t in range(x.shape[2]):
        y, queue = f.convolution_step(x[:, :, t], queue, weight, bias, dilation=dilation)
        outputs.append(y)
    return np.stack(outputs, axis=2)


def impulse_response(f, dilations):
    """The response to a single 1 of causal convolutions with taps 1, 1, 1."""
    y = np.eye(1, 16)[None]
    for dilation in dilations:
        y = f.causal_convolution(y, np.ones((1, 1, 3)), np.zeros(1), dilation=dilation)
    return y


def waves(num_levels):
    """Initialization of the embedding of WaveNet's codes, four channels wide."""
    angles = np.pi * np.outer(np.arange(num_levels) + 0.5, np.arange(4)) / num_levels
    return {"embedding.weight": begins_at(np.cos(angles) * 2 / np.sqrt(1 + np.arange(4)))}


def _drawn(network, codes, uniforms, label):
    """Whether each uniform is between the probabilities of all codes below, and of those and the code that was drawn.

    Codes are drawn in float32, which rounds by less than 1e-6.
    """
    upto = network(codes, label).softmax(-1).cumsum(-1)
    above = upto.gather(-1, codes[..., None])[..., 0]
    below = above - network(codes, label).softmax(-1).gather(-1, codes[..., None])[..., 0]
    return ((below < uniforms + 1e-6) & (uniforms - 1e-6 < above)).double(), (codes >= 0).double()


SPEC = (
    # Loudness to codes and back.
    Agree("mu_law_compress", "regular", given(x=uniform(5, 7, low=-1.0), num_levels=256)),
    Agree("mu_law_compress", "zero, both ends, and whispers",
          given(x=[-1.0, -0.5, -1e-9, 0.0, 1e-30, 1e-4, 1.0], num_levels=256), frozen=("x",)),
    Agree("mu_law_compress", "two levels", given(x=uniform(5, low=-1.0), num_levels=2)),
    Anchor(
        "mu_law_compress", "256 levels", given(x=[-1.0, -0.5, 0.0, 0.0078125, 0.75], num_levels=256),
        gives=[-1.0, -0.87570306864923476, 0.0, 0.19765007274061964, 0.94835497349522832], source="mpmath, 30 digits",
        near_misses={
            "mu = levels": [-1.0, -0.87578766807509674, 0.0, 0.19798111827274651, 0.94839034613890288],
            "divided by ln mu": [-1.0007063189269451, -0.87632159430100563, 0.0, 0.19778967672790841, 0.94902481456247052],
            "no sign": [1.0, 0.87570306864923476, 0.0, 0.19765007274061964, 0.94835497349522832],
            "not divided": [-5.5451774444795625, -4.8559289043352745, 0.0, 1.0960047252610288, 5.2587966083857534],
        },
        frozen=("x",),
    ),
    Law.equal("the slope at zero, and at the ends", given(x=np.array([-1.0, 0.0, 1.0])),
              left=lambda f, x: f.gradient("mu_law_compress", x, num_levels=256),
              right=lambda f, x: np.array([SLOPE / 256, SLOPE, SLOPE / 256]), frozen=("x",)),
    Law.equal("odd", given(x=uniform(5, low=-1.0)), left=lambda f, x: f.mu_law_compress(-x, num_levels=17),
              right=lambda f, x: -f.mu_law_compress(x, num_levels=17)),
    Rejects("mu_law_compress", "louder than 1", given(x=[0.5, -1.5], num_levels=256), blames="x"),
    Rejects("mu_law_compress", "not a number", given(x=[0.5, np.nan], num_levels=256), blames="x"),
    Rejects("mu_law_compress", "one level", given(x=[0.5], num_levels=1), blames="num_levels"),
    Agree("mu_law_encode", "regular", given(x=uniform(5, 7, low=-1.0), num_levels=256), no_gradient="codes are integers",
          frozen=("x",)),
    Agree("mu_law_encode", "zero and both ends", given(x=[-1.0, 0.0, -0.0, 1.0], num_levels=256),
          no_gradient="codes are integers", frozen=("x",)),
    Agree("mu_law_encode", "two levels", given(x=[-1.0, -0.01, 0.0, 0.01, 1.0], num_levels=2), no_gradient="codes are integers",
          frozen=("x",)),
    Anchor(
        "mu_law_encode", "256 levels", given(x=[-1.0, -0.5, -0.015625, 0.0, 0.0078125, 0.125, 1.0], num_levels=256),
        gives=[0, 16, 91, 128, 153, 208, 255], source="mpmath, 30 digits",
        near_misses={"the half forgotten": [0, 15, 90, 127, 152, 207, 255],
                     "256 steps for 255": [0, 15, 90, 128, 153, 208, 256],
                     "y mu rounded": [-255, -223, -74, 0, 50, 161, 255],
                     "linear": [0, 64, 126, 128, 128, 143, 255]},
        frozen=("x",),
    ),
    Anchor("mu_law_encode", "five levels, with a middle", given(x=[-1.0, -0.25, 0.0, 0.03125, 1.0], num_levels=5),
           gives=[0, 1, 2, 2, 4], source="mpmath, 30 digits", near_misses={"rounded up": [0, 2, 2, 3, 4]}, frozen=("x",)),
    Law.equal("every code comes back", given(codes=np.arange(256)),
              left=lambda f, codes: f.mu_law_encode(f.mu_law_decode(codes, num_levels=256) * (1 - 1e-6), num_levels=256),
              right=lambda f, codes: codes),
    Rejects("mu_law_encode", "louder than 1", given(x=[1.0, 1.01], num_levels=256), blames="x"),
    Rejects("mu_law_encode", "one level", given(x=[0.5], num_levels=1), blames="num_levels"),
    Agree("mu_law_decode", "every code", given(codes=np.arange(256), num_levels=256)),
    Agree("mu_law_decode", "levels with a middle, two axes", given(codes=np.array([[0, 1, 2], [3, 4, 2]]), num_levels=5)),
    Agree("mu_law_decode", "two levels", given(codes=np.array([0, 1]), num_levels=2)),
    Anchor(
        "mu_law_decode", "256 levels: there is no silence", given(codes=np.array([0, 64, 127, 128, 200, 255]), num_levels=256),
        gives=[-1.0, -0.05814500388034755, -8.6211595650721026e-5, 8.6211595650721026e-5, 0.087880226234837446, 1.0],
        source="mpmath, 30 digits",
        near_misses={
            "256 steps for 255": [-1.0, -0.058823529411764706, -0.00017362267618593663, 0.0, 0.084813399992037336,
                                  0.95743701905425433],
            "middles of 256 cells": [-0.97848803095863229, -0.057479031346679224, -8.5871171192614424e-5,
                                     8.5871171192614424e-5, 0.086756442790716651, 0.97848803095863229],
            "linear": [-1.0, -0.49803921568627451, -0.0039215686274509804, 0.0039215686274509804, 0.56862745098039216, 1.0],
            "the 1 not subtracted": [-1.003921568627451, -0.062066572507798531, -0.0040077802231017014, 0.0040077802231017014,
                                     0.091801794862288426, 1.003921568627451],
            "mu = levels": [-1.0, -0.058038033984333162, -8.5935866813797485e-5, 8.5935866813797485e-5,
                            0.087739887003402078, 1.0],
        },
    ),
    Anchor("mu_law_decode", "five levels: there is", given(codes=np.array([0, 1, 2, 3, 4]), num_levels=5),
           gives=[-1.0, -0.30901699437494742, 0.0, 0.30901699437494742, 1.0], source="(5^(1/2) - 1)/4",
           near_misses={"linear": [-1.0, -0.5, 0.0, 0.5, 1.0]}),
    Law.equal("no code is louder than 1, to the last bit", given(),
              left=lambda f: np.stack([abs(f.mu_law_decode(np.array([0, n - 1]), num_levels=n)) <= 1 for n in (11, 25, 30, 37)]),
              right=True),
    Law.at_least("the error is at most half a cell", given(x=np.linspace(-0.999, 0.999, 41)),
                 left=lambda f, x: (1 + 255 * abs(x)) / 255 * (256 ** (1 / 255) - 1),
                 right=lambda f, x: abs(x - f.mu_law_decode(f.mu_law_encode(x, num_levels=256), num_levels=256)), frozen=("x",)),
    Rejects("mu_law_decode", "a code too high", given(codes=np.array([0, 256]), num_levels=256), blames="codes"),
    Rejects("mu_law_decode", "a negative code", given(codes=np.array([3, -1]), num_levels=256), blames="codes"),
    Rejects("mu_law_decode", "one level", given(codes=np.array([0]), num_levels=1), blames="num_levels"),
    # Causal convolutions.
    Agree("causal_convolution", "regular", given(x=X, weight=WEIGHT, bias=BIAS, dilation=2)),
    Agree("causal_convolution", "one tap", given(x=X, weight=normal(4, 3, 1), bias=BIAS, dilation=3)),
    Agree("causal_convolution", "three taps, dilation beyond the beginning",
          given(x=X, weight=normal(4, 3, 3), bias=BIAS, dilation=9)),
    Agree("causal_convolution", "one step of time", given(x=normal(2, 3, 1), weight=WEIGHT, bias=BIAS, dilation=1)),
    Anchor(
        "causal_convolution", "now, and ten times two steps ago",
        given(x=[[[1.0, 2.0, 3.0, 4.0, 5.0]]], weight=[[[10.0, 1.0]]], bias=[0.5], dilation=2),
        gives=[[[1.5, 2.5, 13.5, 24.5, 35.5]]], source="by hand",
        near_misses={"kernel flipped": [[[10.5, 20.5, 31.5, 42.5, 53.5]]], "centered": [[[2.5, 13.5, 24.5, 35.5, 40.5]]],
                     "the future": [[[13.5, 24.5, 35.5, 40.5, 50.5]]], "strictly before": [[[0.5, 1.5, 2.5, 13.5, 24.5]]],
                     "dilation 1": [[[1.5, 12.5, 23.5, 34.5, 45.5]]], "no bias": [[[1.0, 2.0, 13.0, 24.0, 35.0]]]},
    ),
    Anchor("causal_convolution", "two channels to one, three taps",
           given(x=[[[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]], weight=[[[100.0, 10.0, 1.0], [0.0, 0.5, 0.0]]], bias=[0.0], dilation=1),
           gives=[[[1.0, 12.0, 123.5]]], source="by hand",
           near_misses={"kernel flipped": [[[100.0, 210.0, 321.5]]], "centered": [[[12.0, 123.5, 230.0]]]}),
    Law.equal("the future has no influence", given(x=X, weight=WEIGHT, bias=BIAS, other=normal(2, 3, 3)),
              left=lambda f, x, weight, bias, other: f.causal_convolution(x, weight, bias, dilation=2)[:, :, :4],
              right=lambda f, x, weight, bias, other: f.causal_convolution(
                  np.concatenate([x[:, :, :4], other], axis=2), weight, bias, dilation=2)[:, :, :4]),
    Law.equal("a delayed input is a delayed output", given(x=X, weight=WEIGHT),
              left=lambda f, x, weight: f.causal_convolution(
                  np.concatenate([np.zeros((2, 3, 2)), x], axis=2), weight, np.zeros(4), dilation=2)[:, :, 2:],
              right=lambda f, x, weight: f.causal_convolution(x, weight, np.zeros(4), dilation=2)),
    Law.equal("the newest tap at dilation d is d steps from the next", given(x=X, weight=WEIGHT, bias=BIAS),
              left=lambda f, x, weight, bias: f.causal_convolution(x, weight, bias, dilation=3)[:, :, ::3],
              right=lambda f, x, weight, bias: f.causal_convolution(x[:, :, ::3], weight, bias, dilation=1)),
    Rejects("causal_convolution", "other channels",
            given(x=zeros(1, 3, 4), weight=zeros(2, 4, 2), bias=zeros(2), dilation=1), blames="weight"),
    Rejects("causal_convolution", "a kernel of two axes", given(x=zeros(1, 3, 4), weight=zeros(2, 3), bias=zeros(2), dilation=1),
            blames="weight"),
    Rejects("causal_convolution", "no tap", given(x=zeros(1, 3, 4), weight=zeros(2, 3, 0), bias=zeros(2), dilation=1),
            blames="weight"),
    Rejects("causal_convolution", "a bias too few", given(x=zeros(1, 3, 4), weight=zeros(2, 3, 2), bias=zeros(1), dilation=1),
            blames="bias"),
    Rejects("causal_convolution", "no batch", given(x=zeros(3, 4), weight=zeros(2, 3, 2), bias=zeros(2), dilation=1), blames="x"),
    Rejects("causal_convolution", "dilation 0", given(x=zeros(1, 3, 4), weight=zeros(2, 3, 2), bias=zeros(2), dilation=0),
            blames="dilation"),
    # How far back a stack hears.
    Anchor("receptive_field", "four doublings", given(kernel_size=2, dilations=(1, 2, 4, 8)), gives=16, source="2^4",
           near_misses={"without the present": 15, "k for k - 1": 31, "one more a layer": 20}),
    Anchor("receptive_field", "three taps, twice the same stack", given(kernel_size=3, dilations=(1, 2, 1, 2)), gives=13,
           source="1 + 2 (1 + 2 + 1 + 2)", near_misses={"the largest alone": 5, "k for k - 1": 19, "two taps": 7, "once": 7}),
    Anchor("receptive_field", "no layer", given(kernel_size=2, dilations=()), gives=1, source="by hand",
           near_misses={"nothing": 0}),
    Anchor("receptive_field", "one tap", given(kernel_size=1, dilations=(1, 512)), gives=1, source="by hand",
           near_misses={"k for k - 1": 514}),
    Law.equal("as far as an impulse reaches", given(start=zeros(1)),
              left=lambda f, start: f.receptive_field(kernel_size=3, dilations=(1, 2, 3)),
              right=lambda f, start: (impulse_response(f, (1, 2, 3)) != 0).sum()),
    Rejects("receptive_field", "no tap", given(kernel_size=0, dilations=(1, 2)), blames="kernel_size"),
    Rejects("receptive_field", "dilation 0", given(kernel_size=2, dilations=(1, 0)), blames="dilations"),
    # Blocks.
    Agree("gated_residual_block", "regular", given(x=X, **PARAMETERS, dilation=2)),
    # A tanh that has rounded to 1 has no slope left: the kernels of both frameworks lose it, and no one learns through it.
    Agree("gated_residual_block", "saturated gates", given(x=normal(2, 3, 7, scale=40.0), **PARAMETERS, dilation=2),
          differentiate=("residual_weight", "residual_bias", "skip_weight", "skip_bias")),
    Anchor(
        "gated_residual_block", "sizes of one", given(**ONE), gives=both(ONE_NEXT, ONE_SKIP), source="mpmath, 30 digits",
        near_misses={
            "residual from z": both([1.1023254869595472, 1.4187245467230856, 0.17794233608347126, 0.54205726151276153], ONE_SKIP),
            "no residual": both([0.56744182898651574, 0.67290818224102852, 0.25931411202782375, 0.38068575383758718], ONE_SKIP),
            "filter and gate swapped": both(
                [1.5267165161391048, 2.6713527697060256, -0.87291006869965664, 0.41985683607667662],
                [[0.90686606455641917, 1.4854110788241024, -0.69164027479862655, -1.5205726556932935],
                 [-0.35343303227820959, -0.64270553941205118, 0.44582013739931328, 0.86028632784664676]]),
            "skip from the next input": both(
                ONE_NEXT, [[3.1348836579730315, 5.345816364482057, -1.4813717759443525, 1.7613715076751744],
                           [-1.4674418289865157, -2.5729081822410285, 0.84068588797217625, -0.78068575383758718]]),
            "no gate": both([1.7002495108803149, 2.7852259683067269, -0.88997448112761244, 1.2608342772032356],
                            [[1.6009980435212594, 1.9409038732269078, -0.75989792451044977, 1.8433371088129426],
                             [-0.70049902176062971, -0.87045193661345388, 0.47994896225522489, -0.82166855440647128]]),
            "kernels flipped": both([1.3832495353343785, 2.356775819344272, -0.47295296836565688, 1.1280713101373503],
                                    [[0.33299814133751391, 0.22710327737708814, 0.90818812653737247, 1.3122852405494013],
                                     [-0.066499070668756954, -0.013551638688544072, -0.35409406326868623, -0.55614262027470067]]),
            "dilation 1": both([1.5674418289865157, 2.5719004450019031, -0.69545897860568063, 0.84036545978230421],
                               [[1.069767315946063, 1.0876017800076124, 0.01816408557727748, 0.16146183912921683],
                                [-0.43488365797303148, -0.44380089000380618, 0.09091795721136126, 0.019269080435391584]]),
        },
    ),
    Law.equal("without a residual matrix x passes", given(x=X, **PARAMETERS),
              left=lambda f, x, fw, fb, gw, gb, rw, rb, sw, sb: f.gated_residual_block(
                  x, fw, fb, gw, gb, np.zeros((3, 4)), np.zeros(3), sw, sb, dilation=2)[0],
              right=lambda f, x, *parameters: x),
    Law.equal("a closed gate leaves the biases", given(x=X, **PARAMETERS),
              left=lambda f, x, fw, fb, gw, gb, rw, rb, sw, sb: f.gated_residual_block(
                  x, fw, fb, np.zeros((4, 3, 2)), np.full(4, -800.0), rw, rb, sw, sb, dilation=2)[1],
              right=lambda f, x, fw, fb, gw, gb, rw, rb, sw, sb: sb[:, None] + np.zeros((2, 5, 7))),
    Law.equal("the future has no influence on either result", given(x=X, **PARAMETERS, other=normal(2, 3, 3)),
              left=lambda f, x, *given: np.concatenate(f.gated_residual_block(x, *given[:-1], dilation=2), axis=1)[:, :, :4],
              right=lambda f, x, *given: np.concatenate(f.gated_residual_block(
                  np.concatenate([x[:, :, :4], given[-1]], axis=2), *given[:-1], dilation=2), axis=1)[:, :, :4]),
    Rejects("gated_residual_block", "a filter of other channels",
            given(**(SMALL | dict(filter_weight=zeros(2, 4, 2))), dilation=1),
            blames="filter_weight"),
    Rejects("gated_residual_block", "a filter bias too few", given(**(SMALL | dict(filter_bias=zeros(1))), dilation=1),
            blames="filter_bias"),
    Rejects("gated_residual_block", "fewer gates than filters",
            given(**(SMALL | dict(gate_weight=zeros(1, 3, 2), gate_bias=zeros(1))), dilation=1), blames="gate_weight"),
    Rejects("gated_residual_block", "a gate of other taps", given(**(SMALL | dict(gate_weight=zeros(2, 3, 1))), dilation=1),
            blames="gate_weight"),
    Rejects("gated_residual_block", "a gate bias too few",
            given(**(SMALL | dict(gate_bias=zeros(1))), dilation=1), blames="gate_bias"),
    Rejects("gated_residual_block", "a residual matrix transposed",
            given(**(SMALL | dict(residual_weight=zeros(2, 3))), dilation=1),
            blames="residual_weight"),
    Rejects("gated_residual_block", "a residual bias too few", given(**(SMALL | dict(residual_bias=zeros(2))), dilation=1),
            blames="residual_bias"),
    Rejects("gated_residual_block", "a skip matrix transposed", given(**(SMALL | dict(skip_weight=zeros(2, 5))), dilation=1),
            blames="skip_weight"),
    Rejects("gated_residual_block", "a skip bias too few",
            given(**(SMALL | dict(skip_bias=zeros(2))), dilation=1), blames="skip_bias"),
    Rejects("gated_residual_block", "no batch", given(**(SMALL | dict(x=zeros(3, 4))), dilation=1), blames="x"),
    Rejects("gated_residual_block", "dilation 0", given(**SMALL, dilation=0), blames="dilation"),
    # One step at a time.
    Agree("convolution_step", "regular",
          given(x=normal(2, 3), queue=normal(2, 3, 6), weight=normal(4, 3, 3), bias=BIAS, dilation=3)),
    Agree("convolution_step", "one tap, nothing to remember",
          given(x=normal(2, 3), queue=zeros(2, 3, 0), weight=normal(4, 3, 1), bias=BIAS, dilation=3)),
    Agree("convolution_step", "two taps, dilation 1",
          given(x=normal(2, 3), queue=normal(2, 3, 1), weight=normal(4, 3, 2), bias=BIAS, dilation=1)),
    Anchor(
        "convolution_step", "the oldest of three, and now",
        given(x=[[4.0]], queue=[[[1.0, 2.0, 3.0]]], weight=[[[10.0, 1.0]]], bias=[0.5], dilation=3),
        gives=([[14.5]], [[[2.0, 3.0, 4.0]]]), source="by hand",
        near_misses={"pushed before reading": ([[24.5]], [[[2.0, 3.0, 4.0]]]), "newest first": ([[34.5]], [[[4.0, 1.0, 2.0]]]),
                     "queue as it was": ([[14.5]], [[[1.0, 2.0, 3.0]]]), "kernel flipped": ([[41.5]], [[[2.0, 3.0, 4.0]]])},
    ),
    Anchor("convolution_step", "three taps, two apart",
           given(x=[[5.0]], queue=[[[1.0, 2.0, 3.0, 4.0]]], weight=[[[100.0, 10.0, 1.0]]], bias=[0.0], dilation=2),
           gives=([[135.0]], [[[2.0, 3.0, 4.0, 5.0]]]), source="by hand",
           near_misses={"the newest three": ([[345.0]], [[[2.0, 3.0, 4.0, 5.0]]]),
                        "pushed before reading": ([[245.0]], [[[2.0, 3.0, 4.0, 5.0]]])}),
    *(Law.equal(f"steps from an empty queue are the convolution: {taps} taps, dilation {dilation}",
                given(x=normal(2, 3, 5), weight=normal(4, 3, taps), bias=BIAS),
                left=lambda f, x, weight, bias, dilation=dilation: stepped(f, x, weight, bias, dilation),
                right=lambda f, x, weight, bias, dilation=dilation: f.causal_convolution(x, weight, bias, dilation=dilation))
      for taps, dilation in ((2, 3), (3, 1))),
    Rejects("convolution_step", "a queue too short",
            given(x=zeros(1, 3), queue=zeros(1, 3, 3), weight=zeros(2, 3, 3), bias=zeros(2), dilation=2), blames="queue"),
    Rejects("convolution_step", "a queue of another batch",
            given(x=zeros(1, 3), queue=zeros(2, 3, 4), weight=zeros(2, 3, 3), bias=zeros(2), dilation=2), blames="queue"),
    Rejects("convolution_step", "other channels",
            given(x=zeros(1, 3), queue=zeros(1, 3, 2), weight=zeros(2, 4, 2), bias=zeros(2), dilation=2), blames="weight"),
    Rejects("convolution_step", "a bias too few",
            given(x=zeros(1, 3), queue=zeros(1, 3, 2), weight=zeros(2, 3, 2), bias=zeros(3), dilation=2), blames="bias"),
    Rejects("convolution_step", "an axis of time",
            given(x=zeros(1, 3, 1), queue=zeros(1, 3, 2), weight=zeros(2, 3, 2), bias=zeros(2), dilation=2), blames="x"),
    Rejects("convolution_step", "dilation 0",
            given(x=zeros(1, 3), queue=zeros(1, 3, 0), weight=zeros(2, 3, 2), bias=zeros(2), dilation=0), blames="dilation"),
    # The network. A class begins without a say, and the embedding as cosines of the code, the slow ones largest.
    Model("WaveNet", "classes, two taps", given(codes=integers(3, 7, high=8), label=np.array([1, 0, 2])), sees={"codes": -1},
          sizes=dict(num_levels=8, residual_channels=4, skip_channels=5, dilations=(1, 2), classes=3), steps=10,
          initial=waves(8) | {"*condition.weight": begins_at(0), "*": begins_by_inputs()},
          relations={"codes are drawn by the inverse of their distribution function": lambda network, codes, label: _drawn(
              network, network.generate((codes + 0.5) / 8, label), (codes + 0.5) / 8, label)}),
    # silence is code 256, which eight bits do not hold
    Model("WaveNet", "no classes, three taps, 512 levels", given(codes=integers(3, 9, high=256)), sees={"codes": -1}, steps=0,
          sizes=dict(num_levels=512, residual_channels=4, skip_channels=5, dilations=(1, 2), kernel_size=3),
          initial=waves(512) | {"*": begins_by_inputs()}),
)  # fmt: skip
