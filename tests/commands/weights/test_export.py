"""export: the model of a run in transformers' layout, with its tokenizer and a model card, or as an ONNX file."""

import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.commands.run_folder import opened
from practice_torch.data.reading.byte_level_json import byte_level_json
from practice_torch.data.reading.chat_templates import ChatTemplate, read_chat_template
from practice_torch.data.reading.tokenizer_files import TokenizerFile
from practice_torch.engine.storage.run import Run
from tests.commands.test_practice_commands import call, refused
from tests.support.commands import published_folders

MODEL = ("autoregressive/transformer", "pydoc")
SIZES = ("--context", "16", "--layers", "1", "--width", "16", "--heads", "2", "--batch-size", "4")
SAMPLE = "A tale of\n\n two \u201ctables\u201d,\tfor a caf\u00e9: \U0001f642\u3000end  "


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    (folder / "tale.txt").write_text(published_folders.TEXT)
    return folder


@pytest.fixture(scope="module")
def trained(place):
    """A model of byte pairs that was learned here."""
    words = ("--data", place / "tale.txt", *SIZES, "--merges", 20, "--steps", 2, "--cpu", "--run", place / "trained")
    code, _, err = call("train", *MODEL, *words)
    assert code == 0, err
    return place / "trained"


@pytest.fixture(scope="module")
def imported(place):
    published_folders.llama(place / "llama")
    assert call("import", place / "llama", "--run", place / "imported")[0] == 0
    return place / "imported"


@pytest.fixture(scope="module")
def exported(trained, place):
    code, out, err = call("export", trained, place / "exported")
    assert code == 0 and "tokenizer.json of 20 byte pairs" in out, err
    return place / "exported"


