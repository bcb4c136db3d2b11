"""WaveNet's parts against torchaudio, torch and SciPy; the network against its parts; its experiment."""

import dataclasses

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import lfilter
from torch import nn
from torch.nn import functional

from practice_torch.autoregressive import wavenet as practice
from practice_torch.engine.batches.datasets import Described, load_data
from practice_torch.engine.loop import Training
from practice_torch.engine.storage.run import Run
from practice_torch.experiments.autoregressive.wavenet import RECIPES, build
from practice_torch.experiments.codes.sound_codes import nearest_note, varied
from practice_torch.networks.wavenet import WaveNet
from practice_torch.networks.wavenet import draw as code_at
from theory_jax.autoregressive import wavenet as theory

WINGS = pytest.mark.parametrize(("wing", "array"), [(practice, torch.tensor), (theory, np.asarray)], ids=["practice", "theory"])


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("num_levels", [2, 16, 255, 256])
def test_codes_are_torchaudios(num_levels):
    peer = pytest.importorskip("torchaudio.functional")
    x = torch.linspace(-1, 1, 4001, dtype=torch.float64)
    codes = practice.mu_law_encode(x, num_levels=num_levels)
    assert torch.equal(codes, peer.mu_law_encoding(x, num_levels))
    decoded = practice.mu_law_decode(codes, num_levels=num_levels)
    torch.testing.assert_close(decoded, peer.mu_law_decoding(codes, num_levels), rtol=1e-5, atol=1e-6, check_dtype=False)


@WINGS
@pytest.mark.parametrize("num_levels", [2, 10, 37, 256, 65536])
def test_what_is_decoded_can_be_encoded_again(wing, array, num_levels):
    """Also the two loudest codes: of 10 or 37 levels, rounding alone would decode them to a little more than 1."""
    codes = array(np.arange(num_levels))
    assert np.array_equal(
        wing.mu_law_encode(wing.mu_law_decode(codes, num_levels=num_levels), num_levels=num_levels), np.arange(num_levels)
    )


@WINGS
@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (2, 1), (3, 4), (2, 30)])
def test_the_convolution_is_torchs_own_padded_on_the_left(wing, array, taps, dilation):
    x, weight, bias = draw(2, 3, 11), draw(4, 3, taps, seed=1), draw(4, seed=2)
    wanted = functional.conv1d(functional.pad(x, ((taps - 1) * dilation, 0)), weight, bias, dilation=dilation)
    ours = wing.causal_convolution(*(array(part.numpy()) for part in (x, weight, bias)), dilation=dilation)
    np.testing.assert_allclose(ours, wanted, rtol=1e-12, atol=1e-13)


@WINGS
def test_one_channel_is_a_filter_of_signal_processing(wing, array):
    """scipy counts taps from the present into the past, and knows dilation as zeros between them."""
    x, taps = draw(12).numpy(), draw(3, seed=1).numpy()
    spread = np.zeros(5)
    spread[::2] = taps[::-1]
    ours = wing.causal_convolution(array(x[None, None]), array(taps[None, None]), array(np.zeros(1)), dilation=2)
    np.testing.assert_allclose(ours[0, 0], lfilter(spread, [1.0], x), rtol=1e-12, atol=1e-13)


def test_a_speech_like_signal_survives_eight_bits():
    """Over 30 dB at full and at a hundredth of the loudness, in float32."""
    x = torch.sin(torch.arange(4000) * 0.05) * torch.exp(-torch.arange(4000) / 900)
    for loudness in (1.0, 0.01):
        heard = practice.mu_law_decode(practice.mu_law_encode(loudness * x, num_levels=256), num_levels=256)
        noise = (heard - loudness * x).square().mean()
        assert 10 * torch.log10((loudness * x).square().mean() / noise) > 30
        assert heard.dtype == torch.float32


# ---------------------------------------------------------------------------------------------------- the network

SIZES = {"num_levels": 16, "residual_channels": 5, "skip_channels": 7, "dilations": (1, 2, 4)}


def network(**changes):
    torch.manual_seed(0)
    return with_conditions(WaveNet(**{**SIZES, **changes}).double())


