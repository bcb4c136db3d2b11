"""Projects: what a table holds, that a stopped project goes on to the same bytes, and what its page and command say."""

import json
import math
import shutil
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from practice_torch.commands.project import names
from practice_torch.data.notes import FREQUENCIES, synthesize
from practice_torch.data.sound_set import Sounds
from practice_torch.data.text_set import Vocabulary
from practice_torch.engine.artifacts import Text
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.engine.estimate import Estimate
from practice_torch.engine.storage.run import Run
from practice_torch.experiments.adversarial import domain_adversarial
from practice_torch.experiments.autoregressive import ngram
from practice_torch.experiments.foundations import maximum_likelihood
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.projects import (
    _classifier,
    _comparison_reading,
    anomaly_detection,
    augmentation,
    comparison,
    conditional_vae,
    domain_adaptation,
    galaxies,
    image_generation,
    representation,
    runner,
    sound_generation,
    text_generation,
)
from practice_torch.projects.runner import (
    Annotated,
    Column,
    Expectation,
    Findings,
    Model,
    Project,
    Reading,
    Row,
    Times,
    run_project,
)
from practice_torch.reports import project_page
from practice_torch.reports.project_page import tables, write_project_page
from tests.commands.test_practice_commands import call, refused
from tests.commands.test_report import HOSTILE, Page
from tests.support import small_recipes
from tests.support.commands.projects import Stopped, of, quiet, require_same_after_stops, small, table, trained

pytestmark = pytest.mark.xdist_group("projects")  # each is run whole once


# ---------------------------------------------------------------------------------------------------- every project


OF_THEIR_OWN_FILES = {"enhancement", "style_transfer", "text_alignment"}  # tests/commands/projects


@pytest.mark.weekly
@pytest.mark.parametrize("name", [name for name in names() if name not in OF_THEIR_OWN_FILES])
def test_a_stopped_project_goes_on_to_the_same_bytes(name, finished, tmp_path, monkeypatch):
    require_same_after_stops(name, finished, tmp_path, monkeypatch)


def judged(trainings, say):
    bits = {name: training.evaluate() for name, training in trainings.items()}
    rows = {"real": Row("ceiling", {"bits": 1.0}), "floor": Row("floor", {"bits": Estimate(3.0, 2.5, 3.5)})}
    rows |= {name: Row("model", {"bits": sum(found.values())}) for name, found in bits.items()}
    return Findings({"bits": Column("bits", HOSTILE, "lower")}, rows, {"words": Text(HOSTILE, HOSTILE)})


def toy(**changes):
    """A project of one small model; a browser must not parse its words as tags."""
    whole = Project(
        HOSTILE,
        HOSTILE,
        {"first": Model(maximum_likelihood, "pixels")},
        judged,
        lambda rows: Reading((HOSTILE,), (Expectation("less than the floor", rows["first"].cells["bits"] < 3),)),
    )
    return small(whole)._replace(**changes)


def test_a_kill_at_any_save_loses_nothing(few, tmp_path, monkeypatch):
    """After every call of a project's own that writes or removes, of which the last is followed by a renaming."""
    whole, kills = toy(), 0
    for _ in range(2):  # the second time all is there already
        run_project("toy", whole, tmp_path / "whole", **quiet)
        wanted = (tmp_path / "whole" / "results.json").read_bytes()
    for number in range(1, 10):
        left = iter(range(number - 1, -1, -1))

        def dying(function, left=left):
            def call(*arguments, **options):
                function(*arguments, **options)
                if next(left) == 0:
                    raise Stopped

            return call

        folder = tmp_path / str(number)
        with monkeypatch.context() as patched:
            patched.setattr(runner, "write_json", dying(runner.write_json))
            patched.setattr(runner, "save_artifacts", dying(runner.save_artifacts))
            patched.setattr(runner, "shutil", SimpleNamespace(rmtree=dying(shutil.rmtree)))
            try:
                run_project("toy", whole, folder, **quiet)
                break
            except Stopped:
                kills += 1
        run_project("toy", whole, folder, **quiet)
        assert (folder / "results.json").read_bytes() == wanted
        assert sorted(path.name for path in (folder / "shown").iterdir()) == ["captions.json", "words.txt"]
    assert kills == 5


def test_a_page_takes_words_for_words(few, tmp_path):
    results = run_project("toy", toy(), tmp_path, **quiet)
    page = Page(write_project_page(tmp_path, results, tmp_path / "report.html"))
    assert page.words.count("<script>alert('x')</script>") == 7 and "script" not in page.tags
    assert "2.5 to 3.5" in page.words and "Learning curves" not in page.words
    (tmp_path / "models" / "first" / "evaluation.json").write_text("{")
    assert "evaluation.json cannot be read" in Page(write_project_page(tmp_path, results, tmp_path / "report.html")).words


def timed(trainings, say):
    """Two tables of two models each, of which the numbers of one have notes; and seconds of one row."""
    columns = {"bits": Column("bits", "of images", "lower"), "share": Column("fraction", "of points", "higher")}
    rows = {
        "a": Row("model", {"bits": Annotated(1.0, "exact")}, "images"),
        "b": Row("model", {"bits": Annotated(0.5, "bound")}, "images"),
        "c": Row("model", {"share": 0.2}, "points"),
        "d": Row("model", {"share": 0.7}, "points"),
    }
    return Findings(columns, rows, {}, Times({"training": Column("seconds", "of all updates")}, {"c": {"training": 4.5}}))


def test_rows_on_other_data_are_another_table_and_seconds_are_no_results(few, tmp_path, monkeypatch):
    results = run_project("toy", toy(judge=timed, read=lambda rows: Reading((), ())), tmp_path, **quiet)
    assert "training" not in json.dumps(results["rows"]) and results["rows"]["a"]["cells"]["bits"]["note"] == "exact"
    images, points = tables(tmp_path, results, [])
    assert (images.name, list(images.columns), images.best) == ("images", ["bits"], {"bits": {"b"}})
    assert (points.name, list(points.columns), points.best) == ("points", ["share", "training"], {"share": {"d"}})
    assert points.rows["c"]["cells"] == {"share": {"value": 0.2}, "training": {"value": 4.5}}
    monkeypatch.setattr(project_page, "curves_of", None)  # not asked: metrics of other data have the same names
    words = " ".join(Page(write_project_page(tmp_path, results, tmp_path / "report.html")).words.split())
    assert "images bitsbits, lower is better a 1exact b 0.5bound points" in words
    assert "c 0.2 4.5 d 0.7" in words and "trainingof all updates" in words
    (tmp_path / "times.json").write_text("{")
    assert "times.json cannot be read" in Page(write_project_page(tmp_path, results, tmp_path / "report.html")).words


def test_data_of_a_model_take_the_place_of_its_recipes(few, tmp_path):
    flow = import_module("practice_torch.experiments.flows.affine_coupling")
    whole = toy(models={"flow": Model(flow, "two_moons", "eight_gaussians")}, judge=timed, read=lambda rows: Reading((), ()))
    whole = small(whole)
    assert run_project("toy", whole, tmp_path, **quiet)["own_data"]
    asked = Run.open(tmp_path / "models" / "flow").asked
    assert asked["fields"]["data"] == "eight_gaussians" and asked["fields"]["target"] is None
    assert not run_project("toy", whole, tmp_path / "other", data="two_moons", **quiet)["own_data"]


def test_changes_of_a_model_take_the_place_of_its_recipes_values(few, tmp_path):
    """A target was measured without them."""
    model = toy().models["first"]
    model.module.RECIPES["pixels"] = runner.dataclasses.replace(model.module.RECIPES["pixels"], target=9.0)
    whole = toy(models={"first": model, "changed": model._replace(changes={"learning_rate": 0.5})})
    assert run_project("toy", whole, tmp_path, **quiet)["own_data"]
    fields = {name: Run.open(tmp_path / "models" / name).asked["fields"] for name in whole.models}
    assert fields["first"]["target"] == 9.0 and fields["first"]["learning_rate"] != 0.5
    assert fields["changed"]["target"] is None and fields["changed"]["learning_rate"] == 0.5


