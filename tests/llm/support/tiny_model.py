"""Makes a model of R1's form that is small enough to train here in a minute: it knows one answer by heart.

A Qwen2 of two layers over bytes, with a chat template that puts ``<think>`` into the prompt as R1's does. After
whatever question it says the same thought, ``</think>``, and the same object. Run as a program: ``python
tiny_model.py FOLDER``.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

THOUGHT = "The unit is steady."
ANSWER = '{"action": "wait", "hours": 2.5}'
USER, ASSISTANT, END = "<|user|>", "<|assistant|>", "<|end|>"
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}<|user|>{{ m['content'] }}"
    "{% else %}<|assistant|>{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)
STEPS, BATCH = 240, 2


def make(folder: Path, seed: int = 0) -> float:
    """Train, save model and tokenizer, and return the last loss."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    chance = random.Random(seed)
    tokenizer = _tokenizer()
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=4096,
            eos_token_id=tokenizer.convert_tokens_to_ids(END),
            pad_token_id=tokenizer.convert_tokens_to_ids(END),
        )
    )
    said = tokenizer.encode(f"{ASSISTANT}<think>\n{THOUGHT}\n</think>\n\n{ANSWER}{END}")
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss = torch.tensor(0.0)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (1 - step / STEPS) + 1e-5
        length = chance.choice((400, 700)) if step % 3 == 2 else chance.choice((8, 20, 60))
        rows = [
            tokenizer.encode(USER + _question(chance, length))[: length + 1] + said
            for _ in range(BATCH)
        ]
        tokens = torch.tensor(rows)
        labels = tokens.clone()
        labels[:, : -len(said) + 1] = -100
        loss = model(input_ids=tokens, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return loss.item()


def _question(chance: random.Random, length: int) -> str:
    """Any letters, and what a schema is made of, so that neither leads the model astray."""
    text = ""
    while len(text) < length:
        text += chance.choice((*_FRAGMENTS, "".join(chance.choices(_LETTERS, k=8))))
    return text[-length:]


_FRAGMENTS = (
    '{"properties":{', '"action":', '{"const":"wait","title":"Action","type":"string"},', '"hours":',
    '"required":["action","hours"],', '"type":"object"}', "JSON Schema:\n", "one object ", "What now?",
)  # fmt: skip
_LETTERS = [chr(code) for code in range(32, 127)]


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=END, pad_token=END)
    tokenizer.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT]})
    tokenizer.chat_template = TEMPLATE
    return tokenizer


if __name__ == "__main__":
    print(f"loss {make(Path(sys.argv[1])):.4f}")
