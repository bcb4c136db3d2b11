"""One sound file: decoded, with one-line errors, brought to one channel and one rate, and cut to a length."""

import io
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.reading.memory import require_expansion, require_memory

SUFFIXES = (".wav", ".flac")
MAGIC = (b"RIFF", b"RIFX", b"RF64", b"fLaC")  # how a file begins
AUDIBLE = 0.01  # of a sound's peak (-40 dB): what comes before is cut first
CLIPPED = 0.99  # of full scale: three equal neighbors up there are a peak that was cut off
# Measured from 44.1 to 8 kHz: -0.1 dB up to 3.6 kHz, and -60 dB from 4 kHz on. torchaudio's own 6 and 0.99 lose 3 dB at 3.7 kHz
# and fold 4.3 kHz back at -12 dB.
FILTER = {"lowpass_filter_width": 32, "rolloff": 0.95}
RATES = (1000, 768_000)  # Hz, of a file: from below telephones to beyond what any recorder offers; headers can say 2^31 - 1
# Rates are brought to each other by the nearest ratio p/q with p q below this, so that the filter takes at most 100 MB. That of
# 44.1 kHz to 8 kHz is 441/80 itself; where there is none so short, pitch is off by less than 1/1000, a sixtieth of a semitone.
FINEST = 2**20
UNKNOWN_FRAMES = 2**62  # libsndfile's count, or a lower bound of it, for a flac file without its length
BLOCK = 2**20  # values decoded at once
WORKING = (40, 16)  # bytes for each stored value and each resampled one, until a sound has its form: measured up to 37 and 14
UNKNOWN_SIZE = 0x7FFFF000  # what programs that cannot seek write for the size of a wav file, or more


def decode(path, raw, sample_rate):
    """(samples [T, C], float32, and their rate) of the file with these bytes, which will be resampled to sample_rate.

    DataError if it is damaged, not finite, of a rate outside RATES, or too long for the memory.
    """
    import soundfile

    if not raw.startswith(MAGIC):  # libsndfile would try a dozen other formats, some with decoders that write to the terminal
        raise DataError(f"{path} is not a readable sound file (neither wav nor flac): convert, replace or remove it")
    # libsndfile reads on happily where a wav file was cut short: its header tells how long it was
    size = int.from_bytes(raw[4:8], "little") + 8
    if raw.startswith(b"RIFF") and len(raw) < size < UNKNOWN_SIZE:
        raise DataError(f"{path} is damaged: its header declares {size} bytes, it has {len(raw)}: replace or remove it")
    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as file:
            rate = file.samplerate
            if not RATES[0] <= rate <= RATES[1]:
                raise DataError(
                    f"the header of {path} declares {rate} Hz; allowed are {RATES[0]} to {RATES[1]}: fix its header or convert it"
                )
            samples = torch.from_numpy(_samples(path, len(raw), file, sample_rate))
    except soundfile.SoundFileError as error:
        why = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
        raise DataError(f"{path} is not a readable sound file, or is damaged ({why}): replace or remove it") from None
    if samples.shape[0] == 0:
        raise DataError(f"{path} has no samples: replace or remove it")
    if not bool(samples.isfinite().all()):
        time, channel = (int(index) for index in (~samples.isfinite()).nonzero()[0])
        raise DataError(
            f"{path} holds {samples[time, channel].item()} at sample {time} of channel {channel}: replace or remove it"
        )
    return samples, rate


