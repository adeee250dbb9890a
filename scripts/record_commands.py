"""Records the JSON of a fixed list of commands, and compares two records: does a change of structure change any figure?

    python scripts/record_commands.py record FOLDER
    python scripts/record_commands.py compare BEFORE AFTER

FOLDER gets one JSON file a command and the runs that they make of the bundled data (tiny networks: a few minutes). What is
time, path or version is left out of the comparison.
"""

import contextlib
import io
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")

SET = "--network mlp --hidden 12 --train-images 600 --batch-size 50"
TINY = f"{SET} --epochs 2"
FEW = "--images 200 --samples 2"
COMMANDS = {
    "cell": "characterize --vg-range 0.8:1.0:0.1 --g-points 32 --vin-range 0.01:0.5:26 --vbl 60m --no-cache",
    "power": "characterize power --vg-range 0.8:1.0:0.1 --samples 4 --no-cache",
    "array": "characterize array --size 4x4 --inputs 2",
    "tile": "characterize tile --size 8x8",
    "ideal": f"train {TINY} --schedule cosine --clip-norm 5 --inject normal:0.05",
    "lenet": "train --network lenet5 --train-images 300 --epochs 1",
    "row": f"train {TINY} --bias row",
    "neat": f"train --method neat {SET} --cell @cell --vg 0.8 --start @ideal --rounds 1 --epochs-per-round 1",
    "neat-auto": f"train --method neat {TINY} --cell @cell --vg auto --rounds 1 --epochs-per-round 1",
    "tat": f"train --method tat {TINY} --array published --technology taox --r-source 800 --r-neuron 200",
    "tat-lumped": f"train --method tat {TINY} --array lumped --refold 3 --technology taox --r-source 800",
    "tat-nodal": f"train --method tat {TINY} --array nodal --technology taox --tile 64x128 --r-wire 2",
    "periphery": f"train --method periphery {TINY} --scheme acm --bits 4 --nonlinearity 2",
    "biased": f"train --method biased {TINY} --start @ideal --favourable 0,1,2 --encoding differential",
    "map-de": "map @ideal --scheme de --bits 4",
    "map-bc": "map @ideal --scheme bc --bits 3 --weight-scale column",
    "map-acm": "map @ideal --scheme acm",
    "map-slices": "map @ideal --scheme bitslice --weight-bits 6 --encoding twos_complement",
    "map-ratio": "map @tat",
    "map-cell": "map @neat --tile 64x64",
    "map-pulses": "map @neat-auto --input pwm --dac-bits 6 --v-read 0.3",
    "map-lenet": "map @lenet --tile 64x64",
    "map-dense": "map @lenet --layers dense",
    "map-limit": "map @ideal --bits 3 --weight-limit auto --technology taox",
    "eval": f"eval @ideal --variation 0.05 {FEW}",
    "eval-mapped": f"eval @map-acm --variation 0.1 --variation-model proportional --per-layer {FEW}",
    "eval-lumped": f"eval @map-de --array lumped --r-source 500 --r-neuron 500 {FEW}",
    "eval-shared": f"eval @map-ratio --array published --neuron shared --r-source 800 --r-neuron 200 {FEW}",
    "eval-nodal": f"eval @map-de --array nodal --r-wire 2 --r-source 100 --calibrate affine {FEW}",
    "eval-gated": f"eval @map-cell --variation 0.02 {FEW}",
    "eval-gated-wires": "eval @map-cell --r-wire 1 --images 4 --samples 1",
    "eval-pulses": f"eval @map-pulses {FEW}",
    "eval-adc": f"eval @map-slices --input bitserial --dac-bits 6 --adc-bits 8 --adc-range levels {FEW}",
    "eval-adc-errors": "eval @map-de --dac-bits 8 --adc-bits 6 --adc-range percentile:99 --adc-gain-error 0.05 "
    f"--adc-offset-error 0.01 {FEW}",
    "eval-effects": "eval @map-de --effect write_verify:tolerance=0.05 --effect lognormal:sigma=0.1 "
    f"--effect stuck:on=0.01,off=0.01 --effect drift:t=1000,t0=1,nu=0.05,nu_sigma=0.01 --effect read_noise:relative=0.02 {FEW}",
    "eval-states": f"eval @ideal --scheme bitslice --technology rram2bit --effect states:scale=0.5 {FEW}",
    "eval-corner": f"eval @map-ratio --effect chip_corner:k=-2 {FEW}",
    "eval-chips": f"eval @map-de --effect chip_to_chip:sigma=0.1 --negative reflect {FEW}",
    "eval-pcm": f"eval @map-de --effect pcm_drift:t=1000 {FEW}",
    "eval-width": "eval @ideal --variation 0.1 --images 200 --ci-width 0.2 --yield-at 0.5",
    "eval-lenet": f"eval @map-lenet --array nodal --r-wire 1 --variation 0.02 {FEW}",
    "eval-row": f"eval @row --array lumped --r-source 200 {FEW}",
    "eval-biased": f"eval @biased {FEW}",
    "eval-periphery": f"eval @periphery --dac-bits 8 {FEW}",
    "energy-resparc": "energy @map-cell --model resparc",
    "energy-neurosim": "energy @map-de --model neurosim --images 16",
    "energy-isaac": "energy @map-slices --model isaac --images 16",
    "energy-wires": "energy @map-de --r-wire 2 --images 16",
    "energy-worst": "energy @map-lenet --images 0",
    "energy-acm": "energy --preset acm-table1 --model neurosim",
    "energy-biased": "energy --preset biased-table1 --model isaac",
    "energy-neat": "energy --preset neat",
    "compare": "compare @eval @eval-width",
    "pareto": "pareto @energy-resparc @energy-neurosim",
    "verify": "verify",
    "report": "report @eval @energy-resparc",
    "data": "data ls",
}
"""By name, which is that of the run directory; `@NAME` is the run of that command."""
NO_OUT = ("data", "verify")
LEFT_OUT = ("seconds", "per_second", "out", "speed", "figures", "path", "version", "cached")
"""Parts of keys whose values may differ."""


