"""Folders of images: which files, which labels, which pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semiad.errors import InputError
from semiad.images import Images, read_images
from semiad.images.collection import from_array, parse_size

GREY = np.arange(30, dtype=np.uint8).reshape(5, 6) * 8
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)


def save(path: Path, pixels: np.ndarray = GREY, **options: Any) -> Path:
    """Write an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def test_subfolders_say_what_images_are(tmp_path: Path) -> None:
    for name in ("normal/b.png", "normal/a/c.bmp", "anomalous/z.tif", "unlabelled/k.png", ".hidden/x.png"):
        save(tmp_path / name)
    (tmp_path / "normal" / "Thumbs.db").write_bytes(b"x")
    images = read_images(tmp_path)
    assert images.files == ("anomalous/z.tif", "normal/a/c.bmp", "normal/b.png", "unlabelled/k.png")
    np.testing.assert_array_equal(images.labels, [1, 0, 0, np.nan])
    assert images.shape == (1, 5, 6) and images.x.dtype == np.float32
    np.testing.assert_array_equal(images.x, np.repeat(GREY[None, None].astype(np.float32) / np.float32(255), 4, axis=0))
    part = images[np.array([1, 3])]
    assert part.files == ("normal/a/c.bmp", "unlabelled/k.png") and len(part) == len(part.x) == 2


def test_images_alone_are_unlabelled(tmp_path: Path) -> None:
    save(tmp_path / "b.png")
    save(tmp_path / "a.PNG")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.warns(UserWarning, match=r"1 file with a suffix that is of no image, left out: notes.txt"):
        images = read_images(tmp_path)
    assert images.files == ("a.PNG", "b.png") and np.isnan(images.labels).all()


@pytest.mark.parametrize("whole", [True, False])
def test_a_manifest_names_files_and_labels(whole: bool, tmp_path: Path) -> None:
    for name in ("x/2.png", "x/1.png", "3.png", "not_listed.png"):
        save(tmp_path / name)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("file,label,note\nx/2.png,bad,\nx/1.png,,u\n3.png,ok,\n")
    images = read_images(tmp_path if whole else manifest, anomaly="bad", normal="ok")
    assert images.files == ("3.png", "x/1.png", "x/2.png")
    np.testing.assert_array_equal(images.labels, [0, np.nan, 1])
    manifest.write_text("file\nx/2.png\n3.png\n")
    assert np.isnan(read_images(manifest).labels).all()
    assert len(read_images(manifest).x) == 2


def read_single(tmp_path: Path, path: Path, **options: Any) -> np.ndarray:
    """Read a folder of one image."""
    images = read_images(tmp_path, **options)
    assert images.files == (path.name,)
    pixels: np.ndarray = images.x[0]
    return pixels


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif", "webp", "ppm", "tga", "jp2"])
def test_formats(suffix: str, tmp_path: Path) -> None:
    lossless = {"lossless": True} if suffix == "webp" else {}
    pixels = COLOUR if suffix != "gif" else COLOUR // 64 * 64
    path = save(tmp_path / f"a.{suffix}", pixels, **lossless)
    np.testing.assert_allclose(read_single(tmp_path, path), np.moveaxis(pixels, -1, 0) / 255, atol=1e-6)


