"""The protocol of published distances: whole sets in batches, by several processes, and references of every kind."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from practice_torch.data import images
from practice_torch.data.errors import DataError
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.errors import RunError
from practice_torch.experiments.judging import image_sets, published_samples
from practice_torch.experiments.judging import published_metrics as protocol
from practice_torch.experiments.judging.published_metrics import measure, published_metrics
from practice_torch.experiments.judging.references import reference
from practice_torch.networks.inception import as_bytes, resize_as_tensorflow


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Pooled(nn.Module):
    """In the place of Inception: means of quarters of an image, [B, 12], and a classifier of five classes."""

    width = 12
    resize = staticmethod(resize_as_tensorflow)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 12, generator=seeded(1)))
        self.batches = []

    def forward(self, pixels):
        assert pixels.dtype == torch.uint8 and pixels.shape[1] == 3
        self.batches.append(len(pixels))
        return nn.functional.adaptive_avg_pool2d(pixels.float() / 50, 2).flatten(1)

    def logits(self, features):
        return features @ self.weight.mT


@pytest.fixture
def folder(tmp_path):
    """Seventy images of 6 x 4 pixels."""
    (tmp_path / "drawn").mkdir()
    pixels = torch.randint(256, (70, 4, 6, 3), generator=seeded(2), dtype=torch.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image.numpy()).save(tmp_path / "drawn" / f"{number:02d}.png")
    return tmp_path / "drawn", pixels.permute(0, 3, 1, 2)


def silent(line):
    assert not line.startswith("warning"), line


def test_statistics_of_batches_are_those_of_all_features(folder):
    path, pixels = folder
    network = Pooled()
    found = measure(image_sets.of_folder(path), network, ALONE, silent)
    assert network.batches == [32, 32, 6]
    features = network(pixels)
    mean, covariance = _moments(features)
    torch.testing.assert_close(found.mean, mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.covariance, covariance, rtol=1e-9, atol=1e-12)
    assert found.count == 70 and torch.equal(found.features, features)
    few = measure(image_sets.of_folder(path), Pooled(), ALONE, silent, keep=8)
    assert torch.equal(few.features, features[[0, 10, 20, 30, 39, 49, 59, 69]]) and torch.equal(few.covariance, found.covariance)


def _moments(features):
    return features.double().mean(0), torch.cov(features.double().T)


class Rank:
    """One of several processes, in a thread of its own."""

    def __init__(self, rank, count, parts, barrier):
        self.rank, self.count, self._parts, self._barrier = rank, count, parts, barrier

    def takes(self, number):
        return number % self.count == self.rank

    def together(self, parts):
        self._parts[self.rank] = parts
        self._barrier.wait()
        found = [part for some in self._parts for part in some]
        self._barrier.wait()
        return found


@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_find_what_one_finds(folder, count, monkeypatch):
    """Also four, of which one has no batch of the three."""
    path, _ = folder
    whole = measure(image_sets.of_folder(path), Pooled(), ALONE, silent)
    parts, barrier, found = [None] * count, threading.Barrier(count), [None] * count
    networks = [Pooled() for _ in range(count)]

    def work(rank):
        found[rank] = measure(image_sets.of_folder(path), networks[rank], Rank(rank, count, parts, barrier), silent)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sum(network.batches) for network in networks) == 70
    for one in found:
        assert torch.equal(one.features, whole.features)
        torch.testing.assert_close(one.covariance, whole.covariance, rtol=1e-9, atol=1e-12)


def test_metrics_are_those_of_the_features(folder):
    path, pixels = folder
    network = Pooled()
    darker = (pixels[:63].float() * 0.9).byte()
    x, y = network(darker), network(pixels)
    samples = measure(_set(darker), network, ALONE, silent)
    found = published_metrics(samples, measure(_set(pixels), network, ALONE, silent), network, seed=0)
    value = {name: metric["value"] for name, metric in found.items()}
    distance = protocol.frechet_distance(*_moments(x), *_moments(y)).item()
    assert value["frechet_distance"] == pytest.approx(distance, rel=1e-8)
    assert value["frechet_distance"] > 0.01
    assert (value["precision"], value["recall"]) == tuple(
        share.item() for share in protocol.precision_and_recall(y, x, neighbors=3)
    )
    scores = protocol.split_inception_scores(network.logits(x[:60]).detach().double().log_softmax(1), splits=10)
    assert found["inception_score"] == pytest.approx(
        {"value": scores.mean().item(), "deviation": scores.std(correction=0).item()}, rel=1e-6
    )
    same = published_metrics(samples, samples, network, seed=0)
    assert same["frechet_distance"]["value"] == pytest.approx(0, abs=1e-9) and same["recall"]["value"] == 1
    kernel = (x.double() @ x.double().T / 12 + 1) ** 3
    itself = kernel.diagonal().sum()
    unbiased = 2 * (kernel.sum() - itself) / (63 * 62) - 2 * kernel.mean()
    assert same["kernel_distance"] == pytest.approx({"value": unbiased.item(), "deviation": 0}, rel=1e-6)
    without = published_metrics(samples, samples._replace(features=None), network, seed=0)
    assert set(without) == {"frechet_distance", "inception_score"}


def _set(pixels):
    return image_sets.ImageSet("images", len(pixels), tuple(pixels.shape[2:]), lambda a, b: pixels[a:b], lambda: "")


def test_subsets_of_a_kernel_distance_are_many_and_seeded(monkeypatch, folder):
    monkeypatch.setattr("practice_torch.experiments.judging.published_metrics.SUBSET", 20)
    _, pixels = folder
    samples, real = (measure(_set(part), Pooled(), ALONE, silent) for part in (pixels[:40], pixels[40:]))
    first, again, other = (published_metrics(samples, real, Pooled(), seed)["kernel_distance"] for seed in (0, 0, 1))
    assert first == again != other and first["deviation"] > 0


# ---------------------------------------------------------------------------------------------------- references


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIPTYCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "statistics"


def against(where, size=(4, 6), data=(None, None), network=None, features="network a", say=silent):
    return reference(str(where), data, size, network or Pooled(), features, ALONE, say)


def test_the_statistics_of_images_are_computed_once(folder, cache):
    """Kept under a checksum of the pixels and of the network; the kept file is a reference itself, that other tools can read."""
    path, _ = folder
    network = Pooled()
    found, words = against(path, network=network)
    assert words == f"{path} (70 images)" and network.batches == [32, 32, 6]
    (kept,) = cache.iterdir()
    for where in (path, kept):
        again, _ = against(where, network=network)
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(again, found, strict=True))
    assert len(network.batches) == 3, "computed again"
    against(path, network=network, features="network b")
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path / "00.png")
    changed, _ = against(path, network=network)
    assert len(network.batches) == 9 and not torch.equal(changed.mean, found.mean) and len([*cache.iterdir()]) == 3
    with np.load(kept) as arrays:
        assert np.array_equal(arrays["mu"], found.mean.numpy()) and arrays["sigma"].shape == (12, 12)


def test_a_cache_that_cannot_be_written_is_said(folder, cache):
    cache.parent.write_text("a file")
    said = []
    against(folder[0], say=said.append)
    assert len(said) == 1 and said[0].startswith("warning: the statistics are not kept")


def test_the_parts_of_the_data_are_references(cache):
    data = images.load("digits", held_out=0.3)
    for name, part in zip(("train", "held-out"), data, strict=True):
        found, words = against(name, size=(8, 8), data=data)
        assert found.count == len(part) and words == f"the {name} part of digits ({len(part):,} images)"
        assert torch.equal(found.features, Pooled()(as_bytes(part.batch()["image"])))


def test_an_archive_of_images_is_a_reference(folder, cache, tmp_path):
    path, pixels = folder
    np.savez(tmp_path / "images.npz", arr_0=pixels.permute(0, 2, 3, 1).numpy())
    found, _ = against(tmp_path / "images.npz")
    assert torch.equal(found.features, against(path)[0].features)


def test_statistics_of_others_have_no_features(tmp_path):
    np.savez(tmp_path / "statistics.npz", mu=np.ones(12), sigma=np.eye(12))
    found, words = against(tmp_path / "statistics.npz")
    assert found.features is None and found.count == 0 and words == f"statistics of {tmp_path / 'statistics.npz'}"


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"mu": np.ones(64), "sigma": np.eye(64)}, r"mu is \[64\] and sigma \[64, 64\]; Inception has 12 .* another network"),
        ({"mu": np.ones(12)}, "has mu and no sigma"),
        ({"mu": -np.ones(12), "sigma": np.eye(12)}, "mu has -1; Inception's features are not negative"),
        ({"mu": np.ones(12), "sigma": np.tri(12)}, "sigma is not symmetric"),
        ({"mu": np.full(12, np.nan), "sigma": np.eye(12)}, "holds what is not finite"),
        ({"mu": np.ones(12), "sigma": np.eye(12), "network": "network b"}, "features by network b, the samples by network a"),
        ({"arr_0": np.ones((30, 4, 6), np.uint8)}, r"arr_0 is \[30, 4, 6\] of uint8; it must be \[N, H, W, 3\] of uint8"),
        ({"arr_0": np.ones((30, 4, 5, 3), np.uint8)}, "has images of 5 x 4 pixels, the samples 6 x 4"),
        ({"arr_0": np.ones((10, 4, 6, 3), np.uint8)}, "has 10 images, too few to be judged: 20 at the least"),
        ({"other": np.ones(3)}, "has no array 'arr_0'"),
    ],
)
def test_archives_that_are_no_reference_are_refused(arrays, complaint, tmp_path, cache):
    np.savez(tmp_path / "reference.npz", **arrays)
    with pytest.raises((DataError, RunError), match=complaint):
        against(tmp_path / "reference.npz")


def test_folders_that_are_no_reference_are_refused(folder, cache, tmp_path):
    path, _ = folder
    with pytest.raises(RunError, match="has images of 6 x 4 pixels, the samples 32 x 32: bring the reference to the size"):
        against(path, size=(32, 32))
    with pytest.raises(DataError, match="no such file or folder; allowed are train, held-out, a folder, an .npz"):
        against(tmp_path / "none")
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(path / "69.png")
    with pytest.raises(DataError, match=r"69\.png is 6x5 \(width x height\), but .*64\.png is 6x4"):
        against(path)
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(path / "64.png")
    for number in range(65, 70):
        (path / f"{number}.png").unlink()
    with pytest.raises(DataError, match="has images of 6 x 5 pixels and of 6 x 4 pixels: resize them"):
        against(path)


# ---------------------------------------------------------------------------------------------------- peers


@pytest.mark.peers("torch_fidelity")
def test_metrics_are_those_of_torch_fidelity(tmp_path, cache, monkeypatch):
    """Of the same files and weights: sixty photographs of noise, through the whole network."""
    import torch_fidelity

    from practice_torch.networks import inception
    from tests.networks.test_inception import seeded_weights

    monkeypatch.setattr("practice_torch.experiments.judging.published_metrics.SUBSET", 60)
    torch.save(seeded_weights(), weights := tmp_path / inception.FILE)
    for seed, name in enumerate(("drawn", "real")):
        (tmp_path / name).mkdir()
        smooth = torch.rand(60, 3, 5, 5, generator=seeded(seed)) * (0.5 + 0.5 * seed)
        for number, image in enumerate(as_bytes(nn.functional.interpolate(smooth, (40, 60), mode="bilinear"))):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / name / f"{number:02d}.png")
    wanted = torch_fidelity.calculate_metrics(
        input1=str(tmp_path / "drawn"), input2=str(tmp_path / "real"), feature_extractor_weights_path=str(weights), cuda=False,
        fid=True, kid=True, isc=True, prc=True, kid_subsets=1, kid_subset_size=60, samples_shuffle=False, verbose=False,
        batch_size=20, prc_neighborhood=3, feature_extractor="inception-v3-compat", feature_layer_prc="2048",
    )  # fmt: skip
    silence = lambda line: None  # noqa: E731
    compared = weights, str(tmp_path / "real"), (None, None), tmp_path / "drawn"
    protocol = published_samples.published_protocol(*compared, _Alone(), silence)
    found = published_samples.judge_as_published(protocol, tmp_path / "drawn", 1, _Alone(), 0, silence)
    value = {name: metric["value"] for name, metric in found["metrics"].items()}
    assert (
        value["frechet_distance"] == pytest.approx(wanted["frechet_inception_distance"], rel=1e-3)
        and value["frechet_distance"] > 1
    )
    assert value["kernel_distance"] == pytest.approx(wanted["kernel_inception_distance_mean"], rel=1e-3)
    assert value["inception_score"] == pytest.approx(wanted["inception_score_mean"], rel=1e-3)
    assert (value["precision"], value["recall"]) == pytest.approx((wanted["precision"], wanted["recall"]), abs=1e-6)


@pytest.mark.peers("cleanfid")
def test_distances_are_those_of_clean_fid(folder):
    """From the same features: its networks are downloaded, and its resizing is compared in tests/networks."""
    from cleanfid.fid import frechet_distance, kernel_distance

    _, pixels = folder
    network = Pooled()
    x, y = (measure(_set(part), network, ALONE, silent) for part in (pixels[:30], pixels[40:]))
    found = published_metrics(x, y, network, seed=0)
    arrays = [part.features.double().numpy() for part in (x, y)]
    wanted = frechet_distance(*(moment for a in arrays for moment in (a.mean(0), np.cov(a, rowvar=False))))
    assert found["frechet_distance"]["value"] == pytest.approx(wanted, rel=1e-6)
    assert found["kernel_distance"]["value"] == pytest.approx(kernel_distance(*arrays, num_subsets=1), rel=1e-9)


class _Alone:
    device, rank, count = torch.device("cpu"), 0, 1
