"""Style transfer by Gram losses of images and sounds; and translations of images, learned with pairs and without."""

from functools import partial

import torch
from torch.nn import functional

from practice_torch.adversarial.image_translation import mean_absolute_error
from practice_torch.engine.estimate import ANY, CORRELATION, FRACTION, mean_interval
from practice_torch.experiments.adversarial import image_translation, style_transfer
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.pictures.ranking import ranking
from practice_torch.projects._style_sounds import SOUND_COLUMNS, judge_sounds, read_sounds
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

CONTENT, MATCHED, STYLE = "content images", "mean and deviation of the pixels", "style images"
TRAINED, MORE, UNTRAINED = "trained features", "trained features, ten times the weight of the style", "untrained features"

PIX2PIX, CYCLE_GAN = "pix2pix", "CycleGAN"
COARSE, SHARP, BLURRED, CLEAR = "coarse images", "what the coarse images show", "blurred images", "what the blurred images show"
STYLES = "images with the style of others"
TRANSLATIONS = {  # model: the table, the inputs and the true outputs of its rows
    PIX2PIX: ("translations, learned with pairs", COARSE, SHARP),
    CYCLE_GAN: ("translations, learned without pairs", BLURRED, CLEAR),
}
_AT_ONCE = 64  # images that pass a translator together

COLUMNS = {
    "patches": Column("ratio", style_transfer.Transfer.explains["patches"].meaning, "lower"),
    "resemblance": Column("correlation", style_transfer.Transfer.explains["resemblance"].meaning, "higher"),
    "class_accuracy": Column("fraction", "images whose content's class is recognized by a support vector machine", "higher"),
    "absolute_error": Column(
        "1", "mean absolute error of held-out images, for pixels in 0..1; without pairs it is not trained", "lower"
    ),
    "cycle_error": Column("1", "mean absolute error of held-out inputs that were translated there and back", "lower"),
} | SOUND_COLUMNS
RANGES = {"patches": ANY, "resemblance": CORRELATION}


def judge(trainings, say):
    """Images and sounds with the style of others, and translated images, each next to what they are made from."""
    rows, shown = _transferred({name: trainings[name] for name in trainings if name not in TRANSLATIONS}, say)
    shown = {"patches": ranking(rows, "patches", "difference of the patches from the style's")} | shown
    for name in TRANSLATIONS:
        say(f"translations of {name}")
        training = trainings[name]
        rows |= _translated(name, training)
        preview = call_isolated(training, "preview", lambda experiment, data=training.held_out_data: experiment.preview(data))
        shown |= {f"{name.lower()}_{part}": artifact for part, artifact in preview.items()}
    of_sounds, heard = judge_sounds(trainings[TRAINED].recipe.seed, say)
    return Findings(COLUMNS, rows | of_sounds, shown | heard)


def _transferred(trainings, say):
    """Of images of every model, of both images that each comes from, and of contents with the style's mean and deviation."""
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
            cells["class_accuracy"] = mean_interval((called == asked).double(), FRACTION)
            found[name] = Row(roles[name], cells, STYLES)
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
    return rows | {STYLE: last}, shown


def _translated(name, training):
    """Of held-out inputs, their translations, and the true outputs. What recognizes classes has seen outputs of the training."""
    table, inputs, outputs = TRANSLATIONS[name]
    known = training.train_data.batch(torch.arange(len(training.train_data)))
    held_out = training.held_out_data.batch(torch.arange(len(training.held_out_data)))
    made, labels = image_translation.MADE[training.recipe.domains], held_out["label"].cpu()
    recognize, (x, y) = Judge(made(known["image"])[1].cpu(), known["label"].cpu()), made(held_out["image"])

    def row(role, images):
        cells = {"class_accuracy": mean_interval((recognize.classify(images.cpu()) == labels).double(), FRACTION)}
        if images is not y:
            cells["absolute_error"] = mean_interval(mean_absolute_error(images, y).cpu(), FRACTION)
        return Row(role, cells, table)

    there = "translator" if name == PIX2PIX else "to_y"
    found = call_isolated(training, "translations", lambda experiment: _through(getattr(experiment, there), x))
    rows = {inputs: row("floor", x), name: row("model", found), outputs: row("ceiling", y)}
    if name == CYCLE_GAN:
        back = call_isolated(training, "cycles", lambda experiment: experiment.into_x(found))
        rows[name].cells["cycle_error"] = mean_interval(mean_absolute_error(back, x).cpu(), FRACTION)
    return rows


def _through(translator, images):
    """Images in 0..1, translated by a network of images in -1..1."""
    return torch.cat([(translator(2 * some - 1).float() + 1) / 2 for some in images.split(_AT_ONCE)])


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
    patches, kept, classes, errors = (
        {name: row.cells[column].value for name, row in rows.items() if column in row.cells}
        for column in ("patches", "resemblance", "class_accuracy", "absolute_error")
    )
    cycle = rows[CYCLE_GAN].cells["cycle_error"].value
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
        f"With pairs, {PIX2PIX} brings the error of coarse images from {errors[COARSE]:.3f} to {errors[PIX2PIX]:.3f}; "
        f"{classes[PIX2PIX]:.0%} of the translations are recognized, of the coarse images {classes[COARSE]:.0%}.",
        f"Without pairs, {classes[CYCLE_GAN]:.0%} of the translations are recognized, of the blurred images "
        f"{classes[BLURRED]:.0%} and of the true outputs {classes[CLEAR]:.0%}. A cycle is wrong by {cycle:.3f}, which is "
        f"trained. The translations are wrong by {errors[CYCLE_GAN]:.3f}, blurred images by {errors[BLURRED]:.3f}, although no "
        "loss compares them with their outputs.",
    )
    expectations = (
        Expectation("Trained features leave at most half of the difference of the patches", patches[TRAINED] <= 0.5),
        Expectation("They keep a correlation of 0.7 or more with the content", kept[TRAINED] >= 0.7),
        Expectation("More weight of the style leaves less of the difference", patches[MORE] < patches[TRAINED]),
        Expectation("... and less of the content", kept[MORE] < kept[TRAINED]),
        Expectation("Matching single pixels leaves more of the difference", patches[MATCHED] > patches[TRAINED]),
        Expectation("With pairs half of the inputs' error is left, or less", errors[PIX2PIX] <= 0.5 * errors[COARSE]),
        Expectation(
            "Without pairs more classes are recognized than of the inputs, beyond chance",
            rows[CYCLE_GAN].cells["class_accuracy"].low > rows[BLURRED].cells["class_accuracy"].high,
        ),
        Expectation("A cycle errs by less than translating does", cycle < errors[CYCLE_GAN]),
    )
    of_sounds, expected = read_sounds(rows)
    return Reading(sentences + of_sounds, expectations + expected)


PROJECT = Project(
    title="Style transfer",
    question="An image gets the style of another: its pixels descend until the features of a classifier have the content of the "
    "one and the second moments of the other. How much of either is in the result, by measures without a network, and must the "
    "classifier be trained? And networks translate images: what is learned with pairs of an input and its output, and what from "
    "two sets of images without pairs? Last, a noise gets the style of rain, wind and crackle.",
    models={
        TRAINED: Model(style_transfer, "digits"),
        MORE: Model(style_transfer, "digits_more_style"),
        UNTRAINED: Model(style_transfer, "digits_untrained"),
        PIX2PIX: Model(image_translation, "digits"),
        CYCLE_GAN: Model(image_translation, "digits_unpaired"),
    },
    judge=judge,
    read=read,
)
