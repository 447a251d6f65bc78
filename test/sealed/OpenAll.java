import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;

/** Opens each line of standard input with config/examples/android/HushgateSealed.java; first says the public key of a key pair made by it. */
final class OpenAll {
  public static void main(String[] arguments) throws Exception {
    byte[] encoded = Base64.getUrlDecoder().decode(arguments[0]);
    PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(encoded));
    PrintStream output = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    KeyPair own = HushgateSealed.createKeyPair();
    output.println(HushgateSealed.p256dhOf((ECPublicKey) own.getPublic()));
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String opened;
      try {
        opened = HushgateSealed.open(line, key, arguments[1], arguments[2]);
      } catch (java.security.GeneralSecurityException refused) {
        opened = "null";
      }
      output.println(opened);
    }
    output.flush();
  }
}
