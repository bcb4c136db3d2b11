"""Rows of contents, of their styles below them, and of the images; what is shown is not drawn at random."""

import torch

from practice_torch.experiments.adversarial.style_transfer import Transfer
from tests.support.samplers import built, require_same


def shows_contents_styles_and_images():
    """20 of 8 images: rows of 12 and of 8, in threes, from the first image again."""
    experiment = built("adversarial/style_transfer", enlarge=2)
    generator = torch.Generator().manual_seed(3)
    experiment.content.copy_(torch.rand(experiment.content.shape, generator=generator))
    grid = experiment.sample(20)["transfer"]
    assert grid.columns == 12
    order = torch.arange(20) % 8
    contents, styles, images, more_contents, more_styles, more_images = grid.images.split([12, 12, 12, 8, 8, 8])
    require_same(torch.cat([contents, more_contents]), experiment.content[order])
    require_same(torch.cat([styles, more_styles]), experiment.style[order])
    require_same(torch.cat([images, more_images]), 1 / (1 + (-experiment.pixels[order]).exp()))


SAMPLERS = {
    shows_contents_styles_and_images: {
        "logits for pixels": (Transfer.sample, "self.images()", "self.pixels"),
        "styles and contents exchanged": (Transfer.sample, "self.content, self.style", "self.style, self.content"),
        "one image": (Transfer.sample, "% self.recipe.transferred", "* 0"),
        "one image a row": (Transfer.sample, "min(count, 12)", "1"),
    }
}
