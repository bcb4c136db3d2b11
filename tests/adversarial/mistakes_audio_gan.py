"""Wrong forms of phase shuffle, magnitudes, their distances and transposed convolutions that the rows must refuse; right ones."""

import torch
from torch.nn import functional

from practice_torch.adversarial import audio_gan as right
from tests.support.mistakes import Mistake, after_checks

SHUFFLE, MAGNITUDE, UP = "phase_shuffle", "short_time_fourier_magnitude", "transposed_convolution1d"
RATIO, LOGS = "spectral_convergence", "log_magnitude_distance"


def _checked(function, name, wrong, **kind):
    """A wrong form behind the right one's checks."""
    return Mistake(function, name, after_checks(right, function, wrong), **kind)


def _placed(change):
    """x at other places: change(t - n, T) gives them."""

    def wrong(x, shifts):
        places = torch.arange(x.shape[2]) - shifts.long()[:, None]
        return x.gather(2, change(places, x.shape[2])[:, None].expand(x.shape))

    return wrong


def _mirrored(places, samples):
    last = samples - 1
    return last - (last - places.abs()).abs()


def _edge_repeated(places, samples):
    return torch.where(places < 0, -places - 1, torch.where(places >= samples, 2 * samples - 1 - places, places))


def _in_narrow(x, shifts):
    """t - n in the integers of the shifts."""
    places = torch.arange(x.shape[2]).to(shifts.dtype) - shifts[:, None]
    return x.gather(2, _mirrored(places.long(), x.shape[2])[:, None].expand(x.shape))


def _padded(x, shifts):
    """A reflected border on either side, and a window of it for each example."""
    last = x.shape[2] - 1
    if not last:
        return x.clone()
    wide = functional.pad(x, (last, last), mode="reflect") if len(x) else x.repeat(1, 1, 3)[:, :, : 3 * last + 1]
    windows = wide.unfold(2, last + 1, 1)
    return torch.stack([windows[b, :, last - int(shifts[b])] for b in range(len(x))]) if len(x) else x.clone()


