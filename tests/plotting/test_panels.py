"""Confusions and latent spaces: what is drawn is what was counted."""

import re

import numpy as np
import pytest
from drawings import (
    COUNTS,
    PROBE,
    assert_nothing_cut_off,
    cloud,
    root,
    shapes,
    texts,
    words,
)

from cvae.plotting import panels, style


def table(path, n):
    """The numbers inside the matrix, `[row][column]`, by where they stand."""
    digits = [(x, y, t) for t, x, y in texts(path) if re.match(r"\d+$", t)]
    heads = {t: x for x, y, t in digits if y == min(y for _, y, _ in digits)}
    sides = {t: y for x, y, t in digits if x == min(x for x, _, _ in digits)}
    assert len(heads) == len(sides) == n
    found = np.zeros((n, n), int)
    for x, y, text in digits:
        column = [c for c, at in heads.items() if abs(x - at) < 1]
        row = [r for r, at in sides.items() if abs(y - at) < 1]
        if row and column:
            found[int(row[0]), int(column[0])] = int(text)
    return found


def test_counts_stand_at_their_true_and_predicted_class_and_zeros_are_blank(tmp_path):
    panels.confusion(tmp_path / "c.svg", COUNTS)
    np.testing.assert_array_equal(table(tmp_path / "c.svg", 3), COUNTS)
    assert {"true", "predicted"} <= set(words(tmp_path / "c.svg"))
    assert "0" not in words(tmp_path / "c.svg")[:6]  # the cells come first


def test_the_errors_of_a_class_are_a_share_of_its_images(tmp_path):
    panels.confusion(tmp_path / "c.svg", COUNTS)
    told = words(tmp_path / "c.svg")
    assert [t for t in told if "%" in t] == ["3.0 %", "1.0 %", "12.2 %"]


def test_errors_are_shaded_by_their_number_and_the_diagonal_is_white(tmp_path):
    panels.confusion(tmp_path / "c.svg", COUNTS)
    for errors in (12, 3, 1):
        ink = style.tint(style.VERMILLION, errors / 12)
        assert len(shapes(tmp_path / "c.svg", "use", ink)) == 1
    assert len(shapes(tmp_path / "c.svg", "use", (255, 255, 255))) == 3


@pytest.mark.parametrize("n", [1, 2, 12])
def test_a_matrix_of_any_size_is_not_cut_off(tmp_path, n):
    counts = 12345 * np.eye(n, dtype=int) + 1
    panels.confusion(tmp_path / "c.png", counts)
    assert_nothing_cut_off(tmp_path / "c.png")


def test_a_class_without_images_has_no_share_of_errors(tmp_path):
    panels.confusion(tmp_path / "c.svg", [[5, 1], [0, 0]])
    assert [t for t in words(tmp_path / "c.svg") if "%" in t] == ["16.7 %"]


def markers(path):
    """(x, y) of each point of a scatter, in points."""
    look = style.hexadecimal(style.tint(style.BLUE, 0.55))
    found = root(path).iter("{http://www.w3.org/2000/svg}use")
    return np.array(
        [
            (float(use.get("x")), float(use.get("y")))
            for use in found
            if look in use.get("style", "")
        ]
    )


def test_every_panel_has_the_points_of_its_class_to_one_scale(tmp_path):
    points, labels = cloud(30, 3)
    panels.latent_space(tmp_path / "s.svg", points, labels, [0.2, 0.1], PROBE)
    found = markers(tmp_path / "s.svg")
    assert len(found) == 30
    for c in range(3):
        panel, own = found[10 * c : 10 * c + 10], points[labels == c]
        scale = np.ptp(panel[:, 0]) / np.ptp(own[:, 0])
        moved = panel - scale * own * [1, -1]  # SVG counts y downwards
        np.testing.assert_allclose(moved - moved[0], 0, atol=1e-3)
        assert scale == pytest.approx(np.ptp(found[:10, 0]) / np.ptp(points[::3, 0]))


def test_no_more_than_the_first_images_of_a_class_are_points(tmp_path):
    points, labels = cloud(3 * panels.SHOWN, 1)
    panels.latent_space(tmp_path / "s.svg", points, labels, [0.2, 0.1], PROBE)
    assert len(markers(tmp_path / "s.svg")) == panels.SHOWN


def test_the_ellipse_is_two_standard_deviations_of_all_points():
    points = np.random.RandomState(0).standard_normal((5000, 2)) @ [[3, 1], [0, 0.5]]
    path = panels._ellipse(points) - points.mean(0)
    precision = np.linalg.inv(np.cov(points.T, bias=True))
    squares = np.einsum("ni,ij,nj->n", path, precision, path)
    np.testing.assert_allclose(squares, 4.0)


def test_components_and_the_classifier_are_told(tmp_path):
    panels.latent_space(tmp_path / "s.svg", *cloud(), [0.07749, 0.0745], PROBE)
    told = words(tmp_path / "s.svg")
    for text in (
        *("1st component, 7.7 % of the variance", "2nd, 7.5 %"),
        *("13.4 % (12.7 to 14.1)", "chance: 11.4 %", "0", "1", "2"),
    ):
        assert text in told


@pytest.mark.parametrize("n_classes", [1, 2, 3, 4, 10])
def test_panels_of_any_number_of_classes_leave_room_for_the_words(tmp_path, n_classes):
    for name in ("s.png", "s.svg"):
        path = tmp_path / name
        panels.latent_space(path, *cloud(90, n_classes), [0.2, 0.1], PROBE)
    assert_nothing_cut_off(tmp_path / "s.png")
    at = {(round(x), round(y)) for _, x, y in texts(tmp_path / "s.svg")}
    assert len(at) == n_classes + 7


def test_a_single_point_is_drawn(tmp_path):
    path = tmp_path / "s.svg"
    panels.latent_space(path, np.zeros((1, 2)), np.array([3]), [0.0, 0.0], PROBE)
    assert "3" in words(path)
