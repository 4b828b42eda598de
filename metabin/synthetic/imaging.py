"""The imaging chain: what a camera's optics, sensor and codec make of a picture."""

import io
import math

import numpy as np
from PIL import Image, ImageFilter

from .camera import Camera
from .colour import Pixels
from .settings import IMAGE_SIZE

_LUMA = (0.299, 0.587, 0.114)
_CONTRAST_PIVOT = np.float32(0.45)
_TONE_STEPS = 4095


def take_image(rng: np.random.Generator, picture: Pixels, camera: Camera) -> bytes:
    """A picture as the camera stores it: the bytes of a JPEG file of IMAGE_SIZE.

    Resolution, blur, colour cast and gain, saturation, haze, contrast, gamma, noise, compression.

    Args:
        rng: the image's own stream; every value varies a little between images.
        picture: (rows, columns, 3) RGB, clipped to [0, 1].
        camera: the camera's values.
    """
    values = np.asarray(_optics(rng, picture, camera), np.float32) / 255
    values = values * (camera.cast * np.float32(camera.gain * math.exp(rng.normal(0.0, 0.08))))
    luma = (values[..., 0] * np.float32(_LUMA[0]) + values[..., 1] * np.float32(_LUMA[1])
            + values[..., 2] * np.float32(_LUMA[2]))[..., None]  # fmt: skip
    values = luma + np.float32(camera.saturation * rng.uniform(0.93, 1.07)) * (values - luma)
    haze = np.float32(min(0.6, max(0.0, camera.haze + rng.normal(0.0, 0.01))))
    values = values * (1 - haze) + camera.haze_colour * haze
    values = (values - _CONTRAST_PIVOT) * np.float32(camera.contrast * rng.uniform(0.94, 1.06)) + _CONTRAST_PIVOT
    values = _gamma(values, camera.gamma * math.exp(rng.normal(0.0, 0.05)))
    values += rng.standard_normal(values.shape, dtype=np.float32) * np.float32(camera.noise)
    quality = int(min(95, max(20, camera.jpeg + rng.normal(0.0, 4.0))))
    file = io.BytesIO()
    Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _optics(rng: np.random.Generator, picture: Pixels, camera: Camera) -> Image.Image:
    """The picture at the camera's true resolution, brought to the stored size, and blurred."""
    height, width = IMAGE_SIZE
    blur = camera.blur * rng.uniform(0.6, 1.4)
    resolution = min(1.0, max(0.25, camera.resolution * rng.uniform(0.85, 1.15)))
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    image = image.resize((int(width * resolution), int(height * resolution)), Image.Resampling.BILINEAR)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur > 0.25 else image


def _gamma(values: Pixels, gamma: float) -> Pixels:
    """values ** gamma by a table: the same bytes on every processor, and faster."""
    table = (np.linspace(0.0, 1.0, _TONE_STEPS + 1) ** gamma).astype(np.float32)
    return table[(np.clip(values, 0, 1) * np.float32(_TONE_STEPS)).astype(np.int32)]
