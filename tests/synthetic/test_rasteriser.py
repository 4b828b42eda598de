"""Tests of the rasteriser against geometry that can be computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metabin.synthetic.geometry import Ball, Tube, View
from metabin.synthetic.pixel_hits import RENDER_HEIGHT, RENDER_WIDTH
from metabin.synthetic.rasteriser import rasterise

CENTRE = 40.0
BASE = 120.0
SCALE = 100.0
FRONT_VIEW = View(yaw=0.0, pitch=0.0, roll=0.0, scale=SCALE, centre=CENTRE, base=BASE)


def turned(yaw, pitch=0.0):
    return View(yaw=yaw, pitch=pitch, roll=0.0, scale=SCALE, centre=CENTRE, base=BASE)


def ball(part=1, centre=(0.0, 0.5, 0.0), radii=(0.2, 0.2, 0.2)):
    return Ball(part, np.array(centre), np.diag(radii))


def tube(part=2, **changes):
    values = {"side": (0.1, 0.1), "depth": (0.1, 0.1), "cap": 50.0, **changes}
    return Tube(part, np.array([0.0, 0.9, 0.0]), np.array([0.0, 0.3, 0.0]), **values)


def as_image(surface, values):
    """Return the values of the visible pixels in the shape of the image, NaN elsewhere."""
    image = np.full((RENDER_HEIGHT, RENDER_WIDTH), np.nan)
    image[surface.seen] = values
    return image


def test_a_ball_covers_the_disc_of_its_radius():
    surface = rasterise([ball()], FRONT_VIEW, {})
    assert surface.seen.sum() == pytest.approx(math.pi * 20.0**2, rel=0.02)
    rows, columns = np.nonzero(surface.seen)
    assert rows.mean() == pytest.approx(BASE - 50.0, abs=0.1)
    assert columns.mean() == pytest.approx(CENTRE, abs=0.1)


def test_an_upright_tube_covers_its_rectangle():
    surface = rasterise([tube()], FRONT_VIEW, {})
    assert surface.seen.sum() == pytest.approx(60.0 * 20.0, rel=0.06)


def test_an_elliptic_tube_is_as_wide_as_the_side_that_it_shows():
    flat = tube(side=(0.2, 0.2), depth=(0.05, 0.05))
    masks = [rasterise([flat], turned(yaw), {}).seen for yaw in (0.0, math.pi / 2.0)]
    widths = [mask.any(axis=0).sum() for mask in masks]
    assert widths[0] == pytest.approx(40, abs=2)
    assert widths[1] == pytest.approx(10, abs=2)


@pytest.mark.parametrize("shape", [ball(), tube()])
@pytest.mark.parametrize(
    ("yaw", "u"),
    [
        (0.0, 0.5),
        (math.pi / 2.0, 0.25),
        (-math.pi / 2.0, 0.75),
        (0.4, 0.5 - 0.4 / (2.0 * math.pi)),  # u = 0.5 - yaw / 2 pi
    ],
)
def test_the_middle_shows_the_side_that_faces_the_camera(shape, yaw, u):
    surface = rasterise([shape], turned(yaw), {})
    assert as_image(surface, surface.u)[70, 40] == pytest.approx(u, abs=0.01)


def test_u_grows_to_the_right_of_the_image():
    for shape in (ball(), tube()):
        surface = rasterise([shape], FRONT_VIEW, {})
        row = as_image(surface, surface.u)[70]
        assert (np.diff(row[~np.isnan(row)]) > 0.0).all()


def test_v_runs_from_the_top_to_the_bottom():
    for shape in (ball(), tube()):
        surface = rasterise([shape], FRONT_VIEW, {})
        column = as_image(surface, surface.v)[:, 40]
        column = column[~np.isnan(column)]
        assert column[0] < 0.12
        assert column[-1] > 0.88
        assert (np.diff(column) >= 0.0).all()


def test_normals_are_unit_vectors_that_point_out_of_the_surface():
    for shape in (ball(), tube(), ball(radii=(0.1, 0.25, 0.15))):
        surface = rasterise([shape], turned(0.5, pitch=0.3), {})
        assert np.allclose(np.sqrt((surface.normal**2).sum(axis=0)), 1.0, atol=1e-3)
        columns = np.nonzero(surface.seen)[1]
        assert (surface.normal[0][columns < columns.min() + 2] < 0.0).all()
        assert (surface.normal[0][columns > columns.max() - 2] > 0.0).all()
        assert (surface.normal[2] > -1e-3).all()


def test_the_nearer_shape_hides_the_other_in_any_order():
    near = ball(part=1, centre=(0.0, 0.5, 0.5))
    far = ball(part=2, centre=(0.0, 0.5, -0.5), radii=(0.3, 0.3, 0.3))
    for shapes in ([near, far], [far, near]):
        surface = rasterise(shapes, FRONT_VIEW, {})
        assert as_image(surface, surface.part)[70, 40] == 1
        from_behind = rasterise(shapes, turned(math.pi), {})
        assert set(from_behind.part) == {2}


def test_seen_from_above_rings_round_a_tube_sag_towards_the_camera():
    surface = rasterise([tube()], turned(0.0, pitch=0.5), {})
    v = as_image(surface, surface.v)
    middle_row = int(np.nonzero(surface.seen)[0].mean())
    edge = int(np.nonzero(surface.seen[middle_row])[0][0]) + 1
    assert v[middle_row, 40] < v[middle_row, edge] - 0.03


def test_a_cut_out_shows_the_shape_behind_it():
    face = np.zeros((4, 8), np.bool_)
    face[:, :2] = True  # exists at the back half only: u < 0.25 or u >= 0.75
    face[:, 6:] = True
    shell = ball(part=1, radii=(0.25, 0.25, 0.25))
    skull = ball(part=2)
    from_behind = rasterise([shell, skull], turned(math.pi), {1: face})
    assert set(from_behind.part) == {1}
    from_front = rasterise([shell, skull], FRONT_VIEW, {1: face})
    assert as_image(from_front, from_front.part)[70, 40] == 2


def test_a_shape_outside_the_image_is_not_rendered():
    shapes = [ball(centre=(5.0, 0.5, 0.0)), ball(centre=(0.0, 9.0, 0.0))]
    assert not rasterise(shapes, FRONT_VIEW, {}).seen.any()
