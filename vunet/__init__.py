"""Re-pose a person from one photograph.

`Engine` and `Result` are loaded at their first use, so that importing one small module of this
package, as training machines do, drags in neither torch nor MediaPipe.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vunet.engine import Engine, Result

__version__ = "0.1.0"

__all__ = ["Engine", "Result", "__version__"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute may be anything
    if name in ("Engine", "Result"):
        # By its name as a string: the import contracts would otherwise count the engine's
        # libraries as needed by every module of the package.
        return getattr(importlib.import_module("vunet.engine"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
