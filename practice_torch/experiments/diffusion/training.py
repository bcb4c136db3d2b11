"""Denoising diffusion models of images and of sounds.

They are class-conditional where the data have classes. Some labels are dropped, so that one network learns both the conditional
and the unconditional prediction, which classifier-free guidance needs.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.parameterizations import velocity
from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.diffusion.training import KINDS, min_snr_weight, timesteps_from_uniforms
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.judging.image_judge import JUDGED
from practice_torch.experiments.media import published_differences
from practice_torch.experiments.media.media_model import MediaModel
from practice_torch.experiments.media.pretrained_unet import PretrainedUNet
from practice_torch.experiments.media.published_data import (
    CELEBA,
    DIGITS,
    LJ_SPEECH,
    PREPARE_CELEBA,
    PREPARE_LJ_SPEECH,
    PREPARE_SPEECH_COMMANDS,
    SPEECH_COMMANDS,
)
from practice_torch.experiments.media.units import Images, Sounds
from practice_torch.experiments.sampling import diffusion_studies as studies
from practice_torch.experiments.sampling.diffusion_sampling import Drawing, chain, draw, guided
from practice_torch.experiments.training.noise_levels import conditions, schedule_of
from practice_torch.experiments.training.unet_sizes import unet_of
from practice_torch.networks.diffwave import DiffWave
from practice_torch.networks.unet import DDPM_LAYERS
from practice_torch.pictures import diffusion as pictures


@dataclass(frozen=True)
class DiffusionRecipe(Recipe):
    """A denoising diffusion model of images, with a U-Net."""

    base_channels: Annotated[int, AtLeast(1)] = 24
    """Channels of the first level of the U-Net."""
    multipliers: Annotated[tuple[int, ...], AtLeast(1)] = (1, 2)
    """Channels of each level, in units of base_channels; every level after the first halves the resolution."""
    blocks: Annotated[int, AtLeast(1)] = 2
    """Residual blocks of each level, on the way down and up."""
    attention_at: Annotated[tuple[int, ...], AtLeast(1)] = ()
    """Resolutions (heights of images) at which every block has self-attention."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate in the residual blocks."""
    compact: bool = True
    """Use the lowest level as the middle of the U-Net; sufficient for small images."""
    ddpm_layers: bool = False
    """Layers as published for DDPM: one attention head, with biases; strided convolutions; levels embedded from 0."""
    head_width: Annotated[int, AtLeast(0)] = 0
    """Least number of channels of an attention head; 0: 64, and with ddpm_layers one head of all channels."""
    norm_groups: Annotated[int, AtLeast(1)] = 32
    """Groups of a normalization: as many as divide both this number and the channels."""
    prediction: Literal[KINDS] = "noise"
    """Prediction target of the network."""
    num_steps: Annotated[int, AtLeast(2)] = 200
    """Number of noise levels."""
    noise_schedule: Literal["cosine", "linear", "scaled_linear"] = "cosine"
    """Noise schedule: squared cosine, linear betas, or betas whose square roots are linear."""
    beta_start: Annotated[float, AtLeast(0, below=1)] = 0.0
    """First beta of a linear schedule; 0: a 200th of the last."""
    beta_end: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Last beta of a linear schedule; 0: 20/num_steps."""
    zero_terminal_snr: bool = False
    """Rescale the schedule to a terminal SNR of zero."""
    snr_limit: Annotated[float, AtLeast(0)] = 0.0
    """Weight errors of the data by min(SNR, snr_limit); 0: constant weight of the prediction's error."""
    conditional: bool = True
    """Learn the examples of each label, where the data have labels."""
    drop_probability: Annotated[float, AtLeast(0, at_most=1)] = 0.1
    """Probability of dropping the label, for classifier-free guidance."""
    step_variance: Literal["large", "small"] = "large"
    """Variance of an ancestral step where sampling names none: of the forward step, or of the posterior given the data."""
    clip_data: bool = True
    """Clip the predicted data to the range of the data, where sampling does not say otherwise."""
    judged_samples: Annotated[int, AtLeast(50)] = 1000
    """Number of samples in an evaluation."""
    judged_steps: Annotated[int, AtLeast(1)] = 20
    """DDIM steps for the samples of an evaluation."""
    compared_samples: Annotated[int, AtLeast(0)] = 0
    """Number of samples for each sampler and guidance scale in the comparison figures; 0: no such figures."""
    flip: bool = False
    """Augmentation: mirror half of the training images horizontally."""
    channels_last: bool = False
    """Channels-last kernels, for a compiled network: uncompiled, a GPU's group normalization undoes that layout."""
    num_levels: Annotated[int, AtLeast(2)] = 256
    """Number of values of a pixel, for the study's bits per dimension."""
    metric: Fixed = "frechet_distance"

    def medium(self):
        """Medium of the examples."""
        return Images()

    def __post_init__(self):
        super().__post_init__()
        for condition in conditions(self):
            self._require(*condition)
        cut = self.shard and self.channels_last
        self._require("channels_last", not cut, "False with shard: fully_shard cuts contiguous weights only (--no-channels-last)")

    def alpha_bar(self):
        """The schedule, [T+1]."""
        return schedule_of(self)

    def backbone(self, shape, classes):
        """The network for examples of this shape and number of classes (None: unconditional)."""
        more = {"num_classes": classes, "groups": self.norm_groups} | (DDPM_LAYERS if self.ddpm_layers else {})
        return unet_of(self, shape, **more | ({"head_width": self.head_width} if self.head_width else {}))


