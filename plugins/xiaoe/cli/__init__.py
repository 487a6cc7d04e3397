"""`python -m xiaoe.cli`: schema, a sync in the foreground, backups, exports and other commands of the Makefile."""

from __future__ import annotations

import os
import sys
import warnings

from xiaoe.cli.airflow_home import prepare_airflow
from xiaoe.cli.options import parser

AUTH_MANAGER = "xiaoe.login.manager.XiaoeAuthManager"

_ERROR = {"zh": "错误：", "en": "error: "}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of other packages: the reader can do nothing about them
    if options.command == "person":  # in the database of the Airflow that is named by the environment
        os.environ |= {"AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    else:
        prepare_airflow(quiet=options.command in ("sync", "export", "import-reviews"))
    from xiaoe.exceptions import XiaoeError

    try:
        return int(options.run(options))
    except XiaoeError as error:
        print(f"{_ERROR[getattr(options, 'lang', 'en')]}{error}", file=sys.stderr)
        return 1
