"""GPT-2, Llama and Qwen2 at random weights against transformers: logits, gradients, written tokens, and the way back."""

import pytest
import torch

from practice_torch.experiments.autoregressive.transformer import LanguageRecipe, LlamaRecipe, language_decoder
from practice_torch.experiments.language.generation import generate
from practice_torch.pretrained import gpt2, llama
from practice_torch.pretrained.weights import read_weights
from tests.support.pretrained.published import (
    LENGTH,
    VOCABULARY,
    WRITTEN,
    Architecture,
    bounds,
    default_of,
    of_ours,
    of_theirs,
    require_close,
    tokens,
    widened,
)

transformers = pytest.importorskip("transformers")
CONTEXT = LENGTH + WRITTEN
TURNED = dict(rope_type="default", rope_theta=1e5)
DECODER = dict(num_hidden_layers=2, hidden_size=16, num_attention_heads=4, num_key_value_heads=2, intermediate_size=20)


def network_of(recipe):
    """Of fields, a function that builds the network of a recipe with them."""

    def network(fields):
        sizes = {name: value for name, value in fields.items() if name != "vocabulary"}
        return language_decoder(recipe(steps=1, batch_size=1, **sizes), fields["vocabulary"])

    return network


def _llama(kind, **sizes):
    module = getattr(transformers.models, kind.lower())
    inner = getattr(module, f"modeling_{kind.lower()}")
    model, config = (getattr(transformers, f"{kind}{end}") for end in ("ForCausalLM", "Config"))
    sizes = DECODER | {"max_position_embeddings": CONTEXT} | sizes
    return Architecture(llama, network_of(LlamaRecipe), model, config, inner, sizes)


CASES = {
    "gpt2": Architecture(
        gpt2,
        network_of(LanguageRecipe),
        transformers.GPT2LMHeadModel,
        transformers.GPT2Config,
        transformers.models.gpt2.modeling_gpt2,
        dict(n_layer=2, n_embd=16, n_head=4, n_positions=CONTEXT),
    ),
    "gpt2, exact GELU": Architecture(
        gpt2,
        network_of(LanguageRecipe),
        transformers.GPT2LMHeadModel,
        transformers.GPT2Config,
        transformers.models.gpt2.modeling_gpt2,
        dict(n_layer=1, n_embd=16, n_head=2, n_positions=CONTEXT, activation_function="gelu"),
    ),
    "llama": _llama("Llama", head_dim=4),
    "llama, tied": _llama(
        "Llama",
        head_dim=4,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        rope_parameters=dict(rope_type="default", rope_theta=1e5),
    ),
    "qwen2": _llama("Qwen2", tie_word_embeddings=True),
    "qwen2, untied": _llama("Qwen2", num_key_value_heads=4),
}


WRITERS = ("gpt2", "llama", "qwen2")


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def theirs(case):
    return case.theirs()


