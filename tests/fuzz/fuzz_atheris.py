"""The same promises, with lines that atheris (coverage-guided, libFuzzer) finds; the arguments are libFuzzer's.

    pip install -e .[fuzz] -c packaging/constraints.txt
    python -m tests.fuzz.fuzz_atheris out/corpus -max_total_time=600 -rss_limit_mb=700 [-seed=1] [-runs=1000000]

An input is a stream of lines; half of the mutations are those of ``mutation``. A fault ends the run and is kept as
``crash-...``. The parsers are slower here, as each of their steps is watched, so time is judged by ``fuzz_lines``,
also for what was found here: ``python -m tests.fuzz.fuzz_lines --again out/corpus/*``.
"""

import logging
import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]  # not installed for the gate

with atheris.instrument_imports(include=["vxtray.core.parsers", "vxtray.core.sources.framing"]):
    from tests.fuzz.judge import Judge, say
    from tests.fuzz.material import own_lines, own_records, sample_lines
    from tests.fuzz.mutation import Mutator

_SAY_AFTER = 100_000

logging.disable(logging.CRITICAL)
judge = Judge(timed=False)
mutator = Mutator(1)
said = 0


def one_input(data: bytes) -> None:
    """Judge one input: as a stream of lines, and as a stream of a network."""
    global said  # noqa: PLW0603 - libFuzzer leaves with the process; nothing can be said at the end
    judge.stream([data])
    half = len(data) // 2
    judge.framing(data, [data[:half], data[half:]])
    if judge.total - said >= _SAY_AFTER:
        said = judge.total
        say(f"{judge.total} lines: {dict(judge.counts)}, slowest {judge.slowest * 1000:.1f} ms")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change an input, by turns in libFuzzer's way and in ours."""
    changed = atheris.Mutate(data, max_size) if seed % 2 else mutator.mutate(data)
    return bytes(changed[:max_size])


def main() -> None:
    """Fill an empty corpus and run."""
    for name in sys.argv[1:]:
        folder = Path(name)
        if not name.startswith("-") and not (folder.is_dir() and any(folder.iterdir())):
            folder.mkdir(parents=True, exist_ok=True)
            for number, line in enumerate([*own_lines(), *own_records(), *sample_lines()]):
                (folder / f"seed-{number:05d}").write_bytes(line)
    atheris.Setup(sys.argv, one_input, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
