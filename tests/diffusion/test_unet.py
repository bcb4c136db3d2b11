"""The U-Net: its parts against other people's, its modules against the formulas, and what a network must be besides right."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from practice_torch.diffusion.unet import (
    downsample_average,
    group_norm,
    residual_block,
    sinusoidal_time_embedding,
    spatial_self_attention,
    upsample_nearest,
)
from practice_torch.networks.unet import DDPM_LAYERS, Attention, Block, UNet1d, UNet2d

SMALL = dict(channels=2, size=4, base_channels=4, multipliers=(1, 2), blocks=1, groups=2)
FORMS = {
    "a skip from every layer": SMALL | dict(attention_at=(4,)),
    "compact": SMALL | dict(compact=True, num_classes=3),
    "time scales": SMALL | dict(scale_shift=True, multipliers=(1, 2, 3)),
}


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def awake(network=UNet2d, **sizes):
    """A network in float64 in which nothing is zero."""
    torch.manual_seed(0)
    network = network(**sizes, zero_init=False).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, mean=0.1, std=0.3)
    return network


def close(got, wanted):
    torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)


# ---------------------------------------------------------------------------------------------------- other opinions


def test_time_embedding_is_that_of_diffusers():
    embeddings = pytest.importorskip("diffusers.models.embeddings")
    t = torch.tensor([0, 1, 17, 999])
    wanted = embeddings.get_timestep_embedding(t, 12, flip_sin_to_cos=False, downscale_freq_shift=1)
    torch.testing.assert_close(sinusoidal_time_embedding(t.float(), dim=12), wanted, rtol=1e-5, atol=2e-4)


@pytest.mark.parametrize("shape", [(3, 6, 4, 5), (3, 6, 7), (3, 6)])
def test_group_norm_is_torchs(shape):
    x, weight, bias = draw(*shape), draw(6, seed=1), draw(6, seed=2)
    close(group_norm(x, weight, bias, num_groups=3, epsilon=1e-3), functional.group_norm(x, 3, weight, bias, 1e-3))


def test_half_precision_does_not_overflow_in_the_norm():
    """300^2 is more than float16 holds."""
    x = (300 * draw(2, 4, 3, 5)).half()
    ours = group_norm(x, torch.ones(4).half(), torch.zeros(4).half(), num_groups=2)
    assert ours.dtype == torch.float16
    wanted = functional.group_norm(x.double(), 2)
    torch.testing.assert_close(ours.double(), wanted, rtol=1e-3, atol=1e-3)


def test_attention_is_torchs_over_pixels():
    x, weights = draw(2, 6, 3, 4), [draw(6, 6, seed=seed) for seed in range(1, 5)]
    tokens = x.permute(0, 2, 3, 1).reshape(2, 12, 6)
    query, key, value = ((tokens @ weight.T).view(2, 12, 3, 2).transpose(1, 2) for weight in weights[:3])
    mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(2, 3, 4, 6)
    close(spatial_self_attention(x, *weights, num_heads=3), x + (mixed @ weights[3].T).permute(0, 3, 1, 2))


def test_halving_and_doubling_are_torchs():
    x = draw(2, 3, 4, 6)
    close(downsample_average(x), functional.avg_pool2d(x, 2))
    close(upsample_nearest(x), functional.interpolate(x, scale_factor=2, mode="nearest"))


# ---------------------------------------------------------------------------------------------------- modules are the formulas


def test_a_block_is_residual_block():
    network = awake(**SMALL)
    block = network.encoder[0].blocks[0]
    x, embedding = draw(3, 4, 5, 6), draw(3, 16, seed=1)
    names = ("norm1", "conv1", "embed", "norm2", "conv2")
    parameters = [getattr(getattr(block, name), leaf) for name in names for leaf in ("weight", "bias")]
    close(block(x, functional.silu(embedding)), residual_block(x, embedding, *parameters, num_groups=2))


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_spatial_self_attention_behind_a_norm(heads):
    torch.manual_seed(0)
    attention, x = Attention(8, heads, partial(nn.GroupNorm, 2)).double(), draw(3, 8, 2, 5)
    normed = attention.norm(x)
    weights = (*attention.query_key_value.weight.chunk(3), attention.output.weight)
    close(attention(x) - x, spatial_self_attention(normed, *weights, num_heads=heads) - normed)


def test_a_sequence_is_an_image_of_equal_rows():
    """Kernels that read their middle row only treat every row alike, and attention over copies is attention over one."""
    sizes = SMALL | dict(size=8, multipliers=(1, 2, 2), attention_at=(4,), num_classes=2)
    sequence, image = awake(UNet1d, **sizes), awake(UNet2d, **sizes)
    state = sequence.state_dict()
    for name, tensor in image.state_dict().items():
        if tensor.ndim == 4:
            state[name] = torch.zeros_like(tensor)
            state[name][:, :, tensor.shape[2] // 2] = sequence.state_dict()[name]
    image.load_state_dict(state)
    x, t, label = draw(3, 2, 8), torch.tensor([1, 5, 9]), torch.tensor([0, 2, 1])
    close(image(x[:, :, None].expand(-1, -1, 8, -1), t, label), sequence(x, t, label)[:, :, None].expand(-1, -1, 8, -1))


# ---------------------------------------------------------------------------------------------------- how large it is


def convolution(inputs, outputs):
    return 9 * inputs * outputs + outputs


def block(inputs, outputs, embedding):
    """Two norms, two convolutions, the embedding's matrix, and a 1x1 convolution where the width changes."""
    shortcut = 0 if inputs == outputs else inputs * outputs + outputs
    return (
        2 * inputs
        + convolution(inputs, outputs)
        + embedding * outputs
        + outputs
        + 2 * outputs
        + convolution(outputs, outputs)
        + shortcut
    )


