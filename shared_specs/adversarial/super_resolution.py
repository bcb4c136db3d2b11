"""What must hold of pixel shuffle, peak signal-to-noise ratio, structural similarity and the generator's loss."""

import numpy as np

from shared_specs.rows import (
    Agree,
    Anchor,
    Cancels,
    Law,
    Model,
    Rejects,
    begins_by_inputs,
    concatenate,
    full,
    given,
    normal,
    uniform,
    zeros,
)

# Channel c 4 + i 2 + j of 8 has the pixels 2 k and 2 k + 1 in one row.
CHANNELS = np.arange(16.0).reshape(1, 8, 1, 2)
SHUFFLED = [[[[0.0, 2.0, 1.0, 3.0], [4.0, 6.0, 5.0, 7.0]], [[8.0, 10.0, 9.0, 11.0], [12.0, 14.0, 13.0, 15.0]]]]
IMAGES = dict(x=uniform(2, 3, 5, 6), y=uniform(2, 3, 5, 6))
THREE = dict(window_size=3)
TRUE = [[0.1, 0.6, 0.3, 0.9], [0.8, 0.2, 0.5, 0.4], [0.7, 0.9, 0.0, 0.2]]
MADE = [[0.2, 0.5, 0.5, 0.6], [0.7, 0.4, 0.3, 0.5], [0.5, 0.8, 0.3, 0.1]]
FLAT = "the mean of squares less the square of the mean, as libraries compute a variance, loses the digits of a flat window"
FEATURES = dict(features=normal(5, 3, 4), features_target=normal(5, 3, 4), logits_fake=normal(5, scale=2.0))
MPMATH = "40 digits (mpmath), from the definition"


def _images():
    """Inputs rejected by both scores."""
    for function in ("peak_signal_to_noise_ratio", "structural_similarity"):
        small = {} if function == "peak_signal_to_noise_ratio" else THREE
        four, three = zeros(2, 3, 4, 5), zeros(3, 4, 5)
        yield Rejects(function, "sizes differ", given(x=four, y=zeros(2, 3, 4, 4), data_range=1.0, **small), blames="y")
        yield Rejects(function, "no batch", given(x=three, y=three, data_range=1.0, **small), blames="x")
        yield Rejects(
            function, "no channel", given(x=zeros(2, 0, 4, 5), y=zeros(2, 0, 4, 5), data_range=1.0, **small), blames="x"
        )
        for value in (0.0, -1.0):
            yield Rejects(function, f"the range {value:g}", given(x=four, y=four, data_range=value, **small), blames="data_range")
        yield Law.equal(
            f"{function}: symmetric", given(**IMAGES), left=_score(function), right=lambda f, x, y, g=function: _score(g)(f, y, x)
        )
        yield Law.equal(
            f"{function}: images and range scaled alike",
            given(**IMAGES),
            left=_score(function),
            right=lambda f, x, y, g=function: _score(g, 255.0)(f, 255 * x, 255 * y),
        )
        yield Law.equal(
            f"{function}: mirrored images",
            given(**IMAGES),
            left=_score(function),
            right=lambda f, x, y, g=function: _score(g)(f, x[:, :, ::-1, ::-1], y[:, :, ::-1, ::-1]),
        )
        yield Law.equal(
            f"{function}: rows exchanged with columns",
            given(**IMAGES),
            left=_score(function),
            right=lambda f, x, y, g=function: _score(g)(f, x.swapaxes(2, 3), y.swapaxes(2, 3)),
        )
        yield Law.equal(
            f"{function}: no image depends on the others",
            given(**IMAGES),
            left=_score(function),
            right=lambda f, x, y, g=function: np.concatenate([_score(g)(f, x[n : n + 1], y[n : n + 1]) for n in range(2)]),
        )


def _score(function, data_range=1.0):
    small = {} if function == "peak_signal_to_noise_ratio" else THREE
    return lambda f, x, y: getattr(f, function)(x, y, data_range=data_range, **small)


