"""The command line."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from common.errors import InputError, Interrupted, RunError, RunsFailed
from hothouse.commands import apps, beginning, deploying, describing, keeping, measuring, parts, reporting, running

COMMANDS: dict[str, Callable[..., None]] = {
    "run": running.run,
    "sweep": running.sweep,
    "resume": running.resume,
    "new": beginning.new,
    "validate": describing.validate,
    "preview": describing.preview,
    "schema": describing.schema,
    "list": describing.list_choices,
    "report": reporting.report,
    "watch": reporting.watch,
    "lineage": reporting.lineage,
    "compare": reporting.compare,
    "export": keeping.export,
    "import": keeping.import_archive,
    "predict": keeping.predict,
    "generate": keeping.generate,
    "app": apps.app,
    "cut": deploying.cut,
    "keys": deploying.keys,
    "supernode": deploying.supernode,
    "bench": measuring.bench,
    "test-part": parts.try_part,
}

commands = typer.Typer(
    name="hothouse",
    help="Train one model on many separate data sets: federated and collaborative training, simulated.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS.items():
    # What `supernode` does not know are options of Flower's.
    commands.command(_name, context_settings={"ignore_unknown_options": _name == "supernode"})(_command)


def main() -> NoReturn:
    """Run a command. Exit status: 0 done, 1 the run failed or was interrupted, 2 the input was wrong."""
    signal.signal(signal.SIGTERM, _interrupted)
    warnings.formatwarning = _in_a_line
    try:
        # Typer turns an interrupt that nobody caught into a returned status of its own.
        status = _complain("interrupted", 1) if commands(standalone_mode=False) else 0
    except InputError as error:
        status = _complain(str(error), 2)
    except (Interrupted, RunsFailed) as error:
        status = _complain(str(error), 1)
    except RunError as error:
        status = _complain(f"the run failed: {error}", 1)
    except (KeyboardInterrupt, typer.Abort):
        status = _complain("interrupted", 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception as error:
        from click import ClickException

        if not isinstance(error, ClickException):
            raise
        error.show()
        status = 2
    sys.exit(status)


_python = warnings.formatwarning


def _in_a_line(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
    """What a user is to know of what will change needs no line of code beside it."""
    return f"hint: {message}\n" if category is FutureWarning else _python(message, category, *where, **more)


def _complain(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


def _interrupted(signal_number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
