"""Re-pose a person from one photograph.

`Engine`, `Gallery` and `Result` are loaded at their first use, so that importing one small module
of this package, as training machines do, drags in neither torch nor MediaPipe.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vunet.engine import Engine, Result
    from vunet.gallery.gallery import Gallery

__version__ = "0.1.0"

__all__ = ["Engine", "Gallery", "Result", "__version__"]

_HOMES = {"Engine": "vunet.engine", "Gallery": "vunet.gallery.gallery", "Result": "vunet.engine"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute may be anything
    home = _HOMES.get(name)
    if home is not None:
        # By its name as a string: the import contracts would otherwise count the engine's
        # libraries as needed by every module of the package.
        return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
