"""A classifier of images learns from labeled images what changed, unlabeled ones show, by features that hide the change."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn
from torch.nn import functional

from practice_torch.adversarial.domain_adversarial import adaptation_schedule, domain_loss, gradient_reversal, proxy_a_distance
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import Figure, ImageGrid
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.media.blur import blurred
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood
from practice_torch.networks.perceptron import perceptron


def _shifted(images):
    """Shift to the right and down by an eighth of the sides; the border is black."""
    height, width = images.shape[-2:]
    down, right = height // 8, width // 8
    return functional.pad(images, (right, 0, down, 0))[..., :height, :width]


CHANGES = {"blurred": blurred, "shifted": _shifted, "inverted": lambda images: 1 - images}


@dataclass(frozen=True)
class DomainRecipe(Recipe):
    """A classifier of labeled images, adapted to changed images without labels, and an unadapted one for comparison."""

    change: Literal[tuple(CHANGES)] = "blurred"
    """Change that makes the images of the target domain."""
    hidden: Annotated[int, AtLeast(1)] = 128
    """Units of the first hidden layer."""
    features: Annotated[int, AtLeast(1)] = 64
    """Features, and units of the domain classifier's hidden layer."""
    largest_weight: Annotated[float, AtLeast(0)] = 1.0
    """Weight of the domain loss at the end of the training."""
    gamma: Annotated[float, AtLeast(0)] = 10.0
    """Rate at which the weight rises: tanh(gamma progress / 2) of the largest; 0: no adaptation."""
    metric: Fixed = "gain"
    direction: Direction = "higher"


class DomainAdversarial(nn.Module):
    """Features with a label classifier and, behind a reversed gradient, a domain classifier; the same without the latter.

    Both classifiers begin with equal weights. Of every batch the even examples are the source domain; the odd ones are changed,
    and their labels are not used.
    """

    explains = {
        "gain": Metric("fraction", "target accuracy with adaptation, less that without"),
        "target_accuracy": Metric("fraction", "of held-out changed images whose class is recognized, with adaptation"),
        "target_accuracy_source_only": Metric("fraction", "the same without adaptation"),
        "source_accuracy": Metric("fraction", "of held-out unchanged images whose class is recognized, with adaptation"),
        "domain_accuracy": Metric("fraction", "held-out images, unchanged and changed, whose domain is recognized"),
        "proxy_distance": Metric("0 to 2", "2 (1 - 2 error) of a linear domain classifier fitted anew to half of these features"),
        "proxy_distance_source_only": Metric("0 to 2", "the same for the features without adaptation"),
    }
    phases = (Phase("adapted", ("feature_network", "classifier", "domain_classifier")), Phase("source_only", ("source_only",)))

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator, self.shape = recipe, None, tuple(description["shape"])
        sizes, classes = (math.prod(self.shape), recipe.hidden, recipe.features), len(description["classes"])
        adapted, self.source_only = (
            nn.Sequential(
                nn.Sequential(nn.Flatten(), *perceptron(*sizes, activation=nn.ReLU), nn.ReLU()),
                nn.Linear(recipe.features, classes),
            )
            for _ in range(2)
        )
        self.source_only.load_state_dict(adapted.state_dict())
        self.feature_network, self.classifier = adapted
        self.domain_classifier = perceptron(recipe.features, recipe.features, 1, activation=nn.ReLU)
        self.register_buffer("batches", torch.tensor(0))  # that the adapted classifier has seen
        self._seen = None  # the same number on the host, once known: asking the buffer would stop a GPU in every step
        self.register_load_state_dict_post_hook(lambda model, _: setattr(model, "_seen", None))

    def forward(self, batch, phase):
        """The mean label loss of the source; for the adapted classifier also the domain loss, reversed for the features."""
        source, labels = batch["image"][::2], batch["label"][::2]
        if phase == "source_only":
            return categorical_negative_log_likelihood(labels, self.source_only(source)).mean(), {}
        weight = self._weight()
        features = self.feature_network(torch.cat([source, self._changed(batch["image"][1::2])]))
        domain = torch.arange(len(features), device=features.device) < len(source)
        label_loss = categorical_negative_log_likelihood(labels, self.classifier(features[: len(source)])).mean()
        logits = self.domain_classifier(gradient_reversal(features, scale=weight))[:, 0]
        of_domain = domain_loss(logits, domain.long()).mean()
        seen = {"label_loss": label_loss.detach(), "domain_loss": of_domain.detach()}
        return label_loss + of_domain, seen | {"weight": torch.full((), weight, device=features.device)}

    def evaluate(self, data):
        """Both classifiers on held-out images, unchanged and changed; how far apart the domains are for their features."""
        batch = data.batch()
        source, target, labels = batch["image"], self._changed(batch["image"]), batch["label"]
        plain, head = self.source_only
        features = [self.feature_network(images) for images in (source, target)]
        plain_features = [plain(images) for images in (source, target)]
        found = {
            "target_accuracy": _accuracy(self.classifier(features[1]), labels),
            "target_accuracy_source_only": _accuracy(head(plain_features[1]), labels),
            "source_accuracy": _accuracy(self.classifier(features[0]), labels),
            "domain_accuracy": sum(
                ((self.domain_classifier(some)[:, 0] > 0) == of_source).double().mean().item() / 2
                for some, of_source in zip(features, (True, False), strict=True)
            ),
            "proxy_distance": _proxy_distance(*features),
            "proxy_distance_source_only": _proxy_distance(*plain_features),
        }
        return found | {"gain": found["target_accuracy"] - found["target_accuracy_source_only"]}

    def preview(self, data):
        """Images of both domains, and where both networks put them."""
        images = data.batch(torch.arange(min(len(data), 300)))["image"]
        changed = self._changed(images)
        columns = min(len(images), 12)
        pairs = torch.cat([images[:columns], changed[:columns]])
        return {
            "domains": ImageGrid(pairs, columns, f"Held-out images of the source domain, and {self.recipe.change}: the target"),
            "features_source_only": _places(self.source_only[0](images), self.source_only[0](changed), "without adaptation"),
            "features": _places(self.feature_network(images), self.feature_network(changed), "with adaptation"),
        }

    def sample(self, count):
        """The weights of some units of the first layer, as images: nothing else of the model can be seen without data."""
        first = self.feature_network[1].weight
        chosen = torch.randperm(len(first), generator=self.generator, device=first.device)[:count]
        weights = first[chosen].unflatten(1, self.shape).mean(1, keepdim=True)
        scale = weights.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12)
        return {"first_layer": ImageGrid(0.5 + weights / (2 * scale), 8, "Weights of units of the first layer; 0 is gray")}

    def _changed(self, images):
        return CHANGES[self.recipe.change](images)

    def _weight(self):
        """The weight of the domain loss in this step."""
        seen = int(self.batches) if self._seen is None else self._seen
        self._seen = seen + 1
        self.batches += 1
        progress = min(seen / (self.recipe.steps * self.recipe.accumulate), 1.0)
        return self.recipe.largest_weight * float(adaptation_schedule(torch.tensor([progress]), gamma=self.recipe.gamma))


