import math

import pytest
import torch

from semiad import losses

X = torch.tensor([[0.0, 0.25], [0.5, 1.0], [0.75, 0.25]], dtype=torch.float64)
X_HAT = torch.tensor([[0.5, 0.25], [0.5, 0.5], [0.25, 0.75]], dtype=torch.float64)


def test_squared_error_by_hand() -> None:
    # (.5^2 + 0) / 2, (0 + .5^2) / 2, (.5^2 + .5^2) / 2
    assert losses.squared_error(X, X_HAT).tolist() == [0.125, 0.125, 0.25]


def test_targets_by_hand() -> None:
    assert losses.f0(X).tolist() == [[1.0, 0.75], [0.5, 0.0], [0.25, 0.75]]
    assert losses.f1(X).tolist() == [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    assert losses.f2(X).tolist() == [[0.5, 0.75], [1.0, 0.5], [0.25, 0.75]]


def test_ae_sad_by_hand() -> None:
    s, weight = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64), torch.tensor(4.0, dtype=torch.float64)
    # Row 2: F(x) = (.5, 0), x_hat = (.5, .5): 4 * .125. Row 3: F(x) = (.25, .75) = x_hat: 0.
    assert losses.ae_sad(X, X_HAT, s, weight, losses.f0).tolist() == [0.125, 0.5, 0.0]
    # Row 2: F1(x) = (1, 0): 4 * (.25 + .25) / 2. Row 3: F1(x) = (0, 1): 4 * (.0625 + .0625) / 2.
    assert losses.ae_sad(X, X_HAT, s, weight, losses.f1).tolist() == [0.125, 1.0, 0.25]


def test_images_are_averaged_over_all_pixels() -> None:
    x = torch.zeros(2, 3, 4, 4)
    assert losses.squared_error(x, x + 0.5).tolist() == [0.25, 0.25]


def test_ae_sad_runs_under_vmap_with_a_weight_per_run() -> None:
    x, x_hat = torch.rand(5, 7, 3), torch.rand(5, 7, 3)
    s, weights = (torch.rand(5, 7) < 0.5).float(), torch.arange(1.0, 6.0)
    many = torch.vmap(lambda *a: losses.ae_sad(*a, losses.f0))(x, x_hat, s, weights)
    one = torch.stack([losses.ae_sad(*a, losses.f0) for a in zip(x, x_hat, s, weights, strict=True)])
    assert torch.equal(many, one)


S = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
"""The second row is a labelled anomaly."""
Z = torch.tensor([[3.0, 4.0], [0.6, 0.8], [0.0, 0.0]], dtype=torch.float64)


def test_two_means_by_hand() -> None:
    # Mean over two unlabelled rows (1 and 5) plus that over one outlier (2): 3 + 2.
    values = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    assert losses.two_means(values, S).tolist() == [1.5, 6.0, 7.5]
    assert losses.two_means(values, S).mean() == 5
    assert losses.two_means(values, torch.zeros_like(S)).tolist() == values.tolist()
    assert losses.two_means(values, torch.ones_like(S)).tolist() == values.tolist()


def test_norm_semi_by_hand() -> None:
    eps = torch.tensor(0.25, dtype=torch.float64)
    assert losses.norm(Z).tolist() == [5.0, 1.0, 0.0]
    assert losses.norm_semi(Z, S, eps).tolist() == [5.0, 1 / 1.25, 0.0]


def test_norm_has_a_derivative_at_zero() -> None:
    z = Z.clone().requires_grad_()
    losses.norm(z).sum().backward()
    assert torch.allclose(z.grad, torch.tensor([[0.6, 0.8], [0.6, 0.8], [0.0, 0.0]], dtype=torch.float64))


def test_svdd_and_deep_sad_by_hand() -> None:
    distances = losses.svdd(Z, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert torch.allclose(distances, torch.tensor([18.0, 0.4, 1.0], dtype=torch.float64))
    loss = losses.deep_sad(distances, S, torch.tensor(2.0, dtype=torch.float64))
    assert torch.allclose(loss, torch.tensor([18.0, 2 / (0.4 + 1e-6), 1.0], dtype=torch.float64))


def test_soft_boundary_by_hand() -> None:
    distances = torch.arange(11.0, dtype=torch.float64)
    # The .8 quantile of 0..10 is 8: rows 9 and 10 stick out by 1 and 2, each times 1 / .2.
    loss = losses.soft_boundary(distances, torch.tensor(0.2, dtype=torch.float64))
    assert torch.allclose(loss, torch.tensor([8.0] * 9 + [13.0, 18.0], dtype=torch.float64))
    objective = [float((r + (distances - r).clamp(min=0) / 0.2).mean()) for r in distances]
    assert float(loss.mean()) == pytest.approx(min(objective))


def test_cross_entropy_by_hand() -> None:
    logits = torch.tensor([0.0, 2.0, -1.0], dtype=torch.float64)
    expected = [math.log(2), math.log(1 + math.exp(-2)), math.log(1 + math.exp(-1))]
    assert losses.cross_entropy(logits, S).tolist() == pytest.approx(expected)
