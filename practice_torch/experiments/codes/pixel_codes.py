"""Images as integers, one for each pixel and color: learned and drawn pixel by pixel, given a class where there is one."""

import math
from functools import cached_property

import torch
from torch import nn

from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.experiments.judging.image_judge import JUDGED, Judge
from practice_torch.experiments.judging.independent_pixels import codes_of, independent_bits
from practice_torch.experiments.sampling.likelihood_bound import BOUND

_NUMBERS = 2**25  # that a network gives for an evaluation's images at once
_JUDGED = 20  # samples per class, generated conditionally
_COMPLETED = 7  # draws of the lower half of every image in a preview


def conditioning_classes(recipe, description):
    """Names of the classes that the model is conditioned on; an empty list for an unconditional model."""
    return (recipe.conditional and description["classes"]) or []


class PixelExperiment(nn.Module):
    """Learns the codes of images, and draws images of the same size.

    network.log_prob(codes [B, C, H, W], label [B]) is the log-probability of every image, [B] in nats;
    network.generate(uniforms [B, C, H, W, U], label, given) draws codes pixel by pixel, after the rows `given` [B, C, h, W], from
    U = network.uniforms uniforms each. label is None where there are no classes.
    """

    explains = {
        "bits_per_dimension": Metric("bits per dimension", "-log2 p of held-out images, by the number of pixels and colors"),
        "independent_pixels": BOUND["independent_pixels"],
        "class_accuracy": JUDGED["class_accuracy"],
        "class_accuracy_real": JUDGED["class_accuracy_real"],
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, description, network):
        super().__init__()
        self.recipe, self.generator, self.shares, self.network = recipe, None, ALONE, network
        self.shape, self.classes = tuple(description["shape"]), conditioning_classes(recipe, description)

    def forward(self, batch, phase):
        """Nats per dimension of a batch of images."""
        nats = -self._log_probs(batch).mean() / math.prod(self.shape)
        return nats, {"bits_per_dimension": nats.detach() / math.log(2)}

    def evaluate(self, data):
        """Bits per held-out dimension, of the model and of independent pixels; and whether samples show their class."""
        size, log_prob = math.prod(self.shape), 0.0
        for number, indices in enumerate(torch.arange(len(data)).split(max(1, _NUMBERS // (size * self.recipe.num_levels)))):
            if self.shares.takes(number):
                log_prob += self._log_probs(data.batch(indices)).double().sum().item()
        log_prob = sum(self.shares.together([log_prob]))
        found = {
            "bits_per_dimension": -log_prob / (len(data) * size * math.log(2)),
            "independent_pixels": independent_bits(self._training, data, levels=self.recipe.num_levels),
        }
        if self.classes:
            asked = torch.arange(len(self.classes)).repeat_interleave(_JUDGED)
            real = data.batch()
            found["class_accuracy"] = self._agreement(self._generate(len(asked), asked), asked)
            found["class_accuracy_real"] = self._agreement(real["image"], real["label"])
        return found

    @property
    def uniforms(self):
        """Number of uniforms that a draw of one code takes."""
        return self.network.uniforms

    def log_prob(self, codes, label):
        """log p of every image in nats: [B, C, H, W], [B] or None -> [B]"""
        return self.network.log_prob(codes, label)

    def drawn(self, uniforms, label, given):
        """Codes drawn one by one, after the rows `given`: [B, C, H, W, U], [B] or None, [B, C, h, W] or None -> [B, C, H, W]"""
        return self.network.generate(uniforms, label, given)

    def preview(self, data):
        """Samples, and lower halves of held-out images drawn anew."""
        batch, height = data.batch(torch.arange(min(len(data), 6))), self.shape[1]
        codes = self._codes(batch["image"])
        several = codes.repeat_interleave(_COMPLETED, 0)
        labels = batch["label"].repeat_interleave(_COMPLETED) if self.classes else None
        drawn = self._generate(len(several), labels, several[:, :, : height // 2])
        rows = torch.cat([self._image(codes).unsqueeze(1), drawn.unflatten(0, (len(codes), _COMPLETED))], 1).flatten(0, 1)
        caption = f"Held-out images, each followed by {_COMPLETED} completions of its upper half"
        return {"completions": ImageGrid(rows, _COMPLETED + 1, caption), **self.sample(10 * (len(self.classes) or 8))}

    def sample(self, count):
        """Images drawn pixel by pixel: the classes in turn, where there are classes."""
        if not self.classes:
            return {"samples": ImageGrid(self._generate(count), 8, "Drawn pixel by pixel, row by row")}
        labels = torch.arange(count) % len(self.classes)
        caption = f"Drawn pixel by pixel; the columns are the classes {', '.join(map(str, self.classes))}"
        return {"samples": ImageGrid(self._generate(count, labels), len(self.classes), caption)}

    @cached_property
    def _training(self):
        return load_data(self.recipe)[0]

    @cached_property
    def _judge(self):
        train = self._training.batch()
        return Judge(train["image"], train["label"])

    def _agreement(self, images, labels):
        return (self._judge.classify(images) == labels.cpu()).double().mean().item()

    def _log_probs(self, batch):
        return self.log_prob(self._codes(batch["image"]), batch["label"] if self.classes else None)

    def _generate(self, count, labels=None, given=None):
        """`count` images [B, C, H, W], one for each label where there are classes, after the given rows of codes."""
        device = next(self.network.parameters()).device

        def draw(rows):
            uniforms = torch.rand(len(rows), *self.shape, self.uniforms, generator=self.generator, device=device)
            asked, begun = labels if labels is None else labels[rows].to(device), given if given is None else given[rows]
            return self._image(self.drawn(uniforms, asked, begun))

        return self.shares.rows(draw, torch.arange(count))

    def _codes(self, image):
        return codes_of(image, self.recipe.num_levels)

    def _image(self, codes):
        return codes / (self.recipe.num_levels - 1)
