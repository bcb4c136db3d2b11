"""Threads by the work of a step: few for small models, the same for a run and its resumption, and OMP_NUM_THREADS wins."""

import pytest
import torch

from practice_torch.engine.costs import threads
from practice_torch.engine.costs.threads import take_threads, work
from practice_torch.engine.experiment import Phase
from tests.support.engine.toys import RECIPE, Noisy, Players, Points, begin


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_work_is_counted_in_multiplications_and_additions():
    """8 points through 3 x 5 and 5 x 3, and for two players through 3 x 1 and 3 x 1 each."""
    assert work(Noisy(), Points.drawn(), RECIPE) == 2 * 8 * (15 + 15)
    assert work(Players(), Points.drawn(), RECIPE) == 2 * 2 * 8 * (3 + 3)


def test_counting_the_work_leaves_the_experiment_and_the_draws_alone():
    experiment = Noisy()
    state, draws = {name: t.clone() for name, t in experiment.state_dict().items()}, torch.get_rng_state()
    work(experiment, Points.drawn(), RECIPE)
    assert all(torch.equal(t, state[name]) for name, t in experiment.state_dict().items())
    assert torch.equal(torch.get_rng_state(), draws) and experiment.generator is None


def test_a_small_model_takes_one_thread(tmp_path):
    begin(tmp_path / "run")
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(("each", "taken"), [(480, 1), (240, 2), (160, 3), (1, 4)])
def test_a_larger_one_takes_as_many_as_it_keeps_busy(monkeypatch, each, taken):
    monkeypatch.setattr(threads, "WORK_OF_A_THREAD", each)
    take_threads(Noisy(), Points.drawn(), RECIPE)
    assert torch.get_num_threads() == taken


def test_an_explicit_number_of_threads_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    begin(tmp_path / "run")
    assert torch.get_num_threads() == 4


def test_of_a_model_that_counts_nothing_is_known():
    counting = Noisy()
    counting.phases = (Phase("count"),)
    take_threads(counting, Points.drawn(), RECIPE)
    assert torch.get_num_threads() == 4
