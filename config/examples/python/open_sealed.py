"""Opens what Hushgate sealed to a device: one RFC 8188 record (aes128gcm) keyed as RFC 8291.

Needs the package `cryptography`. As a program it reads one `hushgate_sealed` per line and prints what is in each:

    python open_sealed.py PRIVATE_KEY AUTH < sealed.txt

PRIVATE_KEY is the 32 bytes of the key, AUTH the 16 of the pusher's `hushgate_key`, both base64url.
"""

import base64
import json
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SALT_BYTES = 16
HEADER_BYTES = SALT_BYTES + 4 + 1
LAST_RECORD = b"\x02"  # RFC 8188 section 2; zeros may follow it


def open_sealed(sealed: str, private_key: ec.EllipticCurvePrivateKey, auth: bytes) -> dict:
    """What was sealed. Raises where it was not sealed for these keys, which is to be treated as a push that says nothing."""
    return json.loads(decrypt(from_base64url(sealed), private_key, auth))


def decrypt(record: bytes, private_key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    # RFC 8188 section 2.1: salt, record size, length of the key ID, key ID, which is the sender's public key (RFC 8291 section 4).
    salt = record[:SALT_BYTES]
    size = int.from_bytes(record[SALT_BYTES : SALT_BYTES + 4], "big")
    body_start = HEADER_BYTES + record[HEADER_BYTES - 1]
    sender, body = record[HEADER_BYTES:body_start], record[body_start:]
    if len(body) > size:
        raise ValueError("more than one record")

    # RFC 8291 section 3.4, then RFC 8188 sections 2.2 and 2.3.
    shared = private_key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    receiver = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    key_input = derive(shared, auth, b"WebPush: info\0" + receiver + sender, 32)
    key = derive(key_input, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = derive(key_input, salt, b"Content-Encoding: nonce\0", 12)

    padded = AESGCM(key).decrypt(nonce, body, None).rstrip(b"\0")
    if not padded.endswith(LAST_RECORD):
        raise ValueError("not the last record")
    return padded[:-1]


def derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def main(private_key: str, auth: str) -> None:
    key = ec.derive_private_key(int.from_bytes(from_base64url(private_key), "big"), ec.SECP256R1())
    for line in sys.stdin:
        print(json.dumps(open_sealed(line.strip(), key, from_base64url(auth))))


if __name__ == "__main__":
    main(*sys.argv[1:])
