import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Opens what Hushgate sealed to this device: one RFC 8188 record (aes128gcm) keyed as RFC 8291. Nothing but the platform's own cryptography; Android
 * from API 26, and any JVM. Callable from Kotlin as it is.
 */
public final class HushgateSealed {
  private static final int SALT_BYTES = 16;
  private static final int HEADER_BYTES = SALT_BYTES + 4 + 1;
  private static final int POINT_BYTES = 65;
  private static final int TAG_BITS = 128;
  /** The delimiter of the last record (RFC 8188 §2); zeros may follow it. */
  private static final byte LAST_RECORD = 2;

  private HushgateSealed() {}

  /** Made once per account; keep the private key where only the app can read it. */
  public static KeyPair createKeyPair() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  /** `p256dh` of the pusher's `hushgate_key`: an uncompressed point, base64url. */
  public static String p256dhOf(ECPublicKey key) {
    ByteBuffer point = ByteBuffer.allocate(POINT_BYTES).put((byte) 4);
    return toBase64Url(point.put(coordinate(key.getW().getAffineX())).put(coordinate(key.getW().getAffineY())).array());
  }

  /**
   * The JSON that was sealed, with the white space that fills it. Throws where it was not sealed for these keys, which is to be treated as a push
   * that says nothing.
   *
   * @param sealed `hushgate_sealed` of the push
   * @param p256dh as in the pusher's `hushgate_key`
   * @param auth as in the pusher's `hushgate_key`
   */
  public static String open(String sealed, PrivateKey privateKey, String p256dh, String auth)
      throws GeneralSecurityException {
    // RFC 8188 §2.1: salt, record size, length of the key ID, key ID, which is the sender's public key (RFC 8291 §4).
    byte[] record = fromBase64Url(sealed);
    int bodyStart = HEADER_BYTES + POINT_BYTES;
    if (record.length < bodyStart || record[HEADER_BYTES - 1] != POINT_BYTES)
      throw new GeneralSecurityException("not a record");
    byte[] salt = Arrays.copyOf(record, SALT_BYTES);
    byte[] sender = Arrays.copyOfRange(record, HEADER_BYTES, bodyStart);
    byte[] body = Arrays.copyOfRange(record, bodyStart, record.length);
    if (body.length > ByteBuffer.wrap(record).getInt(SALT_BYTES))
      throw new GeneralSecurityException("more than one record");

    // RFC 8291 §3.4, then RFC 8188 §2.2 and §2.3.
    KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
    agreement.init(privateKey);
    agreement.doPhase(publicKeyOf(sender), true);
    byte[] info = concatenate(ascii("WebPush: info\0"), fromBase64Url(p256dh), sender);
    byte[] input = hkdf(fromBase64Url(auth), agreement.generateSecret(), info, 32);
    byte[] key = hkdf(salt, input, ascii("Content-Encoding: aes128gcm\0"), 16);
    byte[] nonce = hkdf(salt, input, ascii("Content-Encoding: nonce\0"), 12);

    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"), new GCMParameterSpec(TAG_BITS, nonce));
    byte[] padded = cipher.doFinal(body);
    int end = padded.length - 1;
    while (end >= 0 && padded[end] == 0) end--;
    if (end < 0 || padded[end] != LAST_RECORD) throw new GeneralSecurityException("not the last record");
    return new String(padded, 0, end, StandardCharsets.UTF_8);
  }

  private static ECPublicKey publicKeyOf(byte[] point) throws GeneralSecurityException {
    if (point[0] != 4) throw new GeneralSecurityException("not an uncompressed point");
    AlgorithmParameters curve = AlgorithmParameters.getInstance("EC");
    curve.init(new ECGenParameterSpec("secp256r1"));
    BigInteger x = new BigInteger(1, Arrays.copyOfRange(point, 1, 33));
    BigInteger y = new BigInteger(1, Arrays.copyOfRange(point, 33, POINT_BYTES));
    ECPublicKeySpec spec = new ECPublicKeySpec(new ECPoint(x, y), curve.getParameterSpec(ECParameterSpec.class));
    return (ECPublicKey) KeyFactory.getInstance("EC").generatePublic(spec);
  }

  /** RFC 5869, for at most one block. */
  private static byte[] hkdf(byte[] salt, byte[] input, byte[] info, int length) throws GeneralSecurityException {
    byte[] block = hmac(hmac(salt, input), concatenate(info, new byte[] {1}));
    return Arrays.copyOf(block, length);
  }

  private static byte[] hmac(byte[] key, byte[] data) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(data);
  }

  private static byte[] coordinate(BigInteger number) {
    byte[] bytes = number.toByteArray(); // big-endian, with a zero before it where the first bit is set
    byte[] fixed = new byte[32];
    int length = Math.min(bytes.length, 32);
    System.arraycopy(bytes, bytes.length - length, fixed, 32 - length, length);
    return fixed;
  }

  private static byte[] concatenate(byte[]... parts) {
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    for (byte[] part : parts) whole.write(part, 0, part.length);
    return whole.toByteArray();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] fromBase64Url(String text) throws GeneralSecurityException {
    try {
      return Base64.getUrlDecoder().decode(text);
    } catch (IllegalArgumentException cause) {
      throw new GeneralSecurityException("not base64url", cause);
    }
  }

  private static String toBase64Url(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }
}
