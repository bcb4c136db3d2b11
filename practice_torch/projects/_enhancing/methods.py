"""How images are degraded, and how each method of the project restores them: all pixels in 0..1.

A method is a function of an experiment and of the observation that returns restored images, [N, C, H, W]. It is called in
isolation, with the experiment's own generator; what it draws differs from call to call.
"""

import torch
from torch.nn.functional import avg_pool2d, interpolate, pad

from practice_torch.adversarial.gan_inversion import inversion_objective, invert_by_gradient_descent
from practice_torch.diffusion.parameterizations import x0_from_velocity
from practice_torch.diffusion.super_resolution import null_space_projection
from practice_torch.experiments.judging.independent_pixels import codes_of
from practice_torch.experiments.sampling.diffusion_sampling import chain, draw
from practice_torch.latent.denoising_autoencoder import empirical_denoiser

FACTOR, SIGMA = 2, 0.3
AVERAGED, STARTS = 8, 3  # draws of which the mean is taken; codes from which a descent starts
RIDGE = 1e-3  # variance of the noise that a regression assumes at least: some pixels are the same in all images


def made_small(images):
    """Means of blocks of pixels."""
    return avg_pool2d(images, FACTOR)


def upper_half(images):
    """The rows that are given of images to be completed; the number of rows is even, as images are made small."""
    return images[:, :, : images.shape[2] // 2]


def lower_half(images):
    """The rows that are missing."""
    return images[:, :, images.shape[2] // 2 :]


def same(images):
    """The images themselves."""
    return images


def repeated(small):
    """Every pixel of small images as a block."""
    return interpolate(small, scale_factor=FACTOR)


def regression(known, observe, *, sigma=0.0):
    """observation -> the mean of a Gaussian given it, where the Gaussian is fitted to known images: the best linear restoration.

    observe: a linear function of images; sigma: deviation of the noise that the observation has besides.
    """
    shape, rows = known.shape[1:], known.flatten(1).double()
    mean, covariance = rows.mean(0), torch.cov(rows.T)
    one = torch.eye(len(mean), dtype=rows.dtype, device=rows.device)
    seen = observe(one.view(-1, *shape)).flatten(1)  # the transpose of the observation's matrix
    within = seen.T @ covariance @ seen
    within.diagonal().add_(max(sigma**2, RIDGE))
    gain = torch.linalg.solve(within, seen.T @ covariance)

    def restore(observation):
        off = observation.flatten(1).double() - mean @ seen
        return (mean + off @ gain).view(-1, *shape).to(known.dtype)

    return restore


# ---------------------------------------------------------------------------------------------------- enlarged


def enlarged(experiment, small):
    """By the network of an adversarial super-resolution, with or without a game."""
    return experiment.enlarged(small)


def drawn(experiment, small):
    """By a diffusion model that is given the small image."""
    return outside(experiment.drawn(inside(small)))


def drawn_and_projected(experiment, small):
    """The same, moved to the nearest image whose small version is the given one."""
    return null_space_projection(drawn(experiment, small), small, factor=FACTOR)


def mean_drawn(experiment, small):
    """The mean of several draws."""
    return torch.stack([drawn(experiment, small) for _ in range(AVERAGED)]).mean(0)


def drawn_in_null_space(experiment, small):
    """By a diffusion model of whole images: in every step, the predicted data are moved to what has the small version (DDNM)."""
    given = inside(small)

    def predict(x, t):
        return null_space_projection(predicted(experiment, x, t), given, factor=FACTOR)

    steps = chain(experiment.alpha_bar, prediction="x0")
    return outside(draw(predict, noise_of(experiment, len(small)), steps, generator=experiment.generator))


# ---------------------------------------------------------------------------------------------------- completed


def mean_below(known):
    """upper half -> the image with the lower half of the known images' mean."""
    below = lower_half(known).mean(0)
    return lambda upper: torch.cat([upper, below.expand(len(upper), -1, -1, -1)], 2)


def gray_below(upper):
    """The image with gray pixels where none are known."""
    return pad(upper, (0, 0, 0, upper.shape[2]), value=0.5)


def completed(experiment, upper, *, times):
    """By a diffusion model of whole images; every step but the first is made so many times."""
    missing = experiment.shape[1] - upper.shape[2]
    return outside(experiment.completed(pad(inside(upper), (0, 0, 0, missing)), experiment.known, times))


def completed_pixel_by_pixel(experiment, upper):
    """By a PixelCNN that is given a class: it is drawn first, from the classes' probabilities given the upper half."""
    network, generator, label = experiment.network, experiment.generator, None
    codes = codes_of(upper, experiment.recipe.num_levels)
    if experiment.classes:
        # rows do not depend on those below: the probability of an upper half is that of a smaller image
        each = [network.log_prob(codes, torch.full_like(codes[:, 0, 0, 0], k)) for k in range(len(experiment.classes))]
        label = torch.multinomial(torch.stack(each, 1).softmax(1), 1, generator=generator).squeeze(1)
    uniforms = torch.rand(len(codes), *experiment.shape, network.uniforms, generator=generator, device=codes.device)
    return network.generate(uniforms, label, codes) / (experiment.recipe.num_levels - 1)


# ---------------------------------------------------------------------------------------------------- denoised


def denoised_by_training_images(known):
    """noisy image -> the mean of known images, weighted by how likely the noisy one comes from each."""
    rows = known.flatten(1)
    return lambda noisy: empirical_denoiser(noisy.flatten(1), rows, sigma=SIGMA).view_as(noisy)


def denoised_by_autoencoder(experiment, noisy):
    """By a perceptron that was trained for this noise."""
    return experiment.denoised(noisy.flatten(1)).view_as(noisy)


def denoised(experiment, noisy):
    """By a diffusion model of whole images: the mean of the data that it predicts at the level of this noise (Tweedie)."""
    level = level_of_noise(experiment)
    x = inside(noisy) * experiment.alpha_bar[level].sqrt()
    return outside(predicted(experiment, x, torch.full((len(x),), level, device=x.device)))


def denoised_in_steps(experiment, noisy):
    """The same model draws an image from this level on: one of those that the noisy image may come from."""
    level = level_of_noise(experiment)
    steps = chain(experiment.alpha_bar, prediction="velocity")[-level:]
    x = inside(noisy) * experiment.alpha_bar[level].sqrt()
    return outside(draw(experiment.network, x, steps, limit=1.0, generator=experiment.generator))


def level_of_noise(experiment):
    """The level with the ratio of noise to data that is nearest to the observation's: all levels but that of the data."""
    kept = experiment.alpha_bar[1:].double()
    ratio = ((1 - kept) / kept).sqrt()
    return int((ratio - 2 * SIGMA).abs().argmin()) + 1  # data in -1..1 are twice as wide


# ---------------------------------------------------------------------------------------------------- all three


def enlarged_by_code(experiment, small):
    """As `generated`: every small pixel counts as often as the pixels of its block."""
    return generated(experiment, repeated(small), observe=lambda images: repeated(made_small(images)))


def generated(experiment, observation, *, observe, sigma=0.0):
    """What a GAN's generator makes of the code whose image is observed most nearly as this.

    Found by descent from the code 0 and from drawn ones: of what the descents end in, the code with the least objective.
    sigma: deviation of the observation's noise, whose variance is the price of a long code; without noise it is the recipe's.
    """
    given, recipe = inside(observation).flatten(1), experiment.recipe
    mask, price = torch.ones_like(given, dtype=torch.bool), (2 * sigma) ** 2 or recipe.prior_weight
    starts = torch.randn(STARTS, len(given), recipe.latent, generator=experiment.generator, device=given.device)
    starts[0] = 0

    def seen(code):
        return observe(experiment.generator_network(code).float()).flatten(1)

    descent = {"learning_rate": recipe.descent_rate, "num_steps": recipe.descent_steps, "prior_weight": price}
    codes = torch.stack([invert_by_gradient_descent(given, start, mask, seen, **descent) for start in starts])
    left = torch.stack([inversion_objective(given, seen(code), code, mask, prior_weight=price) for code in codes])
    best = codes[left.argmin(0), torch.arange(len(given), device=given.device)]
    return outside(experiment.generator_network(best).float())


def predicted(experiment, x, t):
    """The data that a network of the velocity predicts, in -1..1."""
    return x0_from_velocity(x, experiment.network(x, t), t, experiment.alpha_bar).clamp(-1, 1)


def noise_of(experiment, count):
    return torch.randn(count, *experiment.shape, generator=experiment.generator, device=experiment.alpha_bar.device)


def inside(images):
    return 2 * images - 1


def outside(images):
    return (images + 1) / 2
