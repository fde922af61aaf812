"""A live plant behind a real server: complete, once, marked where it was not heard, and secret."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from orchestrator.cli import run
from orchestrator.config import OpcUaSettings, SourceSettings
from orchestrator.errors import ConfigurationError, UnavailableError
from orchestrator.plant.opcua.values import microseconds
from orchestrator.plant.samples import Quality, Sample
from orchestrator.plant.sources.opcua import OpcUaSource, browsed_plant
from orchestrator.plant.tags import Plant, Tag, load_plant
from tests.plant.opcua.conftest import PlantServer, Taken

Serve = Callable[..., PlantServer]
QUICK = OpcUaSettings(
    publishing_interval=0.2, sampling_interval=0.1, reconnect_base=0.2, reconnect_cap=0.5
)


def by_time(taken: Taken) -> tuple[dict[tuple[str, int], Sample], list[tuple[str, int]]]:
    """Samples by tag and time, and those that came more than once."""
    samples = [sample for block in taken.blocks for sample in block.samples()]
    keys = Counter((s.tag, microseconds(s.source_time)) for s in samples)
    found = {(s.tag, microseconds(s.source_time)): s for s in samples}
    return found, [key for key, count in keys.items() if count > 1]


def test_killed_server_costs_no_value_and_repeats_none(serve: Serve) -> None:
    server = serve()
    taken = Taken(OpcUaSource(server.url, QUICK))
    taken.wait_until(lambda: taken.rows > 4)
    server.kill()
    time.sleep(1.0)
    server.start()
    taken.wait_until(lambda: taken.source.connections == 2)
    again = time.time()
    taken.wait_until(lambda: taken.blocks[-1].end.timestamp() > again + 6.0)
    horizon = int((time.time() - 2.0) * 1e6)
    taken.close()
    server.kill()
    stored = server.stored()
    found, twice = by_time(taken)
    first = {tag: min(t for name, t in found if name == tag) for tag, _ in found}
    expected = {key for key in stored if first[key[0]] <= key[1] <= horizon}
    assert len(first) == 50
    assert len(expected) > 50 * 15
    assert twice == []
    assert expected - set(found) == set()
    for key in expected:
        assert (found[key].quality is Quality.BAD) == (stored[key].value is None)
        assert found[key].value == stored[key].value
    # One bad mark a tag for the gap and one for the end; the server knows neither. Before its first
    # value it may say bad, too.
    begin = min(at for _, at in set(found) & set(stored))
    others = {key for key in set(found) - set(stored) if key[1] > begin}
    assert {found[key].quality for key in others} == {Quality.BAD}
    assert set(Counter(tag for tag, _ in others).values()) == {2}


def test_gap_is_marked_while_it_lasts_and_time_goes_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.plant.sources.opcua.HEARTBEAT_SECONDS", 0.5)
    server = serve(items=3)
    taken = Taken(OpcUaSource(server.url, QUICK))
    taken.wait_until(lambda: taken.rows > 4)
    server.kill()
    taken.wait_until(lambda: any((b.quality[-1] == Quality.BAD).all() for b in taken.blocks))
    assert taken.blocks[-1].tags == ("T0000", "T0001", "T0002")
    beats = taken.rows
    taken.wait_until(lambda: taken.rows >= beats + 2)
    assert (taken.blocks[-1].quality == Quality.NONE).all()
    ends = [block.end for block in taken.blocks]
    assert ends == sorted(ends)
    assert (time.time() - ends[-1].timestamp()) < 5
    taken.close()


@pytest.mark.slow
def test_server_without_history_loses_the_gap_only(serve: Serve) -> None:
    server = serve(items=5)
    settings = QUICK.model_copy(update={"history": False})
    taken = Taken(OpcUaSource(server.url, settings))
    taken.wait_until(lambda: taken.rows > 4)
    server.kill()
    killed = int(time.time() * 1e6)
    time.sleep(1.5)
    back = int(time.time() * 1e6)
    server.start()
    taken.wait_until(lambda: taken.source.connections == 2)
    rows = taken.rows
    taken.wait_until(lambda: taken.rows > rows + 3)
    taken.close()
    found, twice = by_time(taken)
    assert twice == []
    inside = [s for (_, at), s in found.items() if killed + 500_000 < at < back]
    assert inside == []


def test_resumed_source_fetches_what_came_while_nobody_listened(standing: PlantServer) -> None:
    server = standing
    first = Taken(OpcUaSource(server.url, QUICK))
    first.wait_until(lambda: first.rows > 4)
    first.close()
    known = max(block.end for block in first.blocks)
    time.sleep(1.5)
    source = OpcUaSource(server.url, QUICK)
    source.resume_after(known)
    second = Taken(source)
    second.wait_until(lambda: second.rows > 8)
    horizon = int((time.time() - 1.0) * 1e6)
    second.close()
    found, twice = by_time(second)
    begin = microseconds(known)
    expected = {key for key in server.stored() if begin < key[1] <= horizon}
    assert twice == []
    assert min(at for _, at in found) > begin
    assert expected - set(found) == set()


def test_past_of_the_server_is_learned_from_once(standing: PlantServer) -> None:
    server = standing
    settings = QUICK.model_copy(update={"learn_hours": 1.0})
    source = OpcUaSource(server.url, settings)
    past = list(source.history())
    taken = Taken(source)
    taken.wait_until(lambda: taken.rows > 8)
    horizon = int((time.time() - 1.0) * 1e6)
    taken.close()
    taken.blocks[:0] = past
    assert sum(len(block) for block in past) >= 2
    found, twice = by_time(taken)
    assert twice == []
    assert {key for key in server.stored() if key[1] <= horizon} - set(found) == set()


def test_close_ends_a_reader_that_waits(standing: PlantServer) -> None:
    server = standing
    taken = Taken(OpcUaSource(server.url, QUICK))
    taken.wait_until(lambda: taken.source.connections == 1)
    started = time.monotonic()
    taken.close()
    assert taken.error is None
    assert time.monotonic() - started < 5


def test_tags_are_drafted_from_the_server_and_the_draft_reads_it(
    standing: PlantServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = standing
    path = tmp_path / "tags.yaml"
    assert run(["tags", "browse", server.url, "--output", str(path)]) == 0
    plant = load_plant(path)
    assert plant.tag_names == tuple(f"T{i:04}" for i in (0, 4, 1, 5, 2, 3))
    assert plant.tag("T0004").node == "nsu=urn:dan-g:twin;s=T0004"
    assert (plant.tag("T0005").unit, plant.tag("T0005").area) == ("degC", "area 1")
    assert plant.tag("T0005").description == "Ramp 5"
    capsys.readouterr()
    assert run(["tags", "browse", server.url]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["tags"][0]["name"] == "T0000"


def test_tag_is_read_from_its_node_its_setting_or_its_name(standing: PlantServer) -> None:
    server = standing
    plant = Plant(
        name="mine",
        tags=(
            Tag(name="FEED", node="nsu=urn:dan-g:twin;s=T0001"),
            Tag(name="DRAW"),
            Tag(name="T0003"),
            Tag(name="NOWHERE"),
            Tag(name="SUM", kind="computed", expression="FEED + DRAW"),
        ),
    )
    settings = QUICK.model_copy(update={"nodes": {"DRAW": "nsu=urn:dan-g:twin;s=T0002"}})
    taken = Taken(OpcUaSource(server.url, settings, plant))
    taken.wait_until(lambda: taken.rows > 2)
    taken.close()
    block = next(b for b in taken.blocks if (b.quality == Quality.GOOD).any())
    assert block.tags == ("FEED", "DRAW", "T0003", "NOWHERE")
    first = block.values[0]
    np.testing.assert_allclose(first[1:3] - first[0], [1.0, 2.0])
    assert np.isnan(first[3])


def test_mapping_that_fits_nothing_is_told_at_once(standing: PlantServer) -> None:
    server = standing
    taken = Taken(OpcUaSource(server.url, QUICK, Plant(name="other", tags=(Tag(name="ELSE"),))))
    taken.wait_until(lambda: taken.error is not None)
    assert isinstance(taken.error, ConfigurationError)
    assert "dan-g tags browse" in str(taken.error)
    with pytest.raises(ConfigurationError, match="NOT_A_TAG"):
        OpcUaSource(
            server.url,
            QUICK.model_copy(update={"nodes": {"NOT_A_TAG": "i=1"}}),
            Plant(name="p", tags=(Tag(name="ELSE"),)),
        )


def test_unreachable_server_is_told_within_the_time_out() -> None:
    settings = OpcUaSettings(timeout=1.0)
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="cannot be used"):
        browsed_plant("opc.tcp://127.0.0.1:1", settings)
    assert time.monotonic() - started < 10


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed certificates of a server and a client."""
    import asyncio
    import socket

    from asyncua.crypto.cert_gen import setup_self_signed_certificate
    from cryptography.x509.oid import ExtendedKeyUsageOID

    folder = tmp_path_factory.mktemp("keys")

    async def make(name: str, uri: str) -> None:
        await setup_self_signed_certificate(
            folder / f"{name}.pem",
            folder / f"{name}.der",
            uri,
            socket.gethostname(),
            [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
            {},
        )

    for name, uri in (
        ("server", "urn:freeopcua:python:server"),
        ("client", "urn:dan-g:orchestrator"),
        ("other", "urn:other"),
    ):
        asyncio.run(make(name, uri))
    return folder


@pytest.fixture(scope="module")
def secure_server(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlantServer]:
    server = PlantServer(tmp_path_factory.mktemp("secure"), 3, 0.25, keys)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def secured(keys: Path, **changes: object) -> OpcUaSettings:
    given = {
        "security_policy": "Basic256Sha256",
        "certificate": keys / "client.der",
        "private_key": keys / "client.pem",
        "server_certificate": keys / "server.der",
        "user": "operator",
        "password": "s3cret-word",
        **changes,
    }
    return OpcUaSettings.model_validate(given)


def test_secure_connection_with_certificates_and_user(
    secure_server: PlantServer, keys: Path
) -> None:
    server = secure_server
    assert len(browsed_plant(server.url, secured(keys)).tags) == 3
    with pytest.raises(UnavailableError) as caught:
        browsed_plant(server.url, secured(keys, password="wr0ng-word"))
    assert "wr0ng-word" not in str(caught.value)
    for refused in (
        secured(keys, server_certificate=keys / "other.der"),
        OpcUaSettings(timeout=3),
    ):
        with pytest.raises(UnavailableError):
            browsed_plant(server.url, refused)
    with pytest.raises(ConfigurationError, match="certificate"):
        browsed_plant(server.url, secured(keys, certificate=keys / "absent.der"))


def test_no_log_level_shows_the_password(secure_server: PlantServer, keys: Path) -> None:
    server = secure_server
    program = (
        "import logging, sys; logging.basicConfig(level=logging.DEBUG)\n"
        "from orchestrator.config import OpcUaSettings\n"
        "from orchestrator.plant.sources.opcua import browsed_plant\n"
        "url, keys, word = sys.argv[1:]\n"
        "s = OpcUaSettings(security_policy='Basic256Sha256', certificate=keys + '/client.der',\n"
        "    private_key=keys + '/client.pem', user='operator', password=word)\n"
        "print(len(browsed_plant(url, s).tags), repr(s))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, server.url, str(keys), "s3cret-word"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("3 ")
    assert "s3cret-word" not in done.stdout + done.stderr


def test_settings_that_would_leak_or_fail_are_refused() -> None:
    with pytest.raises(ValidationError, match="not in the address") as caught:
        SourceSettings(kind="opcua", url="opc.tcp://me:s3cret-word@host:4840")
    assert "opc.tcp" in str(SourceSettings(url="opc.tcp://host:4840").url)
    with pytest.raises(ValidationError, match=r"expected opc\.tcp"):
        SourceSettings(url="http://host")
    with pytest.raises(ValidationError, match="security_policy"):
        OpcUaSettings(user="me", password="s3cret-word")
    with pytest.raises(ValidationError, match="private_key"):
        OpcUaSettings(security_policy="Basic256Sha256")
    assert caught.value.error_count() == 1
