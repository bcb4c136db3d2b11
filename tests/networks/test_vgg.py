"""VGG-19: torchvision's layout and features at equal weights, its files, and what is refused."""

import pytest
import safetensors.torch
import torch
from torchvision.models import vgg as peer

from practice_torch.data.errors import DataError
from practice_torch.networks.vgg import CONTENT, STYLE, VGG19, load_vgg

WIDTH = 4
# configuration E of torchvision, 64 channels for 4
SMALL = [size if size == "M" else size * WIDTH // 64 for size in peer.cfgs["E"]]
# the ReLU behind each convolution, counted in torchvision's list of layers
PLACES = {"conv1_1": 1, "conv2_1": 6, "conv3_1": 11, "conv4_1": 20, "conv4_2": 22, "conv5_1": 29}


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    return peer.make_layers(SMALL).eval()


@pytest.fixture
def weights(theirs):
    return {f"features.{name}": tensor.clone() for name, tensor in theirs.state_dict().items()}


@pytest.fixture(params=["vgg19.pth", "vgg19.safetensors"])
def saved(request, tmp_path):
    """save(weights) -> the file."""
    path = tmp_path / request.param

    def save(weights):
        if path.suffix == ".pth":
            torch.save(weights, path)
        else:
            safetensors.torch.save_file(weights, path)
        return path

    return save


def test_features_are_those_of_torchvision(theirs, weights, saved):
    """Of images in 0..1, which are normalized as torchvision's transforms do; a classifier in the file is left out."""
    images = torch.rand(2, 3, 36, 40, generator=torch.Generator().manual_seed(1))
    network = load_vgg(saved(weights | {"classifier.0.weight": torch.zeros(3, 3)}), width=WIDTH)
    found = network(images)
    x = (images - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    for name, place in PLACES.items():
        assert torch.allclose(found[name], theirs[: place + 1](x), atol=1e-5) and found[name].std() > 0, name
    assert {*STYLE, CONTENT} == PLACES.keys() and len(found) == 13 and not network.features[0].weight.requires_grad


def test_the_full_network_has_the_shapes_of_torchvision():
    with torch.device("meta"):
        ours, full = VGG19().state_dict(), peer.make_layers(peer.cfgs["E"]).state_dict()
    assert all(tensor.shape == full[name.removeprefix("features.")].shape for name, tensor in ours.items())
    assert len(ours) == 26  # of 32: the last three convolutions are not asked


def test_half_precision_is_read_as_float32(weights, saved):
    network = load_vgg(saved({name: tensor.half() for name, tensor in weights.items()}), width=WIDTH)
    assert all(tensor.dtype == torch.float32 for tensor in network.state_dict().values())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda w: w.pop("features.28.bias"), "it has no features.28.bias"),
        (lambda w: w.update({"features.5.weight": torch.zeros(8, 4, 3, 2)}), r"features.5.weight has shape \[8, 4, 3, 2\], not"),
        (lambda w: w["features.21.weight"].view(-1)[:2].fill_(float("nan")), "21.weight has 2 numbers that are not finite"),
        (lambda w: w.update({"features.0.bias": torch.zeros(4, dtype=torch.int64)}), "numbers of type int64, not floating-point"),
    ],
)
def test_weights_of_another_layout_are_refused(weights, saved, change, complaint):
    change(weights)
    with pytest.raises(DataError, match=f"{complaint}.*; it must hold the weights of torchvision's vgg19"):
        load_vgg(saved(weights), width=WIDTH)


def test_the_weights_of_vgg16_are_refused(saved):
    small = [size if size == "M" else size * WIDTH // 64 for size in peer.cfgs["D"]]
    of_16 = {f"features.{name}": tensor for name, tensor in peer.make_layers(small).state_dict().items()}
    with pytest.raises(DataError, match="it has no features.16.weight"):
        load_vgg(saved(of_16), width=WIDTH)


def test_what_is_no_file_of_tensors_is_refused(weights, saved, tmp_path):
    with pytest.raises(DataError, match="none.pth is no file; .* nothing is downloaded"):
        load_vgg(tmp_path / "none.pth")
    path = saved(weights)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match="cannot be read as tensors"):
        load_vgg(path, width=WIDTH)
    other = tmp_path / "list.pth"
    torch.save([torch.zeros(3)], other)
    with pytest.raises(DataError, match="it holds a list, not tensors by name"):
        load_vgg(other, width=WIDTH)


class Evil:
    def __reduce__(self):
        return pytest.fail, ("code of the file was run",)


def test_no_code_of_a_file_is_run(tmp_path):
    torch.save({"features.0.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(DataError, match="cannot be read as tensors"):
        load_vgg(tmp_path / "evil.pth", width=WIDTH)


def test_images_that_would_vanish_are_refused():
    network = VGG19(width=1)
    for shape in ((1, 3, 15, 20), (3, 20, 20), (1, 1, 20, 20)):
        with pytest.raises(ValueError, match=r"it must be \[B, 3, H, W\] with sides of 16 or more"):
            network(torch.zeros(shape))
