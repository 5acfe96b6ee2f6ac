"""From a file to pixels: any format that Pillow reads, as float32 from 0 to 1, channels first."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semiad.errors import InputError
from semiad.extras import optional_import
from semiad.images.listing import written

with optional_import("pillow", "images", "images"):
    from PIL import Image, ImageOps, UnidentifiedImageError

UNSAFE = ("EPS", "WMF")
"""Formats that Pillow hands to another program."""
ROTATED = ("JPEG", "MPO", "TIFF", "WEBP")
"""Formats whose files say which side is up: cameras write them."""
GREY = ("1", "L", "LA", "La", "I", "F")
PALETTES = ("P", "PA")
SIDEWAYS = (5, 6, 7, 8)
"""Orientations of EXIF that exchange width and height."""
ORIENTATION = 0x0112

Shape = tuple[int, int, int]
"""Channels, height, width."""


class Header(NamedTuple):
    """What a file says of its image.

    Attributes:
        size: height and width.
        grey: whether it has no colours.
        animated: whether it has more than the one frame that is read.
        mode: how its pixels are stored, in Pillow's words.
    """

    size: tuple[int, int]
    grey: bool
    animated: bool
    mode: str


def read_header(path: Path) -> Header:
    """Read what a file says of its image, in most formats without reading pixels.

    Raises:
        InputError: it is no image that can be read.
    """
    try:
        with open_image(path) as image:
            width, height = image.size
            sideways = image.format in ROTATED and image.getexif().get(ORIENTATION) in SIDEWAYS
            size = (width, height) if sideways else (height, width)
            return Header(size, is_grey(image), bool(getattr(image, "is_animated", False)), image.mode)
    except Exception as error:  # Pillow's readers raise exceptions of all kinds for damaged files
        raise refusal(path, error) from error


def read_pixels(path: Path, shape: Shape, resize: bool) -> np.ndarray:
    """Read an image.

    Args:
        path: of the file.
        shape: channels (1 or 3), height and width to return. A grey image fills three channels alike.
        resize: whether another height and width are brought to these.

    Returns:
        Float32 in [0, 1], (channels, height, width).

    Raises:
        InputError: it cannot be read, is of another size, or has colours where one channel is expected.
    """
    channels, height, width = shape
    pixels = read_original(path)
    if channels == 1 and len(pixels) == 3:
        if not (pixels == pixels[:1]).all():
            raise InputError(f"{path} has colours, but the other images are grey")
        pixels = pixels[:1]
    if pixels.shape[1:] != (height, width):
        if not resize:
            size, expected = written(pixels.shape[1:]), written((height, width))
            raise InputError(f"{path} has the size {size}, expected {expected} (height x width)")
        pixels = resized(pixels, (height, width))
    if len(pixels) != channels:
        pixels = np.broadcast_to(pixels, shape)
    return pixels


def read_original(path: Path) -> np.ndarray:
    """Read an image at its own size, float32 in [0, 1], (1 or 3, height, width).

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open_image(path) as image:
            return to_array(upright(image))
    except Exception as error:  # as above
        raise refusal(path, error) from error


def open_image(path: Path) -> Image.Image:
    """Open a file of any format that Pillow reads by itself."""
    Image.init()
    return Image.open(path, formats=[name for name in Image.OPEN if name not in UNSAFE])


@cache
def image_suffixes() -> frozenset[str]:
    """List the suffixes of the formats that Pillow reads by itself."""
    Image.init()
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name not in UNSAFE)


def upright(image: Image.Image) -> Image.Image:
    """Turn an image as its camera was held."""
    return ImageOps.exif_transpose(image) if image.format in ROTATED else image


def is_grey(image: Image.Image) -> bool:
    """Whether an image has no colours; of a palette, the colours that occur count."""
    if image.mode in PALETTES:
        colours = np.asarray(image.convert("RGB"))
        return bool((colours == colours[..., :1]).all())
    return image.mode in GREY or image.mode.startswith("I;16")


def to_array(image: Image.Image) -> np.ndarray:
    """Convert an image to float32 in [0, 1], (1 or 3, height, width); what is transparent shows white.

    Raises:
        InputError: values of 32 bits that lie outside of the known range.
    """
    if image.mode.startswith("I"):
        values = np.asarray(image)
        return scaled(values, 65535, "a grey image of whole numbers")
    if image.mode == "F":
        return scaled(np.asarray(image), 1, "a grey image of floating point numbers")
    grey = is_grey(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    values = np.asarray(image.convert("L" if grey else "RGB"))
    pixels = values[None] if grey else np.moveaxis(values, -1, 0)
    return pixels.astype(np.float32) / np.float32(255)


def scaled(values: np.ndarray, top: float, what: str) -> np.ndarray:
    """Divide by the value that stands for white.

    Raises:
        InputError: values lie outside of 0 to that, or are not finite.
    """
    low, high = float(values.min()), float(values.max())
    if not (0 <= low and high <= top):
        raise InputError(f"it has values from {low:g} to {high:g}, expected 0 to {top:g} in {what}")
    return (values.astype(np.float32) / np.float32(top))[None]


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring an image, (channels, height, width), to a size: bilinearly, averaging where it gets smaller."""
    height, width = size
    channels = [
        Image.fromarray(np.ascontiguousarray(channel)).resize((width, height), Image.Resampling.BILINEAR)
        for channel in pixels
    ]
    return np.stack([np.asarray(channel) for channel in channels]).clip(0, 1)


def refusal(path: Path, error: Exception) -> InputError:
    """Say that a file is no image that can be read, and why."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path} does not exist")
    if isinstance(error, UnidentifiedImageError):
        reason = "it is of no format that is known"
    elif isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    else:
        reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} cannot be read as an image ({reason})")
