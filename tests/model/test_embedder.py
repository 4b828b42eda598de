import pytest
import torch

from metabin.model.embedder import Embedder, build_embedder
from metabin.model.mobilenet import ConvNorm
from metabin.model.swapping import NORMS, swap_norms


def make(norm, precision):
    """A block with every kind of operation of a backbone, so that also DualNorm has an early stage."""
    torch.manual_seed(0)
    blocks = torch.nn.Sequential(ConvNorm(3, 16, 3, stride=2), ConvNorm(16, 16, 3, groups=16), ConvNorm(16, 24, 1))
    return Embedder(swap_norms(blocks, norm, rho=0.4, early_stages=("0",)), 24, 5, precision=precision)


def test_features_come_before_the_neck_and_embeddings_after_it():
    model = build_embedder("resnet_small", 4).eval()
    model.neck.running_mean.fill_(3.0)
    images = torch.randn(2, 3, 32, 16)
    features = model(images)
    torch.testing.assert_close(model.embed(images), (features - 3) / (1 + model.neck.eps) ** 0.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_a_precision_features_are_the_plain_mean_in_the_type_of_the_parameters(dtype):
    model = build_embedder("resnet_small", 4).to(dtype)
    images = torch.randn(2, 3, 32, 16, dtype=dtype)
    features = model(images)
    assert features.dtype == dtype
    assert torch.equal(features, model.backbone(images).mean(dim=(2, 3)))


@pytest.fixture
def images():
    return torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_features_of_bfloat16_are_within_a_few_percent_of_those_of_float32(norm, training, images):
    half, full = (make(norm, precision).train(training)(images) for precision in (torch.bfloat16, None))
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    assert (half - full).norm() < 0.02 * full.norm()


@pytest.mark.parametrize("norm", NORMS)
def test_parameters_gradients_and_running_statistics_stay_float32_beside_bfloat16(norm, images):
    gradients = []
    for precision in (torch.bfloat16, None):
        model = make(norm, precision)
        features = model(images)
        (model.classify(features).logsumexp(1).sum() + features.square().sum()).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.requires_grad})
        assert all(value.dtype == torch.float32 for value in gradients[-1].values())
        assert all(buffer.dtype == torch.float32 for buffer in model.buffers() if buffer.is_floating_point())
    for name, expected in gradients[1].items():
        assert gradients[0][name].isfinite().all()
        # some are 0 but for rounding: the scale of a channel that the next norm takes out again
        assert (gradients[0][name] - expected).norm() < 0.25 * expected.norm() + 1e-2, name


def test_only_the_backbone_computes_in_bfloat16():
    model = build_embedder("resnet_small", 4, precision=torch.bfloat16)
    seen = {}
    for name in ("backbone", "neck", "classifier"):
        model.get_submodule(name).register_forward_hook(lambda module, x, y, name=name: seen.update({name: y.dtype}))
    model.classify(model(torch.randn(2, 3, 32, 16)))
    assert seen == {"backbone": torch.bfloat16, "neck": torch.float32, "classifier": torch.float32}
    assert model.eval().embed(torch.randn(2, 3, 32, 16)).dtype == torch.float32


def test_the_classifier_starts_as_the_reference_s_does_in_fact(reference):
    expected = reference["classifier_init"]
    torch.manual_seed(0)
    weight = Embedder(torch.nn.Identity(), 2048, 500).classifier.weight
    assert weight.std().item() == pytest.approx(expected["std"], rel=0.01)
    assert weight.abs().max().item() <= expected["uniform_bound_1_over_sqrt_in"]
