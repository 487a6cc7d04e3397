"""The task that measures storage."""

from __future__ import annotations

from airflow.sdk import BaseOperator, Context, ObjectStoragePath

from xiaoe import clock, settings


class XiaoeStorageOperator(BaseOperator):
    """Write storage sizes to `storage_samples`; fail if the disk is nearly full, or the journal is not shipped."""

    ui_color = "#fdf3e8"

    def execute(self, context: Context) -> dict[str, int | None]:
        """Measure; return bytes by metric, None if a figure is not available.

        Raises:
            XiaoeConfigError: Less than `XIAOE_MIN_FREE_DISK_GB` is free; checked even if MySQL fails because of that.
                Or `make journal` has stopped.
        """
        from xiaoe.backup import catalog
        from xiaoe.monitor import storage
        from xiaoe.mysql.warehouse import Warehouse

        samples = storage.sample_store(ObjectStoragePath(settings.page_store()))
        try:
            with Warehouse().session() as session:
                samples += storage.sample_database(session)
                storage.write_samples(session, samples, clock.now())
                session.commit()
                catalog.check_journal(session, clock.now())
        finally:
            storage.check_free_disk(samples, least=settings.min_free_disk(), store=settings.page_store())
        for one in samples:
            self.log.info("%s: %s bytes %s", one.metric, one.bytes, one.note or "")
        return {one.metric: one.bytes for one in samples}
