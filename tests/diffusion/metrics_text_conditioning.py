"""Pictures with captions: strokes, places and classes recognized one picture after another."""

import math

import torch

from practice_torch.experiments.media.captions import picture
from tests.support.judged import Judge
from tests.support.metrics import mean

NAMES = ("digits",)
FIELDS = {"digits": {"judged_samples": 30}}
COUNT = 12
FLOAT32 = True


class Teller:
    """By the column of the center of mass, by the ink, and by a classifier of what is at that place."""

    def __init__(self, image, label):
        self.width = image.shape[-1]
        self.step = max(1, 2 * round(self.width / 8))
        made = [[picture(image[k : k + 1], torch.tensor([s]), torch.tensor([1]))[0] for k in range(len(image))] for s in (0, 1)]
        self.middle = mean([column(one) for part in made for one in part])
        self.threshold = mean([mean([one.sum() for one in part]) for part in made])
        crops = [one[..., self.step : self.step + self.width] for part in made for one in part]
        self.judge = Judge(torch.stack(crops), torch.cat([label, label]))

    def tell(self, one):
        place = min(2, max(0, 1 + round((column(one) - self.middle) / self.step)))
        crop = one[..., self.step * place : self.step * place + self.width]
        return int(self.judge.classify(crop[None])), int(float(one.sum()) > self.threshold), place


def column(one):
    mass = one.sum((0, 1)).tolist()
    return sum(k * part for k, part in enumerate(mass)) / max(sum(mass), 1e-6)


def attributes(e, count):
    stroke, place = torch.rand(2, count, generator=e.generator)
    return (2 * stroke).long(), (3 * place).long()


def tokens(e, asked):
    forms = (3 * torch.rand(asked.shape[1], generator=e.generator)).long()
    return torch.stack([e.captions.tokens[(*row, form)] for row, form in zip(asked.T.tolist(), forms.tolist(), strict=True)])


def evaluate(e, data):
    from practice_torch.experiments.diffusion import text_conditioning

    train, batch = text_conditioning.load_data(e.recipe)[0].batch(), data.batch()
    teller = Teller(train["image"], train["label"])
    asked = torch.stack([batch["label"], *attributes(e, len(data))])
    pictures, captions = picture(batch["image"], *asked[1:]), tokens(e, asked)
    pairs = zip(pictures, asked.T.tolist(), strict=True)
    right = [[a == b for a, b in zip(teller.tell(one), row, strict=True)] for one, row in pairs]
    found = {"attribute_accuracy_real": mean([part for row in right for part in row])}
    x0, uniforms = 2 * pictures - 1, torch.rand(len(data), generator=e.generator).tolist()
    eps, losses = torch.randn(x0.shape, generator=e.generator), []
    for k, u in enumerate(uniforms):
        t = min(int(u * e.recipe.num_steps), e.recipe.num_steps - 1) + 1
        a = float(e.alpha_bar[t])
        x = (math.sqrt(a) * x0[k] + math.sqrt(1 - a) * eps[k])[None]
        losses.append(mean((e.network(x, torch.tensor([t]), captions[k : k + 1])[0] - eps[k]).square().flatten()))
    found["loss"] = mean(losses)
    count = e.recipe.judged_samples
    asked = torch.stack([torch.arange(count) % len(e.captions.names), *attributes(e, count)])
    captions = tokens(e, asked)
    for name, scale in (("", e.recipe.guidance), ("_unguided", 1.0)):
        drawn = e._drawn(captions, scale)  # noqa: SLF001 - the sampler has its own tests
        pairs = zip(drawn, asked.T.tolist(), strict=True)
        right = [[a == b for a, b in zip(teller.tell(one), row, strict=True)] for one, row in pairs]
        found[f"attribute_accuracy{name}"] = mean([part for row in right for part in row])
        if not name:
            found["all_accuracy"] = mean([all(row) for row in right])
            for k, attribute in enumerate(("class", "stroke", "place")):
                found[f"{attribute}_accuracy"] = mean([row[k] for row in right])
    return found
