"""Batch normalization compared with torch and flax, and the behavior of the convolutional game."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch.nn import functional

from practice_torch.adversarial import dcgan as practice
from practice_torch.data.errors import DataError
from practice_torch.experiments.adversarial.dcgan import DcganRecipe, build

GENERATOR = torch.Generator().manual_seed(8)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


X, SCALE, SHIFT, MEAN, VARIANCE = draw(5, 3, 4, 2), draw(3), draw(3), draw(3), draw(3).exp()


def close(ours, theirs, rtol=1e-12, atol=1e-13):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=rtol, atol=atol)


@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.7, 1.0])
def test_one_step_of_torchs_batch_norm_is_two_functions_of_ours(momentum):
    """Its output, and the running statistics that it updates in place."""
    mean, variance = MEAN.clone(), VARIANCE.clone()
    wanted = functional.batch_norm(X, mean, variance, SCALE, SHIFT, training=True, momentum=momentum, eps=1e-3)
    close(practice.batch_normalize(X, SCALE, SHIFT, epsilon=1e-3), wanted)
    ours = practice.update_running_statistics(X, MEAN, VARIANCE, momentum=momentum)
    close(ours[0], mean)
    close(ours[1], variance)


def test_inference_is_torchs():
    wanted = functional.batch_norm(X, MEAN, VARIANCE, SCALE, SHIFT, training=False, eps=1e-3)
    close(practice.batch_normalize_inference(X, MEAN, VARIANCE, SCALE, SHIFT, epsilon=1e-3), wanted)


def test_flax_agrees_once_its_conventions_are_converted():
    """Channels last; its momentum is what is kept; its running variance is biased."""
    layer = nnx.BatchNorm(3, momentum=0.7, epsilon=1e-3, dtype=jnp.float64, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    layer.scale[...], layer.bias[...] = jnp.array(SCALE), jnp.array(SHIFT)
    layer.mean, layer.var = nnx.BatchStat(jnp.array(MEAN)), nnx.BatchStat(jnp.array(VARIANCE))
    output = layer(jnp.array(X.permute(0, 2, 3, 1)), use_running_average=False)
    close(practice.batch_normalize(X, SCALE, SHIFT, epsilon=1e-3), jnp.transpose(output, (0, 3, 1, 2)), rtol=1e-10)
    mean, variance = practice.update_running_statistics(X, MEAN, VARIANCE, momentum=0.3)
    count = 5 * 4 * 2
    unbiased_part = (variance - 0.7 * VARIANCE) * (count - 1) / count
    close(mean, layer.mean[...])
    close(0.7 * VARIANCE + unbiased_part, layer.var[...])


def test_a_large_mean_costs_no_digits_but_its_own():
    """In float32 the mean of squares less the square of the mean would be off by ten times the variance, either way."""
    x = (1e-2 * draw(6, 3, 5, 4) + 100).float()
    wanted = functional.batch_norm(x.double(), None, None, training=True, eps=1e-8)
    ours = practice.batch_normalize(x, torch.ones(3), torch.zeros(3), epsilon=1e-8)
    # the mean itself is rounded to 100 float32 roundoffs, 6e-6, which is 6e-4 of a deviation
    torch.testing.assert_close(ours.double(), wanted, rtol=0, atol=2e-3)


def test_overlap_is_the_image_of_ones():
    for length, kernel, stride in ((6, 4, 2), (6, 5, 2), (4, 2, 3), (1, 3, 2)):
        ones = functional.conv_transpose1d(torch.ones(1, 1, length), torch.ones(1, 1, kernel), stride=stride).flatten()
        assert practice.kernel_overlap(length=length, kernel=kernel, stride=stride).tolist() == ones.tolist()


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(shape=(1, 8, 8), **fields):
    """A small game on random images of three classes."""
    torch.manual_seed(0)
    recipe = DcganRecipe(**{"latent": 5, "width": 4, "classifier_hidden": 6, "fakes": 40} | fields)
    data = RandomImages(shape)
    game = build(recipe, data)
    game.generator = torch.Generator().manual_seed(0)
    return game, data


class RandomImages:
    """Stands for a data set: 30 images with labels."""

    def __init__(self, shape, classes=("a", "b", "c")):
        generator = torch.Generator().manual_seed(1)
        self.image, self.label = torch.rand(30, *shape, generator=generator), torch.arange(30) % 3
        self.description = {"name": "random", "shape": list(shape), "classes": classes and list(classes)}

    def __len__(self):
        return 30

    def batch(self, indices=slice(None)):
        return {"image": self.image[indices], "label": self.label[indices]}


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 12, 20)])
def test_fakes_have_the_shape_and_the_range_of_images(shape):
    """Inside, images are in [-1, 1]; outside in [0, 1]."""
    game, data = experiment(shape)
    inside, outside = game._made(game._asked(6)), game._shown(6)
    assert inside.shape == outside.shape == (6, *shape)
    assert inside.min() < 0 and inside.abs().max() <= 1 and outside.min() >= 0 and outside.max() <= 1
    assert game._logits(inside).shape == (6,)
    seen = []
    game._logits = lambda images: seen.append(images) or images.flatten(1).mean(1)
    game(data.batch(), "discriminator")
    torch.testing.assert_close(seen[0], 2 * data.image - 1)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(DataError, match="30 x 30 pixels"):
        experiment((1, 30, 30))


def test_data_without_labels_are_refused():
    with pytest.raises(DataError, match="random has no labels"):
        build(DcganRecipe(), RandomImages((1, 8, 8), classes=None))


def test_each_phase_moves_its_own_player():
    """The discriminator's loss sends nothing to the generator, the generator's passes through the discriminator; the classifier
    and the game do not touch each other."""
    game, data = experiment()
    players = {"discriminator": game.discriminator, "generator": game.generator_network, "classifier": game.classifier}
    reached = {"discriminator": {"discriminator"}, "generator": {"discriminator", "generator"}, "classifier": {"classifier"}}
    for phase in game.phases:
        game.zero_grad(set_to_none=True)
        game(data.batch(), phase.name)[0].backward()
        moved = {name for name, player in players.items() if any(p.grad is not None for p in player.parameters())}
        assert moved == reached[phase.name]


def test_real_and_fake_are_never_normalized_together():
    """The discriminator's logits of the real batch do not depend on the fakes."""
    game, data = experiment()
    logs = []
    for scale in (1.0, 30.0):
        torch.nn.init.constant_(game.generator_network.layers[-1].bias, scale)
        logs.append(game(data.batch(), "discriminator")[1])
    assert logs[0]["real"] == logs[1]["real"] and logs[0]["fake"] != logs[1]["fake"]


