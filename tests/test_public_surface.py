"""What the package offers: every module's ``__all__``, and what importing it costs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import multiprocessing
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import snn_deploy
from snn_deploy import errors

# what a module may need that not every installation has
OPTIONAL = ("lava", "torch", "onnx", "onnxruntime", "nir", "dask", "distributed")


def module_names() -> list[str]:
    found = pkgutil.walk_packages(snn_deploy.__path__, "snn_deploy.")
    return [module.name for module in found if not module.name.endswith("__main__")]


def load(name: str) -> ModuleType:
    # lava chooses how processes are started as it is imported, which only the first to do so can
    multiprocessing.set_start_method(None, force=True)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in OPTIONAL:
            raise
        pytest.skip(f"needs {missing}")


def defined(module: ModuleType) -> set[str]:
    """Public functions and classes that a module defines itself."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    }


@pytest.mark.parametrize("name", module_names())
def test_all_is_what_is_public(name: str) -> None:
    module = load(name)
    listed = list(getattr(module, "__all__", ()))
    assert len(listed) == len(set(listed))
    assert defined(module) <= set(listed)
    for entry in listed:
        assert not entry.startswith("_") or entry == "__version__"
        assert hasattr(module, entry), entry


@pytest.mark.parametrize("name", module_names())
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert (load(name).__doc__ or "").strip()


def imported_names(tree: ast.Module) -> dict[str, set[str]]:
    """By module of ours: the names that a module imports from it."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("snn_deploy"):
            found.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    return found


@pytest.mark.parametrize("name", module_names())
def test_modules_import_what_others_offer(name: str) -> None:
    """No private name crosses a module's border."""
    for source, names in imported_names(ast.parse(inspect.getsource(load(name)))).items():
        private = {entry for entry in names if entry.startswith("_") and entry != "__version__"}
        assert not private, source


def test_the_package_offers_what_it_lists() -> None:
    assert set(snn_deploy.__all__) <= set(dir(snn_deploy))
    for name in snn_deploy.__all__:
        assert getattr(snn_deploy, name) is not None
    assert {"convert", "load", "Deployment"} <= set(snn_deploy.__all__)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'snn_deploy' has no attribute 'nothing'"):
        snn_deploy.nothing  # noqa: B018


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after ``statement``."""
    told = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    made = subprocess.run(
        [sys.executable, "-c", told], check=True, capture_output=True, text=True, timeout=60
    )
    return set(made.stdout.split())


HEAVY = {"numpy", "pydantic", "plotly", "jinja2", "rich", "torch", "lava"}


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert not loaded_by("import snn_deploy") & {*HEAVY, "click"}


def test_help_imports_nothing_heavy() -> None:
    assert not loaded_by("import snn_deploy.cli.main") & HEAVY


def test_the_interface_imports_no_backend() -> None:
    loaded = loaded_by("from snn_deploy import convert, load, Deployment")
    assert "numpy" in loaded
    assert not loaded & {"torch", "lava", "plotly", "jinja2"}


# --- the tree of errors


def error_classes() -> list[type[errors.SnnDeployError]]:
    found = (getattr(errors, name) for name in errors.__all__)
    return [error for error in found if issubclass(error, errors.SnnDeployError)]


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_errors_are_one_tree_drawn_at_the_top(error: type[errors.SnnDeployError]) -> None:
    assert issubclass(error, errors.SnnDeployError)
    assert error.__name__ in (errors.__doc__ or "")
    assert error.exit_code in (2, 3)
    assert "\n" not in str(error("one line"))


def test_exit_codes_are_the_contract() -> None:
    codes = {error.__name__: error.exit_code for error in error_classes()}
    assert {name for name, code in codes.items() if code == 3} == {"BackendUnavailableError"}
    assert issubclass(errors.UnsupportedNetworkError, errors.CheckpointError)
    assert issubclass(errors.SnnDeployWarning, UserWarning)


def test_examples_in_docstrings_are_examples() -> None:
    """They parse; running them would need a checkpoint."""
    for name in ("snn_deploy", "snn_deploy.api"):
        examples = doctest.DocTestParser().get_examples(load(name).__doc__ or "")
        assert examples
        for example in examples:
            ast.parse(example.source)
