"""The options of a measurement."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from semiad.errors import InputError


@dataclass(frozen=True)
class Settings:
    """What a user can set on the command line, as `name=value`.

    Attributes:
        data_root: the folder of the data sets, as for `semiad.train`.
        repeats: how often each thing is measured; what is compared is measured in turn.
        device: `auto`, `cpu`, `cuda` or `mps`.
        width: measure packs of this many runs only; None for several widths.
        rows: of a made table; None for the number of the measurement.
        out: the folder of what is kept, of measurements that go on.
        against: the folder of another checkout, whose commands are measured in turn with those of this one.
    """

    data_root: Path = Path("data")
    repeats: int = 3
    device: str = "auto"
    width: int | None = None
    rows: int | None = None
    against: Path | None = None
    out: Path | None = None

    def widths(self, several: Sequence[int]) -> Sequence[int]:
        """Give the widths of packs to measure: `several` unless the user asked for a single width."""
        return several if self.width is None else [self.width]


def parse(words: Sequence[str]) -> Settings:
    """Read settings from the words of a command line.

    Raises:
        InputError: a word is no `name=value`, the name is unknown, or the value is no number where one is needed.
    """
    names = [field.name for field in fields(Settings)]
    values: dict[str, Path | str | int] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in names or not equals:
            raise InputError(f"'{word}' is no setting, expected NAME=VALUE with a name of {', '.join(names)}")
        if name in ("repeats", "width", "rows"):
            if not value.isdecimal() or int(value) < 1:
                raise InputError(f"{name} is '{value}', expected a whole number from 1 on")
            values[name] = int(value)
        else:
            values[name] = value if name == "device" else Path(value)
    return Settings(**values)  # type: ignore[arg-type]
