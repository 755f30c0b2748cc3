"""A comparison of a plan as the ledger records it."""

import json
from typing import Any

from stacklab.base.canon import canonical_json
from stacklab.study.planning.contrast import differences, effective
from stacklab.study.planning.plan import ArmPlan, Contrast, Plan
from stacklab.study.planning.tuning import MARK, tuned_contrasts
from stacklab.study.results.ledger.entry import Experiment, Record, Side

WORDS = ("statement", "power")
"""Fields of a claim that decide no verdict."""


def entered_contrasts(plan: Plan) -> tuple[Contrast, ...]:
    """Every comparison of a saved plan that the ledger holds: those of tuned arms before their rates are known."""
    return (*plan.contrasts, *tuned_contrasts(plan))


def record(plan: Plan, contrast: Contrast) -> Record:
    """The claim, and both arms as configured. A tuned arm is recorded at the shared rate, with the grid."""
    arm, against = (plan.arm(name.removesuffix(MARK)) for name in (contrast.claim.arm, contrast.against))
    stated = contrast.claim.complete() | {"against": contrast.against}
    tuning = plan.tuning.dump() if plan.tuning and contrast.id.endswith(MARK) else None
    tokenizer = plan.data.get("tokenizer") if against.data_fingerprint == plan.data_fingerprint else None
    return Record(
        stated=_plain({name: value for name, value in stated.items() if name not in WORDS}),
        wording=contrast.claim.statement,
        experiment=Experiment(
            arm=_side(plan, arm),
            against=_side(plan, against),
            settings=_plain(effective(against.config)),
            differences=tuple(
                one.model_copy(update=_plain({"left": one.left, "right": one.right}))
                for one in differences(against.config, arm.config)
            ),
            seeds=plan.seeds,
            look=plan.look,
            looks=plan.looks,
            tokenizer=tokenizer.get("hash") if isinstance(tokenizer, dict) else None,
            tuning=_plain(tuning),
        ),
    )


def arms_of(contrast: Contrast) -> frozenset[str]:
    """The names of both arms; tuned ones under the name that they have at the shared rate."""
    return frozenset(name.removesuffix(MARK) for name in (contrast.claim.arm, contrast.against))


def _side(plan: Plan, arm: ArmPlan) -> Side:
    identity = plan.run_spec(arm, 0).run_id
    return Side(name=arm.name, label=arm.label, identity=identity, data=arm.data_fingerprint)


def _plain(value: Any) -> Any:
    """The value as it is read back from the file."""
    return json.loads(canonical_json(value))
