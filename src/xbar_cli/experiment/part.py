"""A part of an experiment: one stage and what it needs."""

from dataclasses import replace

from xbar_cli.config.base import require
from xbar_cli.experiment.file import Axis, Experiment, label
from xbar_cli.outside import quoted


def only_stage(experiment: Experiment, stage: str) -> Experiment:
    """The experiment of a stage and of the stages that it needs, over the swept keys of these alone.

    Its runs are those that the whole experiment has at these points: same configuration, same names.
    """
    names = ", ".join(experiment.stages)
    require(stage in experiment.stages, f"{experiment.file}: there is no stage {quoted(stage)}; stages: {names}")
    kept: set[str] = set()

    def keep(name: str) -> None:
        if name not in kept:
            kept.add(name)
            for need in experiment.needs[name]:
                keep(need)

    keep(stage)
    axes = (_kept(axis, kept) for axis in experiment.axes)
    return replace(
        experiment,
        stages={name: tree for name, tree in experiment.stages.items() if name in kept},
        commands={name: command for name, command in experiment.commands.items() if name in kept},
        needs={name: needs for name, needs in experiment.needs.items() if name in kept},
        axes=tuple(axis for axis in axes if axis.keys),
    )


def _kept(axis: Axis, stages: set[str]) -> Axis:
    """The keys of an axis that are of these stages, each combination of their values once."""
    places = [i for i, key in enumerate(axis.keys) if key.partition(".")[0] in stages]
    rows = {tuple(label(row[i]) for i in places): tuple(row[i] for i in places) for row in axis.rows}
    return Axis(tuple(axis.keys[i] for i in places), tuple(rows.values()))
