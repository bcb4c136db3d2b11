"""Findings from the tables of the comparison, from their numbers alone, and a guide to the models."""

from practice_torch.engine.estimate import Estimate
from practice_torch.projects._comparison_families import (
    BY_PIXELS,
    DDIM,
    DDPM,
    OF_BINARY_DIGITS,
    OF_GRAY_DIGITS,
    OF_POINTS,
    on_points,
)
from practice_torch.projects.runner import Expectation, Reading

PIXELS, REAL = "independent pixels", "real digits"
BINARY_PIXELS, BINARY_REAL = "independent binary pixels", "real binary digits"
ONE_GAUSSIAN, REAL_POINTS = on_points("one Gaussian"), on_points("their own law")
EXACT, BOUND, ESTIMATE, SOLVED = "exact", "upper bound", "estimate", "by a solver"
# what kind of number the divergence of a model of points is; the others have none
KINDS = {
    on_points("Gaussian mixture"): EXACT,
    on_points("Real NVP"): EXACT,
    on_points("MAF"): EXACT,
    on_points("continuous flow"): SOLVED,
    on_points("flow matching"): SOLVED,
}
NEURAL = [name for name in OF_GRAY_DIGITS if name != "Gaussian mixture"]


def thresholded(name):
    """The row of a model's gray samples as binary digits."""
    return f"{name}, thresholded"


BINARY = {name: name for name in OF_BINARY_DIGITS} | {thresholded(name): name for name in OF_GRAY_DIGITS}  # row -> its model's


class Numbers:
    """The numbers of the rows, and rows in the order of a column."""

    def __init__(self, rows):
        self.rows = rows

    def __call__(self, name, column):
        cell = self.rows[name].cells[column]
        return getattr(cell, "value", cell)

    def by(self, column, names, kind=None):
        """Names in ascending order of the column; with a kind, only those with a number of that kind."""
        cells = {name: self.rows[name].cells.get(column) for name in names}
        having = [name for name, cell in cells.items() if cell is not None and kind in (None, getattr(cell, "note", None))]
        return sorted(having, key=lambda name: self(name, column))

    def margin(self, name, column):
        """Half of the interval, by which numbers differ by chance; 0 where there is none."""
        cell = self.rows[name].cells[column]
        return (cell.high - cell.low) / 2 if isinstance(cell, Estimate) else 0.0

    def listed(self, column, names, kind=None):
        """Names and numbers, in ascending order."""
        return ", ".join(f"{name} {self(name, column):.3f}" for name in self.by(column, names, kind))


def read(rows):
    """Findings from the numbers of the tables."""
    of = Numbers(rows)
    sentences = (*of_likelihoods(of), *of_samples(of), *of_points(of), *guide(of))
    return Reading(sentences, tuple(Expectation(words, bool(holds)) for words, holds in expected(of)))


def of_likelihoods(of):
    """Bits of gray and of binary digits, by kind."""
    bits = "bits_per_dimension"
    above = [name for name in of.by(bits, OF_GRAY_DIGITS, BOUND) if of(name, bits) > of(PIXELS, bits)]
    yield (
        f"Gray digits, bits per dimension. Exact: {of.listed(bits, OF_GRAY_DIGITS, EXACT)}; independent pixels "
        f"{of(PIXELS, bits):.3f}. Upper bounds: {of.listed(bits, OF_GRAY_DIGITS, BOUND)}"
        + (f"; above independent pixels: {', '.join(above)}, trained for samples and not for the bound. " if above else ". ")
        + "The others give no probability of gray levels. A bound above an exact number does not show that its model is worse."
    )
    yield (
        f"Binary digits, bits per dimension. Exact: {of.listed(bits, OF_BINARY_DIGITS, EXACT)}; independent pixels "
        f"{of(BINARY_PIXELS, bits):.3f}. Upper bounds: {of.listed(bits, OF_BINARY_DIGITS, BOUND)}. Estimated by annealed "
        f"importance sampling: {of.listed(bits, OF_BINARY_DIGITS, ESTIMATE)}."
    )


def of_samples(of):
    """Quality, diversity, novelty and cost of samples of digits."""
    distance, costs = "frechet_distance", of.by("operations", [*OF_GRAY_DIGITS, *OF_BINARY_DIGITS])
    yield (
        f"Samples of gray digits, Frechet distance from held-out ones: {of.listed(distance, OF_GRAY_DIGITS)}. As many real "
        f"digits have {of(REAL, distance):.3f}, independent pixels {of(PIXELS, distance):.3f}."
    )
    yield (
        f"Samples of all families as binary digits: {of.listed(distance, BINARY)}. Real ones have "
        f"{of(BINARY_REAL, distance):.3f}, independent pixels {of(BINARY_PIXELS, distance):.3f}."
    )
    ends = {
        column: (names[0], names[-1])
        for column in ("precision", "recall", "classes")
        for names in [of.by(column, OF_GRAY_DIGITS)]
    }
    ranges = ", ".join(
        f"{column} from {of(low, column):.2f} ({low}) to {of(high, column):.2f} ({high})" for column, (low, high) in ends.items()
    )
    yield f"Of gray digits, {ranges}."
    ratios = nearest_ratios(of)
    copied = "nothing is copied" if min(ratios) >= 0.9 else "the least is below what new digits have"
    yield f"Samples are {min(ratios):.2f} to {max(ratios):.2f} times as far from training digits as held-out ones are: {copied}."
    yield (
        f"A sample takes {of(costs[0], 'operations'):,.0f} multiplications and additions ({costs[0]}) to "
        f"{of(costs[-1], 'operations'):,.0f} ({costs[-1]})."
    )


