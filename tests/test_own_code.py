"""What a user's own method does that it must not is said in a sentence, by every engine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from semiad.datasets import digits
from semiad.methods.ae import AE
from semiad.methods.classical import ClassicalMethod
from semiad.scenarios.one_vs_one import OneVsOne
from semiad.types import Dataset, Labels, Split
from tests.conftest import SMALL, counted, read
from tests.test_train import Command

TWO = ("engine.compile=false", "logger=none", "epochs=1", "seeds=[0,1]", *SMALL[2:], "results=r")
METHOD = f"method._target_={__name__}."


class Mean(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch).mean()


class Column(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch)[:, None]


class Listed(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch).tolist()


class ColumnOfScores(AE):
    def scores(self, x: Any) -> Any:
        return super().scores(x)[:, None]


class OneScore(AE):
    def scores(self, x: Any) -> Any:
        return super().scores(x).mean()


class FixedNoise(AE):
    def noise(self, rows: int, source: torch.Generator) -> Any:
        return torch.zeros(5, 3)


@pytest.mark.parametrize("engine", ["lightning", "packed"])
@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("Mean", "Mean.losses gave a result of shape () for 32 rows, expected a tensor of shape (32,)"),
        ("Column", "Column.losses gave a result of shape (32, 1) for 32 rows"),
        ("Listed", "Listed.losses gave a result of type list for 32 rows"),
        ("ColumnOfScores", "ColumnOfScores.scores gave a result of shape (719, 1) for 719 rows"),
        ("OneScore", "OneScore.scores gave a result of shape () for 719 rows"),
        ("FixedNoise", "FixedNoise.noise gave a result of shape (5, 3) for "),
    ],
)
def test_results_of_another_shape_are_one_sentence(
    method: str, sentence: str, engine: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("method=ae", METHOD + method, f"engine={engine}", *TWO[engine == "lightning" :]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {sentence}") and error.count("\n") == 1
    assert not list(Path("r").glob("*.jsonl"))


class Branches(AE):
    def losses(self, batch: Any) -> Any:
        errors = super().losses(batch)
        return 2 * errors if (batch.s == 1).any() else errors


class Masks(AE):
    def losses(self, batch: Any) -> Any:
        errors = super().losses(batch)
        return torch.cat([errors[batch.s == 0], errors[batch.s == 1]])


class Counts(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch) * float(batch.s.sum() + 1)


class ByNumpy(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch) * torch.from_numpy(batch.s.numpy() + 1)


class BranchesInScores(AE):
    def scores(self, x: Any) -> Any:
        scores = super().scores(x)
        return scores if scores.max() > 0 else -scores


@pytest.mark.parametrize("method", ["Branches", "Masks", "Counts", "ByNumpy", "BranchesInScores"])
def test_what_depends_on_values_names_packable(
    method: str, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("method=ae", METHOD + method, *TWO) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {method.removesuffix('InScores')}") and error.count("\n") == 1
    assert "set packable = False in the class" in error
    monkeypatch.setattr(globals()[method], "packable", False)  # as the sentence says
    assert command("method=ae", METHOD + method, *TWO) == 0
    assert [record["engine"] for record in read(Path("r"))] == ["lightning", "lightning"]


class Neighbours(ClassicalMethod):
    """The distance to the `k`-th neighbour, which scikit-learn refuses where there are fewer rows."""

    def __init__(self, shape: Any, k: int) -> None:
        super().__init__(shape)
        self.k = k

    def fit(self, x: Any, s: Any, rng: Any) -> int:
        self.index = NearestNeighbors(n_neighbors=self.k).fit(x)
        self.index.kneighbors(x)
        return len(x)

    def scores(self, x: Any) -> Any:
        return self.index.kneighbors(x)[0][:, -1]


class NeighboursInColumns(Neighbours):
    def scores(self, x: Any) -> Any:
        return self.index.kneighbors(x)[0]


def own(name: str, k: int) -> tuple[str, ...]:
    """Overrides of a classical method of this file."""
    settings = ("trees", "samples")
    return ("method=iforest", METHOD + name, f"+method.k={k}", *(f"~method.{setting}" for setting in settings))


def test_an_exception_of_a_classical_method_is_a_failed_run(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # processes take long to start
    assert command(*own("Neighbours", 5), *TWO[1:], "grid={method.k:[5,500]}") == 0
    by_k = {(row["config"]["method"]["k"], row["seed"]): row for row in read(Path("r"))}
    assert {place: row["status"] for place, row in by_k.items()} == {
        **{(5, seed): "ok" for seed in (0, 1)},
        **{(500, seed): "failed" for seed in (0, 1)},
    }
    assert by_k[5, 0]["auc"] > 0.9
    reason = by_k[500, 0]["reason"]
    assert reason.startswith(
        "Neighbours raised ValueError: Expected n_neighbors <= n_samples_fit, but n_neighbors = 500"
    )
    assert len(counted(Path("r"))) == 4


def test_scores_of_a_classical_method_are_checked(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert command(*own("NeighboursInColumns", 5), *TWO[1:]) == 1
    sentence = "NeighboursInColumns.scores gave a result of shape (719, 5) for 719 rows"
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


SETS = "++scenario.sets={{digits:[{{normal:[0,1],anomalous:[2],tested:{}}}]}}"


@pytest.mark.parametrize("switch", ["epochs=1", "dry_run=true", "audit=true"])
@pytest.mark.parametrize("method", ["ae", "ocsvm"])
def test_a_split_without_anomalies_to_test_is_refused_before_training(
    method: str, switch: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"method={method}", "scenario=many_vs_many", SETS.format("[]"), "seeds=[0]", "results=r", "logger=none")
    assert command(*words, switch) == 1
    error = "error: the split 0,1 vs 2 seed 0 has no anomalous test row (of 144), so that no AUC can be measured\n"
    assert capsys.readouterr().err == error and not list(Path("r").rglob("*.jsonl"))


def one_sided(root: Path) -> Any:
    """Load digits whose last class has no training row, or whose first class has no test row."""
    loaded = digits.load(root)
    labels, n = loaded.labels, loaded.labels.n_train
    train, test = np.arange(n)[labels.y[:n] != 9], np.arange(n, len(labels.y))[labels.y[n:] != 0]
    rows = np.concatenate([train, test])
    return Dataset(Labels("digits", labels.classes, labels.y[rows], len(train)), loaded.x[rows], 16)


@pytest.mark.parametrize(
    ("normal", "sentence"),
    [
        (0, "the split 0 vs 3 seed 0 has no normal test row (of 648), so that no AUC can be measured"),
        (9, "the split 9 vs 3 seed 0 has no training row without a label, so that nothing can be learnt"),
    ],
)
def test_a_split_with_one_side_only_is_refused_before_training(
    normal: int, sentence: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ("method=ae", f"dataset._target_={__name__}.one_sided", f"scenario.normal={normal}", "scenario.anomalous=3")
    assert command(*own, "seeds=[0]", "epochs=1", "results=r", "logger=none") == 1
    assert capsys.readouterr().err == f"error: {sentence}\n" and not list(Path("r").rglob("*.jsonl"))


class Leaking(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        return replace(split, train=np.append(split.train, split.test[:3]), s=np.append(split.s, [0, 0, 0]))


class Restless(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        return replace(split, train=np.random.permutation(split.train))


class Uneven(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        return replace(split, truth=split.truth[1:])


class Outside(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        return replace(split, test=split.test + 2000)


class Weights(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        return replace(split, s=split.s * 2)


class Shares(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        return replace(split, s=split.s / 2)


class Nothing(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Any:
        return None


class Rows(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        return replace(split, train=split.train.astype(float))


class Booleans(OneVsOne):
    def split(self, cell: Any, labels: Any, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        assert split.seen is not None
        return replace(split, s=split.s.astype(float), truth=split.truth == 1, seen=split.seen == 1)


def test_labels_of_a_split_may_be_booleans_or_floats(command: Command, unchecked_types: None) -> None:
    assert command("method=ae", *TWO[:-1], "results=whole") == 0
    assert command("method=ae", f"scenario._target_={__name__}.Booleans", *TWO) == 0
    aucs = [{r["seed"]: r["auc"] for r in read(Path(results))} for results in ("r", "whole")]
    assert aucs[0] == pytest.approx(aucs[1])


@pytest.mark.parametrize(
    ("scenario", "sentence"),
    [
        ("Restless", "the split 8 vs 3 seed 0 is another one when Restless draws it again: draw by a generator that "),
        ("Uneven", "the split 8 vs 3 seed 0 has 718 truth for 719 test, expected one a row"),
        ("Outside", "test of the split 8 vs 3 seed 0 has a row outside 0 to 1796, those of the data set"),
        ("Weights", "s of the split 8 vs 3 seed 0 has {2}, expected 0 and 1"),
        ("Shares", "s of the split 8 vs 3 seed 0 has {0.5}, expected 0 and 1"),
        ("Nothing", "Nothing.split gave a result of type NoneType, expected a Split"),
        ("Rows", "train of the split 8 vs 3 seed 0 is an array of float64, ("),
    ],
)
def test_a_scenario_that_gives_no_split_is_named_before_training(
    scenario: str, sentence: str, command: Command, capsys: pytest.CaptureFixture[str], unchecked_types: None
) -> None:
    words = ("method=ae", f"scenario._target_={__name__}.{scenario}")
    assert command(*words, *TWO) == 1 and not list(Path("r").rglob("*.jsonl"))
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


def test_a_scenario_that_tests_on_training_rows_is_told(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("method=ae", f"scenario._target_={__name__}.Leaking", *TWO) == 0
    said = "warning: 3 of the 719 test rows of the split 8 vs 3 seed 0 are training rows too; audit=true says more"
    assert " ".join(capsys.readouterr().out.split()).count(said) == 1


def test_seeds_that_no_record_can_hold_are_refused(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("method=ae", *SMALL, "results=r", "logger=none", "engine=lightning")
    assert command(*words, f"seeds=[{2**63}]") == 1
    assert capsys.readouterr().err == (
        f"error: seeds has {2**63}, expected whole numbers from 0 to {2**63 - 1}\n"
    ) and not list(Path("r").rglob("*.json*"))
    assert command(*words, f"seeds=[{2**63 - 1}]") == 0 and command(*words, "seeds=[0]") == 0
    assert {row["seed"] for row in counted(Path("r")).values()} == {0, 2**63 - 1}


class OwnOptimizer(AE):
    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.5)


class OwnHook(AE):
    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()


@pytest.mark.parametrize("method", ["OwnOptimizer", "OwnHook"])
def test_a_method_with_hooks_of_its_own_is_not_packed(
    method: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (METHOD + method, "method=ae", *TWO)
    assert command(*words) == 0
    assert {record["engine"] for record in read(Path("r"))} == {"lightning"}
    assert command(*words, "engine=packed", "force=true") == 1
    assert "cannot be packed (its class has packable = False or hooks of its own, or its" in capsys.readouterr().err


class OtherArguments(AE):
    def losses(self, x: Any, s: Any) -> Any:  # type: ignore[override]
        return super().losses(x)


class OtherPrepare(AE):
    def prepare(self, x: Any) -> None:  # type: ignore[override]
        """Prepare without semi-labels."""


class NoFactor(AE):
    def lr_factor(self, epoch: int) -> Any:
        return None if epoch else 1


class Lazy(AE):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.extra = torch.nn.LazyLinear(3)


class Detached(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch).detach()


class NumPyNoise(AE):
    def noise(self, rows: int, source: torch.Generator) -> Any:
        return np.zeros((rows, 2))


@pytest.mark.parametrize("engine", ["lightning", "packed"])
@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("OtherArguments", "OtherArguments.losses takes (x, s), expected (batch): see docs/own_method.md"),
        ("OtherPrepare", "OtherPrepare.prepare takes (x), expected (x, s): see docs/own_method.md"),
        ("NoFactor", "NoFactor.lr_factor gave None for epoch 1, expected a number from 0 on"),
        ("Lazy", "Lazy has the lazy parameter extra.weight, expected one of a size taken from `shape`"),
        ("Detached", "Detached.losses gave a result that depends on no weight, so that nothing can be learnt"),
        ("NumPyNoise", "NumPyNoise.noise gave a result of type ndarray for"),
    ],
)
def test_functions_of_another_form_are_named(
    engine: str, method: str, sentence: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = TWO[engine == "lightning" :]
    assert command(METHOD + method, f"engine={engine}", "method=ae", *words, "epochs=2") == 1
    assert capsys.readouterr().err.startswith(f"error: {sentence}") and not list(Path("r").glob("*.jsonl"))


class Unused(AE):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.extra = torch.nn.Linear(3, 2)


class Counting(AE):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.count, self.kept = 0, {"all": [1]}

    def losses(self, batch: Any) -> Any:
        self.count += 1
        return super().losses(batch) / self.count


class CountingInside(Counting):
    def losses(self, batch: Any) -> Any:
        self.kept["two"] = [2, self.kept["all"]]
        return AE.losses(self, batch)


class Private(AE):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._count = 0

    def losses(self, batch: Any) -> Any:
        self._count += 1
        return super().losses(batch) / self._count


class OfClass(AE):
    steps = 0

    def losses(self, batch: Any) -> Any:
        self.steps += 1
        return super().losses(batch) / self.steps


class Binding(AE):
    times: torch.Tensor

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.register_buffer("times", torch.zeros(()))

    def losses(self, batch: Any) -> Any:
        self.times = self.times + 1
        return super().losses(batch) / self.times


class InPlace(Binding):
    def losses(self, batch: Any) -> Any:
        self.times += 1
        return AE.losses(self, batch) / self.times


class ByNumPy(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch) * float(1 + np.random.rand() / 1000)


class Dropping(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch._replace(x=torch.nn.functional.dropout(batch.x, 0.5)))


class Late(AE):
    def prepare(self, x: Any, s: Any) -> None:
        self.middle = x.mean(0)

    def losses(self, batch: Any) -> Any:
        return super().losses(batch._replace(x=batch.x - self.middle))


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("Unused", "Unused.losses uses no extra.weight, extra.bias, expected every parameter: leave it out, set "),
        ("Counting", "Counting.losses changes count, which a pack does once for many steps: keep it in a buffer"),
        ("CountingInside", "CountingInside.losses changes kept, which a pack does once for many steps: keep it in a "),
        ("Private", "Private.losses changes _count, which a pack does once for many steps: keep it in a buffer that"),
        ("OfClass", "OfClass.losses changes steps, which a pack does once for many steps: keep it in a buffer that"),
        ("Binding", "Binding.losses binds the buffer times to another tensor: change it in place, or set packable"),
        ("ByNumPy", "ByNumPy.losses draws from NumPy's global generator: draw by `noise`, or set packable = False"),
        (
            "Dropping",
            "Dropping.losses draws from torch's global generator (as nn.Dropout does), which many runs ",
        ),
        ("Late", "Late.losses reads middle, which its constructor does not set: register it there as a buffer, which "),
    ],
)
def test_what_a_pack_cannot_do_is_named_and_lightning_does_it(
    method: str, sentence: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(METHOD + method, "method=ae", *TWO) == 1
    assert capsys.readouterr().err.startswith(f"error: {sentence}") and not list(Path("r").glob("*.jsonl"))
    assert command(METHOD + method, "engine=lightning", "method=ae", *TWO[1:]) == 0 and len(read(Path("r"))) == 2


class Notes(AE):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.last, self.shapes = None, (8,)

    def losses(self, batch: Any) -> Any:
        self.last, self.shapes, self.more = super().losses(batch), tuple(batch.x.shape), batch.x
        return self.last  # type: ignore[return-value]


class Forms(AE):
    @staticmethod
    def lr_factor(epoch: int) -> Any:  # type: ignore[override]
        return torch.tensor(1 / (epoch + 1))

    def losses(self, batch: Any, *, scale: float = 1.0) -> Any:
        return super().losses(batch) * scale


@pytest.mark.parametrize("method", ["Notes", "Forms", "InPlace"])
def test_what_a_pack_can_do_gives_what_lightning_gives(method: str, command: Command) -> None:
    words = (METHOD + method, "method=ae", *TWO[1:-1], "epochs=3")
    assert command(*words, "results=packed") == command(*words, "engine=lightning", "results=alone") == 0
    packed, alone = (read(Path(results)) for results in ("packed", "alone"))
    assert {record["engine"] for record in packed} == {"packed"}
    assert [r["auc"] for r in packed] == pytest.approx([r["auc"] for r in alone], abs=1e-4)


class DrawnScores(AE):
    def prepare(self, x: Any, s: Any) -> None:
        next(self.net.parameters()).data *= float(1 + np.random.rand())

    def scores(self, x: Any) -> Any:
        return super().scores(x) * (1 + torch.rand(len(x)))


class DrawnStart(DrawnScores):
    scores = AE.scores


@pytest.mark.parametrize(
    ("method", "engine"), [("Dropping", "lightning"), ("DrawnScores", "lightning"), ("DrawnStart", "packed")]
)
def test_draws_from_global_generators_are_those_of_the_run(method: str, engine: str, command: Command) -> None:
    words = (METHOD + method, f"engine={engine}", "method=ae", *TWO[engine == "lightning" : -1])
    state = torch.get_rng_state()
    assert command(*words, "results=r") == command(*words, "seeds=[1]", "results=alone") == 0
    both, (alone,) = read(Path("r")), read(Path("alone"))
    assert next(row["auc"] for row in both if row["key"] == alone["key"]) == alone["auc"]
    assert torch.equal(torch.get_rng_state(), state)


class NoDecayOfBiases(AE):
    def build_optimizer(self, parameters: Any) -> Any:
        parameters = list(parameters)
        groups = [{"params": [p for p in parameters if (p.ndim > 1) == many], "weight_decay": many} for many in (0, 1)]
        return torch.optim.AdamW(groups, lr=0.01)


class OwnParameters(AE):
    def build_optimizer(self, parameters: Any) -> Any:
        return torch.optim.Adam(self.parameters())


@pytest.mark.parametrize("method", ["NoDecayOfBiases", "OwnParameters"])
def test_an_optimiser_that_a_pack_would_mistake_is_not_packed(method: str, command: Command) -> None:
    assert command(METHOD + method, "method=ae", *TWO) == 0
    assert {(record["engine"], record["status"]) for record in read(Path("r"))} == {("lightning", "ok")}


@pytest.mark.parametrize("optimizer", ["Adafactor", "LBFGS"])
def test_an_optimiser_that_looks_at_whole_tensors_is_not_packed(optimizer: str, command: Command) -> None:
    own = f"{{_target_: torch.optim.{optimizer}, _partial_: true, lr: 0.01}}"
    assert command("method=ae", "~method.optimizer", f"+method.optimizer={own}", *TWO) == 0
    assert {(record["engine"], record["status"]) for record in read(Path("r"))} == {("lightning", "ok")}


class NotANumber(AE):
    def losses(self, batch: Any) -> Any:
        return super().losses(batch) * torch.nan


def test_a_job_of_which_every_run_fails_ends_with_an_error(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (METHOD + "NotANumber", "method=ae", *TWO)
    why = "each of the 2 runs failed: the training loss is nan in epoch 1; retry_failed=true tries again\n"
    assert command(*words) == 1 and {record["status"] for record in read(Path("r"))} == {"failed"}
    assert capsys.readouterr().err.endswith(why)
    assert command(*words) == 1 and capsys.readouterr().err.endswith(why)  # both are recorded


class Listing(AE):
    def views(self, x: Any) -> Any:
        return [x]


def test_views_that_are_no_dictionary_are_named(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(METHOD + "Listing", "method=ae", *TWO, "samples=true") == 1
    assert "Listing.views gave a result of type list, expected a dictionary of tensors" in capsys.readouterr().err


def test_equal_settings_of_a_grid_are_one_run(command: Command) -> None:
    assert command("method=ae", *TWO[:-1], "grid={method.optimizer.lr:[0.1,0.1]}", "results=g") == 0
    assert len(read(Path("g"))) == 2
