"""Translations judged a second time: errors image by image, classes by scikit-learn, Frechet distances by eigenvalues."""

import torch
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from tests.adversarial.objective_image_translation import pairs, recalled, unpaired
from tests.support.judged import Judge
from tests.support.metrics import mean

FLOAT32 = True
COUNT = 40


def translated(network, images):
    return (network(2 * images - 1) + 1) / 2


def error(these, those):
    """The mean absolute error, one image after another."""
    return mean([mean((one - other).abs().flatten()) for one, other in zip(these, those, strict=True)])


def logs(e, batch, phase):
    if hasattr(e, "translator"):
        x, y = pairs(batch["image"], e.recipe.domains)
        fakes = e.translator(2 * x - 1)
        if phase == "translator":
            return {"absolute_error": error((fakes + 1) / 2, y)}
        shown = {"real": 2 * y - 1, "fake": fakes}
        return {name: mean(e.discriminator(torch.cat([2 * x - 1, z], 1)).sigmoid().flatten()) for name, z in shown.items()}
    if phase == "translators":
        return {}
    x, y = (2 * images - 1 for images in unpaired(batch["image"], e.recipe.domains))
    shown_x, shown_y = recalled(e, e.former_x, e.to_x(y)), recalled(e, e.former_y, e.to_y(x))
    of = {"of_x": (e.of_x(x), e.of_x(shown_x)), "of_y": (e.of_y(y), e.of_y(shown_y))}
    return {name: (mean((real - 1).flatten() ** 2) + mean(fake.flatten() ** 2)) / 2 for name, (real, fake) in of.items()}


def evaluate(e, data):
    batch = data.batch()
    if hasattr(e, "translator"):
        x, y = pairs(batch["image"], e.recipe.domains)
        found = {"absolute_error": error(translated(e.translator, x), y), "absolute_error_of_inputs": error(x, y)}
        return found | {"frechet_distance": Judge(y).frechet_distance(translated(e.translator, x), y)}
    x, y = unpaired(batch["image"], e.recipe.domains)
    there = translated(e.to_y, x)
    found = {"cycle_error": error(translated(e.to_x, there), x), "frechet_distance": Judge(y).frechet_distance(there, y)}
    if "right" in e.recipe.domains:
        return found
    true, _ = unpaired(pairs(batch["image"], e.recipe.domains)[1], "inverted")
    found["absolute_error"] = error(there, true)
    if "label" not in batch:
        return found
    axes = PCA(min(64, len(y), y[0].numel()), random_state=0).fit(y.flatten(1).double().numpy())
    coordinates = lambda images: axes.transform(images.flatten(1).double().numpy())  # noqa: E731
    labels = batch["label"].tolist()
    classifier = SVC(C=10.0).fit(coordinates(y), labels[1::2])
    for name, images in (("recognized", there), ("recognized_real", true)):
        called = classifier.predict(coordinates(images)).tolist()
        found[name] = mean([one == other for one, other in zip(called, labels[::2][: len(called)], strict=True)])
    return found


def preview(e, data):
    images = data.batch()["image"]
    if hasattr(e, "translator"):
        x, y = pairs(images[:12], e.recipe.domains)
        return {"translations": torch.cat([x, translated(e.translator, x), y])}
    x, y = unpaired(images[:24], e.recipe.domains)
    drawn = {}
    for name, shown, there, back in (("from_x", x[:12], e.to_y, e.to_x), ("from_y", y[:12], e.to_x, e.to_y)):
        drawn[name] = torch.cat([shown, translated(there, shown), translated(back, translated(there, shown))])
    return drawn
