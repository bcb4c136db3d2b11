"""The U-Net that reads captions, the captions and pictures that it is trained on, and what judges its samples."""

import pytest
import torch

from practice_torch.diffusion.text_conditioning import CaptionedUNet, CrossAttention
from practice_torch.engine.batches.datasets import load_data
from practice_torch.experiments.diffusion.text_conditioning import RECIPES
from practice_torch.experiments.media.captions import CaptionJudge, Captions, picture
from tests.support import tiny


def captioned_unet():
    torch.manual_seed(0)
    network = CaptionedUNet(
        vocabulary_size=6,
        words=4,
        text_width=8,
        text_layers=1,
        channels=1,
        size=(4, 6),
        base_channels=4,
        multipliers=(1, 2),
        blocks=1,
        attention_at=(4, 2),
        compact=True,
        zero_init=False,
    ).eval()
    for layer in network.modules():
        if isinstance(layer, CrossAttention):
            torch.nn.init.normal_(layer.mix.output.weight)
    return network


def test_padding_is_nothing_and_the_order_of_words_is_something():
    network, x, t = captioned_unet(), torch.randn(2, 1, 4, 6), torch.tensor([3.0, 70.0])
    short = torch.tensor([[2, 3, 4], [5, 5, 1]])
    padded, turned = torch.nn.functional.pad(short, (0, 1)), torch.tensor([[4, 3, 2], [5, 5, 1]])
    torch.testing.assert_close(network(x, t, padded), network(x, t, short))
    difference = network(x, t, turned) - network(x, t, short)
    assert difference[0].abs().max() > 1e-4 and difference[1].abs().max() < 1e-6


@pytest.mark.parametrize(
    "label", [[[1, 2], [0, 0]], [[1, 2]], [1, 2], [[1.0, 2.0], [1.0, 0.0]]], ids=["no word", "one caption", "one axis", "real"]
)
def test_captions_that_do_not_fit_are_refused(label):
    with pytest.raises(ValueError, match="^label "):
        captioned_unet()(torch.zeros(2, 1, 4, 6), torch.ones(2), torch.tensor(label))


def test_a_picture_has_the_place_and_stroke_of_its_caption():
    image = torch.zeros(4, 1, 8, 8)
    image[..., 3, 3], image[..., 3, 4] = 1.0, 0.75
    stroke, place = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1, 2, 2])
    found = picture(image, stroke, place)
    assert found.shape == (4, 1, 8, 12)
    for number, left in enumerate((0, 2, 4, 4)):
        assert found[number, 0, 3, 3 + left] == 1
        assert found[number, 0, 3, 4 + left] == (0.75 if stroke[number] else 0.5)
        assert found[number, 0, 2, 3 + left] == pytest.approx(0.6 if stroke[number] else 0)
    captions = Captions(["7", "8"])
    texts = [captions.text(row) for row in captions.tokens[0, 0, 0]]
    assert texts == ["a thin seven to the left", "a seven thin to the left", "to the left a thin seven"]
    assert captions.text(captions.tokens[1, 1, 1, 1]) == "an eight bold in the middle"
    assert captions.text(captions.nothing()) == "(nothing)"


def test_the_judge_recognizes_pictures_of_held_out_digits():
    recipe = RECIPES["digits"]
    train, held_out = load_data(recipe)
    batch = held_out.batch(torch.arange(200))
    label = batch["label"]
    stroke, place = torch.arange(200) % 2, torch.arange(200) % 3
    judged = CaptionJudge(**train.batch()).tell(picture(batch["image"], stroke, place))
    right = [(found == wanted).double().mean().item() for found, wanted in zip(judged, (label, stroke, place), strict=True)]
    assert right[0] > 0.95 and right[1:] == [1.0, 1.0]


def test_the_displayed_weights_are_those_of_the_words():
    model, batch = tiny.built("diffusion/text_conditioning", tiny.small(RECIPES["digits"]))
    x0, tokens, _ = model._captioned(batch)
    tokens[0] = model.nothing
    maps = model._attention(x0, torch.ones(len(x0)), tokens)
    assert maps.shape == (len(x0), model.captions.length, *x0.shape[2:])
    torch.testing.assert_close(maps.sum(1), torch.ones(len(x0), *x0.shape[2:]))
    assert maps[0, 0].min() == 1 and maps[0, 1:].max() == 0
