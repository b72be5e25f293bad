"""`connector erase`: what it says, and what waits."""

from tests.support.shop import PROJECT, Shop


def test_an_erasure_that_cannot_be_sent_is_said_to_wait_and_the_next_sync_sends_it(
    shop: Shop,
) -> None:
    assert shop("sync").code == 0
    away = PROJECT.format(url="http://127.0.0.1:9/v1").replace(
        "api_key: sandbox", "api_key: sandbox, give_up_after: 0.3"
    )
    shop.files.write("project.yaml", away)
    waiting = shop("erase", "u_1", "--yes")
    assert waiting.code == 4
    assert "deleted" not in waiting.out.replace("to be deleted", "")
    assert "1 user still to be deleted, and sent nothing until then" in waiting.out
    shop.files.write("project.yaml", PROJECT.format(url=shop.sandbox.base_url))
    assert shop("sync").code == 0
    assert shop.sandbox.user("u_1") is None
    done = shop("erase", "u_2", "--yes")
    assert done.code == 0
    assert "1 user deleted at target 'local'; suppressed from now on." in done.out
