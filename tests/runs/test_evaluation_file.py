"""An evaluation on disk: what no report can use is refused, and so is an old one."""

import copy
import json
from collections import namedtuple

import numpy as np
import pytest
import readers

from cvae.errors import CvaeError
from cvae.runs import evaluation_file

MISTAKE = {"image": 2, "class": 0, "predicted": 1, "log_odds": 4.0}
ROWS = readers._EVALUATION["per_class"]
LEVEL = readers._EVALUATION["growth"][1]

# Place of a number in evaluation.json, and a value that nothing can be done with.
USELESS = [
    ("classifier.n_images", 0),
    ("classifier.errors", 2),
    ("classifier.errors", -1),
    ("classifier.particles", 0),
    ("classifier.particles", 99),
    ("classifier.confusion", []),
    ("classifier.confusion", [[]]),
    ("classifier.confusion", [[3]]),
    ("classifier.confusion", [[1, 1], [0, 1], [0, 0]]),
    ("classifier.confusion", [[1, 1, 0], [0, 1, 0]]),
    ("classifier.confusion", [[0, 0], [0, 0]]),
    ("classifier.confusion", [[1, 0], [1, 1]]),
    ("classifier.mistakes", []),
    ("classifier.mistakes", [MISTAKE, MISTAKE]),
    ("classifier.mistakes", [dict(MISTAKE, image=3)]),
    ("classifier.mistakes", [dict(MISTAKE, predicted=2)]),
    ("classifier.mistakes", [dict(MISTAKE, predicted=0)]),
    ("classifier.mistakes", [{**MISTAKE, "class": 1, "predicted": 0}]),
    ("classifier.mistakes", [dict(MISTAKE, log_odds=-1.0)]),
    ("classifier.log_loss.stderr", -0.1),
    ("bound.stderr", -0.1),
    ("bound.mean", float("nan")),
    ("log_likelihood.particles", 0),
    ("marginal.particles", 10),
    ("ess.particles", 10),
    ("ess.p5", 0.0),
    ("ess.median", 1.0),
    ("ess.median", 101.0),
    ("growth", []),
    ("growth", [LEVEL, LEVEL]),
    ("growth", [dict(LEVEL, particles=0), LEVEL]),
    ("latent.kl", []),
    ("latent.active", 2),
    ("latent.activity", [0.9]),
    ("per_class", []),
    ("per_class", ROWS[:1]),
    ("per_class", ROWS[::-1]),
    ("per_class", ROWS[:1] * 2),
    ("per_class", [ROWS[0], {**ROWS[1], "class": 2}]),
    ("per_class", [ROWS[0], dict(ROWS[1], n=0)]),
    ("per_class", [dict(ROWS[0], n=1), dict(ROWS[1], n=2)]),
    ("per_class", [dict(ROWS[0], errors=0), ROWS[1]]),
    ("fallback.pairs", 1),
    ("fallback.images", [3]),
    ("encoder.images", 0),
    ("encoder.images", 4),
    ("encoder.growth", []),
    ("encoder.ess.p5", 0.5),
    ("sandwich.images", 0),
    ("sandwich.steps", 0),
    ("sandwich.acceptance", 1.5),
    ("train_bound.n_images", 0),
    ("zhusuan.trained", []),
    ("n_images", 0),
    ("n_images", 2),
]


def changed(place, value):
    """The evaluation of readers.py with another value at `place`."""
    results = copy.deepcopy(readers._EVALUATION)
    *outer, name = place.split(".")
    part = results
    for key in outer:
        part = part[key]
    part[name] = value
    return results


def read(folder, results):
    path = folder / "evaluation.json"
    path.write_text(json.dumps(results))
    return evaluation_file.read_evaluation(path, folder)


def assert_one_line(caught, folder):
    message = str(caught.value)
    assert "\n" not in message and str(folder / "evaluation.json") in message
    assert f"`python scripts/evaluate.py --run {folder}`" in message


@pytest.mark.parametrize("place, value", USELESS)
def test_numbers_that_nothing_can_be_done_with_are_one_line(tmp_path, place, value):
    with pytest.raises(CvaeError, match="evaluate again") as caught:
        read(tmp_path, changed(place, value))
    assert_one_line(caught, tmp_path)


def test_an_evaluation_of_nothing_is_one_line(tmp_path):
    results = changed("n_images", 0)
    results["classifier"].update(n_images=0, errors=0, confusion=[[0, 0], [0, 0]])
    results.update(per_class=[])
    with pytest.raises(
        CvaeError, match="n_images.* is 0, not a whole number from 1 up"
    ):
        read(tmp_path, results)


@pytest.mark.parametrize("place", ["per_class", "growth", "latent.kl", "classifier"])
def test_a_part_that_is_missing_is_one_line(tmp_path, place):
    results = changed(place, None)
    *outer, name = place.split(".")
    part = results[outer[0]] if outer else results
    del part[name]
    with pytest.raises(CvaeError, match=f"has no {name}") as caught:
        read(tmp_path, results)
    assert_one_line(caught, tmp_path)


def test_an_evaluation_that_could_be_is_read(tmp_path):
    """With the fewest particles, no error, and one class of two among the images."""
    results = readers._EVALUATION
    few = changed("ess", {"median": 1.0, "p5": 1.0, "particles": 1})
    few["growth"] = [dict(results["growth"][0], particles=1)]
    for name in ("log_likelihood", "marginal"):
        few[name] = dict(few[name], particles=1)
    right = changed("classifier.mistakes", [])
    right["classifier"].update(errors=0, error_rate=0.0, low=0.0)
    right["classifier"]["confusion"] = [[3, 0], [0, 0]]
    right["per_class"] = [dict(ROWS[0], n=3, errors=0)]
    checks = ("encoder", "sandwich")
    without = {k: v for k, v in results.items() if k not in checks}
    for found in (results, few, right, without):
        assert read(tmp_path, found) == found


Dataset, Split = namedtuple("Dataset", "name test"), namedtuple("Split", "images")
TEST = Dataset("mnist", Split(np.zeros((3, 784), np.uint8)))


def test_an_evaluation_of_these_weights_and_images_is_fresh(tmp_path):
    evaluation_file.check_fresh(readers._EVALUATION, tmp_path, 10, TEST)


@pytest.mark.parametrize(
    "step, dataset, fault",
    [
        (11, TEST, "was evaluated at step 10; it is at step 11 now"),
        (9, TEST, "was evaluated at step 10; it is at step 9 now"),
        (10, TEST._replace(name="mnist-5k"), "was evaluated on mnist, not on mnist-5k"),
        (
            10,
            TEST._replace(test=Split(np.zeros((2000, 784), np.uint8))),
            "was evaluated on 3 test images, not on 2,000",
        ),
    ],
)
def test_an_evaluation_of_others_is_one_line(tmp_path, step, dataset, fault):
    with pytest.raises(CvaeError) as caught:
        evaluation_file.check_fresh(readers._EVALUATION, tmp_path, step, dataset)
    again = f"evaluate again: `python scripts/evaluate.py --run {tmp_path}`"
    assert str(caught.value) == f"{tmp_path} {fault}; {again}"
