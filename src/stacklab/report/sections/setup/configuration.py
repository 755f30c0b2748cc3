"""What was run: the matched controls, what each arm changes, every setting of the base, and
what the numbers cannot show."""

from stacklab.base.units import plain
from stacklab.report.facts.build import Facts
from stacklab.report.format.numbers import NOTHING, percent
from stacklab.report.format.table import TextTable, text_row
from stacklab.report.sections.section import Bullets, Details, Heading, Section, TableBlock, shown

QUANTITY_NAMES = {
    "total_parameters": "total parameters",
    "non_embedding_parameters": "non-embedding parameters",
    "flops_per_token": "FLOPs per token",
}


def controls(facts: Facts) -> Section | None:
    """None for a study without matched controls."""
    table = control_table(facts)
    if table is None:
        return None
    return Section(
        name="controls",
        title="Matched controls",
        lead="In a control one setting is solved so that one quantity equals that of another arm. The last columns "
        "show how the control then differs from that arm by each convention: equal in one is unequal in the others.",
        blocks=(TableBlock(table),),
    )


def configuration(facts: Facts) -> Section:
    compared = contrast_settings(facts)
    return Section(
        name="configuration",
        title="Configuration",
        lead=f"Scale {facts.scale.name}: {facts.scale.description}; expected time: {facts.scale.expected_time}.",
        blocks=shown(
            Heading("What each arm changes in the base"),
            TableBlock(changes(facts), "settings"),
            Heading("All that differs between two compared arms") if compared else None,
            TableBlock(compared, "settings") if compared else None,
            Details("Every setting of the base", (TableBlock(settings(facts), "settings long"),)),
        ),
    )


def control_table(facts: Facts) -> TextTable | None:
    """What each matched control solved, what is left over, and how it then differs by the other conventions."""
    matched = [(arm, arm.match) for arm in facts.arms if arm.match is not None]
    if not matched:
        return None
    heads = ("Control", "equals", "in", "by setting", "left over", *(QUANTITY_NAMES.values()))
    rows = []
    for arm, match in matched:
        target = next((other.label for other in facts.arms if other.name == match.to), match.to)
        others = [percent(match.others[name]) if name in match.others else NOTHING for name in QUANTITY_NAMES]
        solved = f"{match.knob} = {match.value:,}"
        quantity = "time per step" if match.quantity == "step_seconds" else QUANTITY_NAMES[match.quantity]
        rows.append(text_row(arm.label, target, quantity, solved, percent(match.residual), *others))
    measured = [f"{arm.label}: {match.times.text()}" for arm, match in matched if match.times]
    return TextTable(text_row(*heads), tuple(rows), notes=tuple(measured))


def settings(facts: Facts) -> TextTable:
    """The base, one setting a row."""
    rows = [text_row(path, plain(value)) for path, value in facts.base.items()]
    return TextTable(text_row("Setting", "Value"), tuple(rows))


def changes(facts: Facts) -> TextTable:
    """What each arm changes in the base."""
    rows = []
    for arm in facts.arms:
        for change in arm.changes:
            rows.append(text_row(arm.label, change.path, plain(change.left), plain(change.right)))
        if not arm.changes:
            rows.append(text_row(arm.label, "nothing: it is the base", "", ""))
    return TextTable(text_row("Arm", "Setting", "Base", "Arm"), tuple(rows))


def contrast_settings(facts: Facts) -> TextTable | None:
    """All that differs between two compared arms, once per pair."""
    pairs = {(contrast.arm_label, contrast.against_label): contrast.settings for contrast in facts.contrasts}
    rows = [
        text_row(f"{arm} against {against}", row.path, plain(row.right), plain(row.left))
        for (arm, against), differences in pairs.items()
        for row in differences
    ]
    return TextTable(text_row("Comparison", "Setting", "Arm", "Against"), tuple(rows)) if rows else None


def limits(facts: Facts) -> Section:
    return Section("limits", "Limits", (Bullets(facts.limits),))