@dataclass(frozen=True)
class SoundDiffusionRecipe(Recipe):
    """A denoising diffusion model of waveforms, with a one-dimensional U-Net or DiffWave's dilated convolutions."""

    flip: ClassVar[bool] = True  # upside down
    channels_last: ClassVar[bool] = False
    beta_start: ClassVar[float] = 0.0
    step_variance: ClassVar[str] = "large"
    clip_data: ClassVar[bool] = True
    num_levels: ClassVar[int] = 0  # no grid of values
    modality: ClassVar[str] = "audio"
    data: str = "notes"
    """notes (synthesized), or the path of your own folder of wav and flac files, with a sub-folder for each label."""
    sample_rate: Annotated[int, AtLeast(1)] = 8000
    """Sample rate in Hz; files of other rates are resampled."""
    length: Annotated[int, AtLeast(1)] = 1024
    """Samples in an example; a longer sound is cut, or gives several; a shorter one is padded with silence."""
    skip_unusable: bool = False
    """Skip files that are damaged, empty or not finite, and list them, instead of stopping at the first."""
    base_channels: Annotated[int, AtLeast(1)] = 24
    """Channels of the first level of the U-Net."""
    multipliers: Annotated[tuple[int, ...], AtLeast(1)] = (1, 2)
    """Channels of each level, in units of base_channels; every level after the first halves the resolution."""
    blocks: Annotated[int, AtLeast(1)] = 2
    """Residual blocks of each level, on the way down and up."""
    attention_at: Annotated[tuple[int, ...], AtLeast(1)] = ()
    """Resolutions (heights of images) at which every block has self-attention."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate in the residual blocks."""
    compact: bool = True
    """Use the lowest level as the middle of the U-Net; sufficient for small images."""
    prediction: Literal[KINDS] = "noise"
    """Prediction target of the network."""
    num_steps: Annotated[int, AtLeast(2)] = 200
    """Number of noise levels."""
    noise_schedule: Literal["cosine", "linear"] = "cosine"
    """Noise schedule: squared cosine, or linear betas."""
    beta_end: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Last beta of the linear schedule, 200 times the first; 0: 20/num_steps."""
    zero_terminal_snr: bool = False
    """Rescale the schedule to a terminal SNR of zero."""
    snr_limit: Annotated[float, AtLeast(0)] = 0.0
    """Weight errors of the data by min(SNR, snr_limit); 0: constant weight of the prediction's error."""
    conditional: bool = True
    """Learn the examples of each label, where the data have labels."""
    drop_probability: Annotated[float, AtLeast(0, at_most=1)] = 0.1
    """Probability of dropping the label, for classifier-free guidance."""
    judged_samples: Annotated[int, AtLeast(50)] = 1000
    """Number of samples in an evaluation."""
    judged_steps: Annotated[int, AtLeast(1)] = 20
    """DDIM steps for the samples of an evaluation."""
    compared_samples: Annotated[int, AtLeast(0)] = 0
    """Number of samples for each sampler and guidance scale in the comparison figures; 0: no such figures."""
    network: Literal["unet", "dilated"] = "unet"
    """A U-Net, or residual blocks of dilated convolutions, all with base_channels (DiffWave)."""
    layers: Annotated[int, AtLeast(1)] = 30
    """Number of blocks of dilated convolutions."""
    cycle: Annotated[int, AtLeast(1)] = 10
    """Blocks after which the dilations 1, 2, 4, ... begin again at 1."""
    gain: Annotated[float, Above(0)] = 4.0
    """Factor applied to sounds; the schedule assumes a mean square near 1."""
    metric: Fixed = "class_accuracy"
    direction: Direction = "higher"

    def medium(self):
        """Medium of the examples."""
        return Sounds(self.gain, self.sample_rate)

    def backbone(self, shape, classes):
        if self.network == "unet":
            return unet_of(self, shape, num_classes=classes)
        return DiffWave(width=self.base_channels, layers=self.layers, cycle=self.cycle, num_classes=classes)

    def __post_init__(self):
        super().__post_init__()
        for condition in conditions(self):
            self._require(*condition)

    def alpha_bar(self):
        """The schedule, [T+1]."""
        return schedule_of(self)


