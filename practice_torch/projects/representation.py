"""Representation learning: what linear classifiers read from features of generative models that saw no labels."""

from functools import partial

import torch

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import FRACTION, mean_interval
from practice_torch.experiments.adversarial import bigan
from practice_torch.experiments.autoregressive import transformer
from practice_torch.experiments.diffusion import training as diffusion
from practice_torch.experiments.judging.independent_pixels import codes_of
from practice_torch.experiments.latent import autoencoder, vae
from practice_torch.pictures.ranking import ranking
from practice_torch.projects._classifier import fitted
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

GUESS, PIXELS, COMPONENTS, SUPERVISED = "most frequent class", "pixels", "principal components", "supervised perceptron"
AUTOENCODER, VAE, BIGAN, DIFFUSION, TRANSFORMER = "autoencoder", "VAE", "BiGAN", "diffusion", "transformer"
SMALL = (AUTOENCODER, VAE, BIGAN)  # those with a code of a few numbers
LEVELS = {"little": 0.05, "some": 0.25, "much": 0.5}  # noise: shares of the levels of the diffusion model
BUDGETS = {"one_label": 1, "ten_labels": 10}  # of each class
ALL = "all_labels"
DRAWS = 5  # of the labeled images of a budget
HIDDEN, UPDATES = (128, 64), 2000  # of the supervised perceptron
MOST = 5000  # images

COLUMNS = {
    "dimension": Column("numbers", "features of an image"),
    "one_label": Column("fraction", f"held-out images recognized from 1 label of each class; mean of {DRAWS} draws", "higher"),
    "ten_labels": Column("fraction", "the same from 10 labels of each class", "higher"),
    ALL: Column("fraction", "the same from all labels", "higher"),
    "untrained_ten": Column("fraction", "from 10 labels of each class, by features of the same network with first weights"),
    "untrained_all": Column("fraction", "the same from all labels"),
}


# ---------------------------------------------------------------------------------------------------- features


def of_autoencoder(experiment, images):
    """The codes."""
    return experiment.encoder(images.flatten(1))


def of_vae(experiment, images):
    """The posterior's means, of images as the model sees them."""
    x = images.flatten(1)
    return experiment.network.encode((x > experiment.recipe.threshold).to(x.dtype))[0]


def of_bigan(experiment, images):
    """The encoder's latents."""
    return experiment.encoder(2 * images.flatten(1) - 1)


def of_diffusion(share, experiment, images):
    """Activations in the middle of the U-Net, of images with the noise of one level."""
    level = max(1, round(share * experiment.recipe.num_steps))
    x0 = 2 * images - 1
    t = torch.full(x0.shape[:1], level, device=x0.device)
    noisy = forward_sample(x0, t, experiment.noise(len(x0)), experiment.alpha_bar)
    return output_of(experiment.network.middle[-1], lambda: experiment.network(noisy, t)).flatten(1)


