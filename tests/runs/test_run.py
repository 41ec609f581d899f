"""The run directory: whole files, checksums, the checkpoint before, clear lines."""

import json

import numpy as np
import pytest
import readers

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.runs import run
from cvae.runs.run import AVERAGE, Checkpoint, Run
from cvae.storage import files


@pytest.fixture
def new_run(tmp_path):
    return Run.create(tmp_path / "runs" / "first", Config(seed=3))


def _checkpoint(step):
    arrays = {"w": np.full(3, step, np.float32), "w" + AVERAGE: np.arange(3.0) + step}
    versions = {"tensorflow": ["1.15.0"], "zhusuan": ["ZhuSuan 0.4.0"]}
    state = dict(versions, step=step, plan=[0, 0.1, 9])
    return Checkpoint(arrays, state)


def _row(step):
    bound = -100.0 + step
    return {"step": step, "epoch": 1.0, "seconds": 2.0, "train_bound": bound}


def _newest_file(new_run):
    index = files.read_json(new_run.path / "checkpoints" / "index.json")
    return new_run.path / "checkpoints" / index["recent"][0]["file"]


def _flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def _remove(path):
    path.unlink()


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


def test_a_checkpoint_comes_back_bit_for_bit(new_run):
    saved = _checkpoint(5)
    new_run.save_checkpoint(saved)
    loaded = new_run.load_checkpoint()
    assert loaded.state == saved.state
    for name, array in saved.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
        assert loaded.arrays[name].dtype == array.dtype


def test_a_checkpoint_from_before_versions_were_noted_is_of_cvae_zs(new_run):
    saved = _checkpoint(5)
    del saved.state["tensorflow"], saved.state["zhusuan"]
    new_run.save_checkpoint(saved)
    state = new_run.load_checkpoint().state
    assert state["tensorflow"] == ["of unknown version"]
    assert state["zhusuan"] == ["cvae.zs"]


@pytest.mark.parametrize("damage", [_flip_a_bit, _truncate, _remove])
def test_a_damaged_latest_checkpoint_is_named_and_the_one_before_used(new_run, damage):
    new_run.save_checkpoint(_checkpoint(5))
    new_run.save_checkpoint(_checkpoint(6))
    damaged = _newest_file(new_run)
    damage(damaged)
    warnings = []
    assert new_run.load_checkpoint(warn=warnings.append).state["step"] == 5
    assert len(warnings) == 1 and str(damaged) in warnings[0]


def test_a_damaged_checkpoint_does_not_push_out_the_whole_one_before_it(new_run):
    for step in (5, 6):
        new_run.save_checkpoint(_checkpoint(step))
    _truncate(_newest_file(new_run))
    new_run.load_checkpoint(warn=lambda line: None)
    new_run.save_checkpoint(_checkpoint(7))
    _truncate(_newest_file(new_run))
    assert new_run.load_checkpoint(warn=lambda line: None).state["step"] == 5


def test_a_damaged_best_checkpoint_is_made_good_by_the_latest(new_run):
    new_run.save_checkpoint(_checkpoint(5), best=True)
    for step in (6, 7):
        new_run.save_checkpoint(_checkpoint(step))
    _truncate(new_run.path / "checkpoints" / "step-000000005.npz")
    best = new_run.load_checkpoint(best=True, warn=lambda line: None)
    assert best.state["step"] == 7


