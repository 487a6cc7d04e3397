"""scripts/servers/database: private servers that start, say where they are, and stop, and nobody else's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import MySQLdb
import pytest

REPO = Path(__file__).parents[2]
SCRIPT = REPO / "scripts" / "servers" / "database"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A folder in place of .local/."""
    return tmp_path / "local"


@pytest.fixture
def run(tmp_path: Path, local: Path) -> Iterator[Run]:
    """Call the script on that folder: no apt sources and no installed server, unless a test gives them."""
    (tmp_path / "apt").mkdir()
    base = {
        "PATH": only_tools(tmp_path / "bin"),
        "HOME": os.environ.get("HOME", "/"),
        "XIAOE_LOCAL": str(local),
        "XIAOE_APT_ETC": str(tmp_path / "apt"),
    }

    def call(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([SCRIPT, *args], env=base | env, capture_output=True, text=True, timeout=300, check=False)

    yield call
    call("stop")


def only_tools(folder: Path) -> str:
    """A PATH with everything that this machine has, save database servers."""
    folder.mkdir()
    for directory in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(directory).glob("*"):
            link = folder / program.name
            link.unlink(missing_ok=True)
            if program.name not in {"mysqld", "mariadbd"}:
                link.symlink_to(program)
    return str(folder)


@pytest.fixture(params=["mysql", "mariadb"])
def server(request: pytest.FixtureRequest) -> str:
    """A server whose packages are unpacked already: these tests download nothing."""
    if not (trees() / request.param / "tree").is_dir():
        pytest.skip(f"scripts/servers/database fetch {request.param} was not run")
    return str(request.param)


def trees() -> Path:
    return Path(os.environ.get("XIAOE_TREES") or os.environ.get("XIAOE_LOCAL") or REPO / ".local")


def query(dsn: str, sql: str) -> tuple[tuple[object, ...], ...]:
    uri = urlsplit(dsn)
    connection = MySQLdb.connect(
        host=uri.hostname, port=uri.port, user=uri.username, password=uri.password, database=uri.path[1:]
    )
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()
    finally:
        connection.close()


def answers(dsn: str) -> bool:
    try:
        return query(dsn, "SELECT 1") == ((1,),)
    except MySQLdb.OperationalError:
        return False


@pytest.mark.slow
def test_start_is_idempotent_and_stop_frees_the_port(run: Run, server: str) -> None:
    first = run("start", server, XIAOE_TREES=str(trees()))
    assert first.returncode == 0, first.stderr
    dsn = first.stdout.splitlines()[-1]
    assert dsn.endswith("/xiaoe?charset=utf8mb4")
    assert query(dsn, "SELECT DATABASE(), @@local_infile") == (("xiaoe", 1),)

    again = run("start", server, XIAOE_TREES=str(trees()))
    assert (again.stdout, again.stderr) == (first.stdout, "")  # not started again
    assert run("dsn", server).stdout == first.stdout

    stopped = run("stop", server)
    assert stopped.returncode == 0
    assert not answers(dsn)
    assert run("dsn", server).returncode != 0
    assert run("status", server).stdout == f"{server} stopped\n"

    assert run("start", server, XIAOE_TREES=str(trees())).stdout == first.stdout  # port and password remembered


@pytest.mark.slow
def test_two_starts_at_once_make_one_server(run: Run, server: str, local: Path, tmp_path: Path) -> None:
    env = os.environ | {"XIAOE_LOCAL": str(local), "XIAOE_TREES": str(trees())}
    both = [subprocess.Popen([SCRIPT, "start", server], env=env, stdout=subprocess.PIPE) for _ in range(2)]
    dsns = {process.communicate(timeout=300)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(dsns) == 1
    assert answers(dsns.pop().decode().strip())


@pytest.mark.slow
def test_the_user_makes_test_databases_and_nothing_else(run: Run, server: str) -> None:
    dsn = run("start", server, XIAOE_TREES=str(trees())).stdout.strip()
    query(dsn, "CREATE DATABASE xiaoe_test_scripts")
    query(dsn, "DROP DATABASE xiaoe_test_scripts")
    with pytest.raises(MySQLdb.OperationalError, match="denied"):
        query(dsn, "CREATE DATABASE other")
    with pytest.raises(MySQLdb.OperationalError, match="denied"):
        query(dsn, "SET GLOBAL local_infile = 0")


@pytest.mark.slow
def test_wipe_forgets_data_but_keeps_packages(run: Run, server: str, local: Path) -> None:
    before = run("start", server, XIAOE_TREES=str(trees())).stdout.strip()
    assert run("wipe", server).returncode == 0
    assert not answers(before)
    assert not (local / server / "data").exists()
    assert (trees() / server / "tree").is_dir()


def test_a_process_that_is_not_ours_is_left_alone(run: Run, local: Path) -> None:
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        (local / "mysql" / "run").mkdir(parents=True)
        (local / "mysql" / "run" / "pid").write_text(f"{bystander.pid}\n")
        result = run("stop", "mysql")
        assert f"process {bystander.pid} is not our mysql: left alone" in result.stderr
        assert bystander.poll() is None
        assert not (local / "mysql" / "run" / "pid").exists()
    finally:
        bystander.kill()
        bystander.wait()


def test_the_environment_comes_first(run: Run, local: Path) -> None:
    uri = "mysql://u:p@db.example:3307/shop?charset=utf8mb4"
    result = run("dsn", AIRFLOW_CONN_XIAOE_MYSQL=uri)
    assert (result.returncode, result.stdout, result.stderr) == (0, uri + "\n", "")
    assert not local.exists()


def test_a_connection_in_json_becomes_a_uri(run: Run) -> None:
    connection = {
        "conn_type": "mysql",
        "host": "db.example",
        "login": "u",
        "password": "p@/:",
        "schema": "shop",
        "extra": {"charset": "utf8mb4"},
    }
    result = run("dsn", AIRFLOW_CONN_XIAOE_MYSQL=json.dumps(connection))
    assert result.stdout.strip() == "mysql://u:p%40%2F%3A@db.example:3306/shop?charset=utf8mb4"


@pytest.mark.slow
def test_without_the_environment_it_is_the_private_mysql(run: Run, local: Path) -> None:
    if not (trees() / "mysql" / "tree").is_dir():
        pytest.skip("scripts/servers/database fetch mysql was not run")
    dsn = run("dsn", XIAOE_TREES=str(trees())).stdout.strip()
    assert "MariaDB" not in str(query(dsn, "SELECT VERSION()")[0][0])
    assert run("dsn", "mysql").stdout.strip() == dsn
    assert (local / "database").read_text() == "mysql\n"


def test_without_packages_an_installed_server_is_tried_then_mariadb_then_docker(run: Run, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "mysqld").write_text("#!/bin/sh\necho 'this mysqld is broken'\nexit 1\n")
    (installed / "mysqld").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{installed}"

    result = run("dsn", PATH=path, XIAOE_DEBIAN_MIRROR=f"file://{tmp_path}/no-mirror")

    assert result.returncode == 1
    assert result.stdout == ""
    said = result.stderr
    steps = [
        "mysql is not available",
        "this mysqld is broken",
        "mariadb is not to be had",
        "docker compose up -d",
    ]
    places = [said.find(step) for step in steps]
    assert places == sorted(places), said
    assert -1 not in places, said


def test_a_server_that_holds_data_is_not_replaced_by_another(run: Run, local: Path) -> None:
    (local / "mysql").mkdir(parents=True)
    (local / "mysql" / "password").write_text("x")
    result = run("start", XIAOE_DEBIAN_MIRROR=f"file://{local}/no-mirror")
    assert result.returncode == 1
    assert "mysql holds data but does not start" in result.stderr


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://a.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
            "\nTypes: deb\nURIs: http://b.example/security\nSuites: bookworm-security\nComponents: main\n",
            ["http://a.example/debian"],
        ),
        (
            "sources.list.d/debian.sources",
            "# note\nTypes: deb deb-src\nURIs:\n mirror+file:///etc/apt/mirrors/debian.list\nSuites: trixie\n"
            "Components: main contrib\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n URIs: no\n",
            ["mirror+file:///etc/apt/mirrors/debian.list"],
        ),
        (
            "sources.list.d/old.sources",
            "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: sid\nComponents: main\n",
            [],
        ),
        (
            "sources.list",
            "deb cdrom:[Debian 12]/ bookworm main\n# deb http://no.example/debian bookworm main\n"
            "deb [arch=amd64 signed-by=/x.gpg] http://a.example/debian bookworm main contrib # home\n"
            "deb http://b.example/debian-security bookworm-security main\n"
            "deb http://a.example/debian bookworm main\n",
            ["http://a.example/debian"],
        ),
        ("sources.list", "deb http://archive.example/ubuntu noble main universe\n", []),
    ],
)
def test_the_mirror_is_the_one_that_apt_is_set_up_with(
    tmp_path: Path, file: str, text: str, expected: list[str]
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    result = subprocess.run(
        ["bash", "-c", 'set -euo pipefail; . "$1"; debian_mirrors', "-", REPO / "scripts/lib/debs.sh"],
        env=os.environ | {"XIAOE_APT_ETC": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.split() == expected, result.stderr
