import gzip
import os
import pickle
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import md5
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import scipy.io
import torch
from torchvision.datasets import CIFAR10, EMNIST, MNIST, FashionMNIST

from semiad.datasets import cifar10, digits, emnist, fmnist, mnist, mnist_letters, odds, odds_kinds
from semiad.datasets.files import fetch, official, read_idx
from semiad.errors import InputError


def idx(array: np.ndarray) -> bytes:
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def images(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28), dtype=np.uint8)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every download fails at once, as without a network."""
    for source in (MNIST, FashionMNIST):
        monkeypatch.setattr(source, "mirrors", [])
    monkeypatch.setattr(fmnist, "DEBIAN", Path("/nowhere"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    for name in ("torchvision.datasets.mnist", "torchvision.datasets.cifar"):
        monkeypatch.setattr(f"{name}.download_and_extract_archive", refuse)
    monkeypatch.setattr(odds.pooch, "retrieve", refuse)


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data_root with forty training and twenty test images, whose checksums are taken for the right ones."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for prefix, n in (("train", 40), ("t10k", 20)):
        for kind, array in (("images-idx3", images(n, n)), ("labels-idx1", (np.arange(n) % 10).astype(np.uint8))):
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    monkeypatch.setattr(mnist, "DIGESTS", {name: None for name in mnist.DIGESTS})
    yield tmp_path


def test_digits_have_one_fixed_stratified_split() -> None:
    table, again = digits.load(Path()), digits.load(Path("elsewhere"))
    y, n = table.labels.y, table.labels.n_train
    assert (n, len(y), table.shape, table.top) == (1078, 1797, (1, 8, 8), 16.0)
    assert (table.x == again.x).all() and (y == again.labels.y).all() and table.x.max() == 16
    share = np.bincount(y[:n]) / np.bincount(y)
    assert abs(share - 0.6).max() < 0.01


def test_mnist_files_are_read_gzipped_or_not(small_mnist: Path) -> None:
    table = mnist.load(small_mnist)
    assert table.x.shape == (60, 1, 28, 28) and table.labels.n_train == 40 and table.labels.y[:3].tolist() == [0, 1, 2]
    assert (table.x[:40, 0].numpy() == images(40, 40)).all() and (table.x[40:, 0].numpy() == images(20, 20)).all()
    for path in (small_mnist / "MNIST" / "raw").iterdir():
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert (mnist.load(small_mnist).x == table.x).all()


def test_a_read_only_folder_is_enough(small_mnist: Path) -> None:
    before = sorted(small_mnist.rglob("*"))
    for path in [*before, small_mnist]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert len(mnist.load(small_mnist).x) == 60
    finally:
        for path in [small_mnist, *before]:
            path.chmod(0o755)
    assert sorted(small_mnist.rglob("*")) == before


Damage = Callable[[Path], object]
DAMAGES: list[tuple[str, Damage, str]] = [
    ("truncated", lambda p: p.write_bytes(p.read_bytes()[:-100]), "cannot be unpacked"),
    ("empty", lambda p: p.write_bytes(b""), "is not a complete file of the MNIST format"),
    ("not gzip", lambda p: p.write_bytes(b"<html>404</html>"), "cannot be unpacked"),
    ("not idx", lambda p: p.write_bytes(gzip.compress(b"hello, world")), "is not a complete file of the MNIST format"),
    ("short idx", lambda p: p.write_bytes(gzip.compress(idx(images(40, 1))[:-1])), "is not a complete file"),
    (
        "fewer",
        lambda p: p.write_bytes(gzip.compress(idx(images(39, 1)))),
        "has 39 images, but train-labels-idx1-ubyte 40",
    ),
    ("shape", lambda p: p.write_bytes(gzip.compress(idx(images(40, 1)[:, 1:]))), r"holds \(40, 27, 28\), expected"),
]


@pytest.mark.parametrize(("damage", "message"), [d[1:] for d in DAMAGES], ids=[d[0] for d in DAMAGES])
def test_damaged_images_are_refused_by_name(small_mnist: Path, damage: Damage, message: str) -> None:
    path = small_mnist / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    damage(path)
    with pytest.raises(InputError, match=f"{path.with_suffix('')}.*{message}"):
        mnist.load(small_mnist)


def test_a_wrong_hash_is_refused(small_mnist: Path) -> None:
    path = small_mnist / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    with pytest.raises(
        InputError, match=rf"{path}.gz has the wrong content \(sha256 .* expected {'0' * 64}\): replace it"
    ):
        read_idx(path, "0" * 64)


def test_a_missing_class_is_named() -> None:
    part = images(10, 0)[:, None], np.arange(10) % 9
    with pytest.raises(InputError, match="data set toy: class 9 has no training rows"):
        official("toy", tuple(range(10)), part, part)
    with pytest.raises(InputError, match="data set toy: training label 8 is none of the 8 classes"):
        official("toy", tuple(range(8)), part, part)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("load", "name"),
    [
        (mnist.load, "MNIST/raw/train-images-idx3-ubyte.gz"),
        (fmnist.load, "FashionMNIST/raw/train-images-idx3-ubyte.gz"),
        (emnist.load, "EMNIST/raw/emnist-letters-train-images-idx3-ubyte"),
        (cifar10.load, "cifar-10-batches-py"),
        (lambda root: odds.load(root, "wine"), "odds/wine.mat"),
        (lambda root: odds.load(root, "speech"), "odds/speech.mat"),
    ],
    ids=["mnist", "fmnist", "emnist", "cifar10", "odds", "speech"],
)
def test_without_network_one_sentence_says_what_to_do(load: Callable, name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert f"{tmp_path / name} is not there and cannot be downloaded" in str(caught.value)
    assert "put it there by hand" in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_nothing_half_written_is_taken_for_data(tmp_path: Path) -> None:
    def breaks(aside: Path) -> Path:
        (aside / "a").write_bytes(b"half")
        raise OSError("connection reset")

    with pytest.raises(InputError, match="connection reset"):
        fetch([tmp_path / "a", tmp_path / "b"], breaks)
    assert list(tmp_path.iterdir()) == []

    def works(aside: Path) -> Path:
        for name in "abc":
            (aside / name).write_bytes(b"whole")
        return aside

    (tmp_path / "a").write_bytes(b"mine")
    fetch([tmp_path / "a", tmp_path / "b"], works)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"mine", "b": b"whole"}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_mnist_is_downloaded_by_torchvision(small_mnist: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = small_mnist / "MNIST" / "raw"
    monkeypatch.setattr(
        MNIST, "resources", [(p.name, md5(p.read_bytes()).hexdigest()) for p in sorted(source.iterdir())]
    )
    with served(source) as address:
        monkeypatch.setattr(MNIST, "mirrors", [address])
        table = mnist.load(tmp_path / "other")
    assert len(table.x) == 60
    assert sorted(p.name for p in (tmp_path / "other" / "MNIST" / "raw").iterdir()) == sorted(
        p.name for p in source.iterdir()
    )


def write_letters(root: Path) -> None:
    folder = root / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    for part, n in (("train", 52), ("test", 26)):
        (folder / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(idx(images(n, n)))
        (folder / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(idx((np.arange(n) % 26 + 1).astype(np.uint8)))


def test_letters_are_turned_upright_and_count_from_a(tmp_path: Path) -> None:
    write_letters(tmp_path)
    table = emnist.load(tmp_path)
    assert table.labels.classes[:3] == ("A", "B", "C") and table.labels.n_train == 52 and table.labels.y[27] == 1
    assert (table.x[5, 0].numpy() == images(52, 52)[5].T).all()
    # As torchvision hands them out, but for its own (transposed) view of the files.
    theirs = EMNIST(tmp_path, split="letters", train=False)
    assert (table.x[52:, 0].numpy() == theirs.data.numpy().transpose(0, 2, 1)).all()
    assert (table.labels.y[52:] + 1 == theirs.targets.numpy()).all()


def test_digits_and_letters_as_one(small_mnist: Path) -> None:
    write_letters(small_mnist)
    table = mnist_letters.load(small_mnist)
    assert len(table.labels.classes) == 36 and table.labels.n_train == 92 and len(table.x) == 138
    letter = table.labels.rows(("C",), train=True)
    assert letter.tolist() == [42, 68] and (table.x[42, 0].numpy() == images(52, 52)[2].T).all()
    assert table.labels.rows((3,), train=False).tolist() == [95, 105]


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [name for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]]
    for name in names:
        data = {"data": rng.integers(0, 256, (20, 3072), dtype=np.uint8), "labels": (np.arange(20) % 10).tolist()}
        (folder / name).write_bytes(pickle.dumps(data))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    sums = {path.name: md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in names[:-1]])
    monkeypatch.setattr(CIFAR10, "test_list", [[names[-1], sums[names[-1]]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})
    return tmp_path


def test_cifar_is_channels_first(small_cifar: Path) -> None:
    table = cifar10.load(small_cifar)
    assert table.x.shape == (120, 3, 32, 32) and table.labels.n_train == 100
    first = pickle.loads((small_cifar / "cifar-10-batches-py" / "data_batch_1").read_bytes())["data"][0]
    assert (table.x[0].numpy() == first.reshape(3, 32, 32)).all()


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
def test_damaged_cifar_is_refused_by_name(small_cifar: Path, name: str) -> None:
    path = small_cifar / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"{path} has the wrong content"):
        cifar10.load(small_cifar)
    path.unlink()
    with pytest.raises(InputError, match=f"{path} is not there"):
        cifar10.load(small_cifar)


def test_the_catalogue_has_table_2() -> None:
    known = odds.catalogue()
    assert len(known) == 22 and known["cardio"]["rows"] == "1831" and known["satimage-2"]["outliers"] == "71"
    assert [name for name, row in known.items() if not row["url"]] == ["speech"]
    assert all(
        len(row["sha256"]) == 64 and "/master/" not in row["url"] for name, row in known.items() if name != "speech"
    )


def test_every_odds_table_at_hand_is_what_the_catalogue_says(shared: Path) -> None:
    found = 0
    for name, row in odds.catalogue().items():
        if (shared / "odds" / f"{name}.mat").exists():
            table = odds.load(shared, name)
            assert table.x.shape == (int(row["rows"]), int(row["features"])) and table.top is None
            assert table.labels.y.sum() == int(row["outliers"]) and table.labels.name == f"odds/{name}"
            found += 1
    assert found >= 15


def test_kinds_of_anomaly_are_clusters_of_a_table(shared: Path) -> None:
    table, kinds = odds.load(shared, "cardio"), odds_kinds.load(shared, "cardio", 2)
    labels = kinds.labels
    assert labels.name == "odds_kinds/cardio" and labels.classes == (0, 1, 2) and labels.n_train == 1281
    sizes = np.bincount(labels.y)
    assert sizes[0] == 1655 and sizes[1:].sum() == 176 and sizes[1] > sizes[2] >= 16
    # The same rows in another order, with the same normal ones; each kind is split alike.
    assert torch.equal(kinds.x.sort(0).values, table.x.sort(0).values)
    assert np.bincount(labels.y[:1281]) == pytest.approx(0.7 * sizes, abs=1)
    # Rows of a kind lie closer to the mean of their kind than to that of the other.
    x = (kinds.x - table.x.mean(0)) / table.x.std(0)
    centres = torch.stack([x[labels.y == kind].mean(0) for kind in (1, 2)])
    anomalies = labels.y > 0
    assert (torch.cdist(x[anomalies], centres).argmin(1).numpy() + 1 == labels.y[anomalies]).mean() > 0.98


@pytest.mark.parametrize(
    ("name", "kinds", "message"),
    [
        ("cardio", 1, r"dataset.kinds is 1, expected a whole number from 2 on"),
        ("lympho", 4, r"odds/lympho has 6 anomalies, too few for dataset.kinds=4"),
        ("arrhythmia", 4, r"odds/arrhythmia: with dataset.kinds=4 a kind has 1 rows, expected two or more"),
    ],
)
def test_kinds_that_cannot_be_had_are_refused(name: str, kinds: int, message: str, shared: Path) -> None:
    with pytest.raises(InputError, match=message):
        odds_kinds.load(shared, name, kinds)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"X": np.ones((4, 3)), "y": np.array([0, 1, 0, 1])}, r"holds X \(4, 3\) and y \(4,\), expected X \(4, 2\)"),
        ({"X": np.ones((4, 2)), "y": np.array([0, 1, 0])}, r"holds X \(4, 2\) and y \(3,\)"),
        (
            {"X": np.array([[1, 2], [3, np.nan], [5, 6], [7, 8]]), "y": np.array([0, 1, 0, 1])},
            "not finite at row 1, column 1",
        ),
        ({"X": np.ones((4, 2)), "y": np.array([0, 0, 0, 0])}, r"labels are \[0\], expected 0"),
        ({"X": np.ones((4, 2)), "y": np.array([0, 1, 2, 1])}, r"labels are \[0, 1, 2\], expected 0"),
        ({"Z": np.ones((4, 2))}, "is not a MATLAB 5 file with X and y"),
    ],
)
def test_damaged_tables_are_refused(data: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "t.mat", data)
    with pytest.raises(InputError, match=f"{tmp_path / 't.mat'}.*{message}"):
        odds.read(tmp_path / "t.mat", "t", (4, 2))


def test_a_truncated_or_changed_table_is_refused(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "odds").mkdir()
    path = tmp_path / "odds" / "wine.mat"
    shutil.copyfile(shared / "odds" / "wine.mat", path)
    assert len(odds.load(tmp_path, "wine").x) == 129
    os.truncate(path, 2000)
    with pytest.raises(InputError, match=f"{path} has the wrong content .*delete it"):
        odds.load(tmp_path, "wine")
    with pytest.raises(InputError, match="is not a MATLAB 5 file"):
        odds.read(path, "wine", (129, 13))


def test_pooch_downloads_and_checks(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = odds.catalogue()["wine"]
    with served(shared / "odds") as address:
        monkeypatch.setattr(odds, "catalogue", lambda: {"wine": {**row, "url": f"{address}wine.mat"}})
        assert len(odds.load(tmp_path, "wine").x) == 129
        assert [p.name for p in (tmp_path / "odds").iterdir()] == ["wine.mat"]
        monkeypatch.setattr(odds, "catalogue", lambda: {"wine": {**row, "url": f"{address}pima.mat"}})
        with pytest.raises(InputError, match=r"cannot be downloaded .*hash"):
            odds.load(tmp_path / "other", "wine")
    assert not (tmp_path / "other").exists()


def test_real_mnist(shared: Path) -> None:
    table = mnist.load(shared)
    assert table.labels.n_train == 60000 and np.bincount(table.labels.y[:60000])[8] == 5851
    assert table.labels.y[:5].tolist() == [5, 0, 4, 1, 9]


@pytest.mark.skipif(not fmnist.DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_debians_fashion_mnist(tmp_path: Path) -> None:
    table = fmnist.load(tmp_path)
    assert len(table.x) == 70000 and (np.bincount(table.labels.y[:60000]) == 6000).all()
    assert table.labels.y[:5].tolist() == [9, 0, 0, 3, 0] and not list(tmp_path.iterdir())
