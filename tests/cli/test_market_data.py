"""Market data by command: the key from the environment, downloads that later commands read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "modules" / "analysis" / "support"))

from eia_server import KEY, DataSet, EiaServer, silent

Run = Callable[..., Any]
ROUTE = "petroleum/pri/spt"


def site(tmp_path: Path, eia: EiaServer) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(
        f"""
        orchestrator:
          modules:
            analysis:
              options:
                eia:
                  base_url: {eia.url}
                  api_key: ${{EIA_API_KEY}}
                  timeout: 0.5
                  deadline: 1
                  series: [{{route: {ROUTE}, series: RWTC, frequency: daily}}]
        """
    )
    return file


def test_what_one_command_downloads_the_next_ones_read(dan_g: Run, tmp_path: Path) -> None:
    day = datetime.now(UTC).date()
    values = {f"{day - timedelta(days=n)}": f"{60 + n}" for n in range(30, 1, -1)}
    with EiaServer() as eia:
        eia.data[ROUTE] = DataSet("daily", "$/BBL", series={"RWTC": values})
        config = ("--config", site(tmp_path, eia))
        update = ("invoke", "analysis", "update", *config)
        done = dan_g(*update, "--json", EIA_API_KEY=KEY)
        assert done.code == 0, done.err
        assert (done.json()["new"], done.json()["revised"]) == (29, 0)
        values[f"{day - timedelta(days=2)}"] = "99.5"
        revised = dan_g(*update, EIA_API_KEY=KEY)
        assert "62 to 99.5" in revised.out
        shown = dan_g("config", "show", *config, EIA_API_KEY=KEY)
    found = dan_g("invoke", "analysis", "prices", *config, "--json").json()
    assert found["prices"][0]["last"] == 99.5
    assert KEY not in done.out + done.err + revised.out + revised.err + shown.out


def test_without_a_key_and_without_an_answer_the_command_says_what_to_do(
    dan_g: Run, tmp_path: Path
) -> None:
    with EiaServer() as eia:
        update = ("invoke", "analysis", "update", "--config", site(tmp_path, eia), "--json")
        absent = dan_g(*update, EIA_API_KEY="")
        assert absent.code == 2
        assert "set the environment variable EIA_API_KEY" in absent.problem()["remedy"]
        wrong = dan_g(*update, EIA_API_KEY="abcdef")
        assert "API_KEY_INVALID" in wrong.problem()["detail"]
        assert "abcdef" not in wrong.err
        eia.failures = [silent] * 20
        mute = dan_g(*update, EIA_API_KEY=KEY)
    assert mute.code == 5
    assert "no answer within" in mute.problem()["detail"]
    assert KEY not in mute.err


def test_data_given_with_a_command_stand_alone(dan_g: Run, tmp_path: Path) -> None:
    day = datetime.now(UTC).date()
    dates = [f"{day - timedelta(days=n)}" for n in range(30, 1, -1)]
    archive, given = tmp_path / "archive.csv", tmp_path / "given.csv"
    archive.write_text("\n".join(["date,RBRTE", *(f"{d},80" for d in dates)]) + "\n")
    given.write_text(
        "\n".join(["date,wti", *(f"{d},{70 + n}" for n, d in enumerate(dates))]) + "\n"
    )
    with EiaServer() as eia:
        eia.data[ROUTE] = DataSet("daily", "$/BBL", series={"RWTC": dict.fromkeys(dates, "60")})
        file = site(tmp_path, eia)
        options = f"options:\n                market_files: [{archive}]"
        file.write_text(file.read_text().replace("options:", options))
        config = ("--config", file, "--json")
        done = dan_g("invoke", "analysis", "update", *config, EIA_API_KEY=KEY)
        assert done.code == 0, done.err
    prices = ("invoke", "analysis", "prices", *config)
    kept = dan_g(*prices)
    assert {item["name"] for item in kept.json()["prices"]} == {"RBRTE", "RWTC"}
    alone = dan_g(*prices, "--data", given)
    assert [item["name"] for item in alone.json()["prices"]] == ["wti"]
