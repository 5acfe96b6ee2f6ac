"""`python -m semiad.train`: plans runs, trains those that are missing, and records each as it ends."""

import os
import shlex
import signal
import sys
import warnings
from contextlib import ExitStack
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, ClassVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from semiad.command.arguments import check_arguments, expand_home, explain_hydra_error, shadowed_configs
from semiad.command.causes import explain_exception
from semiad.command.job_status import JobStatus, output_folder, read_statuses, statuses_folder
from semiad.command.live_view import VIEW_VARIABLE, live_view
from semiad.command.objective import TEST_ROWS, chooses
from semiad.command.search_path import register_search_path
from semiad.console import console, print_error, silence_libraries
from semiad.engines.signals import ExitRequested, defer_signals, is_orphaned
from semiad.errors import InputError, described
from semiad.ledger.files import user_path
from semiad.ledger.progress import clock
from semiad.loggers.offline import unsynced


def gpus_of_job() -> int:
    """Count the GPUs of a job, for launchers that place one job a GPU."""
    import torch

    return min(torch.cuda.device_count(), 1)


OmegaConf.register_new_resolver("semiad.gpu", gpus_of_job, replace=True)

GOES_ON = "what has ended is recorded, and the same command goes on from there"


class CommandSummary(Callback):
    """A callback of Hydra's, in the process of the command: it collects the statuses of the jobs.

    Args:
        command: a name of the command, for a folder of its jobs' statuses.
    """

    statuses: ClassVar[list[JobStatus]] = []
    started: ClassVar[bool] = False
    stack = ExitStack()

    def __init__(self, command: str) -> None:
        self.command = command

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Show the job."""
        self.show(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Prepare the environment of the jobs, and warn of what a sweeper would choose by."""
        if chooses(config.hydra) and config.objective in ("auc", "ap"):
            console.print(f"warning: {TEST_ROWS.format(config.objective)}", markup=False)
        if cores := config.hydra.launcher.get("cpus_per_task"):
            os.environ.setdefault("OMP_NUM_THREADS", str(cores))
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if "joblib" in config.hydra.launcher._target_:
            # Ctrl-C reaches the workers too, and they need a moment to save what they are at.
            self.stack.enter_context(defer_signals((signal.SIGINT,)))
        self.show(config)

    def show(self, config: DictConfig) -> None:
        """Show the jobs while they train."""
        CommandSummary.started = True
        results = user_path("results", str(config.results))
        self.stack.enter_context(live_view(console, results, str(output_folder(config.hydra))))

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Keep the status of the one job."""
        self.statuses[:] = [status]
        self.upload()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Read the statuses of several jobs, perhaps in other processes."""
        folder = statuses_folder(config.hydra, Path.cwd())
        nothing = JobStatus(
            errors=[f"no job wrote into {folder}: command and jobs must see it under one path"], shown=False
        )
        self.statuses[:] = list(read_statuses(folder)) or [nothing]
        if "submitit" in config.hydra.launcher._target_:  # whose jobs write to files
            for job in self.statuses:
                job.shown = False
        self.upload()

    def upload(self) -> None:
        """Say how, if W&B has kept something in the folders of the jobs."""
        folders = [Path(job.folder) for job in self.statuses if job.folder]
        here = Path.cwd()
        if how := unsynced([path.relative_to(here) if path.is_relative_to(here) else path for path in folders]):
            console.print(f"W&B was offline; to upload: {how}", markup=False)


status = JobStatus()
"""The status of the job that this process is at."""


def run_task(cfg: DictConfig) -> float | None:
    """Run one Hydra job. Whatever goes wrong is said in a sentence, so that the other jobs go on.

    Returns:
        The value of the job for a sweeper; None where it has none, which Optuna counts as a failed trial.
    """
    value = None
    status.planned, status.recorded, status.errors, status.seconds, status.trains = None, 0, [], 0, False
    settings = HydraConfig.get()
    status.folder = settings.runtime.output_dir
    os.chdir(settings.runtime.cwd)  # a Ray cluster has a folder of its own
    quiet()
    write_status(settings, ended=False)
    try:
        if not status.stopped:
            # Torch and Lightning come with it: seconds for which `--help` does not wait.
            from semiad.command.job import run_job

            silence_libraries()  # Lightning sets the level of its messages as it is imported
            with defer_signals():
                value = run_job(cfg, status)
    except ExitRequested as stop:
        status.stopped = int(str(stop.code))
    except Exception as error:
        fail(explain_exception(error, Path(status.folder)))
    write_status(settings, ended=True)
    if is_orphaned():
        os._exit(1)  # else this process would wait for work from one that is no more
    return value