def of_points(of):
    """Divergences, and modes that are missed."""
    divergence, quality = "divergence", of.by("high_quality", OF_POINTS)
    missing = [name for name in OF_POINTS if of(name, "modes") < of(REAL_POINTS, "modes")]
    said = (
        f"Points, divergence in nats. Exact: {of.listed(divergence, KINDS, EXACT)}; one Gaussian "
        f"{of(ONE_GAUSSIAN, divergence):.3f}. By a solver: {of.listed(divergence, KINDS, SOLVED)}.",
        (f"Modes are missed by {', '.join(missing)}. " if missing else "No model misses a mode. ")
        + f"Of the points of {quality[0]}, {of(quality[0], 'high_quality'):.0%} are near a mode, of those of {quality[-1]} "
        f"{of(quality[-1], 'high_quality'):.0%}.",
    )
    return (sentence.replace(on_points(""), "") for sentence in said)


def guide(of):
    """The best model by the numbers, for each purpose."""
    first = {
        names: of.by(column, rows, EXACT)[0]
        for names, column, rows in (
            ("gray digits", "bits_per_dimension", OF_GRAY_DIGITS),
            ("binary digits", "bits_per_dimension", OF_BINARY_DIGITS),
            ("points", "divergence", KINDS),
        )
    }
    exact = ", ".join(f"{name.removeprefix(on_points(''))} ({data})" for data, name in first.items())
    distance = "frechet_distance"
    best, *others = of.by(distance, NEURAL)
    alike = [name for name in others if of(name, distance) <= of(best, distance) + of.margin(best, distance)]
    yield f"Which model to use? For the probability of an example, the best of those that compute it exactly: {exact}."
    yield (
        f"For samples that are nearest to the data, whatever they cost: {best}"
        + (f"; no farther, up to chance: {', '.join(alike)}" if alike else "")
        + f". For samples that miss least of the data: {of.by('recall', OF_GRAY_DIGITS)[-1]}, with the highest recall."
    )
    cheap = [f"{BINARY[name]} ({of(BINARY[name], 'operations'):,.0f})" for name in efficient(of)]
    yield (
        f"For samples at a low cost, by operations a sample: {', '.join(cheap)}. For every other model of digits there is one of "
        "these that takes fewer operations and is, up to chance, no farther from binary digits."
    )
    conditional = ", ".join((*BY_PIXELS, "flow matching", "diffusion", "conditional VAE"))
    yield f"For samples of a chosen class, a class-conditional model: here {conditional}."
    yield (
        "Not in the tables, as no recipe learns them: a continuous flow of digits, variational autoencoders of gray digits and "
        "of points. The recipe of an energy network on digits learns one class only; that on points diverges here, where the "
        "modes are narrower than a step of its chains. The RBM represents the energy models."
    )


def efficient(of):
    """Rows of binary digits by their operations, each with a Frechet distance below all before it, by more than chance."""
    distance, found, least = "frechet_distance", [], float("inf")
    for name in sorted(BINARY, key=lambda name: (of(BINARY[name], "operations"), of(name, distance))):
        if of(name, distance) < least - of.margin(name, distance):
            found, least = [*found, name], of(name, distance)
    return found


def nearest_ratios(of):
    """Findings about the samples of all models of digits."""
    return [of(name, "nearest_ratio") for name in (*OF_GRAY_DIGITS, *OF_BINARY_DIGITS)]


def expected(of):
    """(words, whether it holds) of every assertion."""
    bits, distance = "bits_per_dimension", "frechet_distance"
    gray, binary = (of(name, bits) - 0.1 for name in (PIXELS, BINARY_PIXELS))
    yield (
        "The bits of Real NVP, MAF, PixelCNN, transformer and S4D are 0.1 below those of independent pixels, or more",
        all(of(name, bits) <= gray for name in ("Real NVP", "MAF", *BY_PIXELS)),
    )
    yield "So are those of the models of binary digits", all(of(name, bits) <= binary for name in OF_BINARY_DIGITS)
    yield "PixelCNN's exact bits are 0.2 below Real NVP's bound, or more", of("PixelCNN", bits) <= of("Real NVP", bits) - 0.2
    nearest = of.by(distance, NEURAL)[0]
    yield "Diffusion or flow matching has the smallest Frechet distance", nearest in (DDIM, DDPM, "flow matching")
    yield (
        "All Frechet distances of gray digits are less than half of that of independent pixels",
        all(of(name, distance) < of(PIXELS, distance) / 2 for name in OF_GRAY_DIGITS),
    )
    yield (
        "GAN and VAE take a tenth of the operations of diffusion, flow matching and PixelCNN, or less",
        all(
            of(name, "operations") <= of(other, "operations") / 10
            for name in ("GAN", "VAE")
            for other in (DDIM, DDPM, "flow matching", "PixelCNN")
        ),
    )
    yield "Samples are 0.9 times as far from the training digits as held-out digits, or farther", min(nearest_ratios(of)) >= 0.9
    yield (
        "Real NVP and MAF miss no mode, and are less than a nat away from the law of the points",
        all(of(on_points(name), "modes") == 8 and of(on_points(name), "divergence") < 1 for name in ("Real NVP", "MAF")),
    )
    yield (
        "Gaussian mixture and diffusion have all 8 modes, and 95% of their points near one",
        all(
            of(on_points(name), "modes") == 8 and of(on_points(name), "high_quality") >= 0.95
            for name in ("Gaussian mixture", "diffusion")
        ),
    )