def _stft(x, window, hop, center=False, of=torch.abs):
    if not len(x):
        return x.new_empty(0, len(window) // 2 + 1, (x.shape[1] - len(window)) // hop + 1)
    return of(torch.stft(x, len(window), hop, window=window, center=center, return_complex=True))


def _of_frames(frames, window):
    return torch.fft.rfft(frames * window).abs().mT if len(frames) else frames[..., : len(window) // 2 + 1].mT


def _by_sums(x, window, *, hop):
    """Cosines and sines written out."""
    frames, length = x.unfold(1, len(window), hop) * window, len(window)
    angles = 2 * torch.pi / length * (torch.arange(length // 2 + 1)[:, None] * torch.arange(length)).to(x.dtype)
    return torch.linalg.vector_norm(torch.stack([angles.cos() @ frames.mT, angles.sin() @ frames.mT]), dim=0)


def _turned_in_time(x, window, *, hop):
    return _stft(x, window.flip(0), hop)


def _transposed(change):
    def wrong(x, weight, bias, *, stride=1, padding=0):
        return functional.conv_transpose1d(*change(x, weight, bias), stride, padding)

    return wrong


def _bias_for_each_kernel(x, weight, bias, *, stride=1, padding=0):
    ones = functional.conv_transpose1d(torch.ones_like(x[:, :1]), torch.ones_like(weight[:1, :1]), None, stride, padding)
    return functional.conv_transpose1d(x, weight, None, stride, padding) + bias[:, None] * ones


def _cut_at_the_end(x, weight, bias, *, stride=1, padding=0):
    whole = functional.conv_transpose1d(x, weight, bias, stride)
    return whole[:, :, : whole.shape[2] - 2 * padding]


def _gradient(x, weight, bias, *, stride=1, padding=0):
    """The gradient of a strided convolution by its input."""
    length = (x.shape[2] - 1) * stride + weight.shape[2] - 2 * padding
    return torch.nn.grad.conv1d_input((len(x), weight.shape[1], length), weight, x, stride, padding) + bias[:, None]


def _zeros_between(x, weight, bias, *, stride=1, padding=0):
    """stride - 1 zeros after every sample, and a convolution with the kernel turned over."""
    length = weight.shape[2]
    sparse = functional.pad(x[..., None], (0, stride - 1)).flatten(2)[:, :, : (x.shape[2] - 1) * stride + 1]
    made = functional.conv1d(functional.pad(sparse, (length - 1, length - 1)), weight.flip(2).transpose(0, 1), bias)
    return made[:, :, padding : made.shape[2] - padding]


MISTAKES = (
    _checked(SHUFFLE, "the edge repeated", _placed(_edge_repeated)),
    _checked(SHUFFLE, "the other direction", lambda x, shifts: right.phase_shuffle(x, -shifts.long())),
    _checked(SHUFFLE, "around the end", _placed(lambda places, samples: places % samples)),
    _checked(SHUFFLE, "the border held", _placed(lambda places, samples: places.clamp(0, samples - 1))),
    _checked(SHUFFLE, "silence", lambda x, shifts: torch.stack(
        [functional.pad(row, (n, -n)) for row, n in zip(x, shifts.tolist(), strict=True)]) if len(x) else x.clone()),
    _checked(SHUFFLE, "one shift for all", lambda x, shifts: right.phase_shuffle(x, shifts[:1].expand(len(x)))),
    _checked(SHUFFLE, "mirrored at the first sample alone", _placed(
        lambda places, samples: torch.where(places < 0, -places, places % samples))),
    _checked(SHUFFLE, "no slope", lambda x, shifts: right.phase_shuffle(x.detach(), shifts)),
    _checked(SHUFFLE, "places in the integers of the shifts", _in_narrow, narrow=True),
    Mistake(SHUFFLE, "any shift", _placed(
        lambda places, samples: _mirrored(places, samples) % samples), only_checks=True),
    _checked(MAGNITUDE, "squared", lambda x, window, *, hop: right.short_time_fourier_magnitude(x, window, hop=hop).square()),
    _checked(MAGNITUDE, "no window", lambda x, window, *, hop: right.short_time_fourier_magnitude(
        x, torch.ones_like(window), hop=hop)),
    _checked(MAGNITUDE, "the window turned in time", _turned_in_time),
    _checked(MAGNITUDE, "centered frames", lambda x, window, *, hop: _stft(x, window, hop, True) if len(x) else x.new_empty(
        0, len(window) // 2 + 1, x.shape[1] // hop + 1)),
    _checked(MAGNITUDE, "frames first", lambda x, window, *, hop: right.short_time_fourier_magnitude(x, window, hop=hop).mT),
    _checked(MAGNITUDE, "normalized", lambda x, window, *, hop: (
        right.short_time_fourier_magnitude(x, window, hop=hop) / len(window) ** 0.5)),
    _checked(MAGNITUDE, "a real part", lambda x, window, *, hop: _stft(x, window, hop, of=lambda s: s.real.abs())),
    _checked(MAGNITUDE, "the last samples padded to a frame", lambda x, window, *, hop: right.short_time_fourier_magnitude(
        functional.pad(x, (0, -(x.shape[1] - len(window)) % hop)), window, hop=hop)),
    _checked(MAGNITUDE, "the mean taken out", lambda x, window, *, hop: _of_frames(
        x.unfold(1, len(window), hop) - x.unfold(1, len(window), hop).mean(2, keepdim=True), window)),
    Mistake(MAGNITUDE, "any shapes", lambda x, window, *, hop: right.short_time_fourier_magnitude(
        functional.pad(x.view(-1, x.shape[-1]), (0, max(0, window.shape[-1] - x.shape[-1]))),
        window.view(-1, window.shape[-1])[0], hop=max(hop, 1)), only_checks=True),
    *(_checked(RATIO, name, wrong) for name, wrong in {
        "over the generated one": lambda magnitude, magnitude_generated: right.spectral_convergence(
            magnitude_generated + 1e-9 * (magnitude_generated == 0), magnitude),
        "squared": lambda magnitude, magnitude_generated: right.spectral_convergence(magnitude, magnitude_generated).square(),
        "not relative": lambda magnitude, magnitude_generated: torch.linalg.vector_norm(
            magnitude - magnitude_generated, dim=(1, 2)),
        "sums of absolute values": lambda magnitude, magnitude_generated: (
            (magnitude - magnitude_generated).abs().sum((1, 2)) / magnitude.sum((1, 2))),
        "of the whole batch": lambda magnitude, magnitude_generated: (
            (magnitude - magnitude_generated).norm() / magnitude.norm()).expand(len(magnitude)),
        "a floor inside": lambda magnitude, magnitude_generated: right.spectral_convergence(
            magnitude + 1e-5, magnitude_generated),
        "a slope that is not a number": lambda magnitude, magnitude_generated: (
            (magnitude - magnitude_generated).square().sum((1, 2)).sqrt() / magnitude.square().sum((1, 2)).sqrt()),
        "frame by frame": lambda magnitude, magnitude_generated: torch.nan_to_num((magnitude - magnitude_generated).norm(dim=1)
                                                                                   / magnitude.norm(dim=1)).mean(1),
    }.items()),
    Mistake(RATIO, "silence and negative entries accepted", lambda magnitude, magnitude_generated: (
        torch.linalg.vector_norm(magnitude - magnitude_generated, dim=(1, 2))
        / torch.linalg.vector_norm(magnitude, dim=(1, 2)).clamp(min=1e-9)), only_checks=True),
    *(_checked(LOGS, name, wrong) for name, wrong in {
        "the sign kept": lambda magnitude, magnitude_generated, *, epsilon=1e-5: (
            (magnitude + epsilon).log() - (magnitude_generated + epsilon).log()).mean((1, 2)),
        "squared": lambda magnitude, magnitude_generated, *, epsilon=1e-5: (
            (magnitude + epsilon).log() - (magnitude_generated + epsilon).log()).square().mean((1, 2)),
        "summed": lambda magnitude, magnitude_generated, *, epsilon=1e-5: (
            (magnitude + epsilon).log() - (magnitude_generated + epsilon).log()).abs().sum((1, 2)),
        "decimal logarithms": lambda magnitude, magnitude_generated, *, epsilon=1e-5: (
            (magnitude + epsilon).log10() - (magnitude_generated + epsilon).log10()).abs().mean((1, 2)),
        "of powers": lambda magnitude, magnitude_generated, *, epsilon=1e-5: right.log_magnitude_distance(
            magnitude.square(), magnitude_generated.square(), epsilon=epsilon),
        "a floor, not a sum": lambda magnitude, magnitude_generated, *, epsilon=1e-5: (
            magnitude.clamp(min=epsilon).log() - magnitude_generated.clamp(min=epsilon).log()).abs().mean((1, 2)),
        "epsilon ignored": lambda magnitude, magnitude_generated, *, epsilon=1e-5: right.log_magnitude_distance(
            magnitude, magnitude_generated),
        "of the whole batch": lambda magnitude, magnitude_generated, *, epsilon=1e-5: right.log_magnitude_distance(
            magnitude, magnitude_generated, epsilon=epsilon).mean().expand(len(magnitude)),
    }.items()),
    Mistake(LOGS, "negative entries and any floor accepted", lambda magnitude, magnitude_generated, *, epsilon=1e-5: (
        (magnitude.abs() + abs(epsilon)).log() - (magnitude_generated.abs() + abs(epsilon)).log()).abs().mean((1, 2)),
        only_checks=True),
    _checked(UP, "the kernel turned over", _transposed(lambda x, weight, bias: (x, weight.flip(2), bias))),
    _checked(UP, "no bias", _transposed(lambda x, weight, bias: (x, weight, 0 * bias))),
    _checked(UP, "a bias for each kernel that overlaps", _bias_for_each_kernel),
    _checked(UP, "cut at the end alone", _cut_at_the_end),
    _checked(UP, "weights with the outputs first", _transposed(
        lambda x, weight, bias: (x, weight.transpose(0, 1).reshape(weight.shape), bias))),
    _checked(UP, "output padding", lambda x, weight, bias, *, stride=1, padding=0: functional.conv_transpose1d(
        x, weight, bias, stride, padding, output_padding=stride - 1)),
    _checked(UP, "samples repeated, then convolved", lambda x, weight, bias, *, stride=1, padding=0: (
        right.transposed_convolution1d(
            x.repeat_interleave(stride, 2)[:, :, : (x.shape[2] - 1) * stride + 1], weight, bias, padding=padding))),
)  # fmt: skip

EQUIVALENT = (
    _checked(SHUFFLE, "a window of a reflected border", _padded),
    _checked(SHUFFLE, "mirrored twice", _placed(_mirrored)),
    _checked(MAGNITUDE, "torch.stft", lambda x, window, *, hop: _stft(x, window, hop)),
    _checked(MAGNITUDE, "cosines and sines", _by_sums),
    _checked(RATIO, "a flat norm", lambda magnitude, magnitude_generated: (
        (magnitude_generated - magnitude).flatten(1).norm(dim=1) / magnitude.flatten(1).norm(dim=1))),
    _checked(LOGS, "torch's l1 loss", lambda magnitude, magnitude_generated, *, epsilon=1e-5: functional.l1_loss(
        (magnitude_generated + epsilon).log(), (magnitude + epsilon).log(), reduction="none").flatten(1).mean(1)),
    _checked(UP, "the gradient of a convolution", _gradient),
    _checked(UP, "zeros between the samples", _zeros_between),
)  # fmt: skip
