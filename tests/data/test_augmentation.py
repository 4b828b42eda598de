import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as transforms

from metabin.config import Augment
from metabin.data.batches import colour_jitter, operations
from metabin.data.batches.amplitude import draw_mixtures, mix_amplitudes
from metabin.data.batches.augmentation import ERASED_COLOUR, augment, draw_changes, draw_rectangle


def augmented(source, seed, *, flip=0.0, pad=0, colour_jitter=False, erasing=0.0):
    settings = Augment(flip=flip, pad=pad, colour_jitter=colour_jitter, erasing=erasing, strong=0.0, amplitude_mix=0.0)
    changes = draw_changes(len(source), *source.shape[1:3], np.random.default_rng(seed), settings)
    return augment(source, changes)


def images(count=6):
    return np.random.default_rng(0).integers(1, 256, (count, 8, 5, 3), dtype=np.uint8)


def test_every_augmented_image_is_a_crop_of_its_padded_possibly_flipped_original():
    source = images(40)
    pad = 2
    crops = set()
    for original, result in zip(source, augmented(source, 1, flip=0.5, pad=pad), strict=True):
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
    assert np.array_equal(augmented(images(), 0), images())


CHANGES = [
    transforms.adjust_brightness,
    transforms.adjust_contrast,
    transforms.adjust_saturation,
    transforms.adjust_hue,
]


def by_torchvision(image, order, amounts):
    picture = Image.fromarray(image)
    for change in order:
        picture = CHANGES[change](picture, float(amounts[change]))
    return np.asarray(picture).astype(int)


def by_numba(image, order, amounts):
    image = image.copy()
    colour_jitter.change_colours(image, np.array(order), *amounts)
    return image.astype(int)


def all_pairs_of_levels(fixed):
    """Every pair of levels beside a third that is fixed, in all three places: (768, 256, 3)."""
    levels = np.arange(256, dtype=np.uint8)
    planes = np.stack([*np.meshgrid(levels, levels), np.full((256, 256), fixed, np.uint8)], axis=2)
    return np.concatenate([np.roll(planes, place, axis=2) for place in range(3)])


