"""What is compared, each set as fast as it can be: how its command and configuration are made."""

import os
import shutil
import socket
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from bench.candidate import Candidate, Missing
from bench.instruments import Upstream

ROOT = Path(__file__).parents[1]
CONFIGS = Path(__file__).parent / "configs"
SYSTEM_PROGRAMS = "/usr/local/sbin:/usr/sbin"
USUAL = ("direct", "nginx", "haproxy", "ours")


def direct(upstream: Upstream, directory: Path, options: Namespace) -> Candidate:
    return Candidate("direct", upstream.port, directory)


def nginx(upstream: Upstream, directory: Path, options: Namespace) -> Candidate:
    port, program = _free_port(), _program("nginx")
    file = _configure("nginx.conf", directory, port, upstream)
    command = [program, "-p", str(directory), "-c", file, "-e", str(directory / "error.log")]
    return Candidate("nginx", port, directory, command)


def haproxy(upstream: Upstream, directory: Path, options: Namespace) -> Candidate:
    port, program = _free_port(), _program("haproxy")
    command = [program, "-db", "-q", "-f", _configure("haproxy.cfg", directory, port, upstream)]
    return Candidate("haproxy", port, directory, command)


def ours(upstream: Upstream, directory: Path, options: Namespace) -> Candidate:
    return _runbookd("ours", ROOT, upstream, directory)


def base(upstream: Upstream, directory: Path, options: Namespace) -> Candidate:
    """Another checkout of ours, to compare a change with."""
    if not options.base:
        raise Missing("--base names no directory")
    return _runbookd("base", Path(options.base).resolve(), upstream, directory)


def litellm(upstream: Upstream, directory: Path, options: Namespace) -> Candidate:
    port = _free_port()
    program = str(Path(options.litellm_python).with_name("litellm")) if options.litellm_python else _program("litellm")
    if not Path(program).exists():
        raise Missing(f"there is no {program}")
    file = _configure("litellm.yaml", directory, port, upstream)
    command = [program, "--host", "127.0.0.1", "--port", str(port), "--config", file, "--num_workers", "1"]
    environment = {
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    }
    return Candidate("litellm", port, directory, command, environment, is_slow=True)


def portkey(upstream: Upstream, directory: Path, options: Namespace) -> Candidate:
    port, place = _free_port(), Path(options.portkey_dir or ".").resolve()
    server = place / "node_modules/@portkey-ai/gateway/build/start-server.js"
    if not server.exists():
        raise Missing(f"there is no {server}")
    command = [_program("node"), str(server), f"--port={port}", "--headless"]
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream.port}/v1"}
    return Candidate("portkey", port, directory, command, {"NODE_ENV": "production"}, headers, is_slow=True)


def _runbookd(name: str, source: Path, upstream: Upstream, directory: Path) -> Candidate:
    """One worker of the data plane that observes and spools, and no control plane."""
    port = _free_port()
    settings = {
        "UPSTREAM_URL": f"http://127.0.0.1:{upstream.port}",
        "PROXY_PORT": str(port),
        "STATE_DIR": str(directory / "state"),
        "RUNTIME_DIR": str(directory / "run"),
        "LOG_LEVEL": "warning",
    }
    environment = {f"RUNBOOKD_{name}": value for name, value in settings.items()} | {"PYTHONPATH": str(source)}
    return Candidate(name, port, directory, [sys.executable, "-P", "-m", "daemon", "proxy"], environment)


def _configure(name: str, directory: Path, port: int, upstream: Upstream) -> str:
    file = directory / name
    file.write_text((CONFIGS / name).read_text().format(directory=directory, port=port, upstream=upstream.port))
    return str(file)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PROGRAMS}")
    if not found:
        raise Missing(f"{name} is not in PATH")
    return found


ALL: dict[str, Callable[[Upstream, Path, Namespace], Candidate]] = {
    one.__name__: one for one in (direct, nginx, haproxy, ours, base, litellm, portkey)
}
