"""The sizes of a U-Net as fields of a recipe."""

from dataclasses import dataclass

from practice_torch.networks.unet import UNet1d, UNet2d


@dataclass(frozen=True)
class Sizes:
    """The fields of a recipe that trains a U-Net, and the network they ask for: class MyRecipe(Sizes, Recipe)."""

    base_channels: int = 24
    """Channels of the U-Net's first level."""
    multipliers: tuple[int, ...] = (1, 2)
    """Channels of each level, in units of base_channels; every further level halves the data's size."""
    blocks: int = 2
    """Residual blocks of each level, on the way down and on the way up."""
    attention_at: tuple[int, ...] = ()
    """Sizes (of images, their heights) at which every block attends to the whole example."""
    dropout: float = 0.0
    """Dropout inside of the residual blocks."""
    compact: bool = True
    """Whether the lowest level is the middle of the U-Net, which is enough for small images."""

    def __post_init__(self):
        super().__post_init__()
        self._require("dropout", 0 <= self.dropout < 1, "at least 0 and less than 1")

    def unet(self, shape, **more):
        """A network for examples of this shape, [C, T] or [C, H, W]."""
        return {2: UNet1d, 3: UNet2d}[len(shape)](**{
            "channels": shape[0], "size": shape[1:], "base_channels": self.base_channels, "multipliers": self.multipliers,
            "blocks": self.blocks, "attention_at": self.attention_at, "dropout": self.dropout, "compact": self.compact,
        } | more)  # fmt: skip
