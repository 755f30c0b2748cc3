"""Time of attention in the arms of a study: every form of layer is measured alone, once, to predict step times."""

import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from stacklab.base.canon import canonical_json, fingerprint
from stacklab.base.hardware import processor_name
from stacklab.base.spec import Items, Spec
from stacklab.data.spec import DataSpec
from stacklab.run.paths import OutPaths
from stacklab.run.timing.attention_form import AttentionForm, attention_forms
from stacklab.study.planning.match_step_time import work
from stacklab.study.planning.measure import conditions, kept, measured
from stacklab.study.spec.study import BaseSpec

MEASUREMENT = "attention_cost"
ATTENTION_FIELDS = (
    *("num_heads", "num_kv_heads", "window", "position"),
    *("attention_scale", "attention_identity", "attention_dropout", "mask", "qk_norm"),
)


class AttentionCosts(Spec):
    """seconds: attention in a training step, forward and backward, by arm and layer, bottom first. Medians over
    `rounds`, each of which measured every form of layer alone, with `threads` threads of `processor`."""

    seconds: dict[str, Items[float]]
    rounds: int
    threads: int
    processor: str

    def of(self, arm: str) -> float:
        """Seconds of all layers together."""
        return sum(self.seconds[arm])

    def predicted(self, step: float, *, reference: str, arm: str) -> float:
        """Predicted seconds of a step of `arm`, from `step`, that of `reference`, which differs in attention alone."""
        return step + self.of(arm) - self.of(reference)

    def text(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        how = f"medians of {self.rounds} rounds in turn, {threads} of {self.processor}"
        return f"layers measured alone, forward and backward, {how}"


class Configured(Protocol):
    @property
    def config(self) -> BaseSpec: ...


class KeptAttention(Spec):
    """A stored measurement. asked: what was measured; rounds: seconds of a micro-batch through each form, by round."""

    asked: dict[str, Any]
    rounds: Items[Items[float]]


def attention_costs(arms: Mapping[str, Configured], out: Path, *, threads: int) -> AttentionCosts:
    """The costs of the named arms. Forms missing in <out>/cache/attention are measured, with `threads` threads.

    Raises DataError for a stored file that cannot be read, StacklabError when measuring fails.
    """
    configs = {name: arm.config for name, arm in arms.items()}
    by_arm = {name: _forms(config) for name, config in configs.items()}
    forms = {_key(form): form for of_arm in by_arm.values() for form in of_arm}
    rounds = _rounds(forms, out, threads)
    medians = {key: statistics.median(times) for key, times in zip(sorted(forms), rounds, strict=True)}
    seconds = {
        name: tuple(
            medians[_key(form)] * (config.train.batch_size // config.train.micro_batch) * (1 - layer.layer_drop)
            for form, layer in zip(by_arm[name], config.model.layers, strict=True)
        )
        for name, config in configs.items()
    }
    least = min(map(len, rounds), default=0)
    return AttentionCosts(seconds=seconds, rounds=least, threads=threads, processor=processor_name())


def attention_differs(configs: Iterable[BaseSpec]) -> bool:
    """Whether arms differ in heads, windows, positions that act in attention, norms of queries and keys, or the kind
    of attention."""
    return len({frozenset(_kinds(config)) for config in configs}) > 1


def differ_in_attention_alone(one: BaseSpec, other: BaseSpec) -> bool:
    """Whether all other settings that step time depends on are equal."""
    return _beside_attention(one) == _beside_attention(other)


def _kinds(config: BaseSpec) -> Iterable[str]:
    for form in _forms(config):
        model = form.model.complete()
        yield canonical_json({name: model[name] for name in ATTENTION_FIELDS})


def _beside_attention(config: BaseSpec) -> dict[str, Any]:
    whole = work(config)
    model = {name: value for name, value in whole["model"].items() if name not in ATTENTION_FIELDS}
    # Position embeddings are added before the first layer, outside attention.
    added = whole["model"]["position"] if config.model.position.adds_rows else None
    return whole | {"model": model, "added": added}


def _forms(config: BaseSpec) -> tuple[AttentionForm, ...]:
    train = config.train
    return attention_forms(
        config.model,
        micro_batch=train.micro_batch,
        context=config.data.block_size,
        precision=train.precision,
        device=train.device,
        packing=config.data.packing if isinstance(config.data, DataSpec) else "stream",
    )


def _key(form: AttentionForm) -> str:
    return canonical_json(form.dump())


def _rounds(forms: Mapping[str, AttentionForm], out: Path, threads: int) -> tuple[tuple[float, ...], ...]:
    """Seconds of every form by round, in the order of the sorted keys."""
    dumped = [forms[key].dump() for key in sorted(forms)]
    setup = {"forms": dumped} | conditions(threads)

    def measure() -> KeptAttention:
        text = json.dumps(dumped)
        answer = measured(
            MEASUREMENT, text, out, threads=threads, mend="the attention of a study's arms has to be measured"
        )
        return KeptAttention(asked=setup, rounds=json.loads(answer))

    path = OutPaths(out).attention / f"{fingerprint(setup)}.json"
    return kept(path, KeptAttention, measure, what="measuring attention").rounds
