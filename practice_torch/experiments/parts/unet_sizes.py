"""The sizes of a U-Net as fields of a recipe."""

from dataclasses import dataclass
from typing import Annotated

from practice_torch.engine.bounds import AtLeast, Bounded
from practice_torch.networks.unet import UNet1d, UNet2d


@dataclass(frozen=True)
class Sizes(Bounded):
    """The fields of a recipe that trains a U-Net, and the network they ask for: class MyRecipe(Sizes, Recipe)."""

    base_channels: int = 24
    """Channels of the U-Net's first level."""
    multipliers: tuple[int, ...] = (1, 2)
    """Channels of each level, in units of base_channels; every further level halves the data's size."""
    blocks: int = 2
    """Residual blocks of each level, on the way down and on the way up."""
    attention_at: tuple[int, ...] = ()
    """Sizes (of images, their heights) at which every block attends to the whole example."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout inside of the residual blocks."""
    compact: bool = True
    """Whether the lowest level is the middle of the U-Net, which is enough for small images."""

    def unet(self, shape, **more):
        """A network for examples of this shape, [C, T] or [C, H, W]."""
        return {2: UNet1d, 3: UNet2d}[len(shape)](**{
            "channels": shape[0], "size": shape[1:], "base_channels": self.base_channels, "multipliers": self.multipliers,
            "blocks": self.blocks, "attention_at": self.attention_at, "dropout": self.dropout, "compact": self.compact,
        } | more)  # fmt: skip
