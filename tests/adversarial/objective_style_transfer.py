"""The objective of the experiment adversarial/style_transfer, by functions with contracts."""

import torch

from practice_torch.adversarial.style_transfer import gram_matrix, quadratic_kernel_discrepancy, total_variation
from practice_torch.experiments.adversarial.style_transfer import Transfer
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood
from tests.support.objectives import Mistake, Objective


def features(e, images):
    found = [images]
    for layer in e.layers:
        found.append(layer(found[-1]))
    return found[1:]


def points(maps):
    return maps.flatten(2).mT


def of_zero(maps):
    return torch.zeros_like(maps)


def transfer(e, batch, phase):
    """Style losses as discrepancies of feature vectors, over those from vectors that are zero; content as a mean square."""
    if phase == "classifier":
        x = torch.nn.functional.interpolate(batch["image"], scale_factor=e.recipe.enlarge, mode="bilinear")
        last = features(e, x)[-1]
        pooled = torch.nn.functional.avg_pool2d(last, [max(1, side // 4) for side in last.shape[2:]])
        return categorical_negative_log_likelihood(batch["label"], e.head(pooled.flatten(1))).mean()
    x = e.pixels.sigmoid()
    found, wanted = features(e, x), [maps.detach() for maps in features(e, e.style)]
    style = 0
    for maps, of_style in zip(found, wanted, strict=True):
        far = quadratic_kernel_discrepancy(points(of_zero(of_style)), points(of_style))
        style = style + quadratic_kernel_discrepancy(points(maps), points(of_style)) / far / len(found)
    layer = e.recipe.content_layer - 1
    kept = features(e, e.content)[layer].detach()
    content = (found[layer] - kept).square().sum((1, 2, 3)) / kept.square().sum((1, 2, 3))
    variation = total_variation(x) / x[0].numel()
    return (content + e.recipe.style_weight * style + e.recipe.variation_weight * variation).mean()


def _style_of(targets):
    """The style loss against Gram matrices that are targets(e, style) of each layer's features."""

    def wrong(self, found, style):
        losses = []
        for maps, target in zip(found, (targets(gram_matrix(f)) for f in self._features(style)), strict=True):
            losses.append((gram_matrix(maps) - target).square().sum((1, 2)) / target.square().sum((1, 2)))
        return sum(losses) / len(losses)

    return wrong


def _of_the_content(self, found, style):
    return _RIGHT(self, found, self.content)


_RIGHT = Transfer._style_loss
OBJECTIVE = Objective(
    transfer,
    unread={"styles", "pixel_rate"},
    together=[dict(classifier_share=0.9)],
    draws=False,
    sizes={"enlarge": 2},
    mistakes={
        "the style of the content": Mistake(Transfer, "_style_loss", _of_the_content),
        "channels exchanged": Mistake(Transfer, "_style_loss", _style_of(lambda gram: gram.flip(1))),
        "a style for all": Mistake(Transfer, "_style_loss", _style_of(lambda gram: gram.mean(0).expand_as(gram))),
    },
)
