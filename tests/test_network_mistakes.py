"""Every mistake planted into a network of the practice wing is refused by its Model rows, in what it is wrong about."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from practice_torch.adversarial import conditional_gan, spectral_normalization
from practice_torch.autoregressive import attention, chain_rule, pixelcnn, recurrent
from practice_torch.diffusion import score_prediction
from practice_torch.energy import regularized_training
from practice_torch.flows import additive_coupling, affine_coupling, continuous_flow, masked_autoregressive
from practice_torch.latent import conditional_vae, vae
from practice_torch.networks import dcgan, decoder_transformer, level_classifier, unet, wavenet
from practice_torch.preference import reward_model
from practice_torch.state_space import diagonal, selective
from shared_specs.backends import torch_network
from shared_specs.check import spec_of
from shared_specs.initial import initial_outcomes
from shared_specs.models import compare_networks, generic
from shared_specs.reference import wing_function
from shared_specs.rows import Model
from shared_specs.syllabus import load
from shared_specs.training import training_outcomes

FUSED = functional.scaled_dot_product_attention


def no_mask_in_training(patch):
    """The causal mask is left out whenever dropout trains."""

    def mixed(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, **others):
        return FUSED(query, key, value, attn_mask, dropout_p, is_causal and dropout_p == 0, **others)

    patch.setattr(functional, "scaled_dot_product_attention", mixed)


def no_mask_at_all(patch):
    unmasked = dict(is_causal=False)
    patch.setattr(functional, "scaled_dot_product_attention", lambda *given, **others: FUSED(*given, **others | unmasked))


def no_scale(patch):
    patch.setattr(functional, "scaled_dot_product_attention", lambda *given, **others: FUSED(*given, **others | {"scale": 1.0}))


def always_in_training(network):
    """Dropout acts in evaluation, too."""
    return lambda patch: patch.setattr(network, "train", lambda self, mode=True: nn.Module.train(self, True))


def blind_decoder(patch):
    """The label that the decoder is given is always the first."""
    plain = conditional_vae.ConditionalAutoencoder.decode
    patch.setattr(conditional_vae.ConditionalAutoencoder, "decode", lambda self, z, labels: plain(self, z, 0 * labels))


def mean_of_the_batch(network):
    """What an example gives depends on the others."""
    plain = network.forward
    return lambda patch: patch.setattr(network, "forward", lambda self, *given, **others: _mixed(plain(self, *given, **others)))


def _mixed(output):
    parts = output if isinstance(output, tuple) else (output,)
    parts = tuple(part + part.mean(0, keepdim=True) for part in parts)
    return parts if isinstance(output, tuple) else parts[0]


def without_residual(block):
    """A block gives its branches alone."""
    plain = block.forward

    def forward(self, x, *given):
        found = plain(self, x, *given)
        return (found[0] - x, *found[1:]) if isinstance(found, tuple) else found - x

    return lambda patch: patch.setattr(block, "forward", forward)


def other_epsilon(kind, epsilon):
    """A norm of torch with another epsilon than the network asks for."""
    plain = kind.__init__

    def begin(self, *given, **others):
        plain(self, *given, **others)
        self.eps = epsilon

    return lambda patch: patch.setattr(kind, "__init__", begin)


def put(owner, name, value):
    return lambda patch: patch.setattr(owner, name, value)


NORMAL = nn.init.normal_


def twice_as_wide(tensor, mean=0.0, std=1.0):
    return NORMAL(tensor, mean, 2 * std)


def sees_the_present(patch):
    """The code to be told is among those that are seen."""
    pad = functional.pad

    def unshifted(x, amounts, value=0.0):
        return torch.cat([x, x[:, :1]], dim=1) if x.dtype == torch.int64 else pad(x, amounts, value=value)

    patch.setattr(functional, "pad", unshifted)


def output_sees_its_input(patch):
    """>= where the output layer has >."""
    masks = chain_rule.made_masks
    patch.setattr(chain_rule, "made_masks", lambda order, degrees: (*masks(order, degrees)[:-1], order[:, None] >= degrees[-1]))


def gates_exchanged(patch):
    """tanh of the gate, sigmoid of the content."""

    def mixed(self, x, taps, condition):
        gates = self.gates(taps)
        gate, content = (gates if condition is None else gates + condition).chunk(2, dim=-1)
        residual, skip = self.out(content.tanh() * gate.sigmoid()).split([self.channels, self.skip_channels], dim=-1)
        return x + residual, skip

    patch.setattr(wavenet.ResidualBlock, "_mixed", mixed)


def slower_statistics(patch):
    """The running statistics take a hundredth of a batch instead of a tenth."""
    patch.setattr(dcgan, "_batch_norm", lambda channels: nn.BatchNorm2d(channels, eps=1e-5, momentum=0.01))


def cosines_first(t, *, dim):
    angles = t[:, None] * torch.exp(-math.log(1e4) / (dim // 2 - 1) * torch.arange(dim // 2, dtype=t.dtype))
    return torch.cat([angles.cos(), angles.sin()], -1)


def rewards_the_last_position(patch):
    """Whatever stands there, padding too."""
    read = reward_model.sequence_reward
    patch.setattr(reward_model, "sequence_reward", lambda hidden, mask, *head: read(hidden, torch.ones_like(mask), *head))


def no_dropout(patch):
    """Neither of branches nor of attention weights, whatever the recipe asks for."""
    plain = decoder_transformer.DecoderTransformer.__init__
    patch.setattr(
        decoder_transformer.DecoderTransformer, "__init__", lambda self, **sizes: plain(self, **sizes | {"dropout": 0.0})
    )


def all_ends_alike(self, layers):
    """The ends of the branches begin with the deviation of all others."""
    for parameter in self.parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=0.02)


def biases_at_zero(patch):
    plain = nn.Linear.reset_parameters

    def reset(self):
        plain(self)
        nn.init.zeros_(self.bias)

    patch.setattr(nn.Linear, "reset_parameters", reset)


def without_confinement(patch):
    patch.setattr(regularized_training.EnergyMLP, "forward", lambda self, x: self.network(x.flatten(1))[:, 0])


def without_skip(patch):
    """D u is left out of the output of every channel."""
    plain = diagonal.state_space_layer
    patch.setattr(diagonal, "state_space_layer", lambda u, *system: plain(u, *system[:-1], 0 * system[-1]))


def not_gated(patch):
    """W_o y, without silu(v)."""
    patch.setattr(diagonal.S4DBlock, "_joined", lambda self, x, heard, gate: x + self.project(heard))


def frequencies_alike(patch):
    """Those of S4D-Lin, whatever is asked for."""
    plain = diagonal.initial_eigenvalues
    patch.setattr(diagonal, "initial_eigenvalues", lambda *, order, kind: plain(order=order, kind="linear"))


def convolution_sees_ahead(patch):
    """Padding is divided between both ends."""
    pad = functional.pad
    patch.setattr(functional, "pad", lambda x, amounts: pad(x, (amounts[0] - 1, 1)) if amounts[0] else pad(x, amounts))


def forget_bias_of_zero(patch):
    """A layer begins with biases of zero for all gates."""
    plain = recurrent.LSTM.__init__

    def begin(self, inputs, hidden):
        plain(self, inputs, hidden)
        nn.init.zeros_(self.input.bias)

    patch.setattr(recurrent.LSTM, "__init__", begin)


def reads_backwards(patch):
    """Every layer begins at the end of the text."""
    plain = recurrent.lstm_sequence

    def turned(x, *given):
        outputs, *state = plain(x.flip(1), *given)
        return outputs.flip(1), *state

    patch.setattr(recurrent, "lstm_sequence", turned)


def decays_alike(patch):
    """-1 for every state of a channel."""
    plain = selective.MambaBlock.__init__

    def begin(self, **sizes):
        plain(self, **sizes)
        nn.init.zeros_(self.log_negative_a)

    patch.setattr(selective.MambaBlock, "__init__", begin)


def stays(matrix, u, *, iterations=1):
    """No step is taken."""
    return u, nn.functional.normalize(matrix.mT @ u, dim=0)


def by_columns(self):
    """The norm of the kernel flattened on the wrong side."""
    turned = self.weight.transpose(0, 1).flatten(1) if self.weight.ndim > 2 else self.weight
    return self.weight.flatten(1) / spectral_normalization.spectral_norm(turned).detach()


def halves_exchanged(module):
    """The odd places pass through the first layer."""
    plain = module.checkerboard_halves

    def exchanged(shape):
        even, odd, _ = plain(shape)
        return odd, even, torch.cat([odd, even]).argsort()

    return put(module, "checkerboard_halves", exchanged)


def not_bounded(raw, *, bound):
    """The log-scale as the network gives it."""
    return raw


def entries_see_themselves(patch):
    """>= where the output layer has >."""
    plain = masked_autoregressive.degrees_to_mask
    patch.setattr(masked_autoregressive, "degrees_to_mask", lambda below, above, *, strict: plain(below, above, strict=False))


def from_noise_to_data(patch):
    """The velocity is followed forward in time."""
    plain = continuous_flow.ContinuousFlow._times
    patch.setattr(continuous_flow.ContinuousFlow, "_times", lambda self, x, steps: plain(self, x, steps).flip(0))


def without_the_time(patch):
    """The velocity of time 0 at all times."""
    plain = continuous_flow.ContinuousFlow._with_divergence
    patch.setattr(continuous_flow.ContinuousFlow, "_with_divergence", lambda self, x, time: plain(self, x, 0 * time))


def bent_as_a_rectifier(patch):
    """The slope of the activation without what the gate's own slope adds."""
    plain = torch.addcmul  # the solver's own has a number, the size of the step, in the middle
    patch.setattr(torch, "addcmul", lambda first, second, third: plain(first, second, third) if second.ndim == 0 else first)


