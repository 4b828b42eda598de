import numpy as np
import torch
from torchvision.transforms.v2 import functional as transforms

from metabin.data.loading import augment, normalise, training_batch


def images(count=6):
    return np.random.default_rng(0).integers(1, 256, (count, 8, 5, 3), dtype=np.uint8)


def test_every_augmented_image_is_a_crop_of_its_padded_possibly_flipped_original():
    source, pad = images(40), 2
    shown = augment(source, np.random.default_rng(1), flip=0.5, pad=pad)
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
    assert np.array_equal(augment(images(), np.random.default_rng(0), flip=0.0, pad=0), images())


def test_pixels_are_normalised_with_the_means_and_deviations_of_imagenet():
    found = normalise(torch.tensor([[[[124, 116, 104]]]], dtype=torch.uint8))
    assert found.shape == (1, 3, 1, 1)
    wanted = [(124 - 123.675) / 58.395, (116 - 116.28) / 57.12, (104 - 103.53) / 57.375]
    torch.testing.assert_close(found.flatten(), torch.tensor(wanted))


def test_a_batch_carries_the_labels_cameras_and_domains_of_its_images(tiny_images):
    index = np.array([0, 13, 35])
    batch = training_batch(tiny_images, index, np.random.default_rng(0), flip=0, pad=0, device=torch.device("cpu"))
    assert batch.label.tolist() == [0, 4, 11]
    assert batch.domain.tolist() == [0, 1, 2]
    assert batch.camid.tolist() == [0, 1, 2]
    assert torch.equal(batch.images[1], normalise(torch.from_numpy(tiny_images.pixels[1][1:2].copy()))[0])
