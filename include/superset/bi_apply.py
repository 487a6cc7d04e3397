"""Set up a Superset as defined here: its own tables, Chinese texts, roles, users, dashboards. Idempotent.

    python bi_apply.py

One process does everything, because starting Superset takes longer than most of the steps. It imports the assets
itself: Superset's `import-directory` reports success even if it imported nothing.

Variables, besides those of superset_config.py: BI_DATABASE_URI, where the bi_* tables are (mysql+pymysql://bi_reader:...@host/database),
SUPERSET_ADMIN_PASSWORD and SUPERSET_VIEWER_PASSWORD, for the users `admin` and `yunying` if they do not exist yet:
without the first, nobody knows the password of `admin` until bi_person.py sets it; without the second there is no
`yunying`;
SUPERSET_SHOP_ROLES, for roles that see some shops only (bi_roles.py).
"""

from __future__ import annotations

import os
import secrets
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import patch_pages
import patch_zh
from bi_assets import ASSETS, AssetError, Assets
from bi_bundle import DATABASE_FILE, MASK, bundle, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import URL

ADMIN, VIEWER = "admin", "yunying"


def main() -> int:
    """Return the exit code: 0 done, 2 the assets are wrong, 3 something else failed."""
    from sqlalchemy.engine import make_url

    try:
        uri = make_url(os.environ["BI_DATABASE_URI"])
        assets = Assets.read(ASSETS)
        files = bundle(assets, uri.set(password=MASK).render_as_string(hide_password=False))
        check_warehouse(assets, uri)
    except AssetError as error:
        return _failed(2, str(error))
    patch_zh.patch(patch_zh.catalogue())
    patch_pages.patch(patch_pages.scripts(), assets)
    from superset.app import create_app

    with create_app().app_context():
        return apply(files, uri, [*assets.dashboards])


def check_warehouse(assets: Assets, uri: URL) -> None:
    """Query every column and every metric in the warehouse, as the reading user.

    Raises:
        AssetError: A column is missing, an expression is wrong, or the user may not read the table.
    """
    from sqlalchemy import create_engine
    from sqlalchemy import text as sql
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(uri)
    with engine.connect() as connection:
        for name, statement in assets.probes():
            try:
                connection.execute(sql(statement.replace(":", "\\:")))
            except DBAPIError as error:
                raise AssetError(f"datasets/{name}.yaml: {error.orig}\n  {statement}") from error
    engine.dispose()


def apply(files: dict[str, dict[str, Any]], uri: URL, slugs: Sequence[str]) -> int:
    """Migrate, import, set the roles; runs inside the application context.

    Args:
        files: The bundle.
        uri: The warehouse.
        slugs: The dashboards in the order in which lists show them.
    """
    from flask_migrate import upgrade

    upgrade()
    import bi_roles
    from superset import appbuilder
    from superset import security_manager as security

    appbuilder.add_permissions(update_perms=True)
    security.sync_role_definitions()
    bi_roles.add_user(
        ADMIN, bi_roles.ADMIN, "管理员", os.environ.get("SUPERSET_ADMIN_PASSWORD") or secrets.token_urlsafe(32)
    )
    if failure := import_files(files, uri):
        return _failed(*failure)
    for line in prune(files):
        print(line)
    put_in_order(slugs)
    bi_roles.set_roles()
    if password := os.environ.get("SUPERSET_VIEWER_PASSWORD"):
        bi_roles.add_user(VIEWER, bi_roles.VIEWER, "运营同学", password)
    print("  ".join(f"{name} {count}" for name, count in counts().items()))
    return 0


def import_files(files: dict[str, dict[str, Any]], uri: URL) -> tuple[int, str] | None:
    """Import the bundle in one transaction; return exit code and message on failure."""
    from superset import security_manager as security
    from superset.commands.exceptions import CommandInvalidError
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    with override_user(security.find_user(ADMIN)):
        try:
            contents = {path: text(content) for path, content in files.items()}
            ImportAssetsCommand(contents, passwords={DATABASE_FILE: uri.password}).run()
        except Exception as error:
            for cause in (error, error.__cause__):  # the first may only wrap the second
                if isinstance(cause, CommandInvalidError):
                    return 2, f"Superset refuses the assets, nothing was imported: {cause.normalized_messages()}"
            return 3, f"the import failed, nothing was imported: {error!r}, because of {error.__cause__!r}"
    return None


def _managed() -> Iterator[tuple[str, Any]]:
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.core import Database
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    # Objects that refer to others come first.
    yield from (("dashboards", Dashboard), ("charts", Slice), ("datasets", SqlaTable), ("databases", Database))


def prune(files: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Delete objects of earlier imports that are no longer in the repository; yield a line for each."""
    from superset import db

    kept = {content.get("uuid") for content in files.values()}
    for kind, model in _managed():
        for row in db.session.query(model).filter_by(is_managed_externally=True):
            if str(row.uuid) not in kept:
                yield f"removed from {kind}: {row}"
                db.session.delete(row)
        db.session.flush()
    db.session.commit()


def put_in_order(slugs: Sequence[str]) -> None:
    """Let lists show the dashboards in this order: they sort by the time of the last change, newest first."""
    from superset import db
    from superset.models.dashboard import Dashboard

    now = datetime.now()
    for place, slug in enumerate(slugs):
        changed = {"changed_on": now - timedelta(seconds=place)}
        db.session.query(Dashboard).filter_by(slug=slug).update(changed, synchronize_session=False)
    db.session.commit()


def counts() -> dict[str, int]:
    """Number of objects in Superset, by kind."""
    from superset import db

    return {kind: db.session.query(model).count() for kind, model in _managed()}


def _failed(code: int, text: str) -> int:
    print(text, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
