"""`runbookd init`: the first ten minutes, from nothing to the first request that is seen."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.output import clean, colour
from daemon.domain.errors import CannotStart, ConfigError, Misuse

if TYPE_CHECKING:
    from daemon.adapters.config.settings import Settings
    from daemon.app.first_steps import Home
    from daemon.domain.check_up import Knock
    from daemon.logic.client_env import ClientSetup

HELP = "the first ten minutes: find the upstream, ask for keys, write the files, wait for a request"
VALUES = {
    "notify_urls": "Apprise URL of whoever shall hear of alerts",
    "upstream_api_key": "client key, one of the upstream's api-keys",
    "upstream_management_key": "management key, its remote-management.secret-key",
}
"""What is asked for, by the name of its setting."""


def configure(parser: ArgumentParser) -> None:
    parser.epilog = "Values may also stand in RUNBOOKD_NOTIFY_URLS, RUNBOOKD_UPSTREAM_API_KEY and \
RUNBOOKD_UPSTREAM_MANAGEMENT_KEY; what stands there is not asked for. No file is overwritten."
    parser.add_argument("--upstream", metavar="URL", help="where it is; else the setting and the usual ports are tried")
    parser.add_argument("--yes", action="store_true", help="ask nothing: take what stands in the environment")
    parser.add_argument("--wait", action="store_true", help="wait for the first request, also until the daemon runs")


def run(args: Namespace) -> int:
    """0: all is set up; 1: the upstream does not answer, or the test message did not arrive."""
    from daemon.cli.init_request import wait_for_the_first
    from daemon.logic.flavour import answers

    if not args.yes and not sys.stdin.isatty():
        names = ", ".join(f"RUNBOOKD_{name.upper()}" for name in VALUES)
        raise Misuse(f"there is no terminal to ask at: say --yes, with values in {names}")
    home = _home(args)
    settings = _settings(args, home)
    knock = _find(settings, is_certain=args.upstream is not None)
    _write(home, knock.url, _values(args, settings, home))
    settings = _settings(args, home)
    heard = _test_message(args, settings, home)
    _say_clients(settings)
    wait_for_the_first(settings, patient=args.wait, hurried=args.yes)
    return 0 if answers(knock) and heard else 1


def _home(args: Namespace) -> "Home":
    from daemon.adapters.config.directories import config_dirs
    from daemon.app.first_steps import Home

    if args.config is not None:
        return Home(settings=args.config.absolute(), is_usual=False)
    return Home(settings=config_dirs(os.environ)[0] / "runbookd.toml", is_usual=True)


def _settings(args: Namespace, home: "Home", **more: str) -> "Settings":
    """Those in force, as far as they are written already."""
    from daemon.adapters.config.settings import load_settings

    said = {"RUNBOOKD_UPSTREAM_URL": args.upstream} if args.upstream else {}
    return load_settings(home.settings if home.settings.exists() else None, {**os.environ, **said, **more})


# ---- the upstream ----------------------------------------------------------------------------------------------------


def _find(settings: "Settings", *, is_certain: bool) -> "Knock":
    from daemon.app.first_steps import find_upstream
    from daemon.logic.flavour import answers, flavour

    knock = find_upstream(settings, is_certain=is_certain)
    if answers(knock):
        say("upstream", f"{knock.url}, {flavour(knock)}")
    else:
        others = "" if is_certain else ", nor do the usual ports: start it, or say --upstream URL"
        say("upstream", f"{knock.url} does not answer yet{others}")
    return knock


# ---- values ----------------------------------------------------------------------------------------------------------


def _values(args: Namespace, settings: "Settings", home: "Home") -> Mapping[str, str]:
    """What is not there yet: from the environment, else from whoever sits at the terminal."""
    lacking = [name for name in VALUES if not (home.secrets / name).exists()]
    found = {name: value for name in lacking if (value := os.environ.get(f"RUNBOOKD_{name.upper()}", "").strip())}
    asked = [name for name in lacking if name not in found and getattr(settings, name) is None]
    if asked and not args.yes:
        print("Enter skips. What you type is not shown.")
        found |= {name: value for name in asked if (value := _ask(args, home, name))}
    return found


def _ask(args: Namespace, home: "Home", name: str) -> str:
    """Again, until it can be one."""
    while value := getpass(f"  {VALUES[name]}: ").strip():
        try:
            _settings(args, home, **{f"RUNBOOKD_{name.upper()}": value})
        except ConfigError as error:
            print(f"  {clean(str(error))}")
        else:
            return value
    return ""


# ---- files and the message -------------------------------------------------------------------------------------------


def _write(home: "Home", upstream_url: str, secrets: Mapping[str, str]) -> None:
    from daemon.app.first_steps import write

    try:
        for path, is_new in write(home, upstream_url, secrets):
            say("written" if is_new else "kept", f"{path}{'' if is_new else ', which was there already'}")
    except OSError as error:
        raise CannotStart(f"{error.filename} cannot be written ({error.strerror})") from None


def _test_message(args: Namespace, settings: "Settings", home: "Home") -> bool:
    """Whether it arrived, or nobody is to hear of anything."""
    from daemon.cli import notify

    if not settings.notify_url_list:
        say("message", "nobody will hear of alerts but who looks at the dashboard (RUNBOOKD_NOTIFY_URLS)")
        return True
    say("message", "a test message goes out")
    config: Path | None = home.settings if home.settings.exists() else args.config
    return notify.run(Namespace(action="test", dry_run=False, json=False, config=config)) == 0


# ---- clients ---------------------------------------------------------------------------------------------------------


def _say_clients(settings: "Settings") -> None:
    """One line to change for each."""
    from daemon.logic.client_env import FAMILIES, client_setup

    url = f"http://{settings.proxy_host}:{settings.proxy_port}"
    say("clients", f"point them at {url}; their keys stay as they are. One of them now: `runbookd exec -- CMD`")
    for family in FAMILIES:
        print(f"  {family:<18} {_line_of(client_setup(family, url))}")


def _line_of(setup: "ClientSetup") -> str:
    """Its variable where that is an address, else the address and the file that it belongs into."""
    said = [f"{name}={value}" for name, value in setup.environment.items()]
    if said and setup.base_url in setup.environment.values():
        return " ".join(said)
    return f"{setup.base_url} as base URL in {next(iter(setup.files), 'its settings')}"


def say(what: str, text: str) -> None:
    """One line of what is being done."""
    print(f"{colour(f'{what:<10}', 'bold')} {clean(text)}")
    sys.stdout.flush()
