"""Two domains: accuracies one image after another, the schedule by its formula, distances of domains by scikit-learn."""

import math

import torch
from sklearn.linear_model import LogisticRegression

from tests.adversarial.objective_domain_adversarial import in_the_target_domain
from tests.support.metrics import UpToSign, mean

FLOAT32 = True
COUNT = 24


def logs(e, batch, phase):
    if phase == "source_only":
        return {}
    source, labels = batch["image"][::2], batch["label"][::2]
    features = e.feature_network(torch.cat([source, in_the_target_domain(batch["image"][1::2], e.recipe.change)]))
    log_probs = e.classifier(features[: len(source)]).log_softmax(1)
    chances = e.domain_classifier(features)[:, 0].sigmoid()
    right = [chance if k < len(source) else 1 - chance for k, chance in enumerate(chances)]
    progress = int(e.batches) / e.recipe.steps
    return {
        "label_loss": -mean([row[label] for row, label in zip(log_probs, labels, strict=True)]),
        "domain_loss": -mean([math.log(chance) for chance in right]),
        "weight": e.recipe.largest_weight * math.tanh(e.recipe.gamma * progress / 2),
    }


def accuracy(logits, labels):
    return mean([row.index(max(row)) == label for row, label in zip(logits.tolist(), labels.tolist(), strict=True)])


def proxy_distance(source, target):
    """2 (1 - 2 error) of a logistic regression, fitted to the even rows and tested on the odd ones."""
    rows = [torch.cat([source[k::2], target[k::2]]).float().numpy() for k in (0, 1)]
    sides = [[1] * len(source[k::2]) + [0] * len(target[k::2]) for k in (0, 1)]
    right = LogisticRegression(max_iter=1000).fit(rows[0], sides[0]).predict(rows[1])
    return 2 * (1 - 2 * mean([a != b for a, b in zip(right, sides[1], strict=True)]))


def evaluate(e, data):
    batch = data.batch()
    images, labels = (batch["image"], in_the_target_domain(batch["image"], e.recipe.change)), batch["label"]
    plain = [e.source_only[0](x) for x in images]
    features = [e.feature_network(x) for x in images]
    found = {
        "target_accuracy": accuracy(e.classifier(features[1]), labels),
        "target_accuracy_source_only": accuracy(e.source_only(images[1]), labels),
        "source_accuracy": accuracy(e.classifier(features[0]), labels),
        "proxy_distance": proxy_distance(*features),
        "proxy_distance_source_only": proxy_distance(*plain),
    }
    as_target = [e.domain_classifier(some)[:, 0] > 0 for some in features]
    found["domain_accuracy"] = mean([*as_target[0].tolist(), *(not source for source in as_target[1].tolist())])
    return found | {"gain": found["target_accuracy"] - found["target_accuracy_source_only"]}


def preview(e, data):
    images = data.batch()["image"]
    changed = in_the_target_domain(images, e.recipe.change)
    drawn = {"domains": torch.cat([images[:12], changed[:12]])}
    for name, network in (("features_source_only", e.source_only[0]), ("features", e.feature_network)):
        both = torch.cat([network(images), network(changed)])
        away = both - both.mean(0)
        places = away @ torch.linalg.eigh(away.T @ away).eigenvectors.flip(1)[:, :2]
        halves = [("source", places[: len(images)]), ("target", places[len(images) :])]
        drawn[name] = [("scatter", *map(UpToSign, half.T), {"label": label}) for label, half in halves]
    return drawn
