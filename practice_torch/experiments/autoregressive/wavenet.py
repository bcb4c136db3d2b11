"""A WaveNet on the mu-law codes of sounds, conditional on their classes where the data has classes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.codes.pixel_codes import conditioning_classes
from practice_torch.experiments.codes.sound_codes import SoundExperiment
from practice_torch.experiments.media.published_data import (
    DIGITS,
    LJ_SPEECH,
    PREPARE_LJ_SPEECH,
    PREPARE_SPEECH_COMMANDS,
    SPEECH_COMMANDS,
)
from practice_torch.networks.wavenet import WaveNet


@dataclass(frozen=True)
class WavenetRecipe(Recipe):
    """A WaveNet on mu-law codes, conditional on the class where the data has classes."""

    modality: ClassVar[str] = "audio"
    data: str = "notes"
    """notes (synthesized), or the path of your own folder of wav and flac files, with a sub-folder for each label."""
    sample_rate: Annotated[int, AtLeast(1)] = 8000
    """Sample rate in Hz; files of other rates are resampled."""
    length: Annotated[int, AtLeast(1)] = 1024
    """Samples in an example; a longer sound is cut, or gives several; a shorter one is padded with silence."""
    skip_unusable: bool = False
    """Skip files that are damaged, empty or not finite, and list them, instead of stopping at the first."""
    levels: Annotated[int, AtLeast(2)] = 256
    """Number of mu-law codes."""
    conditional: bool = True
    """Condition on the class of a sound, where the data has classes."""
    loudness: Annotated[float, AtLeast(0)] = 0.3
    """Augmentation: maximum absolute log gain; half of the sounds also change sign. 0: no augmentation."""
    residual_channels: Annotated[int, AtLeast(1)] = 32
    """Channels of every block."""
    skip_channels: Annotated[int, AtLeast(1)] = 64
    """Channels of the skip connections."""
    doublings: Annotated[int, AtLeast(1)] = 9
    """Blocks in a stack, with dilations 1, 2, 4, ...; the receptive field of a stack is 2^doublings samples."""
    stacks: Annotated[int, AtLeast(1)] = 1
    """Number of stacks."""
    metric: Fixed = "bits_per_sample"

    @property
    def dilations(self):
        """Dilations of all blocks."""
        return tuple(2**i for i in range(self.doublings)) * self.stacks


RECIPES = {
    # measured: 3.04 bits, and 77% of the requested notes; the best unigram model needs 7.34 bits
    "notes": WavenetRecipe(
        data="notes", held_out=0.2, steps=2000, batch_size=4, learning_rate=1e-2, schedule="cosine", warmup_steps=50,
        clip_norm=1.0, target=3.5, evaluate_every=500, checkpoint_every=500,
    ),
    # a folder, given by --data: recordings of spoken digits at 8 kHz, a sub-folder for each; half a second of each
    "spoken_digits": WavenetRecipe(
        data="spoken_digits", held_out=0.1, length=4000, residual_channels=64, skip_channels=256, doublings=10, stacks=3,
        steps=40_000, batch_size=16, learning_rate=1e-3, schedule="cosine", warmup_steps=500, clip_norm=1.0, average_decay=0.999,
        precision="bfloat16", evaluate_every=5000, checkpoint_every=5000,
    ),
    # Whole recordings of a second. Blocks, codes and parameters are about those of the published model, the training is our own.
    "speech_commands": WavenetRecipe(
        data="speech_commands", held_out=0.05, sample_rate=16_000, length=16_000, residual_channels=64, skip_channels=1024,
        doublings=10, stacks=4, loudness=0.0, steps=200_000, batch_size=16, learning_rate=1e-3, schedule="cosine",
        warmup_steps=1000, clip_norm=1.0, average_decay=0.999, precision="bfloat16", evaluate_every=10_000,
        checkpoint_every=5000,
    ),
    # Random crops of three quarters of a second, without the text: babble in one voice.
    "ljspeech": WavenetRecipe(
        data="ljspeech", held_out=0.01, sample_rate=22_050, length=16_384, conditional=False, residual_channels=64,
        skip_channels=256, doublings=10, stacks=3, loudness=0.0, steps=200_000, batch_size=16, learning_rate=1e-3,
        schedule="cosine", warmup_steps=1000, clip_norm=1.0, average_decay=0.999, precision="bfloat16", evaluate_every=10_000,
        checkpoint_every=5000,
    ),
}  # fmt: skip

PUBLISHED = {
    "speech_commands": Published(
        SPEECH_COMMANDS,
        PREPARE_SPEECH_COMMANDS,
        "bits a sample of held-out recordings, 256 codes, unconditional",
        1.925,
        "WaveNet in Goel et al. 2022, It's raw!, SC09; repeated in Gu & Dao 2023, Mamba, table 4",
        facts={"classes": DIGITS},
        quoted="WaveNet: 4.2M parameters, NLL 1.925, FID 5.08, IS 2.27, mIS 5.80, AM 1.47",
        differences=(
            Difference(
                "architecture", "unconditional", "given the digit", "at most 3.3 bits in 16,000 samples, 0.0002 bits a sample"
            ),
            Difference("data", "published lists, which keep speakers apart", "5% of all recordings held out", "not known"),
            Difference("architecture", "4.2 million parameters", "4.9 million: 1,024 channels of skips", "not known"),
        ),
    ),
    "ljspeech": Published(
        LJ_SPEECH,
        PREPARE_LJ_SPEECH,
        "bits a sample of held-out crops, 256 codes",
        None,
        "WaveNets of this voice were published as vocoders, which are given a spectrogram",
        differences=(Difference("conditioning", "a spectrogram", "none", "no comparison: the task is another"),),
    ),
}


def build(recipe, data):
    """The experiment of a recipe for sounds of the data's classes."""
    network = WaveNet(
        num_levels=recipe.levels,
        residual_channels=recipe.residual_channels,
        skip_channels=recipe.skip_channels,
        dilations=recipe.dilations,
        classes=len(conditioning_classes(recipe, data.description)),
    )
    return SoundExperiment(recipe, data.description, network)
