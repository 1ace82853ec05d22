package dkumonitor;

import com.codahale.metrics.graphite.Graphite;
import com.codahale.metrics.graphite.GraphiteSender;
import java.io.IOException;

/** The library's own connection, each of whose lines and failures is printed. */
final class SpokenSender implements GraphiteSender {
    private final Graphite connection;

    SpokenSender(Graphite connection) {
        this.connection = connection;
    }

    @Override
    public void connect() throws IOException {
        try {
            connection.connect();
        } catch (IOException error) {
            throw spoken("connect", error);
        }
    }

    @Override
    public void send(String name, String value, long timestamp) throws IOException {
        try {
            connection.send(name, value, timestamp);
        } catch (IOException error) {
            throw spoken("send", error);
        }
        System.out.println(String.join("\t", "sent", name, value, Long.toString(timestamp)));
    }

    @Override
    public void flush() throws IOException {
        try {
            connection.flush();
        } catch (IOException error) {
            throw spoken("flush", error);
        }
    }

    @Override
    public boolean isConnected() {
        return connection.isConnected();
    }

    @Override
    public int getFailures() {
        return connection.getFailures();
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }

    private static IOException spoken(String act, IOException error) {
        System.out.println(String.join("\t", "failed", act + ": " + error));
        return error;
    }
}
