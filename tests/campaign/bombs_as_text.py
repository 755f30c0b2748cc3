"""Bombs in forms of text: studies, records, tables, prose, logs, tokenizers, configurations of models."""

import json
from typing import Any

from tests.campaign.ground import DATA, STUDY

SCALARS = (
    *("020", "0x10", "0b11", "1_000", "1:30", "190:20:30", "2001-01-01", "2001-01-01 00:00:00", "1e3", ".5", "+1"),
    *("yes", "no", "on", "off", "y", "~", "null", ".inf", "-.inf", ".nan", "1e400", "9" * 5000, "1" + "0" * 30),
    *("${oc.env:CAMPAIGN_SECRET}", "${oc.env:HOME}", "${a}", "${.}", "${", "$" + "{a:" * 300 + "}" * 300),
    *("!!python/object/apply:os.system ['touch executed']", "!!binary aGk=", "!!timestamp x", "!!bool x", "!!int x"),
    *(
        "!!float x",
        "!!set {a}",
        "!!omap [a: 1]",
        "!!pairs [a: 1]",
        "!x y",
        "&a 1",
        "*a",
        "&a [*a]",
        "[" * 3000,
        "{a: " * 900,
    ),
    *(
        '"\\x1b[31mred\\a"',
        '"\\u202eabc"',
        '"\\ud800"',
        "[/]",
        "[bold]x",
        "[link=file:///etc/passwd]x[/link]",
        "'\x7f'",
    ),
    *(
        "/dev/zero",
        "../../../../etc/passwd",
        "/proc/self/mem",
        "/",
        ".",
        "x" * 5000,
        "é" * 3000,
        "{kind: x}",
        "{}",
        "[]",
    ),
    *("1000000000", "-1000000000", "99999999999999999999", "0.1", "1e-400", "[1, [2, [3]]]", "{a: {b: {c: 1}}}", "? x"),
)
"""Values that YAML or a terminal reads in another way than they look, or that no machine has room for."""


def yaml_bombs() -> list[Any]:
    text = STUDY.replace("NAME", "text").replace("DATA", DATA["text"])
    values = [text.replace("steps: 12", f"steps: {value}") for value in SCALARS]
    values += [text.replace("question: Does it hold?", f"question: {value}") for value in SCALARS]
    values += [text.replace("num_layers: 1", f"num_layers: {number}") for number in (10**9, 10**6, -1, "1" + "0" * 25)]
    values += [text.replace("seeds: [1, 2]", f"seeds: {seeds}") for seeds in (10**9, [10**30], list(range(20000)))]
    values += [text.replace("records", key) for key in ("true", "2001-99-99", "[a]", "{a: b}", "? a")]
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    whole = [laughs + text, "a: " + "[" * 300 + "]" * 300 + "\n" + text, "[" * 100_000, "{" * 100_000, "- " * 50_000]
    whole += [text + "x: {" + ",".join(f"k{n}: {n}" for n in range(100_000)) + "}\n", f"{'k' * 10**6}: 1\n" + text]
    whole += ["true: 1\n" + text, "2001-01-01: 1\n" + text, "<<: *a\n" + text, "<<: 1\n" + text, "--- 1\n--- 2\n"]
    whole += [text.replace("\n", "\r"), text.replace("  ", "\t"), "%YAML 9.9\n---\n" + text, "%TAG ! x\n---\n" + text]
    whole += [text + text, '"' + text, "|\n" + text, "a: |\n" + "  x\n" * 100_000 + text, "#" * 10**6 + "\n" + text]
    return [
        *(one.encode() for one in values + whole),
        *(text.encode(form) for form in ("utf-16", "utf-16-le", "utf-32")),
    ]


def json_bombs() -> list[Any]:
    """Rows, one per line or in a list."""
    deep = '{"text": "x", "y": ' + "[" * 100_000 + "]" * 100_000 + "}"
    odd = ['"a\\ud800b"', '"\\u001b[31m"', '"\\u0000"', "9" * 5000, "1e999", "NaN", "[]", "{}", "null", "true"]
    rows = [deep, *(f'{{"text": {value}}}' for value in odd), *(f'{{"text": "x", "n": {value}}}' for value in odd)]
    rows += ["{" + ",".join(f'"k{n}": {n}' for n in range(100_000)) + "}", '{"text": "' + "x" * 10**7 + '"}']
    rows += ['{"text": "' + "a b " * 10**5 + '"}', '{"text": "x", "text": "y"}', '{"text": "\x1b"}', "[" * 10**6]
    good = "".join(json.dumps({"text": f"record {n} of a corpus"}) + "\n" for n in range(30))
    return [*((good + row + "\n").encode() for row in rows), *(f"[{row}]".encode() for row in rows)]


