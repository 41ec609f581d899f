"""A run as a folder to share: a run as good, with a card that says what it measured."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
import readers
import safetensors.numpy
import tiny
import yaml
from paths import ROOT

from cvae.data.dataset import Facts, numbered
from cvae.errors import CvaeError
from cvae.evaluation import evaluate
from cvae.inference import generate
from cvae.inference.trained import Model
from cvae.report import card, figures, sharing
from cvae.report.numbers import percent, with_error
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run
from cvae.storage import files


@pytest.fixture(scope="module")
def dataset(mnist):
    return tiny.dataset(mnist, n_train=50, n_test=30)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    """A run of random weights that was evaluated."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "mine", tiny.UNTRAINED)
    run.keep_data(dataset)
    _keep_weights(run, tiny.random_weights(tiny.shapes(run.config)))
    run.append_metrics(readers._row(10))
    evaluate.evaluate_run(run, dataset, particles=2, checks=0)
    return run


@pytest.fixture(scope="module")
def hub(run, tmp_path_factory):
    """The folder that is made of it."""
    folder = tmp_path_factory.mktemp("shared") / "hub"
    paths = sharing.export(run, folder)
    assert sorted(paths) == sorted(folder.iterdir())
    return Run(folder)


@pytest.fixture
def evaluated(tmp_path):
    """A run of random weights, with the evaluation of another."""
    config = dataclasses.replace(
        tiny.UNTRAINED, dataset="/place/of/mine", origin="/place/of/other"
    )
    run = Run.create(tmp_path / "mine", config)
    classes = ("*a*|<b>", *numbered(10)[1:])
    facts = Facts("[mine]", "/place/of/mine", "0" * 64, 3, 3, classes, (), "A _note_.")
    files.write_json(run.path / "dataset.json", facts.to_dict())
    _keep_weights(run, tiny.random_weights(tiny.shapes(config)))
    run.append_metrics(readers._row(10))
    run.write_evaluation(readers._EVALUATION)
    run.write_evaluation_arrays(readers._evaluation_arrays())
    return run


def _keep_weights(run, weights, step=10):
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    run.save_checkpoint(Checkpoint(arrays, State(step, [0, 0.0, step])))


def _weights_of_the_run_rounded(run):
    return {name: np.float16(array) for name, array in run.weights().items()}


def test_its_weights_are_the_averages_rounded_to_half_precision(run, hub):
    rounded = _weights_of_the_run_rounded(run)
    np.testing.assert_equal(hub.weights(), rounded)
    assert {array.dtype for array in hub.weights().values()} == {np.dtype(np.float16)}


def test_the_librarys_own_reader_finds_the_variables(run, hub):
    found = safetensors.numpy.load_file(str(hub.path / "model.safetensors"))
    np.testing.assert_equal(found, _weights_of_the_run_rounded(run))


def test_programs_take_the_folder_as_a_run(run, hub, dataset, tmp_path):
    with Model(run.config, _weights_of_the_run_rounded(run)) as model:
        expected = generate.samples(model, range(10), 2, seed=3)
    with Model(hub.config, hub.weights()) as model:
        np.testing.assert_array_equal(
            generate.samples(model, range(10), 2, seed=3), expected
        )
    figures.draw(hub, dataset, tmp_path, ["curves", "extremes"], [".png"])
    assert len(list(tmp_path.iterdir())) == 2
    copy = Run(shutil.copytree(str(hub.path), str(tmp_path / "copy")))
    evaluate.evaluate_run(copy, dataset, particles=2, checks=0)
    before, after = (r.evaluation()["bound"]["mean"] for r in (run, copy))
    assert copy.evaluation()["step"] == hub.evaluation()["step"]
    assert after == pytest.approx(before, abs=0.05)


def test_its_results_are_those_of_the_run(run, hub):
    assert hub.config == run.config and hub.data == run.data
    assert hub.metrics() == run.metrics()
    assert hub.evaluation() == run.evaluation()
    np.testing.assert_equal(hub.evaluation_arrays(), run.evaluation_arrays())


