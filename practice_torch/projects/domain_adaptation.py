"""Domain adaptation: a classifier of images meets changed images without labels.

One way is adversarial: its features hide the change. Another is to translate labeled images into the changed ones' domain, and to
learn from these.
"""

from functools import partial

import torch

from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.estimate import FRACTION, mean_interval
from practice_torch.experiments.adversarial import domain_adversarial, image_translation
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.pictures.ranking import ranking
from practice_torch.projects._classifier import fitted
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

GUESS, MACHINE, SOURCE, ADAPTED = "most frequent class", "support vector machine, source only", "source only", "adapted"
TRANSLATED, TRANSLATED_MACHINE = "translated source", "support vector machine, translated source"
LABELED = "support vector machine, target labels"
ADVERSARIAL, TRANSLATION = "domain adversarial", "translation"

COLUMNS = {
    "target_accuracy": Column("fraction", "held-out changed images whose class is recognized", "higher"),
    "source_accuracy": Column("fraction", "held-out unchanged images whose class is recognized", "higher"),
    "domain_accuracy": Column("fraction", "held-out images whose domain the trained domain classifier recognizes; chance is 0.5"),
    "proxy_distance": Column("0 to 2", "2 (1 - 2 error) of a linear domain classifier, fitted anew to half of the features"),
    "distance": Column("1", "mean absolute difference of the images that it learned from and the same images, changed", "lower"),
}


