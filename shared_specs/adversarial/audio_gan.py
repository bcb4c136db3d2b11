"""What must hold of phase shuffle, short-time magnitudes and their two distances, and transposed convolutions of waveforms."""

import numpy as np

from shared_specs.rows import (
    Agree,
    Anchor,
    Initial,
    Law,
    Model,
    Rejects,
    begins_at,
    concatenate,
    given,
    integers,
    normal,
    uniform,
    zeros,
)

STEREO = [[[1.0, 2.0, 4.0, 8.0], [3.0, 5.0, 7.0, 9.0]]] * 3
HANN = [0.0, 0.5, 1.0, 0.5]  # periodic, of 4 samples
WAVES, FOUR = normal(3, 9), normal(4, mean=1.0, scale=0.3)
QUIET, LOUD = uniform(3, 4, 5, low=0.1, high=2.0), uniform(3, 4, 5, low=0.1, high=2.0)
A, B = [[[3.0, 0.0], [4.0, 0.0]], [[1.0, 2.0], [2.0, 4.0]]], [[[3.0, 1.0], [2.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]]
UP = dict(x=normal(2, 3, 5), weight=normal(3, 4, 7), bias=normal(4))
BACK = dict(x=[[[1.0, 2.0]]], weight=[[[1.0, 10.0, 100.0]]], bias=[0.5])
PAIR = dict(x=[[[1.0], [10.0]]], weight=[[[1.0], [2.0]], [[3.0], [4.0]]], bias=[0.0, 0.5])
E, TINY = 1e-5, 1e-30
LONG = np.array([[[float((7 * t) % 31) for t in range(260)]]] * 3)
SHIFTED = np.array([[LONG[0, 0, abs(t - n) if t - n < 260 else 518 - t + n] for t in range(260)] for n in (255, 3, 100)])[:, None]
# He's deviation of the critic, for leaky rectifiers of slope 0.2. The weights of a transposed convolution are [inputs, outputs,
# K], and a quarter of its entries reach a sample.
HE = {"*.weight": Initial("normal", scale=lambda inputs, outputs: (2 / (inputs * 1.04)) ** 0.5), "*.bias": begins_at(0.0)}
GENERATES = {
    "project.weight": Initial("normal", scale=lambda inputs, outputs: inputs**-0.5),
    "layers.*.weight": Initial("normal", scale=lambda inputs, outputs: (8 / outputs) ** 0.5),
    "*.bias": begins_at(0.0),
}


def _reflected(x, n):
    """NumPy's reflection, in a window."""
    last = x.shape[-1] - 1
    return np.pad(x, ((0, 0), (last, last)), mode="reflect")[:, last - n : 2 * last - n + 1]


def _cosine(bin_, phase, samples=8):
    return np.cos(2 * np.pi * bin_ * np.arange(samples) / samples + phase)


SPEC = (
    # Phase shuffle.
    Agree("phase_shuffle", "all shifts that there are", given(x=normal(7, 2, 4), shifts=np.array([-3, -2, -1, 0, 1, 2, 3]))),
    Agree("phase_shuffle", "one sample", given(x=normal(3, 2, 1), shifts=np.array([0, 0, 0]))),
    Anchor(
        "phase_shuffle", "later, earlier, and as it was", given(x=STEREO, shifts=np.array([1, -2, 0])),
        gives=[[[2.0, 1.0, 2.0, 4.0], [5.0, 3.0, 5.0, 7.0]], [[4.0, 8.0, 4.0, 2.0], [7.0, 9.0, 7.0, 5.0]], STEREO[0]],
        source="by hand",
        near_misses={
            "the edge repeated": [[[1.0, 1.0, 2.0, 4.0], [3.0, 3.0, 5.0, 7.0]], [[4.0, 8.0, 8.0, 4.0], [7.0, 9.0, 9.0, 7.0]],
                                  STEREO[0]],
            "the other direction": [[[2.0, 4.0, 8.0, 4.0], [5.0, 7.0, 9.0, 7.0]], [[4.0, 2.0, 1.0, 2.0], [7.0, 5.0, 3.0, 5.0]],
                                    STEREO[0]],
            "around the end": [[[8.0, 1.0, 2.0, 4.0], [9.0, 3.0, 5.0, 7.0]], [[4.0, 8.0, 1.0, 2.0], [7.0, 9.0, 3.0, 5.0]],
                               STEREO[0]],
            "silence": [[[0.0, 1.0, 2.0, 4.0], [0.0, 3.0, 5.0, 7.0]], [[4.0, 8.0, 0.0, 0.0], [7.0, 9.0, 0.0, 0.0]], STEREO[0]],
            "the border held": [[[1.0, 1.0, 2.0, 4.0], [3.0, 3.0, 5.0, 7.0]], [[4.0, 8.0, 8.0, 8.0], [7.0, 9.0, 9.0, 9.0]],
                                STEREO[0]],
        },
    ),
    Anchor("phase_shuffle", "the longest shifts", given(x=[[[1.0, 2.0, 4.0]]] * 2, shifts=np.array([2, -2])),
           gives=[[[4.0, 2.0, 1.0]]] * 2, source="by hand: backwards, whichever border it is"),
    Anchor("phase_shuffle", "by 255 samples", given(x=LONG, shifts=np.array([255, 3, 100])), gives=SHIFTED,
           source="x[|t - n|], and x[2 * 259 - (t - n)] beyond the end",
           near_misses={"not at all": LONG}),
    Law.equal("NumPy's reflection", given(x=normal(2, 3, 6)),
              left=lambda f, x: np.stack([f.phase_shuffle(x, np.array([n, -n])) for n in range(6)]),
              right=lambda f, x: np.stack([np.stack([_reflected(x[0], n), _reflected(x[1], -n)]) for n in range(6)])),
    Law.equal("backwards, the shift changes its sign", given(x=normal(5, 2, 6)),
              left=lambda f, x: f.phase_shuffle(x[:, :, ::-1], np.array([-5, -1, 0, 2, 4])),
              right=lambda f, x: f.phase_shuffle(x, np.array([5, 1, 0, -2, -4]))[:, :, ::-1]),
    Law.equal("silence at both ends moves along", given(x=normal(3, 2, 4)),
              left=lambda f, x: f.phase_shuffle(np.pad(x, ((0, 0), (0, 0), (3, 3))), np.array([2, -3, 1]))[:, :, 0],
              right=lambda f, x: np.stack([0 * x[0, :, 0], x[1, :, 0], 0 * x[2, :, 0]])),
    *(
        Rejects("phase_shuffle", case, given(**dict(x=zeros(2, 3, 4), shifts=np.array([1, 2])) | changed), blames=blames)
        for case, changed, blames in (
            ("as far as there are samples", {"shifts": np.array([1, 4])}, "shifts is 4"),
            ("as far back", {"shifts": np.array([-4, 0])}, "shifts is -4"),
            ("one shift for all", {"shifts": np.array([1])}, "shifts"),
            ("half a sample", {"shifts": [0.5, 1.0]}, "shifts"), ("without channels", {"x": zeros(2, 4)}, "x"),
        )
    ),
    # Magnitudes.
    Agree("short_time_fourier_magnitude", "frames that overlap", given(x=WAVES, window=FOUR, hop=2)),
    Agree("short_time_fourier_magnitude", "an odd window", given(x=WAVES, window=normal(5, mean=1.0), hop=3)),
    Agree("short_time_fourier_magnitude", "frames that do not meet", given(x=WAVES, window=FOUR, hop=5)),
    Agree("short_time_fourier_magnitude", "one frame of all samples", given(x=normal(3, 4), window=FOUR, hop=9)),
    Agree("short_time_fourier_magnitude", "silence next to sound", given(
        x=concatenate(zeros(1, 8), normal(2, 8)), window=FOUR, hop=4),
        no_gradient="a modulus has a kink at 0"),
    Anchor(
        "short_time_fourier_magnitude", "two frames", given(x=[[0.0, 1.0, 2.0, 4.0, 8.0, 1.0, 9.0]], window=HANN, hop=2),
        gives=[[[4.5, 10.5], [2.5, 8.139410298049853], [0.5, 5.5]]],
        source="frames (0, 0.5, 2, 2) and (0, 2, 8, 0.5): moduli of sums with the factors 1, -i, -1, i; the last is in none",
        near_misses={
            "squared": [[[20.25, 110.25], [6.25, 66.25], [0.25, 30.25]]],
            "no window": [[[7.0, 15.0], [3.605551275463989, 6.708203932499369], [3.0, 5.0]]],
            "divided by the samples": [[[1.125, 2.625], [0.625, 2.0348525745124633], [0.125, 1.375]]],
            "the real part": [[[4.5, 10.5], [-2.0, -8.0], [-0.5, 5.5]]],
            "a hop of one": [[[4.5, 9.0], [2.5, 5.0], [0.5, 1.0]]],
        },
    ),
    Anchor("short_time_fourier_magnitude", "an impulse", given(x=[[0.0, 0.0, 1.0, 0.0, 0.0]], window=HANN, hop=1),
           gives=[[[1.0, 0.5]] * 3], source="the window where the impulse is, in every bin",
           near_misses={"the symmetric window": [[[0.75, 0.75]] * 3], "the first of the centered frames": [[[0.0, 0.5]] * 3]}),
    Law.equal("polarity is lost", given(x=WAVES, window=FOUR),
              left=lambda f, x, v: f.short_time_fourier_magnitude(-x, v, hop=2),
              right=lambda f, x, v: f.short_time_fourier_magnitude(x, v, hop=2)),
    Law.equal("magnitudes are proportional to the sound", given(x=WAVES, window=FOUR),
              left=lambda f, x, v: f.short_time_fourier_magnitude(3 * x, v, hop=2),
              right=lambda f, x, v: 3 * f.short_time_fourier_magnitude(x, v, hop=2)),
    Law.equal("energy is kept: inner bins count twice", given(x=normal(5, 6), window=normal(6, mean=1.0)),
              left=lambda f, x, v: (f.short_time_fourier_magnitude(x, v, hop=1)[:, :, 0] ** 2) @ [1 / 6, 1 / 3, 1 / 3, 1 / 6],
              right=lambda f, x, v: ((v * x) ** 2).sum(1)),
    Law.equal("a shift by a hop is a shift by a frame", given(x=WAVES, window=FOUR),
              left=lambda f, x, v: f.short_time_fourier_magnitude(x[:, 2:], v, hop=2),
              right=lambda f, x, v: f.short_time_fourier_magnitude(x, v, hop=2)[:, :, 1:]),
    Law.equal("a tone at a bin: its amplitude there, whatever its phase", given(phase=uniform(5, high=6.0)),
              left=lambda f, phase: 1 + f.short_time_fourier_magnitude(
                  np.stack([1.5 * _cosine(3, angle) for angle in phase]), np.ones(8), hop=1)[:, :, 0],
              right=lambda f, phase: 1 + np.tile([0.0, 0.0, 0.0, 6.0, 0.0], (5, 1))),
    Law.equal("one bin's slope is a wave of unit modulus", given(x=normal(2, 6)),
              left=lambda f, x: (f.gradient("short_time_fourier_magnitude", x, np.ones(6), hop=6) * x).sum(1),
              right=lambda f, x: f.short_time_fourier_magnitude(x, np.ones(6), hop=6).sum((1, 2))),
    *(
        Rejects("short_time_fourier_magnitude", case, given(**dict(x=zeros(2, 8), window=zeros(4), hop=2) | changed),
                blames=blames)
        for case, changed, blames in (
            ("shorter than a frame", {"x": zeros(2, 3)}, "x"), ("one waveform without its axis", {"x": zeros(8)}, "x"),
            ("with channels", {"x": zeros(2, 1, 8)}, "x"), ("an empty window", {"window": zeros(0)}, "window"),
            ("a window for each waveform", {"window": zeros(2, 4)}, "window"), ("no hop", {"hop": 0}, "hop"),
        )
    ),
    # Distances.
    Agree("spectral_convergence", "regular", given(magnitude=QUIET, magnitude_generated=LOUD)),
    Agree("spectral_convergence", "one bin and one frame", given(
        magnitude=uniform(3, 1, 1, low=1.0, high=2.0), magnitude_generated=uniform(3, 1, 1, low=3.0, high=4.0))),
    Agree("spectral_convergence", "loud and soft", given(
        magnitude=[[[1e4, 1.0]], [[1e-4, 0.0]], [[1.0, 0.0]]], magnitude_generated=[[[1e4, 3.0]], [[0.0, 1e-4]], [[1e4, 1e-4]]])),
    Anchor("spectral_convergence", "two examples", given(magnitude=A, magnitude_generated=B),
           gives=[0.6, 1.0], source="by hand: 3 of 5, and silence",
           near_misses={"over the generated one": [np.sqrt(0.5), np.inf], "squared": [0.36, 1.0], "not relative": [3.0, 5.0],
                        "sums of absolute values": [5 / 7, 1.0], "of the whole batch": [np.sqrt(0.68)] * 2,
                        "by frames": [np.nan, 1.0], "mean square of the ratio": [np.inf, 1.0]}),
    Law.equal("the gain of both does not count", given(a=QUIET, b=LOUD),
              left=lambda f, a, b: f.spectral_convergence(7 * a, 7 * b), right=lambda f, a, b: f.spectral_convergence(a, b)),
    Law.equal("silence costs 1", given(a=QUIET), left=lambda f, a: f.spectral_convergence(a, 0 * a), right=1.0),
    Law.equal("a gain c costs |1 - c|", given(a=QUIET),
              left=lambda f, a: [f.spectral_convergence(a, c * a) for c in (0.1, 0.5, 2.0)],
              right=[[0.9] * 3, [0.5] * 3, [1.0] * 3]),
    Law.equal("no distance and no slope where both agree", given(a=QUIET),
              left=lambda f, a: 1 + f.spectral_convergence(a, a)[:, None, None] + f.gradient("spectral_convergence", a, a, wrt=1),
              right=1.0),
    Agree("log_magnitude_distance", "regular", given(magnitude=QUIET, magnitude_generated=LOUD)),
    Agree("log_magnitude_distance", "a high floor", given(magnitude=QUIET, magnitude_generated=LOUD, epsilon=0.5)),
    Agree("log_magnitude_distance", "silence", given(
        magnitude=[[[0.0, 3.0], [1e-4, 0.5]]] * 2, magnitude_generated=[[[1.0, 0.0], [0.25, 1e-3]]] * 2)),
    Anchor("log_magnitude_distance", "a floor of 1", given(magnitude=A, magnitude_generated=B, epsilon=1.0),
           gives=[(np.log(2) + np.log(5 / 3) + np.log(3)) / 4, np.log(90) / 4],
           source="by hand: ratios 1, 2, 5/3, 3 and 2, 3, 3, 5",
           near_misses={"the sign kept": [np.log(5 / 18) / 4, np.log(90) / 4], "summed": [np.log(10), np.log(90)],
                        "decimal logarithms": [1 / 4, np.log10(90) / 4],
                        "squared": [(np.log(2) ** 2 + np.log(5 / 3) ** 2 + np.log(3) ** 2) / 4,
                                    (np.log(2) ** 2 + 2 * np.log(3) ** 2 + np.log(5) ** 2) / 4],
                        "of the whole batch": [np.log(900) / 8] * 2, "the floor forgotten": [np.inf, np.inf],
                        "of powers": [(np.log(2) + np.log(17 / 5) + np.log(5)) / 4, np.log(2 * 5 * 5 * 17) / 4]}),
    Anchor("log_magnitude_distance", "the default floor", given(
        magnitude=[[[0.0, 0.0]], [[1.0, 1.0]]], magnitude_generated=[[[99e-5, 0.0]], [[3.0, 1.0]]]),
        gives=[np.log(100) / 2, np.log((3 + E) / (1 + E)) / 2], source="by hand",
        near_misses={"a floor, not a sum": [np.log(99) / 2, np.log(3) / 2]}),
    Law.equal("which of the two is generated does not count", given(a=QUIET, b=LOUD),
              left=lambda f, a, b: f.log_magnitude_distance(b, a), right=lambda f, a, b: f.log_magnitude_distance(a, b)),
    Law.equal("a gain counts on a logarithmic scale", given(a=QUIET),
              left=lambda f, a: [f.log_magnitude_distance(a, c * a, epsilon=TINY) for c in (0.1, 0.5, 2.0)],
              right=[[np.log(10)] * 3, [np.log(2)] * 3, [np.log(2)] * 3]),
    Law.equal("a quiet bin has the steeper slope", given(a=[[[2.0, 0.5]]], b=[[[1.0, 0.25]]]),
              left=lambda f, a, b: f.gradient("log_magnitude_distance", a, b, wrt=1, epsilon=0.25),
              right=[[[-1 / 2.5, -1.0]]]),
    *(
        Rejects(function, case, given(**dict(magnitude=zeros(2, 3, 4), magnitude_generated=zeros(2, 3, 4)) | changed),
                blames=blames)
        for function in ("spectral_convergence", "log_magnitude_distance")
        for case, changed, blames in (
            ("other frames", {"magnitude_generated": zeros(2, 3, 5)}, "magnitude_generated"),
            ("no frame", {"magnitude": zeros(2, 3, 0), "magnitude_generated": zeros(2, 3, 0)}, "magnitude"),
            ("no bin", {"magnitude": zeros(2, 0, 4), "magnitude_generated": zeros(2, 0, 4)}, "magnitude"),
            ("two axes", {"magnitude": zeros(3, 4), "magnitude_generated": zeros(3, 4)}, "magnitude"),
            ("a negative magnitude", {"magnitude": [[[1.0, -1.0]]], "magnitude_generated": [[[1.0, 1.0]]]}, "magnitude is -1"),
            ("a negative one generated", {"magnitude": [[[1.0, 1.0]]], "magnitude_generated": [[[1.0, -1.0]]]},
             "magnitude_generated"),
        )
    ),
    Rejects("spectral_convergence", "a silent example", given(
        magnitude=[[[1.0, 0.0]], [[0.0, 0.0]]], magnitude_generated=[[[1.0, 1.0]], [[1.0, 1.0]]]), blames="magnitude"),
    *(Rejects("log_magnitude_distance", case, given(magnitude=A, magnitude_generated=B, epsilon=epsilon), blames="epsilon")
      for case, epsilon in (("no floor", 0.0), ("a floor below 0", -1e-5))),
    # Transposed convolutions.
    Agree("transposed_convolution1d", "strides and a border", given(**UP, stride=2, padding=1)),
    Agree("transposed_convolution1d", "kernels that overlap everywhere", given(**UP)),
    Agree("transposed_convolution1d", "gaps between the kernels", given(**UP, stride=9)),
    Agree("transposed_convolution1d", "one sample", given(x=normal(2, 3, 1), weight=normal(3, 4, 2), bias=normal(4), stride=3)),
    Anchor("transposed_convolution1d", "kernels that overlap", given(**BACK, stride=2),
           gives=[[[1.5, 10.5, 102.5, 20.5, 200.5]]], source="by hand: 1 and 2 times the kernel, two places apart",
           near_misses={"a bias for each kernel": [[[1.5, 10.5, 103.0, 20.5, 200.5]]],
                        "the kernel turned over": [[[100.5, 10.5, 201.5, 20.5, 2.5]]]}),
    Anchor("transposed_convolution1d", "padding is cut off", given(**BACK, stride=2, padding=1),
           gives=[[[10.5, 102.5, 20.5]]], source="by hand", near_misses={
               "cut at the end alone": [[[1.5, 10.5, 102.5]]], "no bias": [[[10.0, 102.0, 20.0]]]}),
    Anchor("transposed_convolution1d", "a matrix for each sample", given(**PAIR), gives=[[[31.0], [42.5]]], source="by hand",
           near_misses={"outputs first": [[[21.0], [43.5]]]}),
    Law.equal("a constant hums with the sums of the kernel's phases", given(weight=normal(2, 3, 6)),
              left=lambda f, w: f.transposed_convolution1d(np.ones((1, 2, 5)), w, np.zeros(3), stride=4, padding=4)[0, :, :12],
              right=lambda f, w: np.tile([w[:, :, r::4].sum((0, 2)) for r in range(4)], (3, 1)).T),
    Law.equal("ones: no hum for a multiple of the stride", given(level=[0.5, 2.0]),
              left=lambda f, level: f.transposed_convolution1d(
                  level[:, None, None] * np.ones((2, 1, 9)), np.ones((1, 1, 8)), np.zeros(1), stride=4, padding=4)[:, 0],
              right=lambda f, level: np.tile(2 * level[:, None], 32)),
    Law.equal("the adjoint of a strided correlation", given(x=normal(2, 3, 4), y=normal(2, 2, 12), weight=normal(3, 2, 5)),
              left=lambda f, x, y, w: np.sum(
                  f.transposed_convolution1d(x, w, np.zeros(2), stride=3, padding=1) * y, (1, 2)),
              right=lambda f, x, y, w: np.einsum("bct,cok,botk->b", x, w, np.stack(
                  [np.pad(y, ((0, 0), (0, 0), (1, 1)))[:, :, 3 * t : 3 * t + 5] for t in range(4)], 2))),
    *(
        Rejects("transposed_convolution1d", case, given(**UP | changed), blames=blames)
        for case, changed, blames in (
            ("outputs first", {"weight": zeros(4, 3, 7)}, "weight"), ("nothing left", {"padding": 6}, "padding"),
            ("one axis", {"weight": zeros(3)}, "weight"), ("two axes", {"x": zeros(3, 5)}, "x"),
            ("a bias for each input", {"bias": zeros(3)}, "bias"), ("no stride", {"stride": 0}, "stride"),
            ("negative padding", {"padding": -1}, "padding"),
        )
    ),
    # Both players.
    Model("WaveGenerator", "two layers, an even kernel", given(z=normal(3, 5)),
          sizes=dict(latent=5, length=128, width=2, kernel=8), steps=3, initial=GENERATES),
    Model("WaveGenerator", "an odd kernel", given(z=normal(3, 5)), sizes=dict(latent=5, length=80, width=3, kernel=9), steps=0,
          initial=GENERATES),
    Model("WaveCritic", "one shuffle, an even kernel", given(x=normal(3, 1, 128), shifts=integers(3, 1, low=-3, high=4)),
          sizes=dict(length=128, width=3, kernel=8), steps=0, initial=HE),
    Model("WaveCritic", "two shuffles, an odd kernel", given(x=normal(3, 1, 320), shifts=integers(3, 2, low=-3, high=4)),
          sizes=dict(length=320, width=2, kernel=9), steps=0, initial=HE),
)  # fmt: skip
