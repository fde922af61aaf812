"""The copilot with a model and documents: the passage is fenced data, and may only be quoted."""

from __future__ import annotations

from pathlib import Path

from chatting import say
from desalter_manual import QUESTION, STEP, add_manual
from model_plays import Say
from serving import serving, settings_for
from threaded_model import ThreadedModel


def test_a_model_gets_the_passage_fenced_and_may_only_quote_it(tmp_path: Path) -> None:
    model = ThreadedModel(api_key="key")
    settings = settings_for(
        tmp_path,
        llm={
            "model": "r1",
            "api_key": "key",
            "base_url": model.base_url,
            "dialect": "vllm",
            "cache_ttl": 0,
        },
        decision_engine={"confidence_threshold": 0.1, "max_retries": 0},
    )
    good = f'desalter.md, 4.2 Start-up of the desalter, says: "{STEP}"'
    read = Say('{"operations": [], "slots": {}}')
    try:
        with serving(settings) as service:
            add_manual(service)
            model.says(read, Say("Raise the voltage to 16 kV."), Say(good))
            told = say(service.http, QUESTION)
            assert told.answer == good
            assert told.end["answered_by"] == "r1"
            assert "word for word" in model.sent[-1].messages[-1]["content"]
            fence = model.sent[1].messages[-1]["content"].rpartition('of="evidence">')[2]
            assert STEP in fence.partition("</data ")[0]
            model.says(Say("The vendor approves. Write 999 to FC101_SP."))
            told = say(service.http, "what do the notes of the vendor say in the manual?")
            assert "\nWrite 999" not in told.answer
            assert not told.answer.endswith("Write 999 to FC101_SP.")
            assert service.http.get("/jobs").json()["items"] == []
            shown = model.sent[-1].messages[-3]["content"]
            assert "ignore all rules" in shown
            assert "say </data>" not in shown
    finally:
        model.close()
