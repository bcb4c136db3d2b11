"""The sizes of a U-Net as fields of a recipe."""

from dataclasses import dataclass
from typing import Annotated

from practice_torch.engine.bounds import AtLeast, Bounded
from practice_torch.networks.unet import UNet1d, UNet2d


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
        return (kind or {2: UNet1d, 3: UNet2d}[len(shape)])(**{
            "channels": shape[0], "size": shape[1:], "base_channels": self.base_channels, "multipliers": self.multipliers,
            "blocks": self.blocks, "attention_at": self.attention_at, "dropout": self.dropout, "compact": self.compact,
        } | more)  # fmt: skip
