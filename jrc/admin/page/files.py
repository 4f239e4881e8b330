"""The files of the page, in memory: a request names one of them, and nothing on the disk."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

INDEX: Final = "index.html"
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_NOT_MODIFIED = 304
_NO_CACHE = "no-cache"
"""Kept by the browser, and asked for again: a new version of the program has new files."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is served."""

    body: bytes
    media_type: str
    etag: str

    def answer(self, request: Request) -> Response:
        """The file, or that the browser has it."""
        headers = {"ETag": self.etag, "Cache-Control": _NO_CACHE}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


def page_files() -> dict[str, PageFile]:
    """All files of the page, by name."""
    found = {}
    for entry in files("jrc.admin.page").joinpath("static").iterdir():
        media_type = _TYPES.get(entry.name.rpartition(".")[2])
        if media_type is not None:
            body = entry.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            found[entry.name] = PageFile(body, media_type, etag)
    return found
