"""Domain adaptation: a classifier of images meets changed images without labels; with and without adversarial adaptation."""

from functools import partial

import torch

from practice_torch.engine.estimate import FRACTION, mean_interval
from practice_torch.experiments.adversarial import domain_adversarial
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.pictures.ranking import ranking
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

GUESS, MACHINE, SOURCE, ADAPTED = "most frequent class", "support vector machine, source only", "source only", "adapted"
LABELED = "support vector machine, target labels"

COLUMNS = {
    "target_accuracy": Column("fraction", "held-out changed images whose class is recognized", "higher"),
    "source_accuracy": Column("fraction", "held-out unchanged images whose class is recognized", "higher"),
    "domain_accuracy": Column("fraction", "held-out images whose domain the trained domain classifier recognizes; chance is 0.5"),
    "proxy_distance": Column("0 to 2", "2 (1 - 2 error) of a linear domain classifier, fitted anew to half of the features"),
}


def judge(trainings, say):
    """Both classifiers on both domains, with baselines below and a classifier trained on target labels above."""
    (training,) = trainings.values()
    experiment = training.experiment
    change = domain_adversarial.CHANGES[training.recipe.change]
    known, fresh = (data.batch(torch.arange(len(data))) for data in (training.train_data, training.held_out_data))
    labels = fresh["label"].cpu()
    domains = fresh["image"].cpu(), change(fresh["image"]).cpu()

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
    images, frequent = known["image"].cpu(), known["label"].cpu().mode().values
    rows = {GUESS: row("floor", lambda images: frequent.expand(len(images)))}
    rows[MACHINE] = row("floor", Judge(images, known["label"].cpu()).classify)
    for name, network in networks.items():
        rows[name] = row("model", partial(_classes, training, network), **more[name])
    right = (Judge(change(images), known["label"].cpu()).classify(domains[1]) == labels).double()
    rows[LABELED] = Row("ceiling", {"target_accuracy": mean_interval(right, FRACTION)})
    drawn = ranking(rows, "target_accuracy", "accuracy on held-out changed images")
    shown = call_isolated(training, "preview", lambda experiment: experiment.preview(training.held_out_data))
    return Findings(COLUMNS, rows, {"accuracy": drawn} | shown)


def _classes(training, network, images):
    return call_isolated(training, "classes", lambda _: network(images.to(training.device)).argmax(1))


def read(rows):
    """Findings from the numbers of the table."""
    target, source = (
        {name: row.cells[column].value for name, row in rows.items() if column in row.cells}
        for column in ("target_accuracy", "source_accuracy")
    )
    recognized, proxy = (rows[ADAPTED].cells[column] for column in ("domain_accuracy", "proxy_distance"))
    gain, missing = target[ADAPTED] - target[SOURCE], target[LABELED] - target[ADAPTED]
    sentences = (
        f"Without adaptation the network recognizes {target[SOURCE]:.0%} of the changed images, and {source[SOURCE]:.0%} of the "
        f"unchanged ones, from which it learned. With adaptation it recognizes {target[ADAPTED]:.0%} of the changed images: "
        f"{100 * gain:+.0f} points, without a label of theirs.",
        f"With the labels of the target a support vector machine reaches {target[LABELED]:.0%}: {100 * missing:.0f} points are "
        f"left. One that learns from the source alone, from its pixels, recognizes {target[MACHINE]:.0%} of the changed images.",
        f"The domain classifier of the training recognizes {recognized:.0%} of the domains; chance is 50%. A linear classifier "
        f"fitted anew to the same features has a proxy distance of {proxy:.2f} of 2: "
        + ("to fool one classifier is not to make the features of both domains alike." if proxy > 1 else "the domains overlap."),
        "The other way, to translate labeled source images into the target domain and to train on these, is not built in this "
        "project; the table has no row for it.",
    )
    expectations = (
        Expectation("Adaptation gains 10 points or more on the target", gain >= 0.1),
        Expectation(
            "The domain classifier of the training recognizes between 45% and 60% of the domains", 0.45 <= recognized <= 0.6
        ),
        Expectation("Labels of the target are better than adaptation without them", missing > 0),
    )
    return Reading(sentences, expectations)


PROJECT = Project(
    title="Domain adaptation",
    question="A classifier learns from labeled images. The images that it is to classify are blurred, and no one has labeled "
    "them. How much of what it loses does it win back, if its features have to hide from a second classifier which images are "
    "blurred?",
    models={"domain adversarial": Model(domain_adversarial, "digits")},
    judge=judge,
    read=read,
)
