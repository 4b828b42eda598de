"""The imaging chain: the effects of a camera's optics, sensor and codec on a picture."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageFilter

from metabin.synthetic.camera import Camera
from metabin.synthetic.colour import Pixels
from metabin.synthetic.settings import IMAGE_SIZE

_LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue, ITU-R BT.601
_CONTRAST_PIVOT = np.float32(0.45)
_TONE_STEPS = 4095


def capture(rng: np.random.Generator, picture: Pixels, camera: Camera) -> bytes:
    """Return a picture as the camera stores it: the bytes of a JPEG file of IMAGE_SIZE.

    Resolution, blur, colour cast and gain, saturation, haze, contrast, gamma, noise, compression.

    Args:
        rng: Random stream of the image; every value varies slightly between images.
        picture: (rows, columns, 3) RGB, clipped to [0, 1].
        camera: Values of the camera.
    """
    values = np.asarray(_optics(rng, picture, camera), np.float32) / 255
    # x <- x * cast * gain * exp(deviation)
    values = values * (camera.cast * np.float32(camera.gain * math.exp(rng.normal(0.0, 0.08))))
    # saturation: x <- luma + s (x - luma)
    luma = _luma(values)
    saturation = np.float32(camera.saturation * rng.uniform(0.93, 1.07))
    values = luma + saturation * (values - luma)
    # haze: x <- (1 - h) x + h * colour of the haze
    haze = np.float32(min(0.6, max(0.0, camera.haze + rng.normal(0.0, 0.01))))
    values = values * (1 - haze) + camera.haze_colour * haze
    # contrast: x <- pivot + c (x - pivot)
    contrast = np.float32(camera.contrast * rng.uniform(0.94, 1.06))
    values = (values - _CONTRAST_PIVOT) * contrast + _CONTRAST_PIVOT
    # gamma: x <- x ** gamma; noise: x <- x + sigma * normal
    values = _gamma(values, camera.gamma * math.exp(rng.normal(0.0, 0.05)))
    values += rng.standard_normal(values.shape, dtype=np.float32) * np.float32(camera.noise)
    quality = int(min(95, max(20, camera.jpeg + rng.normal(0.0, 4.0))))
    image = Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _luma(values: Pixels) -> Pixels:
    """Return the brightness of RGB values, (rows, columns, 1)."""
    red = values[..., 0] * np.float32(_LUMA[0])
    green = values[..., 1] * np.float32(_LUMA[1])
    blue = values[..., 2] * np.float32(_LUMA[2])
    return (red + green + blue)[..., None]


def _optics(rng: np.random.Generator, picture: Pixels, camera: Camera) -> Image.Image:
    """Reduce the picture to the camera's true resolution, resize it to the stored size, blur it."""
    height, width = IMAGE_SIZE
    blur = camera.blur * rng.uniform(0.6, 1.4)
    resolution = min(1.0, max(0.25, camera.resolution * rng.uniform(0.85, 1.15)))
    true_size = (int(width * resolution), int(height * resolution))
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    image = image.resize(true_size, Image.Resampling.BILINEAR)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur > 0.25 else image


def _gamma(values: Pixels, gamma: float) -> Pixels:
    """Return values ** gamma by a table: the same bytes on every processor, and faster."""
    table = (np.linspace(0.0, 1.0, _TONE_STEPS + 1) ** gamma).astype(np.float32)
    return table[(np.clip(values, 0, 1) * np.float32(_TONE_STEPS)).astype(np.int32)]
