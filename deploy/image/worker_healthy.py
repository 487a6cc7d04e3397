"""Health check of this container's Celery worker: exit code 0 if it answers, else 1.

Asks over the broker, without importing Airflow: `celery inspect ping` would, and costs ten seconds of a core.
"""

from __future__ import annotations

import os
import socket
import sys

from celery import Celery

if __name__ == "__main__":
    app = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    answers = app.control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=20)
    print(answers or "no answer in 20 s")
    sys.exit(0 if answers else 1)