@pytest.mark.parametrize("fixed", [0, 1, 100, 254, 255])
@pytest.mark.parametrize("change", range(4))
@pytest.mark.parametrize("sign", [-1, 1])
def test_each_change_of_colour_equals_torchvisions_to_one_grey_level(change, sign, fixed):
    amounts = [1 + 0.15 * sign, 1 + 0.15 * sign, 1 + 0.1 * sign, 0.1 * sign]
    image = all_pairs_of_levels(fixed)
    difference = by_numba(image, [change], amounts) - by_torchvision(image, [change], amounts)
    # 0 on x86-64. A compiler of PIL for another processor may round a product and a sum at once.
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 0.001


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_changes_in_any_order_equal_torchvisions(order):
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (40, 30, 3), dtype=np.uint8)
    saturated = random.choice(np.array([0, 1, 254, 255], np.uint8), (40, 30, 3))
    grey = np.repeat(noise[..., :1], 3, axis=2)
    dull = (120 + noise // 32).astype(np.uint8)
    for image in (noise, saturated, grey, dull, np.zeros_like(noise), np.full_like(noise, 255)):
        amounts = 1 + random.uniform(-0.15, 0.15, 4)
        amounts[3] = random.uniform(-0.1, 0.1)
        equal = by_numba(image, order, amounts) == by_torchvision(image, order, amounts)
        assert equal.mean() > 0.99


def test_the_factors_are_drawn_before_the_order():
    image = images(1)[0]
    random = np.random.default_rng(3)
    amounts = [1 + random.uniform(-0.15, 0.15), 1 + random.uniform(-0.15, 0.15)]
    amounts += [1 + random.uniform(-0.1, 0.1), random.uniform(-0.1, 0.1)]
    expected = by_torchvision(image, random.permutation(4), amounts)
    colour_jitter.change_colours(image, *colour_jitter.draw_colours(np.random.default_rng(3)))
    np.testing.assert_allclose(image, expected, atol=1)


def test_the_ranges_are_those_of_torchvisions_colour_jitter_with_the_reference_s_settings():
    expected = v2.ColorJitter(0.15, 0.15, 0.1, 0.1)
    assert expected.brightness == (1 - colour_jitter.BRIGHTNESS, 1 + colour_jitter.BRIGHTNESS)
    assert expected.contrast == (1 - colour_jitter.CONTRAST, 1 + colour_jitter.CONTRAST)
    assert expected.saturation == (1 - colour_jitter.SATURATION, 1 + colour_jitter.SATURATION)
    assert expected.hue == (-colour_jitter.HUE, colour_jitter.HUE)


def test_every_image_of_a_batch_gets_other_colours_and_the_same_seed_the_same():
    same = np.repeat(images(1), 3, axis=0)
    first, again = (augmented(same, 4, colour_jitter=True) for _ in range(2))
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
        erased[draw_rectangle(128, 64, random)] = ERASED_COLOUR
        expected = torchvision_erasing(torch.from_numpy(blank).permute(2, 0, 1)).permute(1, 2, 0).numpy()
        sizes.append([erased_part(image) for image in (erased, expected)])
    logs = np.log(np.array(sizes))  # (image, ours or torchvision's, height or width)
    np.testing.assert_allclose(*logs.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(*logs.std(axis=0), atol=0.05)


def test_as_many_images_are_erased_as_asked_for():
    blank = np.zeros((400, 32, 16, 3), np.uint8)
    assert 80 < augmented(blank, 0, erasing=0.3).any(axis=(1, 2, 3)).sum() < 160


def strong(source, seed, **changes):
    settings = Augment(
        **{
            "flip": 0.0,
            "pad": 0,
            "colour_jitter": False,
            "erasing": 0.0,
            "strong": 1.0,
            "amplitude_mix": 0.0,
            **changes,
        }
    )
    return draw_changes(len(source), *source.shape[1:3], np.random.default_rng(seed), settings)


def test_strong_changes_come_each_with_their_probability_on_top_of_the_usual_ones():
    source = images(400)
    changes = strong(source, 0, strong=0.25, flip=0.5, pad=1)
    usual = strong(source, 0, strong=0.0, flip=0.5, pad=1)
    for part in ("operations", "colours", "erased"):
        share = sum(bool(getattr(change, part)) for change in changes) / 400
        assert 0.17 < share < 0.33, part
    for change, plain in zip(changes, usual, strict=True):
        assert (change.flipped, change.down, change.right) == (plain.flipped, plain.down, plain.right)
    assert all(change.operations and change.colours for change in strong(source, 1))


def test_an_image_is_changed_by_its_operations_then_its_colours_then_its_rectangle():
    source = images(1)
    (change,) = strong(source, 3)
    operated = operations.apply_operations(source[0], change.operations)
    coloured = operated.copy()
    colour_jitter.change_colours(coloured, *change.colours)
    coloured[change.erased] = ERASED_COLOUR
    assert np.array_equal(augment(source, [change])[0], coloured)
    assert not np.array_equal(operated, source[0])


def test_wide_colours_have_factors_from_a_half_to_two():
    random = np.random.default_rng(0)
    drawn = [colour_jitter.draw_wide_colours(random) for _ in range(400)]
    factors = np.array([[brightness, contrast, saturation] for _, brightness, contrast, saturation, _ in drawn])
    assert 0.5 <= factors.min() < 0.52
    assert 1.98 < factors.max() <= 2
    assert np.abs([hue for *_, hue in drawn]).max() <= 0.1


def test_two_operations_are_drawn_and_signs_where_they_have_one():
    random = np.random.default_rng(0)
    drawn = [operation for _ in range(2000) for operation in operations.draw_operations(random)]
    assert len(drawn) == 4000
    for name, (_, magnitude, has_sign) in operations.OPERATIONS.items():
        found = [value for other, value in drawn if other == name]
        assert len(found) > 200
        assert set(found) == ({magnitude, -magnitude} if has_sign else {magnitude}), name


def noise():
    return np.random.default_rng(0).integers(20, 240, (40, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "by_torchvision"),
    [
        ("brightness", lambda image: transforms.adjust_brightness(image, 1.3)),
        ("saturation", lambda image: transforms.adjust_saturation(image, 1.3)),
        ("contrast", lambda image: transforms.adjust_contrast(image, 1.3)),
        ("sharpness", lambda image: transforms.adjust_sharpness(image, 1.3)),
        ("posterize", lambda image: transforms.posterize(image, 7)),
        ("solarize", lambda image: transforms.solarize(image, 170)),
        ("autocontrast", transforms.autocontrast),
        ("equalize", transforms.equalize),
        ("rotate", lambda image: transforms.rotate(image, 10.0)),
        ("identity", lambda image: image),
    ],
)
def test_an_operation_is_torchvisions(name, by_torchvision):
    image = noise()
    magnitude = operations.OPERATIONS[name][1]
    result = operations.apply_operations(image, [operations.Operation(name, magnitude)])
    expected = np.asarray(by_torchvision(Image.fromarray(image)))
    assert np.array_equal(result, expected)
    assert np.array_equal(result, image) == (name == "identity")


def test_shears_and_translations_move_pixels_by_their_magnitude():
    image = noise()
    moved = {
        name: operations.apply_operations(image, [operations.Operation(name, 0.25)])
        for name in ("translate_x", "translate_y", "shear_x", "shear_y")
    }
    assert np.array_equal(moved["translate_x"][:, :24], image[:, 8:])
    assert np.array_equal(moved["translate_y"][:30], image[10:])
    assert not moved["translate_x"][:, 24:].any()
    assert np.array_equal(moved["shear_x"][18, :6], image[18, 5:11])  # 0.5 + 0.25 * 18.5 is in pixel 5
    assert np.array_equal(moved["shear_y"][:10, 10], image[3:13, 10])


def test_mixed_amplitudes_keep_the_phase_and_take_a_share_of_the_partners_amplitude():
    source = np.random.default_rng(0).integers(90, 160, (3, 16, 8, 3), dtype=np.uint8)
    partners = np.random.default_rng(1).integers(90, 160, (3, 16, 8, 3), dtype=np.uint8)
    shares = np.array([0.0, 0.4, 1.0])
    mixed = mix_amplitudes(source, partners, shares)
    assert np.array_equal(mixed[0], source[0])
    for image in (1, 2):
        for channel in range(3):
            own, other = (np.fft.fft2(values[image, :, :, channel]) for values in (source, partners))
            amplitude = (1 - shares[image]) * np.abs(own) + shares[image] * np.abs(other)
            expected = np.fft.ifft2(amplitude * np.exp(1j * np.angle(own))).real
            assert np.abs(mixed[image, :, :, channel] - np.clip(np.round(expected), 0, 255)).max() <= 1


def test_a_uniform_image_keeps_its_place_in_the_batch_and_takes_the_partners_mean():
    source = np.full((1, 8, 4, 3), 50, np.uint8)
    partner = np.full((1, 8, 4, 3), 150, np.uint8)
    assert np.abs(mix_amplitudes(source, partner, np.array([0.5])).astype(int) - 100).max() <= 1


def test_partners_are_a_permutation_and_shares_reach_the_largest():
    partners, shares = draw_mixtures(64, np.random.default_rng(0), 0.6)
    assert sorted(partners) == list(range(64))
    assert 0 <= shares.min() < 0.05
    assert 0.55 < shares.max() <= 0.6
