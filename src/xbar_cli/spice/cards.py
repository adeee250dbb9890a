"""Transistor cards: the built-in ones of `spice_netlists/cards`, and a user's own file."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xbar_cli.errors import ConfigError
from xbar_cli.outside import at_home, quoted
from xbar_cli.spice.cardfile import Line, read_card_file
from xbar_cli.spice.sizes import Size, model_size

BSIM4_LEVELS = frozenset((14, 54))


@dataclass(frozen=True)
class Card:
    """A checked transistor card.

    Attributes:
        name: what was asked for: a built-in name or the file's name.
        model: the model or subcircuit in it that is the transistor.
        kind: `model` (an M device) or `subckt` (an X device with nodes drain, gate, source, body).
        level: the model's level; None for a subcircuit.
        binned: whether the model is a family chosen by width and length.
        parameters: what a subcircuit takes, in lower case; empty for a model.
        text: netlist lines, comments dropped and includes read in.
        places: file and line number of each.
        sizes: geometry that each of its models is for, where the card says so in numbers; empty for a subcircuit.
        digest: SHA-256 of all that reaches the simulator.
    """

    name: str
    model: str
    kind: Literal["model", "subckt"]
    level: int | None
    binned: bool
    parameters: frozenset[str]
    text: tuple[str, ...]
    places: tuple[str, ...]
    sizes: tuple[Size, ...]
    digest: str

    @property
    def is_bsim4(self) -> bool:
        """Whether the instance takes BSIM4's parameters."""
        return self.level in BSIM4_LEVELS