def test_a_folder_of_another_project_is_refused(few, tmp_path):
    whole = toy()
    run_project("toy", whole, tmp_path, **quiet)
    for changed, named in ((dict(seed=1), "seed is 0, here 1"), (dict(data="mnist"), "data is")):
        with pytest.raises(RunError, match=named):
            run_project("toy", whole, tmp_path, **quiet, **changed)
    with pytest.raises(RunError, match="project is toy, here other"):
        run_project("other", whole, tmp_path, **quiet)
    larger = whole.models["first"]
    recipe = larger.module.RECIPES["pixels"]
    larger.module.RECIPES["pixels"] = runner.dataclasses.replace(recipe, log_every=recipe.log_every + 1)
    with pytest.raises(RunError, match="first was trained as something else: log_every"):
        run_project("toy", whole, tmp_path, **quiet)
    (tmp_path / "project.json").unlink()
    with pytest.raises(RunError, match="is not empty"):
        run_project("toy", whole, tmp_path, **quiet)
    (tmp_path / "project.json").write_text("{")
    with pytest.raises(RunError, match="the file is corrupt"):
        run_project("toy", whole, tmp_path, **quiet)
    both = toy(models={"first": larger, "text": Model(ngram, "unigram")})
    with pytest.raises(OptionError, match="has models of images, text: leave it out"):
        run_project("toy", both, tmp_path / "both", data="mnist", **quiet)
    both = small(both._replace(models=both.models | {"text": Model(ngram, "unigram", keeps_data=True)}))
    run_project("toy", both, tmp_path / "both", data="mnist", **quiet)
    data = {name: Run.open(tmp_path / "both" / "models" / name).asked["fields"]["data"] for name in both.models}
    assert data == {"first": "mnist", "text": ngram.RECIPES["unigram"].data}


# ---------------------------------------------------------------------------------------------------- the command


