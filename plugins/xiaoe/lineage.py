"""Lineage: how places are named as Airflow's assets, and what OpenLineage, where installed, hears of a task.

An asset's URI must be the same wherever a DAG file is read: a task whose assets differ from the scheduler's fails. So
it names the warehouse by its connection, `mysql://xiaoe_mysql:3306/xiaoe/orders`, and no folder of the page store.
OpenLineage asks while the task runs, and hears the real server, database and folder, which other tools name alike.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import Asset, BaseOperator

from xiaoe import settings
from xiaoe.connections import get_connection

_PAGES = "x-xiaoe-pages"
"""Scheme of the page store; Airflow leaves schemes with x- alone."""
_MYSQL_PORT = 3306


def table_asset(name: str, table: str) -> Asset:
    """A table of the warehouse; the provider's sanitizer asks for server, port, database and table."""
    return Asset(name, uri=f"mysql://xiaoe_mysql:{_MYSQL_PORT}/xiaoe/{table}")


def pages_asset(name: str, resource: str) -> Asset:
    """The raw pages of a resource, of all shops."""
    return Asset(name, uri=f"{_PAGES}://pages/{resource}")


def interface_asset(name: str, host: str, endpoint: str) -> Asset:
    """An interface of the API, e.g. `https://api.xiaoe-tech.com/xe.goods.list.get/4.0.0`."""
    return Asset(name, uri=f"{host}{endpoint}")


def dataset(uri: str) -> tuple[str, str]:
    """Namespace and name of an asset of this module, as OpenLineage's naming convention wants them."""
    parts = urlsplit(uri)
    path = PurePosixPath(parts.path)
    if parts.scheme == "mysql":
        server = get_connection(settings.mysql_conn_id())
        return f"mysql://{server.host}:{server.port or _MYSQL_PORT}", f"{server.schema}.{path.name}"
    if parts.scheme == _PAGES:
        store = urlsplit(settings.page_store())
        if store.scheme == "file":
            return "file", f"{store.path.rstrip('/')}/*/{path.name}"
        return f"{store.scheme}://{store.hostname}", f"{store.path.strip('/')}/*/{path.name}".lstrip("/")
    return f"{parts.scheme}://{parts.netloc}", str(path.relative_to("/"))


class LineageOperator(BaseOperator):
    """A task whose inlets and outlets OpenLineage hears of, under their real names."""

    def get_openlineage_facets_on_start(self) -> Any:
        """What the task reads and writes; called by OpenLineage's provider only, which has the classes."""
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.event_v2 import Dataset

        def named(assets: Any) -> list[Any]:
            return [Dataset(*dataset(asset.uri)) for asset in assets]

        return OperatorLineage(inputs=named(self.inlets), outputs=named(self.outlets))
