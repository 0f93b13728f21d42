import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

/**
  * Record batches by Kafka's own classes, which clients and broker share.
  *
  * <pre>
  *   write FOLDER   writes the fixtures of dataplane/protocol/fixtures/records
  *   read           for each batch on standard input, a line of hexadecimal digits: what a consumer sees
  *   append         the same: what a broker answers to a producer
  * </pre>
  */
public class RecordBatches {
    static final HexFormat HEX = HexFormat.of();
    static final long TIME = 1_700_000_000_000L;

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            write(Path.of(args[1]));
            return;
        }
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            byte[] bytes = HEX.parseHex(line);
            System.out.println(args[0].equals("read") ? read(bytes) : append(bytes));
        }
    }

    static void write(Path folder) throws Exception {
        for (CompressionType type : CompressionType.values()) {
            for (boolean large : new boolean[] {false, true}) {
                if (large && type == CompressionType.NONE) continue;
                ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
                MemoryRecordsBuilder builder =
                        MemoryRecords.builder(
                                buffer, Compression.of(type).build(), 0, 4000L + type.id, (short) 3, 70, false);
                if (large) {
                    for (int i = 0; i < 3; i++) builder.append(TIME + i, bytes("large-" + i), largeValue(i));
                } else {
                    builder.append(TIME, bytes("key"), bytes("value"));
                    builder.append(TIME + 1, null, bytes("no key"), headers());
                    builder.append(TIME - 5, bytes("no value"), null);
                    builder.append(TIME + 3_600_000, new byte[0], new byte[0]);
                    builder.append(TIME + 2, bytes("repeats"), bytes("abcdefgh".repeat(50)));
                }
                String name = "java-" + type.name + (large ? "-large" : "") + ".bin";
                MemoryRecords records = builder.build();
                byte[] written = new byte[records.sizeInBytes()];
                records.buffer().get(written);
                Files.write(folder.resolve(name), written);
            }
        }
    }

    static Header[] headers() {
        return new Header[] {
            new RecordHeader("trace", bytes("a1b2")),
            new RecordHeader("null", null),
            new RecordHeader("empty", new byte[0]),
            new RecordHeader("überschrift", new byte[] {0, (byte) 0xff}),
        };
    }

    /** 100,000 bytes of lines that are alike but not the same. */
    static byte[] largeValue(int seed) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; text.length() < 100_000; i++) {
            text.append("line ").append((i * 7919L + seed) % 1000).append(" of a large value\n");
        }
        return bytes(text.substring(0, 100_000));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** One line of JSON without spaces: the batches and their records; or the exception. */
    static String read(byte[] bytes) {
        StringBuilder out = new StringBuilder("[");
        try {
            for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
                batch.ensureValid();
                if (out.length() > 1) out.append(',');
                out.append("{\"baseOffset\":").append(batch.baseOffset());
                out.append(",\"lastOffset\":").append(batch.lastOffset());
                out.append(",\"leaderEpoch\":").append(batch.partitionLeaderEpoch());
                out.append(",\"codec\":\"").append(batch.compressionType().name).append('"');
                out.append(",\"timestampType\":\"").append(batch.timestampType().name).append('"');
                out.append(",\"maxTimestampMs\":").append(batch.maxTimestamp());
                out.append(",\"producerId\":").append(batch.producerId());
                out.append(",\"producerEpoch\":").append(batch.producerEpoch());
                out.append(",\"baseSequence\":").append(batch.baseSequence());
                out.append(",\"transactional\":").append(batch.isTransactional());
                out.append(",\"control\":").append(batch.isControlBatch());
                out.append(",\"records\":[");
                String separator = "";
                for (Record record : batch) {
                    out.append(separator).append("{\"offset\":").append(record.offset());
                    out.append(",\"timestampMs\":").append(record.timestamp());
                    out.append(",\"key\":").append(hex(record.key()));
                    out.append(",\"value\":").append(hex(record.value())).append(",\"headers\":[");
                    String comma = "";
                    for (Header header : record.headers()) {
                        byte[] value = header.value();
                        out.append(comma).append("[").append(hex(ByteBuffer.wrap(bytes(header.key()))));
                        out.append(',').append(hex(value == null ? null : ByteBuffer.wrap(value))).append(']');
                        comma = ",";
                    }
                    out.append("]}");
                    separator = ",";
                }
                out.append("]}");
            }
        } catch (Throwable exception) {
            return "{\"exception\":\"" + exception.getClass().getSimpleName() + "\"}";
        }
        return out.append(']').toString();
    }

    static String hex(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return '"' + HEX.formatHex(bytes) + '"';
    }

    /**
      * What a broker's produce path does to a batch before it appends it: the checks of the request, CRC, LogValidator with
      * defaults of the topic (time of the broker: an hour after TIME). NONE and the max timestamp, or the error of the response.
      */
    static String append(byte[] bytes) {
        MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes.clone()));
        try {
            ProduceRequest.validateRecords((short) 12, records);
            for (MutableRecordBatch batch : records.batches()) {
                if (!batch.isValid()) return "{\"error\":\"CORRUPT_MESSAGE\",\"why\":\"isValid\"}";
            }
            CompressionType source = records.batches().iterator().next().compressionType();
            LogValidator validator =
                    new LogValidator(
                            records, new TopicPartition("topic", 0), Time.SYSTEM, source, Compression.of(source).build(), false,
                            (byte) 2, TimestampType.CREATE_TIME, Long.MAX_VALUE, 3_600_000, 0, AppendOrigin.CLIENT);
            LogValidator.ValidationResult result =
                    validator.validateMessagesAndAssignOffsets(
                            PrimitiveRef.ofLong(0), new NoMetrics(), BufferSupplier.NO_CACHING);
            return "{\"error\":\"NONE\",\"maxTimestampMs\":" + result.maxTimestampMs()
                    + ",\"rewritten\":" + result.messageSizeMaybeChanged() + "}";
        } catch (Throwable thrown) {
            Throwable throwable =
                    thrown instanceof RecordValidationException invalid ? invalid.invalidException() : thrown;
            return "{\"error\":\"" + Errors.forException(throwable) + "\",\"why\":\""
                    + throwable.getClass().getSimpleName() + ": "
                    + String.valueOf(throwable.getMessage()).replaceAll("[^ -~]|[\"\\\\]", " ") + "\"}";
        }
    }

    static class NoMetrics implements LogValidator.MetricsRecorder {
        public void recordInvalidMagic() {}

        public void recordInvalidOffset() {}

        public void recordInvalidSequence() {}

        public void recordInvalidChecksums() {}

        public void recordNoKeyCompactedTopic() {}
    }
}
