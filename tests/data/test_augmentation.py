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
    source, pad = images(40), 2
    shown = augment(source, np.random.default_rng(1), Augment(flip=0.5, pad=pad, colour_jitter=False, erasing=0.0))
    found = set()
    for original, result in zip(source, shown, strict=True):
        candidates = {}
        for flipped in (False, True):
            image = torch.from_numpy(original).permute(2, 0, 1)
            image = transforms.pad(transforms.horizontal_flip(image) if flipped else image, [pad])
            for top in range(2 * pad + 1):
                for left in range(2 * pad + 1):
                    candidates[flipped, top, left] = transforms.crop(image, top, left, 8, 5).permute(1, 2, 0).numpy()
        matches = [key for key, candidate in candidates.items() if np.array_equal(candidate, result)]
        assert len(matches) == 1
        found.add(matches[0])
    assert {flipped for flipped, _, _ in found} == {False, True}
    assert {top for _, top, _ in found} == {left for _, _, left in found} == set(range(5))


def test_no_flip_and_no_padding_leave_the_images_as_they_are():
    assert np.array_equal(
        augment(images(), np.random.default_rng(0), Augment(flip=0.0, pad=0, colour_jitter=False, erasing=0.0)),
        images(),
    )


class Fixed:
    """Numbers in the order in which `jitter` asks for them."""

    def __init__(self, amounts, order):
        self.amounts, self.order = iter(amounts), order

    def uniform(self, low, high):
        assert low == -high
        return next(self.amounts)

    def permutation(self, count):
        assert count == len(self.order)
        return self.order


def test_colours_change_as_in_torchvision_for_the_same_factors_and_order():
    image = images(1)[0]
    wanted = Image.fromarray(image)
    wanted = transforms.adjust_hue(wanted, -0.07)
    wanted = transforms.adjust_contrast(wanted, 0.9)
    wanted = transforms.adjust_brightness(wanted, 1.12)
    wanted = transforms.adjust_saturation(wanted, 1.05)
    found = jitter(image, Fixed([0.12, -0.1, 0.05, -0.07], [3, 1, 0, 2]))
    assert np.array_equal(found, np.asarray(wanted))


def test_the_ranges_are_those_of_torchvisions_colour_jitter_with_the_reference_s_settings():
    wanted = v2.ColorJitter(0.15, 0.15, 0.1, 0.1)
    assert wanted.brightness == (1 - augmentation.BRIGHTNESS, 1 + augmentation.BRIGHTNESS)
    assert wanted.contrast == (1 - augmentation.CONTRAST, 1 + augmentation.CONTRAST)
    assert wanted.saturation == (1 - augmentation.SATURATION, 1 + augmentation.SATURATION)
    assert wanted.hue == (-augmentation.HUE, augmentation.HUE)


def test_every_image_of_a_batch_gets_colours_of_its_own_and_the_same_seed_the_same():
    settings = Augment(flip=0.0, pad=0, colour_jitter=True, erasing=0.0)
    same = np.repeat(images(1), 3, axis=0)
    first, again = (augment(same, np.random.default_rng(4), settings) for _ in range(2))
    assert np.array_equal(first, again)
    assert len({image.tobytes() for image in first}) == 3
    assert first.dtype == np.uint8


def erased_part(image):
    """Height and width of the erased rectangle, which must be full."""
    rows, columns = np.nonzero((image == ERASED_COLOUR).all(axis=2))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert len(rows) == height * width
    return height, width


def test_erased_rectangles_are_of_the_sizes_and_shapes_of_torchvisions():
    random, blank = np.random.default_rng(0), np.zeros((128, 64, 3), np.uint8)
    torch.manual_seed(0)
    theirs = v2.RandomErasing(p=1, value=ERASED_COLOUR.tolist())
    sizes = []
    for _ in range(2000):
        erase(mine := blank.copy(), random)
        its = theirs(torch.from_numpy(blank).permute(2, 0, 1)).permute(1, 2, 0).numpy()
        sizes.append([erased_part(image) for image in (mine, its)])
    logs = np.log(np.array(sizes))  # of (image, ours or theirs, height or width)
    np.testing.assert_allclose(*logs.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(*logs.std(axis=0), atol=0.05)


def test_as_many_images_are_erased_as_asked_for():
    blank = np.zeros((400, 32, 16, 3), np.uint8)
    shown = augment(blank, np.random.default_rng(0), Augment(flip=0.0, pad=0, colour_jitter=False, erasing=0.3))
    assert 80 < shown.any(axis=(1, 2, 3)).sum() < 160