def csv_bombs() -> list[Any]:
    wide = "text," + ",".join(f"c{n}" for n in range(100_000)) + "\n" + "x," * 100_000 + "x\n"
    rows = "question,reasoning,answer\n" + "why,so,because\n" * 30
    texts = [wide, rows + '"' + "x" * 200_000 + '"\n', rows + '"open\n' * 10_000, rows + "a\x00b,c,d\n", "," * 10**6]
    texts += [
        rows + "a\n",
        rows + "a,b,c,d,e\n",
        "question\n",
        "a,a,a\n1,2,3\n",
        rows.replace("\n", "\r"),
        "\n" * 10**6,
    ]
    return [text.encode() for text in texts] + [rows.encode("utf-16"), rows.encode() + b"\xff\xfe,\xed\xa0\x80,x\n"]


def text_bombs() -> list[Any]:
    texts = [
        "x" * 10**7,
        "\n\n" * 10**6,
        "a\n\n" * 10**6,
        "\x1b]0;title\x07\n\n" * 50,
        " " * 10**6,
        "é" * 10**6,
        "\u2028" * 10**5,
    ]
    return [text.encode() for text in texts] + [b"a\xed\xa0\x80b\n\n" * 50]


def log_bombs() -> list[Any]:
    lines = "".join(f"step {n}: train loss {4 - n / 50}, val loss {4.1 - n / 60}\n" for n in range(60))
    texts = ["step " * 100_000 + "\n" + lines, lines + "step 9: train loss " + "9" * 5000 + "\n", lines * 2000]
    texts += [
        lines + f"step {10**30}: train loss 1e400, val loss nan\n",
        lines.replace(" ", "\t"),
        "1" * 10**6,
        "|" * 10**6,
    ]
    texts += [
        lines + "\x1b[31mstep 61: train loss 1\x1b[0m\n",
        lines + "(" * 10**5,
        lines + "1," * 10**6,
        "# " * 10**5 + lines,
    ]
    texts += ["[/] [bold] 60.2M parameters, d_model 384\n" + lines, lines + '"' + "x" * 200_000 + '"\n']
    return [text.encode() for text in texts]


def tokenizer_bombs() -> list[Any]:
    from tests.fuzz.test_tokenizers import TEXT

    def changed(**parts: Any) -> bytes:
        return json.dumps(json.loads(TEXT) | parts).encode()

    def split(pattern: str) -> bytes:
        return changed(
            pre_tokenizer={"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        )

    def adds(number: int) -> bytes:
        marks = {"Z": {"id": "Z", "ids": [number], "tokens": ["Z"]}}
        single = [{"SpecialToken": {"id": "Z", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
        pair = [*single, {"Sequence": {"id": "B", "type_id": 0}}]
        return changed(
            post_processor={"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": marks}
        )

    patterns = ("(a+)+$", "(.*)*x", "(x+x+)+y", "(?=(\\w+))\\1:", "(" * 5000, "a{1,100000000}", "[", "(?i)" * 3000)
    added = {
        "id": 5,
        "content": "x",
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": True,
        "special": True,
    }
    model = json.loads(TEXT)["model"]
    made = [split(pattern) for pattern in patterns] + [adds(number) for number in (99999, 2**31, 2**32 - 1)]
    made += [changed(added_tokens=[added | {"content": text}]) for text in ("", "a", "\x1b[31m", "x" * 10**6)]
    made += [changed(added_tokens=[added | {"id": number}]) for number in (2**31, 2**32 - 1, 10**6)]
    made += [changed(model=model | {"vocab": vocab}) for vocab in ({}, {"a": 0}, {"a": 2**32 - 1}, {"a": 5, "b": 5})]
    made += [changed(model=model | {"merges": merges}) for merges in ([["q", "zz"]], ["a"], [["a"] * 3], 5)]
    made += [changed(model=model | {"continuing_subword_prefix": "x" * 500}), changed(truncation={"max_length": 0})]
    made += [changed(normalizer={"type": "Replace", "pattern": {"Regex": "(a*)*b"}, "content": "x" * 10**5})]
    return [*made, *json_bombs()[:4]]


def config_bombs() -> list[Any]:
    base = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 320, "hidden_size": 8}
    base |= {"intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    numbers = (0, -1, 10**9, 10**30, 1.5, "x", None, [], True)
    made = [base | {name: number} for name in base if isinstance(base[name], int) for number in numbers]
    made += [base | {"auto_map": {"AutoModelForCausalLM": "evil.Evil"}}, base | {"model_type": "\x1b[31m[/]"}]
    made += [base | {"rope_scaling": {"rope_type": "dynamic", "factor": 1e300}}, base | {"tokenizer_class": "../../x"}]
    return [*(json.dumps(one).encode() for one in made), *json_bombs()[:3]]
