"""The decoder against torch's kernels and GPT-2; the fused network against the formulas; a model that trains and writes."""

import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from practice_torch.autoregressive.position import RotaryPositions
from practice_torch.autoregressive.transformer import decoder_logits, gelu, parameter_count, silu
from practice_torch.data import text
from practice_torch.experiments.autoregressive.transformer import RECIPES, LanguageModel, build
from practice_torch.experiments.language.decoding import Decoding
from practice_torch.networks.decoder_transformer import DecoderTransformer
from practice_torch.networks.llama import LlamaDecoder

SIZES = dict(vocabulary_size=11, context_length=7, width=12, layers=2)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def decoder(**changes):
    """A network with all parameters far from their initial zeros and ones."""
    network = DecoderTransformer(**SIZES | dict(heads=3) | changes).double()
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = parameter.data + 0.3 * draw(*parameter.shape, seed=seed)
    return network


def llama(**changes):
    torch.manual_seed(0)
    return LlamaDecoder(**SIZES | dict(heads=3, feed_forward_width=20, positions=RotaryPositions(100.0)) | changes).double()


LINEAR = {"query_key_value": "attn.c_attn", "output": "attn.c_proj", "up": "mlp.c_fc", "down": "mlp.c_proj"}
TOKENS = torch.randint(11, (2, 7), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("approximate", "name"), [(False, "none"), (True, "tanh")])
def test_gelu_is_torchs(approximate, name):
    x = torch.linspace(-5, 5, 41, dtype=torch.float64)
    torch.testing.assert_close(gelu(x, approximate=approximate), functional.gelu(x, approximate=name), rtol=1e-12, atol=1e-13)


def test_gelu_keeps_the_left_tail():
    """torch's own has x (1 + erf(x / sqrt 2)) / 2, which is 0 from -9 on; -20 Phi(-20) is -5.507e-88 (mpmath)."""
    value = gelu(torch.tensor([-20.0], dtype=torch.float64), approximate=False)
    torch.testing.assert_close(value, torch.tensor([-5.5072482372124673e-88], dtype=torch.float64), rtol=1e-13, atol=0)


def test_silu_is_torchs():
    x = torch.linspace(-30, 30, 41, dtype=torch.float64)
    torch.testing.assert_close(silu(x), functional.silu(x), rtol=1e-13, atol=0)


def test_the_fused_network_computes_the_formulas():
    """Logits and every gradient."""
    network, upstream = decoder(), draw(2, 7, 11, seed=50)
    leaves = list(network.parameters())
    fused = network(TOKENS)
    by_name = decoder_logits(TOKENS, network.parameters_by_name(), heads=3)
    torch.testing.assert_close(fused, by_name, rtol=1e-11, atol=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(fused, leaves, upstream), torch.autograd.grad(by_name, leaves, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)


def test_the_fused_network_has_as_many_parameters_as_counted():
    assert sum(p.numel() for p in decoder().parameters()) == parameter_count(**SIZES, feed_forward_width=48, tied=True)


@pytest.mark.parametrize("make", [decoder, llama])
def test_the_network_compiles_as_one_graph(make):
    network = make(layers=1)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(TOKENS), network(TOKENS), rtol=1e-12, atol=1e-12)


@pytest.fixture
def padded():
    """A decoder with 16 rows for 11 tokens, and with padding rows as training might have left them."""
    network, rows = decoder(), decoder(vocabulary_multiple=8)
    fresh = DecoderTransformer(**SIZES, heads=3, vocabulary_multiple=8).token_embedding.weight
    assert fresh.shape == (16, 12) and bool((fresh[11:] == 0).all()) and bool((fresh[:11] != 0).all())
    state = network.state_dict()
    state["token_embedding.weight"] = torch.cat([state["token_embedding.weight"], 100 + draw(5, 12, seed=9)])
    rows.load_state_dict(state)
    return network, rows


