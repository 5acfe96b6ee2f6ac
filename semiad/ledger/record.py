"""The schema of a ledger: every field of a record and of a plan, with its type, its range and its meaning.

The writer, the reader's checks and columns, and the tables of `docs/records.md` all come from the classes here. A field
without a default must be there; of any other, absent and null mean the same. Fields that are not listed are allowed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

SCHEMA: Final = 1
"""The version of the schema, which is in every record."""
CLASSES = "classes"
"""The title of a field that lists classes."""

THRESHOLD_METRICS = (
    *("fpr_at_95_tpr", "recall_at_1_fpr", "recall_at_5_fpr", "f1_best", "precision_at_f1_best", "recall_at_f1_best"),
)
"""Fields with the metrics that depend on a threshold."""
METRICS = ("auc", "ap", "ap_at_label_rate", "auc_seen", "auc_unseen", "auc_by_class", *THRESHOLD_METRICS)
"""Fields with metrics: see `semiad.metrics.compute_metrics`."""
CHOICE = ("chosen", "ap_expected", "ap_expected_low", "ap_expected_high")
"""Fields that a method which chooses among others fills."""
LATER = (
    *("fold", "n_validation", "threads", "sensitive", "distributions", "sources", "search_path", "config_dir"),
    "ap_at_label_rate",
    *CHOICE,
    *THRESHOLD_METRICS,
)
"""Fields that earlier ledgers do not have."""
MAX_INTEGER: Final = 2**63 - 1
"""The largest integer of a field: what a column of a frame can hold."""

Json = dict[str, Any]
Classes = Annotated[list[str | int], Meta(title=CLASSES)]
Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Metric = Annotated[float, Meta(ge=0, le=1)]

Key = Annotated[
    str, Meta(description="Hash of the configuration, the cell and the seed: all that decides the metrics.")
]
Normal = Annotated[Classes, Meta(description="Normal classes.")]
Anomalous = Annotated[Classes, Meta(description="Known anomalous classes: those with labelled anomalies in training.")]
Tested = Annotated[
    Classes | None, Meta(description="Anomalous classes of the test set; null for every class that is not normal.")
]
Fold = Annotated[
    Count | None, Meta(description="Part of the rows that is tested, from 0, in cross-validation; null for no folds.")
]
Seed = Annotated[Count, Meta(description="Seed of the split, the initial weights and the order of the rows.")]
MethodName = Annotated[str, Meta(description="Name of the method.")]
DatasetName = Annotated[str, Meta(description="Name of the data set.")]
ScenarioName = Annotated[str, Meta(description="Name of the scenario.")]
Config = Annotated[
    Json,
    Meta(description="Configuration of method, data set, scenario and training, as far as it decides the metrics."),
]


class Record(msgspec.Struct, kw_only=True):
    """What is recorded of a run: one JSON object on one line.

    Raises:
        ValueError: the run is "ok" without an AUC, or `finished` is no time.
    """

    schema: Annotated[Literal[1], Meta(description="Version of the schema of records.")]
    status: Annotated[Literal["ok", "failed"], Meta(description="Whether the run ended well.")]
    reason: Annotated[str | None, Meta(description="Why the run failed.")] = None
    key: Key
    normal: Normal
    anomalous: Anomalous
    tested: Tested = None
    fold: Fold = None
    seed: Seed
    method: MethodName
    dataset: DatasetName
    scenario: ScenarioName
    forced: Annotated[
        bool | None, Meta(description="Whether the record supersedes the older ones of its key (`force=true`).")
    ] = None
    split: Annotated[
        str | None, Meta(description="Hash of the row numbers of the split: equal hashes mean equal rows.")
    ] = None
    n_train: Annotated[Count | None, Meta(description="Training rows of the split, without those held out.")] = None
    n_validation: Annotated[
        Count | None, Meta(description="Training rows that were held out for validation (`validation=SHARE`).")
    ] = None
    n_fit: Annotated[
        Count | None,
        Meta(description="Rows that the method trained on; methods without labels leave labelled anomalies out."),
    ] = None
    n_labelled: Annotated[Count | None, Meta(description="Labelled anomalies among the training rows.")] = None
    n_polluted: Annotated[Count | None, Meta(description="Unlabelled anomalies among the training rows.")] = None
    n_test: Annotated[Count | None, Meta(description="Test rows of the split.")] = None
    auc: Annotated[
        Metric | None, Meta(description="Area under the ROC curve on the test rows; null only if the run failed.")
    ]
    ap: Annotated[Metric | None, Meta(description="Average precision on the test rows.")]
    ap_at_label_rate: Annotated[
        Metric | None,
        Meta(
            description="Average precision on the test rows, weighted as if anomalies were as rare there as labelled "
            "ones are among the training rows; null without labels."
        ),
    ] = None
    auc_seen: Annotated[
        Metric | None, Meta(description="AUC against the anomalies of known classes; null if there are none.")
    ]
    auc_unseen: Annotated[
        Metric | None, Meta(description="AUC against the anomalies of all other classes; null if there are none.")
    ]
    auc_by_class: Annotated[
        dict[str, Metric | None] | None, Meta(description="AUC against the anomalies of each class, by class.")
    ] = None
    fpr_at_95_tpr: Annotated[
        Metric | None,
        Meta(description="Smallest false positive rate of a threshold that flags at least 95 % of the test anomalies."),
    ] = None
    recall_at_1_fpr: Annotated[
        Metric | None,
        Meta(description="Largest recall of a threshold that flags at most 1 % of the normal test rows."),
    ] = None
    recall_at_5_fpr: Annotated[
        Metric | None,
        Meta(description="Largest recall of a threshold that flags at most 5 % of the normal test rows."),
    ] = None
    f1_best: Annotated[
        Metric | None,
        Meta(
            description="Largest F1 of any threshold. The threshold is chosen on the test labels: an upper bound on "
            "what a user would get."
        ),
    ] = None
    precision_at_f1_best: Annotated[
        Metric | None,
        Meta(description="Precision at the threshold of `f1_best`; of several, the highest threshold counts."),
    ] = None
    recall_at_f1_best: Annotated[Metric | None, Meta(description="Recall at the threshold of `f1_best`.")] = None
    curve: Annotated[
        str | None,
        Meta(description="File of the training curve, relative to the file of the record (`eval_every`)."),
    ] = None
    auc_at_min_loss: Annotated[
        float | None, Meta(description="Test AUC at the point of the curve with the lowest training loss.")
    ] = None
    chosen: Annotated[
        list[str] | None,
        Meta(description="Methods that `auto` took, with their settings; null where nothing was compared."),
    ] = None
    ap_expected: Annotated[
        Metric | None,
        Meta(description="Average precision that `auto` expects by folds, where anomalies are as rare as labels."),
    ] = None
    ap_expected_low: Annotated[Metric | None, Meta(description="Lower end of its 80 % interval.")] = None
    ap_expected_high: Annotated[Metric | None, Meta(description="Upper end of its 80 % interval.")] = None
    samples: Annotated[
        str | None,
        Meta(description="File of scores and sample rows, relative to the file of the record (`samples=true`)."),
    ] = None
    epochs: Annotated[Count | None, Meta(description="Epochs that the run was to train for.")] = None
    steps: Annotated[Count | None, Meta(description="Optimiser steps taken.")] = None
    seconds: Annotated[
        float | None, Meta(description="Wall time of the run; in a pack, its share of the pack's time.")
    ] = None
    engine: Annotated[str | None, Meta(description="Name of the engine that trained the run.")] = None
    pack_width: Annotated[Count | None, Meta(description="Number of runs that were trained as one.")] = None
    threads: Annotated[Count | None, Meta(description="Number of threads of most steps, on a CPU.")] = None
    sensitive: Annotated[
        bool | None,
        Meta(description="Whether the last bit decides the metrics: number of threads, engine and device change them."),
    ] = None
    device: Annotated[str | None, Meta(description="Type of the device, such as `cpu` or `cuda`.")] = None
    versions: Annotated[
        dict[str, str] | None, Meta(description="Versions of Python, semiad and the packages that metrics depend on.")
    ] = None
    distributions: Annotated[
        dict[str, str] | None,
        Meta(description="Version of each other distribution that a `_target_` of the configuration needs."),
    ] = None
    sources: Annotated[
        dict[str, str] | None,
        Meta(
            description="Hash of the source code of each `_target_` of the configuration that is neither of semiad nor "
            "of the packages in `versions`, data sets left out: those are in the key by their content."
        ),
    ] = None
    commit: Annotated[
        str | None,
        Meta(description="Commit of the checkout that semiad ran from, with a `+` if files differed from it."),
    ] = None
    config: Config
    finished: Annotated[str, Meta(description="Time at which the run ended, in ISO 8601.")]

    def __post_init__(self) -> None:
        """Check what the types of the fields do not say."""
        if self.status == "ok" and self.auc is None:
            raise ValueError("a run that ended well must have an AUC")
        datetime.fromisoformat(self.finished)


class PlannedRun(msgspec.Struct, kw_only=True):
    """What a plan says of each of its runs."""

    key: Key
    normal: Normal
    anomalous: Anomalous
    tested: Tested = None
    fold: Fold = None
    seed: Seed


class Plan(msgspec.Struct, kw_only=True):
    """What is planned: runs of one configuration, one JSON object in one file."""

    method: MethodName
    dataset: DatasetName
    scenario: ScenarioName
    experiment: Annotated[str | None, Meta(description="Experiment that the runs belong to; null for none.")] = None
    budget: Annotated[str | None, Meta(description="Budget of the experiment.")] = None
    changes: Annotated[
        str | None,
        Meta(description="Settings that the command gave otherwise than the experiment, as words of a command line."),
    ] = None
    job: Annotated[
        dict[str, str] | None,
        Meta(description="Value that this job has of each setting that the experiment sweeps over."),
    ] = None
    sweep: Annotated[
        dict[str, list[str]] | None,
        Meta(description="All values of each setting that the experiment sweeps over."),
    ] = None
    search_path: Annotated[
        list[str] | None, Meta(description="Extra search paths of Hydra that the command needs.")
    ] = None
    config_dir: Annotated[str | None, Meta(description="Value of `--config-dir` in the command.")] = None
    config: Config
    runs: Annotated[list[PlannedRun], Meta(description="The runs; see the table of their fields.")]


Entry = TypeVar("Entry", Record, Plan)


def encode(entry: Record | Plan) -> str:
    """Write a record or a plan as JSON, on one line.

    Settings may be infinite. Python's JSON writes `Infinity` then, where msgspec's would write null without a word.
    A field that came later is left out where it is null, so that the text of what does without it stays the same.
    """
    return json.dumps(kept_fields(entry), default=kept_fields)


def kept_fields(entry: msgspec.Struct) -> Json:
    """Give the fields of an entry but those that came later and are null."""
    fields = msgspec.structs.asdict(entry)
    return {name: value for name, value in fields.items() if value is not None or name not in LATER}


def decode(text: str | bytes, kind: type[Entry]) -> Entry:
    """Read a record or a plan from JSON, and check each field against the schema.

    Raises:
        ValueError: the text is not JSON, or it is no record or plan.
        RecursionError: it is nested too deeply.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        content = text if isinstance(text, str) else text.decode()
        if "Infinity" not in content and "NaN" not in content:  # see `encode`
            raise
    loaded = json.loads(content)
    json.dumps(loaded, ensure_ascii=False).encode()  # refuses half characters, as msgspec's JSON does
    return msgspec.convert(loaded, kind)


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield the leaves of nested mappings, each as its path with dots and its value; a list is a leaf."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from leaves(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, node


def describe(run: Mapping[str, Any]) -> str:
    """Describe a run by its data set, scenario, method, classes and seed."""
    return f"{run['dataset']} {run['scenario']} {run['method']} {short(run)}"


def short(run: Mapping[str, Any]) -> str:
    """Describe a run by its classes, fold and seed, where data set, scenario and method are known."""
    tested = f" (tested on {listed(run['tested'])})" if run.get("tested") else ""
    fold = "" if run.get("fold") is None else f" fold {run['fold']}"
    return f"{listed(run['normal'])} vs {listed(run['anomalous'])}{tested}{fold} seed {run['seed']}"


def listed(values: Sequence[object]) -> str:
    """Join classes with commas."""
    return ",".join(map(str, values))
