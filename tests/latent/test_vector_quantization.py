"""Quantizers compared with SciPy and scikit-learn, and effects of training."""

import dataclasses

import numpy as np
import pytest
import scipy.cluster.vq
import scipy.signal
import scipy.stats
import torch
from sklearn.cluster import KMeans

from practice_torch.data.audio import load
from practice_torch.data.errors import DataError
from practice_torch.data.notes import FREQUENCIES
from practice_torch.experiments.codes.sound_codes import nearest_note, strongest_frequency
from practice_torch.experiments.codes.sound_layers import spectral_error
from practice_torch.experiments.latent import vector_quantization as trained
from practice_torch.latent import vector_quantization as practice
from tests.support import tiny

rng = np.random.default_rng(0)
Z, CODES = rng.normal(size=(200, 3)), rng.normal(size=(7, 3))


def test_the_nearest_code_is_that_of_scipy():
    """scipy.cluster.vq.vq: the index, and the distance of what vector_quantize returns."""
    index, distance = scipy.cluster.vq.vq(Z, CODES)
    np.testing.assert_array_equal(practice.nearest_code(torch.tensor(Z), torch.tensor(CODES)), index)
    away = torch.tensor(Z) - practice.vector_quantize(torch.tensor(Z), torch.tensor(CODES))
    np.testing.assert_allclose(away.norm(dim=1), distance, rtol=1e-12)


def test_codes_far_from_the_origin_keep_their_cells_in_float32():
    """Scores around zero would have no digit of the distances left."""
    z, codes = (torch.tensor(a) for a in (Z, CODES))
    wanted = practice.nearest_code(z, codes)
    far = practice.nearest_code((z * 0.01 + 1000).float(), (codes * 0.01 + 1000).float())
    assert (far == wanted).double().mean() > 0.98  # the inputs themselves are rounded


def test_steps_without_decay_are_lloyds():
    """sklearn.cluster.KMeans, ten steps from the same centers; the smoothing is made negligible."""
    z, codes = torch.tensor(Z), torch.tensor(CODES)
    for _ in range(10):
        index = practice.nearest_code(z, codes)
        _, _, codes = practice.ema_codebook_update(z, index, z.new_zeros(7), z.new_zeros(7, 3), decay=0.0, epsilon=1e-12)
    wanted = KMeans(7, init=CODES, n_init=1, max_iter=10, tol=0, algorithm="lloyd").fit(Z)
    np.testing.assert_allclose(codes, wanted.cluster_centers_, rtol=1e-9)


def test_perplexity_is_e_to_the_entropy_of_scipy():
    """scipy.stats.entropy of the counts."""
    index = torch.tensor(rng.integers(0, 9, size=50))
    wanted = np.exp(scipy.stats.entropy(np.bincount(index, minlength=12)))
    np.testing.assert_allclose(practice.codebook_perplexity(index, num_codes=12), wanted, rtol=1e-6)


def test_an_encoder_learns_through_the_quantizer():
    """A linear encoder on the line, with the identity as decoder: without the estimator it gets no gradient at all."""
    x, codes, scale = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[1.0], [3.0]]), torch.tensor(0.6, requires_grad=True)
    quantized = practice.vector_quantize(scale * x, codes)
    assert not (quantized - x).square().sum().requires_grad
    (practice.straight_through(scale * x, quantized) - x).square().sum().backward()
    # 0.6 x is 0.6, 1.2, 2.4: the codes are 1, 1 and 3, and the slope is 2 (0 * 1 - 1 * 2 - 1 * 4)
    torch.testing.assert_close(scale.grad, torch.tensor(-12.0))


def test_the_spectral_error_is_of_the_magnitudes_of_scipy():
    """scipy.signal.stft of two sounds, summed over both signs of the frequency."""
    x, y = rng.normal(size=(2, 300))
    options = dict(window="hann", nperseg=64, noverlap=48, boundary=None, return_onesided=False)
    of_x, of_y = (np.abs(scipy.signal.stft(np.pad(sound, 64), **options)[2]) for sound in (x, y))
    wanted = np.square(32 * (of_x - of_y)).sum() / (1.5 * 64)  # scipy divides by the sum of the window, 32
    pair = (torch.tensor(sound)[None] for sound in (x, y))
    np.testing.assert_allclose(spectral_error(*pair, windows=(64,)).item(), wanted, rtol=1e-9)


def test_the_spectral_error_is_the_squared_error_without_phases():
    """At most the squared error; all of it where one sound is the other, louder; none where the sign differs."""
    x, y = torch.tensor(rng.normal(size=(2, 4, 700)))
    assert bool((spectral_error(x, y) < 0.7 * (x - y).square().sum(1)).all())
    torch.testing.assert_close(spectral_error(x, 0.3 * x), (0.7 * x).square().sum(1))
    assert spectral_error(x, -x).max() < 1e-20


