"""The U-Net of the sizes that a recipe has as fields."""

from practice_torch.networks.unet import UNet1d, UNet2d


def unet_of(recipe, shape, kind=None, **more):
    """A network for examples of this shape, [C, T] or [C, H, W]; kind: another class with the sizes of a U-Net."""
    return (kind or {2: UNet1d, 3: UNet2d}[len(shape)])(**{
        "channels": shape[0], "size": shape[1:], "base_channels": recipe.base_channels, "multipliers": recipe.multipliers,
        "blocks": recipe.blocks, "attention_at": recipe.attention_at, "dropout": recipe.dropout, "compact": recipe.compact,
    } | more)  # fmt: skip
