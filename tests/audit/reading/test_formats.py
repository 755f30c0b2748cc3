"""A log of every program, as it prints it. Numbers and names are changed."""

# ruff: noqa: E501 - lines of logs are long

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from stacklab.audit.examine import audit
from stacklab.audit.reading.log import Log
from stacklab.audit.reading.programs import load_formats
from stacklab.audit.reading.source import read_source
from stacklab.audit.spec import Finding
from stacklab.base.errors import DataError

Points = dict[str, list[tuple[float, float]]]
BAR = "━" * 20

TEXTS: dict[str, tuple[str, Points]] = {
    "nanogpt": (
        "step 0: train loss 10.9886, val loss 10.9898\n"
        "iter 0: loss 10.9942, time 27134.67ms, mfu -100.00%\n"
        "iter 10: loss 9.9942, time 127.12ms, mfu 43.11%\n",
        {"train": [(0, 10.9886)], "validation": [(0, 10.9898)], "batch": [(0, 10.9942), (10, 9.9942)]},
    ),
    "nanochat": (
        "Step 00000 | Validation bpb: 3.300000\n"
        "step 00000/00500 (0.00%) | loss: 11.090355 | lrm: 1.00 | dt: 1234.56ms | tok/sec: 424,242 | bf16_mfu: 40.11 |"
        " epoch: 1 | total time: 0.00m\n"
        "step 00001/00500 (0.20%) | loss: 10.800000 | lrm: 1.00 | dt: 1201.10ms | tok/sec: 436,000 | bf16_mfu: 41.20 |"
        " epoch: 1 | total time: 0.02m | eta: 10.0m\n",
        {"validation bits per byte": [(0, 3.3)], "train": [(0, 11.090355), (1, 10.8)]},
    ),
    "mingpt": (
        "number of parameters: 0.09M\nrunning on device cpu\n"
        "iter_dt 0.00ms; iter 0: train loss 2.845\niter_dt 77.46ms; iter 2: train loss 2.609\n",
        {"train": [(0, 2.845), (2, 2.609)]},
    ),
    "llama2.c": (
        "tokens per iteration will be: 131,072\nstep 500: train loss 5.7400, val loss 5.9500\n"
        "500 | loss 6.0200 | lr 5.000000e-05 | 8000.00ms | mfu 0.21%\n"
        "510 | loss 5.3100 | lr 5.100000e-05 | 8000.00ms | mfu 0.21%\n",
        {"train": [(500, 5.74)], "validation": [(500, 5.95)], "batch": [(500, 6.02), (510, 5.31)]},
    ),
    "llm.c": (
        "val loss 11.009655\n"
        "step    1/19560 | loss 11.009668 (+nanz)| norm 15.4137 (+nanz)| lr 8.57e-07 | 3056.36 ms | 42.6% bf16 MFU |"
        " 171545 tok/s\n"
        "step    2/19560 | loss 10.964634 (+nanz)| norm 15.3102 (+nanz)| lr 1.71e-06 | 2804.04 ms | 46.4% bf16 MFU |"
        " 186976 tok/s\nval loss 10.900000\n",
        {"validation": [(0, 11.009655), (2, 10.9)], "train": [(1, 11.009668), (2, 10.964634)]},
    ),
    "llm.c main.log": (
        "s:0 tel:11.0097\ns:0 eval:0.2462\ns:1 trl:11.0097 lr:0.000001 norm:15.41\ns:2 trl:10.9646 lr:0.000002 norm:15\n",
        {"validation": [(0, 11.0097)], "train": [(1, 11.0097), (2, 10.9646)]},
    ),
    "litgpt": (
        "Epoch 1 | iter 256 step 1 | loss train: 10.984, val: n/a | iter time: 4345.54 ms (step) remaining time: 7 days\n"
        "Epoch 1 | iter 512 step 2 | loss train: 10.900, val: n/a | iter time: 4331.12 ms (step) remaining time: 7 days\n"
        "iter 768: val loss 10.8000, val time: 3778.02 ms\n",
        {"train": [(1, 10.984), (2, 10.9)], "validation": [(3, 10.8)]},
    ),
    "torchtitan": (
        "[rank0]:[titan] 2025-03-12 11:10:20,511 - root - INFO - step: 20  loss:  6.2250  memory:  1.41GiB(1.79%)"
        "  tps: 193,831  tflops: 13.90  mfu: 1.41%\n"
        "[rank0]:[titan] 2025-03-12 11:10:21,511 - root - INFO - \x1b[31mstep: 21  \x1b[32mloss:  6.1950  "
        "\x1b[33mmemory:  1.41GiB(1.79%)\x1b[39m\n"
        "[rank0]:[titan] 2025-03-12 11:10:22,511 - root - INFO - validate step: 21  loss:  6.3000  memory:  1.41GiB\n",
        {"train": [(20, 6.225), (21, 6.195)], "validation": [(21, 6.3)]},
    ),
    "megatron": (
        " [2024-05-01 10:00:00] iteration      100/    2000 | consumed samples:        25600 | elapsed time per iteration"
        " (ms): 510.7 | learning rate: 1.500000E-05 | global batch size:   256 | lm loss: 9.012345E+00 | loss scale: 1.0"
        " | grad norm: 1.234 | number of skipped iterations:   0 | number of nan iterations:   0 |\n"
        "-----------------------------------------------------------------------------------------------\n"
        " validation loss at iteration 100 | lm loss value: 9.112345E+00 | lm loss PPL: 9.066000E+03 | \n"
        "-----------------------------------------------------------------------------------------------\n",
        {"train": [(100, 9.012345)], "validation": [(100, 9.112345)]},
    ),
    "fairseq": (
        "2021-05-01 10:00:00 | INFO | train_inner | epoch 001:    100 / 3000 loss=14.2, nll_loss=14.1, ppl=17500.1,"
        " wps=65000, ups=2.5, wpb=26000, bsz=512, num_updates=100, lr=1.2e-05, gnorm=2.1, train_wall=39, wall=45\n"
        "2021-05-01 10:10:00 | INFO | train | epoch 001 | loss 12.0 | nll_loss 11.8 | ppl 3500 | num_updates 3000\n"
        "2021-05-01 10:11:00 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 9.1 | nll_loss 8.5 | ppl 362.04"
        " | wps 180000 | wpb 2000 | bsz 4 | num_updates 3000\n",
        {"train": [(100, 14.1 * math.log(2))], "validation": [(3000, 8.5 * math.log(2))]},
    ),
    "fairseq json": (
        '2021-05-01 10:00:00 | INFO | train_inner | {"epoch": 1, "update": 0.033, "loss": "14.2", "ppl": "18820.3",'
        ' "num_updates": "100", "lr": "1.2e-05"}\n'
        '2021-05-01 10:11:00 | INFO | valid | {"epoch": 1, "valid_loss": "9.1", "valid_ppl": "548.7",'
        ' "valid_num_updates": "3000"}\n',
        {"train": [(100, 14.2 * math.log(2))], "validation": [(3000, 9.1 * math.log(2))]},
    ),
    "keras": (
        "Epoch 1/2\n300/300 - 12s - loss: 5.0008 - val_loss: 4.2176 - 12s/epoch - 39ms/step\n"
        "Epoch 2/2\n300/300 - 9s - loss: 4.2699 - val_loss: 4.0889 - 9s/epoch - 30ms/step\n",
        {"train": [(1, 5.0008), (2, 4.2699)], "validation": [(1, 4.2176), (2, 4.0889)]},
    ),
    "keras with bars": (
        f"Epoch 1/2\n\x1b[1m  1/300\x1b[0m {BAR} 5:00 1s/step - loss: 9.1\r\x1b[1m300/300\x1b[0m \x1b[32m{BAR}\x1b[0m "
        "\x1b[1m12s\x1b[0m 39ms/step - loss: 5.0008 - perplexity: 148.5 - val_loss: 4.2176 - val_perplexity: 67.9\n"
        "Epoch 2/2\n300/300 [==============================] - 12s 39ms/step - loss: 4.2699 - val_loss: 4.0889\n",
        {
            "train": [(1, 5.0008), (2, 4.2699)],
            "train perplexity": [(1, 148.5)],
            "validation": [(1, 4.2176), (2, 4.0889)],
            "validation perplexity": [(1, 67.9)],
        },
    ),
    "modded-nanogpt": (
        "step:0/1750 val_loss:10.8258 train_time:0ms step_avg:nanms\nstep:1/1750 train_time:80ms step_avg:80.12ms\n"
        "step:125/1750 val_loss:4.6152 train_time:10050ms step_avg:80.40ms\n",
        {"validation": [(0, 10.8258), (125, 4.6152)]},
    ),
    "trainer's dictionaries": (
        "{'loss': 1.46, 'grad_norm': 4.1, 'learning_rate': 4.2e-05, 'epoch': 0.33}\n"
        "  5%|▌         | 100/2000 [00:10<03:10, 10.00it/s]{'loss': '0.8', 'learning_rate': '4e-05', 'epoch': '0.66'}\n"
        "{'eval_loss': 1.04, 'eval_runtime': 7.2, 'eval_samples_per_second': 10.1, 'epoch': 0.66}\n"
        "{'loss': 0.73, 'grad_norm': 4.0, 'learning_rate': 0.0, 'epoch': 1.0}\n"
        "{'train_runtime': 60.1, 'train_samples_per_second': 10.0, 'train_loss': 0.99, 'epoch': 1.0}\n",
        {"train": [(1, 1.46), (2, 0.8), (3, 0.73)], "validation": [(2, 1.04)]},
    ),
    "lightning's bar": (
        "Epoch 0:  50%|█████     | 50/100 [00:05<00:05, 9.91it/s, v_num=3, train_loss=4.500]\r"
        "Epoch 0: 100%|██████████| 100/100 [00:10<00:00, 9.90it/s, v_num=3, train_loss=4.100]\n"
        "Epoch 1:  50%|█████     | 50/100 [00:05<00:05, 9.91it/s, v_num=3, train_loss=3.900]\n",
        {"train": [(50, 4.5), (100, 4.1), (150, 3.9)]},
    ),
    "json lines": (
        '{"loss": 5.91, "lr": 0.0001, "step": 10}\n{"step": 20, "train": {"loss": 5.51}, "val": {"loss": 5.3}}\n'
        '{"_step": 30, "_runtime": 9.1, "train/loss": NaN}\n',
        {"train": [(10, 5.91), (20, 5.51)], "validation": [(20, 5.3)]},
    ),
}