def attention(width):
    return 2 * width + 4 * width**2


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_cifar_10_network_has_the_parameters_of_the_paper_s():
    """Ho et al.'s 35,746,307; without their layers less the biases of six attentions (query, key, value and output)."""
    sizes = dict(channels=3, size=32, base_channels=128, multipliers=(1, 2, 2, 2), attention_at=(16,), dropout=0.1)
    with torch.device("meta"):
        network, theirs = UNet2d(**sizes), UNet2d(**sizes, **DDPM_LAYERS)
    by_hand = (
        128 * 512
        + 512
        + 512 * 512
        + 512
        + convolution(3, 128)
        + 2 * block(128, 128, 512)
        + convolution(128, 128)
        + block(128, 256, 512)
        + block(256, 256, 512)
        + 2 * attention(256)
        + convolution(256, 256)
        + 2 * (2 * block(256, 256, 512))
        + convolution(256, 256)
        + 2 * block(256, 256, 512)
        + attention(256)
        + 2 * (3 * block(512, 256, 512))
        + convolution(256, 256)
        + convolution(256, 256)
        + 2 * block(512, 256, 512)
        + block(384, 256, 512)
        + 3 * attention(256)
        + convolution(256, 256)
        + block(384, 128, 512)
        + 2 * block(256, 128, 512)
        + 2 * 128
        + convolution(128, 3)
    )
    assert count(network) == by_hand == 35_746_307 - 6 * 4 * 256
    assert count(theirs) == 35_746_307


def test_the_digits_network_is_a_fifth_of_a_million():
    network = UNet2d(channels=1, size=8, base_channels=24, multipliers=(1, 2), num_classes=10, compact=True)
    by_hand = (
        24 * 96
        + 96
        + 96 * 96
        + 96
        + 11 * 96
        + convolution(1, 24)
        + 2 * block(24, 24, 96)
        + convolution(24, 24)
        + block(24, 48, 96)
        + attention(48)
        + block(48, 48, 96)
        + convolution(48, 48)
        + block(48 + 24, 24, 96)
        + block(24 + 24, 24, 96)
        + 2 * 24
        + convolution(24, 1)
    )
    assert count(network) == by_hand == 202_177
    assert count(UNet2d(channels=1, size=8, base_channels=24, multipliers=(1, 2), num_classes=10)) == 518_401