def test_the_networks_normalization_is_the_one_that_is_proven():
    """Training output, running statistics after it, and inference output of a layer of the generator."""
    game, _ = experiment()
    layer = next(module for module in game.generator_network.modules() if isinstance(module, torch.nn.BatchNorm2d))
    x = torch.randn(6, 8, 4, 3, generator=GENERATOR)
    before = layer.running_mean.clone(), layer.running_var.clone()
    torch.testing.assert_close(layer(x), practice.batch_normalize(x, layer.weight, layer.bias))
    after = practice.update_running_statistics(x, *before)
    torch.testing.assert_close((layer.running_mean, layer.running_var), after)
    layer.eval()
    torch.testing.assert_close(layer(x), practice.batch_normalize_inference(x, *after, layer.weight, layer.bias))


def test_no_output_of_the_generator_is_favored_by_its_kernels():
    game, _ = experiment((3, 32, 32))
    transposed = [layer for layer in game.generator_network.modules() if isinstance(layer, torch.nn.ConvTranspose2d)]
    assert len(transposed) == 3
    for layer in transposed:
        kernel, stride = layer.kernel_size[0], layer.stride[0]
        overlap = practice.kernel_overlap(length=9, kernel=kernel, stride=stride)
        assert overlap[kernel - 1 : 1 - kernel].unique().numel() == 1


@pytest.mark.parametrize(
    ("fakes", "classes", "plausible"),
    [
        ("real", 3.0, 0.9),  # 27 of 30 images are as near to one another as is usual
        ("one class", 1.0, 0.9),
        ("noise", 0.0, 0.0),  # the classifier is as sure of them, but they lie where no image is
        ("unsure", 0.0, 0.9),
    ],
)
def test_classes_count_only_if_their_fakes_look_like_images(fakes, classes, plausible):
    """Three clusters of images, distinguished by their first pixel; the classifier is given."""
    game, data = experiment()
    data.image = 0.02 * data.image
    data.image[:, 0, 0, 0] = data.label / 2
    made = {
        "real": data.image,
        "one class": data.image[data.label == 1].repeat(3, 1, 1, 1),
        "noise": torch.cat([data.image[..., :4], 1 - data.image[..., 4:]], dim=-1),
        "unsure": data.image,
    }[fakes]
    sharpness = 0.0 if fakes == "unsure" else 100.0
    game._classes = lambda images: -sharpness * (images.flatten(1)[:, :1] - torch.tensor([0.0, 0.5, 1.0])).square()
    # held-out images have neighbors of distance 0 among these fakes, unless these are noise
    game._shown = lambda count: made
    metrics = game.evaluate(data)
    assert metrics["classes"] == classes and metrics["recognized"] == metrics["recognized_real"] == float(fakes != "unsure")
    assert metrics["plausible"] >= plausible and (plausible or metrics["plausible"] == 0)


def test_a_column_of_the_picture_shows_one_class():
    game, _ = experiment()
    fakes = torch.linspace(0.1, 1, 40).view(40, 1, 1, 1).expand(40, 1, 8, 8)
    game._shown = lambda count: fakes
    game._recognize = lambda images: (torch.arange(40) < 10, (images[:, 0, 0, 0] > 0.2).long())
    grid = game._by_class(rows=4)
    columns = grid.images[:, 0, 0, 0].view(4, 3)
    gray, sure = 0.4, fakes[:10, 0, 0, 0]
    assert grid.columns == 3 and (columns[:, 2] == gray).all()
    assert columns[:, 0].tolist() == pytest.approx([*sure[sure <= 0.2][:4].tolist()])
    assert columns[:, 1].tolist() == pytest.approx([*sure[sure > 0.2][:4].tolist()])


def test_a_short_game_learns():
    """Twenty turns each on one batch: every player's loss falls while the others stand still."""
    game, data = experiment()
    for phase in game.phases:
        parameters = [p for name in phase.moves for p in getattr(game, name).parameters()]
        optimizer = torch.optim.Adam(parameters, lr=1e-2)
        losses = []
        for _ in range(20):
            game.generator.manual_seed(0)
            game.zero_grad()
            loss, _ = game(data.batch(), phase.name)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.8 * losses[0], phase.name
