"""What the loader of a data set returns is converted where it stands for the same, and else refused in a sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semiad.datamodule import SplitDataModule
from semiad.dataset_checks import checked_dataset
from semiad.datasets import digits
from semiad.errors import InputError
from semiad.scenarios.table_fraction import TableFraction
from semiad.types import Dataset, Labels
from tests.conftest import read

ROWS = 40
IMAGE_TYPES = (torch.uint8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32)


def made(**parts: Any) -> Dataset:
    """A data set of integer features with some parts of another type, which a loader's author is free to give."""
    y = np.arange(ROWS) % 2
    dataset = Dataset(Labels("mine", (0, 1), y, None), torch.arange(2 * ROWS).reshape(ROWS, 2).float(), None)
    for name, value in parts.items():  # not by the constructor, whose types the tests check
        (dataset if name in ("x", "top", "labels") else dataset.labels).__dict__[name] = value
    return dataset


FEATURES = np.arange(2 * ROWS).reshape(ROWS, 2)


@pytest.mark.parametrize(
    "x",
    [
        *(
            torch.from_numpy(FEATURES).to(kind)
            for kind in (*IMAGE_TYPES, torch.uint64, torch.int8, torch.float64, torch.bfloat16)
        ),
        *(FEATURES.astype(kind) for kind in ("f8", ">f4", ">i2", "u2", "u8", "i1", "f2")),
        *(torch.from_numpy(FEATURES).float().requires_grad_(), torch.from_numpy(FEATURES.T.copy()).T),
    ],
    ids=lambda x: str(x.dtype),
)
def test_features_of_any_type_of_number_are_the_same_floats(x: Any) -> None:
    dataset = checked_dataset(made(x=x), "mine.load")
    assert dataset.x.dtype == torch.float32 and dataset.x.is_contiguous() and dataset.x.tolist() == FEATURES.tolist()
    assert dataset.digest == checked_dataset(made(), "mine.load").digest
    assert checked_dataset(dataset, "mine.load") is dataset and not dataset.x.requires_grad


def test_true_and_false_are_one_and_zero() -> None:
    dataset = checked_dataset(made(x=torch.from_numpy(FEATURES % 3 == 0)), "mine.load")
    assert dataset.x.tolist() == (FEATURES % 3 == 0).astype(float).tolist()


@pytest.mark.parametrize("kind", IMAGE_TYPES, ids=str)
def test_images_of_whole_numbers_stay_bytes(kind: torch.dtype) -> None:
    dataset = checked_dataset(made(x=torch.from_numpy(FEATURES).to(kind)[:, None, None], top=255), "mine.load")
    assert dataset.x.dtype == torch.uint8 and dataset.x[:, 0, 0].tolist() == FEATURES.tolist()
    deep = checked_dataset(made(x=1000 * torch.from_numpy(FEATURES)[:, None, None], top=79000), "mine.load")
    assert deep.x.dtype == torch.float32 and deep.x[-1, 0, 0].tolist() == [78000, 79000]
    halves = checked_dataset(made(x=torch.from_numpy(FEATURES)[:, None, None] / 158, top=1), "mine.load")
    assert halves.x.dtype == torch.float32


