import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import nn

from semiad.errors import InputError
from semiad.networks.a3_conv import A3Conv
from semiad.networks.conv import Conv, same
from semiad.networks.dense import Dense
from semiad.networks.feawad import FeaWADNet
from semiad.networks.lenet import LeNet
from semiad.networks.mlp import MLP
from semiad.networks.rosas import RoSASNet
from semiad.networks.vgg import VGG


def test_dense_is_the_network_of_the_authors() -> None:
    net = Dense((1, 28, 28), hidden=[128], latent=32, linear=False, bias=True)
    layers = [m for m in net.modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [(784, 128), (128, 32), (32, 128), (128, 784)]
    assert [type(m) for m in (*net.encoder, *net.decoder)][1:-1] == [nn.Linear, nn.ReLU] * 3 + [nn.Linear, nn.Sigmoid]
    assert sum(p.numel() for p in net.parameters()) == 784 * 128 * 2 + 128 * 32 * 2 + 128 * 2 + 32 + 784
    assert net(torch.rand(5, 1, 28, 28)).shape == (5, 1, 28, 28)


def test_shallow_and_pca() -> None:
    shallow = Dense((6,), hidden=[], latent=2, linear=False, bias=True)
    assert [type(m) for m in (*shallow.encoder, *shallow.decoder)][1:-1] == [nn.Linear, nn.ReLU, nn.Linear, nn.Sigmoid]
    pca = Dense((6,), hidden=[], latent=2, linear=True, bias=False)
    x = torch.rand(4, 6)
    assert torch.allclose(pca(2 * x), 2 * pca(x)) and torch.linalg.matrix_rank(pca(torch.eye(6))) == 2


def test_weights_are_glorot_uniform_and_biases_zero() -> None:
    torch.manual_seed(0)
    layer = Dense((784,), hidden=[128], latent=32, linear=False, bias=True).encoder[1].requires_grad_(False)
    bound = math.sqrt(6 / (784 + 128))
    assert bound * 0.999 < layer.weight.abs().max() <= bound
    assert layer.weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert layer.bias.abs().max() == 0


def test_the_networks_of_feawad_and_rosas_are_those_of_the_authors() -> None:
    torch.manual_seed(0)
    feawad, rosas = FeaWADNet((21,)), RoSASNet((21,), latent=128)
    assert weights(feawad) == [(21, 21), (128, 21), (64, 128), (128, 64), (21, 128)]
    assert [type(m) for m in (*feawad.encoder, *feawad.decoder)][1:-1] == [nn.Linear, nn.ReLU] * 5
    assert float(feawad.encoder[3].weight.detach().std()) == pytest.approx(math.sqrt(2 / (21 + 128)), rel=0.05)
    assert weights(rosas)[:2] == [(74, 21), (128, 74)] and weights(RoSASNet((274,), latent=128))[0] == (201, 274)
    assert not [name for name, _ in rosas.named_parameters() if name.endswith("bias")]
    for net in (FeaWADNet((1, 8, 8)), RoSASNet((1, 8, 8), latent=16)):
        assert net(torch.rand(5, 1, 8, 8)).shape == (5, 1, 8, 8)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (1, 8, 8), (2, 15, 9), (1, 1, 5), (1, 64, 33)])
def test_conv_keeps_any_shape(shape: tuple[int, int, int]) -> None:
    out = Conv(shape, filters=[16, 8])(torch.rand(2, *shape))
    assert out.shape == (2, *shape) and 0 <= out.min() and out.max() <= 1


def test_conv_on_cifar_has_the_sizes_of_the_authors() -> None:
    net = Conv((3, 32, 32), filters=[16, 8])
    assert [*net.encoder.sizes, (8, 8)] == [(32, 32), (16, 16), (8, 8)]
    assert [tuple(p.shape) for p in net.parameters() if p.ndim == 4] == [
        (16, 3, 3, 3), (8, 16, 3, 3), (8, 8, 3, 3), (8, 16, 3, 3), (3, 16, 3, 3),
    ]  # fmt: skip


def test_padding_is_tensorflows() -> None:
    assert same(32) == (0, 1) and same(7) == (1, 1) and same(1) == (1, 1)
    # On an even size the first window starts at the first pixel: a kernel that reads its corner sees 0, 2, 4, ...
    net = Conv((1, 4, 4), filters=[1])
    with torch.no_grad():
        net.encoder.layers[0].weight.zero_()[0, 0, 0, 0] = 1
        x = torch.arange(16.0).reshape(1, 1, 4, 4)
        seen = net.encoder.layers[0](nn.functional.pad(x, (0, 1, 0, 1)))
        assert seen[0, 0].tolist() == [[0, 2], [8, 10]]
        # The transposed twin writes them back where they came from.
        net.decoder.layers[0].weight.zero_()[0, 0, 0, 0] = 1
        assert net.decoder.layers[0](seen)[0, 0, :4, :4].tolist() == [[0, 0, 2, 0], [0] * 4, [8, 0, 10, 0], [0] * 4]


