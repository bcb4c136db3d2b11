"""As latent/vae with a label; classifiers of samples and of codes fitted by scikit-learn."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from tests.latent.metrics_vae import log_likelihood, pixels
from tests.support.data.spectra import sounds_of
from tests.support.metrics import divergence, mean, noise, normal, standard_normal

COUNT = 24  # of six examples a classifier is a tie


def losses(e, x, labels):
    """(-log p(x | z, y), KL) of one draw, [B] each; without labels those of the other autoencoder."""
    if labels is None:
        q, p = normal(*e.without.encode(x)), None
        z = q.mean + q.stddev * noise(e, *q.mean.shape)
        return -log_likelihood(e, x, e.without.decode(z)), divergence(q, standard_normal(q.mean))
    q = normal(*e.network.encode(x, labels))
    p = normal(*e.network.prior(labels))
    z = q.mean + q.stddev * noise(e, *q.mean.shape)
    return -log_likelihood(e, x, e.network.decode(z, labels)), divergence(q, p)


def logs(e, batch, phase):
    labels = batch["label"] if phase == "conditional" else None
    return {"kl": mean(losses(e, pixels(e, batch["image"]), labels)[1])}


def drawn(e, labels, eps):
    p = normal(*e.network.prior(labels))
    return e.network.decode(p.mean + p.stddev * eps, labels).sigmoid().unflatten(1, e.shape)


def evaluate(e, data):
    batch = data.batch()
    x, labels = pixels(e, batch["image"]), batch["label"]
    with_label, kl = losses(e, x, labels)
    without = losses(e, x, None)
    found = {"negative_elbo": mean(with_label + kl), "kl": mean(kl), "unconditional": mean(sum(without))}
    found["gain"] = found["unconditional"] - found["negative_elbo"]
    x = pixels(e, batch["image"])  # stochastic ones are drawn again
    known = x[::2].numpy(), labels[::2].numpy()
    axes = PCA(min(64, *known[0].shape), random_state=0).fit(known[0])
    classifier = SVC(C=10.0).fit(axes.transform(known[0]), known[1])
    asked = torch.arange(1000) % len(e_classes(data))
    made = drawn(e, asked, noise(e, 1000, e.recipe.latent_dim)).flatten(1)
    called, of_real = (torch.from_numpy(classifier.predict(axes.transform(each.numpy()))) for each in (made, x[1::2]))
    found["class_accuracy"] = sum((called == asked).tolist()) / 1000
    found["class_accuracy_real"] = mean((of_real == labels[1::2]).double())
    for name, codes in (("", e.network.encode(x, labels)[0]), ("_unconditional", e.without.encode(x)[0])):
        found[f"label_in_code{name}"] = probed(codes.numpy(), labels.numpy())
    if hasattr(e, "frequencies"):
        asked = torch.arange(3).repeat_interleave(8)
        found["pitch_accuracy"] = in_tune(e, drawn(e, asked, noise(e, 24, e.recipe.latent_dim)), asked)
        found["pitch_accuracy_real"] = in_tune(e, batch["image"], labels)
    return found


def in_tune(e, images, labels):
    """How many of the sounds of spectra are nearest to the note of their label: of 3 notes, in ratios of frequencies."""
    turns = torch.rand(len(images), images.shape[2] + 1, images.shape[3], generator=e.generator)
    sounds, rate, right = sounds_of(images[:, 0], turns, e.recipe.hop, 60), e.recipe.sample_rate, 0
    for sound, label in zip(sounds, labels.tolist(), strict=True):
        hertz = (1 + np.abs(np.fft.rfft(sound))[1:].argmax()) * rate / len(sound)
        right += min(range(3), key=lambda note: max(hertz / e.frequencies[note], e.frequencies[note] / hertz)) == label
    return right / len(labels)


def e_classes(data):
    return data.description["classes"]


def probed(codes, labels):
    """Accuracy of a logistic regression on one half for the other half's labels, both ways."""
    right = 0.0
    for fitted, tested in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        probe = LogisticRegression(max_iter=1000).fit(codes[fitted], labels[fitted])
        right += (probe.predict(codes[tested]) == labels[tested]).mean() / 2
    return float(right)


def preview(e, data):
    classes, size = len(e_classes(data)), e.recipe.latent_dim
    columns = noise(e, 10, size)
    grid = [drawn(e, torch.tensor([k]), columns[c : c + 1])[0] for k in range(classes) for c in range(10)]
    first, last = noise(e, 2, size)
    path = [first + c / 9 * (last - first) for c in range(10)]
    walks = [drawn(e, torch.tensor([k]), place[None])[0] for k in range(classes) for place in path]
    batch = data.batch(torch.arange(10))
    x, rows = pixels(e, batch["image"]), []
    z = e.network.encode(x, batch["label"])[0]
    for k in range(len(x)):
        rows.append(x[k].view(e.shape))
        rows += [e.network.decode(z[k : k + 1], torch.tensor([c])).sigmoid().view(e.shape) for c in range(classes)]
    return {"classes": torch.stack(grid), "walks": torch.stack(walks), "swaps": torch.stack(rows)}
