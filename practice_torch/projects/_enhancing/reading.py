"""Findings from the tables of enhancement, from their numbers alone."""

from practice_torch.projects.runner import Expectation, Reading

ENLARGED, DENOISED, COMPLETED, EXTENDED = "enlarged", "denoised", "completed", "extended"
REAL, READ = "real images", "class read from what is known"


def title(table, name):
    """The title of a row."""
    return f"{table}: {name}"


class Numbers:
    """The numbers of a table's rows; of images without classes there are none about them."""

    def __init__(self, rows, table):
        self.cells = {name: row.cells for name, row in rows.items() if row.table == table}
        self.table, self.classes = table, title(table, READ) in rows

    def __call__(self, name, column):
        cell = self.cells[title(self.table, name)][column]
        return getattr(cell, "value", cell)

    def decibels(self, name):
        """Mean PSNR."""
        return self(name, "peak_signal_to_noise")

    def distance(self, name):
        """Frechet distance."""
        return self(name, "frechet_distance")

    def recognized(self, name):
        """The share of images whose class is recognized."""
        return self(name, "class_accuracy")


def read(rows):
    """Findings from the numbers of the table."""
    enlarged, denoised, completed = (Numbers(rows, table) for table in (ENLARGED, DENOISED, COMPLETED))
    parts = [of_enlarged(enlarged), of_denoised(denoised), of_completed(completed), of_all(enlarged, denoised, completed)]
    parts.append(of_extended(Numbers(rows, EXTENDED)))
    sentences, expectations = (tuple(one for part in parts for one in part[k]) for k in (0, 1))
    return Reading(sentences, expectations)


def of_enlarged(of):
    plain, game, drawn, mean = "squared error", "GAN", "conditional diffusion", "conditional diffusion, mean of 8"
    projected, every = "conditional diffusion, projected", "diffusion, projected in every step"
    sentences = [
        f"Enlarged: a network that is trained by squared error has {of.decibels(plain):.1f} dB, linear regression "
        f"{of.decibels('linear regression'):.1f}, repeated pixels {of.decibels('repeated pixels'):.1f}. The mean of 8 draws of "
        f"the conditional diffusion model has {of.decibels(mean):.1f}: squared error is least for the mean of all images that a "
        "small one may come from.",
        f"Images that look real are farther from the image. The discriminator costs {of.decibels(plain) - of.decibels(game):.1f} "
        f"dB, a draw in place of the mean of 8 {of.decibels(mean) - of.decibels(drawn):.1f}, where 2.5 are expected of draws of "
        f"the true law. The Frechet distance is {of.distance(plain):.3f} by squared error, {of.distance(game):.3f} by the GAN, "
        f"{of.distance(drawn):.3f} of a draw and {of.distance(REAL):.3f} of real images.",
        f"The small version of a draw is {of(drawn, 'observation_error'):.3f} off. Moving the draw to the nearest image that has "
        f"the right one brings it nearer to the image, too: {of.decibels(projected) - of.decibels(drawn):.1f} dB.",
    ]
    expectations = [
        Expectation(
            "Enlarged: squared error is 5 dB better than repeated pixels, and 2 dB better than linear regression",
            of.decibels(plain) >= max(of.decibels("repeated pixels") + 5, of.decibels("linear regression") + 2),
        ),
        Expectation(
            "Enlarged: a draw of the conditional diffusion model has less PSNR than squared error, and less Frechet distance",
            of.decibels(drawn) < of.decibels(plain) and of.distance(drawn) < of.distance(plain),
        ),
        Expectation(
            "Enlarged: the mean of 8 draws is 1.5 to 3.5 dB better than one", 1.5 <= of.decibels(mean) - of.decibels(drawn) <= 3.5
        ),
        Expectation(
            "Enlarged: projected draws miss the small image by less than 0.01", of(projected, "observation_error") < 0.01
        ),
    ]
    if of.classes:
        sentences.append(
            f"Images of the diffusion model of whole images, projected in every step, have the right small version, but are no "
            f"draws given the small one: the class of {of.recognized(every):.0%} is recognized, of the conditional model's "
            f"{of.recognized(projected):.0%}, and {of.recognized(READ):.0%} of the classes can be read from the small images."
        )
        holds = of.recognized(projected) >= 0.9
        expectations.append(Expectation("Enlarged: the class of 90% of the projected draws or more is recognized", holds))
    return sentences, expectations


def of_denoised(of):
    mean, drawn, linear, noisy = "diffusion, mean", "diffusion, drawn", "linear regression", "noisy image"
    sentence = (
        f"Denoised: from {of.decibels(noisy):.1f} dB to {of.decibels(linear):.1f} by linear regression, to "
        f"{of.decibels('training images, weighted'):.1f} by the mean of training images that the noisy one may come from, to "
        f"{of.decibels('autoencoder'):.1f} by an autoencoder that is trained for this noise and to "
        f"{of.decibels(mean):.1f} by one evaluation of the diffusion model, at the level of this noise. Images that it draws "
        f"from this level on have {of.decibels(drawn):.1f}. They are {of(drawn, 'observation_error'):.3f} off the noisy image, "
        f"real images {of(REAL, 'observation_error'):.3f}, the mean {of(mean, 'observation_error'):.3f}; their Frechet distance "
        f"is {of.distance(drawn):.3f}, that of real images {of.distance(REAL):.3f}, of the mean {of.distance(mean):.3f}."
    )
    off = abs(of(drawn, "observation_error") - of(REAL, "observation_error"))
    expectations = [
        Expectation(
            "Denoised: the diffusion model's mean is 6 dB better than the noisy image, and 1 dB better than linear regression",
            of.decibels(mean) >= max(of.decibels(noisy) + 6, of.decibels(linear) + 1),
        ),
        Expectation(
            "Denoised: the autoencoder is 3 dB better than the noisy image", of.decibels("autoencoder") >= of.decibels(noisy) + 3
        ),
        Expectation("Denoised: draws are as far off the noisy images as real images are, within 0.02", off <= 0.02),
    ]
    return [sentence], expectations


