"""How recipes of diffusion models of images and sounds differ from the published trainings that they are written to reproduce."""

from practice_torch.engine.published import Difference

_ARITHMETIC = Difference("arithmetic", "float32", "bfloat16 products; --precision float32 for float32", "not known")

# The network, schedule, optimizer, flips and sampler of cifar10_ddpm are the published ones.
DDPM = (
    _ARITHMETIC._replace(there="float32 of a TPU v3"),
    Difference(
        "initialization", "the last layers of branches 1e-5 times the others", "the last layers of branches zero", "not known"
    ),
    Difference(
        "average",
        "decay 0.9999 from the first step on",
        "decay t/(t + 9) until it is 0.9999, at step 89,991",
        "none after 800,000 steps: what was averaged before then has a weight of e^-71",
    ),
)

# CelebA at 64 pixels, whose network is DDPM's with a further level.
DDIM = (
    Difference(
        "data",
        "one square of 128 pixels, around row 121 and column 89, of each photograph of the training split, by a bilinear filter",
        "the same square of all photographs but 1%, by a bicubic filter",
        "not known",
    ),
    Difference(
        "initialization", "PyTorch's own, with no layer at zero", "Glorot's, the last layers of branches at zero", "not known"
    ),
    Difference("levels", "in pairs, t and T - 1 - t", "independent", "not known"),
    Difference(
        "optimizer",
        "gradients of the error summed over pixels, clipped to a norm of 1",
        "gradients of its mean over pixels, clipped to a norm of 1, as in DDPM",
        "not known",
    ),
    Difference("schedule", "number of steps not published; the configuration's limit is 5,000,000", "500,000 steps", "not known"),
    _ARITHMETIC,
)

# Spoken digits. Kong et al. 2021, sections 3 and 5, and the first author's github.com/philsyn/DiffWave-unconditional.
DIFFWAVE = (
    Difference(
        "data", "31,158 recordings of the training list, by other speakers than those of the test list", "95% of all", "not known"
    ),
    Difference("evaluation", "a ResNeXT classifier of 98.76% accuracy", "a support vector machine on spectra", "not known"),
    Difference(
        "architecture",
        "weight normalization of the convolutions, in the code: 24,071,681 parameters without classes",
        "none: 24,034,305",
        "not known",
    ),
    Difference("average", "none", "of the weights, with decay 0.999", "not known"),
    _ARITHMETIC,
)

# The vocoder of one reader; 30,976 of the published parameters are gains of weight normalization and biases of the spectrogram's
# maps, as in github.com/lmnt-com/diffwave and DiffWave-unconditional: 6,908,611, and 6,877,635 here.
DIFFWAVE_VOCODER = (
    Difference(
        "conditioning", "the step, by sines of 1 to 10^4 radians a step", "the level, between steps, as in WaveGrad", "not known"
    ),
    Difference(
        "architecture",
        "6.91 million parameters",
        "6.88 million: without weight normalization and biases of the spectrogram",
        "not known",
    ),
    Difference("initialization", "He's", "Glorot's; spectrograms are interpolated at first", "not known"),
    Difference("data", "crops of 16,000 samples", "crops of 16,384, a whole number of frames", "not known"),
    Difference("evaluation", "listeners", "distances of spectrograms", "no number of the same kind"),
    Difference("average", "none", "of the weights, with decay 0.999", "not known"),
    _ARITHMETIC,
)
