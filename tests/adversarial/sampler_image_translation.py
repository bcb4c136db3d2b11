"""Samples are translations of the first inputs of the training, and former translations are drawn as often as they should be."""

import torch

from practice_torch.experiments.adversarial import image_translation as experiments
from practice_torch.experiments.adversarial.image_translation import CycleGan, Pix2pix
from tests.support.samplers import Network, built, require_same, require_shares


def _kept(experiment, network, first):
    """What is drawn after a beginning with some images, by a network that turns its input around."""
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    setattr(experiment, network, Network(lambda x: -x))
    experiment.start({"image": images})
    shown = experiment.sample(10)["translations"].images
    inputs = first(images)
    wanted = [image for n in range(10) for image in (inputs[n % 8 % len(inputs)], 1 - inputs[n % 8 % len(inputs)])]
    require_same(shown, torch.stack(wanted))


def shows_first_inputs_of_pairs():
    blocks = lambda images: images.unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean((3, 5))  # noqa: E731
    coarse = lambda images: blocks(images).repeat_interleave(2, 2).repeat_interleave(2, 3)  # noqa: E731
    _kept(built("adversarial/image_translation", "digits"), "translator", coarse)


def shows_first_inputs_without_pairs():
    _kept(built("adversarial/image_translation", "digits_unpaired", domains="inverted"), "to_y", lambda images: images[::2])


def recalls_former_translations():
    """Half of the images, once the history is full; each of the former ones equally often."""
    experiment = built("adversarial/image_translation", "digits_unpaired", domains="inverted", history=6)
    history, places = experiment.former_x, torch.arange(6.0)[:, None, None, None].expand(6, 1, 8, 8)
    history(places, experiment.generator)
    require_same(history.images, places)
    recalled = []
    for _ in range(300):
        history.images.copy_(places)
        recalled += history(torch.full((3, 1, 8, 8), 6.0), experiment.generator)[:, 0, 0, 0].long().tolist()
    require_shares(torch.tensor(recalled), torch.tensor([1 / 12] * 6 + [1 / 2]))


SAMPLERS = {
    shows_first_inputs_of_pairs: {
        "outputs kept": (Pix2pix.start, "[0])", "[1])"),
        "inputs alone": (experiments._samples, "_translated(translator, inputs)", "inputs"),
    },
    shows_first_inputs_without_pairs: {
        "the other domain": (CycleGan.start, "[0])", "[1])"),
        "back": (CycleGan.sample, "self.to_y", "self.to_x"),
    },
    recalls_former_translations: {
        "always": (experiments._History.forward, "< 0.5", "< 2.0"),
        "the first ones": (experiments._History.forward, "torch.where(full, drawn,", "torch.where(~full, drawn,"),
    },
}
