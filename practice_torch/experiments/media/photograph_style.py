"""The style of one photograph or painting for another, by the features of a network of photographs: Gatys et al. 2016."""

from pathlib import Path

import torch
from PIL import Image
from torch.nn import functional

from practice_torch.adversarial.style_transfer import content_loss, gram_matrix, style_loss
from practice_torch.data.errors import DataError
from practice_torch.data.reading.decoding import open_image
from practice_torch.networks.vgg import CONTENT, HALVINGS, STYLE

MOST_SIDE = 512  # pixels: longer sides are scaled down
STEPS, STEP_SIZE, STYLE_WEIGHT = 300, 0.02, 10.0
REPORTED = 50  # steps between two reports
_LEAST = 1e-12  # of what is divided by: features that are all zero


def opened(path):
    """The image of a file, [1, 3, H, W] in 0..1, with sides of at most MOST_SIDE.  DataError if there is none that serves."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist: give the file of an image")
    pixels = torch.from_numpy(open_image(str(path), path).copy()).float() / 255
    image = (pixels.movedim(2, 0) if pixels.ndim == 3 else pixels.expand(3, -1, -1))[None]
    height, width = image.shape[2:]
    scale = MOST_SIDE / max(height, width)
    if scale < 1:
        size = [max(1, round(scale * side)) for side in (height, width)]
        image = functional.interpolate(image, size, mode="bilinear", antialias=True)
    if min(image.shape[2:]) < 2**HALVINGS:
        found = f"{path} is {width}x{height} (width x height)"
        raise DataError(f"{found}; its sides must be {2**HALVINGS} or more, at {MOST_SIDE} of the longer one: use another image")
    return image


def save(image, path):
    """Write an image [1, 3, H, W] in 0..1 as a PNG file."""
    Image.fromarray((255 * image[0].movedim(0, 2).cpu()).round().byte().numpy()).save(path, format="PNG")


def losses_of(network, content, style):
    """images -> (style loss, content loss) [B] each, over those of features that are zero, by the layers of Gatys et al. 2016."""
    with torch.no_grad():
        grams = {name: gram_matrix(features) for name, features in network(style).items() if name in STYLE}
        target = network(content)[CONTENT]

    def losses(images):
        found = network(images)
        parts = [style_loss(found[name], gram) / gram.square().sum((1, 2)).clamp(min=_LEAST) for name, gram in grams.items()]
        kept = content_loss(found[CONTENT], target) / target.square().mean((1, 2, 3)).clamp(min=_LEAST)
        return sum(parts) / len(parts), kept

    return losses


def transferred(network, content, style, *, style_weight, say):
    """(the content image with the style, {name: (at the beginning, at the end)} of both losses), from the content image on."""
    losses = losses_of(network, content, style)
    pixels = content.clone().requires_grad_()
    optimizer, history = torch.optim.Adam([pixels], lr=STEP_SIZE), []
    with torch.enable_grad():
        for step in range(STEPS + 1):
            of_style, of_content = losses(pixels)
            if step % REPORTED == 0 or step == STEPS:
                history.append((of_style.item(), of_content.item()))
                say(f"step {step} of {STEPS}: style loss {history[-1][0]:.4g}, content loss {history[-1][1]:.4g}")
            if step < STEPS:
                optimizer.zero_grad()
                (style_weight * of_style + of_content).sum().backward()
                optimizer.step()
                pixels.data.clamp_(0, 1)
    return pixels.detach(), dict(zip(("style", "content"), zip(history[0], history[-1], strict=True), strict=True))
