"""A user's transistor file, read as text that can only describe devices.

A card is often a file from elsewhere, and a netlist can run programs. So the file is not given to the simulator: its
includes are read in, its comments dropped (ngspice executes some of them), continued lines joined, and every line that
is left must be on a list of what describes devices. Only then does its text go into a circuit.
"""

import codecs
import re
from dataclasses import dataclass, replace
from pathlib import Path

from xbar_cli.errors import ConfigError
from xbar_cli.outside import at_home, quoted
from xbar_cli.spice.cardrandom import nominal, random_function

SIZE_LIMIT = 16 * 2**20
"""Bytes that all files of one card may have together."""

DEPTH_LIMIT = 16
"""How deep includes may go."""

FILES_LIMIT, LINES_LIMIT, LINE_LIMIT, NESTING_LIMIT = 256, 20_000, 100_000, 64
"""Files that a card may be made of, lines in all, characters of one, and how deep parentheses may stand: the simulator takes
a time that grows faster than each of them."""

DEVICE_LETTERS = frozenset("rcldmxjqbefghvi")
"""First letters of devices that a subcircuit may hold; not A, N, P, U, Y: code models and compiled models."""

MODEL_TYPES = frozenset(("nmos", "pmos", "r", "res", "c", "l", "d", "npn", "pnp", "njf", "pjf"))
"""Device models; any other type may be a code model."""

OPTIONS = frozenset(("tnom", "defad", "defas", "defl", "defw"))
"""Options about devices. Tolerances, temperature and scale are set by the run."""