class DiffusionExperiment(MediaModel):
    """Trains the network on random levels and shows its samples."""

    explains = JUDGED | {
        "loss": Metric("squared error", "mean squared error of the prediction over all levels"),
        **{f"loss_quarter_{n}": Metric("squared error", f"the loss in quarter {n} of the levels") for n in range(1, 5)},
        "prior_bits": Metric("bits per dimension", "information about the data at the last level; 0 is best"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, description):
        super().__init__(recipe, description)
        self.sampling = Drawing(clip=recipe.clip_data)
        if recipe.channels_last:  # the kernels decide: outputs of a convolution have their layout, for any input
            for kernel in (parameter for parameter in self.network.parameters() if parameter.ndim == 4):
                kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)
        self.register_buffer("alpha_bar", recipe.alpha_bar())

    @property
    def remarks(self):
        """Warning before the training if the schedule ends too early."""
        left = self.alpha_bar[-1].item()
        bits = -math.log1p(-left) / math.log(4)  # prior_kl of a dimension at the end of its range
        if bits < 0.01:
            return ()
        kept = f"level {self.recipe.num_steps} keeps {math.sqrt(left):.0%} of the data's scale ({bits:.2g} bits per dimension)"
        return (f"{kept}, but samples begin with pure noise: increase num_steps or beta_end",)

    def forward(self, batch, phase):
        """The mean squared error of the prediction per dimension, at levels drawn at random."""
        x0, label = self.examples(batch)
        of_level, of_label = torch.rand(2, len(x0), generator=self.generator, device=x0.device)
        t = timesteps_from_uniforms(of_level, num_steps=self.recipe.num_steps)
        if label is not None:
            label = label.where(of_label >= self.recipe.drop_probability, len(self.classes))
        x0 = self.mirrored_half(x0) if self.recipe.flip else x0
        return self._losses(x0, t, self.noise(len(x0)), label).mean(), {}

    def evaluate(self, data):
        """The loss on held-out data, also by quarters of the levels; what the last level tells of them; and samples' worth."""
        by_level = self._loss_by_level(data)
        metrics = {"loss": by_level.mean().item()}
        for number, quarter in enumerate(by_level.tensor_split(4), start=1):
            metrics[f"loss_quarter_{number}"] = quarter.mean().item()
        metrics["prior_bits"] = studies.prior_bits(self, data)
        label = self.labels(self.recipe.judged_samples)
        return metrics | self.verdict(data, self.drawn(label, self.judged_sampling()), label)

    def preview(self, data):
        """Samples by class, how they came about where that can be seen, and the loss at every level."""
        label = self.labels(self.medium.previewed(self.classes))
        samples = self.medium.preview(self.drawn(label, self.judged_sampling()), label, self.classes)
        emerging = studies.emergence(self) if self.recipe.modality == "images" else {}
        loss = pictures.losses(self._loss_by_level(data).cpu())
        return {**samples, **emerging, "loss": loss, **studies.comparisons(self, data)}

    def sample(self, count):
        """Samples drawn with the options of `sampling`, class by class."""
        how, trained = self.sampling, self.recipe.drop_probability > 0
        how.require_known(levels=self.recipe.num_steps, classes=len(self.classes), null_trained=trained)
        label = self.labels(count)
        label = torch.full_like(label, how.label) if how.label is not None else label
        return self.medium.shown(self.drawn(label, how), label, self.classes)

    def study(self, data):
        """DDIM as a map between noise and data; what the schedule leaves of the data, and which levels carry their bits."""
        return {
            "interpolation": studies.interpolation(self),
            "inversion": studies.inversion(self, data),
            "schedule": studies.schedule(self, data),
            **studies.bits(self, data),
        }

    def _losses(self, x0, t, noise, label):
        """Squared errors per dimension, [B], weighted if the recipe sets it."""
        kind, limit = self.recipe.prediction, self.recipe.snr_limit
        prediction = self.network(forward_sample(x0, t, noise, self.alpha_bar), t, label)
        target = velocity(x0, noise, t, self.alpha_bar) if kind == "velocity" else {"noise": noise, "x0": x0}[kind]
        losses = squared_error(prediction.float(), target) / x0[0].numel()
        return min_snr_weight(t, self.alpha_bar, gamma=limit, prediction=kind) * losses if limit else losses

    def _loss_by_level(self, data):
        """Mean loss at every level, [T], on held-out data, always with the same noise."""
        steps, device = self.recipe.num_steps, self.alpha_bar.device
        count = 16 * steps
        fixed = torch.Generator(device).manual_seed(0)
        sums = torch.zeros(2, steps, device=device)
        for number, indices in enumerate(torch.arange(count).split(256)):
            noise = torch.randn(len(indices), *self.shape, generator=fixed, device=device)
            if self.shares.takes(number):
                x0, label = self.examples(data.batch(indices % len(data)))
                t = (indices % steps + 1).to(device)
                losses = self._losses(x0, t, noise, label)
                sums.index_add_(1, t - 1, torch.stack([losses, torch.ones_like(losses)]))
        total, counts = sum(self.shares.together([sums]))
        return total / counts

    def judged_sampling(self):
        """Sampling options of evaluations."""
        return Drawing(sampler="ddim", steps=self.recipe.judged_steps, clip=self.recipe.clip_data)

    def drawn(self, label, how, noise=None):
        """Data in the network's units, one for each label [B], from noise [B, ...] if it is given."""
        columns = (label,) if noise is None else (label, noise)
        return self.shares.rows(lambda label, noise=None: self.drawn_here(label, how, noise), *columns)

    def drawn_here(self, label, how, noise=None, watch=None):
        """The same by this process alone; watch(number, x, x0) sees every step."""
        steps = chain(
            self.alpha_bar,
            steps=how.steps,
            prediction=self.recipe.prediction,
            sampler=how.sampler,
            variance=how.variance or self.recipe.step_variance,
            eta=how.eta,
            spacing=how.spacing,
            refit_noise=how.refit_noise,
        )
        limit, drawn = self.medium.limit if how.clip else None, []
        for rows in torch.arange(len(label)).split(500):
            predict = guided(self.network, label[rows], len(self.classes), how.guidance) if self.classes else self.network
            x = self.noise(len(rows)) if noise is None else noise[rows]
            drawn.append(draw(predict, x, steps, limit=limit, generator=self.generator, watch=watch))
        return torch.cat(drawn).clone()  # lets tensors made without gradients enter operations with gradients


