"""Numbers in, line art out: what is drawn is what was measured."""

import re

import numpy as np
import pytest
from drawings import (
    LEVELS,
    all_words,
    assert_nothing_cut_off,
    estimate,
    levels,
    metrics,
    root,
    shapes,
    texts,
    words,
)

from cvae.errors import CvaeError
from cvae.plotting import lines, style

# Curves


def test_curves_name_the_last_values_with_a_true_minus(tmp_path):
    lines.curves(tmp_path / "curves.svg", metrics(-81.437, -85.031))
    words = all_words(tmp_path / "curves.svg")
    assert "training \u221281.44" in words
    assert "test \u221285.03" in words
    assert "-8" not in words
    assert "minutes of training" in words


def test_a_validation_bound_is_called_by_its_name(tmp_path):
    rows = metrics()
    for row in rows:
        if "test_bound" in row:
            row["validation_bound"] = row.pop("test_bound")
    lines.curves(tmp_path / "curves.svg", rows)
    words = all_words(tmp_path / "curves.svg")
    assert "validation \u221285.03" in words and "test" not in words


def test_the_first_epochs_do_not_squash_the_converged_part(tmp_path):
    lines.curves(tmp_path / "curves.svg", metrics(first=-5000.0))
    ticks = [t for t, _, _ in texts(tmp_path / "curves.svg") if t[0] == "\u2212"]
    assert len(ticks) >= 3
    assert min(float(t.replace("\u2212", "-")) for t in ticks) > -90


def test_labels_of_curves_that_end_together_do_not_overlap(tmp_path):
    lines.curves(tmp_path / "curves.svg", metrics(-85.031, -85.03))
    found = texts(tmp_path / "curves.svg")
    ends = [y for text, _, y in found if re.match("(training|test) ", text)]
    assert len(ends) == 2 and abs(ends[0] - ends[1]) >= style.TEXT_SIZE


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_curves_of_a_run_of_few_epochs_can_be_drawn(tmp_path, epochs):
    lines.curves(tmp_path / "curves.svg", metrics(epochs=epochs))
    words = all_words(tmp_path / "curves.svg")
    assert "test \u221285.03" in words and "seconds of training" in words


def test_curves_of_no_metrics_are_one_line(tmp_path):
    with pytest.raises(CvaeError, match="^no metrics to draw.*$"):
        lines.curves(tmp_path / "curves.svg", [])


def test_curves_are_not_cut_off_at_the_edges(tmp_path):
    lines.curves(tmp_path / "curves.png", metrics(-100.25, -101.5))
    assert_nothing_cut_off(tmp_path / "curves.png")


# KL of the latent dimensions


def bars(path, color):
    """(left edge, height) of each bar of a colour, in points."""
    found = []
    for shape in shapes(path, "path", color):
        if "stroke" not in shape.get("style"):  # not a tick
            xy = np.array(re.findall(r"[ML] ([\d.]+) ([\d.]+)", shape.get("d")), float)
            found.append((xy[:, 0].min(), np.ptp(xy[:, 1])))
    return found


def test_bars_are_sorted_and_as_high_as_the_kl_of_their_dimension(tmp_path):
    path = tmp_path / "kl.svg"
    lines.latent_kl(path, [0.5, 2.0, 0.0, 1.5], [0.9, 0.9, 0.001, 0.5], 0.01)
    active = bars(path, style.BLUE)
    assert [left for left, _ in active] == sorted(left for left, _ in active)
    heights = np.array([height for _, height in active])
    np.testing.assert_allclose(heights / heights[0], [1, 0.75, 0.25], rtol=1e-3)
    ((left, _),) = bars(path, style.AXIS)
    assert left > max(left for left, _ in active)


def test_active_and_inactive_dimensions_are_counted_by_the_threshold(tmp_path):
    path = tmp_path / "kl.svg"
    lines.latent_kl(path, [1.0, 2.0, 3.0], [0.02, 0.5, 0.005], 0.01)
    told = words(path)
    assert "6.00 nats in all" in told and "2 active" in told
    assert "1 inactive (activity below 0.01)" in told
    lines.latent_kl(path, [1.0, 2.0, 3.0], [0.02, 0.5, 0.5], 0.01)
    assert "3 active" in words(path) and "inactive" not in all_words(path)


@pytest.mark.parametrize("kl", [[0.5], [0.0, 0.0], [1e-6] * 3, [3.0] * 200])
def test_any_number_of_dimensions_is_drawn_and_not_cut_off(tmp_path, kl):
    lines.latent_kl(tmp_path / "kl.png", kl, [0.5] * len(kl), 0.01)
    assert_nothing_cut_off(tmp_path / "kl.png")


# Growth


def dots(path, color):
    """(x, y) of each marker of a line, in points."""
    look = style.hexadecimal(color)
    return np.array(
        [
            (float(use.get("x")), float(use.get("y")))
            for use in root(path).iter("{http://www.w3.org/2000/svg}use")
            if use.get("style", "").count(look) == 2  # filled, with an edge
        ]
    )


def test_points_stand_at_their_particles_and_estimates(tmp_path):
    lines.growth(tmp_path / "growth.svg", LEVELS, estimate(-84.4))
    blue = dots(tmp_path / "growth.svg", style.BLUE)
    red = dots(tmp_path / "growth.svg", style.VERMILLION)
    x = np.log10([1, 10, 100, 1000, 5000])
    value = np.array([-84.4, -83.05, -82.03, -81.67, -81.5])
    assert blue.shape == (5, 2) and red.shape == (4, 2)
    step = (blue[-1, 0] - blue[0, 0]) / (x[-1] - x[0])
    np.testing.assert_allclose(blue[:, 0], blue[0, 0] + step * x, atol=0.01)
    np.testing.assert_allclose(red[:, 0], blue[1:, 0], atol=0.01)
    rise = (blue[-1, 1] - blue[0, 1]) / (value[-1] - value[0])
    expected = blue[0, 1] + rise * (value - value[0])
    np.testing.assert_allclose(blue[:, 1], expected, atol=0.01)
    np.testing.assert_allclose(red[:, 1], expected[1:] - 2.25 * rise, atol=0.01)


def test_growth_names_its_lines_its_steps_and_its_particles(tmp_path):
    lines.growth(tmp_path / "growth.svg", LEVELS, estimate(-84.4))
    told = words(tmp_path / "growth.svg")
    for text in (
        *("log p(x|y) \u221281.50", "log p(x) \u221283.75", "bound"),
        *("+1.02", "+0.36", "+0.17", "1", "10", "100", "1,000", "5,000"),
    ):
        assert text in told
    assert "AIS" not in all_words(tmp_path / "growth.svg")


def test_annealed_importance_sampling_is_a_line_of_its_own(tmp_path):
    lines.growth(tmp_path / "growth.svg", LEVELS, estimate(-84.4), estimate(-81.1))
    assert "AIS \u221281.10" in words(tmp_path / "growth.svg")


@pytest.mark.parametrize(
    "points", [[(1, -80.0)], [(7, -80.0)], [(10, -80.0), (100, -79.0), (120, -78.9)]]
)
def test_growth_of_few_or_close_levels_is_legible(tmp_path, points):
    for name in ("growth.png", "growth.svg"):
        lines.growth(tmp_path / name, levels(*points), estimate(-85.0))
    assert_nothing_cut_off(tmp_path / "growth.png")
    numbers = {f"{n:,}" for n, _ in points} | {"1"}
    at = sorted(x for t, x, _ in texts(tmp_path / "growth.svg") if t in numbers)
    assert (np.diff(at) >= 20).all()