def same_logits(folder, run):
    """Of transformers from the folder, and of the run."""
    experiment, _ = opened(Run.open(run), print)
    tokens = torch.randint(270, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()(tokens).logits
        ours = experiment.eval().network(tokens)
    return (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


# ---------------------------------------------------------------------------------------------------- what works


def test_transformers_computes_the_same_with_the_same_tokens(exported, trained):
    assert same_logits(exported, trained)
    experiment, _ = opened(Run.open(trained), print)
    assert AutoTokenizer.from_pretrained(exported)(SAMPLE)["input_ids"] == experiment.tokenizer().encode(SAMPLE).tolist()


def test_the_card_has_data_recipe_metrics_and_a_line_for_the_license(exported):
    card = (exported / "README.md").read_text()
    found = json.loads((exported.parent / "trained" / "evaluation.json").read_text())
    for part in ("license", "tale.txt", f"{found['metrics']['bits_per_byte']:.5g}", '"width": 16', "from random weights"):
        assert part in card, part


def test_an_import_of_the_export_gives_the_same_bytes(exported, place):
    assert call("import", exported, "--run", place / "again")[0] == 0
    assert call("export", place / "again", place / "exported2")[0] == 0
    for name in ("model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (exported / name).read_bytes() == (place / "exported2" / name).read_bytes(), name
    assert "SHA-256" in (place / "exported2" / "README.md").read_text()


def test_an_import_leaves_as_it_came_and_in_other_precisions_if_asked(imported, place):
    assert call("export", imported, place / "back")[0] == 0
    assert (place / "back" / "model.safetensors").read_bytes() == (place / "llama" / "model.safetensors").read_bytes()
    assert same_logits(place / "back", imported)
    code, out, _ = call("export", imported, place / "wide", "--dtype", "float32")
    assert code == 0 and "in float32" in out and same_logits(place / "wide", imported)


def test_a_chat_template_leaves_and_comes_back(imported, place):
    """transformers applies the same to messages."""
    run = shutil.copytree(imported, place / "talking")
    end = next(iter(opened(Run.open(run), print)[0].tokenizer().special_tokens))
    source = "{{ bos_token }}{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
    template = ChatTemplate(source + "{% if add_generation_prompt %}assistant:{% endif %}", {"bos_token": end, "eos_token": end})
    template.write(run)
    code, out, err = call("export", run, place / "talked")
    assert code == 0 and "and the chat template" in out, err
    messages = [{"role": "user", "content": "So?"}]
    theirs = AutoTokenizer.from_pretrained(place / "talked")
    for answer in (True, False):
        assert theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer) == template.text(
            messages, answer=answer
        )
    assert call("import", place / "talked", "--run", place / "talking again")[0] == 0
    assert read_chat_template(place / "talking again") == template


@pytest.mark.parametrize("merges", [0, 40])
def test_a_tokenizer_of_byte_pairs_gives_equal_tokens_as_a_file(merges):
    ours = BytePairTokenizer.train(published_folders.TEXT, merges=merges, special_tokens=("<|end|>",))
    spellings = [ours.decode_bytes([token]) for token in range(256 + len(ours.merges))]
    theirs = TokenizerFile("tokenizers", byte_level_json(spellings, ours.merges, ours.special_tokens))
    for text in (SAMPLE, published_folders.TEXT, "".join(map(chr, range(1, 700)))):
        assert theirs.encode(text).tolist() == ours.encode(text).tolist()
        assert theirs.decode(ours.encode(text)) == text
    assert theirs.lengths() == ours.lengths() and theirs.special("<|end|>") == ours.special("<|end|>")
    assert byte_level_json([b"a", b"a"], ()) is None, "no file can have two tokens of one spelling"


def test_a_file_of_other_tokens_is_refused_at_export(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("practice_torch.data.reading.byte_level_json.CHUNK", r"[^\n]+|\n")
    assert "would give other tokens" in refused(3, "export", trained, tmp_path / "new")
    assert not any(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------------- what does not


def test_a_folder_that_is_not_empty_or_cannot_be_made_is_refused(trained, exported, tmp_path):
    assert "is not empty" in refused(3, "export", trained, exported)
    (tmp_path / "file").write_text("")
    assert "is not empty" in refused(3, "export", trained, tmp_path / "file")
    assert "cannot write into" in refused(3, "export", trained, tmp_path / "file" / "new")
    assert "export takes RUN DIR" in refused(2, "export", trained)


def test_a_write_that_fails_leaves_nothing(trained, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("practice_torch.pretrained.weights._save", full)
    assert "No space left" in refused(3, "export", trained, tmp_path / "new")
    assert not any(tmp_path.iterdir())


def test_an_unfinished_or_damaged_run_is_refused(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(run / "checkpoints" / "step-00000002")
    assert "is unfinished, at step 0 of 2" in refused(3, "export", run, tmp_path / "new")
    code, out, _ = call("export", run, tmp_path / "first", "--step", 0)
    assert code == 0 and "step 0" in out
    damaged = shutil.copytree(trained, tmp_path / "damaged")
    state = damaged / "checkpoints" / "step-00000002" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-8])
    assert "truncated" in refused(3, "export", damaged, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_network_without_a_published_layout_names_onnx(tmp_path):
    code, _, err = call("train", "latent/vae", "digits", "--run", tmp_path / "vae", "--steps", 1, "--samples", 2, "--cpu")
    assert code == 0, err
    line = refused(3, "export", tmp_path / "vae", tmp_path / "new")
    assert "has no published layout" in line and "--onnx FILE" in line


# ---------------------------------------------------------------------------------------------------- ONNX


@pytest.mark.peers("onnx", "onnxruntime", "onnxscript")
def test_onnxruntime_computes_the_same_for_other_sizes(trained, tmp_path):
    import onnxruntime

    file = tmp_path / "model.onnx"
    code, out, err = call("export", trained, "--onnx", file)
    assert code == 0 and "equal in onnxruntime" in out, err
    experiment, _ = opened(Run.open(trained), print)
    tokens = torch.randint(270, (3, 11), generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {session.get_inputs()[0].name: tokens.numpy()})
    with torch.no_grad():
        ours = experiment.eval().network(tokens)
    assert (ours - torch.from_numpy(theirs)).abs().max() < 1e-5 * ours.abs().max()
    assert "exists" in refused(3, "export", trained, "--onnx", file)


@pytest.mark.peers("onnx", "onnxruntime", "onnxscript")
def test_an_onnx_file_that_differs_is_not_written(trained, tmp_path, monkeypatch):
    from practice_torch.commands import exporting_onnx

    real = exporting_onnx._export

    def shifted(network, name, arguments, draft):
        real(network, name, arguments, draft)
        network.final_norm.bias.data.add_(1.0)

    monkeypatch.setattr(exporting_onnx, "_export", shifted)
    line = refused(3, "export", trained, "--onnx", tmp_path / "model.onnx")
    assert "is not written" in line and not any(tmp_path.iterdir())


@pytest.mark.peers("onnx", "onnxruntime", "onnxscript")
def test_the_network_that_sampling_calls_is_exported_if_it_is_one(tmp_path):
    for topic, recipe, more in (("adversarial/dcgan", "digits", ()), ("latent/vae", "digits", ("--samples", 2))):
        run = tmp_path / topic.replace("/", "-")
        code, _, err = call("train", topic, recipe, "--run", run, "--steps", 1, *more, "--cpu")
        assert code == 0, err
    code, out, err = call("export", tmp_path / "adversarial-dcgan", "--onnx", tmp_path / "gan.onnx")
    assert code == 0 and "generator" in out, err
    assert "ONNX takes one network" in refused(3, "export", tmp_path / "latent-vae", "--onnx", tmp_path / "vae.onnx")
