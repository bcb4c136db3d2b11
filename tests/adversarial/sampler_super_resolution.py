"""Small images of the first batch, each above what the network makes of it."""

import torch
from torch.nn.functional import interpolate

from practice_torch.experiments.adversarial.super_resolution import SuperResolution
from tests.support.samplers import Network, built, require_same


def enlarges_small_images_of_the_first_batch():
    """A network that turns an image over: 40 samples of 10 images, in rows of 16."""
    experiment = built("adversarial/super_resolution", "digits", factor=2)
    experiment.generator_network = Network(lambda small: -interpolate(small, scale_factor=2.0))
    images = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    experiment.start({"image": images})
    grid = experiment.sample(40)["enlarged"]
    assert grid.columns == 16
    small = images.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean((3, 5)).repeat(4, 1, 1, 1)
    wide = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    rows = [part for k in (0, 16, 32) for part in (wide[k : k + 16], 1 - wide[k : k + 16])]
    require_same(grid.images, torch.cat([part[: 40 - 32] if k > 3 else part for k, part in enumerate(rows)]))


SAMPLERS = {
    enlarges_small_images_of_the_first_batch: {
        "the images themselves": (SuperResolution.start, 'self._small(batch["image"])', 'batch["image"][:, :, ::2, ::2]'),
        "pixels in -1..1": (SuperResolution.enlarged, "low=0.0,", "low=-1.0,"),
        "small pixels as they are": (SuperResolution.enlarged, "(scale_to_range(small, minimum=0.0, maximum=1.0))", "(small)"),
        "one row": (SuperResolution.sample, "min(count, 16)", "count"),
    }
}
