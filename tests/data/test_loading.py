import numpy as np
import torch

from metabin.config import Augment
from metabin.data.batches.loading import cameras_as_domains, load_batch, normalise

NO_AUGMENTATION = Augment(flip=0.0, pad=0, colour_jitter=False, erasing=0.0, strong=0.0, amplitude_mix=0.0)


def test_pixels_are_normalised_with_the_means_and_deviations_of_imagenet():
    normalised = normalise(torch.tensor([[[[124, 116, 104]]]], dtype=torch.uint8))
    assert normalised.shape == (1, 3, 1, 1)
    expected = [(124 - 123.675) / 58.395, (116 - 116.28) / 57.12, (104 - 103.53) / 57.375]
    torch.testing.assert_close(normalised.flatten(), torch.tensor(expected))


def test_a_batch_carries_the_labels_cameras_and_domains_of_its_images(tiny_images):
    index = np.array([0, 13, 35])
    batch = load_batch(tiny_images, index, np.random.default_rng(0), NO_AUGMENTATION).to(torch.device("cpu"))
    assert batch.label.tolist() == [0, 4, 11]
    assert batch.domain.tolist() == [0, 1, 2]
    assert batch.camid.tolist() == [0, 1, 2]
    assert torch.equal(batch.images[1], normalise(torch.from_numpy(tiny_images.pixels[1][1:2].copy()))[0])


def test_cameras_become_domains_and_labels_stay(tiny_images):
    data = cameras_as_domains(tiny_images)
    assert data.names[:4] == ("site0/camera 0", "site0/camera 1", "site0/camera 2", "site1/camera 0")
    assert len(data.names) == 9
    assert np.array_equal(data.domain, 3 * tiny_images.dataset + tiny_images.camid)
    assert np.array_equal(data.label, tiny_images.label)
    index = np.array([0, 13, 35])
    assert np.array_equal(data.images(index), tiny_images.images(index))