@pytest.mark.parametrize("large", [4096, 2])
def test_padding_of_the_vocabulary_has_no_logit_no_probability_and_no_gradient(padded, large, monkeypatch):
    """With the table of all logits and without it; also in steps from a cache. Whatever its rows hold."""
    monkeypatch.setattr("practice_torch.networks.linear_cross_entropy.LARGE", large)
    network, rows = padded
    targets = TOKENS.flip(1)
    for got, wanted in (
        (rows(TOKENS), network(TOKENS)),
        (rows(TOKENS, targets), network(TOKENS, targets)),
        [torch.no_grad()(made.step)(TOKENS, made.empty_cache(2), 0) for made in (rows, network)],
        (rows.parameters_by_name()["token_embedding"], network.parameters_by_name()["token_embedding"]),
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    rows(TOKENS, targets).backward()
    network(TOKENS, targets).backward()
    for (name, got), wanted in zip(rows.named_parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(got.grad[: len(wanted)], wanted.grad, rtol=1e-10, atol=1e-11, msg=name)
    assert bool((rows.token_embedding.weight.grad[11:] == 0).all())


def test_a_recipe_pads_to_64():
    recipe = dataclasses.replace(RECIPES["pydoc"], pad_vocabulary=True, layers=1)
    model = build(recipe, SimpleNamespace(description={"vocabulary": 300}))
    assert model.network.token_embedding.weight.shape == (320, 96)
    assert model.network(torch.zeros(1, 2, dtype=torch.int64)).shape == (1, 2, 300)


def test_the_decoder_is_gpt2():
    """transformers' GPT-2, with biases in attention; its Conv1D holds [in, out]."""
    transformers = pytest.importorskip("transformers")
    network = decoder(biases="all")
    gpt2 = (
        transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=11,
                n_positions=7,
                n_embd=12,
                n_layer=2,
                n_head=3,
                attn_pdrop=0,
                embd_pdrop=0,
                resid_pdrop=0,
                activation_function="gelu_new",
                attn_implementation="eager",
            )
        )
        .double()
        .eval()
    )
    ours, state = network.state_dict(), {}
    state["transformer.wte.weight"] = state["lm_head.weight"] = ours["token_embedding.weight"]
    state["transformer.wpe.weight"] = ours["position_embedding.weight"]
    for end in ("weight", "bias"):
        state[f"transformer.ln_f.{end}"] = ours[f"final_norm.{end}"]
    for i in range(2):
        here, there = f"blocks.{i}.", f"transformer.h.{i}."
        for end in ("weight", "bias"):
            state[f"{there}ln_1.{end}"] = ours[f"{here}attention_norm.{end}"]
            state[f"{there}ln_2.{end}"] = ours[f"{here}feed_forward_norm.{end}"]
        for name, path in LINEAR.items():
            weight = ours[f"{here}{name}.weight"]
            state[f"{there}{path}.weight"] = weight.T.contiguous()
            state[f"{there}{path}.bias"] = ours[f"{here}{name}.bias"]
    gpt2.load_state_dict(state)
    torch.testing.assert_close(network(TOKENS), gpt2(TOKENS).logits, rtol=1e-10, atol=1e-10)


def test_the_llama_is_transformers():
    """Two heads of queries share one of keys; the tables of queries, keys and values are one here. With its own head."""
    transformers = pytest.importorskip("transformers")
    network = llama(heads=4, key_value_heads=2, width=16, tied=False, vocabulary_multiple=8)
    sizes = dict(vocab_size=11, hidden_size=16, intermediate_size=20, num_hidden_layers=2, max_position_embeddings=7)
    how = dict(rms_norm_eps=1e-5, rope_theta=100.0, tie_word_embeddings=False, attn_implementation="eager")
    config = transformers.LlamaConfig(**sizes, **how, num_attention_heads=4, num_key_value_heads=2)
    theirs = transformers.LlamaForCausalLM(config).double().eval()
    ours = network.state_dict()
    assert bool((ours["head.weight"][11:] == 0).all() and (ours["token_embedding.weight"][11:] == 0).all())
    state = {"model.embed_tokens.weight": ours["token_embedding.weight"][:11], "model.norm.weight": ours["final_norm.weight"]}
    state["lm_head.weight"] = ours["head.weight"][:11]
    for i in range(2):
        here, there = f"blocks.{i}.", f"model.layers.{i}."
        state[f"{there}input_layernorm.weight"] = ours[f"{here}attention_norm.weight"]
        state[f"{there}post_attention_layernorm.weight"] = ours[f"{here}feed_forward_norm.weight"]
        state |= {f"{there}mlp.{name}_proj.weight": ours[f"{here}{name}.weight"] for name in ("gate", "up", "down")}
        parts = ours[f"{here}query_key_value.weight"].split([16, 8, 8])
        state |= {f"{there}self_attn.{name}_proj.weight": part for name, part in zip("qkv", parts, strict=True)}
        state[f"{there}self_attn.o_proj.weight"] = ours[f"{here}output.weight"]
    theirs.load_state_dict(state)
    # its angles are float32
    torch.testing.assert_close(network(TOKENS), theirs(TOKENS).logits, rtol=1e-5, atol=1e-5)


