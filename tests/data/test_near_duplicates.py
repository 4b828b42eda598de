import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.fft import dctn

from metabin.data.partition import near_duplicates
from metabin.synthetic import RenderSettings, render_image

SITES, NUM_IDS, NUM_CAMS = ("campus", "plaza"), 10, 2


@pytest.fixture(scope="module")
def rendered():
    """(site, pid) and image of rendered people, half of them twins, two images per camera."""
    settings = RenderSettings(num_ids=NUM_IDS)
    keys = [
        (site, pid, camid, shot)
        for site in SITES
        for pid in range(1, NUM_IDS + 1)
        for camid in range(NUM_CAMS)
        for shot in range(2)
    ]
    images = [Image.open(io.BytesIO(render_image(settings, *key))).convert("RGB") for key in keys]
    return [key[:2] for key in keys], images


def stored(images, height=64, width=32):
    return np.stack([np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)) for image in images])


def as_jpeg(image):
    content = io.BytesIO()
    image.save(content, "JPEG", quality=50)
    return Image.open(content).convert("RGB")


def smaller_and_back(image):
    return image.resize((51, 102), Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BICUBIC)


def shifted(image, down, right):
    padded = np.pad(np.asarray(image), ((2, 2), (2, 2), (0, 0)), mode="edge")
    return Image.fromarray(padded[2 + down : 130 + down, 2 + right : 66 + right])


CHANGES = {
    "jpeg": as_jpeg,
    "resized": smaller_and_back,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "shifted by 1": lambda image: shifted(image, 0, -1),
    "shifted by 2": lambda image: shifted(image, 2, 2),
    "several": lambda image: as_jpeg(smaller_and_back(shifted(image, -2, 0))),
}


def find_pairs(source, target):
    """Return the rows of source and target that count as near-duplicates."""
    hashes = [near_duplicates.hash_images(pixels) for pixels in (source, target)]
    pairs = near_duplicates.near_duplicates(*hashes)[:, :2]
    alike = near_duplicates.correlation(source, target, pairs)
    return [tuple(pair) for pair in pairs[alike >= near_duplicates.MIN_CORRELATION].tolist()]


@pytest.mark.parametrize("size", [(64, 32), (256, 128), (96, 40)])
@pytest.mark.parametrize("change", CHANGES)
def test_every_changed_copy_is_found_and_no_other_person(rendered, change, size):
    people, images = rendered
    copies = [CHANGES[change](image) for image in images]
    pairs = find_pairs(stored(images, *size), stored(copies, *size))
    assert {(index, index) for index in range(len(images))} <= set(pairs)
    assert all(people[first] == people[second] for first, second in pairs)


def test_only_the_detail_distinguishes_twins_on_the_same_camera(rendered):
    people, images = rendered
    pixels = stored(images)
    hashes = near_duplicates.hash_images(pixels)
    pairs = near_duplicates.near_duplicates(hashes, hashes, max_distance=48)
    others = pairs[[people[first] != people[second] for first, second in pairs[:, :2].tolist()]]
    assert len(others) > 10
    assert near_duplicates.correlation(pixels, pixels, others[:, :2]).max() < near_duplicates.MIN_CORRELATION - 0.05


def test_a_hash_has_the_signs_of_the_cosine_transform_and_hardly_depends_on_the_size(rendered):
    _, images = rendered
    pixels = stored(images[:6])
    order = sorted(
        [(vertical, horizontal) for vertical in range(32) for horizontal in range(32)],
        key=lambda wave: (wave[0] ** 2 + (2 * wave[1]) ** 2, wave),
    )[1:]
    for image, hashed in zip(pixels, near_duplicates.hash_images(pixels), strict=True):
        red, green, blue = np.moveaxis(image.astype(float), 2, 0)
        light = 0.299 * red + 0.587 * green + 0.114 * blue
        waves = [(dctn(plane), number) for plane, number in ((light, 64), (blue - light, 32), (red - light, 32))]
        values = np.array([plane[wave] for plane, number in waves for wave in order[:number]])
        bits = np.unpackbits(hashed.view(np.uint8)).astype(bool)
        clear = abs(values) > 0.02 * 4 * light.size  # scipy's transform is not a mean
        assert clear.sum() > 100
        np.testing.assert_array_equal(bits[clear], values[clear] > 0)
    large = near_duplicates.hash_images(stored(images, 256, 128))
    distance = np.bitwise_count(near_duplicates.hash_images(stored(images)) ^ large).sum(axis=1)
    assert distance.max() <= 4


