"""Mamba at random weights against transformers: logits, gradients, written tokens, and the way back."""

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.experiments.state_space.selective import SelectiveTokenRecipe, decoder
from practice_torch.pretrained import mamba
from practice_torch.pretrained.configuration import read_config
from practice_torch.pretrained.layout import to_ours
from practice_torch.pretrained.weights import read_weights
from tests.support.pretrained.published import (
    WRITTEN,
    Architecture,
    bounds,
    of_ours,
    of_theirs,
    require_close,
    require_published,
    tokens,
    widened,
)

transformers = pytest.importorskip("transformers")


def network(fields):
    sizes = {name: value for name, value in fields.items() if name != "vocabulary"}
    return decoder(SelectiveTokenRecipe(steps=1, batch_size=1, **sizes), fields["vocabulary"])


CASE = Architecture(
    mamba,
    network,
    transformers.MambaForCausalLM,
    transformers.MambaConfig,
    transformers.models.mamba.modeling_mamba,
    dict(num_hidden_layers=2, hidden_size=32, state_size=4),
)


@pytest.fixture(scope="module")
def theirs():
    return CASE.theirs()


@pytest.fixture(scope="module")
def folder(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("published")
    theirs.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def wanted(theirs):
    with widened(CASE.module):
        return of_theirs(theirs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_logits_and_all_gradients_are_those_of_transformers(theirs, folder, wanted, dtype):
    """Our table of tokens has 64 rows for 61 tokens."""
    ours, fields = CASE.read(folder, dtype)
    assert len(ours.embedding.weight) == 64 and ours.head is None
    require_close(of_ours(ours, mamba, fields), wanted, bounds(CASE, theirs, wanted, torch.finfo(dtype).eps))


@torch.no_grad()
def test_64_greedy_tokens_are_those_of_transformers(theirs, folder):
    """Both from their states."""
    ours, _ = CASE.read(folder)
    written, states = tokens(), ours.start(2)
    for token in written.unbind(1):
        logits, states = ours.step(token, states)
    for _ in range(WRITTEN):
        written = torch.cat([written, logits.argmax(-1, keepdim=True)], 1)
        logits, states = ours.step(written[:, -1], states)
    with widened(CASE.module):
        others = theirs.generate(tokens(), max_new_tokens=WRITTEN, do_sample=False, attention_mask=torch.ones_like(tokens()))
    assert written.tolist() == others.tolist() and len(written[0].unique()) > 5


def test_the_way_back_gives_their_logits_and_the_same_bytes(theirs, folder, wanted, tmp_path):
    ours, fields = CASE.read(folder)
    CASE.write(ours, fields, tmp_path / "out")
    again = transformers.MambaForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float64).eval()
    with widened(CASE.module):
        assert torch.equal(again(tokens()).logits, wanted["logits"])
    other, same = CASE.read(tmp_path / "out")
    CASE.write(other, same, tmp_path / "once more")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "once more" / name).read_bytes()


PUBLISHED = {  # width, blocks, rank of the steps, parameters
    "mamba-130m-hf": (768, 24, 48, 129_135_360),
    "mamba-370m-hf": (1024, 48, 64, 371_516_416),
    "mamba-790m-hf": (1536, 48, 96, 793_204_224),
    "mamba-1.4b-hf": (2048, 48, 128, 1_372_178_432),
    "mamba-2.8b-hf": (2560, 64, 160, 2_768_345_600),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_shapes_of_published_configurations_are_those_of_transformers(name):
    """The values of each config.json; the tensors are meta tensors."""
    width, layers, rank, count = PUBLISHED[name]
    config = {
        "architectures": ["MambaForCausalLM"],
        "bos_token_id": 0,
        "conv_kernel": 4,
        "d_inner": 2 * width,
        "d_model": width,
        "eos_token_id": 0,
        "expand": 2,
        "fused_add_norm": True,
        "hidden_act": "silu",
        "hidden_size": width,
        "initializer_range": 0.1,
        "intermediate_size": 2 * width,
        "layer_norm_epsilon": 1e-05,
        "model_type": "mamba",
        "n_layer": layers,
        "num_hidden_layers": layers,
        "pad_token_id": 0,
        "pad_vocab_size_multiple": 8,
        "rescale_prenorm_residual": False,
        "residual_in_fp32": True,
        "rms_norm": True,
        "ssm_cfg": {},
        "state_size": 16,
        "time_step_floor": 0.0001,
        "time_step_init_scheme": "random",
        "time_step_max": 0.1,
        "time_step_min": 0.001,
        "time_step_rank": rank,
        "time_step_scale": 1.0,
        "torch_dtype": "float32",
        "use_bias": False,
        "use_cache": True,
        "use_conv_bias": True,
        "vocab_size": 50280,
    }
    require_published(config, count, mamba, network)
    fields = mamba.fields(config)
    assert mamba.fields(mamba.config(fields)) == fields


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_bias": True}, "use_bias = True"),
        ({"use_conv_bias": False}, "use_conv_bias = False"),
        ({"hidden_act": "relu"}, "hidden_act = 'relu'"),
        ({"time_step_rank": 3}, "time_step_rank = 3"),
        ({"expand": 4}, "expand = 4"),
        ({"conv_kernel": 3}, "conv_kernel = 3"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon = 1e-06"),
        ({"ssm_cfg": {"layer": "Mamba2"}}, "ssm_cfg = {'layer': 'Mamba2'}"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings = False"),
    ],
)
def test_a_configuration_of_another_computation_is_refused(change, message):
    config = mamba.config({"vocabulary": 11, "layers": 1, "width": 32, "states": 4})
    assert mamba.fields(config)["width"] == 32
    with pytest.raises(DataError) as refused:
        mamba.fields(config | change)
    assert message in str(refused.value)


def test_the_authors_own_name_of_the_embedding_is_known(folder):
    tensors, fields = read_weights(folder), mamba.fields(read_config(folder))
    shapes = {name: tensor.shape for name, tensor in network(fields).state_dict().items()}
    renamed = {name.replace("embeddings", "embedding"): tensor for name, tensor in tensors.items()}
    for given in (renamed, renamed | {"lm_head.weight": renamed["backbone.embedding.weight"].clone()}):
        assert to_ours(mamba.layout(fields), given, shapes)["embedding.weight"].shape == (64, 32)
