"""The side of django-hordak: a program of its own, run in the peers' own environment.

    hordak_peer.py prepare <database> <accounts>
    hordak_peer.py run <database> <threads> <seconds>
    hordak_peer.py count <database>

The database is a JSON object as Django's settings take it. Answers one line of JSON. Transfers go
between accounts chosen at random through hordak's own `Account.transfer_to`, each in a transaction
of its own; each thread keeps its connection, and the accounts are read beforehand.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from random import Random
from typing import Any

import django
from django.conf import settings


def main(act: str, database: str, *numbers: str) -> dict[str, Any]:
    """Do one of the three and say what came of it."""
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"} | json.loads(database)},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        SECRET_KEY="of no use here",
        USE_TZ=True,
        CURRENCIES=["EUR"],
        DEFAULT_CURRENCY="EUR",
    )
    django.setup()
    if act == "prepare":
        return _prepare(int(numbers[0]))
    if act == "run":
        return _run(int(numbers[0]), float(numbers[1]))
    return _count()


def _prepare(accounts: int) -> dict[str, Any]:
    from django.core.management import call_command
    from hordak.models import Account

    call_command("migrate", verbosity=0)
    for number in range(accounts):
        Account.objects.create(name=f"account {number}", type="LI", currencies=["EUR"])
    return {"accounts": Account.objects.count()}


def _run(threads: int, seconds: float) -> dict[str, Any]:
    """So many threads transfer until the time is up: how many in how many seconds."""
    from django.db import connection
    from hordak.models import Account

    accounts = list(Account.objects.all())
    ready = threading.Barrier(threads + 1)
    done: list[int] = []

    def work(seed: int) -> None:
        dice, count = Random(seed), 0
        connection.ensure_connection()
        _transfer(accounts, dice)
        ready.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            _transfer(accounts, dice)
            count += 1
        done.append(count)
        connection.close()

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    taken = time.perf_counter() - start
    if len(done) != threads:
        raise RuntimeError("a thread ended early")
    return {"count": sum(done), "seconds": taken, "warm_up": threads}


def _transfer(accounts: list[Any], dice: Random) -> None:
    from django.db import transaction
    from moneyed import Money

    source, destination = dice.sample(accounts, 2)
    with transaction.atomic():
        source.transfer_to(destination, Money(1, "EUR"))


def _count() -> dict[str, Any]:
    """What is stored: transactions, legs, and what all legs sum to."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM hordak_transaction), count(*),"
            " coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0) FROM hordak_leg"
        )
        transactions, legs, total = cursor.fetchone()
    return {"transactions": transactions, "legs": legs, "sum": str(total)}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
