"""Lets librosa compile a function when it is called first, and not, with dozens of others, when librosa is imported.

Import this before librosa. librosa names types for its array functions, so that numba compiles all of them at once for
all these types: half a minute of processor time in a new environment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cached_property
from typing import Any


class Later:
    """A function of arrays that is compiled at its first call."""

    def __init__(self, compiled: Callable[[], Callable[..., Any]]) -> None:
        self._compiled = compiled

    @cached_property
    def function(self) -> Callable[..., Any]:
        return self._compiled()

    def __call__(self, *arrays: Any, **options: Any) -> Any:
        return self.function(*arrays, **options)


with contextlib.suppress(ImportError):
    import numba

    _guvectorize, _vectorize = numba.guvectorize, numba.vectorize

    def guvectorize(types: object, *signature: str, **options: Any) -> Callable[..., Any]:
        """Decorate a function of arrays. If its `types` are listed, it is compiled for them when it is called."""
        decorate = _guvectorize(types, *signature, **options)
        return (lambda function: Later(lambda: decorate(function))) if isinstance(types, list) else decorate

    def vectorize(types: object = None, **options: Any) -> Callable[..., Any]:
        """Decorate a function of numbers. If its `types` are listed, they are left out: it is compiled for what comes.

        Unlike a function of arrays it may be called by one that is compiled, so it must be one of numba's own.
        """
        if not isinstance(types, list):
            return _vectorize(**options) if types is None else _vectorize(types, **options)
        return _vectorize(nopython=options.get("nopython", True))

    numba.guvectorize, numba.vectorize = guvectorize, vectorize