def test_the_same_run_gives_the_same_bytes_and_so_does_the_folder_itself(
    run, hub, tmp_path
):
    named = tmp_path / run.path.name
    for source, folder in ((run, tmp_path / "again"), (hub, named)):
        sharing.export(source, folder)
    names = sorted(path.name for path in hub.path.iterdir())
    assert names == sorted(path.name for path in named.iterdir())
    for name in set(names) - {"README.md"}:
        assert (named / name).read_bytes() == (hub.path / name).read_bytes(), name
    again = sorted((tmp_path / "again").iterdir())
    assert [p.read_bytes() for p in again] == [
        p.read_bytes() for p in sorted(hub.path.iterdir())
    ]


def test_the_cards_numbers_are_those_of_the_evaluation(hub):
    text, found = (hub.path / "README.md").read_text(encoding="utf-8"), hub.evaluation()
    _, front, body = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
    front = yaml.safe_load(front)
    (result,) = front["model-index"][0]["results"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    kinds = ("bound", "log_likelihood", "marginal")
    assert values.pop("error_rate") == found["classifier"]["error_rate"]
    assert values == {kind: found[kind]["mean"] for kind in kinds}
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|", body, re.MULTILINE))
    for kind, name in {**card.LIKELIHOODS, **card.PARTS}.items():
        assert rows[name.replace("|", r"\|")] == with_error(found[kind])
    rate = percent(found["classifier"]["error_rate"])
    assert rows["Error rate by Bayes' rule"].startswith(rate)
    assert rows["`hidden`"] == "20, 15"
    assert f"| log p(x) | {with_error(found['marginal'])} | 2 |" in body


def test_the_card_shows_its_pictures_and_names_licence_and_data(hub):
    text = (hub.path / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "mit" and front["library_name"] == "cvae"
    assert front["datasets"] == ["ylecun/mnist"] and "CC BY-SA 3.0" in text
    pictures = re.findall(r"!\[.+\]\((.+)\)", text)
    assert len(pictures) == 4
    for name in pictures:
        assert (hub.path / name).read_bytes().startswith(b"\x89PNG")


def test_the_citation_is_that_of_the_repository():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cited = yaml.safe_load(text)
    assert cited["title"] == card.TITLE and cited["license"] == card.LICENCE
    assert [author["name"] for author in cited["authors"]] == [card.AUTHORS]


def test_no_place_on_this_machine_is_shared_and_names_are_text(evaluated, tmp_path):
    folder = tmp_path / "hub"
    sharing.export(evaluated, folder)
    for path in folder.iterdir():
        content = path.read_bytes()
        assert b"/place" not in content, path.name
        assert str(tmp_path).encode() not in content, path.name
    shared = Run(folder)
    assert shared.config.dataset == "[mine]" and shared.config.origin == "other"
    assert shared.data == evaluated.data._replace(path="")
    assert shared.weights()  # of a training with these settings
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert r"\*a\*\|\<b\>, 1, 2" in text and r"A \_note\_." in text
    assert yaml.safe_load(text.split("---\n")[1])["datasets"] == ["-mine-"]


def _unevaluated(run, folder):
    (run.path / "evaluation.json").unlink()


def _trained_since(run, folder):
    _keep_weights(run, run.weights(), step=11)


def _too_large(run, folder):
    weights = {name: 1e6 + array for name, array in run.weights().items()}
    _keep_weights(run, weights)


def _of_another_run(run, folder):
    (folder / "checkpoints").mkdir(parents=True)


@pytest.mark.parametrize(
    "fault, words",
    [
        (_unevaluated, "is not evaluated yet"),
        (_trained_since, "was evaluated at step 10; it is at step 11 now"),
        (_too_large, "too large for half precision"),
        (_of_another_run, "choose another --output"),
    ],
)
def test_what_cannot_be_shared_is_one_line_and_nothing_is_written(
    evaluated, tmp_path, fault, words
):
    folder = tmp_path / "hub"
    fault(evaluated, folder)
    with pytest.raises(CvaeError, match=words) as error:
        sharing.export(evaluated, folder)
    assert "\n" not in str(error.value)
    assert not (folder / "config.json").exists()


def test_a_damaged_weight_is_one_line(hub, tmp_path):
    copy = Run(shutil.copytree(str(hub.path), str(tmp_path / "copy")))
    path = copy.path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # of an exponent: still a finite number
    path.write_bytes(data)
    with pytest.raises(CvaeError, match="wrong checksum; copy it again") as error:
        copy.weights()
    assert "\n" not in str(error.value) and str(path) in str(error.value)
