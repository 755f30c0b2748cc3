"""The verdicts on the claims: forest plot, values by seed, tests, and what this scale leaves out."""

from collections import Counter
from collections.abc import Sequence

from stacklab.report.facts.build import Facts
from stacklab.report.facts.contrasts import ContrastFact
from stacklab.report.format.numbers import NOTHING, alone, difference_text, interval_text, signed
from stacklab.report.format.table import CsvTable, TextCell, TextTable, interval_columns, text_row, value_or_none
from stacklab.report.format.verdicts import Mark, mark_of, reason_text, values_text, why
from stacklab.report.sections.claims.evidence import against_control, control_csv, evidence, evidence_columns
from stacklab.report.sections.claims.forest_plot import ForestBlock, ForestRow, forest_groups
from stacklab.report.sections.section import Block, Bullets, Details, Paragraph, Section, TableBlock, shown
from stacklab.run.metrics import Metric
from stacklab.stats.result import Needed
from stacklab.study.results.analyse import Pair

TESTS = (
    "The verdict rests on the first test, after Holm's correction over the confirmatory comparisons; Benjamini and "
    "Hochberg's covers all comparisons; "
    "the permutation test assumes no shape of the noise (paired comparisons: signs are flipped by seed); the effect is "
    "in standard deviations of the paired difference (Hedges); the correlation shows what pairing by seed gains."
)
DUNNETT = (
    "Dunnett's test: every arm against one control, at one level for all arms of a metric. It does not use the pairing "
    "by seed and decides no verdict."
)


def claims(facts: Facts) -> Section | None:
    """None for a single arm, which has nothing to be compared with."""
    if len(facts.arms) == 1 and not facts.contrasts and not facts.not_asked:
        return None
    return Section(
        name="verdicts",
        title="Verdicts",
        lead=_lead(facts) if facts.contrasts else "",
        blocks=shown(_forest(facts), _exploratory(facts), _evidence(facts), _control(facts), _left_out(facts)),
        csv=(_claims_csv(facts), _pairs_csv(facts), control_csv(facts)),
    )


def verdicts(facts: Facts, *, confirmatory: bool) -> TextTable:
    """A comparison a row."""
    rows = []
    for contrast in facts.contrasts:
        if contrast.confirmatory != confirmatory:
            continue
        style = facts.metric(contrast.metric).style
        verdict = TextCell(f"{mark_of(contrast).glyph} {contrast.word}")
        difference = TextCell(difference_text(style, contrast.difference), values_text(contrast))
        bootstrap = TextCell(interval_text(style, contrast.bootstrap))
        rows.append((TextCell(contrast.statement), verdict, difference, bootstrap, TextCell(why(contrast))))
    return TextTable(text_row("Claim", "Verdict", "Difference [t interval]", "[bootstrap]", "Reason"), tuple(rows))


def pairs(metric: Metric, rows: Sequence[ForestRow]) -> TextTable:
    """The values behind the comparisons of one claim, a seed a row."""
    texts = [
        text_row(
            f"{row.contrast.arm_label} against {row.contrast.against_label}",
            str(pair.seed),
            alone(metric.style, pair.arm),
            alone(metric.style, pair.against),
            NOTHING if pair.difference is None else signed(metric.style, pair.difference),
        )
        for row in rows
        for pair in row.contrast.pairs
    ]
    return TextTable(text_row("Comparison", "Seed", "Arm", "Against", "Difference"), tuple(texts))


def tally(facts: Facts) -> list[tuple[Mark, str, int]]:
    """Each verdict with the number of comparisons that have it."""
    counts = Counter((mark_of(contrast), contrast.word) for contrast in facts.contrasts)
    return [(mark, word, count) for (mark, word), count in counts.items()]


def _lead(facts: Facts) -> str:
    return (
        "Claims were written before the runs, unless one is marked. A difference is the first arm minus the other, "
        f"{_pairing(facts)}. The line is the t interval, which decides; the thick bar is the bootstrap interval, for "
        "comparison."
    )


