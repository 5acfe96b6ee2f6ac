"""Deep SAD's LeNet and ESAD's dense net, 32 at once beside one by one."""

from dataclasses import replace

from benchmarks.settings import Settings
from benchmarks.setup import compose_context, make_pack, pack_step, steps_per_epoch, train_alone
from benchmarks.timing import by_epoch, by_step, console, in_turn, speedups, time_steps
from semiad.runs import Run

LENETS = ("network=lenet", "dataset=mnist", "scenario=labelled_ratio")
CASES = {
    "deep_sad, lenet, MNIST, batch 128": ("method=deep_sad", "method.pretraining.epochs=0", *LENETS),
    "cae, lenet, MNIST, batch 128": ("method=cae", *LENETS),
    "esad, mlp_affine, cardio, batch 32": ("method=esad", "dataset=odds", "scenario=table_stratified"),
}
ALONE = "engine=lightning, one model"


def measure(settings: Settings) -> None:
    """Measure each case."""
    for title, overrides in CASES.items():
        context, recipe = compose_context(settings, *overrides, "epochs=100000")
        cell = recipe.scenario.cells(context.dataset.labels)[0]
        ways = {}
        for width in settings.widths([32]):
            runs = [Run(recipe, cell, seed) for seed in range(width)]
            step = pack_step(make_pack(runs, context))
            time_steps(step, 3)
            steps = steps_per_epoch(context, runs[0])
            ways[ALONE] = by_epoch(train_alone(runs[0], replace(context, epochs=4)), steps)
            ways[f"packed, K = {width}"] = by_step(step, 30, width)
        times = in_turn(ways, settings.repeats)
        console.print(speedups(title, "run and step", times, {"lightning": ALONE}))