def with_conditions(made):
    """The network with its conditions drawn as well: at the start they are zero, and all classes alike."""
    for block in made.blocks:
        if block.condition is not None:
            nn.init.normal_(block.condition.weight)
    return made


def codes_of(*shape, seed=0):
    return torch.randint(16, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("classes", "kernel_size"), [(0, 2), (3, 2), (3, 3), (0, 1)])
def test_the_network_is_residual_blocks_end_to_end(classes, kernel_size):
    """A label for all, so that its condition can be part of the blocks' biases."""
    made, codes = network(classes=classes, kernel_size=kernel_size), codes_of(2, 11)
    label = torch.tensor([1]) if classes else None
    before = torch.cat([torch.full((2, 1), 8), codes[:, :-1]], dim=1)
    x, skips = made.embedding(before).transpose(1, 2), 0
    for dilation, parameters in zip(SIZES["dilations"], made.parameters_by_name(label), strict=True):
        x, skip = practice.gated_residual_block(x, **parameters, dilation=dilation)
        skips = skips + skip
    logits = made(codes, label.expand(2) if classes else None)
    torch.testing.assert_close(logits, made.head(skips.transpose(1, 2)), rtol=1e-12, atol=1e-12)


def test_the_blocks_queue_is_that_of_convolution_step():
    """Its ring holds what the queue holds, and its gates see the result of convolution_step."""
    block, x = network(kernel_size=3).blocks[1], draw(2, 5, 9)
    (_, gated, *outward), weight = block(x.transpose(1, 2)), block.parameters_by_name()
    expected = functional.linear(gated, *outward)
    ring, queues = block.queue(2), [torch.zeros(2, 5, 4, dtype=torch.float64)] * 2
    for t in range(9):
        gates = []
        for i, name in enumerate(("filter", "gate")):
            y, queues[i] = practice.convolution_step(
                x[:, :, t], queues[i], weight[f"{name}_weight"], weight[f"{name}_bias"], dilation=2
            )
            gates.append(y)
        z = gates[0].tanh() * gates[1].sigmoid()
        _, skip = block.step(x[:, :, t], ring, t, None)
        torch.testing.assert_close(skip, z @ weight["skip_weight"].T + weight["skip_bias"], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(skip, expected[:, t], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(ring.roll(-(t + 1) % 4, 0).permute(1, 2, 0), queues[0], rtol=0, atol=0)


def naively(made, uniforms, label):
    """Codes drawn one after the other, every one with a pass over all that came before it."""
    codes = torch.zeros(len(uniforms), 0, dtype=torch.long)
    for uniform in uniforms.T:
        longer = functional.pad(codes, (0, 1))  # the last place is not read
        codes = torch.cat([codes, code_at(made(longer, label)[:, -1], uniform)[:, None]], dim=1)
    return codes


@pytest.mark.parametrize(("classes", "kernel_size"), [(0, 2), (3, 3)])
def test_generation_from_queues_is_naive_generation(classes, kernel_size):
    """Longer than the receptive field, which rings of every length go round several times."""
    made, uniforms = network(classes=classes, kernel_size=kernel_size), draw(4, 40).sigmoid()
    label = torch.tensor([0, 1, 2, 1]) if classes else None
    generated = made.generate(uniforms, label)
    with torch.no_grad():
        assert torch.equal(generated, naively(made, uniforms, label))
    assert generated.unique().numel() > 10


def test_generated_codes_have_the_networks_distribution():
    """Uniforms on a grid fall on each first code in proportion to its probability, and the next codes know the first."""
    made, count = network(), 4000
    uniforms = ((torch.arange(count) + 0.5) / count)[:, None].repeat(1, 2).double()
    codes = made.generate(uniforms)
    first = made(codes[:1])[0, 0].softmax(0)
    assert (codes[:, 0].bincount(minlength=16) / count - first).abs().max() < 2 / count
    following = made(codes)[:, 1].softmax(1).cumsum(1)
    chosen = following.gather(1, codes[:, 1:])[:, 0]
    assert bool((chosen > uniforms[:, 1] - 1e-6).all())


def test_the_network_sees_the_past_and_the_class_alone():
    made, codes = network(classes=3), codes_of(2, 30)
    changed = codes.clone()
    changed[:, 12] = (changed[:, 12] + 5) % 16
    label = torch.tensor([0, 2])
    differs = ((made(codes, label) - made(changed, label)).abs().amax(dim=(0, 2)) > 0).nonzero()[:, 0].tolist()
    reach = practice.receptive_field(kernel_size=2, dilations=SIZES["dilations"])
    assert differs == list(range(13, 13 + reach))  # not at 12 itself
    assert bool(((made(codes, label) - made(codes, label.flip(0))).abs() > 0).all())


def test_all_codes_of_a_short_sound_have_probability_one_together():
    made = network(num_levels=3, residual_channels=4)
    every = torch.cartesian_prod(*[torch.arange(3)] * 4)
    log_probs = made(every).log_softmax(-1).gather(2, every[:, :, None]).sum(dim=(1, 2))
    torch.testing.assert_close(log_probs.exp().sum(), torch.ones((), dtype=torch.float64))


def test_a_class_that_is_missing_or_too_much_is_refused():
    with pytest.raises(ValueError, match="label is missing"):
        network(classes=3)(codes_of(1, 4))
    with pytest.raises(ValueError, match="label is given"):
        network()(codes_of(1, 4), torch.tensor([0]))
    with pytest.raises(ValueError, match="^dilations is 0"):
        network(dilations=(1, 0))


def test_the_network_compiles_as_one_graph():
    made, codes, label = network(classes=3), codes_of(2, 9), torch.tensor([0, 2])
    compiled = torch.compile(made, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(codes, label), made(codes, label))


# ---------------------------------------------------------------------------------------------------- the experiment

TINY = {"length": 96, "doublings": 4, "residual_channels": 6, "skip_channels": 8, "steps": 3, "evaluate_every": 3}


def experiment_on(data, recipe="notes", **changes):
    """(experiment, train, held out), with its own draws."""
    recipe = dataclasses.replace(RECIPES[recipe], data=str(data), warmup_steps=0, **{**TINY, **changes})
    train, held_out = load_data(recipe)
    torch.manual_seed(0)
    experiment = build(recipe, Described(train.description))
    with_conditions(experiment.network)
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment, train, held_out


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Six hums at 8 kHz, three of each of two words."""
    folder = tmp_path_factory.mktemp("words")
    for i in range(6):
        (folder / ("yes", "no")[i % 2]).mkdir(exist_ok=True)
        hum = 0.5 * np.sin(np.arange(300) * (0.1 + 0.1 * (i % 2))) * np.exp(-np.arange(300) / 200)
        soundfile.write(folder / ("yes", "no")[i % 2] / f"{i}.wav", hum, 8000)
    return folder


def test_three_steps_in_the_engine(tmp_path):
    """From recipe to run folder: metrics that a start has, previews that can be heard and seen, sounds of every class."""
    experiment, train, held_out = experiment_on("notes")
    run = Run.create(tmp_path / "run", "autoregressive/wavenet", "notes", experiment.recipe, train.description)
    metrics = Training(run, experiment.recipe, experiment, train, held_out, cpu=True).train()
    assert 6 < metrics["bits_per_sample"] < 9 and 6 < metrics["unigram_bits"] < 8 and 0 <= metrics["pitch_accuracy"] <= 1
    previews = {path.name for path in (tmp_path / "run" / "previews").iterdir()}
    assert {f"00000003-{name}.{suffix}" for name in ("held_out", "drawn") for suffix in ("wav", "png")} <= previews
    sounds = experiment.sample(15)
    assert len(sounds) == 13 and sounds["class_00"].samples.shape == (2, 96) and sounds["class_12"].samples.shape == (1, 96)
    assert sounds["class_01"].caption == "Generated for class A#3" and sounds["class_01"].sample_rate == 8000


def test_bits_are_those_of_the_conditionals():
    """Evaluated sound by sample by hand; and the loss that is trained, with the same sounds as they are, is the same in nats."""
    experiment, _, held_out = experiment_on("notes", loudness=0.0)
    batch, total = held_out.batch(), 0.0
    codes = practice.mu_law_encode(batch["audio"][:, 0], num_levels=256)
    with torch.no_grad():
        for sound, label in zip(codes, batch["label"], strict=True):
            log_probs = experiment.network(sound[None], label[None])[0].double().log_softmax(-1)
            total -= sum(float(log_probs[t, code]) for t, code in enumerate(sound.tolist()))
        bits = total / codes.numel() / np.log(2)
        assert experiment.evaluate(held_out)["bits_per_sample"] == pytest.approx(bits, rel=1e-6)
        loss, logs = experiment(batch, "train")
    assert float(loss) == pytest.approx(bits * np.log(2), rel=1e-5)
    assert float(logs["bits_per_sample"]) == pytest.approx(bits, rel=1e-5)


def test_sounds_are_drawn_for_the_requested_class():
    """From the experiment's own generator; the class alone makes the difference."""
    experiment, *_ = experiment_on("notes")
    for labels in (torch.tensor([0, 5, 12]), torch.tensor([0, 0, 0])):
        experiment.generator.manual_seed(7)
        sounds = experiment._generate(3, labels)
        uniforms = torch.rand(3, 96, generator=torch.Generator().manual_seed(7))
        codes = experiment.network.generate(uniforms, labels)
        assert torch.equal(sounds, practice.mu_law_decode(codes, num_levels=256))
    assert not torch.equal(codes, experiment.network.generate(uniforms, torch.tensor([0, 5, 12])))


def test_unigram_bits_are_the_entropy_of_the_codes():
    experiment, _, held_out = experiment_on("notes", levels=4)
    codes = practice.mu_law_encode(held_out.batch()["audio"], num_levels=4)
    share = np.array([float((codes == code).double().mean()) for code in range(4)])
    assert experiment.evaluate(held_out)["unigram_bits"] == pytest.approx(-(share * np.log2(share)).sum(), rel=1e-9)


def test_a_real_note_has_its_pitch():
    """The measure of generated notes, on real ones of the recipe's length: it can be trusted to say right and wrong."""
    held_out = load_data(RECIPES["notes"])[1]
    sounds, labels = held_out.batch()["audio"][:, 0], held_out.labels
    heard = nearest_note(sounds, held_out.description["frequencies"], 8000)
    assert torch.equal(heard, labels) and labels.unique().numel() > 8


def test_another_take_is_the_same_sound_louder_or_turned_over():
    experiment, train, _ = experiment_on("notes", length=1024)
    sound = train.batch(torch.arange(64))["audio"][:, 0]
    loudness = experiment.recipe.loudness
    taken = varied(sound, loudness, experiment.generator)
    gain = (taken * sound).sum(1) / (sound * sound).sum(1)
    torch.testing.assert_close(taken, gain[:, None] * sound, rtol=1e-4, atol=1e-6)
    assert bool((taken.abs() <= 1).all()) and bool(((gain.abs() > 0.74) & (gain.abs() < 1.35)).all())
    assert 16 < int((gain > 0).sum()) < 48 and float(gain.abs().std()) > 0.1
    torch.testing.assert_close(varied(torch.zeros(2, 5), loudness, experiment.generator), torch.zeros(2, 5))


def test_a_folder_of_recordings(recordings):
    """The big recipe on a small folder: its classes are requested by name."""
    experiment, _, held_out = experiment_on(recordings, "spoken_digits", held_out=0.34, batch_size=4)
    assert "pitch_accuracy" not in experiment.evaluate(held_out)
    assert [sound.caption[-3:].strip() for sound in experiment.sample(2).values()] == ["no", "yes"]
    assert experiment.preview(held_out)["drawn"].samples.shape[1] == 96


def test_sounds_without_classes(recordings, tmp_path):
    """One unconditional model if there are no classes or if the recipe is unconditional."""
    for path in recordings.glob("*/*.wav"):
        (tmp_path / f"take {path.name}").write_bytes(path.read_bytes())
    for data, changes in ((tmp_path, {}), (recordings, {"conditional": False})):
        experiment, _, held_out = experiment_on(data, held_out=0.34, batch_size=4, **changes)
        assert experiment.network.blocks[0].condition is None
        assert experiment.evaluate(held_out).keys() == {"bits_per_sample", "unigram_bits"}
        assert experiment.sample(2)["sounds"].samples.shape == (2, 96)
        assert experiment.preview(held_out).keys() == {"held_out", "sounds"}