@pytest.mark.parametrize(
    "y",
    [
        *(np.arange(ROWS).astype(kind) % 2 for kind in ("i1", "i4", "u1", "f4", "f8")),
        *(torch.arange(ROWS) % 2, torch.arange(ROWS) % 2 == 1, np.arange(ROWS) % 2 == 1, [0, 1] * (ROWS // 2)),
    ],
    ids=lambda y: str(getattr(y, "dtype", "list")),
)
def test_labels_of_any_type_are_the_same_positions(y: Any) -> None:
    labels = checked_dataset(made(y=y), "mine.load").labels
    assert labels.y.dtype == np.int64 and labels.y.tolist() == [0, 1] * (ROWS // 2)


def test_names_of_classes_are_plain() -> None:
    labels = checked_dataset(made(classes=np.array([3, 8]), n_train=np.int64(20)), "mine.load").labels
    assert (labels.classes, labels.n_train) == ((3, 8), 20) and {*map(type, labels.classes)} == {int}
    assert checked_dataset(made(classes=["a", np.str_("b")]), "mine.load").labels.classes == ("a", "b")


def spoiled(value: float, kind: Any = np.float64) -> np.ndarray:
    x = FEATURES.astype(kind)
    x[3, 1] = value
    return x


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"x": spoiled(np.nan)}, "x is nan at row 3, column 1"),
    ({"x": spoiled(-np.inf)}, "x is -inf at row 3, column 1"),
    ({"x": spoiled(1e300)}, r"x is 1e\+300 at row 3, column 1 \(and 0 values more are not finite as float32\)"),
    ({"x": spoiled(np.nan), "top": 255}, "x is nan at row 3"),
    ({"x": FEATURES.astype(str)}, "x is of type <U21, expected a tensor or array of numbers"),
    ({"x": FEATURES.astype(complex)}, "x is of type complex128"),
    ({"x": FEATURES.astype(object)}, "x is of type object"),
    ({"x": FEATURES.tolist()}, "x is of type list"),
    ({"x": FEATURES[:, 0]}, r"x has shape \(40,\), expected \(rows, features\)"),
    ({"x": FEATURES[:, :0]}, r"x has shape \(40, 0\)"),
    ({"x": FEATURES[:0], "y": []}, r"x has shape \(0, 2\)"),
    ({"x": FEATURES, "top": 16}, "x has values from 0 to 79, expected 0 to 16"),
    ({"x": FEATURES - 1, "top": 255}, "x has values from -1 to 78, expected 0 to 255"),
    ({"top": 0}, "top is 0, expected a number above 0"),
    ({"top": True}, "top is True"),
    ({"top": np.nan}, "top is nan"),
    ({"top": "255"}, "top is '255'"),
    ({"y": np.arange(ROWS) % 2 + 1}, "labels.y has the values 1, 2, expected positions in labels.classes, here 0 to 1"),
    ({"y": -(np.arange(ROWS) % 2)}, "labels.y has the values -1, 0, expected positions"),
    ({"y": 2 * (np.arange(ROWS) % 2) - 1}, "labels.y has the values -1, 1, expected positions"),
    ({"y": np.arange(ROWS) % 2 + 1, "classes": (0, 1, 2)}, "class 0 has no rows: labels.y never is 0"),
    ({"y": np.arange(ROWS)}, r"labels.y has the values 0, 1, 2, 3, 4 \.\.\., expected"),
    ({"y": np.arange(ROWS) % 2 / 2}, "labels.y is of type float64, expected whole numbers"),
    ({"y": np.where(np.arange(ROWS) % 2, 1, np.nan)}, "labels.y is of type float64"),
    ({"y": ["no", "yes"] * (ROWS // 2)}, "labels.y is of type str_, expected whole numbers"),
    ({"y": np.array([None, 1] * (ROWS // 2))}, "labels.y is of type NoneType"),
    ({"y": np.arange(ROWS - 1) % 2}, r"labels.y has shape \(39,\), but x has 40 rows"),
    ({"y": np.arange(ROWS)[:, None] % 2}, r"labels.y has shape \(40, 1\)"),
    ({"y": None}, r"labels.y has shape \(\)"),
    ({"n_train": ROWS}, "labels.n_train is 40, expected None or a whole number from 1 to 39"),
    ({"n_train": 0}, "labels.n_train is 0"),
    ({"n_train": 20.0}, "labels.n_train is 20.0"),
    ({"classes": (0,)}, r"labels.classes is \(0,\), expected two different classes or more"),
    ({"classes": (1, "1")}, r"labels.classes is \(1, '1'\)"),
    ({"classes": (False, True)}, "labels.classes has False, expected whole numbers or texts"),
    ({"classes": (0.5, 1.5)}, "labels.classes has 0.5"),
    ({"classes": "ab"}, "labels.classes is 'ab', expected a tuple"),
    ({"classes": 2}, "labels.classes is 2"),
    ({"name": ""}, "gave '' as the name"),
    ({"labels": np.arange(ROWS)}, "gave labels of type ndarray, expected a semiad.types.Dataset"),
]


MASKED = np.ma.masked_array(FEATURES, mask=FEATURES == 7)
FAULTS += [
    ({"x": MASKED}, r"data set mine: x has 1 masked values: fill in or leave out such rows"),
    ({"x": torch.from_numpy(FEATURES).float().to_sparse()}, r"data set mine: x is of type Tensor, .*expected a dense"),
    ({"x": FEATURES.astype(np.longdouble)}, r"data set mine: x is of type ndarray"),
    ({"y": [[0], [0, 1]]}, r"data set mine: .*labels.y of type list"),
    ({"classes": ("a", "\ud800")}, r"data set mine: labels.classes has '.ud800', expected a text"),
    ({"name": "\ud800"}, r"as the name of its data set, expected a text"),
]


@pytest.mark.parametrize(("parts", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_what_cannot_be_trained_on_is_one_sentence(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        checked_dataset(made(**parts), "mine.load")
    assert "\n" not in str(caught.value) and "mine" in str(caught.value)


def test_a_masked_array_of_which_nothing_is_masked_is_an_array() -> None:
    given = np.ma.masked_array(FEATURES, mask=False)
    assert checked_dataset(made(x=given), "mine.load").x.tolist() == FEATURES.tolist()


def test_what_is_no_data_set_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"the loader mine.load gave tuple, expected a semiad.types.Dataset"):
        checked_dataset((FEATURES, np.arange(ROWS) % 2), "mine.load")


def test_data_modules_check_too() -> None:
    scenario = TableFraction(train=0.6, labelled=0.1)
    whole = SplitDataModule(made(x=100 * torch.from_numpy(FEATURES).short()), scenario)
    floats = SplitDataModule(made(x=100.0 * torch.from_numpy(FEATURES)), scenario)
    assert torch.equal(whole.data.x, floats.data.x) and whole.data.x.min() == 0
    with pytest.raises(InputError, match="x is nan at row 3"):
        SplitDataModule(made(x=spoiled(np.nan)), scenario)


def test_what_semiad_has_stays_as_it_is() -> None:
    loaded = digits.load(Path())
    dataset = checked_dataset(loaded, "digits")
    assert dataset.x.dtype == torch.uint8 and torch.equal(dataset.x, loaded.x) and dataset.top == loaded.top
    assert (dataset.labels.y == loaded.labels.y).all() and dataset.labels.classes == loaded.labels.classes


def holed(root: Path) -> Dataset:
    """Load a table with a value that is not known."""
    return made(x=spoiled(np.nan))


def whole(root: Path) -> Dataset:
    """Load a table of 16-bit whole numbers, which would wrap around if they were scaled as such."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4 == 0
    x = rng.normal(0, 8000, (400, 6)) + 20000 * y[:, None] * rng.choice([-1, 1], (400, 6))
    return made(x=x.clip(-32000, 32000).astype(np.int16), y=y)


TABLE = ("scenario=table_fraction", "scenario.labelled=0.1", "epochs=3", "seeds=[0,1]", "logger=none", "results=r")


@pytest.mark.parametrize("method", ["ocsvm", "iforest", "ae", "deep_sad"])
def test_a_missing_value_ends_the_job_before_training_for_every_method(
    method: str, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(f"method={method}", f"dataset._target_={__name__}.holed", "kind=table", *TABLE) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: data set mine: x is nan at row 3, column 1") and error.count("\n") == 1
    assert not list(Path("r").rglob("*.jsonl"))


def test_whole_numbers_train_as_the_same_floats(command: Callable[..., int]) -> None:
    assert command("method=ae", f"dataset._target_={__name__}.whole", "kind=table", *TABLE, "epochs=20") == 0
    assert min(record["auc"] for record in read(Path("r"))) > 0.9