def _pairing(facts: Facts) -> str:
    """How the two arms of a comparison are paired, and what the dots are."""
    kinds = {contrast.pairing for contrast in facts.contrasts}
    paired = "paired by seed (dots: the raw pairs)"
    unpaired = "unpaired (dots: every run of either arm against the mean of the other)"
    if kinds == {"paired", "unpaired"}:
        return f"{paired}; where the arms differ in a setting that changes the batches, {unpaired}"
    return unpaired if kinds == {"unpaired"} else paired


def _forest(facts: Facts) -> Block:
    if not facts.contrasts:
        return Paragraph("This study makes no claim at this scale.")
    return _plot(facts, "claims", confirmatory=True) or Paragraph("This scale keeps no primary claim of the study.")


def _exploratory(facts: Facts) -> Details | None:
    """The claims outside the confirmatory family, folded."""
    plot = _plot(facts, "claims-exploratory", confirmatory=False)
    if plot is None:
        return None
    number = sum(not contrast.confirmatory for contrast in facts.contrasts)
    return Details(f"{number} exploratory comparison{'s' if number > 1 else ''}", (plot,))


def _plot(facts: Facts, name: str, *, confirmatory: bool) -> ForestBlock | None:
    groups = forest_groups(facts, confirmatory=confirmatory)
    if not groups:
        return None
    table = verdicts(facts, confirmatory=confirmatory)
    return ForestBlock(name, groups, tuple(pairs(group.metric, group.rows) for group in groups), table)


def _evidence(facts: Facts) -> Details | None:
    if not facts.contrasts:
        return None
    summary = f"Tests, sizes of effects, and correction for {len(facts.contrasts)} comparisons"
    return Details(summary, (Paragraph(TESTS, soft=True), TableBlock(evidence(facts), "wide")))


def _control(facts: Facts) -> Details | None:
    table = against_control(facts)
    if table is None:
        return None
    return Details("All arms against the control, together", (Paragraph(DUNNETT, soft=True), TableBlock(table)))


def _left_out(facts: Facts) -> Details | None:
    if not facts.not_asked:
        return None
    return Details(f"{len(facts.not_asked)} comparisons left out at this scale", (Bullets(facts.not_asked),))


def _claims_csv(facts: Facts) -> CsvTable[ContrastFact]:
    return CsvTable(
        "claims.csv",
        facts.contrasts,
        {
            "comparison": lambda row: row.id,
            "statement": lambda row: row.statement,
            "metric": lambda row: row.metric,
            "arm": lambda row: row.arm,
            "against": lambda row: row.against,
            "direction": lambda row: row.claim.direction,
            "margin": lambda row: row.claim.margin,
            "level": lambda row: row.claim.level,
            "power": lambda row: row.claim.power,
            "verdict": lambda row: row.word,
            "reason": reason_text,
            "pairing": lambda row: row.pairing,
            "pairs": lambda row: len(row.pairs),
            "difference": lambda row: value_or_none(row.difference),
            **interval_columns(lambda row: row.difference),
            "bootstrap_low": lambda row: getattr(row.bootstrap, "low", None),
            "bootstrap_high": lambda row: getattr(row.bootstrap, "high", None),
            "bootstrap_confidence": lambda row: getattr(row.bootstrap, "level", None),
            "fewest_seeds": lambda row: row.seeds_needed.fewest if isinstance(row.seeds_needed, Needed) else None,
            "most_seeds": lambda row: row.seeds_needed.most if isinstance(row.seeds_needed, Needed) else None,
            "afterthought": lambda row: row.afterthought,
            **evidence_columns(),
        },
    )


def _pairs_csv(facts: Facts) -> CsvTable[tuple[ContrastFact, Pair]]:
    return CsvTable(
        "pairs.csv",
        [(contrast, pair) for contrast in facts.contrasts for pair in contrast.pairs],
        {
            "comparison": lambda row: row[0].id,
            "metric": lambda row: row[0].metric,
            "pairing": lambda row: row[0].pairing,
            "seed": lambda row: row[1].seed,
            "arm": lambda row: row[1].arm,
            "against": lambda row: row[1].against,
            "difference": lambda row: row[1].difference,
        },
    )
