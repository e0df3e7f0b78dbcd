"""Files of the admin and the dashboard, answered by the web process itself."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

HASHED_FILES = "/assets/"


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise answers with a file to iterate over, and Django warns about such an answer under ASGI."""

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file as file:
                body = file.read()
        response = HttpResponse(body, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response

    def immutable_file_test(self, path: str, url: str) -> bool:
        """Vite puts a hash into the names under /assets/."""
        return url.startswith(HASHED_FILES) or super().immutable_file_test(path, url)