_DIFFWAVE = dict(network="dilated", base_channels=256, num_steps=200, noise_schedule="linear", beta_end=0.02, judged_steps=200)

RECIPES = {
    # measured with seed 0: a distance of 0.091 (1,438 real training digits: 0.069), 98% of the samples recognized as the digit
    # requested (real ones: 99%), and as far from the training digits as held-out ones are (1.07 and 1.06): no copies
    "digits": DiffusionRecipe(
        data="digits", steps=1900, batch_size=128, learning_rate=2e-3, weight_decay=0.01, schedule="cosine", average_decay=0.995,
        clip_norm=1.0, held_out=0.2, target=0.12, evaluate_every=1900, checkpoint_every=950,
        compared_samples=200, num_levels=17,
    ),
    # sized for one H100 and not yet trained there; several processes share the batch (accelerate launch --num-processes 8)
    "mnist": DiffusionRecipe(
        data="mnist", num_steps=1000, base_channels=64, multipliers=(1, 2, 2), attention_at=(7,), dropout=0.1, compact=False,
        steps=20_000, batch_size=256, learning_rate=4e-4, weight_decay=0.01, warmup_steps=500, schedule="cosine",
        average_decay=0.999, clip_norm=1.0, judged_steps=50, precision="bfloat16", channels_last=True, evaluate_every=5000,
        checkpoint_every=2500,
    ),
    "cifar10": DiffusionRecipe(
        data="cifar10", num_steps=1000, base_channels=128, multipliers=(1, 2, 2, 2), attention_at=(16,), dropout=0.1,
        compact=False, flip=True, steps=200_000, batch_size=256, learning_rate=2e-4, warmup_steps=5000, average_decay=0.9999,
        clip_norm=1.0, judged_steps=50, precision="bfloat16", channels_last=True, evaluate_every=20_000, checkpoint_every=5000,
    ),
    # As published: unconditional, 800,000 steps of 128. FID is measured on 50,000 samples of 1000 ancestral steps: sample RUN
    # --count 50000 --steps 1000.
    "cifar10_ddpm": DiffusionRecipe(
        data="cifar10", conditional=False, num_steps=1000, noise_schedule="linear", beta_end=0.02, base_channels=128,
        multipliers=(1, 2, 2, 2), attention_at=(16,), dropout=0.1, compact=False, ddpm_layers=True, flip=True, steps=800_000,
        batch_size=128, learning_rate=2e-4, warmup_steps=5000, average_decay=0.9999, clip_norm=1.0, judged_steps=50,
        precision="bfloat16", channels_last=True, evaluate_every=50_000, checkpoint_every=10_000,
    ),
    # A folder of photographs of any sizes, prepared: of faces, with the network of Song et al. 2021; --data takes any other.
    "photographs": DiffusionRecipe(
        data="celeba", image_size=64, conditional=False, num_steps=1000, noise_schedule="linear", beta_end=0.02,
        base_channels=128, multipliers=(1, 2, 2, 2, 4), attention_at=(16,), dropout=0.1, compact=False, ddpm_layers=True,
        flip=True, steps=500_000, batch_size=128, learning_rate=2e-4, average_decay=0.9999, clip_norm=1.0, judged_steps=50,
        held_out=0.01, precision="bfloat16", channels_last=True, evaluate_every=50_000, checkpoint_every=10_000,
    ),
    # The waveform itself, not a mel spectrogram: there is no vocoder, and notes are
    # learned in minutes. Measured: 82% of the notes drawn are recognized as the requested one (wavenet's: 77%), with a hiss of
    # -40 dB; 84 to 88% with guidance 2.
    "notes": SoundDiffusionRecipe(
        data="notes", prediction="velocity", multipliers=(1, 2, 2, 4, 4), blocks=1, attention_at=(64,), steps=1000,
        batch_size=16, learning_rate=2e-3, weight_decay=0.01, schedule="cosine", average_decay=0.995, clip_norm=1.0,
        held_out=0.2, target=0.7, judged_samples=104, evaluate_every=1000, checkpoint_every=500,
    ),
    # a folder, given by --data: recordings of spoken digits at 8 kHz, a sub-folder for each; half a second of each
    "spoken_digits": SoundDiffusionRecipe(
        data="spoken_digits", prediction="velocity", num_steps=1000, base_channels=64, multipliers=(1, 1, 2, 2, 4, 4, 4),
        attention_at=(256, 128, 64), compact=False, dropout=0.1, length=4096, gain=16.0, steps=60_000, batch_size=64,
        learning_rate=3e-4, weight_decay=0.01, warmup_steps=1000, schedule="cosine", average_decay=0.999, clip_norm=1.0,
        judged_samples=500, judged_steps=50, precision="bfloat16", evaluate_every=10_000, checkpoint_every=5000,
    ),
    # DiffWave: network, schedule, optimizer and batches are the published ones for the digits. The last level of that schedule is
    # not pure noise; a run warns about it.
    "speech_commands": SoundDiffusionRecipe(
        data="speech_commands", held_out=0.05, sample_rate=16_000, length=16_000, gain=1.0, **_DIFFWAVE, layers=36, cycle=12,
        drop_probability=0.0, steps=1_000_000, batch_size=16, learning_rate=2e-4, average_decay=0.999, judged_samples=1000,
        precision="bfloat16", evaluate_every=50_000, checkpoint_every=5000,
    ),
    # Random crops of three quarters of a second, without the text: babble in one voice.
    "ljspeech": SoundDiffusionRecipe(
        data="ljspeech", held_out=0.01, sample_rate=22_050, length=16_384, gain=1.0, **_DIFFWAVE, layers=30, cycle=10,
        conditional=False, steps=500_000, batch_size=32, learning_rate=2e-4, average_decay=0.999, judged_samples=500,
        metric="loss", direction="lower", precision="bfloat16", evaluate_every=25_000, checkpoint_every=5000,
    ),
}  # fmt: skip

