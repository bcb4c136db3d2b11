"""Enhancement: what each method restores is what a regression by hand, an exact network or the formula gives."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.signal import resample
from sklearn.linear_model import Ridge

from practice_torch.engine.batches.datasets import load_data
from practice_torch.experiments.autoregressive import pixelcnn
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.experiments.media import bandwidth, short_time
from practice_torch.projects import enhancement, runner
from practice_torch.projects._enhancing import methods as by
from practice_torch.projects._enhancing import reading as enhancement_reading
from practice_torch.projects.runner import Row
from tests.support.commands.projects import of, require_same_after_stops, small, table, trained
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law

pytestmark = pytest.mark.xdist_group("enhancement")  # it is run whole once


def images(count, seed=0):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def exact(levels=50):
    """A diffusion model of independent pixels of a known law."""
    experiment = built("diffusion/inpainting", num_steps=levels)
    kept = experiment.alpha_bar.double()
    experiment.network = Network(lambda x, t: prediction(LOPSIDED, x.double(), kept[t], "velocity").float())
    return experiment


@pytest.mark.parametrize(("observe", "sigma"), [(by.made_small, 0.0), (by.upper_half, 0.0), (by.same, 0.3)])
def test_a_regression_is_that_of_images_on_what_is_known_of_them(observe, sigma):
    """Noise in the observation is a penalty: the variance times the number of images less one."""
    known, fresh = images(200).cumsum(2).cumsum(3) / 64, images(5, 1)
    alpha = max(sigma**2, 1e-3) * 199
    ridge = Ridge(alpha).fit(observe(known).flatten(1).double().numpy(), known.flatten(1).double().numpy())
    expected = ridge.predict(observe(fresh).flatten(1).double().numpy())
    found = by.regression(known, observe, sigma=sigma)(observe(fresh))
    assert torch.allclose(found.flatten(1).double(), torch.from_numpy(expected), atol=1e-5)


def test_halves_are_the_rows_above_and_below():
    whole = images(3)
    assert torch.equal(torch.cat([by.upper_half(whole), by.lower_half(whole)], 2), whole)
    filled, gray = by.mean_below(images(9))(by.upper_half(whole)), by.gray_below(by.upper_half(whole))
    for image in (filled, gray):
        assert torch.equal(by.upper_half(image), by.upper_half(whole))
    assert torch.equal(filled[0, :, 4:], images(9).mean(0)[:, 4:]) and (gray[:, :, 4:] == 0.5).all()


def test_noise_is_removed_at_its_own_level():
    """The data's mean given the noisy image; the nearest of the levels has nearly the observation's noise."""
    experiment, noisy = exact(), images(4) + 0.3 * torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    expected = LOPSIDED.data_mean((2 * noisy - 1).double(), torch.tensor(1.0), torch.tensor(0.6))
    assert (2 * by.denoised(experiment, noisy).double() - 1 - expected).abs().max() < 0.03


def test_noise_is_removed_by_training_images_and_by_an_autoencoder():
    known, noisy = images(6), images(3, 1)
    weights = torch.softmax(-torch.cdist(noisy.flatten(1), known.flatten(1)).square() / 0.18, 1)
    expected = (weights @ known.flatten(1)).view(3, 1, 8, 8)
    assert torch.allclose(by.denoised_by_training_images(known)(noisy), expected, atol=1e-5)
    experiment = built("latent/denoising_autoencoder")
    found = by.denoised_by_autoencoder(experiment, noisy)
    assert found.shape == noisy.shape and torch.equal(found[1].flatten(), experiment.network(noisy.flatten(1))[1])


def test_draws_for_a_noisy_image_have_the_data_s_law():
    """Noisy images of data of the law: what is drawn for them, one each, has the law again."""
    experiment, generator = exact(400), torch.Generator().manual_seed(2)
    data = torch.where(torch.rand(64, 1, 8, 8, generator=generator) < 0.3, -0.6, 0.35)
    data += torch.where(data < 0, 0.1, 0.15) * torch.randn(data.shape, generator=generator)
    noisy = (data + 1) / 2 + 0.3 * torch.randn(data.shape, generator=generator)
    require_law(2 * by.denoised_in_steps(experiment, noisy) - 1, LOPSIDED.cdf)


def test_enlarged_images_have_the_small_version():
    small = by.made_small(images(5))
    conditional = built("diffusion/super_resolution")
    for restore, experiment in ((by.drawn_in_null_space, exact(5)), (by.drawn_and_projected, conditional)):
        found = restore(experiment, small)
        assert found.shape == (5, 1, 8, 8) and torch.allclose(by.made_small(found), small, atol=1e-5)
    conditional.generator.manual_seed(0)
    drawn = [by.drawn(conditional, small) for _ in range(8)]
    conditional.generator.manual_seed(0)
    assert torch.allclose(by.mean_drawn(conditional, small), torch.stack(drawn).mean(0))


def test_the_missing_half_is_not_seen():
    experiment = exact(5)
    found = by.completed(experiment, by.upper_half(images(4)), times=2)
    assert found.shape == (4, 1, 8, 8) and torch.allclose(by.upper_half(found), by.upper_half(images(4)), atol=1e-6)


class OfOneClass:
    """log_prob of halves is greatest for the class that their first pixel names; images are filled with the class."""

    uniforms = 1

    def log_prob(self, codes, label):
        return -50.0 * (codes[:, 0, 0, 0] - label).abs()

    def generate(self, uniforms, label, given):
        below = label[:, None, None, None].expand(-1, 1, uniforms.shape[2] - given.shape[2], uniforms.shape[3])
        return torch.cat([given, below], 2)


def test_a_class_is_drawn_from_what_the_upper_half_says():
    recipe = SimpleNamespace(num_levels=17)
    experiment = SimpleNamespace(
        network=OfOneClass(), generator=torch.Generator().manual_seed(0), classes=range(10), shape=(1, 8, 8), recipe=recipe
    )
    upper = torch.tensor([3.0, 7.0, 0.0])[:, None, None, None].expand(3, 1, 4, 8) / 16
    found = by.completed_pixel_by_pixel(experiment, upper)
    assert torch.equal(found[:, 0, 7, 7] * 16, torch.tensor([3.0, 7.0, 0.0])) and torch.equal(by.upper_half(found), upper)


def test_probabilities_of_halves_do_not_depend_on_what_is_below():
    network = built("autoregressive/pixelcnn").network
    with torch.no_grad():
        torch.nn.init.normal_(network.logits.weight)
        codes = torch.randint(network.levels, (3, 1, 8, 8), generator=torch.Generator().manual_seed(0))
        label = torch.tensor([0, 1, 2])
        each = network(codes, label).log_softmax(-1).gather(-1, codes[..., None])[..., 0]
        assert torch.allclose(network.log_prob(codes[:, :, :4], label), each[:, :, :4].flatten(1).sum(1), atol=1e-4)


def test_a_code_is_found_from_what_is_known_of_its_image():
    """Of a linear generator: the least of a quadratic function."""
    generator = torch.Generator().manual_seed(0)
    weight = 0.1 * torch.randn(4, 64, generator=generator)
    network = lambda code: (code @ weight).view(-1, 1, 8, 8)  # noqa: E731
    recipe = SimpleNamespace(latent=4, descent_rate=0.2, descent_steps=150, prior_weight=0.2)
    experiment = SimpleNamespace(generator_network=network, recipe=recipe, generator=generator)
    truth = images(3)
    cases = (
        (by.made_small, by.enlarged_by_code, 4.0, 0.2),  # a small pixel counts for four
        (by.upper_half, partial(by.generated, observe=by.upper_half), 1.0, 0.2),
        (by.same, partial(by.generated, observe=by.same, sigma=0.3), 1.0, 0.36),
    )
    for observe, restore, count, price in cases:
        seen, given = observe(weight.view(4, 1, 8, 8)).flatten(1), observe(2 * truth - 1).flatten(1)
        code = torch.linalg.solve(count * seen @ seen.T + price * torch.eye(4), count * seen @ given.T).T
        found = restore(experiment, observe(truth))
        assert torch.allclose(2 * found - 1, network(code), atol=1e-4)


def test_the_best_of_several_descents_is_kept():
    """The code 0 is a stationary point, from which no descent leads away."""
    recipe = SimpleNamespace(latent=1, descent_rate=1e-3, descent_steps=100, prior_weight=1e-6)
    experiment = SimpleNamespace(
        generator_network=lambda code: (1 - code.square())[:, :, None, None].expand(-1, 1, 8, 8),
        recipe=recipe,
        generator=torch.Generator().manual_seed(0),
    )
    found = by.generated(experiment, torch.full((20, 1, 8, 8), 0.5), observe=by.same)
    assert (found - 0.5).abs().max() < 1e-3


def test_all_models_learn_from_the_same_images():
    recipes = [model.module.RECIPES[model.recipe] for model in enhancement.PROJECT.models.values()]
    assert recipes.pop().data == "notes"  # the sounds'
    assert {(recipe.data, recipe.held_out, recipe.seed) for recipe in recipes} == {("digits", 0.2, 0)}
    assert pixelcnn.RECIPES["digits"].num_levels == 17  # those of the digits: what is known is kept to the bit
    train, _ = load_data(recipes[0])
    codes = 16 * train.batch()["image"]
    assert torch.equal(codes, codes.round())


PSNR = {
    "enlarged": {
        "repeated pixels": 13.0,
        "linear regression": 16.5,
        "squared error": 20.0,
        "GAN": 19.0,
        "conditional diffusion": 17.9,
        "conditional diffusion, projected": 18.4,
        "conditional diffusion, mean of 8": 20.3,
        "diffusion, projected in every step": 14.0,
        "latent optimization": 15.0,
    },
    "denoised": {
        "noisy image": 10.5,
        "linear regression": 16.4,
        "training images, weighted": 17.0,
        "autoencoder": 17.5,
        "diffusion, mean": 19.1,
        "diffusion, drawn": 16.2,
        "latent optimization": 16.0,
    },
    "completed": {
        "mean of training images": 11.0,
        "linear regression": 13.3,
        "diffusion, replacement": 10.2,
        "diffusion, RePaint": 12.9,
        "PixelCNN": 11.6,
        "latent optimization": 10.6,
    },
}


EXTENDED = {
    "sinc interpolation": (8.0, 7.0, 18.0),
    "mirror images of the low band": (19.9, 17.2, -4.7),
    "mean levels, drawn phases": (6.7, 5.8, 17.6),
    "perceptron, of another sound": (8.9, 7.7, 14.6),
    "perceptron of levels": (2.4, 2.2, 15.5),
    "real levels, drawn phases": (1.2, 1.1, 15.9),
}


def enhanced_rows(**changed):
    """Every row; "row/column" in `changed` is another number."""
    rows = {}
    for task, each in PSNR.items():
        for name, psnr in (each | {"real images": None}).items():
            cells = {"class_accuracy": 0.94, "frechet_distance": 0.1, "observation_error": 0.001, "diversity": 0.9}
            rows[f"{task}: {name}"] = Row("model", cells | ({} if psnr is None else {"peak_signal_to_noise": psnr}), task)
        rows[f"{task}: class read from what is known"] = Row("ceiling", {"class_accuracy": 0.95}, task)
    numbers = {
        "enlarged: squared error/frechet_distance": 0.2,
        "denoised: diffusion, drawn/observation_error": 0.302,
        "denoised: real images/observation_error": 0.299,
        "completed: linear regression/frechet_distance": 0.6,
        "completed: PixelCNN/class_accuracy": 0.8,
        "completed: diffusion, replacement/class_accuracy": 0.5,
        "completed: diffusion, RePaint/class_accuracy": 0.7,
    }
    for name, (band, whole, waveform) in EXTENDED.items():
        cells = {"band_distance": band, "whole_distance": whole, "waveform": waveform, "low_band": 99.9}
        rows[f"extended: {name}"] = Row("model", cells, "extended")
    for place, value in (numbers | changed).items():
        name, column = place.split("/")
        rows[name].cells[column] = value
    return rows


def test_the_reading_follows_its_numbers():
    reading = enhancement.read(enhanced_rows())
    said = reading.sentences
    assert "squared error has 20.0 dB, linear regression 16.5, repeated pixels 13.0. The mean of 8" in said[0]
    assert "costs 1.0 dB, a draw in place of the mean of 8 2.4" in said[1] and "0.5 dB" in said[2]
    assert "from 10.5 dB to 16.4 by linear regression, to 17.0" in said[4] and "They are 0.302 off the noisy image" in said[4]
    assert "to 17.5 by an autoencoder that is trained for this noise and to 19.1 by" in said[4]
    assert "by replacement 10.2, and 12.9 where" in said[5] and "in 80% of PixelCNN's" in said[6]
    assert "is 0.90 (enlarged by conditional diffusion)" in said[7] and "gives 15.0 dB enlarged, 16.0" in said[8]
    assert "is 8.0 dB with nothing there, 19.9 with mirror images of the low band, 6.7 with the mean" in said[9]
    assert "2.4 with the levels that a perceptron reads from the low band; over the whole band 7.0, 17.2, 5.8 and 2.2." in said[9]
    assert "gives another sound 8.9; real levels with drawn phases have 1.2." in said[9]
    assert "is 15.5 dB above its error, the interpolated one 18.0" in said[10] and "kept to 100 dB" in said[10]
    assert [part.holds for part in reading.expectations] == [True] * 16


@pytest.mark.parametrize(
    ("number", "place", "value"),
    [
        (0, "enlarged: linear regression/peak_signal_to_noise", 18.5),
        (0, "enlarged: repeated pixels/peak_signal_to_noise", 15.5),
        (1, "enlarged: conditional diffusion/frechet_distance", 0.3),
        (1, "enlarged: squared error/frechet_distance", 0.05),
        (2, "enlarged: conditional diffusion, mean of 8/peak_signal_to_noise", 18.1),
        (3, "enlarged: conditional diffusion, projected/observation_error", 0.02),
        (4, "enlarged: conditional diffusion, projected/class_accuracy", 0.85),
        (5, "denoised: diffusion, mean/peak_signal_to_noise", 17.0),
        (6, "denoised: autoencoder/peak_signal_to_noise", 13.0),
        (7, "denoised: diffusion, drawn/observation_error", 0.25),
        (8, "completed: diffusion, RePaint/peak_signal_to_noise", 10.5),
        (9, "completed: PixelCNN/frechet_distance", 0.35),
        (10, "completed: PixelCNN/class_accuracy", 0.55),
        (11, "completed: diffusion, RePaint/class_accuracy", 0.54),
        (12, "extended: mean levels, drawn phases/band_distance", 3.9),
        (12, "extended: sinc interpolation/band_distance", 4.7),
        (13, "extended: sinc interpolation/whole_distance", 3.6),
        (14, "extended: perceptron, of another sound/band_distance", 4.7),
        (15, "extended: perceptron of levels/low_band", 59.0),
    ],
)
def test_what_is_asserted_can_fail(number, place, value):
    reading = enhancement.read(enhanced_rows(**{place: value}))
    assert [part.holds for part in reading.expectations] == [k != number for k in range(16)]


def test_of_images_without_classes_nothing_is_said_about_them():
    rows = {name: row for name, row in enhanced_rows().items() if not name.endswith(enhancement_reading.READ)}
    for row in rows.values():
        row.cells.pop("class_accuracy", None)
    reading = enhancement.read(rows)
    assert "recognized" not in " ".join(reading.sentences) and len(reading.expectations) == 13


# ---------------------------------------------------------------------------------------------------- the project in small


PROJECTED = ("conditional diffusion, projected", "diffusion, projected in every step", "real images")
GIVEN = ("mean of training images", "diffusion, replacement", "diffusion, RePaint", "PixelCNN", "real images")
DRAWN = ("enlarged: conditional diffusion", "denoised: diffusion, drawn", "completed: diffusion, RePaint", "completed: PixelCNN")


@pytest.mark.weekly
def test_a_stopped_project_goes_on_to_the_same_bytes(finished, tmp_path, monkeypatch):
    require_same_after_stops("enhancement", finished, tmp_path, monkeypatch)


def test_the_table_of_enhancement_is_that_of_its_images(finished):
    """Of one network the images are enlarged again, from its last checkpoint; classes are counts of images."""
    whole = small(of("enhancement"))
    results, folder = finished("enhancement")
    rows = table(results)
    recipe, experiment, train, held_out = trained(whole, folder, "squared error")
    real, label = (held_out.batch()[name] for name in ("image", "label"))
    blocks = real.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5))
    with torch.no_grad():
        made = {"squared error": experiment.eval().enlarged(blocks), "repeated pixels": blocks.repeat_interleave(2, 2)}
    made["repeated pixels"] = made["repeated pixels"].repeat_interleave(2, 3)
    judge = Judge(train.batch()["image"], train.batch()["label"])
    for name, images in made.items():
        row, squares = rows[f"enlarged: {name}"], (images - real).square().mean((1, 2, 3))
        assert row["peak_signal_to_noise"] == pytest.approx((-10 * squares.log10()).mean().item(), abs=1e-4)
        assert row["class_accuracy"] == pytest.approx((judge.classify(images) == label).double().mean().item())
        assert row["diversity"] == 0 and (row["observation_error"] < 1e-6) == (name == "repeated pixels")
    assert all(rows[f"enlarged: {name}"]["observation_error"] < 1e-5 for name in PROJECTED)
    assert all(rows[f"completed: {name}"]["observation_error"] < 1e-5 for name in GIVEN)
    assert rows["denoised: real images"]["observation_error"] == pytest.approx(0.3, abs=0.01)
    for name in DRAWN:
        assert rows[name]["diversity"] > 0
    assert rows["completed: mean of training images"]["diversity"] == 0


# ---------------------------------------------------------------------------------------------------- sounds


def waves(count, length):
    """Sounds with fainter waves above a quarter of the rate; none at a quarter or at an eighth of it, nor at the rate itself."""
    generator = torch.Generator().manual_seed(0)
    spectra = torch.randn(count, length // 2 + 1, dtype=torch.complex128, generator=generator)
    spectra[:, length // 4 + 1 :] /= 10
    spectra[:, [0, length // 8, length // 4, -1]] = 0
    return torch.fft.irfft(spectra)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_low_rate_is_that_of_scipy(factor):
    x = waves(3, 160)
    low = bandwidth.narrowed(x, factor)
    assert np.allclose(low, resample(x.numpy(), 160 // factor, axis=1))
    assert np.allclose(bandwidth.widened(low, factor), resample(low.numpy(), 160, axis=1))
    assert torch.allclose(bandwidth.narrowed(bandwidth.widened(low, factor), factor), low)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_folded_band_mirrors_the_low_one(factor):
    """A cosine of frequency k comes back at every multiple of the low rate, less and more k."""
    size, k = 64, 3
    low = torch.cos(2 * torch.pi * k / (size // factor) * torch.arange(size // factor))[None]
    found = torch.fft.rfft(bandwidth.folded(low, factor))[0].abs() / (size / 2)
    places = {abs(m * size // factor + sign * k) for m in range(1, factor) for sign in (-1, 1)} & set(range(size // 2))
    assert torch.allclose(found, torch.tensor([float(place in places) for place in range(size // 2 + 1)]), atol=1e-5)


def test_levels_are_decibels_of_sines():
    time = torch.arange(512, dtype=torch.float64)
    for amplitude in (1.0, 0.1, 0.01):
        sine = amplitude * torch.sin(2 * torch.pi * 8 / 64 * time)[None]
        found = short_time.level(short_time.transformed(sine, 64).abs())[0, 8, 4:-4]
        assert torch.allclose(found, 1 + torch.tensor(amplitude + 1e-3, dtype=torch.float64).log10() / 3, atol=1e-3)
    assert torch.equal(short_time.level(torch.zeros(2)), torch.zeros(2))
    magnitude = torch.rand(9, dtype=torch.float64)
    assert torch.allclose(short_time.magnitude_of(short_time.level(magnitude)), magnitude)
    assert short_time.magnitude_of(torch.tensor(-0.1)) == 0


def test_a_distance_is_in_decibels_of_the_band():
    """A tone that is ten times fainter is about 20 dB farther down at its own frequency, and nowhere else."""
    time = torch.arange(2048, dtype=torch.float64)
    loud = 0.5 * torch.sin(2 * torch.pi * 20 / 64 * time)[None]
    found = short_time.log_spectral_distance(loud, loud / 10, 64)
    above = short_time.log_spectral_distance(loud, loud / 10, 64, 24)
    alone = 20 * (3 / 33) ** 0.5  # the tone is in three of 33 frequencies; at the mirrored ends it is in more
    assert 0.95 * alone < found < 1.1 * alone and above < 1
    assert short_time.log_spectral_distance(loud, loud, 64) == 0


def test_rounds_bring_the_magnitudes_nearer():
    x = waves(2, 1024)
    magnitude, noise = short_time.transformed(x, 64).abs(), short_time.transformed(waves(2, 1024).flip(1), 64)
    off = []
    for rounds in (0, 8, 64):
        found = short_time.with_magnitudes(magnitude, noise, 1024, rounds)
        off.append(torch.dist(short_time.transformed(found, 64).abs(), magnitude).item())
    assert off[0] > 1.5 * off[1] > 1.7 * off[2]
    assert torch.allclose(short_time.with_magnitudes(magnitude, short_time.transformed(x, 64), 1024, 0), x)


def test_the_table_of_sounds_is_that_of_its_sounds(finished):
    """Of the recordings that the page plays: the low band is kept by all; where nothing is above, that is as far as silence."""
    results, folder = finished("enhancement")
    rows = {name.removeprefix("extended: "): row for name, row in table(results).items() if name.startswith("extended")}
    assert all(row["low_band"] > 80 for row in rows.values()) and len(rows) == 6
    recipe, experiment, _, held_out = trained(small(of("enhancement")), folder, "perceptron")
    x, factor = held_out.batch()["audio"][:, 0], recipe.factor
    plain = bandwidth.widened(bandwidth.narrowed(x, factor), factor)
    power = 10 * (x.square().sum(1) / (x - plain).square().sum(1)).log10()
    assert rows["sinc interpolation"]["waveform"] == pytest.approx(power.mean().item(), abs=0.01)
    size = recipe.window // 2
    levels = [short_time.level(short_time.transformed(some, size).abs())[:, size // 2 // factor + 1 :] for some in (x, plain)]
    off = 60 * (levels[0] - levels[1]).square().mean(1).sqrt()
    assert rows["sinc interpolation"]["band_distance"] == pytest.approx(off.mean().item(), rel=1e-4)


def test_data_of_a_user_are_images():
    """The sounds stay what they are."""
    images, of_sounds = (enhancement.PROJECT.models[name] for name in ("GAN", "perceptron"))
    assert runner._recipe(images, 0, "mnist").data == "mnist" and runner._recipe(of_sounds, 0, "mnist").data == "notes"
