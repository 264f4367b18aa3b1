// Errors as problem responses (RFC 9457).
const KINDS = {
  400: ["Bad Request", "malformed", "invalid_request"],
  401: ["Unauthorized", "unauthenticated", "authentication"],
  403: ["Forbidden", "permission_missing", "permission"],
  404: ["Not Found", "not_found", "not_found"],
  500: ["Internal Server Error", "internal", "internal"],
};

export class Problem extends Error {
  constructor(status, code) {
    super(KINDS[status][0]);
    this.status = status;
    this.code = code ?? KINDS[status][1];
  }

  body(requestId) {
    const [title, , errorType] = KINDS[this.status];
    return {
      type: "about:blank",
      title,
      status: this.status,
      detail: title,
      code: this.code,
      message: title,
      errorType,
      details: { retryable: false, requestId },
    };
  }
}
