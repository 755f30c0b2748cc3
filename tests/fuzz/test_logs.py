"""Training logs and stated numbers, with lines damaged, repeated and moved."""

import tempfile
from pathlib import Path

from hypothesis import strategies as st
from tests.fuzz.mutations import damaged_bytes, fuzzed, read_or_refused

from stacklab.audit.examine import audit

STEPS = range(0, 400, 20)
NANOGPT = "\n".join(f"step {step}: train loss {4 - step / 200:.4f}, val loss {4.1 - step / 250:.4f}" for step in STEPS)
HF = "\n".join(f"{{'loss': {4 - step / 200:.4f}, 'learning_rate': 1e-4, 'epoch': {step / 100}}}" for step in STEPS)
CSV = "step,train_loss,val_loss\n" + "\n".join(f"{step},{4 - step / 200},{4.1 - step / 250}" for step in STEPS)
PROSE = (
    f"# Deep\n60.2M parameters, d_model 384, 12 layers, vocab 151,665, batch 16 x 512\n{NANOGPT}\n# Shallow\n{NANOGPT}"
)
JSONL = "\n".join(
    f'{{"step": {step}, "train/loss": {4 - step / 200}, "val_loss": {4.1 - step / 250}}}' for step in STEPS
)
LOGS = {"run.log": NANOGPT, "hf.txt": HF, "run.csv": CSV, "page.md": PROSE, "run.jsonl": JSONL}
STATED = b"model: {d_model: 384, num_heads: 6, vocab_size: 151665}\ntraining: {steps: 400, batch_size: 16}\n"

damaged = st.sampled_from(sorted(LOGS)).flatmap(
    lambda name: st.tuples(st.just(name), damaged_bytes(LOGS[name].encode())),
)


def check_log(file: tuple[str, bytes]) -> None:
    name, data = file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        read_or_refused(lambda: audit([path]), place=name)


def check_stated(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log, stated = Path(folder, "run.log"), Path(folder, "stated.yaml")
        log.write_text(NANOGPT)
        stated.write_bytes(text)
        read_or_refused(lambda: audit([log], stated=stated), place="stated.yaml")


test_logs, test_many_logs = fuzzed(check_log, file=damaged)
test_stated, test_many_stated = fuzzed(check_stated, text=damaged_bytes(STATED))
