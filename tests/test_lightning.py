"""Methods and data modules are ordinary ones of Lightning: any Trainer, stock callbacks and loggers work with them."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import DeviceStatsMonitor, EarlyStopping, LearningRateMonitor, ModelCheckpoint

from semiad.datamodule import EvaluationLoader, SplitDataModule, hold_out
from semiad.engines.trainer import TrainerFactory
from semiad.errors import InputError
from semiad.methods.base import Method
from semiad.runs import canonical
from semiad.testing import CELLS, make_context, make_recipe
from tests.conftest import CONF, SHORT, SMALL, read

RESULTS = Path("outputs/results")
EXAMPLE = CONF.parent / "examples" / "lightning.py"
QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
OWN = {"accelerator": "cpu", **QUIET}


class Counter(pl.Callback):
    """Counts the hooks of each step."""

    def __init__(self) -> None:
        self.started = self.ended = 0

    def on_train_batch_start(self, *args: object) -> None:
        self.started += 1

    def on_train_batch_end(self, *args: object) -> None:
        self.ended += 1


def data_module(method: str, *words: str, validation: float | None = None) -> tuple[SplitDataModule, Method]:
    """A data module of a cell of digits, and a method with the weights that the command draws."""
    recipe = make_recipe(f"method={method}", *SHORT.get(method, ()), *words)
    data = SplitDataModule(make_context(1).dataset, recipe.scenario, CELLS[0], 0, 32, validation)
    torch.manual_seed(data.entropy)
    return data, recipe.method(shape=data.shape)


def fit(method: Method, data: SplitDataModule, epochs: int, **arguments: Any) -> pl.Trainer:
    """All phases, as a user trains them; gives the trainer of the last."""
    method.epochs = epochs
    for phase in method.phases():
        trainer = pl.Trainer(max_epochs=phase.epochs, **{**OWN, **arguments})
        trainer.fit(phase, data)
    return trainer


def test_the_example_trains_in_thirty_lines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: object
) -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 36 and sum(map(bool, EXAMPLE.read_text().splitlines())) <= 30
    runpy.run_path(str(EXAMPLE))
    assert capsys.readouterr().out.startswith("80 steps, AUC 0.9686, AP 0.996")  # 20 epochs of 4 batches
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["aesad", "deep_sad", "a3", "esad"])
def test_a_trainer_of_ones_own_gives_the_weights_of_the_command(name: str, command: Callable[..., int]) -> None:
    words = ("engine=lightning", "device=cpu", "engine.checkpoints=true", f"batch_size={32}", *SHORT.get(name, ()))
    assert command(f"method={name}", *SMALL, *words, "epochs=3") == 0
    (record,) = read(RESULTS)
    (kept,) = Path("outputs/runs").rglob(f"{record['key']}.ckpt")
    data, method = data_module(name)
    trainer = fit(method, data, 3)
    (metrics,) = trainer.test(method, data, verbose=False)
    for key, value in torch.load(kept, weights_only=True)["state_dict"].items():
        assert torch.equal(value, method.state_dict()[key]), key
    assert metrics == {
        "test_auc": pytest.approx(record["auc"], abs=1e-6),
        "test_ap": pytest.approx(record["ap"], abs=1e-5),
    }
    scores = torch.cat(trainer.predict(method, data))  # type: ignore[arg-type]
    assert scores.shape == (record["n_test"],)


def test_hooks_fire_at_each_step_and_there_is_no_validation() -> None:
    data, method = data_module("aesad")
    trainer = fit(method, data, 3, callbacks=[counter := Counter()])
    assert counter.started == counter.ended == trainer.global_step == 3 * 4
    assert trainer.val_dataloaders is None and not trainer.num_val_batches
    assert trainer.train_dataloader is not None and [*trainer.callback_metrics] == ["train_loss"]


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")  # as it is when one goes on
@pytest.mark.parametrize("name", ["aesad", "deep_sad", "a3"])
@pytest.mark.parametrize("every", [{"every_n_epochs": 2}, {"every_n_train_steps": 5}], ids=["epoch", "middle"])
@pytest.mark.slow
def test_a_checkpoint_of_lightning_goes_on_as_if_never_stopped(
    name: str, every: dict[str, int], tmp_path: Path
) -> None:
    data, whole = data_module(name)
    fit(whole, data, 4)
    data, stopped = data_module(name)
    stopped.epochs = 4
    *earlier, last = stopped.phases()
    for phase in earlier:
        pl.Trainer(max_epochs=phase.epochs, **OWN).fit(phase, data)
    checkpoint = ModelCheckpoint(tmp_path, save_top_k=-1, **every)
    arguments = {**OWN, "enable_checkpointing": True}
    pl.Trainer(max_epochs=2, callbacks=[checkpoint], **arguments).fit(last, data)
    path = sorted(tmp_path.glob("*.ckpt"))[0]
    data, again = data_module(name)
    again.epochs = 4
    resumed = again.phases()[-1]
    arguments["callbacks"] = [ModelCheckpoint(tmp_path, save_top_k=-1, **every)]
    pl.Trainer(max_epochs=4, **arguments).fit(resumed, data, ckpt_path=path)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_a_checkpoint_of_another_phase_is_refused(tmp_path: Path) -> None:
    data, method = data_module("deep_sad")
    pretraining, last = method.phases()
    callback = ModelCheckpoint(tmp_path)
    pl.Trainer(max_epochs=1, callbacks=[callback], **{**OWN, "enable_checkpointing": True}).fit(pretraining, data)
    assert torch.load(callback.best_model_path, weights_only=False)["semiad_phase"] == [0, "Pretraining"]
    with pytest.raises(InputError, match=r"of phase 0 \(Pretraining\), expected phase 1 \(DeepSAD\)"):
        pl.Trainer(max_epochs=2, **OWN).fit(last, data, ckpt_path=callback.best_model_path)


def test_batches_can_be_looked_at_without_a_trainer_and_after_training() -> None:
    data, method = data_module("ae")
    before = [*data.train_dataloader()]
    assert [len(batch.x) for batch in before] == [32, 32, 32, 16] and sum(float(batch.s.sum()) for batch in before) == 8
    assert sum(len(batch.truth) for batch in data.test_dataloader()) == 719
    fit(method, data, 1)
    assert (
        sum(len(batch.x) for batch in data.train_dataloader()) == 104
    )  # as the method takes them: without labelled rows


def test_rows_come_from_a_data_module() -> None:
    _, method = data_module("aesad")
    with pytest.raises(InputError, match=r"AESAD trains on the rows of a SplitDataModule .* was given no data module"):
        pl.Trainer(max_epochs=1, **OWN).fit(method, train_dataloaders=[torch.rand(4, 1, 8, 8)])


def test_early_stopping_by_held_out_training_rows() -> None:
    data, method = data_module("aesad", "scenario.labelled=20", validation=0.25)
    assert data.held_out is not None and int(data.held_out.s.sum()) == 5 and len(data.held_out.train) == 31
    assert not set(data.held_out.train) & (set(data.split.train) | set(data.split.test))
    monitors = [EarlyStopping("val_auc", mode="max", patience=2), LearningRateMonitor(), DeviceStatsMonitor()]
    trainer = fit(method, data, 60, callbacks=monitors[:1])
    assert trainer.current_epoch < 60
    assert {"train_loss", "val_loss", "val_auc", "val_ap"} == {*trainer.callback_metrics}
    assert isinstance(trainer.val_dataloaders, EvaluationLoader)


def test_rows_are_held_out_of_each_kind_by_the_runs_own_randomness() -> None:
    context, recipe = make_context(1), make_recipe("scenario.labelled=20")
    split = recipe.scenario.split(CELLS[0], context.dataset.labels, 0)
    entropy = CELLS[0].entropy(0)
    (kept, held), (again, _), (other, _) = (hold_out(split, 0.5, e) for e in (entropy, entropy, entropy + 1))
    assert held is not None and sorted([*kept.train, *held.train]) == sorted(split.train)
    assert kept.digest == again.digest != other.digest and int(held.s.sum()) == 10
    with pytest.raises(InputError, match=r"validation is 0.999, which leaves no unlabelled row on one side"):
        hold_out(split, 0.999, entropy)


STOCK = "pytorch_lightning.callbacks"
LIGHTNING = ("engine=lightning", "device=cpu", "logger=none", *SMALL[1:], "epochs=4")


@pytest.mark.parametrize(
    ("words", "steps", "keyed"),
    [
        ((), 16, {}),
        ((f"trainer.callbacks=[{{_target_:{STOCK}.ModelCheckpoint}}]",), 16, {}),
        (("trainer.profiler=simple", "trainer.detect_anomaly=true", "trainer.deterministic=true"), 16, {}),
        (("trainer.accumulate_grad_batches=2",), 8, {"accumulate_grad_batches": 2}),
        (("trainer.gradient_clip_val=0.01",), 16, {"gradient_clip_val": 0.01}),
        (("trainer.precision=bf16-mixed",), 16, {"precision": "bf16-mixed"}),
        (("trainer.max_steps=7",), 7, {"max_steps": 7}),
        (
            (f"trainer.callbacks=[{{_target_:{STOCK}.EarlyStopping,monitor:train_loss,min_delta:1,patience:1}}]",),
            8,
            {
                "callbacks": [
                    {"_target_": f"{STOCK}.EarlyStopping", "monitor": "train_loss", "min_delta": 1, "patience": 1}
                ]
            },
        ),
    ],
    ids=["nothing", "checkpoint", "observers", "accumulate", "clip", "bf16", "max_steps", "early stopping"],
)
def test_arguments_of_the_trainer_enter_the_key_if_they_change_weights(
    words: tuple[str, ...], steps: int, keyed: dict[str, Any], command: Callable[..., int]
) -> None:
    assert command(*LIGHTNING, *words) == 0
    (got,) = read(RESULTS)
    assert (got["status"], got["steps"], got["engine"]) == ("ok", steps, "lightning")
    assert got["config"].get("trainer", {}) == keyed
    assert bool(keyed) == (got["key"] != plain_key(command))
    assert bool([*Path("outputs/runs").rglob("epoch=3-step=16.ckpt")]) == any("ModelCheckpoint" in w for w in words)


def test_what_is_one_training_has_one_key_and_what_is_two_has_two() -> None:
    def changes(**arguments: Any) -> dict[str, Any]:
        return TrainerFactory(arguments).changes

    defaults = {"precision": 32, "val_check_interval": 1.0, "gradient_clip_algorithm": "norm", "max_steps": -1}
    assert changes(**defaults) == {}
    assert changes(precision=16) == changes(precision="16-mixed") != changes(precision="bf16")
    assert canonical(changes(val_check_interval=1)) != canonical(changes(val_check_interval=1.0))
    theirs = {"_target_": "theirs.ModelCheckpoint"}  # of the name of one that only observes
    assert changes(callbacks=[theirs]) == {"callbacks": [theirs]}
    assert changes(callbacks=[{"_target_": f"{STOCK}.ModelCheckpoint"}]) == {}


def test_an_estimate_leaves_no_files_of_callbacks(command: Callable[..., int]) -> None:
    callback = f"trainer.callbacks=[{{_target_:{STOCK}.ModelCheckpoint,dirpath:kept}}]"
    assert command(*LIGHTNING, callback, "dry_run=true") == 0 and not Path("kept").exists()


def test_a_trial_leaves_the_samples_of_recorded_runs_alone(command: Callable[..., int]) -> None:
    assert command(*LIGHTNING, "samples=true") == 0
    (path,) = (RESULTS / "samples").iterdir()
    before = path.read_bytes()
    assert command(*LIGHTNING, "samples=true", "force=true", "trainer=debug") == 0 and path.read_bytes() == before


def plain_key(command: Callable[..., int]) -> str:
    """The key of the run without arguments."""
    assert command(*LIGHTNING, "results=plain") == 0
    (got,) = read(Path("plain"))
    return str(got["key"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("logger", "file"),
    [
        ("CSVLogger,save_dir:curves", "curves/lightning_logs/version_0/metrics.csv"),
        ("TensorBoardLogger,save_dir:curves", "curves/lightning_logs/version_0/events.out.*"),
        ("WandbLogger,save_dir:curves,offline:true", "curves/wandb/offline-run-*/run-*.wandb"),
        ("MLFlowLogger,tracking_uri:sqlite:///m.db,artifact_location:file:art", "m.db"),
    ],
    ids=["csv", "tensorboard", "wandb", "mlflow"],
)
def test_loggers_of_lightning_take_the_curve_of_a_run(logger: str, file: str, command: Callable[..., int]) -> None:
    Path("curves").mkdir()
    name, *settings = logger.split(",")
    node = ",".join([f"_target_:pytorch_lightning.loggers.{name}", *(s.replace(":", ": '", 1) + "'" for s in settings)])
    node = node.replace("'true'", "true")
    monitor = f"trainer.callbacks=[{{_target_:{STOCK}.LearningRateMonitor}},{{_target_:{STOCK}.DeviceStatsMonitor}}]"
    assert (
        command("seeds=[0,1]", *(w for w in LIGHTNING if w != "seeds=[0]"), f"trainer.logger={{{node}}}", monitor) == 0
    )
    assert [r["status"] for r in read(RESULTS)] == ["ok", "ok"]
    path = next(Path().glob(file))
    assert path.stat().st_size > 0
    if name == "CSVLogger":
        text = path.read_text()
        assert "train_loss" in text.splitlines()[0] and "lr-Adam" in text.splitlines()[0]
        assert Path(str(path).replace("version_0", "version_1")).exists()  # a folder a run
    if name == "MLFlowLogger":
        from mlflow import MlflowClient

        client = MlflowClient("sqlite:///m.db")
        runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
        assert [len(client.get_metric_history(run.info.run_id, "train_loss")) for run in runs] == [4, 4]
    if name == "WandbLogger":
        assert len([*Path("curves/wandb").glob("offline-run-*")]) == 2


TRIALS = [
    *("trainer=debug", "trainer.fast_dev_run=true", "trainer.fast_dev_run=1", "trainer.limit_train_batches=1"),
    *("trainer.limit_train_batches=0.5", "trainer.limit_test_batches=0", "trainer.overfit_batches=1"),
    *("trainer.max_time=00:00:01:00", "trainer.max_time={minutes: 1}"),
]


@pytest.mark.parametrize("word", TRIALS)
def test_a_trial_is_not_recorded(word: str, command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*LIGHTNING, word) == 0
    assert "1 trials; nothing is recorded with trainer." in capsys.readouterr().out and not RESULTS.exists()


def test_trainer_variables_of_the_environment_are_refused(
    command: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PL_TRAINER_MAX_STEPS", "3")
    assert command(*LIGHTNING) == 1 and not read(RESULTS)
    assert "PL_TRAINER_MAX_STEPS is set in the environment" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("trainer.precision=64-true",), "trainer.precision is 64-true, expected 32-true, 16-mixed or bf16-mixed"),
        (("trainer.accumulate_grad_batches=0",), "trainer.accumulate_grad_batches is 0, expected a whole number"),
        (("trainer.gradient_clip_algorithm=foo", "trainer.gradient_clip_val=1"), "error: trainer: "),
        (("trainer.max_steps=-5",), "error: trainer: "),
        (("trainer.num_nodes=2",), "trainer.num_nodes is set by semiad: place jobs on other machines by a launcher"),
        (("trainer.callbacks=5",), "trainer.callbacks is 5, expected a list of nodes"),
        (("hydra.searchpath=[file:///nowhere]",), "hydra.searchpath has file:///nowhere: there is no such folder"),
        (("+trainer.colour=red",), "trainer.colour is no argument of Lightning's Trainer"),
        (("trainer.max_epochs=3",), "trainer.max_epochs is set by semiad: use epochs="),
        (("engine=packed", "trainer.precision=bf16-mixed"), "trainer.precision is an argument of Lightning's Trainer"),
        (("engine=packed", "trainer.profiler=simple"), "use engine=lightning or auto"),
        (("engine=auto", "engine.precision=bf16", "validation=0.2"), "give trainer.precision=bf16-mixed instead"),
        (("engine=auto", "trainer=ddp", "trainer.strategy=fsdp"), "engine.strategy is fsdp, expected auto or ddp"),
        (("trainer.callbacks=[{_target_:pytorch_lightning.callbacks.EarlyStoping}]",), "EarlyStoping'}, which cannot"),
        (("validation=2",), "validation is 2, expected a share of the training rows"),
    ],
)
def test_what_a_trainer_cannot_take_is_one_sentence(
    words: tuple[str, ...], sentence: str, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*LIGHTNING, *words) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1 and not RESULTS.exists()  # nothing is planned


def test_engine_auto_takes_lightning_once_an_argument_is_given(command: Callable[..., int]) -> None:
    words = (*SMALL[2:], "epochs=2", "seeds=[0,1]", "logger=none", "device=cpu")
    assert command(*words, "trainer.gradient_clip_val=1") == command(*words, "trainer=cpu", "results=packed") == 0
    assert {r["engine"] for r in read(RESULTS)} == {"lightning"} and {r["engine"] for r in read(Path("packed"))} == {
        "packed"
    }


def test_validation_enters_the_key_and_both_engines_train_on_the_rest(command: Callable[..., int]) -> None:
    words = (*SMALL[2:], "epochs=3", "seeds=[0,1]", "logger=none", "device=cpu")
    for results, more in (("l", ["validation=0.25"]), ("p", ["validation=0.25", "engine=packed"]), ("w", [])):
        assert command(*words, *more, f"results={results}") == 0
    lightning, packed, without = (read(Path(name)) for name in "lpw")
    assert [r["key"] for r in lightning] == [r["key"] for r in packed] != [r["key"] for r in without]
    assert {r["n_train"] for r in lightning + packed} == {84} and {r["n_train"] for r in without} == {112}
    assert [r["auc"] for r in lightning] == pytest.approx([r["auc"] for r in packed], abs=1e-3)
    assert {r["engine"] for r in lightning} == {"lightning"} and lightning[0]["config"]["validation"] == 0.25
