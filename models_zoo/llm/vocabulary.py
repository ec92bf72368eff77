"""Make a base folder's tokenizer files from GGUF's terms or from a Hugging Face folder; byte-level BPE alone.

The files written here are also what `transformers.AutoTokenizer` reads, offline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from models_zoo.llm.card import ModelError, read_json
from models_zoo.llm.tokenizer import ChatTokenizer, byte_alphabet

TOKENIZER_FILE, SETTINGS_FILE, TEMPLATE_FILE = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
CONTROL_KIND, USER_KIND, UNUSED_KIND = 3, 4, 5  # GGUF's token types that are no plain text of the vocabulary
TOKENIZER_BYTES = 1 << 27
# GGUF's names of pre-tokenizers
DIGIT_SPLITTING = {"smollm", "starcoder", "refact"}  # cut numbers into digits
PLAIN = {"gpt-2", "gpt2"}
LLAMA3 = {"llama-bpe", "llama3", "llama-v3"}
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
TRIAL = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})


def write_tokenizer(
    folder: Path,
    *,
    tokens: Sequence[str],
    kinds: Sequence[int],
    merges: Sequence[str],
    pre: str,
    template: str,
    begin: int,
    end: int,
    pad: int,
) -> None:
    """Write the tokenizer files of a byte-level BPE vocabulary in GGUF's terms.

    Raises `ModelError` for a vocabulary that does not hold together, or an unknown pre-tokenizer.
    """
    _check_vocabulary(tokens, kinds, (begin, end, pad))
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    try:
        tokenizer = Tokenizer(
            models.BPE(
                vocab={token: index for index, token in enumerate(tokens)},
                merges=pairs,
                **({"ignore_merges": True} if pre in LLAMA3 else {}),
            )
        )
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"tokenizer.ggml.merges do not fit the vocabulary: {error}") from error
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(_pre_tokenizers(pre))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    control = [t for t, kind in zip(tokens, kinds, strict=True) if kind in (CONTROL_KIND, UNUSED_KIND)]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    user = [token for token, kind in zip(tokens, kinds, strict=True) if kind == USER_KIND]
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in user])
    tokenizer.save(str(folder / TOKENIZER_FILE))
    _write_settings(folder, (tokens[begin], tokens[end], tokens[pad]), template)


def import_tokenizer(
    source: Path, folder: Path, vocabulary: int, config: Mapping[str, Any]
) -> tuple[int, int, int]:
    """Take over the tokenizer of a Hugging Face folder; the ids of the begin, end and padding tokens.

    `config` is the folder's `config.json`, asked for tokens that the tokenizer does not name. Raises
    `ModelError` for anything but byte-level BPE, or what does not fit `vocabulary` rows.
    """
    path = source / TOKENIZER_FILE
    tokenizer = _byte_level(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if highest >= vocabulary:
        raise ModelError(f"{path}: has token {highest}, the model has {vocabulary} rows")
    found = (source / SETTINGS_FILE).is_file()
    settings = read_json(source / SETTINGS_FILE, TOKENIZER_BYTES) if found else {}
    end = _token(tokenizer, settings, config, "eos", None)
    begin, pad = (_token(tokenizer, settings, config, kind, end) for kind in ("bos", "pad"))
    tokenizer.save(str(folder / TOKENIZER_FILE))
    names = tuple(str(tokenizer.id_to_token(token)) for token in (begin, end, pad))
    _write_settings(folder, names, _template(source, settings))
    return begin, end, pad


def _check_vocabulary(tokens: Sequence[str], kinds: Sequence[int], named: tuple[int, int, int]) -> None:
    if len(kinds) != len(tokens):
        raise ModelError(f"tokenizer.ggml.token_type has {len(kinds)} entries, expected {len(tokens)}")
    if len(set(tokens)) != len(tokens):
        raise ModelError("tokenizer.ggml.tokens names a token twice")
    if max(named) >= len(tokens):
        raise ModelError(f"tokenizer.ggml.tokens ends before token {max(named)}")
    plain = (t for t, kind in zip(tokens, kinds, strict=True) if kind not in (3, 4, 5))
    _check_bytes(plain, "tokenizer.ggml.tokens")


def _check_bytes(tokens: Any, where: str) -> None:
    """Every character of plain tokens must stand for a byte, or their text cannot be streamed."""
    alphabet = byte_alphabet()
    for token in tokens:
        if any(character not in alphabet for character in token):
            raise ModelError(f"{where}: token {token!r} is not made of bytes; byte-level BPE alone is served")


def _pre_tokenizers(pre: str) -> list[Any]:
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre not in LLAMA3)
    if pre in DIGIT_SPLITTING:
        return [pre_tokenizers.Digits(individual_digits=True), byte_level]
    if pre in LLAMA3:
        return [pre_tokenizers.Split(Regex(LLAMA3_PATTERN), behavior="isolated"), byte_level]
    if pre in PLAIN:
        return [byte_level]
    known = ", ".join(sorted(DIGIT_SPLITTING | LLAMA3 | PLAIN))
    raise ModelError(f"tokenizer.ggml.pre is {pre!r}, expected one of {known}")


def _byte_level(path: Path) -> Tokenizer:
    """The tokenizer in `path`, if it is byte-level BPE."""
    values = read_json(path, TOKENIZER_BYTES)
    model = values.get("model")
    model = model if isinstance(model, dict) else {}
    kind = model.get("type")
    if kind != "BPE" or model.get("byte_fallback"):
        shown = "BPE with byte fallback (SentencePiece)" if kind == "BPE" else repr(kind)
        raise ModelError(f"{path}: model is {shown}, expected byte-level BPE")
    if "ByteLevel" not in _kinds(values.get("decoder")):
        raise ModelError(f"{path}: decoder is not ByteLevel: byte-level BPE alone is served")
    odd = [kind for kind in _kinds(values.get("normalizer")) if kind not in ("NFC", "Sequence")]
    if odd:
        raise ModelError(f"{path}: normalizer {odd[0]} is not supported")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"{path}: tokenizer cannot be read: {error}") from error
    added = tokenizer.get_added_tokens_decoder()
    _check_bytes((t for t, index in tokenizer.get_vocab().items() if index not in added), str(path))
    return tokenizer


def _kinds(step: Any) -> list[str]:
    """The types of a step of the tokenizer and of those it is made of."""
    if not isinstance(step, dict):
        return []
    lists = [step.get(name) for name in ("decoders", "normalizers")]
    parts = [part for entries in lists if isinstance(entries, list) for part in entries]
    return [str(step.get("type")), *(kind for part in parts for kind in _kinds(part))]


def _token(
    tokenizer: Tokenizer,
    settings: Mapping[str, Any],
    config: Mapping[str, Any],
    kind: str,
    default: int | None,
) -> int:
    """The id of the `bos`, `eos` or `pad` token: by the tokenizer's settings, else by the model's."""
    name = settings.get(f"{kind}_token")
    content = name.get("content") if isinstance(name, dict) else name
    index = tokenizer.token_to_id(content) if isinstance(content, str) else None
    if content is not None and index is None:
        raise ModelError(f"{SETTINGS_FILE}: {kind}_token is {content!r}, which is no token")
    named = config.get(f"{kind}_token_id")
    number = named[0] if isinstance(named, list) and named else named
    found = next((i for i in (index, number, default) if isinstance(i, int)), None)
    if found is None or tokenizer.id_to_token(found) is None:
        raise ModelError(f"{SETTINGS_FILE}: {kind}_token is missing, and config.json names none")
    return found


def _template(source: Path, settings: Mapping[str, Any]) -> str:
    """The chat template: its own file, or in the settings, alone or as "default" among several."""
    path = source / TEMPLATE_FILE
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: cannot be read: {error}") from error
    template = settings.get("chat_template") or ""
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default") or ""
    return str(template)


def _write_settings(folder: Path, names: Sequence[str], template: str) -> None:
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": names[0],
        "eos_token": names[1],
        "pad_token": names[2],
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
        "chat_template": template,
    }
    text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
    (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")
    if template:
        _try_template(folder)


def _try_template(folder: Path) -> None:
    try:
        ChatTokenizer(folder).chat(TRIAL)
    except ValueError as error:
        raise ModelError(f"{SETTINGS_FILE}: chat_template: {error}") from error
