"""Starting, stopping and the clock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest

INCLUDE = str(Path(__file__).parents[2] / "include")


@pytest.mark.process
def test_the_command_prints_one_line_and_ends_cleanly_on_sigterm():
    environment = {**os.environ, "PYTHONPATH": INCLUDE}
    command = [sys.executable, "-m", "emulator", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
    assert f'"pid": {process.pid}' in line
    assert '"url": "http://127.0.0.1:' in line
    assert rest == ""
    assert process.returncode == 0


@pytest.mark.process
def test_an_emulator_is_gone_after_its_block(start):
    with start() as emulator:
        emulator.clock()
    with pytest.raises(URLError):
        emulator.clock()


def test_a_frozen_clock_moves_only_when_told(serve):
    with serve(now="2025-03-01T12:00:00") as emulator:
        assert emulator.clock()["now"] == "2025-03-01 12:00:00"
        assert emulator.advance(3661)["now"] == "2025-03-01 13:01:01"
        assert emulator.set_clock("2025-02-01T00:00:00")["now"] == "2025-02-01 00:00:00"


def test_orders_of_the_future_are_not_shown(serve):
    with serve(orders=500) as emulator:
        emulator.set_clock("2025-01-20T08:00:00")
        assert max(row["created_time"] for row in emulator.truth_orders()) <= "2025-01-20 08:00:00"


@pytest.mark.process
def test_a_flag_nobody_knows_does_not_start(start, capfd):
    with pytest.raises(RuntimeError, match="did not start"), start(no_such_flag=1):
        pass
    assert "no-such-flag" in capfd.readouterr().err