def test_heads_have_64_channels_at_scale():
    with torch.device("meta"):
        network = UNet2d(channels=3, size=32, base_channels=128, multipliers=(1, 2, 2, 2), attention_at=(16,))
    assert [m.heads for m in network.modules() if isinstance(m, Attention)] == [4] * 6
    digits = UNet2d(channels=1, size=8, base_channels=24, multipliers=(1, 2), compact=True)
    assert [m.heads for m in digits.modules() if isinstance(m, Attention)] == [1]


# ---------------------------------------------------------------------------------------------------- how it behaves


def test_it_begins_at_zero_and_learns_from_there():
    torch.manual_seed(0)
    network = UNet2d(channels=1, size=8, base_channels=8, multipliers=(1, 2), blocks=1, compact=True, groups=4)
    x, t, noise = draw(16, 1, 8, 8).float(), torch.arange(1, 17), draw(16, 1, 8, 8, seed=1).float()
    assert not network(x, t).any()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = functional.mse_loss(network(x, t), noise)
        loss.backward()
        optimizer.step()
    assert loss < 0.5 * noise.square().mean()
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    assert all(module.conv1.weight.grad.abs().max() > 0 for module in blocks)  # layers behind an initial zero now have gradients


def test_a_fresh_block_between_equal_widths_is_the_identity():
    network, x = UNet2d(**SMALL, attention_at=(4,)).double(), draw(3, 4, 5, 6)
    block = network.encoder[0].blocks[0]
    assert block.attention is not None and torch.equal(block(x, draw(3, 16, seed=1)), x)


@pytest.mark.parametrize("sizes", FORMS.values(), ids=FORMS)
def test_no_parameter_is_dead(sizes):
    """Every one of them moves the output, or it would be carried and saved for nothing."""
    network = awake(**sizes)
    label = torch.tensor([0, 3, 2, 1]) if "num_classes" in sizes else None
    network(draw(4, 2, 4, 4), torch.tensor([1, 5, 9, 30]), label).square().sum().backward()
    assert [name for name, p in network.named_parameters() if not (p.grad.abs() > 1e-9).any()] == []


@pytest.mark.parametrize(
    "sizes",
    [FORMS["compact"], SMALL | dict(scale_shift=True, attention_at=(4,)), SMALL | DDPM_LAYERS],
    ids=["compact", "time scales", "DDPM's layers"],
)
def test_it_compiles_as_one_graph(sizes):
    torch._dynamo.reset()
    network, given = awake(**sizes), (draw(3, 2, 4, 4), torch.tensor([1, 5, 9]))
    given = (*given, torch.tensor([0, 3, 2])) if "num_classes" in sizes else given
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    got, wanted = compiled(*given), network(*given)
    close(got, wanted)
    (gradient,) = torch.autograd.grad(got.square().sum(), [network.input.weight])
    close(gradient, torch.autograd.grad(wanted.square().sum(), [network.input.weight])[0])


@pytest.mark.parametrize("sizes", FORMS.values(), ids=FORMS)
def test_channels_last_stays_channels_last(sizes):
    """Every convolution and every norm gets and gives that layout, so that none of them copies."""
    sizes = sizes | dict(size=8, attention_at=(8,))
    network, x, t = awake(**sizes), draw(3, 2, 8, 8), torch.tensor([1, 5, 9])
    wanted, seen = network(x, t), []

    def look(module, given, result):
        seen.extend(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in (given[0], result))

    network = network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.GroupNorm):
            module.register_forward_hook(look)
    got = network(x.to(memory_format=torch.channels_last), t)
    close(got, wanted)
    assert len(seen) > 20 and all(seen)