PRETRAINED = {"UNet2DModel": PretrainedUNet("cifar10_ddpm")}

PUBLISHED = {
    "cifar10_ddpm": Published(
        "CIFAR-10, downloaded by torchvision", "", "FID of 50,000 samples against the training set", 3.17,
        "Ho et al. 2020, table 1, L_simple", quoted="Ours (L_simple): IS 9.46 +- 0.11, FID 3.17, NLL <= 3.75 (3.72)",
        parameters=35_746_307,
        differences=published_differences.DDPM,
    ),
    "photographs": Published(
        CELEBA, PREPARE_CELEBA, "FID of 50,000 samples in 1000 steps", 3.26,
        "Song et al. 2021, Denoising diffusion implicit models, table 1, CelebA, DDPM's larger variance",
        quoted="sigma-hat, CelebA 64 x 64, S = 10, 20, 50, 100, 1000: 299.71, 183.83, 71.71, 45.20, 3.26",
        parameters=78_700_803,
        differences=published_differences.DDIM,
    ),
    "speech_commands": Published(
        SPEECH_COMMANDS, PREPARE_SPEECH_COMMANDS, "fraction of sounds recognized as the requested digit", 0.912,
        "Kong et al. 2021, DiffWave, table 3, class-conditional",
        quoted="DiffWave: Accuracy 91.20%, FID-class 1.113 +- 0.569, IS 6.63, mIS 117.4, MOS 3.50 +- 0.31",
        facts={"classes": DIGITS}, differences=published_differences.DIFFWAVE,
    ),
    "ljspeech": Published(
        LJ_SPEECH, PREPARE_LJ_SPEECH, "squared error of the noise on held-out crops", None,
        "Kong et al. 2021 trained DiffWave on this voice as a vocoder, which is given a spectrogram",
        differences=(Difference("conditioning", "a spectrogram", "none", "no comparison: the task is another"),),
    ),
}  # fmt: skip


def build(recipe, data):
    """The experiment of a recipe for data of this shape and these classes."""
    return DiffusionExperiment(recipe, data.description)
