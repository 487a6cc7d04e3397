"""The tasks of `xiaoe_backup`: dump, retention, restore drill.

What only a running task needs is imported in `execute`, as in `xiaoe.sync.operators`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from xiaoe import clock, settings


class XiaoeBackupOperator(BaseOperator):
    """Dumps the warehouse into the store, completely or not at all; returns the backup's URL."""

    ui_color = "#eaf2e3"

    def execute(self, context: Context) -> str:
        """Dump the warehouse."""
        from xiaoe.backup.service import back_up_now

        url, manifest = back_up_now()
        encrypted = f"encrypted for {manifest.recipient}" if manifest.recipient else "not encrypted"
        self.log.info(
            "%s: %s rows of %s tables in %s bytes, %s",
            url,
            manifest.rows,
            len(manifest.tables),
            manifest.bytes,
            encrypted,
        )
        return url


class XiaoeBackupRetentionOperator(BaseOperator):
    """Removes backups beyond retention and the files of interrupted runs; returns the number of backups removed."""

    ui_color = "#eaf2e3"

    def execute(self, context: Context) -> int:
        """Remove old backups."""
        from xiaoe.backup import catalog
        from xiaoe.backup.journal import Journal
        from xiaoe.backup.retention import Backup, to_remove
        from xiaoe.backup.service import configured_key, source, store_of

        warehouse, now = source(), clock.now()
        store = store_of(warehouse)
        with warehouse.session() as session:
            catalog.adopt(session, store)
            bad = catalog.bad_ones(session)
            known = [Backup(str(path), manifest.made_at, str(path) not in bad) for path, manifest in store.backups()]
            old = to_remove(known, days=settings.backup_keep_days(), months=settings.backup_keep_months())
            for backup in old:
                store.remove(backup)
                catalog.removed(session, backup.url, now)
                self.log.info("removed %s", backup.url)
        for path in store.abandoned(now):
            path.unlink()
            self.log.warning("removed %s, left by an interrupted run", path)
        daily = timedelta(days=settings.backup_keep_days())
        segments = Journal(store, configured_key()).remove(now - daily)
        self.log.info("%s backups are kept, %s old segments of the journal removed", len(known) - len(old), segments)
        return len(old)


class XiaoeBackupDrillOperator(BaseOperator):
    """Restores the newest backup into a scratch database and compares, once a week; skipped on other days.

    Also skipped, with a warning, if the user lacks the rights: backups do not depend on it.
    """

    ui_color = "#eaf2e3"

    def execute(self, context: Context) -> str:
        """Restore, compare, drop; return a summary."""
        from xiaoe.backup import catalog
        from xiaoe.backup.restore import NoRight
        from xiaoe.backup.retention import drill_is_due
        from xiaoe.backup.service import drill_newest, source

        now = clock.now()
        with source().session() as session:
            last = catalog.last_drill(session)
        if not (context["params"].get("drill") or drill_is_due(last, now)):
            raise AirflowSkipException(f"the last drill was at {last}: one a week is enough")
        try:
            result = drill_newest(now)
        except NoRight as error:
            self.log.warning("no drill: %s", error)
            raise AirflowSkipException(str(error)) from None
        self.log.info("%s", result)
        return result