def of_transformer(experiment, images):
    """The stream in the middle of the blocks, averaged over the pixels."""
    blocks, codes = experiment.network.blocks, codes_of(images, experiment.recipe.num_levels)
    return output_of(blocks[len(blocks) // 2], lambda: experiment.log_prob(codes, None)).mean(1)


def output_of(module, call):
    """What a part of a network gives while call() runs the network."""
    seen = []
    handle = module.register_forward_hook(lambda module, given, output: seen.append(output))
    try:
        call()
    finally:
        handle.remove()
    return seen[-1]


def noisy(name):
    """The row of the diffusion model at a level of noise."""
    return f"{DIFFUSION}, {name} noise"


# row -> (its model, the experiment's module, features(experiment, images))
FEATURES = {
    AUTOENCODER: (AUTOENCODER, autoencoder, of_autoencoder),
    VAE: (VAE, vae, of_vae),
    BIGAN: (BIGAN, bigan, of_bigan),
    TRANSFORMER: (TRANSFORMER, transformer, of_transformer),
    **{noisy(name): (DIFFUSION, diffusion, partial(of_diffusion, share)) for name, share in LEVELS.items()},
}


def untrained(training, module):
    """The model of a training with other first weights, which are drawn here."""
    experiment = module.build(training.recipe, training.train_data).to(training.device).eval()
    experiment.generator = training.experiment.generator
    return experiment


# ---------------------------------------------------------------------------------------------------- probes


def scaled(known, fresh):
    """Both sets of features less the mean of the first, and with its mean squared norm at 100: a probe is not told the scale."""
    known, fresh = (x.detach().flatten(1).double().cpu() for x in (known, fresh))
    center = known.mean(0)
    norm = (known - center).square().sum(1).mean().sqrt().clamp(min=1e-12)
    return 10 * (known - center) / norm, 10 * (fresh - center) / norm


def probe(x, labels, draw):
    """classify(x) of a logistic regression of features."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(max_iter=2000).fit(x.numpy(), labels.numpy())
    return lambda x: torch.from_numpy(fit.predict(x.numpy()))


def perceptron(x, labels, draw):
    """classify(x) of a network that learns from pixels and labels alone."""
    return fitted(x, labels, hidden=HIDDEN, updates=UPDATES, seed=draw)


def accuracies(learn, known, labels, fresh, asked, generator):
    """column -> Estimate: classifiers that learned from some of the labels, and from all; the draws are those of the generator.

    An image's correctness is its mean over the draws: the interval is about other held-out images.
    """
    cells = {}
    for name, count in BUDGETS.items():
        right = []
        for draw in range(DRAWS):
            order = torch.randperm(len(labels), generator=generator)
            chosen = torch.cat([order[labels[order] == label][:count] for label in labels.unique()])
            right.append((learn(known[chosen], labels[chosen], draw)(fresh) == asked).double())
        cells[name] = mean_interval(torch.stack(right).mean(0), FRACTION)
    cells[ALL] = mean_interval((learn(known, labels, 0)(fresh) == asked).double(), FRACTION)
    return cells


# ---------------------------------------------------------------------------------------------------- judgment


def judge(trainings, say):
    """Probes of every model's features, between those of pixels and a network that learns from the labels."""
    training = trainings[VAE]
    known, fresh = (data.batch(torch.arange(min(len(data), MOST))) for data in (training.train_data, training.held_out_data))
    images, labels, asked = (known["image"], fresh["image"]), known["label"].cpu(), fresh["label"].cpu()
    seed = seed_of(training.recipe.seed, "project")

    def probed(features, learn=probe):
        generator = torch.Generator().manual_seed(seed)  # the same labels for all
        return accuracies(learn, features[0], labels, features[1], asked, generator)

    pixels = scaled(*images)
    axes = torch.linalg.svd(pixels[0], full_matrices=False).Vh[: trainings[AUTOENCODER].recipe.latent_dim].mT
    frequent = mean_interval((asked == labels.mode().values).double(), FRACTION)
    rows = {GUESS: Row("floor", {ALL: frequent})}
    for name, features in ((PIXELS, pixels), (COMPONENTS, [x @ axes for x in pixels])):
        say(f"probes: {name}")
        rows[name] = Row("floor", {"dimension": features[0].shape[1]} | probed(scaled(*features)))
    for name, (model, module, see) in FEATURES.items():
        say(f"probes: {name}")
        one = trainings[model]

        def features(experiment, see=see, device=one.device):
            return scaled(*(see(experiment, x.to(device)) for x in images))

        found = call_isolated(one, "features", features)
        first = call_isolated(one, "features", lambda _, one=one, module=module, of=features: of(untrained(one, module)))
        before = probed(first)
        untrained_cells = {"untrained_ten": before["ten_labels"], "untrained_all": before[ALL]}
        rows[name] = Row("model", {"dimension": found[0].shape[1]} | probed(found) | untrained_cells)
    say("a perceptron with the labels")
    rows[SUPERVISED] = Row("ceiling", probed(pixels, perceptron))
    words = {"ten_labels": "accuracy from 10 labels of each class", ALL: "accuracy from all labels"}
    shown = {name: ranking(rows, name, label) for name, label in words.items()}
    return Findings(COLUMNS, rows, shown)


def read(rows):
    """Findings from the numbers of the table."""
    by = {
        column: {name: row.cells[column].value for name, row in rows.items() if column in row.cells}
        for column in (*BUDGETS, ALL, "untrained_ten", "untrained_all")
    }
    few, every, first = by["ten_labels"], by[ALL], {"ten_labels": by["untrained_ten"], ALL: by["untrained_all"]}
    features = tuple(first[ALL])
    best = {column: max(features, key=of.get) for column, of in by.items()}
    ahead = [name for name in features if rows[name].cells["ten_labels"].low > few[PIXELS]]
    behind = [name for name in features if rows[name].cells["ten_labels"].high < few[PIXELS]]
    gains = {column: {name: by[column][name] - of[name] for name in features} for column, of in first.items()}
    levels = [f"{every[noisy(name)]:.0%} with {name} noise" for name in LEVELS]
    sentences = (
        f"From all labels a logistic regression recognizes {every[PIXELS]:.0%} of held-out images by their pixels, and a "
        f"perceptron that learns its own features {every[SUPERVISED]:.0%}. Of features learned without labels, those of "
        f"{best[ALL]} are read best, with {every[best[ALL]]:.0%}; "
        + ", ".join(f"{name} {every[name]:.0%}" for name in (*SMALL, TRANSFORMER))
        + ".",
        f"From 10 labels of each class, pixels give {few[PIXELS]:.0%}, the perceptron {few[SUPERVISED]:.0%}, and "
        f"{best['ten_labels']} {few[best['ten_labels']]:.0%}. Better than pixels, beyond chance: {_listed(ahead)}. Worse: "
        f"{_listed(behind)}. From a single label of each, the best features, those of {best['one_label']}, give "
        f"{by['one_label'][best['one_label']]:.0%}, pixels {by['one_label'][PIXELS]:.0%}.",
        "The middle of the diffusion model's network is read "
        + ", ".join(levels)
        + ": what it sees of an image depends on how much noise it must remove.",
        "What training is worth, in points over features of the same network with first weights, from 10 labels of each and "
        "from all: "
        + ", ".join(f"{name} {100 * gains['ten_labels'][name]:+.0f} and {100 * gains[ALL][name]:+.0f}" for name in features)
        + ". A network of first weights is not nothing: it mixes the pixels.",
    )
    expectations = (
        *(Expectation(f"80% or more from all labels: {name}", every[name] >= 0.8) for name in SMALL),
        Expectation(
            f"Training is worth 5 points or more of what is read from all labels: {', '.join(SMALL)}",
            min(gains[ALL][name] for name in SMALL) >= 0.05,
        ),
        Expectation("More noise tells the diffusion model's network less", every[noisy("little")] > every[noisy("much")]),
        Expectation(
            "From 10 labels of each class, diffusion's features with little noise are better than pixels",
            few[noisy("little")] > few[PIXELS],
        ),
    )
    return Reading(sentences, expectations)


def _listed(names):
    return "; ".join(names) or "none"


# The two that are conditional in their recipes are not here: no model sees a label.
SHORTER = {"steps": 1000, "evaluate_every": 1000, "compared_samples": 0, "judged_samples": 200}  # features need no fine samples

PROJECT = Project(
    title="Representation learning",
    question="Generative models learn images without labels. Which of them have features from which a linear classifier reads the"
    " class, from how few labels, and is it the training that put it there?",
    models={
        AUTOENCODER: Model(autoencoder, "digits"),
        VAE: Model(vae, "digits"),
        BIGAN: Model(bigan, "digits"),
        TRANSFORMER: Model(transformer, "digits", changes={"conditional": False}),
        DIFFUSION: Model(diffusion, "digits", changes={"conditional": False, **SHORTER}),
    },
    judge=judge,
    read=read,
)
