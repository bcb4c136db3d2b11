"""DDPM's U-Net of diffusers' configurations: outputs, gradients, names and numbers of parameters, against UNet2DModel itself."""

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.engine.errors import RunError
from practice_torch.pretrained import ddpm, ddpm_configuration
from practice_torch.pretrained.layout import to_ours, to_theirs
from tests.support.pretrained.diffusers_unets import (
    DTYPES,
    PUBLISHED,
    SCHEDULER,
    SMALL,
    built_here,
    of_diffusers,
    recipe_of,
    same_here,
)

diffusers = pytest.importorskip("diffusers")

FORMS = {
    "one head": {},
    "narrow heads, three channels of grey": {"attention_head_dim": 4, "in_channels": 1, "out_channels": 1},
    "two levels with attention, two blocks": {
        "block_out_channels": [4, 8, 16],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
        "layers_per_block": 2,
    },
    "attention nowhere but in the middle, level for level as wide": {
        "block_out_channels": [8, 8],
        "down_block_types": ["DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D"],
    },
}


def outcome(network, x, t, weights):
    """What a network answers, and the slopes of its weighted sum: of the images and of every parameter, by name."""
    network.zero_grad()
    x = x.clone().requires_grad_()
    output = network(x, t)
    output = getattr(output, "sample", output)
    (output * weights).sum().backward()
    slopes = {name: parameter.grad for name, parameter in network.named_parameters()}
    return output.detach(), x.grad, slopes


def neighbor(tensor, generator):
    """Every number at a neighbor in float32, or at itself."""
    signs = torch.randint(-1, 2, tensor.shape, generator=generator).double()
    return tensor * (1 + signs * torch.finfo(torch.float32).eps)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_outputs_and_all_gradients_are_those_of_diffusers(form):
    """Within 16 times the change that neighboring weights, images and times make in theirs."""
    configuration, generator = SMALL | form, torch.Generator().manual_seed(0)
    shape = 3, configuration["in_channels"], 8, 8
    x, weights = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    t, theirs = torch.tensor([0, 7, 999]), of_diffusers(configuration)
    ours, layout = same_here(theirs, configuration)
    shapes = {name: tuple(parameter.shape) for name, parameter in ours.named_parameters()}

    def by_our_names(output, slope, slopes):
        return {"output": output, "images": slope} | to_ours(layout, slopes, shapes)

    exact = by_our_names(*outcome(theirs, x, t, weights))
    moved = of_diffusers(configuration)
    for parameter in moved.parameters():
        parameter.data = neighbor(parameter.data, generator)
    moved = by_our_names(*outcome(moved, neighbor(x, generator), neighbor(t.double(), generator), weights))
    for dtype in DTYPES:
        unit = torch.finfo(dtype).eps / torch.finfo(torch.float32).eps
        output, slope, slopes = outcome(ours.to(dtype), x.to(dtype), t + 1, weights.to(dtype))
        for name, found in ({"output": output, "images": slope} | slopes).items():
            change = (moved[name] - exact[name]).abs().max() + torch.finfo(torch.float32).eps * exact[name].abs().max()
            error = (found.double() - exact[name]).abs().max()
            assert error <= 16 * unit * change, f"{name} in {dtype}: {error:.3g}, and {16 * unit * change:.3g} is rounding"


@pytest.mark.parametrize(("name", "configurations"), PUBLISHED.items(), ids=PUBLISHED)
def test_a_published_network_has_the_parameters_of_diffusers(name, configurations):
    """Counted and measured on tensors without memory."""
    network, _ = configurations
    with torch.device("meta"):
        ours = built_here(*configurations)
        theirs = diffusers.UNet2DModel.from_config({key: value for key, value in network.items() if key[0] != "_"})
    count = sum(parameter.numel() for parameter in ours.parameters())
    assert count == {32: 35_746_307, 256: 113_673_219}[network["sample_size"]]
    layout = ddpm.layout({name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()})
    found = {name: list(tensor.shape) for name, tensor in to_theirs(layout, ours.state_dict()).items()}
    assert found == {name: list(tensor.shape) for name, tensor in theirs.state_dict().items()}


def test_a_small_network_is_the_same_under_its_earlier_names():
    """Published files have the names of attentions before 0.17, which diffusers renames when it loads them."""
    theirs = of_diffusers(SMALL)
    ours, _ = same_here(theirs, SMALL)
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()}
    earlier = ddpm.layout(shapes, earlier=True)
    named = to_theirs(earlier, ours.state_dict())
    assert ddpm.is_earlier(named) and not ddpm.is_earlier(theirs.state_dict())
    again = to_ours(earlier, named, shapes)
    assert all(torch.equal(tensor, again[name]) for name, tensor in ours.state_dict().items())
    theirs._fix_state_dict_keys_on_load(named)
    assert {name: tensor.shape for name, tensor in named.items()} == {k: v.shape for k, v in theirs.state_dict().items()}
    assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in named.items())