def _samples(path, stored, file, sample_rate):
    """All samples [T, C] of an open sound, block by block: its header may claim, and a silent one hold, more than memory."""
    blocks, frames, mend = [], 0, "mend its header, or cut it into shorter ones"
    if file.frames < UNKNOWN_FRAMES:
        require_expansion(path, stored, 4 * file.frames * file.channels, mend)
    while len(block := file.read(max(1, BLOCK // file.channels), dtype="float32", always_2d=True)):
        frames += len(block)
        require_expansion(path, stored, 4 * frames * file.channels, mend)
        needed = WORKING[0] * frames * file.channels + WORKING[1] * frames * sample_rate // file.samplerate
        require_memory(path, needed, mend)
        blocks.append(block)
    return np.concatenate(blocks) if blocks else np.empty((0, file.channels), np.float32)


class Counters:
    """Counts of remarkable files in a folder, with the first of each kind."""

    def __init__(self):
        self.counts, self.first, self.rates = Counter(), {}, Counter()

    def add(self, what, where):
        self.counts[what] += 1
        self.first.setdefault(what, where)

    def remarks(self, total, sample_rate, length):
        """Warnings, a line each."""
        seconds = f"{length} samples ({length / sample_rate:.3g} s)"
        lines = {
            "windows": f"longer than two times {seconds} and give several examples",
            "long": f"longer than {seconds} and cut",
            "short": f"shorter than {seconds} and padded with silence",
            "channels": "of several channels and averaged",
            "loud": "beyond full scale and scaled down",
            "clipped": "clipped (flat peaks), which a model will learn",
            "silent": "silent throughout",
        }
        found = [
            f"{self.counts[what]} of {total} sounds {'is' if self.counts[what] == 1 else 'are'} {words}: {self.first[what]}"
            + (", for one" if self.counts[what] > 1 else "")
            for what, words in lines.items()
            if self.counts[what]
        ]
        others = [f"{count} from {rate} Hz" for rate, count in sorted(self.rates.items()) if rate != sample_rate]
        return found + ([f"resampled to {sample_rate} Hz: {', '.join(others)}"] if others else [])


def mono(stored, rate, sample_rate, where, found):
    """One channel at the sample rate, within -1..1."""
    if stored.shape[1] > 1:
        found.add("channels", where)
    if _is_clipped(stored):
        found.add("clipped", where)
    found.rates[rate] += 1
    sound = resampled(stored.mean(dim=1), rate, sample_rate)
    peak = sound.abs().max().item()
    if peak == 0:
        found.add("silent", where)
    # the filter of the resampling overshoots at clipped peaks
    if peak > 1:
        found.add("loud", where)
        sound = (sound / peak).clamp(-1, 1)
    return sound


def _is_clipped(stored):
    loud = stored.abs() >= CLIPPED
    same = stored[1:] == stored[:-1]
    return bool((same[1:] & same[:-1] & loud[2:]).any())


def resampled(sound, rate, sample_rate):
    if rate == sample_rate:
        return sound
    from torchaudio.functional import resample

    # the filter bank has a row for every sample of a common period, which rates without a common divisor make gigabytes long
    ratio = Fraction(rate, sample_rate).limit_denominator(math.isqrt(FINEST * sample_rate // rate))
    return resample(sound, ratio.numerator, ratio.denominator, **FILTER)


def window_counts(frames, length):
    """The number of windows of sounds with this many samples: one, or from two lengths on as many as cover all of it.

    int64 [N] -> int64 [N]
    """
    return np.where(frames < 2 * length, 1, -(-frames // length))


def window_start(sound, length, number, count):
    """Start of window `number` of `count` of a sound: evenly spaced; a single window begins at the onset."""
    excess = max(len(sound) - length, 0)
    if count > 1:
        return number * excess // (count - 1)
    if excess == 0:
        return 0
    level = np.abs(np.asarray(sound, np.float32))
    return min(int((level > AUDIBLE * level.max()).argmax()), excess)


def windows(sound, length, where, found):
    """[K, length] of a sound [T]: see window_counts; silence follows a shorter one."""
    excess = len(sound) - length
    if excess < 0:
        found.add("short", where)
        return torch.nn.functional.pad(sound, (0, -excess))[None]
    count = int(window_counts(np.array(len(sound)), length))
    if excess > 0:
        found.add("long" if count == 1 else "windows", where)
    starts = [window_start(sound.numpy(), length, number, count) for number in range(count)]
    return torch.stack([sound[start : start + length] for start in starts])
