"""Explanations of images: the share of each pixel in the score."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from semiad.detector.ensemble import Ensemble
from semiad.detector.explanation import STEPS, check_parts, integrated_gradients, occlusion
from semiad.detector.inputs import image_preprocessor
from semiad.detector.scoring import ImageScoring
from semiad.engines.evaluation import evaluating
from semiad.errors import InputError
from semiad.images import Images
from semiad.images.preprocessor import ImagePreprocessor
from semiad.methods.base import Method

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector

BACKBONE_STEPS = 16
"""Points at which gradients through a backbone are taken, each of which costs as much as three scores."""
BATCH, BACKBONE_BATCH = 64, 8
"""Images of which gradients are taken at once."""
PATCHES = 8
"""Patches on either side of an image, at most, that are hidden one after the other."""
PART = 16
"""Images that are explained at once."""


class ImageExplanation(NamedTuple):
    """What the scores of `n` images are made of.

    Attributes:
        scores: of the images.
        shares: of their pixels, at the height `h` and the width `w` that the detector takes; channels are summed.
    """

    scores: Float[np.ndarray, " n"]
    shares: Float[np.ndarray, "n h w"]

    @property
    def base(self) -> Float[np.ndarray, " n"]:
        """The rest of each score, which is of no pixel: the shares and the base sum to the score."""
        rest: Float[np.ndarray, " n"] = self.scores - self.shares.sum(axis=(1, 2))
        return rest

    def frame(self) -> pl.DataFrame:
        """Give the columns `score`, `base` and `shares`."""
        return pl.DataFrame({"score": self.scores, "base": self.base, "shares": self.shares})


def explain_images(detector: "Detector", images: Images) -> ImageExplanation:
    """Compute the share of each pixel in the score of each image.

    Raises:
        InputError: an image cannot be read or has another size than those of training, or a library that is needed is
            not installed.
    """
    preprocessor, ensemble = image_preprocessor(detector.preprocessor_), detector.ensemble_
    scores, shares = [], []
    checked = preprocessor.checked(images)
    for start in range(0, len(checked), PART):
        part = checked[start : start + PART]
        pixels = np.ascontiguousarray(part.x)
        scores.append(score_pixels(preprocessor, ensemble, pixels))
        shares.append(pixel_shares(preprocessor, ensemble, pixels).sum(axis=1))
    return ImageExplanation(np.concatenate(scores), np.concatenate(shares))


def score_pixels(
    preprocessor: ImagePreprocessor, ensemble: Ensemble, pixels: Float[np.ndarray, "n c h w"]
) -> Float[np.ndarray, " n"]:
    """Score images that are in memory."""
    images = Images(np.full(len(pixels), np.nan), pixels.shape[1:], array=pixels)
    return ensemble.scores(preprocessor.transform(images))


def pixel_shares(
    preprocessor: ImagePreprocessor, ensemble: Ensemble, pixels: Float[np.ndarray, "n c h w"]
) -> Float[np.ndarray, "n c h w"]:
    """Compute the share of each value of each pixel: the mean over the members, each on its scale, as the score is.

    Raises:
        InputError: captum is needed and not installed.
    """
    if any(group.is_classical for group in ensemble.groups):
        return hidden_patches(lambda x: score_pixels(preprocessor, ensemble, x), pixels, typical_image(preprocessor))
    x = torch.from_numpy(pixels).to(ensemble.device)
    parts = None if preprocessor.backbone else score_parts(ensemble, x)
    if parts is None:
        parts = gradients(preprocessor, ensemble, x)
    shares: Float[np.ndarray, "n c h w"] = parts.double().cpu().numpy()
    return shares


def score_parts(ensemble: Ensemble, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"] | None:
    """Compute what the method itself says its score is the sum of; None if it is no sum over pixels."""
    total = torch.zeros_like(x, dtype=torch.float64)
    for method, scale in zip(ensemble.methods, ensemble.weights / ensemble.spreads, strict=True):
        assert isinstance(method, Method)
        with evaluating(method):
            parts = method.score_parts(x)
            if parts is None:
                return None
            check_parts(method, parts, method.scores(x))
        total += parts.double() * scale
    return total


def gradients(
    preprocessor: ImagePreprocessor, ensemble: Ensemble, x: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """Compute integrated gradients, through the backbone if there is one, from the typical image to each image."""
    typical = torch.from_numpy(typical_image(preprocessor)).to(x.device)[None]
    steps, batch = (BACKBONE_STEPS, BACKBONE_BATCH) if preprocessor.backbone else (STEPS, BATCH)
    scoring = ImageScoring(preprocessor, ensemble)
    with ExitStack() as stack:
        for method in ensemble.methods:
            assert isinstance(method, Method)
            stack.enter_context(evaluating(method))
        kind = type(ensemble.methods[0])
        return torch.cat([integrated_gradients(scoring, row, typical, kind, steps, batch) for row in torch.split(x, 1)])


def hidden_patches(
    score: Callable[[np.ndarray], np.ndarray],
    pixels: Float[np.ndarray, "n c h w"],
    typical: Float[np.ndarray, "c h w"],
) -> Float[np.ndarray, "n c h w"]:
    """Compute by how much the score falls if a patch is that of the typical image; its pixels share that alike."""
    shape, (height, width) = pixels.shape, pixels.shape[2:]
    rows, columns = (np.arange(side) * min(PATCHES, side) // side for side in (height, width))
    patch = np.broadcast_to(rows[:, None] * (columns[-1] + 1) + columns, shape[1:]).reshape(-1)
    belongs = (patch[:, None] == np.arange(patch.max() + 1)).astype(np.float64)
    fallen = occlusion(
        lambda flat: score(flat.reshape(shape)), pixels.reshape(len(pixels), -1), typical.reshape(1, -1), belongs
    )
    shares: Float[np.ndarray, "n c h w"] = (fallen / belongs.sum(axis=0) @ belongs.T).reshape(shape)
    return shares


def typical_image(preprocessor: ImagePreprocessor) -> Float[np.ndarray, "c h w"]:
    """Give the image that others are compared with.

    Raises:
        InputError: the model has none.
    """
    if preprocessor.typical is None or preprocessor.typical.shape != preprocessor.shape:
        raise InputError("the model has no typical image, which heat maps of its method need: fit it again")
    return preprocessor.typical


def check_heatmaps(detector: "Detector") -> None:
    """Check that images can be explained, before they are read: explain the typical one.

    Raises:
        InputError: the detector is of tables, or a library that is needed is not installed.
    """
    preprocessor = image_preprocessor(detector.preprocessor_)
    typical = np.zeros(preprocessor.shape, np.float32) if preprocessor.typical is None else preprocessor.typical
    pixel_shares(preprocessor, detector.ensemble_, typical[None])
