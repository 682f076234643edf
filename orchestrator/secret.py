"""A secret from the environment or from a file that may change while we run.

`values()` are the values valid now, the preferred one first; more than one is valid during a rotation. A file is read
again when it changes; while it cannot be read the last values stay. No secret shows itself in `repr` or `str`.
"""

from __future__ import annotations

from pathlib import Path


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


class Secret:
    """The values of one variable. Empty when it is not set; `bool()` says whether there is any."""

    def __init__(self, name: str, text: str = "", path: str | None = None) -> None:
        """Raises OSError or UnicodeDecodeError when the file cannot be read now, at the start."""
        self.name = name
        self._values = _split(text)
        self._path = Path(path) if path is not None else None
        self._seen: tuple[int, int, int] | None = None
        if self._path is not None:
            self._reload(self._path)

    def values(self) -> tuple[str, ...]:
        if self._path is not None:
            try:
                self._reload(self._path)
            except (OSError, UnicodeDecodeError):
                return self._values
        return self._values

    def value(self) -> str:
        """The preferred value, or an empty text."""
        return next(iter(self.values()), "")

    def _reload(self, path: Path) -> None:
        status = path.stat()
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            values = _split(path.read_text(encoding="utf-8"))
            if values or self._seen is None:
                self._values = values
            self._seen = seen

    def __bool__(self) -> bool:
        return bool(self.values())

    def __repr__(self) -> str:
        return f"Secret({self.name}, hidden)"
