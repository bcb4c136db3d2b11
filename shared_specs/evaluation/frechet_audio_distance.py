"""Contracts of mel frequencies, log-mel spectrograms and the Frechet audio distance (lecture 14)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

FREQUENCIES = uniform(7, low=0.0, high=8000.0)
BANK = {"num_filters": 6, "fourier_length": 64, "sample_rate": 8000}
WAVES, WINDOW, FILTERS = normal(3, 11), uniform(4, low=0.1, high=1.0), uniform(2, 3)
X, Y = normal(3, 2, 5), normal(4, 2, 3, mean=0.5, scale=1.5)
# clicks, and silence
IMPULSES = np.array([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -2.0, 0.0], [0.0] * 11])
# mel 0, 1297.5, 2595: a filter from 0 to 6300 Hz
CENTER = 700 * (np.sqrt(10) - 1)
# Two clips of two frames of one feature, which are far apart, and two that are equal.
APART, EQUAL = [[[0.0, 2.0]], [[10.0, 12.0]]], [[[5.0, 7.0]], [[5.0, 7.0]]]


def _centers(f, filters, low, high):
    low, high = f.hertz_to_mel(np.array([low, high]))
    return f.mel_to_hertz(np.linspace(low, high, filters + 2))[1:-1]


def _between_centers(f, **bank):
    """The columns of a filterbank at the frequencies between the first and the last center."""
    centers = _centers(f, bank["num_filters"], bank.get("low", 0.0), bank.get("high", bank["sample_rate"] / 2))
    frequencies = np.arange(bank["fourier_length"] // 2 + 1) * (bank["sample_rate"] / bank["fourier_length"])
    return f.mel_filterbank(**bank)[:, (centers[0] <= frequencies) & (frequencies <= centers[-1])]


SPEC = (
    Agree("hertz_to_mel", "regular", given(frequency=FREQUENCIES)),
    Agree("hertz_to_mel", "near 0, and far above audible frequencies", given(frequency=[0.0, 1e-6, 0.5, 1e5, 1e8])),
    Agree("mel_to_hertz", "regular", given(mel=uniform(7, low=0.0, high=3000.0))),
    Agree("mel_to_hertz", "near 0, and far above audible frequencies", given(mel=[0.0, 1e-6, 0.5, 1e4, 2e4])),
    Agree("mel_filterbank", "regular", given(**BANK)),
    Agree("mel_filterbank", "within limits, an odd length", given(
        num_filters=4, fourier_length=63, sample_rate=8000.0, low=100.0, high=3700.0)),
    Agree("mel_filterbank", "one filter", given(num_filters=1, fourier_length=16, sample_rate=100)),
    Agree("mel_filterbank", "filters without a frequency", given(num_filters=12, fourier_length=8, sample_rate=8000)),
    Agree("mel_filterbank", "a single frequency", given(num_filters=2, fourier_length=1, sample_rate=8000)),
    Agree("log_mel_spectrogram", "regular", given(x=WAVES, window=WINDOW, filterbank=FILTERS, hop=2)),
    Agree("log_mel_spectrogram", "one frame", given(x=normal(3, 5), window=normal(5), filterbank=FILTERS, hop=7)),
    Agree("log_mel_spectrogram", "frames that do not meet", given(x=WAVES, window=WINDOW, filterbank=FILTERS, hop=6)),
    Agree("log_mel_spectrogram", "impulses and silence",
          given(x=IMPULSES, window=WINDOW, filterbank=FILTERS, hop=3, epsilon=1e-3)),
    Agree("log_mel_spectrogram", "one filter, one sample", given(
        x=WAVES, window=[0.7], filterbank=[[1.5]], hop=1, epsilon=1e-2)),
    Agree("frechet_audio_distance", "regular", given(embeddings_x=X, embeddings_y=Y)),
    Agree("frechet_audio_distance", "one clip each", given(embeddings_x=normal(1, 2, 6), embeddings_y=normal(1, 2, 4))),
    Anchor(
        "hertz_to_mel", "700 and 6300 Hz", given(frequency=[0.0, 700.0, 6300.0]), gives=[0.0, 2595 * np.log10(2), 2595.0],
        source="by hand",
        near_misses={"natural logarithm": [0.0, 2595 * np.log(2), 2595 * np.log(10)],
                     "1000 for 700": [0.0, 2595 * np.log10(1.7), 2595 * np.log10(7.3)],
                     "the linear part of Slaney's scale": [0.0, 10.5, 94.5], "in octaves": [0.0, 1.0, np.log2(10)]},
    ),
    Anchor(
        "mel_to_hertz", "2595 mel", given(mel=[0.0, 2595 * np.log10(2), 2595.0]), gives=[0.0, 700.0, 6300.0], source="by hand",
        near_misses={"natural logarithm": [0.0, 700 * (2 ** (1 / np.log(10)) - 1), 700 * (np.e - 1)],
                     "one not subtracted": [700.0, 1400.0, 7000.0]},
    ),
    Anchor(
        "mel_filterbank", "one triangle from 0 to 6300 Hz", given(num_filters=1, fourier_length=8, sample_rate=12600),
        gives=[[0.0, 4725 / (6300 - CENTER), 3150 / (6300 - CENTER), 1575 / (6300 - CENTER), 0.0]],
        source="its center is 700 (sqrt 10 - 1) Hz",
        near_misses={
            "of area 1": [[0.0, *(np.array([4725, 3150, 1575]) * 2 / 6300 / (6300 - CENTER)), 0.0]],
            "equally spaced in hertz": [[0.0, 0.5, 1.0, 0.5, 0.0]],
            "linear in mel": [[0.0, *(2 * (1 - np.log10([3.25, 5.5, 7.75]))), 0.0]],
        },
    ),
    Anchor(
        "log_mel_spectrogram", "a step down",
        given(x=[[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 9.0]], window=[1.0, 1.0, 1.0, 1.0], filterbank=[[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]],
              hop=2, epsilon=0.5),
        gives=[np.log([[16.5, 4.5], [0.5, 2.5]])], source="powers 16, 0, 0 and 4, 2, 0; the last sample is in no frame",
        near_misses={"magnitudes": [np.log([[4.5, 2.5], [0.5, 2**0.5 + 0.5]])],
                     "decibels": [10 * np.log10([[16.5, 4.5], [0.5, 2.5]])],
                     "a floor, not a sum": [np.log([[16.0, 4.0], [0.5, 2.0]])],
                     "divided by the length of the window": [np.log([[4.5, 1.5], [0.5, 1.0]])],
                     "both halves of the spectrum": [np.log([[16.5, 4.5], [0.5, 4.5]])]},
    ),
    Anchor(
        "frechet_audio_distance", "clips far apart and equal clips", given(embeddings_x=APART, embeddings_y=EQUAL),
        gives=(np.sqrt(104 / 3) - np.sqrt(4 / 3)) ** 2, source="variances 104/3 and 4/3 of four frames each",
        near_misses={"the mean of the clips' covariances": 0.0, "divided by N": (np.sqrt(26) - 1) ** 2,
                     "the means of the clips": 50.0, "its root": np.sqrt(104 / 3) - np.sqrt(4 / 3)},
    ),
    Law.equal("hertz to mel and back", given(frequency=FREQUENCIES), left=lambda f, x: f.mel_to_hertz(f.hertz_to_mel(x)),
              right=lambda f, x: x),
    Law.equal("mel add where 700 Hz and what is above are multiplied", given(frequency=FREQUENCIES, other=FREQUENCIES),
              left=lambda f, x, y: f.hertz_to_mel(x + y + x * y / 700),
              right=lambda f, x, y: f.hertz_to_mel(x) + f.hertz_to_mel(y)),
    Law.equal("neighboring triangles sum to 1", given(), left=lambda f: _between_centers(f, **BANK).sum(0), right=1.0),
    Law.equal("... within limits, too", given(),
              left=lambda f: _between_centers(f, **BANK, low=300.0, high=3000.0).sum(0), right=1.0),
    Law.equal("the filters begin and end at the limits", given(), left=lambda f: f.mel_filterbank(**BANK)[:, [0, -1]], right=0.0),
    Law.at_least("no filter is below 0", given(), left=lambda f: f.mel_filterbank(**BANK), right=0.0),
    Law.at_least("... or above 1", given(), left=lambda f: 1 - f.mel_filterbank(**BANK), right=0.0),
    Law.equal("without a limit above it is half the sample rate", given(), left=lambda f: f.mel_filterbank(**BANK),
              right=lambda f: f.mel_filterbank(**BANK, high=4000.0)),
    Law.equal("a gain adds its logarithm twice, if the floor grows with it", given(x=WAVES, window=WINDOW, filterbank=FILTERS),
              left=lambda f, x, w, h: f.log_mel_spectrogram(3 * x, w, h, hop=2, epsilon=0.09),
              right=lambda f, x, w, h: f.log_mel_spectrogram(x, w, h, hop=2, epsilon=0.01) + 2 * np.log(3)),
    Law.equal("polarity has no influence", given(x=WAVES, window=WINDOW, filterbank=FILTERS),
              left=lambda f, x, w, h: f.log_mel_spectrogram(-x, w, h, hop=2),
              right=lambda f, x, w, h: f.log_mel_spectrogram(x, w, h, hop=2)),
    Law.equal("the power of all frequencies is that of the samples", given(x=normal(3, 4), window=WINDOW),
              left=lambda f, x, w: f.log_mel_spectrogram(x, w, np.array([[1.0, 2.0, 1.0]]), hop=1)[:, 0, 0],
              right=lambda f, x, w: np.log(4 * ((w * x) ** 2).sum(1) + 1e-6)),
    Law.equal("a shift by a hop is a shift by a frame", given(x=WAVES, window=WINDOW, filterbank=FILTERS),
              left=lambda f, x, w, h: f.log_mel_spectrogram(x[:, 3:], w, h, hop=3),
              right=lambda f, x, w, h: f.log_mel_spectrogram(x, w, h, hop=3)[:, :, 1:]),
    Law.equal("silence is the logarithm of the floor", given(window=WINDOW, filterbank=FILTERS),
              left=lambda f, w, h: f.log_mel_spectrogram(np.zeros((2, 7)), w, h, hop=1), right=np.log(1e-6)),
    Law.equal("where clips end does not count", given(x=X, y=Y),
              left=lambda f, x, y: f.frechet_audio_distance(np.moveaxis(x, 1, 2).reshape(-1, 2, 1), y),
              right=lambda f, x, y: f.frechet_audio_distance(x, y)),
    Law.equal("the order of the frames does not count", given(x=X, y=Y),
              left=lambda f, x, y: f.frechet_audio_distance(x[:, :, [3, 0, 4, 2, 1]], y[::-1]),
              right=lambda f, x, y: f.frechet_audio_distance(x, y)),
    Law.equal("symmetric in its arguments", given(x=X, y=Y), left=lambda f, x, y: f.frechet_audio_distance(y, x),
              right=lambda f, x, y: f.frechet_audio_distance(x, y)),
    Law.equal("equal frames have no distance", given(x=X), left=lambda f, x: f.frechet_audio_distance(x, x[::-1]), right=0.0),
    Law.equal("a gain of all clips is the squared shift of all cells", given(x=WAVES, window=WINDOW, filterbank=FILTERS),
              left=lambda f, x, w, h: f.frechet_audio_distance(
                  f.log_mel_spectrogram(3 * x, w, h, hop=2, epsilon=0.09), f.log_mel_spectrogram(x, w, h, hop=2, epsilon=0.01)),
              right=2 * (2 * np.log(3)) ** 2),
    *(Rejects(function, case, given(**{name: value}), blames=name)
      for function, name in (("hertz_to_mel", "frequency"), ("mel_to_hertz", "mel"))
      for case, value in (("below 0", [1.0, -1e-3]), ("two axes", zeros(2, 3)))),
    *(
        Rejects("mel_filterbank", case, given(**BANK | changed), blames=blames)
        for case, changed, blames in (
            ("no filter", {"num_filters": 0}, "num_filters"), ("no sample", {"fourier_length": 0}, "fourier_length"),
            ("no sample rate", {"sample_rate": 0}, "sample_rate"), ("a limit below 0", {"low": -1.0}, "low"),
            ("limits the wrong way round", {"low": 300.0, "high": 200.0}, "high"),
            ("equal limits", {"low": 300.0, "high": 300.0}, "high"), ("above half the sample rate", {"high": 4001.0}, "high"),
        )
    ),
    *(
        Rejects("log_mel_spectrogram", case, given(
            **{"x": zeros(2, 8), "window": zeros(4), "filterbank": zeros(2, 3), "hop": 2} | changed), blames=blames)
        for case, changed, blames in (
            ("shorter than a frame", {"x": zeros(2, 3)}, "x"), ("one waveform without its axis", {"x": zeros(8)}, "x"),
            ("an empty window", {"window": zeros(0)}, "window"), ("filters of another window", {"filterbank": zeros(2, 4)},
                                                                   "filterbank"),
            ("no hop", {"hop": 0}, "hop"), ("no floor", {"epsilon": 0.0}, "epsilon"),
            ("a floor below 0", {"epsilon": -1e-6}, "epsilon"),
        )
    ),
    *(
        Rejects("frechet_audio_distance", case, given(embeddings_x=zeros(*x), embeddings_y=zeros(*y)), blames=blames)
        for case, x, y, blames in (
            ("other features", (3, 2, 5), (3, 4, 5), "embeddings_y"), ("no feature", (3, 0, 5), (3, 0, 5), "embeddings_x"),
            ("no clip", (0, 2, 5), (3, 2, 5), "embeddings_x"), ("clips without a frame", (3, 2, 5), (3, 2, 0), "embeddings_y"),
            ("a single frame", (3, 2, 5), (1, 2, 1), "embeddings_y"), ("no axis of clips", (2, 5), (3, 2, 5), "embeddings_x"),
        )
    ),
)  # fmt: skip