def test_a_full_disk_under_the_metrics_is_one_line(new_run):
    (new_run.path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(CvaeError, match="No space left.*--resume"):
        new_run.append_metrics({"step": 1})


def test_no_whole_checkpoint_left_is_one_line(new_run):
    new_run.save_checkpoint(_checkpoint(5))
    _truncate(_newest_file(new_run))
    with pytest.raises(CvaeError, match="no whole checkpoint left"):
        new_run.load_checkpoint(warn=lambda line: None)


def test_a_run_without_checkpoint_is_one_line(new_run):
    with pytest.raises(CvaeError, match="no checkpoint yet"):
        new_run.weights()


def test_only_the_two_latest_checkpoints_and_the_best_are_kept(new_run):
    (new_run.path / "checkpoints").mkdir()
    (new_run.path / "checkpoints" / ".step-000000000.npz.left").write_text("killed")
    for step in range(1, 6):
        new_run.save_checkpoint(_checkpoint(step), best=step == 2)
    kept = sorted(p.name for p in (new_run.path / "checkpoints").iterdir())
    steps = [f"step-00000000{s}.npz" for s in (2, 4, 5)]
    assert kept == ["index.json"] + steps
    assert new_run.load_checkpoint(best=True).state["step"] == 2


def test_weights_are_the_averages_under_the_variables_names(new_run):
    new_run.save_checkpoint(_checkpoint(5))
    weights = new_run.weights()
    assert list(weights) == ["w"]
    np.testing.assert_array_equal(weights["w"], np.arange(3.0) + 5)


def test_a_full_disk_leaves_the_checkpoint_before_usable(new_run, monkeypatch):
    new_run.save_checkpoint(_checkpoint(5))

    def no_space(*unused, **unused_too):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", no_space)
    with pytest.raises(CvaeError, match="No space left"):
        new_run.save_checkpoint(_checkpoint(6))
    assert new_run.load_checkpoint().state["step"] == 5
    left = [p.name for p in (new_run.path / "checkpoints").iterdir()]
    assert sorted(left) == ["index.json", "step-000000005.npz"]


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
    "index",
    [
        "{",
        "[]",
        "{}",
        '{"recent": 3}',
        '{"recent": [{"file": "../../x.npz", "sha256": "' + "0" * 64 + '"}]}',
        '{"recent": [{"file": "step-000000005.npz", "sha256": "x"}]}',
        "[" * 9999,
        None,
    ],
)
def test_a_damaged_index_gives_way_to_the_newest_whole_checkpoint(new_run, index):
    for step in (5, 6):
        new_run.save_checkpoint(_checkpoint(step))
    path = new_run.path / "checkpoints" / "index.json"
    path.unlink()
    if index is not None:
        path.write_text(index)
    warnings = []
    assert new_run.has_checkpoint()
    assert new_run.load_checkpoint(warn=warnings.append).state["step"] == 6
    assert len(warnings) == 1 and str(path) in warnings[0]
    _truncate(new_run.path / "checkpoints" / "step-000000006.npz")
    assert new_run.load_checkpoint(warn=warnings.append).state["step"] == 5
    new_run.save_checkpoint(_checkpoint(7))
    del warnings[:]
    assert new_run.load_checkpoint(warn=warnings.append).state["step"] == 7
    assert not warnings


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


@pytest.mark.parametrize(
    "state",
    [
        {"step": 5},
        {"step": 5, "plan": [0, 0.1]},
        {"step": 5, "plan": [6, 0.1, 9]},
        {"step": 5.5, "plan": [0, 0.1, 9]},
        {"step": 5, "plan": [0, 0.1, 9], "else": 1},
    ],
)
def test_a_checkpoint_with_another_state_is_passed_over(new_run, state):
    new_run.save_checkpoint(_checkpoint(4))
    arrays = _checkpoint(5).arrays
    new_run.save_checkpoint(Checkpoint(arrays, {"step": 5, "plan": [0, 0.1, 9]}))
    path = _newest_file(new_run)
    np.savez(str(path), **{"__state__": np.array(json.dumps(state))}, **arrays)
    index = files.read_json(new_run.path / "checkpoints" / "index.json")
    index["recent"][0]["sha256"] = run._sha256(path)
    files.write_json(new_run.path / "checkpoints" / "index.json", index)
    warnings = []
    assert new_run.load_checkpoint(warn=warnings.append).state["step"] == 4
    assert len(warnings) == 1 and str(path) in warnings[0]


@pytest.mark.parametrize("path", ["/", "..", "../.."])
def test_a_place_without_a_name_of_its_own_is_no_place_for_a_run(path):
    with pytest.raises(CvaeError, match="no name for a run"):
        Run.create(path, Config())
