"""The answers that are not what was asked for."""

from http import HTTPStatus


class HttpFault(Exception):
    """An error response: its status and one line that says what was wrong and what to do."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def not_found(message: str) -> HttpFault:
    """404: there is no such thing, yet."""
    return HttpFault(HTTPStatus.NOT_FOUND, message)


def unavailable(message: str) -> HttpFault:
    """503: what is needed to answer is away; ask again."""
    return HttpFault(HTTPStatus.SERVICE_UNAVAILABLE, message)
