"""The rasteriser against geometry that can be worked out by hand."""

import math

import numpy as np
import pytest

from metabin.synthetic.geometry import Ball, Tube, View
from metabin.synthetic.raster import DRAW_HEIGHT, DRAW_WIDTH, draw_figure

CENTRE, BASE, SCALE = 40.0, 120.0, 100.0
FRONT_VIEW = View(yaw=0.0, pitch=0.0, roll=0.0, scale=SCALE, centre=CENTRE, base=BASE)


def turned(yaw, pitch=0.0):
    return View(yaw=yaw, pitch=pitch, roll=0.0, scale=SCALE, centre=CENTRE, base=BASE)


def ball(part=1, centre=(0.0, 0.5, 0.0), radii=(0.2, 0.2, 0.2)):
    return Ball(part, np.array(centre), np.diag(radii))


def tube(part=2, **changes):
    values = {"side": (0.1, 0.1), "depth": (0.1, 0.1), "cap": 50.0, **changes}
    return Tube(part, np.array([0.0, 0.9, 0.0]), np.array([0.0, 0.3, 0.0]), **values)


def full(buffer, values):
    image = np.full((DRAW_HEIGHT, DRAW_WIDTH), np.nan)
    image[buffer.seen] = values
    return image


def test_a_ball_covers_the_disc_of_its_radius():
    buffer = draw_figure([ball()], FRONT_VIEW, {})
    assert buffer.seen.sum() == pytest.approx(math.pi * 20.0**2, rel=0.02)
    rows, columns = np.nonzero(buffer.seen)
    assert rows.mean() == pytest.approx(BASE - 50.0, abs=0.1)
    assert columns.mean() == pytest.approx(CENTRE, abs=0.1)


def test_an_upright_tube_covers_its_rectangle():
    buffer = draw_figure([tube()], FRONT_VIEW, {})
    assert buffer.seen.sum() == pytest.approx(60.0 * 20.0, rel=0.06)


def test_an_elliptic_tube_is_as_wide_as_the_side_that_it_shows():
    flat = tube(side=(0.2, 0.2), depth=(0.05, 0.05))
    widths = [draw_figure([flat], turned(yaw), {}).seen.any(axis=0).sum() for yaw in (0.0, math.pi / 2.0)]
    assert widths[0] == pytest.approx(40, abs=2)
    assert widths[1] == pytest.approx(10, abs=2)


@pytest.mark.parametrize("shape", [ball(), tube()])
@pytest.mark.parametrize(
    ("yaw", "u"), [(0.0, 0.5), (math.pi / 2.0, 0.25), (-math.pi / 2.0, 0.75), (0.4, 0.5 - 0.4 / (2.0 * math.pi))]
)
def test_the_middle_shows_the_side_that_faces_the_camera(shape, yaw, u):
    buffer = draw_figure([shape], turned(yaw), {})
    assert full(buffer, buffer.u)[70, 40] == pytest.approx(u, abs=0.01)


def test_u_grows_to_the_right_of_the_image():
    for shape in (ball(), tube()):
        buffer = draw_figure([shape], FRONT_VIEW, {})
        row = full(buffer, buffer.u)[70]
        assert (np.diff(row[~np.isnan(row)]) > 0.0).all()


def test_v_runs_from_the_top_to_the_bottom():
    for shape in (ball(), tube()):
        buffer = draw_figure([shape], FRONT_VIEW, {})
        column = full(buffer, buffer.v)[:, 40]
        column = column[~np.isnan(column)]
        assert column[0] < 0.12
        assert column[-1] > 0.88
        assert (np.diff(column) >= 0.0).all()


def test_normals_are_unit_vectors_that_point_out_of_the_surface():
    for shape in (ball(), tube(), ball(radii=(0.1, 0.25, 0.15))):
        buffer = draw_figure([shape], turned(0.5, pitch=0.3), {})
        assert np.allclose(np.sqrt((buffer.normal**2).sum(axis=0)), 1.0, atol=1e-3)
        columns = np.nonzero(buffer.seen)[1]
        assert (buffer.normal[0][columns < columns.min() + 2] < 0.0).all()
        assert (buffer.normal[0][columns > columns.max() - 2] > 0.0).all()
        assert (buffer.normal[2] > -1e-3).all()


def test_the_nearer_shape_hides_the_other_in_any_order():
    near, far = ball(part=1, centre=(0.0, 0.5, 0.5)), ball(part=2, centre=(0.0, 0.5, -0.5), radii=(0.3, 0.3, 0.3))
    for shapes in ([near, far], [far, near]):
        buffer = draw_figure(shapes, FRONT_VIEW, {})
        assert full(buffer, buffer.part)[70, 40] == 1
        from_behind = draw_figure(shapes, turned(math.pi), {})
        assert set(from_behind.part) == {2}


def test_seen_from_above_rings_round_a_tube_sag_towards_the_camera():
    buffer = draw_figure([tube()], turned(0.0, pitch=0.5), {})
    v = full(buffer, buffer.v)
    middle_row = int(np.nonzero(buffer.seen)[0].mean())
    edge = int(np.nonzero(buffer.seen[middle_row])[0][0]) + 1
    assert v[middle_row, 40] < v[middle_row, edge] - 0.03


def test_a_cut_out_lets_through_what_is_behind():
    face = np.zeros((4, 8), np.bool_)
    face[:, :2] = face[:, 6:] = True  # exists at the back half only: u < 0.25 or u >= 0.75
    shell, skull = ball(part=1, radii=(0.25, 0.25, 0.25)), ball(part=2)
    assert set(draw_figure([shell, skull], turned(math.pi), {1: face}).part) == {1}
    assert full(from_front := draw_figure([shell, skull], FRONT_VIEW, {1: face}), from_front.part)[70, 40] == 2


def test_what_is_outside_the_image_is_not_drawn():
    assert not draw_figure([ball(centre=(5.0, 0.5, 0.0)), ball(centre=(0.0, 9.0, 0.0))], FRONT_VIEW, {}).seen.any()