def of_completed(of):
    plain, often, pixels, linear = "diffusion, replacement", "diffusion, RePaint", "PixelCNN", "linear regression"
    sentences = [
        f"Completed: linear regression has {of.decibels(linear):.1f} dB, PixelCNN {of.decibels(pixels):.1f}, the diffusion model "
        f"by replacement {of.decibels(plain):.1f}, and {of.decibels(often):.1f} where every step is made 10 times (RePaint): in "
        f"one pass the two halves do not agree. Frechet distances are {of.distance(linear):.3f}, {of.distance(pixels):.3f}, "
        f"{of.distance(plain):.3f} and {of.distance(often):.3f}; real images have {of.distance(REAL):.3f}."
    ]
    expectations = [
        Expectation("Completed: RePaint is 0.5 dB better than replacement", of.decibels(often) >= of.decibels(plain) + 0.5),
        Expectation(
            "Completed: the Frechet distances of PixelCNN and RePaint are less than half of linear regression's",
            max(of.distance(pixels), of.distance(often)) < of.distance(linear) / 2,
        ),
    ]
    if of.classes:
        sentences.append(
            f"From the upper half alone {of.recognized(READ):.0%} of the classes can be read. The class is recognized in "
            f"{of.recognized(pixels):.0%} of PixelCNN's completions, in {of.recognized(often):.0%} of RePaint's and in "
            f"{of.recognized(plain):.0%} of those by replacement; in {of.recognized(linear):.0%} of linear regression's, which "
            "are blurred: a recognized class is no sign of a real image."
        )
        expectations += [
            Expectation(
                "Completed: PixelCNN's classes are recognized in 10 of 100 images more than those by replacement",
                of.recognized(pixels) >= of.recognized(plain) + 0.1,
            ),
            Expectation(
                "Completed: RePaint's classes are recognized in 5 of 100 images more than those by replacement",
                of.recognized(often) >= of.recognized(plain) + 0.05,
            ),
        ]
    return sentences, expectations


def of_all(enlarged, denoised, completed):
    ratios = {
        "enlarged by conditional diffusion": enlarged("conditional diffusion", "diversity"),
        "denoised": denoised("diffusion, drawn", "diversity"),
        "completed by RePaint": completed("diffusion, RePaint", "diversity"),
        "by PixelCNN": completed("PixelCNN", "diversity"),
    }
    code = "latent optimization"
    listed = ", ".join(f"{ratio:.2f} ({name})" for name, ratio in ratios.items())
    sentences = [
        f"The squared distance of two draws, over that of a draw and the image, is {listed}. It is 1 for draws of the true law, "
        "but not for these alone: with a projection in every step it is "
        f"{enlarged('diffusion, projected in every step', 'diversity'):.2f}.",
        f"The best code of the generator gives {enlarged.decibels(code):.1f} dB enlarged, {denoised.decibels(code):.1f} denoised "
        f"and {completed.decibels(code):.1f} completed. Its images are {enlarged(code, 'observation_error'):.3f} off the small "
        f"ones and {completed(code, 'observation_error'):.3f} off the upper halves: descent finds none that agrees with them.",
    ]
    return sentences, []


def of_extended(of):
    plain, mirrored, mean = "sinc interpolation", "mirror images of the low band", "mean levels, drawn phases"
    network, other, real = "perceptron of levels", "perceptron, of another sound", "real levels, drawn phases"
    band = lambda name: of(name, "band_distance")  # noqa: E731
    sentences = [
        f"Extended: in the band that a sound lacks, the log-spectral distance is {band(plain):.1f} dB with nothing there, "
        f"{band(mirrored):.1f} with mirror images of the low band, {band(mean):.1f} with the mean levels of the training sounds "
        f"and {band(network):.1f} with the levels that a perceptron reads from the low band; over the whole band "
        f"{of(plain, 'whole_distance'):.1f}, {of(mirrored, 'whole_distance'):.1f}, {of(mean, 'whole_distance'):.1f} and "
        f"{of(network, 'whole_distance'):.1f}. With the band that it gives another sound {band(other):.1f}; real levels with "
        f"drawn phases have {band(real):.1f}.",
        f"Phases are not known. As a waveform the extended sound is {of(network, 'waveform'):.1f} dB above its error, the "
        f"interpolated one {of(plain, 'waveform'):.1f}: silence is nearer to a wave than the same wave at another phase. The "
        f"samples that were known are kept to {of(network, 'low_band'):.0f} dB.",
    ]
    expectations = [
        Expectation(
            "Extended: the perceptron's log-spectral distance is at most half of interpolation's, and 60% of the mean levels'",
            band(network) <= min(0.5 * band(plain), 0.6 * band(mean)),
        ),
        Expectation(
            "Extended: over the whole band, too, it is at most 60% of interpolation's",
            of(network, "whole_distance") <= 0.6 * of(plain, "whole_distance"),
        ),
        Expectation("Extended: with another sound's band it is twice as far, or more", band(other) >= 2 * band(network)),
        Expectation("Extended: the known samples are kept to 60 dB", of(network, "low_band") >= 60),
    ]
    return sentences, expectations