def _accuracy(logits, labels):
    return (logits.argmax(1) == labels).double().mean().item()


def _proxy_distance(source, target):
    """Proxy distance by a logistic regression fitted to the even features of both domains and tested on the odd ones."""
    from sklearn.linear_model import LogisticRegression

    fitted, asked = (torch.cat([source[k::2], target[k::2]]).float().cpu().numpy() for k in (0, 1))
    sides = [torch.tensor([1] * len(source[k::2]) + [0] * len(target[k::2])).numpy() for k in (0, 1)]
    right = LogisticRegression(max_iter=1000).fit(fitted, sides[0]).score(asked, sides[1])
    return float(proxy_a_distance(torch.tensor([1 - right])))


def _places(source, target, words):
    """Both domains in the plane of the features' two largest principal components."""
    both = torch.cat([source, target]).float()
    _, _, axes = torch.linalg.svd(both - both.mean(0), full_matrices=False)
    places = [((some.float() - both.mean(0)) @ axes[:2].mT).cpu().numpy() for some in (source, target)]

    def draw(canvas):
        for some, label in zip(places, ("source", "target"), strict=True):
            canvas.scatter(*some.T, s=8, alpha=0.6, label=label)
        canvas.set(xlabel="first principal component", ylabel="second")
        canvas.legend()

    return Figure(draw, f"Features of held-out images {words}")


def build(recipe, data):
    """The classifiers that a recipe describes, for images of the data's shape and classes.

    Raises DataError where the data have no labels.
    """
    if data.description["classes"] is None:
        raise DataError(f"{data.description['name']} has no labels, which the source domain needs: give each class a sub-folder")
    return DomainAdversarial(recipe, data.description)


RECIPES = {
    # Measured in 27 CPU seconds, seeds 0 and 1: 75% and 76% of blurred digits are recognized, without adaptation 53% and 49%; the
    # trained domain classifier tells 55% and 58% of the domains. A linear one, fitted anew to the same features, still tells 99%:
    # to fool one classifier is not to have equal laws. Inverted and shifted digits are too far: both recognize a quarter at most.
    "digits": DomainRecipe(
        data="digits",
        steps=3000,
        batch_size=128,
        learning_rate=1e-3,
        average_decay=0.99,
        held_out=0.2,
        target=0.15,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
}