def test_a_note_has_the_pitch_of_its_name():
    """And the note two semitones above it is more than a semitone away."""
    sounds, label = (load("notes")[1].batch()[name] for name in ("audio", "label"))
    recipe = trained.RECIPES["notes"]
    experiment = trained.SoundQuantization(tiny.small(recipe), tiny.Random(tiny.small(recipe)).description)
    experiment.frequencies = FREQUENCIES
    assert experiment._within_semitone(sounds[:, 0], label) > 0.98
    assert experiment._within_semitone(sounds[:, 0], (label + 2) % 13) < 0.05
    hertz = strongest_frequency(torch.sin(2 * torch.pi * 250 * torch.arange(1024) / 8000)[None], 8000)
    torch.testing.assert_close(hertz, torch.tensor([250.0]))
    assert nearest_note(sounds[:, 0], FREQUENCIES, 8000).eq(label).float().mean() > 0.98


def test_sounds_that_do_not_fit_are_refused():
    """One line with the length, the strides, or what the data lack."""
    recipe = tiny.small(trained.RECIPES["notes"])
    with pytest.raises(DataError, match=r"length is 30; it must be a multiple of 8, the product of the strides 4 x 2"):
        trained.build(other := dataclasses.replace(recipe, length=30), tiny.Random(other))
    with pytest.raises(ValueError, match=r"strides is \(4, 3\); it must be one or more even numbers"):
        dataclasses.replace(recipe, strides=(4, 3))
    with pytest.raises(ValueError, match=r"prior_heads is 3; it must be a divisor of prior_width \(\d+\)"):
        dataclasses.replace(recipe, prior_heads=3)
    unknown = {name: fact for name, fact in tiny.Random(recipe).description.items() if name != "frequencies"}
    with pytest.raises(DataError, match="has no notes of known frequencies"):
        trained.SoundQuantization(recipe, unknown)


def test_the_prior_is_conditioned_on_the_class():
    """Logits of the first code differ between classes, and the list begins with a token that is no code."""
    recipe = tiny.small(trained.RECIPES["notes"])
    experiment, _ = tiny.built("latent/vector_quantization", recipe)
    begin = experiment._begin(torch.tensor([0, 2], dtype=torch.uint8))
    assert begin.tolist() == [[recipe.codes], [recipe.codes + 2]]
    first = experiment.eval()._of_next(experiment.prior(begin))
    assert first.shape == (2, 1, recipe.codes) and not torch.allclose(first[0], first[1])
    drawn = experiment._drawn_codes(torch.arange(3).repeat(50))
    assert drawn.shape == (150, 4) and int(drawn.min()) == 0 and int(drawn.max()) == recipe.codes - 1


class Unlabeled(tiny.Random):
    """Sounds of which nothing is known but how they sound."""

    @property
    def description(self):
        return super().description | {"classes": None, "frequencies": None}

    def batch(self, indices=slice(None)):
        return {"audio": super().batch(indices)["audio"]}


def test_sounds_without_classes_have_an_unconditional_prior():
    """One token begins every list; there is no metric of pitch, and samples are one file."""
    recipe = tiny.small(trained.RECIPES["speech_commands"])
    data = Unlabeled(recipe)
    experiment = trained.build(recipe, data).eval()
    experiment.generator = torch.Generator().manual_seed(0)
    assert experiment.prior.vocabulary_size == recipe.codes + 1
    with torch.no_grad():
        loss, _ = experiment(data.batch(), "prior")
        metrics, samples, preview = experiment.evaluate(data), experiment.sample(5), experiment.preview(data)
    assert loss.isfinite() and metrics.keys() == {
        "squared_error",
        "squared_error_mean",
        "perplexity",
        "prior_bits",
        "unigram_bits",
        "spectral_error",
    }
    assert samples.keys() == {"sounds"} and samples["sounds"].samples.shape == (5, recipe.length)
    assert preview["reconstructions"].samples.shape == preview["held_out"].samples.shape == (tiny.COUNT, recipe.length)


def test_the_floor_of_the_error_is_that_of_the_mean_example():
    """squared_error_mean is the variance of the held-out sounds, summed over their samples."""
    experiment, _ = tiny.built("latent/vector_quantization", recipe := tiny.small(trained.RECIPES["notes"]))
    data = tiny.Random(recipe)
    with torch.no_grad():
        found = experiment.eval().evaluate(data)
    sound = data.batch()["audio"][:, 0].double()
    np.testing.assert_allclose(found["squared_error_mean"], sound.var(0, correction=0).sum(), rtol=1e-5)
    again = experiment._of_codes(experiment._codes(data.batch()["audio"]))[:, 0]
    np.testing.assert_allclose(found["squared_error"], (again - sound).square().sum(1).mean().item(), rtol=1e-5)
