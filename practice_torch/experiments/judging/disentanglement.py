"""Disentanglement: mutual information between the latents of a model and the factors of images, and its gap."""

import torch
from torch.nn.functional import one_hot

from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import Figure, ImageGrid
from practice_torch.engine.experiment import Metric
from practice_torch.latent.factor_vae import mutual_information_from_counts, mutual_information_gap

BINS = 20  # of a latent, with equally many codes in each
CODES = 8  # drawn for every image

# What `gap` measures.
GAP = {"gap": Metric("fraction", "mutual information gap: what the best latent tells of a factor beyond any other; 1: all of it")}


def gap(codes, factors, sizes):
    """The mutual information gap, averaged over the factors that are not the same in all of the images."""
    information, entropy = informations(codes, factors, sizes)
    varies = entropy > 0
    return float(mutual_information_gap(information[:, varies], entropy[varies]).mean())


def informations(codes, factors, sizes):
    """([L, F], [F]): mutual information of each latent of codes [N, L] with each factor, in nats, and the factors' entropies.

    factors: [N, F], with `sizes` values; latents are binned. Estimates are too large with few codes per bin and value.
    """
    latents, several = codes.shape[1], max(sizes)
    bins = codes.argsort(0).argsort(0) * BINS // len(codes)
    of_bin, of_value = one_hot(bins, BINS).to(codes.dtype), one_hot(factors, several).to(codes.dtype)
    tables = (of_bin.flatten(1).mT @ of_value.flatten(1)).view(latents, BINS, len(sizes), several).transpose(1, 2)
    information = mutual_information_from_counts(tables.flatten(0, 1)).view(latents, len(sizes))
    return information, torch.special.entr(of_value.mean(0)).sum(1)


def informations_figure(codes, factors, names):
    """Mutual information between each latent and each factor, as a share of the factor's entropy."""
    information, entropy = informations(codes, factors, list(names.values()))
    share = (information / entropy).nan_to_num(0.0).cpu()

    def draw(axes):
        shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set(xlabel="factor", ylabel="latent", xticks=range(len(names)), yticks=range(len(share)))
        axes.set_xticklabels(names)
        axes.figure.colorbar(shown, label="mutual information / entropy of the factor")

    return Figure(draw, "What each latent tells about each factor: best is one dark cell in every column")


def traversals(images, mean, columns=10):
    """Rows of images(z): one latent of the code `mean` [L] after another moves from -2 to 2."""
    latents = len(mean)
    z = mean.repeat(latents, columns, 1)
    z.diagonal(dim1=0, dim2=2).copy_(torch.linspace(-2, 2, columns, device=mean.device)[:, None].expand(-1, latents))
    caption = "A row for each latent, which moves from -2 to 2; the others are those of one image"
    return ImageGrid(images(z.flatten(0, 1)), columns, caption)


def require_factors(description):
    """Raises DataError where nothing is known of what the images were made of."""
    if "factors" not in description:
        name = description["name"]
        raise DataError(f"{name} does not say what its images are made of, which this recipe is judged by: use squares")
