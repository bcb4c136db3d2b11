"""The Inception network of the published FID: against torch-fidelity at equal weights, its resizing, and its file of weights."""

import math

import numpy as np
import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.networks import inception
from practice_torch.networks.inception import Inception, as_bytes, load_inception, resize_as_tensorflow, resize_by_pillow


def shapes():
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in Inception(resize=resize_as_tensorflow).state_dict().items()}


def seeded_weights():
    """Weights that keep the size of the activations, with statistics of batches that are no ones and zeros."""
    generator = torch.Generator().manual_seed(0)
    drawn = {}
    for name, shape in shapes().items():
        if name.endswith("num_batches_tracked"):
            drawn[name] = torch.tensor(0)
        elif name.endswith(("bn.weight", "running_var")):
            drawn[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            scale = math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.1
            drawn[name] = scale * torch.randn(shape, generator=generator)
    return drawn


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / inception.FILE
    torch.save(seeded_weights(), path)
    return path


# of torch-fidelity 0.4, the first features of each image and the mean of all
FOUND = [[0.0, 0.0, 0.051017627, 8.8631554], [0.0066214562, 0.0, 0.039675541, 8.9417629]]
MEANS = [2.3064296, 2.2726793]
IMAGES = torch.randint(256, (2, 3, 40, 60), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.mark.peers("torch_fidelity")
def test_features_and_logits_are_those_of_torch_fidelity(file):
    """Through the whole network, from bytes of another size, at equal weights."""
    import torch_fidelity.feature_extractor_inceptionv3 as peer

    theirs = peer.FeatureExtractorInceptionV3("theirs", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(file))
    wanted, network = theirs(IMAGES), load_inception(file)
    features = network(IMAGES)
    for found, want in zip((features, network.logits(features)), wanted, strict=True):
        assert want.abs().max() > 0.1
        assert (found - want).abs().max() <= 1e-3 * want.abs().max()


def test_features_are_as_torch_fidelity_gave_them(file):
    """The same without torch-fidelity."""
    features = load_inception(file)(IMAGES)
    assert features.shape == (2, 2048)
    torch.testing.assert_close(features[:, :4], torch.tensor(FOUND), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(features.mean(1), torch.tensor(MEANS), rtol=1e-3, atol=0)


def test_the_resizing_is_tensorflows():
    """Two pixels to 299: place i is i 2/299, and places beyond the last pixel repeat it."""
    found = resize_as_tensorflow(torch.tensor([0, 200], dtype=torch.uint8).expand(1, 3, 1, 2))
    wanted = (200 * torch.arange(299) * 2 / 299).clamp(max=200)
    torch.testing.assert_close(found, wanted.expand(1, 3, 299, 299), rtol=0, atol=1e-3)
    assert torch.equal(resize_as_tensorflow(IMAGES[:0]), torch.empty(0, 3, 299, 299))


@pytest.mark.peers("torch_fidelity")
def test_the_resizing_is_torch_fidelitys():
    import torch_fidelity.interpolate_compat_tensorflow as peer

    for images in (IMAGES, torch.randint(256, (1, 3, 400, 350), dtype=torch.uint8)):
        wanted = peer.interpolate_bilinear_2d_like_tensorflow1x(images.float(), size=(299, 299), align_corners=False)
        assert torch.equal(resize_as_tensorflow(images), wanted)


@pytest.mark.peers("cleanfid")
def test_the_clean_resizing_is_clean_fids():
    import cleanfid.resize as peer

    wanted = [peer.build_resizer("clean")(image.permute(1, 2, 0).numpy()) for image in IMAGES]
    assert np.array_equal(resize_by_pillow(IMAGES).permute(0, 2, 3, 1).numpy(), np.stack(wanted))


def test_the_clean_resizing_averages_what_it_leaves_out():
    """A checkerboard of twice the size is gray; TensorFlow's bilinear places see black and white pixels."""
    board = (torch.arange(598)[:, None] + torch.arange(598)) % 2 * 255
    board = board.byte().expand(1, 3, 598, 598)
    assert (resize_by_pillow(board)[..., 9:-9, 9:-9] - 127.5).abs().max() < 1
    assert set(resize_as_tensorflow(board).unique().tolist()) == {0.0}
    assert resize_by_pillow(board[:0]).shape == (0, 3, 299, 299)


def test_images_are_quantized_to_the_nearest_of_256_levels():
    found = as_bytes(torch.tensor([-0.2, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 1.0, 1.7]).reshape(1, 1, 1, 7))
    assert found.dtype == torch.uint8
    assert found.tolist() == [[[[0, 0, 0, 1, 128, 255, 255]]] * 3]


@pytest.mark.parametrize("images", [IMAGES.float(), IMAGES[:, :1], IMAGES[0]], ids=["floats", "gray", "no batch"])
def test_images_that_are_no_bytes_are_refused(images, file):
    with pytest.raises(ValueError, match=r"must be \[B, 3, H, W\] of uint8"):
        load_inception(file)(images)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda weights: [*weights], "holds a list"),
        (lambda weights: weights.pop("Mixed_7c.branch_pool.conv.weight"), "it has no Mixed_7c.branch_pool.conv.weight"),
        (lambda weights: weights.update({"AuxLogits.fc.weight": torch.zeros(2)}), "it has AuxLogits.fc.weight"),
        (
            lambda weights: weights.update({"fc.weight": torch.zeros(1000, 2)}),
            r"fc.weight has shape \[1000, 2\], not \[1008, 2048\]",
        ),
    ],
)
def test_a_file_of_other_weights_is_named_with_the_one_that_is_needed(change, complaint, tmp_path):
    weights = {name: torch.zeros(()).expand(shape) for name, shape in shapes().items()}  # a small file
    changed = change(weights)
    torch.save(changed if isinstance(changed, list) else weights, tmp_path / "weights.pth")
    with pytest.raises(DataError, match=f"{complaint}.*it must be {inception.FILE}.*nothing is downloaded"):
        load_inception(tmp_path / "weights.pth")


@pytest.mark.parametrize(("content", "complaint"), [(None, "is no file"), (b"no weights", "cannot be read as tensors")])
def test_so_is_a_file_that_is_none(content, complaint, tmp_path):
    if content is not None:
        (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(DataError, match=f"{complaint}.*it must be {inception.FILE}.*nothing is downloaded"):
        load_inception(tmp_path / "weights.pth")
