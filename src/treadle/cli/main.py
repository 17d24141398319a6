"""The command line: the verbs, and what happens to errors. Heavy imports wait until needed."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Annotated, Any

import typer

from treadle.cli.collect import collect
from treadle.cli.fit import fit, resume
from treadle.cli.look import check, demo, explain, predict, report, runs
from treadle.cli.worth_of import worth_of

STOPPED = 130
SAVING = "checkpoint"  # the thread that writes one
app = typer.Typer(
    name="treadle",
    help="The training loop for every model that must keep learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (fit, predict, check, resume, explain, report, collect, worth_of, runs, demo):
    app.command()(command)


def _version(asked: bool) -> None:
    if asked:
        from treadle import __version__

        typer.echo(f"treadle {__version__}")
        raise typer.Exit


@app.callback()
def _treadle(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """The training loop for every model that must keep learning."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 success, 1 a fault of ours, 2 a user's mistake, 130 stopped.

    Ctrl-C and SIGTERM save the run first. A second Ctrl-C waits for nothing and exits with 130,
    too; a second SIGTERM ends the process by that signal (143 to a shell).
    """
    if arguments is None:
        arguments = sys.argv[1:]
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a request to stop, as Ctrl-C is
    code = _run(arguments, as_json="--json" in arguments)
    if code == STOPPED and any(thread.name == SAVING for thread in threading.enumerate()):
        # asked a second time: a save that is under way, on a disk that hangs perhaps, is left
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str], *, as_json: bool) -> int:
    from treadle.errors import TreadleError

    try:
        code = app(args=arguments, standalone_mode=False)
    except TreadleError as error:
        return _say_error(error.message, error.hint, error.exit_code, as_json)
    except (BrokenPipeError, SystemExit):  # the reader of our output went away, as `| head` does
        return 0
    except Exception as error:
        return _other_error(error, as_json)
    if code == STOPPED:
        return _say_error("it was asked to stop before it had begun.", "", STOPPED, as_json)
    return int(code or 0)


def _other_error(error: Exception, as_json: bool) -> int:
    """Tell typer's own errors as a user's mistake, and anything else as a fault of ours."""
    from treadle.errors import did_you_mean

    if type(error).__name__ == "NoArgsIsHelpError":  # `treadle` alone: it has said its help
        return 0
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context = getattr(error, "ctx", None)
        hint = f"See: {context.command_path} --help" if context is not None else ""
        if type(error).__name__ == "NoSuchOption" and context is not None:
            known = [name for parameter in context.command.params for name in parameter.opts]
            option = str(getattr(error, "option_name", ""))
            hint = did_you_mean(option, known) + hint
            return _say_error(f"there is no option {option}.", hint, 2, as_json)
        return _say_error(error.format_message(), hint, 2, as_json)
    if type(error).__name__ == "Abort":
        return STOPPED
    import traceback

    traceback.print_exc()
    return _say_error(
        f"this is a fault in Treadle: {type(error).__name__}: {error}",
        "Please report it with the lines above. Nothing that was saved is lost.",
        1,
        as_json,
    )


def _say_error(message: str, hint: str, exit_code: int, as_json: bool) -> int:
    from treadle.cli.terminal import console, say

    out = console(stderr=True)
    say(out, message, bullet="stopped: " if exit_code == STOPPED else "error: ")
    if hint:
        say(out, hint, bullet="hint: ")
    if as_json:
        found: dict[str, Any] = {"error": message, "hint": hint, "exit_code": exit_code}
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    return exit_code


if __name__ == "__main__":
    main()
