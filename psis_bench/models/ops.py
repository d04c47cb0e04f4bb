"""Makes ``mmcv._ext``, the compiled extension of mmcv, importable where mmcv was installed without a compiler.

Such an mmcv is pure Python and lacks only this one module; MMDetection cannot be imported without it. `install_ops`
puts a module in its place that holds `psis_bench.models.torchvision_ops`. An op that is not there exists by name,
so that imports succeed, and raises a `UserError` that names it when called.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Literal, NoReturn

from psis_bench.errors import UserError

_NAME = "mmcv._ext"


def install_ops() -> Literal["compiled", "supplied"]:
    """Make ``mmcv._ext`` importable; call it before MMDetection is imported. Calling it again changes nothing.

    Returns:
        ``"compiled"`` where mmcv brings its own extension (nothing is touched), ``"supplied"`` where this module
        stands in for it.

    Raises:
        UserError: mmcv is not installed.
    """
    present = sys.modules.get(_NAME)
    if present is not None:
        return "supplied" if isinstance(present, _SuppliedExtension) else "compiled"
    try:
        spec = importlib.util.find_spec(_NAME)
    except ModuleNotFoundError as error:
        if error.name != "mmcv":
            raise
        raise UserError("mmcv is not installed", cure="in the checkout: pip install -e '.[train]'") from error
    if spec is not None:
        return "compiled"
    sys.modules[_NAME] = _SuppliedExtension()
    import_quietly("mmcv.cnn.bricks.transformer")
    return "supplied"


def import_quietly(module: str) -> ModuleType:
    """Import a module of mmcv or MMDetection without its notices about parts that nobody asked for.

    These are: that a class has moved within mmcv (always, when mmcv has its ops), that the data sets of OneDL cannot
    be imported (``mmdet.datasets``, printed to standard output), and that faster_coco_eval is not installed
    (``mmdet.evaluation``). Everything else that the import prints or warns of is shown.

    Args:
        module: Full name, e.g. ``"mmdet.datasets"``.
    """
    printed = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.filterwarnings("ignore", message="``MultiScaleDeformableAttention`` has been moved")
            warnings.filterwarnings("ignore", message="faster_coco_eval is not installed")
            return importlib.import_module(module)
    finally:
        lines = printed.getvalue().splitlines(keepends=True)
        sys.stdout.writelines(line for line in lines if not line.startswith("Could not import OneDL."))


class _SuppliedExtension(ModuleType):
    """Stands in for ``mmcv._ext``: supplied ops as they are, every other public name as an op that raises."""

    def __init__(self) -> None:
        from psis_bench.models import torchvision_ops

        super().__init__(_NAME, doc=__doc__)
        # A module in sys.modules without a spec makes importlib.util.find_spec raise ValueError.
        self.__spec__ = ModuleSpec(_NAME, loader=None, origin=torchvision_ops.__name__)
        self.__dict__.update({name: getattr(torchvision_ops, name) for name in torchvision_ops.__all__})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # inspect, copy and pickle ask for these and expect them to be missing
            raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")

        def missing(*_args: object, **_kwargs: object) -> NoReturn:
            raise not_supplied(name)

        missing.__name__ = name
        return missing


def not_supplied(op: str) -> UserError:
    """Return the error for an op of mmcv that exists only in its compiled extension.

    Args:
        op: Its name in ``mmcv._ext``, with the setting that is not supplied if the op itself is.
    """
    return UserError(
        f"the op '{op}' needs mmcv's compiled extension, which is not installed, and psis_bench does not supply it",
        cure="choose a model without it or install mmcv with compiled ops (see: psis-bench doctor)",
    )
