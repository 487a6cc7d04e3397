"""The Airflow around one command."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from xiaoe.cli.commands import ROOT


def prepare_airflow(*, quiet: bool = False) -> None:
    """Set up an Airflow home that lives as long as this command.

    A run in the foreground must not use the database of a live scheduler, or of another such run.

    Args:
        quiet: Of Airflow's own log print nothing, of this package's operators only warnings.
    """
    home = tempfile.mkdtemp(prefix="xiaoe-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL" if quiet else "WARNING",
        "XIAOE_ALERTS": "off",  # whoever runs the command sees its outcome
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": (
            "xiaoe=INFO airflow.task.operators.xiaoe=WARNING"
            if quiet
            else "xiaoe=INFO airflow.task.operators.xiaoe=INFO yoyo=WARNING"
        ),
    }
    os.environ.setdefault("XIAOE_PAGE_STORE", f"file://{ROOT / '.local' / 'pages'}")
    os.environ.setdefault("XIAOE_BACKUP_STORE", f"file://{ROOT / '.local' / 'backups'}")
    os.environ.setdefault("XIAOE_EXPORT_DIR", f"file://{ROOT / '.local' / 'exports'}")
