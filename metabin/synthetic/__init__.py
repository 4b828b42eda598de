"""Renderer of the synthetic benchmark: pedestrians at six listed sites and at random sites.

`render_site` writes all images of a site, `render_image` returns one of them. No image shows a real
person.
"""

from __future__ import annotations

from metabin.synthetic.render import render_image, render_site
from metabin.synthetic.settings import IMAGE_SIZE, NUM_CAMS, RenderSettings, image_name
from metabin.synthetic.sites import SITES, is_site

__all__ = [
    "IMAGE_SIZE",
    "NUM_CAMS",
    "SITES",
    "RenderSettings",
    "image_name",
    "is_site",
    "render_image",
    "render_site",
]
