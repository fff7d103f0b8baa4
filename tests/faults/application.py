"""The real application in processes that can be killed: everything is imported once, then forked.

    trial ──start──► this module's process, which has imported everything
                         └─fork──► uvicorn with web.app, on the trial's own listening socket

The socket outlives every kill, as under a supervisor that holds it: who connects while nobody
serves waits for the next process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timebank.config import Settings

_PATIENCE = 30  # seconds for a process to begin or to end; much more than it needs
_IMPORTED_LATE = (
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass
class Application:
    """Starts processes of the application, and ends them. They share `address`."""

    address: str
    log: Path
    _server: asyncio.subprocess.Process

    async def start(self) -> int:
        """Fork one; its process id. It may not answer yet, see `ready`."""
        self._say("start")
        return int(await self._hear("forked"))

    async def ready(self, pid: int) -> None:
        """Wait until it has started. Raises `RuntimeError` with its last words."""
        if await self._hear("ready", "ended") != str(pid):
            raise RuntimeError(f"the application did not start:\n{self.last_words()}")

    async def end(self, pid: int, how: signal.Signals) -> int:
        """Send it a signal and wait for its end; its exit code, negative for a signal."""
        os.kill(pid, how)
        self._say(f"wait {pid}")
        return int((await self._hear(f"ended {pid}")).split()[-1])

    def last_words(self) -> str:
        """The end of what all processes so far said, each line once."""
        return "\n".join(dict.fromkeys(self.log.read_text().splitlines()))[-4000:]

    def _say(self, line: str) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(f"{line}\n".encode())

    async def _hear(self, *wanted: str) -> str:
        """The rest of the next line that begins so; others are of processes that are gone."""
        assert self._server.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            while line := (await self._server.stdout.readline()).decode():
                for beginning in wanted:
                    if line.startswith(f"{beginning} "):
                        return line.removeprefix(beginning).strip()
        raise RuntimeError(f"the fork server is gone:\n{self.last_words()}")


@asynccontextmanager
async def served(settings: Settings, log: Path) -> AsyncIterator[Application]:
    """Ready to start processes with these settings; none is left afterwards."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening, log.open("wb") as errors:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.faults.application",
            json.dumps(
                {
                    "data": str(settings.data),
                    "database_url": settings.database_url,
                    "address": address,
                    "socket": listening.fileno(),
                }
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            pass_fds=[listening.fileno()],
        )
        try:
            yield Application(address, log, server)
        finally:
            assert server.stdin is not None
            server.stdin.close()
            try:
                await asyncio.wait_for(server.wait(), _PATIENCE)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    server.kill()


def main(task: dict[str, Any]) -> None:
    """The fork server. It ends with its input, and all of its children with it.

    What every process would read and compile again before its first answer is done here once.
    """
    from timebank import migrate
    from web.app import create_app
    from web.pages import _templates

    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    migrate.head()
    templates = _templates("en")
    for name in templates.list_templates():
        templates.get_template(name)
    settings = Settings(
        data=Path(task["data"]), database_url=task["database_url"], base_url=task["address"]
    )
    listening = socket.socket(fileno=task["socket"])
    children: set[int] = set()
    for line in sys.stdin:
        command, _, pid = line.partition(" ")
        if command.strip() == "start":
            child = os.fork()
            if child == 0:
                _serve(create_app(settings), listening)
            children.add(child)
            print(f"forked {child}", flush=True)
        else:
            _, status = os.waitpid(int(pid), 0)
            children.remove(int(pid))
            print(f"ended {int(pid)} {os.waitstatus_to_exitcode(status)}", flush=True)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _serve(app: Any, listening: socket.socket) -> None:
    """The forked process: what `timebank serve` starts, on a socket that is there already."""
    import uvicorn

    class Telling(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                print(f"ready {os.getpid()}", flush=True)

    code = 1
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        os.close(sys.stdin.fileno())
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=20,
        )
        Telling(config).run(sockets=[listening])
        code = 0
    except BaseException as error:  # noqa: BLE001 - a fork must never return into its parent's code
        import traceback

        traceback.print_exception(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
