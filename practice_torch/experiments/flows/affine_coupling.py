"""Real NVP on points and on pixels."""

from dataclasses import dataclass
from typing import Annotated

from practice_torch.engine.bounds import Above
from practice_torch.experiments.parts.flows import PixelFlow, PixelFlowRecipe, PointFlow, PointFlowRecipe, require_plane
from practice_torch.flows.affine_coupling import RealNVP


@dataclass(frozen=True)
class RealNvpRecipe(PointFlowRecipe):
    """Affine coupling layers on points."""

    bound: Annotated[float, Above(0)] = 2.0
    """Bound of the log-scales of a layer."""


@dataclass(frozen=True)
class PixelRealNvpRecipe(PixelFlowRecipe):
    """Affine coupling layers on the pixels of images, with checkerboard masks."""

    bound: Annotated[float, Above(0)] = 2.0
    """Bound of the log-scales of a layer."""


RECIPES = {
    # measured with seeds 0 and 1: 1.15 and 1.16 nats, of which 0.03 are the divergence from the density of the moons; a Gaussian
    # has 2.84
    "two_moons": RealNvpRecipe(
        data="two_moons", target=1.18, steps=3000, batch_size=256, learning_rate=1e-3, schedule="cosine", held_out=0.2,
        evaluate_every=1000, checkpoint_every=1000,
    ),
    # measured with seeds 0 and 1: 2.14 and 2.15 bits; independent pixels have 2.43, equal ones 4.09. More steps overfit.
    "digits": PixelRealNvpRecipe(
        data="digits", target=2.2, steps=400, batch_size=128, learning_rate=1e-3, schedule="cosine", held_out=0.2,
        weight_decay=0.01, evaluate_every=200, checkpoint_every=200,
    ),
}  # fmt: skip


def build(recipe, data):
    """The flow of a recipe for points or images of the data's shape.

    Raises DataError where points have a single entry.
    """
    shape, pixels = data.description["shape"], isinstance(recipe, PixelFlowRecipe)
    if not pixels:
        require_plane(data.description)
    network = RealNVP(shape=shape, layers=recipe.layers, hidden=recipe.hidden_dims, bound=recipe.bound)
    return PixelFlow(recipe, network, shape) if pixels else PointFlow(network, data.description)
