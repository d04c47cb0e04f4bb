"""The rules of the repository. Each failure says what is missing and where it goes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import psis_bench

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "psis_bench"
FULL_INSTALL_ONLY = ("models", "engine")  # the only parts of the package that may import torch and the mm packages
HEAVY = ("torch", "torchvision", "mmcv", "mmdet", "mmengine", "tensorboard", "safetensors")

TESTED_WITH = {  # part of the package -> the test file of another part that holds it
    "commands": "tests/cli/test_cli.py",
    "config.py": "tests/cli/test_config.py",
    "config_listing.py": "tests/cli/test_config.py",
    "config_overrides.py": "tests/cli/test_config.py",
    "doctor.py": "tests/cli/test_doctor.py",
    "doctor_probe.py": "tests/cli/test_doctor.py",
    "overwriting.py": "tests/cli/test_run.py",
    "pipeline.py": "tests/cli/test_pipeline.py",
    "run.py": "tests/cli/test_run.py",
    "run_length_numbers.py": "tests/test_run_length_strings.py",
    "run_lengths.py": "tests/test_rle.py",
    "stages.py": "tests/cli/test_pipeline.py",
    "teacher.py": "tests/end_to_end/test_teacher.py",
    "yaml_file.py": "tests/splits/test_custom.py",
}

LONGEST_FILE = 350
LONGER_FOR_A_REASON: dict[str, str] = {}  # path -> reason

# A tracked text must make sense on every machine: no home, temporary or mount folder, no address of a package index.
OF_ONE_MACHINE = re.compile(
    r"""(?<![\w./<$}-])/(?:home|root|Users|tmp|work|mnt|opt|scratch)/[\w.-]+  # a folder
    |(?:files\.)?pythonhosted\.org|pypi\.org/simple|download\.pytorch\.org|(?:extra-)?index-url|find-links""",
    re.VERBOSE,
)
MAY_NAME_FOLDERS = {"tests/test_repository.py"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := REPOSITORY / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py"]


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_files_are_short() -> None:
    lines = {relative(path): len(path.read_text("utf-8").splitlines()) for path in python_files()}
    long = {name: count for name, count in lines.items() if count > LONGEST_FILE and name not in LONGER_FOR_A_REASON}
    assert not long, f"more than {LONGEST_FILE} lines: split them by idea (or give a reason in {__name__}): {long}"
    stale = [name for name in LONGER_FOR_A_REASON if lines.get(name, 0) <= LONGEST_FILE]
    assert not stale, f"short enough by now, remove the reason: {stale}"


def test_functions_are_short() -> None:
    long = [
        f"{relative(path)}:{node.lineno} {node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno + 1 > 100
    ]
    assert not long, f"functions of more than 100 lines (aim at 50): {long}"


def test_no_module_is_named_after_nothing() -> None:
    vague = [relative(path) for path in python_files() if path.stem in {"utils", "util", "misc", "helpers", "common"}]
    assert not vague, f"name a module after its idea: {vague}"


def test_every_part_of_the_package_has_tests() -> None:
    parts = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")} - {"__init__.py", "__main__.py"}
    tests = [relative(path) for path in (REPOSITORY / "tests").rglob("test_*.py")]
    missing = []
    for part in sorted(parts):
        stem = part.removesuffix(".py")
        if TESTED_WITH.get(part) in tests:
            continue
        if not any(name.startswith((f"tests/{stem}/", f"tests/test_{stem}")) for name in tests):
            missing.append(f"psis_bench/{part} -> tests/{stem}/ or tests/test_{stem}.py (or TESTED_WITH)")
    assert not missing, f"without a test: {missing}"


def test_tracked_texts_name_no_single_machine() -> None:
    found = []
    for path in tracked_files():
        name = relative(path)
        if name in MAY_NAME_FOLDERS or path.suffix in {".png", ".jpg", ".parquet", ".safetensors", ".svg"}:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if match := OF_ONE_MACHINE.search(line):
                found.append(f"{name}:{number} {match.group()}")
    assert not found, f"folders or package hosts of one machine: {found}"


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    wrong = [line for line in lines if not re.fullmatch(r"(#.*)|[A-Za-z0-9._-]+==[\w.+!]+", line)]
    assert not wrong, f"constraints.txt holds name==version only: {wrong}"
    names = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    shadowed = names & {"mmcv", "mmcv-full", "mmdet", "mmengine"}
    assert not shadowed, f"the onedl-* distributions own these folders: {shadowed}"


def test_constraints_cover_what_pyproject_asks_for() -> None:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [line for line in (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines() if "==" in line]
    pinned = {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}
    asked = [*project["dependencies"]]
    for extra in ("train", "imagenet", "demo", "dev"):
        asked += project["optional-dependencies"][extra]
    for requirement in map(Requirement, asked):
        version = pinned.get(requirement.name.lower().replace("_", "-"))
        assert version, f"{requirement.name} is not in constraints.txt"
        assert requirement.specifier.contains(version), f"{requirement} against {version} in constraints.txt"


def test_the_version_is_one() -> None:
    citation = (REPOSITORY / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {psis_bench.__version__}\n" in citation, "CITATION.cff has another version"
    headings = re.findall(r"^## \[([^\]]+)\]", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased", "CHANGELOG.md starts with [Unreleased]"
    released = headings[1:]
    assert not released or released[0] == psis_bench.__version__, (
        "the newest heading of CHANGELOG.md is another version"
    )


def test_every_config_says_what_it_is() -> None:
    silent = []
    for path in sorted((REPOSITORY / "configs").rglob("*")):
        text = path.read_text("utf-8") if path.suffix in {".py", ".yaml"} else ""
        if path.suffix == ".py" and not ast.get_docstring(ast.parse(text)):
            silent.append(f"{relative(path)}: start with a docstring")
        if path.suffix == ".yaml" and not text.startswith("#"):
            silent.append(f"{relative(path)}: start with a comment")
    assert not silent, silent


def test_links_of_the_pages_lead_somewhere() -> None:
    broken = []
    for page in (path for path in tracked_files() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{relative(page)} -> {target}")
    assert not broken, f"links to files that do not exist: {broken}"


def light_modules() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if parts[1] in FULL_INSTALL_ONLY or parts[-1] == "__main__":
            continue
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def test_the_base_imports_neither_torch_nor_mm() -> None:
    program = f"""
import importlib, sys
HEAVY = {HEAVY!r}

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"{{name}} is not part of the base install")

sys.meta_path.insert(0, Forbidden())
for name in {light_modules()!r}:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{{name}}: {{type(error).__name__}}: {{error}}")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert not done.stdout, f"these need more than the base install, import it inside a function:\n{done.stdout}"
