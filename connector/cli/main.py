"""`connector`: the entry point, and what becomes of errors.

Command modules are light: what is heavy (duckdb, pyarrow, sqlalchemy, rich) is imported inside the
commands, so that `--help` and shell completion answer at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from connector import __version__
from connector.cli.backfill import backfill
from connector.cli.compile import compile_, schema
from connector.cli.coverage import coverage
from connector.cli.demo import demo
from connector.cli.doctor import doctor
from connector.cli.erase import erase
from connector.cli.init import init
from connector.cli.log import error_json
from connector.cli.options import Group
from connector.cli.plan import plan
from connector.cli.recommend import recommend
from connector.cli.rejects import rejects
from connector.cli.reshard import reshard
from connector.cli.sandbox import sandbox
from connector.cli.settings import Settings
from connector.cli.status import status
from connector.cli.sync import sync
from connector.cli.validate import validate
from connector.cli.words import echo_json
from connector.errors import ConnectorError, UsageError
from connector.scrub import scrub

INTERRUPTED = 130
"""The shell's exit code for a command that Ctrl-C ended; a sync ends with 4 instead."""

_DUCKDB_INTERRUPTED = "Query interrupted"
"""What DuckDB raises, as a RuntimeError, when Ctrl-C comes during a query."""

_EPILOG = (
    "The options above may stand behind the command too. Exit codes: 0 all acknowledged, 1 error, "
    "2 usage (and `plan --detailed-exitcode` with changes), 3 too many rejects, 4 incomplete, "
    "5 stopped by a guard, 6 synced by another process."
)


@click.group(
    cls=Group, top=True, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Keep a personalization platform in step with the warehouse."""


for _command in (
    init, validate, plan, sync, backfill, recommend, erase, status, rejects, reshard, coverage,
    doctor, compile_, schema, sandbox, demo,
):  # fmt: skip
    cli.add_command(_command)


def main() -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Errors are told on stderr, with `--json` on stdout
    as well."""
    settings = Settings()
    try:
        code = cli.main(list(arguments), prog_name="connector", standalone_mode=False, obj=settings)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not try to flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(settings)
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback reaches people unasked
        if isinstance(error, RuntimeError) and str(error) == _DUCKDB_INTERRUPTED:
            return _interrupted(settings)
        return _failed(settings, error, as_json="--json" in arguments)
    return int(code or 0)


def _interrupted(settings: Settings) -> int:
    settings.log.error("interrupted")
    return INTERRUPTED


def _failed(settings: Settings, error: Exception, *, as_json: bool) -> int:
    if settings.debug:
        click.echo(scrub("".join(traceback.format_exception(error)), settings.secrets), err=True)
    known = _known(error, settings)
    settings.log.failure(known)
    if as_json:
        echo_json(_failure_document(settings, known))
    return known.exit_code


def _known(error: Exception, settings: Settings) -> ConnectorError:
    if isinstance(error, ConnectorError):
        return error
    if isinstance(error, click.ClickException):
        command = f"connector {settings.command}".strip()
        message = error.format_message().rstrip(".")
        return UsageError(message[:1].lower() + message[1:], hint=f"see `{command} --help`")
    reason = next(iter(str(error).splitlines()), "") or "no message"
    message = scrub(f"internal error: {type(error).__name__}: {reason}", settings.secrets)
    return ConnectorError(message, hint="run it again with --debug, and report what it shows")


def _failure_document(settings: Settings, error: ConnectorError) -> dict[str, object]:
    document: dict[str, object] = {"schema_version": 1, "command": settings.command}
    if settings.command in ("sync", "plan", "backfill", "recommend", "rejects retry"):
        document |= {"run_id": None, "target": settings.target, "mappings": []}
    return document | {"exit_code": error.exit_code, "error": error_json(error)}
