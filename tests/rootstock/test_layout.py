"""The layout that the platform/ folder depends on: `import platform` is the standard library's everywhere."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {
    *("manage.py", "platform", "apps", "models_zoo", "workers", "tests", "docs"),
    *("docker-compose.yml", "Dockerfile", ".dockerignore", "Makefile", "pyproject.toml", "requirements.lock"),
    *(
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        ".gitignore",
        ".gitattributes",
    ),
    *(".ci", ".github", ".env.example", ".editorconfig"),
}
WHERE = "import platform; print(platform.__file__)"
STANDARD = str(Path(sysconfig.get_paths()["stdlib"]) / "platform.py")


def tracked() -> list[Path]:
    """The files of the checkout, committed or about to be."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_platform_is_a_folder_and_never_a_package() -> None:
    assert [path.name for path in (ROOT / "platform").iterdir() if path.name != "__pycache__"] == [
        "rootstock"
    ]


def test_no_file_or_package_is_named_platform() -> None:
    named = [path for path in tracked() if path.name == "platform.py" or "platform" in path.parts[1:-1]]
    assert named == []


def test_the_top_level_is_the_agreed_one() -> None:
    assert {path.parts[0] for path in tracked()} - TOP_LEVEL == set()


def test_pytest_sees_the_standard_library() -> None:
    import platform

    assert platform.__file__ == STANDARD
    assert sys.modules["platform"] is platform


@pytest.mark.slow
@pytest.mark.parametrize("command", [["manage.py", "shell", "-v", "0", "-c", WHERE], ["-c", WHERE]])
def test_commands_see_the_standard_library(command: list[str]) -> None:
    environment = {
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "rootstock.settings",
    }
    said = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip().splitlines()[-1] == STANDARD


@pytest.mark.slow
def test_celery_sees_the_standard_library() -> None:
    source = f"import workers.app; {WHERE}; import sys; print('torch' in sys.modules)"
    environment = {
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "rootstock.settings",
    }
    said = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [STANDARD, "False"]


def test_every_make_target_that_the_readme_names_exists() -> None:
    readme = (ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else ""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(
        re.findall(r"\bmake ([a-z]+)\b", " ".join(re.findall(r"`[^`]+`|```.*?```", readme, re.DOTALL)))
    )
    assert named - targets == set()
