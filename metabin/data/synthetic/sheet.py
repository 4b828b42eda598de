"""The contact sheet: what a drawn site looks like at a glance."""

from pathlib import Path

from PIL import Image

from metabin.images import read_image

from .settings import IMAGE_SIZE, NUM_CAMS, image_name

_GUTTER = 2
_CAMERA_GUTTER = 6
_PAPER = (250, 250, 248)


def contact_sheet(directory: Path, *, num_ids: int, first_pid: int = 1) -> Image.Image:
    """A sheet of a site's images: a row is one identity, a column one shot of one camera.

    Args:
        directory: a directory that `draw_site` wrote.
        num_ids: rows, >= 1; fewer if the directory has fewer identities.
        first_pid: identity of the first row.

    Raises:
        FileNotFoundError: if the directory has no image of `first_pid`.
    """
    height, width = IMAGE_SIZE
    num_shots = len(list(directory.glob(image_name(first_pid, 0, 0).replace("_1.jpg", "_*.jpg"))))
    if num_shots == 0:
        raise FileNotFoundError(f"{directory} has no image of identity {first_pid}; was the site drawn there?")
    pids = [pid for pid in range(first_pid, first_pid + num_ids) if (directory / image_name(pid, 0, 0)).exists()]
    camera_width = num_shots * (width + _GUTTER) + _CAMERA_GUTTER - _GUTTER
    size = (NUM_CAMS * camera_width + _CAMERA_GUTTER, len(pids) * (height + _GUTTER) + 2 * _CAMERA_GUTTER - _GUTTER)
    sheet = Image.new("RGB", size, _PAPER)
    for row, pid in enumerate(pids):
        for camid in range(NUM_CAMS):
            for shot in range(num_shots):
                place = (_CAMERA_GUTTER + camid * camera_width + shot * (width + _GUTTER),
                         _CAMERA_GUTTER + row * (height + _GUTTER))  # fmt: skip
                sheet.paste(read_image(directory / image_name(pid, camid, shot)), place)
    return sheet
