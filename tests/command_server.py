"""Runs commands many times, each in a forked process: a line of JSON in for each command, a line of JSON out.

The server imports semiad once and without the checks of types that pytest switches on.
"""

import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name, walk_packages

SECONDS = 90
"""Time that a command may take."""


def run(folder: Path, words: list[str], program: str = "semiad.train:main") -> dict[str, object]:
    """Run a command in a folder; give its exit status, negative for a signal, and what it prints."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.chdir(folder)
            for name, number in (("out", 1), ("err", 2)):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), number)
            sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))
            signal.alarm(SECONDS)
            sys.argv = ["train", *words]
            resolve_name(program)()
            status = 0
        except SystemExit as ended:
            status = int(bool(ended.code)) if isinstance(ended.code, str) else int(ended.code or 0)
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return {"status": os.waitstatus_to_exitcode(status), **{n: (folder / n).read_text() for n in ("out", "err")}}


def preload() -> None:
    """Import every module of semiad, and what it imports, so that forked processes have them."""
    import semiad
    from semiad.errors import InputError

    for module in walk_packages(semiad.__path__, "semiad.", lambda _: None):
        if not module.name.endswith(("__main__", "mlflow_model")):
            with suppress(InputError):
                import_module(module.name)


def serve() -> None:
    """Run what standard input asks for."""
    preload()
    print("ready", flush=True)
    for line in sys.stdin:
        given = json.loads(line)
        print(json.dumps(run(**given | {"folder": Path(given["folder"])})), flush=True)


if __name__ == "__main__":
    serve()