def netlist_folder() -> Path:
    """Where netlists and cards are: in the package (installed wheel) or at the top of the repository (editable)."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "spice_netlists", package.parents[1] / "spice_netlists"):
        if (folder / "cards").is_dir():
            return folder
    raise ConfigError("the folder spice_netlists is missing: the installation is incomplete, install the package again")


def card_names() -> list[str]:
    """Names of the built-in cards, in alphabetical order."""
    return sorted(path.stem for path in (netlist_folder() / "cards").glob("*.lib"))


def load_card(card: str, model: str | None = None, *, section: str | None = None, nominal_values: bool = False) -> Card:
    """The card called `card`: a built-in name, or the path of a file of your own.

    Args:
        card: a name of `card_names()`, or a path.
        model: which NMOS model or subcircuit of the file; may be left out when there is one only.
        section: a `.lib` section of the file.
        nominal_values: take random functions at their nominal value; else a file with one is refused.

    Raises:
        ConfigError: no such card, file, section or model; several models and no name; not an NMOS; or a file that holds
            more than descriptions of devices.
    """
    names = card_names()
    if card in names:
        if section is not None or model not in (None, card):
            raise ConfigError(f"card {card} is built in: it has no section, and its model is {card}")
        path = netlist_folder() / "cards" / f"{card}.lib"
    else:
        path = Path(card)
        if not at_home(path).exists():
            raise ConfigError(f"card {quoted(card)} is neither built in ({', '.join(names)}) nor a file that is there")
    lines = read_card_file(path, section=section, nominal_values=nominal_values)
    models, subcircuits, body = _definitions(lines)
    found = _choose(models, subcircuits, model, card)
    text = tuple(line.text for line in lines)
    members = [line for name, line in models.items() if _family(name, models) == found]
    return Card(
        name=card if card in names else path.name,
        model=found,
        kind="model" if members else "subckt",
        level=_level(members[0]) if members else None,
        binned=bool(members) and found not in models,
        parameters=frozenset() if members else _subcircuit_parameters(subcircuits[found], body[found], card),
        text=text,
        places=tuple(line.place for line in lines),
        sizes=tuple(model_size(line.text) for line in members),
        digest=hashlib.sha256("\n".join((found, *text)).encode()).hexdigest(),
    )


def _choose(models: dict[str, Line], subcircuits: dict[str, Line], model: str | None, card: str) -> str:
    """Name of the transistor among what the file defines at its top level."""
    nmos = sorted({_family(name, models) for name, line in models.items() if line.words[2] == "nmos"})
    there = ", ".join([*nmos, *sorted(subcircuits)])
    if model is None:
        choice = nmos or sorted(subcircuits)
        if not choice:
            raise ConfigError(f"card {card}: it holds no NMOS .model and no .subckt")
        if len(choice) > 1:
            raise ConfigError(f"card {card}: it holds several models ({there}): choose one with cell.model")
        return choice[0]
    wanted = model.lower()
    if wanted in nmos or (wanted in subcircuits and wanted not in models):
        return wanted
    if wanted in models:
        raise ConfigError(f"card {card}: model {model} is of type {models[wanted].words[2]}, an NMOS is wanted")
    raise ConfigError(f"card {card}: no model {model} in it (it has: {there or 'none'})")


def _subcircuit_parameters(line: Line, body: list[Line], card: str) -> frozenset[str]:
    """What the subcircuit takes: the names on its own line, and those of the `.param` lines in its `body`.

    It must take a width and a length: the simulator ignores what is not declared.
    """
    head = re.split(r"\w+ ?=", line.text)[0].lower().replace("params:", "").split()
    parameters = frozenset(
        name.lower() for declared in (line, *body) for name in re.findall(r"(\w+) ?=(?!=)", declared.text)
    )
    if len(head) != 6 or not {"w", "l"} <= parameters:
        raise ConfigError(
            f"card {card}: subcircuit {head[1] if len(head) > 1 else ''} must have the four nodes"
            " drain, gate, source, body and the parameters w and l, on its own line or in a .param line of its own"
        )
    return parameters


def _definitions(lines: tuple[Line, ...]) -> tuple[dict[str, Line], dict[str, Line], dict[str, list[Line]]]:
    """Models and subcircuits defined outside any subcircuit, by name in lower case; the `.param` lines of each subcircuit."""
    models: dict[str, Line] = {}
    subcircuits: dict[str, Line] = {}
    body: dict[str, list[Line]] = {}
    depth, inside = 0, ""
    for line in lines:
        card = line.words[0]
        if card == ".subckt":
            if depth == 0 and len(line.words) > 1:
                inside = line.words[1]
                subcircuits[inside], body[inside] = line, []
            depth += 1
        elif card in (".param", ".params") and depth == 1 and inside:
            body[inside].append(line)
        elif card == ".ends":
            depth -= 1
        elif card == ".model" and depth == 0:
            models[line.words[1]] = line
    return models, subcircuits, body


def size_note(card: Card, *, width_m: float, length_m: float) -> str | None:
    """What is to be said of a transistor's size: None where the card is for it, or does not say what it is for.

    Raises ConfigError where the card is a family of models by size, none of them for this one.
    """
    if not card.sizes or any(size.holds(width_m=width_m, length_m=length_m) for size in card.sizes):
        return None
    known = "; ".join(dict.fromkeys(map(str, card.sizes)))
    asked = f"L {length_m * 1e9:.6g} nm and W {width_m * 1e9:.6g} nm"
    if card.binned:
        raise ConfigError(
            f"card {card.name}: no bin of {card.model} is for {asked}; it has {known} (cell.length_m, cell.width_m)"
        )
    return f"card {card.name}: {card.model} is for {known}, not for {asked}: its currents there are an extrapolation"


def _family(name: str, models: dict[str, Line]) -> str:
    """`nch` for the bins `nch.1`, `nch.2`, … that carry lmin and lmax; else the name itself."""
    base, _, number = name.rpartition(".")
    return base if base and number.isdigit() and "lmin" in models[name].text.lower() else name


def _level(line: Line) -> int:
    found = re.search(r"\blevel\s*=\s*(\d+)", line.text, re.IGNORECASE)
    return int(found.group(1)) if found else 1
