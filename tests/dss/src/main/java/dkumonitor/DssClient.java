package dkumonitor;

import com.codahale.metrics.Counter;
import com.codahale.metrics.Gauge;
import com.codahale.metrics.Histogram;
import com.codahale.metrics.Meter;
import com.codahale.metrics.MetricRegistry;
import com.codahale.metrics.Timer;
import com.codahale.metrics.graphite.Graphite;
import com.codahale.metrics.graphite.GraphiteReporter;
import com.codahale.metrics.jvm.MemoryUsageGaugeSet;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/**
 * Reports as DSS does: the same library, the same names.
 *
 * <p>Usage: DssClient HOST PORT PREFIX. Each line N on standard input is one report, whose gauges follow from N. Answers on
 * standard output, one record a line, its fields parted by tabs: "sent NAME VALUE SECONDS" for each line handed to the
 * library's connection, "failed WHAT" for each error, "end N" when the report is over.
 */
public final class DssClient {
    private static final int CORES = 2;

    private final MetricRegistry registry = new MetricRegistry();
    private final Counter datasets = registry.counter("backend.server.catalog.indexAll.datasets");
    private final Histogram sizes = registry.histogram("backend.server.probe.sizes");
    private final Meter requests = registry.meter("backend.server.probe.requests");
    private final Timer durations = registry.timer("backend.server.probe.durations");
    private volatile long round;

    private DssClient() {
        backend();
        system();
    }

    public static void main(String[] arguments) throws IOException {
        DssClient client = new DssClient();
        InetSocketAddress server = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        GraphiteReporter reporter = GraphiteReporter.forRegistry(client.registry)
                .prefixedWith(arguments[2])
                .build(new SpokenSender(new Graphite(server)));
        BufferedReader rounds = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = rounds.readLine(); line != null; line = rounds.readLine()) {
            client.prepare(Long.parseLong(line.trim()));
            reporter.report();
            System.out.println("end\t" + client.round);
        }
    }

    private void prepare(long next) {
        round = next;
        datasets.inc(next);
        sizes.update(next * 1000);
        requests.mark(next);
        durations.update(next, TimeUnit.MILLISECONDS);
    }

    private void backend() {
        gauge("backend.server.dku.collaboration.activeUsers", 3);
        gauge("backend.server.catalog.indexAll.recipes", 250);
        registry.register("backend.server.jvm.memory", new MemoryUsageGaugeSet());
        registry.register("backend.server.probe.notANumber", (Gauge<Double>) () -> Double.NaN);
        gauge("collectd.processes.dss_fek.ps_count.processes", 5);
        gauge("collectd.processes.dss_jek.ps_count.processes", 7);
        gauge("collectd.processes.dss_backend.file_handles", 900);
    }

    private void system() {
        for (int core = 0; core < CORES; core++) {
            String percent = "collectd.cpu." + core + ".percent.";
            gauge(percent + "user", 10 + core);
            gauge(percent + "system", 4 + core);
            gauge(percent + "steal", 1);
            gauge(percent + "wait", 2 + core);
            gauge(percent + "idle", 60);
        }
        for (String kind : new String[] {"used", "buffered", "cached", "free"}) {
            gauge("collectd.memory.memory." + kind, (1L + kind.length()) << 30);
            gauge("collectd.memory.percent." + kind, 5 + kind.length());
        }
        for (String mount : new String[] {"root", "data"}) {
            gauge("collectd.df." + mount + ".df_complex.used", (3L + mount.charAt(0)) << 20);
            gauge("collectd.df." + mount + ".df_complex.free", (9L + mount.charAt(0)) << 20);
            gauge("collectd.df." + mount + ".percent_bytes.used", 20 + mount.charAt(0) % 7);
        }
        gauge("collectd.interface.eth0.if_octets.rx", 4000);
        gauge("collectd.interface.eth0.if_octets.tx", 2000);
        gauge("collectd.disk.sda.disk_io_time.io_time", 120);
        gauge("collectd.disk.sda.disk_io_time.weighted_io_time", 340);
    }

    private void gauge(String name, long base) {
        registry.register(name, (Gauge<Long>) () -> base + round);
    }
}