_CHARACTERS = re.compile(r"[A-Za-z0-9_.,:+\-*/^(){}\[\]'=<>!&|?% \t]*")
_COMMENT = re.compile(r";|//|(?:^|(?<=\s))\$(?=\s|$)")
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'|(\S+)")
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip
"""Byte order marks of encodings that no simulator reads, the longer ones first."""
_FILE_VALUE = re.compile(r"\b\w*file\w*\s*=", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """One logical line, with the place where it starts."""

    text: str
    place: str

    @property
    def words(self) -> list[str]:
        """Its words in lower case, parentheses and commas taken as spaces."""
        return re.sub(r"[(),]", " ", self.text).lower().split()


def read_card_file(path: Path, *, section: str | None, nominal_values: bool = False) -> tuple[Line, ...]:
    """The lines of a card file, or of one `.lib` section of it, includes and sections read in and every line checked.

    Args:
        path: the file.
        section: the section; None for what stands outside of sections.
        nominal_values: take random functions at their nominal value; else they are refused.

    Raises:
        ConfigError: a file is missing, not plain text, too large or includes itself; a section is missing, or none was named
            and all is in sections; or a line is anything but a description of devices.
    """
    reader = _Reader()
    lines = reader.file(path, section=section, place="")
    if section is None and reader.sections and not any(line.words[:1] in ([".model"], [".subckt"]) for line in lines):
        raise ConfigError(
            f"card {path.name}: its models are in sections; choose one with cell.section: {', '.join(reader.sections)}"
        )
    if len(lines) > LINES_LIMIT:
        raise ConfigError(f"card {path.name}: {len(lines)} lines; at most {LINES_LIMIT} are read")
    lines = [_seeded(line, nominal_values=nominal_values) for line in lines]
    _check(lines)
    return tuple(lines)


def _seeded(line: Line, *, nominal_values: bool) -> Line:
    """A line without random functions: the simulator would draw their numbers, and no seed would fix them."""
    try:
        text = nominal(line.text) if nominal_values else line.text
    except ValueError as error:
        raise ConfigError(f"{line.place}: {error}") from None
    name = random_function(text)
    if name is not None:
        remedy = "it has no nominal value" if nominal_values else "take nominal values (cell.nominal)"
        raise ConfigError(
            f"{line.place}: {name}() draws random numbers, which the seed of a run does not fix; {remedy}"
        )
    return replace(line, text=text)


def _decoded(data: bytes, path: Path, at: str) -> str:
    """The text of a file: ASCII, UTF-8 or Latin-1 (in comments), perhaps with UTF-8's byte order mark."""
    name = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    if name is None and data.count(0) > len(data) // 4:
        name = "UTF-16 or another encoding with zero bytes"
    if name is not None:
        raise ConfigError(f"{at}card file {path} is {name} text; save it as UTF-8 or ASCII")
    return data.removeprefix(codecs.BOM_UTF8).decode("latin-1")


class _Reader:
    """Reads files into logical lines, following `.include` and `.lib`."""

    def __init__(self) -> None:
        self._size = self._files = 0
        self._open: list[tuple[Path, str | None]] = []
        self.sections: list[str] = []
        """Sections of the first file."""

    def file(self, path: Path, *, section: str | None, place: str) -> list[Line]:
        at = f"{place}: " if place else ""
        try:
            full = at_home(path).resolve() if not place else path.resolve()
            if not full.is_file():
                raise ConfigError(f"{at}card file {path} is not there, or is not a plain file")
            self._size += full.stat().st_size
            self._files += 1
            if self._files > FILES_LIMIT:
                raise ConfigError(f"{at}card file {path}: more than {FILES_LIMIT} files are included")
            if self._size > SIZE_LIMIT:
                raise ConfigError(f"{at}card file {path}: more than {SIZE_LIMIT // 2**20} MiB of cards")
            text = _decoded(full.read_bytes(), path, at)
        except OSError as error:
            raise ConfigError(f"{at}card file {path} cannot be read: {error.strerror}") from error
        if (full, section) in self._open or len(self._open) >= DEPTH_LIMIT:
            raise ConfigError(f"{at}card file {path} includes itself, or includes go deeper than {DEPTH_LIMIT}")
        self._open.append((full, section))
        lines = self._expand(_logical_lines(text, path), full, section)
        self._open.pop()
        return lines

    def _expand(self, lines: list[Line], path: Path, section: str | None) -> list[Line]:
        """Keep what stands in `section` (outside every section when None), with its includes read in."""
        kept: list[Line] = []
        inside: str | None = None
        sections: list[str] = []
        for index, line in enumerate(lines):
            card, _, rest = line.text.partition(" ")
            names = [first or second or third for first, second, third in _QUOTED.findall(rest)]
            card = card.lower()
            if card == ".lib" and len(names) == 1:
                if inside is not None:
                    raise ConfigError(f"{line.place}: section {names[0]} begins inside section {inside}")
                sections.append(names[0].lower())
                inside = sections[-1]
            elif card == ".endl":
                inside = None
            elif inside != (section.lower() if section else None):
                continue
            elif card in (".include", ".inc", ".incl") and len(names) == 1:
                kept += self.file(path.parent / names[0], section=None, place=line.place)
            elif card == ".lib" and len(names) == 2:
                kept += self.file(path.parent / names[0], section=names[1], place=line.place)
            elif card == ".end":
                if index != len(lines) - 1:
                    raise ConfigError(f"{line.place}: there are lines after .end")
            else:
                kept.append(line)
        if len(self._open) == 1:
            self.sections = list(dict.fromkeys(sections))
        if section is not None and section.lower() not in sections:
            raise ConfigError(f"{path.name}: no section {section} (it has: {', '.join(sections) or 'none'})")
        return kept


def _logical_lines(text: str, path: Path) -> list[Line]:
    """Lines without comments, continuations joined."""
    parts: list[tuple[list[str], str]] = []
    for count, raw in enumerate(text.splitlines(), start=1):
        bare = _without_comment(raw).strip()
        if not bare or bare.startswith("*"):
            continue
        place = f"{path.name} line {count}"
        if bare.startswith("+"):
            if not parts:
                raise ConfigError(f"{place}: a continuation of nothing")
            parts[-1][0].append(bare[1:].strip())
        else:
            parts.append(([bare], place))
    lines = [Line(" ".join(" ".join(words).split()), place) for words, place in parts]
    for line in lines:
        _check_size(line)
    return lines


def _check_size(line: Line) -> None:
    """Raise ConfigError for a line that is longer or nested deeper than a description of a device."""
    if len(line.text) > LINE_LIMIT:
        raise ConfigError(f"{line.place}: a line of {len(line.text)} characters; at most {LINE_LIMIT} are read")
    depth = deepest = 0
    for mark in re.findall(r"[()]", line.text):
        depth += 1 if mark == "(" else -1
        deepest = max(deepest, depth)
    if deepest > NESTING_LIMIT:
        raise ConfigError(f"{line.place}: parentheses {deepest} deep; at most {NESTING_LIMIT} are read")


def _without_comment(raw: str) -> str:
    """The line up to an end-of-line comment; quoted file names of includes may hold `//`."""
    if raw.lstrip().startswith("*"):
        return ""
    quoted = re.match(r"\s*\.(?:inc|incl|include|lib)\s+(\"[^\"]*\"|'[^']*')", raw, re.IGNORECASE)
    start = quoted.end() if quoted else 0
    found = _COMMENT.search(raw, start)
    return raw[: found.start()] if found else raw


def _check(lines: list[Line]) -> None:
    """Every line describes devices, or it is refused. The place of subcircuits is tracked: devices stand inside."""
    depth = 0
    for line in lines:
        card = line.words[0] if line.words else ""
        shown = line.text.split()[0][:30]
        if not _CHARACTERS.fullmatch(line.text):
            raise ConfigError(f"{line.place}: {quoted(shown)}: a character that no description of a device needs")
        if _FILE_VALUE.search(line.text):
            raise ConfigError(f"{line.place}: {quoted(shown)} names a file; a card may not read or write files")
        match card:
            case ".model":
                if len(line.words) < 3 or line.words[2] not in MODEL_TYPES:
                    kind = line.words[2] if len(line.words) > 2 else "nothing"
                    raise ConfigError(
                        f"{line.place}: .model of type {quoted(kind)} is not a device model that a card may hold"
                    )
            case ".subckt":
                depth += 1
            case ".ends":
                depth -= 1
            case ".param" | ".params":
                pass
            case ".option" | ".options" | ".opt":
                _check_options(line)
            case _ if depth > 0 and card[:1] in DEVICE_LETTERS:
                pass
            case _ if card[:1].isalpha():
                where = "inside a subcircuit" if depth else "outside a subcircuit"
                raise ConfigError(f"{line.place}: {quoted(shown)}: a card may not hold this {where}")
            case _:
                raise ConfigError(
                    f"{line.place}: {quoted(shown)} is refused: a card may hold .model, .subckt, .param, .lib, .include and"
                    " .options, nothing that commands the simulator"
                )
        if depth < 0:
            raise ConfigError(f"{line.place}: .ends without .subckt")
    if depth:
        raise ConfigError(f"{lines[-1].place}: a .subckt has no .ends")


def _check_options(line: Line) -> None:
    for word in re.sub(r"\s*=\s*", "=", line.text).split()[1:]:
        name, _, value = word.partition("=")
        if name.lower() not in OPTIONS or not value:
            raise ConfigError(
                f"{line.place}: option {quoted(name[:30])} is refused: a card may set {', '.join(sorted(OPTIONS))};"
                " temperature, scale and tolerances belong to the run"
            )
