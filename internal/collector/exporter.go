package collector

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Exporters of OTLP have a sending queue and retries with these keys and defaults. The last two names are the old ones.
var otlp = []string{"otlp_http", "otlp_grpc", "otlphttp", "otlp"}

// discarding exporters keep nothing: they are for looking at events, or for none.
var discarding = []string{"debug", "nop"}

const (
	queueKey = "sending_queue"
	retryKey = "retry_on_failure"

	defaultMaxElapsed = 5 * time.Minute

	fileStorage = "file_storage"
)

var (
	queueKeys   = []string{"enabled", "wait_for_result", "sizer", "queue_size", "block_on_overflow", "storage", "num_consumers", "batch"}
	retryKeys   = []string{"enabled", "initial_interval", "randomization_factor", "multiplier", "max_interval", "max_elapsed_time"}
	storageKeys = []string{"directory", "timeout", "max_size", "compaction", "fsync", "create_directory", "directory_permissions", "recreate"}
)

// queue is the sending queue of an exporter.
type queue struct {
	enabled, waits, blocks bool
	storage                string // the extension that stores it; "" for memory
}

// export returns the way that ends at an exporter.
func (g *graph) export(name string, p passage) Way {
	p.path = at(p.path, name)
	path := []string{exporters, name}
	worth := NotKnown
	switch kind := typeOf(name); {
	case slices.Contains(discarding, kind):
		return Way{p.path, Nothing, nil}
	case slices.Contains(otlp, kind):
		keys := g.section(g.defined[exporters][name], path)
		worth = g.judge(path, g.queue(keys[queueKey], at(path, queueKey)), keys[retryKey], &p)
	default:
		p.lose(Unknown, "what the exporter "+name+" does with an event is not known", exporters+"."+name, "export by "+otlp[0]+" or "+otlp[1]+", which are known")
	}
	if slices.ContainsFunc(p.losses, func(l Loss) bool { return l.Cause == Unknown }) {
		worth = NotKnown
	}
	return Way{p.path, worth, p.losses}
}

// queue reads the section of a sending queue.
func (g *graph) queue(value any, path []string) queue {
	keys := g.section(value, path, queueKeys...)
	q := queue{
		enabled: g.boolean(keys, "enabled", true, path),
		waits:   g.boolean(keys, "wait_for_result", false, path),
		blocks:  g.boolean(keys, "block_on_overflow", false, path),
	}
	if value := keys["storage"]; value != nil {
		names := g.names([]any{value}, at(path, "storage"))
		if len(names) == 1 {
			q.storage = names[0]
		}
	}
	if !q.enabled {
		return queue{}
	}
	switch {
	case q.storage == "":
	case q.waits:
		g.problem(at(path, "wait_for_result"), "does not go with storage: the collector refuses it")
	case !g.has(extensions, q.storage):
		g.problem(at(path, "storage"), "names %s, which is not in extensions", shown(q.storage))
	case !slices.Contains(g.enabled, q.storage):
		g.problem(at(path, "storage"), "names %s, which is not in service.extensions: the collector does not start it", shown(q.storage))
	}
	return q
}

// judge adds the losses that remain with an exporter of OTLP, and returns its worth.
func (g *graph) judge(path []string, q queue, retry any, p *passage) Worth {
	key := func(keys ...string) string { return strings.Join(at(path, keys...), ".") }
	const partial = "what the backend rejects of a request that it answers with 200 is only logged, as a warning"
	told := p.holder == "" && (!q.enabled || q.waits)
	worth := Acknowledged
	switch {
	case told:
	case p.holder != "":
		worth = Accepted
		p.lose(Kill, "a kill or a power loss loses what the processor "+p.holder+" holds in memory",
			strings.Join([]string{"service", "pipelines", p.holderIn, processors}, "."), "take "+p.holder+" out; "+key(queueKey, "batch")+" batches behind the queue")
		if q.enabled && !q.blocks {
			p.lose(QueueFull, "a full queue refuses what the processor "+p.holder+" hands on, after the 200", key(queueKey, "block_on_overflow"), "true")
		}
	case q.storage == "":
		worth = Accepted
		p.lose(Kill, "a kill or a power loss loses what the queue holds in memory", key(queueKey, "storage"), "an extension file_storage that has fsync: true")
	}
	if q.storage != "" {
		worth = min(worth, g.stored(q.storage, p))
	}
	limit := g.retryLimit(retry, at(path, retryKey))
	if !told {
		switch {
		case limit < 0:
			p.lose(RetryLimit, "an event is dropped when the backend fails once", key(retryKey, "enabled"), "true, and max_elapsed_time: 0s")
		case limit > 0:
			p.lose(RetryLimit, fmt.Sprintf("an event is dropped when the backend has failed for %s", limit), key(retryKey, "max_elapsed_time"), "0s, which is without a limit")
		}
		p.lose(Refused, "what the backend refuses for good, with 400 or 401 for example, is dropped; without a queue the sender hears of it", "", "")
	}
	p.lose(PartialSuccess, partial, "", "")
	return worth
}

// retryLimit returns how long an exporter tries again: 0 for ever, and less than 0 when it does not.
func (g *graph) retryLimit(value any, path []string) time.Duration {
	keys := g.section(value, path, retryKeys...)
	enabled, limit := g.boolean(keys, "enabled", true, path), g.duration(keys, "max_elapsed_time", defaultMaxElapsed, path)
	if !enabled {
		return -1
	}
	return limit
}

// stored adds the losses that remain with a queue in a storage, and returns the worth of what is there.
func (g *graph) stored(name string, p *passage) Worth {
	path := []string{extensions, name}
	key := strings.Join(path, ".")
	if typeOf(name) != fileStorage {
		p.lose(Unknown, "what the extension "+name+" keeps is not known", key, "use "+fileStorage+", which is known")
		return NotKnown
	}
	keys := g.section(g.defined[extensions][name], path, storageKeys...)
	worth := Durable
	if !g.boolean(keys, "fsync", false, path) {
		worth = Accepted
		p.lose(Power, "a power loss loses what the disk of "+name+" has not synced", key+".fsync", "true")
	}
	if g.boolean(keys, "recreate", false, path) {
		p.lose(Damaged, "a damaged file of "+name+" is set aside with all that it holds, and a new one begun", key+".recreate", "false")
	}
	p.lose(KillAtStart, "a second kill, while the collector starts, loses requests that were being sent at the first one", "", "")
	return worth
}
