"""Detectors as modules of torch: from rows or pixels to scores, for gradients and exports."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from semiad.detector.ensemble import Ensemble
from semiad.images.preprocessor import ImagePreprocessor
from semiad.methods.base import Method
from semiad.tabular.encoders import Number
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.tabular.scaling import FARTHEST, Scaler


class Scaling(nn.Module):
    """The scaling of features of `semiad.tabular.scaling.Scaler`, step by step in the same precision.

    Args:
        scaler: fitted to `d` features.
    """

    low: Tensor
    span: Tensor

    def __init__(self, scaler: Scaler) -> None:
        super().__init__()
        self.margin = scaler.margin
        self.register_buffer("low", torch.from_numpy(scaler.low))
        self.register_buffer("span", torch.from_numpy(scaler.span))

    def forward(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Scale float64 features to float32 values in [0, 1]."""
        core = 1 - 2 * self.margin
        place = ((features - self.low) / self.span).float().clamp(-FARTHEST, FARTHEST)
        within = place.clamp(0, 1)
        scaled = within * core + self.margin
        if self.margin:
            beyond = place - within
            scaled = scaled + beyond / (beyond.abs() + self.margin / core) * self.margin
        return scaled


class Members(nn.Module):
    """The members of a detector, and the score that they give together.

    Args:
        ensemble: of members with a network.
    """

    centres: Tensor
    spreads: Tensor
    weights: Tensor

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__()
        device = ensemble.device
        self.register_buffer("centres", torch.from_numpy(np.asarray(ensemble.centres))[:, None].to(device))
        self.register_buffer("spreads", torch.from_numpy(np.asarray(ensemble.spreads))[:, None].to(device))
        self.register_buffer("weights", torch.from_numpy(ensemble.weights).to(device))
        self.members = nn.ModuleList(method for method in ensemble.methods if isinstance(method, Method))

    def forward(self, x: Float[Tensor, "n *shape"]) -> Float[Tensor, " n"]:
        """Compute the score of each row, float64."""
        scores = torch.stack([member.scores(x).double() for member in self.members])  # type: ignore[operator]
        return self.weights @ ((scores - self.centres) / self.spreads)


class ImageScoring(nn.Module):
    """A detector of images as a module: pixels, the features of a backbone if it has one, and all members.

    Args:
        preprocessor: fitted, of images of `c` channels, `h` pixels high and `w` wide.
        ensemble: of members with a network.
    """

    def __init__(self, preprocessor: ImagePreprocessor, ensemble: Ensemble) -> None:
        super().__init__()
        self.backbone, self.members = preprocessor.backbone, Members(ensemble)
        self.scaling = None if preprocessor.scaler is None else Scaling(preprocessor.scaler).to(ensemble.device)

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Compute the score of each image."""
        if self.backbone is None or self.scaling is None:
            scores: Tensor = self.members(pixels)
        else:
            scores = self.members(self.scaling(self.backbone(pixels).double()))
        return scores


class TableScoring(nn.Module):
    """A detector as a module: preprocessing of columns of numbers, all members, and the threshold.

    Args:
        preprocessor: whose `c` columns are all of numbers.
        ensemble: of members with a network, on the CPU.
        threshold: the score above which a row is an alarm.
    """

    filled: Tensor
    order: Tensor

    def __init__(self, preprocessor: TablePreprocessor, ensemble: Ensemble, threshold: float) -> None:
        super().__init__()
        numbers = [encoder for encoder in preprocessor.encoders if isinstance(encoder, Number)]
        order = [
            place
            for column, encoder in enumerate(numbers)
            for place in ([column, len(numbers) + column] if encoder.missing else [column])
        ]
        self.register_buffer("filled", torch.tensor([encoder.filled for encoder in numbers], dtype=torch.float64))
        self.register_buffer("order", torch.tensor(order))
        self.scaling, self.members, self.threshold = Scaling(preprocessor.scaler), Members(ensemble), threshold

    def forward(self, rows: Float[Tensor, "n c"]) -> tuple[Float[Tensor, " n"], Int64[Tensor, " n"]]:
        """Compute the score of each row, and whether it is an alarm."""
        missing = rows.isnan()
        values = torch.where(missing, self.filled, rows)
        scores = self.members(self.scaling(torch.cat([values, missing.double()], dim=1)[:, self.order]))
        return scores, (scores > self.threshold).long()
