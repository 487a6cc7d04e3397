"""Buckets: `s3://CONNECTION@BUCKET/folder` for the page store, exports and backups, at any S3-compatible store.

Registered with Airflow by provider_info. Needs the package `obstore`, which the container image contains
(requirements-image.in). Airflow's Amazon provider is not used: it needs python-dateutil below 3, which conflicts with
the locked versions, and thirty packages. Pages of a bucket are read four ahead; those of a disk are not.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = logging.getLogger(__name__)
schemes = ["s3"]
"""URL schemes that Airflow's `ObjectStoragePath` opens with `get_fs`."""


def get_fs(conn_id: str | None, storage_options: dict[str, Any] | None = None) -> AbstractFileSystem:
    """The file system for URLs of the scheme.

    Args:
        conn_id: The connection in the URL; Airflow does not call this for a URL without one.
        storage_options: Not used.

    Raises:
        XiaoeConfigError: obstore is not installed, or the connection lacks a key. Also logged, because Airflow catches
            it, tries without a connection, and asks for a package that is not needed.
    """
    try:
        return _file_system(conn_id)
    except XiaoeConfigError as error:
        log.error("%s", error)
        raise


def _file_system(conn_id: str | None) -> AbstractFileSystem:
    try:
        from obstore.fsspec import FsspecStore
    except ImportError:
        raise XiaoeConfigError(
            "s3://...: buckets need the package obstore: pip install obstore, on every machine that runs tasks"
        ) from None
    if conn_id is None:
        raise XiaoeConfigError("s3://BUCKET/...: name the connection with the keys, s3://CONNECTION@BUCKET/...")
    config: Any
    client_options: Any
    config, client_options = store_options(get_connection(conn_id))
    return FsspecStore("s3", config=config, client_options=client_options)


def store_options(connection: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options for obstore, from a connection with the fields of Airflow's type `aws`.

    Args:
        connection: Login and password are the key pair; extra may have `endpoint_url` (of a store other than Amazon's),
            `region_name`, and `virtual_hosted` if that address begins with the bucket's name.

    Raises:
        XiaoeConfigError: A key is missing.
    """
    for field in ("login", "password"):
        if not getattr(connection, field):
            raise XiaoeConfigError(
                f"connection {connection.conn_id}: {field} is empty:"
                " login is the store's access key id, password its secret"
            )
    extra = connection.extra_dejson
    endpoint = str(extra.get("endpoint_url") or "")
    config = {
        "access_key_id": connection.login,
        "secret_access_key": connection.password,
        "region": extra.get("region_name") or "us-east-1",
        "virtual_hosted_style_request": bool(extra.get("virtual_hosted", False)),
        **({"endpoint": endpoint} if endpoint else {}),
    }
    return config, {"allow_http": endpoint.startswith("http://")}
