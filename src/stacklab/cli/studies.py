"""`stacklab studies`"""

from stacklab.cli.options import results_console


def studies() -> None:
    """List the built-in studies with their questions and scales."""
    from rich.table import Table
    from rich.text import Text

    from stacklab.study.spec.load import builtin_studies, load_tree, validate

    console = results_console()
    for name, path in builtin_studies().items():
        study = validate(*load_tree(path))
        console.print(Text(name, style="bold"), f"  {study.question}", sep="")
        table = Table("scale", "arms", "seeds", "what", "expected time", box=None, padding=(0, 2, 0, 2))
        for scale, settings in study.scales.items():
            arms = len(settings.arms or study.arms)
            table.add_row(scale, str(arms), str(len(settings.seeds)), settings.description, settings.expected_time)
        console.print(table)
        command = Text(f"stacklab run {name} --scale {next(iter(study.scales))}\n", style="bold")
        console.print("  run it: ", command, sep="")
