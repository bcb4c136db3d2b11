"""Conditional VAE: with a fixed and with a learned prior, compared with an unconditional VAE."""

from functools import partial

import torch

from practice_torch.engine.estimate import FRACTION, mean_interval
from practice_torch.experiments.latent import conditional_vae
from practice_torch.latent.vae import bernoulli_log_likelihood
from practice_torch.pictures.ranking import ranking
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

FIXED, LEARNED, WITHOUT = "conditional VAE", "conditional VAE, learned prior", "VAE without labels"
CHANCE, PIXELS, REAL = "chance", "independent pixels", "real images"
COUNT = 1000  # samples

COLUMNS = {
    "class_accuracy": Column(
        "fraction", "samples that a logistic regression of training images takes for the requested class", "higher"
    ),
    "negative_elbo": Column("nats", "an upper bound of -log p of a held-out image, given its label where there is one", "lower"),
    "label_in_code": Column("fraction", "held-out images whose class a linear classifier recognizes from their code"),
}


def judge(trainings, say):
    """Both conditional autoencoders and the one without labels, between what knows nothing and real images."""
    training = trainings[FIXED]
    recipe = training.recipe
    known, fresh = (data.batch(torch.arange(min(len(data), 5000))) for data in (training.train_data, training.held_out_data))
    x, held_out = (binary(batch["image"].flatten(1).cpu(), recipe.threshold) for batch in (known, fresh))
    classes = training.experiment.classes
    from sklearn.linear_model import LogisticRegression

    expert = LogisticRegression(max_iter=1000).fit(x.numpy(), known["label"].cpu().numpy())

    def recognized(images, labels):
        said = torch.from_numpy(expert.predict(images.flatten(1).cpu().float().numpy()))
        return mean_interval((said == labels.cpu()).double(), FRACTION)

    most = known["label"].cpu().mode().values
    of_most = (fresh["label"].cpu() == most).double().mean().item()
    rows = {
        CHANCE: Row("floor", {"class_accuracy": 1 / classes, "label_in_code": of_most}),
        PIXELS: Row("floor", {"negative_elbo": mean_interval(nats_of_pixels(x, held_out))}),
    }
    asked = torch.arange(COUNT, device=training.device) % classes
    for name, one in trainings.items():
        say(f"{COUNT} samples: {name}")
        found = one.evaluate()
        if name == FIXED:
            cells = {"negative_elbo": found["unconditional"], "label_in_code": found["label_in_code_unconditional"]}
            rows[WITHOUT] = Row("model", cells)
        drawn = call_isolated(one, "samples", lambda experiment: experiment.drawn(asked))
        rows[name] = Row(
            "model",
            {
                "class_accuracy": recognized(drawn, asked),
                "negative_elbo": found["negative_elbo"],
                "label_in_code": found["label_in_code"],
            },
        )
    rows[REAL] = Row("ceiling", {"class_accuracy": recognized(held_out, fresh["label"])})
    shown = {"accuracy": ranking(rows, "class_accuracy", "samples of the requested class")}
    return Findings(COLUMNS, rows, shown | call_isolated(training, "preview", partial(_preview, training.held_out_data)))


def binary(x, threshold):
    """Pixels 0 or 1."""
    return (x > threshold).to(x.dtype)


def nats_of_pixels(known, x):
    """-log p of images whose pixels are independent, each white as often as in the known images: [M, D], [N, D] -> [N].

    Half an image of either kind is added to the counts, so that unseen values are possible.
    """
    share = (known.double().sum(0) + 0.5) / (len(known) + 1)
    return -bernoulli_log_likelihood(x.double(), share.logit().expand(len(x), -1))


def _preview(data, experiment):
    return experiment.preview(data)


def read(rows):
    """Findings from the numbers of the table."""

    def of(name, column):
        cell = rows[name].cells[column]
        return getattr(cell, "value", cell)

    accuracy = {name: of(name, "class_accuracy") for name in (FIXED, LEARNED, REAL, CHANCE)}
    nats = {name: of(name, "negative_elbo") for name in (FIXED, LEARNED, WITHOUT, PIXELS)}
    code = {name: of(name, "label_in_code") for name in (FIXED, LEARNED, WITHOUT, CHANCE)}
    sentences = (
        f"{accuracy[FIXED]:.0%} of the samples are recognized as the requested class, {accuracy[LEARNED]:.0%} with a learned "
        f"prior; of real images {accuracy[REAL]:.0%}, by chance {accuracy[CHANCE]:.0%}. What is drawn is the decoder's mean.",
        f"The label saves {nats[WITHOUT] - nats[FIXED]:.1f} nats an image: {nats[FIXED]:.1f} with it, {nats[WITHOUT]:.1f} "
        f"without; {nats[LEARNED]:.1f} with a learned prior. Pixels independent of each other cost {nats[PIXELS]:.1f}.",
        f"A linear classifier finds the class in {code[WITHOUT]:.0%} of the codes of the autoencoder without labels, in "
        f"{code[FIXED]:.0%} where the decoder gets the label, and chance is {code[CHANCE]:.0%}: with a fixed prior the code "
        f"pays in KL for information already in the label. A learned prior avoids this cost: {code[LEARNED]:.0%}.",
    )
    expectations = (
        Expectation("80% of the samples or more are of the requested class", accuracy[FIXED] >= 0.8),
        Expectation("The label lowers the bound by a nat or more", nats[FIXED] <= nats[WITHOUT] - 1),
        Expectation("The codes tell half as much of the class as without labels, or less", code[FIXED] <= code[WITHOUT] / 2),
    )
    return Reading(sentences, expectations)


PROJECT = Project(
    title="Conditional VAE",
    question="A variational autoencoder gets the class of every image, and draws images of the requested class. "
    "How often do they show it, what is the label worth in nats, and what does the code still say of the class?",
    models={FIXED: Model(conditional_vae, "digits"), LEARNED: Model(conditional_vae, "digits_prior")},
    judge=judge,
    read=read,
)
