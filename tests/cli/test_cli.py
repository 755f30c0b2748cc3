import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.study.conftest import TINY

from stacklab.base.errors import SpecError
from stacklab.cli.main import app
from stacklab.cli.plan import plan as plan_command


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def stacklab(*args: str, cwd: Path, threads: int = 1) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "stacklab", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": str(threads), "COLUMNS": "160"},
    )


@pytest.mark.trains
def test_a_study_from_the_command_to_its_report(tiny: Path) -> None:
    folder = tiny.parent
    plan = stacklab("plan", "tiny.yaml", cwd=folder)
    assert plan.returncode == 0, plan.stderr
    joined = " ".join(plan.stdout.split())
    assert "power of 2 seeds, paired" in joined
    assert "The smallest two-sided p of an exact permutation test is 0.5" in joined
    assert "projected time of the study" in plan.stdout
    assert "│ 4 │ 34% │ 3 │" in joined, "alone, before the columns of the family"
    assert "disk: " in plan.stdout
    ran = stacklab("run", "tiny.yaml", "--engine", "inline", cwd=folder)
    assert ran.returncode == 0, ran.stderr
    page = re.search(r"report: (\S+)", ran.stdout)
    assert page is not None
    assert (folder / page[1]).is_file()
    assert "fit" in ran.stdout
    assert "two layers seed 1 finished" in ran.stderr
    again = stacklab("run", "tiny.yaml", cwd=folder)
    assert again.returncode == 0
    assert "started" not in again.stderr
    status = stacklab("status", cwd=folder)
    assert "tiny-smoke: 6 of 6 runs done" in status.stdout
    assert stacklab("report", "tiny.yaml", cwd=folder).returncode == 0
    (first, *_) = (folder / "stacklab-out" / "runs").iterdir()
    command = ("generate", first.name, "--prompt", "Hello", "--tokens", "3")
    text = stacklab(*command, "--top-k", "20", "--top-p", "0.95", cwd=folder)
    assert text.stdout.startswith("Hello") and re.search(r"^[0-3] tokens, (token count|end token)$", text.stderr, re.M)
    (folder / "prompts.txt").write_text("Once\n\nTwice\n")
    several = stacklab(*command, "--prompts-file", "prompts.txt", "--novelty", cwd=folder)
    assert re.search(r"(?s)^== 1 of 3\nHello.*\n== 2 of 3\nOnce.*\n== 3 of 3\nTwice.*longest copy", several.stdout)
    assert several.stderr.splitlines()[-1].startswith("1: ")
    rows = stacklab(*command, "--prompt", "Once", "--novelty", "--json", cwd=folder).stdout.splitlines()
    assert [json.loads(row)["prompt"] for row in rows] == ["Hello", "Once"]
    assert json.loads(rows[0])["novelty"]["tokens"] == len(json.loads(rows[0])["ids"])