@pytest.fixture(scope="module")
def folder(case, theirs, tmp_path_factory):
    """Theirs, as they save it, in float64."""
    path = tmp_path_factory.mktemp("published")
    theirs.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def wanted(case, theirs):
    with widened(case.module):
        return of_theirs(theirs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_logits_and_all_gradients_are_those_of_transformers(case, theirs, folder, wanted, dtype):
    network, fields = case.read(folder, dtype)
    tolerances = bounds(case, theirs, wanted, torch.finfo(dtype).eps)
    require_close(of_ours(network, case.architecture, fields), wanted, tolerances)


@pytest.mark.parametrize("case", WRITERS, indirect=True)
def test_64_greedy_tokens_are_those_of_transformers(case, theirs, folder):
    """Both from their caches, the prompts of one length."""
    network, _ = case.read(folder)
    with default_of(torch.float64):
        ours = generate(network, tokens(), WRITTEN, lambda logits, past: logits.argmax(-1))
    with widened(case.module):
        written = theirs.generate(tokens(), max_new_tokens=WRITTEN, do_sample=False, attention_mask=torch.ones_like(tokens()))
    assert ours.tolist() == written.tolist() and len(ours[0].unique()) > 5


@pytest.mark.parametrize("case", WRITERS, indirect=True)
def test_the_way_back_gives_their_logits_and_the_same_bytes(case, theirs, folder, wanted, tmp_path):
    network, fields = case.read(folder)
    case.write(network, fields, tmp_path / "out")
    again = case.model.from_pretrained(tmp_path / "out", dtype=torch.float64).eval()
    with widened(case.module):
        back = case.model(again.config).double().eval()  # its angles in float64, too
        back.load_state_dict(again.state_dict())
        assert torch.equal(back(tokens()).logits, wanted["logits"])
    other, same = case.read(tmp_path / "out")
    assert same == fields and all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), other.state_dict().values(), strict=True)
    )
    case.write(other, same, tmp_path / "once more")
    files = [path.name for path in sorted((tmp_path / "out").iterdir())]
    assert files == ["config.json", "model.safetensors"]
    assert all((tmp_path / "out" / name).read_bytes() == (tmp_path / "once more" / name).read_bytes() for name in files)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_shards_are_read_as_they_are(dtype, tmp_path):
    """In shards or not, of the precision of the file; in float32 it computes what theirs computes of the same numbers."""
    case = CASES["llama"]
    theirs = case.theirs().to(dtype)
    theirs.save_pretrained(tmp_path / "whole")
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="3KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    whole, shards = (read_weights(tmp_path / name) for name in ("whole", "shards"))
    assert whole.keys() == shards.keys() and {tensor.dtype for tensor in whole.values()} == {dtype}
    assert all(
        torch.equal(tensor, shards[name]) and torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in whole.items()
    )
    network, _ = case.read(tmp_path / "shards", torch.float32)
    exact = case.model.from_pretrained(tmp_path / "whole", dtype=torch.float32).eval()
    with torch.no_grad():
        torch.testing.assert_close(network(tokens()), exact(tokens()).logits, rtol=1e-5, atol=1e-5)


def _equal(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


@pytest.mark.parametrize("biases", ["none", "feed_forward"])
def test_a_decoder_with_fewer_biases_and_padded_rows_leaves_as_gpt2(biases, tmp_path):
    """Its missing biases are zeros there, and the rows that stand for no token are left out."""
    fields = dict(vocabulary=VOCABULARY, context=CONTEXT, layers=1, width=16, heads=2, biases=biases, exact_gelu=True)
    torch.manual_seed(0)
    network = network_of(LanguageRecipe)(fields | {"pad_vocabulary": True}).eval()
    assert len(network.token_embedding.weight) == 64
    CASES["gpt2"].write(network, fields, tmp_path)
    again = transformers.GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    assert again.lm_head.weight.shape == (VOCABULARY, 16) and again.transformer.h[0].attn.c_attn.bias.abs().max() == 0
    with torch.no_grad():
        torch.testing.assert_close(again(tokens()).logits, network(tokens()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "ours", "other"),
    [
        ("qwen2, untied", "self_attn.q_proj.weight", "self_attn.k_proj.weight"),
        ("qwen2, untied", "self_attn.k_proj.bias", "self_attn.v_proj.bias"),
        ("qwen2, untied", "mlp.gate_proj.weight", "mlp.up_proj.weight"),
        ("qwen2, untied", "input_layernorm.weight", "post_attention_layernorm.weight"),
    ],
)
def test_two_tensors_that_change_places_are_noticed(name, ours, other, tmp_path):
    """Of one shape, so that no check of shapes sees it: the comparison of logits and gradients does."""
    case = CASES[name]
    theirs = case.theirs()
    with widened(case.module):
        wanted = of_theirs(theirs)
    state = theirs.state_dict()
    first, second = (f"model.layers.1.{end}" for end in (ours, other))
    state[first], state[second] = state[second].clone(), state[first].clone()
    theirs.save_pretrained(tmp_path, state_dict=state)
    network, fields = case.read(tmp_path, torch.float32)
    tolerances = bounds(case, theirs, wanted, torch.finfo(torch.float32).eps)
    with pytest.raises(AssertionError, match="logits: off by"):
        require_close(of_ours(network, case.architecture, fields), wanted, tolerances)
