"""Style transfer: pixels take the style of another image by Gram losses, of features that are trained or not."""

from functools import partial

import torch
from torch.nn import functional

from practice_torch.engine.estimate import ANY, CORRELATION, FRACTION, mean_interval
from practice_torch.experiments.adversarial import style_transfer
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.pictures.ranking import ranking
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

CONTENT, MATCHED, STYLE = "content images", "mean and deviation of the pixels", "style images"
TRAINED, MORE, UNTRAINED = "trained features", "trained features, ten times the weight of the style", "untrained features"

COLUMNS = {
    "patches": Column("ratio", style_transfer.Transfer.explains["patches"].meaning, "lower"),
    "resemblance": Column("correlation", style_transfer.Transfer.explains["resemblance"].meaning, "higher"),
    "class_accuracy": Column("fraction", "images whose content's class is recognized by a support vector machine", "higher"),
}
RANGES = {"patches": ANY, "resemblance": CORRELATION}


def judge(trainings, say):
    """The images of every model, both images that each comes from, and the contents with the style's mean and deviation."""
    training = trainings[TRAINED]
    known = training.train_data.batch(torch.arange(len(training.train_data)))
    images, labels = known["image"].cpu(), known["label"].cpu()
    recognize = Judge(images, labels)

    def rows_of(roles, see, experiment):
        """Rows of images, of the contents and styles of one model."""
        shown = experiment.enlarged(known["image"]).flatten(1)
        asked = labels[torch.cdist(experiment.content.flatten(1), shown).argmin(1).cpu()]
        found = {}
        for name, some in see(experiment).items():
            cells = {column: mean_interval(values.cpu(), RANGES[column]) for column, values in experiment.judged(some).items()}
            called = recognize.classify(functional.avg_pool2d(some, experiment.recipe.enlarge))
            found[name] = Row(roles[name], cells | {"class_accuracy": mean_interval((called == asked).double(), FRACTION)})
        return found

    say("the images, and baselines, by measures without a network")
    roles = {CONTENT: "floor", MATCHED: "floor", STYLE: "ceiling"}
    rows = call_isolated(training, "baselines", partial(rows_of, roles, _baselines))
    last, shown = rows.pop(STYLE), {}
    for name, other in trainings.items():
        see = lambda experiment, name=name: {name: experiment.images()}  # noqa: E731
        rows |= call_isolated(other, "images", partial(rows_of, {name: "model"}, see))
        preview = call_isolated(other, "preview", lambda experiment, data=other.held_out_data: experiment.preview(data))
        shown[name.replace(",", "").replace(" ", "_")] = preview["transfer"]
    rows[STYLE] = last
    return Findings(COLUMNS, rows, {"patches": ranking(rows, "patches", "difference of the patches from the style's")} | shown)


def _baselines(experiment):
    """Both images, and the content with each channel's mean and deviation as in the style: the transfer without a network."""
    content, style = experiment.content, experiment.style
    (center, spread), (mean, deviation) = (
        (some.mean((2, 3), keepdim=True), some.std((2, 3), correction=0, keepdim=True)) for some in (content, style)
    )
    matched = (content - center) / spread.clamp(min=1e-6) * deviation + mean
    return {CONTENT: content, MATCHED: matched, STYLE: style}


def read(rows):
    """Findings from the numbers of the table."""
    patches, kept, classes = (
        {name: row.cells[column].value for name, row in rows.items()} for column in ("patches", "resemblance", "class_accuracy")
    )
    better = "no better than" if patches[TRAINED] >= patches[UNTRAINED] else "better than"
    sentences = (
        f"By Gram losses of trained features, patches of the images differ from those of the style by {patches[TRAINED]:.0%} of "
        f"what the content's do. The content is still there: a correlation of {kept[TRAINED]:.2f} at its own resolution, and "
        f"{classes[TRAINED]:.0%} of the digits are recognized.",
        f"With ten times the weight of the style {patches[MORE]:.0%} are left, at a correlation of {kept[MORE]:.2f}, and "
        f"{classes[MORE]:.0%} are recognized: the weight chooses between the two.",
        f"To match the mean and the deviation of the pixels leaves {patches[MATCHED]:.0%}: a style is not in single pixels.",
        f"Features of a classifier that was trained for one step leave {patches[UNTRAINED]:.0%}, at a correlation of "
        f"{kept[UNTRAINED]:.2f}. By these patches, trained features are {better} random ones.",
    )
    expectations = (
        Expectation("Trained features leave at most half of the difference of the patches", patches[TRAINED] <= 0.5),
        Expectation("They keep a correlation of 0.7 or more with the content", kept[TRAINED] >= 0.7),
        Expectation("More weight of the style leaves less of the difference", patches[MORE] < patches[TRAINED]),
        Expectation("... and less of the content", kept[MORE] < kept[TRAINED]),
        Expectation("Matching single pixels leaves more of the difference", patches[MATCHED] > patches[TRAINED]),
    )
    return Reading(sentences, expectations)


PROJECT = Project(
    title="Style transfer",
    question="An image gets the style of another: its pixels descend until the features of a classifier have the content of the "
    "one and the second moments of the other. How much of either is in the result, by measures without a network, and must the "
    "classifier be trained?",
    models={
        TRAINED: Model(style_transfer, "digits"),
        MORE: Model(style_transfer, "digits_more_style"),
        UNTRAINED: Model(style_transfer, "digits_untrained"),
    },
    judge=judge,
    read=read,
)
