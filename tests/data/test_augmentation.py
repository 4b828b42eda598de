import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as transforms

from metabin.config import Augment
from metabin.data.batches import augmentation
from metabin.data.batches.augmentation import ERASED_COLOUR, augment, erase, jitter


def images(count=6):
    return np.random.default_rng(0).integers(1, 256, (count, 8, 5, 3), dtype=np.uint8)


def test_every_augmented_image_is_a_crop_of_its_padded_possibly_flipped_original():
    source = images(40)
    pad = 2
    augmented = augment(source, np.random.default_rng(1), Augment(flip=0.5, pad=pad, colour_jitter=False, erasing=0.0))
    crops = set()
    for original, result in zip(source, augmented, strict=True):
        candidates = {}
        for flipped in (False, True):
            image = torch.from_numpy(original).permute(2, 0, 1)
            image = transforms.pad(transforms.horizontal_flip(image) if flipped else image, [pad])
            for top in range(2 * pad + 1):
                for left in range(2 * pad + 1):
                    candidates[flipped, top, left] = transforms.crop(image, top, left, 8, 5).permute(1, 2, 0).numpy()
        matches = [key for key, candidate in candidates.items() if np.array_equal(candidate, result)]
        assert len(matches) == 1
        crops.add(matches[0])
    assert {flipped for flipped, _, _ in crops} == {False, True}
    assert {top for _, top, _ in crops} == {left for _, _, left in crops} == set(range(5))


def test_no_flip_and_no_padding_leave_the_images_as_they_are():
    assert np.array_equal(
        augment(images(), np.random.default_rng(0), Augment(flip=0.0, pad=0, colour_jitter=False, erasing=0.0)),
        images(),
    )


class Fixed:
    """Fixed numbers instead of a generator, in the order in which `jitter` draws them."""

    def __init__(self, amounts, order):
        self.amounts = iter(amounts)
        self.order = order

    def uniform(self, low, high):
        assert low == -high
        return next(self.amounts)

    def permutation(self, count):
        assert count == len(self.order)
        return self.order


def test_colours_change_as_in_torchvision_for_the_same_factors_and_order():
    image = images(1)[0]
    expected = Image.fromarray(image)
    expected = transforms.adjust_hue(expected, -0.07)
    expected = transforms.adjust_contrast(expected, 0.9)
    expected = transforms.adjust_brightness(expected, 1.12)
    expected = transforms.adjust_saturation(expected, 1.05)
    jittered = jitter(image, Fixed([0.12, -0.1, 0.05, -0.07], [3, 1, 0, 2]))
    assert np.array_equal(jittered, np.asarray(expected))


def test_the_ranges_are_those_of_torchvisions_colour_jitter_with_the_reference_s_settings():
    expected = v2.ColorJitter(0.15, 0.15, 0.1, 0.1)
    assert expected.brightness == (1 - augmentation.BRIGHTNESS, 1 + augmentation.BRIGHTNESS)
    assert expected.contrast == (1 - augmentation.CONTRAST, 1 + augmentation.CONTRAST)
    assert expected.saturation == (1 - augmentation.SATURATION, 1 + augmentation.SATURATION)
    assert expected.hue == (-augmentation.HUE, augmentation.HUE)


def test_every_image_of_a_batch_gets_other_colours_and_the_same_seed_the_same():
    settings = Augment(flip=0.0, pad=0, colour_jitter=True, erasing=0.0)
    same = np.repeat(images(1), 3, axis=0)
    first, again = (augment(same, np.random.default_rng(4), settings) for _ in range(2))
    assert np.array_equal(first, again)
    assert len({image.tobytes() for image in first}) == 3
    assert first.dtype == np.uint8


def erased_part(image):
    """Return height and width of the erased rectangle, which must be complete."""
    rows, columns = np.nonzero((image == ERASED_COLOUR).all(axis=2))
    height = np.ptp(rows) + 1
    width = np.ptp(columns) + 1
    assert len(rows) == height * width
    return height, width


def test_erased_rectangles_are_of_the_sizes_and_shapes_of_torchvisions():
    random = np.random.default_rng(0)
    blank = np.zeros((128, 64, 3), np.uint8)
    torch.manual_seed(0)
    torchvision_erasing = v2.RandomErasing(p=1, value=ERASED_COLOUR.tolist())
    sizes = []
    for _ in range(2000):
        erased = blank.copy()
        erase(erased, random)
        expected = torchvision_erasing(torch.from_numpy(blank).permute(2, 0, 1)).permute(1, 2, 0).numpy()
        sizes.append([erased_part(image) for image in (erased, expected)])
    logs = np.log(np.array(sizes))  # (image, ours or torchvision's, height or width)
    np.testing.assert_allclose(*logs.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(*logs.std(axis=0), atol=0.05)


def test_as_many_images_are_erased_as_asked_for():
    blank = np.zeros((400, 32, 16, 3), np.uint8)
    augmented = augment(blank, np.random.default_rng(0), Augment(flip=0.0, pad=0, colour_jitter=False, erasing=0.3))
    assert 80 < augmented.any(axis=(1, 2, 3)).sum() < 160
