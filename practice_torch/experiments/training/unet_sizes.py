"""The U-Net of the sizes that a recipe has as fields."""

from dataclasses import dataclass
from typing import Annotated

from practice_torch.engine.bounds import AtLeast, Bounded
from practice_torch.networks.unet import UNet1d, UNet2d


def unet_of(recipe, shape, kind=None, **more):
    """A network for examples of this shape, [C, T] or [C, H, W]; kind: another class with the sizes of a U-Net."""
    return (kind or {2: UNet1d, 3: UNet2d}[len(shape)])(**{
        "channels": shape[0], "size": shape[1:], "base_channels": recipe.base_channels, "multipliers": recipe.multipliers,
        "blocks": recipe.blocks, "attention_at": recipe.attention_at, "dropout": recipe.dropout, "compact": recipe.compact,
    } | more)  # fmt: skip


@dataclass(frozen=True)
class Sizes(Bounded):
    """The sizes of a U-Net as fields of a recipe, and the network they define: class MyRecipe(Sizes, Recipe)."""

    base_channels: Annotated[int, AtLeast(1)] = 24
    """Channels of the first level of the U-Net."""
    multipliers: Annotated[tuple[int, ...], AtLeast(1)] = (1, 2)
    """Channels of each level, in units of base_channels; every level after the first halves the resolution."""
    blocks: Annotated[int, AtLeast(1)] = 2
    """Residual blocks of each level, on the way down and up."""
    attention_at: Annotated[tuple[int, ...], AtLeast(1)] = ()
    """Resolutions (heights of images) at which every block has self-attention."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate in the residual blocks."""
    compact: bool = True
    """Use the lowest level as the middle of the U-Net; sufficient for small images."""

    def unet(self, shape, kind=None, **more):
        """A network for examples of this shape, [C, T] or [C, H, W]; kind: another class with the sizes of a U-Net."""
        return unet_of(self, shape, kind, **more)