BAD = [
    (["run", "nothing"], "no study is called 'nothing'"),
    (["run", "tiny.yaml", "--scale", "huge"], r"tiny\.yaml:\d+: no scale 'huge'"),
    (["run", "tiny.yaml", "model.n_layers=3"], r"base\.model\.n_layers: unknown key; did you mean num_layers"),
    (["run", "tiny.yaml", "model.num_heads=3"], "num_heads = 3 .* does not divide d_model = 8"),
    (["run", "tiny.yaml", "model.num_heads=[2,2,2]"], "num_heads lists 3 values for num_layers"),
    (["run", "tiny.yaml", "train.steps=many"], r"base\.train\.steps"),
    (["run", "tiny.yaml", "--seeds", "1,1"], "seed 1 appears twice"),
    (["run", "tiny.yaml", "--seeds", "x"], "expected a number of seeds"),
    (["run", "tiny.yaml", "data.source={kind: file, path: none.jsonl}"], r"none\.jsonl"),
    (["run", "tiny.yaml", "data.source={kind: file, path: empty.jsonl}"], r"empty\.jsonl"),
    (["run", "tiny.yaml", "data.source={kind: file, path: broken.jsonl}"], r"broken\.jsonl:2"),
    (["run", "tiny.yaml", "data.source={kind: file, path: utf8.txt}"], r"utf8\.txt:2"),
    (["run", "tiny.yaml", "data.source={kind: file, path: short.txt}"], "block"),
    (["run", "tiny.yaml", "data.tokenizer={kind: file, path: broken.jsonl}"], r"broken\.jsonl"),
    (["run", "tiny.yaml", "data.source={kind: hub, id: no/thing}"], "no/thing"),
    (["status"], "no study matches"),
    (["report", "tiny.yaml"], r"has no plan\.json"),
    (["generate", "abc"], "expected one run that starts with 'abc'"),
    (["generate", "abc", "--top-p", "1.5"], "top_p = 1.5: Input should be less than or equal to 1"),
    (["generate", "abc", "--prompts-file", "empty.jsonl"], "has no prompt"),
    (["generate", "abc", "--prompts-file", "none.txt"], "cannot be read"),
    (["export", "abc", "new"], "expected one run that starts with 'abc'"),
    (["export", "abc", "."], r"\.: exists and is not empty"),
    (["import", "none"], "none: no such folder or file"),
    (["import", "tiny.yaml"], r"tiny\.yaml: not a known model file"),
    (["import", ".", "--tokenizer", "broken.jsonl"], r"broken\.jsonl: not a tokenizer file"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input_is_one_line_and_exit_code_2(
    args: list[str], message: str, tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.parent
    (folder / "empty.jsonl").write_text("")
    (folder / "broken.jsonl").write_text('{"text": "a"}\n{"text": \n')
    (folder / "utf8.txt").write_bytes(b"good\n\xff\xfe\n")
    (folder / "short.txt").write_text("one\n\ntwo\n\nthree\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sys, "argv", ["stacklab", *args])
    from stacklab.cli.main import main

    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr().err
    assert left.value.code == 2
    assert printed.count("\n") == 1
    assert re.search(message, printed), printed


def test_what_is_too_large_for_the_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import stacklab.cli.main as cli

    def too_large(**_: object) -> None:
        raise MemoryError("Unable to allocate 30.5 GiB")

    monkeypatch.setattr(cli, "app", too_large)
    assert cli.run_command() == 2
    printed = capsys.readouterr().err
    assert printed.startswith("stacklab: the limit of memory is reached")
    assert "Unable to allocate 30.5 GiB" in printed and printed.count("\n") == 1


def test_a_fault_of_stacklab_says_where_its_details_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import stacklab.cli.main as cli

    def faulty(**_: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(cli, "app", faulty)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.run_command() == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "stacklab: KeyError: 'no such thing'"
    place = re.fullmatch(r"stacklab: this is a fault of stacklab; please report it with the details in (.*)", second)
    assert place is not None
    assert "Traceback" in Path(place[1]).read_text() and "no such thing" in Path(place[1]).read_text()


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runs-per-gpu", "0"], "--runs-per-gpu: Input should be greater than 0"),
        (["--runs-per-gpu", "-1"], "--runs-per-gpu: Input should be greater than 0"),
        (
            ["--runs-per-gpu", "2"],
            "runs-per-gpu: 2 runs on each GPU, but no GPU on this machine (CUDA_VISIBLE_DEVICES=-1); leave it out",
        ),
        (
            ["--runs-per-gpu", "2", "--engine", "inline"],
            "runs-per-gpu: the inline engine does not train 2 runs on a GPU; use processes",
        ),
        (
            ["--gpus-per-run", "2"],
            "gpus-per-run: 2 GPUs for each run, but this machine has 0 (CUDA_VISIBLE_DEVICES=-1); use at most 1",
        ),
    ],
)
def test_wrong_numbers_of_runs_and_gpus_are_refused_before_anything_is_made(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, command: str, options: list[str], message: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    done = stacklab(command, "tiny.yaml", *options, cwd=tiny.parent)
    assert (done.returncode, done.stderr) == (2, f"stacklab: {message}\n")
    assert not (tiny.parent / "stacklab-out").exists()


def test_every_command_and_option_has_a_help_text_and_is_in_the_docs() -> None:
    from typer.main import get_command

    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    seen = 0
    for path, command in walk(get_command(app), "stacklab"):
        seen += 1
        assert command.help, path
        assert f"`{path}`" in page, f"docs/commands.md does not describe {path}"
        for option in command.params:
            if option.name in ("help", "install_completion", "show_completion"):
                continue
            assert getattr(option, "help", None), f"{path} {option.name}"
            for name in option.opts if option.param_type_name == "option" else ():
                assert f"`{name}`" in page, f"docs/commands.md does not mention {name} of {path}"
    assert seen >= 8


def walk(command, path):  # type: ignore[no-untyped-def]
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from walk(child, f"{path} {name}")


def test_the_docs_name_no_option_that_does_not_exist() -> None:
    from typer.main import get_command

    known = {
        name for _, command in walk(get_command(app), "stacklab") for option in command.params for name in option.opts
    }
    known |= {f"--no-{name[2:]}" for name in known} | {"--help"}
    root = Path(__file__).parents[2]
    for page in [root / "README.md", *(root / "docs").rglob("*.md")]:
        for line in page.read_text().splitlines():
            if re.search(
                r"(stacklab|\./run) (run|plan|status|report|generate|doctor|bench|studies|construct|heads)\b", line
            ):
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line):
                    assert option in known, f"{page.name}: {option} in {line!r}"


def test_a_python_caller_gets_a_data_frame(tiny: Path) -> None:
    import stacklab as lab

    study = lab.load_study(str(tiny), overrides={"train.steps": 2}, seeds=[1], out=tiny.parent / "out")
    result = study.run(engine="inline")
    assert list(result.table["arm"]) == ["deep", "shallow", "wide"]
    assert set(result.table["status"]) == {"finished"}
    assert json.loads((result.folder / "plan.json").read_text())["seeds"] == [1]


def test_a_plan_that_does_not_fit_is_shown_and_refused_without_measuring(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("stacklab.study.planning.fit.disk_bytes", lambda plan, *, workers: 2**60)
    monkeypatch.setattr("stacklab.study.planning.project.calibrate", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(SpecError, match="of disk"):
        plan_command(str(tiny), out=tiny.parent / "out")
    assert "not measured" in capsys.readouterr().out


@pytest.mark.parametrize("args", [["studies"], ["--help"], ["generate", "--help"]], ids=" ".join)
def test_a_reader_that_leaves_is_not_an_error(args: list[str], tmp_path: Path) -> None:
    """As `stacklab ... | head` in a shell, with a pipe whose other end is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "stacklab", *args], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
    assert stacklab(*args, cwd=tmp_path).returncode == 0
    assert stacklab(*args, "--none", cwd=tmp_path).returncode == 2