def test_batches_of_any_size_give_the_same_hashes_and_correlations(rendered):
    pixels = stored(rendered[1])
    hashes = near_duplicates.hash_images(pixels)
    np.testing.assert_array_equal(hashes, near_duplicates.hash_images(pixels, batch_size=7))
    pairs = np.array([(row, (3 * row) % len(pixels)) for row in range(len(pixels))])
    expected = near_duplicates.correlation(pixels, pixels, pairs)
    np.testing.assert_allclose(expected, near_duplicates.correlation(pixels, pixels, pairs, batch_size=7), atol=1e-6)


def crowded_hashes(random, centres, number):
    """Hashes around centres, so that many pairs are close; some are 0."""
    noise = random.integers(0, 2**64, (3, number, 2), dtype=np.uint64)
    hashes = centres[random.integers(0, 5, number)] ^ (noise[0] & noise[1] & noise[2])
    hashes[::9] = 0
    return hashes


@pytest.mark.parametrize("block", [(1, 1), (1, 1000), (7, 5), (1000, 1), (1000, 1000)])
def test_blocks_of_any_size_find_the_pairs_of_a_slow_search(block):
    random = np.random.default_rng(0)
    centres = random.integers(0, 2**64, (5, 2), dtype=np.uint64)
    source = crowded_hashes(random, centres, 60)
    target = crowded_hashes(random, centres, 45)
    expected = []
    for row, source_hash in enumerate(source.tolist()):
        for column, target_hash in enumerate(target.tolist()):
            distance = sum((a ^ b).bit_count() for a, b in zip(source_hash, target_hash, strict=True))
            if distance <= 30 and any(source_hash) and any(target_hash):
                expected.append([row, column, distance])
    pairs = near_duplicates.near_duplicates(source, target, max_distance=30, block=block)
    assert len(expected) > 100
    assert pairs.tolist() == expected
    assert pairs.dtype == np.int64


def test_no_images_have_no_near_duplicates():
    empty = np.empty((0, 2), np.uint64)
    hashes = np.ones((3, 2), np.uint64)
    for source, target in ((empty, hashes), (hashes, empty), (empty, empty)):
        assert near_duplicates.near_duplicates(source, target).shape == (0, 3)
    pixels = np.empty((0, 64, 32, 3), np.uint8)
    assert near_duplicates.hash_images(pixels).shape == (0, 2)
    assert near_duplicates.correlation(pixels, pixels, np.empty((0, 2), np.int64)).shape == (0,)


def test_images_of_one_colour_are_in_no_pair():
    colours = np.array([[0, 0, 0], [255, 255, 255], [90, 20, 200], [1, 2, 3]], np.uint8)
    for height, width in ((64, 32), (256, 128), (50, 23)):
        pixels = np.broadcast_to(colours[:, None, None], (4, height, width, 3))
        assert not near_duplicates.hash_images(pixels).any()
        assert find_pairs(pixels, pixels) == []
    same = np.array([[0, 0], [2, 2]])
    assert near_duplicates.correlation(pixels, pixels, same).tolist() == [0, 0]


def test_correlation_is_that_of_the_detail_at_the_best_shift():
    random = np.random.default_rng(1)
    small = random.integers(0, 256, (1, 70, 38, 3), dtype=np.uint8)

    def correlation(source, target):
        return near_duplicates.correlation(source, target, np.array([[0, 0]]))[0]

    image = small[:, 3:67, 3:35]
    moved = small[:, 5:69, 2:34]
    assert correlation(image, image) == pytest.approx(1, abs=1e-3)
    assert correlation(image, moved) > 0.95  # not 1: the means at the borders differ
    assert correlation(image, 255 - image) < 0.4
    assert correlation(small[:, 1:65, 3:35], small[:, 6:70, 3:35]) < 0.4  # moved too far
