"""Whose alert it is: the sender's word, else the customer of the site that it names."""

from __future__ import annotations

from tests.domain.timeline import guarded


def test_an_alert_of_monitoring_has_the_client_of_its_site() -> None:
    world = guarded()
    alert = world.fire("a", site="Depot")
    assert alert.client == world.incident("a").client == "acme"


def test_the_senders_word_comes_first_and_an_unknown_site_has_none() -> None:
    world = guarded()
    assert world.fire("a", site="Depot", client="other").client == "other"
    assert world.fire("b", site="Elsewhere").client == ""
    assert world.fire("c", site="").client == ""
