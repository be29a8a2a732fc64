"""Lets librosa compile a function when it is called first, and not, with dozens of others, when librosa is imported.

Import this before librosa. librosa names types for its array functions, so that numba compiles all of them at once for
all these types: half a minute of processor time in a new environment. Without types, numba compiles for those that
come.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

with contextlib.suppress(ImportError):
    import numba

    _guvectorize, _vectorize = numba.guvectorize, numba.vectorize

    def guvectorize(types: object, *signature: str, **options: Any) -> Callable[..., Any]:
        """Decorate a function of arrays. If their `types` are listed, they are left out."""
        if not isinstance(types, list):
            return _guvectorize(types, *signature, **options)
        return _guvectorize(*signature, nopython=options.get("nopython", True))

    def vectorize(types: object = None, **options: Any) -> Callable[..., Any]:
        """Decorate a function of numbers. If their `types` are listed, they are left out."""
        if not isinstance(types, list):
            return _vectorize(**options) if types is None else _vectorize(types, **options)
        return _vectorize(nopython=options.get("nopython", True))

    numba.guvectorize, numba.vectorize = guvectorize, vectorize
