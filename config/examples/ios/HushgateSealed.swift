// Opens what Hushgate sealed to this device: one RFC 8188 record (aes128gcm) keyed as RFC 8291. CryptoKit and Foundation only, iOS 14 and later.
//
// Not run in Hushgate's tests, which have no Swift: read against RFC 8291 section 5 and against the Java and Python examples beside it, which are.

import CryptoKit
import Foundation

enum HushgateSealed {
  /// What was sealed. A field that was too long, or that the homeserver did not send, is missing.
  struct Content: Decodable {
    let v: Int
    let event_id: String?
    let room_id: String?
    let unread: Int?
    let prio: String
    /// When the gateway took the push, in milliseconds.
    let ts: Double
  }

  enum Failure: Error {
    case notARecord
  }

  private static let saltBytes = 16
  private static let headerBytes = 21
  private static let pointBytes = 65
  private static let tagBytes = 16
  /// The delimiter of the last record (RFC 8188 section 2); zeros may follow it.
  private static let lastRecord: UInt8 = 2

  /// Throws where it was not sealed for these keys, which is to be treated as a push that says nothing.
  static func open(_ sealed: String, privateKey: P256.KeyAgreement.PrivateKey, auth: Data) throws -> Content {
    guard let record = data(fromBase64URL: sealed) else { throw Failure.notARecord }
    return try JSONDecoder().decode(Content.self, from: decrypt(record, privateKey: privateKey, auth: auth))
  }

  /// `hushgate_key` of the pusher's data.
  static func pusherKey(kid: String, privateKey: P256.KeyAgreement.PrivateKey, auth: Data) -> [String: Any] {
    [
      "v": 1,
      "kid": kid,
      "p256dh": base64URL(privateKey.publicKey.x963Representation),
      "auth": base64URL(auth),
    ]
  }

  /// For `kid` and `auth`: 16 random bytes, 22 characters as base64url.
  static func randomBytes() -> Data {
    SymmetricKey(size: .bits128).withUnsafeBytes { Data($0) }
  }

  static func decrypt(_ record: Data, privateKey: P256.KeyAgreement.PrivateKey, auth: Data) throws -> Data {
    // RFC 8188 section 2.1: salt, record size, length of the key ID, key ID, which is the sender's public key (RFC 8291 section 4).
    let bytes = [UInt8](record)
    let bodyStart = headerBytes + pointBytes
    guard bytes.count >= bodyStart + tagBytes, Int(bytes[headerBytes - 1]) == pointBytes else { throw Failure.notARecord }
    let salt = Data(bytes[..<saltBytes])
    let size = bytes[saltBytes..<(saltBytes + 4)].reduce(0) { $0 << 8 | Int($1) }
    let sender = Data(bytes[headerBytes..<bodyStart])
    let body = bytes[bodyStart...]
    guard body.count <= size else { throw Failure.notARecord }

    // RFC 8291 section 3.4, then RFC 8188 sections 2.2 and 2.3.
    let shared = try privateKey.sharedSecretFromKeyAgreement(with: P256.KeyAgreement.PublicKey(x963Representation: sender))
    let info = Data("WebPush: info\0".utf8) + privateKey.publicKey.x963Representation + sender
    let input = shared.hkdfDerivedSymmetricKey(using: SHA256.self, salt: auth, sharedInfo: info, outputByteCount: 32)
    let key = derive(input, salt, "Content-Encoding: aes128gcm\0", 16)
    let nonce = derive(input, salt, "Content-Encoding: nonce\0", 12).withUnsafeBytes { Data($0) }

    let box = try AES.GCM.SealedBox(
      nonce: AES.GCM.Nonce(data: nonce),
      ciphertext: Data(body.dropLast(tagBytes)),
      tag: Data(body.suffix(tagBytes)))
    let padded = [UInt8](try AES.GCM.open(box, using: key))
    guard let end = padded.lastIndex(where: { $0 != 0 }), padded[end] == lastRecord else { throw Failure.notARecord }
    return Data(padded[..<end])
  }

  private static func derive(_ input: SymmetricKey, _ salt: Data, _ info: String, _ length: Int) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(inputKeyMaterial: input, salt: salt, info: Data(info.utf8), outputByteCount: length)
  }

  static func base64URL(_ data: Data) -> String {
    data.base64EncodedString()
      .replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_")
      .replacingOccurrences(of: "=", with: "")
  }

  static func data(fromBase64URL text: String) -> Data? {
    let base64 = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
    return Data(base64Encoded: base64 + String(repeating: "=", count: (4 - base64.count % 4) % 4))
  }
}