def first_class(features, labels, class_embedding, weight, bias):
    """Whatever the label."""
    return features @ (weight + class_embedding[0]) + bias


def type_b_everywhere(patch):
    """The first layers see the pixel itself, too."""
    for name in ("vertical_convolution", "horizontal_convolution"):
        plain = getattr(pixelcnn, name)
        patch.setattr(pixelcnn, name, lambda *given, mask_type, plain=plain: plain(*given, mask_type="B"))


def without_the_row(self, above, before, label):
    """A layer's horizontal stack forgets what it had."""
    condition = self.conditioned(label)
    seen_above = pixelcnn.vertical_convolution(above, self.vertical.weight, self.vertical.bias, mask_type="B")
    seen = pixelcnn.horizontal_convolution(before, self.horizontal.weight, self.horizontal.bias, mask_type="B")
    return self.gated(seen_above, condition, 0), self.out(self.gated(seen + self.link(seen_above), condition, 1))


BEGINS, FUTURE, EVALUATED, OTHERS = "initial", "the future", "dropout in evaluation", "the rest of the batch"
COMPARED = ("output", "statistic")
NEVER = "the initialization is never called"
MISTAKES = {
    ("adversarial/conditional_gan", "ProjectionDiscriminator"): {
        "the label ignored": (put(conditional_gan, "projection_logit", first_class), "output"),
        "another epsilon": (other_epsilon(nn.BatchNorm2d, 1e-3), "output"),
        "weights twice as wide": (put(nn.init, "normal_", twice_as_wide), BEGINS),
    },
    ("adversarial/dcgan", "Generator"): {
        NEVER: (put(dcgan, "_initialize", lambda module: None), BEGINS),
        "another epsilon": (other_epsilon(nn.BatchNorm2d, 1e-3), "output"),
        "another momentum": (slower_statistics, "statistic"),
    },
    ("adversarial/dcgan", "Discriminator"): {
        NEVER: (put(dcgan, "_initialize", lambda module: None), BEGINS),
        "plain rectifiers": (put(nn, "LeakyReLU", lambda slope: nn.ReLU()), "output"),
    },
    ("adversarial/spectral_normalization", "NormalizedDiscriminator"): {
        "no power iteration": (put(spectral_normalization, "power_iteration", stays), "statistic"),
        "the kernel transposed": (put(spectral_normalization.Normalized, "matrix", by_columns), "output"),
        "weights twice as wide": (put(nn.init, "normal_", twice_as_wide), BEGINS),
    },
    ("adversarial/gradient_penalty", "Critic"): {
        NEVER: (put(dcgan, "_keep_the_second_moment", lambda module: None), BEGINS),
        "plain rectifiers": (put(nn, "LeakyReLU", lambda slope: nn.ReLU()), "output"),
        "the batch mixes": (mean_of_the_batch(dcgan.Critic), OTHERS),
    },
    ("autoregressive/attention", "MultiHeadAttention"): {
        "no mask while dropout trains": (no_mask_in_training, FUTURE),
        "no scale": (no_scale, "output"),
        "dropout in evaluation": (always_in_training(attention.MultiHeadAttention), EVALUATED),
        "the batch mixes": (mean_of_the_batch(attention.MultiHeadAttention), OTHERS),
    },
    ("autoregressive/attention", "Transducer"): {
        "embeddings twice as wide": (put(nn.init, "normal_", twice_as_wide), BEGINS),
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        "no mask": (no_mask_at_all, FUTURE),
    },
    ("autoregressive/pixelcnn", "GatedPixelCNN"): {
        "the pixel itself is seen": (type_b_everywhere, "output"),
        "no residual": (put(pixelcnn._Layer, "forward", without_the_row), "output"),
        "a class begins with a say": (put(nn.init, "zeros_", nn.init.ones_), BEGINS),
        "dropout in evaluation": (always_in_training(pixelcnn.GatedPixelCNN), EVALUATED),
        "the batch mixes": (mean_of_the_batch(pixelcnn.GatedPixelCNN), OTHERS),
    },
    ("autoregressive/recurrent", "CharacterLSTM"): {
        "the future is read": (reads_backwards, FUTURE),
        "no forget bias": (forget_bias_of_zero, BEGINS),
        "the batch mixes": (mean_of_the_batch(recurrent.LSTM), OTHERS),
    },
    ("autoregressive/transformer", "DecoderTransformer"): {
        "no mask while dropout trains": (no_mask_in_training, FUTURE),
        "no scale": (no_scale, "output"),
        "dropout in evaluation": (always_in_training(decoder_transformer.DecoderTransformer), EVALUATED),
        "no dropout": (no_dropout, "dropout in training"),
        "no residual": (without_residual(decoder_transformer.DecoderBlock), "output"),
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        NEVER: (put(decoder_transformer.DecoderTransformer, "_initialize", lambda self, layers: None), BEGINS),
        "all deviations alike": (put(decoder_transformer.DecoderTransformer, "_initialize", all_ends_alike), BEGINS),
    },
    ("autoregressive/wavenet", "WaveNet"): {
        "the present is seen": (sees_the_present, FUTURE),
        "gates exchanged": (gates_exchanged, "output"),
        "no residual": (without_residual(wavenet.ResidualBlock), "output"),
        "a drawn embedding": (put(wavenet, "waves", torch.randn), BEGINS),
    },
    ("autoregressive/chain_rule", "MaskedAutoencoder"): {
        "an output sees its input": (output_sees_its_input, FUTURE),
        "biases at zero": (biases_at_zero, BEGINS),
    },
    ("diffusion/classifier_guidance", "LevelClassifier"): {
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        "cosines first": (put(level_classifier, "sinusoidal_time_embedding", cosines_first), "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    },
    ("diffusion/score_prediction", "VelocityNetwork"): {
        "cosines first": (put(score_prediction, "sinusoidal_time_embedding", cosines_first), "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    },
    ("diffusion/unet", "UNet2d"): {
        "dropout in evaluation": (always_in_training(unet.UNet2d), EVALUATED),
        "no residual in attention": (without_residual(unet.Attention), "output"),
        "another epsilon": (other_epsilon(nn.GroupNorm, 1e-6), "output"),
        "torch's own weights": (put(unet.UNet2d, "_initialize", lambda self, zero_init: None), BEGINS),
    },
    ("energy/regularized_training", "EnergyMLP"): {
        "no confinement": (without_confinement, "output"),
        "rectifiers": (put(nn, "SiLU", nn.ReLU), "output"),
        "the batch mixes": (mean_of_the_batch(regularized_training.EnergyMLP), OTHERS),
        "biases at zero": (biases_at_zero, BEGINS),
    },
    ("flows/additive_coupling", "NICE"): {
        "the halves are exchanged": (halves_exchanged(additive_coupling), "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    },
    ("flows/affine_coupling", "RealNVP"): {
        "the halves are exchanged": (halves_exchanged(affine_coupling), "output"),
        "log-scales without a bound": (put(affine_coupling, "bounded_log_scale", not_bounded), "output"),
        "the last layers as torch has them": (put(nn.init, "zeros_", lambda tensor: tensor), BEGINS),
    },
    ("flows/continuous_flow", "ContinuousFlow"): {
        "from noise to data": (from_noise_to_data, "output"),
        "the time is not seen": (without_the_time, "output"),
        "a slope is forgotten": (bent_as_a_rectifier, "output"),
        "the last layer as torch has it": (put(nn.init, "zeros_", lambda tensor: tensor), BEGINS),
    },
    ("latent/conditional_vae", "ConditionalAutoencoder"): {
        "the batch mixes": (mean_of_the_batch(conditional_vae.ConditionalAutoencoder), OTHERS),
        "a decoder without the label": (blind_decoder, "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    },
    ("flows/masked_autoregressive", "MAF"): {
        "an entry sees itself": (entries_see_themselves, "output"),
        "log-scales without a bound": (put(masked_autoregressive, "bounded_log_scale", not_bounded), "output"),
        "the last layers as torch has them": (put(nn.init, "zeros_", lambda tensor: tensor), BEGINS),
    },
    ("latent/vae", "VariationalAutoencoder"): {
        "the batch mixes": (mean_of_the_batch(vae.VariationalAutoencoder), OTHERS),
        "biases at zero": (biases_at_zero, BEGINS),
    },
    ("preference/reward_model", "RewardModel"): {
        "the last position": (rewards_the_last_position, "output"),
        "dropout in evaluation": (always_in_training(reward_model.RewardModel), EVALUATED),
        "weights twice as wide": (put(nn.init, "normal_", twice_as_wide), BEGINS),
        "the batch mixes": (mean_of_the_batch(reward_model.RewardModel), OTHERS),
    },
    ("state_space/diagonal", "S4DBlock"): {
        "no gate": (not_gated, "output"),
        "no skip path in the channels": (without_skip, "output"),
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        "the other frequencies": (frequencies_alike, BEGINS),
    },
    ("state_space/diagonal", "S4DDecoder"): {
        "no residual": (without_residual(diagonal.S4DBlock), "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    },
    ("state_space/selective", "MambaBlock"): {
        "no residual": (without_residual(selective.MambaBlock), "output"),
        "the next step is seen": (convolution_sees_ahead, FUTURE),
        "another epsilon": (other_epsilon(nn.RMSNorm, 1e-6), "output"),
        "all states decay alike": (decays_alike, BEGINS),
        "the batch mixes": (mean_of_the_batch(selective.MambaBlock), OTHERS),
    },
    ("state_space/selective", "MambaDecoder"): {
        "no residual": (without_residual(selective.MambaBlock), "output"),
        "weights in place of norms": (put(nn.RMSNorm, "forward", lambda self, x: x * self.weight), "output"),
        "all states decay alike": (decays_alike, BEGINS),
    },
}


@cache
def _row(topic, network):
    """The network's first row without its trajectory, which would be compiled once more."""
    return next(replace(row, steps=0) for row in spec_of(topic) if isinstance(row, Model) and row.network == network)


def _outcomes(topic, row, where):
    """Those of the part of a comparison that the quantity belongs to: no twin is compiled where none is asked for."""
    if where in COMPARED:
        return compare_networks(topic, row, "float64")
    constructor = wing_function("torch", topic, row.network)
    if where == BEGINS:
        return initial_outcomes(torch_network, constructor, row)
    arrays = row.given.draw(f"{topic}/{row.network}/{row.case}")
    constants = {name: arrays.pop(name) for name in list(arrays) if not isinstance(arrays[name], np.ndarray)}
    start = generic(torch_network.parameters(torch_network.build(constructor, row.sizes)))
    return training_outcomes(torch_network, constructor, row, start, arrays, constants)


@pytest.mark.parametrize(
    ("topic", "network", "plant", "where"),
    [
        pytest.param(*place, *found, id=f"{'-'.join(place)}-{name}", marks=pytest.mark.xdist_group(place[0]))
        for place, mistakes in MISTAKES.items()
        for name, found in mistakes.items()
    ],
)
def test_a_mistake_in_a_network_is_refused(topic, network, plant, where, monkeypatch):
    """By the quantity that it is a mistake about."""
    plant(monkeypatch)
    with np.errstate(invalid="ignore"):  # as in a check
        outcomes = list(_outcomes(topic, _row(topic, network), where))
    assert [outcome.quantity for outcome in outcomes if outcome.quantity.startswith(where) and not outcome.worst <= 1]


def test_every_network_with_a_model_row_has_planted_mistakes():
    networks = {(topic.path, row.network) for topic in load().built for row in spec_of(topic.path) if isinstance(row, Model)}
    assert networks == set(MISTAKES)
