"""Renderer of the synthetic benchmark: pedestrians at six listed sites and at random sites.

`render_site` writes all images of a site, `render_image` returns one of them. No image shows a real
person.
"""

from __future__ import annotations

from metabin.synthetic.render import render_image, render_site
from metabin.synthetic.settings import IMAGE_SIZE, NUM_CAMS, RenderSettings, image_name
from metabin.synthetic.sites import DISTANCES, KNOWN_SITES, SITES, is_site, style_distance

__all__ = [
    "DISTANCES",
    "IMAGE_SIZE",
    "KNOWN_SITES",
    "NUM_CAMS",
    "SITES",
    "RenderSettings",
    "image_name",
    "is_site",
    "render_image",
    "render_site",
    "style_distance",
]
