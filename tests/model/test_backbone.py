import pytest
import torch
from torch import nn

from metabin.engine.learner import rho_of
from metabin.model.backbone import build_backbone, swap_norms
from metabin.model.embedder import build_embedder
from metabin.model.norm import BatchInstanceNorm2d


def count(network):
    layers = [module for module in network.modules() if isinstance(module, BatchInstanceNorm2d)]
    return len(layers), sum(layer.rho.numel() for layer in layers)


def test_the_small_net_has_12_norm_layers_and_720_rho():
    network, num_features = build_backbone("resnet_small")
    assert count(swap_norms(network, "bin", rho=0.5)) == (12, 720)
    assert network(torch.randn(2, 3, 64, 32)).shape == (2, num_features, 8, 4)


def test_resnet50_has_53_norm_layers_and_as_many_rho_as_the_reference(reference):
    wanted = reference["census"]["resnet50"]
    network, num_features = build_backbone("resnet50")
    assert count(swap_norms(network, "bin", rho=1.0)) == (wanted["n_bin_layers"], wanted["n_rho"])
    with torch.inference_mode():
        assert list(network.eval()(torch.randn(1, 3, 256, 128)).shape) == wanted["out_shape_256x128"]
    assert num_features == 2048


def test_rho_starts_at_one_unless_told_otherwise_and_is_listed_in_network_order(reference):
    model = build_embedder("resnet_small", 4)
    rho = rho_of(model)
    assert all((value == 1).all() for value in rho.values())
    assert list(rho)[0] == "backbone.norm.rho"
    assert list(rho)[-1].startswith("backbone.block4.")


def test_methods_start_from_the_same_convolutions():
    models = []
    for norm in ("bn", "in", "bin"):
        torch.manual_seed(7)
        models.append(build_embedder("resnet_small", 4, norm=norm))
    for other in models[1:]:
        assert torch.equal(models[0].backbone.conv.weight, other.backbone.conv.weight)
        assert torch.equal(models[0].classifier.weight, other.classifier.weight)


def test_no_batch_norm_is_left_in_the_backbone_and_the_neck_is_one():
    model = build_embedder("resnet_small", 4, norm="in")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.backbone.modules())
    assert isinstance(model.neck, nn.BatchNorm1d)
    assert not model.neck.bias.requires_grad
    assert model.classifier.bias is None


def test_features_come_before_the_neck_and_embeddings_after_it():
    model = build_embedder("resnet_small", 4).eval()
    model.neck.running_mean.fill_(3.0)
    images = torch.randn(2, 3, 32, 16)
    features = model(images)
    torch.testing.assert_close(model.embed(images), (features - 3) / (1 + model.neck.eps) ** 0.5)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown backbone 'vgg'; known are \['resnet50', 'resnet_small'\]"):
        build_backbone("vgg")
    with pytest.raises(ValueError, match=r"unknown norm 'group'; known are \['bin', 'bn', 'in'\]"):
        build_embedder("resnet_small", 4, norm="group")
