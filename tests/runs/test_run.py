"""The run directory: settings, names, metrics, locks and evaluations, clear lines."""

import json

import numpy as np
import pytest
import readers

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.runs import run
from cvae.runs.run import Run


@pytest.fixture
def new_run(tmp_path):
    return Run.create(tmp_path / "runs" / "first", Config(seed=3))


def _row(step):
    bound = -100.0 + step
    return {"step": step, "epoch": 1.0, "seconds": 2.0, "train_bound": bound}


def test_a_run_remembers_its_config(new_run):
    assert run.find(new_run.path).config == Config(seed=3)


def test_a_directory_that_holds_a_run_is_not_overwritten(new_run):
    with pytest.raises(CvaeError, match="already holds a run"):
        Run.create(new_run.path, Config(seed=4))
    assert Run(new_run.path).config.seed == 3


def test_latest_points_at_the_newest_run(new_run, tmp_path, monkeypatch):
    second = Run.create(tmp_path / "runs" / "second", Config())
    monkeypatch.chdir(tmp_path)
    assert run.find().path == second.path.resolve()


def test_no_run_at_all_is_one_line_that_says_how_to_train_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CvaeError, match=r"no run yet.*scripts/train\.py"):
        run.find()


def test_a_mistyped_run_suggests_the_nearest(new_run):
    with pytest.raises(CvaeError, match="did you mean 'first'"):
        run.find(new_run.path.with_name("frist"))


def test_a_directory_without_config_is_called_no_run(tmp_path):
    with pytest.raises(CvaeError, match=r"is not a run.*config\.json"):
        run.find(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seed": "x"}', '{"sede": 1}'])
def test_a_damaged_config_is_one_line(new_run, text):
    (new_run.path / "config.json").write_text(text)
    with pytest.raises(CvaeError) as error:
        Run(new_run.path)
    assert "\n" not in str(error.value)


def test_a_full_disk_under_the_metrics_is_one_line(new_run):
    (new_run.path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(CvaeError, match="No space left.*--resume"):
        new_run.append_metrics({"step": 1})


def test_a_cut_last_line_of_metrics_is_left_out_and_later_rows_are_trimmed(new_run):
    for step in (10, 20, 30):
        new_run.append_metrics(_row(step))
    path = new_run.path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 40, "tra')
    assert [row["step"] for row in new_run.metrics()] == [10, 20, 30]
    new_run.trim_metrics(20)
    assert [json.loads(x)["step"] for x in path.read_text().splitlines()] == [10, 20]


def test_a_damaged_line_of_metrics_is_named(new_run):
    new_run.append_metrics(_row(1))
    path = new_run.path / "metrics.jsonl"
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(CvaeError, match="damaged at line 1"):
        new_run.metrics()


def test_nan_never_reaches_a_file(new_run):
    with pytest.raises(ValueError):
        new_run.append_metrics({"step": 1, "train_bound": float("nan")})
    with pytest.raises(ValueError):
        new_run.write_evaluation({"bound": float("inf")})
    assert not (new_run.path / "evaluation.json").exists()


def test_a_run_in_use_is_locked_against_a_second_process(new_run):
    with new_run.lock():
        with pytest.raises(CvaeError, match="another process"):
            new_run.lock()
    new_run.lock().close()


def test_evaluation_is_asked_for_when_missing(new_run):
    with pytest.raises(CvaeError, match=r"scripts/evaluate\.py"):
        new_run.evaluation()


def evaluated(new_run, **changes):
    """The run with the evaluation of readers.py, changed."""
    new_run.write_evaluation(dict(readers._EVALUATION, **changes))
    new_run.write_evaluation_arrays(readers._evaluation_arrays())
    return new_run


def test_an_evaluation_comes_back_as_it_was(new_run):
    evaluated(new_run)
    assert new_run.evaluation() == readers._EVALUATION
    arrays = new_run.evaluation_arrays()
    assert set(arrays) == set(readers._evaluation_arrays())
    for name, array in readers._evaluation_arrays().items():
        np.testing.assert_array_equal(arrays[name], array)


def test_an_evaluation_from_before_implementations_were_noted_is_of_cvae_zs(new_run):
    old = {k: v for k, v in readers._EVALUATION.items() if k != "zhusuan"}
    new_run.write_evaluation(old)
    named = {"trained": ["cvae.zs"], "evaluated": ["cvae.zs"]}
    assert new_run.evaluation() == dict(old, zhusuan=named)


def test_an_evaluation_of_an_older_version_is_one_line(new_run):
    old = {k: readers._EVALUATION[k] for k in ("bound", "kl", "log_likelihood", "step")}
    new_run.write_evaluation(old)
    for read in (new_run.evaluation, new_run.evaluation_arrays):
        with pytest.raises(
            CvaeError, match=r"has no .*scripts/evaluate\.py --run"
        ) as e:
            read()
        assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "part, changes",
    [
        ("classifier", {"confusion": [[1, 1], [1]]}),
        ("classifier", {"confusion": [[2, 1], [0, 1]]}),
        ("classifier", {"confusion": [[2, 0], [0, 1]]}),
        ("classifier", {"confusion": []}),
        ("classifier", {"error_rate": 0.5}),
        ("classifier", {"high": 0.2}),
        ("classifier", {"n_images": 4}),
        (
            "classifier",
            {"mistakes": [{"image": 3, "class": 0, "predicted": 1, "log_odds": 4.0}]},
        ),
        ("latent", {"activity": [0.1]}),
        ("latent", {"active": 3}),
        ("log_likelihood", {"particles": 200}),
    ],
)
def test_an_evaluation_that_contradicts_itself_is_damage(new_run, part, changes):
    evaluated(new_run, **{part: dict(readers._EVALUATION[part], **changes)})
    with pytest.raises(CvaeError, match=r"contradicts.*scripts/evaluate\.py"):
        new_run.evaluation()


@pytest.mark.parametrize("changes", [{"per_class": []}, {"growth": []}])
def test_an_evaluation_without_rows_is_damage(new_run, changes):
    with pytest.raises(CvaeError, match="contradicts"):
        evaluated(new_run, **changes).evaluation()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"step": np.array(11)}, "another evaluation"),
        ({"marginal": np.array([-85.5, -86.5, -84.0])}, "another evaluation"),
        ({"ess": np.zeros(4)}, "damaged: ess"),
        ({"bound": np.zeros(3, np.float32)}, "damaged: bound"),
        ({"log_likelihoods": np.zeros((3, 3))}, "damaged: log_likelihoods"),
        ({"more": np.zeros(3)}, "damaged"),
    ],
)
def test_figures_of_each_image_that_do_not_fit_are_one_line(new_run, changes, words):
    evaluated(new_run)
    new_run.write_evaluation_arrays(dict(readers._evaluation_arrays(), **changes))
    with pytest.raises(CvaeError, match=words + r".*scripts/evaluate\.py") as caught:
        new_run.evaluation_arrays()
    assert "\n" not in str(caught.value)