def test_the_command(few, tmp_path, monkeypatch):
    monkeypatch.setattr(text_generation, "PROJECT", toy())
    code, out, err = call("project", "text_generation", "--out", tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert code == (0 if results["expectations"][0]["holds"] else 1)
    assert "less than the floor" in out and str(tmp_path / "run" / "report.html") in out and "model 1 of 1: first" in err
    monkeypatch.setattr(text_generation, "PROJECT", toy(read=lambda rows: Reading((), (Expectation("never", False),))))
    code, out, _ = call("project", "text_generation", "--out", tmp_path / "run", "--json")
    assert code == 1 and json.loads(out)["expectations"] == [{"words": "never", "holds": False}]
    assert "seed is 0, here 3" in refused_after_notes("project", "text_generation", "--out", tmp_path / "run", "--seed", 3)


def refused_after_notes(*arguments):
    code, _, err = call(*arguments)
    assert code == 3, err
    return err.strip().splitlines()[-1]


def test_the_list_and_what_is_no_project():
    for words in ((), ("list",)):
        code, out, _ = call("project", *words)
        assert code == 0 and all(name in out for name in names())
    assert [part["project"] for part in json.loads(call("project", "--json")[1])["projects"]] == list(names())
    assert "did you mean text_generation?" in refused(2, "project", "text_generaton")
    assert "seed is -1" in refused(2, "project", "text_generation", "--seed", "-1")
    assert "unknown argument" in refused(2, "project", "text_generation", "--sed", "1")


# ---------------------------------------------------------------------------------------------------- text generation


class ByPlace(torch.nn.Module):
    """Gives the byte after each place 2^-place of its probability: bits tell how many bytes came before."""

    def forward(self, tokens):
        share = 0.5 ** torch.arange(1, tokens.shape[1] + 1)
        probs = ((1 - share) / 255)[:, None].repeat(1, 256)
        probs[:, 7] = share
        return probs.log().expand(len(tokens), -1, -1)


@pytest.mark.parametrize("length", [12, 14, 5])
def test_bits_of_a_text_come_in_order_and_with_the_same_past(length):
    """After 4 bytes of past, windows of 4: a byte is given 4 to 7 bytes before it."""
    experiment, stream = SimpleNamespace(network=ByPlace()), torch.full((length,), 7)
    found = text_generation.bits_of(experiment, stream, 4)
    assert found.tolist() == pytest.approx([(4, 5, 6, 7)[k % 4] for k in range(length - 4)], rel=1e-5)


def test_bits_of_counts_are_those_of_the_shares():
    """In "abab..." of 8 bytes: a and b each half, b after a 4 of 4 times, a after b 3 of 3; weights of one half each."""
    model = ngram.NgramExperiment(ngram.NgramRecipe(order=2), 8)
    model({"tokens": torch.tensor([[97, 98]] * 4 + [[98, 97]] * 3)}, "count")
    model.weights[:] = torch.tensor([0.0, 0.5, 0.5])
    stream = torch.tensor([97, 98, 97, 98, 97, 97])
    of_b, of_a, of_aa = (-math.log2(0.5 * share + 0.5 * after) for share, after in ((4 / 7, 1), (3 / 7, 1), (3 / 7, 0)))
    assert text_generation.bits_of(model, stream, 2).tolist() == pytest.approx([of_a, of_b, of_a, of_aa])
    assert model.bits(stream[None]).shape == (1, 5)


def test_a_bound_is_that_of_the_text_that_a_byte_is_in():
    """Of texts of 4 bytes, here their first byte in nats; of what is left over that of the last 4 bytes."""
    experiment = SimpleNamespace(recipe=SimpleNamespace(context=4), bound=lambda texts: texts[:, 0].double() * math.log(2))
    found = text_generation.bound_of_bytes(experiment, torch.tensor([5, 0, 0, 0, 7, 3, 9, 1, 2, 8]))
    assert found.tolist() == pytest.approx([5] * 4 + [7] * 4 + [9] * 2)
    assert text_generation.bound_of_bytes(experiment, torch.tensor([5, 0, 0, 1])).tolist() == pytest.approx([5] * 4)


def test_the_bound_of_characters_is_per_byte():
    """Windows "aé", "éé" and "aa", and a rest: of 3, 4 and 2 bytes; here their costs are those of first characters."""
    vocabulary = Vocabulary("aé")
    recipe, costs = SimpleNamespace(length=2), torch.tensor([3.0, 6.0]) * math.log(2)
    experiment = SimpleNamespace(recipe=recipe, vocabulary=vocabulary, bound=lambda windows: costs[windows[:, 0]])
    found = text_generation.bits_of_characters(experiment, vocabulary.encode("aéééaaa"))
    assert found.tolist() == pytest.approx([3 / 3, 6 / 4, 3 / 2])


def test_the_bound_of_windows_is_that_of_the_evaluation(few):
    model = small(of("text_generation")).models["text VAE"]
    recipe = model.module.RECIPES[model.recipe]
    train, held_out = runner.load_data(recipe)
    experiment, found = model.module.build(recipe, train), []
    for measure in (lambda: experiment.evaluate(held_out)["negative_elbo"], lambda: experiment.bound(held_out.batch()["tokens"])):
        experiment.generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            found.append(torch.as_tensor(measure()).mean().item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_passages_are_next_to_each_other():
    texts = {"one": "ab\n" + "c" * 47, "two": "\x07é\ufffde\u0301", "three": "d"}
    lines = text_generation._side_by_side(texts).split("\n")
    assert [line.split() for line in lines[0:6:5]] == [["---", "one", "---", "two"], ["---", "three"]]
    assert [line[:46].rstrip() for line in lines[1:4]] == ["ab", "c" * 44, "ccc"]
    assert lines[1][46:] == ".é.e." and lines[6] == "d"


def text_rows(real=0.68, **bits):
    """The table of text generation with these bits per byte, each known to 0.01."""
    counts = bits.get("5-gram", 1.8)
    columns = ("bits_per_byte", "gain_over_counts", "bits_of_samples", "distinct_4")
    values = {
        "uniform bytes": 8.0,
        "unigram": 4.7,
        "bigram": 3.3,
        "5-gram": counts,
        "LSTM": 1.7,
        "transformer": 2.1,
        "S4D": 2.0,
        "Mamba": 1.8,
        "masked diffusion": 3.1,
        "text VAE": 2.4,
    } | bits
    near = lambda value: Estimate(value, value - 0.01, value + 0.01)  # noqa: E731
    rows = {}
    for name, value in values.items():
        numbers = map(near, (value, counts - value, value, 0.9))
        rows[name] = Row("model", dict(zip(columns, numbers, strict=True)))
    return rows | {"held-out text": Row("ceiling", {"bits_of_samples": near(2.04), "distinct_4": near(real)})}


def test_the_reading_of_text_generation_follows_its_numbers():
    reading = text_generation.read(text_rows())
    assert "The best model is LSTM, with 1.70 bits" in reading.sentences[0]
    assert "LSTM 1.70, Mamba 1.80, S4D 2.00, transformer 2.10" in reading.sentences[0]
    assert "Better than counting, beyond chance: LSTM. Worse than counting: transformer, S4D." in reading.sentences[1]
    assert "that of S4D comes nearest, with 2.00" in reading.sentences[2]
    assert "68% of the 4-grams are different; in those of the networks 90% to 90%: real text" in reading.sentences[2]
    assert text_generation.read(text_rows(real=0.95)).sentences[2].endswith("90% to 90%.")
    assert "3.10 and 2.40 bits per byte, of texts of 64 bytes" in reading.sentences[3]
    assert "what it writes has 3.10 bits per byte under the 5-gram, the windows of the VAE 2.40." in reading.sentences[3]
    assert [part.holds for part in reading.expectations] == [True] * 4
    reading = text_generation.read(text_rows(**{"5-gram": 1.6, "bigram": 1.5, "S4D": 3.9}))
    assert "The best model is the 5-gram, with 1.60" in reading.sentences[0]
    assert "Better than counting, beyond chance: none." in reading.sentences[1]
    assert [part.holds for part in reading.expectations] == [False] * 4


def test_the_table_of_text_generation_hangs_together(finished):
    results, folder = finished("text_generation")
    rows = table(results)
    for name in ("uniform bytes", "unigram", "LSTM", "transformer"):
        gain = rows["5-gram"]["bits_per_byte"] - rows[name]["bits_per_byte"]
        assert rows[name]["gain_over_counts"] == pytest.approx(gain, abs=1e-6)
    assert rows["uniform bytes"]["bits_per_byte"] == 8
    assert "bits_per_byte" not in rows["held-out text"]
    sizes = results["models"]
    assert list(sizes) == ["unigram", "bigram", "5-gram", "LSTM", "transformer", "S4D", "Mamba", "masked diffusion", "text VAE"]
    assert "gain_over_counts" in rows["masked diffusion"] and "gain_over_counts" not in rows["text VAE"]
    for name in ("continuations", "strategies", "passages"):
        assert (folder / "shown" / f"{name}.txt").read_text().strip()


# ---------------------------------------------------------------------------------------------------- image generation


def image_rows(distances=(0.9, 0.3, 0.1, 0.12, 0.15, 0.09), recalls=(0.2, 0.6, 0.8, 0.8, 0.7, 0.9), ratio=1.0, accuracy=0.96):
    names = ("independent pixels", "DDIM, 5 steps", "DDIM, 20 steps", "ancestral, all steps", "DDIM, guidance 2", "real images")
    cells = {"class_accuracy": accuracy, "nearest_ratio": Estimate(ratio, ratio, ratio)}
    return {
        name: Row("model", {"frechet_distance": distance, "recall": recall} | cells)
        for name, distance, recall in zip(names, distances, recalls, strict=True)
    }


def test_the_reading_of_image_generation_follows_its_numbers():
    reading = image_generation.read(image_rows((1.2, 0.3, 0.1, 0.12, 0.15, 0.09)))
    assert "at a Frechet distance of 0.100" in reading.sentences[0] and "as many real images are at 0.090" in reading.sentences[0]
    assert "the number of steps matters more" in reading.sentences[1] and "they are no copies" in reading.sentences[2]
    assert "Guidance changes the recall from 0.80 to 0.70: clearer samples are less diverse." in reading.sentences[3]
    assert [part.holds for part in reading.expectations] == [True] * 5
    worse = image_rows((0.4, 0.05, 0.1, 0.4, 0.15, 0.09), (0.2, 0.6, 0.6, 0.8, 0.7, 0.9), ratio=0.5, accuracy=0.9)
    reading = image_generation.read(worse)
    assert "here the sampler matters" in reading.sentences[1] and "nearer than they should be" in reading.sentences[2]
    assert "it costs no diversity here" in reading.sentences[3] and "90% of the samples" in reading.sentences[3]
    assert [part.holds for part in reading.expectations] == [False] * 5
    without = {name: row for name, row in worse.items() if name != "DDIM, guidance 2"}  # of data without labels
    assert len(image_generation.read(without).sentences) == 3


def test_the_nearest_training_image_is_below_each_sample():
    known = torch.eye(4).view(4, 1, 2, 2)
    grid = image_generation.nearest_below(known[[2, 0]] * 0.9, known)
    assert grid.columns == 2 and torch.equal(grid.images, torch.cat([known[[2, 0]] * 0.9, known[[2, 0]]]))


# ---------------------------------------------------------------------------------------------------- domain adaptation


def domain_rows(**target):
    values = {
        "most frequent class": 0.1,
        "support vector machine, source only": 0.5,
        "source only": 0.5,
        "adapted": 0.75,
        "translated source": 0.85,
        "support vector machine, translated source": 0.8,
        "support vector machine, target labels": 0.95,
    } | target
    near = lambda value: Estimate(value, value - 0.01, value + 0.01)  # noqa: E731
    rows = {name: Row("model", {"target_accuracy": near(value), "source_accuracy": near(0.9)}) for name, value in values.items()}
    rows["adapted"].cells.update(domain_accuracy=0.52, proxy_distance=1.9)
    rows["support vector machine, source only"].cells["distance"] = 0.2
    rows["support vector machine, translated source"].cells["distance"] = 0.04
    return rows


def test_the_reading_of_domain_adaptation_follows_its_numbers():
    reading = domain_adaptation.read(domain_rows())
    assert "50% of the changed images" in reading.sentences[0] and "+25 points" in reading.sentences[0]
    assert "reaches 95%: 20 points are left" in reading.sentences[1] and "to fool one classifier" in reading.sentences[2]
    assert "translated recognizes 80%: +30 points, and 15 are left" in reading.sentences[3]
    assert "recognizes 85%, better than the adaptation's 75%" in reading.sentences[3]
    assert "changed, by 0.200 on average; translated ones by 0.040" in reading.sentences[4]
    assert [part.holds for part in reading.expectations] == [True] * 5
    worse = {"translated source": 0.5, "support vector machine, translated source": 0.52}
    rows = domain_rows(adapted=0.55, **worse, **{"support vector machine, target labels": 0.5})
    rows["adapted"].cells.update(domain_accuracy=0.8, proxy_distance=0.5)
    reading = domain_adaptation.read(rows)
    assert "the domains overlap" in reading.sentences[2] and "no better than the adaptation's" in reading.sentences[3]
    assert [part.holds for part in reading.expectations] == [False] * 5


def test_the_table_of_domain_adaptation_is_that_of_its_networks(finished):
    """Right answers are counted again, by the networks of the runs' last checkpoints."""
    whole = small(of("domain_adaptation"))
    results, folder = finished("domain_adaptation")
    rows = table(results)
    recipe, experiment, train, held_out = trained(whole, folder, "domain adversarial")
    batch, known = held_out.batch(), train.batch()
    adapted = lambda x: experiment.classifier(experiment.feature_network(x))  # noqa: E731
    changed = domain_adversarial.CHANGES["blurred"]
    domains = {"source_accuracy": batch["image"], "target_accuracy": changed(batch["image"])}
    for name, network in (("source only", experiment.source_only), ("adapted", adapted)):
        for column, images in domains.items():
            called = [int(network(image[None]).argmax()) for image in images]
            right = sum(a == b for a, b in zip(called, batch["label"].tolist(), strict=True))
            assert rows[name][column] == pytest.approx(right / len(images))
    most = known["label"].mode().values
    assert rows["most frequent class"]["target_accuracy"] == pytest.approx((batch["label"] == most).float().mean().item())
    other, translation, *_ = trained(whole, folder, "translation")
    assert other.domains == recipe.change  # the same domains, of the same split
    moved = (translation.to_x(2 * known["image"] - 1) + 1) / 2
    assert rows["translated source"]["distance"] == pytest.approx((moved - changed(known["image"])).abs().mean().item())
    one = rows["support vector machine, translated source"]
    called = Judge(moved, known["label"]).classify(domains["target_accuracy"])
    assert one["target_accuracy"] == pytest.approx((called == batch["label"]).float().mean().item())


def test_translations_do_not_depend_on_labels(few):
    """Of the data of either domain: the losses of both turns are those without labels."""
    model = small(of("domain_adaptation")).models["translation"]
    recipe = model.module.RECIPES[model.recipe]
    train, _ = runner.load_data(recipe)
    batch, losses = train.batch(), []
    for given in (batch, {"image": batch["image"]}):
        torch.manual_seed(0)
        experiment = model.module.build(recipe, train)
        experiment.generator = torch.Generator().manual_seed(0)
        losses.append([experiment(given, phase.name)[0].item() for phase in experiment.phases])
    assert losses[0] == losses[1]


# ---------------------------------------------------------------------------------------------------- augmentation


def test_a_perceptron_learns_in_the_given_number_of_steps(monkeypatch):
    """Of 130 examples, 3 batches: 10 steps are 4 passes, although nothing is left to improve; the seed decides the rest."""
    from sklearn import neural_network

    made = []

    class Spied(neural_network.MLPClassifier):
        def fit(self, *given):
            made.append(self)
            return super().fit(*given)

    monkeypatch.setattr(neural_network, "MLPClassifier", Spied)
    x = torch.randn(130, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    labels = (x[:, 0, 0, 0] > 0).long() + 3
    for updates in (10, 600):
        classify = _classifier.fitted(x, labels, hidden=(8,), updates=updates, seed=1)
    assert [network.n_iter_ for network in made] == [4, 200] and (classify(x) == labels).float().mean() > 0.9
    again, other = (_classifier.fitted(x, labels, hidden=(8,), updates=10, seed=seed) for seed in (1, 2))
    weights = [network.coefs_[0] for network in made]
    assert np.array_equal(weights[0], weights[2]) and not np.array_equal(weights[0], weights[3])


def test_what_is_added_fills_the_classes(monkeypatch):
    monkeypatch.setattr(augmentation, "FULL", 4)
    labels = torch.tensor([2, 0, 0, 2, 2, 2, 2])
    asked = augmentation.missing(labels)
    assert asked.tolist() == [0, 0]
    images, asked = torch.arange(7.0).view(7, 1, 1, 1), torch.tensor([0, 0, 0, 2, 2])
    again = augmentation.repeated(images, labels, asked, torch.Generator().manual_seed(0)).flatten().tolist()
    assert sorted(again[:2]) == [1, 2] and again[2] in (1, 2) and set(again[3:]) < {0, 3, 4, 5, 6} and again[3] != again[4]


def test_images_are_moved_by_a_pixel_with_noise(monkeypatch):
    monkeypatch.setattr(augmentation, "ADDED", 0.01)
    image, recipe = torch.zeros(1, 1, 8, 8), small_recipes.small("latent/vae", "digits")[0]
    image[0, 0, 3:5, 3:5] = 0.5
    found = augmentation.moved(image.expand(40, -1, -1, -1), recipe, torch.Generator().manual_seed(0))
    places = {tuple((one[0] > 0.25).nonzero()[0].tolist()) for one in found}
    assert places == {(row, column) for row in (2, 3, 4) for column in (2, 3, 4)}
    assert found.min() == 0 and 0.001 < (found - 0.5)[found > 0.25].std() < 0.02


def augmented_rows(learned=100, gain=0.02, **changed):
    """Rows of both tables; changed: title -> gain."""
    rows = {}
    for kind in augmentation.COUNTS:
        names = (augmentation.NONE, augmentation.REPEATED, augmentation.MOVED, augmentation.VAE, augmentation.DIFFUSION)
        for name in (*names, augmentation.REAL):
            one = changed.get(name, gain)
            cells = {"real_images": learned if name == augmentation.VAE else 100, "accuracy": 0.8 + one, "deviation": 0.01}
            cells |= {"noisy_accuracy": 0.6, "blurred_accuracy": 0.5, "rare_accuracy": 0.3, "recognized": 0.9}
            cells |= {"gain": Estimate(one, one - 0.01, one + 0.01), "nearest_ratio": float(name != augmentation.REPEATED)}
            rows[augmentation.title(kind, name)] = Row("model", cells)
    return rows


def test_the_reading_of_augmentation_follows_its_numbers():
    reading = augmentation.read(augmented_rows(diffusion=0.05))
    assert "the same real images, 100 with ten of each class and 100 with" in reading.sentences[0]
    assert "repeated images +2.0 (+1.0 to +3.0)" in reading.sentences[1]
    assert "(those of the diffusion) gain beyond chance; they are worth more than shifts" in reading.sentences[1]
    assert "held-out images, is 1.00 (shifts and noise)" in reading.sentences[2] and "nearer" not in reading.sentences[2]
    assert "with new real ones 60%. Of blurred ones, in the same order, 50%, 50%" in reading.sentences[3]
    assert "30% of its held-out images" in reading.sentences[4] and reading.sentences[5].endswith("with shifts and noise 60%.")
    assert [part.holds for part in reading.expectations] == [True] * 3
    worse = {augmentation.REAL: 0.0, augmentation.MOVED: 0.01}
    rows = augmented_rows(learned=120, gain=-0.02, **worse)
    rows[augmentation.title(augmentation.RARE, augmentation.MOVED)].cells["noisy_accuracy"] = 0.4
    for name in (augmentation.VAE, augmentation.DIFFUSION):
        rows[augmentation.title(augmentation.EVEN, name)].cells["nearest_ratio"] = 0.7
    reading = augmentation.read(rows)
    assert "lose beyond chance; they are worth no more than" in reading.sentences[1] and "nearer to what" in reading.sentences[2]
    assert "40%: where one class alone was augmented" in reading.sentences[5]
    assert [part.holds for part in reading.expectations] == [False, False, False]
    reading = augmentation.read(augmented_rows(gain=0.0))
    assert "change nothing beyond chance; they are worth no more than" in reading.sentences[4]


def test_the_table_of_augmentation_is_that_of_its_images(finished):
    """Images are counted again, and what was not augmented learned anew."""
    whole = small(of("augmentation"))
    results, folder = finished("augmentation")
    rows = table(results)
    for name in augmentation.COUNTS:
        recipe, _, train, held_out = trained(whole, folder, augmentation.title(name, augmentation.VAE))
        assert recipe.examples_per_class == augmentation.COUNTS[name]
        known, fresh = train.batch(), held_out.batch()
        of_table = {title.removesuffix(f", {name}"): row for title, row in rows.items() if title.endswith(f", {name}")}
        learned = {title: row["real_images"] for title, row in of_table.items()}
        assert learned.pop(augmentation.REAL) == len(known["image"]) + len(augmentation.missing(known["label"]))
        assert set(learned.values()) == {len(known["image"])} and len(learned) == 5
        right = [
            _classifier.fitted(known["image"], known["label"], hidden=augmentation.HIDDEN, updates=3, seed=seed)(fresh["image"])
            == fresh["label"]
            for seed in range(augmentation.DRAWS)
        ]
        right = torch.stack(right).double()
        assert of_table[augmentation.NONE]["accuracy"] == pytest.approx(right.mean().item())
        assert of_table[augmentation.NONE]["deviation"] == pytest.approx(right.mean(1).std().item())
        moved, copied = of_table[augmentation.MOVED], of_table[augmentation.REPEATED]
        assert moved["gain"] == pytest.approx(moved["accuracy"] - right.mean().item())
        assert copied["nearest_ratio"] == 0 < moved["nearest_ratio"] and copied["recognized"] == 1
        assert ("rare_accuracy" in moved) == (name == augmentation.RARE)
    rare = right[:, fresh["label"] == 8].mean().item()
    assert of_table[augmentation.NONE]["rare_accuracy"] == pytest.approx(rare)


# ---------------------------------------------------------------------------------------------------- representation


def test_features_are_scaled_alike():
    known, fresh = torch.randn(50, 3, 2), torch.randn(9, 3, 2)
    found = representation.scaled(known, fresh)
    again = representation.scaled(7 * known + 2, 7 * fresh + 2)
    assert found[0].mean(0).abs().max() < 1e-9 and found[0].square().sum(1).mean().item() == pytest.approx(100)
    for one, other in zip(found, again, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert [tuple(x.shape) for x in found] == [(50, 6), (9, 6)] and representation.scaled(fresh * 0, fresh)[0].abs().max() == 0


def test_budgets_are_labels_of_each_class_and_draws_are_averaged():
    labels, seen = torch.arange(60) % 3, []

    def learn(x, y, draw):
        seen.append((y.bincount().tolist(), draw, tuple(x.flatten().tolist())))
        assert torch.equal(x[:, 0].long() % 3, y)
        return lambda fresh: torch.full((len(fresh),), draw % 2)

    asked, known = torch.tensor([0, 0, 0, 1]), torch.arange(60.0)[:, None]
    generator = torch.Generator().manual_seed(0)
    found = representation.accuracies(learn, known, labels, torch.zeros(4, 1), asked, generator)
    assert [counts for counts, *_ in seen] == [[1] * 3] * 5 + [[10] * 3] * 5 + [[20] * 3]
    assert len({x for *_, x in seen}) == 11 and [draw for _, draw, _ in seen] == [*range(5), *range(5), 0]
    assert found["one_label"].value == pytest.approx((3 * 0.75 + 2 * 0.25) / 5) and found["all_labels"].value == 0.75


def test_a_part_of_a_network_is_seen_once():
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    x = torch.randn(4, 2)
    assert torch.equal(representation.output_of(network[0], lambda: network(x)), network[0](x))
    assert not network[0]._forward_hooks


def test_models_whose_features_are_read_saw_no_labels(few):
    for model in small(of("representation")).models.values():
        recipe = runner._recipe(model, 0, None)
        batch = runner.load_data(recipe)[0].batch()
        losses = []
        for given in (batch, {"image": batch["image"]}):
            torch.manual_seed(0)
            experiment = model.module.build(recipe, runner.load_data(recipe)[0])
            experiment.generator = torch.Generator().manual_seed(0)
            losses.append([experiment(given, phase.name)[0].item() for phase in experiment.phases])
        assert losses[0] == losses[1], model.topic


def probed_rows(trained=0.9, untrained=0.6, much=0.7):
    near = lambda value: Estimate(value, value - 0.01, value + 0.01)  # noqa: E731
    cells = lambda value: dict(zip(("one_label", "ten_labels", "all_labels"), map(near, (value / 2, value - 0.1, value))))  # noqa: E731, B905
    rows = {"most frequent class": Row("floor", {"all_labels": near(0.1)})}
    rows |= {name: Row("floor", cells(0.8)) for name in ("pixels", "principal components")}
    for name in representation.FEATURES:
        before = {"untrained_ten": near(untrained - 0.1), "untrained_all": near(untrained)}
        rows[name] = Row("model", cells(much if "much" in name else trained) | before)
    return rows | {"supervised perceptron": Row("ceiling", cells(0.98))}


def test_the_reading_of_representation_follows_its_numbers():
    rows = probed_rows()
    rows["BiGAN"].cells["all_labels"] = Estimate(0.95, 0.94, 0.96)
    reading = representation.read(rows)
    assert "by their pixels, and" in reading.sentences[0]
    assert "those of BiGAN are read best, with 95%; autoencoder 90%" in reading.sentences[0]
    assert "transformer 90%." in reading.sentences[0]
    assert "Better than pixels, beyond chance: autoencoder; VAE; BiGAN" in reading.sentences[1]
    assert "Worse: diffusion, much noise." in reading.sentences[1] and "give 45%, pixels 40%" in reading.sentences[1]
    assert "90% with little noise, 90% with some noise, 70% with much noise" in reading.sentences[2]
    assert "from all: autoencoder +30 and +30, VAE +30 and +30, BiGAN +30 and +35" in reading.sentences[3]
    assert all(part.holds for part in reading.expectations)
    reading = representation.read(probed_rows(0.78, 0.76, 0.85))
    assert "beyond chance: diffusion, much noise. Worse: autoencoder; VAE" in reading.sentences[1]
    assert not any(part.holds for part in reading.expectations)


def test_the_table_of_representation_is_that_of_its_features(finished):
    """Probes are fitted again to codes of the networks of the runs' last checkpoints."""
    from sklearn.linear_model import LogisticRegression

    whole = small(of("representation"))
    results, folder = finished("representation")
    rows = table(results)
    found = {}
    for name, codes in (
        ("VAE", lambda e, x: e.network.encode((x > e.recipe.threshold).float())[0]),
        ("BiGAN", lambda e, x: e.encoder(2 * x - 1)),
        ("autoencoder", lambda e, x: e.encoder(x)),
    ):
        _, experiment, train, held_out = trained(whole, folder, name)
        known, fresh = train.batch(), held_out.batch()
        x, y = (codes(experiment, batch["image"].flatten(1)).detach().double() for batch in (known, fresh))
        spread = (x - x.mean(0)).square().sum(1).mean().sqrt()
        fit = LogisticRegression(max_iter=2000).fit((10 * (x - x.mean(0)) / spread).numpy(), known["label"].numpy())
        found[name] = fit.score((10 * (y - x.mean(0)) / spread).numpy(), fresh["label"].numpy())
        assert rows[name]["all_labels"] == pytest.approx(found[name]) and rows[name]["dimension"] == x.shape[1]
    assert rows["pixels"]["dimension"] == 64 and rows["principal components"]["dimension"] == rows["autoencoder"]["dimension"]
    _, experiment, *_ = trained(whole, folder, "diffusion")
    middle = experiment.network.middle[-1].conv2.out_channels
    assert rows["diffusion, some noise"]["dimension"] == middle * 16


# ---------------------------------------------------------------------------------------------------- anomaly detection


def test_bits_of_a_line_are_those_of_its_bytes_behind_line_ends():
    """Against lines that are scored one by one."""
    model = ngram.NgramExperiment(ngram.NgramRecipe(order=3), 200)
    text = torch.tensor(list(b"one line\nand another\n\n\nand the last one\n" * 4))
    model({"tokens": text[:150].unfold(0, 3, 1)}, "count")
    lines = ["and one", "xé", "the line of all"]
    alone = [model.bits(torch.tensor([list(b"\n\n" + line.encode())]))[0].mean().item() for line in lines]
    assert anomaly_detection.bits_of_lines(model, lines).tolist() == pytest.approx(alone)


def test_lines_are_those_that_are_long_enough_and_shuffled_ones_their_anagrams():
    text = "short\n  a line of several more letters  \n" + " " * 30 + "\n" + "+-" * 20
    data = SimpleNamespace(stream=torch.tensor(list(text.encode())))
    assert anomaly_detection.lines_of(data) == ["  a line of several more letters  "]
    line = "the letters of this line"
    other = anomaly_detection.shuffled(line, torch.Generator().manual_seed(0))
    assert other != line and sorted(other) == sorted(line)


def anomaly_rows(**changed):
    """Every row of the table at 0.95, but for simple ones by likelihood alone."""
    names = [
        anomaly_detection.title(name, kind, score)
        for name, kinds in anomaly_detection.RANKED.items()
        for kind, scores in kinds.items()
        for score in scores
    ]
    values = dict.fromkeys([*names, anomaly_detection.INK, anomaly_detection.CLASSIFIER], 0.995) | {"chance": 0.5}
    values |= {
        "digits, simple: -ELBO": 0.3,
        "notes, simple: -ELBO": 0.01,
        "text, simple: bits per byte": 0.0,
        "digits, simple: typicality": 0.47,
    }
    return {name: Row("model", {"auroc": value}) for name, value in (values | changed).items()}


def test_the_reading_of_anomaly_detection_follows_its_numbers():
    reading = anomaly_detection.read(anomaly_rows(**{"digits, left out: -ELBO": 0.78}))
    assert "a probability of 0.78; counting white pixels gives 0.99" in reading.sentences[0]
    assert "0.30 (digits), 0.01 (notes), 0.00 (text)" in reading.sentences[2]
    assert "0.47 (digits), 0.99 (notes), 0.99 (text). It finds them for notes and text" in reading.sentences[3]
    assert [part.holds for part in reading.expectations] == [True] * 6
    worse = dict.fromkeys(anomaly_rows(), 0.6)
    assert [part.holds for part in anomaly_detection.read(anomaly_rows(**worse)).expectations] == [False] * 6


def test_the_table_of_anomaly_detection_has_every_kind(finished, tmp_path):
    rows = table(finished("anomaly_detection")[0])
    assert rows["chance"] == {"auroc": 0.5, "false_positive_rate": 0.95}
    assert len(rows) == 3 + sum(len(scores) for kinds in anomaly_detection.RANKED.values() for scores in kinds.values())
    assert rows["text, shuffled: bits per byte"]["share"] == 0.5
    with pytest.raises(OptionError, match="has models of audio, images, text: leave it out"):
        run_project("anomaly_detection", of("anomaly_detection"), tmp_path / "other", data="mnist", **quiet)


# ---------------------------------------------------------------------------------------------------- conditional VAE


def test_nats_of_pixels_are_those_of_their_shares():
    """Of 3 images a pixel is white in 2, (2 + 1/2) / 4, another in none, (0 + 1/2) / 4."""
    known = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    found = conditional_vae.nats_of_pixels(known, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert found.tolist() == pytest.approx([-math.log(0.625 * 0.875), -math.log(0.375 * 0.125)])


def conditional_rows(fixed=0.95, nats=15.0, code=0.2):
    cells = {"class_accuracy": fixed, "negative_elbo": nats, "label_in_code": code}
    return {
        "chance": Row("floor", {"class_accuracy": 0.1, "label_in_code": 0.1}),
        "independent pixels": Row("floor", {"negative_elbo": Estimate(25.0, 24.0, 26.0)}),
        "VAE without labels": Row("model", {"negative_elbo": 17.8, "label_in_code": 0.85}),
        "conditional VAE": Row("model", cells),
        "conditional VAE, learned prior": Row("model", cells | {"label_in_code": 0.55}),
        "real images": Row("ceiling", {"class_accuracy": Estimate(0.97, 0.96, 0.98)}),
    }


def test_the_reading_of_the_conditional_vae_follows_its_numbers():
    reading = conditional_vae.read(conditional_rows())
    assert "95% of the samples" in reading.sentences[0] and "of real images 97%" in reading.sentences[0]
    assert "saves 2.8 nats an image: 15.0 with it, 17.8 without" in reading.sentences[1]
    assert "in 20% where the decoder gets the label" in reading.sentences[2] and "avoids this cost: 55%" in reading.sentences[2]
    assert [part.holds for part in reading.expectations] == [True] * 3
    assert [part.holds for part in conditional_vae.read(conditional_rows(0.7, 17.0, 0.5)).expectations] == [False] * 3


# ---------------------------------------------------------------------------------------------------- galaxies


def galaxy_rows(flow=0.95, nearest=0.9, other=0.05):
    values = {"another galaxy": other, "nearest training galaxy": nearest, "conditional flow": flow, "simulated again": 0.99}
    columns = ("flux", "size", "axis_ratio", "direction", "properties")
    rows = {
        name: Row("model", dict.fromkeys(columns, Estimate(value, value, value)) | {"frechet_distance": 1 - value})
        for name, value in values.items()
    }
    del rows["nearest training galaxy"].cells["properties"], rows["another galaxy"].cells["frechet_distance"]
    return rows


def test_the_reading_of_galaxies_follows_its_numbers():
    reading = galaxies.read(galaxy_rows())
    assert "are 0.950, 0.950, 0.950. The training galaxy" in reading.sentences[0] and "0.050, 0.050" in reading.sentences[0]
    assert "the mean of its correlations is 0.950" in reading.sentences[1]
    assert "has 0.990, 0.990, 0.990 and 0.990" in reading.sentences[2] and "is 0.010, that of generated" in reading.sentences[2]
    assert [part.holds for part in reading.expectations] == [True] * 5
    worse = galaxy_rows(0.8, 0.85, 0.5)
    del worse["simulated again"]  # of a folder of images
    reading = galaxies.read(worse)
    assert len(reading.sentences) == 2 and [part.holds for part in reading.expectations] == [False] * 5


def test_galaxies_of_a_folder_have_no_second_simulation(few, tmp_path):
    results = run_project("galaxies", small(of("galaxies")), tmp_path / "stamps", data="stamps", **quiet)
    assert list(results["rows"]) == ["another galaxy", "nearest training galaxy", "conditional flow"] and not results["own_data"]


def test_correlations_of_properties_are_those_of_their_columns():
    both = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)).double()
    each = [torch.corrcoef(both[:, [k, 3 + k]].T)[0, 1] for k in range(3)]
    assert galaxies._mean_correlation(both).item() == pytest.approx(sum(each).item() / 3)
    assert galaxies._mean_correlation(torch.cat([both[:, :3], torch.ones(20, 3)], 1)) == 0


def test_the_table_of_galaxies_separates_matching_from_other_galaxies(finished):
    """Flux is read off images of a few pixels, too: of the request simulated again, of its neighbor, of another galaxy."""
    rows = table(finished("galaxies")[0])
    again, nearest, other = (rows[name]["flux"] for name in ("simulated again", "nearest training galaxy", "another galaxy"))
    assert again > 0.9 and again > nearest > abs(other)


# ---------------------------------------------------------------------------------------------------- sound_generation

KINDS_OF_SOUNDS = ("WaveNet", "S4D", "VQ-VAE", "WaveGAN", "diffusion", "flow matching")


def near(value):
    return Estimate(value, value, value)


def sound_rows(
    flow=(0.5, 0.8, 0.95), flow_distance=400, diffusion_distance=500, spread=6.0, wave_bits=3.0, worst=2500.0, given=0.6
):
    """Accuracies in 1, 2, and 5 or more steps; diffusion has 0.4, 0.7 and 0.85. Audio distances rise by 400 from 500."""

    def several(name, accuracies, distance):
        for place, count in enumerate(sound_generation.COUNTS):
            accuracy = accuracies[min(place, 2)]
            cells = {"frechet_distance": distance + count, "class_accuracy": near(accuracy), "semitone": near(accuracy + 0.05)}
            yield sound_generation.title(name, count), Row("model", cells, "steps")

    def one(place, name):
        cells = {"frechet_audio_distance": worst if name == "WaveGAN" else 500.0 + 400 * place, "classes": 12.0}
        cells |= {"classes": spread} if name == "WaveGAN" else {"class_accuracy": near(given + 0.05 * place)}
        bits = {"WaveNet": wave_bits, "S4D": 3.5}.get(name)
        return Row("model", cells | ({"bits_per_sample": bits} if bits else {}), "kinds")

    of_noise = {"frechet_distance": 4000.0, "class_accuracy": near(0.08), "semitone": near(0.2), "frechet_audio_distance": 6e4}
    of_real = {"class_accuracy": near(1.0), "semitone": near(0.99), "classes": 13.0, "frechet_audio_distance": 25.0}
    return {
        "noise": Row("floor", of_noise, "kinds"),
        "independent samples": Row("floor", {"frechet_audio_distance": 8000.0, "bits_per_sample": 7.0}, "kinds"),
        **{name: one(place, name) for place, name in enumerate(KINDS_OF_SOUNDS)},
        "real sounds": Row("ceiling", of_real, "kinds"),
        **dict(several("diffusion", (0.4, 0.7, 0.85), diffusion_distance)),
        **dict(several("flow matching", flow, flow_distance)),
    }


def test_the_reading_of_sound_generation_follows_its_numbers():
    reading = sound_generation.read(sound_rows())
    kinds, steps = reading.sentences[:3], reading.sentences[3:]
    nearest = "WaveNet 500, S4D 900, VQ-VAE 1300, diffusion 2100, WaveGAN 2500, flow matching 2500. Other real sounds have 25,"
    assert nearest in kinds[0] and "independently of each other 8000, and noise 60000" in kinds[0]
    assert "WaveNet needs 3.00 bits a sample and S4D 3.50, the best model without context 7.00" in kinds[1]
    assert "in 85% (flow matching), 80% (diffusion), 70% (VQ-VAE), 65% (S4D), 60% (WaveNet) of" in kinds[2]
    assert "real ones in 100% and noise in 8%" in kinds[2]
    assert "many classes as 6.0 alike would be, real ones for 13.0" in kinds[2]
    assert "least in 1 steps of flow matching, 401, and in 1 steps of diffusion, 501" in steps[0]
    assert "in 20 steps it is 420 and 520. Noise has 4000." in steps[0]
    assert "takes 95% of" in steps[1] and "the requested class, 80% of those in 2 and 50% of" in steps[1]
    assert "diffusion's 85%, 70% and 40%, at most 85%, and 100% of held-out" in steps[1]
    assert "of 55% and 45% of the sounds" in steps[2] and "noise has it in 20%" in steps[2]
    assert [part.holds for part in reading.expectations] == [True] * 7
    worse = sound_generation.read(sound_rows((0.5, 0.6, 0.8), 900, spread=12.5, wave_bits=4.3, worst=8500.0, given=0.35))
    assert [part.holds for part in worse.expectations] == [False] * 7


def test_the_reading_of_sounds_without_classes_is_about_their_distance():
    rows = sound_rows()
    for row in rows.values():
        for column in ("class_accuracy", "semitone", "classes"):
            row.cells.pop(column, None)
    reading = sound_generation.read(rows)
    assert len(reading.sentences) == 3 and len(reading.expectations) == 4


def test_the_tables_of_sound_generation_have_every_model_and_every_number_of_steps(finished, tmp_path):
    results, folder = finished("sound_generation")
    rows = table(results)
    steps = ["1 step", *(f"{count} steps" for count in (2, 5, 10, 20))]
    for name in ("diffusion", "flow matching"):
        assert [row for row in rows if row.startswith(f"{name}, ")] == [f"{name}, {words}" for words in steps]
    first = [title for title, row in results["rows"].items() if row["table"] == "Six kinds of models"]
    assert first == ["noise", "independent samples", *KINDS_OF_SOUNDS, "real sounds"] and len(rows) == 19
    assert "class_accuracy" not in rows["WaveGAN"] and "frechet_distance" not in rows["real sounds"]
    for name in ("WaveNet", "S4D"):
        evaluation = json.loads((folder / "models" / name / "evaluation.json").read_text())
        assert rows[name]["bits_per_sample"] == evaluation["metrics"]["bits_per_sample"]
    assert rows["independent samples"]["bits_per_sample"] == evaluation["metrics"]["unigram_bits"]
    times = json.loads((folder / "times.json").read_text())["rows"]
    assert list(times) == list(KINDS_OF_SOUNDS) and all(cells["sampling"]["value"] >= 0 for cells in times.values())
    played = {path.stem for path in (folder / "shown").glob("*.wav")}
    of_models = {name.replace(" ", "_") for name in KINDS_OF_SOUNDS}
    assert played == of_models | {"noise", "real", "diffusion_5_steps", "flow_matching_5_steps"}
    page = write_project_page(folder, results, tmp_path / "report.html").read_text(encoding="utf-8")
    places = [page.index(f"<h3>{name}</h3>") for name in ("real", "noise", *KINDS_OF_SOUNDS, "flow matching 5 steps")]
    assert places == sorted(places)  # in the order of the judgment

    _, held_out = runner.load_data(small(of("sound_generation")).models["diffusion"].module.RECIPES["notes"])
    batch, notes = held_out.batch(), np.log2(held_out.description["frequencies"])
    length = min(model.module.RECIPES["notes"].length for model in small(of("sound_generation")).models.values())
    strongest = np.abs(np.fft.rfft(batch["audio"][:, 0, :length].numpy()))[:, 1:].argmax(1) + 1
    heard = np.abs(np.log2(strongest * held_out.description["sample_rate"] / length)[:, None] - notes).argmin(1)
    assert rows["real sounds"]["semitone"] == pytest.approx((np.abs(heard - batch["label"].numpy()) <= 1).mean())


@pytest.fixture(scope="module")
def listener():
    """One who knows 52 notes, and 26 held-out ones."""
    sounds, labels = synthesize(78, length=1024, sample_rate=8000, generator=torch.Generator().manual_seed(0))
    classes = [str(note) for note in range(13)]
    about = {"classes": classes, "frequencies": list(FREQUENCIES)}
    train, held_out = (Sounds(sounds[part], labels[part], about) for part in (slice(52), slice(52, 78)))
    experiment, recipe = SimpleNamespace(classes=classes), SimpleNamespace(sample_rate=8000)
    data = {"train_data": train, "held_out_data": held_out}
    return sound_generation.Listener(SimpleNamespace(**data, experiment=experiment, recipe=recipe), 1024)


def test_a_listener_tells_real_notes_from_wrong_ones_copies_and_noise(listener):
    """The distance of the half that it compares with is 0, that of the other half is small, and that of one note is not."""
    sounds, labels = listener.fresh, listener.fresh_label
    right, wrong = listener.cells(sounds, labels), listener.cells(sounds.clone(), (labels + 6) % 13)
    assert right["class_accuracy"].value > 0.9 and right["semitone"].value == 1.0
    assert wrong["class_accuracy"].value < 0.1 and wrong["semitone"].value == 0.0
    assert right["frechet_distance"] == pytest.approx(0, abs=1e-3) and listener.cells(-sounds[:13])["frechet_distance"] > 1
    assert right["classes"] > 11 and listener.cells(sounds[:1].repeat(26, 1))["classes"] == pytest.approx(1)
    assert "class_accuracy" not in listener.cells(sounds[:13])
    known = torch.cat([listener.known, listener.fresh])
    known = known[(torch.arange(78) % 13).argsort(stable=True)]
    noise = 0.25 * torch.randn(26, 1024, generator=torch.Generator().manual_seed(1))
    distances = [listener.audio_distance(some) for some in (known[::2], listener.others, sounds[labels == 0], noise)]
    assert distances[0] == pytest.approx(0, abs=1e-3) and min(distances[2:]) > 4 * distances[1] > 0


def test_a_listener_plays_one_sound_of_each_class(listener):
    ordered = listener.fresh[listener.fresh_label.argsort(stable=True)]
    played = listener.audible(ordered, "Real")
    assert played.samples.shape == (13, 1024) and torch.equal(played.samples[[0, -1]], ordered[[0, -1]])
    assert played.caption == "Real, one after another" and listener.named() == ", 0 to 12"


# ---------------------------------------------------------------------------------------------------- comparison


def compared_rows(**changed):
    """Every row of the comparison; "row/column" in `changed` is another number."""
    gray, binary, points = (list(rows) for rows in (comparison.OF_GRAY_DIGITS, comparison.OF_BINARY_DIGITS, comparison.OF_POINTS))
    ends = [
        _comparison_reading.PIXELS,
        _comparison_reading.REAL,
        _comparison_reading.BINARY_PIXELS,
        _comparison_reading.BINARY_REAL,
    ]
    bits = {
        "independent pixels": (2.4, "exact"),
        "PixelCNN": (1.8, "exact"),
        "transformer": (1.9, "exact"),
        "S4D": (1.85, "exact"),
        "Real NVP": (2.1, "upper bound"),
        "MAF": (2.15, "upper bound"),
        "DDPM, all steps": (2.2, "upper bound"),
        "independent binary pixels": (0.57, "exact"),
        "MADE": (0.38, "exact"),
        "RBM": (0.37, "estimate"),
        "VAE": (0.41, "upper bound"),
        "conditional VAE": (0.4, "upper bound"),
    }
    cells = {}
    for place, name in enumerate([*gray, *binary, *map(_comparison_reading.thresholded, gray), *ends]):
        near = Estimate(1.0, 0.9, 1.1)
        share = place / 100
        cells[name] = {
            "frechet_distance": 0.3 - share,
            "precision": near,
            "recall": 0.9 - share,
            "classes": 9.0 + share,
            "nearest_ratio": near,
        }
        cells[name] |= {"operations": 10**6 + place * 10**7} if name in (*gray, *binary) else {}
        cells[name] |= {"bits_per_dimension": Annotated(*bits[name])} if name in bits else {}
    cells["independent pixels"]["frechet_distance"] = 0.9
    cells["DDIM, 20 steps"]["frechet_distance"] = 0.05
    cells["GAN"]["operations"] = cells["VAE"]["operations"] = 10**5
    for place, name in enumerate([*points, _comparison_reading.ONE_GAUSSIAN, _comparison_reading.REAL_POINTS]):
        cells[name] = {"modes": 8.0, "high_quality": 0.96 + place / 1000}
        kind = _comparison_reading.KINDS.get(name, "exact" if name == _comparison_reading.ONE_GAUSSIAN else None)
        cells[name] |= {"divergence": Annotated(0.1 * place, kind)} if kind else {}
    for place, value in changed.items():
        name, column = place.split("/")
        cells[name][column] = value
    return {name: Row("model", of_row) for name, of_row in cells.items()}


def test_the_reading_of_the_comparison_follows_its_numbers():
    reading = comparison.read(compared_rows())
    said = reading.sentences
    assert "Exact: PixelCNN 1.800, S4D 1.850, transformer 1.900; independent pixels 2.400." in said[0]
    assert "Upper bounds: Real NVP 2.100, MAF 2.150, DDPM, all steps 2.200." in said[0]
    assert "Exact: MADE 0.380" in said[1] and "VAE 0.400, VAE 0.410" in said[1] and "sampling: RBM 0.370." in said[1]
    assert "held-out ones: DDIM, 20 steps 0.050, S4D 0.190" in said[2]
    assert "recall from 0.79 (S4D) to 0.90 (Gaussian mixture)" in said[4] and "nothing is copied" in said[5]
    assert "No model misses a mode." in said[8]
    assert "PixelCNN (gray digits), MADE (binary digits), Gaussian mixture (points)" in said[9]
    assert "whatever they cost: DDIM, 20 steps." in said[10]
    assert said[12].endswith("here PixelCNN, transformer, S4D, flow matching, diffusion, conditional VAE.")
    assert [part.holds for part in reading.expectations] == [True] * 9


@pytest.mark.parametrize(
    ("number", "place", "value"),
    [
        (0, "Real NVP/bits_per_dimension", Annotated(2.35, "upper bound")),
        (1, "RBM/bits_per_dimension", Annotated(0.5, "estimate")),
        (2, "PixelCNN/bits_per_dimension", Annotated(2.0, "exact")),
        (3, "GAN/frechet_distance", 0.04),
        (4, "VQ-VAE/frechet_distance", 0.5),
        (5, "GAN/operations", 10**8),
        (6, "VAE/nearest_ratio", 0.5),
        (7, "8 Gaussians, MAF/divergence", Annotated(1.2, "exact")),
        (8, "8 Gaussians, diffusion/modes", 6.0),
    ],
)
def test_what_is_asserted_of_the_comparison_can_fail(number, place, value):
    reading = comparison.read(compared_rows(**{place: value}))
    assert [part.holds for part in reading.expectations] == [k != number for k in range(9)]
    if number == 8:
        assert "Modes are missed by diffusion." in reading.sentences[8]
    if number == 6:
        assert "0.50 to 1.00 times" in reading.sentences[5] and "below what new digits have" in reading.sentences[5]


def test_efficient_models_are_those_that_no_cheaper_one_equals():
    """By distance and operations: a model is left out where one with fewer operations is as near."""
    changed = {f"{name}/operations": 10.0 ** (10 + k) for k, name in enumerate(comparison.OF_GRAY_DIGITS)}
    changed |= {f"{name}/operations": float(cost) for name, cost in (("MADE", 4), ("RBM", 3), ("conditional VAE", 2), ("VAE", 1))}
    changed |= {f"{name}, thresholded/frechet_distance": 0.7 for name in comparison.OF_GRAY_DIGITS}
    changed |= {
        "VAE/frechet_distance": 0.6,
        "conditional VAE/frechet_distance": 0.6,
        "RBM/frechet_distance": 0.2,
        "MADE/frechet_distance": 0.4,
        "PixelCNN, thresholded/frechet_distance": 0.1,
    }
    of = _comparison_reading.Numbers(compared_rows(**changed))
    assert _comparison_reading.efficient(of) == ["VAE", "RBM", "PixelCNN, thresholded"]
    changed["PixelCNN, thresholded/frechet_distance"] = Estimate(0.1, 0.0, 0.24)  # 0.2 is within its interval's half
    assert _comparison_reading.efficient(_comparison_reading.Numbers(compared_rows(**changed))) == ["VAE", "RBM"]


def test_models_that_differ_by_chance_are_named_together():
    changed = {
        "DDIM, 20 steps/frechet_distance": Estimate(0.05, 0.0, 0.1),
        "GAN/frechet_distance": 0.09,
        "PixelCNN/frechet_distance": 0.11,
        "DDPM, all steps/bits_per_dimension": Annotated(2.5, "upper bound"),
    }
    said = comparison.read(compared_rows(**changed)).sentences
    assert "whatever they cost: DDIM, 20 steps; no farther, up to chance: GAN." in said[10]
    assert "above independent pixels: DDPM, all steps, trained for samples" in said[0]


def test_a_conditional_model_of_pixels_pays_for_the_class():
    """Of two equally likely classes one gives an image all probability, the other a quarter: p = (1 + 1/4) / 2."""
    log_prob = lambda codes, label: torch.where(label == 0, 0.0, math.log(0.25)).expand(len(codes))  # noqa: E731
    experiment = SimpleNamespace(log_prob=log_prob, classes=["a", "b"], recipe=SimpleNamespace(num_levels=17))
    data = SimpleNamespace(batch=lambda: {"image": torch.zeros(3, 1, 2, 2)})
    assert comparison._pixel_bits(data, experiment) == pytest.approx(-math.log2(0.625) / 4)


def test_the_table_of_the_comparison_is_that_of_its_models(finished):
    """Numbers of trainings are found again; a conditional VAE pays for the class; the seconds are in their own file."""
    results, folder = finished("comparison")
    rows, models = table(results), folder / "models"
    read = lambda name, file: json.loads((models / name / file).read_text())  # noqa: E731
    metrics = {name: read(name, "evaluation.json")["metrics"] for name in ("MADE", "conditional VAE")}
    nats = {name: 64 * math.log(2) * rows[name]["bits_per_dimension"] for name in metrics}
    assert nats["MADE"] == pytest.approx(metrics["MADE"]["nats_per_image"])
    assert nats["conditional VAE"] == pytest.approx(metrics["conditional VAE"]["negative_elbo"] + math.log(10))
    assert [row["table"] for row in results["rows"].values()] == sorted(
        (row["table"] for row in results["rows"].values()), key=[comparison.GRAY, comparison.BINARY, comparison.PLANE].index
    )
    times = json.loads((folder / "times.json").read_text())["rows"]
    drawing = [name for name, row in rows.items() if "operations" in row]
    assert sorted(times) == sorted(drawing) and all(cell["value"] > 0 for row in times.values() for cell in row.values())
    hidden = read("RBM", "recipe.json")["fields"]["hidden"]
    assert rows["RBM"]["parameters"] == 64 * hidden + 64 + hidden
    assert rows["8 Gaussians, their own law"]["modes"] == 8


def test_training_seconds_are_those_of_the_fastest_rate(tmp_path):
    """100 steps of two turns of 8 examples, at 400 a second."""
    (tmp_path / "times.csv").write_text("step,seconds,rate,utilization\n50,9,200.0,\n100,12,400.0,\n")
    recipe = SimpleNamespace(steps=100, accumulate=1, batch_size=8)
    turns = (SimpleNamespace(times=1), SimpleNamespace(times=1))
    training = SimpleNamespace(
        run=SimpleNamespace(folder=tmp_path), recipe=recipe, train_data=range(50), experiment=SimpleNamespace(phases=turns)
    )
    assert comparison.training_seconds(training) == pytest.approx(4.0)