def test_conv_refuses_tables() -> None:
    with pytest.raises(InputError, match=r"network conv needs images .* shape \(21,\)"):
        Conv((21,), filters=[16, 8])


def weights(net: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(p.shape) for p in net.parameters() if p.ndim > 1]


def test_mlp_has_the_widths_of_deep_sad() -> None:
    table = {"default": [32, 16, 8], 6: [32, 16, 4], 274: [128, 64, 32]}
    for d, sizes in ((21, [32, 16, 8]), (6, [32, 16, 4]), (274, [128, 64, 32])):
        net = MLP((d,), table)
        down = list(pairwise([d, *sizes]))
        assert weights(net) == [(b, a) for a, b in down] + [(a, b) for a, b in reversed(down)]
        assert not [name for name, _ in net.named_parameters() if name.endswith("bias")]
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm1d)]
        assert len(norms) == 4 and all(m.eps == 1e-4 and not m.affine for m in norms)
        x = torch.rand(5, d)
        assert net.encoder(x).shape == (5, sizes[-1]) and 0 <= net(x).min() and net(x).max() <= 1
        affine = MLP((d,), table, affine=True)
        assert weights(affine) == weights(net)
        assert all(m.bias is not None for m in affine.modules() if isinstance(m, nn.Linear | nn.BatchNorm1d))


@pytest.mark.parametrize(
    ("shape", "filters", "hidden", "latent", "expected"),
    [
        ((1, 28, 28), [8, 4], None, 32,
         [(8, 1, 5, 5), (4, 8, 5, 5), (32, 196), (2, 4, 5, 5), (4, 8, 5, 5), (8, 1, 5, 5)]),
        ((1, 28, 28), [16, 32], 128, 64,
         [(16, 1, 5, 5), (32, 16, 5, 5), (128, 1568), (64, 128),
          (128, 64), (8, 32, 5, 5), (32, 16, 5, 5), (16, 1, 5, 5)]),
        ((3, 32, 32), [32, 64, 128], None, 128,
         [(32, 3, 5, 5), (64, 32, 5, 5), (128, 64, 5, 5), (128, 2048),
          (8, 128, 5, 5), (128, 64, 5, 5), (64, 32, 5, 5), (32, 3, 5, 5)]),
    ],
    ids=["mnist", "fmnist", "cifar10"],
)  # fmt: skip
def test_lenets_are_those_of_deep_sad(
    shape: tuple[int, ...], filters: list[int], hidden: int | None, latent: int, expected: list[tuple[int, ...]]
) -> None:
    net = LeNet(shape, filters, hidden, latent)
    assert weights(net) == expected and not [n for n, _ in net.named_parameters() if n.endswith("bias")]
    x = torch.rand(4, *shape)
    assert net.encoder(x).shape == (4, latent) and net(x).shape == x.shape


def test_vgg_is_that_of_table_6() -> None:
    net = VGG((3, 32, 32), width=1)
    channels = [(p.shape[1], p.shape[0]) for p in net.parameters() if p.ndim == 4]
    encoder = [3, 64, 64, 128, 128, 256, 256, 512, 512, 512, 512]
    decoder = [512, 256, 256, 128, 128, 64, 64, 64, 64, 3]
    assert channels == [*pairwise(encoder), *pairwise(decoder)]
    code = net.encoder(torch.rand(2, 3, 32, 32))
    assert code.shape == (2, 512, 2, 2) and code.min() < 0


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (1, 17, 30)])
def test_a_narrow_vgg_keeps_any_shape(shape: tuple[int, ...]) -> None:
    out = VGG(shape, width=1 / 16)(torch.rand(2, *shape))
    assert out.shape == (2, *shape) and 0 <= out.min() and out.max() <= 1


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: MLP((5,), {6: [3]}), "network.widths for 5 features is None"),
        (lambda: LeNet((1, 28, 28), [8, 4, 2], None, 32), "expected 2 numbers for .*28x28"),
        (lambda: LeNet((1, 28, 28), [8, 4], None, 30), "must be a multiple of 16"),
        (lambda: VGG((3, 32, 32), width=0), "network.width is 0, expected a factor above 0"),
        (lambda: A3Conv((1, 32, 32)), "network a3_conv needs images of 28x28"),
    ],
)
def test_networks_refuse_what_does_not_fit(make: Callable[[], nn.Module], match: str) -> None:
    with pytest.raises(InputError, match=match):
        make()
