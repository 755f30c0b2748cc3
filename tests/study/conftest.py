"""A tiny study, as a file's text and as a value."""

from pathlib import Path

import pytest

TINY = """\
name: tiny
title: Tiny
question: Does it run?
knobs: [model.num_layers]
base:
  data:
    source: {kind: procedural-cot, records: 120}
    tokenizer: {kind: bytes}
    block_size: 32
    validation_fraction: 0.2
  model: {d_model: 8, num_heads: 2, context_length: 32, num_layers: 2, dropout: 0.1}
  train: {steps: 6, batch_size: 2, checkpoint_every: 2, schedule: {warmup_steps: 1}}
  evaluate: {every: 3, train_probe_blocks: 2, problems: 1, answer_tokens: 2}
  sample: {prompts: ["a"], tokens: 3}
arms:
  deep:
    label: two layers
  shallow:
    label: one layer
    change: {model.num_layers: 1}
  wide:
    label: one wide layer
    change: {model.num_layers: 1}
    match: {quantity: total_parameters, to: deep, tolerance: 0.2}
    consequences: [model.d_model, model.d_ff]
claims:
  - id: fit
    statement: "{arm} fits better than {against}"
    metric: train_probe.loss
    arm: deep
    against: [shallow, wide]
    direction: lower
scales:
  smoke:
    description: tiny
    expected_time: a second
    seeds: [1, 2]
  one-arm:
    description: tiny
    expected_time: a second
    arms: [deep]
    seeds: [1]
    set: {train.steps: 4}
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path