def test_more_tokens_than_the_context_are_refused():
    with pytest.raises(ValueError, match="tokens has 8 steps; the context length is 7"):
        decoder()(torch.zeros(1, 8, dtype=torch.long))


@pytest.mark.parametrize(
    ("make", "sizes", "message"),
    [
        (decoder, dict(heads=5), "heads is 5"),
        (decoder, dict(layers=0), "layers is 0"),
        (decoder, dict(biases="attention"), "biases is 'attention'; it must be one of none, feed_forward, all"),
        (llama, dict(key_value_heads=2), "key_value_heads is 2; it must divide the heads, 3"),
        (llama, dict(key_value_heads=0), "key_value_heads is 0"),
    ],
)
def test_sizes_that_make_no_network_are_refused(make, sizes, message):
    with pytest.raises(ValueError, match=message):
        make(**sizes)


def test_parameters_of_another_form_are_not_those_of_the_formulas():
    with pytest.raises(ValueError, match="decoder_logits computes the default form alone"):
        decoder(exact_gelu=True).parameters_by_name()


def test_a_llama_is_as_wide_as_llama2c_makes_it():
    """768 for a width of 288: 8/3 of it. 344 for 128 would be 341 rounded up to a multiple of 8, not of 32."""
    widths = [len(llama(width=width, heads=2, feed_forward_width=None).blocks[0].gate.weight) for width in (288, 128, 12)]
    assert widths == [768, 352, 32]


@pytest.mark.parametrize(
    ("changes", "message"), [(dict(heads=5), "heads is 5"), (dict(key_value_heads=3), "key_value_heads is 3")]
)
def test_a_recipe_of_a_llama_refuses_heads_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RECIPES["tinystories"], **dict(heads=4, key_value_heads=2) | changes)


def tiny(tmp_path):
    recipe = type(RECIPES["pydoc"])(context=16, layers=1, width=16, heads=2)
    path = tmp_path / "abc.txt"
    path.write_text("abcdefgh" * 400)
    train, test = text.load(str(path), held_out=0.1, seed=0, **recipe.loading())
    torch.manual_seed(0)
    model = build(recipe, train)
    model.generator = torch.Generator().manual_seed(2)
    return model, train, test


def test_the_loss_is_the_mean_over_predicted_bytes(tmp_path):
    model, train, _ = tiny(tmp_path)
    batch = train.batch(torch.arange(4))
    loss, _ = model(batch, "train")
    log_probs = model.network(batch["tokens"][:, :-1]).log_softmax(-1)
    chosen = log_probs.gather(-1, batch["tokens"][:, 1:, None])
    torch.testing.assert_close(loss, -chosen.mean())
    assert model.count(batch, "train") == chosen.numel() == 4 * 16


