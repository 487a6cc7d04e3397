"""The compose stack as far as it can be judged without an engine; `make stack-test` runs it."""

from __future__ import annotations

import importlib.util
import json
import re
import stat
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from xiaoe.resources.registry import RESOURCES

REPO = Path(__file__).parents[2]
COMPOSE_TEXT = (REPO / "docker-compose.yaml").read_text("utf-8")
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENDS = [name for name, service in SERVICES.items() if service["restart"] == "no"]
EXAMPLE = (REPO / ".env.example").read_text("utf-8")
SECRETS = set(re.findall(r"^([A-Z_]+)=$", EXAMPLE, re.M))
OPTIONS = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE, re.M))
SECRET_NAME = re.compile("PASSWORD|SECRET|KEY|TOKEN|SQL_ALCHEMY_CONN|CONN_|AIRFLOW_DB|BROKER_URL|RESULT_BACKEND")


def load(name: str) -> ModuleType:
    """A program of the image, as a module."""
    path = REPO / "deploy" / name
    spec = importlib.util.spec_from_file_location(f"deploy_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The file


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_by_version(name: str) -> None:
    service = SERVICES[name]
    if "build" not in service:
        assert re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", service["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_on_loopback_unless_somebody_says_otherwise(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("${BIND_ADDRESS:-127.0.0.1}:")


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET_NAME.search(variable) and not variable.endswith(("PASSWORDS_FILE", "CONN_ID")):
            assert ":?run scripts/env}" in value, variable


@pytest.mark.parametrize("name", SERVICES)
def test_memory_logs_and_rights_are_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert service["restart"] in ("no", "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_root_has_a_capability_or_changes_its_image(name: str) -> None:
    service = SERVICES[name]
    assert int(service["user"].partition(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "pid", "network_mode", "ipc", "devices"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_writes_outlives_it_or_is_small(name: str) -> None:
    """A tmpfs counts as memory of the service: whole backups and large sorts go to disk."""
    service = SERVICES[name]
    in_memory = {target.partition(":")[0] for target in service.get("tmpfs", [])}
    on_disk = {volume.split(":")[1] for volume in service.get("volumes", [])}
    assert not in_memory & on_disk
    if name in ("init", "scheduler", "worker", "mysql", "journal"):
        assert "/tmp" in on_disk
    elif name != "redis":  # keeps nothing
        assert "/tmp" in in_memory | on_disk
    if service.get("image", "").startswith("xiaoe-airflow:"):
        assert "/opt/airflow" in in_memory  # its airflow.cfg


@pytest.mark.parametrize("name", SERVICES)
def test_what_keeps_running_has_a_health_check(name: str) -> None:
    if name not in ENDS:
        check = SERVICES[name]["healthcheck"]
        assert check["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries"} <= set(check)


def test_airflow_starts_only_after_both_databases_are_migrated() -> None:
    assert {part["condition"] for part in SERVICES["init"]["depends_on"].values()} == {"service_healthy"}
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert SERVICES[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}


def test_without_docker_airflow_writes_its_deadlines_and_nobody_else_reads_the_pages() -> None:
    """Over mysqlclient it cannot (docs/decisions/0002); a home of `useradd` is open to every user of the server."""
    addresses = re.findall(r"=(mysql.*)", (REPO / "deploy/systemd/xiaoe-airflow.env").read_text("utf-8"))
    assert [one.partition("://")[0] for one in addresses] == ["mysql+pymysql", "mysql+pymysql", "mysql"]
    assert "\nUMask=0077\n" in (REPO / "deploy/systemd/xiaoe-airflow@.service").read_text("utf-8")
    for page in ("deployment.md", "deployment.zh-CN.md"):
        assert "chmod 700 /var/lib/xiaoe-airflow" in (REPO / "docs" / page).read_text("utf-8")


def test_people_log_in_at_the_api_server_which_counts_their_tries_and_ends_their_sessions() -> None:
    manager = "xiaoe.login.manager.XiaoeAuthManager"
    with_flask = {name for name, one in SERVICES.items() if manager in str(one.get("environment"))}
    assert with_flask == {"api-server", "demo"}
    environment = SERVICES["api-server"]["environment"]
    assert environment["AIRFLOW__API__WORKERS"] == "1", "each would count alone"
    for name in ("SESSION_LIFETIME", "SESSION_MAX_LIFETIME"):
        assert environment[f"AIRFLOW__FAB__{name}_MINUTES"] == "${AIRFLOW_SESSION_MINUTES:-720}"
    assert "--proxy-headers" in SERVICES["api-server"]["command"]
    unit = (REPO / "deploy/systemd/xiaoe-airflow@api-server.service.d/login.conf").read_text("utf-8")
    chart = yaml.safe_load((REPO / "deploy/helm-values.yaml").read_text("utf-8"))
    assert f"AIRFLOW__CORE__AUTH_MANAGER={manager}\n" in unit
    assert {"name": "AIRFLOW__CORE__AUTH_MANAGER", "value": manager} in chart["apiServer"]["env"]
    assert "AIRFLOW__FAB__SESSION_MAX_LIFETIME_MINUTES=720\n" in unit
    assert chart["config"]["fab"]["session_max_lifetime_minutes"] == 720


def test_no_setting_is_a_password_of_a_person() -> None:
    """What a container is told stands in the engine's files."""
    for text in (
        COMPOSE_TEXT,
        EXAMPLE,
        *(
            file.read_text("utf-8")
            for file in (REPO / "deploy").rglob("*.*")
            if file.is_file() and b"\0" not in file.read_bytes()
        ),
    ):
        assert not re.search("ADMIN_PASSWORD|VIEWER_PASSWORD|PASSWORDS_FILE|passwords_file", text)


def test_only_init_knows_the_administrator_of_mysql_and_the_tasks_are_the_user_that_loads() -> None:
    knowing = {name for name, one in SERVICES.items() if "MYSQL_ROOT_PASSWORD" in str(one.get("environment"))}
    assert knowing == {"mysql", "init"}
    for name in ("scheduler", "worker", "triggerer"):
        environment = SERVICES[name]["environment"]
        assert "mysql://xiaoe_load:" in environment["AIRFLOW_CONN_XIAOE_MYSQL"]
        assert "mysql://xiaoe_backup:" in environment["AIRFLOW_CONN_XIAOE_MYSQL_BACKUP"]


def test_what_the_internet_reaches_knows_no_secret_of_airflow_and_may_only_add_hints() -> None:
    environment = SERVICES["push"]["environment"]
    assert "mysql://xiaoe_push:" in environment["AIRFLOW_CONN_XIAOE_MYSQL"]
    assert set(environment) == {"AIRFLOW_CONN_XIAOE_MYSQL", "XIAOE_PUSH_HOST", "XIAOE_PUSH_PORT"}
    assert SERVICES["push"]["volumes"] == []


def test_the_journal_knows_no_secret_of_airflow_and_ships_to_where_the_backups_are() -> None:
    journal = SERVICES["journal"]
    assert set(journal["environment"]) == {"XIAOE_BACKUP_MYSQL_CONN_ID", "AIRFLOW_CONN_XIAOE_MYSQL_BACKUP"}
    [backups] = [one for one in SERVICES["scheduler"]["volumes"] if one.startswith("backups:")]
    assert backups in journal["volumes"]
    assert "--journal" in load("image/prepare.py").GRANTS, "else its user may not read the binary log"
    alive = journal["command"][journal["command"].index("--alive") + 1]
    assert alive in journal["healthcheck"]["test"][1]
    assert any(alive.startswith(one.partition(":")[0]) for one in journal["tmpfs"])


def test_every_volume_is_named_and_used() -> None:
    used = {volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])}
    assert {name for name in used if name[0] != "."} == set(COMPOSE["volumes"])


def test_all_slots_of_the_pool_at_a_tasks_rate_stay_below_what_a_shop_may_call() -> None:
    from xiaoe.api.shop import Shop
    from xiaoe.resources.orders import ORDERS

    slots = json.loads((REPO / "include" / "pools.json").read_text("utf-8"))["xiaoe_api"]["slots"]
    assert slots * Shop.calls_per_second < ORDERS.calls_per_second


# Its settings


def test_every_setting_is_explained_in_the_example_with_its_default() -> None:
    named = dict(re.findall(r"\$\{([A-Z_]+)(:[?-][^}$]*)?", COMPOSE_TEXT))
    assert {name for name, rest in named.items() if rest.startswith(":?")} == SECRETS
    # compose itself reads the profiles
    assert set(named) - SECRETS == set(OPTIONS) - {"COMPOSE_PROFILES"}
    for name in (
        set(named)
        - SECRETS
        - {"WAREHOUSE", "WAREHOUSE_MIGRATE", "WAREHOUSE_BACKUP", "WAREHOUSE_PUSH", "BI_WAREHOUSE", "AIRFLOW_URL"}
    ):
        assert OPTIONS[name] == named[name].removeprefix(":-"), name


def run_env(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [REPO / "scripts" / "env", *arguments],
        env={"ENV_FOLDER": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def values(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", file.read_text("utf-8"), re.M))


def test_secrets_are_strong_different_and_for_nobody_else_to_read(tmp_path: Path) -> None:
    run_env(tmp_path)
    made = values(tmp_path / ".env")
    assert set(made) == SECRETS
    assert len(set(made.values())) == len(made)
    assert all(len(value) >= 20 and re.fullmatch(r"[\w=-]+", value) for value in made.values())
    for name in (".env", "airflow.env"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert values(tmp_path / "airflow.env") == {}


def test_what_is_there_stays_and_only_what_is_new_is_made(tmp_path: Path) -> None:
    run_env(tmp_path)
    before = values(tmp_path / ".env")
    text = (tmp_path / ".env").read_text("utf-8")
    text = re.sub("^AIRFLOW_JWT_SECRET=.*\n", "", text, flags=re.M)
    text = re.sub("^MYSQL_LOAD_PASSWORD=.*$", "MYSQL_LOAD_PASSWORD=", text, flags=re.M)
    (tmp_path / ".env").write_text(f"{text}MYSQL_PORT=3307\n", "utf-8")
    (tmp_path / "airflow.env").write_text("XIAOE_CONN_IDS=mine\n", "utf-8")
    assert "2 secrets created" in run_env(tmp_path, "--demo")
    after = values(tmp_path / ".env")
    assert {name for name, value in before.items() if after[name] != value} == {
        "AIRFLOW_JWT_SECRET",
        "MYSQL_LOAD_PASSWORD",
    }
    assert after["MYSQL_LOAD_PASSWORD"]
    assert after["MYSQL_PORT"] == "3307"
    assert values(tmp_path / "airflow.env") == {"XIAOE_CONN_IDS": "mine"}


def with_password(folder: Path, password: str) -> None:
    run_env(folder)
    text = (folder / ".env").read_text("utf-8")
    changed = re.sub("^MYSQL_LOAD_PASSWORD=.*$", f"MYSQL_LOAD_PASSWORD={password}", text, flags=re.M)
    (folder / ".env").write_text(changed, "utf-8")


@pytest.mark.parametrize("password", ["my#own", "my/own", "my?own", "my@own", "my%own", '"my own"'])
def test_a_password_of_ones_own_that_would_end_an_address_is_refused(tmp_path: Path, password: str) -> None:
    with_password(tmp_path, password)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_env(tmp_path)
    assert "MYSQL_LOAD_PASSWORD: only letters, digits and . _ ~ - are possible here" in refused.value.stderr
    assert password not in refused.value.stderr


@pytest.mark.parametrize("password", ["my-own_password.1~", "'my-own'"])
def test_another_password_of_ones_own_stays(tmp_path: Path, password: str) -> None:
    with_password(tmp_path, password)
    run_env(tmp_path)
    assert values(tmp_path / ".env")["MYSQL_LOAD_PASSWORD"] == password


def test_the_fernet_key_is_one(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    run_env(tmp_path)
    Fernet(values(tmp_path / ".env")["AIRFLOW_FERNET_KEY"])


# The demo and the programs of the image


def test_the_emulator_of_the_demo_has_the_shops_that_airflow_connects_to(tmp_path: Path) -> None:
    from emulator.options import parse

    run_env(tmp_path, "--demo")
    demo = {name: value.strip("'") for name, value in values(tmp_path / "airflow.env").items()}
    options = parse(load("demo/shops.py").arguments(demo))
    connections = [json.loads(demo[f"AIRFLOW_CONN_{name.upper()}"]) for name in demo["XIAOE_CONN_IDS"].split(",")]
    assert [shop.app_id for shop in options.shop] == [one["extra"]["app_id"] for one in connections]
    assert [(shop.client_id, shop.secret) for shop in options.shop] == [
        (one["login"], one["password"]) for one in connections
    ]
    assert {one["host"] for one in connections} == {"http://emulator:8000"}
    secrets = [(one["extra"]["app_id"], one["extra"]["push_token"], one["extra"]["push_secret"]) for one in connections]
    assert [one[:3] for one in options.push] == secrets
    assert [one.url for one in options.push] == [f"http://push:8070/push/{shop.app_id}" for shop in options.shop]
    assert (options.port, options.frozen) == (8000, False)
    assert options.start == demo["XIAOE_HISTORY_START"]


def test_the_demo_reads_every_further_list(tmp_path: Path) -> None:
    run_env(tmp_path, "--demo")
    demo = values(tmp_path / "airflow.env")
    assert set(demo["XIAOE_MORE_LISTS"].split(",")) == {one.more for one in RESOURCES.values() if one.more}
    assert demo["XIAOE_LEARNING_DAYS"] == "7"


def test_without_the_demos_airflow_env_its_emulator_says_what_to_run() -> None:
    with pytest.raises(SystemExit, match="scripts/env --demo"):
        load("demo/shops.py").arguments({})


def test_flags_for_the_emulator_come_last(tmp_path: Path) -> None:
    from emulator.options import parse

    run_env(tmp_path, "--demo")
    demo = {name: value.strip("'") for name, value in values(tmp_path / "airflow.env").items()}
    flags = {"EMULATOR_FLAGS": "--orders-per-day=500 --latency-ms=200"}
    options = parse(load("demo/shops.py").arguments({**demo, **flags}))
    assert (options.orders_per_day, options.latency_ms) == (500, 200)


ADMIN = {"AIRFLOW_CONN_XIAOE_MYSQL_ADMIN": "mysql://..."}


@pytest.mark.parametrize(
    ("environment", "commands"),
    [
        ({**ADMIN, "WAREHOUSE": ""}, ["grants", "migrate", "grants"]),
        ({**ADMIN, "WAREHOUSE": "mysql://elsewhere"}, ["migrate"]),
        ({}, ["migrate"]),  # without docker
    ],
)
def test_mysqls_users_are_made_in_the_stacks_own_server_only(environment: dict[str, str], commands: list[str]) -> None:
    steps = load("image/prepare.py").steps(environment)
    assert [step[3] for step in steps if step[1:3] == ("-m", "xiaoe.cli")] == commands
    assert [step[1] for step in steps if Path(step[0]).name == "airflow"] == ["db", "pools"]
    assert all(Path(step[0]).is_absolute() for step in steps)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ({"metadatabase": {"status": "healthy"}, "triggerer": {"status": "unhealthy"}}, "unhealthy"),
        ({"triggerer": {"status": "healthy", "latest_triggerer_heartbeat": "2026-11-22T09:20:53Z"}}, "healthy"),
        ({"triggerer": {"status": None}}, "None"),
        ({"triggerer": None}, "None"),
        ({}, "None"),
    ],
)
def test_health_of_a_part(report: dict[str, Any], said: str) -> None:
    assert load("image/healthy.py").status(json.dumps(report).encode(), "triggerer") == said


def test_readable_passwords_of_earlier_releases_are_removed(tmp_path: Path) -> None:
    forget = load("image/prepare.py").forget_passwords
    files = [tmp_path / "auth" / "passwords.json", tmp_path / "passwords.json"]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text('{"admin": "readable"}')
    assert forget(tmp_path) == files
    assert not any(file.exists() for file in files)
    assert forget(tmp_path) == []


def test_env_drops_the_readable_passwords_of_earlier_releases(tmp_path: Path) -> None:
    run_env(tmp_path)
    before = values(tmp_path / ".env")
    with (tmp_path / ".env").open("a", encoding="utf-8") as file:
        file.write("AIRFLOW_ADMIN_PASSWORD=readable\nAIRFLOW_USERS=admin:admin\nSUPERSET_VIEWER_PASSWORD=readable\n")
    assert "scripts/person" in run_env(tmp_path)
    assert values(tmp_path / ".env") == before
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


# The image


def test_the_image_is_built_from_locks_on_a_pinned_base_and_is_not_root() -> None:
    text = (REPO / "Dockerfile").read_text("utf-8")
    assert "# syntax" not in text
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.12-slim-bookworm$", text, re.M)
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${PYTHON_IMAGE}"}
    assert "--require-hashes -r /tmp/requirements.txt -r /tmp/requirements-image.txt" in text
    assert re.findall(r"^USER (\S+)", text, re.M) == ["50000:0"]


def test_what_the_image_copies_is_let_through_and_secrets_are_not() -> None:
    lines = (REPO / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", (REPO / "Dockerfile").read_text("utf-8"), re.M):
        for source in sources.split():
            assert (REPO / source).exists()
            assert f"!{source}" in lines


def test_versions_of_the_image_agree_with_those_that_the_tests_run_with() -> None:
    tested, image = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (REPO / name).read_text("utf-8"), re.M))
        for name in ("requirements.txt", "requirements-image.txt")
    )
    both = set(tested) & set(image)
    assert both
    assert {name for name in both if tested[name] != image[name]} == set()


# Kubernetes


def test_the_values_for_the_chart_are_yaml_without_secrets_and_fit_the_image() -> None:
    values_of_chart = yaml.safe_load((REPO / "deploy" / "helm-values.yaml").read_text("utf-8"))
    dockerfile = (REPO / "Dockerfile").read_text("utf-8")
    assert f"USER {values_of_chart['uid']}:{values_of_chart['gid']}" in dockerfile
    assert f"AIRFLOW__CORE__DAGS_FOLDER={values_of_chart['config']['core']['dags_folder']}" in dockerfile
    assert f"apache-airflow=={values_of_chart['airflowVersion']}\n" in (REPO / "requirements.in").read_text("utf-8")
    for name in ("fernetKey", "jwtSecret", "apiSecretKey", "webserverSecretKey"):
        assert name not in values_of_chart
    assert "metadataConnection" not in values_of_chart["data"]
