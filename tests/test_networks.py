import math

import pytest
import torch
from torch import nn

from semiad.errors import InputError
from semiad.networks.conv import Conv, same
from semiad.networks.dense import Dense


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
