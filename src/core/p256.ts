/** A public key of P-256 as an uncompressed point: 4, x, y (SEC 1 §2.3.3), the one form that RFC 8291 (§3.1) and RFC 8292 (§3.2) know. */
export const COORDINATE_BYTES = 32
export const POINT_BYTES = 1 + 2 * COORDINATE_BYTES
/** What it begins with. */
export const UNCOMPRESSED = 4
