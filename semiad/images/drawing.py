"""Pictures for people: an image beside the share of each of its pixels in the score."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from jaxtyping import Float, UInt8

from semiad.extras import optional_import
from semiad.images.pixels import resized

with optional_import("matplotlib", "images", "heat maps"):
    from matplotlib import colormaps
    from PIL import Image, ImageDraw, ImageFont

COLOURS = "plasma"
SMALL = 256
"""Pixels on the longer side, below which an image is enlarged by a whole factor."""
THUMBNAIL = 192
"""Pixels on the longer side of the pictures of a page, at most."""
LEAST, MOST = 0.15, 0.85
"""How much of the colour is seen where nothing, and where the most, is shared."""
BAR, GAP, FONT = 16, 8, 12
"""Width of the scale, distance between what lies side by side, and size of the text, in pixels."""
LEAST_HEIGHT = 120
"""Of a heat map with its scale, in pixels, so that the text can be read."""

Picture = UInt8[np.ndarray, "_ _ 3"]


def to_picture(pixels: Float[np.ndarray, "c h w"]) -> Picture:
    """Convert pixels in [0, 1], grey or in colour, to bytes of RGB."""
    colours = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    picture: Picture = (np.moveaxis(colours, 0, -1) * 255 + 0.5).astype(np.uint8)
    return picture


def heat(shares: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Scale shares to [0, 1], where 1 is the largest; pixels that make the score smaller are 0."""
    positive = np.maximum(shares, 0)
    scaled: Float[np.ndarray, "h w"] = positive / max(float(positive.max()), 1e-12)
    return scaled


def overlay(picture: Picture, shares: Float[np.ndarray, "m n"]) -> Picture:
    """Lay the colours of shares over an image, in grey, at the size of the image."""
    size = picture.shape[:2]
    values = resized(heat(shares).astype(np.float32)[None], size)[0] if shares.shape != size else heat(shares)
    grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float32)[..., None]
    opacity = (LEAST + (MOST - LEAST) * values)[..., None].astype(np.float32)
    colours = colormaps[COLOURS](values, bytes=True)[..., :3]
    laid: Picture = (grey * (1 - opacity) + colours * opacity + 0.5).astype(np.uint8)
    return laid


def draw_heatmap(picture: Picture, shares: Float[np.ndarray, "m n"]) -> Image.Image:
    """Draw an image, beside it the same under its heat map, and the scale of the colours.

    An image that is small is enlarged by a whole factor; no other is changed in size.
    """
    laid, picture = (enlarged(image, SMALL) for image in (overlay(picture, shares), picture))
    height, width = picture.shape[:2]
    font = ImageFont.load_default(FONT)
    labels = [f"{value:.3g}" for value in (max(float(shares.max()), 0.0), 0.0)]
    text = int(max(font.getlength(label) for label in labels)) + 1
    canvas = Image.new("RGB", (2 * (width + GAP) + BAR + GAP + text, max(height, LEAST_HEIGHT)), "white")
    canvas.paste(Image.fromarray(picture), (0, 0))
    canvas.paste(Image.fromarray(laid), (width + GAP, 0))
    left, tall = 2 * (width + GAP), min(canvas.height, SMALL)
    ramp = colormaps[COLOURS](np.linspace(1, 0, tall), bytes=True)[:, None, :3]
    canvas.paste(Image.fromarray(np.ascontiguousarray(np.broadcast_to(ramp, (tall, BAR, 3)))), (left, 0))
    draw = ImageDraw.Draw(canvas)
    for label, y, anchor in zip(labels, (0, tall), ("lt", "lb"), strict=True):
        draw.text((left + BAR + GAP // 2, y), label, fill="black", font=font, anchor=anchor)
    return canvas


def enlarged(picture: Picture, side: int) -> Picture:
    """Enlarge an image by the whole factor that brings its longer side nearest to a number of pixels, from below."""
    factor = max(side // max(picture.shape[:2]), 1)
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def thumbnail(picture: Picture) -> Picture:
    """Shrink an image that is too large for a page, in proportion."""
    image = Image.fromarray(picture)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(image)


def data_uri(picture: Picture) -> str:
    """Write a small picture as an address that holds all of it, for an `img` of a page."""
    with BytesIO() as file:
        Image.fromarray(enlarged(picture, THUMBNAIL)).save(file, format="JPEG", quality=90, subsampling=0)
        return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"


def scale_colours() -> list[str]:
    """Give the colours of the scale from nothing to the most, as a page writes them."""
    return [f"rgb({r} {g} {b})" for r, g, b, _ in colormaps[COLOURS](np.linspace(0, 1, 6), bytes=True)]
