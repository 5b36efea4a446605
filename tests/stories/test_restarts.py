"""Story: workers die and generations follow each other, and no connect is refused meanwhile. Real processes."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

from daemon.adapters.spool import files
from daemon.app.serving import listen
from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house

QUIET = "version: 1\n"
REQUEST = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ANSWERED = "401"
"""Without a key; it is forwarded and makes an event all the same."""
CLIENTS, PAUSE_SECONDS, PATIENCE_SECONDS = 4, 0.01, 15.0
AS_SYSTEMD_DOES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="proxy")
os.execv(sys.executable, [sys.executable, "-P", "-m", "daemon", "run"])
"""


async def one(port: int) -> str:
    """A short-lived connection: the status, `refused`, `hung`, or `broken` when it was accepted and not answered."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(REQUEST)
                head = await reader.readline()
            finally:
                writer.close()
    except ConnectionRefusedError:
        return "refused"
    except ConnectionError:
        return "broken"
    except TimeoutError:
        return "hung"
    return head.split()[1].decode() if head else "broken"


@asynccontextmanager
async def load(port: int) -> AsyncIterator[Counter[str]]:
    """Some clients that connect again and again, and how that ended."""
    ended: Counter[str] = Counter()
    stop = asyncio.Event()

    async def client() -> None:
        while not stop.is_set():
            ended[await one(port)] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    clients = [asyncio.get_running_loop().create_task(client()) for _ in range(CLIENTS)]
    try:
        yield ended
    finally:
        stop.set()
        await asyncio.gather(*clients)


async def more(ended: Counter[str], count: int = 20) -> None:
    """Waits for so many more answers."""
    enough = ended[ANSWERED] + count
    await eventually(lambda: ended[ANSWERED] >= enough, within=PATIENCE_SECONDS)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers(supervisor: int) -> dict[int, int]:
    """Process ids of the proxies, by number."""
    found = {}
    for pid in children(supervisor):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"--worker" in words:
            found[int(words[words.index(b"--worker") + 1])] = pid
    return found


def environment(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def sockets(pid: int) -> list[str]:
    """What a process holds, as `socket:[inode]`."""
    held = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            held.append(str(link.readlink()))
    return [one for one in held if "socket:" in one]


async def killed(house: House, worker: int) -> None:
    """SIGKILL, and the next life begins."""
    supervisor = house.rig.pid("run")
    pid = workers(supervisor)[worker]
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: workers(supervisor).get(worker, pid) != pid)


async def newest(house: House) -> dict[int, int]:
    """The newest event that the control plane has of each worker, whose number is in the id."""
    ids = sorted(int(event["event_id"]) for event in await house.control.events())
    return {one >> 12 & 15: one for one in ids}


async def both_have_events(house: House, after: int = 0) -> bool:
    found = await newest(house)
    return set(found) == {0, 1} and min(found.values()) > after


async def streaming(house: House) -> "asyncio.Task[str]":
    """A stream of more than a second that has begun."""
    await house.fake.play({"words": 30, "pace": "50ms"})

    async def outcome() -> str:
        return (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4", stream=True)).outcome

    stream = asyncio.get_running_loop().create_task(outcome())
    await eventually(lambda: begun(house))
    return stream


async def begun(house: House) -> bool:
    return bool((await house.fake.requests(model="gpt-5.4"))["requests"])


async def test_the_only_worker_is_killed_under_load_and_nobody_is_refused() -> None:
    async with open_house(alerts=QUIET) as house:
        await house.start("fake", "run")
        async with load(house.rig.proxy_port) as ended:
            await more(ended)
            await killed(house, 0)
            await more(ended)
        assert set(ended) <= {ANSWERED, "broken"}
        assert ended["broken"] <= CLIENTS  # what was in flight


async def test_of_two_workers_one_dies_again_and_again_and_leaves_its_connects_to_the_other_meanwhile() -> None:
    async with open_house(alerts=QUIET, PROXY_WORKERS="2") as house:
        await house.start("fake", "run")
        async with load(house.rig.proxy_port) as ended:
            await eventually(lambda: both_have_events(house))
            for _ in range(2):
                await killed(house, 1)
            os.kill(workers(house.rig.pid("run"))[1], signal.SIGKILL)
            await eventually(lambda: "no connect is given to it" in house.rig.output("run"))
        assert set(ended) <= {ANSWERED, "broken"}
        assert {await one(house.rig.proxy_port) for _ in range(12)} == {ANSWERED}
        assert set(workers(house.rig.pid("run"))) == {0}  # its back-off was longer than that

        before = max((await newest(house)).values())
        async with load(house.rig.proxy_port) as ended:
            await eventually(lambda: both_have_events(house, before), within=PATIENCE_SECONDS)
        assert set(ended) == {ANSWERED}


async def test_a_stop_refuses_new_connects_at_once_and_lets_a_stream_end() -> None:
    async with open_house(alerts=QUIET, PROXY_WORKERS="2") as house:
        await house.start("fake", "run")
        stream = await streaming(house)
        house.rig.signal("run", signal.SIGTERM)
        await eventually(lambda: _refuses(house.rig.proxy_port), within=1.0)
        assert {await one(house.rig.proxy_port) for _ in range(20)} == {"refused"}
        assert not stream.done()
        assert await stream == "ok"
        assert await house.rig.stop("run") == 0


async def _refuses(port: int) -> bool:
    return await one(port) == "refused"


async def test_a_second_worker_that_cannot_start_is_told_at_once_even_if_the_first_one_serves() -> None:
    async with open_house(alerts=QUIET, PROXY_WORKERS="2") as house:
        house.rig.places.spool.mkdir(parents=True)
        lock = files.lock(house.rig.places.spool, 1)
        assert lock is not None
        house.rig.launch("run")
        await eventually(lambda: not house.rig.is_running("run"))
        os.close(lock)
        assert house.rig.exit_code("run") == 3
        assert "another process is worker 1" in house.rig.output("run")


# ---- the service manager holds the socket ----------------------------------------------------------------------------


class Manager:
    """Plays systemd: it listens, hands the socket over as file descriptor 3, and hears when the service is ready."""

    def __init__(self, house: House, listener: socket.socket, notices: socket.socket) -> None:
        self._house = house
        self._fd = listener.fileno()
        self._notices = notices
        self._generations: list[subprocess.Popen[bytes]] = []
        self.inode = f"socket:[{os.fstat(self._fd).st_ino}]"

    def launch(self) -> subprocess.Popen[bytes]:
        environment = {**self._house.rig.environment(), "NOTIFY_SOCKET": str(self._notices.getsockname())}
        command = [sys.executable, "-c", AS_SYSTEMD_DOES, str(self._fd)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, pass_fds=[self._fd])

    async def start(self) -> int:
        """A generation that has said READY; gives its process id."""
        self._generations.append(self.launch())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while b"READY=1" not in await asyncio.get_running_loop().sock_recv(self._notices, 4096):
                pass
        return self._generations[-1].pid

    def ask_stop(self) -> None:
        self._generations[-1].terminate()

    async def stop(self) -> int | None:
        """Gives the exit code."""
        self.ask_stop()
        await eventually(lambda: self._generations[-1].poll() is not None, within=PATIENCE_SECONDS)
        return self._generations[-1].returncode

    def close(self) -> None:
        for process in self._generations:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


@contextmanager
def manager(house: House) -> Iterator[Manager]:
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with listen("127.0.0.1", house.rig.proxy_port, setting="p") as listener, notices:
        notices.bind(os.fspath(house.rig.directory / "notify"))
        notices.setblocking(False)
        with closing(Manager(house, listener, notices)) as managed:
            yield managed


async def test_one_generation_follows_the_other_on_the_socket_of_the_manager_and_nobody_is_refused() -> None:
    async with open_house(alerts=QUIET, PROXY_WORKERS="2", PROXY_DRAIN="10s") as house:
        await house.start("fake")
        with manager(house) as systemd:
            await systemd.start()
            assert await one(house.rig.proxy_port) == ANSWERED  # READY was no empty word
            async with load(house.rig.proxy_port) as ended:
                stream = await streaming(house)
                assert await systemd.stop() == 0
                assert await stream == "ok"
                await systemd.start()
                await more(ended)
            assert await systemd.stop() == 0
        assert set(ended) <= {ANSWERED, "broken"}
        assert ended["broken"] <= 2 * CLIENTS


async def test_the_managers_socket_is_the_workers_and_nobody_else_hears_of_it() -> None:
    async with open_house(alerts=QUIET, PROXY_WORKERS="2") as house:
        with manager(house) as systemd:
            supervisor = await systemd.start()
            held = {pid for pid in children(supervisor) if systemd.inode in sockets(pid)}
            assert held == set(workers(supervisor).values())
            assert (len(held), len(children(supervisor))) == (2, 3)
            assert not [pid for pid in children(supervisor) if "LISTEN_" in environment(pid)]
            assert await systemd.stop() == 0