SPEC = (
    # Pixels from channels.
    Agree("pixel_shuffle", "pairs", given(x=normal(2, 12, 3, 4), factor=2)),
    Agree("pixel_shuffle", "blocks of 3 x 3", given(x=normal(2, 18, 4, 3), factor=3)),
    Agree("pixel_shuffle", "nothing to do", given(x=normal(2, 3, 4, 5), factor=1)),
    Anchor("pixel_shuffle", "two channels of 2 x 4", given(x=CHANNELS, factor=2), gives=SHUFFLED, source="by hand",
           near_misses={
               "rows and columns of a block exchanged": [[[[0.0, 4.0, 1.0, 5.0], [2.0, 6.0, 3.0, 7.0]],
                                                          [[8.0, 12.0, 9.0, 13.0], [10.0, 14.0, 11.0, 15.0]]]],
               "the channel last": [[[[0.0, 4.0, 1.0, 5.0], [8.0, 12.0, 9.0, 13.0]],
                                     [[2.0, 6.0, 3.0, 7.0], [10.0, 14.0, 11.0, 15.0]]]],
               "tiles of the whole image": [[[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]],
                                             [[8.0, 9.0, 10.0, 11.0], [12.0, 13.0, 14.0, 15.0]]]],
           }),
    Law.equal("equal channels become blocks of equal pixels", given(x=normal(2, 3, 4, 5)),
              left=lambda f, x: f.pixel_shuffle(np.repeat(x, 9, 1), factor=3),
              right=lambda f, x: np.kron(x, np.ones((3, 3)))),
    Law.equal("shuffled in two steps", given(x=normal(2, 16, 3, 2)),
              left=lambda f, x: f.pixel_shuffle(f.pixel_shuffle(x, factor=2), factor=2)[:, 0, ::4, ::4],
              right=lambda f, x: x[:, 0]),
    Law.equal("slopes are moved as pixels are", given(x=normal(2, 12, 3, 4)),
              left=lambda f, x: f.gradient("pixel_shuffle", x, factor=2), right=1.0),
    Rejects("pixel_shuffle", "channels are no multiple", given(x=zeros(2, 6, 3, 4), factor=2), blames="x"),
    Rejects("pixel_shuffle", "a multiple of the factor alone", given(x=zeros(2, 3, 3, 4), factor=3), blames="x"),
    Rejects("pixel_shuffle", "no batch", given(x=zeros(4, 3, 5), factor=2), blames="x"),
    Rejects("pixel_shuffle", "factor 0", given(x=zeros(2, 4, 3, 5), factor=0), blames="factor"),
    Agree("pixel_unshuffle", "pairs", given(x=normal(2, 3, 6, 8), factor=2)),
    Agree("pixel_unshuffle", "blocks of 3 x 3", given(x=normal(2, 5, 6, 9), factor=3)),
    Agree("pixel_unshuffle", "nothing to do", given(x=normal(2, 3, 4, 5), factor=1)),
    Anchor("pixel_unshuffle", "two channels of 2 x 4", given(x=SHUFFLED, factor=2), gives=CHANNELS, source="by hand",
           near_misses={
               "rows and columns of a block exchanged": CHANNELS[:, [0, 2, 1, 3, 4, 6, 5, 7]],
               "the channel last": CHANNELS[:, [0, 4, 1, 5, 2, 6, 3, 7]],
           }),
    Law.inverse("unshuffled and shuffled", given(x=normal(2, 3, 6, 9)),
                round_trip=lambda f, x: f.pixel_shuffle(f.pixel_unshuffle(x, factor=3), factor=3), start=lambda f, x: x),
    Law.inverse("shuffled and unshuffled", given(x=normal(2, 8, 3, 5)),
                round_trip=lambda f, x: f.pixel_unshuffle(f.pixel_shuffle(x, factor=2), factor=2), start=lambda f, x: x),
    Law.equal("inner products stay", given(x=normal(2, 3, 6, 8), y=normal(2, 3, 6, 8)),
              left=lambda f, x, y: (f.pixel_unshuffle(x, factor=2) * f.pixel_unshuffle(y, factor=2)).sum((1, 2, 3)),
              right=lambda f, x, y: (x * y).sum((1, 2, 3)),
              cancels=Cancels(144.0, because="the products have both signs")),
    Rejects("pixel_unshuffle", "an odd height", given(x=zeros(2, 3, 5, 4), factor=2), blames="x"),
    Rejects("pixel_unshuffle", "an odd width", given(x=zeros(2, 3, 4, 5), factor=2), blames="x"),
    Rejects("pixel_unshuffle", "no batch", given(x=zeros(4, 6, 8), factor=2), blames="x"),
    Rejects("pixel_unshuffle", "factor 0", given(x=zeros(2, 3, 4, 6), factor=0), blames="factor"),
    # Two scores of a restored image.
    *_images(),
    Agree("peak_signal_to_noise_ratio", "regular", given(**IMAGES, data_range=1.0)),
    Agree("peak_signal_to_noise_ratio", "integers of 8 bits", given(
        x=uniform(2, 3, 5, 6, high=255.0), y=uniform(2, 3, 5, 6, high=255.0), data_range=255.0)),
    Agree("peak_signal_to_noise_ratio", "an image equal to its target", given(
        x=concatenate(full(1, 3, 4, 5, value=0.25), uniform(1, 3, 4, 5)), y=full(2, 3, 4, 5, value=0.25), data_range=2.0)),
    Agree("peak_signal_to_noise_ratio", "of huge numbers", given(
        x=normal(2, 3, 5, 6, scale=1e30), y=normal(2, 3, 5, 6, scale=1e30), data_range=1e30)),
    Anchor("peak_signal_to_noise_ratio", "errors of 0.1, of one pixel in four, of everything, of nothing",
           given(x=zeros(4, 1, 1, 4), y=[[[[0.1, -0.1, 0.1, 0.1]]], [[[1.0, 0.0, 0.0, 0.0]]], [[[1.0, 1.0, 1.0, 1.0]]],
                                         [[[0.0, 0.0, 0.0, 0.0]]]], data_range=1.0),
           gives=[20.0, 6.020599913279624, 0.0, np.inf], source="by hand: 10 log10 of 100, 4 and 1",
           near_misses={
               "20 log10 of the squares": [40.0, 12.041199826559248, 0.0, np.inf],
               "natural logarithm": [46.05170185988091, 13.862943611198906, 0.0, np.inf],
               "sum of squares": [13.979400086720377, 0.0, -6.020599913279624, np.inf],
               "absolute errors": [10.0, 6.020599913279624, 0.0, np.inf],
               "sign": [-20.0, -6.020599913279624, 0.0, -np.inf],
               "something added to the squares": [19.99999957, 6.02059974, -4.3e-8, 80.0],
           }),
    Anchor("peak_signal_to_noise_ratio", "the range", given(
        x=zeros(2, 1, 1, 2), y=[[[[25.5, -25.5]]], [[[0.0, 51.0]]]], data_range=255.0), gives=[20.0, 16.989700043360187],
        source="by hand: 10 log10 of 100 and of 50",
        near_misses={"left out": [-28.130803608679105, -31.141103565318917], "not squared": [-4.06540180, -7.07570176]}),
    Law.equal("twice the error costs 6.02 dB", given(**IMAGES),
              left=lambda f, x, y: f.peak_signal_to_noise_ratio(x, y, data_range=1.0),
              right=lambda f, x, y: f.peak_signal_to_noise_ratio(2 * x, 2 * y, data_range=1.0) + 20 * np.log10(2)),
    Agree("structural_similarity", "regular", given(**IMAGES, data_range=1.0, **THREE)),
    Agree("structural_similarity", "the default window", given(x=uniform(2, 2, 12, 13), y=uniform(2, 2, 12, 13), data_range=1.0)),
    Agree("structural_similarity", "a narrow Gaussian", given(**IMAGES, data_range=2.0, window_size=5, sigma=0.6)),
    Agree("structural_similarity", "one pixel a window", given(**IMAGES, data_range=1.0, window_size=1), edge=FLAT),
    Agree("structural_similarity", "one window", given(x=normal(3, 2, 3, 3), y=normal(3, 2, 3, 3), data_range=1.0, **THREE)),
    Agree("structural_similarity", "bright and nearly flat", given(
        x=uniform(2, 2, 5, 4, low=0.900, high=0.902), y=uniform(2, 2, 5, 4, low=0.900, high=0.902), data_range=1.0, **THREE),
        edge=FLAT),
    Anchor("structural_similarity", "two windows", given(x=[[TRUE], [TRUE]], y=[[MADE], [TRUE]], data_range=1.0, **THREE),
           gives=[0.70415696449698282, 1.0], source=MPMATH,
           near_misses={
               "a uniform window": [0.71929859550601905, 1.0],
               "unbiased variances and covariance": [0.62644539623154803, 1.0],
               "the product of the deviations for the covariance": [0.89691896727815544, 1.0],
               "the luminance alone": [0.99983018325889688, 1.0],
               "contrast and structure alone": [0.70427596975525615, 1.0],
               "sigma for its square": [0.69461223782745963, 1.0],
               "averaged over the batch": [0.85207848224849141, 0.85207848224849141],
               "the dissimilarity": [0.14792151775150859, 0.0],
           }),
    Anchor("structural_similarity", "sigma", given(x=[[TRUE]], y=[[MADE]], data_range=1.0, sigma=1.0, **THREE),
           gives=[0.6774214907874113839], source=MPMATH, near_misses={"ignored": [0.70415696449698282]}),
    Anchor("structural_similarity", "the range 4", given(
        x=(4 * np.array([[TRUE]])), y=(4 * np.array([[MADE]])), data_range=4.0, **THREE), gives=[0.70415696449698282],
        source=MPMATH, near_misses={"left out": [0.70202076444915599]}),
    Anchor("structural_similarity", "flat images", given(
        x=full(1, 2, 4, 5, value=0.5), y=full(1, 2, 4, 5, value=0.25), data_range=1.0, **THREE), gives=[0.2501 / 0.3126],
        source="by hand: the variances are 0", near_misses={"without the constants": [0.8], "contrast and structure": [1.0]},
        edge=FLAT),
    Law.equal("equal images", given(x=uniform(3, 2, 5, 6)),
              left=lambda f, x: f.structural_similarity(x, x, data_range=1.0, **THREE), right=1.0),
    Law.at_least("never above 1", given(x=normal(3, 2, 5, 6), y=normal(3, 2, 5, 6)), left=1.0,
                 right=lambda f, x, y: f.structural_similarity(x, y, data_range=0.5, **THREE)),
    Law.equal("the mean of its channels", given(**IMAGES),
              left=lambda f, x, y: f.structural_similarity(x, y, data_range=1.0, **THREE),
              right=lambda f, x, y: np.mean(
                  [f.structural_similarity(x[:, [c]], y[:, [c]], data_range=1.0, **THREE) for c in range(3)], 0)),
    Law.equal("the mean of its windows", given(**IMAGES),
              left=lambda f, x, y: f.structural_similarity(x, y, data_range=1.0, window_size=5),
              right=lambda f, x, y: np.mean(
                  [f.structural_similarity(x[..., c : c + 5], y[..., c : c + 5], data_range=1.0, window_size=5)
                   for c in range(2)], 0)),
    Rejects("structural_similarity", "an even window", given(**IMAGES, data_range=1.0, window_size=4), blames="window_size"),
    Rejects("structural_similarity", "a window larger than the image", given(**IMAGES, data_range=1.0, window_size=7),
            blames="window_size"),
    Rejects("structural_similarity", "the default window on a small image", given(**IMAGES, data_range=1.0),
            blames="window_size"),
    Rejects("structural_similarity", "a negative window", given(**IMAGES, data_range=1.0, window_size=-1), blames="window_size"),
    Rejects("structural_similarity", "sigma 0", given(**IMAGES, data_range=1.0, sigma=0.0, **THREE), blames="sigma"),
    # The generator's loss.
    Agree("perceptual_generator_loss", "regular", given(**FEATURES)),
    Agree("perceptual_generator_loss", "a large weight", given(**FEATURES, adversarial_weight=2.5)),
    Agree("perceptual_generator_loss", "no adversary", given(**FEATURES, adversarial_weight=0.0)),
    Agree("perceptual_generator_loss", "feature maps", given(
        features=normal(2, 3, 4, 5), features_target=normal(2, 3, 4, 5), logits_fake=normal(2))),
    Agree("perceptual_generator_loss", "one feature each", given(
        features=normal(5), features_target=normal(5), logits_fake=normal(5), adversarial_weight=1.0)),
    Agree("perceptual_generator_loss", "discriminators that are sure of fakes", given(
        features=zeros(5, 2), features_target=zeros(5, 2), logits_fake=[0.0, -25.0, -40.0, -400.0, -4000.0],
        adversarial_weight=1.0)),
    Anchor("perceptual_generator_loss", "two examples", given(
        features=[[1.0, 2.0], [0.0, 3.0]], features_target=[[1.0, 0.0], [0.0, 3.0]], logits_fake=[0.0, -2.0],
        adversarial_weight=0.5), gives=[2.3465735902799727, 1.0634640055214863], source=MPMATH,
        near_misses={
            "the weight on the content": [1.6931471805599453, 2.1269280110429725],
            "the weight ignored": [2.6931471805599453, 2.1269280110429725],
            "the default weight": [2.0006931471805599, 0.0021269280110429725],
            "the sum of squares": [4.3465735902799727, 1.0634640055214863],
            "half the squares": [1.3465735902799727, 1.0634640055214863],
            "the sign of the logit": [2.3465735902799727, 0.0634640055214863],
            "the discriminator's share against fakes": [1.6534264097200273, -0.0634640055214863],
            "averaged over the batch": [1.7050187979007295, 1.7050187979007295],
        }),
    Anchor("perceptual_generator_loss", "the default weight", given(
        features=[[1.0, 2.0]], features_target=[[1.0, 0.0]], logits_fake=[0.0]), gives=[2.0006931471805599], source=MPMATH,
        near_misses={"1": [2.6931471805599453], "1e-2": [2.0069314718], "left out": [2.0]}),
    Law.equal("linear in the weight", given(**FEATURES),
              left=lambda f, x, y, logits: f.perceptual_generator_loss(x, y, logits, adversarial_weight=1.5),
              right=lambda f, x, y, logits: 3 * f.perceptual_generator_loss(x, y, logits, adversarial_weight=0.5)
              - 2 * f.perceptual_generator_loss(x, y, logits, adversarial_weight=0.0),
              cancels=Cancels(30.0, because="two contents are subtracted from three")),
    Rejects("perceptual_generator_loss", "features of another shape", given(
        features=zeros(5, 3), features_target=zeros(5, 2), logits_fake=zeros(5)), blames="features_target"),
    Rejects("perceptual_generator_loss", "another number of logits", given(
        features=zeros(5, 3), features_target=zeros(5, 3), logits_fake=zeros(4)), blames="logits_fake"),
    Rejects("perceptual_generator_loss", "logits with two axes", given(
        features=zeros(5, 3), features_target=zeros(5, 3), logits_fake=zeros(5, 1)), blames="logits_fake"),
    Rejects("perceptual_generator_loss", "no features", given(
        features=zeros(5, 0), features_target=zeros(5, 0), logits_fake=zeros(5)), blames="features"),
    Rejects("perceptual_generator_loss", "a negative weight", given(**FEATURES, adversarial_weight=-1e-3),
            blames="adversarial_weight"),
    # The network.
    Model("ResidualUpsampler", "enlarged four times", given(images=uniform(3, 2, 4, 3)),
          sizes=dict(channels=2, width=3, blocks=2, factor=4), steps=3, initial={"*": begins_by_inputs()}),
    Model("ResidualUpsampler", "doubled", given(images=uniform(3, 1, 3, 5)),
          sizes=dict(channels=1, width=4, blocks=1, factor=2), steps=0),
)  # fmt: skip
