"""Mamba at random weights against transformers: logits, gradients, written tokens, and the way back."""

import pytest
import torch

from practice_torch.experiments.state_space.selective import SelectiveTokenRecipe, decoder
from practice_torch.pretrained import mamba
from tests.support.published import WRITTEN, Architecture, bounds, of_ours, of_theirs, require_close, tokens, widened

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
