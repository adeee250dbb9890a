"""Whether the figures that a search joins are of one piece of hardware: what an evaluation and a cost of one design state."""

from pathlib import Path

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.load import stored
from xbar_cli.energy.agreement import of_energy, of_evaluation, paired
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.runs.opening import open_run
from xbar_cli.search.asked import EVALUATE, Search
from xbar_cli.search.trial import Trial

ENERGY = "energy"


def disagreement(search: Search, trial: Trial, out: Path) -> str | None:
    """What an evaluation and a cost of the same mapping contradict each other in, both values named; None where they agree.

    `xbar pareto` refuses such a pair; a search says it, because whoever wrote the stages may have left out what costs nothing.
    """
    runs = {stage: out / keys[-1] for stage, keys in trial.runs.items() if stage in search.experiment.last and keys}
    commands = search.experiment.commands
    for evaluation in (path for stage, path in runs.items() if commands[stage] == EVALUATE):
        for cost in (path for stage, path in runs.items() if commands[stage] == ENERGY):
            try:
                found = contradiction(evaluation, cost)
            except (RunError, KeyError):  # another search's runs, moved or made by hand: nothing to compare
                continue
            if found is not None:
                return found
    return None


def contradiction(evaluation: Path, cost: Path) -> str | None:
    """What two runs contradict each other in."""
    _, evaluated = open_run(evaluation, commands=(EVALUATE,), use="xbar search")
    _, costed = open_run(cost, commands=(ENERGY,), use="xbar search")
    config = stored(EvaluateConfig, evaluation)
    if Path(costed["run"]).name != Path(config.run).name:
        return None
    rows, columns = costed["tile"]
    try:
        paired(of_energy(cost, costed), costed["operation"], of_evaluation(evaluation, config, evaluated),
               tile=(rows, columns))  # fmt: skip
    except ConfigError as error:
        return str(error)
    return None
