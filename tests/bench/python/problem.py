"""Errors as problem responses (RFC 9457)."""

KINDS = {
    400: ("Bad Request", "malformed", "invalid_request"),
    401: ("Unauthorized", "unauthenticated", "authentication"),
    403: ("Forbidden", "permission_missing", "permission"),
    404: ("Not Found", "not_found", "not_found"),
    500: ("Internal Server Error", "internal", "internal"),
}


class Problem(Exception):
    def __init__(self, status, code=None):
        super().__init__(KINDS[status][0])
        self.status = status
        self.code = code or KINDS[status][1]

    def body(self, request_id):
        title, _, error_type = KINDS[self.status]
        return {
            "type": "about:blank",
            "title": title,
            "status": self.status,
            "detail": title,
            "code": self.code,
            "message": title,
            "errorType": error_type,
            "details": {"retryable": False, "requestId": request_id},
        }