def points(log: Log) -> Points:
    return {metric: [(reading.step, reading.value) for reading in readings] for metric, readings in log.series.items()}


@pytest.mark.parametrize("program", TEXTS)
def test_what_programs_print_is_read_whole(program: str, tmp_path: Path) -> None:
    text, expected = TEXTS[program]
    (tmp_path / "log.txt").write_text(text)
    (log,) = read_source(tmp_path / "log.txt").logs
    assert points(log) == {
        metric: [(step, pytest.approx(value)) for step, value in expected[metric]] for metric in expected
    }
    assert not [trouble for trouble in log.troubles if trouble.kind not in ("log-units", "log-not-finite")]


FILES: dict[str, tuple[str, Points]] = {
    "lightning/metrics.csv": (
        "epoch,step,train_loss_epoch,train_loss_step,val_loss\n0,49,,4.5,\n0,99,,4.1,\n0,99,,,4.2\n0,99,4.4,,\n1,149,,3.9,\n",
        {"train": [(49, 4.5), (99, 4.1), (149, 3.9)], "validation": [(99, 4.2)]},
    ),
    "keras_history.csv": (
        "epoch,loss,val_loss\n0,5.0,4.2\n1,4.3,4.1\n",
        {"train": [(0, 5.0), (1, 4.3)], "validation": [(0, 4.2), (1, 4.1)]},
    ),
    "german.csv": ("step;loss\n1;4,25\n2;3,125\n", {"train": [(1, 4.25), (2, 3.125)]}),
    "run-deep-tag-val_loss.csv": (
        "Wall time,Step,Value\n1698314503.5,1,4.69\n1698314513.7,2,4.48\n",
        {"validation": [(1, 4.69), (2, 4.48)]},
    ),
    "wandb_export.csv": (
        '"train/global_step","deep - train/loss","deep - train/loss__MIN","deep - _step"\n"10","3.5","3.5","1"\n',
        {"train": [(10, 3.5)]},
    ),
    "wandb_history.json": (
        '[{"_step": 0, "_timestamp": 1.7, "train/loss": 4.5}, {"_step": 1, "train/loss": 4.1, "val/loss": null}]',
        {"train": [(0, 4.5), (1, 4.1)]},
    ),
    "trackio.json": (
        '{"project": "p", "run": "deep", "metric": "train/loss", "values": [{"timestamp": "t", "step": 0, "value": 4.5},'
        ' {"timestamp": "t", "step": 1, "value": 4.1}]}',
        {"train": [(0, 4.5), (1, 4.1)]},
    ),
    "trackio.csv": (
        "run_name,step,train/loss,timestamp\ndeep,0,4.5,t\ndeep,1,4.1,t\n",
        {"train": [(0, 4.5), (1, 4.1)]},
    ),
    "columns.json": ('{"loss": [5.0, 4.2], "step": [10, 20]}', {"train": [(10, 5.0), (20, 4.2)]}),
}


