// franz-go against a broker: suite BOOTSTRAP. Ends with 0 when all holds.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var bootstrap string

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf(format, args...))
	}
}

func client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(strings.Split(bootstrap, ",")...)}, opts...)...)
	must(err)
	return cl
}

func create(ctx context.Context, name string, partitions int32) {
	cl := client()
	defer cl.Close()
	responses, err := kadm.NewClient(cl).CreateTopics(ctx, partitions, 3, nil, name)
	must(err)
	must(responses[name].Err)
}

func everyCodec(ctx context.Context) {
	create(ctx, "go-codecs", 4)
	var sent []string
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		cl := client(kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic("go-codecs"))
		var records []*kgo.Record
		for i := 0; i < 500; i++ {
			value := strings.Repeat(fmt.Sprintf("%s-%04d ", name, i), 1+i%20)
			records = append(records, &kgo.Record{Key: []byte(value[:8]), Value: []byte(value)})
			sent = append(sent, value)
		}
		must(cl.ProduceSync(ctx, records...).FirstErr())
		cl.Close()
	}
	got := consume(ctx, "go-codecs-group", "go-codecs", len(sent))
	sort.Strings(sent)
	sort.Strings(got)
	check(strings.Join(sent, "|") == strings.Join(got, "|"), "%d of %d records, or others", len(got), len(sent))
}

func consume(ctx context.Context, group, topic string, count int, opts ...kgo.Opt) []string {
	cl := client(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
	}, opts...)...)
	defer cl.Close()
	var got []string
	for len(got) < count {
		fetches := cl.PollFetches(ctx)
		must(fetches.Err0())
		fetches.EachError(func(topic string, partition int32, err error) { must(err) })
		fetches.EachRecord(func(record *kgo.Record) { got = append(got, string(record.Value)) })
		must(cl.CommitUncommittedOffsets(ctx))
	}
	return got
}

// Members come and go while records are produced; with committed offsets nothing is missed.
func groupChurn(ctx context.Context) {
	create(ctx, "go-churn", 6)
	const count = 3000
	producer := client(kgo.DefaultProduceTopic("go-churn"))
	defer producer.Close()
	var lock sync.Mutex
	seen := map[string]int{}
	done := make(chan struct{})
	var members sync.WaitGroup
	member := func(life time.Duration) {
		defer members.Done()
		end := time.Now().Add(life)
		cl := client(
			kgo.ConsumerGroup("go-churn-group"), kgo.ConsumeTopics("go-churn"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond),
			kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.BlockRebalanceOnPoll(), kgo.AutoCommitMarks(),
		)
		defer cl.CloseAllowingRebalance()
		for life == 0 || time.Now().Before(end) {
			select {
			case <-done:
				return
			default:
			}
			poll, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			fetches := cl.PollFetches(poll)
			cancel()
			lock.Lock()
			fetches.EachRecord(func(record *kgo.Record) {
				seen[string(record.Value)]++
				cl.MarkCommitRecords(record)
			})
			if len(seen) == count {
				select {
				case <-done:
				default:
					close(done)
				}
			}
			lock.Unlock()
			must(cl.CommitMarkedOffsets(ctx))
			cl.AllowRebalance()
		}
	}
	for _, life := range []time.Duration{0, 2 * time.Second, 4 * time.Second} {
		members.Add(1)
		go member(life)
	}
	for i := 0; i < count; i++ {
		producer.Produce(ctx, &kgo.Record{Key: []byte(fmt.Sprint(i % 97)), Value: []byte(fmt.Sprint(i))}, func(_ *kgo.Record, err error) { must(err) })
		if i%300 == 0 {
			time.Sleep(300 * time.Millisecond)
		}
	}
	must(producer.Flush(ctx))
	select {
	case <-done:
	case <-ctx.Done():
		panic(fmt.Sprintf("%d of %d records came", len(seen), count))
	}
	members.Wait()
}

func admin(ctx context.Context) {
	cl := client()
	defer cl.Close()
	adm := kadm.NewClient(cl)
	create(ctx, "go-admin", 2)
	again, err := adm.CreateTopics(ctx, 1, 1, nil, "go-admin")
	must(err)
	check(again["go-admin"].Err == kerr.TopicAlreadyExists, "created twice: %v", again["go-admin"].Err)
	_, err = adm.CreatePartitions(ctx, 3, "go-admin")
	must(err)
	details, err := adm.ListTopics(ctx, "go-admin")
	must(err)
	check(len(details["go-admin"].Partitions) == 5, "%d partitions", len(details["go-admin"].Partitions))
	configs, err := adm.DescribeTopicConfigs(ctx, "go-admin")
	must(err)
	must(configs[0].Err)
	check(len(configs[0].Configs) > 20, "%d configs", len(configs[0].Configs))
	producer := client(kgo.DefaultProduceTopic("go-admin"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	for i := 0; i < 10; i++ {
		must(producer.ProduceSync(ctx, &kgo.Record{Partition: 1, Value: []byte("v")}).FirstErr())
	}
	ends, err := adm.ListEndOffsets(ctx, "go-admin")
	must(err)
	end, _ := ends.Lookup("go-admin", 1)
	check(end.Offset == 10, "end offset %d", end.Offset)
	deleted, err := adm.DeleteRecords(ctx, kadm.Offsets{"go-admin": {1: {Topic: "go-admin", Partition: 1, At: 4, LeaderEpoch: -1}}})
	must(err)
	must(deleted.Error())
	starts, err := adm.ListStartOffsets(ctx, "go-admin")
	must(err)
	start, _ := starts.Lookup("go-admin", 1)
	check(start.Offset == 4, "start offset %d", start.Offset)
	_, err = adm.DeleteTopics(ctx, "go-admin")
	must(err)
}

// Offsets are in the order of production, for each partition, whatever is in flight.
func order(ctx context.Context) {
	create(ctx, "go-order", 3)
	producer := client(kgo.DefaultProduceTopic("go-order"), kgo.ProducerLinger(time.Millisecond))
	defer producer.Close()
	for i := 0; i < 20000; i++ {
		producer.Produce(ctx, &kgo.Record{Key: []byte(fmt.Sprint(i % 7)), Value: []byte(fmt.Sprintf("%07d", i))}, func(_ *kgo.Record, err error) { must(err) })
	}
	must(producer.Flush(ctx))
	consumer := client(kgo.ConsumeTopics("go-order"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	last := map[int32]string{}
	for count := 0; count < 20000; {
		fetches := consumer.PollFetches(ctx)
		must(fetches.Err0())
		fetches.EachRecord(func(record *kgo.Record) {
			count++
			check(last[record.Partition] < string(record.Value), "%s after %s", record.Value, last[record.Partition])
			last[record.Partition] = string(record.Value)
		})
	}
}

func main() {
	bootstrap = os.Args[1]
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	suites := []struct {
		name string
		run  func(context.Context)
	}{{"every_codec", everyCodec}, {"order", order}, {"admin", admin}, {"group_churn", groupChurn}}
	for _, suite := range suites {
		began := time.Now()
		suite.run(ctx)
		fmt.Printf("ok %s %.1f s\n", suite.name, time.Since(began).Seconds())
	}
}
