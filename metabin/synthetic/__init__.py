"""The embedded benchmark: drawn pedestrians at six sites, and at any number of places. Everything in it is synthetic.

`draw_site` draws a site's images, `draw_image` any one of them.
"""

from .draw import draw_image, draw_site
from .settings import IMAGE_SIZE, NUM_CAMS, DrawSettings, image_name
from .sites import SITES, is_site

__all__ = [
    "IMAGE_SIZE",
    "NUM_CAMS",
    "SITES",
    "DrawSettings",
    "draw_image",
    "draw_site",
    "image_name",
    "is_site",
]