def test_jpeg_and_the_side_that_is_up(tmp_path: Path) -> None:
    pixels = np.zeros((8, 16), dtype=np.uint8)
    pixels[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    path = save(tmp_path / "a.jpg", pixels, exif=exif)
    read = read_single(tmp_path, path)
    assert read.shape == (1, 16, 8)
    assert read[0, :7].max() < 0.05 and read[0, 9:].min() > 0.95


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits(suffix: str, tmp_path: Path) -> None:
    values = (np.arange(30, dtype=np.uint16) * 2000).reshape(5, 6)
    path = save(tmp_path / f"a.{suffix}", values)
    np.testing.assert_allclose(read_single(tmp_path, path)[0], values / 65535, rtol=1e-6)
    smaller = read_single(tmp_path, path, size="2x3")
    assert smaller.shape == (1, 2, 3) and abs(smaller.mean() - values.mean() / 65535) < 0.02


def test_floating_point_numbers(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6)
    path = save(tmp_path / "a.tif", values)
    np.testing.assert_array_equal(read_single(tmp_path, path)[0], values)
    save(path, values * 300)
    with pytest.raises(InputError, match=r"a.tif cannot be read as an image \(it has values from 0 to 300, expected 0"):
        read_single(tmp_path, path)


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    alpha = np.full((5, 6), 255, dtype=np.uint8)
    alpha[0, 0] = 0
    path = save(tmp_path / "a.png", np.dstack([COLOUR, alpha]))
    read = read_single(tmp_path, path)
    assert read.shape == (3, 5, 6) and (read[:, 0, 0] == 1).all()
    np.testing.assert_allclose(read[:, 1:], np.moveaxis(COLOUR[1:], -1, 0) / 255, atol=1e-6)
    save(path, np.dstack([GREY, alpha]))
    read = read_single(tmp_path, path)
    assert read.shape == (1, 5, 6) and read[0, 0, 0] == 1
    np.testing.assert_allclose(read[0, 1:], GREY[1:] / 255, atol=1e-6)


def test_palettes_bits_and_other_colour_spaces(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.fromarray(COLOUR // 64 * 64)
    image.quantize(64).save(path)
    assert read_single(tmp_path, path).shape == (3, 5, 6)
    Image.fromarray(GREY).convert("P").save(path)
    read = read_single(tmp_path, path)
    assert read.shape == (1, 5, 6)
    np.testing.assert_allclose(read[0], GREY / 255, atol=1e-6)
    Image.fromarray(GREY > 100).save(path)
    np.testing.assert_array_equal(read_single(tmp_path, path)[0], GREY > 100)
    path.unlink()
    path = tmp_path / "a.tif"
    image.convert("CMYK").save(path)
    assert read_single(tmp_path, path).shape == (3, 5, 6)


def test_of_several_frames_the_first_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    frames = [Image.fromarray(np.full((5, 6), grey, dtype=np.uint8)) for grey in (0, 255)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match="1 image with several frames, of which the first is taken: a.gif"):
        images = read_images(tmp_path)
    assert (images.x == 0).all()


def test_grey_stays_one_channel_only_if_all_are_grey(tmp_path: Path) -> None:
    save(tmp_path / "grey.png")
    assert read_images(tmp_path).shape == (1, 5, 6)
    save(tmp_path / "colour.png", COLOUR)
    images = read_images(tmp_path)
    assert images.shape == (3, 5, 6)
    assert (images.x[1] == GREY.astype(np.float32) / np.float32(255)).all(), "a grey one fills all three"
    with pytest.raises(InputError, match=r"colour.png has colours, but the other images are grey"):
        _ = read_images(tmp_path, channels=1).x
    save(tmp_path / "colour.png", np.dstack([GREY] * 3))
    assert read_images(tmp_path, channels=1).x.shape == (2, 1, 5, 6), "three equal channels are grey"


def test_a_size_resizes_and_shrinking_averages(tmp_path: Path) -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    save(tmp_path / "a.png", board)
    save(tmp_path / "b.png", board[:32])
    images = read_images(tmp_path, size=8)
    assert images.shape == (1, 8, 8) and np.abs(images.x - 0.5).max() < 0.05
    assert read_images(tmp_path, size="4x6").x.shape == (2, 1, 4, 6)


@pytest.mark.parametrize(("size", "sides"), [(28, (28, 28)), ("28", (28, 28)), ("28X32", (28, 32)), ((5, 6), (5, 6))])
def test_sizes(size: object, sides: tuple[int, int]) -> None:
    assert parse_size(size) == sides


@pytest.mark.parametrize("size", [0, -1, 2.5, "abc", "28x", "28x0", 5000, True, (1, 2, 3)])
def test_a_size_that_cannot_be(size: object) -> None:
    with pytest.raises(InputError, match=r"^size is .*, expected a number of pixels from 1 to 4096, or HEIGHTxWIDTH"):
        parse_size(size)


def broken(folder: Path) -> None:
    save(folder / "a.png", np.random.default_rng(0).integers(0, 255, (50, 50), dtype=np.uint8))
    content = (folder / "a.png").read_bytes()
    (folder / "b.png").write_bytes(content[: len(content) // 2])


def no_image(folder: Path) -> None:
    save(folder / "a.png")
    (folder / "b.jpg").write_text("this is no image")


def empty(folder: Path) -> None:
    (folder / "b.png").write_bytes(b"")


def of_two_sizes(folder: Path) -> None:
    save(folder / "a.png")
    save(folder / "b.png", GREY.T)


def unknown_subfolder(folder: Path) -> None:
    save(folder / "normal/a.png")
    save(folder / "defects/b.png")


def beside(folder: Path) -> None:
    save(folder / "normal/a.png")
    save(folder / "b.png")


def texts(folder: Path) -> None:
    (folder / "b.txt").write_text("x")


def gone(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,label\nb.png,1\nc.png,0\n")
    save(folder / "c.png")


def twice(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,label\nc.png,1\nc.png,0\n")
    save(folder / "c.png")


def other_labels(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,label\nc.png,bad\n")
    save(folder / "c.png")


def other_columns(folder: Path) -> None:
    (folder / "manifest.csv").write_text("name,label\nc.png,1\n")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (broken, "b.png cannot be read as an image (image file is truncated"),
        (no_image, "b.jpg cannot be read as an image (it is of no format that is known)"),
        (empty, "b.png cannot be read as an image (it is of no format that is known)"),
        (of_two_sizes, "has images of several sizes (a.png 5x6, b.png 6x5): choose one by size (--size"),
        (unknown_subfolder, "has images in the subfolder defects, expected the subfolders normal, anomalous and"),
        (beside, "has the image b.png beside the subfolder normal, expected"),
        (texts, "has no images; it has 1 other file, such as b.txt"),
        (lambda folder: None, "has no images"),
        (lambda folder: folder.rmdir(), "does not exist"),
        (gone, "names the file b.png, which does not exist in"),
        (twice, "names the file c.png twice"),
        (other_labels, "manifest.csv, column 'label': labels are 1 (anomaly), 0 (checked normal) or empty"),
        (other_columns, "has no column 'file'; its columns are name, label"),
        (lambda folder: (folder / "a.png").symlink_to("nowhere.png"), "a.png is a link to no file"),
    ],
)
def test_a_folder_that_cannot_be_used(make: Any, sentence: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    make(folder)
    with pytest.raises(InputError) as caught:
        _ = read_images(folder).x
    assert sentence in str(caught.value) and str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_arrays() -> None:
    x = np.random.default_rng(0).random((4, 3, 5, 6))
    images = from_array(x)
    assert isinstance(images, Images) and images.shape == (3, 5, 6) and np.isnan(images.labels).all()
    np.testing.assert_array_equal(images.x, x.astype(np.float32))
    assert from_array(x[:, 0]).shape == (1, 5, 6)
    np.testing.assert_array_equal(from_array(GREY[None]).x[0, 0], GREY.astype(np.float32) / np.float32(255))
    np.testing.assert_allclose(from_array(GREY[None].astype(np.uint16) * 257).x[0, 0], GREY / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (np.zeros((2, 5, 6, 3)), "channels first"),
        (np.full((2, 5, 6), 255.0), "X has values from 255 to 255, expected 0 to 1"),
        (np.full((2, 5, 6), np.nan), "X has values from nan to nan, expected 0 to 1"),
        (np.zeros((2, 5, 6), dtype=np.int64), "X has images of type int64, expected floating point numbers"),
        (np.zeros((0, 5, 6)), "expected (images, channels, height, width) and no side of 0"),
    ],
)
def test_an_array_that_is_none_of_images(x: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        from_array(x)
    assert sentence in str(caught.value)
