"""What the doctor looks at from outside: settings, files, who answers at which door; with or without a daemon."""

from collections.abc import Sequence

from daemon.domain.check_up import Finding, Ground
from daemon.logic.doctor_daemon import judged_receivers
from daemon.logic.doctor_upstream import judged_clock, judged_upstream

START = "start it: `runbookd run`"


def survey(ground: Ground) -> list[Finding]:
    """In the order in which somebody would look. What the control plane knows better is left to it."""
    return [Finding.ok("settings", "valid"), _alerts_file(ground), _modes(ground), _proxy(ground), *_control(ground)]


def _alerts_file(ground: Ground) -> Finding:
    area, advice = "alerts file", "`runbookd check` tells of all"
    if ground.mistakes:
        return Finding.critical(area, _first(ground.mistakes), advice)
    if ground.warnings:
        return Finding.warning(area, _first(ground.warnings), advice)
    return Finding.ok(area, f"{ground.alerts_file}: {ground.rules} rules")


def _first(texts: Sequence[str]) -> str:
    return f"{texts[0]} (and {len(texts) - 1} more)" if len(texts) > 1 else texts[0]


def _modes(ground: Ground) -> Finding:
    if ground.loose:
        evidence = f"others may read {', '.join(ground.loose[:3])}" + (" and more" if len(ground.loose) > 3 else "")
        return Finding.warning("file modes", evidence, "chmod 0700 for directories, 0600 for files")
    said = "directories 0700, files 0600" if ground.has_state else "there is nothing yet: the daemon has not run here"
    return Finding.ok("file modes", said)


def _proxy(ground: Ground) -> Finding:
    if ground.proxy is None:
        return Finding.critical("proxy", f"nobody answers at {ground.proxy_at}: clients get nothing", START)
    spool = ground.proxy.get("spool")
    failure = spool.get("failure") if isinstance(spool, dict) else None
    if failure:
        return Finding.warning("proxy", f"it forwards, but no event is kept: {failure}", "see RUNBOOKD_STATE_DIR")
    return Finding.ok("proxy", f"it answers at {ground.proxy_at}")


def _control(ground: Ground) -> list[Finding]:
    if not ground.control_trouble:
        return [Finding.ok("control plane", f"it answers at {ground.control_at}")]
    found = [_silent(ground)]
    if not ground.mistakes:
        found += judged_receivers(ground.deaf, (), ground.receivers)
    return [*found, *_knock(ground)]


def _silent(ground: Ground) -> Finding:
    if ground.control_runs:
        advice = "see its log; be the daemon's user, or set RUNBOOKD_STATE_DIR to its state directory"
        return Finding.critical("control plane", f"it runs, and tells us nothing: {ground.control_trouble}", advice)
    return Finding.critical("control plane", f"it does not run: nobody answers at {ground.control_at}", START)


def _knock(ground: Ground) -> Sequence[Finding]:
    return () if ground.knock is None else [*judged_upstream(ground.knock), *judged_clock(ground.knock)]