@pytest.mark.parametrize("configurations", PUBLISHED.values(), ids=PUBLISHED)
def test_configurations_come_back(configurations):
    network, scheduler = configurations
    fields, shape = ddpm_configuration.fields(network, scheduler), ddpm_configuration.image_shape(network)
    written = ddpm_configuration.configurations(recipe_of(network, scheduler).fields(), shape)
    assert ddpm_configuration.fields(*written) == fields and ddpm_configuration.image_shape(written[0]) == shape
    for kind, before, after in zip((diffusers.UNet2DModel, diffusers.DDPMScheduler), configurations, written, strict=True):
        with torch.device("meta"):
            known = [dict(kind.from_config(config).config) for config in (before, after)]
        assert {key: value for key, value in known[0].items() if key[0] != "_"} == {
            key: value for key, value in known[1].items() if key[0] != "_"
        }


@pytest.mark.parametrize(
    ("of", "key", "value", "complaint"),
    [
        (0, "freq_shift", None, "freq_shift is 0, which diffusers takes where the key is missing; it must be 1"),
        (0, "flip_sin_to_cos", True, "flip_sin_to_cos is True; it must be False"),
        (0, "center_input_sample", 1, "center_input_sample is 1; it must be False"),
        (0, "norm_eps", 1e-5, "norm_eps is 1e-05; it must be 1e-06"),
        (0, "downsample_padding", 1, "downsample_padding is 1; it must be 0"),
        (0, "act_fn", "gelu", "act_fn is 'gelu'; it must be 'silu' or 'swish'"),
        (0, "resnet_time_scale_shift", "scale_shift", "resnet_time_scale_shift is 'scale_shift'"),
        (0, "num_class_embeds", 10, "num_class_embeds is 10; it must be None"),
        (
            0,
            "down_block_types",
            ["DownBlock2D", "SkipDownBlock2D"],
            "down_block_types is .* must be 2 of DownBlock2D and AttnDownBlock2D",
        ),
        (
            0,
            "up_block_types",
            ["UpBlock2D", "UpBlock2D"],
            "up_block_types is .* those of down_block_types: AttnUpBlock2D, UpBlock2D",
        ),
        (0, "block_out_channels", [4, 6], "block_out_channels is .* each a multiple of the first"),
        (0, "block_out_channels", [4, True], "block_out_channels is .* whole numbers above 0"),
        (0, "norm_num_groups", 3, "norm_num_groups is 3; it must be a divisor of block_out_channels, 4, 8"),
        (0, "attention_head_dim", 3, "attention_head_dim is 3; it must be null, or a divisor of 8"),
        (0, "out_channels", 6, "out_channels is 6; it must be in_channels, 3"),
        (0, "sample_size", None, "sample_size is None; it must be a whole number above 0"),
        (0, "dropout", 1.5, "dropout is 1.5; it must be a number between 0 and 1"),
        (0, "_class_name", "UNet2DConditionModel", "_class_name is UNet2DConditionModel; it must be UNet2DModel"),
        (0, "cross_attention_dim", 768, "cross_attention_dim is 768; it must be left out"),
        (1, "_class_name", "PNDMScheduler", "_class_name is PNDMScheduler; it must be DDPMScheduler or DDIMScheduler"),
        (1, "beta_schedule", "sigmoid", "beta_schedule is sigmoid; it must be linear or scaled_linear or squaredcos_cap_v2"),
        (1, "beta_end", 2, "beta_end is 2; it must be a number between 0 and 1"),
        (1, "variance_type", "learned_range", "variance_type is learned_range; it must be fixed_small or fixed_large"),
        (1, "prediction_type", ["epsilon"], "prediction_type is .* must be epsilon or sample or v_prediction"),
        (1, "trained_betas", [0.1], r"trained_betas is \[0.1\]; it must be None"),
        (1, "thresholding", True, "thresholding is True; it must be False"),
        (1, "clip_sample_range", 2.0, "clip_sample_range is 2.0; it must be 1.0"),
        (1, "timestep_spacing", "linspace", "timestep_spacing is 'linspace'; it must be 'leading' or 'trailing'"),
        (1, "set_alpha_to_one", False, "set_alpha_to_one is False; it must be True"),
        (1, "steps_offset", 1, "steps_offset is 1; it must be 0"),
        (1, "num_train_timesteps", "1000", "num_train_timesteps is 1000; it must be a whole number above 0"),
    ],
)
def test_what_ours_does_not_compute_is_refused_by_name(of, key, value, complaint):
    given = [SMALL, SCHEDULER]
    given[of] = (
        given[of] | {key: value} if value is not None or key == "sample_size" else {k: v for k, v in SMALL.items() if k != key}
    )
    with pytest.raises(DataError, match=complaint):
        recipe_of(*given)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"ddpm_layers": False}, "ddpm_layers is False; it must be True in a U-Net of diffusers' layout"),
        ({"compact": True}, "compact is True; it must be False"),
        ({"zero_terminal_snr": True}, "zero_terminal_snr is True; it must be False"),
        ({"norm_groups": 32}, "norm_groups is 32, which gives norms of 4, 8, 16 groups here; diffusers has one number for all"),
    ],
)
def test_what_diffusers_does_not_have_is_not_written(fields, complaint):
    known = recipe_of(SMALL, SCHEDULER).fields()
    with pytest.raises(RunError, match=complaint):
        ddpm_configuration.configurations(known | fields, [3, 8, 8])
