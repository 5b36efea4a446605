"""What is known of the credentials on a stage: each stored turn once, however often rules are read or it is started."""

from daemon.app.playground import Playground
from daemon.domain.alerts_config import AlertsConfig
from tests.logic.playing import T0, an_event


async def test_a_reload_and_a_restart_count_nothing_twice() -> None:
    ground = Playground(AlertsConfig(), begins_at=T0)
    await ground.stage.start()
    turns = [(T0 + 1000 * number, f"{'b' if number < 3 else 'a'}.json") for number in range(40)]
    script = [(at, an_event(at, bad=name == "b.json", credential=name)) for at, name in turns]
    await ground.stage.play(script, T0 + 60_000)
    for _ in range(2):
        ground.stage.reload(AlertsConfig())
        assert ground.stage.core.credential_figures.failing("codex", ground.clock.now()) == ()
    await ground.stage.start()
    assert ground.stage.core.credential_figures.failing("codex", ground.clock.now()) == ()


async def test_a_restart_knows_what_failed_before_it() -> None:
    ground = Playground(AlertsConfig(), begins_at=T0)
    await ground.stage.start()
    turns = [(T0 + 1000 * number, f"{'b' if number % 3 else 'a'}.json") for number in range(60)]
    script = [(at, an_event(at, bad=name == "b.json", credential=name)) for at, name in turns]
    await ground.stage.play(script, T0 + 70_000)
    before = ground.stage.core.credential_figures.failing("codex", ground.clock.now())
    ground.stage.stop()
    await ground.stage.start()
    assert ground.stage.core.credential_figures.failing("codex", ground.clock.now()) == before == ("b.json",)