def test_bits_are_per_byte_whatever_a_token_is(tmp_path):
    """Of uniform logits: log2 V bits a token. Eight merges make " abcd" and " efgh" of five bytes; the text ends in a space."""
    path = tmp_path / "spaced.txt"
    path.write_text("abcd efgh " * 400)
    recipe = type(RECIPES["pydoc"])(context=16, layers=1, width=16, heads=2, merges=8)
    train, test = text.load(str(path), held_out=0.1, seed=0, **recipe.loading())
    model = build(recipe, train)
    torch.nn.init.zeros_(model.network.token_embedding.weight)
    tokens = test.batch()["tokens"][:, 1:]
    tokenizer = model.tokenizer()
    assert tokenizer.decode(tokens[0]) in "abcd efgh " * 20, "the vocabulary is that of the text"
    size = sum(len(tokenizer.decode_bytes(row)) for row in tokens)
    assert size == 5 * (tokens.numel() - 1) + 1
    found = model.evaluate(test)
    assert found["bits_per_byte"] == pytest.approx(math.log2(264) * tokens.numel() / size, rel=1e-6)
    assert found["nats_per_token"] == pytest.approx(math.log(264), rel=1e-6)


def test_an_evaluation_builds_its_tokenizer_once(tmp_path, monkeypatch):
    model, _, test = tiny(tmp_path)
    longer = dataclasses.replace(test, stream=test.stream.repeat(5))
    assert len(longer) > 64, "more than one batch"
    built, build_one = [], LanguageModel.tokenizer
    monkeypatch.setattr(LanguageModel, "tokenizer", lambda self: built.append(1) or build_one(self))
    model.evaluate(longer)
    assert len(built) == 1


def test_a_large_vocabulary_goes_without_a_table_of_logits():
    """The same loss and gradients on both sides of the limit."""
    torch.manual_seed(0)
    network = DecoderTransformer(vocabulary_size=4100, context_length=7, width=12, layers=1, heads=2).double()
    tokens = torch.randint(4100, (2, 8))
    losses = (
        network(tokens[:, :-1], tokens[:, 1:]),
        functional.cross_entropy(network(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()),
    )
    for ours, theirs in zip(*(torch.autograd.grad(loss, list(network.parameters())) for loss in losses), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(*losses, rtol=1e-12, atol=0)


def test_an_untrained_model_needs_about_eight_bits_and_a_trained_one_few(tmp_path):
    model, train, test = tiny(tmp_path)
    assert model.evaluate(test)["bits_per_byte"] == pytest.approx(8, abs=0.2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(60):
        loss, _ = model(train.batch(torch.arange(8) + 8 * (step % 10)), "train")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert model.evaluate(test)["bits_per_byte"] < 0.5, "the alphabet repeats: only the first byte of a window is unknown"
    with torch.no_grad():
        written = bytes(model.write(torch.tensor([[ord("a"), ord("b")]]), 40, Decoding())[0].tolist())
    assert written.startswith(b"abcdefgh"), "beyond its context, too"
    assert math.isclose(sum(written[i + 1] == (written[i] - 97 + 1) % 8 + 97 for i in range(41)), 41, abs_tol=3)


@torch.no_grad()
@pytest.mark.parametrize("network", [decoder, llama])
def test_rows_of_different_lengths_are_read_as_if_each_were_alone(network):
    """A prompt of three and one of five tokens, and one token more of each: the logits of a pass over the row."""
    network, lengths = network().eval(), torch.tensor([3, 5])
    cache = network.empty_cache(2)
    after = network.step_after(TOKENS[:, :5], cache, lengths)
    more = network.step_rows(TOKENS[torch.arange(2), lengths], cache, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = network(TOKENS[row : row + 1, : length + 1])[0]
        assert torch.allclose(after[row], alone[-2], rtol=1e-11) and torch.allclose(more[row], alone[-1], rtol=1e-11)


@torch.no_grad()
@pytest.mark.parametrize("network", [decoder, llama])
def test_probabilities_of_targets_are_those_of_the_logits(network):
    """Also of a vocabulary that is padded: the padding has no probability."""
    network = network(vocabulary_multiple=64).eval()
    law, log_probs = network.log_probs(network.hidden(TOKENS), TOKENS.flip(1)), network(TOKENS).log_softmax(-1)
    assert torch.allclose(law.log_probs, log_probs.gather(-1, TOKENS.flip(1)[..., None])[..., 0], rtol=1e-12)
    assert torch.allclose(law.entropy, torch.special.entr(log_probs.exp()).sum(-1), rtol=1e-12)
    assert torch.equal(law.likeliest, log_probs.argmax(-1) == TOKENS.flip(1))