def test_figures_of_each_image_are_asked_for_when_missing(new_run):
    new_run.write_evaluation(readers._EVALUATION)
    with pytest.raises(CvaeError, match=r"evaluation\.npz.*scripts/evaluate\.py"):
        new_run.evaluation_arrays()


@pytest.mark.parametrize(
    "row",
    [
        '{"step": 1}',
        '{"step": NaN, "epoch": 1.0, "seconds": 1.0, "train_bound": 1.0}',
        '{"step": 1, "epoch": 1.0, "seconds": 1.0, "train_bound": 1e999}',
        '{"step": -1, "epoch": 1.0, "seconds": 1.0, "train_bound": 1.0}',
        '{"step": 1, "epoch": true, "seconds": 1.0, "train_bound": 1.0}',
        '{"step": 1, "epoch": 1.0, "seconds": 1.0, "train_bound": 1.0, "x": "y"}',
        '{"step": 1' + " " * 9999 + "}",
        "\ud800",
    ],
)
def test_a_row_of_metrics_of_another_form_is_damage(new_run, row):
    data = (row + "\n").encode("utf-8", "surrogatepass")
    (new_run.path / "metrics.jsonl").write_bytes(data)
    with pytest.raises(CvaeError, match="damaged at line 1"):
        new_run.metrics()


@pytest.mark.parametrize("path", ["/", "..", "../.."])
def test_a_place_without_a_name_of_its_own_is_no_place_for_a_run(path):
    with pytest.raises(CvaeError, match="not a valid run name"):
        Run.create(path, Config())


def test_a_run_with_other_settings_is_refused_and_kept(tmp_path):
    path, config = tmp_path / "x", Config(seed=8)
    made = Run.open_or_create(path, config)
    assert Run.open_or_create(path, config).config == made.config == config
    with pytest.raises(CvaeError, match="other settings.*make clean-runs"):
        Run.open_or_create(path, Config(seed=9))
    assert Run(path).config == config