def test_leaving_the_label_out_means_the_null_class():
    network, x, t = awake(**FORMS["compact"]), draw(3, 2, 4, 4), torch.tensor([1, 5, 9])
    without, null, first = network(x, t), network(x, t, torch.full((3,), 3)), network(x, t, torch.zeros(3, dtype=torch.long))
    assert torch.equal(without, null) and not torch.allclose(without, first)


def test_whole_numbers_are_times_like_real_ones():
    network, x = awake(**SMALL), draw(3, 2, 4, 4)
    assert torch.equal(network(x, torch.tensor([1, 5, 999])), network(x, torch.tensor([1.0, 5.0, 999.0], dtype=torch.float64)))


def test_half_precision_separates_time_999_from_1000():
    """bfloat16 rounds both to 1000: the angles are taken before."""
    network = UNet2d(**SMALL).bfloat16()
    (embedding,) = network._conditions(torch.zeros(2, 2, 4, 4).bfloat16(), torch.tensor([999, 1000]), None)
    assert embedding.dtype == torch.bfloat16 and not torch.equal(embedding[0], embedding[1])
    assert network(torch.zeros(2, 2, 4, 4).bfloat16(), torch.tensor([999, 1000])).dtype == torch.bfloat16


def test_images_need_not_be_square_nor_of_one_size():
    """Two channels out for each channel in: a head for variances."""
    network = awake(**(SMALL | dict(size=(4, 6), out_channels=5)))
    assert network(draw(3, 2, 4, 6), torch.ones(3)).shape == (3, 5, 4, 6)
    assert network(draw(3, 2, 8, 2), torch.ones(3)).shape == (3, 5, 8, 2)


def test_dropout_acts_in_training_only():
    network, x, t = awake(**SMALL, dropout=0.5), draw(3, 2, 4, 4), torch.ones(3)
    assert not torch.equal(network(x, t), network(x, t))
    network.eval()
    assert torch.equal(network(x, t), network(x, t))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (dict(size=28, multipliers=(1, 2, 2, 2)), "size is 28 x 28; with 4 multipliers it must be a multiple of 8"),
        (dict(size=(8, 6), multipliers=(1, 2, 2)), "size is 8 x 6; with 3 multipliers it must be a multiple of 4"),
        (dict(size=0), "size is 0 x 0"),
        (dict(size=(4, 4, 4)), "size is .* it must have 2 axes"),
        (dict(attention_at=(16,)), "attention_at has 16; the levels have heights 4, 2"),
        (dict(base_channels=5), "base_channels is 5; it must be even"),
        (dict(blocks=0), "blocks is 0"),
        (dict(multipliers=(1,), compact=True), "multipliers is .* two in a compact network"),
        (dict(multipliers=()), "multipliers is"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        UNet2d(**(SMALL | sizes))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (((3, 2, 4, 5), None), "x is 4 x 5; this network halves it 1 times: multiples of 2 only"),
        (((3, 2, 4), None), "x has shape"),
        (((3, 1, 4, 4), None), "x has 1 channels; this network was built for 2"),
        (((2, 2, 4, 4), None), "t has shape"),
        (((3, 2, 4, 4), torch.zeros(2, dtype=torch.long)), "label has shape"),
        (((3, 2, 4, 4), torch.tensor([0, 4, 1])), r"label is 4 at \[1\]; it must be in 0..3"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(given, message):
    shape, label = given
    with pytest.raises(ValueError, match=message):
        awake(**FORMS["compact"])(draw(*shape), torch.ones(3), label)


def test_a_label_for_a_network_without_classes_is_refused():
    with pytest.raises(ValueError, match="without classes"):
        awake(**SMALL)(draw(3, 2, 4, 4), torch.ones(3), torch.zeros(3, dtype=torch.long))


def test_initial_weights_have_unit_gain():
    """A 3x3 convolution of unit noise, away from the border, has unit variance: 9 C weights of variance 1/(9 C)."""
    torch.manual_seed(0)
    weight = UNet2d(channels=64, size=4, base_channels=64, multipliers=(1,), blocks=1).input.weight
    assert math.isclose(weight.var().item(), 1 / (9 * 64), rel_tol=0.02)
