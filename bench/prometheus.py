"""Prometheus, judging the same ratios: scrapes counters of ours, and tells how long its rule groups took."""

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from statistics import median
from urllib.request import urlopen

WINDOW_SECONDS = 60
"""With a scrape a second it reads as many samples of each counter as our ten minutes have buckets."""
LOOKS = 8
_DURATION = re.compile(r'^prometheus_rule_group_last_duration_seconds\{rule_group="[^"]*;(\w+)"\} (\S+)$', re.MULTILINE)


class _Counters(BaseHTTPRequestHandler):
    """Turns and failed turns of each series, five a second."""

    series: int
    shares: Sequence[float]
    began = time.monotonic()
    dice = Random(6)

    def do_GET(self) -> None:
        turns = int(5 * (time.monotonic() - self.began)) + 1
        lines = []
        for n in range(self.series):
            bad = round(turns * self.shares[n % len(self.shares)])
            lines += [f'turns_total{{model="{n}"}} {turns}', f'bad_total{{model="{n}"}} {bad}']
        body = ("# TYPE turns counter\n# TYPE bad counter\n" + "\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not a word."""


def compare(directory: Path, ours_ms: float, *, rules: int, series: int, shares: Sequence[float]) -> None:
    """Prints how long plain rules take, and rules over recorded ratios, as multiples of ours."""
    if shutil.which("prometheus") is None:
        print("\nprometheus is not installed (apt install prometheus): left out")
        return
    _Counters.series, _Counters.shares = series, shares
    counters = ThreadingHTTPServer(("127.0.0.1", 0), _Counters)
    threading.Thread(target=counters.serve_forever, daemon=True).start()
    port = _free_port()
    (directory / "prometheus.yml").write_text(_settings(counters.server_port))
    (directory / "rules.yml").write_text(_groups(rules))
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    try:
        time.sleep(WINDOW_SECONDS + 15)
        looks = [_look(port) for _ in range(LOOKS)]
    finally:
        process.terminate()
        process.wait(10)
        counters.shutdown()
    print(f"\nPrometheus, {rules} ratio rules x {series} label sets, ms per evaluation of the group")
    for group in ("plain", "recorded"):
        took = median(sum(ms for name, ms in look.items() if name.startswith(group)) for look in looks)
        ratio = f"{took / ours_ms:.0f} x ours ({ours_ms:.2f} ms)" if ours_ms else ""
        print(f"{group:>10} {took:>9.1f} {ratio}")


def _look(port: int) -> dict[str, float]:
    time.sleep(5)
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return {name: float(seconds) * 1000 for name, seconds in _DURATION.findall(answer.read().decode())}


def _settings(port: int) -> str:
    return (
        "global: {scrape_interval: 1s, evaluation_interval: 5s}\n"
        "rule_files: [rules.yml]\n"
        f"scrape_configs: [{{job_name: us, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )


def _groups(rules: int) -> str:
    """The ratio in each rule, and the ratio recorded once for all of them."""
    window = f"[{WINDOW_SECONDS}s]"
    bad, turns = (f"sum by (model) (increase({name}_total{window}))" for name in ("bad", "turns"))
    thresholds = [0.01 + 0.6 * n / rules for n in range(rules)]
    recorded = [f"  - {{record: ratio, expr: '{bad} / {turns}'}}", f"  - {{record: samples, expr: '{turns}'}}"]
    recorded += [
        f"  - {{alert: R{n}, expr: 'ratio > {above:.4f} and samples >= 20'}}" for n, above in enumerate(thresholds)
    ]
    plain = [
        f"  - {{alert: P{n}, expr: '({bad} / {turns}) > {above:.4f} and {turns} >= 20'}}"
        for n, above in enumerate(thresholds)
    ]
    return "\n".join(["groups:", "- name: plain", "  rules:", *plain, "- name: recorded", "  rules:", *recorded, ""])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
