"""Conditional generation of galaxies: requested flux, size and shape compared with those measured on generated galaxies."""

from functools import partial

import torch

from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import CORRELATION, interval
from practice_torch.experiments.flows import galaxy_images
from practice_torch.experiments.flows.galaxy_images import compared
from practice_torch.experiments.judging.image_judge import Judge, references
from practice_torch.experiments.media.telescope import AGREEING, agreement, measured
from practice_torch.pictures.ranking import ranking
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

OTHER, NEAREST, FLOW, AGAIN = "another galaxy", "nearest training galaxy", "conditional flow", "simulated again"
COUNT = 1000  # galaxies, at most
ASKED = ("flux", "size", "axis_ratio")

COLUMNS = {
    **{
        name: Column(
            "correlation", f"{words}, read by moments off the images and off held-out ones with the same properties", "higher"
        )
        for name, words in AGREEING.items()
    },
    "properties": Column(
        "correlation", "requested properties, and as a regression of training images reads them; the mean", "higher"
    ),
    "frechet_distance": Column(
        "squared distance", "Gaussians fitted to 20 principal components of stretched images, of held-out ones", "lower"
    ),
}


def judge(trainings, say):
    """Generated galaxies between the training galaxy that is nearest to the request and a second simulation of the request."""
    (training,) = trainings.values()
    generator = torch.Generator().manual_seed(seed_of(training.recipe.seed, "project"))
    batches = (
        data.batch(references(min(len(data), most)))
        for data, most in ((training.train_data, 5000), (training.held_out_data, COUNT))
    )
    (known, given), (wanted, asked) = (
        _examples(training, purpose, batch) for purpose, batch in zip(("training", "held-out"), batches, strict=True)
    )
    say(f"{len(asked)} galaxies, each with the properties of a held-out one")
    drawn = call_isolated(training, "samples", lambda experiment: experiment.drawn(asked))
    scaled = [(part - training.experiment.mean) / training.experiment.deviation for part in (asked, given)]
    images = {
        OTHER: ("floor", wanted.roll(1, 0)),
        NEAREST: ("floor", known[torch.cdist(*scaled).argmin(1)]),
        FLOW: ("model", drawn),
    }
    if training.experiment.simulated:
        images[AGAIN] = ("ceiling", _examples(training, "again", {"properties": asked})[0])

    say("what moments and a regression read")
    stretched = training.experiment.stretched
    expert, read_off = Judge(stretched(known)), _regression(stretched(known), scaled[1])
    rows = {}
    for name, (role, shown) in images.items():
        pairs = torch.cat([measured(shown), measured(wanted)], 1).cpu()
        cells = {
            column: interval(partial(_agreement, place), pairs, generator=generator, within=CORRELATION)
            for place, column in enumerate(AGREEING)
        }
        if name != NEAREST:  # those are what the regression was fitted to
            both = torch.cat([read_off(stretched(shown)), scaled[0].cpu().double()], 1)
            cells["properties"] = interval(_mean_correlation, both, generator=generator, within=CORRELATION)
        if name != OTHER:  # those are the held-out images themselves
            cells["frechet_distance"] = expert.frechet_distance(stretched(shown), stretched(wanted))
        rows[name] = Row(role, cells)
    figures = {column: ranking(rows, column, f"correlation of the {AGREEING[column]}") for column in ASKED[1:]}
    previews = call_isolated(training, "preview", lambda experiment: experiment.preview(training.held_out_data))
    pictures = {"requested": training.experiment.pairs(wanted, drawn), "measured": compared(drawn, wanted)}
    return Findings(COLUMNS, rows, pictures | figures | {"properties": previews["properties"]})


def _examples(training, purpose, batch):
    """(images, properties) of a batch, on the device; of simulated galaxies with the noise of this purpose."""
    batch = {name: values.to(training.device) for name, values in batch.items()}
    return call_isolated(training, purpose, lambda experiment: experiment.examples(batch))


def _agreement(place, pairs):
    return agreement(*pairs.split(pairs.shape[1] // 2, 1))[place]


def _mean_correlation(both):
    """The mean over the P columns of the correlation of column k and column P + k of [N, 2P]."""
    found, wanted = (both - both.mean(0)).split(both.shape[1] // 2, 1)
    products = (found * wanted).sum(0) / (found.square().sum(0) * wanted.square().sum(0)).sqrt()
    return products.nan_to_num(0.0).mean()


def _regression(images, properties):
    """images -> properties [B, P], by kernel ridge regression on principal components of these images."""
    from sklearn.decomposition import PCA
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = images.flatten(1).double().cpu().numpy()
    components = PCA(min(40, *rows.shape), random_state=0)
    fitted = make_pipeline(components, StandardScaler(), KernelRidge(alpha=0.1, kernel="rbf", gamma=0.01))
    fitted.fit(rows, properties.cpu().numpy())
    return lambda images: torch.from_numpy(fitted.predict(images.flatten(1).double().cpu().numpy())).double()


def read(rows):
    """Findings from the numbers of the table."""

    def of(name, column):
        cell = rows[name].cells[column]
        return getattr(cell, "value", cell)

    def three(name):
        return ", ".join(f"{of(name, column):.3f}" for column in ASKED)

    least = {name: min(of(name, column) for column in ASKED) for name in (FLOW, NEAREST)}
    sentences = [
        f"Moments read flux, size and axis ratio off the generated galaxies: their correlations with those of held-out galaxies "
        f"of the same properties are {three(FLOW)}. The training galaxy with properties nearest to the request has "
        f"{three(NEAREST)}, a galaxy of other properties {three(OTHER)}.",
        f"A regression of training images reads all of the requested properties, the index among them, off generated "
        f"galaxies: the mean of its correlations is {of(FLOW, 'properties'):.3f}.",
    ]
    expectations = [
        Expectation(f"The {AGREEING[column]} of generated galaxies has a correlation of 0.9 or more", of(FLOW, column) >= 0.9)
        for column in ASKED
    ] + [
        Expectation("The least of the three is larger than that of the nearest training galaxies", least[FLOW] > least[NEAREST]),
        Expectation(
            "Galaxies of other properties have correlations below 0.2", all(abs(of(OTHER, column)) < 0.2 for column in ASKED)
        ),
    ]
    if AGAIN in rows:
        sentences.append(
            f"A second simulation of the same properties, with other noise and at another place, has {three(AGAIN)} and "
            f"{of(AGAIN, 'properties'):.3f}: more cannot be requested. Its Frechet distance from the held-out galaxies is "
            f"{of(AGAIN, 'frechet_distance'):.3f}, that of generated ones {of(FLOW, 'frechet_distance'):.3f}."
        )
    return Reading(tuple(sentences), tuple(expectations))


PROJECT = Project(
    title="Galaxies to order",
    question="A conditional flow learns images of galaxies together with their properties, and draws galaxies for the properties "
    "that are requested. Have they the flux, the size and the shape of galaxies with these properties?",
    models={FLOW: Model(galaxy_images, "galaxies")},
    judge=judge,
    read=read,
)