@pytest.mark.parametrize("name", FILES)
def test_what_programs_store_is_read_whole(name: str, tmp_path: Path) -> None:
    text, expected = FILES[name]
    path = tmp_path / Path(name).name
    path.write_text(text)
    (log,) = read_source(path).logs
    assert points(log) == expected
    assert not [trouble for trouble in log.troubles if trouble.kind != "log-units"]
    if "deep" in text or "deep" in name:
        assert log.name == "deep"


def test_json_lines_of_several_runs_are_several_logs(tmp_path: Path) -> None:
    rows = [{"seed": seed, "loss": 3 - step / 10, "step": step} for step in (1, 2) for seed in (1, 2)]
    (tmp_path / "deep.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    logs = read_source(tmp_path / "deep.jsonl").logs
    assert [(log.name, log.arm, log.last_step) for log in logs] == [
        ("deep seed 1", "deep", 2),
        ("deep seed 2", "deep", 2),
    ]


def test_a_trainers_state_has_its_history(tmp_path: Path, find: Callable[..., Finding]) -> None:
    history = [
        {"epoch": epoch, "loss": loss, "grad_norm": 4.1, "learning_rate": 4.2e-05, "step": step}
        for step, epoch, loss in [(100, 0.33, 1.46), (200, 0.66, 0.8), (300, 1.0, 0.73), (400, 1.33, 0.66)]
    ]
    history += [{"epoch": 2.0, "eval_loss": 1.01, "eval_runtime": 7.2, "step": 600}]
    history += [{"epoch": 2.0, "step": 600, "train_loss": 0.9, "train_runtime": 60.0}]
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"best_metric": None, "global_step": 600, "log_history": history}, indent=2))
    found = audit([path])
    (log,) = read_source(path).logs
    assert points(log) == {
        "train": [(100, 1.46), (200, 0.8), (300, 0.73), (400, 0.66)],
        "validation": [(600, 1.01)],
    }
    steps = find(found, "steps-per-epoch").numbers
    assert float(steps["low"]) <= 300 <= float(steps["high"])


def test_a_scalar_without_a_name_is_refused_with_the_names_that_would_do(tmp_path: Path) -> None:
    path = tmp_path / "tensorboard_scalars.csv"
    path.write_text("Wall time,Step,Value\n1698314503.5,1,4.69\n")
    with pytest.raises(
        DataError, match=r"tensorboard_scalars\.csv:1: the column Value .* such as run-deep-tag-train_loss"
    ):
        read_source(path)


@pytest.mark.parametrize("text", ["{" * 9000, '{"loss": ' * 9000, "[" * 9000, '{"a": 1e999999}', "{'loss': '" * 900])
def test_what_is_no_json_is_no_log(text: str, tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(text)
    with pytest.raises(DataError):
        read_source(tmp_path / "log.json")


def test_the_message_names_every_program(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("Once upon a time.\n")
    with pytest.raises(DataError) as caught:
        read_source(tmp_path / "log.txt")
    assert len(load_formats()) >= 10
    assert all(each.program in str(caught.value) for each in load_formats())