def record(folder: Path) -> int:
    """Run every command; its exit code and JSON in FOLDER/NAME.json."""
    from xbar_cli.cli.main import guarded

    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for name, line in COMMANDS.items():
        words = [f"runs/{word[1:]}" if word.startswith("@") else word for word in line.split()]
        suffix = ".html" if name == "report" else ""
        out = [] if name in NO_OUT else ["--out", f"runs/{name}{suffix}"]
        quiet = [] if name in ("data", "report", "verify") else ["--quiet"]
        stdout, stderr, start = io.StringIO(), io.StringIO(), time.perf_counter()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = guarded([*words, *out, *quiet, "--json"])
        text = stdout.getvalue()
        found = {
            "command": line,
            "code": code,
            "json": json.loads(text) if text.strip() else None,
            "error": stderr.getvalue(),
        }
        Path(f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(
            f"{name:18s} exit {code} {time.perf_counter() - start:6.1f} s  {stderr.getvalue().strip()[:150] if code else ''}",
            flush=True,
        )
    return 0


def compare(before: Path, after: Path) -> int:
    """Print every key whose value differs."""
    count = 0
    for file in sorted(before.glob("*.json")):
        one, other = (json.loads((folder / file.name).read_text(encoding="utf-8")) for folder in (before, after))
        for key, a, b in differences(
            f"{file.stem}", {k: one[k] for k in ("code", "json")}, {k: other[k] for k in ("code", "json")}
        ):
            count += 1
            print(f"{key}: {str(a)[:120]} -> {str(b)[:120]}")
    print(f"{count} differences over {len(list(before.glob('*.json')))} commands")
    return int(count > 0)


def differences(key: str, a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    """Leaves that differ, without those of `LEFT_OUT`; numbers to the last bit."""
    if any(part in key.rpartition(".")[2] for part in LEFT_OUT):
        return []
    if isinstance(a, dict) and isinstance(b, dict):
        names = sorted({*a, *b})
        return [
            found
            for name in names
            for found in differences(f"{key}.{name}", a.get(name, "absent"), b.get(name, "absent"))
        ]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [found for n, (x, y) in enumerate(zip(a, b, strict=True)) for found in differences(f"{key}[{n}]", x, y)]
    same = a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))
    return [] if same else [(key, a, b)]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", folder]:
            sys.exit(record(Path(folder)))
        case ["compare", before, after]:
            sys.exit(compare(Path(before), Path(after)))
        case _:
            sys.exit(__doc__)
