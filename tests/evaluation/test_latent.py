"""How z depends on the class, beside NumPy's SVD and z of known dependence."""

import sys

import numpy as np
import pytest

from cvae.errors import CvaeError
from cvae.evaluation import latent, learning


def normal(n, d, seed=0):
    return np.random.RandomState(seed).standard_normal((n, d)).astype(np.float32)


def test_components_are_those_of_the_singular_value_decomposition():
    z = normal(300, 6) * np.arange(1, 7)
    points, explained = latent.principal_components(z)
    centred = z.astype(np.float64) - z.mean(0, dtype=np.float64)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(explained, s[:2] ** 2 / (s**2).sum(), rtol=1e-10)
    np.testing.assert_allclose(abs(points), abs(u[:, :2] * s[:2]), atol=1e-8)


@pytest.mark.parametrize("z", [normal(50, 1), normal(1, 5), np.ones((9, 4), "f4")])
def test_a_component_that_z_does_not_have_is_zero(z):
    points, explained = latent.principal_components(z)
    assert points.shape == (len(z), 2) and np.isfinite(points).all()
    assert not points[:, 1].any() and explained[1] == 0
    assert explained[0] == pytest.approx(1.0 if z.std(0).any() else 0.0)


def test_separable_z_is_told_apart_without_error():
    labels = np.arange(600) % 3
    z = normal(600, 4) + 20 * np.eye(3, 4)[labels]
    probe = latent.linear_probe(z[:400], labels[:400], z[400:], labels[400:])
    assert probe["accuracy"] == 1.0 and probe["high"] == 1.0
    assert probe["chance"] == pytest.approx(1 / 3, abs=0.01)
    assert (probe["n_train"], probe["n_test"]) == (400, 200)


def test_z_that_is_independent_of_the_class_predicts_it_by_chance_only():
    labels = np.random.RandomState(1).randint(0, 5, 9000)
    z = normal(9000, 6)
    probe = latent.linear_probe(z[:6000], labels[:6000], z[6000:], labels[6000:])
    assert probe["accuracy"] == pytest.approx(0.2, abs=0.03)
    assert probe["low"] < 0.2 < probe["high"]


def test_a_class_that_only_the_norm_depends_on_is_not_found_by_a_linear_classifier():
    labels = np.arange(4000) % 2
    z = normal(4000, 5) * np.where(labels, 4.0, 1.0)[:, None]
    probe = latent.linear_probe(z[:2000], labels[:2000], z[2000:], labels[2000:])
    assert abs(probe["accuracy"] - 0.5) < 0.1


def test_the_interval_is_that_of_wilson():
    labels = np.arange(400) % 2
    z = normal(400, 3) + labels[:, None]
    probe = latent.linear_probe(z[:200], labels[:200], z[200:], labels[200:])
    share, n, t = probe["accuracy"], 200, 1.959963984540054
    for end in (probe["low"], probe["high"]):  # the roots of Wilson's equation
        assert n * (end - share) ** 2 == pytest.approx(t * t * end * (1 - end))
    assert probe["low"] < share < probe["high"]


def test_chance_names_the_class_that_is_most_frequent_in_training():
    train, test = np.array([0, 1, 1, 1, 2, 2]), np.array([0, 0, 1, 2])
    probe = latent.linear_probe(normal(6, 2), train, normal(4, 2), test)
    assert probe["chance"] == 0.25


def test_a_single_class_is_always_named():
    probe = latent.linear_probe(
        normal(5, 2), np.full(5, 3), normal(4, 2), np.full(4, 3)
    )
    assert probe["accuracy"] == probe["chance"] == probe["high"] == 1.0


def test_the_nearest_images_are_those_of_a_search_by_hand():
    images, queries = normal(200, 30), normal(7, 30, seed=1)
    distances, which = learning.nearest_neighbours(queries, images, 4)
    by_hand = np.sqrt(((queries[:, None] - images[None]) ** 2).sum(-1, dtype=float))
    np.testing.assert_array_equal(which, np.argsort(by_hand, 1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(by_hand, 1)[:, :4], rtol=1e-5)


def test_a_copy_is_found_at_distance_zero():
    images = normal(50, 784)
    distances, which = learning.nearest_neighbours(images[[31, 7]], images, 1)
    assert which.ravel().tolist() == [31, 7]
    np.testing.assert_allclose(distances, 0, atol=1e-2)


def test_no_scikit_learn_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(CvaeError, match="^there is no scikit-learn.*pip install"):
        latent.principal_components(normal(9, 3))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"train_z": normal(0, 3)}, "there are no z"),
        ({"test_z": normal(4, 2)}, "z have shape"),
        ({"test_z": normal(5, 3)}, "4 labels and 5 rows"),
        ({"test_z": np.full((4, 3), np.nan)}, "not finite"),
        ({"train_labels": np.zeros(0, int)}, "there are no training labels"),
        ({"train_labels": np.zeros(6)}, "training labels are of type float64"),
        ({"test_labels": np.array([0, 1, -1, 0])}, "test labels go from -1"),
    ],
)
def test_arrays_that_cannot_be_are_one_line(change, message):
    arguments = dict(
        train_z=normal(6, 3),
        train_labels=np.arange(6) % 2,
        test_z=normal(4, 3),
        test_labels=np.arange(4) % 2,
    )
    with pytest.raises(CvaeError, match=message):
        latent.linear_probe(**dict(arguments, **change))


@pytest.mark.parametrize("z", [normal(0, 3), normal(9, 1)[:, 0], np.float32(1), "z"])
def test_z_that_is_not_a_matrix_has_no_components(z):
    with pytest.raises(CvaeError, match="z"):
        latent.principal_components(z)


@pytest.mark.parametrize(
    "queries, images, n, message",
    [
        (normal(0, 4), normal(3, 4), 1, "give matrices"),
        (normal(2, 4), normal(3, 4)[0], 1, "give matrices"),
        (normal(2, 5), normal(3, 4), 1, "5 pixels and images 4"),
        (normal(2, 4), normal(3, 4), 4, "cannot be 4"),
        (normal(2, 4), normal(3, 4), 0, "cannot be 0"),
    ],
)
def test_neighbours_that_cannot_be_are_one_line(queries, images, n, message):
    with pytest.raises(CvaeError, match=message):
        learning.nearest_neighbours(queries, images, n)
