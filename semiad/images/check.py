"""What `semiad check` and the page of a fit say of a folder of images."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from semiad.images.collection import Images, in_threads, named
from semiad.images.listing import counted, written

if TYPE_CHECKING:
    from semiad.images.pixels import Header

DARK = 0.25
"""Brightest value of all images, from 0 to 1, below which it is told."""
SHOWN = 5
"""Sizes, modes and files that are named."""
MODES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey, transparent",
    "P": "palette",
    "PA": "palette, transparent",
    "RGB": "colour",
    "RGBA": "colour, transparent",
    "CMYK": "CMYK",
    "I": "grey, 32 bits",
    **dict.fromkeys(("I;16", "I;16B", "I;16L", "I;16N"), "grey, 16 bits"),
    "F": "grey, floating point",
}
"""Pillow's modes in words."""


@dataclass(frozen=True)
class ImageReport:
    """What was seen in a folder of images.

    Attributes:
        images: of the folder.
        headers: what each file says of its image.
        copies: pairs of numbers of images that are equal, the earlier one first.
        brightest: the largest value of all, from 0 to 1.
    """

    images: Images
    headers: tuple["Header", ...]
    copies: tuple[tuple[int, int], ...]
    brightest: float

    @property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of anomalous, checked normal and unlabelled images."""
        labels = self.images.labels
        return int((labels == 1).sum()), int((labels == 0).sum()), int(np.isnan(labels).sum())

    @property
    def summary(self) -> str:
        """Say in a line what images there are."""
        anomalous, normal, unlabelled = self.counts
        return (
            f"{len(self.images):,} images ({', '.join(self.formats)}){', resized to' if self.images.resize else ' of'} "
            f"{written(self.images.shape[1:])} pixels, {self.colours}; {anomalous:,} anomalous, {normal:,} checked "
            f"normal, {unlabelled:,} unlabelled"
        )

    @property
    def colours(self) -> str:
        """Say whether images are taken in colour."""
        return "grey" if self.images.shape[0] == 1 else "in colour"

    @property
    def formats(self) -> list[str]:
        """Name the suffixes, and the number of files with each."""
        suffixes = Counter(PurePosixPath(name).suffix.lower().lstrip(".") or "no suffix" for name in self.images.files)
        return [f"{suffix}: {number:,}" for suffix, number in sorted(suffixes.items())]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Say what was understood of the folder, as names and values."""
        anomalous, normal, unlabelled = self.counts
        animated = [name for name, header in zip(self.images.files, self.headers, strict=True) if header.animated]
        facts = [
            ("anomalous", f"{anomalous:,}"),
            ("checked normal", f"{normal:,}"),
            ("unlabelled", f"{unlabelled:,}"),
            ("files", ", ".join(self.formats)),
            ("sizes of the files (height x width)", most_common(written(header.size) for header in self.headers)),
            ("pixels of the files", most_common(MODES.get(header.mode, header.mode) for header in self.headers)),
            (
                "taken as",
                f"{written(self.images.shape[1:])}, {self.colours}{', resized' if self.images.resize else ''}",
            ),
        ]
        if animated:
            facts.append(("of several frames, the first is taken", f"{len(animated):,}: {named(animated, SHOWN)}"))
        if left_out := self.images.left_out:
            facts.append(("left out: a suffix that is of no image", f"{len(left_out):,}: {named(left_out, SHOWN)}"))
        return facts

    @property
    def warnings(self) -> list[str]:
        """Say what a user should look at before training."""
        return [*self.copy_warnings(), *self.dark_warnings()]

    def copy_warnings(self) -> Iterator[str]:
        """Say which images are equal."""
        files, labels = self.images.files, self.images.labels
        if self.copies:
            original, copy = (files[number] for number in self.copies[0])
            yield (
                f"{len(self.copies):,} of {counted(len(files), 'image')} are copies of others, such as {copy} of "
                f"{original}"
            )
        for a, b in self.copies:
            if not np.isnan(labels[[a, b]]).any() and labels[a] != labels[b]:
                yield f"{files[a]} and {files[b]} are equal, but one is normal and one anomalous"

    def dark_warnings(self) -> Iterator[str]:
        """Say that all images are nearly black."""
        if self.brightest < DARK:
            yield (
                f"no image is brighter than {self.brightest:.2g}, where 1 is white: if they have 12 bits in files of "
                "16, stretch them to the full range"
            )


def look_at_images(images: Images, parts: Iterable[Images]) -> ImageReport:
    """Read all images of a folder, and look at them.

    Args:
        images: of files.
        parts: the same, in parts whose pixels fit into memory, in order.

    Raises:
        InputError: one cannot be read.
    """
    from semiad.images.pixels import read_header

    assert images.folder is not None
    folder = images.folder
    headers = in_threads(lambda name: read_header(folder / name), images.files)
    first: dict[bytes, int] = {}
    copies, brightest, number = [], 0.0, 0
    for part in parts:
        for pixels in part.x:
            brightest = max(brightest, float(pixels.max()))
            earlier = first.setdefault(sha256(pixels.tobytes()).digest(), number)
            if earlier != number:
                copies.append((earlier, number))
            number += 1
    return ImageReport(images, tuple(headers), tuple(copies), brightest)


def most_common(values: Iterable[str]) -> str:
    """Name the values that come most often, and how often."""
    counted_values = Counter(values).most_common()
    shown = ", ".join(f"{value}: {number:,}" for value, number in counted_values[:SHOWN])
    return shown + (f" and {len(counted_values) - SHOWN:,} others" if len(counted_values) > SHOWN else "")