def write_status(hydra: Any, ended: bool) -> None:  # noqa: ANN401
    """Leave the status of a job for the process of the command, which reads those of several jobs."""
    status.ended = ended
    if hydra.mode == RunMode.MULTIRUN:
        status.write(statuses_folder(hydra, Path(hydra.runtime.cwd)), hydra.job.num)


def fail(sentence: str) -> None:
    """Say what is wrong, and keep it for the exit status."""
    status.errors.append(sentence)
    print_error(sentence)


def quiet() -> None:
    """Silence what libraries have to say that is no news to a user, and what would be printed over a view."""
    console.quiet = bool(parent_process() and os.environ.get(VIEW_VARIABLE))
    # Lightning 2.6 walks pytrees in a way that torch 2.15 calls old.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
    # A machine may have Slurm, and semiad be used beside it.
    warnings.filterwarnings("ignore", message="The `srun` command is available")
    # Whoever says device=cpu on a machine with a GPU means it.
    warnings.filterwarnings("ignore", message="GPU available but not used")


def main() -> None:
    """Run the command."""
    try:
        sys.argv[1:] = expand_home(sys.argv[1:])
        problem = check_arguments(sys.argv[1:])
    except InputError as error:
        problem = str(error)
    if problem:
        fail(problem)
        sys.exit(1)
    for warning in shadowed_configs(sys.argv[1:]):
        console.print(f"warning: {warning}", markup=False)
    CommandSummary.started = False
    CommandSummary.statuses.clear()
    status.stopped = 0
    os.environ["HYDRA_FULL_ERROR"] = "1"  # what goes wrong comes here
    register_search_path()
    try:
        with CommandSummary.stack:
            # Not as a decorator: launchers hand the function itself, by its name, to other processes.
            hydra.main(version_base="1.3", config_path="pkg://semiad.conf", config_name="train")(run_task)()
    except KeyboardInterrupt:
        status.stopped = 130
    except (HydraException, OmegaConfBaseException) as error:
        fail(explain_hydra_error(str(error)))
        sys.exit(1)
    except Exception as error:  # a launcher's or a sweeper's, of any kind, or that of a file that is no yaml
        fail(f"{described(error)}{f'; {GOES_ON}' if CommandSummary.started else ''}")
        sys.exit(1)
    stopped = max([status.stopped, *(job.stopped for job in CommandSummary.statuses)])
    if stopped:
        console.print(f"stopped; {GOES_ON}: python -m semiad.train {shlex.join(sys.argv[1:])}", markup=False)
        sys.exit(stopped)
    planned = [job for job in CommandSummary.statuses if job.planned is not None]
    if len(planned) > 1:
        runs, recorded = (sum(getattr(job, name) for job in planned) for name in ("planned", "recorded"))
        seconds = sum(job.seconds for job in planned)
        rest = f"; about {clock(seconds)} for the others, one job after the other" if seconds else ""
        console.print(f"{len(planned)} jobs, {runs} runs, {recorded} of them recorded before{rest}")
    for job in CommandSummary.statuses:
        for sentence in job.errors if not job.shown else ():
            fail(sentence)
    if any(job.errors for job in CommandSummary.statuses):
        sys.exit(1)
    if any(job.trains for job in planned):
        asked = [word for word in sys.argv[1:] if word.startswith(("experiment=", "budget=", "results="))]
        if not any(word.startswith("experiment=") for word in asked):  # whose budget it would be
            asked = [word for word in asked if not word.startswith("budget=")]
        console.print(f"to see the results: {shlex.join(['python', '-m', 'semiad.report', *asked])}", markup=False)


if __name__ == "__main__":
    # By its own name, not `__main__`, so that launchers can hand the task to other processes.
    from semiad.train import main as command

    command()
