"""Numbers in, line art out: what is drawn is what was measured."""

import re

import numpy as np
import pytest
from drawings import (
    ENCODER,
    LAPLACE,
    all_words,
    assert_nothing_cut_off,
    estimate,
    metrics,
    root,
    shapes,
    shares,
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
    lines.growth(tmp_path / "growth.svg", LAPLACE, ENCODER)
    blue = dots(tmp_path / "growth.svg", style.BLUE)
    red = dots(tmp_path / "growth.svg", style.VERMILLION)
    assert len(blue) == len(LAPLACE) and len(red) == len(ENCODER)
    places, points = np.concatenate([blue, red]), np.array(LAPLACE + ENCODER)
    for column, values in enumerate((np.log10(points[:, 0]), points[:, 1])):
        place = places[:, column]
        scale = (place[-1] - place[2]) / (values[-1] - values[2])
        expected = place[2] + scale * (values - values[2])
        np.testing.assert_allclose(place, expected, atol=0.01)


def test_growth_names_its_lines_its_points_and_its_particles(tmp_path):
    lines.growth(tmp_path / "growth.svg", LAPLACE, ENCODER)
    told = words(tmp_path / "growth.svg")
    for text in (
        *("Laplace", "encoder", "bound \u22122.57", "zero: Laplace, 100 particles"),
        *("\u22120.08", "\u22121.20", "\u22120.63", "\u22120.29", "\u22120.17"),
        *("1", "10", "100", "1,000", "5,000"),
    ):
        assert text in told


@pytest.mark.parametrize(
    "laplace, encoder",
    [
        ([(1, 0.0)], [(1, -5.0)]),
        ([(7, 0.0)], [(1, -2.0)]),
        ([(10, -0.1), (100, 0.0), (120, 0.0)], [(1, 0.3), (10, 0.2)]),
    ],
)
def test_growth_of_few_or_close_levels_is_legible(tmp_path, laplace, encoder):
    for name in ("growth.png", "growth.svg"):
        lines.growth(tmp_path / name, laplace, encoder)
    assert_nothing_cut_off(tmp_path / "growth.png")
    numbers = {f"{n:,}" for n, _ in laplace + encoder}
    at = sorted(x for t, x, _ in texts(tmp_path / "growth.svg") if t in numbers)
    assert at and (np.diff(at) >= 20).all()


# Effective sample size


def test_a_histogram_has_the_shares_of_the_images(tmp_path):
    path = tmp_path / "ess.svg"
    laplace, encoder = np.array([0.5] * 3 + [0.013]), np.array([0.013] * 4)
    lines.ess(path, [("Laplace", laplace), ("encoder", encoder)])
    heights = []
    for ink in (style.BLUE, style.VERMILLION):
        (line,) = shapes(path, "path", ink)
        y = np.array(re.findall(r"[ML] [\d.]+ ([\d.]+)", line.get("d")), float)
        heights.append(sorted(set(np.round(y.max() - y, 2))))
    whole = heights[1][-1]
    np.testing.assert_allclose(heights[0], [0, whole / 4, 3 * whole / 4], atol=0.02)
    np.testing.assert_allclose(heights[1], [0, whole], atol=0.02)


def test_each_proposal_is_named_with_the_median_of_its_shares(tmp_path):
    lines.ess(tmp_path / "ess.svg", shares())
    told = all_words(tmp_path / "ess.svg")
    for name, values in shares():
        assert f"{name}: median {100 * np.median(values):.1f} %" in told
    lines.ess(tmp_path / "ess.svg", shares()[:1])
    assert "encoder" not in all_words(tmp_path / "ess.svg")


@pytest.mark.parametrize("values", [[1.0], [0.3, 0.3], [2e-6, 1.0]])
def test_any_effective_sample_size_is_drawn_and_not_cut_off(tmp_path, values):
    lines.ess(tmp_path / "ess.png", [("Laplace", np.array(values))])
    assert_nothing_cut_off(tmp_path / "ess.png")


# The sandwich


@pytest.mark.parametrize("gap, error", [(0.04, 0.013), (-0.04, 0.013), (0.0, 0.0)])
def test_the_sandwich_is_drawn_as_far_apart_as_its_gap(tmp_path, gap, error):
    path, png = tmp_path / "sandwich.svg", tmp_path / "sandwich.png"
    ends = estimate(-96.03), estimate(-96.03 + gap), estimate(gap, error)
    lines.sandwich(path, *ends)
    ((below, lower),) = dots(path, style.BLUE)
    ((above, upper),) = dots(path, style.VERMILLION)
    assert lower > upper  # SVG counts downwards
    assert np.sign(round(above - below, 3)) == np.sign(gap)
    bars = [b for b in shapes(path, "path", style.VERMILLION) if b.get("clip-path")]
    x = [float(x) for x in re.findall(r"[ML] ([\d.]+) ", bars[0].get("d"))]
    if error:
        scale = (above - below) / gap
        np.testing.assert_allclose(np.ptp(x), 2 * error * abs(scale), rtol=1e-3)
    told = words(path)
    assert "from below \u221296.03" in told
    assert f"from above {-96.03 + gap:.2f}".replace("-", "\u2212") in told
    assert f"gap {gap:.3f}".replace("-", "\u2212") in told
    lines.sandwich(png, *ends)
    assert_nothing_cut_off(png)
