// What goes wrong, for those who catch it; each message says what to do next.
/** The base of all. */
export class TickerError extends Error {
    name = "TickerError";
}
/** No server answers at this address. */
export class NoServerError extends TickerError {
    name = "NoServerError";
}
/** The server wants a token, or another one. */
export class AuthError extends TickerError {
    name = "AuthError";
}
/** No feed of the server has any of the symbols. */
export class UnknownSymbolError extends TickerError {
    name = "UnknownSymbolError";
}
/** A command of a watch was refused: `code` of docs/protocol.md. */
export class RefusedError extends TickerError {
    name = "RefusedError";
    code;
    constructor(code, message) {
        super(`${message} (code ${code})`);
        this.code = code;
    }
}
/** A request was refused: `status` of HTTP, `code` of the problem (RFC 9457). */
export class RequestError extends TickerError {
    name = "RequestError";
    status;
    code;
    constructor(status, code, detail) {
        super(`${code}: ${detail}`);
        this.status = status;
        this.code = code;
    }
}
