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
