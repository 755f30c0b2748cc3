"""Reads a config key by key, so that no key is ignored: each is used, known to change nothing here, or refused."""

import sys
from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any, TypeVar

from pydantic import ValidationError

from stacklab.base.errors import PortError
from stacklab.base.spec import LARGEST, first_fault
from stacklab.base.text import cut, shown
from stacklab.model.spec import MOST_LAYERS, ModelSpec

T = TypeVar("T")

DEFAULT_BASE = 10_000.0
ROPE = {"rope_theta", "partial_rotary_factor", "type"}
"""What unscaled rotary positions may state beside their type."""

HARMLESS_BY_REASON: Mapping[str, tuple[str, ...]] = {
    "names the model, or the program and the version that wrote it": (
        *("_name_or_path", "name_or_path", "_commit_hash", "model_type", "architectures", "tokenizer_class"),
        *("transformers_version", "transformers.js_config", "unsloth_version", "unsloth_fixed"),
    ),
    "says how numbers are stored; all models are read into float32": ("dtype", "torch_dtype"),
    "says how the first weights were drawn": ("initializer_range",),
    "says what a call returns, or how it runs": (
        *("return_dict", "use_return_dict", "output_attentions", "output_hidden_states", "output_past", "use_cache"),
        *("attn_implementation", "_attn_implementation", "_attn_implementation_autoset", "_flash_attn_2_enabled"),
        *("keys_to_ignore_at_inference", "torchscript", "xla_device", "gradient_checkpointing"),
    ),
    "names a token's id, which the model does not compute with": (
        *("bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "mask_token_id"),
        "decoder_start_token_id",
    ),
    "belongs to a head for another task than predicting the next token": (
        *("id2label", "label2id", "num_labels", "_num_labels", "problem_type", "task_specific_params"),
        *("finetuning_task", "classifier_dropout", "prefix", "predict_special_tokens"),
    ),
    "chooses the loss of a program, which the logits do not depend on": ("loss_type", "tf_legacy_loss"),
    "sets the width of cross-attention, which is refused": ("cross_attention_hidden_size",),
    "is a setting of generation, kept in configs by older versions of transformers": (
        *("max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "temperature"),
        *("top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size"),
        *("encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores"),
        *("return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values"),
        *("exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "diversity_penalty"),
    ),
}
"""Why a key changes no logit -> the keys. Any other key is used by a form or refused."""
HARMLESS = frozenset(chain.from_iterable(HARMLESS_BY_REASON.values()))


class Fields:
    """The keys of a config, read one by one."""

    def __init__(self, config: Mapping[str, Any], form: str) -> None:
        self._left = {key: value for key, value in config.items() if key not in HARMLESS}
        self._form = form

    def size(self, name: str, default: int | None = None, *, most: int = LARGEST) -> int:
        """A whole number from 1 to `most`, so that a config cannot fill the memory."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.wrong(name, value, "a whole number above 0")
        if value > most:
            raise self.wrong(name, value, f"at most {most}")
        return value

    def size_or_none(self, name: str, default: int | None) -> int | None:
        """A size, or None where the program itself reads null as no such thing."""
        if self._left.get(name, default) is None:
            self._left.pop(name, None)
            return None
        return self.size(name, default)

    def whole(self, name: str, default: int) -> int:
        """A whole number from 0."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.wrong(name, value, "a whole number")
        return value

    def depth(self, name: str, default: int | None = None) -> int:
        """A number of layers."""
        return self.size(name, default, most=MOST_LAYERS)

    def number(self, name: str, default: float | None = None) -> float:
        return self.finite(name, self._take(name, default))

    def finite(self, name: str, value: object) -> float:
        """The value as a float. Raises PortError for a value that is not a finite number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise self.wrong(name, value, "a finite number")
        return float(value)

    def flag(self, name: str, default: bool | None = None) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def choice(self, name: str, known: Mapping[str, T], default: str | None = None) -> T:
        """Our name for one of theirs."""
        value = self._take(name, default)
        if not isinstance(value, str) or value not in known:
            raise self.wrong(name, value, f"one of {', '.join(known)}")
        return known[value]

    def must(self, name: str, *allowed: object) -> None:
        """Check a key that may only be absent or have a value that changes nothing."""
        if name in self._left and (value := self._left.pop(name)) not in allowed:
            raise self.wrong(name, value, " or ".join(map(shown, allowed)))

    def null_is_absent(self, *names: str) -> None:
        """Drop keys that are null, for keys that the program itself then treats as absent."""
        for name in names:
            if self._left.get(name, "") is None:
                del self._left[name]

    def value(self, name: str, default: list[Any]) -> Any:
        """Any value, which the caller checks."""
        return self._take(name, default)

    def optional(self, name: str) -> Any:
        """Any value; None when absent."""
        return self._left.pop(name, None)

    def rotary_base(self, rotated: float) -> float:
        """The base of rotary positions, from the keys of any version of transformers.

        rotated: the share of a head that turns where no key says it. Raises PortError for scaled positions, and for
        heads of which a part does not turn.
        """
        base = older = self.optional("rope_theta")
        share = self.optional("partial_rotary_factor")
        for name in ("rope_scaling", "rope_parameters"):
            match value := self.optional(name):
                case None:
                    continue
                case {"rope_type": "default", **others} | {"type": "default", **others} if others.keys() <= ROPE:
                    base, share = others.get("rope_theta", base), others.get("partial_rotary_factor", share)
                case {"rope_type": "dynamic"} | {"type": "dynamic"}:
                    exact = 'the type "default", which is exact: "dynamic" scales beyond max_position_embeddings only'
                    raise self.wrong(name, value, exact)
                case _:
                    raise self.wrong(name, value, '{"rope_type": "default", "rope_theta": base}')
        if older not in (None, base):
            raise self.wrong("rope_theta", older, f"{shown(base)}, as rope_parameters says")
        if (share := rotated if share is None else share) != 1:
            raise self.wrong("partial_rotary_factor", share, "1, the whole of each head")
        return DEFAULT_BASE if base is None else self.finite("rope_theta", base)

    def finish(self, harmless: Collection[str] = ()) -> None:
        """Refuse all other keys. Keys that any folder may have, but must not use, are checked here."""
        for name in ("is_encoder_decoder", "add_cross_attention", "tie_encoder_decoder", "use_bfloat16"):
            self.must(name, False)
        if code := self.optional("auto_map"):
            raise PortError(
                f"config: auto_map is {shown(code)}, so the folder has its own code, which is not run; if it computes "
                f"what the {self._form} class of transformers does, remove the key"
            )
        for name in ("pruned_heads", "per_layer_config", "quantization_config", "chunk_size_feed_forward"):
            self.must(name, None, {}, 0)
        if left := sorted(self._left.keys() - set(harmless) - {"is_decoder"}):
            raise PortError(
                f"config: {cut(left[0])} = {shown(self._left[left[0]])} is not a known key of a {self._form} model"
                + (f" (nor {cut(', '.join(left[1:]))})" if left[1:] else "")
                + "; it may change what the model computes, so the folder is not read; where it does not, remove it "
                "from config.json"
            )

    def wrong(self, name: str, value: object, wanted: str) -> PortError:
        quoted = "missing or null" if value is None else shown(value)
        return PortError(f"config: {name} is {quoted}, expected {wanted} (a {self._form} model)")

    def _take(self, name: str, default: object) -> Any:
        if name not in self._left:
            return default
        if (value := self._left.pop(name)) is None:
            # Other programs do not read null as their default, so it is not guessed here.
            raise PortError(f"config: {name} is null, expected a value or no such key (a {self._form} model)")
        return value


def as_spec(fields: dict[str, Any]) -> ModelSpec:
    """The stack with these fields. Raises PortError for invalid ones."""
    try:
        return ModelSpec.model_validate(fields)
    except ValidationError as error:
        raise PortError(f"config: {first_fault(error)}") from None


def read_stack(stack: object, place: str) -> ModelSpec:
    """A stack from its dump. place: its place in a file, for messages.

    Raises PortError for an invalid stack and one without a vocabulary.
    """
    try:
        spec = ModelSpec.model_validate(stack)
    except ValidationError as error:
        raise PortError(f"{place}: {first_fault(error)}") from None
    if spec.vocab_size is None:
        raise PortError(f"{place}.vocab_size is missing or null, expected a whole number")
    return spec
