import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;

/**
 * Kafka's own codecs, for tests: one command a line on standard input, one answer a line on standard output, fields
 * parted by tabs.
 *
 *     recode NAME VERSION HEX   decodes a message: "ok", what was encoded again, what it says as JSON
 *     definition NAME           the JSON definition of a message: "ok", JSON
 *     errors                    all error codes: "ok", JSON
 *     apis                      the stable versions of all APIs: "ok", JSON
 *
 * What fails answers "error" and the exception.
 */
public class KafkaCodec {
    private static final List<String> CLASS_NAMES = List.of(
        "org.apache.kafka.common.message.%sData",
        "org.apache.kafka.common.message.%s",
        "org.apache.kafka.coordinator.group.generated.%s");

    private static final ObjectMapper MAPPER = new ObjectMapper().enable(JsonParser.Feature.ALLOW_COMMENTS);

    public static void main(String[] args) throws IOException {
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var output = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line; (line = input.readLine()) != null; ) {
            String answer;
            try {
                answer = "ok\t" + answer(line.split("\t", -1));
            } catch (InvocationTargetException e) {
                answer = "error\t" + oneLine(e.getCause());
            } catch (Exception e) {
                answer = "error\t" + oneLine(e);
            }
            output.println(answer);
        }
        output.flush();
    }

    private static String answer(String[] words) throws Exception {
        return switch (words[0]) {
            case "recode" -> recode(words[1], Short.parseShort(words[2]), HexFormat.of().parseHex(words[3]));
            case "definition" -> definition(words[1]);
            case "errors" -> errors();
            case "apis" -> apis();
            default -> throw new IllegalArgumentException("unknown command: " + words[0]);
        };
    }

    private static String recode(String name, short version, byte[] bytes) throws Exception {
        Class<?> type = classOf(name);
        var readable = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
        var message = (Message) type.getConstructor(Readable.class, short.class).newInstance(readable, version);
        var converter = Class.forName(type.getName() + "JsonConverter");
        var json = (JsonNode) converter.getMethod("write", type, short.class).invoke(null, message, version);
        var cache = new ObjectSerializationCache();
        var buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return HexFormat.of().formatHex(buffer.array()) + "\t" + MAPPER.writeValueAsString(json);
    }

    private static Class<?> classOf(String name) throws ClassNotFoundException {
        for (String pattern : CLASS_NAMES) {
            try {
                return Class.forName(String.format(pattern, name));
            } catch (ClassNotFoundException e) {
                // The next one may be it.
            }
        }
        throw new ClassNotFoundException(name);
    }

    private static String definition(String name) throws IOException {
        try (InputStream stream = KafkaCodec.class.getResourceAsStream("/common/message/" + name + ".json")) {
            if (stream == null) throw new IOException("no definition of " + name);
            return MAPPER.writeValueAsString(MAPPER.readTree(stream));
        }
    }

    private static String errors() throws IOException {
        var all = MAPPER.createObjectNode();
        for (Errors error : Errors.values()) {
            all.putObject(error.name())
                .put("code", error.code())
                .put("retriable", error.exception() instanceof RetriableException);
        }
        return MAPPER.writeValueAsString(all);
    }

    private static String apis() throws IOException {
        var all = MAPPER.createObjectNode();
        for (ApiKeys api : ApiKeys.values()) {
            if (!api.hasValidVersion()) continue;
            var versions = all.putObject(api.name).put("key", api.id);
            versions.put("min", api.oldestVersion()).put("max", api.latestVersion(false));
            var advertised = api.toApiVersionForApiResponse(
                false, org.apache.kafka.common.message.ApiMessageType.ListenerType.BROKER);
            advertised.ifPresent(it -> versions.put("advertisedMin", it.minVersion()));
            var requestHeader = versions.putArray("requestHeaders");
            var responseHeader = versions.putArray("responseHeaders");
            for (short v = api.oldestVersion(); v <= api.latestVersion(false); v++) {
                requestHeader.add(api.requestHeaderVersion(v));
                responseHeader.add(api.responseHeaderVersion(v));
            }
        }
        return MAPPER.writeValueAsString(all);
    }

    private static String oneLine(Throwable error) {
        return String.valueOf(error).replaceAll("\\s+", " ");
    }
}