def judge(trainings, say):
    """The classifiers on both domains, with baselines below and a classifier trained on target labels above."""
    training = trainings[ADVERSARIAL]
    experiment, recipe = training.experiment, training.recipe
    change = domain_adversarial.CHANGES[recipe.change]
    known, fresh = (data.batch(torch.arange(len(data))) for data in (training.train_data, training.held_out_data))
    images, learned, labels = known["image"].cpu(), known["label"].cpu(), fresh["label"].cpu()
    changed, domains = change(images), (fresh["image"].cpu(), change(fresh["image"].cpu()))

    def row(role, classify, **more):
        source, target = (mean_interval((classify(images).cpu() == labels).double(), FRACTION) for images in domains)
        return Row(role, {"target_accuracy": target, "source_accuracy": source} | more)

    say("the networks, and support vector machines with the labels of either domain")
    networks = {SOURCE: experiment.source_only, ADAPTED: torch.nn.Sequential(experiment.feature_network, experiment.classifier)}
    found = training.evaluate()
    more = {
        SOURCE: {"proxy_distance": found["proxy_distance_source_only"]},
        ADAPTED: {name: found[name] for name in ("proxy_distance", "domain_accuracy")},
    }
    frequent, apart = learned.mode().values, lambda images: (images - changed).abs().mean().item()
    rows = {GUESS: row("floor", lambda images: frequent.expand(len(images)))}
    rows[MACHINE] = row("floor", Judge(images, learned).classify, distance=apart(images))
    for name, network in networks.items():
        rows[name] = row("model", partial(_classes, training, network), **more[name])
    say("classifiers of translated images")
    # only images are translated, and each keeps its source label: no label of a changed image is known here
    moved = call_isolated(trainings[TRANSLATION], "translations", lambda experiment: experiment.into_x(known["image"])).cpu()
    sizes = (recipe.hidden, recipe.features)
    perceptron = fitted(moved, learned, hidden=sizes, updates=recipe.steps, seed=recipe.seed)
    rows[TRANSLATED] = row("model", perceptron, distance=apart(moved))
    rows[TRANSLATED_MACHINE] = row("model", Judge(moved, learned).classify, distance=apart(moved))
    right = (Judge(changed, learned).classify(domains[1]) == labels).double()
    rows[LABELED] = Row("ceiling", {"target_accuracy": mean_interval(right, FRACTION), "distance": 0.0})
    shown = {"accuracy": ranking(rows, "target_accuracy", "accuracy on held-out changed images")}
    shown |= call_isolated(training, "preview", lambda experiment: experiment.preview(training.held_out_data))
    grid = torch.cat([part[:12] for part in (images, moved, changed)])
    words = "Training images, their translations, and, which no model is told, the same images changed"
    return Findings(COLUMNS, rows, shown | {"translations": ImageGrid(grid, len(grid) // 3, words)})


def _classes(training, network, images):
    return call_isolated(training, "classes", lambda _: network(images.to(training.device)).argmax(1))


def read(rows):
    """Findings from the numbers of the table."""
    target, source = (
        {name: row.cells[column].value for name, row in rows.items() if column in row.cells}
        for column in ("target_accuracy", "source_accuracy")
    )
    recognized, proxy = (rows[ADAPTED].cells[column] for column in ("domain_accuracy", "proxy_distance"))
    before, after = (rows[name].cells["distance"] for name in (MACHINE, TRANSLATED_MACHINE))
    gain, moved = target[ADAPTED] - target[SOURCE], target[TRANSLATED_MACHINE] - target[MACHINE]
    missing = {name: target[LABELED] - target[name] for name in (ADAPTED, TRANSLATED_MACHINE)}
    better = "better" if target[TRANSLATED] > target[ADAPTED] else "no better"
    sentences = (
        f"Without adaptation the network recognizes {target[SOURCE]:.0%} of the changed images, and {source[SOURCE]:.0%} of the "
        f"unchanged ones, from which it learned. With adaptation it recognizes {target[ADAPTED]:.0%} of the changed images: "
        f"{100 * gain:+.0f} points, without a label of theirs.",
        f"With the labels of the target a support vector machine reaches {target[LABELED]:.0%}: {100 * missing[ADAPTED]:.0f} "
        f"points are left. One that learns from the source alone, from its pixels, recognizes {target[MACHINE]:.0%} of the "
        "changed images.",
        f"The domain classifier of the training recognizes {recognized:.0%} of the domains; chance is 50%. A linear classifier "
        f"fitted anew to the same features has a proxy distance of {proxy:.2f} of 2: "
        + ("to fool one classifier is not to make the features of both domains alike." if proxy > 1 else "the domains overlap."),
        f"The same support vector machine on source images that were translated recognizes {target[TRANSLATED_MACHINE]:.0%}: "
        f"{100 * moved:+.0f} points, and {100 * missing[TRANSLATED_MACHINE]:.0f} are left. A perceptron as large as the adapted "
        f"network recognizes {target[TRANSLATED]:.0%}, {better} than the adaptation's {target[ADAPTED]:.0%}.",
        "The translation saw images of both domains, never in pairs, and no labels. Source images differ from the same images, "
        f"changed, by {before:.3f} on average; translated ones by {after:.3f}. Of unchanged images the classifiers that learned "
        f"from these recognize {source[TRANSLATED_MACHINE]:.0%} and {source[TRANSLATED]:.0%}, the adapted network "
        f"{source[ADAPTED]:.0%}.",
    )
    expectations = (
        Expectation("Adaptation gains 10 points or more on the target", gain >= 0.1),
        # measured on several processors: 51% to 63%, and 87% early in the training
        Expectation(
            "The domain classifier of the training recognizes between 30% and 70% of the domains", 0.3 <= recognized <= 0.7
        ),
        Expectation("Labels of the target are better than adaptation without them", missing[ADAPTED] > 0),
        Expectation("Translation gains 10 points or more on the target", moved >= 0.1),
        Expectation("Labels of the target are better than translated source images", missing[TRANSLATED_MACHINE] > 0),
    )
    return Reading(sentences, expectations)


PROJECT = Project(
    title="Domain adaptation",
    question="A classifier learns from labeled images. The images that it is to classify are blurred, and no one has labeled "
    "them. How much of what it loses does it win back, if its features have to hide from a second classifier which images are "
    "blurred, or if it learns from images that were translated into blurred ones?",
    models={ADVERSARIAL: Model(domain_adversarial, "digits"), TRANSLATION: Model(image_translation, "digits_unpaired")},
    judge=judge,
    read=read,
)
