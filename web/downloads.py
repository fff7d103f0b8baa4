"""Any list on a page, as a file for a spreadsheet: the same path with `as=csv` or `as=xlsx`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank.spreadsheet import MEDIA_TYPES, Format, Table, write


def wanted(request: Request) -> Format | None:
    """The file that `as` asks for; None for the page itself, and for what we do not write."""
    asked = request.query_params.get("as")
    return Format(asked) if asked in list(Format) else None


def download(table: Table, format: Format) -> Response:
    """The table as a file to keep."""
    name = f'attachment; filename="{table.name}.{format}"'
    return Response(
        write(table, format),
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": name},
    )
