"""Style transfer: losses by sums over channels and positions of one image after another, patches cut out one by one."""

import numpy as np
import torch

from tests.support.metrics import mean

FLOAT32 = True
FIELDS = {"digits": {"enlarge": 2, "transferred": 3}}


def features(e, images):
    found = []
    for layer in e.layers:
        images = layer(images)
        found.append(images)
    return found


def gram(maps):
    """Of one image [C, H, W]."""
    rows = maps.detach().flatten(1).double().numpy()
    return np.einsum("cn,dn->cd", rows, rows) / rows.size


def style(e, images, k):
    """The mean over the layers, of image k, relative to no features."""
    both = zip(features(e, images), features(e, e.style), strict=True)
    return mean([np.sum((gram(maps[k]) - gram(of[k])) ** 2) / np.sum(gram(of[k]) ** 2) for maps, of in both])


def content(e, images, k):
    maps, of = (features(e, some)[e.recipe.content_layer - 1][k].double() for some in (images, e.content))
    return float(((maps - of).square().sum() / of.square().sum()).detach())


def variation(image):
    down, across = np.diff(image, axis=1), np.diff(image, axis=2)
    return (np.abs(down).sum() + np.abs(across).sum()) / image.size


def moments(image):
    """Of all patches of one image, less its mean."""
    x, size = image.double().numpy() - image.double().mean().item(), 5
    places = [(i, j) for i in range(x.shape[1] - size + 1) for j in range(x.shape[2] - size + 1)]
    cut = np.stack([x[:, i : i + size, j : j + size].ravel() for i, j in places])
    return cut.T @ cut / len(cut)


def resembles(image, other, width):
    small = [torch.nn.functional.avg_pool2d(some[None], width).flatten().double().numpy() for some in (image, other)]
    return np.corrcoef(*small)[0, 1] if np.std(small[1]) else 0.0


def enlarged(e, images):
    return torch.nn.functional.interpolate(images, scale_factor=e.recipe.enlarge, mode="bilinear")


def classes(e, images):
    last = features(e, enlarged(e, images))[-1]
    pooled = torch.nn.functional.avg_pool2d(last, [max(1, side // 4) for side in last.shape[2:]])
    return e.head(pooled.flatten(1)).argmax(1).tolist()


def logs(e, batch, phase):
    if phase == "classifier":
        return {"accuracy": mean([a == b for a, b in zip(classes(e, batch["image"]), batch["label"].tolist(), strict=True)])}
    x, every = e.pixels.sigmoid().detach(), range(len(e.pixels))
    return {
        "style": mean([style(e, x, k) for k in every]),
        "content": mean([content(e, x, k) for k in every]),
        "variation": mean([variation(image.numpy()) for image in x]),
    }


def evaluate(e, data):
    batch, x, every = data.batch(), e.pixels.sigmoid(), range(len(e.pixels))
    found = {
        "style": mean([style(e, x, k) / style(e, e.content, k) for k in every]),
        "content": mean([content(e, x, k) / content(e, e.style, k) for k in every]),
    }
    far = [[np.sum((moments(some[k]) - moments(e.style[k])) ** 2) for some in (x, e.content)] for k in every]
    return found | {
        "distance": found["style"] + found["content"],
        "patches": mean([of_image / of_content for of_image, of_content in far]),
        "resemblance": mean([resembles(x[k], e.content[k], e.recipe.enlarge) for k in every]),
        "accuracy": mean([a == b for a, b in zip(classes(e, batch["image"]), batch["label"].tolist(), strict=True)]),
    }


def preview(e, data):
    return sample(e, e.recipe.transferred)


def sample(e, count):
    """As many columns as images, up to 12, from the first again."""
    parts, images = [], e.pixels.sigmoid()
    for begin in range(0, count, min(count, 12)):
        chosen = [k % len(images) for k in range(begin, min(begin + 12, count))]
        parts += [some[chosen] for some in (e.content, e.style, images)]
    return {"transfer": torch.cat(parts)}
