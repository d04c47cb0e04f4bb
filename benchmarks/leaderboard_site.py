"""How long the leaderboard of 500 submissions takes to build, and each kind of page to load in a browser.

Submissions have 80 classes and made-up numbers; one model in five has three seeds. Loading is timed by the browser
itself (navigation start to the end of the load event), from the disk, each page five times in a new context; median
and range are printed. The targets are 30 s for building and 1 s a page (median), on two idle cores; the CPU times, of
the build and of the page's main thread, hardly depend on what else the machine does.

    python benchmarks/leaderboard_site.py [submissions=500]
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import browser as real  # noqa: E402
from made_submissions import make_submission  # noqa: E402

from psis_bench import console  # noqa: E402

BUILD_SECONDS, LOAD_SECONDS = 30.0, 1.0
LOADED = "(() => { const [entry] = performance.getEntriesByType('navigation'); return entry.loadEventEnd; })()"


def make_zoo(folder: Path, submissions: int) -> None:
    """Write a model zoo of this many submissions beside the published rows of the checkout."""
    shutil.copytree(ROOT / "model_zoo" / "published", folder / "published")
    made = 0
    while made < submissions:
        model, title = f"model-{made:04d}", f"Model {made} with a title of ordinary length"
        seeds = (0, 1, 2) if made % 5 == 0 else (0,)
        for seed in seeds[: submissions - made]:
            make_submission(
                folder / "submissions", model=model, title=title, seed=seed, seeds=seeds, strength=0.5 + made % 30 / 100
            )
            made += 1


def build(zoo: Path, out: Path) -> tuple[float, float]:
    """Return the seconds that the command takes, start of Python included: by the clock, and of CPU."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "psis_bench.cli", "leaderboard", "build", f"zoo={zoo}", f"out={out}"]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu


def load(site: Path) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the seconds of five loads of one page of each kind, in order: by the clock, and of the page's CPU."""
    pages = {
        "index": site / "index.html",
        "split": site / "splits" / "voc2nonvoc@1.html",
        "submission": next((site / "rows" / "voc2nonvoc@1").glob("model-0000*")),
        "published row": next((site / "rows" / "voc2nonvoc@1").glob("birodkar2021-table08*")),
    }
    times: dict[str, list[float]] = {name: [] for name in pages}
    used: dict[str, list[float]] = {name: [] for name in pages}
    with real.started() as chromium:
        for name, path in pages.items():
            for _ in range(5):
                with real.watched(chromium) as watch:
                    session = watch.page.context.new_cdp_session(watch.page)
                    session.send("Performance.enable", {"timeDomain": "threadTicks"})
                    times[name].append(watch.open(path).evaluate(LOADED) / 1000)
                    metrics = session.send("Performance.getMetrics")["metrics"]
                    used[name].append(next(item["value"] for item in metrics if item["name"] == "TaskDuration"))
    in_order = [{name: sorted(values) for name, values in measured.items()} for measured in (times, used)]
    return in_order[0], in_order[1]


def main() -> int:
    """Print the times; 1 when a target is missed."""
    submissions = int(next((word.partition("=")[2] for word in sys.argv[1:] if word.startswith("submissions=")), "500"))
    with tempfile.TemporaryDirectory() as folder:
        zoo, site = Path(folder) / "model_zoo", Path(folder) / "site"
        make_zoo(zoo, submissions)
        seconds, cpu = build(zoo, site)
        files = [path for path in site.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        console.out.print(
            f"{submissions} submissions: built in {seconds:.1f} s (target {BUILD_SECONDS:g} s), CPU {cpu:.1f} s"
        )
        console.out.print(f"{len(files)} files, {size / 1e6:.1f} MB")
        times, used = load(site)
        for name, values in times.items():
            shown = f"{values[2]:.2f} s [{values[0]:.2f}, {values[-1]:.2f}], CPU {used[name][2]:.2f} s"
            console.out.print(f"{name}: loaded in {shown} (target {LOAD_SECONDS:g} s)", markup=False)
    return int(seconds > BUILD_SECONDS or max(values[2] for values in times.values()) > LOAD_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
